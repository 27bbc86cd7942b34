//! Series that leave their past: each metric of each source is a series of its own, judged by nothing
//! but what it did before.
//!
//! What is odd is for [`series`](crate::series), how odd it must be for the budget; here are the series
//! that are watched, what of them is remembered for figures, and the problem from its first odd sample to
//! the calm after the last. Samples that do not come are for the rule of silence.

mod reading;

use std::collections::VecDeque;

use stella_protocol::{Figure, LineId, LogEvent, LogLink, Measure, Text, Timestamp, Untrusted};

use crate::budget::{Budget, Kind, LEAST};
use crate::cells::Cells;
use crate::evidence::Usual;
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::mark::Mark;
use crate::measure::{Facts, Tally};
use crate::recent::Recent;
use crate::rules::{Known, Rules, forecast};
use crate::scope::{OpName, Scope};
use crate::series::ramp::Ramp;
use crate::series::shift::{Shift, Shifted};
use crate::series::{Channel, Series, Verdict};

pub(crate) use reading::{RULE, Reading, amount, chart, measured, tell};

/// Samples that are remembered for figures and charts: a mean of sixty-four, and as much before it as makes a
/// baseline.
const SAMPLES: usize = 256;
/// Samples before the onset from which a baseline is known.
const USUAL_SAMPLES: f64 = 20.0;

/// Which series: whose, and called what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeriesName {
    pub(crate) op: OpName,
    pub(crate) metric: Box<str>,
    host: Option<Box<str>>,
    component: Option<Box<str>>,
    pub(crate) unit: Box<str>,
}

impl SeriesName {
    /// The name of the series that a sample belongs to; None: no query could name it.
    fn of(event: &LogEvent<'_>) -> Option<Self> {
        let named =
            |text: Option<&Untrusted<'_>>| text.map(Untrusted::raw).filter(|text| *text != "-").map(Box::<str>::from);
        let name = Self {
            op: OpName { service: event.service.raw().into(), operation: named(event.operation.as_ref()) },
            metric: named(event.metric.as_ref()).filter(|metric| !metric.is_empty())?,
            host: named(event.host.as_ref()),
            component: named(event.component.as_ref()),
            unit: event.unit.as_ref().map_or("", Untrusted::raw).chars().take(MOST_UNIT).collect::<String>().into(),
        };
        let lengths = [Some(&name.metric), name.host.as_ref(), name.component.as_ref()];
        let short = lengths.into_iter().flatten().all(|text| text.len() <= key::LONGEST_NAME);
        (short && name.op.is_name()).then_some(name)
    }

    /// Its samples in the filter language.
    pub(crate) fn q(&self) -> String {
        let maybe = |field: &str, name: &Option<Box<str>>| {
            name.as_deref().map_or(format!("{field}=-"), |name| stella_protocol::query::term(field, name))
        };
        let metric = stella_protocol::query::term("metric", &self.metric);
        let service = stella_protocol::query::term("service", &self.op.service);
        let operation = maybe("operation", &self.op.operation);
        let (host, component) = (maybe("host", &self.host), maybe("component", &self.component));
        [service, operation, metric, host, component, "level=METRIC".to_owned()].join(" ")
    }

    /// What identifies it.
    pub(crate) fn labels(&self) -> Vec<(&'static str, String)> {
        let mut labels = vec![("service", self.op.service.to_string()), ("metric", self.metric.to_string())];
        labels.extend(self.op.operation.iter().map(|name| ("operation", name.to_string())));
        labels.extend(self.host.iter().map(|name| ("host", name.to_string())));
        labels.extend(self.component.iter().map(|name| ("component", name.to_string())));
        labels
    }

    /// Its lines that were kept.
    pub(crate) fn scope(&self) -> Scope {
        Scope { metric: Some(self.metric.clone()), ..Scope::of_op(&self.op) }
    }
}

/// Letters of a unit: a longer one is none.
const MOST_UNIT: usize = 24;

