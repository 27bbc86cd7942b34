//! What happens in a trace, and when: drawn once from the seed, before the first line.
//!
//! What goes wrong in the service as a whole comes one after the other, with time between; attacks, people,
//! data and single components have their troubles beside it, as they do.

mod benign;
mod doors;
mod facts;
mod newcomers;
mod service;
mod sources;

use stella_protocol::log::{ComponentHealth, LogEvent};
use stella_protocol::{AlertType, Timestamp};

use crate::dice::Dice;
use crate::incident::{Benign, Kind, Label};
use crate::place::Place;
use crate::town::Fault;

/// Milliseconds of a second, a minute, an hour.
pub(crate) const SECOND: i64 = 1000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// A Monday in January 2026, midnight UTC: where the clock of every trace has its zero.
pub(crate) const MIDNIGHT: i64 = 1_767_571_200_000;

/// How long a trace is, and what of a day is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Three hours of a morning, much of everything.
    Shift,
    /// Thirty hours with a night in them, at a fraction of the traffic.
    Days,
}

impl Span {
    /// When it begins, in milliseconds after midnight.
    pub(crate) fn from(self) -> i64 {
        match self {
            Self::Shift => 9 * HOUR,
            Self::Days => 8 * HOUR,
        }
    }

    /// How long it is, in milliseconds.
    pub fn length_ms(self) -> i64 {
        match self {
            Self::Shift => 3 * HOUR,
            Self::Days => 30 * HOUR,
        }
    }

    /// Time in which nothing goes wrong, so that there is something to learn from, in milliseconds.
    pub fn warm_up_ms(self) -> i64 {
        match self {
            Self::Shift => 40 * MINUTE,
            Self::Days => 3 * HOUR,
        }
    }

    /// Share of a town's usual traffic: a long trace would be very big otherwise, and quiet towns exist.
    pub(crate) fn share(self, per_second: f64) -> f64 {
        match self {
            Self::Shift => 1.0,
            Self::Days => (1.0 / per_second).max(0.1),
        }
    }

    /// Traffic at `at` (milliseconds after midnight) as a share of the day's: none to speak of by night.
    pub(crate) fn daylight(self, at: i64) -> f64 {
        match self {
            Self::Shift => 1.0,
            Self::Days => {
                let hour = (at.rem_euclid(24 * HOUR)) as f64 / HOUR as f64;
                let sun = ((hour - 6.0) / 17.0 * std::f64::consts::PI).sin();
                if (6.0..23.0).contains(&hour) { 0.03 + 0.97 * sun.max(0.0) } else { 0.03 }
            }
        }
    }
}

/// Why a line is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Ordinary life.
    Ordinary,
    /// The incident with this place among the labels.
    Incident(usize),
    /// What only looks wrong, with its place among the benign.
    Benign(usize),
}

/// What is different for a while.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// Takes so many times as long, from one factor to the other; all operations, or one.
    Slow { op: Option<usize>, from: f64, to: f64 },
    /// A share of the calls fails; all operations, or one.
    Fail { op: Option<usize>, share: f64, fault: Fault },
    /// So many times the visits.
    Traffic(f64),
    /// So many times the calls of an operation.
    Popular { op: usize, times: f64 },
    /// So many times the chatter.
    Chatter(f64),
    /// A service says nothing.
    Mute(&'static str),
    /// A component says nothing.
    MuteWorker(usize),
    /// A component is not well.
    Unwell { worker: usize, health: ComponentHealth },
    /// Added to a gauge, from one value to the other; it ends at its limit.
    Gauge { gauge: usize, from: f64, to: f64 },
    /// A search finds nothing.
    FindsNothing { op: usize },
    /// Somebody owns nothing.
    OwnsNothing { person: usize },
    /// The clock of a service's host is wrong by so many milliseconds.
    Skew { service: &'static str, ms: i64 },
    /// Lines of a service are kept back until the end.
    Hold(&'static str),
    /// Lines of a service come twice, the second time so many milliseconds later.
    Twice { service: &'static str, after_ms: i64 },
    /// A share of an operation's calls is tried three to five times.
    Retry { op: usize, share: f64 },
    /// Somebody does what was drawn for them, and nothing else: nobody is stuck here and gets on there.
    Away { person: usize },
}

/// Something different for a while, and why.
#[derive(Debug, Clone)]
pub(crate) struct Effect {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) what: What,
    pub(crate) cause: Cause,
}

impl Effect {
    /// How much of it has passed at `at`, 0 to 1.
    pub(crate) fn progress(&self, at: i64) -> f64 {
        ((at - self.from) as f64 / (self.to - self.from).max(1) as f64).clamp(0.0, 1.0)
    }
}

/// A line that will be written whatever else happens.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) at: i64,
    pub(crate) event: LogEvent<'static>,
    pub(crate) cause: Cause,
}

/// Everything that will happen. Times are milliseconds after midnight.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) labels: Vec<Label>,
    pub(crate) benign: Vec<Benign>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) lines: Vec<Scripted>,
}

/// A schedule being drawn.
pub(crate) struct Draft<'a> {
    place: &'a Place,
    span: Span,
    dice: Dice,
    out: Schedule,
    /// Attackers, new errors and the like so far: no two share a name.
    made: usize,
}

/// What an incident is about.
#[derive(Debug, Default)]
struct About {
    operation: Option<&'static str>,
    service: Option<&'static str>,
    names: Vec<String>,
    strength: String,
    size: f64,
}

