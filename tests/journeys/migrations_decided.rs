//! Migrations: what is asked before a verb, what is looked at once more, what is sent.

use serde_json::json;
use stella_protocol::migration::{DecisionRequest, OrphanChoice, UserCheck};
use stella_protocol::{FeedEvent, MigrationVerb, Role};
use stella_tui::effect::{Command, Effect, Query, Refusal, Reply};
use stella_tui::event::{Cause, Event, LinkEvent};

use crate::migrations_told::{
    DIGEST, approved, completed, copying, fill, halted, held, migrated, migration, planned, progress, rehearsed,
    reread, shown, soaking, told, undecided, verified,
};
use crate::scene::Scene;

#[test]
fn d_makes_one_then_rehearses_it() {
    let mut scene = told((80, 24), Vec::new(), Role::Admin);
    scene.keys("3D");
    let Some((id, Command::CreateMigration(_))) = scene.sent() else { panic!("made:\n{}", scene.screen()) };
    assert!(scene.screen().contains("A migration is being made"), "{}", scene.screen());
    scene.keys("D");
    assert_eq!(scene.effects.iter().filter(|effect| matches!(effect, Effect::Send(..))).count(), 1, "only once");
    let made = migration("mig-7", "draft", 1, json!({"underWay": "scan"}));
    scene.event(Event::Reply(id, Box::new(Reply::Migrated(Ok(Box::new(made.clone()))))));
    scene.feed(FeedEvent::Migration(Box::new(made)));
    let screen = scene.screen();
    assert!(screen.contains("DRAFT") && screen.contains("mig-7 is made: the data is being looked at"), "{screen}");
    scene.keys("D");
    assert!(scene.screen().contains("plan is off: the data is being looked at"), "{}", scene.screen());
    scene.feed(FeedEvent::Migration(Box::new(planned())));
    assert!(scene.screen().contains("mig-7 is planned; next: rehearse"), "{}", scene.screen());
    scene.keys("D");
    assert_eq!(migrated(&scene), Some((MigrationVerb::Rehearse, 3, None, None)));
}

#[test]
fn an_approval_types_the_stores_name_and_looks_once_more() {
    let mut scene = shown((80, 24), &rehearsed(), None);
    scene.keys("Ydemo-st");
    insta::assert_snapshot!("approve_80x24", scene.screen());
    scene.keys("<Enter>");
    assert!(scene.screen().contains("type demo-store, then Enter"), "{}", scene.screen());
    scene.keys("ore<Enter>agreed<Enter>");
    assert!(migrated(&scene).is_none(), "it is read again first");
    reread(&mut scene, &rehearsed());
    let sent = Some((MigrationVerb::Approve, 5, Some(DIGEST.to_owned()), Some("agreed".to_owned())));
    assert_eq!(migrated(&scene), sent);
    let (id, _) = scene.sent().unwrap();
    scene.event(Event::Reply(id, Box::new(Reply::Migrated(Ok(Box::new(approved()))))));
    assert!(scene.screen().contains("approved mig-7; E starts it"), "{}", scene.screen());
    assert!(scene.screen().contains("1 under way"), "until the feed says so:\n{}", scene.screen());
    scene.feed(FeedEvent::Migration(Box::new(approved())));
    assert!(!scene.screen().contains("1 under way"), "{}", scene.screen());
}

#[test]
fn what_is_another_plan_or_another_version_is_not_approved() {
    let mut drifted = rehearsed();
    drifted.version = 7;
    drifted.plan.iter_mut().for_each(|plan| plan.digest = "ffff".into());
    let mut moved = approved();
    moved.trail.push(
        serde_json::from_value(json!({"at": crate::remedies::at(0), "by": "op2", "what": "approved it"})).unwrap(),
    );
    for (newer, why) in [
        (drifted, "its plan is another one than the one you saw"),
        (moved, "mig-7 changed meanwhile, it is approved: op2 approved it; look again"),
    ] {
        let mut scene = shown((120, 36), &rehearsed(), None);
        scene.keys("Ydemo-store<Enter><Enter>");
        reread(&mut scene, &newer);
        assert!(migrated(&scene).is_none());
        assert!(scene.screen().contains(why), "{}", scene.screen());
    }
}

