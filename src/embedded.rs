//! The server inside this process: the ordinary one on loopback, asked by the ordinary client, and
//! what brings lines to it: the demo, the pipe, the followed files.
//!
//! Architecture Invariant: this is the only file of the console that names `stella_server`. Lines go
//! in over HTTP like anybody's; nothing here knows what is detected.

#[cfg(feature = "embedded")]
mod intake;
#[cfg(feature = "embedded")]
mod tail;
#[cfg(feature = "embedded")]
mod waiting;

use std::path::PathBuf;

use stella_protocol::Text;

use crate::client::target::Target;
use crate::event::SourceEvent;

/// When the demo's documents are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum World {
    /// Before any migration of user ids.
    Before,
    /// Four days after one by scripts.
    After,
}

/// What brings lines in.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A simulated application.
    Demo {
        /// Which story; None: the usual one.
        seed: Option<u64>,
        /// How fast; None: as fast as the clock.
        speed: Option<f64>,
        /// When its documents are looked at; None: as usual.
        world: Option<World>,
        /// How many times as much there is in them; None: once.
        scale: Option<u32>,
    },
    /// Standard input.
    Pipe,
    /// Files.
    Tail(Vec<PathBuf>),
    /// Nothing new: what was kept is looked at.
    Kept,
}

/// What to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What brings lines in.
    pub source: Source,
    /// Where to keep state; None: it ends with the process.
    pub data: Option<PathBuf>,
    /// Who runs it.
    pub login: String,
}

/// The command line of the demo's simulated application, when the arguments begin with its name: its
/// services are restarted by a command of this program, as yours are by one of your machine's.
#[cfg(feature = "embedded")]
pub fn operate(mut arguments: impl Iterator<Item = String>) -> Option<std::process::ExitCode> {
    let first = arguments.next()?;
    (first == stella_server::demo::OPERATE).then(|| stella_server::demo::operate(&arguments.collect::<Vec<_>>()))
}

impl Source {
    /// The word on every screen.
    pub fn badge(&self) -> &'static str {
        match self {
            Self::Demo { .. } => "DEMO",
            Self::Pipe => "PIPE",
            Self::Tail(_) => "TAIL",
            Self::Kept => "LOCAL",
        }
    }

    /// What a newcomer does now.
    #[cfg(not(feature = "embedded"))]
    pub fn coach(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is watched, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Demo { .. } => "demo".to_owned(),
            Self::Pipe => "pipe".to_owned(),
            Self::Kept => "kept state".to_owned(),
            Self::Tail(files) => {
                let names = files.iter().map(|file| file.file_name().unwrap_or(file.as_os_str()).to_string_lossy());
                names.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// Whether a source that could go on for ever is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It goes on with the clock.
    Endless,
    /// Three minutes of the demo at once; files as they are now.
    Finite,
}

/// What was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Lines.
    pub accepted: u64,
    /// Lines that could not be read.
    pub rejected: u64,
}

/// A server that listens, with its source beginning.
#[derive(Debug)]
pub struct Running {
    /// How to ask it.
    pub target: Target,
    /// Ends when the source does, with what was taken in.
    pub source: tokio::task::JoinHandle<Taken>,
    /// Ends when the server has ended.
    pub server: tokio::task::JoinHandle<()>,
}

/// Tells whoever started the server what its source does.
pub type Tell = std::sync::Arc<dyn Fn(SourceEvent) + Send + Sync>;

#[cfg(feature = "embedded")]
pub use with_server::start;

#[cfg(not(feature = "embedded"))]
/// There is no server in this build.
///
/// # Errors
/// Always, in words.
#[expect(clippy::unused_async, reason = "the same signature as with a server")]
pub async fn start(_: Plan, _: Extent, _: Tell, _: tokio_util::sync::CancellationToken) -> Result<Running, Text> {
    Err(Text::from("this build has no server inside; connect to one with --server"))
}

#[cfg(feature = "embedded")]
mod with_server {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use stella_server::config::Config;
    use stella_server::demo;
    use stella_server::ingest::LineJoiner;
    use tokio::sync::oneshot;
    use tokio::task::JoinSet;
    use tokio_util::sync::CancellationToken;

    use super::intake::{Fate, Input, Joiner, carry, end, read_apart};
    use super::tail::Follower;
    use super::waiting::Waiting;
    use super::{Extent, Plan, Running, Source, SourceEvent, Taken, Target, Tell, Text};
    use crate::client::Client;

    /// What a demo without a screen tells beyond its history.
    const THREE_MINUTES: Duration = Duration::from_mins(3);

    /// How often the demo is asked whether its history has been taken in.
    const LOOK: Duration = Duration::from_millis(50);

    impl Source {
        /// What a newcomer does now.
        pub fn coach(&self) -> Vec<String> {
            match self {
                Self::Demo { .. } => demo::COACH.map(str::to_owned).to_vec(),
                Self::Pipe | Self::Tail(_) | Self::Kept => Vec::new(),
            }
        }
    }

    impl Joiner for LineJoiner {
        fn push(&mut self, bytes: &[u8]) -> Vec<String> {
            Self::push(self, bytes)
        }

        fn flush(&mut self) -> Option<String> {
            Self::flush(self)
        }

        fn finish(&mut self) -> Vec<String> {
            Self::finish(self)
        }
    }

