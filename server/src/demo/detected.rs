//! The demo before the real engine: what a newcomer will find in the list. The engine gets the lines
//! as the server would give them, and nothing else.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stella_detect::{Engine, Finding, Phase, Rules};
use stella_protocol::{AlertType, LineId, Severity, Text, Timestamp};

use super::World;
use super::order::{Deed, Subject};
use super::people::OFFICE;
use crate::ingest::{self, BodyKind};

const HOUR: Duration = Duration::from_hours(1);
const SEEDS: [u64; 2] = [1, 7];

/// A problem as the list shows it: the last finding, from its first.
struct Row {
    opened: Timestamp,
    last: Finding,
}

/// The engine over a world, and the rows that are open.
struct Watch {
    engine: Engine,
    lines: u64,
    second: i64,
    rows: BTreeMap<String, Row>,
    closed: Vec<Row>,
}

impl Watch {
    fn new() -> Self {
        let (rows, closed) = (BTreeMap::new(), Vec::new());
        Self { engine: Engine::new(Rules::default()), lines: 0, second: i64::MIN, rows, closed }
    }

    fn read(&mut self, lines: &[String]) {
        let body = lines.join("\n");
        let batch = ingest::parse(&body, BodyKind::Json, Timestamp::default()).unwrap();
        assert_eq!((batch.rejected, batch.accepted), (0, lines.len() as u64));
        for mut event in batch.events {
            event.engine_time = event.timestamp.unwrap();
            self.advance(event.engine_time);
            self.lines += 1;
            self.engine.observe(LineId(self.lines), &event);
            self.take();
        }
    }

    fn advance(&mut self, to: Timestamp) {
        if self.second == i64::MIN {
            self.second = to.seconds();
        }
        while self.second < to.seconds() {
            self.second += 1;
            let now = Timestamp::from_millis(self.second * 1_000);
            self.engine.advance(now);
            self.take();
            self.close_quiet(now);
        }
    }

    fn take(&mut self) {
        for finding in self.engine.drain() {
            if finding.phase == Phase::Recovered {
                self.closed.extend(self.rows.remove(&finding.fingerprint));
                continue;
            }
            let opened = self.rows.get(&finding.fingerprint).map_or(finding.detected_at, |row| row.opened);
            self.rows.insert(finding.fingerprint.clone(), Row { opened, last: finding });
        }
    }

    /// Ends what was quiet for as long as its type asks.
    fn close_quiet(&mut self, now: Timestamp) {
        let over = |row: &Row| {
            let quiet = now.since(row.last.last_at);
            match row.last.kind {
                AlertType::SecurityAnomaly => quiet >= 30 * 60_000,
                AlertType::NewError => quiet >= 60 * 60_000,
                AlertType::Silence | AlertType::Health => false,
                _ => quiet >= (10 * 60_000).max(3 * row.last.window_ms),
            }
        };
        let ended: Vec<String> = self.rows.iter().filter(|(_, row)| over(row)).map(|(key, _)| key.clone()).collect();
        self.closed.extend(ended.iter().filter_map(|key| self.rows.remove(key)));
    }
}

/// A world and its watch, at "now".
fn at_now(seed: u64) -> (World, Watch) {
    let mut world = World::new(seed, now().plus_millis(-3_600_000), HOUR);
    let mut watch = Watch::new();
    watch.read(&world.step(now()));
    (world, watch)
}

fn now() -> Timestamp {
    Timestamp::parse("2026-03-02T09:00:00Z").unwrap()
}

/// Everything by which a row says what it is about.
fn words(row: &Row) -> String {
    let labels = row.last.labels.values().map(Text::raw).collect::<Vec<_>>().join(" ");
    format!("{} {labels}", row.last.title.raw())
}

#[test]
fn the_hour_leaves_six_to_ten_problems_of_mixed_kind_and_severity() {
    for seed in [1, 2, 7] {
        let (_, watch) = at_now(seed);
        let titles: Vec<&str> = watch.rows.values().map(|row| row.last.title.raw()).collect();
        assert!((6..=10).contains(&titles.len()), "{seed}: {titles:?}");
        let severities: BTreeSet<Severity> = watch.rows.values().map(|row| row.last.severity).collect();
        let kinds: BTreeSet<AlertType> = watch.rows.values().map(|row| row.last.kind).collect();
        assert!(severities.len() >= 2 && kinds.len() >= 5, "{seed}: {titles:?}");
        let firing = |row: &&Row| now().since(row.last.last_at) < 120_000;
        let firing = watch.rows.values().filter(firing).count();
        assert!(firing >= 2 && firing < titles.len(), "{seed}: {firing} of {titles:?}");
    }
}

