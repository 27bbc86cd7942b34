//! What people decided: of questions, and of ids without a user. It outlives a look at the data.
//!
//! A refusal is an answer here, not an error. What is decided takes effect with the next plan.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stella_protocol::migration::{Decided, Decision, DecisionRequest, Orphan, OrphanChoice, OrphanDecision};
use stella_protocol::{Code, Text, Timestamp};

use super::{Ledger, LedgerError, Stop, from_json, json};
use crate::migrate::Refusal;
use crate::toml_source::shown;

/// Longest reason that is kept, in bytes.
const REASON_BYTES: usize = 2000;

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decide {
    /// It is kept.
    Answered {
        /// What was decided, in words.
        what: Text,
        /// Questions that are open now.
        open: u64,
    },
    /// It was not taken.
    Refused(Refusal),
}

/// All that people decided: what a plan takes in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answers {
    /// By the id of the decision.
    pub questions: BTreeMap<String, Decided>,
    /// By the id without a user. One that `map`s and that nobody approved is not acted upon.
    pub orphans: BTreeMap<String, OrphanDecision>,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Question,
    Orphan,
}

impl About {
    fn word(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Orphan => "orphan",
        }
    }
}

impl Ledger {
    /// Keeps one decision, or the choice for an id without a user; it survives a power loss.
    ///
    /// A question is answered once. An id without a user may get another choice as long as nothing but
    /// quarantine was chosen, and goes back to quarantine at any time; to `map` it two people say the same:
    /// the first maps, another one approves.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn decide(&self, by: &str, asked: &DecisionRequest, at: Timestamp) -> Result<Decide, LedgerError> {
        self.durably("keep the decision", |tx| {
            let said = match asked {
                DecisionRequest::Question { id, option, reason } => match reason_of(reason) {
                    Err(refusal) => Err(refusal),
                    Ok(reason) => {
                        let by = Text::new(by.to_owned());
                        answer_question(tx, id.raw(), &Decided { option: option.clone(), by, at, reason })?
                    }
                },
                DecisionRequest::Orphan { id, choice, user, reason } => match reason_of(reason) {
                    Err(refusal) => Err(refusal),
                    Ok(reason) => {
                        let user = user.clone().filter(|_| *choice == OrphanChoice::Map);
                        let by = Text::new(by.to_owned());
                        let new = OrphanDecision { choice: *choice, user, by, at, reason, approved_by: None };
                        choose(tx, id.raw(), &new)?
                    }
                },
            };
            Ok(match said {
                Ok(what) => Decide::Answered { what: Text::new(what), open: open(tx)? },
                Err(refusal) => Decide::Refused(refusal),
            })
        })
    }

    /// All that people decided, at once: there are as many as people made.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn answers(&self) -> Result<Answers, LedgerError> {
        self.read("read what was decided", |connection| {
            Ok(Answers { questions: all(connection, About::Question)?, orphans: all(connection, About::Orphan)? })
        })
    }

    /// Questions that nobody answered.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn open_decisions(&self) -> Result<u64, LedgerError> {
        self.read("count the open decisions", open)
    }
}

fn reason_of(reason: &Text) -> Result<Text, Refusal> {
    let text = reason.raw().trim();
    if text.is_empty() {
        return Err(Refusal::new(Code::BadParameter, "say why: the reason is kept with the decision"));
    }
    if text.len() > REASON_BYTES {
        return Err(Refusal::new(Code::TooLarge, format!("the reason has at most {REASON_BYTES} bytes")));
    }
    Ok(Text::new(text.to_owned()))
}

/// Ok(Err): refused.
type Said = Result<Result<String, Refusal>, Stop>;

#[expect(clippy::unnecessary_wraps, reason = "it ends functions that can also stop")]
fn refuse(code: Code, why: impl Into<String>) -> Said {
    Ok(Err(Refusal::new(code, why)))
}

