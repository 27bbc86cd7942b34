//! Asks the application its own queries: before the first write, of the canary's users, and after the copy.
//!
//! Few users, few calls, one after the other: what is measured is the application, not what it does under our
//! load. Every user is asked all queries in turn before the next round begins, so that a slow minute falls on
//! all of them alike. An answer is evidence and no write: it is kept when a side is whole, and a side that is
//! not there is asked again. An application that does not answer stops nothing; it is told.

mod ask;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::BoxFuture;
use stella_protocol::Code;
use stella_protocol::migration::{OwnQueries, PhaseName, PhaseState, QueryVerdict};
use tokio::time::sleep;

use super::canary::Counts;
use super::ledger::Side;
use super::site::{Ended, Run};
use crate::migrate::Event;
use crate::migrate::plan::Plan;
use crate::migrate::queries::sample::sample;
use crate::migrate::queries::{Asked, Query, Visible, row};
use ask::{Person, Round};

/// Users who are asked for besides the canary's: enough for an interval of some width, few enough for a minute.
const USERS: usize = 20;
/// Of the canary's, at most so many are asked for: somebody may have chosen thousands.
const CANARY: usize = 50;
/// Ids of one person that are asked with; the ones that own most.
const IDS: usize = 8;

/// An answer, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// From the call to the end of the answer.
    pub took: Duration,
    /// What it shows. Err: it did not answer, or nothing that can be read; why.
    pub said: Result<Visible, String>,
}

/// The application, as it can be asked from here.
pub trait Application: Send + Sync {
    /// What it can be asked.
    fn queries(&self) -> &[Query];

    /// Asks it one of these, for whoever signs in with this id.
    fn ask<'a>(&'a self, query: &'a Query, user: &'a str) -> BoxFuture<'a, Heard>;
}

/// What the application has to show the canary's users.
#[derive(Debug, Default)]
pub struct Expected {
    /// They, by the ids that stay.
    pub users: BTreeSet<String>,
    /// Documents that each owns now.
    pub now: Counts,
    /// Documents of each that others deleted since the data was looked at, or that became one with another.
    pub gone: BTreeMap<String, i64>,
    /// Documents of a collection that others changed meanwhile.
    pub loose: BTreeMap<String, i64>,
}

/// What it shows them.
#[derive(Debug, Default)]
pub struct Shown {
    /// Differences, in words.
    pub wrong: Vec<String>,
    /// What was asked and answered.
    pub words: String,
}

fn queries(run: &Run) -> &[Query] {
    run.site.application.as_ref().map_or(&[], |application| application.queries())
}

/// Says which queries there are, for whoever reads the plan.
///
/// # Errors
/// When the hub does not take it.
pub async fn declared(run: &Run) -> Result<(), Ended> {
    tell(run, &[], &[]).await
}

/// Asks for a sample of `owners` (the smallest first) and for the canary's users, under their old ids, unless that
/// was done. Once something was written it is too late, and stays unasked.
///
/// # Errors
/// When it is stopped, or the ledger or the hub does not answer.
pub async fn before(
    run: &Run,
    plan: &Plan,
    owners: &[(u64, String)],
    chosen: &BTreeMap<String, u64>,
) -> Result<(), Ended> {
    let kept = run.ask(|ledger| ledger.asked(Side::Before)).await?;
    let is_kept = |query: &Query| kept.iter().any(|one| one.query == query.name);
    if queries(run).iter().all(is_kept) {
        return tell(run, &kept, &[]).await;
    }
    if !run.ask(|ledger| ledger.written_after(None, 1)).await?.is_empty() {
        run.log("documents were written already: the application's own queries are not timed before").await?;
        return tell(run, &kept, &[]).await;
    }
    let people = people(run, plan, owners, chosen).await?;
    run.log(format!("asks the application its own queries for {} users", people.len())).await?;
    let asked = Round::new(run, queries(run)).before(&people).await?;
    let keep = asked.clone();
    run.ask(move |ledger| ledger.keep_asked(Side::Before, &keep)).await?;
    run.log(told(run, &asked, &[])).await?;
    tell(run, &asked, &[]).await
}

