//! Figures in, words out: caps, figures of `auto`, and the gates of a decision.

use std::sync::Arc;

use stella_protocol::fix::{
    Check, FixVerb, GateState, Maintenance, Policy, Record, Risk, Side, Suppression, Switched, Verification,
};
use stella_protocol::{Activity, Alert, Code, FixId, FixStatus, Principal, Remedy, Role, Status, Text};

use super::*;
use crate::remedy::definition::Limits;
use crate::remedy::machine::sample::{MINUTE, Tale, at, careful, decision, draft, opened, reckless};
use crate::remedy::{Event, Superseded, machine};

fn proposal(definition: &str, target: &str) -> Draft {
    let mut draft = draft(Risk::Medium, Policy::Approve, vec![careful()]);
    draft.plan.definition_id = Text::from(definition.to_owned());
    draft.plan.target = Text::from(target.to_owned());
    draft
}

fn by_rule(definition: &str, target: &str) -> Draft {
    Draft { proposed_by: "rule:slow".into(), ..proposal(definition, target) }
}

/// Superseded for this reason, some minutes ago, at 14.
fn void(number: usize, why: Superseded, ago: i64) -> Arc<FixState> {
    let state = kept(number, "restart", "service:a", FixStatus::Pending, (14 - ago) * MINUTE);
    let step = machine::step(&state, &Event::Superseded(why, "over".into()), at((14 - ago) * MINUTE)).unwrap();
    Arc::new(step.state)
}

fn kept(number: usize, definition: &str, target: &str, status: FixStatus, proposed: i64) -> Arc<FixState> {
    let mut state = opened(proposal(definition, target));
    state.fix.id = format!("fx-{number}").parse::<FixId>().unwrap();
    state.fix.status = status;
    state.fix.proposed_at = at(proposed);
    Arc::new(state)
}

fn admits(draft: &Draft, fixes: &[Arc<FixState>], remedy: &Remedy, now: i64) -> Result<(), Code> {
    admit(draft, Standing { fixes, remedy }, at(now)).map_err(|refusal| {
        assert!(refusal.why.contains("; "), "no way out: {}", refusal.why);
        refusal.code
    })
}

fn off() -> Remedy {
    let off = Switched { by: "ana".into(), at: at(0), reason: "fire".into() };
    Remedy { switched_off: Some(off), ..Remedy::default() }
}

fn window(target: &str, from: i64, until: i64) -> Remedy {
    let window = Maintenance {
        id: "win-1".into(),
        target: Text::from(target.to_owned()),
        from: at(from),
        until: at(until),
        by: "ana".into(),
        reason: Text::default(),
    };
    Remedy { maintenance: vec![window], ..Remedy::default() }
}

fn suppressed_there() -> Remedy {
    let one = Suppression {
        id: "sup-1".into(),
        definition_id: "restart".into(),
        target: "service:a".into(),
        at: at(0),
        reason: "rolled back".into(),
    };
    Remedy { suppressions: vec![one], ..Remedy::default() }
}

#[test]
fn a_target_has_one_open_fix_and_a_definition_one_proposal_for_it_in_15_minutes() {
    let (draft, free) = (proposal("restart", "service:a"), Remedy::default());
    for status in FixStatus::ALL {
        let old = [kept(1, "other", "service:a", status, 0)];
        let wanted = if status.is_open() { Err(Code::TargetBusy) } else { Ok(()) };
        assert_eq!(admits(&draft, &old, &free, 60 * MINUTE), wanted, "{status:?}");
        assert_eq!(admits(&proposal("restart", "service:b"), &old, &free, 60 * MINUTE), Ok(()));
    }
    let old = [kept(1, "restart", "service:a", FixStatus::Executed, 0)];
    assert_eq!(admits(&draft, &old, &free, 15 * MINUTE - 1), Err(Code::TargetBusy));
    assert_eq!(admits(&draft, &old, &free, 15 * MINUTE), Ok(()));
}

#[test]
fn fifty_are_open_at_once_and_not_one_more() {
    let fixes: Vec<_> =
        (0..50).map(|number| kept(number, "other", &format!("service:{number}"), FixStatus::Pending, 0)).collect();
    let (draft, free) = (proposal("restart", "service:a"), Remedy::default());
    assert_eq!(admits(&draft, &fixes[..49], &free, 0), Ok(()));
    assert_eq!(admits(&draft, &fixes, &free, 0), Err(Code::TooManyFixes));
    assert_eq!(start(&fixes[0].fix, Standing { fixes: &fixes, remedy: &free }, at(0)), Ok(()));
}

