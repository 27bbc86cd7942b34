//! What people ask for, as transactions: verbs on many alerts, and taking an action back.

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use stella_protocol::command::Action;
use stella_protocol::{
    ActionId, ActionRequest, ActionResponse, Code, Outcome, Principal, Problem, Role, Target, TargetResult, Text, Verb,
};

use super::draft::{Author, Change, Draft};
use super::refusal::{self, Wanted};
use super::{json, problem};
use crate::alerts::{Act, AlertState, Event, Moment, Refusal, Triage, step};
use crate::store::{ActionRecord, Answered, KeyedAnswer, Store, StoreError, Tx, Undoable, Verdict, Write};
use crate::words::wire_len;

/// Most alerts of one action.
const TARGETS: usize = 1000;
/// How long an action can be taken back, in milliseconds.
const UNDO: i64 = 24 * 60 * 60 * 1000;
/// Longest idempotency key, in bytes.
pub(super) const KEY: usize = 128;
/// Most that the words of a verb may take on the wire.
const WORDS: usize = 2048;

/// A request, read and turned into what it would do.
pub(super) struct Planned {
    pub change: Change,
    pub tx: Tx,
    /// What its author is told once it is committed.
    pub answer: Result<ActionResponse, Problem>,
}

/// What a request comes to.
pub(super) enum Plan {
    /// Nothing is written.
    Said(Result<ActionResponse, Problem>),
    /// The first answer, again.
    Again(Result<ActionResponse, Problem>),
    /// Something is.
    Commit(Box<Planned>),
}

/// Who asks, under which key, when.
pub(super) struct Asked<'a> {
    pub by: &'a Principal,
    pub key: &'a str,
    pub now: Moment,
}

impl Asked<'_> {
    fn author(&self) -> Author {
        Author { name: self.by.name.clone(), role: self.by.role, key: self.key.to_owned() }
    }

    fn keyed(&self, digest: [u8; 32], answer: &ActionResponse) -> KeyedAnswer {
        KeyedAnswer { principal: self.by.name.raw().to_owned(), key: self.key.to_owned(), digest, body: json(answer) }
    }

    /// What stands before every request: the key, what was answered to it, the role.
    fn admit(&self, store: &dyn Store, digest: [u8; 32], verb: &'static str) -> Result<Option<Plan>, StoreError> {
        if self.key.is_empty() || self.key.len() > KEY {
            return Ok(Some(Plan::Said(Err(problem(Code::BadKey, "a key has 1 to 128 characters")))));
        }
        if let Some(before) = store.answer(self.by.name.raw(), self.key)? {
            return Ok(Some(Plan::Again(repeat(&before, digest))));
        }
        if self.by.role.allows(Role::Responder) {
            return Ok(None);
        }
        Ok(Some(self.deny(verb, "alerts", "triage needs the role responder")))
    }

    /// Refuses, and says so in the audit.
    fn deny(&self, verb: &'static str, object: &str, why: &str) -> Plan {
        let audit = vec![self.author().audit(verb, object, (0, 0), Verdict::Denied)];
        let tx = Tx { at: self.now.server, audit, ..Tx::default() };
        let answer = Err(problem(Code::Forbidden, why));
        Plan::Commit(Box::new(Planned { change: Change::default(), tx, answer }))
    }
}

/// The answer to a key that came before: the first one again, if the same was asked.
pub(super) fn repeat<T: DeserializeOwned>(before: &Answered, digest: [u8; 32]) -> Result<T, Problem> {
    if before.digest != digest {
        return Err(problem(Code::KeyReused, "make a new key for another request"));
    }
    serde_json::from_str(&before.body).map_err(|_| problem(Code::Internal, "the first answer does not read back"))
}

/// What tells two actions apart.
pub(super) fn digest_of_action(ask: &ActionRequest) -> [u8; 32] {
    Sha256::digest(format!("act {}", json(ask))).into()
}

/// What tells two undos apart.
pub(super) fn digest_of_undo(id: &ActionId) -> [u8; 32] {
    Sha256::digest(format!("undo {id}")).into()
}

