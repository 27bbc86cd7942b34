//! Migrations: the screen of one in each of its states, its lists, and what the header says of it.

use serde_json::json;
use stella_protocol::{FeedEvent, Migration, MigrationVerb, Role};
use stella_tui::effect::{Effect, MigrationList, MigrationPart, Query, Reply};
use stella_tui::event::{Cause, Event, LinkEvent};

use crate::migrations_told::{
    completed, copying, fill, fill_with, halted, held, migration, planned, progress, rehearsed, rolling_back, shown,
    slower, soaking, told, undecided, verified,
};
use crate::remedies::at;
use crate::scene::{self, Scene, morning};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (160, 45)];

fn parts_asked(scene: &Scene, wanted: MigrationList) -> usize {
    let is_it =
        |effect: &&Effect| matches!(effect, Effect::Fetch(_, Query::MigrationPart { list, .. }) if *list == wanted);
    scene.effects.iter().filter(is_it).count()
}

#[test]
fn without_a_migration_it_says_what_to_do() {
    for (width, height) in SIZES {
        let mut scene = told((width, height), Vec::new(), Role::Admin);
        scene.keys("3");
        insta::assert_snapshot!(format!("none_{width}x{height}"), scene.screen());
    }
}

#[test]
fn every_state_at_three_sizes() {
    let rolled = progress("roll_back", 1200, 3140, json!({}));
    let states: Vec<(&str, Migration, _)> = vec![
        ("planned", planned(), None),
        ("copying", copying(), Some(held())),
        ("halted", halted(), None),
        ("verified", verified(), None),
        ("soaking", soaking(), None),
        ("completed", completed(), None),
        ("rolling_back", rolling_back(), Some(rolled)),
    ];
    for (name, migration, progress) in states {
        for (width, height) in SIZES {
            let scene = shown((width, height), &migration, progress.clone());
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), scene.screen());
        }
    }
}

#[test]
fn a_query_of_the_application_that_became_slower_is_shown_with_its_figures() {
    let scene = shown((120, 36), &slower(), None);
    insta::assert_snapshot!("slower_120x36", scene.screen());
    let mut scene = shown((80, 24), &slower(), None);
    insta::assert_snapshot!("slower_80x24", scene.screen());
    for _ in 0..12 {
        if scene.screen().contains("load-shared-agents: 2 calls") {
            break;
        }
        scene.keys("jj");
    }
    let screen = scene.screen();
    assert!(screen.contains("34 % SLOWER") && screen.contains("load-shared-agents: 2 calls"), "{screen}");
    insta::assert_snapshot!("slower_below_80x24", screen);
}

#[test]
fn its_lists() {
    for (keys, name, migration) in [
        ("<Tab>", "collections", copying()),
        ("<Tab><Tab>", "orphans", copying()),
        ("<Tab><Tab><Tab>", "decisions", undecided()),
        ("e", "errors", halted()),
        ("<Tab><Tab><Tab><Tab><Tab>", "log", copying()),
        ("<S-Tab>", "mapping", copying()),
    ] {
        let mut scene = shown((80, 24), &migration, Some(held()));
        scene.keys(keys);
        fill(&mut scene);
        scene.rest(0);
        insta::assert_snapshot!(format!("{name}_80x24"), scene.screen());
    }
}

#[test]
fn the_keys_that_are_off_say_why() {
    let mut scene = shown((120, 36), &copying(), Some(held()));
    scene.keys("i");
    insta::assert_snapshot!("keys_120x36", scene.screen());
    scene.keys("Y");
    assert!(scene.screen().contains("approve is off: it is copying, not rehearsed"), "{}", scene.screen());
    let footer = scene.screen().lines().last().unwrap().to_owned();
    assert!(footer.contains("P pause") && footer.contains("B roll back") && !footer.contains("approve"), "{footer}");
}

