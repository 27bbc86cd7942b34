//! What every store must do with fixes.

use std::sync::Arc;
use std::thread;

use serde_json::json;
use stella_protocol::fix::{
    Act, Approval, FixPlan, HttpAct, HttpMethod, Maintenance, PlanStep, Policy, Record, Risk, Stream, Suppression,
};
use stella_protocol::{FixId, FixOutput, FixStatus, Status, Text, Timestamp};

use super::{WRITERS, commit};
use crate::alerts::sample::alert;
use crate::remedy::definition::Limits;
use crate::remedy::{BeforeImage, Draft, FixState, machine};
use crate::store::{Commit, FixNumbers, FixQuery, InTheWay, Meta, Store, Tx, Write};

/// A proposal of one harmless step.
pub(crate) fn draft(definition: &str, target: &str) -> Draft {
    let act = Act::Http(HttpAct {
        method: HttpMethod::Post,
        base: Text::new("application"),
        url: Text::new("http://127.0.0.1:9/restart"),
        headers: std::collections::BTreeMap::new(),
        body: None,
        success: Vec::new(),
        timeout_ms: 1000,
    });
    let step = PlanStep {
        title: Text::new("restart it"),
        act,
        probe: None,
        undo: None,
        idempotent: true,
        fenced: true,
        retries: 0,
    };
    let plan = FixPlan {
        definition_id: Text::new(definition.to_owned()),
        definition_digest: Text::new("00"),
        risk: Risk::Medium,
        policy: Policy::Approve,
        target: Text::new(target.to_owned()),
        parameters: Vec::new(),
        preconditions: Vec::new(),
        steps: vec![step.clone(), step],
        touches: Vec::new(),
        will_not_undo: Vec::new(),
        verification: None,
        guard: None,
    };
    Draft {
        title: Text::new("Restart the pool"),
        alert_id: None,
        plan,
        plan_digest: Text::new("d1"),
        policy: Policy::Approve,
        proposed_by: Text::new("rule:slow"),
        owner: Text::new("nobody"),
        quorum: 1,
        guards: Vec::new(),
        observed: None,
        limits: Limits::default(),
    }
}

fn id(number: u64) -> FixId {
    format!("fx-{number}").parse().unwrap()
}

fn state(number: u64, definition: &str, target: &str) -> FixState {
    machine::open(draft(definition, target), id(number), Timestamp::from_millis(number as i64)).unwrap()
}

fn with(state: &FixState, status: FixStatus) -> FixState {
    let mut next = state.clone();
    next.fix.status = status;
    next.fix.version += 1;
    next
}

fn put(state: &FixState, from: Option<u64>) -> Tx {
    Tx { writes: vec![Write::Fix { state: Arc::new(state.clone()), from }], ..Tx::default() }
}

fn done(commit: &Commit) {
    assert!(matches!(commit, Commit::Committed { .. }), "{commit:?}");
}

