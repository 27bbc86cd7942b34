//! Fixes that stand in a server's folder before it starts: the command line's tests look at them too.

use std::path::Path;
use std::sync::Arc;

use stella_protocol::fix::{Act, ArgvAct, FixPlan, PlanStep, Policy, Risk, Stream};
use stella_protocol::{FixOutput, Text, Timestamp};
use stella_server::Clock;
use stella_server::remedy::definition::Limits;
use stella_server::remedy::{Draft, Event, FixState, machine};
use stella_server::store::{SqliteStore, Store, Tx, Write};

/// The digest of their plans.
pub(crate) const DIGEST: &str = "5f0e2d1c7a64b9384f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2e1f0abcd";

fn text(text: &str) -> Text {
    Text::new(text.to_owned())
}

/// A fix that waits for one approval.
pub(crate) fn pending(number: u64, target: &str) -> FixState {
    let act = Act::Argv(ArgvAct {
        program: text("/bin/true"),
        arguments: Vec::new(),
        environment: Vec::new(),
        success: Vec::new(),
        clean: Vec::new(),
        timeout_ms: 1_000,
    });
    let (title, idempotent, fenced) = (text("restart it"), true, true);
    let step = PlanStep { title, act, probe: None, undo: None, idempotent, fenced, retries: 0 };
    let plan = FixPlan {
        definition_id: text("restart-pool"),
        definition_digest: text("00"),
        risk: Risk::Medium,
        policy: Policy::Approve,
        target: text(target),
        parameters: Vec::new(),
        preconditions: Vec::new(),
        steps: vec![step],
        touches: Vec::new(),
        will_not_undo: Vec::new(),
        verification: None,
        guard: None,
    };
    let draft = Draft {
        title: text("Restart the pool"),
        alert_id: None,
        plan,
        plan_digest: text(DIGEST),
        policy: Policy::Approve,
        proposed_by: text("rule:pool"),
        owner: Text::default(),
        quorum: 1,
        guards: Vec::new(),
        observed: None,
        limits: Limits::default(),
    };
    let now = Clock::system().now();
    let state = machine::open(draft, format!("fx-{number}").parse().unwrap(), now).unwrap();
    machine::step(&state, &Event::Rehearsed(Ok(vec![text("it would work")])), now).unwrap().state
}

/// Keeps them in a folder; the first step of each has said these lines.
pub(crate) fn keep(folder: &Path, fixes: Vec<FixState>, said: &[String]) {
    let store = SqliteStore::open(folder, Timestamp::default()).unwrap();
    let mut writes = Vec::new();
    for state in fixes {
        let lines = (1..).zip(said).map(|(number, line)| FixOutput {
            id: state.fix.id.clone(),
            number,
            step: 0,
            stream: Stream::Out,
            at: Timestamp::default(),
            text: text(line),
        });
        let lines: Vec<Write> = lines.map(|line| Write::FixOutput(Box::new(line))).collect();
        writes.push(Write::Fix { state: Arc::new(state), from: None });
        writes.extend(lines);
    }
    store.commit_all(vec![Tx { writes, ..Tx::default() }]);
}
