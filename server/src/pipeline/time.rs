//! Whose time counts: every line gets its engine time here, once, and keeps it.
//!
//! Recordings have their own time until a line of theirs is within 30 s of the clock; from then on, and
//! for live lines always, the line's own time counts while it is within 30 s of receipt, else receipt.
//! Engine time never goes back. Pure: the clock is told.

use stella_protocol::Timestamp;

/// How far from receipt a line's own time is believed, in milliseconds.
pub(super) const NEAR_MS: i64 = 30_000;
/// No log line is older: 1990-01-01. What says so comes from a clock that was never set.
const EARLIEST_MS: i64 = 631_152_000_000;
/// A recording that jumps further than this is believed when two lines in a row do, in milliseconds:
/// one misread year must not carry all later lines along.
const LEAP_MS: i64 = 86_400_000;
/// How far engine time stays behind the clock while no line comes, in milliseconds, so that a sender who
/// gathers lines for a second need not have them moved.
const QUIET_LAG_MS: i64 = 2000;

/// Whose time the lines of a request have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineTimeMode {
    /// That of their receipt, if their own is not near it.
    Live,
    /// Their own: a recording of this source is being read.
    Recording(String),
    /// As live lines, but in a recording that of the line before: who says it does not know of the recording, and
    /// does not end it.
    Along,
}

/// Where the engine's clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No line since the start.
    Fresh,
    /// In a recording.
    Recording,
    /// At the present.
    Live,
}

/// Gives out engine times.
#[derive(Debug, Clone)]
pub(crate) struct EngineTime {
    last: Option<Timestamp>,
    phase: Phase,
    /// A leap of a recording that the next line may confirm.
    leap: Option<Timestamp>,
}

impl EngineTime {
    /// Begins behind `last`, the engine time of the newest kept line.
    pub(crate) fn new(last: Option<Timestamp>) -> Self {
        Self { last, phase: Phase::Fresh, leap: None }
    }

    /// The newest engine time given out.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// True while a recording is read.
    pub(crate) fn is_recording(&self) -> bool {
        self.phase == Phase::Recording
    }

    /// True when the clock drives engine time while no line comes.
    pub(crate) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// From now on the clock drives engine time, as before a restart.
    pub(crate) fn go_live(&mut self) {
        self.phase = Phase::Live;
    }

    /// Engine times for the lines of one request received at `received`, which carry the times `own`.
    pub(crate) fn stamp(
        &mut self,
        own: &[Option<Timestamp>],
        mode: &EngineTimeMode,
        received: Timestamp,
    ) -> Vec<Timestamp> {
        if let (EngineTimeMode::Along, Phase::Recording, Some(last)) = (mode, self.phase, self.last) {
            return vec![last; own.len()];
        }
        self.phase = match (mode, self.phase) {
            (EngineTimeMode::Live | EngineTimeMode::Along, _) => Phase::Live,
            (EngineTimeMode::Recording(_), Phase::Fresh) => Phase::Recording,
            (EngineTimeMode::Recording(_), phase) => phase,
        };
        let ahead = own.iter().flatten().copied().find(|own| possible(*own, received));
        let mut before = None;
        own.iter()
            .map(|own| {
                let at = self.one(*own, received, before, ahead.unwrap_or(received));
                let at = self.last.map_or(at, |last| at.max(last));
                self.last = Some(at);
                before = Some(at);
                at
            })
            .collect()
    }

    /// Lets the clock drive engine time while no line comes; a recording that has ended stays where it is.
    pub(crate) fn pass(&mut self, now: Timestamp) {
        if let (Phase::Live, Some(last)) = (self.phase, self.last) {
            self.last = Some(last.max(now.plus_millis(-QUIET_LAG_MS)));
        }
    }

    /// Engine time was led on to `to`: no line comes before it any more.
    pub(crate) fn lead(&mut self, to: Timestamp) {
        self.last = self.last.map(|last| last.max(to));
    }

