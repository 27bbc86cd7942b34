//! SIGKILL in the middle of the work: what was acknowledged is there afterwards.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use stella_protocol::{Role, Text, Timestamp};

use super::SqliteStore;
use crate::alerts::sample::alert;
use crate::store::{AuditEntry, Commit, NewEvent, Replay, Store, Tx, Verdict, Write};

/// Tells the child where to work.
const FOLDER: &str = "STELLA_TEST_KILLED_IN";

#[test]
fn a_killed_server_keeps_every_commit_that_it_acknowledged() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        work(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=5_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "store::sqlite::kill::a_killed_server_keeps_every_commit_that_it_acknowledged",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut acks = said.filter_map(|line| line.split("ack ").nth(1)?.trim().parse::<u64>().ok());
        let wanted = acknowledged + 20 * round;
        for ack in acks.by_ref() {
            acknowledged = ack;
            if ack >= wanted {
                break;
            }
        }
        child.kill().unwrap();
        acknowledged = acks.last().unwrap_or(acknowledged);
        child.wait().unwrap();
        assert!(acknowledged >= wanted, "the child spoke until {acknowledged}");
        let kept = check(folder.path());
        assert!(kept >= acknowledged, "{kept} kept of {acknowledged} acknowledged");
        acknowledged = kept;
    }
}

/// Commits alerts until somebody ends it, and says each number that is durable.
fn work(folder: &Path) -> ! {
    let store = SqliteStore::open(folder, Timestamp::default()).unwrap();
    loop {
        let next = store.head().unwrap().cursor.seq + 1;
        let state = Arc::new(alert(&format!("f{next}"), next as usize, next as i64));
        let audit = AuditEntry {
            principal: Text::new("p"),
            role: Role::Responder,
            verb: "open",
            object: state.alert.id.to_string(),
            versions: (0, 1),
            key: String::new(),
            verdict: Verdict::Done,
            detail: Text::default(),
        };
        let event = NewEvent { kind: "alert", body: state.alert.id.to_string() };
        let tx = Tx { writes: vec![Write::Open(state)], audit: vec![audit], events: vec![event], ..Tx::default() };
        let [Commit::Committed { first_seq }] = &store.commit_all(vec![tx])[..] else { std::process::exit(1) };
        writeln!(std::io::stdout(), "ack {first_seq}").unwrap();
    }
}

/// Every kept number has its event, its alert and its audit row; answers how many there are.
fn check(folder: &Path) -> u64 {
    let store = SqliteStore::open(folder, Timestamp::default()).unwrap();
    let head = store.head().unwrap().cursor.seq;
    assert_eq!(store.verify_audit().unwrap(), Ok(head));
    assert_eq!(store.recent(Timestamp::default()).unwrap().len() as u64, head);
    let mut after = 0;
    while after < head {
        let Replay::Page(page) = store.events(after, 500).unwrap() else { unreachable!("nothing was forgotten") };
        for event in page {
            after += 1;
            assert_eq!((event.seq, event.body), (after, format!("a-{after:07}")));
        }
    }
    head
}
