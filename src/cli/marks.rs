//! `stella-tui marks …`: what was called false, and taking it back.

use std::io::Write;

use clap::{Args, Subcommand};
use stella_protocol::FalseMark;

use super::Arguments;
use super::plan::{Failure, Surroundings};
use super::refused::Asked;
use super::sheet::{CHANGE, Manner, Sheet};
use super::short::one;
use super::words::{clean, moment, table};

/// What the help page ends with.
const EXAMPLES: &str = "\
Examples:
  stella-tui marks --server prod
  stella-tui marks undo 'slow|operation=export'

A fingerprint may be cut short as long as it stands for one mark only.
Exit codes: 0 ok, 1 error, 2 usage, 3 nothing matched, 4 conflict, 5 denied, 6 unreachable.";

/// `marks` and what it is asked.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Marks {
    #[command(flatten)]
    manner: Manner,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List them; this is also meant where no verb stands.
    List,
    /// Take one back: its next alert needs no more than others.
    Undo {
        /// What it identifies, or enough of it.
        #[arg(value_name = "FINGERPRINT")]
        fingerprint: String,
    },
}

/// Does what is asked; answers with the exit code.
pub(super) fn run(
    asked: &Marks,
    arguments: &Arguments,
    around: &Surroundings,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let undone = match &asked.verb {
        Some(Verb::Undo { fingerprint }) => Some(fingerprint),
        Some(Verb::List) | None => None,
    };
    asked.manner.converse(arguments, around, undone.is_some(), out, async |sheet| match undone {
        Some(fingerprint) => undo(sheet, fingerprint).await,
        None => list(sheet).await,
    })
}

async fn list(sheet: &mut Sheet<'_>) -> Result<u8, Failure> {
    let page = Asked::Look.of(sheet.client.marks().await)?;
    let items = &page.read.items;
    sheet.list(&page.body, "nothing was called false", || rows(items))
}

async fn undo(sheet: &mut Sheet<'_>, fingerprint: &str) -> Result<u8, Failure> {
    let known = Asked::Look.of(sheet.client.marks().await)?.read.items;
    let whole = one("mark", fingerprint, known.iter().map(|mark| mark.fingerprint.raw()))?;
    let answer = sheet.client.undo_mark(CHANGE, whole).await;
    let body = Asked::Change.of(answer)?;
    let title = known.iter().find(|mark| mark.fingerprint.raw() == whole).map(what).unwrap_or_default();
    sheet.say(&body, || vec![format!("taken back: {title}")])
}

/// What its last alert was called; where that is not known, what identifies it.
fn what(mark: &FalseMark) -> String {
    clean(mark.title.as_ref().unwrap_or(&mark.fingerprint))
}

fn rows(marks: &[FalseMark]) -> Vec<String> {
    let row = |mark: &FalseMark| {
        let by = mark.by.as_ref().map(clean).unwrap_or_default();
        let (times, needed) = (mark.times.to_string(), mark.needed.to_string());
        [moment(mark.at), by, times, needed, what(mark), clean(&mark.fingerprint)]
    };
    table(["AT", "BY", "TIMES", "NEEDS", "WHAT", "FINGERPRINT"], marks.iter().map(row))
}
