//! `stella-tui deploys …`: new revisions of services, told by whoever brings them out.

use std::io::Write;

use clap::{Args, Subcommand};
use stella_protocol::deploy::DeployRequest;
use stella_protocol::{Deploy, Text, Timestamp};

use super::Arguments;
use super::plan::{Failure, Surroundings};
use super::refused::Asked;
use super::sheet::{CHANGE, Manner, Sheet};
use super::words::{clean, moment, something, table};
use crate::screens::deploys::source;

/// What the help page ends with.
const EXAMPLES: &str = "\
Examples:
  stella-tui deploys --server prod
  stella-tui deploys add api r8812 --by ci            with a token of role ingest, or as a responder
  stella-tui deploys add api r8812 --at 2026-01-31T18:00:00Z

The revision that is the service's newest one already changes nothing.
Exit codes: 0 ok, 1 error, 2 usage, 3 nothing matched, 4 conflict, 5 denied, 6 unreachable.";

/// `deploys` and what it is asked.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Deploys {
    #[command(flatten)]
    manner: Manner,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List them, newest first; this is also meant where no verb stands.
    List,
    /// Tell of one: a mark in the charts, and a reason in evidence.
    Add(Add),
}

#[derive(Debug, Clone, Args)]
struct Add {
    /// Which service.
    #[arg(value_parser = something)]
    service: String,
    /// Which revision of it.
    #[arg(value_parser = something)]
    revision: String,
    /// When, in RFC 3339; now when absent.
    #[arg(long, value_name = "TIME", value_parser = super::fixes::time)]
    at: Option<Timestamp>,
    /// By whom.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

/// Does what is asked; answers with the exit code.
pub(super) fn run(
    asked: &Deploys,
    arguments: &Arguments,
    around: &Surroundings,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let told = match &asked.verb {
        Some(Verb::Add(add)) => Some(add),
        Some(Verb::List) | None => None,
    };
    asked.manner.converse(arguments, around, told.is_some(), out, async |sheet| match told {
        Some(add) => tell(sheet, add).await,
        None => list(sheet).await,
    })
}

async fn list(sheet: &mut Sheet<'_>) -> Result<u8, Failure> {
    let page = Asked::Look.of(sheet.client.deploys().await)?;
    let items = &page.read.items;
    sheet.list(&page.body, "no deploy is known", || rows(items))
}

async fn tell(sheet: &mut Sheet<'_>, add: &Add) -> Result<u8, Failure> {
    let request = DeployRequest {
        service: Text::from(add.service.clone()),
        revision: Text::from(add.revision.clone()),
        at: add.at,
        by: add.by.clone().map(Text::from),
    };
    let answer = sheet.client.add_deploy(CHANGE, &request).await;
    let deploy = Asked::Change.of(answer)?;
    sheet.say(&deploy.body, || rows(std::slice::from_ref(&deploy.read)))
}

fn rows(deploys: &[Deploy]) -> Vec<String> {
    let row = |deploy: &Deploy| {
        let by = deploy.by.as_ref().map(clean).unwrap_or_default();
        [moment(deploy.at), clean(&deploy.service), clean(&deploy.revision), by, source(deploy.source).to_owned()]
    };
    table(["AT", "SERVICE", "REVISION", "BY", "KNOWN BY"], deploys.iter().map(row))
}
