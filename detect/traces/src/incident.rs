//! What goes wrong in a trace, and what of it a detector must say: the labels.

use serde::Serialize;
use stella_detect::Fit;
use stella_protocol::{AlertType, Timestamp};

/// A kind of incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Everything takes 1.4 to 1.8 times as long.
    SlowAll,
    /// One operation takes 1.5 to 4 times as long.
    SlowOne,
    /// One operation becomes slower and slower.
    SlowRamp,
    /// 30 to 80 % of an operation fail.
    ErrorsMany,
    /// 8 to 20 % of an operation fail.
    ErrorsSome,
    /// 3 to 8 % of everything fail.
    ErrorsBroad,
    /// 5 to 15 % of an operation fail in a way never seen before.
    NewError,
    /// One person fails 4 to 12 times.
    Friction,
    /// One person does the same again and again with hardly a pause, though it works.
    Rage,
    /// A tenth to a third of an operation's calls are tried three times or more.
    Retried,
    /// 0.3 to 2 guesses a second from one address.
    BruteForce,
    /// One address, each time another account.
    Stuffing,
    /// One guess each 30 to 60 s.
    SlowBrute,
    /// Many addresses on one account.
    Distributed,
    /// Somebody finds out who exists.
    Enumeration,
    /// Somebody gets in after a run of failures.
    Breach,
    /// Many addresses, each once or twice, each time another account.
    Spray,
    /// 6 to 30 lines that contradict what is stored.
    ContradictionBurst,
    /// One line that cannot be true.
    ImpossibleFact,
    /// An owner who had things has none.
    Vanished,
    /// A search that found things finds none any more.
    ZeroResults,
    /// Writes under an id of a wrong form.
    WrongForm,
    /// A service says nothing more.
    SourceStops,
    /// A component's beat stops.
    HeartbeatStops,
    /// A component says that it is not well.
    Unwell,
    /// A gauge runs to its end.
    GaugeRamp,
    /// A series jumps and stays.
    SeriesJump,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::SlowAll,
        Self::SlowOne,
        Self::SlowRamp,
        Self::ErrorsMany,
        Self::ErrorsSome,
        Self::ErrorsBroad,
        Self::NewError,
        Self::Friction,
        Self::Rage,
        Self::Retried,
        Self::BruteForce,
        Self::Stuffing,
        Self::SlowBrute,
        Self::Distributed,
        Self::Enumeration,
        Self::Breach,
        Self::Spray,
        Self::ContradictionBurst,
        Self::ImpossibleFact,
        Self::Vanished,
        Self::ZeroResults,
        Self::WrongForm,
        Self::SourceStops,
        Self::HeartbeatStops,
        Self::Unwell,
        Self::GaugeRamp,
        Self::SeriesJump,
    ];

    /// The type under which it belongs in a table.
    pub fn family(self) -> AlertType {
        match self {
            Self::SlowAll | Self::SlowOne | Self::SlowRamp => AlertType::PerformanceDegradation,
            Self::ErrorsMany | Self::ErrorsSome | Self::ErrorsBroad => AlertType::ErrorSpike,
            Self::NewError => AlertType::NewError,
            Self::Friction | Self::Rage | Self::Retried => AlertType::UserFriction,
            Self::BruteForce
            | Self::Stuffing
            | Self::SlowBrute
            | Self::Distributed
            | Self::Enumeration
            | Self::Breach
            | Self::Spray => AlertType::SecurityAnomaly,
            Self::ContradictionBurst | Self::ImpossibleFact | Self::Vanished | Self::ZeroResults | Self::WrongForm => {
                AlertType::DataInconsistency
            }
            Self::SourceStops | Self::HeartbeatStops => AlertType::Silence,
            Self::Unwell => AlertType::Health,
            Self::GaugeRamp => AlertType::Forecast,
            Self::SeriesJump => AlertType::MetricAnomaly,
        }
    }

    /// What an alert of this type says of it.
    pub fn fit(self, told: AlertType) -> Fit {
        Fit::of(self.family(), told)
    }
}

/// An incident as it really was.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// What kind.
    pub kind: Kind,
    /// The operation it is about, where it is about one.
    pub operation: Option<&'static str>,
    /// The service, where it is in one.
    pub service: Option<&'static str>,
    /// Names of which an alert must say one: operations, users, addresses, sources, series. Empty: any will do.
    pub names: Vec<String>,
    /// How strong, in words.
    pub strength: String,
    /// How strong as a number, where one says it: times the usual duration, or share of failing calls; else 0.
    pub size: f64,
    /// Engine time at which it began.
    pub onset: Timestamp,
    /// Engine time at which it ended.
    pub end: Timestamp,
    /// The incident that this one follows from: not wanted as an alert of its own, and not false as one.
    pub parent: Option<usize>,
}

/// Something that looks wrong and is not.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Benign {
    /// What.
    pub kind: &'static str,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
}
