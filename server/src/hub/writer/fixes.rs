//! What people, rules and the executor want of fixes, each as a transaction of its own.
//!
//! A fix is rare and its steps must be durable before anything happens outside, so none of them waits
//! for a group. The state that the machine is asked about is the one that the commit is conditional on.

mod standing;

use std::sync::Arc;

use rustc_hash::FxHashSet;
use stella_protocol::fix::{Maintenance, MaintenanceRequest, SwitchRequest};
use stella_protocol::{
    Code, FeedEvent, Fix, FixId, FixOutput, FixStatus, FixVerb, Principal, Problem, Remedy, Role, Text, Timestamp,
};
use tokio::sync::oneshot;

use super::Writer;
use super::answer::{Deed, Keyed, Making, No, Reply, WORDS, failed, ran_into};
use crate::hub::draft::{Author, By, Change, Draft, Stop};
use crate::hub::fixes::role_of;
use crate::hub::frame::{Kind, frame};
use crate::hub::{Answer, json, object_of, problem, refusal};
use crate::remedy::definition::limits::HOUR_MS;
use crate::remedy::policy::{self, Standing};
use crate::remedy::{self, Decision, Event, FixState, Intent, Refusal, machine};
use crate::store::{StoreError, Verdict, Write};
use crate::words::{clip, wire_len};

/// Most bytes of output that are kept of one fix.
const OUTPUT: u64 = 256 << 10;
/// Most bytes of a line of output, on the wire.
const LINE: usize = 4 << 10;
/// Most that a new fix may take on the wire: its trail, notes and approvals come on top, and an event
/// carries 64 KiB.
const PLAN: usize = 32 << 10;

/// What can be asked for.
pub(in crate::hub) enum FixJob {
    Propose { by: Principal, key: Option<String>, asked: [u8; 32], draft: Box<remedy::Draft>, reply: Reply<Fix> },
    Decide { keyed: Keyed, id: FixId, version: u64, decision: Box<Decision>, reply: Reply<Fix> },
    Advance { id: FixId, event: Box<Event>, intent: Intent, reply: oneshot::Sender<Result<Arc<FixState>, Refusal>> },
    Output { fence: u64, lines: Vec<FixOutput>, reply: oneshot::Sender<()> },
    Switch { keyed: Keyed, ask: SwitchRequest, reply: Reply<Remedy> },
    Maintain { keyed: Keyed, ask: MaintenanceRequest, reply: Reply<Maintenance> },
    EndMaintenance { keyed: Keyed, id: String, reply: Reply<Remedy> },
    Lift { keyed: Keyed, id: String, reply: Reply<Remedy> },
}

/// A decision on a fix, as what it is about.
fn deed_of(id: &FixId, version: u64, decision: &Decision) -> Deed {
    let (verb, said) = (decision.verb, (version, decision.plan_digest.as_ref(), &decision.text));
    Deed::new(verb.word(), id.as_str(), role_of(verb), &json(&said))
}

/// What tells two decisions under one key apart.
pub(in crate::hub) fn digest_of_decision(id: &FixId, version: u64, decision: &Decision) -> [u8; 32] {
    deed_of(id, version, decision).digest
}

impl Writer {
    /// Does one job.
    pub(super) fn fix(&mut self, job: FixJob) {
        match job {
            FixJob::Propose { by, key, asked, draft, reply } => {
                let _gone = reply.send(self.propose(by, key, asked, *draft));
            }
            FixJob::Decide { keyed, id, version, decision, reply } => {
                let _gone = reply.send(self.decide(&keyed, &id, version, *decision));
            }
            FixJob::Advance { id, event, intent, reply } => {
                let _gone = reply.send(self.advance(&id, *event, intent));
            }
            FixJob::Output { fence, lines, reply } => {
                self.put_output(fence, lines);
                let _gone = reply.send(());
            }
            FixJob::Switch { keyed, ask, reply } => {
                let _gone = reply.send(self.switch(&keyed, &ask));
            }
            FixJob::Maintain { keyed, ask, reply } => {
                let _gone = reply.send(self.maintain(&keyed, &ask));
            }
            FixJob::EndMaintenance { keyed, id, reply } => {
                let _gone = reply.send(self.end_maintenance(&keyed, &id));
            }
            FixJob::Lift { keyed, id, reply } => {
                let _gone = reply.send(self.lift(&keyed, &id));
            }
        }
    }

