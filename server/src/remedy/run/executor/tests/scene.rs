//! A place where fixes run: what outlives a process (a folder, documents, a target, the time), and the
//! processes that work there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle as Thread;
use std::time::Duration;

use serde_json::Value;
use stella_detect::Rules;
use stella_protocol::fix::Proposal;
use stella_protocol::health::EngineClock;
use stella_protocol::{Fix, FixId, FixStatus, FixVerb, LineId, Principal, Problem, Role, Text, Timestamp};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::power::{Kept, Power, Reach};
use super::target::Target;
use crate::alerts::sample::finding;
use crate::clock::Clock;
use crate::documents::embedded::Embedded;
use crate::documents::{DocumentKey, Documents};
use crate::hub::{Answer, Hub};
use crate::remedy::definition::catalogue::Catalogue;
use crate::remedy::run::Runner;
use crate::remedy::run::argv::ArgvCaller;
use crate::remedy::run::desk::RemedyDesk;
use crate::remedy::run::document::DocumentRunner;
use crate::remedy::run::executor::{Executor, Pace, Parts};
use crate::remedy::run::http::{Base, HttpCaller};
use crate::remedy::run::performer::Performer;
use crate::remedy::run::propose::Proposer;
use crate::remedy::settings::{self, Settings};
use crate::remedy::{Decision, FixState};
use crate::series::SeriesBook;
use crate::store::{SqliteStore, Store};

pub(super) const START: i64 = 1_700_000_000_000;
/// Nothing that works takes so long.
pub(super) const TOO_LONG: Duration = Duration::from_mins(1);

/// What the fixes of a scene look like.
const HEAD: &str = r#"
title = "Switch {op} on"
risk = "medium"
owner = "platform"
target = "switch:{op}"
match = [{ type = "performance_degradation" }]
limits = { open = 50, per_hour = 60 }

[[parameter]]
name = "op"
kind = "operation"
from = "operation"
"#;
const HTTP: &str = r#"
[[step]]
title = "Switch NAME on"
fenced = true
idempotent = true
retries = 2
http = { method = "PUT", base = "app", path = "/{op}/NAME", timeout = "10s" }
[step.probe]
title = "Whether NAME is on"
http = { method = "GET", base = "app", path = "/{op}/NAME" }
done = { status = 200, pointer = "/on", equals = true }
not_done = { status = 200, pointer = "/on", equals = false }
"#;
/// Nothing can tell whether it happened, and twice is not once.
const BLIND: &str = r#"
[[step]]
title = "Switch NAME on"
fenced = true
http = { method = "PUT", base = "app", path = "/{op}/NAME", timeout = "10s" }
"#;
const UNDO: &str = r#"
[step.undo]
title = "Switch NAME off"
idempotent = true
http = { method = "DELETE", base = "app", path = "/{op}/NAME", timeout = "10s" }
[step.undo.probe]
title = "Whether NAME is off"
http = { method = "GET", base = "app", path = "/{op}/NAME" }
done = { status = 200, pointer = "/on", equals = false }
not_done = { status = 200, pointer = "/on", equals = true }
"#;
const DOCUMENT: &str = r#"
[[step]]
title = "Note it"
document = { collection = "switches", id = "{op}", set = { on = true } }
"#;
/// It must be ready, also when it begins.
pub(super) const READY: &str = r#"
[[precondition]]
title = "{op} is ready"
http = { method = "GET", base = "app", path = "/{op}/ready" }
done = { status = 200, pointer = "/on", equals = true }
"#;
const VERIFY: &str = r#"
[verify]
of = "alert_quiet"
hold = "2s"
within = "6s"
"#;

/// A definition with one step a letter: `h` a call, `u` a call with an undo, `b` a call that nobody can ask
/// about, `d` a document.
pub(super) fn definition(policy: &str, steps: &str, verify: bool) -> String {
    let mut text = format!("policy = \"{policy}\"{HEAD}");
    for (number, step) in steps.chars().enumerate() {
        let name = format!("s{number}");
        text += &match step {
            'b' => BLIND.replace("NAME", &name),
            'h' => HTTP.replace("NAME", &name),
            'u' => format!("{HTTP}{UNDO}").replace("NAME", &name),
            _ => DOCUMENT.to_owned(),
        };
    }
    if verify { text + VERIFY } else { text }
}

/// What outlives a process.
pub(super) struct Scene {
    pub target: Target,
    pub documents: Embedded,
    pub clock: Clock,
    definition: String,
    folder: TempDir,
    _documents: TempDir,
}

