//! One mapper for every source: named values in, a [`LogEvent`] out.
//!
//! First all values are laid into slots (the better name of two wins, the other one is kept among the
//! attributes), then the slots are read together, because some only have a meaning beside others.
//! What it does not understand it keeps; it never throws a value away.

mod request;
mod words;

use std::borrow::Cow;

use serde_json::{Map, Value};
use stella_protocol::{Category, Level, LogEvent, Timestamp, Untrusted};

use super::fields::{FIELDS, Field, Name};
use super::json::{Json, Pairs};
use super::login::Said;
use super::{address, level, login, measure, when};
pub(super) use request::Request;
use words::{count, health_word, is_host_name, is_placeholder, login_word, read_level, truth};
pub(super) use words::{is_nothing, outcome_word};

/// Objects nested deeper than this are kept as one attribute.
const DEEPEST_WALK: u32 = 3;

/// How much less a name counts for every level that it is nested.
const RANK_A_LEVEL: u32 = 1000;

/// What the shape of a text line already told, before any named value.
#[derive(Debug, Default)]
pub(super) struct Head<'a> {
    pub time: Option<Timestamp>,
    pub level: Option<Level>,
    pub host: Option<&'a str>,
    pub service: Option<&'a str>,
    pub address: Option<Cow<'a, str>>,
    pub user: Option<&'a str>,
    pub status: Option<u16>,
    pub millis: Option<f64>,
    pub operation: Option<&'a str>,
    pub method: Option<&'a str>,
    pub path: Option<&'a str>,
    /// The text after everything that was taken from the front; None: the record is structured.
    pub message: Option<&'a str>,
}

struct Slot<'a> {
    rank: u32,
    name: Cow<'a, str>,
    value: Json<'a>,
}

/// Where in a nested object we are.
struct Place<'p> {
    name: Name,
    dotted: Option<&'p str>,
    depth: u32,
}

pub(super) struct Mapper<'a> {
    slots: [Option<Slot<'a>>; FIELDS],
    attributes: Map<String, Value>,
    received: Timestamp,
    head: Head<'a>,
    /// In a sentence only some names are believed, and unknown ones are just words.
    prose: bool,
}

impl<'a> Mapper<'a> {
    pub(super) fn new(received: Timestamp) -> Self {
        Self { slots: [const { None }; FIELDS], attributes: Map::new(), received, head: Head::default(), prose: false }
    }

    /// For a line of text: what its shape told.
    pub(super) fn with_head(received: Timestamp, head: Head<'a>) -> Self {
        Self { head, ..Self::new(received) }
    }

    /// Takes the members of a structured record.
    pub(super) fn take(&mut self, pairs: Pairs<'a>) {
        self.walk(pairs, &Place { name: Name::EMPTY, dotted: None, depth: 0 });
    }

    /// Takes `key=value` pairs that stand inside a sentence.
    pub(super) fn take_prose(&mut self, pairs: Pairs<'a>) {
        self.prose = true;
        self.take(pairs);
        self.prose = false;
    }

    /// Keeps one more fact that has no field.
    pub(super) fn keep(&mut self, name: &str, value: Value) {
        self.attributes.insert(name.to_owned(), value);
    }

    fn walk(&mut self, pairs: Pairs<'a>, place: &Place<'_>) {
        for (key, value) in pairs {
            match value {
                Json::Null => {}
                Json::Object(inner) if place.depth < DEEPEST_WALK => self.enter(&key, inner, place),
                Json::List(items) if place.depth < DEEPEST_WALK && items.iter().all(is_pair) && !items.is_empty() => {
                    let inner = items.into_iter().filter_map(into_pair).collect();
                    self.enter(&key, inner, place);
                }
                value => self.leaf(key, value, place),
            }
        }
    }

