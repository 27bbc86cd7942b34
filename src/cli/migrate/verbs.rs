//! What can be said behind `stella-tui migrate`: the verbs and their arguments. Does nothing.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use stella_protocol::MigrationStatus;
use stella_protocol::migration::OrphanChoice;

use crate::cli::short::digest;
use crate::cli::words::something;

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum Verb {
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
    /// Stop for a while, after the writes in flight.
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
    /// Halt after the writes in flight.
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
    Report(Reported),
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
pub(super) struct Ls {
    /// In this state; may be given several times.
    #[arg(long, value_name = "STATUS", value_parser = status, conflicts_with = "all")]
    pub(super) status: Vec<MigrationStatus>,
    /// In every state.
    #[arg(long)]
    pub(super) all: bool,
    /// At most so many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) limit: u32,
}

#[derive(Debug, Clone, Args)]
pub(super) struct One {
    /// Its id, or enough of it; the unfinished one when absent.
    #[arg(value_name = "MIG")]
    pub(super) id: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Reported {
    #[command(flatten)]
    pub(super) one: One,
    /// Write a letter for each person who did not see everything into this new folder; nothing is sent.
    #[arg(long, value_name = "DIR")]
    pub(super) letters: Option<PathBuf>,
    /// The letter; {to}, {user}, {application}, {before}, {state}, {now} and {migration} are filled in.
    #[arg(long, value_name = "FILE", requires = "letters")]
    pub(super) template: Option<PathBuf>,
    /// Write which id became which into this new file, for tables that are not in the documents.
    #[arg(long, value_name = "FILE.csv")]
    pub(super) mapping: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Status {
    #[command(flatten)]
    pub(super) one: One,
    /// Go on until a person is needed or it is over.
    #[arg(long, short)]
    pub(super) follow: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Plan {
    /// Look again with this one; when absent the one that is not approved yet, or a new one.
    #[arg(value_name = "MIG")]
    pub(super) id: Option<String>,
    /// Do not wait for what is found.
    #[arg(long)]
    pub(super) no_wait: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Go {
    #[command(flatten)]
    pub(super) one: One,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Follow it afterwards.
    #[arg(long, short)]
    pub(super) follow: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Seen {
    #[command(flatten)]
    pub(super) one: One,
    /// The plan that you saw: its digest, or the first 8 digits of it and more.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub(super) plan_digest: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Approve {
    #[command(flatten)]
    pub(super) seen: Seen,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Start {
    #[command(flatten)]
    pub(super) seen: Seen,
    /// Your word that readers understand old and new ids; needed where the application cannot be asked.
    #[arg(long, value_name = "TEXT", value_parser = something)]
    pub(super) dual_read: Option<String>,
    /// Follow it afterwards.
    #[arg(long, short)]
    pub(super) follow: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Consent {
    #[command(flatten)]
    pub(super) seen: Seen,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Follow it afterwards.
    #[arg(long, short)]
    pub(super) follow: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Because {
    #[command(flatten)]
    pub(super) one: One,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Rate {
    /// Documents a second; `max`: as fast as the guards allow.
    #[arg(value_name = "N|max", value_parser = rate)]
    pub(super) rate: u32,
    #[command(flatten)]
    pub(super) one: One,
}

#[derive(Debug, Clone, Args)]
pub(super) struct HandOver {
    #[command(flatten)]
    pub(super) one: One,
    /// Who, as the server names them.
    #[arg(long, value_name = "WHO", value_parser = something)]
    pub(super) to: String,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Statement {
    /// Its id, or enough of it.
    #[arg(value_name = "MIG")]
    pub(super) id: String,
    /// What you found in the store, and what you did.
    #[arg(long, visible_alias = "reason", value_name = "TEXT", value_parser = something)]
    pub(super) statement: String,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Cancel {
    /// Its id, or enough of it.
    #[arg(value_name = "MIG")]
    pub(super) id: String,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) one: One,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("about").required(true).args(["question", "orphan"]))]
pub(super) struct Decide {
    #[command(flatten)]
    pub(super) one: One,
    /// The question (`dec-N`), or enough of it.
    #[arg(long, value_name = "DEC", requires = "option", conflicts_with_all = ["choice", "user"])]
    pub(super) question: Option<String>,
    /// Which way, by its name or enough of it.
    #[arg(long, value_name = "NAME")]
    pub(super) option: Option<String>,
    /// The id without a user, whole.
    #[arg(long, value_name = "ID", requires = "choice", conflicts_with = "option")]
    pub(super) orphan: Option<String>,
    /// What is done with its documents.
    #[arg(long, value_enum)]
    pub(super) choice: Option<Choice>,
    /// Whose they are, for `map`.
    #[arg(long, value_name = "USER", requires = "choice")]
    pub(super) user: Option<String>,
    /// Why; for `map` the evidence.
    #[arg(long, value_name = "TEXT", value_parser = something)]
    pub(super) reason: String,
}

/// What is done with documents of nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Choice {
    /// Left as they are, listed.
    Quarantine,
    /// They become those of a user document that is made for them; nobody can sign in to it.
    Placeholder,
    /// What the id owns is marked as archived, the id kept; nothing is deleted.
    Archive,
    /// They are a user's; somebody else has to approve it.
    Map,
}

#[derive(Debug, Clone, Args)]
pub(super) struct CheckUser {
    /// An id of theirs, old or new, or their e-mail.
    pub(super) who: String,
    #[command(flatten)]
    pub(super) one: One,
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
    pub(super) fn changes(&self) -> bool {
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

pub(super) fn rate(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(rate @ 1..) => Ok(rate),
        _ if text == "max" => Ok(0),
        _ => Err("want documents a second, at least 1, or max".to_owned()),
    }
}
