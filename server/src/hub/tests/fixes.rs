//! Fixes as the callers of the hub see them, with the real machine and a real store.

mod caps;
mod standing;

use std::sync::Arc;

use serde_json::json;
use stella_protocol::fix::{MaintenanceRequest, Stream, SwitchRequest, Undo};
use stella_protocol::{
    Alert, Code, Current, Cursor, Fix, FixId, FixOutput, FixStatus, FixVerb, Problem, Remedy, Role, Status, Text,
    Timestamp, Verb,
};

use super::{CursorAsk, House, MINUTE, START, ask, frames, named, who};
use crate::hub::Answer;
use crate::remedy::{BeforeImage, Decision, Draft, Event, FixState, Intent, Outcome, Refusal, Verdict};
use crate::store::conformance::fixes::draft;
use crate::store::{FixQuery, Store};

/// Two steps that can be taken back.
fn reversible(alert: Option<&Alert>, target: &str) -> Draft {
    let mut draft = draft("restart-pool", target);
    for step in &mut draft.plan.steps {
        let (title, act) = (Text::new("start it again"), step.act.clone());
        step.undo = Some(Undo::Act { title, act, probe: None, idempotent: true });
    }
    draft.alert_id = alert.map(|alert| alert.id.clone());
    draft
}

fn decision(verb: FixVerb) -> Decision {
    Decision {
        verb,
        by: Text::default(),
        role: Role::Viewer,
        plan_digest: Some(Text::new("d1")),
        text: Text::new("because"),
        single_person: false,
        simulated: false,
        changed: Vec::new(),
    }
}

impl House {
    async fn propose(&self, draft: Draft) -> Result<Fix, Problem> {
        let rule = who("rule:slow", Role::Admin);
        self.hub.propose_fix(&rule, None, [0; 32], draft).await.map(|answer| answer.body)
    }

    async fn decide(&self, name: &str, key: &str, fix: &Fix, verb: FixVerb) -> Result<Answer<Fix>, Problem> {
        let by = who(name, Role::Admin);
        self.hub.decide_fix(&by, key, &fix.id, fix.version, decision(verb)).await
    }

    async fn step(&self, fix: &FixId, event: Event) -> Result<Arc<FixState>, Refusal> {
        self.hub.advance_fix(fix, event, Intent::default()).await
    }

    fn claim(&self, holder: &str) -> Event {
        Event::Claimed {
            holder: Text::new(holder.to_owned()),
            until: self.clock.now().plus_millis(30_000),
            fence: 0,
            plan_digest: Text::new("d1"),
            gates: Ok(()),
        }
    }

    /// Proposed, rehearsed, approved by ana.
    async fn approved(&self, draft: Draft) -> Fix {
        let fix = self.propose(draft).await.unwrap();
        let fix = self.step(&fix.id, Event::Rehearsed(Ok(Vec::new()))).await.unwrap().fix.clone();
        self.decide("ana", &format!("approve-{}", fix.id), &fix, FixVerb::Approve).await.unwrap().body
    }

    /// Approved and claimed.
    async fn running(&self, draft: Draft) -> Arc<FixState> {
        let fix = self.approved(draft).await;
        self.step(&fix.id, self.claim("one")).await.unwrap()
    }

    /// Performs, or takes back, what is left.
    async fn work_off(&self, mut state: Arc<FixState>) -> Arc<FixState> {
        let status = state.fix.status;
        let (id, fence) = (state.fix.id.clone(), state.work.fence);
        while state.fix.status == status {
            self.step(&id, Event::Intended { fence }).await.unwrap();
            let outcome = Outcome::Done(Text::new("done"));
            state = self.step(&id, Event::Performed { fence, outcome }).await.unwrap();
        }
        state
    }

    async fn executed(&self, draft: Draft) -> Arc<FixState> {
        let state = self.running(draft).await;
        let state = self.work_off(state).await;
        assert_eq!(state.fix.status, FixStatus::Verifying);
        let watched = Event::Watched { fence: state.work.fence, verdict: Verdict::Holds };
        self.step(&state.fix.id, watched).await.unwrap()
    }

    fn fix(&self, id: &FixId) -> Fix {
        self.hub.fix(id).unwrap().unwrap().fix.clone()
    }
}

