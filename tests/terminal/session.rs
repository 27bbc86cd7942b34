//! A pseudo-terminal with the program in it, and a terminal emulator that reads along.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a condition may take; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program with these arguments, in an environment of its own.
pub fn program(arguments: &[&str]) -> Vec<String> {
    let own = env!("CARGO_BIN_EXE_stella-tui").to_owned();
    std::iter::once(own).chain(arguments.iter().map(|word| (*word).to_owned())).collect()
}

/// What the program wrote.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    first: Option<Instant>,
}

/// The program in its terminal. Killed when dropped.
pub struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    reader: Option<JoinHandle<()>>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    closing: Arc<AtomicBool>,
    started: Instant,
    modes: String,
    _home: tempfile::TempDir,
}

impl Session {
    /// Starts a program on a terminal of 80x24.
    pub fn start(argv: impl AsRef<[String]>) -> Self {
        Self::spawn(argv.as_ref())
    }

    /// The same below a shell that ignores SIGHUP, which is inherited.
    pub fn start_ignoring_hang_ups(argv: Vec<String>) -> Self {
        Self::start_in_shell("trap '' HUP; exec \"$0\" \"$@\"", argv)
    }

    /// A shell's script, with the program and its arguments as `$0` and `$@`.
    pub fn start_in_shell(script: &str, argv: Vec<String>) -> Self {
        let shell = ["sh", "-c", script].map(str::to_owned);
        Self::spawn(&shell.into_iter().chain(argv).collect::<Vec<_>>())
    }

    fn spawn(argv: &[String]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let pair =
            native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(&argv[0]);
        command.args(&argv[1..]);
        command.env_clear();
        for (name, value) in
            [("TERM", "xterm-256color"), ("PATH", "/usr/bin:/bin"), ("USER", "op"), ("LANG", "C.UTF-8")]
        {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        let modes = format!("{:?}", pair.master.get_termios());
        let mut input = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let seen = Seen { parser: vt100::Parser::new(24, 80, 0), bytes: Vec::new(), first: None };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let closing = Arc::new(AtomicBool::new(false));
        let (shared, is_closing) = (seen.clone(), closing.clone());
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(read @ 1..) = input.read(&mut buffer) {
                let mut seen = shared.0.lock().unwrap();
                seen.first.get_or_insert_with(Instant::now);
                seen.parser.process(&buffer[..read]);
                seen.bytes.extend_from_slice(&buffer[..read]);
                shared.1.notify_all();
                if is_closing.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let (master, writer, reader) = (Some(pair.master), Some(writer), Some(reader));
        Self { child, master, writer, reader, seen, closing, started, modes, _home: home }
    }

    /// Waits until the screen is as wanted.
    pub fn wait(&mut self, what: &str, fits: impl Fn(&str) -> bool) {
        self.wait_within(PATIENCE, what, fits);
    }

    /// The same for what the program itself may take longer for than anything else here.
    pub fn wait_within(&mut self, span: Duration, what: &str, fits: impl Fn(&str) -> bool) {
        self.wait_seen(span, what, |seen| fits(&seen.parser.screen().contents()));
    }

    /// The screen now.
    pub fn screen(&self) -> String {
        self.seen.0.lock().unwrap().parser.screen().contents()
    }

    /// Waits until the output is as wanted.
    pub fn wait_output(&mut self, what: &str, fits: impl Fn(&str) -> bool) {
        self.wait_seen(PATIENCE, what, |seen| fits(&String::from_utf8_lossy(&seen.bytes)));
    }

    fn wait_seen(&mut self, span: Duration, what: &str, fits: impl Fn(&Seen) -> bool) {
        let (seen, changed) = &*self.seen;
        let guard = seen.lock().unwrap();
        let (guard, waited) = changed.wait_timeout_while(guard, span, |seen| !fits(seen)).unwrap();
        let screen = guard.parser.screen().contents();
        assert!(!waited.timed_out(), "waited for {what}; the screen:\n{screen}");
    }

    /// Waits until something that is not output is so.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&mut Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < until, "waited for {what}");
            thread::yield_now();
        }
    }

    /// From the start of the program to its first byte.
    pub fn first_byte(&self) -> Option<Duration> {
        Some(self.seen.0.lock().unwrap().first? - self.started)
    }

    /// Everything written so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.seen.0.lock().unwrap().bytes).into_owned()
    }

    /// The end of it, for messages.
    pub fn tail(&self) -> String {
        let output = self.output();
        let from = output.char_indices().rev().nth(120).map_or(0, |(at, _)| at);
        output[from..].to_owned()
    }

    /// Waits until nothing was written for half a second; how much there is then.
    pub fn settled(&mut self) -> usize {
        let (seen, changed) = &*self.seen;
        let mut guard = seen.lock().unwrap();
        loop {
            let written = guard.bytes.len();
            let half = Duration::from_millis(500);
            let (next, waited) = changed.wait_timeout_while(guard, half, |seen| seen.bytes.len() == written).unwrap();
            guard = next;
            if waited.timed_out() {
                return written;
            }
        }
    }

    /// Fails as soon as something is written within `span`, apart from a minute's change.
    pub fn stays_silent_for(&mut self, span: Duration, written: usize) {
        let (seen, changed) = &*self.seen;
        let guard = seen.lock().unwrap();
        let (guard, waited) = changed.wait_timeout_while(guard, span, |seen| seen.bytes.len() == written).unwrap();
        let minute_edge = chrono::Utc::now().timestamp() % 60 < span.as_secs().cast_signed() + 1;
        assert!(waited.timed_out() || minute_edge, "wrote {:?}", String::from_utf8_lossy(&guard.bytes[written..]));
    }

    /// Types.
    pub fn type_keys(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Makes the terminal another size.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(height, width);
        let size = PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
    }

    /// Sends a signal to the program.
    pub fn signal(&mut self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Takes the terminal away. The reader is woken by a frame of another size, and lets go.
    pub fn close(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        self.resize(90, 26);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.writer = None;
        self.master = None;
    }

    /// The exit code, if the program ends within `span`.
    pub fn ended_within(&mut self, span: Duration) -> Option<u32> {
        let until = Instant::now() + span;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last may still be on its way.
                if self.master.is_some()
                    && let Some(reader) = self.reader.take()
                {
                    reader.join().unwrap();
                }
                return Some(status.exit_code());
            }
            thread::yield_now();
        }
        None
    }

    /// True when the terminal's modes are those from before the program.
    pub fn is_cooked(&mut self) -> bool {
        format!("{:?}", self.master.as_ref().unwrap().get_termios()) == self.modes
    }

    /// True when the program is stopped.
    pub fn is_stopped(&mut self) -> bool {
        let pid = self.child.process_id().unwrap();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
