//! The table of 4-machines.md, 4.3, written out: for each status, each verb and each role, and for each status and
//! each event of a runner, whether it is taken.

use stella_protocol::{Code, MigrationVerb, Role};

use super::super::{Effect, Event, Refusal, Step};
use super::sample::{Tale, at, backup, counts, decision, everywhere, found, plan};
use super::step;

/// `+`: a step with a new version; `=`: it was so already; `.`: refused.
const PEOPLE: &str = "
                    plan rehearse approve start pause resume rate verify cutover rollback stop hand-over take-over retry close cancel
draft                  =        .       .     .     .      .    .      .       .        .    .         +         +     .     .      +
needs_decision         +        .       .     .     .      .    .      .       .        .    .         +         +     .     .      +
plan_failed            +        .       .     .     .      .    .      .       .        .    .         +         +     +     .      +
planned                +        +       .     .     .      .    .      +       .        .    .         +         +     .     .      +
rehearsed              +        +       +     .     .      .    .      +       .        .    .         +         +     .     .      +
approved               +        .       =     +     .      .    .      +       .        .    .         +         +     .     .      +
backing_up             .        .       .     .     .      .    .      .       .        .    .         +         +     .     .      +
backed_up              .        .       .     .     .      .    .      .       .        .    +         +         +     .     .      +
backup_failed          +        .       .     .     .      .    .      +       .        .    .         +         +     +     .      +
copying                .        .       .     .     +      .    +      .       .        +    +         +         +     .     .      .
paused                 .        .       .     .     =      +    +      +       .        +    .         +         +     .     .      .
halted                 .        .       .     .     .      +    .      +       .        +    =         +         +     .     .      .
verifying              .        .       .     .     .      .    .      =       .        +    +         +         +     .     .      .
verified               .        .       .     .     .      .    .      +       +        +    .         +         +     .     .      .
cutting_over           .        .       .     .     .      .    .      .       =        +    +         +         +     =     .      .
cutting_over_failed    .        .       .     .     .      .    .      +       .        +    .         +         +     +     .      .
soaking                .        .       .     .     .      .    .      +       .        +    .         +         +     .     .      .
completed              .        .       .     .     .      .    .      .       .        .    .         .         .     .     .      .
rolling_back           .        .       .     .     .      .    .      .       .        =    .         +         +     .     .      .
rolled_back            .        .       .     .     .      .    .      .       .        .    .         .         .     .     .      .
rollback_failed        .        .       .     .     .      .    .      +       .        +    .         +         +     .     +      .
cancelled              .        .       .     .     .      .    .      .       .        .    .         .         .     .     .      =
closed_manually        .        .       .     .     .      .    .      .       .        .    .         .         .     .     .      .
";

/// The same, and `~`: only what its runner needs moved.
const RUNNER: &str = "
                    claimed renewed scanned rehearsed backed-up canary checkpoint stopped broke copied verified cut-over rolled-back answered drifted tick used released
draft                     .       ~       +         .         .      .          =       .     +      .        .        .           .        +       =    =    =    +
needs_decision            .       .       =         .         .      .          .       .     .      .        .        .           .        +       .    =    =    =
plan_failed               .       .       .         .         .      .          .       .     .      .        .        .           .        +       .    =    =    =
planned                   .       .       =         .         .      .          .       .     .      .        .        .           .        +       +    =    =    =
rehearsed                 .       .       =         =         .      .          .       .     .      .        .        .           .        +       +    =    =    =
approved                  .       .       =         =         .      .          .       .     .      .        .        .           .        +       +    =    =    =
backing_up                .       ~       =         =         +      .          =       .     +      .        .        .           .        .       .    =    =    +
backed_up                 .       ~       =         =         =      +          ~       .     +      .        .        .           .        .       .    =    =    +
backup_failed             .       .       =         =         .      .          .       .     .      .        .        .           .        +       .    =    =    =
copying                   .       ~       =         =         =      =          ~       .     +      +        .        .           .        .       .    =    =    +
paused                    .       .       =         =         =      =          .       =     .      .        .        .           .        .       .    =    =    =
halted                    .       .       =         =         =      =          .       =     =      .        .        .           .        .       .    =    =    =
verifying                 .       ~       =         =         =      =          =       .     +      =        +        .           .        .       .    =    =    +
verified                  .       .       =         =         =      =          .       .     .      =        =        .           .        .       .    =    +    =
cutting_over              .       ~       =         =         =      =          ~       .     +      =        =        +           .        .       .    =    +    +
cutting_over_failed       .       .       =         =         =      =          .       .     .      =        =        .           .        .       .    =    +    =
soaking                   .       .       =         =         =      =          .       .     .      =        =        =           .        .       .    =    +    =
completed                 .       .       =         =         =      =          .       .     .      =        =        =           .        .       .    =    =    =
rolling_back              .       ~       =         =         =      =          =       =     +      .        .        .           +        .       .    =    =    +
rolled_back               .       .       =         =         =      =          .       .     .      .        .        .           =        .       .    =    =    =
rollback_failed           .       .       =         =         =      =          .       .     .      .        .        .           .        .       .    =    =    =
cancelled                 .       .       =         .         .      .          .       =     .      .        .        .           .        .       .    =    =    =
closed_manually           .       .       =         =         =      =          .       .     .      .        .        .           .        .       .    =    =    =
";

