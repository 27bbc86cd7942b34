//! Random lives of a migration: what must hold in every one of them, against a tiny reference of who may let it
//! write that shares nothing with the machine.

use std::collections::BTreeMap;

use stella_protocol::migration::{Counts, DualRead, Phase, PhaseName, PhaseState};
use stella_protocol::{MigrationStatus, MigrationVerb, Role, Text};

use super::super::{Decision, Effect, Event, MigrationState, Step};
use super::sample::{HOUR, at, bad, counts, decision, found, good, opened, plan, queries};
use super::step;
use crate::chance::Chance;

const LIVES: u64 = 10_000;
const STEPS: usize = 70;
/// Of this test alone; printed with whatever fails.
const SEED: u64 = 0x57e1_1a43;

/// Who said yes to what, as the reference keeps it.
#[derive(Debug, Default)]
struct Reference {
    /// The digest of the last plan, and when it was made.
    plan: Option<(String, i64)>,
    rehearsed: bool,
    approved: bool,
}

impl Reference {
    /// Hears what was taken.
    fn hears(&mut self, event: &Event, before: MigrationStatus, now: i64) {
        match event {
            Event::Scanned { found: Ok((plan, _)), .. } if before == MigrationStatus::Draft => {
                *self =
                    Self { plan: Some((plan.digest.raw().to_owned(), plan.scanned_at.millis())), ..Self::default() };
            }
            Event::Rehearsed { found, .. }
                if matches!(before, MigrationStatus::Planned | MigrationStatus::Rehearsed) =>
            {
                self.rehearsed = found.is_ok();
            }
            Event::Decided(said) if said.verb == MigrationVerb::Approve && before == MigrationStatus::Rehearsed => {
                let plan = self.plan.as_ref().unwrap();
                let seen = said.plan_digest.as_ref().is_some_and(|seen| seen.raw() == plan.0);
                assert!(seen && self.rehearsed && said.role == Role::Admin && now - plan.1 <= 24 * HOUR, "{said:?}");
                self.approved = true;
            }
            Event::Decided(said) if said.verb == MigrationVerb::Start => {
                let plan = self.plan.as_ref().unwrap();
                let seen = said.plan_digest.as_ref().is_some_and(|seen| seen.raw() == plan.0);
                assert!(seen && said.dual_read.is_some() && now - plan.1 <= 24 * HOUR, "{said:?}");
            }
            Event::Answered { .. } | Event::Drifted(_) => self.approved = false,
            Event::Decided(said) if said.verb == MigrationVerb::Plan => self.approved = false,
            Event::Tick if before != MigrationStatus::Soaking => self.approved = false,
            _ => {}
        }
    }
}

fn is_writing(status: MigrationStatus) -> bool {
    matches!(
        status,
        MigrationStatus::BackingUp
            | MigrationStatus::BackedUp
            | MigrationStatus::Copying
            | MigrationStatus::CuttingOver
    )
}

fn fence_of(event: &Event) -> Option<u64> {
    match event {
        Event::Renewed { fence, .. }
        | Event::Released { fence }
        | Event::Scanned { fence, .. }
        | Event::Rehearsed { fence, .. }
        | Event::BackedUp { fence, .. }
        | Event::Canary { fence, .. }
        | Event::Asked { fence, .. }
        | Event::Checkpoint { fence, .. }
        | Event::Stopped { fence, .. }
        | Event::Broke { fence, .. }
        | Event::Copied { fence, .. }
        | Event::Verified { fence, .. }
        | Event::CutOver { fence, .. }
        | Event::RolledBack { fence, .. } => Some(*fence),
        _ => None,
    }
}

