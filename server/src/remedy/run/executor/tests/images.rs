//! When what stands there is taken down, and when it is left as it was taken down first.

use std::collections::VecDeque;
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

/// Says this of the first tries, without doing anything.
struct First {
    runner: Arc<dyn Runner>,
    outcomes: Mutex<VecDeque<Outcome>>,
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
        match self.outcomes.lock().unwrap().pop_front() {
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
    let (unknown, clean) = (Outcome::Unknown(Text::from("no answer")), Outcome::Clean(Text::from("somebody wrote it")));
    for (outcomes, expected) in [
        (vec![unknown.clone()], 1),
        (vec![clean.clone()], 2),
        (vec![clean.clone(), clean.clone()], 3),
        // However long ago nobody knew: it may have happened, or may still.
        (vec![unknown, clean.clone()], 1),
    ] {
        let (text, tries) = (definition("approve", "d", true), outcomes.len() + 1);
        let scene = Scene::new(text.replace("title = \"Note it\"", "title = \"Note it\"\nretries = 2")).await;
        let process = scene.open(Power::until(None));
        let outcomes = Mutex::new(outcomes.into());
        let runner = Arc::new(First { runner: scene.performer(), outcomes, prepared: AtomicUsize::new(0) });
        let parts = scene.parts(&process.hub, "one", Arc::clone(&runner) as _);
        let ending = CancellationToken::new();
        let executor = tokio::spawn(Executor::new(parts).run(ending.clone()));
        process.finds("f", "alpha");
        process.approve().await;
        let done = process.watched_until(&scene, FixStatus::Executed).await;
        assert_eq!((done.fix.steps[0].attempt, runner.prepared.load(Ordering::SeqCst)), (tries as u32, expected));
        let images = process.hub.fix_images(&done.fix.id, 0).unwrap();
        assert_eq!(images.len(), 1);
        assert!(images[0].before.as_ref().unwrap().get("on").is_none());
        ending.cancel();
        executor.await.unwrap();
        process.end().await;
    }
}
