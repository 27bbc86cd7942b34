//! The picture of one migration: lines that stand still, the names of its panes, and the pane that scrolls.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::{Migration, Object};
use stella_widgets::Rule;
use stella_widgets::text::{cut, sanitise, width};

use super::one::{Pane, Shows, State};
use super::page::{Page, Row, paint};
use super::verbs::aliases;
use super::words::{counts, kind};
use super::{case, head, panes};
use crate::board::link::LinkState;
use crate::frame::put;
use crate::screens::{View, company, table};
use crate::theme::Role;

/// Rows that do not scroll: the title, six of figures, the names of the panes.
const HEAD: u16 = 8;
/// From this width on the first pane has two columns.
const WIDE: u16 = 120;

/// What a rule needs besides its title and its note: blanks, its ends, and a piece between them.
const BESIDE: u16 = 8;

/// The scrolling part.
pub fn list_area(body: Rect) -> Rect {
    let top = HEAD.min(body.height);
    Rect { y: body.y + top, height: body.height - top, ..body }
}

/// Where the second column begins; None: there is one.
pub(super) fn split(columns: u16) -> Option<u16> {
    (columns >= WIDE).then_some(columns / 2)
}

/// The rows of the pane, and which are the chosen thing's; the second column is empty where there is one.
fn columns(state: &State, view: &View<'_>, migration: &Migration, width: u16) -> (Vec<Row>, Vec<Row>, Range<usize>) {
    let single = |write: &dyn Fn(&mut Page<'_>)| {
        let mut page = Page::new(view, width);
        write(&mut page);
        let (rows, chosen) = page.into_rows();
        (rows, Vec::new(), chosen)
    };
    match (state.pane, split(width)) {
        (Pane::Phases, _) if state.shows == Shows::Raw => single(&|page| raw(migration, page)),
        (Pane::Phases, None) => single(&|page| case::write(state, migration, width, page)),
        (Pane::Phases, Some(at)) => {
            let mut left = Page::new(view, at);
            case::write(state, migration, width, &mut left);
            let mut right = Page::new(view, width - at - 1);
            right.heading("collections");
            panes::collections(&state.parts.collections, &mut right);
            (left.into_rows().0, right.into_rows().0, 0..0)
        }
        (Pane::Collections, _) => single(&|page| panes::collections(&state.parts.collections, page)),
        (Pane::Orphans, _) => single(&|page| panes::orphans(state, migration.status, page)),
        (Pane::Decisions, _) => single(&|page| panes::decisions(state, migration.status, page)),
        (Pane::Errors, _) => single(&|page| panes::errors(state, page)),
        (Pane::Log, _) => single(&|page| panes::log(&state.parts.log, page)),
        (Pane::Mapping, _) => single(&|page| panes::mapping(&state.parts.mapping, page)),
        (Pane::User, _) => single(&|page| panes::person(state, page)),
    }
}

/// How many rows there are, and which of them are the chosen thing's.
pub(super) fn measure(state: &State, view: &View<'_>, width: u16) -> (usize, Range<usize>) {
    let Some(migration) = state.migration(view.board) else { return (0, 0..0) };
    let (left, right, chosen) = columns(state, view, migration, width);
    (left.len().max(right.len()), chosen)
}

fn raw(migration: &Migration, page: &mut Page<'_>) {
    let text = serde_json::to_string_pretty(migration).unwrap_or_default();
    text.lines().for_each(|line| page.words(1, Role::Text, &sanitise(line)));
}

/// Paints the migration.
pub fn draw(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(migration) = state.migration(view.board) else { return nothing(state, view, area, buffer) };
    let rest = list_area(area);
    let (left, right, chosen) = columns(state, view, migration, area.width);
    let below = left.len().max(right.len()).saturating_sub(state.top + usize::from(rest.height));
    title(state, view, migration, below, area, buffer);
    let progress = state.progress(view.board);
    let lines = head::lines(view, migration, progress, area.width);
    for (line, y) in lines.iter().zip(area.y + 1..area.bottom()) {
        line.render(view, Rect { y, height: 1, ..area }, buffer);
    }
    if area.height >= HEAD {
        put(buffer, area.x, area.y + HEAD - 1, area.width, &names(state, view, migration, area.width));
    }
    let at = if right.is_empty() { None } else { split(area.width) };
    paint(&left, &chosen, state.top, view, Rect { width: at.unwrap_or(rest.width), ..rest }, buffer);
    if let Some(at) = at {
        for y in rest.y..rest.bottom() {
            put(buffer, rest.x + at, y, 1, &Line::styled("│", view.style(Role::Border)));
        }
        let second = Rect { x: rest.x + at + 1, width: rest.width - at - 1, ..rest };
        paint(&right, &(0..0), state.top, view, second, buffer);
    }
}

