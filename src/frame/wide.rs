//! What wide terminals show besides: the fixes that wait or run, the migrations that are not over, and what
//! happened lately, from the trails of alerts, fixes and migrations, with deploys and changes of rules.

use std::cmp::Reverse;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::alert::Note;
use stella_protocol::{Alert, Deploy, Fix, Migration, Text, Timestamp};
use stella_widgets::text::{fit, sanitise, width};
use stella_widgets::{Align, Bar, Rule};

use super::put;
use crate::board::Board;
use crate::screens::View;
use crate::screens::fixes::{approvals, risk, risk_role, sorted, status, status_role, when};
use crate::screens::migrations;
use crate::theme::Role;

/// Open fixes that are listed; the screen of fixes has all of them.
const DECISIONS: usize = 6;

/// Columns before the bar of a migration, and those of the bar.
const BAR: (u16, u16) = (38, 28);

/// Fixes that wait or run, migrations that are not over, and below them what happened.
pub(super) fn draw(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let open = sorted(view.board.fixes.iter().filter(|fix| fix.status.is_open()));
    let rows = u16::try_from(open.len().min(DECISIONS)).unwrap_or(0);
    if rows == 0 {
        return operations(view, area, buffer);
    }
    let height = (rows + 1).min(area.height);
    let note = format!("{} wait", view.board.fixes.waiting());
    let rule = Rule::new()
        .title("decisions and fixes under way (2 all)")
        .note(&note)
        .style(view.style(Role::Border))
        .title_style(view.style(Role::Title))
        .note_style(view.style(Role::Muted));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    for (fix, y) in open.into_iter().zip(area.y + 1..area.y + height) {
        put(buffer, area.x, y, area.width, &decision(view, fix, area.width));
    }
    operations(view, Rect { y: area.y + height, height: area.height - height, ..area }, buffer);
}

/// Migrations that are not over: how far, how long still, what holds them.
fn operations(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let open: Vec<&Migration> = view.board.migrations.unfinished().collect();
    let rows = u16::try_from(open.len().min(DECISIONS)).unwrap_or(0);
    if rows == 0 || area.height < rows + 1 {
        return activity(view, area, buffer);
    }
    let rule = Rule::new()
        .title("long operations (3 all)")
        .style(view.style(Role::Border))
        .title_style(view.style(Role::Title));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    for (one, y) in open.into_iter().zip(area.y + 1..area.y + 1 + rows) {
        operation(view, one, Rect { y, height: 1, ..area }, buffer);
    }
    let height = rows + 1;
    activity(view, Rect { y: area.y + height, height: area.height - height, ..area }, buffer);
}

fn operation(view: &View<'_>, one: &Migration, area: Rect, buffer: &mut Buffer) {
    let progress = view.board.migrations.progress(&one.id);
    let left = Align::Left;
    let name = Line::from(vec![
        Span::styled(format!(" {} ", fit(one.id.as_str(), 7, left)), view.style(Role::Text)),
        Span::styled(
            format!("{} ", fit(&migrations::status(one.status), 15, left)),
            view.style(migrations::status_role(one.status)),
        ),
        Span::styled(fit(&sanitise(one.target.raw()), 12, left), view.style(Role::Muted)),
    ]);
    put(buffer, area.x, area.y, BAR.0, &name);
    let figures = migrations::figures(one, progress);
    let mut words = Vec::new();
    if let Some(figures) = figures {
        let bar = Bar::new(figures.bar())
            .done_style(view.style(Role::Chart))
            .rest_style(view.style(Role::Faint))
            .figure_style(view.style(Role::Text));
        (&bar).render(Rect { x: area.x + BAR.0, width: BAR.1, ..area }.intersection(area), buffer);
        words.extend(figures.progress.map(|progress| format!("ETA {}", migrations::eta(&progress.eta))));
    } else {
        words.push(format!("next: {}", sanitise(one.next.words.raw())));
    }
    words.extend(migrations::hold(one, progress).map(|why| format!("HOLD {why}")));
    let at = if figures.is_some() { BAR.0 + BAR.1 + 2 } else { BAR.0 };
    let room = area.width.saturating_sub(at + 1);
    let shown = fit(&words.join("   "), room, left);
    put(buffer, area.x + at, area.y, room, &Line::styled(shown, view.style(Role::Text)));
}

