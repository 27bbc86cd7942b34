//! `stella-tui migrate …`: the command line twin of the Migrations screen, for scripts and for people.
//!
//! Every verb reads the migration first and names the version that it read; what is approved, started,
//! cut over or taken back is the plan that was seen, by its digest or by a name typed at a terminal. Says
//! its result on the output and everything else beside it. Decides nothing: what may be done is the
//! server's word.

mod answer;
mod begin;
mod decide;
mod files;
mod find;
mod follow;
mod list;
mod look;
mod page;
mod report;
mod rest;
mod verbs;

use std::io::Write;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;
use stella_protocol::Migration;

use super::Arguments;
use super::place::{self, Place};
use super::plan::{Failure, Stdin, Surroundings};
use super::words;
use crate::client::Client;
use verbs::Verb;

/// What the help page ends with.
const EXAMPLES: &str = "\
Examples:
  stella-tui migrate plan --server prod              looks at the data, says what would be done
  stella-tui migrate rehearse                        computes every batch, writes nothing
  stella-tui migrate approve mig-1                   shows the plan, asks for the store's name to be typed
  stella-tui migrate start mig-1 --follow --plan-digest 1f3a90c2 < /dev/null
  stella-tui migrate status --follow                 one line a progress; Ctrl-c lets it go on alone
  stella-tui migrate check-user ana@example.com      what one person sees: before, now, in the end
  stella-tui migrate report -o md > migration.md
  stella-tui migrate report --letters letters/       one text for each person who did not see everything; sends none

An id may be cut short as long as it stands for one migration only; a number alone is one too. Without an id the one that is not finished is meant. The token comes from STELLA_TOKEN or the profile.
Exit codes: 0 ok, 1 error or not as it must be, 2 usage, 3 nothing matched, 4 conflict or questions are open, 5 denied, 6 unreachable, 130 stopped following.";

/// `migrate` and what it is asked.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Migrate {
    #[command(flatten)]
    place: Place,
    /// A table for people, the server's own objects, or a report.
    #[arg(short = 'o', long = "output", value_name = "FORM", value_enum, global = true, default_value_t = Form::Table)]
    form: Form,
    #[command(subcommand)]
    verb: Verb,
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Aligned, for people.
    Table,
    /// The wire objects as 7-bit JSON: one answer, one object.
    Json,
    /// The same, an item a line.
    Jsonl,
    /// Markdown: for `report` alone.
    Md,
}

/// Asks one server, and says what it answers.
struct Desk<'a> {
    client: Arc<Client>,
    form: Form,
    /// Somebody types.
    is_typed: bool,
    /// Marks may have colours.
    is_coloured: bool,
    /// How the server was named, for commands that are shown.
    place: Named,
    out: &'a mut dyn Write,
}

/// How whoever is asked was named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    /// By the environment or the file: it goes without saying.
    Usual,
    /// By this flag.
    Server(String),
    /// It is a demo of this moment.
    Demo,
}

/// Does what is asked; answers with the exit code.
pub(super) fn run(
    asked: &Migrate,
    arguments: &Arguments,
    around: &Surroundings,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let flags = asked.place.merged(&arguments.source)?;
    if asked.form == Form::Md && !matches!(asked.verb, Verb::Report(_)) {
        return Err(Failure::Usage("read the command line: -o md is for report alone".to_owned()));
    }
    begin::check(&asked.verb, around.stdin)?;
    let way = place::way(&flags, &arguments.looks, around, asked.verb.changes())?;
    let place = match flags.server {
        Some(name) => Named::Server(name),
        None if flags.demo => Named::Demo,
        None => Named::Usual,
    };
    let (form, is_typed) = (asked.form, around.stdin == Stdin::Terminal);
    let is_coloured = around.has_screen && (around.look)("NO_COLOR").is_none_or(|value| value.is_empty());
    place::converse(way, out, async |client, out| {
        answer(&mut Desk { client, form, is_typed, is_coloured, place, out }, &asked.verb).await
    })
}

async fn answer(desk: &mut Desk<'_>, verb: &Verb) -> Result<u8, Failure> {
    match verb {
        Verb::Ls(ls) => look::ls(desk, ls).await,
        Verb::Show(one) => look::show(desk, one).await,
        Verb::Status(status) => look::status(desk, status).await,
        Verb::CheckUser(check) => look::check_user(desk, check).await,
        Verb::Report(one) => look::report(desk, one).await,
        Verb::Plan(plan) => begin::plan(desk, plan).await,
        Verb::Decide(asked) => answer::decide(desk, asked).await,
        Verb::Decisions(list) => list::decisions(desk, list).await,
        Verb::Orphans(list) => list::orphans(desk, list).await,
        Verb::Collections(list) => list::collections(desk, list).await,
        Verb::Errors(list) => list::errors(desk, list).await,
        Verb::Log(list) => list::log(desk, list).await,
        Verb::Mapping(list) => list::mapping(desk, list).await,
        verb => decide::decide(desk, verb).await,
    }
}

impl Desk<'_> {
    /// Writes lines that are safe to show.
    fn lines(&mut self, lines: &[String]) -> Result<(), Failure> {
        words::write_lines(self.out, lines)
    }

    /// Writes an object of the wire on a line.
    fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        words::write_object(self.out, object)
    }

    /// Ends an answer for people with what comes next.
    fn next(&mut self, migration: &Migration) -> Result<(), Failure> {
        let line = page::next(migration, &self.place);
        self.lines(&[String::new(), line])
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::Output)
    }
}

#[cfg(test)]
mod tests;
