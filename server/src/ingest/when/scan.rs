//! The small pieces of which times are made: numbers, names of months, clocks, offsets.

/// A place in a text; every reader moves it only past what it understood, or leaves it to the caller.
pub(super) struct Scan<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    /// Numbers of the clock may have one digit.
    pub loose: bool,
}

impl Scan<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// True when what follows cannot belong to the time.
    pub(super) fn ends(&self) -> bool {
        self.peek().is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')
    }

    pub(super) fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let run = self.bytes[self.at..].iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if run < least {
            return None;
        }
        let digits = &self.bytes[self.at..self.at + run];
        self.at += run;
        Some(digits.iter().fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0')))
    }

    pub(super) fn exactly(&mut self, wanted: u8) -> Option<()> {
        self.one_of(&[wanted]).map(|_| ())
    }

    pub(super) fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| wanted.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn blanks(&mut self) -> Option<()> {
        self.exactly(b' ')?;
        while self.exactly(b' ').is_some() {}
        Some(())
    }

    /// What stands between a date and its clock: `T`, blanks, ` - `, `, `, `:`.
    pub(super) fn gap(&mut self) -> Option<()> {
        let start = self.at;
        while self.at - start < 3 && self.one_of(b" T-_:,t").is_some() {}
        (self.at > start).then_some(())
    }

    /// `15:04:05.123`, `15.42.50.675872`, `7:32:47 PM`: milliseconds of the day.
    pub(super) fn clock(&mut self) -> Option<i64> {
        let hours = self.number(1, 2)?;
        let gap = self.one_of(b":.")?;
        let least = if self.loose { 1 } else { 2 };
        let minutes = self.number(least, 2)?;
        self.exactly(gap)?;
        let seconds = self.number(least, 2)?;
        let millis = self.fraction();
        Some(of_day(self.half(hours)?, minutes, seconds)? + millis)
    }

    /// Applies a following AM or PM.
    pub(super) fn half(&mut self, hours: u32) -> Option<u32> {
        let rest = &self.bytes[self.at..];
        let word = rest.strip_prefix(b" ").unwrap_or(rest).get(..2);
        let afternoon = match word {
            Some(b"PM" | b"pm") => true,
            Some(b"AM" | b"am") => false,
            _ => return Some(hours),
        };
        if !(1..=12).contains(&hours) {
            return None;
        }
        self.at += if rest.starts_with(b" ") { 3 } else { 2 };
        Some(hours % 12 + if afternoon { 12 } else { 0 })
    }

    /// A fraction of a second, in milliseconds; anything finer is dropped.
    pub(super) fn fraction(&mut self) -> i64 {
        let rest = &self.bytes[self.at..];
        let Some((b'.' | b',' | b':', digits)) = rest.split_first() else { return 0 };
        let run = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if run == 0 || run > 9 || (rest[0] == b':' && run != 3 && !(self.loose && run < 3)) {
            return 0;
        }
        self.at += 1 + run;
        if rest[0] == b':' {
            return digits[..run].iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        }
        let three = (0..3).map(|place| digits.get(place).filter(|_| place < run).map_or(0, |byte| byte - b'0'));
        three.fold(0, |sum, digit| sum * 10 + i64::from(digit))
    }

    /// An offset from UTC in milliseconds; none written: 0.
    pub(super) fn zone(&mut self) -> i64 {
        let start = self.at;
        if self.one_of(b"Zz").is_some() && self.ends() {
            return 0;
        }
        self.at = start;
        let _ = self.exactly(b' ');
        if self.bytes[self.at..].starts_with(b"UTC") || self.bytes[self.at..].starts_with(b"GMT") {
            self.at += 3;
            return 0;
        }
        self.offset().unwrap_or_else(|| {
            self.at = start;
            0
        })
    }

    pub(super) fn offset(&mut self) -> Option<i64> {
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.number(2, 2)?;
        let _ = self.exactly(b':');
        let minutes = self.number(2, 2)?;
        (hours < 19 && minutes < 60 && self.ends())
            .then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60) * 1000)
    }

    pub(super) fn month_word_at(&self, at: usize) -> bool {
        Scan { bytes: self.bytes, at, loose: false }.month().is_some()
    }

    pub(super) fn month(&mut self) -> Option<u32> {
        const MONTHS: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
        let word = self.bytes.get(self.at..self.at + 3)?;
        let month = MONTHS.chunks(3).position(|month| month.eq_ignore_ascii_case(word))?;
        self.at += 3;
        self.ends().then_some(month as u32 + 1)
    }

    pub(super) fn weekday(&mut self) -> bool {
        const DAYS: &[u8; 21] = b"montuewedthufrisatsun";
        let Some(word) = self.bytes.get(self.at..self.at + 3) else { return false };
        let found = DAYS.chunks(3).any(|day| day.eq_ignore_ascii_case(word))
            && matches!(self.bytes.get(self.at + 3), Some(b' ' | b','));
        if found {
            self.at += 3;
        }
        found
    }
}

/// Milliseconds of the day; None: there is no such time of day.
pub(super) fn of_day(hours: u32, minutes: u32, seconds: u32) -> Option<i64> {
    // A leap second is written as 60.
    let fits = hours < 24 && minutes < 60 && seconds <= 60;
    fits.then(|| (i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds)) * 1000)
}
