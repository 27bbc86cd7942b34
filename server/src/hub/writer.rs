//! The writer's thread: takes jobs in order, and lets the store make those of many people durable at
//! once.
//!
//! What the engine says is a transaction of its own, because it waits for it and because it carries the
//! line that it is complete up to.

mod answer;
mod chores;
mod engine;
mod fixes;
mod marks;
mod migrations;
mod rules;

use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;
use stella_detect::{Finding, Lesson};
use stella_protocol::health::EngineClock;
use stella_protocol::rule::FalseMark;
use stella_protocol::{ActionId, ActionRequest, ActionResponse, Code, Deploy, LineId, Principal, Problem, Timestamp};
use tokio::sync::oneshot;

use super::act::{self, Asked, Plan, Planned};
use super::board::{Board, Shared};
use super::draft::{Change, Draft};
use super::{Answer, HubError, problem, refusal};
use crate::alerts::Moment;
use crate::clock::Clock;
use crate::store::{Commit, NewEvent, Store, StoreError, Tx};
pub(super) use answer::Keyed;
pub(super) use fixes::{FixJob, digest_of_decision};
pub(super) use migrations::MigrationJob;
pub(super) use rules::RuleJob;

/// Most requests behind one fsync.
const GROUP: usize = 256;
/// How often counters are told and kept.
const SECOND: Duration = Duration::from_secs(1);
/// How often the past is tidied up.
const MINUTE: Duration = Duration::from_mins(1);
/// Tries to keep what the engine found when the store holds something else than memory does.
const TRIES: usize = 3;
/// Most counters in one event: with a brief of 2 KiB each it stays below 64 KiB.
const COUNTS: usize = 24;

/// To whoever asked.
pub(super) type Reply = oneshot::Sender<Result<Answer<ActionResponse>, Problem>>;

/// What the writer can be asked for.
pub(super) enum Job {
    Act {
        by: Principal,
        key: String,
        ask: ActionRequest,
        reply: Reply,
    },
    Undo {
        by: Principal,
        key: String,
        id: ActionId,
        reply: Reply,
    },
    Commit {
        tx: Tx,
        reply: Option<oneshot::Sender<Commit>>,
    },
    Apply {
        findings: Vec<Finding>,
        deploys: Vec<Deploy>,
        up_to: LineId,
        engine_now: Timestamp,
        clock: EngineClock,
        reply: SyncSender<Result<(), HubError>>,
    },
    Found {
        findings: Vec<Finding>,
        reply: Option<oneshot::Sender<Result<(), HubError>>>,
    },
    Settle {
        reply: SyncSender<bool>,
    },
    Unmark {
        keyed: Keyed,
        fingerprint: String,
        reply: answer::Reply<FalseMark>,
    },
    Learned {
        lessons: Vec<Lesson>,
    },
    Tick {
        engine_now: Timestamp,
    },
    Fix(FixJob),
    Migration(MigrationJob),
    Rule(RuleJob),
    Stop,
}

/// A request that waits for the commit of its group.
enum Waiting {
    Person { reply: Reply, digest: [u8; 32], planned: Box<Planned> },
    Room { reply: Option<oneshot::Sender<Commit>> },
}

/// How far the engine is.
type Progress = (LineId, EngineClock);

/// The writer.
pub(super) struct Writer {
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    clock: Clock,
    next_action: u64,
    engine_now: Timestamp,
    /// The line or the clock moved since they were kept.
    progressed: bool,
    next_second: Instant,
    next_minute: Instant,
}

impl Writer {
    pub fn new(store: Arc<dyn Store>, shared: Arc<Shared>, clock: Clock) -> Result<Self, StoreError> {
        let next_action = store.last_action()? + 1;
        let engine_now = shared.board().engine.last.unwrap_or(clock.now());
        let now = Instant::now();
        Ok(Self {
            store,
            shared,
            clock,
            next_action,
            engine_now,
            progressed: false,
            next_second: now + SECOND,
            next_minute: now + MINUTE,
        })
    }

    /// Works until it is told to stop or nobody can ask any more.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(self.next_second.saturating_duration_since(Instant::now())) {
                Ok(first) => {
                    let more = jobs.try_iter().take(GROUP - 1);
                    if self.work(std::iter::once(first).chain(more)) {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.chores(Instant::now());
        }
        self.tell_counts();
        self.note_old_ids();
        self.flush();
        self.shared.end();
    }

