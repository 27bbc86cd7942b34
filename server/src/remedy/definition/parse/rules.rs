//! What a definition may be as a whole: how much risk needs which care.

use stella_protocol::fix::{Check, Policy, Risk};

use super::super::{ActTemplate, Definition, Precondition, Step, UndoTemplate};
use crate::toml_source::Section;

/// Tells what does not go together.
pub(super) fn hold(root: &Section<'_>, definition: &Definition) {
    let at = root.text("policy").map_or(0, |policy| policy.at);
    if definition.policy == Policy::Auto && definition.risk == Risk::High {
        root.problem(at, "a fix of high risk never runs by itself; did you mean `policy = \"approve\"`?");
    }
    if definition.policy == Policy::Auto && definition.matches.is_empty() {
        root.problem(
            at,
            "a fix that nothing matches never runs by itself; add a `[[match]]`, or `policy = \"approve\"`",
        );
    }
    if definition.policy == Policy::Auto && definition.verification.is_none() {
        root.problem(at, "a fix that runs by itself needs `[verify]`: how its success is told");
    }
    let asks_alert = definition.verification.as_ref().is_some_and(|verify| verify.check.check == Check::AlertQuiet);
    if asks_alert && definition.matches.is_empty() {
        root.problem(at, "`verify.of = \"alert_quiet\"` needs a `[[match]]`: by hand there may be no alert");
    }
    for (section, step) in root.sections("step").iter().zip(&definition.steps) {
        step_holds(section, definition, step);
    }
    for (section, one) in root.sections("precondition").iter().zip(&definition.preconditions) {
        if let Precondition::Asked(probe) = one
            && matches!(probe.act, ActTemplate::Document { .. } | ActTemplate::Repair { .. })
        {
            section.problem(section.at(), "a precondition reads only: `http` with GET, `argv` or `document`");
        }
    }
}

fn step_holds(section: &Section<'_>, definition: &Definition, step: &Step) {
    let outside = matches!(step.act, ActTemplate::Http(_) | ActTemplate::Argv(_));
    if !outside {
        return;
    }
    let blind = step.probe.is_none() && !step.idempotent;
    if blind && (definition.risk == Risk::Low || definition.policy == Policy::Auto) {
        section.problem(
            section.at(),
            "nobody could tell whether this happened: add a `probe`, or say `idempotent = true` if twice is the same \
             as once, or raise `risk` and let people approve it",
        );
    }
    if !step.fenced && definition.risk != Risk::High {
        section.problem(
            section.at(),
            "this is not `fenced` (the target refuses an executor that lost its lease): it could happen late, or twice, \
             and needs `risk = \"high\"`",
        );
    }
    if let Some(UndoTemplate::Act { probe: None, idempotent: false, .. }) = &step.undo
        && definition.risk == Risk::Low
    {
        section
            .problem(section.at(), "nobody could tell whether its undo happened: add a `probe` or `idempotent = true`");
    }
}
