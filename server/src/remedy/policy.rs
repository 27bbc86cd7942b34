//! Who may decide, and whether anything may be proposed or start at all.
//!
//! Pure: figures in, words out. What it says is asked again when a fix is claimed. It does not decide
//! about one fix's own state: that is the machine's.

pub mod again;
mod gates;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod watch;

use std::sync::Arc;

use stella_protocol::fix::{Act, FixPlan, Gate, GateState, Policy, Record, Risk};
use stella_protocol::{Code, Fix, Remedy, Text, Timestamp};

use super::machine::quorum_of;
use super::machine::words::plain;
use super::{Draft, FixState, Refusal};

pub use gates::gates;
pub use watch::{nothing_to_do, watch_gate};

/// Most fixes that are open at once.
pub const MOST_OPEN: usize = 50;
/// A definition is proposed for a target once in so many milliseconds; see [`again`] for what does not count.
pub const PROPOSE_EVERY_MS: i64 = 15 * 60 * 1000;
/// From so many closed alerts on, their share of false positives counts.
const ENOUGH_MARKED: u32 = 10;
/// Largest share of false positives with which a definition runs by itself, in percent.
const MOST_FALSE: u64 = 10;
/// From so many runs on, their share of successes counts.
const ENOUGH_RUNS: u32 = 5;
/// Smallest share of successes with which a definition runs by itself, in percent.
const LEAST_GOOD: u64 = 90;

/// What else is going on.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Open fixes, and at least those that were proposed within the hour; to propose, also what was
    /// proposed of the definition for the target within the time that its own limits look back.
    pub fixes: &'a [Arc<FixState>],
    /// What holds for all fixes.
    pub remedy: &'a Remedy,
}

/// Whether something may be proposed: caps, those of its definition too, one open fix a target,
/// suppressions, the switch.
///
/// # Errors
/// What stands in the way.
pub fn admit(draft: &Draft, standing: Standing<'_>, now: Timestamp) -> Result<(), Refusal> {
    let (definition, target) = (&draft.plan.definition_id, &draft.plan.target);
    let off = |why: String| Err(Refusal::new(Code::FixesOff, why));
    if let Some(why) = switched_off(standing.remedy) {
        return off(why);
    }
    if matches!(draft.policy, Policy::Off | Policy::Unknown) {
        return off(format!("the policy of {} is off; its file says when it may be proposed", plain(definition)));
    }
    if let Some(why) = suppressed(definition, target, standing.remedy) {
        return off(why);
    }
    if let Some(why) = lacks_fence(&draft.plan) {
        return Err(Refusal::new(Code::IllegalTransition, why));
    }
    if let Some(other) = open_on(target, standing.fixes).next() {
        let (id, stands) = (&other.fix.id, stands(&other.fix));
        let why = format!("{id} is {stands} for {}; wait for its end, or reject or close it", plain(target));
        return Err(Refusal::new(Code::TargetBusy, why));
    }
    if let Some(last) = again::held_back_by(draft, standing.fixes, PROPOSE_EVERY_MS, now) {
        let wait = super::machine::words::left(now, last.fix.proposed_at.plus_millis(PROPOSE_EVERY_MS));
        let why =
            format!("{} proposed the same for {} a moment ago; in {wait} it may be again", last.fix.id, plain(target));
        return Err(Refusal::new(Code::TargetBusy, why));
    }
    draft.limits.admit(draft, standing.fixes, now)?;
    let open = count_open(standing.fixes);
    if open >= MOST_OPEN {
        let why = format!("{open} fixes are open, {MOST_OPEN} at most; decide or close some of them first");
        return Err(Refusal::new(Code::TooManyFixes, why));
    }
    Ok(())
}

