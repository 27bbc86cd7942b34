//! Fixes: the queue, the review, what is asked before a decision, and what is sent.

use serde_json::json;
use stella_protocol::fix::{DefinitionPage, OutputPage, Switched};
use stella_protocol::{Alert, FeedEvent, FixVerb, Remedy, Role, Timestamp};
use stella_tui::effect::{Command, Effect, Query, Refusal, Reply};
use stella_tui::event::{Cause, Event, LinkEvent};

use crate::SIZES;
use crate::remedies::{
    answer, approver, at, decided, executed, explain, fix, in_doubt, line, live, pending, plan, queue, review,
    reviewed, running,
};
use crate::scene::{self, NOON, Scene, morning};

#[test]
fn the_queue_at_three_sizes() {
    for (width, height) in SIZES {
        let mut scene = approver((width, height), queue());
        scene.keys("2");
        insta::assert_snapshot!(format!("fixes_{width}x{height}"), scene.screen());
    }
}

#[test]
fn the_review_at_three_sizes() {
    for (width, height) in SIZES {
        let scene = reviewed((width, height), &pending(), Role::Approver);
        insta::assert_snapshot!(format!("review_{width}x{height}"), scene.screen());
    }
}

#[test]
fn a_review_scrolls_to_its_end() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    assert!(scene.screen().contains("will NOT revert: queries that failed"), "{}", scene.screen());
    let mut seen = scene.screen();
    for _ in 0..8 {
        scene.keys("<PgDn>");
        seen.push_str(&scene.screen());
    }
    for words in [
        "POST https://deploy.internal/v1/freeze/search",
        r#"body {"by":"stella","minutes":20}"#,
        "/opt/search/bin/reindex --shard 7 --note 'by stella'",
        "done when status 200 and /frozen is true, not done when status 404",
        "stopped and taken back unless errors.percent is at most 12",
        "then watched: the alert is quiet for 2m00s without a break, within 10m00s",
        "[!!] op2 is looking at this review",
        "this fix before: 6 of 7 runs helped; 2 of 9 alerts of its rules were false",
        "differs: observed 420 ms when proposed, 734 ms now",
        "reindex --check: 7 shards, 41 s each",
    ] {
        assert!(seen.contains(words), "{words} is not in\n{seen}");
    }
    let end = scene.screen();
    assert!(end.contains("system: the dry run was good"), "{end}");
    scene.keys("j");
    assert_eq!(scene.screen(), end, "the end is the end");
}

#[test]
fn an_approval_is_typed_read_again_and_bound_to_what_was_painted() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    scene.keys("Yfx-1<Enter>");
    insta::assert_snapshot!("approve_80x24", scene.screen());
    scene.keys("2<Enter>seen the graph<Enter>");
    assert!(decided(&scene).is_none(), "it is read once more first");
    answer(&mut scene, &pending());
    let wanted = (FixVerb::Approve, 3, Some("7c1e5a90d3".to_owned()), Some("seen the graph".to_owned()));
    assert_eq!(decided(&scene), Some(wanted));
    assert!(scene.screen().contains("sent, not confirmed"), "{}", scene.screen());
    let (id, _) = scene.sent().unwrap();
    let mut after = pending();
    after.version = 4;
    scene.event(Event::Reply(id, Box::new(Reply::Decided(Ok(Box::new(after.clone()))))));
    assert!(scene.screen().contains("sent, not confirmed"), "answered is not confirmed:\n{}", scene.screen());
    scene.feed(FeedEvent::Fix(Box::new(after)));
    assert!(!scene.screen().contains("sent, not confirmed"), "{}", scene.screen());
}

#[test]
fn what_changed_while_somebody_typed_is_said_and_nothing_is_sent() {
    let mut other = pending();
    other.plan_digest = "ffff".into();
    let mut newer = running();
    newer.trail.push(serde_json::from_value(json!({"at": at(0), "by": "op2", "what": "approved it, 2 of 2"})).unwrap());
    for (now, said) in [(other, "its plan is another one"), (newer, "it is running: op2 approved it, 2 of 2")] {
        let mut scene = reviewed((120, 36), &pending(), Role::Approver);
        scene.keys("Yfx-12<Enter><Enter>");
        answer(&mut scene, &now);
        assert!(decided(&scene).is_none());
        assert!(scene.screen().contains("nothing was sent: ") && scene.screen().contains(said), "{}", scene.screen());
    }
}

