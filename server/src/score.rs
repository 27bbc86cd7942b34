//! `stella-server detect --series`: scores the rows of one series, as the engine would have seen them.
//!
//! Streams: a row in, a score out, in memory that does not grow. Rows are seconds since the epoch, a
//! tab or a comma, and a value. It does not sort, resample or look ahead.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use serde::Serialize;
use stella_detect::series::{Series, Verdict};
use stella_protocol::Timestamp;

use crate::packed;

/// Longest line, in bytes: two numbers need no hundredth of it.
const LINE_BYTES: u64 = 4096;
/// Furthest time, in seconds: beyond it milliseconds are no whole numbers of a float any more.
const FURTHEST_S: f64 = 9e12;

/// How scores are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A score a line.
    Text,
    /// An object a line, with what was rarest.
    Json,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rows, each with a score.
    pub rows: u64,
    /// Of them, rows without a number for a value; their score is 0.
    pub holes: u64,
}

/// Why not all was scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// The file cannot be opened.
    #[error("open {}", .path.display())]
    Open {
        /// Which file.
        path: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line cannot be read.
    #[error("read line {line}")]
    Read {
        /// Counted from 1.
        line: u64,
        /// What the system or the unpacking said.
        source: io::Error,
    },
    /// A line is no row.
    #[error("read line {line}: {why}")]
    Row {
        /// Counted from 1.
        line: u64,
        /// What is wrong, and what is wanted.
        why: &'static str,
    },
    /// Scores cannot be written.
    #[error("write the scores")]
    Write(#[source] io::Error),
}

/// A row as it is written in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    at: f64,
    value: Option<f64>,
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
}

/// Scores the rows of a file, or of stdin for `-`; compressed ones too.
///
/// # Errors
/// Which line is no row, or what the system said. Scores of the rows before stand.
pub fn file(path: &Path, form: Form, out: impl Write) -> Result<Tally, ScoreError> {
    let source = packed::open(path).map_err(|source| ScoreError::Open { path: path.to_owned(), source })?;
    rows(source, form, out)
}

/// Scores rows.
///
/// # Errors
/// As [`file`].
pub fn rows(mut source: impl BufRead, form: Form, mut out: impl Write) -> Result<Tally, ScoreError> {
    let (mut series, mut tally) = (Series::default(), Tally::default());
    let (mut bytes, mut line, mut head) = (Vec::new(), 0, true);
    loop {
        bytes.clear();
        line += 1;
        let read = source.by_ref().take(LINE_BYTES).read_until(b'\n', &mut bytes);
        if read.map_err(|source| ScoreError::Read { line, source })? == 0 {
            break;
        }
        let wrong = |why| ScoreError::Row { line, why };
        if bytes.len() as u64 == LINE_BYTES {
            return Err(wrong("it is too long for two numbers"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8"))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let row = row(text);
        let first = std::mem::take(&mut head);
        if first && row == Err(NO_TIME) {
            continue;
        }
        let (at, value) = row.map_err(wrong)?;
        let time = Timestamp::from_millis((at * 1000.0).round() as i64);
        let verdict = value.and_then(|value| series.observe(time, value));
        tally.rows += 1;
        tally.holes += u64::from(value.is_none());
        let score = verdict.map_or(0.0, |verdict| verdict.score);
        write(&mut out, form, &Row { at, value, score, verdict }).map_err(ScoreError::Write)?;
    }
    out.flush().map_err(ScoreError::Write)?;
    Ok(tally)
}

fn write(out: &mut impl Write, form: Form, row: &Row) -> io::Result<()> {
    match form {
        Form::Text => writeln!(out, "{}", row.score),
        Form::Json => {
            serde_json::to_writer(&mut *out, row)?;
            writeln!(out)
        }
    }
}

const NO_TIME: &str = "want seconds since the epoch first";

/// Seconds and value of a row; a value that is missing or no number is a hole.
fn row(text: &str) -> Result<(f64, Option<f64>), &'static str> {
    let (at, value) = text.split_once(['\t', ',']).unwrap_or((text, ""));
    let at: f64 = at.trim().parse().map_err(|_| NO_TIME)?;
    if !at.is_finite() || at.abs() > FURTHEST_S {
        return Err(NO_TIME);
    }
    if !text.contains(['\t', ',']) {
        return Err("want a value after a tab or a comma");
    }
    let value = value.trim();
    if value.is_empty() || ["null", "none", "na", "-"].iter().any(|hole| value.eq_ignore_ascii_case(hole)) {
        return Ok((at, None));
    }
    let value: f64 = value.parse().map_err(|_| "the value is no number")?;
    Ok((at, value.is_finite().then_some(value)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn scores(text: &str, form: Form) -> Result<Vec<String>, ScoreError> {
        let mut out = Vec::new();
        rows(text.as_bytes(), form, &mut out)?;
        Ok(String::from_utf8(out).unwrap().lines().map(str::to_owned).collect())
    }

    fn series(rows: usize) -> String {
        let noise = |row: usize| (row * 7919 % 101) as f64 / 10.0;
        let row =
            |row: usize| format!("{}\t{}", 1_700_000_000 + row * 60, noise(row) + if row == 900 { 500.0 } else { 0.0 });
        (0..rows).map(row).collect::<Vec<_>>().join("\n") + "\n"
    }

    #[test]
    fn every_row_gets_a_score_and_the_odd_one_the_greatest() {
        let text = series(1000);
        let scores: Vec<f64> = scores(&text, Form::Text).unwrap().iter().map(|score| score.parse().unwrap()).collect();
        assert_eq!(scores.len(), 1000);
        let greatest = (0..1000).max_by(|left, right| scores[*left].total_cmp(&scores[*right]));
        assert_eq!(greatest, Some(900));
        assert!(scores[900] > 0.5 && scores.iter().all(|score| (0.0..=1.0).contains(score)));
    }

    #[test]
    fn a_header_commas_holes_and_blank_lines_are_understood() {
        let plain = scores(&series(300), Form::Text).unwrap();
        let dressed =
            format!("\u{feff}timestamp,value\r\n{}\n\n", series(300).replace('\t', ", ").replace('\n', "\r\n"));
        assert_eq!(scores(&dressed, Form::Text).unwrap(), plain);
        let holes = scores("1,\n2,NaN\n3,null\n4,5\n", Form::Json).unwrap();
        assert_eq!(holes.len(), 4);
        assert_eq!(holes[3], r#"{"at":4.0,"value":5.0,"score":0.0}"#);
        assert_eq!(holes[1], r#"{"at":2.0,"value":null,"score":0.0}"#);
    }

    #[test]
    fn what_is_no_row_is_named_by_its_line() {
        for (text, wanted) in [
            ("time,value\n1,2\nx,3\n", "read line 3: want seconds since the epoch first"),
            ("1,2\n\n2,high\n", "read line 3: the value is no number"),
            ("1,2\n17\n", "read line 2: want a value after a tab or a comma"),
            ("a,b\nc,d\n", "read line 2: want seconds since the epoch first"),
            ("1,2,3\n", "read line 1: the value is no number"),
        ] {
            assert_eq!(scores(text, Form::Text).unwrap_err().to_string(), wanted);
        }
        let long = format!("1,{}\n", "9".repeat(5000));
        assert!(scores(&long, Form::Text).unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn scores_before_a_spoilt_row_were_written() {
        let mut out = Vec::new();
        assert!(rows("1,2\n2,x\n".as_bytes(), Form::Text, &mut out).is_err());
        assert_eq!(out, b"0\n");
    }
}
