//! How ingest fares on real logs of other people, which are not part of the project.
//!
//! The figures are printed; what is asserted is that nothing is lost and nobody is accused wrongly.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use stella_protocol::log::Login;

use super::*;

/// The failures from which on an address that is not expected is a wrong one. Those who made the data
/// expect an address from its sixth failure on, so one that really failed five times is not expected.
const ALARMING: usize = 6;

/// Not judged, as the data's own description says.
const NOT_JUDGED: [&str; 3] = ["aws-nwo-login", "ssh-generic-test", "synology-dsm-bf"];

/// A folder of the shared data; None: it is not on this machine, and the test says so.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn data(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = root.ancestors().map(|above| above.join("shared/data").join(folder)).find(|path| path.is_dir());
    let found = found.or_else(|| std::env::var_os("STELLA_TEST_DATA").map(|path| PathBuf::from(path).join(folder)));
    if found.is_none() {
        println!("SKIP: no {folder} here; see the data's own description for where it comes from");
    }
    found
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(root).map(|dir| dir.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    all.retain(|path| path.is_dir());
    all.sort();
    all
}

fn log_of(folder: &Path) -> String {
    let files =
        fs::read_dir(folder).map(|dir| dir.flatten().map(|entry| entry.path()).collect::<Vec<_>>()).unwrap_or_default();
    let log = files.iter().find(|path| path.extension().is_some_and(|end| end == "log"));
    log.and_then(|path| fs::read(path).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// How often each address failed or was shut out.
fn failures(log: &str) -> BTreeMap<String, (usize, bool)> {
    let batch = parse(log, BodyKind::PlainText, received()).unwrap_or_default();
    let mut counts: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    for event in &batch.events {
        let Some(login @ (Login::Failed | Login::LockedOut)) = event.login else { continue };
        let Some(address) = &event.remote_addr else { continue };
        let count = counts.entry(address.raw().to_owned()).or_default();
        count.0 += 1;
        count.1 |= login == Login::LockedOut;
    }
    counts
}

fn received() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap_or_default()
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is for")]
fn attackers_are_found_by_address_and_nobody_else_is() {
    let Some(root) = data("security-dev") else { return };
    let (mut judged, mut found, mut wrong) = (0, 0, 0);
    for folder in folders(&root) {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let expected = fs::read_to_string(folder.join("expected.tsv")).unwrap_or_default();
        let counts = failures(&log_of(&folder));
        let rows = expected.lines().filter_map(|line| {
            let mut cells = line.split('\t').skip(1);
            Some((cells.next()?.to_owned(), cells.next().and_then(|count| count.parse::<usize>().ok())))
        });
        let rows: Vec<(String, Option<usize>)> = rows.collect();
        let sources: Vec<String> =
            rows.iter().filter_map(|(source, _)| address::read(source).map(std::borrow::Cow::into_owned)).collect();
        let mut done = Vec::new();
        for (source, events) in &rows {
            let Some(source) = address::read(source).map(std::borrow::Cow::into_owned) else { continue };
            if NOT_JUDGED.contains(&&*name) || done.contains(&source) {
                continue;
            }
            done.push(source.clone());
            let (count, locked) = counts.get(&source).copied().unwrap_or_default();
            if events.is_none_or(|events| events >= 3) || locked {
                judged += 1;
                let enough = count >= events.unwrap_or(3).min(3) || locked;
                found += usize::from(enough);
                if !enough {
                    println!("missed: {name} {source}: {count} of {events:?}");
                }
            }
        }
        let others = counts.iter().filter(|(address, _)| !sources.contains(address) && !NOT_JUDGED.contains(&&*name));
        for (address, (count, _)) in others {
            if *count >= ALARMING {
                wrong += 1;
                println!("wrong: {name} {address}: {count}");
            }
        }
    }
    println!("security-dev: {found} of {judged} judged sources found, {wrong} wrong addresses");
    assert!(found * 10 >= judged * 9, "{found} of {judged}");
    assert_eq!(wrong, 0);
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is for")]
fn every_line_of_eight_systems_is_taken_with_its_time_and_origin() {
    let Some(root) = data("loghub-dev") else { return };
    for folder in folders(&root) {
        let log = log_of(&folder);
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let lines = log.lines().filter(|line| !line.trim().is_empty()).count();
        let batch = parse(&log, BodyKind::PlainText, received()).unwrap_or_default();
        let share = |fits: &dyn Fn(&LogEvent<'_>) -> bool| {
            batch.events.iter().filter(|event| fits(event)).count() * 100 / batch.events.len().max(1)
        };
        let timed = share(&|event| event.timestamp.is_some());
        let named = share(&|event| !event.service.is_empty());
        let told = share(&|event| !event.message.is_empty());
        let levels = batch.events.iter().fold(BTreeMap::new(), |mut levels: BTreeMap<&str, usize>, event| {
            *levels.entry(event.level.word()).or_default() += 1;
            levels
        });
        println!("{name}: {} of {lines} lines, time {timed} %, service {named} %, {levels:?}", batch.events.len());
        assert_eq!((batch.events.len(), batch.rejected), (lines, 0), "{name}");
        assert!(timed >= 95 && told >= 99, "{name}");
        assert!(named >= 95, "{name}: service {named} %");
    }
}

/// The share of lines whose group holds exactly the lines of their true template.
fn accuracy(truth: &[&str], found: &[String]) -> f64 {
    let mut by_truth: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut by_found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (line, (truth, found)) in truth.iter().zip(found).enumerate() {
        by_truth.entry(truth).or_default().push(line);
        by_found.entry(found).or_default().push(line);
    }
    let right = by_found.values().filter(|group| by_truth[truth[group[0]]] == **group).map(Vec::len);
    right.sum::<usize>() as f64 / truth.len().max(1) as f64
}

fn grouped(input: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let learned = crate::templates::learn(&mut input.as_bytes(), |id| {
        ids.push(id.to_string());
        Ok(())
    });
    assert!(learned.is_ok());
    ids
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is for")]
fn lines_of_eight_systems_are_grouped_as_people_grouped_them_with_their_headers_and_without() {
    let Some(root) = data("loghub-dev") else { return };
    let (mut whole, mut bare, mut systems) = (0.0, 0.0, 0.0);
    for folder in folders(&root) {
        let log = log_of(&folder);
        let truth = fs::read(folder.join("truth.tsv")).unwrap_or_default();
        let truth = String::from_utf8_lossy(&truth);
        let (names, messages): (Vec<&str>, Vec<&str>) = truth.lines().filter_map(|line| line.split_once('\t')).unzip();
        let (of_lines, of_messages) = (grouped(&log), grouped(&messages.join("\n")));
        assert_eq!((of_lines.len(), of_messages.len()), (names.len(), names.len()));
        let (with, without) = (accuracy(&names, &of_lines), accuracy(&names, &of_messages));
        println!("{}: {with:.3} of whole lines, {without:.3} of messages", folder.display());
        (whole, bare, systems) = (whole + with, bare + without, systems + 1.0);
    }
    println!("mean of {systems} systems: {:.3} of whole lines, {:.3} of messages", whole / systems, bare / systems);
    assert!(whole / systems >= 0.9 && bare / systems >= 0.9);
}
