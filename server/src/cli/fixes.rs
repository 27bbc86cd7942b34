//! `stella-server fixes`: definitions checked, and the plan that one would make. Nothing is kept and nothing runs.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use stella_protocol::{Alert, AlertId, Evidence};
use stella_server::admin::fixes::{self, Explain};
use stella_server::admin::{self, AdminAnswer, AdminRequest};

use super::config_file;
use crate::{harmless, say};

/// What to look at.
#[derive(Subcommand)]
pub enum Fixes {
    /// Name every problem with file and line, or list what is there.
    Check {
        /// A folder of definitions instead of the configuration's.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show the plan that a definition would make, and where each value comes from.
    Explain {
        /// Which definition.
        #[arg(value_name = "ID")]
        id: String,
        /// For which alert.
        #[arg(long, value_name = "ALERT", requires = "data")]
        alert: Option<AlertId>,
        /// The server's data folder, where the alert is.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// A value, as a person would give it.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
        values: Vec<(String, String)>,
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

impl Fixes {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check { folder, config } => {
                let settings = config_file(config)?.fixes_or_default();
                let checked = fixes::check(&settings, folder.as_deref())?;
                checked.lines.iter().try_for_each(|line| say(&harmless(line)))?;
                anyhow::ensure!(checked.sound, "use these definitions: {} problems", checked.lines.len());
                Ok(())
            }
            Self::Explain { id, alert, data, values, config } => {
                let proposer = fixes::proposer(config_file(config)?.fixes_or_default())?;
                let (alert, evidence) = match alert.zip(data) {
                    Some((alert, data)) => shown_alert(&data, alert)?,
                    None => (None, None),
                };
                let parameters = values.into_iter().map(|(name, value)| (name, value.into())).collect();
                let ask = Explain { id, alert, evidence, parameters };
                let runtime =
                    tokio::runtime::Builder::new_current_thread().build().context("start the async runtime")?;
                match runtime.block_on(fixes::explain(&proposer, ask)) {
                    Ok(lines) => lines.iter().try_for_each(|line| say(&harmless(line.raw()))),
                    Err(why) => anyhow::bail!("make a plan: {}", harmless(why.raw())),
                }
            }
        }
    }
}

/// Reads `--set`.
fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("want NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

type Shown = (Option<Box<Alert>>, Option<Box<Evidence>>);

fn shown_alert(data: &Path, id: AlertId) -> anyhow::Result<Shown> {
    match admin::run(data, &AdminRequest::ShowAlert { id })? {
        AdminAnswer::Alert { alert, evidence } => Ok((Some(alert), evidence)),
        AdminAnswer::Refused { reason } => anyhow::bail!("find the alert: {reason}"),
        _ => anyhow::bail!("find the alert: the running server is of another version"),
    }
}
