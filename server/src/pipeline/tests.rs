#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use stella_detect::Rules;
use stella_protocol::{LineId, LogEvent};

use super::*;
use crate::hub::{CursorAsk, Delivery, Filter, Kinds, Subscription};
use crate::lines::{Caps, LineSearch, Lines};
use crate::redact::Mode;
use crate::series::{SeriesBook, SeriesFile};
use crate::store::SqliteStore;

mod load;
mod restart;
mod teaching;

const NOW: i64 = 1_780_000_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW + millis)
}

/// The calls of these tests are too few to know what is usual: somebody set a limit.
fn rules() -> Rules {
    Rules { fixed_limits_ms: [("get_shared_agents".to_owned(), 200.0)].into(), ..Rules::default() }
}

/// The rooms around a pipeline, on a folder.
struct House {
    lines: Arc<Lines>,
    series: Arc<Mutex<SeriesBook>>,
    hub: Hub,
    pipeline: Pipeline,
    threads: Vec<JoinHandle<()>>,
}

impl House {
    fn open(dir: &Path, clock: &Clock) -> Self {
        let rules = rules();
        let lines = Arc::new(Lines::open(dir, Caps::default()).unwrap());
        let file = SeriesFile::open(dir).unwrap();
        let series = Arc::new(Mutex::new(file.load(&rules).unwrap()));
        let store = Arc::new(SqliteStore::open(dir, clock.now()).unwrap());
        let (hub, hub_thread) = Hub::start(store, clock.clone()).unwrap();
        let rooms = Rooms {
            lines: lines.clone(),
            series: series.clone(),
            file,
            state: StateFile::in_folder(dir),
            hub: hub.clone(),
            clock: clock.clone(),
            rules,
        };
        let (pipeline, thread) = Pipeline::start(rooms).unwrap();
        Self { lines, series, hub, pipeline, threads: vec![thread, hub_thread] }
    }

    fn close(self) {
        let Self { hub, pipeline, threads, .. } = self;
        let mut threads = threads.into_iter();
        drop(pipeline);
        threads.next().unwrap().join().unwrap();
        hub.stop();
        drop(hub);
        for thread in threads {
            thread.join().unwrap();
        }
    }

    async fn send(&self, body: &str, mode: EngineTimeMode) -> Result<IngestResponse, IngestError> {
        let redactor = Arc::new(Redactor::new(Mode::Local));
        self.pipeline.take(Bytes::from(body.to_owned()), BodyKind::Json, mode, redactor, Text::from("test")).await
    }
}

/// Calls of `get_shared_agents` that take 734 ms, one a second from `from` seconds on.
fn slow_calls(from: i64, count: i64) -> String {
    (from..from + count).fold(String::new(), |mut body, second| {
        let time = at(second * 1000);
        let _ = writeln!(
            body,
            r#"{{"timestamp":"{time}","level":"INFO","service":"api","message":"GET /agents","operation":"get_shared_agents","durationMs":734}}"#
        );
        body
    })
}

