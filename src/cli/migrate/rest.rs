//! When a migration goes on by itself and when it does not, and what that means to whoever waits for an
//! exit code. Pure.

use stella_protocol::migration::{PhaseName, PhaseState};
use stella_protocol::{Migration, MigrationStatus};

/// A person has to say who is who: what waits is not wrong, and not done.
const QUESTIONS: u8 = 4;

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// To its end.
    Onward,
    /// Back to where it began.
    Back,
}

/// True when it does not go on before somebody says so, or at all. A pause is none: whoever paused it
/// lets it go on. A soak is: it lasts days.
pub(super) fn is_at_rest(migration: &Migration) -> bool {
    if migration.under_way.is_some() {
        return false;
    }
    match migration.status {
        MigrationStatus::Draft
        | MigrationStatus::BackingUp
        | MigrationStatus::BackedUp
        | MigrationStatus::Copying
        | MigrationStatus::Paused
        | MigrationStatus::Verifying
        | MigrationStatus::RollingBack
        | MigrationStatus::Unknown => false,
        // Where the store refused, it waits for a person.
        MigrationStatus::CuttingOver => migration.next.verb.is_some(),
        MigrationStatus::NeedsDecision
        | MigrationStatus::PlanFailed
        | MigrationStatus::Planned
        | MigrationStatus::Rehearsed
        | MigrationStatus::Approved
        | MigrationStatus::BackupFailed
        | MigrationStatus::Halted
        | MigrationStatus::Verified
        | MigrationStatus::Soaking
        | MigrationStatus::Completed
        | MigrationStatus::RolledBack
        | MigrationStatus::RollbackFailed
        | MigrationStatus::Cancelled
        | MigrationStatus::ClosedManually => true,
    }
}

/// How it came to rest, as an exit code.
pub(super) fn code(migration: &Migration, course: Course) -> u8 {
    match migration.status {
        MigrationStatus::NeedsDecision => QUESTIONS,
        MigrationStatus::PlanFailed
        | MigrationStatus::BackupFailed
        | MigrationStatus::CuttingOver
        | MigrationStatus::Halted
        | MigrationStatus::RollbackFailed
        | MigrationStatus::Cancelled
        | MigrationStatus::ClosedManually => 1,
        MigrationStatus::RolledBack => u8::from(course == Course::Onward),
        _ => u8::from(last_look_failed(migration)),
    }
}

/// A rehearsal or a check that changes no state has its result in its phase.
fn last_look_failed(migration: &Migration) -> bool {
    let last = migration.phases.iter().max_by_key(|phase| phase.started_at);
    last.is_some_and(|phase| {
        let differs = migration.verification.as_ref().is_some_and(|found| found.differences > 0);
        phase.state == PhaseState::Failed || (phase.name == PhaseName::Verify && differs)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::migration;
    use super::*;

    #[test]
    fn what_only_a_person_moves_is_not_waited_for() {
        let moving = MigrationStatus::ALL.into_iter().filter(|status| {
            let at = migration(&json!({"status": status.word()}));
            !is_at_rest(&at)
        });
        let moving: Vec<&str> = moving.map(MigrationStatus::word).collect();
        let wanted =
            ["draft", "backing_up", "backed_up", "copying", "paused", "verifying", "cutting_over", "rolling_back"];
        assert_eq!(moving, wanted);
        assert!(!is_at_rest(&migration(&json!({"status": "planned", "underWay": "rehearse"}))));
        let refused = json!({"status": "cutting_over", "next": {"verb": "retry", "words": "retry: again"}});
        assert!(is_at_rest(&migration(&refused)));
    }

    #[test]
    fn a_code_says_whether_it_came_where_it_was_to_come() {
        let at = "2026-01-01T00:00:00Z";
        let phase = |name: &str, state: &str| json!([{"name": name, "state": state, "startedAt": at}]);
        let found = json!({"at": at, "documents": 9, "checks": [], "differences": 1, "changedSince": 0, "first": [],
                           "notChecked": []});
        for (change, course, wanted) in [
            (json!({"status": "planned"}), Course::Onward, 0),
            (json!({"status": "needs_decision"}), Course::Onward, 4),
            (json!({"status": "halted"}), Course::Onward, 1),
            (json!({"status": "rolled_back"}), Course::Onward, 1),
            (json!({"status": "rolled_back"}), Course::Back, 0),
            (json!({"status": "planned", "phases": phase("rehearse", "failed")}), Course::Onward, 1),
            (json!({"status": "soaking", "phases": phase("verify", "done")}), Course::Onward, 0),
            (json!({"status": "soaking", "phases": phase("verify", "done"), "verification": found}), Course::Onward, 1),
        ] {
            assert_eq!(code(&migration(&change), course), wanted, "{change}");
        }
    }
}
