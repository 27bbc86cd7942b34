//! Rows 1 and 3: real series and real logs, scored by the scorers that come with them (`DIR/../tools`). Halves for daily
//! work only; a row whose data are not there says so.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use stella_detect::Templates;
use stella_detect::series::Series;
use stella_protocol::Timestamp;

use super::table::{Cell, Table};
use crate::figures::Bound;

/// Templates that are kept, as `stella-server templates` does by default.
const TEMPLATES: usize = 10_000;

/// Measures what there is under `data`.
///
/// # Errors
/// When a scorer cannot be started or says something else than it used to.
pub fn measure(table: &mut Table, data: &Path) -> anyhow::Result<()> {
    let tools = data.join("..").join("tools");
    let scratch = std::env::temp_dir().join(format!("stella-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).context("make a folder for scores")?;
    let done = nab(table, data, &tools, &scratch).and_then(|()| grouping(table, data, &tools, &scratch));
    std::fs::remove_dir_all(&scratch).context("remove the scores")?;
    done
}

/// Row 1: every series, one score a row, made of nothing but the rows before.
fn nab(table: &mut Table, data: &Path, tools: &Path, scratch: &Path) -> anyhow::Result<()> {
    let (folder, scorer) = (data.join("nab-dev"), tools.join("nab_score.py"));
    let row = |table: &mut Table, cell| {
        table.row("1 NAB standard, in-sample half", "", Some(Bound::AtLeast(67.0)), vec![cell, Cell::none()]);
    };
    if !folder.join("windows.tsv").is_file() || !scorer.is_file() {
        table.note(format!("row 1 was not measured: no {} or no {}", folder.display(), scorer.display()));
        row(table, Cell::none());
        return Ok(());
    }
    let mut series = 0;
    for path in files(&folder, "csv")? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default();
        std::fs::write(scratch.join(name), scores(&text)).context("write the scores")?;
        series += 1;
    }
    let said = run(&scorer, &[folder.as_os_str(), scratch.as_os_str()])?;
    let standard = said.lines().find(|line| line.trim_start().starts_with("standard"));
    let score = standard.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    ensure!(score.is_some(), "the scorer of NAB said no standard score: {said}");
    row(table, Cell::of(series, score));
    Ok(())
}

fn scores(text: &str) -> String {
    let (mut series, mut out) = (Series::default(), String::new());
    for line in text.lines() {
        let mut parts = line.split(['\t', ',']).map(|part| part.trim().parse::<f64>());
        let (Some(Ok(at)), value) = (parts.next(), parts.next()) else { continue };
        let at = Timestamp::from_millis((at * 1000.0) as i64);
        let verdict = value.and_then(Result::ok).and_then(|value| series.observe(at, value));
        let _ = writeln!(out, "{}", verdict.map_or(0.0, |verdict| verdict.score));
    }
    out
}

/// Row 3: the mean over the systems; whole messages, one configuration.
fn grouping(table: &mut Table, data: &Path, tools: &Path, scratch: &Path) -> anyhow::Result<()> {
    let (folder, scorer) = (data.join("loghub-dev"), tools.join("grouping_accuracy.py"));
    let mut truths: Vec<PathBuf> = Vec::new();
    if folder.is_dir() && scorer.is_file() {
        let systems = std::fs::read_dir(&folder).context("list the systems")?;
        truths = systems
            .filter_map(|entry| Some(entry.ok()?.path().join("truth.tsv")))
            .filter(|path| path.is_file())
            .collect();
        truths.sort();
    }
    let mut sum = 0.0;
    for truth in &truths {
        let text = std::fs::read(truth).with_context(|| format!("read {}", truth.display()))?;
        let (mut templates, mut out) = (Templates::new(TEMPLATES), String::new());
        for line in String::from_utf8_lossy(&text).lines() {
            let message = line.split_once('\t').map_or(line, |(_, message)| message);
            let _ = writeln!(out, "{}", templates.learn(message));
        }
        let groups = scratch.join("groups");
        std::fs::write(&groups, out).context("write the groups")?;
        let said = run(&scorer, &[truth.as_os_str(), groups.as_os_str()])?;
        let accuracy: Option<f64> = said.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        sum += accuracy.with_context(|| format!("read what the scorer of groups said: {said}"))?;
    }
    if truths.is_empty() {
        table.note(format!("row 3 was not measured: no {} or no {}", folder.display(), scorer.display()));
    }
    let mean = (!truths.is_empty()).then(|| sum / truths.len() as f64);
    let cells = vec![Cell::of(truths.len(), mean), Cell::none()];
    table.row("3 grouping accuracy, in-sample half", "", Some(Bound::AtLeast(0.9)), cells);
    Ok(())
}

fn files(folder: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension() == Some(OsStr::new(ending)));
    paths.sort();
    Ok(paths)
}

fn run(scorer: &Path, arguments: &[&OsStr]) -> anyhow::Result<String> {
    let output = Command::new("python3").arg(scorer).args(arguments).output().context("start python3 for a scorer")?;
    ensure!(output.status.success(), "{}: {}", scorer.display(), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
