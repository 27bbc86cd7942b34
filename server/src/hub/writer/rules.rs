//! What people and the configuration file want of rules, each as a transaction of its own.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use stella_protocol::{Problem, Role, Rule, RuleChange, Text};

use super::Writer;
use super::answer::{Deed, Keyed, No, Reply};
use crate::hub::draft::{Author, Change};
use crate::hub::{Answer, HubError, json, object_of, problem, refusal};
use crate::rules::{RuleBook, RuleFile, give};
use crate::store::{AuditEntry, Commit, Meta, NewEvent, StoreError, Verdict, Write};
use crate::toml_source;
use crate::words::clip;

/// Most of what was changed that an audit row says, in bytes on the wire.
const DETAIL: usize = 1024;

/// What can be asked for.
pub(in crate::hub) enum RuleJob {
    /// These are the rules of the file.
    Load { file: Box<RuleFile>, reply: SyncSender<Result<(), HubError>> },
    /// The file cannot be used, and why.
    Wrong { problems: Vec<toml_source::Problem>, reply: SyncSender<Result<(), HubError>> },
    /// Somebody changes one.
    Change { keyed: Keyed, id: String, version: u64, change: Box<RuleChange>, reply: Reply<Rule> },
}

impl Writer {
    /// Does one job.
    pub(super) fn rule(&mut self, job: RuleJob) {
        match job {
            RuleJob::Load { file, reply } => {
                let _gone = reply.send(self.load_rules(*file));
            }
            RuleJob::Wrong { problems, reply } => {
                let mut board = self.shared.board_mut();
                board.rules = Arc::new(board.rules.with_problems(&problems));
                drop(board);
                let _gone = reply.send(Ok(()));
            }
            RuleJob::Change { keyed, id, version, change, reply } => {
                let _gone = reply.send(self.change_rule(&keyed, &id, version, &change));
            }
        }
    }

    fn load_rules(&mut self, file: RuleFile) -> Result<(), HubError> {
        let before = Arc::clone(&self.shared.board().rules);
        let (book, news) = before.with_file(file);
        let author = Author::system();
        let row = |rule: &Rule| {
            let versions = (rule.version.saturating_sub(1), rule.version);
            author.audit("load-rule", &object_of(rule.id.raw()), versions, Verdict::Done)
        };
        let audit = news.iter().map(row).collect();
        let change = self.set(&before, book, news, audit)?;
        match self.keep_with(change, None, None) {
            Ok(()) => Ok(()),
            Err(Commit::Conflict(_) | Commit::Duplicate(_) | Commit::Unavailable | Commit::Committed { .. }) => {
                Err(HubError::Unavailable)
            }
        }
    }

    fn change_rule(
        &mut self,
        keyed: &Keyed,
        id: &str,
        version: u64,
        ask: &RuleChange,
    ) -> Result<Answer<Rule>, Problem> {
        let verb = if ask.reset { "reset-rule" } else { "change-rule" };
        let deed = Deed::new(verb, &object_of(id), Role::Admin, &json(&(version, ask)));
        self.answer(keyed, &deed, |writer, making| {
            let before = Arc::clone(&writer.shared.board().rules);
            let refused = |why: crate::rules::NotChanged| No::Said(problem(why.code, why.why));
            let mut now = before.rule(id).map_err(refused)?;
            if now.version != version {
                let at = now.version;
                return Err(No::Noted(Box::new(refusal::stale_rule(&now)), Verdict::Conflict, at));
            }
            let (book, told) = before.changed(id, ask, &keyed.by.name, writer.clock.now()).map_err(refused)?;
            let book = Arc::new(book);
            let Some(told) = told else {
                give(std::slice::from_mut(&mut now), &*writer.shared.scores.of(&before, &*writer.store)?);
                return Ok(now);
            };
            let mut row = making.author.audit(verb, id, (version, told.version), Verdict::Done);
            row.detail = clip(&Text::new(json(ask)), DETAIL);
            let mut news = vec![told];
            *making.change = writer.set_scored(&before, &book, &mut news, vec![row])?;
            news.pop().ok_or_else(|| No::Said(refusal::unavailable()))
        })
    }

    /// The change that puts one book in the place of another.
    fn set(
        &self,
        before: &RuleBook,
        book: RuleBook,
        mut news: Vec<Rule>,
        audit: Vec<AuditEntry>,
    ) -> Result<Change, StoreError> {
        self.set_scored(before, &Arc::new(book), &mut news, audit)
    }

    /// The same; `news` get their scores.
    fn set_scored(
        &self,
        before: &RuleBook,
        book: &Arc<RuleBook>,
        news: &mut [Rule],
        audit: Vec<AuditEntry>,
    ) -> Result<Change, StoreError> {
        if !news.is_empty() {
            give(news, &*self.shared.scores.of(book, &*self.store)?);
        }
        let told = news.iter().map(|rule| NewEvent { kind: "rule", body: json(rule) }).collect();
        let is_new = before.kept() != book.kept();
        let writes = is_new.then(|| Write::Meta(Meta::Rules, json(book.kept()))).into_iter().collect();
        Ok(Change { rules: Some(Arc::clone(book)), audit, writes, told, ..Change::default() })
    }
}
