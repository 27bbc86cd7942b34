//! The server is killed while somebody triages, and started again: what the console confirmed is there
//! exactly once, nothing is doubled, the console resumes by itself, and undo still works. And it is killed while lines
//! come: each is counted once, and what people taught the engine, and deploys, stay.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "hostile/api.rs"]
mod api;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "served/process.rs"]
mod process;
#[path = "restart/server.rs"]
mod server;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "terminal/session.rs"]
mod session;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::Api;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::Home;
use session::{Session, program};
use stella_protocol::command::Action;
use stella_protocol::{Alert, Role, Snapshot, Status, Verb};

/// The name of the one test here: the server's process runs it too, as the server.
const TEST: &str = "what_the_console_confirmed_is_there_exactly_once_after_a_kill";

/// The other test, likewise.
const COUNTED: &str = "lines_are_counted_once_and_what_was_taught_stays_whenever_the_server_is_killed";

/// Kills, each at another moment.
const ROUNDS: u64 = 5;
/// Alerts that are triaged in one round.
const ALERTS: usize = 8;
/// Rows that are acknowledged first, so that a kill can wait for some of them.
const SURE: usize = 3;
/// Rows of which a kill may wait besides.
const MORE: usize = 2;
/// How long the console may be away after the server is back: 30 s is the longest wait between two of its
/// tries (`client::backoff`), and one may have just begun.
const AWAY: Duration = Duration::from_secs(30 + 20);
/// Who triages.
const OPERATOR: &str = "ana";

#[test]
fn what_the_console_confirmed_is_there_exactly_once_after_a_kill() {
    if process::serves(process::of_bare) {
        return;
    }
    let base = seed();
    for seed in (0..ROUNDS).map(|round| base.wrapping_add(round)) {
        round(seed);
    }
}

