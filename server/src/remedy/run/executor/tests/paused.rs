//! an executor that is paused past its lease, taken over, and woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use stella_protocol::fix::StepState;
use stella_protocol::{FixStatus, Text};
use tokio::sync::Semaphore;

use super::power::Power;
use super::scene::{Process, Scene, definition};
use super::target::REFUSAL;
use crate::remedy::machine::LEASE_MS;
use crate::remedy::run::executor::Parts;
use crate::remedy::run::executor::carry::carry;
use crate::remedy::run::{Call, Output, Runner};
use crate::remedy::{BeforeImage, Event, FixState, Intent, Outcome, Said, Verdict};

/// Where a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Once the images of a step were made.
    Prepare,
    /// Before its effect.
    Before,
    /// After its effect, before its outcome is told.
    After,
}

/// A runner that waits at one step, once, until it may go on.
pub(super) struct Gate {
    runner: Arc<dyn Runner>,
    at: At,
    number: usize,
    used: AtomicBool,
    reached: Semaphore,
    opened: Semaphore,
}

impl Gate {
    pub fn new(runner: Arc<dyn Runner>, at: At, number: usize) -> Arc<Self> {
        let (reached, opened) = (Semaphore::new(0), Semaphore::new(0));
        Arc::new(Self { runner, at, number, used: AtomicBool::new(false), reached, opened })
    }

    /// Until somebody waits here.
    pub async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    pub fn open(&self) {
        self.opened.add_permits(1);
    }

    async fn pass(&self, at: At, call: &Call) {
        if at == self.at && call.number == self.number && !self.used.swap(true, Ordering::SeqCst) {
            self.reached.add_permits(1);
            self.opened.acquire().await.unwrap().forget();
        }
    }
}

impl Runner for Gate {
    fn rehearse<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        self.runner.rehearse(call)
    }

    fn prepare<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<BeforeImage>, Text>> {
        Box::pin(async move {
            let images = self.runner.prepare(call).await;
            self.pass(At::Prepare, call).await;
            images
        })
    }

    fn perform<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.pass(At::Before, call).await;
            let outcome = self.runner.perform(call, images, output).await;
            self.pass(At::After, call).await;
            outcome
        })
    }

    fn undo<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        self.runner.undo(call, images, output)
    }

    fn probe<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage], undoing: bool) -> BoxFuture<'a, Said> {
        self.runner.probe(call, images, undoing)
    }

    fn changed<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage]) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        self.runner.changed(call, images)
    }
}

/// The step at which the first one is paused; it also tells whether the effect is there by then.
const PAUSED: usize = 0;
const RUNS: usize = 240;

async fn approved(process: &Process, operation: &str) -> Arc<FixState> {
    let fix = process.propose(operation, operation).await.unwrap().body;
    let rehearsed = Event::Rehearsed(Ok(Vec::new()));
    let pending = process.hub.advance_fix(&fix.id, rehearsed, Intent::default()).await.unwrap();
    let verb = stella_protocol::FixVerb::Approve;
    process.decide(&format!("approve-{operation}"), &pending, verb).await.unwrap();
    process.hub.fix(&fix.id).unwrap().unwrap()
}

/// Whatever an executor could say, under this fence.
fn everything(fence: u64, parts: &Parts) -> Vec<Event> {
    let said = || Text::from("late");
    let until = parts.clock.now().plus_millis(LEASE_MS);
    vec![
        Event::Renewed { fence, until },
        Event::Intended { fence },
        Event::Performed { fence, outcome: Outcome::Done(said()) },
        Event::Performed { fence, outcome: Outcome::Clean(said()) },
        Event::Performed { fence, outcome: Outcome::Unknown(said()) },
        Event::Probed { fence, said: Said::Done(said()) },
        Event::Probed { fence, said: Said::NotDone(said()) },
        Event::Watched { fence, verdict: Verdict::Holds },
    ]
}

/// What the one that has it says may come at any time.
fn but_output(state: &FixState) -> FixState {
    let mut state = state.clone();
    state.work.output = (0, 0);
    state
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of the run")]
async fn an_executor_that_was_paused_past_its_lease_changes_nothing_any_more() {
    let scene = Scene::new(definition("approve", "u", false)).await;
    let process = scene.open(Power::until(None));
    let (mut refused_by_hub, mut refused_by_target) = (0, 0);
    for run in 0..RUNS {
        // The definition lets itself be proposed sixty times an hour.
        scene.pass(2 * LEASE_MS);
        let pause = if run % 2 == 0 { At::Before } else { At::After };
        let slow = Gate::new(scene.performer(), pause, PAUSED);
        // The second one is held once its own effect is there, so that the first one wakes in the midst of it.
        let quick = Gate::new(scene.performer(), At::After, PAUSED);
        let first = scene.parts(&process.hub, "first", Arc::clone(&slow) as _);
        let second = scene.parts(&process.hub, "second", Arc::clone(&quick) as _);
        let state = approved(&process, &format!("op{run}")).await;
        let id = state.fix.id.clone();

        let paused = tokio::spawn({
            let (first, state) = (Arc::clone(&first), Arc::clone(&state));
            async move { carry(&first, state).await }
        });
        slow.reached().await;
        scene.pass(LEASE_MS + 1);
        let lost = process.hub.fix(&id).unwrap().unwrap();
        assert_eq!((lost.work.fence, lost.fix.steps[PAUSED].state), (1, StepState::Begun));
        let mut over = tokio::spawn(async move { carry(&second, lost).await });
        if pause == At::Before {
            quick.reached().await;
        } else {
            // The probe says that it happened: nothing is left to do.
            (&mut over).await.unwrap();
        }

        let before = process.hub.fix(&id).unwrap().unwrap();
        assert_eq!(before.work.fence, 2);
        let refusals = scene.target.desk().refused.len();
        slow.open();
        paused.await.unwrap();
        for event in everything(1, &first) {
            let said = process.hub.advance_fix(&id, event.clone(), Intent::default()).await;
            assert!(said.is_err(), "{event:?} {said:?}");
            refused_by_hub += 1;
        }
        assert_eq!(but_output(&process.hub.fix(&id).unwrap().unwrap()), but_output(&before), "run {run}");
        if pause == At::Before {
            assert_eq!(scene.target.desk().refused.len(), refusals + 1, "run {run}");
            refused_by_target += 1;
            quick.open();
            over.await.unwrap();
        }
        let end = process.hub.fix(&id).unwrap().unwrap();
        assert_eq!((end.fix.status, end.work.fence), (FixStatus::Executed, 2), "run {run}");
        let lines = process.hub.fix_output(&id, None, 0, 100).unwrap();
        assert!(lines.iter().all(|line| !line.text.raw().contains(REFUSAL)), "{lines:?}");
        assert_eq!(scene.target.counts().get(&format!("{id}.0.do")), Some(&1), "run {run}");
    }
    assert_eq!((refused_by_hub, refused_by_target), (RUNS * 8, RUNS / 2));
    println!("{RUNS} runs: {refused_by_hub} stale writes refused by the hub, {refused_by_target} by the target");
    process.end().await;
}
