//! What people ask about fixes that only the world can answer.

use futures_util::future::BoxFuture;
use stella_protocol::fix::{DefinitionView, Proposal, StepState};
use stella_protocol::{Alert, Principal, Text};

use super::propose::{Known, records, seen};
use super::{Parts, carry, perform};
use crate::remedy::run::desk::RemedyDesk;
use crate::remedy::{Draft, FixState, Refusal};

impl RemedyDesk for Parts {
    fn definitions(&self) -> BoxFuture<'_, Vec<DefinitionView>> {
        Box::pin(async {
            let records = records(self).await;
            self.proposer.views(&|id| records.get(id).copied().unwrap_or_default())
        })
    }

    fn draft<'a>(
        &'a self,
        by: &'a Principal,
        ask: Proposal,
        alert: Option<Alert>,
    ) -> BoxFuture<'a, Result<Draft, Refusal>> {
        Box::pin(async move {
            let known = seen(self, alert.as_ref().map(|alert| &alert.id)).await;
            self.proposer.draft(by, ask, known.as_ref().map(Known::seen)).await
        })
    }

    fn differences<'a>(&'a self, state: &'a FixState, alert: Option<&'a Alert>) -> BoxFuture<'a, Vec<Text>> {
        Box::pin(async move {
            // Once it ran it is what it was: only what waits can still become another plan.
            if state.fix.status.is_under_way() || !state.fix.status.is_open() {
                return Vec::new();
            }
            let known = seen(self, alert.map(|alert| &alert.id)).await;
            self.proposer.differences(state, known.as_ref().map(Known::seen)).await
        })
    }

    fn changed<'a>(&'a self, state: &'a FixState) -> BoxFuture<'a, Vec<Text>> {
        Box::pin(async move {
            let mut words = Vec::new();
            let undone = |number: &usize| {
                state.fix.steps[*number].state == StepState::Done && state.fix.plan.steps[*number].undo.is_some()
            };
            for number in (0..state.fix.plan.steps.len()).filter(undone) {
                let call = carry::call(state, number, state.work.fence);
                let found = match perform::images(self, state, number).await {
                    Some(images) => self.runner.changed(&call, &images).await,
                    None => Err(Text::from("the store does not answer")),
                };
                match found {
                    Ok(changed) => words.extend(changed),
                    Err(why) => words.push(Text::new(format!("step {}: {}", number + 1, why.raw()))),
                }
            }
            words
        })
    }
}
