//! What the application does when nobody asks: heartbeats, samples, jobs.

use super::upkeep::source_component;
use super::{Due, World};
use crate::demo::application::{SOURCES, WORKERS};
use crate::demo::line::{Line, Loudness};
use crate::demo::operation::{Operation, PoolName};
use crate::demo::people::PersonId;

/// How often every part says how it is, in milliseconds.
const PULSE_MS: i64 = 10_000;

/// How often documents are filed, and checked.
const FILING_MS: i64 = 20_000;
const CHECK_MS: i64 = 30_000;

impl World {
    pub(super) fn pulse(&mut self) {
        for (service, component) in WORKERS {
            self.write_worker_health(service, component);
        }
        self.write_source_health();
        self.write_embedding_health();
        self.write_samples();
        for pool in PoolName::ALL {
            // The check is a query like any other: it feels what the others feel.
            self.request(Operation::Ping(pool), &[], 0, None, None);
        }
        self.after(PULSE_MS, Due::Pulse);
    }

    fn write_worker_health(&mut self, service: &'static str, component: &'static str) {
        if self.application.hanging.contains(component) {
            return;
        }
        let line = match self.application.stuck.get(component) {
            Some(since) => {
                // What people cause to be sent: about one letter in two seconds.
                let letters = 30 + (self.time - since) / 2_000;
                let said = format!("{component}: {letters} letters wait, the relay refuses them");
                Line::new(service, Loudness::Warn, said).health(component, "degraded").with("waiting", letters)
            }
            None => {
                Line::new(service, Loudness::Info, format!("heartbeat of {component}")).health(component, "healthy")
            }
        };
        self.write(&line);
    }

    /// Every source is asked a question whose answer is known to stand in it.
    fn write_source_health(&mut self) {
        for (source, documents) in SOURCES {
            let Some(component) = source_component(source) else { continue };
            let empty = self.application.empty.contains(source);
            let results = if empty { 0 } else { 12 };
            let line = if empty {
                let said = format!("source {source}: 0 results for its sample question, {documents} documents stored");
                Line::new("ai", Loudness::Warn, said).health(component, "degraded")
            } else {
                let said = format!("source {source}: {results} results for its sample question");
                Line::new("ai", Loudness::Info, said).health(component, "healthy")
            };
            self.write(&line.with("source", source).with("resultCount", results));
        }
    }

    fn write_embedding_health(&mut self) {
        let health = self.application.embedding.word();
        let loudness = if health == "healthy" { Loudness::Info } else { Loudness::Warn };
        self.write(&Line::new("ai", loudness, format!("embedding service is {health}")).health("embedding", health));
    }

    pub(super) fn write_pool_health(&mut self, pool: PoolName, health: &'static str, took: i64) {
        let (name, queue) = (pool.name(), self.application.pool(pool).queue());
        let line = if health == "healthy" {
            Line::new("store", Loudness::Info, format!("pool {name} gave a connection within {took} ms"))
        } else {
            let said = format!("pool {name} gave no connection within {took} ms");
            Line::new("store", Loudness::Warn, said)
        };
        self.write(&line.health(pool.component(), health).with("waiting", queue));
    }

    fn write_samples(&mut self) {
        let noise = self.luck.within(-0.01, 0.01);
        let hits = ((self.application.cache_hit_rate(self.time) + noise) * 1_000.0).round() / 1_000.0;
        self.write(&Line::sample("api", "cacheHitRate", hits, "ratio"));
        for pool in PoolName::ALL {
            let in_use = self.application.pool(pool).in_use() as f64;
            self.write(&Line::sample("store", pool.metric(), in_use, "connections"));
        }
        let queue: usize = PoolName::ALL.into_iter().map(|pool| self.application.pool(pool).queue()).sum();
        self.write(&Line::sample("store", "queue.depth", queue as f64, "calls"));
    }

    pub(super) fn file_documents(&mut self) {
        let (count, took) = (self.luck.between(4, 18), self.luck.work(300.0, 0.2));
        self.application.documents += count as u32;
        let line = Line::new("jobs", Loudness::Info, format!("filed {count} documents in {took} ms"))
            .operation("sync_documents", took)
            .success(true);
        self.write(&line);
        self.after(FILING_MS, Due::FileDocuments);
    }

    /// The job files documents of one owner under an id that is nobody's.
    pub(super) fn misfile_documents(&mut self, owner: PersonId) {
        self.application.orphaned.insert(owner);
        for _ in 0..self.fate.between(2, 5) {
            self.application.documents += 1;
            let document = self.application.documents;
            self.application.unseen_orphans.push((document, owner));
        }
    }

    pub(super) fn check_integrity(&mut self) {
        let orphans = std::mem::take(&mut self.application.unseen_orphans);
        let (documents, took) = (self.application.documents, self.luck.work(400.0, 0.2));
        let line = Line::new("store", Loudness::Info, format!("integrity check of {documents} documents in {took} ms"));
        self.write(&line.operation("check_integrity", took).success(true));
        for (document, owner) in orphans {
            let wrong = self.people.person(owner).derived();
            let said = format!("orphaned document doc-{document:05}: owner id {wrong} is nobody's");
            let line = Line::new("store", Loudness::Warn, said).category("data");
            self.write(&line.with("documentId", format!("doc-{document:05}")).with("ownerId", wrong));
        }
        self.after(CHECK_MS, Due::CheckIntegrity);
    }
}
