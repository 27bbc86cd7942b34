//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use stella_tui::cli::Arguments;

/// The server's, which runs inside this program.
#[cfg(all(feature = "embedded", not(target_env = "musl")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    #[cfg(feature = "embedded")]
    if let Some(code) = stella_tui::embedded::operate(std::env::args().skip(1)) {
        return code;
    }
    let arguments = Arguments::parse();
    match stella_tui::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            stella_tui::cli::complain(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
