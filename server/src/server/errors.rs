//! Why a server could not be started, or did not end as it should.

use std::net::SocketAddr;

use crate::auth::NoRandomness;
use crate::hub::HubError;
use crate::lines::LinesError;
use crate::remedy::run::http::BadBase;
use crate::remedy::run::load::LoadError;
use crate::remedy::settings::SecretError;
use crate::series::SeriesError;
use crate::store::StoreError;
use crate::{demo, pipeline};

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be made or written.
    #[error("open the data folder")]
    Folder(#[source] std::io::Error),
    /// A demo would mix with other data.
    #[error("start the demo: the data folder holds other data than a demo's")]
    OtherData,
    /// The key of pseudonyms is not one.
    #[error("read the key of pseudonyms: it is damaged, and a new one would rename everybody")]
    Key,
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The raw lines cannot be opened.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// The hub cannot begin.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The kept series cannot be opened.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// The engine cannot begin.
    #[error(transparent)]
    Pipeline(#[from] pipeline::StartError),
    /// The port cannot be opened.
    #[error("listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The administrative socket cannot be opened.
    #[error("open the administrative socket")]
    Socket(#[source] std::io::Error),
    /// No token could be made.
    #[error(transparent)]
    Token(#[from] NoRandomness),
    /// One person is said to use this server, and several have tokens.
    #[error("let one person approve alone: `fixes.people` is \"one\", and tokens of several names are valid")]
    NotAlone,
    /// A folder of definitions cannot be read.
    #[error(transparent)]
    Definitions(#[from] LoadError),
    /// The data map cannot be used.
    #[error("read the data map: {0}")]
    DataMap(String),
    /// The application's documents cannot be opened.
    #[error("open the documents: {0}")]
    Documents(#[source] crate::documents::place::OpenError),
    /// A secret that the configuration names is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An address that fixes may call is none.
    #[error("use the base {name}: {source}")]
    Base {
        /// Which.
        name: String,
        /// Why.
        source: BadBase,
    },
    /// The demo's application cannot be operated.
    #[error("open the demo's operations interface: {0}")]
    Operations(#[source] demo::DemoError),
}

/// A server that was running did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A thread of it panicked: what was acknowledged is kept, the rest is lost.
    #[error("end in order: the {0} thread failed")]
    Thread(&'static str),
}
