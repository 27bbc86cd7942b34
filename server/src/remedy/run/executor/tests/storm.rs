//! what an attacker's lines can make an executor do.

use std::time::{Duration, Instant};

use stella_protocol::health::EngineClock;
use stella_protocol::{FixStatus, LineId, Text};

use super::super::propose::{LOOK_AGAIN, Tried};
use super::power::Power;
use super::scene::{Process, START, Scene, definition};
use crate::alerts::sample::finding;
use crate::remedy::policy::MOST_OPEN;

const ALERTS: usize = 1_000;
const ROUNDS: usize = 100;

/// A match of each of a thousand alerts, on so many targets.
fn finds(process: &Process, targets: usize, round: usize) {
    let at = START + i64::try_from(round).unwrap() * 1_000;
    let found = (0..ALERTS).map(|number| {
        let mut found = finding(&format!("f{number}"), at);
        found.operation = Some(Text::new(format!("op{}", number % targets)));
        found
    });
    let now = stella_protocol::Timestamp::from_millis(at);
    let engine = EngineClock { last: Some(now), recording: false, lines: 1 };
    process.hub.apply(found.collect(), LineId(round as u64 + 1), now, engine).unwrap();
}

/// Looks until there is nothing left to look at; how many alerts were looked at.
async fn look(process: &Process, tried: &mut Tried) -> usize {
    let mut looked = 0;
    loop {
        match tried.look(&process.parts).await {
            0 => return looked,
            more => looked += more,
        }
    }
}

/// No alert is looked at more often than this.
fn most(since: Instant) -> usize {
    let again = since.elapsed().as_secs() / LOOK_AGAIN.max(Duration::from_secs(1)).as_secs();
    ALERTS * (1 + usize::try_from(again).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of the run")]
async fn a_hundred_thousand_matches_of_one_rule_and_target_are_one_proposal() {
    let (scene, since) = (Scene::new(definition("approve", "u", true)).await, Instant::now());
    let process = scene.open(Power::until(None));
    let (mut tried, mut looked) = (Tried::default(), 0);
    for round in 0..=ROUNDS {
        finds(&process, 1, round);
        scene.pass(1_000);
        looked += look(&process, &mut tried).await;
        assert_eq!(process.hub.fixes().len(), 1);
    }
    assert_eq!(process.hub.open_alerts().len(), ALERTS);
    assert!((ALERTS..=most(since)).contains(&looked), "{looked}");
    println!("{} matches: {looked} looks at alerts, 1 proposal", ALERTS * ROUNDS);

    // Its end does not open the gate: the quarter of an hour does.
    let fix = process.fix().unwrap();
    let over = crate::remedy::Event::Rehearsed(Err(Text::from("it would not work")));
    process.hub.advance_fix(&fix.fix.id, over, crate::remedy::Intent::default()).await.unwrap();
    for (wait, expected) in [(13 * 60_000 - 1_000 * ROUNDS as i64, 1), (3 * 60_000, 2)] {
        scene.pass(wait);
        // Another executor, that looked at nothing yet.
        look(&process, &mut Tried::default()).await;
        assert_eq!(process.hub.fixes().len(), expected, "after {wait} ms more");
    }
    process.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of the run")]
async fn a_thousand_targets_are_at_most_fifty_open_fixes() {
    let (scene, since) = (Scene::new(definition("approve", "u", true)).await, Instant::now());
    let process = scene.open(Power::until(None));
    let (mut tried, mut looked) = (Tried::default(), 0);
    for round in 0..3 {
        finds(&process, ALERTS, round);
        looked += look(&process, &mut tried).await;
    }
    let open = process.hub.fixes().iter().filter(|state| state.fix.status == FixStatus::Proposed).count();
    assert_eq!((open, process.hub.fixes().len()), (MOST_OPEN, MOST_OPEN));
    assert!((ALERTS..=most(since)).contains(&looked), "{looked}");
    println!("{ALERTS} targets: {looked} looks at alerts, {open} open fixes");
    process.end().await;
}
