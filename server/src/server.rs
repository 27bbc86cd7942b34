//! From a configuration to a server that listens, and from there to its end.
//!
//! Starting: folder, store, lines, hub, pipeline, port, tokens, in this order, each needing the one
//! before. Ending: the other way round, so that whatever was accepted is kept and told.

mod errors;
mod ground;
mod migration;
mod queries;
mod remedy;
mod simulation;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use stella_protocol::Role;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Office};
use crate::auth::{Secret, Tokens};
use crate::config::Config;
use crate::documents::Documents;
use crate::folder::{ADMIN_SOCKET, Folder};
use crate::hub::Hub;
use crate::migrate;
use crate::migrate::run::conductor::Conductor;
use crate::migrate::run::desk::MigrationDesk;
use crate::migrate::run::drift::Drift;
use crate::migrate::run::site::Site;
use crate::readiness::Pending;
use crate::remedy::run::desk::RemedyDesk;
use crate::remedy::run::executor::{Executor, Parts};
use crate::remedy::settings::{People, Settings};
use crate::routes::{self, App, Rooms};
use crate::rules::watch::Watched;
use crate::{demo, listener, notify};
pub use errors::{RunError, StartError};
use ground::Ground;
use simulation::simulate;

/// How long streams and requests under way may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// A server that listens. Connections wait until [`Server::run`].
pub struct Server {
    addr: SocketAddr,
    console_token: Option<Secret>,
    ingest_token: Option<Secret>,
    listener: TcpListener,
    admin: UnixListener,
    office: Office,
    app: App,
    threads: Threads,
    demo: Option<Play>,
    workshop: Option<Workshop>,
    ending: CancellationToken,
    watched: Option<Watched>,
    folder: Folder,
}

/// A demo that is about to begin.
struct Play {
    options: demo::Options,
    operations: demo::Operations,
    seeding: Pending,
}

/// Migrations that are about to be worked on.
struct Migrations {
    site: Arc<Site>,
    office: Arc<migrate::run::office::Office>,
}

/// Fixes that are about to be worked on.
struct Workshop {
    parts: Arc<Parts>,
    webhook: Option<notify::Webhook>,
    /// None: there are no documents, and nothing is migrated.
    migration: Option<Migrations>,
}

/// Starts a server up to the point where it listens.
///
/// # Errors
/// With what could not be opened.
pub async fn bind(config: Config) -> Result<Server, StartError> {
    let folder = Folder::open(config.data.as_deref()).map_err(StartError::Folder)?;
    if config.demo.is_some() && folder.holds_state() && !folder.holds_demo() {
        return Err(StartError::OtherData);
    }
    if config.demo.is_some() {
        folder.mark_demo().map_err(StartError::Folder)?;
    }
    let ground = Ground::open(folder, &config)?;
    let listening = |source| StartError::Listen { address: config.listen, source };
    let listener = listener::open(config.listen).map_err(listening)?;
    let addr = listener.local_addr().map_err(listening)?;
    let admin = admin::open(&ground.folder.admin_socket()).map_err(StartError::Socket)?;
    let tokens = Arc::new(Tokens::default());
    for (fingerprint, grant) in admin::known_tokens(ground.store.as_ref())? {
        tokens.put(fingerprint, grant);
    }
    let (console_token, ingest_token) = match &config.embedded {
        Some(embedded) => {
            let (console, ingest) = tokens::embedded(&tokens, embedded)?;
            if config.data.is_some() {
                tokens::tell_console(&ground.folder, addr, &console)?;
            }
            (Some(console), Some(ingest))
        }
        None => (None, None),
    };
    let play = match &config.demo {
        Some(options) => {
            let operations =
                demo::Operations::open(Some(ground.folder.path())).await.map_err(StartError::Operations)?;
            let seeding = ground.readiness.pending("seeding the demo");
            Some(Play { options: options.clone(), operations, seeding })
        }
        None => None,
    };
    let book = Arc::clone(&tokens);
    ground.hub.set_approvers(move |name, now| book.holds_role(name.raw(), Role::Approver, now));
    let workshop = ground.workshop(&config, play.as_ref(), &tokens)?;
    if let (Some(play), Some(workshop)) = (&play, &workshop) {
        remedy::fill(&workshop.parts, &play.options).await;
    }
    Ok(ground.into_server(config, Door { addr, listener, admin, tokens, console_token, ingest_token }, play, workshop))
}

