//! What becomes of done steps when a fix does not go well, told from its plan and its steps.
//!
//! The server does it (4.2, rows 9, 11, 13 and 15); the words of the console and of the command line
//! follow from here, so that nobody says yes to a promise that the server does not keep. Asks nobody.

use stella_protocol::FixStatus;
use stella_protocol::fix::{Fix, FixPlan, FixStep, PlanStep, StepState};

/// What follows when its steps are done and it does not help, or is stopped then: all or nothing.
pub fn else_words(plan: &FixPlan) -> &'static str {
    if plan.steps.iter().all(|step| step.undo.is_some()) {
        "taken back"
    } else {
        "it stays done and counts as failed; nothing is taken back"
    }
}

/// What its guard does unless `check` holds: before the last step is done what has an undo is taken
/// back, afterwards all or nothing.
pub fn guard(plan: &FixPlan, check: &str) -> String {
    let undos = plan.steps.iter().filter(|step| step.undo.is_some()).count();
    match undos {
        all if all == plan.steps.len() => format!("stopped and taken back unless {check}"),
        0 => format!("stopped unless {check}; what was done stays done and it counts as failed"),
        _ => format!(
            "stopped unless {check}; between its steps what has an undo is taken back, after the last one nothing is"
        ),
    }
}

/// What a stop would put back now. Empty: it does not run.
pub fn stop(fix: &Fix) -> String {
    let is_kept = |at: usize| fix.plan.steps.get(at).is_none_or(|planned| planned.undo.is_none());
    let done: Vec<usize> = (0..fix.steps.len()).filter(|at| is_done(&fix.steps[*at])).collect();
    match fix.status {
        FixStatus::Verifying => after_the_last(&done, is_kept),
        FixStatus::Running => {
            let under_way = |step: &FixStep| matches!(step.state, StepState::Begun | StepState::Unknown);
            let Some(at) = fix.steps.iter().position(under_way) else { return between(&done, is_kept) };
            let with_it: Vec<usize> = done.iter().copied().chain([at]).collect();
            let last = at + 1 == fix.steps.len();
            let then = if last { after_the_last(&with_it, is_kept) } else { between(&with_it, is_kept) };
            // A last step that fails is no last step done: what came before is taken back after all.
            let is_split = last && with_it.iter().any(|at| is_kept(*at)) && !done.iter().all(|at| is_kept(*at));
            let fails = if is_split { format!("; if it fails: {}", between(&done, is_kept)) } else { String::new() };
            format!("after step {}: {then}{fails}", at + 1)
        }
        _ => String::new(),
    }
}

/// All or nothing: with its last step done nothing is taken back in part.
fn after_the_last(done: &[usize], is_kept: impl Fn(usize) -> bool) -> String {
    if done.iter().any(|at| is_kept(*at)) {
        format!("takes nothing back, {}", stay(done.len()))
    } else {
        back(done.len())
    }
}

fn between(done: &[usize], is_kept: impl Fn(usize) -> bool) -> String {
    let kept = done.iter().filter(|at| is_kept(**at)).count();
    match (done.len(), kept) {
        (0, _) => "nothing was done yet".to_owned(),
        (all, 0) => back(all),
        (all, kept) if all == kept => format!("takes nothing back, {}", stay(all)),
        (all, kept) => format!("{}, {}", back(all - kept), stay(kept)),
    }
}

/// `takes back 1 step`.
pub fn back(count: usize) -> String {
    if count == 1 { "takes back 1 step".to_owned() } else { format!("takes back {count} steps") }
}

fn stay(count: usize) -> String {
    if count == 1 { "1 stays done".to_owned() } else { format!("{count} stay done") }
}

/// True when a done step has an undo: else a rollback has nothing to do.
pub fn can_undo_any(fix: &Fix) -> bool {
    pairs(fix).any(|(step, planned)| is_done(step) && planned.undo.is_some())
}

fn pairs(fix: &Fix) -> impl Iterator<Item = (&FixStep, &PlanStep)> {
    fix.steps.iter().zip(&fix.plan.steps)
}