/// Frames until one of them holds `wanted`.
async fn until(subscription: &mut Subscription, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        match tokio::time::timeout(PATIENCE, subscription.next()).await {
            Ok(Delivery::Frames(frames)) => text.push_str(std::str::from_utf8(&frames).unwrap()),
            other => assert!(matches!(other, Ok(Delivery::Frames(_))), "{wanted} did not come: {other:?} after {text}"),
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_line_is_kept_with_its_engine_time_before_the_sender_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), &Clock::scripted(at(60_000)));
    let body = format!("{}not json\n", slow_calls(58, 2));
    let response = house.send(&body, EngineTimeMode::Live).await.unwrap();
    assert_eq!((response.accepted, response.rejected, response.errors[0].line), (2, 1, 3));
    let page = house.lines.search(&LineSearch::default()).unwrap();
    let times: Vec<_> = page.items.iter().map(|line| line.event.engine_time).collect();
    assert_eq!(times, [at(58_000), at(59_000)]);
    assert_eq!(page.items[0].event.received_at, at(60_000));
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_utf8_is_refused_and_an_empty_one_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), &Clock::scripted(at(0)));
    let redactor = Arc::new(Redactor::new(Mode::Local));
    let body = Bytes::from_static(b"{\"message\":\"\xff\"}");
    let taken = house.pipeline.take(body, BodyKind::Json, EngineTimeMode::Live, redactor, Text::from("test")).await;
    assert_eq!(taken, Err(IngestError::NotUtf8));
    assert_eq!(house.send("", EngineTimeMode::Live).await, Ok(IngestResponse::default()));
    assert_eq!(house.lines.newest(), None);
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_calls_become_an_alert_and_are_told_in_the_original_form() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), &Clock::scripted(at(20_000)));
    let mut feed = house.hub.subscribe(CursorAsk::None);
    house.send(&slow_calls(0, 20), EngineTimeMode::Live).await.unwrap();
    let told = until(&mut feed, "event: alert\n").await;
    let told = if told.contains("Slow get_shared") { told } else { until(&mut feed, "Slow get_shared").await };
    assert!(told.contains("Slow get_shared_agents: 734ms (threshold: 200ms)"), "{told}");
    let alert = house.hub.snapshot().1.remove(0);
    assert_eq!(alert.operation.as_ref().map(Text::raw), Some("get_shared_agents"));
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objective_that_is_written_while_the_server_runs_counts_from_the_next_line_on() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::scripted(at(7_200_000)));
    let house = House::open(dir.path(), &clock);
    let text = "[[detection.objective]]\nservice = \"api\"\npercent = 99.9\n";
    house.hub.load_rules(crate::rules::read("s.toml", text).unwrap()).unwrap();
    let calls = (0..2400).fold(String::new(), |mut body, second| {
        let (time, success) = (at(second * 1000), second < 1800 || second % 2 == 0);
        let _ = writeln!(
            body,
            r#"{{"timestamp":"{time}","service":"api","message":"pay","operation":"pay","success":{success}}}"#
        );
        body
    });
    house.send(&calls, EngineTimeMode::Recording("calls".to_owned())).await.unwrap();
    restart::record(&house, &[]).await;
    let rules: Vec<_> = house.hub.snapshot().1.iter().map(|alert| alert.rule_id.raw().to_owned()).collect();
    assert!(rules.iter().any(|rule| rule == "slo"), "{rules:?}");
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_nothing_is_counted_twice_and_what_was_kept_only_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::scripted(at(30_000));
    let house = House::open(dir.path(), &clock);
    let mut feed = house.hub.subscribe(CursorAsk::None);
    house.send(&slow_calls(0, 20), EngineTimeMode::Live).await.unwrap();
    until(&mut feed, "event: alert\n").await;
    // The clock alone makes the engine tell the last call.
    clock.advance_to(at(40_000));
    until(&mut feed, "\"occurrences\":20,").await;
    drop(feed);
    let before = house.hub.snapshot().1.remove(0);
    house.close();

    // Five calls whose sender was answered and that nobody looked at: as after a kill.
    let kept: Vec<LogEvent<'_>> = (40..45)
        .map(|second| LogEvent {
            timestamp: Some(at(second * 1000)),
            received_at: at(45_000),
            engine_time: at(second * 1000),
            service: "api".into(),
            message: "GET /agents".into(),
            operation: Some("get_shared_agents".into()),
            duration_ms: Some(734.0),
            ..LogEvent::default()
        })
        .collect();
    Lines::open(dir.path(), Caps::default()).unwrap().append(&kept).unwrap();

    clock.advance_to(at(50_000));
    for _restart in 0..2 {
        let house = House::open(dir.path(), &clock);
        let mut feed = house.hub.subscribe(CursorAsk::None);
        // A line of a later second lets the engine tell what it gathered, and is no match itself.
        let calm = format!(r#"{{"timestamp":"{}","level":"WARN","severity":"low","message":"tick"}}"#, at(49_000));
        house.send(&calm, EngineTimeMode::Live).await.unwrap();
        until(&mut feed, "\"message\":\"tick\"").await;
        house.close();
    }
    let house = House::open(dir.path(), &clock);
    let alerts = house.hub.snapshot().1;
    assert_eq!((alerts.len(), &alerts[0].id, alerts[0].occurrences), (1, &before.id, 25));
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_has_its_own_time_and_the_clock_says_so_until_it_has_caught_up() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), &Clock::scripted(at(3_600_000)));
    let recording = || EngineTimeMode::Recording("demo".to_owned());
    house.send(&slow_calls(0, 2), recording()).await.unwrap();
    house.send(&slow_calls(100, 1), recording()).await.unwrap();
    // The clock is noted after the answer; the next request is behind it.
    house.send(&slow_calls(200, 1), recording()).await.unwrap();
    let clock = house.pipeline.engine_clock();
    assert!(clock.recording && clock.last >= Some(at(100_000)));
    house.send(&slow_calls(3590, 1), recording()).await.unwrap();
    house.send(&slow_calls(3599, 1), recording()).await.unwrap();
    assert!(!house.pipeline.engine_clock().recording);
    let page = house.lines.search(&LineSearch::default()).unwrap();
    let times: Vec<_> = page.items.iter().map(|line| line.event.engine_time.since(at(0)) / 1000).collect();
    assert_eq!(times, [0, 1, 100, 200, 3590, 3599]);
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_lines_that_fail_too_often_are_an_alert_in_a_fresh_pipe_live_and_recorded() {
    let line = |nth: i64| {
        let (level, what) = if nth % 7 == 6 { ("ERROR", "failed") } else { ("INFO", "done") };
        format!("{} {level} api checkout {what} for order {nth}\n", at(nth * 55))
    };
    let body: String = (0..18 * 60).map(line).collect();
    let recorded = EngineTimeMode::Recording("pipe".to_owned());
    // A live line is believed while it is near its receipt; a recording is older.
    for (mode, hours) in [(EngineTimeMode::Live, 0), (recorded, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::scripted(at(30_000 + hours * 3_600_000));
        let house = House::open(dir.path(), &clock);
        let mut feed = house.hub.subscribe(CursorAsk::None);
        let redactor = Arc::new(Redactor::new(Mode::Local));
        let bytes = Bytes::from(body.clone());
        house.pipeline.take(bytes, BodyKind::PlainText, mode, redactor, Text::from("test")).await.unwrap();
        let told = until(&mut feed, "event: alert\n").await;
        assert!(told.contains(r#""ruleId":"errors""#), "{told}");
        house.close();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_lines_are_told_only_while_somebody_asks() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), &Clock::scripted(at(0)));
    let mut ordinary = house.hub.subscribe(CursorAsk::None);
    let filter = Filter { kinds: Kinds::read("log_line"), ..Filter::default() };
    let mut curious = house.hub.subscribe(CursorAsk::None).only(filter);
    house.send(&slow_calls(0, 3), EngineTimeMode::Live).await.unwrap();
    let told = until(&mut curious, "GET /agents").await;
    assert!(told.contains("event: log_line\n"));
    assert!(!until(&mut ordinary, "Slow get_shared_agents").await.contains("event: log_line\n"));
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_series_count_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::scripted(at(900_000));
    let house = House::open(dir.path(), &clock);
    let recording = EngineTimeMode::Recording("demo".to_owned());
    house.send(&slow_calls(0, 895), recording).await.unwrap();
    let points = |house: &House| {
        let book = house.series.lock().unwrap();
        book.buckets(&["op.get_shared_agents.p95", "events.rate"], at(0), at(890_000), 60_000).items
    };
    house.close();
    let house = House::open(dir.path(), &clock);
    house.send(&slow_calls(896, 2), EngineTimeMode::Live).await.unwrap();
    house.send(&slow_calls(899, 1), EngineTimeMode::Live).await.unwrap();
    let items = points(&house);
    let means: Vec<_> = items[0].points.iter().map(|point| point.value.map(|value| value.mean)).collect();
    assert!(means.len() >= 14 && means.iter().all(|mean| *mean == Some(734.0)), "{means:?}");
    assert!(items[1].points.iter().all(|point| (point.value.unwrap().mean - 1.0).abs() < 0.2), "{:?}", items[1].points);
    house.close();
}

/// Failed logins, eight from each of `addresses` addresses, all at `second`.
fn guesses(second: i64, addresses: i64) -> String {
    (0..addresses * 8).fold(String::new(), |mut body, nth| {
        let (time, address) = (at(second * 1000), nth / 8);
        let _ = writeln!(
            body,
            "{time} bastion sshd[900]: Failed password for user{nth} from 203.0.113.{address} port 40000 ssh2"
        );
        body
    })
}

async fn send_plain(house: &House, body: &str) {
    let (redactor, mode) = (Arc::new(Redactor::new(Mode::Local)), EngineTimeMode::Recording("pipe".to_owned()));
    let body = Bytes::from(body.to_owned());
    house.pipeline.take(body, BodyKind::PlainText, mode, redactor, Text::from("test")).await.unwrap();
}

/// What the hub was told, without the ids, which are chance.
fn told(house: &House) -> Vec<String> {
    let alerts = house.hub.snapshot().1;
    let mut told: Vec<_> = alerts
        .iter()
        .map(|alert| {
            let times = (alert.first_seen, alert.detected_at, alert.last_seen);
            format!("{:?} {:?} {} {times:?}", alert.title, alert.fingerprint, alert.occurrences)
        })
        .collect();
    told.sort_unstable();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_recording_tells_what_was_held_back_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), &Clock::scripted(at(3_600_000)));
    send_plain(&house, &guesses(0, 180)).await;
    send_plain(&house, "").await;
    let alerts = house.hub.snapshot().1;
    let addresses = alerts.iter().filter(|alert| alert.title.raw().contains("203.0.113.")).count();
    assert_eq!(addresses, 180, "{:?}", told(&house));
    let clock = house.pipeline.engine_clock();
    send_plain(&house, "").await;
    assert_eq!(house.pipeline.engine_clock(), clock);
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_behind_the_end_of_a_recording_are_found_the_same_when_they_are_read_again() {
    let clock = Clock::scripted(at(3_600_000));
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let house = House::open(first.path(), &clock);
    send_plain(&house, &guesses(0, 120)).await;
    send_plain(&house, "").await;
    let led = house.pipeline.engine_clock().last.unwrap();
    house.close();
    // After a restart too a line goes behind the steps that the engine has taken.
    let house = House::open(first.path(), &clock);
    send_plain(&house, &guesses(1, 130)).await;
    send_plain(&house, "").await;
    let (live, mut kept) = (told(&house), Vec::new());
    house.lines.replay(LineId(1), &mut |_, event| kept.push(event.clone().into_owned())).unwrap();
    let times: Vec<_> = kept.iter().map(|event| event.engine_time).collect();
    assert_eq!((times.len(), times[959], times[960]), (250 * 8, at(0), led));
    house.close();

    Lines::open(second.path(), Caps::default()).unwrap().append(&kept).unwrap();
    let house = House::open(second.path(), &clock);
    send_plain(&house, "").await;
    assert_eq!(told(&house), live);
    house.close();
}
