//! What is taken back: a maintenance window, the right to approve, a fix that had helped.

use std::sync::{Arc, Mutex};

use stella_protocol::fix::{GateState, MaintenanceRequest};
use stella_protocol::{Alert, Code, FixStatus, FixVerb, Remedy, Role, Status, Text, Timestamp};

use super::super::{CursorAsk, House, MINUTE, START, frames, who};
use super::{reversible, status};
use crate::store::Store;

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_ended_stands_in_the_way_no_more_and_its_number_is_not_given_again() {
    let house = House::new();
    let fix = house.approved(reversible(None, "service:search")).await;
    let until = house.clock.now().plus_millis(5 * MINUTE);
    let window = MaintenanceRequest { target: Text::new("service:"), from: None, until, reason: Text::default() };
    let (ana, ben) = (who("ana", Role::Admin), who("ben", Role::Approver));
    house.hub.put_maintenance(&ana, "k1", window.clone()).await.unwrap();
    assert_eq!(house.step(&fix.id, house.claim("one")).await.unwrap_err().code, Code::FixesOff);
    assert_eq!(house.hub.end_maintenance(&ben, "k2", "win-1").await.unwrap_err().code, Code::Forbidden);
    assert_eq!(house.hub.end_maintenance(&ana, "k3", "win-2").await.unwrap_err().code, Code::NotFound);
    let ended = house.hub.end_maintenance(&ana, "k4", "win-1").await.unwrap().body;
    assert_eq!((&ended, house.hub.remedy()), (&Remedy::default(), ended.clone()));

    let house = house.reopened();
    let again = house.hub.end_maintenance(&ana, "k4", "win-1").await.unwrap();
    assert_eq!((again.body, again.replayed), (ended, true));
    assert_eq!(house.hub.end_maintenance(&ana, "k5", "win-1").await.unwrap_err().code, Code::NotFound);
    assert!(house.hub.remedy().maintenance.is_empty());
    house.step(&fix.id, house.claim("one")).await.unwrap();
    assert_eq!(house.hub.put_maintenance(&ana, "k6", window).await.unwrap().body.id.raw(), "win-2");
    let rows = house.store.audit(0, 100).unwrap();
    let said: Vec<_> =
        rows.iter().filter(|row| row.verb == "end-maintenance").map(|row| (&*row.object, &*row.verdict)).collect();
    assert_eq!(said, [("win-1", "denied"), ("win-1", "done")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_approve_no_more_is_asked_again_when_a_fix_is_claimed() {
    let house = House::new();
    let approvers = Arc::new(Mutex::new(vec!["Ana"]));
    let book = Arc::clone(&approvers);
    house.hub.set_approvers(move |name, _| book.lock().unwrap().iter().any(|one| name.raw().eq_ignore_ascii_case(one)));
    let fix = house.approved(reversible(None, "service:search")).await;
    let state = || house.hub.fix(&fix.id).unwrap().unwrap();
    assert_eq!(house.hub.roles_gate(&state()), None);
    approvers.lock().unwrap().clear();
    let shut = house.step(&fix.id, house.claim("one")).await.unwrap_err();
    assert_eq!(shut.code, Code::FixesOff, "{shut:?}");
    assert!(shut.why.contains("ana may not approve any more; 0 of 1 approvals still count"), "{}", shut.why);
    let gate = house.hub.roles_gate(&state()).unwrap();
    assert!(gate.state == GateState::Shut && shut.why.contains(gate.text.raw()), "{gate:?}");
    assert_eq!((house.fix(&fix.id), house.store.fence("service:search").unwrap()), (fix.clone(), 0));
    approvers.lock().unwrap().push("ana");
    let running = house.step(&fix.id, house.claim("one")).await.unwrap();
    approvers.lock().unwrap().clear();
    house.clock.advance_to(Timestamp::from_millis(START + MINUTE));
    assert_eq!(house.hub.roles_gate(&running), None, "what runs is not held up by it");
    assert_eq!(house.step(&fix.id, house.claim("two")).await.unwrap().work.fence, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_open_again_when_what_fixed_it_is_rolled_back() {
    let house = House::new();
    let alert = house.many(1).remove(0);
    let done = house.executed(reversible(Some(&alert), "service:search")).await;
    let over = house.now(&alert);
    assert_eq!(over.status, Status::Resolved);
    let house = house.reopened();
    let mut reader = house.hub.subscribe(CursorAsk::None);
    let undoing = house.decide("ana", "back", &done.fix, FixVerb::Rollback).await.unwrap().body;
    let told = frames(&mut reader).await;
    let names: Vec<&str> = told.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["fix", "alert"], "in one transaction");
    let again: Alert = serde_json::from_str(&told[1].2).unwrap();
    assert_eq!((again.status, again.version, again.resolution_notes), (Status::New, over.version + 1, None));
    assert!(again.notes[0].text.raw().contains("fx-1, which had fixed it, is rolled back"), "{:?}", again.notes);
    let rows = house.store.audit(0, 100).unwrap();
    let row = rows.iter().find(|row| row.verb == "unfixed").unwrap();
    assert_eq!((row.principal.raw(), row.object.as_str(), row.detail.raw()), ("ana", again.id.as_str(), "fx-1"));
    house.hub.tick(Timestamp::from_millis(START + 40 * MINUTE));
    let claimed = house.step(&undoing.id, house.claim("one")).await.unwrap();
    assert_eq!(house.now(&alert).status, Status::New, "it does not end while it is taken back");
    drop(reader);
    let back = house.work_off(claimed).await;
    assert_eq!(status(&back), FixStatus::RolledBack);
    let house = house.reopened();
    assert_eq!(house.now(&alert).status, Status::New);
}
