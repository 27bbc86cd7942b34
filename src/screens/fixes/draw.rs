//! The picture of the fixes: headings and rows, the banner of the switch, a peek at the row under the
//! cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;
use stella_protocol::{Fix, Remedy};
use stella_widgets::columns::{Column, Place, lay_out};
use stella_widgets::text::{fit, sanitise};
use stella_widgets::{Align, Rule};

use super::{Group, State, approvals, risk, risk_role, status, status_role, when};
use crate::frame::put;
use crate::model::requests::Progress;
use crate::screens::{View, table};
use crate::theme::Role;

const HEADINGS: [&str; 8] = ["ID", "STATUS", "RISK", "FIX", "TARGET", "YES", "WHEN", "ASKED BY"];

/// Columns: id, status, risk, title, target, approvals, the moment that counts, requester.
const COLUMNS: [Column; 8] = [
    Column { min: 6, ideal: 7, priority: 10, align: Align::Left },
    Column { min: 11, ideal: 11, priority: 9, align: Align::Left },
    Column { min: 4, ideal: 4, priority: 8, align: Align::Left },
    Column { min: 18, ideal: u16::MAX, priority: 6, align: Align::Left },
    Column { min: 14, ideal: 28, priority: 5, align: Align::Left },
    Column { min: 4, ideal: 4, priority: 6, align: Align::Right },
    Column { min: 8, ideal: 8, priority: 7, align: Align::Right },
    Column { min: 12, ideal: 24, priority: 2, align: Align::Left },
];

/// From this width on the requester has a column.
const ROOMY: u16 = 110;

/// From this width on long targets and requesters stand whole.
const WIDE: u16 = 160;

/// The rows of the list.
pub fn list_area(body: Rect) -> Rect {
    table::list_area(body)
}

/// Paints the screen.
pub fn draw(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    banner(state, view, Rect { height: 1, ..body }, buffer);
    let places = places(body.width);
    table::headings(view, &HEADINGS, &places, Rect { y: body.y + 1, height: 1, ..body }, buffer);
    let area = list_area(body);
    if state.rows.ids().is_empty() {
        return empty(state, view, area, buffer);
    }
    rows(state, view, area, &places, buffer);
    if let Some(fix) = state.rows.cursor().and_then(|id| state.find(&view.board.fixes, id)) {
        let title = format!("{}  {}", fix.id, sanitise(fix.title.raw()));
        table::peek(view, &title, about(view, fix), (area, body), buffer);
    }
}

fn places(width: u16) -> Vec<Option<Place>> {
    let mut columns = COLUMNS;
    if width < ROOMY {
        columns[0].ideal = columns[0].min;
        columns[4].ideal = 16;
        columns[7].min = u16::MAX;
    } else if width < WIDE {
        columns[4].ideal = 20;
        columns[7].ideal = 16;
    }
    lay_out(&columns, width.saturating_sub(table::MARGIN), 1)
}

/// What holds for all fixes, in the first line: loud when they are off.
fn banner(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let remedy = view.board.fixes.remedy();
    let filter = sanitise(state.filter.text());
    let named = |what: &str| if filter.is_empty() { what.to_owned() } else { format!("{what} -- {filter}") };
    let Some(off) = &remedy.switched_off else {
        let shown = (!filter.is_empty())
            .then(|| format!("{} shown, {} known", state.rows.ids().len(), state.known(&view.board.fixes).count()));
        let note = shown.into_iter().chain(Some(around(remedy)).filter(|note| !note.is_empty()));
        let note = note.collect::<Vec<_>>().join(", ");
        let title = named("fixes");
        return table::rule(view, &title, &note, area, buffer);
    };
    let reason = sanitise(off.reason.raw());
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let words = format!(
        " {} since {} by {}{because}   :fixes on",
        named("ALL FIXES ARE OFF"),
        view.clock(off.at),
        sanitise(off.by.raw())
    );
    let style = view.style(Role::Danger).add_modifier(Modifier::REVERSED | Modifier::BOLD);
    put(buffer, area.x, area.y, area.width, &Line::styled(fit(&words, area.width, Align::Left), style));
}

/// Suppressions, windows, and that one person decides alone.
fn around(remedy: &Remedy) -> String {
    let mut notes = Vec::new();
    if remedy.single_person {
        notes.push("one person decides here".to_owned());
    }
    match remedy.maintenance.len() {
        0 => {}
        1 => notes.push("1 maintenance window".to_owned()),
        many => notes.push(format!("{many} maintenance windows")),
    }
    match remedy.suppressions.as_slice() {
        [] => {}
        [one] => {
            notes.push(format!("{} suppressed on {}", sanitise(one.definition_id.raw()), sanitise(one.target.raw())));
        }
        many => notes.push(format!("{} suppressed", many.len())),
    }
    notes.join(", ")
}