/// What the dice of a run begin with: said, so that a run that failed can be repeated.
fn seed() -> u64 {
    let told = std::env::var("STELLA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = told.unwrap_or_else(rand::random);
    eprintln!("STELLA_TEST_SEED={seed}");
    seed
}

/// Who guesses in a round of that test, besides the one of before all kills.
fn guesser(round: u64) -> String {
    format!("198.51.100.{}", 10 + round)
}

/// The alert of those who guess from there, once all of it is counted.
fn counted(api: &Api, from: &str) -> Option<Alert> {
    let of = |alert: &Alert| alert.title.raw().contains(&format!("{from} ")) || alert.title.raw().ends_with(from);
    api.alerts().into_iter().find(|alert| of(alert) && alert.occurrences == guesses(from).len() as u64)
}

#[test]
fn lines_are_counted_once_and_what_was_taught_stays_whenever_the_server_is_killed() {
    if process::serves(process::of_bare) {
        return;
    }
    let home = Home::new(COUNTED);
    let (admin, sender) = (home.token(Role::Admin, OPERATOR), home.token(Role::Ingest, "app"));
    let api = Api::at(format!("http://{}", home.address), admin, sender);
    let mut server = home.start();
    api.send_json(&guesses(&guesser(0)));
    let taught = api.until("the first alert", |api| counted(api, &guesser(0)));
    api.verb(&taught, "false-positive", "k0", &json!({}));
    let mut dice = StdRng::seed_from_u64(seed());
    for round in 1..=ROUNDS {
        // Kept from here on, looked at now or by the next life.
        api.send_json(&guesses(&guesser(round)));
        let deploy = json!({"service": "auth", "revision": format!("r{round}")});
        if dice.random_bool(0.5) {
            let (status, said) = api.ask(api.request(Method::POST, "deploys", &api.sender).json(&deploy)).unwrap();
            assert_eq!((status, &said["revision"]), (StatusCode::OK, &deploy["revision"]));
        }
        if dice.random_bool(0.5) {
            api.until("the alert", |api| counted(api, &guesser(round)));
        }
        server.kill();
        server = home.start();
        let (status, said) = api.ask(api.request(Method::POST, "deploys", &api.sender).json(&deploy)).unwrap();
        assert_eq!((status, &said["revision"]), (StatusCode::OK, &deploy["revision"]));
    }
    for round in 1..=ROUNDS {
        let alert = api.until("every alert", |api| counted(api, &guesser(round)));
        assert_eq!((alert.episode, alert.version), (1, 1), "{alert:?}");
    }
    assert_eq!(api.alerts().len() as u64, 1 + ROUNDS, "nothing else is found, and no notice");
    let marks: Value = api.get("marks", &[]);
    let of = |mark: &Value| (mark["fingerprint"].clone(), mark["times"].clone());
    assert_eq!(of(&marks["items"][0]), (taught.fingerprint.raw().into(), 1.into()));
    let deploys: Value = api.get("deploys", &[]);
    let told: Vec<String> = (1..=ROUNDS).rev().map(|round| format!("r{round}")).collect();
    let known: Vec<&str> =
        deploys["items"].as_array().unwrap().iter().filter_map(|one| one["revision"].as_str()).collect();
    assert_eq!(known, told);
}

/// One kill.
fn round(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let home = Home::new(TEST);
    let (operator, sender) = (home.token(Role::Responder, OPERATOR), home.token(Role::Ingest, "app"));
    let base = format!("http://{}", home.address);
    let api = Api::at(base.clone(), operator.clone(), sender);
    let first = home.start();
    let before = attacked(&api);

    let mut console = Session::start(
        [vec!["env".to_owned(), format!("STELLA_TOKEN={operator}")], program(&["--server", &base])].concat(),
    );
    console.resize(110, 40);
    console.wait("all alerts", |screen| screen.contains("LIVE") && (0..ALERTS).all(|of| screen.contains(&address(of))));

    let confirmed = Confirmed { before: &before, seen: RefCell::default() };
    let wanted = SURE + dice.random_range(0..=MORE);
    console.type_keys(&"aj".repeat(SURE));
    console.wait("the first confirmed", |screen| confirmed.read(screen) >= SURE);
    console.type_keys(&verbs(&mut dice));
    let under_way = Cell::new(false);
    console.wait("some confirmed", |screen| {
        under_way.set(screen.contains("under way"));
        confirmed.read(screen) >= wanted
    });
    first.kill();
    eprintln!("seed {seed}: killed after {wanted} confirmations, more under way: {}", under_way.get());
    match dice.random_range(0..3) {
        0 => {}
        1 => console.wait("the loss seen", |screen| !screen.contains("LIVE")),
        _ => console.wait("nothing tried any more", |screen| !screen.contains("LIVE") && nothing_tried(screen)),
    }
    let _second = home.start();
    resumed(&mut console, &api, &confirmed);

    let after = by_id(api.alerts());
    let actions = actions(&api);
    nothing_lost(&confirmed.seen.into_inner(), &after);
    nothing_doubled(&before, &after, &actions);
    screen_is_true(&mut console, &after);
    taken_back(&mut console, &api, &after, &actions);
    console.signal("TERM");
}

/// The address of one attacker.
fn address(of: usize) -> String {
    format!("203.0.113.{}", 100 + of)
}

/// Somebody guesses passwords from there.
fn guesses(from: &str) -> Vec<Value> {
    let guess = |count: usize| {
        json!({
            "level": "WARN", "service": "auth", "operation": "login", "message": "login failed: wrong password",
            "success": false, "userId": format!("u{count}-{from}"), "remoteAddr": from,
        })
    };
    (0..8).map(guess).collect()
}

/// Causes the alerts; what they are before anybody acts.
fn attacked(api: &Api) -> BTreeMap<String, Alert> {
    for of in 0..ALERTS {
        api.send_json(&guesses(&address(of)));
    }
    api.until("the alerts", |api| {
        let alerts = api.alerts();
        let of = |at: usize| alerts.iter().any(|alert| alert.title.raw().contains(&address(at)));
        (0..ALERTS).all(of).then(|| by_id(alerts))
    })
}

fn by_id(alerts: Vec<Alert>) -> BTreeMap<String, Alert> {
    alerts.into_iter().map(|alert| (alert.id.to_string(), alert)).collect()
}

/// Acknowledgements and notes down the list, as fast as somebody types.
///
/// It begins with acknowledgements of rows that nothing else was asked of, because only those stay to be seen:
/// what is said of a note goes with the next word, and a verb on a row whose note has no answer yet is refused.
/// A note's text does no harm as keys, when it is not asked for any more.
fn verbs(dice: &mut StdRng) -> String {
    let mut keys = "aj".repeat(MORE);
    for step in 0..2 * ALERTS {
        let verb = if dice.random_bool(0.6) { "a".to_owned() } else { format!("cnote{}.\r", "-".repeat(step)) };
        let way = if dice.random_bool(0.8) { "j" } else { "k" };
        keys.push_str(&format!("{verb}{way}"));
    }
    keys
}

/// What the console has said was done.
struct Confirmed<'a> {
    before: &'a BTreeMap<String, Alert>,
    seen: RefCell<BTreeSet<(Verb, String)>>,
}

