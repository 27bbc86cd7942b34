//! A source that should speak and does not: a service, or a component's heartbeat.
//!
//! How often a source speaks is learned from itself, so a rare speaker may be silent for long. Time
//! that nobody watched (a hole in a recording, a restart) is nobody's silence. All lines together are a
//! source too: when that one is silent it is one problem, and nobody is blamed alone.

use stella_protocol::{
    AlertType, Category, Figure, LineId, LogEvent, LogLink, Measure, Severity, Text, Timestamp, Untrusted,
};

use crate::budget::Kind;
use crate::cells::Cells;
use crate::evidence::{Card, Case, Story, lasting, several, words};
use crate::finding::Phase;
use crate::incident::{Desk, Near, Subject};
use crate::keep::{Keep, Reader, keep_fields};
use crate::key;
use crate::mark::{Flags, Mark};
use crate::rules::{Known, Limit, Rules};
use crate::scope::Scope;

const CARD: Card = Card { id: "silence", kind: AlertType::Silence, category: Category::Performance };
/// Its rule.
pub(crate) const RULE: &str = CARD.id;

/// Average of the last gaps: one in so many each. About the number from which a rhythm is known, so that
/// the evening's slower one is followed.
const LATELY: f64 = 20.0;
/// How regular a rhythm is believed to be at most and at least: the shape of the gamma distribution of its
/// gaps (1: arrivals at random; 4: a heartbeat with a little jitter).
const SHAPES: (f64, f64) = (0.25, 4.0);

/// A source that came when others had been speaking for a while may go again, as a batch does: it is expected
/// to stay only when it has stayed for so many times as long as one that was there from the start.
const NEWCOMER: i64 = 8;

/// Arrivals after which the longest gap of before the last as many is forgotten.
const GENERATION: u64 = 1000;
/// While a silence lasts it counts as a match each so often, so that it does not look over.
const STILL_MS: i64 = 30_000;

/// Who is silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Speaker {
    Service(Box<str>),
    Component(Box<str>),
    Everybody,
}

impl Speaker {
    /// Who; nobody in particular is nameless.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Service(name) | Self::Component(name) => name,
            Self::Everybody => "",
        }
    }
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) speaker: Speaker,
    last_at: i64,
    last_line: u64,
    /// The longest usual gap, and how long a silence was allowed, in milliseconds.
    longest: i64,
    limit: i64,
}

/// The rhythm of a source.
#[derive(Debug)]
struct Pulse {
    speaker: Speaker,
    first_at: i64,
    last_at: i64,
    last_line: u64,
    arrivals: u64,
    longest: [i64; 2],
    /// All learned gaps together, in milliseconds.
    spoken: i64,
    /// Mean of the last gaps, and of their squares.
    mean: f64,
    square: f64,
    silences: u32,
    silent: bool,
}

impl Pulse {
    fn new(speaker: Speaker, mark: &Mark) -> Self {
        Self {
            speaker,
            first_at: mark.at,
            last_at: mark.at,
            last_line: mark.line,
            arrivals: 0,
            longest: [0; 2],
            spoken: 0,
            mean: 0.0,
            square: 0.0,
            silences: 0,
            silent: false,
        }
    }

    /// Takes in a line of it. True: a silence is over.
    fn hear(&mut self, mark: &Mark, resumed_at: i64) -> bool {
        let (gap, was_silent) = (mark.at - self.last_at, std::mem::take(&mut self.silent));
        self.silences += u32::from(was_silent);
        // The first silence was none of its rhythm; who is silent again and again has it in its rhythm.
        if if was_silent { self.silences > 1 } else { self.last_at >= resumed_at } {
            self.learn(gap);
        }
        (self.last_at, self.last_line) = (mark.at, mark.line);
        was_silent
    }

