//! Journeys: what the server says and what a person types, then the whole screen and the commands sent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

#[path = "journeys/cause.rs"]
mod cause;
#[path = "journeys/company.rs"]
mod company;
#[path = "journeys/decisions.rs"]
mod decisions;
#[path = "journeys/fixes.rs"]
mod fixes;
#[path = "journeys/fixes_list.rs"]
mod fixes_list;
#[path = "journeys/migrations.rs"]
mod migrations;
#[path = "journeys/migrations_decided.rs"]
mod migrations_decided;
#[path = "journeys/migrations_told.rs"]
mod migrations_told;
#[path = "journeys/remedies.rs"]
mod remedies;
#[path = "journeys/rules.rs"]
mod rules;
#[path = "journeys/scene.rs"]
mod scene;

use scene::{NOON, Scene, alert, evidence, link, morning};
use stella_protocol::command::{TargetResult, WrongPart};
use stella_protocol::problem::{Code, Problem, Retry};
use stella_protocol::snapshot::{LogLine, LogPage};
use stella_protocol::{
    ActionResponse, Activity, Alert, FeedEvent, Level, LineId, LogEvent, Outcome, Severity, Status, Timestamp, Verb,
};
use stella_tui::effect::{Command, Effect, Query, Refusal, Reply};
use stella_tui::event::{Cause, Event, LinkEvent, SourceEvent};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 50)];

fn explained(scene: &mut Scene) {
    scene.answer(|query| match query {
        Query::Evidence(id) => Some(Reply::Evidence(id.clone(), Ok(Box::new(evidence())))),
        _ => None,
    });
}

fn acted(alert: &Alert) -> ActionResponse {
    ActionResponse {
        action_id: "act-1".parse().unwrap(),
        undo_until: Some(Timestamp::from_millis(NOON + 86_400_000)),
        results: vec![TargetResult {
            id: alert.id.clone(),
            outcome: Outcome::Done,
            alert: Some(Box::new(alert.clone())),
            problem: None,
        }],
    }
}

fn acknowledged() -> Alert {
    let mut taken = morning().swap_remove(0);
    taken.status = Status::Acknowledged;
    taken.acknowledged_by = Some("sre-1".into());
    taken.version += 1;
    taken
}

#[test]
fn the_list_at_three_sizes() {
    for (width, height) in SIZES {
        let mut scene = Scene::live(width, height, morning());
        if width >= 120 {
            explained(&mut scene);
        }
        insta::assert_snapshot!(format!("list_{width}x{height}"), scene.screen());
    }
}

#[test]
fn the_detail_at_three_sizes() {
    for (width, height) in SIZES {
        let mut scene = Scene::live(width, height, morning());
        scene.keys("<Enter>");
        explained(&mut scene);
        insta::assert_snapshot!(format!("detail_{width}x{height}"), scene.screen());
    }
}

#[test]
fn the_metrics_and_the_log_at_eighty_columns() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("4");
    scene.answer(|query| match query {
        Query::Series(ask) => {
            let series = scene::series(&ask.ids[0], "errors", "%", None, Timestamp::from_millis(NOON), 1.2);
            Some(Reply::Series(Ok(stella_protocol::series::SeriesPage { items: vec![series], next: None })))
        }
        _ => None,
    });
    insta::assert_snapshot!("metrics_80x24", scene.screen());
    scene.keys("1gl");
    scene.answer(|query| matches!(query, Query::Logs(_)).then(|| Reply::Logs(Ok(lines()))));
    insta::assert_snapshot!("log_80x24", scene.screen());
    scene.keys("/pool<Enter>");
    insta::assert_snapshot!("log_search_80x24", scene.screen());
}

fn lines() -> LogPage {
    let items = (0..30_u64).map(|at| LogLine {
        id: LineId(100 + at),
        matched: at % 5 == 0,
        event: LogEvent {
            engine_time: Timestamp::from_millis(NOON - 60_000 + at.cast_signed() * 1000),
            level: if at % 5 == 0 { Level::Error } else { Level::Info },
            service: "api".into(),
            message: if at % 5 == 0 { "pool exhausted after 5000 ms" } else { "GET /api/agents 200" }.into(),
            ..LogEvent::default()
        },
    });
    LogPage { items: items.collect(), next: None }
}

