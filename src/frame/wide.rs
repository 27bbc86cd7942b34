//! What wide terminals show besides: what happened lately, from the alerts' own trail.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::Timestamp;
use stella_widgets::Rule;
use stella_widgets::text::sanitise;

use super::put;
use crate::screens::View;
use crate::theme::Role;

/// Opened, acknowledged, noted, resolved: newest first.
pub(super) fn activity(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
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
    trail.sort_by_key(|(at, _, _)| std::cmp::Reverse(*at));
    for ((at, by, words), y) in trail.iter().zip(area.y + 1..area.bottom()) {
        let spans = vec![
            Span::styled(format!(" {} ", view.seconds(*at)), view.style(Role::Muted)),
            Span::styled(stella_widgets::text::fit(by, 12, stella_widgets::Align::Left), view.style(Role::Accent)),
            Span::raw(format!(" {words}")),
        ];
        put(buffer, area.x, y, area.width, &Line::from(spans));
    }
}
