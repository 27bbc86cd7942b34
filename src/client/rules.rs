//! Rules, marks and deploys, as the server's routes have them: one function a route, the body as it came
//! beside what was read from it.
//!
//! Nothing here decides, and nothing here is shown.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;
use stella_protocol::deploy::{Deploy, DeployPage, DeployRequest};
use stella_protocol::rule::{MarkPage, Rule, RuleChange, RulePage, RulePreview};

use super::fixes::Wire;
use super::{Change, Client};
use crate::effect::{Refusal, RequestId};

/// How long a preview may take: the server reads every kept line, which of a busy week takes minutes.
const LOOK: Duration = Duration::from_mins(5);

impl Client {
    /// All rules, and what is wrong with their file.
    ///
    /// # Errors
    /// In the server's words, or those of the network; so do all of these.
    pub async fn rules(&self) -> Result<Wire<RulePage>, Refusal> {
        self.ask("rules", &[]).await
    }

    /// What a change of a rule would have made of the kept lines; changes nothing.
    pub async fn rule_preview(&self, rule: &str, change: &RuleChange) -> Result<Wire<RulePreview>, Refusal> {
        let path = format!("rules/{}/preview", segment(rule));
        let request = || self.request(&self.api, Method::POST, &path).timeout(LOOK).json(change);
        let answer = self.persist(request).await;
        answer.map_err(Refusal::from)
    }

    /// Changes the rule that was seen at `version`.
    pub async fn change_rule(
        &self,
        id: RequestId,
        rule: &str,
        version: u64,
        change: &RuleChange,
    ) -> Result<Wire<Rule>, Refusal> {
        let path = format!("rules/{}", segment(rule));
        self.change(Change { id, method: Method::PUT, path, version: Some(version) }, Some(change)).await
    }

    /// What was called false.
    pub async fn marks(&self) -> Result<Wire<MarkPage>, Refusal> {
        self.ask("marks", &[]).await
    }

    /// Takes a mark back.
    pub async fn undo_mark(&self, id: RequestId, fingerprint: &str) -> Result<Value, Refusal> {
        let path = format!("marks/{}", segment(fingerprint));
        self.change(Change { id, method: Method::DELETE, path, version: None }, None::<&()>).await
    }

    /// The deploys that are kept, newest first.
    pub async fn deploys(&self) -> Result<Wire<DeployPage>, Refusal> {
        self.ask("deploys", &[]).await
    }

    /// Tells of a deploy. It wants no version: the same service and revision again changes nothing.
    pub async fn add_deploy(&self, id: RequestId, deploy: &DeployRequest) -> Result<Wire<Deploy>, Refusal> {
        let change = Change { id, method: Method::POST, path: "deploys".to_owned(), version: None };
        self.change(change, Some(deploy)).await
    }
}

/// Text from outside as one part of a path.
fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_place_in_the_path() {
        let hostile = segment("slow|op=a/../../b?x#y%2f é");
        assert_eq!(hostile, "slow%7Cop%3Da%2F%2E%2E%2F%2E%2E%2Fb%3Fx%23y%252f%20%C3%A9");
    }
}
