//! `stella-tui fixes …`: the command line twin of the Fixes screen, for scripts and for people.
//!
//! Every verb reads the fix first and names the version that it read; what is approved is the plan that
//! was seen, by its digest. Says its result on the output and everything else beside it. Decides
//! nothing: what may be done is the server's word.

mod decide;
mod find;
mod follow;
mod look;
mod page;
mod surround;

use std::io::Write;

use clap::{Args, Subcommand};
use stella_protocol::{FixStatus, Timestamp};

use super::Arguments;
use super::plan::{Failure, Surroundings};
use super::sheet::{Manner, Sheet};
use super::short::digest;
use super::words::{clean, remark, something};

/// What the help page ends with.
const EXAMPLES: &str = "\
Examples:
  stella-tui fixes ls --server prod --status pending
  stella-tui fixes show fx-12                        the plan, its digest, what stands in the way
  stella-tui fixes approve fx-12                     shows the plan, asks for the id to be typed
  stella-tui fixes approve fx-12 --plan-digest 1f3a90c2 < /dev/null
  stella-tui fixes output fx-12 --follow && echo it helped
  stella-tui fixes off --reason 'wrong host names in the inventory'

An id may be cut short as long as it stands for one fix only; a number alone is one too. The token comes from STELLA_TOKEN or the profile.
Exit codes: 0 ok, 1 error, 2 usage, 3 nothing matched, 4 conflict, 5 denied, 6 unreachable.";

/// `fixes` and what it is asked.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Fixes {
    #[command(flatten)]
    manner: Manner,
    #[command(subcommand)]
    verb: Verb,
}

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List fixes: the open ones unless something else is asked for.
    Ls(Ls),
    /// Show one: what runs, what it touches, who said what, what stands in the way.
    Show(One),
    /// Propose one.
    Propose(Propose),
    /// Look again whether it would work; writes nothing to its target.
    DryRun(One),
    /// Say yes to the plan that was seen.
    Approve(Consent),
    /// Say no.
    Reject(Because),
    /// Take your yes back.
    Withdraw(One),
    /// Stop it after the step under way; what was done is taken back where it can be.
    Stop(Because),
    /// Take back what was executed.
    Rollback(Consent),
    /// Say how one ended that is in doubt, or could not be taken back.
    Close(Statement),
    /// What its steps said.
    Output(Output),
    /// What can be proposed; with an id everything about it.
    Definitions(Definition),
    /// Switch all fixes off, now.
    Off(Why),
    /// Switch them on again.
    On(Why),
    /// What is not proposed any more since it was rolled back.
    Suppressions,
    /// Let a suppressed one be proposed again.
    Lift(Lift),
    /// List the windows in which no fix starts; with --for or --until add one; `end` ends one.
    Maintenance(Window),
}

