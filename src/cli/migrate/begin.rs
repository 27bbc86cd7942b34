//! `migrate plan`: a look at the data, from its beginning to what was found.

use std::future::Future;

use serde_json::json;
use stella_protocol::migration::{Decision, MigrationKind, MigrationProposal, MigrationRequest};
use stella_protocol::{Migration, MigrationStatus, MigrationVerb};

use super::decide::{DETACHED, said};
use super::follow::{self, Ended, Voice};
use super::list::rows;
use super::rest::{self, Course};
use super::verbs::{Consent, Plan, Seen, Verb};
use super::{Desk, Failure, Form, find, page};
use crate::cli::plan::Stdin;
use crate::cli::refused::Asked;
use crate::cli::sheet::CHANGE;
use crate::cli::words::remark;
use crate::client::fixes::Wire;
use crate::effect::Refusal;

/// Rows of a plan that are shown; who wants more asks for them.
const ROWS: u32 = 1_000;

/// What the arguments alone tell: a script that consents has to say to which plan.
pub(super) fn check(verb: &Verb, stdin: Stdin) -> Result<(), Failure> {
    let (word, seen) = match verb {
        Verb::Approve(asked) => (MigrationVerb::Approve, &asked.seen),
        Verb::Start(asked) => (MigrationVerb::Start, &asked.seen),
        Verb::Cutover(Consent { seen, .. }) => (MigrationVerb::Cutover, seen),
        Verb::Rollback(Consent { seen, .. }) => (MigrationVerb::Rollback, seen),
        _ => return Ok(()),
    };
    let Seen { one, plan_digest: None } = seen else { return Ok(()) };
    if stdin == Stdin::Terminal {
        return Ok(());
    }
    let id = one.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    Err(Failure::Usage(format!(
        "{}{id}: nobody is there to type its name, so say which plan you saw; look at it with \
         `stella-tui migrate show{id}`, then add --plan-digest and the digest that stands there",
        word.word()
    )))
}

/// `migrate plan`.
pub(super) async fn plan(desk: &mut Desk<'_>, asked: &Plan) -> Result<u8, Failure> {
    let begun = begin(desk, asked.id.as_deref()).await?;
    if asked.no_wait {
        return said(desk, &begun);
    }
    remark(&format!("{} looks at the data; nothing is written", begun.read.id));
    let migration = match follow::to_rest(desk, begun.read, Voice::Beside).await? {
        Ended::AtRest(migration) => migration,
        Ended::Detached => return Ok(DETACHED),
    };
    // As it was sent, and not older than what is shown with it.
    let found = find::by_id(desk, &migration.id).await?;
    show(desk, &found).await?;
    Ok(rest::code(&found.read, Course::Onward))
}

/// The look that is waited for: one that is under way, the open one's again, or a new one's.
async fn begin(desk: &Desk<'_>, asked: Option<&str>) -> Result<Wire<Migration>, Failure> {
    let open = match asked {
        Some(_) => Some(find::migration(desk, asked).await?),
        None => match &not_approved(find::unfinished(desk).await?)[..] {
            [] => None,
            [only] => Some(find::by_id(desk, &only.id).await?),
            several => return Err(find::tell_which(several)),
        },
    };
    let Some(open) = open else {
        return begun(desk.client.create_migration(CHANGE, &MigrationProposal { kind: MigrationKind::UserIds })).await;
    };
    let Migration { id, version, status, .. } = &open.read;
    if *status == MigrationStatus::Draft {
        return Ok(open);
    }
    let request = MigrationRequest::default();
    begun(desk.client.decide_migration(CHANGE, id, *version, MigrationVerb::Plan, &request)).await
}

async fn begun(answer: impl Future<Output = Result<Wire<Migration>, Refusal>>) -> Result<Wire<Migration>, Failure> {
    Asked::Change.of(answer.await)
}

/// Those that another look costs nothing but time. One that somebody approved is planned again only when it
/// is named: its approval would be lost.
fn not_approved(open: Vec<Migration>) -> Vec<Migration> {
    let is_one = |one: &Migration| {
        matches!(
            one.status,
            MigrationStatus::Draft
                | MigrationStatus::NeedsDecision
                | MigrationStatus::PlanFailed
                | MigrationStatus::Planned
                | MigrationStatus::Rehearsed
        )
    };
    open.into_iter().filter(is_one).collect()
}

async fn show(desk: &mut Desk<'_>, found: &Wire<Migration>) -> Result<(), Failure> {
    let id = &found.read.id;
    let client = desk.client.clone();
    let collections = rows(ROWS, async |part| client.migration_collections(id, &part).await).await?;
    let decisions = rows(ROWS, async |part| client.migration_decisions(id, &part).await).await?;
    match desk.form {
        Form::Json | Form::Jsonl => desk.object(&json!({
            "migration": found.body, "collections": collections.bodies, "decisions": decisions.bodies,
        })),
        Form::Table | Form::Md => {
            let open: Vec<Decision> =
                decisions.items.into_iter().filter(|one: &Decision| one.decided.is_none()).collect();
            desk.lines(&page::plan(&found.read, &collections.items, &open))?;
            desk.next(&found.read)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::migration;
    use super::*;

    #[test]
    fn an_approval_is_not_lost_to_a_look_that_names_nothing() {
        let open = MigrationStatus::ALL.map(|status| migration(&json!({"status": status.word()})));
        let again: Vec<&str> = not_approved(open.to_vec()).iter().map(|one| one.status.word()).collect();
        assert_eq!(again, ["draft", "needs_decision", "plan_failed", "planned", "rehearsed"]);
    }
}
