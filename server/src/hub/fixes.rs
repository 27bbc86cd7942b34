//! What can be asked of the hub about fixes: proposed, decided, stepped, switched off, looked at.
//!
//! The hub decides nothing here either: what may happen is [`crate::remedy::machine`], who may and
//! whether anything may run is [`crate::remedy::policy`]; both are asked inside the writer, on the state
//! that the change is then conditional on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::de::DeserializeOwned;
use stella_protocol::fix::{FixPage, Gate, GateState, Maintenance, MaintenanceRequest, Record, SwitchRequest};
use stella_protocol::{
    Alert, Cursor, Deploy, Fix, FixId, FixOutput, FixStatus, FixVerb, Migration, Presence, Principal, Problem, Remedy,
    Role, Text, Timestamp,
};
use tokio::sync::{oneshot, watch};

use super::draft::shown;
use super::writer::{FixJob, Job, Keyed, digest_of_decision};
use super::{Answer, Hub, act, refusal};
use crate::alerts::AlertState;
use crate::remedy::{BeforeImage, Decision, Draft, Event, FixState, Intent, Refusal, policy};
use crate::rules::RuleBook;
use crate::store::{FixQuery, FoundFixes, StoreError};

/// What is in sight at one moment of the feed.
#[derive(Debug, Clone)]
pub struct InSight {
    /// Where the feed stood.
    pub cursor: Cursor,
    /// Open alerts, and those closed in the last hour.
    pub alerts: Vec<Alert>,
    /// Open fixes, and the last 50 that ended; oldest first.
    pub fixes: Vec<Fix>,
    /// What holds for all fixes.
    pub remedy: Remedy,
    /// Unfinished migrations, and the last 10 that ended; oldest first.
    pub migrations: Vec<Migration>,
    /// Consoles that are there.
    pub presence: Vec<Presence>,
    /// What is looked for, and how it is set.
    pub rules: Arc<RuleBook>,
    /// Deploys of the last day, oldest first.
    pub deploys: Vec<Deploy>,
}

/// The role that a verb on a fix asks for.
pub fn role_of(verb: FixVerb) -> Role {
    match verb {
        FixVerb::DryRun | FixVerb::Stop => Role::Responder,
        FixVerb::Approve | FixVerb::Reject | FixVerb::Withdraw | FixVerb::Rollback => Role::Approver,
        FixVerb::Close => Role::Admin,
    }
}

impl Hub {
    /// Says whether one human uses this server, so that every quorum is 1. To be called before anybody
    /// asks.
    pub fn set_single_person(&self, single: bool) {
        self.shared.single_person.store(single, Ordering::Relaxed);
    }

    /// Names who says whether somebody of a name may approve now: asked again at each claim, since tokens end
    /// and are taken back. Unnamed: whoever approved still may. To be called before anybody asks.
    pub fn set_approvers(&self, may: impl Fn(&Text, Timestamp) -> bool + Send + Sync + 'static) {
        self.shared.approvers.ask(Box::new(may));
    }

    /// A gate that is shut: those who approved this fix may not any more. None: enough of them may, or it does
    /// not wait to begin.
    pub fn roles_gate(&self, state: &FixState) -> Option<Gate> {
        let now = self.clock.now();
        let waits = state.fix.status == FixStatus::Approved;
        let gone = policy::roles(state, |by| self.shared.approvers.may(by, now)).err().filter(|_| waits);
        gone.map(|text| Gate { state: GateState::Shut, text })
    }

    /// Keeps a proposal under the next `fx-N`, names it in its alert, tells everyone. `asked` tells two
    /// requests under one key apart; without a key it is a rule that proposes.
    ///
    /// # Errors
    /// What stands in the way: caps, an open fix of the target (with it), suppressions, the switch.
    pub async fn propose_fix(
        &self,
        by: &Principal,
        key: Option<&str>,
        asked: [u8; 32],
        draft: Draft,
    ) -> Result<Answer<Fix>, Problem> {
        let (by, draft, key) = (by.clone(), Box::new(draft), key.map(str::to_owned));
        self.fix_job(|reply| FixJob::Propose { by, key, asked, draft, reply }).await?
    }

