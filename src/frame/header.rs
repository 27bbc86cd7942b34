//! Two lines at the top: where we are, how the link and the application are, what is open.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use stella_protocol::HealthStatus;
use stella_widgets::text::{cut, sanitise, width};

use super::put;
use crate::board::link::LinkState;
use crate::event::SourceEvent;
use crate::keys::Place;
use crate::model::Model;
use crate::screens::{View, company, migrations as screen};
use crate::theme::Role;

/// From this width on the names of the screens stand further apart.
const ROOMY: u16 = 100;
/// Below this one they stand close together.
const NARROW: u16 = 72;
/// From this one on it is said by name who else is here.
const WIDE: u16 = 160;

/// Columns that a name is worth being shortened to.
const NAMED: u16 = 6;

pub(super) fn draw(model: &Model, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    first(view, area, buffer);
    if area.height > 1 {
        second(model, view, Rect { y: area.y + 1, ..area }, buffer);
    }
}

fn first(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let setup = view.setup;
    let badge = format!("[{}]", sanitise(setup.badge.raw()));
    let mut spans = vec![Span::styled(badge, view.style(Role::Badge)), Span::raw(" ")];
    if area.width >= 100 {
        let host = sanitise(setup.host.raw());
        spans.push(Span::styled(format!("{}  ", cut(&host, 16)), view.style(Role::Muted)));
    }
    spans.extend(link(view));
    spans.push(Span::raw("  "));
    let right = right(view, area.width);
    let mut used: u16 = spans.iter().map(|span| width(&span.content)).sum();
    let room = area.width.saturating_sub(width(&right) + 2);
    for span in counts(view) {
        if used + width(&span.content) <= room {
            used += width(&span.content);
            spans.push(span);
        }
    }
    spans.push(Span::raw("  "));
    spans.extend(health(view, room.saturating_sub(used + 2)));
    put(buffer, area.x, area.y, area.width, &Line::from(spans));
    let at = area.right().saturating_sub(width(&right) + 1);
    if at > area.x + used {
        put(buffer, at, area.y, area.width, &Line::styled(right, view.style(Role::Muted)));
    }
}

fn right(view: &View<'_>, columns: u16) -> String {
    if columns < 80 {
        return String::new();
    }
    let zone = if view.local() { "local" } else { "UTC" };
    let at = view.board.clock(view.now);
    if view.board.recording() {
        return format!("{} {} {zone}", view.day(at), view.clock(at));
    }
    format!("{} {zone}", view.clock(at))
}