/// The canary's users, then the sample; each with the ids that they had.
async fn people(
    run: &Run,
    plan: &Plan,
    owners: &[(u64, String)],
    chosen: &BTreeMap<String, u64>,
) -> Result<Vec<Person>, Ended> {
    let seed = run.state()?.migration.plan.as_ref().map_or_else(String::new, |plan| plan.digest.raw().to_owned());
    let rest: Vec<String> = owners.iter().map(|(_, id)| id).filter(|id| !chosen.contains_key(*id)).cloned().collect();
    let drawn = sample(&rest, USERS, &seed).into_iter().map(str::to_owned);
    let mut people: Vec<Person> =
        chosen.keys().take(CANARY).cloned().chain(drawn).map(|user| Person { user, ids: Vec::new() }).collect();
    for (old, to) in &plan.mapping {
        if let Some(person) = people.iter_mut().find(|person| person.user == *to) {
            let id = old.clone();
            let owned = run.ask(move |ledger| ledger.owned_by(&id)).await?;
            person.ids.push((owned, old.clone()));
        }
    }
    for person in &mut people {
        person.ids.sort_by(|a, b| b.cmp(a));
        person.ids.truncate(IDS);
    }
    Ok(people)
}

/// Asks for the canary's users under the ids that stay, and compares with what they were shown, and with what is
/// theirs.
///
/// # Errors
/// When it is stopped, or the ledger does not answer.
pub async fn canary(run: &Run, expected: &Expected) -> Result<Shown, Ended> {
    if queries(run).is_empty() {
        return Ok(Shown { wrong: Vec::new(), words: NOBODY.to_owned() });
    }
    let before = run.ask(|ledger| ledger.asked(Side::Before)).await?;
    let users: Vec<String> = expected.users.iter().take(CANARY).cloned().collect();
    let asked = Round::new(run, queries(run)).once(&users).await?;
    let keep = asked.clone();
    run.ask(move |ledger| ledger.keep_asked(Side::Canary, &keep)).await?;
    let mut shown = Shown::default();
    for one in &asked {
        let same = |other: &&Asked| (&other.query, &other.user) == (&one.query, &one.user);
        let was = before.iter().find(same).and_then(|was| was.shown);
        let query = queries(run).iter().find(|query| query.name == one.query);
        if let (Some(now), Some(query)) = (one.shown, query) {
            shown.wrong.extend(differs(query, &one.user, (was, now), expected));
        }
    }
    let (answered, things) = (asked.iter().filter(|one| one.shown.is_some()), asked.iter().filter_map(|one| one.shown));
    shown.words = format!(
        "the application answered {} of {} own queries for them, and shows {} things",
        answered.count(),
        asked.len(),
        things.sum::<u64>()
    );
    if let Some(why) = asked.iter().find_map(|one| one.why.as_ref()) {
        shown.words.push_str(&format!("; it did not answer all: {why}"));
    }
    Ok(shown)
}

/// At least what was shown under the old ids, and, where a query shows a collection, exactly that.
fn differs(query: &Query, user: &str, (was, now): (Option<u64>, u64), expected: &Expected) -> Option<String> {
    let gone = expected.gone.get(user).copied().unwrap_or(0);
    let name = &query.name;
    if let Some(was) = was.filter(|was| (now as i64).saturating_add(gone) < *was as i64) {
        return Some(format!("the application shows {user} {now} by {name}, and showed {was} under the old ids"));
    }
    let collection = query.collection.as_ref()?;
    let theirs = expected.now.get(&(user.to_owned(), collection.clone())).copied().unwrap_or(0);
    let loose = expected.loose.get(collection).copied().unwrap_or(0);
    let is_far = (now as i64 - theirs).abs() > loose;
    is_far.then(|| format!("the application shows {user} {now} by {name}, and {theirs} of {collection} are theirs"))
}

