//! Budgets of errors that are spent too fast, for the targets that somebody set.
//!
//! How fast is too fast is for [`burn`](crate::series::burn); here are the calls that count (lines with an
//! operation that are no samples and no failed logins: whoever mistypes spends nobody's budget) and what
//! is told of them. Without a target nothing is counted.

use stella_protocol::query::term;
use stella_protocol::series::Point;
use stella_protocol::{
    AlertType, Category, Figure, LineId, LogEvent, LogLink, Measure, Severity, Text, Timestamp, Untrusted,
};

use crate::evidence::{Card, Case, Chart, Story, words};
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::mark::{Flags, Mark};
use crate::rules::{Objective, Rules};
use crate::scope::{OpName, Scope};
use crate::series::burn::{BUCKET_MS, Budget, Pace};

const CARD: Card = Card { id: "slo", kind: AlertType::ErrorSpike, category: Category::Performance };
/// Its rule.
pub(crate) const RULE: &str = CARD.id;

/// Buckets that are drawn: six hours.
const DRAWN: usize = 72;
/// Of them in the sparkline.
const SPARK: usize = 30;

/// Whose calls.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Calls {
    service: Box<str>,
    operation: Option<Box<str>>,
}

impl Calls {
    /// The calls in the filter language.
    fn q(&self) -> String {
        let operation = self.operation.as_ref().map_or("!operation=-".to_owned(), |name| term("operation", name));
        format!("{} {operation} !login=failed !level=METRIC", term("service", &self.service))
    }

    fn key(&self) -> u64 {
        let operation = self.operation.as_deref().map_or(key::NONE, key::of);
        key::join(&[key::own(RULE), key::of(&self.service), operation])
    }

    fn has(&self, mark: &Mark) -> bool {
        match &self.operation {
            Some(_) => mark.op == OpName { service: self.service.clone(), operation: self.operation.clone() }.key(),
            None => mark.service == key::of(&self.service),
        }
    }

    /// Its failures.
    fn scope(&self) -> Scope {
        let op = self.operation.is_some();
        let named = op.then(|| OpName { service: self.service.clone(), operation: self.operation.clone() });
        Scope { op: named, service: (!op).then(|| self.service.clone()), ..Scope::default() }.errors()
    }

    fn word(&self) -> &str {
        self.operation.as_deref().unwrap_or(&self.service)
    }
}

/// A target, and how its budget is spent.
#[derive(Debug)]
struct Account {
    calls: Calls,
    budget: Budget,
    /// A call failed since it was looked at.
    stirred: bool,
}

/// All targets.
#[derive(Debug)]
pub(crate) struct Objectives {
    accounts: Vec<Account>,
}

impl Objectives {
    pub(crate) fn new(rules: &Rules) -> Self {
        let mut objectives = Self { accounts: Vec::new() };
        objectives.set(rules);
        objectives
    }

    /// Takes the targets of `rules` over; what was counted for a target that stays is kept.
    pub(crate) fn set(&mut self, rules: &Rules) {
        let mut before = std::mem::take(&mut self.accounts);
        for Objective { service, operation, percent } in &rules.objectives {
            let calls = Calls { service: service.as_str().into(), operation: operation.as_deref().map(Into::into) };
            let known = before.iter().position(|account| account.calls == calls).map(|at| before.swap_remove(at));
            let target = percent / 100.0;
            let fresh = || Some(Account { calls: calls.clone(), budget: Budget::new(target)?, stirred: false });
            if let Some(mut account) = known.or_else(fresh) {
                account.budget.set(target);
                self.accounts.push(account);
            }
        }
    }

    /// A line with an operation or without.
    pub(crate) fn observe(&mut self, mark: &Mark, event: &LogEvent<'_>) {
        let is_call = event.operation.as_ref().map(Untrusted::raw).is_some_and(|name| name != "-");
        if self.accounts.is_empty() || !is_call || mark.flags.has(Flags::LOGIN_FAILED) {
            return;
        }
        for account in self.accounts.iter_mut().filter(|account| account.calls.has(mark)) {
            let (at, calls) = (Timestamp::from_millis(mark.at), u64::from(mark.weight));
            account.budget.observe_many(at, mark.is_error(), calls);
            account.stirred |= mark.is_error();
        }
    }

    /// Looks at the budgets from which something was spent.
    pub(crate) fn advance(&mut self, desk: &mut Desk, near: Near<'_>) {
        let now = near.recent.now;
        for account in &mut self.accounts {
            if !std::mem::take(&mut account.stirred) {
                continue;
            }
            let Some(spending) = Spending::of(account, now, near.recent.last_line) else { continue };
            let key = account.calls.key();
            if desk.touch(key, now) {
                desk.reword(key, |subject| match subject {
                    Subject::Spending(was) => {
                        let slower = was.pace;
                        **was = spending;
                        was.pace > slower
                    }
                    _ => false,
                });
            } else {
                let first = now - spending.short_ms();
                desk.open(near, key, Subject::Spending(Box::new(spending)), first, 1);
            }
        }
    }
}

/// A budget that is spent too fast, as last counted.
#[derive(Debug, Clone)]
pub(crate) struct Spending {
    calls: Calls,
    pace: Pace,
    /// Percent that may fail.
    allowed: f64,
    long: Figure,
    short: Figure,
    all: Figure,
    buckets: Vec<(i64, u64, u64)>,
}

