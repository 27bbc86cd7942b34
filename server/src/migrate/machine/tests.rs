//! Rows of the table, one by one, where more than "taken or not" matters.

use stella_protocol::migration::{Counts, DualRead, PhaseName, PhaseState};
use stella_protocol::{Code, MigrationStatus, MigrationVerb, Role, Text};

use super::super::{Decision, Effect, Event, MigrationState, Stop};
use super::sample::{DIGEST, HOUR, SOAK, Tale, at, bad, counts, decision, found, opened, plan};
use super::{LEASE_MS, is_due, step};

fn row(state: &MigrationState, name: PhaseName) -> PhaseState {
    state.migration.phases.iter().find(|row| row.name == name).unwrap().state
}

fn refused(tale: &Tale, said: Decision) -> Code {
    tale.tries(&Event::Decided(said)).map(|step| step.effects).unwrap_err().code
}

fn next(tale: &Tale) -> (Option<MigrationVerb>, &str) {
    (tale.state.migration.next.verb, tale.state.migration.next.words.raw())
}

fn fails(tale: &mut Tale, phase: PhaseName) {
    let event = bad(&tale.state, phase);
    tale.tell(&event);
}

#[test]
fn row_1_a_new_one_is_a_draft_of_its_maker_that_waits_for_its_scan() {
    let state = opened();
    let migration = &state.migration;
    assert_eq!((migration.status, migration.version), (MigrationStatus::Draft, 1));
    assert_eq!((migration.leader.raw(), migration.limits.canary, migration.plan.is_none()), ("op1", 2, true));
    assert_eq!((state.work.wanted, migration.phases.len()), (Some(PhaseName::Scan), 0));
    assert_eq!(migration.next.words.raw(), "the data is looked at; nothing is written");
}

#[test]
fn row_2_a_scan_ends_planned_or_with_questions_or_failed() {
    let planned = Tale::at(MigrationStatus::Planned);
    assert_eq!(planned.state.migration.counts, counts(0));
    assert_eq!(next(&planned), (Some(MigrationVerb::Rehearse), "rehearse: computes all 31 batches, writes nothing"));
    let mut asks = Tale::at(MigrationStatus::Draft);
    asks.tell(&Event::Scanned { fence: 1, found: Ok((plan(DIGEST, 0), 1)) });
    assert_eq!((asks.status(), asks.state.migration.open_decisions), (MigrationStatus::NeedsDecision, 1));
    assert_eq!(next(&asks), (None, "answer 1 question of who is who; then the data is looked at again"));
    let mut failed = Tale::at(MigrationStatus::Draft);
    fails(&mut failed, PhaseName::Scan);
    assert_eq!(
        (failed.status(), row(&failed.state, PhaseName::Scan)),
        (MigrationStatus::PlanFailed, PhaseState::Failed)
    );
    assert_eq!(next(&failed).0, Some(MigrationVerb::Retry));
}

#[test]
fn row_3_the_last_answer_looks_at_the_data_again_and_an_earlier_one_does_not() {
    let mut tale = Tale::at(MigrationStatus::Draft);
    tale.tell(&Event::Scanned { fence: 1, found: Ok((plan(DIGEST, 0), 2)) });
    let answer = |open| Event::Answered { by: "op2".into(), what: "dec-1: one person".into(), open };
    tale.tell(&answer(1));
    assert_eq!((tale.status(), tale.state.work.wanted), (MigrationStatus::NeedsDecision, None));
    tale.tell(&answer(0));
    assert_eq!((tale.status(), tale.state.work.wanted), (MigrationStatus::Draft, Some(PhaseName::Scan)));
    assert_eq!(tale.state.migration.trail.last().unwrap().by.raw(), "op2");
}

#[test]
fn an_answer_while_the_data_is_looked_at_begins_the_look_anew_and_voids_an_approval() {
    let mut draft = Tale::at(MigrationStatus::Draft);
    draft.tell(&Event::Answered { by: "op2".into(), what: "orphan".into(), open: 0 });
    let late = Event::Scanned { fence: 1, found: Ok((plan(DIGEST, 0), 0)) };
    assert_eq!(draft.tries(&late).map(|step| step.effects).unwrap_err().code, Code::VersionConflict);
    let mut approved = Tale::at(MigrationStatus::Approved);
    approved.tell(&Event::Answered { by: "op2".into(), what: "orphan".into(), open: 0 });
    assert_eq!((approved.status(), approved.state.migration.approval.is_none()), (MigrationStatus::Draft, true));
}

