//! Migrations as lines for people. Pure; every text passes the sanitiser.

mod lists;
mod plan;

use stella_protocol::migration::{Counts, DualRead, Eta, Phase, PhaseName, PhaseState, Progress, Verification};
use stella_protocol::{Migration, MigrationStatus, Timestamp};
use stella_widgets::text::sanitise;

use super::Named;
use super::rest::is_at_rest;
use crate::cli::words::{clean, count, moment, section, table};
use crate::lead;
use crate::own_queries::{self, Mark};

pub(super) use lists::{check, choice, collections, decisions, errors, is_right, kind, log, mapping, orphans, people};
pub(super) use plan::{consent, plan};

/// `migrate ls`.
pub(super) fn migrations(migrations: &[Migration]) -> Vec<String> {
    let rows = migrations.iter().map(|one| {
        let done = one.plan.as_ref().map(|_| format!("{}/{}", one.counts.settled(), planned(one))).unwrap_or_default();
        let created = moment(one.created_at);
        [one.id.to_string(), word(one), done, created, clean(&one.leader), clean(&one.target), clean(&one.map_title)]
    });
    table(["ID", "STATUS", "DONE", "CREATED", "LEADER", "STORE", "MAP"], rows)
}

/// Where it stands, with what is under way without a state of its own.
fn word(migration: &Migration) -> String {
    match migration.under_way {
        Some(phase) => format!("{} ({})", migration.status.word(), phase.word()),
        None => migration.status.word().to_owned(),
    }
}

/// Documents to write: of the ledger, or of the plan before there is one.
fn planned(migration: &Migration) -> u64 {
    let of_plan = migration.plan.as_ref().map_or(0, |plan| plan.changes + plan.moves);
    if migration.counts.planned > 0 { migration.counts.planned } else { of_plan }
}

/// What became of a verb, in a line.
pub(super) fn outcome(migration: &Migration) -> String {
    let why = match (&migration.hold_reason, migration.result.is_empty()) {
        (Some(hold), _) => format!(": {}", clean(hold)),
        (None, false) => format!(": {}", clean(&migration.result)),
        (None, true) => String::new(),
    };
    format!("{} {}{why}", migration.id, word(migration))
}

/// What comes next, as a command where there is one.
pub(super) fn next(migration: &Migration, place: &Named) -> String {
    let said = clean(&migration.next.words);
    let id = &migration.id;
    let command = match migration.next.verb {
        Some(verb) => Some(format!("{} {id}", verb.word())),
        None if migration.status == MigrationStatus::NeedsDecision => Some(format!("decisions {id}")),
        None if !is_at_rest(migration) => Some(format!("status {id} --follow")),
        None => None,
    };
    let verb = migration.next.verb.map(|verb| format!("{}: ", verb.word())).unwrap_or_default();
    let words = said.strip_prefix(&verb).unwrap_or(&said);
    match (command, place) {
        (None, _) => format!("next: {said}"),
        (Some(_), Named::Demo) => format!("next: {said} (this demo ends here; `stella-tui --demo` has one that stays)"),
        (Some(command), Named::Usual) => format!("next: stella-tui migrate {command}   ({words})"),
        (Some(command), Named::Server(name)) => {
            format!("next: stella-tui migrate {command} --server {}   ({words})", argument(name))
        }
    }
}

/// A text as a shell reads it: as one argument.
fn argument(text: &str) -> String {
    let text = sanitise(text).into_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@[]".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// How far it is, in a line.
pub(super) fn progress(progress: &Progress, is_coloured: bool) -> String {
    let mark = match (progress.hold_reason.is_some(), is_coloured) {
        (false, false) => "✓",
        (false, true) => "\u{1b}[32m✓\u{1b}[39m",
        (true, false) => "!",
        (true, true) => "\u{1b}[33m!\u{1b}[39m",
    };
    format!("{mark} {}", figures(progress))
}

fn figures(progress: &Progress) -> String {
    let (done, of) = progress.batches;
    let mut parts = Vec::new();
    if progress.phase != PhaseName::Copy {
        parts.push(progress.phase.word().to_owned());
    }
    if of > 0 {
        parts.push(format!("batch {done}/{of}"));
    }
    parts.push(match progress.total {
        // How many there are is not known yet.
        0 => format!("{} documents", progress.done),
        total => format!("{}/{total} documents ({})", progress.done, percent(progress.done, total)),
    });
    parts.extend(progress.rate.map(|rate| format!("{}/s", rate_words(rate))));
    let counts = &progress.counts;
    parts.extend(
        [(counts.parked, "parked"), (counts.failed, "refused")]
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}")),
    );
    if progress.done < progress.total {
        parts.push(format!("ETA {}", eta(&progress.eta)));
    }
    parts.extend(progress.hold_reason.as_ref().map(|why| format!("held: {}", clean(why))));
    parts.join(" · ")
}

