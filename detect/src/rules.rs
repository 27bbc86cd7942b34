//! Every threshold of the engine in one place, and one room for each rule.
//!
//! By default evidence decides, and the one number that a user needs is [`Rules::sensitivity`]; the
//! counts here say only what is too little to wake anybody for, whatever the evidence. The fixed rules
//! of the first form can be switched on besides. Nothing here looks at a line; the rooms below do.

use std::collections::BTreeMap;

use crate::evidence::{Case, Story};
use crate::finding::Phase;
use crate::incident::{Incident, Subject};
use crate::recent::Recent;
use crate::series::ramp::Side;

pub(crate) mod data;
pub(crate) mod errors;
pub(crate) mod forecast;
pub(crate) mod friction;
pub(crate) mod health;
mod known;
pub(crate) mod metrics;
pub(crate) mod new_error;
pub(crate) mod performance;
pub(crate) mod probe;
pub(crate) mod security;
mod setting;
pub(crate) mod silence;
pub(crate) mod slo;

/// Where a gauge ends: full, or empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugeLimit {
    /// The value that it should not reach.
    pub limit: f64,
    /// From which side it comes.
    pub side: Side,
}

/// How much of a service's calls, or of one operation's, shall succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Whose calls.
    pub service: String,
    /// Of one operation; None: of all.
    pub operation: Option<String>,
    /// Calls of a hundred that shall succeed, such as 99.9.
    pub percent: f64,
}

pub use known::{Known, Limit};
pub use setting::{Pattern, Setting};
pub(crate) use setting::{Tuned, floored};

/// The thresholds. Times are milliseconds of engine time, shares are percent.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// False alerts an hour that somebody is ready to bear, of all kinds together.
    pub sensitivity: f64,
    /// Also the fixed rules of the first form: limits, counts of errors, of failures, of failed logins.
    pub fixed: bool,
    /// Limits that a user set for operations: over them is an alert, whatever is usual. Milliseconds.
    pub fixed_limits_ms: BTreeMap<String, f64>,
    /// What is set for some rules, or in some places only: of several that fit, the last holds for what it says.
    pub settings: Vec<Setting>,
    /// Most milliseconds that an operation may take, by its name, for who reads lines and charts, and for the
    /// fixed rules.
    pub limits_ms: BTreeMap<String, f64>,
    /// The same for every operation not named above.
    pub default_limit_ms: f64,
    /// Where gauges end, by the name of the metric. Others end where their name and unit say.
    pub gauge_limits: BTreeMap<String, GaugeLimit>,
    /// What shall succeed; nothing is told of how fast budgets are spent that nobody set.
    pub objectives: Vec<Objective>,
    /// Span that most rules look at.
    pub window_ms: i64,
    /// Span where calls are too rare for `window_ms`.
    pub slow_window_ms: i64,
    /// Span of the security rules.
    pub security_window_ms: i64,
    /// Fewest slow calls for an alert, so that one slow call is none.
    pub slow_calls: u32,
    /// How many times slower than usual an operation must be to be worth waking somebody for.
    pub slow_ratio: f64,
    /// The same for everything at once.
    pub everywhere_ratio: f64,
    /// Operations that must be slow, or fail, at once to be one problem.
    pub slow_everywhere: u32,
    /// Fewest errors for a spike.
    pub spike_errors: u32,
    /// Fewest of them that must be of one type.
    pub spike_same_type: u32,
    /// Least share of failing calls for a spike.
    pub spike_percent: f64,
    /// Fewest errors of one user.
    pub friction_errors: u32,
    /// Share of other people's failing calls from which an outage explains friction.
    pub outage_percent: f64,
    /// Retries of one call from which somebody is not getting on.
    pub retries: u32,
    /// Fewest failed logins from one address or on one account.
    pub failed_logins: u32,
    /// Fewest addresses that make failures on one account an attack.
    pub account_addresses: u32,
    /// Contradictions in the window from which it is not a single one any more.
    pub data_burst: u32,
    /// Smallest count whose fall to nothing is no ordinary deletion.
    pub vanished_from: f64,
    /// Arrivals before a source's rhythm is known.
    pub silence_arrivals: u32,
    /// Shortest silence worth an alert.
    pub silence_ms: i64,
    /// How long a service must have been speaking (a heartbeat need not): a batch is over sooner.
    pub silence_age_ms: i64,
    /// How many times the longest usual gap.
    pub silence_gaps: i64,
    /// Lines before an error can be new.
    pub warm_up_lines: u64,
    /// Engine time before an error can be new.
    pub warm_up_ms: i64,
    /// Fewest of a new error.
    pub new_errors: u32,
    /// Lines remembered for exact figures, 65,536 at most; the oldest go first.
    pub remembered_lines: usize,
    /// Offending lines kept whole for samples.
    pub kept_lines: usize,
    /// Operations, and error types, watched at once.
    pub operations: usize,
    /// Users, addresses, accounts and owners watched at once, each.
    pub people: usize,
    /// Series of samples watched at once.
    pub series: usize,
    /// Problems that may be open in the engine at once.
    pub incidents: usize,
}

