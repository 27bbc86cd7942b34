//! The lines of a migration that stand still: where it is, how far, how fast, what holds it, what is next.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use stella_protocol::migration::{Eta, PlanSummary, Progress};
use stella_protocol::{Migration, MigrationStatus};
use stella_widgets::text::{cut, width};
use stella_widgets::wrap::wrap;
use stella_widgets::{Bar, number};

use super::page::clean;
use super::verbs::{digest, limit, next};
use super::words::{Figures, counts, documents, eta, figures, hold, many, phase, rate, status, status_role, stopping};
use crate::frame::put;
use crate::model::requests::Progress as Change;
use crate::screens::View;
use crate::theme::Role;

/// A ledger that was not written for so long, in ms, is a matter of concern while it works.
const SILENT_MS: i64 = 60_000;

/// One line: words, or a bar behind a name.
pub(super) enum HeadLine {
    Words(Line<'static>),
    Bar { name: String, progress: stella_widgets::Progress },
}

impl HeadLine {
    pub(super) fn render(&self, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
        match self {
            Self::Words(line) => put(buffer, area.x, area.y, area.width, line),
            Self::Bar { name, progress } => {
                let name = format!(" {name} ");
                let at = width(&name).min(area.width);
                put(buffer, area.x, area.y, area.width, &Line::styled(name, view.style(Role::Text)));
                let bar = Bar::new(*progress)
                    .done_style(view.style(Role::Chart))
                    .rest_style(view.style(Role::Faint))
                    .figure_style(view.style(Role::Text).add_modifier(Modifier::BOLD));
                let columns = area.width.saturating_sub(at + 1);
                (&bar).render(Rect { x: area.x + at, width: columns, ..area }, buffer);
            }
        }
    }
}

/// The six lines.
pub(super) fn lines(
    view: &View<'_>,
    migration: &Migration,
    progress: Option<&Progress>,
    columns: u16,
) -> [HeadLine; 6] {
    let figures = figures(migration, progress);
    let (second, third) = match (&figures, &migration.plan) {
        (Some(figures), _) => {
            let name = phase(migration).map_or_else(String::new, |phase| phase.word().to_owned());
            let bar = HeadLine::Bar { name, progress: figures.bar() };
            (bar, words(view, how_far(view, migration, figures, columns)))
        }
        (None, Some(plan)) => {
            (words(view, vec![(Role::Text, whole(plan))]), words(view, vec![(Role::Muted, scope(plan))]))
        }
        (None, None) => (words(view, Vec::new()), words(view, Vec::new())),
    };
    let fourth = match (&figures, &migration.plan) {
        (None, Some(plan)) if migration.backup.is_none() && migration.status.is_unfinished() => costs(plan),
        _ => became(view, migration, progress),
    };
    let held = held(view, migration, progress, columns);
    let [fifth, sixth] = then(view, migration, held, columns);
    let first = words(view, first(view, migration));
    [first, second, third, words(view, fourth), HeadLine::Words(fifth), HeadLine::Words(sixth)]
}

fn words(view: &View<'_>, spans: Vec<(Role, String)>) -> HeadLine {
    let blank = std::iter::once(Span::raw(" "));
    let spans = spans.into_iter().map(|(role, words)| Span::styled(words, view.style(role)));
    HeadLine::Words(Line::from(blank.chain(spans).collect::<Vec<_>>()))
}

fn first(view: &View<'_>, migration: &Migration) -> Vec<(Role, String)> {
    let under_way = match view.requests.migration_progress(&migration.id) {
        None => "",
        Some(Change::Pending) => "   sent, not confirmed",
        Some(Change::Unknown) => "   sent, UNKNOWN: asked again",
    };
    let plan = migration.plan.as_ref().map(|_| format!("   plan {}", digest(migration)));
    let approved = migration.approval.as_ref().map(|approval| format!("   approved by {}", clean(&approval.by)));
    vec![
        (status_role(migration.status), status(migration.status).to_uppercase()),
        (Role::Waiting, stopping(migration).map(|words| format!("   {words}")).unwrap_or_default()),
        (Role::Waiting, under_way.to_owned()),
        (Role::Text, plan.unwrap_or_default()),
        (Role::Muted, approved.unwrap_or_default()),
        (Role::Muted, format!("   led by {}", clean(&migration.leader))),
    ]
}

/// Done of all, now and over ten minutes, how long still.
fn how_far(view: &View<'_>, migration: &Migration, figures: &Figures<'_>, columns: u16) -> Vec<(Role, String)> {
    let done = match figures.total {
        Some(total) => format!("{} of {}", number::grouped(figures.done.min(total)), documents(total)),
        None => format!("{} so far", documents(figures.done)),
    };
    let mut spans = vec![(Role::Text, done)];
    let used = |spans: &[(Role, String)]| spans.iter().map(|(_, words)| width(words)).sum::<u16>();
    let has_limit = migration.limits.rate.is_some_and(|rate| rate > 0);
    let limit = format!("   {}", limit(migration.limits.rate));
    let kept = if has_limit { width(&limit) } else { 0 };
    let works = !matches!(migration.status, MigrationStatus::Paused | MigrationStatus::Halted);
    if let Some(progress) = figures.progress.filter(|_| works) {
        let now = progress.rate.map(|_| (Role::Text, format!("   {} now", rate(progress.rate))));
        let over = progress.rate_10m.map(|_| (Role::Muted, format!("   {} over 10m", rate(progress.rate_10m))));
        let left = (Role::Text, format!("   ETA {}", left(progress)));
        // How long still is said to the last, and what a person set.
        for figure in [now, over].into_iter().flatten() {
            if used(&spans) + width(&figure.1) + width(&left.1) + kept < columns {
                spans.push(figure);
            }
        }
        spans.push(left);
    } else if migration.status.is_unfinished() {
        let why = match migration.status {
            MigrationStatus::Paused => "it is paused",
            MigrationStatus::Halted => "it is halted",
            _ => "nothing was counted yet",
        };
        spans.push((Role::Text, format!("   ETA unknown: {why}")));
    }
    let used = used(&spans);
    if has_limit || used + width(&limit) + 1 < columns && view.board.migrations.loaded() {
        spans.push((if has_limit { Role::Waiting } else { Role::Muted }, limit));
    }
    spans
}

/// How long still. What holds it stands below, in full.
fn left(progress: &Progress) -> String {
    match (&progress.eta, &progress.hold_reason) {
        (Eta::Unknown { why }, Some(hold)) if why == hold => "unknown: it is held".to_owned(),
        (told, _) => eta(told),
    }
}

/// What became of the documents, and when the ledger was written.
fn became(view: &View<'_>, migration: &Migration, progress: Option<&Progress>) -> Vec<(Role, String)> {
    let counts = counts(migration, progress);
    let one = |role: Role, count: u64, word: &str| {
        (if count > 0 { role } else { Role::Muted }, format!("{word} {}  ", number::grouped(count)))
    };
    let mut spans = vec![
        one(Role::Danger, counts.failed, "failed"),
        one(Role::Waiting, counts.parked, "parked"),
        one(Role::Text, counts.conflicts, "conflicts"),
    ];
    if migration.backup.is_some() && figures(migration, progress).is_none() {
        spans.insert(0, one(Role::Text, counts.done, "written"));
    }
    if counts.skipped > 0 {
        spans.push(one(Role::Muted, counts.skipped, "as they must be already"));
    }
    let same = progress.filter(|progress| Some(progress.phase) == phase(migration));
    if let Some(progress) = same.filter(|progress| progress.batches.1 > 0) {
        let (done, all) = (progress.batches.0.min(progress.batches.1), progress.batches.1);
        spans.push((Role::Muted, format!("batch {}/{}  ", number::grouped(done), number::grouped(all))));
    }
    if let Some(at) = same.and_then(|progress| progress.checkpoint_at) {
        let is_late = view.board.clock(view.now).since(at) >= SILENT_MS && migration.status.holds_the_store();
        let ago = if view.tells_ages() { " ago" } else { "" };
        spans.push((if is_late { Role::Waiting } else { Role::Muted }, format!("checkpoint {}{ago}", view.age(at))));
    }
    spans
}

/// What the plan would do.
fn whole(plan: &PlanSummary) -> String {
    format!(
        "the plan: {} and {}, of {} in {}",
        many(plan.changes, "change", "changes"),
        many(plan.moves, "move", "moves"),
        documents(plan.documents),
        many(plan.collections, "collection", "collections")
    )
}

fn scope(plan: &PlanSummary) -> String {
    let mut words = format!(
        "{} with {}   {} without a user hold {}",
        many(plan.users, "person", "people"),
        many(plan.old_ids, "old id", "old ids"),
        many(plan.orphan_ids, "id", "ids"),
        documents(plan.orphan_documents)
    );
    if plan.placeholders > 0 {
        words.push_str(&format!(", {} made", many(plan.placeholders, "placeholder", "placeholders")));
    }
    if plan.archived > 0 {
        words.push_str(&format!(", {} archived", documents(plan.archived)));
    }
    words
}

fn costs(plan: &PlanSummary) -> Vec<(Role, String)> {
    let found = |count: u64| if count > 0 { Role::Waiting } else { Role::Muted };
    vec![
        (Role::Muted, format!("{}   ", many(plan.batches, "batch", "batches"))),
        (Role::Muted, format!("about {}   ", number::bytes(plan.bytes as f64))),
        (found(plan.clashes), format!("{}   ", many(plan.clashes, "clash", "clashes"))),
        (found(plan.misses), format!("{} that the map misses   ", many(plan.misses, "place", "places"))),
    ]
}

/// What holds it, or how it ended.
fn held(view: &View<'_>, migration: &Migration, progress: Option<&Progress>, columns: u16) -> Line<'static> {
    let room = columns.saturating_sub(7);
    if let Some(reason) = hold(migration, progress) {
        let (mark, role) = match migration.status {
            MigrationStatus::Halted => (" HALT ", Role::Danger),
            MigrationStatus::Paused => (" wait ", Role::Waiting),
            _ => (" HOLD ", Role::Waiting),
        };
        return Line::from(vec![
            Span::styled(mark, view.style(role).add_modifier(Modifier::BOLD)),
            Span::styled(cut(&reason, room).into_owned(), view.style(Role::Text)),
        ]);
    }
    let result =
        if migration.status == MigrationStatus::Soaking { soak(view, migration) } else { clean(&migration.result) };
    let role = match migration.status {
        status if !status.is_unfinished() => status_role(status),
        MigrationStatus::PlanFailed
        | MigrationStatus::BackupFailed
        | MigrationStatus::RollbackFailed
        | MigrationStatus::Halted => Role::Danger,
        _ => Role::Text,
    };
    Line::styled(format!(" {}", cut(&result, columns.saturating_sub(2))), view.style(role))
}

/// How often an old id was used since the cut-over, and when last.
fn soak(view: &View<'_>, migration: &Migration) -> String {
    let uses = many(migration.old_id_uses, "use of an old id", "uses of old ids");
    let last = migration.last_old_id_use.map(|at| format!(", the last at {}", view.seconds(at)));
    format!("{uses} since the cut-over{}", last.unwrap_or_default())
}

/// The line that names the one key, below what holds it; where nothing does it may begin a row earlier.
fn then(view: &View<'_>, migration: &Migration, held: Line<'static>, columns: u16) -> [Line<'static>; 2] {
    let (key, words) = match next(migration) {
        (Some(key), words) => (key, words),
        (None, words) if migration.status.is_unfinished() => ("q".to_owned(), format!("leaves it running; {words}")),
        (None, words) => ("q".to_owned(), format!("leaves; {words}")),
    };
    let mark = width(&key) + 9;
    let room = columns.saturating_sub(mark + 1);
    let rows = wrap(&words, room);
    let named = |words: &str| {
        Line::from(vec![
            Span::styled(" next: ", view.style(Role::Muted)),
            Span::styled(format!("{key}  "), view.style(Role::Accent).add_modifier(Modifier::BOLD)),
            Span::styled(words.to_owned(), view.style(Role::Text)),
        ])
    };
    match rows.as_slice() {
        [first, _, ..] if held.width() <= 1 => {
            let rest = words[first.len()..].trim_start();
            let rest = format!("{}{}", " ".repeat(usize::from(mark)), cut(rest, room));
            [named(first), Line::styled(rest, view.style(Role::Text))]
        }
        _ => [held, named(&cut(&words, room))],
    }
}
