//! What the engine thread does so that a restart goes on where the last life ended: it keeps the engine's state, and
//! reads the lines behind it again.

use std::sync::Arc;

use stella_protocol::{LineId, Timestamp};

use super::{Worker, book};
use crate::lines::LinesError;
use crate::pipeline::checkpoint::{Found, Place, State};
use crate::pipeline::pace::{Pace, is_at_present};
use crate::pipeline::{marks, notice};

/// Kept lines that are read again after a start: the longest window of the rules, and more than the
/// widest bucket of the series. Milliseconds of engine time.
const WARM_UP_MS: i64 = 15 * 60_000;
/// How often the engine's state is kept while lines come, in milliseconds: so much of them at most is looked at
/// again after a restart.
const KEEP_MS: i64 = 60_000;
/// The same while none come, in seconds of engine time: behind such a state the engine is still led through the
/// hole second by second, as it was by the clock.
const KEEP_IDLE_S: i64 = 300;

impl Worker {
    /// Goes on from the state that was kept, and shows the engine the lines behind it; where there is none, the last
    /// minutes of kept lines. What it finds up to the line that the hub has applied is known already; the rest was
    /// kept and never looked at, and counts. The series count the last minutes again in any case.
    pub(super) fn warm_up(&mut self) -> Result<(), LinesError> {
        let mut resumed = self.resume();
        if resumed.is_none() {
            self.learn_all();
        }
        self.pace.starting = false;
        let (applied, mut muted) = (self.applied, true);
        if let Some(first) = self.first_to_read(resumed.as_ref().map(|(place, _)| place.line))? {
            let lines = Arc::clone(&self.lines);
            lines.replay(first, &mut |id, event| {
                if resumed.as_ref().is_some_and(|(place, _)| id > place.line) {
                    self.take_up(resumed.take());
                }
                if muted && id > applied {
                    self.end_muted();
                    muted = false;
                }
                self.lead_to(event.engine_time, is_at_present(event));
                if resumed.is_some() {
                    book(&self.series).observe(event);
                    return;
                }
                self.see(id, event);
                if muted {
                    self.pace.engine.drain();
                    self.deploys.clear();
                } else {
                    self.hand_over_in_time();
                }
            })?;
        }
        self.take_up(resumed);
        if muted {
            self.end_muted();
        }
        self.pace.starting = true;
        self.hand_over();
        self.note_clock(0);
        self.learn();
        Ok(())
    }

    /// The first line that is read again; None: there is none. `kept` is the one that the engine's state stands at.
    fn first_to_read(&self, kept: Option<LineId>) -> Result<Option<LineId>, LinesError> {
        let Some(newest) = self.lines.newest() else { return Ok(None) };
        let behind = kept.unwrap_or(self.applied).0 + 1;
        let warm = self.lines.first_since(newest.engine_time.plus_millis(-WARM_UP_MS))?;
        Ok(Some(LineId(warm.map_or(behind, |warm| warm.0.min(behind)))))
    }

    /// The state that was kept. A person is told when there is one that cannot be used.
    fn resume(&self) -> Option<(Place, Pace)> {
        let epoch = self.hub.head().cursor.epoch;
        match self.state.load(&self.rules, epoch, self.applied) {
            Found::Good(at, pace) => {
                self.hub.notice(notice::taken_up());
                Some((at, *pace))
            }
            Found::Unusable(why) => {
                tracing::warn!(%why, "the engine begins afresh: the state that was kept of it cannot be used");
                self.hub.notice(notice::begun_afresh(&why.to_string()));
                None
            }
            Found::Nothing => None,
        }
    }

    /// From here on the engine is the one that was kept.
    fn take_up(&mut self, kept: Option<(Place, Pace)>) {
        let Some((at, pace)) = kept else { return };
        if let Some(second) = pace.second().filter(|_| self.pace.second().is_some()) {
            self.lead_to(Timestamp::from_millis(second * 1000), self.pace.is_at_present());
        }
        (self.pace, self.kept, self.marks) = (pace, Some(at), at.marks);
    }

    /// A new engine learns what people called false before.
    fn learn_all(&mut self) {
        for marked in self.hub.marks_after(0) {
            self.marks = marked.number;
            marked.lesson.into_iter().for_each(|lesson| self.pace.engine.learn(lesson));
        }
    }

    /// The engine learns what people called false since it last looked, and what they took back; and the state behind
    /// that is kept at once, before any line is looked at with it. So a restart learns it at the same line.
    pub(super) fn learn(&mut self) {
        let news = self.hub.marks_after(self.marks);
        if news.is_empty() {
            return;
        }
        for marked in news {
            self.marks = marked.number;
            marks::teach(&mut self.pace.engine, marked);
        }
        self.tell_lessons();
        if let (Some(state), Some(keeper)) = (self.state(), &self.keeper) {
            self.kept = Some(state.place);
            keeper.keep_now(state);
        }
    }

    /// Says what the engine made of the marks, for the list of them and for an engine that begins afresh.
    fn tell_lessons(&self) {
        let lessons: Vec<_> = self.pace.engine.lessons().cloned().collect();
        if !lessons.is_empty() {
            self.hub.learned(lessons);
        }
    }

    /// Takes the steps that the engine took without lines before the restart: their findings are known too.
    fn end_muted(&mut self) {
        if let (Some(_), Some(last)) = (self.pace.second(), self.hub.engine_clock().last) {
            if !self.pace.lead_again(last) {
                self.lead_to(last, self.pace.is_at_present());
            }
            self.pace.engine.drain();
        }
    }

    /// The engine's state, to be kept. None: not all that it found is in the alerts, or nothing moved.
    pub(super) fn state(&self) -> Option<State> {
        let place = self.place();
        let is_told = self.findings.is_empty() && self.deploys.is_empty() && self.seen == self.applied;
        let is_news = self.kept != Some(place) && place.stand.second.is_some();
        (is_told && is_news).then(|| State { place, engine: self.pace.engine.checkpoint() })
    }

    fn place(&self) -> Place {
        Place { epoch: self.hub.head().cursor.epoch, line: self.seen, stand: self.pace.stand(), marks: self.marks }
    }

    /// Keeps the engine's state now and then. Until it is on the disk, the one before is what a restart goes on from.
    pub(super) fn keep_state(&mut self, now: Timestamp) {
        let Some(keeper) = self.keeper.as_ref().filter(|_| now.since(self.kept_at) >= KEEP_MS) else { return };
        let (place, idle) = (self.place(), |kept: &Place| {
            let passed = self.pace.second().unwrap_or_default() - kept.stand.second.unwrap_or_default();
            kept.line == self.seen && kept.marks == self.marks && passed < KEEP_IDLE_S
        });
        if self.kept.as_ref().is_some_and(idle) {
            return;
        }
        if let Some(state) = self.state() {
            keeper.keep(state);
            self.tell_lessons();
            (self.kept, self.kept_at) = (Some(place), now);
        }
    }
}
