//! Puts a chart on the screen, back to front: band, limit, marks, columns, cursor, axes, words.
//!
//! Decides glyphs and places of words only; every height and column comes from `geometry`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::Chart;
use super::axis::{self, Kind};
use super::geometry::{Bucket, Scale, buckets};
use crate::number;
use crate::sparkline::LEVELS;
use crate::text::{Align, fit, width};

const ENVELOPE: char = '▒';
const LIMIT: char = '╌';
const BAND: char = '·';
const MARK: char = '╎';
const CURSOR: char = '│';
const TICK: char = '┤';
const SIDE: char = '│';
const CORNER: char = '└';
const BASE: char = '─';

/// A plot narrower than this, in columns, says nothing; the words at the right go first.
const LEAST_PLOT: u16 = 16;
/// With words at the right the plot keeps at least this width.
const COMFORTABLE_PLOT: u16 = 30;
/// Dots of the band stand this far apart, so that they read as a ground and not as values.
const BAND_PITCH: u16 = 3;

/// Where the parts of a chart stand.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Columns of the series.
    pub(super) plot: Rect,
    /// First column and width of the words at the left.
    labels: (u16, u16),
    /// First column and width of the words at the right; no width when there is no room.
    notes: (u16, u16),
    pub(super) scale: Scale,
}

impl Frame {
    /// None when the area is too small for a chart to say anything.
    pub(super) fn lay_out(chart: &Chart<'_>, area: Rect) -> Option<Self> {
        let rows = area.height.checked_sub(1).filter(|&rows| rows >= 2)?;
        let scale = chart.scale(rows);
        let widest = scale.ticks().into_iter().map(|tick| width(&number::axis(tick, chart.unit))).max().unwrap_or(0);
        // The axis line itself takes a column behind the words.
        let left = widest + 1;
        let plot_width = area.width.checked_sub(left)?;
        let notes = notes_width(chart).filter(|notes| plot_width >= COMFORTABLE_PLOT + notes).unwrap_or(0);
        let plot = Rect::new(area.x + left, area.y, plot_width - notes, rows);
        (plot.width >= LEAST_PLOT).then_some(Self {
            plot,
            labels: (area.x, widest),
            notes: (plot.right() + 1, notes.saturating_sub(1)),
            scale,
        })
    }

    /// The row of screen of a value.
    fn row(&self, value: f64) -> u16 {
        self.plot.y + self.scale.row(value, self.plot.height)
    }

    fn is_visible(&self, value: f64) -> bool {
        (self.scale.floor..=self.scale.ceiling).contains(&value)
    }
}

/// Room for the words at the right, with a blank before them. The width of a unit's figures is
/// fixed, so that the plot does not move when the last value gains a digit.
fn notes_width(chart: &Chart<'_>) -> Option<u16> {
    let last = chart.last().map(|_| width("last ") + number::widest(chart.unit));
    let limit = chart.limit.map(|limit| width(&limit_words(chart, limit)));
    last.max(limit).map(|width| width + 1)
}

fn limit_words(chart: &Chart<'_>, limit: f64) -> String {
    format!("limit {}", number::axis(limit, chart.unit))
}

pub(super) fn draw(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    band(chart, frame, buffer);
    limit(chart, frame, buffer);
    marks(chart, frame, buffer);
    columns(chart, frame, buffer);
    cursor(chart, frame, buffer);
    vertical_axis(chart, frame, buffer);
    horizontal_axis(chart, frame, buffer);
    notes(chart, frame, buffer);
}

fn put(buffer: &mut Buffer, x: u16, y: u16, glyph: char, style: Style) {
    if let Some(cell) = buffer.cell_mut((x, y)) {
        cell.set_char(glyph).set_style(style);
    }
}

fn band(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    let Some((low, high)) = chart.band.filter(|(low, high)| low <= high) else {
        return;
    };
    let plot = frame.plot;
    for y in frame.row(high)..=frame.row(low) {
        buffer.set_style(Rect::new(plot.x, y, plot.width, 1), chart.style.band);
        for x in (plot.left()..plot.right()).step_by(usize::from(BAND_PITCH)) {
            put(buffer, x, y, BAND, chart.style.band);
        }
    }
}

fn limit(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    if let Some(limit) = chart.limit.filter(|&limit| frame.is_visible(limit)) {
        let y = frame.row(limit);
        for x in frame.plot.left()..frame.plot.right() {
            put(buffer, x, y, LIMIT, chart.style.limit);
        }
    }
}

fn marks(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    let plot = frame.plot;
    for mark in chart.marks {
        if let Some(column) = chart.span.column(mark.t, plot.width) {
            for y in plot.top()..plot.bottom() {
                put(buffer, plot.x + column, y, MARK, chart.style.mark);
            }
        }
    }
}

