//! Follows a file the way it is written: through rotation by renaming, through truncation, and before
//! it exists. What stands in it already comes first, as a recording.
//!
//! Architecture Invariant: a length alone says nothing. A file may be emptied and written beyond the old
//! end between two looks, so every read begins at the last bytes that are known and compares them.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// How often a file that says nothing is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// So many bytes before the place are remembered: a line or two, which hold a time.
const KEPT: usize = 1024;

/// What a look at the file brought.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// So many bytes.
    Bytes(usize),
    /// Nothing new.
    Quiet,
    /// It is not there (yet).
    Missing,
    /// It began anew: another file stands at its place, or it was emptied.
    Anew,
    /// It is no file that can grow (a pipe), and it has ended.
    Over,
}

/// A file being followed; reads like one that goes on for ever.
#[derive(Debug)]
pub(super) struct Follower {
    path: PathBuf,
    open: Option<Open>,
    is_endless: bool,
    /// The last byte read was no line end: one is put in before a file that began anew.
    is_mid_line: bool,
    /// Told once, when the file is there.
    found: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    position: u64,
    /// What stands before the position, and room to read it again.
    kept: Vec<u8>,
    window: Vec<u8>,
    can_grow: bool,
}

impl Follower {
    /// Follows the file at `path`; one that is not endless ends where the file does. `found` is told
    /// when the file could be opened.
    pub(super) fn new(path: PathBuf, is_endless: bool, found: oneshot::Sender<()>) -> Self {
        Self { path, open: None, is_endless, is_mid_line: false, found: Some(found) }
    }

    fn look(&mut self, buffer: &mut [u8]) -> io::Result<Look> {
        let Some(open) = &mut self.open else {
            return self.begin();
        };
        match open.read(buffer)? {
            Look::Quiet => {}
            told => return Ok(told),
        }
        let Ok(there) = fs::metadata(&self.path) else {
            // Renamed, and the next one is not there yet: the old one may still be written to.
            return Ok(Look::Quiet);
        };
        if identity(&there) == open.identity {
            return Ok(Look::Quiet);
        }
        // What was written to the old one before it was replaced, and after it was read.
        if let Look::Bytes(read) = open.read(buffer)? {
            return Ok(Look::Bytes(read));
        }
        self.open = None;
        Ok(Look::Anew)
    }

    fn begin(&mut self) -> io::Result<Look> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Missing),
            Err(error) => return Err(error),
        };
        let status = file.metadata()?;
        let (identity, can_grow) = (identity(&status), status.is_file());
        self.open = Some(Open { file, identity, position: 0, kept: Vec::new(), window: Vec::new(), can_grow });
        if let Some(found) = self.found.take() {
            // Whoever waited for it has ended.
            let _ = found.send(());
        }
        Ok(Look::Anew)
    }
}

impl Open {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Look> {
        if !self.can_grow {
            let read = self.file.read(buffer)?;
            return Ok(if read > 0 { Look::Bytes(read) } else { Look::Over });
        }
        // One read for both, or the file could begin anew between the look back and the look ahead.
        self.window.resize(self.kept.len() + buffer.len(), 0);
        let from = self.position - self.kept.len() as u64;
        let read = self.file.read_at(&mut self.window, from)?;
        let Some(fresh) = self.window[..read].strip_prefix(self.kept.as_slice()) else {
            (self.position, self.kept) = (0, Vec::new());
            return Ok(Look::Anew);
        };
        if fresh.is_empty() {
            return Ok(Look::Quiet);
        }
        buffer[..fresh.len()].copy_from_slice(fresh);
        self.position += fresh.len() as u64;
        let length = fresh.len();
        self.kept = self.window[read.saturating_sub(KEPT)..read].to_vec();
        Ok(Look::Bytes(length))
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl Read for Follower {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.look(buffer)? {
                Look::Bytes(read) => {
                    self.is_mid_line = buffer[read - 1] != b'\n';
                    return Ok(read);
                }
                Look::Anew if std::mem::take(&mut self.is_mid_line) && !buffer.is_empty() => {
                    buffer[0] = b'\n';
                    return Ok(1);
                }
                Look::Anew => {}
                Look::Over => return Ok(0),
                Look::Quiet | Look::Missing if !self.is_endless => return Ok(0),
                Look::Quiet | Look::Missing => thread::sleep(PAUSE),
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use super::*;

    struct Followed {
        folder: tempfile::TempDir,
        follower: Follower,
        lines: String,
        found: oneshot::Receiver<()>,
    }

    impl Followed {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (told, found) = oneshot::channel();
            let follower = Follower::new(folder.path().join("app.log"), false, told);
            Self { folder, follower, lines: String::new(), found }
        }

        fn write(&self, text: &str) {
            let mut file = fs::OpenOptions::new().append(true).create(true).open(self.path("app.log")).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Everything that can be read now.
        fn read(&mut self) -> &str {
            self.follower.read_to_string(&mut self.lines).unwrap();
            &self.lines
        }
    }

    #[test]
    fn a_file_that_comes_later_is_read_from_its_beginning() {
        let mut followed = Followed::new();
        assert_eq!(followed.read(), "");
        followed.write("one\n");
        assert_eq!(followed.read(), "one\n");
        followed.write("two\n");
        assert_eq!(followed.read(), "one\ntwo\n");
    }

    #[test]
    fn a_rotation_loses_nothing_on_either_side() {
        let mut followed = Followed::new();
        followed.write("one\n");
        followed.read();
        followed.write("late\n");
        fs::rename(followed.path("app.log"), followed.path("app.log.1")).unwrap();
        assert_eq!(followed.read(), "one\nlate\n");
        followed.write("two\n");
        assert_eq!(followed.read(), "one\nlate\ntwo\n");
    }

    #[test]
    fn a_truncation_begins_anew_and_does_not_glue_lines_together() {
        let mut followed = Followed::new();
        followed.write("one\nhal");
        followed.read();
        fs::write(followed.path("app.log"), "two\n").unwrap();
        assert_eq!(followed.read(), "one\nhal\ntwo\n");
    }

    #[test]
    fn a_truncation_that_is_written_beyond_the_old_end_begins_anew_too() {
        let mut followed = Followed::new();
        followed.write("09:00:01 one\n09:00:02 two\n");
        followed.read();
        fs::write(followed.path("app.log"), "09:00:03 three\n09:00:04 four\n09:00:05 five\n").unwrap();
        let all = "09:00:01 one\n09:00:02 two\n09:00:03 three\n09:00:04 four\n09:00:05 five\n";
        assert_eq!(followed.read(), all);
    }

    #[test]
    fn a_truncation_to_the_same_length_is_noticed() {
        let mut followed = Followed::new();
        followed.write("one\n");
        followed.read();
        fs::write(followed.path("app.log"), "two\n").unwrap();
        assert_eq!(followed.read(), "one\ntwo\n");
    }

    #[test]
    fn what_is_longer_than_a_look_comes_whole_and_once() {
        let mut followed = Followed::new();
        let long = (0..20_000).fold(String::new(), |text, line| text + &format!("line {line}\n"));
        let (early, late) = long.split_at(long.len() / 3);
        followed.write(early);
        followed.read();
        followed.write(late);
        assert!(followed.read() == long, "of {} bytes {} came", long.len(), followed.lines.len());
    }

    #[test]
    fn whoever_waits_is_told_when_the_file_is_there_and_not_before() {
        let mut followed = Followed::new();
        followed.read();
        assert_eq!(followed.found.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        followed.write("one\n");
        followed.read();
        assert_eq!(followed.found.try_recv(), Ok(()));
    }
}