    fn propose(
        &mut self,
        by: Principal,
        key: Option<String>,
        asked: [u8; 32],
        mut draft: remedy::Draft,
    ) -> Result<Answer<Fix>, Problem> {
        let object = object_of(draft.plan.target.raw());
        let deed = Deed { verb: "propose", object, role: Role::Responder, digest: asked };
        let Some(key) = key else { return self.propose_by_rule(&by, draft) };
        draft.proposed_by = by.name.clone();
        let keyed = Keyed { by, key };
        self.answer(&keyed, &deed, |writer, making| writer.open(making, draft))
    }

    /// A rule has no key: asking twice is refused by the caps. Nothing is noted of what is refused, for
    /// rules propose as often as there are lines.
    fn propose_by_rule(&mut self, by: &Principal, proposal: remedy::Draft) -> Result<Answer<Fix>, Problem> {
        let author = Author { name: by.name.clone(), role: by.role, key: String::new() };
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let (mut draft, mut change) = (Draft::new(&shared, &*store), Change::default());
        let making = &mut Making { draft: &mut draft, change: &mut change, author: &author };
        match self.open(making, proposal) {
            Ok(body) => self.keep_with(change, None, None).map(|()| Answer { body, replayed: false }).map_err(ran_into),
            Err(No::Said(problem)) => Err(problem),
            Err(No::Noted(problem, ..)) => Err(*problem),
            Err(No::Store(error)) => Err(failed(&error)),
        }
    }

    fn open(&self, making: &mut Making<'_, '_>, proposal: remedy::Draft) -> Result<Fix, No> {
        let now = self.now();
        let no = |why: Problem| No::Noted(Box::new(why), Verdict::Refused, 0);
        let alert = match &proposal.alert_id {
            None => None,
            Some(id) => match making.draft.get(id)? {
                None => return Err(no(problem(Code::NotFound, "no alert has this id"))),
                Some(alert) if !alert.alert.status.is_open() => {
                    return Err(no(problem(Code::IllegalTransition, "its alert is over: reopen that first")));
                }
                alert => alert,
            },
        };
        let (mut fixes, standing) = self.standing();
        self.look_back(&proposal, now.server, &mut fixes)?;
        let all = Standing { fixes: &fixes, remedy: &standing };
        policy::admit(&proposal, all, now.server).map_err(|why| {
            let same =
                |state: &&Arc<FixState>| state.fix.plan.target == proposal.plan.target && state.fix.status.is_open();
            let busy = fixes.iter().find(same).filter(|_| why.code == Code::TargetBusy);
            no(refusal::fix_refused(&why, busy.map(|state| &state.fix)))
        })?;
        let number = self.shared.board().numbers.fix + 1;
        let id = format!("{}{number}", FixId::PREFIX).parse::<FixId>();
        let id = id.map_err(|_| No::Said(problem(Code::Internal, "the fix has no number")))?;
        let state = machine::open(proposal, id, now.server);
        let state = state.ok_or_else(|| no(problem(Code::BadBody, "the plan has no step")))?;
        if json(&state.fix).len() > PLAN {
            return Err(no(problem(Code::TooLarge, "a plan takes at most 32 KiB")));
        }
        let fix = state.fix.clone();
        making.change.open_fix(Arc::new(state), making.author);
        if let Some(alert) = alert {
            making.draft.link_alert(making.change, &alert, &fix.id, making.author, now);
        }
        Ok(fix)
    }

