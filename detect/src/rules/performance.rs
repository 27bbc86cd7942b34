//! Slower than usual: one operation, or all of them at once.
//!
//! Every duration is compared with its own operation's baseline and says something for or against a
//! slowdown; the sum decides. A limit that somebody set is a rule besides: half of the calls over it.
//! Of the first design's global mean nothing remains: a mean over all operations moves with the mix.

use rustc_hash::FxHashMap;
use stella_protocol::{AlertType, Category, Measure};

use crate::budget::{Budget, Kind};
use crate::cells::Place;
use crate::counts::Bucket;
use crate::evidence::Card;
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::mark::{self, Mark};
use crate::overall::Overall;
use crate::recent::{OpCell, Recent, Span};
use crate::rules::{Known, Rules};
use crate::scope::{OpName, Scope};
use crate::speed::Sought;

mod story;

pub(crate) use story::{tell, tell_everywhere};

const CARD: Card = Card { id: "slow", kind: AlertType::PerformanceDegradation, category: Category::Performance };
const EVERYWHERE: Card = Card { id: "slow.everywhere", ..CARD };
/// Its rules.
pub(crate) const RULES: [&str; 2] = [CARD.id, EVERYWHERE.id];

/// Calls before a span from which it is known how slow an operation usually is.
const USUAL_CALLS: u32 = 20;
/// Share of calls over a limit that somebody set under which slowness is over, in percent.
const OVER_SHARE: u32 = 25;
/// One problem, when at least this part (one in so many) of the busy operations is slow.
const EVERYWHERE_PART: u32 = 3;
/// Of the evidence that an alert needs, what must be left for one of everything without the operation
/// that says most.
const REST_PART: f64 = 0.5;
/// Calls of an operation whose callers are weighed, and how long before them a caller is known from, in
/// milliseconds.
const CALLERS_CALLS: usize = 200;
const BEFORE_MS: i64 = 1_800_000;
/// Calls of others from which they speak for themselves.
const OTHERS: usize = 2;
/// How long an operation waits while all seem to become slow, so that the one alert comes first.
const WAIT_MS: i64 = 10_000;

pub(crate) fn key_of(op: u64) -> u64 {
    key::join(&[key::own(CARD.id), op])
}

pub(crate) fn everywhere_key() -> u64 {
    key::own(EVERYWHERE.id)
}

/// The window in which an operation has enough calls, and what happened in it.
fn window(cell: &OpCell, now: i64, rules: &Rules) -> (i64, Bucket) {
    cell.history.window(now, rules.windows(), |near| near.timed >= 2 * rules.slow_calls)
}

/// True when half of the calls are over the limit that somebody set: the lower median is exactly when so
/// few are not.
fn is_over_limit(cell: &OpCell, now: i64, rules: &Rules) -> bool {
    let (_, sum) = window(cell, now, rules);
    cell.limit_ms.is_some() && sum.slow >= rules.slow_calls && sum.timed - sum.slow <= (sum.timed - 1) / 2
}

/// What a call made of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing of note.
    Nothing,
    /// It is one of the slow calls of an alert that is on, or may become one.
    Slow,
}

/// The suspicion that all are slow.
#[derive(Debug, Default)]
pub(crate) struct Slowness {
    overall: Overall,
}

