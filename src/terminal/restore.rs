//! Taking the terminal and giving it back, from wherever the program ends.
//!
//! `leave` may be called from a panic hook, a signal's task and a drop, in any order and any number of
//! times: only the first one acts.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use super::osc::POP_TITLE;

/// Alternate screen, bracketed paste, hidden cursor, cleared.
const ENTER: &str = "\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[2J";

/// Ends a frame that was cut in the middle, then the opposite of [`ENTER`].
const LEAVE: &str = "\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?1049l\x1b[?25h";

static TAKEN: AtomicBool = AtomicBool::new(false);
static TITLED: AtomicBool = AtomicBool::new(false);

/// Makes every panic give the terminal back before its message is written.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
    });
}

/// Takes the terminal; again is harmless.
pub(super) fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    write(ENTER)
}

/// Remembers that the window's title has to be put back.
pub(super) fn titled() {
    TITLED.store(true, Ordering::SeqCst);
}

/// Gives the terminal back, if it is ours. What fails here fails silently: there is nobody to tell.
pub fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let title = if TITLED.swap(false, Ordering::SeqCst) { POP_TITLE } else { "" };
    let _ = write(&format!("{title}{LEAVE}"));
    let _ = disable_raw_mode();
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
