//! What may come out, and nothing else.

use stella_widgets::oracle::foreign_bytes;

/// What the console writes beside its frames, each with a grammar of its own: the title is remembered
/// and given back, and named.
const TITLES_KEPT: [&str; 2] = ["\u{1b}[22;2t", "\u{1b}[23;2t"];
const TITLE: &str = "\u{1b}]2;";
const TERMINATOR: &str = "\u{1b}\\";

/// Fails when a program's whole output to a terminal holds a byte that has no business there.
pub fn frames(output: &str) {
    let frames = without_titles(output);
    let foreign = foreign_bytes(frames.as_bytes());
    let Some((at, byte)) = foreign.first() else { return };
    let from = frames.floor_char_boundary(at.saturating_sub(80));
    let near: String = frames[from..].chars().take(160).collect();
    panic!("{} foreign bytes, the first {byte:#04x} in {near:?}", foreign.len());
}

/// The frames alone; what a title says is judged here.
fn without_titles(output: &str) -> String {
    let mut frames = TITLES_KEPT.iter().fold(output.to_owned(), |output, sequence| output.replace(sequence, ""));
    while let Some(from) = frames.find(TITLE) {
        let inside = &frames[from + TITLE.len()..];
        let length = inside.find(TERMINATOR).unwrap_or_else(|| panic!("a title without an end: {inside:?}"));
        let title = &inside[..length];
        assert!(!title.contains('\u{1b}') && foreign_bytes(title.as_bytes()).is_empty(), "a title says {title:?}");
        frames.replace_range(from..from + TITLE.len() + length + TERMINATOR.len(), "");
    }
    frames
}

/// Fails when lines for a pipe hold anything but text.
pub fn lines(output: &[u8]) {
    for line in output.split(|byte| *byte == b'\n') {
        let plain = foreign_bytes(line).is_empty() && !line.contains(&0x1b);
        assert!(plain, "{:?}", String::from_utf8_lossy(line));
    }
}