/// What must hold of any step that is taken.
fn holds(before: &MigrationState, event: &Event, taken: &Step, hint: &str) {
    let (was, is) = (&before.migration, &taken.state.migration);
    match taken.effects.as_slice() {
        [] => assert_eq!(taken.state, *before, "{hint}"),
        [Effect::Renewed] => assert_eq!((is.version, is.status), (was.version, was.status), "{hint}"),
        [Effect::Changed(_)] => assert_eq!(is.version, was.version + 1, "{hint}"),
        other => unreachable!("{hint}: {other:?}"),
    }
    if let Some(fence) = fence_of(event) {
        assert_eq!(fence, before.work.fence, "{hint}: fenced");
    }
    let claimed = matches!(event, Event::Claimed { .. });
    assert!(if claimed {
        taken.state.work.fence > before.work.fence
    } else {
        taken.state.work.fence == before.work.fence
    });
    let resting = [MigrationStatus::Halted, MigrationStatus::Paused, MigrationStatus::RollbackFailed];
    if resting.contains(&was.status) && is.status != was.status {
        assert!(matches!(event, Event::Decided(said) if said.role == Role::Admin), "{hint}: left by {event:?}");
    }
    if !matches!(event, Event::Scanned { .. }) {
        assert!(
            is.counts.done >= was.counts.done && is.counts.conflicts >= was.counts.conflicts,
            "{hint}: counts fell"
        );
    }
    if !was.status.is_unfinished() {
        assert!(taken.effects.is_empty(), "{hint}: it was over");
    }
}

/// What must hold of any state.
fn stands(state: &MigrationState, hint: &str) {
    let (migration, work) = (&state.migration, &state.work);
    assert_eq!(work.holder.is_some(), work.lease_until.is_some(), "{hint}");
    assert!(work.holder.is_none() || work.wanted.is_some(), "{hint}: held for nothing");
    assert!(work.stop.is_none() || work.holder.is_some(), "{hint}: nobody to stop");
    assert_eq!(migration.ended_at.is_some(), !migration.status.is_unfinished(), "{hint}");
    assert_eq!(
        work.interrupted.is_some(),
        matches!(migration.status, MigrationStatus::Halted | MigrationStatus::Paused),
        "{hint}"
    );
    let under_way = |row: &&Phase| row.state == PhaseState::Running && row.name != PhaseName::Soak;
    let running: Vec<PhaseName> = migration.phases.iter().filter(under_way).map(|row| row.name).collect();
    let held = work.wanted.filter(|_| work.holder.is_some());
    assert_eq!(running, held.into_iter().collect::<Vec<_>>(), "{hint}: {:?}", migration.phases);
    let soaks = migration.phases.iter().any(|row| row.name == PhaseName::Soak && row.state == PhaseState::Running);
    assert_eq!(soaks, migration.status == MigrationStatus::Soaking, "{hint}");
    let names: std::collections::BTreeSet<PhaseName> = migration.phases.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), migration.phases.len(), "{hint}: a phase has one row");
    assert!(migration.phases.iter().all(|row| (row.state == PhaseState::Running) == row.ended_at.is_none()), "{hint}");
    assert!(migration.trail.len() <= 64 && !migration.next.words.is_empty(), "{hint}");
    assert!(migration.under_way.is_none() || migration.under_way == work.wanted, "{hint}");
}

/// The step that is named as the next one is one that is taken, when the plan is of today.
fn next_is_taken(state: &MigrationState, now: i64, hint: &str) {
    let Some(verb) = state.migration.next.verb else { return };
    let said =
        Decision { plan_digest: state.migration.plan.as_ref().map(|plan| plan.digest.clone()), ..decision(verb) };
    let old = state.migration.plan.as_ref().is_some_and(|plan| now - plan.scanned_at.millis() > 24 * HOUR);
    let taken = step(state, &Event::Decided(said), at(now));
    assert!(old || taken.as_ref().is_ok_and(|taken| !taken.effects.is_empty()), "{hint}: {verb:?}: {taken:?}");
}

