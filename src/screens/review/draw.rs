//! The picture of a review: four lines that stand still, and one or two columns that scroll.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::fix::{FixStep, GateState, StepState};
use stella_protocol::{Fix, Object};
use stella_widgets::Rule;
use stella_widgets::text::{cut, sanitise, width};

use super::case::{self, gate_mark, is_undecided};
use super::page::{Case, Page, Row, clean};
use super::{Shows, State, live, plan};
use crate::frame::put;
use crate::model::requests::Progress;
use crate::screens::fixes::{approvals, risk, risk_role, status, status_role, when};
use crate::screens::page::paint;
use crate::screens::{View, company, table};
use crate::theme::Role;

/// Rows that do not scroll.
const HEAD: u16 = 4;
/// From this width on there are two columns.
const WIDE: u16 = 120;

/// The scrolling part.
pub fn list_area(body: Rect) -> Rect {
    let top = HEAD.min(body.height);
    Rect { y: body.y + top, height: body.height - top, ..body }
}

/// Where the second column begins; None: there is one.
fn split(columns: u16) -> Option<u16> {
    (columns >= WIDE).then_some(columns / 2)
}

/// The rows of both columns; the second is empty where there is one.
pub(super) fn columns(state: &State, view: &View<'_>, fix: &Fix, width: u16) -> (Vec<Row>, Vec<Row>) {
    if state.shows == Shows::Raw {
        return (raw(state, view, fix, width), Vec::new());
    }
    let Some(at) = split(width) else {
        let mut page = Page::about(Case { state, fix }, view, width);
        live::write(&mut page);
        if !is_undecided(fix) || state.shows == Shows::Keys {
            case::write(&mut page);
            plan::write(&mut page);
        } else {
            plan::write(&mut page);
            case::write(&mut page);
        }
        return (page.into_rows().0, Vec::new());
    };
    let mut left = Page::about(Case { state, fix }, view, at);
    live::write(&mut left);
    plan::write(&mut left);
    let mut right = Page::about(Case { state, fix }, view, width - at - 1);
    case::write(&mut right);
    (left.into_rows().0, right.into_rows().0)
}

fn raw(state: &State, view: &View<'_>, fix: &Fix, width: u16) -> Vec<Row> {
    let mut page = Page::about(Case { state, fix }, view, width);
    let text = serde_json::to_string_pretty(fix).unwrap_or_default();
    for line in text.lines() {
        page.words(1, Role::Text, &sanitise(line));
    }
    page.into_rows().0
}

/// Paints the review.
pub fn draw(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(fix) = state.fix(view.board) else { return nothing(state, view, area, buffer) };
    head(state, view, fix, area, buffer);
    let rest = list_area(area);
    let (left, right) = columns(state, view, fix, area.width);
    let at = if right.is_empty() { None } else { split(area.width) };
    let first = Rect { width: at.unwrap_or(rest.width), ..rest };
    paint(&left, &(0..0), state.top, view, first, buffer);
    if let Some(at) = at {
        for y in rest.y..rest.bottom() {
            put(buffer, rest.x + at, y, 1, &Line::styled("│", view.style(Role::Border)));
        }
        paint(
            &right,
            &(0..0),
            state.top,
            view,
            Rect { x: rest.x + at + 1, width: rest.width - at - 1, ..rest },
            buffer,
        );
    }
}

fn nothing(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let title = state.id.to_string();
    let rule = Rule::new().title(&title).style(view.style(Role::Border)).title_style(view.style(Role::Title));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    let words = match &state.failure {
        Some(failure) => format!("not read: {failure}"),
        None => "asking the server for it …".to_owned(),
    };
    put(buffer, area.x + 1, area.y + 2, area.width, &Line::styled(words, view.style(Role::Muted)));
}

