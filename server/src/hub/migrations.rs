//! What can be asked of the hub about migrations: proposed, decided, answered, stepped, looked at.
//!
//! The hub decides nothing here either: what may happen is [`crate::migrate::machine`], asked inside the
//! writer, on the state that the change is then conditional on. What is long of a migration is not here:
//! it stands in its ledger, which the hub does not know.

use std::sync::{Arc, PoisonError};

use stella_detect::Finding;
use stella_protocol::migration::{MigrationPage, Progress};
use stella_protocol::{Code, Migration, MigrationId, Principal, Problem, Text};
use tokio::sync::oneshot;

use super::writer::{Job, Keyed, MigrationJob};
use super::{Answer, Hub, HubError, refusal};
use crate::migrate::drift::said::OldIds;
use crate::migrate::{Decision, Draft, Event, MigrationState, Refusal, machine};
use crate::problem::problem;
use crate::store::{FoundMigrations, MigrationQuery, StoreError};

impl Hub {
    /// Keeps a new migration under the next `mig-N` and tells everyone. `asked` tells two requests under
    /// one key apart.
    ///
    /// # Errors
    /// What stands in the way: the role, the key, too many that are unfinished.
    pub async fn propose_migration(
        &self,
        by: &Principal,
        key: &str,
        asked: [u8; 32],
        draft: Draft,
    ) -> Result<Answer<Migration>, Problem> {
        let (keyed, draft) = (Keyed::new(by, key), Box::new(draft));
        self.migration_job(|reply| MigrationJob::Propose { keyed, asked, draft, reply }).await?
    }

    /// A person's verb on a version that they saw, once for each key.
    ///
    /// `pause` and `stop` are brakes: they also count when the migration went on meanwhile.
    ///
    /// # Errors
    /// What stands in the way, with the migration as it is; that another one has the store, with that one.
    pub async fn decide_migration(
        &self,
        by: &Principal,
        key: &str,
        id: &MigrationId,
        version: u64,
        decision: Decision,
    ) -> Result<Answer<Migration>, Problem> {
        let (keyed, id, decision) = (Keyed::new(by, key), id.clone(), Box::new(decision));
        self.migration_job(|reply| MigrationJob::Decide { keyed, id, version, decision, reply }).await?
    }

    /// Notes that a person answered a question, or chose for an id without a user, and how many questions
    /// are `open` now. The ledger has the answer already; so one that comes after the migration went on
    /// counts all the same, as far as the machine lets it. `asked` tells two requests under one key apart.
    ///
    /// # Errors
    /// What stands in the way, with the migration as it is.
    #[expect(clippy::too_many_arguments, reason = "a keyed, versioned request and what came of it")]
    pub async fn answer_migration(
        &self,
        by: &Principal,
        key: &str,
        asked: [u8; 32],
        id: &MigrationId,
        version: u64,
        what: Text,
        open: u64,
    ) -> Result<Answer<Migration>, Problem> {
        let (keyed, id) = (Keyed::new(by, key), id.clone());
        self.migration_job(|reply| MigrationJob::Answered { keyed, asked, id, version, what, open, reply }).await?
    }

    /// Whether [`Hub::answer_migration`] would be taken on this version, to be asked before the ledger is
    /// written. Blocks when the migration has to be read from the store.
    ///
    /// # Errors
    /// What stands in the way, with the migration as it is.
    pub fn may_answer_migration(&self, by: &Principal, id: &MigrationId, version: u64) -> Result<(), Problem> {
        let state = self.migration(id).map_err(|_| refusal::unavailable())?;
        let state = state.ok_or_else(|| problem(Code::NotFound, "no migration has this id"))?;
        let migration = &state.migration;
        if migration.version != version {
            return Err(refusal::stale_migration(migration));
        }
        let (by, what, open) = (by.name.clone(), Text::default(), migration.open_decisions);
        let step = machine::step(&state, &Event::Answered { by, what, open }, self.clock.now());
        step.map(drop).map_err(|why| refusal::migration_refused(&why, Some(migration)))
    }

    /// A step that no person takes. Of a claim the writer sets the fence itself, one above the store's
    /// last; it is refused while another migration has the store, or its runner has a lease on it.
    ///
    /// # Errors
    /// Why the step was not taken; `store_unavailable`: whether it was is not known, ask for the migration.
    pub async fn advance_migration(&self, id: &MigrationId, event: Event) -> Result<Arc<MigrationState>, Refusal> {
        let (id, event) = (id.clone(), Box::new(event));
        let asked = self.migration_job(|reply| MigrationJob::Advance { id, event, reply }).await;
        asked.unwrap_or_else(|problem| Err(problem.into()))
    }

    async fn migration_job<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> MigrationJob) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Migration(job(reply)))?;
        answer.await.map_err(|_| refusal::stopped())
    }

    /// Tells readers how far a migration is, four times a second at most; the last word is given to new
    /// readers too. Not kept. Does not wait. What is said of one that is not unfinished is dropped.
    pub fn put_migration_progress(&self, progress: Progress) {
        let known =
            self.shared.board().migration(&progress.id).is_some_and(|state| state.migration.status.is_unfinished());
        if known {
            self.shared.tell_progress(progress);
        }
    }

    /// The last word on how far a migration is; None: nothing was said since the server started.
    pub fn migration_progress(&self, id: &MigrationId) -> Option<Progress> {
        self.shared.spoken().progress(id).cloned()
    }

    /// Somebody used an old id whose alias a migration made. Does not wait: the uses of a second become one
    /// step of the migration.
    pub fn old_id_used(&self, id: &MigrationId, times: u64) {
        self.shared.spoken().used(id, times, self.clock.now());
    }

    /// The old ids that lines are looked through for; None: nothing is looked for.
    pub fn old_ids(&self) -> Option<Arc<OldIds>> {
        self.shared.old_ids.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says which old ids lines are looked through for from now on.
    pub fn look_for(&self, old_ids: Option<Arc<OldIds>>) {
        *self.shared.old_ids.write().unwrap_or_else(PoisonError::into_inner) = old_ids;
        self.shared.wake();
    }

    /// Takes in what the watch over documents found: durable on return, like what the engine finds. When it was
    /// is what engine time is now; the place where the engine goes on from does not move.
    ///
    /// # Errors
    /// When the store does not answer: nothing of it was taken in, and it can be asked again.
    pub async fn found(&self, findings: Vec<Finding>) -> Result<(), HubError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job::Found { findings, reply: Some(reply) }).map_err(|_| HubError::Unavailable)?;
        answer.await.unwrap_or(Err(HubError::Stopped))
    }

    /// Unfinished migrations and the last 10 that ended, oldest first; from memory.
    pub fn migrations(&self) -> Vec<Arc<MigrationState>> {
        self.shared.board().migrations_in_sight()
    }

    /// One migration, also a past one. Blocks when it has to be read from the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn migration(&self, id: &MigrationId) -> Result<Option<Arc<MigrationState>>, StoreError> {
        if let Some(state) = self.shared.board().migration(id) {
            return Ok(Some(Arc::clone(state)));
        }
        Ok(self.store.migration(id)?.map(Arc::new))
    }

    /// A page of migrations, newest first; its `next` is the number to go on after. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn migration_history(&self, ask: &MigrationQuery) -> Result<MigrationPage, StoreError> {
        let FoundMigrations { items, next } = self.store.migrations(ask)?;
        Ok(MigrationPage { items, next: next.map(|number| number.to_string()) })
    }
}
