//! `stella-server detect`: what it takes and prints. Scores go to stdout.

use std::io::{BufWriter, ErrorKind, LineWriter};
use std::path::{Path, PathBuf};

use clap::Args;
use stella_server::packed;
use stella_server::score::{self, Form, ScoreError, Tally};

use crate::Output;

/// Which series, and in which form its scores are wanted.
#[derive(Args)]
pub struct Detect {
    /// Rows of seconds since the epoch, a tab or a comma, and a value; may be gz or zst; `-` is stdin.
    #[arg(long, value_name = "FILE")]
    series: PathBuf,
    /// In which form; json is an object a row, with what was odd.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Output,
}

impl Detect {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        let form = match self.output {
            Output::Text => Form::Text,
            Output::Json => Form::Json,
        };
        let out = std::io::stdout().lock();
        let scored = if self.series == Path::new(packed::STREAM) {
            // Whoever sends rows one by one waits for their scores.
            score::file(&self.series, form, LineWriter::new(out))
        } else {
            score::file(&self.series, form, BufWriter::new(out))
        };
        match scored {
            Err(ScoreError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Ok(Tally { rows, holes }) if holes > 0 => {
                tracing::warn!("{holes} of {rows} rows have no number for a value");
            }
            other => _ = other?,
        }
        Ok(())
    }
}
