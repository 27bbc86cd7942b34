//! Numbers over time, counted from the lines as the engine reads them: rates, shares, quantiles,
//! gauges, in buckets of 5 s, 1 min and 10 min.
//!
//! Time is engine time, and it is told: nothing here reads a clock. A bucket in which nothing was
//! measured is a gap, never 0; a bucket in which the server watched and nothing came is a rate of 0.
//! Coarser buckets keep mean, least and greatest; the quantile of a coarser bucket is that of all its
//! durations (off by at most 2 %), and its ends are those of its parts, so that a spike survives.
//!
//! Bounded: 200 operations and 200 metrics; further ones are counted together as `other` until one of
//! the known has been quiet for a day.

mod histogram;
mod kept;
mod operation;
mod track;
mod users;

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxBuildHasher;
use stella_detect::Rules;
use stella_protocol::series::{MetricsSample, SeriesKind, SeriesPage};
use stella_protocol::{Level, LogEvent, Series, Text, Timestamp};

pub use kept::{SeriesError, SeriesFile, Unsaved};

use operation::{Operation, Work};
use track::{Track, WIDTHS, about};
use users::ActiveUsers;

use crate::health::ErrorShare;

/// Operations with series of their own; the same for metrics.
const NAMED: usize = 200;
/// Longest name that gets series of its own, in bytes.
const LONGEST_NAME: usize = 120;
/// An operation or metric quiet for so long may give its place to a new one, in milliseconds.
const GIVES_WAY_MS: i64 = 86_400_000;
/// What those without a place of their own are counted under.
const OTHER: &str = "other";
/// Buckets of a minute in a snapshot.
const SNAPSHOT_MINUTES: i64 = 30;
/// Share of failures, in percent, that is never called unusual: below it, single errors on a quiet
/// night would be.
const USUAL_ERRORS_FLOOR: f64 = 5.0;
/// How many times the usual share is too much.
const UNUSUAL_RATIO: f64 = 3.0;

/// The series that are always there, in the order of [`Fixed`].
const FIXED: [(&str, &str, &str, SeriesKind); 11] = [
    ("events.rate", "Events", "1/s", SeriesKind::Rate),
    ("errors.percent", "Errors", "%", SeriesKind::Ratio),
    ("users.active", "Active users (5 min)", "count", SeriesKind::Count),
    ("avgQueryTime", "Query time, mean", "ms", SeriesKind::Gauge),
    ("avgAIResponse", "AI response, mean", "ms", SeriesKind::Gauge),
    ("cacheHitRate", "Cache hits", "%", SeriesKind::Ratio),
    ("stella.ingest_lag", "Stella: line to receipt", "ms", SeriesKind::Gauge),
    ("stella.alert_delay", "Stella: receipt to alert", "ms", SeriesKind::Gauge),
    ("stella.consoles", "Stella: consoles connected", "count", SeriesKind::Gauge),
    ("stella.engine_busy", "Stella: detection, of one core", "%", SeriesKind::Gauge),
    ("stella.engine_sampling", "Stella: lines that one stands for", "count", SeriesKind::Gauge),
];

/// Places in [`FIXED`].
#[derive(Debug, Clone, Copy)]
enum Fixed {
    Events,
    Errors,
    Users,
    Queries,
    Answers,
    CacheHits,
}

/// What the server measures of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// From the time in a line to its receipt, in milliseconds; live lines only.
    IngestLag = 6,
    /// From the receipt of a line to its alert being durable, in milliseconds.
    AlertDelay = 7,
    /// Consoles on the feed.
    Consoles = 8,
    /// How much of one core the engine's thread used, in percent.
    EngineBusy = 9,
    /// How many plainly normal lines one that the engine looks at stands for; 0: as many as come in a second.
    EngineSampling = 10,
}

/// All series of a server.
#[derive(Debug)]
pub struct SeriesBook {
    rules: Rules,
    tracks: Vec<Track>,
    by_id: HashMap<String, usize, FxBuildHasher>,
    operations: Vec<Operation>,
    by_name: HashMap<String, usize, FxBuildHasher>,
    /// Name of a metric as sent, its track and when it last came.
    metrics: HashMap<String, (usize, Timestamp), FxBuildHasher>,
    users: ActiveUsers,
    /// Index of the open finest bucket, and from when on it was watched.
    open: Option<(i64, Timestamp)>,
    next_no: u32,
    /// Lines before this instant are in the kept buckets already.
    resume_from: Timestamp,
    unsaved: Unsaved,
}

