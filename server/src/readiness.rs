//! What a fresh server still has to do before its answers are whole: `/readyz` says it.
//!
//! Does not do any of it; whoever does holds a [`Pending`] until it is done.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The list of what is still to be done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<BTreeSet<&'static str>>>);

/// One thing still to be done; done when dropped.
#[derive(Debug)]
pub(crate) struct Pending {
    readiness: Readiness,
    what: &'static str,
}

impl Readiness {
    /// Notes that `what` (words that finish "still …") is to be done.
    pub fn pending(&self, what: &'static str) -> Pending {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
        Pending { readiness: self.clone(), what }
    }

    /// What is still to be done; empty: the server is ready.
    pub fn missing(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.readiness.0.lock().unwrap_or_else(PoisonError::into_inner).remove(self.what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_when_the_last_thing_is_done() {
        let readiness = Readiness::default();
        let (one, two) = (readiness.pending("seeding"), readiness.pending("reading kept lines again"));
        drop(one);
        assert_eq!(readiness.missing(), ["reading kept lines again"]);
        drop(two);
        assert!(readiness.missing().is_empty());
    }
}
