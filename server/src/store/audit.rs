//! The audit chain: each row holds the hash of the row before, so that no row can be changed, dropped
//! or slipped in without every later hash being wrong.
//!
//! A tail that was cut off cannot be seen from the rows alone: that needs a head kept elsewhere.

use sha2::{Digest, Sha256};
use stella_protocol::{Role, Text, Timestamp};

/// How a request of somebody ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was done.
    Done,
    /// Somebody else was first.
    Conflict,
    /// The rules do not allow it.
    Refused,
    /// The role does not allow it.
    Denied,
}

impl Verdict {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Denied => "denied",
        }
    }
}

/// Somebody did something to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who.
    pub principal: Text,
    /// In which role.
    pub role: Role,
    /// What.
    pub verb: &'static str,
    /// To what: an id, safe to show.
    pub object: String,
    /// Its versions before and after; equal when nothing changed.
    pub versions: (u64, u64),
    /// Under which idempotency key; empty when the server did it.
    pub key: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What else there is to say, as JSON or in words.
    pub detail: Text,
}

/// A kept row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1.
    pub seq: u64,
    /// Server time.
    pub at: Timestamp,
    /// Who.
    pub principal: Text,
    /// In which role.
    pub role: String,
    /// What.
    pub verb: String,
    /// To what.
    pub object: String,
    /// Versions before and after.
    pub versions: (u64, u64),
    /// Under which idempotency key.
    pub key: Text,
    /// How it ended.
    pub verdict: String,
    /// What else there is to say.
    pub detail: Text,
    /// Hash of the row before; zeros for the first.
    pub previous: [u8; 32],
    /// Hash of this row.
    pub hash: [u8; 32],
}

impl AuditRow {
    /// The row that follows `previous` in the chain.
    pub(super) fn after(previous: (u64, [u8; 32]), at: Timestamp, entry: AuditEntry) -> Self {
        let mut row = Self {
            seq: previous.0 + 1,
            at,
            principal: entry.principal,
            role: entry.role.word().to_owned(),
            verb: entry.verb.to_owned(),
            object: entry.object,
            versions: entry.versions,
            key: Text::new(entry.key),
            verdict: entry.verdict.word().to_owned(),
            detail: entry.detail,
            previous: previous.1,
            hash: [0; 32],
        };
        row.hash = row.computed();
        row
    }

    /// SHA-256 over its fields, each preceded by its length, so that no two rows read alike.
    fn computed(&self) -> [u8; 32] {
        let numbers = [self.seq, self.at.millis() as u64, self.versions.0, self.versions.1].map(u64::to_le_bytes);
        let texts = [self.principal.raw(), &self.role, &self.verb, &self.object];
        let more = [self.key.raw(), &self.verdict, self.detail.raw()];
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for number in &numbers {
            field(number);
        }
        for text in texts.iter().chain(&more) {
            field(text.as_bytes());
        }
        field(&self.previous);
        hash.finalize().into()
    }

    /// True when it is as it was written, and follows `previous`.
    pub(super) fn follows(&self, previous: (u64, [u8; 32])) -> bool {
        self.seq == previous.0 + 1 && self.previous == previous.1 && self.hash == self.computed()
    }
}

/// The chain does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("verify the audit chain: row {seq} is not as it was written")]
pub struct AuditBroken {
    /// Number that the row should have.
    pub seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(rows: u64) -> Vec<AuditRow> {
        let mut chain: Vec<AuditRow> = Vec::new();
        for number in 0..rows {
            let previous = chain.last().map_or((0, [0; 32]), |row| (row.seq, row.hash));
            let entry = AuditEntry {
                principal: Text::new(format!("p{}", number % 3)),
                role: Role::Responder,
                verb: "resolve",
                object: format!("a-{number}"),
                versions: (number, number + 1),
                key: String::new(),
                verdict: Verdict::Done,
                detail: Text::default(),
            };
            chain.push(AuditRow::after(previous, Timestamp::from_millis(number as i64), entry));
        }
        chain
    }

    fn broken_at(chain: &[AuditRow]) -> Option<usize> {
        let mut previous = (0, [0; 32]);
        chain.iter().position(|row| {
            let holds = row.follows(previous);
            previous = (row.seq, row.hash);
            !holds
        })
    }

    #[test]
    fn every_way_to_tamper_with_a_row_is_seen_at_that_row() {
        let whole = chain(40);
        assert_eq!(broken_at(&whole), None);
        for at in 0..whole.len() - 1 {
            let mut words = whole.clone();
            words[at].principal = Text::new("somebody else");
            let mut moved = whole.clone();
            moved[at].key = Text::new(moved[at].verb.clone());
            moved[at].verb.clear();
            let mut dropped = whole.clone();
            dropped.remove(at);
            let mut swapped = whole.clone();
            swapped.swap(at, at + 1);
            let mut forged = whole.clone();
            forged[at].detail = Text::new("forged");
            forged[at].hash = forged[at].computed();
            for (name, tampered, seen) in [
                ("words", words, at),
                ("moved", moved, at),
                ("dropped", dropped, at),
                ("swapped", swapped, at),
                ("forged", forged, at + 1),
            ] {
                assert_eq!(broken_at(&tampered), Some(seen), "{name} {at}");
            }
        }
    }
}
