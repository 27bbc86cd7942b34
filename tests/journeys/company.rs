//! Others who look at the same, what they are told of us, and what is said of migrations to whoever looks
//! elsewhere.

use serde_json::json;
use stella_protocol::{FeedEvent, Migration, MigrationVerb, Object, PresenceRequest, Present, Role, Screen};
use stella_tui::effect::{Command, Effect};
use stella_tui::event::{Cause, Event, LinkEvent};

use crate::migrations_told::{
    completed, copying, fill, halted, held, migrated, migration, planned, progress, rehearsed, shown, told,
};
use crate::remedies::{at, pending, reviewed};
use crate::scene::{self, Scene, morning};

/// What the server says of who is there: name, console, what they look at. We are `sre-1` at `con-mine`.
fn here(consoles: &[(&str, &str, &str)]) -> FeedEvent {
    let one = |(who, console, object): &(&str, &str, &str)| {
        let object = (!object.is_empty()).then_some(*object);
        json!({"console": console, "who": who, "role": "admin", "screen": "alerts", "object": object})
    };
    let consoles: Vec<_> = consoles.iter().map(one).collect();
    let present: Present = serde_json::from_value(json!({ "consoles": consoles })).unwrap();
    FeedEvent::Presence(Box::new(present))
}

const ALERT: &str = "a-0000001";

/// One other at the first alert, two at its third, somebody nowhere in particular, and ourselves.
fn crew() -> FeedEvent {
    here(&[
        ("sre-1", "con-mine", ALERT),
        ("bo", "con-1", ALERT),
        ("ana", "con-2", "a-0000004"),
        ("zoe", "con-3", "a-0000004"),
        ("op2", "con-4", ""),
    ])
}

#[test]
fn who_else_is_here_stands_in_the_row_in_the_head_and_in_the_detail() {
    for (width, height) in [(80, 24), (160, 45)] {
        let mut scene = Scene::live(width, height, morning());
        scene.feed(crew());
        insta::assert_snapshot!(format!("here_list_{width}x{height}"), scene.screen());
        scene.keys("<Enter>");
        insta::assert_snapshot!(format!("here_detail_{width}x{height}"), scene.screen());
    }
}

#[test]
fn whoever_reviews_the_same_fix_or_looks_at_the_same_migration_is_named() {
    for (width, height) in [(80, 24), (120, 36)] {
        let mut scene = reviewed((width, height), &pending(), Role::Approver);
        scene.feed(here(&[("sre-1", "con-mine", "fx-12"), ("bo", "con-1", "fx-12"), ("ana", "con-2", "fx-12")]));
        insta::assert_snapshot!(format!("here_review_{width}x{height}"), scene.screen());
        let mut scene = shown((width, height), &copying(), Some(held()));
        scene.feed(here(&[("sre-1", "con-mine", "mig-7"), ("bo", "con-1", "mig-7")]));
        insta::assert_snapshot!(format!("here_migration_{width}x{height}"), scene.screen());
    }
}

#[test]
fn alone_nothing_is_said_and_our_own_console_is_nobody_else() {
    for size in [(80, 24), (160, 45)] {
        let mut scene = Scene::live(size.0, size.1, morning());
        let alone = scene.screen();
        scene.feed(here(&[("sre-1", "con-mine", ALERT)]));
        assert_eq!(scene.screen(), alone);
        scene.feed(crew());
        assert_ne!(scene.screen(), alone);
        scene.feed(here(&[]));
        assert_eq!(scene.screen(), alone, "who went is not there any more");
    }
    let mut scene = Scene::live(80, 24, morning());
    scene.keys("<Enter>");
    scene.feed(here(&[("sre-1", "con-mine", ALERT), ("sre-1", "con-other", ALERT)]));
    assert!(scene.screen().contains("your other console is here too"), "{}", scene.screen());
    assert!(scene.screen().contains("+1 here"), "{}", scene.screen());
}

