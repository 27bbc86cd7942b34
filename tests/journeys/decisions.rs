//! What is asked before a decision, what its words promise, and commands that have no key.

use serde_json::json;
use stella_protocol::fix::{DefinitionPage, Maintenance};
use stella_protocol::{FeedEvent, FixStatus, FixVerb, Remedy, Role};
use stella_tui::effect::{Command, Query, Reply};
use stella_tui::event::{Cause, Event, LinkEvent};

use crate::remedies::{at, decided, executed, fix, in_doubt, live, pending, review, reviewed, running};
use crate::scene::{self, Scene, morning};

#[test]
fn a_plan_with_a_step_that_nothing_takes_back_promises_no_more_than_is_done() {
    for keep in [0, 1] {
        let mut fix = pending();
        fix.plan.steps.iter_mut().skip(keep).for_each(|step| step.undo = None);
        let mut scene = reviewed((200, 50), &fix, Role::Approver);
        scene.keys("G");
        let screen = scene.screen().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(screen.contains("within 10m00s;"), "{screen}");
        assert!(!screen.contains("else taken back") && !screen.contains("stopped and taken back"), "{screen}");
        assert!(screen.contains("nothing is taken back"), "{screen}");
    }
}

#[test]
fn a_stop_says_before_and_after_what_becomes_of_what_was_done() {
    let done = json!([{"state": "done", "attempt": 1}, {"state": "done", "attempt": 1}]);
    let mut verifying = fix("fx-12", "verifying", 8, json!({"steps": done}));
    verifying.plan.steps[1].undo = None;
    let mut failed = verifying.clone();
    (failed.status, failed.version) = (FixStatus::Failed, 9);
    failed.result = "failed: stopped by sre-1; not taken back, since not all of it could be".into();
    let mut undoing = verifying.clone();
    undoing.status = FixStatus::Undoing;
    for (after, said) in [
        (failed, "stopped fx-12: failed: stopped by sre-1; not taken back"),
        (undoing, "stopped fx-12: it is being taken back"),
        (running(), "fx-12 stops once the step under way is done or failed"),
    ] {
        let mut scene = reviewed((120, 36), &verifying, Role::Responder);
        scene.keys("S");
        assert!(scene.screen().contains("takes nothing back, 2 stay done"), "{}", scene.screen());
        scene.keys("<Enter>y");
        let (id, _) = scene.sent().unwrap();
        scene.event(Event::Reply(id, Box::new(Reply::Decided(Ok(Box::new(after))))));
        assert!(scene.screen().contains(said), "{}", scene.screen());
    }
}

#[test]
fn after_ones_own_yes_no_is_called_by_its_name() {
    let mine = json!({"approvals": [{"by": "sre-1", "at": at(-9), "planDigest": "7c1e5a90d3"}]});
    let approved = fix("fx-12", "pending", 4, mine);
    for (fix, name, other) in [(approved, "withdraw", "reject"), (pending(), "reject", "withdraw")] {
        let mut scene = reviewed((120, 36), &fix, Role::Approver);
        let footer = scene.screen().lines().last().unwrap().to_owned();
        assert!(footer.contains(&format!("X {name}")) && !footer.contains(other), "{footer}");
        scene.keys("i");
        let screen = scene.screen();
        assert!(screen.contains(&format!("X {name}: works")) && !screen.contains(&format!("X {other}")), "{screen}");
    }
}

#[test]
fn what_cannot_be_taken_back_is_not_offered_to_be_rolled_back() {
    let mut fix = executed();
    fix.plan.steps.iter_mut().for_each(|step| step.undo = None);
    let mut scene = reviewed((120, 36), &fix, Role::Approver);
    let footer = scene.screen().lines().last().unwrap().to_owned();
    assert!(!footer.contains("roll back"), "{footer}");
    scene.keys("B");
    assert!(scene.model.ui.dialog.is_none());
    let why = "rollback is off: nothing that it did can be taken back";
    assert!(scene.screen().contains(why), "{}", scene.screen());
    scene.keys("i");
    assert!(scene.screen().contains("rollback: off, nothing that it did can be taken back"), "{}", scene.screen());
}