    /// It as somebody silent, when it is so for longer than it may be.
    fn beyond(&self, near: Near<'_>, resumed_at: i64) -> Option<Source> {
        if self.silent {
            return None;
        }
        let silent_ms = near.recent.now - self.last_at.max(resumed_at);
        let limit = self.allowed(near, silent_ms).filter(|limit| silent_ms > *limit)?;
        let Self { speaker, last_at, last_line, .. } = self;
        let (last_at, last_line) = (*last_at, *last_line);
        Some(Source { speaker: speaker.clone(), last_at, last_line, longest: self.longest(), limit })
    }

    fn longest(&self) -> i64 {
        self.longest[0].max(self.longest[1])
    }

    fn learn(&mut self, gap: i64) {
        self.longest[0] = self.longest[0].max(gap);
        self.spoken = self.spoken.saturating_add(gap);
        self.arrivals += 1;
        let (gap, part) = (gap as f64, 1.0 / LATELY.min(self.arrivals as f64));
        self.mean += (gap - self.mean) * part;
        self.square += (gap * gap - self.square) * part;
        if self.arrivals.is_multiple_of(GENERATION) {
            self.longest = [0, self.longest[0]];
        }
    }

    fn is_known(&self, rules: &Rules, first_line_at: i64) -> bool {
        let came_late = self.first_at - first_line_at > rules.silence_age_ms;
        let age = rules.silence_age_ms * if came_late { NEWCOMER } else { 1 };
        let old = matches!(self.speaker, Speaker::Component(_)) || self.last_at - self.first_at >= age;
        self.arrivals >= u64::from(rules.silence_arrivals) && old && self.is_steady()
    }

    /// True when gaps are no longer than chance makes them: of n arrivals at random the longest gap is
    /// about ln n times the mean (the maximum of n exponential variables), and twice that is allowed.
    /// A source that speaks in bursts says nothing by being silent.
    fn is_steady(&self) -> bool {
        let arrivals = self.arrivals as f64;
        self.longest() as f64 <= 2.0 * arrivals.ln() * (self.spoken as f64 / arrivals)
    }

    /// How long it may be silent, in milliseconds: until chance makes so long a gap as seldom as the budget
    /// says, by the tail of a gamma distribution with the mean and the regularity of the last gaps (Chernoff's
    /// bound: shape times (t - 1 - ln t), t in means), and never less than some of its longest gaps.
    fn limit(&self, rules: &Rules, needed: f64) -> i64 {
        let variance = (self.square - self.mean * self.mean).max(0.0);
        let (least, most) = SHAPES;
        let shape = if variance > 0.0 { (self.mean * self.mean / variance).clamp(least, most) } else { most };
        let wanted = needed / shape;
        // A fixed point of t = wanted + 1 + ln t; eight rounds from above are more than exact enough.
        let means = (0..8).fold(2.0 * (wanted + 1.0), |means: f64, _| wanted + 1.0 + means.ln());
        let by_rhythm = (means * self.mean).min(i64::MAX as f64 / 4.0) as i64;
        rules.silence_ms.max(by_rhythm).max(self.longest().saturating_mul(rules.silence_gaps))
    }
}

impl Pulse {
    /// How long it may be silent, in milliseconds: as somebody set, else by its rhythm. None: it may be so long.
    fn allowed(&self, near: Near<'_>, silent_ms: i64) -> Option<i64> {
        let Near { rules, budget, .. } = near;
        if (silent_ms as f64) < Limit::SilentMs.bounds().0 {
            return None;
        }
        let tuned = rules.tuned(self.speaker.name(), None);
        if let Some(limit) = tuned.limit_or(Limit::SilentMs, None) {
            return Some(limit as i64);
        }
        let needed = || budget.needed_besides(Kind::Silence, tuned.more(Known::Silence));
        (silent_ms > rules.silence_ms && self.is_known(rules, near.recent.first_line_at))
            .then(|| self.limit(rules, needed()))
    }
}

