//! The picture of the migrations: one row each, a peek at the one under the cursor; and what to do when
//! there is none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use stella_protocol::Migration;
use stella_widgets::columns::Column;
use stella_widgets::text::sanitise;
use stella_widgets::{Align, number};

use super::State;
use super::verbs::next;
use super::words::{documents, eta, figures, hold, kind, status, status_role};
use crate::model::requests::Progress;
use crate::screens::View;
use crate::screens::table::{self, Columns};
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
    let area = list_area(body);
    table::rule(view, "migrations", &state.rows.count(usize::from(area.height)), body, buffer);
    if ids.is_empty() {
        return empty(view, area, buffer);
    }
    let window = state.rows.window(usize::from(area.height));
    let rows = ids[window.range()].iter().filter_map(|id| view.board.migrations.get(id));
    let rows = rows.map(|migration| (migration, state.rows.is_here(&migration.id)));
    let columns = Columns { names: &HEADINGS, columns: &COLUMNS };
    columns.draw(view, area, rows, |migration| cells(view, migration), buffer);
    if let Some(migration) = state.rows.cursor().and_then(|id| view.board.migrations.get(id)) {
        table::peek(view, migration.id.as_str(), about(view, migration), (area, body), buffer);
    }
}

fn cells(view: &View<'_>, migration: &Migration) -> [(String, Style); 8] {
    let progress = view.board.migrations.progress(&migration.id);
    let part = figures(migration, progress).and_then(|figures| figures.percent());
    let plan = migration.plan.as_ref().map_or_else(|| "-".to_owned(), |plan| documents(plan.changes + plan.moves));
    let muted = view.style(Role::Muted);
    let ink = if migration.status.is_unfinished() { view.style(Role::Text) } else { view.style(Role::Faint) };
    [
        (migration.id.to_string(), ink),
        status_cell(view, migration),
        (part.map_or_else(|| "-".to_owned(), |part| format!("{part}%")), ink),
        (kind(migration.kind).to_owned(), muted),
        (sanitise(migration.target.raw()).into_string(), ink),
        (plan, muted),
        (sanitise(migration.leader.raw()).into_string(), muted),
        (view.age(migration.created_at), muted),
    ]
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
fn about(view: &View<'_>, migration: &Migration) -> [(String, Role); 3] {
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
    [(next, Role::Text), (far, Role::Muted), (held, Role::Waiting)]
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
