//! The single next step of a migration, in words with its numbers.
//!
//! From the kept state alone: no time and no progress, which move without a step. How much a way back would put
//! back, and how long that takes, is for whoever has the ledger.

use stella_protocol::migration::{Next, PhaseName, PlanSummary};
use stella_protocol::{MigrationStatus, MigrationVerb};

use super::super::MigrationState;
use super::slow;
use super::turn::own_phase;
use super::words::{count, line, span};

/// What comes next.
pub(super) fn of(state: &MigrationState) -> Next {
    let (verb, words) = check(state).unwrap_or_else(|| match &state.migration.plan {
        Some(plan) => planned(state, plan),
        None => unplanned(state),
    });
    Next { verb, words: line(&words) }
}

type Said = (Option<MigrationVerb>, String);

fn wait(words: impl Into<String>) -> Said {
    (None, words.into())
}

fn does(verb: MigrationVerb, words: impl AsRef<str>) -> Said {
    (Some(verb), format!("{}: {}", verb.word(), words.as_ref()))
}

/// What was asked for, or is asked to end.
fn check(state: &MigrationState) -> Option<Said> {
    let (migration, work) = (&state.migration, &state.work);
    if let Some(stop) = &work.stop {
        return Some(wait(format!("ends after the writes in flight: {}", stop.why.raw())));
    }
    let phase = work.wanted.filter(|phase| own_phase(migration.status) != Some(*phase))?;
    let batches = migration.plan.as_ref().map_or(0, |plan| plan.batches);
    Some(match phase {
        PhaseName::Rehearse => wait(format!("{} computed, nothing is written", are(batches, "batch"))),
        PhaseName::Verify => wait("every document is looked at, nothing is written"),
        other => wait(format!("{} is under way", other.word())),
    })
}

fn unplanned(state: &MigrationState) -> Said {
    match state.migration.status {
        MigrationStatus::PlanFailed => does(MigrationVerb::Retry, "looks at the data again; nothing was changed"),
        MigrationStatus::NeedsDecision => questions(state),
        MigrationStatus::Draft => wait("the data is looked at; nothing is written"),
        MigrationStatus::Cancelled => wait("nothing: it was called off"),
        _ => wait("nothing"),
    }
}

fn questions(state: &MigrationState) -> Said {
    let open = count(state.migration.open_decisions, "question");
    wait(format!("answer {open} of who is who; then the data is looked at again"))
}

fn planned(state: &MigrationState, plan: &PlanSummary) -> Said {
    let migration = &state.migration;
    match migration.status {
        MigrationStatus::Planned => does(MigrationVerb::Rehearse, rehearsal(plan)),
        MigrationStatus::Rehearsed => does(MigrationVerb::Approve, approval(plan)),
        MigrationStatus::Approved => does(MigrationVerb::Start, start(state, plan)),
        MigrationStatus::BackingUp => {
            wait(format!("{} copied away and read back; nothing is changed", are(writes(plan), "document")))
        }
        MigrationStatus::BackupFailed => {
            let documents = count(writes(plan), "document");
            does(MigrationVerb::Retry, format!("copies {documents} away again; nothing was changed"))
        }
        MigrationStatus::BackedUp => {
            wait(format!("{} migrated first and looked at", are(migration.limits.canary.into(), "user")))
        }
        MigrationStatus::Copying => {
            wait(format!("{} written; then every document is looked at", are(plan.batches, "batch")))
        }
        MigrationStatus::Paused | MigrationStatus::Halted => resume(state),
        MigrationStatus::Verifying => wait("every document is looked at; nothing is written"),
        MigrationStatus::Verified => verified(state, plan),
        MigrationStatus::CuttingOver if state.work.wanted.is_none() => {
            does(MigrationVerb::Retry, "goes on with the cut-over where the store refused")
        }
        MigrationStatus::CuttingOver => wait(cut(plan)),
        MigrationStatus::Soaking => {
            let span = span(migration.limits.soak_ms);
            wait(format!(
                "complete when nobody used an old id for {span}; {} so far",
                count(migration.old_id_uses, "use")
            ))
        }
        MigrationStatus::RollingBack => wait("what was written is put back, last first"),
        MigrationStatus::RollbackFailed => {
            does(MigrationVerb::Rollback, "goes on with the way back; or close it with a statement of what you did")
        }
        MigrationStatus::Completed => wait("nothing: it is complete"),
        MigrationStatus::RolledBack => wait("nothing: it was rolled back"),
        MigrationStatus::ClosedManually => wait("nothing: a person said how it ended"),
        MigrationStatus::NeedsDecision
        | MigrationStatus::PlanFailed
        | MigrationStatus::Draft
        | MigrationStatus::Cancelled
        | MigrationStatus::Unknown => unplanned(state),
    }
}

