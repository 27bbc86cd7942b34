//! A row of little blocks: the shape of a series in a list.
//!
//! One row, one block a cell, always from a floor to a ceiling; a missing value is a blank cell and
//! never a zero. When there are more values than cells each cell shows the highest of its share, so
//! that a spike of one value survives. It has no axis and no figures: `chart` has.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

/// The eight heights of a cell, lowest first.
pub(crate) const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Stands for a missing value.
const GAP: char = ' ';

/// A series in one row, newest value at the right edge.
///
/// ```
/// use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};
/// use stella_widgets::Sparkline;
///
/// let values = [Some(0.0), None, Some(4.0), Some(8.0)];
/// let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
/// (&Sparkline::new(&values)).render(buffer.area, &mut buffer);
/// assert_eq!(buffer, Buffer::with_lines(["▁ ▄█"]));
/// ```
#[derive(Clone, Debug)]
pub struct Sparkline<'a> {
    values: &'a [Option<f64>],
    range: Option<(f64, f64)>,
    style: Style,
}

impl<'a> Sparkline<'a> {
    /// A sparkline of the values, oldest first, on its own scale.
    pub fn new(values: &'a [Option<f64>]) -> Self {
        Self { values, range: None, style: Style::new() }
    }

    /// Uses this floor and ceiling, so that several rows compare; values beyond them are clamped.
    pub fn range(mut self, floor: f64, ceiling: f64) -> Self {
        self.range = Some((floor, ceiling));
        self
    }

    /// The style of the blocks.
    pub fn style(mut self, style: impl Into<Style>) -> Self {
        self.style = style.into();
        self
    }
}

impl Widget for &Sparkline<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let glyphs = glyphs(self.values, area.width, self.range);
        for (x, glyph) in (area.x..).zip(glyphs) {
            buffer[(x, area.bottom() - 1)].set_char(glyph).set_style(self.style);
        }
    }
}

/// The sparkline as a text of exactly `width` columns.
///
/// `range` is the floor and the ceiling; without one the floor is zero (or the lowest value, when
/// that is negative) and the ceiling the highest value.
pub fn spark_string(values: &[Option<f64>], width: u16, range: Option<(f64, f64)>) -> String {
    glyphs(values, width, range).collect()
}

fn glyphs(values: &[Option<f64>], width: u16, range: Option<(f64, f64)>) -> impl Iterator<Item = char> {
    let cells = usize::from(width);
    let blank = cells.saturating_sub(values.len());
    let (floor, ceiling) = range.unwrap_or_else(|| own_range(values));
    let shown = cells - blank;
    std::iter::repeat_n(GAP, blank).chain((0..shown).map(move |cell| {
        highest(&values[share(values.len(), shown, cell)]).map_or(GAP, |value| level(value, floor, ceiling))
    }))
}

/// The values that fall to one cell of `cells`.
fn share(values: usize, cells: usize, cell: usize) -> std::ops::Range<usize> {
    cell * values / cells..(cell + 1) * values / cells
}

fn highest(values: &[Option<f64>]) -> Option<f64> {
    values.iter().flatten().copied().filter(|value| value.is_finite()).reduce(f64::max)
}

fn own_range(values: &[Option<f64>]) -> (f64, f64) {
    values
        .iter()
        .flatten()
        .filter(|value| value.is_finite())
        .fold((0.0, 0.0), |(floor, ceiling), &value| (f64::min(floor, value), f64::max(ceiling, value)))
}

/// The block for a value: a value that is there is never blank, even at the floor.
fn level(value: f64, floor: f64, ceiling: f64) -> char {
    let part = (value - floor) / (ceiling - floor);
    // A scale without height gives no number; such a value lies at the floor.
    let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
    let step = (part * LEVELS.len() as f64).ceil() as usize;
    LEVELS[step.clamp(1, LEVELS.len()) - 1]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_stays_a_gap_and_a_zero_does_not() {
        let values = [Some(0.0), None, Some(1.0)];
        assert_eq!(spark_string(&values, 3, None), "▁ █");
    }

    #[test]
    fn few_values_stand_at_the_right_edge() {
        assert_eq!(spark_string(&[Some(1.0), Some(2.0)], 5, None), "   ▄█");
    }

    #[test]
    fn nothing_known_is_an_empty_row_and_nonsense_does_no_harm() {
        assert_eq!(spark_string(&[], 3, None), "   ");
        assert_eq!(spark_string(&[Some(f64::NAN), Some(3.0)], 2, None), " █");
        assert_eq!(spark_string(&[Some(3.0)], 1, Some((3.0, 3.0))), "▁");
        assert_eq!(spark_string(&[Some(3.0)], 0, None), "");
    }

    #[test]
    fn a_given_range_clamps() {
        let values = [Some(-5.0), Some(50.0), Some(500.0)];
        assert_eq!(spark_string(&values, 3, Some((0.0, 100.0))), "▁▄█");
    }

    proptest! {
        #[test]
        fn a_planted_spike_survives_any_width(
            count in 1usize..3000, place in 0usize..3000, width in 1u16..200,
        ) {
            let mut values = vec![Some(1.0); count];
            values[place % count] = Some(100.0);
            let shown = spark_string(&values, width, None);
            prop_assert_eq!(shown.chars().count(), usize::from(width));
            let visible = count.min(usize::from(width));
            prop_assert_eq!(shown.matches('█').count(), 1, "{} in {}", shown, visible);
        }
    }
}
