//! The ring of the newest frames, and the chunks of it that readers share.
//!
//! A reader is a number: the index of its next frame. The ring never waits for one; whoever falls out
//! of it has lagged.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use stella_protocol::feed::Bookmark;
use stella_protocol::{Cursor, FeedEvent};

use super::frame::{Kind, Kinds, kept};
use super::json;
use crate::store::Head;

/// Most frames in the ring: more than the kept ones that a reader may be behind by.
const FRAMES: usize = 4096;
/// Most bytes in the ring.
const BYTES: usize = 32 << 20;
/// A reader further behind than this many kept events is told so.
pub(super) const LAG_EVENTS: u64 = 1024;
/// A reader further behind than this is told so.
const LAG_AGE: Duration = Duration::from_secs(30);
/// Most bytes that a reader takes at once.
pub(super) const CHUNK: usize = 64 << 10;
/// Diagnostic log events that a new reader is shown first.
const LOGS: usize = 20;
/// Chunks remembered: readers that woke together ask for the same one.
const SHARED: usize = 8;

#[derive(Debug)]
struct Frame {
    kind: Kind,
    seq: Option<u64>,
    bytes: Bytes,
    at: Instant,
}

/// Frames `from..to` as they go to readers who want `kinds`.
#[derive(Debug)]
struct Chunk {
    from: u64,
    to: u64,
    kinds: Kinds,
    seq: u64,
    bytes: Bytes,
}

/// Where a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Index of its next frame.
    pub next: u64,
    /// The newest kept event that it has, or that is not for it.
    pub seq: u64,
    /// Kept events that were passed over, and not yet accounted for.
    pub skipped: Option<Bookmark>,
}

impl Place {
    /// Passes over a kept event.
    pub fn skip(&mut self, seq: u64) {
        let from = self.skipped.map_or(seq, |skipped| skipped.from);
        self.skipped = Some(Bookmark { from, to: seq });
        self.seq = seq;
    }
}

/// What a reader gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// There is nothing new.
    Nothing,
    /// Bytes, and where the reader is then.
    Chunk(Bytes),
    /// The reader has fallen out.
    Lagged,
}

/// The ring.
#[derive(Debug)]
pub(super) struct Ring {
    frames: VecDeque<Frame>,
    first: u64,
    bytes: usize,
    /// The newest kept event that has left the ring.
    left: u64,
    head: Head,
    logs: VecDeque<Bytes>,
    chunks: VecDeque<Chunk>,
}

impl Ring {
    /// Empty, behind `head`.
    pub fn new(head: Head) -> Self {
        Self {
            frames: VecDeque::with_capacity(FRAMES),
            first: 0,
            bytes: 0,
            left: head.cursor.seq,
            head,
            logs: VecDeque::with_capacity(LOGS),
            chunks: VecDeque::with_capacity(SHARED),
        }
    }

    /// Where the feed stands.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Older events were deleted.
    pub fn set_oldest(&mut self, oldest: u64) {
        self.head.oldest = oldest;
    }

    /// Index of the frame that comes next.
    pub fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// The newest diagnostic log events, oldest first.
    pub fn logs(&self) -> impl Iterator<Item = &Bytes> {
        self.logs.iter()
    }

    /// Adds an event that is not kept.
    pub fn push(&mut self, kind: Kind, bytes: Bytes) {
        if kind == Kind::Log {
            if self.logs.len() == LOGS {
                self.logs.pop_front();
            }
            self.logs.push_back(bytes.clone());
        }
        self.add(Frame { kind, seq: None, bytes, at: Instant::now() });
    }

    /// Adds the kept event of number `seq`.
    pub fn push_kept(&mut self, seq: u64, name: &str, body: &str) {
        let cursor = Cursor { seq, ..self.head.cursor };
        self.head.cursor = cursor;
        let bytes = kept(cursor, name, body);
        self.add(Frame { kind: Kind::named(name), seq: Some(cursor.seq), bytes, at: Instant::now() });
    }

    fn add(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        while self.frames.len() > FRAMES || self.bytes > BYTES {
            let Some(oldest) = self.frames.pop_front() else { return };
            self.first += 1;
            self.bytes -= oldest.bytes.len();
            self.left = oldest.seq.unwrap_or(self.left);
        }
    }

    /// True when every kept event after `seq` is still here, and they are not too many.
    pub fn reaches(&self, seq: u64) -> bool {
        self.left <= seq && self.head.cursor.seq.saturating_sub(seq) <= LAG_EVENTS
    }

    /// Everything for a reader at `place`, up to the size of a chunk, and moves it on.
    pub fn take(&mut self, place: &mut Place, kinds: Kinds) -> Taken {
        if !self.reaches(place.seq) {
            return Taken::Lagged;
        }
        // What is not kept may be lost to a slow reader: the ring went on without it.
        place.next = place.next.max(self.first);
        if let Some(bytes) = self.shared(place, kinds) {
            return Taken::Chunk(bytes);
        }
        self.gather(place, kinds)
    }

    fn shared(&self, place: &mut Place, kinds: Kinds) -> Option<Bytes> {
        let same = |chunk: &&Chunk| chunk.from == place.next && chunk.kinds == kinds && place.skipped.is_none();
        let chunk = self.chunks.iter().find(same)?;
        (place.next, place.seq) = (chunk.to, chunk.seq.max(place.seq));
        Some(chunk.bytes.clone())
    }

