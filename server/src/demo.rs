//! The demo: a simulated application whose incidents are caused in it and can be seen only in the
//! log lines that it sends, over HTTP like any other application. Nothing else of the server knows
//! that it is not real, and detection knows nothing of its script.
//!
//! It does not start a server and does not look at alerts; [`op2`], a simulated colleague, does, over
//! the ordinary interface.

mod application;
mod colleague;
mod control;
mod courier;
mod dice;
mod documents;
mod line;
mod operate;
mod operation;
mod order;
mod pace;
mod people;
mod place;
mod pool;
mod readers;
mod script;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use stella_protocol::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use colleague::{COLLEAGUE, op2};
pub use control::{Control, Effect, Operations};
pub use documents::{Scene, Seeded, USERS, agreed, documents};
pub use operate::{APP_FENCE, APP_KEY, APP_TOKEN, APP_URL, OPERATE, operate};
pub use pace::Paced;
pub use readers::{Readers, own_queries};
pub use script::Truth;
pub use world::World;

use crate::clock::Clock;
use control::Waiting;
use courier::Courier;
use place::Place;

/// What a newcomer does now: three lines of at most 76 columns.
pub const COACH: [&str; 3] = [
    "Enter opens the alert under the cursor: what was seen, what speaks against",
    "2 lists the fixes, f reviews one: what will run, what it cannot take back",
    "a acknowledges, R resolves, u undoes; g l shows the log lines, ? every key",
];

/// What comes after the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The world goes on with the clock until it is told to end.
    Live,
    /// So much more of the world is sent at once, and that was it. For output that ends.
    Stop {
        /// How much of the part after "now".
        after: Duration,
    },
}

/// Which world, and how it runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The same seed tells the same story.
    pub seed: u64,
    /// How fast the world runs once it is live; 1: as fast as the clock. 0.1 to 60.
    pub speed: f64,
    /// How much of it has happened before the first moment.
    pub history: Duration,
    /// What comes after that.
    pub then: Then,
    /// Folder that remembers the demo between two runs; None: it is forgotten.
    pub keep: Option<PathBuf>,
    /// When its documents are looked at.
    pub scene: Scene,
    /// How many times as much its people own there, at least 1.
    pub scale: u32,
}

