//! What a migration is called in rows and headings: status, phases, counts, how long still.
//!
//! Everything that is counted was counted by the ledger. What is not known says so; nothing is ever due,
//! and nothing is more than all.

use stella_protocol::migration::{Counts, Eta, MigrationKind, Phase, PhaseName, Progress};
use stella_protocol::{Migration, MigrationStatus, MigrationVerb};
use stella_widgets::number;
use stella_widgets::text::sanitise;

use crate::screens::View;
use crate::theme::Role;

/// The status in words.
pub fn status(status: MigrationStatus) -> String {
    status.word().replace('_', " ")
}

/// The status, as `it is …` ends.
pub fn stands(status: MigrationStatus) -> String {
    match status {
        MigrationStatus::NeedsDecision => "waiting for answers".to_owned(),
        MigrationStatus::PlanFailed => "not planned, since the look failed".to_owned(),
        MigrationStatus::BackupFailed => "not begun, since its backup failed".to_owned(),
        MigrationStatus::RollbackFailed => "not taken back, since the store refused".to_owned(),
        MigrationStatus::ClosedManually => "closed by hand".to_owned(),
        other => self::status(other),
    }
}

/// How a status is painted.
pub fn status_role(status: MigrationStatus) -> Role {
    use MigrationStatus as Is;
    match status {
        Is::NeedsDecision | Is::Planned | Is::Rehearsed | Is::Paused | Is::Verified => Role::Waiting,
        Is::Approved
        | Is::Draft
        | Is::BackingUp
        | Is::BackedUp
        | Is::Copying
        | Is::Verifying
        | Is::CuttingOver
        | Is::Soaking
        | Is::RollingBack => Role::Accent,
        Is::PlanFailed | Is::BackupFailed | Is::Halted | Is::RollbackFailed => Role::Danger,
        Is::Completed => Role::Ok,
        Is::RolledBack | Is::Cancelled | Is::ClosedManually | Is::Unknown => Role::Muted,
    }
}

/// What is migrated.
pub fn kind(kind: MigrationKind) -> &'static str {
    match kind {
        MigrationKind::UserIds => "user ids",
        MigrationKind::Unknown => "of an unknown kind",
    }
}

/// The key that asks for a verb; None: it is a command.
pub fn key(verb: MigrationVerb) -> Option<&'static str> {
    use MigrationVerb as Do;
    match verb {
        Do::Plan | Do::Rehearse => Some("D"),
        Do::Approve => Some("Y"),
        Do::Start | Do::Cutover => Some("E"),
        Do::Pause | Do::Resume => Some("P"),
        Do::Verify => Some("C"),
        Do::Rollback => Some("B"),
        Do::Stop => Some("S"),
        Do::Close => Some("R"),
        Do::Rate | Do::HandOver | Do::TakeOver | Do::Retry | Do::Cancel => None,
    }
}

/// A verb as a footer and a question say it.
pub fn verb(verb: MigrationVerb) -> &'static str {
    match verb {
        MigrationVerb::Cutover => "cut over",
        MigrationVerb::Rollback => "roll back",
        MigrationVerb::HandOver => "hand over",
        MigrationVerb::TakeOver => "take over",
        other => other.word(),
    }
}

/// The phase that works, or was interrupted; None: it waits for a person, or is over.
pub fn phase(migration: &Migration) -> Option<PhaseName> {
    use MigrationStatus as Is;
    match migration.status {
        _ if migration.under_way.is_some() => migration.under_way,
        Is::Draft => Some(PhaseName::Scan),
        Is::BackingUp => Some(PhaseName::Backup),
        Is::BackedUp => Some(PhaseName::Canary),
        Is::Copying => Some(PhaseName::Copy),
        Is::Verifying => Some(PhaseName::Verify),
        Is::CuttingOver => Some(PhaseName::CutOver),
        Is::Soaking => Some(PhaseName::Soak),
        Is::RollingBack | Is::RollbackFailed => Some(PhaseName::RollBack),
        Is::Paused | Is::Halted => migration.phases.iter().max_by_key(|phase| phase.started_at).map(|phase| phase.name),
        _ => None,
    }
}

/// How far the phase is that works: what the ledger said of this very phase.
#[derive(Debug, Clone, Copy)]
pub struct Figures<'a> {
    /// Finished documents.
    pub done: u64,
    /// All of them; None: nobody has counted yet.
    pub total: Option<u64>,
    /// What the ledger says besides; None: this is the last step's word.
    pub progress: Option<&'a Progress>,
}

