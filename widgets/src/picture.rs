//! A frame as a picture: what a test drew, as a file a browser shows.
//!
//! The same buffer gives the same bytes. Text keeps its columns whatever font the reader has; blocks
//! and lines are drawn as shapes, because fonts leave seams between them. It loads nothing from
//! anywhere: no font, no script, no style sheet.

mod shape;

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::text::width;

/// A cell in units of the picture, and the font in it: monospaced fonts are about 0.6 em wide.
pub(crate) const CELL_WIDTH: u32 = 9;
pub(crate) const CELL_HEIGHT: u32 = 18;
const FONT_SIZE: u32 = 15;
/// From the top of a cell to the line that letters stand on.
const BASELINE: u32 = 14;
/// Room around the frame.
const BORDER: u32 = 12;

/// A colour by its red, green and blue.
pub type Rgb = (u8, u8, u8);

/// What a terminal would make of the colours that a frame leaves to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Text without a colour of its own.
    pub foreground: Rgb,
    /// Ground without a colour of its own.
    pub background: Rgb,
    /// The sixteen named colours, in the order of the ANSI numbers.
    pub named: [Rgb; 16],
}

impl Default for Palette {
    /// A quiet dark terminal.
    fn default() -> Self {
        Self {
            foreground: (0xd8, 0xde, 0xe9),
            background: (0x12, 0x16, 0x1d),
            named: [
                (0x1d, 0x23, 0x2c),
                (0xe0, 0x6c, 0x75),
                (0x8f, 0xbf, 0x7f),
                (0xe0, 0xb0, 0x6a),
                (0x6a, 0xa5, 0xe0),
                (0xc0, 0x8a, 0xd8),
                (0x5f, 0xb8, 0xbf),
                (0xb4, 0xbc, 0xc8),
                (0x5d, 0x68, 0x78),
                (0xf0, 0x80, 0x88),
                (0xa6, 0xd4, 0x96),
                (0xf0, 0xc6, 0x88),
                (0x88, 0xbc, 0xf2),
                (0xd4, 0xa6, 0xea),
                (0x7f, 0xd0, 0xd6),
                (0xf4, 0xf6, 0xfa),
            ],
        }
    }
}

/// The frame as a self-contained SVG.
///
/// ```
/// use ratatui::buffer::Buffer;
/// use stella_widgets::picture::{Palette, svg};
///
/// let picture = svg(&Buffer::with_lines(["5xx < 2%"]), &Palette::default());
/// assert!(picture.starts_with("<svg") && picture.contains("5xx &lt; 2%"));
/// ```
pub fn svg(buffer: &Buffer, palette: &Palette) -> String {
    let area = buffer.area;
    let mut out = String::with_capacity(buffer.content.len() * 12);
    open(&mut out, u32::from(area.width), u32::from(area.height), palette);
    for y in 0..area.height {
        let from = usize::from(y) * usize::from(area.width);
        let row = &buffer.content[from..from + usize::from(area.width)];
        let runs = runs(row, palette);
        for run in &runs {
            ground(&mut out, run, u32::from(y), palette);
        }
        for run in &runs {
            ink(&mut out, run, u32::from(y));
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn open(out: &mut String, columns: u32, rows: u32, palette: &Palette) {
    let wide = columns * CELL_WIDTH + 2 * BORDER;
    let high = rows * CELL_HEIGHT + 2 * BORDER;
    let paper = hex(palette.background);
    append(
        out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" \
         viewBox=\"0 0 {wide} {high}\">\n\
         <rect width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"{paper}\"/>\n\
         <g transform=\"translate({BORDER} {BORDER})\" font-size=\"{FONT_SIZE}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         xml:space=\"preserve\">\n",
        ),
    );
}

/// How a cell looks once reverse, dim and the terminal's own colours are applied.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    ink: Rgb,
    ground: Rgb,
    modifier: Modifier,
}

/// Neighbouring cells of one look.
struct Run {
    column: u32,
    /// Columns taken.
    columns: u32,
    text: String,
    look: Look,
    /// A run of one repeated shape, drawn and not written.
    shape: Option<char>,
}

fn runs(row: &[Cell], palette: &Palette) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    while column < row.len() {
        let cell = &row[column];
        let look = look(cell, palette);
        let symbol = cell.symbol();
        let shape = symbol.chars().next().filter(|&c| shape::is_drawn(c));
        let columns = usize::from(width(symbol).max(1));
        match runs.last_mut() {
            Some(run) if run.look == look && run.shape == shape => {
                run.columns += columns as u32;
                run.text.push_str(symbol);
            }
            _ => {
                runs.push(Run { column: column as u32, columns: columns as u32, text: symbol.to_owned(), look, shape });
            }
        }
        column += columns;
    }
    runs
}

fn look(cell: &Cell, palette: &Palette) -> Look {
    let mut ink = rgb(cell.fg, palette.foreground, palette);
    let mut ground = rgb(cell.bg, palette.background, palette);
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut ink, &mut ground);
    }
    if cell.modifier.contains(Modifier::DIM) {
        ink = blend(ink, ground);
    }
    if cell.modifier.contains(Modifier::HIDDEN) {
        ink = ground;
    }
    let drawn = Modifier::BOLD | Modifier::ITALIC | Modifier::UNDERLINED | Modifier::CROSSED_OUT;
    Look { ink, ground, modifier: cell.modifier & drawn }
}

