//! The engine thread: the one place where lines get their order.
//!
//! It keeps first and answers, then looks; it waits for the hub to make findings durable, and while the
//! hub cannot, senders wait too.

mod relief;
mod restart;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stella_detect::{Finding, Rules};
use stella_protocol::feed::LogLineEvent;
use stella_protocol::health::EngineClock;
use stella_protocol::series::MetricsSample;
use stella_protocol::{Deploy, FeedEvent, LineId, LogEvent, Timestamp, Weight};
use tokio::sync::oneshot;

use super::checkpoint::{Place, StateFile};
use super::group::{Behind, Group, gather};
use super::keeper::Keeper;
use super::pace::{Pace, is_at_present};
use super::time::{EngineTime, EngineTimeMode, NEAR_MS};
use super::{IngestError, Order, Request, Shared, deploys, diagnostic};
use crate::clock::Clock;
use crate::hub::{Hub, HubError};
use crate::lines::{Lines, LinesError, Packed, Stamped};
use crate::rules::RuleBook;
use crate::series::{Own, SeriesBook, SeriesFile};
use relief::Relief;

/// A hole longer than this that nobody watched stays one in the series, whose finest bucket is 5 s. Milliseconds.
const UNWATCHED_SERIES_MS: i64 = 10_000;
/// After a restart a recording that is read on has this long to come before the clock takes over.
/// Milliseconds.
const GRACE_MS: i64 = 10_000;
/// Findings of a recording read at full speed are handed over at least once in so many seconds of its
/// time, so that what ended in it ends before what began later.
const HAND_OVER_S: i64 = 60;
/// Diagnostic log events, and raw lines, told to readers of one group of requests; the newest win.
const TOLD: usize = 100;
/// How often old lines are forgotten, in milliseconds.
const SWEEP_MS: i64 = 60_000;
/// How long to wait before the hub is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What the engine thread works with.
pub struct Rooms {
    /// Where lines are kept.
    pub lines: Arc<Lines>,
    /// The series, loaded from `file`.
    pub series: Arc<Mutex<SeriesBook>>,
    /// Where they are kept.
    pub file: SeriesFile,
    /// Where the engine's state is kept.
    pub state: StateFile,
    /// Who takes what is found.
    pub hub: Hub,
    /// The server's clock.
    pub clock: Clock,
    /// The thresholds of the engine.
    pub rules: Rules,
}

pub(super) struct Worker {
    lines: Arc<Lines>,
    series: Arc<Mutex<SeriesBook>>,
    file: SeriesFile,
    hub: Hub,
    clock: Clock,
    rules: Rules,
    /// Where those were read from.
    book: Arc<RuleBook>,
    shared: Arc<Shared>,
    state: StateFile,
    /// None: there was no thread for it, and nothing is kept.
    keeper: Option<Keeper>,
    /// The state that was kept last.
    kept: Option<Place>,
    pace: Pace,
    time: EngineTime,
    relief: Relief,
    /// The last line seen when a recording last ended.
    ended: LineId,
    findings: Vec<Finding>,
    /// Deploys that lines told of, not handed over yet.
    deploys: Vec<Deploy>,
    /// The number of the last mark that the engine learned of.
    marks: u64,
    /// The last line that the engine saw, and the last that the hub knows to be applied.
    seen: LineId,
    applied: LineId,
    handed_over: i64,
    sample: Option<MetricsSample>,
    /// Clock times of the start, the last whole second, sample told and sweep.
    started: Timestamp,
    ticked: i64,
    told: Timestamp,
    swept: Timestamp,
    kept_at: Timestamp,
}

impl Worker {
    pub(super) fn new(Rooms { lines, series, file, state, hub, clock, rules }: Rooms, shared: Arc<Shared>) -> Self {
        let (now, applied) = (clock.now(), hub.applied_line());
        // A file of lines begun anew must not give out numbers that alerts already speak of.
        lines.start_after(applied);
        // Beyond the newest line when the engine was led on before the restart: what comes stays behind that.
        let (newest, led) = (lines.newest().map(|newest| newest.engine_time), hub.engine_clock().last);
        let was_led = newest.zip(led).is_some_and(|(newest, led)| led.seconds() > newest.seconds());
        let keeper = Keeper::start(state.clone(), hub.clone());
        if let Err(error) = &keeper {
            tracing::error!(%error, "failed to start who keeps the engine's state: a restart learns anew");
        }
        Self {
            time: EngineTime::new(newest.map(|at| led.map_or(at, |led| led.max(at)))),
            pace: Pace::new(rules.clone()),
            relief: Relief::new(now),
            state,
            keeper: keeper.ok(),
            kept: None,
            ended: if was_led { applied } else { LineId(0) },
            findings: Vec::new(),
            deploys: Vec::new(),
            marks: 0,
            seen: applied,
            applied,
            handed_over: 0,
            sample: None,
            started: now,
            ticked: now.seconds(),
            told: now,
            swept: now,
            kept_at: now,
            book: hub.rules(),
            lines,
            series,
            file,
            hub,
            clock,
            rules,
            shared,
        }
    }

