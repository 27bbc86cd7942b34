//! Which verbs a migration takes from whoever looks, and what each would do now, with its numbers; as far
//! as the console can tell. The server decides.

use stella_protocol::migration::{PhaseName, PlanSummary, Progress};
use stella_protocol::{Migration, MigrationStatus, MigrationVerb, Role as Rank};
use stella_widgets::number;
use stella_widgets::text::{cut, sanitise};

use super::words::{about, counts, documents, key, many, stands, stopping, verb as word};
use crate::board::link::Allowed;
use crate::keys::Intent;
use crate::screens::View;

/// Letters of a digest that a line has room for.
const DIGEST: u16 = 13;

/// Documents a second that a limit may be, from one to the next.
const LADDER: [u32; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// Why a verb would be refused; None: nothing is known against it.
pub fn off(verb: MigrationVerb, migration: &Migration, view: &View<'_>) -> Option<String> {
    by_status(verb, migration).or_else(|| view.lacks(role_for(verb))).or_else(|| by_link(verb, view))
}

/// Who may do it.
fn role_for(verb: MigrationVerb) -> Rank {
    match verb {
        MigrationVerb::Pause | MigrationVerb::Stop => Rank::Responder,
        _ => Rank::Admin,
    }
}

/// True for what acts upon the store: it is typed, and looked at once more before it is sent.
pub fn is_outside(verb: MigrationVerb) -> bool {
    matches!(verb, MigrationVerb::Approve | MigrationVerb::Start | MigrationVerb::Cutover | MigrationVerb::Rollback)
}

/// What a key means for a migration in this state: `D` the next of plan and rehearse, `E` of start and cut
/// over, `P` of pause and resume. None: it is no verb.
pub fn meant(intent: Intent, migration: &Migration) -> Option<MigrationVerb> {
    use MigrationStatus as Is;
    use MigrationVerb as Do;
    use stella_protocol::{FixVerb, Verb};
    Some(match (intent, migration.status) {
        (Intent::Decide(FixVerb::Approve), _) => Do::Approve,
        (Intent::Decide(FixVerb::DryRun), Is::Planned) => Do::Rehearse,
        (Intent::Decide(FixVerb::DryRun), Is::PlanFailed) => Do::Retry,
        (Intent::Decide(FixVerb::DryRun), _) => Do::Plan,
        (Intent::Decide(FixVerb::Stop), _) => Do::Stop,
        (Intent::Decide(FixVerb::Rollback), _) => Do::Rollback,
        (Intent::Act(Verb::Resolve), _) => Do::Close,
        (Intent::Execute, Is::Verified | Is::CuttingOver | Is::Soaking | Is::Completed) => Do::Cutover,
        (Intent::Execute, _) => Do::Start,
        (Intent::Pause, Is::Paused | Is::Halted) => Do::Resume,
        (Intent::Pause, _) if is_pausing(migration) => Do::Resume,
        (Intent::Pause, _) => Do::Pause,
        (Intent::Check, _) => Do::Verify,
        (Intent::Faster | Intent::Slower, _) => Do::Rate,
        _ => return None,
    })
}

/// True while who is who can still be said: until its start. An answer asks for a new look, and a new yes.
pub fn may_still_decide(status: MigrationStatus) -> bool {
    use MigrationStatus as Is;
    matches!(
        status,
        Is::Draft | Is::NeedsDecision | Is::PlanFailed | Is::Planned | Is::Rehearsed | Is::Approved | Is::BackupFailed
    )
}

/// True while its runner has a phase in hand.
fn works(status: MigrationStatus) -> bool {
    use MigrationStatus as Is;
    matches!(status, Is::BackingUp | Is::BackedUp | Is::Copying | Is::Verifying | Is::CuttingOver | Is::RollingBack)
}

/// True while it waits for the writes in flight, to be paused then: that can be taken back.
fn is_pausing(migration: &Migration) -> bool {
    migration.stopping == Some(MigrationStatus::Paused)
}

/// True where it comes to that already, or to more, behind the writes in flight.
fn is_stopping_for(verb: MigrationVerb, migration: &Migration) -> bool {
    use MigrationStatus as Is;
    match (verb, migration.stopping) {
        (_, None) | (MigrationVerb::Stop | MigrationVerb::Rollback, Some(Is::Paused)) => false,
        (MigrationVerb::Rollback, Some(becomes)) => becomes == Is::RollingBack,
        (_, Some(_)) => true,
    }
}

/// True once there is a plan that holds.
fn is_planned(status: MigrationStatus) -> bool {
    use MigrationStatus as Is;
    !matches!(status, Is::Draft | Is::NeedsDecision | Is::PlanFailed | Is::Unknown)
}

fn by_status(verb: MigrationVerb, migration: &Migration) -> Option<String> {
    use MigrationStatus as Is;
    use MigrationVerb as Do;
    let is = migration.status;
    let only = |may: bool, wanted: &str| (!may).then(|| format!("it is {}, not {wanted}", stands(is)));
    match verb {
        Do::Plan if is == Is::Draft => Some("the data is being looked at".to_owned()),
        Do::Rehearse | Do::Approve | Do::Start | Do::Resume | Do::Verify | Do::Cutover | Do::Retry
            if migration.under_way.is_some() =>
        {
            Some(format!("{} is under way", migration.under_way.map_or("a look", PhaseName::word)))
        }
        Do::Plan => only(may_still_decide(is), "before its start"),
        Do::Rehearse => only(matches!(is, Is::Planned | Is::Rehearsed), "planned"),
        Do::Approve => only(is == Is::Rehearsed, "rehearsed"),
        Do::Start => only(is == Is::Approved, "approved"),
        Do::Pause | Do::Stop | Do::Rollback if is_stopping_for(verb, migration) => {
            stopping(migration).map(|words| format!("it is {words} already"))
        }
        Do::Pause => only(is == Is::Copying, "copying"),
        Do::Resume if is_pausing(migration) => None,
        Do::Resume => only(matches!(is, Is::Paused | Is::Halted), "paused or halted"),
        Do::Rate => only(matches!(is, Is::Copying | Is::Paused), "copying or paused"),
        Do::Verify if works(is) => Some(format!("it is {}: wait for its end", stands(is))),
        Do::Verify => only(is_planned(is) && is.is_unfinished(), "planned"),
        Do::Cutover => match migration.verification.as_ref().map(|found| found.differences) {
            Some(found) if is == Is::Verified && found > 0 => {
                Some(format!("the last check found {}", many(found, "difference", "differences")))
            }
            _ => only(is == Is::Verified, "verified"),
        },
        Do::Rollback => {
            let may = matches!(
                is,
                Is::Copying
                    | Is::Paused
                    | Is::Halted
                    | Is::Verifying
                    | Is::Verified
                    | Is::CuttingOver
                    | Is::Soaking
                    | Is::RollbackFailed
            );
            only(may, "begun")
        }
        Do::Stop if migration.under_way.is_some() => None,
        Do::Stop => {
            let may = matches!(is, Is::BackedUp | Is::Copying | Is::Verifying | Is::CuttingOver);
            only(may, "writing or looking")
        }
        Do::HandOver | Do::TakeOver => only(is.is_unfinished(), "unfinished"),
        Do::Retry => only(matches!(is, Is::PlanFailed | Is::BackupFailed | Is::CuttingOver), "one whose step failed"),
        Do::Close => only(is == Is::RollbackFailed, "one that could not be rolled back"),
        Do::Cancel => {
            let begun = is.holds_the_store() && !matches!(is, Is::BackingUp | Is::BackedUp) || is == Is::Soaking;
            only(is.is_unfinished() && !begun, "before its first write")
        }
    }
}

fn by_link(verb: MigrationVerb, view: &View<'_>) -> Option<String> {
    let link = view.board.link.state(view.now);
    let may = match link.allows() {
        Allowed::Triage => !is_outside(verb) || link.is_live(),
        Allowed::AcknowledgeNow => matches!(verb, MigrationVerb::Pause | MigrationVerb::Stop),
        Allowed::Reading => false,
    };
    (!may).then(|| "the feed is not live: r reconnects".to_owned())
}

/// What a verb does now, with numbers.
pub fn does(verb: MigrationVerb, migration: &Migration, progress: Option<&Progress>) -> String {
    use MigrationVerb as Do;
    let plan = migration.plan.as_ref();
    let counts = counts(migration, progress);
    match verb {
        Do::Plan if plan.is_none() => "looks at all documents, writes nothing".to_owned(),
        Do::Plan => "looks at all documents again, writes nothing; a new plan asks for a new yes".to_owned(),
        Do::Rehearse => {
            format!("computes {}, writes nothing", many(plan.map_or(0, |plan| plan.batches), "batch", "batches"))
        }
        Do::Approve => format!(
            "approves plan {}: {} in {}",
            digest(migration),
            documents(to_write(migration)),
            sanitise(migration.target.raw())
        ),
        Do::Start => format!(
            "copies {} away, tries {}, then writes {}",
            documents(to_write(migration)),
            many(u64::from(migration.limits.canary), "user", "users"),
            documents(to_write(migration))
        ),
        Do::Cutover => format!(
            "makes {} of old ids, then leaves {} behind",
            many(plan.map_or(0, aliases), "alias", "aliases"),
            many(plan.map_or(0, |plan| plan.moves), "tombstone", "tombstones")
        ),
        Do::Pause => "pauses after the writes in flight; nothing is taken back".to_owned(),
        Do::Resume if is_pausing(migration) => "takes the pause back: it goes on".to_owned(),
        Do::Resume => match migration.phases.iter().max_by_key(|phase| phase.started_at) {
            Some(phase) => format!("goes on with {}, {} to do", phase.name.word(), documents(left(&counts))),
            None => "goes on".to_owned(),
        },
        Do::Rate => "more or fewer documents a second".to_owned(),
        Do::Verify => format!("looks at all {}, writes nothing", documents(plan.map_or(0, |plan| plan.documents))),
        Do::Rollback => {
            let own = if is_cut_over(migration) { ", takes aliases and tombstones away" } else { "" };
            format!("puts back {}{own}{}", documents(counts.done), about(counts.done, migration, progress))
        }
        Do::Stop if migration.under_way.is_some() => "ends what is under way; nothing was written by it".to_owned(),
        Do::Stop => format!("halts after the writes in flight; {} stay written", documents(counts.done)),
        Do::HandOver => "somebody else answers for it".to_owned(),
        Do::TakeOver => "you answer for it".to_owned(),
        Do::Retry => "the step that failed, again".to_owned(),
        Do::Close => "says how it ended, and frees the store".to_owned(),
        Do::Cancel => "calls it off; nothing was changed".to_owned(),
    }
}

/// Old ids that become aliases.
pub fn aliases(plan: &PlanSummary) -> u64 {
    plan.aliases.unwrap_or(plan.old_ids)
}

/// True once readers were given new ids.
pub fn is_cut_over(migration: &Migration) -> bool {
    migration.phases.iter().any(|phase| phase.name == PhaseName::CutOver)
}

/// Documents that still have to be written.
fn left(counts: &stella_protocol::migration::Counts) -> u64 {
    counts.planned - counts.settled()
}

/// Documents that the plan writes.
pub fn to_write(migration: &Migration) -> u64 {
    migration.plan.as_ref().map_or(migration.counts.planned, |plan| plan.changes + plan.moves)
}

/// The beginning of the plan's digest.
pub fn digest(migration: &Migration) -> String {
    let Some(plan) = &migration.plan else { return "none".to_owned() };
    cut(&sanitise(plan.digest.raw()), DIGEST).trim_end_matches('…').to_owned()
}

/// The single next step: its key or command, and its words as the server says them. None: it works, or is
/// over, and waits for nobody.
pub fn next(migration: &Migration) -> (Option<String>, String) {
    let words = sanitise(migration.next.words.raw());
    let Some(verb) = migration.next.verb else {
        let asks = migration.status == MigrationStatus::NeedsDecision;
        let words = words.strip_prefix("nothing: ").unwrap_or(&words);
        return (asks.then(|| "Enter".to_owned()), words.to_owned());
    };
    let is_new_look = migration.status == MigrationStatus::PlanFailed && verb == MigrationVerb::Retry;
    let named = if is_new_look { Some("D") } else { key(verb) };
    let named = named.map_or_else(|| format!(":migrate {}", verb.word()), str::to_owned);
    // The server calls it as a script does.
    let said = words.strip_prefix(verb.word()).and_then(|said| said.strip_prefix(": "));
    (Some(named), said.map_or_else(|| words.to_string(), |said| format!("{}: {said}", word(verb))))
}

/// The limit one step up or down from the one that holds, or from what is reached; 0: none.
pub fn next_rate(intent: Intent, migration: &Migration, progress: Option<&Progress>) -> u32 {
    let reached = progress.and_then(|progress| progress.rate).filter(|rate| rate.is_finite() && *rate >= 1.0);
    let top = LADDER[LADDER.len() - 1];
    match (intent, migration.limits.rate) {
        (Intent::Slower, Some(limit)) => LADDER.into_iter().rev().find(|step| *step < limit).unwrap_or(LADDER[0]),
        (Intent::Slower, None) => {
            let now = reached.map_or(top, |rate| rate.min(f64::from(top)) as u32);
            LADDER.into_iter().rev().find(|step| *step < now).unwrap_or(LADDER[0])
        }
        (_, Some(limit)) => LADDER.into_iter().find(|step| *step > limit).unwrap_or(0),
        (_, None) => 0,
    }
}

/// A limit in words.
pub fn limit(rate: Option<u32>) -> String {
    rate.filter(|rate| *rate > 0)
        .map_or_else(|| "no limit".to_owned(), |rate| format!("at most {}/s", number::grouped(u64::from(rate))))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn migration(status: &str, rate: Option<u32>) -> Migration {
        serde_json::from_value(json!({
            "id": "mig-1", "kind": "user_ids", "target": "demo", "mapTitle": "m", "status": status, "createdBy": "op",
            "createdAt": "2026-01-01T00:00:00.000Z", "leader": "op", "next": {"words": ""}, "version": 1,
            "limits": {"canary": 3, "soakMs": 60_000, "rate": rate}
        }))
        .unwrap()
    }

    #[test]
    fn a_limit_goes_up_and_down_a_ladder_and_off_at_its_top() {
        let step = |intent, rate| next_rate(intent, &migration("copying", rate), None);
        assert_eq!([step(Intent::Slower, Some(100)), step(Intent::Slower, Some(1))], [50, 1]);
        assert_eq!([step(Intent::Faster, Some(70)), step(Intent::Faster, Some(10_000))], [100, 0]);
        assert_eq!([step(Intent::Faster, None), step(Intent::Slower, None)], [0, 5_000]);
    }

    #[test]
    fn every_status_has_a_verb_or_is_over_or_works() {
        for status in MigrationStatus::ALL.into_iter().filter(|status| status.is_unfinished()) {
            let migration = migration(status.word(), None);
            let any = MigrationVerb::ALL.into_iter().any(|verb| by_status(verb, &migration).is_none());
            assert!(any, "{} has no way out", status.word());
        }
        let over = migration("completed", None);
        assert!(MigrationVerb::ALL.into_iter().all(|verb| by_status(verb, &over).is_some()));
    }

    #[test]
    fn nothing_that_writes_is_off_the_typed_road() {
        let typed: Vec<&str> =
            MigrationVerb::ALL.into_iter().filter(|verb| is_outside(*verb)).map(MigrationVerb::word).collect();
        assert_eq!(typed, ["approve", "start", "cutover", "rollback"]);
    }
}
