//! The teller on a real hub and store, against a real receiver.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use stella_protocol::health::EngineClock;
use stella_protocol::{
    ActionRequest, Alert, Fix, FixStatus, LineId, Principal, Role, Severity, Target, Text, Timestamp, Verb,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Pace, Webhook, run_at};
use crate::alerts::sample;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::remedy::{Event, Intent, machine};
use crate::store::conformance::fixes::draft;
use crate::store::{SqliteStore, Store};

const START: i64 = 1_700_000_000_000;
const SECRET: &str = "between us";

/// A critical alert.
pub(super) fn critical(number: usize) -> Alert {
    let mut alert = sample::alert("search", number, START).alert;
    alert.severity = Severity::Critical;
    alert
}

/// A fix that stands so.
pub(super) fn fix(number: u64, status: FixStatus) -> Fix {
    let id = format!("fx-{number}").parse().unwrap();
    let mut fix =
        machine::open(draft("restart-pool", "service:search"), id, Timestamp::from_millis(START)).unwrap().fix;
    fix.status = status;
    fix
}

/// What arrived.
struct Arrived {
    headers: HeaderMap,
    body: String,
}

impl Arrived {
    fn said(&self, field: &str) -> String {
        serde_json::from_str::<Value>(&self.body).unwrap()[field].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }
}

/// A receiver that gives the scripted answers first and then thanks.
struct Receiver {
    url: String,
    answers: Arc<Mutex<VecDeque<u16>>>,
    arrived: mpsc::UnboundedReceiver<Arrived>,
}

