//! From what the configuration says of documents to a conductor of migrations, and to the desk that routes ask.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rand::rngs::OsRng;
use rand::{Rng, TryRngCore};
use sha2::{Digest, Sha256};
use stella_protocol::Text;
use stella_protocol::fix::{HttpAct, HttpMethod};

use super::StartError;
use super::queries::OverHttp;
use crate::clock::Clock;
use crate::documents::Documents;
use crate::folder::Folder;
use crate::hub::Hub;
use crate::migrate::map::shipped;
use crate::migrate::plan::hex;
use crate::migrate::run::backup::BackupKey;
use crate::migrate::run::office::{Office, Probe};
use crate::migrate::run::queries::Application;
use crate::migrate::run::site::{Ledgers, Pace, Site};
use crate::migrate::{DataMap, MintKey};
use crate::remedy::run::http::HttpCaller;
use crate::remedy::settings::{DualReadProbe, MigrationSettings, Watch};

/// The file of the key that makes new ids.
const MINT_FILE: &str = "migration.key";
const KEY_BYTES: usize = 32;
/// How long the application has to say whether it reads both ids, in milliseconds.
const PROBE_MS: u64 = 3_000;
const OK: u16 = 200;

/// What migrations need of the rest of the server.
pub(super) struct Ground<'a> {
    pub hub: &'a Hub,
    pub clock: &'a Clock,
    /// The data folder.
    pub data: &'a Path,
    pub documents: Arc<dyn Documents>,
    pub watch: Watch,
    /// Calls the application.
    pub caller: HttpCaller,
    /// The addresses that it may call, by their names.
    pub urls: BTreeMap<String, String>,
}

/// Opens what migrations need; nothing runs yet.
///
/// # Errors
/// When the data map or a key cannot be read.
pub(super) fn furnish(settings: &MigrationSettings, ground: Ground<'_>) -> Result<(Arc<Site>, Office), StartError> {
    let (map, map_digest) = map(settings)?;
    let caller = Arc::new(ground.caller);
    let site = Arc::new(Site {
        hub: ground.hub.clone(),
        documents: ground.documents,
        map: Arc::new(map),
        map_digest,
        data: ground.data.to_owned(),
        mint: mint_key(ground.data).map_err(StartError::Folder)?,
        backup_key: BackupKey::kept(ground.data).map_err(StartError::Folder)?,
        target: Text::new(settings.target.clone()),
        canary: settings.canary,
        soak_ms: settings.soak_ms,
        given: settings.given.clone(),
        application: OverHttp::open(&caller, settings, ground.urls).map(|one| Arc::new(one) as Arc<dyn Application>),
        clock: ground.clock.clone(),
        pace: Pace { drift: ground.watch.after, standing: ground.watch.standing, ..Pace::default() },
        watch_writers: settings.watch.writers,
        holder: Text::new(format!("conductor-{:08x}", rand::rng().random::<u32>())),
        ledgers: Ledgers::default(),
    });
    let asks = |probe: &DualReadProbe| {
        let act = HttpAct {
            base: Text::new(probe.base.clone()),
            method: HttpMethod::Get,
            url: Text::new(probe.url.clone()),
            headers: BTreeMap::new(),
            body: None,
            success: vec![OK],
            timeout_ms: PROBE_MS,
        };
        Arc::new(ByHttp { caller, act }) as Arc<dyn Probe>
    };
    let probe = settings.dual_read.as_ref().map(asks);
    Ok((Arc::clone(&site), Office::new(site, probe)))
}

/// The data map that the settings name, else the shipped one; and SHA-256 of it, hex.
fn map(settings: &MigrationSettings) -> Result<(DataMap, String), StartError> {
    let (name, text) = match &settings.map {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| StartError::DataMap(format!("{}: {source}", path.display())))?;
            (path.display().to_string(), text)
        }
        None => (shipped::NAME.to_owned(), shipped::TEXT.to_owned()),
    };
    let wrong = |problems: Vec<crate::toml_source::Problem>| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        StartError::DataMap(told.join("\n"))
    };
    let map = DataMap::parse(&name, &text).map_err(wrong)?;
    Ok((map, hex(&Sha256::digest(text.as_bytes()))))
}

/// The key that makes new ids, made once: without it no plan of it can be begun.
fn mint_key(data: &Path) -> std::io::Result<MintKey> {
    let folder = Folder::open(Some(data))?;
    if let Some(kept) = folder.read(MINT_FILE)? {
        let damaged = |_| std::io::Error::new(std::io::ErrorKind::InvalidData, "migration.key is no key");
        return kept.try_into().map(MintKey::from_bytes).map_err(damaged);
    }
    let mut key = [0; KEY_BYTES];
    OsRng.try_fill_bytes(&mut key).map_err(std::io::Error::other)?;
    folder.write_secret(MINT_FILE, &key)?;
    File::open(data)?.sync_all()?;
    Ok(MintKey::from_bytes(key))
}

/// Asks over HTTP.
struct ByHttp {
    caller: Arc<HttpCaller>,
    act: HttpAct,
}

impl Probe for ByHttp {
    fn reads_both_ids(&self) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let body = self.caller.read(&self.act).await;
            let said = body.and_then(|body| serde_json::from_slice::<serde_json::Value>(&body).ok());
            said.is_some_and(|said| said.get("readsBothIds") == Some(&serde_json::Value::Bool(true)))
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_new_ids_is_made_once_and_a_damaged_one_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let first = mint_key(data.path()).unwrap().name();
        assert_eq!(mint_key(data.path()).unwrap().name(), first);
        std::fs::write(data.path().join(MINT_FILE), b"short").unwrap();
        assert!(mint_key(data.path()).is_err());
    }

    #[test]
    fn the_shipped_map_is_the_one_when_none_is_named_and_a_wrong_one_says_where() {
        let mut settings = MigrationSettings::default();
        let (shipped, digest) = map(&settings).unwrap();
        assert_eq!((shipped.title.as_str(), digest.len()), ("the application", 64));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, "titel = \"x\"").unwrap();
        settings.map = Some(path);
        let error = map(&settings).unwrap_err().to_string();
        assert!(error.contains("own.toml"), "{error}");
    }
}
