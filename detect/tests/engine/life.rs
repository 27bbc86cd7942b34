//! What outlives a moment: a state that is kept, what people called false, and what belongs together.

use proptest::prelude::*;
use stella_detect::{Checkpoint, Engine, Phase, Refused, Rules};
use stella_protocol::log::{ComponentHealth, Login};
use stella_protocol::{Level, LineId, LogEvent, Timestamp};

use crate::figures::{Raw, event, lines};
use crate::stream::{START, Stream, call, error, login};

fn user(nth: usize) -> String {
    format!("user-{nth}@example.com")
}

/// What an engine says of the lines that is taken down and up again every `every` lines.
fn said(lines: &[Raw], rules: &Rules, every: usize) -> String {
    let mut engine = Engine::new(rules.clone());
    let (mut now, mut second, mut findings) = (START, START, Vec::new());
    for (nth, raw) in lines.iter().enumerate() {
        if nth % every == every - 1 {
            let bytes = engine.checkpoint().to_bytes();
            engine = Engine::restore(rules.clone(), &Checkpoint::from_bytes(&bytes).unwrap()).unwrap();
            assert_eq!(engine.checkpoint().to_bytes(), bytes, "the state of a restored engine is the state");
        }
        let mut event = event(nth, raw);
        event.engine_time = Timestamp::from_millis(now);
        engine.observe(LineId(nth as u64 + 1), &event);
        now += if raw.2 < 450 { 0 } else { i64::from(raw.2) * 4 };
        while second + 1000 <= now {
            second += 1000;
            engine.advance(Timestamp::from_millis(second));
        }
        if nth % 7 == 0 {
            findings.extend(engine.drain());
        }
    }
    findings.extend(engine.drain());
    serde_json::to_string(&findings).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_restored_engine_says_the_same_bytes_as_one_that_never_stopped(lines in lines(), every in 20..200_usize) {
        let rules = Rules { warm_up_lines: 20, warm_up_ms: 5000, ..Rules::default() };
        prop_assert_eq!(said(&lines, &rules, usize::MAX), said(&lines, &rules, every));
        let small = Rules { remembered_lines: 64, kept_lines: 16, operations: 8, people: 8, incidents: 4, ..rules };
        prop_assert_eq!(said(&lines, &small, usize::MAX), said(&lines, &small, every));
    }
}

fn lived() -> Engine {
    let mut engine = Engine::new(Rules { remembered_lines: 64, kept_lines: 16, ..Rules::default() });
    for nth in 0..300_u64 {
        let mut event = login(Login::Failed, format!("198.51.100.{}", nth % 9), user(nth as usize % 7));
        event.engine_time = Timestamp::from_millis(START + nth as i64 * 500);
        engine.observe(LineId(nth), &event);
    }
    engine
}

#[test]
fn a_state_that_is_damaged_or_of_another_edition_is_refused() {
    let rules = Rules { remembered_lines: 64, kept_lines: 16, ..Rules::default() };
    let bytes = lived().checkpoint().to_bytes();
    let restore =
        |bytes: &[u8]| Checkpoint::from_bytes(bytes).and_then(|kept| Engine::restore(rules.clone(), &kept)).map(|_| ());
    assert_eq!(restore(&bytes), Ok(()));
    for at in (0..bytes.len()).step_by(997) {
        let mut broken = bytes.clone();
        broken[at] ^= 0x10;
        assert!(restore(&broken).is_err(), "byte {at}");
        assert!(restore(&bytes[..at]).is_err(), "cut at {at}");
    }
    let mut newer = bytes.clone();
    newer[8] += 1;
    assert_eq!(restore(&newer), Err(Refused::Foreign));
    let kept = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!(Engine::restore(Rules::default(), &kept).err(), Some(Refused::Bounds));
    assert_eq!(Refused::Corrupt.to_string(), "the state is damaged");
}

#[test]
fn a_state_crosses_a_wire_as_well() {
    let kept = lived().checkpoint();
    let text = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<Checkpoint>(&text).unwrap(), kept);
}

