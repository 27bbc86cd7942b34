//! The right to act on a migration, for a while: renewed as long as the work goes on, and given up in time.
//!
//! Between processes the store's time decides; inside this one the monotonic clock, so that a server that was
//! stopped and woken knows it before it acts.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stella_protocol::{Code, MigrationId, Timestamp};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::migrate::Event;
use crate::migrate::machine::LEASE_MS;
use crate::migrate::run::site::Site;

/// From one renewal to the next.
const RENEW: Duration = Duration::from_secs(10);
/// After so long without a renewal what is under way is dropped.
const DROP: Duration = Duration::from_secs(25);
/// A renewal that the store did not answer is asked for again after this long.
const AGAIN: Duration = Duration::from_millis(500);

/// The lease of one migration.
pub(super) struct Lease {
    id: MigrationId,
    fence: u64,
    /// When the renewal that was granted last was asked for.
    renewed: Mutex<Instant>,
}

impl Lease {
    /// Of a migration that was claimed; it was asked for then.
    pub fn of(id: MigrationId, fence: u64, asked: Instant) -> Self {
        Self { id, fence, renewed: Mutex::new(asked) }
    }

    /// Until when a lease taken now lasts.
    pub fn until(site: &Site) -> Timestamp {
        site.clock.now().plus_millis(LEASE_MS)
    }

    /// Does the work and keeps the lease meanwhile. None: the lease was lost, and the work dropped.
    pub async fn guard<T>(&self, site: &Site, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.keep(site) => None,
        }
    }

    async fn keep(&self, site: &Site) {
        loop {
            sleep_until(self.renewed() + RENEW).await;
            if !self.renew(site).await {
                return;
            }
        }
    }

    /// Asks until the answer is yes or it is too late for one. False: it is.
    async fn renew(&self, site: &Site) -> bool {
        let last = self.renewed() + DROP;
        while Instant::now() < last {
            let asked = Instant::now();
            let event = Event::Renewed { fence: self.fence, until: Self::until(site) };
            match timeout_at(last, site.hub.advance_migration(&self.id, event)).await {
                Ok(Ok(_)) => {
                    *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = asked;
                    return true;
                }
                Ok(Err(refusal)) if !matches!(refusal.code, Code::StoreUnavailable | Code::Unavailable) => {
                    return false;
                }
                _ => sleep(AGAIN).await,
            }
        }
        false
    }

    fn renewed(&self) -> Instant {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
