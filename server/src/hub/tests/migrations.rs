//! Migrations as the callers of the hub see them, with the real machine and a real store.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stella_protocol::migration::{Backup, Counts, DualRead, Eta, PhaseName, PlanSummary, Progress};
use stella_protocol::{
    Code, Current, Cursor, Migration, MigrationId, MigrationStatus, MigrationVerb, Problem, Role, Text, Timestamp,
};

use super::{CursorAsk, Filter, House, Kinds, START, Subscription, frames, named, who};
use crate::hub::Answer;
use crate::migrate::machine::LEASE_MS;
use crate::migrate::{Decision, Draft, Event, MigrationState, Refusal};
use crate::store::conformance::migrations::{id, state as standing};
use crate::store::{MigrationQuery, Store, Tx, Write};

fn draft() -> Draft {
    Draft {
        by: Text::new("somebody"),
        target: Text::new("main"),
        map_title: Text::new("the application"),
        canary: 3,
        soak_ms: 60_000,
    }
}

fn plan(scanned_at: Timestamp) -> PlanSummary {
    let figures = json!({
        "digest": "d1", "scannedAt": scanned_at, "keyId": "k1", "documents": 100, "collections": 4, "undeclared": 0,
        "changes": 40, "moves": 2, "references": 50, "users": 5, "oldIds": 5, "orphanIds": 1, "orphanDocuments": 2,
        "clashes": 0, "batches": 3, "bytes": 4000,
    });
    serde_json::from_value(figures).unwrap()
}

fn decision(verb: MigrationVerb) -> Decision {
    Decision {
        verb,
        by: Text::default(),
        role: Role::Viewer,
        plan_digest: Some(Text::new("d1")),
        rate: None,
        to: None,
        text: Text::new("because"),
        dual_read: Some(DualRead::Probe { at: Timestamp::default() }),
    }
}

impl House {
    async fn new_migration(&self, key: &str) -> Result<Answer<Migration>, Problem> {
        self.hub.propose_migration(&who("ana", Role::Admin), key, [1; 32], draft()).await
    }

    async fn says(
        &self,
        (name, role): (&str, Role),
        key: &str,
        migration: &Migration,
        verb: MigrationVerb,
    ) -> Result<Answer<Migration>, Problem> {
        self.hub.decide_migration(&who(name, role), key, &migration.id, migration.version, decision(verb)).await
    }

    fn takes(&self, holder: &str) -> Event {
        let until = self.clock.now().plus_millis(LEASE_MS);
        Event::Claimed { holder: Text::new(holder.to_owned()), until, fence: 0 }
    }

    async fn goes(&self, id: &MigrationId, event: Event) -> Result<Arc<MigrationState>, Refusal> {
        self.hub.advance_migration(id, event).await
    }

    /// Proposed, looked at, with so many open questions.
    async fn looked_at(&self, key: &str, open: u64) -> Migration {
        let made = self.new_migration(key).await.unwrap().body;
        let fence = self.goes(&made.id, self.takes("one")).await.unwrap().work.fence;
        let found = Ok((plan(self.clock.now()), open));
        self.goes(&made.id, Event::Scanned { fence, found }).await.unwrap().migration.clone()
    }

    /// Looked at, rehearsed, approved.
    async fn may_start(&self, key: &str) -> Migration {
        let ana = ("ana", Role::Admin);
        let planned = self.looked_at(key, 0).await;
        self.says(ana, &format!("{key}-rehearse"), &planned, MigrationVerb::Rehearse).await.unwrap();
        let fence = self.goes(&planned.id, self.takes("one")).await.unwrap().work.fence;
        let found = Ok(Counts { planned: 42, done: 42, ..Counts::default() });
        let rehearsed = self.goes(&planned.id, Event::Rehearsed { fence, found }).await.unwrap();
        self.says(ana, &format!("{key}-approve"), &rehearsed.migration, MigrationVerb::Approve).await.unwrap().body
    }

    fn puts(&self, state: &MigrationState) {
        let writes = vec![Write::Migration { state: Arc::new(state.clone()), from: None }];
        self.store.commit_all(vec![Tx { writes, ..Tx::default() }]);
    }