    /// A person's verb on a version that they saw, once for each key.
    ///
    /// `stop` is a brake, not a decision on a plan: it also counts when the fix went on meanwhile. So does
    /// `approve` when nothing came since but dry runs, for the plan that its digest names.
    ///
    /// # Errors
    /// What stands in the way, with the fix as it is.
    pub async fn decide_fix(
        &self,
        by: &Principal,
        key: &str,
        id: &FixId,
        version: u64,
        decision: Decision,
    ) -> Result<Answer<Fix>, Problem> {
        let (keyed, id, decision) = (Keyed::new(by, key), id.clone(), Box::new(decision));
        self.fix_job(|reply| FixJob::Decide { keyed, id, version, decision, reply }).await?
    }

    /// A step that no person takes. Of a claim the writer sets the fence itself, one above the target's
    /// last, and asks once more whether anything may start; images of an intent are kept with it,
    /// replacing those of the same step (none given: those that are kept stay). An intent that names the
    /// version it was decided on is refused when somebody changed the fix since.
    ///
    /// # Errors
    /// Why the step was not taken; `store_unavailable`: whether it was is not known, ask for the fix.
    pub async fn advance_fix(&self, id: &FixId, event: Event, intent: Intent) -> Result<Arc<FixState>, Refusal> {
        let (id, event) = (id.clone(), Box::new(event));
        let asked = self.fix_job(|reply| FixJob::Advance { id, event, intent, reply }).await;
        asked.unwrap_or_else(|problem| Err(problem.into()))
    }

    /// Keeps lines of running fixes and tells readers of them; numbers are given here. Beyond 256 KiB a
    /// fix one line says that more was cut, and the rest is dropped; so is all that comes under another
    /// fence than that of its fix.
    pub async fn put_fix_output(&self, fence: u64, lines: Vec<FixOutput>) {
        let (reply, done) = oneshot::channel();
        if self.send(Job::Fix(FixJob::Output { fence, lines, reply })).is_err() || done.await.is_err() {
            tracing::warn!("lines of a fix were not kept: the writer is busy or ends");
        }
    }

    /// Switches all fixes on or off. Off: what waits is superseded, what runs is stopped.
    ///
    /// # Errors
    /// A refusal of the request.
    pub async fn switch_fixes(&self, by: &Principal, key: &str, ask: SwitchRequest) -> Result<Answer<Remedy>, Problem> {
        let keyed = Keyed::new(by, key);
        self.fix_job(|reply| FixJob::Switch { keyed, ask, reply }).await?
    }

    /// Says when no fix starts on some targets.
    ///
    /// # Errors
    /// A refusal of the request.
    pub async fn put_maintenance(
        &self,
        by: &Principal,
        key: &str,
        ask: MaintenanceRequest,
    ) -> Result<Answer<Maintenance>, Problem> {
        let keyed = Keyed::new(by, key);
        self.fix_job(|reply| FixJob::Maintain { keyed, ask, reply }).await?
    }

    /// Ends a maintenance window before its time: what was approved for its targets may start.
    ///
    /// # Errors
    /// A refusal of the request; `not_found` when it does not stand.
    pub async fn end_maintenance(&self, by: &Principal, key: &str, id: &str) -> Result<Answer<Remedy>, Problem> {
        let (keyed, id) = (Keyed::new(by, key), id.to_ascii_lowercase());
        self.fix_job(|reply| FixJob::EndMaintenance { keyed, id, reply }).await?
    }

