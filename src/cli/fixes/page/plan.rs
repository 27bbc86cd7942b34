//! A plan as lines: everything that stands in it, so that a yes to what was read is a yes to what runs.

use stella_protocol::Text;
use stella_protocol::fix::{
    Act, ArgvAct, Check, Condition, DocumentAct, DocumentChange, FixPlan, HttpAct, PlanParameter, PlanStep, Probe,
    RepairAct, Side, Undo,
};

use super::clean;
use crate::cli::fixes::words::{list, quoted, span, value};
use crate::unwind;

/// What must hold before it runs.
pub(super) fn first(wanted: &[Probe]) -> Vec<String> {
    let one = |probe: &Probe| {
        let mut lines = vec![format!("  {}", clean(&probe.title))];
        lines.extend(indented(5, act(&probe.act)));
        lines.push(format!("     it holds when {}", condition(&probe.done)));
        lines.push(format!("     it does not when {}", condition(&probe.not_done)));
        lines
    };
    wanted.iter().flat_map(one).collect()
}

/// What runs, in order.
pub(super) fn steps(steps: &[PlanStep]) -> Vec<String> {
    steps.iter().enumerate().flat_map(|(place, step)| one(place, step)).collect()
}

fn one(place: usize, step: &PlanStep) -> Vec<String> {
    let mut lines = vec![format!("  {}. {}", place + 1, clean(&step.title))];
    lines.extend(indented(5, act(&step.act)));
    let manner = [
        (step.idempotent, "twice is the same as once".to_owned()),
        (step.fenced, "refused by the target when it comes late".to_owned()),
        (step.retries > 0, format!("tried {} times more", step.retries)),
    ];
    let manner: Vec<String> = manner.into_iter().filter_map(|(holds, words)| holds.then_some(words)).collect();
    if !manner.is_empty() {
        lines.push(format!("     {}", manner.join(", ")));
    }
    lines.extend(indented(5, step.probe.iter().flat_map(probe).collect()));
    lines.extend(indented(5, undo(step.undo.as_ref())));
    lines
}

fn indented(by: usize, lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(move |line| format!("{:by$}{line}", ""))
}

fn act(act: &Act) -> Vec<String> {
    match act {
        Act::Http(http) => call(http),
        Act::Argv(argv) => command(argv),
        Act::Document(document) => change(document),
        Act::Repair(repair) => repaired(repair),
        Act::Unknown => vec!["(something that this program does not know)".to_owned()],
    }
}

fn call(http: &HttpAct) -> Vec<String> {
    let mut lines = vec![format!("{} {}", http.method.word(), quoted(&http.url))];
    let headers = http.headers.iter();
    lines.extend(headers.map(|(name, text)| format!("header {}: {}", quoted(&Text::from(name.clone())), quoted(text))));
    lines.extend(http.body.iter().map(|body| format!("body {}", value(body))));
    let done = if http.success.is_empty() { "200 to 299".to_owned() } else { numbers(&http.success) };
    let within = span(i64::try_from(http.timeout_ms).unwrap_or(i64::MAX));
    lines.push(format!("at {}, done when status {done}, within {within}", clean(&http.base)));
    lines
}

fn command(argv: &ArgvAct) -> Vec<String> {
    let mut lines = vec![format!("run {} {}", quoted(&argv.program), list(&argv.arguments)).trim_end().to_owned()];
    if !argv.environment.is_empty() {
        lines.push(format!("with {} of the server's environment", list(&argv.environment)));
    }
    let done = if argv.success.is_empty() { "0".to_owned() } else { numbers(&argv.success) };
    let clean = if argv.clean.is_empty() {
        String::new()
    } else {
        format!(", surely nothing done when {}", numbers(&argv.clean))
    };
    let within = span(i64::try_from(argv.timeout_ms).unwrap_or(i64::MAX));
    lines.push(format!("done when exit {done}{clean}, within {within}"));
    lines
}

