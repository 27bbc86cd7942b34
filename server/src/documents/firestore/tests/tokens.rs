//! Tokens: asked for when there is none, kept while they last, another one when the store does not know one any more.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use futures_util::future::join_all;

use super::super::access::account;
use super::*;
use crate::secret_place::Hidden;

/// Gives `t1`, `t2`, … to whoever asks as the description says; with a status instead, that.
struct Giver {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Giver {
    async fn start(lasts: u64, refuses: Option<u16>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let give = move || {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let status = StatusCode::from_u16(refuses.unwrap_or(200)).unwrap();
            (
                status,
                json!({ "access_token": format!("t{number}"), "expires_in": lasts, "token_type": "Bearer" })
                    .to_string(),
            )
        };
        let other = give.clone();
        let by_claim = move |headers: HeaderMap, body: String| async move {
            let form = headers.get("content-type").is_some_and(|kind| kind == "application/x-www-form-urlencoded");
            let claim =
                body.strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
            if form && claim.is_some_and(|claim| claim.split('.').count() == 3) {
                give()
            } else {
                (StatusCode::BAD_REQUEST, String::new())
            }
        };
        let of_machine = move |headers: HeaderMap| async move {
            if headers.get("metadata-flavor").is_some_and(|flavor| flavor == "Google") {
                other()
            } else {
                (StatusCode::FORBIDDEN, String::new())
            }
        };
        let app = Router::new().route("/token", post(by_claim)).route("/machine", get(of_machine));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, asked }
    }

    fn account(&self) -> Way {
        Way::Account(Box::new(account::tests::account().asking_at(format!("{}/token", self.address))))
    }

    fn machine(&self) -> Way {
        Way::Machine(format!("{}/machine", self.address))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn store(double: &Double, way: Way) -> Firestore {
    let client = || rest::client(Reach::Plain, &pace()).unwrap();
    let access = Access::new(way, client(), Clock::system());
    let base = format!("http://{}", double.host());
    Firestore::at(base, Database::new(PROJECT, DATABASE), client(), access, pace())
}

#[tokio::test]
async fn a_token_is_asked_for_once_however_many_need_it_and_kept_while_it_lasts() {
    let (double, giver) = (Double::start().await, Giver::start(3_600, None).await);
    double.opens_to("t1");
    let store = store(&double, giver.account());
    let counts = join_all((0..8).map(|_| store.count("things"))).await;
    assert!(counts.into_iter().all(|count| count.unwrap() == 0));
    assert_eq!(giver.asked(), 1);
}

#[tokio::test]
async fn a_token_that_is_not_known_any_more_is_replaced_once_and_the_write_is_done_once() {
    let (double, giver) = (Double::start().await, Giver::start(3_600, None).await);
    double.opens_to("t2");
    let store = store(&double, giver.machine());
    assert!(matches!(store.write(vec![put("a", Expect::Absent, 1)]).await.unwrap()[0], Written::Done(_)));
    assert_eq!((giver.asked(), double.asked().done), (2, 1));
    double.opens_to("nobody");
    let refused = store.write(vec![put("b", Expect::Absent, 1)]).await;
    assert!(matches!(refused, Err(DocumentsError::Refused(_))), "{refused:?}");
    assert_eq!(giver.asked(), 3);
}

#[tokio::test]
async fn a_token_without_any_time_left_is_used_for_one_request() {
    let (double, giver) = (Double::start().await, Giver::start(0, None).await);
    double.opens_to("t1");
    let store = store(&double, giver.account());
    assert_eq!(store.count("things").await.unwrap(), 0);
    double.opens_to("t2");
    assert_eq!(store.count("things").await.unwrap(), 0);
    assert_eq!(giver.asked(), 2);
}

#[tokio::test]
async fn who_gets_no_token_hears_why_and_nothing_is_asked_of_the_store() {
    for (status, refused) in [(400, true), (403, true), (503, false)] {
        let (double, giver) = (Double::start().await, Giver::start(3_600, Some(status)).await);
        for way in [giver.account(), giver.machine()] {
            let written = store(&double, way).write(vec![put("a", Expect::Absent, 1)]).await.unwrap_err();
            let told = match &written {
                DocumentsError::Refused(why) => refused && why.contains("gives no token"),
                DocumentsError::Unavailable(why) => !refused && why.contains("gives no token"),
                DocumentsError::Unknown(_) => false,
            };
            assert!(told, "{status}: {written}");
        }
        assert_eq!(double.asked(), double::Asked::default());
    }
}

#[tokio::test]
async fn a_token_that_others_renew_is_read_where_it_stands() {
    let double = Double::start().await;
    double.opens_to("s3cret");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let missing = store(&double, Way::Given(SecretPlace::File(path.clone())));
    let error = missing.count("things").await.unwrap_err().to_string();
    assert!(error.contains("its token is not there"), "{error}");
    std::fs::write(&path, "s3cret\n").unwrap();
    assert_eq!(missing.count("things").await.unwrap(), 0);
    let wrong = store(&double, Way::Given(SecretPlace::Given(Hidden::new("wr0ng".to_owned()))));
    let error = wrong.count("things").await.unwrap_err().to_string();
    assert!(error.contains("UNAUTHENTICATED") && !error.contains("wr0ng"), "{error}");
}