fn rows(state: &State, view: &View<'_>, area: Rect, places: &[Option<Place>], buffer: &mut Buffer) {
    let found = |id| state.find(&view.board.fixes, id);
    let window = state.window(usize::from(area.height));
    let mut group = None;
    let mut y = area.y;
    for row in window.range() {
        let Some(fix) = state.rows.ids().get(row).and_then(found) else { continue };
        let own = state.group(row);
        if let Some((own, count)) = own.filter(|_| group != own && y < area.bottom()) {
            heading(view, own, count, Rect { y, height: 1, ..area }, buffer);
            y += 1;
        }
        group = own;
        if y < area.bottom() {
            draw_row(state, view, fix, Rect { y, height: 1, ..area }, places, buffer);
            y += 1;
        }
    }
    let hidden = window.below();
    if hidden > 0 && y < area.bottom() {
        put(buffer, area.x, y, area.width, &Line::styled(format!("   {hidden} below"), view.style(Role::Faint)));
    }
}

fn heading(view: &View<'_>, group: Group, count: usize, area: Rect, buffer: &mut Buffer) {
    let note = count.to_string();
    let colour = match group {
        Group::Waiting => Role::Waiting,
        Group::InDoubt => Role::Danger,
        Group::UnderWay => Role::Accent,
        Group::Ended => Role::Muted,
    };
    let rule = Rule::new()
        .title(group.words())
        .note(&note)
        .style(view.style(Role::Border))
        .title_style(view.style(colour))
        .note_style(view.style(Role::Muted));
    (&rule).render(area, buffer);
}

fn draw_row(state: &State, view: &View<'_>, fix: &Fix, area: Rect, places: &[Option<Place>], buffer: &mut Buffer) {
    let here = state.rows.is_here(&fix.id);
    let muted = view.style(Role::Muted);
    let plain = if fix.status.is_open() { view.style(Role::Text) } else { view.style(Role::Faint) };
    let cells: [(String, Style); 8] = [
        (fix.id.to_string(), plain),
        status_cell(view, fix),
        (risk(fix.risk).to_owned(), if fix.status.is_open() { view.style(risk_role(fix.risk)) } else { muted }),
        (sanitise(fix.title.raw()).into_string(), plain),
        (sanitise(fix.plan.target.raw()).into_string(), muted),
        (approvals(fix), muted),
        (when(view, fix), muted),
        (sanitise(fix.proposed_by.raw()).into_string(), muted),
    ];
    table::cells(cells, places, area, buffer);
    if here {
        table::point(view, area, buffer);
    }
}

/// The status; while a change is under way with `..`, unknown with `??`.
fn status_cell(view: &View<'_>, fix: &Fix) -> (String, Style) {
    let word = status(fix.status);
    match view.requests.fix_progress(&fix.id) {
        None => (word.to_owned(), view.style(status_role(fix.status))),
        Some(Progress::Pending) => (format!("{word:.9}.."), view.style(Role::Waiting)),
        Some(Progress::Unknown) => (format!("{word:.9}??"), view.style(Role::Danger).add_modifier(Modifier::BOLD)),
    }
}

/// What the row under the cursor is for, and how it stands.
fn about(view: &View<'_>, fix: &Fix) -> [(String, Role); 3] {
    let alert = match fix.alert_id.as_ref().map(|id| (id, view.board.alerts.get(id))) {
        Some((id, Some(alert))) => format!("for {id} {}", sanitise(alert.title.raw())),
        Some((id, None)) => format!("for {id}"),
        None => "proposed without an alert".to_owned(),
    };
    let by = format!(
        "proposed {} by {}: {} on {}",
        view.seconds(fix.proposed_at),
        sanitise(fix.proposed_by.raw()),
        sanitise(fix.definition_id.raw()),
        sanitise(fix.plan.target.raw()),
    );
    let last = match (fix.result.is_empty(), fix.trail.last()) {
        (false, _) => sanitise(fix.result.raw()).into_string(),
        (true, Some(last)) => {
            format!("{} {}: {}", view.seconds(last.at), sanitise(last.by.raw()), sanitise(last.what.raw()))
        }
        (true, None) => String::new(),
    };
    [(alert, Role::Text), (by, Role::Muted), (last, Role::Muted)]
}

/// What an empty list waits for, and what to do next.
fn empty(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let lines: &[&str] = if view.board.fixes.loaded() && !state.filter.text().is_empty() {
        &["No fix that is known fits this filter.", "Esc shows all again, / changes it."]
    } else if view.board.fixes.loaded() {
        &[
            "No fix was proposed yet: nothing waits for you, and nothing runs.",
            "One stands here the moment an alert fits a definition of the server.",
            ":propose and Tab proposes one by hand.",
        ]
    } else {
        table::unheard(view)
    };
    let top = area.y + area.height / 3;
    table::says(view, lines, Rect { y: top, height: area.bottom().saturating_sub(top), ..area }, buffer);
}
