//! The look at the data: who the users are, what the store holds, who is who, what would be written. Reads only.
//!
//! Three passes, a page at a time: what is held grows with people and ids, not with documents.

mod order;

use std::collections::BTreeMap;
use std::sync::Arc;

use stella_protocol::Text;
use stella_protocol::migration::{MigrationKind, OrphanChoice, PlanSummary, TroubleKind};

use super::copy::batch::{Bench, Mode};
use super::copy::chart::Chart;
use super::copy::hand::{Deed, Hand, target};
use super::copy::tally::{Tally, Told};
use super::ledger::{Answers, Batch, Findings, Ledger, Miss, NewTrouble, Owned, Pass, Seen, content_digest};
use super::queries;
use super::site::walk::{PAGE, Walk, is_tombstone};
use super::site::{Ended, Run};
use crate::documents::Document;
use crate::migrate::check::owner;
use crate::migrate::map::{Collection, Kind};
use crate::migrate::plan::{Measured, OrphanChosen, Plan, PlannedCollection};
use crate::migrate::reference::{Reference, Rewritten, references};
use crate::migrate::resolve::scope::Scope;
use crate::migrate::resolve::{Chosen, Resolution, Sources, Standing, resolve};
use crate::migrate::{Event, Form, Report, Roll, Survey};
use order::Paths;

/// Looks at the data.
///
/// # Errors
/// When the store or the ledger does not answer, or no plan can be made.
pub async fn scan(run: &Run) -> Result<Event, Ended> {
    run.ask(Ledger::begin_scan).await?;
    run.log("looks at the data").await?;
    let roll = users(run).await?;
    let mut report = survey(run, &roll).await?;
    let answers = answers(run).await?;
    let resolution = who_is_who(run, &roll, &report, &answers)?;
    // Who is who follows from both; what is drawn needs neither, and with many users they are the most that is held.
    drop(roll);
    report.ids = Vec::new();
    let drawn = draw(run, &resolution, &report).await?;
    let (findings, summary) = findings(run, &report, resolution, drawn)?;
    let open = run.ask(move |ledger| ledger.put_plan(&findings)).await?;
    let writes = summary.changes + summary.moves;
    run.log(format!("looked at {} documents: {writes} to write, {open} questions", summary.documents)).await?;
    queries::declared(run).await?;
    Ok(Event::Scanned { fence: run.fence, found: Ok((summary, open)) })
}

/// Pass 1.
async fn users(run: &Run) -> Result<Roll, Ended> {
    let users = &run.site.map.users;
    let (mut roll, mut after) = (Roll::default(), None);
    loop {
        run.check()?;
        let page = run.scan(&users.collection, after.as_deref(), PAGE).await?;
        for document in page.documents.iter().filter(|document| !is_tombstone(&document.fields)) {
            roll.learn(users, &document.key.id, &document.fields);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(roll),
        }
    }
}

/// Pass 2.
async fn survey(run: &Run, roll: &Roll) -> Result<Report, Ended> {
    let map = Arc::clone(&run.site.map);
    let mut survey = Survey::new(&map, roll);
    let mut walk = Walk::begin(run).await?;
    let mut looked = 0;
    while let Some(page) = walk.next(run).await? {
        let kept: Vec<&Document> = page.documents.iter().filter(|one| !is_tombstone(&one.fields)).collect();
        for document in &kept {
            survey.take(document);
        }
        let seen: Vec<Seen> = kept.iter().map(|document| seen(document, false)).collect();
        looked += seen.len() as u64;
        run.ask(move |ledger| ledger.see(&seen)).await?;
        // How many there are, only the end says: no share of the whole can be told before.
        run.voice.at(looked, 0, &page.collection);
    }
    Ok(survey.report())
}

fn seen(document: &Document, changes: bool) -> Seen {
    let digest = content_digest(&document.fields);
    Seen { key: document.key.clone(), version: document.version, digest, changes }
}