#[test]
fn what_the_feed_told_before_the_last_look_came_back_counts() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    scene.keys("Yfx-12<Enter><Enter>");
    let mut told = running();
    told.trail.push(serde_json::from_value(json!({"at": at(0), "by": "system", "what": "began it"})).unwrap());
    scene.feed(FeedEvent::Fix(Box::new(told)));
    answer(&mut scene, &pending());
    assert!(decided(&scene).is_none());
}

#[test]
fn a_server_that_says_no_is_not_asked_often_and_a_dead_feed_not_at_all() {
    let mut scene = approver((80, 24), vec![pending()]);
    scene.keys("f");
    let asked =
        |scene: &Scene| scene.effects.iter().filter(|effect| matches!(effect, Effect::Fetch(_, Query::Fix(_)))).count();
    scene.answer(|query| match query {
        Query::Fix(id) => Some(Reply::Review(id.clone(), Err(Refusal::Unknown("no answer".into())))),
        _ => None,
    });
    scene.rest(4);
    assert_eq!(asked(&scene), 1);
    scene.rest(2);
    assert_eq!(asked(&scene), 2, "after a while it is asked again");
    answer(&mut scene, &pending());
    let cause = Cause { what: "connection refused".into(), then: "is the server up?".into() };
    scene.event(Event::Link(LinkEvent::Lost { cause, retry_ms: 4_000 }));
    scene.rest(20);
    assert_eq!(asked(&scene), 2);
}

#[test]
fn one_decision_at_a_time() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    scene.keys("D");
    assert!(decided(&scene).is_some());
    scene.effects.clear();
    scene.keys("DYX");
    assert!(decided(&scene).is_none() && scene.model.ui.dialog.is_none());
    assert!(scene.screen().contains("a change of it is under way"), "{}", scene.screen());
}

#[test]
fn a_look_that_came_late_or_over_a_dead_feed_sends_nothing() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    scene.keys("Yfx-12<Enter><Enter>");
    let asked = scene.effects.len();
    scene.rest(3);
    let late = scene.effects[..asked].iter().rev().find_map(|effect| match effect {
        Effect::Fetch(id, Query::Fix(_)) => Some(*id),
        _ => None,
    });
    let reply = Reply::Review(pending().id, Ok(Box::new(review(&pending()))));
    scene.event(Event::Reply(late.unwrap(), Box::new(reply)));
    assert!(decided(&scene).is_none());
    assert!(scene.screen().contains("reading it again took too long"), "{}", scene.screen());
    let cause = Cause { what: "connection refused".into(), then: "is the server up?".into() };
    scene.event(Event::Link(LinkEvent::Lost { cause, retry_ms: 4_000 }));
    scene.keys("Y");
    assert!(scene.model.ui.dialog.is_none());
    assert!(scene.screen().contains("approve is off: the feed is not live"), "{}", scene.screen());
}

#[test]
fn a_key_that_is_off_says_why() {
    let mut scene = reviewed((80, 24), &pending(), Role::Responder);
    scene.keys("Y");
    assert!(scene.screen().contains("your role is responder: this needs approver"), "{}", scene.screen());
    let footer = scene.screen().lines().last().unwrap().to_owned();
    assert!(!footer.contains("Y approve") && footer.contains("D dry run"), "{footer}");
    scene.keys("B");
    assert!(scene.screen().contains("rollback is off: it is pending, not executed or failed"), "{}", scene.screen());
    scene.keys("i");
    insta::assert_snapshot!("review_why_80x24", scene.screen());
    assert!(decided(&scene).is_none());
}

