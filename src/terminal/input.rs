//! The keyboard: a thread of its own reads it, so that a terminal that goes away (the reader spins
//! then) or stalls can never hold up the loop.
//!
//! Reads the terminal even while stdin is a pipe: the library opens `/dev/tty` in that case.

use std::io;
use std::thread;
use std::time::Instant;

use tokio::sync::mpsc::{Receiver, channel};

use super::answers::Answers;
use super::keys::translate;
use crate::event::Event;

/// Keys that may wait; a held key repeats 30 times a second, so this is seconds of a stalled loop.
const WAITING: usize = 256;

/// One failed read is a moment's matter; after so many in a row the terminal is gone.
const MOST_FAILURES: u32 = 100;

/// Begins to read keys, pastes and sizes. The thread lives as long as the process.
///
/// # Errors
/// When no thread can be made.
pub fn start() -> io::Result<Receiver<Event>> {
    let (sender, receiver) = channel(WAITING);
    thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
        let mut answers = Answers::default();
        let mut failed = 0;
        while failed < MOST_FAILURES {
            let Ok(raw) = crossterm::event::read() else {
                failed += 1;
                continue;
            };
            failed = 0;
            if raw.as_key_event().is_some_and(|key| !answers.is_pressed(key, Instant::now())) {
                continue;
            }
            if translate(raw).is_some_and(|event| sender.blocking_send(event).is_err()) {
                break;
            }
        }
    })?;
    Ok(receiver)
}