impl Default for Rules {
    fn default() -> Self {
        let limits = [
            ("get_conversations", 500.0),
            ("get_shared_agents", 200.0),
            ("load_messages", 300.0),
            ("search_rag", 800.0),
            ("gemini_api_call", 2000.0),
            ("firestore_query", 200.0),
        ];
        Self {
            limits_ms: limits.into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect(),
            sensitivity: 0.2,
            fixed: false,
            fixed_limits_ms: BTreeMap::new(),
            settings: Vec::new(),
            default_limit_ms: 1000.0,
            gauge_limits: BTreeMap::new(),
            objectives: Vec::new(),
            window_ms: 60_000,
            slow_window_ms: 300_000,
            security_window_ms: 600_000,
            slow_calls: 5,
            slow_ratio: 1.5,
            everywhere_ratio: 1.4,
            slow_everywhere: 3,
            spike_errors: 5,
            spike_same_type: 3,
            spike_percent: 5.0,
            friction_errors: 3,
            outage_percent: 20.0,
            retries: 3,
            failed_logins: 5,
            account_addresses: 3,
            data_burst: 6,
            vanished_from: 3.0,
            silence_arrivals: 20,
            silence_ms: 60_000,
            silence_age_ms: 900_000,
            silence_gaps: 3,
            warm_up_lines: 200,
            warm_up_ms: 300_000,
            new_errors: 3,
            remembered_lines: 1 << 16,
            kept_lines: 4096,
            operations: 512,
            people: 14_000,
            series: 128,
            incidents: 500,
        }
    }
}

impl Rules {
    /// Edition of the rules, named by every alert.
    pub const VERSION: u32 = 2;

    /// The two windows of rules that count calls, the shorter one first: milliseconds.
    pub(crate) fn windows(&self) -> [i64; 2] {
        [self.window_ms, self.slow_window_ms]
    }

    /// How much is remembered at most: a state that was kept with other bounds cannot be taken up.
    pub(crate) fn bounds(&self) -> [u64; 6] {
        [self.remembered_lines, self.kept_lines, self.operations, self.people, self.series, self.incidents]
            .map(|most| most as u64)
    }

    /// The same, but for how much is remembered: that stays as in `other`.
    pub(crate) fn bounded_as(self, other: &Self) -> Self {
        let Self { remembered_lines, kept_lines, operations, people, series, incidents, .. } = *other;
        Self { remembered_lines, kept_lines, operations, people, series, incidents, ..self }
    }

    /// The limit of the fixed rules, while they are on. None: they have none, or are off. That of durations is
    /// the one of an operation without a limit of its own.
    pub fn fixed_limit(&self, limit: Limit) -> Option<f64> {
        let value = match limit {
            Limit::DurationMs => self.default_limit_ms,
            Limit::FailurePercent => self.spike_percent,
            Limit::UserFailures => f64::from(self.friction_errors),
            Limit::FailedLogins => f64::from(self.failed_logins),
            Limit::NewErrors => f64::from(self.new_errors),
            Limit::Contradictions => 1.0,
            Limit::SilentMs => return None,
        };
        self.fixed.then_some(value)
    }

    /// What holds at a place.
    pub(crate) fn tuned(&self, service: &str, operation: Option<&str>) -> Tuned {
        if self.settings.is_empty() {
            return Tuned::USUAL;
        }
        Tuned::of(&self.settings, self.sensitivity, service, operation)
    }

