//! Who looks at what, over HTTP.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use stella_protocol::{Code, Role, Snapshot};

use crate::harness::{Feed, Running, problem};

fn put(server: &Running, token: &str, body: &Value) -> RequestBuilder {
    server.request(Method::PUT, "/api/stella/presence", token).json(body)
}

fn seen(body: &Value) -> Vec<(&str, &str, &str)> {
    let consoles = body["consoles"].as_array().unwrap();
    consoles
        .iter()
        .map(|console| {
            let of = |name: &str| console[name].as_str().unwrap_or_default();
            (of("who"), of("console"), of("object"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_see_each_other_at_the_same_migration() {
    let server = Running::start().await;
    let (ana, bo) = (server.token(Role::Viewer, "ana").await, server.token(Role::Responder, "bo").await);
    let open = |token: String| {
        let (client, addr) = (server.client.clone(), server.addr);
        async move { Feed::open(&client, addr, &token, "?events=presence", None).await }
    };
    let mut readers = [open(ana.clone()).await, open(bo.clone()).await];
    for reader in &mut readers {
        reader.until("hello", |_| true).await;
    }
    let before = server.get_json("/api/stella/snapshot").await;
    for (token, console) in [(&ana, "con-a"), (&bo, "con-b")] {
        let said = json!({ "console": console, "screen": "migrations", "object": "MIG-7" });
        assert_eq!(put(&server, token, &said).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    }
    let both = [("ana", "con-a", "mig-7"), ("bo", "con-b", "mig-7")];
    for reader in &mut readers {
        let (event, _) = reader.until("presence", |body| seen(body) == both).await;
        assert_eq!(event.id, "", "it is not kept");
    }
    let snapshot: Snapshot = serde_json::from_value(server.get_json("/api/stella/snapshot").await).unwrap();
    let told: Vec<(&str, Role)> = snapshot.presence.iter().map(|one| (one.who.raw(), one.role)).collect();
    assert_eq!(told, [("ana", Role::Viewer), ("bo", Role::Responder)]);
    assert_eq!(json!(snapshot.cursor), before["cursor"], "nor numbered");

    let said = json!({ "console": "con-a", "screen": "log" });
    put(&server, &ana, &said).send().await.unwrap();
    for reader in &mut readers {
        reader.until("presence", |body| seen(body)[0] == ("ana", "con-a", "") && seen(body).len() == 2).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_presence_is_refused_and_nobody_speaks_for_another() {
    let server = Running::start().await;
    let good = json!({ "console": "con-1", "screen": "alerts" });
    for (field, value, code) in [
        ("who", json!("bo"), Code::BadBody),
        ("role", json!("admin"), Code::BadBody),
        ("console", json!("\u{1b}[2J"), Code::BadBody),
        ("console", json!("con-\u{202e}x"), Code::BadBody),
        ("console", json!(format!("con-{}", "x".repeat(64))), Code::BadBody),
        ("screen", json!("everything"), Code::BadBody),
        ("object", json!("../../etc"), Code::BadId),
        ("object", json!("tkt-1"), Code::BadId),
        ("object", json!("a-\u{1b}[2J"), Code::BadId),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert_eq!(problem(put(&server, &server.admin, &bad).send().await.unwrap()).await.code, code, "{bad}");
    }
    let bare = server.request(Method::PUT, "/api/stella/presence", &server.admin).body("x").send().await.unwrap();
    assert_eq!(problem(bare).await.code, Code::UnsupportedMediaType);
    assert_eq!(server.get_json("/api/stella/snapshot").await["presence"], json!([]));
    server.stop().await;
}
