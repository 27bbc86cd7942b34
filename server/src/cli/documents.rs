//! `stella-server documents`: in and out, and where the ids of users stand in them and in code.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use stella_server::admin::documents::{self, CommandError, code};
use stella_server::config::File;
use stella_server::documents::place::Place;

use crate::{Output, harmless, say};

/// What to do with documents.
#[derive(Subcommand)]
pub enum Documents {
    /// Take in lines as new documents; each file whole or not at all.
    Import {
        /// The files; `-` is stdin.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        place: DocumentsPlace,
    },
    /// Write every document as a line.
    Export {
        /// A new file; `-` is stdout.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        place: DocumentsPlace,
    },
    /// Say which forms the ids of users have, where they stand, and what the data map misses (exit code 1).
    Scan {
        /// A data map instead of the shipped one.
        #[arg(long, value_name = "FILE")]
        map: Option<PathBuf>,
        /// In which form.
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Output,
        #[command(flatten)]
        place: ScanPlace,
    },
    /// Look in files of source, scripts and configuration for ids of the users, and for old ones of nobody (exit code 1).
    SearchCode {
        /// Files and folders.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// What is left out, as a line of a .gitignore; may be given several times.
        #[arg(long, value_name = "PATTERN")]
        exclude: Vec<String>,
        /// A data map instead of the shipped one: it says where the users are.
        #[arg(long, value_name = "FILE")]
        map: Option<PathBuf>,
        /// In which form.
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Output,
        #[command(flatten)]
        place: ScanPlace,
    },
}

/// Where documents are that only the embedded store has.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct DocumentsPlace {
    /// A server's data folder, where a demo keeps its documents.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A folder of documents, as `fixes.documents` names it.
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
}

/// Where any documents are.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct ScanPlace {
    /// A server's data folder, where a demo keeps its documents.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A folder of documents, as `fixes.documents` names it.
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
    /// A configuration file: the documents that its `[documents]` names.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ScanPlace {
    fn place(self) -> anyhow::Result<Place> {
        let Some(config) = self.config else {
            return Ok(Place::Embedded(self.documents.or(self.data).unwrap_or_default()));
        };
        let named = File::read(&config)?.fixes_or_default().documents;
        named.with_context(|| format!("find documents: {} has no `[documents]`", config.display()))
    }
}

impl DocumentsPlace {
    fn folder(self) -> PathBuf {
        self.documents.or(self.data).unwrap_or_default()
    }
}

impl Documents {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Import { files, place } => {
                let folder = place.folder();
                files.iter().try_for_each(|file| {
                    let taken = documents::import(&folder, file)?;
                    say(&format!("{}: {taken} documents", harmless(&file.display().to_string())))
                })
            }
            Self::Export { file, place } => {
                let written = documents::export(&place.folder(), &file)?;
                // Stdout may be the documents themselves.
                tracing::info!("{written} documents written");
                Ok(())
            }
            Self::Scan { map, output, place } => scan(&place.place()?, map.as_deref(), output),
            Self::SearchCode { paths, exclude, map, output, place } => {
                let roll =
                    read_with_map(async { code::roll(&place.place()?, map.as_deref()).await.map_err(Into::into) })?;
                let form = match output {
                    Output::Json => code::Form::Json,
                    Output::Text => code::Form::Text,
                };
                let searched = code::search(&roll, &paths, &exclude, (form, &mut std::io::stdout().lock()))?;
                // What was passed over is not the answer.
                let lines = searched.words();
                lines.iter().try_for_each(|line| writeln!(std::io::stderr(), "{}", harmless(line)))?;
                anyhow::ensure!(searched.is_clean(), "find no id of a user in these files");
                Ok(())
            }
        }
    }
}

/// Looks at documents by a data map, whose problems are the answer where it has some.
fn read_with_map<T>(look: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the async runtime")?;
    runtime.block_on(look).or_else(|error| match error.downcast::<CommandError>()? {
        CommandError::Map(problems) => {
            problems.iter().try_for_each(|problem| say(&harmless(&problem.to_string())))?;
            anyhow::bail!("use this data map: {} problems", problems.len());
        }
        other => Err(other.into()),
    })
}

fn scan(place: &Place, map: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let report = read_with_map(async { Ok(documents::scan_place(place, map).await?) })?;
    match output {
        Output::Json => say(&documents::json(&report).context("write the report as JSON")?)?,
        Output::Text => documents::words(&report).iter().try_for_each(|line| say(&harmless(line.raw())))?,
    }
    anyhow::ensure!(report.is_complete(), "find everything in the data map: it misses places with known ids");
    Ok(())
}
