//! Somebody trying to get in: many failed logins from one address, or on one account from many
//! addresses, what the service itself calls locked out, and a success after a run of failures.
//!
//! An address that many people share is known by its successes. Nothing is looked up: an address is
//! a text, an account is a text.

use stella_protocol::{AlertType, Category, LogEvent, Measure, Severity, Untrusted};

use crate::cells::Cells;
use crate::counts::Minutes;
use crate::evidence::{Card, Case, Story, several};
use crate::incident::{Desk, Subject};
use crate::key;
use crate::mark::{Flags, Mark};
use crate::recent::Recent;
use crate::rules::{Rules, errors};
use crate::scope::{OpName, Scope};

const ADDRESS: Card = Card { id: "login.address", kind: AlertType::SecurityAnomaly, category: Category::Security };
const ACCOUNT: Card = Card { id: "login.account", ..ADDRESS };
const LOCKED_OUT: Card = Card { id: "login.locked_out", ..ADDRESS };

/// Successes for each failure from which an address is one that many people share.
const SHARED_SUCCESSES: u32 = 1;
/// Failures, accounts or lock-outs from which an attack is high.
const HIGH_FAILURES: f64 = 10.0;
const HIGH_ACCOUNTS: f64 = 3.0;
const HIGH_LOCK_OUTS: f64 = 3.0;
/// Failures before that are needed for a comparison.
const USUAL_FAILURES: u32 = 1;

/// Sign-ins from an address, or on an account.
#[derive(Debug, Default)]
struct Door {
    failures: Minutes,
    successes: Minutes,
    /// Failures since the last success.
    run: u32,
    run_since: i64,
}

/// Every address and account with sign-ins lately.
#[derive(Debug)]
pub(crate) struct Doors {
    addresses: Cells<Door>,
    accounts: Cells<Door>,
}

fn address_key(addr: u64) -> u64 {
    key::join(&[key::of(ADDRESS.id), addr])
}

fn account_key(user: u64) -> u64 {
    key::join(&[key::of(ACCOUNT.id), user])
}

/// What a sign-in made of its door.
struct Passed {
    failures: u32,
    successes: u32,
    /// The run of failures that a success ended.
    broken_run: u32,
}

fn pass(doors: &mut Cells<Door>, key: u64, mark: &Mark, rules: &Rules) -> Passed {
    let window = rules.security_window_ms;
    let door = doors.touch_or(key, Door::default);
    if mark.at - door.run_since > window {
        door.run = 0;
    }
    let mut broken_run = 0;
    if mark.flags.has(Flags::LOGIN_OK) {
        door.successes.add(mark.at);
        broken_run = std::mem::take(&mut door.run);
    } else {
        door.failures.add(mark.at);
        door.run = door.run.saturating_add(1);
        door.run_since = mark.at;
    }
    let (failures, successes) = (door.failures.sum(mark.at, window), door.successes.sum(mark.at, window));
    if failures >= 2 {
        doors.promote(key);
    }
    Passed { failures, successes, broken_run }
}

