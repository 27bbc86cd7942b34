//! An address that tries what is not its own: call after call fails, for one account after the other or for
//! none, while others get on.
//!
//! Sign-ins have rules of their own; one person's failures are friction. When others fail as well, that
//! is an outage.

use stella_protocol::{AlertType, Category, LogEvent, Measure, Severity, Untrusted};

use crate::budget::Kind;
use crate::cells::Cells;
use crate::evidence::{Card, Case, Story, several, words};
use crate::gate::Gate;
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::llr::outcome;
use crate::mark::{Flags, Mark};
use crate::rules::security::Door;
use crate::rules::{Known, Rules};
use crate::scope::{OpName, Scope};

const CARD: Card = Card { id: "probe.address", kind: AlertType::SecurityAnomaly, category: Category::Security };
/// Its rule.
pub(crate) const RULE: &str = CARD.id;

/// Share of a prober's calls that fail.
const PROBE: f64 = 0.9;
/// Fewest failures: half a page of names is a mistake, a list of them is not.
const FEWEST: u32 = 10;
/// Fewest accounts in whose names they come, where any are named.
const ACCOUNTS: usize = 3;
/// Of all failing calls of the operation in that time, the part that must come from the address.
const OWN_PART: f64 = 0.8;
/// It is weighed at every so many failures: a walk through the lines each.
const WEIGHED_EACH: u32 = 5;
/// Failures from which it is high.
const HIGH_FAILURES: f64 = 50.0;

/// Every address whose calls failed lately.
#[derive(Debug)]
pub(crate) struct Probes {
    cells: Cells<Door>,
}

pub(crate) fn key_of(addr: u64) -> u64 {
    key::join(&[key::of(CARD.id), addr])
}

impl Probes {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.people) }
    }

    /// True for an address whose calls failed lately: what comes from it next counts one by one.
    pub(crate) fn are_watching(&self, addr: u64) -> bool {
        self.cells.get(addr).is_some()
    }

    /// A call from an address, no sign-in.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        near: Near<'_>,
        gate: &mut Gate,
        mark: &Mark,
        event: &LogEvent<'_>,
    ) {
        let Some(addr) = event.remote_addr.as_ref().map(Untrusted::raw) else { return };
        let failed = mark.is_error();
        if !failed && self.cells.is_empty() || addr.len() > key::LONGEST_NAME {
            return;
        }
        let Some(cell) = near.recent.ops.get(mark.op) else { return };
        let usual = cell.faults.expected(near.recent.is_deploying());
        if !failed {
            if let Some(door) = self.cells.touch(mark.addr) {
                door.succeed(outcome(false, usual, PROBE).min(0.0), mark.user, mark.at);
            }
            return;
        }
        let key = key_of(mark.addr);
        if self.cells.get(mark.addr).is_none() && !gate.knows(key, mark.at) {
            return;
        }
        let door = self.cells.touch_or(mark.addr, Door::default);
        door.knows(mark.user);
        door.fail(outcome(true, usual, PROBE).max(0.0), mark.at);
        let (failures, began) = (door.failures(), door.began());
        let accounts = door.counterparties();
        let enough = door.score() >= near.needed(Kind::Errors, Known::Probe, mark.op) && failures >= FEWEST;
        let weighed =
            enough && failures.is_multiple_of(WEIGHED_EACH) && (accounts >= ACCOUNTS || mark.user == key::NONE);
        if desk.touch(key, mark.at) || !weighed {
            return;
        }
        let errors = Scope::of_op(&cell.name).errors();
        let (marks, _) = near.recent.walk(&errors, near.recent.span_from(began));
        let own = marks.iter().filter(|failed| failed.addr == mark.addr);
        let (first, count) = (own.clone().next().map_or(mark.at, |failed| failed.at), own.count());
        if count as f64 >= OWN_PART * marks.len() as f64 {
            self.cells.promote(mark.addr);
            desk.explain(|subject| matches!(subject, Subject::Spike(op) if op.key() == mark.op));
            let subject = Subject::Probe { op: cell.name.clone(), addr: addr.into() };
            desk.open(near, key, subject, first, count as u64);
        }
    }
}

/// Failing calls from one address.
pub(crate) fn tell(case: &Case<'_>, op: &OpName, addr: &str) -> Story {
    let span = case.span(case.rules.security_window_ms);
    let own = Scope::default().at_addr(addr);
    let failed = own.clone().errors();
    let count = case.count("failing calls", &failed, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &failed, &Scope::default().errors(), 1);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        reasons.push(case.reason(0.6, several(count.value, "failing call", "failing calls"), vec![count.clone()]));
    }
    if let Some(users) = case.figure("accounts named", Measure::DistinctUsers, &failed, span) {
        let weight = if users.value > 1.0 { 0.3 } else { -0.1 };
        let text = format!("{} named by them", several(users.value, "account", "different accounts"));
        reasons.push(case.reason(weight, text, vec![users]));
    }
    let all = Scope::of_op(op).lacking(Flags::LOGIN_FAILED);
    if let Some(share) = case.figure("failing lines of everybody", Measure::FailurePercent, &all, span) {
        let text = format!("{} of all lines of {} fail, these included", words(&share), op.word());
        reasons.push(case.reason(-0.1, text, vec![share]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let calls = several(many, "failing call", "failing calls");
    Story {
        card: CARD,
        severity: if many >= HIGH_FAILURES { Severity::High } else { Severity::Medium },
        title: format!("{}: {calls} from {addr}", op.word()),
        summary: format!("{calls} came from {addr} in ten minutes, while others get on."),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: vec![("addr", addr.to_owned())],
        actions: vec![
            "Look at what was asked for: ids in a row are a list being tried".into(),
            format!("Block {addr} at the edge if nobody who belongs here sits behind it"),
            "Check what the calls that succeeded from there gave away".into(),
        ],
        window_ms: case.rules.security_window_ms,
        chart: Some(case.count_chart("failing calls", &failed)),
        scope: failed,
        q: None,
        observed: count,
        usual,
        threshold: Some(f64::from(FEWEST)),
        reasons,
    }
}

keep_fields!(Probes { cells });
