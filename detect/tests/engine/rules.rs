//! For each rule what must fire, and what looks like it and must not.

use stella_detect::{Phase, Rules};
use stella_protocol::log::{Category, ComponentHealth, Login};
use stella_protocol::{Level, LogEvent, Severity};

use crate::stream::{Stream, call, error, login};

fn user(nth: usize) -> String {
    format!("user-{nth}@example.com")
}

#[test]
fn an_operation_over_its_limit_is_slow_and_says_how_slow() {
    let mut stream = Stream::new();
    stream.lines(120, 1000, |_| call("get_shared_agents", 90.0)).lines(40, 1000, |_| call("get_shared_agents", 734.0));
    assert_eq!(stream.fired(), ["slow"]);
    let finding = stream.last("slow");
    assert_eq!(finding.title.raw(), "get_shared_agents p50 734 ms (usually 90 ms)");
    assert_eq!(finding.severity, Severity::High);
    assert_eq!(finding.brief.observed, Some(734.0));
    assert_eq!(finding.brief.baseline, Some(90.0));
    assert!(finding.brief.reasons_for >= 2 && finding.brief.reasons_against >= 1);
    assert!(!finding.evidence.samples.is_empty());
}

#[test]
fn one_slow_call_is_no_alert_nor_are_a_few_among_many() {
    let mut stream = Stream::new();
    stream.line(call("load_messages", 9000.0));
    stream.lines(300, 200, |nth| call("load_messages", if nth % 10 == 0 { 900.0 } else { 80.0 }));
    assert_eq!(stream.fired(), [""; 0]);
}

#[test]
fn a_slow_operation_is_found_within_twenty_calls() {
    let mut stream = Stream::new();
    stream.lines(60, 1000, |_| call("search_rag", 300.0));
    let before = stream.lines.len();
    while stream.findings.is_empty() {
        stream.lines(1, 100, |_| call("search_rag", 1600.0));
        assert!(stream.lines.len() - before <= 20, "not found");
    }
    let mut quick =
        Stream::with(Rules { fixed_limits_ms: [("search_rag".to_owned(), 800.0)].into(), ..Rules::default() });
    quick.lines(20, 500, |_| call("search_rag", 1600.0));
    assert_eq!(quick.fired(), ["slow"], "a limit that somebody set needs no baseline");
    assert_eq!(quick.last("slow").title.raw(), "search_rag p50 1.6 s (limit 800 ms)");
}

#[test]
fn a_limit_under_what_is_usual_takes_nothing_from_what_is_found_without_it() {
    let operations = ["get_conversations", "get_shared_agents", "load_messages", "search_rag", "firestore_query"];
    let found = |fixed_limits_ms| {
        let mut stream = Stream::with(Rules { fixed_limits_ms, ..Rules::default() });
        stream.lines(600, 200, |nth| call(operations[nth % 5], if nth % 5 < 3 { 400.0 } else { 20.0 }));
        stream.lines(300, 200, |nth| call(operations[nth % 5], [400.0, 400.0, 400.0, 20.0, 300.0][nth % 5]));
        stream.lines(600, 200, |nth| call(operations[nth % 5], [400.0, 400.0, 400.0, 20.0, 20.0][nth % 5]));
        stream.lines(600, 200, |nth| call(operations[nth % 5], [6000.0, 6000.0, 6000.0, 300.0, 300.0][nth % 5]));
        let told = stream.findings.iter().map(|finding| (finding.rule_id, finding.operation.clone()));
        told.collect::<std::collections::BTreeSet<_>>()
    };
    let without = found([].into());
    let with = found(operations.map(|operation| (operation.to_owned(), 100.0)).into());
    assert!(
        without.iter().any(|(rule, _)| *rule == "slow") && without.iter().any(|(rule, _)| *rule == "slow.everywhere")
    );
    assert!(with.is_superset(&without), "lost: {:?}", without.difference(&with).collect::<Vec<_>>());
    for operation in &operations[..3] {
        let own = ("slow", Some((*operation).into()));
        assert!(with.contains(&own), "whoever sets a limit is told of {operation}: {with:?}");
    }
}