#[test]
fn several_stand_in_a_list_and_one_alone_is_shown_at_once() {
    let old = migration("mig-3", "rolled_back", 30, json!({"createdAt": at(-400_000), "endedAt": at(-390_000)}));
    let mut other = planned();
    other.id = "mig-8".parse().unwrap();
    for (width, height) in SIZES {
        let mut scene = told((width, height), vec![old.clone(), copying(), other.clone()], Role::Admin);
        scene.feed(FeedEvent::MigrationProgress(Box::new(held())));
        scene.keys("3");
        insta::assert_snapshot!(format!("list_{width}x{height}"), scene.screen());
        scene.keys("<Enter>");
        assert!(scene.model.ui.migration.is_some());
        scene.keys("<Esc>");
        assert!(scene.screen().contains("mig-3"), "the list again:\n{}", scene.screen());
    }
    let mut scene = told((80, 24), vec![old, copying()], Role::Admin);
    scene.keys("3");
    assert_eq!(scene.model.ui.migration.as_ref().map(|one| one.id().as_str()), Some("mig-7"), "the only open one");
    scene.keys("3");
    assert!(scene.model.ui.migration.is_none(), "3 once more shows all of them");
}

#[test]
fn leaving_it_leaves_it_to_the_server() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys("q");
    let screen = scene.screen();
    assert!(screen.contains("mig-7 goes on in the server") && screen.contains("get_shared_agents"), "{screen}");
    assert!(screen.contains("3 Migrations*1 61% hold"), "{screen}");
    assert!(scene.sent().is_none());
    scene.keys("3");
    assert!(scene.screen().contains("3,148 of 5,143 documents"), "{}", scene.screen());
}

#[test]
fn what_happens_to_it_is_said_wherever_one_is() {
    let mut scene = told((80, 24), vec![copying()], Role::Responder);
    scene.effects.clear();
    scene.feed(FeedEvent::MigrationProgress(Box::new(held())));
    assert!(scene.screen().contains("mig-7 is held: the store answers in 212 ms"), "{}", scene.screen());
    let free = |seconds: i64| progress("copy", 3200, 5143, json!({"at": at(seconds)}));
    scene.feed(FeedEvent::MigrationProgress(Box::new(free(1))));
    assert!(!scene.screen().contains("not held any more"), "not with every breath of the store");
    let mut again = held();
    again.at = free(2).at;
    scene.feed(FeedEvent::MigrationProgress(Box::new(again)));
    scene.rest(31);
    scene.feed(FeedEvent::MigrationProgress(Box::new(free(33))));
    assert!(scene.screen().contains("mig-7 is not held any more"), "{}", scene.screen());
    assert!(!scene.effects.contains(&Effect::Bell));
    scene.feed(FeedEvent::Migration(Box::new(halted())));
    assert!(scene.screen().contains("mig-7 is halted: 7 of 5,143 documents were refused"), "{}", scene.screen());
    assert!(scene.screen().contains("3 Migrations*1 61% HALT"), "{}", scene.screen());
    assert!(scene.effects.contains(&Effect::Bell));
    scene.feed(FeedEvent::Migration(Box::new(completed())));
    assert!(scene.screen().contains("mig-7 is over, completed: every reference"), "{}", scene.screen());
    let second = scene.screen().lines().nth(1).unwrap().to_owned();
    assert!(!second.contains("Migrations*"), "{second}");
}

#[test]
fn what_was_so_before_anybody_listened_is_no_news() {
    let scene = told((80, 24), vec![halted()], Role::Admin);
    assert!(scene.model.ui.notice.is_none() && !scene.effects.contains(&Effect::Bell));
}

#[test]
fn what_is_left_is_never_due_and_never_more_than_all() {
    let unknown = json!({"eta": {"is": "unknown", "why": "less than 2 % is done"}, "rate": null, "rate10m": null});
    for (more, said) in [
        (unknown, "ETA unknown: less than 2 % is done"),
        (json!({"done": 9_999, "eta": {"is": "range", "lowMs": 0, "highMs": 0}}), "ETA 1s"),
        (json!({"total": 0}), "60 documents so far"),
    ] {
        let scene = shown((120, 36), &copying(), Some(progress("copy", 60, 5143, more)));
        let screen = scene.screen();
        assert!(screen.contains(said), "{said} is not in\n{screen}");
        assert!(!screen.contains("due") && !screen.contains("NaN") && !screen.contains("inf"), "{screen}");
    }
    let scene = shown((120, 36), &halted(), Some(held()));
    assert!(scene.screen().contains("3,149 of 5,143 documents   ETA unknown: it is halted"), "{}", scene.screen());
}

