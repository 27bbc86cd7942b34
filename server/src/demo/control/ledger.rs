//! What the operations interface remembers: what it did, what it answered, which fences it saw. It is
//! kept with the demo's place, so that a repeated request after a restart has no second effect either.
//!
//! Knows neither the application nor HTTP.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stella_protocol::Timestamp;

/// Effects and answers remembered: more than a demo of many hours has.
const REMEMBERED: usize = 500;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// Dense, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The request's `Idempotency-Key`.
    pub key: String,
    /// `GET`, `PUT`, …
    pub method: String,
    /// Of what, and what was asked for.
    pub path: String,
    /// What it changed, in words.
    pub effect: String,
}

/// The first answer to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    key: String,
    request: String,
    status: u16,
    body: Value,
}

/// Everything remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ledger {
    numbered: u64,
    effects: VecDeque<Effect>,
    answers: VecDeque<Answer>,
    /// The highest fence seen, by what it is for.
    fences: BTreeMap<String, u64>,
}

/// Whether something may be done.
#[derive(Debug, PartialEq)]
pub enum Admission {
    /// It may.
    New,
    /// It was: this was the answer.
    Again(u16, Value),
    /// The key was for another request.
    OtherRequest,
    /// Somebody with this higher fence was here.
    Fenced(u64),
}

impl Ledger {
    /// Whether `request` may be done to `target`; notes its fence if so.
    pub fn admit(&mut self, target: &str, fence: Option<u64>, key: &str, request: &str) -> Admission {
        let seen = self.fences.get(target).copied().unwrap_or(0);
        if let Some(fence) = fence {
            if fence < seen {
                return Admission::Fenced(seen);
            }
            self.fences.insert(target.to_owned(), fence);
        }
        match self.answers.iter().find(|answer| answer.key == key) {
            Some(answer) if answer.request == request => Admission::Again(answer.status, answer.body.clone()),
            Some(_) => Admission::OtherRequest,
            None => Admission::New,
        }
    }

    /// Remembers something that was done.
    pub fn done(&mut self, at: Timestamp, key: &str, method: &str, path: &str, effect: &str) {
        self.numbered += 1;
        self.effects.push_back(Effect {
            number: self.numbered,
            at,
            key: key.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            effect: effect.to_owned(),
        });
        while self.effects.len() > REMEMBERED {
            self.effects.pop_front();
        }
    }

    /// Remembers the answer to a key.
    pub fn answered(&mut self, key: &str, request: &str, status: u16, body: Value) {
        self.answers.push_back(Answer { key: key.to_owned(), request: request.to_owned(), status, body });
        while self.answers.len() > REMEMBERED {
            self.answers.pop_front();
        }
    }

    /// What was done, oldest first.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_once_and_for_one_request_only() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.admit("pools/x", None, "k", "POST a"), Admission::New);
        ledger.answered("k", "POST a", 200, Value::Bool(true));
        assert_eq!(ledger.admit("pools/x", None, "k", "POST a"), Admission::Again(200, Value::Bool(true)));
        assert_eq!(ledger.admit("pools/x", None, "k", "POST b"), Admission::OtherRequest);
    }

    #[test]
    fn a_lower_fence_is_refused_for_its_own_target_only() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.admit("pools/x", Some(7), "a", "r"), Admission::New);
        assert_eq!(ledger.admit("pools/x", Some(7), "b", "r"), Admission::New);
        assert_eq!(ledger.admit("pools/x", Some(6), "c", "r"), Admission::Fenced(7));
        assert_eq!(ledger.admit("pools/y", Some(6), "c", "r"), Admission::New);
    }

    #[test]
    fn numbers_go_on_when_the_oldest_effects_are_forgotten() {
        let mut ledger = Ledger::default();
        for number in 0..REMEMBERED + 2 {
            ledger.done(Timestamp::default(), &number.to_string(), "POST", "pools/x/restart", "done");
        }
        let numbers: Vec<u64> = ledger.effects().map(|effect| effect.number).collect();
        assert_eq!((numbers.len(), numbers.first().copied()), (REMEMBERED, Some(3)));
    }
}