/// Every source.
#[derive(Debug)]
pub(crate) struct Pulses {
    cells: Cells<Pulse>,
    /// All lines together.
    all: Option<Pulse>,
    watched_at: i64,
    /// Silence counts from here at the earliest.
    resumed_at: i64,
}

fn key_of(source: u64) -> u64 {
    key::join(&[key::own(CARD.id), source])
}

/// The key of the silence of all.
fn everybody() -> u64 {
    key_of(key::NONE)
}

impl Pulses {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.operations), all: None, watched_at: i64::MIN, resumed_at: i64::MIN }
    }

    /// Notes that somebody watches; a hole since the last time is nobody's silence.
    fn watch(&mut self, now: i64, rules: &Rules) {
        if self.watched_at == i64::MIN || now - self.watched_at > rules.silence_ms / 2 {
            self.resumed_at = now;
        }
        self.watched_at = now;
    }

    /// A line: its service spoke, and its component.
    pub(crate) fn observe(&mut self, desk: &mut Desk, near: Near<'_>, mark: &Mark, event: &LogEvent<'_>) {
        self.watch(mark.at, near.rules);
        let all = self.all.get_or_insert_with(|| Pulse::new(Speaker::Everybody, mark));
        if all.hear(mark, self.resumed_at) {
            desk.recover(near, everybody());
            self.resumed_at = mark.at;
        }
        let service = event.service.raw();
        if !service.is_empty() && service.len() <= key::LONGEST_NAME {
            self.heard(desk, near, mark, mark.service, || Speaker::Service(service.into()));
        }
        if let Some(component) = event.component.as_ref().map(Untrusted::raw)
            && component.len() <= key::LONGEST_NAME
        {
            let key = key::join(&[mark.component, 1]);
            self.heard(desk, near, mark, key, || Speaker::Component(component.into()));
        }
    }

    fn heard(&mut self, desk: &mut Desk, near: Near<'_>, mark: &Mark, source: u64, speaker: impl FnOnce() -> Speaker) {
        let pulse = self.cells.touch_or(source, || Pulse::new(speaker(), mark));
        if pulse.hear(mark, self.resumed_at) {
            desk.recover(near, key_of(source));
        }
    }

    /// Looks for those who should have spoken.
    pub(crate) fn advance(&mut self, desk: &mut Desk, near: Near<'_>) {
        let Near { recent, rules, .. } = near;
        let now = recent.now;
        self.watch(now, rules);
        desk.still_silent(STILL_MS, now);
        let resumed_at = self.resumed_at;
        let Some(all) = &mut self.all else { return };
        let known = self.cells.iter().filter(|(_, pulse)| pulse.is_known(rules, recent.first_line_at)).count();
        if known > 1 {
            if all.silent {
                return;
            }
            if let Some(source) = all.beyond(near, resumed_at) {
                all.silent = true;
                open(desk, near, everybody(), source);
                return;
            }
            // While nobody speaks it cannot be told whether one is silent or all are: half of what all may be
            // silent is waited for, for either.
            let quiet_ms = now - all.last_at;
            let may = all.allowed(near, quiet_ms.max(rules.silence_ms + 1));
            if may.is_some_and(|limit| quiet_ms > limit / 2) {
                return;
            }
        }
        for (source, pulse) in self.cells.iter_mut() {
            if let Some(beyond) = pulse.beyond(near, resumed_at) {
                pulse.silent = true;
                open(desk, near, key_of(source), beyond);
            }
        }
    }
}

fn open(desk: &mut Desk, near: Near<'_>, key: u64, source: Source) {
    if desk.get(key).is_none() {
        let last_at = source.last_at;
        desk.open(near, key, Subject::Silent(source), last_at, 1);
    }
}

fn scope(speaker: &Speaker) -> Scope {
    match speaker {
        Speaker::Service(name) => Scope { service: Some(name.clone()), ..Scope::default() },
        Speaker::Component(name) => Scope { component: Some(name.clone()), ..Scope::default() },
        Speaker::Everybody => Scope::default(),
    }
}

