//! Samples: a series that leaves its past, a gauge on its way to its limit, a budget that is spent.

use std::collections::BTreeMap;

use stella_detect::series::ramp::Side;
use stella_detect::{Checkpoint, Engine, GaugeLimit, Objective, Rules};
use stella_protocol::{Level, LogEvent, Severity};

use crate::figures::check;
use crate::stream::{Dice, START, Stream, call, error};

const MINUTE: i64 = 60_000;
/// A sample each fifteen seconds: rows of four hours, in which a series becomes known.
const KNOWN: usize = 960;

fn sample(metric: &str, unit: &'static str, value: f64) -> LogEvent<'static> {
    LogEvent {
        level: Level::Metric,
        message: metric.to_owned().into(),
        service: "store".into(),
        metric: Some(metric.to_owned().into()),
        value: Some(value),
        unit: Some(unit.into()),
        ..LogEvent::default()
    }
}

/// About nine of ten, to be moved by `to`.
fn connections(dice: &mut Dice, to: f64) -> LogEvent<'static> {
    sample("pool.in_use", "connections", (dice.duration(10.0, 0.25) + to).max(0.0))
}

fn checked(stream: &Stream) {
    stream.findings.iter().for_each(|finding| check(finding, &stream.lines));
}

#[test]
fn a_series_that_leaves_its_past_is_one_problem_with_its_figures_and_then_over() {
    for seed in 1..5 {
        let (mut stream, mut dice) = (Stream::new(), Dice::new(seed));
        for _ in 0..KNOWN {
            stream.line(connections(&mut dice, 0.0)).wait(15_000);
        }
        assert_eq!(stream.fired(), [""; 0], "{seed}");
        for _ in 0..20 {
            stream.line(connections(&mut dice, 25.0)).wait(15_000);
        }
        assert_eq!(stream.fired(), ["metric"], "{seed}");
        let finding = stream.last("metric").clone();
        assert!(finding.first_at.millis() - START < KNOWN as i64 * 15_000 + 5 * MINUTE, "{}", finding.title.raw());
        assert!(finding.title.raw().starts_with("pool.in_use "), "{}", finding.title.raw());
        let series = finding.evidence.series.as_ref().unwrap();
        let band = series.baseline.unwrap();
        assert!((3.0..9.0).contains(&band.low) && (11.0..20.0).contains(&band.high), "{band:?}");
        assert!(series.points.len() > 100 && series.unit.raw() == "connections" && series.step_ms == 15_000);
        assert!(finding.evidence.observed.as_ref().unwrap().value > finding.evidence.baseline.as_ref().unwrap().value);
        assert!(!finding.evidence.samples.is_empty());
        checked(&stream);

        // As long as its windows hold what was odd it goes on, and then no more.
        let calm_from = stream.now + 64 * 15_000;
        for _ in 0..200 {
            stream.line(connections(&mut dice, 0.0)).wait(15_000);
        }
        assert!(stream.last("metric").last_at.millis() < calm_from, "{seed}");
    }
}

#[test]
fn hours_of_ordinary_samples_say_nothing() {
    for seed in 1..3 {
        let (mut stream, mut dice) = (Stream::new(), Dice::new(seed));
        // A sample a minute, and three days of a daily wave: the first evening is learned, the others known.
        for nth in 0..3 * 1440 {
            let wave = (f64::from(nth) / 1440.0 * std::f64::consts::TAU).sin() * 6.0;
            stream.line(connections(&mut dice, wave.round())).wait(20_000);
            stream.line(sample("heap.used", "MiB", f64::from(nth % 44) * 9.0 + dice.share() * 20.0)).wait(40_000);
        }
        let told: Vec<_> = stream.findings.iter().map(|finding| finding.title.raw()).collect();
        assert!(told.is_empty(), "{seed}: {told:?}");
    }
}

#[test]
fn a_disk_that_fills_in_half_an_hour_is_foreseen_ten_minutes_before_it_is_full() {
    for seed in 1..6 {
        let (mut stream, mut dice) = (Stream::new(), Dice::new(seed));
        for _ in 0..KNOWN {
            stream.line(sample("disk.used", "%", 60.0 + dice.share())).wait(15_000);
        }
        for nth in 0..120 {
            let used = 60.0 + f64::from(nth) / 3.0 + dice.share();
            stream.line(sample("disk.used", "%", used)).wait(15_000);
        }
        let end = START + (KNOWN as i64 + 120) * 15_000;
        let first = stream.findings.iter().find(|finding| finding.rule_id == "forecast").unwrap();
        assert!(end - first.first_at.millis() >= 10 * MINUTE, "{seed}: {}", first.title.raw());
        assert_eq!(first.evidence.threshold, Some(100.0));
        let last = stream.last("forecast");
        assert_eq!((last.severity, last.labels["metric"].raw()), (Severity::High, "disk.used"));
        checked(&stream);
        for _ in 0..40 {
            stream.line(sample("disk.used", "%", 100.0)).wait(15_000);
        }
        assert!(stream.last("forecast").title.raw().contains("has reached 100 %"));
    }
}