#[test]
fn what_came_to_nothing_holds_no_person_back_but_a_rule() {
    let (person, rule, free) = (proposal("restart", "service:a"), by_rule("restart", "service:a"), Remedy::default());
    let long = |draft: &Draft| {
        let limits = Limits { every_ms: 30 * MINUTE, ..draft.limits };
        Draft { limits, ..draft.clone() }
    };
    let nothing = [FixStatus::Invalid, FixStatus::Superseded, FixStatus::Expired, FixStatus::Rejected];
    for status in FixStatus::ALL.into_iter().filter(|status| !status.is_open()) {
        let old = [kept(1, "restart", "service:a", status, 0)];
        let wanted = if nothing.contains(&status) { Ok(()) } else { Err(Code::TargetBusy) };
        for (after, person, rule) in [(1, person.clone(), rule.clone()), (29, long(&person), long(&rule))] {
            assert_eq!(admits(&person, &old, &free, after * MINUTE), wanted, "{status:?}, {after} min");
            assert_eq!(admits(&rule, &old, &free, after * MINUTE), Err(Code::TargetBusy), "{status:?}, {after} min");
        }
    }
}

#[test]
fn a_rule_proposes_again_after_the_switch_and_once_after_another_plan() {
    let (rule, free) = (by_rule("restart", "service:a"), Remedy::default());
    let admitted = |fixes: &[Arc<FixState>]| admits(&rule, fixes, &free, 14 * MINUTE).is_ok();
    let (off, plan) = (Superseded::SwitchedOff, Superseded::PlanChanged);
    assert!(admitted(&[void(1, off, 3), void(2, off, 2), void(3, plan, 1)]));
    assert!(!admitted(&[void(1, plan, 2), void(2, plan, 1)]), "who moves the evidence gets no proposal for each move");
    assert!(admitted(&[void(1, plan, 15), void(2, plan, 1)]));
    assert!(!admitted(&[void(1, Superseded::AlertOver, 1)]));
}

#[test]
fn a_definitions_own_caps_are_asked_too() {
    let fixes: Vec<_> =
        (0..5).map(|number| kept(number, "restart", &format!("service:{number}"), FixStatus::Pending, 0)).collect();
    let (draft, free) = (proposal("restart", "service:a"), Remedy::default());
    assert_eq!(draft.limits.open, 5);
    assert_eq!(admits(&draft, &fixes[..4], &free, 60 * MINUTE), Ok(()));
    assert_eq!(admits(&draft, &fixes, &free, 60 * MINUTE), Err(Code::TooManyFixes));
    assert_eq!(admits(&proposal("other", "service:a"), &fixes, &free, 60 * MINUTE), Ok(()));
}

#[test]
fn a_storm_of_a_million_matches_proposes_once_a_target_in_15_minutes() {
    let (mut fixes, remedy) = (Vec::new(), Remedy::default());
    let draft = by_rule("restart", "service:a");
    for second in 0..30 * 60 {
        if admit(&draft, Standing { fixes: &fixes, remedy: &remedy }, at(second * 1000)).is_ok() {
            fixes.push(kept(fixes.len(), "restart", "service:a", FixStatus::Expired, second * 1000));
        }
    }
    let proposed: Vec<i64> = fixes.iter().map(|state| state.fix.proposed_at.millis() / MINUTE).collect();
    assert_eq!(proposed, [0, 15]);
}

#[test]
fn nothing_is_proposed_while_off_suppressed_unfenced_or_under_no_policy() {
    let draft = proposal("restart", "service:a");
    assert_eq!(admits(&draft, &[], &off(), 0), Err(Code::FixesOff));
    assert_eq!(admits(&draft, &[], &suppressed_there(), 0), Err(Code::FixesOff));
    assert_eq!(admits(&proposal("restart", "service:b"), &[], &suppressed_there(), 0), Ok(()));
    assert_eq!(admits(&proposal("other", "service:a"), &[], &suppressed_there(), 0), Ok(()));
    assert_eq!(
        admits(&Draft { policy: Policy::Off, ..draft.clone() }, &[], &Remedy::default(), 0),
        Err(Code::FixesOff)
    );
    let mut unfenced = draft;
    unfenced.plan.steps.push(stella_protocol::fix::PlanStep { fenced: false, ..reckless() });
    assert_eq!(admits(&unfenced, &[], &Remedy::default(), 0), Err(Code::IllegalTransition));
    unfenced.plan.risk = Risk::High;
    assert_eq!(admits(&unfenced, &[], &Remedy::default(), 0), Ok(()));
}

