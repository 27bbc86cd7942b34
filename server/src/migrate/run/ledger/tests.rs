#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use stella_protocol::migration::{
    Counts, Decision, DecisionKind, DecisionOption, DecisionRequest, MappingRow, MigrationKind, Orphan, OrphanChoice,
    PhaseName, TroubleKind,
};
use stella_protocol::{Code, Text, Timestamp};

use super::*;
use crate::documents::DocumentKey;
use crate::migrate::plan::{Measured, Plan, PlannedCollection};

const COPY: Pass = Pass::of(PhaseName::Copy);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn ledger() -> (tempfile::TempDir, Ledger) {
    let data = tempfile::tempdir().unwrap();
    let ledger = open(data.path());
    (data, ledger)
}

fn open(data: &Path) -> Ledger {
    Ledger::open(data, &"mig-1".parse().unwrap()).unwrap()
}

fn key(id: &str) -> DocumentKey {
    DocumentKey::new("users", id)
}

fn text(words: &str) -> Text {
    Text::new(words.to_owned())
}

fn batch(number: u64, documents: u64) -> Batch {
    let (name, collection) = ("users".to_owned(), "users".to_owned());
    Batch { number, name, collection, after: None, upto: format!("{number}"), documents, bytes: 10 }
}

fn written(id: &str, version: u64, made: bool) -> WrittenDocument {
    let how = if made { How::Created } else { How::Changed };
    WrittenDocument { key: key(id), version, how, made, source: made.then(|| key("old")), source_version: Some(1) }
}

fn done(pass: Pass, number: u64, written: Vec<WrittenDocument>) -> BatchDone {
    let counts = Counts { done: written.len() as u64, conflicts: 1, ..Counts::default() };
    let (digest_before, digest_after) = ([1; 32], [2; 32]);
    let (reach, troubles) = (Reach::End, vec![]);
    BatchDone { pass, number, reach, digest_before, digest_after, written, counts, troubles, ms: 5, at: at(9) }
}

fn orphan(id: &str, documents: u64) -> Orphan {
    Orphan {
        id: text(id),
        form: text("numeric"),
        documents: vec![(text("users"), documents)],
        references: documents,
        known: vec![],
        candidates: vec![],
        decision: None,
    }
}

fn decision(number: u64) -> Decision {
    let option = |name: &str| DecisionOption { name: text(name), words: text(name) };
    Decision {
        id: text(&format!("dec-{number}")),
        kind: DecisionKind::SharedId,
        question: text("whose?"),
        ids: vec![text("7")],
        evidence: vec![],
        options: vec![option("first"), option("second")],
        decided: None,
    }
}

fn findings() -> Findings {
    let users = PlannedCollection {
        name: "users".into(),
        priority: Some(0),
        documents: Some(9),
        changes: 3,
        ..Default::default()
    };
    let plan = Plan {
        kind: MigrationKind::UserIds,
        key_id: "k".into(),
        map_title: "m".into(),
        map_digest: "d".into(),
        mapping: BTreeMap::from([("7".to_owned(), "usr_a".to_owned())]),
        further: BTreeMap::new(),
        stays: BTreeSet::new(),
        orphan_choices: BTreeMap::new(),
        decided: BTreeMap::new(),
        collections: vec![users, PlannedCollection { name: "odd".into(), ..Default::default() }],
    };
    let row = |from: &str| MappingRow {
        from: text(from),
        form: text("numeric"),
        to: text("usr_a"),
        minted: true,
        references: 1,
        evidence: vec![],
        decided_by: None,
    };
    let measured = Measured { scanned_at: at(1), orphan_ids: 5, batches: 2, bytes: 9, first_scope: None, misses: 1 };
    let miss = Miss { collection: text("odd"), path: text("x"), documents: 1, values: 1, example: text("odd/1") };
    Findings {
        summary: plan.summary(measured).unwrap(),
        plan,
        mapping: ["7", "8", "9"].map(row).to_vec(),
        orphans: [("a", 1), ("b", 5), ("c", 5), ("d", 2), ("e e", 5)].map(|(id, many)| orphan(id, many)).to_vec(),
        decisions: (1..=3).map(decision).collect(),
        misses: vec![miss],
    }
}

