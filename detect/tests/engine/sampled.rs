//! Lines that stand for others: the same is found as if all were looked at, and what is of note never stands for anything.

use proptest::prelude::*;
use stella_detect::{Engine, Finding, Phase, Rules, recompute};
use stella_protocol::{Category, Level, LineId, LogEvent, Timestamp, Weight};

use crate::figures::{self, event};
use crate::stream::{Dice, START, Stream, call, error};

/// Milliseconds between lines.
const EVERY: i64 = 50;

/// Of the calls that succeed one in `each` stands for those of its operation since the last that was looked at: at an
/// error, and at the end of a second, for fewer.
fn thinned(mut events: Vec<LogEvent<'static>>, each: u32) -> Vec<LogEvent<'static>> {
    let mut waiting: Vec<(String, usize, u32)> = Vec::new();
    for place in 0..events.len() {
        let operation = events[place].operation.as_ref().map_or("", |name| name.raw()).to_owned();
        let (ends, failed) = (place % (1000 / EVERY) as usize == 0, events[place].failed());
        let stands =
            |(name, _, lines): &mut (String, usize, u32)| ends || *name == operation && (failed || *lines == each);
        for (_, last, lines) in waiting.extract_if(.., stands) {
            events[last].weight = Weight::of(lines);
        }
        if failed {
            continue;
        }
        events[place].weight = Weight::NONE;
        match waiting.iter_mut().find(|(name, ..)| *name == operation) {
            Some((_, last, lines)) => (*last, *lines) = (place, *lines + 1),
            None => waiting.push((operation, place, 1)),
        }
    }
    for (_, last, lines) in waiting {
        events[last].weight = Weight::of(lines);
    }
    events
}

fn run(events: Vec<LogEvent<'static>>) -> Stream {
    let mut stream = Stream::new();
    for event in events {
        stream.line(event).wait(EVERY);
    }
    stream
}

fn first<'s>(stream: &'s Stream, rule: &str) -> Option<&'s Finding> {
    stream.findings.iter().find(|finding| finding.rule_id == rule && finding.phase == Phase::Firing)
}

/// Calls of four operations, one in fifty of which fails; from `bad` on `save` fails one time in five, or takes twice as
/// long.
fn calls(seed: u64, count: usize, bad: usize, slow: bool) -> Vec<LogEvent<'static>> {
    let mut dice = Dice::new(seed);
    let one = |nth: usize| {
        let name = ["save", "load", "list", "open"][dice.below(4)];
        let is_bad = nth >= bad && name == "save";
        let times = if is_bad && slow { 2.0 } else { 1.0 };
        let (took, failed) =
            (dice.duration(200.0, 0.3) * times, dice.share() < if is_bad && !slow { 0.2 } else { 0.02 });
        if failed { LogEvent { user_id: None, ..error(name, "Timeout", String::new()) } } else { call(name, took) }
    };
    (0..count).map(one).collect()
}

#[test]
fn more_errors_are_found_at_the_same_line_whether_all_are_looked_at_or_one_in_sixteen() {
    for seed in 1..4 {
        let events = calls(seed, 14_000, 12_000, false);
        let (all, some) = (run(events.clone()), run(thinned(events, 16)));
        let (all, some) = (first(&all, "errors").unwrap(), first(&some, "errors").unwrap());
        assert!((all.detected_at.since(some.detected_at)).abs() <= 1000, "{seed}: {all:?} {some:?}");
        assert_eq!(all.fingerprint, some.fingerprint);
        let share = |finding: &Finding| finding.evidence.observed.as_ref().unwrap().value;
        assert!((share(all) / share(some) - 1.0).abs() < 0.1, "{seed}: {} {}", share(all), share(some));
    }
}

#[test]
fn a_slowdown_is_found_in_as_many_calls_as_are_looked_at_and_counts_all() {
    for seed in 1..4 {
        let (events, bad) = (calls(seed, 16_000, 12_000, true), START + 12_000 * EVERY);
        let (all, some) = (run(events.clone()), run(thinned(events, 8)));
        let delay = |stream: &Stream| first(stream, "slow").unwrap().detected_at.millis() - bad;
        // One in eight at most, fewer where a second or an error ends before.
        assert!(delay(&all) > 0 && delay(&some) <= 8 * delay(&all) + 2000, "{seed}: {} {}", delay(&all), delay(&some));
        let matches = |stream: &Stream| stream.findings.iter().map(|finding| finding.matches).sum::<u64>() as f64;
        assert!((matches(&some) / matches(&all) - 1.0).abs() < 0.3, "{seed}: {} {}", matches(&some), matches(&all));
    }
}

