//! Fixes, as the server's routes have them: one function a route, the body as it came beside what was
//! read from it.
//!
//! A change carries one key however often it is tried, and where the route wants it the version that
//! was seen. Nothing here decides, and nothing here is shown.

use reqwest::Method;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use stella_protocol::fix::{
    DefinitionPage, Fix, FixPage, FixRequest, FixReview, FixVerb, Maintenance, MaintenanceRequest, OutputPage,
    Proposal, Remedy, Suppression, SwitchRequest,
};
use stella_protocol::{Alert, AlertId, FixId, Timestamp};

use super::{Change, Client};
use crate::effect::{Refusal, RequestId};

/// An answer: as it came, with what this reader does not know, and as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Wire<T> {
    /// The body.
    pub body: Value,
    /// What it says.
    pub read: T,
}

impl<T> Wire<T> {
    /// What it says, for a reply.
    pub(super) fn boxed(self) -> Box<T> {
        Box::new(self.read)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Wire<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = Value::deserialize(deserializer)?;
        let read = T::deserialize(&body).map_err(D::Error::custom)?;
        Ok(Self { body, read })
    }
}

/// Which fixes; everything empty: all, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FixAsk {
    /// In one of these states, by their words.
    pub status: Vec<&'static str>,
    /// For this alert.
    pub alert: Option<AlertId>,
    /// Behind this page.
    pub after: Option<String>,
    /// At most this many.
    pub limit: u32,
}

/// A list that is whole.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Listed<T> {
    /// All there are.
    pub items: Vec<T>,
}

/// The part of a snapshot that fixes need.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Surrounding {
    /// The server's clock.
    pub server_time: Timestamp,
    /// Open alerts, and those closed in the last hour.
    pub alerts: Vec<Alert>,
}

impl Client {
    /// A page of fixes, newest first.
    ///
    /// # Errors
    /// In the server's words, or those of the network; so do all of these.
    pub async fn fix_page(&self, ask: &FixAsk) -> Result<Wire<FixPage>, Refusal> {
        let mut parameters = vec![("limit", ask.limit.to_string())];
        if !ask.status.is_empty() {
            parameters.push(("status", ask.status.join(",")));
        }
        parameters.extend(ask.alert.as_ref().map(|alert| ("alert", alert.to_string())));
        parameters.extend(ask.after.clone().map(|after| ("after", after)));
        self.ask("fixes", &parameters).await
    }

    /// One fix, and what a decision on it needs besides.
    pub async fn fix_review(&self, id: &FixId) -> Result<Wire<FixReview>, Refusal> {
        self.ask(&format!("fixes/{id}"), &[]).await
    }

    /// Lines of a fix behind line `after`; of one step (from 0), or of all.
    pub async fn fix_output(&self, id: &FixId, step: Option<u32>, after: u64) -> Result<Wire<OutputPage>, Refusal> {
        let mut parameters = vec![("after", after.to_string())];
        parameters.extend(step.map(|step| ("step", step.to_string())));
        self.ask(&format!("fixes/{id}/output"), &parameters).await
    }

    /// What can be proposed.
    pub async fn fix_definitions(&self) -> Result<Wire<DefinitionPage>, Refusal> {
        self.ask("fix-definitions", &[]).await
    }

    /// What is not proposed any more.
    pub async fn suppressions(&self) -> Result<Wire<Listed<Suppression>>, Refusal> {
        self.ask("suppressions", &[]).await
    }

    /// The windows that are not over, in which nothing starts.
    pub async fn maintenance(&self) -> Result<Wire<Listed<Maintenance>>, Refusal> {
        self.ask("maintenance", &[]).await
    }

    /// The server's clock, and the alerts that it shows.
    pub async fn surrounding(&self) -> Result<Surrounding, Refusal> {
        self.ask("snapshot", &[]).await
    }

