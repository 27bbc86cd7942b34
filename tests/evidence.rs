//! Every number that an alert shows can be computed again, by anybody, from the lines it links to.
//!
//! A real server takes in an hour of a simulated application and what that one does not do; then every
//! figure of every alert is asked for as a link of the console asks, and counted once more.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "hostile/api.rs"]
mod api;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::Api;
use serde_json::{Value, json};
use stella_detect::recompute;
use stella_protocol::query::parse;
use stella_protocol::snapshot::{LogLine, LogPage};
use stella_protocol::{Alert, AlertType, Evidence, Figure, LogLink, Measure, Timestamp};
use stella_server::Clock;
use stella_server::demo::World;

/// Which hour of the simulated application.
const SEED: u64 = 20_260_101;
const HOUR: Duration = Duration::from_hours(1);
const MINUTE_MS: i64 = 60_000;

/// What must be among the alerts, so that no kind of evidence goes unchecked.
const KINDS: [AlertType; 8] = [
    AlertType::PerformanceDegradation,
    AlertType::ErrorSpike,
    AlertType::UserFriction,
    AlertType::SecurityAnomaly,
    AlertType::DataInconsistency,
    AlertType::NewError,
    AlertType::Silence,
    AlertType::Health,
];

#[test]
fn every_figure_of_every_alert_is_what_its_lines_say() {
    let api = Api::start();
    let sent = send_an_hour(&api);
    api.rest(sent);
    let alerts = api.alerts();
    let kinds: BTreeSet<AlertType> = alerts.iter().map(|alert| alert.kind).collect();
    let missing: Vec<&AlertType> = KINDS.iter().filter(|kind| !kinds.contains(kind)).collect();
    assert!(missing.is_empty(), "no alert of {missing:?}; seed {SEED}");

    let mut book = Book { api: &api, links: BTreeMap::new() };
    let (mut figures, mut samples, mut wrong) = (0, 0, Vec::new());
    for alert in &alerts {
        let evidence: Evidence = api.get(&format!("alerts/{}/evidence", alert.id), &[]);
        let least = usize::from(alert.kind != AlertType::Silence);
        assert!((least..=50).contains(&evidence.samples.len()), "{}", alert.title.raw());
        wrong.extend(disagreements_of_brief(alert, &evidence));
        for figure in figures_of(&evidence) {
            figures += 1;
            wrong.extend(book.check(figure).map(|what| format!("{}: {what}", alert.title.raw())));
        }
        for sample in &evidence.samples {
            samples += 1;
            let at = sample.event.engine_time;
            let link = LogLink { q: evidence.lines.q.clone(), from: at, to: at.plus_millis(1), up_to: None };
            let found = book.lines(&link).iter().find(|line| line.id == sample.line);
            if found.is_none_or(|line| line.event != sample.event) {
                wrong.push(format!("{}: sample {} is not among its lines", alert.title.raw(), sample.line.0));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "seed {SEED}, {} of {figures} figures and {samples} samples:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(figures >= 6 * alerts.len(), "{figures} figures of {} alerts", alerts.len());
}

/// Sends the hour; answers with the number of lines taken.
fn send_an_hour(api: &Api) -> u64 {
    let end = Clock::system().now().plus_millis(-2 * MINUTE_MS);
    let start = end.plus_millis(-60 * MINUTE_MS);
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    for line in World::new(SEED, start, HOUR).step(end) {
        let value: Value = serde_json::from_str(&line).unwrap();
        let at = value["timestamp"].as_str().and_then(Timestamp::parse);
        lines.push((at.unwrap_or_else(|| lines.last().map_or(start, |(at, _)| *at)), line));
    }
    lines.extend(what_the_world_does_not_do(start).into_iter().map(|(at, line)| (at, line.to_string())));
    lines.sort_by_key(|(at, _)| *at);
    let mut taken = 0;
    for batch in lines.chunks(2_000) {
        let body: Vec<&str> = batch.iter().map(|(_, line)| line.as_str()).collect();
        let answer = api.send("application/x-ndjson", body.join("\n").into_bytes(), Some("evidence"));
        assert_eq!(answer.rejected, 0, "{:?}", answer.errors);
        taken += answer.accepted;
    }
    taken
}

/// A source that falls silent, an error never seen before, a component that goes down.
fn what_the_world_does_not_do(start: Timestamp) -> Vec<(Timestamp, Value)> {
    let mut lines = Vec::new();
    let mut say = |at_ms: i64, mut line: Value| {
        let at = start.plus_millis(at_ms);
        line["timestamp"] = json!(at);
        lines.push((at, line));
    };
    for beat in 0..120 {
        let line = json!({"level": "INFO", "service": "courier", "message": format!("delivered parcel {beat}")});
        say(beat * 10_000, line);
    }
    for count in 0..6 {
        let line = json!({
            "level": "ERROR", "service": "courier-2", "operation": "print_label", "errorType": "PaperJam",
            "message": format!("paper jam in tray {count}"), "userId": format!("clerk-{}", count % 2),
        });
        say(40 * MINUTE_MS + count * 3_000, line);
    }
    for count in 0..4 {
        let line = json!({
            "level": "ERROR", "service": "courier-3", "component": "belt", "health": "down", "message": "belt down",
        });
        say(50 * MINUTE_MS + count * 5_000, line);
    }
    lines
}

/// All figures that stand in it.
fn figures_of(evidence: &Evidence) -> impl Iterator<Item = &Figure> {
    let reasons = evidence.reasons.iter().flat_map(|reason| &reason.figures);
    evidence.observed.iter().chain(&evidence.baseline).chain(reasons)
}

/// What a row of the list says otherwise than the evidence of the same edition.
fn disagreements_of_brief(alert: &Alert, evidence: &Evidence) -> Option<String> {
    let brief = &alert.brief;
    let value = |figure: &Option<Figure>| figure.as_ref().map(|figure| figure.value);
    let told = (brief.observed, brief.baseline, brief.threshold);
    let known = (value(&evidence.observed), value(&evidence.baseline), evidence.threshold);
    let differs = brief.evidence_version == evidence.version && told != known;
    differs.then(|| format!("{}: the brief says {told:?}, the evidence {known:?}", alert.title.raw()))
}

/// Kept lines by the link that names them: many figures share one.
struct Book<'a> {
    api: &'a Api,
    links: BTreeMap<String, Vec<LogLine>>,
}

impl Book<'_> {
    /// What is wrong with a figure.
    fn check(&mut self, figure: &Figure) -> Option<String> {
        let link = &figure.lines;
        let query = parse(link.q.raw()).unwrap();
        let lines = self.lines(link);
        let foreign = lines.iter().filter(|line| {
            let at = line.event.engine_time;
            let inside = at >= link.from && at < link.to && link.up_to.is_none_or(|last| line.id <= last);
            !inside || !query.matches(&line.event)
        });
        let foreign = foreign.count();
        let again = recompute(figure, lines.iter().map(|line| (line.id, &line.event))).map(as_read);
        let counted = figure.measure != Measure::Count || (lines.len() as f64).total_cmp(&figure.value).is_eq();
        if foreign == 0 && counted && again == Some(figure.value) {
            return None;
        }
        let words = (figure.name.raw(), figure.value, figure.unit.raw(), figure.measure);
        Some(format!("{words:?} is {again:?} of {} lines ({foreign} foreign) of {link:?}", lines.len()))
    }

    /// The lines of a link, as `GET /logs` gives them.
    fn lines(&mut self, link: &LogLink) -> &[LogLine] {
        let api = self.api;
        self.links.entry(format!("{link:?}")).or_insert_with(|| all_lines(api, link))
    }
}

fn all_lines(api: &Api, link: &LogLink) -> Vec<LogLine> {
    let (mut lines, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut parameters = vec![
            ("q", link.q.raw().to_owned()),
            ("from", link.from.to_string()),
            ("to", link.to.to_string()),
            ("limit", "1000".to_owned()),
        ];
        parameters.extend(link.up_to.map(|line| ("up_to", line.0.to_string())));
        parameters.extend(after.take().map(|after| ("after", after)));
        let page: LogPage = api.get("logs", &parameters);
        lines.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return lines,
        }
    }
}

/// A number as it is when it has been over the wire once.
fn as_read(value: f64) -> f64 {
    serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap()
}
