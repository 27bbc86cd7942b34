//! Samples, what is said of them, and the report they stand in.
//!
//! Percentiles are of the nearest rank: always a value that was measured, never one in between.

use std::fmt;

use serde::Serialize;

/// Measured values of one thing, in one unit.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// None yet, and room for so many: they grow without being copied.
    pub fn with_room(many: usize) -> Self {
        Self(Vec::with_capacity(many))
    }

    /// Adds one.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest value that at least the share `rank` (0 to 1) does not exceed; None: there is none.
    pub fn percentile(&self, rank: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (rank * sorted.len() as f64).ceil() as usize;
        sorted.get(at.saturating_sub(1)).copied()
    }

    /// The value in the middle.
    pub fn median(&self) -> Option<f64> {
        self.percentile(0.5)
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// Which statistic a goal speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// The middle.
    Median,
    /// The nearest rank of 99 %.
    P99,
    /// The largest.
    Max,
}

/// On which side of a bound a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
}

/// What was promised, and whether it was kept in this run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goal {
    /// Of which statistic.
    pub of: Statistic,
    /// How much.
    pub bound: Bound,
    /// Whether it held.
    pub met: bool,
}

/// One row of a report.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    what: String,
    unit: &'static str,
    n: usize,
    min: Option<f64>,
    median: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
    goal: Option<Goal>,
}

impl Figure {
    /// What the samples say.
    pub fn of(what: impl Into<String>, unit: &'static str, samples: &Samples) -> Self {
        Self {
            what: what.into(),
            unit,
            n: samples.len(),
            min: samples.percentile(0.0),
            median: samples.median(),
            p95: samples.percentile(0.95),
            p99: samples.percentile(0.99),
            max: samples.percentile(1.0),
            goal: None,
        }
    }

    /// A single value.
    pub fn one(what: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self::of(what, unit, &Samples(vec![value]))
    }

    /// Holds it against a promise. What was not measured keeps none.
    pub fn held_to(mut self, of: Statistic, bound: Bound) -> Self {
        let value = match of {
            Statistic::Median => self.median,
            Statistic::P99 => self.p99,
            Statistic::Max => self.max,
        };
        let met = value.is_some_and(|value| match bound {
            Bound::AtMost(most) => value <= most,
            Bound::AtLeast(least) => value >= least,
        });
        self.goal = Some(Goal { of, bound, met });
        self
    }

    fn goal_words(&self) -> String {
        let Some(Goal { of, bound, met }) = self.goal else { return String::new() };
        let of = match of {
            Statistic::Median => "median",
            Statistic::P99 => "p99",
            Statistic::Max => "max",
        };
        let bound = match bound {
            Bound::AtMost(most) => format!("<= {}", number(most)),
            Bound::AtLeast(least) => format!(">= {}", number(least)),
        };
        format!("{of} {bound}: {}", if met { "met" } else { "MISSED" })
    }
}

/// What one bench found out.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    bench: &'static str,
    cores: usize,
    /// Mean number of runnable tasks in the minute before the bench began, and before it ended.
    load: [Option<f64>; 2],
    figures: Vec<Figure>,
    notes: Vec<String>,
}

impl Report {
    /// An empty one; notes how busy the machine is.
    pub fn new(bench: &'static str) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { bench, cores, load: [load(), None], figures: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row.
    pub fn add(&mut self, figure: Figure) {
        self.load[1] = load();
        self.figures.push(figure);
    }

    /// Adds a sentence.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// The load average of the last minute.
fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// At most four significant digits below a thousand, whole numbers above.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 1.0 => format!("{value:.3}"),
        small if small < 10.0 => format!("{value:.2}"),
        small if small < 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = self.load.map(|load| load.map_or_else(|| "?".to_owned(), number));
        writeln!(f, "{} ({} cores, load {} to {})", self.bench, self.cores, load[0], load[1])?;
        let widest = self.figures.iter().map(|figure| figure.what.chars().count()).max().unwrap_or(0);
        writeln!(f, "  {:widest$}  {:>5} {:>9} {:>9} {:>9} {:>9}", "", "n", "median", "p95", "p99", "max")?;
        for figure in &self.figures {
            let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
            let [median, p95, p99, max] = [figure.median, figure.p95, figure.p99, figure.max].map(cell);
            let row = format!("{:widest$}  {:>5} {median:>9} {p95:>9} {p99:>9} {max:>9}", figure.what, figure.n);
            writeln!(f, "  {row} {:<14} {}", figure.unit, figure.goal_words())?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  - {note}"))?;
        writeln!(f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn one_to(last: u32) -> Samples {
        (1..=last).rev().map(f64::from).collect()
    }

    fn is(value: Option<f64>, expected: f64) -> bool {
        (value.unwrap() - expected).abs() < f64::EPSILON
    }

    #[test]
    fn a_percentile_is_a_measured_value_of_the_nearest_rank() {
        let samples = one_to(100);
        assert!(is(samples.median(), 50.0) && is(samples.percentile(0.99), 99.0) && is(samples.percentile(1.0), 100.0));
        assert!(is(one_to(5).median(), 3.0) && is(one_to(5).percentile(0.99), 5.0));
        assert!(is(one_to(3).percentile(0.0), 1.0));
        assert_eq!(Samples::default().median(), None);
    }

    #[test]
    fn a_goal_is_met_on_its_bound_and_missed_beyond_it_or_without_samples() {
        let met = |samples: &Samples, bound| {
            Figure::of("x", "ms", samples).held_to(Statistic::Median, bound).goal.unwrap().met
        };
        assert!(met(&one_to(5), Bound::AtMost(3.0)) && met(&one_to(5), Bound::AtLeast(3.0)));
        assert!(!met(&one_to(5), Bound::AtMost(2.9)) && !met(&one_to(5), Bound::AtLeast(3.1)));
        assert!(!met(&Samples::default(), Bound::AtMost(1.0)));
    }

    #[test]
    fn the_table_names_what_was_missed() {
        let mut report = Report::new("idle");
        report.add(Figure::one("bytes", "B", 12.0).held_to(Statistic::Max, Bound::AtMost(0.0)));
        assert!(report.to_string().contains("max <= 0: MISSED"), "{report}");
    }
}
