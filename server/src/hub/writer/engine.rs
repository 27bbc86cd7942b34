//! What the engine says, as transactions: findings, the passing of time, and what memory holds newer
//! than the store.
//!
//! Counters never go to the store without the line that they are complete up to.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use stella_detect::{Finding, Phase};
use stella_protocol::{AlertId, Deploy, Timestamp};

use super::{Progress, TRIES, Writer, merge};
use crate::alerts::{self, AlertState, Effect, Event, MOST_RELATED, is_due, related, step};
use crate::hub::board::may_change;
use crate::hub::draft::{Author, Change, Draft, evidence};
use crate::hub::{HubError, json};
use crate::store::{Commit, KeyedAnswer, Meta, StoreError, Tx, Write};

impl Writer {
    /// Takes in what was found, by the engine up to that line, or by others.
    pub(super) fn apply(
        &mut self,
        findings: &[Finding],
        deploys: &[Deploy],
        progress: Option<&Progress>,
    ) -> Result<(), HubError> {
        for _ in 0..TRIES {
            let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
            let (mut draft, mut change) = (Draft::new(&shared, &*store), Change::default());
            for deploy in deploys {
                self.deployed(&mut change, deploy);
            }
            let mut told = Vec::new();
            for finding in findings {
                let alert = self.found(&mut draft, &mut change, finding, progress.is_none())?;
                let parent = finding.parent.as_ref().map(|whole| alerts::fingerprint_of(whole).raw().to_owned());
                told.extend(alert.zip(parent));
                for whole in &finding.children {
                    let child = draft.latest(alerts::fingerprint_of(whole).raw())?;
                    let parent = alerts::fingerprint(finding).raw().to_owned();
                    told.extend(child.map(|child| (child.alert.id.clone(), parent)));
                }
            }
            draft.group(&mut change, told, self.now())?;
            draft.supersede(&mut change, self.now())?;
            if self.keep(change, progress.cloned())? {
                return Ok(());
            }
        }
        Err(HubError::Unavailable)
    }

    /// Takes one finding in; `elsewhere`: it is not the engine's. Answers with its alert.
    fn found(
        &self,
        draft: &mut Draft<'_>,
        change: &mut Change,
        finding: &Finding,
        elsewhere: bool,
    ) -> Result<Option<AlertId>, StoreError> {
        let (now, author) = (self.now(), Author::system());
        let rules = Arc::clone(&self.shared.board().rules);
        let current = draft.latest(alerts::fingerprint(finding).raw())?;
        let later = if elsewhere { later(finding, current.as_deref()) } else { None };
        let finding = &*rules.worded(later.as_ref().unwrap_or(finding));
        let mut opens = current.is_none() && finding.phase == Phase::Firing;
        if let Some(current) = &current
            && let Ok(step) = step(current, &Event::Found(finding), now)
            && !step.effects.is_empty()
        {
            opens = step.effects.contains(&Effect::OpensNext);
            let next = step.state.clone();
            change.take(current, step, &author, finding.rule_id);
            // Only with its brief: a recovery, or the first match of a next episode, leaves both as they were.
            if next.alert.brief.evidence_version > current.alert.brief.evidence_version {
                prove(change, &next, finding);
            }
            draft.put(Arc::new(next));
        }
        if opens {
            let episode = draft.next_episode(current.as_deref())?;
            let mut state = alerts::open(finding, draft.fresh_id()?, episode, now);
            state.alert.runbook = rules.runbook(finding);
            state.watch.elsewhere = elsewhere;
            self.join_wave(draft, change, &mut state)?;
            draft.put(Arc::new(state.clone()));
            change.open(state.clone(), &author);
            prove(change, &state, finding);
            return Ok(Some(state.alert.id));
        }
        Ok(current.map(|current| current.alert.id.clone()))
    }