    fn enter(&mut self, key: &str, inner: Pairs<'a>, place: &Place<'_>) {
        let own = Name::EMPTY.join(key).unwrap_or(Name::EMPTY);
        let transparent = own.is_transparent();
        let name = if transparent { Some(place.name) } else { place.name.join(key) };
        let dotted = match place.dotted {
            Some(outer) => Some(format!("{outer}.{key}")),
            None if transparent => None,
            None => Some(key.to_owned()),
        };
        let name = name.unwrap_or(Name::EMPTY);
        self.walk(inner, &Place { name, dotted: dotted.as_deref(), depth: place.depth + 1 });
    }

    fn leaf(&mut self, key: Cow<'a, str>, value: Json<'a>, place: &Place<'_>) {
        let found = meaning(&key, place).filter(|_| !is_placeholder(&value));
        let speaks = matches!(&value, Json::Text(word) if key == "login" && login_word(word).is_some());
        let found = if speaks { Some((Field::Login, 0)) } else { found };
        let found = found.filter(|(field, _)| !self.prose || believed_in_prose(*field));
        let key = match place.dotted {
            Some(outer) => Cow::Owned(format!("{outer}.{key}")),
            None => key,
        };
        let Some((field, rank)) = found else { return self.attribute(key, value) };
        let slot = &mut self.slots[field as usize];
        let offered = Slot { rank, name: key, value };
        let loser = match slot {
            Some(held) if held.rank <= rank => Some(offered),
            _ => slot.replace(offered),
        };
        if let Some(loser) = loser {
            self.attribute(loser.name, loser.value);
        }
    }

    fn attribute(&mut self, name: Cow<'a, str>, value: Json<'a>) {
        if !self.prose {
            self.attributes.insert(name.into_owned(), value.into_value());
        }
    }

    /// Reads the slots together. `record` is what is shown when the record has no text of its own.
    pub(super) fn finish(mut self, record: &'a str) -> LogEvent<'a> {
        let mut event = LogEvent { received_at: self.received, ..LogEvent::default() };
        event.timestamp = self.time().or(self.head.time);
        self.names(&mut event);
        self.outcome(&mut event);
        self.people(&mut event);
        self.extras(&mut event);
        let request = self.request(&mut event);
        let error = self.error(&mut event);
        let happened = self.text(Field::Event);
        let said_level = self.level(&mut event);
        let message = self.message(record, happened.as_deref(), error.as_deref(), &request);
        if event.error_type.is_none() && (error.is_some() || said_level.is_none_or(|level| level == Level::Error)) {
            let class = measure::error_class(&message).map(str::to_owned);
            event.error_type = class.map(Untrusted::new);
        }
        event.level = loudness(&event, said_level, error.is_some(), &message, request.status);
        let speaker = event.service.raw().to_owned();
        let said = Said {
            message: &message,
            speaker: &speaker,
            event: happened.as_deref(),
            error: error.as_deref(),
            request: &request,
            structured: self.head.message.is_none(),
            attributes: &self.attributes,
        };
        login::mark(&mut event, &said);
        for (name, text) in [("event", happened), ("error", error)] {
            if let Some(text) = text.filter(|text| !message.contains(&**text)) {
                self.keep(name, Value::String(text.into_owned()));
            }
        }
        request.keep(&mut self.attributes);
        event.message = Untrusted::new(message);
        event.attributes = self.attributes;
        event
    }

    fn pick(&mut self, field: Field) -> Option<Json<'a>> {
        self.slots[field as usize].take().map(|slot| slot.value)
    }

