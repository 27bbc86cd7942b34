//! Figures of the detectors of series.
//!
//! ```text
//! metrics [SEED]...          anomalies of made series, scored by the rules of the Numenta benchmark
//! metrics ramps [SEED]...    forecasts of made gauges, beside a straight line by hand
//! metrics scores FOLDER TO   scores of every series of a folder
//! ```

#![expect(clippy::print_stdout, reason = "the figures are what this example is for")]

mod dice;
mod lives;
mod made;
mod ramps;
mod windows;

use std::path::Path;
use std::{fs, io};

use stella_detect::series::{Channel, Series};
use stella_protocol::Timestamp;

use made::{LIVES, Made, WRONGS, make};
use windows::{Scored, worth};

fn score(made: &Made) -> (Vec<f64>, Vec<Channel>) {
    let mut series = Series::default();
    let row = |(at, value): &(i64, f64)| {
        let verdict = series.observe(Timestamp::from_millis(*at), *value);
        verdict.map_or((0.0, Channel::Gap), |verdict| (verdict.score, verdict.channel))
    };
    made.rows.iter().map(row).unzip()
}

fn anomalies(seeds: &[u64]) {
    let mut all = Vec::new();
    let mut kinds = Vec::new();
    let mut channels = Vec::new();
    for seed in seeds {
        for (nth, life) in LIVES.into_iter().enumerate() {
            for (mth, wrong) in WRONGS.into_iter().enumerate() {
                let number = seed * 1000 + (nth * WRONGS.len() + mth) as u64;
                let made = make(life, wrong, 1 + (nth + mth) % 3, number);
                let (scores, which) = score(&made);
                all.push(Scored { scores, windows: made.windows });
                kinds.push((life, wrong));
                channels.push(which);
            }
        }
    }
    let total = worth(&all, None);
    println!("all           {total:.2?}");
    let at = Some(total.threshold);
    for kind in LIVES.into_iter().chain(WRONGS) {
        let part: Vec<Scored> = all
            .iter()
            .zip(&kinds)
            .filter(|(_, (life, wrong))| kind == *life || kind == *wrong)
            .map(|(series, _)| Scored { scores: series.scores.clone(), windows: series.windows.clone() })
            .collect();
        let one = worth(&part, at);
        println!("{kind:12} {:6.2}  windows {:2}/{:2}  false rows {}", one.score, one.hit, one.windows, one.false_rows);
    }
    println!("channels of rows at or over the threshold: false, in a window");
    for channel in Channel::ALL {
        let mut counts = [0; 2];
        for (series, which) in all.iter().zip(&channels) {
            for (row, score) in series.scores.iter().enumerate().skip((series.scores.len() * 15 / 100).min(750)) {
                if *score >= total.threshold && which[row] == channel {
                    let inside = series.windows.iter().any(|(first, last)| (*first..=*last).contains(&row));
                    counts[usize::from(inside)] += 1;
                }
            }
        }
        println!("  {channel:?} {counts:?}");
    }
}

/// Scores of every series of `folder` (rows of seconds, a tab and a value), one file each in `to`.
fn score_files(folder: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_none_or(|ending| ending != "csv") {
            continue;
        }
        let (text, mut series, mut scores) = (fs::read_to_string(entry.path())?, Series::default(), String::new());
        for row in text.lines() {
            let Some((at, value)) = row.split_once('\t') else { continue };
            let (at, value): (f64, f64) = (at.parse().unwrap_or(0.0), value.parse().unwrap_or(f64::NAN));
            let verdict = series.observe(Timestamp::from_millis((at * 1000.0) as i64), value);
            scores.push_str(&format!("{}\n", verdict.map_or(0.0, |verdict| verdict.score)));
        }
        fs::write(to.join(entry.file_name()), scores)?;
    }
    Ok(())
}

/// Seeds as they were given; 1, when none was.
fn numbers(words: &[String]) -> Vec<u64> {
    let seeds: Vec<u64> = words.iter().filter_map(|seed| seed.parse().ok()).collect();
    if seeds.is_empty() { vec![1] } else { seeds }
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [what, folder, to] if what == "scores" => score_files(Path::new(folder), Path::new(to)),
        [what, seeds @ ..] if what == "ramps" => {
            ramps::forecasts(&numbers(seeds));
            Ok(())
        }
        seeds => {
            anomalies(&numbers(seeds));
            Ok(())
        }
    }
}
