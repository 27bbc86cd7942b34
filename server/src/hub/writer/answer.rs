//! What stands before and after everything that somebody asks for under a key: the first answer again, the role, one
//! commit with the answer, an audit row when it is not done.
//!
//! What is asked for is each room's own: alerts ([`crate::hub::act`]) have a faster way, for many at once.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use stella_protocol::{Code, Current, Principal, Problem, Role};
use tokio::sync::oneshot;

use super::Writer;
use crate::hub::draft::{Author, Change, Draft};
use crate::hub::{Answer, act, json, problem, refusal};
use crate::store::{Commit, InTheWay, KeyedAnswer, StoreError, Verdict};

/// Most that the words of a verb may take on the wire.
pub(super) const WORDS: usize = 2 << 10;

/// Who waits for the answer.
pub(super) type Reply<T> = oneshot::Sender<Result<Answer<T>, Problem>>;

/// A person who asks, under a key.
pub(in crate::hub) struct Keyed {
    pub(super) by: Principal,
    pub(super) key: String,
}

impl Keyed {
    pub fn new(by: &Principal, key: &str) -> Self {
        Self { by: by.clone(), key: key.to_owned() }
    }

    pub fn author(&self) -> Author {
        Author { name: self.by.name.clone(), role: self.by.role, key: self.key.clone() }
    }
}

/// What a request is about, for its role and its audit row when it is not done.
pub(super) struct Deed {
    pub verb: &'static str,
    pub object: String,
    pub role: Role,
    pub digest: [u8; 32],
}

impl Deed {
    pub fn new(verb: &'static str, object: &str, role: Role, asked: &str) -> Self {
        let digest = Sha256::digest(format!("{verb} {object} {asked}")).into();
        Self { verb, object: object.to_owned(), role, digest }
    }
}

/// Why a request is not done.
pub(super) enum No {
    /// Nothing is noted of it.
    Said(Problem),
    /// It stands in the audit, with the version of what it was about.
    Noted(Box<Problem>, Verdict, u64),
    /// The store did not answer.
    Store(StoreError),
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A plan in the making.
pub(super) struct Making<'a, 'd> {
    pub draft: &'a mut Draft<'d>,
    pub change: &'a mut Change,
    pub author: &'a Author,
}

impl Writer {
    /// What stands before and after every request under a key: the first answer again, the role, the
    /// commit with the answer, an audit row when it is not done.
    pub(super) fn answer<T: Serialize + DeserializeOwned>(
        &mut self,
        keyed: &Keyed,
        deed: &Deed,
        plan: impl FnOnce(&Self, &mut Making<'_, '_>) -> Result<T, No>,
    ) -> Result<Answer<T>, Problem> {
        if keyed.key.is_empty() || keyed.key.len() > act::KEY {
            return Err(problem(Code::BadKey, "a key has 1 to 128 characters"));
        }
        let before = self.store.answer(keyed.by.name.raw(), &keyed.key).map_err(|error| failed(&error))?;
        if let Some(before) = before {
            return act::repeat(&before, deed.digest).map(|body| Answer { body, replayed: true });
        }
        let author = keyed.author();
        if !keyed.by.role.allows(deed.role) {
            let why = problem(Code::Forbidden, format!("this asks for role {}", deed.role.word()));
            return Err(self.note(deed, &author, why, Verdict::Denied, 0));
        }
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let (mut draft, mut change) = (Draft::new(&shared, &*store), Change::default());
        let planned = plan(self, &mut Making { draft: &mut draft, change: &mut change, author: &author });
        let body = match planned {
            Ok(body) => body,
            Err(No::Said(problem)) => return Err(problem),
            Err(No::Noted(problem, verdict, version)) => {
                return Err(self.note(deed, &author, *problem, verdict, version));
            }
            Err(No::Store(error)) => return Err(failed(&error)),
        };
        let principal = keyed.by.name.raw().to_owned();
        let answer = KeyedAnswer { principal, key: keyed.key.clone(), digest: deed.digest, body: json(&body) };
        match self.keep_with(change, Some(answer), None) {
            Ok(()) => Ok(Answer { body, replayed: false }),
            Err(Commit::Duplicate(before)) => {
                act::repeat(&before, deed.digest).map(|body| Answer { body, replayed: true })
            }
            Err(other) => Err(ran_into(other)),
        }
    }

    /// Notes in the audit what was not done.
    fn note(&mut self, deed: &Deed, author: &Author, why: Problem, verdict: Verdict, version: u64) -> Problem {
        let mut row = author.audit(deed.verb, &deed.object, (version, version), verdict);
        row.detail = why.title.clone();
        if self.keep_with(Change { audit: vec![row], ..Change::default() }, None, None).is_err() {
            return refusal::unavailable();
        }
        why
    }
}

/// The store could not be asked: nothing was done.
pub(super) fn failed(error: &StoreError) -> Problem {
    tracing::error!(error = %error, "failed to plan a change");
    refusal::unavailable()
}

/// What a commit ran into, in words.
pub(super) fn ran_into(commit: Commit) -> Problem {
    match commit {
        Commit::Conflict(Some(InTheWay::Fix(other))) => {
            let code = if other.fix.status.is_open() { Code::TargetBusy } else { Code::VersionConflict };
            let current = Some(Current::Fix(Box::new(other.fix.clone())));
            Problem { current, ..problem(code, format!("look at {}", other.fix.id)) }
        }
        Commit::Conflict(Some(InTheWay::Migration(other))) => {
            let other = &other.migration;
            if other.status.holds_the_store() { refusal::store_held(other) } else { refusal::stale_migration(other) }
        }
        Commit::Conflict(Some(InTheWay::Fence(fence))) => {
            problem(Code::VersionConflict, format!("another executor has the target: its fence is {fence}"))
        }
        Commit::Unavailable => refusal::unavailable(),
        _ => problem(Code::Unavailable, "something changed at the same moment: ask again"),
    }
}