    fn far(&self, id: &MigrationId, done: u64) -> Progress {
        Progress {
            id: id.clone(),
            phase: PhaseName::Copy,
            at: self.clock.now().plus_millis(done as i64),
            total: 42,
            done,
            rate: None,
            rate_10m: None,
            eta: Eta::Unknown { why: Text::new("too little was done") },
            counts: Counts::default(),
            collection: None,
            hold_reason: None,
            checkpoint_at: None,
            batches: (0, 3),
        }
    }
}

/// Waits for progress of so much.
async fn until_done(reader: &mut Subscription, done: u64) {
    loop {
        let told: Progress = serde_json::from_str(&named(reader, "migration_progress").await).unwrap();
        if told.done == done {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_made_once_for_each_key_by_an_admin_and_told() {
    let house = House::new();
    let mut reader = house.hub.subscribe(CursorAsk::None);
    let denied = house.hub.propose_migration(&who("eve", Role::Approver), "k", [1; 32], draft()).await;
    assert_eq!(denied.unwrap_err().code, Code::Forbidden);
    let first = house.new_migration("k1").await.unwrap();
    assert_eq!((first.body.id.as_str(), first.body.status, first.replayed), ("mig-1", MigrationStatus::Draft, false));
    assert_eq!(first.body.created_by.raw(), "ana", "whoever asks made it, whatever the draft says");
    let told: Migration = serde_json::from_str(&named(&mut reader, "migration").await).unwrap();
    assert_eq!(told, first.body);
    assert_eq!(house.hub.in_sight().migrations, std::slice::from_ref(&first.body));
    drop(reader);
    let house = house.reopened();
    let again = house.new_migration("k1").await.unwrap();
    assert_eq!((again.body, again.replayed), (first.body, true));
    let other = house.hub.propose_migration(&who("ana", Role::Admin), "k1", [2; 32], draft()).await.unwrap_err();
    assert_eq!(other.code, Code::KeyReused);
    assert_eq!(house.new_migration("k2").await.unwrap().body.id.as_str(), "mig-2");
    let listed = house.hub.migration_history(&MigrationQuery { limit: 1, ..MigrationQuery::default() }).unwrap();
    assert_eq!((listed.items[0].id.as_str(), listed.next.as_deref()), ("mig-2", Some("2")));
    let rows = house.store.audit(0, 100).unwrap();
    let made: Vec<_> =
        rows.iter().filter(|row| row.verb == "propose").map(|row| (&*row.verdict, row.object.as_str())).collect();
    assert_eq!(made, [("denied", "main"), ("done", "mig-1"), ("done", "mig-2")]);
    for number in 3..=20 {
        house.new_migration(&format!("k{number}")).await.unwrap();
    }
    assert_eq!(house.new_migration("k21").await.unwrap_err().code, Code::TargetBusy, "20 are unfinished");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fourteen_starts_of_two_migrations_one_gets_the_store() {
    let house = House::new();
    let both = [house.may_start("a").await, house.may_start("b").await];
    assert!(both.iter().all(|migration| migration.status == MigrationStatus::Approved), "{both:?}");
    let race = |number: usize| {
        let (hub, migration) = (house.hub.clone(), both[number % 2].clone());
        tokio::spawn(async move {
            let by = who(&format!("p{number}"), Role::Admin);
            let start = decision(MigrationVerb::Start);
            (migration.id.clone(), hub.decide_migration(&by, "k", &migration.id, migration.version, start).await)
        })
    };
    let racers: Vec<_> = (0..14).map(race).collect();
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for racer in racers {
        let (id, answer) = racer.await.unwrap();
        match answer {
            Ok(answer) => won.push(answer.body),
            Err(problem) => lost.push((id, problem)),
        }
    }
    assert_eq!((won.len(), won[0].status), (1, MigrationStatus::BackingUp));
    for (id, problem) in lost {
        let wanted = if id == won[0].id { Code::VersionConflict } else { Code::TargetBusy };
        assert_eq!(problem.code, wanted);
        assert!(matches!(&problem.current, Some(Current::Migration(now)) if **now == won[0]), "{problem:?}");
    }
    let holds = |state: &Arc<MigrationState>| state.migration.status.holds_the_store();
    assert_eq!(house.hub.migrations().iter().filter(|state| holds(state)).count(), 1);
    let other = both.iter().find(|migration| migration.id != won[0].id).unwrap();
    let again = house.says(("ana", Role::Admin), "plan", other, MigrationVerb::Plan).await.unwrap().body;
    let busy = house.goes(&again.id, house.takes("two")).await.unwrap_err();
    assert_eq!(busy.code, Code::TargetBusy, "nor is the other one looked at meanwhile: {busy:?}");
    let claimed = house.goes(&won[0].id, house.takes("two")).await.unwrap();
    assert_eq!(house.store.fence("documents:main").unwrap(), claimed.work.fence);
    let house = house.reopened();
    let busy = house.goes(&again.id, house.takes("three")).await.unwrap_err();
    assert_eq!(busy.code, Code::TargetBusy, "also after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_counts_once_on_the_version_that_was_seen_and_by_who_may() {
    let (house, ana) = (House::new(), ("ana", Role::Admin));
    let planned = house.looked_at("a", 0).await;
    assert_eq!(planned.status, MigrationStatus::Planned);
    let seen = Migration { version: planned.version - 1, ..planned.clone() };
    let stale = house.says(ana, "k1", &seen, MigrationVerb::Rehearse).await.unwrap_err();
    assert_eq!(stale.code, Code::VersionConflict);
    assert!(matches!(&stale.current, Some(Current::Migration(now)) if **now == planned), "{stale:?}");
    let denied = house.says(("eve", Role::Approver), "k", &planned, MigrationVerb::Rehearse).await.unwrap_err();
    assert_eq!(denied.code, Code::Forbidden);
    let long = Decision { text: Text::new("x".repeat(3000)), ..decision(MigrationVerb::Rehearse) };
    let long = house.hub.decide_migration(&who("ana", Role::Admin), "k0", &planned.id, planned.version, long).await;
    assert_eq!(long.unwrap_err().code, Code::TooLarge);

    let head = house.hub.head();
    let first = house.says(ana, "k1", &planned, MigrationVerb::Rehearse).await.unwrap();
    assert_eq!((first.body.version, first.replayed), (planned.version + 1, false));
    assert_eq!(house.hub.head().cursor.seq, head.cursor.seq + 1);
    let house = house.reopened();
    let again = house.says(ana, "k1", &planned, MigrationVerb::Rehearse).await.unwrap();
    assert_eq!((again.body, again.replayed), (first.body, true));
    assert_eq!(house.says(ana, "k1", &planned, MigrationVerb::Cancel).await.unwrap_err().code, Code::KeyReused);
    let nobody = Migration { id: id(9), ..planned.clone() };
    assert_eq!(house.says(ana, "k9", &nobody, MigrationVerb::Cancel).await.unwrap_err().code, Code::NotFound);
    let rows = house.store.audit(0, 100).unwrap();
    let said: Vec<_> = rows
        .iter()
        .filter(|row| row.verb == "rehearse")
        .map(|row| (&*row.verdict, row.principal.raw(), row.detail.raw()))
        .collect();
    assert_eq!(
        said.iter().map(|(verdict, by, _)| (*verdict, *by)).collect::<Vec<_>>(),
        [("conflict", "ana"), ("denied", "eve"), ("done", "ana")]
    );
    assert_eq!(said[2].2, "plan d1: because");
    assert_eq!(house.store.verify_audit().unwrap(), Ok(rows.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brake_counts_though_the_migration_went_on() {
    let house = House::new();
    let approved = house.may_start("a").await;
    let started = house.says(("ana", Role::Admin), "s", &approved, MigrationVerb::Start).await.unwrap().body;
    let fence = house.goes(&started.id, house.takes("two")).await.unwrap().work.fence;
    let found =
        Ok(Backup { documents: 42, bytes: 4000, parts: 1, digest: Text::new("b1"), verified_at: house.clock.now() });
    house.goes(&started.id, Event::BackedUp { fence, found }).await.unwrap();
    let canary = Event::Canary { fence, found: Ok(Text::new("3 users equal")) };
    let copying = house.goes(&started.id, canary).await.unwrap();
    assert_eq!(copying.migration.status, MigrationStatus::Copying);
    let eve = ("eve", Role::Viewer);
    assert_eq!(house.says(eve, "e", &started, MigrationVerb::Stop).await.unwrap_err().code, Code::Forbidden);
    let stopped = house.says(("ben", Role::Responder), "b", &started, MigrationVerb::Stop).await.unwrap().body;
    assert_eq!(stopped.version, copying.migration.version + 1, "{stopped:?}");
    let state = house.hub.migration(&started.id).unwrap().unwrap();
    assert_eq!(state.work.stop.as_ref().map(|stop| stop.becomes), Some(MigrationStatus::Halted));
    let other = house.says(("ana", Role::Admin), "c", &started, MigrationVerb::Cancel).await.unwrap_err();
    assert_eq!(other.code, Code::VersionConflict, "no other verb does");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_lease_is_refused_and_a_lease_makes_no_event() {
    let house = House::new();
    let made = house.new_migration("a").await.unwrap().body;
    let other = house.new_migration("b").await.unwrap().body;
    let taken = house.goes(&made.id, house.takes("one")).await.unwrap();
    assert_eq!((taken.work.fence, house.store.fence("documents:main").unwrap()), (1, 1));
    let busy = house.goes(&other.id, house.takes("two")).await.unwrap_err();
    assert_eq!(busy.code, Code::TargetBusy, "one runner at a time: {busy:?}");
    let head = house.hub.head();
    let until = house.clock.now().plus_millis(LEASE_MS - 1);
    let renewed = house.goes(&made.id, Event::Renewed { fence: 1, until }).await.unwrap();
    assert_eq!((renewed.migration.version, house.hub.head()), (taken.migration.version, head));
    assert_eq!(house.store.migration(&made.id).unwrap().as_ref(), Some(&*renewed), "but it is kept");

    house.clock.advance_to(Timestamp::from_millis(START + LEASE_MS + 1));
    let house = house.reopened();
    let theirs = house.goes(&other.id, house.takes("two")).await.unwrap();
    assert_eq!(theirs.work.fence, 2);
    let found = Ok((plan(house.clock.now()), 0));
    let zombie = house.goes(&made.id, Event::Scanned { fence: 1, found: found.clone() }).await.unwrap_err();
    assert_eq!(zombie.code, Code::VersionConflict, "the store knows a higher fence: {zombie:?}");
    assert_eq!(house.hub.migration(&made.id).unwrap().unwrap().migration, renewed.migration);
    house.goes(&other.id, Event::Scanned { fence: 2, found: found.clone() }).await.unwrap();
    let back = house.goes(&made.id, house.takes("three")).await.unwrap();
    assert_eq!(back.work.fence, 3);
    let planned = house.goes(&made.id, Event::Scanned { fence: 3, found }).await.unwrap();
    assert_eq!(planned.migration.status, MigrationStatus::Planned);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_not_kept_comes_now_and_then_and_its_last_word_is_given_to_new_readers() {
    let house = House::new();
    let made = house.new_migration("a").await.unwrap().body;
    let (head, mut reader) = (house.hub.head(), house.hub.subscribe(CursorAsk::None));
    house.hub.put_migration_progress(house.far(&id(7), 1));
    assert_eq!(house.hub.migration_progress(&id(7)), None, "nobody knows that one");
    (1..=30).for_each(|done| house.hub.put_migration_progress(house.far(&made.id, done)));
    house.hub.put_migration_progress(house.far(&made.id, 2));
    let first = frames(&mut reader).await;
    let told: Vec<Progress> = first.iter().map(|(_, _, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(told.iter().map(|told| told.done).collect::<Vec<_>>(), [1], "of a burst the first comes at once");
    assert_eq!(first[0].0, None, "it has no number");
    until_done(&mut reader, 30).await;
    assert_eq!((house.hub.head(), house.hub.migration(&made.id).unwrap().unwrap().migration.version), (head, 1));

    let mut late = house.hub.subscribe(CursorAsk::At(head.cursor));
    until_done(&mut late, 30).await;
    let only = Filter { kinds: Kinds::read("alert,migration"), ..Filter::default() };
    let mut deaf = house.hub.subscribe(CursorAsk::None).only(only);
    house.says(("ana", Role::Admin), "c", &made, MigrationVerb::Cancel).await.unwrap();
    let names: Vec<String> = frames(&mut deaf).await.into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["migration"], "who did not ask for it is not told");
    let forgotten = async {
        while house.hub.migration_progress(&made.id).is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), forgotten).await.unwrap();
    house.hub.put_migration_progress(house.far(&made.id, 40));
    assert_eq!(house.hub.migration_progress(&made.id), None, "what ended has none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_and_though_the_migration_went_on_meanwhile() {
    let (house, ana) = (House::new(), who("ana", Role::Admin));
    let asks = house.looked_at("a", 2).await;
    assert_eq!((asks.status, asks.open_decisions), (MigrationStatus::NeedsDecision, 2));
    let stale = house.hub.may_answer_migration(&ana, &asks.id, 1).unwrap_err();
    assert_eq!(stale.code, Code::VersionConflict);
    house.hub.may_answer_migration(&ana, &asks.id, asks.version).unwrap();
    let answer = async |key: &str, by: Role, version: u64, open: u64| {
        let what = Text::new("dec-1: both are one person");
        house.hub.answer_migration(&who("ana", by), key, [open as u8; 32], &asks.id, version, what, open).await
    };
    assert_eq!(answer("k", Role::Approver, asks.version, 1).await.unwrap_err().code, Code::Forbidden);
    let first = answer("k1", Role::Admin, asks.version, 1).await.unwrap();
    assert_eq!((first.body.open_decisions, first.body.status), (1, MigrationStatus::NeedsDecision));
    assert_eq!(answer("k1", Role::Admin, asks.version, 1).await.unwrap(), Answer { replayed: true, ..first.clone() });
    let last = answer("k2", Role::Admin, asks.version, 0).await.unwrap().body;
    assert_eq!((last.open_decisions, last.status), (0, MigrationStatus::Draft), "the ledger has it, so it counts");
    let over = house.says(("ana", Role::Admin), "c", &last, MigrationVerb::Cancel).await.unwrap().body;
    let late = answer("k3", Role::Admin, last.version, 0).await.unwrap_err();
    assert_eq!(late.code, Code::VersionConflict);
    assert!(matches!(&late.current, Some(Current::Migration(now)) if **now == over), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_of_old_ids_become_one_step_a_second() {
    let house = House::new();
    let mut soaking = standing(1, "main", MigrationStatus::Soaking);
    soaking.work.wanted = Some(PhaseName::Soak);
    house.puts(&soaking);
    let house = house.reopened();
    let mut reader = house.hub.subscribe(CursorAsk::None);
    for _ in 0..50 {
        house.hub.old_id_used(&id(1), 2);
    }
    house.hub.old_id_used(&id(9), 1);
    let told: Migration = serde_json::from_str(&named(&mut reader, "migration").await).unwrap();
    assert_eq!((told.old_id_uses, told.last_old_id_use), (100, Some(house.clock.now())));
    assert_eq!(told.version, 2, "in one step");
    house.hub.old_id_used(&id(1), 1);
    drop(reader);
    let house = house.reopened();
    let kept = house.hub.migration(&id(1)).unwrap().unwrap();
    assert_eq!(kept.migration.old_id_uses, 101, "what was noted last is not lost in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_migrations_and_the_events_after_it_give_the_present() {
    let house = House::new();
    house.looked_at("a", 0).await;
    let look = house.hub.in_sight();
    let planned = &look.migrations[0];
    house.says(("ana", Role::Admin), "r", planned, MigrationVerb::Rehearse).await.unwrap();
    house.looked_at("b", 1).await;
    for number in 0..12 {
        let made = house.new_migration(&format!("k{number}")).await.unwrap().body;
        house.says(("ana", Role::Admin), &format!("c{number}"), &made, MigrationVerb::Cancel).await.unwrap();
    }
    let end = house.hub.in_sight();
    let ended = end.migrations.iter().filter(|migration| migration.status == MigrationStatus::Cancelled).count();
    assert_eq!((ended, end.migrations.len()), (10, 12), "unfinished ones, and the last 10 that ended");
    let (mut migrations, mut seq) = (look.migrations, look.cursor.seq);
    let mut reader = house.hub.subscribe(CursorAsk::At(look.cursor));
    while seq < end.cursor.seq {
        for (id, name, body) in frames(&mut reader).await {
            let Some(Cursor { seq: told, .. }) = id else { continue };
            seq = told;
            assert_eq!(name, "migration");
            let new: Migration = serde_json::from_str(&body).unwrap();
            migrations.retain(|known| known.id != new.id);
            migrations.push(new);
        }
    }
    for migration in &end.migrations {
        assert!(migrations.contains(migration), "{migration:?}");
    }
    drop(reader);
    let house = house.reopened();
    assert_eq!(house.hub.in_sight().migrations, end.migrations);
}
