//! The lines below the chart: evidence, what to do, samples, trail; and what Enter does on each.
//!
//! Lines are not wrapped but cut, so that the number of lines does not depend on the width and
//! `update` can count them; the picture shows the line under the cursor in full below the others.

use stella_protocol::fix::StepState;
use stella_protocol::{Alert, Evidence, Fix, FixStatus, Reason, SampleRole, Text, Timestamp};
use stella_widgets::number;
use stella_widgets::text::sanitise;

use super::{State, Target};
use crate::screens::View;
use crate::screens::fixes::{approvals, risk, status, status_role, when};
use crate::theme::Role;

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A heading with a rule.
    Heading,
    /// Ordinary words.
    Plain,
    /// Less important words.
    Muted,
    /// A reason for it, with its time.
    For(Timestamp),
    /// A reason against it.
    Against(Timestamp),
    /// Something that can be done.
    Action,
    /// A log line.
    Line(Timestamp),
    /// Something that happened to the alert.
    Trail(Timestamp),
    /// A fix, and how it stands.
    Fix(Role),
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub kind: Kind,
    pub words: String,
    pub target: Target,
}

fn row(kind: Kind, words: impl Into<String>) -> Row {
    Row { kind, words: words.into(), target: Target::Nothing }
}

fn clean(text: &Text) -> String {
    sanitise(text.raw()).into_string()
}

/// What Enter does on each line, top first.
pub(super) fn targets(state: &State, view: &View<'_>, alert: &Alert) -> Vec<Target> {
    rows(state, view, alert).into_iter().map(|row| row.target).collect()
}

/// All lines, top first.
pub(super) fn rows(state: &State, view: &View<'_>, alert: &Alert) -> Vec<Row> {
    if state.raw {
        let text = serde_json::to_string_pretty(alert).unwrap_or_default();
        return text.lines().map(|line| row(Kind::Plain, sanitise(line).into_string())).collect();
    }
    let mut rows = Vec::new();
    let (open, ended): (Vec<&Fix>, Vec<&Fix>) =
        view.board.fixes.of(&alert.id).into_iter().partition(|fix| fix.status.is_open());
    for fix in open {
        fix_rows(view, fix, &mut rows);
    }
    if state.evidence.is_none() && !alert.description.is_empty() {
        rows.push(row(Kind::Plain, clean(&alert.description)));
    }
    match (&state.evidence, &state.failure) {
        (Some(evidence), _) => evidence_rows(evidence, &mut rows),
        (None, Some(failure)) => rows.push(row(Kind::Muted, format!("no evidence: {failure}"))),
        (None, None) => rows.push(row(Kind::Muted, "asking the server for the evidence …")),
    }
    for fix in ended {
        fix_rows(view, fix, &mut rows);
    }
    action_rows(alert, &mut rows);
    if let Some(evidence) = &state.evidence {
        sample_rows(evidence, &mut rows);
    }
    trail_rows(alert, &mut rows);
    rows
}

fn evidence_rows(evidence: &Evidence, rows: &mut Vec<Row>) {
    rows.push(row(Kind::Heading, format!("evidence -- rule {} v{}", clean(&evidence.rule_id), evidence.rule_version)));
    rows.push(Row { target: Target::Lines(evidence.lines.clone()), ..row(Kind::Plain, clean(&evidence.summary)) });
    let figures = [("observed", &evidence.observed), ("usual", &evidence.baseline)];
    for (name, figure) in figures {
        if let Some(figure) = figure {
            let value = number::text(figure.value, &sanitise(figure.unit.raw()));
            let words = format!("{name} {value}   {}", clean(&figure.name));
            rows.push(Row { target: Target::Lines(figure.lines.clone()), ..row(Kind::Muted, words) });
        }
    }
    rows.extend(evidence.reasons.iter().map(reason_row));
    if let Some(template) = &evidence.template {
        let examples: Vec<String> = template.examples.iter().map(clean).collect();
        rows.push(row(Kind::Muted, format!("message x{}: {}", template.count, clean(&template.text))));
        if !examples.is_empty() {
            rows.push(row(Kind::Muted, format!("  values: {}", examples.join(", "))));
        }
    }
    for other in &evidence.correlated {
        let offset = if other.offset_ms < 0 { "before" } else { "after" };
        let words = format!("{} {} the onset: {}", number::span(other.offset_ms.abs()), offset, clean(&other.text));
        rows.push(row(Kind::Muted, words));
    }
    for similar in &evidence.similar {
        rows.push(row(Kind::Muted, format!("similar {} {}: {}", similar.alert, similar.at, clean(&similar.outcome))));
    }
}