impl Spending {
    /// Whose budget: service and operation.
    pub(crate) fn place(&self) -> (&str, Option<&str>) {
        (&self.calls.service, self.calls.operation.as_deref())
    }

    fn of(account: &Account, now: i64, line: u64) -> Option<Self> {
        let at = Timestamp::from_millis(now);
        let burning = account.budget.burning(at)?;
        let (_, long_ms, short_ms) = burning.pace.terms();
        let span = |window_ms: i64| LogLink {
            q: Text::from(account.calls.q()),
            from: Timestamp::from_millis(account.budget.begins(at, window_ms)),
            to: Timestamp::from_millis(now + 1),
            up_to: Some(LineId(line)),
        };
        let share = |name: &str, window_ms: i64| {
            let (failed, all) = account.budget.counted(at, window_ms);
            Figure {
                name: Text::from(name.to_owned()),
                value: failed as f64 * 100.0 / all as f64,
                unit: "%".into(),
                measure: Measure::FailurePercent,
                lines: span(window_ms),
            }
        };
        Some(Self {
            calls: account.calls.clone(),
            pace: burning.pace,
            allowed: account.budget.allowed() * 100.0,
            long: share("failing calls of the long window", long_ms),
            short: share("failing calls of the short window", short_ms),
            all: Figure {
                name: "calls".into(),
                value: account.budget.counted(at, long_ms).1 as f64,
                unit: "count".into(),
                measure: Measure::Count,
                lines: span(long_ms),
            },
            buckets: account.budget.last(DRAWN).collect(),
        })
    }

    /// Its shorter window, in milliseconds: without a failure for so long it is over.
    pub(crate) fn short_ms(&self) -> i64 {
        self.pace.terms().2
    }

    fn chart(&self) -> Chart {
        let mut points: Vec<Point> = Vec::new();
        for (at, failed, all) in &self.buckets {
            let after = points.last().map_or(*at, |last| last.at.millis() + BUCKET_MS);
            let first = after.max(at - DRAWN as i64 * BUCKET_MS);
            points.extend((first..*at).step_by(BUCKET_MS as usize).map(|at| Point::gap(Timestamp::from_millis(at))));
            points.push(Point::single(Timestamp::from_millis(*at), *failed as f64 * 100.0 / *all as f64));
        }
        points.drain(..points.len().saturating_sub(DRAWN));
        let skipped = points.len().saturating_sub(SPARK);
        let spark = points.iter().skip(skipped).map(|point| point.value.map(|spread| spread.mean)).collect();
        let title = format!("{} failing calls", self.calls.word());
        Chart { step_ms: BUCKET_MS, ..Chart::of_tens(title, "%", points, spark) }
    }
}

/// The windows of a pace in words, the long one first, and when the budget of a month is gone at it.
fn windows(pace: Pace) -> (&'static str, &'static str, &'static str) {
    match pace {
        Pace::Fastest => ("the last hour", "the last five minutes", "two days"),
        Pace::Fast => ("the last six hours", "the last half hour", "five days"),
        Pace::Slow => ("the last three days", "the last six hours", "a month"),
    }
}

/// A budget that is spent too fast.
pub(crate) fn tell(case: &Case<'_>, spending: &Spending) -> Story {
    let Spending { calls, pace, allowed, long, short, all, .. } = spending;
    let ((times, long_ms, _), (hours, lately, gone)) = (pace.terms(), windows(*pace));
    let word = calls.word();
    let several = crate::evidence::several(all.value, "call", "calls");
    let reasons = vec![
        case.reason(0.6, format!("{} of the calls of {hours} failed", words(long)), vec![long.clone()]),
        case.reason(0.4, format!("{} of those of {lately} did, so it goes on", words(short)), vec![short.clone()]),
        case.reason(-0.1, format!("counted over {several}"), vec![all.clone()]),
    ];
    let mut labels = vec![("service", calls.service.to_string())];
    labels.extend(calls.operation.iter().map(|name| ("operation", name.to_string())));
    Story {
        card: CARD,
        severity: match pace {
            Pace::Fastest => Severity::Critical,
            Pace::Fast => Severity::High,
            Pace::Slow => Severity::Medium,
        },
        title: format!("{word} spends its error budget: gone in {gone} at this pace"),
        summary: format!(
            "{} of the calls of {word} failed in {hours}, {} in {lately}; {} % may.",
            words(long),
            words(short),
            super::metrics::amount(*allowed)
        ),
        service: calls.service.to_string(),
        operation: calls.operation.as_ref().map(ToString::to_string),
        labels,
        actions: vec![
            format!("Find what makes calls of {word} fail, or take back what changed"),
            "Hold risky changes back until the budget recovers".into(),
        ],
        window_ms: long_ms,
        scope: calls.scope(),
        q: Some(calls.q()),
        observed: Some(long.clone()),
        usual: None,
        threshold: Some(allowed * times),
        reasons,
        chart: Some(spending.chart()),
    }
}

keep_fields!(Calls { service, operation });
keep_fields!(Account { calls, budget, stirred });
keep_fields!(Objectives { accounts });
keep_fields!(Spending { calls, pace, allowed, long, short, all, buckets });
