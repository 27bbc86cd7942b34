//! Evidence against chance: what must be found, how soon, and what looks like it and is nothing.

use stella_detect::Rules;
use stella_protocol::log::Login;
use stella_protocol::{Level, LogEvent, Severity};

use crate::figures::check_told;
use crate::stream::{Dice, Stream, call, error, login};

const OPERATIONS: [(&str, f64); 6] =
    [("list", 40.0), ("open", 90.0), ("save", 120.0), ("search", 400.0), ("export", 900.0), ("share", 60.0)];
const SEEDS: std::ops::Range<u64> = 1..10;

fn user(nth: usize) -> String {
    format!("user-{nth}@example.com")
}

/// A shop at work: six operations, 40 users, five calls a second, half a call in a hundred fails.
struct Shop {
    stream: Stream,
    dice: Dice,
}

impl Shop {
    fn new(seed: u64) -> Self {
        Self { stream: Stream::new(), dice: Dice::new(seed) }
    }

    /// One of the shop's calls; `slower` and `failing` say how much slower, and what share fails.
    fn call(&mut self, slower: impl Fn(&str) -> f64, failing: impl Fn(&str) -> f64) -> &'static str {
        let (name, usual) = OPERATIONS[self.dice.below(OPERATIONS.len())];
        let failed = self.dice.share() < failing(name);
        let who = user(self.dice.below(40));
        let took = self.dice.duration(usual * slower(name), 0.35);
        let event = if failed {
            LogEvent { duration_ms: Some(took), ..error(name, "Timeout", who) }
        } else {
            LogEvent { user_id: Some(who.into()), ..call(name, took) }
        };
        self.stream.line(event).wait(200);
        name
    }

    fn calm(&mut self, calls: usize) {
        for _ in 0..calls {
            self.call(|_| 1.0, |_| 0.005);
        }
        assert_eq!(self.stream.fired(), [""; 0], "nothing is the matter");
    }

    /// Calls of `name` until the rule fires.
    fn calls_until(
        &mut self,
        rule: &str,
        name: &str,
        most: usize,
        slower: impl Fn(&str) -> f64,
        failing: impl Fn(&str) -> f64,
    ) -> usize {
        let mut calls = 0;
        while !self.stream.fired().contains(&rule) {
            calls += usize::from(self.call(&slower, &failing) == name || name.is_empty());
            assert!(calls <= most, "{rule} not found within {most} calls; found {:?}", self.stream.fired());
        }
        calls
    }
}

fn median(mut values: Vec<usize>) -> usize {
    values.sort_unstable();
    values[values.len() / 2]
}

#[test]
fn twice_as_slow_is_found_within_twenty_calls() {
    let calls = SEEDS.map(|seed| {
        let mut shop = Shop::new(seed);
        shop.calm(3000);
        let calls = shop.calls_until("slow", "search", 60, |name| if name == "search" { 2.0 } else { 1.0 }, |_| 0.005);
        assert_eq!(shop.stream.last("slow").labels["operation"].raw(), "search");
        calls
    });
    let calls = median(calls.collect());
    assert!(calls <= 20, "{calls}");
}

#[test]
fn everything_slower_by_two_fifths_is_one_alert() {
    for seed in SEEDS {
        let mut shop = Shop::new(seed);
        shop.calm(3000);
        shop.calls_until("slow.everywhere", "", 300, |_| 1.4, |_| 0.005);
        for _ in 0..600 {
            shop.call(|_| 1.4, |_| 0.005);
        }
        assert_eq!(shop.stream.fired(), ["slow.everywhere"], "{seed}");
    }
}

#[test]
fn half_an_hour_that_slows_one_operation_down_is_found_on_the_way() {
    let mut shop = Shop::new(3);
    shop.calm(6000);
    let start = shop.stream.now;
    while !shop.stream.fired().contains(&"slow") {
        let part = (shop.stream.now - start) as f64 / 1_800_000.0;
        assert!(part < 1.0, "not found");
        shop.call(|name| if name == "open" { 1.0 + 1.5 * part } else { 1.0 }, |_| 0.005);
    }
    assert_eq!(shop.stream.fired(), ["slow"]);
}

#[test]
fn another_mix_of_calls_is_no_slowness() {
    let (mut stream, mut dice) = (Stream::new(), Dice::new(5));
    for nth in 0..8000 {
        let slow = if nth < 4000 { 0.1 } else { 0.9 };
        let (name, usual) = if dice.share() < slow { ("report", 2500.0) } else { ("list", 40.0) };
        let took = dice.duration(usual, 0.3);
        stream.line(call(name, took)).wait(200);
    }
    assert_eq!(stream.fired(), [""; 0]);
}