    fn now(&self) -> Moment {
        Moment { server: self.clock.now(), engine: self.engine_now }
    }

    /// Does the jobs in order; true: it was told to stop.
    fn work(&mut self, jobs: impl Iterator<Item = Job>) -> bool {
        let (mut group, mut keys) = (Vec::new(), FxHashSet::default());
        for job in jobs {
            match job {
                Job::Act { ref by, ref key, .. } | Job::Undo { ref by, ref key, .. } => {
                    if !keys.insert((by.name.raw().to_owned(), key.clone())) {
                        self.together(mem::take(&mut group));
                        keys.clear();
                    }
                    group.push(job);
                }
                Job::Commit { .. } => group.push(job),
                Job::Apply { findings, deploys, up_to, engine_now, clock, reply } => {
                    self.together(mem::take(&mut group));
                    self.engine_now = engine_now;
                    let _gone = reply.send(self.apply(&findings, &deploys, Some(&(up_to, clock))));
                }
                Job::Found { mut findings, reply } => {
                    self.together(mem::take(&mut group));
                    for finding in &mut findings {
                        engine::found_at(finding, self.engine_now);
                    }
                    let taken = self.apply(&findings, &[], None);
                    match reply {
                        Some(reply) => drop(reply.send(taken)),
                        None => drop(taken.inspect_err(|error| tracing::error!(%error, "failed to keep a notice"))),
                    }
                }
                Job::Unmark { keyed, fingerprint, reply } => {
                    self.together(mem::take(&mut group));
                    keys.clear();
                    let _gone = reply.send(self.unmark(&keyed, &fingerprint));
                }
                Job::Learned { lessons } => {
                    self.together(mem::take(&mut group));
                    self.learned(lessons);
                }
                Job::Settle { reply } => {
                    self.together(mem::take(&mut group));
                    let _gone = reply.send(self.flush());
                }
                Job::Tick { engine_now } => {
                    self.together(mem::take(&mut group));
                    self.engine_now = engine_now;
                    self.tick();
                }
                Job::Fix(job) => {
                    self.together(mem::take(&mut group));
                    keys.clear();
                    self.fix(job);
                }
                Job::Migration(job) => {
                    self.together(mem::take(&mut group));
                    keys.clear();
                    self.migration(job);
                }
                Job::Rule(job) => {
                    self.together(mem::take(&mut group));
                    keys.clear();
                    self.rule(job);
                }
                Job::Stop => {
                    self.together(group);
                    return true;
                }
            }
        }
        self.together(group);
        false
    }

    /// Commits what people and other rooms ask for, as one group.
    fn together(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let mut draft = Draft::new(&shared, &*store);
        let (mut txs, mut waiting) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Act { by, key, ask, reply } => {
                    let asked = Asked { by: &by, key: &key, now: self.now() };
                    let plan = act::act(&mut draft, &*store, &asked, &ask, self.next_action);
                    self.next_action += 1;
                    queue(plan, act::digest_of_action(&ask), reply, &mut txs, &mut waiting);
                }
                Job::Undo { by, key, id, reply } => {
                    let asked = Asked { by: &by, key: &key, now: self.now() };
                    let plan = act::undo(&mut draft, &*store, &asked, &id);
                    queue(plan, act::digest_of_undo(&id), reply, &mut txs, &mut waiting);
                }
                Job::Commit { tx, reply } => {
                    txs.push(tx);
                    waiting.push(Waiting::Room { reply });
                }
                Job::Apply { .. }
                | Job::Found { .. }
                | Job::Settle { .. }
                | Job::Unmark { .. }
                | Job::Learned { .. }
                | Job::Tick { .. }
                | Job::Fix(_)
                | Job::Migration(_)
                | Job::Rule(_)
                | Job::Stop => {}
            }
        }
        if !txs.is_empty() {
            self.commit_group(txs, waiting);
        }
    }

    fn commit_group(&mut self, mut txs: Vec<Tx>, waiting: Vec<Waiting>) {
        // Counters that an action would carry along are only kept together with their line.
        let flushes = waiting.iter().any(|waiting| self.touches_dirty(waiting));
        if flushes {
            txs.insert(0, self.unsaved(&FxHashSet::default()));
        }
        let told: Vec<Vec<NewEvent>> = txs.iter().map(|tx| tx.events.clone()).collect();
        let mut commits = self.store.commit_all(txs);
        let mut told = told.into_iter();
        if flushes && !commits.is_empty() {
            told.next();
            if matches!(commits.remove(0), Commit::Committed { .. }) {
                self.saved();
            }
        }
        let shared = Arc::clone(&self.shared);
        let mut answers = Vec::new();
        {
            let (mut board, mut ring) = (shared.board_mut(), shared.ring());
            for ((waiting, commit), events) in waiting.into_iter().zip(commits).zip(told) {
                if let Commit::Committed { first_seq } = commit {
                    for (seq, event) in (first_seq..).zip(&events) {
                        ring.push_kept(seq, event.kind, &event.body);
                    }
                }
                answers.push(settle(&mut board, &*self.store, waiting, commit));
            }
        }
        shared.wake();
        answers.into_iter().for_each(Answered::send);
    }

    fn touches_dirty(&self, waiting: &Waiting) -> bool {
        let Waiting::Person { planned, .. } = waiting else { return false };
        let board = self.shared.board();
        planned.change.touched.iter().any(|touched| board.dirty.contains(&touched.state.alert.id))
    }
}

