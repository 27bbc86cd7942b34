//! Groups on their way: who is under whom once a change is made.
//!
//! A parent is always open and has no parent itself; what it names as children are those whose parent it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use stella_protocol::{Alert, AlertId, Deploy};

use super::{Author, Change, Draft, Origin};
use crate::alerts::group::{TOGETHER_MS, leads, parent_of};
use crate::alerts::{AlertState, Event, Moment, step};
use crate::store::StoreError;

impl Change {
    /// The alert as this change leaves it, if it touches it.
    fn left(&self, id: &AlertId) -> Option<&Arc<AlertState>> {
        self.touched.iter().find(|touched| touched.state.alert.id == *id).map(|touched| &touched.state)
    }
}

impl Draft<'_> {
    /// Puts what a change opens where it belongs: under what the engine says explains it (`told`, by fingerprint),
    /// else under what the alerts themselves say; and what is open already under a greater one that opens now.
    pub fn group(&mut self, change: &mut Change, told: Vec<(AlertId, String)>, now: Moment) -> Result<(), StoreError> {
        for (child, parent) in told {
            let is_alone = self.current(change, &child)?.is_some_and(|child| child.alert.parent_id.is_none());
            if is_alone && let Some(parent) = self.latest(&parent)? {
                self.join(change, &child, &parent.alert.id, now)?;
            }
        }
        let is_new = |touched: &&super::Touched| touched.origin == Origin::Opened;
        let new: Vec<AlertId> =
            change.touched.iter().filter(is_new).map(|touched| touched.state.alert.id.clone()).collect();
        if new.is_empty() {
            return Ok(());
        }
        // Who is under whom may change on the way; `join` looks again.
        let open = self.open(change);
        for id in new {
            let Some(alert) = change.left(&id).map(|state| state.alert.clone()) else { continue };
            let deploys = self.deploys_before(change, &alert);
            if alert.parent_id.is_none() {
                let parent = parent_of(&alert, open.iter().map(|state| &state.alert), &deploys).cloned();
                if let Some(parent) = parent {
                    self.join(change, &id, &parent, now)?;
                    continue;
                }
            }
            let alone =
                |state: &&Arc<AlertState>| state.alert.parent_id.is_none() && leads(&alert, &state.alert, &deploys);
            let lesser: Vec<AlertId> = open.iter().filter(alone).map(|state| state.alert.id.clone()).collect();
            for child in lesser {
                self.join(change, &child, &id, now)?;
            }
        }
        Ok(())
    }

    /// What is over lets its children go, and what came back below something that is over stands by itself.
    pub fn ungroup(&mut self, change: &mut Change, now: Moment) -> Result<(), StoreError> {
        let closed = |touched: &&super::Touched| touched.loud && !touched.state.alert.status.is_open();
        let over: Vec<AlertId> =
            change.touched.iter().filter(closed).map(|touched| touched.state.alert.id.clone()).collect();
        let under = |state: &Arc<AlertState>| state.alert.parent_id.as_ref().is_some_and(|id| over.contains(id));
        let free: Vec<Arc<AlertState>> =
            if over.is_empty() { Vec::new() } else { self.open(change).into_iter().filter(under).collect() };
        let mut gone: BTreeMap<AlertId, Vec<AlertId>> = BTreeMap::new();
        for state in free {
            if let Some(parent) = &state.alert.parent_id {
                gone.entry(parent.clone()).or_default().push(state.alert.id.clone());
            }
            self.take(change, &state, &Event::Freed, now);
        }
        let came_back: Vec<Arc<AlertState>> =
            change.touched.iter().map(|touched| Arc::clone(&touched.state)).filter(is_below).collect();
        for state in came_back {
            let Some(parent) = &state.alert.parent_id else { continue };
            if self.current(change, parent)?.is_some_and(|parent| parent.alert.status.is_open()) {
                continue;
            }
            gone.entry(parent.clone()).or_default().push(state.alert.id.clone());
            // Coming back has raised its version already: whoever did it sees this one.
            let mut next = AlertState::clone(&state);
            next.alert.parent_id = None;
            self.put(Arc::new(next.clone()));
            change.touch(&state, next);
        }
        for (parent, freed) in gone {
            let Some(state) = self.current(change, &parent)? else { continue };
            let left: Vec<AlertId> = state.alert.children.iter().filter(|id| !freed.contains(id)).cloned().collect();
            self.take(change, &state, &Event::Children(&left), now);
        }
        Ok(())
    }

    /// Puts who stood under an alert before it was ended under it again: those that are still open and by themselves.
    /// The engine names a parent only when it speaks of an alert again, which may be minutes from now.
    pub fn lead_again(
        &mut self,
        change: &mut Change,
        parent: &AlertId,
        led: &[AlertId],
        now: Moment,
    ) -> Result<(), StoreError> {
        for child in led {
            self.join(change, child, parent, now)?;
        }
        Ok(())
    }

    /// Puts one open alert under another, or under that one's parent; with its own children.
    fn join(&mut self, change: &mut Change, child: &AlertId, parent: &AlertId, now: Moment) -> Result<(), StoreError> {
        let (Some(child), Some(parent)) = (self.current(change, child)?, self.current(change, parent)?) else {
            return Ok(());
        };
        let top = match &parent.alert.parent_id {
            Some(top) => self.current(change, top)?.unwrap_or(parent),
            None => parent,
        };
        let is_open = |state: &AlertState| state.alert.status.is_open();
        let is_free = child.alert.parent_id.is_none() && child.alert.id != top.alert.id;
        if !(is_open(&child) && is_open(&top) && is_free) {
            return Ok(());
        }
        let mut joining = vec![Arc::clone(&child)];
        if !child.alert.children.is_empty() {
            let of_child = |state: &Arc<AlertState>| state.alert.parent_id.as_ref() == Some(&child.alert.id);
            joining.extend(self.open(change).into_iter().filter(of_child));
            self.take(change, &child, &Event::Children(&[]), now);
            joining[0] = self.current(change, &child.alert.id)?.unwrap_or(child);
        }
        let mut children = top.alert.children.clone();
        for state in joining {
            children.push(state.alert.id.clone());
            self.take(change, &state, &Event::Grouped(&top.alert.id), now);
        }
        self.take(change, &top, &Event::Children(&children), now);
        Ok(())
    }

    /// A step that nobody waits for and that is never refused. What is opened by this very change is simply so.
    fn take(&mut self, change: &mut Change, state: &AlertState, event: &Event<'_>, now: Moment) {
        let Ok(mut next) = step(state, event, now) else { return };
        let id = &state.alert.id;
        if let Some(new) = change.touched.iter_mut().find(|touched| touched.state.alert.id == *id)
            && new.origin == Origin::Opened
        {
            next.state.alert.version = state.alert.version;
            new.state = Arc::new(next.state);
            self.put(Arc::clone(&new.state));
            return;
        }
        self.put(Arc::new(next.state.clone()));
        change.take(state, next, &Author::system(), "");
    }

    fn current(&self, change: &Change, id: &AlertId) -> Result<Option<Arc<AlertState>>, StoreError> {
        match change.left(id) {
            Some(state) => Ok(Some(Arc::clone(state))),
            None => self.get(id),
        }
    }

    /// Every open alert as the change leaves it.
    fn open(&self, change: &Change) -> Vec<Arc<AlertState>> {
        let touched: BTreeMap<&AlertId, &Arc<AlertState>> =
            change.touched.iter().map(|touched| (&touched.state.alert.id, &touched.state)).collect();
        let board = self.shared.board();
        let drafted = |id: &AlertId| self.states.contains_key(id);
        let untouched = board.all().filter(|state| !touched.contains_key(&state.alert.id) && !drafted(&state.alert.id));
        let here = self.states.values().filter(|state| !touched.contains_key(&state.alert.id));
        let all = untouched.chain(here).chain(touched.values().copied());
        let mut open: Vec<Arc<AlertState>> = all.filter(|state| state.alert.status.is_open()).cloned().collect();
        open.sort_unstable_by(|a, b| a.alert.id.cmp(&b.alert.id));
        open
    }

    /// Deploys that an alert may have come of.
    fn deploys_before(&self, change: &Change, alert: &Alert) -> Vec<Deploy> {
        let (from, to) = (alert.first_seen.plus_millis(-TOGETHER_MS), alert.first_seen);
        let near = |deploy: &&Deploy| from <= deploy.at && deploy.at <= to && deploy.service == alert.service;
        let board = self.shared.board();
        let known = board.deploys_between(from, to).filter(near);
        known.chain(change.deploys.iter().filter(near)).cloned().collect()
    }
}

fn is_below(state: &Arc<AlertState>) -> bool {
    state.alert.status.is_open() && state.alert.parent_id.is_some()
}
