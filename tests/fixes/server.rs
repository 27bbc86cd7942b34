//! `stella-server serve --config FILE`, and everybody who uses it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stella_protocol::fix::FixReview;
use stella_protocol::{Alert, Fix, FixStatus, Role};
use stella_server::Config;
use stella_server::config::File;

use crate::api::Api;
use crate::process::{Process, free_address, token};

/// Its configuration, in the folder.
const CONFIG: &str = "stella-server.toml";

/// A folder with a server's configuration, definitions and state, and everybody who uses that server.
pub struct Home {
    /// Asks with the token of `ana`, an approver; sends with that of `app`.
    pub api: Api,
    /// What stands in the folder: `stella-server.toml`, `fixes.d`, `inventories.d`, `data`.
    pub folder: tempfile::TempDir,
    tokens: BTreeMap<&'static str, String>,
    test: &'static str,
}

impl Home {
    /// A new folder with these definitions and inventories (`fixes.d/NAME`, `inventories.d/NAME`), and what is
    /// said of addresses and programs. `test` is the test that serves when it is told to.
    pub fn new(test: &'static str, files: &[(&str, &str)], allowed: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        for part in ["data", "fixes.d", "inventories.d"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::write(folder.path().join(CONFIG), configuration(address, folder.path(), allowed)).unwrap();
        let roles = [
            ("app", Role::Ingest),
            ("vic", Role::Viewer),
            ("ana", Role::Approver),
            ("ben", Role::Approver),
            ("root", Role::Admin),
        ];
        let data = folder.path().join("data");
        let tokens: BTreeMap<_, _> = roles.map(|(name, role)| (name, token(&data, role, name))).into();
        let api = Api::at(format!("http://{address}"), tokens["ana"].clone(), tokens["app"].clone());
        Self { api, folder, tokens, test }
    }

    /// Starts it, and waits until it listens.
    pub fn start(&self) -> Process {
        Process::start(self.test, self.folder.path().join(CONFIG).to_str().unwrap())
    }

    /// A component says how it is: `down`, `ok`.
    pub fn says(&self, component: &str, health: &str) {
        let message = format!("{component} is {health}");
        self.api.send_json(&[json!({
            "level": "WARN", "service": "jobs", "component": component, "health": health, "message": message,
        })]);
    }

    /// Fixes, newest first.
    pub fn fixes(&self) -> Vec<Fix> {
        let page: Value = self.api.get("fixes", &[]);
        serde_json::from_value(page["items"].clone()).unwrap()
    }

    /// A fix as whoever decides sees it.
    pub fn review(&self, fix: &Fix) -> FixReview {
        self.api.get(&format!("fixes/{}", fix.id), &[])
    }

    /// Waits until a fix for this target stands so.
    pub fn until(&self, target: &str, status: FixStatus) -> Fix {
        let wanted = |fix: &Fix| fix.plan.target.raw() == target && fix.status == status;
        self.api.until(&format!("{target} {}", status.word()), |_| self.fixes().into_iter().find(wanted))
    }

    /// A verb on a fix as it was seen, by somebody.
    pub fn decide(&self, by: &str, verb: &str, fix: &Fix, body: &Value) -> (StatusCode, Value) {
        let request = self.api.request(Method::POST, &format!("fixes/{}/{verb}", fix.id), &self.tokens[by]);
        let request = request.header("Idempotency-Key", uuid::Uuid::now_v7().to_string());
        self.api.ask(request.header("If-Match", format!("\"{}\"", fix.version)).json(body)).unwrap()
    }

    /// Somebody says yes to the plan as it stands; it must be done.
    pub fn approve(&self, by: &str, fix: &Fix) {
        let (status, answer) = self.decide(by, "approve", fix, &json!({ "planDigest": fix.plan_digest }));
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    /// Anything else about fixes that somebody asks for.
    pub fn ask(&self, by: &str, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.api.request(method, path, &self.tokens[by]);
        self.api.ask(request.header("Idempotency-Key", uuid::Uuid::now_v7().to_string()).json(body)).unwrap()
    }

    /// The alert that a fix is for, as it is now.
    pub fn alert_of(&self, fix: &Fix) -> Alert {
        self.api.get(&format!("alerts/{}", fix.alert_id.as_ref().unwrap()), &[])
    }

    /// Targets that a definition is not proposed for any more.
    pub fn suppressed(&self, definition: &str) -> Vec<String> {
        let page: Value = self.api.get("suppressions", &[]);
        let items = page["items"].as_array().unwrap().iter();
        let mine = items.filter(|one| one["definitionId"] == definition);
        mine.map(|one| one["target"].as_str().unwrap().to_owned()).collect()
    }
}

fn configuration(address: SocketAddr, folder: &Path, allowed: &str) -> String {
    let at = |part: &str| folder.join(part).display().to_string();
    let (data, definitions, inventories) = (at("data"), at("fixes.d"), at("inventories.d"));
    format!(
        "listen = \"{address}\"\ndata = \"{data}\"\n[redact]\nmode = \"local\"\n[fixes]\nfolder = \"{definitions}\"\n\
         inventories = \"{inventories}\"\n{allowed}\n"
    )
}

/// Serves until killed, when this process was started for that. False: it is here to test.
pub fn serves() -> bool {
    crate::process::serves(|path| Config::serve(&File::read(Path::new(path)).unwrap()))
}
