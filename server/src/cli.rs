//! The commands of `stella-server`: their flags, and what they print.

pub mod backtest;
pub mod detect;
pub mod documents;
pub mod fixes;
pub mod serve;
pub mod templates;
pub mod token;

use std::path::PathBuf;

use stella_server::config::File;

/// A file named by a flag must be there; one named by the environment should.
fn config_file(named: Option<PathBuf>) -> anyhow::Result<File> {
    if let Some(path) = named {
        return Ok(File::read(&path)?);
    }
    match std::env::var_os("STELLA_SERVER_CONFIG").map(PathBuf::from) {
        Some(path) if path.exists() => Ok(File::read(&path)?),
        Some(_) => {
            tracing::warn!("the file that STELLA_SERVER_CONFIG names is missing; going on without it");
            Ok(File::default())
        }
        None => Ok(File::default()),
    }
}
