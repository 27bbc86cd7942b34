//! More errors than usual: in an operation (or a service, where no operation is named), or a few in a
//! hundred of everything.
//!
//! Each call says something for or against; the sum decides. Failed logins are left to the security
//! rules, one person's failures to friction: without the user who failed most often there must be
//! evidence enough all the same.

use rustc_hash::FxHashMap;
use stella_protocol::{AlertType, Category};

use crate::budget::{Budget, Kind};
use crate::cells::Place;
use crate::counts::{Bucket, span_start};
use crate::evidence::Card;
use crate::faults::Faults;
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::mark::Mark;
use crate::overall::Overall;
use crate::recent::{OpCell, Recent};
use crate::rules::{Known, Limit, Rules, new_error, probe};
use crate::scope::{OpName, Scope};

mod kinds;
mod story;

use kinds::Kinds;
pub(crate) use story::{tell, tell_everywhere};

const CARD: Card = Card { id: "errors", kind: AlertType::ErrorSpike, category: Category::Performance };
const EVERYWHERE: Card = Card { id: "errors.everywhere", ..CARD };
/// Its rules.
pub(crate) const RULES: [&str; 2] = [CARD.id, EVERYWHERE.id];

/// Times the usual share that a spike must be by the fixed rule, where that is known.
const FIXED_RATIO: f64 = 3.0;
/// Lines before a span from which the usual share is known.
const USUAL_LINES: u32 = 50;
/// Share of failing lines, in percent, from which more than that is usual no more.
const MOST_PERCENT: f64 = 50.0;
/// Of the evidence that an alert needs, what must be left for one of everything without the operation
/// that says most.
const REST_PART: f64 = 0.5;
/// Part of a limit that somebody set under which a spike is over.
const OVER_PART: f64 = 0.5;
/// Of a service whose lines name no operation so many times the errors are needed: they are lines, not calls, and
/// one trouble writes several.
const LINES_PER_ERROR: u32 = 2;
/// How long an operation waits while all seem to fail a little more, so that the one alert comes first.
const WAIT_MS: i64 = 30_000;
/// Share of failing calls that is no restart, however short.
const PLAIN: f64 = 0.25;
/// What somebody's next failure says of the operation, against what their first says.
const AGAIN_PART: f64 = 0.5;

/// The key of a spike of an operation.
pub(crate) fn key_of(op: u64) -> u64 {
    key::join(&[key::own(CARD.id), op])
}

pub(crate) fn everywhere_key() -> u64 {
    key::own(EVERYWHERE.id)
}

/// What identifies an operation.
pub(crate) fn labels(op: &OpName) -> Vec<(&'static str, String)> {
    let mut labels = vec![("service", op.service.to_string())];
    labels.extend(op.operation.as_deref().map(|operation| ("operation", operation.to_owned())));
    labels
}

/// The window in which an operation has enough errors, and what happened in it.
fn window(cell: &OpCell, now: i64, rules: &Rules) -> (i64, Bucket) {
    cell.history.window(now, rules.windows(), |near| near.failed >= rules.spike_errors)
}

/// True when the share of failing lines is over the limit that somebody set, or over a part of it.
fn is_over_limit(cell: &OpCell, now: i64, rules: &Rules, part: f64) -> bool {
    let (_, sum) = window(cell, now, rules);
    let limit = cell.tuned.limit_or(Limit::FailurePercent, None).filter(|_| sum.failed >= rules.spike_errors);
    limit.zip(sum.failed_percent()).is_some_and(|(limit, share)| share >= limit * part)
}

/// The rule of the first form: so many errors, and a share of failing lines.
fn is_spike_by_count(cell: &OpCell, now: i64, rules: &Rules) -> bool {
    let (window_ms, sum) = window(cell, now, rules);
    if is_over_limit(cell, now, rules, 1.0) {
        return true;
    }
    if !rules.fixed || cell.tuned.is_lifted(Limit::FailurePercent) || sum.failed < rules.spike_errors {
        return false;
    }
    let before = cell.history.sum(i64::MIN / 2, span_start(now, window_ms) - 1);
    let usual = if before.calls >= USUAL_LINES { before.failed_percent().unwrap_or(0.0) } else { 0.0 };
    sum.failed_percent().is_some_and(|share| share >= rules.spike_percent.max(usual * FIXED_RATIO).min(MOST_PERCENT))
}

