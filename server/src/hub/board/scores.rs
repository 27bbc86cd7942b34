//! What the alerts of each rule were worth, looked up now and then: every console that starts asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stella_protocol::rule::RuleScore;

use crate::hub::unpoisoned;
use crate::rules::{RuleBook, scores};
use crate::store::{Store, StoreError};

/// For how long scores are given again: they are figures over months.
const FRESH: Duration = Duration::from_secs(5);

/// Scores by the id of their rule.
pub(in crate::hub) type Scores = Arc<BTreeMap<String, RuleScore>>;

/// The last scores, of which book, and when they were counted.
#[derive(Debug, Default)]
pub(in crate::hub) struct LastScores(Mutex<Option<(Instant, Arc<RuleBook>, Scores)>>);

impl LastScores {
    /// The scores of a book, some seconds old at most. Blocks.
    pub fn of(&self, book: &Arc<RuleBook>, store: &dyn Store) -> Result<Scores, StoreError> {
        let mut last = unpoisoned(self.0.lock());
        if let Some((at, of, scores)) = &*last
            && at.elapsed() < FRESH
            && Arc::ptr_eq(of, book)
        {
            return Ok(Arc::clone(scores));
        }
        let fresh = Arc::new(scores(book, &store.alert_records()?));
        *last = Some((Instant::now(), Arc::clone(book), Arc::clone(&fresh)));
        Ok(fresh)
    }
}
