//! Every kind of step on documents: done, broken at every write, taken back (X-8).

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stella_protocol::fix::{DocumentChange, PlanStep};

use super::*;
use crate::documents::DocumentKey;
use world::{Fault, Lines, World, foreign};

const RIGHT: &str = "usr_a1b2c3d4e5f6g7h8i9j0";
const WRONG: &str = "ana_example_com";

fn call(act: Act) -> Call {
    Call {
        fix: "fx-1".parse().unwrap(),
        number: 0,
        step: PlanStep {
            title: Text::from("a step"),
            act,
            probe: None,
            undo: Some(Undo::Restore),
            idempotent: true,
            fenced: true,
            retries: 0,
        },
        fence: 1,
        key: "fx-1.0.do".to_owned(),
    }
}

fn one(change: DocumentChange) -> Call {
    call(Act::Document(DocumentAct { collection: Text::from("agents"), id: Text::from("a-7"), change }))
}

fn set(fields: Value) -> Call {
    one(DocumentChange::Set { fields: serde_json::from_value(fields).unwrap() })
}

fn repairing() -> Call {
    call(Act::Repair(RepairAct {
        user: Text::from(RIGHT),
        wrong: vec![Text::from(WRONG), Text::from("100000000000000000001")],
        collections: vec![Text::from("agents"), Text::from("agents/a-7/shares"), Text::from("settings")],
    }))
}

/// Every kind of step.
fn kinds() -> [Call; 3] {
    [
        one(DocumentChange::Delete),
        set(json!({"context": [], "n": null, "new": {"$integer": "9007199254740993"}})),
        repairing(),
    ]
}

