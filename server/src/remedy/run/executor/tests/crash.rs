//! a scenario is cut at every one of its points, and goes on in another process.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use stella_protocol::fix::StepState;
use stella_protocol::{FixStatus, FixVerb};

use super::power::Power;
use super::scene::{Process, Scene, definition};
use crate::remedy::machine::LEASE_MS;
use crate::store::Store;

/// More points than this is going round in circles.
const MOST_POINTS: u64 = 1_000;
/// Nothing is stuck longer.
const TOO_LONG: Duration = Duration::from_secs(60);
/// So many scenes at a time.
const AT_ONCE: u64 = 6;

/// What is left at the end.
#[derive(Debug, PartialEq)]
struct End {
    status: FixStatus,
    steps: Vec<StepState>,
    stays: usize,
    effects: BTreeMap<String, usize>,
    document: (BTreeMap<String, Value>, usize),
    alert: String,
}

/// A person at a console: says things under keys, and says again what had no answer.
#[derive(Default)]
struct Person {
    waiting: Option<(&'static str, std::sync::Arc<crate::remedy::FixState>, FixVerb)>,
}

impl Person {
    /// Plays until the scenario is over.
    async fn play(&mut self, scene: &Scene, process: &Process) {
        if let Some((key, state, verb)) = self.waiting.clone() {
            self.say(process, key, state, verb).await;
        }
        let mut changed = process.hub.changed();
        loop {
            let state = process.fix();
            match state.as_ref().map(|state| state.fix.status) {
                Some(FixStatus::Pending) => self.say(process, "approve", state.unwrap(), FixVerb::Approve).await,
                Some(FixStatus::Executed) => self.say(process, "back", state.unwrap(), FixVerb::Rollback).await,
                Some(FixStatus::Verifying) => scene.pass(100),
                Some(status) if !status.is_open() || status.waits_for_people() => return,
                _ => {}
            }
            let _moment = tokio::time::timeout(Duration::from_millis(5), changed.changed()).await;
        }
    }

    async fn say(
        &mut self,
        process: &Process,
        key: &'static str,
        state: std::sync::Arc<crate::remedy::FixState>,
        verb: FixVerb,
    ) {
        self.waiting = Some((key, std::sync::Arc::clone(&state), verb));
        let answer = process.decide(key, &state, verb).await;
        if process.power.cut.is_cancelled() {
            return std::future::pending().await;
        }
        assert!(answer.is_ok(), "{answer:?}");
        self.waiting = None;
    }
}

/// The scenario, cut at a point; None for the end: the point was not reached. How many points there were.
async fn scenario(cut_at: Option<u64>) -> (u64, bool, End) {
    let scene = Scene::new(definition("approve", "hud", true)).await;
    let mut person = Person::default();
    let power = Power::until(cut_at);
    let process = scene.start(power.clone());
    process.finds("f", "alpha");
    tokio::select! {
        () = power.cut.cancelled() => {}
        () = person.play(&scene, &process) => {}
    }
    let (points, was_cut) = (power.points(), power.cut.is_cancelled());
    let process = if was_cut {
        process.end().await;
        scene.pass(LEASE_MS + 1);
        let process = scene.start(Power::until(None));
        let played = tokio::time::timeout(TOO_LONG, person.play(&scene, &process)).await;
        assert!(played.is_ok(), "cut at {cut_at:?} it is stuck: {:#?}", process.fix());
        process
    } else {
        process
    };
    let state = process.fix().unwrap();
    let alert = process.hub.alert(state.fix.alert_id.as_ref().unwrap()).unwrap().unwrap();
    let rows = process.store.audit(0, 10_000).unwrap().len() as u64;
    assert_eq!(process.store.verify_audit().unwrap(), Ok(rows), "cut at {cut_at:?}");
    assert_eq!(process.store.fix(&state.fix.id).unwrap().unwrap(), *state, "cut at {cut_at:?}");
    let end = End {
        status: state.fix.status,
        steps: state.fix.steps.iter().map(|step| step.state).collect(),
        stays: state.fix.stays.len(),
        effects: scene.target.counts(),
        document: scene.document().await,
        alert: alert.resolution_notes.map(|notes| notes.raw().to_owned()).unwrap_or_default(),
    };
    process.end().await;
    (points, was_cut, end)
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_at_any_point_it_ends_as_if_nothing_had_happened() {
    let (points, _, whole) = scenario(None).await;
    let keys = ["fx-1.0.do", "fx-1.1.do", "fx-1.1.undo"].map(|key| (key.to_owned(), 1));
    assert_eq!(whole.effects, keys.into());
    assert_eq!(whole.steps, [StepState::Done, StepState::Undone, StepState::Undone]);
    assert_eq!((whole.status, whole.stays, whole.document.1), (FixStatus::Failed, 1, 3));
    assert_eq!(whole.alert, "fixed by fx-1: Switch alpha on");
    let mut swept = 0;
    for first in (1..MOST_POINTS).step_by(AT_ONCE as usize) {
        let lives = (first..first + AT_ONCE).map(|point| tokio::spawn(scenario(Some(point))));
        let ends = futures_util::future::join_all(lives).await;
        for (point, end) in (first..).zip(ends) {
            let (_, was_cut, end) = end.unwrap();
            assert_eq!(end, whole, "cut at point {point}");
            swept += u64::from(was_cut);
        }
        if swept + 1 < first + AT_ONCE {
            break;
        }
    }
    assert!(swept > 0 && swept < MOST_POINTS - AT_ONCE);
    println!("{swept} points swept; a run without a cut has {points}");
}