#[test]
fn a_look_that_came_late_or_over_a_dead_feed_sends_nothing() {
    let mut scene = shown((80, 24), &rehearsed(), None);
    scene.keys("Ydemo-store<Enter><Enter>");
    scene.rest(3);
    reread(&mut scene, &rehearsed());
    assert!(migrated(&scene).is_none());
    assert!(scene.screen().contains("reading it again took too long"), "{}", scene.screen());
    let cause = Cause { what: "connection refused".into(), then: "is the server up?".into() };
    scene.event(Event::Link(LinkEvent::Lost { cause, retry_ms: 4_000 }));
    scene.keys("Y");
    assert!(scene.model.ui.dialog.is_none());
    assert!(scene.screen().contains("approve is off: the feed is not live"), "{}", scene.screen());
}

#[test]
fn a_start_types_the_id_and_may_state_what_readers_know() {
    let mut scene = shown((80, 24), &approved(), None);
    scene.keys("Emig-7<Enter>");
    insta::assert_snapshot!("start_80x24", scene.screen());
    scene.keys("release 41 reads both<Enter>");
    reread(&mut scene, &approved());
    let text = Some("release 41 reads both".to_owned());
    assert_eq!(migrated(&scene), Some((MigrationVerb::Start, 6, Some(DIGEST.to_owned()), text)));
}

#[test]
fn a_cut_over_also_types_the_profile_and_so_does_taking_it_back() {
    let mut scene = shown((80, 24), &verified(), None);
    scene.keys("Emig-7<Enter>");
    assert!(scene.screen().contains("type mig-7 prod, then Enter"), "{}", scene.screen());
    insta::assert_snapshot!("cut_over_80x24", scene.screen());
    scene.keys(" prod<Enter>");
    reread(&mut scene, &verified());
    assert_eq!(migrated(&scene), Some((MigrationVerb::Cutover, 15, Some(DIGEST.to_owned()), None)));
    let mut scene = shown((80, 24), &soaking(), None);
    scene.keys("B");
    assert!(scene.screen().contains("type mig-7 prod, then Enter"), "{}", scene.screen());
}

#[test]
fn a_cut_over_asks_what_says_that_the_workarounds_are_gone() {
    let mut beside = verified();
    let names = ["googleUserId: src/chats.ts", "both ids: src/shares.ts", "merged lists: src/agents.ts", "a cron job"];
    beside.plan.as_mut().unwrap().workarounds = names.map(|name| format!("queries by {name}").into()).to_vec();
    let mut scene = shown((80, 24), &beside, None);
    scene.keys("Emig-7 prod<Enter><Enter>");
    assert!(scene.screen().contains("The statement may not be empty: nothing was sent."), "{}", scene.screen());
    insta::assert_snapshot!("workarounds_80x24", scene.screen());
    scene.keys("release 42 asks by one id<Enter>");
    reread(&mut scene, &beside);
    let text = Some("release 42 asks by one id".to_owned());
    assert_eq!(migrated(&scene), Some((MigrationVerb::Cutover, 15, Some(DIGEST.to_owned()), text)));
    let screen = shown((80, 200), &beside, None).screen();
    assert!(screen.contains("must be gone before the cut-over\n   queries by googleUserId"), "{screen}");
}

#[test]
fn a_rollback_says_what_it_puts_back_and_does_not_wait_for_batches() {
    let mut scene = shown((120, 36), &copying(), Some(held()));
    assert!(scene.screen().contains("B puts back 3,148 documents, about 40s"), "{}", scene.screen());
    scene.keys("Bmig-7");
    insta::assert_snapshot!("rollback_120x36", scene.screen());
    scene.keys("<Enter>");
    let mut newer = copying();
    newer.version = 10;
    reread(&mut scene, &newer);
    let sent = Some((MigrationVerb::Rollback, 10, Some(DIGEST.to_owned()), None));
    assert_eq!(migrated(&scene), sent, "the version rose with a batch, the plan and the status did not change");
    let mut scene = shown((120, 36), &copying(), Some(held()));
    scene.keys("Bmig-7<Enter>");
    reread(&mut scene, &halted());
    assert!(migrated(&scene).is_none() && scene.screen().contains("changed meanwhile"), "{}", scene.screen());
}