fn writes(plan: &PlanSummary) -> u64 {
    plan.changes.saturating_add(plan.moves)
}

/// `1 batch is`, `all 31 batches are`.
fn are(number: u64, word: &str) -> String {
    if number == 1 { format!("1 {word} is") } else { format!("all {} are", some(number, word)) }
}

/// `1 batch`, `31 batches`, `2 users`.
fn some(number: u64, word: &str) -> String {
    let plural = if word.ends_with("ch") || word.ends_with('s') { format!("{word}e") } else { word.to_owned() };
    if number == 1 { count(number, word) } else { count(number, &plural) }
}

fn rehearsal(plan: &PlanSummary) -> String {
    if plan.batches == 1 {
        return "computes its 1 batch, writes nothing".to_owned();
    }
    format!("computes all {}, writes nothing", some(plan.batches, "batch"))
}

fn approval(plan: &PlanSummary) -> String {
    let (documents, users) = (count(writes(plan), "document"), count(plan.users, "user"));
    let parked = if plan.clashes == 0 { String::new() } else { format!(", leaves {} alone", plan.clashes) };
    format!("says yes to {documents} of {users}{parked}")
}

fn start(state: &MigrationState, plan: &PlanSummary) -> String {
    let (documents, batches) = (count(writes(plan), "document"), some(plan.batches, "batch"));
    let users = count(state.migration.limits.canary.into(), "user");
    format!("copies {documents} away, migrates {users} first, then writes {batches}")
}

fn cut(plan: &PlanSummary) -> String {
    let aliases = plan.aliases.unwrap_or(plan.old_ids);
    format!("{}, then {}", count(aliases, "alias document"), count(plan.moves, "tombstone"))
}

fn resume(state: &MigrationState) -> Said {
    let (counts, goes) = (&state.migration.counts, state.work.interrupted.unwrap_or(MigrationStatus::Copying));
    let rest = count(counts.planned.saturating_sub(counts.settled()), "document");
    let words = match goes {
        MigrationStatus::BackedUp => {
            let users = count(state.migration.limits.canary.into(), "user");
            format!("migrates {users} again and looks at them")
        }
        MigrationStatus::Verifying => match &state.migration.verification {
            Some(found) if found.differences > 0 => {
                let found = count(found.differences, "difference");
                format!("looks at every document again; put the {found} right first, or roll back")
            }
            _ => slow::words(state).map_or_else(
                || "looks at every document".to_owned(),
                |slow| format!("looks at every document, and lets it be that {slow}"),
            ),
        },
        MigrationStatus::CuttingOver => "goes on with the cut-over".to_owned(),
        _ => format!("writes the {rest} that are left"),
    };
    does(MigrationVerb::Resume, words)
}

fn verified(state: &MigrationState, plan: &PlanSummary) -> Said {
    match &state.migration.verification {
        Some(found) if found.differences > 0 => {
            let found = count(found.differences, "difference");
            does(
                MigrationVerb::Verify,
                format!("looks at every document again; put the {found} right first, or roll back"),
            )
        }
        _ => does(MigrationVerb::Cutover, format!("writes {}", cut(plan))),
    }
}
