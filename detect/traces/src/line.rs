//! Log events as ingest makes them of an application's lines.
//!
//! Knows how things are said; not whether they happen.

use serde_json::Value;
use stella_protocol::log::{Category, ComponentHealth, Level, LogEvent, Login};
use stella_protocol::{Text, Untrusted};

use crate::dice::Dice;
use crate::place::Place;
use crate::town::{Deed, Fault, Gauge, Worker};

/// What nobody needs to read, but everybody writes.
const CHATTER: [&str; 10] = [
    "cache refreshed in {} ms",
    "connection {} opened",
    "job {} done",
    "session {} touched",
    "flushed {} rows",
    "lease {} renewed",
    "config reloaded, revision {}",
    "GET /health 200 in {} ms",
    "token {} rotated",
    "slow start finished after {} ms",
];

/// A call that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) op: usize,
    pub(crate) user: Option<String>,
    pub(crate) addr: Option<String>,
    pub(crate) took_ms: f64,
    pub(crate) fault: Option<Fault>,
    pub(crate) retries: u32,
    /// How much it listed or found.
    pub(crate) count: Option<i64>,
    /// Under which owner it wrote.
    pub(crate) owner: Option<String>,
}

impl Call {
    /// A call of somebody.
    pub(crate) fn by(op: usize, user: String, addr: String, took_ms: f64) -> Self {
        Self { op, user: Some(user), addr: Some(addr), took_ms, fault: None, retries: 0, count: None, owner: None }
    }

    /// One that failed.
    pub(crate) fn failing(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// As its line says it.
    pub(crate) fn say(self, place: &Place, dice: &mut Dice) -> LogEvent<'static> {
        let (op, speech) = (&place.town.ops[self.op], &place.town.speech);
        let mut event = blank(op.service);
        event.operation = Some(op.name.into());
        event.duration_ms = Some((self.took_ms * 10.0).round() / 10.0);
        event.success = Some(self.fault.is_none());
        event.retry_count = (speech.counts_retries && self.retries > 0).then_some(self.retries);
        let attribute = match op.deed {
            Deed::Lists(name) | Deed::Searches(name) => self.count.map(|count| (name, Value::from(count))),
            Deed::Writes => self.owner.or_else(|| self.user.clone()).map(|owner| (speech.owner, owner.into())),
            Deed::Read | Deed::Reports => None,
        };
        event.attributes.extend(attribute.map(|(name, value)| (name.to_owned(), value)));
        match self.fault {
            None => event.message = Text::from(format!("{} done in {:.0} ms", op.name, self.took_ms)),
            Some(fault) => blame(&mut event, fault, speech.names_errors, dice),
        }
        event.user_id = self.user.map(Text::from);
        event.remote_addr = self.addr.map(Text::from);
        event
    }
}

fn blank(service: &'static str) -> LogEvent<'static> {
    LogEvent { level: Level::Info, service: service.into(), host: Some(service.into()), ..LogEvent::default() }
}

fn blame(event: &mut LogEvent<'static>, fault: Fault, names: bool, dice: &mut Dice) {
    event.level = if fault.loud { Level::Error } else { Level::Warn };
    let says = filled(fault.says, dice);
    if names {
        event.error_type = Some(fault.class.into());
        event.message = says;
    } else {
        event.message = Text::from(format!("{}: {}", fault.class, says.raw()));
    }
}

/// A template with something in its gaps.
pub(crate) fn filled(template: &'static str, dice: &mut Dice) -> Text {
    if template.contains("{}") {
        Text::from(template.replace("{}", &(dice.next() >> 44).to_string()))
    } else {
        Untrusted::from(template)
    }
}

/// Somebody at the door.
pub(crate) fn sign_in(
    place: &Place,
    (user, addr): (String, String),
    outcome: Login,
    says: &'static str,
    took_ms: f64,
) -> LogEvent<'static> {
    let op = &place.town.ops[place.sign_in];
    let failed = outcome != Login::Succeeded;
    let mut event = blank(op.service);
    event.operation = Some(op.name.into());
    event.login = Some(outcome);
    event.success = Some(!failed);
    event.duration_ms = Some(took_ms.round());
    event.message = says.into();
    if failed {
        event.level = Level::Warn;
        event.error_type = place.town.speech.names_errors.then(|| op.faults[0].class.into());
        event.category = place.town.speech.names_categories.then_some(Category::Security);
    }
    event.user_id = Some(Text::from(user));
    event.remote_addr = Some(Text::from(addr));
    event
}

/// A line about nothing in particular.
pub(crate) fn chatter(service: &'static str, dice: &mut Dice) -> LogEvent<'static> {
    let says = *dice.of(&CHATTER);
    let level = if dice.chance(0.3) { Level::Debug } else { Level::Info };
    LogEvent { level, message: filled(says, dice), ..blank(service) }
}

/// A line that only says something.
pub(crate) fn words(service: &'static str, level: Level, says: &'static str, dice: &mut Dice) -> LogEvent<'static> {
    LogEvent { level, message: filled(says, dice), ..blank(service) }
}

/// A component says how it is.
pub(crate) fn beat(worker: &Worker, health: ComponentHealth) -> LogEvent<'static> {
    let level = if health == ComponentHealth::Healthy { Level::Info } else { Level::Warn };
    LogEvent {
        level,
        component: Some(worker.component.into()),
        health: Some(health),
        message: Text::from(format!("{} is {}", worker.component, health.word())),
        ..blank(worker.service)
    }
}

/// A sample of a series.
pub(crate) fn sample(gauge: &Gauge, value: f64) -> LogEvent<'static> {
    LogEvent {
        level: Level::Metric,
        metric: Some(gauge.series.into()),
        value: Some((value * 100.0).round() / 100.0),
        unit: Some(gauge.unit.into()),
        attributes: [("limit".to_owned(), Value::from(gauge.limit))].into_iter().collect(),
        ..blank(gauge.service)
    }
}

/// Somebody says that stored data cannot be right.
pub(crate) fn contradiction(
    place: &Place,
    op: usize,
    (level, class, says): (Level, &'static str, &'static str),
    user: Option<String>,
    dice: &mut Dice,
) -> LogEvent<'static> {
    let speech = &place.town.speech;
    let mut event = blank(place.town.ops[op].service);
    event.level = level;
    event.operation = Some(place.town.ops[op].name.into());
    event.error_type = speech.names_errors.then(|| class.into());
    event.category = speech.names_categories.then_some(Category::Data);
    event.message = filled(says, dice);
    event.user_id = user.map(Text::from);
    event
}
