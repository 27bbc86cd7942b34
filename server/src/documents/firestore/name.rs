//! Names of documents and collections, in bodies and in addresses.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::documents::DocumentKey;

/// What stands as it is in an address: letters, digits and `-._~`. A colon would begin a verb.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Parts of a whole name before the path of its document: `projects/P/databases/D/documents`.
const ROOT_PARTS: usize = 5;

/// `projects/P/databases/D`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Database(String);

impl Database {
    pub fn new(project: &str, database: &str) -> Self {
        Self(format!("projects/{project}/databases/{database}"))
    }

    /// The whole name of a document by its path.
    pub fn name(&self, path: &str) -> String {
        format!("{}/documents/{path}", self.0)
    }

    /// The path of a document of this database by its whole name; None: it is of another one, or no document.
    pub fn path<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&self.0)?.strip_prefix("/documents/").filter(|path| parts(path).is_multiple_of(2))
    }

    /// A document by its whole name.
    pub fn key(&self, name: &str) -> Option<DocumentKey> {
        DocumentKey::parse(self.path(name)?)
    }

    /// Where something is asked of a document or, with None, of all: to be put behind `/v1/`.
    pub fn address(&self, path: Option<&str>) -> String {
        let whole = path.map_or_else(|| format!("{}/documents", self.0), |path| self.name(path));
        let parts: Vec<String> = whole.split('/').map(|part| utf8_percent_encode(part, PLAIN).to_string()).collect();
        parts.join("/")
    }

    /// How a reference stands in fields: the path within this database, else the whole name.
    pub fn shown(&self, name: &str) -> Option<String> {
        if !is_whole(name) {
            return None;
        }
        Some(self.path(name).unwrap_or(name).to_owned())
    }

    /// The other way round. The path of a document has an even number of parts and a whole name an odd one, so
    /// that neither is taken for the other.
    pub fn referred(&self, shown: &str) -> Option<String> {
        if parts(shown).is_multiple_of(2) && shown.split('/').all(|part| !part.is_empty()) {
            return Some(self.name(shown));
        }
        (is_whole(shown) && self.path(shown).is_none()).then(|| shown.to_owned())
    }
}

/// The path of the document that a collection is below, and its own name.
pub(super) fn split(collection: &str) -> (Option<&str>, &str) {
    collection.rsplit_once('/').map_or((None, collection), |(parent, name)| (Some(parent), name))
}

/// A part of an address, or a value of its query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn parts(path: &str) -> usize {
    path.split('/').count()
}

/// The whole name of a document, of whatever database.
fn is_whole(name: &str) -> bool {
    let words: Vec<&str> = name.split('/').collect();
    let fixed = words.len() > ROOT_PARTS && (words[0], words[2], words[4]) == ("projects", "databases", "documents");
    fixed && (words.len() - ROOT_PARTS).is_multiple_of(2) && words.iter().all(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_an_address_leads_to_no_other_place() {
        let database = Database::new("p", "(default)");
        let address = database.address(Some("a b/ü:runQuery%2F?#"));
        assert_eq!(address, "projects/p/databases/%28default%29/documents/a%20b/%C3%BC%3ArunQuery%252F%3F%23");
        assert_eq!(database.address(None), "projects/p/databases/%28default%29/documents");
    }

    #[test]
    fn a_reference_comes_back_as_it_was_wherever_it_leads() {
        let database = Database::new("p", "d");
        for name in [
            "projects/p/databases/d/documents/users/ana",
            "projects/p/databases/other/documents/users/ana",
            "projects/other/databases/d/documents/a/b/c/d",
            "projects/p/databases/d/documents/projects/p/databases/d/documents/x",
        ] {
            assert_eq!(database.referred(&database.shown(name).unwrap_or_default()).as_deref(), Some(name));
        }
        assert_eq!(database.shown("projects/p/databases/d/documents/users/ana").as_deref(), Some("users/ana"));
        for none in ["", "users", "users//", "a/b/c"] {
            assert_eq!((database.shown(none), database.referred(none)), (None, None), "{none}");
        }
        assert_eq!(database.shown("projects/p/databases/d/documents/users"), None, "a collection");
        assert_eq!(database.referred("projects/p/databases/d/documents/users/ana"), None, "it is written as users/ana");
    }
}