/// Anything that may happen; more often than not what takes it further.
fn any_event(chance: &mut Chance, state: &MigrationState, now: i64) -> Event {
    let fence = if chance.percent(92) { state.work.fence } else { chance.below(6) };
    let counted = Counts {
        planned: 400,
        done: chance.below(400),
        failed: chance.below(30) / 29,
        parked: chance.below(102),
        conflicts: chance.below(9),
        skipped: 0,
    };
    let until = at(now + chance.one_of(&[0, 10_000, 30_000, HOUR]));
    match chance.below(20) {
        0..=4 => Event::Decided(any_decision(chance, state, now)),
        5 => Event::Claimed { holder: "r2".into(), until, fence: fence + 1 },
        6 => Event::Renewed { fence, until },
        7 if chance.percent(30) => Event::Answered { by: "op2".into(), what: "dec-1".into(), open: chance.below(2) },
        7 if chance.percent(20) => Event::Drifted("words".into()),
        7 => Event::Asked { fence, queries: Some(queries(chance.one_of(&[0.8, 1.0, 1.4]))) },
        8 if chance.percent(30) => Event::Released { fence },
        8 => Event::Tick,
        9 => Event::OldIdUsed { times: chance.below(3), at: at(now) },
        10 | 11 => {
            let hold = chance.percent(30).then(|| Text::from("latency"));
            Event::Checkpoint { fence, counts: counted, hold }
        }
        12 => Event::Stopped { fence, counts: counted },
        13 if chance.percent(40) => Event::Broke { fence, why: "words".into(), counts: counted },
        14 => Event::Scanned { fence, found: Ok((plan(chance.one_of(&["d1", "d2"]), now), chance.below(2))) },
        15 => {
            let phase = chance.one_of(&PhaseName::ALL);
            with_fence(if chance.percent(70) { good(state, phase, now) } else { bad(state, phase) }, fence)
        }
        _ => fitting(chance, state, now),
    }
}

fn with_fence(event: Event, to: u64) -> Event {
    match event {
        Event::Copied { counts, .. } => Event::Copied { fence: to, counts },
        Event::Verified { found, .. } => Event::Verified { fence: to, found },
        Event::CutOver { done, .. } => Event::CutOver { fence: to, done },
        event => event,
    }
}

/// What a runner or a person would do here.
fn fitting(chance: &mut Chance, state: &MigrationState, now: i64) -> Event {
    let fence = state.work.fence;
    let lost = state.work.lease_until.is_none_or(|until| until.millis() <= now);
    match state.work.wanted {
        Some(_) if lost => Event::Claimed { holder: "r1".into(), until: at(now + 30_000), fence: fence + 1 },
        Some(_) if state.work.stop.is_some() && chance.percent(80) => {
            Event::Stopped { fence, counts: counts(state.migration.counts.done) }
        }
        Some(phase) if chance.percent(85) => good(state, phase, now),
        Some(phase) => bad(state, phase),
        None => match state.migration.next.verb {
            Some(verb) => {
                let seen = state.migration.plan.as_ref().map(|plan| plan.digest.clone());
                Event::Decided(Decision { plan_digest: seen, ..decision(verb) })
            }
            None if state.migration.status == MigrationStatus::NeedsDecision => {
                Event::Answered { by: "op2".into(), what: "dec-1".into(), open: 0 }
            }
            None => Event::Tick,
        },
    }
}

