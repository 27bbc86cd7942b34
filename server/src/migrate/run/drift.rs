//! The watch after a cut-over: says which old ids log lines are looked through for, and walks the declared
//! collections again and again for documents that somebody wrote with old ids, and for owners who had documents
//! and have none.
//!
//! It holds no lease and writes no document: it reads, tells, and notes in the ledger what it told. What is told
//! is noted only afterwards, so that a crash between both tells it again. One page is in memory, beside the ids
//! of the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use stella_protocol::migration::PhaseName;
use stella_protocol::{MigrationId, MigrationStatus};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, LedgerError, Owned};
use super::site::walk::{PAGE, is_tombstone};
use super::site::{Ended, Site, apart, mapping};
use crate::documents::{Document, DocumentKey};
use crate::hub::HubError;
use crate::migrate::check::owner;
use crate::migrate::drift::said::OldIds;
use crate::migrate::drift::{Lost, OldId, Place, Written, old_id};
use crate::migrate::map::Collection;
use crate::migrate::{Mapping, MigrationState, Plan};

/// Owners that are read at once.
const OWNERS: usize = 500;

/// The watch.
pub struct Drift {
    site: Arc<Site>,
    /// Of which migration lines are looked through for old ids.
    looks_for: Option<MigrationId>,
    next_walk: Option<Instant>,
}

impl Drift {
    /// One that has done nothing yet.
    pub fn new(site: Arc<Site>) -> Self {
        Self { site, looks_for: None, next_walk: None }
    }

    /// Watches until it is told to end.
    pub async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.work() => {}
        }
    }

    async fn work(&mut self) {
        loop {
            if let Err(ended) = self.look().await {
                let why = format!("{ended:?}").escape_debug().to_string();
                tracing::warn!(why, "the watch after a migration did not get through: it begins again");
                self.next_walk = Some(Instant::now() + self.site.pace.drift);
            }
            sleep(self.site.pace.idle).await;
        }
    }

    async fn look(&mut self) -> Result<(), Ended> {
        let watched = self.site.hub.migrations().into_iter().rev().find(|state| is_watched(&self.site, state));
        let id = watched.as_ref().map(|state| state.migration.id.clone());
        if self.looks_for != id {
            let old_ids = match &watched {
                Some(state) => Some(Arc::new(old_ids(&self.site, state).await?)),
                None => None,
            };
            self.site.hub.look_for(old_ids);
            (self.looks_for, self.next_walk) = (id.clone(), None);
        }
        let Some(id) = id.filter(|_| self.next_walk.is_none_or(|next| next <= Instant::now())) else { return Ok(()) };
        Round::begin(Arc::clone(&self.site), id).await?.walk().await?;
        self.next_walk = Some(Instant::now() + self.site.pace.drift);
        Ok(())
    }
}

/// It was cut over and not taken back.
fn is_watched(site: &Site, state: &MigrationState) -> bool {
    let migration = &state.migration;
    let cut = matches!(migration.status, MigrationStatus::Soaking | MigrationStatus::Completed);
    cut && migration.target == site.target
}

async fn plan(ledger: &Arc<Ledger>) -> Result<Plan, Ended> {
    let plan = ask(ledger, Ledger::plan).await?;
    plan.map(|(plan, _)| plan).ok_or_else(|| Ended::broke("its ledger has no plan"))
}

async fn ask<T: Send + 'static>(
    ledger: &Arc<Ledger>,
    what: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Ended> {
    let ledger = Arc::clone(ledger);
    apart(move || Ok(what(&ledger)?)).await
}

async fn ledger(site: &Arc<Site>, id: &MigrationId) -> Result<Arc<Ledger>, Ended> {
    let (site, id) = (Arc::clone(site), id.clone());
    apart(move || site.known_ledger(&id)?.ok_or_else(|| Ended::broke("it has no ledger"))).await
}

