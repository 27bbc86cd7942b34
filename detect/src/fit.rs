//! What an alert of one type says of an incident of another: for whoever compares alerts with what really happened.
//!
//! Knows types alone, neither times nor names.

use stella_protocol::AlertType;

/// How an alert's type fits an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It says what is wrong.
    Right,
    /// It says something true that follows from it.
    Beside,
    /// It has nothing to do with it.
    No,
}

impl Fit {
    /// What an alert of type `told` says of an incident of type `kind`.
    ///
    /// Beside it stands what truly follows: failing calls also take longer, a victim of an attack cannot get on,
    /// contradictions are errors too, and what stopped speaking is not well.
    pub fn of(kind: AlertType, told: AlertType) -> Self {
        use AlertType as T;
        let (right, beside): (&[T], &[T]) = match kind {
            T::PerformanceDegradation => (&[T::PerformanceDegradation], &[T::MetricAnomaly]),
            T::ErrorSpike => {
                (&[T::ErrorSpike], &[T::NewError, T::UserFriction, T::PerformanceDegradation, T::MetricAnomaly])
            }
            T::NewError => {
                (&[T::NewError, T::ErrorSpike], &[T::UserFriction, T::PerformanceDegradation, T::MetricAnomaly])
            }
            T::UserFriction => (&[T::UserFriction], &[T::ErrorSpike]),
            T::SecurityAnomaly => (&[T::SecurityAnomaly], &[T::UserFriction, T::ErrorSpike, T::NewError]),
            T::DataInconsistency => (&[T::DataInconsistency], &[T::ErrorSpike, T::NewError, T::UserFriction]),
            T::Silence => (&[T::Silence], &[T::Health, T::MetricAnomaly]),
            T::Health => (&[T::Health], &[]),
            T::Forecast => (&[T::Forecast, T::MetricAnomaly], &[]),
            _ => (&[T::MetricAnomaly, T::Forecast], &[]),
        };
        match (right.contains(&told), beside.contains(&told)) {
            (true, _) => Self::Right,
            (false, true) => Self::Beside,
            (false, false) => Self::No,
        }
    }
}
