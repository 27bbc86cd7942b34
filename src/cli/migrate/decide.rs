//! Verbs: a migration is read, its version named, the verb sent once under one key.

use stella_protocol::migration::{MigrationRequest, MigrationVerb};
use stella_protocol::{Code, Migration, MigrationStatus, Text};

use super::follow::{self, Ended, Voice};
use super::rest::{self, Course};
use super::verbs::{Because, Consent, Go, One, Seen, Verb};
use super::{Desk, Failure, Form, find, look, page};
use crate::cli::refused::Asked;
use crate::cli::sheet::{CHANGE, typed};
use crate::cli::words::clean;
use crate::client::fixes::Wire;
use crate::effect::Refusal;

/// Somebody who stopped following: as a shell says of one who was interrupted.
pub(super) const DETACHED: u8 = 130;

/// A brake is meant whatever the migration did meanwhile; so often it is read again.
const READS: u32 = 3;

/// What is sent.
struct Sent<'a> {
    verb: MigrationVerb,
    id: Option<&'a str>,
    /// For verbs that name the plan.
    seen: Option<&'a Seen>,
    request: MigrationRequest,
    follow: bool,
}

impl<'a> Sent<'a> {
    fn new(verb: MigrationVerb, id: Option<&'a str>, text: Option<&String>) -> Self {
        let request = MigrationRequest { text: text.cloned().map(Text::from), ..MigrationRequest::default() };
        Self { verb, id, seen: None, request, follow: false }
    }

    fn seen(verb: MigrationVerb, seen: &'a Seen, text: Option<&String>) -> Self {
        Self { seen: Some(seen), ..Self::new(verb, seen.one.id.as_deref(), text) }
    }

    fn of(verb: &'a Verb) -> Option<Self> {
        use MigrationVerb as Word;
        let id = |one: &'a One| one.id.as_deref();
        let go = |word, go: &'a Go| Self { follow: go.follow, ..Self::new(word, id(&go.one), go.reason.as_ref()) };
        let because = |word, why: &'a Because| Self::new(word, id(&why.one), why.reason.as_ref());
        let consent =
            |word, yes: &'a Consent| Self { follow: yes.follow, ..Self::seen(word, &yes.seen, yes.reason.as_ref()) };
        Some(match verb {
            Verb::Rehearse(asked) => go(Word::Rehearse, asked),
            Verb::Resume(asked) => go(Word::Resume, asked),
            Verb::Verify(asked) => go(Word::Verify, asked),
            Verb::Retry(asked) => go(Word::Retry, asked),
            Verb::Pause(asked) => because(Word::Pause, asked),
            Verb::Stop(asked) => because(Word::Stop, asked),
            Verb::TakeOver(asked) => because(Word::TakeOver, asked),
            Verb::Cutover(asked) => consent(Word::Cutover, asked),
            Verb::Rollback(asked) => consent(Word::Rollback, asked),
            Verb::Approve(asked) => Self::seen(Word::Approve, &asked.seen, asked.reason.as_ref()),
            Verb::Start(asked) => {
                let follow = asked.follow;
                Self { follow, ..Self::seen(Word::Start, &asked.seen, asked.dual_read.as_ref()) }
            }
            Verb::Rate(asked) => {
                let request = MigrationRequest { rate: Some(asked.rate), ..MigrationRequest::default() };
                Self { request, ..Self::new(Word::Rate, id(&asked.one), None) }
            }
            Verb::HandOver(asked) => {
                let mut sent = Self::new(Word::HandOver, id(&asked.one), asked.reason.as_ref());
                sent.request.to = Some(Text::from(asked.to.clone()));
                sent
            }
            Verb::Close(asked) => Self::new(Word::Close, Some(&asked.id), Some(&asked.statement)),
            Verb::Cancel(asked) => Self::new(Word::Cancel, Some(&asked.id), asked.reason.as_ref()),
            _ => return None,
        })
    }

    /// It slows down or stops, whatever happened since it was looked at.
    fn is_brake(&self) -> bool {
        matches!(self.verb, MigrationVerb::Pause | MigrationVerb::Stop | MigrationVerb::Rate)
    }
}

/// Every verb on one migration but `plan`.
pub(super) async fn decide(desk: &mut Desk<'_>, verb: &Verb) -> Result<u8, Failure> {
    let mut sent = Sent::of(verb).ok_or(Failure::Nothing)?;
    let seen = find::migration(desk, sent.id).await?;
    if let Some(asked) = sent.seen {
        let plan = seen.read.plan.as_ref().ok_or_else(|| nothing_planned(&seen.read))?;
        match &asked.plan_digest {
            Some(digest) if plan.digest.raw().starts_with(digest) => {}
            Some(_) => return Err(another_plan(&seen.read)),
            None => ask(desk, &seen, sent.verb)?,
        }
        sent.request.plan_digest = Some(plan.digest.clone());
    }
    let began = seen.read.status;
    let answer = send(desk, seen.read, &sent).await?;
    if sent.follow {
        let is_back = sent.verb == MigrationVerb::Rollback || began == MigrationStatus::RollingBack;
        return followed(desk, answer.read, if is_back { Course::Back } else { Course::Onward }).await;
    }
    said(desk, &answer)
}

