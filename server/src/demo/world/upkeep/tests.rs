//! Every deed read back from the lines, as a stranger would: the incident ends because of it, and
//! where its cause is elsewhere it does not.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use serde_json::Value;
use stella_protocol::Timestamp;

use super::{Deed, Subject, World};
use crate::demo::script::Truth;

const HOUR: Duration = Duration::from_hours(1);
const HOUR_MS: i64 = 3_600_000;
const SEEDS: [u64; 2] = [1, 7];

fn start() -> Timestamp {
    Timestamp::parse("2026-03-02T08:00:00Z").unwrap()
}

/// So many seconds after "now".
fn second(seconds: i64) -> Timestamp {
    start().plus_millis(HOUR_MS + seconds * 1_000)
}

fn lived(seed: u64, seconds: i64) -> World {
    let mut world = World::new(seed, start(), HOUR);
    world.step(second(seconds));
    world
}

fn read(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn subject(path: &str) -> Subject {
    let (kind, name) = path.split_once('/').unwrap();
    Subject::read(kind, name).unwrap()
}

fn of_kind(world: &World, kind: &str, from: i64) -> Truth {
    world.truth().into_iter().find(|truth| truth.kind == kind && truth.begin >= second(from)).unwrap()
}

fn count(lines: &[Value], matches: impl Fn(&Value) -> bool) -> usize {
    lines.iter().filter(|line| matches(line)).count()
}

fn about(line: &Value, word: &str) -> bool {
    line.to_string().contains(word)
}

#[test]
fn a_restarted_pool_gives_connections_again_and_the_leak_is_over() {
    for seed in SEEDS {
        let mut world = lived(seed, 60);
        let pool = subject("pools/db-pool-conversations");
        assert_eq!(world.look(&pool).unwrap()["state"], "exhausted");
        world.operate(&pool, Deed::Restart).unwrap();
        assert_eq!(
            (&world.look(&pool).unwrap()["leaked"], &world.look(&pool).unwrap()["restarts"]),
            (&0.into(), &1.into())
        );
        let soon = read(&world.step(second(75)));
        assert!(count(&soon, |line| line["component"] == "db-pool-conversations" && line["health"] == "healthy") > 0);
        let later = read(&world.step(second(470)));
        let timed_out = |line: &Value| about(line, "waiting for a connection of pool conversations");
        assert_eq!(count(&later, timed_out), 0, "{seed}");
        assert!(count(&later, |line| line["operation"] == "load_messages" && line["success"] == true) > 50, "{seed}");
        assert_eq!(of_kind(&world, "leaked_connections", 0).end, second(60), "{seed}");
    }
}

#[test]
fn a_re_indexed_source_is_found_in_again() {
    let mut world = lived(1, 40);
    let nothing = |line: &Value| line["source"] == "handbook" && line["resultCount"] == 0;
    assert!(count(&read(&world.step(second(90))), |line| nothing(line) && line["operation"] == "search_rag") > 0);
    let source = subject("sources/source-handbook");
    assert_eq!(world.look(&source).unwrap()["state"], "empty");
    world.operate(&source, Deed::Reindex).unwrap();
    assert_eq!(world.look(&source).unwrap()["state"], "ready");
    let after = read(&world.step(second(300)));
    assert_eq!(count(&after, nothing), 0);
    assert!(count(&after, |line| line["component"] == "source-handbook" && line["health"] == "healthy") > 10);
}

#[test]
fn a_blocked_address_is_not_heard_from_until_it_is_let_in_again() {
    let mut world = lived(1, 3);
    let attacker = of_kind(&world, "stuffing", 0).addr.unwrap();
    let address = subject(&format!("blocks/{attacker}"));
    world.operate(&address, Deed::Block { seconds: 3_600 }).unwrap();
    let heard = |line: &Value| line["remoteAddr"] == attacker.as_str();
    assert_eq!(count(&read(&world.step(second(6))), heard), 0);
    world.operate(&address, Deed::Unblock).unwrap();
    assert!(count(&read(&world.step(second(9))), heard) > 0);
    assert_eq!(world.look(&address).unwrap()["blocked"], false);
}

#[test]
fn a_block_ends_by_itself() {
    let mut world = lived(1, 1);
    let attacker = of_kind(&world, "stuffing", 0).addr.unwrap();
    world.operate(&subject(&format!("blocks/{attacker}")), Deed::Block { seconds: 2 }).unwrap();
    let heard = |line: &Value| line["remoteAddr"] == attacker.as_str();
    let after = count(&read(&world.step(second(3))), heard);
    assert_eq!(after, 0);
    assert!(count(&read(&world.step(second(9))), heard) > 0);
}

#[test]
fn a_release_that_is_rolled_back_throws_no_more_and_throws_again_when_it_is_brought_forward() {
    for seed in SEEDS {
        let mut world = lived(seed, 330);
        let thrown = |line: &Value| about(line, "ShareExpiryError");
        assert!(count(&read(&world.step(second(360))), thrown) > 3, "{seed}");
        let deploy = subject("deploys/api");
        assert_eq!(world.look(&deploy).unwrap()["recent"], true);
        let bad = world.look(&deploy).unwrap()["release"].clone();
        world.operate(&deploy, Deed::RollBack).unwrap();
        let state = world.look(&deploy).unwrap();
        assert_eq!((&state["state"], &state["rolledBack"]), (&"rolled_back".into(), &bad));
        assert_ne!(state["release"], bad);
        assert_eq!(state["recent"], false);
        // Calls that were under way may still end with the old code.
        world.step(second(362));
        assert_eq!(count(&read(&world.step(second(420))), thrown), 0, "{seed}");
        world.operate(&deploy, Deed::Forward).unwrap();
        assert_eq!(world.look(&deploy).unwrap()["release"], bad);
        assert!(count(&read(&world.step(second(480))), thrown) > 3, "{seed}");
    }
}

#[test]
fn an_emptied_cache_serves_its_person_again() {
    let mut world = lived(1, 1_110);
    let user = of_kind(&world, "stale_cache", 0).user.unwrap();
    let cache = Subject::Cache(user.clone());
    assert_eq!(world.look(&cache).unwrap()["state"], "stale");
    assert!(world.look(&cache).unwrap()["ageMinutes"].as_i64().unwrap() > 60);
    let refused = |line: &Value| line["userId"] == user.as_str() && about(line, "StaleCacheError");
    assert!(count(&read(&world.step(second(1_140))), refused) > 0);
    world.operate(&cache, Deed::Clear).unwrap();
    assert_eq!(
        (&world.look(&cache).unwrap()["state"], &world.look(&cache).unwrap()["ageMinutes"]),
        (&"fresh".into(), &0.into())
    );
    world.step(second(1_142));
    assert_eq!(count(&read(&world.step(second(1_320))), refused), 0);
    assert_eq!(world.operate(&Subject::Cache("nobody@example.com".to_owned()), Deed::Clear), None);
}

#[test]
fn neither_a_restart_nor_more_copies_help_a_worker_whose_trouble_is_elsewhere() {
    let mut world = lived(1, 220);
    let worker = subject("services/mail-sender");
    let unwell = |line: &Value| line["component"] == "mail-sender" && line["health"] == "degraded";
    world.operate(&worker, Deed::Restart).unwrap();
    world.operate(&worker, Deed::Scale(4)).unwrap();
    assert_eq!(world.look(&worker).unwrap()["replicas"], 4);
    assert!(count(&read(&world.step(second(280))), unwell) > 3);
    world.operate(&worker, Deed::Scale(1)).unwrap();
    let state = world.look(&worker).unwrap();
    assert_eq!((&state["replicas"], &state["restarts"], &state["state"]), (&1.into(), &1.into(), &"degraded".into()));
    // It ends by itself, when what it sends to is back.
    world.step(second(905));
    assert_eq!(world.look(&worker).unwrap()["state"], "running");
}

#[test]
fn a_restart_ends_the_silence_of_a_worker_that_hangs() {
    let mut world = World::new(1, start(), HOUR);
    let silent = world.truth().into_iter().find(|truth| truth.kind == "dead_worker").unwrap();
    world.step(silent.begin.plus_millis(90_000));
    let worker = Subject::read("services", silent.component.unwrap()).unwrap();
    assert_eq!(world.look(&worker).unwrap()["state"], "silent");
    world.operate(&worker, Deed::Restart).unwrap();
    let after = read(&world.step(silent.begin.plus_millis(110_000)));
    assert!(count(&after, |line| line["component"] == silent.component.unwrap()) > 0);
}

#[test]
fn nobody_can_tell_whether_the_deaf_pool_was_restarted_though_it_was() {
    let mut world = lived(1, 560);
    let pool = subject("pools/chunks");
    assert!(!world.is_deaf(&pool));
    world.operate(&pool, Deed::Restart).unwrap();
    assert!(world.is_deaf(&pool) && !world.is_deaf(&subject("pools/agents")));
    world.step(second(562));
    let timed_out = |line: &Value| about(line, "waiting for a connection of pool chunks");
    assert_eq!(count(&read(&world.step(second(800))), timed_out), 0);
    world.step(second(1_025));
    assert!(!world.is_deaf(&pool));
}

#[test]
fn a_world_taken_up_again_remembers_what_was_done_to_it() {
    let mut world = lived(1, 360);
    for (path, deed) in [
        ("pools/conversations", Deed::Restart),
        ("sources/handbook", Deed::Reindex),
        ("deploys/api", Deed::RollBack),
        ("services/mail-sender", Deed::Scale(5)),
    ] {
        world.operate(&subject(path), deed).unwrap();
    }
    let kept = serde_json::to_string(world.upkeep()).unwrap();
    let mut again = World::taken_up(1, HOUR, second(362), HOUR_MS + 362_000, serde_json::from_str(&kept).unwrap());
    assert_eq!(again.upkeep(), world.upkeep());
    let release = |world: &mut World| world.look(&subject("deploys/api")).unwrap()["release"].clone();
    let before = release(&mut world);
    let lines = read(&again.step(second(420)));
    let trouble = |line: &Value| {
        about(line, "PoolTimeoutError")
            || about(line, "ShareExpiryError")
            || line["component"] == "source-handbook" && line["health"] != "healthy"
    };
    assert_eq!(count(&lines, trouble), 0);
    assert_eq!(again.look(&subject("services/mail-sender")).unwrap()["replicas"], 5);
    assert_eq!(release(&mut again), before);
    again.operate(&subject("deploys/api"), Deed::Forward).unwrap();
    world.operate(&subject("deploys/api"), Deed::Forward).unwrap();
    assert_eq!(release(&mut again), release(&mut world));
    assert!(count(&read(&again.step(second(480))), |line| about(line, "ShareExpiryError")) > 3);
}

#[test]
fn a_release_under_way_when_a_world_is_taken_up_is_not_released_again() {
    let world = lived(1, 330);
    let upkeep = world.upkeep().clone();
    let mut again = World::taken_up(1, HOUR, second(330), HOUR_MS + 330_000, upkeep);
    let lines = read(&again.step(second(380)));
    assert_eq!(again.look(&subject("deploys/api")).unwrap()["recent"], true);
    assert_eq!(count(&lines, |line| about(line, "deploy of api")), 0);
    assert!(count(&lines, |line| about(line, "ShareExpiryError")) > 3, "its bug is there");
    // One that came while nobody looked is news.
    let early = lived(1, 250).upkeep().clone();
    let mut late = World::taken_up(1, HOUR, second(330), HOUR_MS + 330_000, early);
    assert_eq!(count(&read(&late.step(second(331))), |line| about(line, "deploy of api")), 1);
}
