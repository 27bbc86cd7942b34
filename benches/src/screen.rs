//! A console on a pseudo-terminal, with a terminal emulator that reads along.
//!
//! What is waited for is looked at in the reading thread, after each piece that came, and is dated with
//! the moment in which that piece was read: who waits may wake late without spoiling the figure.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u16, pub u16);

type Fits = Box<dyn Fn(&str) -> bool + Send>;

struct Seen {
    parser: vt100::Parser,
    bytes: u64,
    painted: Option<Instant>,
    watch: Option<Fits>,
    hit: Option<Instant>,
}

impl Seen {
    fn take(&mut self, at: Instant, bytes: &[u8]) {
        self.parser.process(bytes);
        self.bytes += bytes.len() as u64;
        if self.painted.is_none() || self.watch.is_some() {
            let contents = self.parser.screen().contents();
            self.look(at, &contents);
        }
    }

    fn look(&mut self, at: Instant, contents: &str) {
        if !contents.trim().is_empty() {
            self.painted.get_or_insert(at);
        }
        if self.watch.as_ref().is_some_and(|fits| fits(contents)) {
            self.watch = None;
            self.hit = Some(at);
        }
    }
}

/// A program on its terminal. Killed when dropped.
pub struct Session {
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    keys: Mutex<Box<dyn Write + Send>>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    started: Instant,
    _home: TempDir,
}

impl Session {
    /// Starts a program in an environment of its own, with a few more variables.
    ///
    /// # Errors
    /// When there is no terminal to be had, or the program does not start.
    pub fn start(program: &Path, arguments: &[&str], more: &[(&str, &str)], size: Size) -> anyhow::Result<Self> {
        let home = tempfile::tempdir().context("make a folder")?;
        let Size(cols, rows) = size;
        let pty = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(pty).context("open a pseudo-terminal")?;
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        let usual = [("TERM", "xterm-256color"), ("PATH", "/usr/bin:/bin"), ("USER", "op"), ("LANG", "C.UTF-8")];
        usual.iter().chain(more).for_each(|(name, value)| command.env(name, value));
        command.env("HOME", home.path());
        let input = pair.master.try_clone_reader().context("read a pseudo-terminal")?;
        let keys = Mutex::new(pair.master.take_writer().context("write to a pseudo-terminal")?);
        let parser = vt100::Parser::new(rows, cols, 0);
        let seen = Seen { parser, bytes: 0, painted: None, watch: None, hit: None };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || read(input, &shared));
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).context("start a program on a pseudo-terminal")?;
        drop(pair.slave);
        Ok(Self { child, _master: pair.master, keys, seen, started, _home: home })
    }

    /// Just before the program was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Presses keys.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn press(&self, keys: &str) -> anyhow::Result<()> {
        let mut terminal = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        terminal.write_all(keys.as_bytes()).and_then(|()| terminal.flush()).context("press keys")
    }

    /// Its process.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.process_id().context("find the process of a console")
    }

    /// When something that can be seen first stood on the screen.
    ///
    /// # Errors
    /// When nothing did within `patience`.
    pub fn painted(&self, patience: Duration) -> anyhow::Result<Instant> {
        self.wait(patience, |seen| seen.painted).context("wait for the first frame")
    }

    /// When the screen first fitted, from now on.
    ///
    /// # Errors
    /// When it did not within `patience`; names `what` and what stood there instead.
    pub fn when(
        &self,
        what: &str,
        patience: Duration,
        fits: impl Fn(&str) -> bool + Send + 'static,
    ) -> anyhow::Result<Instant> {
        self.watch(fits);
        self.hit(patience).with_context(|| format!("wait for {what}; the screen:\n{}", self.contents()))
    }

    /// Begins to look for a screen that fits.
    pub fn watch(&self, fits: impl Fn(&str) -> bool + Send + 'static) {
        let mut seen = self.lock();
        seen.hit = None;
        seen.watch = Some(Box::new(fits));
        let contents = seen.parser.screen().contents();
        seen.look(Instant::now(), &contents);
        self.seen.1.notify_all();
    }

    /// When the screen first fitted what is looked for.
    ///
    /// # Errors
    /// When it did not within `patience`.
    pub fn hit(&self, patience: Duration) -> anyhow::Result<Instant> {
        self.wait(patience, |seen| seen.hit)
    }

    /// What stands on the screen.
    pub fn contents(&self) -> String {
        self.lock().parser.screen().contents()
    }

    /// Bytes that were written so far.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, patience: Duration, found: impl Fn(&Seen) -> Option<Instant>) -> anyhow::Result<Instant> {
        let waited = self.seen.1.wait_timeout_while(self.lock(), patience, |seen| found(seen).is_none());
        let (seen, _) = waited.unwrap_or_else(PoisonError::into_inner);
        found(&seen).with_context(|| format!("see it within {patience:?}"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until the terminal is gone.
fn read(mut input: Box<dyn Read + Send>, shared: &(Mutex<Seen>, Condvar)) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = input.read(&mut buffer) {
        let at = Instant::now();
        shared.0.lock().unwrap_or_else(PoisonError::into_inner).take(at, &buffer[..read]);
        shared.1.notify_all();
    }
}

/// How many alerts of each severity the header says are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// `CRIT`.
    pub critical: u32,
    /// `HIGH`.
    pub high: u32,
    /// `MED`.
    pub medium: u32,
    /// `LOW`.
    pub low: u32,
}

impl Counts {
    /// Reads the screen's first line; None: it does not say.
    pub fn read(contents: &str) -> Option<Self> {
        let header = contents.lines().next()?;
        let of = |word: &str| header.split_once(word)?.1.split_whitespace().next()?.parse().ok();
        Some(Self { critical: of("CRIT ")?, high: of("HIGH ")?, medium: of("MED ")?, low: of("LOW ")? })
    }

    /// All of them.
    pub fn open(self) -> u32 {
        self.critical + self.high + self.medium + self.low
    }
}

/// Rows of the list that stand for an alert nobody has taken.
pub fn firing_rows(contents: &str) -> usize {
    contents.lines().filter(|line| line.contains(" FIRE ")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_how_many_are_open() {
        let screen =
            "[DEMO] LIVE  CRIT 1   HIGH 12  MED 3   LOW 0    unacked 9\n>  CRIT 2m FIRE api\n   HIGH 9m FIRE auth";
        let counts = Counts { critical: 1, high: 12, medium: 3, low: 0 };
        assert_eq!(Counts::read(screen), Some(counts));
        assert_eq!(counts.open(), 16);
        assert_eq!(firing_rows(screen), 2);
        assert_eq!(Counts::read("[DEMO] CONNECTING"), None);
    }
}