#[test]
fn row_4_a_rehearsal_writes_no_counts_and_a_failed_one_is_planned_still() {
    let tale = Tale::at(MigrationStatus::Rehearsed);
    assert_eq!(tale.state.migration.counts, counts(0));
    assert_eq!(next(&tale), (Some(MigrationVerb::Approve), "approve: says yes to 400 documents of 38 users"));
    let mut failed = Tale::at(MigrationStatus::Planned);
    failed.says(MigrationVerb::Rehearse);
    assert_eq!(failed.state.migration.under_way, Some(PhaseName::Rehearse));
    assert_eq!(next(&failed), (None, "all 31 batches are computed, nothing is written"));
    failed.claim();
    fails(&mut failed, PhaseName::Rehearse);
    assert_eq!((failed.status(), failed.state.migration.under_way), (MigrationStatus::Planned, None));
    failed.says(MigrationVerb::Retry);
    assert_eq!(failed.state.work.wanted, Some(PhaseName::Rehearse));
}

#[test]
fn row_5_a_source_that_drifted_and_a_plan_older_than_a_day_are_looked_at_again() {
    for status in [MigrationStatus::Planned, MigrationStatus::Rehearsed, MigrationStatus::Approved] {
        let mut tale = Tale::at(status);
        tale.tell(&Event::Drifted("9 of 5000 documents".into()));
        assert_eq!((tale.status(), tale.state.migration.approval.is_none()), (MigrationStatus::Draft, true));
        let mut old = Tale::at(status);
        let scanned = old.state.migration.plan.as_ref().unwrap().scanned_at.millis();
        assert!(!is_due(&old.state, at(scanned + 24 * HOUR)) && is_due(&old.state, at(scanned + 24 * HOUR + 1)));
        old.wait(24 * HOUR).tell(&Event::Tick);
        assert_eq!(old.status(), MigrationStatus::Draft);
        old.claim().does(PhaseName::Scan);
        let names: Vec<PhaseName> = old.state.migration.phases.iter().map(|row| row.name).collect();
        assert_eq!(names, [PhaseName::Scan], "a rehearsal of another plan is none of this");
    }
}

#[test]
fn row_6_whoever_made_it_may_approve_and_only_the_plan_that_they_saw() {
    let tale = Tale::at(MigrationStatus::Rehearsed);
    let yes = decision(MigrationVerb::Approve);
    for other in [Some("d2".into()), None] {
        assert_eq!(refused(&tale, Decision { plan_digest: other, ..yes.clone() }), Code::PlanChanged);
    }
    let mut creator = tale.clone();
    creator.tell(&Event::Decided(Decision { by: "op1".into(), ..yes.clone() }));
    let approval = creator.state.migration.approval.clone().unwrap();
    assert_eq!(
        (creator.status(), approval.by.raw(), approval.plan_digest.raw()),
        (MigrationStatus::Approved, "op1", DIGEST)
    );
    let mut old = tale;
    old.wait(25 * HOUR);
    assert_eq!(refused(&old, yes), Code::PlanChanged);
}

#[test]
fn row_7_a_start_needs_readers_of_both_ids_a_plan_of_today_and_the_approved_one() {
    let mut tale = Tale::at(MigrationStatus::Approved);
    let start = decision(MigrationVerb::Start);
    let nothing = DualRead::Statement { who: "op2".into(), text: "  ".into() };
    for said in [None, Some(nothing)] {
        assert_eq!(refused(&tale, Decision { dual_read: said, ..start.clone() }), Code::DualReadMissing);
    }
    assert_eq!(refused(&tale, Decision { plan_digest: Some("d2".into()), ..start.clone() }), Code::PlanChanged);
    let mut forged = tale.clone();
    forged.state.migration.approval.as_mut().unwrap().plan_digest = "d2".into();
    assert_eq!(refused(&forged, start.clone()), Code::PlanChanged);
    let mut old = tale.clone();
    old.wait(25 * HOUR);
    assert_eq!(refused(&old, start), Code::PlanChanged);
    tale.says(MigrationVerb::Start);
    assert_eq!((tale.status(), tale.state.work.wanted), (MigrationStatus::BackingUp, Some(PhaseName::Backup)));
    tale.state.migration.approval = None;
    let claim = Event::Claimed { holder: "r1".into(), until: at(tale.now + 30_000), fence: 9 };
    assert_eq!(tale.tries(&claim).map(|step| step.effects).unwrap_err().code, Code::PlanChanged);
}

