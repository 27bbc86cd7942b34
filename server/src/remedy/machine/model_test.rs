//! Figure X-5: random lives of a fix against a tiny reference of who may let it run, written from the
//! table and sharing nothing with the machine; and what must hold in every life.

use proptest::prelude::*;
use stella_protocol::fix::{
    Act, ArgvAct, Check, DocumentAct, DocumentChange, FixVerb, PlanStep, Policy, Risk, Side, Undo, Verification,
};
use stella_protocol::{Fix, FixStatus, Role};

use super::super::{Decision, Draft, Effect, Event, FixState, Said, Step};
use super::sample::{DIGEST, MINUTE, Tale, at, call, careful, clean, decision, done, draft, opened, reckless, unknown};
use super::{open, step};
use crate::chance::Chance;

const LIVES: u64 = 10_000;
/// Of this test alone; printed with whatever fails.
const SEED: u64 = 0x57e1_1a00;

/// What people and time did to a fix, as the reference keeps it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stands {
    Proposed,
    Pending,
    Approved { until: i64 },
    Runs,
    Over,
}

struct Reference {
    stands: Stands,
    auto: bool,
    high: bool,
    rehearsed: bool,
    /// When a dry run ended that somebody asked for.
    looked: Option<i64>,
    until: i64,
    /// Who, and whether one person was everybody then.
    yes: Vec<(String, bool)>,
}

impl Reference {
    fn new(risk: Risk, policy: Policy) -> Self {
        let auto = policy == Policy::Auto && risk != Risk::High;
        let high = risk == Risk::High;
        Self { stands: Stands::Proposed, auto, high, rehearsed: false, looked: None, until: 0, yes: Vec::new() }
    }

    fn hears(&mut self, event: &Event, now: i64) {
        self.stands = match (self.stands, event) {
            (Stands::Proposed, Event::Rehearsed(Ok(_))) if self.auto => Stands::Approved { until: now + 10 * MINUTE },
            (Stands::Proposed, Event::Rehearsed(Ok(_))) => {
                if self.rehearsed {
                    self.looked = Some(now);
                } else {
                    self.until = now + 15 * MINUTE;
                }
                self.rehearsed = true;
                Stands::Pending
            }
            (Stands::Proposed, Event::Rehearsed(Err(_)))
            | (Stands::Proposed | Stands::Pending | Stands::Approved { .. }, Event::Superseded(..)) => Stands::Over,
            (Stands::Pending, Event::Tick) if now >= self.until => Stands::Over,
            (Stands::Approved { until }, Event::Tick) if now >= until => Stands::Over,
            (stands, Event::Decided(decision)) => self.hears_person(stands, decision, now),
            (Stands::Approved { until: end }, Event::Claimed { plan_digest, gates, fence, until, .. })
                if now < end && plan_digest.raw() == DIGEST && gates.is_ok() && *fence > 0 && until.millis() > now =>
            {
                Stands::Runs
            }
            (stands, _) => stands,
        };
    }

    fn hears_person(&mut self, stands: Stands, said: &Decision, now: i64) -> Stands {
        let who = said.by.raw().to_lowercase();
        let approver = matches!(said.role, Role::Approver | Role::Admin);
        match (stands, said.verb) {
            (Stands::Pending | Stands::Approved { .. }, FixVerb::Reject) if approver => Stands::Over,
            (Stands::Pending, FixVerb::DryRun) if approver || said.role == Role::Responder => {
                if self.looked.is_none_or(|looked| now - looked >= MINUTE) { Stands::Proposed } else { stands }
            }
            (Stands::Pending, FixVerb::Approve) if approver => {
                let own = who == "p0" || who == "p1";
                let again = self.yes.iter().any(|(other, _)| *other == who);
                let right = said.plan_digest.as_ref().is_some_and(|digest| digest.raw() == DIGEST);
                if !right || again || now >= self.until || (own && !said.single_person) {
                    return stands;
                }
                self.yes.push((who, said.single_person));
                if self.enough() {
                    return Stands::Approved { until: now + 10 * MINUTE };
                }
                Stands::Pending
            }
            (Stands::Pending | Stands::Approved { .. }, FixVerb::Withdraw) if approver => {
                let before = self.yes.len();
                self.yes.retain(|(other, _)| *other != who);
                let took = self.yes.len() < before;
                if took && !self.enough() { Stands::Pending } else { stands }
            }
            _ => stands,
        }
    }