#[test]
fn a_report_that_always_takes_long_is_not_slower_than_usual() {
    let mut stream = Stream::new();
    stream.lines(40, 20_000, |_| call("export_report", 950.0)).lines(60, 5000, |_| call("export_report", 1100.0));
    assert_eq!(stream.fired(), [""; 0]);
}

#[test]
fn a_slowdown_of_everything_is_one_problem_with_its_operations_listed() {
    let operations = ["get_conversations", "get_shared_agents", "load_messages", "search_rag", "firestore_query"];
    let mut stream = Stream::new();
    stream.lines(300, 200, |nth| call(operations[nth % 5], 90.0));
    stream.lines(600, 200, |nth| call(operations[nth % 5], 4000.0));
    assert!(stream.fired().contains(&"slow.everywhere"));
    let alone = stream.findings.iter().filter(|finding| finding.rule_id == "slow").map(|finding| &finding.fingerprint);
    let alone: std::collections::BTreeSet<_> = alone.collect();
    assert!(alone.len() <= 2, "{alone:?}");
    let reasons = &stream.last("slow.everywhere").evidence.reasons;
    assert!(operations.iter().all(|name| reasons.iter().any(|reason| reason.text.raw().starts_with(name))));
}

#[test]
fn a_slowdown_that_dies_down_is_never_told_of_fewer_operations_than_make_one() {
    let operations = ["get_conversations", "get_shared_agents", "load_messages", "search_rag", "firestore_query"];
    let mut stream = Stream::new();
    stream.lines(300, 200, |nth| call(operations[nth % 5], 90.0));
    stream.lines(300, 200, |nth| call(operations[nth % 5], 4000.0));
    let spoken = stream.findings.len();
    stream.lines(2000, 200, |nth| call(operations[nth % 5], if nth % 5 < 2 && nth % 3 > 0 { 4000.0 } else { 90.0 }));
    stream.lines(2000, 200, |nth| call(operations[nth % 5], if nth % 50 == 0 { 4000.0 } else { 90.0 }));
    let told: Vec<_> = stream.findings.iter().filter(|finding| finding.rule_id == "slow.everywhere").collect();
    let slow = |title: &str| title.split(' ').next().and_then(|count| count.parse::<u32>().ok());
    for finding in &told {
        assert!(slow(finding.title.raw()) >= Some(3), "{}", finding.title.raw());
        assert!(finding.brief.observed > Some(2000.0), "{}: {:?}", finding.title.raw(), finding.brief);
    }
    let later = stream.findings[spoken..].iter().filter(|finding| finding.rule_id == "slow.everywhere");
    assert!(later.filter(|finding| finding.matches > 0).count() > 10, "what came later is counted all the same");
}

#[test]
fn an_operation_that_is_fast_again_is_over_and_may_come_back() {
    let mut stream = Stream::new();
    stream.lines(60, 1000, |_| call("load_messages", 50.0));
    stream.lines(30, 1000, |_| call("load_messages", 900.0)).lines(400, 1000, |_| call("load_messages", 50.0));
    let spoken = stream.findings.len();
    assert!(spoken > 0);
    stream.lines(3, 1000, |_| call("load_messages", 900.0));
    assert_eq!(stream.findings.len(), spoken, "three slow calls after the end are nothing");
    stream.lines(40, 1000, |_| call("load_messages", 900.0));
    assert!(stream.findings.len() > spoken);
    assert_eq!(stream.findings[spoken].fingerprint, stream.findings[0].fingerprint);
}

