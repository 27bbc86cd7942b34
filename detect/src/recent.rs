//! The near past: every line as a mark, offending ones whole, every operation's half hour.
//!
//! All figures are made here, over spans that are known to be whole: where something was forgotten,
//! `from` moves up. Knows no rule.

use stella_protocol::{Figure, Level, LineId, LogEvent, LogLink, Measure, Text, Timestamp, Untrusted};

use crate::cells::{Cells, Place};
use crate::counts::History;
use crate::deploys::{self, Deploys};
use crate::faults::Faults;
use crate::keep::keep_fields;
use crate::kept::Kept;
use crate::key::{self, Names};
use crate::mark::{Flags, Mark};
use crate::measure::Tally;
use crate::rules::friction::Habit;
use crate::rules::{Limit, Rules, Tuned};
use crate::scope::{OpName, Scope};
use crate::speed::Speed;
use crate::tape::{MOST_STEPS, Seq, Tape};
use crate::template::Templates;

/// Most users named by a line that are counted one by one.
const MOST_NAMED: usize = 64;
/// Calls after which an operation is no invention.
pub(crate) const ESTABLISHED_CALLS: u64 = 32;

/// Templates of offending lines that are known at once, about 2 kB each.
const TEMPLATES: usize = 1024;

/// What is known of an operation.
#[derive(Debug)]
pub(crate) struct OpCell {
    pub(crate) name: OpName,
    /// The fixed limit that somebody set for it.
    pub(crate) limit_ms: Option<f64>,
    /// What holds here.
    pub(crate) tuned: Tuned,
    pub(crate) history: History,
    pub(crate) speed: Speed,
    pub(crate) faults: Faults,
    pub(crate) habit: Habit,
    born: i64,
    last: Option<Seq>,
    pub(crate) calls: u64,
}

impl OpCell {
    fn new(at: i64, event: &LogEvent<'_>, rules: &Rules) -> Self {
        let operation = event.operation.as_ref().map(Untrusted::raw).filter(|name| *name != "-");
        let name = OpName { service: event.service.raw().into(), operation: operation.map(Into::into) };
        let mut new = Self {
            limit_ms: None,
            tuned: Tuned::USUAL,
            name,
            history: History::default(),
            speed: Speed::default(),
            faults: Faults::default(),
            habit: Habit::default(),
            born: at,
            last: None,
            calls: 0,
        };
        new.tune(rules);
        new
    }

    /// Looks up what holds here.
    fn tune(&mut self, rules: &Rules) {
        let operation = self.name.operation.as_deref();
        self.tuned = rules.tuned(&self.name.service, operation);
        let usual = rules.fixed_limit_ms(operation.unwrap_or_default());
        self.limit_ms = self.tuned.limit_or(Limit::DurationMs, usual);
    }
}

/// A span of engine time, cut at a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) up_to: u64,
}

/// The near past.
#[derive(Debug)]
pub(crate) struct Recent {
    pub(crate) ops: Cells<OpCell>,
    /// What holds for what is in no one place.
    pub(crate) everywhere: Tuned,
    pub(crate) now: i64,
    pub(crate) last_line: u64,
    pub(crate) last_line_at: i64,
    pub(crate) first_line_at: i64,
    pub(crate) lines: u64,
    pub(crate) deploys: Deploys,
    /// Of the messages of offending lines.
    templates: Templates,
    tape: Tape,
    kept: Kept,
    /// Counts by user are whole from here on.
    users_floor: i64,
    retries: u32,
}