/// What was decided so far: here, or given with the server's own world.
async fn answers(run: &Run) -> Result<Answers, Ended> {
    let mut answers = run.ask(Ledger::answers).await?;
    for (question, decided) in &run.site.given {
        answers.questions.entry(question.clone()).or_insert_with(|| decided.clone());
    }
    Ok(answers)
}

fn who_is_who(run: &Run, roll: &Roll, report: &Report, answers: &Answers) -> Result<Resolution, Ended> {
    let sources = Sources {
        users: &run.site.map.users.collection,
        roll,
        report,
        key: &run.site.mint,
        questions: &answers.questions,
        orphans: &answers.orphans,
    };
    let resolution = resolve(&sources).map_err(|error| Ended::broke(format!("failed to say who is who: {error}")))?;
    if resolution.unlisted > 0 {
        let why = format!("{} references are to ids that were only counted, there are too many", resolution.unlisted);
        return Err(Ended::broke(why));
    }
    Ok(resolution)
}

/// What would be written.
#[derive(Debug, Default)]
struct Drawn {
    collections: BTreeMap<String, PlannedCollection>,
    first_scope: Option<stella_protocol::migration::FirstScope>,
    batches: u64,
    bytes: u64,
}

/// Pass 3.
async fn draw(run: &Run, resolution: &Resolution, report: &Report) -> Result<Drawn, Ended> {
    let hand = Hand {
        map: Arc::clone(&run.site.map),
        mapping: resolution.mapping.clone(),
        ledger: Arc::clone(&run.ledger),
        backup: None,
        whole: None,
    };
    let bench = Bench::new(Pass::PLAN, Mode::Compute, Arc::new(hand));
    let map = Arc::clone(&run.site.map);
    let mut scope = Scope::new(&map, resolution);
    let (mut chart, mut drawn) = (Chart::new(run.site.pace.batch), Drawn::default());
    let mut looked = 0;
    for collection in order::in_order(&map) {
        let mut paths = Paths::of(collection);
        while let Some(path) = paths.next(run).await? {
            let mut after = None;
            loop {
                run.check()?;
                let page = run.scan(&path, after.as_deref(), PAGE).await?;
                looked += page.documents.len() as u64;
                if let Some(scope) = &mut scope {
                    page.documents.iter().for_each(|document| scope.take(document));
                }
                let mut tally = Tally::default();
                bench.page(run, page.documents, &mut tally).await?;
                let planned = drawn.collections.entry(collection.name.clone()).or_default();
                note(run, collection, resolution, tally, planned, &mut chart).await?;
                run.voice.at(looked, report.documents, &path);
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
    }
    let batches: Vec<Batch> = chart.done();
    drawn.batches = batches.len() as u64;
    drawn.bytes = batches.iter().map(|batch| batch.bytes).sum();
    drawn.first_scope = scope.map(Scope::done);
    run.ask(move |ledger| ledger.put_batches(Pass::PLAN, &batches)).await?;
    Ok(drawn)
}

/// Notes a page of computed documents: in the plan's counts, its batches and the ledger.
async fn note(
    run: &Run,
    collection: &Collection,
    resolution: &Resolution,
    mut tally: Tally,
    planned: &mut PlannedCollection,
    chart: &mut Chart,
) -> Result<(), Ended> {
    let (mut changing, mut owned) = (Vec::new(), BTreeMap::<String, u64>::new());
    for told in tally.told.iter().filter(|told| !is_tombstone(&told.document.fields)) {
        let document = &told.document;
        let knows = |id: &str| resolution.mapping.knows(id);
        if let Some(owner) = owner(&run.site.map, collection, document, &knows) {
            *owned.entry(owner).or_default() += 1;
        }
        let Some(size) = count(told, planned) else {
            let all = references(&run.site.map, collection, document, &knows);
            let text = |one: &&Reference<'_>| !matches!(one.form, Form::Empty | Form::NotText);
            let mut ids = all.iter().filter(|one| one.kind != Kind::Pseudonym).filter(text);
            planned.orphans += u64::from(ids.any(|one| resolution.place_of(&one.id) == Standing::Orphan));
            continue;
        };
        chart.add(&collection.name, &document.key.collection, &document.key.id, size);
        changing.push(seen(document, true));
    }
    let name = &collection.name;
    let owned: Vec<Owned> =
        owned.into_iter().map(|(user, documents)| Owned { user, name: name.clone(), documents }).collect();
    let (troubles, now) = (tally.take_troubles(), run.site.clock.now());
    run.ask(move |ledger| {
        ledger.see(&changing)?;
        ledger.add_owned(&owned)?;
        ledger.trouble(&foreseen(troubles), now)
    })
    .await
}

fn foreseen(troubles: Vec<NewTrouble>) -> Vec<NewTrouble> {
    let told = |one: NewTrouble| NewTrouble {
        kind: TroubleKind::Parked,
        what: Text::new(format!("it will be left alone: {}", one.what.raw())),
        ..one
    };
    troubles.into_iter().map(told).collect()
}

/// Counts what a document adds to the plan: the bytes that it is written as; None: it is not written.
fn count(told: &Told, planned: &mut PlannedCollection) -> Option<u64> {
    let moves = target(&told.document, &told.rewritten).is_some();
    if let Rewritten::Changed(changed) = &told.rewritten {
        planned.references += changed.changes.len() as u64;
        planned.archived += u64::from(changed.archived);
    }
    let size = match &told.deed {
        Deed::Nothing | Deed::Skip(false) => return None,
        Deed::Skip(true) => 0,
        Deed::Park(_) => {
            planned.clashes += 1;
            0
        }
        Deed::Write(work) | Deed::Known(work) => work.bytes,
    };
    planned.moves += u64::from(moves);
    planned.changes += u64::from(!moves);
    Some(size)
}

fn findings(
    run: &Run,
    report: &Report,
    resolution: Resolution,
    drawn: Drawn,
) -> Result<(Findings, PlanSummary), Ended> {
    let decided = resolution
        .decisions
        .iter()
        .filter_map(|one| Some((one.id.raw().to_owned(), one.decided.as_ref()?.option.raw().to_owned())));
    let stays = resolution.stays();
    let plan = Plan {
        kind: MigrationKind::UserIds,
        key_id: run.site.mint.name(),
        map_title: run.site.map.title.clone(),
        map_digest: run.site.map_digest.clone(),
        decided: decided.collect(),
        orphan_choices: resolution.chosen.iter().map(|(id, chosen)| (id.clone(), choice(chosen))).collect(),
        mapping: resolution.pairs,
        further: resolution.further,
        stays,
        collections: order::planned(&run.site.map, report, drawn.collections),
    };
    let measured = Measured {
        scanned_at: run.site.clock.now(),
        orphan_ids: resolution.orphans.len() as u64,
        batches: drawn.batches,
        bytes: drawn.bytes,
        first_scope: drawn.first_scope,
        misses: report.missed.len() as u64 + report.not_listed.missed,
    };
    let unfit = |error: serde_json::Error| Ended::broke(format!("failed to write the plan: {error}"));
    let mut summary = plan.summary(measured).map_err(unfit)?;
    (summary.elsewhere, summary.workarounds) = (report.elsewhere.clone(), report.workarounds.clone());
    let misses = report.missed.iter().map(|miss| Miss {
        collection: miss.collection.clone(),
        path: miss.path.clone(),
        documents: miss.documents,
        values: miss.values,
        example: miss.example.clone(),
    });
    let findings = Findings {
        plan,
        summary: summary.clone(),
        mapping: resolution.rows,
        orphans: resolution.orphans,
        decisions: resolution.decisions,
        misses: misses.collect(),
    };
    Ok((findings, summary))
}

fn choice(chosen: &Chosen) -> OrphanChosen {
    let choice = match chosen {
        Chosen::Placeholder(_) => OrphanChoice::Placeholder,
        Chosen::Archive => OrphanChoice::Archive,
        Chosen::Map(_) => OrphanChoice::Map,
    };
    OrphanChosen { choice, user: chosen.target().map(|id| id.as_str().to_owned()) }
}
