//! The list's picture: only the rows that the terminal has are built.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::{Activity, Alert, Fix, HealthStatus, Object, Severity, Status};
use stella_widgets::columns::{Column, Place, lay_out};
use stella_widgets::sparkline::spark_string;
use stella_widgets::text::{cut, sanitise, width as text_width};
use stella_widgets::{Align, Rule, number};

use super::State;
use crate::board::link::LinkState;
use crate::event::SourceEvent;
use crate::frame::{put, tint};
use crate::model::requests::Progress;
use crate::screens::fixes::{status, when};
use crate::screens::{View, company, table};
use crate::theme::Role;

const HEADINGS: [&str; 8] = ["SEV", "AGE", "STATE", "SERVICE", "SUMMARY", "N", "30m", "OWNER"];

/// Which of the columns is the summary, and which the half hour.
const SUMMARY: usize = 4;
const TREND: usize = 6;

/// Columns of the table: severity, age, state, service, summary, matches, half an hour, owner.
const COLUMNS: [Column; 8] = [
    Column { min: 4, ideal: 4, priority: 10, align: Align::Left },
    Column { min: 5, ideal: 5, priority: 9, align: Align::Right },
    Column { min: 5, ideal: 5, priority: 8, align: Align::Left },
    Column { min: 8, ideal: 10, priority: 7, align: Align::Left },
    Column { min: 26, ideal: u16::MAX, priority: 6, align: Align::Left },
    Column { min: 5, ideal: 5, priority: 2, align: Align::Right },
    Column { min: 8, ideal: 12, priority: 4, align: Align::Left },
    Column { min: 5, ideal: 8, priority: 3, align: Align::Left },
];

/// From this width on the number of matches has a column.
const ROOMY: u16 = 100;

/// From this width on a summary has room to tell of its group in words: beside them stands half a title at least.
const TOLD: u16 = 40;

/// The rows of the list inside its pane: without rule, heading and the line for arrivals.
pub fn list_area(pane: Rect) -> Rect {
    let head = 2.min(pane.height);
    Rect { y: pane.y + head, height: pane.height.saturating_sub(head + 1), ..pane }
}

/// Where the columns stand. On a narrow pane the number of matches, and what the last two columns
/// could grow by, go to the summary.
fn places(width: u16) -> Vec<Option<Place>> {
    let mut columns = COLUMNS;
    if width < ROOMY {
        columns[5].min = u16::MAX;
        columns[6].ideal = columns[6].min;
        columns[7].ideal = columns[7].min;
    }
    lay_out(&columns, width.saturating_sub(table::MARGIN), 1)
}

/// Paints the list.
pub fn draw(state: &State, view: &View<'_>, pane: Rect, buffer: &mut Buffer) {
    rule(state, view, pane, buffer);
    let places = places(pane.width);
    table::headings(view, &HEADINGS, &places, Rect { y: pane.y + 1, height: 1, ..pane }, buffer);
    let area = list_area(pane);
    let window = state.window(usize::from(area.height));
    for (row, y) in window.range().zip(area.y..area.bottom()) {
        let Some(alert) = state.rows.get(row).and_then(|id| view.board.alerts.get(id)) else { continue };
        draw_row(state, view, alert, Rect { y, height: 1, ..area }, &places, buffer);
    }
    if state.rows.is_empty() {
        empty(state, view, area, buffer);
    }
    coach(state, view, area, buffer);
    below(state, view, pane, (window.above(), window.below()), buffer);
}

/// A newcomer's three lines, where the rows leave room for them.
fn coach(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let lines = &view.setup.coach;
    if !state.coaches(view, usize::from(area.height)) {
        return;
    }
    let step = view.coach_step();
    let top = area.bottom().saturating_sub(u16::try_from(lines.len()).unwrap_or(0));
    for (index, (line, y)) in lines.iter().zip(top..area.bottom()).enumerate() {
        let (mark, role) = match index.cmp(&step) {
            std::cmp::Ordering::Less => ("x", Role::Faint),
            std::cmp::Ordering::Equal => (">", Role::Accent),
            std::cmp::Ordering::Greater => (" ", Role::Muted),
        };
        put(
            buffer,
            area.x + 3,
            y,
            area.width.saturating_sub(3),
            &Line::styled(format!("{mark} {line}"), view.style(role)),
        );
    }
}

