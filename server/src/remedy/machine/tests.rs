//! Rows of the table, one by one, where more than "taken or not" matters.

use stella_protocol::fix::{FixVerb, PlanStep, Policy, Probe, Risk, StepState, Undo};
use stella_protocol::{Code, FixStatus, Role, Text};

use super::super::{Decision, Draft, Effect, Event, Said, Verdict};
use super::sample::{MINUTE, Tale, at, call, careful, claim, clean, decision, done, draft, reckless, unknown};

fn states(tale: &Tale) -> Vec<StepState> {
    tale.state.fix.steps.iter().map(|step| step.state).collect()
}

fn probed() -> PlanStep {
    let probe = Probe {
        title: "look".into(),
        act: call(),
        done: stella_protocol::fix::Condition::default(),
        not_done: stella_protocol::fix::Condition::default(),
    };
    PlanStep { probe: Some(probe), ..careful() }
}

fn pending(draft: Draft) -> Tale {
    let mut tale = Tale::of(draft);
    tale.tell(&Event::Rehearsed(Ok(vec!["would work".into()])));
    tale
}

fn verifying(steps: Vec<PlanStep>) -> Tale {
    let count = steps.len();
    let mut tale = Tale::running(steps);
    for _ in 0..count {
        tale.does(done());
    }
    assert_eq!(tale.status(), FixStatus::Verifying);
    tale
}

fn refused(tale: &Tale, said: Decision) -> Code {
    tale.tries(&Event::Decided(said)).map(|step| step.effects).unwrap_err().code
}

#[test]
fn what_the_policy_lets_run_needs_nobody_and_is_marked_but_never_at_high_risk() {
    let tale = pending(draft(Risk::Low, Policy::Auto, vec![careful()]));
    assert_eq!((tale.status(), tale.state.fix.by_policy, tale.state.fix.quorum), (FixStatus::Approved, true, 0));
    let high = pending(Draft { quorum: 0, ..draft(Risk::High, Policy::Auto, vec![careful()]) });
    assert_eq!((high.status(), high.state.fix.policy), (FixStatus::Pending, Policy::Approve));
}

#[test]
fn an_approval_is_refused_to_whoever_proposed_owns_saw_another_plan_or_came_late() {
    let mut tale = pending(draft(Risk::Medium, Policy::Approve, vec![careful()]));
    let yes = |by: &str| decision(FixVerb::Approve, by);
    assert_eq!(refused(&tale, yes("p0")), Code::OwnProposal);
    assert_eq!(refused(&tale, yes("P1")), Code::OwnProposal);
    assert_eq!(refused(&tale, Decision { plan_digest: Some("d2".into()), ..yes("p2") }), Code::PlanChanged);
    assert_eq!(refused(&tale, Decision { plan_digest: None, ..yes("p2") }), Code::PlanChanged);
    assert_eq!(refused(&tale, Decision { role: Role::Responder, ..yes("p2") }), Code::Forbidden);
    tale.wait(15 * MINUTE);
    assert_eq!(refused(&tale, yes("p2")), Code::IllegalTransition);
}

#[test]
fn one_person_is_counted_once_and_a_yes_taken_back_not_at_all() {
    let mut tale = pending(draft(Risk::High, Policy::Approve, vec![careful()]));
    tale.tell(&Event::Decided(decision(FixVerb::Approve, "p2")));
    let again = tale.tell(&Event::Decided(decision(FixVerb::Approve, "P2")));
    assert_eq!((again.effects, tale.state.fix.approvals.len()), (Vec::new(), 1));
    tale.tell(&Event::Decided(decision(FixVerb::Approve, "p3")));
    assert_eq!(tale.status(), FixStatus::Approved);
    let by = tale.state.fix.approve_by;
    tale.tell(&Event::Decided(decision(FixVerb::Withdraw, "p2")));
    assert_eq!((tale.status(), tale.state.fix.execute_by, tale.state.fix.approve_by), (FixStatus::Pending, None, by));
}

