//! Proposals that nobody asked for: what the definitions say about the alerts that are open.
//!
//! An alert is looked at when it opens, when it comes back and when its evidence moved, at most once in a
//! while; an attacker's million lines are one alert here.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use stella_protocol::fix::Record;
use stella_protocol::{Alert, AlertId, Code, Evidence, FixId, Principal, Role, Text};
use tokio::time::{Instant, sleep};

use super::Parts;
use super::lease::is_silence;
use crate::remedy::definition::Seen;
use crate::remedy::{Draft, FixState, Superseded};

/// An alert whose evidence moved is looked at again after this long.
pub(super) const LOOK_AGAIN: Duration = Duration::from_mins(1);
/// Most alerts of one look: the rest waits for the next one.
const MOST: usize = 8;

/// What was looked at.
#[derive(Debug, Default)]
pub(super) struct Tried {
    alerts: HashMap<AlertId, Look>,
}

#[derive(Debug)]
struct Look {
    /// In another shape it is looked at again at once.
    as_it_was: Shape,
    evidence: u64,
    at: Instant,
}

/// What an alert is proposed for again by.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    /// Times it came back.
    reopened: u32,
    severity: u8,
    /// Its latest fix that became void though the alert goes on: by the switch, or by another plan.
    void: Option<FixId>,
}

/// What came of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It was kept, or refused.
    Answered,
    /// Nobody knows: the alert is looked at again at once.
    Silence,
}

/// An alert with its evidence.
pub(super) struct Known {
    alert: Alert,
    evidence: Option<Evidence>,
}

impl Known {
    /// As definitions look at it.
    pub fn seen(&self) -> Seen<'_> {
        Seen { alert: &self.alert, evidence: self.evidence.as_ref() }
    }
}

/// The alert with its evidence, as they are now.
pub(super) async fn seen(parts: &Parts, id: Option<&AlertId>) -> Option<Known> {
    let (hub, id) = (parts.hub.clone(), id?.clone());
    let read = move || {
        let alert = hub.alert(&id).ok().flatten()?;
        let evidence = hub.evidence(&id).ok().flatten();
        Some(Known { alert, evidence })
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

/// Looks at alerts for as long as the hub lives. A look-up that takes its time holds up nothing but other
/// proposals.
pub(super) async fn keep_proposing(parts: &Parts) {
    let (mut tried, mut changed) = (Tried::default(), parts.hub.changed());
    loop {
        // What was noted stays noted: an alert that breaks the look is not looked at again at once.
        if AssertUnwindSafe(tried.look(parts)).catch_unwind().await.is_err() {
            tracing::error!("the look for fixes of an alert panicked; others go on");
        }
        tokio::select! {
            word = changed.changed() => if word.is_err() { return },
            () = sleep(parts.pace.idle) => {}
        }
        sleep(parts.pace.breath).await;
    }
}

impl Tried {
    /// Proposes for what is new; how many alerts were looked at.
    pub async fn look(&mut self, parts: &Parts) -> usize {
        if is_off(parts) {
            return 0;
        }
        let (open, void) = (parts.hub.open_alerts(), void(parts));
        if !self.alerts.is_empty() {
            let ids: HashSet<&AlertId> = open.iter().map(|state| &state.alert.id).collect();
            self.alerts.retain(|id, _| ids.contains(id));
        }
        let fresh: Vec<_> = open.iter().filter(|state| self.wants(&state.alert, &void)).take(MOST).collect();
        if fresh.is_empty() {
            return 0;
        }
        let records = records(parts).await;
        for state in &fresh {
            self.note(&state.alert, &void);
            let Some(known) = seen(parts, Some(&state.alert.id)).await else { continue };
            let unheard = known.alert.status.is_open() && propose(parts, &known, &records).await == Kept::Silence;
            if unheard || is_off(parts) {
                self.alerts.remove(&known.alert.id);
            }
        }
        fresh.len()
    }

    fn wants(&self, alert: &Alert, void: &Void) -> bool {
        self.alerts.get(&alert.id).is_none_or(|look| {
            look.as_it_was != as_it_is(alert, void)
                || (look.evidence != alert.brief.evidence_version && look.at.elapsed() >= LOOK_AGAIN)
        })
    }

    fn note(&mut self, alert: &Alert, void: &Void) {
        let as_it_was = as_it_is(alert, void);
        let look = Look { as_it_was, evidence: alert.brief.evidence_version, at: Instant::now() };
        self.alerts.insert(alert.id.clone(), look);
    }
}

fn as_it_is(alert: &Alert, void: &Void) -> Shape {
    Shape { reopened: alert.reopened, severity: alert.severity.rank(), void: void.get(&alert.id).cloned() }
}

/// The latest void fix of an alert.
type Void = HashMap<AlertId, FixId>;

/// Of each alert the latest fix that waited and became void while the alert goes on.
fn void(parts: &Parts) -> Void {
    let fixes = parts.hub.fixes().into_iter();
    let void = |state: &Arc<FixState>| {
        matches!(state.work.superseded, Some(Superseded::SwitchedOff | Superseded::PlanChanged))
    };
    // The oldest come first.
    fixes.filter(void).filter_map(|state| Some((state.fix.alert_id.clone()?, state.fix.id.clone()))).collect()
}

/// Nothing is proposed while all fixes are switched off; what is open is looked at when they are on again.
fn is_off(parts: &Parts) -> bool {
    parts.hub.remedy().switched_off.is_some()
}

async fn propose(parts: &Parts, known: &Known, records: &HashMap<String, Record>) -> Kept {
    let record = |definition: &str| records.get(definition).copied().unwrap_or_default();
    let mut kept = Kept::Answered;
    for drafted in parts.proposer.for_alert(known.seen(), &record).await {
        match drafted {
            Ok(draft) => {
                if keep(parts, draft).await == Kept::Silence {
                    kept = Kept::Silence;
                }
            }
            Err(unfit) => {
                let (definition, why) = (unfit.definition_id, unfit.why.raw().escape_debug().to_string());
                tracing::info!(definition, why, alert = %known.alert.id, "nothing is proposed");
            }
        }
    }
    kept
}

/// How each definition fared. What cannot be read counts as unknown: `auto` asks people then.
pub(super) async fn records(parts: &Parts) -> HashMap<String, Record> {
    let ids: Vec<String> = parts.proposer.catalogue.definitions().map(|definition| definition.id.clone()).collect();
    let hub = parts.hub.clone();
    let read = move || {
        let record = |id: String| hub.fix_record(&id).ok().map(|record| (id, record));
        ids.into_iter().filter_map(record).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

async fn keep(parts: &Parts, draft: Draft) -> Kept {
    let by = Principal { name: Text::new(draft.proposed_by.raw().to_owned()), role: Role::Admin };
    let Err(problem) = parts.hub.propose_fix(&by, None, [0; 32], draft).await else { return Kept::Answered };
    if !matches!(problem.code, Code::TargetBusy) {
        let why = problem.detail.raw().escape_debug().to_string();
        tracing::info!(why, "a proposal was refused");
    }
    if is_silence(problem.code) { Kept::Silence } else { Kept::Answered }
}