#[test]
fn what_runs_shows_its_steps_and_its_last_lines() {
    for size in [(80, 24), (200, 50)] {
        let mut scene = reviewed(size, &running(), Role::Approver);
        scene.answer(|query| match query {
            Query::FixOutput { id, after: 0 } => {
                let items = (1..=4).map(|number| line(number, "shard 7 of 7: reading")).collect();
                Some(Reply::Output(id.clone(), Ok(OutputPage { items, next: None })))
            }
            _ => None,
        });
        for number in 4..=20 {
            let text = format!("shard 7: {} of 100 segments", number * 4);
            scene.feed(FeedEvent::FixOutput(Box::new(line(number, &text))));
        }
        insta::assert_snapshot!(format!("running_{}x{}", size.0, size.1), scene.screen());
        scene.keys("S");
        assert!(scene.screen().contains("STOP fx-12 on PROD, after step 2: takes back 2 steps"), "{}", scene.screen());
        scene.keys("<Enter>");
        insta::assert_snapshot!(format!("stop_{}x{}", size.0, size.1), scene.screen());
        scene.keys("<Enter>");
        assert!(decided(&scene).is_none(), "Enter is no");
        scene.keys("Swrong shard<Enter>y");
        assert_eq!(decided(&scene), Some((FixVerb::Stop, 6, None, Some("wrong shard".to_owned()))));
    }
}

#[test]
fn what_is_in_doubt_is_closed_with_a_statement_by_an_admin() {
    let mut scene = live((80, 24), queue(), Remedy::default(), Role::Admin);
    scene.keys("2G");
    let at = |scene: &Scene| scene.model.ui.fixes.cursor().is_some_and(|id| id.as_str() == "fx-9");
    for _ in 0..queue().len() {
        if at(&scene) {
            break;
        }
        scene.keys("k");
    }
    assert!(at(&scene), "{}", scene.screen());
    scene.keys("<Enter>");
    answer(&mut scene, &in_doubt());
    insta::assert_snapshot!("in_doubt_80x24", scene.screen());
    scene.keys("R<Enter>planner answers, its context was reset<Enter>");
    insta::assert_snapshot!("close_80x24", scene.screen());
    scene.keys("<Enter>");
    assert!(decided(&scene).is_none(), "Enter is no");
    scene.keys("Rreset by hand<Enter>y");
    assert_eq!(decided(&scene), Some((FixVerb::Close, 9, None, Some("reset by hand".to_owned()))));
    scene.keys("<Esc>");
    assert!(scene.screen().contains("in doubt: somebody has to look"), "back in the list:\n{}", scene.screen());
}

#[test]
fn what_was_executed_is_rolled_back_by_its_typed_id() {
    let mut scene = reviewed((80, 24), &executed(), Role::Approver);
    scene.keys("Bfx-12");
    insta::assert_snapshot!("rollback_80x24", scene.screen());
    scene.keys("<Enter>");
    answer(&mut scene, &executed());
    assert_eq!(decided(&scene), Some((FixVerb::Rollback, 11, Some("7c1e5a90d3".to_owned()), None)));
}

#[test]
fn all_fixes_are_switched_off_by_a_typed_word_and_a_reason() {
    let mut scene = live((80, 24), queue(), Remedy::default(), Role::Admin);
    scene.keys("2:fixes off<Enter>");
    scene.keys("on<Enter>");
    assert!(scene.sent().is_none());
    scene.keys("<C-u>off<Enter>");
    scene.keys("<Enter>");
    assert!(scene.model.ui.dialog.is_some(), "a reason is needed");
    scene.keys("bad deploy tool<Enter>");
    let Some((id, Command::SwitchFixes(request))) = scene.sent() else { panic!("sent") };
    assert_eq!((request.on, request.reason.raw()), (false, "bad deploy tool"));
    let off = Switched { by: "sre-1".into(), at: scene.now.wall, reason: request.reason };
    let remedy = Remedy { switched_off: Some(off), ..Remedy::default() };
    scene.event(Event::Reply(id, Box::new(Reply::Surrounded(Ok(Box::new(remedy.clone()))))));
    scene.feed(FeedEvent::Remedy(Box::new(remedy)));
    for (width, height) in SIZES {
        scene.event(Event::Resize { width, height });
        insta::assert_snapshot!(format!("off_{width}x{height}"), scene.screen());
    }
}