#[test]
fn row_8_a_backup_that_failed_has_changed_nothing_and_is_tried_again() {
    let mut tale = Tale::at(MigrationStatus::BackingUp);
    fails(&mut tale, PhaseName::Backup);
    assert_eq!((tale.status(), tale.state.migration.backup.is_none()), (MigrationStatus::BackupFailed, true));
    tale.says(MigrationVerb::Retry);
    tale.claim().does(PhaseName::Backup);
    assert_eq!((tale.status(), tale.state.work.wanted), (MigrationStatus::BackedUp, Some(PhaseName::Canary)));
    assert_eq!(row(&tale.state, PhaseName::Backup), PhaseState::Done);
}

#[test]
fn rows_9_and_14_a_canary_that_differs_halts_and_resume_is_the_canary_again() {
    let mut tale = Tale::at(MigrationStatus::BackedUp);
    fails(&mut tale, PhaseName::Canary);
    assert_eq!((tale.status(), row(&tale.state, PhaseName::Canary)), (MigrationStatus::Halted, PhaseState::Failed));
    assert_eq!(next(&tale), (Some(MigrationVerb::Resume), "resume: migrates 2 users again and looks at them"));
    tale.says(MigrationVerb::Resume);
    assert_eq!((tale.status(), tale.state.work.wanted), (MigrationStatus::BackedUp, Some(PhaseName::Canary)));
    tale.claim().does(PhaseName::Canary);
    assert_eq!(tale.status(), MigrationStatus::Copying);
}

#[test]
fn rows_10_and_11_a_batch_moves_the_counts_and_never_the_version() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    let version = tale.state.migration.version;
    let raced = Counts { parked: 1, conflicts: 7, ..counts(40) };
    assert_eq!(tale.counted(raced).effects, [Effect::Renewed]);
    assert_eq!(tale.counted(raced).effects, []);
    assert_eq!(tale.counted(counts(20)).effects, [], "an older count than the kept one is none");
    assert_eq!((tale.state.migration.counts, tale.state.migration.version), (raced, version));
}

#[test]
fn row_12_a_pause_waits_for_the_batches_in_flight_and_a_hold_is_seen_once() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    let hold = |tale: &mut Tale, why: Option<&'static str>| {
        let event = Event::Checkpoint { fence: tale.state.work.fence, counts: counts(40), hold: why.map(Text::from) };
        tale.tell(&event).effects
    };
    assert_eq!(hold(&mut tale, Some("latency 240 ms")), [Effect::Changed("hold")]);
    assert_eq!(hold(&mut tale, Some("latency 250 ms")), [Effect::Renewed]);
    assert_eq!(hold(&mut tale, None), [Effect::Changed("unhold")]);
    tale.says(MigrationVerb::Rate);
    assert_eq!(tale.state.migration.limits.rate, Some(50));
    tale.tell(&Event::Decided(Decision { rate: Some(0), ..decision(MigrationVerb::Rate) }));
    assert_eq!(tale.state.migration.limits.rate, None);
    assert_eq!(refused(&tale, Decision { rate: None, ..decision(MigrationVerb::Rate) }), Code::BadBody);
    tale.says(MigrationVerb::Pause);
    assert_eq!(
        (tale.status(), next(&tale).1),
        (MigrationStatus::Copying, "ends after the writes in flight: paused by op2: because")
    );
    tale.stopped(80);
    assert_eq!((tale.status(), tale.state.work.holder.is_none()), (MigrationStatus::Paused, true));
    assert_eq!(row(&tale.state, PhaseName::Copy), PhaseState::Stopped);
    assert_eq!(next(&tale), (Some(MigrationVerb::Resume), "resume: writes the 320 documents that are left"));
}

