//! From what the configuration says of fixes to an executor that works, and to the desk that routes ask.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rand::Rng;
use stella_protocol::Text;

use super::StartError;
use crate::clock::Clock;
use crate::demo;
use crate::documents::embedded::Embedded;
use crate::documents::{DocumentKey, DocumentWrite, Documents, Expect, Leave};
use crate::hub::Hub;
use crate::notify;
use crate::remedy::run::Runner;
use crate::remedy::run::argv::ArgvCaller;
use crate::remedy::run::document::DocumentRunner;
use crate::remedy::run::executor::{Pace, Parts};
use crate::remedy::run::http::{self, HttpCaller};
use crate::remedy::run::load::load;
use crate::remedy::run::performer::Performer;
use crate::remedy::run::propose::Proposer;
use crate::remedy::settings::{
    self, Base, DualReadProbe, Hidden, MigrationSettings, People, Program, SecretHeader, SecretPlace, Settings,
};
use crate::series::SeriesBook;

/// Where the demo's application says that it reads both ids.
const READS_BOTH: &str = "/reads-both-ids";
/// The longest session of the demo's application, in milliseconds: after that nobody has an old id.
const DEMO_SOAK_MS: i64 = 60_000;

/// What fixes need of the rest of the server.
pub(super) struct Ground<'a> {
    pub hub: &'a Hub,
    pub series: &'a Arc<Mutex<SeriesBook>>,
    pub clock: &'a Clock,
    /// One human uses this server.
    pub single_person: bool,
}

/// Makes everything that fixes need; nothing runs yet.
///
/// # Errors
/// When definitions, documents or a secret that the settings name cannot be read.
pub(super) fn furnish(settings: &Settings, ground: &Ground<'_>) -> Result<Arc<Parts>, StartError> {
    ground.hub.set_single_person(ground.single_person);
    let (catalogue, problems) = load(settings)?;
    for problem in problems {
        tracing::warn!("a definition is left out: {problem}");
    }
    let documents = settings.documents.as_deref().map(|folder| open(folder, ground.clock)).transpose()?;
    let runner = Performer {
        http: caller(settings)?,
        argv: commands(settings),
        documents: documents.clone().map(|documents| Arc::new(DocumentRunner::new(documents)) as Arc<dyn Runner>),
    };
    let proposer = Proposer {
        catalogue,
        settings: settings.clone(),
        documents,
        single_person: ground.single_person,
        clock: ground.clock.clone(),
    };
    Ok(Arc::new(Parts {
        hub: ground.hub.clone(),
        proposer: Arc::new(proposer),
        runner: Arc::new(runner),
        series: Arc::clone(ground.series),
        clock: ground.clock.clone(),
        pace: Pace::default(),
        holder: Text::new(format!("executor-{:08x}", rand::rng().random::<u32>())),
    }))
}

fn open(folder: &Path, clock: &Clock) -> Result<Arc<dyn Documents>, StartError> {
    Ok(Arc::new(Embedded::open(folder, clock.clone()).map_err(StartError::Documents)?))
}

/// Calls the bases that the settings name.
///
/// # Errors
/// When a secret of one cannot be read.
pub(super) fn caller(settings: &Settings) -> Result<HttpCaller, StartError> {
    Ok(HttpCaller::new(settings.bases.iter().map(base).collect::<Result<_, _>>()?))
}

fn base(base: &Base) -> Result<http::Base, StartError> {
    let secret = base.secret.as_ref().map(SecretHeader::read).transpose()?;
    let secret = secret.map(|(header, value)| (header, value.expose().to_owned()));
    let made = http::Base::new(base.name.clone(), &base.url, base.addresses.clone(), secret);
    made.map_err(|source| StartError::Base { name: base.name.clone(), source })
}

fn commands(settings: &Settings) -> ArgvCaller {
    let programs = settings.programs.iter().map(|program| program.path.display().to_string()).collect();
    let names = settings.programs.iter().flat_map(|program| program.environment.iter().cloned()).collect();
    ArgvCaller::new(programs, names)
}

/// Where to tell of what waits.
///
/// # Errors
/// When its secret is not there.
pub(super) fn webhook(settings: &settings::Webhook) -> Result<notify::Webhook, StartError> {
    let secret = settings.secret.as_ref().map(SecretPlace::read).transpose()?;
    Ok(notify::Webhook { url: settings.url.clone(), secret: secret.map(|secret| secret.expose().to_owned()) })
}

/// What a demo's fixes may touch: its simulated application by its operations interface, on three names
/// and by a command, and the documents in its folder.
pub(super) fn of_demo(settings: Settings, operations: &demo::Operations, folder: &Path) -> Settings {
    let control = operations.control();
    let base = |name: &str| Base {
        name: name.to_owned(),
        url: control.url.clone(),
        addresses: Vec::new(),
        secret: Some(SecretHeader {
            header: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
            place: SecretPlace::Given(Hidden::new(control.token.clone())),
        }),
    };
    let own = std::env::current_exe().ok().zip(operations.file()).map(|(path, file)| Program {
        name: demo::OPERATE.to_owned(),
        path,
        arguments: vec![demo::OPERATE.to_owned(), "--control".to_owned(), file.display().to_string()],
        environment: Vec::new(),
    });
    let dual_read = Some(DualReadProbe { base: "application".to_owned(), url: format!("{}{READS_BOTH}", control.url) });
    let migration = MigrationSettings { soak_ms: DEMO_SOAK_MS, dual_read, ..settings.migration };
    Settings {
        migration,
        bases: ["application", "firewall", "deploys"].map(base).to_vec(),
        programs: own.into_iter().collect(),
        documents: Some(folder.to_owned()),
        people: settings.people.or(Some(People::Many)),
        ..settings
    }
}

/// Puts the demo's documents there, once: those that are there already stay as they are.
pub(super) async fn fill(parts: &Parts, seed: u64) {
    let Some(documents) = &parts.proposer.documents else { return };
    let writes: Vec<DocumentWrite> = demo::documents(seed)
        .into_iter()
        .map(|(collection, id, fields)| DocumentWrite {
            key: DocumentKey::new(collection, id),
            expect: Expect::Absent,
            leave: Leave::Fields(fields.into_iter().collect()),
        })
        .collect();
    // One by one: a batch is whole or not at all, and some may be there.
    for write in writes {
        if let Err(error) = documents.write(vec![write]).await {
            tracing::warn!(%error, "a document of the demo was not written");
            return;
        }
    }
}