#[test]
fn what_was_said_before_the_feed_was_lost_is_not_said_on() {
    let mut scene = Scene::live(80, 24, morning());
    scene.feed(crew());
    assert!(scene.screen().contains("@bo"), "{}", scene.screen());
    let cause = || Cause { what: "connection refused".into(), then: "is the server up?".into() };
    scene.event(Event::Link(LinkEvent::Lost { cause: cause(), retry_ms: 4_000 }));
    assert!(!scene.screen().contains("@bo") && !scene.screen().contains(" here"), "{}", scene.screen());
    scene.event(Event::Link(LinkEvent::Opened));
    scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
    assert!(!scene.screen().contains("@bo"), "the room was found empty:\n{}", scene.screen());
}

/// What others were told of this console, in order.
fn attended(scene: &Scene) -> Vec<(Screen, Option<String>)> {
    let told = |effect: &Effect| match effect {
        Effect::Attend(PresenceRequest { console, screen, object }) => {
            assert_eq!(console.as_str(), "con-mine");
            Some((*screen, object.as_ref().and_then(Object::id).map(str::to_owned)))
        }
        _ => None,
    };
    scene.effects.iter().filter_map(told).collect()
}

#[test]
fn others_are_told_what_is_looked_at_once_it_stays_so_and_again_each_15_seconds() {
    let mut scene = Scene::live(80, 24, morning());
    assert_eq!(attended(&scene), [(Screen::Alerts, None)], "as soon as there is a feed");
    scene.keys("<Enter>");
    assert_eq!(attended(&scene).len(), 1, "not what is only passed by");
    assert!(scene.model.wake_at(scene.now) <= scene.now.steady + 700);
    scene.rest(1);
    assert_eq!(attended(&scene)[1], (Screen::Alerts, Some(ALERT.to_owned())));
    scene.keys("JJJ");
    scene.rest(1);
    assert_eq!(attended(&scene)[2..], [(Screen::Alerts, Some("a-0000005".to_owned()))]);
    scene.rest(45);
    assert_eq!(attended(&scene).len(), 6, "three times in 45 s");
    scene.keys("?");
    scene.rest(1);
    assert_eq!(attended(&scene).len(), 6, "a page of help hides nobody");
    for (keys, screen) in [
        ("<Esc>4", Screen::Metrics),
        (":rules<Enter>", Screen::Rules),
        (":marks<Enter>", Screen::Marks),
        (":deploys<Enter>", Screen::Deploys),
    ] {
        scene.keys(keys);
        scene.rest(1);
        assert_eq!(attended(&scene).last(), Some(&(screen, None)));
    }
}

#[test]
fn what_is_under_review_and_which_migration_is_on_the_screen_is_told() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    scene.rest(1);
    assert_eq!(attended(&scene).last(), Some(&(Screen::Fixes, Some("fx-12".to_owned()))));
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.rest(1);
    assert_eq!(attended(&scene).last(), Some(&(Screen::Migrations, Some("mig-7".to_owned()))));
}

#[test]
fn a_feed_that_comes_back_is_told_at_once_and_a_dead_one_nothing() {
    let mut scene = Scene::live(80, 24, morning());
    let cause = Cause { what: "connection refused".into(), then: "is the server up?".into() };
    scene.event(Event::Link(LinkEvent::Lost { cause, retry_ms: 4_000 }));
    scene.rest(60);
    assert_eq!(attended(&scene).len(), 1);
    scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
    assert_eq!(attended(&scene).len(), 2, "a server that was started anew knows nobody");
}

#[test]
fn a_console_that_sends_nothing_does_not_tell_what_it_looks_at() {
    let mut setup = scene::setup();
    setup.readonly = true;
    let mut scene = Scene::with(setup, 80, 24);
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(scene::snapshot(morning(), scene.now.wall)))));
    scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
    scene.rest(60);
    assert_eq!(attended(&scene), []);
    scene.feed(crew());
    assert!(scene.screen().contains("@bo") && scene.screen().contains("READ-ONLY"), "{}", scene.screen());
}