#[test]
fn pausing_is_at_once_and_resuming_after_a_halt_asks() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys("P");
    assert_eq!(migrated(&scene), Some((MigrationVerb::Pause, 9, None, None)));
    scene.effects.clear();
    for keys in ["P", "C", "-"] {
        scene.keys(keys);
        assert!(scene.sent().is_none(), "{keys}");
    }
    assert!(scene.screen().contains("a change of it is under way"), "{}", scene.screen());
    scene.keys("S<Enter>y");
    assert_eq!(migrated(&scene).map(|sent| sent.0), Some(MigrationVerb::Stop), "a stop waits for nothing");
    let mut scene = shown((80, 24), &halted(), None);
    scene.keys("P");
    assert!(scene.screen().contains("which halted: 7 of 5,143 documents were refused"), "{}", scene.screen());
    scene.keys("<Enter>");
    assert!(migrated(&scene).is_none(), "Enter is no");
    scene.keys("Py");
    assert_eq!(migrated(&scene), Some((MigrationVerb::Resume, 12, None, None)));
    let paused = migration("mig-7", "paused", 9, json!({"plan": crate::migrations_told::plan()}));
    let mut scene = shown((80, 24), &paused, None);
    scene.keys("P");
    assert_eq!(migrated(&scene), Some((MigrationVerb::Resume, 9, None, None)), "nothing is red: at once");
}

#[test]
fn a_stop_asks_and_a_rate_does_not() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys("Stoo many conflicts<Enter><Enter>");
    assert!(migrated(&scene).is_none(), "Enter is no");
    scene.keys("Stoo many conflicts<Enter>y");
    assert_eq!(migrated(&scene), Some((MigrationVerb::Stop, 9, None, Some("too many conflicts".to_owned()))));
    for (keys, wanted) in [("-", 50), ("+", 0), (":migrate rate 25<Enter>", 25)] {
        let mut scene = shown((80, 24), &copying(), Some(held()));
        scene.keys(keys);
        let Some((_, Command::DecideMigration { verb: MigrationVerb::Rate, request, .. })) = scene.sent() else {
            panic!("sent:\n{}", scene.screen())
        };
        assert_eq!(request.rate, Some(wanted), "{keys}");
    }
}

#[test]
fn a_question_is_answered_by_its_number_with_a_reason_and_a_yes() {
    let mut scene = shown((80, 24), &undecided(), None);
    assert!(scene.screen().contains("next: Enter  answer 2 questions"), "{}", scene.screen());
    scene.keys("<Enter>");
    assert!(scene.screen().contains("[decisions 2]"), "Enter leads to them:\n{}", scene.screen());
    fill(&mut scene);
    scene.keys("<Enter>");
    insta::assert_snapshot!("decide_80x24", scene.screen());
    scene.keys("1");
    scene.keys("<Enter>");
    assert!(scene.model.ui.dialog.is_some(), "a reason is needed");
    scene.keys("she said so<Enter><Enter>");
    assert!(scene.sent().is_none(), "Enter is no");
    scene.keys("<Enter>1she said so<Enter>y");
    let Some((id, Command::AnswerMigration { version, request, .. })) = scene.sent() else { panic!("sent") };
    let wanted = DecisionRequest::Question {
        id: "dec-1".into(),
        option: "usr_k3v0m1x9q2w8e7r6t5y4".into(),
        reason: "she said so".into(),
    };
    assert_eq!((version, request), (3, wanted));
    let mut answered = undecided();
    (answered.version, answered.open_decisions) = (4, 1);
    scene.event(Event::Reply(id, Box::new(Reply::Migrated(Ok(Box::new(answered))))));
    assert!(scene.screen().contains("decided; one question of mig-7 is open"), "{}", scene.screen());
}

