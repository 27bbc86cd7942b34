//! Detection, on labelled traces of invented applications: what is found and what is false, how late, how fast,
//! in how much memory; beside the naive rules, in one run.
//!
//! The towns and seeds of daily work stand beside those that are held out. What was missed or false is only
//! listed of the first: who reads the list of the second has tuned on it.

mod data;
mod explain;
mod found;
mod keys;
mod marks;
mod same;
mod speed;
pub(super) mod table;

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use stella_traces::{Span, TOWNS, Town};

pub use keys::run as keys;
use table::Table;

/// Every so many rounds over the towns, a trace of days.
const DAYS_EVERY: usize = 6;
/// First seed of what is held out: far from those of daily work.
const HELD_OUT_SEED: u64 = 1001;

/// How much.
#[derive(Debug, Args)]
pub struct Options {
    /// Traces for each half, at each traffic.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=1000))]
    traces: u32,
    /// How many times the usual traffic, besides once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=20))]
    traffic: u32,
    /// Only what is found and false: neither speed nor memory.
    #[arg(long)]
    found_only: bool,
    /// Lists what was missed and what was false on the traces of daily work.
    #[arg(long)]
    explain: bool,
    /// A folder with `nab-dev` and `loghub-dev`, and beside it `tools` with their scorers: rows 1 and 3 as well.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { traces: 24, traffic: 5, found_only: false, explain: false, data: None }
    }
}

/// A trace to be made.
#[derive(Debug, Clone, Copy)]
struct Errand {
    town: &'static Town,
    seed: u64,
    span: Span,
}

impl Errand {
    /// Its name in lists.
    fn name(&self) -> String {
        format!("{} {}{}", self.town.name, self.seed, if self.span == Span::Days { " (days)" } else { "" })
    }
}

/// Traces of one half.
fn errands(held_out: bool, traces: u32) -> Vec<Errand> {
    let towns: Vec<&'static Town> = TOWNS.iter().filter(|town| town.held_out == held_out).collect();
    let first = if held_out { HELD_OUT_SEED } else { 1 };
    let one = |nth: usize| Errand {
        town: towns[nth % towns.len()],
        seed: first + nth as u64,
        span: if (nth / towns.len()) % DAYS_EVERY == DAYS_EVERY - 1 { Span::Days } else { Span::Shift },
    };
    (0..traces as usize).map(one).collect()
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Outcome {
    tables: Vec<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<explain::Explained>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|table| writeln!(f, "{table}"))?;
        self.explained.as_ref().map_or(Ok(()), |explained| write!(f, "{explained}"))
    }
}

/// Measures.
///
/// # Errors
/// When this program cannot be started again for the memory of keys.
pub fn run(options: &Options) -> anyhow::Result<Outcome> {
    let (table, explained) = found::run(options);
    let mut tables = vec![table];
    if !options.found_only {
        tables.push(cost()?);
    }
    if let Some(data) = &options.data {
        let mut table = Table::new("detection: real series and logs", &["engine", "naive"]);
        data::measure(&mut table, data)?;
        tables.push(table);
    }
    Ok(Outcome { tables, explained: options.explain.then_some(explained) })
}

/// Rows 5 and 6 alone: how fast the whole engine is, and in how much memory.
///
/// # Errors
/// When this program cannot be started again for the memory of keys.
pub fn engine() -> anyhow::Result<Outcome> {
    let mut table = Table::new("engine: speed and memory", &["engine", "naive"]);
    speed::measure(&mut table);
    keys::measure(&mut table)?;
    Ok(Outcome { tables: vec![table], explained: None })
}

/// Rows 5, 6, 11 and 12.
fn cost() -> anyhow::Result<Table> {
    let mut table = Table::new("detection: cost", &["engine", "naive"]);
    speed::measure(&mut table);
    keys::measure(&mut table)?;
    marks::measure(&mut table);
    same::measure(&mut table)?;
    Ok(table)
}