/// A source that is silent, or speaks again.
pub(crate) fn tell(case: &Case<'_>, source: &Source, phase: Phase) -> Story {
    let (now, own) = (case.now(), scope(&source.speaker));
    let silent = Figure {
        name: "silent for".into(),
        value: (now - source.last_at) as f64 / 1000.0,
        unit: "s".into(),
        measure: Measure::SecondsSinceLast,
        lines: LogLink {
            q: Text::from(own.q()),
            from: Timestamp::from_millis(source.last_at),
            to: Timestamp::from_millis(now),
            up_to: Some(LineId(case.recent.last_line)),
        },
    };
    let name = match &source.speaker {
        Speaker::Service(name) | Speaker::Component(name) => name.to_string(),
        Speaker::Everybody => "every source".to_owned(),
    };
    let (lasting, usual) = (lasting(now - source.last_at), lasting(source.longest + 999));
    let mut reasons = vec![case.reason(0.6, format!("nothing for {}", words(&silent)), vec![silent.clone()])];
    reasons.push(case.reason(
        0.2,
        "the rhythm before the silence was learned from this source itself".into(),
        Vec::new(),
    ));
    let unwell = Scope { need: Flags::UNWELL, ..own.clone() };
    if let Some(figure) = case.count("lines that say degraded or down", &unwell, case.before()) {
        let (weight, lines) =
            match several(figure.value, "line before the silence says", "lines before the silence say") {
                lines if figure.value > 0.0 => (0.3, lines),
                _ => (-0.1, "no line before the silence says".to_owned()),
            };
        let text = format!("{lines} degraded or down");
        reasons.push(case.reason(weight, text, vec![figure]));
    }
    reasons.extend(case.deploys());
    reasons.push(case.reason(
        -0.1,
        "no baseline yet: silences of this source are not kept over days".into(),
        Vec::new(),
    ));
    let (kind, label) = match &source.speaker {
        Speaker::Service(name) => ("service", name.to_string()),
        Speaker::Component(name) => ("component", name.to_string()),
        Speaker::Everybody => ("scope", "everything".to_owned()),
    };
    Story {
        card: CARD,
        severity: if source.speaker == Speaker::Everybody { Severity::Critical } else { Severity::High },
        title: match phase {
            Phase::Firing => format!("{name} silent for {lasting} (usual gap at most {usual})"),
            Phase::Recovered => format!("{name} speaks again after {lasting}"),
        },
        summary: format!("Nothing came from {name} for {lasting}; until then no gap was longer than {usual}."),
        service: if kind == "service" { label.clone() } else { String::new() },
        operation: None,
        labels: vec![(kind, label)],
        actions: vec![
            "Check that the process runs and can reach this server".into(),
            "Read the last lines before the silence".into(),
        ],
        window_ms: case.rules.silence_ms,
        scope: own,
        q: None,
        threshold: Some(source.limit as f64 / 1000.0),
        observed: Some(silent),
        usual: None,
        reasons,
        chart: None,
    }
}

keep_fields!(Source { speaker, last_at, last_line, longest, limit });
keep_fields!(Pulse {
    speaker,
    first_at,
    last_at,
    last_line,
    arrivals,
    longest,
    spoken,
    mean,
    square,
    silences,
    silent,
});
keep_fields!(Pulses { cells, all, watched_at, resumed_at });

impl Keep for Speaker {
    fn keep(&self, to: &mut Vec<u8>) {
        let (kind, name) = match self {
            Self::Service(name) => (0_u8, name.as_ref()),
            Self::Component(name) => (1, name.as_ref()),
            Self::Everybody => (2, ""),
        };
        kind.keep(to);
        name.to_owned().keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        let (kind, name) = <(u8, Box<str>)>::wake(from)?;
        match kind {
            0 => Some(Self::Service(name)),
            1 => Some(Self::Component(name)),
            2 => Some(Self::Everybody),
            _ => None,
        }
    }
}
