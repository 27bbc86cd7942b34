//! `stella-tui fixes …` against a real server: what is printed, what is changed, which exit code.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "cli/program.rs"]
mod program;
#[path = "../server/tests/server/waiting.rs"]
mod waiting;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use portable_pty::CommandBuilder;
use serde_json::Value;
use stella_protocol::fix::Act;
use stella_protocol::{FixStatus, Role, Text, Timestamp};
use stella_server::admin::{self, AdminAnswer, AdminRequest};
use stella_server::remedy::FixState;
use stella_server::{Clock, Config};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use program::Said;
use waiting::DIGEST;

fn text(text: &str) -> Text {
    Text::new(text.to_owned())
}

/// A fix that waits for one approval, and whose words are hostile.
fn pending(number: u64, target: &str) -> FixState {
    let mut state = waiting::pending(number, target);
    state.fix.title = text("Restart the pool\u{202e}");
    if let Act::Argv(act) = &mut state.fix.plan.steps[0].act {
        act.arguments = vec![text("--unit"), text("a b\u{1b}[2J")];
    }
    state
}

/// One that ended so.
fn ended(number: u64, status: FixStatus) -> FixState {
    let mut state = pending(number, &format!("service:{number}"));
    state.fix.status = status;
    state.fix.ended_at = Some(Clock::system().now());
    state
}

/// How often somebody approved the plan. Where it stands by now is the executor's, which knows no such definition.
fn approved(fix: &Value) -> usize {
    let trail = fix["trail"].as_array().unwrap().iter();
    let said = trail.filter(|event| event["what"].as_str().unwrap().starts_with("approved it")).count();
    assert_eq!(said, fix["approvals"].as_array().unwrap().len(), "{fix}");
    assert!(fix["approvals"].as_array().unwrap().iter().all(|approval| approval["planDigest"] == DIGEST), "{fix}");
    said
}

/// A server in this process, on a folder that holds these fixes.
struct Server {
    address: String,
    admin: String,
    data: tempfile::TempDir,
    shutdown: CancellationToken,
    ended: JoinHandle<()>,
}

impl Server {
    async fn with(fixes: Vec<FixState>) -> Self {
        let data = tempfile::tempdir().unwrap();
        waiting::keep(data.path(), fixes, &[1, 2, 3].map(|number| format!("line {number}\u{1b}[2J")));
        let config = Config { data: Some(data.path().to_owned()), ..Config::embedded("tester".to_owned()) };
        let server = stella_server::bind(config).await.unwrap();
        let (address, admin) =
            (format!("http://{}", server.addr()), server.console_token().unwrap().expose().to_owned());
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let ended = tokio::spawn(async move { server.run(stop).await.unwrap() });
        Self { address, admin, data, shutdown, ended }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap();
    }

    fn token(&self, role: Role) -> String {
        let request = AdminRequest::CreateToken { role, name: role.word().to_owned(), expires_days: None };
        let AdminAnswer::Token { token } = admin::run(self.data.path(), &request).unwrap() else { unreachable!() };
        token
    }

