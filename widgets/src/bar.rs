//! How far something has come, in one row.
//!
//! Three kinds, because a bar must not claim more than is known: exact, about, and unknown. An
//! unknown one does not move by itself: nothing on this console moves without news.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use crate::number;
use crate::text::{Align, fit};

/// Seven eighths of a cell and less, thinnest first.
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// What is done, what is not, and what nobody knows.
const FULL: char = '█';
const REST: char = '░';
const UNKNOWN: char = '╌';
/// Room for `~100.0%` with a space before it.
const FIGURE: u16 = 8;

/// How far something has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// So many of a total that was counted.
    Exact {
        /// Finished.
        done: u64,
        /// All there are.
        total: u64,
    },
    /// So many of a total that was estimated.
    About {
        /// Finished.
        done: u64,
        /// The estimate.
        total: u64,
    },
    /// So many of nobody knows how many.
    Unknown {
        /// Finished.
        done: u64,
    },
}

impl Progress {
    /// The finished part, 0 to 1; none when the total is not known. Nothing of nothing is all.
    pub fn part(self) -> Option<f64> {
        match self {
            Self::Exact { done, total } | Self::About { done, total } => {
                let part = done as f64 / total as f64;
                Some(if total == 0 { 1.0 } else { part.min(1.0) })
            }
            Self::Unknown { .. } => None,
        }
    }

    /// The figure behind the bar: `61.2%`, `~61.2%`, or the bare count. Never `100%` before the end.
    pub fn figure(self) -> String {
        let share = |part: f64| {
            let shown = (part * 1000.0).floor() / 10.0;
            number::percent(if part < 1.0 { shown.min(99.9) } else { 100.0 })
        };
        match (self, self.part()) {
            (Self::About { .. }, Some(part)) => format!("~{}", share(part)),
            (_, Some(part)) => share(part),
            (Self::Unknown { done } | Self::Exact { done, .. } | Self::About { done, .. }, None) => {
                number::count(done as f64)
            }
        }
    }
}

/// A bar with its figure at the right.
///
/// ```
/// use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};
/// use stella_widgets::{Bar, Progress};
///
/// let mut buffer = Buffer::empty(Rect::new(0, 0, 16, 1));
/// (&Bar::new(Progress::Exact { done: 1, total: 2 })).render(buffer.area, &mut buffer);
/// assert_eq!(buffer, Buffer::with_lines(["████░░░░   50.0%"]));
/// ```
#[derive(Clone, Debug)]
pub struct Bar {
    progress: Progress,
    done: Style,
    rest: Style,
    figure: Style,
}

impl Bar {
    /// A bar without styles.
    pub fn new(progress: Progress) -> Self {
        Self { progress, done: Style::new(), rest: Style::new(), figure: Style::new() }
    }

    /// The style of what is done.
    pub fn done_style(mut self, style: impl Into<Style>) -> Self {
        self.done = style.into();
        self
    }

    /// The style of what is left, and of an unknown bar.
    pub fn rest_style(mut self, style: impl Into<Style>) -> Self {
        self.rest = style.into();
        self
    }

    /// The style of the figure.
    pub fn figure_style(mut self, style: impl Into<Style>) -> Self {
        self.figure = style.into();
        self
    }
}

impl Widget for &Bar {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let figure = FIGURE.min(area.width);
        let cells = area.width - figure;
        for (place, x) in (0..cells).zip(area.x..) {
            let (glyph, style) = self.cell(place, cells);
            buffer[(x, area.y)].set_char(glyph).set_style(style);
        }
        let text = fit(&self.progress.figure(), figure, Align::Right);
        buffer.set_string(area.x + cells, area.y, text, self.figure);
    }
}

impl Bar {
    fn cell(&self, place: u16, cells: u16) -> (char, Style) {
        let Some(part) = self.progress.part() else {
            return (UNKNOWN, self.rest);
        };
        let eighths = (part * f64::from(cells) * 8.0).floor() as u32;
        match eighths.saturating_sub(u32::from(place) * 8) {
            0 => (REST, self.rest),
            filled @ 1..8 => (PARTS[filled as usize - 1], self.done),
            _ => (FULL, self.done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(progress: Progress, width: u16) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        Bar::new(progress).render(buffer.area, &mut buffer);
        buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn an_estimate_says_that_it_is_one() {
        let about = Progress::About { done: 612, total: 1000 };
        assert_eq!(drawn(about, 18), "██████░░░░  ~61.2%");
    }

    #[test]
    fn an_unknown_total_shows_the_count_and_no_share() {
        assert_eq!(drawn(Progress::Unknown { done: 88_000 }, 12), "╌╌╌╌     88k");
    }

    #[test]
    fn the_last_step_is_not_rounded_away() {
        let nearly = Progress::Exact { done: 999_999, total: 1_000_000 };
        assert_eq!(nearly.figure(), "99.9%");
        assert_eq!(Progress::Exact { done: 5, total: 5 }.figure(), "100%");
        assert_eq!(Progress::Exact { done: 0, total: 0 }.part(), Some(1.0));
    }

    #[test]
    fn no_room_for_a_bar_leaves_the_figure() {
        assert_eq!(drawn(Progress::Exact { done: 1, total: 2 }, 5), "50.0%");
    }
}
