//! How many documents each person owns in each collection, before and now.

use std::collections::BTreeMap;
use std::fmt;

use stella_protocol::Text;
use stella_protocol::migration::Difference;

/// Of one person in one collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    before: i64,
    /// Of those, what is no document of its own any more: another one is all that is left of both.
    became_one: i64,
    /// What documents that others changed, or with which something is wrong, add to it.
    told: i64,
    now: i64,
}

impl Count {
    /// As many as must be there.
    fn expected(self) -> i64 {
        self.before - self.became_one + self.told
    }
}

/// All counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sums {
    counts: usize,
    all: Count,
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { before, became_one, now, .. } = self.all;
        write!(f, "{} counts by owner and collection: {before} documents before, ", self.counts)?;
        if became_one > 0 {
            write!(f, "{became_one} of them became one with another, ")?;
        }
        write!(f, "{now} now")
    }
}

/// Counts by person (by the id that stays) and collection. Grows with people, not with documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    counts: BTreeMap<(String, String), Count>,
    /// Documents of a collection that others changed and of which nobody knows whose they were.
    loose: BTreeMap<String, i64>,
}

impl Tally {
    fn of(&mut self, owner: &str, collection: &str) -> &mut Count {
        self.counts.entry((owner.to_owned(), collection.to_owned())).or_default()
    }

    /// So many were owned when the data was looked at.
    pub(super) fn before(&mut self, owner: &str, collection: &str, documents: u64) {
        self.of(owner, collection).before += documents as i64;
    }

    /// One of them is no document of its own any more.
    pub(super) fn became_one(&mut self, owner: &str, collection: &str) {
        self.of(owner, collection).became_one += 1;
    }

    /// One is owned now.
    pub(super) fn now(&mut self, owner: &str, collection: &str) {
        self.of(owner, collection).now += 1;
    }

    /// One that is told by itself has another owner now than before; None: nobody's, or it was not there.
    pub(super) fn told(&mut self, collection: &str, before: Option<&str>, now: Option<&str>) {
        if let Some(before) = before {
            self.of(before, collection).told -= 1;
        }
        if let Some(now) = now {
            self.of(now, collection).told += 1;
        }
    }

    /// One that is told by itself, and nobody knows whose it was.
    pub(super) fn loose(&mut self, collection: &str) {
        *self.loose.entry(collection.to_owned()).or_default() += 1;
    }

    /// Everybody who does not own what they must.
    pub(super) fn differences(&self) -> impl Iterator<Item = Difference> {
        let wrong = self.counts.iter().filter(|((_, collection), count)| {
            let loose = self.loose.get(collection).copied().unwrap_or(0);
            (count.now - count.expected()).abs() > loose
        });
        wrong.map(|((owner, collection), count)| Difference {
            check: Text::new("owned documents".to_owned()),
            what: Text::new(format!("{owner} in {collection}")),
            detail: Text::new(format!("{} are there, {} must be", count.now, count.expected())),
        })
    }

    /// Of everybody.
    pub(super) fn sums(&self) -> Sums {
        let all = self.counts.values().fold(Count::default(), |sum, count| Count {
            before: sum.before + count.before,
            became_one: sum.became_one + count.became_one,
            told: sum.told + count.told,
            now: sum.now + count.now,
        });
        Sums { counts: self.counts.len(), all }
    }

    /// What one person must have and has, by collection.
    #[cfg(test)]
    pub(super) fn of_one(&self, user: &str) -> Vec<(&str, i64, i64)> {
        let own = self.counts.iter().filter(|((owner, _), _)| owner == user);
        own.map(|((_, collection), count)| (collection.as_str(), count.expected(), count.now)).collect()
    }
}