fn reason_row(reason: &Reason) -> Row {
    let sign = if reason.weight < 0.0 { '-' } else { '+' };
    let words = format!("{sign} {:.2}  {}", reason.weight.abs(), clean(&reason.text));
    let kind = if reason.weight < 0.0 { Kind::Against(reason.at) } else { Kind::For(reason.at) };
    let target = reason.figures.first().map_or(Target::Nothing, |figure| Target::Lines(figure.lines.clone()));
    Row { kind, words, target }
}

/// What is proposed, runs or ran: who has to say yes, and until when.
fn fix_rows(view: &View<'_>, fix: &Fix, rows: &mut Vec<Row>) {
    let heading = format!("fix {} -- {} -- risk {}", fix.id, status(fix.status), risk(fix.risk));
    rows.push(row(Kind::Heading, heading));
    let target = Target::Fix(fix.id.clone());
    let words = format!("{}   f review", clean(&fix.title));
    rows.push(Row { kind: Kind::Fix(status_role(fix.status)), words, target: target.clone() });
    let more = match fix.status {
        FixStatus::Proposed | FixStatus::Pending | FixStatus::Approved => {
            format!("{} approvals   {}   on {}", approvals(fix), when(view, fix), clean(&fix.plan.target))
        }
        status if status.is_under_way() => {
            let done = fix.steps.iter().filter(|step| step.state == StepState::Done).count();
            format!("{done} of {} steps done   {}   on {}", fix.steps.len(), when(view, fix), clean(&fix.plan.target))
        }
        _ => format!("{}   {}", when(view, fix), clean(&fix.result)),
    };
    rows.push(Row { target, ..row(Kind::Muted, more) });
}

fn action_rows(alert: &Alert, rows: &mut Vec<Row>) {
    if alert.suggested_actions.is_empty() {
        return;
    }
    rows.push(row(Kind::Heading, "do next"));
    for (index, action) in alert.suggested_actions.iter().enumerate() {
        let words = clean(action);
        let target = Target::Copy(words.clone());
        rows.push(Row { kind: Kind::Action, words: format!("{} {words}", index + 1), target });
    }
}

fn sample_rows(evidence: &Evidence, rows: &mut Vec<Row>) {
    if evidence.samples.is_empty() {
        return;
    }
    rows.push(row(Kind::Heading, format!("samples -- {}", evidence.samples.len())));
    for sample in &evidence.samples {
        let role = match sample.role {
            SampleRole::First => "first",
            SampleRole::Last => "last ",
            SampleRole::Representative | SampleRole::Unknown => "     ",
        };
        let words = format!("{role} {:<5} {}", sample.event.level.word(), clean(&sample.event.message));
        let at = sample.event.engine_time;
        let mut link = evidence.lines.clone();
        link.from = link.from.min(at);
        rows.push(Row { kind: Kind::Line(at), words, target: Target::Lines(link) });
    }
}

fn trail_rows(alert: &Alert, rows: &mut Vec<Row>) {
    let mut trail =
        vec![(alert.first_seen, "first match".to_owned()), (alert.detected_at, "found by stella".to_owned())];
    if let (Some(at), Some(by)) = (alert.acknowledged_at, &alert.acknowledged_by) {
        trail.push((at, format!("acknowledged by {}", clean(by))));
    }
    if let (Some(at), Some(by)) = (alert.resolved_at, &alert.resolved_by) {
        let why = alert.resolution_notes.as_ref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
        trail.push((at, format!("{} by {}{why}", alert.status.word(), clean(by))));
    }
    if let Some(at) = alert.still_matching_since {
        trail.push((at, "still matching since".to_owned()));
    }
    trail.extend(alert.notes.iter().map(|note| (note.at, format!("{}: {}", clean(&note.by), clean(&note.text)))));
    trail.sort_by_key(|(at, _)| *at);
    rows.push(row(Kind::Heading, "trail"));
    rows.extend(trail.into_iter().map(|(at, words)| row(Kind::Trail(at), words)));
}
