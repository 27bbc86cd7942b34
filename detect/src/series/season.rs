//! What a series did at this time of the day before: yesterday and back, and a week ago.
//!
//! Days and weeks are the only seasons that are assumed, because people make them; other rhythms are
//! for `shape`. Time of day is that of UTC: a change of the clocks moves the season by an hour.

use crate::keep::keep_fields;

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// Days that are remembered: two weeks, so that there is a same weekday twice.
const DAYS: i64 = 14;
/// Days that say what a usual day is: each weekday once.
const USUAL_DAYS: i64 = 7;
/// Most parts of a day: five minutes each.
const MOST_PARTS: i64 = 288;
/// Stands where nothing was measured.
const NOTHING: f32 = f32::MIN;

/// Means by part of the day, of the last fourteen days.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Season {
    part_ms: i64,
    means: Vec<f32>,
    /// The day that is written, counted from the epoch.
    today: i64,
    part: i64,
    sum: f64,
    count: u32,
}

/// Rows of a day, at most as many as a day has parts.
pub(super) fn rows_of_a_day(step_ms: i64) -> u32 {
    (DAY_MS / step_ms.clamp(1, DAY_MS)).min(MOST_PARTS) as u32
}

impl Season {
    /// For rows that come about every `step_ms`, from `at` on.
    pub(super) fn new(step_ms: i64, at: i64) -> Self {
        let parts = i64::from(rows_of_a_day(step_ms));
        let part_ms = DAY_MS.div_euclid(parts).max(1);
        let today = at.div_euclid(DAY_MS);
        Self { part_ms, means: vec![NOTHING; (parts * DAYS) as usize], today, part: -1, sum: 0.0, count: 0 }
    }

    fn parts(&self) -> i64 {
        self.means.len() as i64 / DAYS
    }

    fn part_of(&self, at: i64) -> i64 {
        (at.rem_euclid(DAY_MS) / self.part_ms).min(self.parts() - 1)
    }

    fn slot(&self, day: i64, part: i64) -> usize {
        (day.rem_euclid(DAYS) * self.parts() + part) as usize
    }

    /// What was measured at this part of the day, `days` before.
    fn before(&self, at: i64, days: i64) -> Option<f64> {
        let mean = self.means[self.slot(at.div_euclid(DAY_MS) - days, self.part_of(at))];
        (mean > NOTHING).then(|| f64::from(mean))
    }

    /// The median of the days before; None on the first.
    pub(super) fn usual_day(&self, at: i64) -> Option<f64> {
        let mut known: Vec<f64> = (1..=USUAL_DAYS).filter_map(|days| self.before(at, days)).collect();
        known.sort_unstable_by(f64::total_cmp);
        let (lower, upper) = (known.get(known.len().checked_sub(1)? / 2)?, known.get(known.len() / 2)?);
        Some(f64::midpoint(*lower, *upper))
    }

    /// The mean of a week and two weeks before; None in the first week.
    pub(super) fn usual_week(&self, at: i64) -> Option<f64> {
        let last = self.before(at, USUAL_DAYS)?;
        // Two weeks ago is the place that today is written to: it stands until this part is reached.
        let before = if self.part_of(at) > self.part { self.before(at, DAYS) } else { None };
        Some(before.map_or(last, |before| f64::midpoint(last, before)))
    }

    /// Takes a value in; time does not go back.
    pub(super) fn note(&mut self, at: i64, value: f64) {
        let (day, part) = (at.div_euclid(DAY_MS), self.part_of(at));
        if day > self.today {
            self.clear(self.today, self.part + 1, self.parts());
            for passed in (self.today + 1).max(day - DAYS)..day {
                self.clear(passed, 0, self.parts());
            }
            (self.today, self.part) = (day, -1);
        }
        if part > self.part {
            self.clear(day, self.part + 1, part);
            (self.part, self.sum, self.count) = (part, 0.0, 0);
        }
        self.sum += value;
        self.count += 1;
        let slot = self.slot(day, self.part);
        self.means[slot] = (self.sum / f64::from(self.count)) as f32;
    }

    fn clear(&mut self, day: i64, from: i64, to: i64) {
        for part in from..to {
            let slot = self.slot(day, part);
            self.means[slot] = NOTHING;
        }
    }
}

keep_fields!(Season { part_ms, means, today, part, sum, count });

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn a_day_is_known_by_its_days_before_and_a_week_by_the_same_weekday() {
        let mut season = Season::new(HOUR_MS, 0);
        for hour in 0..24 * 7 {
            let weekend = f64::from(u8::from(hour / 24 >= 5));
            season.note(hour * HOUR_MS, (hour % 24) as f64 - 100.0 * weekend);
        }
        let next_monday_nine = (24 * 7 + 9) * HOUR_MS;
        assert_eq!(season.usual_day(next_monday_nine), Some(9.0));
        assert_eq!(season.usual_week(next_monday_nine), Some(9.0));
        assert_eq!(season.usual_week((24 * 12 + 9) * HOUR_MS), Some(-91.0));
    }

    #[test]
    fn what_was_not_measured_is_not_known_and_old_days_leave() {
        let mut season = Season::new(HOUR_MS, 0);
        season.note(0, 5.0);
        assert_eq!(season.usual_day(HOUR_MS + 24 * HOUR_MS), None);
        assert_eq!(season.usual_day(24 * HOUR_MS), Some(5.0));
        season.note(24 * 30 * HOUR_MS, 7.0);
        assert_eq!(season.usual_day(24 * 30 * HOUR_MS), None);
    }
}