#[test]
fn another_dry_run_keeps_approvals_and_gives_no_more_time() {
    let mut tale = pending(draft(Risk::High, Policy::Approve, vec![careful()]));
    tale.tell(&Event::Decided(decision(FixVerb::Approve, "p2")));
    let by = tale.state.fix.approve_by;
    tale.wait(5 * MINUTE).tell(&Event::Decided(decision(FixVerb::DryRun, "p3")));
    tale.tell(&Event::Rehearsed(Ok(Vec::new())));
    assert_eq!((tale.status(), tale.state.fix.approve_by, tale.state.fix.approvals.len()), (FixStatus::Pending, by, 1));
}

#[test]
fn dry_runs_do_not_follow_one_another() {
    let mut tale = pending(draft(Risk::High, Policy::Approve, vec![careful()]));
    tale.tell(&Event::Decided(decision(FixVerb::DryRun, "p3")));
    tale.wait(5 * MINUTE).tell(&Event::Rehearsed(Ok(Vec::new())));
    let refusal = tale.wait(MINUTE - 1).tries(&Event::Decided(decision(FixVerb::DryRun, "p4"))).unwrap_err();
    assert_eq!(refusal.code, Code::IllegalTransition);
    assert!(refusal.why.contains("a moment ago; ask again in 0s"), "{}", refusal.why);
    tale.wait(1).tell(&Event::Decided(decision(FixVerb::DryRun, "p4")));
    assert_eq!(tale.status(), FixStatus::Proposed);
}

#[test]
fn the_single_person_of_a_server_is_enough_and_the_row_says_so() {
    let mut tale = pending(draft(Risk::High, Policy::Approve, vec![careful()]));
    tale.tell(&Event::Decided(Decision { single_person: true, ..decision(FixVerb::Approve, "p0") }));
    assert_eq!((tale.status(), tale.state.fix.approvals[0].single_person), (FixStatus::Approved, true));
    tale.claim();
    assert_eq!(tale.status(), FixStatus::Running);
}

#[test]
fn a_claim_looks_at_everything_again() {
    let mut tale = pending(draft(Risk::Medium, Policy::Approve, vec![careful()]));
    tale.tell(&Event::Decided(decision(FixVerb::Approve, "p2")));
    let code = |tale: &Tale, change: fn(&mut Event)| {
        let mut event = claim(&tale.state, tale.now);
        change(&mut event);
        tale.tries(&event).map(|step| step.effects).unwrap_err().code
    };
    let digest = |event: &mut Event| {
        if let Event::Claimed { plan_digest, .. } = event {
            *plan_digest = "d2".into();
        }
    };
    let shut = |event: &mut Event| {
        if let Event::Claimed { gates, .. } = event {
            *gates = Err("in maintenance".into());
        }
    };
    let stale = |event: &mut Event| {
        if let Event::Claimed { fence, .. } = event {
            *fence = 0;
        }
    };
    assert_eq!(
        [code(&tale, digest), code(&tale, shut), code(&tale, stale)],
        [Code::PlanChanged, Code::FixesOff, Code::VersionConflict]
    );
    tale.wait(10 * MINUTE);
    assert_eq!(code(&tale, |_| ()), Code::IllegalTransition);
}

#[test]
fn a_lease_is_capped_and_who_lost_it_is_fenced() {
    let mut tale = Tale::running(vec![careful()]);
    let fence = tale.state.work.fence;
    tale.tell(&Event::Renewed { fence, until: at(tale.now + 10 * MINUTE) });
    assert_eq!(tale.state.work.lease_until, Some(at(tale.now + 30_000)));
    tale.intend();
    tale.wait(31_000).claim();
    assert_eq!((states(&tale), tale.state.work.fence), (vec![StepState::Begun], fence + 1));
    for event in [
        Event::Renewed { fence, until: at(tale.now + 30_000) },
        Event::Intended { fence },
        Event::Performed { fence, outcome: done() },
        Event::Probed { fence, said: Said::Done("yes".into()) },
        Event::Watched { fence, verdict: Verdict::Holds },
    ] {
        let refusal = tale.tries(&event).unwrap_err();
        assert!(refusal.code == Code::VersionConflict && refusal.why.starts_with("fenced"), "{refusal:?}");
    }
    tale.probe(Said::NotDone("no".into()));
    assert_eq!(states(&tale), [StepState::Waiting]);
}