#[test]
fn a_pause_is_taken_back_while_nothing_has_stopped_and_acts_at_once_where_nobody_writes() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    tale.says(MigrationVerb::Pause);
    tale.says(MigrationVerb::Resume);
    let stopped = Event::Stopped { fence: tale.state.work.fence, counts: counts(1) };
    assert_eq!(tale.tries(&stopped).map(|step| step.effects).unwrap_err().code, Code::IllegalTransition);
    tale.says(MigrationVerb::Pause);
    tale.stopped(10);
    tale.says(MigrationVerb::Resume);
    tale.says(MigrationVerb::Pause);
    assert_eq!(tale.status(), MigrationStatus::Paused);
}

#[test]
fn row_13_more_than_one_refused_of_a_thousand_or_100_parked_halts_after_the_batches_in_flight() {
    let planned = Counts { planned: 10_000, ..Counts::default() };
    let within = [Counts { failed: 10, ..planned }, Counts { parked: 100, ..planned }];
    let beyond = [Counts { failed: 11, ..planned }, Counts { parked: 101, ..planned }];
    for (within, beyond) in within.into_iter().zip(beyond) {
        let mut tale = Tale::at(MigrationStatus::Copying);
        tale.counted(within);
        assert_eq!(tale.state.work.stop, None);
        assert_eq!(tale.counted(beyond).effects, [Effect::Changed("guard")]);
        assert_eq!(tale.status(), MigrationStatus::Copying, "batches are in flight");
        tale.tell(&Event::Stopped { fence: tale.state.work.fence, counts: beyond });
        assert_eq!((tale.status(), tale.state.migration.counts), (MigrationStatus::Halted, beyond));
        tale.says(MigrationVerb::Resume);
        tale.claim().counted(Counts { done: 1, ..beyond });
        assert_eq!(tale.state.work.stop, None, "what a person looked at does not halt it again");
        let last = Counts { failed: beyond.failed * 3, parked: beyond.parked * 3, ..planned };
        tale.tell(&Event::Copied { fence: tale.state.work.fence, counts: Counts { done: 1, ..last } });
        assert_eq!(
            (tale.status(), tale.state.work.interrupted),
            (MigrationStatus::Halted, Some(MigrationStatus::Verifying))
        );
    }
}

#[test]
fn rows_13_and_14_a_stop_halts_and_resume_goes_on_in_the_phase_that_stopped() {
    for status in
        [MigrationStatus::BackedUp, MigrationStatus::Copying, MigrationStatus::Verifying, MigrationStatus::CuttingOver]
    {
        let mut tale = Tale::at(status);
        let wanted = tale.state.work.wanted.unwrap();
        let responder = Decision { role: Role::Responder, ..decision(MigrationVerb::Stop) };
        tale.tell(&Event::Decided(responder));
        tale.stopped(0);
        assert_eq!((tale.status(), row(&tale.state, wanted)), (MigrationStatus::Halted, PhaseState::Stopped));
        tale.says(MigrationVerb::Resume);
        assert_eq!((tale.status(), tale.state.work.wanted), (status, Some(wanted)));
        let phases = tale.claim().state.migration.phases.len();
        tale.does(wanted);
        let rows = tale.state.migration.phases.iter().filter(|row| row.name == wanted).count();
        assert_eq!((rows, row(&tale.state, wanted)), (1, PhaseState::Done));
        assert!(tale.state.migration.phases.len() <= phases + 1);
    }
}

#[test]
fn rows_15_and_16_what_was_copied_is_verified_and_any_difference_halts_with_its_place() {
    let mut tale = Tale::at(MigrationStatus::Verifying);
    assert_eq!(tale.state.migration.counts, counts(400));
    fails(&mut tale, PhaseName::Verify);
    assert_eq!((tale.status(), row(&tale.state, PhaseName::Verify)), (MigrationStatus::Halted, PhaseState::Failed));
    assert!(tale.state.migration.result.raw().contains("3 differences, the first at conversations/c1"));
    tale.says(MigrationVerb::Resume);
    tale.claim().does(PhaseName::Verify);
    assert_eq!(tale.status(), MigrationStatus::Verified);
    assert_eq!(next(&tale), (Some(MigrationVerb::Cutover), "cutover: writes 43 alias documents, then 100 tombstones"));
}