async fn old_ids(site: &Arc<Site>, state: &MigrationState) -> Result<OldIds, Ended> {
    let migration = &state.migration;
    let plan = plan(&ledger(site, &migration.id).await?).await?;
    let soak = migration.phases.iter().find(|phase| phase.name == PhaseName::Soak);
    let since = soak.map_or_else(|| site.clock.now(), |phase| phase.started_at);
    let (id, map) = (migration.id.clone(), Arc::clone(&site.map));
    apart(move || Ok(OldIds::new(id, since, &plan, &map))).await
}

/// One walk.
struct Round {
    site: Arc<Site>,
    id: MigrationId,
    ledger: Arc<Ledger>,
    mapping: Arc<Mapping>,
    /// By the collection's name in the data map.
    written: BTreeMap<String, Written>,
    /// Collections to be read, the next one last.
    rest: Vec<(String, Option<String>)>,
}

/// A document of a page.
struct Looked {
    key: DocumentKey,
    version: u64,
    old: OldId,
}

impl Round {
    async fn begin(site: Arc<Site>, id: MigrationId) -> Result<Self, Ended> {
        let ledger = ledger(&site, &id).await?;
        let plan = plan(&ledger).await?;
        let mapping = apart(move || Ok(Arc::new(mapping(&plan)?))).await?;
        ask(&ledger, Ledger::begin_walk).await?;
        let roots = site.documents.collections(None).await?;
        let rest = roots.into_iter().rev().map(|name| (name, None)).collect();
        Ok(Self { site, id, ledger, mapping, written: BTreeMap::new(), rest })
    }

    async fn walk(mut self) -> Result<(), Ended> {
        while let Some((path, after)) = self.rest.pop() {
            self.still_watched()?;
            let declared = self.site.map.collection(&path).map(|collection| collection.name.clone());
            let leads_on = leads_on(&self.site, &path);
            if declared.is_none() && !leads_on {
                continue;
            }
            if leads_on && after.is_none() {
                self.descend_absent(&path).await?;
            }
            let page = self.site.documents.scan(&path, after.as_deref(), PAGE).await?;
            if let Some(next) = page.next {
                self.rest.push((path, Some(next)));
            }
            if leads_on {
                self.descend(&page.documents).await?;
            }
            if let Some(name) = declared {
                self.page(&name, page.documents).await?;
            }
        }
        self.lost().await?;
        ask(&self.ledger, Ledger::end_walk).await
    }

    /// Somebody may have taken it back meanwhile.
    fn still_watched(&self) -> Result<(), Ended> {
        let state = self.site.hub.migration(&self.id).ok().flatten();
        if state.is_some_and(|state| is_watched(&self.site, &state)) { Ok(()) } else { Err(Ended::Lost) }
    }

    async fn descend(&mut self, documents: &[Document]) -> Result<(), Ended> {
        let Some(first) = documents.first() else { return Ok(()) };
        if !self.site.documents.has_below(&first.key.collection).await? {
            return Ok(());
        }
        for document in documents {
            self.below(&document.key.path()).await?;
        }
        Ok(())
    }