#[test]
fn a_proposal_by_hand_asks_for_what_the_alert_does_not_say() {
    let mut scene = live((80, 24), Vec::new(), Remedy::default(), Role::Responder);
    scene.keys(":");
    let definition = json!({
        "id": "clear_user_cache", "title": "clear a user's cache", "risk": "low", "policy": "approve",
        "effectivePolicy": "approve", "why": "", "owner": "team-web", "matches": "any", "record": {"runs": 0, "good": 0,
        "marked": 0, "falsePositive": 0}, "parameters": {"user": "user", "operation": "operation"}
    });
    scene.answer(|query| match query {
        Query::Definitions => {
            let items = vec![serde_json::from_value(definition.clone()).unwrap()];
            Some(Reply::Definitions(Ok(DefinitionPage { items, next: None })))
        }
        _ => None,
    });
    scene.keys("prop<Tab>");
    assert!(scene.screen().contains("> propose clear_user_cache"), "{}", scene.screen());
    insta::assert_snapshot!("palette_80x24", scene.screen());
    scene.keys("<Enter>u-7<Enter>y");
    let Some((id, Command::Propose(proposal))) = scene.sent() else { panic!("sent") };
    assert_eq!(proposal.alert_id, Some("a-0000001".parse().unwrap()));
    let given: Vec<(&str, &str)> =
        proposal.parameters.iter().map(|(name, value)| (name.as_str(), value.raw())).collect();
    assert_eq!(given, [("user", "u-7")], "the operation stands in the alert's labels");
    let made = fix("fx-14", "proposed", 1, json!({}));
    scene.event(Event::Reply(id, Box::new(Reply::Decided(Ok(Box::new(made.clone()))))));
    scene.feed(FeedEvent::Fix(Box::new(made)));
    assert!(scene.screen().contains("PROPOSED"), "its review opens:\n{}", scene.screen());
}

#[test]
fn an_alert_says_that_a_fix_waits_or_runs_and_leads_to_it() {
    let mut scene = approver((80, 24), queue());
    let screen = scene.screen();
    let row = |title: &str| screen.lines().find(|line| line.contains(title)).unwrap().to_owned();
    assert!(row("get_shared_agents p50").contains("FIXP") && row("firestore_query").contains("FIXG"), "{screen}");
    assert!(screen.contains("2 Fixes*3"), "{screen}");
    scene.keys("<Enter>");
    explain(&mut scene);
    insta::assert_snapshot!("detail_fix_80x24", scene.screen());
    scene.keys("f");
    answer(&mut scene, &pending());
    assert!(scene.screen().contains("fx-12  rebuild the index"), "{}", scene.screen());
    scene.keys("<Esc>");
    assert!(scene.screen().contains("evidence"), "back in the alert:\n{}", scene.screen());
}

#[test]
fn of_several_fixes_one_is_chosen() {
    let mut scene = approver((80, 24), vec![pending(), fix("fx-13", "pending", 1, json!({"title": "another"}))]);
    scene.keys("f");
    assert!(scene.screen().contains("which fix?") && scene.screen().contains("2 fx-13 another"), "{}", scene.screen());
    scene.keys("2");
    assert_eq!(scene.model.ui.review.as_ref().map(|review| review.id().as_str()), Some("fx-13"));
}

#[test]
fn the_triage_of_a_wide_terminal_lists_decisions() {
    let mut scene = approver((200, 50), queue());
    explain(&mut scene);
    insta::assert_snapshot!("triage_200x50", scene.screen());
}

#[test]
fn an_unknown_decision_is_asked_again_under_the_same_name() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    scene.keys("D");
    let (id, command) = scene.sent().unwrap();
    scene.event(Event::Reply(id, Box::new(Reply::Decided(Err(Refusal::Unknown("time-out".into()))))));
    assert!(scene.screen().contains("sent, UNKNOWN"), "{}", scene.screen());
    scene.effects.clear();
    let mut hello = scene::hello(scene.now.wall);
    hello.role = Role::Approver;
    scene.feed(FeedEvent::Hello(hello));
    assert_eq!(scene.sent(), Some((id, command)));
}

