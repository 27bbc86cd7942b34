//! Cloud Firestore as the application's documents, over its REST interface, version 1.
//!
//! A batch is one `commit`, so that it is done whole or not at all, and what became of an answer that was lost is one
//! question and not five hundred. (`batchWrite` would answer for each write by itself, but leave a repair half done.)
//! Every write carries its precondition: the time of change that was read, or that nothing is there. What a refused
//! commit met is read afterwards.
//!
//! Deliberately without queries but by name: no index has to be made for this server.

mod access;
mod commit;
mod look;
mod name;
mod ramp;
mod rest;
#[cfg(test)]
pub(crate) mod tests;
mod value;

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{
    AbsentPage, Capabilities, Document, DocumentKey, DocumentPage, DocumentWrite, Documents, DocumentsError, Written,
    shape,
};
use crate::base_url::read_base_url;
use crate::clock::Clock;
use crate::secret_place::SecretPlace;
use access::{Access, Account, BadAccount, Way};
use name::Database;
use ramp::Ramp;
use rest::{Pace, Reach, Rest};

/// Where the service is, when nobody says.
pub const SERVICE: &str = "https://firestore.googleapis.com";
/// The database, when nobody says.
pub const DATABASE: &str = "(default)";
/// Names an emulator, as every other client of the service reads it: `HOST:PORT`.
const EMULATOR: &str = "FIRESTORE_EMULATOR_HOST";
/// Names a key file, as every other client of the service reads it.
const KEY_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Which database, and who we are to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Id of the project.
    pub project: String,
    /// Id of the database.
    pub database: String,
    /// `https://…`, without a slash at its end.
    pub url: String,
    /// Who we are.
    pub credentials: Credentials,
}

/// Who we are to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Whom the environment names, else the machine that this runs on.
    Found,
    /// The service account whose key is in this file.
    File(PathBuf),
    /// Whose token stands there; somebody else renews it.
    Token(SecretPlace),
}

/// Why it cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] BadAccount),
    /// The address is not encrypted.
    #[error("use the address of the document store: want `https://…`")]
    Address,
    /// The emulator's address is none.
    #[error("use the emulator that {EMULATOR} names: want HOST:PORT")]
    Emulator,
    /// No client can be made.
    #[error("make the client of the document store")]
    Client(#[source] reqwest::Error),
}

/// A database of Cloud Firestore. Clones share it.
#[derive(Clone)]
pub struct Firestore(Arc<Service>);

impl std::fmt::Debug for Firestore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Firestore").field(&self.0.database).finish()
    }
}

struct Service {
    rest: Rest,
    database: Database,
    ramp: Mutex<Ramp>,
    opened: Instant,
    /// Documents that a page has at most, by how long those of the last ones were.
    page: AtomicUsize,
}

/// What the environment says.
#[derive(Debug, Default)]
struct Surroundings {
    emulator: Option<String>,
    key_file: Option<PathBuf>,
}

impl Surroundings {
    fn read() -> Self {
        Self {
            emulator: std::env::var(EMULATOR).ok().filter(|host| !host.is_empty()),
            key_file: std::env::var_os(KEY_FILE).filter(|path| !path.is_empty()).map(PathBuf::from),
        }
    }
}

impl Firestore {
    /// Reads the credentials; asks nothing yet. With `FIRESTORE_EMULATOR_HOST` in the environment it is the emulator
    /// there, without TLS and credentials. Blocks.
    ///
    /// # Errors
    /// When credentials or addresses cannot be used.
    pub fn open(settings: &Settings, clock: &Clock) -> Result<Self, OpenError> {
        Self::within(settings, Surroundings::read(), Pace::default(), clock)
    }

    fn within(settings: &Settings, around: Surroundings, pace: Pace, clock: &Clock) -> Result<Self, OpenError> {
        let database = Database::new(&settings.project, &settings.database);
        let client = |reach, pace: &Pace| rest::client(reach, pace).map_err(OpenError::Client);
        if let Some(host) = around.emulator {
            let base = read_base_url(&format!("http://{host}")).ok().filter(|_| !host.contains('/'));
            let base = base.ok_or(OpenError::Emulator)?;
            tracing::warn!(host, "documents are those of an emulator: {EMULATOR} is set");
            let access = Access::new(Way::Owner, client(Reach::Plain, &pace)?, clock.clone());
            return Ok(Self::at(base, database, client(Reach::Plain, &pace)?, access, pace));
        }
        if !settings.url.starts_with("https://") {
            return Err(OpenError::Address);
        }
        let (way, reach) = match (&settings.credentials, around.key_file) {
            (Credentials::Token(token), _) => (Way::Given(token.clone()), Reach::Encrypted),
            (Credentials::File(path), _) => (Way::Account(Box::new(Account::open(path)?)), Reach::Encrypted),
            (Credentials::Found, Some(path)) => (Way::Account(Box::new(Account::open(&path)?)), Reach::Encrypted),
            (Credentials::Found, None) => (Way::machine(), Reach::Plain),
        };
        let access = Access::new(way, client(reach, &access::patience(&pace))?, clock.clone());
        Ok(Self::at(settings.url.clone(), database, client(Reach::Encrypted, &pace)?, access, pace))
    }

    fn at(base: String, database: Database, client: reqwest::Client, access: Access, pace: Pace) -> Self {
        Self(Arc::new(Service {
            rest: Rest { client, base, access, pace },
            database,
            ramp: Mutex::default(),
            opened: Instant::now(),
            page: AtomicUsize::new(look::PAGE),
        }))
    }
}

impl Documents for Firestore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batch: true, batch: shape::BATCH }
    }

    fn collections<'a>(&'a self, under: Option<&'a str>) -> BoxFuture<'a, Result<Vec<String>, DocumentsError>> {
        Box::pin(self.0.collections(under))
    }

    fn scan<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<DocumentPage, DocumentsError>> {
        Box::pin(self.0.scan(collection, after, limit))
    }

    fn absent<'a>(
        &'a self,
        collection: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<AbsentPage, DocumentsError>> {
        Box::pin(self.0.absent(collection, after))
    }

    fn get<'a>(&'a self, key: &'a DocumentKey) -> BoxFuture<'a, Result<Option<Document>, DocumentsError>> {
        Box::pin(self.0.get(key))
    }

    fn write(&self, writes: Vec<DocumentWrite>) -> BoxFuture<'_, Result<Vec<Written>, DocumentsError>> {
        Box::pin(self.0.write(writes))
    }

    fn turn(&self, documents: usize) -> BoxFuture<'_, ()> {
        Box::pin(self.0.turn_ahead(documents))
    }

    fn count<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<u64, DocumentsError>> {
        Box::pin(self.0.count(collection))
    }
}
