//! Every route times every role, from the server's own table.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use stella_protocol::{Code, Role};
use stella_server::Secret;
use stella_server::routes::{Route, TABLE};

use crate::harness::{Running, problem};

/// What a request waits for its head: a feed's body never ends, but its head comes at once.
const SOON: Duration = Duration::from_secs(10);

fn path_of(route: &Route) -> String {
    let id = match route.path {
        path if path.contains("/actions/{id}") => "act-1",
        path if path.contains("/fixes/{id}") => "fx-1",
        path if path.contains("/suppressions/{id}") => "sup-1",
        path if path.contains("/maintenance/{id}") => "win-1",
        path if path.contains("/migrations/{id}") => "mig-1",
        path if path.contains("/rules/{id}") => "slow",
        _ => "a-0000000",
    };
    let named = route.path.replace("{who}", "somebody@example.com").replace("{oldId}", "42");
    named.replace("{id}", id).replace("{verb}", "acknowledge")
}

fn method_of(route: &Route) -> Method {
    Method::from_bytes(route.method.as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_exactly_the_roles_of_the_table() {
    let server = Running::start().await;
    let mut holders = Vec::new();
    for role in Role::ALL {
        holders.push((role, server.token(role, role.word()).await));
    }
    for route in &TABLE {
        for (role, token) in &holders {
            let answer = server.request(method_of(route), &path_of(route), token).send();
            let answer = tokio::time::timeout(SOON, answer).await.unwrap().unwrap();
            let status = answer.status();
            let name = format!("{} {} as {}: {status}", route.method, route.path, role.word());
            if route.admits(*role) {
                assert_ne!(status, StatusCode::UNAUTHORIZED, "{name}");
                assert_ne!(status, StatusCode::FORBIDDEN, "{name}");
                assert!(!status.is_server_error(), "{name}");
            } else {
                assert_eq!(status, StatusCode::FORBIDDEN, "{name}");
                assert_eq!(problem(answer).await.code, Code::Forbidden, "{name}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_that_asks_for_a_role_lets_in_a_stranger() {
    let server = Running::start().await;
    let unknown = Secret::generate().unwrap();
    let headers = ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", &format!("Bearer {}", unknown.expose())];
    for route in TABLE.iter().filter(|route| route.role.is_some()) {
        let url = format!("http://{}{}", server.addr, path_of(route));
        let without = server.client.request(method_of(route), &url).send().await.unwrap();
        assert_eq!(problem(without).await.code, Code::Unauthenticated, "{} {}", route.method, route.path);
        for header in headers {
            let asked = server.client.request(method_of(route), &url).header("Authorization", header);
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            assert_eq!(problem(answer).await.code, Code::Unauthenticated, "{header} {}", route.path);
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_address_is_refused_even_when_it_is_valid() {
    let server = Running::start().await;
    for name in ["token", "access_token", "TOKEN"] {
        let path = format!("/api/stella/snapshot?{name}={}", server.admin);
        let problem = problem(server.get(&path).await).await;
        assert_eq!(problem.code, Code::Unauthenticated);
        assert!(problem.detail.raw().contains("never travels in a URL"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_methods_and_unknown_routes_are_told_apart() {
    let server = Running::start().await;
    for route in &TABLE {
        let answer = server.request(Method::PATCH, &path_of(route), &server.admin).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{}", route.path);
        assert_eq!(problem(answer).await.code, Code::MethodNotAllowed);
    }
    for path in ["/", "/api", "/api/stella", "/api/stella/nothing", "/api/stella/alerts/a-0000000/x/y", "/%00", "/%ff"]
    {
        assert_eq!(problem(server.get(path).await).await.code, Code::UnknownRoute, "{path}");
    }
    server.stop().await;
}
