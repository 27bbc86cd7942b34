//! a scenario is cut at every one of its points, and goes on in another process. Besides: every answer of
//! the store is lost once, and it goes on in the same one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stella_protocol::fix::StepState;
use stella_protocol::{Code, FixStatus, FixVerb};

use super::power::Power;
use super::scene::{Process, Scene, definition};
use crate::remedy::FixState;
use crate::remedy::machine::LEASE_MS;
use crate::store::Store;

/// More points than this is going round in circles.
const MOST_POINTS: u64 = 1_000;
/// Nothing is stuck longer.
const TOO_LONG: Duration = Duration::from_mins(1);
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
    /// Whether it is open, and its notes.
    alert: (bool, Vec<String>),
}

/// A person at a console: says things under keys, and says again what had no answer.
#[derive(Default)]
struct Person {
    waiting: Option<(&'static str, Arc<FixState>, FixVerb)>,
}

impl Person {
    /// Plays until the scenario is over.
    async fn play(&mut self, scene: &Scene, process: &Process) {
        let mut changed = process.hub.changed();
        loop {
            if let Some((key, state, verb)) = self.waiting.clone() {
                self.say(process, key, state, verb).await;
            }
            let state = process.fix();
            match state.as_ref().map(|state| state.fix.status) {
                Some(FixStatus::Pending) => self.say(process, "approve", state.unwrap(), FixVerb::Approve).await,
                Some(FixStatus::Executed) => self.say(process, "back", state.unwrap(), FixVerb::Rollback).await,
                Some(FixStatus::Verifying) => scene.pass(400),
                Some(status) if !status.is_open() || status.waits_for_people() => return,
                _ => {}
            }
            let _moment = tokio::time::timeout(Duration::from_millis(5), changed.changed()).await;
        }
    }

    async fn say(&mut self, process: &Process, key: &'static str, state: Arc<FixState>, verb: FixVerb) {
        self.waiting = Some((key, Arc::clone(&state), verb));
        let answer = process.decide(key, &state, verb).await;
        if process.power.cut.is_cancelled() {
            return std::future::pending().await;
        }
        match answer {
            Ok(_) => self.waiting = None,
            Err(problem) => assert_eq!(problem.code, Code::StoreUnavailable, "{problem:?}"),
        }
    }
}

/// What is left in a scene when all is over.
async fn end(scene: &Scene, process: Process) -> End {
    let state = process.fix().unwrap();
    let alert = process.hub.alert(state.fix.alert_id.as_ref().unwrap()).unwrap().unwrap();
    let rows = process.store.audit(0, 10_000).unwrap().len() as u64;
    assert_eq!(process.store.verify_audit().unwrap(), Ok(rows));
    assert_eq!(process.store.fix(&state.fix.id).unwrap().unwrap(), *state);
    let end = End {
        status: state.fix.status,
        steps: state.fix.steps.iter().map(|step| step.state).collect(),
        stays: state.fix.stays.len(),
        effects: scene.target.counts(),
        document: scene.document().await,
        alert: (alert.status.is_open(), alert.notes.iter().map(|note| note.text.raw().to_owned()).collect()),
    };
    process.end().await;
    end
}

/// The scenario, with what goes wrong in its first process. True: that was cut.
async fn scenario(steps: &str, power: Arc<Power>) -> (bool, End) {
    let scene = Scene::new(definition("approve", steps, true)).await;
    let mut person = Person::default();
    let mut process = scene.start(Arc::clone(&power));
    process.finds("f", "alpha");
    tokio::select! {
        () = power.cut.cancelled() => {}
        () = in_time(&mut person, &scene, &process) => {}
    }
    let was_cut = power.cut.is_cancelled();
    if was_cut {
        process.end().await;
        scene.pass(LEASE_MS + 1);
        process = scene.start(Power::until(None));
        in_time(&mut person, &scene, &process).await;
    }
    (was_cut, end(&scene, process).await)
}

async fn in_time(person: &mut Person, scene: &Scene, process: &Process) {
    let played = tokio::time::timeout(TOO_LONG, person.play(scene, process)).await;
    assert!(played.is_ok(), "it is stuck: {:#?}", process.fix());
}

/// The scenario once for each of its points; how many there were.
async fn swept(steps: &'static str, whole: &End, power: fn(u64) -> Arc<Power>) -> u64 {
    let mut last = 0;
    while last < MOST_POINTS {
        let lives = (1..=AT_ONCE).map(|more| {
            let power = power(last + more);
            tokio::spawn(async move { (scenario(steps, Arc::clone(&power)).await.1, power.points()) })
        });
        let ends = futures_util::future::join_all(lives).await;
        for end in ends {
            let (end, points) = end.unwrap();
            assert_eq!(end, *whole, "at point {}", last + 1);
            if points <= last {
                return last;
            }
            last += 1;
        }
    }
    panic!("it goes round in circles");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of the run")]
async fn cut_at_any_point_it_ends_as_if_nothing_had_happened() {
    let (_, whole) = scenario("hud", Power::until(None)).await;
    let keys = ["fx-1.0.do", "fx-1.1.do", "fx-1.1.undo"].map(|key| (key.to_owned(), 1));
    assert_eq!(whole.effects, keys.into());
    assert_eq!(whole.steps, [StepState::Done, StepState::Undone, StepState::Undone]);
    assert_eq!((whole.status, whole.stays, whole.document.1), (FixStatus::Failed, 1, 3));
    let again = "open again: fx-1, which had fixed it, is rolled back".to_owned();
    assert_eq!(whole.alert, (true, vec![again]));
    let points = swept("hud", &whole, |point| Power::until(Some(point))).await;
    assert!(points > 40, "{points}");
    println!("cut at each of {points} points");
}

/// Nobody can tell whether the first step happened but the one who did it: it must not forget.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of the run")]
async fn an_answer_of_the_store_that_is_lost_leaves_nothing_in_doubt() {
    let (_, whole) = scenario("bud", Power::until(None)).await;
    assert_eq!(whole.steps, [StepState::Done, StepState::Undone, StepState::Undone]);
    assert_eq!(whole.status, FixStatus::Failed);
    let points = swept("bud", &whole, Power::blinking).await;
    assert!(points > 20, "{points}");
    println!("{points} answers of the store lost, one at a time");
}
