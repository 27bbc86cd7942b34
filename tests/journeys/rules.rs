//! Rules and what was called false: looked at, changed after what it would have made of the past was shown, taken
//! back.

use stella_protocol::problem::{Code, Problem, Retry};
use stella_protocol::rule::{
    MarkPage, PreviewAlert, RuleChange, RuleLimit, RuleOrigin, RulePage, RulePreview, RuleScope, RuleScore,
};
use stella_protocol::{AlertType, FalseMark, FeedEvent, Role, Rule, Severity, Timestamp};
use stella_tui::effect::{Command, Effect, Query, Refusal, Reply};
use stella_tui::event::{Event, LinkEvent};
use stella_tui::theme::Theme;

use crate::scene::{self, NOON, Scene, morning};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 45)];

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(NOON - minutes * 60_000)
}

fn rule(id: &str, kind: AlertType, title: &str) -> Rule {
    Rule {
        id: id.to_owned().into(),
        kind,
        title: title.to_owned().into(),
        scope: RuleScope::default(),
        origin: RuleOrigin::BuiltIn,
        enabled: true,
        sensitivity: 0.2,
        limits: Vec::new(),
        suggested_actions: Vec::new(),
        runbook: None,
        owner: None,
        score: RuleScore {
            alerts: 31,
            marked_false: 1,
            acknowledged: 28,
            median_acknowledge_ms: Some(130_000),
            since: Some(at(14 * 1_440)),
        },
        changed_at: None,
        changed_by: None,
        version: 3,
    }
}

fn rules() -> Vec<Rule> {
    let mut slow = rule("slow_operation", AlertType::PerformanceDegradation, "an operation is slower than usual");
    slow.origin = RuleOrigin::Changed;
    slow.limits = vec![RuleLimit { name: "durationMs".into(), value: 500.0, unit: "ms".into() }];
    slow.scope = RuleScope { service: Some("api*".into()), operation: None };
    slow.score.marked_false = 8;
    slow.changed_at = Some(at(90));
    slow.changed_by = Some("op2".into());
    slow.runbook = Some("https://runbooks.example/slow".into());
    slow.suggested_actions = vec!["look at the query plan".into()];
    let mut quiet = rule("silence", AlertType::Silence, "a source says nothing any more");
    quiet.enabled = false;
    quiet.origin = RuleOrigin::File;
    quiet.score = RuleScore::default();
    vec![rule("error_spike", AlertType::ErrorSpike, "more calls fail than usual"), quiet, slow]
}

fn marks() -> MarkPage {
    let mark = |fingerprint: &str, title: Option<&str>, times: u32, needed: u64| FalseMark {
        fingerprint: fingerprint.to_owned().into(),
        title: title.map(|title| title.to_owned().into()),
        at: at(300),
        by: Some("op2".into()),
        times,
        needed,
    };
    MarkPage {
        items: vec![
            mark("slow_operation|operation=export", Some("export p50 9 s"), 2, 41),
            mark("error_spike|operation=sync it", None, 1, 12),
        ],
        next: None,
    }
}

fn preview() -> RulePreview {
    let one = |title: &str, severity: Severity, alert: Option<&str>, outcome: Option<&str>| PreviewAlert {
        fingerprint: format!("slow_operation|operation={title}").into(),
        at: at(200),
        severity,
        title: format!("{title} p50 1.2 s").into(),
        alert: alert.map(|id| id.parse().unwrap()),
        outcome: outcome.map(|words| words.to_owned().into()),
    };
    RulePreview {
        from: at(3 * 1_440),
        to: at(0),
        lines: 31_442,
        before: 12,
        after: 13,
        gained: vec![one("save", Severity::High, None, None), one("load", Severity::Medium, None, None)],
        lost: vec![one("get_shared_agents", Severity::Critical, Some("a-0000001"), Some("nobody took it yet"))],
        gained_count: 2,
        lost_count: 1,
        marks: 0,
        learned_anew: false,
        version: 3,
    }
}