    /// Proposes a fix.
    pub async fn propose_fix(&self, id: RequestId, proposal: &Proposal) -> Result<Wire<Fix>, Refusal> {
        let change = Change { id, method: Method::POST, path: "fixes".to_owned(), version: None };
        self.change(change, Some(proposal)).await
    }

    /// A verb on the fix that was seen at `version`.
    pub async fn decide_fix(
        &self,
        id: RequestId,
        fix: &FixId,
        version: u64,
        verb: FixVerb,
        request: &FixRequest,
    ) -> Result<Wire<Fix>, Refusal> {
        let path = format!("fixes/{fix}/{}", verb.word());
        let change = Change { id, method: Method::POST, path, version: Some(version) };
        self.change(change, Some(request)).await
    }

    /// Switches all fixes off, or on again.
    pub async fn switch_fixes(&self, id: RequestId, request: &SwitchRequest) -> Result<Wire<Remedy>, Refusal> {
        let change = Change { id, method: Method::PUT, path: "fixes/switch".to_owned(), version: None };
        self.change(change, Some(request)).await
    }

    /// Lets a definition be proposed again where it was rolled back. `suppression` is an id from the server.
    pub async fn lift_suppression(&self, id: RequestId, suppression: &str) -> Result<Wire<Remedy>, Refusal> {
        let path = format!("suppressions/{suppression}");
        let change = Change { id, method: Method::DELETE, path, version: None };
        self.change(change, None::<&()>).await
    }

    /// Lets no fix start for a time.
    pub async fn put_maintenance(
        &self,
        id: RequestId,
        request: &MaintenanceRequest,
    ) -> Result<Wire<Maintenance>, Refusal> {
        let change = Change { id, method: Method::POST, path: "maintenance".to_owned(), version: None };
        self.change(change, Some(request)).await
    }

    /// Ends a window before its time. `window` is an id from the server.
    pub async fn end_maintenance(&self, id: RequestId, window: &str) -> Result<Wire<Remedy>, Refusal> {
        let change = Change { id, method: Method::DELETE, path: format!("maintenance/{window}"), version: None };
        self.change(change, None::<&()>).await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::client::target::Target;

    /// Reads a request's head, up to the empty line.
    async fn head(stream: &mut tokio::net::TcpStream) -> String {
        let mut read = Vec::new();
        while !read.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece).await.unwrap();
            assert_ne!(count, 0, "it ended early");
            read.extend_from_slice(&piece[..count]);
        }
        String::from_utf8_lossy(&read).to_lowercase()
    }

    fn header(head: &str, name: &str) -> String {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| unreachable!("no {name} in {head}")).to_owned()
    }

    #[tokio::test]
    async fn a_change_that_was_not_answered_is_sent_again_under_the_same_key_and_version() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = Target::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
        let client = Client::new(target).unwrap();
        let server = tokio::spawn(async move {
            let (mut first, _) = listener.accept().await.unwrap();
            let cut = head(&mut first).await;
            drop(first);
            let (mut second, _) = listener.accept().await.unwrap();
            let again = head(&mut second).await;
            let body = r#"{"type":"","code":"own_proposal","title":"no","retry":"never"}"#;
            let answer = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            second.write_all(answer.as_bytes()).await.unwrap();
            [cut, again]
        });
        let fix = "fx-7".parse().unwrap();
        let answer = client.decide_fix(RequestId(1), &fix, 9, FixVerb::Stop, &FixRequest::default()).await;
        assert!(matches!(answer, Err(Refusal::Problem(_))), "{answer:?}");
        let heads = server.await.unwrap();
        assert!(heads[0].starts_with("post /api/stella/fixes/fx-7/stop "), "{}", heads[0]);
        assert_eq!(heads.clone().map(|head| header(&head, "if-match")), ["\"9\"", "\"9\""]);
        assert_eq!(header(&heads[0], "idempotency-key"), header(&heads[1], "idempotency-key"));
    }
}