    /// One yes of the one person there is, or as many of others as the risk asks.
    fn enough(&self) -> bool {
        let others = self.yes.iter().filter(|(who, _)| who != "p0" && who != "p1").count();
        self.yes.iter().any(|(_, alone)| *alone) || others >= if self.high { 2 } else { 1 }
    }
}

fn seen(fix: &Fix) -> Option<Stands> {
    Some(match fix.status {
        FixStatus::Proposed => Stands::Proposed,
        FixStatus::Pending => Stands::Pending,
        FixStatus::Approved => Stands::Approved { until: fix.execute_by?.millis() },
        FixStatus::Invalid | FixStatus::Rejected | FixStatus::Expired | FixStatus::Superseded => Stands::Over,
        _ => Stands::Runs,
    })
}

/// What must hold of any step that is taken.
fn holds(before: &FixState, event: &Event, taken: &Step, hint: &str) {
    let changes = taken.effects.iter().filter(|effect| matches!(effect, Effect::Changed(_))).count() as u64;
    assert!(changes <= 1, "{hint}");
    assert_eq!(taken.state.fix.version, before.fix.version + changes, "{hint}: {event:?}");
    if changes == 0 {
        assert_eq!(taken.state.fix, before.fix, "{hint}: seen without a version: {event:?}");
    }
    if taken.effects.is_empty() {
        assert_eq!(taken.state, *before, "{hint}: {event:?}");
    }
    let ask = |wanted: fn(&Effect) -> bool| taken.effects.iter().any(wanted);
    let entered = |status: FixStatus| taken.state.fix.status == status && before.fix.status != status;
    let helped = entered(FixStatus::Executed) && taken.state.work.unwatched.is_none();
    assert_eq!(ask(|effect| matches!(effect, Effect::ResolveAlert)), helped, "{hint}");
    let left = before.fix.status == FixStatus::Executed && taken.state.fix.status != FixStatus::Executed;
    assert_eq!(ask(|effect| matches!(effect, Effect::ReopenAlert)), left, "{hint}");
    assert_eq!(ask(|effect| matches!(effect, Effect::Suppress(_))), entered(FixStatus::RolledBack), "{hint}");
    assert!(taken.state.fix.trail.len() <= 64 && taken.state.work.at < taken.state.fix.steps.len(), "{hint}");
    assert_eq!(taken.state.work.holder.is_some(), taken.state.work.lease_until.is_some(), "{hint}");
    if matches!(before.fix.status, FixStatus::InDoubt | FixStatus::RollbackFailed) && taken.state != *before {
        let closed = |said: &Decision| said.verb == FixVerb::Close && said.role == Role::Admin && !said.text.is_empty();
        assert!(matches!(event, Event::Decided(said) if closed(said)), "{hint}: left by {event:?}");
    }
}

#[derive(Debug, Default)]
struct Starts {
    people: u32,
    policy: u32,
    alone: u32,
}

