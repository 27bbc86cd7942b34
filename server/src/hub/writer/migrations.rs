//! What people and runners want of migrations, each as a transaction of its own, as for fixes.

use std::sync::Arc;

use stella_protocol::{Code, Migration, MigrationId, MigrationVerb, Problem, Role, Text};
use tokio::sync::oneshot;

use super::Writer;
use super::answer::{Deed, Keyed, Making, No, Reply, WORDS, failed, ran_into};
use crate::hub::draft::{Author, Change, Draft, NotStepped, fence_name};
use crate::hub::{Answer, json, object_of, problem, refusal};
use crate::migrate::{self, Decision, Event, MigrationState, Refusal, machine};
use crate::problem::titled;
use crate::store::Verdict;
use crate::words::wire_len;

/// Most migrations that are unfinished at once.
const UNFINISHED: usize = 20;
/// Most that a name in a request may take on the wire.
const NAME: usize = 256;

/// What can be asked for.
pub(in crate::hub) enum MigrationJob {
    Propose {
        keyed: Keyed,
        asked: [u8; 32],
        draft: Box<migrate::Draft>,
        reply: Reply<Migration>,
    },
    Decide {
        keyed: Keyed,
        id: MigrationId,
        version: u64,
        decision: Box<Decision>,
        reply: Reply<Migration>,
    },
    Answered {
        keyed: Keyed,
        asked: [u8; 32],
        id: MigrationId,
        version: u64,
        what: Text,
        open: u64,
        reply: Reply<Migration>,
    },
    Advance {
        id: MigrationId,
        event: Box<Event>,
        reply: oneshot::Sender<Result<Arc<MigrationState>, Refusal>>,
    },
}

impl Writer {
    /// Does one job.
    pub(super) fn migration(&mut self, job: MigrationJob) {
        match job {
            MigrationJob::Propose { keyed, asked, draft, reply } => {
                let _gone = reply.send(self.propose_migration(&keyed, asked, *draft));
            }
            MigrationJob::Decide { keyed, id, version, decision, reply } => {
                let _gone = reply.send(self.decide_migration(&keyed, &id, version, *decision));
            }
            MigrationJob::Answered { keyed, asked, id, version, what, open, reply } => {
                let event = Event::Answered { by: keyed.by.name.clone(), what, open };
                let _gone = reply.send(self.answer_migration(&keyed, asked, &id, version, &event));
            }
            MigrationJob::Advance { id, event, reply } => {
                let _gone = reply.send(self.advance_migration(&id, *event));
            }
        }
    }

    fn propose_migration(
        &mut self,
        keyed: &Keyed,
        digest: [u8; 32],
        mut draft: migrate::Draft,
    ) -> Result<Answer<Migration>, Problem> {
        draft.by = keyed.by.name.clone();
        let object = object_of(draft.target.raw());
        let deed = Deed { verb: "propose", object, role: Role::Admin, digest };
        self.answer(keyed, &deed, |writer, making| {
            let (unfinished, last) = {
                let board = writer.shared.board();
                (board.unfinished_migrations(), board.last_migration)
            };
            if unfinished >= UNFINISHED {
                let title = "too many migrations are unfinished";
                let why = titled(Code::TargetBusy, title, "cancel, or take back, one of them first");
                return Err(No::Noted(Box::new(why), Verdict::Refused, 0));
            }
            let id = format!("{}{}", MigrationId::PREFIX, last + 1).parse::<MigrationId>();
            let id = id.map_err(|_| No::Said(problem(Code::Internal, "the migration has no number")))?;
            let state = machine::open(id, draft, writer.clock.now());
            let migration = state.migration.clone();
            making.change.open_migration(state, making.author);
            Ok(migration)
        })
    }

    fn decide_migration(
        &mut self,
        keyed: &Keyed,
        id: &MigrationId,
        version: u64,
        decision: Decision,
    ) -> Result<Answer<Migration>, Problem> {
        let verb = decision.verb;
        let said = (version, &decision.plan_digest, decision.rate, &decision.to, &decision.text);
        let deed = Deed::new(verb.word(), id.as_str(), machine::role_for(verb), &json(&said));
        let decision = Decision { by: keyed.by.name.clone(), role: keyed.by.role, ..decision };
        let too_long = is_too_long(&decision);
        let detail = detail_of(&decision);
        let event = Event::Decided(decision);
        self.answer(keyed, &deed, |writer, making| {
            if too_long {
                return Err(No::Said(problem(Code::TooLarge, "a text takes at most 2 KiB, a name 256 bytes")));
            }
            let state = known(making, id)?;
            let migration = &state.migration;
            let brakes = matches!(verb, MigrationVerb::Pause | MigrationVerb::Stop) && version < migration.version;
            if version != migration.version && !(brakes && migration.status.is_unfinished()) {
                return Err(No::Noted(
                    Box::new(refusal::stale_migration(migration)),
                    Verdict::Conflict,
                    migration.version,
                ));
            }
            writer.step_for(making, &state, &event, Some(detail))
        })
    }

