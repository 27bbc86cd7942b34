//! The detail's picture.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::{Activity, Alert, Object, Status};
use stella_widgets::list::Window;
use stella_widgets::panel::Edge;
use stella_widgets::text::{cut, sanitise, width};
use stella_widgets::wrap::wrap;
use stella_widgets::{Panel, Rule, number};

use super::State;
use super::body::{Kind, Row, Tail, rows};
use crate::frame::{put, tint};
use crate::screens::plot::{self, Plot};
use crate::screens::{View, alerts, company, table};
use crate::theme::Role;

/// Rows of facts.
const FACTS: u16 = 3;

/// Whether the detail has the body for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// It does: the cursor line is shown.
    Whole,
    /// It stands beside the list.
    Pane,
}

/// Rows of the chart in a body of this height; where nothing can be charted, one that says so.
fn chart_rows(state: &State, height: u16) -> u16 {
    let has_none = state.evidence.as_ref().is_some_and(|evidence| evidence.series.is_none());
    match height {
        0..=13 => 0,
        _ if has_none => 1,
        14..=22 => 7,
        23..=34 => 9,
        _ => 12,
    }
}

/// The scrolling part, when the detail has the body for itself.
pub fn list_area(state: &State, body: Rect) -> Rect {
    let top = (1 + FACTS + chart_rows(state, body.height)).min(body.height);
    Rect { y: body.y + top, height: body.height - top, ..body }
}

/// What the dots in the chart are, where there are some.
const LEGEND: [&str; 1] = ["   ··· usual"];

/// What moves the chart, in more and in fewer words.
const KEYS: [&str; 2] = ["   + - zoom, left right move", "   + - zoom"];

/// Paints the alert.
pub fn draw(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer, frame: Frame) {
    let Some(alert) = state.shown(view.board) else {
        return nothing(state, view, area, frame, buffer);
    };
    let title = format!("{}  {}", alert.id, sanitise(alert.title.raw()));
    let note = sanitise(alert.service.raw());
    let inner = panel(view, &title, &note, area, frame, buffer);
    facts(view, alert, inner, buffer);
    let rows_of_chart = chart_rows(state, area.height);
    let chart =
        Rect { x: inner.x + 1, y: inner.y + FACTS, width: inner.width.saturating_sub(2), height: rows_of_chart };
    if rows_of_chart > 0 {
        draw_chart(state, view, alert, chart, buffer);
    }
    let top = FACTS + rows_of_chart;
    let rest = Rect { y: inner.y + top.min(inner.height), height: inner.height.saturating_sub(top), ..inner };
    lines(state, view, alert, rest, frame, buffer);
}

fn panel(view: &View<'_>, title: &str, note: &str, area: Rect, frame: Frame, buffer: &mut Buffer) -> Rect {
    let edge = if frame == Frame::Pane && area.x > 0 { Edge::Ruled } else { Edge::Open };
    let panel = Panel::new(table::ruled(view, title, note)).edge(edge);
    (&panel).render(area, buffer);
    panel.inner(area)
}

fn nothing(state: &State, view: &View<'_>, area: Rect, frame: Frame, buffer: &mut Buffer) {
    let inner = panel(view, "alert", "", area, frame, buffer);
    let words = match (&state.alert, state.past.failure()) {
        (Some(id), Some(why)) => format!(" {id} cannot be had: {why}"),
        (Some(id), None) if state.past.is_waiting() => format!(" asking the server for {id} …"),
        _ => " The alert under the cursor is explained here.".to_owned(),
    };
    let words = Line::styled(words, view.style(Role::Muted));
    put(buffer, inner.x, inner.y + 1, inner.width, &words);
}