fn change(document: &DocumentAct) -> Vec<String> {
    let place = format!("document {} in {}", quoted(&document.id), quoted(&document.collection));
    match &document.change {
        DocumentChange::Delete => vec![format!("delete {place}")],
        DocumentChange::Set { fields } => {
            let mut lines = vec![format!("change {place}")];
            let name = |name: &String| quoted(&Text::from(name.clone()));
            lines.extend(fields.iter().map(|(field, to)| format!("set {} = {}", name(field), value(to))));
            lines
        }
        DocumentChange::Unknown => vec![format!("(something that this program does not know) of {place}")],
    }
}

fn repaired(repair: &RepairAct) -> Vec<String> {
    vec![
        format!("put {} where one of {} stands", quoted(&repair.user), list(&repair.wrong)),
        format!("in {}", list(&repair.collections)),
    ]
}

fn probe(probe: &Probe) -> Vec<String> {
    let mut lines = vec![format!("probe: {}", clean(&probe.title))];
    lines.extend(indented(2, act(&probe.act)));
    lines.push(format!("  it happened when {}", condition(&probe.done)));
    lines.push(format!("  it did not when {}", condition(&probe.not_done)));
    lines
}

fn undo(undo: Option<&Undo>) -> Vec<String> {
    match undo {
        None => vec!["undo: nothing takes this back".to_owned()],
        Some(Undo::Restore) => vec!["undo: the documents are put back as they were before".to_owned()],
        Some(Undo::Unknown) => vec!["undo: (in a way that this program does not know)".to_owned()],
        Some(Undo::Act { title, act: how, probe: seen, idempotent }) => {
            let twice = if *idempotent { " (twice is the same as once)" } else { "" };
            let mut lines = vec![format!("undo: {}{twice}", clean(title))];
            lines.extend(indented(2, act(how)));
            lines.extend(indented(2, seen.iter().flat_map(probe).collect()));
            lines
        }
    }
}

fn condition(condition: &Condition) -> String {
    let mut words = Vec::new();
    if !condition.status.is_empty() {
        words.push(format!("status {}", numbers(&condition.status)));
    }
    if !condition.exit.is_empty() {
        words.push(format!("exit {}", numbers(&condition.exit)));
    }
    match (&condition.pointer, &condition.equals) {
        (Some(pointer), Some(wanted)) => words.push(format!("{} is {}", quoted(pointer), value(wanted))),
        (Some(pointer), None) => words.push(format!("{} is there", quoted(pointer))),
        (None, Some(wanted)) => words.push(format!("the answer is {}", value(wanted))),
        (None, None) => {}
    }
    if words.is_empty() { "nothing tells".to_owned() } else { words.join(" and ") }
}

fn numbers<N: ToString>(numbers: &[N]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// The values that were filled in.
pub(super) fn parameters(parameters: &[PlanParameter]) -> Vec<String> {
    let row = |one: &PlanParameter| {
        let entry = if one.entry.is_empty() { String::new() } else { format!(", {}", clean(&one.entry)) };
        let (name, kind, source) = (clean(&one.name), clean(&one.kind), clean(&one.source));
        format!("  {name} = {} ({kind}, from {source}{entry})", quoted(&one.value))
    };
    parameters.iter().map(row).collect()
}

/// How it is told that it helped, and what must not happen meanwhile.
pub(super) fn success(plan: &FixPlan) -> Vec<String> {
    let told = match &plan.verification {
        Some(verification) => {
            let (hold, within) = (span(verification.hold_ms), span(verification.within_ms));
            let wanted = check(&verification.check);
            let otherwise = unwind::else_words(plan);
            format!("  {wanted} for {hold}, within {within} after the last step; else {otherwise}")
        }
        None => "  nothing tells but the steps themselves".to_owned(),
    };
    let guard = plan.guard.iter().map(|guard| format!("  {}", unwind::guard(plan, &check(guard))));
    std::iter::once(told).chain(guard).collect()
}

fn check(check: &Check) -> String {
    match check {
        Check::AlertQuiet => "the alert is quiet".to_owned(),
        Check::Series { series, side, limit } => {
            let side = match side {
                Side::Below => "at most",
                Side::Above => "at least",
                Side::Unknown => "(an unknown side of)",
            };
            format!("{} is {side} {limit}", clean(series))
        }
        Check::Unknown => "(a check that this program does not know) holds".to_owned(),
    }
}
