//! Blocks and lines as shapes: what fonts draw with seams.

use super::{CELL_HEIGHT, CELL_WIDTH, append};

/// Lines run through the middle of a cell, this wide.
const STROKE: &str = "1.2";

/// True for the glyphs that are drawn as shapes.
pub(super) fn is_drawn(glyph: char) -> bool {
    matches!(glyph, '▀'..='▏' | '░'..='▓' | '▐' | '▔' | '▕') || arms(glyph).is_some() || dash(glyph).is_some()
}

/// Draws `columns` neighbouring cells of one glyph, the first at `place`.
pub(super) fn draw(out: &mut String, glyph: char, place: (u32, u32), columns: u32, colour: &str) {
    if let Some(arms) = arms(glyph) {
        lines(out, arms, place, columns, colour);
    } else if let Some(dash) = dash(glyph) {
        dashes(out, dash, place, columns, colour);
    } else {
        block(out, glyph, place, columns, colour);
    }
}

/// Which of left, right, up and down a box-drawing glyph reaches.
fn arms(glyph: char) -> Option<[bool; 4]> {
    let reach = match glyph {
        '─' => "lr",
        '│' => "ud",
        '┌' | '╭' => "rd",
        '┐' | '╮' => "ld",
        '└' | '╰' => "ru",
        '┘' | '╯' => "lu",
        '├' => "rud",
        '┤' => "lud",
        '┬' => "lrd",
        '┴' => "lru",
        '┼' => "lrud",
        '╴' => "l",
        '╶' => "r",
        '╵' => "u",
        '╷' => "d",
        _ => return None,
    };
    Some(['l', 'r', 'u', 'd'].map(|arm| reach.contains(arm)))
}

/// A dashed glyph: whether it lies, and how many dashes a cell has.
fn dash(glyph: char) -> Option<(bool, u32)> {
    Some(match glyph {
        '╌' => (true, 2),
        '┄' => (true, 3),
        '┈' => (true, 4),
        '╎' => (false, 2),
        '┆' => (false, 3),
        '┊' => (false, 4),
        _ => return None,
    })
}

fn lines(out: &mut String, arms: [bool; 4], place: (u32, u32), columns: u32, colour: &str) {
    let [left, right, up, down] = arms;
    let half = (CELL_WIDTH / 2, CELL_HEIGHT / 2);
    let middle = place.1 + half.1;
    if left && right {
        let end = place.0 + columns * CELL_WIDTH;
        stroke(out, (place.0, middle), (end, middle), colour, "");
    }
    for cell in 0..columns {
        let x = place.0 + cell * CELL_WIDTH;
        let centre = x + half.0;
        if left != right {
            let edge = if left { x } else { x + CELL_WIDTH };
            stroke(out, (edge, middle), (centre, middle), colour, "");
        }
        if up || down {
            let top = if up { place.1 } else { middle };
            let bottom = if down { place.1 + CELL_HEIGHT } else { middle };
            stroke(out, (centre, top), (centre, bottom), colour, "");
        }
    }
}

fn dashes(out: &mut String, dash: (bool, u32), place: (u32, u32), columns: u32, colour: &str) {
    let (lies, count) = dash;
    let length = if lies { CELL_WIDTH } else { CELL_HEIGHT };
    let on = f64::from(length) / f64::from(count) * 0.6;
    let off = f64::from(length) / f64::from(count) * 0.4;
    let pattern = format!(" stroke-dasharray=\"{on:.2} {off:.2}\"");
    if lies {
        let y = place.1 + CELL_HEIGHT / 2;
        stroke(out, (place.0, y), (place.0 + columns * CELL_WIDTH, y), colour, &pattern);
        return;
    }
    for cell in 0..columns {
        let x = place.0 + cell * CELL_WIDTH + CELL_WIDTH / 2;
        stroke(out, (x, place.1), (x, place.1 + CELL_HEIGHT), colour, &pattern);
    }
}

fn stroke(out: &mut String, from: (u32, u32), to: (u32, u32), colour: &str, pattern: &str) {
    append(
        out,
        format_args!(
            "<path d=\"M{} {}L{} {}\" stroke=\"{colour}\" stroke-width=\"{STROKE}\"{pattern}/>\n",
            from.0, from.1, to.0, to.1,
        ),
    );
}

/// A block: its part of the cell from left, top, as eighths of width and height, and its density.
fn block(out: &mut String, glyph: char, place: (u32, u32), columns: u32, colour: &str) {
    let eighth = |from: char| u32::from(glyph) - u32::from(from) + 1;
    let (left, top, wide, high, density) = match glyph {
        '▁'..='█' => (0, 8 - eighth('▁'), 8, eighth('▁'), ""),
        '▉'..='▏' => (0, 0, 8 - eighth('▉'), 8, ""),
        '▀' => (0, 0, 8, 4, ""),
        '▔' => (0, 0, 8, 1, ""),
        '▐' => (4, 0, 4, 8, ""),
        '▕' => (7, 0, 1, 8, ""),
        '░' => (0, 0, 8, 8, " fill-opacity=\"0.25\""),
        '▒' => (0, 0, 8, 8, " fill-opacity=\"0.5\""),
        _ => (0, 0, 8, 8, " fill-opacity=\"0.75\""),
    };
    let height = f64::from(high * CELL_HEIGHT) / 8.0;
    let y = f64::from(place.1) + f64::from(top * CELL_HEIGHT) / 8.0;
    // Blocks as wide as their cell melt into one; narrower ones stand apart.
    let (count, span) = if wide == 8 { (1, columns) } else { (columns, 1) };
    for cell in 0..count {
        let x = f64::from(place.0 + cell * CELL_WIDTH) + f64::from(left * CELL_WIDTH) / 8.0;
        let width = f64::from(span * CELL_WIDTH * wide) / 8.0;
        append(
            out,
            format_args!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\"{density}/>\n",
            ),
        );
    }
}