#[test]
fn nothing_is_found_in_what_is_as_usual_however_much_stands_for_other_lines() {
    for (seed, each) in [(5, 1), (5, 4), (6, 16), (7, u32::MAX)] {
        assert_eq!(run(thinned(calls(seed, 20_000, usize::MAX, false), each)).fired(), [""; 0], "{seed} {each}");
    }
}

#[test]
fn every_figure_is_counted_again_from_the_lines_with_their_weights() {
    let slow = calls(9, 8000, usize::MAX, false).into_iter().chain(calls(9, 6000, 1000, true)).collect();
    let stream = run(thinned(slow, 8));
    assert!(!stream.findings.is_empty());
    for finding in &stream.findings {
        let evidence = &finding.evidence;
        let of_reasons = evidence.reasons.iter().flat_map(|reason| &reason.figures);
        for figure in of_reasons.chain(&evidence.observed).chain(&evidence.baseline) {
            let again = recompute(figure, stream.lines.iter().map(|(line, event)| (*line, event)));
            assert_eq!(again, Some(figure.value), "{figure:?}");
        }
        assert!(evidence.reasons.iter().any(|reason| reason.text.raw().contains("that of a sample")));
    }
}

#[test]
fn a_call_that_always_succeeded_is_plain_until_something_of_it_is_of_note() {
    let mut stream = Stream::new();
    let plain =
        || LogEvent { user_id: Some("ana".into()), remote_addr: Some("192.0.2.7".into()), ..call("save", 80.0) };
    assert!(!stream.engine.worth(&plain()).is_plain, "nobody knows the operation");
    stream.lines(400, 1000, |_| plain());
    let is_plain = |event: &LogEvent<'_>| stream.engine.worth(event).is_plain;
    assert!(is_plain(&plain()));
    let nothing = [("resultCount".to_owned(), 0.into())].into_iter().collect();
    for of_note in [
        LogEvent { level: Level::Warn, ..plain() },
        LogEvent { success: Some(false), ..plain() },
        LogEvent { retry_count: Some(1), ..plain() },
        LogEvent { category: Some(Category::Security), ..plain() },
        LogEvent { message: "deployed r8812".into(), ..plain() },
        LogEvent { attributes: nothing, ..plain() },
        call("export", 80.0),
    ] {
        assert!(!is_plain(&of_note), "{of_note:?}");
    }
    let fails = || LogEvent { remote_addr: Some("203.0.113.9".into()), ..error("save", "Timeout", "ben".to_owned()) };
    stream.lines(3, 1000, |_| fails());
    let watched = LogEvent { user_id: Some("ben".into()), ..call("save", 80.0) };
    assert!(!stream.engine.worth(&watched).is_plain, "whether ben gets through now is of note");
    assert!(stream.engine.worth(&plain()).is_plain, "ana has nothing to do with it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_fails_is_loud_or_signs_in_is_never_plain(lines in figures::lines()) {
        let mut stream = Stream::new();
        for (nth, raw) in lines.iter().enumerate() {
            let line = event(nth, raw);
            let of_note = line.failed()
                || line.login.is_some()
                || line.health.is_some()
                || matches!(line.level, Level::Warn | Level::Error | Level::Metric)
                || line.category.is_some_and(|about| matches!(about, Category::Security | Category::Data))
                || !line.affected_users.is_empty();
            prop_assert!(!(of_note && stream.engine.worth(&line).is_plain), "{line:?}");
            stream.line(line).wait(i64::from(raw.2));
        }
    }

    #[test]
    fn a_line_that_counts_for_nothing_is_as_if_it_had_not_come(seed in 0_u64..1000, each in 2_u32..40) {
        let events = thinned(calls(seed, 3000, 2000, seed % 2 == 0), each);
        let said = |shows_all: bool| {
            let mut engine = Engine::new(Rules::default());
            let mut findings = Vec::new();
            for (nth, event) in events.iter().enumerate() {
                let at = START + nth as i64 * EVERY;
                if at % 1000 == 0 {
                    engine.advance(Timestamp::from_millis(at));
                }
                let event = LogEvent { engine_time: Timestamp::from_millis(at), ..event.clone() };
                if shows_all || event.weight != Weight::NONE {
                    engine.observe(LineId(nth as u64 + 1), &event);
                }
                findings.extend(engine.drain());
            }
            (serde_json::to_string(&findings).unwrap(), engine.checkpoint().to_bytes())
        };
        prop_assert!(said(true) == said(false));
    }
}
