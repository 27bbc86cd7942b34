//! A step of the machine while it is put together.

use stella_protocol::fix::Trail;
use stella_protocol::migration::{Counts, Phase, PhaseName, PhaseState};
use stella_protocol::{MigrationStatus, Text, Timestamp};

use super::super::{Effect, MigrationState, Step};
use super::{SYSTEM, next, words};

/// Of a trail that became too long, so much of its beginning and so much of its end stay.
const TRAIL_END: usize = 32;

/// The next state, growing.
pub(super) struct Turn {
    /// As it will stand.
    pub state: MigrationState,
    /// When.
    pub now: Timestamp,
    by: Text,
    /// Who asked for what comes to pass now.
    asked_by: Option<Text>,
}

impl Turn {
    /// Begins where the migration stands; caused by nobody.
    pub fn of(state: &MigrationState, now: Timestamp) -> Self {
        Self { state: state.clone(), now, by: Text::from(SYSTEM), asked_by: None }
    }

    /// The same, caused by somebody.
    pub fn by(state: &MigrationState, by: &Text, now: Timestamp) -> Self {
        Self { by: by.clone(), ..Self::of(state, now) }
    }

    /// What comes to pass is what this person asked for.
    pub fn wished_by(&mut self, who: Option<&Text>) {
        self.asked_by = who.filter(|who| **who != self.by).cloned();
    }

    /// It stands here now, and this is for a runner to do. Whoever holds it goes on with it at once.
    pub fn enter(&mut self, status: MigrationStatus, phase: PhaseName) {
        self.state.migration.status = status;
        self.ask(phase);
    }

    /// This is for a runner to do; the status stays.
    pub fn ask(&mut self, phase: PhaseName) {
        let work = &mut self.state.work;
        (work.wanted, work.stop) = (Some(phase), None);
        self.state.migration.hold_reason = None;
        if work.holder.is_some() {
            self.begin(phase);
        }
    }

    /// It stands here now and nothing is for a runner to do: none holds it any more, and what one still
    /// sends under its fence is refused.
    pub fn rest(&mut self, status: MigrationStatus) {
        self.state.migration.status = status;
        self.state.migration.hold_reason = None;
        self.idle();
    }

    /// The same, where it stands.
    pub fn idle(&mut self) {
        let work = &mut self.state.work;
        (work.wanted, work.stop, work.holder, work.lease_until) = (None, None, None, None);
    }

    /// It is over.
    pub fn end(&mut self, status: MigrationStatus, result: &str) {
        self.rest(status);
        self.state.work.interrupted = None;
        self.say(result);
        self.state.migration.ended_at = Some(self.now);
    }

    /// It stands until a person says how to go on, and goes on there.
    pub fn stand(&mut self, status: MigrationStatus, resumes: MigrationStatus, why: &str) {
        self.rest(status);
        self.state.work.interrupted = Some(resumes);
        self.say(why);
        self.state.migration.hold_reason = Some(words::paragraph(why));
    }

    /// How it ended, or why it stands where it stands.
    pub fn say(&mut self, result: &str) {
        self.state.migration.result = words::paragraph(result);
    }

    /// The data is looked at again: what was approved or rehearsed was of another plan.
    pub fn replan(&mut self, why: &str) {
        self.interrupt(why);
        self.say(why);
        self.state.migration.approval = None;
        self.enter(MigrationStatus::Draft, PhaseName::Scan);
    }

    /// What is under way ends here and nobody holds it any more; only for what reads, or was not begun.
    pub fn interrupt(&mut self, why: &str) {
        if let Some(phase) = self.state.work.wanted {
            self.close(phase, PhaseState::Stopped, why);
        }
        self.idle();
    }