    /// The time of one line; `before` is that of the line before it in the request, `ahead` the first
    /// possible one in the request.
    fn one(
        &mut self,
        own: Option<Timestamp>,
        received: Timestamp,
        before: Option<Timestamp>,
        ahead: Timestamp,
    ) -> Timestamp {
        let own = own.filter(|own| possible(*own, received));
        let near = own.filter(|own| received.since(*own) <= NEAR_MS);
        if self.phase != Phase::Recording {
            return near.or(own.map(|_| received)).or(before).unwrap_or(received);
        }
        if let Some(near) = near {
            self.phase = Phase::Live;
            return near;
        }
        match own {
            Some(own) if self.leaps(own) => self.last.unwrap_or(own),
            Some(own) => own,
            // Nothing in the whole request says when: it is being written now.
            None if self.last.is_none() && ahead == received => {
                self.phase = Phase::Live;
                received
            }
            None => self.last.unwrap_or(ahead),
        }
    }

    /// True when a recording's line is too far ahead to be believed alone.
    fn leaps(&mut self, own: Timestamp) -> bool {
        let far = self.last.is_some_and(|last| own.since(last) > LEAP_MS);
        let confirmed = self.leap.is_some_and(|leap| own >= leap);
        self.leap = (far && !confirmed).then_some(own);
        far && !confirmed
    }
}