    /// Works until the last handle is gone.
    pub(super) fn run(mut self, requests: &Receiver<Order>) {
        if let Err(error) = self.warm_up() {
            tracing::error!(error = &error as &dyn std::error::Error, "failed to read the kept lines again");
        }
        self.shared.warm.store(true, Ordering::Release);
        self.begin_relief();
        loop {
            let until_next_second = 1000 - self.clock.now().millis().rem_euclid(1000);
            match requests.recv_timeout(Duration::from_millis(until_next_second as u64)) {
                Ok(first) => self.follow(gather(first, requests)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = self.clock.now();
            if now.seconds() != self.ticked {
                self.ticked = now.seconds();
                self.each_second(now);
            }
        }
        self.hand_over();
        self.save_series();
        if let Some(state) = self.state() {
            self.keeper.as_ref().inspect(|keeper| keeper.keep_now(state));
        }
    }

    /// Takes over how rules are set now. Before any line of a group: lines that are sent once a change was answered
    /// are seen with it.
    fn take_rules(&mut self) {
        let book = self.hub.rules();
        if Arc::ptr_eq(&book, &self.book) {
            return;
        }
        if book.engine() != self.book.engine() {
            let Rules { sensitivity, fixed, settings, objectives, gauge_limits, .. } = book.engine().clone();
            self.rules = Rules { sensitivity, fixed, settings, objectives, gauge_limits, ..self.rules.clone() };
            self.pace.set_rules(self.rules.clone());
        }
        self.book = book;
    }

    fn follow(&mut self, Group { requests, end }: Group) {
        self.take_rules();
        if !requests.is_empty() {
            self.take(requests);
        }
        if let Some((what, told)) = end {
            if what == Behind::End {
                self.end();
            }
            let _hung_up = told.send(());
        }
    }

    /// A recording has ended: nothing will drive engine time, so the engine is led on, second by second, until
    /// it has said what it held back. Lines that come later get times behind that, so that reading the kept
    /// lines again takes the same steps. At the present the clock brings what is not due yet.
    fn end(&mut self) {
        if self.pace.second().is_none() || self.seen == self.ended {
            return;
        }
        self.ended = self.seen;
        let latest = self.clock.now().plus_millis(NEAR_MS).seconds();
        let (said, at) = self.pace.end(self.time.is_live(), latest);
        self.findings.extend(said);
        self.time.lead(at);
        self.note_clock(0);
        self.hand_over();
    }

    /// Keeps a group of requests in one transaction, answers their senders, then looks at the lines.
    fn take(&mut self, group: Vec<Request>) {
        let bytes: usize = group.iter().map(|request| request.packed.bytes()).sum();
        self.shared.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
        let before = self.time.clone();
        let (mut senders, mut kept) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for Request { packed, mode, received, waits_from, answer } in group {
            self.relief.waited(self.clock.now().since(waits_from));
            senders.push(answer);
            kept.push((packed, mode, received));
        }
        let mut requests = Vec::with_capacity(kept.len());
        for (packed, mode, received) in &kept {
            // A block that was packed a moment ago can be read.
            let events = packed.events().unwrap_or_default();
            let own: Vec<_> = events.iter().map(|event| event.timestamp).collect();
            requests.push((events, self.time.stamp(&own, mode, *received)));
        }
        let weights = self.weigh(&requests);
        let blocks = stamped(&kept, &requests, &weights);
        match self.lines.append_all(&blocks) {
            Ok(ranges) => {
                tell_senders(senders, Ok(()));
                self.look_at(&numbered(requests, &ranges, &weights));
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "failed to keep lines");
                self.time = before;
                let full = matches!(error, LinesError::Full(_));
                tell_senders(senders, Err(if full { IngestError::DiskFull } else { IngestError::NotKept }));
            }
        }
    }

    /// Lets engine, series, hub and readers see kept lines.
    fn look_at(&mut self, events: &[(LineId, LogEvent<'_>)]) {
        for (id, event) in events {
            self.lead_to(event.engine_time, is_at_present(event));
            self.see(*id, event);
            self.hand_over_in_time();
        }
        self.findings.extend(self.pace.engine.drain());
        let found = !self.findings.is_empty();
        self.note_clock(events.len() as u64);
        self.hand_over();
        self.tell(events);
        if self.time.is_live() {
            self.note_delays(events, found);
        }
    }

    fn see(&mut self, id: LineId, event: &LogEvent<'_>) {
        self.pace.engine.observe(id, event);
        self.deploys.extend(deploys::of(event));
        self.deploys.extend(self.pace.engine.drain_deploys());
        book(&self.series).observe(event);
        self.seen = self.seen.max(id);
    }

    /// Tells engine and series each whole second of engine time up to `now`.
    fn lead_to(&mut self, now: Timestamp, at_present: bool) {
        // What nobody watched stays a gap in the series, also when the engine is led through it.
        let warming_up = !self.shared.warm.load(Ordering::Relaxed);
        let (series, sample) = (&self.series, &mut self.sample);
        self.pace.lead_to(now, at_present, &mut |at, hole| {
            let unwatched = (hole.is_unwatched || warming_up) && hole.millis > UNWATCHED_SERIES_MS;
            if (hole.is_stepwise && !unwatched) || at.seconds() == now.seconds() {
                *sample = book(series).advance(at).or(sample.take());
            }
        });
    }

    /// Hands findings over while much is read at once.
    fn hand_over_in_time(&mut self) {
        let second = self.pace.second().unwrap_or_default();
        if second - self.handed_over >= HAND_OVER_S {
            self.hand_over();
        }
    }

    /// Makes what was found durable, and lets time pass for all alerts.
    fn hand_over(&mut self) {
        self.findings.extend(self.pace.engine.drain());
        let Some(second) = self.pace.reached() else { return };
        self.handed_over = second;
        let engine_now = Timestamp::from_millis(second * 1000);
        if !self.findings.is_empty() || !self.deploys.is_empty() || self.seen != self.applied {
            self.apply(engine_now);
        }
        self.hub.tick(engine_now);
    }

    /// Asks until the hub has taken the findings in: meanwhile senders wait, and nothing is lost.
    fn apply(&mut self, engine_now: Timestamp) {
        // The place that a restart goes on from: the second and the line together say what was looked at.
        let clock = EngineClock { last: Some(engine_now), ..self.shared.clock().clone() };
        loop {
            match self.hub.take_in(self.findings.clone(), self.deploys.clone(), self.seen, engine_now, clock.clone()) {
                Ok(()) => break,
                Err(HubError::Stopped) => return,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "failed to keep findings: asking again");
                }
            }
            // The lines stay kept: after a restart they are looked at again.
            let ending = Arc::strong_count(&self.shared) == 1;
            if ending {
                return;
            }
            std::thread::sleep(ASK_AGAIN);
        }
        self.findings.clear();
        self.deploys.clear();
        self.applied = self.seen;
    }

    fn each_second(&mut self, now: Timestamp) {
        self.take_rules();
        self.relieve(now);
        if self.time.last().is_some() && !self.time.is_recording() && now.since(self.started) >= GRACE_MS {
            self.time.go_live();
        }
        self.time.pass(now);
        if let (true, Some(last)) = (self.time.is_live(), self.time.last()) {
            self.lead_to(last, true);
        }
        self.note_clock(0);
        self.hand_over();
        book(&self.series).own(Own::Consoles, self.hub.readers() as f64);
        self.tell_sample(now);
        self.save_series();
        if now.since(self.swept) >= SWEEP_MS {
            self.swept = now;
            if let Err(error) = self.lines.sweep(now) {
                tracing::error!(error = &error as &dyn std::error::Error, "failed to forget old lines");
            }
        }
        self.learn();
        self.keep_state(now);
    }

    /// Tells readers of the newest of these lines what somebody can act on, and raw lines if somebody asks.
    fn tell(&self, events: &[(LineId, LogEvent<'_>)]) {
        let rules = &self.rules;
        let actionable = newest(events, |event| diagnostic::is_actionable(event, rules));
        for event in actionable {
            if let Some(log) = diagnostic::of(event, rules) {
                self.hub.publish(FeedEvent::Log(Box::new(log)));
            }
        }
        if self.hub.wants_lines() {
            let mut skipped = events.len().saturating_sub(TOLD) as u64;
            for event in newest(events, |_| true) {
                let event = event.clone().into_owned();
                let line = LogLineEvent { event, skipped: std::mem::take(&mut skipped) };
                self.hub.publish(FeedEvent::LogLine(Box::new(line)));
            }
        }
    }

    /// Tells readers the newest sample of all series. Of a recording read at full speed, one a second.
    fn tell_sample(&mut self, now: Timestamp) {
        if (self.time.is_live() || now.since(self.told) >= 1000)
            && let Some(sample) = self.sample.take()
        {
            self.told = now;
            self.hub.publish(FeedEvent::Metrics(sample));
        }
    }

    fn note_clock(&self, lines: u64) {
        let mut clock = self.shared.clock();
        clock.last = self.time.last();
        clock.recording = self.time.is_recording();
        clock.lines += lines;
    }

    fn note_delays(&self, events: &[(LineId, LogEvent<'_>)], found: bool) {
        let Some((_, last)) = events.last() else { return };
        let mut book = book(&self.series);
        if let Some(own) = last.timestamp.filter(|own| *own == last.engine_time) {
            book.own(Own::IngestLag, last.received_at.since(own).max(0) as f64);
        }
        if found {
            book.own(Own::AlertDelay, self.clock.now().since(last.received_at).max(0) as f64);
        }
    }

    fn save_series(&mut self) {
        let unsaved = book(&self.series).take_unsaved();
        if unsaved.is_empty() {
            return;
        }
        if let Err(error) = self.file.save(&unsaved) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "failed to keep series: a gap stays after a restart"
            );
        }
    }
}

/// The lines of a request, with their engine times.
type Timed<'a> = (Vec<LogEvent<'a>>, Vec<Timestamp>);

/// The blocks of a group; `weights` are those of all its lines in a row, or none.
fn stamped<'a>(
    kept: &'a [(Packed, EngineTimeMode, Timestamp)],
    requests: &'a [Timed<'_>],
    weights: &'a [Weight],
) -> Vec<Stamped<'a>> {
    let mut left = weights;
    let block = |((packed, ..), (_, times)): (&'a (Packed, EngineTimeMode, Timestamp), &'a Timed<'_>)| {
        let (weights, rest) = left.split_at(times.len().min(left.len()));
        left = rest;
        Stamped { packed, times, weights }
    };
    kept.iter().zip(requests).map(block).collect()
}