/// A process.
pub(super) struct Process {
    pub hub: Hub,
    pub parts: Arc<Parts>,
    pub store: Arc<SqliteStore>,
    pub power: Arc<Power>,
    thread: Thread<()>,
    ending: CancellationToken,
    executor: Option<JoinHandle<()>>,
    /// Ends when its hub has no store any more.
    gone: oneshot::Receiver<()>,
}

impl Scene {
    pub async fn new(definition: String) -> Self {
        let (folder, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clock = Clock::scripted(Timestamp::from_millis(START));
        let documents = Embedded::open(place.path(), clock.clone()).unwrap();
        documents.import(&b"{\"path\":\"switches/alpha\",\"fields\":{\"name\":\"Alpha\"}}\n"[..]).unwrap();
        Self { target: Target::start().await, documents, clock, definition, folder, _documents: place }
    }

    fn proposer(&self) -> Proposer {
        let mut catalogue = Catalogue::default();
        let problems = catalogue.add(&[("switch-on.toml".to_owned(), self.definition.clone())], &[]);
        assert!(problems.is_empty(), "{problems:?}");
        let url = format!("http://{}", self.target.at);
        let base = settings::Base { name: "app".to_owned(), url, addresses: Vec::new(), secret: None };
        Proposer {
            catalogue,
            settings: Settings { bases: vec![base], ..Settings::default() },
            documents: Some(Arc::new(self.documents.clone())),
            single_person: false,
            clock: self.clock.clone(),
        }
    }

    pub fn performer(&self) -> Arc<dyn Runner> {
        let base = Base::new("app", &format!("http://{}", self.target.at), Vec::new(), None).unwrap();
        Arc::new(Performer {
            http: HttpCaller::new(vec![base]),
            argv: ArgvCaller::new(Vec::new(), Vec::new()),
            documents: Some(Arc::new(DocumentRunner::new(Arc::new(self.documents.clone())))),
        })
    }

    /// Another executor on a hub.
    pub fn parts(&self, hub: &Hub, holder: &str, runner: Arc<dyn Runner>) -> Arc<Parts> {
        let moment = Duration::from_millis(1);
        Arc::new(Parts {
            hub: hub.clone(),
            proposer: Arc::new(self.proposer()),
            runner,
            series: Arc::new(Mutex::new(SeriesBook::new(&Rules::default()))),
            clock: self.clock.clone(),
            pace: Pace {
                breath: moment,
                idle: 20 * moment,
                again: 2 * moment,
                watch: 2 * moment,
                retry: moment,
                longest_retry: 4 * moment,
                doubt: 500 * moment,
            },
            holder: Text::new(holder.to_owned()),
        })
    }

    /// A process whose executor does nothing yet.
    pub fn open(&self, power: Arc<Power>) -> Process {
        let store = Arc::new(SqliteStore::open(self.folder.path(), self.clock.now()).unwrap());
        let (going, gone) = oneshot::channel();
        let kept = Arc::new(Kept { store: Arc::clone(&store), power: Arc::clone(&power), _going: going });
        let (hub, thread) = Hub::start(kept as Arc<dyn Store>, self.clock.clone()).unwrap();
        let reach = Reach { runner: self.performer(), power: Arc::clone(&power) };
        let parts = self.parts(&hub, "one", Arc::new(reach));
        Process { hub, parts, store, power, thread, ending: CancellationToken::new(), executor: None, gone }
    }

    /// A process that works.
    pub fn start(&self, power: Arc<Power>) -> Process {
        let mut process = self.open(power);
        let executor = Executor::new(Arc::clone(&process.parts));
        process.executor = Some(tokio::spawn(executor.run(process.ending.clone())));
        process
    }

    pub fn pass(&self, millis: i64) {
        self.clock.advance_to(self.clock.now().plus_millis(millis));
    }

    /// The fields of `switches/alpha`, and how often it was written.
    pub async fn document(&self) -> (BTreeMap<String, Value>, usize) {
        let key = DocumentKey::new("switches", "alpha");
        let fields = self.documents.get(&key).await.unwrap().unwrap().fields;
        let writes = self.documents.journal(0, 1_000).unwrap();
        (fields, writes.iter().filter(|write| write.key == key).count())
    }
}

impl Process {
    /// An alert of an operation, or one more match of it, now.
    pub fn finds(&self, fingerprint: &str, operation: &str) {
        let now = self.parts.clock.now();
        let mut found = finding(fingerprint, now.millis());
        found.operation = Some(Text::new(operation.to_owned()));
        let engine = EngineClock { last: Some(now), recording: false, lines: 1 };
        self.hub.apply(vec![found], LineId(1), now, engine).unwrap();
    }

