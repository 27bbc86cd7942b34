//! Real log files of login attacks: whether the addresses that attack are told of, and no others.
//!
//! The data is not part of the project: a folder a service, with its log and `expected.tsv` (rule, source, events).
//! Each file goes through what `stella-server backtest FILE` does. Half of the files, by a hash of their names, is
//! what words and thresholds were chosen on; the other half stands beside it, and what was missed there is only
//! listed on request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use stella_detect::Rules;
use stella_protocol::AlertType;
use stella_server::backtest::{self, Source};
use stella_server::redact::{Mode, Redactor};

use super::detection::table::{Cell, Table};
use crate::figures::Bound;

/// Not judged, as the data's own description says.
const NOT_JUDGED: [&str; 3] = ["aws-nwo-login", "ssh-generic-test", "synology-dsm-bf"];
/// Fewest failures of a judged source, and what a service says of one that it shut out by itself.
const FEWEST: u32 = 3;
const SHUT_OUT: [&str; 5] = ["locked out", "rate-limit", "rate limit", "brute force", "bruteforce"];

/// Where the files are.
#[derive(Debug, Args)]
pub struct Options {
    /// The folder with a folder for each service.
    #[arg(long, value_name = "DIR", default_value = "../shared/data/security-dev")]
    data: PathBuf,
    /// Lists what was missed and what was wrong in both halves.
    #[arg(long)]
    list: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Outcome {
    table: Table,
    listed: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table)?;
        self.listed.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Of one half.
#[derive(Debug, Default)]
struct Half {
    files: usize,
    judged: usize,
    right: usize,
    wrong: usize,
}

/// Measures.
///
/// # Errors
/// When the data is not there, or a file cannot be read.
pub fn run(options: &Options) -> anyhow::Result<Outcome> {
    let root = &options.data;
    ensure!(root.is_dir(), "measure security: no data in {}: it is not part of the project", root.display());
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).context("read the data")?.flatten().map(|entry| entry.path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    let (mut halves, mut listed) = ([Half::default(), Half::default()], Vec::new());
    for folder in &folders {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if NOT_JUDGED.contains(&name.as_str()) {
            continue;
        }
        let other = is_other_half(&name);
        let said = judge(folder, &mut halves[usize::from(other)])?;
        if options.list || !other {
            listed.extend(said.into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    let mut table = Table::new("security: real files", &["chosen on", "other half", "both"]);
    let [chosen, other] = &halves;
    let both = (chosen.judged + other.judged, chosen.right + other.right, chosen.wrong + other.wrong);
    let share = |half: &Half| Cell::percent(half.right, half.judged);
    let count = |wrong: usize, files: usize| Cell::of(files, Some(wrong as f64));
    let cells = vec![share(chosen), share(other), Cell::percent(both.1, both.0)];
    table.row("9 right source addresses", "%", Some(Bound::AtLeast(95.0)), cells);
    let wrong = vec![
        count(chosen.wrong, chosen.files),
        count(other.wrong, other.files),
        count(both.2, chosen.files + other.files),
    ];
    table.row("9 wrong ones", "of files", Some(Bound::AtMost(0.0)), wrong);
    Ok(Outcome { table, listed })
}

/// Half of all names, by the bits of their FNV-1a hash.
fn is_other_half(name: &str) -> bool {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    !hash.count_ones().is_multiple_of(2)
}

/// Judges a service; says what was missed and what was wrong.
fn judge(folder: &Path, half: &mut Half) -> anyhow::Result<Vec<String>> {
    let expected = fs::read_to_string(folder.join("expected.tsv")).unwrap_or_default();
    let files = fs::read_dir(folder).context("read a service's folder")?.flatten().map(|entry| entry.path());
    let log = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "log"));
    let Some(log) = log else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&fs::read(&log).context("read a log")?).to_lowercase();
    let (sources, nameless) = sources(&expected, &text);
    let told = told(&log)?;
    half.files += 1;
    let judged = sources.iter().filter(|(_, judged)| **judged).map(|(addr, _)| addr);
    let missed: Vec<&IpAddr> = judged.clone().filter(|addr| !told.contains(addr)).collect();
    let wrong: Vec<&IpAddr> = told.iter().filter(|addr| !nameless && !sources.contains_key(addr)).collect();
    half.judged += judged.count();
    half.right += sources.values().filter(|judged| **judged).count() - missed.len();
    half.wrong += wrong.len();
    let missed = missed.into_iter().map(|addr| format!("missed {addr}"));
    Ok(missed.chain(wrong.into_iter().map(|addr| format!("wrong {addr}"))).collect())
}

/// The addresses that are expected, each with whether it is judged; and whether a source is expected that is none.
fn sources(expected: &str, text: &str) -> (BTreeMap<IpAddr, bool>, bool) {
    let (mut sources, mut nameless) = (BTreeMap::new(), false);
    for row in expected.lines() {
        let mut cells = row.split('\t').skip(1);
        let (Some(source), Some(events)) = (cells.next(), cells.next()) else { continue };
        let Ok(addr) = source.parse::<IpAddr>() else {
            nameless = true;
            continue;
        };
        let source = source.to_lowercase();
        let enough = events.trim().parse::<u32>().map_or(true, |events| events >= FEWEST);
        let says = |line: &str| line.contains(&source) && SHUT_OUT.iter().any(|words| line.contains(words));
        *sources.entry(addr.to_canonical()).or_default() |= enough || text.lines().any(says);
    }
    (sources, nameless)
}

/// The addresses that alerts name as attackers.
fn told(log: &Path) -> anyhow::Result<BTreeSet<IpAddr>> {
    let source = Source::Files { paths: vec![log.to_owned()], until: None };
    let report = backtest::run(&source, Rules::default(), &Redactor::new(Mode::Local), &mut ())?;
    let alerts = report.alerts.iter().filter(|alert| alert.kind == AlertType::SecurityAnomaly);
    let addrs = alerts.filter_map(|alert| alert.labels.get("addr")?.raw().parse::<IpAddr>().ok());
    Ok(addrs.map(|addr| addr.to_canonical()).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_guesser_is_right_and_who_is_not_expected_is_wrong() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("made-up");
        fs::create_dir(&folder).unwrap();
        let line = |second: usize, addr: &str| {
            format!("2026-01-31T10:00:{second:02}Z WARN door: bad password for root, caller {addr}\n")
        };
        let text: String = (0..8).flat_map(|nth| [line(nth, "192.0.2.7"), line(nth, "192.0.2.8")]).collect();
        fs::write(folder.join("door.log"), text).unwrap();
        fs::write(folder.join("expected.tsv"), "a/b\t192.0.2.7\t6\na/b\t192.0.2.9\t6\na/b\t192.0.2.10\t1\n").unwrap();
        let mut half = Half::default();
        let said = judge(&folder, &mut half).unwrap();
        assert_eq!(said, ["missed 192.0.2.9", "wrong 192.0.2.8"]);
        assert_eq!((half.files, half.judged, half.right, half.wrong), (1, 2, 1, 1));
    }

    #[test]
    fn missing_data_is_said_plainly() {
        let options = Options { data: PathBuf::from("nowhere"), list: false };
        assert!(run(&options).unwrap_err().to_string().contains("no data in nowhere"));
    }
}
