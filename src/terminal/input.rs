//! The keyboard: a thread of its own reads it, so that a terminal that stalls or goes away can never
//! hold up the loop.
//!
//! Reads the terminal even while stdin is a pipe. The kernel is asked again before each read: bytes
//! that a burst left behind are never waited for.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::decode::Decoder;
use crate::event::Event;

/// Keys that may wait; a held key repeats 30 times a second, so this is seconds of a stalled loop.
const WAITING: usize = 256;

/// Most bytes of one read: a paste comes in few pieces.
const READ: usize = 4096;

/// One failed read is a moment's matter; after so many in a row the terminal is gone.
const MOST_FAILURES: u32 = 100;

/// Begins to read keys and pastes. The thread ends with the terminal, and the receiver hears of it.
///
/// # Errors
/// When the terminal cannot be opened or no thread can be made.
pub fn start() -> io::Result<Receiver<Event>> {
    let (sender, receiver) = channel(WAITING);
    let keyboard = open()?;
    thread::Builder::new().name("keyboard".to_owned()).spawn(move || attend(&keyboard, &sender))?;
    Ok(receiver)
}

/// The terminal's own end of the keyboard, wherever stdin leads.
pub(super) fn open() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if stdin.is_terminal() { stdin.as_fd().try_clone_to_owned() } else { Ok(File::open("/dev/tty")?.into()) }
}

fn attend(keyboard: &OwnedFd, events: &Sender<Event>) {
    let (mut decoder, mut bytes, mut failed) = (Decoder::default(), [0; READ], 0);
    while failed < MOST_FAILURES {
        let heard = match wait(keyboard, decoder.patience()) {
            Ok(true) => match read(keyboard, &mut bytes) {
                Ok(0) => return,
                Ok(count) => bytes[..count].iter().filter_map(|byte| decoder.take(*byte)).collect(),
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(_) => {
                    failed += 1;
                    continue;
                }
            },
            Ok(false) => Vec::from_iter(decoder.pause()),
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(_) => {
                failed += 1;
                continue;
            }
        };
        failed = 0;
        for event in heard {
            if events.blocking_send(event).is_err() {
                return;
            }
        }
    }
}

/// True when there is something to read, false when nothing came in time.
fn wait(keyboard: &OwnedFd, patience: Option<Duration>) -> Result<bool, Errno> {
    let patience = patience.and_then(|time| Timespec::try_from(time).ok());
    poll(&mut [PollFd::new(keyboard, PollFlags::IN)], patience.as_ref()).map(|ready| ready > 0)
}