/// Who let it run, checked from what it says of itself.
fn started(fix: &Fix, reference: &Reference, now: i64, starts: &mut Starts, hint: &str) {
    assert!(fix.execute_by.is_some_and(|end| now < end.millis()), "{hint}: expired");
    if fix.by_policy {
        assert!(reference.auto && reference.rehearsed == (fix.policy != Policy::Auto), "{hint}: by policy");
        starts.policy += 1;
        return;
    }
    let own = |by: &str| ["p0", "p1"].contains(&by.to_lowercase().as_str());
    let alone = fix.approvals.iter().any(|approval| approval.single_person);
    for approval in &fix.approvals {
        assert_eq!(approval.plan_digest.raw(), DIGEST, "{hint}");
        assert!(approval.at < fix.approve_by, "{hint}: late");
        assert!(!own(approval.by.raw()) || approval.single_person, "{hint}: own, not marked");
    }
    let others = fix.approvals.iter().filter(|approval| !own(approval.by.raw())).count();
    let wanted = if fix.risk == Risk::High { 2 } else { 1 };
    assert!(alone || others >= wanted, "{hint}: {others} others of {wanted}");
    assert_eq!(fix.approvals.len(), reference.yes.len(), "{hint}");
    *(if alone { &mut starts.alone } else { &mut starts.people }) += 1;
}

#[test]
#[expect(clippy::print_stdout, reason = "the figure and its seed")]
fn nothing_runs_without_a_quorum_of_valid_approvals_by_others_in_10_000_random_lives() {
    let mut starts = Starts::default();
    let mut ends = std::collections::BTreeMap::new();
    for life in 0..LIVES {
        let hint = format!("seed {SEED:#x}, life {life}");
        let mut chance = Chance(SEED ^ (life << 20));
        let risk = chance.one_of(&[Risk::Low, Risk::Medium, Risk::High]);
        let policy = if chance.percent(20) { Policy::Auto } else { Policy::Approve };
        let steps = (0..=chance.below(3)).map(|_| if chance.percent(70) { careful() } else { reckless() }).collect();
        // Proposed by one who was everybody then: the risk's own quorum must hold all the same.
        let asked = if chance.percent(30) { 1 } else { 1 + u8::from(risk == Risk::High) };
        let (mut state, mut now) = (opened(Draft { quorum: asked, ..draft(risk, policy, steps) }), 0);
        let mut reference = Reference::new(risk, policy);
        let mut single = chance.percent(20);
        for _ in 0..60 {
            now += if chance.percent(90) { chance.below(60_000) as i64 } else { chance.below(900_000) as i64 };
            single ^= chance.percent(1);
            let event = chance.event(&state, single, now);
            let before = reference.stands;
            reference.hears(&event, now);
            if let Ok(taken) = step(&state, &event, at(now)) {
                holds(&state, &event, &taken, &hint);
                state = taken.state;
            }
            assert_eq!(seen(&state.fix), Some(reference.stands), "{hint}: {event:?}\n{:?}", state.fix);
            if before != Stands::Runs && reference.stands == Stands::Runs {
                started(&state.fix, &reference, now, &mut starts, &hint);
            }
        }
        *ends.entry(state.fix.status).or_insert(0_u32) += 1;
    }
    println!("seed {SEED:#x}: {LIVES} lives, {starts:?}, they stand at {ends:?}");
    assert!(starts.people > 2000 && starts.policy > 500 && starts.alone > 500, "{starts:?}");
    assert!(ends.len() >= 12, "too few kinds of ends: {ends:?}");
}

