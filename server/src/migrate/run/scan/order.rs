//! In which order collections are written: the users first, then what people would miss first.

use std::collections::BTreeMap;

use crate::documents::DocumentKey;
use crate::migrate::Report;
use crate::migrate::map::{Collection, DataMap};
use crate::migrate::plan::PlannedCollection;
use crate::migrate::run::site::{Ended, Run};

/// Behind every id of a document.
const BEHIND_ALL: &str = "\u{10ffff}";

/// The declared collections, the first to be written first.
pub fn in_order(map: &DataMap) -> Vec<&Collection> {
    let mut all: Vec<&Collection> = map.collections.iter().collect();
    all.sort_by_key(|one| (one.name != map.users.collection, one.priority, one.name.as_str()));
    all
}

/// The plan's collections: those that are declared, then those that are not.
pub fn planned(
    map: &DataMap,
    report: &Report,
    mut drawn: BTreeMap<String, PlannedCollection>,
) -> Vec<PlannedCollection> {
    let counted: BTreeMap<&str, u64> = report.collections.iter().map(|one| (one.name.raw(), one.documents)).collect();
    let declared = in_order(map).into_iter().map(|one| PlannedCollection {
        name: one.name.clone(),
        priority: Some(one.priority),
        documents: counted.get(one.name.as_str()).copied(),
        ..drawn.remove(&one.name).unwrap_or_default()
    });
    let mut all: Vec<PlannedCollection> = declared.collect();
    let others = report.collections.iter().filter(|one| !one.declared);
    all.extend(others.map(|one| PlannedCollection {
        name: one.name.raw().to_owned(),
        documents: Some(one.documents),
        ..PlannedCollection::default()
    }));
    all
}

/// The paths of one declared collection, as they were seen, in order.
pub struct Paths<'c> {
    collection: &'c Collection,
    /// What they begin with, up to the first part that stands for any document.
    root: String,
    last: Option<String>,
    done: bool,
}

impl<'c> Paths<'c> {
    /// Of this one.
    pub fn of(collection: &'c Collection) -> Self {
        let any = collection.name.find(['*', '{']);
        let root = collection.name[..any.unwrap_or(collection.name.len())].to_owned();
        Self { collection, root, last: None, done: false }
    }

    fn is_pattern(&self) -> bool {
        self.root.len() < self.collection.name.len()
    }

    /// The next; None: that was all.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn next(&mut self, run: &Run) -> Result<Option<String>, Ended> {
        if self.done {
            return Ok(None);
        }
        if !self.is_pattern() {
            self.done = true;
            return Ok(Some(self.root.clone()));
        }
        loop {
            let from = match &self.last {
                Some(last) => DocumentKey::new(last.clone(), BEHIND_ALL),
                None => DocumentKey::new(self.root.clone(), ""),
            };
            let found = run.ask(move |ledger| ledger.seen(Some(&from), 1)).await?;
            let next = found.into_iter().next().map(|one| one.key.collection);
            let Some(path) = next.filter(|path| path.starts_with(&self.root)) else {
                self.done = true;
                return Ok(None);
            };
            self.last = Some(path.clone());
            if run.site.map.collection(&path).is_some_and(|one| one.name == self.collection.name) {
                return Ok(Some(path));
            }
        }
    }
}