/// Whether an approved fix may start now: the switch, maintenance windows, suppressions, caps.
///
/// # Errors
/// What stands in the way, in words.
pub fn start(fix: &Fix, standing: Standing<'_>, now: Timestamp) -> Result<(), Text> {
    let target = &fix.plan.target;
    let shut = switched_off(standing.remedy)
        .or_else(|| in_maintenance(target, standing.remedy, now))
        .or_else(|| suppressed(&fix.definition_id, target, standing.remedy))
        .or_else(|| lacks_fence(&fix.plan))
        .or_else(|| taken_by_other(fix, standing.fixes))
        .or_else(|| {
            let open = count_open(standing.fixes);
            (open > MOST_OPEN).then(|| format!("{open} fixes are open, {MOST_OPEN} at most"))
        });
    shut.map_or(Ok(()), |why| Err(Text::from(why)))
}

/// Whether enough of those who approved may still approve: a token that was taken back, ended or fell to a
/// lesser role since counts no more. `may` says it of a name.
///
/// # Errors
/// Who may not any more, and how many are left.
pub fn roles(state: &FixState, may: impl Fn(&Text) -> bool) -> Result<(), Text> {
    let (have, need) = quorum_of(state, &may);
    if state.fix.by_policy || have >= usize::from(need) {
        return Ok(());
    }
    let gone = state.fix.approvals.iter().map(|approval| &approval.by).filter(|by| !may(by));
    let gone: Vec<String> = gone.map(plain).collect();
    let why = format!("{} may not approve any more; {have} of {need} approvals still count", gone.join(", "));
    Err(Text::from(why))
}

/// Whether what a fix did may be taken back now: nothing else may be open for its target meanwhile. The switch
/// and windows do not stand in the way: less is done by it, not more.
///
/// # Errors
/// What stands in the way.
pub fn rollback(fix: &Fix, standing: Standing<'_>) -> Result<(), Refusal> {
    let Some(other) = taken_by_other(fix, standing.fixes) else { return Ok(()) };
    Err(Refusal::new(Code::TargetBusy, format!("{other}; wait for its end before {} is rolled back", fix.id)))
}

/// How many have to approve.
pub fn quorum(risk: Risk, single_person: bool) -> u8 {
    match risk {
        _ if single_person => 1,
        Risk::Low | Risk::Medium => 1,
        Risk::High | Risk::Unknown => 2,
    }
}

/// The policy as it is now, and why, with the figures: `auto` falls to `approve` while the risk is high,
/// while more than a tenth of the alerts that people closed were false positives, or while fewer than
/// nine in ten runs helped. Too few runs to tell: `auto` holds for low risk only.
pub fn effective(policy: Policy, risk: Risk, record: &Record) -> (Policy, Text) {
    let (policy, why) = match policy {
        Policy::Auto => automatic(risk, record),
        Policy::Approve => (Policy::Approve, format!("people approve it; {}", figures(record))),
        Policy::Off => (Policy::Off, "it is never proposed: its policy is off".to_owned()),
        Policy::Unknown => {
            (Policy::Off, "it is never proposed: its policy is not a word that this server knows".to_owned())
        }
    };
    (policy, Text::from(why))
}

/// How a definition fared, as a gate: never shut, but look where it did badly or never ran.
pub fn record_gate(record: &Record) -> Gate {
    let well = record.runs > 0 && reaches(record.good, record.runs, LEAST_GOOD) && !too_often_false(record);
    let state = if well { GateState::Open } else { GateState::Warning };
    Gate { state, text: Text::from(figures(record)) }
}

fn automatic(risk: Risk, record: &Record) -> (Policy, String) {
    let figures = figures(record);
    if !matches!(risk, Risk::Low | Risk::Medium) {
        return (Policy::Approve, format!("{} risk never runs by itself; {figures}", risk.word()));
    }
    if too_often_false(record) {
        return (Policy::Approve, format!("more than {MOST_FALSE} % of its alerts were false positives: {figures}"));
    }
    if record.runs < ENOUGH_RUNS && risk != Risk::Low {
        let why = format!("fewer than {ENOUGH_RUNS} runs, and its risk is {}: {figures}", risk.word());
        return (Policy::Approve, why);
    }
    if record.runs >= ENOUGH_RUNS && !reaches(record.good, record.runs, LEAST_GOOD) {
        return (Policy::Approve, format!("fewer than {LEAST_GOOD} % of its runs helped: {figures}"));
    }
    let few = match (record.runs < ENOUGH_RUNS, record.marked < ENOUGH_MARKED) {
        (true, true) => ", too few of both to tell",
        (true, false) => ", too few runs to tell",
        (false, true) => ", too few alerts to tell",
        (false, false) => "",
    };
    (Policy::Auto, format!("runs by itself: {figures}{few}"))
}

