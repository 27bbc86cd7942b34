//! The order of the fixes: what asks for people first.

use std::cmp::Reverse;

use stella_protocol::fix::Risk;
use stella_protocol::{Fix, FixStatus};

/// What is listed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Somebody has to say yes or no.
    Waiting,
    /// It runs, or is about to.
    UnderWay,
    /// Nobody knows whether it happened, or it could not be taken back.
    InDoubt,
    /// It is over.
    Ended,
}

impl Group {
    /// Where a fix is listed.
    pub fn of(fix: &Fix) -> Self {
        match fix.status {
            FixStatus::Pending => Self::Waiting,
            FixStatus::InDoubt | FixStatus::RollbackFailed => Self::InDoubt,
            status if status.is_open() => Self::UnderWay,
            _ => Self::Ended,
        }
    }

    /// The heading.
    pub fn words(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for a decision",
            Self::UnderWay => "under way",
            Self::InDoubt => "in doubt: somebody has to look",
            Self::Ended => "ended",
        }
    }
}

/// Group by group; what waits by risk and then by who runs out first, the others the latest first.
pub fn sorted<'a>(fixes: impl Iterator<Item = &'a Fix>) -> Vec<&'a Fix> {
    let mut rows: Vec<&Fix> = fixes.collect();
    rows.sort_by(|left, right| rank(left).cmp(&rank(right)).then_with(|| left.id.cmp(&right.id)));
    rows
}

fn rank(fix: &Fix) -> (Group, Reverse<u8>, i64) {
    let group = Group::of(fix);
    if group == Group::Waiting {
        return (group, Reverse(weight(fix.risk)), fix.approve_by.millis());
    }
    (group, Reverse(0), -fix.ended_at.unwrap_or(fix.proposed_at).millis())
}

fn weight(risk: Risk) -> u8 {
    match risk {
        Risk::Low => 1,
        Risk::Medium => 2,
        // What this console does not know is looked at first.
        Risk::High | Risk::Unknown => 3,
    }
}