impl Figures<'_> {
    /// For a bar.
    pub fn bar(&self) -> stella_widgets::Progress {
        match self.total {
            Some(total) => stella_widgets::Progress::Exact { done: self.done.min(total), total },
            None => stella_widgets::Progress::Unknown { done: self.done },
        }
    }

    /// Whole hundredths, never 100 before the end; None: the total is not known.
    pub fn percent(&self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        let part = u128::from(self.done.min(total)) * 100 / u128::from(total);
        u64::try_from(part).ok()
    }
}

/// The figures of the phase that works; None: none does, or it counts nothing.
pub fn figures<'a>(migration: &Migration, progress: Option<&'a Progress>) -> Option<Figures<'a>> {
    let phase = phase(migration)?;
    // What stopped was counted once more when it had.
    let is_stopped = is_stopped(migration.status) && phase == PhaseName::Copy;
    if let Some(progress) = progress.filter(|progress| progress.phase == phase && !is_stopped) {
        let total = (progress.total > 0).then_some(progress.total);
        return Some(Figures { done: progress.done, total, progress: Some(progress) });
    }
    match phase {
        PhaseName::Copy => {
            let counts = migration.counts;
            Some(Figures {
                done: counts.settled(),
                total: (counts.planned > 0).then_some(counts.planned),
                progress: None,
            })
        }
        PhaseName::Soak => None,
        _ => Some(Figures { done: 0, total: None, progress: None }),
    }
}

/// The documents by what became of them: the ledger's last word, else the last step's.
pub fn counts(migration: &Migration, progress: Option<&Progress>) -> Counts {
    let is_newer = |progress: &&Progress| {
        let counted = |counts: &Counts| counts.done + counts.skipped + counts.parked + counts.failed;
        let is_more = counted(&progress.counts) >= counted(&migration.counts);
        let works = migration.status.holds_the_store() && !is_stopped(migration.status);
        works && is_more
    };
    progress.filter(is_newer).map_or(migration.counts, |progress| progress.counts)
}

/// True for what a person has to let go on.
fn is_stopped(status: MigrationStatus) -> bool {
    matches!(status, MigrationStatus::Paused | MigrationStatus::Halted)
}

/// Why it is slower than it could be, or stands.
pub fn hold(migration: &Migration, progress: Option<&Progress>) -> Option<String> {
    if !migration.status.is_unfinished() {
        return None;
    }
    let told = progress.filter(|progress| Some(progress.phase) == phase(migration));
    let reason = match (migration.status, told) {
        (MigrationStatus::Paused | MigrationStatus::Halted, _) | (_, None) => migration.hold_reason.as_ref(),
        (_, Some(progress)) => progress.hold_reason.as_ref(),
    };
    reason.filter(|reason| !reason.is_empty()).map(|reason| sanitise(reason.raw()).into_string())
}

/// `84/s`; None: too little was done yet.
pub fn rate(rate: Option<f64>) -> String {
    rate.filter(|rate| rate.is_finite() && *rate >= 0.0)
        .map_or_else(|| "unknown".to_owned(), |rate| format!("{}/s", number::count(rate)))
}

/// `28m-41m`, or `unknown: …` with the reason.
pub fn eta(eta: &Eta) -> String {
    match eta {
        Eta::Range { low_ms, high_ms } => {
            let (low, high) = (coarse(*low_ms, Round::Down), coarse((*high_ms).max(*low_ms), Round::Up));
            if low == high { low } else { format!("{low}-{high}") }
        }
        Eta::Unknown { why } if why.is_empty() => "unknown".to_owned(),
        Eta::Unknown { why } => format!("unknown: {}", sanitise(why.raw())),
    }
}

#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

/// A length of time as an estimate says it: to the second below two minutes, to the minute below two
/// hours. Never nothing: what still has to be done takes a second.
fn coarse(millis: u64, round: Round) -> String {
    let whole = |unit: u64| match round {
        Round::Down => millis / unit,
        Round::Up => millis.div_ceil(unit),
    };
    match millis {
        0..120_000 => format!("{}s", whole(1_000).max(1)),
        120_000..7_200_000 => format!("{}m", whole(60_000)),
        _ => {
            let minutes = whole(60_000);
            format!("{}h{:02}m", minutes / 60, minutes % 60)
        }
    }
}

