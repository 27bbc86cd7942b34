//! A walk through all that a console can show, and what is typed on the way.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::payloads::Payload;
use crate::session::Session;

/// How long a key may take to show something; some keys show nothing.
const GLANCE: Duration = Duration::from_millis(250);

/// Columns and rows of an ordinary terminal, and of one that shows a whole page at once.
const ORDINARY: (u16, u16) = (80, 24);
const TALL: (u16, u16) = (80, 120);

/// The Escape key in the form that cannot run together with the key after it.
const ESC: &str = "\u{1b}[27u";

/// What the screen shows.
pub fn screen(session: &mut Session) -> String {
    let seen = RefCell::new(String::new());
    session.wait("anything", |screen| {
        screen.clone_into(&mut seen.borrow_mut());
        true
    });
    seen.into_inner()
}

/// Types, and looks until something else is shown, or nothing was for a while. Answers with what is.
pub fn look(session: &mut Session, keys: &str) -> String {
    let (before, begun) = (screen(session), Instant::now());
    session.type_keys(keys);
    session.until("a glance", |session| screen(session) != before || begun.elapsed() > GLANCE);
    screen(session)
}

/// Waits until the screen is as it should be after these keys.
fn go(session: &mut Session, keys: &str, what: &str, fits: impl Fn(&str) -> bool) -> String {
    session.type_keys(keys);
    session.wait(what, fits);
    screen(session)
}

/// Through every screen in two sizes; answers with all that was shown.
pub fn everywhere(session: &mut Session, payloads: &[Payload], alerts: usize) -> String {
    let mut shown = String::new();
    for size in [ORDINARY, TALL] {
        session.resize(size.0, size.1);
        shown += &list(session);
        shown += &details(session, if size == TALL { alerts } else { 6 });
        shown += &log(session);
        shown += &metrics(session);
        shown += &migrations(session);
        shown += &go(session, "?", "the help page", |screen| screen.contains("keys of"));
        go(session, ESC, "no help page", |screen| !screen.contains("keys of"));
    }
    session.resize(ORDINARY.0, ORDINARY.1);
    shown + &dialogs(session, payloads)
}

fn list(session: &mut Session) -> String {
    let mut shown = go(session, "1", "the list", |screen| screen.contains("SUMMARY"));
    shown += &look(session, "gg");
    for _ in 0..12 {
        shown += &look(session, "\u{6}");
        shown += &look(session, "i");
    }
    shown + &look(session, "gg")
}

/// The first `many` alerts, each as it is explained and as it was sent.
fn details(session: &mut Session, many: usize) -> String {
    let mut shown = go(session, "\r", "an alert", |screen| !screen.contains("SUMMARY"));
    for _ in 0..many {
        shown += &look(session, "\u{6}");
        shown += &look(session, "d");
        shown += &look(session, "\u{6}");
        shown += &look(session, "d");
        shown += &look(session, "J");
    }
    shown += &look(session, "gl");
    shown += &look(session, "n");
    go(session, "1", "the alert again", |screen| !screen.contains("─ log"));
    go(session, ESC, "the list again", |screen| screen.contains("SUMMARY"));
    shown
}

fn log(session: &mut Session) -> String {
    let mut shown = go(session, "5", "the log", |screen| screen.contains("log"));
    for keys in ["gg", "\r", "\u{6}", ESC, "G", "\r", ESC, "e"] {
        shown += &look(session, keys);
    }
    for _ in 0..8 {
        shown += &look(session, "\u{1b}[5~");
    }
    shown += &look(session, "/");
    shown += &look(session, "failed\r");
    shown + &look(session, ESC)
}

fn metrics(session: &mut Session) -> String {
    let mut shown = go(session, "4", "the metrics", |screen| screen.contains("metrics"));
    for keys in ["\u{6}", "\u{6}", "\u{6}", "\r", "+", "G", "\r"] {
        shown += &look(session, keys);
    }
    shown
}

fn migrations(session: &mut Session) -> String {
    let mut shown = go(session, "3", "migrations", |screen| screen.contains("migrations") || screen.contains("mig-1"));
    for _ in 0..7 {
        shown += &look(session, "\t");
        for keys in ["\u{6}", "j", "\u{6}", "G"] {
            shown += &look(session, keys);
        }
    }
    for keys in ["\u{6}", "\u{6}", "i", "d", "\u{6}", ESC, "E", ESC, "3"] {
        shown += &look(session, keys);
    }
    shown
}

/// Every payload is pasted into what is asked for, and nothing of it is sent.
fn dialogs(session: &mut Session, payloads: &[Payload]) -> String {
    let mut shown = go(session, "1", "the list", |screen| screen.contains("SUMMARY"));
    for payload in payloads {
        for (key, asked) in [("c", "note on "), ("/", "filter"), ("R", "why?")] {
            go(session, key, asked, |screen| screen.contains(asked));
            session.type_keys(&pasted(&payload.text()));
            shown += &look(session, "");
            go(session, ESC, "no question", |screen| !screen.contains(asked));
        }
    }
    shown
}

/// What a terminal sends for a paste.
fn pasted(text: &str) -> String {
    format!("\u{1b}[200~{text}\u{1b}[201~")
}

/// Pastes everything hostile into one note, and sends it.
pub fn write_note(session: &mut Session, payloads: &[Payload]) {
    go(session, "c", "a note", |screen| screen.contains("note on "));
    let all: Vec<String> = payloads.iter().map(|payload| payload.text().chars().take(30).collect()).collect();
    session.type_keys(&pasted(&format!("pasted {}", all.join(" "))));
    session.wait("the paste", |screen| screen.contains("> ") && screen.contains("note on "));
    go(session, "\r", "the note sent", |screen| !screen.contains("Kept in the audit trail"));
}

/// Has the server refuse a verb.
pub fn refused(session: &mut Session) {
    go(session, "a", "a refusal", |screen| screen.contains("refused: "));
}

/// Pastes into the question whether a closing verb is meant.
pub fn paste_into_confirmation(session: &mut Session, text: &str) {
    go(session, "R", "the reason", |screen| screen.contains("why?"));
    go(session, "\r", "the question", |screen| screen.contains("y yes"));
    // Deaf for a moment after it opens: the paste comes when it listens, too.
    let opened = Instant::now();
    session.until("the question listens", |_| opened.elapsed() > 2 * GLANCE);
    session.type_keys(&pasted(text));
    look(session, "");
    session.wait("the question still there", |screen| screen.contains("y yes"));
    go(session, ESC, "no question", |screen| !screen.contains("y yes"));
}

/// Quits.
pub fn leave(session: &mut Session) {
    session.type_keys("\u{3}\u{3}");
    assert_eq!(session.ended_within(Duration::from_secs(10)), Some(0));
}