impl Recent {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            ops: Cells::new(rules.operations),
            everywhere: rules.tuned("", None),
            now: i64::MIN,
            last_line: 0,
            last_line_at: i64::MIN,
            first_line_at: i64::MIN,
            lines: 0,
            deploys: Deploys::default(),
            templates: Templates::new(TEMPLATES),
            tape: Tape::new(rules.remembered_lines),
            kept: Kept::new(rules.kept_lines),
            users_floor: i64::MIN,
            retries: rules.retries,
        }
    }

    /// Takes over what `rules` set.
    pub(crate) fn set_limits(&mut self, rules: &Rules) {
        self.retries = rules.retries;
        self.everywhere = rules.tuned("", None);
        self.ops.iter_mut().for_each(|(_, cell)| cell.tune(rules));
    }

    /// What holds at an operation, by its key.
    pub(crate) fn tuned(&self, op: u64) -> &Tuned {
        self.ops.get(op).map_or(&Tuned::USUAL, |cell| &cell.tuned)
    }

    /// How many operations there are of which something is so.
    pub(crate) fn many(&self, is_so: impl Fn(&OpCell) -> bool) -> u32 {
        self.ops.iter().filter(|(_, cell)| is_so(cell)).count() as u32
    }

    /// Whether it is so of this operation; one that nobody knows is nothing.
    pub(crate) fn is(&self, op: &OpName, so: impl Fn(&OpCell) -> bool) -> bool {
        self.ops.get(op.key()).is_some_and(so)
    }

    /// Takes a line in. Says what it is and where its operation is.
    pub(crate) fn take(
        &mut self,
        line: LineId,
        event: &LogEvent<'_>,
        rules: &Rules,
        names: &mut Names,
    ) -> (Mark, Place) {
        let at = event.engine_time.millis().max(self.now);
        (self.now, self.last_line, self.last_line_at) = (at, line.0, at);
        self.first_line_at = if self.lines == 0 { at } else { self.first_line_at };
        self.lines += u64::from(event.weight.lines());
        let mut mark = Mark::of(line.0, at, event, names);
        if may_tell_of_deploys(event) {
            let ops = &self.ops;
            self.deploys.observe(event, at, |name| is_service(ops, name));
        }
        let place = self.ops.place_or(mark.op, || OpCell::new(at, event, rules));
        let cell = self.ops.at_mut(place);
        let bucket = cell.history.at(at);
        bucket.calls += mark.weight;
        bucket.failed += if mark.is_error() { mark.weight } else { 0 };
        if mark.duration.is_finite() {
            bucket.add_duration(mark.duration, cell.limit_ms.is_some_and(|limit| mark.duration > limit), mark.weight);
        }
        if mark.retries >= self.retries
            || mark.flags.any(Flags::FAILED.and(Flags::LOCKED_OUT).and(Flags::LOGIN_OK))
            || mark.flags.any(Flags::UNWELL.and(Flags::CONTRADICTION).and(Flags::DEPLOY))
        {
            mark.template = self.templates.learn(event.message.raw()).number();
            self.kept.push(line, event);
        }
        let before = cell.calls;
        cell.calls += u64::from(mark.weight);
        let established = before < ESTABLISHED_CALLS && cell.calls >= ESTABLISHED_CALLS;
        cell.last = Some(self.tape.push(mark, cell.last));
        if !event.affected_users.is_empty() {
            self.take_named_users(mark, event);
        }
        if established {
            self.ops.promote(mark.op);
        }
        (mark, place)
    }

    /// True when a line tells of a deploy, or of a start.
    pub(crate) fn tells_of_deploy(&self, event: &LogEvent<'_>) -> bool {
        may_tell_of_deploys(event) && deploys::is_told(event, |name| is_service(&self.ops, name))
    }

    /// True for a minute after a deploy of any service: what starts anew may stumble, and who calls it.
    pub(crate) fn is_deploying(&self) -> bool {
        self.deploys.any(self.now)
    }

    /// True for a minute after a deploy of the service with this key.
    pub(crate) fn is_being_deployed(&self, service: u64) -> bool {
        self.deploys.excuse(service, self.now)
    }

    /// The templates of offending lines.
    pub(crate) fn templates(&self) -> &Templates {
        &self.templates
    }

    /// A mark more for each other user that the line names, since a query by user finds it.
    fn take_named_users(&mut self, mark: Mark, event: &LogEvent<'_>) {
        let mut seen = vec![mark.user];
        if event.affected_users.len() > MOST_NAMED {
            self.users_floor = mark.at + 1;
        }
        for user in event.affected_users.iter().take(MOST_NAMED) {
            let user = key::of(user.raw());
            if seen.contains(&user) {
                continue;
            }
            seen.push(user);
            let named = Mark { user, flags: mark.flags.and(Flags::NAMED_USER), ..mark };
            if let Some(cell) = self.ops.touch(mark.op) {
                cell.last = Some(self.tape.push(named, cell.last));
            }
        }
    }

    /// Keeps a line whole that does not look like trouble by itself: the newest one.
    pub(crate) fn keep(&mut self, line: LineId, event: &LogEvent<'_>) {
        self.kept.push(line, event);
        self.tape.name_newest(self.templates.learn(event.message.raw()).number());
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The last `window_ms` up to now, in whole buckets.
    pub(crate) fn span(&self, window_ms: i64) -> Span {
        self.span_from(crate::counts::span_start(self.now, window_ms))
    }

    /// From `from` up to now.
    pub(crate) fn span_from(&self, from: i64) -> Span {
        Span { from, to: self.now + 1, up_to: self.last_line }
    }

    /// Earliest `from` over which nothing of `scope` was forgotten.
    fn floor(&self, scope: &Scope) -> i64 {
        let mut floor = self.tape.floor();
        if let Some(op) = &scope.op
            && !scope.is_rare()
            && self.ops.has_evicted()
        {
            floor = floor.max(self.ops.get(op.key()).map_or(self.now + 1, |cell| cell.born + 1));
        }
        if scope.words.is_some() || scope.metric.is_some() {
            floor = floor.max(self.kept.floor());
        }
        if scope.user.is_some() { floor.max(self.users_floor) } else { floor }
    }

    /// The lines of `scope` in `span`, oldest first, and from where on they are whole.
    pub(crate) fn walk(&self, scope: &Scope, span: Span) -> (Vec<&Mark>, i64) {
        let filter = scope.filter();
        debug_assert!(scope.op.is_some() || scope.is_rare(), "no thread holds these lines");
        match filter.op {
            Some(op) if !scope.is_rare() => {
                let start = self.ops.get(op).and_then(|cell| cell.last);
                self.gather(self.tape.back(start), scope, span)
            }
            _ => self.gather(self.tape.rare(), scope, span),
        }
    }

    /// Of `marks`, newest first, those of `scope` in `span`, oldest first; a walk that is too long starts later.
    fn gather<'a>(&self, marks: impl Iterator<Item = &'a Mark>, scope: &Scope, span: Span) -> (Vec<&'a Mark>, i64) {
        let filter = scope.filter();
        let mut from = span.from.max(self.floor(scope));
        let mut found = Vec::new();
        for (step, mark) in marks.enumerate() {
            if mark.at < from {
                break;
            }
            if step >= MOST_STEPS {
                from = mark.at + 1;
                break;
            }
            if mark.at < span.to && mark.line <= span.up_to && filter.fits(mark) && self.says(mark, scope) {
                found.push(mark);
            }
        }
        found.retain(|mark| mark.at >= from);
        found.reverse();
        (found, from)
    }

    fn says(&self, mark: &Mark, scope: &Scope) -> bool {
        if scope.words.is_none() && scope.metric.is_none() {
            return true;
        }
        let Some((_, event)) = self.kept.get(mark.line) else { return false };
        let says =
            |words: &str| crate::mark::says(event.message.raw().as_bytes(), words.to_ascii_lowercase().as_bytes());
        let samples = |metric: &str| event.metric.as_ref().map(Untrusted::raw) == Some(metric);
        scope.words.as_deref().is_none_or(says) && scope.metric.as_deref().is_none_or(samples)
    }

    /// A number over lines, exact; None where no line says anything.
    pub(crate) fn figure(&self, name: &str, measure: Measure, scope: &Scope, span: Span) -> Option<Figure> {
        let (marks, from) = self.walk(scope, span);
        let mut tally = Tally::new(measure);
        for mark in marks {
            tally.add(&mark.facts());
        }
        let to = span.to.max(from);
        let value = tally.value(to)?;
        let unit = match measure {
            Measure::MeanDuration | Measure::MaxDuration | Measure::MedianDuration => "ms",
            Measure::FailurePercent => "%",
            Measure::SecondsSinceLast => "s",
            _ => "count",
        };
        let lines = link(scope, Span { from, to, ..span });
        Some(Figure { name: Text::from(name.to_owned()), value, unit: unit.into(), measure, lines })
    }
}

