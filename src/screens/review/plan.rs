//! What would run, word for word: each step with its act, its probe and its undo.
//!
//! An approval is an approval of exactly this, so nothing is left out and nothing is cut.

use serde_json::Value;
use stella_protocol::Text;
use stella_protocol::fix::{
    Act, ArgvAct, Check, Condition, DocumentAct, DocumentChange, FixPlan, HttpAct, PlanStep, Probe, Side, Undo,
};
use stella_widgets::number;
use stella_widgets::text::sanitise;

use super::case::is_undecided;
use super::page::{Page, clean};
use crate::theme::Role;
use crate::unwind;

/// What stands where this console cannot say what would run.
const UNKNOWN: &str = "of a kind that this console does not know: it cannot be shown, so do not approve it here";

pub(super) fn write(page: &mut Page<'_>) {
    let plan = &page.about.fix.plan;
    let when = if is_undecided(page.about.fix) { "what will run" } else { "what was planned" };
    page.heading(format!("{when} -- plan {}", short(&page.about.fix.plan_digest)));
    for what in &plan.will_not_undo {
        page.marked(("will NOT revert:", Role::Danger), Role::Danger, &clean(what));
    }
    for wanted in &plan.preconditions {
        write_first(page, wanted);
    }
    for (at, step) in plan.steps.iter().enumerate() {
        write_step(page, at, step);
    }
    watch(page, plan);
    page.heading("what it touches");
    if plan.touches.is_empty() {
        page.words(1, Role::Text, &clean(&plan.target));
    }
    plan.touches.iter().for_each(|what| page.words(1, Role::Text, &clean(what)));
    for given in &plan.parameters {
        let entry = if given.entry.is_empty() { String::new() } else { format!("; {}", clean(&given.entry)) };
        let (name, value) = (clean(&given.name), clean(&given.value));
        let words = format!("{name} = {value}   {} from {}{entry}", clean(&given.kind), clean(&given.source));
        page.words(1, Role::Muted, &words);
    }
}

/// How a plan is called: the first characters of its digest.
pub(super) fn short(digest: &Text) -> String {
    clean(digest).chars().take(8).collect()
}

/// True when every part of it can be shown.
pub(super) fn is_known(plan: &FixPlan) -> bool {
    let act = |act: &Act| match act {
        Act::Document(document) => document.change != DocumentChange::Unknown,
        Act::Unknown => false,
        Act::Http(_) | Act::Argv(_) | Act::Repair(_) => true,
    };
    let probe = |probe: &Option<Probe>| probe.as_ref().is_none_or(|probe| act(&probe.act));
    let firsts = plan.preconditions.iter().all(|wanted| act(&wanted.act));
    let checks = plan.guard.iter().chain(plan.verification.as_ref().map(|verification| &verification.check));
    let undo = |undo: &Option<Undo>| match undo {
        None | Some(Undo::Restore) => true,
        Some(Undo::Act { act: back, probe: look, .. }) => act(back) && probe(look),
        Some(Undo::Unknown) => false,
    };
    firsts
        && checks.into_iter().all(|check| *check != Check::Unknown)
        && plan.steps.iter().all(|step| act(&step.act) && probe(&step.probe) && undo(&step.undo))
}

/// What must hold before it runs: it is asked in every dry run.
fn write_first(page: &mut Page<'_>, wanted: &Probe) {
    page.words(1, Role::Text, &format!("runs only if {}", clean(&wanted.title)));
    write_act(page, "", &wanted.act);
    let words = format!("holds when {}, does not when {}", condition(&wanted.done), condition(&wanted.not_done));
    page.words(5, Role::Muted, &words);
}

fn write_step(page: &mut Page<'_>, at: usize, step: &PlanStep) {
    page.marked((&(at + 1).to_string(), Role::Accent), Role::Text, &clean(&step.title));
    write_act(page, "", &step.act);
    let manner = manner(step);
    if !manner.is_empty() {
        page.words(5, Role::Muted, &manner);
    }
    match &step.probe {
        Some(probe) => write_probe(page, "probe", probe),
        None => page.words(5, Role::Muted, "probe  none"),
    }
    match &step.undo {
        None => page.words(5, Role::Waiting, "undo   none: it stays done"),
        Some(Undo::Restore) => page.words(5, Role::Muted, "undo   its documents are put back from before-images"),
        Some(Undo::Act { title, act, probe, idempotent }) => {
            let again = if *idempotent { ", safe to repeat" } else { "" };
            page.words(5, Role::Text, &format!("undo   {}{again}", clean(title)));
            write_act(page, "  ", act);
            if let Some(probe) = probe {
                write_probe(page, "  probe", probe);
            }
        }
        Some(Undo::Unknown) => page.words(5, Role::Danger, &format!("undo   {UNKNOWN}")),
    }
}

