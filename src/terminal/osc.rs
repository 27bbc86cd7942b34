//! What goes to the terminal beside the frames: clipboard, window title, bell.
//!
//! Each has one grammar, and no byte of its argument can leave it.

use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;
use stella_widgets::text::sanitise;

/// A new critical alert.
pub(super) const BELL: &str = "\x07";

/// The terminal remembers its title.
pub(super) const PUSH_TITLE: &str = "\x1b[22;2t";

/// The terminal takes its remembered title back.
pub(super) const POP_TITLE: &str = "\x1b[23;2t";

/// Most that terminals take in one OSC 52 after base 64 (xterm and its descendants: 100,000 bytes).
const COPY_LIMIT: usize = 74_000;

/// Longest title, in characters; window lists show less.
const TITLE_LIMIT: usize = 120;

/// The sequence that copies `text`, and how many bytes of text it carries.
///
/// Controls but line feeds and tabs become U+FFFD: what is pasted into a shell must not act.
pub(super) fn copy(text: &str, multiplexed: bool) -> Result<(String, usize), String> {
    if text.len() > COPY_LIMIT {
        return Err(format!("{} bytes are too many for the terminal's clipboard (at most {COPY_LIMIT})", text.len()));
    }
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    let safe: String = text.chars().map(|c| if is_control(c) { '\u{fffd}' } else { c }).collect();
    let mut plain = String::new();
    CopyToClipboard::to_clipboard_from(&safe).write_ansi(&mut plain).map_err(|error| error.to_string())?;
    let through = if multiplexed { pass_through(&plain) } else { String::new() };
    // Inside tmux both: which one arrives depends on its options, and twice the same is harmless.
    Ok((format!("{plain}{through}"), safe.len()))
}

/// Wraps a sequence so that tmux hands it to the terminal around it.
fn pass_through(sequence: &str) -> String {
    format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
}

/// The sequence that names the window.
pub(super) fn title(text: &str) -> String {
    let shown: String = sanitise(text).chars().take(TITLE_LIMIT).collect();
    format!("\x1b]2;{shown}\x1b\\")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Everything between the introducer and the terminator.
    fn inside<'a>(sequence: &'a str, begin: &str) -> &'a str {
        sequence.strip_prefix(begin).unwrap().strip_suffix("\x1b\\").unwrap()
    }

    #[test]
    fn a_title_holds_no_control_whatever_it_is_asked_to_hold() {
        for hostile in ["a\x1b\\\x1b[2Jb", "a\x07b", "a\u{9c}b", "\x1b]52;c;QQ==\x07", "a\nb\u{202e}"] {
            let sequence = title(hostile);
            assert!(inside(&sequence, "\x1b]2;").chars().all(|c| !c.is_control() && c != '\u{202e}'), "{hostile:?}");
        }
    }

    #[test]
    fn the_clipboard_sequence_is_base_64_and_nothing_else() {
        let (sequence, bytes) = copy("a-4f21\n\x1b[2J", false).unwrap();
        let body = inside(&sequence, "\x1b]52;c;");
        assert!(body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)), "{body}");
        assert_eq!(bytes, "a-4f21\n\u{fffd}[2J".len());
    }

    #[test]
    fn inside_tmux_the_sequence_is_also_handed_through() {
        let (sequence, _) = copy("x", true).unwrap();
        assert_eq!(sequence, "\x1b]52;c;eA==\x1b\\\x1bPtmux;\x1b\x1b]52;c;eA==\x1b\x1b\\\x1b\\");
    }

    #[test]
    fn too_much_text_is_refused_in_words() {
        assert!(copy(&"x".repeat(COPY_LIMIT + 1), false).unwrap_err().contains("too many"));
    }
}