fn decision(view: &View<'_>, fix: &Fix, columns: u16) -> Line<'static> {
    let (left, tail) = (Align::Left, format!("{:>4}  {:>8} ", approvals(fix), when(view, fix)));
    let title = sanitise(fix.title.raw());
    let room = columns.saturating_sub(27 + width(&tail));
    Line::from(vec![
        Span::styled(format!(" {} ", fit(fix.id.as_str(), 7, left)), view.style(Role::Text)),
        Span::styled(format!("{} ", fit(status(fix.status), 11, left)), view.style(status_role(fix.status))),
        Span::styled(format!("{} ", fit(risk(fix.risk), 4, left)), view.style(risk_role(fix.risk))),
        Span::styled(fit(&title, room, left), view.style(Role::Text)),
        Span::styled(tail, view.style(Role::Muted)),
    ])
}

/// Opened, acknowledged, noted, resolved, deployed, proposed, approved: newest first. Only what is shown is put into
/// words.
fn activity(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let rule = Rule::new().title("activity").style(view.style(Role::Border)).title_style(view.style(Role::Title));
    (&rule).render(Rect { height: 1, ..area }, buffer);
    let shown = usize::from(area.height - 1);
    let mut trail: Vec<_> = events(view.board).enumerate().map(|(place, (at, event))| (at, place, event)).collect();
    let newest_first = |one: &(Timestamp, usize, Event<'_>)| (Reverse(one.0), one.1);
    if trail.len() > shown {
        trail.select_nth_unstable_by_key(shown, newest_first);
        trail.truncate(shown);
    }
    trail.sort_unstable_by_key(newest_first);
    for ((at, _, event), y) in trail.iter().zip(area.y + 1..area.bottom()) {
        let (by, words) = event.words();
        let spans = vec![
            Span::styled(format!(" {} ", view.seconds(*at)), view.style(Role::Muted)),
            Span::styled(fit(&by, 12, Align::Left), view.style(Role::Accent)),
            Span::raw(format!(" {words}")),
        ];
        put(buffer, area.x, y, area.width, &Line::from(spans));
    }
}

/// Something that happened, of whatever the board knows.
enum Event<'b> {
    Found(&'b Alert),
    Acknowledged(&'b Alert, &'b Text),
    Resolved(&'b Alert, &'b Text),
    Noted(&'b Alert, &'b Note),
    /// To a fix or a migration, which is called so: by whom, and what.
    Happened(&'b str, &'b Text, &'b Text),
    Deployed(&'b Deploy),
    Changed(&'b stella_protocol::Rule, &'b Text),
}

/// Everything that happened, in no order.
fn events(board: &Board) -> impl Iterator<Item = (Timestamp, Event<'_>)> {
    let alerts = board.alerts.iter().flat_map(|alert| {
        let acknowledged = alert.acknowledged_at.zip(alert.acknowledged_by.as_ref());
        let resolved = alert.resolved_at.zip(alert.resolved_by.as_ref());
        std::iter::once((alert.detected_at, Event::Found(alert)))
            .chain(acknowledged.map(|(at, by)| (at, Event::Acknowledged(alert, by))))
            .chain(resolved.map(|(at, by)| (at, Event::Resolved(alert, by))))
            .chain(alert.notes.iter().map(|note| (note.at, Event::Noted(alert, note))))
    });
    let fixes = board.fixes.iter().flat_map(|fix| {
        fix.trail.iter().map(|event| (event.at, Event::Happened(fix.id.as_str(), &event.by, &event.what)))
    });
    let deploys = board.deploys.iter().map(|deploy| (deploy.at, Event::Deployed(deploy)));
    let rules =
        board.rules.iter().filter_map(|rule| Some((rule.changed_at?, Event::Changed(rule, rule.changed_by.as_ref()?))));
    let migrations = board.migrations.all().flat_map(|one| {
        one.trail.iter().map(|event| (event.at, Event::Happened(one.id.as_str(), &event.by, &event.what)))
    });
    alerts.chain(fixes).chain(deploys).chain(rules).chain(migrations)
}

impl Event<'_> {
    /// By whom, and what; safe to show.
    fn words(&self) -> (String, String) {
        let clean = |text: &Text| sanitise(text.raw()).into_string();
        let of = |verb: &str, alert: &Alert| format!("{verb} {} {}", alert.id, clean(&alert.title));
        match self {
            Self::Found(alert) => ("stella".to_owned(), of("found", alert)),
            Self::Acknowledged(alert, by) => (clean(by), of("acknowledged", alert)),
            Self::Resolved(alert, by) => (clean(by), of("resolved", alert)),
            Self::Noted(alert, note) => (clean(&note.by), format!("noted on {}: {}", alert.id, clean(&note.text))),
            Self::Happened(id, by, what) => (clean(by), format!("{id}: {}", clean(what))),
            Self::Deployed(deploy) => {
                let by = deploy.by.as_ref().map_or_else(|| "-".to_owned(), clean);
                (by, format!("deployed {} of {}", clean(&deploy.revision), clean(&deploy.service)))
            }
            Self::Changed(rule, by) => (clean(by), format!("changed the rule {}", clean(&rule.id))),
        }
    }
}
