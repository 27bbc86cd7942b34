//! The corpus of hostile text through every way in, judged at every way out: the bytes of the screen,
//! the lines of plain mode, and the frames of the feed.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "hostile/api.rs"]
mod api;
#[path = "hostile/feed.rs"]
mod feed;
#[path = "hostile/judge.rs"]
mod judge;
#[path = "hostile/migrations.rs"]
mod migrations;
#[path = "hostile/payloads.rs"]
mod payloads;
#[path = "hostile/server.rs"]
mod server;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "terminal/session.rs"]
mod session;
#[path = "hostile/tour.rs"]
mod tour;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use api::Api;
use payloads::{Payload, dated, json_lines, payloads, text_lines};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use server::{Hostile, Manner};
use session::{Session, program as argv};
use stella_protocol::{Alert, FeedEvent, Role, Status};
use stella_server::admin::{self, AdminAnswer, AdminRequest};
use stella_widgets::text::sanitise;

/// The program without a terminal.
fn program(home: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stella-tui"));
    command.args(arguments).env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin").env("USER", "op");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Gives it these bytes to read, to their end.
fn piped(mut command: Command, input: Vec<u8>) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// It ended well and wrote nothing but text.
fn judged(output: &Output) -> String {
    judge::lines(&output.stdout);
    judge::lines(&output.stderr);
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// How many payloads can be seen in it, made safe: without this a test might judge empty pages.
fn seen(said: &str, payloads: &[Payload]) -> Vec<String> {
    let shows = |payload: &&Payload| {
        let safe = sanitise(&payload.text());
        let start: String = safe.trim().chars().take(12).collect();
        said.contains(start.trim_end())
    };
    payloads.iter().filter(|payload| !shows(payload)).map(|payload| payload.name.clone()).collect()
}

#[test]
fn lines_of_a_pipe_come_out_as_plain_text() {
    let (home, payloads) = (tempfile::tempdir().unwrap(), payloads());
    let mut input = Vec::new();
    for (minute, payload) in payloads.iter().enumerate() {
        for line in dated(&payload.text(), minute) {
            input.extend_from_slice(line.to_string().as_bytes());
            input.push(b'\n');
        }
        input.extend(text_lines(&payload.bytes, minute));
    }
    let said = judged(&piped(program(&home, &["--plain"]), input));
    let missing = seen(&said, &payloads);
    assert!(missing.len() <= 3, "nothing was said of {missing:?}:\n{said}");
}

#[test]
fn floods_of_bytes_lines_and_depth_come_to_an_end() {
    let home = tempfile::tempdir().unwrap();
    let mut input = vec![b'A'; 64 << 20];
    input.push(b'\n');
    input.extend(vec![b'\n'; 1_000_000]);
    input.extend("[".repeat(5_000).into_bytes());
    input.push(b'\n');
    input.extend(format!("{}{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)).into_bytes());
    input.push(b'\n');
    for line in json_lines("after the flood") {
        input.extend(format!("{line}\n").into_bytes());
    }
    let said = judged(&piped(program(&home, &["--plain"]), input));
    assert!(said.contains("after the flood"), "{said}");
}

#[test]
fn names_of_followed_files_are_shown_as_plain_text() {
    let (home, folder, payloads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), payloads());
    let mut command = program(&home, &["--plain", "--tail"]);
    for payload in &payloads {
        let file = folder.path().join(OsStr::from_bytes(&payload.file_name(12)));
        let lines: Vec<String> = json_lines(&payload.name).iter().map(Value::to_string).collect();
        fs::write(&file, format!("{}\n", lines.join("\n"))).unwrap();
        command.arg(&file);
    }
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = Vec::new();
    while !payloads.iter().all(|payload| said.windows(payload.name.len()).any(|name| name == payload.name.as_bytes())) {
        assert!(out.read_until(b'\n', &mut said).unwrap() > 0, "it ended");
    }
    interrupt(&child);
    let rest = child.wait_with_output().unwrap();
    judge::lines(&said);
    judge::lines(&rest.stderr);
    assert_eq!(rest.status.code(), Some(0));

    let there = format!("'{}'/*", folder.path().display());
    for (files, said) in [(there.as_str(), ".log, "), ("'/nowhere\u{1b}[2J'", "waiting for /nowhere")] {
        let mut session =
            Session::start_in_shell(&format!("exec \"$0\" \"$@\" {files}"), argv(&["--no-bell", "--tail"]));
        session.resize(1_000, 24);
        session.wait("the badge and the names", |screen| screen.contains("[TAIL]") && screen.contains(said));
        session.signal("TERM");
        session.ended_within(Duration::from_secs(10)).unwrap();
        judge::frames(&session.output());
    }
}

#[test]
fn a_token_has_no_hostile_name() {
    let folder = tempfile::tempdir().unwrap();
    for payload in payloads() {
        let request = AdminRequest::CreateToken { role: Role::Viewer, name: payload.text(), expires_days: None };
        match admin::run(folder.path(), &request).unwrap() {
            AdminAnswer::Refused { reason } => judge::lines(reason.as_bytes()),
            other => panic!("{}: {other:?}", payload.name),
        }
    }
}

#[test]
fn what_an_application_says_reaches_the_screen_as_plain_text() {
    let (api, payloads) = (Api::start(), payloads());
    for payload in &payloads {
        api.send_json(&json_lines(&payload.text()));
    }
    api.until("alerts about most of it", |api| {
        let services: BTreeSet<String> = api.alerts().iter().map(|alert| alert.service.raw().to_owned()).collect();
        (services.len() + 3 >= payloads.len()).then_some(())
    });
    write_on_alerts(&api, &payloads);
    let mut session = watching(&api);
    session.wait("the list", |screen| screen.contains("LIVE") && screen.contains("CRIT"));
    let before = decisions(&api);
    let shown = tour::everywhere(&mut session, &payloads, api.alerts().len());
    assert_eq!(decisions(&api), before, "looking around decided something");
    let missing = seen(&shown, &payloads);
    assert!(missing.len() <= 3, "never seen: {missing:?}");

    tour::write_note(&mut session, &payloads);
    let note = api.until("the note", |api| {
        let notes = api.alerts().into_iter().flat_map(|alert| alert.notes);
        notes.map(|note| note.text.raw().to_owned()).find(|text| text.starts_with("pasted "))
    });
    assert!(!note.contains(char::is_control), "{note:?}");
    tour::leave(&mut session);
    judge::frames(&session.output());
}

/// Notes and reasons, in the words of somebody who means harm.
fn write_on_alerts(api: &Api, payloads: &[Payload]) {
    for (at, (alert, payload)) in api.alerts().iter().zip(payloads).enumerate() {
        let (verb, key) = (["note", "resolve", "false-positive"][at % 3], format!("key-{at}"));
        let text: String = payload.text().chars().take(200).collect();
        api.verb(alert, verb, &key, &json!({ "text": text }));
    }
}

/// How often anything was decided on the alerts.
fn decisions(api: &Api) -> usize {
    let actions: Value = api.get("actions", &[]);
    actions["items"].as_array().unwrap().len()
}

#[test]
fn what_a_hostile_server_says_reaches_the_screen_as_plain_text() {
    let payloads = payloads();
    let server = Hostile::start(Manner::Speaks);
    let mut session = Session::start(argv(&["--no-bell", "--server", &server.address()]));
    session.wait("the list", |screen| screen.contains("LIVE") && screen.contains("CRIT"));
    let shown = tour::everywhere(&mut session, &payloads, payloads.len());
    let missing = seen(&shown, &payloads);
    assert!(missing.len() <= 3, "never seen: {missing:?}");
    tour::refused(&mut session);
    tour::leave(&mut session);
    judge::frames(&session.output());
}

#[test]
fn what_a_hostile_server_says_comes_out_of_plain_mode_as_plain_text() {
    let (home, payloads) = (tempfile::tempdir().unwrap(), payloads());
    let server = Hostile::start(Manner::Speaks);
    let table = judged(&program(&home, &["--server", &server.address()]).output().unwrap());
    assert!(seen(&table, &payloads).len() <= 3, "{table}");

    let mut child = program(&home, &["--plain", "--server", &server.address()]).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut told = BTreeSet::new();
    while told.len() < payloads.len() {
        let mut line = Vec::new();
        assert!(said.read_until(b'\n', &mut line).unwrap() > 0, "it ended with {} alerts", told.len());
        judge::lines(&line);
        let line = String::from_utf8(line).unwrap();
        let mut words = line.split(' ').skip(1);
        if words.next() == Some("NEW") {
            told.extend(words.nth(1).map(str::to_owned));
        }
    }
    interrupt(&child);
    judge::lines(&child.wait_with_output().unwrap().stderr);
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn the_first_word_of_a_hostile_server_is_no_way_in_either() {
    let home = tempfile::tempdir().unwrap();
    for manner in Manner::FIRST_WORDS {
        for payload in payloads().into_iter().step_by(3) {
            let server = Hostile::with(manner, &payload.bytes);
            let output = program(&home, &["--server", &server.address()]).output().unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            judge::lines(&output.stdout);
            judge::lines(&output.stderr);
            let code = output.status.code();
            assert!(matches!(code, Some(5 | 6)), "{manner:?} {}: {code:?} {complaint}", payload.name);
            assert!(complaint.starts_with("stella-tui: failed to "), "{complaint}");
        }
    }
}

#[test]
fn no_event_of_the_feed_is_forged_by_what_a_line_says() {
    let (api, payloads) = (Api::start(), payloads());
    let feed = feed::open(&api);
    for (minute, payload) in payloads.iter().enumerate() {
        api.send_json(&json_lines(&payload.text()));
        api.send("text/plain", text_lines(&payload.bytes, minute), None);
    }
    // Longer ones are no names, and raw lines may be left out when many come.
    let wanted = payloads.iter().map(Payload::text).filter(|text| text.len() <= 256 && !text.trim().is_empty());
    let wanted = wanted.collect();
    let events = feed.read_all(&api, &wanted);
    let kinds: BTreeSet<&str> = events.iter().map(FeedEvent::name).collect();
    for (kind, wanted) in [("hello", 1), ("bye", 0), ("reset", 0)] {
        assert_eq!(events.iter().filter(|event| event.name() == kind).count(), wanted, "{kind} of {kinds:?}");
    }
    assert!(kinds.is_superset(&["", "alert", "log_line"].into()), "{kinds:?}");
}

#[test]
fn what_a_terminal_answers_decides_nothing() {
    let seed: u64 = rand::random();
    let mut dice = StdRng::seed_from_u64(seed);
    let api = Api::start();
    api.send_json(&json_lines("calm"));
    api.until("alerts", |api| (!api.alerts().is_empty()).then_some(()));
    let mut session = watching(&api);
    session.wait("the list", |screen| screen.contains("LIVE") && screen.contains("calm"));
    for _ in 0..100 {
        let answers: String = (0..50).map(|_| answer(&mut dice)).collect();
        tour::look(&mut session, &answers);
        let ended = session.ended_within(Duration::from_millis(1));
        assert_eq!(ended, None, "it was talked into ending; seed {seed}");
    }
    tour::leave(&mut session);
    judge::frames(&session.output());
    undecided(&api, &format!("seed {seed}"));
}

#[test]
fn a_paste_confirms_nothing() {
    let api = Api::start();
    api.send_json(&json_lines("calm"));
    api.until("alerts", |api| (!api.alerts().is_empty()).then_some(()));
    let mut session = watching(&api);
    session.wait("the list", |screen| screen.contains("LIVE") && screen.contains("calm"));
    tour::paste_into_confirmation(&mut session, &"y\n".repeat(100));
    tour::leave(&mut session);
    undecided(&api, "a paste");
}

/// A console that follows this server as somebody who may decide.
fn watching(api: &Api) -> Session {
    let token = format!("STELLA_TOKEN={}", api.console);
    Session::start([vec!["env".to_owned(), token], argv(&["--no-bell", "--server", &api.base])].concat())
}

/// Nobody has decided anything.
fn undecided(api: &Api, cause: &str) {
    let alerts = api.alerts();
    assert_eq!(decisions(api), 0, "{cause}");
    let untouched = |alert: &Alert| alert.status == Status::New && alert.notes.is_empty();
    assert!(alerts.iter().all(untouched), "{cause}: {alerts:?}");
}

/// What terminals send by themselves: reports of cursor, device, colour, title, clipboard, modes.
fn answer(dice: &mut StdRng) -> String {
    let number = |dice: &mut StdRng| dice.random_range(0..300_u32);
    let letters = |dice: &mut StdRng| (0..8).map(|_| char::from(dice.random_range(b'A'..=b'z'))).collect::<String>();
    let end = if dice.random() { "\u{7}" } else { "\u{1b}\\" };
    match dice.random_range(0..12) {
        0 => format!("\u{1b}[{};{}R", number(dice), number(dice)),
        1 => format!("\u{1b}[?{};{}c", number(dice), number(dice)),
        2 => format!("\u{1b}[>{};{};0c", number(dice), number(dice)),
        3 => format!("\u{1b}[{};{};{}t", number(dice), number(dice), number(dice)),
        4 => format!("\u{1b}]1{};rgb:ffff/aaaa/RRRR{end}", dice.random_range(0..2)),
        5 => format!("\u{1b}]52;c;{}{end}", letters(dice)),
        6 => format!("\u{1b}]l{}{end}", letters(dice)),
        7 => format!("\u{1b}P1$r{}m\u{1b}\\", number(dice)),
        8 => format!("\u{1b}[Maa{}", char::from(dice.random_range(b'A'..=b'z'))),
        9 => format!("\u{1b}[?{}u", number(dice)),
        10 => format!("\u{1b}P1+r{}={}\u{1b}\\", letters(dice), letters(dice)),
        _ => format!("\u{1b}[?{};{}$y", number(dice), dice.random_range(0..5)),
    }
}
