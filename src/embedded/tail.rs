//! Follows a file the way it is written: through rotation by renaming, through truncation, and before
//! it exists. What stands in it already comes first, as a recording.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// How often a file that says nothing is looked at.
const PAUSE: Duration = Duration::from_millis(100);

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
}

/// A file being followed; reads like one that goes on for ever.
#[derive(Debug)]
pub(super) struct Follower {
    path: PathBuf,
    open: Option<Open>,
    is_endless: bool,
    /// The last byte read was no line end: one is put in before a file that began anew.
    is_mid_line: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    position: u64,
}

impl Follower {
    /// Follows the file at `path`; one that is not endless ends where the file does.
    pub(super) fn new(path: PathBuf, is_endless: bool) -> Self {
        Self { path, open: None, is_endless, is_mid_line: false }
    }

    fn look(&mut self, buffer: &mut [u8]) -> io::Result<Look> {
        let Some(open) = &mut self.open else {
            return self.begin();
        };
        if let Some(read) = open.read(buffer)? {
            return Ok(Look::Bytes(read));
        }
        let Ok(there) = fs::metadata(&self.path) else {
            // Renamed, and the next one is not there yet: the old one may still be written to.
            return Ok(Look::Quiet);
        };
        if identity(&there) != open.identity {
            // What was written to the old one before it was replaced, and after it was read.
            if let Some(read) = open.read(buffer)? {
                return Ok(Look::Bytes(read));
            }
            self.open = None;
            return Ok(Look::Anew);
        }
        if there.len() < open.position {
            open.position = open.file.seek(SeekFrom::Start(0))?;
            return Ok(Look::Anew);
        }
        Ok(Look::Quiet)
    }

    fn begin(&mut self) -> io::Result<Look> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Missing),
            Err(error) => return Err(error),
        };
        let identity = identity(&file.metadata()?);
        self.open = Some(Open { file, identity, position: 0 });
        Ok(Look::Anew)
    }
}

impl Open {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let read = self.file.read(buffer)?;
        self.position += read as u64;
        Ok((read > 0).then_some(read))
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
    }

    impl Followed {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let follower = Follower::new(folder.path().join("app.log"), false);
            Self { folder, follower, lines: String::new() }
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
}
