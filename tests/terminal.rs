//! The real program in a pseudo-terminal: its first frame, its silence, and that it always gives the
//! terminal back. Most need no server: the first-run page and an address where nobody listens are
//! enough; what time does to a connected console stands in `terminal/time.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[cfg(feature = "embedded")]
#[path = "terminal/company.rs"]
mod company;
#[cfg(feature = "embedded")]
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "served/process.rs"]
mod process;
#[cfg(feature = "embedded")]
#[path = "terminal/server.rs"]
mod server;
#[path = "terminal/session.rs"]
mod session;
#[cfg(feature = "embedded")]
#[path = "terminal/time.rs"]
mod time;

use std::time::{Duration, Instant};

use session::{Session, program};

/// Nobody listens there: the port is reserved and closed.
const NOBODY: &str = "http://127.0.0.1:1";

/// What leaving the terminal writes last.
const LEFT: &str = "\u{1b}[?1049l\u{1b}[?25h";

#[test]
fn the_first_frame_stands_before_anybody_was_asked() {
    let mut session = Session::start(program(&["--server", NOBODY]));
    session.wait("a frame", |screen| screen.contains("SERVER"));
    let first = session.first_byte().unwrap();
    // Generous for a loaded machine in a debug build; the release figure is a bench's business.
    assert!(first < Duration::from_millis(500), "{first:?}");
}

#[test]
fn nothing_is_written_while_nothing_changes() {
    let mut session = Session::start(program(&[]));
    session.wait("the first-run page", |screen| screen.contains("demo"));
    let written = session.settled();
    session.stays_silent_for(Duration::from_secs(2), written);
}

#[test]
fn every_way_to_end_gives_the_terminal_back() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let mut session = Session::start(program(&["--server", NOBODY]));
        session.wait("a frame", |screen| screen.contains("SERVER"));
        session.signal(signal);
        assert_eq!(session.ended_within(Duration::from_secs(5)), Some(code), "SIG{signal}");
        assert!(session.output().ends_with(LEFT), "SIG{signal}: {:?}", session.tail());
        assert!(session.is_cooked(), "SIG{signal} left raw mode on");
    }
}

#[test]
fn keys_reach_the_console_and_quitting_gives_the_terminal_back() {
    let mut session = Session::start(program(&[]));
    session.wait("the first-run page", |screen| screen.contains("demo"));
    session.type_keys("\u{3}\u{3}");
    assert_eq!(session.ended_within(Duration::from_secs(5)), Some(0));
    assert!(session.output().ends_with(LEFT), "{:?}", session.tail());
    assert!(session.is_cooked());
}

#[test]
fn a_terminal_that_goes_away_ends_the_console_within_two_seconds() {
    let mut session = Session::start(program(&["--server", NOBODY]));
    session.wait("a frame", |screen| screen.contains("SERVER"));
    let closed = Instant::now();
    session.close();
    assert!(session.ended_within(Duration::from_secs(2)).is_some(), "still there {:?} later", closed.elapsed());
}

#[test]
fn also_when_hang_ups_are_ignored() {
    let mut session = Session::start_ignoring_hang_ups(program(&["--server", NOBODY]));
    session.wait("a frame", |screen| screen.contains("SERVER"));
    session.close();
    assert!(session.ended_within(Duration::from_secs(2)).is_some());
}

#[test]
fn a_stopped_console_has_given_the_terminal_back_and_takes_it_again() {
    let mut session = Session::start(program(&["--server", NOBODY]));
    session.wait("a frame", |screen| screen.contains("SERVER"));
    session.type_keys("\u{1a}");
    session.wait_output("the terminal back", |output| output.ends_with(LEFT));
    session.until("the process stopped", Session::is_stopped);
    assert!(session.is_cooked());
    session.signal("CONT");
    session.wait("the frame again", |screen| screen.contains("SERVER"));
    session.until("raw mode", |session| !session.is_cooked());
}

#[test]
fn another_size_is_painted_whole() {
    let mut session = Session::start(program(&["--server", NOBODY]));
    session.wait("a frame", |screen| screen.contains("SERVER"));
    session.resize(100, 30);
    session.wait("a wider header", |screen| screen.lines().next().is_some_and(|line| line.trim_end().len() > 80));
}

#[test]
fn a_frame_is_written_inside_a_synchronised_update_and_holds_no_other_control() {
    let mut session = Session::start(program(&["--server", NOBODY]));
    session.wait("a frame", |screen| screen.contains("SERVER"));
    session.signal("TERM");
    session.ended_within(Duration::from_secs(5));
    let output = session.output();
    assert_eq!(
        output.matches("\u{1b}[?2026h").count() + 1,
        output.matches("\u{1b}[?2026l").count(),
        "the last ends a cut frame"
    );
    let bare: Vec<char> = output.chars().filter(|c| c.is_control() && *c != '\u{1b}').collect();
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn keys_come_from_the_terminal_while_the_input_is_a_pipe() {
    let script = "mkfifo \"$HOME/in\"; (echo hello; sleep 9) >\"$HOME/in\" 2>/dev/null </dev/null & exec \"$0\" \"$@\" <\"$HOME/in\"";
    let mut session = Session::start_in_shell(script, program(&[]));
    session.wait("the pipe's badge", |screen| screen.contains("PIPE"));
    session.type_keys("?");
    session.wait("the help page", |screen| screen.contains("acknowledge"));
    session.type_keys("\u{3}\u{3}");
    assert_eq!(session.ended_within(Duration::from_secs(10)), Some(0));
    assert!(session.is_cooked());
}

#[cfg(feature = "embedded")]
#[test]
fn a_file_that_is_not_there_is_waited_for_aloud_until_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nope").display().to_string();
    let waits = format!("waiting for {file}");
    let mut plain = Session::start(program(&["--tail", &file, "--plain"]));
    plain.wait_output("the remark", |output| output.contains(&waits));
    let mut session = Session::start(program(&["--tail", &file]));
    session.resize(200, 30);
    session.wait("the wait", |screen| screen.contains(&waits));
    std::fs::write(&file, "INFO hello\n").unwrap();
    session.wait("its end", |screen| !screen.contains("waiting for") && screen.contains("TAIL"));
}

#[cfg(feature = "embedded")]
#[test]
fn a_pipe_that_ended_is_said_so_once() {
    let mut session = Session::start_in_shell("echo hello | exec \"$0\"", program(&[]));
    session.resize(120, 30);
    session.wait("the end", |screen| screen.contains("the pipe ended ") && !screen.contains("ended ended"));
}

/// Says to the test below that it runs inside its own terminal.
const INSIDE: &str = "STELLA_TEST_PANIC";

#[test]
fn a_panic_gives_the_terminal_back_before_it_complains() {
    if std::env::var_os(INSIDE).is_some() {
        let _terminal = stella_tui::terminal::Terminal::enter(false).unwrap();
        panic!("as the test wants it");
    }
    let own = std::env::current_exe().unwrap().display().to_string();
    let name = "a_panic_gives_the_terminal_back_before_it_complains";
    let argv = ["env", &format!("{INSIDE}=1"), &own, name, "--exact", "--nocapture"].map(str::to_owned);
    let mut session = Session::start(argv);
    assert_eq!(session.ended_within(Duration::from_secs(20)), Some(101), "{:?}", session.tail());
    let output = session.output();
    let (left, complained) = (output.find(LEFT), output.find("as the test wants it"));
    assert!(left.is_some() && left < complained, "{output:?}");
    assert!(session.is_cooked());
}