impl<'a> Draft<'a> {
    /// Draws what happens at a place.
    pub(crate) fn draw(place: &'a Place, span: Span, seed: u64) -> Schedule {
        let mut draft =
            Self { place, span, dice: Dice::new(seed, "plan"), out: Schedule::default(), made: seed as usize % 7 };
        draft.lane_of_the_service();
        draft.lane_of_the_others();
        draft.confounders();
        draft.out
    }

    /// Seven of the nine troubles of a service, one after the other, while there is traffic.
    fn lane_of_the_service(&mut self) {
        let mut kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| is_of_the_service(*kind)).collect();
        self.dice.shuffle(&mut kinds);
        kinds.truncate(7);
        let (from, to) = (self.span.from() + self.span.warm_up_ms(), self.end() - 10 * MINUTE);
        let slot = (to - from) / kinds.len() as i64;
        for (nth, kind) in kinds.into_iter().enumerate() {
            let begin = from + nth as i64 * slot;
            let at = begin + self.dice.between(0, slot / 4);
            // A quarter of the slot passes before, and a quarter at least stays free behind.
            let most = (slot / 2).min(14 * MINUTE);
            if self.span.daylight(at) > 0.4 {
                self.trouble(kind, at, most);
            }
        }
    }

    /// Half and more of the other troubles, at any time.
    fn lane_of_the_others(&mut self) {
        let others = Kind::ALL.into_iter().filter(|kind| !is_of_the_service(*kind));
        let mut kinds: Vec<Kind> = others.chain([Kind::Friction]).collect();
        self.dice.shuffle(&mut kinds);
        kinds.truncate(11);
        let (from, to) = (self.span.from() + self.span.warm_up_ms(), self.end() - 45 * MINUTE);
        for kind in kinds {
            let at = loop {
                let at = self.dice.between(from, to);
                let needs_people = matches!(kind.family(), AlertType::UserFriction | AlertType::DataInconsistency);
                if !needs_people || self.span.daylight(at) > 0.3 {
                    break at;
                }
            };
            self.trouble(kind, at, 14 * MINUTE);
        }
    }

    fn trouble(&mut self, kind: Kind, at: i64, most_ms: i64) {
        self.made += 1;
        match kind {
            Kind::SlowAll
            | Kind::SlowOne
            | Kind::SlowRamp
            | Kind::ErrorsMany
            | Kind::ErrorsSome
            | Kind::ErrorsBroad
            | Kind::NewError => self.service_trouble(kind, at, most_ms),
            Kind::BruteForce
            | Kind::Stuffing
            | Kind::SlowBrute
            | Kind::Distributed
            | Kind::Enumeration
            | Kind::Breach
            | Kind::Spray => self.attack(kind, at),
            Kind::Friction => self.friction(at),
            Kind::Rage => self.rage(at),
            Kind::Retried => self.retried(at, most_ms),
            Kind::ContradictionBurst | Kind::ImpossibleFact | Kind::Vanished | Kind::ZeroResults | Kind::WrongForm => {
                self.contradiction(kind, at, most_ms);
            }
            Kind::SourceStops | Kind::HeartbeatStops | Kind::Unwell | Kind::GaugeRamp | Kind::SeriesJump => {
                self.source_trouble(kind, at, most_ms);
            }
        }
    }

    /// Operations, of those wanted, of which nothing else is told from half an hour before `from` until `to`, and
    /// whose service speaks; all that are wanted, if there is none. Two troubles of one operation would be one alert.
    fn untroubled(&self, wanted: Vec<usize>, from: i64, to: i64) -> Vec<usize> {
        let (from, to) = (stamp(from - 30 * MINUTE), stamp(to));
        let ops = self.place.town.ops;
        let troubled = |op: usize| {
            self.out.labels.iter().any(|label| {
                let here = label.operation == Some(ops[op].name)
                    || label.kind == Kind::SourceStops && label.service == Some(ops[op].service);
                here && is_of_the_service(label.kind) && label.onset < to && from < label.end
            })
        };
        let free: Vec<usize> = wanted.iter().copied().filter(|op| !troubled(*op)).collect();
        if free.is_empty() { wanted } else { free }
    }

    fn end(&self) -> i64 {
        self.span.from() + self.span.length_ms()
    }

    fn label(&mut self, kind: Kind, from: i64, to: i64, about: About) -> Cause {
        let About { operation, service, names, strength, size } = about;
        self.out.labels.push(Label {
            kind,
            operation,
            service,
            names,
            strength,
            size,
            onset: stamp(from),
            end: stamp(to),
            parent: None,
        });
        Cause::Incident(self.out.labels.len() - 1)
    }

    fn effect(&mut self, from: i64, to: i64, what: What, cause: Cause) {
        self.out.effects.push(Effect { from, to, what, cause });
    }

    fn line(&mut self, at: i64, event: LogEvent<'static>, cause: Cause) {
        self.out.lines.push(Scripted { at, event, cause });
    }

    fn about_op(&self, op: usize, strength: String) -> About {
        let op = &self.place.town.ops[op];
        About {
            operation: Some(op.name),
            service: Some(op.service),
            names: vec![op.name.to_owned()],
            strength,
            size: 0.0,
        }
    }
}

/// True for what the whole service feels, or so many people that two at once could not be told apart.
fn is_of_the_service(kind: Kind) -> bool {
    use AlertType as T;
    matches!(kind.family(), T::PerformanceDegradation | T::ErrorSpike | T::NewError)
        || matches!(kind, Kind::SourceStops | Kind::ZeroResults)
}

/// A point of the clock, from milliseconds after midnight.
pub(crate) fn stamp(at: i64) -> Timestamp {
    Timestamp::from_millis(MIDNIGHT + at)
}
