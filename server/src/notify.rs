//! Tells one webhook of what somebody must look at: a new or reopened critical alert, a fix that waits
//! for approval, a fix whose end only a person can say.
//!
//! It follows the kept events, and notes how far it has told only after it has: a restart neither loses
//! a message nor tells the past again, a crash in between repeats the last one under the same delivery
//! id. It decides nothing, takes no answer but the status, and never holds up the writer: while a
//! receiver is slow, the events wait in the store.

mod courier;
mod ledger;
mod message;
mod storm;
#[cfg(test)]
mod tests;
mod words;

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::hub::{Hub, HubError};
use crate::store::{Meta, Replay, StoreError, StoredEvent, Tx, Write};
use courier::{Courier, Delivered};
use ledger::Ledger;
use message::{Message, Subject};
use storm::Storm;

/// Under which name the position is kept.
const ROOM: &str = "notify";
/// Events read from the store at once; so many that hold nothing to tell are passed before that is noted.
const PAGE: u32 = 500;

/// Where messages go.
#[derive(Clone)]
pub struct Webhook {
    /// `https://…`. Whoever knows it may write there, so it is as secret as the secret.
    pub url: String,
    /// What signs the messages; None: they are not signed.
    pub secret: Option<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

/// How fast it goes.
#[derive(Debug, Clone)]
struct Pace {
    /// The longest wait before the second try of a message.
    first_pause: Duration,
    /// The longest wait between two tries, unless the receiver asks for more.
    longest_pause: Duration,
    /// Most tries of a message.
    tries: u32,
    /// How long a message is tried.
    patience: Duration,
    /// How long one answer may take.
    timeout: Duration,
    /// More messages than this within `window` are a storm.
    burst: usize,
    /// A storm is told at most once in so long.
    window: Duration,
    /// How long the first ones of a storm gather.
    settle: Duration,
    /// How long to wait before a store that did not answer is asked again.
    again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_mins(1),
            tries: 10,
            patience: Duration::from_hours(1),
            timeout: Duration::from_secs(10),
            burst: 20,
            window: Duration::from_mins(1),
            settle: Duration::from_secs(5),
            again: Duration::from_secs(1),
        }
    }
}

/// Tells `webhook` until `shutdown`, or until the hub has ended. Whatever was not delivered by then is
/// told by the next run on the same store.
pub async fn run(webhook: Webhook, hub: Hub, clock: Clock, shutdown: CancellationToken) {
    run_at(&Pace::default(), webhook, hub, clock, shutdown).await;
}

async fn run_at(pace: &Pace, webhook: Webhook, hub: Hub, clock: Clock, shutdown: CancellationToken) {
    let courier = match Courier::new(webhook, pace, clock.clone()) {
        Ok(courier) => courier,
        Err(error) => {
            tracing::error!(error = %error, "no notifications are sent");
            return;
        }
    };
    let told = Teller { hub, clock, courier, pace, ledger: Ledger::default(), storm: Storm::new(pace), kept: None };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        Err(Ended) = told.follow() => {}
    }
}

/// The hub has ended.
struct Ended;

struct Teller<'a> {
    hub: Hub,
    clock: Clock,
    courier: Courier,
    pace: &'a Pace,
    ledger: Ledger,
    storm: Storm,
    /// The position that the store has; None: none yet.
    kept: Option<u64>,
}

