//! The picture of the migrations: one row each, a peek at the one under the cursor; and what to do when
//! there is none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;
use stella_protocol::Migration;
use stella_widgets::columns::{Column, Place, lay_out};
use stella_widgets::text::{cut, sanitise};
use stella_widgets::{Align, Rule, number};

use super::State;
use super::verbs::next;
use super::words::{documents, eta, figures, hold, kind, status, status_role};
use crate::frame::put;
use crate::model::requests::Progress;
use crate::screens::{View, table};
use crate::theme::Role;

const HEADINGS: [&str; 8] = ["ID", "STATUS", "DONE", "WHAT", "STORE", "PLAN", "LED BY", "AGE"];

/// Columns: id, status, share, kind, store, plan, leader, age.
const COLUMNS: [Column; 8] = [
    Column { min: 7, ideal: 8, priority: 10, align: Align::Left },
    Column { min: 15, ideal: 20, priority: 9, align: Align::Left },
    Column { min: 5, ideal: 5, priority: 8, align: Align::Right },
    Column { min: 8, ideal: 8, priority: 4, align: Align::Left },
    Column { min: 12, ideal: u16::MAX, priority: 7, align: Align::Left },
    Column { min: 18, ideal: 26, priority: 3, align: Align::Left },
    Column { min: 10, ideal: 16, priority: 5, align: Align::Left },
    Column { min: 5, ideal: 5, priority: 6, align: Align::Right },
];

/// The rows of the list.
pub fn list_area(body: Rect) -> Rect {
    table::list_area(body)
}

/// Paints the screen.
pub fn draw(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    let ids = state.rows.ids();
    let note = if ids.is_empty() { String::new() } else { ids.len().to_string() };
    table::rule(view, "migrations", &note, body, buffer);
    let area = list_area(body);
    if ids.is_empty() {
        return empty(view, area, buffer);
    }
    let places = lay_out(&COLUMNS, body.width.saturating_sub(table::MARGIN), 1);
    table::headings(view, &HEADINGS, &places, Rect { y: body.y + 1, height: 1, ..body }, buffer);
    let window = state.rows.window(usize::from(area.height));
    for (id, y) in ids[window.range()].iter().zip(area.y..area.bottom()) {
        if let Some(migration) = view.board.migrations.get(id) {
            row(state, view, migration, Rect { y, height: 1, ..area }, &places, buffer);
        }
    }
    peek(state, view, Rect { y: area.bottom(), height: body.bottom().saturating_sub(area.bottom()), ..body }, buffer);
}

fn row(
    state: &State,
    view: &View<'_>,
    migration: &Migration,
    area: Rect,
    places: &[Option<Place>],
    buffer: &mut Buffer,
) {
    let here = state.rows.is_here(&migration.id);
    let progress = view.board.migrations.progress(&migration.id);
    let part = figures(migration, progress).and_then(|figures| figures.percent());
    let plan = migration.plan.as_ref().map_or_else(|| "-".to_owned(), |plan| documents(plan.changes + plan.moves));
    let muted = view.style(Role::Muted);
    let ink = if migration.status.is_unfinished() { view.style(Role::Text) } else { view.style(Role::Faint) };
    let cells: [(String, Style); 8] = [
        (migration.id.to_string(), ink),
        status_cell(view, migration),
        (part.map_or_else(|| "-".to_owned(), |part| format!("{part}%")), ink),
        (kind(migration.kind).to_owned(), muted),
        (sanitise(migration.target.raw()).into_string(), ink),
        (plan, muted),
        (sanitise(migration.leader.raw()).into_string(), muted),
        (view.age(migration.created_at), muted),
    ];
    table::cells(cells, places, area, buffer);
    if here {
        table::point(view, area, buffer);
    }
}

/// The status and whether it is held; while a change is under way with `..`, unknown with `??`.
fn status_cell(view: &View<'_>, migration: &Migration) -> (String, Style) {
    let word = status(migration.status);
    let is_held = hold(migration, view.board.migrations.progress(&migration.id)).is_some();
    match view.requests.migration_progress(&migration.id) {
        Some(Progress::Pending) => (format!("{word}.."), view.style(Role::Waiting)),
        Some(Progress::Unknown) => (format!("{word}??"), view.style(Role::Danger).add_modifier(Modifier::BOLD)),
        None if is_held && migration.status.holds_the_store() => (format!("{word} HOLD"), view.style(Role::Waiting)),
        None => (word, view.style(status_role(migration.status))),
    }
}

/// What the one under the cursor waits for.
fn peek(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(migration) = state.rows.cursor().and_then(|id| view.board.migrations.get(id)) else { return };
    if area.is_empty() {
        return;
    }
    let title = migration.id.to_string();
    let rule = Rule::new().title(&title).style(view.style(Role::Border)).title_style(view.style(Role::Muted));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    let progress = view.board.migrations.progress(&migration.id);
    let next = match next(migration) {
        (Some(key), words) if key != "Enter" => format!("next: Enter  opens it, then {key}  {words}"),
        (_, words) => format!("next: Enter  opens it; {words}"),
    };
    let far = match figures(migration, progress).map(|figures| (figures.total, figures)) {
        Some((Some(total), figures)) => {
            let left = figures.progress.map(|progress| format!("   ETA {}", eta(&progress.eta))).unwrap_or_default();
            format!("{} of {}{left}", number::grouped(figures.done.min(total)), documents(total))
        }
        _ => migration.trail.last().map_or_else(String::new, |last| {
            format!("{} {}: {}", view.seconds(last.at), sanitise(last.by.raw()), sanitise(last.what.raw()))
        }),
    };
    let held = hold(migration, progress).unwrap_or_else(|| sanitise(migration.result.raw()).into_string());
    for ((words, role), y) in
        [(next, Role::Text), (far, Role::Muted), (held, Role::Waiting)].into_iter().zip(area.y + 1..area.bottom())
    {
        let shown = cut(&words, area.width.saturating_sub(2)).into_owned();
        put(buffer, area.x + 1, y, area.width, &Line::styled(shown, view.style(role)));
    }
}

/// What an empty list waits for, and what to do next.
fn empty(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let lines: &[&str] = if view.requests.is_making_migration() {
        &["A migration is being made: it stands here as soon as the server says so."]
    } else if view.board.migrations.loaded() {
        &[
            "No migration was made yet.",
            "",
            "D looks at the data: whose ids stand where, who is who, what would change.",
            "  It writes nothing to the store, and nothing starts by it.",
            "  Then: D rehearses, Y approves, E starts; B puts everything back.",
        ]
    } else {
        table::unheard(view)
    };
    let top = area.y + area.height / 4;
    table::says(view, lines, Rect { y: top, height: area.bottom().saturating_sub(top), ..area }, buffer);
}
