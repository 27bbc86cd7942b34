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

/// The key of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// What the server sees.
    pub(super) uuid: Uuid,
    /// The request was made before, and nobody knows what became of it.
    pub(super) is_known: bool,
}

impl Keys {
    /// The key of a request: the same one until it is forgotten.
    pub(super) fn key_of(&self, id: RequestId) -> Key {
        let mut keys = self.lock();
        if let Some(&uuid) = keys.get(&id) {
            return Key { uuid, is_known: true };
        }
        if keys.len() >= REMEMBERED {
            keys.pop_first();
        }
        let uuid = Uuid::now_v7();
        keys.insert(id, uuid);
        Key { uuid, is_known: false }
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
        assert!(!first.is_known);
        assert_eq!(keys.key_of(RequestId(1)), Key { is_known: true, ..first });
        assert_ne!(keys.key_of(RequestId(2)).uuid, first.uuid);
        keys.forget(RequestId(1));
        let anew = keys.key_of(RequestId(1));
        assert!(anew.uuid != first.uuid && !anew.is_known);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let keys = Keys::default();
        let given: BTreeSet<Uuid> = (0..5_000).map(|id| keys.key_of(RequestId(id)).uuid).collect();
        assert_eq!(given.len(), 5_000);
        assert_eq!(keys.lock().len(), REMEMBERED);
    }
}