impl Doors {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { addresses: Cells::new(rules.people), accounts: Cells::new(rules.people) }
    }

    /// A line that speaks of somebody signing in.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        recent: &Recent,
        rules: &Rules,
        mark: &Mark,
        event: &LogEvent<'_>,
    ) {
        let name = recent.ops.get(mark.op).map(|cell| &cell.name).filter(|name| name.is_name());
        let op = name.cloned().unwrap_or_else(OpName::nobody);
        let addr = event.remote_addr.as_ref().map(Untrusted::raw).filter(|addr| addr.len() <= key::LONGEST_NAME);
        let user = event.user_id.as_ref().map(Untrusted::raw).filter(|user| user.len() <= key::LONGEST_NAME);
        let near = (recent, rules);
        if let Some(addr) = addr {
            self.address(desk, near, mark, &op, addr);
        }
        if let Some(user) = user {
            self.account(desk, near, mark, &op, user, addr.is_some());
        }
        if name.is_some() && addr.is_none() && user.is_none() && mark.flags.has(Flags::LOCKED_OUT) {
            let key = key::join(&[key::of(LOCKED_OUT.id), mark.op]);
            if !desk.touch(key, mark.at) {
                desk.open(near, key, Subject::LockedOut(op), mark.at, 1);
            }
        }
    }

    fn address(&mut self, desk: &mut Desk, near: (&Recent, &Rules), mark: &Mark, op: &OpName, addr: &str) {
        let (key, rules) = (address_key(mark.addr), near.1);
        let passed = pass(&mut self.addresses, mark.addr, mark, rules);
        if mark.flags.has(Flags::LOGIN_OK) {
            let attack = desk.get(key).is_some() || passed.failures > passed.successes * SHARED_SUCCESSES;
            if passed.broken_run >= rules.failed_logins && attack {
                breach(desk, near, key, mark, || Subject::Address { op: op.clone(), addr: addr.into() });
            }
            return;
        }
        if desk.touch(key, mark.at) {
            return;
        }
        let shared = passed.successes > 0 && passed.successes * SHARED_SUCCESSES >= passed.failures;
        if mark.flags.has(Flags::LOCKED_OUT) || passed.failures >= rules.failed_logins && !shared {
            let scope = Scope::default().needing(Flags::LOGIN_FAILED).at_addr(addr);
            let first = first_at(near, &scope);
            let subject = Subject::Address { op: op.clone(), addr: addr.into() };
            desk.open(near, key, subject, first, u64::from(passed.failures));
        }
    }

    fn account(
        &mut self,
        desk: &mut Desk,
        near: (&Recent, &Rules),
        mark: &Mark,
        op: &OpName,
        user: &str,
        has_addr: bool,
    ) {
        let (key, rules) = (account_key(mark.user), near.1);
        let passed = pass(&mut self.accounts, mark.user, mark, rules);
        let subject = || Subject::Account { op: op.clone(), user: user.into() };
        let explained = has_addr && desk.get(address_key(mark.addr)).is_some();
        if mark.flags.has(Flags::LOGIN_OK) {
            if passed.broken_run >= rules.failed_logins && !explained {
                breach(desk, near, key, mark, subject);
            }
            return;
        }
        if desk.touch(key, mark.at) || explained {
            return;
        }
        let scope = Scope::default().needing(Flags::LOGIN_FAILED).by_user(user);
        let locked = mark.flags.has(Flags::LOCKED_OUT) && !has_addr;
        let many =
            passed.failures >= rules.failed_logins && (!has_addr || addresses(near, &scope) >= rules.account_addresses);
        if locked || many {
            desk.open(near, key, subject(), first_at(near, &scope), u64::from(passed.failures));
        }
    }
}

/// Somebody got in after a run of failures.
fn breach(desk: &mut Desk, near: (&Recent, &Rules), key: u64, mark: &Mark, subject: impl FnOnce() -> Subject) {
    if desk.get(key).is_none() {
        let subject = subject();
        let first = match &subject {
            Subject::Address { addr, .. } => {
                first_at(near, &Scope::default().needing(Flags::LOGIN_FAILED).at_addr(addr))
            }
            Subject::Account { user, .. } => {
                first_at(near, &Scope::default().needing(Flags::LOGIN_FAILED).by_user(user))
            }
            _ => mark.at,
        };
        desk.open_breached(near, key, subject, first);
        return;
    }
    desk.touch(key, mark.at);
    desk.worsen(key, |incident| incident.breached = true);
}

fn first_at(near: (&Recent, &Rules), scope: &Scope) -> i64 {
    let (marks, _) = near.0.walk(scope, near.0.span(near.1.security_window_ms));
    marks.first().map_or(near.0.now, |mark| mark.at)
}

fn addresses(near: (&Recent, &Rules), scope: &Scope) -> u32 {
    let (marks, _) = near.0.walk(scope, near.0.span(near.1.security_window_ms));
    let mut addresses: Vec<u64> = marks.iter().map(|mark| mark.addr).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.len() as u32
}

/// What address and account have in common.
struct Attempts {
    story: Story,
    failures: f64,
}

fn attempts(case: &Case<'_>, op: &OpName, card: Card, own: &Scope, other: Measure) -> Attempts {
    let span = case.span(case.rules.security_window_ms);
    let failed = own.clone().needing(Flags::LOGIN_FAILED);
    let count = case.count("failed logins", &failed, span);
    let failures = count.as_ref().map_or(0.0, |count| count.value);
    let all = Scope::default().needing(Flags::LOGIN_FAILED);
    let usual = case.usual(Measure::Count, &failed, &all, USUAL_FAILURES);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        reasons.push(case.reason(0.6, several(count.value, "failed login", "failed logins"), vec![count.clone()]));
    }
    let mut high = failures >= HIGH_FAILURES;
    let (one, what) = if other == Measure::DistinctUsers { ("account", "accounts") } else { ("address", "addresses") };
    if let Some(figure) = case.figure(what, other, &failed, span) {
        high |= figure.value >= HIGH_ACCOUNTS;
        let weight = if figure.value > 1.0 { 0.3 } else { -0.1 };
        reasons.push(case.reason(weight, several(figure.value, one, &format!("different {what}")), vec![figure]));
    }
    if let Some(locked) = case.count("lock-outs", &own.clone().needing(Flags::LOCKED_OUT), span) {
        high |= locked.value >= HIGH_LOCK_OUTS;
        let weight = if locked.value > 0.0 { 0.4 } else { -0.05 };
        reasons.push(case.reason(
            weight,
            several(locked.value, "line says locked out", "lines say locked out"),
            vec![locked],
        ));
    }
    if let Some(successes) = case.count("successful logins", &own.clone().needing(Flags::LOGIN_OK), span) {
        let (weight, side) = match (case.incident.breached, successes.value > 0.0) {
            (true, _) => (0.9, "after a run of failures"),
            (false, true) => (-0.3, "between: somebody who belongs here"),
            (false, false) => (-0.1, "so nobody got in"),
        };
        let logins = several(successes.value, "successful login", "successful logins");
        reasons.push(case.reason(weight, format!("{logins}, {side}"), vec![successes]));
    }
    reasons.push(case.against_usual(failures, usual.as_ref()));
    let severity = match (case.incident.breached, high) {
        (true, _) => Severity::Critical,
        (false, true) => Severity::High,
        (false, false) => Severity::Medium,
    };
    let story = Story {
        card,
        severity,
        title: String::new(),
        summary: String::new(),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: Vec::new(),
        actions: Vec::new(),
        window_ms: case.rules.security_window_ms,
        chart: Some(case.count_chart("failed logins", &failed)),
        q: Some(format!("{} (login=failed or login=succeeded or login=locked_out)", own.q())),
        scope: failed,
        observed: count,
        usual,
        threshold: Some(f64::from(case.rules.failed_logins)),
        reasons,
    };
    Attempts { story, failures }
}

