//! Migrations, as the server's routes have them: one function a route, the body as it came beside what
//! was read from it.
//!
//! A change carries one key however often it is tried, and where the route wants it the version that
//! was seen. Nothing here decides, and nothing here is shown.

use reqwest::Method;
use serde::de::DeserializeOwned;
use stella_protocol::migration::{
    CollectionPage, DecisionPage, DecisionRequest, LogPage, MappingPage, Migration, MigrationPage, MigrationProposal,
    MigrationRequest, MigrationVerb, OrphanPage, Report, TroublePage, UserCheck,
};
use stella_protocol::{MigrationId, MigrationStatus};

use super::fixes::Wire;
use super::{Change, Client};
use crate::effect::{MigrationList, MigrationPart, Refusal, RequestId};

/// Rows of a page that the console asks for.
const PAGE: u32 = 200;

/// Which migrations; everything empty: all, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MigrationAsk {
    /// In one of these states.
    pub status: Vec<MigrationStatus>,
    /// Behind this page.
    pub after: Option<String>,
    /// At most this many.
    pub limit: u32,
}

/// A part of a long list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Behind this page: its `next`. None: from the first.
    pub after: Option<String>,
    /// At most this many.
    pub limit: u32,
}

impl Part {
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = vec![("limit", self.limit.to_string())];
        parameters.extend(self.after.clone().map(|after| ("after", after)));
        parameters
    }
}

impl Client {
    /// A page of migrations, newest first.
    ///
    /// # Errors
    /// In the server's words, or those of the network; so do all of these.
    pub async fn migration_page(&self, ask: &MigrationAsk) -> Result<Wire<MigrationPage>, Refusal> {
        let mut parameters = Part { after: ask.after.clone(), limit: ask.limit }.parameters();
        if !ask.status.is_empty() {
            let words: Vec<&str> = ask.status.iter().map(|status| status.word()).collect();
            parameters.push(("status", words.join(",")));
        }
        self.ask("migrations", &parameters).await
    }

    /// One migration, whole.
    pub async fn migration(&self, id: &MigrationId) -> Result<Wire<Migration>, Refusal> {
        self.ask(&format!("migrations/{id}"), &[]).await
    }

    /// Its collections, in the order in which they are written.
    pub async fn migration_collections(&self, id: &MigrationId, part: &Part) -> Result<Wire<CollectionPage>, Refusal> {
        self.migration_part(id, "collections", part).await
    }

    /// Its ids without a user, most documents first.
    pub async fn migration_orphans(&self, id: &MigrationId, part: &Part) -> Result<Wire<OrphanPage>, Refusal> {
        self.migration_part(id, "orphans", part).await
    }

    /// Its questions, open ones first.
    pub async fn migration_decisions(&self, id: &MigrationId, part: &Part) -> Result<Wire<DecisionPage>, Refusal> {
        self.migration_part(id, "decisions", part).await
    }

    /// The documents with which something is wrong, newest first.
    pub async fn migration_errors(&self, id: &MigrationId, part: &Part) -> Result<Wire<TroublePage>, Refusal> {
        self.migration_part(id, "errors", part).await
    }

    /// What it did, oldest first.
    pub async fn migration_log(&self, id: &MigrationId, part: &Part) -> Result<Wire<LogPage>, Refusal> {
        self.migration_part(id, "log", part).await
    }

    /// Which id goes where, by old id.
    pub async fn migration_mapping(&self, id: &MigrationId, part: &Part) -> Result<Wire<MappingPage>, Refusal> {
        self.migration_part(id, "mapping", part).await
    }