/// A series that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) name: SeriesName,
    series: Series,
    shift: Shift,
    /// Where it ends, when it does.
    pub(crate) ramp: Option<Ramp>,
    /// The last samples; not a number: a line without one.
    samples: VecDeque<(i64, f64)>,
    /// Spans from here on are whole.
    floor: i64,
}

impl Watched {
    fn new(name: SeriesName, floor: i64, rules: &Rules) -> Self {
        let ramp = forecast::ramp_of(&name, rules);
        Self { name, series: Series::default(), shift: Shift::default(), ramp, samples: VecDeque::new(), floor }
    }

    fn remember(&mut self, at: i64, value: f64) {
        if self.samples.len() == SAMPLES
            && let Some((gone, _)) = self.samples.pop_front()
        {
            self.floor = self.floor.max(gone + 1);
        }
        self.samples.push_back((at, value));
    }

    /// What is most unlikely of a sample: how rare it is by the past of its series, or that the level moved.
    fn verdict(&mut self, at: i64, value: f64) -> Option<Verdict> {
        let rare = self.series.observe(Timestamp::from_millis(at), value);
        let shifted = self.shift.observe(at, value, self.step_ms()).map(verdict_of);
        match (rare, shifted) {
            // Once a long past says what was to be expected, sixteen rows are the worse guess.
            (Some(rare), Some(shifted)) => {
                let (rarity, channel) = (shifted.rarity, shifted.channel);
                Some(if rarity < rare.rarity { Verdict { rarity, channel, ..rare } } else { rare })
            }
            (rare, shifted) => rare.or(shifted),
        }
    }

    /// Time of the sample `back` before the last one, or of the oldest that is known.
    pub(crate) fn time_of(&self, back: usize) -> i64 {
        let place = self.samples.len().saturating_sub(1 + back);
        self.samples.get(place).map_or(self.floor, |(at, _)| *at).max(self.floor)
    }

    /// A number over its samples from `from` up to, but without, `to`; exact.
    pub(crate) fn figure(&self, name: &str, measure: Measure, (from, to): (i64, i64), line: u64) -> Option<Figure> {
        let (mut tally, from) = (Tally::new(measure), from.max(self.floor));
        for (at, value) in self.samples.iter().filter(|(at, _)| (from..to).contains(at)) {
            tally.add(&Facts::sample(*at, *value));
        }
        let unit = if measure == Measure::Count { "count" } else { &self.name.unit };
        let lines = LogLink {
            q: Text::from(self.name.q()),
            from: Timestamp::from_millis(from),
            to: Timestamp::from_millis(to.max(from)),
            up_to: Some(LineId(line)),
        };
        let (name, unit) = (Text::from(name.to_owned()), Text::from(unit.to_owned()));
        Some(Figure { name, value: tally.value(to)?, unit, measure, lines })
    }

    /// The mean of what is remembered from before `onset`; None: too little.
    pub(crate) fn usual(&self, onset: i64, line: u64) -> Option<Usual> {
        let span = (self.floor.max(self.time_of(SAMPLES)), onset);
        let figure = self.figure("mean of the samples before", Measure::MeanValue, span, line)?;
        let sample = self.figure("samples before", Measure::Count, span, line)?;
        (sample.value >= USUAL_SAMPLES).then_some(Usual { figure, sample })
    }

    /// Milliseconds between its samples.
    pub(crate) fn step_ms(&self) -> i64 {
        self.series.step_ms().unwrap_or(0)
    }

    /// The last samples, oldest first.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (i64, f64)> {
        self.samples.iter().copied().filter(|(_, value)| value.is_finite())
    }
}

/// A level that moved, in the words of an odd row.
fn verdict_of(shifted: Shifted) -> Verdict {
    let channel = if shifted.up { Channel::JumpUp } else { Channel::JumpDown };
    let (rarity, expected, spread) = ((-shifted.nats).exp().min(1.0), shifted.expected, shifted.spread);
    Verdict { score: 0.0, rarity, channel, expected, spread }
}

