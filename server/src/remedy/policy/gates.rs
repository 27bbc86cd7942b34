//! What a decision depends on, as a row of gates: each open or shut, with the reason.
//!
//! What only a console can know (whether its feed is live) and what only the world can say (whether a
//! target differs since it was proposed) is added by whoever knows it.

use sha2::{Digest, Sha256};
use stella_protocol::fix::{Approval, FixPlan, FixVerb, Gate, GateState};
use stella_protocol::{Fix, FixStatus, Principal, Text, Timestamp};

use super::{Standing, in_maintenance, lacks_fence, quorum, stands, suppressed, switched_off, taken_by_other};
use crate::remedy::FixState;
use crate::remedy::machine::words::{left, plain};
use crate::remedy::machine::{role_for, same};

/// Everything that a decision by `me` depends on, open or shut.
pub fn gates(state: &FixState, me: &Principal, standing: Standing<'_>, now: Timestamp) -> Vec<Gate> {
    let fix = &state.fix;
    let target = &fix.plan.target;
    let mut gates =
        vec![plan(fix), not_mine(state, me, standing), role(me), approvals(fix, me, standing), time(fix, now)];
    let mut look = |shut: Option<String>, open: &str| gates.push(either(shut, open));
    look(taken_by_other(fix, standing.fixes), "nothing else is open for its target");
    look(switched_off(standing.remedy), "fixes are switched on");
    look(in_maintenance(target, standing.remedy, now), "no maintenance of its target now");
    look(suppressed(&fix.definition_id, target, standing.remedy), "not suppressed for its target");
    look(lacks_fence(&fix.plan), "no late effect of a lost executor, or its risk is high");
    if standing.remedy.single_person {
        gates.push(warning("one person runs this server: one approval is enough, marked so"));
    }
    gates
}

fn plan(fix: &Fix) -> Gate {
    let short: String = plain(&fix.plan_digest).chars().take(8).collect();
    let bound = fix.approvals.iter().all(|approval| approval.plan_digest == fix.plan_digest);
    let kept = digest(&fix.plan).is_some_and(|digest| digest == fix.plan_digest.raw());
    match (kept, bound) {
        (true, true) => open(format!("plan {short} is what was proposed, byte for byte")),
        (false, _) => shut(format!("the plan kept is not the one that {short} names; propose it again")),
        (true, false) => shut(format!("an approval is not of plan {short}; propose it again")),
    }
}

/// SHA-256 of the canonical plan, hex.
pub(super) fn digest(plan: &FixPlan) -> Option<String> {
    let canonical = serde_json::to_value(plan).ok()?.to_string();
    Some(format!("{:x}", Sha256::digest(canonical.as_bytes())))
}

fn not_mine(state: &FixState, me: &Principal, standing: Standing<'_>) -> Gate {
    let by = plain(&state.fix.proposed_by);
    let why = if same(&me.name, &state.fix.proposed_by) {
        "you proposed it"
    } else if same(&me.name, &state.work.owner) {
        "you answer for its definition"
    } else {
        return open(format!("not your own: proposed by {by}"));
    };
    if standing.remedy.single_person {
        warning(&format!("{why}; you may approve it, since one person runs this server"))
    } else {
        shut(format!("{why}; somebody else has to approve it"))
    }
}

fn role(me: &Principal) -> Gate {
    let (wanted, role) = (role_for(FixVerb::Approve), me.role.word());
    if me.role.allows(wanted) {
        open(format!("your role {role} may approve"))
    } else {
        shut(format!("your role is {role}; approving needs {}", wanted.word()))
    }
}

fn approvals(fix: &Fix, me: &Principal, standing: Standing<'_>) -> Gate {
    if fix.by_policy {
        return open("approved by policy: its dry run was good and its figures hold".to_owned());
    }
    let by_risk = quorum(fix.risk, standing.remedy.single_person);
    let need = if standing.remedy.single_person { by_risk } else { fix.quorum.max(by_risk) };
    let have = format!("{} of {need} approvals{}", fix.approvals.len(), names(&fix.approvals));
    match fix.status {
        FixStatus::Pending if fix.approvals.iter().any(|approval| same(&approval.by, &me.name)) => {
            warning(&format!("{have}; yours is among them, others have to follow"))
        }
        FixStatus::Pending => open(have),
        FixStatus::Proposed => shut(format!("{have}; its dry run is under way, wait for its end")),
        _ => shut(format!("{have}; it is {}, not waiting for any", stands(fix))),
    }
}

fn names(approvals: &[Approval]) -> String {
    let name = |approval: &Approval| {
        let mark = match (approval.simulated, approval.single_person) {
            (true, _) => " (simulated)",
            (false, true) => " (single person)",
            (false, false) => "",
        };
        format!("{}{mark}", plain(&approval.by))
    };
    let names: Vec<String> = approvals.iter().map(name).collect();
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

fn time(fix: &Fix, now: Timestamp) -> Gate {
    let until = |end: Timestamp, what: &str| {
        if now < end {
            open(format!("{} left to {what}", left(now, end)))
        } else {
            shut(format!("the time to {what} is over; propose it again"))
        }
    };
    match (fix.status, fix.execute_by) {
        (FixStatus::Approved, Some(end)) => until(end, "begin it"),
        (FixStatus::Proposed | FixStatus::Pending, _) => until(fix.approve_by, "approve it"),
        _ => shut(format!("it is {}: nothing of it waits for an approval", stands(fix))),
    }
}

fn either(why_shut: Option<String>, why_open: &str) -> Gate {
    why_shut.map_or_else(|| open(why_open.to_owned()), shut)
}

fn open(text: String) -> Gate {
    Gate { state: GateState::Open, text: Text::from(text) }
}

pub(super) fn warning(text: &str) -> Gate {
    Gate { state: GateState::Warning, text: Text::from(text.to_owned()) }
}

pub(super) fn shut(text: String) -> Gate {
    Gate { state: GateState::Shut, text: Text::from(text) }
}
