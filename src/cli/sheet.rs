//! What the small subcommands share: whom they ask, and how the answer is written.

use std::io::{self, Write};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Arguments;
use super::place::{self, Place};
use super::plan::{Failure, Stdin, Surroundings};
use super::words;
use crate::client::Client;
use crate::effect::RequestId;

/// Nothing matched.
pub(super) const NOTHING: u8 = 3;

/// A process sends one change; its key is made for this name and kept however often it is tried.
pub(super) const CHANGE: RequestId = RequestId(1);

/// Whom to ask, and in which form the answer is wanted.
#[derive(Debug, Clone, Args)]
pub(super) struct Manner {
    #[command(flatten)]
    place: Place,
    /// A table for people, or the server's own objects.
    #[arg(short = 'o', long = "output", value_name = "FORM", value_enum, global = true, default_value_t = Form::Table)]
    form: Form,
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Aligned, for people.
    Table,
    /// The wire objects as 7-bit JSON, one a line.
    Json,
}

/// Asks one server, and says what it answers.
pub(super) struct Sheet<'a> {
    pub(super) client: Arc<Client>,
    form: Form,
    /// Somebody types.
    pub(super) is_typed: bool,
    out: &'a mut dyn Write,
}

impl Manner {
    /// Talks with whoever is there; answers with the exit code.
    pub(super) fn converse(
        &self,
        arguments: &Arguments,
        around: &Surroundings,
        changes: bool,
        out: &mut dyn Write,
        talk: impl AsyncFnOnce(&mut Sheet<'_>) -> Result<u8, Failure>,
    ) -> Result<u8, Failure> {
        let flags = self.place.merged(&arguments.source)?;
        let way = place::way(&flags, &arguments.looks, around, changes)?;
        let (form, is_typed) = (self.form, around.stdin == Stdin::Terminal);
        place::converse(way, out, async |client, out| talk(&mut Sheet { client, form, is_typed, out }).await)
    }
}

impl Sheet<'_> {
    /// Writes an answer: the server's object, or lines that are safe to show.
    pub(super) fn say(&mut self, object: &impl Serialize, lines: impl FnOnce() -> Vec<String>) -> Result<u8, Failure> {
        match self.form {
            Form::Json => words::write_object(self.out, object)?,
            Form::Table => words::write_lines(self.out, &lines())?,
        }
        Ok(0)
    }

    /// The same for a list: an empty one has no table, and another exit code.
    pub(super) fn list(
        &mut self,
        object: &impl Serialize,
        is_empty: bool,
        none: &str,
        lines: impl FnOnce() -> Vec<String>,
    ) -> Result<u8, Failure> {
        match (self.form, is_empty) {
            (Form::Json, _) => words::write_object(self.out, object)?,
            (Form::Table, true) => words::remark(none),
            (Form::Table, false) => words::write_lines(self.out, &lines())?,
        }
        Ok(if is_empty { NOTHING } else { 0 })
    }
}

/// Shows lines beside the output, which is for the answer, and asks for a yes. Enter alone is none.
pub(super) fn confirm(lines: &[String], question: &str) -> Result<bool, Failure> {
    let mut beside = io::stderr().lock();
    words::write_lines(&mut beside, lines)?;
    write!(beside, "\n{question} y does it, anything else leaves it: ").map_err(Failure::Output)?;
    beside.flush().map_err(Failure::Output)?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed).map_err(Failure::Terminal)?;
    Ok(typed.trim() == "y")
}
