//! What the operating system asks of the console.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after a hang-up.
pub(super) const HUNG_UP: u8 = code(Number::HUP);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// End, with this exit code.
    End(u8),
    /// Give the terminal back and stop.
    Stop,
    /// Somebody continued us, and may have changed the terminal.
    Continued,
    /// The terminal has another size.
    Resized,
}

/// The signals that are listened to.
pub(super) struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    stop: Signal,
    proceed: Signal,
    resize: Signal,
}

/// As a shell reports a process that ended by a signal.
const fn code(number: Number) -> u8 {
    128 + number.as_raw() as u8
}

impl Signals {
    /// Begins to listen, also to those that were ignored. Done before the terminal is taken: a signal in
    /// between must not end the process with the terminal in its hands.
    pub(super) fn listen() -> io::Result<Self> {
        let on = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self {
            terminate: on(Number::TERM)?,
            hang_up: on(Number::HUP)?,
            interrupt: on(Number::INT)?,
            stop: on(Number::TSTP)?,
            proceed: on(Number::CONT)?,
            resize: on(Number::WINCH)?,
        })
    }

    /// The next one. Behind one that ends the console the process ends, whatever the loop does.
    pub(super) async fn next(&mut self) -> Ask {
        let ask = tokio::select! {
            _ = self.terminate.recv() => Ask::End(code(Number::TERM)),
            _ = self.hang_up.recv() => Ask::End(HUNG_UP),
            _ = self.interrupt.recv() => Ask::End(code(Number::INT)),
            _ = self.stop.recv() => Ask::Stop,
            _ = self.proceed.recv() => Ask::Continued,
            _ = self.resize.recv() => Ask::Resized,
        };
        if let Ask::End(code) = ask {
            tokio::spawn(super::force(code));
        }
        ask
    }
}