#[test]
fn hostile_names_reach_no_cell() {
    let hostile = "\u{1b}[2J\u{202e}TOOR\u{9b}31m\u{200b}\u{e0041}\r\n\u{7}";
    let foreign = |letter: char| letter.is_control() || "\u{202e}\u{200b}\u{e0041}".contains(letter);
    for size in [(60, 15), (80, 24), (160, 45)] {
        let mut scene = shown(size, &copying(), Some(held()));
        scene.feed(here(&[(hostile, "con-1", "mig-7"), (&"x".repeat(500), "con-2", ALERT), (hostile, "con-3", ALERT)]));
        for keys in ["", "1", "<Enter>", ":migrate hand<Tab>", "<Esc>"] {
            scene.keys(keys);
            let screen = scene.screen();
            assert!(!screen.replace('\n', "").contains(foreign), "{screen:?}");
        }
    }
}

#[test]
fn the_smallest_screens_keep_their_own_words() {
    for size in [(60, 15), (60, 20), (80, 24)] {
        let mut scene = Scene::live(size.0, size.1, morning());
        scene.feed(crew());
        let screen = scene.screen();
        assert!(screen.contains("get_shared_agents") && screen.contains("CRIT"), "{screen}");
        assert!(screen.contains("@bo") && screen.contains("@ana+1"), "{screen}");
        let mut scene = shown(size, &copying(), Some(held()));
        scene.feed(here(&[("bo", "con-1", "mig-7")]));
        let screen = scene.screen();
        assert!(screen.contains("mig-7  user ids in") && screen.contains("bo is here too"), "{screen}");
    }
}

/// The same migration one step later, by somebody.
fn stepped(one: &Migration, by: &str, what: &str, more: &serde_json::Value) -> Migration {
    let mut value = serde_json::to_value(one).unwrap();
    value["version"] = json!(one.version + 1);
    let trail = value["trail"].as_array_mut().unwrap();
    trail.push(json!({"at": at(0), "by": by, "what": what}));
    for (name, change) in more.as_object().unwrap() {
        value[name.as_str()] = change.clone();
    }
    serde_json::from_value(value).unwrap()
}

fn says(scene: &mut Scene, one: &Migration) -> (String, bool) {
    scene.model.ui.notice = None;
    scene.effects.clear();
    scene.feed(FeedEvent::Migration(Box::new(one.clone())));
    let notice = scene.model.ui.notice.as_ref().map(|(words, _)| words.clone()).unwrap_or_default();
    (notice, scene.effects.contains(&Effect::Bell))
}

fn titled(scene: &Scene) -> Option<&str> {
    scene.effects.iter().rev().find_map(|effect| match effect {
        Effect::Title(title) => Some(title.as_str()),
        _ => None,
    })
}

#[test]
fn whoever_gets_it_and_whoever_loses_it_are_told_by_whom() {
    let mut scene = told((80, 24), vec![copying()], Role::Admin);
    let first = stepped(&copying(), "zoe", "bo leads it now, before sre-1", &json!({"leader": "bo"}));
    assert_eq!(says(&mut scene, &first), ("zoe handed mig-7 over from you to bo".to_owned(), false));
    let second = stepped(&first, "bo", "sre-1 leads it now, before bo: lunch", &json!({"leader": "sre-1"}));
    assert_eq!(says(&mut scene, &second), ("bo handed mig-7 over to you".to_owned(), true));
    assert_eq!(titled(&scene), Some("(2!, mig-7 is yours) PROD stella"));
    insta::assert_snapshot!("handed_over_80x24", scene.screen());
    let third = stepped(&second, "ana", "ana leads it now, before sre-1", &json!({"leader": "ana"}));
    assert_eq!(says(&mut scene, &third), ("ana took mig-7 over from you".to_owned(), false));
    let fourth = stepped(&third, "sre-1", "bo leads it now, before ana", &json!({"leader": "bo"}));
    assert_eq!(says(&mut scene, &fourth), (String::new(), false), "what we did ourselves is no news");
    scene.keys("3");
    let fifth = stepped(&fourth, "ana", "ana leads it now, before bo", &json!({"leader": "ana"}));
    assert_eq!(says(&mut scene, &fifth), ("ana took mig-7 over".to_owned(), false), "also to whoever looks at it");
}

