//! What operators do to the application, and what they can see of it. Every deed changes the
//! application's own state: an incident ends because its cause is gone, or goes on because it is not.
//!
//! Does not know who asks, nor that anybody watches the log.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::World;
use crate::demo::application::{Bug, SOURCES, WORKERS};
use crate::demo::operation::PoolName;
use crate::demo::order::{Deed, Subject};
use crate::demo::people::PersonId;
use crate::demo::pool::SIZE;
use crate::demo::script::Cause;

/// Copies of a service before anybody scales it.
const REPLICAS: u32 = 1;

/// So long after a release errors may be its fault, in milliseconds.
const RECENT_MS: i64 = 900_000;

/// A cache is rebuilt at least so often, in minutes; what is older is stale.
const CACHE_MINUTES: i64 = 60;

/// How old a cache is when somebody first runs into it.
const STALE_MINUTES: i64 = 74;

/// The component that speaks for a source.
pub(super) fn source_component(source: &str) -> Option<&'static str> {
    match source {
        "handbook" => Some("source-handbook"),
        "tickets" => Some("source-tickets"),
        "wiki" => Some("source-wiki"),
        _ => None,
    }
}

/// What operators did, as far as it lasts. Times are world time in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Upkeep {
    /// Scenarios that ended before their time, by their number in the story.
    stopped: BTreeMap<usize, i64>,
    /// Services whose release was rolled back.
    rolled_back: BTreeMap<String, RolledBack>,
    /// Addresses that are kept out, until when.
    blocked: BTreeMap<String, i64>,
    /// When somebody's cache was emptied.
    cleared: BTreeMap<String, i64>,
    /// How often a pool or a service was restarted.
    restarts: BTreeMap<String, u32>,
    /// Copies of a service that somebody scaled.
    replicas: BTreeMap<String, u32>,
    /// Whose operations interface does not answer, until when.
    deaf: BTreeMap<String, i64>,
}

/// A release that does not run any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RolledBack {
    /// Its patch number.
    release: u32,
    /// Scenarios that ended with it, and come back with it.
    held: Vec<usize>,
}

impl Upkeep {
    /// When a scenario was ended before its time.
    pub(super) fn stopped_at(&self, index: usize) -> Option<i64> {
        self.stopped.get(&index).copied()
    }

    /// A new release runs: there is nothing to go forward to any more.
    pub(super) fn deployed(&mut self, service: &str) {
        self.rolled_back.remove(service);
    }
}

