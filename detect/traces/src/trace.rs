//! The trace: people come, act and wait; what they meet follows from the schedule; what is left of it are lines
//! in the order in which a server would get them, each with the engine time that the server would give it.
//!
//! A discrete-event simulation, told one line at a time and in flat memory, whatever its length.

mod life;
mod machines;

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use stella_protocol::log::LogEvent;
use stella_protocol::{LineId, Timestamp};

use crate::dice::Dice;
use crate::incident::{Benign, Label};
use crate::place::Place;
use crate::plan::{Cause, Draft, Effect, HOUR, MIDNIGHT, SECOND, Schedule, Span, What, stamp};
use crate::town::Town;
use life::Visitor;

/// Acts of a visit, on average.
const ACTS: f64 = 8.0;
/// Median time that somebody looks at an answer, in milliseconds, and its spread.
const THINK: (f64, f64) = (6000.0, 0.8);
/// How far from receipt a line's own time is believed, as the server does it.
const NEAR_MS: i64 = 30_000;
/// How long a wait is drawn at once: the traffic may be another after it.
const LOOK_AGAIN: i64 = 30 * SECOND;

/// A line of a trace.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number, from 1.
    pub id: LineId,
    /// What ingest made of it.
    pub event: LogEvent<'static>,
    /// Why it is as it is.
    pub cause: Cause,
}

