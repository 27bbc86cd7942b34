//! Cuts what is to be written into batches: contiguous ranges of one collection, none too large.

use super::batch::MOST_BYTES;
use crate::migrate::run::ledger::Batch;

/// Batches on their way.
#[derive(Debug)]
pub struct Chart {
    /// Most documents of a batch.
    most: u64,
    done: Vec<Batch>,
    open: Option<Batch>,
}

impl Chart {
    /// With so many documents in a batch at most.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1) as u64, done: Vec::new(), open: None }
    }

    /// A document that is to be written; they come in the order of their ids, collection by collection.
    pub fn add(&mut self, name: &str, collection: &str, id: &str, bytes: u64) {
        let full = |open: &Batch| {
            open.collection != collection
                || open.documents >= self.most
                || open.bytes.saturating_add(bytes) > MOST_BYTES
        };
        if self.open.as_ref().is_some_and(full) {
            self.close();
        }
        let after = self.done.last().filter(|last| last.collection == collection).map(|last| last.upto.clone());
        let number = self.done.len() as u64 + 1;
        let open = self.open.get_or_insert_with(|| Batch {
            number,
            name: name.to_owned(),
            collection: collection.to_owned(),
            after,
            upto: id.to_owned(),
            documents: 0,
            bytes: 0,
        });
        id.clone_into(&mut open.upto);
        open.documents += 1;
        open.bytes += bytes;
    }

    fn close(&mut self) {
        self.done.extend(self.open.take());
    }

    /// All of them.
    pub fn done(mut self) -> Vec<Batch> {
        self.close();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_ranges_that_meet_and_none_is_too_large() {
        let mut chart = Chart::new(500);
        for number in 0..1200 {
            chart.add("a", "a", &format!("{number:04}"), 10);
        }
        for number in 0..10 {
            chart.add("b/*/c", "b/1/c", &format!("{number:04}"), MOST_BYTES / 3);
        }
        let batches = chart.done();
        let told: Vec<(u64, &str, Option<&str>, &str, u64)> = batches
            .iter()
            .map(|one| (one.number, one.collection.as_str(), one.after.as_deref(), one.upto.as_str(), one.documents))
            .collect();
        assert_eq!(
            told,
            [
                (1, "a", None, "0499", 500),
                (2, "a", Some("0499"), "0999", 500),
                (3, "a", Some("0999"), "1199", 200),
                (4, "b/1/c", None, "0002", 3),
                (5, "b/1/c", Some("0002"), "0005", 3),
                (6, "b/1/c", Some("0005"), "0008", 3),
                (7, "b/1/c", Some("0008"), "0009", 1),
            ]
        );
        assert!(batches.iter().all(|one| one.bytes <= MOST_BYTES));
    }
}
