#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;
use stella_protocol::fix::{Condition, HttpMethod};

use super::super::http::Base;
use super::super::rig::{Heard, Target, answer, argv_act, call, http_act};
use super::*;

async fn target(answers: &[&str]) -> Target {
    Target::start((IpAddr::V4(Ipv4Addr::LOCALHOST), 0), answers).await.unwrap()
}

fn performer(target: &Target) -> Performer {
    let base = Base::new("api", &format!("http://{}", target.at), Vec::new(), None).unwrap();
    let argv = ArgvCaller::new(vec!["/bin/printf".to_owned(), "/bin/true".to_owned()], Vec::new());
    Performer { http: HttpCaller::new(vec![base]), argv, documents: None }
}

fn http(target: &Target, method: HttpMethod, path: &str) -> Act {
    Act::Http(http_act(method, "api", format!("http://{}{path}", target.at), None))
}

/// Asks for `state`: `on` is done, `off` is not.
fn probe(act: Act) -> Probe {
    let state = |value: &str| Condition {
        pointer: Some(Text::from("/state")),
        equals: Some(json!(value)),
        ..Condition::default()
    };
    Probe { title: Text::from("state"), act, done: state("on"), not_done: state("off") }
}

fn step(target: &Target) -> Call {
    let mut call = call(http(target, HttpMethod::Put, "/blocks/x"));
    call.step.probe = Some(probe(http(target, HttpMethod::Get, "/blocks/x")));
    let undo = http(target, HttpMethod::Delete, "/blocks/x");
    call.step.undo = Some(Undo::Act { title: Text::default(), act: undo, probe: None, idempotent: true });
    call
}

#[tokio::test]
async fn a_rehearsal_only_reads_and_wants_the_probe_to_say_not_done() {
    for (body, works) in
        [("{\"state\":\"off\"}", true), ("{\"state\":\"on\"}", false), ("{}", false), ("<html>", false)]
    {
        let target = target(&[&answer(200, "", body)]).await;
        assert_eq!(performer(&target).rehearse(&step(&target)).await.is_ok(), works, "{body}");
        let requests = target.requests();
        assert!(requests.len() == 1 && requests[0].starts_with("GET /blocks/x "), "{requests:?}");
        // A probe is no effect: it carries neither its name nor its fence.
        assert!(!requests[0].contains("idempotency-key") && !requests[0].contains("stella-fence"));
    }
    // Between both: twice does no harm where the target also refuses who lost the lease.
    for (fenced, idempotent) in [(false, false), (false, true), (true, false), (true, true)] {
        let target = target(&[&answer(200, "", "{\"state\":\"leaking\"}")]).await;
        let mut call = step(&target);
        (call.step.fenced, call.step.idempotent) = (fenced, idempotent);
        assert_eq!(performer(&target).rehearse(&call).await.is_ok(), fenced && idempotent);
    }
    let target = target(&[&answer(200, "", "{\"state\":\"off\"}")]).await;
    let mut writing = step(&target);
    writing.step.probe = Some(probe(http(&target, HttpMethod::Post, "/blocks/x")));
    let mut nowhere = step(&target);
    nowhere.step.undo = Some(Undo::Act {
        title: Text::default(),
        act: Act::Argv(argv_act("/bin/rm", &[])),
        probe: None,
        idempotent: true,
    });
    for call in [writing, nowhere, call(Act::Argv(argv_act("/bin/rm", &["-rf", "/nowhere"])))] {
        assert!(performer(&target).rehearse(&call).await.is_err());
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_probe_tells_done_from_not_done_and_else_nothing() {
    for (answer, expected) in [
        (answer(200, "", "{\"state\":\"on\"}"), "done"),
        (answer(200, "", "{\"state\":\"off\"}"), "not done"),
        (answer(200, "", "{\"state\":\"half\"}"), "cannot tell"),
        (answer(500, "", ""), "cannot tell"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".to_owned(), "cannot tell"),
        (String::new(), "cannot tell"),
    ] {
        let target = target(&[&answer]).await;
        let said = performer(&target).probe(&step(&target), &[], false).await;
        assert_eq!(word(&said), expected, "{answer}");
        let changed = performer(&target).changed(&step(&target), &[]).await.unwrap();
        assert_eq!(changed.is_empty(), expected == "done", "{answer}");
    }
    let target = target(&[""]).await;
    for (said, expected) in [("{\"state\":\"on\"}", "done"), ("{\"state\":\"off\"}", "not done"), ("", "cannot tell")] {
        let mut asking = step(&target);
        asking.step.probe = Some(probe(Act::Argv(argv_act("/bin/printf", &["%s", said]))));
        assert_eq!(word(&performer(&target).probe(&asking, &[], false).await), expected, "{said}");
    }
    // The undo has a question of its own; without one nobody guesses.
    assert_eq!(word(&performer(&target).probe(&step(&target), &[], true).await), "cannot tell");
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_step_is_performed_and_taken_back_each_under_its_own_key() {
    let target = target(&[&answer(204, "", "")]).await;
    let (performer, mut heard) = (performer(&target), Heard::default());
    let doing = step(&target);
    let undoing = Call { key: "fx-12.0.undo".to_owned(), fence: 8, ..doing.clone() };
    assert!(matches!(performer.perform(&doing, &[], &mut heard).await, Outcome::Done(_)));
    assert!(matches!(performer.undo(&undoing, &[], &mut heard).await, Outcome::Done(_)));
    let seen = target.requests();
    for (request, parts) in seen.iter().zip([
        ["PUT /blocks/x ", "idempotency-key: fx-12.0.do\r\n", "stella-fence: 7\r\n"],
        ["DELETE /blocks/x ", "idempotency-key: fx-12.0.undo\r\n", "stella-fence: 8\r\n"],
    ]) {
        assert!(parts.iter().all(|part| request.contains(part)), "{request}");
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn without_a_document_store_documents_are_refused_and_nothing_happens() {
    let target = target(&[""]).await;
    let (performer, mut heard) = (performer(&target), Heard::default());
    let act = json!({"kind": "document", "collection": "c", "id": "d", "change": {"op": "delete"}});
    let mut call = call(serde_json::from_value(act).unwrap());
    call.step.undo = Some(Undo::Restore);
    assert!(performer.rehearse(&call).await.is_err() && performer.prepare(&call).await.is_err());
    assert!(performer.changed(&call, &[]).await.is_err());
    assert!(matches!(performer.perform(&call, &[], &mut heard).await, Outcome::Clean(_)));
    assert!(matches!(performer.undo(&call, &[], &mut heard).await, Outcome::Clean(_)));
    for undoing in [false, true] {
        assert_eq!(word(&performer.probe(&call, &[], undoing).await), "cannot tell");
    }
}

fn word(said: &Said) -> &'static str {
    match said {
        Said::Done(_) => "done",
        Said::NotDone(_) => "not done",
        Said::CannotTell(_) => "cannot tell",
    }
}
