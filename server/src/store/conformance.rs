//! What every store must do, as one function over the trait.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

pub(crate) mod evidence;
pub(crate) mod fixes;
pub(crate) mod migrations;

use std::sync::Arc;
use std::thread;

use stella_protocol::command::Action;
use stella_protocol::{Role, Severity, Status, Target, Text, Timestamp, Verb};

use super::{
    ActionRecord, AlertQuery, Answered, AuditEntry, Commit, InTheWay, KeyedAnswer, Meta, NewEvent, Replay, Retention,
    Scope, Sort, Store, StoredEvent, StoredToken, Tx, Undoable, Verdict, Write,
};
use crate::alerts::sample::{self, alert};
use crate::alerts::{AlertState, Triage};

/// Server time of the tests.
pub(crate) fn now() -> Timestamp {
    Timestamp::default()
}
/// How many stores of their own the tests need.
pub(crate) const STORES: usize = 17;
const WRITERS: usize = 8;

/// Runs all of it. `open` opens store `n`: empty the first time, with what it kept after that.
pub(crate) fn holds(open: &dyn Fn(usize) -> Box<dyn Store>) {
    numbers_are_dense_in_commit_order(&*open(0));
    one_alert_of_a_fingerprint_is_open(&*open(1));
    a_key_is_answered_once(&*open(2));
    the_loser_of_a_conflict_gets_the_row_and_leaves_nothing(&*open(3));
    what_is_forgotten_is_said(&*open(4));
    pages_are_stable_under_inserts(&*open(5));
    a_reopened_store_says_the_same(&|| open(6));
    everything_else_reads_back(&*open(7));
    fixes::one_fix_of_a_target_is_open(&*open(8));
    fixes::a_stale_version_and_a_lower_fence_are_refused(&*open(9));
    fixes::what_a_step_needs_is_there_with_its_intent(&|| open(10));
    fixes::lists_and_figures_of_fixes_are_right(&*open(11));
    migrations::one_migration_holds_a_store(&*open(12));
    migrations::a_migration_changes_from_the_version_that_is_kept(&|| open(13));
    migrations::lists_of_migrations_are_right(&*open(14));
    evidence::marks_and_deploys_read_back(&|| open(15));
    evidence::what_began_together_and_what_looks_alike_is_found(&*open(16));
}

fn event(body: String) -> NewEvent {
    NewEvent { kind: "alert", body }
}

fn entry(object: &str) -> AuditEntry {
    AuditEntry {
        principal: Text::new("p"),
        role: Role::Responder,
        verb: "resolve",
        object: object.to_owned(),
        versions: (1, 2),
        key: "k".to_owned(),
        verdict: Verdict::Done,
        detail: Text::default(),
    }
}

/// Commits `count` transactions of one alert, event and audit row each.
pub(crate) fn fill(store: &dyn Store, count: usize) {
    for number in 0..count {
        let state = Arc::new(alert(&format!("f{number}"), number, number as i64));
        let tx = Tx {
            at: Timestamp::from_millis(number as i64),
            writes: vec![Write::Open(state)],
            audit: vec![entry("a-1")],
            events: vec![event(format!("{number}"))],
            ..Tx::default()
        };
        assert!(matches!(commit(store, tx), Commit::Committed { .. }));
    }
}

fn commit(store: &dyn Store, tx: Tx) -> Commit {
    store.commit_all(vec![tx]).pop().unwrap()
}

fn all_events(store: &dyn Store) -> Vec<StoredEvent> {
    let mut all: Vec<StoredEvent> = Vec::new();
    loop {
        let after = all.last().map_or(store.head().unwrap().oldest - 1, |event| event.seq);
        match store.events(after, 7).unwrap() {
            Replay::Page(page) if page.is_empty() => return all,
            Replay::Page(page) => all.extend(page),
            Replay::Expired { oldest } => panic!("events from {oldest} on only"),
        }
    }
}

fn numbers_are_dense_in_commit_order(store: &dyn Store) {
    let write = |writer: usize| {
        (0..30).flat_map(move |round| {
            let body = format!("{writer}.{round}");
            let events = vec![event(body.clone()); 1 + round % 3];
            match commit(store, Tx { events, audit: vec![entry(&body)], ..Tx::default() }) {
                Commit::Committed { first_seq } => {
                    (0..=(round % 3) as u64).map(move |at| (first_seq + at, body.clone()))
                }
                other => panic!("{other:?}"),
            }
        })
    };
    let mut told: Vec<(u64, String)> = thread::scope(|scope| {
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || write(writer).collect::<Vec<_>>())).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    told.sort();
    assert_eq!(told.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=told.len() as u64).collect::<Vec<_>>());
    let kept: Vec<_> = all_events(store).into_iter().map(|event| (event.seq, event.body)).collect();
    assert_eq!(kept, told);
    assert_eq!(store.verify_audit().unwrap(), Ok(WRITERS as u64 * 30));
}

