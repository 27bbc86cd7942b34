//! A server with documents to migrate, and the command line that people migrate with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stella_protocol::{Migration, MigrationStatus, Role};
use stella_server::documents::embedded::Embedded;
use stella_server::documents::place::Place;
use stella_server::remedy::settings::{MigrationSettings, Settings};
use stella_server::{Clock, Config, demo};

use crate::api::Api;
use crate::process::{Process, free_address, token};
use crate::store;

/// As fast as a demo goes.
const SPEED: f64 = 60.0;
/// Of the demo's life before its server starts: its lines are not what is looked at here.
const HISTORY: Duration = Duration::from_mins(1);
/// How long nobody may use an old id, where it is no demo that says so.
const SOAK_MS: i64 = 1_500;

/// How long a phase may take, with the lease of a server that was killed in it.
const LONG: Duration = Duration::from_mins(3);

/// Whose documents are migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum World {
    /// A live demo's: it fills its documents itself, and its application says that it reads both ids.
    Demo,
    /// The same documents, so many times as many, of an application that cannot be asked.
    Still(u32),
}

/// What the server is told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    port: u16,
    data: PathBuf,
    world: World,
}

/// A server's data folder, and everybody who uses that server.
pub struct Home {
    /// Asks with the token of `root`, an admin.
    pub api: Api,
    folder: tempfile::TempDir,
    tokens: BTreeMap<&'static str, String>,
    test: &'static str,
    order: Order,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its answer.
    pub out: String,
    /// What it remarked beside it.
    pub beside: String,
}

impl World {
    fn options(self) -> demo::Options {
        let scale = if let Self::Still(scale) = self { scale } else { 1 };
        demo::Options { speed: SPEED, history: HISTORY, scale, ..demo::Options::default() }
    }
}

impl Home {
    /// A new folder. `test` is the test that serves when it is told to.
    pub fn new(test: &'static str, world: World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_address().port();
        let order = Order { port, data: folder.path().join("data"), world };
        std::fs::create_dir(&order.data).unwrap();
        if world == World::Demo {
            // Its tokens are made before it: without its mark a demo leaves a folder alone that others use.
            std::fs::write(order.data.join("demo.mark"), b"").unwrap();
        }
        let roles = [("app", Role::Ingest), ("vic", Role::Viewer), ("root", Role::Admin)];
        let tokens: BTreeMap<_, _> = roles.map(|(name, role)| (name, token(&order.data, role, name))).into();
        let api = Api::at(format!("http://127.0.0.1:{port}"), tokens["root"].clone(), tokens["app"].clone());
        let home = Self { api, folder, tokens, test, order };
        if world != World::Demo {
            std::fs::create_dir(home.documents()).unwrap();
            home.api.wait(store::fill(&home.store(), &world.options()));
        }
        home
    }

    fn documents(&self) -> PathBuf {
        documents(&self.order)
    }

    /// The documents, as another program reads and writes them beside the server.
    pub fn store(&self) -> Embedded {
        Embedded::open(&self.documents(), Clock::system()).unwrap()
    }

    /// Starts it, and waits until it listens.
    pub fn start(&self) -> Process {
        Process::start(self.test, &serde_json::to_string(&self.order).unwrap())
    }

