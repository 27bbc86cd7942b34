//! What performs: the only room of fixes that touches the world.
//!
//! The executor's loop claims what is approved and takes it from state to state; a [`Runner`] performs
//! one step. Whatever may be lost is kept first: the intent before the effect, before-images with it.

pub mod argv;
pub mod desk;
pub mod document;
pub mod executor;
pub mod http;
mod lines;
pub mod load;
pub mod performer;
mod probe;
pub mod propose;
pub mod repair;
#[cfg(test)]
mod rig;
mod verify;

use futures_util::future::BoxFuture;
use stella_protocol::FixId;
use stella_protocol::Text;
use stella_protocol::fix::{PlanStep, Stream};

use super::{BeforeImage, Outcome, Said};

/// One step of one fix, to be performed or taken back.
#[derive(Debug, Clone)]
pub struct Call {
    /// Of which fix.
    pub fix: FixId,
    /// Which step of its plan, from 0.
    pub number: usize,
    /// The step.
    pub step: PlanStep,
    /// The target's fence; sent along so that a target can refuse a lower one.
    pub fence: u64,
    /// Names this effect for the target, the same on every try: `fx-12.0.do`, `fx-12.0.undo`.
    pub key: String,
}

/// Takes the lines of a step's output as they come.
pub trait Output: Send {
    /// One line, without its end; cut and counted by whoever takes it.
    fn line(&mut self, stream: Stream, text: Text);
}

/// What performs a step of a plan.
pub trait Runner: Send + Sync {
    /// Whether it would work, in words; reads only.
    fn rehearse<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<Text>, Text>>;

    /// What stands where the step will write: kept before it does. Empty for what is no document.
    fn prepare<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<BeforeImage>, Text>>;

    /// Performs the step.
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome>;

    /// Takes the step back.
    fn undo<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome>;

    /// Whether the step (or, with `undoing`, its undo) happened.
    fn probe<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage], undoing: bool) -> BoxFuture<'a, Said>;

    /// What differs from how the step left it, in words; empty: nothing, it can be taken back.
    fn changed<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage]) -> BoxFuture<'a, Result<Vec<Text>, Text>>;
}
