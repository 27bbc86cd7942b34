//! Reads on a bad day, long documents, and answers that are none.

use super::double::Fault;
use super::*;

async fn filled(documents: usize) -> Double {
    let double = Double::start().await;
    for id in 0..documents {
        double.put(&format!("things/{id:04}"), json!({ "n": { "integerValue": id.to_string() } }));
    }
    double
}

#[tokio::test]
async fn a_read_is_asked_again_whatever_it_was() {
    for fault in [
        Fault::Status(429, "RESOURCE_EXHAUSTED"),
        Fault::Status(503, "UNAVAILABLE"),
        Fault::Proxy(502),
        Fault::DoneThenBroken,
        Fault::DoneThenPage,
        Fault::HalfWay,
    ] {
        let double = filled(5).await;
        let store = on(&double, pace());
        double.reads_meet([fault, fault]);
        let page = store.scan("things", None, 9).await.unwrap();
        assert_eq!((page.documents.len(), page.next), (5, None), "{fault:?}");
        double.reads_meet([fault]);
        assert!(store.get(&key("0003")).await.unwrap().is_some(), "{fault:?}");
        double.reads_meet(vec![fault; 9]);
        assert!(matches!(store.scan("things", None, 9).await, Err(DocumentsError::Unavailable(_))), "{fault:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_by_asking_again_is_said_at_once() {
    let double = filled(1).await;
    let store = on(&double, pace());
    for (fault, wanted) in [
        (Fault::Redirect, "not followed"),
        (Fault::Status(403, "PERMISSION_DENIED"), "PERMISSION_DENIED"),
        (Fault::Status(400, "FAILED_PRECONDITION"), "FAILED_PRECONDITION"),
        (Fault::Proxy(404), "404"),
    ] {
        double.reads_meet([fault]);
        let asked = double.asked().reads;
        let error = store.count("things").await.unwrap_err();
        assert!(matches!(&error, DocumentsError::Refused(why) if why.contains(wanted)), "{fault:?}: {error}");
        assert_eq!(double.asked().reads, asked + 1);
    }
    let elsewhere = Surroundings { emulator: Some(double.host()), key_file: None };
    let store = Firestore::within(&settings("another"), elsewhere, pace(), &Clock::system()).unwrap();
    assert!(matches!(store.scan("things", None, 1).await, Err(DocumentsError::Refused(_))));
    let written = store.write(vec![put("a", Expect::Absent, 1)]).await;
    assert!(matches!(written, Err(DocumentsError::Refused(_))), "{written:?}");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unavailable() {
    let double = filled(1).await;
    let store = on(&double, Pace { answer: Duration::from_millis(100), tries: 2, ..pace() });
    double.reads_meet([Fault::Silent, Fault::Silent]);
    assert!(matches!(store.count("things").await, Err(DocumentsError::Unavailable(_))));
    assert_eq!(store.count("things").await.unwrap(), 1);
}

#[tokio::test]
async fn long_documents_come_in_shorter_pages_and_all_of_them_come() {
    let double = Double::start().await;
    let text = "x".repeat(10_000);
    for id in 0..40 {
        double.put(&format!("things/{id:02}"), json!({ "text": { "stringValue": text } }));
    }
    let store = on(&double, Pace { bytes: 64 * 1024, ..pace() });
    let (mut all, mut after, mut longest) = (Vec::new(), None, 0);
    loop {
        let page = store.scan("things", after.as_deref(), 30).await.unwrap();
        longest = longest.max(page.documents.len());
        all.extend(page.documents.into_iter().map(|document| document.key.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let ids: Vec<String> = (0..40).map(|id| format!("{id:02}")).collect();
    assert!(all == ids && (1..=6).contains(&longest), "{longest}: {all:?}");
    let keys: Vec<DocumentKey> = ids.iter().map(|id| key(id)).collect();
    assert_eq!(store.0.these(&keys).await.unwrap().len(), 40);
    double.put("things/one", json!({ "text": { "stringValue": "x".repeat(70_000) } }));
    let error = store.get(&key("one")).await.unwrap_err();
    assert!(matches!(&error, DocumentsError::Refused(why) if why.contains("longer")), "{error}");
}

#[tokio::test]
async fn what_is_not_understood_is_told_and_not_passed_over() {
    let double = filled(2).await;
    let store = on(&double, pace());
    double.put("things/new", json!({ "f": { "vectorValue": {} } }));
    let error = store.scan("things", None, 9).await.unwrap_err();
    assert!(matches!(&error, DocumentsError::Refused(why) if why.contains("things/new")), "{error}");
    double.remove("things/new");
    double.put("things/__id7__", json!({}));
    let error = store.scan("things", None, 9).await.unwrap_err();
    assert!(matches!(&error, DocumentsError::Refused(why) if why.contains("numbers for ids")), "{error}");
    assert_eq!(store.scan("others", None, 9).await.unwrap(), DocumentPage::default());
}

#[tokio::test]
async fn names_with_anything_in_them_lead_where_they_should() {
    let double = Double::start().await;
    let store = on(&double, pace());
    for id in ["a:commit", "a%2Fb", "?q=1#x", "ü n", "..x", "\u{1f980}"] {
        let below = DocumentKey::new(format!("things/{id}/be low:runQuery"), "x y");
        let write = DocumentWrite { key: below.clone(), expect: Expect::Absent, leave: Leave::Fields([].into()) };
        assert!(matches!(store.write(vec![write]).await.unwrap()[0], Written::Done(_)), "{id}");
        assert_eq!(store.collections(Some(&format!("things/{id}"))).await.unwrap(), ["be low:runQuery"], "{id}");
        assert_eq!(store.count(&below.collection).await.unwrap(), 1, "{id}");
        assert_eq!(store.scan(&below.collection, Some("x"), 5).await.unwrap().documents[0].key, below, "{id}");
        assert_eq!(store.absent(&below.collection, None).await.unwrap(), AbsentPage::default(), "{id}");
    }
    let all: Vec<String> = store.absent("things", None).await.unwrap().ids;
    assert_eq!(all, ["..x", "?q=1#x", "a%2Fb"], "the first of several pages");
}