fn facts(view: &View<'_>, alert: &Alert, area: Rect, buffer: &mut Buffer) {
    let (muted, plain) = (view.style(Role::Muted), view.style(Role::Text));
    let activity = match (alert.status, alert.activity) {
        (Status::New | Status::Acknowledged, Activity::Firing) => "firing".to_owned(),
        (Status::New | Status::Acknowledged, Activity::Quiet { since }) => {
            format!("quiet since {}", view.seconds(since))
        }
        (status, _) => status.word().replace('_', " "),
    };
    let owner =
        alert.acknowledged_by.as_ref().map_or_else(|| "nobody".to_owned(), |by| sanitise(by.raw()).into_string());
    let unit = sanitise(alert.brief.unit.raw());
    let value = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| number::text(value, &unit));
    let here = company::here_too(view, &Object::Alert(alert.id.clone()));
    let here = here.map(|here| format!("   {here}")).unwrap_or_default();
    let first = [
        Span::styled(format!(" {}", alerts::word(alert.severity)), alerts::severity(view, alert.severity)),
        Span::styled(format!(" {activity}"), plain),
        Span::styled(here, view.style(Role::Accent)),
        Span::styled(format!("   x{}", number::grouped(alert.occurrences)), muted),
        Span::styled(format!("   first {}", view.seconds(alert.first_seen)), muted),
        Span::styled(format!("   owner {owner}"), muted),
        Span::styled(format!("   last {}", view.seconds(alert.last_seen)), muted),
    ];
    let limit = alert.brief.threshold.map_or_else(|| "none".to_owned(), |limit| number::text(limit, &unit));
    let second = [
        Span::styled(format!(" observed {}", value(alert.brief.observed)), plain),
        Span::styled(format!("   limit {limit}"), muted),
        Span::styled(format!("   usual {}", value(alert.brief.baseline)), muted),
        Span::styled(users(alert), muted),
    ];
    let labels: Vec<String> =
        alert.labels.iter().map(|(name, text)| format!("{}={}", sanitise(name), sanitise(text.raw()))).collect();
    let third = format!(" {} {}", alert.kind.word().replace('_', " "), labels.join(" "));
    put(buffer, area.x, area.y, area.width, &whole_facts(first, area.width));
    put(buffer, area.x, area.y + 1, area.width, &whole_facts(second, area.width));
    put(buffer, area.x, area.y + 2, area.width, &Line::styled(cut(&third, area.width).into_owned(), muted));
}

