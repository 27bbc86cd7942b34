//! More than the engine can look at: what is plainly normal stands for others, people are told, and what is kept shows
//! the engine the same again.

use stella_protocol::{Alert, Weight};

use super::*;
use crate::pipeline::checkpoint::Found;
use crate::pipeline::pace::{Pace, is_at_present};

/// Two hundred calls of two operations in a second, one in forty of which fails, or one in five.
fn traffic(second: i64, failing: bool) -> String {
    (0..200).fold(String::new(), |mut body, nth: i64| {
        let (time, took) = (at(second * 1000 + nth * 4), 60 + (second * 7919 + nth * 104_729) % 40);
        let (name, user) = (["list", "save"][(nth % 2) as usize], (second * 31 + nth * 7) % 900);
        let failed = nth % if failing { 5 } else { 40 } == 0;
        let (level, error) = if failed { ("ERROR", r#","errorType":"Timeout""#) } else { ("INFO", "") };
        let _ = writeln!(
            body,
            r#"{{"timestamp":"{time}","level":"{level}","service":"api","message":"{name}","operation":"{name}","durationMs":{took},"userId":"user-{user}","success":{}{error}}}"#,
            !failed
        );
        body
    })
}

/// Sends the traffic of some seconds, of each of which the engine uses so much of a core, in percent.
async fn pass(house: &House, clock: &Clock, seconds: std::ops::Range<i64>, percent: i64, failing: bool) {
    for second in seconds {
        clock.advance_to(at(second * 1000 + 999));
        clock.spend(percent * 10);
        house.send(&traffic(second, failing), EngineTimeMode::Live).await.unwrap();
    }
}

fn kept(house: &House) -> Vec<(LineId, LogEvent<'static>)> {
    let mut kept = Vec::new();
    house.lines.replay(LineId(1), &mut |line, event| kept.push((line, event.clone().into_owned()))).unwrap();
    kept
}

fn of_rule(house: &House, rule: &str) -> Option<Alert> {
    house.hub.snapshot().1.into_iter().find(|alert| alert.rule_id.raw() == rule)
}

#[tokio::test(flavor = "multi_thread")]
async fn over_its_budget_the_engine_samples_and_the_kept_lines_bring_it_to_the_same_state_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::scripted(at(0));
    let house = House::open(dir.path(), &clock);
    let mut feed = house.hub.subscribe(CursorAsk::None);
    pass(&house, &clock, 0..60, 95, false).await;
    // What fails in all operations a little waits half a minute for the alert of all.
    pass(&house, &clock, 60..110, 95, true).await;
    let told = until(&mut feed, "engine_sampling").await;
    assert!(told.contains("detection samples what is plainly normal"), "{told}");
    let lines = kept(&house);
    assert_eq!(lines.len(), 110 * 200, "every line is kept");
    let weighs =
        |lines: &[(LineId, LogEvent<'_>)]| lines.iter().map(|(_, event)| u64::from(event.weight.lines())).sum::<u64>();
    assert_eq!(weighs(&lines), 110 * 200, "and counted once");
    assert!(lines.iter().any(|(_, event)| event.weight.lines() > 8), "it samples");
    assert!(lines.iter().all(|(_, event)| !event.failed() || event.weight == Weight::ONE), "errors are looked at");
    let epoch = house.hub.head().cursor.epoch;
    house.close();

    let found = StateFile::in_folder(dir.path()).load(&rules(), epoch, lines[lines.len() - 1].0);
    let (place, live) = if let Found::Good(place, live) = found { Some((place, live)) } else { None }.unwrap();
    let mut again = Pace::new(rules());
    let mut found = Vec::new();
    for (line, event) in &lines {
        again.lead_to(event.engine_time, is_at_present(event), &mut |_, _| {});
        again.engine.observe(*line, event);
        found.extend(again.engine.drain());
    }
    let last = Timestamp::from_millis(place.stand.second.unwrap() * 1000);
    again.lead_to(last, true, &mut |_, _| {});
    found.extend(again.engine.drain());
    assert!(found.iter().any(|finding| finding.rule_id.starts_with("errors")), "{found:?}");
    assert!(live.engine.checkpoint() == again.engine.checkpoint(), "live and read again differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_load_is_over_every_line_is_looked_at_again_and_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::scripted(at(0));
    let house = House::open(dir.path(), &clock);
    pass(&house, &clock, 0..30, 95, false).await;
    let mut second = 30;
    let mut is_open = true;
    while is_open && second < 600 {
        pass(&house, &clock, second..second + 1, 5, false).await;
        second += 1;
        is_open = of_rule(&house, "engine_sampling").is_none_or(|alert| alert.status.is_open());
    }
    assert!(!is_open, "{:?}", of_rule(&house, "engine_sampling"));
    pass(&house, &clock, second..second + 1, 5, false).await;
    let lines = kept(&house);
    assert!(lines.iter().any(|(_, event)| event.weight == Weight::NONE));
    assert!(lines[lines.len() - 200..].iter().all(|(_, event)| event.weight == Weight::ONE));
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_life_before_told_of_its_load_is_over_after_a_restart_and_a_recording_is_no_load() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::scripted(at(0));
    let house = House::open(dir.path(), &clock);
    let mut feed = house.hub.subscribe(CursorAsk::None);
    pass(&house, &clock, 0..30, 95, false).await;
    until(&mut feed, "engine_sampling").await;
    drop(feed);
    house.close();
    let house = House::open(dir.path(), &clock);
    // The notice was sent before the first line was taken, so the hub has it when that line's findings are in.
    pass(&house, &clock, 30..31, 5, false).await;
    send_plain(&house, "").await;
    let alert = of_rule(&house, "engine_sampling").unwrap();
    assert!(!alert.status.is_open(), "{alert:?}");
    house.close();

    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::scripted(at(3_600_000)));
    let house = House::open(dir.path(), &clock);
    for second in 0..30 {
        clock.advance_to(at(3_600_000 + second * 1000));
        clock.spend(1000);
        house.send(&traffic(second, false), EngineTimeMode::Recording("trace".to_owned())).await.unwrap();
    }
    assert!(kept(&house).iter().all(|(_, event)| event.weight == Weight::ONE));
    house.close();
}
