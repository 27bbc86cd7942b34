//! What a problem is about, with the names that its story needs.

use stella_protocol::AlertType;

use crate::keep::{Keep, Reader};
use crate::rules::Known;
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
    Rage { op: OpName, user: Box<str> },
    Address { op: OpName, addr: Box<str> },
    Account { op: OpName, user: Box<str> },
    LockedOut(OpName),
    LoginsEverywhere,
    Contradiction { op: OpName, sign: Sign },
    Vanished { op: OpName, user: Box<str>, had: f64, field: Box<str> },
    Nothing { op: OpName, field: Box<str> },
    WrongForm { op: OpName, field: Box<str>, value: Box<str> },
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
        self.rule().kind()
    }

    /// Which rule looks for it.
    pub(crate) fn rule(&self) -> Known {
        match self {
            Self::Slow(_) => Known::Slow,
            Self::SlowEverywhere => Known::SlowEverywhere,
            Self::Spike(_) => Known::Errors,
            Self::SpikeEverywhere => Known::ErrorsEverywhere,
            Self::Friction { .. } => Known::Friction,
            Self::Retries(_) => Known::Retries,
            Self::Rage { .. } => Known::Rage,
            Self::Address { .. } => Known::LoginAddress,
            Self::Account { .. } => Known::LoginAccount,
            Self::LockedOut(_) => Known::LockedOut,
            Self::LoginsEverywhere => Known::LoginEverywhere,
            Self::Probe { .. } => Known::Probe,
            Self::Contradiction { .. } => Known::Data,
            Self::Vanished { .. } => Known::Vanished,
            Self::Nothing { .. } => Known::Nothing,
            Self::WrongForm { .. } => Known::WrongForm,
            Self::Unwell { .. } => Known::Health,
            Self::Silent(_) => Known::Silence,
            Self::NewError { .. } => Known::NewError,
            Self::Series(_) => Known::Metric,
            Self::Forecast(_) => Known::Forecast,
            Self::Spending(_) => Known::Slo,
        }
    }

    /// In which service and operation it is; nothing where it is in no one place.
    pub(crate) fn place(&self) -> (&str, Option<&str>) {
        match self {
            Self::SlowEverywhere | Self::SpikeEverywhere | Self::LoginsEverywhere => ("", None),
            Self::Slow(op)
            | Self::Spike(op)
            | Self::Friction { op, .. }
            | Self::Retries(op)
            | Self::Rage { op, .. }
            | Self::Address { op, .. }
            | Self::Account { op, .. }
            | Self::LockedOut(op)
            | Self::Contradiction { op, .. }
            | Self::Vanished { op, .. }
            | Self::Nothing { op, .. }
            | Self::WrongForm { op, .. }
            | Self::NewError { op, .. }
            | Self::Probe { op, .. } => op.place(),
            Self::Unwell { service, .. } => (service, None),
            Self::Silent(source) => (source.speaker.name(), None),
            Self::Series(reading) => reading.name.op.place(),
            Self::Forecast(outlook) => outlook.op().place(),
            Self::Spending(spending) => spending.place(),
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
            Self::Nothing { .. } => 20,
            Self::WrongForm { .. } => 21,
            Self::Rage { .. } => 22,
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
            | Self::Rage { op, user: name }
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
            Self::Nothing { op, field } => {
                op.keep(to);
                field.keep(to);
            }
            Self::WrongForm { op, field, value } => {
                op.keep(to);
                field.keep(to);
                value.keep(to);
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
            20 => Self::Nothing { op: Keep::wake(from)?, field: Keep::wake(from)? },
            21 => Self::WrongForm { op: Keep::wake(from)?, field: Keep::wake(from)?, value: Keep::wake(from)? },
            22 => Self::Rage { op: Keep::wake(from)?, user: Keep::wake(from)? },
            16 => Self::Series(Keep::wake(from)?),
            17 => Self::Forecast(Keep::wake(from)?),
            18 => Self::Spending(Keep::wake(from)?),
            _ => return None,
        })
    }
}
