//! What somebody sets: for one rule and one place, while the engine runs, and what it leaves as it was.

use stella_detect::{Checkpoint, Engine, Known, Limit, Pattern, Phase, Rules, Setting};
use stella_protocol::log::Login;
use stella_protocol::{Level, LogEvent};

use crate::stream::{Dice, Stream, call, error, login};

fn user(nth: usize) -> String {
    format!("user-{nth}@example.com")
}

fn rules(settings: Vec<Setting>) -> Rules {
    Rules { settings, ..Rules::default() }
}

fn of(known: Known) -> Setting {
    Setting { rules: vec![known], ..Setting::default() }
}

fn limit(known: Known, limit: Limit, value: f64) -> Setting {
    Setting { limits: [(limit, Some(value))].into(), ..of(known) }
}

/// Two operations that become slow together with two that do not.
fn slow(stream: &mut Stream, calls: usize, slow: bool) {
    let ms = if slow { 734.0 } else { 90.0 };
    stream.lines(calls, 1000, |nth| match nth % 4 {
        0 => call("get_shared_agents", ms),
        1 => call("get_invoices", ms),
        2 => call("list_a", 20.0),
        _ => call("list_b", 30.0),
    });
}

fn operations(stream: &Stream, rule: &str) -> Vec<String> {
    let mut told: Vec<String> = stream
        .findings
        .iter()
        .filter(|finding| finding.rule_id == rule)
        .filter_map(|finding| finding.operation.as_ref().map(|name| name.raw().to_owned()))
        .collect();
    told.sort();
    told.dedup();
    told
}

#[test]
fn a_rule_that_is_off_in_a_place_is_on_everywhere_else() {
    let off = Setting { operation: Some(Pattern::new("*_agents")), enabled: Some(false), ..of(Known::Slow) };
    let mut stream = Stream::with(rules(vec![off]));
    slow(&mut stream, 400, false);
    slow(&mut stream, 200, true);
    assert_eq!(operations(&stream, "slow"), ["get_invoices"]);
}

#[test]
fn one_who_bears_next_to_nothing_waits_for_more_evidence_in_that_place_alone() {
    let strict = Setting { operation: Some(Pattern::new("get_invoices")), sensitivity: Some(1e-6), ..of(Known::Slow) };
    let mut stream = Stream::with(rules(vec![strict]));
    slow(&mut stream, 400, false);
    slow(&mut stream, 200, true);
    let first = |operation: &str| {
        let of =
            |finding: &&stella_detect::Finding| finding.operation.as_ref().is_some_and(|name| name.raw() == operation);
        stream.findings.iter().find(of).map(|finding| finding.detected_at)
    };
    assert!(first("get_invoices").unwrap() > first("get_shared_agents").unwrap(), "{:?}", stream.fired());
}

/// When the rule first fired: as it is by default, and where next to no false alert is borne.
fn first(known: Known, feed: impl Fn(&mut Stream)) -> [Option<i64>; 2] {
    [Vec::new(), vec![Setting { sensitivity: Some(1e-6), ..of(known) }]].map(|settings| {
        let mut stream = Stream::with(rules(settings));
        feed(&mut stream);
        let firing = stream.findings.iter().find(|finding| finding.rule_id == known.id());
        firing.map(|finding| finding.detected_at.millis())
    })
}

fn waits(known: Known, feed: impl Fn(&mut Stream)) {
    let [usual, strict] = first(known, feed);
    assert!(usual.is_some(), "{known:?} finds nothing by default");
    assert!(strict.is_none_or(|strict| Some(strict) > usual), "{known:?}: {usual:?} {strict:?}");
}

#[test]
fn a_sensitivity_reaches_every_rule_about_data_and_series() {
    let with = |name: &str, value: serde_json::Value, event: LogEvent<'static>| LogEvent {
        attributes: [(name.to_owned(), value)].into_iter().collect(),
        ..event
    };
    waits(Known::Nothing, |stream| {
        let search = |nth: usize, hits: u32| {
            with("hits", hits.into(), LogEvent { user_id: Some(user(nth % 20).into()), ..call("search", 80.0) })
        };
        stream.lines(1500, 500, |nth| search(nth, u32::from(nth % 10 != 0) * 7)).lines(40, 500, |nth| search(nth, 0));
    });
    waits(Known::WrongForm, |stream| {
        let write = |owner: String| with("ownerId", owner.into(), call("save", 30.0));
        stream.lines(600, 500, |nth| write(format!("{:09}", nth * 7919))).lines(20, 5000, |nth| write(user(nth)));
    });
    waits(Known::Vanished, |stream| {
        let list = |items: u32| {
            with("itemCount", items.into(), LogEvent { user_id: Some(user(1).into()), ..call("list", 30.0) })
        };
        stream.lines(50, 1000, |_| list(12)).lines(1, 1000, |_| list(0));
    });
    waits(Known::Metric, |stream| {
        let mut dice = Dice::new(1);
        for nth in 0..990 {
            let value = dice.duration(10.0, 0.25) + if nth < 960 { 0.0 } else { 25.0 };
            let sample = LogEvent {
                level: Level::Metric,
                message: "pool.in_use".into(),
                service: "store".into(),
                metric: Some("pool.in_use".into()),
                value: Some(value),
                ..LogEvent::default()
            };
            stream.line(sample).wait(15_000);
        }
    });
}

