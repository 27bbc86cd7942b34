//! From the feed's bytes to its messages.
//!
//! `eventsource-stream` reads the messages; in front of it stands a guard, because it panics on a byte
//! order mark, stalls after one invalid byte and buffers without bound. The guard cuts the bytes into
//! lines and whole blocks, decodes them lossily as the standard says, and hands over complete blocks
//! that are small enough; it keeps each block's own id, which the library loses when there are no data.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use eventsource_stream::EventStream;
use futures_util::Stream;

/// Largest block that is read, in bytes; the contract allows events of 64 KiB.
const BLOCK_LIMIT: usize = 256 * 1024;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// An event.
    Event {
        /// Its name; `message` when it had none.
        name: String,
        /// Its data.
        data: String,
        /// The id that stood in its own block.
        id: Option<String>,
    },
    /// A block without data that set an id.
    Mark(String),
    /// A block larger than [`BLOCK_LIMIT`], thrown away but for its id.
    TooLarge(Option<String>),
}

/// Reads a stream given in pieces of any size.
pub(super) struct Decoder {
    guard: Guard,
    feeder: Feeder,
    events: EventStream<Feeder>,
}

impl Decoder {
    pub(super) fn new() -> Self {
        let feeder = Feeder::default();
        // The library looks for a byte order mark in front of its first piece, and panics when it
        // finds one: a comment goes first.
        feeder.lock().push_back(":\n".to_owned());
        Self { guard: Guard::default(), events: EventStream::new(feeder.clone()), feeder }
    }

    /// Reads one piece.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut impl FnMut(Message)) {
        let (guard, feeder, events) = (&mut self.guard, &self.feeder, &mut self.events);
        guard.push(bytes, &mut |block| read(feeder, events, block, out));
    }
}

/// Hands one block to the library and takes what it makes of it.
fn read(feeder: &Feeder, events: &mut EventStream<Feeder>, block: Block, out: &mut impl FnMut(Message)) {
    if block.is_too_large {
        return out(Message::TooLarge(block.id));
    }
    // Line by line: the library copies what stands behind a line once for every line.
    feeder.lock().extend(block.lines.into_iter().chain(["\n".to_owned()]));
    let mut id = block.id;
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut *events).poll_next(&mut context) {
            Poll::Ready(Some(Ok(event))) => {
                out(Message::Event { name: event.event, data: event.data, id: id.take() });
            }
            // The guard lets only whole lines of valid text through; an error would be about them.
            Poll::Ready(Some(Err(_))) => {}
            Poll::Ready(None) | Poll::Pending => break,
        }
    }
    if let Some(id) = id {
        out(Message::Mark(id));
    }
}

/// Lines on their way to the library.
#[derive(Clone, Default)]
struct Feeder(Arc<Mutex<VecDeque<String>>>);

impl Feeder {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Feeder {
    type Item = Result<String, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Nobody is woken: the decoder polls again whenever it has put lines in.
        self.lock().pop_front().map_or(Poll::Pending, |line| Poll::Ready(Some(Ok(line))))
    }
}

/// The lines between two empty ones.
#[derive(Debug, Default)]
struct Block {
    lines: Vec<String>,
    size: usize,
    id: Option<String>,
    is_too_large: bool,
}

/// Cuts bytes into blocks, holding one block at most.
#[derive(Debug, Default)]
struct Guard {
    line: Vec<u8>,
    block: Block,
    /// The last byte was a carriage return: a line feed next to it ends no further line.
    after_return: bool,
    is_begun: bool,
}

impl Guard {
    fn push(&mut self, mut bytes: &[u8], out: &mut impl FnMut(Block)) {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let Some(end) = end else {
                return self.grow(bytes);
            };
            self.grow(&bytes[..end]);
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(out);
        }
    }

    /// Takes a part of a line, as far as the block has room for it.
    fn grow(&mut self, part: &[u8]) {
        self.block.size = self.block.size.saturating_add(part.len());
        if self.block.size > BLOCK_LIMIT {
            self.block.is_too_large = true;
            self.block.lines.clear();
            // The beginning of a line is kept as long as it may still be the one with the id.
            self.line.truncate(ID_LIMIT);
            let room = ID_LIMIT.saturating_sub(self.line.len()).min(part.len());
            self.line.extend_from_slice(&part[..room]);
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self, out: &mut impl FnMut(Block)) {
        let bytes = std::mem::take(&mut self.line);
        let mut line = bytes.as_slice();
        if !std::mem::replace(&mut self.is_begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return out(std::mem::take(&mut self.block));
        }
        let mut text = String::from_utf8_lossy(line).into_owned();
        if let Some(id) = id_of(&text) {
            self.block.id = Some(id.to_owned());
        }
        self.block.size += 1;
        if !self.block.is_too_large {
            text.push('\n');
            self.block.lines.push(text);
        }
    }
}