    fn text(&mut self, field: Field) -> Option<Cow<'a, str>> {
        match self.pick(field)? {
            Json::Text(text) => Some(text),
            Json::Number(number) => Some(Cow::Owned(number.to_string())),
            Json::Flag(flag) => Some(Cow::Borrowed(if flag { "true" } else { "false" })),
            other => Some(Cow::Owned(other.into_value().to_string())),
        }
    }

    fn outside(&mut self, field: Field) -> Option<Untrusted<'a>> {
        self.text(field).map(Untrusted::new)
    }

    fn time(&mut self) -> Option<Timestamp> {
        let slot = self.slots[Field::Time as usize].take()?;
        let read = match &slot.value {
            Json::Text(text) => when::whole(text, self.received).or_else(|| when::epoch(text.parse().ok()?)),
            value => value.number().and_then(when::epoch),
        };
        if read.is_none() {
            self.attribute(slot.name, slot.value);
        }
        read
    }

    fn names(&mut self, event: &mut LogEvent<'a>) {
        event.service =
            self.outside(Field::Service).or_else(|| self.head.service.map(Untrusted::from)).unwrap_or_default();
        event.host = self.outside(Field::Host).or_else(|| self.head.host.map(Untrusted::from));
        event.operation = self.outside(Field::Operation).or_else(|| self.head.operation.map(Untrusted::from));
        event.component = self.outside(Field::Component);
        event.trace_id = self.text(Field::Trace).map(|text| {
            let bare = text.rfind("/traces/").map(|at| text[at + 8..].to_owned());
            Untrusted::new(bare.map_or(text, Cow::Owned))
        });
    }

    fn outcome(&mut self, event: &mut LogEvent<'a>) {
        event.duration_ms = self.duration().or(self.head.millis);
        let flag = self.pick(Field::Success).and_then(|value| truth(&value));
        event.success = flag.or_else(|| self.text(Field::Outcome).and_then(|word| outcome_word(&word)));
        event.retry_count = self.pick(Field::Retry).and_then(|value| count(&value));
        if event.retry_count.is_none() {
            // The first attempt is no retry.
            event.retry_count =
                self.pick(Field::Attempt).and_then(|value| count(&value)).map(|try_no| try_no.saturating_sub(1));
        }
        event.health = self.text(Field::Health).and_then(|word| health_word(&word));
        event.login = self.text(Field::Login).and_then(|word| login_word(&word));
    }

    fn duration(&mut self) -> Option<f64> {
        let units = [(Field::Millis, 1.0), (Field::Seconds, 1e3), (Field::Micros, 1e-3), (Field::Nanos, 1e-6)];
        let read = units.into_iter().find_map(|(field, factor)| {
            let value = self.pick(field)?;
            let millis = value.number().map(|number| number * factor);
            millis.or_else(|| if let Json::Text(text) = &value { measure::duration(text) } else { None })
        });
        read.filter(|millis| (0.0..1e12).contains(millis))
    }

    fn people(&mut self, event: &mut LogEvent<'a>) {
        event.user_id = self.outside(Field::User).or_else(|| self.head.user.map(Untrusted::from));
        event.session_id = self.outside(Field::Session);
        event.conversation_id = self.outside(Field::Conversation);
        let written = self.slots[Field::Address as usize].take();
        event.remote_addr = match written {
            Some(Slot { name, value: Json::Text(text), .. }) => match owned_address(&text) {
                Some(found) => Some(Untrusted::new(found)),
                None if is_host_name(&text) => Some(Untrusted::new(text)),
                None => {
                    self.attribute(name, Json::Text(text));
                    None
                }
            },
            // A chain, as proxies write it: the client first.
            Some(Slot { name, value: Json::List(hops), .. }) => {
                let first = if let Some(Json::Text(text)) = hops.first() { owned_address(text) } else { None };
                let first = first.map(|found| Untrusted::new(Cow::Owned(found.into_owned())));
                self.attribute(name, Json::List(hops));
                first
            }
            _ => None,
        };
        let whence = self.whence(event.remote_addr.is_none());
        event.remote_addr = event.remote_addr.take().or(whence);
        event.remote_addr = event.remote_addr.take().or_else(|| self.head.address.take().map(Untrusted::new));
        event.affected_users = self.list(Field::Affected);
    }

    /// An address under a name that may mean something else: it counts only where it is one.
    fn whence(&mut self, wanted: bool) -> Option<Untrusted<'a>> {
        let slot = self.slots[Field::Whence as usize].take()?;
        let found = if let (true, Json::Text(text)) = (wanted, &slot.value) { owned_address(text) } else { None };
        if found.is_none() {
            self.attribute(slot.name, slot.value);
        }
        found.map(Untrusted::new)
    }

    fn extras(&mut self, event: &mut LogEvent<'a>) {
        event.category = self.text(Field::Category).and_then(|word| self.category(&word));
        event.suggested_actions = self.list(Field::Suggested);
        event.auto_fix_available = self.pick(Field::AutoFix).and_then(|value| truth(&value)).unwrap_or(false);
        event.metric = self.outside(Field::Metric);
        let value = self.slots[Field::Value as usize].take();
        if event.metric.is_some() {
            event.value = value.and_then(|slot| slot.value.number());
            event.unit = self.outside(Field::Unit);
        } else {
            let unit = self.slots[Field::Unit as usize].take();
            for slot in value.into_iter().chain(unit) {
                self.attribute(slot.name, slot.value);
            }
        }
    }

    /// A word that is no category of ours stays an attribute.
    fn category(&mut self, word: &str) -> Option<Category> {
        let all = [Category::Performance, Category::Security, Category::Data, Category::Ui, Category::UserFriction];
        let found = all.into_iter().find(|category| category.word().eq_ignore_ascii_case(word));
        if found.is_none() {
            self.keep("category", Value::String(word.to_owned()));
        }
        found
    }

    fn list(&mut self, field: Field) -> Vec<Untrusted<'a>> {
        let texts = |item| if let Json::Text(text) = item { Some(Untrusted::new(text)) } else { None };
        match self.pick(field) {
            Some(Json::List(items)) => items.into_iter().filter_map(texts).collect(),
            Some(Json::Text(text)) => vec![Untrusted::new(text)],
            _ => Vec::new(),
        }
    }

    fn request(&mut self, event: &mut LogEvent<'a>) -> Request<'a> {
        let mut status = self.head.status;
        if let Some(slot) = self.slots[Field::Status as usize].take() {
            let number = slot.value.number().filter(|number| (0.0..1000.0).contains(number));
            status = number.map(|number| number as u16).or(status);
            if let Json::Text(word) = &slot.value {
                event.success = event.success.or_else(|| outcome_word(word));
                let speaks = event.component.is_some() && event.health.is_none();
                event.health = event.health.or_else(|| if speaks { health_word(word) } else { None });
            }
            if number.is_none() {
                self.attribute(slot.name, slot.value);
            }
        }
        let method = self.text(Field::Method).or_else(|| self.head.method.map(Cow::Borrowed));
        if let Some(status) = status.filter(|status| *status >= 100) {
            let by_status = if status < 400 { Some(true) } else { (status >= 500).then_some(false) };
            event.success = event.success.or(by_status);
        }
        Request { status, method, path: self.text(Field::Path).or_else(|| self.head.path.map(Cow::Borrowed)) }
    }

    /// Class and stack go to their places; the text of the error comes back.
    fn error(&mut self, event: &mut LogEvent<'a>) -> Option<Cow<'a, str>> {
        event.error_type = self.outside(Field::ErrorType);
        if let Some(stack) = self.text(Field::Stack) {
            if event.error_type.is_none() {
                event.error_type = measure::error_class(&stack).map(|class| Untrusted::new(class.to_owned()));
            }
            self.keep("stack", Value::String(stack.into_owned()));
        }
        let text = self.text(Field::ErrorText).filter(|text| !matches!(&**text, "false" | "true" | "0"))?;
        if event.error_type.is_none() {
            event.error_type = measure::error_class(&text).map(|class| Untrusted::new(class.to_owned()));
        }
        Some(text)
    }

    /// What the record itself says of its loudness; a severity word of ours goes to its place.
    fn level(&mut self, event: &mut LogEvent<'a>) -> Option<Level> {
        let severity = self.text(Field::Severity);
        event.severity = severity.as_deref().and_then(level::severity);
        let by_level = self.pick(Field::Level).and_then(|value| read_level(&value));
        let by_number = self.pick(Field::LevelNumber).and_then(|value| level::otel(value.number()?));
        let by_severity =
            || severity.as_deref().and_then(|word| level::word(word).or_else(|| level::number(word.parse().ok()?)));
        by_level.or(by_number).or_else(by_severity).or(self.head.level)
    }

    fn message(
        &mut self,
        record: &'a str,
        event: Option<&str>,
        error: Option<&str>,
        request: &Request<'_>,
    ) -> Cow<'a, str> {
        if let Some(message) = self.text(Field::Message) {
            return message;
        }
        if let Some(message) = self.head.message {
            return Cow::Borrowed(message);
        }
        let parts = [event.map(str::to_owned), request.words(), error.map(str::to_owned)];
        let composed = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
        if composed.is_empty() { Cow::Borrowed(record) } else { Cow::Owned(composed) }
    }
}

