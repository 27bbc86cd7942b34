//! Two people at two consoles, with one real server behind both: they see each other, and what one hands over
//! the other gets.

use std::path::Path;
use std::sync::Arc;

use stella_protocol::{Role, Text, Timestamp};
use stella_server::migrate::{Draft, machine};
use stella_server::store::{SqliteStore, Store, Tx, Write};

use crate::server::{Server, serves};
use crate::session::Session;

/// The test that the server's process runs.
const HOST: &str = "company::two_people_see_each_other_and_hand_a_migration_over";

/// A migration that ana made, and that nobody works on.
fn with_a_migration(folder: &Path) {
    let (by, target, map_title) = (Text::new("ana"), Text::new("main"), Text::new("the application"));
    let draft = Draft { by, target, map_title, canary: 3, soak_ms: 60_000 };
    let made = machine::open("mig-1".parse().unwrap(), draft, Timestamp::from_millis(1_700_000_000_000));
    let writes = vec![Write::Migration { state: Arc::new(made), from: None }];
    SqliteStore::open(folder, Timestamp::default()).unwrap().commit_all(vec![Tx { writes, ..Tx::default() }]);
}

fn live(server: &Server, name: &str) -> Session {
    let mut session = Session::start(server.console_of(name));
    session.wait("a live feed", |screen| screen.contains("LIVE"));
    session
}

/// A command of the palette that asks for a yes. The question is deaf for a moment after it came.
fn says_yes_to(session: &mut Session, command: &str) {
    session.type_keys(":");
    session.settled();
    session.type_keys(&format!("{command}\r"));
    session.wait("the question", |screen| screen.contains("y yes"));
    session.settled();
    session.type_keys("y");
}

#[test]
fn two_people_see_each_other_and_hand_a_migration_over() {
    if serves() {
        return;
    }
    let server = Server::start_for(HOST, &[("ana", Role::Admin), ("bo", Role::Admin)], with_a_migration);
    let mut ana = live(&server, "ana");
    ana.type_keys("3");
    ana.wait("the migration", |screen| screen.contains("mig-1  user ids in main"));
    assert!(!ana.screen().contains(" here"), "alone:\n{}", ana.screen());
    let mut bo = live(&server, "bo");
    ana.wait("somebody in the header", |screen| screen.contains("+1 here"));
    bo.type_keys("3");
    ana.wait("bo at the same", |screen| screen.contains("bo is here too"));
    bo.wait("ana at the same", |screen| screen.contains("ana is here too"));

    // Left on one console, it is still there on the other.
    bo.type_keys("q");
    bo.wait("how to come back", |screen| screen.contains("mig-1 goes on in the server; 3 shows it again"));
    ana.wait("bo to be gone", |screen| !screen.contains("bo is here too"));
    says_yes_to(&mut ana, "migrate hand-over bo");
    bo.wait("who handed it over", |screen| screen.contains("ana handed mig-1 over to you"));
    ana.wait("its answer", |screen| screen.contains("bo answers for mig-1 now") && screen.contains("led by bo"));
    says_yes_to(&mut ana, "migrate take-over");
    bo.wait("who took it over", |screen| screen.contains("ana took mig-1 over from you"));
    ana.wait("its answer", |screen| screen.contains("ana answers for mig-1 now"));
    bo.type_keys("3");
    bo.wait("the same on the other console", |screen| screen.contains("led by ana"));
}
