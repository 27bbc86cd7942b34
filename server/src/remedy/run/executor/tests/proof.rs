//! What counts as proof that a fix helped, and what is said where nothing does.

use std::cell::Cell;
use std::sync::Arc;

use stella_detect::{Finding, Phase};
use stella_protocol::command::{ActionRequest, Target, WrongPart};
use stella_protocol::fix::{GateState, MaintenanceRequest, Record};
use stella_protocol::health::EngineClock;
use stella_protocol::{AlertType, FixStatus, LineId, Principal, Role, Status, Text, Verb};

use super::power::Power;
use super::scene::{Process, Scene, definition};
use super::target::Mood;
use crate::alerts::sample::finding;
use crate::remedy::FixState;
use crate::remedy::policy::watch_gate;

fn record(process: &Process) -> (u64, u64) {
    let Record { runs, good, .. } = process.hub.fix_record("switch-on").unwrap();
    (u64::from(runs), u64::from(good))
}

/// How long it was watched, in milliseconds.
fn watched(state: &FixState) -> i64 {
    state.fix.ended_at.unwrap().since(state.fix.verifying_since.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_from_before_the_effect_proves_nothing() {
    let scene = Scene::new(definition("approve", "h", true)).await;
    let process = scene.start(Power::until(None));
    for _ in 0..5 {
        process.finds("f", "alpha");
        scene.pass(1_000);
    }
    // Many usual gaps without a match, and then somebody approves.
    scene.pass(20_000);
    process.approve().await;
    let done = process.watched_until(&scene, FixStatus::Executed).await;
    // Its window, which is longer than its `within`, and then its `hold`.
    assert!(watched(&done) >= 62_000, "{}", watched(&done));
    assert_eq!(record(&process), (1, 1));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_matches_are_frequent_some_usual_gaps_after_the_effect_are_enough() {
    let scene = Scene::new(definition("approve", "h", true)).await;
    let process = scene.start(Power::until(None));
    for _ in 0..5 {
        scene.pass(1_000);
        process.finds("f", "alpha");
    }
    process.approve().await;
    let done = process.watched_until(&scene, FixStatus::Executed).await;
    assert!((8_000..12_000).contains(&watched(&done)), "{}", watched(&done));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_quiet_when_it_would_begin_is_superseded_where_no_person_asked_for_it() {
    let scene = Scene::new(definition("auto", "h", true).replace("\"medium\"", "\"low\"")).await;
    let process = scene.start(Power::until(None));
    let admin = Principal { name: Text::from("ana"), role: Role::Admin };
    let until = scene.clock.now().plus_millis(600_000);
    let window = MaintenanceRequest { target: Text::default(), from: None, until, reason: Text::from("work") };
    let window = process.hub.put_maintenance(&admin, "put", window).await.unwrap().body;
    process.finds("f", "alpha");
    process.until(FixStatus::Approved).await;
    scene.pass(130_000);
    process.hub.tick(scene.clock.now());
    process.hub.end_maintenance(&admin, "end", window.id.raw()).await.unwrap();
    let over = process.until(FixStatus::Superseded).await;
    assert!(over.fix.result.raw().contains("quiet already"), "{:?}", over.fix.result);
    assert_eq!(scene.target.counts(), [].into());
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_approve_is_done_for_a_quiet_alert_and_said_to_be_unwatched() {
    let scene = Scene::new(definition("approve", "h", true)).await;
    let process = scene.start(Power::until(None));
    process.finds("f", "alpha");
    let pending = process.until(FixStatus::Pending).await;
    let alert = || process.hub.alert(pending.fix.alert_id.as_ref().unwrap()).unwrap();
    assert_eq!(watch_gate(&pending.fix, alert().as_ref()), None);
    scene.pass(130_000);
    let mut changed = process.hub.changed();
    process.hub.tick(scene.clock.now());
    changed.changed().await.unwrap();
    let gate = watch_gate(&pending.fix, alert().as_ref()).unwrap();
    assert!(gate.state == GateState::Warning && gate.text.raw().contains("not watched"), "{gate:?}");
    process.approve().await;
    let done = process.until(FixStatus::Executed).await;
    assert_eq!(done.fix.result.raw(), "not watched: its alert was quiet before it began");
    assert!(alert().unwrap().status.is_open(), "it resolves nothing");
    assert_eq!((scene.target.counts().len(), record(&process)), (1, (0, 0)));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_was_tried_again_is_watched_from_the_first_try_that_may_have_helped() {
    let unwatched = Some(Text::from("its alert was quiet before it began"));
    for (mood, why) in [(Mood::Losing(1), None), (Mood::Refusing(1), unwatched)] {
        let scene = Scene::new(definition("approve", "h", true)).await;
        {
            let mut desk = scene.target.desk();
            (desk.mood, desk.passes) = (mood, Some((scene.clock.clone(), 130_000)));
        }
        let process = scene.start(Power::until(None));
        process.finds("f", "alpha");
        process.approve().await;
        let done = process.watched_until(&scene, FixStatus::Executed).await;
        assert_eq!((done.fix.steps[0].attempt, &done.work.unwatched), (2, &why), "{mood:?}");
        assert_eq!(scene.target.counts().len(), 1);
        process.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_of_a_recording_of_yesterday_is_not_quiet_for_a_day() {
    let scene = Scene::new(definition("approve", "h", true)).await;
    let process = scene.start(Power::until(None));
    let engine = Cell::new(scene.clock.now());
    let read = |found: Vec<Finding>| {
        let clock = EngineClock { last: Some(engine.get()), recording: true, lines: 1 };
        process.hub.apply(found, LineId(1), engine.get(), clock).unwrap();
    };
    scene.pass(24 * 3_600_000);
    let mut found = finding("f", engine.get().millis());
    found.operation = Some(Text::from("alpha"));
    read(vec![found]);
    process.approve().await;
    let both_pass = || {
        if process.fix().is_some_and(|state| state.fix.status == FixStatus::Verifying) {
            scene.pass(400);
            engine.set(engine.get().plus_millis(400));
            read(Vec::new());
        }
    };
    let done = process.until_with(|fix| fix.status == FixStatus::Executed, both_pass).await;
    assert!(done.fix.result.raw().starts_with("verified"), "{:?}", done.fix.result);
    assert_eq!(record(&process), (1, 1));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_alert_it_is_executed_and_said_to_be_unwatched() {
    let scene = Scene::new(definition("approve", "h", true)).await;
    let process = scene.start(Power::until(None));
    process.propose("by-hand", "alpha").await.unwrap();
    process.approve().await;
    let done = process.until(FixStatus::Executed).await;
    assert!(done.fix.result.raw().starts_with("not watched: there is no alert"), "{:?}", done.fix.result);
    assert_eq!((scene.target.counts().len(), record(&process)), (1, (0, 0)));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_a_person_closes_meanwhile_proves_nothing() {
    for verb in [Verb::Resolve, Verb::FalsePositive] {
        let scene = Scene::new(definition("approve", "h", true)).await;
        let process = scene.start(Power::until(None));
        process.finds("f", "alpha");
        process.approve().await;
        let watching = process.until(FixStatus::Verifying).await;
        close(&process, &watching, verb).await;
        let done = process.until(FixStatus::Executed).await;
        assert_eq!(done.fix.result.raw(), "not watched: ana closed its alert meanwhile");
        let alert = process.hub.alert(done.fix.alert_id.as_ref().unwrap()).unwrap().unwrap();
        assert_eq!(alert.resolved_by, Some(Text::from("ana")));
        assert_eq!(record(&process), (0, 0));
        process.end().await;
    }
}

async fn close(process: &Process, state: &Arc<FixState>, verb: Verb) {
    let id = state.fix.alert_id.clone().unwrap();
    let alert = process.hub.alert(&id).unwrap().unwrap();
    let ask = ActionRequest {
        verb,
        targets: vec![Target { id, version: alert.version }],
        text: Some(Text::from("seen")),
        part: (verb == Verb::FalsePositive).then_some(WrongPart::Threshold),
    };
    let ana = Principal { name: Text::from("ana"), role: Role::Responder };
    process.hub.act(&ana, "close", ask).await.unwrap();
}

/// Says of a component that it is well or not.
fn says(process: &Process, phase: Phase) {
    let now = process.parts.clock.now();
    let mut found = finding("pool", now.millis());
    (found.kind, found.phase, found.operation) = (AlertType::Health, phase, Some(Text::from("alpha")));
    found.matches = 10 * u64::from(phase == Phase::Firing);
    let engine = EngineClock { last: Some(now), recording: false, lines: 1 };
    process.hub.apply(vec![found], LineId(1), now, engine).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_itself_that_it_is_well_has_to_say_so() {
    // However long ago it said that it is not: only one that falls silent is ever quiet.
    for (recovers, wait) in [(true, 1_000), (false, 1_000), (true, 200_000)] {
        let text = definition("approve", "u", true).replace("performance_degradation", "health");
        let scene = Scene::new(text).await;
        let process = scene.start(Power::until(None));
        says(&process, Phase::Firing);
        scene.pass(wait);
        process.approve().await;
        process.until(FixStatus::Verifying).await;
        if recovers {
            says(&process, Phase::Recovered);
        }
        let end = if recovers { FixStatus::Executed } else { FixStatus::RolledBack };
        let done = process.watched_until(&scene, end).await;
        let alert = process.hub.alert(done.fix.alert_id.as_ref().unwrap()).unwrap().unwrap();
        assert_eq!((alert.status == Status::Resolved, record(&process)), (recovers, (1, u64::from(recovers))));
        process.end().await;
    }
}