/// A live console of this role, at the rules.
fn scene(role: Role, theme: &str, (width, height): (u16, u16)) -> Scene {
    let mut setup = scene::setup();
    setup.theme = Theme::named(theme).unwrap();
    let mut scene = Scene::with(setup, width, height);
    let mut snapshot = scene::snapshot(morning(), scene.now.wall);
    snapshot.rules = rules();
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(snapshot))));
    scene.event(Event::Link(LinkEvent::Opened));
    let mut hello = scene::hello(scene.now.wall);
    hello.role = role;
    scene.feed(FeedEvent::Hello(hello));
    scene.keys(":rules<Enter>");
    scene
}

fn read(scene: &mut Scene, problems: &[&str]) {
    let problems = problems.iter().map(|problem| (*problem).to_owned().into()).collect::<Vec<_>>();
    scene.answer(|query| {
        let page = RulePage { items: rules(), next: None, problems: problems.clone() };
        matches!(query, Query::Rules).then(|| Reply::Rules(Ok(page)))
    });
}

fn told_marks(scene: &mut Scene) {
    scene.answer(|query| matches!(query, Query::Marks).then(|| Reply::Marks(Ok(marks()))));
}

fn counted(scene: &mut Scene) {
    scene.answer(|query| match query {
        Query::RulePreview { .. } => Some(Reply::RulePreview(Ok(Box::new(preview())))),
        _ => None,
    });
}

fn asked(scene: &Scene) -> Option<(String, RuleChange)> {
    scene.effects.iter().rev().find_map(|effect| match effect {
        Effect::Fetch(_, Query::RulePreview { id, change }) => Some((id.clone(), change.clone())),
        _ => None,
    })
}

/// The page of `slow_operation`, whose alert was under the cursor.
fn opened(role: Role, size: (u16, u16)) -> Scene {
    let mut scene = scene(role, "dark", size);
    read(&mut scene, &[]);
    scene.keys("<Enter>");
    told_marks(&mut scene);
    scene
}

#[test]
fn the_rules_their_scores_and_what_is_wrong_with_their_file() {
    for size in SIZES {
        let mut scene = scene(Role::Admin, "dark", size);
        assert!(scene.screen().contains("error_spike"), "the snapshot tells them already:\n{}", scene.screen());
        read(&mut scene, &["rules.toml, line 12: unknown key `sensitvity`, did you mean `sensitivity`?\u{1b}[2J"]);
        insta::assert_snapshot!(format!("rules_{}x{}", size.0, size.1), scene.screen());
        assert_eq!(scene.model.ui.rules.cursor(), Some("slow_operation"), "that of the alert under the cursor");
    }
}

#[test]
fn one_rule_its_settings_and_what_was_called_false_of_it() {
    for size in SIZES {
        let mut scene = opened(Role::Admin, size);
        insta::assert_snapshot!(format!("rule_{}x{}", size.0, size.1), scene.screen());
        assert!(scene.screen().contains("export p50 9 s") && !scene.screen().contains("sync it"));
        scene.keys("<Esc>");
        assert!(scene.model.ui.rules.one().is_none());
    }
}

#[test]
fn without_colours_nothing_of_it_is_lost() {
    for size in SIZES {
        let walk = |theme: &str| {
            let mut scene = scene(Role::Admin, theme, size);
            read(&mut scene, &["line 1: no"]);
            let list = scene.screen();
            scene.keys("<Enter>");
            told_marks(&mut scene);
            let one = scene.screen();
            scene.keys("<Enter>");
            counted(&mut scene);
            let look = scene.screen();
            scene.keys(":marks<Enter>");
            told_marks(&mut scene);
            [list, one, look, scene.screen()]
        };
        assert_eq!(walk("mono"), walk("dark"), "words alone tell it");
    }
}

