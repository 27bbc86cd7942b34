//! How it runs, or ran: each step's state, the series that guard it, what it said last, what came of it.

use std::collections::BTreeSet;

use stella_protocol::fix::{Check, FixStep, StepState, Stream};
use stella_protocol::{Fix, FixStatus, Series};
use stella_widgets::Align;
use stella_widgets::number;
use stella_widgets::sparkline::spark_string;
use stella_widgets::text::{cut, fit};

use super::page::{Page, clean};
use crate::theme::Role;

/// Least lines of output that are shown while it runs, and most once it ended.
const TAIL: (usize, usize) = (8, 40);
/// Columns of a guard's sparkline.
const SPARK: u16 = 16;

pub(super) fn write(page: &mut Page<'_>) {
    let fix = page.about.fix;
    let has_begun = fix.steps.iter().any(|step| step.state != StepState::Waiting);
    if !fix.result.is_empty() || !fix.stays.is_empty() {
        outcome(page, fix);
    }
    if !has_begun && !fix.status.is_under_way() {
        return;
    }
    page.heading(match (fix.status, fix.verifying_since) {
        (FixStatus::Verifying, Some(since)) => format!("verifying since {}", page.view.seconds(since)),
        _ => "how it went".to_owned(),
    });
    for (at, step) in fix.steps.iter().enumerate() {
        write_step(page, at, step);
    }
    guards(page, fix);
    said(page, fix);
}

fn outcome(page: &mut Page<'_>, fix: &Fix) {
    page.heading(match fix.status {
        FixStatus::InDoubt => "in doubt: look at the target, then close it with R",
        FixStatus::RollbackFailed => "not taken back: put it right by hand, then close it with R",
        _ => "result",
    });
    let role = match fix.status {
        FixStatus::InDoubt | FixStatus::RollbackFailed | FixStatus::Failed => Role::Danger,
        FixStatus::Executed => Role::Ok,
        _ => Role::Text,
    };
    if !fix.result.is_empty() {
        page.words(1, role, &clean(&fix.result));
    }
    fix.stays.iter().for_each(|what| page.marked(("stays done:", Role::Danger), Role::Text, &clean(what)));
}

fn state(state: StepState) -> (&'static str, Role) {
    match state {
        StepState::Waiting => ("waiting", Role::Faint),
        StepState::Begun => ("running", Role::Waiting),
        StepState::Done => ("done", Role::Ok),
        StepState::Failed => ("FAILED", Role::Danger),
        StepState::Unknown => ("UNKNOWN", Role::Danger),
        StepState::Undoing => ("undoing", Role::Waiting),
        StepState::Undone => ("undone", Role::Muted),
        StepState::UndoFailed => ("NOT UNDONE", Role::Danger),
        StepState::Other => ("?", Role::Muted),
    }
}

fn write_step(page: &mut Page<'_>, at: usize, step: &FixStep) {
    let (word, role) = state(step.state);
    let title = page.about.fix.plan.steps.get(at).map(|planned| clean(&planned.title)).unwrap_or_default();
    let time = match (step.started_at, step.ended_at) {
        (Some(from), Some(to)) => format!("   {} for {}", page.view.seconds(from), number::span(to.since(from))),
        (Some(from), None) => format!("   since {}", page.view.seconds(from)),
        (None, _) => String::new(),
    };
    let tries = if step.attempt > 1 { format!("   try {}", step.attempt) } else { String::new() };
    let mark = fit(word, 10, Align::Left);
    page.marked((&mark, role), Role::Text, &format!("{} {title}{time}{tries}", at + 1));
    if !step.note.is_empty() {
        page.words(12, Role::Muted, &clean(&step.note));
    }
}

/// The series worth watching, each with its last half hour.
fn guards(page: &mut Page<'_>, fix: &Fix) {
    let guarded = [fix.plan.guard.as_ref(), fix.plan.verification.as_ref().map(|verification| &verification.check)];
    let checked = guarded.into_iter().flatten().filter_map(|check| match check {
        Check::Series { series, .. } => Some(series.raw()),
        Check::AlertQuiet | Check::Unknown => None,
    });
    let names: BTreeSet<&str> = fix.guards.iter().map(stella_protocol::Text::raw).chain(checked).collect();
    let board = page.view.board;
    for series in names.into_iter().filter_map(|name| board.series.get(name)) {
        let spans = guard(series);
        page.spans(spans);
    }
}

fn guard(series: &Series) -> [(Role, String); 4] {
    let values: Vec<Option<f64>> = series.points.iter().map(|point| point.value.map(|spread| spread.mean)).collect();
    let unit = clean(&series.unit);
    let last = series.last.map_or_else(|| "no value".to_owned(), |last| number::text(last, &unit));
    let limit = series.limit.map(|limit| format!("   limit {}", number::text(limit, &unit))).unwrap_or_default();
    let name = clean(&series.name);
    [
        (Role::Muted, format!(" {} ", fit(&cut(&name, 28), 28, Align::Left))),
        (Role::Chart, spark_string(&values, SPARK, None)),
        (Role::Text, format!(" {last}")),
        (Role::Limit, limit),
    ]
}

fn said(page: &mut Page<'_>, fix: &Fix) {
    let lines = page.about.state.lines(page.view.board);
    let most = if fix.status.is_open() { (page.about.state.height / 2).clamp(TAIL.0, TAIL.1) } else { TAIL.1 };
    let hidden = lines.len().saturating_sub(most);
    let count = if hidden > 0 { format!(" -- the last {most} of {} lines", lines.len()) } else { String::new() };
    page.heading(format!("output{count}"));
    if lines.is_empty() {
        let is_asked = page.about.state.output_asked.is_some();
        page.words(1, Role::Muted, if is_asked { "asking for what it said …" } else { "it has said nothing" });
    }
    let rows: Vec<(String, Role, String)> = lines
        .into_iter()
        .skip(hidden)
        .map(|line| {
            let (word, role) = match line.stream {
                Stream::Out => ("out", Role::Text),
                Stream::Err => ("err", Role::Waiting),
                Stream::Stella => ("stella", Role::Muted),
                Stream::Unknown => ("?", Role::Muted),
            };
            let mark = format!("{} {} {}", page.view.seconds(line.at), line.step + 1, fit(word, 6, Align::Left));
            (mark, role, clean(&line.text))
        })
        .collect();
    for (mark, role, words) in rows {
        page.marked((&mark, Role::Faint), role, &words);
    }
}