fn answer(id: &str, option: &str) -> DecisionRequest {
    DecisionRequest::Question { id: text(id), option: text(option), reason: text("I asked them") }
}

fn choice(id: &str, choice: OrphanChoice, user: Option<&str>) -> DecisionRequest {
    DecisionRequest::Orphan { id: text(id), choice, user: user.map(text), reason: text("they said so") }
}

fn code(decide: Decide) -> Code {
    match decide {
        Decide::Refused(refusal) => refusal.code,
        Decide::Answered { what, .. } => unreachable!("{what:?}"),
    }
}

/// Walks through pages until there is no next one.
fn walk<T>(mut page: impl FnMut(Option<&str>) -> (Vec<T>, Option<String>)) -> Vec<T> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let (items, next) = page(after.as_deref());
        all.extend(items);
        match next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

#[test]
fn a_batch_that_is_settled_twice_counts_once() {
    let (_data, ledger) = ledger();
    ledger.put_plan(&findings()).unwrap();
    ledger.put_batches(Pass::PLAN, &[batch(1, 2), batch(2, 3)]).unwrap();
    ledger.take_plan(COPY).unwrap();
    let trouble = NewTrouble { kind: TroubleKind::Parked, document: key("x"), what: text("it clashes") };
    let first =
        BatchDone { troubles: vec![trouble], ..done(COPY, 1, vec![written("a", 5, false), written("b", 6, true)]) };
    assert_eq!(ledger.settle(&first).unwrap(), Settled::Now);
    assert_eq!(ledger.settle(&first).unwrap(), Settled::Before);
    assert_eq!(ledger.settle(&BatchDone { number: 9, ..first }).unwrap(), Settled::NoSuch);
    let counts = Counts { planned: 5, done: 2, conflicts: 1, ..Counts::default() };
    assert_eq!(ledger.counts(PhaseName::Copy).unwrap(), counts);
    let collections = ledger.collections(None, 9).unwrap().items;
    let told: Vec<(&str, u64)> = collections.iter().map(|one| (one.name.raw(), one.counts.done)).collect();
    assert_eq!(told, [("users", 2), ("odd", 0)], "each collection has its own");
    assert_eq!(ledger.troubles(None, 9).unwrap().items.len(), 1);
    assert_eq!(ledger.count_troubles(TroubleKind::Parked).unwrap(), 1);
    assert!(ledger.is_troubled(&key("x"), TroubleKind::Parked).unwrap());
    assert!(!ledger.is_troubled(&key("x"), TroubleKind::Differs).unwrap());
    let so_far = Progressed { batches: (1, 2), documents: (2, 5), at: Some(at(9)) };
    assert_eq!(ledger.progressed(PhaseName::Copy).unwrap(), so_far);
    assert_eq!(ledger.progressed_in(Pass { round: 1, ..COPY }).unwrap(), Progressed::default());
    assert_eq!(ledger.undone(COPY, 0, 9).unwrap(), [batch(2, 3)]);
    let kept = ledger.checkpoints(PhaseName::Copy, at(0)).unwrap();
    assert_eq!(kept, [Checkpoint { at: at(9), done: 2, total: 5, collection: text("users") }]);
}