/// The lines of a group with their engine times, weights and the numbers they are kept under.
fn numbered<'a>(requests: Vec<Timed<'a>>, ranges: &[Range<LineId>], weights: &[Weight]) -> Vec<(LineId, LogEvent<'a>)> {
    let mut events = Vec::with_capacity(requests.iter().map(|(events, _)| events.len()).sum());
    for ((lines, times), range) in requests.into_iter().zip(ranges) {
        let numbered = lines.into_iter().zip(times).zip(range.start.0..);
        events.extend(numbered.map(|((event, engine_time), id)| (LineId(id), LogEvent { engine_time, ..event })));
    }
    for ((_, event), weight) in events.iter_mut().zip(weights) {
        event.weight = *weight;
    }
    events
}

fn tell_senders(senders: Vec<oneshot::Sender<Result<(), IngestError>>>, what: Result<(), IngestError>) {
    for sender in senders {
        let _hung_up = sender.send(what);
    }
}

/// The newest lines that fit, oldest first.
fn newest<'e, 'a>(
    events: &'e [(LineId, LogEvent<'a>)],
    fits: impl Fn(&LogEvent<'a>) -> bool,
) -> VecDeque<&'e LogEvent<'a>> {
    let mut found = VecDeque::new();
    for (_, event) in events.iter().rev().filter(|(_, event)| fits(event)).take(TOLD) {
        found.push_front(event);
    }
    found
}

fn book(series: &Mutex<SeriesBook>) -> MutexGuard<'_, SeriesBook> {
    // A panic inside leaves counts, at worst one line short.
    series.lock().unwrap_or_else(PoisonError::into_inner)
}
