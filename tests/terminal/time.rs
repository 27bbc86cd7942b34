//! What time alone does to the screen, with a real server behind it: the loop must wake by itself, and
//! must not when nothing changes.

use chrono::{Timelike, Utc};

use crate::server::{Server, serves};
use crate::session::Session;

/// The test that the server's process runs.
const HOST: &str = "time::a_server_that_stands_still_is_late_then_stale_and_live_again";

/// From this second on too little of the minute is left for two heartbeats.
const TOO_LATE: u32 = 44;

fn live(server: &Server) -> Session {
    let mut session = Session::start(server.console());
    session.wait("a live feed", |screen| screen.contains("LIVE"));
    session
}

#[test]
fn a_server_that_stands_still_is_late_then_stale_and_live_again() {
    if serves() {
        return;
    }
    let server = Server::start(HOST);
    let mut session = live(&server);
    server.signal("STOP");
    session.wait("LATE", |screen| screen.contains("LATE"));
    session.wait("STALE", |screen| screen.contains("STALE since"));
    server.signal("CONT");
    session.wait("LIVE again", |screen| screen.contains("LIVE"));
}

#[test]
fn a_notice_goes_by_itself_while_nothing_else_happens() {
    let server = Server::start(HOST);
    let mut session = live(&server);
    // No heartbeat is to wake the loop: time has to.
    server.signal("STOP");
    // Of use in the log only.
    session.type_keys("n");
    session.wait("the notice", |screen| screen.contains("does nothing here"));
    session.wait("its end", |screen| !screen.contains("does nothing here"));
}

#[test]
fn heartbeats_write_nothing_on_a_screen_that_stays_the_same() {
    let server = Server::start(HOST);
    let mut session = live(&server);
    let mut feed = server.feed();
    feed.heartbeat();
    let now = Utc::now();
    if now.second() >= TOO_LATE {
        let next = (now + chrono::Duration::minutes(1)).format("%H:%M UTC").to_string();
        session.wait("the next minute", |screen| screen.contains(&next));
    }
    let written = session.settled();
    feed.heartbeat();
    feed.heartbeat();
    let output = session.output();
    assert_eq!(output.len(), written, "wrote {:?}", output.get(written..));
}
