#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use serde_json::Value;
use stella_protocol::fix::Act;

use super::super::rig::{Heard, SILENCE, Target, answer, call, encoded, http_act, json_body, payloads};
use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NEXT_DOOR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Answers in turn, the last one for ever; counts, and keeps the names.
struct Script {
    answers: Vec<Vec<IpAddr>>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut asked = self.asked.lock().unwrap();
        let found = self.answers.get(asked.len()).or(self.answers.last()).cloned().unwrap_or_default();
        asked.push(host.to_owned());
        Box::pin(async move { Ok(found) })
    }
}

fn script(answers: &[&[IpAddr]]) -> Arc<Script> {
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    Arc::new(Script { answers, asked: Mutex::default() })
}

async fn target(answers: &[&str]) -> Target {
    Target::start((HERE, 0), answers).await.unwrap()
}

fn caller(at: SocketAddr) -> HttpCaller {
    let secret = Some(("authorization".to_owned(), "Bearer hush-hush".to_owned()));
    HttpCaller::new(vec![Base::new("api", &format!("http://{at}/api"), Vec::new(), secret).unwrap()])
}

async fn perform(caller: &HttpCaller, act: &HttpAct) -> (Outcome, Vec<String>) {
    let mut heard = Heard::default();
    let outcome = caller.perform(act, &call(Act::Http(act.clone())), &mut heard).await;
    (outcome, heard.texts())
}

fn post(at: SocketAddr, path: &str) -> HttpAct {
    http_act(HttpMethod::Post, "api", format!("http://{at}/api{path}"), None)
}

/// `{p}` is the port of the target that is allowed, `{q}` that of one that is not; in all but the
/// last few the address is not the base's, letter for letter.
const TRICKS: [&str; 68] = [
    "http://2130706433:{p}/api/x",
    "http://017700000001:{p}/api/x",
    "http://0x7f000001:{p}/api/x",
    "http://0x7f.1:{p}/api/x",
    "http://127.1:{p}/api/x",
    "http://127.0.1:{p}/api/x",
    "http://0177.0.0.1:{p}/api/x",
    "http://127.0.0.01:{p}/api/x",
    "http://0:{p}/api/x",
    "http://0.0.0.0:{p}/api/x",
    "http://[::1]:{p}/api/x",
    "http://[::]:{p}/api/x",
    "http://[::ffff:127.0.0.1]:{p}/api/x",
    "http://[::ffff:7f00:1]:{p}/api/x",
    "http://[::127.0.0.1]:{p}/api/x",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{p}/api/x",
    "http://[64:ff9b::7f00:1]:{p}/api/x",
    "http://127.0.0.2:{p}/api/x",
    "http://127.0.0.1:{q}/api/x",
    "http://127.0.0.1/api/x",
    "http://127.0.0.1:{p}0/api/x",
    "http://127.0.0.1.:{p}/api/x",
    "http://localhost:{q}/api/x",
    "http://127.0.0.1.nip.test:{p}/api/x",
    "http://169.254.169.254/api/x",
    "http://[fd00:ec2::254]/api/x",
    "http://2852039166/api/x",
    "http://metadata.google.internal/api/x",
    "http://u@127.0.0.1:{p}/api/x",
    "http://u:p@127.0.0.1:{p}/api/x",
    "http://127.0.0.1:{p}@127.0.0.2:{p}/api/x",
    "http://127.0.0.1:{p}@127.0.0.1:{q}/api/x",
    "http://127.0.0.1:{p}/api@127.0.0.2:{p}/x#",
    "http://127.0.0.1:{p}#@127.0.0.2:{p}/api/x",
    "http://127.0.0.1:{p}\\@127.0.0.2:{p}/api/x",
    "http://127.0.0.1:{p}/api\\..\\x",
    "http:\\\\127.0.0.2:{p}\\api\\x",
    "http://127.0.0.1:{p}/api/../admin",
    "http://127.0.0.1:{p}/api/./x",
    "http://127.0.0.1:{p}/api/%2e%2e/admin",
    "http://127.0.0.1:{p}/api/.%2E/admin",
    "http://127.0.0.1:{p}/api/%252e%252e/admin",
    "http://127.0.0.1:{p}/api/..;/admin",
    "http://127.0.0.1:{p}/api/x%2f..%2f..%2fadmin",
    "http://127.0.0.1:{p}/api/x%5c..%5cadmin",
    "http://127.0.0.1:{p}/api/x%252fy",
    "http://127.0.0.1:{p}/api/%c0%ae%c0%ae/admin",
    "http://127.0.0.1:{p}/api//127.0.0.2:{q}/x",
    "http://127.0.0.1:{p}/apix/y",
    "http://127.0.0.1:{p}/API/x",
    "http://127.0.0.1:{p}/api/x\r\nHost: 127.0.0.2:{q}",
    "http://127.0.0.1:{p}/api/x%0d%0aHost:%20h",
    "http://127.0.0.1:{p}/api/x HTTP/1.1\r\n\r\nGET /admin",
    "http://127.0.0.1:{p}/api/x\ty",
    "http://127.0.0.1:{p}/api/x%00y",
    "http://127.0.0.1:{p}/api/x#frag",
    " http://127.0.0.1:{p}/api/x",
    "http://127.0.0.1:{p}/api/x\n",
    "HTTP://127.0.0.1:{p}/api/x",
    "https://127.0.0.1:{p}/api/x",
    "//127.0.0.1:{p}/api/x",
    "/api/x",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{p}/api/x",
    "http://\u{ff11}27.0.0.1:{p}/api/x",
    "http://127\u{3002}0\u{3002}0\u{3002}1:{p}/api/x",
    "http://xn--h00ks-9x.test:{p}/api/x",
    "http://127.0.0.1:{p}/api/\u{ff0e}\u{ff0e}/x",
];

