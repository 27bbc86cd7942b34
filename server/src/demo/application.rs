//! The guarded application's inner state: its pools, what its planner knows, which release runs, who
//! of its parts is well. Causes change it; requests feel it.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{Operation, PoolName};
use super::people::PersonId;
use super::pool::Pool;
use super::script::Fault;

/// A component that should speak each few seconds, and the service whose log carries it.
pub const WORKERS: [(&str, &str); 4] =
    [("jobs", "thumbnail-worker"), ("jobs", "mail-sender"), ("ai", "reranker"), ("store", "replica")];

/// A context source in which searches look, and how many documents stand in it.
pub const SOURCES: [(&str, u32); 3] = [("handbook", 214), ("tickets", 1_180), ("wiki", 466)];

/// How the embedding service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Embedding {
    /// Well.
    #[default]
    Healthy,
    /// Slow.
    Degraded,
    /// Does not answer; search falls back to words, half of the time in vain.
    Down,
}

impl Embedding {
    /// As its health lines write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// A bug in the running release.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// Where.
    pub operation: Operation,
    /// How often, 0 to 1.
    pub share: f64,
    /// What it throws.
    pub fault: Fault,
}

/// Everything about the application that a cause can change.
#[derive(Debug)]
pub struct Application {
    pools: [Pool; PoolName::ALL.len()],
    /// How many times longer a query takes because its index is gone.
    pub scans: BTreeMap<Operation, f64>,
    /// Bugs of the running release, by the scenario that brought them.
    pub bugs: BTreeMap<usize, Bug>,
    /// Patch number of the running release.
    pub release: u32,
    /// World time of the last release: the cache is cold after it.
    pub released_at: i64,
    /// Share of model calls that the provider refuses.
    pub refusing: f64,
    /// The embedding service.
    pub embedding: Embedding,
    /// Workers that hang.
    pub hanging: BTreeSet<&'static str>,
    /// Workers whose queue does not shrink, and since when.
    pub stuck: BTreeMap<&'static str, i64>,
    /// Sources without an index.
    pub empty: BTreeSet<&'static str>,
    /// Owners whose conversations stand under an id that is nobody's.
    pub orphaned: BTreeSet<PersonId>,
    /// Documents written under a wrong id and not yet seen by the integrity check.
    pub unseen_orphans: Vec<(u32, PersonId)>,
    /// Documents written so far by the job.
    pub documents: u32,
    /// How many times more people come than usual.
    pub traffic: f64,
}

impl Application {
    /// A healthy one. `release` is the patch number that runs.
    pub fn new(release: u32) -> Self {
        Self {
            pools: Default::default(),
            scans: BTreeMap::new(),
            bugs: BTreeMap::new(),
            release,
            released_at: i64::MIN / 2,
            refusing: 0.0,
            embedding: Embedding::default(),
            hanging: BTreeSet::new(),
            stuck: BTreeMap::new(),
            empty: BTreeSet::new(),
            orphaned: BTreeSet::new(),
            unseen_orphans: Vec::new(),
            documents: 300,
            traffic: 1.0,
        }
    }

    /// A repository's connections.
    pub fn pool(&mut self, name: PoolName) -> &mut Pool {
        &mut self.pools[name as usize]
    }

    /// The bug that this call would run into, were it unlucky.
    pub fn bug(&self, operation: Operation) -> Option<Bug> {
        self.bugs.values().copied().find(|bug| bug.operation == operation)
    }

    /// How many times longer than usual a query takes now.
    pub fn scan_factor(&self, operation: Operation) -> f64 {
        self.scans.get(&operation).copied().unwrap_or(1.0)
    }

    /// Share of look-ups that the cache answers: falls with a release and recovers within minutes.
    pub fn cache_hit_rate(&self, now: i64) -> f64 {
        const WARM: f64 = 0.93;
        const LOST: f64 = 0.45;
        const RECOVERY_MS: f64 = 45_000.0;
        WARM - LOST * (-(now.saturating_sub(self.released_at) as f64) / RECOVERY_MS).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_cold_after_a_release_and_warm_again_later() {
        let mut application = Application::new(1);
        assert!(application.cache_hit_rate(0) > 0.92);
        application.released_at = 1_000;
        assert!(application.cache_hit_rate(1_000) < 0.5);
        assert!(application.cache_hit_rate(400_000) > 0.92);
    }
}
