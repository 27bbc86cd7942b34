//! `stella-server templates`: the template of each line, so that anybody can measure how lines are grouped.
//!
//! An answer for every line of the input, empty ones too, in its order: nothing is joined, skipped or held
//! back. One pass; memory holds the templates and one line, of which the first MiB counts. What stands in front of the
//! words (time, level, host, process) is taken off as ingest does it, so a line and its bare message have
//! one template.

use std::io::{self, BufRead, Write};

use serde::Serialize;
use stella_detect::{TemplateId, Templates};

use crate::ingest;

/// Templates that are kept, about 16 MB of them: as many as a handful of large systems have.
const BOUND: usize = 8192;

/// Why it ended early.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// The input cannot be read or unpacked.
    #[error("read after line {lines}")]
    Read {
        /// Lines that were read before.
        lines: u64,
        /// What the system or the decoder said.
        source: io::Error,
    },
    /// The answer cannot be written.
    #[error("write the ids")]
    Write(#[source] io::Error),
}

/// What was learned from a whole input.
#[derive(Debug)]
pub struct Learned {
    lines: u64,
    templates: Templates,
}

#[derive(Serialize)]
struct Table<'a> {
    lines: u64,
    /// Templates that had to go, because there were too many.
    forgotten: u64,
    templates: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: TemplateId,
    count: u64,
    text: String,
    examples: &'a [String],
}

/// Reads lines to the end and gives the id of each to `answer`.
pub fn learn(
    source: &mut dyn BufRead,
    mut answer: impl FnMut(TemplateId) -> io::Result<()>,
) -> Result<Learned, TemplatesError> {
    let mut learned = Learned { lines: 0, templates: Templates::new(BOUND) };
    let mut begun = Vec::new();
    loop {
        let lines = learned.lines;
        let chunk = source.fill_buf().map_err(|source| TemplatesError::Read { lines, source })?;
        if chunk.is_empty() {
            break;
        }
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            let id = if begun.is_empty() {
                learned.line(&chunk[from..end])
            } else {
                extend(&mut begun, &chunk[from..end]);
                learned.line(&begun)
            };
            begun.clear();
            from = end + 1;
            answer(id).map_err(TemplatesError::Write)?;
        }
        extend(&mut begun, &chunk[from..]);
        let length = chunk.len();
        source.consume(length);
    }
    if !begun.is_empty() {
        answer(learned.line(&begun)).map_err(TemplatesError::Write)?;
    }
    Ok(learned)
}

/// Adds to a line whose beginning was read, up to the longest record.
fn extend(begun: &mut Vec<u8>, bytes: &[u8]) {
    let room = ingest::LONGEST_RECORD.saturating_sub(begun.len());
    begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

impl Learned {
    fn line(&mut self, line: &[u8]) -> TemplateId {
        self.lines += 1;
        match std::str::from_utf8(line) {
            Ok(line) => self.templates.learn(&ingest::message_of(line)),
            Err(_) => self.templates.learn(&ingest::message_of(&String::from_utf8_lossy(line))),
        }
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let rows = self.templates.rows().into_iter();
        let mut rows: Vec<Row<'_>> =
            rows.map(|row| Row { id: row.id, count: row.count, text: row.text, examples: row.examples }).collect();
        rows.sort_by_key(|row| (std::cmp::Reverse(row.count), row.id));
        rows
    }

    /// The templates, the most frequent first: one JSON object on a line.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let table = Table { lines: self.lines, forgotten: self.templates.evicted(), templates: self.rows() };
        serde_json::to_writer(&mut *out, &table)?;
        writeln!(out)
    }

    /// The templates, the most frequent first: id, count and text with a tab between, what is no plain letter
    /// escaped.
    pub fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            let plain: String = row.text.chars().flat_map(harmless).collect();
            writeln!(out, "{}\t{}\t{plain}", row.id, row.count)?;
        }
        match self.templates.evicted() {
            0 => Ok(()),
            forgotten => writeln!(out, "{forgotten} more templates were forgotten: there were too many"),
        }
    }
}

