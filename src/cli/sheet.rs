//! What subcommands share that ask one server and say its answer: whom they ask, and in which of three forms the
//! answer is written.
//!
//! Knows nothing of what is asked. `migrate` has a desk of its own: it writes reports, and says what comes next.

use std::io::{self, Write};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

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
    pub(super) place: Place,
    /// A table for people, or the server's own objects.
    #[arg(short = 'o', long = "output", value_name = "FORM", value_enum, global = true, default_value_t = Form::Table)]
    form: Form,
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Aligned, for people.
    Table,
    /// The wire objects as 7-bit JSON: one answer, one object on a line.
    Json,
    /// The same, an item of a list a line.
    Jsonl,
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
            Form::Json | Form::Jsonl => words::write_object(self.out, object)?,
            Form::Table => words::write_lines(self.out, &lines())?,
        }
        Ok(0)
    }

    /// The same for a page of `items`: an empty one has no table, and another exit code.
    pub(super) fn list(
        &mut self,
        page: &Value,
        none: &str,
        lines: impl FnOnce() -> Vec<String>,
    ) -> Result<u8, Failure> {
        let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        match self.form {
            Form::Json => words::write_object(self.out, page)?,
            Form::Jsonl => items.iter().try_for_each(|item| words::write_object(self.out, item))?,
            Form::Table if items.is_empty() => words::remark(none),
            Form::Table => words::write_lines(self.out, &lines())?,
        }
        Ok(if items.is_empty() { NOTHING } else { 0 })
    }

    /// Hands over what is written, to whoever reads along.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::Output)
    }
}

/// Shows lines beside the output, which is for the answer, and asks for a yes. Enter alone is none.
pub(super) fn confirm(lines: &[String], question: &str) -> Result<bool, Failure> {
    Ok(typed(lines, &format!("{question} y does it, anything else leaves it: "))? == "y")
}

/// Shows lines beside the output, and has something typed.
pub(super) fn typed(lines: &[String], question: &str) -> Result<String, Failure> {
    let mut beside = io::stderr().lock();
    words::write_lines(&mut beside, lines)?;
    write!(beside, "\n{question}").map_err(Failure::Output)?;
    beside.flush().map_err(Failure::Output)?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed).map_err(Failure::Terminal)?;
    Ok(typed.trim().to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::target::Target;

    fn written(form: Form, page: &Value) -> (u8, String) {
        let client = Arc::new(Client::new(Target::new("http://127.0.0.1:1", None).unwrap()).unwrap());
        let mut out = Vec::new();
        let mut sheet = Sheet { client, form, is_typed: false, out: &mut out };
        let code = sheet.list(page, "none", || vec!["a table".to_owned()]).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_list_is_a_table_one_object_or_an_item_a_line() {
        let page = json!({"items": [{"id": "a"}, {"id": "b"}], "next": null});
        assert_eq!(written(Form::Table, &page), (0, "a table\n".to_owned()));
        assert_eq!(written(Form::Json, &page), (0, format!("{page}\n")));
        assert_eq!(written(Form::Jsonl, &page), (0, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n".to_owned()));
    }

    #[test]
    fn an_empty_list_is_told_by_the_exit_code_in_every_form() {
        let page = json!({"items": [], "next": null});
        assert_eq!(written(Form::Table, &page), (NOTHING, String::new()));
        assert_eq!(written(Form::Json, &page), (NOTHING, format!("{page}\n")));
        assert_eq!(written(Form::Jsonl, &page), (NOTHING, String::new()));
    }
}