fn loudness(event: &LogEvent<'_>, said: Option<Level>, error: bool, message: &str, status: Option<u16>) -> Level {
    if said == Some(Level::Metric) || (event.metric.is_some() && event.value.is_some()) {
        return Level::Metric;
    }
    let broken = || {
        error
            || event.error_type.is_some()
            || status.is_some_and(|status| status >= 500)
            || message.starts_with("Traceback (most recent call last)")
            || message.starts_with("panic: ")
    };
    said.unwrap_or_else(|| if broken() { Level::Error } else { Level::Info })
}

/// The field that a key stands for here, and its rank among the names of that field.
fn meaning(key: &str, place: &Place<'_>) -> Option<(Field, u32)> {
    let nested = place.depth * RANK_A_LEVEL;
    let joined = place.name.join(key).and_then(|name| name.field());
    if let Some((field, rank)) = joined {
        return Some((field, rank + nested));
    }
    // `account: {ip}`, `meta.remote_ip`: who and from where mean the same wherever they stand.
    let last = key.rsplit('.').next().filter(|last| !place.name.is_empty() || last.len() < key.len())?;
    let (field, rank) = Name::EMPTY.join(last).and_then(|name| name.field())?;
    let personal = matches!(field, Field::Address | Field::Whence | Field::User | Field::Trace);
    personal.then_some((field, rank + nested + RANK_A_LEVEL / 2))
}