/// Plans a verb on its targets; `number` is that of the action.
pub(super) fn act(
    draft: &mut Draft<'_>,
    store: &dyn Store,
    asked: &Asked<'_>,
    ask: &ActionRequest,
    number: u64,
) -> Result<Plan, StoreError> {
    let digest = digest_of_action(ask);
    if let Some(plan) = asked.admit(store, digest, ask.verb.word())? {
        return Ok(plan);
    }
    if let Err(problem) = check(ask) {
        return Ok(Plan::Said(Err(problem)));
    }
    let Ok(id) = format!("{}{number}", ActionId::PREFIX).parse::<ActionId>() else {
        return Ok(Plan::Said(Err(problem(Code::Internal, "the action has no number"))));
    };
    let mut deed = Deed { asked, change: Change::default(), undoable: Vec::new(), results: Vec::new() };
    for target in &ask.targets {
        deed.perform(draft, target, ask, &id)?;
    }
    let Deed { mut change, undoable, results, .. } = deed;
    draft.supersede(&mut change, asked.now)?;
    let undo_until = Some(asked.now.server.plus_millis(UNDO)).filter(|_| !undoable.is_empty());
    let action = Action {
        id: id.clone(),
        verb: ask.verb,
        by: asked.by.name.clone(),
        at: asked.now.server,
        targets: undoable.iter().map(|done| Target { id: done.id.clone(), version: done.left }).collect(),
        undo_until,
    };
    let record = ActionRecord { number, action, undoable, undone: false };
    let answer = ActionResponse { action_id: id, undo_until, results };
    Ok(commit(asked, digest, &mut change, Write::Action(Box::new(record)), answer))
}

/// Plans to take an action back.
pub(super) fn undo(
    draft: &mut Draft<'_>,
    store: &dyn Store,
    asked: &Asked<'_>,
    id: &ActionId,
) -> Result<Plan, StoreError> {
    let digest = digest_of_undo(id);
    if let Some(plan) = asked.admit(store, digest, "undo")? {
        return Ok(plan);
    }
    let said = |code, why: &str| Ok(Plan::Said(Err(problem(code, why))));
    let Some(record) = store.action(id)? else { return said(Code::NotFound, "no action has this id") };
    if record.action.by != asked.by.name && !asked.by.role.allows(Role::Admin) {
        return Ok(asked.deny("undo", id.as_str(), "only an admin takes back what somebody else did"));
    }
    if record.undone {
        return said(Code::AlreadyUndone, "look at the list again");
    }
    if record.action.undo_until.is_none_or(|until| until <= asked.now.server) {
        return said(Code::UndoExpired, "an action can be taken back for 24 hours");
    }
    let mut deed = Deed { asked, change: Change::default(), undoable: Vec::new(), results: Vec::new() };
    for target in &record.undoable {
        deed.take_back(draft, target, &record.action)?;
    }
    let done = deed.results.iter().any(|result| result.outcome == Outcome::Done);
    let Deed { mut change, results, .. } = deed;
    for back in record.undoable.iter().filter(|target| !target.led.is_empty()) {
        draft.lead_again(&mut change, &back.id, &back.led, asked.now)?;
    }
    draft.supersede(&mut change, asked.now)?;
    let answer = ActionResponse { action_id: id.clone(), undo_until: None, results };
    if !done {
        let keyed = Some(asked.keyed(digest, &answer));
        let tx = Tx { at: asked.now.server, answer: keyed, audit: std::mem::take(&mut change.audit), ..Tx::default() };
        return Ok(Plan::Commit(Box::new(Planned { change, tx, answer: Ok(answer) })));
    }
    Ok(commit(asked, digest, &mut change, Write::Undone { action: record.number }, answer))
}

fn commit(asked: &Asked<'_>, digest: [u8; 32], change: &mut Change, write: Write, answer: ActionResponse) -> Plan {
    let mut tx = change.tx(asked.now.server);
    tx.answer = Some(asked.keyed(digest, &answer));
    tx.writes.push(write);
    Plan::Commit(Box::new(Planned { change: std::mem::take(change), tx, answer: Ok(answer) }))
}

