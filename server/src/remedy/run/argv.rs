//! Commands: an allow-listed program with arguments, no shell anywhere near it.
//!
//! A child has an empty environment but for what is allow-listed, no terminal, nothing to read, a process
//! group of its own, and an end: at its time-out the group is asked to stop and then killed. When nobody
//! waits for it any more (its future is dropped), the group is killed at once.
//!
//! Deliberately absent: limits of memory and processor time, which a service that the command starts
//! would inherit to its harm; and a hold on processes that leave the group (`setsid`).

mod child;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};
use std::process::Stdio;
use std::time::Duration;

use stella_protocol::Text;
use stella_protocol::fix::{ArgvAct, Stream};
use tokio::process::Command;

use super::lines::{Deaf, Lines};
use super::{Call, Output};
use crate::remedy::Outcome;
use child::Running;
pub(super) use child::{End, Ran};

/// The key of the effect, for a program that knows what it did already.
const KEY: &str = "STELLA_IDEMPOTENCY_KEY";
/// The fence, for a program that refuses a lower one than it has seen.
const FENCE: &str = "STELLA_FENCE";
/// A variable whose name holds one of these holds a secret: a child that prints it is masked.
const SECRET: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "CREDENTIAL"];
/// A shorter secret is none, and would be found inside ordinary words.
const SHORTEST_SECRET: usize = 6;

/// Runs programs, and only these.
#[derive(Debug, Clone)]
pub struct ArgvCaller {
    programs: Vec<String>,
    environment: Vec<String>,
}

impl ArgvCaller {
    /// For these programs (absolute paths), which may take over these variables of the environment.
    pub fn new(programs: Vec<String>, environment: Vec<String>) -> Self {
        Self { programs, environment }
    }

    /// Whether it could run, in words: allowed, there, executable. Starts nothing.
    pub(super) async fn rehearse(&self, act: &ArgvAct) -> Result<String, String> {
        self.command(act)?;
        let program = act.program.raw();
        let found = tokio::fs::metadata(program).await.map_err(|_| "the program is not there")?;
        if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
            return Err("the program cannot be executed".to_owned());
        }
        Ok(format!("{program} is allowed and can be executed"))
    }

    /// Runs a command that does something.
    pub(super) async fn perform(&self, act: &ArgvAct, call: &Call, output: &mut dyn Output) -> Outcome {
        match self.run(act, Some(call), output).await {
            Ok(ran) => outcome(act, &ran.end),
            Err(why) => Outcome::Clean(Text::from(why)),
        }
    }

    /// Runs a command that reads.
    pub(super) async fn ask(&self, act: &ArgvAct) -> Result<Ran, String> {
        self.run(act, None, &mut Deaf).await
    }

    /// Err: it was not started.
    async fn run(&self, act: &ArgvAct, call: Option<&Call>, output: &mut dyn Output) -> Result<Ran, String> {
        let mut command = self.command(act)?;
        if let Some(call) = call {
            command.env(KEY, &call.key).env(FENCE, call.fence.to_string());
        }
        let secrets = secrets(act);
        let out = Lines::new(Stream::Out, secrets.clone());
        let running = Running::start(command, out, Lines::new(Stream::Err, secrets));
        let running = running.map_err(|error| format!("the program could not be started: {}", error.kind()))?;
        Ok(running.watch(Duration::from_millis(act.timeout_ms), |code| is_good(act, code), output).await)
    }

    fn command(&self, act: &ArgvAct) -> Result<Command, String> {
        let program = act.program.raw();
        let path = Path::new(program);
        let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if !path.is_absolute() || !plain || !self.programs.iter().any(|allowed| allowed == program) {
            return Err("the configuration does not allow this program".to_owned());
        }
        let mut command = Command::new(path);
        command.args(act.arguments.iter().map(Text::raw)).env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        for name in &act.environment {
            if !self.environment.iter().any(|allowed| allowed == name.raw()) {
                return Err("the configuration does not allow one of its variables".to_owned());
            }
            if let Some(value) = std::env::var_os(name.raw()) {
                command.env(name.raw(), value);
            }
        }
        Ok(command)
    }
}

/// Values that the child was given and must not tell.
fn secrets(act: &ArgvAct) -> Vec<Vec<u8>> {
    let secret = |name: &&Text| SECRET.iter().any(|word| name.raw().to_ascii_uppercase().contains(word));
    let values = act.environment.iter().filter(secret).filter_map(|name| std::env::var_os(name.raw()));
    values.map(OsString::into_encoded_bytes).filter(|value| value.len() >= SHORTEST_SECRET).collect()
}

fn is_good(act: &ArgvAct, code: i32) -> bool {
    if act.success.is_empty() { code == 0 } else { act.success.contains(&code) }
}

/// What an end means for a step.
fn outcome(act: &ArgvAct, end: &End) -> Outcome {
    let words = Text::from(end.words());
    match end {
        End::Exit(code) if is_good(act, *code) => Outcome::Done(words),
        End::Exit(code) if act.clean.contains(code) => Outcome::Clean(words),
        _ => Outcome::Unknown(words),
    }
}
