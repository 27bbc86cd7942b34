//! Why now, what stands in the way, who said yes, what happened.

use stella_protocol::fix::{Approval, GateState, Record};
use stella_protocol::{Alert, Fix, FixStatus, FixVerb};
use stella_widgets::number;
use stella_widgets::text::sanitise;

use super::page::{Page, clean};
use super::verbs::{is_mine, off};
use super::{Shows, State};
use crate::screens::View;
use crate::screens::alerts::word;
use crate::screens::fixes::{approvals, left};
use crate::theme::Role;

pub(super) fn write(page: &mut Page<'_>) {
    if page.about.state.shows == Shows::Keys {
        keys(page);
    }
    if is_undecided(page.about.fix) {
        gates(page);
    }
    why_now(page);
    agreed(page);
    if !page.about.fix.rehearsal.is_empty() {
        page.heading("what the dry run said");
        page.about.fix.rehearsal.iter().for_each(|line| page.words(1, Role::Text, &clean(line)));
    }
    page.heading("trail");
    for event in &page.about.fix.trail {
        let mark = page.view.seconds(event.at);
        page.marked((&mark, Role::Faint), Role::Text, &format!("{}: {}", clean(&event.by), clean(&event.what)));
    }
}

/// Which keys work, and why the others do not.
fn keys(page: &mut Page<'_>) {
    page.heading("keys of this review");
    // No takes one's own yes back; who has said none says no.
    let no = if is_mine(page.about.fix, page.view) { FixVerb::Withdraw } else { FixVerb::Reject };
    let rows = [
        ("Y", FixVerb::Approve),
        ("X", no),
        ("D", FixVerb::DryRun),
        ("S", FixVerb::Stop),
        ("B", FixVerb::Rollback),
        ("R", FixVerb::Close),
    ];
    for (key, verb) in rows {
        match off(verb, page.about.fix, page.view) {
            None => page.marked((key, Role::Accent), Role::Text, &format!("{}: works", verb.word())),
            Some(why) => page.marked((key, Role::Faint), Role::Muted, &format!("{}: off, {why}", verb.word())),
        }
    }
}

/// True while its gates say something: it has not begun, and may.
pub(super) fn is_undecided(fix: &Fix) -> bool {
    fix.status.waits_to_begin()
}

/// The mark of a gate.
pub(super) fn gate_mark(state: GateState) -> (&'static str, Role) {
    match state {
        GateState::Open => ("[ok]", Role::Ok),
        GateState::Warning => ("[!!]", Role::Waiting),
        GateState::Shut => ("[no]", Role::Danger),
        GateState::Unknown => ("[??]", Role::Danger),
    }
}

/// All that stands in the way of an approval, the link to the server first. Whether the server was heard.
pub(super) fn standing(state: &State, view: &View<'_>) -> (Vec<(GateState, String)>, bool) {
    let is_live = view.board.link.state(view.now).is_live();
    let mut all = vec![if is_live {
        (GateState::Open, "the feed is live".to_owned())
    } else {
        (GateState::Shut, "the feed is not live: nothing with an outside effect is sent".to_owned())
    }];
    match (&state.review, &state.failure) {
        (_, Some(failure)) => all.push((GateState::Shut, format!("not read: {failure}"))),
        (None, None) => return (all, false),
        (Some(review), None) => all.extend(review.gates.iter().map(|gate| (gate.state, clean(&gate.text)))),
    }
    (all, true)
}

fn gates(page: &mut Page<'_>) {
    page.heading("gates");
    let (gates, is_heard) = standing(page.about.state, page.view);
    for (state, words) in gates {
        page.marked(gate_mark(state), Role::Text, &words);
    }
    if !is_heard {
        page.words(1, Role::Muted, "asking the server for the gates …");
    }
}

fn why_now(page: &mut Page<'_>) {
    page.heading("why now");
    let (state, fix, board) = (page.about.state, page.about.fix, page.view.board);
    match fix.alert_id.as_ref().map(|id| (id, board.alerts.get(id))) {
        None => page.words(1, Role::Text, "a person proposed it, without an alert"),
        Some((id, None)) => page.words(1, Role::Text, &format!("for {id}, which is closed")),
        Some((_, Some(alert))) => observed(page, alert),
    }
    if let Some((_, evidence)) = state.evidence.as_ref().filter(|(id, _)| Some(id) == fix.alert_id.as_ref()) {
        page.words(1, Role::Text, &clean(&evidence.summary));
        let at = page.view.seconds(evidence.refreshed_at);
        page.words(1, Role::Muted, &format!("{} reasons, refreshed {at}", evidence.reasons.len()));
    }
    let Some(review) = &state.review else { return };
    page.words(1, Role::Text, &record(&review.record));
    if review.differences.is_empty() {
        page.words(1, Role::Muted, "nothing differs since it was proposed");
    }
    for difference in &review.differences {
        page.marked(("differs:", Role::Waiting), Role::Text, &clean(difference));
    }
}

fn observed(page: &mut Page<'_>, alert: &Alert) {
    let title = sanitise(alert.title.raw());
    page.words(1, Role::Text, &format!("{} {} {}   {title}", word(alert.severity), alert.status.word(), alert.id));
    let unit = sanitise(alert.brief.unit.raw());
    let value = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| number::text(value, &unit));
    let limit = alert.brief.threshold.map(|limit| format!(", limit {}", number::text(limit, &unit)));
    let words = format!(
        "observed {} when proposed, {} now{}",
        value(page.about.fix.observed),
        value(alert.brief.observed),
        limit.unwrap_or_default()
    );
    page.words(1, Role::Text, &words);
}

fn record(record: &Record) -> String {
    let runs = match record.runs {
        0 => "this fix has never run before".to_owned(),
        runs => format!("this fix before: {} of {runs} runs helped", record.good),
    };
    match record.marked {
        0 => runs,
        marked => format!("{runs}; {} of {marked} alerts of its rules were false", record.false_positive),
    }
}

fn agreed(page: &mut Page<'_>) {
    let fix = page.about.fix;
    let until = match (fix.status, fix.execute_by) {
        (FixStatus::Proposed | FixStatus::Pending, _) => format!(" -- {} to approve", left(page.view, fix.approve_by)),
        (FixStatus::Approved, Some(end)) => format!(" -- {} to begin", left(page.view, end)),
        _ => String::new(),
    };
    page.heading(format!("approvals {}{until}", approvals(fix)));
    if fix.by_policy {
        page.words(1, Role::Text, "by policy: its dry run was good and its figures hold");
    } else if fix.approvals.is_empty() {
        page.words(1, Role::Muted, "nobody yet");
    }
    for approval in &fix.approvals {
        let mark = page.view.seconds(approval.at);
        page.marked((&mark, Role::Faint), Role::Text, &approval_words(approval));
    }
}

fn approval_words(approval: &Approval) -> String {
    let kind = match (approval.simulated, approval.single_person) {
        (true, _) => " (simulated)",
        (false, true) => " (single person)",
        (false, false) => "",
    };
    let reason = if approval.reason.is_empty() { String::new() } else { format!(": {}", clean(&approval.reason)) };
    format!("{}{kind}{reason}", clean(&approval.by))
}
