//! What was missed and what was false on the traces of daily work, counted: for whoever works on the engine.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use stella_traces::{Kind, Score};

/// Examples of each.
const EXAMPLES: usize = 4;

#[derive(Debug, Default, Serialize)]
struct Group {
    count: usize,
    examples: Vec<String>,
}

impl Group {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

#[derive(Debug, Serialize)]
struct Part {
    column: String,
    missed: BTreeMap<Kind, Group>,
    falses: Vec<(String, Group)>,
}

/// The lists, a part for each traffic.
#[derive(Debug, Serialize)]
pub struct Explained(Vec<Part>);

impl Explained {
    /// Of these columns.
    pub fn new<'a>(columns: impl Iterator<Item = (&'a str, &'a Score)>) -> Self {
        Self(columns.map(|(column, score)| part(column, score)).collect())
    }
}

fn part(column: &str, score: &Score) -> Part {
    let mut missed: BTreeMap<Kind, Group> = BTreeMap::new();
    for miss in &score.missed {
        let label = &miss.label;
        missed.entry(label.kind).or_default().add(|| {
            let about = label.operation.or(label.service).unwrap_or("everything");
            format!("{}: {about}, {}, {} lines from {}", miss.trace, label.strength, miss.lines, clock(label.onset))
        });
    }
    let mut falses: BTreeMap<String, Group> = BTreeMap::new();
    for wrong in &score.falses {
        let of = format!("{} during {}", wrong.kind.word(), wrong.during);
        falses.entry(of).or_default().add(|| format!("{} at {}: {}", wrong.trace, clock(wrong.at), wrong.title));
    }
    let mut falses: Vec<(String, Group)> = falses.into_iter().collect();
    falses.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
    Part { column: column.to_owned(), missed, falses }
}

fn clock(at: stella_protocol::Timestamp) -> String {
    at.to_utc().format("%d. %H:%M:%S").to_string()
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            writeln!(f, "missed, {}", part.column)?;
            for (kind, group) in &part.missed {
                writeln!(f, "  {} x {kind:?}", group.count)?;
                group.examples.iter().try_for_each(|example| writeln!(f, "      {example}"))?;
            }
            writeln!(f, "false, {}", part.column)?;
            for (of, group) in &part.falses {
                writeln!(f, "  {} x {of}", group.count)?;
                group.examples.iter().try_for_each(|example| writeln!(f, "      {example}"))?;
            }
        }
        Ok(())
    }
}