/// Rounded down, so that only what is done is 100 %.
fn percent(done: u64, total: u64) -> String {
    if total == 0 {
        return "- %".to_owned();
    }
    let tenths = u128::from(done.min(total)) * 1_000 / u128::from(total);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn rate_words(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}").trim_end_matches(".0").to_owned() } else { format!("{rate:.0}") }
}

fn eta(eta: &Eta) -> String {
    match eta {
        Eta::Range { low_ms, high_ms } => range(*low_ms, *high_ms),
        Eta::Unknown { why } => format!("unknown: {}", clean(why)),
    }
}

/// Both ends in the unit of the later one; the earlier rounded down, the later up.
fn range(low_ms: u64, high_ms: u64) -> String {
    let (unit, word) = match high_ms {
        0..=90_000 => (1_000, "s"),
        90_001..=5_400_000 => (60_000, "min"),
        _ => (3_600_000, "h"),
    };
    let (low, high) = (low_ms / unit, high_ms.div_ceil(unit));
    if low >= high { format!("{high} {word}") } else { format!("{low}–{high} {word}") }
}

/// A size in the largest unit of which there is one.
fn bytes(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fitting = units.into_iter().find(|(unit, _)| bytes >= *unit);
    fitting.map_or_else(|| format!("{bytes} B"), |(unit, word)| format!("{:.1} {word}", bytes as f64 / unit as f64))
}

/// A length of time that has passed.
pub(super) fn took(millis: i64) -> String {
    let seconds = millis.max(0) / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// What a step brought: phases that ended or began since `told`, and where it stands.
pub(super) fn step(told: Option<&Migration>, now: &Migration) -> Vec<String> {
    let was = |phase: &Phase| told.is_some_and(|told| told.phases.contains(phase));
    let is_news = |phase: &&Phase| !was(phase) && (told.is_some() || phase.state == PhaseState::Running);
    let mut lines: Vec<String> = now.phases.iter().filter(is_news).map(ended_or_begun).collect();
    lines.extend(told.and_then(|told| lead::passed(&told.leader, now, "")).map(|words| format!("· {words}")));
    if told.is_none_or(|told| outcome(told) != outcome(now)) {
        lines.push(outcome(now));
    }
    lines
}

fn ended_or_begun(phase: &Phase) -> String {
    let mark = match phase.state {
        PhaseState::Done => "✓",
        PhaseState::Failed => "✗",
        PhaseState::Running | PhaseState::Stopped | PhaseState::Unknown => "·",
    };
    let note = if phase.note.is_empty() { String::new() } else { format!(": {}", clean(&phase.note)) };
    let time = duration(phase).map(|time| format!(" · {time}")).unwrap_or_default();
    format!("{mark} {} {}{note}{time}", phase.name.word(), state(phase.state))
}

/// How a phase went, in a word.
pub(super) fn state(state: PhaseState) -> &'static str {
    match state {
        PhaseState::Running => "running",
        PhaseState::Stopped => "stopped",
        PhaseState::Done => "done",
        PhaseState::Failed => "FAILED",
        PhaseState::Unknown => "?",
    }
}

/// How long it took in all its tries; None: it is under way.
pub(super) fn duration(phase: &Phase) -> Option<String> {
    let time = took(phase.worked_ms(phase.ended_at?));
    Some(if phase.tries > 1 { format!("{time} in {} tries", phase.tries) } else { time })
}

/// `migrate status`.
pub(super) fn status(migration: &Migration, glimpsed: Option<&Progress>, is_coloured: bool) -> Vec<String> {
    let mut lines = head(migration);
    section(&mut lines, "phases", phases(&migration.phases));
    if migration.counts != Counts::default() {
        section(&mut lines, "documents", [format!("  {}", counts(&migration.counts))]);
    }
    section(&mut lines, own_queries::TITLE, own(migration));
    section(&mut lines, "now", glimpsed.map(|seen| format!("  {}", progress(seen, is_coloured))));
    lines
}

/// What the application is asked, and how it answered.
fn own(migration: &Migration) -> impl Iterator<Item = String> {
    own_queries::lines(migration).into_iter().map(|(mark, line)| match mark {
        Mark::Bad => format!("  ✗ {line}"),
        Mark::Missing => format!("  ! {line}"),
        Mark::Usual => format!("  {line}"),
    })
}

