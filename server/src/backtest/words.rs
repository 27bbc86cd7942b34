//! A report as lines for people, and as one JSON document.

use std::collections::BTreeMap;

use serde::Serialize;
use stella_protocol::{Severity, Text, Timestamp};

use super::{Found, Report};

/// A row for each alert, and a sentence about all of them. Made of outside text: a terminal must not have it raw.
pub fn words(report: &Report) -> Vec<Text> {
    let mut rows: Vec<Text> = report.alerts.iter().map(row).collect();
    rows.push(Text::from(summary(report)));
    rows
}

fn row(found: &Found) -> Text {
    let until = match found.ended_at {
        Some(_) => format!("until {}", found.last_seen),
        None => "still on".to_owned(),
    };
    let (severity, kind) = (found.severity.word(), found.kind.word());
    let times = if found.occurrences == 1 { "once".to_owned() } else { format!("{} times", found.occurrences) };
    Text::from(format!("{}  {severity:<8}  {kind:<23}  {}  ({times}, {until})", found.detected_at, found.title.raw()))
}

fn summary(report: &Report) -> String {
    let (Some(from), Some(to)) = (report.from, report.to) else {
        return "no lines: nothing was looked at".to_owned();
    };
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    report.alerts.iter().for_each(|found| *counts.entry(found.severity).or_default() += 1);
    let counts: Vec<String> = counts.iter().rev().map(|(severity, n)| format!("{n} {}", severity.word())).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    let (alerts, lines) = (plural(report.alerts.len() as u64, "alert"), plural(report.lines, "line"));
    format!("{alerts}{counts} in {lines} from {from} to {to}")
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    lines: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
    alerts: &'a [Found],
}

/// The report as one JSON document.
///
/// # Errors
/// What the writer of JSON says; a report has nothing that it refuses.
pub fn json(report: &Report) -> Result<String, serde_json::Error> {
    let Report { lines, from, to, alerts } = report;
    serde_json::to_string_pretty(&Whole { lines: *lines, from: *from, to: *to, alerts })
}
