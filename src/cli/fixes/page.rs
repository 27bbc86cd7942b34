//! Fixes and what surrounds them as lines for people. Pure; every text passes the sanitiser.

mod plan;

use stella_protocol::fix::{
    Approval, DefinitionView, Fix, FixOutput, FixReview, FixStep, Gate, GateState, Maintenance, PlanStep, Record,
    Remedy, StepState, Stream, Suppression,
};
use stella_protocol::{FixStatus, Text};

use crate::cli::words::{clean, count, moment, section, span, table};

/// `fixes ls`.
pub(super) fn fixes(fixes: &[Fix]) -> Vec<String> {
    let header = ["ID", "STATUS", "RISK", "YES", "PROPOSED", "UNTIL", "ALERT", "TARGET", "TITLE"];
    table(
        header,
        fixes.iter().map(|fix| {
            [
                fix.id.to_string(),
                fix.status.word().to_owned(),
                fix.risk.word().to_owned(),
                consent(fix),
                moment(fix.proposed_at),
                until(fix),
                fix.alert_id.as_ref().map(ToString::to_string).unwrap_or_default(),
                clean(&fix.plan.target),
                clean(&fix.title),
            ]
        }),
    )
}

fn consent(fix: &Fix) -> String {
    if fix.by_policy { "policy".to_owned() } else { format!("{}/{}", fix.approvals.len(), fix.quorum) }
}

fn until(fix: &Fix) -> String {
    match fix.status {
        FixStatus::Proposed | FixStatus::Pending => moment(fix.approve_by),
        FixStatus::Approved => fix.execute_by.map(moment).unwrap_or_default(),
        _ => String::new(),
    }
}

/// What became of a verb: a line, and what the dry run said.
pub(super) fn outcome(fix: &Fix) -> Vec<String> {
    let how = match fix.status {
        FixStatus::Pending => {
            let given = format!("{} of {} approvals", fix.approvals.len(), fix.quorum);
            format!(": {given}, until {}", moment(fix.approve_by))
        }
        _ if !fix.result.is_empty() => format!(": {}", clean(&fix.result)),
        _ => String::new(),
    };
    let mut lines = vec![format!("{} {}{how}", fix.id, fix.status.word())];
    if matches!(fix.status, FixStatus::Pending | FixStatus::Invalid) {
        lines.extend(bullets(&fix.rehearsal));
    }
    lines
}

fn bullets(texts: &[Text]) -> impl Iterator<Item = String> {
    texts.iter().map(|text| format!("  - {}", clean(text)))
}

/// `fixes show`. `is_whole`: everything that stands in the plan is shown.
pub(super) fn review(review: &FixReview, is_whole: bool) -> Vec<String> {
    let fix = &review.fix;
    let mut lines = head(fix);
    section(&mut lines, "approvals", fix.approvals.iter().map(approval));
    section(&mut lines, "runs only if", plan::first(&fix.plan.preconditions));
    section(&mut lines, "what will run", plan::steps(&fix.plan.steps));
    if !is_whole {
        lines.push("  (this program does not know all of this plan: -o json shows it)".to_owned());
    }
    section(&mut lines, "values", plan::parameters(&fix.plan.parameters));
    section(&mut lines, "touches", bullets(&fix.plan.touches));
    section(&mut lines, "will not be undone", bullets(&fix.plan.will_not_undo));
    section(&mut lines, "success", plan::success(&fix.plan));
    // Once it has begun or ended nothing waits for them any more.
    let gates = review.gates.iter().filter(|_| fix.status.waits_to_begin());
    section(&mut lines, "gates", gates.map(gate));
    section(&mut lines, "differs since it was proposed", bullets(&review.differences));
    section(&mut lines, "dry run", bullets(&fix.rehearsal));
    section(&mut lines, "steps", steps(&fix.plan.steps, &fix.steps));
    section(&mut lines, "stays done", bullets(&fix.stays));
    let trail = fix.trail.iter().map(|one| format!("  {} {} {}", moment(one.at), clean(&one.by), clean(&one.what)));
    section(&mut lines, "what happened", trail);
    lines.push(String::new());
    lines.push(format!("record      {}", record(&review.record)));
    lines.push(format!("plan digest {}", clean(&fix.plan_digest)));
    lines
}

fn head(fix: &Fix) -> Vec<String> {
    let mut lines = vec![format!("{} {} {}", fix.id, fix.status.word(), clean(&fix.title)), String::new()];
    let mut add = |name: &str, value: String| lines.push(format!("{name:<12}{value}"));
    add("definition", format!("{}, risk {}, policy {}", clean(&fix.definition_id), fix.risk.word(), fix.policy.word()));
    add("target", clean(&fix.plan.target));
    if let Some(alert) = &fix.alert_id {
        add("alert", alert.to_string());
    }
    add("proposed", format!("{} by {}", moment(fix.proposed_at), clean(&fix.proposed_by)));
    let needs = count(usize::from(fix.quorum), "approval", "approvals");
    add("needs", if fix.by_policy { "nobody: policy auto".to_owned() } else { needs });
    if fix.status == FixStatus::Pending {
        add("approve by", moment(fix.approve_by));
    }
    if let (FixStatus::Approved, Some(by)) = (fix.status, fix.execute_by) {
        add("execute by", moment(by));
    }
    if !fix.result.is_empty() {
        add("result", clean(&fix.result));
    }
    lines
}

fn approval(approval: &Approval) -> String {
    let mut line = format!("  {} {}", moment(approval.at), clean(&approval.by));
    for (holds, words) in [(approval.simulated, " (simulated)"), (approval.single_person, " (single person)")] {
        line += if holds { words } else { "" };
    }
    if !approval.reason.is_empty() {
        line += &format!(": {}", clean(&approval.reason));
    }
    line
}