#[test]
fn a_value_is_typed_its_effect_is_shown_and_only_then_it_is_confirmed() {
    for size in SIZES {
        let mut scene = opened(Role::Admin, size);
        scene.keys("j<Enter>");
        if size == (80, 24) {
            insta::assert_snapshot!("rule_value_80x24", scene.screen());
        }
        scene.keys("0.5<Enter>");
        let change = RuleChange { sensitivity: Some(0.5), ..RuleChange::default() };
        assert_eq!(asked(&scene), Some(("slow_operation".to_owned(), change.clone())));
        assert!(scene.screen().contains("nothing is changed"), "{}", scene.screen());
        scene.keys("<Enter>");
        assert!(scene.model.ui.dialog.is_none(), "nothing is asked before it is counted:\n{}", scene.screen());
        counted(&mut scene);
        insta::assert_snapshot!(format!("rule_preview_{}x{}", size.0, size.1), scene.screen());
        scene.keys("<Enter>");
        scene.keys("fewer at night<Enter><Enter>");
        assert!(scene.sent().is_none(), "Enter is no");
        scene.keys("<Enter>");
        scene.keys("fewer at night<Enter>");
        insta::assert_snapshot!(format!("rule_confirm_{}x{}", size.0, size.1), scene.screen());
        scene.keys("y");
        let Some((id, Command::ChangeRule { id: rule, version, change })) = scene.sent() else { panic!("sent") };
        assert_eq!((rule.as_str(), version, change.sensitivity), ("slow_operation", 3, Some(0.5)));
        assert_eq!(change.reason.map(|text| text.raw().to_owned()), Some("fewer at night".to_owned()));
        let mut changed = rules().swap_remove(2);
        (changed.sensitivity, changed.version, changed.changed_by) = (0.5, 4, Some("sre-1".into()));
        scene.event(Event::Reply(id, Box::new(Reply::RuleChanged(Ok(Box::new(changed.clone()))))));
        assert!(!scene.screen().contains("0.50 false"), "the feed has not told it yet:\n{}", scene.screen());
        scene.feed(FeedEvent::Rule(Box::new(changed)));
        assert!(scene.screen().contains("changed by sre-1"), "{}", scene.screen());
    }
}

#[test]
fn a_switch_needs_no_typing_and_a_limit_can_be_taken_away() {
    let mut scene = opened(Role::Admin, (80, 24));
    scene.keys("<Enter>");
    assert_eq!(asked(&scene).unwrap().1.enabled, Some(false));
    scene.keys("<Esc>jj<Enter>none<Enter>");
    assert_eq!(asked(&scene).unwrap().1.limits["durationMs"], None);
    scene.keys("<Esc>jjj<Enter>");
    assert!(asked(&scene).unwrap().1.reset, "{}", scene.screen());
    scene.keys("<Esc>j<Enter>much<Enter>");
    assert!(scene.screen().contains("sensitivity wants a number above 0, like 0.5, not much"), "{}", scene.screen());
    assert!(asked(&scene).unwrap().1.reset, "nothing more was asked");
    insta::assert_snapshot!("rule_wrong_value_80x24", scene.screen());
    scene.keys("0.4<Enter>");
    assert_eq!(asked(&scene).unwrap().1.sensitivity, Some(0.4), "it was asked for once more");
}