#[test]
fn row_17_a_cut_over_needs_the_last_check_to_be_equal_and_is_tried_again_when_the_store_refuses() {
    let mut tale = Tale::at(MigrationStatus::Verified);
    assert_eq!(refused(&tale, Decision { plan_digest: None, ..decision(MigrationVerb::Cutover) }), Code::PlanChanged);
    tale.says(MigrationVerb::Verify);
    assert_eq!(refused(&tale, decision(MigrationVerb::Cutover)), Code::IllegalTransition);
    tale.claim();
    fails(&mut tale, PhaseName::Verify);
    assert_eq!((tale.status(), next(&tale).0), (MigrationStatus::Verified, Some(MigrationVerb::Verify)));
    assert_eq!(refused(&tale, decision(MigrationVerb::Cutover)), Code::IllegalTransition);
    tale.says(MigrationVerb::Verify);
    tale.claim().does(PhaseName::Verify);
    tale.says(MigrationVerb::Cutover);
    tale.claim();
    fails(&mut tale, PhaseName::CutOver);
    assert_eq!((tale.status(), next(&tale).0), (MigrationStatus::CuttingOver, Some(MigrationVerb::Retry)));
    tale.says(MigrationVerb::Retry);
    tale.claim().does(PhaseName::CutOver);
    assert_eq!((tale.status(), row(&tale.state, PhaseName::Soak)), (MigrationStatus::Soaking, PhaseState::Running));
}

#[test]
fn workarounds_must_be_stated_to_be_gone_before_a_cut_over_and_who_said_it_is_kept() {
    let mut tale = Tale::at(MigrationStatus::Verified);
    let silent = Decision { text: Text::default(), ..decision(MigrationVerb::Cutover) };
    assert!(step(&tale.state, &Event::Decided(silent.clone()), at(tale.now)).is_ok(), "where there is none");
    tale.state.migration.plan.as_mut().unwrap().workarounds = vec![Text::from("query by googleUserId: chats.ts")];
    let blank = Decision { text: Text::from("  "), ..silent.clone() };
    assert_eq!([silent, blank].map(|said| refused(&tale, said)), [Code::IllegalTransition; 2]);
    let said = Decision { text: Text::from("removed in v12"), ..decision(MigrationVerb::Cutover) };
    tale.state = step(&tale.state, &Event::Decided(said), at(tale.now)).unwrap().state;
    assert_eq!(tale.status(), MigrationStatus::CuttingOver);
    let kept = tale.state.migration.trail.last().unwrap();
    assert!(kept.what.raw().contains("removed in v12") && !kept.by.is_empty(), "{kept:?}");
}

#[test]
fn row_18_it_is_complete_when_nobody_used_an_old_id_for_the_whole_soak() {
    let mut tale = Tale::at(MigrationStatus::Soaking);
    tale.wait(SOAK - 2000);
    let used = Event::OldIdUsed { times: 1, at: at(tale.now) };
    assert_eq!(tale.tell(&used).effects, [Effect::Changed("old-id-used")]);
    let more = |tale: &Tale, times| Event::OldIdUsed { times, at: at(tale.now + HOUR) };
    let quiet = step(
        &tale.state,
        &Event::OldIdUsed { times: 1, at: tale.state.migration.last_old_id_use.unwrap() },
        at(tale.now),
    );
    assert_eq!(quiet.unwrap().effects, [Effect::Changed("old-id-used")], "their number doubled");
    tale.tell(&more(&tale, 2));
    assert_eq!(tale.state.migration.last_old_id_use, Some(at(tale.now)), "no use is in the future");
    assert_eq!(tale.state.migration.old_id_uses, 3);
    tale.wait(SOAK - 2000);
    assert_eq!(tale.tell(&Event::Tick).effects, []);
    tale.tell(&Event::Tick);
    assert_eq!((tale.status(), row(&tale.state, PhaseName::Soak)), (MigrationStatus::Completed, PhaseState::Done));
    assert_eq!(tale.state.migration.ended_at, Some(at(tale.now)));
}