#[test]
fn a_window_stops_the_start_on_its_targets_in_its_time_but_not_the_proposal() {
    let state = kept(1, "restart", "service:search", FixStatus::Approved, 0);
    let starts = |remedy: &Remedy, now: i64| start(&state.fix, Standing { fixes: &[], remedy }, at(now)).is_ok();
    for target in ["", "service:", "service:search"] {
        let remedy = window(target, 1000, 2000);
        assert_eq!([999, 1000, 1999, 2000].map(|now| starts(&remedy, now)), [true, false, false, true], "{target}");
        assert_eq!(admits(&proposal("restart", "service:search"), &[], &remedy, 1500), Ok(()));
    }
    assert!(starts(&window("service:db", 0, 2000), 1000) && !starts(&off(), 0));
}

#[test]
fn nothing_starts_or_is_rolled_back_beside_another_on_its_target() {
    let state = kept(1, "restart", "service:a", FixStatus::Approved, 0);
    let remedy = Remedy::default();
    for (other, free) in [(FixStatus::InDoubt, false), (FixStatus::Pending, false), (FixStatus::Executed, true)] {
        let fixes = [Arc::clone(&state), kept(2, "other", "service:a", other, 0)];
        let standing = Standing { fixes: &fixes, remedy: &remedy };
        assert_eq!(start(&state.fix, standing, at(0)).is_ok(), free, "{other:?}");
        assert_eq!(rollback(&state.fix, standing).map_err(|refusal| refusal.code).is_ok(), free, "{other:?}");
    }
}

#[test]
fn automatic_holds_only_while_its_figures_do() {
    let auto = |risk, good, runs, false_positive, marked| {
        let (policy, why) = effective(Policy::Auto, risk, &Record { runs, good, marked, false_positive });
        (policy, why.raw().to_owned())
    };
    let cases = [
        (Risk::Low, 0, 0, 0, 0, Policy::Auto, "too few of both to tell"),
        (Risk::Medium, 4, 4, 0, 0, Policy::Approve, "fewer than 5 runs"),
        (Risk::Low, 0, 4, 0, 0, Policy::Auto, "0 of 4 runs"),
        (Risk::Medium, 9, 10, 1, 10, Policy::Auto, "9 of 10 runs helped, 1 of 10 alerts"),
        (Risk::Low, 8, 10, 0, 10, Policy::Approve, "fewer than 90 %"),
        (Risk::Low, 10, 10, 2, 10, Policy::Approve, "more than 10 %"),
        (Risk::Low, 10, 10, 9, 9, Policy::Auto, "too few alerts to tell"),
        (Risk::High, 10, 10, 0, 10, Policy::Approve, "high risk never runs by itself"),
        (Risk::Unknown, 10, 10, 0, 10, Policy::Approve, "never runs by itself"),
    ];
    for (risk, good, runs, wrong, marked, policy, words) in cases {
        let (found, why) = auto(risk, good, runs, wrong, marked);
        assert!(found == policy && why.contains(words), "{risk:?} {good}/{runs} {wrong}/{marked}: {found:?}, {why}");
    }
    assert_eq!(effective(Policy::Approve, Risk::Low, &Record::default()).0, Policy::Approve);
    assert_eq!(effective(Policy::Unknown, Risk::Low, &Record::default()).0, Policy::Off);
}

#[test]
fn a_record_is_a_gate_that_is_open_only_where_it_did_well() {
    let state = |good, runs| record_gate(&Record { runs, good, ..Record::default() }).state;
    assert_eq!([state(0, 0), state(9, 10), state(8, 10)], [GateState::Warning, GateState::Open, GateState::Warning]);
}

#[test]
fn risk_asks_for_one_or_two_and_a_single_person_for_one() {
    let quorums = [Risk::Low, Risk::Medium, Risk::High, Risk::Unknown].map(|risk| quorum(risk, false));
    assert_eq!(quorums, [1, 1, 2, 2]);
    assert_eq!(quorum(Risk::High, true), 1);
}

/// A fix that waits for its second approval, with the digest of its real plan.
fn waiting() -> Tale {
    let mut draft = draft(Risk::High, Policy::Approve, vec![careful()]);
    draft.plan_digest = gates::digest(&draft.plan).unwrap().into();
    let digest = draft.plan_digest.clone();
    let mut tale = Tale::of(draft);
    tale.tell(&Event::Rehearsed(Ok(Vec::new())));
    let yes = decision(FixVerb::Approve, "p2");
    tale.tell(&Event::Decided(crate::remedy::Decision { plan_digest: Some(digest), ..yes }));
    tale
}

fn seen_by(tale: &Tale, name: &str, role: Role, remedy: &Remedy, later: i64) -> Vec<(GateState, String)> {
    let me = Principal { name: Text::from(name.to_owned()), role };
    let gates = gates(&tale.state, &me, Standing { fixes: &[], remedy }, at(tale.now + later));
    gates.into_iter().map(|gate| (gate.state, gate.text.raw().to_owned())).collect()
}