fn columns(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    let plot = frame.plot;
    let series = buckets(chart.points, chart.span, chart.lasting(), plot.width);
    for (x, bucket) in (plot.left()..).zip(series) {
        if let Some(bucket) = bucket {
            column(chart, frame, buffer, x, bucket);
        }
    }
}

fn column(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer, x: u16, bucket: Bucket) {
    let plot = frame.plot;
    // A value that is there shows, be it the floor itself.
    let solid = frame.scale.eighths(bucket.low, plot.height).max(1);
    let reach = frame.scale.eighths(bucket.high, plot.height).max(solid);
    let is_over = |value: f64| chart.limit.is_some_and(|limit| value > limit);
    let body = if is_over(bucket.low) { chart.style.over } else { chart.style.series };
    let shade = if is_over(bucket.high) { chart.style.over } else { chart.style.envelope };
    let limit_row = chart.limit.map(|limit| frame.row(limit));
    for (below, y) in (0..plot.height).zip((plot.top()..plot.bottom()).rev()) {
        let base = below * 8;
        if solid >= base + 8 && limit_row == Some(y) {
            // The line stays visible across a column without any colour: cut out of it.
            put(buffer, x, y, LIMIT, body.add_modifier(Modifier::REVERSED));
        } else if solid > base {
            let level = (solid - base).min(8);
            put(buffer, x, y, LEVELS[usize::from(level) - 1], body);
        } else if reach > base {
            put(buffer, x, y, ENVELOPE, shade);
        } else {
            break;
        }
    }
}

fn cursor(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    let plot = frame.plot;
    let Some(t) = chart.cursor else { return };
    let Some(column) = chart.span.column(t, plot.width) else {
        return;
    };
    let x = plot.x + column;
    for y in plot.top()..plot.bottom() {
        put(buffer, x, y, CURSOR, chart.style.cursor);
    }
    let value =
        chart.reading_at(t).map_or(number::NO_VALUE.to_owned(), |reading| number::text(reading.mean, chart.unit));
    let words = format!(" {value} ");
    let needed = width(&words);
    // To the right of the line, or to its left where the plot ends.
    let at = if column + needed < plot.width { x + 1 } else { x.saturating_sub(needed).max(plot.x) };
    buffer.set_stringn(at, plot.y, words, usize::from(plot.right() - at), chart.style.cursor);
}

fn vertical_axis(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    let plot = frame.plot;
    let line = plot.x - 1;
    for y in plot.top()..plot.bottom() {
        put(buffer, line, y, SIDE, chart.style.axis);
    }
    put(buffer, line, plot.bottom(), CORNER, chart.style.axis);
    for tick in frame.scale.ticks() {
        let row = frame.scale.edge_row(tick, plot.height);
        let words = fit(&number::axis(tick, chart.unit), frame.labels.1, Align::Right);
        buffer.set_string(frame.labels.0, plot.y + row, words, chart.style.label);
        if row < plot.height {
            put(buffer, line, plot.y + row, TICK, chart.style.axis);
        }
    }
}

fn horizontal_axis(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    let plot = frame.plot;
    for x in plot.left()..plot.right() {
        put(buffer, x, plot.bottom(), BASE, chart.style.axis);
    }
    // Beside the line nothing stands below the last value: the words of a mark may go on there.
    let room = frame.notes.0 + frame.notes.1 - plot.x.min(frame.notes.0);
    for piece in axis::pieces(chart.span, plot.width, room, chart.marks, chart.times) {
        let style = match piece.kind {
            Kind::Time => chart.style.label,
            Kind::Mark => chart.style.mark,
        };
        let words = Rect::new(plot.x + piece.column, plot.bottom(), width(&piece.words), 1);
        // What makes the rule quiet must not make its words so.
        for at in words.intersection(buffer.area).positions() {
            buffer[at].modifier = Modifier::empty();
        }
        buffer.set_string(words.x, words.y, &piece.words, style);
    }
}

/// The last value and the limit, each at its height; the limit moves away when they meet.
fn notes(chart: &Chart<'_>, frame: &Frame, buffer: &mut Buffer) {
    let (x, room) = frame.notes;
    if room == 0 {
        return;
    }
    let mut taken = None;
    if let Some((_, value)) = chart.last() {
        let y = frame.row(value);
        let words = format!("last {}", number::text(value, chart.unit));
        buffer.set_stringn(x, y, words, usize::from(room), chart.style.last);
        taken = Some(y);
    }
    if let Some(limit) = chart.limit.filter(|&limit| frame.is_visible(limit)) {
        let own = frame.row(limit);
        let y = match taken {
            Some(y) if y == own && own + 1 < frame.plot.bottom() => own + 1,
            Some(y) if y == own => own - 1,
            _ => own,
        };
        let words = limit_words(chart, limit);
        buffer.set_stringn(x, y, words, usize::from(room), chart.style.limit);
    }
}
