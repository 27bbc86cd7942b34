//! Verbs: a fix is read, its version named, the verb sent once under one key.

use stella_protocol::fix::{Fix, FixRequest, FixReview, Proposal};
use stella_protocol::{FixVerb, Text};

use super::{Consent, Failure, Propose, Sheet, Verb, find, look, page};
use crate::cli::plan::Stdin;
use crate::cli::refused::Asked;
use crate::cli::sheet::{CHANGE, typed};
use crate::cli::short::one;
use crate::client::fixes::Wire;

/// What the arguments alone tell: a script that approves has to say which plan.
pub(super) fn check(verb: &Verb, stdin: Stdin) -> Result<(), Failure> {
    match verb {
        Verb::Approve(Consent { id, plan_digest: None, .. }) if stdin != Stdin::Terminal => {
            Err(Failure::Usage(format!(
                "approve {id}: nobody is there to type its id, so say which plan you saw; \
                 look at it with `stella-tui fixes show {id}`, then add --plan-digest and the digest that stands there"
            )))
        }
        Verb::Maintenance(window) if window.verb.is_some() && window.is_new() => Err(Failure::Usage(
            "read the command line: a window is added or ended; --for and --until do not belong to end".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// `fixes propose`.
pub(super) async fn propose(sheet: &mut Sheet<'_>, asked: &Propose) -> Result<u8, Failure> {
    let known = Asked::Look.of(sheet.client.fix_definitions().await)?.read;
    let definition = one("definition", &asked.definition, known.items.iter().map(|known| known.id.raw()))?;
    let alert_id = match &asked.alert {
        Some(alert) => Some(find::alert(sheet, alert).await?),
        None => None,
    };
    let values = asked.values.iter().map(|(name, value)| (name.clone(), Text::from(value.clone())));
    let proposal =
        Proposal { definition_id: Text::from(definition.to_owned()), alert_id, parameters: values.collect() };
    let answer = sheet.client.propose_fix(CHANGE, &proposal).await;
    said(sheet, &Asked::Change.of(answer)?)
}

/// Every verb on one fix.
pub(super) async fn decide(sheet: &mut Sheet<'_>, verb: &Verb) -> Result<u8, Failure> {
    let (verb, id, digest, text) = match verb {
        Verb::DryRun(one) => (FixVerb::DryRun, &one.id, None, None),
        Verb::Withdraw(one) => (FixVerb::Withdraw, &one.id, None, None),
        Verb::Approve(consent) => (FixVerb::Approve, &consent.id, Some(consent), consent.reason.as_ref()),
        Verb::Rollback(consent) => (FixVerb::Rollback, &consent.id, Some(consent), consent.reason.as_ref()),
        Verb::Reject(because) => (FixVerb::Reject, &because.id, None, Some(&because.reason)),
        Verb::Stop(because) => (FixVerb::Stop, &because.id, None, Some(&because.reason)),
        Verb::Close(close) => (FixVerb::Close, &close.id, None, Some(&close.statement)),
        _ => return Err(Failure::Nothing),
    };
    let review = find::fix(sheet, id).await?;
    let fix = &review.read.fix;
    if let Some(consent) = digest {
        match &consent.plan_digest {
            Some(seen) => same_plan(fix, seen)?,
            None if verb == FixVerb::Approve => ask(sheet, &review)?,
            None => {}
        }
    }
    let request = FixRequest {
        plan_digest: digest.map(|_| fix.plan_digest.clone()),
        text: text.map(|text| Text::from(text.clone())),
    };
    let answer = sheet.client.decide_fix(CHANGE, &fix.id, fix.version, verb, &request).await;
    said(sheet, &Asked::Change.of(answer)?)
}

fn same_plan(fix: &Fix, seen: &str) -> Result<(), Failure> {
    if fix.plan_digest.raw().starts_with(seen) {
        return Ok(());
    }
    Err(Failure::Conflict(format!(
        "decide on {id}: its plan is not the one that you saw; look at it again with `stella-tui fixes show {id}`",
        id = fix.id
    )))
}

/// Shows the plan and has the id typed. Speaks beside the output, which is for the answer.
fn ask(sheet: &Sheet<'_>, review: &Wire<FixReview>) -> Result<(), Failure> {
    let fix = &review.read.fix;
    if !look::is_whole(&fix.plan, &review.body) {
        return Err(Failure::NotDone(format!(
            "show the plan of {}: it holds what this program does not know; use one as new as the server",
            fix.id
        )));
    }
    if !sheet.is_typed {
        return Err(Failure::Nothing);
    }
    let question = format!("Type {} to approve this plan, anything else to leave it: ", fix.id);
    let typed = typed(&page::review(&review.read, true), &question)?;
    if typed.eq_ignore_ascii_case(fix.id.as_str()) {
        return Ok(());
    }
    Err(Failure::NotDone(format!("approve {}: its id was not typed, and nothing was changed", fix.id)))
}

/// What became of it.
fn said(sheet: &mut Sheet<'_>, answer: &Wire<Fix>) -> Result<u8, Failure> {
    sheet.say(&answer.body, || page::outcome(&answer.read))
}
