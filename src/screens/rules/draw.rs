//! The picture of the rules: what is wrong with their file, one row each, a peek at the one under the cursor;
//! and the page of one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use stella_protocol::Rule;
use stella_protocol::rule::RuleOrigin;
use stella_widgets::Align;
use stella_widgets::columns::Column;
use stella_widgets::number;
use stella_widgets::text::cut;

use super::words::{changed, clean, score};
use super::{State, paper};
use crate::frame::put;
use crate::screens::View;
use crate::screens::page::{self, Page};
use crate::screens::table::{self, Columns};
use crate::setting::{self, limits, origin, scope, share};
use crate::theme::Role;

const HEADINGS: [&str; 9] = ["RULE", "ON", "BUDGET", "ALERTS", "FALSE", "ACK IN", "ORIGIN", "LIMITS", "SCOPE"];

/// Columns: id, whether it is on, what is borne, alerts, share of false ones, time until somebody took one, origin,
/// limits, scope.
const COLUMNS: [Column; 9] = [
    Column { min: 16, ideal: 24, priority: 10, align: Align::Left },
    Column { min: 3, ideal: 3, priority: 9, align: Align::Left },
    Column { min: 8, ideal: 8, priority: 8, align: Align::Right },
    Column { min: 6, ideal: 6, priority: 7, align: Align::Right },
    Column { min: 5, ideal: 5, priority: 7, align: Align::Right },
    Column { min: 6, ideal: 6, priority: 5, align: Align::Right },
    Column { min: 8, ideal: 8, priority: 6, align: Align::Left },
    Column { min: 12, ideal: 40, priority: 4, align: Align::Left },
    Column { min: 12, ideal: u16::MAX, priority: 3, align: Align::Left },
];

/// Problems of the file that are shown; the command line lists them all.
const PROBLEMS: usize = 3;

/// The rows of the list; of the page of one rule all but its first line.
pub fn list_area(state: &State, body: Rect) -> Rect {
    if state.one.is_some() {
        return below(body, 1);
    }
    table::list_area(below(body, problem_lines(&state.problems()).len()))
}

/// What is left of an area below so many rows.
fn below(area: Rect, rows: usize) -> Rect {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// Paints the screen.
pub fn draw(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    if let Some(one) = &state.one {
        return draw_one(state, one, view, body, buffer);
    }
    let ids = state.rows.ids();
    let off = ids.iter().filter_map(|id| state.rule(view.board, id)).filter(|rule| !rule.enabled).count();
    let area = list_area(state, body);
    let count = state.rows.count(usize::from(area.height));
    let note = if off > 0 { format!("{count}, {off} off") } else { count };
    table::rule(view, "rules", &note, body, buffer);
    let problems = problem_lines(&state.problems());
    for (words, y) in problems.iter().zip(body.y + 1..body.bottom()) {
        let shown = cut(words, body.width.saturating_sub(2)).into_owned();
        put(buffer, body.x + 1, y, body.width, &Line::styled(shown, view.style(Role::Danger)));
    }
    if ids.is_empty() {
        return empty(state, view, area, buffer);
    }
    let window = state.rows.window(usize::from(area.height));
    let rows = ids[window.range()].iter().filter_map(|id| Some((state.rule(view.board, id)?, id)));
    let rows = rows.map(|(rule, id)| (rule, state.rows.is_here(id)));
    Columns { names: &HEADINGS, columns: &COLUMNS }.draw(view, area, rows, |rule| cells(view, rule), buffer);
    if let Some(rule) = state.cursor().and_then(|id| state.rule(view.board, id)) {
        table::peek(view, &clean(&rule.id), about(view, rule), (area, body), buffer);
    }
}

/// What is wrong with the file, and that the last good one holds.
fn problem_lines(problems: &[String]) -> Vec<String> {
    if problems.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["the file of rules cannot be taken as it is; the last good one holds".to_owned()];
    lines.extend(problems.iter().take(PROBLEMS).map(|problem| format!("! {problem}")));
    let more = problems.len().saturating_sub(PROBLEMS);
    lines.extend((more > 0).then(|| format!("! and {more} more: stella-tui rules list says them all")));
    lines
}

fn cells(view: &View<'_>, rule: &Rule) -> [(String, Style); 9] {
    let (muted, plain) = (view.style(Role::Muted), view.style(Role::Text));
    let ink = if rule.enabled { plain } else { view.style(Role::Faint) };
    let score = &rule.score;
    let changed = if rule.origin == RuleOrigin::Changed { view.style(Role::Accent) } else { muted };
    [
        (clean(&rule.id), ink),
        (setting::switch(rule.enabled).to_owned(), if rule.enabled { plain } else { view.style(Role::Waiting) }),
        (setting::budget(rule.sensitivity), ink),
        (number::count(score.alerts as f64), ink),
        (share(score).map_or_else(|| "-".to_owned(), number::percent), ink),
        (score.median_acknowledge_ms.map_or_else(|| "-".to_owned(), number::span), muted),
        (origin(rule.origin).to_owned(), changed),
        (limits(rule), muted),
        (scope(rule), muted),
    ]
}

/// What the one under the cursor looks for, and what it was worth.
fn about(view: &View<'_>, rule: &Rule) -> [(String, Role); 3] {
    let beside = if rule.limits.is_empty() { String::new() } else { format!("   {}", limits(rule)) };
    let what = format!("{}   for {}{beside}", clean(&rule.title), scope(rule));
    let last = changed(view, rule).unwrap_or_else(|| format!("settings: {}", origin(rule.origin)));
    [(what, Role::Text), (score(view, &rule.score), Role::Muted), (last, Role::Muted)]
}

/// What an empty list waits for.
fn empty(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let failed = state.page.failure().map(|why| format!("The server did not say: {why}"));
    let lines: Vec<&str> = match &failed {
        Some(why) => vec![why.as_str(), "r asks again."],
        None if state.page.known().is_some() => vec!["The server looks for nothing: it has no rules."],
        None => table::unheard(view).to_vec(),
    };
    table::says(view, &lines, area, buffer);
}

fn draw_one(state: &State, one: &super::one::State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    let area = below(body, 1);
    let Some(rule) = state.rule(view.board, one.id()) else {
        table::rule(view, "rule", "", body, buffer);
        return table::says(view, &["The server tells of no such rule.", "Esc shows all."], below(area, 1), buffer);
    };
    let title = format!("rule {}", clean(&rule.id));
    let note = if one.preview.is_some() { "nothing is changed yet" } else { setting::switch(rule.enabled) };
    table::rule(view, &title, note, body, buffer);
    let mut paper = Page::new(view, area.width);
    paper::write(one, rule, &mut paper);
    let (rows, chosen) = paper.into_rows();
    let top = chosen.end.saturating_sub(usize::from(area.height));
    page::paint(&rows, &chosen, top, view, area, buffer);
}