    /// Names a new alert and the open ones of its wave to one another.
    fn join_wave(&self, draft: &mut Draft<'_>, change: &mut Change, new: &mut AlertState) -> Result<(), StoreError> {
        let mut open: Vec<Arc<AlertState>> = Vec::new();
        open.extend(self.shared.board().all().filter(|state| state.alert.status.is_open()).cloned());
        open.extend(change.touched.iter().map(|touched| Arc::clone(&touched.state)));
        let mut wave = related(&new.alert, open.iter().map(|state| &state.alert));
        wave.sort_unstable();
        wave.dedup();
        for id in &wave {
            let Some(peer) = draft.get(id)? else { continue };
            if peer.alert.related.len() >= MOST_RELATED || peer.alert.related.contains(&new.alert.id) {
                continue;
            }
            let mut next = AlertState::clone(&peer);
            next.alert.related.push(new.alert.id.clone());
            change.touch(&peer, next.clone()).outdated = true;
            draft.put(Arc::new(next));
        }
        new.alert.related = wave;
        Ok(())
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self) {
        let now = self.now();
        let due: Vec<Arc<AlertState>> =
            self.shared.board().all().filter(|state| may_change(state) && is_due(state, now)).cloned().collect();
        let mut change = Change::default();
        for state in due {
            if let Ok(step) = step(&state, &Event::Tick, now) {
                change.take(&state, step, &Author::system(), "");
            }
        }
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let superseded = Draft::new(&shared, &*store).supersede(&mut change, now);
        if let Err(error) = superseded.map_err(HubError::from).and_then(|()| self.keep(change, None)) {
            tracing::error!(error = %error, "failed to let time pass");
        }
    }

    /// Makes a change durable if readers must be told of it, and takes it into memory. False: the store
    /// holds something else than memory did, which is forgotten; look again.
    pub(super) fn keep(&mut self, change: Change, progress: Option<Progress>) -> Result<bool, HubError> {
        match self.keep_with(change, None, progress) {
            Ok(()) => Ok(true),
            Err(Commit::Unavailable) => Err(HubError::Unavailable),
            Err(_) => Ok(false),
        }
    }

    /// As [`Writer::keep`], together with the answer that a key gets.
    pub(super) fn keep_with(
        &mut self,
        change: Change,
        answer: Option<KeyedAnswer>,
        progress: Option<Progress>,
    ) -> Result<(), Commit> {
        let (mut tx, loud) = (change.tx(self.clock.now()), change.is_loud() || answer.is_some());
        let mut first = 0;
        if loud {
            tx.answer = answer;
            self.add_unsaved(&mut tx, &change, progress.as_ref());
            match self.commit_one(tx.clone()) {
                Commit::Committed { first_seq } => first = first_seq,
                other => {
                    self.look_again(&change, &other);
                    return Err(other);
                }
            }
        }
        let shared = Arc::clone(&self.shared);
        let mut board = shared.board_mut();
        merge(&mut board, change);
        if let Some((line, clock)) = progress {
            self.progressed |= line != board.applied_line || clock != board.engine;
            (board.applied_line, board.engine) = (line, clock);
        }
        if loud {
            board.dirty.clear();
            board.evidence.clear();
            self.progressed = false;
            let mut ring = shared.ring();
            for (seq, event) in (first..).zip(&tx.events) {
                ring.push_kept(seq, event.kind, &event.body);
            }
            drop((ring, board));
            shared.wake();
        }
        Ok(())
    }

    /// The store may hold something else than memory does: what the change touched is read again.
    fn look_again(&self, change: &Change, commit: &Commit) {
        let fixes = change.fixes.iter().map(|touched| self.store.fix(&touched.state.fix.id)).collect::<Vec<_>>();
        let migrations: Vec<_> =
            change.migrations.iter().map(|touched| self.store.migration(&touched.state.migration.id)).collect();
        let alerts: Vec<_> = change.touched.iter().map(|touched| touched.state.alert.id.clone()).collect();
        let kept = alerts.iter().map(|id| self.store.alert(id).ok().flatten()).collect::<Vec<_>>();
        let mut board = self.shared.board_mut();
        fixes.into_iter().flatten().flatten().for_each(|state| board.put_fix(Arc::new(state)));
        migrations.into_iter().flatten().flatten().for_each(|state| board.put_migration(Arc::new(state)));
        for (id, kept) in alerts.iter().zip(kept) {
            let went_on =
                kept.is_some_and(|kept| board.get(id).is_none_or(|now| now.alert.version < kept.alert.version));
            if went_on || !matches!(commit, Commit::Unavailable) {
                board.forget(id);
            }
        }
    }

