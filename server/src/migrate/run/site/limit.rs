//! Documents a second, at most: as the person says who set a limit. It is asked before each write to the store, so
//! that another limit acts within a batch.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::{Ended, Run};

/// What was not used of the last so long may be used now: else a store that answers late would stay below the limit.
const SPARE: Duration = Duration::from_secs(1);

/// Up to when the time is used up by what was written; None: nothing was limited yet. Whoever waits holds it, so
/// that writes go out in the order in which they came.
#[derive(Debug, Default)]
pub struct Limit(Mutex<Option<Instant>>);

impl Run {
    /// Documents a second, at most; None: no limit.
    ///
    /// # Errors
    /// When it is not this server's any more.
    pub fn rate(&self) -> Result<Option<u32>, Ended> {
        Ok(self.state()?.migration.limits.rate.filter(|rate| *rate > 0))
    }

    /// Waits until so many documents may be written at once; a limit that changes meanwhile counts from then on.
    ///
    /// # Errors
    /// When it is to end: nothing was begun.
    pub async fn due(&self, documents: usize) -> Result<(), Ended> {
        let asked = Instant::now();
        let spare = asked.checked_sub(SPARE).unwrap_or(asked);
        let mut used = self.limit.0.lock().await;
        let is_below = used.is_none_or(|used| used <= spare);
        let from = used.map_or(spare, |used| used.max(spare));
        let (mut changed, mut waited) = (self.site.hub.changed(), false);
        loop {
            self.check()?;
            let Some(rate) = self.rate()? else {
                *used = None;
                self.voice.hold(None);
                return Ok(());
            };
            let due = from + Duration::from_secs_f64(documents as f64 / f64::from(rate));
            if due <= Instant::now() {
                *used = Some(due);
                if is_below && !waited {
                    self.voice.hold(None);
                }
                return Ok(());
            }
            waited = true;
            self.voice.hold(Some(format!("at most {rate} documents a second")));
            tokio::select! {
                () = sleep_until(due) => {}
                heard = changed.changed() => heard.map_err(|_| Ended::Lost)?,
            }
        }
    }
}