impl Receiver {
    async fn new() -> Self {
        let (told, arrived) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(VecDeque::<u16>::new()));
        let script = Arc::clone(&answers);
        let hook = post(move |headers: HeaderMap, body: String| async move {
            let status = script.lock().unwrap().pop_front().unwrap_or(200);
            told.send(Arrived { headers, body }).unwrap();
            StatusCode::from_u16(status).unwrap()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", hook)).await });
        Self { url, answers, arrived }
    }

    fn answers(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    async fn next(&mut self) -> Arrived {
        tokio::time::timeout(Duration::from_secs(20), self.arrived.recv()).await.unwrap().unwrap()
    }
}

struct House {
    hub: Hub,
    store: Arc<SqliteStore>,
    clock: Clock,
    thread: JoinHandle<()>,
    folder: TempDir,
    line: u64,
}

/// A run of the teller.
struct Telling {
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Telling {
    async fn end(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

impl House {
    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), 0)
    }

    fn open(folder: TempDir, line: u64) -> Self {
        let clock = Clock::scripted(Timestamp::from_millis(START));
        let store = Arc::new(SqliteStore::open(folder.path(), clock.now()).unwrap());
        let (hub, thread) = Hub::start(Arc::clone(&store) as Arc<dyn Store>, clock.clone()).unwrap();
        Self { hub, store, clock, thread, folder, line }
    }

    fn reopened(self) -> Self {
        self.hub.stop();
        self.thread.join().unwrap();
        drop((self.hub, self.store));
        Self::open(self.folder, self.line)
    }

    fn tell(&self, receiver: &Receiver, pace: Pace) -> Telling {
        let shutdown = CancellationToken::new();
        let webhook = Webhook { url: receiver.url.clone(), secret: Some(SECRET.to_owned()) };
        let (hub, clock, ending) = (self.hub.clone(), self.clock.clone(), shutdown.clone());
        let task = tokio::spawn(async move { run_at(&pace, webhook, hub, clock, ending).await });
        Telling { shutdown, task }
    }

    /// Told of, from here on: the position is kept.
    async fn telling(&self, receiver: &Receiver, pace: Pace) -> Telling {
        let telling = self.tell(receiver, pace);
        until("it has a position", || self.hub.room_note(super::ROOM).unwrap().is_some()).await;
        telling
    }

    /// Waits until everything up to now is noted as told.
    async fn noted(&self) {
        let all_told = || {
            let note = self.hub.room_note(super::ROOM).unwrap();
            note.and_then(|note| super::Ledger::read(&note)).is_some_and(|note| note.seq == self.hub.head().cursor.seq)
        };
        until("all is noted as told", all_told).await;
    }

    /// One critical alert a title.
    fn finds(&mut self, titles: &[String]) -> Vec<Alert> {
        self.line += 1;
        let finding = |(number, title): (usize, &String)| {
            let mut finding = sample::finding(&format!("{}-{number}", self.line), START);
            (finding.title, finding.severity) = (Text::new(title.clone()), Severity::Critical);
            finding
        };
        let findings = titles.iter().enumerate().map(finding).collect();
        let at = Timestamp::from_millis(START);
        let engine = EngineClock { last: Some(at), recording: false, lines: self.line };
        self.hub.apply(findings, LineId(self.line), at, engine).unwrap();
        self.hub
            .snapshot()
            .1
            .into_iter()
            .filter(|alert| titles.iter().any(|title| title == alert.title.raw()))
            .collect()
    }

    async fn act(&self, verb: Verb, alert: &Alert) {
        let now = self.hub.alert(&alert.id).unwrap().unwrap();
        let targets = vec![Target { id: now.id, version: now.version }];
        let ask = ActionRequest { verb, targets, text: Some(Text::new("because")), part: None };
        let by = Principal { name: Text::new("ana"), role: Role::Admin };
        self.hub.act(&by, &format!("{}-{}", verb.word(), now.version), ask).await.unwrap();
    }

    async fn pending_fix(&self, target: &str) -> Fix {
        let rule = Principal { name: Text::new("rule:slow"), role: Role::Admin };
        let fix = self.hub.propose_fix(&rule, None, [0; 32], draft("restart-pool", target)).await.unwrap().body;
        let rehearsed = Event::Rehearsed(Ok(Vec::new()));
        self.hub.advance_fix(&fix.id, rehearsed, Intent::default()).await.unwrap().fix.clone()
    }
}

/// Waits for what no event tells of.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    assert!(waited.is_ok(), "never: {what}");
}

/// As ever, but in milliseconds.
fn quick() -> Pace {
    let pause = Duration::from_millis(2);
    Pace { first_pause: pause, longest_pause: pause, again: pause, settle: pause, ..Pace::default() }
}

fn one(title: &str) -> [String; 1] {
    [title.to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_matters_is_told_signed_once_and_the_past_is_not() {
    let (mut house, mut receiver) = (House::new(), Receiver::new().await);
    let old = house.finds(&one("old"));
    house.pending_fix("service:old").await;
    let telling = house.telling(&receiver, quick()).await;
    house.act(Verb::Acknowledge, &old[0]).await;
    let alert = house.finds(&one("search is down")).remove(0);
    let told = receiver.next().await;
    let text = format!("Critical alert {}: search is down · 2-0", alert.id);
    assert_eq!((told.said("text"), told.said("id")), (text, alert.id.to_string()));
    assert_eq!((told.said("kind").as_str(), told.said("severity").as_str()), ("critical_alert", "critical"));
    assert!(told.header("stella-delivery").ends_with(alert.id.as_str()));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("1700000000.{}", told.body).as_bytes());
    let digest = mac.finalize().into_bytes();
    assert_eq!(told.header("stella-signature"), format!("t=1700000000,v1={digest:x}"));

    house.act(Verb::Note, &alert).await;
    house.act(Verb::Resolve, &alert).await;
    house.act(Verb::Reopen, &alert).await;
    let told = receiver.next().await;
    assert!(told.said("text").starts_with(&format!("Critical alert {} is back: ", alert.id)), "{}", told.body);
    let fix = house.pending_fix("service:search").await;
    let told = receiver.next().await;
    assert_eq!((told.said("id"), told.said("kind").as_str()), (fix.id.to_string(), "fix_pending"));
    assert_eq!((told.said("risk").as_str(), told.said("service").as_str()), ("medium", "service:search"));
    telling.end().await;
    assert!(receiver.arrived.try_recv().is_err(), "nothing else was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_tried_again_under_its_name_and_then_given_up() {
    let (mut house, mut receiver) = (House::new(), Receiver::new().await);
    receiver.answers(&[500, 429, 200, 404, 307, 503, 503, 503, 200]);
    let telling = house.telling(&receiver, Pace { tries: 3, ..quick() }).await;
    house.finds(&one("first"));
    let (one_try, again, taken) = (receiver.next().await, receiver.next().await, receiver.next().await);
    assert_eq!(one_try.body, again.body);
    assert_eq!(one_try.header("stella-delivery"), taken.header("stella-delivery"));
    house.finds(&one("refused"));
    assert!(receiver.next().await.said("text").contains("refused"));
    house.finds(&one("redirected"));
    assert!(receiver.next().await.said("text").contains("redirected"));
    house.finds(&one("too often"));
    for _ in 0..3 {
        assert!(receiver.next().await.said("text").contains("too often"));
    }
    house.finds(&one("after all"));
    let told = receiver.next().await;
    assert!(told.said("text").contains("after all"));
    assert_eq!(serde_json::from_str::<Value>(&told.body).unwrap()["undelivered"], 3);
    house.noted().await;
    telling.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_tells_exactly_what_was_not_delivered() {
    let (mut house, mut receiver) = (House::new(), Receiver::new().await);
    let telling = house.telling(&receiver, quick()).await;
    house.finds(&one("delivered"));
    assert!(receiver.next().await.said("text").contains("delivered"));
    house.noted().await;
    let patient = Duration::from_hours(1);
    telling.end().await;
    receiver.answers(&[500]);
    let telling = house.tell(&receiver, Pace { first_pause: patient, longest_pause: patient, ..quick() });
    house.finds(&one("refused"));
    let refused = receiver.next().await;
    telling.end().await;
    let mut house = house.reopened();
    let unseen = house.finds(&one("nobody listened"));
    let telling = house.tell(&receiver, quick());
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!((&first.body, first.header("stella-delivery")), (&refused.body, refused.header("stella-delivery")));
    assert_eq!(second.said("id"), unseen[0].id.to_string());
    house.noted().await;
    telling.end().await;
    let telling = house.tell(&receiver, quick());
    house.finds(&one("the next"));
    assert!(receiver.next().await.said("text").contains("the next"));
    telling.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_becomes_one_line_with_its_count_also_across_a_restart() {
    let (mut house, mut receiver) = (House::new(), Receiver::new().await);
    let long = Duration::from_hours(1);
    let telling = house.telling(&receiver, Pace { settle: long, ..quick() }).await;
    let titles: Vec<String> = (0..70).map(|number| format!("alert {number}")).collect();
    house.finds(&titles);
    for _ in 0..20 {
        assert_eq!(receiver.next().await.said("kind"), "critical_alert");
    }
    let last_alone = house.hub.head().cursor.seq - 50;
    let told = || super::Ledger::read(&house.hub.room_note(super::ROOM).unwrap().unwrap()).unwrap().seq;
    until("what goes alone is noted", || told() == last_alone).await;
    telling.end().await;
    let house = house.reopened();
    let telling = house.tell(&receiver, Pace { burst: 0, ..quick() });
    let summary = receiver.next().await;
    assert_eq!(summary.said("kind"), "summary");
    assert!(summary.said("text").starts_with("50 more messages at once: 50 critical alerts (a-"), "{}", summary.body);
    house.noted().await;
    telling.end().await;
    assert!(receiver.arrived.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_comes_out_clean() {
    let (mut house, mut receiver) = (House::new(), Receiver::new().await);
    let telling = house.telling(&receiver, quick()).await;
    house.finds(&one("\x1b[2J\u{202e}<!channel> & \u{200b}\u{7}\r\n<https://evil|ok>"));
    let told = receiver.next().await;
    let text = told.said("text");
    assert!(text.contains(": \u{fffd}[2J\u{fffd}&lt;!channel&gt; &amp; "), "{text}");
    assert!(!text.contains(['<', '>', '\u{202e}', '\u{200b}']) && !text.contains(char::is_control));
    assert!(!told.said("title").contains(char::is_control));
    telling.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teller_of_another_history_tells_what_is_new_in_sight() {
    let (mut house, mut receiver) = (House::new(), Receiver::new().await);
    let telling = house.telling(&receiver, quick()).await;
    let known = house.finds(&one("known")).remove(0);
    assert_eq!(receiver.next().await.said("id"), known.id.to_string());
    house.noted().await;
    telling.end().await;
    let news = house.finds(&one("new")).remove(0);
    let note = house.hub.room_note(super::ROOM).unwrap().unwrap();
    let mut ledger = super::Ledger::read(&note).unwrap();
    ledger.epoch ^= 1;
    let writes = vec![crate::store::Write::Meta(crate::store::Meta::Room(super::ROOM), ledger.written())];
    house.hub.commit(crate::store::Tx { writes, ..crate::store::Tx::default() }).await.unwrap();
    let telling = house.tell(&receiver, quick());
    assert_eq!(receiver.next().await.said("id"), news.id.to_string());
    house.noted().await;
    telling.end().await;
    assert!(receiver.arrived.try_recv().is_err());
}
