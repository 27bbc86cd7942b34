//! Why an alert stands: its evidence with everything in it, the group it belongs to, deploys in the charts.

use stella_protocol::{Alert, AlertId, Evidence, FeedEvent, Severity, Timestamp};
use stella_tui::effect::{Command, Effect, Query, Reply};
use stella_tui::event::{Event, LinkEvent};
use stella_tui::theme::Theme;

use crate::scene::{self, NOON, Scene, alert, deploy, full_evidence, grouped, morning};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (160, 45)];

fn id(id: &str) -> AlertId {
    id.parse().unwrap()
}

/// A live console of this theme, with these alerts and a deploy.
fn scene(theme: &str, (width, height): (u16, u16), alerts: Vec<Alert>) -> Scene {
    let mut setup = scene::setup();
    setup.theme = Theme::named(theme).unwrap();
    let mut scene = Scene::with(setup, width, height);
    let mut snapshot = scene::snapshot(alerts, scene.now.wall);
    snapshot.deploys = vec![deploy()];
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(snapshot))));
    scene.event(Event::Link(LinkEvent::Opened));
    scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
    scene
}

fn explain(scene: &mut Scene) {
    scene.answer(|query| match query {
        Query::Evidence(id) => Some(Reply::Evidence(id.clone(), Ok(Box::new(full_evidence())))),
        _ => None,
    });
}

/// Moves down in the detail to the line that holds these words.
fn down_to(scene: &mut Scene, words: &str) {
    let is_there = |screen: &str| screen.lines().any(|line| line.starts_with('>') && line.contains(words));
    for _ in 0..200 {
        if is_there(&scene.screen()) {
            return;
        }
        scene.keys("j");
    }
    panic!("no line holds {words}:\n{}", scene.screen());
}

fn cursor(scene: &Scene) -> &str {
    scene.model.ui.alerts.cursor().unwrap().as_str()
}

fn rows(scene: &Scene) -> Vec<&str> {
    scene.model.ui.alerts.rows().iter().map(AlertId::as_str).collect()
}

#[test]
fn the_whole_evidence_at_three_sizes() {
    for size in SIZES {
        let mut scene = scene("dark", size, grouped());
        scene.keys("<Enter>");
        explain(&mut scene);
        insta::assert_snapshot!(format!("evidence_{}x{}", size.0, size.1), scene.screen());
        scene.keys("GGkkkkkkkk");
        if size == (80, 24) {
            insta::assert_snapshot!("evidence_below_80x24", scene.screen());
        }
    }
}

#[test]
fn without_colours_nothing_of_it_is_lost() {
    for size in [(80, 24), (160, 45)] {
        let screen = |theme: &str| {
            let mut scene = scene(theme, size, grouped());
            scene.keys("l<Enter>");
            explain(&mut scene);
            scene.screen()
        };
        assert_eq!(screen("mono"), screen("dark"), "signs and words alone tell it");
    }
}

#[test]
fn where_nothing_can_be_charted_the_reasons_have_its_rows() {
    let mut alerts = grouped();
    for alert in &mut alerts {
        alert.service = "".into();
    }
    let mut scene = scene("dark", (80, 24), alerts);
    scene.keys("l<Enter>j");
    scene.answer(|query| match query {
        Query::Evidence(id) => {
            Some(Reply::Evidence(id.clone(), Ok(Box::new(Evidence { series: None, ..full_evidence() }))))
        }
        _ => None,
    });
    insta::assert_snapshot!("uncharted_80x24", scene.screen());
    down_to(&mut scene, "a-0000012  open_agent");
    scene.keys("<Esc>");
    insta::assert_snapshot!("no_service_80x24", scene.screen());
}

#[test]
fn reasons_stand_in_the_order_of_their_time() {
    let mut scene = scene("dark", (160, 45), morning());
    scene.keys("<Enter>");
    explain(&mut scene);
    let screen = scene.screen();
    let at = |words: &str| screen.find(words).unwrap_or_else(|| panic!("{words} is not in\n{screen}"));
    assert!(at("+ 0.40 14 users") < at("- 0.10 error share") && at("- 0.10 error share") < at("+ 0.90 41 of 44"));
    assert!(at("1m58s before onset") < at("1m04s after onset"), "{screen}");
    assert!(screen.contains("as of <1m ago"), "{screen}");
}

