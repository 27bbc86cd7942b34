//! The emulator: the one that the environment names, else one of the test's own where its program is installed.
//!
//! Each store on it is a project of its own, so that tests share nothing but the program.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rand::Rng;
use rustix::process::{Pid, Signal, kill_process_group};

use super::super::{EMULATOR, Firestore, Pace, Surroundings};
use super::settings;
use crate::clock::Clock;

/// Its program.
const PROGRAM: &str = "cloud_firestore_emulator";
/// Where the program is, below the folder of the tools that bring it.
const BESIDE_TOOLS: &str = "platform/cloud-firestore-emulator";
/// The command of these tools.
const TOOLS: &str = "gcloud";
/// What it says once it answers.
const RUNNING: &str = "is now running";

/// An emulator that answers.
pub(crate) struct Emulator {
    host: String,
    /// The one that the test started, which ends with the test.
    own: Option<Child>,
}

impl Emulator {
    /// The one there is; None: there is none, and why is said.
    pub(crate) fn find(test: &str) -> Option<Self> {
        if let Some(host) = Surroundings::read().emulator {
            return Some(Self { host, own: None });
        }
        let found = program().ok_or_else(|| format!("{EMULATOR} is not set, and {PROGRAM} is not installed"));
        found.and_then(|program| Self::start(&program)).map_err(|why| skip(&format!("SKIP {test}: {why}"))).ok()
    }

    /// A store on it, in a project that nobody else has.
    pub(crate) fn store(&self) -> Firestore {
        let project = format!("demo-stella-{:08x}", rand::rng().random::<u32>());
        let around = Surroundings { emulator: Some(self.host.clone()), key_file: None };
        Firestore::within(&settings(&project), around, Pace::default(), &Clock::system()).unwrap()
    }

    fn start(program: &Path) -> Result<Self, String> {
        let host = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap();
        let mut command = Command::new(program);
        command.args(["start", "--host=127.0.0.1", &format!("--port={}", host.port())]).process_group(0);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = quiet.spawn().map_err(|error| format!("{PROGRAM} cannot be started: {error}"))?;
        let said = BufReader::new(child.stdout.take().unwrap());
        let emulator = Self { host: host.to_string(), own: Some(child) };
        listen(said)?;
        Ok(emulator)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let Some(mut child) = self.own.take() else { return };
        // The program is a script: what it started is in its group.
        if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
            let _gone = kill_process_group(group, Signal::KILL);
        }
        let _gone = child.wait();
    }
}

/// Waits until it answers, then lets it say what it likes.
fn listen(mut said: BufReader<ChildStdout>) -> Result<(), String> {
    let mut line = String::new();
    while !line.contains(RUNNING) {
        line.clear();
        if said.read_line(&mut line).unwrap_or_default() == 0 {
            return Err(format!("{PROGRAM} ended before it answered; it needs a Java runtime"));
        }
    }
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    Ok(())
}

/// The program, on the path or beside the tools that bring it.
fn program() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let on_path = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    let beside = || {
        let tools = on_path(TOOLS)?.canonicalize().ok()?;
        Some(tools.parent()?.parent()?.join(BESIDE_TOOLS).join(PROGRAM)).filter(|path| path.is_file())
    };
    on_path(PROGRAM).or_else(beside)
}

#[expect(clippy::print_stderr, reason = "whoever reads the output of a test sees what was not tested")]
fn skip(why: &str) {
    eprintln!("{why}");
}
