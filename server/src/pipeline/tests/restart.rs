use std::fs;

use stella_protocol::{Alert, AlertType, Evidence, Status};

use super::*;

/// Minutes of calls that are as usual, of those that a slow one follows, and of the rest.
const PARTS: [i64; 3] = [30, 12, 6];
pub(super) const STATES: [&str; 2] = ["engine.state", "engine.state.before"];

/// Calls of three operations, one of each a second; one of them takes thrice as long behind the 38th minute, and
/// another one fails for half of its calls behind the 44th.
fn calls(from_minute: i64, minutes: i64) -> Vec<LogEvent<'static>> {
    let mut calls = Vec::new();
    for second in from_minute * 60..(from_minute + minutes) * 60 {
        for (nth, (name, usual)) in [("load", 90.0), ("search", 240.0), ("save", 40.0)].into_iter().enumerate() {
            let noise = ((second * 7919 + nth as i64 * 104_729) % 100) as f64 / 100.0;
            let slow = if name == "search" && second >= 38 * 60 { 3.0 } else { 1.0 };
            let failed = name == "save" && second >= 44 * 60 && second % 2 == 0;
            calls.push(LogEvent {
                timestamp: Some(at(second * 1000 + nth as i64 * 100)),
                level: if failed { stella_protocol::Level::Error } else { stella_protocol::Level::Info },
                success: Some(!failed),
                service: "api".into(),
                message: name.into(),
                operation: Some(name.into()),
                duration_ms: Some(usual * (0.7 + 0.6 * noise) * slow),
                ..LogEvent::default()
            });
        }
    }
    calls
}

pub(super) fn part(nth: usize) -> Vec<LogEvent<'static>> {
    calls(PARTS[..nth].iter().sum(), PARTS[nth])
}

pub(super) async fn record(house: &House, lines: &[LogEvent<'_>]) {
    let line = |line| serde_json::to_string(line).unwrap() + "\n";
    let body: String = lines.iter().map(line).collect();
    house.send(&body, EngineTimeMode::Recording("trace".to_owned())).await.unwrap();
}

/// Every alert with its evidence, without what is chance: ids, and when it was taken in.
pub(super) fn everything(house: &House) -> Vec<(Alert, Evidence)> {
    let mut all: Vec<_> = house
        .hub
        .snapshot()
        .1
        .into_iter()
        .map(|alert| {
            let evidence = house.hub.evidence(&alert.id).unwrap().unwrap();
            let id = "a-0000000".parse().unwrap();
            (Alert { id, created_at: at(0), related: Vec::new(), parent_id: None, ..alert }, evidence)
        })
        .collect();
    all.sort_by(|a, b| a.0.fingerprint.raw().cmp(b.0.fingerprint.raw()));
    all
}

/// Fails where the two begin to differ.
pub(super) fn same(found: &[(Alert, Evidence)], expected: &[(Alert, Evidence)]) {
    let lines = |all: &[(Alert, Evidence)]| serde_json::to_string_pretty(all).unwrap();
    let (found, expected) = (lines(found), lines(expected));
    for (at, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {at}");
    }
    assert_eq!(found.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_after_a_kill_is_what_would_have_been_found_without_it() {
    let clock = Clock::scripted(at(7_200_000));
    let whole = tempfile::tempdir().unwrap();
    let house = House::open(whole.path(), &clock);
    for nth in 0..3 {
        record(&house, &part(nth)).await;
    }
    record(&house, &[]).await;
    let expected = everything(&house);
    assert_eq!(expected.len(), 2);
    house.close();

    // The state that was kept is older than what was found since, as after a kill; and what the last request
    // brought was kept and never looked at.
    let cut = tempfile::tempdir().unwrap();
    let house = House::open(cut.path(), &clock);
    record(&house, &part(0)).await;
    house.close();
    let old = fs::read(cut.path().join(STATES[0])).unwrap();
    let house = House::open(cut.path(), &clock);
    record(&house, &part(1)).await;
    house.close();
    for name in STATES {
        fs::write(cut.path().join(name), &old).unwrap();
    }
    let mut last = Vec::new();
    let whole = Lines::open(whole.path(), Caps::default()).unwrap();
    let first = (PARTS[0] + PARTS[1]) as u64 * 180 + 1;
    whole.replay(LineId(first), &mut |_, event| last.push(event.clone().into_owned())).unwrap();
    assert_eq!(last.len() as i64, PARTS[2] * 180);
    Lines::open(cut.path(), Caps::default()).unwrap().append(&last).unwrap();
    let house = House::open(cut.path(), &clock);
    record(&house, &[]).await;
    same(&everything(&house), &expected);
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_hour_away_what_was_usual_is_known_and_nobody_is_silent_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::scripted(at(7_200_000));
    let house = House::open(dir.path(), &clock);
    record(&house, &part(0)).await;
    house.close();
    let house = House::open(dir.path(), &clock);
    // An hour later; the slow calls begin with the third minute.
    let mut later = calls(36, 5);
    for line in &mut later {
        line.timestamp = line.timestamp.map(|at| at.plus_millis(3_600_000));
    }
    record(&house, &later).await;
    record(&house, &[]).await;
    let found: Vec<_> = everything(&house).into_iter().map(|(alert, _)| (alert.kind, alert.operation)).collect();
    assert_eq!(found, [(AlertType::PerformanceDegradation, Some(Text::new("search")))]);
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_broken_is_refused_and_a_person_is_told_until_one_is_good_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::scripted(at(7_200_000));
    let house = House::open(dir.path(), &clock);
    record(&house, &part(0)).await;
    house.close();
    for name in STATES {
        let path = dir.path().join(name);
        if let Ok(bytes) = fs::read(&path) {
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
    }
    let notice = |house: &House| {
        let alerts = house.hub.snapshot().1;
        alerts.into_iter().find(|alert| alert.kind == AlertType::Health)
    };
    let house = House::open(dir.path(), &clock);
    // What it found is told behind the notice, and it works on what the last minutes say.
    for nth in 1..3 {
        record(&house, &part(nth)).await;
    }
    record(&house, &[]).await;
    let told = notice(&house).unwrap();
    assert_eq!((told.status, told.title.raw()), (Status::New, "detection has begun afresh: the state is damaged"));
    let found = everything(&house);
    assert!(found.iter().any(|(alert, _)| alert.kind == AlertType::PerformanceDegradation), "{found:?}");
    house.close();

    let house = House::open(dir.path(), &clock);
    record(&house, &[]).await;
    // The notice is on its way by now; whoever sends it does not wait for it.
    assert!(house.hub.settle());
    assert_eq!(notice(&house).unwrap().status, Status::Resolved);
    house.close();
}
