//! When the work on a fix panics, it stands alone with that.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stella_protocol::fix::StepState;
use stella_protocol::{FixStatus, FixVerb, Text};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::power::Power;
use super::scene::{Process, Scene, TOO_LONG, definition};
use crate::documents::Documents;
use crate::documents::before::{Answer, Before, Read};
use crate::documents::embedded::Embedded;
use crate::remedy::machine::LEASE_MS;
use crate::remedy::run::executor::Executor;
use crate::remedy::run::{Call, Output, Runner};
use crate::remedy::{BeforeImage, Outcome, Said};

/// Panics, the first times, where it should do something to a target.
struct Breaking {
    runner: Arc<dyn Runner>,
    target: &'static str,
    rehearsing: bool,
    most: usize,
    times: watch::Sender<usize>,
}

impl Breaking {
    fn pass(&self, call: &Call, rehearsing: bool) {
        let meant = rehearsing == self.rehearsing && serde_json::to_string(&call.step).unwrap().contains(self.target);
        let once_more = |times: &mut usize| {
            let breaks = meant && *times < self.most;
            *times += usize::from(breaks);
            breaks
        };
        assert!(!self.times.send_if_modified(once_more), "as the test wants it");
    }
}

impl Runner for Breaking {
    fn rehearse<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        self.pass(call, true);
        self.runner.rehearse(call)
    }

    fn prepare<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<BeforeImage>, Text>> {
        self.runner.prepare(call)
    }

    fn perform<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        self.pass(call, false);
        self.runner.perform(call, images, output)
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

struct House {
    scene: Scene,
    process: Process,
    runner: Arc<Breaking>,
    ending: CancellationToken,
    executor: JoinHandle<()>,
}

impl House {
    /// Where what is for `alpha` breaks so often.
    async fn new(rehearsing: bool, most: usize) -> Self {
        let scene = Scene::new(definition("approve", "u", true)).await;
        let process = scene.open(Power::until(None));
        let times = watch::Sender::new(0);
        let runner = Arc::new(Breaking { runner: scene.performer(), target: "/alpha/", rehearsing, most, times });
        let ending = CancellationToken::new();
        let parts = scene.parts(&process.hub, "one", Arc::clone(&runner) as _);
        let executor = tokio::spawn(Executor::new(parts).run(ending.clone()));
        Self { scene, process, runner, ending, executor }
    }

    async fn broke(&self, times: usize) {
        let mut broke = self.runner.times.subscribe();
        let waited = tokio::time::timeout(TOO_LONG, broke.wait_for(|broke| *broke >= times)).await;
        waited.unwrap_or_else(|_| panic!("it never breaks")).unwrap();
    }

    /// What is proposed by hand for another target runs to its end.
    async fn goes_on(&self) {
        assert!(!self.executor.is_finished());
        let id = self.process.propose("beta", "beta").await.unwrap().body.id;
        let pending = self.process.one_until(&id, FixStatus::Pending).await;
        self.process.decide("approve-beta", &pending, FixVerb::Approve).await.unwrap();
        self.process.one_until(&id, FixStatus::Executed).await;
    }

    async fn end(self) {
        self.ending.cancel();
        self.executor.await.unwrap();
        self.process.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_leaves_its_fix_to_the_lease_and_the_next_claim_goes_on() {
    let house = House::new(false, 1).await;
    house.process.finds("f", "alpha");
    house.process.approve().await;
    house.broke(1).await;
    let state = house.process.fix().unwrap();
    assert_eq!((state.fix.status, state.fix.steps[0].state), (FixStatus::Running, StepState::Begun));
    house.scene.pass(LEASE_MS + 1);
    let done = house.process.watched_until(&house.scene, FixStatus::Executed).await;
    assert_eq!((done.work.fence, house.scene.target.counts().len()), (2, 1));
    house.goes_on().await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_two_panics_a_fix_is_in_doubt_and_everything_else_goes_on() {
    let house = House::new(false, usize::MAX).await;
    house.process.finds("f", "alpha");
    house.process.approve().await;
    house.broke(1).await;
    house.scene.pass(LEASE_MS + 1);
    let doubt = house.process.until(FixStatus::InDoubt).await;
    assert!(doubt.fix.result.raw().contains("work on it broke, twice"), "{:?}", doubt.fix.result);
    house.goes_on().await;
    assert_eq!(*house.runner.times.borrow(), 2);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_its_dry_run_twice_is_invalid() {
    let house = House::new(true, usize::MAX).await;
    house.process.finds("f", "alpha");
    let invalid = house.process.until(FixStatus::Invalid).await;
    assert!(invalid.fix.result.raw().contains("work on it broke, twice"), "{:?}", invalid.fix.result);
    house.goes_on().await;
    assert_eq!(*house.runner.times.borrow(), 2);
    house.end().await;
}

/// Documents that break whoever asks for `alpha`.
struct Snare(Embedded);

impl Before for Snare {
    fn behind(&self) -> &dyn Documents {
        &self.0
    }

    fn reads<'a, T: Send + 'a>(&'a self, what: Read<'a>, answer: Answer<'a, T>) -> Answer<'a, T> {
        let is_alpha = matches!(what, Read::Document(key) if key.path().ends_with("/alpha"));
        assert!(!is_alpha, "as the test wants it");
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_breaks_the_look_for_fixes_keeps_no_other_from_its_own() {
    let condition = "\n[[precondition]]\ntitle = \"Nothing is noted of {op}\"\n\
                     document = { collection = \"notes\", id = \"{op}\", exists = false }\n";
    let scene = Scene::new(definition("approve", "u", true) + condition).await;
    let process = scene.open(Power::until(None));
    let mut parts = Arc::into_inner(scene.parts(&process.hub, "one", scene.performer())).unwrap();
    let mut proposer = Arc::into_inner(parts.proposer).unwrap();
    proposer.documents = Some(Arc::new(Snare(scene.documents.clone())));
    parts.proposer = Arc::new(proposer);
    let ending = CancellationToken::new();
    let executor = tokio::spawn(Executor::new(Arc::new(parts)).run(ending.clone()));
    process.finds("a", "alpha");
    process.finds("b", "beta");
    let pending = process.until(FixStatus::Pending).await;
    assert_eq!(pending.fix.plan.target.raw(), "switch:beta");
    assert!(!executor.is_finished());
    ending.cancel();
    executor.await.unwrap();
    process.end().await;
}
