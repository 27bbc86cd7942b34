//! Words for kinds of incidents.

use stella_protocol::AlertType;

use crate::toml_source::{shown, suggestion};

/// Words for single kinds besides the types themselves, and the type that they are of.
const KINDS: [(&str, AlertType); 25] = [
    ("slow_all", AlertType::PerformanceDegradation),
    ("slow_one", AlertType::PerformanceDegradation),
    ("slow_ramp", AlertType::PerformanceDegradation),
    ("errors_many", AlertType::ErrorSpike),
    ("errors_some", AlertType::ErrorSpike),
    ("errors_broad", AlertType::ErrorSpike),
    ("friction", AlertType::UserFriction),
    ("rage", AlertType::UserFriction),
    ("retried", AlertType::UserFriction),
    ("brute_force", AlertType::SecurityAnomaly),
    ("stuffing", AlertType::SecurityAnomaly),
    ("slow_brute", AlertType::SecurityAnomaly),
    ("distributed", AlertType::SecurityAnomaly),
    ("enumeration", AlertType::SecurityAnomaly),
    ("breach", AlertType::SecurityAnomaly),
    ("spray", AlertType::SecurityAnomaly),
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