#[test]
fn the_feed_is_a_gate_like_the_others() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    assert!(scene.screen().contains(" gates 6 [ok]   [!!] op2 is looking at this review"), "{}", scene.screen());
    // No sign of life for 8 s: late, and approving is off.
    scene.now.wall = scene.now.wall.plus_millis(8_000);
    scene.now.steady += 8_000;
    scene.event(Event::Tick);
    let screen = scene.screen();
    assert!(screen.contains("LATE") && screen.contains(" gates 5 [ok]   [no] the feed is not live"), "{screen}");
    let cause = Cause { what: "connection refused".into(), then: "is the server up?".into() };
    scene.event(Event::Link(LinkEvent::Lost { cause, retry_ms: 4_000 }));
    assert!(scene.screen().contains(" gates 5 [ok]   [no] the feed is not live"), "{}", scene.screen());
}

#[test]
fn whoever_approves_is_told_when_nobody_could_tell_whether_it_helps() {
    let mut scene = live((80, 24), vec![pending()], Remedy::default(), Role::Approver);
    let mut review = review(&pending());
    let quiet = "it will be \"not watched\": its alert is quiet, unless that fires again";
    review.gates.last_mut().unwrap().text = quiet.into();
    scene.keys("f");
    scene.answer(|query| match query {
        Query::Fix(id) => Some(Reply::Review(id.clone(), Ok(Box::new(review.clone())))),
        _ => None,
    });
    scene.keys("i");
    insta::assert_snapshot!("review_of_a_quiet_alert_80x24", scene.screen());
    scene.keys("Y");
    let gate = " gates 6 [ok]   [!!] it will be \"not watched\": its alert is quiet";
    assert!(scene.screen().contains(gate), "{}", scene.screen());
}

#[test]
fn what_has_to_be_typed_is_not_pasted_and_that_is_said() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    scene.keys("Y");
    scene.event(Event::Paste("fx-12".to_owned()));
    assert!(scene.screen().contains("nothing was pasted: this has to be typed"), "{}", scene.screen());
    scene.keys("<Enter>");
    assert!(scene.screen().contains("type fx-12, then Enter"), "nothing stands there:\n{}", scene.screen());
    scene.keys("fx-12<Enter>");
    scene.event(Event::Paste("seen".to_owned()));
    assert!(scene.screen().contains("> seen"), "a reason may be pasted:\n{}", scene.screen());
}

#[test]
fn no_question_loses_what_it_asks_for_at_eighty_columns() {
    let mut setup = scene::setup();
    setup.badge = "HTTPS://STELLA.PRODUCTION.EXAMPLE.ORG".into();
    let mut scene = Scene::with(setup, 80, 24);
    let mut first = scene::snapshot(morning(), scene.now.wall);
    let mut doubted = in_doubt();
    doubted.alert_id = None;
    first.fixes = vec![executed(), doubted];
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
    let mut hello = scene::hello(scene.now.wall);
    hello.role = Role::Admin;
    scene.feed(FeedEvent::Hello(hello));
    for (keys, asked, hint) in [
        ("R", ": why? (optional)", "Nothing was sent yet."),
        ("<Esc>/", "filter", "Enter keeps"),
        ("<Esc>5/", "search", "Enter searches"),
        ("<Esc>:review fx-12<Enter>B", "type fx-12, then Enter", "Nothing was sent yet."),
        ("<Esc>:review fx-9<Enter>R", "what did you find, what did you do? (required)", "Nothing was sent yet."),
        ("<Esc>:fixes off<Enter>", "switch ALL fixes of HTTPS://STELLA.… off: type off, then Enter", "sent yet."),
    ] {
        scene.keys(keys);
        let screen = scene.screen();
        assert!(screen.contains(asked), "{asked} is not in\n{screen}");
        let hinted = screen.lines().rev().find(|line| line.contains("Enter ")).unwrap_or_default();
        assert!(screen.contains(hint) && !hinted.ends_with('…'), "{hint} is not in\n{screen}");
    }
}

