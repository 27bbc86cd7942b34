#![expect(clippy::unwrap_used, reason = "tests")]

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
