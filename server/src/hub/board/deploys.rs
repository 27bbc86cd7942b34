//! The deploys of late: what a console is shown, and what tells a new one from the same again.

use std::collections::VecDeque;

use stella_protocol::{Deploy, Timestamp};

use super::Board;
use crate::store::{Store, StoreError};

/// Deploys in memory: more than a day has, where each service is deployed each hour.
const MOST: u32 = 1000;
/// For how long a console is shown a deploy, in milliseconds.
const SHOWN_MS: i64 = 86_400_000;

/// Oldest first, as they became known.
#[derive(Debug, Default)]
pub(in crate::hub) struct Deploys(VecDeque<Deploy>);

impl Board {
    pub(super) fn load_deploys(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
        self.deploys = Deploys(store.deploys(from, to, MOST)?.into_iter().rev().collect());
        Ok(())
    }

    pub fn put_deploy(&mut self, deploy: Deploy) {
        self.deploys.0.push_back(deploy);
        if self.deploys.0.len() > MOST as usize {
            self.deploys.0.pop_front();
        }
    }

    /// The deploy of a service that became known last.
    pub fn last_deploy(&self, service: &str) -> Option<&Deploy> {
        self.deploys.0.iter().rev().find(|deploy| deploy.service.raw() == service)
    }

    /// Those of a service, or of all, at or after `from` and at or before `to`.
    pub fn deploys_between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Deploy> {
        self.deploys.0.iter().filter(move |deploy| from <= deploy.at && deploy.at <= to)
    }

    /// Those of the last day, oldest first. The clock that lags decides, so that those of a recording are shown.
    pub fn deploys_in_sight(&self, now: Timestamp) -> Vec<Deploy> {
        let now = self.engine.last.map_or(now, |engine| engine.min(now));
        let from = now.plus_millis(-SHOWN_MS);
        self.deploys.0.iter().filter(|deploy| deploy.at >= from).cloned().collect()
    }
}