#[test]
fn help_is_made_from_the_key_table() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("?");
    insta::assert_snapshot!("help_80x24", scene.screen());
    let top = scene.screen();
    for (there, back) in [("<C-f>", "<C-u>"), ("G", "g"), ("<PgDn>", "<PgUp>"), ("j", "k")] {
        scene.keys(there);
        assert_ne!(scene.screen(), top, "{there}");
        scene.keys(back);
        assert_eq!(scene.screen(), top, "{back}");
    }
}

#[test]
fn an_acknowledgement_is_pending_until_the_feed_confirms_it() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("a");
    let (id, command) = scene.sent().unwrap();
    let Command::Act(request) = command else { panic!("an action") };
    assert_eq!((request.verb, request.targets.len(), request.targets[0].version), (Verb::Acknowledge, 1, 3));
    assert!(scene.screen().contains("FIR.."), "{}", scene.screen());
    scene.event(Event::Reply(id, Box::new(Reply::Acted(Ok(acted(&acknowledged()))))));
    assert!(scene.screen().contains("FIR.."), "answered is not confirmed:\n{}", scene.screen());
    scene.feed(FeedEvent::Alert(Box::new(acknowledged())));
    scene.rest(3);
    let screen = scene.screen();
    assert!(!screen.contains("FIR..") && screen.contains("u undo (24h)"), "{screen}");
    scene.keys("u");
    assert!(matches!(scene.sent(), Some((_, Command::Undo(action))) if action.as_str() == "act-1"));
    assert!(scene.screen().contains("ACK.."), "an undo is pending too:\n{}", scene.screen());
    let sent = scene.effects.len();
    scene.keys("u");
    assert!(scene.effects.iter().skip(sent).all(|effect| !matches!(effect, Effect::Send(..))), "not twice");
}

#[test]
fn a_viewer_is_offered_no_verb_and_hears_why_when_it_presses_one() {
    let mut scene = Scene::live(80, 24, morning());
    let mut hello = scene::hello(scene.now.wall);
    hello.role = stella_protocol::Role::Viewer;
    scene.feed(FeedEvent::Hello(hello));
    let screen = scene.screen();
    let footer = screen.lines().last().unwrap();
    assert!(footer.contains("Enter open") && !footer.contains("a ack") && !footer.contains("u undo"), "{footer}");
    for keys in ["a", "R", "F", "c", "u", "A"] {
        scene.keys(keys);
        assert!(scene.sent().is_none() && scene.model.ui.dialog.is_none());
        assert!(scene.screen().contains("your role is viewer: verbs need responder"), "{}", scene.screen());
    }
    scene.keys("?");
    assert!(scene.screen().contains("off: your role"), "{}", scene.screen());
}

#[test]
fn a_key_that_works_elsewhere_is_called_by_its_name() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("4 ");
    assert!(scene.screen().contains("Space does nothing here"), "{}", scene.screen());
    scene.keys("1<Left>");
    assert!(scene.screen().contains("Left does nothing here"), "{}", scene.screen());
}

#[test]
fn no_value_of_a_series_is_cut() {
    for (width, height) in [(60, 15), (80, 24), (120, 36), (200, 50)] {
        let mut scene = Scene::live(width, height, morning());
        let mut first = scene::snapshot(morning(), scene.now.wall);
        for (id, unit, limit) in [("pool", "connections", 20.0), ("odd", "very long words for a unit", 7.0)] {
            first.series.push(scene::series(id, id, unit, Some(limit), scene.now.wall, 4.0));
        }
        scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
        scene.keys("4");
        let screen = scene.screen();
        let row =
            |name: &str| screen.lines().find(|line| line.trim_start_matches([' ', '>']).starts_with(name)).unwrap();
        assert!(row("pool").contains("4 connections") && row("pool").contains("limit 20"), "{screen}");
        assert!(row("odd").contains(" 4 ") && row("odd").contains("limit 7"), "{screen}");
        assert!(row("get_shared").contains("734 ms") && row("get_shared").contains("limit 200 ms"), "{screen}");
        assert!(row("get_shared").ends_with("ABOVE"), "{screen}");
    }
}

