//! Lives of fixes, from the draft to the end.

use std::sync::Arc;

use stella_protocol::fix::{StepState, SwitchRequest};
use stella_protocol::{Fix, FixStatus, FixVerb, Principal, Role, Status, Text};

use tokio_util::sync::CancellationToken;

use super::paused::{At, Gate};
use super::power::Power;
use super::scene::{Process, READY, Scene, definition};
use super::target::Mood;
use crate::remedy::FixState;
use crate::remedy::run::executor::Executor;

async fn begun(definition: String) -> (Scene, Process) {
    let scene = Scene::new(definition).await;
    let process = scene.start(Power::until(None));
    process.finds("f", "alpha");
    (scene, process)
}

fn steps(state: &FixState) -> Vec<StepState> {
    state.fix.steps.iter().map(|step| step.state).collect()
}

fn counts(scene: &Scene) -> Vec<(String, usize)> {
    scene.target.counts().into_iter().collect()
}

fn once(keys: &[&str]) -> Vec<(String, usize)> {
    keys.iter().map(|key| ((*key).to_owned(), 1)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_runs_from_its_alert_to_its_end_and_the_alert_names_it() {
    let (scene, process) = begun(definition("approve", "ud", true)).await;
    let approved = process.approve().await;
    assert_eq!(counts(&scene), [], "a dry run changes nothing");
    let done = process.watched_until(&scene, FixStatus::Executed).await;
    assert_eq!(steps(&done), [StepState::Done; 2]);
    assert_eq!(counts(&scene), once(&["fx-1.0.do"]));
    let (fields, writes) = scene.document().await;
    assert_eq!((fields.get("on"), writes), (Some(&true.into()), 2));
    let alert = process.hub.alert(approved.alert_id.as_ref().unwrap()).unwrap().unwrap();
    assert_eq!(alert.status, Status::Resolved);
    assert_eq!(alert.resolution_notes.unwrap().raw(), "fixed by fx-1: Switch alpha on");
    let said = process.hub.fix_output(&done.fix.id, None, 0, 100).unwrap();
    assert!(!said.is_empty(), "what its steps say is kept");

    process.decide("back", &done, FixVerb::Rollback).await.unwrap();
    let back = process.until(FixStatus::RolledBack).await;
    assert_eq!(steps(&back), [StepState::Undone; 2]);
    assert_eq!(counts(&scene), once(&["fx-1.0.do", "fx-1.0.undo"]));
    let (fields, writes) = scene.document().await;
    assert_eq!((fields.get("on"), fields["name"].as_str(), writes), (None, Some("Alpha"), 3));
    assert_eq!(process.hub.remedy().suppressions.len(), 1);
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_help_takes_itself_back() {
    let (scene, process) = begun(definition("auto", "uu", true).replace("\"medium\"", "\"low\"")).await;
    let going_on = || {
        if process.fix().is_some_and(|state| state.fix.status == FixStatus::Verifying) {
            scene.pass(1_000);
            process.finds("f", "alpha");
        }
    };
    let back = process.until_with(|fix| fix.status == FixStatus::RolledBack, going_on).await;
    assert!(back.fix.by_policy && back.fix.approvals.is_empty());
    assert!(back.fix.result.raw().contains("did not help in time"), "{:?}", back.fix.result);
    assert_eq!(counts(&scene), once(&["fx-1.0.do", "fx-1.0.undo", "fx-1.1.do", "fx-1.1.undo"]));
    let order: Vec<_> = scene.target.desk().effects.iter().map(|effect| effect.key.clone()).collect();
    assert_eq!(order, ["fx-1.0.do", "fx-1.1.do", "fx-1.1.undo", "fx-1.0.undo"], "last first");
    let alert = process.hub.alert(back.fix.alert_id.as_ref().unwrap()).unwrap().unwrap();
    assert!(alert.status.is_open());
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_doubt_stays_so_until_a_person_closes_it() {
    let (scene, process) = begun(definition("approve", "u", true)).await;
    process.until(FixStatus::Pending).await;
    scene.target.desk().mood = Mood::Mute;
    process.approve().await;
    let doubt = process.until(FixStatus::InDoubt).await;
    assert_eq!((steps(&doubt), counts(&scene)), (vec![StepState::Unknown], once(&["fx-1.0.do"])));
    // The target can be asked again, an hour passes, another executor comes: none of them decides.
    scene.target.desk().mood = Mood::Plain;
    scene.pass(3_600_000);
    process.end().await;
    let process = scene.start(Power::until(None));
    for verb in [FixVerb::Rollback, FixVerb::Stop, FixVerb::Approve, FixVerb::DryRun] {
        assert!(process.decide(verb.word(), &doubt, verb).await.is_err(), "{}", verb.word());
    }
    process.finds("other", "alpha");
    process.finds("other", "alpha");
    assert_eq!(process.fix().unwrap(), doubt);
    process.decide("close", &doubt, FixVerb::Close).await.unwrap();
    process.until(FixStatus::ClosedManually).await;
    assert_eq!(counts(&scene), once(&["fx-1.0.do"]));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_cannot_say_for_a_moment_is_asked_again_before_there_is_doubt() {
    let (scene, process) = begun(definition("approve", "u", true)).await;
    process.until(FixStatus::Pending).await;
    scene.target.desk().mood = Mood::Dazed(5);
    process.approve().await;
    let done = process.watched_until(&scene, FixStatus::Executed).await;
    assert_eq!((done.fix.steps[0].attempt, counts(&scene)), (1, once(&["fx-1.0.do"])));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_after_a_try_without_an_answer_does_not_say_that_nothing_was_done() {
    let (scene, process) = begun(definition("approve", "u", true)).await;
    process.until(FixStatus::Pending).await;
    scene.target.desk().mood = Mood::Late(0);
    process.approve().await;
    let done = process.watched_until(&scene, FixStatus::Executed).await;
    assert_eq!((done.fix.steps[0].attempt, counts(&scene)), (2, once(&["fx-1.0.do"])));
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_failure_is_tried_again_as_often_as_the_plan_says() {
    let (scene, process) = begun(definition("approve", "u", true)).await;
    process.until(FixStatus::Pending).await;
    scene.target.desk().mood = Mood::Refusing(2);
    process.approve().await;
    let done = process.watched_until(&scene, FixStatus::Executed).await;
    assert_eq!((done.fix.steps[0].attempt, counts(&scene)), (3, once(&["fx-1.0.do"])));
    process.end().await;

    let (scene, process) = begun(definition("approve", "uu", true)).await;
    process.until(FixStatus::Pending).await;
    scene.target.desk().mood = Mood::Refusing(3);
    process.approve().await;
    let failed = process.until(FixStatus::Failed).await;
    assert_eq!(steps(&failed), [StepState::Failed, StepState::Waiting]);
    assert_eq!(counts(&scene), [], "nothing was done");
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_hold_before_it_runs_is_asked_again_when_it_begins() {
    let text = definition("approve", "u", true) + READY;
    let scene = Scene::new(text).await;
    scene.target.desk().on.insert("/alpha/ready".to_owned());
    let process = scene.start(Power::until(None));
    process.finds("f", "alpha");
    process.until(FixStatus::Pending).await;
    scene.target.desk().on.clear();
    scene.target.desk().asked = 0;
    process.approve().await;
    let asked_thrice = |fix: &Fix| fix.status == FixStatus::Approved && scene.target.desk().asked >= 3;
    process.until_with(asked_thrice, || ()).await;
    assert_eq!(counts(&scene), []);
    scene.target.desk().on.insert("/alpha/ready".to_owned());
    process.watched_until(&scene, FixStatus::Executed).await;
    assert_eq!(counts(&scene), once(&["fx-1.0.do"]));
    process.end().await;
}

/// What becomes of three steps when this happens while one of them waits at a gate.
async fn interrupted(at: At, number: usize, by: impl AsyncFn(&Process, Arc<FixState>)) -> (Scene, Arc<FixState>) {
    let scene = Scene::new(definition("approve", "udu", true)).await;
    let process = scene.open(Power::until(None));
    let gate = Gate::new(scene.performer(), at, number);
    let parts = scene.parts(&process.hub, "one", Arc::clone(&gate) as _);
    let ending = CancellationToken::new();
    let executor = tokio::spawn(Executor::new(parts).run(ending.clone()));
    process.finds("f", "alpha");
    process.approve().await;
    gate.reached().await;
    by(&process, process.until(FixStatus::Running).await).await;
    gate.open();
    let back = process.until_with(|fix| !fix.status.is_open(), || ()).await;
    ending.cancel();
    executor.await.unwrap();
    process.end().await;
    (scene, back)
}

async fn stop(process: &Process, state: Arc<FixState>) {
    process.decide("stop", &state, FixVerb::Stop).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_the_step_under_way_end_and_takes_back_what_was_done() {
    let (scene, back) = interrupted(At::Before, 0, stop).await;
    assert_eq!(back.fix.status, FixStatus::RolledBack);
    assert_eq!(steps(&back), [StepState::Undone, StepState::Waiting, StepState::Waiting]);
    assert_eq!(counts(&scene), once(&["fx-1.0.do", "fx-1.0.undo"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_two_steps_does_not_make_the_intent_of_one_that_of_another() {
    // The second step has its images and is about to say so; the stop turns everything round.
    let (scene, back) = interrupted(At::Prepare, 1, stop).await;
    assert_eq!(back.fix.status, FixStatus::RolledBack);
    assert_eq!(steps(&back), [StepState::Undone, StepState::Waiting, StepState::Waiting]);
    assert_eq!(counts(&scene), once(&["fx-1.0.do", "fx-1.0.undo"]));
    assert_eq!(scene.document().await.1, 1, "it was never written");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_brakes_what_runs() {
    let (scene, back) = interrupted(At::After, 0, async |process, _| {
        let ana = Principal { name: Text::from("ana"), role: Role::Admin };
        let off = SwitchRequest { on: false, reason: Text::from("freeze") };
        process.hub.switch_fixes(&ana, "off", off).await.unwrap();
    })
    .await;
    assert_eq!(back.fix.status, FixStatus::RolledBack);
    assert_eq!(counts(&scene), once(&["fx-1.0.do", "fx-1.0.undo"]));
}