impl Teller<'_> {
    async fn follow(mut self) -> Result<std::convert::Infallible, Ended> {
        let mut changed = self.hub.changed();
        self.take_up().await?;
        loop {
            changed.mark_unchanged();
            while self.read_page().await? {
                self.sum_up_if_due().await?;
            }
            self.sum_up_if_due().await?;
            let due = self.storm.due();
            tokio::select! {
                woken = changed.changed() => woken.map_err(|_| Ended)?,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    /// Goes on where the last run ended. The first one begins now: what is open already is not news.
    async fn take_up(&mut self) -> Result<(), Ended> {
        let head = self.hub.head().cursor;
        match self.read(|hub| hub.room_note(ROOM)).await.map(|note| Ledger::read(&note)) {
            Some(Some(ledger)) if ledger.epoch == head.epoch && ledger.seq <= head.seq => {
                self.kept = Some(ledger.seq);
                self.ledger = ledger;
                Ok(())
            }
            Some(known) => {
                tracing::warn!("the feed is another one than the notifications followed: telling what is new in it");
                self.ledger = known.unwrap_or_default();
                self.look_around(true).await
            }
            None => self.look_around(false).await,
        }
    }

    /// Takes all that is in sight for one event, where the events themselves cannot be had.
    async fn look_around(&mut self, tell: bool) -> Result<(), Ended> {
        let sight = self.hub.in_sight();
        let alerts = sight.alerts.into_iter().map(|alert| Subject::Alert(Box::new(alert)));
        let subjects: Vec<Subject> =
            alerts.chain(sight.fixes.into_iter().map(|fix| Subject::Fix(Box::new(fix)))).collect();
        let mut next = self.ledger.moved(sight.cursor);
        next.retain(|id| subjects.iter().any(|subject| subject.id() == id));
        let news: Vec<Message> = subjects.iter().filter_map(|subject| next.weigh(subject)).collect();
        for message in news.into_iter().filter(|_| tell) {
            if let Some(message) = self.storm.admit(message, Instant::now()) {
                self.deliver(&message).await;
            }
        }
        self.ledger = next;
        self.keep().await
    }

    /// Reads on; false: there is nothing new.
    async fn read_page(&mut self) -> Result<bool, Ended> {
        let after = self.ledger.seq;
        if self.hub.head().cursor.seq <= after {
            return Ok(false);
        }
        match self.read(move |hub| hub.events_after(after, PAGE).map(Some)).await {
            Some(Replay::Page(events)) => {
                let more = !events.is_empty();
                for event in events {
                    self.take(&event).await?;
                }
                if self.ledger.seq - self.kept.unwrap_or(0) >= u64::from(PAGE) {
                    self.keep().await?;
                }
                Ok(more)
            }
            Some(Replay::Expired { oldest }) => {
                tracing::warn!(after, oldest, "events were deleted before the webhook was told: telling what is left");
                self.look_around(true).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn take(&mut self, event: &StoredEvent) -> Result<(), Ended> {
        self.ledger.seq = event.seq;
        let Some(message) = Subject::read(event).and_then(|subject| self.ledger.weigh(&subject)) else {
            return Ok(());
        };
        if let Some(message) = self.storm.admit(message, Instant::now()) {
            self.deliver(&message).await;
            self.keep().await?;
        }
        Ok(())
    }

    async fn sum_up_if_due(&mut self) -> Result<(), Ended> {
        match self.storm.take_due(Instant::now()) {
            Some(message) => {
                self.deliver(&message).await;
                self.keep().await
            }
            None => Ok(()),
        }
    }

    async fn deliver(&mut self, message: &Message) {
        match self.courier.deliver(message).await {
            Delivered::Yes => {}
            Delivered::GivenUp { why, undelivered } => {
                tracing::error!(delivery = %message.delivery, why, undelivered, "a notification was given up");
            }
        }
    }

    /// Notes how far everything was told, however often that has to be tried. While a storm gathers
    /// there is nothing to note: its messages were not told.
    async fn keep(&mut self) -> Result<(), Ended> {
        while self.storm.is_still() && self.kept != Some(self.ledger.seq) {
            let writes = vec![Write::Meta(Meta::Room(ROOM), self.ledger.written())];
            let tx = Tx { at: self.clock.now(), writes, ..Tx::default() };
            match self.hub.commit(tx).await {
                Ok(()) => self.kept = Some(self.ledger.seq),
                Err(HubError::Stopped) => return Err(Ended),
                Err(error) => {
                    tracing::warn!(error = %error, "failed to note how far the webhook was told");
                    sleep(self.pace.again).await;
                }
            }
        }
        Ok(())
    }

    /// Asks the store, however often that has to be tried.
    async fn read<T, F>(&self, ask: F) -> Option<T>
    where
        T: Send + 'static,
        F: Fn(&Hub) -> Result<Option<T>, StoreError> + Clone + Send + 'static,
    {
        loop {
            let (hub, ask) = (self.hub.clone(), ask.clone());
            match tokio::task::spawn_blocking(move || ask(&hub)).await {
                Ok(Ok(found)) => return found,
                Ok(Err(error)) => tracing::error!(error = %error, "failed to read what the webhook must be told"),
                Err(_) => tracing::error!("failed to read what the webhook must be told: the reader panicked"),
            }
            sleep(self.pace.again).await;
        }
    }
}