#[test]
fn no_effect_begins_after_the_lease_is_over() {
    let mut tale = Tale::running(vec![careful()]);
    let refusal = tale.wait(31_000).tries(&Event::Intended { fence: 1 }).unwrap_err();
    assert_eq!(refusal.code, Code::VersionConflict);
}

#[test]
fn a_clean_failure_is_tried_again_as_often_as_the_plan_says() {
    let mut tale = Tale::running(vec![careful(), PlanStep { retries: 2, ..careful() }]);
    tale.does(done());
    for _ in 0..2 {
        tale.does(clean());
        assert_eq!(states(&tale), [StepState::Done, StepState::Waiting]);
    }
    tale.does(clean());
    assert_eq!((tale.status(), tale.state.work.at, tale.state.fix.steps[1].attempt), (FixStatus::Undoing, 0, 3));
    let last = tale.does(done());
    assert_eq!(states(&tale), [StepState::Undone, StepState::Failed]);
    assert!(
        tale.status() == FixStatus::RolledBack && matches!(last.effects[..], [Effect::Changed(_), Effect::Suppress(_)])
    );
}

#[test]
fn an_undo_has_the_tries_of_its_step_anew() {
    let mut tale = Tale::running(vec![PlanStep { retries: 1, ..careful() }, careful()]);
    tale.does(clean());
    tale.does(done());
    tale.does(clean());
    tale.does(clean());
    assert_eq!((tale.status(), tale.state.fix.steps[0].attempt), (FixStatus::Undoing, 1));
    tale.does(done());
    assert_eq!(tale.status(), FixStatus::RolledBack);
}

#[test]
fn the_first_step_failing_leaves_nothing_done() {
    let mut tale = Tale::running(vec![careful()]);
    tale.does(clean());
    assert_eq!((tale.status(), tale.state.fix.stays.len()), (FixStatus::Failed, 0));
    assert!(tale.state.fix.result.raw().ends_with("nothing was done"), "{:?}", tale.state.fix.result);
}

#[test]
fn what_has_no_undo_stays_and_is_named_while_the_rest_is_taken_back() {
    let mut tale = Tale::running(vec![careful(), reckless(), careful()]);
    tale.does(done());
    tale.does(done());
    tale.does(clean());
    assert_eq!((tale.status(), tale.state.work.at), (FixStatus::Undoing, 0));
    tale.does(done());
    assert_eq!(tale.status(), FixStatus::Failed);
    assert_eq!(tale.state.fix.stays, [Text::from("step 2, mail: done, nothing takes it back")]);
}

#[test]
fn an_unknown_outcome_goes_on_again_or_into_doubt_as_row_10_says() {
    let done_words = || Said::Done("yes".into());
    let not = || Said::NotDone("no".into());
    let cannot = || Said::CannotTell("who knows".into());
    let once = PlanStep { idempotent: false, ..probed() };
    let cases = [
        (probed(), done_words(), FixStatus::Verifying, StepState::Done),
        (probed(), not(), FixStatus::Running, StepState::Waiting),
        (probed(), cannot(), FixStatus::InDoubt, StepState::Unknown),
        (once.clone(), done_words(), FixStatus::Verifying, StepState::Done),
        (once.clone(), not(), FixStatus::InDoubt, StepState::Unknown),
        (once, cannot(), FixStatus::InDoubt, StepState::Unknown),
        (careful(), cannot(), FixStatus::Running, StepState::Waiting),
        (reckless(), cannot(), FixStatus::InDoubt, StepState::Unknown),
    ];
    for (number, (plan, said, status, open)) in cases.into_iter().enumerate() {
        for crashed in [false, true] {
            let mut tale = Tale::running(vec![plan.clone()]);
            tale.intend();
            if crashed {
                tale.wait(31_000).claim();
            } else {
                tale.perform(unknown());
            }
            tale.probe(said.clone());
            assert_eq!((tale.status(), states(&tale)), (status, vec![open]), "case {number}, crashed {crashed}");
        }
    }
}

