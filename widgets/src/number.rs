//! Numbers as words: always with a unit, always short, never jumping in width.
//!
//! Every text of a unit has a greatest width ([`widest`]), and [`padded`] fills up to it, so that a
//! column of figures stands still while its values move. Times of day are not here: they need a
//! clock and a zone, which this crate does not know.

use crate::text::{Align, fit};

/// Shown for a value that is not a number.
pub const NO_VALUE: &str = "-";

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;

/// A value in its unit.
///
/// Known units: `ms`, `s`, `us`, `µs`, `ns` (times), `%`, `bytes` and `B`, `count` and the empty
/// unit, and rates such as `1/s` or `bytes/s`. Any other unit is written behind the number.
///
/// ```
/// use stella_widgets::number::text;
///
/// assert_eq!(text(734.0, "ms"), "734 ms");
/// assert_eq!(text(4_200.0, "ms"), "4.2 s");
/// assert_eq!(text(12.1, "%"), "12.1%");
/// assert_eq!(text(88_000.0, "count"), "88k");
/// ```
pub fn text(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return NO_VALUE.to_owned();
    }
    match unit {
        "ms" => time(value / 1e3),
        "s" => time(value),
        "us" | "µs" => time(value / 1e6),
        "ns" => time(value / 1e9),
        "%" => percent(value),
        "bytes" | "B" => bytes(value),
        "count" | "" => count(value),
        _ => match unit.split_once('/') {
            Some(("1" | "count" | "", per)) => format!("{}/{per}", count(value)),
            Some((what, per)) => format!("{}/{per}", text(value, what)),
            None => format!("{} {unit}", count(value)),
        },
    }
}

/// A value for the edge of a chart: as [`text`], without decimals that say nothing (`15%`).
pub fn axis(value: f64, unit: &str) -> String {
    let full = text(value, unit);
    let Some(point) = full.find('.') else {
        return full;
    };
    let digits = full[point + 1..].find(|c: char| !c.is_ascii_digit()).map_or(full.len(), |at| point + 1 + at);
    let kept = full[..digits].trim_end_matches('0').trim_end_matches('.');
    format!("{kept}{}", &full[digits..])
}

/// The greatest width that [`text`] needs for values of this unit up to a million of its largest
/// step, in columns.
pub fn widest(unit: &str) -> u16 {
    let figure = match unit {
        "ms" | "s" | "us" | "µs" | "ns" => 6,
        "%" => 5,
        "bytes" | "B" => 8,
        "count" | "" => 4,
        _ => {
            return match unit.split_once('/') {
                Some((what, per)) => {
                    let what = if what == "1" { "count" } else { what };
                    widest(what) + 1 + crate::text::width(per)
                }
                None => 5 + crate::text::width(unit),
            };
        }
    };
    // A sign is rare, so it is not kept free for units that cannot be negative.
    figure + u16::from(matches!(unit, "count" | "" | "%"))
}

/// [`text`], right-aligned in [`widest`] columns.
pub fn padded(value: f64, unit: &str) -> String {
    fit(&text(value, unit), widest(unit), Align::Right)
}

/// An age at the precision a list needs: `<1m`, `7m`, `2h`, `3d`, `5w`. At most three columns below
/// two years; nothing moves within a minute.
pub fn age(milliseconds: i64) -> String {
    let minutes = milliseconds.max(0) / 60_000;
    match minutes {
        0 => "<1m".to_owned(),
        1..60 => format!("{minutes}m"),
        60..1_440 => format!("{}h", minutes / 60),
        1_440..100_800 => format!("{}d", minutes / 1_440),
        _ => format!("{}w", minutes / 10_080),
    }
}