#[test]
fn row_19_a_rollback_lets_what_writes_stop_first_and_needs_the_plan() {
    for status in [MigrationStatus::Copying, MigrationStatus::Verifying, MigrationStatus::CuttingOver] {
        let mut tale = Tale::at(status);
        let nobody = Decision { plan_digest: None, ..decision(MigrationVerb::Rollback) };
        assert_eq!(refused(&tale, nobody), Code::PlanChanged);
        tale.says(MigrationVerb::Rollback);
        assert_eq!(tale.status(), status);
        tale.stopped(40);
        assert_eq!(
            (tale.status(), row(&tale.state, PhaseName::RollBack)),
            (MigrationStatus::RollingBack, PhaseState::Running)
        );
    }
    for status in [MigrationStatus::Verified, MigrationStatus::Soaking] {
        let mut tale = Tale::at(status);
        tale.says(MigrationVerb::Verify);
        tale.claim().says(MigrationVerb::Rollback);
        assert_eq!((tale.status(), tale.state.work.holder.is_none()), (MigrationStatus::RollingBack, true));
        tale.claim().does(PhaseName::RollBack);
        assert_eq!(tale.status(), MigrationStatus::RolledBack);
    }
}

#[test]
fn a_rollback_is_not_forgotten_when_the_phase_ends_before_it_stops() {
    for (status, well) in [
        (MigrationStatus::Copying, true),
        (MigrationStatus::Copying, false),
        (MigrationStatus::Verifying, true),
        (MigrationStatus::Verifying, false),
        (MigrationStatus::CuttingOver, true),
        (MigrationStatus::CuttingOver, false),
    ] {
        let mut tale = Tale::at(status);
        let phase = tale.state.work.wanted.unwrap();
        tale.says(MigrationVerb::Rollback);
        if well {
            drop(tale.does(phase));
        } else {
            fails(&mut tale, phase);
        }
        assert_eq!(tale.status(), MigrationStatus::RollingBack, "{status:?}, {well}");
    }
}

#[test]
fn row_20_a_way_back_that_failed_is_gone_again_or_closed_with_a_statement() {
    let mut tale = Tale::at(MigrationStatus::Verified);
    tale.says(MigrationVerb::Rollback);
    tale.claim();
    fails(&mut tale, PhaseName::RollBack);
    assert_eq!((tale.status(), next(&tale).0), (MigrationStatus::RollbackFailed, Some(MigrationVerb::Rollback)));
    assert_eq!(refused(&tale, Decision { text: " ".into(), ..decision(MigrationVerb::Close) }), Code::BadBody);
    let mut closed = tale.clone();
    closed.says(MigrationVerb::Close);
    assert_eq!((closed.status(), closed.state.migration.ended_at.is_some()), (MigrationStatus::ClosedManually, true));
    tale.says(MigrationVerb::Rollback);
    let end = Event::RolledBack { fence: tale.claim().state.work.fence, done: Ok((470, 3)) };
    tale.tell(&end);
    assert!(tale.state.migration.result.raw().contains("470 documents put back, 3 kept"));
}

#[test]
fn row_21_what_wrote_nothing_is_called_off_and_a_canary_that_wrote_is_halted_instead() {
    let mut clean = Tale::at(MigrationStatus::BackedUp);
    clean.says(MigrationVerb::Cancel);
    assert_eq!(clean.status(), MigrationStatus::BackedUp, "batches may be in flight");
    clean.stopped(0);
    assert_eq!(clean.status(), MigrationStatus::Cancelled);
    let mut wrote = Tale::at(MigrationStatus::BackedUp);
    wrote.says(MigrationVerb::Cancel);
    wrote.stopped(4);
    assert_eq!(wrote.status(), MigrationStatus::Halted);
    assert!(wrote.state.migration.result.raw().contains("4 documents: roll it back"));
    let mut copies = Tale::at(MigrationStatus::BackingUp);
    let fence = copies.state.work.fence;
    copies.says(MigrationVerb::Cancel);
    let late = Event::Renewed { fence, until: at(copies.now + 1000) };
    assert_eq!((copies.status(), copies.tries(&late).is_err()), (MigrationStatus::Cancelled, true));
}