#[test]
fn that_nothing_can_be_sent_is_said_however_long_the_address_is() {
    let mut setup = scene::setup();
    setup.readonly = true;
    setup.watching = "https://stella.production.eu-central.example.org:8443".into();
    let mut scene = Scene::with(setup, 80, 24);
    let first = scene::snapshot(morning(), scene.now.wall);
    scene.event(Event::Link(LinkEvent::Snapshot(Box::new(first))));
    scene.feed(FeedEvent::Hello(scene::hello(scene.now.wall)));
    let second = scene.screen().lines().nth(1).unwrap().to_owned();
    assert!(second.contains("… ") && second.ends_with("  sre-1  READ-ONLY"), "{second}");
}

#[test]
fn a_proposal_takes_its_parameters_or_says_which_there_are() {
    let mut scene = live((120, 36), Vec::new(), Remedy::default(), Role::Responder);
    scene.keys(":");
    let definition = |id: &str| {
        serde_json::from_value(json!({
            "id": id, "title": id, "risk": "low", "policy": "approve", "effectivePolicy": "approve", "why": "",
            "owner": "team-web", "matches": "any", "record": {"runs": 0, "good": 0, "marked": 0, "falsePositive": 0},
            "parameters": {"ip": "ip"}
        }))
        .unwrap()
    };
    scene.answer(|query| match query {
        Query::Definitions => {
            let items = vec![definition("block-address"), definition("block-range")];
            Some(Reply::Definitions(Ok(DefinitionPage { items, next: None })))
        }
        _ => None,
    });
    scene.keys("propose<Enter>");
    let screen = scene.screen();
    assert!(screen.contains("> propose") && screen.contains("propose block-address | propose block-range"), "{screen}");
    assert!(screen.contains("NAME=VALUE"), "{screen}");
    scene.keys("block-address 203.0.113.9<Enter>");
    let screen = scene.screen();
    assert!(screen.contains("> propose block-address 203.0.113.9"), "it can be mended:\n{screen}");
    assert!(screen.contains("block-address takes ip=VALUE (ip), not 203.0.113.9"), "{screen}");
    scene.keys("<C-w>ip=203.0.113.9<Enter>");
    let screen = scene.screen();
    assert!(screen.contains("propose block-address ip=203.0.113.9 for a-0000001?"), "{screen}");
    scene.keys("y");
    let Some((_, Command::Propose(proposal))) = scene.sent() else { panic!("sent:\n{}", scene.screen()) };
    assert_eq!(proposal.parameters.get("ip").map(stella_protocol::Text::raw), Some("203.0.113.9"));
}

#[test]
fn a_window_ends_before_its_time_when_an_admin_says_so() {
    let window = json!({"maintenance": [{"id": "win-3", "target": "service:search", "from": at(-60), "until": at(7200),
        "by": "sre-1"}]});
    let mut scene = live((80, 24), vec![pending()], serde_json::from_value(window).unwrap(), Role::Admin);
    scene.keys(":maintenance end win-4<Enter>");
    assert!(scene.screen().contains("there is no such window"), "{}", scene.screen());
    scene.keys(":maintenance e<Tab><Enter>");
    assert!(scene.screen().contains("end win-3: let fixes start on service:search again?"), "{}", scene.screen());
    scene.keys("y");
    let Some((id, Command::EndMaintenance(ended))) = scene.sent() else { panic!("sent:\n{}", scene.screen()) };
    assert_eq!(ended, "win-3");
    scene.event(Event::Reply(id, Box::new(Reply::Surrounded(Ok(Box::default())))));
    assert!(scene.screen().contains("win-3 has ended"), "{}", scene.screen());
    scene.keys(":review 12<Enter>");
    assert_eq!(scene.model.ui.review.as_ref().map(|review| review.id().as_str()), Some("fx-12"));
}

