//! Marks and deploys, from a person's word to the engine and back after a restart.

use stella_protocol::deploy::DeployRequest;
use stella_protocol::{ActionRequest, Alert, DeploySource, Principal, Role, Target, Verb};

use super::restart::{STATES, everything, part, record, same};
use super::*;
use crate::pipeline::checkpoint::Found;

fn ana() -> Principal {
    Principal { name: Text::new("ana"), role: Role::Admin }
}

/// Waits until the engine thread has done what is due each second: it looks between two requests.
async fn second(house: &House, clock: &Clock) {
    clock.advance_to(clock.now().plus_millis(1000));
    for _ in 0..2 {
        record(house, &[]).await;
    }
}

fn slow(house: &House) -> Alert {
    let alerts = house.hub.snapshot().1;
    alerts.into_iter().find(|alert| alert.operation == Some(Text::new("search"))).unwrap()
}

async fn call_false(house: &House, key: &str) -> stella_protocol::ActionId {
    let alert = slow(house);
    let targets = vec![Target { id: alert.id, version: alert.version }];
    let ask = ActionRequest { verb: Verb::FalsePositive, targets, text: None, part: None };
    house.hub.act(&ana(), key, ask).await.unwrap().body.action_id
}

/// What the engine knows of marks, as it was kept.
fn lessons(house: &House, dir: &Path) -> Vec<(u32, u64)> {
    let epoch = house.hub.head().cursor.epoch;
    let pace = match StateFile::in_folder(dir).load(&rules(), epoch, house.hub.applied_line()) {
        Found::Good(_, pace) => Some(pace),
        _ => None,
    };
    let pace = pace.unwrap();
    pace.engine.lessons().map(|lesson| (lesson.times, lesson.lines)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_learned_at_the_same_line_whether_the_server_was_killed_or_not() {
    let start = at(7_200_000);
    let mut ends = Vec::new();
    for killed in [false, true] {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::scripted(start));
        let house = House::open(dir.path(), &clock);
        record(&house, &part(0)).await;
        house.close();
        let old = std::fs::read(dir.path().join(STATES[0])).unwrap();
        let mut house = House::open(dir.path(), &clock);
        record(&house, &part(1)).await;
        record(&house, &[]).await;
        call_false(&house, "k1").await;
        second(&house, &clock).await;
        let marks = house.hub.marks();
        let needed = lessons(&house, dir.path());
        assert_eq!((marks.len(), marks[0].times, needed.len()), (1, 1, 1));
        // Half as much again as the engine counted.
        assert_eq!(marks[0].needed, needed[0].1 * 3 / 2);
        if killed {
            house.close();
            for name in STATES {
                std::fs::write(dir.path().join(name), &old).unwrap();
            }
            house = House::open(dir.path(), &clock);
        }
        second(&house, &clock).await;
        if killed {
            assert_eq!((house.hub.marks(), lessons(&house, dir.path())), (marks, needed));
        }
        record(&house, &part(2)).await;
        record(&house, &[]).await;
        ends.push(everything(&house));
        house.close();
    }
    assert_eq!(ends[0].len(), 2);
    same(&ends[0], &ends[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_is_taken_back_is_forgotten_by_the_engine_too() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::scripted(at(7_200_000)));
    let house = House::open(dir.path(), &clock);
    for nth in 0..2 {
        record(&house, &part(nth)).await;
    }
    record(&house, &[]).await;
    let action = call_false(&house, "k1").await;
    second(&house, &clock).await;
    assert_eq!(lessons(&house, dir.path()).len(), 1);
    house.hub.undo(&ana(), "k2", action).await.unwrap();
    second(&house, &clock).await;
    assert_eq!((house.hub.marks(), lessons(&house, dir.path())), (vec![], vec![]));

    call_false(&house, "k3").await;
    second(&house, &clock).await;
    let fingerprint = slow(&house).fingerprint;
    let was = house.hub.unmark(&ana(), "k4", fingerprint.raw()).await.unwrap();
    assert_eq!((was.body.fingerprint, was.body.times, was.replayed), (fingerprint.clone(), 1, false));
    assert!(house.hub.unmark(&ana(), "k4", fingerprint.raw()).await.unwrap().replayed);
    assert_eq!(
        house.hub.unmark(&ana(), "k5", fingerprint.raw()).await.unwrap_err().code,
        stella_protocol::Code::NotFound
    );
    second(&house, &clock).await;
    assert_eq!((house.hub.marks(), lessons(&house, dir.path())), (vec![], vec![]));

    // An engine that begins afresh learns from the list.
    let alert = slow(&house);
    let targets = vec![Target { id: alert.id, version: alert.version }];
    let ask = ActionRequest { verb: Verb::Reopen, targets, text: None, part: None };
    house.hub.act(&ana(), "k6", ask).await.unwrap();
    call_false(&house, "k7").await;
    second(&house, &clock).await;
    let known = lessons(&house, dir.path());
    house.close();
    for name in STATES {
        let _none = std::fs::remove_file(dir.path().join(name));
    }
    let house = House::open(dir.path(), &clock);
    second(&house, &clock).await;
    house.close();
    let house = House::open(dir.path(), &clock);
    assert_eq!((lessons(&house, dir.path()), known.len()), (known, 1));
    house.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_called_false_in_a_recording_is_known_to_the_engine_that_begins_afresh_behind_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::scripted(at(7_200_000)));
    let house = House::open(dir.path(), &clock);
    for nth in 0..2 {
        record(&house, &part(nth)).await;
    }
    record(&house, &[]).await;
    call_false(&house, "k1").await;
    second(&house, &clock).await;
    let known = lessons(&house, dir.path());
    assert_eq!(known.len(), 1);
    // More than an hour behind the last line of the recording.
    let line = format!(r#"{{"timestamp":"{}","message":"up","service":"web"}}"#, clock.now());
    house.send(&line, EngineTimeMode::Live).await.unwrap();
    house.close();
    let house = House::open(dir.path(), &clock);
    assert_eq!(lessons(&house, dir.path()), known);
    house.close();
}

fn told(revision: &str) -> DeployRequest {
    DeployRequest { service: Text::new("api"), revision: Text::new(revision.to_owned()), at: None, by: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_is_a_line_and_an_event_and_the_same_again_is_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::scripted(at(0)));
    let house = House::open(dir.path(), &clock);
    let mut feed = house.hub.subscribe(CursorAsk::None);
    let redactor = Redactor::new(Mode::Local);
    let (ci, head) = (Text::new("ci"), house.hub.head().cursor.seq);
    for revision in ["r1", "r1", "r2", "r2", "r1"] {
        clock.advance_to(clock.now().plus_millis(1000));
        let deploy = house.pipeline.deploy(&told(revision), &ci, &redactor).await.unwrap();
        assert_eq!(
            (deploy.revision.raw(), deploy.source, deploy.by.as_ref()),
            (revision, DeploySource::Told, Some(&ci))
        );
    }
    let frames = until(&mut feed, "event: deploy\n").await;
    assert!(frames.contains(r#""service":"api","revision":"r1""#), "{frames}");
    assert_eq!(house.hub.head().cursor.seq, head + 3);
    let known = house.hub.in_sight().deploys;
    let revisions: Vec<_> = known.iter().map(|deploy| deploy.revision.raw()).collect();
    assert_eq!(revisions, ["r1", "r2", "r1"], "to go back is a deploy too");
    let lines = house.lines.search(&LineSearch::default()).unwrap().items;
    let said: Vec<_> = lines.iter().map(|line| line.event.message.raw()).collect();
    assert_eq!(said, ["deployed r1", "deployed r2", "deployed r1"]);
    drop(feed);
    house.close();
    // Nothing is told again by lines that are read again.
    for name in STATES {
        let _none = std::fs::remove_file(dir.path().join(name));
    }
    let house = House::open(dir.path(), &clock);
    let line = r#"{"message":"up","service":"web","attributes":{"deploy.revision":"w7"}}"#;
    house.send(line, EngineTimeMode::Live).await.unwrap();
    record(&house, &[]).await;
    let now = house.hub.in_sight().deploys;
    assert_eq!((&now[..3], now.len(), now[3].source), (&known[..], 4, DeploySource::Line));
    house.close();
}
