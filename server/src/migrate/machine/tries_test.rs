//! How long a phase took in all its tries, and whose wish a stop was.

use stella_protocol::migration::{Counts, Phase, PhaseName, PhaseState};
use stella_protocol::{MigrationStatus, MigrationVerb, Text};

use super::super::Event;
use super::LEASE_MS;
use super::sample::{Tale, at, counts};

fn row(tale: &Tale, name: PhaseName) -> &Phase {
    tale.state.migration.phases.iter().find(|row| row.name == name).unwrap()
}

/// By whom the last thing was, whose wish it was, and what it is to become.
fn told(tale: &Tale) -> (&str, Option<&str>, Option<MigrationStatus>) {
    let last = tale.state.migration.trail.last().unwrap();
    (last.by.raw(), last.asked_by.as_ref().map(Text::raw), tale.state.migration.stopping)
}

#[test]
fn a_phase_that_rested_keeps_the_time_of_its_earlier_tries_and_one_that_was_done_begins_anew() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    tale.wait(9_000).says(MigrationVerb::Pause);
    tale.stopped(40);
    let first = row(&tale, PhaseName::Copy).clone();
    let worked = first.worked_ms(at(tale.now));
    assert_eq!((first.state, first.tries, first.before_ms), (PhaseState::Stopped, 1, 0));
    assert!((9_000..20_000).contains(&worked), "{worked}");
    tale.wait(3_600_000).says(MigrationVerb::Resume);
    tale.claim();
    let second = row(&tale, PhaseName::Copy).clone();
    assert_eq!((second.tries, second.before_ms), (2, worked), "the pause is no work");
    tale.wait(5_000);
    assert_eq!(second.worked_ms(at(tale.now)), worked + 5_000);
    tale.does(PhaseName::Copy);
    assert_eq!(row(&tale, PhaseName::Copy).worked_ms(at(tale.now)), worked + 6_000);
    tale.does(PhaseName::Verify);
    tale.says(MigrationVerb::Verify);
    tale.claim();
    assert_eq!((row(&tale, PhaseName::Verify).tries, row(&tale, PhaseName::Verify).before_ms), (1, 0));
}

#[test]
fn the_time_after_its_runner_was_heard_of_last_is_no_work() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    let begun = row(&tale, PhaseName::Copy).started_at;
    tale.wait(60_000);
    let heard = tale.now + 1_000;
    tale.tell(&Event::Renewed { fence: tale.state.work.fence, until: at(heard + LEASE_MS) });
    tale.wait(3_600_000).claim();
    let row = row(&tale, PhaseName::Copy);
    assert_eq!((row.tries, row.before_ms), (2, at(heard).since(begun)));
}

#[test]
fn a_stop_says_what_it_becomes_and_afterwards_whose_wish_it_was() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    tale.says(MigrationVerb::Pause);
    assert_eq!(told(&tale), ("op2", None, Some(MigrationStatus::Paused)));
    tale.stopped(40);
    assert_eq!(told(&tale), ("system", Some("op2"), None));
    let mut tale = Tale::at(MigrationStatus::Copying);
    tale.counted(Counts { failed: 9, ..counts(40) });
    assert_eq!(told(&tale), ("system", None, Some(MigrationStatus::Halted)));
    tale.tell(&Event::Stopped { fence: tale.state.work.fence, counts: Counts { failed: 9, ..counts(40) } });
    assert_eq!(told(&tale), ("system", None, None), "a guard is nobody's wish");
}

#[test]
fn while_it_is_taken_back_nothing_says_that_it_was() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    tale.says(MigrationVerb::Rollback);
    assert_eq!(told(&tale), ("op2", None, Some(MigrationStatus::RollingBack)));
    tale.broke("the store is gone");
    assert_eq!((tale.status(), told(&tale).1), (MigrationStatus::RollingBack, Some("op2")));
    let asked = "rollback asked for by op2: because";
    for mut tale in [Tale::at(MigrationStatus::Copying), Tale::at(MigrationStatus::Verified)] {
        tale.says(MigrationVerb::Rollback);
        if tale.state.work.stop.is_some() {
            tale.stopped(40);
        }
        assert_eq!((tale.status(), tale.state.migration.result.raw()), (MigrationStatus::RollingBack, asked));
    }
}
