//! The way over a whole store: every collection, those below documents too, page by page.
//!
//! What a migration leaves behind (aliases, tombstones) is none of the data and is passed over.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde_json::Value;

use super::{ALIASES, Ended, Run};
use crate::documents::Document;

/// Documents of a page.
pub const PAGE: usize = 500;
/// Documents that are asked at once what is below them.
const AT_ONCE: usize = 16;
/// Says where a document went.
pub const MOVED_TO: &str = "_movedTo";
/// Says which run moved it.
pub const RUN: &str = "_run";

/// True for what stands where a document stood that was moved.
pub fn is_tombstone(fields: &BTreeMap<String, Value>) -> bool {
    fields.len() == 2 && fields.contains_key(MOVED_TO) && fields.contains_key(RUN)
}

/// A page of one collection.
#[derive(Debug)]
pub struct Page {
    /// Of this collection.
    pub collection: String,
    /// It begins behind this id.
    pub after: Option<String>,
    /// It ends with this one; None: with the last of the collection.
    pub upto: Option<String>,
    /// What stands there, in order, tombstones among them.
    pub documents: Vec<Document>,
}

/// A way over everything.
#[derive(Debug, Default)]
pub struct Walk {
    /// Collections that are still to be read, and behind which id; the next one last.
    rest: Vec<(String, Option<String>)>,
}

impl Walk {
    /// Begins at the root.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn begin(run: &Run) -> Result<Self, Ended> {
        let mut roots = run.collections(None).await?;
        roots.retain(|name| name != ALIASES);
        Ok(Self { rest: roots.into_iter().rev().map(|name| (name, None)).collect() })
    }

    /// The next page; None: that was all. The same order for the same store.
    ///
    /// # Errors
    /// When the store does not answer, or it is to end.
    pub async fn next(&mut self, run: &Run) -> Result<Option<Page>, Ended> {
        let Some((collection, after)) = self.rest.pop() else { return Ok(None) };
        run.check()?;
        let page = run.scan(&collection, after.as_deref(), PAGE).await?;
        if page.next.is_some() {
            self.rest.push((collection.clone(), page.next.clone()));
        }
        let mut paths = Vec::new();
        if run.has_below(&collection).await? {
            paths.extend(page.documents.iter().map(|document| document.key.path()));
            if after.is_none() {
                // Where no document stands, no page leads on.
                paths.extend(run.absent(&collection).await?.into_iter().map(|id| format!("{collection}/{id}")));
            }
        }
        let mut names: Vec<Vec<String>> = Vec::with_capacity(paths.len());
        for some in paths.chunks(AT_ONCE) {
            names.extend(try_join_all(some.iter().map(|path| run.collections(Some(path)))).await?);
        }
        let below = paths
            .iter()
            .zip(names)
            .flat_map(|(path, names)| names.into_iter().map(move |name| (format!("{path}/{name}"), None)));
        let below: Vec<(String, Option<String>)> = below.collect();
        self.rest.extend(below.into_iter().rev());
        Ok(Some(Page { collection, after, upto: page.next, documents: page.documents }))
    }
}