#[test]
fn hours_of_chance_find_nothing() {
    for seed in [11, 12] {
        Shop::new(seed).calm(20_000);
    }
}

#[test]
fn three_of_ten_calls_failing_are_found_within_twenty() {
    let calls = SEEDS.map(|seed| {
        let mut shop = Shop::new(seed);
        shop.calm(3000);
        shop.calls_until("errors", "save", 80, |_| 1.0, |name| if name == "save" { 0.3 } else { 0.005 })
    });
    let calls = median(calls.collect());
    assert!(calls <= 20, "{calls}");
}

#[test]
fn one_call_in_ten_failing_is_found_and_so_are_four_in_a_hundred_of_everything() {
    for seed in [1, 2, 3] {
        let mut shop = Shop::new(seed);
        shop.calm(3000);
        shop.calls_until("errors", "save", 250, |_| 1.0, |name| if name == "save" { 0.1 } else { 0.005 });
        let mut shop = Shop::new(seed);
        shop.calm(3000);
        shop.calls_until("errors.everywhere", "", 900, |_| 1.0, |_| 0.04);
        assert_eq!(shop.stream.fired(), ["errors.everywhere"], "{seed}");
        assert!(shop.stream.last("errors.everywhere").title.raw().contains("operations fail at once"));
        check_told(&shop.stream, "errors.everywhere");
    }
}

#[test]
fn an_outage_is_one_alert_and_explains_its_users() {
    let mut shop = Shop::new(4);
    shop.calm(3000);
    for _ in 0..1500 {
        shop.call(|_| 1.0, |name| if name == "save" { 0.6 } else { 0.005 });
    }
    assert_eq!(shop.stream.fired(), ["errors"]);
}

#[test]
fn the_failures_of_one_user_are_friction_within_five_and_no_spike() {
    let failures = SEEDS.map(|seed| {
        let mut shop = Shop::new(seed);
        shop.calm(3000);
        let mut failures = 0;
        while !shop.stream.fired().contains(&"friction") {
            shop.stream.line(error("save", "ValidationError", "ana".into()));
            failures += 1;
            assert!(failures <= 8, "not found");
            for _ in 0..40 {
                shop.call(|_| 1.0, |_| 0.005);
            }
        }
        assert_eq!(shop.stream.fired(), ["friction"]);
        failures
    });
    let failures = median(failures.collect());
    assert!(failures <= 5, "{failures}");
}

#[test]
fn who_fails_at_half_of_their_calls_every_day_is_not_stuck() {
    let (mut shop, mut nth) = (Shop::new(6), 0);
    shop.calm(2000);
    for round in 0..400 {
        for _ in 0..20 {
            shop.call(|_| 1.0, |_| 0.005);
        }
        nth += 1;
        let event = match nth % 5 {
            0 | 1 => error("save", "ValidationError", "clumsy".into()),
            _ => LogEvent { user_id: Some("clumsy".into()), ..call("save", 100.0) },
        };
        shop.stream.line(event);
        assert_eq!(shop.stream.fired(), [""; 0], "{round}");
    }
}

#[test]
fn failures_right_after_a_deploy_count_for_less() {
    let blip = |deploys: bool| {
        let mut shop = Shop::new(9);
        shop.calm(3000);
        if deploys {
            shop.stream.line(LogEvent { message: "deploy of api 2.0 finished".into(), ..LogEvent::default() });
        }
        for _ in 0..250 {
            shop.call(|_| 1.0, |name| if name == "save" { 0.15 } else { 0.005 });
        }
        for _ in 0..600 {
            shop.call(|_| 1.0, |_| 0.005);
        }
        shop.stream.fired()
    };
    assert_eq!(blip(false), ["errors"]);
    assert_eq!(blip(true), [""; 0]);
}

/// An office: 30 people behind one address, one sign-in in twenty mistyped.
fn office(stream: &mut Stream, dice: &mut Dice, logins: usize, every: i64) {
    for _ in 0..logins {
        let who = user(dice.below(30));
        let outcome = if dice.share() < 0.05 { Login::Failed } else { Login::Succeeded };
        stream.line(login(outcome, "192.0.2.7".into(), who)).wait(every);
    }
}

#[test]
fn a_guesser_who_comes_once_in_three_quarters_of_a_minute_is_named_and_the_office_is_not() {
    let (mut stream, mut dice) = (Stream::new(), Dice::new(9));
    office(&mut stream, &mut dice, 2000, 3000);
    assert_eq!(stream.fired(), [""; 0]);
    let mut tries = 0;
    while stream.findings.is_empty() {
        tries += 1;
        assert!(tries <= 12, "not found");
        stream.line(login(Login::Failed, "203.0.113.9".into(), "root".into()));
        office(&mut stream, &mut dice, 15, 3000);
    }
    assert_eq!(stream.fired(), ["login.address"]);
    assert_eq!(stream.last("login.address").labels["addr"].raw(), "203.0.113.9");
}

