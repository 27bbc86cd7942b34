//! Documents as lines: `{"path": "users/ana", "fields": {…}}`, one a line, in order of their paths.
//!
//! The way in and out of the embedded store for whole worlds; equal documents give equal bytes.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Embedded, rows};
use crate::documents::{DocumentKey, DocumentWrite, DocumentsError, Expect, Leave, Written, shape};

/// Longest line that is read, in bytes: a document, its path, and room for another way of writing it.
const LINE_BYTES: usize = 4 * shape::DOCUMENT_BYTES;

/// Why lines could not be read in, or written out.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The file could not be read or written.
    #[error("read or write the lines of documents")]
    Io(#[from] std::io::Error),
    /// A line is none.
    #[error("read line {line}: {why}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The store did not do it.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    fields: BTreeMap<String, Value>,
}

impl Embedded {
    /// Takes in every line as a new document: all of them or, when one is wrong or there already, none.
    /// How many. Blocks.
    ///
    /// # Errors
    /// Which line is wrong and why; what the file or the store said.
    pub fn import(&self, mut from: impl BufRead) -> Result<u64, LinesError> {
        let now = self.0.clock.now();
        let mut connection = self.0.writer();
        let tx = rows::begin(&mut connection)?;
        let (mut line, mut taken, mut buffer) = (0, 0, Vec::new());
        while read_line(&mut from, &mut buffer)? {
            line += 1;
            let wrong = |why: String| LinesError::Line { line, why };
            if buffer.len() > LINE_BYTES {
                return Err(wrong(format!("it is longer than {LINE_BYTES} bytes")));
            }
            if buffer.trim_ascii().is_empty() {
                continue;
            }
            let write = parse(&buffer).map_err(wrong)?;
            match rows::Ready::new(&write).and_then(|write| rows::write_one(&tx, &write, now)) {
                Ok(Written::Done(_)) => taken += 1,
                Ok(_) => return Err(wrong("its document is there already".to_owned())),
                Err(DocumentsError::Refused(why)) => return Err(wrong(why)),
                Err(error) => return Err(error.into()),
            }
        }
        rows::commit(tx)?;
        Ok(taken)
    }

    /// Writes every document as a line, all of one moment. How many. Blocks.
    ///
    /// # Errors
    /// What the file or the store said.
    pub fn export(&self, mut to: impl Write) -> Result<u64, LinesError> {
        let mut written = 0;
        self.at_one_moment(|moment| {
            moment.each(None, |document| {
                let line = Line { path: document.key.path(), fields: document.fields };
                serde_json::to_writer(&mut to, &line).map_err(std::io::Error::from)?;
                written += 1;
                to.write_all(b"\n").map_err(LinesError::Io)
            })
        })?;
        to.flush()?;
        Ok(written)
    }
}

/// The next line, with its end; false: there is none. Reads a little more than the longest allowed at most.
fn read_line(from: &mut impl BufRead, buffer: &mut Vec<u8>) -> std::io::Result<bool> {
    use std::io::Read;
    buffer.clear();
    Ok(from.by_ref().take(LINE_BYTES as u64 + 1).read_until(b'\n', buffer)? > 0)
}

fn parse(line: &[u8]) -> Result<DocumentWrite, String> {
    // Serde's words can repeat what stands in the line: only the column is told.
    let Line { path, fields } = serde_json::from_slice(line)
        .map_err(|error| format!("not {{\"path\": …, \"fields\": {{…}}}} (column {})", error.column()))?;
    let key = DocumentKey::parse(&path).ok_or("its path names no document")?;
    let write = DocumentWrite { key, expect: Expect::Absent, leave: Leave::Fields(fields) };
    shape::batch(std::slice::from_ref(&write)).map_err(|error| error.to_string())?;
    Ok(write)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Clock;
    use crate::documents::Documents;

    const WORLD: &str = concat!(
        r#"{"path":"agents/a-7","fields":{"n":null,"when":{"$timestamp":"2025-11-09T10:00:00Z"}}}"#,
        "\n",
        r#"{"path":"agents/b","fields":{}}"#,
        "\n",
        r#"{"path":"agents/a-7/shares/s","fields":{"rate":0.1,"to":["x",{"$integer":"9007199254740993"}]}}"#,
        "\n",
    );

    fn open(folder: &tempfile::TempDir) -> Embedded {
        Embedded::open(folder.path(), Clock::system()).unwrap()
    }

    fn export(store: &Embedded) -> String {
        let mut bytes = Vec::new();
        store.export(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_was_read_in_is_written_out_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        assert_eq!(store.import(WORLD.as_bytes()).unwrap(), 3);
        assert_eq!(export(&store), WORLD);
    }

    #[tokio::test]
    async fn a_wrong_line_is_named_and_nothing_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let again = r#"{"path":"agents/b","fields":{}}"#;
        for bad in [
            "{",
            again,
            r#"{"path":"agents","fields":{}}"#,
            r#"{"path":"a/b/c","fields":{}}"#,
            r#"{"path":"a/b","fields":[]}"#,
            r#"{"path":"a/b","fields":{},"more":1}"#,
            r#"{"path":"a/b","fields":{"n":9007199254740993}}"#,
        ] {
            let error = store.import(format!("{WORLD}\n{bad}\n").as_bytes()).unwrap_err();
            assert!(matches!(error, LinesError::Line { line: 5, .. }), "{bad}: {error}");
            assert_eq!(store.count("agents").await.unwrap(), 0);
        }
    }

    #[test]
    fn an_endless_line_is_refused_before_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let endless = std::io::BufReader::new(std::io::repeat(b' '));
        let error = open(&folder).import(endless).unwrap_err();
        assert!(matches!(error, LinesError::Line { line: 1, .. }), "{error}");
    }
}