/// A time that a line received at `received` can carry.
fn possible(own: Timestamp, received: Timestamp) -> bool {
    own.millis() >= EARLIEST_MS && own.since(received) <= NEAR_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_780_000_000_000;
    const DAY: i64 = 86_400_000;

    /// Milliseconds from the clock at the start.
    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(NOW + millis)
    }

    fn recording() -> EngineTimeMode {
        EngineTimeMode::Recording("a file".to_owned())
    }

    /// Stamps one request and gives the times relative to the clock at the start.
    fn stamp(time: &mut EngineTime, own: &[Option<i64>], mode: &EngineTimeMode, received: i64) -> Vec<i64> {
        let own: Vec<_> = own.iter().map(|own| own.map(at)).collect();
        time.stamp(&own, mode, at(received)).into_iter().map(|stamped| stamped.since(at(0))).collect()
    }

    #[test]
    fn a_live_line_keeps_its_time_while_it_is_within_30_s_of_receipt_else_gets_receipt() {
        let mut time = EngineTime::new(None);
        let own = [Some(-30_001), Some(-30_000)];
        assert_eq!(stamp(&mut time, &own[1..], &EngineTimeMode::Live, 0), [-30_000]);
        assert_eq!(stamp(&mut time, &own[..1], &EngineTimeMode::Live, 0), [0]);
        assert_eq!(stamp(&mut time, &[Some(30_000)], &EngineTimeMode::Live, 0), [30_000]);
    }

    #[test]
    fn a_line_without_a_time_or_with_an_impossible_one_takes_the_one_before_it() {
        let mut time = EngineTime::new(None);
        let own = [Some(-5000), None, Some(30_001), Some(-NOW)];
        assert_eq!(stamp(&mut time, &own, &EngineTimeMode::Live, 0), [-5000; 4]);
        let mut time = EngineTime::new(None);
        let own = [Some(-9 * DAY), None, Some(3 * DAY), Some(-NOW), Some(-9 * DAY + 1000)];
        let old = -9 * DAY;
        assert_eq!(stamp(&mut time, &own, &recording(), 0), [old, old, old, old, old + 1000]);
    }

    #[test]
    fn live_lines_without_any_time_get_receipt() {
        let mut time = EngineTime::new(None);
        assert_eq!(stamp(&mut time, &[None, None], &EngineTimeMode::Live, 0), [0, 0]);
        assert_eq!(stamp(&mut time, &[None], &EngineTimeMode::Live, 7000), [7000]);
    }

    #[test]
    fn engine_time_never_goes_back() {
        let mut time = EngineTime::new(Some(at(-1000)));
        assert_eq!(
            stamp(&mut time, &[Some(-8000), Some(-500), Some(-700)], &EngineTimeMode::Live, 0),
            [-1000, -500, -500]
        );
        let mut time = EngineTime::new(None);
        let own = [Some(-9 * DAY), Some(-9 * DAY - 5000), Some(-9 * DAY + 1)];
        assert_eq!(stamp(&mut time, &own, &recording(), 0), [-9 * DAY, -9 * DAY, -9 * DAY + 1]);
    }

    #[test]
    fn a_recording_keeps_its_own_time_until_a_line_is_within_30_s_of_the_clock_then_it_is_live() {
        let mut time = EngineTime::new(None);
        assert_eq!(stamp(&mut time, &[Some(-3_600_000), Some(-1_800_000)], &recording(), 0), [-3_600_000, -1_800_000]);
        assert!(time.is_recording());
        assert_eq!(stamp(&mut time, &[Some(-30_001), Some(-30_000)], &recording(), 0), [-30_001, -30_000]);
        assert!(time.is_live());
        assert_eq!(stamp(&mut time, &[Some(-3_600_000)], &recording(), 1000), [1000], "now it is live: receipt");
    }

    #[test]
    fn a_live_line_ends_a_recording() {
        let mut time = EngineTime::new(None);
        stamp(&mut time, &[Some(-9 * DAY)], &recording(), 0);
        assert_eq!(stamp(&mut time, &[Some(-100)], &EngineTimeMode::Live, 0), [-100]);
        assert!(time.is_live());
    }

    #[test]
    fn what_is_said_along_takes_the_time_of_a_recording_and_does_not_end_it() {
        let mut time = EngineTime::new(None);
        assert_eq!(stamp(&mut time, &[Some(-5000)], &EngineTimeMode::Along, 0), [-5000], "as a live line");
        let mut time = EngineTime::new(None);
        stamp(&mut time, &[Some(-9 * DAY)], &recording(), 0);
        assert_eq!(stamp(&mut time, &[Some(-100)], &EngineTimeMode::Along, 0), [-9 * DAY]);
        assert!(time.is_recording());
    }

    #[test]
    fn lines_before_the_first_time_of_a_recording_take_that_one() {
        let mut time = EngineTime::new(None);
        assert_eq!(stamp(&mut time, &[None, None, Some(-9 * DAY)], &recording(), 0), [-9 * DAY; 3]);
        assert!(time.is_recording());
    }

    #[test]
    fn a_recording_that_never_says_when_is_live() {
        let mut time = EngineTime::new(None);
        assert_eq!(stamp(&mut time, &[None, None], &recording(), 0), [0, 0]);
        assert!(time.is_live());
    }

    #[test]
    fn one_line_that_leaps_ahead_in_a_recording_does_not_carry_the_others_along_but_two_do() {
        let mut time = EngineTime::new(None);
        let (old, later) = (-900 * DAY, -90 * DAY);
        let own = [Some(old), Some(later), Some(old + 10), Some(later), Some(later + 20)];
        assert_eq!(stamp(&mut time, &own, &recording(), 0), [old, old, old + 10, old + 10, later + 20]);
    }

    #[test]
    fn without_lines_the_clock_drives_live_time_a_little_behind_and_leaves_a_recording_where_it_ended() {
        let mut time = EngineTime::new(None);
        time.pass(at(0));
        assert_eq!(time.last(), None);
        stamp(&mut time, &[Some(-3_600_000)], &recording(), 0);
        time.pass(at(60_000));
        assert_eq!(time.last(), Some(at(-3_600_000)));
        stamp(&mut time, &[Some(60_000)], &EngineTimeMode::Live, 60_000);
        time.pass(at(61_000));
        assert_eq!(time.last(), Some(at(60_000)));
        time.pass(at(90_000));
        assert_eq!(time.last(), Some(at(88_000)));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_engine_time_never_goes_back_nor_far_beyond_the_clock(
            requests in proptest::collection::vec(
                (proptest::collection::vec(proptest::option::of(-40_000i64..40_000), 0..8), 0i64..5000, proptest::bool::ANY),
                1..20,
            ),
        ) {
            let (mut time, mut clock, mut last) = (EngineTime::new(None), 0, i64::MIN);
            for (own, step, live) in requests {
                clock += step;
                let mode = if live { EngineTimeMode::Live } else { recording() };
                for stamped in stamp(&mut time, &own, &mode, clock) {
                    proptest::prop_assert!(stamped >= last && stamped <= clock + NEAR_MS);
                    last = stamped;
                }
            }
        }
    }
}