#[test]
fn maintenance_and_suppressions_are_commands() {
    let suppressed = json!({"suppressions": [{"id": "sup-3", "definitionId": "rebuild_index", "target": "service:search",
        "at": at(-9000), "reason": "rolled back"}]});
    let mut scene = live((80, 24), Vec::new(), serde_json::from_value(suppressed).unwrap(), Role::Admin);
    scene.keys("2");
    assert!(scene.screen().contains("rebuild_index suppressed on service:search"), "{}", scene.screen());
    scene.keys(":fixes lift sup-3<Enter>y");
    let Some((id, Command::LiftSuppression(lifted))) = scene.sent() else { panic!("sent") };
    assert_eq!(lifted, "sup-3");
    scene.event(Event::Reply(id, Box::new(Reply::Surrounded(Ok(Box::default())))));
    scene.keys(":maintenance 2h service:search upgrade<Enter>y");
    let Some((id, Command::Maintain(request))) = scene.sent() else { panic!("sent") };
    assert_eq!((request.target.raw(), request.reason.raw()), ("service:search", "upgrade"));
    let window: Maintenance = serde_json::from_value(json!({"id": "win-1", "target": "service:search", "from": at(0),
        "until": at(7200), "by": "sre-1"}))
    .unwrap();
    scene.event(Event::Reply(id, Box::new(Reply::Maintained(Ok(Box::new(window))))));
    assert!(!scene.screen().contains("under way"), "{}", scene.screen());
}

#[test]
fn no_needs_a_reason_and_a_yes_and_takes_ones_own_approval_back() {
    let mut scene = reviewed((80, 24), &pending(), Role::Approver);
    scene.keys("X<Enter>");
    assert!(scene.model.ui.dialog.is_some(), "a reason is needed");
    assert!(scene.screen().contains("reject fx-12 on PROD: why? (required)"), "{}", scene.screen());
    scene.keys("wrong shard<Enter>");
    assert!(scene.screen().contains("reject fx-12 on PROD? reason: wrong shard"), "{}", scene.screen());
    scene.keys("y");
    assert_eq!(decided(&scene), Some((FixVerb::Reject, 3, None, Some("wrong shard".to_owned()))));
    let mine = json!({"approvals": [{"by": "SRE-1", "at": at(-9), "planDigest": "7c1e5a90d3"}]});
    let mut scene = reviewed((80, 24), &fix("fx-12", "pending", 4, mine), Role::Approver);
    scene.keys("X<Enter>");
    assert!(scene.screen().contains("withdraw fx-12 on PROD?\n"), "{}", scene.screen());
    scene.keys("y");
    assert_eq!(decided(&scene), Some((FixVerb::Withdraw, 4, None, None)));
}

#[test]
fn what_must_hold_before_it_runs_is_shown_and_known() {
    let mut fix = pending();
    let mut wanted = fix.plan.steps[0].probe.clone().unwrap();
    wanted.title = "no deploy is under way".into();
    fix.plan.preconditions = vec![wanted];
    let mut scene = reviewed((200, 50), &fix, Role::Approver);
    let screen = scene.screen();
    assert!(screen.contains("runs only if no deploy is under way"), "{screen}");
    assert!(screen.contains("holds when status 200 and /frozen is true, does not when status 404"), "{screen}");
    scene.keys("Y");
    assert!(scene.model.ui.dialog.is_some());
    fix.plan.preconditions[0].act = stella_protocol::fix::Act::Unknown;
    let mut scene = reviewed((200, 50), &fix, Role::Approver);
    scene.keys("Y");
    assert!(scene.screen().contains("this console cannot show all that would run"), "{}", scene.screen());
}