    /// A page of one of its lists, as the console asks for it.
    pub(super) async fn migration_list(
        &self,
        id: &MigrationId,
        list: MigrationList,
        after: Option<String>,
    ) -> Result<MigrationPart, Refusal> {
        let part = Part { after, limit: PAGE };
        Ok(match list {
            MigrationList::Collections => MigrationPart::Collections(self.migration_collections(id, &part).await?.read),
            MigrationList::Orphans => MigrationPart::Orphans(self.migration_orphans(id, &part).await?.read),
            MigrationList::Decisions => MigrationPart::Decisions(self.migration_decisions(id, &part).await?.read),
            MigrationList::Errors => MigrationPart::Errors(self.migration_errors(id, &part).await?.read),
            MigrationList::Log => MigrationPart::Log(self.migration_log(id, &part).await?.read),
            MigrationList::Mapping => MigrationPart::Mapping(self.migration_mapping(id, &part).await?.read),
        })
    }

    /// How it went, reconciled.
    pub async fn migration_report(&self, id: &MigrationId) -> Result<Wire<Report>, Refusal> {
        self.ask(&format!("migrations/{id}/report"), &[]).await
    }

    /// What one person sees: `who` is an id of theirs, old or new, or their e-mail, as it was typed.
    pub async fn migration_user(&self, id: &MigrationId, who: &str) -> Result<Wire<UserCheck>, Refusal> {
        self.ask(&format!("migrations/{id}/users/{}", segment(who)), &[]).await
    }

    /// Makes a migration; its look at the data begins.
    pub async fn create_migration(
        &self,
        id: RequestId,
        proposal: &MigrationProposal,
    ) -> Result<Wire<Migration>, Refusal> {
        let change = Change { id, method: Method::POST, path: "migrations".to_owned(), version: None };
        self.change(change, Some(proposal)).await
    }

    /// A verb on the migration that was seen at `version`.
    pub async fn decide_migration(
        &self,
        id: RequestId,
        migration: &MigrationId,
        version: u64,
        verb: MigrationVerb,
        request: &MigrationRequest,
    ) -> Result<Wire<Migration>, Refusal> {
        let path = format!("migrations/{migration}/{}", verb.word());
        let change = Change { id, method: Method::POST, path, version: Some(version) };
        self.change(change, Some(request)).await
    }

    /// Answers a question, or says what is done with an id without a user, of the migration that was seen
    /// at `version`.
    pub async fn answer_migration(
        &self,
        id: RequestId,
        migration: &MigrationId,
        version: u64,
        request: &DecisionRequest,
    ) -> Result<Wire<Migration>, Refusal> {
        let path = format!("migrations/{migration}/decisions");
        let change = Change { id, method: Method::POST, path, version: Some(version) };
        self.change(change, Some(request)).await
    }

    async fn migration_part<T: DeserializeOwned>(
        &self,
        id: &MigrationId,
        part: &str,
        which: &Part,
    ) -> Result<Wire<T>, Refusal> {
        self.ask(&format!("migrations/{id}/{part}"), &which.parameters()).await
    }
}

/// One segment of a path, whatever a person typed.
fn segment(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
    let one = |byte: u8| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::client::target::Target;

    #[test]
    fn what_a_person_typed_stays_one_segment() {
        let target = Target::new("http://h", None).unwrap();
        for (typed, path) in [
            ("usr_1", "usr_1"),
            ("a.b@example.com", "a%2Eb%40example%2Ecom"),
            ("../../fixes?x=1#y", "%2E%2E%2F%2E%2E%2Ffixes%3Fx%3D1%23y"),
            ("ü%2f", "%C3%BC%252f"),
        ] {
            let url = target.at(&format!("migrations/mig-1/users/{}", segment(typed)));
            assert_eq!(url.as_str(), format!("http://h/api/stella/migrations/mig-1/users/{path}"));
        }
    }

    #[test]
    fn a_part_says_how_much_and_from_where() {
        let part = Part { after: None, limit: 50 };
        assert_eq!(part.parameters(), [("limit", "50".to_owned())]);
        let part = Part { after: Some("7".to_owned()), ..part };
        assert_eq!(part.parameters(), [("limit", "50".to_owned()), ("after", "7".to_owned())]);
    }
}