fn link(view: &View<'_>) -> Vec<Span<'static>> {
    let say = |role: Role, words: String| vec![Span::styled(words, view.style(role).add_modifier(Modifier::BOLD))];
    match view.board.link.state(view.now) {
        LinkState::Live if view.board.recording() => say(Role::Waiting, "RECORDING".to_owned()),
        LinkState::Live => say(Role::Ok, "LIVE".to_owned()),
        LinkState::Late { seconds } => say(Role::Waiting, format!("LATE {seconds}s")),
        LinkState::Connecting => say(Role::Waiting, "CONNECTING".to_owned()),
        LinkState::Resyncing => say(Role::Waiting, "REBUILDING".to_owned()),
        LinkState::Buffered => say(Role::Stale, "BUFFERED".to_owned()),
        LinkState::Refused(_) => say(Role::Danger, "REFUSED".to_owned()),
        LinkState::Stale { since, retry_s, .. } => {
            let retry = retry_s.map_or_else(String::new, |seconds| format!(", retry in {seconds}s"));
            say(Role::Danger, format!("STALE since {}{retry}", view.seconds(since.wall)))
        }
    }
}

fn counts(view: &View<'_>) -> Vec<Span<'static>> {
    let counts = view.board.alerts.counts();
    let faint = view.style(Role::Faint);
    let loaded = view.board.alerts.loaded();
    let one = |words: &str, count: usize, role: Role| {
        let style: Style = if count == 0 { faint } else { view.style(role) };
        // What nobody has told is not zero.
        let shown = if loaded { count.to_string() } else { "-".to_owned() };
        Span::styled(format!("{words} {shown:<3}"), style)
    };
    let taken = if counts.unacknowledged == 0 { Role::Muted } else { Role::Text };
    vec![
        one("CRIT", counts.critical, Role::Critical),
        one(" HIGH", counts.high, Role::High),
        one(" MED", counts.medium, Role::Medium),
        one(" LOW", counts.low, Role::Low),
        one(" unacked", counts.unacknowledged, taken),
    ]
}

fn health(view: &View<'_>, room: u16) -> Vec<Span<'static>> {
    let Some(health) = &view.board.health else { return Vec::new() };
    let role = match health.status {
        HealthStatus::Healthy => Role::Ok,
        HealthStatus::Degraded => Role::Waiting,
        HealthStatus::Down => Role::Danger,
        HealthStatus::Unknown => Role::Muted,
    };
    let word = health.status.word();
    if room < width(word) {
        return Vec::new();
    }
    let mut spans = vec![Span::styled(word, view.style(role))];
    let reason = sanitise(health.reason.raw());
    let left = room.saturating_sub(width(word) + 2);
    if left >= 12 && !reason.is_empty() {
        spans.push(Span::styled(format!(": {}", cut(&reason, left)), view.style(Role::Muted)));
    }
    spans
}

fn second(model: &Model, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let gap = match area.width {
        0..NARROW => " ",
        NARROW..ROOMY => "  ",
        _ => "   ",
    };
    let mut spans = vec![Span::raw(" ")];
    for (key, name, place) in [
        ("1", "Alerts", Place::Alerts),
        ("2", "Fixes", Place::Fixes),
        ("3", "Migrations", Place::Migrations),
        ("4", "Metrics", Place::Metrics),
        ("5", "Log", Place::Log),
    ] {
        let here = model.ui.place == place;
        let style = if here { view.style(Role::Focus) } else { view.style(Role::Muted) };
        spans.push(Span::styled(format!("{key} "), view.style(Role::Faint)));
        spans.push(Span::styled(name, style));
        match place {
            Place::Fixes => spans.extend(fixes(view)),
            Place::Migrations => spans.extend(migrations(view)),
            Place::Alerts | Place::Metrics | Place::Log | Place::Rules | Place::Marks | Place::Deploys => {}
        }
        spans.push(Span::raw(gap));
    }
    let used: u16 = spans.iter().map(|span| width(&span.content)).sum();
    put(buffer, area.x, area.y, area.width, &Line::from(spans));
    let room = area.width.saturating_sub(used + 1);
    let words = watching(view, room, company::header(view, area.width >= WIDE));
    let words = cut(&words, room);
    let at = area.right().saturating_sub(width(&words) + 1);
    put(buffer, at, area.y, room, &Line::styled(words.into_owned(), view.style(Role::Muted)));
}

/// How many fixes wait for people, and that all are off.
fn fixes(view: &View<'_>) -> Vec<Span<'static>> {
    let waiting = view.board.fixes.waiting();
    let count = (waiting > 0).then(|| Span::styled(format!("*{waiting}"), view.style(Role::Waiting)));
    let is_off = view.board.fixes.remedy().switched_off.is_some();
    let style = view.style(Role::Danger).add_modifier(Modifier::BOLD);
    count.into_iter().chain(is_off.then(|| Span::styled(" OFF", style))).collect()
}

/// How many migrations are not over, how far the foremost is, and whether it is held.
fn migrations(view: &View<'_>) -> Vec<Span<'static>> {
    let migrations = &view.board.migrations;
    let Some(foremost) = migrations.foremost() else { return Vec::new() };
    let count = Span::styled(format!("*{}", migrations.unfinished().count()), view.style(Role::Waiting));
    let is_held = screen::hold(foremost, migrations.progress(&foremost.id)).is_some();
    let works = screen::status_role(foremost.status) == Role::Accent;
    let role = if is_held && works { Role::Waiting } else { screen::status_role(foremost.status) };
    vec![count, Span::styled(screen::short(view, foremost), view.style(role))]
}

/// What is watched and as whom; what is being prepared or has ended, when that is the news. The address is
/// shortened first, then who we are; who else is here and that nothing can be sent is said to the last.
fn watching(view: &View<'_>, room: u16, company: Option<String>) -> String {
    let said = match &view.board.source {
        Some(SourceEvent::Preparing(what)) => format!("{} …", sanitise(what.raw())),
        Some(SourceEvent::Ended(what)) => format!("{} ended", sanitise(what.raw())),
        Some(SourceEvent::Trouble(why)) => format!("trouble: {}", sanitise(why.raw())),
        Some(SourceEvent::Ready) | None => sanitise(view.setup.watching.raw()).into_string(),
    };
    let readonly = if view.setup.readonly { "  READ-ONLY" } else { "" };
    let company = company.map(|company| format!("  {company}")).filter(|words| width(words) + width(readonly) <= room);
    let last = company.unwrap_or_default() + readonly;
    let me = match &view.board.principal {
        Some((name, role)) => {
            let (name, role) = (format!("  {}", sanitise(name.raw())), format!(" ({})", role.word()));
            // Half a role says nothing.
            let has_room = width(&name) + width(&role) + width(&last) <= room;
            if has_room { name + &role } else { name }
        }
        None => String::new(),
    };
    let me = cut(&me, room.saturating_sub(width(&last)));
    let left = room.saturating_sub(width(&me) + width(&last));
    // A letter or two of a name say nothing.
    let said = if left < NAMED && width(&said) > left { "".into() } else { cut(&said, left) };
    format!("{said}{me}{last}")
}