#[test]
fn what_is_in_doubt_never_leaves_by_itself_in_10_000_random_lives() {
    let doubtful = |undoing: bool| {
        let mut tale = Tale::running(vec![careful(), reckless()]);
        tale.does(done());
        if undoing {
            tale.does(clean());
            tale.does(clean());
        } else {
            tale.does(unknown());
            tale.probe(Said::CannotTell("nobody knows".into()));
        }
        tale
    };
    let kinds = [doubtful(false), doubtful(true)];
    assert_eq!(kinds.each_ref().map(Tale::status), [FixStatus::InDoubt, FixStatus::RollbackFailed]);
    for life in 0..LIVES {
        let mut chance = Chance(!SEED ^ (life << 20));
        let tale = &kinds[(life % 2) as usize];
        for _ in 0..40 {
            let now = tale.now + chance.below(48 * 60 * 60_000) as i64;
            let event = match chance.event(&tale.state, life % 3 == 0, now) {
                Event::Decided(said) if said.verb == FixVerb::Close => {
                    let role = chance.one_of(&[Role::Viewer, Role::Responder, Role::Approver, Role::Unknown]);
                    Event::Decided(Decision { role, ..said })
                }
                event => event,
            };
            let left = step(&tale.state, &event, at(now)).is_ok_and(|taken| taken.state != tale.state);
            assert!(!left, "seed {:#x}, life {life}: {event:?}", !SEED);
        }
    }
    let closed = kinds.map(|mut tale| {
        tale.tell(&Event::Decided(decision(FixVerb::Close, "p2")));
        tale.status()
    });
    assert_eq!(closed, [FixStatus::ClosedManually; 2]);
}

fn any_step() -> impl Strategy<Value = PlanStep> {
    let act = || {
        prop_oneof![
            Just(call()),
            Just(Act::Unknown),
            ".{0,8}".prop_map(|text| Act::Argv(ArgvAct {
                program: text.into(),
                arguments: Vec::new(),
                environment: Vec::new(),
                success: Vec::new(),
                clean: Vec::new(),
                timeout_ms: u64::MAX,
            })),
            Just(Act::Document(DocumentAct { collection: "c".into(), id: "d".into(), change: DocumentChange::Delete })),
        ]
    };
    let undo = prop_oneof![
        Just(None),
        Just(Some(Undo::Restore)),
        Just(Some(Undo::Unknown)),
        (act(), any::<bool>())
            .prop_map(|(act, idempotent)| { Some(Undo::Act { title: "back".into(), act, probe: None, idempotent }) }),
    ];
    let retries = prop_oneof![0..3_u32, Just(u32::MAX)];
    (".{0,400}", act(), undo, any::<bool>(), any::<bool>(), retries).prop_map(
        |(title, act, undo, idempotent, fenced, retries)| PlanStep {
            title: title.into(),
            act,
            probe: None,
            undo,
            idempotent,
            fenced,
            retries,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_plan_and_no_order_of_events_makes_the_machine_panic_or_outgrow_an_event(
        steps in prop::collection::vec(any_step(), 0..5),
        risk in prop::sample::select(vec![Risk::Low, Risk::Medium, Risk::High, Risk::Unknown]),
        policy in prop::sample::select(vec![Policy::Auto, Policy::Approve, Policy::Off, Policy::Unknown]),
        times in (any::<i64>(), any::<i64>(), any::<i64>()),
        quorum in any::<u8>(),
        seed in any::<u64>(),
    ) {
        let mut draft = draft(risk, policy, steps);
        draft.quorum = quorum;
        let check = Check::Series { series: "s".into(), side: Side::Below, limit: f64::INFINITY };
        draft.plan.verification = Some(Verification { check, hold_ms: times.0, within_ms: times.1 });
        let mut now = times.2 / 4;
        let known = draft.plan.clone();
        let Some(mut state) = open(draft, "fx-1".parse().unwrap(), at(now)) else {
            let off = matches!(policy, Policy::Off | Policy::Unknown) || risk == Risk::Unknown || known.steps.is_empty();
            let strange = serde_json::to_string(&known).unwrap().contains("unknown");
            prop_assert!(off || strange);
            return Ok(());
        };
        let mut chance = Chance(seed);
        for _ in 0..80 {
            now = now.saturating_add(chance.below(120_000) as i64);
            let event = chance.event(&state, false, now);
            if let Ok(taken) = step(&state, &event, at(now)) {
                holds(&state, &event, &taken, "any plan");
                state = taken.state;
            }
        }
        state.fix.plan.steps.clear();
        prop_assert!(serde_json::to_string(&state.fix).unwrap().len() < 48 * 1024);
    }
}