impl Confirmed<'_> {
    /// Reads a screen: rows that are acknowledged with nothing under way, and the words behind a verb.
    /// Answers with how much was confirmed by now.
    fn read(&self, screen: &str) -> usize {
        let mut seen = self.seen.borrow_mut();
        for row in screen.lines().filter(|row| row.split_whitespace().any(|word| word == "ACK")) {
            let shown = |alert: &Alert| row.contains(&format!("{} ", alert.title.raw()));
            let taken = self.before.iter().find(|(_, alert)| shown(alert));
            seen.extend(taken.map(|(id, _)| (Verb::Acknowledge, id.clone())));
        }
        let words: Vec<&str> = screen.split_whitespace().collect();
        seen.extend(words.windows(3).filter_map(|words| match words {
            ["acknowledged", id, "as"] => Some((Verb::Acknowledge, (*id).to_owned())),
            ["on", id, "as"] => Some((Verb::Note, (*id).to_owned())),
            _ => None,
        }));
        seen.len()
    }
}

/// Waits until the console follows the new process, by an alert that only that one knows, and nothing
/// is under way any more.
fn resumed(console: &mut Session, api: &Api, confirmed: &Confirmed<'_>) {
    let news = "198.51.100.77";
    api.send_json(&guesses(news));
    let alert = api.until("an alert after the restart", |api| {
        api.alerts().into_iter().find(|alert| alert.title.raw().contains(news))
    });
    // A note that was refused for want of a server leaves its Enter to the list: back from the alert it opened.
    console.type_keys("\u{1b}");
    console.wait("the list", |screen| {
        confirmed.read(screen);
        screen.contains("\u{2500} alerts \u{2500}")
    });
    // A row that comes while somebody moves waits to be let in.
    console.type_keys("..");
    console.wait_within(AWAY, "the console live, with the news", |screen| {
        confirmed.read(screen);
        let header = screen.lines().next().unwrap_or_default();
        header.contains("LIVE") && (screen.contains(alert.title.raw()) || screen.contains("press . to let in"))
    });
    console.type_keys(".");
    console.wait("nothing under way", |screen| {
        confirmed.read(screen);
        !screen.contains("under way")
    });
}

/// The console has tried as often as it does by itself: whatever had no answer is unknown now.
fn nothing_tried(screen: &str) -> bool {
    let words: Vec<&str> = screen.split_whitespace().collect();
    let counts = words.windows(5).find_map(|words| match words {
        [pending, "under", "way,", unknown, "unknown"] => Some((*pending, *unknown)),
        _ => None,
    });
    counts.map_or(!screen.contains("under way"), |(pending, unknown)| pending == unknown)
}

