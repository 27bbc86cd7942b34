//! The right to act on a fix, for a while: renewed as long as the work goes on, and given up in time.
//!
//! Between processes the store's time decides. Inside this one the monotonic clock does, so that an
//! executor that was stopped and woken knows it before it acts.

use std::future::Future;
use std::time::Duration;

use stella_protocol::{FixId, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::Parts;
use crate::remedy::machine::LEASE_MS;
use crate::remedy::{Event, FixState};

/// From one renewal to the next.
const RENEW: Duration = Duration::from_secs(10);
/// After so long without a renewal no effect is begun.
const FRESH: Duration = Duration::from_secs(20);
/// After so long what is under way is dropped, and a child with it.
const DROP: Duration = Duration::from_secs(25);

/// The lease of one fix.
pub(super) struct Lease {
    id: FixId,
    fence: u64,
    renewed: Instant,
}

impl Lease {
    /// Of a fix that was just claimed.
    pub fn of(state: &FixState, _parts: &Parts) -> Self {
        Self { id: state.fix.id.clone(), fence: state.work.fence, renewed: Instant::now() }
    }

    /// Until when a lease taken now lasts.
    pub fn until(parts: &Parts) -> Timestamp {
        parts.clock.now().plus_millis(LEASE_MS)
    }

    /// Whether an effect may be begun.
    pub fn is_fresh(&self) -> bool {
        self.renewed.elapsed() < FRESH
    }

    /// Does the work and keeps the lease meanwhile. None: the lease was lost, and the work dropped.
    pub async fn guard<T>(&mut self, parts: &Parts, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = sleep_until(self.renewed + RENEW) => {
                    if !self.renew(parts).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Asks until the answer is yes or it is too late for one. False: it is.
    async fn renew(&mut self, parts: &Parts) -> bool {
        let (asked, last) = (Instant::now(), self.renewed + DROP);
        while Instant::now() < last {
            let event = Event::Renewed { fence: self.fence, until: Self::until(parts) };
            let answer =
                tokio::time::timeout_at(last, parts.hub.advance_fix(&self.id, event, Default::default())).await;
            match answer {
                Ok(Ok(_)) => {
                    self.renewed = asked;
                    return true;
                }
                // Somebody else has it, or it is over.
                Ok(Err(refusal)) if !is_silence(refusal.code) => return false,
                _ => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        false
    }
}

/// Whether the store did not answer, rather than refuse.
fn is_silence(code: stella_protocol::Code) -> bool {
    matches!(code, stella_protocol::Code::StoreUnavailable | stella_protocol::Code::Unavailable)
}
