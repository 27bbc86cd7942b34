//! Guessing told from mistyping, at the pace of machines and of people. Every line here is made up.

use stella_detect::Rules;
use stella_protocol::Severity;
use stella_protocol::log::{LogEvent, Login};

use crate::stream::{Dice, Stream, login};

const GUESSER: &str = "203.0.113.9";

fn failed(user: &str) -> LogEvent<'static> {
    login(Login::Failed, GUESSER.to_owned(), user.to_owned())
}

/// A busy door: people who sign in, each from an address of their own, one of twenty at the second try.
fn door(stream: &mut Stream, minutes: i64) {
    let mut dice = Dice::new(7);
    for nth in 0..minutes * 12 {
        let (addr, user) = (format!("192.0.2.{}", nth % 200), format!("person-{}", nth % 200));
        if dice.below(20) == 0 {
            stream.line(login(Login::Failed, addr.clone(), user.clone())).wait(4000);
        }
        stream.line(login(Login::Succeeded, addr, user)).wait(5000);
    }
}

/// How many failures at these pauses until an address is told of; None: it was not.
fn told_after(pauses_ms: &[i64], user: impl Fn(usize) -> String) -> Option<usize> {
    let mut stream = Stream::new();
    door(&mut stream, 30);
    for (nth, pause) in pauses_ms.iter().enumerate() {
        stream.line(failed(&user(nth)));
        if stream.fired().contains(&"login.address") {
            return Some(nth + 1);
        }
        stream.wait(*pause);
    }
    assert_eq!(told(&stream), [""; 0]);
    None
}

/// What was said of logins.
fn told(stream: &Stream) -> Vec<&'static str> {
    stream.fired().into_iter().filter(|rule| rule.starts_with("login.")).collect()
}

fn the_same(_: usize) -> String {
    "root".to_owned()
}

fn another(nth: usize) -> String {
    format!("guess-{nth}@example.net")
}

#[test]
fn brute_force_from_two_a_second_to_one_in_three_is_told_by_the_sixth_attempt() {
    for pause in [500, 700, 1100, 2000, 3300] {
        for user in [the_same, another] {
            let told = told_after(&[pause; 12], user);
            assert!(told.is_some_and(|nth| (3..=6).contains(&nth)), "{pause} ms: {told:?}");
        }
    }
}

#[test]
fn one_guess_in_half_a_minute_to_a_minute_is_told_long_before_half_an_hour() {
    for middle in [30_000, 45_000, 60_000] {
        let mut dice = Dice::new(middle as u64);
        let pauses: Vec<i64> = (0..40).map(|_| middle * 2 / 3 + dice.below(middle as usize * 2 / 3) as i64).collect();
        for user in [the_same, another] {
            let told = told_after(&pauses, user);
            assert!(told.is_some_and(|nth| nth <= 8), "{middle} ms: {told:?}");
        }
    }
}

#[test]
fn somebody_who_mistypes_four_times_at_their_own_account_is_no_attacker() {
    let mut stream = Stream::new();
    door(&mut stream, 30);
    for _ in 0..3 {
        for pause in [3000, 7000, 4000, 15_000] {
            stream.line(failed("ana@example.com")).wait(pause);
        }
        stream.line(login(Login::Succeeded, GUESSER.into(), "ana@example.com".into())).wait(900_000);
    }
    assert_eq!(told(&stream), [""; 0]);
}

#[test]
fn two_lines_of_one_attempt_are_not_taken_for_a_machine() {
    let mut stream = Stream::new();
    for pause in [4000, 6000] {
        stream.line(failed("ana@example.com")).wait(3).line(failed("ana@example.com")).wait(pause);
    }
    stream.line(login(Login::Succeeded, GUESSER.into(), "ana@example.com".into()));
    assert_eq!(told(&stream), [""; 0]);
}

#[test]
fn three_tries_in_haste_are_a_machines_and_three_at_a_hands_pace_are_not() {
    let mut stream = Stream::new();
    stream.lines(3, 3000, |_| failed("root"));
    assert_eq!(told(&stream), [""; 0]);
    let mut hasty = Stream::new();
    hasty.lines(3, 1000, |_| failed("root"));
    assert_eq!(told(&hasty), ["login.address"]);
    let finding = hasty.last("login.address");
    assert_eq!((finding.title.raw(), finding.severity), ("login: 3 failures from 203.0.113.9", Severity::Medium));
}

#[test]
fn who_comes_back_four_times_and_never_gets_in_is_told_and_who_got_in_once_is_not() {
    let mut stream = Stream::new();
    for pause in [620_000, 700_000, 810_000] {
        stream.line(failed("admin@example.com")).wait(pause);
    }
    assert_eq!(told(&stream), [""; 0]);
    stream.line(failed("admin@example.com"));
    assert_eq!(told(&stream), ["login.address"]);
    let mut person = Stream::new();
    for _ in 0..6 {
        person.line(failed("ana@example.com")).wait(5000);
        person.line(login(Login::Succeeded, GUESSER.into(), "ana@example.com".into())).wait(700_000);
    }
    assert_eq!(told(&person), [""; 0]);
}

#[test]
fn an_even_pace_of_minutes_is_a_machines() {
    let mut stream = Stream::new();
    stream.lines(3, 90_000, |_| failed("root"));
    assert_eq!(told(&stream), ["login.address"]);
    let mut uneven = Stream::new();
    for pause in [90_000, 70_000, 120_000] {
        uneven.line(failed("root")).wait(pause);
    }
    assert_eq!(told(&uneven), [""; 0]);
}

#[test]
fn four_failures_that_name_nobody_are_enough() {
    let nobody = || LogEvent { user_id: None, ..failed("") };
    let mut stream = Stream::new();
    stream.lines(3, 4000, |_| nobody());
    assert_eq!(told(&stream), [""; 0]);
    stream.line(nobody());
    assert_eq!(told(&stream), ["login.address"]);
}

#[test]
fn an_office_in_the_morning_is_no_attacker_and_one_inside_it_is() {
    let office = || "198.51.100.20".to_owned();
    let mut stream = Stream::new();
    let mut dice = Dice::new(3);
    for nth in 0..120 {
        let user = format!("clerk-{nth}");
        if dice.below(4) == 0 {
            stream.line(login(Login::Failed, office(), user.clone())).wait(2500);
        }
        stream.line(login(Login::Succeeded, office(), user)).wait(4000);
    }
    assert_eq!(told(&stream), [""; 0]);
    stream.lines(30, 1000, |nth| login(Login::Failed, office(), format!("guess-{nth}")));
    assert_eq!(told(&stream), ["login.address"]);
}

#[test]
fn a_lock_out_without_failures_says_lock_outs() {
    let mut stream = Stream::new();
    stream.line(login(Login::LockedOut, GUESSER.into(), "ana@example.com".into()));
    assert_eq!(stream.last("login.address").title.raw(), "login: 1 lock-out from 203.0.113.9");
}

#[test]
fn a_door_where_all_logins_fail_now_and_then_is_not_under_attack_from_everywhere() {
    let mut stream = Stream::with(Rules::default());
    stream.lines(30, 900_000, |nth| login(Login::Failed, format!("198.51.100.{nth}"), format!("user-{nth}")));
    assert_eq!(told(&stream), [""; 0]);
}