/// `login` where no operation is named.
fn word(op: &OpName) -> &str {
    op.operation.as_deref().unwrap_or("login")
}

/// Failures from one address.
pub(crate) fn tell_address(case: &Case<'_>, op: &OpName, addr: &str) -> Story {
    let own = Scope::default().at_addr(addr);
    let Attempts { story, failures } = attempts(case, op, ADDRESS, &own, Measure::DistinctUsers);
    let (count, word) = (several(failures, "failure", "failures"), word(op));
    let title = if case.incident.breached {
        format!("{word}: success after {count} from {addr}")
    } else {
        format!("{word}: {count} from {addr}")
    };
    Story {
        summary: format!("{} from {addr} failed in ten minutes.", several(failures, "login", "logins")),
        title,
        labels: vec![("addr", addr.to_owned())],
        actions: vec![
            format!("Block {addr} at the edge if nobody who belongs here sits behind it"),
            "Look for successful logins from this address and end their sessions".into(),
            "Ask the owners of the tried accounts to change their passwords".into(),
        ],
        ..story
    }
}

/// Failures on one account.
pub(crate) fn tell_account(case: &Case<'_>, op: &OpName, user: &str) -> Story {
    let own = Scope::default().by_user(user);
    let Attempts { story, failures } = attempts(case, op, ACCOUNT, &own, Measure::DistinctAddresses);
    let (count, word) = (several(failures, "failure", "failures"), word(op));
    let title = if case.incident.breached {
        format!("{word}: success after {count} for {user}")
    } else {
        format!("{word}: {count} for {user}")
    };
    Story {
        summary: format!("{} of {user} failed in ten minutes.", several(failures, "login", "logins")),
        title,
        labels: vec![("user", user.to_owned())],
        actions: vec![
            format!("Ask {user} by another way whether that was them"),
            "End the account's sessions and have the password changed".into(),
            "Require a second factor for this account".into(),
        ],
        ..story
    }
}

/// Lock-outs that name nobody.
pub(crate) fn tell_locked_out(case: &Case<'_>, op: &OpName) -> Story {
    let span = case.span(case.rules.security_window_ms);
    let all = Scope::of_op(op);
    let locked = all.clone().needing(Flags::LOCKED_OUT);
    let count = case.count("lock-outs", &locked, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &locked, &all, 1);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        reasons.push(case.reason(
            0.6,
            several(count.value, "line says locked out", "lines say locked out"),
            vec![count.clone()],
        ));
    }
    if let Some(successes) = case.count("successful logins", &all.needing(Flags::LOGIN_OK), span) {
        let text = several(successes.value, "successful login here", "successful logins here");
        reasons.push(case.reason(-0.1, text, vec![successes]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    let word = op.word();
    Story {
        card: LOCKED_OUT,
        severity: if many >= HIGH_LOCK_OUTS { Severity::High } else { Severity::Medium },
        title: format!("{word}: {}", several(many, "lock-out", "lock-outs")),
        summary: format!("{word} locked somebody out {} without saying whom.", several(many, "time", "times")),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: errors::labels(op),
        actions: vec![
            "Read the lines around the lock-outs for addresses and accounts".into(),
            format!("Have {word} log the address and the account"),
        ],
        window_ms: case.rules.security_window_ms,
        chart: Some(case.count_chart("lock-outs", &locked)),
        scope: locked,
        q: None,
        observed: count,
        usual,
        threshold: Some(1.0),
        reasons,
    }
}