#[test]
fn the_span_of_a_chart_stands_above_it_whatever_the_series_is_called() {
    for (width, height) in [(80, 24), (120, 36)] {
        let mut scene = Scene::live(width, height, morning());
        let mut first = scene::snapshot(morning(), scene.now.wall);
        let name = "a series with quite a name p50";
        first.series = vec![scene::series(name, name, "ms", None, scene.now.wall, 4.0)];
        scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
        scene.keys("4");
        let screen = scene.screen();
        let above = screen.lines().rfind(|line| line.contains(name)).unwrap();
        assert!(above.contains("30 min live"), "{screen}");
        assert_eq!(above.contains("left right move"), width == 120, "{screen}");
    }
}

#[test]
fn a_refusal_says_who_was_first_and_what_to_do_where_that_is_known() {
    for (detail, said) in [
        ("press a again to take over", "refused: op2 has it already^[[2J; press a again to take over"),
        ("", "refused: op2 has it already^[[2J\n"),
    ] {
        let mut scene = Scene::live(80, 24, morning());
        scene.keys("a");
        let (id, _) = scene.sent().unwrap();
        let problem = Problem {
            kind: "".into(),
            code: Code::AlreadyAcknowledged,
            title: "op2 has it already\u{1b}[2J".into(),
            detail: detail.into(),
            request_id: "".into(),
            retry: Retry::Never,
            current: None,
        };
        scene.event(Event::Reply(id, Box::new(Reply::Acted(Err(Refusal::Problem(Box::new(problem)))))));
        let screen = scene.screen();
        assert!(screen.contains(said), "{screen}");
    }
}

#[test]
fn an_unknown_action_is_asked_again_under_the_same_name_at_the_next_hello() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("a");
    let (id, command) = scene.sent().unwrap();
    scene.event(Event::Reply(id, Box::new(Reply::Acted(Err(Refusal::Unknown("time-out".into()))))));
    assert!(scene.screen().contains("FIR??"), "{}", scene.screen());
    scene.effects.clear();
    scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
    assert_eq!(scene.sent(), Some((id, command)));
}

#[test]
fn resolving_asks_for_a_reason_and_a_yes_that_is_not_enter() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("Rrolled back<Enter>");
    assert!(scene.sent().is_none());
    insta::assert_snapshot!("resolve_80x24", scene.screen());
    scene.keys("<Enter>");
    assert!(scene.sent().is_none(), "Enter is no");
    scene.keys("Rrolled back<Enter>y");
    let Some((_, Command::Act(request))) = scene.sent() else { panic!("sent") };
    assert_eq!(
        (request.verb, request.text.map(|text| text.raw().to_owned())),
        (Verb::Resolve, Some("rolled back".into()))
    );
}

#[test]
fn calling_an_alert_false_asks_which_part_was_wrong_before_the_reason() {
    for (digit, part) in [
        ('1', Some(WrongPart::Normal)),
        ('2', Some(WrongPart::Threshold)),
        ('3', Some(WrongPart::Misread)),
        ('4', None),
    ] {
        let mut scene = Scene::live(80, 24, morning());
        scene.keys("F");
        if digit == '3' {
            insta::assert_snapshot!("false_part_80x24", scene.screen());
        }
        scene.keys(&format!("{digit}the nightly batch<Enter>"));
        if digit == '3' {
            insta::assert_snapshot!("false_confirm_80x24", scene.screen());
        }
        assert!(scene.sent().is_none(), "it asks for a yes");
        scene.keys("y");
        let Some((_, Command::Act(request))) = scene.sent() else { panic!("sent") };
        assert_eq!((request.verb, request.part), (Verb::FalsePositive, part));
        assert_eq!(request.text.map(|text| text.raw().to_owned()), Some("the nightly batch".to_owned()));
    }
}

