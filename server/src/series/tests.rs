#![expect(clippy::unwrap_used, reason = "tests")]

use stella_protocol::series::Spread;

use super::*;

const START: i64 = 1_780_000_200_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

fn book() -> SeriesBook {
    SeriesBook::new(&Rules::default())
}

fn call(millis: i64, operation: &str, duration: f64) -> LogEvent<'_> {
    LogEvent {
        engine_time: at(millis),
        operation: Some(operation.into()),
        duration_ms: Some(duration),
        ..LogEvent::default()
    }
}

fn metric(millis: i64, name: &str, value: f64) -> LogEvent<'_> {
    LogEvent {
        engine_time: at(millis),
        level: Level::Metric,
        metric: Some(name.into()),
        value: Some(value),
        ..LogEvent::default()
    }
}

fn value(book: &SeriesBook, id: &str, from: i64, to: i64, step: i64) -> Vec<Option<f64>> {
    points(book, id, from, to, step).into_iter().map(|spread| spread.map(|spread| spread.mean)).collect()
}

fn points(book: &SeriesBook, id: &str, from: i64, to: i64, step: i64) -> Vec<Option<Spread>> {
    let page = book.buckets(&[id], at(from), at(to), step);
    page.items[0].points.iter().map(|point| point.value).collect()
}

/// Observes and advances second by second, as the engine does.
fn live(book: &mut SeriesBook, lines: &[LogEvent<'_>], until: i64) -> Vec<MetricsSample> {
    let mut samples = Vec::new();
    let mut lines = lines.iter().peekable();
    let first = lines.peek().map_or(0, |line| line.engine_time.since(at(0)) / 1000);
    for second in first..=until / 1000 {
        samples.extend(book.advance(at(second * 1000)));
        while let Some(line) = lines.next_if(|line| line.engine_time < at((second + 1) * 1000)) {
            book.observe(line);
        }
    }
    samples
}

#[test]
fn a_quiet_bucket_that_was_watched_has_a_rate_of_zero_and_no_quantile() {
    let mut book = book();
    let lines: Vec<_> = (0..10).map(|n| call(n * 500, "load_messages", 100.0)).collect();
    let samples = live(&mut book, &lines, 10_000);
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[0].values["events.rate"], Some(2.0));
    assert_eq!(samples[0].values["op.load_messages.p95"], Some(100.0));
    assert_eq!(samples[1].values["events.rate"], Some(0.0));
    assert_eq!(samples[1].values["op.load_messages.rate"], Some(0.0));
    assert_eq!(samples[1].values["op.load_messages.p95"], None);
    assert_eq!(samples[1].values["op.load_messages.errors"], None);
}

#[test]
fn a_time_that_nobody_watched_is_a_gap() {
    let mut book = book();
    live(&mut book, &[call(0, "x", 1.0)], 5000);
    book.advance(at(60_000));
    book.advance(at(65_000));
    let rate = value(&book, "events.rate", 0, 65_000, 5000);
    assert_eq!((rate[0], rate[1], rate[2], rate[11], rate[12]), (Some(0.2), Some(0.0), None, None, Some(0.0)));
}

#[test]
fn the_quantile_of_a_minute_is_that_of_all_its_calls_and_keeps_the_spike() {
    let mut book = book();
    // 55 s with one call each second, then 5 s with twenty slow ones each second.
    let mut lines: Vec<_> = (0..55).map(|n| call(n * 1000, "search_rag", 100.0)).collect();
    lines.extend((0..100).map(|n| call(55_000 + n * 50, "search_rag", 1000.0)));
    live(&mut book, &lines, 60_000);
    let minute = points(&book, "op.search_rag.p50", 0, 60_000, 60_000)[0].unwrap();
    assert!((minute.mean - 1000.0).abs() <= 20.0, "{minute:?}");
    assert_eq!((minute.min, minute.max), (100.0, 1000.0));
    let rate = points(&book, "op.search_rag.rate", 0, 60_000, 60_000)[0].unwrap();
    assert!((rate.mean - 155.0 / 60.0).abs() < 1e-9);
    assert_eq!((rate.min, rate.max), (1.0, 20.0));
}

#[test]
fn the_step_is_the_finest_kept_one_that_is_wide_enough_and_reaches_back() {
    let mut book = book();
    live(&mut book, &[call(0, "x", 1.0)], 10_000);
    let step = |from: i64, step: i64| book.buckets(&["events.rate"], at(from), at(10_000), step).items[0].step_ms;
    assert_eq!((step(0, 1), step(0, 5000), step(0, 6000), step(0, 99_999_999)), (5000, 5000, 60_000, 600_000));
    assert_eq!((step(-7_200_000, 1), step(-90_000_000, 1)), (60_000, 600_000));
    let back = book.buckets(&["events.rate", "no.such"], at(-1_000_000_000_000), at(i64::MAX / 4), 1);
    assert_eq!(back.items.len(), 1);
    assert!(back.items[0].points.len() <= WIDTHS[2].kept);
}

#[test]
fn the_last_value_is_that_of_the_newest_closed_bucket() {
    let mut book = book();
    let samples = live(&mut book, &[metric(1000, "queue", 4.0), metric(6000, "queue", 8.0)], 10_000);
    let series = book.buckets(&["metric.queue"], at(0), at(10_000), 5000).items.remove(0);
    assert_eq!(series.last, Some(8.0));
    assert_eq!(samples[1].values["metric.queue"], series.last);
    assert_eq!(series.points.last().unwrap().value.map(|value| value.mean), Some(8.0));
}

