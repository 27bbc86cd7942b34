#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use stella_protocol::Severity;

use super::*;
use crate::backtest::{Found, Report};

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_780_000_000_000 + second * 1000)
}

fn read(text: &str) -> Result<Labels, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels");
    fs::write(&path, text).unwrap();
    Labels::read(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

fn found(kind: AlertType, second: i64, operation: Option<&str>, user: Option<&str>) -> Found {
    let mut labels = BTreeMap::new();
    labels.extend(user.map(|user| ("user".to_owned(), Text::from(user.to_owned()))));
    Found {
        detected_at: at(second),
        kind,
        severity: Severity::High,
        title: Text::from("t"),
        fingerprint: Text::from(format!("{kind:?}{operation:?}{user:?}")),
        episode: 1,
        rule_id: Text::from("r"),
        service: Text::from("api"),
        operation: operation.map(|operation| Text::from(operation.to_owned())),
        labels,
        occurrences: 1,
        first_seen: at(second),
        last_seen: at(second),
        ended_at: None,
    }
}

fn report(alerts: Vec<Found>) -> Report {
    Report { lines: 10, untimed: 0, first: None, from: Some(at(0)), to: Some(at(7200)), alerts }
}

#[test]
fn json_lines_and_a_table_say_the_same() {
    let json = format!(
        r#"{{"type":"error_spike","from":"{}","to":"{}","service":"api","operation":"pay"}}{}"#,
        at(0),
        at(60),
        "\n\n"
    );
    let millis = at(60).millis();
    let table = format!(
        "type\tfrom\tto\tservice\toperation\tuser\nerror_spike\t{}\t{millis}\tapi\tpay\t-\n",
        at(0).millis() / 1000
    );
    assert_eq!(read(&json).unwrap(), read(&table).unwrap());
    assert_eq!(read("").unwrap(), Labels::default());
}

#[test]
fn what_cannot_be_used_is_told_with_its_line_and_what_is_wanted() {
    let (from, to) = (at(0), at(60));
    for (text, wanted) in [
        ("{\"type\":\"error_spik\"}\n".to_owned(), "line 1: `type` is `error_spik`; did you mean `error_spike`?"),
        ("\n{\"type\":\"silence\"}\n".to_owned(), "line 2: want `from`, a time like"),
        (format!("{{\"type\":\"silence\",\"from\":\"{to}\",\"to\":\"{from}\"}}"), "`to` is before `from`"),
        ("{\"type\":".to_owned(), "line 1: it is no JSON"),
        ("a\tb\nc\td\n".to_owned(), "line 2: want `type`"),
    ] {
        let told = read(&text).unwrap_err();
        assert!(told.contains(wanted), "{text}: {told}");
    }
}

#[test]
fn each_alert_counts_once_as_right_repeated_beside_or_false() {
    let label = |kind: &str, from: i64, more: &str| {
        format!("{{\"type\":\"{kind}\",\"from\":\"{}\",\"to\":\"{}\"{more}}}\n", at(from), at(from + 600))
    };
    let mut labels = read(
        &[
            label("errors_many", 0, ",\"service\":\"api\",\"operation\":\"pay\""),
            label("friction", 3000, ",\"operation\":\"pay\",\"user\":\"ana\""),
            label("new_error", 0, ",\"operation\":\"pay\",\"parent\":0"),
        ]
        .concat(),
    )
    .unwrap();
    for second in 0..30 {
        let failed = LogEvent {
            engine_time: at(second),
            service: "api".into(),
            operation: Some("pay".into()),
            success: Some(second % 2 == 0),
            ..LogEvent::default()
        };
        labels.see(&failed);
    }
    let score = labels.score(&report(vec![
        found(AlertType::ErrorSpike, 20, Some("pay"), None),
        found(AlertType::ErrorSpike, 500, Some("pay"), None),
        found(AlertType::UserFriction, 30, Some("pay"), Some("ben")),
        found(AlertType::UserFriction, 3100, Some("pay"), Some("ben")),
        found(AlertType::ErrorSpike, 5000, Some("pay"), None),
    ]));
    assert_eq!((score.labels, score.found, score.repeated, score.beside), (2, 1, 1, 1));
    assert_eq!(score.false_alerts, [3, 4], "another person's friction, and nothing at all");
    assert!((score.false_share - 0.4).abs() < 1e-9 && (score.false_per_hour - 1.0).abs() < 1e-9);
    assert!(score.missed[0].label.raw().contains("friction") && score.missed[0].label.raw().contains("ana"));
    let tally = &score.kinds["errors_many"];
    assert_eq!((tally.found, tally.median_lines, tally.median_seconds), (1, Some(10), Some(20.0)));
}

#[test]
fn one_alert_of_everything_finds_the_operation_and_another_service_is_another_place() {
    let text = format!(
        "type\tfrom\tto\tservice\toperation\nslow_one\t{}\t{}\tapi\tpay\nslow_one\t{}\t{}\tbilling\tpay\n",
        at(0),
        at(600),
        at(0),
        at(600)
    );
    let labels = read(&text).unwrap();
    let mut everything = found(AlertType::PerformanceDegradation, 60, None, None);
    everything.service = Text::default();
    assert_eq!(labels.score(&report(vec![everything])).found, 1);
    let here = found(AlertType::PerformanceDegradation, 60, Some("pay"), None);
    let score = labels.score(&report(vec![here.clone(), here]));
    assert_eq!((score.found, score.repeated), (1, 1));
}
