//! Files of log lines, packed ones too, as one stream of records, the earliest first.
//!
//! Each file keeps its own order: a line without a time, or with an earlier one than the line before it, goes
//! with that. One record of each file is held.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stella_protocol::{LogEvent, Timestamp};

use super::BacktestError;
use crate::clock::Clock;
use crate::ingest::talk::Talk;
use crate::ingest::{self, LineJoiner};
use crate::packed::{self, STREAM};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;
/// A file's last change is believed to be at most this long before its last line, in milliseconds: clocks
/// differ, and zones do.
const SKEW_MS: i64 = 3_600_000;

/// All files, merged.
pub(super) struct Recordings {
    files: Vec<Recording>,
    read: Arc<AtomicU64>,
    size: Option<u64>,
}

impl Recordings {
    /// Opens every file, so that a missing one is told before anything is read.
    pub(super) fn open(paths: &[PathBuf], until: Option<Timestamp>) -> Result<Self, BacktestError> {
        let read = Arc::new(AtomicU64::new(0));
        let (mut files, mut size) = (Vec::with_capacity(paths.len()), Some(0));
        for path in paths {
            let (input, length, changed) = open(path).map_err(|error| BacktestError::Open(path.clone(), error))?;
            size = size.zip(length).map(|(sum, length)| sum + length);
            let until = until.unwrap_or(changed.plus_millis(SKEW_MS));
            let counted = BufReader::with_capacity(CHUNK, Counted { input, read: Arc::clone(&read) });
            let mut input = packed::unpack(counted).map_err(|error| BacktestError::Open(path.clone(), error))?;
            look_at_begin(path, &mut input)?;
            files.push(Recording::new(path.clone(), input, until)?);
        }
        Ok(Self { files, read, size })
    }

    /// The next record, of the file whose next record is the earliest; of several, of the first that was named.
    pub(super) fn next(&mut self) -> Result<Option<LogEvent<'static>>, BacktestError> {
        let waiting = self.files.iter().enumerate().filter(|(_, file)| file.head.is_some());
        match waiting.min_by_key(|(nth, file)| (file.at, *nth)).map(|(nth, _)| nth) {
            Some(nth) => self.files[nth].take(),
            None => Ok(None),
        }
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of all files; None where one is a stream.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }
}

/// Looks at the begin of a file; what is damaged later is told where it is.
fn look_at_begin(path: &Path, input: &mut Box<dyn BufRead>) -> Result<(), BacktestError> {
    match input.fill_buf() {
        Ok(begin) if is_binary(begin) => Err(BacktestError::NotText(path.to_owned())),
        Ok(_) => Ok(()),
        Err(source) => Err(BacktestError::Read { path: path.to_owned(), lines: 0, source }),
    }
}

/// True when more bytes are controls than ever stand in a text: of bytes at random a tenth are, of a log that a
/// power cut left zeros in, a few.
fn is_binary(begin: &[u8]) -> bool {
    let is_control = |byte: &&u8| byte.is_ascii_control() && !byte.is_ascii_whitespace() && **byte != 0x1b;
    begin.iter().filter(is_control).count() * 20 > begin.len()
}

type Input = Box<dyn Read>;

/// The input, its length and when it was last changed.
fn open(path: &Path) -> io::Result<(Input, Option<u64>, Timestamp)> {
    if path == Path::new(STREAM) {
        return Ok((Box::new(io::stdin()), None, Clock::system().now()));
    }
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let changed = chrono::DateTime::<chrono::Utc>::from(about.modified()?).into();
    let length = about.is_file().then_some(about.len());
    Ok((Box::new(file), length, changed))
}

/// Counts what is read of it.
struct Counted {
    input: Input,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// One file.
struct Recording {
    path: PathBuf,
    input: Box<dyn BufRead>,
    joiner: LineJoiner,
    /// Whole records that wait, the next one last.
    ready: Vec<String>,
    talk: Talk<String>,
    ended: bool,
    head: Option<LogEvent<'static>>,
    /// The time that the next record goes by.
    at: Timestamp,
    until: Timestamp,
    lines: u64,
}

impl Recording {
    fn new(path: PathBuf, input: Box<dyn BufRead>, until: Timestamp) -> Result<Self, BacktestError> {
        let mut new = Self {
            path,
            input,
            joiner: LineJoiner::new(),
            ready: Vec::new(),
            talk: Talk::new(),
            ended: false,
            head: None,
            at: Timestamp::from_millis(i64::MIN),
            until,
            lines: 0,
        };
        new.advance()?;
        Ok(new)
    }

    fn take(&mut self) -> Result<Option<LogEvent<'static>>, BacktestError> {
        let Some(event) = self.head.take() else { return Ok(None) };
        self.lines += 1;
        self.advance()?;
        Ok(Some(event))
    }

    /// Makes the next record the head.
    fn advance(&mut self) -> Result<(), BacktestError> {
        while self.ready.is_empty() && !self.ended {
            let mut records = match self.input.fill_buf() {
                Ok([]) => {
                    self.ended = true;
                    self.joiner.finish()
                }
                Ok(chunk) => {
                    let (records, length) = (self.joiner.push(chunk), chunk.len());
                    self.input.consume(length);
                    records
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    let (path, lines) = (self.path.clone(), self.lines);
                    return Err(BacktestError::Read { path, lines, source });
                }
            };
            records.reverse();
            self.ready = records;
        }
        self.head = self.ready.pop().map(|record| {
            let mut event = ingest::record(&record, self.until).into_owned();
            self.talk.complete(&record, &mut event, self.until);
            self.talk.keep(record);
            event
        });
        if let Some(own) = self.head.as_ref().and_then(|head| head.timestamp) {
            self.at = own.max(self.at);
        }
        Ok(())
    }
}
