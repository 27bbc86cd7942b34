//! The last lines: what was just said, the keys of this view, and what is asked above them.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use stella_protocol::{FixVerb, MigrationVerb, Role as Rank};
use stella_widgets::text::{cut, cut_words, sanitise, width};
use stella_widgets::wrap::wrap;

use super::dialog::{Dialog, Lines};
use super::put;
use crate::board::link::LinkState;
use crate::keys::{self, Class, Intent, Mode, Place};
use crate::model::{Model, Shown};
use crate::screens::migrations;
use crate::screens::{View, review};
use crate::theme::Role;

pub(super) fn draw(model: &Model, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    message(model, view, area, buffer);
    // While something is asked, a key goes there: what it would do here is not said.
    if area.height > 1 && model.ui.dialog.is_none() {
        let line = keys_line(model, view, area.width);
        put(buffer, area.x, area.y + 1, area.width, &line);
    }
}

fn message(model: &Model, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let (role, words) = match (&model.ui.notice, trouble(view)) {
        (Some((words, _)), _) => (Role::Accent, words.clone()),
        (None, Some(words)) => (Role::Danger, words),
        (None, None) => (Role::Muted, coach(model, view)),
    };
    let (pending, unknown) = view.requests.counts();
    let under_way = match (pending, unknown) {
        (0, _) => String::new(),
        (_, 0) => format!("{pending} under way "),
        _ => format!("{pending} under way, {unknown} unknown "),
    };
    let at = area.right().saturating_sub(width(&under_way));
    let room = at.saturating_sub(area.x + 2);
    put(buffer, area.x + 1, area.y, room, &Line::styled(cut_words(&words, room).into_owned(), view.style(role)));
    put(buffer, at, area.y, area.width, &Line::styled(under_way, view.style(Role::Waiting)));
}

/// What the link's state asks of the operator.
fn trouble(view: &View<'_>) -> Option<String> {
    let cause = match view.board.link.state(view.now) {
        LinkState::Refused(cause) | LinkState::Stale { cause: Some(cause), .. } => cause,
        LinkState::Buffered => return Some("connected, but a proxy is holding the stream back".to_owned()),
        _ => return None,
    };
    Some(format!("{}: {}", sanitise(cause.what.raw()), sanitise(cause.then.raw())))
}

/// A newcomer's next step, unless the list shows all of them.
fn coach(model: &Model, view: &View<'_>) -> String {
    let elsewhere = model.shown() != Shown::Place(Place::Alerts);
    if elsewhere || model.ui.alerts.coaches(view, super::list_rows(model)) {
        return String::new();
    }
    view.setup.coach.get(view.coach_step()).cloned().unwrap_or_default()
}

fn keys_line(model: &Model, view: &View<'_>, columns: u16) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    let mut add = |keys: String, words: &str| {
        let cost = width(&keys) + width(words) + 3;
        if used + cost > columns {
            return;
        }
        used += cost;
        spans.push(Span::styled(keys, view.style(Role::Accent)));
        spans.push(Span::styled(format!(" {words}  "), view.style(Role::Muted)));
    };
    if let Some(begun) = model.ui.begun {
        for (rest, row) in keys::following(model.mode(), begun) {
            add(rest.to_owned(), row.words);
        }
        return Line::from(spans);
    }
    match model.shown() {
        Shown::FirstRun => return Line::from(spans),
        Shown::Help => {
            add("j k".to_owned(), "scroll");
            add("Esc".to_owned(), "back");
            return Line::from(spans);
        }
        Shown::Detail | Shown::Review | Shown::Migration | Shown::Place(_) => {}
    }
    add("?".to_owned(), "help");
    let chooses =
        model.mode() != Mode::Migration || model.ui.migration.as_ref().is_some_and(|one| one.leads_on(view.board));
    for row in keys::of(model.mode()).filter(|row| !row.short.is_empty() && row.keys != ["?"]) {
        let leads = row.intent != Intent::Open || chooses;
        let may = || view.bar().is_none() && !is_off(model, view, row.intent);
        if leads && (row.class == Class::View || may()) {
            let words = match (model.migration_verb(row.intent), model.fix_verb(row.intent)) {
                // `+` and `-` have no word of their own.
                (Some(verb), _) if verb != MigrationVerb::Rate => migrations::verb(verb),
                (None, Some(FixVerb::Withdraw)) => "withdraw",
                _ => row.short,
            };
            add(row.keys.first().map(|keys| keys.replace(' ', "")).unwrap_or_default(), words);
        }
    }
    Line::from(spans)
}

