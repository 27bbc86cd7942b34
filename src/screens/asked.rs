//! Something that a screen asked the server for: under way, there, or why it is not.
//!
//! Does not know what it is.

use crate::effect::{Query, Refusal, RequestId};
use crate::screens::{Context, refusal_words};

/// An answer, once there is one.
#[derive(Debug)]
pub(super) struct Asked<T> {
    request: Option<RequestId>,
    known: Option<T>,
    failure: Option<String>,
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self { request: None, known: None, failure: None }
    }
}

impl<T> Asked<T> {
    /// Asks for it, or for a newer one.
    pub(super) fn ask(&mut self, cx: &mut Context<'_>, query: Query) {
        self.request = Some(cx.fetch(query));
    }

    /// Takes the answer, unless it is one to something else.
    pub(super) fn take(&mut self, id: RequestId, answer: Result<T, Refusal>) {
        if self.request != Some(id) {
            return;
        }
        self.request = None;
        match answer {
            Ok(known) => (self.known, self.failure) = (Some(known), None),
            Err(refusal) => self.failure = Some(refusal_words(&refusal)),
        }
    }

    /// What was answered last.
    pub(super) fn known(&self) -> Option<&T> {
        self.known.as_ref()
    }

    /// Why nothing was answered, or nothing newer; safe to show.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// True while nobody has answered.
    pub(super) fn is_waiting(&self) -> bool {
        self.request.is_some()
    }
}