/// The suspicion that everything fails more, and how often operations fail in each way.
#[derive(Debug)]
pub(crate) struct Spikes {
    overall: Overall,
    kinds: Kinds,
}

impl Spikes {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { overall: Overall::default(), kinds: Kinds::new(rules) }
    }

    /// A line of an operation, failed or not; failed logins are none.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        recent: &mut Recent,
        rules: &Rules,
        budget: &mut Budget,
        (place, mark): (Place, &Mark),
    ) {
        budget.count_many(Kind::Errors, mark.weight);
        let (now, deploying) = (recent.now, recent.is_being_deployed(mark.service));
        let all_needed = needed_everywhere(recent, budget);
        let cell = recent.ops.at_mut(place);
        let failed = mark.is_error();
        let llr = cell.faults.take((failed, mark.weight), now, deploying);
        self.overall.add(&mut cell.faults.part, (llr, mark.weight), now);
        if !failed {
            return;
        }
        if self.overall.is_due(all_needed, now) && desk.get(everywhere_key()).is_none() {
            self.open_everywhere(desk, recent, rules, budget);
        }
        let cell = recent.ops.at_mut(place);
        let needed = budget.needed_besides(Kind::Errors, cell.tuned.more(Known::Errors));
        let kind = self.kinds.take(mark, cell.calls, deploying);
        let all = desk.touch(everywhere_key(), now);
        if kind.score >= needed / 2.0 && cell.faults.failing {
            cell.faults.kind_until = now + rules.slow_window_ms;
        }
        if cell.faults.failing {
            if !all {
                desk.touch(key_of(mark.op), now);
            }
        } else if is_spike(cell, now, needed, rules) || is_spike_by_count(cell, now, rules) {
            if !self.waits(cell, now, needed) {
                Self::open(desk, recent, rules, budget, mark.op, needed);
            }
        } else if kind.score >= needed && kind.failed >= rules.spike_errors && !self.waits(cell, now, needed) {
            self.open_kind(desk, recent, rules, budget, mark, needed);
        }
    }

    /// True while an operation that fails a little more waits for the alert of all, which it seems to be part of.
    fn waits(&self, cell: &mut OpCell, now: i64, needed: f64) -> bool {
        let faults = &mut cell.faults;
        if faults.ready_at == 0 {
            faults.ready_at = now;
        }
        let all_seem_to_fail = self.overall.without(&faults.part) >= needed * REST_PART / 2.0;
        all_seem_to_fail && faults.lately() < PLAIN && now - faults.ready_at < WAIT_MS
    }

    /// Opens the alert of an operation of which one kind of error is more frequent than it was, unless one person
    /// makes it up, or the error is new: that has a rule of its own.
    fn open_kind(
        &self,
        desk: &mut Desk,
        recent: &mut Recent,
        rules: &Rules,
        budget: &Budget,
        mark: &Mark,
        needed: f64,
    ) {
        let (now, second) = (recent.now, recent.now.div_euclid(1000));
        let Some(cell) = recent.ops.touch(mark.op) else { return };
        let (name, kind) = (cell.name.clone(), self.kinds.of(mark));
        if std::mem::replace(&mut cell.faults.weighed_at, second) == second
            || desk.get(everywhere_key()).is_some()
            || desk.get(new_error::key_of(mark)).is_some()
        {
            return;
        }
        let (marks, _) = recent.walk(&Scope::of_op(&name).errors(), recent.span_from(kind.began));
        let same: Vec<&Mark> = marks.into_iter().filter(|failed| kind_of(failed) == kind_of(mark)).collect();
        let without = kind.score - repeated(&same) * kind.weight;
        let Some(first) = same.first().map(|mark| mark.at).filter(|_| without >= needed) else { return };
        let lately = same.iter().filter(|failed| now - failed.at <= rules.slow_window_ms).count() as u32;
        let lines = if name.operation.is_none() { LINES_PER_ERROR } else { 1 };
        if lately < rules.spike_errors * lines || now - first < new_error::BLIP_MS {
            return;
        }
        let errors = same.len() as u64;
        recent.ops.promote(mark.op);
        if let Some(cell) = recent.ops.touch(mark.op) {
            cell.faults.turn_on(now);
            cell.faults.kind_until = now + rules.slow_window_ms;
        }
        explain_people(desk, mark.op);
        desk.open(Near { recent, rules, budget }, key_of(mark.op), Subject::Spike(name), first, errors);
    }

    /// Opens the alert of an operation, unless one person or many different errors make it up.
    fn open(desk: &mut Desk, recent: &mut Recent, rules: &Rules, budget: &Budget, op: u64, needed: f64) {
        let (now, second) = (recent.now, recent.now.div_euclid(1000));
        let Some(cell) = recent.ops.touch(op) else { return };
        if std::mem::replace(&mut cell.faults.weighed_at, second) == second {
            return;
        }
        let faults = cell.faults;
        let (counted, limit) = (is_spike_by_count(cell, now, rules), is_over_limit(cell, now, rules, 1.0));
        let began = if counted { now - window(cell, now, rules).0 } else { faults.watch.best().began };
        let name = cell.name.clone();
        let (marks, _) = recent.walk(&Scope::of_op(&name).errors(), recent.span_from(began));
        let same = commonest(&marks).map_or(0, |(_, count)| count);
        let (first, errors) = (marks.first().map_or(now, |mark| mark.at), marks.len() as u64);
        // Whoever is known to try what is not theirs does not count at all.
        let probing = marks.iter().filter(|mark| desk.get(probe::key_of(mark.addr)).is_some()).count() as f64;
        let without = faults.score() - repeated(&marks).max(probing) * faults.weight_of_one();
        let enough = without >= needed || counted && of_one_person(&marks) < errors as u32;
        let blip = !counted && !limit && now - first < new_error::BLIP_MS && faults.lately() < PLAIN;
        let lines = if name.operation.is_none() { LINES_PER_ERROR } else { 1 };
        let lately = marks.iter().filter(|mark| now - mark.at <= rules.slow_window_ms).count() as u32;
        let few = !counted && !limit && lately < rules.spike_errors * lines;
        if same < rules.spike_same_type && !limit || !enough || blip || few {
            return;
        }
        recent.ops.promote(op);
        if let Some(cell) = recent.ops.touch(op) {
            cell.faults.turn_on(now);
        }
        if desk.get(everywhere_key()).is_some() {
            return;
        }
        explain_people(desk, op);
        desk.open(Near { recent, rules, budget }, key_of(op), Subject::Spike(name), first, errors);
    }

    /// Opens the alert of everything when enough operations say so for themselves, and not one of them alone.
    fn open_everywhere(&mut self, desk: &mut Desk, recent: &mut Recent, rules: &Rules, budget: &Budget) {
        if !recent.everywhere.is_on(Known::ErrorsEverywhere) {
            return;
        }
        let (now, needed) = (recent.now, needed_everywhere(recent, budget));
        let weighed = self.overall.weigh(recent.ops.iter().map(|(_, cell)| &cell.faults.part));
        let overall = self.overall;
        let says = |cell: &OpCell| cell.faults.failing || overall.says(&cell.faults.part);
        let saying = recent.ops.iter().filter(|(_, cell)| says(cell)).count() as u32;
        let shared = saying >= rules.slow_everywhere && weighed.is_half();
        if !shared || weighed.rest < needed * REST_PART {
            return;
        }
        let began = self.overall.page().began;
        let (marks, _) = recent.walk(&Scope::default().errors(), recent.span_from(began));
        let (first, errors) = (marks.first().map_or(now, |mark| mark.at), marks.len() as u32);
        if of_one_person(&marks) * 2 > errors {
            return;
        }
        for (op, cell) in recent.ops.iter_mut().filter(|(_, cell)| says(cell)) {
            if !cell.faults.failing {
                cell.faults.turn_on(now);
            }
            explain_people(desk, op);
        }
        desk.explain(|subject| matches!(subject, Subject::Spike(_)));
        let near = Near { recent, rules, budget };
        desk.open(near, everywhere_key(), Subject::SpikeEverywhere, first, u64::from(errors));
    }

    /// Notes which operations work again, or are not called any more.
    pub(crate) fn advance(&mut self, desk: &Desk, recent: &mut Recent, rules: &Rules) {
        let (now, mut still) = (recent.now, 0);
        for (_, cell) in recent.ops.iter_mut().filter(|(_, cell)| cell.faults.failing) {
            let sum = |window_ms| cell.history.sum(span_start(now, window_ms), now);
            let (near, far) = (sum(rules.window_ms), sum(rules.slow_window_ms));
            let calm = cell.faults.watch.is_calm() || usual_again(&cell.faults, &near, &far);
            let calm = calm && now > cell.faults.kind_until && !is_over_limit(cell, now, rules, OVER_PART);
            if far.failed == 0 || calm {
                cell.faults.turn_off();
            }
            still += u32::from(cell.faults.failing);
        }
        if still < 2 && desk.get(everywhere_key()).is_some() {
            recent.ops.iter_mut().filter(|(_, cell)| cell.faults.failing).for_each(|(_, cell)| cell.faults.turn_off());
            self.overall.clear();
        }
    }
}