    /// `stella-tui migrate …`, as `root`, with nobody there to type.
    pub fn migrate(&self, words: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stella-tui"));
        command.arg("migrate").args(words);
        command.env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        command.env("STELLA_SERVER", &self.api.base).env("STELLA_TOKEN", &self.tokens["root"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Said::of(command.output().unwrap())
    }

    /// The same; it must succeed.
    pub fn done(&self, words: &[&str]) -> String {
        let said = self.migrate(words);
        assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
        said.out
    }

    /// A migration as it stands.
    pub fn migration(&self, id: &str) -> Migration {
        self.api.get(&format!("migrations/{id}"), &[])
    }

    /// Waits until it stands so.
    pub fn until(&self, id: &str, status: MigrationStatus) -> Migration {
        self.until_it(id, status.word(), |now| now.status == status)
    }

    /// Waits until that holds of it; it must not halt or fail on the way.
    pub fn until_it(&self, id: &str, what: &str, holds: impl Fn(&Migration) -> bool) -> Migration {
        let stuck = [MigrationStatus::Halted, MigrationStatus::PlanFailed, MigrationStatus::BackupFailed];
        self.api.until_within(LONG, &format!("{id} {what}"), |_| {
            let now = self.migration(id);
            if holds(&now) {
                return Some(now);
            }
            assert!(!stuck.contains(&now.status), "waited for {id} {what}: {now:#?}");
            None
        })
    }

    /// Every row of one of its lists, page by page.
    pub fn rows<T: DeserializeOwned>(&self, id: &str, list: &str) -> Vec<T> {
        let (mut rows, mut after) = (Vec::new(), None::<String>);
        loop {
            let mut parameters = vec![("limit", "100".to_owned())];
            parameters.extend(after.take().map(|after| ("after", after)));
            let page: Value = self.api.get(&format!("migrations/{id}/{list}"), &parameters);
            let items: Vec<T> = serde_json::from_value(page["items"].clone()).unwrap();
            rows.extend(items);
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return rows,
            }
        }
    }

    /// A change that somebody asks for, with the version as they wrote it.
    pub fn ask(&self, by: &str, path: &str, version: &str, body: &Value) -> (u16, Value) {
        let request = self.api.request(Method::POST, path, &self.tokens[by]).header("If-Match", version);
        let request = request.header("Idempotency-Key", uuid::Uuid::now_v7().to_string());
        let (status, answer) = self.api.ask(request.json(body)).unwrap();
        (status.as_u16(), answer)
    }

    /// `root` says a verb of a migration as it stands now, again when it moved meanwhile.
    pub fn say(&self, id: &str, verb: &str, body: &Value) -> Value {
        self.api.until(&format!("{verb} of {id}"), |_| {
            let version = format!("\"{}\"", self.migration(id).version);
            let (status, answer) = self.ask("root", &format!("migrations/{id}/{verb}"), &version, body);
            if answer["code"] == "version_conflict" {
                return None;
            }
            assert_eq!(status, 200, "{verb}: {answer}");
            Some(answer)
        })
    }

    /// A new migration, looked at, rehearsed and approved.
    pub fn approved(&self) -> Migration {
        let (status, made) = self.ask("root", "migrations", "", &json!({"kind": "user_ids"}));
        assert!((200..300).contains(&status), "{made}");
        let id = made["id"].as_str().unwrap();
        let planned = self.until(id, MigrationStatus::Planned);
        self.say(id, "rehearse", &json!({}));
        self.until(id, MigrationStatus::Rehearsed);
        let seen = planned.plan.unwrap().digest;
        self.say(id, "approve", &json!({"planDigest": seen}));
        self.migration(id)
    }
}

impl Said {
    fn of(output: Output) -> Self {
        let read = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: read(output.stdout), beside: read(output.stderr) }
    }
}

/// Where the documents are: a demo keeps them with its data.
fn documents(order: &Order) -> PathBuf {
    if order.world == World::Demo { order.data.clone() } else { order.data.with_file_name("documents") }
}

fn configuration(order: &Order) -> Config {
    let mut config = Config::embedded(String::new());
    config.embedded = None;
    config.listen.set_port(order.port);
    config.data = Some(order.data.clone());
    let options = order.world.options();
    match order.world {
        World::Demo => config.demo = Some(options),
        World::Still(_) => {
            let given = demo::agreed(&options);
            let migration = MigrationSettings { soak_ms: SOAK_MS, given, ..MigrationSettings::default() };
            config.remedy =
                Some(Settings { documents: Some(Place::Embedded(documents(order))), migration, ..Settings::default() });
        }
    }
    config
}

/// Serves until killed, when this process was started for that. False: it is here to test.
pub fn serves() -> bool {
    crate::process::serves(|order| configuration(&serde_json::from_str(order).unwrap()))
}
