//! What the world calls the loudness of a line, in our five words.

use stella_protocol::{Level, Severity};

/// Longest word in the table below.
const LONGEST: usize = 13;

/// Reads a level word of any logger, in any case.
pub(super) fn word(text: &str) -> Option<Level> {
    if text.len() > LONGEST || text.is_empty() {
        return None;
    }
    let mut lower = [0; LONGEST];
    let lower = &mut lower[..text.len()];
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"trace" | b"trc" | b"debug" | b"dbg" | b"dbug" | b"verbose" | b"verb" | b"fine" | b"finer" | b"finest"
        | b"silly" | b"debug1" | b"debug2" | b"debug3" | b"debug5" => Level::Debug,
        b"info" | b"inf" | b"information" | b"informational" | b"notice" | b"note" | b"log" | b"http" | b"default"
        | b"config" | b"normal" | b"success" => Level::Info,
        b"warn" | b"warning" | b"wrn" | b"warnings" => Level::Warn,
        b"error" | b"err" | b"erro" | b"eror" | b"fatal" | b"ftl" | b"critical" | b"crit" | b"crt" | b"alert"
        | b"emerg" | b"emergency" | b"panic" | b"dpanic" | b"severe" | b"failure" => Level::Error,
        b"metric" => Level::Metric,
        _ => return None,
    })
}

/// Reads the single letter that some loggers write (`[W]`, `(N)`, `E0102 …`).
pub(super) fn letter(text: &str) -> Option<Level> {
    Some(match text {
        "T" | "D" | "V" => Level::Debug,
        "I" | "N" => Level::Info,
        "W" => Level::Warn,
        "E" | "F" | "C" => Level::Error,
        _ => return None,
    })
}

/// Reads a number: pino and bunyan (10 to 60), or syslog (0 to 7).
pub(super) fn number(number: f64) -> Option<Level> {
    if !(0.0..=100.0).contains(&number) {
        return None;
    }
    Some(match number as u8 {
        0..=3 | 50..=100 => Level::Error,
        4 | 40..=49 => Level::Warn,
        5..=6 | 30..=39 => Level::Info,
        7 | 10..=29 => Level::Debug,
        _ => return None,
    })
}

/// Reads an OpenTelemetry severity number (1 to 24).
pub(super) fn otel(number: f64) -> Option<Level> {
    if !(1.0..=24.0).contains(&number) {
        return None;
    }
    Some(match number as u8 {
        1..=8 => Level::Debug,
        9..=12 => Level::Info,
        13..=16 => Level::Warn,
        _ => Level::Error,
    })
}

/// Reads a severity word.
pub(super) fn severity(text: &str) -> Option<Severity> {
    [("low", Severity::Low), ("medium", Severity::Medium), ("high", Severity::High), ("critical", Severity::Critical)]
        .into_iter()
        .find_map(|(word, severity)| text.eq_ignore_ascii_case(word).then_some(severity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_levels_of_all_loggers_become_ours() {
        for (said, level) in [
            ("WARNING", Level::Warn),
            ("Notice", Level::Info),
            ("EMERGENCY", Level::Error),
            ("wrn", Level::Warn),
            ("METRIC", Level::Metric),
        ] {
            assert_eq!(word(said), Some(level), "{said}");
        }
        assert_eq!((word("information!"), word("")), (None, None));
        assert_eq!(
            (number(50.0), number(30.0), number(4.0)),
            (Some(Level::Error), Some(Level::Info), Some(Level::Warn))
        );
        assert_eq!((otel(17.0), otel(9.0), otel(0.0)), (Some(Level::Error), Some(Level::Info), None));
    }
}
