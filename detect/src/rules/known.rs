//! Every rule that the engine has: its name, its kind, and what of it somebody can set.
//!
//! Alerts name their rule by the same id that a setting does. What a rule looks for is not here.

use stella_protocol::AlertType;

use super::{data, errors, forecast, friction, health, metrics, new_error, performance, probe, security, silence, slo};

/// A rule of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Known {
    /// One operation is slower than usual.
    Slow,
    /// Everything is.
    SlowEverywhere,
    /// One operation fails more often than usual.
    Errors,
    /// Everything does.
    ErrorsEverywhere,
    /// An error that was never seen before.
    NewError,
    /// One person who does not get through.
    Friction,
    /// Calls that are tried again and again.
    Retries,
    /// One person who does the same again and again at once.
    Rage,
    /// Failed sign-ins from one address.
    LoginAddress,
    /// Failed sign-ins on one account.
    LoginAccount,
    /// Failed sign-ins from everywhere.
    LoginEverywhere,
    /// What the service itself calls locked out.
    LockedOut,
    /// An address that tries what is not its own.
    Probe,
    /// Data that contradict themselves.
    Data,
    /// An owner who had things has none.
    Vanished,
    /// What always found something finds nothing.
    Nothing,
    /// An id is written in another form than the others.
    WrongForm,
    /// A component that says it is not well.
    Health,
    /// A source that stopped speaking.
    Silence,
    /// A series that leaves its past.
    Metric,
    /// A gauge on its way to its limit.
    Forecast,
    /// An error budget that is spent too fast.
    Slo,
}

impl Known {
    /// How many there are.
    pub(crate) const COUNT: usize = 22;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Slow,
        Self::SlowEverywhere,
        Self::Errors,
        Self::ErrorsEverywhere,
        Self::NewError,
        Self::Friction,
        Self::Retries,
        Self::Rage,
        Self::LoginAddress,
        Self::LoginAccount,
        Self::LoginEverywhere,
        Self::LockedOut,
        Self::Probe,
        Self::Data,
        Self::Vanished,
        Self::Nothing,
        Self::WrongForm,
        Self::Health,
        Self::Silence,
        Self::Metric,
        Self::Forecast,
        Self::Slo,
    ];

    /// What alerts of it, and settings for it, call it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Slow => performance::RULES[0],
            Self::SlowEverywhere => performance::RULES[1],
            Self::Errors => errors::RULES[0],
            Self::ErrorsEverywhere => errors::RULES[1],
            Self::NewError => new_error::RULE,
            Self::Friction => friction::RULES[0],
            Self::Retries => friction::RULES[1],
            Self::Rage => friction::RULES[2],
            Self::LoginAddress => security::RULES[0],
            Self::LoginAccount => security::RULES[1],
            Self::LoginEverywhere => security::RULES[2],
            Self::LockedOut => security::RULES[3],
            Self::Probe => probe::RULE,
            Self::Data => data::RULES[0],
            Self::Vanished => data::RULES[1],
            Self::Nothing => data::RULES[2],
            Self::WrongForm => data::RULES[3],
            Self::Health => health::RULE,
            Self::Silence => silence::RULE,
            Self::Metric => metrics::RULE,
            Self::Forecast => forecast::RULE,
            Self::Slo => slo::RULE,
        }
    }

    /// The rule of that id.
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.id() == id)
    }

    /// What kind of problem it finds.
    pub fn kind(self) -> AlertType {
        match self {
            Self::Slow | Self::SlowEverywhere => AlertType::PerformanceDegradation,
            // A budget is spent by errors; the wire has no kind of its own for it.
            Self::Errors | Self::ErrorsEverywhere | Self::Slo => AlertType::ErrorSpike,
            Self::NewError => AlertType::NewError,
            Self::Friction | Self::Retries | Self::Rage => AlertType::UserFriction,
            Self::LoginAddress | Self::LoginAccount | Self::LoginEverywhere | Self::LockedOut | Self::Probe => {
                AlertType::SecurityAnomaly
            }
            Self::Data | Self::Vanished | Self::Nothing | Self::WrongForm => AlertType::DataInconsistency,
            Self::Health => AlertType::Health,
            Self::Silence => AlertType::Silence,
            Self::Metric => AlertType::MetricAnomaly,
            Self::Forecast => AlertType::Forecast,
        }
    }

    /// In a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Slow => "an operation is slower than usual",
            Self::SlowEverywhere => "everything is slower than usual",
            Self::Errors => "an operation fails more often than usual",
            Self::ErrorsEverywhere => "everything fails more often than usual",
            Self::NewError => "an error that was never seen before",
            Self::Friction => "a person does not get through",
            Self::Retries => "calls are tried again and again",
            Self::Rage => "a person does the same again and again at once",
            Self::LoginAddress => "failed sign-ins from one address",
            Self::LoginAccount => "failed sign-ins on one account",
            Self::LoginEverywhere => "failed sign-ins from everywhere",
            Self::LockedOut => "an account is locked out",
            Self::Probe => "an address tries what is not its own",
            Self::Data => "data contradict themselves",
            Self::Vanished => "an owner had things and has none",
            Self::Nothing => "what always found something finds nothing",
            Self::WrongForm => "an id is written in another form than the others",
            Self::Health => "a component says that it is not well",
            Self::Silence => "a source stopped speaking",
            Self::Metric => "a series leaves its past",
            Self::Forecast => "a gauge is on its way to its limit",
            Self::Slo => "an error budget is spent too fast",
        }
    }

    /// The limits that can be set for it.
    pub fn limits(self) -> &'static [Limit] {
        match self {
            Self::Slow => &[Limit::DurationMs],
            Self::Errors => &[Limit::FailurePercent],
            Self::NewError => &[Limit::NewErrors],
            Self::Friction => &[Limit::UserFailures],
            Self::LoginAddress | Self::LoginAccount => &[Limit::FailedLogins],
            Self::Data => &[Limit::Contradictions],
            Self::Silence => &[Limit::SilentMs],
            _ => &[],
        }
    }

    /// True when its problems are in one service, so that it can be set for some services only; and in one
    /// operation.
    pub fn places(self) -> (bool, bool) {
        match self {
            Self::SlowEverywhere | Self::ErrorsEverywhere | Self::LoginEverywhere => (false, false),
            Self::Health | Self::Silence => (true, false),
            _ => (true, true),
        }
    }
}