impl Default for Options {
    fn default() -> Self {
        let (scene, scale) = (Scene::default(), 1);
        Self { seed: 1, speed: 1.0, history: Duration::from_hours(1), then: Then::Live, keep: None, scene, scale }
    }
}

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The HTTP client could not be made.
    #[error("prepare the demo's HTTP client: {0}")]
    Client(#[source] reqwest::Error),
    /// The server does not want what the demo sends, and asking again cannot help.
    #[error("send the demo's lines: the server answers {0}")]
    Refused(u16),
    /// A batch could not be packed.
    #[error("pack the demo's lines: {0}")]
    Pack(#[source] std::io::Error),
    /// What is remembered of the demo could not be read or written.
    #[error("remember the demo in `{file}`: {source}")]
    Remember {
        /// The file's name, without its folder.
        file: &'static str,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// What was remembered is not of a demo.
    #[error("continue the demo: `{file}` is not what a demo leaves")]
    Foreign {
        /// The file's name, without its folder.
        file: &'static str,
    },
    /// The operations interface found no place to listen.
    #[error("open the operations interface of the demo: {0}")]
    Listen(#[source] std::io::Error),
    /// The machine gave no random bytes for its token.
    #[error("make a token for the demo's operations interface: the machine gave no random bytes")]
    Token,
    /// The world ended early: its thread was stopped.
    #[error("tell the demo's history: its thread ended early")]
    Interrupted,
}

/// Lines in a batch of the history.
const BATCH_LINES: usize = 2_000;

/// How much of the world is told at once, in milliseconds.
const CHAPTER_MS: i64 = 60_000;

/// Batches that wait for the network while the world goes on being told.
const AHEAD: usize = 4;

/// From one live batch to the next.
const BEAT: Duration = Duration::from_millis(220);

/// How often the place reached is written down.
const REMEMBER_EACH_MS: i64 = 1_000;

/// Longest part of an interruption that is told afterwards, in milliseconds.
const LONGEST_GAP_MS: i64 = 600_000;

/// Names a file that gets the truth as JSON. For tests: nothing that detects may read it.
const TRUTH_FILE: &str = "STELLA_DEMO_TRUTH";

/// Runs the demo against the server at `base_url` (`http://HOST:PORT`) with a token that may ingest
/// recordings: sends the history at once, says `ready`, and goes on with the clock until `shutdown`.
///
/// What comes in at `operations` is done between two steps of the world, once it is live, and answered
/// after it is remembered.
///
/// Lines arrive at least once: a batch that was not answered is sent again, unchanged, until it is.
///
/// # Errors
/// When the server refuses the lines for good, or the demo's place cannot be remembered.
pub async fn run(
    options: Options,
    operations: Operations,
    base_url: String,
    token: String,
    clock: Clock,
    ready: oneshot::Sender<()>,
    shutdown: CancellationToken,
) -> Result<(), DemoError> {
    // An application that does not live on cannot be operated: it refuses connections at once.
    let operations = (options.then == Then::Live).then_some(operations);
    let courier = Courier::new(&base_url, token, shutdown.clone())?;
    let mut place = Place::find(&options, clock.now())?;
    let from = place.from(clock.now());
    let end = match options.then {
        Then::Live => clock.now(),
        Then::Stop { .. } => place.start.plus_millis(place.history_ms).plus_millis(after_ms(options.then)),
    };
    let world = place.world(clock.now(), &options);
    let Some(world) = tell(world, from, end, &courier).await? else { return Ok(()) };
    place.reach(&world, &options)?;
    write_truth(&world).await?;
    // Nobody may wait for it any more: that is no reason to end.
    let _ = ready.send(());
    match operations {
        Some(operations) => {
            Life { world, place, options: &options, clock: &clock }.live(operations, &courier, &shutdown).await
        }
        None => Ok(()),
    }
}

/// Milliseconds of the part after "now" that a demo which stops is to tell.
fn after_ms(then: Then) -> i64 {
    match then {
        Then::Live => 0,
        Then::Stop { after } => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
    }
}

/// Sends what happens in the world up to `end`, told on a thread of its own. None: it was shut down.
async fn tell(world: World, from: Timestamp, end: Timestamp, courier: &Courier) -> Result<Option<World>, DemoError> {
    let (send, mut batches) = mpsc::channel::<Bytes>(AHEAD);
    let teller = tokio::task::spawn_blocking(move || tell_into(world, from, end, &send));
    while let Some(batch) = batches.recv().await {
        if !courier.deliver(&batch).await? {
            return Ok(None);
        }
    }
    teller.await.map_err(|_| DemoError::Interrupted)?.map(Some)
}

fn tell_into(
    mut world: World,
    from: Timestamp,
    end: Timestamp,
    send: &mpsc::Sender<Bytes>,
) -> Result<World, DemoError> {
    let (mut until, mut lines) = (from, Vec::new());
    while until < end {
        until = until.plus_millis(CHAPTER_MS).min(end);
        lines.append(&mut world.step(until));
        while lines.len() >= BATCH_LINES || (until == end && !lines.is_empty()) {
            let batch = courier::pack(lines.drain(..BATCH_LINES.min(lines.len())))?;
            if send.blocking_send(batch).is_err() {
                return Ok(world);
            }
        }
    }
    Ok(world)
}

/// A world that goes on with the clock.
struct Life<'a> {
    world: World,
    place: Place,
    options: &'a Options,
    clock: &'a Clock,
}

impl Life<'_> {
    async fn live(
        mut self,
        mut operations: Operations,
        courier: &Courier,
        shutdown: &CancellationToken,
    ) -> Result<(), DemoError> {
        // Whatever ends this life ends its operations interface too.
        let serving = shutdown.child_token();
        let _closing = serving.clone().drop_guard();
        operations.serve(&serving);
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = self.world.truth_len();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(waiting) = operations.next() => self.settle(waiting)?,
                _ = beat.tick() => {
                    if !self.step(courier).await? {
                        return Ok(());
                    }
                }
            }
            if self.world.truth_len() > told {
                told = self.world.truth_len();
                write_truth(&self.world).await?;
            }
        }
    }

    /// Does what is asked for, remembers it, says so.
    fn settle(&mut self, waiting: Waiting) -> Result<(), DemoError> {
        let command = waiting.is_command();
        let settled = waiting.settle(&mut self.world, &mut self.place.ledger, self.clock.now());
        if command {
            self.place.reach(&self.world, self.options)?;
        }
        settled.tell();
        Ok(())
    }

    /// Sends what happened since the last step. False: it was shut down.
    async fn step(&mut self, courier: &Courier) -> Result<bool, DemoError> {
        let now = self.clock.now();
        if now.since(self.place.through) > LONGEST_GAP_MS {
            // The machine slept: hours of it told at once would keep everybody waiting.
            self.world = self.place.world(now, self.options);
        }
        let lines = self.world.step(now);
        for some in lines.chunks(BATCH_LINES) {
            if !courier.deliver(&courier::pack(some.iter().cloned())?).await? {
                return Ok(false);
            }
        }
        if now.since(self.place.through) >= REMEMBER_EACH_MS {
            self.place.reach(&self.world, self.options)?;
        }
        Ok(true)
    }
}

async fn write_truth(world: &World) -> Result<(), DemoError> {
    let Some(file) = std::env::var_os(TRUTH_FILE) else { return Ok(()) };
    let text = serde_json::to_vec(&world.truth()).unwrap_or_default();
    tokio::fs::write(file, text).await.map_err(|source| DemoError::Remember { file: TRUTH_FILE, source })
}

#[cfg(test)]
mod detected;

#[cfg(test)]
mod tests;