/// Evidence that the alert of everything needs.
fn needed_everywhere(recent: &Recent, budget: &Budget) -> f64 {
    budget.needed_besides(Kind::Errors, recent.everywhere.more(Known::ErrorsEverywhere))
}

/// True when about as many calls fail as usual: of the last minute where there are enough, else of five.
fn usual_again(faults: &Faults, near: &Bucket, far: &Bucket) -> bool {
    faults.is_usual(near.failed, near.calls) && near.calls >= far.calls / 10 || faults.is_usual(far.failed, far.calls)
}

/// True when there is enough evidence of a share of failures that is worth waking somebody for.
fn is_spike(cell: &OpCell, now: i64, needed: f64, rules: &Rules) -> bool {
    let faults = &cell.faults;
    faults.score() >= needed
        && faults.failed() >= rules.spike_errors
        && window(cell, now, rules).1.failed >= rules.spike_errors
        && faults.lately() * 100.0 >= rules.spike_percent
}

/// An outage explains what happens to each of its users.
fn explain_people(desk: &mut Desk, op: u64) {
    desk.explain(|subject| match subject {
        Subject::Friction { op: of, .. } | Subject::Rage { op: of, .. } | Subject::Retries(of) => of.key() == op,
        _ => false,
    });
}

/// What an error is called: its type, or its template where no type is named.
pub(crate) fn kind_of(mark: &Mark) -> u64 {
    if mark.error == key::NONE { mark.template.into() } else { mark.error }
}