/// True for a verb that the fix under review, or the migration on the screen, would not take now.
fn is_off(model: &Model, view: &View<'_>, intent: Intent) -> bool {
    if let (Some(migration), Some(verb)) = (model.shown_migration(), model.migration_verb(intent)) {
        let makes = verb == MigrationVerb::Plan && !migration.status.is_unfinished();
        let off = if makes { view.lacks(Rank::Admin) } else { migrations::off(verb, migration, view) };
        return off.is_some();
    }
    let (Some(fix), Some(verb)) = (model.reviewed_fix(), model.fix_verb(intent)) else { return false };
    review::off(verb, fix, view).is_some()
}

/// What quitting ends, when the server lives inside this console.
fn ends_with_it(view: &View<'_>) -> String {
    let works = view.board.migrations.unfinished().find(|one| one.status.holds_the_store());
    let waits = works.map(|one| format!("; {} waits at its checkpoint until the next one", one.id));
    format!("the server inside this console ends with it{}", waits.unwrap_or_default())
}

/// Most rows of what a question is about.
const ABOUT: usize = 2;

/// Columns left of a field, of choices and of a hint.
const INDENT: u16 = 3;

/// Rows that a dialog takes on a terminal of so many columns.
pub(super) fn dialog_height(dialog: &Dialog, columns: u16, embedded: bool) -> u16 {
    let lines = dialog.lines();
    let has_hint = !lines.hint.is_empty() || dialog.is_quit() && embedded;
    let rows = question(&lines, columns).len() + flow(&lines.choices, columns.saturating_sub(INDENT + 1)).len();
    rows as u16 + u16::from(lines.field.is_some()) + u16::from(has_hint)
}

/// What it is about and what is asked for on one row, or each on rows of its own. What is asked for stays whole.
fn question(lines: &Lines<'_>, columns: u16) -> Vec<String> {
    let (about, ask) = (sanitise(&lines.question), sanitise(&lines.ask));
    let room = columns.saturating_sub(2);
    if width(&about) + width(&ask) <= room {
        return vec![format!("{about}{ask}")];
    }
    let wrapped = wrap(&about, room);
    let mut rows: Vec<String> = wrapped.iter().take(ABOUT).map(|row| (*row).to_owned()).collect();
    if let (Some(last), true) = (rows.last_mut(), wrapped.len() > ABOUT) {
        *last = format!("{}…", cut_words(last, room.saturating_sub(1)).trim_end_matches('…'));
    }
    rows.extend(wrap(ask.trim_start_matches(": "), room).into_iter().map(str::to_owned).filter(|row| !row.is_empty()));
    rows
}

/// Pieces behind one another, as many on a row as it holds whole.
fn flow(pieces: &[String], columns: u16) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for piece in pieces.iter().map(|piece| sanitise(piece)) {
        match rows.last_mut().filter(|row| width(row) + width(&piece) + 3 <= columns) {
            Some(row) => row.push_str(&format!("   {piece}")),
            None => rows.push(cut(&piece, columns).into_owned()),
        }
    }
    rows
}

pub(super) fn dialog(model: &Model, view: &View<'_>, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let dialog = model.ui.dialog.as_ref()?;
    let lines = dialog.lines();
    let mut rows = area.y..area.bottom();
    for (words, y) in question(&lines, area.width).into_iter().zip(rows.by_ref()) {
        put(buffer, area.x + 1, y, area.width, &Line::styled(words, view.style(Role::Focus)));
    }
    let room = area.width.saturating_sub(INDENT + 1);
    for (words, y) in flow(&lines.choices, room).into_iter().zip(rows.by_ref()) {
        put(buffer, area.x + INDENT, y, room, &Line::styled(words, view.style(Role::Text)));
    }
    let caret = lines.field.and_then(|(text, at)| {
        let y = rows.next()?;
        Some(field(view, text, at, Rect { y, height: 1, ..area }, buffer))
    });
    let hint = if dialog.is_quit() && view.setup.embedded { ends_with_it(view) } else { lines.hint };
    if let Some(y) = rows.next() {
        let role = if lines.wrong { Role::Danger } else { Role::Muted };
        let room = area.width.saturating_sub(INDENT);
        put(buffer, area.x + INDENT, y, room, &Line::styled(cut_words(&hint, room).into_owned(), view.style(role)));
    }
    caret
}

/// A text field, scrolled to its caret; answers with where that stands.
fn field(view: &View<'_>, text: &str, at: usize, area: Rect, buffer: &mut Buffer) -> Position {
    let clean = sanitise(text);
    let room = area.width.saturating_sub(INDENT + 1);
    let at = u16::try_from(at).unwrap_or(u16::MAX);
    let skip = at.saturating_sub(room);
    let shown: String = clean.chars().skip(usize::from(skip)).collect();
    let line = Line::from(vec![Span::styled("> ", view.style(Role::Accent)), Span::raw(shown)]);
    put(buffer, area.x + 1, area.y, area.width, &line);
    Position::new(area.x + INDENT + (at - skip).min(room), area.y)
}