#[test]
fn whoever_may_approve_sees_every_gate_open() {
    let seen = seen_by(&waiting(), "p3", Role::Approver, &Remedy::default(), 0);
    assert!(seen.iter().all(|(state, _)| *state == GateState::Open), "{seen:#?}");
    assert!(seen.iter().any(|(_, text)| text == "1 of 2 approvals: p2"), "{seen:#?}");
}

#[test]
fn each_gate_shuts_with_its_reason_exactly_when_the_server_would_refuse() {
    let tale = waiting();
    let free = Remedy::default();
    let shut = |seen: Vec<(GateState, String)>| -> Vec<String> {
        seen.into_iter().filter(|(state, _)| *state == GateState::Shut).map(|(_, text)| text).collect()
    };
    let cases = [
        (seen_by(&tale, "p0", Role::Approver, &free, 0), "you proposed it"),
        (seen_by(&tale, "p1", Role::Approver, &free, 0), "you answer for its definition"),
        (seen_by(&tale, "p3", Role::Responder, &free, 0), "approving needs approver"),
        (seen_by(&tale, "p3", Role::Approver, &free, 15 * MINUTE), "time to approve it is over"),
        (seen_by(&tale, "p3", Role::Approver, &off(), 0), "switched all fixes off (fire)"),
        (seen_by(&tale, "p3", Role::Approver, &window("service:", 0, 60 * MINUTE), 0), "in maintenance (win-1)"),
    ];
    for (seen, words) in cases {
        let shut = shut(seen);
        assert!(matches!(&shut[..], [only] if only.contains(words)), "{words}: {shut:?}");
    }
    let mut changed = waiting();
    changed.state.fix.plan.target = "service:db".into();
    let shut = shut(seen_by(&changed, "p3", Role::Approver, &free, 0));
    assert!(matches!(&shut[..], [only] if only.contains("the plan kept is not the one")), "{shut:?}");
}

#[test]
fn a_single_person_may_approve_the_own_proposal_and_is_told_so() {
    let remedy = Remedy { single_person: true, ..Remedy::default() };
    let seen = seen_by(&waiting(), "p0", Role::Admin, &remedy, 0);
    let warnings = seen.iter().filter(|(state, _)| *state == GateState::Warning).count();
    assert!(seen.iter().all(|(state, _)| *state != GateState::Shut) && warnings == 2, "{seen:#?}");
}

/// What the gate of its alert says of this fix.
fn told_of(state: &FixState, alert: Option<&Alert>) -> Option<(GateState, String)> {
    watch_gate(&state.fix, alert).map(|gate| (gate.state, gate.text.raw().to_owned()))
}

#[test]
fn whoever_decides_is_told_when_nobody_could_tell_whether_it_helped() {
    let mut tale = waiting();
    let mut alert = crate::alerts::sample::alert("f", 1, 0).alert;
    let told = |tale: &Tale, alert: Option<&Alert>| told_of(&tale.state, alert);
    assert_eq!(told(&tale, Some(&alert)), None, "it fires: it will tell");
    let unwatched = |told: Option<(GateState, String)>| {
        told.is_some_and(|(state, text)| state == GateState::Warning && text.contains("not watched"))
    };
    assert!(unwatched(told(&tale, None)));
    alert.activity = Activity::Quiet { since: at(0) };
    assert!(unwatched(told(&tale, Some(&alert))));

    tale.state.fix.by_policy = true;
    let why = nothing_to_do(&tale.state.fix, &alert).unwrap();
    assert_eq!(told(&tale, Some(&alert)), Some((GateState::Shut, why.to_owned())), "no person asked for it");
    tale.state.fix.by_policy = false;
    alert.status = Status::Resolved;
    let why = nothing_to_do(&tale.state.fix, &alert).unwrap();
    assert_eq!(told(&tale, Some(&alert)), Some((GateState::Shut, why.to_owned())));

    for status in FixStatus::ALL {
        tale.state.fix.status = status;
        let waits = matches!(status, FixStatus::Proposed | FixStatus::Pending | FixStatus::Approved);
        assert_eq!(told(&tale, Some(&alert)).is_some(), waits, "{status:?}");
    }
    tale.state.fix.status = FixStatus::Pending;
    let series = Check::Series { series: "errors".into(), side: Side::Below, limit: 1.0 };
    for verification in [Some(Verification { check: series, hold_ms: 1, within_ms: 1 }), None] {
        tale.state.fix.plan.verification = verification;
        assert_eq!((told(&tale, Some(&alert)), told(&tale, None)), (None, None), "its alert is not what is watched");
    }
}