fn actions(api: &Api) -> Vec<Action> {
    let page: Value = api.get("actions", &[("mine", String::new())]);
    serde_json::from_value(page["items"].clone()).unwrap()
}

/// Every alert that the console said it acknowledged, or noted on, is so.
fn nothing_lost(confirmed: &BTreeSet<(Verb, String)>, after: &BTreeMap<String, Alert>) {
    for (verb, id) in confirmed {
        let alert = &after[id];
        let there = match verb {
            Verb::Acknowledge => alert.acknowledged_by.as_ref().is_some_and(|by| by.raw() == OPERATOR),
            _ => !alert.notes.is_empty(),
        };
        assert!(there, "{verb:?} of {id} was confirmed and is lost: {alert:?}");
    }
}

/// Each alert moved by exactly one version for each thing that was done to it, no note stands twice,
/// and the list of actions says the same.
fn nothing_doubled(before: &BTreeMap<String, Alert>, after: &BTreeMap<String, Alert>, actions: &[Action]) {
    for (id, was) in before {
        let is = &after[id];
        let taken = u64::from(is.status == Status::Acknowledged);
        let moved = taken + is.notes.len() as u64;
        assert_eq!(is.version - was.version, moved, "{is:?}");
        let texts: BTreeSet<&str> = is.notes.iter().map(|note| note.text.raw()).collect();
        assert_eq!(texts.len(), is.notes.len(), "a note stands twice: {:?}", is.notes);
        let count = |verb: Verb| {
            let done = actions.iter().filter(|action| action.verb == verb);
            done.flat_map(|action| &action.targets).filter(|target| target.id.as_str() == id).count() as u64
        };
        let counts = (count(Verb::Acknowledge), count(Verb::Note));
        assert_eq!(counts, (taken, is.notes.len() as u64), "the actions on {id}: {actions:?}");
    }
    let notes: Vec<&str> = after.values().flat_map(|alert| &alert.notes).map(|note| note.text.raw()).collect();
    let once: BTreeSet<&&str> = notes.iter().collect();
    assert_eq!(once.len(), notes.len(), "a note stands on two alerts: {notes:?}");
}

/// What the list shows now is what the server knows.
fn screen_is_true(console: &mut Session, after: &BTreeMap<String, Alert>) {
    let of = |at: usize| after.values().find(|alert| alert.title.raw().contains(&address(at))).unwrap();
    let taken: Vec<bool> = (0..ALERTS).map(|at| of(at).status == Status::Acknowledged).collect();
    console.wait("the rows as the server has them", |screen| {
        (0..ALERTS).all(|at| {
            let row = screen.lines().find(|row| row.contains(&address(at)));
            let shown = row.map(|row| row.split_whitespace().any(|word| word == "ACK"));
            shown == Some(taken[at])
        })
    });
}

/// The last thing that was done before is taken back now.
fn taken_back(console: &mut Session, api: &Api, before: &BTreeMap<String, Alert>, actions: &[Action]) {
    if actions.iter().all(|action| action.undo_until.is_none()) {
        return;
    }
    console.type_keys("u");
    let undone = RefCell::new(None);
    console.wait("the undo", |screen| {
        let words: Vec<&str> = screen.split_whitespace().collect();
        let id = words.windows(3).find_map(|words| match words {
            ["undone", id, "as"] => Some((*id).to_owned()),
            _ => None,
        });
        undone.replace(id).is_some() || undone.borrow().is_some()
    });
    let id = undone.take().unwrap();
    let (was, is) = (&before[&id], &by_id(api.alerts())[&id]);
    let decided = |alert: &Alert| usize::from(alert.status == Status::Acknowledged) + alert.notes.len();
    assert_eq!((is.version, decided(is) + 1), (was.version + 1, decided(was)), "{was:?} became {is:?}");
    let snapshot: Snapshot = api.get("snapshot", &[]);
    assert!(snapshot.alerts.contains(is), "the snapshot says otherwise than the list");
}
