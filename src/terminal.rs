//! The one room that touches the terminal: takes it, paints it, and always gives it back.
//!
//! Everything that goes to the terminal goes through here: frames by [`Terminal::paint`], and beside
//! the frames only the window title, the bell and the clipboard, each with a grammar of its own.
//!
//! Architecture Invariant: this room does not know what is shown nor what a key means. It never
//! writes when nothing changed.

mod decode;
pub mod hangup;
pub mod input;
mod osc;
mod paint;
mod restore;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use rustix::process::{Signal, getpid, kill_process};

pub use restore::leave;

use paint::Painter;

/// True when both the screen and the keyboard are there, and the terminal can be painted.
pub fn is_there(term: Option<&str>) -> bool {
    let keyboard = || io::stdin().is_terminal() || File::open("/dev/tty").is_ok();
    term.is_some_and(|term| !term.is_empty() && term != "dumb") && io::stdout().is_terminal() && keyboard()
}

/// The terminal while it is ours. Dropping it gives it back.
#[derive(Debug)]
pub struct Terminal {
    out: File,
    painter: Painter,
    multiplexed: bool,
    titled: bool,
}

impl Terminal {
    /// Takes the terminal: raw mode, alternate screen, bracketed paste, hidden cursor. From now on it
    /// is given back on drop and on panic; `multiplexed` says that tmux stands between.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter(multiplexed: bool) -> io::Result<Self> {
        crossterm::style::force_color_output(true);
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        restore::install();
        restore::enter()?;
        let (width, height) = crossterm::terminal::size()?;
        Ok(Self { out, painter: Painter::new(width, height), multiplexed, titled: false })
    }

    /// Where frames are painted.
    pub fn area(&self) -> Rect {
        self.painter.area()
    }

    /// Takes another size; the next frame is painted whole.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.painter.resize(width, height);
    }

    /// Asks the terminal for its size, for when a change of it may have been missed.
    pub fn measure(&mut self) -> (u16, u16) {
        let area = self.area();
        let (width, height) = crossterm::terminal::size().unwrap_or((area.width, area.height));
        self.resize(width, height);
        (width, height)
    }

    /// Draws a frame and sends what changed, in one write; nothing when nothing changed. Returns the
    /// number of bytes.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn paint(&mut self, draw: impl FnOnce(&mut Buffer) -> Option<Position>) -> io::Result<usize> {
        let bytes = self.painter.frame(draw)?;
        if !bytes.is_empty() {
            self.out.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    /// Forgets what stands on the screen: the next frame is painted whole.
    pub fn forget(&mut self) {
        self.painter.forget();
    }

    /// Puts text on the clipboard of the terminal (OSC 52); answers with the number of bytes.
    ///
    /// # Errors
    /// In words, when it is too much or the terminal is gone.
    pub fn copy(&mut self, text: &str) -> Result<usize, String> {
        let (bytes, length) = osc::copy(text, self.multiplexed)?;
        self.out.write_all(bytes.as_bytes()).map_err(|error| error.kind().to_string())?;
        Ok(length)
    }

    /// Names the window.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn title(&mut self, text: &str) -> io::Result<()> {
        let begin = if self.titled { "" } else { osc::PUSH_TITLE };
        self.titled = true;
        restore::titled();
        self.out.write_all(format!("{begin}{}", osc::title(text)).as_bytes())
    }

    /// Rings the bell.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn bell(&mut self) -> io::Result<()> {
        self.out.write_all(osc::BELL.as_bytes())
    }

    /// Gives the terminal back, stops the process until somebody continues it, and takes the terminal
    /// again.
    ///
    /// # Errors
    /// When the terminal refuses afterwards.
    pub fn suspend(&mut self) -> io::Result<()> {
        leave();
        self.titled = false;
        // Not SIGTSTP: the kernel drops it in an orphaned process group.
        kill_process(getpid(), Signal::STOP)?;
        self.resume()
    }

    /// Takes the terminal again after somebody else had it.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn resume(&mut self) -> io::Result<()> {
        restore::enter()?;
        self.forget();
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        leave();
    }
}
