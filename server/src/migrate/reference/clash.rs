//! Two entries that become one person's: which of them stays, or that nobody can say.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::Value;
use stella_protocol::Text;

use crate::migrate::map::{ClashPolicy, Rank};

/// Entries of a set, or keys of a map, that became one person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The array or object; [`super::ID`] for the id of the document.
    pub path: Text,
    /// Their ids before, each once, in order.
    pub from: Vec<Text>,
    /// The id that all of them have then; empty where they would not be one person's.
    pub to: Text,
    /// What came of it.
    pub outcome: Outcome,
}

/// What comes of a clash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They were equal then: one is kept.
    Equal,
    /// They differed, and the map's policy kept one.
    Chosen,
    /// Nobody can say: the document stays as it is.
    Parked,
}

/// Which of two documents that become one stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// They are equal: either.
    Either,
    /// The first.
    First,
    /// The second.
    Second,
}

/// Which of two documents that become one stays; None: nobody can say.
pub fn of_documents(
    policy: &ClashPolicy,
    first: &BTreeMap<String, Value>,
    second: &BTreeMap<String, Value>,
) -> Option<Stays> {
    let value = |fields: &BTreeMap<String, Value>| Value::Object(fields.clone().into_iter().collect());
    let kept = keep(policy, &[&value(first), &value(second)])?;
    Some(match kept {
        (_, Outcome::Equal) => Stays::Either,
        (0, _) => Stays::First,
        _ => Stays::Second,
    })
}

/// Which of several entries stays, and why; None: nobody can say.
pub(super) fn keep(policy: &ClashPolicy, entries: &[&Value]) -> Option<(usize, Outcome)> {
    if entries.windows(2).all(|pair| pair[0] == pair[1]) {
        return Some((0, Outcome::Equal));
    }
    let kept = match policy {
        ClashPolicy::Park | ClashPolicy::Merge(None) => None,
        ClashPolicy::Merge(Some(rank)) => only_highest(entries, |entry| place_in(rank, entry)),
        ClashPolicy::Newest(field) => only_highest(entries, |entry| time_in(field, entry)),
    };
    kept.map(|kept| (kept, Outcome::Chosen))
}

/// The one entry that is worth most; None when one has no worth, or two that differ are worth most.
fn only_highest<W: Ord>(entries: &[&Value], worth: impl Fn(&Value) -> Option<W>) -> Option<usize> {
    let worths: Vec<W> = entries.iter().map(|entry| worth(entry)).collect::<Option<_>>()?;
    let most = worths.iter().max()?;
    let first = worths.iter().position(|worth| worth == most)?;
    let equal = |(place, worth): (usize, &W)| worth != most || entries[place] == entries[first];
    worths.iter().enumerate().all(equal).then_some(first)
}

fn place_in(rank: &Rank, entry: &Value) -> Option<usize> {
    let word = entry.get(&rank.field)?.as_str()?;
    rank.words.iter().position(|one| one == word)
}

/// Nanoseconds since 1970 of a timestamp, typed or as a text.
fn time_in(field: &str, entry: &Value) -> Option<i64> {
    let value = entry.get(field)?;
    let text = value.as_str().or_else(|| value.get("$timestamp")?.as_str())?;
    DateTime::parse_from_rfc3339(text).ok()?.timestamp_nanos_opt()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(policy: &ClashPolicy, entries: &[Value]) -> Option<(usize, Outcome)> {
        keep(policy, &entries.iter().collect::<Vec<_>>())
    }

    #[test]
    fn equal_entries_are_one_under_every_policy() {
        let same = [json!({"id": "a"}), json!({"id": "a"})];
        for policy in [ClashPolicy::Park, ClashPolicy::Merge(None), ClashPolicy::Newest("at".to_owned())] {
            assert_eq!(kept(&policy, &same), Some((0, Outcome::Equal)));
        }
    }

    #[test]
    fn the_highest_access_stays_and_what_has_no_rank_is_parked() {
        let words = ["view", "edit", "admin"].map(str::to_owned).to_vec();
        let policy = ClashPolicy::Merge(Some(Rank { field: "access".to_owned(), words }));
        let access = |word: &str| json!({"id": "a", "access": word});
        let entries = [access("view"), access("admin"), access("edit")];
        assert_eq!(kept(&policy, &entries), Some((1, Outcome::Chosen)));
        assert_eq!(kept(&policy, &[access("view"), access("odd")]), None);
        assert_eq!(kept(&policy, &[access("view"), json!({"id": "a"})]), None);
        assert_eq!(kept(&policy, &[access("edit"), json!({"id": "a", "access": "edit", "by": "b"})]), None);
        assert_eq!(kept(&ClashPolicy::Merge(None), &entries), None);
    }

    #[test]
    fn the_newest_stays_however_its_time_is_written() {
        let policy = ClashPolicy::Newest("at".to_owned());
        let typed = json!({"at": {"$timestamp": "2025-11-09T10:00:00.5Z"}});
        let text = json!({"at": "2025-11-09T11:00:00+01:00"});
        assert_eq!(kept(&policy, &[typed.clone(), text.clone()]), Some((0, Outcome::Chosen)));
        assert_eq!(kept(&policy, &[text.clone(), typed]), Some((1, Outcome::Chosen)));
        assert_eq!(kept(&policy, &[text.clone(), json!({"at": 5})]), None);
        assert_eq!(kept(&policy, &[text, json!({"at": "2025-11-09T10:00:00Z"})]), None, "both are newest, and differ");
    }
}
