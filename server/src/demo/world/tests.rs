//! What the world writes, read back as a stranger would: every cause shows, only while it lasts, and
//! what is benign stays so.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use stella_protocol::Timestamp;

use super::{Truth, World};
use crate::demo::people::OFFICE;

const HOUR: Duration = Duration::from_hours(1);
const SEEDS: [u64; 3] = [1, 2, 2_026];

/// A line with the time that stands in it.
struct Read {
    at: i64,
    line: Value,
}

impl Read {
    fn of(text: &str) -> Self {
        let line: Value = serde_json::from_str(text).unwrap();
        let worded = || Timestamp::parse(line["timestamp"].as_str().unwrap()).unwrap().millis();
        let at = line["time"].as_i64().unwrap_or_else(worded);
        Self { at, line }
    }

    fn is(&self, field: &str, word: &str) -> bool {
        self.line[field].as_str() == Some(word)
    }

    fn error(&self) -> Option<&str> {
        self.line["err"]["type"].as_str().or_else(|| self.line["errorType"].as_str())
    }

    fn failed(&self) -> bool {
        self.line["success"] == Value::Bool(false)
    }

    fn duration(&self) -> Option<i64> {
        self.line["durationMs"].as_i64()
    }
}

fn start() -> Timestamp {
    Timestamp::parse("2026-03-02T08:00:00Z").unwrap()
}

/// The hour and so many minutes after "now".
fn lived(seed: u64, minutes: i64) -> (Vec<Read>, Vec<Truth>) {
    let mut world = World::new(seed, start(), HOUR);
    let lines = world.step(start().plus_millis(3_600_000 + minutes * 60_000));
    (lines.iter().map(|line| Read::of(line)).collect(), world.truth())
}

fn within<'a>(lines: &'a [Read], truth: &Truth) -> Vec<&'a Read> {
    let span = truth.begin.millis()..truth.end.millis();
    lines.iter().filter(|line| span.contains(&line.at)).collect()
}

fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values[values.len() / 2]
}

#[test]
fn the_same_seed_writes_the_same_bytes_however_the_time_is_cut() {
    let end = start().plus_millis(3_900_000);
    let whole = World::new(9, start(), HOUR).step(end);
    let mut world = World::new(9, start(), HOUR);
    let cut: Vec<String> = (1..=3_900).flat_map(|second| world.step(start().plus_millis(second * 1_000))).collect();
    assert!(whole == cut);
    assert!(whole != World::new(10, start(), HOUR).step(end));
}

#[test]
fn an_hour_has_the_lines_of_a_small_application_in_the_order_of_time() {
    for seed in SEEDS {
        let (lines, _) = lived(seed, 0);
        assert!((25_000..40_000).contains(&lines.len()), "{seed}: {}", lines.len());
        assert!(lines.windows(2).all(|two| two[0].at <= two[1].at));
        let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
        for line in &lines {
            *minutes.entry(line.at / 60_000).or_default() += 1;
        }
        assert!(minutes.values().all(|count| (180..1_080).contains(count)), "{seed}: {minutes:?}");
    }
}

#[test]
fn a_dropped_index_is_slow_while_it_is_gone_and_only_then() {
    for seed in SEEDS {
        let (lines, truths) = lived(seed, 12);
        for truth in truths.iter().filter(|truth| truth.kind == "dropped_index") {
            let (operation, limit) = match truth.operation {
                Some("get_shared_agents") => ("get_shared_agents", 200),
                _ => ("load_messages", 300),
            };
            let slow = |line: &&Read| line.is("operation", operation) && !line.failed();
            let inside: Vec<i64> = within(&lines, truth).into_iter().filter(slow).filter_map(Read::duration).collect();
            if inside.len() > 10 {
                assert!(median(inside) * 2 > limit * 3, "{seed}: {truth:?}");
            }
        }
        let outside = |line: &&Read| {
            let gone = truths.iter().filter(|truth| matches!(truth.kind, "dropped_index" | "leaked_connections"));
            let mut spans = gone.map(|truth| truth.begin.millis() - 5_000..truth.end.millis() + 5_000);
            !spans.any(|span| span.contains(&line.at))
        };
        for (operation, limit) in [("get_shared_agents", 200), ("load_messages", 300), ("get_conversations", 500)] {
            let calls = lines.iter().filter(outside).filter(|line| line.is("operation", operation));
            let slow = calls.clone().filter(|line| line.duration() > Some(limit)).count();
            assert!(slow * 50 < calls.count(), "{seed}: {operation}");
        }
    }
}