pub(super) fn one_fix_of_a_target_is_open(store: &dyn Store) {
    let race = |number| commit(store, put(&state(number, "d", "service:search"), None));
    let results: Vec<Commit> = thread::scope(|scope| {
        let racers: Vec<_> = (1..=WRITERS as u64).map(|number| scope.spawn(move || race(number))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let winner = store.recent_fixes(0).unwrap().pop().unwrap();
    let lost = |result: &&Commit| matches!(result, Commit::Conflict(Some(InTheWay::Fix(other))) if **other == winner);
    let won = results.iter().filter(|result| matches!(result, Commit::Committed { .. })).count();
    assert_eq!((won, results.iter().filter(lost).count()), (1, WRITERS - 1));

    done(&commit(store, put(&state(20, "d", "service:pay"), None)));
    done(&commit(store, put(&with(&winner, FixStatus::Executed), Some(1))));
    done(&commit(store, put(&state(21, "d", "service:search"), None)));
    let rolled_back = with(&with(&winner, FixStatus::Executed), FixStatus::Undoing);
    let busy = commit(store, put(&rolled_back, Some(2)));
    assert!(
        matches!(&busy, Commit::Conflict(Some(InTheWay::Fix(other))) if other.fix.id == id(21)),
        "a rollback does not begin while another fix has the target: {busy:?}"
    );
    let again = commit(store, put(&state(20, "d", "service:other"), None));
    assert!(matches!(&again, Commit::Conflict(Some(InTheWay::Fix(other))) if other.fix.id == id(20)), "{again:?}");
}

pub(super) fn a_stale_version_and_a_lower_fence_are_refused(store: &dyn Store) {
    let first = state(1, "d", "t");
    let tx = Tx { events: vec![super::event("fix".into())], ..put(&first, None) };
    done(&commit(store, tx));
    let next = with(&first, FixStatus::Pending);
    done(&commit(store, put(&next, Some(1))));
    let stale = commit(store, put(&with(&first, FixStatus::Rejected), Some(1)));
    assert!(matches!(&stale, Commit::Conflict(Some(InTheWay::Fix(kept))) if **kept == next), "{stale:?}");
    assert_eq!((store.fix(&id(1)).unwrap(), store.fix(&id(2)).unwrap()), (Some(next.clone()), None));

    assert_eq!(store.fence("t").unwrap(), 0);
    let under = |fence, state: &FixState, from| {
        let mut tx = put(state, Some(from));
        tx.writes.insert(0, Write::Fence { target: Text::new("t"), fence });
        tx.events.push(super::event("fix".into()));
        tx
    };
    let (running, zombie) = (with(&next, FixStatus::Running), with(&next, FixStatus::Failed));
    done(&commit(store, under(2, &running, 2)));
    let results = store.commit_all(vec![under(1, &zombie, 3), under(2, &with(&running, FixStatus::Verifying), 3)]);
    assert!(
        matches!(&results[..], [Commit::Conflict(Some(InTheWay::Fence(2))), Commit::Committed { first_seq: 3 }]),
        "{results:?}"
    );
    assert_eq!((store.fence("t").unwrap(), store.fence("u").unwrap()), (2, 0));
    assert_eq!(store.fix(&id(1)).unwrap().unwrap().fix.status, FixStatus::Verifying);
}

pub(super) fn what_a_step_needs_is_there_with_its_intent(open: &dyn Fn() -> Box<dyn Store>) {
    let image = |n: u64| BeforeImage {
        collection: "agents".into(),
        id: n.to_string(),
        before: Some(json!({ "owner": n })),
        version: Some(n),
        after: None,
    };
    let fix = state(1, "d", "t");
    let images = |images: Vec<BeforeImage>| Write::FixImages { fix: id(1), step: 1, images };
    let line = |number, step, text: &str| {
        let text = Text::new(text.to_owned());
        FixOutput { id: id(1), number, step, stream: Stream::Out, at: Timestamp::default(), text }
    };
    let store = open();
    done(&commit(&*store, put(&fix, None)));
    let mut intent = put(&with(&fix, FixStatus::Running), Some(1));
    intent.writes.push(images(vec![image(1), image(2)]));
    let mut refused = put(&with(&fix, FixStatus::Failed), Some(1));
    refused.writes.insert(0, images(vec![image(9)]));
    let results = store.commit_all(vec![intent, refused]);
    assert!(matches!(results[..], [Commit::Committed { .. }, Commit::Conflict(Some(_))]), "{results:?}");
    let said: Vec<FixOutput> = (1..=5).map(|number| line(number, number as u32 % 2, "said")).collect();
    let writes = said.iter().map(|line| Write::FixOutput(Box::new(line.clone()))).collect();
    done(&commit(&*store, Tx { writes, ..Tx::default() }));
    drop(store);

    let store = open();
    assert_eq!(store.fix_images(&id(1), 1).unwrap(), [image(1), image(2)]);
    assert_eq!(store.fix_images(&id(1), 0).unwrap(), []);
    done(&commit(&*store, Tx { writes: vec![images(vec![image(3)])], ..Tx::default() }));
    assert_eq!(store.fix_images(&id(1), 1).unwrap(), [image(3)], "a new look replaces the old one");
    assert_eq!(store.fix_output(&id(1), None, 2, 2).unwrap(), said[2..4]);
    assert_eq!(store.fix_output(&id(1), Some(1), 0, 10).unwrap(), [said[0].clone(), said[2].clone(), said[4].clone()]);
    assert_eq!(store.fix_output(&id(2), None, 0, 10).unwrap(), []);
}

pub(super) fn lists_and_figures_of_fixes_are_right(store: &dyn Store) {
    let ends = [FixStatus::Executed, FixStatus::Executed, FixStatus::RolledBack, FixStatus::Expired];
    for number in 1..=12_u64 {
        let (mut of_alert, by) =
            (alert(&format!("f{number}"), number as usize, 0), if number % 2 == 0 { "ana" } else { "ben" });
        let mut fix = state(number, if number == 12 { "other" } else { "d" }, &format!("t{number}"));
        fix.fix.alert_id = Some(of_alert.alert.id.clone());
        fix.fix.status = ends.get(number as usize - 1).copied().unwrap_or(FixStatus::Pending);
        fix.work.unwatched = (number == 2).then(|| Text::new("nobody saw"));
        let at = Timestamp::default();
        let (by, plan_digest, reason) = (Text::new(by), Text::default(), Text::default());
        fix.fix.approvals.push(Approval { by, at, plan_digest, reason, single_person: false, simulated: false });
        (of_alert.alert.status, of_alert.alert.resolved_by) = match number {
            1 | 2 => (Status::FalsePositive, Some(Text::new("ana"))),
            3 => (Status::Resolved, Some(Text::new("ben"))),
            4 => (Status::Resolved, Some(Text::new("system"))),
            _ => (Status::New, None),
        };
        let mut tx = put(&fix, None);
        tx.writes.insert(0, Write::Open(Arc::new(of_alert)));
        done(&commit(store, tx));
    }
    let listed = |ask: &FixQuery| {
        let found = store.fixes(ask).unwrap();
        let numbers: Vec<u64> =
            found.items.iter().map(|fix| fix.id.as_str()[FixId::PREFIX.len()..].parse().unwrap()).collect();
        (numbers, found.next)
    };
    let all = FixQuery { limit: 100, ..FixQuery::default() };
    assert_eq!(listed(&all), ((1..=12).rev().collect(), None));
    let page = FixQuery { after: Some(11), limit: 3, ..all.clone() };
    assert_eq!(listed(&page), (vec![10, 9, 8], Some(8)));
    let status = vec![FixStatus::Executed, FixStatus::Expired];
    assert_eq!(listed(&FixQuery { status, ..all.clone() }).0, [4, 2, 1]);
    let alert = "a-0000007".parse().ok();
    assert_eq!(listed(&FixQuery { alert, ..all.clone() }).0, [7]);
    let (status, approved_by) = (vec![FixStatus::Pending], Some("ana".to_owned()));
    assert_eq!(listed(&FixQuery { status, approved_by, ..all.clone() }).0, [12, 10, 8, 6]);
    assert_eq!(listed(&FixQuery { definition: Some("other".into()), ..all }).0, [12]);
    let proposed = |target, since| -> Vec<String> {
        let found = store.proposed("d", target, Timestamp::from_millis(since)).unwrap();
        found.iter().map(|state| state.fix.id.to_string()).collect()
    };
    let target = store.fix(&id(3)).unwrap().unwrap().fix.plan.target.raw().to_owned();
    assert_eq!((proposed(&target, 2), proposed(&target, 3)), (vec!["fx-3".to_owned()], Vec::new()));
    assert_eq!(proposed("elsewhere", 0), Vec::<String>::new());
    assert_eq!(store.recent_fixes(2).unwrap().len(), 8 + 2, "all open ones, and so many that ended");
    assert_eq!(store.fix_record("d").unwrap(), Record { runs: 2, good: 1, marked: 3, false_positive: 2 });
    assert_eq!(store.fix_record("none").unwrap(), Record::default());
    what_holds_for_all_fixes_reads_back(store);
}

fn what_holds_for_all_fixes_reads_back(store: &dyn Store) {
    let suppression = |number: u64| Suppression {
        id: Text::new(format!("sup-{number}")),
        definition_id: Text::new("d"),
        target: Text::new("t"),
        at: Timestamp::default(),
        reason: Text::new("rolled back"),
    };
    let window = |number: u64, until| Maintenance {
        id: Text::new(format!("win-{number}")),
        target: Text::default(),
        from: Timestamp::default(),
        until: Timestamp::from_millis(until),
        by: Text::new("ana"),
        reason: Text::default(),
    };
    let writes = vec![
        Write::Suppression(Box::new(suppression(1))),
        Write::Suppression(Box::new(suppression(2))),
        Write::Lifted { id: "sup-2".into() },
        Write::Maintenance(Box::new(window(1, 100))),
        Write::Maintenance(Box::new(window(2, 200))),
        Write::Maintenance(Box::new(window(3, 300))),
        Write::MaintenanceEnded { id: "win-3".into() },
        Write::Meta(Meta::FixSwitch, "null".into()),
    ];
    done(&commit(store, Tx { writes, ..Tx::default() }));
    assert_eq!(store.suppressions().unwrap(), [suppression(1)]);
    assert_eq!(store.maintenance(Timestamp::from_millis(100)).unwrap(), [window(2, 200)]);
    assert_eq!(store.fix_numbers().unwrap(), FixNumbers { fix: 12, suppression: 2, window: 3 });
    assert_eq!(store.meta(Meta::FixSwitch).unwrap().as_deref(), Some("null"));
}