fn harmless(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
    let plain = (!escaped).then_some(letter);
    plain.into_iter().chain(escaped.then(|| letter.escape_unicode()).into_iter().flatten())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn ids(input: &[u8]) -> Vec<String> {
        let mut ids = Vec::new();
        // A buffer that cuts nearly every line.
        let mut source = BufReader::with_capacity(7, input);
        learn(&mut source, |id| {
            ids.push(id.to_string());
            Ok(())
        })
        .unwrap();
        ids
    }

    #[test]
    fn every_line_has_an_answer_and_an_empty_end_has_none() {
        assert_eq!(ids(b""), [""; 0]);
        assert_eq!(ids(b"\n\n").len(), 2);
        assert_eq!(ids(b"took 1 ms\r\n\n  at x.y(Z.java:1)\ntook 2 ms").len(), 4);
        let ids = ids(b"took 1 ms\r\n\n\xff\xfe bytes\ntook 20 ms");
        assert_eq!(ids[0], ids[3]);
        assert_ne!(ids[1], ids[2]);
    }

    #[test]
    fn a_line_and_its_bare_message_have_one_template() {
        let wanted = "accepted 17 bytes from 192.0.2.7 for the queue";
        for header in [
            "2024-01-31T10:11:12.5Z INFO ",
            "Jan 31 10:11:12 web-3 relay[811]: ",
            "2024-01-31 10:11:12,123 [main] INFO  o.a.Relay - ",
            "I0131 10:11:12.123456 7 relay.go:12] ",
            "2024-01-31 10:11:12.508 2931 INFO nova.manager [req-9bc3-4f21 1a2b 3c4d - - -] ",
            "1706695872.25 web-3 ERROR ",
        ] {
            let text = format!("{wanted}\n{header}{wanted}\n");
            let ids = ids(text.as_bytes());
            assert_eq!(ids[0], ids[1], "{header}");
        }
        let json = format!("{{\"level\":30,\"time\":1706695872000,\"msg\":\"{wanted}\"}}\n{wanted}\n");
        let ids = ids(json.as_bytes());
        assert_eq!(ids[0], ids[1]);
    }

    #[test]
    fn a_line_without_an_end_in_sight_is_read_and_costs_no_more_than_its_limit() {
        let mut input = vec![b'x'; 3 * ingest::LONGEST_RECORD];
        input.extend_from_slice(b"\nplain words\n");
        assert_eq!(ids(&input).len(), 2);
    }

    #[test]
    fn the_table_counts_every_line_and_shows_nothing_raw() {
        let mut source = BufReader::new(&b"took 1 ms\ntook 2 ms\nbell \x07 \xe2\x80\xae rings\n"[..]);
        let learned = learn(&mut source, |_| Ok(())).unwrap();
        let (mut json, mut text) = (Vec::new(), Vec::new());
        learned.write_json(&mut json).unwrap();
        learned.write_table(&mut text).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((&json["lines"], &json["templates"][0]["count"]), (&3.into(), &2.into()));
        assert_eq!(json["templates"][0]["text"], "took <*>");
        assert_eq!(json["templates"][0]["examples"], serde_json::json!(["1"]));
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("1\t2\ttook <*>\n"), "{text}");
        assert!(text.contains("\\u{7}") && text.contains("\\u{202e}"), "{text}");
        assert!(text.chars().all(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')), "{text}");
    }

    #[test]
    fn an_error_of_the_input_says_how_far_it_came() {
        struct Broken(bool);
        impl io::Read for Broken {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                into[..4].copy_from_slice(b"a\nb\n");
                Ok(4)
            }
        }
        let failed = learn(&mut BufReader::new(Broken(false)), |_| Ok(()));
        assert!(matches!(failed, Err(TemplatesError::Read { lines: 2, .. })));
    }
}