#[test]
fn with_the_alert_of_everything_off_each_operation_speaks_for_itself() {
    let slow_all = |settings| {
        let mut stream = Stream::with(rules(settings));
        let names = ["a", "b", "c", "d"];
        stream.lines(400, 500, |nth| call(names[nth % 4], 90.0)).lines(200, 500, |nth| call(names[nth % 4], 400.0));
        stream.fired()
    };
    assert_eq!(slow_all(Vec::new()), ["slow.everywhere"]);
    assert_eq!(slow_all(vec![Setting { enabled: Some(false), ..of(Known::SlowEverywhere) }]), ["slow"]);
}

#[test]
fn limits_are_kept_to_whatever_is_usual_and_only_where_they_are_set() {
    let failing = |settings| {
        let mut stream = Stream::with(rules(settings));
        // One in twenty-five always fails, each time in another way: too few to wake anybody for.
        stream.lines(1200, 1000, |nth| match nth % 25 {
            0 => error("sync", ["A", "B", "C", "D"][nth / 25 % 4], user(nth)),
            _ => call("sync", 50.0),
        });
        (operations(&stream, "errors"), stream.findings.iter().filter(|finding| finding.phase == Phase::Firing).count())
    };
    assert_eq!(failing(Vec::new()).0, [""; 0]);
    let (told, words) = failing(vec![limit(Known::Errors, Limit::FailurePercent, 3.0)]);
    assert_eq!(told, ["sync"]);
    assert!(words > 10, "it goes on while the limit is passed: {words}");
    assert_eq!(failing(vec![limit(Known::Errors, Limit::FailurePercent, 6.0)]).0, [""; 0]);
    let elsewhere =
        Setting { service: Some(Pattern::new("billing")), ..limit(Known::Errors, Limit::FailurePercent, 3.0) };
    assert_eq!(failing(vec![elsewhere]).0, [""; 0]);
}

#[test]
fn a_limit_of_failed_logins_is_a_number_of_them_and_so_are_the_others() {
    let tried = |settings| {
        let mut stream = Stream::with(rules(settings));
        stream.lines(3, 20_000, |_| login(Login::Failed, "203.0.113.9".to_owned(), user(1)));
        stream.fired()
    };
    assert_eq!(tried(Vec::new()), [""; 0]);
    assert_eq!(tried(vec![limit(Known::LoginAddress, Limit::FailedLogins, 3.0)]), ["login.address"]);

    let silent = |settings| {
        let mut stream = Stream::with(rules(settings));
        stream.lines(5, 1000, |_| call("get", 20.0)).wait(40_000);
        stream.fired()
    };
    assert_eq!(silent(Vec::new()), [""; 0]);
    assert_eq!(silent(vec![limit(Known::Silence, Limit::SilentMs, 30_000.0)]), ["silence"]);

    let stuck = |settings| {
        let mut stream = Stream::with(rules(settings));
        stream.lines(200, 1000, |nth| call("pay", 20.0 + nth as f64 % 3.0));
        stream.lines(2, 1000, |_| error("pay", "Declined", user(7)));
        stream.fired()
    };
    assert_eq!(stuck(Vec::new()), [""; 0]);
    assert_eq!(stuck(vec![limit(Known::Friction, Limit::UserFailures, 2.0)]), ["friction"]);
}

#[test]
fn what_is_set_while_it_runs_holds_from_the_next_line_and_what_was_learned_stays() {
    let mut stream = Stream::new();
    slow(&mut stream, 400, false);
    stream.engine.set_rules(rules(vec![Setting { enabled: Some(false), ..of(Known::Slow) }]));
    slow(&mut stream, 200, true);
    assert_eq!(stream.fired(), [""; 0]);
    stream.engine.set_rules(Rules::default());
    slow(&mut stream, 40, true);
    assert_eq!(operations(&stream, "slow"), ["get_invoices", "get_shared_agents"], "it is still on, and told now");
    let words = stream.findings.len();
    stream.engine.set_rules(rules(vec![Setting { enabled: Some(false), ..of(Known::Slow) }]));
    slow(&mut stream, 60, true);
    assert_eq!(stream.findings.len(), words, "nobody is told any more");
}

#[test]
fn bounds_of_memory_do_not_change_while_it_runs() {
    let mut engine = Engine::new(Rules::default());
    engine.set_rules(Rules { people: 1, incidents: 1, ..Rules::default() });
    assert!(Engine::restore(Rules::default(), &engine.checkpoint()).is_ok());
}

#[test]
fn a_restored_engine_keeps_to_what_is_set_now() {
    let settings = vec![
        Setting { operation: Some(Pattern::new("*_agents")), enabled: Some(false), ..of(Known::Slow) },
        Setting { operation: Some(Pattern::new("list_a")), ..limit(Known::Slow, Limit::DurationMs, 10.0) },
    ];
    let said = |restores: bool| {
        let mut stream = Stream::with(rules(settings.clone()));
        slow(&mut stream, 300, false);
        if restores {
            let bytes = stream.engine.checkpoint().to_bytes();
            let kept = Checkpoint::from_bytes(&bytes).unwrap();
            stream.engine = Engine::restore(rules(settings.clone()), &kept).unwrap();
        }
        slow(&mut stream, 200, true);
        serde_json::to_string(&stream.findings).unwrap()
    };
    let whole = said(false);
    assert_eq!(whole, said(true));
    assert!(whole.contains("get_invoices") && whole.contains("list_a") && !whole.contains("\"get_shared_agents\""));
}