/// The threads that outlive every request.
struct Threads {
    engine: JoinHandle<()>,
    hub: JoinHandle<()>,
}

/// The ways in.
struct Door {
    addr: SocketAddr,
    listener: TcpListener,
    admin: UnixListener,
    tokens: Arc<Tokens>,
    console_token: Option<Secret>,
    ingest_token: Option<Secret>,
}

impl Ground {
    /// What fixes need, when the configuration says anything of them.
    fn workshop(&self, config: &Config, play: Option<&Play>, tokens: &Tokens) -> Result<Option<Workshop>, StartError> {
        let settings = match (config.remedy.clone(), play) {
            (settings, Some(play)) => {
                remedy::of_demo(settings.unwrap_or_default(), &play.operations, self.folder.path(), &play.options)
            }
            (Some(settings), None) => settings,
            (None, None) => return Ok(None),
        };
        let alone = tokens.people(config.clock.now()).len() < 2;
        if settings.people == Some(People::One) {
            if !alone {
                return Err(StartError::NotAlone);
            }
            tokens.keep_to_one_person();
        }
        let single_person = alone && settings.single_person(config.embedded.is_some(), play.is_some());
        let (hub, series, clock) = (&self.hub, &self.series, &config.clock);
        let ground = remedy::Ground { hub, series, clock, single_person };
        let parts = remedy::furnish(&settings, &ground)?;
        let webhook = settings.notify.as_ref().map(remedy::webhook).transpose()?;
        if let Some(play) = play {
            let readers = demo::Readers::open(self.folder.path(), &play.options, clock);
            play.operations.show(readers.map_err(|error| StartError::Documents(error.into()))?);
        }
        // A demo's migration meets a store as slow as a remote one; its fixes are over in a moment all the same.
        let paced = |documents| match play {
            Some(play) => Arc::new(demo::Paced::new(documents, &play.options)) as Arc<dyn Documents>,
            None => documents,
        };
        let documents = parts.proposer.documents.clone().map(paced);
        let migration = documents.map(|documents| self.migrations(config, &settings, documents)).transpose()?;
        Ok(Some(Workshop { parts, webhook, migration }))
    }

    fn migrations(
        &self,
        config: &Config,
        settings: &Settings,
        documents: Arc<dyn Documents>,
    ) -> Result<Migrations, StartError> {
        let ground = migration::Ground {
            hub: &self.hub,
            clock: &config.clock,
            data: self.folder.path(),
            documents,
            watch: settings.watch(),
            caller: remedy::caller(settings)?,
            urls: settings.bases.iter().map(|base| (base.name.clone(), base.url.clone())).collect(),
        };
        let (site, office) = migration::furnish(&settings.migration, ground)?;
        Ok(Migrations { site, office: Arc::new(office) })
    }

    fn into_server(self, config: Config, door: Door, play: Option<Play>, workshop: Option<Workshop>) -> Server {
        let ending = CancellationToken::new();
        let office = Office { store: self.store, tokens: door.tokens.clone(), clock: config.clock.clone() };
        let app = App(Arc::new(Rooms {
            hub: self.hub,
            pipeline: self.pipeline,
            lines: self.lines,
            series: self.series,
            redactor: self.redactor,
            tokens: door.tokens,
            started_at: config.clock.now(),
            clock: config.clock,
            readiness: self.readiness,
            ending: ending.clone(),
            streams: routes::Seats::default(),
            standing: routes::LastStanding::default(),
            remedy: workshop.as_ref().map(|workshop| Arc::clone(&workshop.parts) as Arc<dyn RemedyDesk>),
            migrations: workshop
                .as_ref()
                .and_then(|workshop| workshop.migration.as_ref())
                .map(|migration| Arc::clone(&migration.office) as Arc<dyn MigrationDesk>),
            data: self.folder.path().to_owned(),
            previews: Arc::new(Semaphore::new(1)),
            deciding: tokio::sync::Mutex::default(),
        }));
        Server {
            addr: door.addr,
            console_token: door.console_token,
            ingest_token: door.ingest_token,
            listener: door.listener,
            admin: door.admin,
            office,
            app,
            threads: self.threads,
            demo: play,
            workshop,
            ending,
            watched: config.watched.map(Watched::new),
            folder: self.folder,
        }
    }
}