    /// Adds what a definition's own limits look back at beyond what is in memory.
    fn look_back(
        &self,
        proposal: &remedy::Draft,
        now: Timestamp,
        fixes: &mut Vec<Arc<FixState>>,
    ) -> Result<(), StoreError> {
        let every = proposal.limits.every_ms;
        if every <= HOUR_MS {
            return Ok(());
        }
        let (definition, target) = (proposal.plan.definition_id.raw(), proposal.plan.target.raw());
        let past = self.store.proposed(definition, target, now.plus_millis(-every))?;
        let known: FxHashSet<FixId> = fixes.iter().map(|state| state.fix.id.clone()).collect();
        fixes.extend(past.into_iter().filter(|state| !known.contains(&state.fix.id)).map(Arc::new));
        Ok(())
    }

    fn standing(&self) -> (Vec<Arc<FixState>>, Remedy) {
        let fixes = self.shared.board().fixes().cloned().collect();
        (fixes, self.shared.remedy(self.clock.now()))
    }

    fn decide(&mut self, keyed: &Keyed, id: &FixId, version: u64, decision: Decision) -> Result<Answer<Fix>, Problem> {
        let verb = decision.verb;
        let deed = deed_of(id, version, &decision);
        let single_person = self.shared.remedy(self.clock.now()).single_person;
        let decision = Decision { by: keyed.by.name.clone(), role: keyed.by.role, single_person, ..decision };
        self.answer(keyed, &deed, |writer, making| {
            if wire_len(decision.text.raw()) > WORDS {
                return Err(No::Said(problem(Code::TooLarge, "the text takes at most 2 KiB")));
            }
            let Some(state) = making.draft.fix(id)? else {
                return Err(No::Said(problem(Code::NotFound, "no fix has this id")));
            };
            let fix = &state.fix;
            if version != fix.version && !holds_nevertheless(verb, version, &state) {
                return Err(No::Noted(Box::new(refusal::stale_fix(fix)), Verdict::Conflict, fix.version));
            }
            if verb == FixVerb::Rollback {
                writer.may_roll_back(fix)?;
            }
            let detail = format!("plan {}: {}", fix.plan_digest.raw(), decision.text.raw());
            let by = By { detail: Some(detail), ..By::plain(making.author) };
            let event = Event::Decided(decision);
            match making.draft.step_fix(making.change, &state, &event, by, writer.now()) {
                Ok(next) => {
                    making.draft.supersede(making.change, writer.now())?;
                    Ok(next.fix.clone())
                }
                Err(Stop::Store(error)) => Err(No::Store(error)),
                Err(Stop::Refused(why)) => {
                    let problem = Box::new(refusal::fix_refused(&why, Some(fix)));
                    let verdict = if why.code == Code::Forbidden { Verdict::Denied } else { Verdict::Refused };
                    Err(No::Noted(problem, verdict, fix.version))
                }
            }
        })
    }

    /// Nothing else is open for its target.
    fn may_roll_back(&self, fix: &Fix) -> Result<(), No> {
        let (fixes, remedy) = self.standing();
        policy::rollback(fix, Standing { fixes: &fixes, remedy: &remedy }).map_err(|why| {
            let same = |state: &&Arc<FixState>| state.fix.plan.target == fix.plan.target && state.fix.status.is_open();
            let busy = fixes.iter().filter(same).find(|state| state.fix.id != fix.id);
            let problem = refusal::fix_refused(&why, busy.map(|state| &state.fix));
            No::Noted(Box::new(problem), Verdict::Refused, fix.version)
        })
    }

    fn advance(&mut self, id: &FixId, mut event: Event, intent: Intent) -> Result<Arc<FixState>, Refusal> {
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let (mut draft, mut change) = (Draft::new(&shared, &*store), Change::default());
        let state = draft.fix(id).map_err(|error| failed(&error))?;
        let state = state.ok_or_else(|| Refusal::new(Code::NotFound, "no fix has this id"))?;
        if intent.seen.is_some_and(|seen| seen != state.fix.version) {
            return Err(Refusal::new(Code::VersionConflict, format!("{id} went on meanwhile; look at it again")));
        }
        self.complete(&state, &mut event).map_err(|error| failed(&error))?;
        let author = Author::system();
        let by = By { intent, ..By::plain(&author) };
        let now = self.now();
        let next = draft.step_fix(&mut change, &state, &event, by, now).map_err(|stop| match stop {
            Stop::Refused(why) => why,
            Stop::Store(error) => failed(&error).into(),
        })?;
        draft.supersede(&mut change, now).map_err(|error| failed(&error))?;
        if !change.is_loud() {
            return Ok(next);
        }
        self.keep_with(change, None, None).map(|()| next).map_err(|commit| ran_into(commit).into())
    }