#[test]
fn an_id_without_a_user_is_kept_or_mapped_with_a_reason() {
    let mut scene = shown((80, 24), &planned(), None);
    scene.keys("<Tab><Tab>");
    fill(&mut scene);
    scene.keys("<Enter>");
    insta::assert_snapshot!("orphan_80x24", scene.screen());
    scene.keys("9");
    assert!(scene.screen().contains("which? a digit chooses"), "there is no ninth:\n{}", scene.screen());
    scene.keys("4same e-mail<Enter>y");
    let Some((_, Command::AnswerMigration { request, .. })) = scene.sent() else { panic!("sent") };
    let wanted = DecisionRequest::Orphan {
        id: "108249771100042".into(),
        choice: OrphanChoice::Map,
        user: Some("usr_k3v0m1x9q2w8e7r6t5y4".into()),
        reason: "same e-mail".into(),
    };
    assert_eq!(request, wanted);
    let mut scene = shown((80, 24), &copying(), None);
    scene.keys("<Tab><Tab>");
    fill(&mut scene);
    scene.keys("<Enter>");
    assert!(
        scene.model.ui.dialog.is_none() && scene.screen().contains("nothing is decided any more"),
        "{}",
        scene.screen()
    );
}

#[test]
fn beside_a_choice_stands_what_it_does() {
    let mut scene = shown((120, 36), &copying(), None);
    scene.keys("<Tab><Tab>");
    fill(&mut scene);
    let words = "what it owns is marked as archived, the id stays, nothing is deleted";
    assert!(!scene.screen().contains(words), "{}", scene.screen());
    scene.keys("jj");
    assert!(scene.screen().contains(words), "{}", scene.screen());
}

#[test]
fn whoever_may_only_respond_pauses_and_stops_and_no_more() {
    let mut scene = told((80, 24), vec![copying()], Role::Responder);
    scene.keys("3B");
    assert!(scene.screen().contains("your role is responder: this needs admin"), "{}", scene.screen());
    scene.keys("P");
    assert_eq!(migrated(&scene), Some((MigrationVerb::Pause, 9, None, None)));
    let mut scene = told((80, 24), Vec::new(), Role::Approver);
    scene.keys("3D");
    assert!(scene.sent().is_none() && scene.screen().contains("this needs admin"), "{}", scene.screen());
}

#[test]
fn verbs_without_a_key_are_commands() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys(":migrate take-over<Enter>y");
    assert_eq!(migrated(&scene).map(|sent| sent.0), Some(MigrationVerb::TakeOver));
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys(":migrate hand-over op2<Enter>y");
    let Some((_, Command::DecideMigration { request, .. })) = scene.sent() else { panic!("sent:\n{}", scene.screen()) };
    assert_eq!(request.to.map(|to| to.raw().to_owned()), Some("op2".to_owned()));
    let mut scene = shown((80, 24), &planned(), None);
    scene.keys(":migrate cancel<Enter>wrong map<Enter>y");
    assert_eq!(migrated(&scene), Some((MigrationVerb::Cancel, 3, None, Some("wrong map".to_owned()))));
    let mut scene = told((80, 24), vec![planned()], Role::Admin);
    scene.keys(":migrate re<Tab>");
    assert!(scene.screen().contains("migrate rehearse | migrate resume | migrate retry"), "{}", scene.screen());
    scene.keys("h<Enter>");
    assert_eq!(
        migrated(&scene).map(|sent| sent.0),
        Some(MigrationVerb::Rehearse),
        "from any screen:\n{}",
        scene.screen()
    );
    scene.keys(":migrate fly<Enter>");
    assert!(scene.screen().contains("migrations have no verb fly"), "{}", scene.screen());
    scene.keys(":migrate mig-9<Enter>");
    assert!(scene.screen().contains("the server tells of no mig-9"), "{}", scene.screen());
}