#[test]
fn the_smallest_terminal_shows_a_queue_and_a_review() {
    let mut scene = approver((60, 15), queue());
    scene.keys("2");
    insta::assert_snapshot!("fixes_60x15", scene.screen());
    scene.keys("<Enter>");
    answer(&mut scene, &pending());
    scene.keys("Yfx-1");
    insta::assert_snapshot!("approve_60x15", scene.screen());
}

#[test]
fn an_empty_queue_says_what_it_waits_for() {
    let mut scene = approver((80, 24), Vec::new());
    scene.keys("2");
    insta::assert_snapshot!("fixes_none_80x24", scene.screen());
}

#[test]
fn an_idle_review_changes_no_cell() {
    let mut scene = reviewed((200, 50), &pending(), Role::Approver);
    let before = scene.buffer();
    scene.rest(55);
    scene.model.ui.notice = None;
    assert!(scene.buffer() == before, "{}", scene.screen());
}

#[test]
fn a_plan_that_cannot_be_shown_cannot_be_approved_here() {
    let mut strange = plan();
    strange["steps"][1]["act"] = json!({"kind": "teleport", "to": "mars"});
    let fix = fix("fx-12", "pending", 3, json!({"plan": strange}));
    let mut scene = reviewed((80, 24), &fix, Role::Approver);
    scene.keys("Y");
    assert!(scene.screen().contains("this console cannot show all that would run"), "{}", scene.screen());
}

#[test]
fn hostile_text_of_a_fix_reaches_no_cell() {
    let hostile = "\u{1b}[2J\u{202e}TOOR\u{9b}31m\u{200b}\u{e0041}\r\n\u{7}";
    let mut bad = plan();
    for pointer in [
        "/target",
        "/steps/0/title",
        "/steps/0/act/url",
        "/steps/0/act/body/by",
        "/steps/1/act/arguments/3",
        "/steps/0/undo/title",
        "/touches/0",
        "/willNotUndo/0",
        "/parameters/0/value",
        "/steps/0/probe/title",
    ] {
        *bad.pointer_mut(pointer).unwrap() = json!(hostile);
    }
    let mut worst = running();
    worst.plan = serde_json::from_value(bad).unwrap();
    for text in [
        &mut worst.title,
        &mut worst.result,
        &mut worst.proposed_by,
        &mut worst.steps[0].note,
        &mut worst.trail[0].what,
        &mut worst.approvals[0].by,
        &mut worst.rehearsal[0],
    ] {
        *text = hostile.to_owned().into();
    }
    let foreign = |letter: char| letter.is_control() || "\u{202e}\u{200b}\u{e0041}".contains(letter);
    for size in SIZES {
        let off = Switched { by: hostile.into(), at: Timestamp::from_millis(NOON), reason: hostile.into() };
        let remedy = Remedy { switched_off: Some(off), ..Remedy::default() };
        let mut scene = live(size, vec![worst.clone()], remedy, Role::Admin);
        scene.feed(FeedEvent::FixOutput(Box::new(line(1, hostile))));
        for keys in ["", "<Enter>", "f", "i", "d", "<Esc><Esc>2", "<Enter><PgDn>", "<PgDn>", "<PgDn>", ":"] {
            scene.keys(keys);
            let screen = scene.screen();
            assert!(!screen.replace('\n', "").contains(foreign), "{screen:?}");
        }
    }
}

#[test]
fn fixes_are_complete_without_colour_and_in_seven_bits() {
    for (width, height) in [(60, 15), (80, 24), (120, 36), (200, 50)] {
        let mut setup = scene::setup();
        setup.ascii = true;
        let mut scene = Scene::with(setup, width, height);
        let alerts: Vec<Alert> = morning();
        let mut first = scene::snapshot(alerts, scene.now.wall);
        first.fixes = queue();
        scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
        for keys in ["2", "<Enter>", "G", "<Esc>", ":", "<Esc>?"] {
            scene.keys(keys);
            assert!(scene.screen().is_ascii(), "{}", scene.screen());
        }
    }
}