#[test]
fn a_document_needs_no_probe_of_its_own_and_may_be_written_again() {
    let delete = stella_protocol::fix::DocumentAct {
        collection: "c".into(),
        id: "d".into(),
        change: stella_protocol::fix::DocumentChange::Delete,
    };
    let act = stella_protocol::fix::Act::Document(delete);
    let step = PlanStep { act, undo: Some(Undo::Restore), idempotent: false, ..careful() };
    let mut tale = Tale::running(vec![step.clone()]);
    tale.does(unknown());
    tale.probe(Said::NotDone("still there".into()));
    assert_eq!(states(&tale), [StepState::Waiting]);
    let mut tale = Tale::running(vec![step]);
    tale.does(unknown());
    tale.probe(Said::CannotTell("neither before nor after".into()));
    assert_eq!(tale.status(), FixStatus::InDoubt);
}

#[test]
fn what_never_answers_is_not_tried_for_ever() {
    let mut tale = Tale::running(vec![probed()]);
    let mut tries = 0;
    while tale.status() == FixStatus::Running {
        tale.does(unknown());
        tale.probe(Said::NotDone("no".into()));
        tries += 1;
        assert!(tries < 10);
    }
    assert_eq!((tale.status(), tries), (FixStatus::Failed, 4));
}

#[test]
fn a_stop_waits_for_the_step_under_way_and_then_takes_back() {
    let mut tale = Tale::running(vec![careful(), careful(), careful()]);
    tale.does(done());
    tale.intend();
    tale.tell(&Event::Decided(decision(FixVerb::Stop, "p3")));
    assert_eq!(tale.status(), FixStatus::Running);
    assert_eq!(tale.tell(&Event::Stopped("again".into())).effects, []);
    tale.perform(done());
    assert_eq!((tale.status(), tale.state.work.at), (FixStatus::Undoing, 1));
    tale.does(done());
    tale.does(done());
    assert_eq!(states(&tale), [StepState::Undone, StepState::Undone, StepState::Waiting]);
    assert!(tale.state.fix.result.raw().contains("stopped by p3: because"), "{:?}", tale.state.fix.result);
}

#[test]
fn a_stopped_step_is_neither_tried_again_nor_repeated_after_an_unknown_outcome() {
    for outcome in [clean(), unknown()] {
        let mut tale = Tale::running(vec![PlanStep { retries: 5, ..probed() }]);
        tale.intend();
        tale.tell(&Event::Stopped("switch".into()));
        tale.perform(outcome.clone());
        if outcome == unknown() {
            tale.probe(Said::NotDone("no".into()));
        }
        assert_eq!((tale.status(), states(&tale)), (FixStatus::Failed, vec![StepState::Failed]));
    }
}

#[test]
fn it_is_executed_once_its_verification_held_without_a_break() {
    let mut tale = verifying(vec![careful()]);
    assert_eq!(tale.watch(Verdict::Holds).effects, [Effect::Renewed]);
    tale.wait(30_000).watch(Verdict::Broken("spike".into()));
    tale.wait(40_000).watch(Verdict::Holds);
    assert_eq!(tale.status(), FixStatus::Verifying, "the break began it anew");
    let end = tale.wait(MINUTE).watch(Verdict::Holds);
    assert_eq!((tale.status(), end.effects[1..].to_vec()), (FixStatus::Executed, vec![Effect::ResolveAlert]));
}

#[test]
fn what_cannot_be_told_yet_neither_holds_nor_fails() {
    let mut tale = verifying(vec![careful()]);
    tale.watch(Verdict::Holds);
    tale.wait(MINUTE).watch(Verdict::Early("silent for a moment".into()));
    tale.wait(60 * MINUTE).watch(Verdict::Early("silent for longer".into()));
    assert_eq!((tale.status(), tale.state.work.holds_since), (FixStatus::Verifying, None));
    tale.watch(Verdict::Broken("a match".into()));
    assert_eq!(tale.status(), FixStatus::Undoing);
}

#[test]
fn what_nobody_can_watch_is_executed_says_so_and_resolves_nothing() {
    let mut tale = verifying(vec![careful()]);
    let end = tale.watch(Verdict::Unwatched("no alert".into()));
    assert_eq!((tale.status(), end.effects), (FixStatus::Executed, vec![Effect::Changed("execute")]));
    assert_eq!(tale.state.fix.result.raw(), "not watched: no alert");
    assert_eq!(tale.state.work.unwatched, Some("no alert".into()));
}

