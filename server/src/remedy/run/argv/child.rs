//! A child that runs: watched, listened to, and ended.

use std::future::Future;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::super::Output;
use super::super::lines::Lines;

/// From the polite signal to the one that nobody can refuse.
const GRACE: Duration = Duration::from_secs(2);
/// How long what a child said last is waited for once it ended: a process that it left behind may hold
/// its output open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Bytes read at once.
const AT_ONCE: usize = 16 * 1024;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum End {
    /// By itself, with this code.
    Exit(i32),
    /// By somebody's signal.
    Killed,
    /// By ours: its time was over.
    TimedOut(Duration),
    /// Nobody can say.
    Lost,
}

impl End {
    /// In words.
    pub(in super::super) fn words(self) -> String {
        match self {
            Self::Exit(code) => format!("the program ended with code {code}"),
            Self::Killed => "the program was killed by a signal".to_owned(),
            Self::TimedOut(limit) => format!("the program was killed: it ran longer than {} ms", limit.as_millis()),
            Self::Lost => "how the program ended is not known".to_owned(),
        }
    }
}

/// A child that ended.
pub(in super::super) struct Ran {
    /// How.
    pub(in super::super) end: End,
    /// Its standard output; None: more than is kept.
    pub(in super::super) out: Option<Vec<u8>>,
}

/// A child, its group and its two streams. Dropped: all are killed.
pub(super) struct Running {
    group: Group,
    child: Child,
    ears: Ears,
}

/// The process group of a child: killed when dropped, unless it is let go.
struct Group(Option<Pid>);

struct Ears {
    out: Ear<ChildStdout>,
    err: Ear<ChildStderr>,
}

struct Ear<R> {
    from: Option<R>,
    lines: Lines,
    heard: Vec<u8>,
}

impl Running {
    pub(super) fn start(mut command: Command, out: Lines, err: Lines) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        limit(group.0);
        let ears = Ears { out: Ear::new(child.stdout.take(), out), err: Ear::new(child.stderr.take(), err) };
        Ok(Self { group, child, ears })
    }

    /// Hands on what it says until it ends or its time is over. What it leaves behind in its group stays
    /// only after a good end: that may be the very service it was to start.
    pub(super) async fn watch(mut self, limit: Duration, good: impl Fn(i32) -> bool, output: &mut dyn Output) -> Ran {
        let Self { group, child, ears } = &mut self;
        let end = if let Some(status) = ears.during(limit, child.wait(), output).await {
            let end = ended(status);
            if matches!(end, End::Exit(code) if good(code)) {
                group.let_go();
            }
            end
        } else {
            group.signal(Signal::TERM);
            let _ = ears.during(GRACE, child.wait(), output).await;
            End::TimedOut(limit)
        };
        group.kill();
        if matches!(end, End::TimedOut(_)) {
            let _ = child.wait().await;
        }
        ears.last_words(output).await;
        Ran { end, out: ears.out.lines.whole().map(<[u8]>::to_vec) }
    }
}

fn ended(status: io::Result<ExitStatus>) -> End {
    status.map_or(End::Lost, |status| status.code().map_or(End::Killed, End::Exit))
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may have ended by itself. Its number is not given away while a member lives.
            let _ = kill_process_group(pid, signal);
        }
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.let_go();
    }

    fn let_go(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Ears {
    /// What comes of `end`, listening meanwhile; None: it took too long.
    async fn during<F: Future>(&mut self, limit: Duration, end: F, output: &mut dyn Output) -> Option<F::Output> {
        tokio::select! {
            biased;
            come = end => Some(come),
            () = tokio::time::sleep(limit) => None,
            () = self.listen(output, true) => None,
        }
    }

    async fn last_words(&mut self, output: &mut dyn Output) {
        let _ = tokio::time::timeout(LAST_WORDS, self.listen(output, false)).await;
        self.out.lines.finish(output);
        self.err.lines.finish(output);
    }

    /// Hands on what comes, until both streams are at their end; or `for_ever`.
    async fn listen(&mut self, output: &mut dyn Output, for_ever: bool) {
        let Self { out, err } = self;
        while out.from.is_some() || err.from.is_some() {
            tokio::select! {
                () = out.hear(), if out.from.is_some() => out.hand_on(output),
                () = err.hear(), if err.from.is_some() => err.hand_on(output),
            }
        }
        if for_ever {
            std::future::pending::<()>().await;
        }
    }
}

impl<R: AsyncRead + Unpin> Ear<R> {
    fn new(from: Option<R>, lines: Lines) -> Self {
        Self { from, lines, heard: Vec::with_capacity(AT_ONCE) }
    }

    /// Reads once; nothing is lost when this is dropped.
    async fn hear(&mut self) {
        let Some(from) = &mut self.from else { return };
        if matches!(from.read_buf(&mut self.heard).await, Ok(0) | Err(_)) {
            self.from = None;
        }
    }

    fn hand_on(&mut self, output: &mut dyn Output) {
        self.lines.push(&self.heard, output);
        self.heard.clear();
    }
}

/// What a child may use: no memory image on disk when it falls (it may hold a secret), and as many open
/// files as is usual, since ours may be many. It may raise the latter: a service may need more.
#[cfg(target_os = "linux")]
fn limit(child: Option<Pid>) {
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    const FILES: u64 = 1024;
    let Some(child) = child else { return };
    // One that ended already needs no limits.
    let _ = prlimit(Some(child), Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let ours = getrlimit(Resource::Nofile);
    let files = Rlimit { current: Some(ours.current.map_or(FILES, |most| most.min(FILES))), maximum: ours.maximum };
    let _ = prlimit(Some(child), Resource::Nofile, files);
}

#[cfg(not(target_os = "linux"))]
fn limit(_: Option<Pid>) {}