#[derive(Debug, Clone, Args)]
struct Ls {
    /// In this state; may be given several times.
    #[arg(long, value_name = "STATUS", value_parser = status, conflicts_with = "all")]
    status: Vec<FixStatus>,
    /// In every state.
    #[arg(long)]
    all: bool,
    /// For this alert.
    #[arg(long, value_name = "ALERT")]
    alert: Option<String>,
    /// At most so many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Debug, Clone, Args)]
struct One {
    /// Its id, or enough of it.
    #[arg(value_name = "FIX")]
    id: String,
}

#[derive(Debug, Clone, Args)]
struct Propose {
    /// The definition, or enough of its id.
    definition: String,
    /// For this alert.
    #[arg(long, value_name = "ALERT")]
    alert: Option<String>,
    /// A value that the alert does not give; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    values: Vec<(String, String)>,
}

#[derive(Debug, Clone, Args)]
struct Consent {
    /// Its id, or enough of it.
    #[arg(value_name = "FIX")]
    id: String,
    /// The plan that you saw: its digest, or the first 8 digits of it and more.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    plan_digest: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct Because {
    /// Its id, or enough of it.
    #[arg(value_name = "FIX")]
    id: String,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT", value_parser = something)]
    reason: String,
}

#[derive(Debug, Clone, Args)]
struct Statement {
    /// Its id, or enough of it.
    #[arg(value_name = "FIX")]
    id: String,
    /// What you found at the target, and what you did.
    #[arg(long, visible_alias = "reason", value_name = "TEXT", value_parser = something)]
    statement: String,
}

#[derive(Debug, Clone, Args)]
struct Output {
    /// Its id, or enough of it.
    #[arg(value_name = "FIX")]
    id: String,
    /// Of this step only, from 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    step: Option<u32>,
    /// Go on until it ends: 0 when it helped, 1 when it did not.
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Clone, Args)]
struct Definition {
    /// The definition, or enough of its id.
    #[arg(value_name = "DEFINITION")]
    id: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct Why {
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

#[derive(Debug, Clone, Args)]
struct Lift {
    /// Its id (`sup-N`), or enough of it.
    #[arg(value_name = "SUPPRESSION")]
    id: String,
}

#[derive(Debug, Clone, Args)]
struct Window {
    /// Targets that begin so, like `service:search`; all when absent.
    #[arg(long, value_name = "TARGET", requires = "end")]
    target: Option<String>,
    /// From then on, in RFC 3339; now when absent.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "end")]
    from: Option<Timestamp>,
    /// Up to then, in RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time, group = "end")]
    until: Option<Timestamp>,
    /// For so long: 90s, 15m, 2h, 3d.
    #[arg(long = "for", value_name = "TIME", value_parser = span, group = "end")]
    lasts: Option<i64>,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT", requires = "end")]
    reason: Option<String>,
    #[command(subcommand)]
    verb: Option<WindowVerb>,
}

/// What is done to a window.
#[derive(Debug, Clone, Subcommand)]
enum WindowVerb {
    /// End it before its time.
    End {
        /// Its id (`win-N`), or enough of it.
        #[arg(value_name = "WINDOW")]
        id: String,
    },
}

impl Verb {
    /// True when it changes something on the server.
    fn changes(&self) -> bool {
        match self {
            Self::Ls(_) | Self::Show(_) | Self::Output(_) | Self::Definitions(_) | Self::Suppressions => false,
            Self::Maintenance(window) => window.is_new() || window.verb.is_some(),
            _ => true,
        }
    }
}

impl Window {
    fn is_new(&self) -> bool {
        self.until.is_some() || self.lasts.is_some()
    }
}

fn status(word: &str) -> Result<FixStatus, String> {
    let known = FixStatus::ALL.into_iter().find(|status| status.word() == word.replace('-', "_"));
    known.ok_or_else(|| format!("want one of {}", FixStatus::ALL.map(FixStatus::word).join(", ")))
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("want NAME=VALUE")?;
    if name.is_empty() { Err("want NAME=VALUE".to_owned()) } else { Ok((name.to_owned(), value.to_owned())) }
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "want a time like 2026-01-31T18:00:00Z".to_owned())
}

fn span(text: &str) -> Result<i64, String> {
    let wrong = || "want a time like 90s, 15m, 2h or 3d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let count: u32 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let millis = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    if count == 0 { Err(wrong()) } else { Ok(i64::from(count) * millis) }
}

/// Does what is asked; answers with the exit code.
pub(super) fn run(
    asked: &Fixes,
    arguments: &Arguments,
    around: &Surroundings,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    decide::check(&asked.verb, around.stdin)?;
    let changes = asked.verb.changes();
    asked.manner.converse(arguments, around, changes, out, async |sheet| answer(sheet, &asked.verb).await)
}

async fn answer(sheet: &mut Sheet<'_>, verb: &Verb) -> Result<u8, Failure> {
    match verb {
        Verb::Ls(ls) => look::ls(sheet, ls).await,
        Verb::Show(one) => look::show(sheet, one).await,
        Verb::Definitions(definition) => look::definitions(sheet, definition).await,
        Verb::Output(output) => follow::output(sheet, output).await,
        Verb::Propose(propose) => decide::propose(sheet, propose).await,
        Verb::Off(why) => surround::switch(sheet, false, why).await,
        Verb::On(why) => surround::switch(sheet, true, why).await,
        Verb::Suppressions => surround::suppressions(sheet).await,
        Verb::Lift(lift) => surround::lift(sheet, lift).await,
        Verb::Maintenance(window) => surround::maintenance(sheet, window).await,
        verb => decide::decide(sheet, verb).await,
    }
}

#[cfg(test)]
mod tests;
