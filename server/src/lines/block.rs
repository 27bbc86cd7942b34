//! A block: the lines of one request, packed and checked.
//!
//! Packing (encode, compress, sum) needs no number and no engine time, so whoever brought the request
//! does it in parallel; only numbering is left to the one writer.

use stella_protocol::{LineId, LogEvent, Text, Timestamp, Weight};

use super::codec::{self, BadBlock};

/// Largest unpacked block that a reader makes room for, in bytes: above what the largest request can
/// become (64 MiB decompressed, and its structure).
const LARGEST: usize = 256 << 20;

/// The lines of one request, ready to be kept, and still readable without unpacking.
#[derive(Debug)]
pub struct Packed {
    raw: Vec<u8>,
    body: Vec<u8>,
    count: usize,
    received_at: Timestamp,
    source: Text,
}

impl Packed {
    /// Packs `events`; `source` says in words who brought them (empty: nobody said).
    pub fn new(events: &[LogEvent<'_>], source: Text) -> Self {
        let raw = codec::encode(events);
        let body = lz4_flex::block::compress(&raw);
        let received_at = events.first().map(|event| event.received_at).unwrap_or_default();
        Self { raw, body, count: events.len(), received_at, source }
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True when there is no line.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What it takes in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.raw.len() + self.body.len()
    }

    /// The lines as a later reader will see them, without engine times.
    ///
    /// # Errors
    /// Never for a block that [`Packed::new`] made; the reader checks all the same.
    pub fn events(&self) -> Result<Vec<LogEvent<'_>>, BadBlock> {
        codec::decode(&self.raw, &[])
    }

    pub(super) fn received_at(&self) -> Timestamp {
        self.received_at
    }
}

/// A packed block with the engine times of its lines, one each, never going back, and for how many each counts.
#[derive(Debug, Clone, Copy)]
pub struct Stamped<'a> {
    /// The lines.
    pub packed: &'a Packed,
    /// Their engine times.
    pub times: &'a [Timestamp],
    /// Their weights; empty: each counts for itself.
    pub weights: &'a [Weight],
}

/// A block as a row of the file.
#[derive(Debug)]
pub(super) struct Row {
    pub first: LineId,
    pub last: LineId,
    pub from: Timestamp,
    pub to: Timestamp,
    pub received_at: Timestamp,
    pub raw_len: usize,
    pub sum: u32,
    pub times: Vec<u8>,
    pub weights: Vec<u8>,
    pub body: Vec<u8>,
    pub source: Text,
}

impl Row {
    /// The row that keeps `block` from number `first` on; None for a block without lines.
    pub(super) fn of(block: Stamped<'_>, first: LineId) -> Option<Self> {
        let (from, to) = (*block.times.first()?, *block.times.last()?);
        let (times, weights) = (codec::encode_times(block.times), codec::encode_weights(block.weights));
        Some(Self {
            first,
            last: LineId(first.0 + block.packed.count as u64 - 1),
            from,
            to,
            received_at: block.packed.received_at,
            raw_len: block.packed.raw.len(),
            sum: sum([&times, &block.packed.body, &weights]),
            times,
            weights,
            body: block.packed.body.clone(),
            source: block.packed.source.clone(),
        })
    }

    /// Checks and unpacks.
    pub(super) fn unpack(&self) -> Result<Unpacked, BadBlock> {
        if self.raw_len > LARGEST || self.last < self.first || sum([&self.times, &self.body, &self.weights]) != self.sum
        {
            return Err(BadBlock);
        }
        let raw = lz4_flex::block::decompress(&self.body, self.raw_len).map_err(|_| BadBlock)?;
        let times = codec::decode_times(&self.times)?;
        let weights = codec::decode_weights(&self.weights, times.len())?;
        let dense = times.len() as u64 == self.last.0 - self.first.0 + 1;
        if dense { Ok(Unpacked { raw, times, weights }) } else { Err(BadBlock) }
    }
}

/// A block's lines, unpacked; the events borrow from it.
#[derive(Debug)]
pub(super) struct Unpacked {
    raw: Vec<u8>,
    times: Vec<Timestamp>,
    weights: Vec<Weight>,
}

impl Unpacked {
    /// The lines with their engine times and weights, one for each time.
    pub(super) fn events(&self) -> Result<Vec<LogEvent<'_>>, BadBlock> {
        let mut events = codec::decode(&self.raw, &self.times)?;
        for (event, weight) in events.iter_mut().zip(&self.weights) {
            event.weight = *weight;
        }
        if events.len() == self.times.len() { Ok(events) } else { Err(BadBlock) }
    }
}

/// CRC-32 over the columns: finds what a disk or an editor did, not what an attacker with write access
/// would do.
fn sum(columns: [&[u8]; 3]) -> u32 {
    let mut sum = flate2::Crc::new();
    for column in columns {
        sum.update(column);
    }
    sum.sum()
}