    /// Starts the server and its source.
    ///
    /// # Errors
    /// In words, when it cannot listen or keep its state.
    pub async fn start(plan: Plan, extent: Extent, tell: Tell, shutdown: CancellationToken) -> Result<Running, Text> {
        let server = stella_server::bind(config(&plan, extent)).await.map_err(|error| {
            tracing::error!(%error, "the server inside does not start");
            Text::from(format!("the server inside did not start: failed to {error}"))
        })?;
        let base = format!("http://{}", server.addr());
        let target = |token: Option<&stella_server::Secret>| {
            let token = token.map(|token| token.expose().to_owned());
            Target::new(&base, token).map_err(|error| Text::from(error.to_string()))
        };
        let (console, sender) = (target(server.console_token())?, target(server.ingest_token())?);
        let sender = Client::new(sender).map_err(|trouble| trouble.cause.what)?;
        let serving = tokio::spawn(serve(server, tell.clone(), shutdown.clone()));
        let source = tokio::spawn(bring(plan.source, extent, Arc::new(sender), tell, shutdown));
        Ok(Running { target: console, source, server: serving })
    }

    fn config(plan: &Plan, extent: Extent) -> Config {
        let mut config = Config::embedded(plan.login.clone());
        config.data.clone_from(&plan.data);
        if let Source::Demo { seed, speed, world, scale } = plan.source {
            let usual = demo::Options::default();
            config.demo = Some(demo::Options {
                seed: seed.unwrap_or(usual.seed),
                speed: speed.unwrap_or(usual.speed),
                scene: world.map_or(usual.scene, |world| match world {
                    super::World::Before => demo::Scene::Before,
                    super::World::After => demo::Scene::After,
                }),
                scale: scale.unwrap_or(usual.scale),
                then: match extent {
                    Extent::Endless => usual.then,
                    Extent::Finite => demo::Then::Stop { after: THREE_MINUTES },
                },
                ..usual
            });
        }
        config
    }

    async fn serve(server: stella_server::Server, tell: Tell, shutdown: CancellationToken) {
        let running = tokio::spawn(server.run(shutdown));
        let failed = match running.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("failed to {error}"),
            Err(_) => "it panicked".to_owned(),
        };
        tracing::error!(failed, "the server inside ended");
        tell(SourceEvent::Trouble(Text::from(format!("the server inside ended: {failed}"))));
    }

    /// Brings lines in until the source ends; without end where it has none.
    async fn bring(
        source: Source,
        extent: Extent,
        client: Arc<Client>,
        tell: Tell,
        shutdown: CancellationToken,
    ) -> Taken {
        match source {
            Source::Kept => {
                tell(SourceEvent::Ready);
                Taken::default()
            }
            Source::Demo { .. } => {
                tell(SourceEvent::Preparing(Text::from("an hour of the demo's past is being taken in")));
                while !client.is_ready().await && !shutdown.is_cancelled() {
                    tokio::time::sleep(LOOK).await;
                }
                tell(SourceEvent::Ready);
                Taken::default()
            }
            Source::Pipe => {
                tell(SourceEvent::Ready);
                let input = read_apart(std::io::stdin());
                let (taken, fate) = bring_in("pipe", input, client.clone(), &tell, &shutdown).await;
                if !shutdown.is_cancelled() {
                    end(&client, "pipe", &tell).await;
                }
                if fate == Fate::Ended {
                    tell(SourceEvent::Ended(Text::from("the pipe")));
                }
                taken
            }
            Source::Tail(files) => tail(files, extent, &client, &tell, &shutdown).await,
        }
    }

    async fn tail(
        files: Vec<PathBuf>,
        extent: Extent,
        client: &Arc<Client>,
        tell: &Tell,
        shutdown: &CancellationToken,
    ) -> Taken {
        let waiting = Arc::new(Waiting::begin(&files, tell.clone()));
        let mut carriers = JoinSet::new();
        for file in files {
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            let (client, tell, shutdown, waiting) = (client.clone(), tell.clone(), shutdown.clone(), waiting.clone());
            let (told, found) = oneshot::channel();
            carriers.spawn(async move {
                let input = read_apart(Follower::new(file.clone(), extent == Extent::Endless, told));
                let found = async {
                    if found.await.is_ok() {
                        waiting.found(&file);
                    }
                };
                tokio::join!(bring_in(&name, input, client, &tell, &shutdown), found).0
            });
        }
        let (mut all, mut is_whole) = (Taken::default(), true);
        while let Some(carried) = carriers.join_next().await {
            let (taken, fate) = carried.unwrap_or((Taken::default(), Fate::Broken));
            all.accepted += taken.accepted;
            all.rejected += taken.rejected;
            is_whole &= fate == Fate::Ended;
        }
        if !shutdown.is_cancelled() {
            end(client, "tail", tell).await;
        }
        if is_whole {
            tell(SourceEvent::Ended(Text::from("every file")));
        }
        all
    }

    async fn bring_in(
        name: &str,
        input: std::io::Result<Input>,
        client: Arc<Client>,
        tell: &Tell,
        shutdown: &CancellationToken,
    ) -> (Taken, Fate) {
        match input {
            Ok(input) => carry(client, name, input, LineJoiner::default(), tell, shutdown).await,
            Err(error) => {
                tell(SourceEvent::Trouble(Text::from(format!(
                    "no thread can be had to read {name}: {}",
                    error.kind()
                ))));
                (Taken::default(), Fate::Broken)
            }
        }
    }
}
