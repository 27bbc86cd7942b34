//! What somebody who cannot get on has to tell.

use stella_protocol::{Measure, Severity};

use super::{CARD, HIGH_FAILURES, MEDIUM_USERS, RAGE, RETRIES};
use crate::evidence::{Case, Story, several, words};
use crate::mark::Flags;
use crate::rules::errors;
use crate::scope::{OpName, Scope};

/// One person's failures.
pub(crate) fn tell(case: &Case<'_>, op: &OpName, user: &str) -> Story {
    let span = case.span(case.rules.slow_window_ms);
    let all = Scope::of_op(op).lacking(Flags::LOGIN_FAILED);
    let own = all.clone().by_user(user);
    let here = own.clone().needing(Flags::FAILED);
    let few = case.count("", &here, span).is_some_and(|count| count.value <= f64::from(case.rules.friction_errors));
    // Who fails at several things is told of with all of them, since the first.
    let failures = if few { Scope::default().by_user(user).errors() } else { here };
    let span = if few { case.span_from(case.incident.first_at.min(span.from)) } else { span };
    let count = case.count("failures of this user", &failures, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &failures, &own, 1);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        reasons.push(case.reason(
            0.6,
            format!("failed {} for this user", several(count.value, "time", "times")),
            vec![count.clone()],
        ));
    }
    if let Some(successes) = case.count("successes of this user", &own.clone().lacking(Flags::FAILED), span) {
        let weight = if successes.value == 0.0 { 0.2 } else { -0.2 };
        let text = several(successes.value, "success between", "successes between");
        reasons.push(case.reason(weight, text, vec![successes]));
    }
    if let Some(share) = case.figure("failing lines of all users", Measure::FailurePercent, &all, span) {
        let outage = share.value >= case.rules.outage_percent;
        let text = format!("{} of the operation's lines fail, this user's included", words(&share));
        reasons.push(case.reason(if outage { -0.4 } else { 0.1 }, text, vec![share]));
    }
    if let Some(users) =
        case.figure("users who failed", Measure::DistinctUsers, &all.clone().needing(Flags::FAILED), span)
    {
        let weight = if users.value > 1.0 { -0.2 } else { 0.1 };
        reasons.push(case.reason(
            weight,
            several(users.value, "user fails here", "different users fail here"),
            vec![users],
        ));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let (word, times) = (op.word(), several(many, "time", "times"));
    let (title, place) = if few {
        (format!("{user} failed {times}, here and there, last at {word}"), "several operations".to_owned())
    } else {
        (format!("{word}: {user} failed {times}"), word.to_owned())
    };
    Story {
        card: CARD,
        severity: if many >= HIGH_FAILURES { Severity::High } else { Severity::Medium },
        title,
        summary: format!(
            "{user} does not get through {place}: {}, little success between.",
            several(many, "failure", "failures")
        ),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: [errors::labels(op), vec![("user", user.to_owned())]].concat(),
        actions: vec![
            "Look at what this user sends that others do not".into(),
            format!("Check the validation and the messages of {word}"),
            "Get in touch with the user before they give up".into(),
        ],
        window_ms: case.rules.slow_window_ms,
        chart: Some(case.count_chart("failures of this user", &failures)),
        scope: failures,
        q: None,
        observed: count,
        usual,
        threshold: Some(f64::from(case.rules.friction_errors)),
        reasons,
    }
}

/// Calls that had to be tried again and again.
pub(crate) fn tell_retries(case: &Case<'_>, op: &OpName) -> Story {
    let span = case.span(case.rules.slow_window_ms);
    let all = Scope::of_op(op);
    let retried = all.clone().retried(case.rules.retries);
    let count = case.count("lines retried too often", &retried, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &retried, &all, 1);
    let users = case.figure("users who had to retry", Measure::DistinctUsers, &retried, span);
    let severity = match &users {
        Some(users) if users.value >= MEDIUM_USERS => Severity::Medium,
        _ => Severity::Low,
    };
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        reasons.push(case.reason(
            0.5,
            several(count.value, "line was retried too often", "lines were retried too often"),
            vec![count.clone()],
        ));
    }
    if let Some(most) = case.figure("most retries of one call", Measure::MaxRetries, &retried, span) {
        reasons.push(case.reason(
            0.2,
            format!("one call was retried {}", several(most.value, "time", "times")),
            vec![most],
        ));
    }
    reasons.extend(users.map(|users| case.reason(0.1, several(users.value, "user", "different users"), vec![users])));
    if let Some(failed) = case.count("of them failed in the end", &retried.clone().needing(Flags::FAILED), span) {
        let weight = if failed.value > 0.0 { 0.3 } else { -0.3 };
        reasons.push(case.reason(weight, format!("{} of them failed in the end", words(&failed)), vec![failed]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let (word, limit) = (op.word(), case.rules.retries);
    Story {
        card: RETRIES,
        severity,
        title: format!("{word}: {} retried {limit} times or more", several(many, "call", "calls")),
        summary: format!(
            "Calls of {word} succeed late or not at all: {} retried {limit} times or more.",
            several(many, "was", "were")
        ),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: errors::labels(op),
        actions: vec![
            format!("Check what {word} calls: it answers late or refuses"),
            "Make sure that retries wait longer each time".into(),
        ],
        window_ms: case.rules.slow_window_ms,
        chart: Some(case.count_chart("lines retried too often", &retried)),
        scope: retried,
        q: None,
        observed: count,
        usual,
        threshold: Some(f64::from(limit)),
        reasons,
    }
}

/// One person's presses.
pub(crate) fn tell_rage(case: &Case<'_>, op: &OpName, user: &str) -> Story {
    let span = case.span_from(case.incident.first_at);
    let own = Scope::of_op(op).by_user(user);
    let count = case.count("calls of this user", &own, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &own, &Scope::of_op(op), 1);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        let text = format!("called {} by this user, one right after the other", several(many, "time", "times"));
        reasons.push(case.reason(0.6, text, vec![count.clone()]));
    }
    if let Some(failed) = case.count("of them failed", &own.clone().needing(Flags::FAILED), span) {
        let weight = if failed.value > 0.0 { 0.3 } else { -0.1 };
        reasons.push(case.reason(weight, format!("{} of them failed", words(&failed)), vec![failed]));
    }
    if let Some(took) = case.figure("a call of this user", Measure::MedianDuration, &own, span) {
        reasons.push(case.reason(0.05, format!("half of them took {} or more", words(&took)), vec![took]));
    }
    if let Some(users) = case.figure("users there", Measure::DistinctUsers, &Scope::of_op(op), span) {
        let text = format!("{} there meanwhile, this one included", several(users.value, "user", "users"));
        reasons.push(case.reason(-0.05, text, vec![users]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let word = op.word();
    Story {
        card: RAGE,
        severity: Severity::Medium,
        title: format!("{word}: {user} called it {} in a row", several(many, "time", "times")),
        summary: format!(
            "{user} does the same again and again: {} of {word} with hardly a pause between.",
            several(many, "call", "calls")
        ),
        service: op.service.to_string(),
        operation: op.operation.as_deref().map(str::to_owned),
        labels: [errors::labels(op), vec![("user", user.to_owned())]].concat(),
        actions: vec![
            format!("Look at what {word} shows: does it say that something happened?"),
            "See whether the calls did the same thing several times".into(),
            "Get in touch with the user before they give up".into(),
        ],
        window_ms: case.rules.slow_window_ms,
        chart: Some(case.count_chart("calls of this user", &own)),
        scope: own,
        q: None,
        observed: count,
        usual,
        threshold: None,
        reasons,
    }
}
