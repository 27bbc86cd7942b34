//! The engine's state on the disk: what a restart goes on from, so that nothing is learned anew and only the
//! lines behind it are looked at again.
//!
//! Two files, the newest and the one before: a state counts only with the history that it was kept in, and never
//! one of a later line than the alerts know of, or what was found in between would be lost. Each file is written
//! whole, beside, and renamed. Knows no engine time and no thread: when it is written is the worker's, by whom
//! the [`Keeper`](super::keeper::Keeper)'s.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use stella_detect::{Checkpoint, Engine, Refused, Rules};
use stella_protocol::LineId;

use super::pace::{Pace, Stand};

/// The newest state, and the one before it.
const NEWEST: &str = "engine.state";
const BEFORE: &str = "engine.state.before";
/// What it is called until it is whole.
const NEW: &str = "engine.state.new";
/// Only the owner may read and write: there are samples of lines in it.
const OWNER_ONLY: u32 = 0o600;
/// What stands before the bytes, with their form.
const MAGIC: &[u8; 8] = b"stella-1";
/// Bytes of the head: magic, history, line, second (and whether there is one), second led to, whether at the
/// present, marks, bytes once unpacked.
const HEAD: usize = 8 + 8 + 8 + 1 + 8 + 8 + 1 + 8 + 8;
/// Bytes of the checksum behind all.
const SUM: usize = 4;
/// Largest state that a reader makes room for, in bytes: what an engine with the default bounds keeps of lines
/// of the longest names, four times over.
const LARGEST: u64 = 1 << 30;

/// Where the engine stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which history the line and the marks belong to.
    pub epoch: u64,
    /// The last line that it saw.
    pub line: LineId,
    /// What it was told of time.
    pub stand: Stand,
    /// The number of the last mark that it learned of.
    pub marks: u64,
}

/// Why there is no state to go on from, although one was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The file cannot be read.
    Unreadable,
    /// The engine does not take it.
    Engine(Refused),
    /// It belongs to other alerts than those that are kept here.
    History,
    /// It is of a later line than the alerts know of.
    Ahead,
}

impl fmt::Display for Unusable {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => to.write_str("the file cannot be read"),
            Self::Engine(why) => why.fmt(to),
            Self::History => to.write_str("the state belongs to other alerts than those that are kept here"),
            Self::Ahead => to.write_str("the state knows more lines than the alerts do"),
        }
    }
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// A state, with an engine in it.
    Good(Place, Box<Pace>),
    /// There is one, and it cannot be used; why the newest cannot.
    Unusable(Unusable),
    /// There is none.
    Nothing,
}

/// A state on its way to the disk.
#[derive(Debug)]
pub(super) struct State {
    pub place: Place,
    pub engine: Checkpoint,
}

/// The place in a data folder where the engine's state is kept.
#[derive(Debug, Clone)]
pub struct StateFile {
    folder: PathBuf,
}

impl StateFile {
    /// In this folder, which exists; nothing is opened yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Keeps a state. On return it survives a power cut.
    pub(super) fn save(&self, state: &State) -> io::Result<()> {
        let (new, newest) = (self.folder.join(NEW), self.folder.join(NEWEST));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&new)?;
        file.write_all(&written(state))?;
        file.sync_all()?;
        match fs::rename(&newest, self.folder.join(BEFORE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::rename(&new, &newest)?,
        }
        File::open(&self.folder)?.sync_all()
    }

    /// The newest state that can be used, of this history and of no later line than `applied`.
    pub(super) fn load(&self, rules: &Rules, epoch: u64, applied: LineId) -> Found {
        let mut first = None;
        for name in [NEWEST, BEFORE] {
            let read = match fs::read(self.folder.join(name)) {
                Ok(bytes) => read(&bytes, rules, epoch, applied),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(_) => Err(Unusable::Unreadable),
            };
            match read {
                Ok((at, pace)) => return Found::Good(at, Box::new(pace)),
                Err(why) => first = first.or(Some(why)),
            }
        }
        first.map_or(Found::Nothing, Found::Unusable)
    }
}

