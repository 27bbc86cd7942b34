//! The programs that are measured: where they are, how they are started, what CPU time they took.
//!
//! Every child is killed when its owner goes. What it writes on stderr is thrown away.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// Ticks a second in `/proc/PID/stat`: fixed by the kernel's interface to programs.
const TICKS_A_SECOND: f64 = 100.0;
/// A program is at rest when it took at most this share of a core for so long.
const REST: (f64, Duration) = (0.05, Duration::from_millis(400));
/// Longest wait for rest.
const REST_PATIENCE: Duration = Duration::from_secs(20);

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    /// `stella-tui`.
    pub console: PathBuf,
    /// `stella-server`.
    pub server: PathBuf,
    /// This program.
    pub bench: PathBuf,
}

impl Programs {
    /// Those beside this program, so that one build is measured.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn beside_this_one() -> anyhow::Result<Self> {
        let bench = std::env::current_exe().context("find this program")?;
        let folder = bench.parent().context("find the folder of this program")?;
        let found = |name: &str| {
            let path = folder.join(name);
            ensure!(path.exists(), "find {name} beside this program: cargo build --release --workspace --bins");
            Ok(path)
        };
        Ok(Self { console: found("stella-tui")?, server: found("stella-server")?, bench: bench.clone() })
    }
}

/// CPU time that a process took so far, in seconds: user and system, of all its threads.
///
/// # Errors
/// When there is no such process.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read the CPU time of a child")?;
    ticks(&stat).map(|ticks| ticks / TICKS_A_SECOND).context("understand the CPU time of a child")
}

/// User and system ticks; the name of a process may hold blanks and parentheses.
fn ticks(stat: &str) -> Option<f64> {
    const USER: usize = 11;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let tick = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some(tick(USER)? + tick(USER + 1)?)
}

/// Memory of a process that is in RAM, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    memory_mib(&pid.to_string(), "VmRSS:")
}

fn memory_mib(process: &str, which: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("read the memory of a process")?;
    let line = status.lines().find_map(|line| line.strip_prefix(which)).context("find the memory of a process")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().context("understand the memory of a process")?;
    Ok(kib / 1024.0)
}

/// The most memory that a process had in RAM since [`forget_peak`], in MiB.
///
/// # Errors
/// When there is no such process.
pub fn peak_mib(pid: u32) -> anyhow::Result<f64> {
    memory_mib(&pid.to_string(), "VmHWM:")
}

/// From here on the peak of a child is counted anew.
///
/// # Errors
/// When there is no such process, or the kernel does not let it.
pub fn forget_peak(pid: u32) -> anyhow::Result<()> {
    forget(&pid.to_string())
}

fn forget(process: &str) -> anyhow::Result<()> {
    const PEAK: &str = "5";
    std::fs::write(format!("/proc/{process}/clear_refs"), PEAK).context("count the peak of the memory anew")
}

/// Waits until a process has finished what it was asked, and says what CPU time it took so far.
///
/// # Errors
/// When it is gone, or never rests.
pub fn at_rest(pid: u32) -> anyhow::Result<f64> {
    let (share, span) = REST;
    let until = Instant::now() + REST_PATIENCE;
    let mut before = cpu_seconds(pid)?;
    while Instant::now() < until {
        std::thread::sleep(span);
        let now = cpu_seconds(pid)?;
        if now - before <= share * span.as_secs_f64() {
            return Ok(now);
        }
        before = now;
    }
    anyhow::bail!("wait for a child to come to rest")
}

/// A child that says on its first line of stdout where it listens.
#[derive(Debug)]
pub struct Listening {
    child: Child,
    /// Where.
    pub addr: SocketAddr,
}

impl Listening {
    /// Starts a program.
    ///
    /// # Errors
    /// When it does not start, or does not say where it listens.
    pub fn start(program: &Path, arguments: &[&std::ffi::OsStr]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("read a child's output")?;
        let said = BufReader::new(stdout).read_line(&mut line).context("read a child's output");
        let addr = line.rsplit("http://").next().and_then(|addr| addr.trim().parse().ok());
        // Owned from here on: it is killed whatever comes.
        let mut this = Self { child, addr: SocketAddr::from(([127, 0, 0, 1], 0)) };
        said?;
        this.addr = addr.with_context(|| format!("understand where a child listens: {:?}", line.trim()))?;
        Ok(this)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server takes out of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redaction {
    /// Secrets.
    Local,
    /// Secrets, and whatever names a person: what a server does when nobody says.
    Strict,
}

/// A `stella-server serve` on a folder of its own, with a token for each role that is needed.
#[derive(Debug)]
pub struct Server {
    running: Listening,
    /// May send lines.
    pub ingest: String,
    /// May decide alerts.
    pub responder: String,
    /// May decide everything.
    pub admin: String,
    /// May read.
    pub viewers: [String; 2],
    _data: TempDir,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// When it does not start or gives no tokens.
    pub fn start(programs: &Programs, redaction: Redaction) -> anyhow::Result<Self> {
        let mode = match redaction {
            Redaction::Local => "local",
            Redaction::Strict => "strict",
        };
        Self::configured(programs, &format!("[redact]\nmode = \"{mode}\"\n"))
    }

    /// Starts one with this configuration.
    ///
    /// # Errors
    /// When it does not start or gives no tokens.
    pub fn configured(programs: &Programs, text: &str) -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("make a folder")?;
        let folder = data.path().join("data");
        let config = data.path().join("stella-server.toml");
        std::fs::write(&config, text).context("write a configuration")?;
        let words = ["serve", "--listen", "127.0.0.1:0", "--data"].map(std::ffi::OsStr::new);
        let arguments: Vec<_> =
            words.into_iter().chain([folder.as_os_str(), "--config".as_ref(), config.as_os_str()]).collect();
        let running = Listening::start(&programs.server, &arguments)?;
        let token = |role, name| token(&programs.server, &folder, role, name);
        let viewers = [token("viewer", "reader-1")?, token("viewer", "reader-2")?];
        let (ingest, responder) = (token("ingest", "app")?, token("responder", "op")?);
        let admin = token("admin", "ana")?;
        Ok(Self { running, ingest, responder, admin, viewers, _data: data })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.addr)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }
}

fn token(program: &Path, data: &Path, role: &str, name: &str) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(["token", "create", "--role", role, "--name", name, "--data"]).arg(data).env_clear();
    let made = command.output().context("make a token")?;
    ensure!(made.status.success(), "make a token: {}", String::from_utf8_lossy(&made.stderr).trim());
    Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_whatever_the_program_is_called() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 90 0 0 0 700 34 1 2 20 0 4 0 99 1 2";
        assert!((ticks(stat).unwrap() - 734.0).abs() < f64::EPSILON);
        assert_eq!(ticks("42 (cut"), None);
    }

    #[test]
    fn this_process_has_cpu_time_and_memory() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
        assert!(resident_mib(pid).unwrap() > 0.1);
    }
}
