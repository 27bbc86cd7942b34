//! The detail's picture.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::{Activity, Alert, Status};
use stella_widgets::list::Window;
use stella_widgets::panel::Edge;
use stella_widgets::text::{cut, sanitise, width};
use stella_widgets::{Panel, Rule, number};

use super::State;
use super::body::{Kind, Row, rows};
use crate::frame::{put, tint};
use crate::screens::plot::{self, Plot};
use crate::screens::{View, alerts};
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

/// Rows of the chart in a body of this height.
fn chart_rows(height: u16) -> u16 {
    match height {
        0..=13 => 0,
        14..=22 => 7,
        23..=34 => 9,
        _ => 12,
    }
}

/// The scrolling part, when the detail has the body for itself.
pub fn list_area(body: Rect) -> Rect {
    let top = (1 + FACTS + chart_rows(body.height)).min(body.height);
    Rect { y: body.y + top, height: body.height - top, ..body }
}

/// Paints the alert.
pub fn draw(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer, frame: Frame) {
    let Some(alert) = state.alert.as_ref().and_then(|id| view.board.alerts.get(id)) else {
        return nothing(view, area, frame, buffer);
    };
    let title = format!("{}  {}", alert.id, sanitise(alert.title.raw()));
    let note = sanitise(alert.service.raw());
    let inner = panel(view, &title, &note, area, frame, buffer);
    facts(view, alert, inner, buffer);
    let rows_of_chart = chart_rows(area.height);
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
    let rule = Rule::new()
        .title(title)
        .note(note)
        .style(view.style(Role::Border))
        .title_style(view.style(Role::Title))
        .note_style(view.style(Role::Muted));
    let edge = if frame == Frame::Pane && area.x > 0 { Edge::Ruled } else { Edge::Open };
    let panel = Panel::new(rule).edge(edge);
    (&panel).render(area, buffer);
    panel.inner(area)
}

fn nothing(view: &View<'_>, area: Rect, frame: Frame, buffer: &mut Buffer) {
    let inner = panel(view, "alert", "", area, frame, buffer);
    let words = Line::styled(" The alert under the cursor is explained here.", view.style(Role::Muted));
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
    let first = vec![
        Span::raw(" "),
        Span::styled(alerts::word(alert.severity), alerts::severity(view, alert.severity)),
        Span::styled(format!(" {activity}"), plain),
        Span::styled(
            format!("   first {}   last {}", view.seconds(alert.first_seen), view.seconds(alert.last_seen)),
            muted,
        ),
        Span::styled(format!("   x{}", number::grouped(alert.occurrences)), muted),
        Span::styled(format!("   owner {owner}"), muted),
    ];
    let second = vec![
        Span::styled(" observed ", muted),
        Span::styled(value(alert.brief.observed), plain),
        Span::styled("   usual ", muted),
        Span::styled(value(alert.brief.baseline), plain),
        Span::styled("   limit ", muted),
        Span::styled(
            alert.brief.threshold.map_or_else(|| "none".to_owned(), |limit| number::text(limit, &unit)),
            plain,
        ),
        Span::styled(users(alert), muted),
    ];
    let labels: Vec<String> =
        alert.labels.iter().map(|(name, text)| format!("{}={}", sanitise(name), sanitise(text.raw()))).collect();
    let third = Line::styled(format!(" {} {}", alert.kind.word().replace('_', " "), labels.join(" ")), muted);
    put(buffer, area.x, area.y, area.width, &Line::from(first));
    put(buffer, area.x, area.y + 1, area.width, &Line::from(second));
    put(buffer, area.x, area.y + 2, area.width, &third);
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
    let words = format!("{}   {}   + - zoom, left right move", title, state.window.words());
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
        band: None,
        onset: series.onset,
    };
    plot::draw(&plot, view, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, buffer);
}

fn lines(state: &State, view: &View<'_>, alert: &Alert, area: Rect, frame: Frame, buffer: &mut Buffer) {
    let rows = rows(state, alert);
    let selected = (frame == Frame::Whole).then(|| state.line.min(rows.len().saturating_sub(1)));
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

fn draw_row(view: &View<'_>, row: &Row, area: Rect, buffer: &mut Buffer) {
    let (style, at): (Style, Option<_>) = match &row.kind {
        Kind::Heading => {
            let rule =
                Rule::new().title(&row.words).style(view.style(Role::Border)).title_style(view.style(Role::Muted));
            (&rule).render(area, buffer);
            return;
        }
        Kind::Plain => (view.style(Role::Text), None),
        Kind::Muted => (view.style(Role::Muted), None),
        Kind::Action => (view.style(Role::Link), None),
        Kind::Against(at) => (view.style(Role::Ok), Some(*at)),
        Kind::For(at) | Kind::Line(at) | Kind::Trail(at) => (view.style(Role::Text), Some(*at)),
    };
    let time = at.map(|at| view.seconds(at)).unwrap_or_default();
    let room = area.width.saturating_sub(2 + width(&time));
    put(buffer, area.x + 1, area.y, room, &Line::styled(cut(&row.words, room).into_owned(), style));
    let x = area.right().saturating_sub(width(&time) + 1);
    put(buffer, x, area.y, width(&time), &Line::styled(time, view.style(Role::Faint)));
}
