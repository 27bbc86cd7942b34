//! Fixes in a change on its way: a step of their machine with everything that comes of it.
//!
//! Whatever a step of a fix does to its alert, and whatever the end of an alert does to its fixes, stands
//! in the same change, so it is kept in the same transaction.

use std::sync::Arc;

use stella_protocol::fix::Suppression;
use stella_protocol::{AlertId, FeedEvent, Fix, FixId, Remedy, Text};

use super::{Author, Change, Draft};
use crate::alerts::{self, AlertState, Moment};
use crate::hub::json;
use crate::remedy::{Effect, Event, FixState, Intent, Refusal, Superseded, machine};
use crate::store::{NewEvent, StoreError, Tx, Verdict, Write};
use crate::words::clip;

/// Most of what happened that an audit row says, in bytes on the wire.
const DETAIL: usize = 1024;
/// Most suppressions that an event carries, the newest: it stays below 64 KiB.
const SUPPRESSIONS: usize = 100;

/// A fix that a transaction touches.
#[derive(Debug)]
pub(in crate::hub) struct TouchedFix {
    pub state: Arc<FixState>,
    /// The version that is replaced; None: it is new.
    from: Option<u64>,
    /// Readers are told.
    told: bool,
    /// Whoever steps it acts under this fence.
    fence: Option<u64>,
    /// What is kept with the step under way.
    intent: Intent,
}

impl TouchedFix {
    pub(super) fn add_to(&self, tx: &mut Tx) {
        let fix = &self.state.fix;
        tx.writes.extend(self.fence.map(|fence| Write::Fence { target: fix.plan.target.clone(), fence }));
        tx.writes.push(Write::Fix { state: Arc::clone(&self.state), from: self.from });
        if !self.intent.images.is_empty() {
            let (step, images) = (self.state.work.at, self.intent.images.clone());
            tx.writes.push(Write::FixImages { fix: fix.id.clone(), step, images });
        }
        if self.told {
            tx.events.push(NewEvent { kind: "fix", body: json(fix) });
        }
    }
}

/// The event that tells what holds for all fixes.
pub(super) fn told(remedy: &Remedy) -> NewEvent {
    let event = FeedEvent::Remedy(Box::new(shown(remedy)));
    NewEvent { kind: event.name(), body: event.body().unwrap_or_default() }
}

/// As much of it as an event may carry.
pub(in crate::hub) fn shown(remedy: &Remedy) -> Remedy {
    let mut shown = remedy.clone();
    shown.suppressions.drain(..shown.suppressions.len().saturating_sub(SUPPRESSIONS));
    shown
}

/// Why a fix was not stepped.
#[derive(Debug)]
pub(in crate::hub) enum Stop {
    /// The rules do not allow it.
    Refused(Refusal),
    /// The store did not answer.
    Store(StoreError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Who steps a fix, and with what.
pub(in crate::hub) struct By<'a> {
    pub author: &'a Author,
    /// What an audit row says; None: what the fix's own trail does.
    pub detail: Option<String>,
    pub intent: Intent,
}

impl<'a> By<'a> {
    /// Nothing is kept with it.
    pub fn plain(author: &'a Author) -> Self {
        Self { author, detail: None, intent: Intent::default() }
    }
}

impl Change {
    /// Notes a new fix.
    pub fn open_fix(&mut self, state: Arc<FixState>, author: &Author) {
        let fix = &state.fix;
        let mut row = author.audit("propose", fix.id.as_str(), (0, fix.version), Verdict::Done);
        row.detail = Text::new(format!(
            "{} on {}: plan {}",
            fix.definition_id.raw(),
            fix.plan.target.raw(),
            fix.plan_digest.raw()
        ));
        self.audit.push(row);
        self.fixes.push(TouchedFix { state, from: None, told: true, fence: None, intent: Intent::default() });
    }

