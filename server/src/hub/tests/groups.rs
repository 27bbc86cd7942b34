//! Groups, and what stands around the evidence of an alert.

use stella_detect::Finding;
use stella_protocol::deploy::DeploySource;
use stella_protocol::{AlertType, Deploy};

use super::*;

impl House {
    fn takes_in(&self, findings: Vec<Finding>, deploys: Vec<Deploy>, at: i64, line: u64) {
        self.hub.take_in(findings, deploys, LineId(line), Timestamp::from_millis(at), engine(at, line)).unwrap();
    }

    fn of(&self, fingerprint: &str) -> Alert {
        let id = self.store.latest(fingerprint).unwrap().unwrap().alert.id;
        self.hub.alert(&id).unwrap().unwrap()
    }
}

/// A finding of an operation of a service, and what the engine says explains it.
fn of(fingerprint: &str, service: &'static str, parent: Option<&str>, at: i64) -> Finding {
    Finding {
        service: Text::new(service),
        operation: (!service.is_empty()).then(|| Text::new("load")),
        parent: parent.map(str::to_owned),
        ..finding(fingerprint, at)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_explains_is_under_its_parent_until_that_is_over() {
    let house = House::new();
    house.takes_in(vec![of("p", "a", None, START), of("c", "b", Some("p"), START)], vec![], START, 1);
    house.takes_in(vec![of("later", "c", None, START + 300_000)], vec![], START + 300_000, 2);
    let (parent, child, later) = (house.of("p"), house.of("c"), house.of("later"));
    assert_eq!((child.parent_id.as_ref(), &parent.children), (Some(&parent.id), &vec![child.id.clone()]));
    assert_eq!((child.version, parent.version, later.parent_id), (1, 1, None));
    // What was open already joins when the engine says so, and that is news.
    house.takes_in(vec![of("later", "c", Some("p"), START + 301_000)], vec![], START + 301_000, 3);
    let (now, later) = (house.now(&parent), house.of("later"));
    assert_eq!((now.children.len(), now.version, later.parent_id, later.version), (2, 1, Some(parent.id.clone()), 2));

    // Both at once, as somebody saw them; then it is taken back.
    let seen = [now, house.now(&child)];
    let ana = who("ana", Role::Responder);
    let answer = house.hub.act(&ana, "k1", ask(Verb::Resolve, &seen)).await.unwrap();
    assert_eq!(outcomes(&answer), [Outcome::Done, Outcome::Done]);
    let free = house.of("later");
    assert_eq!((free.parent_id, free.version), (None, 3));
    let over = house.now(&parent);
    assert_eq!(over.children, std::slice::from_ref(&child.id), "what is over stays where it was");
    let undone = house.hub.undo(&ana, "k2", answer.body.action_id).await.unwrap();
    assert_eq!(outcomes(&undone), [Outcome::Done, Outcome::Done]);
    // Who was let go is back under it at once, and not only when the engine speaks of it the next time.
    let (back, later) = (house.now(&parent), house.of("later"));
    assert_eq!((back.children, later.parent_id, later.version), (vec![child.id, later.id], Some(parent.id), 4));
    let rows = house.store.audit(0, 100).unwrap();
    let count = |verb: &str| rows.iter().filter(|row| row.verb == verb).count();
    assert_eq!((count("group"), count("free")), (2, 1), "who joins as it opens was never alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_one_level_deep() {
    let house = House::new();
    house.takes_in(vec![of("p", "a", None, START), of("c", "b", Some("p"), START)], vec![], START, 1);
    house.takes_in(vec![of("g", "d", None, START), of("p", "a", Some("g"), START)], vec![], START, 2);
    let (top, parent, child) = (house.of("g"), house.of("p"), house.of("c"));
    assert_eq!((&parent.parent_id, &child.parent_id), (&Some(top.id.clone()), &Some(top.id.clone())));
    assert_eq!((parent.children, top.children.len(), top.parent_id), (vec![], 2, None));
    house.takes_in(
        vec![of("n", "e", Some("c"), START + 1000), of("g", "d", Some("n"), START + 1000)],
        vec![],
        START,
        3,
    );
    assert_eq!((house.of("n").parent_id, house.of("g").parent_id), (Some(top.id), None), "and has no ring");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_that_fell_silent_explains_is_under_it_whichever_was_told_first() {
    let house = House::new();
    let silence = Finding { kind: AlertType::Silence, operation: None, ..of("s", "db", None, START) };
    house.takes_in(vec![of("before", "db", None, START - 60_000), of("web", "web", None, START)], vec![], START, 1);
    house.takes_in(vec![silence, of("after", "db", None, START + 60_000)], vec![], START + 60_000, 2);
    let silent = house.of("s");
    let under = |name: &str| house.of(name).parent_id == Some(silent.id.clone());
    assert_eq!((under("before"), under("after"), under("web")), (true, true, false));
    assert_eq!(silent.children.len(), 2);
    // It recovers: the others stand by themselves, now and after a restart.
    let spoke = Finding {
        kind: AlertType::Silence,
        phase: stella_detect::Phase::Recovered,
        ..of("s", "db", None, START + 90_000)
    };
    house.takes_in(vec![spoke], vec![], START + 90_000, 3);
    let house = house.reopened();
    assert_eq!((house.of("s").status, house.of("s").children), (Status::Resolved, vec![]));
    assert_eq!((house.of("before").parent_id, house.of("after").parent_id), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_behind_a_deploy_is_one_group_and_says_so_in_its_evidence() {
    let house = House::new();
    let deploy = |revision: &'static str, at: i64| Deploy {
        service: Text::new("api"),
        revision: Text::new(revision),
        at: Timestamp::from_millis(at),
        by: Some(Text::new("ci")),
        source: DeploySource::Told,
    };
    house.takes_in(vec![], vec![deploy("r1", START - 9_000_000)], START - 9_000_000, 1);
    house.takes_in(vec![of("old", "api", None, START - 600_000)], vec![], START - 600_000, 2);
    let first = of("x", "api", None, START + 20_000);
    let errors = Finding { kind: AlertType::ErrorSpike, ..of("y", "api", None, START + 30_000) };
    house.takes_in(vec![first, errors, of("z", "web", None, START + 40_000)], vec![deploy("r2", START)], START, 3);
    let (first, errors) = (house.of("x"), house.of("y"));
    assert_eq!((errors.parent_id, first.parent_id.clone()), (Some(first.id.clone()), None));
    assert_eq!((house.of("z").parent_id, house.of("old").parent_id), (None, None));
    let evidence = house.hub.evidence_around(&first.id).unwrap().unwrap();
    let near: Vec<_> = evidence.correlated.iter().map(|one| (one.text.raw(), one.offset_ms, &one.alert)).collect();
    let title = errors.title.raw();
    let (errors, web) = (Some(errors.id.clone()), Some(house.of("z").id));
    assert_eq!(near, [("deploy of api: r2 (by ci)", -20_000, &None), (title, 10_000, &errors), (title, 20_000, &web)]);

    // The same again, later: how it ended before is known then.
    let ana = who("ana", Role::Responder);
    house.hub.act(&ana, "k1", ask(Verb::Resolve, &[house.of("x")])).await.unwrap();
    let later = START + 40 * MINUTE;
    house.takes_in(vec![of("x", "api", None, later)], vec![], later, 4);
    let again = house.of("x");
    assert_eq!(again.episode, 2);
    let evidence = house.hub.evidence_around(&again.id).unwrap().unwrap();
    let similar: Vec<_> = evidence.similar.iter().map(|one| (&one.alert, one.outcome.raw())).collect();
    assert_eq!(similar, [(&first.id, "resolved by ana: because")]);
    assert_eq!(evidence.similar[0].fixed_by.as_ref().map(Text::raw), Some("because"));
    assert_eq!(evidence.correlated, []);
}