#[test]
fn an_exhausted_pool_fails_most_calls_and_says_so_within_half_a_minute() {
    for seed in SEEDS {
        let (lines, truths) = lived(seed, 5);
        let now = start().plus_millis(3_600_000).millis();
        let opening =
            truths.iter().find(|truth| truth.kind == "leaked_connections" && truth.begin.millis() >= now).unwrap();
        let down = lines
            .iter()
            .find(|line| line.at > now && line.is("component", "db-pool-conversations") && line.is("health", "down"));
        assert!(down.unwrap().at - now < 30_000, "{seed}: {}", down.unwrap().at - now);
        let hit = |line: &&&Read| line.is("operation", "load_messages") || line.is("operation", "get_conversations");
        let inside = within(&lines, opening);
        let late = inside.iter().filter(hit).filter(|line| line.at > opening.begin.millis() + 10_000);
        let (failed, calls) = (late.clone().filter(|line| line.failed()).count(), late.count());
        assert!(failed * 10 > calls * 9, "{seed}: {failed} of {calls}");
        let after = lines.iter().filter(|line| line.at > opening.end.millis() + 2_000);
        assert_eq!(after.filter(|line| line.error() == Some("PoolTimeoutError")).count(), 0, "{seed}");
    }
}

#[test]
fn a_bad_release_throws_its_own_error_only_while_it_runs() {
    for seed in SEEDS {
        let (lines, truths) = lived(seed, 2);
        let bad: Vec<&Truth> = truths.iter().filter(|truth| truth.kind == "bad_deploy").collect();
        assert!(bad.len() >= 2);
        let kinds = ["TypeError", "RangeError", "SchemaMismatchError", "NullRelevanceError"];
        let thrown = |line: &&Read| line.error().is_some_and(|kind| kinds.contains(&kind));
        for truth in bad.iter().filter(|truth| truth.begin < start().plus_millis(3_610_000)) {
            let count = within(&lines, truth).into_iter().filter(thrown).count();
            assert!(count > 5, "{seed}: {count} of {truth:?}");
        }
        let stray = lines
            .iter()
            .filter(thrown)
            .find(|line| !bad.iter().any(|truth| (truth.begin.millis()..=truth.end.millis()).contains(&line.at)));
        assert!(stray.is_none(), "{seed}: {:?}", stray.map(|line| &line.line));
    }
}

#[test]
fn an_attacker_fails_often_and_the_office_never_five_times_in_ten_minutes() {
    for seed in SEEDS {
        let (lines, truths) = lived(seed, 60);
        let failures = |addr: &str| -> Vec<i64> {
            let from = lines.iter().filter(|line| line.is("operation", "login") && line.failed());
            from.filter(|line| line.is("remoteAddr", addr)).map(|line| line.at).collect()
        };
        let office = failures(OFFICE);
        assert!(!office.is_empty(), "{seed}");
        assert!(office.windows(5).all(|five| five[4] - five[0] > 600_000), "{seed}: {office:?}");
        for truth in truths.iter().filter(|truth| truth.kind == "stuffing") {
            let addr = truth.addr.as_deref().unwrap();
            let got_in = lines.iter().any(|line| line.is("remoteAddr", addr) && !line.failed());
            if truth.end < start().plus_millis(7_200_000) {
                assert!(failures(addr).len() >= 8, "{seed}: {truth:?}");
                assert_eq!(got_in, truth.user.is_some(), "{seed}: {truth:?}");
            }
        }
    }
}

