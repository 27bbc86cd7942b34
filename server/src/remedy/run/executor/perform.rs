//! One step: its images, its intent, its effect, its outcome; and a look where the outcome is not known.

use std::sync::Arc;

use stella_protocol::fix::{Act, StepState};
use stella_protocol::{FixStatus, Text};
use tokio::time::{Instant, sleep};

use super::Parts;
use super::carry::{Work, call, decided_on};
use super::lease::is_silence;
use super::voice::Voice;
use crate::remedy::machine::can_look;
use crate::remedy::run::Call;
use crate::remedy::{BeforeImage, Event, FixState, Intent, Outcome, Said};

/// What a step works with.
struct Prepared {
    /// What stood there before it.
    images: Vec<BeforeImage>,
    /// They were made just now, and are kept with the intent.
    fresh: bool,
    /// Why it surely cannot be done now.
    unfit: Option<Text>,
}

impl Work<'_> {
    /// Rows 8, 9 and 15.
    pub(super) async fn perform(&mut self, state: &FixState) -> Option<Arc<FixState>> {
        let (number, fence) = (state.work.at, state.work.fence);
        let (call, tries) = (call(state, number, fence), state.fix.steps[number].attempt);
        sleep(self.parts.pace.back_off(tries)).await;
        let prepared = self.prepare(state, &call).await?;
        self.intend(state, &prepared).await?;
        let outcome = match &prepared.unfit {
            Some(why) => Outcome::Clean(why.clone()),
            // Stopped and woken since the intent was kept.
            None if !self.lease.is_fresh() => Outcome::Clean(Text::from("the lease ran out before it began")),
            None => self.effect(state, &call, &prepared.images).await,
        };
        let outcome = match outcome {
            // This try did nothing. One before it may have, or still may: only a look can tell.
            Outcome::Clean(why) if !self.clean.covers(&call.key, tries) => Outcome::Unknown(why),
            other => other,
        };
        if matches!(outcome, Outcome::Clean(_)) {
            self.clean.add(&call.key);
        }
        self.tell(state, outcome).await
    }

    /// Row 10: what became of it.
    pub(super) async fn look(&self, state: &FixState) -> Option<Arc<FixState>> {
        let (number, fence) = (state.work.at, state.work.fence);
        let images = images(self.parts, state, number).await?;
        let undoing = state.fix.status == FixStatus::Undoing;
        let said = self.ask(&call(state, number, fence), &images, undoing).await?;
        self.parts.say(&state.fix.id, Event::Probed { fence, said }).await
    }

    /// A target that cannot say may only be away for a moment: it is asked again for a while before it is said
    /// that nothing can tell. None: the lease ended before it did.
    async fn ask(&self, call: &Call, images: &[BeforeImage], undoing: bool) -> Option<Said> {
        let (began, mut looks) = (Instant::now(), 0);
        loop {
            let said = self.parts.runner.probe(call, images, undoing).await;
            let left = self.parts.pace.doubt.saturating_sub(began.elapsed());
            if !matches!(said, Said::CannotTell(_)) || !can_look(&call.step, undoing) || left.is_zero() {
                return Some(said);
            }
            if !self.lease.is_fresh() {
                return None;
            }
            looks += 1;
            sleep(self.parts.pace.back_off(looks).min(left)).await;
        }
    }

    /// Images are made once, before the first intent. Once there was a try whose outcome was not known they stay
    /// for good: fresh ones would take what it did, however late, for what stood there before.
    async fn prepare(&self, state: &FixState, call: &Call) -> Option<Prepared> {
        let undoing = state.fix.status == FixStatus::Undoing;
        let untouched = !undoing && self.clean.covers(&call.key, state.fix.steps[call.number].attempt);
        if !untouched {
            let images = images(self.parts, state, call.number).await?;
            // None although documents have some: an earlier try ended before it had any.
            if undoing || !images.is_empty() || !is_document(call) {
                return Some(Prepared { images, fresh: false, unfit: None });
            }
        }
        Some(match self.parts.runner.prepare(call).await {
            Ok(images) => Prepared { images, fresh: true, unfit: None },
            Err(why) => Prepared { images: Vec::new(), fresh: false, unfit: Some(why) },
        })
    }

    async fn intend(&self, state: &FixState, prepared: &Prepared) -> Option<()> {
        let images = if prepared.fresh { prepared.images.clone() } else { Vec::new() };
        let intent = Intent { images, ..decided_on(state) };
        let event = Event::Intended { fence: state.work.fence };
        if self.parts.keep(&state.fix.id, event, intent).await.is_ok() {
            return Some(());
        }
        // The answer may be lost and the intent kept: nobody else can have said it under this fence.
        let now = self.standing(state)?;
        let (number, tries) = (state.work.at, state.fix.steps[state.work.at].attempt + 1);
        let step = &now.fix.steps[number];
        let begun = matches!(step.state, StepState::Begun | StepState::Undoing) && step.attempt == tries;
        (begun && now.work.at == number && now.fix.status == state.fix.status).then_some(())
    }

    async fn effect(&self, state: &FixState, call: &Call, images: &[BeforeImage]) -> Outcome {
        let mut voice = Voice::new(self.parts, call);
        let outcome = if state.fix.status == FixStatus::Undoing {
            self.parts.runner.undo(call, images, &mut voice).await
        } else {
            self.parts.runner.perform(call, images, &mut voice).await
        };
        voice.finish().await;
        outcome
    }

    /// What came of it is known to nobody else: it is said until the store has answered.
    async fn tell(&self, state: &FixState, outcome: Outcome) -> Option<Arc<FixState>> {
        let (id, fence) = (&state.fix.id, state.work.fence);
        let mut tries = 0;
        loop {
            let event = Event::Performed { fence, outcome: outcome.clone() };
            match self.parts.keep(id, event, Intent::default()).await {
                Ok(next) => return Some(next),
                Err(refusal) if is_silence(refusal.code) && self.lease.is_fresh() => tries += 1,
                Err(_) => return None,
            }
            sleep(self.parts.pace.back_off(tries)).await;
        }
    }
}

fn is_document(call: &Call) -> bool {
    matches!(call.step.act, Act::Document(_) | Act::Repair(_))
}

/// The images that were kept with the step's intent. None: the store does not answer.
pub(super) async fn images(parts: &Parts, state: &FixState, number: usize) -> Option<Vec<BeforeImage>> {
    if !matches!(state.fix.plan.steps[number].act, Act::Document(_) | Act::Repair(_)) {
        return Some(Vec::new());
    }
    let (hub, id) = (parts.hub.clone(), state.fix.id.clone());
    let kept = tokio::task::spawn_blocking(move || hub.fix_images(&id, number)).await;
    match kept {
        Ok(Ok(images)) => Some(images),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the images of a step cannot be read");
            None
        }
        Err(_) => None,
    }
}
