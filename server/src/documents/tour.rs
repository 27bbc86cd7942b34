//! Every document of a store, collection by collection, also below documents and below ids without one.
//!
//! Page by page: what others write meanwhile may be seen or not.

use futures_util::future::try_join_all;

use super::{Document, Documents, DocumentsError};

/// Documents of a page.
const PAGE: usize = 500;
/// Documents that are asked at once what is below them.
const AT_ONCE: usize = 16;

/// Gives every document.
///
/// # Errors
/// When the store does not answer.
pub async fn everything(
    documents: &dyn Documents,
    mut give: impl FnMut(Document) + Send,
) -> Result<(), DocumentsError> {
    let mut rest = documents.collections(None).await?;
    rest.reverse();
    while let Some(collection) = rest.pop() {
        let mut paths = absent(documents, &collection).await?;
        one(documents, &collection, |document| {
            paths.push(document.key.path());
            give(document);
        })
        .await?;
        let mut names: Vec<Vec<String>> = Vec::with_capacity(paths.len());
        for some in paths.chunks(AT_ONCE) {
            names.extend(try_join_all(some.iter().map(|path| documents.collections(Some(path)))).await?);
        }
        let below = paths.iter().zip(names);
        let below = below.flat_map(|(path, names)| names.into_iter().map(move |name| format!("{path}/{name}")));
        let below: Vec<String> = below.collect();
        rest.extend(below.into_iter().rev());
    }
    Ok(())
}

/// Gives every document of one collection, in order.
///
/// # Errors
/// When the store does not answer.
pub async fn one(
    documents: &dyn Documents,
    collection: &str,
    mut give: impl FnMut(Document) + Send,
) -> Result<(), DocumentsError> {
    let mut after = None;
    loop {
        let page = documents.scan(collection, after.as_deref(), PAGE).await?;
        page.documents.into_iter().for_each(&mut give);
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The paths in a collection at which no document stands, and collections do.
async fn absent(documents: &dyn Documents, collection: &str) -> Result<Vec<String>, DocumentsError> {
    let (mut paths, mut after) = (Vec::new(), None);
    loop {
        let page = documents.absent(collection, after.as_deref()).await?;
        paths.extend(page.ids.into_iter().map(|id| format!("{collection}/{id}")));
        after = page.next;
        if after.is_none() {
            return Ok(paths);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::documents::embedded::Embedded;

    #[tokio::test]
    async fn a_tour_leaves_nothing_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path(), Clock::system()).unwrap();
        let paths = ["a/1", "a/1/b/2", "a/gone/b/3", "a/gone/b/gone/c/4", "a-b/5", "z/gone/y/gone/x/6"];
        let lines: Vec<String> = paths.iter().map(|path| format!("{{\"path\":\"{path}\",\"fields\":{{}}}}")).collect();
        store.import(lines.join("\n").as_bytes()).unwrap();
        let mut seen = Vec::new();
        everything(&store, |document| seen.push(document.key.path())).await.unwrap();
        seen.sort();
        let mut all = paths.to_vec();
        all.sort_unstable();
        assert_eq!(seen, all);
    }
}