/// The type (or template, where no type is named) of most of the lines.
fn commonest<'a>(marks: &[&'a Mark]) -> Option<(&'a Mark, u32)> {
    let mut counts: FxHashMap<u64, (&Mark, u32)> = FxHashMap::default();
    for mark in marks {
        counts.entry(kind_of(mark)).or_insert((mark, 0)).1 += 1;
    }
    counts.into_values().max_by_key(|(mark, count)| (*count, std::cmp::Reverse(mark.line)))
}

/// How many lines each caller has.
fn by_person(marks: &[&Mark]) -> FxHashMap<u64, u32> {
    let mut counts: FxHashMap<u64, u32> = FxHashMap::default();
    for caller in marks.iter().map(|mark| mark.caller()).filter(|caller| *caller != key::NONE) {
        *counts.entry(caller).or_default() += 1;
    }
    counts
}

/// How many lines are those of the one user who has most.
fn of_one_person(marks: &[&Mark]) -> u32 {
    by_person(marks).into_values().max().unwrap_or(0)
}

/// How many lines say nothing new: all but the first of whoever failed most, and half of what others failed again.
/// Whoever failed tries again, and then mostly fails again, whatever the reason.
fn repeated(marks: &[&Mark]) -> f64 {
    let counts = by_person(marks);
    let again = |count: u32| f64::from(count.saturating_sub(1));
    let most = counts.values().copied().max().map_or(0.0, again);
    let all: f64 = counts.into_values().map(again).sum();
    most + (all - most) * AGAIN_PART
}

/// True while an operation fails more than usual, by itself or with others.
pub(crate) fn is_failing(cell: &OpCell) -> bool {
    cell.faults.failing
}

keep_fields!(Spikes { overall, kinds });
