//! What the alerts of each rule were worth, counted from those that are kept.

use std::collections::BTreeMap;

use stella_protocol::Rule;
use stella_protocol::rule::RuleScore;

use super::book::RuleBook;
use crate::store::AlertRecord;

/// The score of each rule by its id. An alert counts for the one rule that holds for it now, whatever held when it
/// opened: who narrows a rule sees what the narrower one would have had.
pub fn scores(book: &RuleBook, alerts: &[AlertRecord]) -> BTreeMap<String, RuleScore> {
    let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut scores: BTreeMap<String, RuleScore> = BTreeMap::new();
    for alert in alerts {
        let operation = alert.operation.as_deref();
        let Some(rule) = book.rule_of(&alert.rule_id, alert.kind, &alert.service, operation) else { continue };
        let score = scores.entry(rule.to_owned()).or_default();
        score.alerts += 1;
        score.marked_false += u64::from(alert.is_false_positive());
        score.since = Some(score.since.map_or(alert.first_seen, |since| since.min(alert.first_seen)));
        if let Some(at) = alert.acknowledged_at {
            score.acknowledged += 1;
            times.entry(rule.to_owned()).or_default().push(at.since(alert.created_at).max(0));
        }
    }
    for (rule, mut times) in times {
        times.sort_unstable();
        let median = times.get((times.len() - 1) / 2).copied();
        scores.entry(rule).or_default().median_acknowledge_ms = median;
    }
    scores
}

/// Gives each rule its score.
pub fn give(rules: &mut [Rule], scores: &BTreeMap<String, RuleScore>) {
    for rule in rules {
        rule.score = scores.get(rule.id.raw()).cloned().unwrap_or_default();
    }
}
