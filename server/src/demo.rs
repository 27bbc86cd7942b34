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
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode, Uri};
    use axum::routing::post;
    use tokio::net::TcpListener;
    use tokio::sync::watch;

    use super::*;

    /// A server that is away for every third request and keeps what it took.
    #[derive(Clone)]
    struct Sink(Arc<Mutex<(usize, Vec<String>)>>, watch::Sender<usize>);

    async fn take(State(sink): State<Sink>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
        assert_eq!(uri.query(), Some("recording=demo"));
        if headers["authorization"] != "Bearer key" {
            return StatusCode::UNAUTHORIZED;
        }
        let mut taken = sink.0.lock().unwrap();
        taken.0 += 1;
        if taken.0 % 3 == 1 {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let mut text = String::new();
        flate2::read::GzDecoder::new(body.as_ref()).read_to_string(&mut text).unwrap();
        taken.1.extend(text.lines().map(str::to_owned));
        sink.1.send_replace(taken.1.len());
        StatusCode::OK
    }

    async fn sink() -> (Sink, String, watch::Receiver<usize>) {
        let (count, counted) = watch::channel(0);
        let sink = Sink(Arc::default(), count);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/api/stella/logs", post(take)).with_state(sink.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (sink, address, counted)
    }

    fn short() -> Options {
        Options { seed: 3, history: Duration::from_mins(10), ..Options::default() }
    }

    #[tokio::test]
    async fn every_line_arrives_in_order_though_the_server_is_away_now_and_then() {
        let (sink, address, mut counted) = sink().await;
        let now = Timestamp::from_millis(1_800_000_000_000);
        let (clock, shutdown) = (Clock::scripted(now), CancellationToken::new());
        let (ready, is_ready) = oneshot::channel();
        let running = tokio::spawn(run(
            short(),
            Operations::open(None).await.unwrap(),
            address,
            "key".to_owned(),
            clock.clone(),
            ready,
            shutdown.clone(),
        ));
        is_ready.await.unwrap();
        let mut world = World::new(3, now.plus_millis(-600_000), short().history);
        let mut lines = world.step(now);
        assert!(sink.0.lock().unwrap().1 == lines);

        clock.advance_to(now.plus_millis(20_000));
        lines.extend(world.step(now.plus_millis(20_000)));
        counted.wait_for(|count| *count >= lines.len()).await.unwrap();
        assert!(sink.0.lock().unwrap().1 == lines);

        let (told, late) = (lines.len(), now.plus_millis(7_200_000));
        clock.advance_to(late);
        let count = *counted.wait_for(|count| *count > told).await.unwrap();
        let ten_minutes =
            World::resumed(3, now.plus_millis(-600_000), short().history, late.plus_millis(-600_000)).step(late);
        assert!(count <= told + ten_minutes.len());
        assert_eq!(sink.0.lock().unwrap().1[told], ten_minutes[0]);
        shutdown.cancel();
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_demo_that_stops_sends_everything_at_once_and_ends() {
        let (sink, address, _) = sink().await;
        let now = Timestamp::from_millis(1_800_000_000_000);
        let after = Duration::from_mins(3);
        let options = Options { then: Then::Stop { after }, ..short() };
        let (ready, _) = oneshot::channel();
        run(
            options,
            Operations::open(None).await.unwrap(),
            address,
            "key".to_owned(),
            Clock::scripted(now),
            ready,
            CancellationToken::new(),
        )
        .await
        .unwrap();
        let lines = World::new(3, now.plus_millis(-780_000), short().history).step(now);
        assert!(sink.0.lock().unwrap().1 == lines);
    }

    #[tokio::test]
    async fn a_server_that_refuses_the_token_ends_the_demo_with_its_answer() {
        let (_, address, _) = sink().await;
        let (ready, _) = oneshot::channel();
        let clock = Clock::scripted(Timestamp::from_millis(1_800_000_000_000));
        let ended = run(
            short(),
            Operations::open(None).await.unwrap(),
            address,
            "no".to_owned(),
            clock,
            ready,
            CancellationToken::new(),
        )
        .await;
        assert!(matches!(ended, Err(DemoError::Refused(401))), "{ended:?}");
    }

    /// A running demo that is remembered in `folder`, and its operations interface.
    async fn kept(folder: &std::path::Path, address: &str, now: Timestamp) -> (Control, CancellationToken) {
        let options = Options { keep: Some(folder.to_owned()), ..short() };
        let operations = Operations::open(Some(folder)).await.unwrap();
        let (control, shutdown) = (operations.control().clone(), CancellationToken::new());
        let (ready, is_ready) = oneshot::channel();
        let (clock, ending) = (Clock::scripted(now), shutdown.clone());
        tokio::spawn(run(options, operations, address.to_owned(), "key".to_owned(), clock, ready, ending));
        is_ready.await.unwrap();
        (control, shutdown)
    }

    #[tokio::test]
    async fn what_was_done_to_a_kept_demo_stays_done_and_is_not_done_twice() {
        let (_sink, address, _) = sink().await;
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_800_000_000_000);
        let client = courier::client().unwrap();
        let ask = |control: &Control, method: reqwest::Method, path: &str| {
            let address = format!("{}{path}", control.url);
            client.request(method, address).bearer_auth(&control.token).header("Idempotency-Key", "fx-1.0.do")
        };
        let scale = "/services/mail-sender/scale?to=4";
        let (control, shutdown) = kept(folder.path(), &address, now).await;
        let first = ask(&control, reqwest::Method::POST, scale).send().await.unwrap().text().await.unwrap();
        shutdown.cancel();

        let (control, shutdown) = kept(folder.path(), &address, now.plus_millis(5_000)).await;
        let again = ask(&control, reqwest::Method::POST, scale).send().await.unwrap().text().await.unwrap();
        assert_eq!(again, first);
        let state = ask(&control, reqwest::Method::GET, "/services/mail-sender").send().await.unwrap();
        assert_eq!(state.json::<serde_json::Value>().await.unwrap()["replicas"], 4);
        let effects = ask(&control, reqwest::Method::GET, "/effects").send().await.unwrap();
        let effects = effects.json::<serde_json::Value>().await.unwrap();
        assert_eq!(effects["items"].as_array().map(Vec::len), Some(1), "{effects}");
        shutdown.cancel();
    }

    #[tokio::test]
    async fn a_demo_that_stops_refuses_to_be_operated() {
        let (_sink, address, _) = sink().await;
        let options = Options { then: Then::Stop { after: Duration::ZERO }, ..short() };
        let operations = Operations::open(None).await.unwrap();
        let url = operations.control().url.clone();
        let (ready, _) = oneshot::channel();
        let clock = Clock::scripted(Timestamp::from_millis(1_800_000_000_000));
        run(options, operations, address, "key".to_owned(), clock, ready, CancellationToken::new()).await.unwrap();
        let refused = courier::client().unwrap().get(format!("{url}/effects")).send().await.unwrap_err();
        assert!(refused.is_connect(), "{refused}");
    }

    #[test]
    fn the_coach_fits_the_narrowest_screen() {
        assert!(COACH.iter().all(|line| line.chars().count() <= 76));
    }
}
