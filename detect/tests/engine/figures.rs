//! Every figure of every finding, counted again by brute force; two runs, byte by byte.

use proptest::prelude::*;
use stella_detect::{Finding, Known, Rules, recompute};
use stella_protocol::log::{Category, ComponentHealth, Login};
use stella_protocol::query::parse;
use stella_protocol::{Figure, Level, LineId, LogEvent, Measure};

use crate::stream::Stream;

const OPERATIONS: [&str; 6] = ["get_shared_agents", "search_rag", "login", "save", "a \"quoted\\ one", "-"];
const SERVICES: [&str; 3] = ["api", "", "auth"];
const ERRORS: [&str; 4] = ["TypeError", "Timeout", "-", ""];
const MESSAGES: [&str; 6] = [
    "took a while",
    "Orphaned document found",
    "Deployed release r8812",
    "connection refused by the upstream host",
    "the CONNECTION REFUSED BY the other host",
    "hash mismatch in block 17",
];

/// One line in numbers: what, who, how long, which outcome, and how long until the next.
pub type Raw = ((u8, u8, u8, u8), (u8, u16, u8, u8), u16);

pub fn event(nth: usize, raw: &Raw) -> LogEvent<'static> {
    let ((operation, service, user, message), (outcome, duration, extra, error), _) = *raw;
    let pick = |list: &[&'static str], nth: u8| list[nth as usize % list.len()];
    let failed = outcome % 3 == 0;
    let mut event = LogEvent {
        level: [Level::Info, Level::Warn, Level::Error, Level::Info, Level::Metric][extra as usize % 5],
        message: pick(&MESSAGES, message).into(),
        service: pick(&SERVICES, service).into(),
        operation: (operation < 7).then(|| pick(&OPERATIONS, operation).into()),
        duration_ms: (duration < 3000).then_some(f64::from(duration) * 0.7),
        success: (outcome < 20).then_some(!failed),
        error_type: (failed && error < 8).then(|| pick(&ERRORS, error).into()),
        user_id: (user < 6).then(|| format!("user-{user}").into()),
        remote_addr: (user < 7 && extra % 6 != 5).then(|| format!("192.0.2.{}", user % 3).into()),
        retry_count: (extra % 4 == 1).then_some(u32::from(extra) % 6),
        component: (extra % 7 == 2).then(|| "embedder".into()),
        metric: (extra % 5 == 4).then(|| if user < 5 { "pool" } else { "disk.used" }.into()),
        value: (extra % 5 == 4 && user != 0).then_some(f64::from(duration) * 0.3),
        unit: (extra % 5 == 4).then(|| "%".into()),
        ..LogEvent::default()
    };
    event.health =
        event.component.as_ref().map(|_| [ComponentHealth::Healthy, ComponentHealth::Down][extra as usize % 2]);
    event.login = (operation % 6 == 2)
        .then(|| [Login::Failed, Login::Failed, Login::Succeeded, Login::LockedOut][outcome as usize % 4]);
    event.category = (extra % 11 == 3).then_some(Category::Data);
    if extra % 9 == 4 {
        event.affected_users = vec!["user-1".into(), "user-2".into(), "user-2".into()];
    }
    if extra % 5 == 3 {
        event.attributes.insert("itemCount".into(), (nth % 4 * 3).into());
    }
    event
}

fn raw() -> impl Strategy<Value = Raw> {
    ((0..9_u8, 0..4_u8, 0..9_u8, 0..12_u8), (0..30_u8, 0..4000_u16, 0..40_u8, 0..10_u8), 0..900_u16)
}

/// A stretch of one kind of line between mixed ones, so that rules do fire.
pub fn lines() -> impl Strategy<Value = Vec<Raw>> {
    let stretch = (raw(), 1..25_usize).prop_map(|(raw, times)| vec![raw; times]);
    proptest::collection::vec(stretch, 5..45).prop_map(|parts| parts.concat())
}

fn run(lines: &[Raw], rules: &Rules) -> Stream {
    let mut stream = Stream::with(rules.clone());
    for (nth, raw) in lines.iter().enumerate() {
        let pause = if raw.2 < 450 { 0 } else { i64::from(raw.2) * 4 };
        stream.line(event(nth, raw)).wait(pause);
    }
    stream.wait(90_000);
    stream
}

fn figures(finding: &Finding) -> impl Iterator<Item = &Figure> {
    let evidence = &finding.evidence;
    evidence.reasons.iter().flat_map(|reason| &reason.figures).chain(&evidence.observed).chain(&evidence.baseline)
}

