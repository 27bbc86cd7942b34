//! What a trace is shown to: something that takes lines and seconds and says what it found.

use stella_detect::{Engine, Finding, Phase};
use stella_protocol::{AlertType, Severity, Timestamp};

use crate::trace::Line;

/// What a detector says: a problem as it stands.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What kind of problem.
    pub kind: AlertType,
    /// The same problem has the same one.
    pub fingerprint: String,
    /// About which operation; None: no single one.
    pub operation: Option<String>,
    /// About which service; empty: none in particular.
    pub service: String,
    /// Everything that it names. Empty: it names nothing.
    pub names: Vec<String>,
    /// Whether somebody must get up.
    pub critical: bool,
    /// Whether it says that it is over.
    pub over: bool,
    /// One line for people.
    pub title: String,
}

/// Lines and seconds in, notices out.
pub trait Detector {
    /// Takes a line.
    fn observe(&mut self, line: &Line);
    /// Engine time reaches a whole second.
    fn advance(&mut self, now: Timestamp);
    /// What was said since the last time.
    fn drain(&mut self) -> Vec<Notice>;
}

impl Detector for Engine {
    fn observe(&mut self, line: &Line) {
        Engine::observe(self, line.id, &line.event);
    }

    fn advance(&mut self, now: Timestamp) {
        Engine::advance(self, now);
    }

    fn drain(&mut self) -> Vec<Notice> {
        Engine::drain(self).into_iter().map(Notice::from).collect()
    }
}

impl From<Finding> for Notice {
    fn from(finding: Finding) -> Self {
        let operation = finding.operation.map(|operation| operation.raw().to_owned());
        let mut names: Vec<String> = finding.labels.values().map(|value| value.raw().to_owned()).collect();
        names.extend(operation.clone());
        // Of a broad problem any user may be an example; of these they are what it is about.
        if matches!(finding.kind, AlertType::UserFriction | AlertType::SecurityAnomaly | AlertType::DataInconsistency) {
            names.extend(finding.affected_users.iter().map(|user| user.raw().to_owned()));
        }
        Self {
            kind: finding.kind,
            fingerprint: finding.fingerprint,
            operation,
            service: finding.service.raw().to_owned(),
            names,
            critical: finding.severity == Severity::Critical,
            over: finding.phase == Phase::Recovered,
            title: finding.title.raw().to_owned(),
        }
    }
}
