//! Writes on a bad day: nothing is done twice, nothing is said to be done that may not be, and nothing is given up
//! that can be had by asking again.

use futures_util::future::join_all;

use super::double::Fault;
use super::*;

/// A store with `a` in it, and its version.
async fn with_a(double: &Double) -> (Firestore, u64) {
    let store = on(double, pace());
    let made = store.write(vec![put("a", Expect::Absent, 1)]).await.unwrap();
    let Written::Done(version) = made[0] else { unreachable!("nothing stood there") };
    (store, version)
}

fn number(double: &Double, id: &str) -> Option<String> {
    let contents = double.contents();
    contents.get(&format!("things/{id}")).map(|fields| fields["n"]["integerValue"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_surely_did_nothing_is_asked_again() {
    for fault in [Fault::Status(429, "RESOURCE_EXHAUSTED"), Fault::Status(409, "ABORTED")] {
        let double = Double::start().await;
        let store = on(&double, pace());
        double.commits_meet([fault, fault]);
        let made = store.write(vec![put("a", Expect::Absent, 1)]).await.unwrap();
        assert!(matches!(made[0], Written::Done(_)));
        assert_eq!((double.asked().commits, double.asked().done), (3, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn what_goes_on_to_do_nothing_is_unavailable_and_nothing_was_done() {
    let double = Double::start().await;
    let store = on(&double, pace());
    double.commits_meet(vec![Fault::Status(429, "RESOURCE_EXHAUSTED"); 99]);
    let error = store.write(vec![put("a", Expect::Absent, 1)]).await.unwrap_err();
    assert!(matches!(&error, DocumentsError::Unavailable(why) if why.contains("RESOURCE_EXHAUSTED")), "{error}");
    assert_eq!((double.asked().commits, double.contents().len()), (u64::from(pace().tries), 0));
}

#[tokio::test]
async fn a_change_whose_answer_said_nothing_is_asked_again_and_done_once() {
    for fault in [
        Fault::Status(503, "UNAVAILABLE"),
        Fault::Status(504, "DEADLINE_EXCEEDED"),
        Fault::Status(500, "INTERNAL"),
        Fault::Proxy(502),
        Fault::Redirect,
    ] {
        let double = Double::start().await;
        let (store, version) = with_a(&double).await;
        double.commits_meet([fault]);
        let done = store.write(vec![put("a", Expect::Version(version), 2)]).await.unwrap();
        assert_eq!(done, [Written::Done(double.versions()["things/a"])], "{fault:?}");
        assert_eq!((double.asked().commits, double.asked().done), (3, 2), "{fault:?}");
    }
}

#[tokio::test]
async fn a_change_that_was_done_without_an_answer_is_unknown_and_never_done_twice() {
    for fault in [
        Fault::DoneThen(503, "UNAVAILABLE"),
        Fault::DoneThen(504, "DEADLINE_EXCEEDED"),
        Fault::DoneThenBroken,
        Fault::DoneThenPage,
    ] {
        let double = Double::start().await;
        let (store, version) = with_a(&double).await;
        double.commits_meet([fault]);
        let error = store.write(vec![put("a", Expect::Version(version), 2)]).await.unwrap_err();
        assert!(matches!(error, DocumentsError::Unknown(_)), "{fault:?}: {error}");
        assert_eq!((double.asked().done, number(&double, "a").as_deref()), (2, Some("2")), "{fault:?}");
        // Whoever looks finds what it was to be.
        let now = store.get(&key("a")).await.unwrap().unwrap();
        assert!(now.version > version && now.fields["n"] == 2);
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unknown() {
    let double = Double::start().await;
    let (_, version) = with_a(&double).await;
    let impatient = on(&double, Pace { answer: Duration::from_millis(250), ..pace() });
    double.commits_meet([Fault::DoneThenSilent]);
    let error = impatient.write(vec![put("a", Expect::Version(version), 2)]).await.unwrap_err();
    assert!(matches!(error, DocumentsError::Unknown(_)), "{error}");
    assert_eq!(number(&double, "a").as_deref(), Some("2"));
    double.commits_meet([Fault::Silent]);
    let error = impatient.write(vec![put("b", Expect::Absent, 1)]).await.unwrap_err();
    assert!(matches!(&error, DocumentsError::Unknown(why) if why.contains("in time")), "{error}");
    assert_eq!(number(&double, "b"), None);
}

#[tokio::test]
async fn what_makes_documents_is_not_asked_again_in_doubt() {
    for fault in [Fault::Status(503, "UNAVAILABLE"), Fault::DoneThenBroken] {
        let double = Double::start().await;
        let (store, version) = with_a(&double).await;
        double.commits_meet([fault]);
        let both = vec![put("a", Expect::Version(version), 2), put("b", Expect::Absent, 1)];
        let error = store.write(both).await.unwrap_err();
        assert!(matches!(error, DocumentsError::Unknown(_)), "{error}");
        assert_eq!(double.asked().commits, 2, "somebody may have deleted it since, on purpose");
    }
}

#[tokio::test]
async fn a_conflict_behind_a_doubt_stays_a_doubt_and_one_without_is_told() {
    let double = Double::start().await;
    let (store, version) = with_a(&double).await;
    double.put("things/a", json!({ "n": { "integerValue": "7" } }));
    let told = store.write(vec![put("a", Expect::Version(version), 2)]).await.unwrap();
    assert!(matches!(&told[0], Written::Conflict(Some(now)) if now.fields["n"] == 7));
    double.commits_meet([Fault::Status(503, "UNAVAILABLE")]);
    let error = store.write(vec![put("a", Expect::Version(version), 2)]).await.unwrap_err();
    assert!(matches!(error, DocumentsError::Unknown(_)), "{error}");
}

#[tokio::test]
async fn of_a_batch_that_met_something_everything_is_told_and_nothing_was_done() {
    let double = Double::start().await;
    let (store, version) = with_a(&double).await;
    double.put("things/b", json!({}));
    let writes = vec![
        put("a", Expect::Version(version), 2),
        put("b", Expect::Absent, 2),
        put("c", Expect::Version(version), 2),
        put("d", Expect::Absent, 2),
    ];
    let told = store.write(writes).await.unwrap();
    assert!(matches!(&told[..], [Written::Held, Written::Conflict(Some(_)), Written::Conflict(None), Written::Held]));
    assert_eq!((number(&double, "a").as_deref(), double.contents().len()), (Some("1"), 2));
}

#[tokio::test]
async fn what_is_not_taken_is_refused_at_once() {
    for fault in [Fault::Status(403, "PERMISSION_DENIED"), Fault::Status(400, "INVALID_ARGUMENT"), Fault::Proxy(403)] {
        let double = Double::start().await;
        let store = on(&double, pace());
        double.commits_meet([fault]);
        let error = store.write(vec![put("a", Expect::Absent, 1)]).await.unwrap_err();
        assert!(matches!(error, DocumentsError::Refused(_)), "{error}");
        assert_eq!(double.asked().commits, 1);
    }
}

#[tokio::test]
async fn a_batch_has_its_limits_and_nothing_longer_is_sent() {
    let double = Double::start().await;
    let store = on(&double, pace());
    let large = |id: usize, bytes: usize| DocumentWrite {
        key: key(&id.to_string()),
        expect: Expect::Absent,
        leave: Leave::Fields([("text".to_owned(), json!("x".repeat(bytes)))].into()),
    };
    let error = store.write((0..5).map(|id| large(id, 800 * 1024)).collect()).await.unwrap_err();
    assert!(matches!(&error, DocumentsError::Refused(why) if why.contains("at most")), "{error}");
    // Much longer on the wire than it is.
    let escapes = |id: usize| DocumentWrite {
        leave: Leave::Fields([("text".to_owned(), json!("\u{1}".repeat(170 * 1024)))].into()),
        ..large(id, 0)
    };
    assert!(matches!(store.write((0..10).map(escapes).collect()).await, Err(DocumentsError::Refused(_))));
    assert_eq!(double.asked().commits, 0);
    let four = store.write((0..4).map(|id| large(id, 800 * 1024)).collect()).await.unwrap();
    assert_eq!((four.len(), double.contents().len()), (4, 4));
}

#[tokio::test]
async fn nobody_there_is_unavailable_for_reads_and_writes() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let around = Surroundings { emulator: Some(host), key_file: None };
    let store = Firestore::within(&settings(PROJECT), around, pace(), &Clock::system()).unwrap();
    assert!(matches!(store.get(&key("a")).await, Err(DocumentsError::Unavailable(_))));
    let written = store.write(vec![put("a", Expect::Absent, 1)]).await;
    assert!(matches!(written, Err(DocumentsError::Unavailable(_))), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_any_weather_a_change_is_counted_exactly_as_often_as_it_is_said_to_be_done() {
    let bad = [
        Fault::Status(429, "RESOURCE_EXHAUSTED"),
        Fault::Status(409, "ABORTED"),
        Fault::Status(503, "UNAVAILABLE"),
        Fault::DoneThen(503, "UNAVAILABLE"),
        Fault::DoneThenBroken,
        Fault::Redirect,
    ];
    let double = Double::start().await;
    let (store, _) = with_a(&double).await;
    let mut dice = 7_u64;
    let weather = (0..120).map(|_| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bad[(dice >> 33) as usize % bad.len()]
    });
    double.commits_meet(weather);
    // Each adds one, ten times; in doubt it looks whether its own mark is there.
    let add = |writer: usize| {
        let store = store.clone();
        async move {
            for round in 0..10 {
                let mark = format!("{writer}-{round}");
                loop {
                    let now = store.get(&key("a")).await.unwrap().unwrap();
                    if now.fields.contains_key(&mark) {
                        break;
                    }
                    let mut fields = now.fields.clone();
                    fields.insert(mark.clone(), json!(true));
                    fields.insert("n".to_owned(), json!(now.fields["n"].as_i64().unwrap() + 1));
                    let write = DocumentWrite {
                        key: key("a"),
                        expect: Expect::Version(now.version),
                        leave: Leave::Fields(fields),
                    };
                    match store.write(vec![write]).await {
                        Ok(done) if matches!(done[0], Written::Done(_)) => break,
                        _ => {}
                    }
                }
            }
        }
    };
    join_all((0..4).map(add)).await;
    assert_eq!(number(&double, "a").as_deref(), Some("41"), "nothing was lost, nothing was done twice");
}
