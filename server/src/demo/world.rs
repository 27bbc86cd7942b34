//! The simulated application as a discrete-event simulation: people come, act and wait; queries hold
//! connections; parts break and are mended. What can be seen of it are its log lines.
//!
//! Pure: time is told to it, chance is seeded, and the bytes it writes depend on nothing else; not
//! on how the time was cut into steps either. It does not know that anybody reads its log.

mod background;
mod causes;
mod requests;
mod upkeep;

use std::collections::BTreeMap;
use std::time::Duration;

use stella_protocol::Timestamp;

use super::application::Application;
use super::dice::Dice;
use super::line::Line;
use super::operation::Operation;
use super::people::{People, PersonId};
use super::pool::CallId;
use super::script::{Cause, Scenario, Script, Truth};

pub use upkeep::Upkeep;

/// What will happen at some instant.
#[derive(Debug, Clone)]
enum Due {
    /// Somebody comes to work.
    Arrival,
    /// Somebody signs in, the attempt's number with it.
    SignIn(PersonId, u32),
    /// Somebody does the next thing.
    Act(u64),
    /// A call is made, or made again.
    Call(Box<Call>),
    /// A call's query is done.
    Queried(CallId),
    /// A call is done.
    Finished(CallId),
    /// A call waited too long for a connection.
    GaveUp(CallId),
    /// A scenario begins, goes on, ends.
    Begin(usize),
    Nudge(usize),
    End(usize),
    /// Workers and pools say how they are; samples are taken.
    Pulse,
    /// The job that files documents, and the one that checks them.
    FileDocuments,
    CheckIntegrity,
}

/// What is wrong with a request itself.
#[derive(Debug, Clone, Copy)]
enum Flaw {
    /// The form's validation refuses this field.
    Field(&'static str),
    /// What is cached for its person is so many minutes old.
    Stale(i64),
}

/// A request on its way.
#[derive(Debug, Clone)]
struct Call {
    operation: Operation,
    /// What follows when it succeeds.
    then: &'static [Operation],
    person: PersonId,
    session: Option<u64>,
    attempt: u32,
    begun: i64,
    trace: String,
    /// What will be wrong with it, whoever works on it.
    flaw: Option<Flaw>,
    /// When its query got a connection.
    connected: i64,
}

/// How world time is stamped on lines: as it is up to an instant, and `speed` times as fast after it.
#[derive(Debug, Clone, Copy)]
struct Tempo {
    /// World time of the instant.
    now: i64,
    /// The clock at it.
    at: Timestamp,
    speed: f64,
}

impl Tempo {
    fn stamp(self, world: i64) -> Timestamp {
        let since = world - self.now;
        self.at.plus_millis(if since > 0 { (since as f64 / self.speed) as i64 } else { since })
    }

    fn world(self, at: Timestamp) -> i64 {
        let since = at.since(self.at);
        self.now + if since > 0 { (since as f64 * self.speed).round() as i64 } else { since }
    }
}

/// The simulated application.
#[derive(Debug)]
pub struct World {
    upkeep: Upkeep,
    /// World time up to which it was told before it was taken up.
    lived: Option<i64>,
    tempo: Tempo,
    time: i64,
    order: u64,
    due: BTreeMap<(i64, u64), Due>,
    script: Script,
    scenarios: Vec<Scenario>,
    slots: u64,
    application: Application,
    people: People,
    calls: BTreeMap<CallId, Call>,
    called: CallId,
    /// Accounts that attackers have tried.
    tried: usize,
    /// Who comes and what they do.
    crowd: Dice,
    /// How long things take and whether they fail.
    luck: Dice,
    /// What the causes do.
    fate: Dice,
    written: Vec<String>,
}

impl World {
    /// A world that begins at `start` and whose "now", at which the hour of the script ends, comes
    /// `history` later.
    pub fn new(seed: u64, start: Timestamp, history: Duration) -> Self {
        Self::resumed(seed, start, history, start)
    }

    /// The same world as it is from `from` on: the story goes on, the people are others.
    pub fn resumed(seed: u64, start: Timestamp, history: Duration, from: Timestamp) -> Self {
        Self::taken_up(seed, history, from, from.since(start).max(0), Upkeep::default())
    }

    /// The world as it is when the clock says `from` and its own time is `time`, after people have done what
    /// `upkeep` says. What had begun by the time that `upkeep` knows of lasts, but does not begin again.
    pub fn taken_up(seed: u64, history: Duration, from: Timestamp, time: i64, upkeep: Upkeep) -> Self {
        let script = Script::new(seed, history.as_millis() as i64);
        let now = time.max(history.as_millis() as i64);
        // The people and their luck differ after every interruption; the story does not.
        let part = |name: &str| Dice::new(seed, &format!("{name} {time}"));
        let mut world = Self {
            lived: upkeep.lived(),
            tempo: Tempo { now, at: from.plus_millis(now - time), speed: 1.0 },
            time,
            order: 0,
            due: BTreeMap::new(),
            script,
            scenarios: Vec::new(),
            slots: 0,
            application: Application::new(upkeep.release().unwrap_or(40 + (time / 600_000) as u32)),
            upkeep,
            people: People::new(seed),
            calls: BTreeMap::new(),
            called: 0,
            tried: 0,
            crowd: part("crowd"),
            luck: part("luck"),
            fate: part("fate"),
            written: Vec::new(),
        };
        world.unfold_opening();
        world.open();
        world
    }