#[test]
fn row_22_whoever_takes_over_goes_on_in_the_same_phase_and_the_one_before_is_fenced() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    let fence = tale.state.work.fence;
    tale.tell(&Event::Renewed { fence, until: at(tale.now + HOUR) });
    assert_eq!(tale.state.work.lease_until, Some(at(tale.now + LEASE_MS)), "a lease is capped");
    let claim = |tale: &Tale, fence| Event::Claimed { holder: "r2".into(), until: at(tale.now + 20_000), fence };
    assert_eq!(tale.tries(&claim(&tale, fence + 1)).map(|step| step.effects).unwrap_err().code, Code::TargetBusy);
    tale.wait(LEASE_MS);
    assert_eq!(tale.tries(&claim(&tale, fence)).map(|step| step.effects).unwrap_err().code, Code::VersionConflict);
    tale.claim();
    assert_eq!((tale.status(), row(&tale.state, PhaseName::Copy)), (MigrationStatus::Copying, PhaseState::Running));
    let late = Event::Copied { fence, counts: counts(400) };
    assert_eq!(tale.tries(&late).map(|step| step.effects).unwrap_err().code, Code::VersionConflict);
    tale.does(PhaseName::Copy);
    assert_eq!(tale.does(PhaseName::Copy).effects, [], "the end of a phase is told twice after a crash");
}

#[test]
fn row_23_a_check_keeps_the_status_whatever_it_finds_and_may_be_stopped() {
    for status in
        [MigrationStatus::Planned, MigrationStatus::Approved, MigrationStatus::Verified, MigrationStatus::Soaking]
    {
        for differences in [0, 3] {
            let mut tale = Tale::at(status);
            tale.says(MigrationVerb::Verify);
            assert_eq!((tale.status(), tale.state.migration.under_way), (status, Some(PhaseName::Verify)));
            let mut stopped = tale.claim().clone();
            stopped.says(MigrationVerb::Stop);
            assert_eq!((stopped.status(), stopped.state.work.wanted), (status, None));
            tale.tell(&Event::Verified { fence: tale.state.work.fence, found: found(differences) });
            let kept = tale.state.migration.verification.as_ref().unwrap().differences;
            assert_eq!((tale.status(), kept, tale.state.work.holder.is_none()), (status, differences, true));
        }
    }
}

#[test]
fn a_check_beside_a_halt_leaves_why_it_halted() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    tale.broke("the store is full");
    tale.says(MigrationVerb::Verify);
    tale.claim().counted(counts(0));
    assert_eq!(tale.state.migration.hold_reason, Some("the store is full".into()));
    tale.broke("the store is away");
    assert_eq!((tale.status(), tale.state.migration.result.raw()), (MigrationStatus::Halted, "the store is full"));
}

#[test]
fn row_24_somebody_else_leads_by_being_named_or_by_taking_it() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    assert_eq!(refused(&tale, Decision { to: None, ..decision(MigrationVerb::HandOver) }), Code::BadBody);
    tale.says(MigrationVerb::HandOver);
    assert_eq!(tale.state.migration.leader.raw(), "op3");
    tale.says(MigrationVerb::TakeOver);
    assert_eq!((tale.state.migration.leader.raw(), tale.status()), ("op2", MigrationStatus::Copying));
    assert_eq!(tale.says(MigrationVerb::TakeOver).effects, []);
}

#[test]
fn a_stop_outweighs_a_pause_and_a_way_back_outweighs_both() {
    let mut tale = Tale::at(MigrationStatus::Copying);
    tale.says(MigrationVerb::Pause);
    tale.says(MigrationVerb::Stop);
    assert_eq!(refused(&tale, decision(MigrationVerb::Pause)), Code::IllegalTransition);
    tale.says(MigrationVerb::Rollback);
    assert_eq!(refused(&tale, decision(MigrationVerb::Stop)), Code::IllegalTransition);
    let stop = tale.state.work.stop.clone();
    assert!(matches!(stop, Some(Stop { becomes: MigrationStatus::RollingBack, .. })));
}
