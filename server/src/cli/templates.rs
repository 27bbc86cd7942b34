//! `stella-server templates`: what it takes and prints. Ids or the whole table go to stdout.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use stella_server::packed;
use stella_server::templates::{TemplatesError, learn};

use crate::{Output, harmless};

/// Which lines, and what to say of their templates.
#[derive(Args)]
pub struct Templates {
    /// A log file, also one packed with gzip or zstd; `-` is stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to print: text is the ids, json the table of the templates with their counts instead.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Output,
    /// The table of the templates on stderr at the end: id, count, words.
    #[arg(long)]
    table: bool,
}

impl Templates {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        let name = harmless(&self.file.display().to_string());
        let mut source = packed::open(&self.file).with_context(|| format!("open {name}"))?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let ids = matches!(self.output, Output::Text);
        let learned = learn(&mut source, |id| if ids { writeln!(out, "{id}") } else { Ok(()) });
        let done = learned.and_then(|learned| {
            let told = if ids { Ok(()) } else { learned.write_json(&mut out) };
            let told = told.and_then(|()| out.flush());
            told.and_then(|()| if self.table { learned.write_table(&mut std::io::stderr()) } else { Ok(()) })
                .map_err(TemplatesError::Write)
        });
        match done {
            Err(TemplatesError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.with_context(|| format!("learn from {name}")),
        }
    }
}