    fn gather(&mut self, place: &mut Place, kinds: Kinds) -> Taken {
        let from = place.next;
        let mut pieces: Vec<Bytes> = Vec::new();
        let (mut size, mut marked) = (0, place.skipped.is_some());
        for frame in self.frames.iter().skip((from - self.first) as usize) {
            if !kinds.wants(frame.kind) {
                if let Some(seq) = frame.seq {
                    place.skip(seq);
                    marked = true;
                }
                place.next += 1;
                continue;
            }
            if pieces.is_empty() && frame.at.elapsed() > LAG_AGE {
                return Taken::Lagged;
            }
            if !pieces.is_empty() && size + frame.bytes.len() > CHUNK {
                break;
            }
            if let Some(seq) = frame.seq {
                pieces.extend(place.skipped.take().map(|skipped| bookmark(self.head.cursor.epoch, skipped)));
                place.seq = seq;
            }
            size += frame.bytes.len();
            pieces.push(frame.bytes.clone());
            place.next += 1;
        }
        let Some(bytes) = joined(pieces) else { return Taken::Nothing };
        if !marked {
            self.share(Chunk { from, to: place.next, kinds, seq: place.seq, bytes: bytes.clone() });
        }
        Taken::Chunk(bytes)
    }

    fn share(&mut self, chunk: Chunk) {
        if self.chunks.len() == SHARED {
            self.chunks.pop_front();
        }
        self.chunks.push_back(chunk);
    }
}

/// Accounts for kept events that are not shown.
pub(super) fn bookmark(epoch: u64, skipped: Bookmark) -> Bytes {
    kept(Cursor { epoch, seq: skipped.to }, FeedEvent::Bookmark(skipped).name(), &json(&skipped))
}

fn joined(mut pieces: Vec<Bytes>) -> Option<Bytes> {
    if pieces.len() < 2 {
        return pieces.pop();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in &pieces {
        whole.extend_from_slice(piece);
    }
    Some(whole.freeze())
}

#[cfg(test)]
#[expect(clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn ring() -> Ring {
        Ring::new(Head { cursor: Cursor { epoch: 1, seq: 10 }, oldest: 1 })
    }

    const START: Place = Place { next: 0, seq: 10, skipped: None };

    fn text(taken: Taken) -> String {
        match taken {
            Taken::Chunk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn readers_at_the_same_place_share_the_same_bytes() {
        let mut ring = ring();
        ring.push_kept(11, "alert", "1");
        ring.push_kept(12, "alert", "2");
        let (mut one, mut two) = (START, START);
        let (Taken::Chunk(first), Taken::Chunk(second)) =
            (ring.take(&mut one, Kinds::default()), ring.take(&mut two, Kinds::default()))
        else {
            panic!("two chunks");
        };
        assert_eq!(first.as_ptr(), second.as_ptr());
        assert_eq!((one, one.seq), (two, 12));
        assert_eq!(ring.take(&mut one, Kinds::default()), Taken::Nothing);
    }

    #[test]
    fn a_chunk_stays_below_its_size_and_the_rest_comes_next() {
        let mut ring = ring();
        let body = format!("\"{}\"", "x".repeat(40_000));
        ring.push_kept(11, "alert", &body);
        ring.push_kept(12, "alert", &body);
        let mut place = START;
        assert!(text(ring.take(&mut place, Kinds::default())).len() < CHUNK);
        assert_eq!(place.seq, 11);
        assert!(text(ring.take(&mut place, Kinds::default())).contains("id: 1.12"));
    }

    #[test]
    fn what_a_filter_passes_over_is_accounted_for_before_the_next_kept_event() {
        let mut ring = ring();
        ring.push_kept(11, "alert", "1");
        ring.push_kept(12, "alert", "2");
        ring.push(Kind::Metrics, Bytes::from_static(b"data: m\n\n"));
        let mut place = START;
        assert_eq!(text(ring.take(&mut place, Kinds::read("metrics"))), "data: m\n\n");
        assert_eq!(place.skipped, Some(Bookmark { from: 11, to: 12 }));
        ring.push_kept(13, "ticket", "3");
        let taken = text(ring.take(&mut place, Kinds::read("metrics")));
        assert_eq!(
            taken,
            "id: 1.12\nevent: bookmark\ndata: {\"from\":11,\"to\":12}\n\nid: 1.13\nevent: ticket\ndata: 3\n\n"
        );
        assert_eq!(place.skipped, None);
    }

    #[test]
    fn a_reader_may_lose_what_is_not_kept_but_lags_when_it_would_lose_what_is() {
        let mut ring = ring();
        ring.push_kept(11, "alert", "1");
        for _ in 0..2 * FRAMES {
            ring.push(Kind::Metrics, Bytes::from_static(b"data: m\n\n"));
        }
        let (mut behind, mut current) = (START, Place { seq: 11, ..START });
        assert_eq!(ring.take(&mut behind, Kinds::default()), Taken::Lagged);
        assert!(matches!(ring.take(&mut current, Kinds::default()), Taken::Chunk(_)));
        for number in 0..=LAG_EVENTS {
            assert!(ring.reaches(11), "{number}");
            ring.push_kept(12 + number, "alert", "2");
        }
        assert!(!ring.reaches(11));
    }

    #[test]
    fn a_new_reader_is_shown_the_last_twenty_log_events() {
        let mut ring = ring();
        for number in 0..30 {
            ring.push(Kind::Log, Bytes::from(number.to_string()));
        }
        let shown: Vec<_> = ring.logs().cloned().collect();
        assert_eq!((shown.len(), &shown[0][..], &shown[19][..]), (20, &b"10"[..], &b"29"[..]));
    }
}