fn one_alert_of_a_fingerprint_is_open(store: &dyn Store) {
    let race =
        |number| commit(store, Tx { writes: vec![Write::Open(Arc::new(alert("f", number, 0)))], ..Tx::default() });
    let results: Vec<Commit> = thread::scope(|scope| {
        let racers: Vec<_> = (0..WRITERS).map(|number| scope.spawn(move || race(number))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let winner = store.latest("f").unwrap().unwrap();
    let won = results.iter().filter(|result| matches!(result, Commit::Committed { .. })).count();
    let lost = |result: &&Commit| matches!(result, Commit::Conflict(Some(InTheWay::Alert(other))) if **other == winner);
    assert_eq!((won, results.iter().filter(lost).count()), (1, WRITERS - 1));
    let (closed, next) = (closed(&winner), AlertState { ..alert("f", 99, 9) });
    let mut next = next;
    next.alert.episode = 2;
    let writes = vec![Write::Alert { state: Arc::new(closed), from: 1 }, Write::Open(Arc::new(next.clone()))];
    assert!(matches!(commit(store, Tx { writes, ..Tx::default() }), Commit::Committed { .. }));
    assert_eq!((store.latest("f").unwrap(), store.episodes("f").unwrap()), (Some(next), 2));
}

fn closed(state: &AlertState) -> AlertState {
    let mut closed = state.clone();
    closed.alert.status = Status::Resolved;
    closed.alert.resolved_at = Some(state.alert.last_seen);
    closed.alert.version += 1;
    closed
}

fn a_key_is_answered_once(store: &dyn Store) {
    let keyed = |body: &str, digest| Tx {
        answer: Some(KeyedAnswer { principal: "p".into(), key: "k".into(), digest: [digest; 32], body: body.into() }),
        events: vec![event(body.to_owned())],
        ..Tx::default()
    };
    let results = store.commit_all(vec![keyed("first", 1), keyed("second", 2)]);
    let first = Answered { digest: [1; 32], body: "first".into() };
    assert!(
        matches!(&results[..], [Commit::Committed { first_seq: 1 }, Commit::Duplicate(before)] if *before == first)
    );
    assert!(matches!(commit(store, keyed("third", 1)), Commit::Duplicate(before) if before == first));
    assert_eq!(store.answer("p", "k").unwrap(), Some(first));
    assert_eq!((store.answer("q", "k").unwrap(), all_events(store).len()), (None, 1));
}

fn the_loser_of_a_conflict_gets_the_row_and_leaves_nothing(store: &dyn Store) {
    let state = alert("f", 1, 0);
    let change = |title: &str| {
        let mut next = state.clone();
        next.alert.version = 2;
        next.alert.title = Text::new(title.to_owned());
        Tx {
            writes: vec![
                Write::Meta(Meta::Room("last"), title.to_owned()),
                Write::Alert { state: Arc::new(next), from: 1 },
            ],
            audit: vec![entry(title)],
            events: vec![event(title.to_owned())],
            ..Tx::default()
        }
    };
    let open = Tx { writes: vec![Write::Open(Arc::new(state.clone()))], ..Tx::default() };
    let results = store.commit_all(vec![
        open,
        change("one"),
        change("two"),
        Tx { events: vec![event("x".into())], ..Tx::default() },
    ]);
    let [
        Commit::Committed { .. },
        Commit::Committed { first_seq: 1 },
        Commit::Conflict(Some(InTheWay::Alert(now))),
        Commit::Committed { first_seq: 2 },
    ] = &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!((now.alert.version, now.alert.title.raw()), (2, "one"));
    assert_eq!(store.meta(Meta::Room("last")).unwrap().as_deref(), Some("one"));
    assert_eq!(store.alert(&state.alert.id).unwrap().as_ref(), Some(&**now));
    assert_eq!(store.verify_audit().unwrap(), Ok(1));
}

fn what_is_forgotten_is_said(store: &dyn Store) {
    let at = |millis| Timestamp::from_millis(millis);
    for number in 1..=30 {
        let tx = Tx { at: at(number * 10), events: vec![event(number.to_string())], ..Tx::default() };
        assert!(matches!(commit(store, tx), Commit::Committed { .. }));
    }
    let kept = Retention { events_ms: 200, events: 15, events_at_least_ms: 100, ..Retention::default() };
    assert!(!store.sweep(&kept, at(300)).unwrap());
    let oldest = store.head().unwrap().oldest;
    assert_eq!(oldest, 16, "by number, for none of those left is older than it may be");
    assert_eq!(store.events(0, 10).unwrap(), Replay::Expired { oldest });
    assert_eq!(store.events(oldest - 2, 10).unwrap(), Replay::Expired { oldest });
    assert_eq!(all_events(store).iter().map(|event| event.seq).collect::<Vec<_>>(), (16..=30).collect::<Vec<_>>());
    let few = Retention { events: 1, ..kept };
    store.sweep(&few, at(300)).unwrap();
    assert_eq!(store.head().unwrap().oldest, 20, "what is younger than it must be stays");
    store.sweep(&few, at(10_000)).unwrap();
    let head = store.head().unwrap();
    assert_eq!((head.cursor.seq, head.oldest), (30, 31));
    assert_eq!(store.events(30, 10).unwrap(), Replay::Page(Vec::new()));
    assert!(matches!(
        commit(store, Tx { events: vec![event("31".into())], ..Tx::default() }),
        Commit::Committed { first_seq: 31 }
    ));
}

fn pages_are_stable_under_inserts(store: &dyn Store) {
    fill(store, 30);
    for (sort, scope) in [(Sort::Newest, Scope::All), (Sort::Severity, Scope::Open), (Sort::Severity, Scope::All)] {
        let before = store.head().unwrap().cursor.seq as usize;
        let mut ask = AlertQuery {
            query: stella_protocol::query::parse("type=performance_degradation").unwrap(),
            me: String::new(),
            now: Timestamp::from_millis(1000),
            scope,
            sort,
            after: None,
            limit: 7,
        };
        let (mut seen, mut added) = (Vec::new(), 100 + before * 10);
        loop {
            let page = store.query(&ask).unwrap();
            seen.extend(page.items.iter().map(|alert| alert.id.as_str().to_owned()));
            let mut new = alert(&format!("n{added}"), added, 1_000_000);
            new.alert.severity = Severity::Critical;
            let tx = Tx { writes: vec![Write::Open(Arc::new(new))], events: vec![event("n".into())], ..Tx::default() };
            assert!(matches!(commit(store, tx), Commit::Committed { .. }));
            added += 1;
            assert!(page.items.len() <= 7);
            ask.after = page.next.map(|next| super::AlertKey::read(&next.to_string()).unwrap());
            if ask.after.is_none() {
                break;
            }
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        assert_eq!((seen.len(), once.len()), (before, before), "{sort:?} {scope:?}");
    }
}

fn a_reopened_store_says_the_same(open: &dyn Fn() -> Box<dyn Store>) {
    let look = |store: &dyn Store| (store.head().unwrap(), all_events(store), store.recent(now()).unwrap());
    let store = open();
    fill(&*store, 12);
    let before = look(&*store);
    drop(store);
    let store = open();
    assert_eq!(look(&*store), before);
    assert_eq!(store.verify_audit().unwrap(), Ok(12));
    let more = Tx { events: vec![event("more".into())], audit: vec![entry("more")], ..Tx::default() };
    assert!(matches!(commit(&*store, more), Commit::Committed { first_seq: 13 }));
    assert_eq!(store.verify_audit().unwrap(), Ok(13));
}

fn everything_else_reads_back(store: &dyn Store) {
    let state = alert("f", 1, 0);
    let target = Target { id: state.alert.id.clone(), version: 2 };
    let record = |number: u64, by: &str| ActionRecord {
        number,
        action: Action {
            id: format!("act-{number}").parse().unwrap(),
            verb: Verb::Resolve,
            by: Text::new(by.to_owned()),
            at: now(),
            targets: vec![target.clone()],
            undo_until: Some(Timestamp::from_millis(5)),
        },
        undoable: vec![Undoable {
            id: target.id.clone(),
            left: 2,
            before: Triage::of(&state),
            led: vec![target.id.clone()],
        }],
        undone: false,
    };
    let token = StoredToken {
        fingerprint: [7; 32],
        name: Text::new("sre-1"),
        role: Role::Approver,
        recording: true,
        created_at: now(),
        expires_at: Some(Timestamp::from_millis(9)),
        revoked_at: None,
    };
    let found = sample::evidence(now());
    let writes = vec![
        Write::Open(Arc::new(state.clone())),
        Write::Evidence { alert: state.alert.id.clone(), json: serde_json::to_string(&found).unwrap() },
        Write::Action(Box::new(record(1, "p"))),
        Write::Action(Box::new(record(2, "q"))),
        Write::Undone { action: 1 },
        Write::Token(Box::new(token.clone())),
        Write::Meta(Meta::AppliedLine, "17".into()),
    ];
    assert!(matches!(commit(store, Tx { writes, ..Tx::default() }), Commit::Committed { .. }));
    assert_eq!(store.evidence(&state.alert.id).unwrap(), Some(found));
    assert_eq!(store.action(&"act-2".parse().unwrap()).unwrap(), Some(record(2, "q")));
    assert!(store.action(&"act-1".parse().unwrap()).unwrap().unwrap().undone);
    let listed = |mine| store.actions(mine, 10).unwrap().iter().map(|action| action.id.to_string()).collect::<Vec<_>>();
    assert_eq!((listed(None), listed(Some("p"))), (vec!["act-2".into(), "act-1".into()], vec!["act-1".to_owned()]));
    assert_eq!(store.actions(Some("p"), 1).unwrap()[0].undo_until, None);
    assert_eq!((store.last_action().unwrap(), store.tokens().unwrap()), (2, vec![token]));
    assert_eq!(store.meta(Meta::AppliedLine).unwrap().as_deref(), Some("17"));
}