impl SeriesBook {
    /// A book without history.
    pub fn new(rules: &Rules) -> Self {
        let mut book = Self {
            rules: rules.clone(),
            tracks: Vec::new(),
            by_id: HashMap::default(),
            operations: Vec::new(),
            by_name: HashMap::default(),
            metrics: HashMap::default(),
            users: ActiveUsers::default(),
            open: None,
            next_no: 0,
            resume_from: Timestamp::from_millis(i64::MIN),
            unsaved: Unsaved::default(),
        };
        for (id, name, unit, kind) in FIXED {
            book.add(about(id, name, unit, kind));
        }
        book
    }

    /// Lines from this engine time on are still to be observed after a restart; those just before it are
    /// welcome too (they tell who is active) and counted nowhere twice.
    pub fn resume_from(&self) -> Timestamp {
        self.resume_from
    }

    /// Counts one line. Lines come in order; engine time never goes back.
    pub fn observe(&mut self, event: &LogEvent<'_>) {
        self.users.see(event);
        if event.engine_time < self.resume_from {
            return;
        }
        if self.open.is_none() {
            self.open = Some((WIDTHS[0].index(event.engine_time), event.engine_time));
        }
        if event.level == Level::Metric {
            self.observe_metric(event);
            return;
        }
        self.fixed(Fixed::Events).add(1.0, 0.0);
        self.fixed(Fixed::Errors).add(if event.failed() { 100.0 } else { 0.0 }, 1.0);
        if let Some(hit) = ["cacheHit", "cache_hit"].into_iter().find_map(|name| event.attributes.get(name)?.as_bool())
        {
            self.fixed(Fixed::CacheHits).add(if hit { 100.0 } else { 0.0 }, 1.0);
        }
        let Some(name) = &event.operation else { return };
        let at = self.operation(name.raw(), event.engine_time);
        self.operations[at].observe(event, &mut self.tracks);
        match (self.operations[at].work, event.duration_ms) {
            (Work::Query, Some(duration)) => self.fixed(Fixed::Queries).sample(duration),
            (Work::Answer, Some(duration)) => self.fixed(Fixed::Answers).sample(duration),
            _ => {}
        }
    }

    /// Adds a sample of what the server measures of itself.
    pub fn own(&mut self, what: Own, value: f64) {
        self.tracks[what as usize].sample(value);
    }

    /// Tells that engine time stands at `now`; closes the buckets that are over. Called at least once in
    /// each finest bucket that somebody watched. Returns the newest closed one, if any closed.
    pub fn advance(&mut self, now: Timestamp) -> Option<MetricsSample> {
        let (index, watched_from) = self.open?;
        let current = WIDTHS[0].index(now);
        if current <= index {
            return None;
        }
        let start = Timestamp::from_millis(index * WIDTHS[0].step);
        let end = start.plus_millis(WIDTHS[0].step);
        let sample = self.close_finest(index, watched_from, end);
        for (width, of) in WIDTHS.into_iter().enumerate().skip(1) {
            if of.index(now) > of.index(start) {
                self.close(width, of.index(start));
            }
        }
        // After a jump the buckets between stay gaps, and the new one counts from now on.
        self.open = Some((current, if current == index + 1 { end } else { now }));
        Some(sample)
    }

    /// `ids` in the order asked for, unknown ones left out: buckets from `from` to before `to`, of the kept
    /// width that is at least `step_ms` and still reaches back to `from`. The newest bucket of a minute or
    /// more is the open one, as it stands.
    pub fn buckets(&self, ids: &[&str], from: Timestamp, to: Timestamp, step_ms: i64) -> SeriesPage {
        let newest = self.open.map_or(0, |(index, _)| index * WIDTHS[0].step);
        let reaches = |width: &track::Width| newest - from.millis() <= width.step * width.kept as i64;
        let width = WIDTHS.iter().position(|width| width.step >= step_ms && reaches(width)).unwrap_or(WIDTHS.len() - 1);
        let items = ids.iter().filter_map(|id| self.by_id.get(*id)).map(|&at| self.series(at, width, from, to));
        SeriesPage { items: items.collect(), next: None }
    }

