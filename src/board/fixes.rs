//! The fixes as the server last told them, what holds for all of them, and the last lines of those
//! that run.
//!
//! Lines are ephemeral on the feed: what was said before this console listened is asked for by the
//! review that shows it, and is not kept here.

use std::collections::{BTreeMap, VecDeque};

use stella_protocol::{AlertId, Fix, FixId, FixOutput, Remedy, Timestamp};

/// Lines of output that are kept of one fix.
pub const LINES: usize = 200;

/// Ended fixes that are kept; a server tells of the last 50, the others ended while we listened.
const MOST_ENDED: usize = 200;

/// All fixes we know, open and lately ended.
#[derive(Debug, Default)]
pub struct Fixes {
    by_id: BTreeMap<FixId, Fix>,
    output: BTreeMap<FixId, VecDeque<FixOutput>>,
    remedy: Remedy,
    revision: u64,
    loaded: bool,
}

impl Fixes {
    /// One fix.
    pub fn get(&self, id: &FixId) -> Option<&Fix> {
        self.by_id.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Fix> + Clone {
        self.by_id.values()
    }

    /// Those of an alert, the newest first.
    pub fn of(&self, alert: &AlertId) -> Vec<&Fix> {
        let mut found: Vec<&Fix> = self.iter().filter(|fix| fix.alert_id.as_ref() == Some(alert)).collect();
        found.sort_by_key(|fix| (!fix.status.is_open(), std::cmp::Reverse(fix.proposed_at)));
        found
    }

    /// How many wait for people.
    pub fn waiting(&self) -> usize {
        self.iter().filter(|fix| fix.status.waits_for_people()).count()
    }

    /// What holds for all of them.
    pub fn remedy(&self) -> &Remedy {
        &self.remedy
    }

    /// The last lines that a fix said while we listened, oldest first.
    pub fn output(&self, id: &FixId) -> impl Iterator<Item = &FixOutput> {
        self.output.get(id).into_iter().flatten()
    }

    /// True once a snapshot told the whole state.
    pub fn loaded(&self) -> bool {
        self.loaded
    }

    /// Rises with every change, but not with output.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes a fix; one that is older than what we have is dropped (events come at least once).
    pub(super) fn put(&mut self, fix: Fix) {
        if self.by_id.get(&fix.id).is_some_and(|known| known.version > fix.version) {
            return;
        }
        self.revision += 1;
        self.by_id.insert(fix.id.clone(), fix);
        self.forget_oldest();
    }

    /// Takes a line of a fix that we know.
    pub(super) fn said(&mut self, line: FixOutput) {
        if !self.by_id.contains_key(&line.id) {
            return;
        }
        let lines = self.output.entry(line.id.clone()).or_default();
        if lines.back().is_some_and(|last| last.number >= line.number) {
            return;
        }
        lines.push_back(line);
        if lines.len() > LINES {
            lines.pop_front();
        }
    }

    /// Takes what holds for all of them.
    pub(super) fn surround(&mut self, remedy: Remedy) {
        self.revision += 1;
        self.remedy = remedy;
    }

    /// Takes the whole state: what is not in it is gone.
    pub(super) fn replace(&mut self, fixes: Vec<Fix>, remedy: Remedy) {
        self.loaded = true;
        self.by_id = fixes.into_iter().map(|fix| (fix.id.clone(), fix)).collect();
        self.output.retain(|id, _| self.by_id.contains_key(id));
        self.surround(remedy);
    }

    fn forget_oldest(&mut self) {
        let ended = |fix: &&Fix| !fix.status.is_open();
        if self.iter().filter(ended).count() <= MOST_ENDED {
            return;
        }
        let when = |fix: &Fix| -> Timestamp { fix.ended_at.unwrap_or(fix.proposed_at) };
        let oldest = self.iter().filter(ended).min_by_key(|fix| when(fix)).map(|fix| fix.id.clone());
        if let Some(id) = oldest {
            self.by_id.remove(&id);
            self.output.remove(&id);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use stella_protocol::Text;
    use stella_protocol::fix::Stream;

    use super::*;

    fn fix(id: &str, status: &str, version: u64) -> Fix {
        let at = "2026-01-01T00:00:00.000Z";
        serde_json::from_value(json!({
            "id": id, "definitionId": "restart", "title": "restart", "alertId": "a-1", "risk": "low",
            "policy": "approve", "planDigest": "00", "proposedBy": "rule:restart", "proposedAt": at,
            "status": status, "quorum": 1, "approveBy": at, "steps": [], "version": version,
            "plan": {
                "definitionId": "restart", "definitionDigest": "00", "risk": "low", "policy": "approve",
                "target": "service:api", "parameters": [], "steps": []
            }
        }))
        .unwrap()
    }

    fn line(number: u64) -> FixOutput {
        let id: FixId = "fx-1".parse().unwrap();
        FixOutput { id, number, step: 0, stream: Stream::Out, at: Timestamp::default(), text: Text::from("x") }
    }

    #[test]
    fn an_older_fix_does_not_undo_a_newer_one() {
        let mut fixes = Fixes::default();
        fixes.put(fix("fx-1", "running", 4));
        fixes.put(fix("fx-1", "pending", 3));
        assert_eq!(fixes.get(&"fx-1".parse().unwrap()).unwrap().version, 4);
        assert_eq!(fixes.waiting(), 0);
    }

    #[test]
    fn of_a_fix_the_last_lines_are_kept_each_once() {
        let mut fixes = Fixes::default();
        fixes.said(line(1));
        fixes.put(fix("fx-1", "running", 1));
        (1..=250).for_each(|number| fixes.said(line(number)));
        fixes.said(line(250));
        let numbers: Vec<u64> = fixes.output(&"fx-1".parse().unwrap()).map(|line| line.number).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[199]), (LINES, 51, 250));
    }

    #[test]
    fn ended_fixes_are_bounded_and_open_ones_are_all_kept() {
        let mut fixes = Fixes::default();
        fixes.put(fix("fx-0", "pending", 1));
        (1..=300).for_each(|number| fixes.put(fix(&format!("fx-{number}"), "executed", 1)));
        assert_eq!((fixes.iter().count(), fixes.waiting()), (MOST_ENDED + 1, 1));
    }
}
