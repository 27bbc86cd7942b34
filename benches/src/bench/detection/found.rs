//! Rows 7 and 8: what is found, what is false, and how late, for the engine and for the naive rules, on both
//! halves, at the usual traffic and at more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use stella_detect::{Engine, Rules};
use stella_protocol::AlertType;
use stella_traces::{Kind, Naive, Score, Tally, Trace, judge};

use super::explain::Explained;
use super::table::{Cell, Table};
use super::{Errand, Options, errands};
use crate::figures::Bound;

/// Types of incidents, in the order of the design's table.
const FAMILIES: [AlertType; 9] = [
    AlertType::PerformanceDegradation,
    AlertType::ErrorSpike,
    AlertType::NewError,
    AlertType::UserFriction,
    AlertType::SecurityAnomaly,
    AlertType::DataInconsistency,
    AlertType::Silence,
    AlertType::MetricAnomaly,
    AlertType::Forecast,
];

/// What may be affected until it is told, in the middle: calls, attempts, failures.
const DELAYS: [(Kind, &str, f64); 4] = [
    (Kind::SlowOne, "8 calls until told, twice as slow or more", 20.0),
    (Kind::ErrorsMany, "8 calls until told, 30 % errors or more", 20.0),
    (Kind::BruteForce, "8 attempts until told, brute force", 6.0),
    (Kind::Friction, "8 failures until told, friction", 5.0),
];

/// A column: who, on which half, at which traffic.
struct Column {
    name: String,
    naive: bool,
    held_out: bool,
    traffic: f64,
}

/// The table, and what was missed and false on the half of daily work.
pub fn run(options: &Options) -> (Table, Explained) {
    let mut columns = Vec::new();
    for naive in [false, true] {
        for traffic in [1, options.traffic] {
            for held_out in [false, true] {
                let who = if naive { "naive" } else { "engine" };
                let half = if held_out { "held" } else { "in" };
                let name = format!("{who} x{traffic} {half}");
                columns.push(Column { name, naive, held_out, traffic: f64::from(traffic) });
            }
        }
    }
    let scores: Vec<Score> = columns.iter().map(|column| score(column, options.traces)).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut table = Table::new("detection: what is found and what is false", &names);
    fill(&mut table, &scores);
    let of_daily_work = columns.iter().zip(&scores).filter(|(column, _)| !column.naive && !column.held_out);
    let explained = Explained::new(of_daily_work.map(|(column, score)| (column.name.as_str(), score)));
    (table, explained)
}

/// All traces of a column, on as many threads as there are cores; added up in their order.
fn score(column: &Column, traces: u32) -> Score {
    let errands = errands(column.held_out, traces);
    let next = AtomicUsize::new(0);
    let scores: Mutex<Vec<(usize, Score)>> = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, errand)) = errands.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let score = one(errand, column);
                    scores.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, score));
                }
            });
        }
    });
    let mut scores = scores.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    scores.sort_by_key(|(at, _)| *at);
    let mut sum = Score::default();
    for (_, score) in scores {
        sum.add(score);
    }
    sum
}

fn one(errand: &Errand, column: &Column) -> Score {
    let trace = Trace::new(errand.town, errand.seed, column.traffic, errand.span);
    let name = errand.name();
    if column.naive {
        judge(&name, trace, &mut Naive::default())
    } else {
        judge(&name, trace, &mut Engine::new(Rules::default()))
    }
}

fn fill(table: &mut Table, scores: &[Score]) {
    let mut row = |what: String, unit, goal, cell: &dyn Fn(&Score) -> Cell| {
        table.row(what, unit, goal, scores.iter().map(cell).collect());
    };
    let most = |value| Some(Bound::AtMost(value));
    let least = |value| Some(Bound::AtLeast(value));
    row("7 false share of notifications".into(), "%", most(10.0), &|score| {
        Cell::percent(score.falses.len(), score.notifications)
    });
    row("7 false an hour".into(), "/h", most(0.2), &|score| Cell::of(score.falses.len(), Some(score.false_per_hour())));
    row("7 found".into(), "%", least(95.0), &|score| {
        let (n, found) = score.found(|_| true);
        Cell::percent(found, n)
    });
    for family in FAMILIES {
        row(format!("7 found: {}", family.word()), "%", least(90.0), &|score| {
            let (n, found) = score.found(|kind| kind.family() == family);
            Cell::percent(found, n)
        });
    }
    for (kind, what, goal) in DELAYS {
        row(what.to_owned(), "lines", most(goal), &|score| {
            Cell::median(score.plain.get(&kind).into_iter().flatten().map(|lines| *lines as f64))
        });
    }
    row("break-ins told as critical".into(), "%", None, &|score| {
        let n = score.kinds.get(&Kind::Breach).map_or(0, |tally| tally.n);
        Cell::percent(score.breaches_critical.min(n), n)
    });
    row("repeats for each incident told".into(), "", None, &|score| {
        Cell::of(score.repeats, Some(score.repeats as f64 / score.right as f64))
    });
    row("beside the point, of all said".into(), "%", None, &|score| {
        Cell::percent(score.beside + score.children, score.notifications)
    });
    for kind in Kind::ALL {
        let of = |score: &Score, cell: fn(&Tally) -> Cell| score.kinds.get(&kind).map_or_else(Cell::none, cell);
        let word = serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned));
        let word = word.unwrap_or_default();
        row(format!("  {word}: found"), "%", None, &|score| of(score, |tally| Cell::percent(tally.found, tally.n)));
        row(format!("  {word}: until told"), "s", None, &|score| {
            of(score, |tally| Cell::median(tally.seconds.iter().copied()))
        });
    }
    for (score, half) in scores.iter().zip(["in-sample", "held-out"]) {
        let Score { traces, hours, lines, .. } = score;
        table.note(format!("{half}: {traces} traces, {hours:.0} h, {lines} lines at the usual traffic"));
    }
}
