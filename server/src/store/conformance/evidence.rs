//! What stands around alerts.

use stella_detect::Lesson;
use stella_protocol::Deploy;

use super::*;
use crate::marks::Marked;

fn write(store: &dyn Store, at: i64, writes: Vec<Write>) {
    let tx = Tx { at: Timestamp::from_millis(at), writes, ..Tx::default() };
    assert!(matches!(commit(store, tx), Commit::Committed { .. }));
}

fn marked(number: u64, fingerprint: &str, times: u32) -> Marked {
    let at = Timestamp::from_millis(5);
    let lesson = Lesson { fingerprint: format!("{fingerprint} whole"), at, times, lines: 7 };
    Marked {
        number,
        fingerprint: Text::new(fingerprint.to_owned()),
        known_as: lesson.fingerprint.clone(),
        title: Text::new("slow"),
        at,
        by: Text::new("ana"),
        lesson: (times > 0).then_some(lesson),
        before: None,
    }
}

fn deploy(revision: &str, at: i64) -> Deploy {
    Deploy {
        service: Text::new("api"),
        revision: Text::new(revision.to_owned()),
        at: Timestamp::from_millis(at),
        by: None,
        source: stella_protocol::DeploySource::Line,
    }
}

pub(super) fn marks_and_deploys_read_back(open: &dyn Fn() -> Box<dyn Store>) {
    let store = open();
    let marks = [marked(1, "a", 1), marked(2, "b", 1), marked(3, "a", 2), marked(4, "b", 0)];
    write(&*store, 0, marks.iter().map(|marked| Write::Mark(Box::new(marked.clone()))).collect());
    let deploys = [deploy("r2", 200), deploy("r1", 100), deploy("r3", 300)];
    write(&*store, 0, deploys.iter().map(|deploy| Write::Deploy(Box::new(deploy.clone()))).collect());
    drop(store);
    let store = open();
    assert_eq!(store.marks().unwrap(), [marked(3, "a", 2), marked(4, "b", 0)]);
    let found = |from, to, limit| {
        let found = store.deploys(Timestamp::from_millis(from), Timestamp::from_millis(to), limit).unwrap();
        found.iter().map(|deploy| deploy.revision.raw().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(0, i64::MAX, 9), ["r3", "r2", "r1"]);
    assert_eq!((found(100, 200, 9), found(0, 300, 1)), (vec!["r2".to_owned(), "r1".to_owned()], vec!["r3".to_owned()]));
    let kept = Retention::default();
    store.sweep(&kept, Timestamp::from_millis(kept.answers_ms + 1)).unwrap();
    assert_eq!(store.marks().unwrap(), [marked(3, "a", 2)], "what was taken back is forgotten, what stands is not");
}

pub(super) fn what_began_together_and_what_looks_alike_is_found(store: &dyn Store) {
    let closed = |number: usize, fingerprint: &str, at: i64, service: &str| {
        let mut state = alert(fingerprint, number, at);
        state.alert.status = Status::Resolved;
        state.alert.service = Text::new(service.to_owned());
        state.alert.episode = number as u32;
        state
    };
    let all = [
        closed(1, "f", 1000, "api"),
        closed(2, "g", 2000, "api"),
        closed(3, "h", 3000, "web"),
        closed(4, "f", 4000, "api"),
        closed(5, "g", 5000, "api"),
    ];
    write(store, 0, all.iter().map(|state| Write::Open(Arc::new(state.clone()))).collect());
    let open = closed(6, "f", 6000, "api");
    let open = AlertState { alert: stella_protocol::Alert { status: Status::New, ..open.alert }, ..open };
    write(store, 0, vec![Write::Open(Arc::new(open.clone()))]);
    let ids = |found: Vec<AlertState>| -> Vec<String> {
        found.iter().map(|state| state.alert.id.as_str()[8..].to_owned()).collect()
    };
    let begun =
        |from, to, limit| ids(store.begun(Timestamp::from_millis(from), Timestamp::from_millis(to), limit).unwrap());
    assert_eq!((begun(2000, 4000, 9), begun(0, 9000, 2)), (ids(all[1..4].to_vec()), ids(all[..2].to_vec())));
    let similar = |limit| ids(store.similar(&open.alert, limit).unwrap());
    assert_eq!(similar(9), ["4", "1", "5", "2"], "its own first, and no other service");
    assert_eq!(similar(3), ["4", "1", "5"]);
}
