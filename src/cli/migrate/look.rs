//! Questions: which migrations there are, one of them, how far it is, what people see.

use serde_json::{Value, json};
use stella_protocol::{Migration, MigrationStatus};

use super::decide::followed;
use super::follow::glimpse;
use super::list::rows;
use super::rest::{Course, is_at_rest};
use super::verbs::{CheckUser, Ls, One, Reported, Status};
use super::{Desk, Failure, Form, files, find, page, report as markdown};
use crate::cli::refused::{Asked, failure};
use crate::cli::sheet::NOTHING;
use crate::cli::words::remark;
use crate::client::migrations::MigrationAsk;

/// `migrate ls`.
pub(super) async fn ls(desk: &mut Desk<'_>, ls: &Ls) -> Result<u8, Failure> {
    let status: Vec<MigrationStatus> = match (&ls.status[..], ls.all) {
        ([], true) => Vec::new(),
        ([], false) => MigrationStatus::ALL.into_iter().filter(|status| status.is_unfinished()).collect(),
        (named, _) => named.to_vec(),
    };
    let client = desk.client.clone();
    let found = rows::<Migration, _>(ls.limit, async |part| {
        let ask = MigrationAsk { status: status.clone(), after: part.after, limit: part.limit };
        client.migration_page(&ask).await
    });
    let found = found.await?;
    match desk.form {
        Form::Json => desk.object(&json!({ "items": found.bodies, "next": found.next }))?,
        Form::Jsonl => found.bodies.iter().try_for_each(|body| desk.object(body))?,
        Form::Table | Form::Md if found.items.is_empty() => {
            remark(&ls.none());
            desk.lines(&["next: stella-tui migrate plan   (looks at the data, writes nothing)".to_owned()])?;
        }
        Form::Table | Form::Md => {
            desk.lines(&page::migrations(&found.items))?;
            desk.next(&found.items[0])?;
        }
    }
    if found.next.is_some() {
        remark("there are more: raise --limit");
    }
    Ok(if found.items.is_empty() { NOTHING } else { 0 })
}

impl Ls {
    /// That there is none of those that were asked for.
    fn none(&self) -> String {
        let states: Vec<String> = self.status.iter().map(|status| status.word().replace('_', " ")).collect();
        match (self.all, states.is_empty()) {
            (true, _) => "there is no migration".to_owned(),
            (false, true) => "no migration is unfinished".to_owned(),
            (false, false) => format!("no migration is {}", states.join(" or ")),
        }
    }
}

/// `migrate show`.
pub(super) async fn show(desk: &mut Desk<'_>, one: &One) -> Result<u8, Failure> {
    let found = find::migration(desk, one.id.as_deref()).await?;
    match desk.form {
        Form::Json | Form::Jsonl => desk.object(&found.body)?,
        Form::Table | Form::Md => {
            desk.lines(&page::show(&found.read))?;
            desk.next(&found.read)?;
        }
    }
    Ok(0)
}

/// `migrate status`.
pub(super) async fn status(desk: &mut Desk<'_>, asked: &Status) -> Result<u8, Failure> {
    let found = find::migration(desk, asked.one.id.as_deref()).await?;
    if asked.follow {
        let is_back = matches!(found.read.status, MigrationStatus::RollingBack | MigrationStatus::RolledBack);
        return followed(desk, found.read, if is_back { Course::Back } else { Course::Onward }).await;
    }
    let glimpsed = if is_at_rest(&found.read) { None } else { glimpse(desk, &found.read).await };
    match desk.form {
        Form::Json | Form::Jsonl => {
            let progress = glimpsed.map_or(Value::Null, |progress| json!(progress));
            desk.object(&json!({ "migration": found.body, "progress": progress }))?;
        }
        Form::Table | Form::Md => {
            desk.lines(&page::status(&found.read, glimpsed.as_ref(), desk.is_coloured))?;
            desk.next(&found.read)?;
        }
    }
    Ok(0)
}

/// `migrate check-user`: 1 when the person does not see what they must.
pub(super) async fn check_user(desk: &mut Desk<'_>, asked: &CheckUser) -> Result<u8, Failure> {
    let of = find::migration(desk, asked.one.id.as_deref()).await?.read;
    let check = desk.client.migration_user(&of.id, &asked.who).await;
    let check = Asked::Look.of(check)?;
    match desk.form {
        Form::Json | Form::Jsonl => desk.object(&check.body)?,
        Form::Table | Form::Md => {
            desk.lines(&page::check(&check.read))?;
            desk.next(&of)?;
        }
    }
    Ok(u8::from(!page::is_right(&check.read)))
}

/// `migrate report`, and the files beside it.
pub(super) async fn report(desk: &mut Desk<'_>, asked: &Reported) -> Result<u8, Failure> {
    let of = find::migration(desk, asked.one.id.as_deref()).await?.read;
    let report = Asked::Look.of(desk.client.migration_report(&of.id).await)?;
    match desk.form {
        Form::Json | Form::Jsonl => desk.object(&report.body)?,
        Form::Table | Form::Md => {
            desk.lines(&markdown::markdown(&report.read))?;
            remark(&page::next(&report.read.migration, &desk.place));
        }
    }
    if let Some(folder) = &asked.letters {
        let (letters, others) = files::letters(folder, asked.template.as_deref(), &report.read)?;
        remark(&format!("{letters} letters in {}, none was sent; {others} people saw everything", folder.display()));
    }
    if let Some(file) = &asked.mapping {
        let ids = files::mapping(desk, &of, file).await?;
        remark(&format!("{ids} ids and what they become in {}", file.display()));
    }
    Ok(0)
}

/// What everybody sees, behind a run that changed something.
pub(super) async fn everybody(desk: &mut Desk<'_>, migration: &Migration) -> Result<(), Failure> {
    let is_run = matches!(
        migration.status,
        MigrationStatus::Halted
            | MigrationStatus::Verified
            | MigrationStatus::Soaking
            | MigrationStatus::Completed
            | MigrationStatus::RolledBack
    );
    if !is_run {
        return Ok(());
    }
    match desk.client.migration_report(&migration.id).await {
        Ok(report) if report.read.users.is_empty() => Ok(()),
        Ok(report) => {
            desk.lines(&[String::new(), "what people see".to_owned()])?;
            desk.lines(&page::people(&report.read.users))
        }
        // How it ended is known all the same.
        Err(refusal) => {
            remark(&format!("what people see is not known: failed to {}", failure(&refusal, Asked::Look)));
            Ok(())
        }
    }
}
