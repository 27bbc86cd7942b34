//! How far the webhook was told, and of which objects, so that one message an object stands until the
//! object changes in a way that matters.
//!
//! It is a fold over the feed: kept at a position, it is exactly what reading on from there needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stella_protocol::{Cursor, FixStatus, Severity};

use super::message::{Kind, Message, Subject};

/// Most objects remembered; of more, those told longest ago may be told again.
const MOST: usize = 2000;

/// A place in the feed, and what had been told by then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// History of the feed.
    pub epoch: u64,
    /// The last event that was taken in.
    pub seq: u64,
    told: BTreeMap<String, Told>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    mark: String,
    seq: u64,
}

impl Ledger {
    /// Reads what [`Ledger::written`] wrote; None: it is not that.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As it is kept.
    pub fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same, at another place.
    pub fn moved(&self, to: Cursor) -> Self {
        Self { epoch: to.epoch, seq: to.seq, told: self.told.clone() }
    }

    /// Forgets objects.
    pub fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        self.told.retain(|id, _| stays(id));
    }

    /// Takes in an object as the event at `seq` shows it; the message, when there is something to tell.
    pub fn weigh(&mut self, subject: &Subject) -> Option<Message> {
        match standing(subject) {
            Standing::Over => {
                self.told.remove(subject.id());
                None
            }
            Standing::Still => None,
            Standing::Matters(kind, mark) => {
                let known = self.told.get(subject.id()).is_some_and(|told| told.mark == mark);
                if known {
                    return None;
                }
                self.remember(subject.id(), mark);
                Some(Message::about(subject, kind, Cursor { epoch: self.epoch, seq: self.seq }))
            }
        }
    }

    fn remember(&mut self, id: &str, mark: String) {
        self.told.insert(id.to_owned(), Told { mark, seq: self.seq });
        if self.told.len() > MOST
            && let Some(oldest) = self.told.iter().min_by_key(|(_, told)| told.seq).map(|(id, _)| id.clone())
        {
            self.told.remove(&oldest);
        }
    }
}

/// What an object is to whoever is told.
enum Standing {
    /// To be told, once for each mark.
    Matters(Kind, String),
    /// Nothing to tell, and nothing to forget.
    Still,
    /// Nothing to tell; should it come back, that is news.
    Over,
}

fn standing(subject: &Subject) -> Standing {
    match subject {
        Subject::Alert(alert) if !alert.status.is_open() => Standing::Over,
        Subject::Alert(alert) if alert.severity == Severity::Critical => {
            Standing::Matters(Kind::CriticalAlert, alert.reopened.to_string())
        }
        // One that falls below critical and rises again while it is open is the same news.
        Subject::Alert(_) => Standing::Still,
        Subject::Fix(fix) => {
            let kind = match fix.status {
                FixStatus::Pending => Kind::FixPending,
                FixStatus::InDoubt => Kind::FixInDoubt,
                FixStatus::RollbackFailed => Kind::FixRollbackFailed,
                _ => return Standing::Over,
            };
            Standing::Matters(kind, fix.status.word().to_owned())
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::{Status, Text};

    use super::super::tests::{critical, fix};
    use super::*;

    #[test]
    fn an_alert_is_told_once_until_it_was_over_or_came_back() {
        let mut ledger = Ledger { epoch: 1, seq: 7, ..Ledger::default() };
        let mut alert = critical(1);
        let weigh = |ledger: &mut Ledger, alert: &_| ledger.weigh(&Subject::Alert(Box::new(Clone::clone(alert))));
        assert_eq!(weigh(&mut ledger, &alert).unwrap().delivery, format!("1.7.{}", alert.id));
        alert.assignee = Some(Text::new("ana"));
        alert.status = Status::Acknowledged;
        assert!(weigh(&mut ledger, &alert).is_none());
        for severity in [Severity::High, Severity::Critical] {
            alert.severity = severity;
            assert!(weigh(&mut ledger, &alert).is_none(), "{severity:?}");
        }
        alert.status = Status::Resolved;
        assert!(weigh(&mut ledger, &alert).is_none());
        let mut ledger = Ledger::read(&ledger.written()).unwrap();
        (alert.status, alert.reopened) = (Status::New, 1);
        assert!(weigh(&mut ledger, &alert).is_some());
        assert!(weigh(&mut ledger.clone(), &alert).is_none());
        alert.reopened = 2;
        assert!(weigh(&mut ledger, &alert).is_some());
    }

    #[test]
    fn of_a_fix_only_what_people_must_decide_is_told() {
        let mut ledger = Ledger::default();
        let told: Vec<&str> = FixStatus::ALL
            .into_iter()
            .filter(|status| ledger.weigh(&Subject::Fix(Box::new(fix(1, *status)))).is_some())
            .map(FixStatus::word)
            .collect();
        assert_eq!(told, ["pending", "rollback_failed", "in_doubt"]);
    }

    #[test]
    fn no_more_than_its_share_is_remembered_and_the_oldest_goes_first() {
        let mut ledger = Ledger::default();
        for number in 0..=MOST {
            ledger.seq = number as u64;
            assert!(ledger.weigh(&Subject::Alert(Box::new(critical(number)))).is_some());
        }
        assert_eq!(ledger.told.len(), MOST);
        assert!(ledger.weigh(&Subject::Alert(Box::new(critical(MOST)))).is_none());
        assert!(ledger.weigh(&Subject::Alert(Box::new(critical(0)))).is_some());
    }
}