#[test]
fn what_is_not_known_is_said_and_the_age_moves_at_minute_edges_alone() {
    let mut scene = scene("dark", (160, 45), morning());
    scene.keys("<Enter>");
    scene.answer(|query| match query {
        Query::Evidence(id) => {
            let mut bare = scene::evidence();
            (bare.baseline, bare.template) = (None, None);
            Some(Reply::Evidence(id.clone(), Ok(Box::new(bare))))
        }
        _ => None,
    });
    let screen = scene.screen();
    for words in ["usual: not known yet", "what else changed: nothing that is known of", "similar before: none"] {
        assert!(screen.contains(words), "{words} is not in\n{screen}");
    }
    assert!(!screen.contains("message") && !screen.contains("··· usual"), "{screen}");
    let before = scene.buffer();
    scene.rest(50);
    assert!(scene.buffer() == before, "{}", scene.screen());
    scene.rest(80);
    assert!(scene.screen().contains("as of 2m ago"), "{}", scene.screen());
}

#[test]
fn evidence_that_cannot_be_refreshed_says_so_and_stays() {
    let mut scene = scene("dark", (160, 45), morning());
    scene.keys("<Enter>");
    explain(&mut scene);
    let mut newer = morning().swap_remove(0);
    newer.brief.evidence_version = 2;
    scene.rest(2);
    scene.feed(FeedEvent::Alert(Box::new(newer)));
    scene.answer(|query| match query {
        Query::Evidence(id) => {
            let refusal = stella_tui::effect::Refusal::Unknown("time-out".into());
            Some(Reply::Evidence(id.clone(), Err(refusal)))
        }
        _ => None,
    });
    let screen = scene.screen();
    assert!(screen.contains("could not be refreshed: time-out") && screen.contains("41 of 44"), "{screen}");
}

#[test]
fn a_deploy_is_marked_in_every_chart() {
    let mut scene = scene("dark", (80, 24), morning());
    scene.keys("<Enter>");
    explain(&mut scene);
    assert!(scene.screen().contains("deploy^"), "{}", scene.screen());
    scene.keys("<Esc>4");
    let answer = |scene: &mut Scene| {
        scene.answer(|query| match query {
            Query::Series(ask) => {
                let series = scene::series(&ask.ids[0], "errors", "%", None, Timestamp::from_millis(NOON), 1.2);
                Some(Reply::Series(Ok(stella_protocol::series::SeriesPage { items: vec![series], next: None })))
            }
            _ => None,
        });
    };
    answer(&mut scene);
    insta::assert_snapshot!("metrics_deploy_80x24", scene.screen());
    let mut other = deploy();
    other.revision = "r8813".into();
    other.at = Timestamp::from_millis(NOON - 900_000);
    scene.feed(FeedEvent::Deploy(Box::new(other)));
    assert_eq!(scene.screen().matches("deploy").count(), 2, "{}", scene.screen());
}

#[test]
fn what_is_explained_is_folded_under_what_explains_it() {
    for size in [(80, 24), (160, 45)] {
        let mut scene = scene("dark", size, grouped());
        if size.0 >= 120 {
            explain(&mut scene);
        }
        insta::assert_snapshot!(format!("group_folded_{}x{}", size.0, size.1), scene.screen());
        scene.keys("l");
        insta::assert_snapshot!(format!("group_unfolded_{}x{}", size.0, size.1), scene.screen());
    }
}

#[test]
fn folding_moves_no_other_row_and_the_cursor_stays_an_id() {
    let mut scene = scene("dark", (80, 24), grouped());
    assert_eq!(rows(&scene).len(), 6);
    assert!(scene.screen().contains("8 open") && scene.screen().contains("HIGH 3"), "{}", scene.screen());
    scene.keys("l");
    assert_eq!(rows(&scene)[..4], ["a-0000001", "a-0000012", "a-0000011", "a-0000003"], "sorted below their parent");
    scene.keys("lj");
    assert_eq!(cursor(&scene), "a-0000011", "l goes on to what was unfolded");
    scene.rest(3);
    let mut parent = grouped().swap_remove(0);
    parent.version += 1;
    scene.feed(FeedEvent::Alert(Box::new(parent)));
    scene.rest(3);
    assert_eq!((cursor(&scene), rows(&scene).len()), ("a-0000011", 8));
    scene.keys("h");
    assert_eq!((cursor(&scene), rows(&scene).len()), ("a-0000001", 6));
    scene.keys("h");
    assert!(scene.screen().contains("no group is unfolded here"), "{}", scene.screen());
    scene.keys("jl");
    assert!(scene.screen().contains("nothing is folded under this alert"), "{}", scene.screen());
}

#[test]
fn an_alert_that_becomes_explained_while_somebody_looks_at_it_stays_where_they_look() {
    let mut scene = scene("dark", (80, 24), morning());
    scene.keys("jjj");
    let here = cursor(&scene).to_owned();
    let mut child = scene.model.board.alerts.get(&id(&here)).unwrap().clone();
    child.parent_id = Some(id("a-0000001"));
    child.version += 1;
    scene.feed(FeedEvent::Alert(Box::new(child)));
    scene.rest(5);
    assert_eq!((cursor(&scene), rows(&scene)[1]), (here.as_str(), here.as_str()));
    assert!(scene.screen().lines().any(|line| line.starts_with('>') && line.contains('└')), "{}", scene.screen());
}