#[test]
fn what_one_person_sees_is_shown_before_now_and_in_the_end() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys(":migrate check-user ana@example.com<Enter>");
    let found: UserCheck = serde_json::from_value(json!({
        "user": "usr_k3v0m1x9q2w8e7r6t5y4", "oldIds": ["ana_example_com", "1082"], "places": [
            {"collection": "conversations", "before": 0, "now": 240, "expected": 240},
            {"collection": "messages", "before": 0, "now": 171, "expected": 283},
            {"collection": "agent_shares", "before": 9, "now": 10, "expected": 9}
        ]
    }))
    .unwrap();
    scene.answer(|query| match query {
        Query::MigrationUser { id, who } if who == "ana@example.com" => {
            Some(Reply::MigrationUser(id.clone(), Ok(Box::new(found.clone()))))
        }
        _ => None,
    });
    insta::assert_snapshot!("person_80x24", scene.screen());
}

#[test]
fn an_unknown_decision_is_asked_again_under_the_same_name() {
    let mut scene = shown((80, 24), &planned(), None);
    scene.keys("D");
    let (id, command) = scene.sent().unwrap();
    scene.event(Event::Reply(id, Box::new(Reply::Migrated(Err(Refusal::Unknown("time-out".into()))))));
    assert!(scene.screen().contains("sent, UNKNOWN"), "{}", scene.screen());
    scene.effects.clear();
    let mut hello = crate::scene::hello(scene.now.wall);
    hello.role = Role::Admin;
    scene.feed(FeedEvent::Hello(hello));
    assert_eq!(scene.sent(), Some((id, command)));
}

#[test]
fn what_is_typed_is_neither_pasted_nor_held_nor_too_early() {
    let mut scene = shown((80, 24), &copying(), Some(held()));
    scene.keys("B");
    scene.event(Event::Paste("mig-7".to_owned()));
    assert!(scene.screen().contains("nothing was pasted: this has to be typed"), "{}", scene.screen());
    scene.keys("<Enter>");
    assert!(scene.screen().contains("type mig-7, then Enter"), "{}", scene.screen());
    let early = |scene: &mut Scene| scene.event(Event::Key(stella_tui::keys::Key::char('m')));
    scene.keys("<Esc>B");
    scene.now.steady -= 400;
    early(&mut scene);
    assert!(!scene.screen().contains("> m"), "deaf at first:\n{}", scene.screen());
}

#[test]
fn no_question_loses_what_it_asks_for_at_eighty_columns() {
    for (migration, keys, asked) in [
        (rehearsed(), "Y", "type demo-store, then Enter"),
        (approved(), "E", "type mig-7, then Enter"),
        (approved(), "Emig-7<Enter>", "(optional: empty asks them)"),
        (verified(), "E", "type mig-7 prod, then Enter"),
        (copying(), "B", "type mig-7, then Enter"),
        (halted(), "P", "?"),
    ] {
        let mut scene = shown((80, 24), &migration, None);
        scene.keys(keys);
        let screen = scene.screen();
        let question = screen.lines().find(|line| line.contains(asked)).unwrap_or_default();
        assert!(!question.is_empty(), "{asked} is not in\n{screen}");
        assert!(screen.contains("othing was sent yet"), "{screen}");
    }
}

#[test]
fn after_its_end_d_makes_another() {
    let mut scene = shown((80, 24), &completed(), None);
    scene.keys("D");
    assert!(matches!(scene.sent(), Some((_, Command::CreateMigration(_)))), "{}", scene.screen());
    let (id, _) = scene.sent().unwrap();
    let made = migration("mig-8", "draft", 1, json!({}));
    scene.event(Event::Reply(id, Box::new(Reply::Migrated(Ok(Box::new(made.clone()))))));
    scene.feed(FeedEvent::Migration(Box::new(made)));
    assert_eq!(scene.model.ui.migration.as_ref().map(|one| one.id().as_str()), Some("mig-8"));
    scene.feed(FeedEvent::MigrationProgress(Box::new(progress("scan", 1, 10, json!({"id": "mig-8"})))));
    assert!(scene.screen().contains("10.0%"), "{}", scene.screen());
}

#[test]
fn a_store_without_a_name_is_not_approved_by_typing_nothing() {
    let mut nameless = rehearsed();
    nameless.target = " ".into();
    let mut scene = shown((80, 24), &nameless, None);
    scene.keys("Y<Enter><Enter>");
    assert!(scene.screen().contains(": type mig-7, then Enter"), "{}", scene.screen());
}