#[test]
fn many_errors_of_one_type_are_a_spike_and_most_calls_failing_is_critical() {
    let mut stream = Stream::new();
    stream.lines(200, 500, |_| call("get_conversations", 100.0));
    stream.lines(60, 500, |nth| error("get_conversations", "TimeoutError", user(nth)));
    assert!(stream.fired().contains(&"errors"));
    assert!(!stream.fired().contains(&"friction"), "the outage explains each user's failures");
    let finding = stream.last("errors");
    assert_eq!(finding.severity, Severity::Critical);
    assert!(finding.affected_user_count > 20);
    assert_eq!(finding.brief.baseline, Some(0.0));
}

#[test]
fn lines_that_name_no_operation_are_weighed_by_service_also_before_anything_is_usual() {
    let said = |nth: usize| {
        let (level, what) = match nth % 7 {
            6 => (Level::Error, "checkout failed: card processor timed out"),
            _ => (Level::Info, "checkout done"),
        };
        LogEvent { level, message: format!("{what}, order {nth}").into(), service: "api".into(), ..LogEvent::default() }
    };
    let mut stream = Stream::new();
    stream.lines(60 * 18, 55, said);
    assert_eq!(stream.fired(), ["errors"]);
    assert_eq!(stream.last("errors").labels.keys().collect::<Vec<_>>(), ["service"]);
    assert!(stream.last("errors").title.raw().starts_with("api: 14"), "{:?}", stream.last("errors").title);
}

#[test]
fn a_steady_share_of_errors_is_no_spike() {
    let mut stream = Stream::new();
    stream.lines(3000, 100, |nth| {
        if nth % 40 == 0 { error("load_messages", "NotFound", user(nth)) } else { call("load_messages", 50.0) }
    });
    assert_eq!(stream.fired(), [""; 0]);
}

#[test]
fn one_user_who_fails_again_and_again_has_friction() {
    let mut stream = Stream::new();
    stream.lines(100, 500, |nth| LogEvent { user_id: Some(user(nth).into()), ..call("save_settings", 80.0) });
    stream.lines(4, 8000, |_| error("save_settings", "ValidationError", "ana@example.com".into()));
    assert_eq!(stream.fired(), ["friction"]);
    let finding = stream.last("friction");
    assert_eq!(finding.title.raw(), "save_settings: ana@example.com failed 4 times");
    assert_eq!(finding.affected_users.len(), 1);
}

#[test]
fn a_clumsy_user_who_gets_on_is_left_alone() {
    let mut stream = Stream::new();
    let ana = || "ana@example.com".to_owned();
    stream.lines(2, 8000, |_| error("save_settings", "ValidationError", ana()));
    stream.lines(6, 8000, |_| LogEvent { user_id: Some(ana().into()), ..call("save_settings", 80.0) });
    stream.lines(1, 8000, |_| error("save_settings", "ValidationError", ana()));
    assert_eq!(stream.fired(), [""; 0]);
}

#[test]
fn calls_retried_three_times_are_noticed_and_single_retries_are_not() {
    let retried = |retries| LogEvent { retry_count: Some(retries), ..call("gemini_api_call", 500.0) };
    let mut stream = Stream::new();
    stream.lines(20, 2000, |_| retried(1)).lines(2, 2000, |_| retried(3));
    assert_eq!(stream.fired(), [""; 0]);
    stream.lines(2, 2000, |_| retried(4));
    assert_eq!(stream.fired(), ["retries"]);
}

#[test]
fn a_password_guesser_is_named_by_address_at_the_fifth_failure() {
    let mut stream = Stream::new();
    stream.lines(4, 3000, |nth| login(Login::Failed, "203.0.113.9".into(), user(nth)));
    assert_eq!(stream.fired(), [""; 0]);
    stream.lines(1, 3000, |_| login(Login::Failed, "203.0.113.9".into(), user(4)));
    assert_eq!(stream.fired(), ["login.address"]);
    stream.lines(9, 3000, |nth| login(Login::Failed, "203.0.113.9".into(), user(nth)));
    assert_eq!(stream.fired(), ["login.address"], "and nothing else is said of failed logins");
    stream.wait(2000);
    assert_eq!(stream.last("login.address").title.raw(), "login: 14 failures from 203.0.113.9");
    assert_eq!(stream.last("login.address").severity, Severity::High);
}