    /// The only fix.
    pub fn fix(&self) -> Option<Arc<FixState>> {
        let mut fixes = self.hub.fixes();
        assert!(fixes.len() <= 1, "{fixes:?}");
        fixes.pop()
    }

    /// Waits for the only fix to be so; `meanwhile` is done again and again.
    pub async fn until_with(&self, holds: impl Fn(&Fix) -> bool, meanwhile: impl Fn()) -> Arc<FixState> {
        let waiting = async {
            let mut changed = self.hub.changed();
            loop {
                if let Some(state) = self.fix().filter(|state| holds(&state.fix)) {
                    return state;
                }
                meanwhile();
                let _moment = tokio::time::timeout(Duration::from_millis(5), changed.changed()).await;
            }
        };
        let waited = tokio::time::timeout(TOO_LONG, waiting).await;
        waited.unwrap_or_else(|_| panic!("it stays {:#?}", self.fix().map(|state| state.fix.clone())))
    }

    pub async fn until(&self, status: FixStatus) -> Arc<FixState> {
        self.until_with(|fix| fix.status == status, || ()).await
    }

    /// The same of one among several.
    pub async fn one_until(&self, id: &FixId, status: FixStatus) -> Arc<FixState> {
        let waiting = async {
            let mut changed = self.hub.changed();
            loop {
                let state = self.hub.fix(id).unwrap().unwrap();
                if state.fix.status == status {
                    return state;
                }
                changed.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(TOO_LONG, waiting).await;
        waited.unwrap_or_else(|_| panic!("it stays {:#?}", self.hub.fix(id).unwrap().map(|state| state.fix.clone())))
    }

    /// The same while time passes, so that what is watched can hold.
    pub async fn watched_until(&self, scene: &Scene, status: FixStatus) -> Arc<FixState> {
        let pass = || {
            if self.fix().is_some_and(|state| state.fix.status == FixStatus::Verifying) {
                scene.pass(400);
            }
        };
        self.until_with(|fix| fix.status == status, pass).await
    }

    /// A proposal by a person, without an alert.
    pub async fn propose(&self, key: &str, operation: &str) -> Result<Answer<Fix>, Problem> {
        let by = Principal { name: Text::from("ben"), role: Role::Responder };
        let parameters = [("op".to_owned(), Text::new(operation.to_owned()))].into();
        let ask = Proposal { definition_id: Text::from("switch-on"), alert_id: None, parameters };
        let draft = self.parts.proposer.draft(&by, ask, None).await.unwrap();
        self.hub.propose_fix(&by, Some(key), [1; 32], draft).await
    }

    /// A verb, as the routes hand it on: a rollback with what was changed since.
    pub async fn decide(&self, key: &str, state: &FixState, verb: FixVerb) -> Result<Answer<Fix>, Problem> {
        let changed = if verb == FixVerb::Rollback { self.parts.changed(state).await } else { Vec::new() };
        let by = Principal { name: Text::from("ana"), role: Role::Admin };
        let decision = Decision {
            verb,
            by: by.name.clone(),
            role: by.role,
            plan_digest: Some(state.fix.plan_digest.clone()),
            text: Text::from("because"),
            single_person: false,
            simulated: false,
            changed,
        };
        self.hub.decide_fix(&by, key, &state.fix.id, state.fix.version, decision).await
    }

    /// Waits until it can be approved, and does.
    pub async fn approve(&self) -> Fix {
        let pending = self.until(FixStatus::Pending).await;
        self.decide("approve", &pending, FixVerb::Approve).await.unwrap().body
    }

    /// Ends it, however it stands, and waits until nobody has its store.
    pub async fn end(self) {
        let Self { hub, parts, store, thread, executor, ending, gone, .. } = self;
        ending.cancel();
        if let Some(executor) = executor {
            executor.await.unwrap();
        }
        hub.stop();
        tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
        drop((hub, parts, store));
        let gone = tokio::time::timeout(TOO_LONG, gone).await;
        gone.unwrap_or_else(|_| panic!("somebody still has its store")).unwrap_err();
    }
}