    /// A phase begins, or goes on: then the time of its earlier tries is kept.
    pub fn begin(&mut self, name: PhaseName) {
        let now = self.now;
        let before = self.row(name).filter(|row| row.state != PhaseState::Done);
        let (tries, before_ms) = before.map_or((1, 0), |row| (row.tries.saturating_add(1), row.worked_ms(now)));
        let begun = Phase {
            name,
            state: PhaseState::Running,
            started_at: now,
            tries,
            before_ms,
            ended_at: None,
            note: Text::default(),
        };
        match self.row(name) {
            Some(row) => *row = begun,
            None => self.state.migration.phases.push(begun),
        }
    }

    /// A phase that was begun ends, or stops.
    pub fn close(&mut self, name: PhaseName, how: PhaseState, note: &str) {
        let now = self.now;
        if let Some(row) = self.row(name).filter(|row| row.state == PhaseState::Running) {
            (row.state, row.ended_at, row.note) = (how, Some(now), words::line(note));
        }
    }

    /// Whoever had the phase was heard of last at this moment: what came after was no work.
    pub fn lost(&mut self, name: PhaseName, heard: Timestamp) {
        if let Some(row) = self.row(name).filter(|row| row.state == PhaseState::Running) {
            (row.state, row.ended_at) = (PhaseState::Stopped, Some(heard));
        }
    }

    fn row(&mut self, name: PhaseName) -> Option<&mut Phase> {
        self.state.migration.phases.iter_mut().find(|row| row.name == name)
    }

    /// What the ledger counted in this phase. Others count what is not in the ledger: what was computed, copied
    /// away or put back. True: it is other than before. An older count than the kept one is none.
    pub fn count(&mut self, phase: PhaseName, counts: &Counts) -> bool {
        let kept = &mut self.state.migration.counts;
        let counted = matches!(phase, PhaseName::Canary | PhaseName::Copy | PhaseName::CutOver);
        if !counted || counts == kept || counts.done < kept.done || counts.conflicts < kept.conflicts {
            return false;
        }
        *kept = *counts;
        true
    }

    /// Readers see that it changed.
    pub fn changed(mut self, word: &'static str, what: &str) -> Step {
        let migration = &mut self.state.migration;
        if migration.trail.len() >= 2 * TRAIL_END {
            migration.trail.remove(TRAIL_END);
        }
        let (by, asked_by) = (self.by.clone(), self.asked_by.clone());
        migration.trail.push(Trail { at: self.now, by, asked_by, what: words::line(what) });
        self.seen(word)
    }

    /// The same, for what comes too often to be told one by one.
    pub fn seen(mut self, word: &'static str) -> Step {
        self.refresh();
        self.state.migration.version += 1;
        Step { state: self.state, effects: vec![Effect::Changed(word)] }
    }

    /// Only its runner needs to know.
    pub fn renewed(mut self) -> Step {
        self.refresh();
        Step { state: self.state, effects: vec![Effect::Renewed] }
    }

    /// It was so already.
    pub fn unchanged(self) -> Step {
        Step { state: self.state, effects: Vec::new() }
    }

    fn refresh(&mut self) {
        let own = own_phase(self.state.migration.status);
        self.state.migration.under_way = self.state.work.wanted.filter(|phase| Some(*phase) != own);
        self.state.migration.stopping = self.state.work.stop.as_ref().map(|stop| stop.becomes);
        self.state.migration.next = next::of(&self.state);
    }
}

/// The phase that a status is the name of.
pub(super) fn own_phase(status: MigrationStatus) -> Option<PhaseName> {
    Some(match status {
        MigrationStatus::Draft => PhaseName::Scan,
        MigrationStatus::BackingUp => PhaseName::Backup,
        MigrationStatus::BackedUp => PhaseName::Canary,
        MigrationStatus::Copying => PhaseName::Copy,
        MigrationStatus::Verifying => PhaseName::Verify,
        MigrationStatus::CuttingOver => PhaseName::CutOver,
        MigrationStatus::Soaking => PhaseName::Soak,
        MigrationStatus::RollingBack => PhaseName::RollBack,
        _ => return None,
    })
}
