//! Whom a subcommand asks, and the conversation with it: a server somewhere, or a demo that is seeded
//! for it and ends behind it.
//!
//! Knows nothing of what is asked.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use stella_widgets::text::sanitise;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::plan::{self, Failure, Surroundings, Way};
use super::words::remark;
use super::{Looks, SourceFlags, scale, speed};
use crate::client::Client;
use crate::client::target::Target;
use crate::embedded::{self, Extent, Running, World};
use crate::event::SourceEvent;

/// How long the server inside may take to end.
const LINGER: Duration = Duration::from_secs(6);

/// Whom to ask; may stand before the subcommand too.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Place {
    /// Ask a server: an address, or a name from the configuration.
    #[arg(long, value_name = "URL|NAME", global = true)]
    server: Option<String>,
    /// Ask a freshly seeded demo, which ends afterwards.
    #[arg(long, global = true)]
    demo: bool,
    /// Another story for the demo.
    #[arg(long, value_name = "N", global = true)]
    seed: Option<u64>,
    /// How fast the demo runs, 0.1 to 60.
    #[arg(long, value_name = "X", value_parser = speed, global = true)]
    demo_speed: Option<f64>,
    /// The demo's documents before any migration of user ids, or four days after one by scripts.
    #[arg(long, value_name = "before|after", hide_possible_values = true, global = true)]
    demo_world: Option<World>,
    /// How many times as many conversations and messages the demo has, 1 to 10000.
    #[arg(long, value_name = "N", value_parser = scale, global = true)]
    demo_scale: Option<u32>,
}

impl Place {
    /// Flags may stand on either side of the subcommand; those behind it win.
    pub(super) fn merged(&self, before: &SourceFlags) -> Result<SourceFlags, Failure> {
        let flags = SourceFlags {
            server: self.server.clone().or_else(|| before.server.clone()),
            demo: self.demo || before.demo,
            seed: self.seed.or(before.seed),
            demo_speed: self.demo_speed.or(before.demo_speed),
            demo_world: self.demo_world.or(before.demo_world),
            demo_scale: self.demo_scale.or(before.demo_scale),
            tail: Vec::new(),
        };
        let wrong = |words: &str| Err(Failure::Usage(format!("read the command line: {words}")));
        if flags.demo && flags.server.is_some() {
            return wrong("--server and --demo exclude one another");
        }
        let shapes = flags.seed.is_some() || flags.demo_speed.is_some();
        if !flags.demo && (shapes || flags.demo_world.is_some() || flags.demo_scale.is_some()) {
            return wrong("--seed, --demo-speed, --demo-world and --demo-scale belong to --demo");
        }
        Ok(flags)
    }
}

/// Finds whom to ask, and begins the log.
///
/// # Errors
/// When nobody is named, and when something would be changed where one only looks.
pub(super) fn way(flags: &SourceFlags, looks: &Looks, around: &Surroundings, changes: bool) -> Result<Way, Failure> {
    let peer = plan::peer(flags, looks, around)?;
    if peer.readonly && changes {
        return Err(Failure::Denied("this is a place to look only: --readonly, or the profile says so".to_owned()));
    }
    super::begin_log(&around.places, peer.warning.as_deref());
    Ok(peer.way)
}

/// Talks with whoever is there; answers with the exit code.
pub(super) fn converse(
    way: Way,
    out: &mut dyn Write,
    talk: impl AsyncFnOnce(Arc<Client>, &mut dyn Write) -> Result<u8, Failure>,
) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(Failure::Terminal)?;
    let mut out = io::BufWriter::new(out);
    let done = runtime.block_on(at(way, &mut out, talk));
    let done = done.and_then(|code| out.flush().map_err(Failure::Output).map(|()| code));
    runtime.shutdown_timeout(Duration::from_millis(200));
    match done {
        // Whoever read it has read enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        done => done,
    }
}

async fn at(
    way: Way,
    out: &mut dyn Write,
    talk: impl AsyncFnOnce(Arc<Client>, &mut dyn Write) -> Result<u8, Failure>,
) -> Result<u8, Failure> {
    match way {
        Way::Server(target) => talk(client(target)?, out).await,
        Way::Inside(inside) => {
            let shutdown = CancellationToken::new();
            let tell = Arc::new(|event| {
                if let SourceEvent::Trouble(words) | SourceEvent::Preparing(words) = event {
                    remark(words.raw());
                }
            });
            let running = embedded::start(inside, Extent::Endless, tell, shutdown.clone()).await;
            let Running { target, source, server } =
                running.map_err(|words| Failure::Unreachable(sanitise(words.raw()).into_string()))?;
            // It ends when the world has been seeded; what became of that the server itself tells.
            let _ = source.await;
            let answered = match client(target) {
                Ok(client) => talk(client, out).await,
                Err(failure) => Err(failure),
            };
            shutdown.cancel();
            // Not ended in time: the process ends anyway.
            let _ = timeout(LINGER, server).await;
            answered
        }
        Way::Ask => Err(Failure::Nothing),
    }
}

fn client(target: Target) -> Result<Arc<Client>, Failure> {
    let client = Client::new(target).map(Arc::new);
    client.map_err(|trouble| Failure::Denied(sanitise(trouble.cause.what.raw()).into_string()))
}
