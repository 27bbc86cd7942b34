//! Says how far a phase is: to readers as often as they can follow, to the hub once a second.
//!
//! A phase says what it has done; what is told is the ledger's counts, and what the meter makes of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stella_protocol::migration::{Counts, PhaseName, Progress};
use stella_protocol::{Text, Timestamp};
use tokio::time::{Instant, sleep};

use super::{Ended, Run};
use crate::migrate::Event;
use crate::migrate::progress::Meter;

/// From one word to readers to the next.
const SAID: Duration = Duration::from_millis(250);
/// From one word to the hub to the next.
const KEPT: Duration = Duration::from_secs(1);

/// How far a phase is.
#[derive(Debug, Clone, Default)]
struct Gauge {
    done: u64,
    total: u64,
    /// What the plan says that there is at least.
    expected: u64,
    batches: (u64, u64),
    collection: Option<Text>,
    kept_at: Option<Timestamp>,
    /// Why it waits, besides the throttle's reasons.
    hold: Option<String>,
}

/// What a run has to say.
#[derive(Debug, Default)]
pub struct Voice {
    gauge: Mutex<Gauge>,
    meter: Mutex<Meter>,
}

impl Voice {
    fn gauge(&self) -> MutexGuard<'_, Gauge> {
        self.gauge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another phase begins.
    pub fn begin(&self) {
        *self.gauge() = Gauge::default();
        *self.meter() = Meter::new();
    }

    /// It did so much of so much, in documents, the last of it in this collection.
    pub fn at(&self, done: u64, total: u64, collection: &str) {
        let mut gauge = self.gauge();
        (gauge.done, gauge.total) = (done.min(total), total);
        gauge.collection = Some(Text::new(collection.to_owned()));
    }

    /// There is so much to do of it at least: the ledger knows a part only when its batches are made.
    pub fn expect(&self, total: u64) {
        self.gauge().expected = total;
    }

    /// So many batches of so many are in the ledger, since then.
    pub fn batches(&self, batches: (u64, u64), at: Option<Timestamp>) {
        let mut gauge = self.gauge();
        (gauge.batches, gauge.kept_at) = (batches, at);
    }

    /// It waits, and why; None: no more.
    pub fn hold(&self, why: Option<String>) {
        self.gauge().hold = why;
    }
}

impl Run {
    /// Says it for as long as it is not dropped.
    pub async fn keep_saying(&self, phase: PhaseName) {
        let mut told: Option<(Counts, Option<Text>)> = None;
        let mut kept = Instant::now();
        loop {
            if let Ok((counts, hold)) = self.say(phase).await
                && kept.elapsed() >= KEPT
                && told.as_ref() != Some(&(counts, hold.clone()))
            {
                kept = Instant::now();
                told = Some((counts, hold.clone()));
                let event = Event::Checkpoint { fence: self.fence, counts, hold };
                if let Err(refusal) = self.site.hub.advance_migration(&self.id, event).await {
                    tracing::debug!(migration = %self.id, code = ?refusal.code, "a checkpoint was not taken");
                }
            }
            sleep(SAID).await;
        }
    }

    /// Says it once.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn say(&self, phase: PhaseName) -> Result<(Counts, Option<Text>), Ended> {
        let counts = self.counts(phase).await?;
        let mut gauge = self.voice.gauge().clone();
        if phase == PhaseName::Copy {
            // Where it stops and goes on again, both say the same: what the canary did is done.
            (gauge.done, gauge.total) = (counts.settled(), counts.planned);
        }
        gauge.total = gauge.total.max(gauge.expected);
        let hold = gauge.hold.or_else(|| self.throttle().hold().map(str::to_owned)).map(Text::new);
        let at = self.site.clock.now();
        let progress = {
            let mut meter = self.voice.meter();
            meter.checkpoint(at.millis(), gauge.done, gauge.total);
            meter.hold(hold.clone());
            Progress {
                id: self.id.clone(),
                phase,
                at,
                total: gauge.total,
                done: gauge.done,
                rate: meter.rate(),
                rate_10m: meter.rate_10m(),
                eta: meter.eta(),
                counts,
                collection: gauge.collection,
                hold_reason: hold.clone(),
                checkpoint_at: gauge.kept_at,
                batches: gauge.batches,
            }
        };
        self.site.hub.put_migration_progress(progress);
        Ok((counts, hold))
    }
}
