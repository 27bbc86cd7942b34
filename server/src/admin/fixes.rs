//! `stella-server fixes check|explain`: what is wrong with definitions, and what one would do.
//!
//! Reads files; an alert is asked for like any other administrative question. Performs nothing.

use std::collections::BTreeMap;
use std::path::Path;

use stella_protocol::fix::{Act, Check, FixPlan, PlanStep, Proposal, Record, Undo};
use stella_protocol::{Alert, Evidence, Principal, Role, Text};

use crate::clock::Clock;
use crate::remedy::definition::Seen;
use crate::remedy::definition::catalogue::{Catalogue, lacking};
use crate::remedy::run::load::{self, LoadError};
use crate::remedy::run::propose::Proposer;
use crate::remedy::settings::Settings;
use crate::toml_source::span_words;

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// One line each: problems, or what is there.
    pub lines: Vec<String>,
    /// Nothing is wrong.
    pub sound: bool,
}

/// Looks at all that the settings name; with a folder, at that one instead of theirs. Inventories stand
/// in the folder's sibling `inventories.d`, where there is one and the settings name none. Blocks.
///
/// # Errors
/// When a folder cannot be read.
pub fn check(settings: &Settings, folder: Option<&Path>) -> Result<Checked, LoadError> {
    let mut settings = settings.clone();
    if let Some(folder) = folder {
        settings.folder = Some(folder.to_owned());
        let beside =
            folder.canonicalize().ok().and_then(|full| full.parent().map(|parent| parent.join("inventories.d")));
        settings.inventories = settings.inventories.or(beside.filter(|beside| beside.is_dir()));
    }
    let (catalogue, problems) = load::load(&settings)?;
    if !problems.is_empty() {
        return Ok(Checked { lines: problems.iter().map(ToString::to_string).collect(), sound: false });
    }
    Ok(Checked { lines: listed(&catalogue, &settings), sound: true })
}

fn listed(catalogue: &Catalogue, settings: &Settings) -> Vec<String> {
    let definition = |definition: &crate::remedy::definition::Definition| {
        let lacks = lacking(definition, settings, settings.documents.is_some())
            .map_or(String::new(), |lacks| format!(" (not usable: {lacks})"));
        let (risk, policy) = (definition.risk.word(), definition.policy.word());
        format!("{}: {policy}, {risk} risk, {}{lacks}", definition.id, definition.match_words())
    };
    let inventories: Vec<&str> = catalogue.inventories().map(|inventory| inventory.name.as_str()).collect();
    let mut lines: Vec<String> = catalogue.definitions().map(definition).collect();
    lines.push(format!("{} definitions, inventories: {}", lines.len(), inventories.join(", ")));
    lines
}

/// What to explain.
#[derive(Debug, Default)]
pub struct Explain {
    /// Which definition.
    pub id: String,
    /// For which alert.
    pub alert: Option<Box<Alert>>,
    /// With what evidence.
    pub evidence: Option<Box<Evidence>>,
    /// Values given by hand.
    pub parameters: BTreeMap<String, Text>,
}

/// The plan that a definition would make, or why it would make none; in lines. Texts in it come from
/// outside: whoever shows them escapes them.
///
/// # Errors
/// Why there is no plan.
pub async fn explain(proposer: &Proposer, ask: Explain) -> Result<Vec<Text>, Text> {
    let by = Principal { name: Text::from("you"), role: Role::Admin };
    let seen = ask.alert.as_deref().map(|alert| Seen { alert, evidence: ask.evidence.as_deref() });
    let mut lines = Vec::new();
    if let (Some(definition), Some(seen)) = (proposer.catalogue.definition(&ask.id), seen) {
        let fits = definition.matches.iter().any(|one| one.fits(seen));
        let (not, words) = (if fits { "matches" } else { "does not match" }, definition.match_words());
        lines.push(Text::new(format!("{} {not} {}: it is for {words}", seen.alert.id, definition.id)));
    }
    let view = proposer.views(&|_| Record::default()).into_iter().find(|view| view.id.raw() == ask.id);
    if let Some(view) = view {
        let (policy, why) = (view.effective_policy.word(), view.why.raw());
        lines.push(Text::new(format!("policy {policy}: {why}")));
    }
    let proposal = Proposal { definition_id: Text::new(ask.id), alert_id: None, parameters: ask.parameters };
    let draft = proposer.draft(&by, proposal, seen).await.map_err(|refusal| Text::new(refusal.why))?;
    lines.push(Text::new(format!("title: {}", draft.title.raw())));
    lines.push(Text::new(format!(
        "target: {}, owner: {}, quorum: {}",
        draft.plan.target.raw(),
        draft.owner.raw(),
        draft.quorum
    )));
    lines.extend(plan_lines(&draft.plan));
    lines.push(Text::new(format!("plan digest: {}", draft.plan_digest.raw())));
    Ok(lines)
}

