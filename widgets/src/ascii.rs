//! A finished frame in pure 7-bit, for terminals and fonts that have nothing else.
//!
//! Works on the buffer, so that no widget needs a second way to draw. Shapes keep their order (a
//! higher block stays a heavier sign), letters lose their accents' cells but never their place; what
//! has no counterpart becomes `?`.

use ratatui::buffer::Buffer;

/// Replaces every cell that is not printable ASCII by a counterpart that is.
///
/// The second cell of a wide character is blank already and stays so: columns do not move.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if matches!(*symbol.as_bytes(), [b' '..=b'~']) {
            continue;
        }
        let first = symbol.chars().next().unwrap_or(' ');
        cell.set_char(counterpart(first));
    }
}

fn counterpart(c: char) -> char {
    match c {
        ' '..='~' => c,
        '\u{2500}'..='\u{257f}' => line(c),
        '\u{2580}'..='\u{259f}' => block(c),
        '\u{2800}'..='\u{28ff}' => braille(c),
        '\u{a0}' | '\u{3000}' => ' ',
        _ => sign(c),
    }
}

/// Box drawing: horizontals, verticals, and everything that joins them.
fn line(c: char) -> char {
    match c {
        '─' | '━' | '┄' | '┅' | '┈' | '┉' | '╌' | '╍' | '╴' | '╶' | '╸' | '╺' | '╼' | '╾' => {
            '-'
        }
        '═' => '=',
        '│' | '┃' | '┆' | '┇' | '┊' | '┋' | '╎' | '╏' | '║' | '╵' | '╷' | '╹' | '╻' | '╽' | '╿' => {
            '|'
        }
        '╱' => '/',
        '╲' => '\\',
        '╳' => 'x',
        _ => '+',
    }
}

/// Blocks, each a little heavier than the one below it.
fn block(c: char) -> char {
    match c {
        '▁' => '_',
        '▂' | '▏' => '.',
        '▃' | '▎' => '-',
        '▄' | '▍' | '░' => ':',
        '▅' | '▌' => '=',
        '▆' | '▋' | '▒' => '+',
        '▇' | '▊' | '▓' => '*',
        '▔' | '▀' => '"',
        '▕' | '▐' => '|',
        _ => '#',
    }
}

/// Braille patterns by how many dots they have.
fn braille(c: char) -> char {
    match (u32::from(c) & 0xff).count_ones() {
        0 => ' ',
        1 | 2 => '.',
        3..=5 => ':',
        _ => '#',
    }
}

fn sign(c: char) -> char {
    match c {
        '·' | '•' | '∙' | '…' | '‥' | '․' => '.',
        '↵' | '⏎' => '\\',
        '▲' | '↑' | '△' | '▴' => '^',
        '▼' | '↓' | '▽' | '▾' | '✓' | '✔' => 'v',
        '▶' | '→' | '▸' | '›' | '»' | '❯' | '▷' | '≥' => '>',
        '◀' | '←' | '◂' | '‹' | '«' | '❮' | '◁' | '≤' => '<',
        '●' | '◉' | '■' | '◆' | '◼' | '★' => '*',
        '○' | '◌' | '□' | '◇' | '◻' | '°' => 'o',
        '–' | '—' | '−' | '‑' | '‐' => '-',
        '‘' | '’' | '′' => '\'',
        '“' | '”' | '″' => '"',
        '✗' | '✘' | '×' => 'x',
        '≈' | '∼' => '~',
        'µ' | 'μ' => 'u',
        '±' => '+',
        _ => latin(c).unwrap_or('?'),
    }
}

/// The plain letter below an accent.
fn latin(c: char) -> Option<char> {
    Some(match c {
        'à'..='å' | 'ā' => 'a',
        'À'..='Å' | 'Ā' => 'A',
        'ç' | 'č' | 'ć' => 'c',
        'Ç' | 'Č' | 'Ć' => 'C',
        'è'..='ë' | 'ē' | 'ę' => 'e',
        'È'..='Ë' | 'Ē' | 'Ę' => 'E',
        'ì'..='ï' | 'ī' => 'i',
        'Ì'..='Ï' | 'Ī' => 'I',
        'ñ' | 'ń' => 'n',
        'Ñ' | 'Ń' => 'N',
        'ò'..='ö' | 'ø' | 'ō' => 'o',
        'Ò'..='Ö' | 'Ø' | 'Ō' => 'O',
        'ù'..='ü' | 'ū' => 'u',
        'Ù'..='Ü' | 'Ū' => 'U',
        'ß' | 'š' | 'ś' => 's',
        'Š' | 'Ś' => 'S',
        'ý' | 'ÿ' => 'y',
        'ž' | 'ź' | 'ż' => 'z',
        'Ž' | 'Ź' | 'Ż' => 'Z',
        'ł' => 'l',
        'Ł' => 'L',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(text: &str) -> String {
        let mut buffer = Buffer::with_lines([text]);
        to_ascii(&mut buffer);
        buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn shapes_keep_their_meaning() {
        assert_eq!(through("┌─ pay ─┐│▁▄█│ a→b …"), "+- pay -+|_:#| a>b .");
    }

    #[test]
    fn a_taller_block_is_another_sign() {
        let signs = through("▁▂▃▄▅▆▇█");
        let distinct: std::collections::BTreeSet<char> = signs.chars().collect();
        assert_eq!(distinct.len(), 8, "{signs}");
    }

    #[test]
    fn columns_do_not_move_and_nothing_else_remains() {
        assert_eq!(through("日本 é ж |"), "? ?  e ? |");
    }
}