#[test]
fn whoever_was_faster_is_named_and_nothing_is_sent_over_them() {
    let mut scene = opened(Role::Admin, (80, 24));
    scene.keys("<Enter>");
    counted(&mut scene);
    scene.keys("<Enter><Enter>");
    let mut theirs = rules().swap_remove(2);
    (theirs.version, theirs.changed_by, theirs.changed_at) = (4, Some("bo".into()), Some(at(0)));
    scene.keys("y");
    let (id, _) = scene.sent().unwrap();
    let problem = Problem {
        kind: "".into(),
        code: Code::VersionConflict,
        title: "bo changed it".into(),
        detail: "look again".into(),
        request_id: "".into(),
        retry: Retry::Never,
        current: None,
    };
    let refusal = Refusal::Problem(Box::new(problem));
    scene.event(Event::Reply(id, Box::new(Reply::RuleChanged(Err(refusal)))));
    assert!(scene.screen().contains("nothing was changed: bo changed it; look again"), "{}", scene.screen());
    scene.feed(FeedEvent::Rule(Box::new(theirs)));
    insta::assert_snapshot!("rule_conflict_80x24", scene.screen());
    let before = scene.effects.len();
    scene.keys("<Enter>");
    let since: Vec<&Effect> = scene.effects.iter().skip(before).collect();
    assert!(since.iter().any(|effect| matches!(effect, Effect::Fetch(_, Query::RulePreview { .. }))), "{since:?}");
    assert!(scene.model.ui.dialog.is_none(), "it is counted again first");
}

#[test]
fn whoever_may_not_change_it_hears_why() {
    let mut scene = opened(Role::Responder, (80, 24));
    assert!(scene.screen().contains("nothing of it can be changed here: your role is responder"), "{}", scene.screen());
    for keys in ["<Enter>", "i"] {
        scene.keys(keys);
        assert!(scene.screen().contains("this needs admin"), "{}", scene.screen());
    }
    scene.keys(":rules set slow_operation sensitivity=1<Enter>");
    scene.keys(":marks<Enter>");
    told_marks(&mut scene);
    scene.keys("u");
    assert!(asked(&scene).is_none() && scene.sent().is_none() && scene.model.ui.dialog.is_none());
}

#[test]
fn an_alert_of_the_preview_opens_and_one_that_never_was_says_so() {
    let mut scene = opened(Role::Admin, (80, 24));
    scene.keys("<Enter>");
    counted(&mut scene);
    scene.keys("j<Enter>");
    assert!(scene.screen().contains("there is no alert of it"), "{}", scene.screen());
    scene.keys("G<Enter>");
    assert_eq!(scene.model.ui.detail.alert().map(|id| id.as_str().to_owned()), Some("a-0000001".to_owned()));
    assert!(scene.screen().contains("get_shared_agents p50"), "{}", scene.screen());
}

#[test]
fn every_verb_is_a_command() {
    let mut scene = scene(Role::Admin, "dark", (80, 24));
    read(&mut scene, &[]);
    scene.keys("1:rules show silence<Enter>");
    assert!(scene.screen().contains("rule silence"), "{}", scene.screen());
    scene.keys(":rules preview error_spike enabled=off sensitivity=1<Enter>");
    let (id, change) = asked(&scene).unwrap();
    assert_eq!((id.as_str(), change.enabled, change.sensitivity), ("error_spike", Some(false), Some(1.0)));
    scene.keys(":rules set error_spike loud<Enter>");
    assert!(scene.screen().contains("want NAME=VALUE or reset, not loud"), "{}", scene.screen());
    scene.keys(":rules show nothing<Enter>");
    assert!(scene.screen().contains("there is no rule nothing"), "{}", scene.screen());
    scene.keys(":marks<Enter>");
    told_marks(&mut scene);
    scene.keys(":marks undo error_spike|operation=sync it<Enter>");
    assert!(matches!(scene.sent(), Some((_, Command::UndoMark(mark))) if mark == "error_spike|operation=sync it"));
}

#[test]
fn what_was_called_false_is_listed_and_taken_back() {
    for size in SIZES {
        let mut scene = scene(Role::Admin, "dark", size);
        scene.keys(":marks<Enter>");
        told_marks(&mut scene);
        insta::assert_snapshot!(format!("marks_{}x{}", size.0, size.1), scene.screen());
        scene.keys("u");
        let Some((id, Command::UndoMark(mark))) = scene.sent() else { panic!("sent") };
        assert_eq!(mark, "slow_operation|operation=export");
        scene.effects.clear();
        scene.event(Event::Reply(id, Box::new(Reply::MarkUndone(Ok(())))));
        assert!(scene.screen().contains("F on its next alert marks it again"), "{}", scene.screen());
        scene.answer(|query| matches!(query, Query::Marks).then(|| Reply::Marks(Ok(MarkPage::default()))));
        assert!(scene.screen().contains("Nothing was called false."), "{}", scene.screen());
    }
}

