//! An address that tries what is not its own: call after call fails, for one account after the other, for
//! none, or for one thing after the other under one account, while others get on.
//!
//! Sign-ins have rules of their own; one person's failures are friction. When others fail as well, that
//! is an outage.

use rustc_hash::FxHashMap;
use stella_protocol::{AlertType, Category, LogEvent, Measure, Severity, Untrusted};

use crate::budget::Kind;
use crate::cells::Cells;
use crate::evidence::{Card, Case, Story, several, words};
use crate::gate::Gate;
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::llr::outcome;
use crate::mark::{Flags, Mark, says};
use crate::rules::security::Door;
use crate::rules::{Known, Rules};
use crate::scope::{OpName, Scope};

const CARD: Card = Card { id: "probe.address", kind: AlertType::SecurityAnomaly, category: Category::Security };
/// Its rule.
pub(crate) const RULE: &str = CARD.id;

/// Share of a prober's calls that fail, and the part of it that must be seen: the sum alone would in time notice
/// anybody who fails more than others, as whose every second call is tried again.
const PROBE: f64 = 0.9;
const SEEN: f64 = 0.8;
/// Fewest failures: half a page of names is a mistake, a list of them is not.
const FEWEST: u32 = 10;
/// Fewest accounts in whose names they come, where any are named, and the part of the failures that one of them may
/// have: what is more is one person behind a shared address who cannot get on.
const ACCOUNTS: usize = 3;
const ONE_ACCOUNT: f64 = 0.5;
/// Under one account it is a walk when it goes on for so many refusals, each worded otherwise than the one before: nobody
/// opens so many wrong things by hand, and a client that is stuck asks for the same thing again.
const WALKED: u16 = 25;
/// What a refusal says, in its class or its words; a call that breaks on its way says nothing of who calls.
const REFUSED: [&str; 9] =
    ["denied", "forbidden", "not allowed", "unauthorized", "permission", "not found", "notfound", "no such", "unknown"];
/// Of all failing calls of the operation in that time, the part that must come from the address.
const OWN_PART: f64 = 0.8;
/// It is weighed at every so many failures: a walk through the lines each.
const WEIGHED_EACH: u32 = 5;
/// Failures from which it is high.
const HIGH_FAILURES: f64 = 50.0;

/// Calls from an address.
#[derive(Debug, Default)]
struct Caller {
    door: Door,
    /// What the last refusal said, and how many since the suspicion began said something else than the one before.
    words: u64,
    walked: u16,
}

impl Caller {
    /// Notes what a failure says.
    fn hear(&mut self, event: &LogEvent<'_>) {
        if self.door.failures() <= 1 {
            self.walked = 0;
        }
        let words = event.message.raw();
        let class = event.error_type.as_ref().map_or("", Untrusted::raw);
        let refused = |said: &&str| says(class.as_bytes(), said.as_bytes()) || says(words.as_bytes(), said.as_bytes());
        if REFUSED.iter().any(refused) {
            let words = key::of(words);
            self.walked = self.walked.saturating_add(u16::from(words != self.words));
            self.words = words;
        }
    }
}

/// Every address whose calls failed lately.
#[derive(Debug)]
pub(crate) struct Probes {
    cells: Cells<Caller>,
}

pub(crate) fn key_of(addr: u64) -> u64 {
    key::join(&[key::own(CARD.id), addr])
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
            if let Some(caller) = self.cells.touch(mark.addr) {
                caller.door.succeed(outcome(false, usual, PROBE).min(0.0), mark.user, mark.at);
            }
            return;
        }
        let key = key_of(mark.addr);
        if self.cells.get(mark.addr).is_none() && !gate.knows(key, mark.at) {
            return;
        }
        let caller = self.cells.touch_or(mark.addr, Caller::default);
        let door = &mut caller.door;
        door.knows(mark.user);
        door.fail(outcome(true, usual, PROBE).max(0.0), mark.at);
        let (failures, began) = (door.failures(), door.began());
        let seen = failures >= FEWEST && door.failing() >= SEEN * PROBE;
        let enough = seen && door.score() >= near.needed(Kind::Errors, Known::Probe, mark.op);
        let several = mark.user == key::NONE || door.counterparties() >= ACCOUNTS;
        if !several {
            caller.hear(event);
        }
        let walks = caller.walked >= WALKED;
        let weighed = enough && failures.is_multiple_of(WEIGHED_EACH) && (several || walks);
        if desk.touch(key, mark.at) || !weighed {
            return;
        }
        let errors = Scope::of_op(&cell.name).errors();
        let (marks, _) = near.recent.walk(&errors, near.recent.span_from(began));
        let own: Vec<&Mark> = marks.iter().filter(|failed| failed.addr == mark.addr).copied().collect();
        let (first, count) = (own.first().map_or(mark.at, |failed| failed.at), own.len());
        let theirs = walks || f64::from(of_one_account(&own)) <= ONE_ACCOUNT * count as f64;
        if theirs && count as f64 >= OWN_PART * marks.len() as f64 {
            self.cells.promote(mark.addr);
            desk.explain(|subject| matches!(subject, Subject::Spike(op) if op.key() == mark.op));
            let subject = Subject::Probe { op: cell.name.clone(), addr: addr.into() };
            desk.open(near, key, subject, first, count as u64);
        }
    }
}

/// The most lines that name one account.
fn of_one_account(marks: &[&Mark]) -> u32 {
    let mut counts: FxHashMap<u64, u32> = FxHashMap::default();
    for mark in marks.iter().filter(|mark| mark.user != key::NONE) {
        *counts.entry(mark.user).or_default() += 1;
    }
    counts.into_values().max().unwrap_or(0)
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

keep_fields!(Caller { door, words, walked });
keep_fields!(Probes { cells });
