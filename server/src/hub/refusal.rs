//! Refusals in words for people: what stands against it, and what to do next.

use stella_protocol::{
    Alert, AlertId, Code, Current, Fix, Migration, Outcome, Problem, Rule, Status, TargetResult, Text, Timestamp, Verb,
};

use crate::alerts::{AlertState, Refusal, SYSTEM};
use crate::problem::{problem, titled};

/// What was asked of an alert.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// A verb.
    Verb(Verb),
    /// To take back what was done at `at`.
    Undo {
        /// Server time of the action.
        at: Timestamp,
    },
}

impl Wanted {
    /// The word in an audit row.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verb(verb) => verb.word(),
            Self::Undo { .. } => "undo",
        }
    }
}

/// The writer has ended.
pub(super) fn stopped() -> Problem {
    problem(Code::Unavailable, "the server is ending")
}

/// The store did not answer.
pub(super) fn unavailable() -> Problem {
    problem(Code::StoreUnavailable, "whether it was done is not known: ask again with the same key")
}

/// What stands against a change of a fix, with the fix that it is about.
pub(super) fn fix_refused(why: &crate::remedy::Refusal, current: Option<&Fix>) -> Problem {
    let current = current.map(|fix| Current::Fix(Box::new(fix.clone())));
    Problem { current, ..problem(why.code, &why.why) }
}

/// Somebody changed the rule since it was read.
pub(super) fn stale_rule(rule: &Rule) -> Problem {
    let by = rule.changed_by.as_ref().map_or("the configuration file", Text::raw);
    let current = Some(Current::Rule(Box::new(rule.clone())));
    Problem { current, ..titled(Code::VersionConflict, "it has changed meanwhile", format!("{by} set it last")) }
}

/// Somebody changed the fix since it was read.
pub(super) fn stale_fix(fix: &Fix) -> Problem {
    let last = fix.trail.last().map(|last| format!(": {} {}", last.by.raw(), last.what.raw()));
    let detail = format!("it is {} now{}", fix.status.word(), last.unwrap_or_default());
    let current = Some(Current::Fix(Box::new(fix.clone())));
    Problem { current, ..titled(Code::VersionConflict, "it has changed meanwhile", detail) }
}

/// What stands against a change of a migration, with the migration that it is about.
pub(super) fn migration_refused(why: &crate::migrate::Refusal, current: Option<&Migration>) -> Problem {
    let current = current.map(|migration| Current::Migration(Box::new(migration.clone())));
    Problem { current, ..problem(why.code, &why.why) }
}

/// Somebody changed the migration since it was read.
pub(super) fn stale_migration(migration: &Migration) -> Problem {
    let last = migration.trail.last().map(|last| format!(": {} {}", last.by.raw(), last.what.raw()));
    let detail = format!("it is {} now{}", migration.status.word(), last.unwrap_or_default());
    let current = Some(Current::Migration(Box::new(migration.clone())));
    Problem { current, ..titled(Code::VersionConflict, "it has changed meanwhile", detail) }
}

/// Another migration has the store that this one would change.
pub(super) fn store_held(by: &Migration) -> Problem {
    let detail = format!("{} is {}: one migration at a time may change it", by.id, by.status.word());
    let current = Some(Current::Migration(Box::new(by.clone())));
    Problem { current, ..titled(Code::TargetBusy, "another migration has the store", detail) }
}

/// A target that is no alert.
pub(super) fn not_found(id: &AlertId) -> TargetResult {
    let problem = titled(Code::NotFound, "no alert has this id", "look at the list again");
    TargetResult { id: id.clone(), outcome: Outcome::NotFound, alert: None, problem: Some(Box::new(problem)) }
}

/// What the machine answered, with the alert as it is now.
pub(super) fn refused(state: &AlertState, wanted: Wanted, why: &Refusal) -> TargetResult {
    let alert = &state.alert;
    let (outcome, mut problem) = match why {
        Refusal::Stale => (Outcome::Conflict, stale(alert, wanted)),
        Refusal::AlreadyAcknowledged { by } => (Outcome::Conflict, taken(by, wanted)),
        Refusal::IllegalTransition => (Outcome::Refused, impossible(alert.status, wanted)),
        Refusal::AlreadyOpen(rival) => {
            let title = "another alert of the same kind is open";
            (Outcome::Refused, titled(Code::AlreadyOpen, title, format!("work on {rival}")))
        }
        Refusal::NotesFull => {
            (Outcome::Refused, titled(Code::TooLarge, "there is no room for another note", "notes take 24 KiB at most"))
        }
    };
    problem.current = Some(Current::Alert(Box::new(alert.clone())));
    TargetResult {
        id: alert.id.clone(),
        outcome,
        alert: Some(Box::new(alert.clone())),
        problem: Some(Box::new(problem)),
    }
}

fn taken(by: &Text, wanted: Wanted) -> Problem {
    let already = if matches!(wanted, Wanted::Verb(Verb::Acknowledge)) { " already" } else { "" };
    titled(Code::AlreadyAcknowledged, format!("{} has it{already}", by.raw()), "take over with a")
}