/// A number from which there is an alert, whatever is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// More milliseconds than that, of half of an operation's calls.
    DurationMs,
    /// So many of a hundred calls of an operation fail.
    FailurePercent,
    /// Failures of one person at one operation in five minutes.
    UserFailures,
    /// Failed logins from one address, or on one account.
    FailedLogins,
    /// Errors of a kind that was never seen before, in five minutes.
    NewErrors,
    /// Lines of an operation that contradict what is stored, in ten minutes.
    Contradictions,
    /// Milliseconds for which a source says nothing.
    SilentMs,
}

impl Limit {
    /// How many there are.
    pub(crate) const COUNT: usize = 7;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::DurationMs,
        Self::FailurePercent,
        Self::UserFailures,
        Self::FailedLogins,
        Self::NewErrors,
        Self::Contradictions,
        Self::SilentMs,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::DurationMs => "durationMs",
            Self::FailurePercent => "failurePercent",
            Self::UserFailures => "userFailures",
            Self::FailedLogins => "failedLogins",
            Self::NewErrors => "newErrors",
            Self::Contradictions => "contradictions",
            Self::SilentMs => "silentMs",
        }
    }

    /// The limit of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }

    /// Unit of its number.
    pub fn unit(self) -> &'static str {
        match self {
            Self::DurationMs | Self::SilentMs => "ms",
            Self::FailurePercent => "%",
            _ => "count",
        }
    }

    /// The least and the greatest number that make sense: what is counted is counted in whole ones, and what a
    /// window of ten minutes cannot hold is not looked for.
    pub fn bounds(self) -> (f64, f64) {
        match self {
            Self::DurationMs => (1.0, 3_600_000.0),
            Self::FailurePercent => (0.1, 100.0),
            Self::SilentMs => (1_000.0, 86_400_000.0),
            _ => (1.0, 10_000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_and_every_limit_is_found_by_its_name_and_stands_at_its_number() {
        for (nth, known) in Known::ALL.into_iter().enumerate() {
            assert_eq!((Known::named(known.id()), known as usize), (Some(known), nth));
            assert!(super::super::rule_named(known.id()).is_some(), "{known:?}");
        }
        for (nth, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!((Limit::named(limit.name()), limit as usize), (Some(limit), nth));
            assert!(Known::ALL.iter().any(|known| known.limits().contains(&limit)), "{limit:?}");
        }
    }
}