#[test]
fn what_is_benign_wakes_nobody() {
    for seed in SEEDS {
        let (mut world, mut watch) = at_now(seed);
        watch.read(&world.step(now().plus_millis(1_200_000)));
        for row in watch.rows.values().chain(&watch.closed) {
            let words = words(row);
            let benign = ["export_report", "rebuild_digest", "sync_documents", OFFICE];
            assert!(!benign.iter().any(|word| words.contains(word)), "{seed}: {words}");
        }
    }
}

#[test]
fn a_critical_problem_shows_within_twenty_seconds_and_another_is_over_within_a_minute() {
    for seed in SEEDS {
        let (mut world, mut watch) = at_now(seed);
        watch.read(&world.step(now().plus_millis(20_000)));
        let fresh = watch.rows.values().filter(|row| row.opened > now());
        let critical = fresh.filter(|row| row.last.severity == Severity::Critical).count();
        assert!(critical > 0, "{seed}");

        watch.read(&world.step(now().plus_millis(180_000)));
        let short = watch.rows.values().find(|row| {
            row.opened > now() && row.last.kind == AlertType::ErrorSpike && words(row).contains("search_rag")
        });
        let minute = now()..now().plus_millis(60_000);
        let short = short.unwrap();
        assert!(minute.contains(&short.opened) && minute.contains(&short.last.last_at), "{seed}: {}", words(short));
    }
}

#[test]
fn what_fixes_are_for_shows_in_time_under_a_label_that_names_it_and_nothing_else() {
    for seed in [1, 2, 7] {
        let (mut world, mut watch) = at_now(seed);
        let mut opened = |world: &mut World, until: i64, component: &str| {
            watch.read(&world.step(now().plus_millis(until)));
            let named = |row: &&Row| {
                row.opened > now() && row.last.labels.get("component").is_some_and(|label| label.raw() == component)
            };
            watch.rows.values().find(named).map(|row| (row.last.kind, row.last.severity))
        };
        let health = |severity| Some((AlertType::Health, severity));
        assert_eq!(opened(&mut world, 20_000, "db-pool-conversations"), health(Severity::High), "{seed}");
        assert_eq!(opened(&mut world, 45_000, "source-handbook"), health(Severity::Medium), "{seed}");
        assert_eq!(opened(&mut world, 230_000, "mail-sender"), health(Severity::Medium), "{seed}");
        assert_eq!(opened(&mut world, 540_000, "db-pool-chunks"), health(Severity::High), "{seed}");
    }
}

#[test]
fn a_fixed_incident_is_over_for_the_engine_while_an_unfixed_one_is_not() {
    for seed in SEEDS {
        let (mut world, mut watch) = at_now(seed);
        watch.read(&world.step(now().plus_millis(60_000)));
        for (kind, name, deed) in
            [("pools", "db-pool-conversations", Deed::Restart), ("sources", "source-handbook", Deed::Reindex)]
        {
            let subject = Subject::read(kind, name).unwrap();
            assert!(watch.rows.values().any(|row| words(row).contains(name)), "{seed}: {name}");
            world.operate(&subject, deed).unwrap();
        }
        watch.read(&world.step(now().plus_millis(80_000)));
        for name in ["db-pool-conversations", "source-handbook"] {
            assert!(!watch.rows.values().any(|row| words(row).contains(name)), "{seed}: {name}");
        }
        let spike = |row: &&Row| row.last.kind == AlertType::ErrorSpike && words(row).contains("load_messages");
        let last = watch.rows.values().chain(&watch.closed).find(spike).map(|row| row.last.last_at);
        assert!(last.is_some_and(|last| last <= now().plus_millis(65_000)), "{seed}: {last:?}");

        watch.read(&world.step(now().plus_millis(230_000)));
        world.operate(&Subject::read("services", "mail-sender").unwrap(), Deed::Restart).unwrap();
        watch.read(&world.step(now().plus_millis(300_000)));
        assert!(watch.rows.values().any(|row| words(row).contains("mail-sender")), "{seed}");
    }
}

#[test]
fn every_cause_is_found_from_the_lines_alone() {
    let (mut world, mut watch) = at_now(1);
    let until = now().plus_millis(2_400_000);
    watch.read(&world.step(until));
    let rows: Vec<&Row> = watch.rows.values().chain(&watch.closed).collect();
    for truth in world.truth().iter().filter(|truth| !truth.benign && truth.end < until) {
        let during = |row: &&&Row| row.opened <= truth.end.plus_millis(180_000) && row.last.last_at >= truth.begin;
        let about = |row: &&&Row| match truth.kind {
            "orphan_writer" => row.last.kind == AlertType::DataInconsistency,
            "stuffing" => truth.addr.as_ref().is_some_and(|addr| words(row).contains(addr)),
            _ => truth.operation.or(truth.component).is_some_and(|name| words(row).contains(name)),
        };
        let said = || rows.iter().filter(during).map(|row| words(row)).collect::<Vec<_>>().join("\n");
        assert!(rows.iter().filter(during).any(|row| about(&row)), "{truth:?}\n{}", said());
    }
}
