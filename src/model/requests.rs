//! Requests under way: pending, confirmed by the feed, refused with the reason, or unknown.
//!
//! There is no optimistic truth: an action shows as pending until the feed brings the alert or the fix
//! at the version the action left. An unknown one is asked again with the same key, never guessed.

use std::collections::BTreeMap;

use stella_protocol::command::TargetResult;
use stella_protocol::{
    ActionId, ActionResponse, AlertId, Fix, FixId, Migration, MigrationId, MigrationVerb, Outcome, Verb,
};

use crate::board::Board;
use crate::effect::{Command, Effect, RequestId};

/// All requests of this console that change something.
#[derive(Debug, Default)]
pub struct Requests {
    last: u64,
    pending: BTreeMap<RequestId, Pending>,
    undoable: Vec<Undoable>,
}

/// An action of this session that can be taken back, and the alerts that it changed.
#[derive(Debug)]
struct Undoable {
    action: ActionId,
    alerts: Vec<AlertId>,
}

/// One change under way.
#[derive(Debug)]
struct Pending {
    command: Command,
    /// What it means to change.
    things: Vec<Thing>,
    stage: Stage,
}

/// Something that has a version.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Alert(AlertId),
    Fix(FixId),
    Migration(MigrationId),
}

/// How far it is.
#[derive(Debug, PartialEq)]
enum Stage {
    /// Sent, not answered.
    Sent,
    /// No answer came: the change may or may not have happened.
    Unknown,
    /// The server did it; the feed has not brought these at these versions yet.
    Answered(Vec<(Thing, u64)>),
}

/// What a row says of a change under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// On its way.
    Pending,
    /// Nobody knows; it is asked again once the connection is back.
    Unknown,
}

impl Requests {
    /// A name for the next request.
    pub fn next_id(&mut self) -> RequestId {
        self.last += 1;
        RequestId(self.last)
    }

    /// Sends a change.
    pub fn send(&mut self, command: Command) -> Effect {
        let id = self.next_id();
        let things = self.meant(&command);
        self.pending.insert(id, Pending { command: command.clone(), things, stage: Stage::Sent });
        Effect::Send(id, command)
    }

    fn meant(&self, command: &Command) -> Vec<Thing> {
        match command {
            Command::Act(request) => request.targets.iter().map(|target| Thing::Alert(target.id.clone())).collect(),
            Command::Undo(action) => {
                let known = self.undoable.iter().find(|known| known.action == *action);
                known.map(|known| known.alerts.iter().cloned().map(Thing::Alert).collect()).unwrap_or_default()
            }
            Command::DecideFix { id, .. } => vec![Thing::Fix(id.clone())],
            Command::Propose(proposal) => proposal.alert_id.iter().cloned().map(Thing::Alert).collect(),
            Command::DecideMigration { id, .. } | Command::AnswerMigration { id, .. } => {
                vec![Thing::Migration(id.clone())]
            }
            Command::CreateMigration(_)
            | Command::SwitchFixes(_)
            | Command::Maintain(_)
            | Command::LiftSuppression(_)
            | Command::EndMaintenance(_)
            | Command::ChangeRule { .. }
            | Command::UndoMark(_)
            | Command::AddDeploy(_) => Vec::new(),
        }
    }

    /// What is under way for this alert.
    pub fn progress(&self, alert: &AlertId) -> Option<Progress> {
        self.progress_of(&Thing::Alert(alert.clone()))
    }

    /// What is under way for this fix.
    pub fn fix_progress(&self, fix: &FixId) -> Option<Progress> {
        self.progress_of(&Thing::Fix(fix.clone()))
    }

    /// What is under way for this migration.
    pub fn migration_progress(&self, migration: &MigrationId) -> Option<Progress> {
        self.progress_of(&Thing::Migration(migration.clone()))
    }

    /// True while this verb on this migration is on its way.
    pub fn is_sent(&self, migration: &MigrationId, wanted: MigrationVerb) -> bool {
        let is_it = |command: &Command| matches!(command, Command::DecideMigration { id, verb, .. } if id == migration && *verb == wanted);
        self.pending.values().any(|pending| is_it(&pending.command))
    }

    /// True while a migration is being made.
    pub fn is_making_migration(&self) -> bool {
        self.pending.values().any(|pending| matches!(pending.command, Command::CreateMigration(_)))
    }

    fn progress_of(&self, thing: &Thing) -> Option<Progress> {
        let mine = self.pending.values().filter(|pending| pending.touches(thing));
        mine.map(|pending| if pending.stage == Stage::Unknown { Progress::Unknown } else { Progress::Pending })
            .max_by_key(|progress| match progress {
                Progress::Pending => 0,
                Progress::Unknown => 1,
            })
    }

