//! One key for one request id, kept until the request was answered: however often it is tried, by this
//! client or by the operator, the server does it once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::effect::RequestId;

/// Requests without an answer that are remembered; an operator leaves a handful at most.
const REMEMBERED: usize = 1_024;

/// The keys of requests that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<BTreeMap<RequestId, Uuid>>);

impl Keys {
    /// The key of a request: the same one until it is forgotten.
    pub(super) fn key_of(&self, id: RequestId) -> Uuid {
        let mut keys = self.lock();
        if keys.len() >= REMEMBERED && !keys.contains_key(&id) {
            keys.pop_first();
        }
        *keys.entry(id).or_insert_with(Uuid::now_v7)
    }

    /// The request was answered.
    pub(super) fn forget(&self, id: RequestId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RequestId, Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_request_keeps_its_key_until_it_was_answered() {
        let keys = Keys::default();
        let first = keys.key_of(RequestId(1));
        assert_eq!(keys.key_of(RequestId(1)), first);
        assert_ne!(keys.key_of(RequestId(2)), first);
        keys.forget(RequestId(1));
        assert_ne!(keys.key_of(RequestId(1)), first);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let keys = Keys::default();
        let given: BTreeSet<Uuid> = (0..5_000).map(|id| keys.key_of(RequestId(id))).collect();
        assert_eq!(given.len(), 5_000);
        assert_eq!(keys.lock().len(), REMEMBERED);
    }
}
