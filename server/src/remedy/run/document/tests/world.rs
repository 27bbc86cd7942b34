//! A real store behind a line that can break, and a runner on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stella_protocol::Text;
use stella_protocol::fix::Stream;

use super::super::{DocumentRunner, Runner};
use crate::Clock;
use crate::documents::before::{Answer, Before};
use crate::documents::embedded::Embedded;
use crate::documents::{Capabilities, DocumentKey, DocumentWrite, Documents, DocumentsError, Expect, Leave, Written};
use crate::remedy::run::{Call, Output};
use crate::remedy::{BeforeImage, Outcome, Said};

/// What goes wrong at one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It cannot be reached, and surely wrote nothing.
    Unreachable,
    /// It wrote, and its answer is lost.
    AnswerLost,
    /// Its answer is lost before it wrote.
    WriteLost,
    /// Somebody else writes one of the documents just before.
    Foreign,
}

/// The embedded store behind a line that breaks at the `at`-th write, in batches of at most three.
pub(super) struct Line {
    pub(super) store: Embedded,
    broken: Mutex<(usize, Option<Fault>)>,
}

impl Line {
    fn fault(&self) -> Option<Fault> {
        let mut broken = self.broken.lock().unwrap();
        if broken.0 > 0 {
            broken.0 -= 1;
            return None;
        }
        broken.1.take()
    }

    pub(super) fn break_at(&self, at: usize, fault: Fault) {
        *self.broken.lock().unwrap() = (at, Some(fault));
    }

    /// Whether the fault came to pass; it does not any more.
    pub(super) fn broke(&self) -> bool {
        self.broken.lock().unwrap().1.take().is_none()
    }

    async fn broken_write(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Written>, DocumentsError> {
        let lost = || DocumentsError::Unknown("the line broke".to_owned());
        match self.fault() {
            None => self.store.write(writes).await,
            Some(Fault::Unreachable) => Err(DocumentsError::Unavailable("the line broke".to_owned())),
            Some(Fault::WriteLost) => Err(lost()),
            Some(Fault::AnswerLost) => {
                self.store.write(writes).await?;
                Err(lost())
            }
            Some(Fault::Foreign) => {
                foreign(&self.store, &writes.last().unwrap().key).await;
                self.store.write(writes).await
            }
        }
    }
}

/// Somebody else's write, whatever stands there.
pub(super) async fn foreign(store: &Embedded, key: &DocumentKey) {
    let current = store.get(key).await.unwrap();
    let expect = current.as_ref().map_or(Expect::Absent, |document| Expect::Version(document.version));
    let mut fields = current.map(|document| document.fields).unwrap_or_default();
    fields.insert("foreign".to_owned(), json!("edit"));
    let write = DocumentWrite { key: key.clone(), expect, leave: Leave::Fields(fields) };
    assert!(matches!(store.write(vec![write]).await.unwrap()[0], Written::Done(_)));
}

impl Before for Line {
    fn behind(&self) -> &dyn Documents {
        &self.store
    }

    fn promises(&self) -> Capabilities {
        Capabilities { batch: 3, ..self.store.capabilities() }
    }

    fn writes(&self, writes: Vec<DocumentWrite>) -> Answer<'_, Vec<Written>> {
        Box::pin(self.broken_write(writes))
    }
}

pub(super) struct Lines(pub(super) Vec<String>);

impl Output for Lines {
    fn line(&mut self, _: Stream, text: Text) {
        self.0.push(text.raw().to_owned());
    }
}

/// A store with documents in it, and a runner on it behind a line.
pub(super) struct World {
    _folder: tempfile::TempDir,
    pub(super) line: Arc<Line>,
    pub(super) runner: DocumentRunner,
}

impl World {
    pub(super) fn new(documents: &BTreeMap<String, Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path(), Clock::system()).unwrap();
        let lines: String =
            documents.iter().map(|(path, fields)| json!({"path": path, "fields": fields}).to_string() + "\n").collect();
        store.import(lines.as_bytes()).unwrap();
        let line = Arc::new(Line { store, broken: Mutex::new((0, None)) });
        let runner = DocumentRunner::new(Arc::clone(&line) as Arc<dyn Documents>);
        Self { _folder: folder, line, runner }
    }

    /// The whole store, byte for byte.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.line.store.export(&mut bytes).unwrap();
        bytes
    }

    pub(super) fn writes(&self) -> usize {
        self.line.store.journal(0, 10_000).unwrap().len()
    }

    pub(super) async fn perform(&self, call: &Call, images: &[BeforeImage]) -> Outcome {
        self.runner.perform(call, images, &mut Lines(Vec::new())).await
    }

    pub(super) async fn undo(&self, call: &Call, images: &[BeforeImage]) -> Outcome {
        self.runner.undo(call, images, &mut Lines(Vec::new())).await
    }

    /// As the machine drives a step whose outcome is unknown; None: in doubt.
    pub(super) async fn drive(&self, call: &Call, images: &[BeforeImage], undoing: bool) -> Option<Outcome> {
        for _ in 0..10 {
            let outcome = if undoing { self.undo(call, images).await } else { self.perform(call, images).await };
            let Outcome::Unknown(_) = outcome else { return Some(outcome) };
            match self.runner.probe(call, images, undoing).await {
                Said::Done(note) => return Some(Outcome::Done(note)),
                Said::NotDone(_) => {}
                Said::CannotTell(_) => return None,
            }
        }
        panic!("the step goes round in circles");
    }
}