#[test]
fn what_waits_for_a_person_is_over_or_halts_rings_and_names_the_window_until_it_was_looked_at() {
    let mut scene = told((80, 24), vec![planned()], Role::Admin);
    let done = stepped(&rehearsed(), "system", "rehearse done: 120 batches", &json!({}));
    let (words, rings) = says(&mut scene, &done);
    assert_eq!((words.as_str(), rings), ("mig-7 is rehearsed; next: approve: an admin says yes to this plan", true));
    assert_eq!(titled(&scene), Some("(2!, mig-7 rehearsed) PROD stella"));
    scene.effects.clear();
    scene.keys("3");
    assert_eq!(titled(&scene), Some("(2!) PROD stella"), "it was looked at");
    fill(&mut scene);

    let mut scene = told((80, 24), vec![copying()], Role::Admin);
    let bad = stepped(&halted(), "system", "copy ended by itself: refused", &json!({}));
    let (words, rings) = says(&mut scene, &bad);
    assert!(rings && words.starts_with("mig-7 is halted: 7 of 5,143"), "{words}");
    assert_eq!(titled(&scene), Some("(2!, mig-7 halted) PROD stella"));
    let on = stepped(&bad, "bo", "goes on with copy", &json!({"status": "copying", "holdReason": null}));
    assert_eq!(says(&mut scene, &on), (String::new(), false));
    assert_eq!(titled(&scene), Some("(2!) PROD stella"), "it is not halted any more");
    let over = stepped(&completed(), "system", "nobody used an old id for 60 s", &json!({}));
    let (words, rings) = says(&mut scene, &over);
    assert!(rings && words.starts_with("mig-7 is over, completed"), "{words}");
}

#[test]
fn a_pause_that_we_asked_for_is_no_news_and_anothers_is() {
    for (by, said) in [("sre-1", ""), ("bo", "mig-7 is paused: paused by bo: late")] {
        let mut scene = told((80, 24), vec![copying()], Role::Admin);
        let asked = stepped(&copying(), by, "paused, after the writes in flight: late", &json!({}));
        assert_eq!(says(&mut scene, &asked).0, "");
        let why = format!("paused by {by}: late");
        let stands = json!({"status": "paused", "holdReason": why});
        let mut done = stepped(&asked, "system", &format!("copy stopped: {why}"), &stands);
        done.trail.last_mut().unwrap().asked_by = Some(by.into());
        assert_eq!(says(&mut scene, &done).0, said);
    }
    let mut scene = told((80, 24), vec![copying()], Role::Admin);
    let words = json!({"status": "paused", "holdReason": "paused by sre-1"});
    let done = stepped(&copying(), "system", "copy stopped: paused by sre-1", &words);
    assert_eq!(says(&mut scene, &done).0, "mig-7 is paused: paused by sre-1", "words say nothing of whose wish it was");
    let mut scene = told((80, 24), vec![copying()], Role::Admin);
    let guard = json!({"status": "halted", "holdReason": "the store refused 9 documents"});
    let done = stepped(&copying(), "system", "copy stopped: the store refused 9 documents by sre-1", &guard);
    assert!(says(&mut scene, &done).1, "what nobody wished for is told to everybody");
}

#[test]
fn whoever_looks_at_it_hears_no_bell_but_for_trouble_and_the_window_keeps_its_name() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    let done =
        stepped(&copying(), "system", "copy done", &json!({"status": "verified", "next": {"words": "cut over"}}));
    assert_eq!(says(&mut scene, &done), ("mig-7 is verified; next: cut over".to_owned(), false));
    let bad = stepped(&done, "system", "ended by itself", &json!({"status": "halted", "holdReason": "it broke"}));
    assert_eq!(says(&mut scene, &bad), ("mig-7 is halted: it broke".to_owned(), true));
    assert_eq!(titled(&scene), None);
}

#[test]
fn of_two_that_change_at_once_both_are_said_the_graver_first() {
    let other = migration("mig-8", "draft", 1, json!({}));
    let mut scene = told((120, 36), vec![copying(), other], Role::Admin);
    let mut next = scene::snapshot(morning(), scene.now.wall);
    let planned = json!({"words": "rehearse: computes"});
    let ready = migration(
        "mig-8",
        "planned",
        2,
        json!({"next": planned, "trail": [{"at": at(0), "by": "system", "what": "scan done"}]}),
    );
    next.migrations = vec![stepped(&halted(), "system", "copy ended by itself", &json!({})), ready];
    scene.effects.clear();
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(next))));
    let (words, _) = scene.model.ui.notice.clone().unwrap();
    let (bad, good) = (words.find("mig-7 is halted"), words.find("; mig-8 is planned"));
    assert!(bad == Some(0) && good.is_some(), "{words}");
    assert_eq!(scene.effects.iter().filter(|effect| **effect == Effect::Bell).count(), 1);
    assert_eq!(titled(&scene), Some("(2!, mig-7 halted) PROD stella"));
}