#[tokio::test]
async fn no_trick_with_an_address_opens_a_connection() {
    let allowed = target(&[&answer(200, "", "")]).await;
    let other_port = target(&[&answer(200, "", "")]).await;
    let (p, q) = (allowed.at.port().to_string(), other_port.at.port().to_string());
    let mut decoys = vec![other_port, Target::start((NEXT_DOOR, allowed.at.port()), &[""]).await.unwrap()];
    // A machine without IPv6 has no such neighbour.
    decoys.extend(Target::start((IpAddr::V6(Ipv6Addr::LOCALHOST), allowed.at.port()), &[""]).await);
    let resolver = script(&[&[NEXT_DOOR]]);
    let base = Base::new("api", &format!("http://{}/api", allowed.at), Vec::new(), None).unwrap();
    let caller = HttpCaller::with_resolver(vec![base], resolver.clone());
    assert!(TRICKS.iter().collect::<BTreeSet<_>>().len() >= 60);
    for trick in TRICKS {
        let url = trick.replace("{p}", &p).replace("{q}", &q);
        let act = http_act(HttpMethod::Post, "api", url, None);
        assert!(matches!(perform(&caller, &act).await.0, Outcome::Clean(_)), "{trick:?}");
        assert!(caller.rehearse(&act).await.is_err(), "{trick:?}");
    }
    for base in ["", "API", "other", "api\n"] {
        let act = HttpAct { base: Text::from(base), ..post(allowed.at, "/x") };
        assert!(matches!(perform(&caller, &act).await.0, Outcome::Clean(_)), "{base:?}");
    }
    assert_eq!(allowed.connections() + decoys.iter().map(Target::connections).sum::<usize>(), 0);
    assert!(resolver.asked.lock().unwrap().is_empty());
    // The same target by its right address: the refusals above are not those of a broken caller.
    assert!(matches!(perform(&caller, &post(allowed.at, "/x")).await.0, Outcome::Done(_)));
}

