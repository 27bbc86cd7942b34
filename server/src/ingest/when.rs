//! Points in time as logs write them, without a calendar library: this runs for every line.
//!
//! A time without an offset is UTC. A time without a year (or without a date) is the nearest past of
//! the time at which the line came, a day of clock skew allowed.

mod scan;

use stella_protocol::Timestamp;

use scan::{Scan, of_day};

const DAY_MS: i64 = 86_400_000;

/// A time that stood at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub at: Timestamp,
    /// How many bytes it took.
    pub len: usize,
    /// How it was written.
    pub form: Form,
}

/// How a time was written; says what is likely to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// With its year.
    Dated,
    /// `Jun 14 15:16:01`: the old syslog form.
    Syslog,
    /// A month and a day, no year.
    Yearless,
    /// A number of seconds or milliseconds.
    Epoch,
    /// Hours, minutes, seconds alone.
    Clock,
}

/// Reads a time that is the whole of `text`.
pub(super) fn whole(text: &str, received: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let taken = take(text, received)?;
    (taken.len == text.len() && taken.form != Form::Clock).then_some(taken.at)
}

/// Reads a number of seconds, milliseconds, microseconds or nanoseconds since the epoch, by its size.
pub(super) fn epoch(number: f64) -> Option<Timestamp> {
    let millis = match number {
        n if !(1e8..1e19).contains(&n) => return None,
        n if n < 1e11 => n * 1e3,
        n if n < 1e14 => n,
        n if n < 1e17 => n / 1e3,
        n => n / 1e6,
    };
    Some(Timestamp::from_millis(millis.round() as i64))
}

/// Reads a time at the start of `text`.
pub(super) fn take(text: &str, received: Timestamp) -> Option<Taken> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, loose: false };
    let (at, form) = match scan.peek()? {
        b'0'..=b'9' => numeric(&mut scan, received)?,
        b'A'..=b'Z' | b'a'..=b'z' => named(&mut scan, received)?,
        _ => return None,
    };
    scan.ends().then_some(Taken { at, len: scan.at, form })
}

fn numeric(scan: &mut Scan<'_>, received: Timestamp) -> Option<(Timestamp, Form)> {
    let start = scan.at;
    let run = scan.bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = scan.bytes.get(start + run).copied();
    match (run, after) {
        (4, Some(b'-' | b'/' | b'.')) => year_first(scan, 4),
        (2, Some(b'/')) if scan.month_word_at(start + 3) => common_log(scan),
        (1 | 2, Some(b'/')) => slashed(scan),
        (2, Some(b'.')) => yearless(scan, received),
        (1 | 2, Some(b':')) => clock_only(scan, received),
        (1 | 2, Some(b' ' | b'-')) => day_month_name(scan),
        (8, Some(b'-' | b'T' | b' ' | b'_')) => compact(scan, 4),
        (6, Some(b' ')) => compact(scan, 2),
        (10 | 13 | 16 | 19, _) => seconds(scan, run),
        _ => None,
    }
}

/// `2024-01-31T10:11:12.123+01:00` and its many relatives.
fn year_first(scan: &mut Scan<'_>, year_digits: usize) -> Option<(Timestamp, Form)> {
    let year = i64::from(scan.number(year_digits, year_digits)?);
    let gap = scan.one_of(b"-/.")?;
    let month = scan.number(1, 2)?;
    scan.exactly(gap)?;
    let day = scan.number(1, 2)?;
    let day = civil(year, month, day)?;
    scan.gap()?;
    let clock = scan.clock()?;
    Some((Timestamp::from_millis(day * DAY_MS + clock - scan.zone()), Form::Dated))
}

/// `20171223-22:15:29:606`, `20240131T101112Z`, `081109 203615`.
fn compact(scan: &mut Scan<'_>, year_digits: usize) -> Option<(Timestamp, Form)> {
    let year = i64::from(scan.number(year_digits, year_digits)?);
    let day = civil(full_year(year), scan.number(2, 2)?, scan.number(2, 2)?)?;
    scan.gap()?;
    let start = scan.at;
    scan.loose = true;
    let clock = if let Some(clock) = scan.clock() {
        clock
    } else {
        scan.at = start;
        let (hours, minutes, secs) = (scan.number(2, 2)?, scan.number(2, 2)?, scan.number(2, 2)?);
        of_day(hours, minutes, secs)? + scan.fraction()
    };
    Some((Timestamp::from_millis(day * DAY_MS + clock - scan.zone()), Form::Dated))
}

/// `10/Oct/2000:13:55:36 -0700`.
fn common_log(scan: &mut Scan<'_>) -> Option<(Timestamp, Form)> {
    let day = scan.number(2, 2)?;
    scan.exactly(b'/')?;
    let month = scan.month()?;
    scan.exactly(b'/')?;
    let year = i64::from(scan.number(4, 4)?);
    scan.gap()?;
    let clock = scan.clock()?;
    Some((Timestamp::from_millis(civil(year, month, day)? * DAY_MS + clock - scan.zone()), Form::Dated))
}