#[test]
fn a_filter_finds_what_is_folded() {
    let mut scene = scene("dark", (80, 24), grouped());
    scene.keys("/open_agent");
    assert!(scene.screen().contains("1 shown"), "{}", scene.screen());
    scene.keys("<Enter>");
    assert_eq!((rows(&scene), cursor(&scene)), (vec!["a-0000012"], "a-0000012"));
    assert!(!scene.screen().contains('└'), "it stands by itself:\n{}", scene.screen());
    scene.keys("<Esc>/sev>=high<Enter>");
    assert!(scene.screen().contains("5 shown, 8 open"), "folded ones count:\n{}", scene.screen());
}

#[test]
fn a_worse_child_and_a_marked_one_are_told_while_they_are_folded() {
    let mut alerts = grouped();
    alerts[0].severity = Severity::Medium;
    let mut scene = scene("dark", (120, 40), alerts);
    scene.keys("G");
    for _ in 0..rows(&scene).len() {
        if cursor(&scene) == "a-0000001" {
            break;
        }
        scene.keys("k");
    }
    assert_eq!(cursor(&scene), "a-0000001", "{}", scene.screen());
    assert!(scene.screen().contains("(2 in group, worst HIGH) +"), "{}", scene.screen());
    scene.keys("ll hh");
    assert!(scene.screen().contains("(2 in group, worst HIGH, 1 marked) +"), "{}", scene.screen());
}

#[test]
fn the_next_problem_may_be_folded() {
    let mut alerts = grouped();
    for alert in alerts.iter_mut().filter(|alert| alert.id.as_str() != "a-0000011") {
        alert.status = stella_protocol::Status::Acknowledged;
    }
    let mut scene = scene("dark", (80, 24), alerts);
    scene.keys("e");
    assert_eq!(cursor(&scene), "a-0000011");
}

#[test]
fn parent_and_siblings_are_named_and_enter_goes_there() {
    let mut scene = scene("dark", (80, 24), grouped());
    scene.keys("ll<Enter>");
    explain(&mut scene);
    insta::assert_snapshot!("child_80x24", scene.screen());
    scene.keys("j<Enter>");
    assert_eq!(scene.model.ui.detail.alert(), Some(&id("a-0000001")), "{}", scene.screen());
    explain(&mut scene);
    let has = |scene: &Scene, words: &str| scene.screen().lines().any(|line| line.contains(words));
    down_to(&mut scene, "a-0000012");
    assert!(has(&scene, "explains"), "{}", scene.screen());
    scene.keys("<Enter>");
    assert_eq!((scene.model.ui.detail.alert(), cursor(&scene)), (Some(&id("a-0000012")), "a-0000012"));
    explain(&mut scene);
    down_to(&mut scene, "a-0000011");
    assert!(has(&scene, "siblings under a-0000001"), "{}", scene.screen());
}

#[test]
fn an_alert_of_the_past_is_asked_for_and_nothing_is_done_to_it() {
    let mut scene = scene("dark", (160, 45), morning());
    scene.keys("<Enter>");
    explain(&mut scene);
    down_to(&mut scene, "a-31c0aaa");
    let screen = scene.screen();
    assert!(screen.contains("resolved by op2 after 14m; fixed by fx-31 roll back r8711"), "{screen}");
    assert!(screen.contains("called false by bo: a drill ") && !screen.contains("fixed by a drill"), "{screen}");
    scene.keys("<Enter>");
    assert!(scene.screen().contains("asking the server for a-31c0aaa"), "{}", scene.screen());
    scene.answer(|query| match query {
        Query::Alert(id) => {
            let mut past = alert(id.as_str(), Severity::High, 28, "api", "what it was then");
            past.status = stella_protocol::Status::Resolved;
            Some(Reply::Alert(id.clone(), Ok(Box::new(past))))
        }
        _ => None,
    });
    explain(&mut scene);
    let screen = scene.screen();
    assert!(screen.contains("a-31c0aaa  what it was then") && screen.contains("41 of 44"), "{screen}");
    scene.keys("a");
    assert!(scene.sent().is_none() && scene.screen().contains("no alert under the cursor"), "{}", scene.screen());
    scene.keys("yy");
    assert!(scene.effects.contains(&Effect::Copy("a-31c0aaa".to_owned())));
    scene.keys("<Esc>");
    assert_eq!(cursor(&scene), "a-0000001");
}