fn sample() -> BTreeMap<String, Value> {
    let agents = (0..6).map(|number| {
        (format!("agents/a-{number}"), json!({"userId": WRONG, "n": number, "rate": 0.1, "members": [WRONG, "bob"]}))
    });
    let more = [
        (
            "agents/a-7",
            json!({"userId": WRONG, "context": ["x"], "n": 7, "updatedAt": {"$timestamp": "2025-11-09T10:00:00Z"}}),
        ),
        ("agents/a-7/shares/s", json!({"by": {WRONG: {"level": "edit"}}})),
        ("agents/a-8", json!({"members": [WRONG, RIGHT]})),
        ("agents/a-9", json!({"userId": "bob"})),
        ("settings/ana_example_com", json!({"theme": "dark"})),
    ];
    agents.chain(more.map(|(path, fields)| (path.to_owned(), fields))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_broken_at_any_write_is_done_or_clean_and_its_undo_brings_every_byte_back() {
    for call in kinds() {
        for fault in [Fault::Unreachable, Fault::AnswerLost, Fault::WriteLost] {
            for at in 0.. {
                let world = World::new(&sample());
                let before = world.bytes();
                let images = world.runner.prepare(&call).await.unwrap();
                world.line.break_at(at, fault);
                let ended = world.drive(&call, &images, false).await;
                let broke = world.line.broke();
                match ended {
                    Some(Outcome::Clean(_)) => assert_eq!(world.bytes(), before, "{fault:?} at {at}"),
                    Some(Outcome::Done(_)) => {
                        assert_ne!(world.bytes(), before);
                        assert_eq!(world.runner.changed(&call, &images).await.unwrap(), []);
                        assert!(matches!(world.drive(&call, &images, true).await, Some(Outcome::Done(_))));
                        assert_eq!(world.bytes(), before, "{fault:?} at {at}");
                    }
                    other => panic!("{fault:?} at {at}: {other:?}"),
                }
                if !broke {
                    break;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_broken_at_any_write_ends_with_every_byte_back() {
    for call in kinds() {
        for fault in [Fault::Unreachable, Fault::AnswerLost, Fault::WriteLost] {
            for at in 0.. {
                let world = World::new(&sample());
                let before = world.bytes();
                let images = world.runner.prepare(&call).await.unwrap();
                assert!(matches!(world.perform(&call, &images).await, Outcome::Done(_)));
                world.line.break_at(at, fault);
                let mut ended = world.drive(&call, &images, true).await;
                let broke = world.line.broke();
                if matches!(ended, Some(Outcome::Clean(_))) {
                    ended = world.drive(&call, &images, true).await;
                }
                assert!(matches!(ended, Some(Outcome::Done(_))), "{fault:?} at {at}: {ended:?}");
                assert_eq!(world.bytes(), before, "{fault:?} at {at}");
                if !broke {
                    break;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_edit_at_any_write_is_kept_and_told() {
    for call in kinds() {
        for undoing in [false, true] {
            for at in 0.. {
                let world = World::new(&sample());
                let before = world.bytes();
                let images = world.runner.prepare(&call).await.unwrap();
                if undoing {
                    assert!(matches!(world.perform(&call, &images).await, Outcome::Done(_)));
                }
                world.line.break_at(at, Fault::Foreign);
                let ended = world.drive(&call, &images, undoing).await;
                if !world.line.broke() {
                    assert!(matches!(ended, Some(Outcome::Done(_))));
                    break;
                }
                let now = String::from_utf8(world.bytes()).unwrap();
                assert_eq!(now.matches(r#""foreign":"edit""#).count(), 1, "{now}");
                match (undoing, ended) {
                    // Nothing of the step was done: all but the foreign edit is as before.
                    (false, Some(Outcome::Clean(why))) => {
                        assert!(!why.is_empty());
                        assert_eq!(now.replace(r#""foreign":"edit","#, ""), String::from_utf8(before).unwrap());
                    }
                    // A part of several batches was: nobody pretends otherwise.
                    (false, None) => assert!(at > 0),
                    (true, Some(Outcome::Clean(why))) => assert!(why.raw().contains('/'), "{why:?}"),
                    other => panic!("at {at}: {other:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn an_undo_puts_nothing_back_where_somebody_wrote_since_and_names_it() {
    for call in kinds() {
        let world = World::new(&sample());
        let images = world.runner.prepare(&call).await.unwrap();
        world.perform(&call, &images).await;
        foreign(&world.line.store, &DocumentKey::new("agents", "a-7")).await;
        let (bytes, writes) = (world.bytes(), world.writes());
        let told = world.runner.changed(&call, &images).await.unwrap();
        assert_eq!(told.len(), 1);
        assert!(told[0].raw().starts_with("agents/a-7 "), "{told:?}");
        let Outcome::Clean(why) = world.undo(&call, &images).await else { panic!("it was put back") };
        assert!(why.raw().contains("agents/a-7"), "{why:?}");
        assert!(matches!(world.runner.probe(&call, &images, true).await, Said::CannotTell(_)));
        assert_eq!((world.bytes(), world.writes()), (bytes, writes));
    }
}

#[tokio::test]
async fn a_step_that_is_performed_or_taken_back_again_writes_nothing_more() {
    for call in kinds() {
        let world = World::new(&sample());
        let images = world.runner.prepare(&call).await.unwrap();
        assert!(matches!(world.runner.probe(&call, &images, false).await, Said::NotDone(_)));
        world.perform(&call, &images).await;
        let writes = world.writes();
        assert_eq!(writes, sample().len() + images.len());
        assert!(matches!(world.perform(&call, &images).await, Outcome::Done(_)));
        assert!(matches!(world.runner.probe(&call, &images, false).await, Said::Done(_)));
        assert!(matches!(world.runner.probe(&call, &images, true).await, Said::NotDone(_)));
        assert_eq!(world.writes(), writes);
        world.undo(&call, &images).await;
        assert_eq!(world.writes(), writes + images.len());
        assert!(matches!(world.undo(&call, &images).await, Outcome::Done(_)));
        assert!(matches!(world.runner.probe(&call, &images, true).await, Said::Done(_)));
        assert_eq!(world.writes(), writes + images.len());
    }
}

#[tokio::test]
async fn an_executor_that_wakes_after_its_step_was_taken_back_writes_nothing() {
    for call in kinds() {
        let world = World::new(&sample());
        let images = world.runner.prepare(&call).await.unwrap();
        world.perform(&call, &images).await;
        world.undo(&call, &images).await;
        let (bytes, writes) = (world.bytes(), world.writes());
        assert!(matches!(world.perform(&call, &images).await, Outcome::Clean(_)));
        assert_eq!((world.bytes(), world.writes()), (bytes, writes));
    }
}

#[tokio::test]
async fn a_rehearsal_counts_names_what_is_left_and_writes_nothing() {
    let world = World::new(&sample());
    let writes = world.writes();
    let told = |lines: Vec<Text>| lines.iter().map(|line| line.raw().to_owned()).collect::<Vec<_>>();
    let [delete, set, repair] = kinds();
    assert_eq!(
        told(world.runner.rehearse(&delete).await.unwrap()),
        ["agents/a-7 is there with 4 fields; it would be deleted"]
    );
    assert_eq!(
        told(world.runner.rehearse(&set).await.unwrap()),
        ["agents/a-7 is there with 4 fields; these would change: context, n, new"]
    );
    assert_eq!(
        told(world.runner.rehearse(&repair).await.unwrap()),
        [
            "agents: 7 of 9 documents would change, 13 references",
            "agents/a-7/shares: 1 of 1 documents would change, 1 references",
            "settings: 0 of 1 documents would change, 0 references",
            "agents/a-8 is left as it is: in members the right id stands beside a wrong one",
            "settings/ana_example_com keeps its id, which holds a wrong one",
        ]
    );
    assert_eq!(world.writes(), writes);
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_written() {
    let world = World::new(&BTreeMap::from([("agents/a-7".to_owned(), json!({"n": 1, "members": [WRONG, RIGHT]}))]));
    let missing = call(Act::Document(DocumentAct {
        collection: Text::from("agents"),
        id: Text::from("b"),
        change: DocumentChange::Delete,
    }));
    let slash = call(Act::Document(DocumentAct {
        collection: Text::from("agents"),
        id: Text::from("a/b"),
        change: DocumentChange::Delete,
    }));
    let large = set(json!({"n": 9_007_199_254_740_993_u64}));
    for bad in [missing, slash, large, one(DocumentChange::Unknown), repairing(), call(Act::Unknown)] {
        assert!(world.runner.rehearse(&bad).await.is_err(), "{bad:?}");
        assert!(world.runner.prepare(&bad).await.is_err(), "{bad:?}");
        assert!(matches!(world.perform(&bad, &[]).await, Outcome::Clean(_)), "{bad:?}");
    }
    assert!(world.runner.rehearse(&set(json!({"n": 1}))).await.is_err());
    let [delete, ..] = kinds();
    let mut images = world.runner.prepare(&delete).await.unwrap();
    images[0].id = "other".to_owned();
    assert!(matches!(world.perform(&delete, &images).await, Outcome::Clean(_)));
    assert!(matches!(world.undo(&delete, &images).await, Outcome::Clean(_)));
    assert!(matches!(world.runner.probe(&delete, &images, false).await, Said::CannotTell(_)));
    assert_eq!(world.writes(), 1);
}

#[tokio::test]
async fn a_repair_says_while_it_runs_what_it_leaves() {
    let world = World::new(&sample());
    let call = repairing();
    let images = world.runner.prepare(&call).await.unwrap();
    let mut lines = Lines(Vec::new());
    world.runner.perform(&call, &images, &mut lines).await;
    assert_eq!(lines.0[0], "8 documents written, 0 stood so already");
    assert!(lines.0[1].starts_with("agents/a-8 is left as it is"), "{:?}", lines.0);
    assert_eq!(lines.0.len(), 3);
}

fn value() -> impl Strategy<Value = Value> {
    let words =
        prop::sample::select(vec![WRONG, RIGHT, "100000000000000000001", "bob", "", "mail from ana_example_com"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::num::f64::ANY.prop_map(|number| json!(if number.is_finite() { number } else { 0.5 })),
        any::<i64>().prop_map(|number| json!({"$integer": number.to_string()})),
        "\\PC{0,8}".prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            fields(inner).prop_map(Value::Object),
        ]
    })
}

fn fields(of: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop::sample::select(vec![WRONG, RIGHT, "userId", "members", "googleUserId", "content", "n", "context"]);
    prop::collection::btree_map(name.prop_map(str::to_owned), of, 0..5).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn random_documents_come_back_byte_for_byte(
        documents in prop::collection::btree_map("(agents|settings|agents/a-7/shares)/[a-c0-9_-]{1,4}", fields(value()), 0..8),
        aimed in fields(value()),
        new in fields(value()),
    ) {
        let mut documents: BTreeMap<String, Value> =
            documents.into_iter().map(|(path, fields)| (path, Value::Object(fields))).collect();
        documents.insert("agents/a-7".to_owned(), Value::Object(aimed));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new(&documents);
            let before = world.bytes();
            for call in [one(DocumentChange::Delete), set(Value::Object(new)), repairing()] {
                let Ok(images) = world.runner.prepare(&call).await else {
                    assert_eq!(world.bytes(), before);
                    continue;
                };
                // As the hub keeps them.
                let kept = serde_json::to_string(&images).unwrap();
                let images: Vec<BeforeImage> = serde_json::from_str(&kept).unwrap();
                assert!(matches!(world.perform(&call, &images).await, Outcome::Done(_)));
                assert_eq!(world.runner.changed(&call, &images).await.unwrap(), []);
                if matches!(call.step.act, Act::Repair(_)) {
                    assert!(world.runner.prepare(&call).await.is_err(), "something is left to put right");
                }
                assert!(matches!(world.undo(&call, &images).await, Outcome::Done(_)));
                assert_eq!(world.bytes(), before);
            }
        });
    }
}