#[test]
fn time_in_which_nobody_looked_does_not_count_as_held() {
    let mut tale = verifying(vec![careful()]);
    tale.watch(Verdict::Holds);
    tale.wait(2 * MINUTE).claim();
    assert_eq!(tale.watch(Verdict::Holds).effects, [Effect::Renewed]);
}

#[test]
fn a_failed_verification_takes_all_back_or_nothing() {
    let mut tale = verifying(vec![careful(), careful()]);
    tale.wait(5 * MINUTE).watch(Verdict::Broken("still slow".into()));
    assert_eq!((tale.status(), tale.state.work.at), (FixStatus::Undoing, 1));
    let mut tale = verifying(vec![careful(), reckless()]);
    tale.wait(5 * MINUTE).watch(Verdict::Broken("still slow".into()));
    assert_eq!(tale.status(), FixStatus::Failed);
    assert_eq!(tale.state.fix.stays, [Text::from("step 2, mail: done"), Text::from("step 1, restart: done")]);
}

#[test]
fn a_plan_without_a_verification_is_verified_by_its_steps() {
    let mut plan = draft(Risk::Low, Policy::Auto, vec![careful()]);
    plan.plan.verification = None;
    let mut tale = pending(plan);
    tale.claim();
    tale.does(done());
    tale.watch(Verdict::Holds);
    assert_eq!(tale.status(), FixStatus::Executed);
}

#[test]
fn a_rollback_needs_its_target_as_the_fix_left_it_and_a_claim_of_its_own() {
    let mut tale = verifying(vec![careful(), careful()]);
    tale.watch(Verdict::Holds);
    tale.wait(MINUTE).watch(Verdict::Holds);
    let fence = tale.state.work.fence;
    let back = decision(FixVerb::Rollback, "p2");
    let refusal = tale.tries(&Event::Decided(Decision { changed: vec!["doc 7".into()], ..back.clone() })).unwrap_err();
    assert!(refusal.code == Code::TargetChanged && refusal.why.contains("doc 7"), "{refusal:?}");
    assert_eq!(refused(&tale, Decision { plan_digest: Some("d2".into()), ..back.clone() }), Code::PlanChanged);
    tale.tell(&Event::Decided(back));
    assert_eq!(tale.tries(&Event::Intended { fence }).unwrap_err().code, Code::VersionConflict, "nobody holds it");
    tale.claim();
    tale.does(done());
    tale.does(done());
    assert_eq!(tale.status(), FixStatus::RolledBack);
}

#[test]
fn an_undo_that_fails_says_all_that_stays_and_waits_for_an_admin_with_a_statement() {
    let mut tale = verifying(vec![careful(), careful()]);
    tale.tell(&Event::Stopped("guard".into()));
    tale.does(clean());
    assert_eq!(tale.status(), FixStatus::RollbackFailed);
    assert_eq!((tale.state.fix.stays.len(), tale.state.fix.ended_at), (2, None));
    let close = decision(FixVerb::Close, "p2");
    assert_eq!(refused(&tale, Decision { role: Role::Approver, ..close.clone() }), Code::Forbidden);
    assert_eq!(refused(&tale, Decision { text: "  ".into(), ..close.clone() }), Code::BadBody);
    tale.tell(&Event::Decided(close));
    assert!(tale.state.fix.ended_at.is_some() && tale.state.fix.result.raw().ends_with("because"));
}

#[test]
fn a_long_trail_keeps_its_beginning_and_its_end() {
    let mut tale = pending(draft(Risk::High, Policy::Approve, vec![careful()]));
    for _ in 0..50 {
        tale.tell(&Event::Decided(decision(FixVerb::Approve, "p2")));
        tale.tell(&Event::Decided(decision(FixVerb::Withdraw, "p2")));
    }
    let trail = &tale.state.fix.trail;
    assert_eq!((trail.len(), tale.state.fix.version), (64, 102));
    assert_eq!((trail[0].at, trail[31].at, trail[63].at), (at(0), at(31_000), at(101_000)));
}
