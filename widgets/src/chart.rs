//! A series over time: columns against a scale, with its limit, band, marks and last value.
//!
//! ```text
//! 15%┤                           ╎       ▒▒
//!    │                           ╎       ▒▒    ▁▁▅ last 12.1%
//! 10%┤                           ╎       ▒▒   ▄███
//!    │                           ╎       ▒▒▃██████
//!    │                           ╎      ▂▇▇███████
//!  5%┤                           ╎   ▁▆▆██████████
//!    │▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁╌▁▁▁▁▁▁▁▁▁▁▁▁▁▅▅╌╌╌╌╌╌╌╌╌╌╌╌╌ limit 2%
//!  0%└─────14:05──────────14:15──^deploy─────14:28
//! ```
//!
//! Columns are solid up to the lowest mean that fell into them and shaded up to the highest value:
//! neither a spike nor a drop of a single point is lost at any zoom. A gap is empty; a value is never
//! less than an eighth of a row. Limit, band, marks and cursor have glyphs of their own and need no
//! colour. Times come with the words to show for them: this widget knows no clock and no zone.

mod axis;
mod geometry;
mod paint;

pub use geometry::{Bucket, Point, Reading, Rounding, Scale, Span, buckets, extent, natural_step};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

/// How the parts of a chart look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChartStyle {
    /// Columns.
    pub series: Style,
    /// Columns that reach above the limit.
    pub over: Style,
    /// From the solid part of a column up to its highest value.
    pub envelope: Style,
    /// The limit and its words.
    pub limit: Style,
    /// The ground of the band.
    pub band: Style,
    /// Marks and their words.
    pub mark: Style,
    /// The cursor and its value.
    pub cursor: Style,
    /// The line under the plot and the line at its left.
    pub axis: Style,
    /// Words of both axes.
    pub label: Style,
    /// The last value.
    pub last: Style,
}

/// An instant worth a line: an onset, a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// When, in milliseconds.
    pub t: i64,
    /// A word or two.
    pub label: &'a str,
}

/// What the vertical scale spans.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Range {
    /// From zero, or from the lowest value if that is negative: heights compare as values do.
    #[default]
    FromZero,
    /// From the lowest to the highest value: for series whose changes are small.
    Fit,
    /// Given, floor and ceiling.
    Fixed(f64, f64),
}

/// A chart of one series.
///
/// ```
/// use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};
/// use stella_widgets::chart::{Chart, Point, Span};
///
/// let points: Vec<Point> = (0..30).map(|m| Point::single(m * 60_000, m as f64)).collect();
/// let chart = Chart::new(&points, Span { from: 0, to: 1_800_000 }).unit("%").limit(20.0);
/// let mut buffer = Buffer::empty(Rect::new(0, 0, 60, 8));
/// (&chart).render(buffer.area, &mut buffer);
/// ```
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    points: &'a [Point],
    span: Span,
    step: Option<i64>,
    unit: &'a str,
    range: Range,
    limit: Option<f64>,
    band: Option<(f64, f64)>,
    times: &'a [(i64, &'a str)],
    marks: &'a [Mark<'a>],
    cursor: Option<i64>,
    style: ChartStyle,
}

impl<'a> Chart<'a> {
    /// A chart of points in the order of their times, over a span.
    pub fn new(points: &'a [Point], span: Span) -> Self {
        Self {
            points,
            span,
            step: None,
            unit: "",
            range: Range::FromZero,
            limit: None,
            band: None,
            times: &[],
            marks: &[],
            cursor: None,
            style: ChartStyle::default(),
        }
    }

    /// How long a point lasts, in milliseconds; otherwise the shortest distance between points.
    pub fn step(mut self, milliseconds: i64) -> Self {
        self.step = Some(milliseconds);
        self
    }

    /// The unit of the values, as [`crate::number::text`] knows it.
    pub fn unit(mut self, unit: &'a str) -> Self {
        self.unit = unit;
        self
    }

    /// What the vertical scale spans.
    pub fn range(mut self, range: Range) -> Self {
        self.range = range;
        self
    }

    /// A value that should not be passed.
    pub fn limit(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The usual values, lowest and highest.
    pub fn band(mut self, low: f64, high: f64) -> Self {
        self.band = Some((low, high));
        self
    }

    /// Instants on the horizontal axis, in milliseconds, with their words.
    pub fn times(mut self, times: &'a [(i64, &'a str)]) -> Self {
        self.times = times;
        self
    }

    /// Instants worth a line.
    pub fn marks(mut self, marks: &'a [Mark<'a>]) -> Self {
        self.marks = marks;
        self
    }

    /// The instant under the cursor, in milliseconds.
    pub fn cursor(mut self, t: i64) -> Self {
        self.cursor = Some(t);
        self
    }

    /// How it looks.
    pub fn style(mut self, style: ChartStyle) -> Self {
        self.style = style;
        self
    }

    /// The vertical scale in a plot of so many rows, for words such as `axis 0..15%`.
    pub fn scale(&self, rows: u16) -> Scale {
        let ticks = (rows / 2).clamp(1, 5);
        let (low, high) = self.bounds();
        let rounding = match self.unit.split('/').next() {
            Some("bytes" | "B") => Rounding::Binary,
            _ => Rounding::Decimal,
        };
        match self.range {
            Range::Fixed(floor, ceiling) if floor < ceiling => {
                Scale { floor, ceiling, step: (ceiling - floor) / f64::from(ticks) }
            }
            _ => Scale::nice(low, high, ticks, rounding),
        }
    }

    /// The last reading within the span, and when it began.
    pub fn last(&self) -> Option<(i64, f64)> {
        self.points
            .iter()
            .rev()
            .filter(|point| point.t < self.span.to)
            .find_map(|point| Some((point.t, point.reading?.mean)))
    }

    /// The point that an instant falls into.
    fn reading_at(&self, t: i64) -> Option<Reading> {
        let behind = self.points.partition_point(|point| point.t <= t);
        let point = self.points.get(behind.checked_sub(1)?)?;
        let covers = t.saturating_sub(point.t) < self.lasting();
        point.reading.filter(|_| covers)
    }

    fn lasting(&self) -> i64 {
        self.step.unwrap_or_else(|| natural_step(self.points))
    }

    /// The values that must fit: the series, its limit and its band.
    fn bounds(&self) -> (f64, f64) {
        let (mut low, mut high) = extent(self.points, self.span, self.lasting()).unwrap_or((0.0, 0.0));
        let beside = [self.limit, self.band.map(|band| band.0), self.band.map(|band| band.1)];
        for value in beside.into_iter().flatten().filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        match self.range {
            Range::FromZero => (low.min(0.0), high.max(0.0)),
            Range::Fit | Range::Fixed(..) => (low, high),
        }
    }
}

impl Widget for &Chart<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if let Some(frame) = paint::Frame::lay_out(self, area) {
            paint::draw(self, &frame, buffer);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
