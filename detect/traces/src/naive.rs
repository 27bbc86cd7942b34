//! The naive rules, kept for ever as the baseline: a window of the last 200 lines, looked at every 10 seconds.
//!
//! Mean of the last 20 durations above 1.5 times 300 ms; five errors of which three are of one type; three errors
//! of one user; five failed logins; a mismatch or an orphan, or an owner's count falling to nothing. Its
//! thresholds are not ours to improve.

use std::collections::{BTreeMap, VecDeque};

use stella_protocol::log::Login;
use stella_protocol::{AlertType, Level, Timestamp};

use crate::detector::{Detector, Notice};
use crate::trace::Line;

/// Lines that are looked at.
const WINDOW: usize = 200;
/// Seconds between two looks.
const EVERY_S: i64 = 10;
/// Durations whose mean counts, and the mean that is too long, in milliseconds.
const DURATIONS: usize = 20;
const SLOW_MS: f64 = 1.5 * 300.0;
/// Errors, and how many of them must be of one type.
const ERRORS: usize = 5;
const SAME_TYPE: usize = 3;
/// Errors of one user.
const OF_ONE_USER: usize = 3;
/// Failed logins.
const LOGINS: usize = 5;

/// What is kept of a line.
#[derive(Debug)]
struct Seen {
    duration_ms: Option<f64>,
    /// Type of the error, when it is one.
    error: Option<String>,
    user: Option<String>,
    /// From where a login failed.
    failed_login: Option<String>,
    /// The operation in which data contradict themselves.
    contradiction: Option<String>,
}

/// The naive rules.
#[derive(Debug, Default)]
pub struct Naive {
    window: VecDeque<Seen>,
    counts: BTreeMap<(String, String), f64>,
    said: Vec<Notice>,
}

impl Naive {
    fn look(&mut self) {
        let durations: Vec<f64> =
            self.window.iter().rev().filter_map(|seen| seen.duration_ms).take(DURATIONS).collect();
        let mean = durations.iter().sum::<f64>() / durations.len().max(1) as f64;
        if durations.len() == DURATIONS && mean > SLOW_MS {
            self.say(AlertType::PerformanceDegradation, None, format!("mean {mean:.0} ms"));
        }
        let errors: usize = self.window.iter().filter(|seen| seen.error.is_some()).count();
        let (kind, most) = commonest(self.window.iter().filter_map(|seen| seen.error.as_deref()));
        if errors >= ERRORS && most >= SAME_TYPE {
            self.say(AlertType::ErrorSpike, Some(&kind), format!("{errors} errors, {most} of {kind}"));
        }
        let failing = self.window.iter().filter(|seen| seen.error.is_some());
        let (user, most) = commonest(failing.filter_map(|seen| seen.user.as_deref()));
        if most >= OF_ONE_USER {
            self.say(AlertType::UserFriction, Some(&user), format!("{most} errors of {user}"));
        }
        let logins = self.window.iter().filter(|seen| seen.failed_login.is_some()).count();
        let (addr, _) = commonest(self.window.iter().filter_map(|seen| seen.failed_login.as_deref()));
        if logins >= LOGINS {
            self.say(AlertType::SecurityAnomaly, Some(&addr), format!("{logins} failed logins"));
        }
        let contradiction = self.window.iter().find_map(|seen| seen.contradiction.clone());
        if let Some(what) = contradiction {
            self.say(AlertType::DataInconsistency, Some(&what), format!("{what} contradicts itself"));
        }
    }

    fn say(&mut self, kind: AlertType, name: Option<&str>, title: String) {
        let name = name.unwrap_or_default();
        self.said.push(Notice {
            kind,
            fingerprint: format!("{}|{name}", kind.word()),
            operation: None,
            service: String::new(),
            names: if name.is_empty() { Vec::new() } else { vec![name.to_owned()] },
            critical: false,
            over: false,
            title,
        });
    }

    /// True when somebody who had something has nothing.
    fn fell_to_nothing(&mut self, line: &Line) -> bool {
        let event = &line.event;
        let (Some(user), Some(operation)) = (&event.user_id, &event.operation) else { return false };
        let Some(count) = event.attributes.values().find_map(serde_json::Value::as_f64) else { return false };
        let before = self.counts.insert((user.raw().to_owned(), operation.raw().to_owned()), count);
        count == 0.0 && before.is_some_and(|before| before > 0.0)
    }
}

/// What is there most often, and how often.
fn commonest<'a>(all: impl Iterator<Item = &'a str>) -> (String, usize) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or((String::new(), 0), |(one, count)| (one.to_owned(), count))
}

impl Detector for Naive {
    fn observe(&mut self, line: &Line) {
        let fell = self.fell_to_nothing(line);
        let event = &line.event;
        let text = |text: &Option<stella_protocol::Text>| text.as_ref().map(|text| text.raw().to_owned());
        let words = event.message.raw();
        let failed = event.failed();
        let kind = || text(&event.error_type).or_else(|| words.split(':').next().map(str::to_owned));
        let loud = matches!(event.level, Level::Warn | Level::Error);
        let says = |word: &str| words.to_ascii_lowercase().contains(word);
        let contradicts = fell || loud && (says("mismatch") || says("orphan"));
        let login = event.login == Some(Login::Failed);
        let name = || text(&event.operation).unwrap_or_else(|| event.service.raw().to_owned());
        self.window.push_back(Seen {
            duration_ms: event.duration_ms,
            error: if failed { kind() } else { None },
            user: text(&event.user_id),
            failed_login: if login { text(&event.remote_addr) } else { None },
            contradiction: contradicts.then(name),
        });
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
    }

    fn advance(&mut self, now: Timestamp) {
        if now.seconds() % EVERY_S == 0 {
            self.look();
        }
    }

    fn drain(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.said)
    }
}