fn written(State { place, engine }: &State) -> Vec<u8> {
    let Place { epoch, line, stand, marks } = place;
    let raw = engine.to_bytes();
    let packed = lz4_flex::block::compress(&raw);
    let mut bytes = Vec::with_capacity(HEAD + packed.len() + SUM);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&epoch.to_le_bytes());
    bytes.extend_from_slice(&line.0.to_le_bytes());
    bytes.push(u8::from(stand.second.is_some()));
    bytes.extend_from_slice(&stand.second.unwrap_or_default().to_le_bytes());
    bytes.extend_from_slice(&stand.led.to_le_bytes());
    bytes.push(u8::from(stand.at_present));
    bytes.extend_from_slice(&marks.to_le_bytes());
    bytes.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&packed);
    let sum = crc(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn read(bytes: &[u8], rules: &Rules, epoch: u64, applied: LineId) -> Result<(Place, Pace), Unusable> {
    let corrupt = Unusable::Engine(Refused::Corrupt);
    let (body, sum) = bytes.split_last_chunk::<SUM>().ok_or(corrupt)?;
    let mut head = body.get(..HEAD).ok_or(corrupt)?;
    if take(&mut head).ok_or(corrupt)? != *MAGIC {
        return Err(Unusable::Engine(Refused::Foreign));
    }
    if crc(body) != u32::from_le_bytes(*sum) {
        return Err(corrupt);
    }
    let mut number = || take(&mut head).map(u64::from_le_bytes);
    let (kept_epoch, line) = (number().ok_or(corrupt)?, LineId(number().ok_or(corrupt)?));
    let [is_led] = take(&mut head).ok_or(corrupt)?;
    let second = i64::from_le_bytes(take(&mut head).ok_or(corrupt)?);
    let led = i64::from_le_bytes(take(&mut head).ok_or(corrupt)?);
    let [at_present] = take(&mut head).ok_or(corrupt)?;
    let marks = u64::from_le_bytes(take(&mut head).ok_or(corrupt)?);
    let raw_len = u64::from_le_bytes(take(&mut head).ok_or(corrupt)?);
    let stand = Stand { second: (is_led == 1).then_some(second), led, at_present: at_present == 1 };
    let place = Place { epoch: kept_epoch, line, stand, marks };
    if kept_epoch != epoch {
        return Err(Unusable::History);
    }
    if line > applied {
        return Err(Unusable::Ahead);
    }
    let room = usize::try_from(raw_len).ok().filter(|_| raw_len <= LARGEST).ok_or(corrupt)?;
    let raw = lz4_flex::block::decompress(&body[HEAD..], room).map_err(|_| corrupt)?;
    let kept = Checkpoint::from_bytes(&raw).map_err(Unusable::Engine)?;
    let engine = Engine::restore(rules.clone(), &kept).map_err(Unusable::Engine)?;
    Ok((place, Pace::resumed(engine, rules.clone(), stand)))
}

/// The next bytes of a head.
fn take<const N: usize>(head: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = head.split_first_chunk::<N>()?;
    *head = rest;
    Some(*first)
}

/// CRC-32: finds what a disk or an editor did, not what somebody with write access would do.
fn crc(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use stella_protocol::{LogEvent, Timestamp};

    use super::*;

    fn state(line: u64) -> State {
        let mut engine = Engine::new(Rules::default());
        for nth in 1..=line {
            let at = Timestamp::from_millis(1_780_000_000_000 + nth as i64 * 1000);
            let event = LogEvent { engine_time: at, service: "api".into(), message: "a".into(), ..LogEvent::default() };
            engine.observe(LineId(nth), &event);
        }
        let stand = Stand { second: Some(1_780_000_000 + line as i64), led: 7, at_present: false };
        State { place: Place { epoch: 3, line: LineId(line), stand, marks: 9 }, engine: engine.checkpoint() }
    }

    fn load(file: &StateFile, applied: u64) -> Found {
        file.load(&Rules::default(), 3, LineId(applied))
    }

    fn line(found: &Found) -> u64 {
        match found {
            Found::Good(place, _) => place.line.0,
            other => panic!("{other:?}"),
        }
    }

    fn why(found: &Found) -> Unusable {
        match found {
            Found::Unusable(why) => *why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_kept_is_found_again_and_the_one_before_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::in_folder(folder.path());
        assert!(matches!(load(&file, 9), Found::Nothing));
        for at in [2, 4] {
            file.save(&state(at)).unwrap();
        }
        let Found::Good(at, pace) = load(&file, 9) else { panic!() };
        assert_eq!(at, state(4).place);
        assert_eq!((pace.engine.checkpoint(), pace.stand()), (state(4).engine, at.stand));
        assert_eq!(line(&load(&file, 3)), 2, "a state of a later line than the alerts know of would lose findings");
        assert_eq!(why(&load(&file, 1)), Unusable::Ahead);
    }

    #[test]
    fn one_that_is_broken_is_refused_and_the_one_before_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::in_folder(folder.path());
        for at in [2, 4] {
            file.save(&state(at)).unwrap();
        }
        let path = folder.path().join(NEWEST);
        let whole = fs::read(&path).unwrap();
        for at in (8..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(line(&load(&file, 9)), 2, "byte {at}");
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        fs::remove_file(folder.path().join(BEFORE)).unwrap();
        assert_eq!(why(&load(&file, 9)), Unusable::Engine(Refused::Corrupt));
        fs::write(&path, b"").unwrap();
        assert_eq!(why(&load(&file, 9)), Unusable::Engine(Refused::Corrupt));
        fs::write(&path, [b"stella-0".as_slice(), &whole[8..]].concat()).unwrap();
        assert_eq!(why(&load(&file, 9)), Unusable::Engine(Refused::Foreign));
    }

    #[test]
    fn the_state_of_another_history_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::in_folder(folder.path());
        file.save(&state(2)).unwrap();
        assert_eq!(why(&file.load(&Rules::default(), 4, LineId(9))), Unusable::History);
        let other = Rules { people: 7, ..Rules::default() };
        assert_eq!(why(&file.load(&other, 3, LineId(9))), Unusable::Engine(Refused::Bounds));
    }
}
