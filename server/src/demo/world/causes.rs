//! What a cause does to the application when it begins, while it lasts, and when it ends. None of
//! them writes the trouble into the log: at most what an application would say of it anyway (a
//! migration, a release, a restart).

use super::{Due, Flaw, World};
use crate::demo::application::{Bug, Embedding};
use crate::demo::line::{Line, Loudness};
use crate::demo::operation::{Operation, PoolName};
use crate::demo::people::{PEOPLE, PersonId};
use crate::demo::script::Cause;

/// So long an owner looks again for conversations that are gone, then calls somebody.
const OWNER_LOOKS_MS: i64 = 60_000;

impl World {
    pub(super) fn begin(&mut self, index: usize) {
        if self.upkeep.stopped_at(index).is_some() {
            return;
        }
        match self.scenarios[index].cause.clone() {
            Cause::DroppedIndex { operation, factor } => {
                self.application.scans.insert(operation, factor);
                self.say("store", format!("migration dropped index {}_by_member", operation.collection()));
            }
            Cause::LeakedConnections { pool, .. } => {
                self.say("jobs", format!("export worker started on pool {}", pool.name()));
                self.nudge(index);
            }
            Cause::BadDeploy { operation, share, fault } => {
                self.application.bugs.insert(index, Bug { operation, share, fault });
                self.release(index, operation.service());
            }
            Cause::EmbeddingTrouble { down } => {
                self.application.embedding = if down { Embedding::Down } else { Embedding::Degraded };
            }
            Cause::DeadWorker { component } => {
                self.application.hanging.insert(component);
            }
            Cause::FlakyUpstream { share } => self.application.refusing = share,
            Cause::TrafficWave { factor } => self.application.traffic = factor,
            Cause::GoodDeploy => self.release(index, "api"),
            Cause::EmptySource { source } => {
                self.application.empty.insert(source);
                self.say("jobs", format!("import replaced the index of source {source}"));
            }
            Cause::StuckQueue { component } => {
                self.application.stuck.insert(component, self.time);
            }
            Cause::DeafControl { .. } => {}
            Cause::OrphanWriter { owner } => self.begin_orphans(index, owner),
            Cause::Stuffing { .. }
            | Cause::StaleCache { .. }
            | Cause::ClumsyForm { .. }
            | Cause::BriefConfusion { .. }
            | Cause::PopularReport
            | Cause::NightlyBatch => self.nudge(index),
        }
    }

    /// The owner sees everything as it was just before.
    fn begin_orphans(&mut self, index: usize, owner: PersonId) {
        self.request(Operation::GetConversations, &[], owner, None, None);
        self.after(5_000, Due::Nudge(index));
    }

    /// The next thing that a lasting cause does.
    pub(super) fn nudge(&mut self, index: usize) {
        if self.scenarios[index].end <= self.time || self.upkeep.stopped_at(index).is_some() {
            return;
        }
        let wait = match self.scenarios[index].cause.clone() {
            Cause::LeakedConnections { pool, every_ms } => {
                self.application.pool(pool).leak();
                every_ms
            }
            Cause::Stuffing { addr, every_ms, .. } => {
                // A list is tried from top to bottom: no account comes twice within it.
                self.tried += 1;
                let took = self.fate.work(90.0, 0.2);
                if !self.is_blocked(&addr) {
                    self.write_login(self.tried % PEOPLE, &addr, took, false);
                }
                400 + self.fate.wait(every_ms - 400.0)
            }
            Cause::ClumsyForm { person, field } => {
                self.request(Operation::SaveSettings, &[], person, None, Some(Flaw::Field(field)));
                self.fate.between(16_000, 21_000)
            }
            Cause::StaleCache { person } => {
                let flaw = Flaw::Stale(self.cache_minutes(person));
                self.request(Operation::SearchRag, &[], person, None, Some(flaw));
                self.fate.between(14_000, 19_000)
            }
            Cause::BriefConfusion { person } => {
                self.confuse(index, person);
                9_000
            }
            Cause::OrphanWriter { owner } => {
                self.misfile_documents(owner);
                if self.time - self.scenarios[index].begin < OWNER_LOOKS_MS {
                    self.request(Operation::GetConversations, &[], owner, None, None);
                }
                self.fate.between(24_000, 34_000)
            }
            Cause::PopularReport => {
                let person = self.fate.below(PEOPLE);
                self.request(Operation::ExportReport, &[], person, None, None);
                self.fate.wait(2_500.0)
            }
            Cause::NightlyBatch => {
                self.rebuild_digest();
                self.fate.wait(1_800.0)
            }
            Cause::DroppedIndex { .. }
            | Cause::BadDeploy { .. }
            | Cause::EmbeddingTrouble { .. }
            | Cause::DeadWorker { .. }
            | Cause::EmptySource { .. }
            | Cause::StuckQueue { .. }
            | Cause::DeafControl { .. }
            | Cause::FlakyUpstream { .. }
            | Cause::TrafficWave { .. }
            | Cause::GoodDeploy => return,
        };
        self.after(wait, Due::Nudge(index));
    }

