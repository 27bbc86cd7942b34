//! Texts, values and objects as they are written: unambiguous, and safe in a terminal.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use stella_protocol::{Text, Timestamp};
use stella_widgets::text::{sanitise, width};

use super::plan::Failure;

/// Text from outside, safe to show on one line.
pub(super) fn clean(text: &Text) -> String {
    sanitise(text.raw()).into_string()
}

/// Says something that is not the answer.
pub(super) fn remark(words: &str) {
    // Nobody is left to tell that stderr is closed.
    let _ = writeln!(io::stderr().lock(), "stella-tui: {}", sanitise(words));
}

/// Reads words that are kept: at least one.
pub(super) fn something(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("want some words".to_owned()) } else { Ok(text.to_owned()) }
}

/// Rows behind a header; every column but the last is padded.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<String> {
    let mut all = vec![header.map(str::to_owned)];
    all.extend(rows.map(|row| row.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell })));
    let widths: [u16; N] =
        std::array::from_fn(|column| all.iter().map(|row| width(&row[column])).max().unwrap_or_default());
    let pad = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, wide))| {
            let blanks = if column + 1 == N { 0 } else { usize::from(wide.saturating_sub(width(cell))) };
            format!("{cell}{}", " ".repeat(blanks))
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    all.iter().map(pad).collect()
}

/// Rows under a title, behind an empty line; nothing when there are none.
pub(super) fn section(lines: &mut Vec<String>, title: &str, rows: impl IntoIterator<Item = String>) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_some() {
        lines.extend([String::new(), title.to_owned()]);
        lines.extend(rows);
    }
}

/// JSON in 7-bit characters: every other one is escaped, so that a program reads what the server sent
/// and a terminal sees nothing that it could act on.
///
/// # Errors
/// When a map has keys that are no strings; none of the wire has.
pub(super) fn json(object: &impl Serialize) -> Result<String, serde_json::Error> {
    let written = serde_json::to_string(object)?;
    let mut line = String::with_capacity(written.len());
    for character in written.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            line.push(character);
            continue;
        }
        // Behind ASCII a character stands inside of a string, where an escape means the same.
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(line, "\\u{unit:04x}");
        }
    }
    Ok(line)
}

/// Writes lines that are safe to show.
pub(super) fn write_lines(out: &mut dyn Write, lines: &[String]) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(Failure::Output)
}

/// Writes an object of the wire on a line.
pub(super) fn write_object(out: &mut dyn Write, object: &impl Serialize) -> Result<(), Failure> {
    let line = json(object).map_err(|error| Failure::Output(error.into()))?;
    writeln!(out, "{line}").map_err(Failure::Output)
}

/// A text in quotes: where it begins and ends, and every blank in it, can be seen.
pub(super) fn quoted(text: &Text) -> String {
    value(&serde_json::Value::from(text.raw()))
}

/// Texts in quotes, behind one another.
pub(super) fn list(texts: &[Text]) -> String {
    texts.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// A value as JSON.
pub(super) fn value(value: &serde_json::Value) -> String {
    sanitise(&value.to_string()).into_string()
}

/// A length of time in its largest whole unit.
pub(super) fn span(millis: i64) -> String {
    match millis {
        86_400_000.. if millis % 86_400_000 == 0 => format!("{} d", millis / 86_400_000),
        3_600_000.. if millis % 3_600_000 == 0 => format!("{} h", millis / 3_600_000),
        60_000.. if millis % 60_000 == 0 => format!("{} min", millis / 60_000),
        1_000.. if millis % 1_000 == 0 => format!("{} s", millis / 1_000),
        _ => format!("{millis} ms"),
    }
}

/// A time to the second, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `1 approval`, `2 approvals`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_it_was_sent_and_no_terminal_can_act_on_it() {
        let hostile = "é \u{1b}]0;x\u{7} \u{9b}2J \u{202e} \u{7f} \u{1f600} \u{e0041}\n";
        let line = json(&hostile).unwrap();
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), hostile);
    }

    #[test]
    fn where_an_argument_ends_can_be_seen() {
        let arguments = ["restart", "a b", "", "x\"\u{1b}[2J"].map(Text::from);
        assert_eq!(list(&arguments), r#""restart" "a b" "" "x\"\u001b[2J""#);
    }

    #[test]
    fn a_length_of_time_keeps_all_of_itself() {
        let spans = [1_500, 90_000, 900_000, 7_200_000, 172_800_000, 0].map(span);
        assert_eq!(spans, ["1500 ms", "90 s", "15 min", "2 h", "2 d", "0 ms"]);
    }
}