/// The table of the machine has no such row: one sentence for each that it lacks.
fn impossible(status: Status, wanted: Wanted) -> Problem {
    let (title, detail) = match (wanted, status) {
        (Wanted::Verb(Verb::Release), Status::New) => ("nobody has it, so there is nothing to release", ""),
        (Wanted::Verb(Verb::TakeOver), Status::New) => ("nobody has it, so there is nobody to take it over from", ""),
        (Wanted::Verb(Verb::Reopen), Status::New | Status::Acknowledged) => ("it is open already", ""),
        (_, Status::Resolved) => ("it is resolved already", "reopen it first"),
        (_, Status::FalsePositive) => ("it was called a false positive already", "reopen it first"),
        _ => ("that cannot be done to it as it is", ""),
    };
    titled(Code::IllegalTransition, title, detail)
}

fn stale(alert: &Alert, wanted: Wanted) -> Problem {
    match wanted {
        Wanted::Verb(_) => titled(Code::VersionConflict, "it has changed meanwhile", standing(alert).0),
        Wanted::Undo { at } => titled(Code::VersionConflict, "something came after that action", since(alert, at)),
    }
}

/// Who did what after `at`, as far as the alert itself says.
fn since(alert: &Alert, at: Timestamp) -> String {
    if let Some(note) = alert.notes.last().filter(|note| note.at > at) {
        return format!("{} wrote a note", note.by.raw());
    }
    match standing(alert) {
        (words, Some(when)) if when <= at => format!("it was changed since, and {words}"),
        (words, _) => words,
    }
}

/// How an alert stands, by whom, and since when.
fn standing(alert: &Alert) -> (String, Option<Timestamp>) {
    let name = |who: &Option<Text>| who.as_ref().map_or("somebody", Text::raw).to_owned();
    let closer = name(&alert.resolved_by);
    match alert.status {
        Status::Resolved if closer == SYSTEM => ("it ended by itself".to_owned(), alert.resolved_at),
        Status::Resolved => (format!("{closer} resolved it"), alert.resolved_at),
        Status::FalsePositive => (format!("{closer} called it a false positive"), alert.resolved_at),
        Status::Acknowledged => (format!("{} has it", name(&alert.acknowledged_by)), alert.acknowledged_at),
        Status::New | Status::Unknown => ("it is open and nobody has it".to_owned(), None),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::alerts::sample::alert;

    fn words(change: impl Fn(&mut Alert), wanted: Wanted, why: &Refusal) -> (String, String) {
        let mut state = alert("f", 1, 1000);
        change(&mut state.alert);
        let problem = refused(&state, wanted, why).problem.unwrap();
        (problem.title.raw().to_owned(), problem.detail.raw().to_owned())
    }

    fn said(title: &str, detail: &str) -> (String, String) {
        (title.to_owned(), detail.to_owned())
    }

    #[test]
    fn what_cannot_be_done_is_said_in_a_sentence_of_its_own() {
        let refused =
            |verb, status| words(|alert| alert.status = status, Wanted::Verb(verb), &Refusal::IllegalTransition);
        for (verb, status, title, detail) in [
            (Verb::Release, Status::New, "nobody has it, so there is nothing to release", ""),
            (Verb::TakeOver, Status::New, "nobody has it, so there is nobody to take it over from", ""),
            (Verb::Reopen, Status::Acknowledged, "it is open already", ""),
            (Verb::Resolve, Status::Resolved, "it is resolved already", "reopen it first"),
            (Verb::Note, Status::FalsePositive, "it was called a false positive already", "reopen it first"),
        ] {
            assert_eq!(refused(verb, status), said(title, detail));
        }
    }

    #[test]
    fn who_has_it_is_named_with_the_way_to_take_it() {
        let why = Refusal::AlreadyAcknowledged { by: Text::new("ben") };
        let refused = |verb| words(|_| {}, Wanted::Verb(verb), &why);
        assert_eq!(refused(Verb::Acknowledge), said("ben has it already", "take over with a"));
        assert_eq!(refused(Verb::Release), said("ben has it", "take over with a"));
    }

    #[test]
    fn an_undo_that_comes_too_late_is_told_who_did_what_since() {
        let (before, after) = (Timestamp::from_millis(5000), Timestamp::from_millis(6000));
        let came = |change: &dyn Fn(&mut Alert)| words(change, Wanted::Undo { at: before }, &Refusal::Stale).1;
        let resolved = |by: &'static str, at| {
            move |alert: &mut Alert| {
                (alert.status, alert.resolved_by, alert.resolved_at) =
                    (Status::Resolved, Some(Text::new(by)), Some(at));
            }
        };
        assert_eq!(came(&resolved("ben", after)), "ben resolved it");
        assert_eq!(came(&resolved(SYSTEM, after)), "it ended by itself");
        assert_eq!(came(&resolved("ana", before)), "it was changed since, and ana resolved it");
        assert_eq!(came(&|_| {}), "it is open and nobody has it");
        let noted = |alert: &mut Alert| {
            let note = stella_protocol::Note { at: after, by: Text::new("ben"), text: Text::new("look") };
            alert.notes.push(note);
        };
        assert_eq!(came(&noted), "ben wrote a note");
    }
}
