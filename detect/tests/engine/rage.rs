//! Who does the same again and again, and who only seems to. Every line here is made up.

use stella_protocol::{LogEvent, Severity};

use crate::stream::{Dice, Stream, call, error};

const OPERATIONS: [&str; 5] = ["list", "open", "save", "search", "share"];
const ANA: &str = "ana@example.com";

/// A call of somebody from an address of their own.
fn press(operation: &'static str, user: &str, took: f64) -> LogEvent<'static> {
    LogEvent { user_id: Some(user.to_owned().into()), ..call(operation, took) }
}

/// Twenty people who look at what they got before they ask again, Ana among them.
struct Office {
    stream: Stream,
    dice: Dice,
}

impl Office {
    fn new(minutes: i64) -> Self {
        let mut office = Self { stream: Stream::new(), dice: Dice::new(11) };
        for nth in 0..minutes * 60 {
            let user = if nth % 40 == 0 { ANA.to_owned() } else { format!("clerk-{}", office.dice.below(20)) };
            let operation = OPERATIONS[office.dice.below(OPERATIONS.len())];
            office.call(operation, &user, 1000);
        }
        assert_eq!(office.stream.fired(), [""; 0], "nothing is the matter");
        office
    }

    fn call(&mut self, operation: &'static str, user: &str, then_ms: i64) {
        let took = self.dice.duration(80.0, 0.3);
        self.stream.line(press(operation, user, took)).wait(then_ms);
    }

    /// The pauses of a hand: about `middle_ms`, each another.
    fn by_hand(&mut self, middle_ms: i64) -> i64 {
        middle_ms / 2 + self.dice.below(middle_ms as usize) as i64
    }

    /// How many presses until it is told; None: it is not.
    fn told_after(&mut self, presses: usize, middle_ms: i64) -> Option<usize> {
        for nth in 1..=presses {
            let pause = self.by_hand(middle_ms);
            self.call("save", ANA, pause);
            if self.stream.fired().contains(&"rage") {
                return Some(nth);
            }
        }
        None
    }
}

#[test]
fn who_presses_again_and_again_is_told_of_though_nothing_fails() {
    for middle_ms in [700, 1300, 2000] {
        let mut office = Office::new(20);
        let told = office.told_after(20, middle_ms);
        assert!(told.is_some_and(|nth| (7..=15).contains(&nth)), "{middle_ms} ms: {told:?}");
        assert_eq!(office.stream.fired(), ["rage"]);
        let finding = office.stream.last("rage");
        assert_eq!((finding.labels["user"].raw(), finding.severity), (ANA, Severity::Medium));
        assert!(finding.title.raw().starts_with("save: ana@example.com called it "), "{}", finding.title.raw());
        assert_eq!(finding.operation.as_ref().map(stella_protocol::Text::raw), Some("save"));
    }
}

#[test]
fn right_after_a_failure_it_is_the_same() {
    let mut office = Office::new(20);
    office.stream.line(error("save", "ValidationError", ANA.to_owned())).wait(900);
    assert!(office.told_after(20, 1200).is_some());
}

#[test]
fn a_button_that_is_pressed_twice_or_five_times_is_none() {
    let mut office = Office::new(20);
    for presses in [2, 3, 5] {
        assert_eq!(office.told_after(presses, 900), None);
        office.stream.wait(60_000);
    }
}

#[test]
fn a_client_that_asks_at_an_even_pace_is_no_hand() {
    let mut office = Office::new(20);
    for nth in 0..300 {
        let late = office.dice.below(300) as i64;
        office.call("list", ANA, 1850 + late);
        if nth % 20 == 0 {
            office.call("open", ANA, 10);
        }
    }
    assert_eq!(office.stream.fired(), [""; 0]);
}

#[test]
fn a_job_that_does_nothing_else_is_no_hand() {
    let mut office = Office::new(20);
    for _ in 0..300 {
        let pause = office.by_hand(1500);
        office.call("open", "svc-export", pause);
    }
    assert_eq!(office.stream.fired(), [""; 0]);
}

#[test]
fn where_everybody_turns_pages_nobody_is_in_rage() {
    let mut office = Office::new(20);
    for _ in 0..60 {
        let reader = format!("clerk-{}", office.dice.below(20));
        for _ in 0..4 + office.dice.below(9) {
            let pause = office.by_hand(1300);
            office.call("list", &reader, pause);
        }
    }
    let quiet = office.stream.findings.len();
    for _ in 0..12 {
        let pause = office.by_hand(1300);
        office.call("list", ANA, pause);
    }
    assert_eq!(office.stream.findings.len(), quiet);
}

#[test]
fn a_name_that_many_share_is_no_person() {
    let mut office = Office::new(20);
    for nth in 0..200 {
        let addr = format!("192.0.2.{}", 1 + nth % 50);
        let pause = office.by_hand(800);
        let event = LogEvent { remote_addr: Some(addr.into()), ..press("open", ANA, 60.0) };
        office.stream.line(event).wait(pause);
    }
    assert_eq!(office.stream.fired(), [""; 0]);
}

#[test]
fn while_an_operation_fails_for_all_nobody_is_told_to_be_in_rage() {
    let mut office = Office::new(20);
    for nth in 0..200 {
        let user = if nth % 2 == 0 { ANA.to_owned() } else { format!("clerk-{}", office.dice.below(20)) };
        let pause = office.by_hand(700);
        office.stream.line(error("save", "Timeout", user)).wait(pause);
    }
    assert!(!office.stream.fired().contains(&"rage"), "{:?}", office.stream.fired());
}