    /// Lets world time run `speed` times as fast as the clock after "now" (1: as fast as it).
    #[must_use]
    pub fn with_speed(mut self, speed: f64) -> Self {
        self.tempo.speed = if speed.is_finite() { speed.clamp(0.1, 60.0) } else { 1.0 };
        self
    }

    /// Lets everything happen up to and with `until`, and returns the lines written, oldest first.
    pub fn step(&mut self, until: Timestamp) -> Vec<String> {
        let until = self.tempo.world(until);
        while let Some(first) = self.due.first_entry().filter(|first| first.key().0 <= until) {
            let ((at, _), due) = first.remove_entry();
            self.time = at;
            self.happen(due);
        }
        self.time = self.time.max(until);
        self.upkeep.reach(self.time, self.application.release);
        std::mem::take(&mut self.written)
    }

    /// The clock at the last step.
    pub fn clock(&self) -> Timestamp {
        self.tempo.stamp(self.time)
    }

    /// What went wrong and will, as far as told by now. For tests only: nothing that detects may see it.
    pub fn truth(&self) -> Vec<Truth> {
        self.scenarios.iter().enumerate().map(|(index, scenario)| self.truth_of(index, scenario)).collect()
    }

    /// How many scenarios have been told by now.
    pub fn truth_len(&self) -> usize {
        self.scenarios.len()
    }

    fn truth_of(&self, index: usize, scenario: &Scenario) -> Truth {
        let email = |person: PersonId| Some(self.people.person(person).email.clone());
        let (operation, addr, user, component) = match &scenario.cause {
            Cause::DroppedIndex { operation, .. } | Cause::BadDeploy { operation, .. } => {
                (Some(operation.name()), None, None, None)
            }
            Cause::LeakedConnections { pool, .. } | Cause::DeafControl { pool } => {
                (None, None, None, Some(pool.component()))
            }
            Cause::Stuffing { addr, finds, .. } => (Some("login"), Some(addr.clone()), finds.and_then(email), None),
            Cause::ClumsyForm { person, .. } | Cause::BriefConfusion { person } => {
                (Some("save_settings"), None, email(*person), None)
            }
            Cause::OrphanWriter { owner } => (None, None, email(*owner), None),
            Cause::EmbeddingTrouble { .. } => (None, None, None, Some("embedding")),
            Cause::DeadWorker { component } | Cause::StuckQueue { component } => (None, None, None, Some(*component)),
            Cause::FlakyUpstream { .. } => (Some("gemini_api_call"), None, None, None),
            Cause::EmptySource { source } => (None, None, None, upkeep::source_component(source)),
            Cause::StaleCache { person } => (Some("search_rag"), None, email(*person), None),
            Cause::PopularReport => (Some("export_report"), None, None, None),
            Cause::NightlyBatch | Cause::TrafficWave { .. } | Cause::GoodDeploy => (None, None, None, None),
        };
        Truth {
            kind: scenario.cause.word(),
            benign: scenario.cause.is_benign(),
            begin: self.tempo.stamp(scenario.begin),
            end: self.tempo.stamp(self.upkeep.stopped_at(index).unwrap_or(scenario.end)),
            operation,
            addr,
            user,
            component,
        }
    }

    /// The first happenings. All later ones come from these.
    fn open(&mut self) {
        // As many at work as usually are, so that no world begins empty.
        for _ in 0..requests::AT_WORK {
            let person = self.crowd.below(super::people::PEOPLE);
            let session = self.people.begin(person, &mut self.crowd);
            let wait = self.crowd.wait(requests::THINK_MS);
            self.after(wait, Due::Act(session));
        }
        self.after(500, Due::Arrival);
        self.after(100, Due::Pulse);
        self.after(4_000, Due::FileDocuments);
        self.after(9_000, Due::CheckIntegrity);
    }

    /// Puts what has not ended yet on the calendar, and the next of the endless part.
    fn unfold_opening(&mut self) {
        for scenario in self.script.opening() {
            self.unfold(scenario);
        }
        while self.scenarios.last().is_none_or(|last| last.begin <= self.time) || self.slots == 0 {
            self.unfold_slot();
        }
    }

    fn unfold_slot(&mut self) {
        let scenario = self.script.slot(self.slots);
        self.slots += 1;
        self.unfold(scenario);
    }

    fn unfold(&mut self, scenario: Scenario) {
        let index = self.scenarios.len();
        if scenario.end > self.time {
            self.at(scenario.begin.max(self.time), Due::Begin(index));
            self.at(scenario.end, Due::End(index));
        }
        self.scenarios.push(scenario);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrival => self.arrive(),
            Due::SignIn(person, attempt) => self.sign_in(person, attempt),
            Due::Act(session) => self.act(session),
            Due::Call(call) => self.call(*call),
            Due::Queried(id) => self.queried(id),
            Due::Finished(id) => self.finished(id),
            Due::GaveUp(id) => self.gave_up(id),
            Due::Begin(index) => {
                if index + 1 == self.scenarios.len() {
                    self.unfold_slot();
                }
                self.begin(index);
            }
            Due::Nudge(index) => self.nudge(index),
            Due::End(index) => self.end(index),
            Due::Pulse => self.pulse(),
            Due::FileDocuments => self.file_documents(),
            Due::CheckIntegrity => self.check_integrity(),
        }
    }

    fn at(&mut self, at: i64, due: Due) {
        self.order += 1;
        self.due.insert((at, self.order), due);
    }

    fn after(&mut self, wait: i64, due: Due) {
        self.at(self.time + wait, due);
    }

    fn write(&mut self, line: &Line) {
        self.written.extend(line.write(self.tempo.stamp(self.time)));
    }
}

#[cfg(test)]
mod tests;