    /// Lets a definition be proposed again for the target it was suppressed for.
    ///
    /// # Errors
    /// A refusal of the request; `not_found` when it does not stand.
    pub async fn lift_suppression(&self, by: &Principal, key: &str, id: &str) -> Result<Answer<Remedy>, Problem> {
        let (keyed, id) = (Keyed::new(by, key), id.to_ascii_lowercase());
        self.fix_job(|reply| FixJob::Lift { keyed, id, reply }).await?
    }

    /// What was answered to this key before, if the same was asked. Blocks.
    ///
    /// # Errors
    /// When the key came before with another request, or the store cannot be read.
    pub fn answered_before<T: DeserializeOwned>(
        &self,
        by: &Principal,
        key: &str,
        asked: [u8; 32],
    ) -> Result<Option<Answer<T>>, Problem> {
        let before = self.store.answer(by.name.raw(), key).map_err(|_| refusal::unavailable())?;
        before.map(|before| act::repeat(&before, asked).map(|body| Answer { body, replayed: true })).transpose()
    }

    /// What was answered to a verb on a fix under this key before, if the same was asked. Blocks.
    ///
    /// # Errors
    /// When the key came before with another request, or the store cannot be read.
    pub fn decided_before(
        &self,
        by: &Principal,
        key: &str,
        id: &FixId,
        version: u64,
        decision: &Decision,
    ) -> Result<Option<Answer<Fix>>, Problem> {
        self.answered_before(by, key, digest_of_decision(id, version, decision))
    }

    async fn fix_job<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> FixJob) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Fix(job(reply)))?;
        answer.await.map_err(|_| refusal::stopped())
    }

    /// Open fixes and the last 50 that ended, oldest first; from memory.
    pub fn fixes(&self) -> Vec<Arc<FixState>> {
        self.shared.board().fixes_in_sight()
    }

    /// One fix, also a past one. Blocks when it has to be read from the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fix(&self, id: &FixId) -> Result<Option<Arc<FixState>>, StoreError> {
        if let Some(state) = self.shared.board().fix(id) {
            return Ok(Some(Arc::clone(state)));
        }
        Ok(self.store.fix(id)?.map(Arc::new))
    }

    /// What stood where a step of a fix writes. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fix_images(&self, id: &FixId, step: usize) -> Result<Vec<BeforeImage>, StoreError> {
        self.store.fix_images(id, step)
    }

    /// A page of fixes, newest first; its `next` is the number to go on after. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fix_history(&self, ask: &FixQuery) -> Result<FixPage, StoreError> {
        let FoundFixes { items, next } = self.store.fixes(ask)?;
        Ok(FixPage { items, next: next.map(|number| number.to_string()) })
    }

    /// At most `limit` lines of a fix after line `after`; of one step, or of all. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fix_output(
        &self,
        id: &FixId,
        step: Option<u32>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<FixOutput>, StoreError> {
        self.store.fix_output(id, step, after, limit)
    }

    /// How a definition fared. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fix_record(&self, definition: &str) -> Result<Record, StoreError> {
        self.store.fix_record(definition)
    }

    /// What holds for all fixes: every suppression, and the windows that are not over.
    pub fn remedy(&self) -> Remedy {
        self.shared.remedy(self.clock.now())
    }

    /// Open alerts; from memory.
    pub fn open_alerts(&self) -> Vec<Arc<AlertState>> {
        self.shared.board().all().filter(|state| state.alert.status.is_open()).cloned().collect()
    }

    /// Changes whenever something was committed or published.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.shared.watch()
    }

    /// Everything that a console begins with, all of the same moment.
    pub fn in_sight(&self) -> InSight {
        let sight = self.shared.snapshot(self.clock.now());
        InSight {
            cursor: sight.cursor,
            alerts: sight.alerts.iter().map(|state| state.alert.clone()).collect(),
            fixes: sight.fixes.iter().map(|state| state.fix.clone()).collect(),
            remedy: shown(&sight.remedy),
            migrations: sight.migrations.iter().map(|state| state.migration.clone()).collect(),
            presence: sight.presence,
            rules: sight.rules,
            deploys: sight.deploys,
        }
    }
}