    /// Every series, the last 30 minutes at one minute.
    pub fn snapshot(&self) -> Vec<Series> {
        let Some((index, _)) = self.open else {
            return self.tracks.iter().map(|track| track.series(1, 0, 0)).collect();
        };
        let now = Timestamp::from_millis(index * WIDTHS[0].step);
        let from = now.plus_millis(-SNAPSHOT_MINUTES * WIDTHS[1].step);
        (0..self.tracks.len()).map(|at| self.series(at, 1, from, now.plus_millis(1))).collect()
    }

    /// The share of failures now against what is usual here.
    pub fn error_share(&self) -> ErrorShare {
        let track = &self.tracks[Fixed::Errors as usize];
        let Some((index, _)) = self.open else { return ErrorShare { percent: None, at_most: USUAL_ERRORS_FLOOR } };
        let minute = index * WIDTHS[0].step / WIDTHS[1].step;
        let mut usual: Vec<f64> = track.means(1, minute - 60, minute - 5).collect();
        usual.sort_by(f64::total_cmp);
        let usual = usual.get(usual.len() / 2).copied().unwrap_or_default();
        let recent: Vec<f64> = track.means(0, index - 12, index).collect();
        let percent = (!recent.is_empty()).then(|| recent.iter().sum::<f64>() / recent.len() as f64);
        ErrorShare { percent, at_most: USUAL_ERRORS_FLOOR.max(usual * UNUSUAL_RATIO) }
    }

    /// What closed since the last call, to be kept on disk.
    pub fn take_unsaved(&mut self) -> Unsaved {
        std::mem::take(&mut self.unsaved)
    }

    fn fixed(&mut self, which: Fixed) -> &mut Track {
        &mut self.tracks[which as usize]
    }

    fn add(&mut self, about: Series) -> usize {
        let track = Track::new(self.next_no, about);
        self.next_no += 1;
        self.unsaved.name(&track);
        self.by_id.insert(track.about.id.raw().to_owned(), self.tracks.len());
        self.tracks.push(track);
        self.tracks.len() - 1
    }

    /// Puts a new series in the place of an old one.
    fn replace(&mut self, at: usize, about: Series) {
        self.by_id.remove(self.tracks[at].about.id.raw());
        let track = Track::new(self.next_no, about);
        self.next_no += 1;
        self.unsaved.name(&track);
        self.by_id.insert(track.about.id.raw().to_owned(), at);
        self.tracks[at] = track;
    }

    /// Place of the operation called `name`, which gets one if there is room.
    fn operation(&mut self, name: &str, now: Timestamp) -> usize {
        if let Some(&at) = self.by_name.get(name) {
            return at;
        }
        if name != OTHER && (name.len() > LONGEST_NAME || name.is_empty()) {
            return self.operation(OTHER, now);
        }
        let room = self.operations.len() < NAMED || name == OTHER;
        let quiet = |operation: &&Operation| now.since(operation.last_seen) > GIVES_WAY_MS && operation.name != OTHER;
        let gives_way = if room { None } else { self.operations.iter().find(quiet).map(|quiet| quiet.name.clone()) };
        let at = match gives_way.and_then(|old| self.by_name.remove(&old)) {
            Some(at) => {
                let tracks = self.operations[at].tracks;
                for (offset, about) in Operation::series(name, &self.rules).into_iter().enumerate() {
                    self.replace(tracks + offset, about);
                }
                self.operations[at] = Operation::new(name, tracks, now);
                at
            }
            None if room => {
                let tracks = self.tracks.len();
                for about in Operation::series(name, &self.rules) {
                    self.add(about);
                }
                self.operations.push(Operation::new(name, tracks, now));
                self.operations.len() - 1
            }
            None => return self.operation(OTHER, now),
        };
        self.by_name.insert(name.to_owned(), at);
        at
    }

    fn observe_metric(&mut self, event: &LogEvent<'_>) {
        let (Some(name), Some(value)) = (&event.metric, event.value) else { return };
        if matches!(name.raw(), "cacheHitRate" | "cache_hit_rate") {
            // As a share of one or in percent: both are in use.
            let share = event.unit.as_ref().is_none_or(|unit| unit.raw() != "%") && value <= 1.0;
            self.fixed(Fixed::CacheHits).add(if share { value * 100.0 } else { value }, 1.0);
            return;
        }
        let at = self.metric(name.raw(), event.unit.as_ref().map_or("", |unit| unit.raw()), event.engine_time);
        self.tracks[at].sample(value);
    }

