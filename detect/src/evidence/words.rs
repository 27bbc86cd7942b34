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

/// A duration in milliseconds as people read it: `734 ms`, `1.5 s`, and from a minute on as [`lasting`].
pub(crate) fn duration(millis: f64) -> String {
    match millis {
        millis if millis.abs() < 1000.0 => format!("{} ms", number(millis)),
        millis if millis.abs() < 60_000.0 => format!("{} s", number((millis / 100.0).round() / 10.0)),
        millis => lasting(millis as i64),
    }
}

/// A number and what it counts, in the form that fits the number.
pub(crate) fn several(value: f64, one: &str, more: &str) -> String {
    let text = number(value);
    let noun = if text == "1" { one } else { more };
    format!("{text} {noun}")
}

/// A figure as people read it, in its own unit: whoever counts it again finds the same number.
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
    fn durations_are_told_in_the_unit_that_people_think_in() {
        for (millis, told) in [
            (0.25, "0.2 ms"),
            (734.0, "734 ms"),
            (999.4, "999 ms"),
            (1500.0, "1.5 s"),
            (12_000.0, "12 s"),
            (59_900.0, "59.9 s"),
            (184_000.0, "3 min 4 s"),
        ] {
            assert_eq!(duration(millis), told);
        }
    }

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