#[test]
fn figures_of_another_phase_are_not_this_ones() {
    let stale = progress("scan", 8402, 8402, json!({}));
    let scene = shown((80, 24), &copying(), Some(stale));
    assert!(scene.screen().contains("900 of 5,143 documents"), "{}", scene.screen());
}

#[test]
fn bars_are_asked_for_again_at_checkpoints_and_not_more_often() {
    let mut scene = shown((120, 36), &copying(), Some(held()));
    assert_eq!(parts_asked(&scene, MigrationList::Collections), 1);
    scene.rest(10);
    assert_eq!(parts_asked(&scene, MigrationList::Collections), 1, "nothing was written since");
    for tick in 1..=12 {
        let more = json!({"at": at(10 + tick), "checkpointAt": at(10 + tick)});
        scene.feed(FeedEvent::MigrationProgress(Box::new(progress("copy", 3200, 5143, more))));
        fill(&mut scene);
        scene.rest(1);
    }
    let asked = parts_asked(&scene, MigrationList::Collections);
    assert!((5..=8).contains(&asked), "{asked} times in 12 s");
    let cause = Cause { what: "connection refused".into(), then: "is the server up?".into() };
    scene.event(Event::Link(LinkEvent::Lost { cause, retry_ms: 4_000 }));
    let before = parts_asked(&scene, MigrationList::Collections);
    scene.keys("<Tab><Tab>");
    assert_eq!(parts_asked(&scene, MigrationList::Collections), before, "a dead feed is not asked about");
    assert_eq!(parts_asked(&scene, MigrationList::Orphans), 0);
}

#[test]
fn a_list_that_is_refused_says_so() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys("e");
    scene.answer(|query| match query {
        Query::MigrationPart { id, list, .. } => {
            let refusal = stella_tui::effect::Refusal::Unknown("no answer".into());
            Some(Reply::MigrationPart(id.clone(), *list, Err(refusal)))
        }
        _ => None,
    });
    assert!(scene.screen().contains("not read: no answer"), "{}", scene.screen());
}

#[test]
fn an_idle_migration_changes_no_cell() {
    let mut scene = shown((160, 45), &planned(), None);
    let before = scene.buffer();
    scene.rest(55);
    scene.model.ui.notice = None;
    assert!(scene.buffer() == before, "{}", scene.screen());
}

#[test]
fn the_triage_of_a_wide_terminal_lists_operations() {
    let mut scene = told((200, 50), vec![copying()], Role::Admin);
    scene.feed(FeedEvent::MigrationProgress(Box::new(held())));
    scene.model.ui.notice = None;
    insta::assert_snapshot!("triage_200x50", scene.screen());
}

#[test]
fn the_smallest_terminal_shows_it() {
    let mut scene = shown((60, 15), &copying(), Some(held()));
    insta::assert_snapshot!("copying_60x15", scene.screen());
    scene.keys("<S-Tab>");
    assert!(scene.screen().contains("[mapping 61]"), "{}", scene.screen());
}

#[test]
fn migrations_are_complete_without_colour_and_in_seven_bits() {
    for (width, height) in [(60, 15), (80, 24), (120, 36), (160, 45)] {
        let mut setup = scene::setup();
        setup.ascii = true;
        setup.theme = stella_tui::theme::Theme::named("mono").unwrap();
        let mut scene = Scene::with(setup, width, height);
        let mut first = scene::snapshot(morning(), scene.now.wall);
        first.migrations = vec![copying()];
        scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
        scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
        scene.feed(FeedEvent::MigrationProgress(Box::new(held())));
        for keys in ["3", "<Tab>", "<Tab>", "<Tab>", "<Tab>", "<Tab>", "<Tab>", "<Tab>", "i", "d", ":", "<Esc>?"] {
            scene.keys(keys);
            fill(&mut scene);
            assert!(scene.screen().is_ascii(), "{}", scene.screen());
        }
        scene.keys("<Esc><Esc>");
        assert!(scene.screen().contains("HOLD") && scene.screen().contains("[phases]"), "{}", scene.screen());
    }
}