fn rule(state: &State, view: &View<'_>, pane: Rect, buffer: &mut Buffer) {
    let filter = sanitise(state.filter.text());
    let title = if filter.is_empty() { "alerts".to_owned() } else { format!("alerts -- {filter}") };
    let mut note = match state.filter.text() {
        "" if !view.board.alerts.loaded() => String::new(),
        "" => format!("{} open", state.open),
        _ => format!("{} shown, {} open", state.groups.len(), state.open),
    };
    if !state.marks.is_empty() {
        note.push_str(&format!(" -- marked {}", state.marks.len()));
    }
    if state.held {
        note.push_str(" -- HELD");
    }
    table::rule(view, &title, &note, pane, buffer);
}

fn draw_row(state: &State, view: &View<'_>, alert: &Alert, area: Rect, places: &[Option<Place>], buffer: &mut Buffer) {
    let here = state.cursor.as_ref() == Some(&alert.id);
    let mark = if state.marks.contains(&alert.id) { "*" } else { " " };
    let pointer = if here { ">" } else { " " };
    put(buffer, area.x, area.y, 2, &Line::styled(format!("{pointer}{mark}"), view.style(Role::Accent)));
    let open = alert.status.is_open();
    let plain = if open { view.style(Role::Text) } else { view.style(Role::Faint) };
    let muted = view.style(Role::Muted);
    let cells: [(String, Style); 8] = [
        (word(alert.severity).to_owned(), severity(view, alert.severity)),
        (view.age(alert.first_seen), muted),
        self::state(view, alert),
        (service(alert), plain),
        (summary(state, view, alert, places[SUMMARY].map_or(0, |place| place.width)), plain),
        (count(alert.occurrences), muted),
        (spark_string(&alert.brief.spark, places[TREND].map_or(0, |place| place.width), None), view.style(Role::Chart)),
        (owner(alert), muted),
    ];
    table::cells(cells, places, area, buffer);
    if here {
        tint(buffer, area, view.style(Role::Selection));
    }
}

/// `CRIT`, `HIGH`, `MED`, `LOW`.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRIT",
        Severity::High => "HIGH",
        Severity::Medium => "MED",
        Severity::Low => "LOW",
        Severity::Unknown => "?",
    }
}

/// The style of a severity.
pub fn severity(view: &View<'_>, severity: Severity) -> Style {
    view.style(role(severity))
}

/// What a severity means.
pub fn role(severity: Severity) -> Role {
    match severity {
        Severity::Critical => Role::Critical,
        Severity::High => Role::High,
        Severity::Medium => Role::Medium,
        Severity::Low => Role::Low,
        Severity::Unknown => Role::Muted,
    }
}

/// `FIRE`, `ACK`, `FIXP` (a fix waits), `FIXG` (one runs), `RES`, `FP`; while a change is under way with `..`, unknown with `??`.
pub fn state(view: &View<'_>, alert: &Alert) -> (String, Style) {
    let (word, role) = match alert.status {
        status if status.is_open() && has_fix(view, alert, |fix| fix.status.is_under_way()) => ("FIXG", Role::Accent),
        status if status.is_open() && has_fix(view, alert, |fix| fix.status.waits_for_people()) => {
            ("FIXP", Role::Waiting)
        }
        Status::New => ("FIRE", Role::Text),
        Status::Acknowledged => ("ACK", Role::Ok),
        Status::Resolved => ("RES", Role::Muted),
        Status::FalsePositive => ("FP", Role::Muted),
        Status::Unknown => ("?", Role::Muted),
    };
    match view.requests.progress(&alert.id) {
        None => (word.to_owned(), view.style(role)),
        Some(Progress::Pending) => (format!("{word:.3}.."), view.style(Role::Waiting)),
        Some(Progress::Unknown) => (format!("{word:.3}??"), view.style(Role::Danger).add_modifier(Modifier::BOLD)),
    }
}