fn check(ask: &ActionRequest) -> Result<(), Problem> {
    let words = ask.text.as_ref().map_or(0, |text| wire_len(text.raw()));
    if ask.targets.is_empty() {
        return Err(problem(Code::BadBody, "name at least one alert"));
    }
    if ask.targets.len() > TARGETS {
        return Err(problem(Code::TooManyTargets, "one action takes at most 1,000 alerts"));
    }
    if words > WORDS {
        return Err(problem(Code::TooLarge, "the text takes at most 2 KiB"));
    }
    let said_nothing = ask.text.as_ref().is_none_or(|text| text.raw().trim().is_empty());
    if ask.verb == Verb::Note && said_nothing {
        return Err(problem(Code::BadBody, "a note needs a text"));
    }
    if ask.part.is_some() && ask.verb != Verb::FalsePositive {
        return Err(problem(Code::BadBody, "only false-positive says which part was wrong"));
    }
    Ok(())
}

/// An action or an undo, target by target.
struct Deed<'a> {
    asked: &'a Asked<'a>,
    change: Change,
    undoable: Vec<Undoable>,
    results: Vec<TargetResult>,
}

impl Deed<'_> {
    fn perform(
        &mut self,
        draft: &mut Draft<'_>,
        target: &Target,
        ask: &ActionRequest,
        id: &ActionId,
    ) -> Result<(), StoreError> {
        let Some(state) = draft.get(&target.id)? else {
            self.results.push(refusal::not_found(&target.id));
            return Ok(());
        };
        let rival = draft.rival(&state)?;
        let act = Act {
            verb: ask.verb,
            by: &self.asked.by.name,
            version: target.version,
            text: ask.text.as_ref(),
            part: ask.part,
            rival: rival.as_ref(),
        };
        let before = Triage::of(&state);
        let detail = detail(id, ask, &state);
        match step(&state, &Event::Act(act), self.asked.now) {
            Ok(step) if step.effects.is_empty() => self.results.push(result(&state, Outcome::Unchanged)),
            Ok(step) => {
                let left = step.state.alert.version;
                let led = if step.state.alert.status.is_open() { Vec::new() } else { state.alert.children.clone() };
                self.undoable.push(Undoable { id: target.id.clone(), left, before, led });
                self.done(draft, &state, step, &detail);
            }
            Err(why) => self.refuse(&state, Wanted::Verb(ask.verb), &why),
        }
        Ok(())
    }

    fn take_back(&mut self, draft: &mut Draft<'_>, target: &Undoable, action: &Action) -> Result<(), StoreError> {
        let Some(state) = draft.get(&target.id)? else {
            self.results.push(refusal::not_found(&target.id));
            return Ok(());
        };
        let rival = draft.rival(&state)?;
        let event = Event::Undo { before: &target.before, left: target.left, rival: rival.as_ref() };
        match step(&state, &event, self.asked.now) {
            Ok(step) => self.done(draft, &state, step, action.id.as_str()),
            Err(why) => self.refuse(&state, Wanted::Undo { at: action.at }, &why),
        }
        Ok(())
    }

    fn done(&mut self, draft: &mut Draft<'_>, from: &AlertState, step: crate::alerts::Step, detail: &str) {
        self.results.push(result(&step.state, Outcome::Done));
        draft.teach(&mut self.change, (from, &step.state), &self.asked.by.name, self.asked.now);
        draft.put(std::sync::Arc::new(step.state.clone()));
        self.change.take(from, step, &self.asked.author(), detail);
    }

    fn refuse(&mut self, state: &AlertState, wanted: Wanted, why: &Refusal) {
        let result = refusal::refused(state, wanted, why);
        let verdict = if result.outcome == Outcome::Conflict { Verdict::Conflict } else { Verdict::Refused };
        let version = state.alert.version;
        let row = self.asked.author().audit(wanted.word(), state.alert.id.as_str(), (version, version), verdict);
        self.change.audit.push(row);
        self.results.push(result);
    }
}

fn result(state: &AlertState, outcome: Outcome) -> TargetResult {
    TargetResult { id: state.alert.id.clone(), outcome, alert: Some(Box::new(state.alert.clone())), problem: None }
}

/// What an audit row says besides: the action, whose it was before, which part was wrong.
fn detail(id: &ActionId, ask: &ActionRequest, state: &AlertState) -> String {
    let former = state.alert.acknowledged_by.as_ref().filter(|_| ask.verb == Verb::TakeOver).map(Text::raw);
    match (former, ask.part) {
        (Some(former), _) => format!("{id} from {former}"),
        (None, Some(part)) => format!("{id} part {}", json(&part).trim_matches('"')),
        (None, None) => id.to_string(),
    }
}
