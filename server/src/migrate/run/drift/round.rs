//! One walk over the declared collections: which documents somebody wrote with old ids, and which owners had
//! documents at the last walk and have none now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Of, ask, is_at_work};
use crate::documents::{Document, DocumentKey};
use crate::migrate::Mapping;
use crate::migrate::check::owner;
use crate::migrate::drift::{Lost, OldId, Place, Written, old_id};
use crate::migrate::map::Collection;
use crate::migrate::run::ledger::{Ledger, LedgerError, Owned};
use crate::migrate::run::site::walk::{PAGE, is_tombstone};
use crate::migrate::run::site::{Ended, Site, apart};

/// Owners that are read at once.
const OWNERS: usize = 500;

/// One walk.
pub(super) struct Round {
    site: Arc<Site>,
    of: Of,
    ledger: Arc<Ledger>,
    mapping: Arc<Mapping>,
    writers: Writers,
    /// By the collection's name in the data map.
    written: BTreeMap<String, Written>,
    /// Collections to be read, the next one last.
    rest: Vec<(String, Option<String>)>,
}

/// What is said of documents with old ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    /// Those that others wrote since the migration are told.
    Since,
    /// They are noted: from the next walk on a new one is told.
    Noted,
    /// New ones are told.
    New,
    /// Nothing: everybody still writes them.
    Unwatched,
}

/// A document of a page.
struct Looked {
    key: DocumentKey,
    version: u64,
    old: OldId,
}

impl Round {
    /// One that is compared with the walk before of the same ledger.
    pub(super) async fn begin(
        site: Arc<Site>,
        of: Of,
        (ledger, mapping): (Arc<Ledger>, Mapping),
        writers: Writers,
    ) -> Result<Self, Ended> {
        ask(&ledger, Ledger::begin_walk).await?;
        let roots = site.documents.collections(None).await?;
        let rest = roots.into_iter().rev().map(|name| (name, None)).collect();
        Ok(Self { site, of, ledger, mapping: Arc::new(mapping), writers, written: BTreeMap::new(), rest })
    }

    /// Walks to the end, and tells what it found.
    pub(super) async fn walk(mut self) -> Result<(), Ended> {
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
        let (now, guards) = (self.site.clock.now(), matches!(self.writers, Writers::Noted | Writers::New));
        ask(&self.ledger, move |ledger| ledger.end_walk(now, guards)).await
    }

    /// Somebody may have taken it back, or begun one, meanwhile.
    fn still_watched(&self) -> Result<(), Ended> {
        let is_still = Of::now(&self.site) == Some(self.of.clone()) && !is_at_work(&self.site);
        if is_still { Ok(()) } else { Err(Ended::Lost) }
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
        let writers = self.writers;
        let news = apart(move || {
            let Some(collection) = site.map.collections.iter().find(|one| one.name == of) else {
                return Ok(Vec::new());
            };
            ledger.add_sight(&seen(&site, collection, &documents, &mapping))?;
            if writers == Writers::Unwatched {
                return Ok(Vec::new());
            }
            Ok(news(&ledger, looks(&site, collection, documents, &mapping), writers)?)
        })
        .await?;
        if writers == Writers::Noted {
            let noted = keys(&news);
            return ask(&self.ledger, move |ledger| ledger.were_told(&noted)).await;
        }
        let written = self.written.entry(name.to_owned()).or_default();
        written.looked(looked);
        for one in &news {
            written.add(&one.key.path(), &one.old.path, one.old.user.clone());
        }
        let place = place(&self.site, &self.of, name);
        let Some(finding) = written.finding(place) else { return Ok(()) };
        self.site.hub.found(vec![finding]).await?;
        let told = keys(&news);
        if let Some(id) = self.of.migration() {
            self.site.hub.old_id_used(id, told.len() as u64);
        }
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
        let told = owners.into_iter().map(|(name, lost)| lost.finding(place(&self.site, &self.of, &name)));
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

fn place<'a>(site: &'a Site, of: &'a Of, collection: &'a str) -> Place<'a> {
    let window_ms = i64::try_from(of.every(site).as_millis()).unwrap_or(i64::MAX);
    Place { since: of.since(), store: &site.target, collection, window_ms }
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

fn keys(looked: &[Looked]) -> Vec<(DocumentKey, u64)> {
    looked.iter().map(|one| (one.key.clone(), one.version)).collect()
}

fn news(ledger: &Ledger, looked: Vec<Looked>, writers: Writers) -> Result<Vec<Looked>, LedgerError> {
    let keys = keys(&looked);
    let news = match writers {
        Writers::Since => ledger.are_news(&keys)?,
        Writers::New => ledger.are_new(&keys)?,
        Writers::Noted | Writers::Unwatched => vec![true; keys.len()],
    };
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