    /// How many changes are under way, and how many of them are unknown.
    pub fn counts(&self) -> (usize, usize) {
        let unknown = self.pending.values().filter(|pending| pending.stage == Stage::Unknown).count();
        (self.pending.len(), unknown)
    }

    /// The action that `u` would take back.
    pub fn undoable(&self) -> Option<&ActionId> {
        self.undoable.last().map(|known| &known.action)
    }

    /// True while this action is being taken back.
    pub fn is_undoing(&self, action: &ActionId) -> bool {
        self.pending.values().any(|pending| matches!(&pending.command, Command::Undo(other) if other == action))
    }

    /// Takes the server's answer. Returns the command it answers.
    pub fn answered(&mut self, id: RequestId, response: &ActionResponse) -> Option<Command> {
        let pending = self.pending.get_mut(&id)?;
        let command = pending.command.clone();
        let changed = response.results.iter().filter(|result| result.outcome == Outcome::Done);
        let alerts: Vec<AlertId> = changed.clone().map(|result| result.id.clone()).collect();
        match &command {
            Command::Act(_) if !alerts.is_empty() => {
                self.undoable.push(Undoable { action: response.action_id.clone(), alerts });
            }
            Command::Undo(action) => self.undoable.retain(|known| known.action != *action),
            _ => {}
        }
        let version = |result: &TargetResult| Some((Thing::Alert(result.id.clone()), result.alert.as_ref()?.version));
        let awaited = changed.filter_map(version).collect();
        pending.stage = Stage::Answered(awaited);
        Some(command)
    }

    /// Takes the server's answer: the fix as the change left it. Returns the command it answers.
    pub fn decided(&mut self, id: RequestId, fix: &Fix) -> Option<Command> {
        let pending = self.pending.get_mut(&id)?;
        pending.stage = Stage::Answered(vec![(Thing::Fix(fix.id.clone()), fix.version)]);
        Some(pending.command.clone())
    }

    /// Takes the server's answer: the migration as the change left it. Returns the command it answers.
    pub fn migrated(&mut self, id: RequestId, migration: &Migration) -> Option<Command> {
        let pending = self.pending.get_mut(&id)?;
        pending.stage = Stage::Answered(vec![(Thing::Migration(migration.id.clone()), migration.version)]);
        Some(pending.command.clone())
    }

    /// The server did it, and what it changed has no version to wait for. Returns the command.
    pub fn done(&mut self, id: RequestId) -> Option<Command> {
        Some(self.pending.remove(&id)?.command)
    }

    /// The server refused: nothing is under way any more. Returns the command.
    pub fn refused(&mut self, id: RequestId) -> Option<Command> {
        let command = self.pending.remove(&id)?.command;
        if let Command::Undo(action) = &command {
            self.undoable.retain(|known| known.action != *action);
        }
        Some(command)
    }

    /// No answer came.
    pub fn unknown(&mut self, id: RequestId) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.stage = Stage::Unknown;
        }
    }

    /// Asks every unknown one again, under its own id and so with its own key.
    pub fn ask_again(&mut self) -> Vec<Effect> {
        let unknown = self.pending.iter_mut().filter(|(_, pending)| pending.stage == Stage::Unknown);
        unknown
            .map(|(id, pending)| {
                pending.stage = Stage::Sent;
                Effect::Send(*id, pending.command.clone())
            })
            .collect()
    }

    /// Lets go of what the feed has confirmed. Returns true when something was.
    pub fn confirm(&mut self, board: &Board) -> bool {
        let before = self.pending.len();
        self.pending.retain(|_, pending| match &pending.stage {
            Stage::Answered(awaited) => {
                awaited.iter().any(|(thing, version)| thing.version(board).is_none_or(|now| now < *version))
            }
            Stage::Sent | Stage::Unknown => true,
        });
        self.pending.len() != before
    }
}

impl Pending {
    fn touches(&self, thing: &Thing) -> bool {
        match &self.stage {
            Stage::Answered(awaited) => awaited.iter().any(|(other, _)| other == thing),
            Stage::Sent | Stage::Unknown => self.things.contains(thing),
        }
    }
}

impl Thing {
    /// As the board has it.
    fn version(&self, board: &Board) -> Option<u64> {
        match self {
            Self::Alert(id) => board.alerts.get(id).map(|alert| alert.version),
            Self::Fix(id) => board.fixes.get(id).map(|fix| fix.version),
            Self::Migration(id) => board.migrations.get(id).map(|migration| migration.version),
        }
    }
}

/// The verb in the past, as a message says it: `acknowledged`.
pub fn done(verb: Verb) -> &'static str {
    match verb {
        Verb::Acknowledge => "acknowledged",
        Verb::Release => "released",
        Verb::TakeOver => "taken over",
        Verb::Note => "noted on",
        Verb::Resolve => "resolved",
        Verb::Reopen => "reopened",
        Verb::FalsePositive => "marked false positive",
    }
}