#[test]
fn a_list_of_accounts_tried_from_one_address_is_found_within_six() {
    let (mut stream, mut dice) = (Stream::new(), Dice::new(10));
    office(&mut stream, &mut dice, 2000, 3000);
    let mut tries = 0;
    while stream.findings.is_empty() {
        stream.line(login(Login::Failed, "203.0.113.9".into(), user(tries + 100))).wait(900);
        tries += 1;
        assert!(tries <= 6, "not found");
    }
    let succeed = login(Login::Succeeded, "203.0.113.9".into(), user(104));
    stream.line(succeed).wait(2000);
    assert_eq!(stream.last("login.address").severity, Severity::Critical);
}

#[test]
fn an_attack_that_uses_every_address_and_every_account_once_is_found_as_a_whole() {
    let (mut stream, mut dice) = (Stream::new(), Dice::new(11));
    office(&mut stream, &mut dice, 2000, 3000);
    for nth in 0..120 {
        stream.line(login(Login::Failed, format!("198.51.{}.{nth}", nth % 7), user(nth + 500))).wait(1500);
        office(&mut stream, &mut dice, 1, 1500);
    }
    assert_eq!(stream.fired(), ["login.everywhere"]);
    check_told(&stream, "login.everywhere");
}

#[test]
fn an_account_that_guards_itself_by_its_own_successes_is_seen_through() {
    let (mut stream, mut dice) = (Stream::new(), Dice::new(12));
    office(&mut stream, &mut dice, 1000, 3000);
    for nth in 0..12 {
        stream.line(login(Login::Failed, "203.0.113.9".into(), user(nth + 300))).wait(2000);
        stream.line(login(Login::Succeeded, "203.0.113.9".into(), "his-own".into())).wait(2000);
    }
    assert!(stream.fired().contains(&"login.address"), "{:?}", stream.fired());
}

#[test]
fn what_is_said_all_day_is_no_impossible_fact_but_a_burst_of_it_is() {
    let said = || LogEvent {
        level: Level::Warn,
        message: "checksum mismatch in block 17, read again".into(),
        service: "store".into(),
        operation: Some("read_block".into()),
        ..LogEvent::default()
    };
    let mut stream = Stream::with(Rules { silence_ms: i64::MAX / 4, ..Rules::default() });
    for _ in 0..40 {
        stream.line(said()).wait(1_200_000);
    }
    let alerts = |stream: &Stream| stream.findings.iter().filter(|finding| finding.brief.evidence_version == 1).count();
    let before = alerts(&stream);
    for _ in 0..30 {
        stream.line(said()).wait(1_200_000);
    }
    assert_eq!(alerts(&stream), before, "three an hour are usual by now");
    stream.lines(12, 2000, |_| said());
    assert_eq!(alerts(&stream), before + 1);
}

#[test]
fn an_address_that_tries_a_list_of_things_is_named_and_an_outage_behind_one_address_is_not() {
    let lost = |nth: usize, addr: &'static str| LogEvent {
        remote_addr: Some(addr.into()),
        ..error("open", "NotFound", user(nth))
    };
    let at_office = |event: LogEvent<'static>| LogEvent { remote_addr: Some("192.0.2.7".into()), ..event };
    let calm = |stream: &mut Stream| {
        stream
            .lines(2000, 200, |nth| at_office(LogEvent { user_id: Some(user(nth % 40).into()), ..call("open", 80.0) }));
    };
    let mut stream = Stream::new();
    calm(&mut stream);
    for nth in 0..40 {
        stream.line(lost(nth + 100, "203.0.113.9")).wait(1000);
        stream.lines(10, 100, |nth| at_office(LogEvent { user_id: Some(user(nth % 40).into()), ..call("open", 80.0) }));
    }
    assert!(stream.fired().contains(&"probe.address"), "{:?}", stream.fired());
    assert_eq!(stream.last("probe.address").labels["addr"].raw(), "203.0.113.9");
    check_told(&stream, "probe.address");

    let mut outage = Stream::new();
    calm(&mut outage);
    outage.lines(300, 200, |nth| match nth % 10 {
        0 => call("open", 80.0),
        place if place < 5 => at_office(lost(nth % 40, "")),
        _ => lost(nth % 40, "198.51.100.3"),
    });
    let fired = outage.fired();
    assert!(fired.contains(&"errors"), "{fired:?}");
    assert!(!fired.contains(&"probe.address") && !fired.contains(&"friction"), "{fired:?}");
}
