//! One reader of the feed: what it missed from the store, then the ring, without a gap between.
//!
//! The place where the two meet is fixed before the first old event is read: everything up to the head
//! of that moment comes from the store, everything after it from the ring. Should the ring have gone on
//! without the reader meanwhile, the same is done again from a newer head. A reader never holds up the
//! writer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use stella_protocol::feed::{LogLineEvent, Reset, ResetReason};
use stella_protocol::query::Query;
use stella_protocol::{Cursor, FeedEvent, Present};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::board::Shared;
use super::frame::{Kind, Kinds, frame, kept};
use super::ring::{CHUNK, Place, Taken, bookmark};
use crate::store::{Replay, Store, StoredEvent};

/// Events read from the store at once.
const PAGE: u32 = 500;
/// Events that are not for this reader are accounted for this often.
const BOOKMARK: Duration = Duration::from_secs(10);
/// How long to wait before a store that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// From where a reader wants to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorAsk {
    /// From now on.
    None,
    /// After this event.
    At(Cursor),
    /// It said something that is no cursor.
    Malformed,
}

/// What a reader wants to see.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Kinds of events.
    pub kinds: Kinds,
    /// Which raw lines, if it asked for raw lines.
    pub lines: Query,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Frames to be written as they are.
    Frames(Bytes),
    /// The reader is too far behind: say `bye` and let it come back.
    Lagged,
    /// The server ends: say `bye`.
    Ended,
}

/// Where the next frames come from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// From the store up to event `until`, then from index `next` of the ring.
    Store { until: u64, next: u64 },
    /// From the ring.
    Ring,
}

/// One reader.
pub struct Subscription {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    filter: Filter,
    source: Source,
    place: Place,
    epoch: u64,
    /// Frames that come before everything else.
    first: VecDeque<(Kind, Bytes)>,
    /// Index of the next raw line, and how many were missed before it.
    lines: Option<(u64, u64)>,
    skipping_since: Option<Instant>,
    wake: watch::Receiver<()>,
}

impl Subscription {
    pub(super) fn new(shared: Arc<Shared>, store: Arc<dyn Store>, ask: CursorAsk) -> Self {
        let wake = shared.watch();
        let spoken = shared.spoken();
        let attendance = shared.attendance();
        let ring = shared.ring();
        let (head, next) = (ring.head(), ring.end());
        let (seq, reset) = match ask {
            CursorAsk::None => (head.cursor.seq, None),
            CursorAsk::Malformed => (head.cursor.seq, Some(ResetReason::Malformed)),
            CursorAsk::At(at) if at.epoch != head.cursor.epoch => (head.cursor.seq, Some(ResetReason::EpochChanged)),
            CursorAsk::At(at) if at.seq > head.cursor.seq => (head.cursor.seq, Some(ResetReason::CursorAhead)),
            CursorAsk::At(at) if at.seq.saturating_add(1) < head.oldest => (head.cursor.seq, Some(ResetReason::Gap)),
            CursorAsk::At(at) => (at.seq, None),
        };
        let mut first: VecDeque<(Kind, Bytes)> = match ask {
            CursorAsk::None => ring.logs().map(|log| (Kind::Log, log.clone())).collect(),
            _ => reset.into_iter().map(|reason| (Kind::Control, reset_frame(reason))).collect(),
        };
        first.extend(spoken.frames().map(|far| (Kind::MigrationProgress, far)));
        let consoles = attendance.present(std::time::Instant::now());
        if !consoles.is_empty() {
            let here = frame(&FeedEvent::Presence(Box::new(Present { consoles })));
            first.push_back((Kind::Presence, here));
        }
        drop((ring, attendance, spoken));
        let behind = seq < head.cursor.seq;
        shared.readers.fetch_add(1, Ordering::Relaxed);
        Self {
            store,
            filter: Filter::default(),
            source: if behind { Source::Store { until: head.cursor.seq, next } } else { Source::Ring },
            place: Place { next, seq, skipped: None },
            epoch: head.cursor.epoch,
            first,
            lines: None,
            skipping_since: None,
            wake,
            shared,
        }
    }

    /// Follows only what `filter` wants; to be called before the first [`Subscription::next`].
    pub fn only(mut self, filter: Filter) -> Self {
        self.first.retain(|(kind, _)| filter.kinds.wants(*kind));
        if filter.kinds.wants(Kind::LogLine) && self.lines.is_none() {
            self.shared.line_readers.fetch_add(1, Ordering::Relaxed);
            let lines = self.shared.lines();
            self.lines = Some((lines.first + lines.events.len() as u64, 0));
        }
        self.filter = filter;
        self
    }

    /// The number of the newest kept event that this reader has or passed over.
    pub fn seq(&self) -> u64 {
        self.place.seq
    }