    /// Track of the metric called `name`, which gets one if there is room.
    fn metric(&mut self, name: &str, unit: &str, now: Timestamp) -> usize {
        if let Some((at, seen)) = self.metrics.get_mut(name) {
            *seen = now;
            return *at;
        }
        if name != OTHER && (name.len() > LONGEST_NAME || name.is_empty()) {
            return self.metric(OTHER, "", now);
        }
        let mut about = about(&format!("metric.{name}"), name, "", SeriesKind::Gauge);
        about.unit = Text::from(unit.to_owned());
        about.labels = BTreeMap::from([("metric".to_owned(), Text::from(name.to_owned()))]);
        let room = self.metrics.len() < NAMED || name == OTHER;
        let quiet = |(name, (_, seen)): &(&String, &(usize, Timestamp))| {
            now.since(*seen) > GIVES_WAY_MS && name.as_str() != OTHER
        };
        let gives_way = if room { None } else { self.metrics.iter().filter(quiet).map(|(name, _)| name.clone()).min() };
        let at = match gives_way.and_then(|old| self.metrics.remove(&old)) {
            Some((at, _)) => {
                self.replace(at, about);
                at
            }
            None if room => self.add(about),
            None => return self.metric(OTHER, "", now),
        };
        self.metrics.insert(name.to_owned(), (at, now));
        at
    }

    fn close_finest(&mut self, index: i64, watched_from: Timestamp, end: Timestamp) -> MetricsSample {
        // A bucket watched for a moment only would turn a single line into a storm.
        let seconds = (end.since(watched_from) as f64 / 1000.0).max(1.0);
        self.fixed(Fixed::Events).add(0.0, seconds);
        if let Some(users) = self.users.count(end) {
            let at_least = self.users.at_least();
            let track = self.fixed(Fixed::Users);
            track.sample(users);
            let name = if at_least { "Active users (5 min), at least" } else { FIXED[Fixed::Users as usize].1 };
            track.about.name = Text::from(name);
        }
        for operation in &mut self.operations {
            operation.close_finest(seconds, &mut self.tracks);
        }
        let mut values = BTreeMap::new();
        for track in &mut self.tracks {
            let spread = track.close_finest(index);
            values.insert(track.about.id.raw().to_owned(), spread.map(|spread| spread.mean));
            self.unsaved.bucket(0, index, track.no, spread);
        }
        let at = Timestamp::from_millis(index * WIDTHS[0].step);
        MetricsSample { at, step_ms: WIDTHS[0].step, values }
    }

    fn close(&mut self, width: usize, index: i64) {
        let means: Vec<_> = (0..self.tracks.len()).map(|at| self.merged_quantile(width, at)).collect();
        for (track, mean) in self.tracks.iter_mut().zip(means) {
            let spread = track.close(width, index, mean);
            self.unsaved.bucket(width, index, track.no, spread);
        }
        for operation in &mut self.operations {
            operation.reopen(width);
        }
    }

    /// The quantile of all durations in the open bucket of a width, if the track is a quantile's.
    fn merged_quantile(&self, width: usize, track: usize) -> Option<f64> {
        let of = |operation: &&Operation| (operation.tracks..operation.tracks + Operation::SERIES).contains(&track);
        self.operations.iter().find(of)?.quantile(width, track)
    }

    fn series(&self, at: usize, width: usize, from: Timestamp, to: Timestamp) -> Series {
        let step = WIDTHS[width].step;
        let open = self.open.map(|(index, _)| index * WIDTHS[0].step / step);
        // The finest bucket shows when it is closed; a coarser one as it stands.
        let newest = open.map_or(i64::MIN, |open| open + i64::from(width > 0));
        let end = (to.millis().saturating_add(step - 1)).div_euclid(step).min(newest);
        let start = from.millis().div_euclid(step).max(end.saturating_sub(WIDTHS[width].kept as i64));
        let mut series = self.tracks[at].series(width, start, end.max(start));
        if let (Some(open), Some(last)) = (open.filter(|_| width > 0), series.points.last_mut())
            && last.at.millis() == open * step
        {
            last.value = self.tracks[at].peek(width, self.merged_quantile(width, at));
        }
        series
    }
}

#[cfg(test)]
mod tests;
