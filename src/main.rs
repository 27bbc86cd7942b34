//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use stella_tui::cli::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match stella_tui::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            stella_tui::cli::complain(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
