//! The files that are followed and not there yet, and what is said of them: one sentence for all, since
//! the screen has one place for it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use stella_protocol::Text;

use super::Tell;
use crate::event::SourceEvent;

/// The files that are waited for.
pub(super) struct Waiting {
    missing: Mutex<Vec<PathBuf>>,
    tell: Tell,
}

impl Waiting {
    /// Begins to wait for those of `files` that are not there, and says so; that all is ready, where
    /// all of them are.
    pub(super) fn begin(files: &[PathBuf], tell: Tell) -> Self {
        let missing: Vec<PathBuf> = files.iter().filter(|file| !file.exists()).cloned().collect();
        tell(said(&missing));
        Self { missing: Mutex::new(missing), tell }
    }

    /// A file is there. One that was not waited for changes nothing.
    pub(super) fn found(&self, file: &Path) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = missing.len();
        missing.retain(|waited| waited != file);
        if missing.len() < before {
            (self.tell)(said(&missing));
        }
    }
}

fn said(missing: &[PathBuf]) -> SourceEvent {
    if missing.is_empty() {
        return SourceEvent::Ready;
    }
    let names: Vec<String> = missing.iter().map(|file| file.display().to_string()).collect();
    SourceEvent::Preparing(Text::from(format!("waiting for {}", names.join(", "))))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn ready_is_said_when_the_last_file_was_found_and_not_before() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = told.clone();
        let folder = tempfile::tempdir().unwrap();
        let [here, one, two] = ["here", "one", "two"].map(|name| folder.path().join(name));
        std::fs::write(&here, "").unwrap();
        let files = [here.clone(), one.clone(), two.clone()];
        let waiting = Waiting::begin(&files, Arc::new(move |event| kept.lock().unwrap().push(event)));
        waiting.found(&here);
        waiting.found(&two);
        waiting.found(&one);
        let wait = |words: String| SourceEvent::Preparing(Text::from(words));
        assert_eq!(
            *told.lock().unwrap(),
            [
                wait(format!("waiting for {}, {}", one.display(), two.display())),
                wait(format!("waiting for {}", one.display())),
                SourceEvent::Ready,
            ]
        );
    }
}
