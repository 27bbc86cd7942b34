//! The lines below the chart: fixes, group, evidence, what to do, samples, trail; and what Enter does on each.
//!
//! Lines are not wrapped but cut, so that the number of lines does not depend on the width and
//! `update` can count them; the picture shows the line under the cursor in full below the others.

mod evidence;
mod group;

use stella_protocol::fix::StepState;
use stella_protocol::{Alert, Evidence, Fix, FixStatus, SampleRole, Text, Timestamp};
use stella_widgets::text::sanitise;

use super::{State, Target};
use crate::screens::View;
use crate::screens::fixes::{approvals, risk, status, status_role, when};
use crate::theme::Role;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading with a rule; its tail is the rule's note.
    Heading,
    /// Words of this meaning.
    Words(Role),
}

/// What stands at the right of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tail {
    /// Nothing.
    None,
    /// When.
    At(Timestamp),
    /// A few words, safe to show.
    Words(String),
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub kind: Kind,
    /// Before the words: a weight, a severity.
    pub mark: Option<(String, Role)>,
    pub words: String,
    pub tail: Tail,
    pub target: Target,
}

fn row(role: Role, words: impl Into<String>) -> Row {
    Row { kind: Kind::Words(role), mark: None, words: words.into(), tail: Tail::None, target: Target::Nothing }
}

fn heading(words: impl Into<String>, note: impl Into<String>) -> Row {
    Row { kind: Kind::Heading, tail: Tail::Words(note.into()), ..row(Role::Text, words) }
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
        return text.lines().map(|line| row(Role::Text, sanitise(line).into_string())).collect();
    }
    let mut rows = Vec::new();
    let (open, ended): (Vec<&Fix>, Vec<&Fix>) =
        view.board.fixes.of(&alert.id).into_iter().partition(|fix| fix.status.is_open());
    for fix in open {
        fix_rows(view, fix, &mut rows);
    }
    group::parent(view, alert, &mut rows);
    if state.evidence.is_none() && !alert.description.is_empty() {
        rows.push(row(Role::Text, clean(&alert.description)));
    }
    match (&state.evidence, &state.failure) {
        (Some(known), failure) => evidence::rows(view, known, failure.as_deref(), &mut rows),
        (None, Some(failure)) => rows.push(row(Role::Muted, format!("no evidence: {failure}"))),
        (None, None) => rows.push(row(Role::Muted, "asking the server for the evidence …")),
    }
    group::kin(view, alert, &mut rows);
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

/// What is proposed, runs or ran: who has to say yes, and until when.
fn fix_rows(view: &View<'_>, fix: &Fix, rows: &mut Vec<Row>) {
    let title = format!("fix {} -- {} -- risk {}", fix.id, status(fix.status), risk(fix.risk));
    rows.push(heading(title, ""));
    let target = Target::Fix(fix.id.clone());
    let words = format!("{}   f review", clean(&fix.title));
    rows.push(Row { target: target.clone(), ..row(status_role(fix.status), words) });
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
    rows.push(Row { target, ..row(Role::Muted, more) });
}

fn action_rows(alert: &Alert, rows: &mut Vec<Row>) {
    if alert.suggested_actions.is_empty() {
        return;
    }
    rows.push(heading("do next", ""));
    for (index, action) in alert.suggested_actions.iter().enumerate() {
        let words = clean(action);
        let target = Target::Copy(words.clone());
        rows.push(Row { target, ..row(Role::Link, format!("{} {words}", index + 1)) });
    }
}

fn sample_rows(evidence: &Evidence, rows: &mut Vec<Row>) {
    if evidence.samples.is_empty() {
        return;
    }
    rows.push(heading(format!("samples -- {}", evidence.samples.len()), ""));
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
        rows.push(Row { tail: Tail::At(at), target: Target::Lines(link), ..row(Role::Text, words) });
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
    rows.push(heading("trail", ""));
    rows.extend(trail.into_iter().map(|(at, words)| Row { tail: Tail::At(at), ..row(Role::Text, words) }));
}