fn head(state: &State, view: &View<'_>, fix: &Fix, area: Rect, buffer: &mut Buffer) {
    let title = format!("{}  {}", fix.id, sanitise(fix.title.raw()));
    let rows = columns(state, view, fix, area.width);
    let below = rows.0.len().max(rows.1.len()).saturating_sub(state.top + usize::from(list_area(area).height));
    let note = if below > 0 { format!("{below} rows below") } else { String::new() };
    table::rule(view, &title, &note, area, buffer);
    let lines = [first(view, fix), second(view, fix, area.width), third(state, view, fix)];
    for (line, y) in lines.iter().zip(area.y + 1..area.bottom()) {
        put(buffer, area.x, y, area.width, line);
    }
}

fn first(view: &View<'_>, fix: &Fix) -> Line<'static> {
    let muted = view.style(Role::Muted);
    let under_way = match view.requests.fix_progress(&fix.id) {
        None => "",
        Some(Progress::Pending) => "   sent, not confirmed",
        Some(Progress::Unknown) => "   sent, UNKNOWN: asked again",
    };
    Line::from(vec![
        Span::styled(format!(" {}", status(fix.status).to_uppercase()), view.style(status_role(fix.status))),
        Span::styled(under_way, view.style(Role::Waiting)),
        Span::styled("   risk ", muted),
        Span::styled(risk(fix.risk), view.style(risk_role(fix.risk))),
        Span::styled(format!("   yes {}   {}", approvals(fix), when(view, fix)), view.style(Role::Text)),
        Span::styled(format!("   by {} {}", clean(&fix.proposed_by), view.clock(fix.proposed_at)), muted),
    ])
}

fn second(view: &View<'_>, fix: &Fix, columns: u16) -> Line<'static> {
    let target = clean(&fix.plan.target);
    let alert = match fix.alert_id.as_ref().map(|id| (id, view.board.alerts.get(id))) {
        Some((id, Some(alert))) => format!("   for {id} {}", sanitise(alert.title.raw())),
        Some((id, None)) => format!("   for {id}"),
        None => String::new(),
    };
    let here = company::here_too(view, &Object::Fix(fix.id.clone()));
    let here = here.map(|here| format!("   {here}")).unwrap_or_default();
    let room = columns.saturating_sub(width(&target) + width(&here) + 5);
    Line::from(vec![
        Span::styled(format!(" on {target}"), view.style(Role::Text)),
        Span::styled(here, view.style(Role::Accent)),
        Span::styled(cut(&alert, room).into_owned(), view.style(Role::Muted)),
    ])
}

/// Before it runs: how many gates are open, and the first that is not; while it runs the step; then whose
/// plan it was.
fn third(state: &State, view: &View<'_>, fix: &Fix) -> Line<'static> {
    let mut spans = Vec::new();
    let (gates, is_heard) = case::standing(state, view);
    let order = [GateState::Shut, GateState::Unknown, GateState::Warning];
    let first = order.into_iter().find_map(|wanted| gates.iter().find(|(state, _)| *state == wanted));
    if is_undecided(fix) && (is_heard || first.is_some()) {
        let open = gates.iter().filter(|(state, _)| *state == GateState::Open).count();
        spans.push(Span::styled(format!(" gates {open} [ok]"), view.style(Role::Muted)));
        if let Some((state, words)) = first {
            let (mark, role) = gate_mark(*state);
            let more = gates.len() - open - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            spans.push(Span::styled(format!("   {mark} "), view.style(role)));
            spans.push(Span::styled(format!("{words}{more}"), view.style(Role::Text)));
        }
    }
    if spans.is_empty() {
        let words = current(fix).unwrap_or_else(|| format!("by the definition {}", clean(&fix.definition_id)));
        spans.push(Span::styled(format!(" {words}"), view.style(Role::Muted)));
    }
    Line::from(spans)
}

/// Which step runs.
fn current(fix: &Fix) -> Option<String> {
    let is_current = |step: &FixStep| matches!(step.state, StepState::Begun | StepState::Undoing);
    let at = fix.steps.iter().position(is_current)?;
    let title = fix.plan.steps.get(at).map(|step| clean(&step.title)).unwrap_or_default();
    Some(format!("step {} of {}: {title}", at + 1, fix.steps.len()))
}