/// As many facts as fit whole: half a number is a wrong number.
fn whole_facts<const N: usize>(facts: [Span<'static>; N], room: u16) -> Line<'static> {
    let mut used = 0;
    let fitting = facts.into_iter().filter(|fact| {
        let fits = used + width(&fact.content) <= room;
        used += if fits { width(&fact.content) } else { 0 };
        fits
    });
    Line::from(fitting.collect::<Vec<_>>())
}

fn users(alert: &Alert) -> String {
    match (alert.affected_user_count, alert.affected_users.first()) {
        (0, _) | (_, None) => String::new(),
        (1, Some(user)) => format!("   user {}", sanitise(user.raw())),
        (many, Some(user)) => format!("   {many} users, e.g. {}", sanitise(user.raw())),
    }
}

fn draw_chart(state: &State, view: &View<'_>, alert: &Alert, area: Rect, buffer: &mut Buffer) {
    let Some(series) = state.evidence.as_ref().and_then(|evidence| evidence.series.as_ref()) else {
        let words = if state.evidence.is_some() { "nothing to chart for this kind of alert" } else { "" };
        put(buffer, area.x, area.y + area.height / 2, area.width, &Line::styled(words, view.style(Role::Faint)));
        return;
    };
    let (from, to) = state.span(view);
    let unit = sanitise(series.unit.raw());
    let title = sanitise(series.title.raw());
    let band = series.baseline.map(|usual| (usual.low, usual.high));
    let mut words = format!("{title}   {}", state.window.words());
    // What explains the picture comes before what changes it; a part that does not stand whole is left out.
    let legend = if band.is_some() { &LEGEND[..] } else { &[] };
    for parts in [legend, &KEYS[..]] {
        let left = area.width.saturating_sub(width(&words));
        words += parts.iter().find(|part| width(part) <= left).copied().unwrap_or_default();
    }
    put(
        buffer,
        area.x,
        area.y,
        area.width,
        &Line::styled(cut(&words, area.width).into_owned(), view.style(Role::Faint)),
    );
    let plot = Plot {
        points: &series.points,
        step_ms: series.step_ms,
        from,
        to,
        unit: &unit,
        limit: series.limit.or(alert.brief.threshold.filter(|_| series.unit == alert.brief.unit)),
        band,
        onset: series.onset.or(alert.brief.onset),
        service: alert.service.raw(),
    };
    plot::draw(&plot, view, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, buffer);
}

fn lines(state: &State, view: &View<'_>, alert: &Alert, area: Rect, frame: Frame, buffer: &mut Buffer) {
    let rows = rows(state, view, alert);
    let selected = (frame == Frame::Whole).then(|| state.line.min(rows.len().saturating_sub(1)));
    let area = match selected.and_then(|at| rows.get(at)) {
        Some(row) => unfolded(view, row, area, buffer),
        None => area,
    };
    let window = Window::new(rows.len(), usize::from(area.height)).following(selected, 0);
    for (index, y) in window.range().zip(area.y..area.bottom()) {
        let row = &rows[index];
        let line = Rect { y, height: 1, ..area };
        draw_row(view, row, line, buffer);
        if selected == Some(index) {
            put(buffer, area.x, y, 1, &Line::styled(">", view.style(Role::Accent)));
            tint(buffer, line, view.style(Role::Selection));
        }
    }
}

/// Shows the line under the cursor in full below the others when it is cut; returns what is left.
fn unfolded(view: &View<'_>, row: &Row, area: Rect, buffer: &mut Buffer) -> Rect {
    let room = area.width.saturating_sub(before(row) + behind(view, row));
    if row.kind == Kind::Heading || width(&row.words) <= room || area.height < 6 {
        return area;
    }
    let lines = wrap(&row.words, area.width.saturating_sub(4));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height / 2);
    let left = Rect { height: area.height - height - 1, ..area };
    let rule = Rule::new().title("in full").style(view.style(Role::Border)).title_style(view.style(Role::Faint));
    (&rule).render(Rect { y: left.bottom(), height: 1, ..area }, buffer);
    for (line, y) in lines.iter().zip(left.bottom() + 1..area.bottom()) {
        put(buffer, area.x + 2, y, area.width.saturating_sub(2), &Line::styled(*line, view.style(Role::Text)));
    }
    left
}

/// Columns before the words: the cursor's, and the mark with a blank behind it.
fn before(row: &Row) -> u16 {
    1 + row.mark.as_ref().map_or(0, |(mark, _)| width(mark) + 1)
}

/// Columns behind the words: a blank at the edge, and the tail with a blank before it.
fn behind(view: &View<'_>, row: &Row) -> u16 {
    match width(&tail(view, row)) {
        0 => 1,
        tail => tail + 2,
    }
}

/// What stands at the right of a line.
fn tail(view: &View<'_>, row: &Row) -> String {
    match &row.tail {
        Tail::None => String::new(),
        Tail::At(at) => view.seconds(*at),
        Tail::Words(words) => words.clone(),
    }
}

fn draw_row(view: &View<'_>, row: &Row, area: Rect, buffer: &mut Buffer) {
    let tail = tail(view, row);
    let Kind::Words(role) = row.kind else {
        let rule = Rule::new().title(&row.words).note(&tail).style(view.style(Role::Border));
        let rule = rule.title_style(view.style(Role::Muted)).note_style(view.style(Role::Faint));
        return (&rule).render(area, buffer);
    };
    let at = before(row);
    if let Some((mark, role)) = &row.mark {
        put(buffer, area.x + 1, area.y, width(mark), &Line::styled(mark.as_str(), view.style(*role)));
    }
    let room = area.width.saturating_sub(at + behind(view, row));
    put(buffer, area.x + at, area.y, room, &Line::styled(cut(&row.words, room).into_owned(), view.style(role)));
    let x = area.right().saturating_sub(width(&tail) + 1);
    put(buffer, x, area.y, width(&tail), &Line::styled(tail, view.style(Role::Faint)));
}