fn head(migration: &Migration) -> Vec<String> {
    let mut lines = vec![outcome(migration), String::new()];
    let mut add = |name: &str, value: String| lines.push(format!("{name:<12}{value}"));
    add("store", clean(&migration.target));
    add("map", clean(&migration.map_title));
    add("leader", clean(&migration.leader));
    add("created", format!("{} by {}", moment(migration.created_at), clean(&migration.created_by)));
    if let Some(approval) = &migration.approval {
        let why = if approval.reason.is_empty() { String::new() } else { format!(": {}", clean(&approval.reason)) };
        add("approved", format!("{} by {}{why}", moment(approval.at), clean(&approval.by)));
    }
    if let Some(read) = &migration.dual_read {
        add("both ids", dual_read(read));
    }
    if let Some(backup) = &migration.backup {
        let documents = count(backup.documents as usize, "document", "documents");
        let parts = count(backup.parts as usize, "part", "parts");
        let digest = clean(&backup.digest);
        add("backup", format!("{documents}, {} in {parts}, read back; digest {digest}", bytes(backup.bytes)));
    }
    if let Some(rate) = migration.limits.rate {
        add("at most", format!("{rate} documents a second"));
    }
    if let Some(found) = &migration.verification {
        add("verified", verified(found));
    }
    if migration.old_id_uses > 0 {
        let last = migration.last_old_id_use.map(|at: Timestamp| format!(", last {}", moment(at))).unwrap_or_default();
        add("old ids", format!("used {}{last}", count(migration.old_id_uses as usize, "time", "times")));
    }
    lines
}

fn dual_read(read: &DualRead) -> String {
    match read {
        DualRead::Probe { at } => format!("the application said at {} that it reads them", moment(*at)),
        DualRead::Statement { who, text } => format!("{} said: {}", clean(who), clean(text)),
    }
}

fn verified(found: &Verification) -> String {
    let documents = count(found.documents as usize, "document", "documents");
    let differences = count(found.differences as usize, "difference", "differences");
    format!("{} {documents}, {differences}, {} changed by others since", moment(found.at), found.changed_since)
}

/// Documents by what became of them.
pub(super) fn counts(counts: &Counts) -> String {
    let Counts { planned, done, skipped, parked, failed, conflicts } = counts;
    let percent = percent(counts.settled(), *planned);
    format!(
        "{done} written, {skipped} as they must be, {parked} parked, {failed} refused, of {planned} ({percent}); {}",
        crate::cli::words::count(*conflicts as usize, "race lost and run again", "races lost and run again")
    )
}

fn phases(phases: &[Phase]) -> Vec<String> {
    if phases.is_empty() {
        return Vec::new();
    }
    let rows = phases.iter().map(|phase| {
        let time = duration(phase).unwrap_or_default();
        [
            phase.name.word().to_owned(),
            state(phase.state).to_owned(),
            moment(phase.started_at),
            time,
            clean(&phase.note),
        ]
    });
    let lines = table(["PHASE", "STATE", "BEGUN", "TOOK", "NOTE"], rows);
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

/// `migrate show`.
pub(super) fn show(migration: &Migration) -> Vec<String> {
    let mut lines = status(migration, None, false);
    if let Some(summary) = &migration.plan {
        lines.extend(plan::blocks(summary));
    }
    if let Some(found) = &migration.verification {
        lines.extend(verification(found));
    }
    let trail = migration.trail.iter();
    let trail = trail.map(|one| format!("  {} {} {}", moment(one.at), clean(&one.by), clean(&one.what)));
    section(&mut lines, "what happened", trail);
    if let Some(summary) = &migration.plan {
        lines.extend([String::new(), format!("plan digest {}", clean(&summary.digest))]);
    }
    lines
}

fn verification(found: &Verification) -> Vec<String> {
    let mut lines = Vec::new();
    section(&mut lines, "checks", found.checks.iter().map(|check| format!("  - {}", clean(check))));
    let differences = found.first.iter();
    let differences =
        differences.map(|one| format!("  - {}: {}: {}", clean(&one.check), clean(&one.what), clean(&one.detail)));
    section(&mut lines, "differences", differences);
    let changed = found.first_changed.iter().map(|document| format!("  - {}", clean(document)));
    section(&mut lines, "changed by others since", changed);
    let missing = found.not_checked.iter().map(|name| format!("  - {}", clean(name)));
    section(&mut lines, "not checked: there is no such collection", missing);
    lines
}

#[cfg(test)]
mod tests;
