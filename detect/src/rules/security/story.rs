//! What an attack has to tell.

use stella_protocol::{Measure, Severity};

use super::{ACCOUNT, ADDRESS, EVERYWHERE, HIGH_ACCOUNTS, HIGH_FAILURES, HIGH_LOCK_OUTS, LOCKED_OUT, USUAL_FAILURES};
use crate::evidence::{Card, Case, Story, several};
use crate::mark::Flags;
use crate::rules::errors;
use crate::scope::{OpName, Scope};

/// What all attacks at the door have in common. It is told whole, since its first failure, as far as lines are
/// remembered: of an attack that has nearly ended the last minutes alone would say that there was none.
struct Attempts {
    story: Story,
    failures: f64,
    /// How many accounts were tried, or from how many addresses.
    others: f64,
    /// What they are called, with their number.
    words: String,
    /// For how long, in words.
    lasted: String,
}

/// A span as people say it.
fn span_words(ms: i64) -> String {
    let of = |unit_ms: i64, one, more| several((ms / unit_ms).max(1) as f64, one, more);
    match ms {
        ..120_000 => of(1000, "second", "seconds"),
        120_000..7_200_000 => of(60_000, "minute", "minutes"),
        _ => of(3_600_000, "hour", "hours"),
    }
}

fn attempts(case: &Case<'_>, op: &OpName, card: Card, own: &Scope, other: Measure) -> Attempts {
    let span = case.span_from(case.incident.first_at);
    let failed = own.clone().needing(Flags::LOGIN_FAILED);
    let count = case.count("failed logins", &failed, span);
    let failures = count.as_ref().map_or(0.0, |count| count.value);
    let all = Scope::default().needing(Flags::LOGIN_FAILED);
    let usual = case.usual(Measure::Count, &failed, &all, USUAL_FAILURES);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        reasons.push(case.reason(0.6, several(count.value, "failed login", "failed logins"), vec![count.clone()]));
    }
    let mut words = several(failures, "failure", "failures");
    let (mut high, mut others) = (failures >= HIGH_FAILURES, 0.0);
    let (one, what) = if other == Measure::DistinctUsers { ("account", "accounts") } else { ("address", "addresses") };
    if let Some(figure) = case.figure(what, other, &failed, span) {
        high |= figure.value >= HIGH_ACCOUNTS;
        others = figure.value;
        let weight = if figure.value > 1.0 { 0.3 } else { -0.1 };
        reasons.push(case.reason(weight, several(figure.value, one, &format!("different {what}")), vec![figure]));
    }
    if let Some(locked) = case.count("lock-outs", &own.clone().needing(Flags::LOCKED_OUT), span) {
        high |= locked.value >= HIGH_LOCK_OUTS;
        let weight = if locked.value > 0.0 { 0.4 } else { -0.05 };
        if failures == 0.0 {
            words = several(locked.value, "lock-out", "lock-outs");
        }
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
    let lately = case.count("failed logins lately", &failed, case.span(case.rules.security_window_ms));
    reasons.push(case.against_usual(lately.map_or(0.0, |lately| lately.value), usual.as_ref()));
    let lasted = span_words(case.now() - count.as_ref().map_or(span.from, |count| count.lines.from.millis()));
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
    Attempts { story, failures, others, words, lasted }
}

/// `login` where no operation is named.
fn word(op: &OpName) -> &str {
    op.operation.as_deref().unwrap_or("login")
}

/// Failures from one address.
pub(crate) fn tell_address(case: &Case<'_>, op: &OpName, addr: &str) -> Story {
    let own = Scope::default().at_addr(addr);
    let Attempts { story, failures, words: count, lasted, .. } =
        attempts(case, op, ADDRESS, &own, Measure::DistinctUsers);
    let word = word(op);
    let title = if case.incident.breached {
        format!("{word}: success after {count} from {addr}")
    } else {
        format!("{word}: {count} from {addr}")
    };
    Story {
        summary: format!("{} from {addr} failed in {lasted}.", several(failures, "login", "logins")),
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
    let Attempts { story, failures, words: count, lasted, .. } =
        attempts(case, op, ACCOUNT, &own, Measure::DistinctAddresses);
    let word = word(op);
    let title = if case.incident.breached {
        format!("{word}: success after {count} for {user}")
    } else {
        format!("{word}: {count} for {user}")
    };
    Story {
        summary: format!("{} of {user} failed in {lasted}.", several(failures, "login", "logins")),
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

/// Failures from everywhere.
pub(crate) fn tell_everywhere(case: &Case<'_>) -> Story {
    let own = Scope::default();
    let Attempts { story, failures, others, lasted, .. } =
        attempts(case, &OpName::nobody(), EVERYWHERE, &own, Measure::DistinctAddresses);
    let count = several(failures, "failed login", "failed logins");
    // Lines that name no address leave nothing to count.
    let from = if others > 0.0 { several(others, "address", "addresses") } else { "everywhere".to_owned() };
    Story {
        summary: format!("{count} in {lasted}, more than usual, and not from one address or on one account alone."),
        title: format!("{count} from {from}"),
        labels: vec![("scope", "everywhere".to_owned())],
        actions: vec![
            "Look whether the sign-in itself is broken: do any logins succeed?".into(),
            "Require a second factor, or slow sign-ins down, while it lasts".into(),
            "Compare the tried accounts with known leaks".into(),
        ],
        ..story
    }
}