fn mark(tale: &Tale, found: &Result<Step, Refusal>) -> &'static str {
    match found {
        Err(refusal) if refusal.why.contains("mig-1 is ") && refusal.why.contains("; ") => ".",
        Err(_) => "a refusal without words",
        Ok(step) => match step.effects.as_slice() {
            [Effect::Changed(_)] if step.state.migration.version == tale.state.migration.version + 1 => "+",
            [Effect::Renewed] if step.state.migration.version == tale.state.migration.version => "~",
            [] if step.state == tale.state => "=",
            _ => "effects that do not fit",
        },
    }
}

/// Looks at every cell; how many there were.
fn each_cell(cells: &str, mut look: impl FnMut(&Tale, &str, &str, &str)) -> usize {
    let tales = everywhere();
    let mut lines = cells.lines().filter(|line| !line.trim().is_empty());
    let columns: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let (mut rows, mut seen) = (0, 0);
    for line in lines {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let (_, tale) = tales.iter().find(|(known, _)| *known == name).unwrap();
        rows += 1;
        for (column, cell) in columns.iter().zip(words) {
            look(tale, name, column, cell);
            seen += 1;
        }
    }
    assert_eq!(rows, tales.len(), "every status has its row");
    seen
}

#[test]
fn each_status_takes_exactly_the_verbs_that_the_table_lists_and_from_those_roles_only() {
    let cells = each_cell(PEOPLE, |tale, name, column, cell| {
        let verb = MigrationVerb::from_word(column).unwrap();
        let enough: &[Role] = match column {
            "pause" | "stop" => &[Role::Responder, Role::Approver, Role::Admin],
            _ => &[Role::Admin],
        };
        for role in [Role::Ingest, Role::Viewer, Role::Responder, Role::Approver, Role::Admin, Role::Unknown] {
            let mut said = decision(verb);
            said.role = role;
            let found = step(&tale.state, &Event::Decided(said), at(tale.now + 1000));
            if enough.contains(&role) {
                assert_eq!(mark(tale, &found), cell, "{name}, {column}, {role:?}: {found:?}");
                let code = found.err().map(|refusal| refusal.code);
                assert!(code.is_none_or(|code| code == Code::IllegalTransition), "{name}, {column}: {code:?}");
            } else {
                assert_eq!(found.unwrap_err().code, Code::Forbidden, "{name}, {column}, {role:?}");
            }
        }
    });
    assert_eq!(cells, 23 * 16);
}

fn event(name: &str, tale: &Tale) -> Event {
    let (fence, until) = (tale.state.work.fence, at(tale.now + 30_000));
    let counts = counts(tale.state.migration.counts.done + 1);
    match name {
        "claimed" => Event::Claimed { holder: "r2".into(), until, fence: fence + 1 },
        "renewed" => Event::Renewed { fence, until },
        "released" => Event::Released { fence },
        "scanned" => Event::Scanned { fence, found: Ok((plan("d2", tale.now), 0)) },
        "rehearsed" => Event::Rehearsed { fence, found: Ok(counts) },
        "backed-up" => Event::BackedUp { fence, found: Ok(backup()) },
        "canary" => Event::Canary { fence, found: Ok("equal".into()) },
        "checkpoint" => Event::Checkpoint { fence, counts, hold: None },
        "stopped" => Event::Stopped { fence, counts },
        "broke" => Event::Broke { fence, why: "guard".into(), counts },
        "copied" => Event::Copied { fence, counts },
        "verified" => Event::Verified { fence, found: found(0) },
        "cut-over" => Event::CutOver { fence, done: Ok("aliases".into()) },
        "rolled-back" => Event::RolledBack { fence, done: Ok((400, 0)) },
        "answered" => Event::Answered { by: "op2".into(), what: "dec-1: merge".into(), open: 0 },
        "drifted" => Event::Drifted("5 of 5000 documents".into()),
        "tick" => Event::Tick,
        "used" => Event::OldIdUsed { times: 3, at: at(tale.now) },
        other => unreachable!("no such event: {other}"),
    }
}

#[test]
fn each_status_takes_exactly_the_events_of_a_runner_that_the_table_lists() {
    let cells = each_cell(RUNNER, |tale, name, column, cell| {
        let found = step(&tale.state, &event(column, tale), at(tale.now + 1000));
        assert_eq!(mark(tale, &found), cell, "{name}, {column}: {found:?}");
    });
    assert_eq!(cells, 23 * 18);
}

#[test]
fn a_lower_fence_is_refused_in_every_status_by_every_event_that_carries_one() {
    let carries = |name: &str| !matches!(name, "claimed" | "answered" | "drifted" | "tick" | "used");
    let mut seen = 0;
    each_cell(RUNNER, |tale, name, column, _| {
        if !carries(column) {
            return;
        }
        let mut lower = tale.clone();
        lower.state.work.fence -= 1;
        let found = step(&tale.state, &event(column, &lower), at(tale.now + 1000));
        assert_eq!(found.unwrap_err().code, Code::VersionConflict, "{name}, {column}");
        seen += 1;
    });
    assert_eq!(seen, 23 * 13);
}
