//! `stella-tui migrate …`: the command line twin of the Migrations screen, for scripts and for people.
//!
//! Every verb reads the migration first and names the version that it read; what is approved, started,
//! cut over or taken back is the plan that was seen, by its digest or by a name typed at a terminal. Says
//! its result on the output and everything else beside it. Decides nothing: what may be done is the
//! server's word.

mod answer;
mod begin;
mod decide;
mod find;
mod follow;
mod list;
mod look;
mod page;
mod report;
mod rest;

use std::io::Write;
use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde::Serialize;
use stella_protocol::migration::OrphanChoice;
use stella_protocol::{Migration, MigrationStatus};

use super::Arguments;
use super::place::{self, Place};
use super::plan::{self, Failure, Stdin, Surroundings};
use super::short::digest;
use super::words::{json, something};
use crate::client::Client;

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

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List migrations: the unfinished ones unless something else is asked for.
    Ls(Ls),
    /// Show one: its plan, who said what, what was found.
    Show(One),
    /// How far it is.
    Status(Status),
    /// Look at the data and say what would be done: a new one, or the open one again.
    Plan(Plan),
    /// Compute every batch; writes nothing.
    Rehearse(Go),
    /// Say yes to the plan that was seen.
    Approve(Approve),
    /// Back up, try a few users, write.
    Start(Start),
    /// Stop for a while, after the batches in flight.
    Pause(Because),
    /// Go on.
    Resume(Go),
    /// Write at most so many documents a second.
    Rate(Rate),
    /// Look at every document; writes nothing.
    Verify(Go),
    /// Aliases, then tombstones in place of old copies.
    Cutover(Consent),
    /// Take it back, last write first.
    Rollback(Consent),
    /// Halt after the batches in flight.
    Stop(Because),
    /// The documents that hold an id without a user.
    Orphans(List),
    /// The questions that only a person can answer.
    Decisions(List),
    /// Answer one of them, or say what is done with an id without a user.
    Decide(Decide),
    /// What one person sees: before, now, in the end.
    CheckUser(CheckUser),
    /// How it went, reconciled: Markdown, or with -o json the server's object.
    Report(One),
    /// Let somebody else answer for it.
    HandOver(HandOver),
    /// Answer for it yourself.
    TakeOver(Because),
    /// The step that failed, again.
    Retry(Go),
    /// Say how one ended that cannot end by itself.
    Close(Statement),
    /// Call it off before anything is changed.
    Cancel(Cancel),
    /// Its collections, in the order in which they are written.
    Collections(List),
    /// The documents with which something is wrong, newest first.
    Errors(List),
    /// What it did, oldest first.
    Log(List),
    /// Which id goes where, and why.
    Mapping(List),
}