#[test]
fn a_person_before_a_clumsy_form_fails_again_and_again_and_gets_it_right_in_the_end() {
    for seed in SEEDS {
        let (lines, truths) = lived(seed, 8);
        let truth = truths.iter().find(|truth| truth.kind == "clumsy_form").unwrap();
        let user = truth.user.as_deref().unwrap();
        let theirs: Vec<&Read> =
            lines.iter().filter(|line| line.is("operation", "save_settings") && line.is("userId", user)).collect();
        let failed = theirs.iter().filter(|line| line.failed()).count();
        assert!(failed > 18, "{seed}: {failed}");
        let after = theirs.iter().find(|line| line.at > truth.end.millis());
        assert!(after.is_some_and(|line| !line.failed()), "{seed}");
    }
}

#[test]
fn misfiled_documents_are_found_by_the_check_and_their_owner_sees_none() {
    for seed in SEEDS {
        let (lines, truths) = lived(seed, 6);
        let truth = truths.iter().find(|truth| truth.kind == "orphan_writer").unwrap();
        let orphans: Vec<i64> = lines.iter().filter(|line| line.is("category", "data")).map(|line| line.at).collect();
        assert!(orphans.len() >= 20, "{seed}: {}", orphans.len());
        let caused = |at: &i64| {
            let mut writers = truths.iter().filter(|truth| truth.kind == "orphan_writer");
            writers.any(|truth| (truth.begin.millis()..truth.end.millis() + 31_000).contains(at))
        };
        assert!(orphans.iter().all(caused), "{seed}");
        let shown: Vec<i64> = lines
            .iter()
            .filter(|line| {
                line.is("operation", "get_conversations") && line.is("userId", truth.user.as_deref().unwrap())
            })
            .filter_map(|line| line.line["resultCount"].as_i64())
            .collect();
        assert!(shown.contains(&0) && shown.iter().any(|count| *count > 0), "{seed}: {shown:?}");
    }
}

#[test]
fn a_hanging_worker_says_nothing_until_it_is_restarted() {
    let (lines, truths) = lived(1, 0);
    let truth = truths.iter().find(|truth| truth.kind == "dead_worker").unwrap();
    let worker = truth.component.unwrap();
    assert_eq!(within(&lines, truth).into_iter().filter(|line| line.is("component", worker)).count(), 0);
    let before = lines.iter().filter(|line| line.is("component", worker) && line.at < truth.begin.millis()).count();
    assert!(before > 50, "{before}");
    assert!(lines.iter().any(|line| line.is("component", worker) && line.at > truth.end.millis()));
}

#[test]
fn a_world_taken_up_again_goes_on_with_the_same_story() {
    let from = start().plus_millis(3_600_000 + 3 * 3_600_000);
    let mut first = World::new(4, start(), HOUR);
    first.step(from.plus_millis(600_000));
    let mut again = World::resumed(4, start(), HOUR, from);
    let lines = again.step(from.plus_millis(600_000));
    assert!(lines.len() > 2_000);
    assert!(lines.iter().all(|line| Read::of(line).at >= from.millis()));
    assert_eq!(first.truth(), again.truth());
}

#[test]
fn a_faster_world_stamps_its_lines_with_the_clock_it_is_told() {
    let now = start().plus_millis(3_600_000);
    let mut world = World::new(4, start(), HOUR).with_speed(10.0);
    world.step(now);
    let lines = world.step(now.plus_millis(30_000));
    assert!(lines.len() > 1_200, "{}", lines.len());
    let last = Read::of(lines.last().unwrap()).at;
    assert!((now.millis() + 29_000..=now.millis() + 30_000).contains(&last));
}
