//! From what the configuration says of fixes to an executor that works, and to the desk that routes ask.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rand::Rng;
use stella_protocol::Text;

use super::StartError;
use crate::clock::Clock;
use crate::demo;
use crate::documents::place::Place;
use crate::documents::{DocumentKey, DocumentWrite, Documents, DocumentsError, Expect, Leave, Written};
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
    WatchEvery, WatchSettings,
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
    let open = |place: &Place| place.open(ground.clock).map_err(StartError::Documents);
    let documents = settings.documents.as_ref().map(open).transpose()?;
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
pub(super) fn of_demo(
    settings: Settings,
    operations: &demo::Operations,
    folder: &Path,
    options: &demo::Options,
) -> Settings {
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
    // A command runs in no folder of ours, so a path that begins at ours would lead nowhere.
    let file = operations.file().and_then(|file| std::path::absolute(file).ok());
    let own = std::env::current_exe().ok().zip(file).map(|(path, file)| Program {
        name: demo::OPERATE.to_owned(),
        path,
        arguments: vec![demo::OPERATE.to_owned(), "--control".to_owned(), file.display().to_string()],
        environment: Vec::new(),
    });
    let dual_read = Some(DualReadProbe { base: "application".to_owned(), url: format!("{}{READS_BOTH}", control.url) });
    // Its store is as slow as a remote one, and its world is told by its lines.
    let watch = WatchSettings { every: WatchEvery::AfterMigrations, writers: false };
    let migration = MigrationSettings {
        soak_ms: DEMO_SOAK_MS,
        dual_read,
        watch,
        given: demo::agreed(options),
        queries: demo::own_queries(),
        ..settings.migration
    };
    Settings {
        migration,
        bases: ["application", "firewall", "deploys"].map(base).to_vec(),
        programs: own.into_iter().collect(),
        documents: Some(Place::Embedded(folder.to_owned())),
        people: settings.people.or(Some(People::Many)),
        ..settings
    }
}

/// Puts the demo's documents there, once: where its users are already, nothing is added.
pub(super) async fn fill(parts: &Parts, options: &demo::Options) {
    let Some(documents) = &parts.proposer.documents else { return };
    if let Err(error) = filled(documents.as_ref(), options).await {
        tracing::warn!(%error, "the documents of the demo were not written");
    }
}

async fn filled(documents: &dyn Documents, options: &demo::Options) -> Result<(), DocumentsError> {
    if documents.count(demo::USERS).await? > 0 {
        return Ok(());
    }
    let most = documents.capabilities().batch;
    let mut seeded = demo::documents(options).peekable();
    while seeded.peek().is_some() {
        let batch: Vec<DocumentWrite> = seeded.by_ref().take(most).map(absent).collect();
        let written = documents.write(batch.clone()).await?;
        if written.iter().all(|one| matches!(one, Written::Done(_))) {
            continue;
        }
        // An earlier start ended on its way: a batch is whole or not at all, and some of this one are there.
        for write in batch {
            documents.write(vec![write]).await?;
        }
    }
    Ok(())
}

fn absent((collection, id, fields): demo::Seeded) -> DocumentWrite {
    let leave = Leave::Fields(fields.into_iter().collect());
    DocumentWrite { key: DocumentKey::new(collection, id), expect: Expect::Absent, leave }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::documents::embedded::Embedded;

    fn written(store: &Embedded) -> usize {
        store.journal(0, usize::MAX >> 1).unwrap().len()
    }

    #[tokio::test]
    async fn a_demo_is_filled_once_also_where_an_earlier_start_ended_on_its_way() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path(), Clock::system()).unwrap();
        let options = demo::Options::default();
        let all: Vec<demo::Seeded> = demo::documents(&options).collect();
        store.write(all[..7].iter().cloned().map(absent).collect()).await.unwrap();
        filled(&store, &options).await.unwrap();
        assert_eq!(written(&store), all.len());

        let (collection, id, _) = all[0].clone();
        let gone = store.get(&DocumentKey::new(collection, id)).await.unwrap().unwrap();
        let delete = DocumentWrite { key: gone.key, expect: Expect::Version(gone.version), leave: Leave::Nothing };
        store.write(vec![delete]).await.unwrap();
        filled(&store, &options).await.unwrap();
        assert_eq!(written(&store), all.len() + 1, "what somebody took away stays away");
    }

    #[tokio::test]
    async fn a_demos_command_finds_its_file_from_any_folder() {
        let here = std::env::current_dir().unwrap();
        let folder = tempfile::tempdir_in(&here).unwrap();
        let relative = folder.path().strip_prefix(&here).unwrap();
        let operations = demo::Operations::open(Some(relative)).await.unwrap();
        let settings = of_demo(Settings::default(), &operations, relative, &demo::Options::default());
        let file = Path::new(settings.programs[0].arguments.last().unwrap());
        assert!(file.is_absolute() && file.starts_with(folder.path()), "{}", file.display());
    }
}
