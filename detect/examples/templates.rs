//! How well and how fast templates are learned: `cargo run --release -p stella-detect --example templates -- DIR`.
//!
//! DIR holds a folder for each system with a `truth.tsv` (true template, TAB, message). For each system the
//! grouping accuracy (share of the lines whose group holds exactly the lines of their true template), then
//! the lines a second on one core beside a pass that only looks for the ends of the lines. With a second
//! word, the groups of that system that are wrong.

#![expect(clippy::print_stdout, reason = "the figures are what this example is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;
use std::{env, fs, io};

use stella_detect::{TemplateId, Templates};

/// Room for more templates than any of these systems has.
const BOUND: usize = 8192;

/// Lines that the speed is measured on.
const LINES: usize = 2_000_000;

/// Seconds of processor time that this thread has had, so that a busy machine does not count as ours; of the
/// clock where the system does not tell.
fn seconds(start: Instant) -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| start.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

struct System {
    name: String,
    truth: Vec<(String, String)>,
}

fn systems(root: &Path) -> io::Result<Vec<System>> {
    let mut all = Vec::new();
    for folder in fs::read_dir(root)? {
        let folder = folder?;
        let Ok(truth) = fs::read(folder.path().join("truth.tsv")) else { continue };
        let truth = String::from_utf8_lossy(&truth);
        let rows = truth.lines().filter_map(|line| line.split_once('\t'));
        let truth = rows.map(|(id, message)| (id.to_owned(), message.to_owned())).collect();
        all.push(System { name: folder.file_name().to_string_lossy().into_owned(), truth });
    }
    all.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(all)
}

struct Judged {
    accuracy: f64,
    groups: usize,
    wrong: Vec<String>,
}

fn judge(system: &System) -> Judged {
    let mut templates = Templates::new(BOUND);
    let found: Vec<TemplateId> = system.truth.iter().map(|(_, message)| templates.learn(message)).collect();
    let mut by_truth: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut by_found: BTreeMap<TemplateId, BTreeSet<usize>> = BTreeMap::new();
    for (line, ((id, _), found)) in system.truth.iter().zip(&found).enumerate() {
        by_truth.entry(id).or_default().insert(line);
        by_found.entry(*found).or_default().insert(line);
    }
    let (mut right, mut wrong) = (0, Vec::new());
    for (id, group) in &by_found {
        let first = group.first().copied().unwrap_or_default();
        let (name, message) = &system.truth[first];
        let truth = &by_truth[&**name];
        if truth == group {
            right += group.len();
        } else {
            let kind = if truth.is_superset(group) { "split" } else { "mixed" };
            let text = templates.text(*id).unwrap_or_default();
            wrong.push(format!("{kind} {:4} of {name} {:4}: {text}\n      {message}", group.len(), truth.len()));
        }
    }
    Judged { accuracy: right as f64 / system.truth.len() as f64, groups: by_found.len(), wrong }
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let Some(root) = arguments.next() else {
        return Err(io::Error::other("want a folder of systems with a truth.tsv each"));
    };
    let looked_at: Vec<String> = arguments.collect();
    let systems = systems(Path::new(&root))?;
    let mut sum = 0.0;
    for system in &systems {
        let judged = judge(system);
        sum += judged.accuracy;
        println!("{:<12} GA {:.3}  {:4} groups", system.name, judged.accuracy, judged.groups);
        if looked_at.contains(&system.name) {
            judged.wrong.iter().for_each(|wrong| println!("  {wrong}"));
        }
    }
    println!("{:<12} GA {:.4}", "mean", sum / systems.len().max(1) as f64);
    speed(&systems);
    Ok(())
}

/// The lines of all systems in turn, as one text: what a core does with it.
fn speed(systems: &[System]) {
    let mut text = String::new();
    let lines =
        (0..).flat_map(|at| systems.iter().filter_map(move |system| system.truth.get(at % system.truth.len().max(1))));
    for (_, message) in lines.take(if systems.is_empty() { 0 } else { LINES }) {
        text.push_str(message);
        text.push('\n');
    }
    let start = Instant::now();
    let begun = seconds(start);
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).count();
    let limit = seconds(start);
    let mut templates = Templates::new(BOUND);
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
        templates.learn(&text[from..end]);
        from = end + 1;
    }
    let learned = seconds(start);
    let mut flooded = Templates::new(BOUND);
    (0..LINES).for_each(|nth| _ = flooded.learn(&invented(nth)));
    let flood = seconds(start);
    let rate = |lines: usize, seconds: f64| lines as f64 / seconds / 1e6;
    println!(
        "{ends} lines of {} bytes: {:.2} M lines/s; the ends of the lines alone {:.1} M lines/s",
        text.len() / ends.max(1),
        rate(ends, learned - limit),
        rate(ends, limit - begun),
    );
    println!(
        "{LINES} lines that are all different: {:.2} M lines/s, {} of {BOUND} templates",
        rate(LINES, flood - learned),
        flooded.len()
    );
}

/// A line of six words that was never said before.
fn invented(nth: usize) -> String {
    let mut state = nth as u64;
    let mut words = String::new();
    for _ in 0..6 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (0..5).for_each(|at| words.push((b'a' + ((state >> (20 + 8 * at)) % 26) as u8) as char));
        words.push(' ');
    }
    words
}
