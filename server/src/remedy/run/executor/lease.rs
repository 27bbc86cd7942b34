//! The right to act on a fix, for a while: renewed as long as the work goes on, and given up in time.
//!
//! Between processes the store's time decides. Inside this one the monotonic clock does, so that an
//! executor that was stopped and woken knows it before it acts.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stella_protocol::{Code, FixId, Timestamp};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::Parts;
use crate::remedy::machine::LEASE_MS;
use crate::remedy::{Event, FixState, Intent};

/// From one renewal to the next.
const RENEW: Duration = Duration::from_secs(10);
/// After so long without a renewal no effect is begun.
const FRESH: Duration = Duration::from_secs(20);
/// After so long what is under way is dropped, and a child with it.
const DROP: Duration = Duration::from_secs(25);
/// A renewal that the store did not answer is asked for again after this long.
const AGAIN: Duration = Duration::from_millis(500);

/// The lease of one fix.
pub(super) struct Lease {
    id: FixId,
    fence: u64,
    /// When the renewal that was granted last was asked for.
    renewed: Mutex<Instant>,
}

impl Lease {
    /// Of a fix that was claimed; it was asked for then.
    pub fn of(state: &FixState, asked: Instant) -> Self {
        Self { id: state.fix.id.clone(), fence: state.work.fence, renewed: Mutex::new(asked) }
    }

    /// Until when a lease taken now lasts.
    pub fn until(parts: &Parts) -> Timestamp {
        parts.clock.now().plus_millis(LEASE_MS)
    }

    /// Whether an effect may be begun.
    pub fn is_fresh(&self) -> bool {
        self.renewed().elapsed() < FRESH
    }

    /// Does the work and keeps the lease meanwhile. None: the lease was lost, and the work dropped.
    pub async fn guard<T>(&self, parts: &Parts, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.keep(parts) => None,
        }
    }

    /// Renews it for as long as that is granted.
    async fn keep(&self, parts: &Parts) {
        loop {
            sleep_until(self.renewed() + RENEW).await;
            if !self.renew(parts).await {
                return;
            }
        }
    }

    /// Asks until the answer is yes or it is too late for one. False: it is.
    async fn renew(&self, parts: &Parts) -> bool {
        let last = self.renewed() + DROP;
        while Instant::now() < last {
            let asked = Instant::now();
            let event = Event::Renewed { fence: self.fence, until: Self::until(parts) };
            match timeout_at(last, parts.hub.advance_fix(&self.id, event, Intent::default())).await {
                Ok(Ok(_)) => {
                    *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = asked;
                    return true;
                }
                // Somebody else has it, or it is over.
                Ok(Err(refusal)) if !is_silence(refusal.code) => return false,
                _ => sleep(AGAIN).await,
            }
        }
        false
    }

    fn renewed(&self) -> Instant {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the store did not answer, rather than refuse.
pub(super) fn is_silence(code: Code) -> bool {
    matches!(code, Code::StoreUnavailable | Code::Unavailable)
}