    /// The fix as this change leaves it so far; noted as touched when it was not yet.
    pub fn touch_fix(&mut self, from: &FixState, now: Arc<FixState>) -> &mut TouchedFix {
        let known = self.fixes.iter().position(|touched| touched.state.fix.id == now.fix.id);
        let at = known.unwrap_or_else(|| {
            let (state, from) = (Arc::clone(&now), Some(from.fix.version));
            self.fixes.push(TouchedFix { state, from, told: false, fence: None, intent: Intent::default() });
            self.fixes.len() - 1
        });
        let touched = &mut self.fixes[at];
        touched.state = now;
        touched
    }
}

impl Draft<'_> {
    pub fn fix(&self, id: &FixId) -> Result<Option<Arc<FixState>>, StoreError> {
        if let Some(state) = self.fixes.get(id) {
            return Ok(Some(Arc::clone(state)));
        }
        if let Some(state) = self.shared.board().fix(id) {
            return Ok(Some(Arc::clone(state)));
        }
        Ok(self.store.fix(id)?.map(Arc::new))
    }

    /// Takes a step of a fix, with what comes of it for its alert and for its definition.
    pub fn step_fix(
        &mut self,
        change: &mut Change,
        state: &Arc<FixState>,
        event: &Event,
        by: By<'_>,
        now: Moment,
    ) -> Result<Arc<FixState>, Stop> {
        let step = machine::step(state, event, now.server)?;
        if step.effects.is_empty() {
            return Ok(Arc::clone(state));
        }
        let next = Arc::new(step.state);
        let mut told = false;
        for effect in step.effects {
            match effect {
                Effect::Changed(word) => {
                    told = true;
                    change.audit.push(row(state, &next, word, &by));
                }
                Effect::ResolveAlert => self.resolve_alert(change, &next, now)?,
                Effect::ReopenAlert => self.reopen_alert(change, &next, by.author, now)?,
                Effect::Suppress(reason) => self.suppress(change, &next, &reason, now),
                Effect::Renewed => {}
            }
        }
        let touched = change.touch_fix(state, Arc::clone(&next));
        touched.told |= told;
        touched.fence = fence_of(event).or(touched.fence);
        touched.intent.images.extend(by.intent.images);
        self.fixes.insert(next.fix.id.clone(), Arc::clone(&next));
        self.hold_alert(change, state, &next)?;
        Ok(next)
    }

    /// What an alert that this change closes takes along: its children stand by themselves, and its fixes that nobody
    /// has begun are for nothing now.
    pub fn supersede(&mut self, change: &mut Change, now: Moment) -> Result<(), StoreError> {
        self.ungroup(change, now)?;
        let closed = change.touched.iter().filter(|touched| touched.loud && !touched.state.alert.status.is_open());
        let closed: Vec<(AlertId, Vec<FixId>)> =
            closed.map(|touched| (touched.state.alert.id.clone(), touched.state.alert.fixes.clone())).collect();
        for (alert, fixes) in closed {
            for id in fixes {
                let Some(state) = self.fix(&id)? else { continue };
                if state.fix.status.waits_to_begin() {
                    let event =
                        Event::Superseded(Superseded::AlertOver, Text::new(format!("its alert {alert} is over")));
                    self.step_if_allowed(change, &state, &event, &Author::system(), now)?;
                }
            }
        }
        Ok(())
    }