#[test]
fn what_was_wrong_is_asked_once_for_all_that_are_marked_and_enter_is_no() {
    let mut scene = Scene::live(120, 36, morning());
    scene.keys(" j F");
    insta::assert_snapshot!("false_part_120x36", scene.screen());
    scene.keys("<Enter>");
    assert!(scene.model.ui.dialog.is_none() && scene.sent().is_none(), "{}", scene.screen());
    scene.keys(":false-positive<Enter>59<Esc>");
    assert!(scene.model.ui.dialog.is_none() && scene.sent().is_none(), "{}", scene.screen());
    scene.keys("F1<Enter>y");
    let Some((_, Command::Act(request))) = scene.sent() else { panic!("sent") };
    assert_eq!((request.targets.len(), request.part, request.text), (2, Some(WrongPart::Normal), None));
}

#[test]
fn rows_do_not_move_under_a_finger_and_arrivals_are_counted() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("j");
    let before = scene.model.ui.alerts.cursor().cloned();
    let newer = alert("a-0000009", Severity::Critical, 0, "pay", "pool exhausted: 38 of 40 calls failed");
    scene.feed(FeedEvent::Alert(Box::new(newer)));
    let screen = scene.screen();
    assert!(screen.contains("new while you look: 1, worst CRIT, press . to let in"), "{screen}");
    assert!(!screen.contains("pool exhausted"), "{screen}");
    scene.keys(".");
    assert!(scene.screen().contains("pool exhausted"), "{}", scene.screen());
    assert_eq!(scene.model.ui.alerts.cursor().cloned(), before, "the cursor is an id");
    assert!(scene.effects.contains(&Effect::Bell), "a new critical alert rings");
}

#[test]
fn after_two_quiet_seconds_arrivals_come_in_by_themselves() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("j");
    scene.feed(FeedEvent::Alert(Box::new(alert("a-0000009", Severity::Critical, 0, "pay", "pool exhausted"))));
    assert!(scene.model.wake_at(scene.now) <= scene.now.steady + 2_000, "time will bring it in");
    scene.rest(3);
    assert!(scene.screen().contains("pool exhausted"), "{}", scene.screen());
}

#[test]
fn a_filter_counts_as_it_is_typed_and_shows_where_it_is_wrong() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("/sev>=high !service=auth");
    assert!(scene.screen().contains("3 shown"), "{}", scene.screen());
    scene.keys(" sev>=");
    assert!(scene.screen().contains("^ a value is missing after the comparison"), "{}", scene.screen());
    scene.keys("<C-w><C-w><Enter>");
    scene.keys("<Esc>");
    assert!(scene.screen().contains("6 open"), "{}", scene.screen());
}

#[test]
fn a_stale_feed_has_a_name_an_age_and_refuses_closing_verbs() {
    let mut scene = Scene::live(80, 24, morning());
    let cause = Cause { what: "connection refused".into(), then: "is the server up?".into() };
    scene.event(Event::Link(LinkEvent::Lost { cause, retry_ms: 4_000 }));
    insta::assert_snapshot!("stale_80x24", scene.screen());
    scene.keys("R");
    assert!(scene.model.ui.dialog.is_none());
    assert!(scene.screen().contains("off while the feed is stale"), "{}", scene.screen());
    scene.keys("a");
    assert!(scene.sent().is_some(), "acknowledge is sent now or refused");
}

#[test]
fn read_only_sends_nothing() {
    let mut setup = scene::setup();
    setup.readonly = true;
    let mut scene = Scene::with(setup, 80, 24);
    let first = scene::snapshot(morning(), scene.now.wall);
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
    scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
    scene.keys("aRFcu");
    assert!(scene.sent().is_none());
    assert!(scene.screen().contains("read-only"), "{}", scene.screen());
}

