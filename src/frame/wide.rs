//! What wide terminals show besides: the fixes that wait or run, and what happened lately, from the
//! alerts' and the fixes' own trails.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::{Fix, Timestamp};
use stella_widgets::text::{fit, sanitise, width};
use stella_widgets::{Align, Rule};

use super::put;
use crate::screens::View;
use crate::screens::fixes::{approvals, risk, risk_role, sorted, status, status_role, when};
use crate::theme::Role;

/// Open fixes that are listed; the screen of fixes has all of them.
const DECISIONS: usize = 6;

/// Fixes that wait or run, and below them what happened.
pub(super) fn draw(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let open = sorted(view.board.fixes.iter().filter(|fix| fix.status.is_open()));
    let rows = u16::try_from(open.len().min(DECISIONS)).unwrap_or(0);
    if rows == 0 {
        return activity(view, area, buffer);
    }
    let height = (rows + 1).min(area.height);
    let note = format!("{} wait", view.board.fixes.waiting());
    let rule = Rule::new()
        .title("decisions and fixes under way (2 all)")
        .note(&note)
        .style(view.style(Role::Border))
        .title_style(view.style(Role::Title))
        .note_style(view.style(Role::Muted));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    for (fix, y) in open.into_iter().zip(area.y + 1..area.y + height) {
        put(buffer, area.x, y, area.width, &decision(view, fix, area.width));
    }
    activity(view, Rect { y: area.y + height, height: area.height - height, ..area }, buffer);
}

fn decision(view: &View<'_>, fix: &Fix, columns: u16) -> Line<'static> {
    let (left, tail) = (Align::Left, format!("{:>4}  {:>8} ", approvals(fix), when(view, fix)));
    let title = sanitise(fix.title.raw());
    let room = columns.saturating_sub(27 + width(&tail));
    Line::from(vec![
        Span::styled(format!(" {} ", fit(fix.id.as_str(), 7, left)), view.style(Role::Text)),
        Span::styled(format!("{} ", fit(status(fix.status), 11, left)), view.style(status_role(fix.status))),
        Span::styled(format!("{} ", fit(risk(fix.risk), 4, left)), view.style(risk_role(fix.risk))),
        Span::styled(fit(&title, room, left), view.style(Role::Text)),
        Span::styled(tail, view.style(Role::Muted)),
    ])
}

/// Opened, acknowledged, noted, resolved, proposed, approved: newest first.
fn activity(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let rule = Rule::new().title("activity").style(view.style(Role::Border)).title_style(view.style(Role::Title));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    let mut trail: Vec<(Timestamp, String, String)> = Vec::new();
    for alert in view.board.alerts.iter() {
        let title = sanitise(alert.title.raw()).into_string();
        trail.push((alert.detected_at, "stella".to_owned(), format!("found {} {title}", alert.id)));
        if let (Some(at), Some(by)) = (alert.acknowledged_at, &alert.acknowledged_by) {
            trail.push((at, sanitise(by.raw()).into_string(), format!("acknowledged {} {title}", alert.id)));
        }
        if let (Some(at), Some(by)) = (alert.resolved_at, &alert.resolved_by) {
            trail.push((at, sanitise(by.raw()).into_string(), format!("resolved {} {title}", alert.id)));
        }
        for note in &alert.notes {
            let words = format!("noted on {}: {}", alert.id, sanitise(note.text.raw()));
            trail.push((note.at, sanitise(note.by.raw()).into_string(), words));
        }
    }
    for fix in view.board.fixes.iter() {
        trail.extend(fix.trail.iter().map(|event| {
            let by = sanitise(event.by.raw()).into_string();
            (event.at, by, format!("{}: {}", fix.id, sanitise(event.what.raw())))
        }));
    }
    trail.sort_by_key(|(at, _, _)| std::cmp::Reverse(*at));
    for ((at, by, words), y) in trail.iter().zip(area.y + 1..area.bottom()) {
        let spans = vec![
            Span::styled(format!(" {} ", view.seconds(*at)), view.style(Role::Muted)),
            Span::styled(fit(by, 12, Align::Left), view.style(Role::Accent)),
            Span::raw(format!(" {words}")),
        ];
        put(buffer, area.x, y, area.width, &Line::from(spans));
    }
}