    /// A step that nobody waits for: what the machine refuses stays as it is.
    pub fn step_if_allowed(
        &mut self,
        change: &mut Change,
        state: &Arc<FixState>,
        event: &Event,
        author: &Author,
        now: Moment,
    ) -> Result<(), StoreError> {
        match self.step_fix(change, state, event, By::plain(author), now) {
            Err(Stop::Store(error)) => Err(error),
            Err(Stop::Refused(why)) => {
                tracing::debug!(fix = %state.fix.id, code = ?why.code, "a fix stays as it is");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Names a new fix in its alert.
    pub fn link_alert(&mut self, change: &mut Change, alert: &AlertState, fix: &FixId, author: &Author, now: Moment) {
        if let Ok(step) = alerts::step(alert, &alerts::Event::Linked(fix), now) {
            self.put(Arc::new(step.state.clone()));
            change.take(alert, step, author, fix.as_str());
        }
    }

    fn resolve_alert(&mut self, change: &mut Change, state: &FixState, now: Moment) -> Result<(), StoreError> {
        let fix = &state.fix;
        let Some(id) = &fix.alert_id else { return Ok(()) };
        let Some(alert) = self.get(id)? else { return Ok(()) };
        if let Ok(step) = alerts::step(&alert, &alerts::Event::Fixed(&fixed_by(fix)), now) {
            self.put(Arc::new(step.state.clone()));
            change.take(&alert, step, &Author::system(), fix.id.as_str());
        }
        Ok(())
    }

    /// What is rolled back has not fixed its alert.
    fn reopen_alert(
        &mut self,
        change: &mut Change,
        state: &FixState,
        author: &Author,
        now: Moment,
    ) -> Result<(), StoreError> {
        let fix = &state.fix;
        let Some(id) = &fix.alert_id else { return Ok(()) };
        let Some(alert) = self.get(id)? else { return Ok(()) };
        let rival = self.rival(&alert)?;
        let event = alerts::Event::Unfixed { fix: &fix.id, said: &fixed_by(fix), rival: rival.as_ref() };
        if let Ok(step) = alerts::step(&alert, &event, now)
            && !step.effects.is_empty()
        {
            self.put(Arc::new(step.state.clone()));
            change.take(&alert, step, author, fix.id.as_str());
        }
        Ok(())
    }

    /// While a fix is under way on an alert, quiet alone does not end that.
    fn hold_alert(&mut self, change: &mut Change, was: &FixState, is: &FixState) -> Result<(), StoreError> {
        let (before, after) = (was.fix.status.is_under_way(), is.fix.status.is_under_way());
        let Some(id) = is.fix.alert_id.as_ref().filter(|_| before != after) else { return Ok(()) };
        let held = after || self.shared.board().has_fix_under_way(id, Some(&is.fix.id));
        let Some(alert) = self.get(id)?.filter(|alert| alert.watch.held != held) else { return Ok(()) };
        let mut next = AlertState::clone(&alert);
        next.watch.held = held;
        change.touch(&alert, next.clone());
        self.put(Arc::new(next));
        Ok(())
    }

    fn suppress(&self, change: &mut Change, state: &FixState, reason: &Text, now: Moment) {
        let fix = &state.fix;
        let mut remedy = change.remedy.take().unwrap_or_else(|| self.shared.remedy(now.server));
        let stands = |suppression: &Suppression| {
            suppression.definition_id == fix.definition_id && suppression.target == fix.plan.target
        };
        if !remedy.suppressions.iter().any(stands) {
            let suppression = Suppression {
                id: Text::new(format!("sup-{}", self.shared.board().numbers.suppression + 1)),
                definition_id: fix.definition_id.clone(),
                target: fix.plan.target.clone(),
                at: now.server,
                reason: clip(reason, 256),
            };
            change.writes.push(Write::Suppression(Box::new(suppression.clone())));
            remedy.suppressions.push(suppression);
        }
        change.remedy = Some(remedy);
    }
}

/// What the notes of an alert say that a fix ended.
fn fixed_by(fix: &Fix) -> Text {
    Text::new(format!("fixed by {}: {}", fix.id, fix.title.raw()))
}

fn row(was: &FixState, is: &FixState, word: &'static str, by: &By<'_>) -> crate::store::AuditEntry {
    let versions = (was.fix.version, is.fix.version);
    let mut row = by.author.audit(word, is.fix.id.as_str(), versions, Verdict::Done);
    let trail = || is.fix.trail.last().map(|last| last.what.raw().to_owned()).unwrap_or_default();
    row.detail = clip(&Text::new(by.detail.clone().unwrap_or_else(trail)), DETAIL);
    row
}

/// The fence that whoever causes an event acts under.
fn fence_of(event: &Event) -> Option<u64> {
    match event {
        Event::Claimed { fence, .. }
        | Event::Renewed { fence, .. }
        | Event::Intended { fence }
        | Event::Performed { fence, .. }
        | Event::Probed { fence, .. }
        | Event::Watched { fence, .. } => Some(*fence),
        Event::Rehearsed(_) | Event::Decided(_) | Event::Tick | Event::Superseded(..) | Event::Stopped(_) => None,
    }
}
