//! The log screen's picture: matches marked, words of the search underlined.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use stella_protocol::snapshot::LogLine;
use stella_protocol::{Level, LogEvent};
use stella_widgets::list::Window;
use stella_widgets::text::{Align, fit, sanitise};
use stella_widgets::wrap::wrap;

use super::{State, Subject};
use crate::frame::{put, tint};
use crate::screens::{View, table};
use crate::theme::Role;

/// Most rows that an unfolded line takes.
const UNFOLDED: usize = 12;

/// The rows of the list.
pub fn list_area(body: Rect) -> Rect {
    Rect { y: body.y + 1.min(body.height), height: body.height.saturating_sub(1), ..body }
}

/// Paints the screen.
pub fn draw(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    rule(state, view, body, buffer);
    let mut area = list_area(body);
    if state.lines.is_empty() {
        return empty(state, view, area, buffer);
    }
    let unfolded = unfolded(state, view, area.width);
    let room = u16::try_from(unfolded.len()).unwrap_or(0).min(area.height / 2);
    area.height -= room;
    let at = state.position();
    let window =
        Window::new(state.lines.len(), usize::from(area.height)).following(Some(at), first_row(state, area.height));
    for (index, y) in window.range().zip(area.y..area.bottom()) {
        let line = Rect { y, height: 1, ..area };
        draw_line(state, view, &state.lines[index], line, buffer);
        if index == at {
            put(buffer, area.x, y, 1, &Line::styled(">", view.style(Role::Accent)));
            tint(buffer, line, view.style(Role::Selection));
        }
    }
    for (row, y) in unfolded.iter().take(usize::from(room)).zip(area.bottom()..) {
        put(buffer, area.x + 2, y, area.width.saturating_sub(2), &Line::styled(row.as_str(), view.style(Role::Muted)));
    }
}

/// The window hangs around the cursor: a third of the page above it.
fn first_row(state: &State, height: u16) -> usize {
    if state.follows() { state.lines.len() } else { state.position().saturating_sub(usize::from(height) / 3) }
}

fn rule(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    let title = match &state.subject {
        Subject::Stream => "log".to_owned(),
        Subject::Around(id) => format!("log around {id}"),
        Subject::Link(link, _) => {
            format!("lines {} -- {} to {}", sanitise(link.q.raw()), view.seconds(link.from), view.seconds(link.to))
        }
    };
    let marked = state.lines.iter().filter(|line| state.marks(line)).count();
    let mut note = format!("{} lines", state.lines.len());
    if marked > 0 {
        note.push_str(&format!(", {marked} marked"));
    }
    if !state.search.text.is_empty() {
        let found = state.lines.iter().filter(|line| state.search.query.matches(&line.event)).count();
        note.push_str(&format!(" -- {found} match {}", sanitise(&state.search.text)));
    }
    if state.held {
        note.push_str(" -- HELD");
    } else if state.follows() {
        note.push_str(" -- following");
    }
    table::rule(view, &title, &note, body, buffer);
}

fn empty(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let words = match (&state.failure, &state.asked) {
        (Some(why), _) => format!("no lines: {why}; r loads anew"),
        (None, Some(_)) => "asking the server for lines …".to_owned(),
        (None, None) if state.is_counted() => "None of these lines is kept any more.".to_owned(),
        (None, None) => "No line was kept here yet.".to_owned(),
    };
    put(buffer, area.x + 2, area.y + 1, area.width, &Line::styled(words, view.style(Role::Muted)));
}

fn draw_line(state: &State, view: &View<'_>, line: &LogLine, area: Rect, buffer: &mut Buffer) {
    let event = &line.event;
    let marked = state.marks(line);
    let mark = if marked { "*" } else { " " };
    let level = match event.level {
        Level::Error => view.style(Role::Critical),
        Level::Warn => view.style(Role::Medium),
        Level::Debug | Level::Info | Level::Metric | Level::Unknown => view.style(Role::Muted),
    };
    let mut spans = vec![
        Span::styled(format!(" {mark}"), view.style(Role::Accent)),
        Span::styled(format!(" {} ", view.seconds(event.engine_time)), view.style(Role::Faint)),
        Span::styled(format!("{:<7}", event.level.word()), level),
        Span::styled(fit(&sanitise(event.service.raw()), 9, Align::Left), view.style(Role::Muted)),
        Span::raw(" "),
    ];
    let found = !state.search.text.is_empty() && state.search.query.matches(event);
    let plain = if marked { view.style(Role::Text).add_modifier(Modifier::BOLD) } else { view.style(Role::Text) };
    spans.extend(message(state, view, event, plain, found));
    put(buffer, area.x, area.y, area.width, &Line::from(spans));
}

/// The message with the searched words set apart.
fn message(state: &State, view: &View<'_>, event: &LogEvent<'_>, plain: Style, found: bool) -> Vec<Span<'static>> {
    let text = words_of(event);
    let hit = view.style(Role::Focus).add_modifier(Modifier::UNDERLINED);
    let words = state.search.query.words();
    if !found || words.is_empty() {
        let style = if found { plain.add_modifier(Modifier::UNDERLINED) } else { plain };
        return vec![Span::styled(text, style)];
    }
    let lower = text.to_ascii_lowercase();
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some((start, word)) =
        words.iter().filter_map(|word| lower[at..].find(*word).map(|start| (at + start, *word))).min()
    {
        if word.is_empty() {
            break;
        }
        spans.push(Span::styled(text[at..start].to_owned(), plain));
        spans.push(Span::styled(text[start..start + word.len()].to_owned(), hit));
        at = start + word.len();
    }
    spans.push(Span::styled(text[at..].to_owned(), plain));
    spans
}

/// The message, and what it was about when it does not say so itself.
fn words_of(event: &LogEvent<'_>) -> String {
    let message = sanitise(event.message.raw()).into_string();
    if let (Some(metric), Some(value)) = (&event.metric, event.value) {
        return format!("{message} {} = {value}", sanitise(metric.raw()));
    }
    match (&event.operation, event.duration_ms) {
        (Some(operation), Some(duration)) if !message.contains(operation.raw()) => {
            format!("{message}  {} {duration:.0} ms", sanitise(operation.raw()))
        }
        (Some(operation), None) if !message.contains(operation.raw()) => {
            format!("{message}  {}", sanitise(operation.raw()))
        }
        _ => message,
    }
}

/// Everything that the line under the cursor says, when it is unfolded.
fn unfolded(state: &State, view: &View<'_>, width: u16) -> Vec<String> {
    let Some(line) = state.lines.iter().find(|line| state.open == Some(line.id)) else { return Vec::new() };
    let json = serde_json::to_value(&line.event).unwrap_or_default();
    let mut rows = vec![format!("line {}  {}", line.id.0, view.seconds(line.event.engine_time))];
    if let Some(fields) = json.as_object() {
        for (name, value) in fields {
            let words = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            for piece in words.lines() {
                let clean = sanitise(&format!("{name}: {piece}"));
                rows.extend(wrap(&clean, width.saturating_sub(4)).into_iter().map(str::to_owned));
            }
        }
    }
    rows.truncate(UNFOLDED);
    rows
}