/// All series; the one that was silent for longest goes first.
#[derive(Debug)]
pub(crate) struct Gauges {
    cells: Cells<Watched>,
}

fn key_of(series: u64) -> u64 {
    key::join(&[key::own(RULE), series])
}

/// Samples that make a series more than an invention.
const ESTABLISHED: usize = 64;

impl Gauges {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.series) }
    }

    /// Takes the limits of `rules` over; a gauge whose limit moved is learned anew.
    pub(crate) fn set_limits(&mut self, rules: &Rules) {
        for (_, watched) in self.cells.iter_mut() {
            let ramp = forecast::ramp_of(&watched.name, rules);
            if ramp.as_ref().map(Ramp::limit) != watched.ramp.as_ref().map(Ramp::limit) {
                watched.ramp = ramp;
            }
        }
    }

    /// A sample.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        recent: &mut Recent,
        rules: &Rules,
        budget: &mut Budget,
        (line, mark, event): (LineId, &Mark, &LogEvent<'_>),
    ) {
        let Some(name) = SeriesName::of(event) else { return };
        let parts = [&Some(name.metric.clone()), &name.host, &name.component]
            .map(|part| part.as_deref().map_or(key::NONE, key::of));
        let key = key::join(&[mark.op, parts[0], parts[1], parts[2]]);
        let floor = if self.cells.has_evicted() { mark.at + 1 } else { i64::MIN };
        let watched = self.cells.touch_or(key, || Watched::new(name, floor, rules));
        let value = event.value.filter(|value| value.is_finite());
        watched.remember(mark.at, value.unwrap_or(f64::NAN));
        let established = watched.samples.len() == ESTABLISHED;
        if let Some(value) = value {
            let verdict = watched.verdict(mark.at, value);
            let foreseen = forecast::observe(desk, recent, (rules, budget), (key, watched), (line, event, value));
            if let Some(verdict) = verdict.filter(|_| !foreseen) {
                budget.count(Kind::Series);
                judge(desk, recent, (rules, budget), (key_of(key), watched, verdict), (line, event));
            }
        }
        if established {
            self.cells.promote(key);
        }
    }
}

/// Opens the problem when a sample is odd enough, and goes on with it while samples are odd at all.
fn judge(
    desk: &mut Desk,
    recent: &mut Recent,
    (rules, budget): (&Rules, &Budget),
    (key, watched, verdict): (u64, &Watched, Verdict),
    (line, event): (LineId, &LogEvent<'_>),
) {
    let nats = -verdict.rarity.max(f64::MIN_POSITIVE).ln();
    let open = desk.get(key).is_some();
    let more = || recent.tuned(watched.name.op.key()).more(Known::Metric);
    // What starts anew has cold caches and empty queues for a minute.
    if !open && recent.is_being_deployed(key::of(event.service.raw())) {
        return;
    }
    if nats < LEAST || !open && nats < budget.needed_besides(Kind::Series, more()) {
        return;
    }
    let now = recent.now;
    let onset = desk.get(key).map_or(now, |incident| incident.first_at);
    let reading = Reading::of(watched, verdict, nats, onset, line.0)
        .filter(|reading| reading.is_worth_waking(watched.ramp.as_ref().map(Ramp::limit)));
    let Some(reading) = reading else { return };
    recent.keep(line, event);
    if open {
        desk.touch(key, now);
        desk.reword(key, |subject| {
            *subject = Subject::Series(Box::new(reading));
            false
        });
    } else {
        let near = Near { recent, rules, budget };
        desk.open(near, key, Subject::Series(Box::new(reading)), now, 1);
    }
}

/// True when the problem is about this series.
pub(crate) fn is_about(subject: &Subject, name: &SeriesName) -> bool {
    matches!(subject, Subject::Series(reading) if reading.name == *name)
}

keep_fields!(SeriesName { op, metric, host, component, unit });
keep_fields!(Watched { name, series, shift, ramp, samples, floor });
keep_fields!(Gauges { cells });