    /// Everything that is there for the reader, up to 64 KiB; waits until there is something. May be
    /// dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Delivery {
        loop {
            if let Some(bytes) = self.first_frames() {
                return Delivery::Frames(bytes);
            }
            if let Source::Store { until, next } = self.source {
                self.replay(until, next).await;
                continue;
            }
            self.wake.mark_unchanged();
            let ended = self.shared.has_ended();
            if let Some(delivery) = self.take_new() {
                return delivery;
            }
            if ended {
                return Delivery::Ended;
            }
            self.wait().await;
        }
    }

    fn first_frames(&mut self) -> Option<Bytes> {
        let mut joined = BytesMut::from(&self.first.pop_front()?.1[..]);
        while self.first.front().is_some_and(|(_, next)| joined.len() + next.len() <= CHUNK) {
            joined.extend(self.first.pop_front().map(|(_, next)| next));
        }
        Some(joined.freeze())
    }

    fn take_new(&mut self) -> Option<Delivery> {
        match self.shared.ring().take(&mut self.place, self.filter.kinds) {
            Taken::Chunk(bytes) => return Some(Delivery::Frames(bytes)),
            Taken::Lagged => return Some(Delivery::Lagged),
            Taken::Nothing => {}
        }
        self.raw_lines().or_else(|| self.due_bookmark()).map(Delivery::Frames)
    }

    /// Waits for something new, at most until skipped events must be accounted for.
    async fn wait(&mut self) {
        let changed = self.wake.changed();
        let ended = match self.skipping_since {
            Some(since) => timeout_at(since + BOOKMARK, changed).await.is_ok_and(|woken| woken.is_err()),
            None => changed.await.is_err(),
        };
        if ended {
            self.shared.end();
        }
    }

    fn due_bookmark(&mut self) -> Option<Bytes> {
        let Some(skipped) = self.place.skipped else {
            self.skipping_since = None;
            return None;
        };
        let since = *self.skipping_since.get_or_insert_with(Instant::now);
        if since.elapsed() < BOOKMARK {
            return None;
        }
        (self.place.skipped, self.skipping_since) = (None, None);
        Some(bookmark(self.epoch, skipped))
    }

    /// The raw lines that this reader asked for; those that it missed are counted.
    fn raw_lines(&mut self) -> Option<Bytes> {
        let (mut next, mut missed) = self.lines?;
        let mut frames = BytesMut::new();
        let lines = self.shared.lines();
        missed += lines.first.saturating_sub(next);
        next = next.max(lines.first);
        for line in lines.events.iter().skip((next - lines.first) as usize) {
            if frames.len() > CHUNK / 2 {
                break;
            }
            next += 1;
            if self.filter.lines.matches(&line.event) {
                let skipped = line.skipped + std::mem::take(&mut missed);
                let told = LogLineEvent { event: line.event.clone(), skipped };
                frames.extend_from_slice(&frame(&FeedEvent::LogLine(Box::new(told))));
            }
        }
        drop(lines);
        self.lines = Some((next, missed));
        Some(frames.freeze()).filter(|frames| !frames.is_empty())
    }

    /// Reads the next page of what was missed, or goes over to the ring.
    async fn replay(&mut self, until: u64, next: u64) {
        if self.place.seq >= until {
            self.go_live(next);
            return;
        }
        let (store, after) = (Arc::clone(&self.store), self.place.seq);
        match tokio::task::spawn_blocking(move || store.events(after, PAGE)).await {
            Ok(Ok(Replay::Page(events))) if !events.is_empty() => self.take_page(&events, until),
            Ok(Ok(_)) => self.lost(),
            Ok(Err(error)) => {
                tracing::error!(error = %error, "failed to replay events");
                tokio::time::sleep(AGAIN).await;
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }

    fn take_page(&mut self, events: &[StoredEvent], until: u64) {
        for event in events.iter().take_while(|event| event.seq <= until) {
            let kind = Kind::named(&event.kind);
            if !self.filter.kinds.wants(kind) {
                self.place.skip(event.seq);
                continue;
            }
            let skipped = self.place.skipped.take();
            self.first.extend(skipped.map(|skipped| (Kind::Control, bookmark(self.epoch, skipped))));
            let id = Cursor { epoch: self.epoch, seq: event.seq };
            self.first.push_back((kind, kept(id, &event.kind, &event.body)));
            self.place.seq = event.seq;
        }
    }

    /// The store has everything up to `place.seq` given; the ring goes on from index `next`, unless it
    /// went on without us.
    fn go_live(&mut self, next: u64) {
        let ring = self.shared.ring();
        if ring.reaches(self.place.seq) {
            self.place.next = next;
            self.source = Source::Ring;
        } else {
            self.source = Source::Store { until: ring.head().cursor.seq, next: ring.end() };
        }
    }

    /// What comes next is not kept any more.
    fn lost(&mut self) {
        let ring = self.shared.ring();
        self.place = Place { next: ring.end(), seq: ring.head().cursor.seq, skipped: None };
        self.source = Source::Ring;
        self.first.push_back((Kind::Control, reset_frame(ResetReason::Gap)));
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.readers.fetch_sub(1, Ordering::Relaxed);
        if self.lines.is_some() {
            self.shared.line_readers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn reset_frame(reason: ResetReason) -> Bytes {
    frame(&FeedEvent::Reset(Reset { reason }))
}