    /// The same for ids at which no document stands.
    async fn descend_absent(&mut self, collection: &str) -> Result<(), Ended> {
        let mut after = None;
        loop {
            let page = self.site.documents.absent(collection, after.as_deref()).await?;
            for id in page.ids {
                self.below(&format!("{collection}/{id}")).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn below(&mut self, path: &str) -> Result<(), Ended> {
        let below = self.site.documents.collections(Some(path)).await?;
        self.rest.extend(below.into_iter().map(|name| (format!("{path}/{name}"), None)));
        Ok(())
    }

    async fn page(&mut self, name: &str, mut documents: Vec<Document>) -> Result<(), Ended> {
        documents.retain(|document| !is_tombstone(&document.fields));
        let looked = documents.len();
        let (site, mapping, ledger, of) =
            (Arc::clone(&self.site), Arc::clone(&self.mapping), Arc::clone(&self.ledger), name.to_owned());
        let news = apart(move || {
            let Some(collection) = site.map.collections.iter().find(|one| one.name == of) else {
                return Ok(Vec::new());
            };
            ledger.add_sight(&seen(&site, collection, &documents, &mapping))?;
            Ok(news(&ledger, looks(&site, collection, documents, &mapping))?)
        })
        .await?;
        let written = self.written.entry(name.to_owned()).or_default();
        written.looked(looked);
        for one in &news {
            written.add(&one.key.path(), &one.old.path, one.old.user.clone());
        }
        let place = place(&self.site, &self.id, name);
        let Some(finding) = written.finding(place) else { return Ok(()) };
        self.site.hub.found(vec![finding]).await?;
        let told: Vec<(DocumentKey, u64)> = news.into_iter().map(|one| (one.key, one.version)).collect();
        self.site.hub.old_id_used(&self.id, told.len() as u64);
        ask(&self.ledger, move |ledger| ledger.were_told(&told)).await
    }

    /// Tells of owners who had documents and have none.
    async fn lost(&self) -> Result<(), Ended> {
        let (mut after, mut owners) = (None::<(String, String)>, BTreeMap::<String, Lost>::new());
        loop {
            let from = after.clone();
            let rows = ask(&self.ledger, move |ledger| {
                let after = from.as_ref().map(|(name, user)| (name.as_str(), user.as_str()));
                ledger.vanished(least(), after, OWNERS)
            })
            .await?;
            let Some(end) = rows.last() else { break };
            after = Some((end.name.clone(), end.user.clone()));
            for row in rows {
                owners.entry(row.name).or_default().add(&row.user, row.documents);
            }
        }
        let told = owners.into_iter().map(|(name, lost)| lost.finding(place(&self.site, &self.id, &name)));
        let findings: Vec<_> = told.collect();
        if !findings.is_empty() {
            self.site.hub.found(findings).await?;
        }
        Ok(())
    }
}

/// Fewer documents than these can go without a word, as for what lines say.
fn least() -> u64 {
    stella_detect::Rules::default().vanished_from as u64
}

fn place<'a>(site: &'a Site, id: &'a MigrationId, collection: &'a str) -> Place<'a> {
    let window_ms = i64::try_from(site.pace.drift.as_millis()).unwrap_or(i64::MAX);
    Place { migration: id, store: &site.target, collection, window_ms }
}

/// True when the map declares a collection below documents of this one.
fn leads_on(site: &Site, path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    site.map.collections.iter().any(|collection| {
        let names: Vec<&str> = collection.name.split('/').collect();
        let fits = |(place, part): (usize, &&str)| place % 2 == 1 || names[place] == *part;
        names.len() > parts.len() && parts.iter().enumerate().all(fits)
    })
}

fn looks(site: &Site, collection: &Collection, documents: Vec<Document>, mapping: &Mapping) -> Vec<Looked> {
    let look = |document: Document| {
        let old = old_id(&site.map, collection, &document, mapping)?;
        Some(Looked { key: document.key, version: document.version, old })
    };
    documents.into_iter().filter_map(look).collect()
}

fn news(ledger: &Ledger, looked: Vec<Looked>) -> Result<Vec<Looked>, LedgerError> {
    let keys: Vec<(DocumentKey, u64)> = looked.iter().map(|one| (one.key.clone(), one.version)).collect();
    let news = ledger.are_news(&keys)?;
    Ok(looked.into_iter().zip(news).filter_map(|(one, is_news)| is_news.then_some(one)).collect())
}

/// What owners have of a page, under ids that the application asks with.
fn seen(site: &Site, collection: &Collection, documents: &[Document], mapping: &Mapping) -> Vec<Owned> {
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for document in documents {
        let owner = owner(&site.map, collection, document, &|id| mapping.knows(id));
        if let Some(owner) = owner.filter(|owner| mapping.target(owner).is_none()) {
            *counted.entry(owner).or_default() += 1;
        }
    }
    let of = |(user, documents)| Owned { user, name: collection.name.clone(), documents };
    counted.into_iter().map(of).collect()
}

impl From<HubError> for Ended {
    fn from(error: HubError) -> Self {
        Self::because(&error)
    }
}