fn plan_lines(plan: &FixPlan) -> Vec<Text> {
    let mut lines = Vec::new();
    for parameter in &plan.parameters {
        let (name, value) = (parameter.name.raw(), parameter.value.raw());
        let entry = if parameter.entry.is_empty() { String::new() } else { format!(" ({})", parameter.entry.raw()) };
        let (kind, source) = (parameter.kind.raw(), parameter.source.raw());
        lines.push(format!("parameter {name} = {value}, {kind} from {source}{entry}"));
    }
    lines.extend(plan.preconditions.iter().map(|one| format!("only if: {}: {}", one.title.raw(), act_words(&one.act))));
    for (number, step) in plan.steps.iter().enumerate() {
        lines.extend(step_lines(number + 1, step));
    }
    lines.extend(plan.touches.iter().map(|text| format!("touches: {}", text.raw())));
    lines.extend(plan.will_not_undo.iter().map(|text| format!("stays after a rollback: {}", text.raw())));
    if let Some(verify) = &plan.verification {
        let (hold, within) = (span_words(verify.hold_ms), span_words(verify.within_ms));
        lines.push(format!("success: {} for {hold} within {within}", check_words(&verify.check)));
    }
    lines.into_iter().map(Text::new).collect()
}

fn step_lines(number: usize, step: &PlanStep) -> Vec<String> {
    let mut lines = vec![format!("step {number}: {}: {}", step.title.raw(), act_words(&step.act))];
    if let Some(probe) = &step.probe {
        lines.push(format!("  probe: {}: {}", probe.title.raw(), act_words(&probe.act)));
    }
    lines.push(match &step.undo {
        Some(Undo::Act { title, act, .. }) => format!("  undo: {}: {}", title.raw(), act_words(act)),
        Some(Undo::Restore) => "  undo: documents are put back as they were".to_owned(),
        Some(Undo::Unknown) | None => "  undo: none".to_owned(),
    });
    lines
}

fn act_words(act: &Act) -> String {
    match act {
        Act::Http(http) => {
            let body = http.body.as_ref().map_or(String::new(), |body| format!(" with {body}"));
            format!("{} {}{body}", http.method.word(), http.url.raw())
        }
        Act::Argv(argv) => {
            let arguments: Vec<String> =
                argv.arguments.iter().map(|argument| format!("{:?}", argument.raw())).collect();
            format!("{} [{}]", argv.program.raw(), arguments.join(", "))
        }
        Act::Document(document) => {
            let what = if matches!(document.change, stella_protocol::fix::DocumentChange::Delete) {
                "delete"
            } else {
                "change"
            };
            format!("{what} document {}/{}", document.collection.raw(), document.id.raw())
        }
        Act::Repair(repair) => {
            let list = |texts: &[Text]| texts.iter().map(Text::raw).collect::<Vec<_>>().join(", ");
            format!("write {} for {} in {}", repair.user.raw(), list(&repair.wrong), list(&repair.collections))
        }
        Act::Unknown => "nothing that is known".to_owned(),
    }
}

fn check_words(check: &Check) -> String {
    match check {
        Check::AlertQuiet => "the alert has no match any more".to_owned(),
        Check::Series { series, side, limit } => format!("series {} is {side:?} {limit}", series.raw()),
        Check::Unknown => "nothing that is known".to_owned(),
    }
}

/// What makes drafts for an explanation: everything but the documents of a running server.
///
/// # Errors
/// When a folder cannot be read.
pub fn proposer(settings: Settings) -> Result<Proposer, LoadError> {
    let (catalogue, _) = load::load(&settings)?;
    let single_person = settings.single_person(false, false);
    Ok(Proposer { catalogue, settings, documents: None, single_person, clock: Clock::system() })
}