#[test]
fn a_hold_names_the_window_while_it_lasts_and_rings_nobody() {
    let mut scene = told((80, 24), vec![copying()], Role::Admin);
    scene.effects.clear();
    scene.feed(FeedEvent::MigrationProgress(Box::new(held())));
    assert_eq!(titled(&scene), Some("(2!, mig-7 held) PROD stella"));
    let free = progress("copy", 3_200, 5_143, json!({"at": at(1)}));
    scene.feed(FeedEvent::MigrationProgress(Box::new(free)));
    assert_eq!(titled(&scene), Some("(2!) PROD stella"));
    assert!(!scene.effects.contains(&Effect::Bell));
}

#[test]
fn leaving_says_once_that_it_goes_on_and_how_to_come_back() {
    for key in ["q", "<Esc>"] {
        let mut scene = shown((80, 24), &copying(), Some(held()));
        scene.keys(key);
        let words = "mig-7 goes on in the server; 3 shows it again, here or on another console";
        assert!(scene.screen().contains(words), "{key}:\n{}", scene.screen());
        scene.rest(9);
        assert!(!scene.screen().contains(words), "once");
        scene.keys("3");
        assert!(scene.screen().contains("COPYING"), "{}", scene.screen());
        assert!(migrated(&scene).is_none(), "nothing was asked of the server");
    }
    let mut setup = scene::setup();
    setup.embedded = true;
    let mut scene = Scene::with(setup, 80, 24);
    let mut first = scene::snapshot(morning(), scene.now.wall);
    first.migrations = vec![copying()];
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
    scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
    scene.keys("3<Esc>");
    assert!(scene.screen().contains("goes on in the server inside this console; 3 shows it"), "{}", scene.screen());
}

#[test]
fn who_is_here_is_offered_when_it_is_handed_over() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.feed(here(&[("sre-1", "con-mine", ""), ("bo", "con-1", "mig-7"), ("two words", "con-2", "")]));
    scene.keys(":migrate hand-over <Tab>");
    let screen = scene.screen();
    assert!(screen.contains("hand-over bo") && !screen.contains("two words"), "{screen}");
}

#[test]
fn o_offers_whoever_is_here_and_asks_before_it_is_sent() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.feed(here(&[("sre-1", "con-mine", ""), ("bo", "con-1", "mig-7"), ("bo", "con-2", ""), ("zoe", "con-3", "")]));
    scene.keys("O");
    insta::assert_snapshot!("lead_80x24", scene.screen());
    scene.keys("1");
    assert!(
        scene.screen().contains("hand over mig-7 on PROD to bo?") && migrated(&scene).is_none(),
        "{}",
        scene.screen()
    );
    scene.keys("y");
    let Some((_, Command::DecideMigration { verb, request, .. })) = scene.sent() else { panic!("sent") };
    assert_eq!((verb, request.to), (MigrationVerb::HandOver, Some("bo".into())));

    let mut others = copying();
    others.leader = "bo".into();
    let mut scene = shown((80, 24), &others, Some(held()));
    scene.keys("O1y");
    assert_eq!(migrated(&scene).map(|sent| sent.0), Some(MigrationVerb::TakeOver));
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys("O1ana<Enter>y");
    let Some((_, Command::DecideMigration { request, .. })) = scene.sent() else { panic!("sent") };
    assert_eq!(request.to, Some("ana".into()), "who is not here is named");
    let mut scene = told((80, 24), vec![copying()], Role::Responder);
    scene.keys("3O");
    assert!(scene.model.ui.dialog.is_none() && scene.screen().contains("this needs admin"), "{}", scene.screen());
}