#[test]
fn what_was_left_unsaid_before_a_hole_is_told_as_of_the_last_match() {
    let failed = |nth| login(Login::Failed, "203.0.113.9".into(), user(nth));
    let mut stream = Stream::new();
    stream.lines(40, 3000, failed).line(failed(40)).jump(3_600_000);
    let finding = stream.last("login.address");
    assert_eq!(finding.title.raw(), "login: 41 failures from 203.0.113.9");
    assert!(finding.matches > 0 && finding.phase == Phase::Firing);
    assert_eq!(finding.brief.observed, Some(41.0));
    assert_eq!(finding.last_at.millis(), crate::stream::START + 120_000);
}

#[test]
fn a_single_one_is_told_in_the_singular() {
    let mut stream = Stream::new();
    stream.line(LogEvent { message: "Deployed r8812".into(), service: "api".into(), ..LogEvent::default() });
    stream.wait(1000).line(login(Login::LockedOut, "203.0.113.9".into(), "ana".into()));
    stream.wait(1000).line(LogEvent { level: Level::Warn, message: "orphaned document".into(), ..LogEvent::default() });
    let reasons = stream.findings.iter().flat_map(|finding| &finding.evidence.reasons);
    let texts: Vec<&str> = reasons.map(|reason| reason.text.raw()).collect();
    for wanted in ["1 line says locked out", "1 line says orphan", "1 deploy line in the ten minutes before the onset"]
    {
        assert!(texts.contains(&wanted), "{wanted}: {texts:?}");
    }
    assert_eq!(stream.last("data").title.raw(), "all lines: orphan reported (1 line)");
}

#[test]
fn a_success_after_a_run_of_failures_is_critical() {
    let mut stream = Stream::new();
    stream.lines(6, 3000, |_| login(Login::Failed, "203.0.113.9".into(), "ana@example.com".into()));
    stream.lines(1, 3000, |_| login(Login::Succeeded, "203.0.113.9".into(), "ana@example.com".into()));
    assert_eq!(stream.last("login.address").severity, Severity::Critical);
    assert_eq!(stream.last("login.address").title.raw(), "login: success after 6 failures from 203.0.113.9");
}

#[test]
fn an_office_behind_one_address_is_no_attacker() {
    let mut stream = Stream::new();
    stream.lines(60, 5000, |nth| {
        let outcome = if nth % 5 == 1 { Login::Failed } else { Login::Succeeded };
        login(outcome, "192.0.2.7".into(), user(nth))
    });
    assert_eq!(stream.fired(), [""; 0]);
}

#[test]
fn one_account_tried_from_many_addresses_is_found_by_account() {
    let mut stream = Stream::new();
    stream.lines(8, 20_000, |nth| login(Login::Failed, format!("198.51.100.{nth}"), "root".into()));
    assert_eq!(stream.fired(), ["login.account"]);
    let mut forgetful = Stream::new();
    forgetful.lines(4, 20_000, |_| login(Login::Failed, "198.51.100.1".into(), "ana".into()));
    assert_eq!(forgetful.fired(), [""; 0]);
}

#[test]
fn a_lock_out_is_believed_at_once() {
    let mut stream = Stream::new();
    stream.line(login(Login::LockedOut, "203.0.113.9".into(), "ana".into()));
    assert_eq!(stream.fired(), ["login.address"]);
    assert_eq!(stream.last("login.address").severity, Severity::Medium);
}