/// About how long so many documents take at the rate that they were written with; empty: nobody knows it.
pub fn about(documents: u64, migration: &Migration, progress: Option<&Progress>) -> String {
    let writes = |phase| matches!(phase, PhaseName::Copy | PhaseName::RollBack);
    let told = progress.filter(|progress| writes(progress.phase)).and_then(|told| told.rate_10m.or(told.rate));
    let Some(rate) = told.or_else(|| written_at(migration)).filter(|rate| rate.is_finite() && *rate > 0.0) else {
        return String::new();
    };
    let millis = (documents as f64 / rate * 1_000.0).min(1e15) as u64;
    format!(", about {}", coarse(millis, Round::Up))
}

/// Documents a second of a copy that has ended.
fn written_at(migration: &Migration) -> Option<f64> {
    let written = |phase: &&Phase| matches!(phase.name, PhaseName::Canary | PhaseName::Copy);
    let ended = migration.phases.iter().filter(written).map(|phase| Some(phase.worked_ms(phase.ended_at?)));
    let millis = ended.sum::<Option<i64>>().filter(|millis| *millis > 0)?;
    Some(migration.counts.done as f64 * 1_000.0 / millis as f64)
}

/// What is about to become of it, behind the writes in flight.
pub fn stopping(migration: &Migration) -> Option<&'static str> {
    Some(match migration.stopping? {
        MigrationStatus::Paused => "about to pause",
        MigrationStatus::RollingBack => "about to go back",
        MigrationStatus::Cancelled => "about to be called off",
        _ => "about to halt",
    })
}

/// Documents in words: `1 document`, `8,402 documents`.
pub fn documents(count: u64) -> String {
    many(count, "document", "documents")
}

/// So many of something: one is `one`, the others are `more`.
pub fn many(count: u64, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {more}", number::grouped(count)) }
}

/// What the header's tab says of it: how far the writing is, or which other phase works; and that it is held.
pub fn short(view: &View<'_>, migration: &Migration) -> String {
    let progress = view.board.migrations.progress(&migration.id);
    let part = figures(migration, progress).and_then(|figures| figures.percent());
    // Every phase begins at nothing: a share alone would go up and down.
    let far = match phase(migration) {
        Some(PhaseName::Copy | PhaseName::RollBack) => part.map(|part| format!(" {part}%")),
        Some(PhaseName::Soak) | None => None,
        Some(_) if is_stopped(migration.status) => None,
        Some(phase) => Some(format!(" {}", phase.word())),
    };
    let word = match migration.status {
        MigrationStatus::Halted => " HALT",
        MigrationStatus::Paused => " paused",
        MigrationStatus::NeedsDecision => " decide",
        MigrationStatus::PlanFailed | MigrationStatus::BackupFailed | MigrationStatus::RollbackFailed => " FAILED",
        MigrationStatus::Soaking => " soak",
        MigrationStatus::Verified => " verified",
        _ if hold(migration, progress).is_some() => " hold",
        _ => "",
    };
    format!("{}{word}", far.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(low_ms: u64, high_ms: u64) -> String {
        eta(&Eta::Range { low_ms, high_ms })
    }

    #[test]
    fn what_is_left_is_a_range_and_never_nothing() {
        assert_eq!(range(0, 0), "1s");
        assert_eq!(range(1_700_000, 2_450_000), "28m-41m");
        assert_eq!(range(40_000, 75_500), "40s-76s");
        assert_eq!(range(9_000_000, 9_100_000), "2h30m-2h32m");
        assert_eq!(range(50_000, 10_000), "50s", "an end before the beginning is none");
        assert_eq!(eta(&Eta::Unknown { why: "paused".into() }), "unknown: paused");
    }

    #[test]
    fn it_is_never_more_than_all_and_not_all_before_the_end() {
        let percent = |done, total| Figures { done, total, progress: None }.percent();
        assert_eq!(percent(9_999, Some(10_000)), Some(99));
        assert_eq!(percent(12_000, Some(10_000)), Some(100));
        assert_eq!((percent(3, None), percent(0, Some(0))), (None, None));
    }

    #[test]
    fn a_rate_that_is_none_is_unknown() {
        assert_eq!([rate(None), rate(Some(f64::NAN)), rate(Some(8_412.0))], ["unknown", "unknown", "8.4k/s"]);
    }
}
