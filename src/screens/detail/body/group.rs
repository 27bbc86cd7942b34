//! Alerts that belong together: the one that explains this one, its siblings, and those that it explains.

use stella_protocol::{Alert, AlertId};
use stella_widgets::text::sanitise;

use super::super::Target;
use super::{Row, Tail, heading, row};
use crate::screens::{View, alerts};
use crate::theme::Role;

/// The alert that explains this one, if there is one.
pub(super) fn parent(view: &View<'_>, alert: &Alert, rows: &mut Vec<Row>) {
    let Some(parent) = &alert.parent_id else { return };
    rows.push(heading("explained by", ""));
    rows.push(line(view, parent));
}

/// The alerts that this one explains, or those that the same one explains.
pub(super) fn kin(view: &View<'_>, alert: &Alert, rows: &mut Vec<Row>) {
    let children = children(view, &alert.id);
    if !children.is_empty() {
        rows.push(heading("explains", children.len().to_string()));
        rows.extend(children.iter().map(|id| line(view, id)));
    }
    let Some(parent) = &alert.parent_id else { return };
    let siblings: Vec<AlertId> = self::children(view, parent).into_iter().filter(|id| *id != alert.id).collect();
    if !siblings.is_empty() {
        rows.push(heading(format!("siblings under {parent}"), siblings.len().to_string()));
        rows.extend(siblings.iter().map(|id| line(view, id)));
    }
}

/// What an alert explains: as it says itself, and as they say.
fn children(view: &View<'_>, id: &AlertId) -> Vec<AlertId> {
    let told = view.board.alerts.get(id).map(|alert| alert.children.as_slice()).unwrap_or_default();
    let theirs = view.board.alerts.iter().filter(|alert| alert.parent_id.as_ref() == Some(id));
    let known = alerts::sorted(theirs);
    let gone = told.iter().filter(|child| view.board.alerts.get(child).is_none());
    let moved = |child: &&AlertId| known.iter().all(|alert| alert.id != **child);
    let also = told.iter().filter(|child| view.board.alerts.get(child).is_some()).filter(moved);
    known.iter().map(|alert| &alert.id).chain(also).chain(gone).cloned().collect()
}

/// One of them on a line: severity, state, id, title.
fn line(view: &View<'_>, id: &AlertId) -> Row {
    let Some(alert) = view.board.alerts.get(id) else {
        return Row {
            target: Target::Alert(id.clone()),
            ..row(Role::Faint, format!("{id}  ended, and is not in the list any more"))
        };
    };
    let (state, _) = alerts::state(view, alert);
    let service = sanitise(alert.service.raw());
    let of = if service.is_empty() { String::new() } else { format!("{service}: ") };
    Row {
        mark: severity(view, id),
        tail: Tail::Words(view.age(alert.first_seen)),
        target: Target::Alert(id.clone()),
        ..row(Role::Text, format!("{state:<5} {id}  {of}{}", sanitise(alert.title.raw())))
    }
}

/// Columns of that word: what stands below it without one begins there too.
pub(super) const SEVERITY: usize = 4;

/// How bad an alert is, in a word.
pub(super) fn severity(view: &View<'_>, id: &AlertId) -> Option<(String, Role)> {
    let alert = view.board.alerts.get(id)?;
    Some((format!("{:<SEVERITY$}", alerts::word(alert.severity)), alerts::role(alert.severity)))
}
