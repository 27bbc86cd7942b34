//! The canary: a few users first, those with the least to lose, counted in the store and looked at through the
//! application's own queries.
//!
//! The batches are the plan's; of ids only theirs become others, so that nothing of anybody else is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use stella_protocol::Text;
use stella_protocol::migration::{PhaseName, TroubleKind};

use super::copy::batch::{Bench, Mode};
use super::copy::hand::{Deed, Hand, target};
use super::copy::lanes::work_off;
use super::copy::tally::{Tally, Told};
use super::ledger::{Owned, Pass, Seen};
use super::own::make_placeholders;
use super::queries::{self, Expected};
use super::site::walk::{PAGE, Page, Walk, is_tombstone};
use super::site::{Ended, Run, mapping, mapping_to};
use crate::documents::Document;
use crate::migrate::Event;
use crate::migrate::check::owner;
use crate::migrate::plan::Plan;

/// Differences that are told one by one.
const TOLD: usize = 5;

/// Tries it with a few users.
///
/// # Errors
/// When it is stopped, or the store, the ledger or the backup does not answer.
pub async fn canary(run: &Run) -> Result<Event, Ended> {
    let plan = run.plan().await?;
    make_placeholders(run, &plan).await?;
    let owners = owners(run, &plan).await?;
    let chosen = chosen(run, &owners)?;
    if chosen.is_empty() {
        let found = Ok(Text::from("nobody whose id changes owns a document"));
        return Ok(Event::Canary { fence: run.fence, found });
    }
    queries::before(run, &plan, &owners, &chosen).await?;
    let hand = Arc::new(Hand {
        map: Arc::clone(&run.site.map),
        mapping: mapping_to(&plan, &chosen)?,
        ledger: Arc::clone(&run.ledger),
        backup: Some(run.backup().await?),
        whole: Some(mapping(&plan)?),
    });
    let pass = Pass::of(PhaseName::Canary);
    run.ask(move |ledger| {
        let (done, all) = ledger.progressed_in(pass)?.batches;
        if done == all {
            // A person had a look, and lets it be tried again.
            ledger.forget(PhaseName::Canary)?;
        }
        ledger.take_plan(pass)
    })
    .await?;
    work_off(run, &Bench::new(pass, Mode::Write, Arc::clone(&hand))).await?;
    let found = look(run, &plan, &hand, &chosen).await?;
    let (Ok(words) | Err(words)) = &found;
    run.log(format!("canary: {words}")).await?;
    Ok(Event::Canary { fence: run.fence, found: found.map(Text::new).map_err(Text::new) })
}

/// Users whose id changes, the smallest owners first, and how many documents each owns.
async fn owners(run: &Run, plan: &Plan) -> Result<Vec<(u64, String)>, Ended> {
    let mut owners: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    each_owned(run, |row| {
        let Some(to) = becomes(plan, &row.user) else { return };
        let (documents, changes) = owners.entry(to.to_owned()).or_default();
        *documents += row.documents;
        *changes |= to != row.user;
    })
    .await?;
    let mut few: Vec<(u64, String)> =
        owners.into_iter().filter(|(_, (_, changes))| *changes).map(|(id, (count, _))| (count, id)).collect();
    few.sort();
    Ok(few)
}

/// The users with the fewest documents, at least one, and how many each owns.
fn chosen(run: &Run, owners: &[(u64, String)]) -> Result<BTreeMap<String, u64>, Ended> {
    let most = usize::try_from(run.state()?.migration.limits.canary).unwrap_or(usize::MAX);
    Ok(owners.iter().take(most.max(1)).map(|(count, id)| (id.clone(), *count)).collect())
}

fn becomes<'p>(plan: &'p Plan, id: &str) -> Option<&'p str> {
    plan.mapping.get(id).or_else(|| plan.further.get(id)).map(String::as_str)
}

async fn each_owned(run: &Run, mut tell: impl FnMut(Owned)) -> Result<(), Ended> {
    let mut after: Option<(String, String)> = None;
    loop {
        let from = after.clone();
        let rows = run
            .ask(move |ledger| ledger.owned(from.as_ref().map(|(user, name)| (user.as_str(), name.as_str())), PAGE))
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some((last.user.clone(), last.name.clone()));
        rows.into_iter().for_each(&mut tell);
    }
}

/// Documents of the chosen, by owner and collection.
pub type Counts = BTreeMap<(String, String), i64>;

/// What the chosen find now, compared with what they must.
#[derive(Default)]
struct Found {
    now: Counts,
    must: Counts,
    /// Documents of a collection that others changed meanwhile.
    loose: BTreeMap<String, i64>,
    /// Documents of each that became one with another, or were left alone.
    fewer: BTreeMap<String, i64>,
    /// Differences, in words.
    wrong: Vec<String>,
}