/// A length of time in its two largest units: `42s`, `2m12s`, `1h04m`, `3d02h`.
pub fn span(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A count in at most four columns and a sign: `0.41`, `7`, `999`, `1.2k`, `88k`, `1.2M`.
pub fn count(value: f64) -> String {
    if !value.is_finite() {
        return NO_VALUE.to_owned();
    }
    let size = value.abs();
    if size < 999.5 {
        return small(value);
    }
    let steps = [(1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P")];
    scaled(value, &steps, 999.5, "")
}

/// A size in bytes: `512 B`, `1.5 KiB`, `64.0 MiB`.
pub fn bytes(value: f64) -> String {
    const STEP: f64 = 1024.0;
    const NAMES: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    if !value.is_finite() {
        return NO_VALUE.to_owned();
    }
    let mut value = value;
    let mut step = 0;
    // A value that would print as 1000.0 goes up a step, so that four columns hold any figure.
    while value.abs() >= 999.5 && step + 1 < NAMES.len() {
        value /= STEP;
        step += 1;
    }
    let name = NAMES[step];
    match step {
        0 => format!("{value:.0} {name}"),
        _ if value.abs() < 99.95 => format!("{value:.1} {name}"),
        _ => format!("{value:.0} {name}"),
    }
}

/// A share in hundredths: `0.04%`, `12.1%`, `150%`.
pub fn percent(value: f64) -> String {
    if !value.is_finite() {
        return NO_VALUE.to_owned();
    }
    match value.abs() {
        size if size == 0.0 || (0.0995..99.95).contains(&size) => format!("{value:.1}%"),
        size if size < 0.0995 => format!("{value:.2}%"),
        size if size < 9_999.5 => format!("{value:.0}%"),
        _ => format!("{}%", count(value)),
    }
}

/// A whole number with a mark between thousands: `1,000,000`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time given in seconds: `12 us`, `734 ms`, `4.2 s`, `12 min`, `3.5 h`, `2.0 d`.
fn time(seconds: f64) -> String {
    let size = seconds.abs();
    let (value, name) = match size {
        _ if size == 0.0 => return "0 ms".to_owned(),
        _ if size < 0.999_5e-3 => (seconds * 1e6, "us"),
        _ if size < 0.9995 => (seconds * 1e3, "ms"),
        _ if size < MINUTE => (seconds, "s"),
        _ if size < HOUR => (seconds / MINUTE, "min"),
        _ if size < DAY => (seconds / HOUR, "h"),
        _ if size < WEEK * 52.0 => (seconds / DAY, "d"),
        _ => (seconds / WEEK, "w"),
    };
    let whole = value.abs() >= 9.95 || name == "us" || (name == "ms" && value.abs() >= 9.95);
    if whole { format!("{value:.0} {name}") } else { format!("{value:.1} {name}") }
}

/// Three significant digits below a thousand; whole numbers stay whole.
fn small(value: f64) -> String {
    let size = value.abs();
    let rounded = value.round();
    if (value - rounded).abs() < 1e-9 || size >= 99.95 {
        return format!("{:.0}", rounded + 0.0);
    }
    match size {
        _ if size >= 9.995 => format!("{value:.1}"),
        _ if size >= 0.005 => format!("{value:.2}"),
        _ => format!("{:.2}", 0.0),
    }
}

/// The value by the largest step that it reaches; two digits, or one and a decimal.
fn scaled(value: f64, steps: &[(f64, &str)], limit: f64, unit: &str) -> String {
    let chosen = steps.iter().find(|(step, _)| value.abs() / step < limit).or(steps.last());
    let Some((step, name)) = chosen else {
        return format!("{value:.0}{unit}");
    };
    let value = value / step;
    if value.abs() < 9.95 {
        format!("{value:.1}{name}{unit}")
    } else if value.abs() < 1e6 {
        format!("{value:.0}{name}{unit}")
    } else {
        format!("{value:.0e}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_climb_through_their_units() {
        let shown: Vec<String> = [0.0, 0.7, 734.0, 999.4, 4_200.0, 12_000.0, 90_000.0, 7.2e6]
            .into_iter()
            .map(|value| text(value, "ms"))
            .collect();
        assert_eq!(shown, ["0 ms", "700 us", "734 ms", "999 ms", "4.2 s", "12 s", "1.5 min", "2.0 h"]);
    }

    #[test]
    fn counts_and_rates_are_short() {
        let shown: Vec<String> =
            [0.0, 0.41, 7.0, 999.0, 999.6, 1_234.0, 88_000.0, 1.2e6].into_iter().map(count).collect();
        assert_eq!(shown, ["0", "0.41", "7", "999", "1.0k", "1.2k", "88k", "1.2M"]);
        assert_eq!(text(4_100.0, "1/s"), "4.1k/s");
        assert_eq!(text(1_536.0, "bytes/s"), "1.5 KiB/s");
        assert_eq!(text(3.0, "pods"), "3 pods");
    }

    #[test]
    fn bytes_and_percent_keep_one_decimal() {
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(bytes(67_108_864.0), "64.0 MiB");
        assert_eq!(bytes(1_048_575.0), "1.0 MiB");
        assert_eq!(percent(12.0), "12.0%");
        assert_eq!(percent(0.04), "0.04%");
        assert_eq!(percent(150.0), "150%");
        assert_eq!(text(f64::NAN, "%"), NO_VALUE);
    }

    #[test]
    fn the_edge_of_a_chart_has_no_empty_decimals() {
        assert_eq!(axis(15.0, "%"), "15%");
        assert_eq!(axis(7.5, "%"), "7.5%");
        assert_eq!(axis(2_000.0, "ms"), "2 s");
        assert_eq!(axis(200.0, "ms"), "200 ms");
    }

    #[test]
    fn an_age_moves_once_a_minute() {
        let shown: Vec<String> = [-5, 59_999, 60_000, 7_200_000, 259_200_000].into_iter().map(age).collect();
        assert_eq!(shown, ["<1m", "<1m", "1m", "2h", "3d"]);
        assert_eq!(span(132_000), "2m12s");
        assert_eq!(span(3_840_000), "1h04m");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }

    proptest! {
        #[test]
        fn a_padded_figure_never_changes_its_width(value in 0.0f64..1e12) {
            for unit in ["ms", "%", "1/s", "count", "bytes"] {
                let shown = padded(value, unit);
                prop_assert_eq!(crate::text::width(&shown), widest(unit), "{} {}", shown, unit);
                prop_assert!(!shown.contains('…'), "{} {}", shown, unit);
            }
        }
    }
}
