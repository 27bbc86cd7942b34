//! An operation that found things and finds none any more: one search without results is a question, all of them
//! are a lost index.

use stella_protocol::Severity;

use crate::baseline::{Prior, Share};
use crate::budget::Kind;
use crate::cells::Cells;
use crate::evidence::{Case, Story, several};
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::llr::{Watch, outcome};
use crate::mark::Mark;
use crate::rules::{Known, Rules};
use crate::scope::{OpName, Scope};

use super::{NOTHING, key_of};

/// Of searches one in twenty is believed to find nothing; fifty outweigh the belief.
const USUAL: Prior = Prior { share: 0.05, worth: 50.0 };
/// Share that finds nothing when an index is lost, wholly or by half.
const LOST: [f64; 2] = [0.6, 0.97];
/// Where so many find nothing on a good day, nothing can be said.
const MOST_USUAL: f64 = 0.4;
/// Fewest of them, and of how many people.
const FEWEST: u32 = 5;
const PEOPLE: usize = 3;

/// How often an operation finds nothing.
#[derive(Debug, Default)]
struct Finds {
    share: Share,
    watch: Watch,
    empty: u32,
    people: [u64; PEOPLE],
}

/// Every operation that counts what it finds.
#[derive(Debug)]
pub(super) struct Searches {
    cells: Cells<Finds>,
}

impl Searches {
    pub(super) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.operations) }
    }

    /// A call that counts what it found. True: it is one of those that find nothing, and suspected.
    pub(super) fn observe(
        &mut self,
        desk: &mut Desk,
        near: Near<'_>,
        mark: &Mark,
        (field, count): (&str, f64),
    ) -> bool {
        let (key, at, empty) = (key_of(NOTHING, mark.op, field), mark.at, count == 0.0);
        let finds = self.cells.touch_or(key, Finds::default);
        // Somebody's next empty answer says what the last one said.
        if empty && mark.user != key::NONE && finds.people.contains(&mark.user) {
            if finds.watch.on {
                desk.touch(key, at);
            }
            return finds.watch.on;
        }
        let usual = finds.share.at_most(USUAL);
        if usual < MOST_USUAL {
            finds.watch.add(LOST.map(|lost| outcome(empty, usual, lost) * f64::from(mark.weight)), at);
        }
        finds.share.take((empty, mark.weight), at, finds.watch.suspects() || finds.watch.on, USUAL);
        if !finds.watch.suspects() {
            (finds.empty, finds.people) = (0, [key::NONE; PEOPLE]);
        }
        if !empty || !finds.watch.suspects() {
            return false;
        }
        finds.empty += 1;
        if mark.user != key::NONE && !finds.people.contains(&mark.user) {
            finds.people.rotate_right(1);
            finds.people[0] = mark.user;
        }
        if finds.watch.on {
            desk.touch(key, at);
            return true;
        }
        let shared = mark.user == key::NONE || !finds.people.contains(&key::NONE);
        let needed = near.needed(Kind::Errors, Known::Nothing, mark.op);
        let enough = finds.watch.score() >= needed && finds.empty >= FEWEST && shared;
        if let Some(cell) = near.recent.ops.get(mark.op).filter(|_| enough) {
            let (began, lines) = (finds.watch.best().began, u64::from(finds.empty));
            finds.watch.turn_on(at);
            finds.share.condemn();
            let subject = Subject::Nothing { op: cell.name.clone(), field: field.into() };
            self.cells.promote(key);
            desk.open(near, key, subject, began, lines);
        }
        true
    }

    /// Notes where something is found again.
    pub(super) fn advance(&mut self, desk: &mut Desk, near: Near<'_>) {
        for (key, finds) in self.cells.iter_mut().filter(|(_, finds)| finds.watch.on) {
            if finds.watch.is_calm() || desk.get(key).is_none() {
                desk.close(near, key);
                finds.watch.turn_off();
            }
        }
    }
}

/// An operation that finds nothing any more.
pub(crate) fn tell(case: &Case<'_>, op: &OpName, field: &str) -> Story {
    let all = Scope::of_op(op);
    let span = case.span_from(case.incident.first_at.max(case.now() - case.rules.slow_window_ms));
    let count = case.count("calls", &all, span);
    let mut reasons =
        vec![case.reason(0.6, format!("most calls find nothing now ({field}), as few did before"), Vec::new())];
    if let Some(count) = &count {
        let text = format!("{} looked at", several(count.value, "call was", "calls were"));
        reasons.push(case.reason(0.1, text, vec![count.clone()]));
    }
    if let Some(users) = case.figure("users who asked", stella_protocol::Measure::DistinctUsers, &all, span) {
        let weight = if users.value > 1.0 { 0.2 } else { -0.1 };
        reasons.push(case.reason(weight, several(users.value, "user asked", "different users asked"), vec![users]));
    }
    if let Some(failed) = case.count("failures", &all.clone().errors(), span) {
        let (weight, side) =
            if failed.value > 0.0 { (-0.2, "what fails finds nothing either") } else { (0.1, "the calls work") };
        let text = format!("{}: {side}", several(failed.value, "failure", "failures"));
        reasons.push(case.reason(weight, text, vec![failed]));
    }
    let usual = case.usual(stella_protocol::Measure::Count, &all, &all, 1);
    reasons.extend(case.deploys());
    let word = op.word();
    Story {
        severity: Severity::High,
        title: format!("{word} finds nothing any more ({field})"),
        summary: format!("Calls of {word} that found something until then come back empty, without failing."),
        actions: vec![
            "Check that the index or the collection that is searched exists and is filled".into(),
            "Look for a change of names, filters or permissions just before the onset".into(),
            "Compare with a query made by hand".into(),
        ],
        window_ms: case.rules.slow_window_ms,
        chart: Some(case.count_chart("calls", &all)),
        observed: count,
        usual,
        reasons,
        ..Story::of(NOTHING, op, all).with("field", field)
    }
}

keep_fields!(Finds { share, watch, empty, people });
keep_fields!(Searches { cells });