async fn send(desk: &Desk<'_>, mut seen: Migration, sent: &Sent<'_>) -> Result<Wire<Migration>, Failure> {
    let mut reads = 1;
    loop {
        let answer = desk.client.decide_migration(CHANGE, &seen.id, seen.version, sent.verb, &sent.request).await;
        match answer {
            Err(Refusal::Problem(problem))
                if problem.code == Code::VersionConflict && sent.is_brake() && reads < READS =>
            {
                reads += 1;
                seen = find::by_id(desk, &seen.id).await?.read;
            }
            answer => return Asked::Change.of(answer),
        }
    }
}

fn nothing_planned(migration: &Migration) -> Failure {
    let (id, word) = (&migration.id, migration.status.word());
    Failure::Conflict(format!("do it: {id} is {word} and has no plan; `stella-tui migrate plan {id}` makes one"))
}

fn another_plan(migration: &Migration) -> Failure {
    let id = &migration.id;
    Failure::Conflict(format!(
        "decide on {id}: its plan is not the one that you saw; look at it again with `stella-tui migrate show {id}`"
    ))
}

/// What has to be typed: a yes to a plan names what it changes, a yes to an act the migration; the act after
/// which nothing is as it was names both. Never nothing, whatever a store is called.
fn typed_for(verb: MigrationVerb, migration: &Migration) -> String {
    let (id, target) = (migration.id.to_string(), clean(&migration.target));
    let target = target.trim();
    match verb {
        MigrationVerb::Approve if !target.is_empty() => target.to_owned(),
        MigrationVerb::Cutover if !target.is_empty() => format!("{id} {target}"),
        _ => id,
    }
}

/// Shows the plan and has a name typed. Speaks beside the output, which is for the answer.
fn ask(desk: &Desk<'_>, seen: &Wire<Migration>, verb: MigrationVerb) -> Result<(), Failure> {
    let migration = &seen.read;
    let is_whole = serde_json::to_value(&migration.plan).is_ok_and(|plan| seen.body.get("plan") == Some(&plan));
    if !is_whole {
        return Err(Failure::NotDone(format!(
            "show the plan of {}: it holds what this program does not know; use one as new as the server",
            migration.id
        )));
    }
    if !desk.is_typed {
        return Err(Failure::Nothing);
    }
    let wanted = typed_for(verb, migration);
    let act = verb.word();
    let question = format!("Type {wanted} to {act} it, anything else to leave it: ");
    let typed = typed(&page::consent(migration), &question)?;
    if typed.eq_ignore_ascii_case(&wanted) {
        return Ok(());
    }
    Err(Failure::NotDone(format!("{act} {}: {wanted} was not typed, and nothing was changed", migration.id)))
}

/// What became of it.
pub(super) fn said(desk: &mut Desk<'_>, answer: &Wire<Migration>) -> Result<u8, Failure> {
    match desk.form {
        Form::Json | Form::Jsonl => desk.object(&answer.body)?,
        Form::Table | Form::Md => {
            desk.lines(&[page::outcome(&answer.read)])?;
            desk.next(&answer.read)?;
        }
    }
    Ok(0)
}

/// Follows it to its rest, and ends as a run ends: on what everybody sees.
pub(super) async fn followed(desk: &mut Desk<'_>, migration: Migration, course: Course) -> Result<u8, Failure> {
    let migration = match follow::to_rest(desk, migration, Voice::Answer).await? {
        Ended::AtRest(migration) => migration,
        Ended::Detached => return Ok(DETACHED),
    };
    if desk.form == Form::Table {
        look::everybody(desk, &migration).await?;
        desk.next(&migration)?;
    }
    Ok(rest::code(&migration, course))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::migration;
    use super::*;

    #[test]
    fn a_yes_is_never_typed_by_typing_nothing() {
        for target in ["", " ", "\t "] {
            let one = migration(&json!({"target": target}));
            for verb in [MigrationVerb::Approve, MigrationVerb::Start, MigrationVerb::Cutover, MigrationVerb::Rollback]
            {
                let wanted = typed_for(verb, &one);
                assert!(!wanted.trim().is_empty(), "{verb:?} {target:?}");
            }
        }
        let one = migration(&json!({"target": " demo-app "}));
        assert_eq!(typed_for(MigrationVerb::Approve, &one), "demo-app");
        assert_eq!(typed_for(MigrationVerb::Cutover, &one), "mig-1 demo-app");
        assert_eq!(typed_for(MigrationVerb::Rollback, &one), "mig-1");
    }
}