/// Asks again those who were asked before, under the ids that stay, once the copy is done. What came of it, for the
/// list of checks.
///
/// # Errors
/// When it is stopped, or the ledger or the hub does not answer.
pub async fn after(run: &Run, plan: &Plan) -> Result<String, Ended> {
    let before = run.ask(|ledger| ledger.asked(Side::Before)).await?;
    let state = run.state()?;
    let mut phases = state.migration.phases.iter();
    let is_copied = phases.any(|phase| phase.name == PhaseName::Copy && phase.state == PhaseState::Done);
    let mut after = Vec::new();
    if is_copied && !queries(run).is_empty() && !before.is_empty() {
        let mut users: Vec<String> = before.iter().map(|one| one.user.clone()).collect();
        // In the order in which they were asked before, each once; whoever is not in the plan is not theirs to ask.
        let mut seen = BTreeSet::new();
        users.retain(|user| plan.mapping.values().any(|to| to == user) && seen.insert(user.clone()));
        after = Round::new(run, queries(run)).after(&users).await?;
        let keep = after.clone();
        run.ask(move |ledger| ledger.keep_asked(Side::After, &keep)).await?;
    }
    tell(run, &before, &after).await?;
    Ok(told(run, &before, &after))
}

/// Nobody asked.
const NOBODY: &str = "nobody asked the application: none of its own queries is declared";

fn summary(run: &Run, before: &[Asked], after: &[Asked]) -> Option<OwnQueries> {
    let items: Vec<_> = queries(run).iter().map(|query| row(&query.name, before, after)).collect();
    (!items.is_empty()).then_some(OwnQueries { items })
}

/// What was asked, in words.
fn told(run: &Run, before: &[Asked], after: &[Asked]) -> String {
    let Some(queries) = summary(run, before, after) else { return NOBODY.to_owned() };
    let one = |query: &stella_protocol::migration::OwnQuery| {
        let ms = |timing: Option<stella_protocol::migration::QueryTiming>| {
            timing.map_or_else(
                || "not answered".to_owned(),
                |timing| format!("{:.0} ms of {}", timing.median_ms, timing.calls),
            )
        };
        let verdict = match query.change.map(|change| change.verdict) {
            Some(QueryVerdict::Faster) => ", faster",
            Some(QueryVerdict::Same) => ", as fast",
            Some(QueryVerdict::Slower) => ", a little slower",
            Some(QueryVerdict::TooSlow) => ", too slow",
            Some(QueryVerdict::Unknown) | None => "",
        };
        let name = query.name.raw();
        if before.is_empty() {
            return format!("{name} was not timed before the first write");
        }
        if after.is_empty() {
            return format!("{name} took {}", ms(query.before));
        }
        format!("{name} took {} before, {} after{verdict}", ms(query.before), ms(query.after))
    };
    let told: Vec<String> = queries.items.iter().map(one).collect();
    format!("the application's own queries: {}", told.join("; "))
}

/// Tells the hub, as often as it takes while the store does not answer.
async fn tell(run: &Run, before: &[Asked], after: &[Asked]) -> Result<(), Ended> {
    let queries = summary(run, before, after);
    if run.state()?.migration.own_queries == queries {
        return Ok(());
    }
    let event = Event::Asked { fence: run.fence, queries };
    let mut tries = 0;
    loop {
        match run.site.hub.advance_migration(&run.id, event.clone()).await {
            Ok(_) => return Ok(()),
            Err(refusal) if refusal.code == Code::VersionConflict => return Err(Ended::Lost),
            Err(refusal) if tries >= run.site.pace.tries => return Err(Ended::broke(refusal.why)),
            Err(_) => sleep(run.site.pace.retry).await,
        }
        tries += 1;
    }
}