    fn command(&self, token: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stella-tui"));
        command.arg("fixes").args(words).args(["--server", &self.address]);
        command.env_clear().env("HOME", self.data.path()).env("PATH", "/usr/bin:/bin").env("STELLA_TOKEN", token);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What the program answers, with the exit code.
    fn asked(&self, words: &[&str]) -> Said {
        Said::of(&self.command(&self.admin, words).output().unwrap())
    }

    fn asked_as(&self, token: &str, words: &[&str]) -> Said {
        Said::of(&self.command(token, words).output().unwrap())
    }

    fn json(&self, words: &[&str]) -> Value {
        let said = self.asked(&[words, &["-o", "json"]].concat());
        serde_json::from_str(&said.out).unwrap_or_else(|error| unreachable!("{error}: {said:?}"))
    }
}

impl Said {
    fn first_words(&self) -> Vec<&str> {
        self.out.lines().filter_map(|line| line.split_whitespace().next()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_holds_what_was_asked_for_and_its_json_is_the_servers_own() {
    let fixes = vec![pending(1, "service:search"), ended(2, FixStatus::Executed), pending(12, "service:pay")];
    let server = Server::with(fixes).await;
    let open = server.asked(&["ls"]);
    assert_eq!((open.code, open.first_words()), (Some(0), vec!["ID", "fx-12", "fx-1"]), "{open:?}");
    assert_eq!(server.asked(&["ls", "--all"]).first_words(), ["ID", "fx-12", "fx-2", "fx-1"]);
    assert_eq!(server.asked(&["ls", "--status", "executed"]).first_words(), ["ID", "fx-2"]);
    let first = server.asked(&["ls", "--all", "--limit", "1"]);
    assert_eq!(first.first_words(), ["ID", "fx-12"]);
    assert!(first.beside.contains("there are more"), "{first:?}");

    let page = server.json(&["ls", "--all"]);
    let ids: Vec<&str> = page["items"].as_array().unwrap().iter().map(|fix| fix["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["fx-12", "fx-2", "fx-1"]);
    assert_eq!(page["items"][2]["title"], "Restart the pool\u{202e}", "a program gets the text as it is");

    let none = server.asked(&["ls", "--status", "rejected"]);
    assert_eq!((none.code, none.out.as_str()), (Some(3), ""), "{none:?}");
    assert!(none.beside.contains("no fix is rejected"), "{none:?}");
    let two = server.asked(&["ls", "--status", "rejected", "--status", "in-doubt"]);
    assert!(two.beside.contains("no fix is rejected or in doubt"), "{two:?}");
    assert_eq!(server.asked(&["ls", "--status", "tired"]).code, Some(2));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_taken_short_as_long_as_it_stands_for_one() {
    let server = Server::with(vec![pending(1, "a"), pending(120, "b"), pending(121, "c"), pending(30, "d")]).await;
    assert!(server.asked(&["show", "FX-1"]).out.starts_with("fx-1 pending"));
    assert!(server.asked(&["show", "fx-3"]).out.starts_with("fx-30 pending"));
    let several = server.asked(&["show", "fx-12"]);
    assert_eq!(several.code, Some(2));
    assert!(several.beside.contains("fx-121, fx-120"), "{several:?}");
    for nobody in ["fx-9", "12", "a-1234567"] {
        assert_eq!(server.asked(&["show", nobody]).code, Some(3), "{nobody}");
    }
    assert!(server.asked(&["show", "120"]).out.starts_with("fx-120 pending"), "a number alone is a whole id");
    let shown = server.asked(&["show", "fx-30"]).out;
    assert!(shown.contains(r#"run "/bin/true" "--unit" "a b\u001b[2J""#), "{shown}");
    assert!(shown.contains(&format!("plan digest {DIGEST}")), "{shown}");
    assert_eq!(server.json(&["show", "fx-30"])["fix"]["planDigest"], DIGEST);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_approves_the_plan_that_it_names_and_no_other() {
    let server = Server::with(vec![pending(1, "service:search")]).await;
    let unnamed = server.asked(&["approve", "fx-1"]);
    assert_eq!(unnamed.code, Some(2));
    assert!(unnamed.beside.contains("stella-tui fixes show fx-1"), "{unnamed:?}");
    assert_eq!(server.asked(&["approve", "fx-1", "--plan-digest", "5f0e2d1"]).code, Some(2), "seven digits");
    assert_eq!(server.asked(&["approve", "fx-1", "--plan-digest", "5f0e2d1d"]).code, Some(4), "another plan");
    assert_eq!(server.json(&["show", "fx-1"])["fix"]["status"], "pending");

    let done = server.asked(&["approve", "fx-1", "--plan-digest", "5F0E2D1C", "--reason", "it is mine"]);
    assert_eq!((done.code, done.first_words()), (Some(0), vec!["fx-1"]), "{done:?}");
    let fix = &server.json(&["show", "fx-1"])["fix"];
    assert_eq!((approved(fix), &fix["approvals"][0]["reason"]), (1, &"it is mine".into()));
    let again = server.asked(&["approve", "fx-1", "--plan-digest", DIGEST]);
    assert_eq!(again.code, Some(4), "{again:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_change_what_they_say_and_those_who_may_not_are_told() {
    let server = Server::with(vec![pending(1, "a"), pending(2, "b"), ended(3, FixStatus::InDoubt)]).await;
    let viewer = server.token(Role::Viewer);
    for (token, words) in [
        (viewer.as_str(), &["reject", "fx-1", "--reason", "no"][..]),
        (viewer.as_str(), &["off"]),
        ("not-a-token", &["ls"]),
        ("", &["ls"]),
    ] {
        let said = server.asked_as(token, words);
        assert_eq!(said.code, Some(5), "{words:?}: {said:?}");
    }
    assert_eq!(server.asked_as(&viewer, &["ls"]).code, Some(0), "a viewer may look");

    let rejected = server.json(&["reject", "fx-1", "--reason", "wrong host"]);
    assert_eq!((&rejected["id"], &rejected["status"]), (&"fx-1".into(), &"rejected".into()));
    let twice = server.asked(&["reject", "fx-1", "--reason", "wrong host"]);
    assert_eq!(twice.code, Some(4), "{twice:?}");
    let closed = server.json(&["close", "fx-3", "--reason", "it ran; I looked"]);
    assert_eq!(closed["status"], "closed_manually");
    assert_eq!(server.asked(&["propose", "nothing-like-it"]).code, Some(3));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_and_the_windows_hold_for_all() {
    let server = Server::with(vec![pending(1, "a")]).await;
    let off = server.asked(&["off", "--reason", "wrong inventory"]);
    assert_eq!(off.code, Some(0), "{off:?}");
    assert!(off.out.starts_with("fixes are off since ") && off.out.ends_with(": wrong inventory\n"), "{off:?}");
    assert_eq!(server.json(&["show", "fx-1"])["fix"]["status"], "superseded");
    assert_eq!(server.asked(&["on"]).out, "fixes are on\n");

    assert_eq!(server.asked(&["maintenance"]).code, Some(3));
    let window = server.json(&["maintenance", "--for", "2h", "--target", "service:", "--reason", "move"]);
    let at = |name: &str| Timestamp::parse(window[name].as_str().unwrap()).unwrap();
    let lasts = at("until").since(at("from"));
    assert!((7_190_000..=7_200_000).contains(&lasts), "{window}");
    let listed = server.asked(&["maintenance"]);
    assert_eq!((listed.code, listed.first_words()), (Some(0), vec!["ID", "win-1"]), "{listed:?}");
    assert_eq!(server.asked(&["maintenance", "--for", "30d"]).code, Some(2), "the server takes seven days at most");
    assert_eq!(server.asked(&["maintenance", "end", "win-2"]).code, Some(3), "there is none");
    assert_eq!(server.asked(&["suppressions"]).code, Some(3));
    assert_eq!(server.asked(&["lift", "sup-1"]).code, Some(3));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn following_ends_with_the_fix_and_says_by_its_code_whether_it_helped() {
    let server = Server::with(vec![ended(1, FixStatus::Executed), ended(2, FixStatus::Failed), pending(3, "c")]).await;
    let kept = server.asked(&["output", "fx-1"]);
    assert_eq!((kept.code, kept.out.lines().count()), (Some(0), 3), "{kept:?}");
    assert!(kept.out.lines().all(|line| line.contains(" 1 out    line ")), "{kept:?}");
    assert_eq!(server.asked(&["output", "fx-1", "--step", "2"]).code, Some(3), "it has one");
    let numbers = |said: &Said| {
        let lines = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    for (id, code) in [("fx-1", 0), ("fx-2", 1)] {
        let said = server.asked(&["output", id, "--follow", "-o", "json"]);
        assert_eq!((said.code, numbers(&said)), (Some(code), vec![1, 2, 3]), "{said:?}");
    }

    let mut follower = server.command(&server.admin, &["output", "fx-3", "-f"]).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with("line 1^[[2J"), "what was said before comes first");
    assert_eq!(server.asked(&["reject", "fx-3", "--reason", "no"]).code, Some(0));
    assert_eq!(lines.count(), 2, "each line once");
    let mut beside = String::new();
    follower.stderr.take().unwrap().read_to_string(&mut beside).unwrap();
    assert_eq!(follower.wait().unwrap().code(), Some(1), "{beside}");
    assert!(beside.contains("fx-3 pending") && beside.contains("fx-3 rejected"), "{beside}");
    server.stop().await;
}

/// Approves at a terminal, typing this when asked.
fn typed(server: &Server, typed: &str) -> (u32, String) {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_stella-tui"));
    command.args(["fixes", "approve", "fx-1", "--server", &server.address]);
    command.env_clear();
    command.env("HOME", server.data.path());
    command.env("STELLA_TOKEN", &server.admin);
    program::typed(command, typed)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_the_plan_is_shown_and_the_id_has_to_be_typed() {
    let server = Server::with(vec![pending(1, "service:search")]).await;
    for other in ["y\r", "\r", "fx-12\r", "\u{4}"] {
        let (code, seen) = typed(&server, other);
        assert_eq!(code, 1, "{other:?}: {seen}");
        assert!(seen.contains("nothing was changed"), "{other:?}: {seen}");
    }
    assert_eq!(server.json(&["show", "fx-1"])["fix"]["status"], "pending");
    let (code, seen) = typed(&server, "FX-1\r");
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains(r#"run "/bin/true""#) && seen.contains(DIGEST), "{seen}");
    assert_eq!(approved(&server.json(&["show", "fx-1"])["fix"]), 1);
    server.stop().await;
}

#[test]
fn nobody_there_is_unreachable_and_the_demo_answers_and_ends() {
    let home = tempfile::tempdir().unwrap();
    let program = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stella-tui"));
        command.args(words).env_clear().env("HOME", home.path()).env("USER", "op").stdin(Stdio::null());
        Said::of(&command.output().unwrap())
    };
    assert_eq!(program(&["fixes", "ls", "--server", "http://127.0.0.1:1"]).code, Some(6));
    let said = program(&["--demo", "fixes", "maintenance", "--for", "1h", "-o", "json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let window: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(window["by"], "op@local");
}
