//! What can be asked of the hub about rules: read from the file, changed, looked at with their scores.
//!
//! How a rule is set is [`crate::rules`]; who may change one, and that it is kept and told, is the writer's.

use std::sync::{Arc, mpsc};

use stella_protocol::{Principal, Problem, Rule, RuleChange};
use tokio::sync::oneshot;

use super::writer::{Job, Keyed, RuleJob};
use super::{Answer, Hub, HubError, refusal};
use crate::rules::{RuleBook, RuleFile, give};
use crate::store::{AlertRecord, StoreError};
use crate::toml_source;

impl Hub {
    /// All rules as they are set now.
    pub fn rules(&self) -> Arc<RuleBook> {
        Arc::clone(&self.shared.board().rules)
    }

    /// Takes the rules of a file over: what people changed wins over it. Blocks; on return they are durable, and
    /// told where they differ from what was told last.
    ///
    /// # Errors
    /// When the store does not answer: the rules are as they were.
    pub fn load_rules(&self, file: RuleFile) -> Result<(), HubError> {
        self.rule_job(|reply| RuleJob::Load { file: Box::new(file), reply })
    }

    /// Says what is wrong with the file, so that the last good one still holds. Blocks.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn rules_are_wrong(&self, problems: Vec<toml_source::Problem>) -> Result<(), HubError> {
        self.rule_job(|reply| RuleJob::Wrong { problems, reply })
    }

    fn rule_job(&self, job: impl FnOnce(mpsc::SyncSender<Result<(), HubError>>) -> RuleJob) -> Result<(), HubError> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.queue.send(Job::Rule(job(reply))).map_err(|_| HubError::Stopped)?;
        answer.recv().unwrap_or(Err(HubError::Stopped))
    }

    /// Changes a rule on a version that somebody saw, once for each key.
    ///
    /// # Errors
    /// What stands in the way; a conflict with the rule as it is.
    pub async fn change_rule(
        &self,
        by: &Principal,
        key: &str,
        id: &str,
        version: u64,
        change: RuleChange,
    ) -> Result<Answer<Rule>, Problem> {
        let (keyed, id, change) = (Keyed::new(by, key), id.to_owned(), Box::new(change));
        let (reply, answer) = oneshot::channel();
        self.send(Job::Rule(RuleJob::Change { keyed, id, version, change, reply }))?;
        answer.await.unwrap_or_else(|_| Err(refusal::stopped()))
    }

    /// The rules of a book with what their alerts were worth, some seconds ago at most. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scored(&self, book: &Arc<RuleBook>) -> Result<Vec<Rule>, StoreError> {
        let mut rules = book.rules();
        give(&mut rules, &*self.shared.scores.of(book, &*self.store)?);
        Ok(rules)
    }

    /// The kept alerts of some fingerprints in short, oldest first. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alert_records_of(&self, fingerprints: &[&str]) -> Result<Vec<AlertRecord>, StoreError> {
        self.store.alert_records_of(fingerprints)
    }
}
