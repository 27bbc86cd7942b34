//! Which lines belong together: a stack trace is one record with the line that it explains.
//!
//! The rule looks at one line and at the record that is open, so that a stream cut into chunks
//! anywhere gives the same records as the whole text. It knows traces of Java, Python, Node, Go and
//! .NET, indented continuations and pretty-printed JSON; it knows nothing of times.

use stella_protocol::Timestamp;

use super::{LONGEST_RECORD, level, when};

/// What is written where a record was too long.
const CUT: &str = " [cut]";

/// What the open record is, as far as the next line is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Open {
    /// There is none.
    #[default]
    None,
    /// An ordinary line that speaks of no error.
    Calm,
    /// One that does: a trace may follow.
    Loud,
    /// One whole JSON object: nothing can follow.
    Closed,
    /// A JSON object that is still open.
    Object,
    /// Inside a Python trace, before the line that names the exception.
    Python,
    /// After it; another trace may be chained.
    PythonDone,
    /// Inside a Go panic.
    Go,
}

/// What a line is to the open record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Begins,
    Continues,
    Blank,
}

impl Open {
    /// Judges the next line and moves on.
    fn next(&mut self, line: &str) -> Line {
        let bare = line.trim();
        if bare.is_empty() {
            return Line::Blank;
        }
        let indented = line.starts_with([' ', '\t']);
        let continued = match *self {
            Self::None | Self::Closed => None,
            open => open.continued(bare, indented),
        };
        if let Some(open) = continued {
            *self = open;
            return Line::Continues;
        }
        *self = Self::begin(bare);
        Line::Begins
    }

    fn begin(line: &str) -> Self {
        if line.starts_with('{') {
            return if line.ends_with('}') { Self::Closed } else { Self::Object };
        }
        if line.starts_with("panic: ") || line.starts_with("fatal error: ") {
            return Self::Go;
        }
        if line.starts_with("Traceback (most recent call last)") {
            return Self::Python;
        }
        let loud = ["ERROR", "CRITICAL", "FATAL", "WARN", "rror", "xception", "Unhandled", "ailed"];
        if loud.iter().any(|word| line.contains(word)) { Self::Loud } else { Self::Calm }
    }

    /// What is open after this line, when it belongs to the record; None: it does not.
    fn continued(self, bare: &str, indented: bool) -> Option<Self> {
        if bare.starts_with("Traceback (most recent call last)") {
            let follows = self != Self::Calm || indented;
            return follows.then_some(Self::Python);
        }
        if indented {
            return (!is_stamped(bare)).then_some(self);
        }
        let chained = ["Caused by: ", "Suppressed: ", "... ", "--- End of ", "---> "];
        if chained.iter().any(|start| bare.starts_with(start)) || (self != Self::Calm && bare.starts_with("at ")) {
            return Some(self);
        }
        match self {
            Self::Loud if names_exception(bare) && bare.split(':').next().is_some_and(|name| name.contains('.')) => {
                Some(Self::Loud)
            }
            Self::Object if bare.starts_with('}') => Some(Self::Closed),
            Self::Python if names_exception(bare) => Some(Self::PythonDone),
            Self::PythonDone if is_python_link(bare) => Some(Self::PythonDone),
            Self::Go if is_go_frame(bare) => Some(Self::Go),
            _ => None,
        }
    }
}

/// True for an indented line with a time or a level of its own: a record, only oddly indented.
fn is_stamped(line: &str) -> bool {
    let line = line.trim_start_matches('[');
    let word = &line[..line.bytes().take_while(u8::is_ascii_alphabetic).count()];
    let shouted = word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let after = line[word.len()..].starts_with([':', ' ', ']', '|']);
    (shouted && after && level::word(word).is_some())
        || when::take(line, Timestamp::default())
            .is_some_and(|taken| matches!(taken.form, when::Form::Dated | when::Form::Syslog))
}

/// `ValueError: …`, `requests.exceptions.Timeout`, `KeyboardInterrupt`.
fn names_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or(line);
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
        && name.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_python_link(line: &str) -> bool {
    line.starts_with("During handling of the above exception") || line.starts_with("The above exception was")
}

fn is_go_frame(line: &str) -> bool {
    let starts = ["goroutine ", "created by ", "exit status ", "[signal ", "runtime."];
    let call = line.ends_with(')') && line.find('(').is_some_and(|at| at > 0 && !line[..at].contains(' '));
    starts.iter().any(|start| line.starts_with(start)) || call
}

/// The records of a whole text, borrowed from it.
pub(super) fn split(body: &str) -> impl Iterator<Item = &str> {
    let mut open = Open::None;
    let mut lines = Lines { body, at: 0 };
    let mut held: Option<(usize, usize)> = None;
    std::iter::from_fn(move || {
        loop {
            let Some((start, end)) = lines.next() else {
                return held.take().map(|(from, to)| &body[from..to]);
            };
            match open.next(&body[start..end]) {
                Line::Blank => {}
                Line::Continues => held = held.map(|(from, _)| (from, end)),
                Line::Begins => {
                    if let Some((from, to)) = held.replace((start, end)) {
                        return Some(&body[from..to]);
                    }
                }
            }
        }
    })
}

struct Lines<'a> {
    body: &'a str,
    at: usize,
}

impl Lines<'_> {
    /// Start and end of the next line, without its ending.
    fn next(&mut self) -> Option<(usize, usize)> {
        if self.at >= self.body.len() {
            return None;
        }
        let start = self.at;
        let bytes = self.body.as_bytes();
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |len| start + len);
        self.at = end + 1;
        let end = if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
        Some((start, end))
    }
}

