//! What stored data cannot be, what nobody finds any more, and the deploys that lines speak of.

use stella_protocol::{Level, LogEvent};

use crate::figures::check_told;
use crate::stream::{Dice, Stream, call, error};

fn user(nth: usize) -> String {
    format!("user-{nth}@example.com")
}

/// A search that finds something nine times in ten, by twenty people.
fn search(dice: &mut Dice, nth: usize, lost: bool) -> LogEvent<'static> {
    let found = if lost || dice.share() < 0.1 { 0 } else { 7 };
    let attributes = [("hits".to_owned(), found.into())].into_iter().collect();
    LogEvent { user_id: Some(user(nth % 20).into()), attributes, ..call("search", 80.0) }
}

#[test]
fn a_search_that_finds_nothing_any_more_is_told_once_and_ends() {
    let (mut stream, mut dice) = (Stream::new(), Dice::new(3));
    for nth in 0..1500 {
        stream.line(search(&mut dice, nth, false)).wait(500);
    }
    assert_eq!(stream.fired(), [""; 0]);
    for nth in 0..40 {
        stream.line(search(&mut dice, nth, true)).wait(500);
    }
    assert_eq!(stream.fired(), ["data.nothing"]);
    check_told(&stream, "data.nothing");
    for nth in 0..200 {
        stream.line(search(&mut dice, nth, false)).wait(500);
    }
    let told = stream.findings.len();
    for nth in 0..200 {
        stream.line(search(&mut dice, nth, false)).wait(500);
    }
    assert_eq!(stream.findings.len(), told, "over means over");
}

#[test]
fn ids_of_another_form_are_found_at_the_third_and_a_job_without_an_id_is_not() {
    let write = |owner: String| {
        let attributes = [("ownerId".to_owned(), owner.into())].into_iter().collect();
        LogEvent { attributes, ..call("save", 30.0) }
    };
    let mut stream = Stream::new();
    stream.lines(600, 500, |nth| write(format!("{:09}", nth * 7919)));
    stream.lines(10, 500, |_| write("svc-batch".to_owned()));
    assert_eq!(stream.fired(), [""; 0]);
    stream.lines(3, 5000, |nth| write(user(nth)));
    assert_eq!(stream.fired(), ["data.form"]);
    check_told(&stream, "data.form");
    assert_eq!(stream.last("data.form").labels["field"].raw(), "ownerId");
}

#[test]
fn a_deploy_is_handed_out_once_and_evidence_names_it_in_time_order() {
    let mut stream = Stream::new();
    stream.lines(900, 500, |nth| LogEvent { user_id: Some(user(nth % 40).into()), ..call("save", 100.0) });
    let said = |nth: usize| LogEvent {
        level: Level::Info,
        message: format!("instance {nth}: deployed revision r8812").into(),
        service: "api".into(),
        ..LogEvent::default()
    };
    stream.lines(3, 1000, said);
    let deploys = stream.engine.drain_deploys();
    assert_eq!(deploys.len(), 1);
    assert_eq!((deploys[0].service.raw(), deploys[0].revision.raw()), ("api", "r8812"));
    stream.lines(120, 1000, |nth| error("save", "TypeError", user(nth % 40)));
    let finding = stream.findings.iter().find(|finding| finding.rule_id == "errors");
    let evidence = &finding.unwrap().evidence;
    assert!(evidence.correlated.iter().any(|other| other.text.raw().contains("r8812") && other.offset_ms < 0));
    assert!(evidence.reasons.iter().any(|reason| reason.text.raw().contains("a new revision of this service")));
    assert!(evidence.reasons.is_sorted_by_key(|reason| reason.at));
    assert!(evidence.reasons.iter().any(|reason| reason.weight > 0.0));
    assert!(evidence.reasons.iter().any(|reason| reason.weight < 0.0));
    let band = evidence.series.as_ref().and_then(|series| series.baseline);
    assert!(band.is_some_and(|band| band.low <= band.mid && band.mid < band.high && band.high < 50.0), "{band:?}");
    let template = evidence.template.as_ref();
    assert_eq!(template.map(|template| template.text.raw()), Some("save failed: TypeError"));
}