#[test]
fn an_orphan_is_an_inconsistency_and_a_calm_report_of_none_is_not() {
    let said = |level| LogEvent {
        level,
        message: "orphaned document d-17 without owner".into(),
        service: "store".into(),
        operation: Some("integrity_check".into()),
        category: Some(Category::Data),
        ..LogEvent::default()
    };
    let mut stream = Stream::new();
    stream.line(said(Level::Info));
    assert_eq!(stream.fired(), [""; 0]);
    stream.line(said(Level::Warn));
    assert_eq!(stream.fired(), ["data"]);
    stream.lines(8, 500, |_| said(Level::Warn));
    stream.wait(2000);
    assert_eq!(stream.last("data").severity, Severity::High);
}

#[test]
fn a_type_error_that_speaks_of_a_mismatch_in_a_login_is_no_data_problem() {
    let mut stream = Stream::new();
    let event = login(Login::Failed, "192.0.2.1".into(), "ana".into());
    stream.line(LogEvent { level: Level::Warn, message: "password mismatch".into(), ..event });
    assert_eq!(stream.fired(), [""; 0]);
}

#[test]
fn an_owner_whose_things_vanish_is_found_and_the_last_deletion_or_a_search_is_not() {
    let listed = |operation: &'static str, count: u64| {
        let mut event = LogEvent { user_id: Some("ana".into()), ..call(operation, 40.0) };
        event.attributes.insert("itemCount".into(), count.into());
        event
    };
    let mut stream = Stream::new();
    for count in [3, 2, 1, 0] {
        stream.line(listed("list_documents", count)).wait(1000);
    }
    stream.line(listed("search_documents", 9)).wait(1000).line(listed("search_documents", 0));
    assert_eq!(stream.fired(), [""; 0]);
    stream.line(listed("list_documents", 12)).wait(1000).line(listed("list_documents", 0));
    assert_eq!(stream.fired(), ["data.vanished"]);
    assert_eq!(stream.last("data.vanished").title.raw(), "list_documents: ana had 12, now 0 (itemCount)");
}

fn beat(health: ComponentHealth) -> LogEvent<'static> {
    LogEvent {
        service: "ai".into(),
        component: Some("embedder".into()),
        health: Some(health),
        message: "heartbeat".into(),
        ..LogEvent::default()
    }
}

#[test]
fn a_component_that_says_down_is_a_problem_until_it_says_healthy() {
    let mut stream = Stream::new();
    stream.lines(5, 1000, |_| beat(ComponentHealth::Healthy));
    assert_eq!(stream.findings.len(), 0);
    stream.lines(3, 1000, |_| beat(ComponentHealth::Degraded)).lines(3, 1000, |_| beat(ComponentHealth::Down));
    assert_eq!(stream.last("health").title.raw(), "embedder is down");
    stream.lines(2, 1000, |_| beat(ComponentHealth::Healthy));
    assert_eq!(stream.last("health").phase, Phase::Recovered);
}

#[test]
fn a_heartbeat_that_stops_is_silence_and_ends_when_it_speaks_again() {
    let mut stream = Stream::new();
    stream.lines(60, 5000, |_| beat(ComponentHealth::Healthy));
    stream.lines(100, 1000, |_| call("load_messages", 20.0));
    assert_eq!(stream.fired(), ["silence"]);
    let finding = stream.last("silence").clone();
    assert_eq!(finding.title.raw(), "embedder silent for 1 min 31 s (usual gap at most 5 s)");
    stream.line(beat(ComponentHealth::Healthy));
    assert_eq!(stream.last("silence").phase, Phase::Recovered);
    assert_eq!(stream.last("silence").fingerprint, finding.fingerprint);
}

#[test]
fn a_batch_that_ended_and_a_hole_in_a_recording_are_no_silence() {
    let mut stream = Stream::new();
    let batch = || LogEvent { service: "jobs".into(), message: "item done".into(), ..LogEvent::default() };
    stream.lines(200, 500, |_| batch()).lines(400, 1000, |_| call("load_messages", 20.0));
    assert_eq!(stream.fired(), [""; 0]);

    let mut engine = stella_detect::Engine::new(Rules::default());
    let mut at = crate::stream::START;
    for nth in 0..800_u64 {
        at += if nth == 400 { 3_600_000 } else { 1000 };
        let event =
            LogEvent { engine_time: stella_protocol::Timestamp::from_millis(at), ..call("load_messages", 20.0) };
        engine.observe(stella_protocol::LineId(nth), &event);
        engine.advance(stella_protocol::Timestamp::from_millis(at));
    }
    assert!(engine.drain().is_empty());
}

