//! The operations interface of the simulated application: an HTTP service of its own, on this machine
//! only, behind a bearer token of its own. What it is told changes the application, not the log.
//!
//! ```text
//! GET  /pools/{name}        POST /pools/{name}/restart
//! GET  /cache/{user}        POST /cache/{user}/clear
//! GET  /sources/{source}    POST /sources/{source}/reindex
//! GET  /blocks/{ip}         PUT  /blocks/{ip}?seconds=N      DELETE /blocks/{ip}
//! GET  /deploys/{service}   POST /deploys/{service}/rollback POST /deploys/{service}/forward
//! GET  /services/{name}     POST /services/{name}/restart    POST /services/{name}/scale?to=N
//! GET  /effects            GET  /reads-both-ids
//! GET  /users/{id}/conversations                      GET  /users/{id}/agents
//! ```
//!
//! Whatever changes something names an `Idempotency-Key` (the same key: the first answer, no second
//! effect) and may name a `Stella-Fence` (lower than one seen for the same thing: 409, no effect). It
//! knows nothing of fixes, alerts or of who asks.

mod desk;
mod ledger;
mod wire;

use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{fmt, fs};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::readers::Readers;
use super::{DemoError, World};
use crate::auth::Secret;

pub use ledger::{Effect, Ledger};
pub use wire::Asked;

/// Requests that wait for the application: they are answered between two of its steps.
const WAITING: usize = 64;

/// Remembers in the demo's folder where the operations interface listens: plans of fixes name it, so it
/// stays the same over a restart.
const FILE: &str = "demo-control.json";

/// Written beside it first, so that a half-written file is never read.
const FRESH_FILE: &str = "demo-control.json.new";

/// For its owner only: the token stands in it.
const OWNER_ONLY: u32 = 0o600;

/// Where the operations interface listens, and what opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The bearer token.
    pub token: String,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Control {
    /// What a file says, as [`Operations::file`] names one. None: it says nothing of that kind.
    pub(super) fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    fn keep(&self, folder: &Path) -> std::io::Result<()> {
        let fresh = folder.join(FRESH_FILE);
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&fresh)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(fresh, folder.join(FILE))
    }

    fn port(&self) -> Option<u16> {
        self.url.rsplit(':').next()?.parse().ok()
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    /// An answer with its status.
    Answer(u16, serde_json::Value),
    /// The connection ends without one.
    HangUp,
}

/// A request on its way to the application.
#[derive(Debug)]
struct Ask {
    asked: Asked,
    reply: oneshot::Sender<Said>,
}

/// The operations interface, open but not yet served: requests wait until the application lives.
#[derive(Debug)]
pub struct Operations {
    control: Control,
    file: Option<PathBuf>,
    listener: Option<TcpListener>,
    door: mpsc::Sender<Ask>,
    /// Shows people what is theirs, once there is a store to read.
    readers: Arc<OnceLock<Readers>>,
    asks: mpsc::Receiver<Ask>,
}

impl Operations {
    /// Opens it on a free port of this machine; where `folder` remembers one, on that with the same
    /// token, if nobody has taken it.
    ///
    /// # Errors
    /// When there is no port or no randomness to be had, or the folder cannot be written.
    pub async fn open(folder: Option<&Path>) -> Result<Self, DemoError> {
        let kept = folder.and_then(|folder| Control::read(&folder.join(FILE)));
        let port = kept.as_ref().and_then(Control::port).unwrap_or(0);
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(_) if port > 0 => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
            bound => bound,
        };
        let listener = listener.map_err(DemoError::Listen)?;
        let url = format!("http://{}", listener.local_addr().map_err(DemoError::Listen)?);
        let token = match kept {
            Some(kept) => kept.token,
            None => Secret::generate().map_err(|_| DemoError::Token)?.expose().to_owned(),
        };
        let control = Control { url, token };
        if let Some(folder) = folder {
            control.keep(folder).map_err(|source| DemoError::Remember { file: FILE, source })?;
        }
        let (door, asks) = mpsc::channel(WAITING);
        Ok(Self {
            control,
            file: folder.map(|folder| folder.join(FILE)),
            listener: Some(listener),
            door,
            readers: Arc::default(),
            asks,
        })
    }

    /// From now on people are shown what is theirs; a second one changes nothing.
    pub fn show(&self, readers: Readers) {
        let _ = self.readers.set(readers);
    }

    /// The file that says the same, for its owner only; None: there is no folder.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Where it listens, and what opens it.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Takes connections from now on, until `shutdown`.
    pub(super) fn serve(&mut self, shutdown: &CancellationToken) {
        if let Some(listener) = self.listener.take() {
            let (token, rooms) = (self.control.token.clone(), (self.door.clone(), Arc::clone(&self.readers)));
            tokio::spawn(wire::serve(listener, token, rooms, shutdown.clone()));
        }
    }

    /// The next request. Keeps none back when it is not waited for to its end.
    pub(super) async fn next(&mut self) -> Option<Waiting> {
        self.asks.recv().await.map(Waiting)
    }
}

/// A request that the application has before it.
#[derive(Debug)]
pub(super) struct Waiting(Ask);

/// What is to be said once it is remembered.
#[derive(Debug)]
pub(super) struct Settled {
    said: Said,
    reply: oneshot::Sender<Said>,
}

impl Waiting {
    /// Does what is asked for, if anything, in the world as it is at `at`.
    pub fn settle(self, world: &mut World, ledger: &mut Ledger, at: stella_protocol::Timestamp) -> Settled {
        let said = desk::settle(&self.0.asked, world, ledger, at);
        Settled { said, reply: self.0.reply }
    }

    /// True when it may change something.
    pub fn is_command(&self) -> bool {
        matches!(self.0.asked, Asked::Do(_))
    }
}

impl Settled {
    /// Tells whoever asked, if they still listen.
    pub fn tell(self) {
        let _ = self.reply.send(self.said);
    }
}

#[cfg(test)]
mod tests;