#[test]
fn a_mark_of_a_rule_leads_to_the_list_of_them() {
    let mut scene = opened(Role::Admin, (80, 24));
    scene.keys("G<Enter>");
    told_marks(&mut scene);
    assert_eq!(scene.model.ui.marks.chosen().map(|mark| mark.needed), Some(41));
    assert!(scene.screen().contains("called false"), "{}", scene.screen());
}

#[test]
fn an_idle_minute_at_the_rules_changes_no_cell_and_asks_nothing() {
    let mut scene = opened(Role::Admin, (160, 45));
    let (before, asked) = (scene.buffer(), scene.effects.len());
    scene.rest(12);
    assert!(scene.buffer() == before, "{}", scene.screen());
    let since = scene.effects.iter().skip(asked).filter(|effect| matches!(effect, Effect::Fetch(..))).count();
    assert_eq!(since, 0);
}

#[test]
fn a_server_that_does_not_know_rules_is_said_to_not_have_answered() {
    let mut scene = scene(Role::Viewer, "dark", (80, 24));
    scene.answer(|query| matches!(query, Query::Rules).then(|| Reply::Rules(Err(Refusal::Unknown("no route".into())))));
    let mut none = scene::snapshot(morning(), scene.now.wall);
    none.rules = Vec::new();
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(none))));
    assert!(scene.screen().contains("The server did not say: no route"), "{}", scene.screen());
}

#[test]
fn hostile_rules_and_small_terminals_do_no_harm() {
    let hostile = "\u{1b}[2J\u{202e}TOOR\u{9b}31m\u{200b}\u{e0041}\r\n\u{7}";
    let text = || stella_protocol::Text::from(hostile);
    for size in [(60, 15), (80, 24), (160, 45)] {
        let mut scene = scene(Role::Admin, "dark", size);
        let mut bad = rules().swap_remove(2);
        (bad.title, bad.scope.operation, bad.changed_by) = (text(), Some(text()), Some(text()));
        (bad.owner, bad.runbook, bad.suggested_actions) = (Some(text()), Some(text()), vec![text()]);
        (bad.limits[0].name, bad.limits[0].unit, bad.version) = (text(), text(), 4);
        scene.feed(FeedEvent::Rule(Box::new(bad)));
        read(&mut scene, &[hostile, hostile, hostile, hostile]);
        let mut seen = vec![scene.screen()];
        scene.keys("<Enter>");
        let mut page = marks();
        (page.items[0].title, page.items[1].fingerprint) = (Some(text()), text());
        scene.answer(|query| matches!(query, Query::Marks).then(|| Reply::Marks(Ok(page.clone()))));
        seen.push(scene.screen());
        scene.keys("<Enter>");
        let mut look = preview();
        (look.gained[0].title, look.lost[0].outcome) = (text(), Some(text()));
        scene.answer(|query| match query {
            Query::RulePreview { .. } => Some(Reply::RulePreview(Ok(Box::new(look.clone())))),
            _ => None,
        });
        seen.push(scene.screen());
        scene.keys("<Enter>");
        seen.push(scene.screen());
        scene.keys("<Esc>:marks<Enter>");
        scene.answer(|query| matches!(query, Query::Marks).then(|| Reply::Marks(Ok(page.clone()))));
        seen.push(scene.screen());
        scene.keys(":marks undo<Tab>");
        seen.push(scene.screen());
        let foreign = |letter: char| letter.is_control() || "\u{202e}\u{200b}\u{e0041}".contains(letter);
        for screen in seen {
            assert!(!screen.replace('\n', "").contains(foreign), "{screen:?}");
        }
    }
}
