//! How often what may be proposed: asked in the writer, of what it kept.

use stella_protocol::{Code, FixVerb, Role, Text, Timestamp};

use super::reversible;
use crate::hub::tests::{House, MINUTE, START, who};
use crate::remedy::definition::Limits;
use crate::remedy::{Draft, Event};
use crate::store::Store;

/// Of another definition, for a target of its own.
fn reversible_as(definition: &str) -> Draft {
    let mut draft = reversible(None, &format!("service:{definition}"));
    draft.plan.definition_id = Text::new(definition.to_owned());
    draft
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definitions_own_caps_hold_however_many_propose_at_once() {
    let house = House::new();
    let limits = Limits { open: 5, ..Limits::default() };
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..14_u8 {
        let (hub, key) = (house.hub.clone(), format!("k{number}"));
        let draft = Draft { limits, ..reversible(None, &format!("service:{number}")) };
        asking.spawn(async move {
            hub.propose_fix(&who("ana", Role::Responder), Some(&key), [number; 32], draft).await.map(|_| ())
        });
    }
    let said = asking.join_all().await;
    let refused: Vec<Code> = said.iter().filter_map(|said| said.as_ref().err()).map(|why| why.code).collect();
    assert_eq!(refused, [Code::TooManyFixes; 9]);
    assert_eq!(house.hub.fixes().len(), 5);
    let rows = house.store.audit(0, 100).unwrap();
    assert_eq!(rows.iter().filter(|row| row.verdict == "refused").count(), 9, "and who was refused is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_proposes_again_what_was_rejected_and_a_rule_waits() {
    let house = House::new();
    let fix = house.propose(reversible(None, "service:search")).await.unwrap();
    let fix = house.step(&fix.id, Event::Rehearsed(Ok(Vec::new()))).await.unwrap().fix.clone();
    house.decide("ana", "no", &fix, FixVerb::Reject).await.unwrap();
    assert_eq!(house.propose(reversible(None, "service:search")).await.unwrap_err().code, Code::TargetBusy);
    let ben = who("ben", Role::Responder);
    let again = house.hub.propose_fix(&ben, Some("k"), [1; 32], reversible(None, "service:search")).await.unwrap();
    assert_eq!((again.body.id.as_str(), again.body.proposed_by.raw()), ("fx-2", "ben"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_pause_of_a_definition_is_kept_also_over_a_restart() {
    let house = House::new();
    let limits = Limits { every_ms: 6 * 60 * MINUTE, ..Limits::default() };
    let slow = || Draft { limits, ..reversible(None, "service:search") };
    let first = house.executed(slow()).await;
    for number in 0..210 {
        let done = house.propose(reversible_as(&format!("other-{number}"))).await.unwrap();
        house.step(&done.id, Event::Rehearsed(Err(Text::new("no")))).await.unwrap();
    }
    house.clock.advance_to(Timestamp::from_millis(START + 5 * 60 * MINUTE));
    let house = house.reopened();
    assert!(!house.hub.fixes().iter().any(|state| state.fix.id == first.fix.id), "it is not in memory");
    assert_eq!(house.propose(slow()).await.unwrap_err().code, Code::TargetBusy);
    house.clock.advance_to(Timestamp::from_millis(START + 6 * 60 * MINUTE));
    house.propose(slow()).await.unwrap();
}
