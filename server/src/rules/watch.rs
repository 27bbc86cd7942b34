//! The configuration file while the server runs: what of it says how rules are set is read again when it changes.
//!
//! A file that cannot be used leaves the rules as they are and says what is wrong: in the log, wherever rules are
//! listed, and as an alert until it can be used. Whatever else stands in the file counts at the next start.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::RuleFile;
use crate::config::{ConfigError, File};
use crate::hub::{Hub, HubError};
use crate::notice;
use crate::toml_source::Problem;

/// How often is looked whether the file is another one: it costs a microsecond, and whoever saved it waits.
const LOOK: Duration = Duration::from_secs(1);

/// What tells one state of a file from another: which it is, when it was changed, how long it is. None: it is gone.
type Stamp = Option<(u64, i64, i64, u64)>;

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.ino(), about.mtime(), about.mtime_nsec(), about.len()))
}

/// A file that rules are read from.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    seen: Stamp,
}

impl Watched {
    /// A file that was read before: it is read once more, since it may have changed in between.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// Reads it again whenever it changes, or SIGHUP comes, until `ending`.
    pub async fn run(mut self, hub: Hub, ending: CancellationToken) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangs_up = signal(SignalKind::hangup()).ok();
        loop {
            let asked = tokio::select! {
                () = ending.cancelled() => return,
                _ = ticks.tick() => false,
                () = hung_up(&mut hangs_up) => true,
            };
            let (path, seen, hub) = (self.path.clone(), self.seen, hub.clone());
            let looked = tokio::task::spawn_blocking(move || look(&path, seen, asked, &hub)).await;
            self.seen = looked.unwrap_or(self.seen);
        }
    }
}

async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Reads the file if it is another one, or somebody asks.
fn look(path: &Path, seen: Stamp, asked: bool, hub: &Hub) -> Stamp {
    // The stamp comes first: what is written while it is read is read again.
    let now = stamp(path);
    if now == seen && !asked {
        return seen;
    }
    let told = match read(path) {
        Ok(file) => load(hub, file),
        Err(problems) => {
            for problem in &problems {
                tracing::error!(%problem, "the configuration cannot be used: rules stay as they were");
            }
            hub.notice(notice::rules_are_wrong(&problems));
            hub.rules_are_wrong(problems)
        }
    };
    match told {
        Ok(()) => now,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "failed to take rules over: trying again");
            seen
        }
    }
}

fn load(hub: &Hub, file: RuleFile) -> Result<(), HubError> {
    let (rules, before) = (file.rules.len(), hub.rules());
    hub.load_rules(file)?;
    hub.notice(notice::rules_are_right());
    let after = hub.rules();
    if before.rules() != after.rules() || before.problems() != after.problems() {
        tracing::info!(rules, "took the rules of the configuration over");
    }
    Ok(())
}

/// What the file says of rules, if all of it can be used.
fn read(path: &Path) -> Result<RuleFile, Vec<Problem>> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let whole = |what: String| vec![Problem { file: name.clone(), line: 0, what }];
    let text = std::fs::read_to_string(path).map_err(|error| whole(format!("it cannot be read: {error}")))?;
    let rules = super::read(&name, &text)?;
    match File::parse(&text, Path::new(&name)) {
        Ok(_) => Ok(rules),
        Err(ConfigError::Problems(problems)) => Err(problems),
        Err(error) => Err(whole(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))),
    }
}