/// Longest id line that is looked at in a block that is too large.
const ID_LIMIT: usize = 256;

/// The value of an `id` line. An id with a NUL in it is none.
fn id_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("id")?;
    let value = match rest.strip_prefix(':') {
        Some(value) => value.strip_prefix(' ').unwrap_or(value),
        None if rest.is_empty() => "",
        None => return None,
    };
    (!value.contains('\0')).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference;
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<Message> {
        let (mut decoder, mut found) = (Decoder::new(), Vec::new());
        for piece in pieces {
            decoder.push(piece, &mut |message| found.push(message));
        }
        found
    }

    fn event(name: &str, data: &str, id: Option<&str>) -> Message {
        Message::Event { name: name.to_owned(), data: data.to_owned(), id: id.map(str::to_owned) }
    }

    /// Name, data and last event id, as the standard tells them to its user.
    fn as_standard(messages: Vec<Message>) -> Vec<(String, String, String)> {
        let (mut last, mut told) = (String::new(), Vec::new());
        for message in messages {
            match message {
                Message::Event { name, data, id } => {
                    last = id.unwrap_or(last);
                    told.push((name, data, last.clone()));
                }
                Message::Mark(id) => last = id,
                Message::TooLarge(_) => {}
            }
        }
        told
    }

    #[test]
    fn an_event_has_the_id_of_its_own_block_only() {
        let found = decode(&[b"id: 7.1\nevent: alert\ndata: {}\n\ndata: x\n\n"]);
        assert_eq!(found, [event("alert", "{}", Some("7.1")), event("message", "x", None)]);
    }

    #[test]
    fn an_id_without_data_is_not_lost() {
        assert_eq!(decode(&[b"id: 7.9\n\n"]), [Message::Mark("7.9".to_owned())]);
    }

    #[test]
    fn byte_order_marks_and_invalid_bytes_harm_nothing() {
        let found = decode(&[b"\xef\xbb", b"\xbf\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\ndata: \xff\xc0c\n\n"]);
        assert_eq!(found, [event("message", "\u{fffd}\u{fffd}c", None)]);
        assert_eq!(decode(&[b"\xef\xbb\xbfdata: a\n\n"]), [event("message", "a", None)]);
    }

    #[test]
    fn a_block_that_is_too_large_keeps_its_id_and_the_next_one_is_read() {
        let mut stream = b"id: 7.2\nevent: alert\ndata: ".to_vec();
        stream.resize(stream.len() + BLOCK_LIMIT, b'x');
        stream.extend_from_slice(b"\n\nid: 7.3\ndata: y\n\n");
        let pieces: Vec<&[u8]> = stream.chunks(4096).collect();
        let found = decode(&pieces);
        assert_eq!(found, [Message::TooLarge(Some("7.2".to_owned())), event("message", "y", Some("7.3"))]);
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut decoder = Decoder::new();
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..64 {
            decoder.push(&piece, &mut |_| {});
        }
        assert!(decoder.guard.line.capacity() <= 2 * BLOCK_LIMIT, "{}", decoder.guard.line.capacity());
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            "data: a",
            "data:b",
            "data",
            "data: ",
            "data:  c",
            ":comment",
            ":",
            "event: alert",
            "event",
            "event:x",
            "id: 1",
            "id:2",
            "id",
            "id: \0",
            "id: 3 ",
            "retry: 5",
            "retry: x",
            "unknown: z",
            "data: é日",
            "\u{feff}data: q",
            " data: s",
            "",
            "",
            "",
            "datax: 1",
            "data: x:y",
        ]);
        prop_oneof![
            8 => known.prop_map(|line| line.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..12),
        ]
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let end = prop::sample::select(vec!["\n", "\n", "\r\n", "\r"]);
        let lines = prop::collection::vec((line(), end), 0..24);
        (any::<bool>(), lines).prop_map(|(marked, lines)| {
            let mut bytes = if marked { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
            for (line, end) in lines {
                bytes.extend_from_slice(&line);
                bytes.extend_from_slice(end.as_bytes());
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever the bytes and however they are cut, the messages are those of the standard.
        #[test]
        fn any_cut_gives_what_the_standard_says(bytes in stream(), cuts in prop::collection::vec(any::<u16>(), 0..12)) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % (bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(as_standard(decode(&pieces)), reference::parse(&bytes));
        }
    }
}