fn status(state: &FixState) -> FixStatus {
    state.fix.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_named_in_its_alert_and_numbers_are_dense() {
    let house = House::new();
    let alerts = house.many(2);
    let mut reader = house.hub.subscribe(CursorAsk::None);
    let first = house.propose(reversible(Some(&alerts[0]), "service:search")).await.unwrap();
    assert_eq!((first.id.as_str(), first.version, first.status), ("fx-1", 1, FixStatus::Proposed));
    let told: Fix = serde_json::from_str(&named(&mut reader, "fix").await).unwrap();
    assert_eq!(told, first);
    let linked = house.now(&alerts[0]);
    assert_eq!((linked.fixes.clone(), linked.auto_fix_available, linked.version), (vec![first.id.clone()], true, 2));

    let busy = house.propose(reversible(None, "service:search")).await.unwrap_err();
    assert_eq!(busy.code, Code::TargetBusy);
    assert!(matches!(&busy.current, Some(Current::Fix(fix)) if fix.id == first.id), "{busy:?}");
    let second = house.propose(reversible(None, "service:pay")).await.unwrap();
    assert_eq!(second.id.as_str(), "fx-2", "a refused one takes no number");
    house.hub.act(&who("ana", Role::Responder), "r", ask(Verb::Resolve, &[house.now(&alerts[1])])).await.unwrap();
    let late = house.propose(reversible(Some(&alerts[1]), "service:late")).await.unwrap_err();
    assert_eq!(late.code, Code::IllegalTransition);
    let rows = house.store.audit(0, 100).unwrap();
    let proposed: Vec<_> = rows.iter().filter(|row| row.verb == "propose").map(|row| row.object.as_str()).collect();
    assert_eq!(proposed, ["fx-1", "fx-2"]);
    drop(reader);
    let house = house.reopened();
    assert_eq!(house.propose(reversible(None, "service:third")).await.unwrap().id.as_str(), "fx-3");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_who_propose_for_one_target_one_does() {
    let house = House::new();
    let race = |number: usize| {
        let hub = house.hub.clone();
        tokio::spawn(async move {
            let by = who(&format!("p{number}"), Role::Responder);
            hub.propose_fix(&by, Some("k"), [1; 32], reversible(None, "service:search")).await
        })
    };
    let racers: Vec<_> = (0..8).map(race).collect();
    let mut won = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            Ok(answer) => won.push(answer.body),
            Err(problem) => assert_eq!(problem.code, Code::TargetBusy),
        }
    }
    assert_eq!(won.len(), 1);
    let history = house.hub.fix_history(&FixQuery { limit: 10, ..FixQuery::default() }).unwrap();
    assert_eq!(history.items, won);
    assert!(won[0].proposed_by.raw().starts_with('p'), "whoever asks is the proposer, whatever the draft says");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_counts_once_on_the_version_that_was_seen_and_by_who_may() {
    let house = House::new();
    let fix = house.propose(reversible(None, "service:search")).await.unwrap();
    let pending = house.step(&fix.id, Event::Rehearsed(Ok(Vec::new()))).await.unwrap().fix.clone();
    let stale = house.decide("ana", "k1", &fix, FixVerb::Approve).await.unwrap_err();
    assert_eq!(stale.code, Code::VersionConflict);
    assert!(matches!(&stale.current, Some(Current::Fix(now)) if **now == pending), "{stale:?}");
    let by = who("eve", Role::Responder);
    let denied = house.hub.decide_fix(&by, "k", &pending.id, pending.version, decision(FixVerb::Approve)).await;
    assert_eq!(denied.unwrap_err().code, Code::Forbidden);
    let own =
        house.hub.decide_fix(&who("rule:slow", Role::Admin), "k", &pending.id, 2, decision(FixVerb::Approve)).await;
    assert_ne!(own.as_ref().ok().map(|answer| answer.body.status), Some(FixStatus::Approved), "{own:?}");

    let first = house.decide("ana", "k1", &pending, FixVerb::Approve).await.unwrap();
    assert_eq!((first.body.status, first.replayed), (FixStatus::Approved, false));
    let house = house.reopened();
    let again = house.decide("ana", "k1", &pending, FixVerb::Approve).await.unwrap();
    assert_eq!((again.body, again.replayed), (first.body, true));
    let other = house.decide("ana", "k1", &pending, FixVerb::Reject).await.unwrap_err();
    assert_eq!(other.code, Code::KeyReused);
    let rows = house.store.audit(0, 100).unwrap();
    let said: Vec<_> =
        rows.iter().filter(|row| row.verb == "approve").map(|row| (&*row.verdict, row.principal.raw())).collect();
    assert_eq!(said[..2], [("conflict", "ana"), ("denied", "eve")]);
    assert_eq!(said.last(), Some(&("done", "ana")));
    assert_eq!(house.store.verify_audit().unwrap(), Ok(rows.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_counts_for_the_plan_that_was_seen_when_it_was_only_looked_at_again_since() {
    let house = House::new();
    let mut draft = reversible(None, "service:search");
    draft.plan.risk = stella_protocol::fix::Risk::High;
    draft.quorum = 2;
    let fix = house.propose(draft).await.unwrap();
    let proposed = fix.clone();
    let seen = house.step(&fix.id, Event::Rehearsed(Ok(Vec::new()))).await.unwrap().fix.clone();
    let early = house.decide("ben", "early", &proposed, FixVerb::Approve).await.unwrap_err();
    assert_eq!(early.code, Code::VersionConflict, "nobody had looked then");
    house.decide("eve", "look", &seen, FixVerb::DryRun).await.unwrap();
    let meanwhile = house.decide("ana", "meanwhile", &seen, FixVerb::Approve).await.unwrap_err();
    assert_eq!(meanwhile.code, Code::IllegalTransition);
    house.step(&fix.id, Event::Rehearsed(Ok(Vec::new()))).await.unwrap();
    let again = house.decide("eve", "again", &house.fix(&fix.id), FixVerb::DryRun).await.unwrap_err();
    assert_eq!(again.code, Code::IllegalTransition, "not one after another");
    let rejected = house.decide("ana", "no", &seen, FixVerb::Reject).await.unwrap_err();
    assert_eq!(rejected.code, Code::VersionConflict);
    let other = Decision { plan_digest: Some(Text::new("d2")), ..decision(FixVerb::Approve) };
    let other = house.hub.decide_fix(&who("ana", Role::Admin), "other", &fix.id, seen.version, other).await;
    assert_eq!(other.unwrap_err().code, Code::PlanChanged);
    let yes = house.decide("ana", "yes", &seen, FixVerb::Approve).await.unwrap().body;
    assert_eq!((yes.status, yes.approvals.len()), (FixStatus::Pending, 1));
    let late = house.decide("ben", "late", &seen, FixVerb::Approve).await.unwrap_err();
    assert_eq!(late.code, Code::VersionConflict, "an approval is more than a look");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_that_helped_resolves_its_alert_which_did_not_end_meanwhile() {
    let house = House::new();
    let alert = house.many(1).remove(0);
    let state = house.running(reversible(Some(&alert), "service:search")).await;
    assert_eq!((status(&state), state.work.fence), (FixStatus::Running, 1));
    house.hub.tick(Timestamp::from_millis(START + 30 * MINUTE));
    let verifying = house.work_off(state).await;
    assert_eq!(house.now(&alert).status, Status::New, "a fix is under way on it");

    let head = house.hub.head();
    let renewed = Event::Renewed { fence: 1, until: house.clock.now().plus_millis(20_000) };
    let after = house.step(&verifying.fix.id, renewed).await.unwrap();
    assert_eq!((after.fix.version, house.hub.head()), (verifying.fix.version, head), "a lease makes no event");
    assert_eq!(house.store.fix(&after.fix.id).unwrap().as_ref(), Some(&*after), "but it is kept");

    let done = house.step(&after.fix.id, Event::Watched { fence: 1, verdict: Verdict::Holds }).await.unwrap();
    assert_eq!(status(&done), FixStatus::Executed);
    let over = house.now(&alert);
    assert_eq!((over.status, over.resolved_by.unwrap().raw()), (Status::Resolved, "system"));
    assert_eq!(over.resolution_notes.unwrap().raw(), "fixed by fx-1: Restart the pool");
    let record = house.hub.fix_record("restart-pool").unwrap();
    assert_eq!((record.runs, record.good, record.marked), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_ends_by_itself_again_once_no_fix_is_under_way_on_it() {
    let house = House::new();
    let alert = house.many(1).remove(0);
    let state = house.running(reversible(Some(&alert), "service:search")).await;
    house.hub.tick(Timestamp::from_millis(START + 30 * MINUTE));
    let house = house.reopened();
    house.hub.tick(Timestamp::from_millis(START + 31 * MINUTE));
    assert_eq!(house.fix(&state.fix.id).status, FixStatus::Running);
    assert_eq!(house.now(&alert).status, Status::New, "also after a restart");
    let failed = Event::Performed { fence: 1, outcome: Outcome::Clean(Text::new("no answer")) };
    house.step(&state.fix.id, Event::Intended { fence: 1 }).await.unwrap();
    let ended = house.step(&state.fix.id, failed).await.unwrap();
    assert_eq!(status(&ended), FixStatus::Failed);
    let mut reader = house.hub.subscribe(CursorAsk::None);
    house.hub.tick(Timestamp::from_millis(START + 32 * MINUTE));
    let over: Alert = serde_json::from_str(&named(&mut reader, "alert").await).unwrap();
    assert_eq!((over.status, over.resolved_by.unwrap().raw()), (Status::Resolved, "system"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_lease_is_refused_and_images_are_there_with_the_intent() {
    let house = House::new();
    let state = house.running(reversible(None, "service:search")).await;
    let id = &state.fix.id;
    let image = BeforeImage {
        collection: "agents".into(),
        id: "a1".into(),
        before: Some(json!({ "owner": 1 })),
        version: Some(4),
        after: None,
    };
    let intent = Intent { images: vec![image.clone()], seen: None };
    house.hub.advance_fix(id, Event::Intended { fence: 1 }, intent).await.unwrap();
    assert_eq!(house.hub.fix_images(id, 0).unwrap(), std::slice::from_ref(&image));
    let early = house.step(id, house.claim("two")).await.unwrap_err();
    assert_eq!(early.code, Code::IllegalTransition, "{early:?}");
    house.clock.advance_to(Timestamp::from_millis(START + 31_000));
    let taken = house.step(id, house.claim("two")).await.unwrap();
    assert_eq!((taken.work.fence, house.store.fence("service:search").unwrap()), (2, 2));
    let outcome = Outcome::Done(Text::new("late"));
    let zombie = house.step(id, Event::Performed { fence: 1, outcome }).await.unwrap_err();
    assert_eq!(zombie.code, Code::VersionConflict);
    assert_eq!(house.fix(id), taken.fix);
    let house = house.reopened();
    assert_eq!((house.fix(id), house.hub.fix_images(id, 0).unwrap()), (taken.fix.clone(), vec![image]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_alert_that_is_closed_is_superseded_with_it() {
    let house = House::new();
    let alert = house.many(1).remove(0);
    let waiting = house.approved(reversible(Some(&alert), "service:search")).await;
    let begun = house.running(reversible(Some(&alert), "service:pay")).await;
    let mut reader = house.hub.subscribe(CursorAsk::None);
    let ana = who("ana", Role::Responder);
    house.hub.act(&ana, "k", ask(Verb::Resolve, &[house.now(&alert)])).await.unwrap();
    let told = frames(&mut reader).await;
    let names: Vec<&str> = told.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["fix", "alert"], "in one transaction");
    assert_eq!(house.fix(&waiting.id).status, FixStatus::Superseded);
    assert_eq!(house.fix(&begun.fix.id).status, FixStatus::Running, "what has begun is not cut off");

    let next = house.many(2).into_iter().find(|next| next.status.is_open()).unwrap();
    let open = house.propose(reversible(Some(&next), "service:next")).await.unwrap();
    house.hub.tick(Timestamp::from_millis(START + 20 * MINUTE));
    let over: Fix = serde_json::from_str(&loop_until(&mut reader, &open.id).await).unwrap();
    assert_eq!(over.status, FixStatus::Superseded, "also when it ends by itself");
}

/// Waits for the end of a fix.
async fn loop_until(reader: &mut super::Subscription, id: &FixId) -> String {
    loop {
        let body = named(reader, "fix").await;
        let fix: Fix = serde_json::from_str(&body).unwrap();
        if fix.id == *id && !fix.status.is_open() {
            return body;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_rolled_back_beside_another_fix_of_its_target() {
    let house = House::new();
    let done = house.executed(reversible(None, "service:search")).await;
    house.clock.advance_to(Timestamp::from_millis(START + 20 * MINUTE));
    let other = house.propose(reversible(None, "service:search")).await.unwrap();
    let busy = house.decide("ana", "back", &done.fix, FixVerb::Rollback).await.unwrap_err();
    assert_eq!(busy.code, Code::TargetBusy);
    assert!(busy.detail.raw().contains("wait for its end before fx-1 is rolled back"), "{busy:?}");
    assert!(matches!(&busy.current, Some(Current::Fix(now)) if now.id == other.id), "{busy:?}");
    let rows = house.store.audit(0, 100).unwrap();
    assert_eq!(rows.last().map(|row| (&*row.verb, &*row.verdict)), Some(("rollback", "refused")));
    house.step(&other.id, Event::Rehearsed(Err(Text::new("no")))).await.unwrap();
    let asked = |version| {
        let (ana, said) = (who("ana", Role::Admin), decision(FixVerb::Rollback));
        house.hub.decided_before(&ana, "back", &done.fix.id, version, &said)
    };
    assert!(asked(done.fix.version).unwrap().is_none());
    let back = house.decide("ana", "back", &done.fix, FixVerb::Rollback).await.unwrap();
    let again = asked(done.fix.version).unwrap().unwrap();
    assert_eq!((again.body, again.replayed), (back.body, true));
    assert_eq!(asked(done.fix.version + 1).unwrap_err().code, Code::KeyReused);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_stops_everything_and_lasts_until_it_is_taken_back() {
    let house = House::new();
    let waiting = house.approved(reversible(None, "service:search")).await;
    let begun = house.running(reversible(None, "service:pay")).await;
    let off = SwitchRequest { on: false, reason: Text::new("freeze") };
    let denied = house.hub.switch_fixes(&who("ben", Role::Approver), "k", off.clone()).await.unwrap_err();
    assert_eq!(denied.code, Code::Forbidden);
    let mut reader = house.hub.subscribe(CursorAsk::None);
    let switched = house.hub.switch_fixes(&who("ana", Role::Admin), "k", off).await.unwrap().body;
    assert_eq!(switched.switched_off.as_ref().unwrap().reason.raw(), "freeze");
    let told: Remedy = serde_json::from_str(&named(&mut reader, "remedy").await).unwrap();
    assert_eq!(told, switched);
    assert_eq!(house.fix(&waiting.id).status, FixStatus::Superseded);
    let stopped = house.hub.fix(&begun.fix.id).unwrap().unwrap();
    assert!(stopped.work.stop.is_some() || !stopped.fix.status.is_under_way(), "{stopped:?}");

    drop(reader);
    let house = house.reopened();
    assert_eq!(house.hub.remedy(), switched);
    let refused = house.propose(reversible(None, "service:other")).await.unwrap_err();
    assert_eq!(refused.code, Code::FixesOff);
    let on = SwitchRequest { on: true, reason: Text::default() };
    let back = house.hub.switch_fixes(&who("ana", Role::Admin), "k2", on).await.unwrap().body;
    assert_eq!(back, Remedy::default());
    house.propose(reversible(None, "service:other")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_itself_looks_whether_anything_may_start() {
    let house = House::new();
    let fix = house.approved(reversible(None, "service:search")).await;
    let until = house.clock.now().plus_millis(5 * MINUTE);
    let window = MaintenanceRequest { target: Text::new("service:"), from: None, until, reason: Text::default() };
    let ana = who("ana", Role::Admin);
    let stands = house.hub.put_maintenance(&ana, "k", window.clone()).await.unwrap().body;
    assert_eq!((stands.id.raw(), house.hub.remedy().maintenance.len()), ("win-1", 1));
    let shut = house.step(&fix.id, house.claim("one")).await.unwrap_err();
    assert_eq!(shut.code, Code::FixesOff, "whatever the executor saw");
    assert_eq!(house.store.fence("service:search").unwrap(), 0);
    house.clock.advance_to(until);
    assert!(house.hub.remedy().maintenance.is_empty());
    house.step(&fix.id, house.claim("one")).await.unwrap();
    for until in [house.clock.now(), house.clock.now().plus_millis(8 * 24 * 60 * MINUTE)] {
        let bad = MaintenanceRequest { until, ..window.clone() };
        assert_eq!(house.hub.put_maintenance(&ana, "k2", bad).await.unwrap_err().code, Code::BadBody);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_is_not_proposed_there_until_somebody_lifts_that() {
    let house = House::new();
    let done = house.executed(reversible(None, "service:search")).await;
    let undoing = house.decide("ana", "back", &done.fix, FixVerb::Rollback).await.unwrap().body;
    assert_eq!(undoing.status, FixStatus::Undoing);
    let claimed = house.step(&undoing.id, house.claim("one")).await.unwrap();
    let back = house.work_off(claimed).await;
    assert_eq!(status(&back), FixStatus::RolledBack);
    let standing = house.hub.remedy().suppressions;
    assert_eq!((standing.len(), standing[0].id.raw(), standing[0].target.raw()), (1, "sup-1", "service:search"));

    let house = house.reopened();
    house.clock.advance_to(Timestamp::from_millis(START + 16 * MINUTE));
    let refused = house.propose(reversible(None, "service:search")).await.unwrap_err();
    assert_eq!(refused.code, Code::FixesOff);
    let ana = who("ana", Role::Admin);
    assert_eq!(house.hub.lift_suppression(&ana, "l", "sup-9").await.unwrap_err().code, Code::NotFound);
    assert!(house.hub.lift_suppression(&ana, "l", "sup-1").await.unwrap().body.suppressions.is_empty());
    house.propose(reversible(None, "service:search")).await.unwrap();
    let house = house.reopened();
    assert!(house.hub.remedy().suppressions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_numbered_kept_to_a_limit_and_told_without_an_event() {
    let house = House::new();
    let id = house.propose(reversible(None, "service:search")).await.unwrap().id;
    let lines = |count: usize, text: &str| -> Vec<FixOutput> {
        let (at, text) = (house.clock.now(), Text::new(text.to_owned()));
        let line = FixOutput { id: id.clone(), number: 0, step: 1, stream: Stream::Out, at, text };
        vec![line; count]
    };
    let (head, version) = (house.hub.head(), house.fix(&id).version);
    let mut reader = house.hub.subscribe(CursorAsk::None);
    house.hub.put_fix_output(0, lines(3, "hello")).await;
    let told: FixOutput = serde_json::from_str(&named(&mut reader, "fix_output").await).unwrap();
    assert_eq!((told.number, told.text.raw()), (1, "hello"));
    assert_eq!((house.hub.head(), house.fix(&id).version), (head, version));
    house.hub.put_fix_output(1, lines(1, "of another executor")).await;
    let (few, long) = (lines(1, "again"), lines(100, &"x".repeat(10_000)));
    drop(reader);
    let house = house.reopened();
    house.hub.put_fix_output(0, few).await;
    house.hub.put_fix_output(0, long.clone()).await;
    house.hub.put_fix_output(0, long).await;
    let kept = house.hub.fix_output(&id, None, 0, 1000).unwrap();
    let numbers: Vec<u64> = kept.iter().map(|line| line.number).collect();
    assert_eq!(numbers, (1..=kept.len() as u64).collect::<Vec<_>>());
    assert!(kept.iter().map(|line| line.text.len()).sum::<usize>() <= (256 << 10) + 100);
    let cut: Vec<&FixOutput> = kept.iter().filter(|line| line.stream == Stream::Stella).collect();
    assert_eq!((cut.len(), cut[0].number), (1, kept.len() as u64), "one line says so, the last");
    assert!(kept.iter().all(|line| !line.text.raw().starts_with("of another")));
    assert_eq!(house.hub.fix_output(&id, Some(0), 0, 10).unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_fixes_and_the_events_after_it_give_the_present() {
    let house = House::new();
    let alerts = house.many(12);
    let hub = house.hub.clone();
    let looking = tokio::spawn(async move {
        let mut looks = vec![hub.in_sight()];
        while looks
            .last()
            .is_some_and(|look| look.fixes.len() < 12 || look.fixes.iter().any(|fix| fix.status.is_open()))
        {
            looks.push(hub.in_sight());
            looks.dedup_by_key(|look| look.cursor.seq);
            tokio::task::yield_now().await;
        }
        looks
    });
    for (number, alert) in alerts.iter().enumerate() {
        house.executed(reversible(Some(alert), &format!("service:{number}"))).await;
    }
    let looks = tokio::time::timeout(std::time::Duration::from_secs(30), looking).await.unwrap().unwrap();
    let end = house.hub.in_sight();
    assert!(looks.len() > 3, "{}", looks.len());
    for look in looks {
        let mut fixes = look.fixes;
        let mut reader = house.hub.subscribe(CursorAsk::At(look.cursor));
        let mut seq = look.cursor.seq;
        while seq < end.cursor.seq {
            for (id, name, body) in frames(&mut reader).await {
                let Some(Cursor { seq: told, .. }) = id else { continue };
                seq = told;
                if name == "fix" {
                    let new: Fix = serde_json::from_str(&body).unwrap();
                    match fixes.iter_mut().find(|fix| fix.id == new.id) {
                        Some(fix) => *fix = new,
                        None => fixes.push(new),
                    }
                }
            }
        }
        assert_eq!(fixes, end.fixes);
    }
}
