//! Turns frames into bytes: only the cells that changed, inside one synchronised update.
//!
//! Does not write: the terminal room sends what stands in the returned slice with one call.

use std::io;

use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use crossterm::{cursor, style};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Room for the largest ordinary frame: 200x60 cells with a change of style at every tenth.
const ROOM: usize = 128 * 1024;

/// What stands on the screen, and the frame being made.
#[derive(Debug)]
pub(super) struct Painter {
    shown: Buffer,
    cursor: Option<Position>,
    next: Buffer,
    bytes: Vec<u8>,
    /// The screen holds something else than `shown`.
    is_foreign: bool,
}

impl Painter {
    pub(super) fn new(width: u16, height: u16) -> Self {
        let empty = Buffer::empty(Rect::new(0, 0, width, height));
        Self { shown: empty.clone(), cursor: None, next: empty, bytes: Vec::with_capacity(ROOM), is_foreign: true }
    }

    pub(super) fn area(&self) -> Rect {
        self.next.area
    }

    pub(super) fn resize(&mut self, width: u16, height: u16) {
        let area = Rect::new(0, 0, width, height);
        if area != self.area() {
            self.next = Buffer::empty(area);
            self.forget();
        }
    }

    pub(super) fn forget(&mut self) {
        self.shown = Buffer::empty(self.area());
        self.cursor = None;
        self.is_foreign = true;
    }

    /// Draws the next frame; the bytes that turn the screen into it, none when it is the same.
    pub(super) fn frame(&mut self, draw: impl FnOnce(&mut Buffer) -> Option<Position>) -> io::Result<&[u8]> {
        self.next.reset();
        self.bytes.clear();
        let cursor = draw(&mut self.next).filter(|at| self.next.area.contains(*at));
        let changes = self.shown.diff(&self.next);
        if changes.is_empty() && cursor == self.cursor && !self.is_foreign {
            return Ok(&self.bytes);
        }
        queue!(self.bytes, BeginSynchronizedUpdate)?;
        if self.is_foreign {
            queue!(self.bytes, style::ResetColor, Clear(ClearType::All), cursor::Hide)?;
        }
        if !changes.is_empty() {
            if self.cursor.is_some() && cursor.is_none() {
                queue!(self.bytes, cursor::Hide)?;
            }
            CrosstermBackend::new(&mut self.bytes).draw(changes.into_iter())?;
        }
        match cursor {
            Some(at) => queue!(self.bytes, cursor::MoveTo(at.x, at.y), cursor::Show)?,
            None if self.cursor.is_some() => queue!(self.bytes, cursor::Hide)?,
            None => {}
        }
        queue!(self.bytes, EndSynchronizedUpdate)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        if self.next.area != self.shown.area {
            self.next = Buffer::empty(self.shown.area);
        }
        self.cursor = cursor;
        self.is_foreign = false;
        Ok(&self.bytes)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier, Style};
    use stella_widgets::sweep::sweep;

    use super::*;

    fn words(text: &'static str, cursor: Option<Position>) -> impl FnOnce(&mut Buffer) -> Option<Position> {
        move |buffer| {
            buffer.set_string(0, 0, text, Style::new());
            cursor
        }
    }

    #[test]
    fn a_frame_that_changes_nothing_is_no_bytes_at_all() {
        let mut painter = Painter::new(20, 2);
        let at = Some(Position::new(3, 0));
        assert!(!painter.frame(words("calm", at)).unwrap().is_empty());
        assert!(painter.frame(words("calm", at)).unwrap().is_empty());
        assert!(!painter.frame(words("calm", None)).unwrap().is_empty(), "the cursor went");
        assert!(painter.frame(words("calm", None)).unwrap().is_empty());
    }

    #[test]
    fn a_frame_is_one_synchronised_update() {
        let mut painter = Painter::new(20, 2);
        let bytes = String::from_utf8(painter.frame(words("x", None)).unwrap().to_vec()).unwrap();
        assert!(bytes.starts_with("\x1b[?2026h") && bytes.ends_with("\x1b[?2026l"), "{bytes:?}");
        let second = painter.frame(words("y", None)).unwrap().to_vec();
        assert!(!String::from_utf8(second).unwrap().contains("\x1b[2J"));
    }

    #[test]
    fn after_forgetting_everything_is_painted_again() {
        let mut painter = Painter::new(20, 2);
        painter.frame(words("calm", None)).unwrap();
        painter.forget();
        let bytes = String::from_utf8(painter.frame(words("calm", None)).unwrap().to_vec()).unwrap();
        assert!(bytes.contains("\x1b[2J") && bytes.contains("calm"));
    }

    fn cell() -> impl Strategy<Value = (u16, u16, char, Option<u8>, bool)> {
        let symbol = prop::sample::select(vec!['a', 'Z', '─', '█', '日', '7']);
        (0..39u16, 0..8u16, symbol, prop::option::of(0..16u8), any::<bool>())
    }

    #[test]
    fn what_was_drawn_over_half_of_a_wide_character_is_on_the_screen() {
        let (mut painter, mut terminal) = (Painter::new(6, 1), vt100::Parser::new(1, 6, 0));
        for text in ["日本", " 本"] {
            let draw = |buffer: &mut Buffer| {
                buffer.set_string(0, 0, text, Style::new());
                buffer.set_string(1, 0, "│", Style::new());
                sweep(buffer);
                None
            };
            terminal.process(painter.frame(draw).unwrap());
            assert_eq!(terminal.screen().cell(0, 1).unwrap().contents(), "│", "{text}");
        }
    }

    proptest! {
        /// The bytes, replayed by a terminal, give the frame that was drawn (figure T-4 in small).
        #[test]
        fn a_terminal_that_replays_the_bytes_shows_the_frame(
            frames in prop::collection::vec((prop::collection::vec(cell(), 0..40), any::<bool>()), 1..8)
        ) {
            let mut painter = Painter::new(40, 8);
            let mut terminal = vt100::Parser::new(8, 40, 0);
            for (cells, grows) in frames {
                let (width, height) = if grows { (40, 8) } else { (30, 6) };
                painter.resize(width, height);
                terminal.screen_mut().set_size(height, width);
                let draw = |buffer: &mut Buffer| {
                    for (x, y, symbol, color, bold) in &cells {
                        let style = color.map_or(Style::new(), |index| Style::new().fg(Color::Indexed(index)));
                        let style = if *bold { style.add_modifier(Modifier::BOLD) } else { style };
                        if *x + 1 < width && *y < height {
                            buffer.set_string(*x, *y, symbol.to_string(), style);
                        }
                    }
                    sweep(buffer);
                    None
                };
                terminal.process(painter.frame(draw).unwrap());
                for y in 0..height {
                    for x in 0..width {
                        let drawn = &painter.shown[(x, y)];
                        let seen = terminal.screen().cell(y, x).unwrap();
                        if seen.is_wide_continuation() {
                            continue;
                        }
                        let symbol = if seen.contents().is_empty() { " " } else { seen.contents() };
                        prop_assert_eq!(symbol, drawn.symbol(), "at {},{}", x, y);
                        // Terminals disagree about the weight of a blank that a wide character left.
                        if symbol != " " {
                            prop_assert_eq!(seen.bold(), drawn.modifier.contains(Modifier::BOLD));
                        }
                    }
                }
            }
        }
    }
}