/// Lines without an operation may speak of deploys in words, any line in this attribute.
fn may_tell_of_deploys(event: &LogEvent<'_>) -> bool {
    // Lines have few attributes: to look at the lengths of their names is faster than to search among them.
    const TOLD: &str = "deploy.revision";
    let speaks = event.operation.is_none() && event.level != Level::Metric;
    speaks || event.attributes.keys().any(|name| name.len() == TOLD.len() && name == TOLD)
}

fn is_service(ops: &Cells<OpCell>, name: &str) -> bool {
    ops.iter().any(|(_, cell)| *cell.name.service == *name)
}

/// The lines of `scope` in `span`, for whoever wants to read them.
pub(crate) fn link(scope: &Scope, span: Span) -> LogLink {
    LogLink {
        q: Text::from(scope.q()),
        from: Timestamp::from_millis(span.from),
        to: Timestamp::from_millis(span.to),
        up_to: Some(LineId(span.up_to)),
    }
}

keep_fields!(OpCell { name, limit_ms, tuned, history, speed, faults, habit, born, last, calls });
keep_fields!(Recent {
    ops,
    everywhere,
    now,
    last_line,
    last_line_at,
    first_line_at,
    lines,
    deploys,
    templates,
    tape,
    kept,
    users_floor,
    retries,
});