/// Looks at everything of the chosen. Err: what differs.
async fn look(
    run: &Run,
    plan: &Plan,
    hand: &Arc<Hand>,
    chosen: &BTreeMap<String, u64>,
) -> Result<Result<String, String>, Ended> {
    let mut found = Found::default();
    each_owned(run, |row| {
        if let Some(to) = becomes(plan, &row.user).filter(|to| chosen.contains_key(*to)) {
            *found.must.entry((to.to_owned(), row.name)).or_default() += row.documents as i64;
        }
    })
    .await?;
    // Their own documents were not there when the data was looked at.
    for id in plan.placeholders().into_keys().filter(|id| chosen.contains_key(*id)) {
        found.add_must(id, &run.site.map.users.collection, 1);
    }
    let looks = Bench::new(Pass::of(PhaseName::Canary), Mode::Compute, Arc::clone(hand));
    let mut walk = Walk::begin(run).await?;
    while let Some(page) = walk.next(run).await? {
        if run.site.map.collection(&page.collection).is_some() {
            one_page(run, &looks, page, plan, chosen, &mut found).await?;
        }
    }
    let shown = queries::canary(run, &found.expected(chosen)).await?;
    found.wrong.extend(shown.wrong);
    Ok(found.told(chosen.len()).map(|words| format!("{words}; {}", shown.words)))
}

async fn one_page(
    run: &Run,
    looks: &Bench,
    page: Page,
    plan: &Plan,
    chosen: &BTreeMap<String, u64>,
    found: &mut Found,
) -> Result<(), Ended> {
    let Some(collection) = run.site.map.collection(&page.collection) else { return Ok(()) };
    let (path, after, upto) = (page.collection.clone(), page.after.clone(), page.upto.clone());
    let known = run.ask(move |ledger| ledger.seen_in(&path, after.as_deref(), upto.as_deref(), PAGE)).await?;
    let mut seen: HashMap<String, u64> = known.into_iter().map(|Seen { key, version, .. }| (key.id, version)).collect();
    let mut tally = Tally::default();
    looks.page(run, page.documents, &mut tally).await?;
    for told in &tally.told {
        let document = &told.document;
        if is_tombstone(&document.fields) {
            continue;
        }
        let was = seen.remove(&document.key.id);
        let changed = was != Some(document.version) && !ours(run, document).await?;
        *found.loose.entry(collection.name.clone()).or_default() += i64::from(changed);
        let id = owner(&run.site.map, collection, document, &|id| looks.hand().mapping.knows(id));
        let person = id.as_deref().and_then(|id| becomes(plan, id).or(Some(id))).filter(|id| chosen.contains_key(*id));
        let key = document.key.clone();
        let parked = run.ask(move |ledger| ledger.is_troubled(&key, TroubleKind::Parked)).await?;
        found.take(told, person, &collection.name, (changed, parked));
    }
    // Those that are gone, others deleted.
    *found.loose.entry(collection.name.clone()).or_default() += seen.len() as i64;
    Ok(())
}

async fn ours(run: &Run, document: &Document) -> Result<bool, Ended> {
    let key = document.key.clone();
    let row = run.ask(move |ledger| ledger.written(&key)).await?;
    Ok(row.is_some_and(|row| row.document.version == document.version))
}

impl Found {
    fn take(&mut self, told: &Told, person: Option<&str>, name: &str, (changed, parked): (bool, bool)) {
        let moved = target(&told.document, &told.rewritten).is_some();
        match (&told.deed, person) {
            (Deed::Write(_) | Deed::Known(_), _) if !changed => {
                self.wrong.push(format!("{} still holds an old id", told.document.key.path()));
            }
            // It was left alone, and told so.
            (Deed::Nothing, Some(person)) if moved && parked => self.one_fewer(person, name),
            // Its copy is counted instead.
            (Deed::Nothing, _) if moved => {}
            // Its like is, and it was one of its own before.
            (Deed::Skip(true) | Deed::Park(_), Some(person)) => self.one_fewer(person, name),
            (_, Some(person)) => *self.now.entry((person.to_owned(), name.to_owned())).or_default() += 1,
            _ => {}
        }
    }

    fn add_must(&mut self, person: &str, name: &str, documents: i64) {
        *self.must.entry((person.to_owned(), name.to_owned())).or_default() += documents;
    }

    fn one_fewer(&mut self, person: &str, name: &str) {
        self.add_must(person, name, -1);
        *self.fewer.entry(person.to_owned()).or_default() += 1;
    }

    /// What the application has to show the chosen.
    fn expected(&self, chosen: &BTreeMap<String, u64>) -> Expected {
        let mut gone = self.fewer.clone();
        for (key, must) in &self.must {
            let now = self.now.get(key).copied().unwrap_or(0);
            *gone.entry(key.0.clone()).or_default() += (must - now).max(0);
        }
        Expected { users: chosen.keys().cloned().collect(), now: self.now.clone(), gone, loose: self.loose.clone() }
    }

    fn told(mut self, users: usize) -> Result<String, String> {
        let mut wrong: Vec<String> = self.wrong.drain(..).collect();
        let keys: std::collections::BTreeSet<_> = self.must.keys().chain(self.now.keys()).cloned().collect();
        for key in keys {
            let (must, now) = (self.must.get(&key).copied().unwrap_or(0), self.now.get(&key).copied().unwrap_or(0));
            let loose = self.loose.get(&key.1).copied().unwrap_or(0);
            if (must - now).abs() > loose {
                wrong.push(format!("{} finds {now} of {must} documents in {}", key.0, key.1));
            }
        }
        let documents: i64 = self.now.values().sum();
        if wrong.is_empty() {
            return Ok(format!("{users} users find all of their {documents} documents"));
        }
        let more = wrong.len().saturating_sub(TOLD);
        wrong.truncate(TOLD);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        Err(format!("{}{more}; look at them, then resume or roll back", wrong.join("; ")))
    }
}