/// `24 Sep 2021 10:04:52`.
fn day_month_name(scan: &mut Scan<'_>) -> Option<(Timestamp, Form)> {
    let day = scan.number(1, 2)?;
    scan.one_of(b" -")?;
    let month = scan.month()?;
    scan.one_of(b" -")?;
    let year = i64::from(scan.number(4, 4)?);
    scan.gap()?;
    let clock = scan.clock()?;
    Some((Timestamp::from_millis(civil(year, month, day)? * DAY_MS + clock - scan.zone()), Form::Dated))
}

/// `17/06/09 20:10:40` (year first) or `08/02/2023, 7:32:47 PM` (month first unless it cannot be).
fn slashed(scan: &mut Scan<'_>) -> Option<(Timestamp, Form)> {
    let first = scan.number(1, 2)?;
    scan.exactly(b'/')?;
    let second = scan.number(1, 2)?;
    scan.exactly(b'/')?;
    let start = scan.at;
    let third = scan.number(2, 4)?;
    let day = match scan.at - start {
        4 if first > 12 => civil(i64::from(third), second, first)?,
        4 => civil(i64::from(third), first, second)?,
        2 => civil(full_year(i64::from(first)), second, third)?,
        _ => return None,
    };
    scan.gap()?;
    let clock = scan.clock()?;
    Some((Timestamp::from_millis(day * DAY_MS + clock - scan.zone()), Form::Dated))
}

/// `10.30 16:49:06`.
fn yearless(scan: &mut Scan<'_>, received: Timestamp) -> Option<(Timestamp, Form)> {
    let month = scan.number(2, 2)?;
    scan.exactly(b'.')?;
    let day = scan.number(2, 2)?;
    scan.exactly(b' ')?;
    let clock = scan.clock()?;
    Some((nearest_past(month, day, clock, received)?, Form::Yearless))
}

fn clock_only(scan: &mut Scan<'_>, received: Timestamp) -> Option<(Timestamp, Form)> {
    let clock = scan.clock()?;
    let midnight = received.millis() - received.millis().rem_euclid(DAY_MS);
    let today = midnight + clock;
    let ahead = today > received.millis() + DAY_MS / 24;
    Some((Timestamp::from_millis(if ahead { today - DAY_MS } else { today }), Form::Clock))
}

fn seconds(scan: &mut Scan<'_>, run: usize) -> Option<(Timestamp, Form)> {
    let mut whole = 0_i64;
    for byte in &scan.bytes[scan.at..scan.at + run] {
        whole = whole.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
    }
    scan.at += run;
    let millis = match run {
        10 => whole * 1000 + scan.fraction(),
        13 => whole,
        16 => whole / 1000,
        _ => whole / 1_000_000,
    };
    // From 2001 to 2096: a shorter or longer life of a ten-digit number is an id.
    (1_000_000_000_000..4_000_000_000_000).contains(&millis).then(|| (Timestamp::from_millis(millis), Form::Epoch))
}

/// `Jun 14 15:16:01`, `Mon Jun 8 12:08:53 2020`, `Fri, 24 Sep 2021 …`, `I0102 15:04:05.678`.
fn named(scan: &mut Scan<'_>, received: Timestamp) -> Option<(Timestamp, Form)> {
    if matches!(scan.peek()?, b'I' | b'W' | b'E' | b'F' | b'D') && scan.bytes.get(1).is_some_and(u8::is_ascii_digit) {
        return klog(scan, received);
    }
    if scan.weekday() {
        while matches!(scan.peek()?, b' ' | b',') {
            scan.at += 1;
        }
        if scan.peek()?.is_ascii_digit() {
            return day_month_name(scan);
        }
    }
    let month = scan.month()?;
    scan.blanks()?;
    let day = scan.number(1, 2)?;
    if scan.peek() == Some(b',') {
        scan.at += 1;
    }
    scan.blanks()?;
    let before_year = scan.at;
    let mut year = scan.number(4, 4).filter(|_| matches!(scan.peek(), Some(b' ' | b',')));
    if year.is_some() {
        scan.gap()?;
    } else {
        scan.at = before_year;
    }
    let clock = scan.clock()?;
    let zone = scan.zone();
    if year.is_none() {
        let start = scan.at;
        let trailing = scan.blanks().and_then(|()| scan.number(4, 4)).filter(|year| (1970..2200).contains(year));
        match trailing.filter(|_| scan.ends()) {
            Some(found) => year = Some(found),
            None => scan.at = start,
        }
    }
    match year {
        Some(year) => {
            Some((Timestamp::from_millis(civil(i64::from(year), month, day)? * DAY_MS + clock - zone), Form::Dated))
        }
        None => Some((nearest_past(month, day, clock - zone, received)?, Form::Syslog)),
    }
}

fn klog(scan: &mut Scan<'_>, received: Timestamp) -> Option<(Timestamp, Form)> {
    scan.at += 1;
    let (month, day) = (scan.number(2, 2)?, scan.number(2, 2)?);
    scan.blanks()?;
    let clock = scan.clock()?;
    Some((nearest_past(month, day, clock, received)?, Form::Yearless))
}