impl Server {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The token of the console around it; None when it is not embedded.
    pub fn console_token(&self) -> Option<&Secret> {
        self.console_token.as_ref()
    }

    /// The token with which that console sends what it reads from pipes and files.
    pub fn ingest_token(&self) -> Option<&Secret> {
        self.ingest_token.as_ref()
    }

    /// The same with a desk of migrations, whatever its configuration says.
    #[cfg(test)]
    pub(crate) fn with_migrations(mut self, desk: Arc<dyn MigrationDesk>) -> Self {
        if let Some(rooms) = Arc::get_mut(&mut self.app.0) {
            rooms.migrations = Some(desk);
        }
        self
    }

    /// Serves until `shutdown`: then streams get their bye, requests under way have 5 s to end, and
    /// pipeline, hub and store end in this order.
    ///
    /// # Errors
    /// When a thread of the server panicked.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RunError> {
        let Self { addr, listener, admin, office, app, threads, demo, workshop, ending, watched, folder, .. } = self;
        let (cut, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(admin::serve(admin, office, ending.clone()));
        if let Some(play) = demo {
            let options = demo::Options { keep: Some(folder.path().to_owned()), ..play.options };
            tasks.spawn(simulate(addr, app.clone(), Play { options, ..play }));
        }
        if let Some(watched) = watched {
            tasks.spawn(watched.run(app.hub.clone(), ending.clone()));
        }
        let fixes = workshop.map(|Workshop { parts, webhook, migration }| {
            if let Some(migration) = migration {
                tasks.spawn(Drift::new(Arc::clone(&migration.site)).run(ending.clone()));
                tasks.spawn(Conductor::new(migration.site).run(ending.clone()));
            }
            if let Some(webhook) = webhook {
                tasks.spawn(notify::run(webhook, app.hub.clone(), app.clock.clone(), ending.clone()));
            }
            tasks.spawn(Executor::new(parts).run(ending.clone()))
        });
        let router = routes::router(&app);
        let serving = listener::serve(listener, router, ending.clone(), cut.clone());
        tokio::pin!(serving);
        let mut broken = false;
        tokio::select! {
            () = shutdown.cancelled() => ending.cancel(),
            () = &mut serving => {}
            () = breaking(fixes) => {
                broken = true;
                ending.cancel();
            }
        }
        if tokio::time::timeout(DRAIN, &mut serving).await.is_err() {
            cut.cancel();
            serving.await;
        }
        tasks.close();
        tasks.wait().await;
        let hub = app.hub.clone();
        drop(app);
        let ended = tokio::task::spawn_blocking(move || end(threads, &hub, folder)).await;
        let ended = ended.unwrap_or(Err(RunError::Thread("ending")));
        if broken { Err(RunError::Thread("executor of fixes")) } else { ended }
    }
}

/// Returns when the executor of fixes panicked, and not before: the server ends then, and what it left
/// is taken up after its next start.
async fn breaking(fixes: Option<tokio::task::JoinHandle<()>>) {
    let broke = match fixes {
        Some(fixes) => fixes.await.is_err_and(|error| error.is_panic()),
        None => false,
    };
    if !broke {
        std::future::pending::<()>().await;
    }
}

/// Waits for the engine, whose last way in is gone by now, then for the hub, then lets go of the folder.
fn end(threads: Threads, hub: &Hub, folder: Folder) -> Result<(), RunError> {
    let engine = threads.engine.join().map_err(|_| RunError::Thread("engine"));
    hub.stop();
    let hub = threads.hub.join().map_err(|_| RunError::Thread("hub"));
    folder.remove(tokens::CONSOLE_FILE);
    folder.remove(ADMIN_SOCKET);
    drop(folder);
    engine.and(hub)
}