#[test]
fn what_the_canary_wrote_is_not_done_a_second_time_and_a_rehearsal_is_not_done_at_all() {
    let (_data, ledger) = ledger();
    ledger.put_batches(Pass::PLAN, &[batch(1, 2)]).unwrap();
    let canary = Pass::of(PhaseName::Canary);
    let rehearsal = Pass::of(PhaseName::Rehearse);
    for pass in [canary, rehearsal, COPY] {
        ledger.take_plan(pass).unwrap();
    }
    let would = Counts { done: 2, ..Counts::default() };
    ledger.settle(&BatchDone { counts: would, ..done(rehearsal, 1, vec![]) }).unwrap();
    assert_eq!(ledger.counts(PhaseName::Copy).unwrap().done, 0);
    ledger.settle(&done(canary, 1, vec![written("a", 5, false)])).unwrap();
    ledger.settle(&done(COPY, 1, vec![written("a", 7, false), written("b", 8, false)])).unwrap();
    assert_eq!(ledger.counts(PhaseName::Copy).unwrap().done, 2);
    assert_eq!(ledger.counts(PhaseName::Rehearse).unwrap(), Counts { planned: 2, ..would });
    ledger.forget(PhaseName::Rehearse).unwrap();
    assert_eq!(ledger.counts(PhaseName::Rehearse).unwrap(), Counts { planned: 2, ..Counts::default() });
    assert_eq!(ledger.counts(PhaseName::Copy).unwrap().done, 2);
}

#[test]
fn batches_that_are_done_stay_when_they_are_put_or_taken_again() {
    let (_data, ledger) = ledger();
    ledger.put_batches(Pass::PLAN, &[batch(1, 2), batch(2, 2)]).unwrap();
    ledger.take_plan(COPY).unwrap();
    ledger.settle(&done(COPY, 1, vec![])).unwrap();
    ledger.take_plan(COPY).unwrap();
    ledger.put_batches(COPY, &[batch(1, 7), batch(2, 7)]).unwrap();
    assert_eq!(ledger.progressed(PhaseName::Copy).unwrap().documents, (2, 9));
    assert_eq!(ledger.undone(COPY, 0, 9).unwrap(), [batch(2, 7)]);
    assert_eq!(ledger.undone(COPY, 2, 9).unwrap(), []);
}