fn title(state: &State, view: &View<'_>, migration: &Migration, below: usize, area: Rect, buffer: &mut Buffer) {
    let target = sanitise(migration.target.raw());
    let title = format!("{}  {} in {target}", migration.id, kind(migration.kind));
    let place = match (state.shows, below) {
        (Shows::Raw, _) => Some("as the server sent it".to_owned()),
        (_, 0) => None,
        (_, below) => Some(format!("{below} rows below")),
    };
    let here = company::here_too(view, &Object::Migration(migration.id.clone()));
    // The title gives way to people.
    let room = here.as_ref().map_or(area.width, |here| area.width.saturating_sub(width(here) + BESIDE));
    let title = cut(&title, room);
    let both = here.iter().chain(&place).cloned().collect::<Vec<_>>().join("   ");
    let fits = width(&title) + width(&both) + BESIDE <= area.width;
    let note = if fits { both } else { here.or(place).unwrap_or_default() };
    table::rule(view, &title, &note, area, buffer);
}

/// The names of the panes, how much each holds, and where we are. What does not fit goes at the left.
fn names(state: &State, view: &View<'_>, migration: &Migration, columns: u16) -> Line<'static> {
    let all: Vec<(String, bool)> = Pane::ALL.into_iter().map(|pane| name(state, view, migration, pane)).collect();
    let cost = |from: usize| all.iter().skip(from).map(|(name, _)| width(name) + 2).sum::<u16>();
    let here = all.iter().position(|(_, is_here)| *is_here).unwrap_or(0);
    let from = (0..=here).find(|from| cost(*from) < columns).unwrap_or(here);
    let mut spans = vec![Span::styled(if from > 0 { "<" } else { " " }, view.style(Role::Muted))];
    for (name, is_here) in all.into_iter().skip(from) {
        let role = if is_here { Role::Focus } else { Role::Muted };
        spans.push(Span::styled(name, view.style(role)));
        spans.push(Span::raw("  "));
    }
    if state.pane == Pane::User {
        let style = view.style(Role::Focus).add_modifier(Modifier::BOLD);
        spans.insert(1, Span::styled("[person]  ", style));
    }
    Line::from(spans)
}

fn name(state: &State, view: &View<'_>, migration: &Migration, pane: Pane) -> (String, bool) {
    let plan = migration.plan.as_ref();
    let counts = counts(migration, state.progress(view.board));
    let differences = migration.verification.as_ref().map_or(0, |found| found.differences);
    // Until something is written, what would be left alone is foreseen.
    let is_foreseen = migration.backup.is_none() && counts.settled() == 0;
    let alone = if is_foreseen { plan.map_or(0, |plan| plan.clashes) } else { counts.parked + counts.failed };
    let (word, count) = match pane {
        Pane::Phases => ("phases", None),
        Pane::Collections => ("collections", plan.map(|plan| plan.collections)),
        Pane::Orphans => ("orphans", plan.map(|plan| plan.orphan_ids)),
        Pane::Decisions => ("decisions", Some(migration.open_decisions).filter(|open| *open > 0)),
        Pane::Errors => ("errors", Some(alone + differences).filter(|errors| *errors > 0)),
        Pane::Log => ("log", None),
        Pane::Mapping => ("mapping", plan.map(aliases)),
        Pane::User => ("person", None),
    };
    let words = count.map_or_else(|| word.to_owned(), |count| format!("{word} {count}"));
    let is_here = state.pane == pane;
    (if is_here { format!("[{words}]") } else { words }, is_here)
}

fn nothing(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let title = state.id().to_string();
    let rule = Rule::new().title(&title).style(view.style(Role::Border)).title_style(view.style(Role::Title));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    let words = match view.board.link.state(view.now) {
        LinkState::Live if view.board.migrations.loaded() => "the server does not tell of it any more: Esc goes back",
        _ => "waiting for the first word of the server …",
    };
    put(buffer, area.x + 1, area.y + 2, area.width, &Line::styled(words, view.style(Role::Muted)));
}
