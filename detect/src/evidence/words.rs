//! Numbers, figures and spans of time as people read them. Knows no rule.

use stella_protocol::Figure;

/// A number as people read it.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// How long something lasted, in the two largest units that it has: nobody reads days as seconds.
pub(crate) fn lasting(millis: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let seconds = millis.max(0) / 1000;
    let largest = UNITS.iter().position(|(length, _)| seconds >= *length).unwrap_or(UNITS.len() - 1);
    let mut left = seconds;
    let mut words = Vec::new();
    for (length, unit) in UNITS.iter().skip(largest).take(2) {
        let many = left / length;
        if many > 0 || words.is_empty() {
            words.push(format!("{many} {unit}"));
        }
        left %= length;
    }
    words.join(" ")
}

/// A number and what it counts, in the form that fits the number.
pub(crate) fn several(value: f64, one: &str, more: &str) -> String {
    let text = number(value);
    let noun = if text == "1" { one } else { more };
    format!("{text} {noun}")
}

/// A figure as people read it.
pub(crate) fn words(figure: &Figure) -> String {
    match figure.unit.raw() {
        "count" => number(figure.value),
        unit => format!("{} {unit}", number(figure.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_in_its_two_largest_units() {
        for (seconds, told) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (3661, "1 h 1 min"),
            (86_400 + 59 * 60, "1 d"),
            (8_426_628, "97 d 12 h"),
        ] {
            assert_eq!(lasting(seconds * 1000 + 400), told);
        }
    }
}