    fn commit_one(&self, tx: Tx) -> Commit {
        self.store.commit_all(vec![tx]).pop().unwrap_or(Commit::Unavailable)
    }

    /// Everything that is newer in memory than in the store, so that line and counters stay together.
    fn add_unsaved(&self, tx: &mut Tx, change: &Change, progress: Option<&Progress>) {
        let (mut here, mut writes) = (FxHashSet::default(), Vec::new());
        for touched in &change.touched {
            here.insert(touched.state.alert.id.clone());
            if !touched.loud {
                writes.push(rewrite(&touched.state));
                writes.extend(touched.evidence.iter().map(|found| evidence(&touched.state.alert.id, found)));
            }
        }
        tx.writes.append(&mut writes);
        let unsaved = self.unsaved(&here);
        tx.writes.extend(unsaved.writes);
        tx.writes.extend(progress.into_iter().flat_map(notes));
    }

    /// What memory holds newer than the store does, but for the alerts in `but`.
    pub(super) fn unsaved(&self, but: &FxHashSet<AlertId>) -> Tx {
        let board = self.shared.board();
        let mut writes = Vec::new();
        let dirty = board.dirty.iter().filter(|id| !but.contains(*id));
        writes.extend(dirty.filter_map(|id| board.get(id)).map(rewrite));
        writes
            .extend(board.evidence.iter().filter(|(id, _)| !but.contains(*id)).map(|(id, found)| evidence(id, found)));
        writes.extend(notes(&(board.applied_line, board.engine.clone())));
        Tx { at: self.clock.now(), writes, ..Tx::default() }
    }

    pub(super) fn saved(&mut self) {
        let mut board = self.shared.board_mut();
        board.dirty.clear();
        board.evidence.clear();
        self.progressed = false;
    }

    /// Keeps what memory holds newer than the store; true: nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        let idle = {
            let board = self.shared.board();
            !self.progressed && board.dirty.is_empty() && board.evidence.is_empty()
        };
        let kept = idle || matches!(self.commit_one(self.unsaved(&FxHashSet::default())), Commit::Committed { .. });
        if kept && !idle {
            self.saved();
        }
        kept
    }
}

/// Says when something was found that knows no engine time itself; its window ended then.
pub(super) fn found_at(finding: &mut Finding, now: Timestamp) {
    let from = now.plus_millis(-finding.window_ms);
    (finding.first_at, finding.last_at, finding.detected_at) = (now, now, now);
    let evidence = &mut *finding.evidence;
    (evidence.from, evidence.to, evidence.refreshed_at) = (from, now, now);
    (evidence.lines.from, evidence.lines.to) = (from, now);
    evidence.reasons.iter_mut().for_each(|reason| reason.at = now);
}

/// What was found again where no line came since it ended: engine time stands still then, and a match at the very moment
/// of the end would count as one of before it. None: it is later already.
fn later(finding: &Finding, current: Option<&AlertState>) -> Option<Finding> {
    let closed = current?.watch.closed_at?;
    let stands_still = finding.phase == Phase::Firing && finding.last_at <= closed;
    stands_still.then(|| {
        let mut later = finding.clone();
        found_at(&mut later, closed.plus_millis(1));
        later
    })
}

/// Attaches the evidence of a finding, in the version that the alert's brief names.
fn prove(change: &mut Change, state: &AlertState, finding: &Finding) {
    let mut found = (*finding.evidence).clone();
    found.version = state.alert.brief.evidence_version;
    change.prove(&state.alert.id, found);
}

/// The same version with newer counters.
fn rewrite(state: &Arc<AlertState>) -> Write {
    Write::Alert { state: Arc::clone(state), from: state.alert.version }
}

fn notes((line, clock): &Progress) -> [Write; 2] {
    [Write::Meta(Meta::AppliedLine, line.0.to_string()), Write::Meta(Meta::EngineClock, json(clock))]
}
