//! Words for kinds of incidents, and which alerts say them right.

use stella_protocol::AlertType;

use crate::toml_source::{shown, suggestion};

/// How an alert's type fits an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It says what is wrong.
    Right,
    /// It says something true that follows from it.
    Beside,
    /// It has nothing to do with it.
    No,
}

/// Words for single kinds besides the types themselves, and the type that they are of.
const KINDS: [(&str, AlertType); 22] = [
    ("slow_all", AlertType::PerformanceDegradation),
    ("slow_one", AlertType::PerformanceDegradation),
    ("slow_ramp", AlertType::PerformanceDegradation),
    ("errors_many", AlertType::ErrorSpike),
    ("errors_some", AlertType::ErrorSpike),
    ("errors_broad", AlertType::ErrorSpike),
    ("friction", AlertType::UserFriction),
    ("brute_force", AlertType::SecurityAnomaly),
    ("stuffing", AlertType::SecurityAnomaly),
    ("slow_brute", AlertType::SecurityAnomaly),
    ("distributed", AlertType::SecurityAnomaly),
    ("enumeration", AlertType::SecurityAnomaly),
    ("breach", AlertType::SecurityAnomaly),
    ("contradiction_burst", AlertType::DataInconsistency),
    ("impossible_fact", AlertType::DataInconsistency),
    ("vanished", AlertType::DataInconsistency),
    ("zero_results", AlertType::DataInconsistency),
    ("wrong_form", AlertType::DataInconsistency),
    ("source_stops", AlertType::Silence),
    ("heartbeat_stops", AlertType::Silence),
    ("unwell", AlertType::Health),
    ("gauge_ramp", AlertType::Forecast),
];

/// The type of alert that a word asks for; else what is wanted.
pub(super) fn family(word: &str) -> Result<AlertType, String> {
    // What other systems and people say stands in no line.
    let of_lines = |kind: &AlertType| !matches!(kind, AlertType::External | AlertType::UserReport);
    let types = AlertType::ALL.into_iter().filter(of_lines).map(|kind| (kind.word(), kind));
    let known: Vec<(&str, AlertType)> = types.chain(KINDS).chain([("series_jump", AlertType::MetricAnomaly)]).collect();
    let found = known.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind);
    let hint = || suggestion(word, known.iter().map(|(known, _)| *known));
    found.ok_or_else(|| format!("`type` is `{}`{}", shown(word), hint()))
}

/// What an alert of type `told` says of an incident of type `kind`.
///
/// Beside it stands what truly follows: failing calls also take longer, a victim of an attack cannot get on,
/// contradictions are errors too, and what stopped speaking is not well.
pub(super) fn fit(kind: AlertType, told: AlertType) -> Fit {
    use AlertType as T;
    let (right, beside): (&[T], &[T]) = match kind {
        T::PerformanceDegradation => (&[T::PerformanceDegradation], &[T::MetricAnomaly]),
        T::ErrorSpike => {
            (&[T::ErrorSpike], &[T::NewError, T::UserFriction, T::PerformanceDegradation, T::MetricAnomaly])
        }
        T::NewError => (&[T::NewError, T::ErrorSpike], &[T::UserFriction, T::PerformanceDegradation, T::MetricAnomaly]),
        T::UserFriction => (&[T::UserFriction], &[T::ErrorSpike]),
        T::SecurityAnomaly => (&[T::SecurityAnomaly], &[T::UserFriction, T::ErrorSpike, T::NewError]),
        T::DataInconsistency => (&[T::DataInconsistency], &[T::ErrorSpike, T::NewError, T::UserFriction]),
        T::Silence => (&[T::Silence], &[T::Health, T::MetricAnomaly]),
        T::Health => (&[T::Health], &[]),
        T::Forecast => (&[T::Forecast, T::MetricAnomaly], &[]),
        _ => (&[T::MetricAnomaly, T::Forecast], &[]),
    };
    match (right.contains(&told), beside.contains(&told)) {
        (true, _) => Fit::Right,
        (false, true) => Fit::Beside,
        (false, false) => Fit::No,
    }
}