#[tokio::test]
async fn a_name_that_changes_its_address_leads_nowhere_else() {
    let allowed = target(&[&answer(200, "", "")]).await;
    let port = allowed.at.port();
    let decoy = Target::start((NEXT_DOOR, port), &[&answer(200, "", "")]).await.unwrap();
    let act = http_act(HttpMethod::Post, "hooks", format!("http://hooks.test:{port}/x"), None);
    let base = |pinned| Base::new("hooks", &format!("http://hooks.test:{port}"), pinned, None).unwrap();

    // Right when it is checked, wrong for whoever asks again: nobody does.
    let resolver = script(&[&[HERE], &[NEXT_DOOR]]);
    let caller = HttpCaller::with_resolver(vec![base(vec![HERE])], resolver.clone());
    assert!(matches!(perform(&caller, &act).await.0, Outcome::Done(_)));
    assert_eq!(*resolver.asked.lock().unwrap(), ["hooks.test"]);
    // Wrong from now on; then one right among wrong ones; then none; then inner addresses without a pin.
    assert!(matches!(perform(&caller, &act).await.0, Outcome::Clean(_)));
    let metadata = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
    for (answers, pinned) in [
        (vec![HERE, NEXT_DOOR], vec![HERE]),
        (vec![], vec![HERE]),
        (vec![HERE], vec![]),
        (vec![NEXT_DOOR], vec![]),
        (vec![metadata], vec![]),
        (vec![IpAddr::V6(Ipv4Addr::new(127, 0, 0, 2).to_ipv6_mapped())], vec![]),
    ] {
        let caller = HttpCaller::with_resolver(vec![base(pinned)], script(&[&answers]));
        assert!(matches!(perform(&caller, &act).await.0, Outcome::Clean(_)), "{answers:?}");
    }
    assert_eq!((allowed.connections(), decoy.connections()), (1, 0));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_proves_nothing() {
    let decoy = target(&[&answer(200, "", "")]).await;
    for status in [301, 302, 303, 307, 308] {
        for to in [format!("http://{}/x", decoy.at), "http://169.254.169.254/latest".to_owned(), "/api/y".to_owned()] {
            let redirecting = target(&[&answer(status, &format!("Location: {to}\r\n"), "")]).await;
            let (outcome, _) = perform(&caller(redirecting.at), &post(redirecting.at, "/x")).await;
            assert!(matches!(outcome, Outcome::Unknown(_)), "{status} {outcome:?}");
            assert_eq!(redirecting.connections(), 1);
        }
    }
    assert_eq!(decoy.connections(), 0);
}

#[tokio::test]
async fn key_fence_and_secret_arrive_and_the_secret_comes_back_to_nobody() {
    let body = "you sent Bearer hush-hush\nyes hush-hush\n";
    let target = target(&[&answer(200, "", body)]).await;
    let mut act = post(target.at, "/pools/a%20b/restart?n=1");
    act.body = Some(serde_json::json!({"n": 1}));
    act.headers.insert("X-Why".to_owned(), Text::from("fx"));
    let (outcome, heard) = perform(&caller(target.at), &act).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!(heard, ["you sent [secret]", "yes [secret]"]);
    let request = target.requests().remove(0);
    assert!(request.starts_with("POST /api/pools/a%20b/restart?n=1 HTTP/1.1\r\n"), "{request}");
    for line in ["idempotency-key: fx-12.0.do", "stella-fence: 7", "authorization: Bearer hush-hush", "x-why: fx"] {
        assert!(request.lines().any(|header| header == line), "{line}: {request}");
    }
    // A plan cannot put its own in their place, nor speak past the end of its header.
    for name in
        ["Idempotency-Key", "stella-fence", "Authorization", "Host", "Content-Length", "Transfer-Encoding", "a b"]
    {
        let mut act = post(target.at, "/x");
        act.headers.insert(name.to_owned(), Text::from("1"));
        assert!(matches!(perform(&caller(target.at), &act).await.0, Outcome::Clean(_)), "{name}");
    }
    assert_eq!(target.connections(), 1);
}

#[tokio::test]
async fn a_status_says_done_not_done_or_unknown() {
    for (status, expected) in [
        (200, "done"),
        (204, "done"),
        (299, "done"),
        (400, "clean"),
        (404, "clean"),
        (408, "unknown"),
        (409, "unknown"),
        (425, "unknown"),
        (429, "unknown"),
        (500, "unknown"),
        (502, "unknown"),
        (503, "unknown"),
        (504, "unknown"),
    ] {
        let target = target(&[&answer(status, "", "")]).await;
        assert_eq!(word(&perform(&caller(target.at), &post(target.at, "/x")).await.0), expected, "{status}");
    }
    for (status, expected) in [(202, "done"), (404, "done"), (200, "unknown"), (403, "clean")] {
        let target = target(&[&answer(status, "", "")]).await;
        let act = HttpAct { success: vec![202, 404], ..post(target.at, "/x") };
        assert_eq!(word(&perform(&caller(target.at), &act).await.0), expected, "{status}");
    }
}

#[tokio::test]
async fn nothing_sent_is_clean_and_nothing_heard_is_unknown() {
    let closed = target(&[""]).await;
    let broken = target(&["HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"]).await;
    let nonsense = target(&["\u{0}\u{1}SSH-2.0-x\r\n"]).await;
    let silent = target(&[SILENCE]).await;
    for (target, name) in [(&closed, "closed"), (&broken, "broken"), (&nonsense, "nonsense"), (&silent, "silent")] {
        let act = HttpAct { timeout_ms: 500, ..post(target.at, "/x") };
        let (outcome, _) = perform(&caller(target.at), &act).await;
        assert_eq!(word(&outcome), "unknown", "{name}");
        assert_eq!(target.connections(), 1, "{name}: one try is one connection");
    }
    let free = std::net::TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap();
    assert_eq!(word(&perform(&caller(free), &post(free, "/x")).await.0), "clean");
    // Somebody who does not speak TLS gets a greeting and no byte of the request.
    let base = Base::new("api", &format!("https://{}/api", nonsense.at), Vec::new(), None).unwrap();
    let act = HttpAct { url: Text::from(format!("https://{}/api/x", nonsense.at)), ..post(nonsense.at, "/x") };
    assert_eq!(word(&perform(&HttpCaller::new(vec![base]), &act).await.0), "clean");
}

#[tokio::test]
async fn of_a_long_answer_the_beginning_is_kept_and_it_proves_nothing() {
    let body = format!("{}\n", "z".repeat(1023)).repeat(400);
    let target = target(&[&answer(200, "", &body)]).await;
    let (outcome, heard) = perform(&caller(target.at), &post(target.at, "/x")).await;
    assert_eq!(word(&outcome), "done");
    assert_eq!(heard.len(), 257);
    assert!(heard.concat().len() < 264 * 1024);
    let act = HttpAct { method: HttpMethod::Get, ..post(target.at, "/x") };
    assert!(caller(target.at).ask(&act).await.unwrap().body.is_none());
}

/// X-10, the side of the calls.
#[tokio::test]
async fn each_of_500_payloads_arrives_as_one_whole_value_or_not_at_all() {
    let payloads = payloads();
    assert_eq!(payloads.iter().collect::<BTreeSet<_>>().len(), 500);
    let target = target(&[&answer(200, "", "")]).await;
    let caller = caller(target.at);
    let (mut sent, mut refused) = (0, 0);
    for payload in &payloads {
        let value = encoded(payload);
        let mut act = post(target.at, &format!("/a/{value}/z?q={value}&end=1"));
        act.body = Some(json_body(payload));
        if matches!(perform(&caller, &act).await.0, Outcome::Clean(_)) {
            refused += 1;
            // Its path is not plain: the same value elsewhere in the call.
            act.url = Text::from(format!("http://{}/api/a/z?q={value}&end=1", target.at));
            assert_eq!(word(&perform(&caller, &act).await.0), "done", "{payload:?}");
        }
        sent += 1;
        let requests = target.requests();
        assert_eq!(requests.len(), sent, "{payload:?}");
        let (head, body) = requests[sent - 1].split_once("\r\n\r\n").unwrap();
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), json_body(payload), "{payload:?}");
        let mut line = head.lines().next().unwrap().split(' ');
        let (path, query) = (line.nth(1).unwrap(), format!("q={value}&end=1"));
        let plain = format!("/api/a/{value}/z?{query}");
        assert!(path == plain || path == format!("/api/a/z?{query}"), "{path}");
        assert_eq!((line.next(), line.next()), (Some("HTTP/1.1"), None));
        // As a header: whole, or refused.
        let mut act = post(target.at, "/h");
        act.headers.insert("x-value".to_owned(), Text::from(payload.clone()));
        if matches!(perform(&caller, &act).await.0, Outcome::Done(_)) {
            sent += 1;
            let request = target.requests().pop().unwrap();
            let header = request.lines().find_map(|line| line.strip_prefix("x-value: "));
            assert_eq!(header.map(str::trim), Some(payload.trim()), "{payload:?}");
            assert!(!payload.contains(['\r', '\n', '\0']), "{payload:?}");
        }
    }
    assert!(refused > 0 && refused < 500, "{refused}");
    assert_eq!(target.connections(), sent);
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Clean(_) => "clean",
        Outcome::Unknown(_) => "unknown",
    }
}