/// Turns chunks of a pipe or of a growing file into records.
///
/// Bytes that are no UTF-8 become U+FFFD. A record is cut at 1 MiB and says so. A record is given when
/// the line after it has begun; [`LineJoiner::flush`] gives it earlier, for use after a pause.
#[derive(Debug, Default)]
pub struct LineJoiner {
    /// A last line without its ending.
    partial: Vec<u8>,
    /// Bytes of that line beyond the limit were dropped.
    overlong: bool,
    /// Whole lines of the record that is open.
    held: String,
    open: Open,
}

impl LineJoiner {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes; gives the records that they complete.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut records = Vec::new();
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.extend(&rest[..end]);
            self.end_line(&mut records);
            rest = &rest[end + 1..];
        }
        self.extend(rest);
        records
    }

    /// Gives the record whose lines are all whole; a partial last line stays and may still grow.
    pub fn flush(&mut self) -> Option<String> {
        if !self.partial.is_empty() {
            return None;
        }
        self.open = Open::None;
        Some(std::mem::take(&mut self.held)).filter(|record| !record.is_empty())
    }

    /// Gives everything: the input has ended.
    pub fn finish(&mut self) -> Vec<String> {
        let mut records = Vec::new();
        if !self.partial.is_empty() {
            self.end_line(&mut records);
        }
        records.extend(self.flush());
        records
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = LONGEST_RECORD.saturating_sub(self.partial.len());
        self.overlong |= bytes.len() > room;
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, records: &mut Vec<String>) {
        let line = String::from_utf8_lossy(&self.partial);
        let line = line.strip_suffix('\r').unwrap_or(&line);
        match self.open.next(line) {
            Line::Blank => {}
            Line::Begins => {
                if !self.held.is_empty() {
                    records.push(std::mem::take(&mut self.held));
                }
                self.held.push_str(line);
            }
            Line::Continues if self.held.len() + line.len() < LONGEST_RECORD => {
                self.held.push('\n');
                self.held.push_str(line);
            }
            Line::Continues => self.overlong = true,
        }
        if self.overlong && !self.held.ends_with(CUT) {
            self.held.push_str(CUT);
        }
        self.overlong = false;
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACES: &str = "2024-01-01 ERROR it broke\njava.io.IOException: x\n\tat a.b(C.java:1)\nCaused by: y\n\t... 3 more\n\
        2024-01-01 INFO fine\nERROR:root:bad\nTraceback (most recent call last):\n  File \"a.py\", line 1\nValueError: no\n\n\
        During handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b\"\nKeyError: 'k'\nnext\n\
        panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:3 +0x1\nexit status 2\n\
        TypeError: x is undefined\n    at f (a.js:1:2)\n    at g\n WARN: [Jul  2 05:33:46] own record\n\
        {\n  \"a\": 1\n}\n{\"b\":2}\n  indented but nothing is open\nSystem.Exception: z\n   at N.M()\n   --- End of inner exception\n";

    #[test]
    fn a_trace_is_one_record_with_what_it_explains() {
        let starts: Vec<(&str, usize)> = split(TRACES)
            .map(|record| {
                (record.lines().next().unwrap_or_default(), record.lines().filter(|line| !line.is_empty()).count())
            })
            .collect();
        assert_eq!(
            starts,
            [
                ("2024-01-01 ERROR it broke", 5),
                ("2024-01-01 INFO fine", 1),
                ("ERROR:root:bad", 8),
                ("next", 1),
                ("panic: boom", 5),
                ("TypeError: x is undefined", 3),
                (" WARN: [Jul  2 05:33:46] own record", 1),
                ("{", 3),
                ("{\"b\":2}", 1),
                ("  indented but nothing is open", 1),
                ("System.Exception: z", 3),
            ]
        );
    }

    #[test]
    fn a_partial_last_line_waits_and_is_never_given_in_two() {
        let mut joiner = LineJoiner::new();
        assert!(joiner.push(b"one\ntw").is_empty());
        assert_eq!(joiner.flush(), None);
        assert_eq!(joiner.push(b"o\r\n"), ["one"]);
        assert_eq!(joiner.flush().as_deref(), Some("two"));
        assert_eq!(joiner.push(b"three"), Vec::<String>::new());
        assert_eq!(joiner.finish(), ["three"]);
    }

    #[test]
    fn a_record_without_end_is_cut_and_says_so() {
        let mut joiner = LineJoiner::new();
        for _ in 0..40 {
            assert!(joiner.push(&vec![b'x'; 64 * 1024]).is_empty());
        }
        let records = joiner.finish();
        assert_eq!(records.len(), 1);
        assert!(records[0].len() <= LONGEST_RECORD + CUT.len() && records[0].ends_with(CUT));
    }

    proptest::proptest! {
        #[test]
        fn chunks_cut_anywhere_give_the_same_records(
            picked in proptest::collection::vec(0..TRACES.lines().count(), 0..30),
            cuts in proptest::collection::vec(1_usize..40, 1..80),
        ) {
            let lines: Vec<&str> = TRACES.lines().collect();
            let text: String = picked.iter().flat_map(|at| [lines[*at], "\n"]).collect::<String>() + "é\u{1f600}";
            let mut whole = LineJoiner::new();
            let mut wanted = whole.push(text.as_bytes());
            wanted.extend(whole.finish());
            let (mut joiner, mut found, mut rest) = (LineJoiner::new(), Vec::new(), text.as_bytes());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                found.extend(joiner.push(chunk));
                rest = after;
            }
            found.extend(joiner.finish());
            proptest::prop_assert_eq!(&found, &wanted);
            let no_blanks = |record: &str| record.split('\n').filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n");
            let split: Vec<String> = split(&text).map(no_blanks).collect();
            proptest::prop_assert_eq!(split, wanted);
        }
    }
}