/// Names that are believed in a sentence, where `host=` or `time=` may be about anything.
fn believed_in_prose(field: Field) -> bool {
    matches!(
        field,
        Field::User
            | Field::Address
            | Field::Session
            | Field::Conversation
            | Field::Operation
            | Field::Millis
            | Field::Seconds
            | Field::Micros
            | Field::Status
            | Field::Trace
            | Field::Retry
            | Field::ErrorType
            | Field::Health
            | Field::Component
    )
}

fn is_pair(item: &Json<'_>) -> bool {
    matches!(item, Json::Object(pairs) if pairs.len() == 2
        && pairs.iter().any(|(key, value)| key == "key" && matches!(value, Json::Text(_)))
        && pairs.iter().any(|(key, _)| key == "value"))
}

fn into_pair(item: Json<'_>) -> Option<(Cow<'_, str>, Json<'_>)> {
    let Json::Object(pairs) = item else { return None };
    let (mut key, mut value) = (None, None);
    for (name, inner) in pairs {
        match (&*name, inner) {
            ("key", Json::Text(text)) => key = Some(text),
            (_, Json::Object(mut typed)) if typed.len() == 1 && typed[0].0.ends_with("Value") => {
                value = typed.pop().map(|(_, inner)| inner);
            }
            (_, inner) => value = Some(inner),
        }
    }
    key.zip(value)
}

fn owned_address<'a>(text: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    match text {
        Cow::Borrowed(text) => address::read(text),
        Cow::Owned(text) => address::read(text).map(|found| Cow::Owned(found.into_owned())),
    }
}
