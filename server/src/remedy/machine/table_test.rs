//! The table of 4-machines.md, 4.2, written out: for each state and each kind of event, whether it is taken.

use std::collections::BTreeMap;

use stella_protocol::fix::{FixVerb, Policy, Risk};

use super::super::{Event, Said, Superseded, Verdict};
use super::sample::{MINUTE, Tale, at, careful, claim, clean, decision, done, draft, reckless, unknown};

/// `+`: a step with a new version; `=`: taken, no new version; `.`: refused.
const TABLE: &str = "
                   dry-run-ok dry-run-bad approve reject withdraw dry-run stop rollback close tick superseded claim lost renewed intended performed probed stopped watched
proposed                    +           +       .      .        .       =    .        .     .    =          +     .    .       .        .         .      .       .       .
pending                     .           .       +      +        +       +    .        .     .    +          +     .    .       .        .         .      .       .       .
approved                    .           .       .      +        +       .    .        .     .    +          +     +    +       .        .         .      .       .       .
running                     .           .       .      .        .       .    +        .     .    =          .     .    +       =        +         .      .       +       .
running-begun               .           .       .      .        .       .    +        .     .    =          .     .    +       =        .         +      +       +       .
running-unknown             .           .       .      .        .       .    +        .     .    =          .     .    +       =        .         .      +       +       .
verifying                   .           .       .      .        .       .    +        .     .    =          .     .    +       =        .         .      .       +       =
undoing                     .           .       .      .        .       .    .        .     .    =          .     .    +       =        +         .      .       .       .
undoing-begun               .           .       .      .        .       .    .        .     .    =          .     .    +       =        .         +      +       .       .
undoing-unknown             .           .       .      .        .       .    .        .     .    =          .     .    +       =        .         .      +       .       .
executed                    .           .       .      .        .       .    .        +     .    =          .     .    .       .        .         .      .       .       .
failed                      .           .       .      .        .       .    .        +     .    =          .     .    .       .        .         .      .       .       .
in-doubt                    .           .       .      .        .       .    .        .     +    =          .     .    .       .        .         .      .       .       .
rollback-failed             .           .       .      .        .       .    .        .     +    =          .     .    .       .        .         .      .       .       .
rolled-back                 .           .       .      .        .       .    .        .     .    =          .     .    .       .        .         .      .       .       .
closed-manually             .           .       .      .        .       .    .        .     .    =          .     .    .       .        .         .      .       .       .
invalid                     .           .       .      .        .       .    .        .     .    =          .     .    .       .        .         .      .       .       .
rejected                    .           .       .      .        .       .    .        .     .    =          .     .    .       .        .         .      .       .       .
expired                     .           .       .      .        .       .    .        .     .    =          .     .    .       .        .         .      .       .       .
superseded                  .           .       .      .        .       .    .        .     .    =          .     .    .       .        .         .      .       .       .
";

fn told(mut tale: Tale, event: &Event) -> Tale {
    tale.tell(event);
    tale
}

fn with(mut tale: Tale, tell: impl FnOnce(&mut Tale)) -> Tale {
    tell(&mut tale);
    tale
}