    fn answer_migration(
        &mut self,
        keyed: &Keyed,
        digest: [u8; 32],
        id: &MigrationId,
        version: u64,
        event: &Event,
    ) -> Result<Answer<Migration>, Problem> {
        let deed = Deed { verb: "decide", object: id.to_string(), role: Role::Admin, digest };
        self.answer(keyed, &deed, |writer, making| {
            let state = known(making, id)?;
            let stepped = writer.step_for(making, &state, event, None);
            match stepped {
                Err(No::Noted(_, Verdict::Refused, now)) if now != version => {
                    let went_on = refusal::stale_migration(&state.migration);
                    Err(No::Noted(Box::new(went_on), Verdict::Conflict, now))
                }
                other => other,
            }
        })
    }

    /// A step that a person asked for.
    fn step_for(
        &self,
        making: &mut Making<'_, '_>,
        state: &Arc<MigrationState>,
        event: &Event,
        detail: Option<String>,
    ) -> Result<Migration, No> {
        let version = state.migration.version;
        let by = (making.author, detail);
        match making.draft.step_migration(making.change, state, event, by, self.clock.now()) {
            Ok(next) => Ok(next.migration.clone()),
            Err(NotStepped::Held(other)) => {
                Err(No::Noted(Box::new(refusal::store_held(&other)), Verdict::Refused, version))
            }
            Err(NotStepped::Refused(why)) => {
                let problem = Box::new(refusal::migration_refused(&why, Some(&state.migration)));
                let verdict = if why.code == Code::Forbidden { Verdict::Denied } else { Verdict::Refused };
                Err(No::Noted(problem, verdict, version))
            }
        }
    }

    fn advance_migration(&mut self, id: &MigrationId, mut event: Event) -> Result<Arc<MigrationState>, Refusal> {
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let (draft, mut change) = (Draft::new(&shared, &*store), Change::default());
        let state = draft.migration(id).map_err(|error| failed(&error))?;
        let state = state.ok_or_else(|| Refusal::new(Code::NotFound, "no migration has this id"))?;
        if let Event::Claimed { fence, .. } = &mut event {
            let kept = self.store.fence(fence_name(&state.migration.target).raw()).map_err(|error| failed(&error))?;
            *fence = kept.max(state.work.fence) + 1;
        }
        let (author, now) = (Author::system(), self.clock.now());
        let stepped = draft.step_migration(&mut change, &state, &event, (&author, None), now);
        let next = stepped.map_err(|not| match not {
            NotStepped::Refused(why) => why,
            NotStepped::Held(other) => refusal::store_held(&other).into(),
        })?;
        if !change.is_loud() {
            return Ok(next);
        }
        self.keep_with(change, None, None).map(|()| next).map_err(|commit| ran_into(commit).into())
    }

    /// Tells how far migrations are, where that waited for its turn; forgets it of those that ended.
    pub(super) fn tell_progress(&self) {
        self.shared.forget_ended_progress();
        self.shared.tell_waiting_progress();
    }

    /// Tells the machines that old ids were used since they were told last.
    pub(super) fn note_old_ids(&mut self) {
        let uses = self.shared.spoken().take_uses();
        for (id, (times, at)) in uses {
            match self.advance_migration(&id, Event::OldIdUsed { times, at }) {
                Err(why) if why.code == Code::StoreUnavailable => self.shared.spoken().used(&id, times, at),
                Err(why) => tracing::debug!(migration = %id, code = ?why.code, "a use of an old id does not count"),
                Ok(_) => {}
            }
        }
    }
}

fn known(making: &Making<'_, '_>, id: &MigrationId) -> Result<Arc<MigrationState>, No> {
    let state = making.draft.migration(id)?;
    state.ok_or_else(|| No::Said(problem(Code::NotFound, "no migration has this id")))
}

fn is_too_long(decision: &Decision) -> bool {
    let long = |text: &Option<Text>| text.as_ref().is_some_and(|text| wire_len(text.raw()) > NAME);
    wire_len(decision.text.raw()) > WORDS || long(&decision.plan_digest) || long(&decision.to)
}

/// What the audit says of a decision.
fn detail_of(decision: &Decision) -> String {
    let plan = decision.plan_digest.as_ref().map(|digest| format!("plan {}", digest.raw()));
    let rate = decision.rate.map(|rate| format!("{rate} documents a second"));
    let to = decision.to.as_ref().map(|to| format!("to {}", to.raw()));
    let text = Some(decision.text.raw().to_owned()).filter(|text| !text.is_empty());
    [plan, rate, to, text].into_iter().flatten().collect::<Vec<_>>().join(": ")
}
