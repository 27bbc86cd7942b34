//! A table of figures with several columns, each held to the row's promise.

use std::fmt;

use serde::Serialize;

use crate::figures::{Bound, Samples, number};

/// A figure, and of how many things it speaks.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cell {
    n: usize,
    value: Option<f64>,
}

impl Cell {
    /// A value from `n` things.
    pub fn of(n: usize, value: Option<f64>) -> Self {
        Self { n, value: value.filter(|value| value.is_finite()) }
    }

    /// A single value.
    pub fn one(value: f64) -> Self {
        Self::of(1, Some(value))
    }

    /// A share in percent.
    pub fn percent(part: usize, whole: usize) -> Self {
        Self::of(whole, (whole > 0).then(|| part as f64 * 100.0 / whole as f64))
    }

    /// The middle of many.
    pub fn median(values: impl IntoIterator<Item = f64>) -> Self {
        let samples: Samples = values.into_iter().collect();
        Self::of(samples.len(), samples.median())
    }

    /// Nothing was measured here.
    pub fn none() -> Self {
        Self::of(0, None)
    }
}

#[derive(Debug, Serialize)]
struct Row {
    what: String,
    unit: &'static str,
    goal: Option<Bound>,
    cells: Vec<Cell>,
}

impl Row {
    fn misses(&self, cell: &Cell) -> bool {
        match (self.goal, cell.value) {
            (Some(Bound::AtMost(most)), Some(value)) => value > most,
            (Some(Bound::AtLeast(least)), Some(value)) => value < least,
            _ => false,
        }
    }

    fn goal_words(&self) -> String {
        match self.goal {
            Some(Bound::AtMost(most)) => format!("<= {}", number(most)),
            Some(Bound::AtLeast(least)) => format!(">= {}", number(least)),
            None => String::new(),
        }
    }
}

/// Rows of figures under the same columns.
#[derive(Debug, Serialize)]
pub struct Table {
    title: &'static str,
    columns: Vec<String>,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// An empty one.
    pub fn new(title: &'static str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title, columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, what: impl Into<String>, unit: &'static str, goal: Option<Bound>, cells: Vec<Cell>) {
        self.rows.push(Row { what: what.into(), unit, goal, cells });
    }

    /// Adds a sentence.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// A missed promise says MISS; in brackets stands of how many things the figure speaks.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CELL: usize = 18;
        let widest = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
        writeln!(f, "{}", self.title)?;
        write!(f, "  {:widest$} {:>9} {:9}", "", "goal", "")?;
        self.columns.iter().try_for_each(|column| write!(f, " {column:>CELL$}"))?;
        writeln!(f)?;
        for row in &self.rows {
            write!(f, "  {:widest$} {:>9} {:9}", row.what, row.goal_words(), row.unit)?;
            for cell in &row.cells {
                let mark = if row.misses(cell) { " MISS" } else { "" };
                let words = cell.value.map_or_else(|| "-".to_owned(), number);
                let words = if cell.n > 1 { format!("{words} ({}){mark}", cell.n) } else { format!("{words}{mark}") };
                write!(f, " {words:>CELL$}")?;
            }
            writeln!(f)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  - {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_promise_is_marked_and_a_figure_says_of_how_many_things_it_speaks() {
        let mut table = Table::new("t", &["a", "b", "c"]);
        table.row(
            "found",
            "%",
            Some(Bound::AtLeast(95.0)),
            vec![Cell::percent(19, 20), Cell::percent(9, 10), Cell::percent(0, 0)],
        );
        let text = table.to_string();
        assert!(
            text.contains("95.0 (20)") && text.contains("90.0 (10) MISS") && text.trim_end().ends_with('-'),
            "{text}"
        );
    }
}
