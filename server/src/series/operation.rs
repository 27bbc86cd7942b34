//! What is measured of one operation: rate, share of failures, three quantiles of its duration.

use stella_detect::Rules;
use stella_protocol::series::SeriesKind;
use stella_protocol::{LogEvent, Series, Text, Timestamp};

use super::histogram::Histogram;
use super::track::{Track, about};

/// The quantiles that have a series, with their short names.
const QUANTILES: [(f64, &str); 3] = [(0.50, "p50"), (0.95, "p95"), (0.99, "p99")];
/// Words in a name that say: this asks a store.
const QUERY_WORDS: [&str; 7] = ["query", "get", "load", "list", "find", "fetch", "search"];
/// Words in a name that say: this asks a language model.
const ANSWER_WORDS: [&str; 8] = ["ai", "llm", "gemini", "gpt", "claude", "openai", "completion", "generate"];

/// What kind of work an operation's name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A query of a store: its duration counts in `avgQueryTime`.
    Query,
    /// An answer of a language model: it counts in `avgAIResponse`.
    Answer,
    /// Anything else.
    Other,
}

impl Work {
    fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let has = |wanted: &[&str]| {
            name.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| wanted.contains(&word))
        };
        if has(&ANSWER_WORDS) {
            Self::Answer
        } else if has(&QUERY_WORDS) {
            Self::Query
        } else {
            Self::Other
        }
    }
}

/// One operation's open buckets; its series lie in the book's list from `tracks` on, [`Operation::SERIES`] of them.
#[derive(Debug)]
pub(super) struct Operation {
    pub name: String,
    pub work: Work,
    pub tracks: usize,
    pub last_seen: Timestamp,
    calls: f64,
    durations: [Histogram; 3],
}

impl Operation {
    /// How many series an operation has: rate, errors and the quantiles.
    pub(super) const SERIES: usize = 2 + QUANTILES.len();

    pub(super) fn new(name: &str, tracks: usize, now: Timestamp) -> Self {
        let durations = <[Histogram; 3]>::default();
        Self { name: name.to_owned(), work: Work::of(name), tracks, last_seen: now, calls: 0.0, durations }
    }

    /// The series of the operation called `name`, in the order of its tracks.
    pub(super) fn series(name: &str, rules: &Rules) -> Vec<Series> {
        let label = |mut series: Series| {
            series.labels.insert("operation".to_owned(), Text::from(name.to_owned()));
            series
        };
        let mut all = vec![
            label(about(&format!("op.{name}.rate"), &format!("{name} rate"), "1/s", SeriesKind::Rate)),
            label(about(&format!("op.{name}.errors"), &format!("{name} errors"), "%", SeriesKind::Ratio)),
        ];
        for (q, word) in QUANTILES {
            let mut series =
                label(about(&format!("op.{name}.{word}"), &format!("{name} {word}"), "ms", SeriesKind::Quantile));
            // A limit is meant for the usual call and for the slow ones; the slowest of a hundred may be beyond.
            series.limit = (q < 0.99).then(|| rules.limit_ms(name));
            all.push(series);
        }
        all
    }

    /// Counts one line of this operation.
    pub(super) fn observe(&mut self, event: &LogEvent<'_>, tracks: &mut [Track]) {
        self.last_seen = event.engine_time;
        self.calls += 1.0;
        tracks[self.tracks + 1].add(if event.failed() { 100.0 } else { 0.0 }, 1.0);
        if let Some(duration) = event.duration_ms {
            self.durations[0].add(duration);
        }
    }

    /// Hands the finest bucket to the tracks before they close; `seconds` is how much of it was watched.
    pub(super) fn close_finest(&mut self, seconds: f64, tracks: &mut [Track]) {
        tracks[self.tracks].add(std::mem::take(&mut self.calls), seconds);
        let [finest, minute, longest] = &mut self.durations;
        for (at, (q, _)) in QUANTILES.into_iter().enumerate() {
            if let Some(value) = finest.quantile(q) {
                tracks[self.tracks + 2 + at].sample(value);
            }
        }
        minute.merge(finest);
        longest.merge(finest);
        finest.clear();
    }

    /// The quantile of everything in the open bucket of a width, for the track at `track`; None: the track
    /// is no quantile, or nothing was measured.
    pub(super) fn quantile(&self, width: usize, track: usize) -> Option<f64> {
        let (q, _) = QUANTILES.get(track.checked_sub(self.tracks + 2)?)?;
        self.durations[width].quantile(*q)
    }

    /// Begins a new bucket of a width.
    pub(super) fn reopen(&mut self, width: usize) {
        self.durations[width].clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_operation_says_what_it_asks() {
        for (name, work) in [
            ("firestore_query", Work::Query),
            ("get_conversations", Work::Query),
            ("load_messages", Work::Query),
            ("gemini_api_call", Work::Answer),
            ("chat.llm.answer", Work::Answer),
            ("send_mail", Work::Other),
            ("forget_device", Work::Other),
        ] {
            assert_eq!(Work::of(name), work, "{name}");
        }
    }
}
