//! How many colours the terminal has, and what becomes of a colour that it has not.

use ratatui::style::Color;

/// Colour depth of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: weight and reversal only.
    Mono,
    /// The sixteen.
    Sixteen,
    /// The cube of 256.
    Cube,
    /// 24 bits.
    True,
}

/// The levels of the 6×6×6 cube.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// What xterm takes for the sixteen; terminals differ, the order of hues does not.
const SIXTEEN: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

impl Depth {
    /// By `NO_COLOR`, `COLORTERM` and `TERM`, as `look` knows them. An empty `NO_COLOR` says nothing.
    pub fn from_env(look: impl Fn(&str) -> Option<String>) -> Self {
        let term = look("TERM").unwrap_or_default();
        let colorterm = look("COLORTERM").unwrap_or_default();
        if look("NO_COLOR").is_some_and(|value| !value.is_empty()) || matches!(term.as_str(), "" | "dumb" | "vt100") {
            return Self::Mono;
        }
        let has = |part: &str| term.contains(part);
        if colorterm == "truecolor" || colorterm == "24bit" || has("direct") || has("kitty") || has("ghostty") {
            Self::True
        } else if has("256color") || has("tmux") || has("alacritty") || has("foot") {
            Self::Cube
        } else {
            Self::Sixteen
        }
    }

    /// The colour that stands for `color` at this depth.
    pub(super) fn fold(self, color: Color) -> Color {
        match (self, color) {
            (Self::Cube, Color::Rgb(red, green, blue)) => Color::Indexed(cube(red, green, blue)),
            (Self::Sixteen, Color::Rgb(red, green, blue)) => Color::Indexed(sixteen(red, green, blue)),
            (Self::Sixteen, Color::Indexed(index)) if index >= 16 => {
                let (red, green, blue) = unfold(index);
                Color::Indexed(sixteen(red, green, blue))
            }
            (Self::Mono, _) => Color::Reset,
            (_, color) => color,
        }
    }
}

fn distance(left: (u8, u8, u8), right: (u8, u8, u8)) -> u32 {
    let square = |one: u8, two: u8| u32::from(one.abs_diff(two)).pow(2);
    // Green weighs most for the eye, blue least.
    3 * square(left.0, right.0) + 6 * square(left.1, right.1) + square(left.2, right.2)
}

fn nearest(wanted: (u8, u8, u8), among: impl Iterator<Item = (u8, (u8, u8, u8))>) -> u8 {
    among.min_by_key(|(_, color)| distance(wanted, *color)).map_or(7, |(index, _)| index)
}

fn cube(red: u8, green: u8, blue: u8) -> u8 {
    nearest((red, green, blue), (16..=255).map(|index| (index, unfold(index))))
}

fn sixteen(red: u8, green: u8, blue: u8) -> u8 {
    nearest((red, green, blue), (0..16).zip(SIXTEEN))
}

fn unfold(index: u8) -> (u8, u8, u8) {
    match index {
        0..=15 => SIXTEEN[usize::from(index)],
        16..=231 => {
            let level = |place: u8| LEVELS[usize::from((index - 16) / place % 6)];
            (level(36), level(6), level(1))
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(pairs: &[(&str, &str)]) -> Depth {
        let look = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Depth::from_env(look)
    }

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(depth(&[("TERM", "tmux-256color")]), Depth::Cube);
        assert_eq!(depth(&[("TERM", "screen")]), Depth::Sixteen);
        assert_eq!(depth(&[("TERM", "linux")]), Depth::Sixteen);
        assert_eq!(depth(&[("TERM", "dumb"), ("COLORTERM", "truecolor")]), Depth::Mono);
        assert_eq!(depth(&[("TERM", "xterm"), ("NO_COLOR", "1")]), Depth::Mono);
        assert_eq!(depth(&[("TERM", "xterm"), ("NO_COLOR", "")]), Depth::Sixteen);
    }

    #[test]
    fn a_colour_folds_to_its_nearest() {
        assert_eq!(Depth::Cube.fold(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(Depth::Cube.fold(Color::Rgb(18, 18, 18)), Color::Indexed(233));
        assert_eq!(Depth::Sixteen.fold(Color::Rgb(250, 10, 10)), Color::Indexed(9));
        assert_eq!(Depth::Sixteen.fold(Color::Indexed(196)), Color::Indexed(9));
        assert_eq!(Depth::True.fold(Color::Rgb(1, 2, 3)), Color::Rgb(1, 2, 3));
    }
}
