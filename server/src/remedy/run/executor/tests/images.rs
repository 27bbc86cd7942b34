//! When what stands there is taken down, and when it is left as it was taken down first.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use stella_protocol::{FixStatus, Text};
use tokio_util::sync::CancellationToken;

use super::power::Power;
use super::scene::{Scene, definition};
use crate::remedy::run::executor::Executor;
use crate::remedy::run::{Call, Output, Runner};
use crate::remedy::{BeforeImage, Outcome, Said};

/// Says this of the first try, without doing anything.
struct First {
    runner: Arc<dyn Runner>,
    outcome: Mutex<Option<Outcome>>,
    prepared: AtomicUsize,
}

impl Runner for First {
    fn rehearse<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        self.runner.rehearse(call)
    }

    fn prepare<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<BeforeImage>, Text>> {
        self.prepared.fetch_add(1, Ordering::SeqCst);
        self.runner.prepare(call)
    }

    fn perform<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        match self.outcome.lock().unwrap().take() {
            Some(outcome) => Box::pin(async { outcome }),
            None => self.runner.perform(call, images, output),
        }
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

#[tokio::test(flavor = "multi_thread")]
async fn images_stay_after_an_unknown_outcome_and_are_made_afresh_after_a_clean_one() {
    for (outcome, expected) in
        [(Outcome::Unknown(Text::from("no answer")), 1), (Outcome::Clean(Text::from("somebody wrote it")), 2)]
    {
        let text = definition("approve", "d", true);
        let scene = Scene::new(text.replace("title = \"Note it\"", "title = \"Note it\"\nretries = 1")).await;
        let process = scene.open(Power::until(None));
        let outcome = Mutex::new(Some(outcome));
        let runner = Arc::new(First { runner: scene.performer(), outcome, prepared: AtomicUsize::new(0) });
        let parts = scene.parts(&process.hub, "one", Arc::clone(&runner) as _);
        let ending = CancellationToken::new();
        let executor = tokio::spawn(Executor::new(parts).run(ending.clone()));
        process.finds("f", "alpha");
        process.approve().await;
        let done = process.watched_until(&scene, FixStatus::Executed).await;
        assert_eq!((done.fix.steps[0].attempt, runner.prepared.load(Ordering::SeqCst)), (2, expected));
        let images = process.hub.fix_images(&done.fix.id, 0).unwrap();
        assert_eq!(images.len(), 1);
        assert!(images[0].before.as_ref().unwrap().get("on").is_none());
        ending.cancel();
        executor.await.unwrap();
        process.end().await;
    }
}