    /// True when somebody is told of such a problem.
    pub(crate) fn tells(&self, subject: &Subject) -> bool {
        let (service, operation) = subject.place();
        self.tuned(service, operation).is_on(subject.rule())
    }

    /// Most milliseconds that `operation` may take.
    pub fn limit_ms(&self, operation: &str) -> f64 {
        self.limits_ms.get(operation).copied().unwrap_or(self.default_limit_ms)
    }

    /// The limit over which `operation` is an alert, whatever is usual for it; None: evidence decides.
    pub fn fixed_limit_ms(&self, operation: &str) -> Option<f64> {
        let set = self.fixed_limits_ms.get(operation).copied();
        set.or_else(|| self.fixed.then(|| self.limit_ms(operation)))
    }
}

/// The rule of that name, for reading a kept state.
pub(crate) fn rule_named(name: &str) -> Option<&'static str> {
    performance::RULES
        .into_iter()
        .chain(errors::RULES)
        .chain(friction::RULES)
        .chain(security::RULES)
        .chain(data::RULES)
        .chain([health::RULE, silence::RULE, new_error::RULE, probe::RULE])
        .chain([metrics::RULE, forecast::RULE, slo::RULE])
        .find(|rule| *rule == name)
}

/// True when what the rule would tell now is still the problem; else its last words stand.
pub(crate) fn holds(incident: &Incident, recent: &Recent, rules: &Rules) -> bool {
    match incident.subject {
        Subject::SlowEverywhere => recent.many(performance::is_slower) >= rules.slow_everywhere,
        Subject::SpikeEverywhere => recent.many(errors::is_failing) >= rules.slow_everywhere,
        _ => true,
    }
}

/// True for a problem that can last longer than its rule holds, so that its last words are kept.
pub(crate) fn may_outlast(subject: &Subject) -> bool {
    matches!(subject, Subject::SlowEverywhere | Subject::SpikeEverywhere)
}

/// What the rule of a problem has to tell.
pub(crate) fn tell(case: &Case<'_>, phase: Phase) -> Story {
    match &case.incident.subject {
        Subject::Slow(op) => performance::tell(case, op),
        Subject::SlowEverywhere => performance::tell_everywhere(case),
        Subject::Spike(op) => errors::tell(case, op),
        Subject::SpikeEverywhere => errors::tell_everywhere(case),
        Subject::Friction { op, user } => friction::tell(case, op, user),
        Subject::Retries(op) => friction::tell_retries(case, op),
        Subject::Rage { op, user } => friction::tell_rage(case, op, user),
        Subject::Address { op, addr } => security::tell_address(case, op, addr),
        Subject::Account { op, user } => security::tell_account(case, op, user),
        Subject::LockedOut(op) => security::tell_locked_out(case, op),
        Subject::LoginsEverywhere => security::tell_everywhere(case),
        Subject::Probe { op, addr } => probe::tell(case, op, addr),
        Subject::Contradiction { op, sign } => data::tell(case, op, *sign),
        Subject::Vanished { op, user, had, field } => data::tell_vanished(case, op, user, *had, field),
        Subject::Nothing { op, field } => data::tell_nothing(case, op, field),
        Subject::WrongForm { op, field, value } => data::tell_wrong_form(case, op, field, value),
        Subject::Unwell { service, component, down } => health::tell(case, service, component, *down, phase),
        Subject::Silent(source) => silence::tell(case, source, phase),
        Subject::NewError { op, error } => new_error::tell(case, op, error),
        Subject::Series(reading) => metrics::tell(case, reading),
        Subject::Forecast(outlook) => forecast::tell(case, outlook),
        Subject::Spending(spending) => slo::tell(case, spending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_without_a_limit_of_its_own_has_the_general_one() {
        let rules = Rules::default();
        assert!((rules.limit_ms("get_shared_agents") - 200.0).abs() < f64::EPSILON);
        assert!((rules.limit_ms("export_report") - 1000.0).abs() < f64::EPSILON);
        assert_eq!(rules.fixed_limit_ms("search_rag"), None);
        let fixed = Rules { fixed: true, ..Rules::default() };
        assert_eq!(fixed.fixed_limit_ms("search_rag"), Some(800.0));
        let set = [("search_rag".to_owned(), 700.0)];
        assert_eq!(Rules { fixed_limits_ms: set.into(), ..fixed }.fixed_limit_ms("search_rag"), Some(700.0));
    }
}
