//! The console's own log: a file under the state folder, never the terminal. It tells of the program,
//! not of what the program shows.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// The file begins anew above this size, in bytes; one older one is kept.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Begins to log into `folder`. A second call changes nothing.
///
/// # Errors
/// When the file cannot be opened; the console runs without.
pub(crate) fn start(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let path = folder.join("stella-tui.log");
    if fs::metadata(&path).is_ok_and(|file| file.len() > LARGEST) {
        fs::rename(&path, folder.join("stella-tui.log.1"))?;
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let filter = EnvFilter::try_from_env("STELLA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Mutex::new(file));
    // A second subscriber is refused; the first one goes on.
    let _ = log.try_init();
    Ok(())
}
