//! Thin rules with a title at the left and a note at the right: the frame of every pane.
//!
//! Rules rather than boxes, because at 80 columns a box costs two columns and two rows and says
//! nothing. Pieces beside each other are parted by one vertical rule. Titles are text that is clean
//! already.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use crate::text::{cut, width};

const LINE: char = '─';
const SIDE: char = '│';
const CORNER: char = '┬';
/// Rule before the title and behind the note.
const LEAD: u16 = 1;
/// The least rule between title and note: nearer, they would read as one text.
const BETWEEN: u16 = 2;

/// A horizontal rule: `─ alerts ───────────── 11 of 37 ─`.
///
/// The title gives way last: the note goes when both do not fit.
///
/// ```
/// use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};
/// use stella_widgets::Rule;
///
/// let mut buffer = Buffer::empty(Rect::new(0, 0, 24, 1));
/// (&Rule::new().title("alerts").note("3 of 9")).render(buffer.area, &mut buffer);
/// assert_eq!(buffer, Buffer::with_lines(["─ alerts ────── 3 of 9 ─"]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rule<'a> {
    title: &'a str,
    note: &'a str,
    line: Style,
    title_style: Style,
    note_style: Style,
}

impl<'a> Rule<'a> {
    /// A bare rule.
    pub fn new() -> Self {
        Self::default()
    }

    /// Words at the left.
    pub fn title(mut self, title: &'a str) -> Self {
        self.title = title;
        self
    }

    /// Words at the right.
    pub fn note(mut self, note: &'a str) -> Self {
        self.note = note;
        self
    }

    /// The style of the line.
    pub fn style(mut self, style: impl Into<Style>) -> Self {
        self.line = style.into();
        self
    }

    /// The style of the title.
    pub fn title_style(mut self, style: impl Into<Style>) -> Self {
        self.title_style = style.into();
        self
    }

    /// The style of the note.
    pub fn note_style(mut self, style: impl Into<Style>) -> Self {
        self.note_style = style.into();
        self
    }
}

impl Widget for &Rule<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        for x in area.left()..area.right() {
            buffer[(x, area.y)].set_char(LINE).set_style(self.line);
        }
        let title_end = self.draw_title(area, buffer);
        self.draw_note(area, title_end, buffer);
    }
}

impl Rule<'_> {
    /// Draws the title; returns the first column behind it.
    fn draw_title(&self, area: Rect, buffer: &mut Buffer) -> u16 {
        // A space on each side and the line's ends stay.
        let room = area.width.saturating_sub(2 * LEAD + 2);
        if self.title.is_empty() || room == 0 {
            return area.x;
        }
        let shown = format!(" {} ", cut(self.title, room));
        let most = usize::from(area.width - LEAD);
        buffer.set_stringn(area.x + LEAD, area.y, &shown, most, self.title_style).0
    }

    fn draw_note(&self, area: Rect, title_end: u16, buffer: &mut Buffer) {
        let needed = width(self.note).saturating_add(2 + LEAD);
        let free = area.right() - title_end;
        if self.note.is_empty() || free < needed.saturating_add(BETWEEN) {
            return;
        }
        let shown = format!(" {} ", self.note);
        buffer.set_string(area.right() - needed, area.y, shown, self.note_style);
    }
}

/// What parts a panel from its left neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// Nothing: the panel begins at the screen's edge.
    #[default]
    Open,
    /// A vertical rule that hangs from the panel's own rule.
    Ruled,
}

/// A rule with room below it, and a vertical rule at the left where it has a neighbour.
#[derive(Clone, Debug, Default)]
pub struct Panel<'a> {
    rule: Rule<'a>,
    edge: Edge,
}

impl<'a> Panel<'a> {
    /// A panel under the given rule.
    pub fn new(rule: Rule<'a>) -> Self {
        Self { rule, edge: Edge::Open }
    }

    /// What parts it from its left neighbour.
    pub fn edge(mut self, edge: Edge) -> Self {
        self.edge = edge;
        self
    }

    /// The room for content.
    pub fn inner(&self, area: Rect) -> Rect {
        let side = match self.edge {
            Edge::Open => 0,
            Edge::Ruled => 1.min(area.width),
        };
        let top = 1.min(area.height);
        Rect::new(area.x + side, area.y + top, area.width - side, area.height - top)
    }
}

impl Widget for &Panel<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        self.rule.render(Rect { height: 1, ..area }, buffer);
        if self.edge == Edge::Ruled {
            for y in area.top()..area.bottom() {
                let glyph = if y == area.y { CORNER } else { SIDE };
                buffer[(area.x, y)].set_char(glyph).set_style(self.rule.line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rule: &Rule<'_>, width: u16) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        rule.render(buffer.area, &mut buffer);
        buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn the_note_goes_before_the_title_is_cut() {
        let rule = Rule::new().title("evidence").note("14:27-14:32");
        assert_eq!(drawn(&rule, 28), "─ evidence ─── 14:27-14:32 ─");
        assert_eq!(drawn(&rule, 26), "─ evidence ───────────────");
        assert_eq!(drawn(&rule, 9), "─ evid… ─");
        assert_eq!(drawn(&rule, 3), "───");
    }

    #[test]
    fn a_ruled_panel_hangs_its_side_from_its_rule() {
        let panel = Panel::new(Rule::new().title("a")).edge(Edge::Ruled);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 3));
        panel.render(buffer.area, &mut buffer);
        assert_eq!(buffer, Buffer::with_lines(["┬ a ────", "│       ", "│       "]));
        assert_eq!(panel.inner(buffer.area), Rect::new(1, 1, 7, 2));
    }
}
