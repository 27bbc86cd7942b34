//! A report as lines for people, and as one JSON document.

use std::collections::BTreeMap;

use serde::Serialize;
use stella_protocol::{Severity, Text, Timestamp};

use super::{Compared, Found, Report, Score};

/// Everything that there is to say of a backtest.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole<'a> {
    /// What was found, with the newer settings where two were tried.
    pub report: &'a Report,
    /// What was found with the older ones, and how they differ.
    pub compared: Option<(&'a Report, Compared<'a>)>,
    /// What it is worth against labels.
    pub score: Option<Score>,
}

/// A row for each alert (of two settings: for each that comes or goes), and sentences about all of them. Made of
/// outside text: a terminal must not have it raw.
pub fn words(whole: &Whole<'_>) -> Vec<Text> {
    let mut rows = Vec::new();
    match &whole.compared {
        Some((old, Compared { gained, lost })) => {
            rows.extend(gained.iter().map(|found| Text::from(format!("+ {}", row(found)))));
            rows.extend(lost.iter().map(|found| Text::from(format!("- {}", row(found)))));
            let (old, new) = (plural(old.alerts.len() as u64, "alert"), whole.report.alerts.len());
            rows.push(Text::from(format!("{old} before, {new} after: {} gained, {} lost", gained.len(), lost.len())));
        }
        None => rows.extend(whole.report.alerts.iter().map(|found| Text::from(row(found)))),
    }
    rows.extend(whole.score.iter().flat_map(|score| scored(whole.report, score)));
    rows.push(Text::from(summary(whole.report)));
    rows
}

fn row(found: &Found) -> String {
    let until = match found.ended_at {
        Some(_) => format!("until {}", found.last_seen),
        None => "still on".to_owned(),
    };
    let (severity, kind) = (found.severity.word(), found.kind.word());
    let times = if found.occurrences == 1 { "once".to_owned() } else { format!("{} times", found.occurrences) };
    format!("{}  {severity:<8}  {kind:<23}  {}  ({times}, {until})", found.detected_at, found.title.raw())
}

fn scored(report: &Report, score: &Score) -> Vec<Text> {
    let mut rows: Vec<String> = Vec::new();
    let falses = score.false_alerts.iter().filter_map(|at| report.alerts.get(*at));
    rows.extend(falses.map(|found| format!("false   {}", row(found))));
    rows.extend(
        score
            .missed
            .iter()
            .map(|missed| format!("missed  {} ({})", missed.label.raw(), plural(missed.lines as u64, "line"))),
    );
    for (word, tally) in &score.kinds {
        let lines = tally.median_lines.map(|lines| format!("{lines} lines"));
        let seconds = tally.median_seconds.map(|seconds| format!("{seconds:.0} s"));
        let late = [lines, seconds].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let late = if late.is_empty() { late } else { format!(", after {late} (median)") };
        rows.push(format!("{word:<23}  {} of {} found{late}", tally.found, tally.labels));
    }
    let (found, labels) = (score.found, plural(score.labels as u64, "label"));
    let share = score.false_share * 100.0;
    rows.push(format!(
        "{found} of {labels} found, {} missed; {} of {} false ({share:.1} %, {:.2} an hour), {} repeated, {} beside",
        score.missed.len(),
        score.false_alerts.len(),
        plural(score.alerts as u64, "alert"),
        score.false_per_hour,
        score.repeated,
        score.beside,
    ));
    rows.into_iter().map(Text::from).collect()
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
    let untimed = match report.untimed {
        0 => String::new(),
        untimed => format!(", {untimed} of them without a time of their own"),
    };
    format!("{alerts}{counts} in {lines} from {from} to {to}{untimed}")
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    lines: u64,
    without_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
    alerts: &'a [Found],
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<Both<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<&'a Score>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Both<'a> {
    before: usize,
    after: usize,
    gained: &'a [&'a Found],
    lost: &'a [&'a Found],
}

/// All of it as one JSON document.
///
/// # Errors
/// What the writer of JSON says; a report has nothing that it refuses.
pub fn json(whole: &Whole<'_>) -> Result<String, serde_json::Error> {
    let Report { lines, untimed, first: _, from, to, alerts } = whole.report;
    let compared = whole.compared.as_ref().map(|(old, compared)| Both {
        before: old.alerts.len(),
        after: alerts.len(),
        gained: &compared.gained,
        lost: &compared.lost,
    });
    serde_json::to_string_pretty(&Document {
        lines: *lines,
        without_time: *untimed,
        from: *from,
        to: *to,
        alerts,
        compared,
        score: whole.score.as_ref(),
    })
}
