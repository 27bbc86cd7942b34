//! What the program said when it was run once, and what it says to somebody who types at a terminal.

use std::io::{Read, Write};
use std::process::Output;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// What stood on its output, what beside it, and its exit code. Nothing of it was hostile.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) beside: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let read = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let said = Self { code: output.status.code(), out: read(&output.stdout), beside: read(&output.stderr) };
        let is_safe = |text: &str| !text.contains(['\u{1b}', '\u{202e}']);
        assert!(is_safe(&said.out) && is_safe(&said.beside), "{said:?}");
        said
    }
}

/// Runs a command at a terminal, typing this when it asks for a name; the exit code and what stood there.
pub(crate) fn typed(command: CommandBuilder, typed: &str) -> (u32, String) {
    let pair = native_pty_system().openpty(PtySize { rows: 60, cols: 200, ..PtySize::default() }).unwrap();
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let (mut reader, mut writer) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
    let (mut seen, mut piece, mut was_typed) = (String::new(), [0; 4096], false);
    // The end of a terminal whose other side is gone reads as an error.
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        seen += &String::from_utf8_lossy(&piece[..count]);
        if !was_typed && seen.contains("anything else to leave it: ") {
            was_typed = true;
            writer.write_all(typed.as_bytes()).unwrap();
            writer.flush().unwrap();
        }
    }
    (child.wait().unwrap().exit_code(), seen)
}