/// The latest year in which this date exists and is not in the future.
fn nearest_past(month: u32, day: u32, clock: i64, received: Timestamp) -> Option<Timestamp> {
    let this_year = year_of(received.millis().div_euclid(DAY_MS));
    // Nine years, because a 29 February may be eight years away.
    (0..9).find_map(|back| {
        let at = civil(this_year + 1 - back, month, day)? * DAY_MS + clock;
        (at <= received.millis() + DAY_MS).then(|| Timestamp::from_millis(at))
    })
}

fn full_year(year: i64) -> i64 {
    match year {
        0..=69 => 2000 + year,
        70..=99 => 1900 + year,
        _ => year,
    }
}

/// Days since the epoch of a date; None: there is no such date.
/// After "chrono-compatible low-level date algorithms" (H. Hinnant), which is in the public domain.
fn civil(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > longest {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn year_of(days: i64) -> i64 {
    let guess = 1970 + days.div_euclid(366);
    (guess..guess + 3).rev().find(|year| civil(*year, 1, 1).is_some_and(|first| first <= days)).unwrap_or(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> String {
        let received = Timestamp::parse("2024-03-01T12:00:00Z").unwrap_or_default();
        take(text, received).map_or_else(|| "none".to_owned(), |taken| format!("{} {}", taken.at, &text[taken.len..]))
    }

    #[test]
    fn a_time_is_read_however_it_is_written() {
        for (written, wanted) in [
            ("2024-01-31T10:11:12.5+01:00 x", "2024-01-31T09:11:12.500Z  x"),
            ("2024-01-31 10:11:12,123 x", "2024-01-31T10:11:12.123Z  x"),
            ("2023-04-23 22:07:05.311 -05:00 x", "2023-04-24T03:07:05.311Z  x"),
            ("2022/02/07 - 10:49:33 | x", "2022-02-07T10:49:33.000Z  | x"),
            ("2021-11-09  5:13:11 8", "2021-11-09T05:13:11.000Z  8"),
            ("2005-06-03-15.42.50.675872 R", "2005-06-03T15:42:50.675Z  R"),
            ("20171223-22:15:29:606|x", "2017-12-23T22:15:29.606Z |x"),
            ("20171224-0:7:20:44|x", "2017-12-24T00:07:20.044Z |x"),
            ("20240131T101112Z x", "2024-01-31T10:11:12.000Z  x"),
            ("081109 203615 148", "2008-11-09T20:36:15.000Z  148"),
            ("17/06/09 20:10:40 INFO", "2017-06-09T20:10:40.000Z  INFO"),
            ("08/02/2023, 7:32:47 PM  W", "2023-08-02T19:32:47.000Z   W"),
            ("10/Oct/2000:13:55:36 -0700] x", "2000-10-10T20:55:36.000Z ] x"),
            ("Mon Jun 8 12:08:53 2020 [", "2020-06-08T12:08:53.000Z  ["),
            ("Fri, 24 Sep 2021 10:04:52.030937 UTC]", "2021-09-24T10:04:52.030Z ]"),
            ("1117838570 2005", "2005-06-03T22:42:50.000Z  2005"),
            ("1675209600.25 x", "2023-02-01T00:00:00.250Z  x"),
            ("I0229 15:04:05.678901 7", "2024-02-29T15:04:05.678Z  7"),
        ] {
            assert_eq!(at(written), wanted, "{written}");
        }
    }

    #[test]
    fn a_missing_year_or_date_is_the_nearest_past() {
        assert_eq!(at("Feb 29 10:00:00 h"), "2024-02-29T10:00:00.000Z  h");
        assert_eq!(at("Mar  1 13:00:00 h"), "2024-03-01T13:00:00.000Z  h");
        assert_eq!(at("Mar  3 13:00:00 h"), "2023-03-03T13:00:00.000Z  h");
        assert_eq!(at("12.31 23:59:59] x"), "2023-12-31T23:59:59.000Z ] x");
        assert_eq!(at("14:00:00 x"), "2024-02-29T14:00:00.000Z  x");
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in [
            "2024-13-01 10:00:00",
            "2023-02-29 10:00:00",
            "Jun 31 10:00:00",
            "123456",
            "10.0.0.1",
            "May be",
            "1234567890123456x",
        ] {
            assert_eq!(at(text), "none", "{text}");
        }
    }

    #[test]
    fn an_epoch_number_tells_its_unit_by_its_size() {
        for number in [1.764e9, 1.764e12, 1.764e15, 1.764e18] {
            assert_eq!(epoch(number), Some(Timestamp::from_millis(1_764_000_000_000)), "{number}");
        }
        assert_eq!(epoch(42.0), None);
    }

    proptest::proptest! {
        #[test]
        fn every_time_that_we_write_is_read_back(millis in 0_i64..4_000_000_000_000) {
            let wanted = Timestamp::from_millis(millis);
            proptest::prop_assert_eq!(whole(&wanted.to_string(), Timestamp::default()), Some(wanted));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9A-Za-z:./, +-]{0,40}|\\PC{0,40}") {
            let _ = take(&text, Timestamp::default());
        }
    }
}