/// One fix in every state that tells events apart.
fn states() -> BTreeMap<&'static str, Tale> {
    let proposed = Tale::of(draft(Risk::High, Policy::Approve, vec![careful(), careful()]));
    let fresh = told(proposed.clone(), &Event::Rehearsed(Ok(Vec::new())));
    let pending = told(fresh.clone(), &Event::Decided(decision(FixVerb::Approve, "p2")));
    let approved = told(pending.clone(), &Event::Decided(decision(FixVerb::Approve, "p3")));
    let running = with(approved.clone(), |tale| drop(tale.claim()));
    let begun = with(running.clone(), |tale| drop(tale.intend()));
    let unsure = with(begun.clone(), |tale| drop(tale.perform(unknown())));
    let verifying = with(begun.clone(), |tale| {
        tale.perform(done());
        tale.does(done());
    });
    let undoing = told(verifying.clone(), &Event::Stopped("guard".into()));
    let undoing_begun = with(undoing.clone(), |tale| drop(tale.intend()));
    let half = with(Tale::running(vec![careful(), reckless()]), |tale| {
        tale.does(done());
        tale.does(done());
        tale.tell(&Event::Stopped("guard".into()));
    });
    let in_doubt = with(Tale::running(vec![reckless()]), |tale| {
        tale.does(unknown());
        tale.probe(Said::CannotTell("nobody knows".into()));
    });
    let mut states = BTreeMap::from([
        ("invalid", told(proposed.clone(), &Event::Rehearsed(Err("no".into())))),
        ("rejected", told(pending.clone(), &Event::Decided(decision(FixVerb::Reject, "p2")))),
        ("superseded", told(pending.clone(), &Event::Superseded(Superseded::AlertOver, "over".into()))),
        ("expired", with(pending.clone(), |tale| drop(tale.wait(60 * MINUTE).tell(&Event::Tick)))),
        (
            "executed",
            with(verifying.clone(), |tale| {
                tale.watch(Verdict::Holds);
                tale.wait(MINUTE).watch(Verdict::Holds);
            }),
        ),
        (
            "rolled-back",
            with(undoing_begun.clone(), |tale| {
                tale.perform(done());
                tale.does(done());
            }),
        ),
        ("rollback-failed", with(undoing_begun.clone(), |tale| drop(tale.perform(clean())))),
        ("undoing-unknown", with(undoing_begun.clone(), |tale| drop(tale.perform(unknown())))),
        ("closed-manually", told(in_doubt.clone(), &Event::Decided(decision(FixVerb::Close, "p2")))),
    ]);
    states.extend([
        ("failed", half),
        ("in-doubt", in_doubt),
        ("proposed", proposed),
        ("pending", pending),
        ("approved", approved),
        ("running", running),
        ("running-begun", begun),
        ("running-unknown", unsure),
        ("verifying", verifying),
        ("undoing", undoing),
        ("undoing-begun", undoing_begun),
    ]);
    states
}

/// The event, and how much later it comes.
fn event(name: &str, tale: &Tale) -> (Event, i64) {
    let fence = tale.state.work.fence;
    let (verb, by) = match name {
        "approve" => (Some(FixVerb::Approve), "p3"),
        "withdraw" => (Some(FixVerb::Withdraw), "p2"),
        other => (FixVerb::from_word(other), "p4"),
    };
    if let Some(verb) = verb {
        return (Event::Decided(decision(verb, by)), 0);
    }
    match name {
        "dry-run-ok" => (Event::Rehearsed(Ok(Vec::new())), 0),
        "dry-run-bad" => (Event::Rehearsed(Err("no".into())), 0),
        "tick" => (Event::Tick, 60 * MINUTE),
        "superseded" => (Event::Superseded(Superseded::AlertOver, "over".into()), 0),
        "claim" => (claim(&tale.state, tale.now), 0),
        "lost" => (claim(&tale.state, tale.now + 31_000), 31_000),
        "renewed" => (Event::Renewed { fence, until: at(tale.now + 30_000) }, 0),
        "intended" => (Event::Intended { fence }, 0),
        "performed" => (Event::Performed { fence, outcome: done() }, 0),
        "probed" => (Event::Probed { fence, said: Said::Done("yes".into()) }, 0),
        "stopped" => (Event::Stopped("switch".into()), 0),
        "watched" => (Event::Watched { fence, verdict: Verdict::Holds }, 0),
        other => unreachable!("no such event: {other}"),
    }
}

#[test]
fn each_state_takes_exactly_the_events_that_the_table_lists() {
    let states = states();
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let columns: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let mut seen = 0;
    for line in lines {
        let mut cells = line.split_whitespace();
        let name = cells.next().unwrap();
        let tale = &states[name];
        let stands = tale.status().word().replace('_', "-");
        assert!(name.starts_with(&stands), "{name} is {stands}");
        for (column, cell) in columns.iter().zip(cells) {
            let (event, later) = event(column, tale);
            let found = match tale.clone().wait(later).tries(&event) {
                Ok(step) if step.state.fix.version == tale.state.fix.version + 1 => "+",
                Ok(step) if step.state.fix == tale.state.fix => "=",
                Ok(_) => "changed without a new version",
                Err(refusal) if refusal.why.is_empty() => "no words",
                Err(_) => ".",
            };
            assert_eq!(found, cell, "{name}, {column}");
            seen += 1;
        }
    }
    assert_eq!((states.len(), seen), (20, 20 * 19));
}

#[test]
fn a_refusal_says_what_stands_in_the_way_and_what_to_do() {
    for (name, tale) in states() {
        for column in ["approve", "reject", "withdraw", "stop", "rollback", "close", "dry-run", "superseded"] {
            let (event, _) = event(column, &tale);
            if let Err(refusal) = tale.tries(&event) {
                assert!(
                    refusal.why.contains("fx-1 is ") && refusal.why.contains("; "),
                    "{name}, {column}: {}",
                    refusal.why
                );
            }
        }
    }
}