fn has_fix(view: &View<'_>, alert: &Alert, is: impl Fn(&Fix) -> bool) -> bool {
    view.board.fixes.iter().any(|fix| fix.alert_id.as_ref() == Some(&alert.id) && is(fix))
}

/// The title, and what must not be cut off it.
fn summary(state: &State, view: &View<'_>, alert: &Alert, width: u16) -> String {
    let title = sanitise(alert.title.raw());
    let mut tail = String::new();
    if stella_widgets::text::looks_mixed(&title) {
        tail.push_str(" [mixed script]");
    }
    if let (true, Activity::Quiet { since }) = (alert.status.is_open(), alert.activity) {
        tail.push_str(&format!(" quiet {}", view.age(since)));
    }
    if alert.still_matching_since.is_some() {
        tail.push_str(" still matching");
    }
    if alert.reopened > 0 {
        tail.push_str(&format!(" back x{}", alert.reopened));
    }
    tail.push_str(&group(state, view, alert, width >= TOLD));
    tail.push_str(&company::mark(view, &Object::Alert(alert.id.clone())));
    let under = if state.groups.top(&alert.id).is_some() { "└ " } else { "" };
    let room = width.saturating_sub(text_width(&tail) + text_width(under));
    format!("{under}{}{tail}", cut(&title, room))
}

/// ` (3 in group) +` on an alert that explains others, ` (3 in group) -` once they are shown: where one of those that are folded is
/// worse, or marked, that is said too. Where there is no room to tell it: ` +3`, ` +3 CRIT *1`, and ` -`.
fn group(state: &State, view: &View<'_>, alert: &Alert, is_told: bool) -> String {
    let count = state.groups.under(&alert.id).count();
    if count == 0 {
        return String::new();
    }
    if state.groups.is_unfolded(&alert.id) {
        return if is_told { format!(" ({count} in group) -") } else { " -".to_owned() };
    }
    let severities = state.groups.under(&alert.id).filter_map(|id| view.board.alerts.get(id)).map(|one| one.severity);
    let worst = severities.max().filter(|worst| *worst > alert.severity).map(word);
    let marked = state.groups.under(&alert.id).filter(|id| state.marks.contains(id)).count();
    let marked = (marked > 0).then_some(marked);
    if is_told {
        let worst = worst.map(|worst| format!(", worst {worst}")).unwrap_or_default();
        let marked = marked.map(|marked| format!(", {marked} marked")).unwrap_or_default();
        return format!(" ({count} in group{worst}{marked}) +");
    }
    let worst = worst.map(|worst| format!(" {worst}")).unwrap_or_default();
    let marked = marked.map(|marked| format!(" *{marked}")).unwrap_or_default();
    format!(" +{count}{worst}{marked}")
}

/// The service; a dash for what concerns all of them.
fn service(alert: &Alert) -> String {
    if alert.service.is_empty() { "-".to_owned() } else { sanitise(alert.service.raw()).into_string() }
}

fn owner(alert: &Alert) -> String {
    let owner = alert.assignee.as_ref().or(alert.acknowledged_by.as_ref()).or(alert.resolved_by.as_ref());
    owner.map_or_else(|| "-".to_owned(), |owner| sanitise(owner.raw()).into_string())
}

fn count(occurrences: u64) -> String {
    number::count(occurrences as f64)
}

fn empty(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let lines = empty_words(state, view);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let top = area.y + area.height / 3;
    table::says(view, &lines, Rect { y: top, height: area.bottom().saturating_sub(top), ..area }, buffer);
}

