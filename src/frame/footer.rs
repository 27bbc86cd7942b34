//! The last lines: what was just said, the keys of this view, and what is asked above them.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use stella_protocol::{FixVerb, MigrationVerb, Role as Rank};
use stella_widgets::text::{cut, sanitise, width};

use super::dialog::Dialog;
use super::put;
use crate::board::link::LinkState;
use crate::keys::{self, Class, Intent, Mode, Place};
use crate::model::{Model, Shown};
use crate::screens::migrations::{self, one};
use crate::screens::{View, review};
use crate::theme::Role;

pub(super) fn draw(model: &Model, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    message(model, view, area, buffer);
    if area.height > 1 {
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
    put(buffer, area.x + 1, area.y, area.width.saturating_sub(1), &Line::styled(words, view.style(role)));
    let (pending, unknown) = view.requests.counts();
    if pending > 0 {
        let words = if unknown > 0 {
            format!("{pending} under way, {unknown} unknown ")
        } else {
            format!("{pending} under way ")
        };
        let at = area.right().saturating_sub(width(&words));
        put(buffer, at, area.y, area.width, &Line::styled(words, view.style(Role::Waiting)));
    }
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
    let chooses = model.mode() != Mode::Migration || model.ui.migration.as_ref().is_some_and(one::State::has_choice);
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

/// Lines that a dialog takes.
pub(super) fn dialog_height(dialog: &Dialog, embedded: bool) -> u16 {
    let lines = dialog.lines();
    let ends = dialog.is_quit() && embedded;
    1 + u16::from(lines.field.is_some()) + u16::from(!lines.hint.is_empty() || ends)
}

pub(super) fn dialog(model: &Model, view: &View<'_>, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let lines = model.ui.dialog.as_ref()?.lines();
    let mut y = area.y;
    // What is asked for stays whole; what it is about is shortened.
    let (about, ask) = (sanitise(&lines.question), sanitise(&lines.ask));
    let about = cut(&about, area.width.saturating_sub(width(&ask) + 2));
    let question = Line::styled(format!(" {about}{ask}"), view.style(Role::Focus));
    put(buffer, area.x, y, area.width, &question);
    let mut caret = None;
    if let Some((text, at)) = lines.field {
        y += 1;
        let clean = sanitise(text);
        let room = area.width.saturating_sub(4);
        let skip = u16::try_from(at).unwrap_or(u16::MAX).saturating_sub(room);
        let shown: String = clean.chars().skip(usize::from(skip)).collect();
        put(
            buffer,
            area.x + 1,
            y,
            area.width,
            &Line::from(vec![Span::styled("> ", view.style(Role::Accent)), Span::raw(shown)]),
        );
        let column = u16::try_from(at).unwrap_or(u16::MAX).saturating_sub(skip).min(room);
        caret = Some(Position::new(area.x + 3 + column, y));
    }
    let hint = if model.ui.dialog.as_ref()?.is_quit() && view.setup.embedded { ends_with_it(view) } else { lines.hint };
    if !hint.is_empty() {
        let role = if lines.wrong { Role::Danger } else { Role::Muted };
        let room = area.width.saturating_sub(3);
        put(buffer, area.x + 3, y + 1, room, &Line::styled(cut(&hint, room).into_owned(), view.style(role)));
    }
    caret
}