#[test]
fn a_document_is_told_once_by_its_last_write_and_not_when_it_was_taken_back() {
    let (data, ledger) = ledger();
    ledger.put_batches(COPY, &[batch(1, 2), batch(2, 2)]).unwrap();
    ledger.settle(&done(COPY, 1, vec![written("a", 5, true), written("b", 6, false)])).unwrap();
    ledger.settle(&done(COPY, 2, vec![written("c", 7, false), written("a", 8, false)])).unwrap();
    drop(ledger);
    let ledger = open(data.path());
    let told = |before| -> Vec<(String, u64)> {
        let rows = ledger.written_backwards(before, 9).unwrap();
        rows.into_iter().map(|row| (row.document.key.id, row.document.version)).collect()
    };
    assert_eq!(told(None), [("a".to_owned(), 8), ("c".to_owned(), 7), ("b".to_owned(), 6)]);
    let standing = ledger.written(&key("a")).unwrap().unwrap();
    assert!(standing.document.made, "it was ours from its first write");
    assert_eq!((standing.pass, standing.batch, standing.document.how), (COPY, 2, How::Changed));
    assert_eq!(told(Some(standing.number)), [("c".to_owned(), 7), ("b".to_owned(), 6)]);
    let kept = NewTrouble { kind: TroubleKind::Kept, document: key("c"), what: text("changed since") };
    let documents = vec![(key("a"), Back::PutBack), (key("c"), Back::Kept)];
    ledger.mark_rolled_back(&WrittenBack { documents, troubles: vec![kept], at: at(10) }).unwrap();
    assert_eq!(told(None), [("b".to_owned(), 6)]);
    assert_eq!(ledger.rolled_back().unwrap(), (1, 1, 1));
    assert_eq!(ledger.written(&key("c")).unwrap().unwrap().back, Some(Back::Kept));
    assert_eq!(ledger.count_troubles(TroubleKind::Kept).unwrap(), 1);
    let of = [key("z"), key("b")].map(|key| ledger.written(&key).unwrap().is_some());
    assert_eq!(of, [false, true]);
    let all = ledger.written_after(Some(&key("a")), 9).unwrap();
    assert_eq!(all.into_iter().map(|row| row.document.key.id).collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn a_new_look_forgets_the_last_one_but_not_what_people_decided() {
    let (data, ledger) = ledger();
    ledger.begin_scan().unwrap();
    let seen = Seen { key: key("a"), version: 1, digest: [3; 32], changes: false };
    ledger.see(std::slice::from_ref(&seen)).unwrap();
    ledger.add_owned(&[Owned { user: "7".into(), name: "users".into(), documents: 1 }]).unwrap();
    assert_eq!(ledger.put_plan(&findings()).unwrap(), 3);
    ledger.decide("ana", &answer("dec-2", "first"), at(2)).unwrap();
    ledger.decide("ana", &choice("b", OrphanChoice::Placeholder, None), at(2)).unwrap();
    drop(ledger);
    let ledger = open(data.path());
    assert_eq!(ledger.plan().unwrap().unwrap().0, findings().plan);
    ledger.begin_scan().unwrap();
    assert_eq!(ledger.plan().unwrap(), None);
    assert_eq!(ledger.seen_one(&key("a")).unwrap(), None);
    assert_eq!(ledger.owned(None, 9).unwrap(), []);
    assert_eq!(ledger.answers().unwrap().questions["dec-2"].option, text("first"));
    assert_eq!(ledger.put_plan(&findings()).unwrap(), 2, "one was answered before");
    let orphans = ledger.orphans(None, 9).unwrap().items;
    assert_eq!(orphans[0].decision.as_ref().unwrap().choice, OrphanChoice::Placeholder);
    ledger.put_batches(COPY, &[batch(1, 1)]).unwrap();
    ledger.settle(&done(COPY, 1, vec![written("a", 2, false)])).unwrap();
    assert!(matches!(ledger.begin_scan(), Err(LedgerError::Begun)));
}

#[test]
fn a_question_is_answered_once_with_one_of_its_options_and_a_reason() {
    let (_data, ledger) = ledger();
    ledger.put_plan(&findings()).unwrap();
    let decide = |by: &str, asked: &DecisionRequest| ledger.decide(by, asked, at(3)).unwrap();
    assert_eq!(code(decide("ana", &answer("dec-1", "third"))), Code::NotDecided);
    assert_eq!(code(decide("ana", &answer("dec-9", "first"))), Code::NotFound);
    let silent = DecisionRequest::Question { id: text("dec-1"), option: text("first"), reason: text("  ") };
    assert_eq!(code(decide("ana", &silent)), Code::BadParameter);
    let Decide::Answered { open, .. } = decide("ana", &answer("dec-1", "first")) else { unreachable!() };
    assert_eq!((open, ledger.open_decisions().unwrap()), (2, 2));
    assert!(matches!(decide("ana", &answer("dec-1", "first")), Decide::Answered { open: 2, .. }), "again");
    assert_eq!(code(decide("bo", &answer("dec-1", "second"))), Code::VersionConflict);
    let first = walk(|after| {
        let page = ledger.decisions(after, 1).unwrap();
        (page.items, page.next)
    });
    let told: Vec<(&str, bool)> = first.iter().map(|one| (one.id.raw(), one.decided.is_none())).collect();
    assert_eq!(told, [("dec-2", true), ("dec-3", true), ("dec-1", false)]);
}

#[test]
fn an_id_without_a_user_becomes_somebodys_only_when_two_people_say_the_same() {
    let (_data, ledger) = ledger();
    ledger.put_plan(&findings()).unwrap();
    let decide = |by: &str, asked: &DecisionRequest| ledger.decide(by, asked, at(3)).unwrap();
    let map = |user| choice("a", OrphanChoice::Map, user);
    assert_eq!(code(decide("ana", &map(None))), Code::BadParameter);
    assert_eq!(code(decide("ana", &map(Some("nobody")))), Code::BadParameter);
    assert_eq!(code(decide("ana", &choice("z", OrphanChoice::Placeholder, None))), Code::NotFound);
    let approved = || ledger.answers().unwrap().orphans["a"].approved_by.clone();
    assert!(matches!(decide("ana", &map(Some("usr_a"))), Decide::Answered { open: 3, .. }));
    assert_eq!(approved(), None);
    assert_eq!(code(decide("ana", &map(Some("usr_a")))), Code::OwnProposal);
    assert_eq!(code(decide("bo", &map(Some("7")))), Code::VersionConflict, "another id than ana said");
    assert_eq!(code(decide("bo", &choice("a", OrphanChoice::Placeholder, None))), Code::VersionConflict);
    assert_eq!(code(decide("bo", &choice("a", OrphanChoice::Archive, None))), Code::VersionConflict);
    let archive = choice("b", OrphanChoice::Archive, None);
    let Decide::Answered { what, open: 3 } = decide("bo", &archive) else { unreachable!() };
    assert_eq!(what.raw(), "b stays, and what it owns is marked as archived");
    assert!(matches!(decide("bo", &archive), Decide::Answered { .. }), "again");
    assert_eq!(code(decide("cy", &choice("b", OrphanChoice::Placeholder, None))), Code::VersionConflict);
    assert!(matches!(decide("cy", &choice("b", OrphanChoice::Quarantine, None)), Decide::Answered { .. }));
    assert!(matches!(decide("bo", &map(Some("usr_a"))), Decide::Answered { .. }));
    assert_eq!(approved(), Some(text("bo")));
    assert_eq!(code(decide("cy", &map(Some("usr_a")))), Code::VersionConflict);
    assert!(matches!(decide("cy", &choice("a", OrphanChoice::Quarantine, None)), Decide::Answered { .. }));
    assert!(matches!(decide("ana", &choice("a", OrphanChoice::Placeholder, None)), Decide::Answered { .. }));
}

#[test]
fn pages_give_every_row_once_and_in_their_order() {
    let (_data, ledger) = ledger();
    ledger.put_plan(&findings()).unwrap();
    for limit in [1, 2, 3, 9] {
        let orphans = walk(|after| {
            let page = ledger.orphans(after, limit).unwrap();
            (page.items, page.next)
        });
        let ids: Vec<&str> = orphans.iter().map(|one| one.id.raw()).collect();
        assert_eq!(ids, ["b", "c", "e e", "d", "a"]);
        let mapping = walk(|after| {
            let page = ledger.mapping(after, limit).unwrap();
            (page.items, page.next)
        });
        assert_eq!(mapping.iter().map(|one| one.from.raw()).collect::<Vec<_>>(), ["7", "8", "9"]);
        let collections = walk(|after| {
            let page = ledger.collections(after, limit).unwrap();
            (page.items, page.next)
        });
        let told: Vec<(&str, u64)> = collections.iter().map(|one| (one.name.raw(), one.counts.planned)).collect();
        assert_eq!(told, [("users", 3), ("odd", 0)]);
        assert_eq!(walk(|after| ledger.misses(after, limit).unwrap()), findings().misses);
    }
    assert_eq!(ledger.ids_of("8").unwrap().len(), 3);
    assert_eq!(ledger.ids_of("usr_a").unwrap().len(), 3);
    assert_eq!(ledger.ids_of("nobody").unwrap(), []);
    assert!(matches!(ledger.orphans(Some("x"), 1), Err(LedgerError::After)));
    assert!(matches!(ledger.troubles(Some("-"), 1), Err(LedgerError::After)));
}

#[test]
fn documents_seen_come_back_in_order_of_collection_and_id_and_as_they_were_seen_last() {
    let (_data, ledger) = ledger();
    let seen = |collection: &str, id: &str, version| Seen {
        key: DocumentKey::new(collection, id),
        version,
        digest: content_digest(&BTreeMap::from([("v".to_owned(), json!(version))])),
        changes: version > 1,
    };
    ledger.see(&[seen("users", "b", 1), seen("users", "a", 1), seen("agents/a-7/shares", "z", 1)]).unwrap();
    ledger.see(&[seen("users", "b", 2)]).unwrap();
    let wanted = [seen("agents/a-7/shares", "z", 1), seen("users", "a", 1), seen("users", "b", 2)];
    assert_eq!(ledger.seen(None, 9).unwrap(), wanted);
    assert_eq!(ledger.seen(Some(&wanted[0].key), 1).unwrap(), wanted[1..2]);
    assert_eq!(ledger.seen_in("users", Some("a"), None, 9).unwrap(), wanted[2..]);
    assert_eq!(ledger.seen_in("users", None, Some("a"), 9).unwrap(), wanted[1..2]);
    assert_eq!(ledger.seen_one(&wanted[2].key).unwrap().as_ref(), Some(&wanted[2]));
    ledger.add_owned(&[Owned { user: "7".into(), name: "users".into(), documents: 2 }]).unwrap();
    ledger.add_owned(&[Owned { user: "7".into(), name: "users".into(), documents: 3 }]).unwrap();
    let owned = ledger.owned(None, 9).unwrap();
    assert_eq!(owned, [Owned { user: "7".into(), name: "users".into(), documents: 5 }]);
}

#[test]
fn the_log_keeps_its_first_and_its_last_lines_and_says_what_it_left_out() {
    let (_data, ledger) = ledger();
    ledger
        .write("fill the log", |tx| {
            (1..=12_345).try_for_each(|line| notes::put_log(tx, at(line), &format!("line {line}")))
        })
        .unwrap();
    let rows = walk(|after| {
        let page = ledger.log_rows(after, 500).unwrap();
        (page.items, page.next)
    });
    assert!(rows.len() <= 10_000, "{}", rows.len());
    let numbers: BTreeSet<u64> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers.len(), rows.len());
    assert_eq!((rows[999].text.raw(), rows[999].number), ("line 1000", 1000));
    assert_eq!(rows[1000].text.raw(), format!("lines 1001 to {} are not kept", rows[1000].number));
    assert_eq!(rows[1001].number, rows[1000].number + 1, "nothing is left out besides");
    assert_eq!(rows.last().unwrap().text.raw(), "line 12345");
}

#[test]
fn a_ledger_is_for_its_owners_eyes_and_one_that_is_no_database_is_refused() {
    let (data, ledger) = ledger();
    ledger.make_durable().unwrap();
    assert!(ledger.bytes() > 0 && Ledger::exists(data.path(), &"mig-1".parse().unwrap()));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = data.path().join("migrations");
    assert_eq!((mode(&folder), mode(&folder.join("mig-1.db"))), (0o700, 0o600));
    drop(ledger);
    fs::write(folder.join("mig-2.db"), b"these are not the pages of a database".repeat(400)).unwrap();
    assert!(Ledger::open(data.path(), &"mig-2".parse().unwrap()).is_err());
}

#[test]
fn a_fold_tells_order_keys_and_contents_apart() {
    let fold = |documents: &[(&str, &str, u8)]| {
        let mut fold = Fold::default();
        for (collection, id, byte) in documents {
            fold.take(&DocumentKey::new(*collection, *id), &[*byte; 32]);
        }
        fold.done()
    };
    let all = [
        fold(&[]),
        fold(&[("a", "b", 1)]),
        fold(&[("ab", "", 1)]),
        fold(&[("a", "b", 2)]),
        fold(&[("a", "b", 1), ("a", "c", 1)]),
        fold(&[("a", "c", 1), ("a", "b", 1)]),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    let (_data, ledger) = ledger();
    ledger.put_batches(COPY, &[batch(1, 1), batch(2, 1)]).unwrap();
    let none = ledger.folded(COPY).unwrap();
    assert_eq!(none.0, none.1);
    ledger.settle(&done(COPY, 2, vec![])).unwrap();
    let one = ledger.folded(COPY).unwrap();
    assert_ne!(one.0, one.1, "before and after");
    assert_ne!(one, none);
}