/// An answer and to whom it goes, once the locks are given back.
enum Answered {
    Person(Reply, Result<Answer<ActionResponse>, Problem>),
    Room(Option<oneshot::Sender<Commit>>, Commit),
}

impl Answered {
    /// Whoever asked may have gone away meanwhile: their change stands all the same.
    fn send(self) {
        match self {
            Self::Person(reply, answer) => drop(reply.send(answer)),
            Self::Room(reply, commit) => drop(reply.map(|reply| reply.send(commit))),
        }
    }
}

/// Takes what was committed into memory, and finds the answer.
fn settle(board: &mut Board, store: &dyn Store, waiting: Waiting, commit: Commit) -> Answered {
    let (reply, digest, planned) = match waiting {
        Waiting::Person { reply, digest, planned } => (reply, digest, *planned),
        Waiting::Room { reply } => return Answered::Room(reply, commit),
    };
    let answer = match commit {
        Commit::Committed { .. } => {
            merge(board, planned.change);
            planned.answer.map(|body| Answer { body, replayed: false })
        }
        Commit::Duplicate(before) => act::repeat(&before, digest).map(|body| Answer { body, replayed: true }),
        Commit::Conflict(_) => {
            planned.change.touched.iter().for_each(|touched| board.forget(&touched.state.alert.id));
            let kept = planned.change.fixes.iter().map(|touched| store.fix(&touched.state.fix.id));
            kept.flatten().flatten().for_each(|state| board.put_fix(Arc::new(state)));
            Err(problem(Code::Unavailable, "the alerts changed at the same moment: ask again"))
        }
        Commit::Unavailable => Err(refusal::unavailable()),
    };
    Answered::Person(reply, answer)
}

fn queue(
    plan: Result<Plan, StoreError>,
    digest: [u8; 32],
    reply: Reply,
    txs: &mut Vec<Tx>,
    waiting: &mut Vec<Waiting>,
) {
    let answer = match plan {
        Ok(Plan::Commit(mut planned)) => {
            txs.push(std::mem::take(&mut planned.tx));
            waiting.push(Waiting::Person { reply, digest, planned });
            return;
        }
        Ok(Plan::Said(answer)) => answer.map(|body| Answer { body, replayed: false }),
        Ok(Plan::Again(answer)) => answer.map(|body| Answer { body, replayed: true }),
        Err(error) => {
            tracing::error!(error = %error, "failed to plan an action");
            Err(refusal::unavailable())
        }
    };
    let _gone = reply.send(answer);
}

fn merge(board: &mut Board, change: Change) {
    board.merge_fixes(change.fixes, change.remedy);
    board.merge_migrations(change.migrations);
    if let Some(rules) = change.rules {
        board.rules = rules;
    }
    change.marks.into_iter().for_each(|marked| board.put_mark(marked));
    change.deploys.into_iter().for_each(|deploy| board.put_deploy(deploy));
    for touched in change.touched {
        let id = touched.state.alert.id.clone();
        board.put(touched.state);
        if touched.loud {
            board.dirty.remove(&id);
            board.counted.remove(&id);
            board.outdated.remove(&id);
            continue;
        }
        if touched.counted {
            board.counted.insert(id.clone());
        }
        if touched.outdated {
            board.outdated.insert(id.clone());
        }
        if let Some(found) = touched.evidence {
            board.evidence.insert(id.clone(), found);
        }
        board.dirty.insert(id);
    }
}