fn manner(step: &PlanStep) -> String {
    let tries = match step.retries {
        0 => None,
        1 => Some("tried once more when it fails cleanly".to_owned()),
        many => Some(format!("tried {many} times more when it fails cleanly")),
    };
    let again = step.idempotent.then(|| "safe to repeat".to_owned());
    let fenced = step.fenced.then(|| "its target refuses a late executor".to_owned());
    [tries, again, fenced].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn write_probe(page: &mut Page<'_>, name: &str, probe: &Probe) {
    page.words(5, Role::Muted, &format!("{name}  {}", clean(&probe.title)));
    write_act(page, "  ", &probe.act);
    let words = format!("done when {}, not done when {}", condition(&probe.done), condition(&probe.not_done));
    page.words(7, Role::Muted, &words);
}

fn write_act(page: &mut Page<'_>, indent: &str, act: &Act) {
    let indent = 5 + u16::try_from(indent.len()).unwrap_or(0);
    let (what, more) = act_words(act);
    page.words(indent, if *act == Act::Unknown { Role::Danger } else { Role::Link }, &what);
    for words in more {
        page.words(indent + 2, Role::Muted, &words);
    }
}

/// What an act is, and what belongs to it.
fn act_words(act: &Act) -> (String, Vec<String>) {
    match act {
        Act::Http(call) => http(call),
        Act::Argv(command) => argv(command),
        Act::Document(document) => changed(document),
        Act::Repair(repair) => {
            let wrong: Vec<String> = repair.wrong.iter().map(clean).collect();
            let places: Vec<String> = repair.collections.iter().map(clean).collect();
            let what = format!("put right the references to {}", clean(&repair.user));
            (what, vec![format!("that say {}", wrong.join(", ")), format!("in {}", places.join(", "))])
        }
        Act::Unknown => (UNKNOWN.to_owned(), Vec::new()),
    }
}

fn http(call: &HttpAct) -> (String, Vec<String>) {
    let mut more: Vec<String> =
        call.headers.iter().map(|(name, value)| format!("{}: {}", sanitise(name), clean(value))).collect();
    more.extend(call.body.as_ref().map(|body| format!("body {}", json(body))));
    if !call.success.is_empty() {
        more.push(format!("done on {}", list(&call.success)));
    }
    more.push(format!("base {}, waits at most {}", clean(&call.base), number::span(to_ms(call.timeout_ms))));
    (format!("{} {}", call.method.word(), clean(&call.url)), more)
}

fn argv(command: &ArgvAct) -> (String, Vec<String>) {
    let arguments = command.arguments.iter().map(argument);
    let what = std::iter::once(clean(&command.program)).chain(arguments).collect::<Vec<_>>().join(" ");
    let names: Vec<String> = command.environment.iter().map(clean).collect();
    let mut more = Vec::new();
    if !names.is_empty() {
        more.push(format!("environment {}", names.join(", ")));
    }
    if !command.success.is_empty() {
        more.push(format!("done on exit {}", list(&command.success)));
    }
    if !command.clean.is_empty() {
        more.push(format!("surely not done on exit {}", list(&command.clean)));
    }
    more.push(format!("runs at most {}", number::span(to_ms(command.timeout_ms))));
    (what, more)
}

/// An argument as it is passed: in quotes where its ends could be mistaken.
fn argument(text: &Text) -> String {
    let shown = clean(text);
    let is_plain =
        !shown.is_empty() && shown.chars().all(|letter| letter.is_alphanumeric() || "-_=./:@,+".contains(letter));
    if is_plain { shown } else { format!("'{}'", shown.replace('\'', "'\\''")) }
}

fn changed(document: &DocumentAct) -> (String, Vec<String>) {
    let place = format!("{}/{}", clean(&document.collection), clean(&document.id));
    match &document.change {
        DocumentChange::Delete => (format!("delete the document {place}"), Vec::new()),
        DocumentChange::Set { fields } => {
            let more = fields.iter().map(|(name, value)| format!("{} = {}", sanitise(name), json(value)));
            (format!("set in the document {place}"), more.collect())
        }
        DocumentChange::Unknown => (format!("change the document {place}: {UNKNOWN}"), Vec::new()),
    }
}

fn condition(condition: &Condition) -> String {
    let mut all = Vec::new();
    if !condition.status.is_empty() {
        all.push(format!("status {}", list(&condition.status)));
    }
    if !condition.exit.is_empty() {
        all.push(format!("exit {}", list(&condition.exit)));
    }
    if let Some(pointer) = &condition.pointer {
        let value = condition.equals.as_ref().map_or_else(|| "something".to_owned(), json);
        all.push(format!("{} is {value}", clean(pointer)));
    }
    if all.is_empty() { "never".to_owned() } else { all.join(" and ") }
}

/// What is watched while it runs, and how success is told.
fn watch(page: &mut Page<'_>, plan: &FixPlan) {
    if let Some(guard) = &plan.guard {
        page.words(1, Role::Text, &unwind::guard(plan, &check(guard)));
    }
    match &plan.verification {
        None => page.words(1, Role::Muted, "it helped once its steps are done: nothing is watched afterwards"),
        Some(verification) => {
            let (hold, within) = (number::span(verification.hold_ms), number::span(verification.within_ms));
            let words = format!(
                "then watched: {} for {hold} without a break, within {within}; else {}",
                check(&verification.check),
                unwind::else_words(plan)
            );
            page.words(1, Role::Text, &words);
        }
    }
}

fn check(check: &Check) -> String {
    match check {
        Check::AlertQuiet => "the alert is quiet".to_owned(),
        Check::Series { series, side, limit } => {
            let side = match side {
                Side::Below => "at most",
                Side::Above => "at least",
                Side::Unknown => "on an unknown side of",
            };
            format!("{} is {side} {limit}", clean(series))
        }
        Check::Unknown => format!("a check holds {UNKNOWN}"),
    }
}

fn list(numbers: &[impl ToString]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn json(value: &Value) -> String {
    sanitise(&value.to_string()).into_string()
}

fn to_ms(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}
