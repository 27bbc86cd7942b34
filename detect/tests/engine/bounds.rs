//! What an attacker who invents names can and cannot do.

use stella_detect::{Engine, Rules};
use stella_protocol::log::Login;
use stella_protocol::{LineId, Timestamp};

use crate::stream::{START, Stream, call, login};

#[test]
fn an_attacker_is_still_named_when_others_invent_addresses_between_the_failures() {
    let rules = Rules { people: 64, remembered_lines: 4096, ..Rules::default() };
    let mut stream = Stream::with(rules);
    for nth in 0..6 {
        stream.line(login(Login::Failed, "203.0.113.9".into(), "root".into())).wait(10);
        if nth == 0 {
            stream.line(login(Login::Failed, "203.0.113.9".into(), "admin".into())).wait(10);
        }
        stream.lines(200, 1, |invented| {
            login(Login::Failed, format!("10.{nth}.0.{invented}"), format!("u{nth}-{invented}"))
        });
    }
    let attacker = |finding: &&stella_detect::Finding| finding.title.raw().ends_with("failures from 203.0.113.9");
    assert!(stream.findings.iter().any(|finding| attacker(&finding)));
}

#[test]
fn invented_names_do_not_make_the_engine_grow() {
    let rules = Rules {
        people: 500,
        operations: 64,
        remembered_lines: 2048,
        kept_lines: 64,
        incidents: 20,
        ..Rules::default()
    };
    let mut engine = Engine::new(rules);
    let mut half = 0;
    for nth in 0..12_000_u64 {
        let mut event = login(Login::Failed, format!("addr-{}", nth / 7), format!("user-{}", nth % 9973));
        event.operation = Some(format!("op-{}", nth / 11).into());
        event.engine_time = Timestamp::from_millis(START + nth as i64);
        engine.observe(LineId(nth), &event);
        if nth % 2000 == 1999 {
            engine.drain();
            engine.advance(event.engine_time);
            if nth == 5999 {
                half = format!("{engine:?}").len();
            }
        }
    }
    let end = format!("{engine:?}").len();
    assert!(end < half + half / 4, "the engine grew from {half} to {end}");
}

#[test]
fn names_too_long_to_be_names_open_nothing_and_break_nothing() {
    let mut stream = Stream::new();
    let long = "x".repeat(100_000);
    stream.lines(30, 100, |_| login(Login::Failed, long.clone(), long.clone()));
    stream.lines(30, 100, |_| {
        let mut event = call("load_messages", 5000.0);
        event.operation = Some(long.clone().into());
        event
    });
    // What is told of them is told without the name: of all sign-ins together, not of that address or account.
    assert!(stream.fired().iter().all(|rule| *rule == "login.everywhere"), "{:?}", stream.fired());
    assert!(!format!("{:?}", stream.findings).contains(&long), "a name of 100,000 letters was told");
}