impl Slowness {
    /// A call with a duration.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        recent: &mut Recent,
        rules: &Rules,
        budget: &mut Budget,
        (place, mark): (Place, &Mark),
    ) -> Said {
        budget.count_many(Kind::Slow, mark.weight);
        let (now, needed_everywhere) = (recent.now, needed_everywhere(recent, budget));
        let grace = if recent.is_being_deployed(mark.service) { rules.slow_ratio } else { 1.0 };
        let sought = Sought { ratio: rules.slow_ratio, great: rules.slow_ratio * 2.0, grace };
        let cell = recent.ops.at_mut(place);
        let needed = budget.needed_besides(Kind::Slow, cell.tuned.more(Known::Slow));
        let part = cell.speed.part(mark.weight);
        if let Some(against) = cell.speed.take((mark.duration, mark.is_error()), part, now, needed, sought) {
            let llr = part * against.evidence(rules.everywhere_ratio);
            self.overall.add(&mut cell.speed.part, (llr, mark.weight), now);
        }
        if self.overall.is_due(needed_everywhere, now) && desk.get(everywhere_key()).is_none() {
            self.open_everywhere(desk, recent, rules, budget);
        }
        let cell = recent.ops.at_mut(place);
        if cell.speed.slow {
            if mark.duration <= cell.speed.over_ms {
                return Said::Nothing;
            }
            let told = desk.touch_many(everywhere_key(), now, mark.weight);
            if !told || has_limit(cell) {
                desk.touch_many(key_of(mark.op), now, mark.weight);
            }
            return Said::Slow;
        }
        let limit = cell.limit_ms.filter(|limit| mark.duration > *limit);
        if limit.is_some() && is_over_limit(cell, now, rules) {
            Self::open(desk, recent, rules, budget, mark.op, limit);
            return Said::Slow;
        }
        let page = cell.speed.watch.best();
        if page.score < needed / 4.0 {
            return Said::Nothing;
        }
        if cell.speed.is_slower(needed, rules.slow_calls, rules.slow_ratio)
            && Self::is_of_many(recent, place, rules, needed)
            && self.may_open(desk, recent, place, needed)
        {
            Self::open(desk, recent, rules, budget, mark.op, None);
        }
        Said::Slow
    }

    /// True when it is not one caller who makes it up; looked at once a second. What one caller made up is forgotten, so
    /// that it is not held against the operation when that caller is gone.
    fn is_of_many(recent: &mut Recent, place: Place, rules: &Rules, needed: f64) -> bool {
        let second = recent.now.div_euclid(1000);
        let speed = &mut recent.ops.at_mut(place).speed;
        if std::mem::replace(&mut speed.weighed_at, second) == second {
            return false;
        }
        let one = Self::is_one_caller(recent, place, rules, needed);
        if one {
            recent.ops.at_mut(place).speed.acquit();
        }
        !one
    }

    /// True when one caller makes it up: a job that asks for much each time is no slowness, when it asks under its
    /// own name and all others are as fast as ever. Looked at in the calls since
    /// the suspicion began.
    fn is_one_caller(recent: &mut Recent, place: Place, rules: &Rules, needed: f64) -> bool {
        let now = recent.now;
        let cell = recent.ops.at_mut(place);
        let (name, began) = (cell.name.clone(), cell.speed.watch.best().began);
        let span = recent.span_from(began.max(now - rules.security_window_ms));
        let (marks, _) = recent.walk(&Scope::of_op(&name), span);
        let Some(cell) = recent.ops.get(name.key()) else { return false };
        let mut callers: FxHashMap<u64, (usize, f64)> = FxHashMap::default();
        let mut all = (0_usize, 0.0);
        for mark in marks.iter().rev().take(CALLERS_CALLS) {
            let Some(says) = cell.speed.says(mark.duration, rules.slow_ratio) else { continue };
            // A quick failure is not a quick call; a slow one counted as any other.
            if mark.is_error() && says <= 0.0 {
                continue;
            }
            all = (all.0 + 1, all.1 + says);
            let caller = callers.entry(mark.user).or_default();
            *caller = (caller.0 + 1, caller.1 + says);
        }
        callers.remove(&key::NONE);
        let most = callers.into_iter().max_by(|one, other| one.1.1.total_cmp(&other.1.1));
        let Some((caller, (calls, says))) =
            most.filter(|(_, (calls, _))| *calls >= rules.slow_calls as usize || calls * 2 >= all.0)
        else {
            return false;
        };
        if all.0 - calls > OTHERS {
            return all.1 - says < needed * REST_PART;
        }
        // Hardly anybody else is there: who was not there before came with it, and whose calls were as slow before
        // it, has not become slow.
        let came = began - rules.window_ms;
        let before = Span { to: came, ..recent.span_from(came - BEFORE_MS) };
        let (marks, _) = recent.walk(&Scope::of_op(&name), before);
        let own = marks.iter().filter(|mark| mark.user == caller && !mark.is_error());
        let said: Vec<f64> = own.filter_map(|mark| cell.speed.says(mark.duration, rules.slow_ratio)).collect();
        said.is_empty() || said.iter().sum::<f64>() > 0.0
    }

    /// True when an operation that is slow need not wait for the alert of all.
    fn may_open(&self, desk: &Desk, recent: &mut Recent, place: Place, needed: f64) -> bool {
        let now = recent.now;
        let speed = &mut recent.ops.at_mut(place).speed;
        if speed.ready_at == 0 {
            speed.ready_at = now;
        }
        let all_seem_slow = self.overall.without(&speed.part) >= needed * REST_PART / 2.0
            && recent.everywhere.is_on(Known::SlowEverywhere);
        let speed = &mut recent.ops.at_mut(place).speed;
        desk.get(everywhere_key()).is_some() || !all_seem_slow || now - speed.ready_at >= WAIT_MS
    }

    /// An operation is slow: an alert of its own, or one more of those of the alert of all.
    fn open(desk: &mut Desk, recent: &mut Recent, rules: &Rules, budget: &Budget, op: u64, limit_ms: Option<f64>) {
        let now = recent.now;
        let Some(cell) = recent.ops.touch(op) else { return };
        let began = if limit_ms.is_some() { now - window(cell, now, rules).0 } else { cell.speed.watch.best().began };
        let name = cell.name.clone();
        match limit_ms {
            Some(limit_ms) => cell.speed.exceed(limit_ms),
            None => cell.speed.turn_on(now, rules.slow_ratio),
        }
        let scope = Scope::of_op(&name).over(cell.speed.over_ms);
        recent.ops.promote(op);
        if limit_ms.is_none() && desk.touch(everywhere_key(), now) {
            return;
        }
        let (marks, _) = recent.walk(&scope, recent.span_from(began));
        let (first, lines) = (marks.first().map_or(now, |mark| mark.at), mark::lines(&marks).max(1));
        // A limit is a rule besides: whoever set it is told of this operation, whatever the others do.
        if limit_ms.is_none() && is_everywhere(recent, rules) {
            Self::open_all(desk, recent, rules, budget, first, lines);
        } else {
            let near = Near { recent, rules, budget };
            desk.open(near, key_of(op), Subject::Slow(name), first, lines);
        }
    }

    /// Opens the alert of all when enough operations say so for themselves, and not one of them alone.
    fn open_everywhere(&mut self, desk: &mut Desk, recent: &mut Recent, rules: &Rules, budget: &Budget) {
        if !recent.everywhere.is_on(Known::SlowEverywhere) {
            return;
        }
        let (now, needed) = (recent.now, needed_everywhere(recent, budget));
        let parts = recent.ops.iter().map(|(_, cell)| &cell.speed.part);
        let weighed = self.overall.weigh(parts);
        let overall = self.overall;
        let says = |cell: &OpCell| {
            is_slower(cell) || overall.says(&cell.speed.part) && cell.speed.is_seen(rules.everywhere_ratio)
        };
        let saying = recent.ops.iter().filter(|(_, cell)| says(cell)).count() as u32;
        let shared = saying >= rules.slow_everywhere && weighed.is_half();
        if !shared || weighed.rest < needed * REST_PART {
            return;
        }
        let began = self.overall.page().began;
        for (_, cell) in recent.ops.iter_mut().filter(|(_, cell)| says(cell) && !is_slower(cell)) {
            cell.speed.turn_on(now, rules.everywhere_ratio);
        }
        Self::open_all(desk, recent, rules, budget, began, u64::from(saying));
    }

    fn open_all(desk: &mut Desk, recent: &Recent, rules: &Rules, budget: &Budget, first: i64, lines: u64) {
        desk.explain(|subject| matches!(subject, Subject::Slow(op) if !recent.is(op, has_limit)));
        let near = Near { recent, rules, budget };
        desk.open(near, everywhere_key(), Subject::SlowEverywhere, first, lines);
    }

    /// Notes which operations are fast enough again, or not called any more, and lets those speak that
    /// waited in vain for the alert of all.
    pub(crate) fn advance(&mut self, desk: &mut Desk, recent: &mut Recent, rules: &Rules, budget: &Budget) {
        let now = recent.now;
        let (mut still, mut waiting) = (0, Vec::new());
        for (key, cell) in recent.ops.iter_mut() {
            if cell.speed.slow {
                let (_, sum) = window(cell, now, rules);
                let over_limit = cell.limit_ms.is_some() && sum.slow * 100 >= sum.timed * OVER_SHARE;
                let needed = budget.needed_besides(Kind::Slow, cell.tuned.more(Known::Slow));
                let fast = !cell.speed.is_on() || cell.speed.watch.is_calm() || cell.speed.usual_ms().is_none();
                if sum.timed == 0 || fast && !over_limit {
                    cell.speed.turn_off();
                } else if cell.speed.is_on() && fast {
                    cell.speed.calm_down();
                } else if fast && cell.speed.is_slower(needed, rules.slow_calls, rules.slow_ratio) {
                    cell.speed.turn_on(now, rules.slow_ratio);
                }
                still += u32::from(is_slower(cell));
            } else if cell.speed.ready_at > 0 {
                let needed = budget.needed_besides(Kind::Slow, cell.tuned.more(Known::Slow));
                match cell.speed.is_slower(needed, rules.slow_calls, rules.slow_ratio) {
                    true if now - cell.speed.ready_at >= WAIT_MS => waiting.push(key),
                    true => {}
                    false => cell.speed.ready_at = 0,
                }
            }
        }
        for op in waiting {
            // Who makes it up may have come while it waited.
            let needed = budget.needed_besides(Kind::Slow, recent.tuned(op).more(Known::Slow));
            let place = recent.ops.place(op);
            if place.is_some_and(|place| Self::is_of_many(recent, place, rules, needed)) {
                Self::open(desk, recent, rules, budget, op, None);
            }
        }
        if still < 2 && desk.get(everywhere_key()).is_some() {
            let own = recent.ops.iter_mut().filter(|(_, cell)| is_slower(cell));
            own.for_each(|(_, cell)| if has_limit(cell) { cell.speed.calm_down() } else { cell.speed.turn_off() });
            self.overall.clear();
        }
    }
}