/// A report that takes three times as long for two minutes, as each hour; then half an hour of calm.
fn slow_hour(stream: &mut Stream, minutes: usize) {
    stream.lines(60 * minutes, 1000, |_| call("digest", 300.0)).lines(1800, 1000, |_| call("digest", 100.0));
}

fn alerts(stream: &Stream) -> usize {
    let told = stream.findings.iter().filter(|finding| finding.phase == Phase::Firing);
    told.map(|finding| finding.detected_at).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn what_was_called_false_is_not_told_again_but_what_is_greater_is() {
    let mut stream = Stream::new();
    stream.lines(1800, 1000, |_| call("digest", 100.0));
    slow_hour(&mut stream, 2);
    assert_eq!(alerts(&stream), 1);
    let fingerprint = stream.last("slow").fingerprint.clone();
    let at = Timestamp::from_millis(stream.now);
    assert!(stream.engine.mark_false(&fingerprint, at) && !stream.engine.mark_false("slow|nobody", at));
    for _ in 0..5 {
        slow_hour(&mut stream, 2);
    }
    assert_eq!(alerts(&stream), 1, "the same again is hidden");
    slow_hour(&mut stream, 10);
    assert_eq!(alerts(&stream), 2, "five times as much is not");
    let reasons = &stream.last("slow").evidence.reasons;
    assert!(reasons.iter().any(|reason| reason.text.raw().starts_with("called a false positive before")));

    let marks: Vec<_> = stream.engine.lessons().cloned().collect();
    assert_eq!(
        marks.iter().map(|mark| (mark.fingerprint.as_str(), mark.times)).collect::<Vec<_>>(),
        [(fingerprint.as_str(), 1)]
    );
    assert!(stream.engine.unmark(&fingerprint) && !stream.engine.unmark(&fingerprint));
    slow_hour(&mut stream, 2);
    assert_eq!(alerts(&stream), 3, "taken back, it is told of again");
    stream.engine.learn(marks[0].clone());
    assert_eq!(stream.engine.lessons().count(), 1);
}

#[test]
fn what_began_together_with_the_same_cause_names_its_parent() {
    let mut stream = Stream::new();
    stream.lines(900, 500, |nth| LogEvent { user_id: Some(user(nth % 50).into()), ..call("save", 80.0) });
    let down = || LogEvent {
        level: Level::Error,
        service: "api".into(),
        component: Some("db-pool".into()),
        health: Some(ComponentHealth::Down),
        message: "no connection".into(),
        ..LogEvent::default()
    };
    stream.line(down()).wait(500).lines(60, 500, |nth| error("save", "PoolTimeout", user(nth % 50)));
    stream.line(down()).wait(2000);
    let errors = stream.last("errors");
    assert_eq!(errors.parent.as_ref(), Some(&stream.last("health").fingerprint));
    assert!(stream.last("health").parent.is_none());
    assert!(errors.evidence.correlated.iter().any(|other| other.text.raw() == "db-pool is down"));
    let later = &stream.last("health").evidence.correlated;
    assert!(later.iter().any(|other| other.offset_ms > 0), "what it explains began after it: {later:?}");
    assert!(later.iter().all(|other| other.offset_ms >= 0), "nothing was there before it: {later:?}");
}

#[test]
fn of_the_problems_that_may_be_on_one_kind_is_told_of_by_half_and_the_rest_is_counted() {
    let mut stream = Stream::with(Rules { incidents: 80, ..Rules::default() });
    for round in 0..12 {
        for nth in 0..60 {
            stream.line(login(Login::Failed, format!("198.51.100.{nth}"), user(round * 60 + nth))).wait(200);
        }
    }
    stream.wait(20_000);
    let addresses =
        stream.findings.iter().filter(|finding| finding.kind == stella_protocol::AlertType::SecurityAnomaly);
    let shown: std::collections::BTreeSet<_> = addresses.map(|finding| &finding.fingerprint).collect();
    assert_eq!(shown.len(), 40);
    let last = stream.findings.last().unwrap();
    assert!(last.held_back >= 15, "{}", last.held_back);
    assert!(last.description.raw().ends_with("more of this kind are counted and not shown."));
}