#[test]
fn hostile_text_of_a_migration_reaches_no_cell() {
    let hostile = "\u{1b}[2J\u{202e}TOOR\u{9b}31m\u{200b}\u{e0041}\r\n\u{7}";
    let foreign = |letter: char| letter.is_control() || "\u{202e}\u{200b}\u{e0041}".contains(letter);
    for size in SIZES {
        let mut value = serde_json::to_value(verified()).unwrap();
        spoiled(&mut value, hostile);
        let bad: Migration = serde_json::from_value(value).unwrap();
        let mut scene = shown(size, &bad, None);
        for keys in [
            "", "<PgDn>", "i", "d", "<Esc>", "<Tab>", "<Tab>", "<Tab>", "<Tab>", "<Tab>", "<Tab>", ":", "<Esc>E",
            "<Esc>B",
        ] {
            scene.keys(keys);
            fill_with(&mut scene, |part| spoiled_part(part, hostile));
            let screen = scene.screen();
            assert!(!screen.replace('\n', "").contains(foreign), "{screen:?}");
        }
    }
}

fn spoiled_part(part: MigrationPart, hostile: &str) -> MigrationPart {
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(page: &T, hostile: &str) -> T {
        let mut value = serde_json::to_value(page).unwrap();
        spoiled(&mut value, hostile);
        serde_json::from_value(value).unwrap()
    }
    match part {
        MigrationPart::Collections(page) => MigrationPart::Collections(again(&page, hostile)),
        MigrationPart::Orphans(page) => MigrationPart::Orphans(again(&page, hostile)),
        MigrationPart::Decisions(page) => MigrationPart::Decisions(again(&page, hostile)),
        MigrationPart::Errors(page) => MigrationPart::Errors(again(&page, hostile)),
        MigrationPart::Log(page) => MigrationPart::Log(again(&page, hostile)),
        MigrationPart::Mapping(page) => MigrationPart::Mapping(again(&page, hostile)),
    }
}

/// Every text that is not a word of the contract.
fn spoiled(value: &mut serde_json::Value, hostile: &str) {
    match value {
        serde_json::Value::Object(fields) => {
            // In a phase the name is a word, in a collection it is not; `by` of a probe is one.
            let is_phase = fields.contains_key("state");
            let is_migration = fields.contains_key("mapTitle");
            let is_probe = fields.get("by").is_some_and(|by| by == "probe");
            let words = ["kind", "status", "state", "verb", "choice"];
            for (name, value) in fields.iter_mut() {
                let is_word = words.contains(&name.as_str()) || name.ends_with("At") || name == "at";
                let is_word =
                    is_word || is_phase && name == "name" || is_migration && name == "id" || is_probe && name == "by";
                if !is_word {
                    spoiled(value, hostile);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| spoiled(item, hostile)),
        serde_json::Value::String(text) => hostile.clone_into(text),
        _ => {}
    }
}

#[test]
fn a_rehearsed_one_waits_for_a_yes() {
    let scene = shown((80, 24), &rehearsed(), None);
    assert!(scene.screen().contains("next: Y  approve: an admin says yes"), "{}", scene.screen());
    assert_eq!(scene.model.shown_migration().and_then(|one| one.next.verb), Some(MigrationVerb::Approve));
}

#[test]
fn what_was_looked_at_is_there_again_after_a_look_elsewhere() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys("e15");
    assert!(scene.screen().contains("Enter open") || scene.screen().contains("search"), "{}", scene.screen());
    scene.keys("1");
    let footer = scene.screen().lines().last().unwrap().to_owned();
    assert!(footer.contains("Enter open"), "{footer}");
    scene.keys("3");
    assert!(scene.screen().contains("[errors 2]"), "{}", scene.screen());
}