fn too_often_false(record: &Record) -> bool {
    record.marked >= ENOUGH_MARKED && u64::from(record.false_positive) * 100 > u64::from(record.marked) * MOST_FALSE
}

/// True when `part` is at least so many percent of `whole`.
fn reaches(part: u32, whole: u32, percent: u64) -> bool {
    u64::from(part) * 100 >= u64::from(whole) * percent
}

fn figures(record: &Record) -> String {
    let runs = if record.runs == 0 {
        "never ran".to_owned()
    } else {
        format!("{} of {} runs helped", record.good, record.runs)
    };
    let marked = if record.marked == 0 {
        "no alert of it was closed by people".to_owned()
    } else {
        format!("{} of {} alerts closed by people were false positives", record.false_positive, record.marked)
    };
    format!("{runs}, {marked}")
}

fn switched_off(remedy: &Remedy) -> Option<String> {
    let off = remedy.switched_off.as_ref()?;
    let why = if off.reason.is_empty() { String::new() } else { format!(" ({})", plain(&off.reason)) };
    Some(format!("{} switched all fixes off{why}; an admin switches them on again", plain(&off.by)))
}

fn in_maintenance(target: &Text, remedy: &Remedy, now: Timestamp) -> Option<String> {
    let covers = |window: &&stella_protocol::fix::Maintenance| {
        window.from <= now && now < window.until && target.raw().starts_with(window.target.raw())
    };
    let window = remedy.maintenance.iter().filter(covers).max_by_key(|window| window.until)?;
    let (id, wait) = (plain(&window.id), super::machine::words::left(now, window.until));
    Some(format!("{} is in maintenance ({id}) for {wait} more; nothing starts there meanwhile", plain(target)))
}

fn suppressed(definition: &Text, target: &Text, remedy: &Remedy) -> Option<String> {
    let hit = |one: &&stella_protocol::fix::Suppression| one.definition_id == *definition && one.target == *target;
    let one = remedy.suppressions.iter().find(hit)?;
    let (id, definition, target) = (plain(&one.id), plain(definition), plain(target));
    Some(format!(
        "{definition} is suppressed for {target}: {}; lift {id} if it may run there again",
        plain(&one.reason)
    ))
}

/// D7: a target that does not refuse lower fences may see a paused executor's effect twice. That is a high risk.
/// Documents need none: their writes are conditional on what stood there.
fn lacks_fence(plan: &FixPlan) -> Option<String> {
    let unfenced = |act: &Act, fenced: bool| !fenced && !matches!(act, Act::Document(_) | Act::Repair(_));
    let at = plan.steps.iter().position(|step| unfenced(&step.act, step.fenced))?;
    let why = format!(
        "step {} is unfenced and the risk is {}; its definition must say risk = \"high\"",
        at + 1,
        plan.risk.word()
    );
    (plan.risk != Risk::High).then_some(why)
}

fn taken_by_other(fix: &Fix, fixes: &[Arc<FixState>]) -> Option<String> {
    let other = open_on(&fix.plan.target, fixes).find(|other| other.fix.id != fix.id)?;
    Some(format!("{} is {} for {}", other.fix.id, stands(&other.fix), plain(&fix.plan.target)))
}

fn open_on<'a>(target: &'a Text, fixes: &'a [Arc<FixState>]) -> impl Iterator<Item = &'a Arc<FixState>> {
    fixes.iter().filter(move |other| other.fix.status.is_open() && other.fix.plan.target == *target)
}

fn count_open(fixes: &[Arc<FixState>]) -> usize {
    fixes.iter().filter(|other| other.fix.status.is_open()).count()
}

fn stands(fix: &Fix) -> String {
    fix.status.word().replace('_', " ")
}