#[derive(Debug)]
enum Due {
    Visit,
    Act(Box<Visitor>),
    Emit(Box<(LogEvent<'static>, i64, Cause)>),
    Chatter,
    Beat(usize),
    Sample(usize),
    Stranger,
}

#[derive(Debug)]
struct Entry(i64, u64, Due);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// A labelled trace: an iterator of its lines.
pub struct Trace {
    place: Place,
    span: Span,
    schedule: Schedule,
    dice: Dice,
    due: BinaryHeap<Reverse<Entry>>,
    order: u64,
    now: i64,
    /// When the next effect begins or ends, and the ones that are on.
    next_edge: i64,
    on: Vec<usize>,
    failed: BTreeMap<(usize, usize), u32>,
    lines: u64,
    engine_time: i64,
}

impl Trace {
    /// The trace of a town under a seed, at `traffic` times its usual traffic. What goes wrong is the same
    /// whatever the traffic.
    pub fn new(town: &'static Town, seed: u64, traffic: f64, span: Span) -> Self {
        let place = Place::new(town, seed, traffic, span.share(town.per_second));
        let schedule = Draft::draw(&place, span, seed);
        let mut trace = Self {
            dice: Dice::new(seed, "life"),
            place,
            span,
            schedule,
            due: BinaryHeap::new(),
            order: 0,
            now: span.from(),
            next_edge: i64::MIN,
            on: Vec::new(),
            failed: BTreeMap::new(),
            lines: 0,
            engine_time: i64::MIN,
        };
        trace.open();
        trace
    }

    /// What goes wrong, with what followed from it as far as told by now: complete after the last line.
    pub fn labels(&self) -> &[Label] {
        &self.schedule.labels
    }

    /// What only looks wrong.
    pub fn benign(&self) -> &[Benign] {
        &self.schedule.benign
    }

    /// How long it is, in hours.
    pub fn hours(&self) -> f64 {
        self.span.length_ms() as f64 / HOUR as f64
    }

    /// As many at work as usually are, the lines that are written in any case, and the first of all others.
    fn open(&mut self) {
        for scripted in std::mem::take(&mut self.schedule.lines) {
            self.put(scripted.at, Due::Emit(Box::new((scripted.event, scripted.at, scripted.cause))));
        }
        let visit_s = ACTS * THINK.0 * (THINK.1 * THINK.1 / 2.0).exp() / 1000.0;
        let visitors = self.pace() / ACTS * visit_s;
        for _ in 0..visitors as usize {
            let visitor = self.visitor();
            let wait = self.dice.wait(THINK.0);
            self.put(self.now + wait, Due::Act(Box::new(visitor)));
        }
        self.put(self.now, Due::Visit);
        self.put(self.now, Due::Chatter);
        self.put(self.now + LOOK_AGAIN, Due::Stranger);
        for worker in 0..self.place.town.workers.len() {
            self.put(self.now + 200 + worker as i64, Due::Beat(worker));
        }
        for gauge in 0..self.place.town.gauges.len() {
            self.put(self.now + 100 + gauge as i64, Due::Sample(gauge));
        }
    }

    fn put(&mut self, at: i64, due: Due) {
        self.order += 1;
        self.due.push(Reverse(Entry(at, self.order, due)));
    }

    fn later(&mut self, wait: i64, due: Due) {
        self.put(self.now + wait, due);
    }

    /// Effects that are on at this moment.
    fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.on.iter().map(|at| &self.schedule.effects[*at])
    }

    /// Which effects are on, from now to the next edge.
    fn cross_edges(&mut self) {
        if self.now < self.next_edge {
            return;
        }
        let (now, all) = (self.now, &self.schedule.effects);
        self.on = (0..all.len()).filter(|at| all[*at].from <= now && now < all[*at].to).collect();
        let edges = all.iter().flat_map(|effect| [effect.from, effect.to]);
        self.next_edge = edges.filter(|edge| *edge > now).min().unwrap_or(i64::MAX);
    }

    /// Calls a second at this moment.
    fn pace(&self) -> f64 {
        let waves = self.effects().filter_map(|effect| match effect.what {
            What::Traffic(times) => Some(times),
            _ => None,
        });
        self.place.pace * self.place.traffic * self.span.daylight(self.now) * waves.product::<f64>()
    }

    /// Calls `happen` of independent happenings so many milliseconds apart, and says when to look again.
    fn keep_coming(&mut self, mean_ms: f64, due: Due, happen: impl FnOnce(&mut Self)) {
        let wait = self.dice.wait(mean_ms);
        // Waiting without memory may be cut anywhere.
        if wait <= LOOK_AGAIN {
            happen(self);
        }
        self.later(wait.min(LOOK_AGAIN), due);
    }

    fn emit_in(&mut self, wait: i64, event: LogEvent<'static>, cause: Cause) {
        let at = self.now + wait;
        self.put(at, Due::Emit(Box::new((event, at, cause))));
    }

    /// A line was written; whether and when it arrives is another thing.
    fn on_its_way(&mut self, (event, written, cause): (LogEvent<'static>, i64, Cause)) -> Option<Line> {
        let service = event.service.raw();
        let (mut own, mut held_until, mut twice) = (written, None, None);
        let fresh = written == self.now;
        for effect in self.effects() {
            match effect.what {
                What::Mute(of) if of == service => return None,
                What::Skew { service: of, ms } if of == service => own += ms,
                What::Hold(of) if of == service && fresh => held_until = Some(effect.to),
                What::Twice { service: of, after_ms } if of == service && fresh => twice = Some(after_ms),
                _ => {}
            }
        }
        if let Some(until) = held_until {
            self.put(until, Due::Emit(Box::new((event, written, cause))));
            return None;
        }
        if let Some(after) = twice {
            self.later(after, Due::Emit(Box::new((event.clone(), written, cause))));
        }
        Some(self.arrive(event, own, cause))
    }

    fn arrive(&mut self, mut event: LogEvent<'static>, own: i64, cause: Cause) -> Line {
        let believed = if (own - self.now).abs() <= NEAR_MS { own } else { self.now };
        self.engine_time = self.engine_time.max(believed);
        self.lines += 1;
        event.timestamp = Some(stamp(own));
        event.received_at = stamp(self.now);
        event.engine_time = stamp(self.engine_time);
        Line { id: LineId(self.lines), event, cause }
    }

    fn happen(&mut self, due: Due) -> Option<Line> {
        match due {
            Due::Visit => {
                let mean = 1000.0 * ACTS / self.pace();
                self.keep_coming(mean, Due::Visit, Self::visit);
            }
            Due::Act(visitor) => self.act(visitor),
            Due::Emit(sent) => return self.on_its_way(*sent),
            Due::Chatter => {
                let louder = self.effects().filter_map(|effect| match effect.what {
                    What::Chatter(times) => Some(times),
                    _ => None,
                });
                let mean = 1000.0 / (self.pace() * self.place.town.speech.chatter * louder.product::<f64>());
                self.keep_coming(mean, Due::Chatter, Self::chatter);
            }
            Due::Beat(worker) => self.beat(worker),
            Due::Sample(gauge) => self.sample(gauge),
            Due::Stranger => {
                let mean = HOUR as f64 / self.place.town.strangers;
                self.keep_coming(mean, Due::Stranger, Self::stranger_at_the_door);
            }
        }
        None
    }
}

impl Iterator for Trace {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            let Reverse(Entry(at, _, due)) = self.due.pop()?;
            self.now = at;
            if self.now >= self.span.from() + self.span.length_ms() {
                return None;
            }
            self.cross_edges();
            if let Some(line) = self.happen(due) {
                return Some(line);
            }
        }
    }
}

/// The first moment of the clock of every trace.
pub fn midnight() -> Timestamp {
    Timestamp::from_millis(MIDNIGHT)
}