#[test]
fn a_limit_that_somebody_set_counts_and_a_gauge_without_one_is_not_foreseen() {
    let told = |limits: BTreeMap<String, GaugeLimit>| {
        let mut stream = Stream::with(Rules { gauge_limits: limits, ..Rules::default() });
        let mut dice = Dice::new(3);
        // Two hours in which it does what it does, and then a quarter of an hour's way down.
        for nth in 0..590 {
            let left = 900.0 - f64::from(nth.max(490) - 490) * 8.0 + dice.share() * 9.0;
            stream.line(sample("licences", "seats", left)).wait(15_000);
        }
        stream.fired().contains(&"forecast")
    };
    assert!(!told(BTreeMap::new()));
    let limit = GaugeLimit { limit: 0.0, side: Side::Below };
    assert!(told(BTreeMap::from([("licences".to_owned(), limit)])));
}

#[test]
fn a_budget_that_is_spent_fourteen_times_too_fast_is_told_and_one_that_nobody_set_is_not() {
    let objective = Objective { service: "api".into(), operation: Some("save".into()), percent: 99.0 };
    let service = Objective { service: "api".into(), operation: None, percent: 90.0 };
    let run = |objectives: Vec<Objective>| {
        let mut stream = Stream::with(Rules { objectives, ..Rules::default() });
        for nth in 0..2400_usize {
            let failed = nth > 1200 && nth % 3 == 0;
            let user = format!("user-{}", nth % 97);
            stream.line(if failed { error("save", "Timeout", user) } else { call("save", 50.0) }).wait(1000);
            stream.line(call("list", 20.0)).wait(1000);
        }
        stream
    };
    assert!(!run(Vec::new()).fired().contains(&"slo"));
    let mut stream = run(vec![objective, service]);
    let finding = stream.last("slo").clone();
    assert_eq!((finding.severity, finding.labels.len()), (Severity::Critical, 2));
    let observed = finding.evidence.observed.as_ref().unwrap();
    assert!(observed.value >= 14.4 && (finding.evidence.threshold.unwrap() - 14.4).abs() < 1e-9, "{observed:?}");
    checked(&stream);
    let calm_from = stream.now;
    for _ in 0..900 {
        stream.line(call("save", 50.0)).wait(1000);
    }
    assert!(stream.last("slo").last_at.millis() <= calm_from);
}

#[test]
fn a_state_with_series_goes_on_as_if_there_had_been_no_stop() {
    let objectives = vec![Objective { service: "api".into(), operation: None, percent: 99.9 }];
    let rules = Rules { objectives, ..Rules::default() };
    let said = |every: usize| {
        let (mut stream, mut dice) = (Stream::with(rules.clone()), Dice::new(9));
        for nth in 0..1200_usize {
            if nth % every == every - 1 {
                let bytes = stream.engine.checkpoint().to_bytes();
                stream.engine = Engine::restore(rules.clone(), &Checkpoint::from_bytes(&bytes).unwrap()).unwrap();
                assert_eq!(stream.engine.checkpoint().to_bytes(), bytes);
            }
            let odd = if (1000..1040).contains(&nth) || nth > 1150 { 30.0 } else { 0.0 };
            stream.line(connections(&mut dice, odd));
            stream.line(sample("disk.used", "%", 40.0 + nth as f64 / 20.0 + dice.share()));
            let failed = nth % 7 == 0;
            stream.line(if failed { error("save", "Timeout", "ana".into()) } else { call("save", 50.0) }).wait(15_000);
        }
        assert!(["metric", "slo"].iter().all(|rule| stream.fired().contains(rule)), "{:?}", stream.fired());
        serde_json::to_string(&stream.findings).unwrap()
    };
    assert_eq!(said(usize::MAX), said(97));
}

#[test]
fn invented_series_push_each_other_out_and_not_one_that_is_known() {
    let mut stream = Stream::with(Rules { series: 16, ..Rules::default() });
    let mut dice = Dice::new(4);
    for nth in 0..KNOWN {
        stream.line(connections(&mut dice, 0.0));
        for name in 0..if nth < 100 { 0 } else { 40 } {
            stream.line(sample(&format!("invented-{nth}-{name}"), "", 1.0));
        }
        stream.wait(15_000);
    }
    for _ in 0..20 {
        stream.line(connections(&mut dice, 25.0)).wait(15_000);
    }
    assert_eq!(stream.fired(), ["metric"]);
    checked(&stream);
}