#[test]
fn when_all_are_silent_that_is_one_problem() {
    let mut stream = Stream::new();
    stream.lines(
        1000,
        1000,
        |nth| if nth % 2 == 0 { call("load_messages", 20.0) } else { beat(ComponentHealth::Healthy) },
    );
    stream.wait(300_000);
    let prints: std::collections::BTreeSet<_> = stream.findings.iter().map(|finding| &finding.fingerprint).collect();
    assert_eq!(prints.into_iter().collect::<Vec<_>>(), ["silence|scope=everything"]);
}

#[test]
fn who_is_silent_alone_is_blamed_alone_however_seldom_the_others_speak() {
    let mut stream = Stream::new();
    let said =
        |service: &'static str| LogEvent { service: service.into(), message: "done".into(), ..LogEvent::default() };
    for nth in 0..600_i64 {
        stream.wait(5000 + nth % 3 * 100).line(said("nodes"));
        if nth % 10 == 0 {
            stream.line(said("names"));
        }
    }
    for gap_ms in [25_000, 50_000, 50_000, 50_000] {
        stream.wait(gap_ms).line(said("names"));
    }
    let prints: std::collections::BTreeSet<_> = stream.findings.iter().map(|finding| &finding.fingerprint).collect();
    assert_eq!(prints.into_iter().collect::<Vec<_>>(), ["silence|service=nodes"]);
    assert_eq!(stream.last("silence").severity, Severity::High);
}

#[test]
fn an_error_never_seen_is_new_only_after_the_warm_up() {
    let ordinary = |stream: &mut Stream| {
        stream.lines(400, 1000, |_| call("load_messages", 20.0));
    };
    let mut early = Stream::new();
    early.lines(2, 1000, |nth| error("save", "TypeError", user(nth)));
    ordinary(&mut early);
    early.lines(3, 20_000, |nth| error("save", "TypeError", user(nth)));
    assert_eq!(early.fired(), [""; 0]);

    let mut late = Stream::new();
    ordinary(&mut late);
    late.lines(2, 20_000, |nth| error("save", "TypeError", user(nth)));
    assert_eq!(late.fired(), [""; 0]);
    late.lines(1, 20_000, |nth| error("save", "TypeError", user(nth + 9)));
    assert_eq!(late.fired(), ["new_error"]);
    assert_eq!(late.last("new_error").title.raw(), "new error in save: TypeError (3 lines)");
}

#[test]
fn an_error_without_a_type_is_known_by_its_words() {
    let mut stream = Stream::new();
    stream.lines(400, 1000, |_| call("load_messages", 20.0));
    stream.lines(3, 1000, |nth| LogEvent {
        level: Level::Error,
        message: format!("connection {nth} refused by upstream host at 10.0.0.{nth}").into(),
        service: "api".into(),
        ..LogEvent::default()
    });
    assert_eq!(stream.last("new_error").labels["error"].raw(), "refused by upstream host at");
}

#[test]
fn a_problem_that_lasts_speaks_at_most_once_a_second_and_counts_everything() {
    let mut stream = Stream::new();
    stream.lines(2000, 50, |nth| login(Login::Failed, "203.0.113.9".into(), user(nth)));
    stream.wait(20_000);
    let mut seconds: Vec<i64> =
        stream.findings[1..].iter().map(|finding| finding.evidence.refreshed_at.seconds()).collect();
    seconds.dedup();
    assert_eq!(seconds.len(), stream.findings.len() - 1);
    assert_eq!(stream.findings.iter().map(|finding| finding.matches).sum::<u64>(), 2000);
}