#[test]
fn a_reason_opens_the_lines_it_was_counted_from() {
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("<Enter>");
    explained(&mut scene);
    scene.keys("jj<Enter>");
    let asked = scene.effects.iter().rev().find_map(|effect| match effect {
        Effect::Fetch(_, Query::Logs(ask)) => Some(ask.clone()),
        _ => None,
    });
    let wanted = link("operation=\"get_shared_agents\"");
    assert_eq!(
        asked.map(|ask| (ask.q, ask.from, ask.to)),
        Some((wanted.q.raw().to_owned(), Some(wanted.from), Some(wanted.to)))
    );
}

#[test]
fn an_idle_minute_changes_no_cell() {
    let mut many: Vec<Alert> = Vec::new();
    for index in 0..200 {
        many.push(alert(&format!("a-{index:07}"), Severity::High, 5 + index % 20, "api", "get_shared_agents slow"));
    }
    let mut scene = Scene::live(200, 50, many);
    explained(&mut scene);
    let before = scene.buffer();
    scene.rest(55);
    assert!(scene.buffer() == before, "{}", scene.screen());
}

#[test]
fn an_empty_list_says_what_it_waits_for() {
    let scene = Scene::live(80, 24, Vec::new());
    insta::assert_snapshot!("calm_80x24", scene.screen());
    insta::assert_snapshot!("waiting_80x24", Scene::new(80, 24).screen());
    let mut scene = Scene::new(80, 24);
    let why = "the server inside did not start: failed to take the data folder: another server is at work in it; \
               end that one, or name another folder with --data";
    scene.event(Event::Source(SourceEvent::Trouble(why.into())));
    insta::assert_snapshot!("trouble_80x24", scene.screen());
    assert!(scene.screen().contains("name another folder with --data"), "{}", scene.screen());
}

#[test]
fn the_first_run_page_offers_one_key_each() {
    let mut setup = scene::setup();
    setup.first_run = true;
    let mut scene = Scene::with(setup, 80, 24);
    insta::assert_snapshot!("first_run_80x24", scene.screen());
    scene.keys("d");
    assert!(scene.effects.iter().any(|effect| matches!(effect, Effect::Start(_))));
}

#[test]
fn every_screen_is_complete_without_colour_and_in_seven_bits() {
    for (width, height) in [(60, 15), (80, 24), (120, 36), (200, 50)] {
        let mut setup = scene::setup();
        setup.ascii = true;
        let mut scene = Scene::with(setup, width, height);
        let first = scene::snapshot(morning(), scene.now.wall);
        scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
        for keys in ["", "<Enter>", "<Esc>4", "5", "?"] {
            scene.keys(keys);
            assert!(scene.screen().is_ascii(), "{}", scene.screen());
        }
    }
}

#[test]
fn hostile_text_reaches_no_cell() {
    let hostile = "\u{1b}[2J\u{202e}TOOR\u{9b}31m\u{200b}\u{e0041}\r\n\u{7}";
    let mut bad = alert("a-0000001", Severity::Critical, 2, hostile, hostile);
    bad.description = hostile.to_owned().into();
    bad.affected_users = vec![hostile.to_owned().into()];
    bad.labels.insert(hostile.to_owned(), hostile.to_owned().into());
    bad.suggested_actions = vec![hostile.to_owned().into()];
    bad.brief.unit = hostile.to_owned().into();
    bad.activity = Activity::Firing;
    for (width, height) in SIZES {
        let mut scene = Scene::live(width, height, vec![bad.clone()]);
        for keys in ["", "<Enter>", "d", "d<Esc>", "R", "<Esc>4", "15"] {
            scene.keys(keys);
            let screen = scene.screen();
            let foreign = |letter: char| letter.is_control() || "\u{202e}\u{200b}\u{e0041}".contains(letter);
            assert!(!screen.replace('\n', "").contains(foreign), "{screen:?}");
        }
    }
}