fn ground(out: &mut String, run: &Run, row: u32, palette: &Palette) {
    if run.look.ground == palette.background {
        return;
    }
    append(
        out,
        format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{CELL_HEIGHT}\" fill=\"{}\"/>\n",
            run.column * CELL_WIDTH,
            row * CELL_HEIGHT,
            run.columns * CELL_WIDTH,
            hex(run.look.ground),
        ),
    );
}

fn ink(out: &mut String, run: &Run, row: u32) {
    if let Some(glyph) = run.shape {
        let place = (run.column * CELL_WIDTH, row * CELL_HEIGHT);
        shape::draw(out, glyph, place, run.columns, &hex(run.look.ink));
        return;
    }
    let is_blank = run.text.chars().all(|c| c == ' ');
    let is_lined = Modifier::UNDERLINED | Modifier::CROSSED_OUT;
    if is_blank && !run.look.modifier.intersects(is_lined) {
        return;
    }
    append(
        out,
        format_args!(
            "<text x=\"{}\" y=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{}>{}</text>\n",
            run.column * CELL_WIDTH,
            row * CELL_HEIGHT + BASELINE,
            run.columns * CELL_WIDTH,
            hex(run.look.ink),
            decoration(run.look.modifier),
            escape(&run.text),
        ),
    );
}

fn decoration(modifier: Modifier) -> String {
    let mut out = String::new();
    if modifier.contains(Modifier::BOLD) {
        out.push_str(" font-weight=\"bold\"");
    }
    if modifier.contains(Modifier::ITALIC) {
        out.push_str(" font-style=\"italic\"");
    }
    let lines = [(Modifier::UNDERLINED, "underline"), (Modifier::CROSSED_OUT, "line-through")];
    let lines: Vec<&str> = lines.iter().filter(|(which, _)| modifier.contains(*which)).map(|(_, name)| *name).collect();
    if !lines.is_empty() {
        append(&mut out, format_args!(" text-decoration=\"{}\"", lines.join(" ")));
    }
    out
}

/// XML forbids controls altogether, so they are left out even of a frame that was not swept.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ => out.push(c),
        }
    }
    out
}

fn rgb(color: Color, terminal: Rgb, palette: &Palette) -> Rgb {
    match color {
        Color::Reset => terminal,
        Color::Rgb(red, green, blue) => (red, green, blue),
        Color::Indexed(index) => indexed(index, palette),
        named => palette.named[named_index(named)],
    }
}

fn named_index(color: Color) -> usize {
    match color {
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        _ => 0,
    }
}

/// The 256 colours of xterm: sixteen named, a cube of six steps, a ramp of greys.
fn indexed(index: u8, palette: &Palette) -> Rgb {
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match index {
        0..16 => palette.named[usize::from(index)],
        16..232 => {
            let place = index - 16;
            (step(place / 36), step(place / 6 % 6), step(place % 6))
        }
        232.. => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

fn blend(one: Rgb, other: Rgb) -> Rgb {
    let middle = |a: u8, b: u8| ((u16::from(a) * 3 + u16::from(b) * 2) / 5) as u8;
    (middle(one.0, other.0), middle(one.1, other.1), middle(one.2, other.2))
}

fn hex((red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Writing to a string cannot fail.
fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    fn picture(text: &str, style: Style) -> String {
        let mut buffer = Buffer::with_lines([text]);
        buffer.set_style(buffer.area, style);
        svg(&buffer, &Palette::default())
    }

    #[test]
    fn colours_and_weights_reach_the_picture() {
        let out = picture("ab", Style::new().red().on_blue().bold().underlined());
        assert!(out.contains("fill=\"#e06c75\" font-weight=\"bold\" text-decoration=\"underline\""));
        assert!(out.contains("<rect x=\"0\" y=\"0\" width=\"18\" height=\"18\" fill=\"#6aa5e0\"/>"));
    }

    #[test]
    fn reverse_swaps_even_the_terminals_own_colours() {
        let out = picture("ab", Style::new().reversed());
        assert!(out.contains("height=\"18\" fill=\"#d8dee9\"/>"));
        assert!(out.contains("fill=\"#12161d\">ab</text>"));
    }

    #[test]
    fn neighbours_of_one_look_are_one_text_and_blocks_are_shapes() {
        let out = picture("pay api ██", Style::new());
        assert_eq!(out.matches("<text").count(), 1);
        assert!(out.contains("width=\"18\" height=\"18\" fill=\"#d8dee9\"/>"), "{out}");
    }

    #[test]
    fn markup_in_a_cell_stays_text() {
        assert!(picture("<b>&", Style::new()).contains("&lt;b&gt;&amp;"));
    }

    #[test]
    fn the_cube_and_the_greys_are_those_of_xterm() {
        let palette = Palette::default();
        assert_eq!(indexed(196, &palette), (255, 0, 0));
        assert_eq!(indexed(244, &palette), (128, 128, 128));
    }
}
