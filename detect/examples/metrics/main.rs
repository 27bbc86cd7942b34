//! Figures of the detectors of series: `anomalies` on made series.

mod dice;
mod made;
mod windows;

use stella_detect::series::{Channel, Series};
use stella_protocol::Timestamp;

use made::{LIVES, ROWS, WRONGS, make};
use windows::{Scored, worth};

const STEP_MS: i64 = 300_000;

fn score(values: &[f64]) -> (Vec<f64>, Vec<Channel>) {
    let mut series = Series::default();
    let start = 1_704_067_200_000;
    values
        .iter()
        .enumerate()
        .map(|(row, value)| {
            let verdict = series.observe(Timestamp::from_millis(start + row as i64 * STEP_MS), *value);
            verdict.map_or((0.0, Channel::Gap), |verdict| (verdict.score, verdict.channel))
        })
        .unzip()
}

fn anomalies(seed: u64) {
    let mut all = Vec::new();
    let mut kinds = Vec::new();
    let mut channels = Vec::new();
    for (nth, life) in LIVES.into_iter().enumerate() {
        for (mth, wrong) in WRONGS.into_iter().enumerate() {
            let number = seed * 1000 + (nth * WRONGS.len() + mth) as u64;
            let made = make(life, wrong, 1 + (nth + mth) % 3, number);
            let (scores, which) = score(&made.values);
            all.push(Scored { scores, windows: made.windows });
            kinds.push((life, wrong));
            channels.push(which);
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
            for (row, score) in series.scores.iter().enumerate().skip(ROWS * 15 / 100) {
                if *score >= total.threshold && which[row] == channel {
                    let inside = series.windows.iter().any(|(first, last)| (*first..=*last).contains(&row));
                    counts[usize::from(inside)] += 1;
                }
            }
        }
        println!("  {channel:?} {counts:?}");
    }
}

fn main() {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    anomalies(seed);
}