#[test]
fn a_metric_line_is_no_message() {
    let mut book = book();
    let samples = live(&mut book, &[metric(0, "queue", 4.0)], 5000);
    assert_eq!(samples[0].values["events.rate"], Some(0.0));
    assert_eq!(samples[0].values["metric.queue"], Some(4.0));
}

#[test]
fn cache_hits_come_from_lines_and_from_a_metric_in_either_unit() {
    let mut book = book();
    let hit = |millis, hit: bool| {
        let mut event = call(millis, "load_messages", 1.0);
        event.attributes.insert("cacheHit".to_owned(), hit.into());
        event
    };
    let lines = [hit(0, true), hit(1, false), metric(5000, "cacheHitRate", 0.75), metric(10_000, "cacheHitRate", 75.0)];
    let samples = live(&mut book, &lines, 15_000);
    let hits: Vec<_> = samples.iter().map(|sample| sample.values["cacheHitRate"]).collect();
    assert_eq!(hits, [Some(50.0), Some(75.0), Some(75.0)]);
}

#[test]
fn invented_names_are_counted_together_and_do_not_drive_out_the_known() {
    let mut book = book();
    let names: Vec<String> = (0..1000).map(|n| format!("invented-{n}")).collect();
    book.observe(&call(0, "get_conversations", 5.0));
    for name in &names {
        book.observe(&call(0, name, 5.0));
        book.observe(&metric(0, name, 5.0));
    }
    book.advance(at(5000));
    assert!(book.operations.len() <= NAMED + 1 && book.metrics.len() <= NAMED + 1);
    assert_eq!(value(&book, "op.get_conversations.rate", 0, 5000, 5000), [Some(0.2)]);
    assert_eq!(value(&book, "op.other.rate", 0, 5000, 5000), [Some(801.0 / 5.0)]);
    assert_eq!(value(&book, "metric.other", 0, 5000, 5000), [Some(5.0)]);
}

#[test]
fn a_name_quiet_for_a_day_gives_way() {
    let mut book = book();
    let names: Vec<String> = (0..NAMED).map(|n| format!("old-{n}")).collect();
    for name in &names {
        book.observe(&call(0, name, 5.0));
    }
    book.advance(at(GIVES_WAY_MS + 1000));
    book.observe(&call(GIVES_WAY_MS + 1000, "fresh", 5.0));
    let tracks = book.tracks.len();
    assert!(book.by_id.contains_key("op.fresh.p95") && !book.by_id.contains_key("op.old-0.p95"));
    assert_eq!(tracks, FIXED.len() + NAMED * Operation::SERIES);
}

#[test]
fn limits_stand_beside_the_quantiles_they_are_meant_for() {
    let mut book = book();
    book.observe(&call(0, "get_shared_agents", 5.0));
    let limit = |id: &str| book.buckets(&[id], at(0), at(0), 1).items[0].limit;
    assert_eq!((limit("op.get_shared_agents.p95"), limit("op.get_shared_agents.rate")), (Some(200.0), None));
}

#[test]
fn the_snapshot_has_half_an_hour_in_minutes_with_the_open_one() {
    let mut book = book();
    let lines: Vec<_> = (0..2500).map(|n| call(n * 1000, "x", n as f64)).collect();
    live(&mut book, &lines, 2_500_000);
    let series = book.snapshot().into_iter().find(|series| series.id.raw() == "events.rate").unwrap();
    assert_eq!((series.step_ms, series.points.len()), (60_000, 31));
    assert!(series.points.iter().all(|point| (point.value.unwrap().mean - 1.0).abs() < 1e-9));
}

#[test]
fn unusual_is_measured_against_the_hour_before() {
    let mut book = book();
    let failing = |n: i64, every: i64| LogEvent { success: Some(n % every != 0), ..call(n * 200, "x", 1.0) };
    let mut lines: Vec<_> = (0..12_000).map(|n| failing(n, 10)).collect();
    lines.extend((12_000..12_300).map(|n| failing(n, 2)));
    live(&mut book, &lines, 2_460_000);
    let share = book.error_share();
    assert!((share.at_most - 30.0).abs() < 1.0, "{share:?}");
    assert!((share.percent.unwrap() - 50.0).abs() < 1.0, "{share:?}");
}

#[test]
fn a_book_read_back_and_fed_the_last_lines_again_is_the_same_book() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<_> = (0..3000).map(|n| call(n * 500, "get_conversations", (n * 37 % 900) as f64)).collect();
    let mut whole = book();
    live(&mut whole, &lines, 1_500_000);
    let mut file = SeriesFile::open(dir.path()).unwrap();
    file.save(&whole.take_unsaved()).unwrap();
    drop(file);
    let mut again = SeriesFile::open(dir.path()).unwrap().load(&Rules::default()).unwrap();
    let resume = again.resume_from();
    assert!(resume > at(0) && resume <= at(1_500_000));
    let kept: Vec<_> = lines.iter().filter(|line| line.engine_time >= resume.plus_millis(-300_000)).cloned().collect();
    live(&mut again, &kept, 1_500_000);
    for step in [5000, 60_000, 600_000] {
        for id in ["events.rate", "errors.percent", "op.get_conversations.p95", "avgQueryTime"] {
            assert_eq!(value(&again, id, 0, 1_500_000, step), value(&whole, id, 0, 1_500_000, step), "{id} {step}");
        }
    }
}