    /// Two forms refused, then right ever after.
    fn confuse(&mut self, index: usize, person: PersonId) {
        let confused = self.time - self.scenarios[index].begin < 15_000;
        self.request(Operation::SaveSettings, &[], person, None, confused.then_some(Flaw::Field("displayName")));
    }

    fn rebuild_digest(&mut self) {
        let took = self.fate.work(380.0, 0.25);
        let line = Line::new("jobs", Loudness::Info, format!("digest rebuilt in {took} ms"));
        self.write(&line.operation("rebuild_digest", took).success(true));
    }

    pub(super) fn end(&mut self, index: usize) {
        if self.upkeep.stopped_at(index).is_some() {
            return;
        }
        match self.scenarios[index].cause.clone() {
            Cause::DroppedIndex { operation, .. } => {
                self.application.scans.remove(&operation);
                self.say("store", format!("index {}_by_member rebuilt", operation.collection()));
            }
            Cause::LeakedConnections { pool, .. } => self.restart_worker(pool),
            Cause::BadDeploy { operation, .. } => {
                self.application.bugs.remove(&index);
                self.roll_back(operation.service());
            }
            Cause::Stuffing { addr, finds: Some(person), .. } => {
                if !self.is_blocked(&addr) {
                    self.write_login(person, &addr, 110, true);
                }
            }
            Cause::EmptySource { source } => {
                self.application.empty.remove(source);
                self.say("jobs", format!("import finished: source {source} has its index again"));
            }
            Cause::StuckQueue { component } => {
                self.application.stuck.remove(component);
                self.say("jobs", format!("{component}: the relay takes letters again"));
            }
            Cause::StaleCache { person } => self.request(Operation::SearchRag, &[], person, None, None),
            Cause::OrphanWriter { owner } => {
                self.application.orphaned.remove(&owner);
                self.say("jobs", "document owners repaired, filing job restarted".to_owned());
                self.request(Operation::GetConversations, &[], owner, None, None);
            }
            Cause::EmbeddingTrouble { .. } => self.application.embedding = Embedding::Healthy,
            Cause::DeadWorker { component } => {
                self.application.hanging.remove(component);
                self.say("jobs", format!("{component} restarted"));
            }
            Cause::FlakyUpstream { .. } => self.application.refusing = 0.0,
            Cause::TrafficWave { .. } => self.application.traffic = 1.0,
            Cause::ClumsyForm { person, .. } => {
                self.request(Operation::SaveSettings, &[], person, None, None);
            }
            Cause::Stuffing { finds: None, .. }
            | Cause::DeafControl { .. }
            | Cause::BriefConfusion { .. }
            | Cause::PopularReport
            | Cause::NightlyBatch
            | Cause::GoodDeploy => {}
        }
    }

    fn restart_worker(&mut self, pool: PoolName) {
        self.say("jobs", format!("export worker restarted, connections of pool {} returned", pool.name()));
        self.mend(pool);
    }

    /// Lost connections come back, and whoever waits gets them.
    pub(super) fn mend(&mut self, pool: PoolName) {
        for call in self.application.pool(pool).mend() {
            self.query(call);
        }
    }

    /// A scenario's release; one that was there before the world was taken up is there.
    fn release(&mut self, index: usize, service: &'static str) {
        let begin = self.scenarios[index].begin;
        if self.lived.is_some_and(|lived| begin <= lived) {
            self.application.releases.insert(service, begin);
        } else {
            self.deploy(service);
        }
    }

    fn deploy(&mut self, service: &'static str) {
        self.upkeep.deployed(service);
        self.application.releases.insert(service, self.time);
        let old = self.application.release;
        self.application.release += 1;
        self.application.released_at = self.time;
        let version = format!("2.14.{}", self.application.release);
        let line =
            Line::new("deploy", Loudness::Info, format!("deploy of {service} {version} finished (was 2.14.{old})"));
        self.write(&line.with("version", version));
    }

    fn roll_back(&mut self, service: &'static str) {
        self.application.releases.remove(service);
        let bad = self.application.release;
        self.application.release += 1;
        self.application.released_at = self.time;
        let version = format!("2.14.{}", self.application.release);
        let said = format!("deploy rolled back: {service} {version} replaces 2.14.{bad}");
        self.write(&Line::new("deploy", Loudness::Info, said).with("version", version));
    }

    pub(super) fn say(&mut self, service: &'static str, message: String) {
        self.write(&Line::new(service, Loudness::Info, message));
    }
}