/// True when so many operations are slow, each by its own evidence, that it is one problem.
fn is_everywhere(recent: &Recent, rules: &Rules) -> bool {
    let slow = recent.many(is_slower);
    let busy = recent.many(|cell| window(cell, recent.now, rules).1.timed >= rules.slow_calls);
    let told = recent.everywhere.is_on(Known::SlowEverywhere);
    told && slow >= rules.slow_everywhere && slow * EVERYWHERE_PART >= busy
}

/// Evidence that the alert of all needs.
fn needed_everywhere(recent: &Recent, budget: &Budget) -> f64 {
    budget.needed_besides(Kind::Slow, recent.everywhere.more(Known::SlowEverywhere))
}

/// True while an operation is slow, by itself or with others, or over the limit that somebody set.
pub(crate) fn is_slow(cell: &OpCell) -> bool {
    cell.speed.slow
}

/// True while an operation is told of for the limit that somebody set.
fn has_limit(cell: &OpCell) -> bool {
    cell.speed.slow && cell.limit_ms == Some(cell.speed.over_ms)
}

/// True while an operation is slower than usual. One over a limit may be as it always was: that says nothing of what
/// operations share.
pub(crate) fn is_slower(cell: &OpCell) -> bool {
    cell.speed.is_on()
}

/// What was usual for an operation, in milliseconds: as counted before the onset, else as learned.
fn usual_ms(recent: &Recent, op: &OpName, counted: Option<f64>) -> Option<f64> {
    counted.or_else(|| recent.ops.get(op.key())?.speed.usual_ms())
}

/// The measure that the story of a slow operation is about.
const MEASURED: Measure = Measure::MedianDuration;

keep_fields!(Slowness { overall });