impl World {
    /// What operators did so far, to be kept.
    pub fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }

    /// How something is. None: there is no such thing here.
    pub fn look(&mut self, subject: &Subject) -> Option<Value> {
        Some(match subject {
            Subject::Pool(pool) => self.look_at_pool(*pool),
            Subject::Cache(user) => {
                let person = self.people.find(user)?;
                let (age, stale) = (self.cache_minutes(person), self.stale_cache(person).is_some());
                json!({ "user": user, "state": if stale { "stale" } else { "fresh" }, "ageMinutes": age })
            }
            Subject::Source(source) => {
                let empty = self.application.empty.contains(source);
                let documents = SOURCES.iter().find(|(name, _)| name == source).map_or(0, |(_, documents)| *documents);
                let state = if empty { "empty" } else { "ready" };
                json!({ "source": source, "state": state, "documents": documents, "results": if empty { 0 } else { 12 } })
            }
            Subject::Address(ip) => {
                let until = self.blocked_until(&ip.to_string()).map(|until| self.tempo.stamp(until));
                json!({ "ip": ip, "blocked": until.is_some(), "until": until })
            }
            Subject::Deploy(service) => self.look_at_deploy(service),
            Subject::Service(service) => self.look_at_service(service),
        })
    }

    fn look_at_pool(&mut self, name: PoolName) -> Value {
        let restarts = self.restarts(&Subject::Pool(name));
        let pool = self.application.pool(name);
        let state = match (pool.leaked(), pool.is_exhausted()) {
            (0, _) => "ok",
            (_, false) => "leaking",
            (_, true) => "exhausted",
        };
        json!({
            "name": name.name(), "state": state, "size": SIZE, "inUse": pool.in_use(),
            "leaked": pool.leaked(), "waiting": pool.queue(), "restarts": restarts,
        })
    }

    fn look_at_deploy(&self, service: &'static str) -> Value {
        if let Some(back) = self.upkeep.rolled_back.get(service) {
            let (runs, rolled_back) = (version(back.release.saturating_sub(1)), version(back.release));
            return json!({
                "service": service, "state": "rolled_back", "release": runs, "rolledBack": rolled_back, "recent": false,
            });
        }
        let since = self.application.releases.get(service).map(|at| self.time - at);
        let recent = since.is_some_and(|since| since < RECENT_MS);
        json!({
            "service": service, "state": "current", "release": version(self.application.release), "recent": recent,
        })
    }

    fn look_at_service(&self, service: &'static str) -> Value {
        let state = match (self.application.hanging.contains(service), self.application.stuck.contains_key(service)) {
            (true, _) => "silent",
            (false, true) => "degraded",
            (false, false) => "running",
        };
        json!({
            "name": service, "state": state, "replicas": self.replicas(service),
            "restarts": self.restarts(&Subject::Service(service)),
        })
    }

    /// True while nobody answers questions about it: whether it was done cannot be told.
    pub fn is_deaf(&self, subject: &Subject) -> bool {
        self.upkeep.deaf.get(&subject.path()).is_some_and(|until| *until > self.time)
    }

    /// Does it, and says in words what that changed. None: there is no such thing here.
    pub fn operate(&mut self, subject: &Subject, deed: Deed) -> Option<String> {
        Some(match (subject, deed) {
            (Subject::Pool(pool), Deed::Restart) => self.restart_pool(*pool),
            (Subject::Cache(user), Deed::Clear) => self.clear_cache(user)?,
            (Subject::Source(source), Deed::Reindex) => self.reindex(source),
            (Subject::Address(ip), Deed::Block { seconds }) => self.block(*ip, seconds),
            (Subject::Address(ip), Deed::Unblock) => self.unblock(*ip),
            (Subject::Deploy(service), Deed::RollBack) => self.take_back(service),
            (Subject::Deploy(service), Deed::Forward) => self.bring_forward(service),
            (Subject::Service(service), Deed::Restart) => self.restart_service(service),
            (Subject::Service(service), Deed::Scale(to)) => self.scale(service, to),
            _ => return None,
        })
    }

    /// Scenarios under way whose cause is like this.
    fn under_way(&self, like: impl Fn(&Cause) -> bool) -> Vec<usize> {
        let now = self.time;
        let lasts = |index: &usize| {
            let scenario = &self.scenarios[*index];
            (scenario.begin..scenario.end).contains(&now) && !self.upkeep.stopped.contains_key(index)
        };
        (0..self.scenarios.len()).filter(lasts).filter(|index| like(&self.scenarios[*index].cause)).collect()
    }

    /// Ends such scenarios now.
    fn stop(&mut self, like: impl Fn(&Cause) -> bool) -> Vec<usize> {
        let ended = self.under_way(like);
        self.upkeep.stopped.extend(ended.iter().map(|index| (*index, self.time)));
        ended
    }

    fn restarts(&self, subject: &Subject) -> u32 {
        self.upkeep.restarts.get(&subject.path()).copied().unwrap_or(0)
    }

    fn count_restart(&mut self, subject: &Subject) {
        *self.upkeep.restarts.entry(subject.path()).or_insert(0) += 1;
    }

    fn restart_pool(&mut self, pool: PoolName) -> String {
        let subject = Subject::Pool(pool);
        self.count_restart(&subject);
        self.stop(|cause| matches!(cause, Cause::LeakedConnections { pool: leaks, .. } if *leaks == pool));
        let returned = self.application.pool(pool).leaked();
        let deaf = self.under_way(|cause| matches!(cause, Cause::DeafControl { pool: deaf } if *deaf == pool));
        if let Some(index) = deaf.first() {
            self.upkeep.deaf.insert(subject.path(), self.scenarios[*index].end);
        }
        let said = format!("pool {} restarted: {returned} leaked connections returned", pool.name());
        self.say("store", said.clone());
        self.mend(pool);
        said
    }

    /// The scenario that makes somebody's cache stale.
    fn stale_cache(&self, person: PersonId) -> Option<usize> {
        self.under_way(|cause| matches!(cause, Cause::StaleCache { person: whose } if *whose == person))
            .first()
            .copied()
    }

    /// How old what is cached for somebody is, in minutes.
    pub(super) fn cache_minutes(&self, person: PersonId) -> i64 {
        if let Some(index) = self.stale_cache(person) {
            return STALE_MINUTES + (self.time - self.scenarios[index].begin) / 60_000;
        }
        let user = &self.people.person(person).email;
        // Caches are rebuilt in turn, each at another minute of the hour.
        let usual = (self.time / 60_000 + person as i64) % CACHE_MINUTES;
        self.upkeep.cleared.get(user).map_or(usual, |at| usual.min((self.time - at) / 60_000))
    }

    fn clear_cache(&mut self, user: &str) -> Option<String> {
        let person = self.people.find(user)?;
        let age = self.cache_minutes(person);
        self.stop(|cause| matches!(cause, Cause::StaleCache { person: whose } if *whose == person));
        self.upkeep.cleared.insert(self.people.person(person).email.clone(), self.time);
        self.say("api", format!("cache of {user} emptied, it was {age} min old"));
        Some(format!("cache of {user} emptied: it was {age} min old"))
    }

    fn reindex(&mut self, source: &'static str) -> String {
        self.stop(|cause| matches!(cause, Cause::EmptySource { source: empty } if *empty == source));
        let documents = SOURCES.iter().find(|(name, _)| *name == source).map_or(0, |(_, documents)| *documents);
        let was = if self.application.empty.remove(source) { "it had no index" } else { "its index was whole" };
        self.say("jobs", format!("source {source} re-indexed: {documents} documents"));
        format!("source {source} re-indexed with {documents} documents: {was}")
    }

    fn blocked_until(&self, addr: &str) -> Option<i64> {
        self.upkeep.blocked.get(addr).copied().filter(|until| *until > self.time)
    }

    /// True while nothing from this address comes through.
    pub(super) fn is_blocked(&self, addr: &str) -> bool {
        self.blocked_until(addr).is_some()
    }

    fn block(&mut self, ip: IpAddr, seconds: u64) -> String {
        let (addr, now) = (ip.to_string(), self.time);
        self.upkeep.blocked.retain(|_, until| *until > now);
        let lasts = i64::try_from(seconds).unwrap_or(i64::MAX / 2_000).saturating_mul(1_000);
        self.upkeep.blocked.insert(addr.clone(), now.saturating_add(lasts));
        self.say("auth", format!("address {addr} blocked at the edge for {seconds} s"));
        format!("address {addr} blocked for {seconds} s")
    }

    fn unblock(&mut self, ip: IpAddr) -> String {
        let addr = ip.to_string();
        if self.upkeep.blocked.remove(&addr).is_none_or(|until| until <= self.time) {
            return format!("address {addr} was not blocked");
        }
        self.say("auth", format!("address {addr} let in again"));
        format!("address {addr} let in again")
    }

    fn take_back(&mut self, service: &'static str) -> String {
        if self.upkeep.rolled_back.contains_key(service) {
            return format!("the release of {service} was rolled back before");
        }
        let held =
            self.stop(|cause| matches!(cause, Cause::BadDeploy { operation, .. } if operation.service() == service));
        for index in &held {
            self.application.bugs.remove(index);
        }
        let release = self.application.release;
        self.application.released_at = self.time;
        self.upkeep.rolled_back.insert(service.to_owned(), RolledBack { release, held });
        let (new, old) = (version(release), version(release.saturating_sub(1)));
        self.say("deploy", format!("deploy rolled back: {service} {old} replaces {new}"));
        format!("{service} rolled back from {new} to {old}")
    }

    fn bring_forward(&mut self, service: &'static str) -> String {
        let Some(back) = self.upkeep.rolled_back.remove(service) else {
            return format!("no release of {service} was rolled back");
        };
        for index in back.held {
            self.upkeep.stopped.remove(&index);
            let Some(scenario) = self.scenarios.get(index) else { continue };
            if let (Cause::BadDeploy { operation, share, fault }, true) = (&scenario.cause, scenario.end > self.time) {
                let bug = Bug { operation: *operation, share: *share, fault: *fault };
                self.application.bugs.insert(index, bug);
            }
        }
        self.application.released_at = self.time;
        let release = version(back.release);
        self.say("deploy", format!("deploy of {service} {release} finished, it had been rolled back"));
        format!("{service} forward to {release} again")
    }

    fn restart_service(&mut self, service: &'static str) -> String {
        self.count_restart(&Subject::Service(service));
        let home = WORKERS.iter().find(|(_, worker)| *worker == service).map_or(service, |(home, _)| *home);
        let of =
            |worker: &str| WORKERS.iter().any(|(home, name)| *name == worker && [worker, *home].contains(&service));
        self.stop(|cause| matches!(cause, Cause::DeadWorker { component } if of(component)));
        self.application.hanging.retain(|worker| !of(worker));
        self.say(home, format!("{service} restarted by an operator"));
        if service == "jobs" {
            // The export worker, which loses connections, is one of its parts.
            self.stop(|cause| matches!(cause, Cause::LeakedConnections { .. }));
            for pool in PoolName::ALL {
                self.mend(pool);
            }
        }
        format!("{service} restarted")
    }

    fn replicas(&self, service: &str) -> u32 {
        self.upkeep.replicas.get(service).copied().unwrap_or(REPLICAS)
    }

    fn scale(&mut self, service: &'static str, to: u32) -> String {
        let from = self.replicas(service);
        self.upkeep.replicas.insert(service.to_owned(), to);
        let home = WORKERS.iter().find(|(_, worker)| *worker == service).map_or(service, |(home, _)| *home);
        self.say(home, format!("{service} scaled from {from} to {to}"));
        format!("{service} scaled from {from} to {to}")
    }
}

/// A release as the application writes it.
fn version(release: u32) -> String {
    format!("2.14.{release}")
}

#[cfg(test)]
mod tests;