fn any_decision(chance: &mut Chance, state: &MigrationState, now: i64) -> Decision {
    let seen = state.migration.plan.as_ref().map(|plan| plan.digest.clone());
    Decision {
        role: if chance.percent(85) { Role::Admin } else { chance.one_of(&Role::ALL) },
        plan_digest: if chance.percent(85) { seen } else { chance.one_of(&[Some("d3".into()), None]) },
        dual_read: chance.percent(80).then_some(DualRead::Probe { at: at(now) }),
        text: chance.one_of(&["", "because"]).into(),
        ..decision(match chance.below(10) {
            0 => chance.one_of(&[MigrationVerb::Pause, MigrationVerb::Stop, MigrationVerb::Resume]),
            1 if chance.percent(60) => MigrationVerb::Rollback,
            1 if chance.percent(30) => MigrationVerb::Cancel,
            1 => MigrationVerb::Verify,
            2 => MigrationVerb::Close,
            _ => chance.one_of(&[
                MigrationVerb::Rehearse,
                MigrationVerb::Approve,
                MigrationVerb::Start,
                MigrationVerb::Pause,
                MigrationVerb::Resume,
                MigrationVerb::Rate,
                MigrationVerb::Verify,
                MigrationVerb::Cutover,
                MigrationVerb::TakeOver,
                MigrationVerb::Retry,
                MigrationVerb::Close,
            ]),
        })
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the figure and its seed")]
fn nothing_writes_without_an_approval_of_this_plan_and_nothing_halted_goes_on_by_itself_in_10_000_lives() {
    let (mut reached, mut ends, mut starts) = (BTreeMap::new(), BTreeMap::new(), 0_u32);
    for life in 0..LIVES {
        let hint = format!("seed {SEED:#x}, life {life}");
        let mut chance = Chance(SEED ^ (life << 20));
        let (mut state, mut now, mut reference) = (opened(), 0_i64, Reference::default());
        for _ in 0..STEPS {
            now += if chance.percent(97) { chance.below(8000) as i64 } else { chance.below(20 * 3_600_000) as i64 };
            let event = any_event(&mut chance, &state, now);
            let Ok(taken) = step(&state, &event, at(now)) else { continue };
            holds(&state, &event, &taken, &hint);
            stands(&taken.state, &hint);
            let was = state.migration.status;
            if !taken.effects.is_empty() {
                reference.hears(&event, was, now);
            }
            let is = taken.state.migration.status;
            if is_writing(is) && (is != was || matches!(event, Event::Claimed { .. })) {
                assert!(reference.approved, "{hint}: {is:?} by {event:?}");
                let (plan, approval) = (&taken.state.migration.plan, &taken.state.migration.approval);
                let same = plan.as_ref().map(|plan| &plan.digest) == approval.as_ref().map(|yes| &yes.plan_digest);
                assert!(same && approval.is_some(), "{hint}");
                starts += 1;
            }
            if fence_of(&event).is_some() {
                let again = step(&taken.state, &event, at(now));
                let effect = again.as_ref().is_ok_and(|again| matches!(again.effects.as_slice(), [Effect::Changed(_)]));
                assert!(!effect, "{hint}: twice: {event:?}: {again:?}");
            }
            state = taken.state;
            next_is_taken(&state, now, &hint);
            *reached.entry(is).or_insert(0_u32) += 1;
        }
        assert!(serde_json::to_string(&state.migration).unwrap().len() < 48 * 1024, "{hint}");
        *ends.entry(state.migration.status).or_insert(0_u32) += 1;
    }
    println!("seed {SEED:#x}: {LIVES} lives, {starts} steps that let it write, they stand at {ends:?}");
    assert_eq!(reached.len(), MigrationStatus::ALL.len(), "not every status was reached: {reached:?}");
    assert!(starts > 10_000 && reached.values().all(|times| *times > 20), "{starts}, {reached:?}");
}

#[test]
fn a_check_of_everything_finds_any_number_of_differences_and_still_fits_into_an_event() {
    let mut tale = super::sample::Tale::at(MigrationStatus::Verifying);
    let mut much = found(100);
    for one in &mut much.first {
        one.detail = Text::from("x".repeat(5000));
    }
    much.not_checked = vec![Text::from("y".repeat(100)); 10_000];
    tale.tell(&Event::Verified { fence: tale.state.work.fence, found: much });
    let kept = tale.state.migration.verification.as_ref().unwrap();
    assert_eq!((kept.differences, kept.first.is_empty()), (100, false));
    assert!(serde_json::to_string(&tale.state.migration).unwrap().len() < 48 * 1024);
}