fn gate(gate: &Gate) -> String {
    let word = match gate.state {
        GateState::Open => "open",
        GateState::Warning => "LOOK",
        GateState::Shut => "SHUT",
        GateState::Unknown => "?",
    };
    format!("  {word:<5} {}", clean(&gate.text))
}

/// How the steps went; nothing while none has begun.
fn steps(plan: &[PlanStep], steps: &[FixStep]) -> Vec<String> {
    if steps.iter().all(|step| step.state == StepState::Waiting) {
        return Vec::new();
    }
    let rows = steps.iter().enumerate().map(|(place, step)| {
        let title = plan.get(place).map(|step| clean(&step.title)).unwrap_or_default();
        let tries = if step.attempt > 1 { format!(", try {}", step.attempt) } else { String::new() };
        let note = if step.note.is_empty() { String::new() } else { format!(": {}", clean(&step.note)) };
        format!("  {}. {}{tries} {title}{note}", place + 1, state(step.state))
    });
    rows.collect()
}

fn state(state: StepState) -> &'static str {
    match state {
        StepState::Waiting => "waiting",
        StepState::Begun => "begun",
        StepState::Done => "done",
        StepState::Failed => "failed",
        StepState::Unknown => "UNKNOWN",
        StepState::Undoing => "undoing",
        StepState::Undone => "undone",
        StepState::UndoFailed => "UNDO FAILED",
        StepState::Other => "?",
    }
}

fn record(record: &Record) -> String {
    let runs = if record.runs == 0 {
        "never run".to_owned()
    } else {
        format!("{} of {} helped", record.good, count(record.runs as usize, "run", "runs"))
    };
    match record.marked {
        0 => runs,
        marked => {
            let alerts = count(marked as usize, "alert", "alerts");
            format!("{runs}, {} of {alerts} judged were false", record.false_positive)
        }
    }
}

/// A line of output.
pub(super) fn line(line: &FixOutput) -> String {
    let stream = match line.stream {
        Stream::Out => "out",
        Stream::Err => "err",
        Stream::Stella => "stella",
        Stream::Unknown => "?",
    };
    format!("{} {} {stream:<6} {}", line.at, line.step + 1, clean(&line.text))
}

/// `fixes definitions`.
pub(super) fn definitions(definitions: &[DefinitionView]) -> Vec<String> {
    let rows = definitions.iter().map(|definition| {
        let runs = format!("{}/{}", definition.record.good, definition.record.runs);
        let now = definition.effective_policy.word().to_owned();
        let (risk, policy) = (definition.risk.word().to_owned(), definition.policy.word().to_owned());
        [clean(&definition.id), risk, policy, now, runs, clean(&definition.owner), clean(&definition.title)]
    });
    table(["ID", "RISK", "POLICY", "NOW", "HELPED", "OWNER", "TITLE"], rows)
}

/// `fixes definitions ID`.
pub(super) fn definition(definition: &DefinitionView) -> Vec<String> {
    let policy = if definition.policy == definition.effective_policy {
        definition.policy.word().to_owned()
    } else {
        format!("{}, now {}", definition.policy.word(), definition.effective_policy.word())
    };
    let why = if definition.why.is_empty() { String::new() } else { format!(": {}", clean(&definition.why)) };
    let mut lines = vec![format!("{} {}", clean(&definition.id), clean(&definition.title)), String::new()];
    let mut add = |name: &str, value: String| lines.push(format!("{name:<12}{value}"));
    add("risk", definition.risk.word().to_owned());
    add("policy", format!("{policy}{why}"));
    add("owner", clean(&definition.owner));
    add("matches", clean(&definition.matches));
    if let Some(runbook) = &definition.runbook {
        add("runbook", clean(runbook));
    }
    add("record", record(&definition.record));
    let values = definition.parameters.iter().map(|(name, kind)| {
        let name = clean(&Text::from(name.clone()));
        format!("  {name}: {}", clean(kind))
    });
    section(&mut lines, "values", values);
    lines
}

/// `fixes off`, `fixes on`.
pub(super) fn switch(remedy: &Remedy) -> Vec<String> {
    let Some(off) = &remedy.switched_off else { return vec!["fixes are on".to_owned()] };
    let why = if off.reason.is_empty() { String::new() } else { format!(": {}", clean(&off.reason)) };
    vec![format!("fixes are off since {} by {}{why}", moment(off.at), clean(&off.by))]
}

/// `fixes suppressions`.
pub(super) fn suppressions(suppressions: &[Suppression]) -> Vec<String> {
    let rows = suppressions
        .iter()
        .map(|one| [clean(&one.id), moment(one.at), clean(&one.definition_id), clean(&one.target), clean(&one.reason)]);
    table(["ID", "SINCE", "DEFINITION", "TARGET", "REASON"], rows)
}

/// `fixes maintenance`.
pub(super) fn windows(windows: &[Maintenance]) -> Vec<String> {
    let rows = windows.iter().map(|one| {
        let target = if one.target.is_empty() { "(all)".to_owned() } else { clean(&one.target) };
        // The server's clock went on a little between the question and the window: 2 h stay 2 h.
        let lasts = span((one.until.since(one.from) + 500).div_euclid(1_000) * 1_000);
        [clean(&one.id), moment(one.from), moment(one.until), lasts, target, clean(&one.by), clean(&one.reason)]
    });
    table(["ID", "FROM", "UNTIL", "LASTS", "TARGET", "BY", "REASON"], rows)
}

#[cfg(test)]
mod tests;
