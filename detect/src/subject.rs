//! What a problem is about, with the names that its story needs.

use stella_protocol::AlertType;

use crate::keep::{Keep, Reader};
use crate::rules::data::Sign;
use crate::rules::forecast::Outlook;
use crate::rules::metrics::Reading;
use crate::rules::new_error::ErrorName;
use crate::rules::silence::Source;
use crate::rules::slo::Spending;
use crate::scope::OpName;

/// What a problem is about.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Slow(OpName),
    SlowEverywhere,
    Spike(OpName),
    SpikeEverywhere,
    Friction { op: OpName, user: Box<str> },
    Retries(OpName),
    Address { op: OpName, addr: Box<str> },
    Account { op: OpName, user: Box<str> },
    LockedOut(OpName),
    LoginsEverywhere,
    Contradiction { op: OpName, sign: Sign },
    Vanished { op: OpName, user: Box<str>, had: f64, field: Box<str> },
    Unwell { service: Box<str>, component: Box<str>, down: bool },
    Silent(Source),
    NewError { op: OpName, error: ErrorName },
    Probe { op: OpName, addr: Box<str> },
    Series(Box<Reading>),
    Forecast(Box<Outlook>),
    Spending(Box<Spending>),
}

impl Subject {
    /// What kind of problem it is.
    pub(crate) fn kind(&self) -> AlertType {
        match self {
            Self::Slow(_) | Self::SlowEverywhere => AlertType::PerformanceDegradation,
            // A budget is spent by errors; the wire has no kind of its own for it.
            Self::Spike(_) | Self::SpikeEverywhere | Self::Spending(_) => AlertType::ErrorSpike,
            Self::Friction { .. } | Self::Retries(_) => AlertType::UserFriction,
            Self::Address { .. }
            | Self::Account { .. }
            | Self::LockedOut(_)
            | Self::LoginsEverywhere
            | Self::Probe { .. } => AlertType::SecurityAnomaly,
            Self::Contradiction { .. } | Self::Vanished { .. } => AlertType::DataInconsistency,
            Self::Unwell { .. } => AlertType::Health,
            Self::Silent(_) => AlertType::Silence,
            Self::NewError { .. } => AlertType::NewError,
            Self::Series(_) => AlertType::MetricAnomaly,
            Self::Forecast(_) => AlertType::Forecast,
        }
    }

    /// The number that its bytes begin with.
    fn number(&self) -> u8 {
        match self {
            Self::Slow(_) => 0,
            Self::SlowEverywhere => 1,
            Self::Spike(_) => 2,
            Self::SpikeEverywhere => 3,
            Self::Friction { .. } => 4,
            Self::Retries(_) => 5,
            Self::Address { .. } => 6,
            Self::Account { .. } => 7,
            Self::LockedOut(_) => 8,
            Self::LoginsEverywhere => 9,
            Self::Contradiction { .. } => 10,
            Self::Vanished { .. } => 11,
            Self::Unwell { .. } => 12,
            Self::Silent(_) => 13,
            Self::NewError { .. } => 14,
            Self::Probe { .. } => 15,
            Self::Series(_) => 16,
            Self::Forecast(_) => 17,
            Self::Spending(_) => 18,
        }
    }
}

impl Keep for Subject {
    fn keep(&self, to: &mut Vec<u8>) {
        self.number().keep(to);
        match self {
            Self::SlowEverywhere | Self::SpikeEverywhere | Self::LoginsEverywhere => {}
            Self::Slow(op) | Self::Spike(op) | Self::Retries(op) | Self::LockedOut(op) => op.keep(to),
            Self::Friction { op, user: name }
            | Self::Account { op, user: name }
            | Self::Address { op, addr: name }
            | Self::Probe { op, addr: name } => {
                op.keep(to);
                name.keep(to);
            }
            Self::Contradiction { op, sign } => {
                op.keep(to);
                sign.keep(to);
            }
            Self::Vanished { op, user, had, field } => {
                op.keep(to);
                user.keep(to);
                had.keep(to);
                field.keep(to);
            }
            Self::Unwell { service, component, down } => {
                service.keep(to);
                component.keep(to);
                down.keep(to);
            }
            Self::Silent(source) => source.keep(to),
            Self::NewError { op, error } => {
                op.keep(to);
                error.keep(to);
            }
            Self::Series(reading) => reading.keep(to),
            Self::Forecast(outlook) => outlook.keep(to),
            Self::Spending(spending) => spending.keep(to),
        }
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Some(match u8::wake(from)? {
            0 => Self::Slow(Keep::wake(from)?),
            1 => Self::SlowEverywhere,
            2 => Self::Spike(Keep::wake(from)?),
            3 => Self::SpikeEverywhere,
            4 => Self::Friction { op: Keep::wake(from)?, user: Keep::wake(from)? },
            5 => Self::Retries(Keep::wake(from)?),
            6 => Self::Address { op: Keep::wake(from)?, addr: Keep::wake(from)? },
            7 => Self::Account { op: Keep::wake(from)?, user: Keep::wake(from)? },
            8 => Self::LockedOut(Keep::wake(from)?),
            9 => Self::LoginsEverywhere,
            10 => Self::Contradiction { op: Keep::wake(from)?, sign: Keep::wake(from)? },
            11 => Self::Vanished {
                op: Keep::wake(from)?,
                user: Keep::wake(from)?,
                had: Keep::wake(from)?,
                field: Keep::wake(from)?,
            },
            12 => Self::Unwell { service: Keep::wake(from)?, component: Keep::wake(from)?, down: Keep::wake(from)? },
            13 => Self::Silent(Keep::wake(from)?),
            14 => Self::NewError { op: Keep::wake(from)?, error: Keep::wake(from)? },
            15 => Self::Probe { op: Keep::wake(from)?, addr: Keep::wake(from)? },
            16 => Self::Series(Keep::wake(from)?),
            17 => Self::Forecast(Keep::wake(from)?),
            18 => Self::Spending(Keep::wake(from)?),
            _ => return None,
        })
    }
}