/// The same number in the plainest words, sharing no code with the engine.
fn by_hand(figure: &Figure, lines: &[(LineId, LogEvent<'static>)]) -> f64 {
    let link = &figure.lines;
    let query = parse(link.q.raw()).unwrap();
    let hit: Vec<&LogEvent<'_>> = lines
        .iter()
        .filter(|(line, event)| {
            event.engine_time >= link.from && event.engine_time < link.to && link.up_to.is_none_or(|last| *line <= last)
        })
        .map(|(_, event)| event)
        .filter(|event| query.matches(*event))
        .collect();
    let mut durations: Vec<f64> = hit.iter().filter_map(|event| event.duration_ms).collect();
    let failures = hit.iter().filter(|event| event.failed()).count() as f64;
    let distinct = |names: Vec<&str>| names.into_iter().collect::<std::collections::BTreeSet<_>>().len() as f64;
    match figure.measure {
        Measure::Count => hit.len() as f64,
        Measure::Failures => failures,
        Measure::FailurePercent => failures * 100.0 / hit.len() as f64,
        Measure::MeanDuration => durations.iter().sum::<f64>() / durations.len() as f64,
        Measure::MaxDuration => durations.iter().copied().fold(f64::MIN, f64::max),
        Measure::MedianDuration => {
            durations.sort_by(f64::total_cmp);
            durations[(durations.len() - 1) / 2]
        }
        Measure::DistinctUsers => {
            distinct(hit.iter().filter_map(|event| Some(event.user_id.as_ref()?.raw())).collect())
        }
        Measure::DistinctAddresses => {
            distinct(hit.iter().filter_map(|event| Some(event.remote_addr.as_ref()?.raw())).collect())
        }
        Measure::MaxRetries => hit.iter().filter_map(|event| event.retry_count).max().map_or(0.0, f64::from),
        Measure::SecondsSinceLast => link.to.since(hit.last().unwrap().engine_time) as f64 / 1000.0,
        Measure::LastValue => hit.iter().rev().find_map(|event| event.value).unwrap(),
        Measure::MeanValue => {
            let values: Vec<f64> = hit.iter().filter_map(|event| event.value).collect();
            values.iter().sum::<f64>() / values.len() as f64
        }
        Measure::Unknown => f64::NAN,
    }
}

/// Numbers standing alone in a text.
fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().filter_map(|word| word.trim_matches([',', ':', '.']).parse().ok()).collect()
}

/// Every figure again, and no number in a reason that is not one of its figures.
pub fn check(finding: &Finding, lines: &[(LineId, LogEvent<'static>)]) {
    for figure in figures(finding) {
        let wanted = by_hand(figure, lines);
        assert!(figure.value.to_bits() == wanted.to_bits(), "{}: {figure:?} wanted {wanted}", finding.fingerprint);
        assert_eq!(recompute(figure, lines.iter().map(|(line, event)| (*line, event))), Some(figure.value));
    }
    for reason in &finding.evidence.reasons {
        for number in numbers(reason.text.raw()) {
            let near = |figure: &Figure| (figure.value - number).abs() <= 0.5;
            assert!(reason.figures.iter().any(near), "{number} in {:?} is no figure", reason.text);
        }
    }
    let reasons = &finding.evidence.reasons;
    assert!(reasons.iter().any(|reason| reason.weight < 0.0), "nothing against {}", finding.fingerprint);
    assert!(reasons.is_sorted_by_key(|reason| reason.at));
    assert!(finding.evidence.samples.len() <= 50 && finding.affected_users.len() <= Finding::MOST_USERS);
    for sample in &finding.evidence.samples {
        let kept = lines.iter().find(|(line, _)| *line == sample.line);
        assert_eq!(kept.map(|(_, event)| event), Some(&sample.event));
    }
    assert!(serde_json::to_string(&finding.brief).unwrap().len() <= 2048);
}

/// The first words and the last of a rule, which must have said something.
pub fn check_told(stream: &Stream, rule: &str) {
    let mut told = stream.findings.iter().filter(|finding| finding.rule_id == rule);
    let first = told.next().unwrap();
    check(first, &stream.lines);
    check(told.next_back().unwrap_or(first), &stream.lines);
}

/// Rules that need hours, people or a series of their own: their tests call [`check_told`].
const CHECKED_ELSEWHERE: [&str; 9] = [
    "errors.everywhere",
    "login.everywhere",
    "probe.address",
    "data.nothing",
    "data.form",
    "metric",
    "forecast",
    "slo",
    "rage",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn every_figure_is_what_the_lines_say(lines in lines()) {
        let rules = Rules { warm_up_lines: 20, warm_up_ms: 5000, ..Rules::default() };
        let stream = run(&lines, &rules);
        for finding in &stream.findings {
            check(finding, &stream.lines);
        }
    }

    #[test]
    fn figures_stay_exact_when_nearly_everything_is_forgotten(lines in lines()) {
        let rules = Rules {
            warm_up_lines: 20,
            warm_up_ms: 5000,
            remembered_lines: 64,
            kept_lines: 16,
            operations: 8,
            people: 8,
            incidents: 4,
            ..Rules::default()
        };
        let stream = run(&lines, &rules);
        for finding in &stream.findings {
            check(finding, &stream.lines);
        }
    }

    #[test]
    fn two_runs_say_the_same_bytes(lines in lines()) {
        let rules = Rules { warm_up_lines: 20, warm_up_ms: 5000, ..Rules::default() };
        let once = || serde_json::to_string(&run(&lines, &rules).findings).unwrap();
        prop_assert_eq!(once(), once());
    }
}

#[test]
fn the_random_lines_reach_every_rule_that_has_no_test_of_its_figures_elsewhere() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let all = Known::ALL.into_iter().map(Known::id);
    let mut missing: std::collections::BTreeSet<_> = all.filter(|rule| !CHECKED_ELSEWHERE.contains(rule)).collect();
    let rules = Rules { warm_up_lines: 20, warm_up_ms: 5000, ..Rules::default() };
    for _ in 0..400 {
        let lines = lines().new_tree(&mut runner).unwrap().current();
        for rule in run(&lines, &rules).fired() {
            missing.remove(rule);
        }
        if missing.is_empty() {
            break;
        }
    }
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