#[test]
fn an_alert_that_cannot_be_had_says_why_and_is_asked_for_once() {
    let mut scene = scene("dark", (80, 24), morning());
    scene.keys("<Enter>");
    explain(&mut scene);
    down_to(&mut scene, "a-31c0aaa");
    scene.keys("<Enter>");
    scene.answer(|query| match query {
        Query::Alert(id) => {
            let refusal = stella_tui::effect::Refusal::Unknown("time-out".into());
            Some(Reply::Alert(id.clone(), Err(refusal)))
        }
        _ => None,
    });
    scene.rest(3);
    assert!(scene.screen().contains("a-31c0aaa cannot be had: time-out"), "{}", scene.screen());
    let asked = scene.effects.iter().filter(|effect| matches!(effect, Effect::Fetch(_, Query::Alert(_)))).count();
    assert_eq!(asked, 1);
}

#[test]
fn alerts_that_explain_each_other_in_a_ring_stand_by_themselves() {
    let mut first = alert("a-0000001", Severity::High, 2, "api", "one");
    let mut second = alert("a-0000002", Severity::High, 3, "api", "two");
    first.parent_id = Some(second.id.clone());
    second.parent_id = Some(first.id.clone());
    let mut third = alert("a-0000003", Severity::High, 4, "api", "three");
    third.parent_id = Some(id("a-7777777"));
    let scene = scene("dark", (80, 24), vec![first, second, third]);
    assert_eq!(rows(&scene), ["a-0000001", "a-0000002", "a-0000003"]);
}

#[test]
fn deploys_are_listed_and_stand_among_what_happened() {
    let mut wide = scene("dark", (160, 45), morning());
    explain(&mut wide);
    assert!(wide.screen().contains("deployed r8812 of api"), "{}", wide.screen());
    for size in [(80, 24), (160, 45)] {
        let mut scene = scene("dark", size, morning());
        scene.keys(":deploys<Enter>");
        insta::assert_snapshot!(format!("deploys_{}x{}", size.0, size.1), scene.screen());
        let mut newer = deploy();
        (newer.revision, newer.at) = ("r8813".into(), Timestamp::from_millis(NOON));
        scene.feed(FeedEvent::Deploy(Box::new(newer)));
        let screen = scene.screen();
        assert!(screen.find("r8813") < screen.find("r8812"), "newest first:\n{screen}");
        assert!(screen.lines().any(|line| line.starts_with('>') && line.contains("r8812")), "{screen}");
    }
}

#[test]
fn a_deploy_is_told_after_a_yes() {
    let mut scene = scene("dark", (80, 24), morning());
    scene.keys(":deploys add api<Enter>");
    assert!(scene.screen().contains("deploys add SERVICE REVISION"), "{}", scene.screen());
    scene.keys(":deploys add api r8813<Enter>");
    scene.keys("<Enter>");
    assert!(scene.sent().is_none(), "Enter is no");
    scene.keys(":deploys add api r8813<Enter>y");
    let Some((id, Command::AddDeploy(request))) = scene.sent() else { panic!("sent") };
    assert_eq!((request.service.raw(), request.revision.raw(), request.at), ("api", "r8813", None));
    scene.event(Event::Reply(id, Box::new(Reply::DeployAdded(Ok(Box::new(deploy()))))));
    assert!(scene.screen().contains("r8812 of api is marked in every chart"), "{}", scene.screen());
}

#[test]
fn hostile_evidence_and_small_terminals_do_no_harm() {
    let hostile = "\u{1b}[2J\u{202e}TOOR\u{9b}31m\u{200b}\u{e0041}\r\n\u{7}";
    for size in [(60, 15), (80, 24), (160, 45)] {
        let mut setup = scene::setup();
        setup.ascii = true;
        let mut scene = Scene::with(setup, size.0, size.1);
        let mut alerts = grouped();
        for alert in &mut alerts {
            alert.title = hostile.to_owned().into();
        }
        let mut snapshot = scene::snapshot(alerts, scene.now.wall);
        snapshot.deploys = vec![deploy()];
        snapshot.deploys[0].revision = hostile.to_owned().into();
        scene.event(Event::Link(LinkEvent::Snapshot(Box::new(snapshot))));
        scene.event(Event::Link(LinkEvent::Opened));
        scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
        scene.keys("l<Enter>");
        let mut bad = full_evidence();
        for other in &mut bad.correlated {
            other.text = hostile.to_owned().into();
        }
        bad.similar[0].outcome = hostile.to_owned().into();
        bad.similar[0].fixed_by = Some(hostile.to_owned().into());
        bad.template.as_mut().unwrap().examples = vec![hostile.to_owned().into()];
        scene.answer(|query| match query {
            Query::Evidence(id) => Some(Reply::Evidence(id.clone(), Ok(Box::new(bad.clone())))),
            _ => None,
        });
        for keys in ["", "G", "<Esc>", "h", "4", ":deploys<Enter>"] {
            scene.keys(keys);
            assert!(scene.screen().is_ascii(), "{}", scene.screen());
        }
    }
}