/// What an empty list waits for, and what to do next.
fn empty_words(state: &State, view: &View<'_>) -> Vec<String> {
    if !view.board.alerts.loaded() {
        return match view.board.link.state(view.now) {
            LinkState::Refused(cause) | LinkState::Stale { cause: Some(cause), .. } => {
                let what = sanitise(cause.what.raw()).into_string();
                let then = sanitise(cause.then.raw()).into_string();
                vec![what, then, "r tries again at once, q quits.".to_owned()]
            }
            _ => {
                let waits = "Waiting for the first word of the server.".to_owned();
                let trouble = match &view.board.source {
                    Some(SourceEvent::Trouble(why)) => sanitise(why.raw()).into_string(),
                    _ => waits,
                };
                vec![trouble, "r tries again at once, q quits.".to_owned()]
            }
        };
    }
    if !state.filter.text().is_empty() {
        return vec!["Nothing fits this filter.".to_owned(), "Esc shows everything again.".to_owned()];
    }
    let calm = match &view.board.health {
        Some(health) if health.status != HealthStatus::Healthy => {
            format!("No alert is open, but: {}.", sanitise(health.reason.raw()))
        }
        _ => "Nothing is open. All is calm.".to_owned(),
    };
    let read = view.board.engine.as_ref().map_or(0, |engine| engine.lines);
    let read = format!("{} lines read; an alert appears here the moment a rule is sure.", number::grouped(read));
    vec![calm, read]
}

fn below(state: &State, view: &View<'_>, pane: Rect, hidden: (usize, usize), buffer: &mut Buffer) {
    let y = pane.bottom().saturating_sub(1);
    let words = if state.waiting.is_empty() {
        match hidden {
            (0, 0) => return,
            (0, below) => format!("   {below} below"),
            (above, 0) => format!("   {above} above"),
            (above, below) => format!("   {above} above, {below} below"),
        }
    } else {
        let worst = state.waiting.iter().map(|(_, severity)| *severity).max().unwrap_or(Severity::Unknown);
        let many = state.waiting.len();
        format!("   new while you look: {many}, worst {}, press . to let in", word(worst))
    };
    let role = if state.waiting.is_empty() { Role::Faint } else { Role::Waiting };
    put(buffer, pane.x, y, pane.width, &Line::styled(words, view.style(role)));
}

/// Two lines on the row under the cursor.
pub fn peek(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(alert) = state.cursor.as_ref().and_then(|id| view.board.alerts.get(id)) else { return };
    let title = alert.id.to_string();
    let note = alert.parent_id.as_ref().map(|parent| format!("explained by {parent}")).unwrap_or_default();
    let rule = Rule::new().title(&title).note(&note).style(view.style(Role::Border));
    let rule = rule.title_style(view.style(Role::Muted)).note_style(view.style(Role::Muted));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    let brief = &alert.brief;
    let unit = sanitise(brief.unit.raw());
    let figure = |name: &str, value: Option<f64>| {
        value.map(|value| format!("{name} {}   ", number::text(value, &unit))).unwrap_or_default()
    };
    let facts = format!(
        " {}{}{}{} for, {} against   first {}",
        figure("now", brief.observed),
        figure("usual", brief.baseline),
        figure("limit", brief.threshold),
        brief.reasons_for,
        brief.reasons_against,
        view.seconds(alert.first_seen),
    );
    let open = view.board.fixes.of(&alert.id).into_iter().find(|fix| fix.status.is_open());
    let next = match (open, alert.suggested_actions.first()) {
        (Some(fix), _) => {
            format!(" fix {}: {}   {}   f opens it", status(fix.status), sanitise(fix.title.raw()), when(view, fix))
        }
        (None, Some(action)) => format!(" next: {}", sanitise(action.raw())),
        (None, None) => format!(" {}", sanitise(alert.description.raw())),
    };
    let width = area.width;
    put(buffer, area.x, area.y + 1, width, &Line::from(Span::styled(facts, view.style(Role::Text))));
    put(buffer, area.x, area.y + 2, width, &Line::from(Span::styled(next, view.style(Role::Muted))));
}