#[derive(Debug, Clone, Args)]
struct Ls {
    /// In this state; may be given several times.
    #[arg(long, value_name = "STATUS", value_parser = status, conflicts_with = "all")]
    status: Vec<MigrationStatus>,
    /// In every state.
    #[arg(long)]
    all: bool,
    /// At most so many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Debug, Clone, Args)]
struct One {
    /// Its id, or enough of it; the unfinished one when absent.
    #[arg(value_name = "MIG")]
    id: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct Status {
    #[command(flatten)]
    one: One,
    /// Go on until a person is needed or it is over.
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Clone, Args)]
struct Plan {
    /// Look again with this one; when absent the one that is not approved yet, or a new one.
    #[arg(value_name = "MIG")]
    id: Option<String>,
    /// Do not wait for what is found.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Clone, Args)]
struct Go {
    #[command(flatten)]
    one: One,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Follow it afterwards.
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Clone, Args)]
struct Seen {
    #[command(flatten)]
    one: One,
    /// The plan that you saw: its digest, or the first 8 digits of it and more.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    plan_digest: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct Approve {
    #[command(flatten)]
    seen: Seen,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct Start {
    #[command(flatten)]
    seen: Seen,
    /// Your word that readers understand old and new ids; needed where the application cannot be asked.
    #[arg(long, value_name = "TEXT", value_parser = something)]
    dual_read: Option<String>,
    /// Follow it afterwards.
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Clone, Args)]
struct Consent {
    #[command(flatten)]
    seen: Seen,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Follow it afterwards.
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Clone, Args)]
struct Because {
    #[command(flatten)]
    one: One,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct Rate {
    /// Documents a second; `max`: as fast as the guards allow.
    #[arg(value_name = "N|max", value_parser = rate)]
    rate: u32,
    #[command(flatten)]
    one: One,
}

#[derive(Debug, Clone, Args)]
struct HandOver {
    #[command(flatten)]
    one: One,
    /// Who, as the server names them.
    #[arg(long, value_name = "WHO", value_parser = something)]
    to: String,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct Statement {
    /// Its id, or enough of it.
    #[arg(value_name = "MIG")]
    id: String,
    /// What you found in the store, and what you did.
    #[arg(long, visible_alias = "reason", value_name = "TEXT", value_parser = something)]
    statement: String,
}

#[derive(Debug, Clone, Args)]
struct Cancel {
    /// Its id, or enough of it.
    #[arg(value_name = "MIG")]
    id: String,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct List {
    #[command(flatten)]
    one: One,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("about").required(true).args(["question", "orphan"]))]
struct Decide {
    #[command(flatten)]
    one: One,
    /// The question (`dec-N`), or enough of it.
    #[arg(long, value_name = "DEC", requires = "option", conflicts_with_all = ["choice", "user"])]
    question: Option<String>,
    /// Which way, by its name or enough of it.
    #[arg(long, value_name = "NAME")]
    option: Option<String>,
    /// The id without a user, whole.
    #[arg(long, value_name = "ID", requires = "choice", conflicts_with = "option")]
    orphan: Option<String>,
    /// What is done with its documents.
    #[arg(long, value_enum)]
    choice: Option<Choice>,
    /// Whose they are, for `map`.
    #[arg(long, value_name = "USER", requires = "choice")]
    user: Option<String>,
    /// Why; for `map` the evidence.
    #[arg(long, value_name = "TEXT", value_parser = something)]
    reason: String,
}

/// What is done with documents of nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Left as they are, listed.
    Quarantine,
    /// A user without e-mail is made for them.
    Placeholder,
    /// Marked as archived, the id kept.
    Archive,
    /// They are a user's; somebody else has to approve it.
    Map,
}

#[derive(Debug, Clone, Args)]
struct CheckUser {
    /// An id of theirs, old or new, or their e-mail.
    who: String,
    #[command(flatten)]
    one: One,
}

impl From<Choice> for OrphanChoice {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Quarantine => Self::Quarantine,
            Choice::Placeholder => Self::Placeholder,
            Choice::Archive => Self::Archive,
            Choice::Map => Self::Map,
        }
    }
}

impl Verb {
    /// True when it changes something on the server.
    fn changes(&self) -> bool {
        match self {
            Self::Ls(_)
            | Self::Show(_)
            | Self::Status(_)
            | Self::Orphans(_)
            | Self::Decisions(_)
            | Self::CheckUser(_)
            | Self::Report(_)
            | Self::Collections(_)
            | Self::Errors(_)
            | Self::Log(_)
            | Self::Mapping(_) => false,
            Self::Plan(_)
            | Self::Rehearse(_)
            | Self::Approve(_)
            | Self::Start(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Rate(_)
            | Self::Verify(_)
            | Self::Cutover(_)
            | Self::Rollback(_)
            | Self::Stop(_)
            | Self::Decide(_)
            | Self::HandOver(_)
            | Self::TakeOver(_)
            | Self::Retry(_)
            | Self::Close(_)
            | Self::Cancel(_) => true,
        }
    }
}

fn status(word: &str) -> Result<MigrationStatus, String> {
    let known = MigrationStatus::ALL.into_iter().find(|status| status.word() == word.replace('-', "_"));
    known.ok_or_else(|| format!("want one of {}", MigrationStatus::ALL.map(MigrationStatus::word).join(", ")))
}

fn rate(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(rate @ 1..) => Ok(rate),
        _ if text == "max" => Ok(0),
        _ => Err("want documents a second, at least 1, or max".to_owned()),
    }
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
    let peer = plan::peer(&flags, &arguments.looks, around)?;
    if peer.readonly && asked.verb.changes() {
        return Err(Failure::Denied("this is a place to look only: --readonly, or the profile says so".to_owned()));
    }
    super::begin_log(&around.places, peer.warning.as_deref());
    let place = match flags.server {
        Some(name) => Named::Server(name),
        None if flags.demo => Named::Demo,
        None => Named::Usual,
    };
    let (form, is_typed) = (asked.form, around.stdin == Stdin::Terminal);
    let is_coloured = around.has_screen && (around.look)("NO_COLOR").is_none_or(|value| value.is_empty());
    place::converse(peer.way, out, async |client, out| {
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
        lines.iter().try_for_each(|line| writeln!(self.out, "{line}")).map_err(Failure::Output)
    }

    /// Writes an object of the wire on a line.
    fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        let line = json(object).map_err(|error| Failure::Output(error.into()))?;
        writeln!(self.out, "{line}").map_err(Failure::Output)
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