fn is_done(step: &FixStep) -> bool {
    step.state == StepState::Done
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A fix whose steps have an undo or none, and stand so.
    fn fix(status: &str, steps: &[(bool, &str)]) -> Fix {
        let at = "2026-01-01T02:05:00.000Z";
        let planned = |(has_undo, _): &(bool, &str)| {
            let act = json!({"kind": "argv", "program": "/bin/true", "arguments": [], "timeoutMs": 1000});
            let mut step = json!({"title": "do it", "act": act});
            if *has_undo {
                step["undo"] = json!({"how": "restore"});
            }
            step
        };
        let plans: Vec<Value> = steps.iter().map(planned).collect();
        let stand: Vec<Value> = steps.iter().map(|(_, state)| json!({"state": state})).collect();
        serde_json::from_value(json!({
            "id": "fx-1", "definitionId": "d", "title": "t", "risk": "low", "policy": "approve", "planDigest": "00",
            "proposedBy": "rule:d", "proposedAt": at, "status": status, "quorum": 1, "approveBy": at, "version": 1,
            "steps": stand, "plan": {
                "definitionId": "d", "definitionDigest": "00", "risk": "low", "policy": "approve", "target": "a:b",
                "parameters": [], "steps": plans
            }
        }))
        .unwrap()
    }

    #[test]
    fn a_plan_is_taken_back_only_when_every_step_has_an_undo() {
        let plan = |undos: &[bool]| fix("pending", &undos.iter().map(|has| (*has, "waiting")).collect::<Vec<_>>()).plan;
        assert_eq!(else_words(&plan(&[true, true])), "taken back");
        let stays = "it stays done and counts as failed; nothing is taken back";
        assert_eq!([&[false][..], &[true, false], &[false, true]].map(|undos| else_words(&plan(undos))), [stays; 3]);
        assert_eq!(guard(&plan(&[true]), "x"), "stopped and taken back unless x");
        assert_eq!(guard(&plan(&[false]), "x"), "stopped unless x; what was done stays done and it counts as failed");
        assert!(guard(&plan(&[true, false]), "x").ends_with("after the last one nothing is"));
    }

    #[test]
    fn a_stop_says_what_it_would_put_back() {
        for (status, steps, said) in [
            ("verifying", &[(true, "done"), (true, "done")][..], "takes back 2 steps"),
            ("verifying", &[(true, "done"), (false, "done")], "takes nothing back, 2 stay done"),
            ("running", &[(true, "waiting"), (true, "waiting")], "nothing was done yet"),
            ("running", &[(true, "done"), (true, "waiting")], "takes back 1 step"),
            ("running", &[(true, "done"), (false, "done"), (true, "waiting")], "takes back 1 step, 1 stays done"),
            ("running", &[(false, "done"), (true, "waiting")], "takes nothing back, 1 stays done"),
            ("running", &[(false, "begun"), (true, "waiting")], "after step 1: takes nothing back, 1 stays done"),
            ("running", &[(true, "done"), (true, "begun")], "after step 2: takes back 2 steps"),
            (
                "running",
                &[(true, "done"), (false, "unknown")],
                "after step 2: takes nothing back, 2 stay done; if it fails: takes back 1 step",
            ),
            ("running", &[(false, "done"), (true, "begun")], "after step 2: takes nothing back, 2 stay done"),
            ("pending", &[(true, "waiting")], ""),
        ] {
            assert_eq!(stop(&fix(status, steps)), said, "{status} {steps:?}");
        }
    }

    #[test]
    fn a_rollback_has_something_to_do_only_where_a_done_step_has_an_undo() {
        assert!(can_undo_any(&fix("failed", &[(false, "done"), (true, "done")])));
        assert!(!can_undo_any(&fix("executed", &[(false, "done")])));
        assert!(!can_undo_any(&fix("failed", &[(false, "done"), (true, "undone"), (true, "waiting")])));
    }
}