fn answer_question(tx: &Transaction<'_>, id: &str, decided: &Decided) -> Said {
    let found: Option<String> =
        tx.prepare_cached("SELECT body FROM decisions WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()?;
    let Some(body) = found else { return refuse(Code::NotFound, "there is no such decision") };
    let decision: Decision = from_json(&body, "a decision")?;
    if let Some(before) = &decision.decided {
        if before.option == decided.option && before.by == decided.by {
            return Ok(Ok(format!("{id}: {}", before.option.raw())));
        }
        let (option, by) = (shown(before.option.raw()), shown(before.by.raw()));
        return refuse(Code::VersionConflict, format!("{by} decided it already: {option}"));
    }
    if !decision.options.iter().any(|one| one.name == decided.option) {
        let names: Vec<String> = decision.options.iter().map(|one| shown(one.name.raw())).collect();
        return refuse(Code::NotDecided, format!("the options are {}", names.join(", ")));
    }
    put(tx, About::Question, id, decided)?;
    let body = json(&Decision { decided: Some(decided.clone()), ..decision }, "a decision")?;
    tx.prepare_cached("UPDATE decisions SET open = 0, body = ?2 WHERE id = ?1")?.execute([id, &body])?;
    Ok(Ok(format!("{id}: {}", decided.option.raw())))
}

fn choose(tx: &Transaction<'_>, id: &str, new: &OrphanDecision) -> Said {
    if !tx.prepare_cached("SELECT 1 FROM orphans WHERE id = ?1")?.exists([id])? {
        return refuse(Code::NotFound, "no id without a user is called so");
    }
    let before: Option<OrphanDecision> = answer(tx, About::Orphan, id)?;
    let before = before.filter(|before| before.choice != OrphanChoice::Quarantine);
    match (&before, new.choice) {
        (_, OrphanChoice::Unknown) => refuse(Code::BadParameter, "there is no such choice"),
        (_, OrphanChoice::Quarantine) => chosen(tx, id, new, "stays in quarantine"),
        (None, OrphanChoice::Map) => map(tx, id, new),
        (None, OrphanChoice::Placeholder) => chosen(tx, id, new, "gets a user document that nobody can sign in to"),
        (None, OrphanChoice::Archive) => chosen(tx, id, new, "stays, and what it owns is marked as archived"),
        (Some(before), OrphanChoice::Map) if before.choice == OrphanChoice::Map && before.approved_by.is_none() => {
            approve(tx, id, before, new)
        }
        (Some(before), _) if is_repeated(before, new) => Ok(Ok(format!("{id} is as it was decided"))),
        (Some(before), _) => {
            let by = shown(before.by.raw());
            refuse(Code::VersionConflict, format!("{by} decided it already: put it back into quarantine first"))
        }
    }
}

/// The same person says again what holds already.
fn is_repeated(before: &OrphanDecision, new: &OrphanDecision) -> bool {
    let who = before.approved_by.as_ref().unwrap_or(&before.by);
    (before.choice, &before.user, who) == (new.choice, &new.user, &new.by)
}

fn chosen(tx: &Transaction<'_>, id: &str, new: &OrphanDecision, words: &str) -> Said {
    put(tx, About::Orphan, id, new)?;
    Ok(Ok(format!("{id} {words}")))
}

fn map(tx: &Transaction<'_>, id: &str, new: &OrphanDecision) -> Said {
    let Some(user) = new.user.as_ref().map(Text::raw) else {
        return refuse(Code::BadParameter, "say whose they are: `user`");
    };
    let known = tx.prepare_cached("SELECT 1 FROM mapping WHERE old = ?1 OR new = ?1 LIMIT 1")?.exists([user])?;
    if !known {
        return refuse(Code::BadParameter, "no user has the id that it is to be mapped to");
    }
    put(tx, About::Orphan, id, new)?;
    Ok(Ok(format!("{id} is {user}'s, when somebody else approves")))
}

fn approve(tx: &Transaction<'_>, id: &str, before: &OrphanDecision, new: &OrphanDecision) -> Said {
    let user = before.user.as_ref().map_or("", Text::raw);
    if before.by == new.by {
        return refuse(Code::OwnProposal, "whoever maps an id does not approve it: somebody else has to");
    }
    if new.user.as_ref().map(Text::raw) != Some(user) {
        let (by, user) = (shown(before.by.raw()), shown(user));
        return refuse(Code::VersionConflict, format!("{by} maps it to {user}: approve that, or put it back first"));
    }
    put(tx, About::Orphan, id, &OrphanDecision { approved_by: Some(new.by.clone()), ..before.clone() })?;
    Ok(Ok(format!("{id} is {user}'s: approved")))
}

/// An orphan with what was decided of it.
pub(super) fn with_choice(connection: &Connection, orphan: Orphan) -> Result<Orphan, Stop> {
    let decision = answer(connection, About::Orphan, orphan.id.raw())?;
    Ok(Orphan { decision, ..orphan })
}

pub(super) fn answer<T: DeserializeOwned>(
    connection: &Connection,
    about: About,
    what: &str,
) -> Result<Option<T>, Stop> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM answers WHERE about = ?1 AND what = ?2")?
        .query_row([about.word(), what], |row| row.get(0))
        .optional()?;
    body.map(|body| from_json(&body, "an answer")).transpose()
}

fn all<T: DeserializeOwned>(connection: &Connection, about: About) -> Result<BTreeMap<String, T>, Stop> {
    let mut statement = connection.prepare_cached("SELECT what, body FROM answers WHERE about = ?1")?;
    let mut rows = statement.query([about.word()])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let body: String = row.get(1)?;
        found.insert(row.get(0)?, from_json(&body, "an answer")?);
    }
    Ok(found)
}

fn put(tx: &Transaction<'_>, about: About, what: &str, body: &impl Serialize) -> Result<(), Stop> {
    tx.prepare_cached(
        "INSERT INTO answers (about, what, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (about, what) DO UPDATE SET body = excluded.body",
    )?
    .execute([about.word(), what, &json(body, "an answer")?])?;
    Ok(())
}

/// Keeps an answer that came with the data, when nobody gave one yet.
pub(super) fn keep_first(tx: &Transaction<'_>, about: About, what: &str, body: &impl Serialize) -> Result<(), Stop> {
    tx.prepare_cached("INSERT OR IGNORE INTO answers (about, what, body) VALUES (?1, ?2, ?3)")?.execute([
        about.word(),
        what,
        &json(body, "an answer")?,
    ])?;
    Ok(())
}

pub(super) fn open(connection: &Connection) -> Result<u64, Stop> {
    let open: i64 =
        connection.prepare_cached("SELECT count(*) FROM decisions WHERE open = 1")?.query_row([], |row| row.get(0))?;
    Ok(open as u64)
}
