//! The real program without a terminal: lines in, lines out, exit codes that scripts rely on.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

fn program(home: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stella-tui"));
    command.args(arguments).env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin").env("USER", "op");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs it with these lines as its input.
fn piped(lines: &str) -> Output {
    let home = home();
    let mut child = program(&home, &["--plain"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = lines.to_owned();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// A guesser of passwords, as sshd tells of one.
fn attack() -> String {
    let mut lines = String::new();
    for at in 0..60 {
        let _ = writeln!(
            lines,
            "Jan  5 03:12:{at:02} bastion sshd[{}]: Failed password for root from 203.0.113.9 port {} ssh2",
            900 + at,
            40_000 + at
        );
    }
    lines
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}

#[test]
fn a_pipe_that_ends_is_dealt_with_to_its_last_line() {
    let output = piped(&attack());
    let said = text(&output.stdout);
    assert_eq!(code(output.status), Some(0), "{said}\n{}", text(&output.stderr));
    assert!(said.contains(" NEW ") && said.contains("203.0.113.9"), "{said}");
    let summary = said.lines().last().unwrap();
    assert!(summary.starts_with("summary: lines 60, not readable 0, alerts "), "{summary}");
}

/// Guessers of passwords, eight tries from each address; `time` is what every line begins with.
fn crowd(addresses: usize, time: &str) -> String {
    let mut lines = String::new();
    for address in 0..addresses {
        for attempt in 0..8 {
            let (user, port) = (address * 10 + attempt, 40_000 + attempt);
            let _ = writeln!(
                lines,
                "{time}sshd[900]: Failed password for user{user} from 203.0.113.{address} port {port} ssh2"
            );
        }
    }
    lines
}

#[test]
fn nothing_that_was_found_in_the_last_second_is_left_unsaid() {
    for time in ["Jan  5 03:12:07 bastion ", ""] {
        let said = text(&piped(&crowd(200, time)).stdout);
        let is_told = |address: &usize| {
            let address = format!("203.0.113.{address}");
            said.lines().any(|line| line.contains(" NEW ") && line.split_whitespace().any(|word| word == address))
        };
        let untold: Vec<_> = (0..200).filter(|address| !is_told(address)).collect();
        assert!(untold.is_empty(), "{time:?}: of 200 addresses {untold:?} are not told\n{said}");
    }
}

#[test]
fn no_escape_byte_comes_out_whatever_went_in() {
    let output = piped(&attack().replace("root", "\u{1b}[2J\u{9b}31m\u{202e}root"));
    let said = text(&output.stdout);
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
    assert!(!said.contains('\u{202e}'));
}

#[test]
fn an_empty_pipe_is_an_empty_story() {
    let output = piped("");
    assert_eq!(
        text(&output.stdout),
        "summary: lines 0, not readable 0, alerts 0 (critical 0, high 0, medium 0, low 0)\n"
    );
    assert_eq!(code(output.status), Some(0));
}

#[test]
fn an_interrupt_ends_it_well() {
    let home = home();
    let mut child = program(&home, &["--plain"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(attack().as_bytes()).unwrap();
    let mut said = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut said).unwrap();
    assert!(said.contains(" NEW "), "{said}");
    interrupt(&child);
    assert_eq!(code(child.wait().unwrap()), Some(0));
    drop(input);
}

#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    let home = home();
    let mut child = program(&home, &["--plain"]).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    input.write_all(attack().as_bytes()).unwrap();
    drop(input);
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!((code(child.wait().unwrap()), complaint.as_str()), (Some(0), ""));
}

#[test]
fn exit_codes_say_what_was_wrong() {
    for (arguments, wanted, said) in [
        (&["--server", "http://127.0.0.1:1"][..], 6, "nobody listens at 127.0.0.1:1"),
        (&["--server", "prod"], 2, "no server is configured"),
        (&["--server", "ftp://x"], 2, "http://HOST:PORT"),
        (&["--theme", "drak", "--demo"], 2, "did you mean `dark`?"),
        (&["--config", "/nowhere/x.toml", "--demo"], 1, "/nowhere/x.toml"),
        (&["--frobnicate"], 2, "--frobnicate"),
    ] {
        let output = program(&home(), arguments).output().unwrap();
        let complaint = text(&output.stderr);
        assert_eq!(code(output.status), Some(wanted), "{arguments:?}: {complaint}");
        assert!(complaint.contains(said), "{arguments:?}: {complaint}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_demo_tells_three_minutes_and_ends() {
    let output = program(&home(), &["--demo"]).output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(code(output.status), Some(0), "{}", text(&output.stderr));
    assert!(said.lines().filter(|line| line.contains(" NEW ")).count() >= 6, "{said}");
    assert!(said.lines().last().unwrap().starts_with("summary: lines "), "{said}");
}
