//! A gate before a store of documents: what comes to it is held, for as long as a test says, so that a migration
//! is met where the test wants it, however fast machine and store are.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::timeout;

use super::scene::TOO_LONG;

/// What the store is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Write,
}

/// Whether a call is held, when so many writes went through since this is the rule.
type Holds = Box<dyn Fn(Call, u64) -> bool + Send>;

/// Open, unless it was told to hold something.
#[derive(Default)]
pub(super) struct Gate {
    rule: Mutex<Option<Holds>>,
    /// Writes that went through since it got its rule.
    passed: watch::Sender<u64>,
    /// How many calls it holds.
    held: watch::Sender<usize>,
    /// Changes when those who are held look again.
    word: watch::Sender<()>,
}

/// A call that is held, until it is dropped.
struct Held<'g>(&'g Gate);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.send_modify(|held| *held -= 1);
    }
}

impl Gate {
    /// From now on this says what is held.
    pub fn hold(&self, holds: impl Fn(Call, u64) -> bool + Send + 'static) {
        let mut rule = self.rule();
        *rule = Some(Box::new(holds));
        self.passed.send_replace(0);
        drop(rule);
        self.look_again();
    }

    /// From now on nothing is.
    pub fn open(&self) {
        *self.rule() = None;
        self.look_again();
    }

    /// What the rule looks at has changed.
    pub fn look_again(&self) {
        self.word.send_replace(());
    }

    /// Waits until a call is held.
    pub async fn has_one(&self) {
        let mut held = self.held.subscribe();
        let waited = timeout(TOO_LONG, held.wait_for(|held| *held > 0)).await;
        waited.expect("no call came to the gate").expect("the gate is there");
    }

    /// Waits until so many writes went through.
    pub async fn has_let(&self, writes: u64) {
        let mut passed = self.passed.subscribe();
        let waited = timeout(TOO_LONG, passed.wait_for(|passed| *passed >= writes)).await;
        waited.expect("no more writes came to the gate").expect("the gate is there");
    }

    /// How many writes went through since it got its rule.
    pub fn let_through(&self) -> u64 {
        *self.passed.borrow()
    }

    /// Goes through, as soon as that is possible.
    pub async fn pass(&self, call: Call) {
        let mut word = self.word.subscribe();
        if self.lets(call) {
            return;
        }
        self.held.send_modify(|held| *held += 1);
        let _held = Held(self);
        while !self.lets(call) {
            word.changed().await.expect("the gate is there");
        }
    }

    fn lets(&self, call: Call) -> bool {
        let rule = self.rule();
        let passed = *self.passed.borrow();
        let lets = rule.as_ref().is_none_or(|holds| !holds(call, passed));
        if lets && call == Call::Write {
            self.passed.send_replace(passed + 1);
        }
        lets
    }

    fn rule(&self) -> MutexGuard<'_, Option<Holds>> {
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
