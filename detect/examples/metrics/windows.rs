//! Scores against labelled windows, by the rules of the Numenta Anomaly Benchmark 1.1 (Lavin and Ahmad
//! 2015, "Evaluating Real-time Anomaly Detection Algorithms"), standard profile: an early hit earns
//! up to 1, a missed window costs 1, a false row up to 0.11.

const FALSE_WEIGHT: f64 = 0.11;

/// A scored series.
pub struct Scored {
    pub scores: Vec<f64>,
    pub windows: Vec<(usize, usize)>,
}

/// What a threshold is worth.
#[derive(Debug, Clone, Copy)]
pub struct Worth {
    /// 0: never fires; 100: perfect.
    pub score: f64,
    pub threshold: f64,
    pub hit: usize,
    pub windows: usize,
    pub false_rows: usize,
}

fn sigmoid(x: f64) -> f64 {
    if x > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * x).exp()) - 1.0 }
}

/// Score, weight and window of every row that counts.
fn weigh(series: &Scored, base: usize) -> Vec<(f64, f64, Option<usize>)> {
    let rows = series.scores.len();
    let probation = (rows * 15 / 100).min(750);
    let mut before: Option<(usize, usize)> = None;
    let mut next = 0;
    let mut weights = Vec::new();
    for (row, score) in series.scores.iter().enumerate() {
        let inside =
            series.windows.get(next).filter(|(first, _)| row >= *first).map(|(first, last)| (*last, last - first + 1));
        let weight = match (inside, before) {
            (Some((last, long)), _) => sigmoid(-((last - row + 1) as f64) / long as f64) / sigmoid(-1.0),
            (None, Some((last, long))) => sigmoid((row - last) as f64 / (long - 1) as f64) * FALSE_WEIGHT,
            (None, None) => -FALSE_WEIGHT,
        };
        if row >= probation {
            weights.push((*score, weight, inside.map(|_| base + next)));
        }
        if let Some((last, long)) = inside.filter(|(last, _)| *last == row) {
            before = Some((last, long));
            next += 1;
        }
    }
    weights
}

/// The worth at `threshold`, or at the best one.
pub fn worth(all: &[Scored], threshold: Option<f64>) -> Worth {
    let (mut rows, mut windows) = (Vec::new(), 0);
    for series in all {
        rows.extend(weigh(series, windows));
        windows += series.windows.len();
    }
    rows.sort_by(|left, right| right.0.total_cmp(&left.0));
    let mut part = vec![-1.0; windows];
    let floor = -(windows as f64);
    let (mut total, mut hit, mut false_rows) = (floor, 0, 0);
    let mut worth = Worth { score: 0.0, threshold: 1.1, hit: 0, windows, false_rows: 0 };
    let mut best = floor;
    for (nth, (score, weight, window)) in rows.iter().enumerate() {
        match window {
            None => {
                total += weight;
                false_rows += 1;
            }
            Some(window) => {
                hit += usize::from(part[*window] <= -1.0);
                if *weight > part[*window] {
                    total += weight - part[*window];
                    part[*window] = *weight;
                }
            }
        }
        let level_ends = rows.get(nth + 1).is_none_or(|next| next.0 < *score);
        let counts = threshold.map_or(total > best, |threshold| *score >= threshold);
        if level_ends && counts {
            best = total;
            let score_now = 100.0 * (total - floor) / (windows as f64 - floor).max(1.0);
            worth = Worth { score: score_now, threshold: *score, hit, windows, false_rows };
        }
    }
    worth
}