    /// What only the writer can say of a claim: the target's next fence, and whether anything may start
    /// at this very moment. What runs already is taken over whatever stands in the way of starting.
    fn complete(&self, state: &FixState, event: &mut Event) -> Result<(), StoreError> {
        let Event::Claimed { fence, gates, .. } = event else { return Ok(()) };
        *fence = self.store.fence(state.fix.plan.target.raw())?.max(state.work.fence) + 1;
        if gates.is_ok() && state.fix.status == FixStatus::Approved {
            let ((fixes, remedy), now) = (self.standing(), self.clock.now());
            let may = |by: &Text| self.shared.approvers.may(by, now);
            *gates = policy::start(&state.fix, Standing { fixes: &fixes, remedy: &remedy }, now)
                .and_then(|()| policy::roles(state, may));
        }
        Ok(())
    }

    fn put_output(&mut self, fence: u64, lines: Vec<FixOutput>) {
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let (draft, mut change) = (Draft::new(&shared, &*store), Change::default());
        let mut states: Vec<Arc<FixState>> = Vec::new();
        let mut told = Vec::new();
        for line in lines {
            if states.iter().all(|state| state.fix.id != line.id) {
                states.extend(draft.fix(&line.id).ok().flatten());
            }
            let ours = |state: &&mut Arc<FixState>| state.fix.id == line.id && state.work.fence == fence;
            if let Some(state) = states.iter_mut().find(ours) {
                told.extend(number_line(Arc::make_mut(state), line));
            }
        }
        for state in states {
            change.touch_fix(&FixState::clone(&state), state);
        }
        change.writes.extend(told.iter().map(|line| Write::FixOutput(Box::new(line.clone()))));
        if told.is_empty() {
            return;
        }
        if self.keep_with(change, None, None).is_err() {
            tracing::warn!(lines = told.len(), "lines of a fix were not kept");
            return;
        }
        for line in told {
            shared.ring().push(Kind::FixOutput, frame(&FeedEvent::FixOutput(Box::new(line))));
        }
        shared.wake();
    }
}

/// True for a verb that also counts when the fix went on since the version that somebody saw: a brake on
/// what runs, and a yes to a plan that since was only looked at again, so that nobody holds approvals off
/// by dry runs. Which plan the yes is to, its digest says.
fn holds_nevertheless(verb: FixVerb, seen: u64, state: &FixState) -> bool {
    let (fix, since) = (&state.fix, state.work.only_rehearsed_since);
    let later = seen < fix.version;
    match verb {
        FixVerb::Stop => later && fix.status.is_under_way(),
        FixVerb::Approve => later && since.is_some_and(|since| since <= seen),
        _ => false,
    }
}

/// Gives a line its number; None: the fix has said enough.
fn number_line(state: &mut FixState, line: FixOutput) -> Option<FixOutput> {
    let (lines, bytes) = state.work.output;
    if bytes >= OUTPUT {
        return None;
    }
    let text = clip(&line.text, LINE);
    let after = bytes + text.len() as u64;
    let cut = after > OUTPUT;
    let number = lines + 1;
    state.work.output = (number, if cut { OUTPUT } else { after });
    if !cut {
        return Some(FixOutput { number, text, ..line });
    }
    let text = Text::new("more was said: 256 KiB of a fix are kept");
    Some(FixOutput { number, text, stream: stella_protocol::fix::Stream::Stella, ..line })
}
