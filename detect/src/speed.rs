//! How fast an operation is: what is usual, and what speaks for its being slower now.

use crate::baseline::{Against, Level};
use crate::keep::keep_fields;
use crate::llr::Watch;
use crate::overall::Part;

/// Average of the last calls: one in so many each.
const LATELY: f64 = 12.0;
/// How much one call may say of how slow an operation is: as if it took four times as long.
const MOST_RATIO: f64 = 4.0;
/// Of the change that is looked for (as a logarithm), how much must be seen: the sum alone would in
/// time notice every tenth.
const SEEN: f64 = 0.8;
/// An alert that lasts so long is how things are now: two hours, the half-life of the baseline.
const NEW_NORMAL_MS: i64 = 2 * 3_600_000;

/// The speed of an operation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Speed {
    level: Level,
    pub(crate) watch: Watch,
    pub(crate) part: Part,
    /// Its alert is on, or it is part of one.
    pub(crate) slow: bool,
    /// While it is slow: a longer call is one of those that make it so. Milliseconds.
    pub(crate) over_ms: f64,
    /// Logarithms of how many times longer: of the last calls, and summed since the suspicion began.
    lately: f64,
    sum: f64,
    count: f64,
    /// Of the last calls the sum of their weights, and of the squares of those.
    weights: (f64, f64),
    /// The part of the last calls that took longer than halfway to what is looked for.
    longer: f64,
    /// Engine time at which there was enough evidence; 0: there is not.
    pub(crate) ready_at: i64,
    /// Engine second in which its callers were last weighed.
    pub(crate) weighed_at: i64,
}

/// What is looked for: a call that takes so many times as long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought {
    /// By little, which is worth waking somebody for.
    pub(crate) ratio: f64,
    /// By much, which is found in fewer calls.
    pub(crate) great: f64,
    /// Slower than that is still usual just now.
    pub(crate) grace: f64,
}

impl Speed {
    /// What a call of this weight says, as a part of what one call says: how long those took that it counts for is not
    /// known, and what is always looked at must not outweigh them. A weight counts against the size of the sample that
    /// the last ones are worth (Kish, *Survey Sampling*, 1965); where all weigh the same, each says what it says.
    pub(crate) fn part(&mut self, weight: u32) -> f64 {
        let (weight, left) = (f64::from(weight), 1.0 - 1.0 / LATELY);
        self.weights = (self.weights.0 * left + weight, self.weights.1 * left + weight * weight);
        (weight * self.weights.0 / self.weights.1).min(1.0)
    }

    /// Takes a call in, as `part` of one. A failed one teaches nothing, and a quick failure is not a quick call. None: nothing
    /// is known yet to compare it with.
    pub(crate) fn take(
        &mut self,
        (duration_ms, failed): (f64, bool),
        part: f64,
        at: i64,
        needed: f64,
        sought: Sought,
    ) -> Option<Against> {
        let against = self.level.against(duration_ms, sought.grace);
        let longest = MOST_RATIO.ln();
        match against {
            Some(against) if !failed || against.shift > 0.0 => {
                self.watch.add([sought.ratio, sought.great].map(|ratio| part * against.evidence(ratio)), at);
                let shift = against.shift.clamp(-longest, longest);
                self.lately += part * (shift - self.lately) / LATELY;
                let longer = f64::from(u8::from(shift > sought.ratio.ln() / 2.0));
                self.longer += part * (longer - self.longer) / LATELY;
                (self.sum, self.count) =
                    if self.watch.suspects() { (self.sum + part * shift, self.count + part) } else { (0.0, 0.0) };
            }
            _ => {}
        }
        let lasts = self.watch.on && at - self.watch.since > NEW_NORMAL_MS;
        // A quarter of what an alert needs is suspicion enough not to learn.
        let suspected = self.watch.best().score > needed / 4.0 || self.watch.on;
        if !failed && (!suspected || lasts) {
            self.level.learn(duration_ms, at, part);
        }
        against.filter(|against| !failed || against.shift > 0.0)
    }

    /// True when there is enough evidence of a change that is great enough.
    pub(crate) fn is_slower(&self, needed: f64, fewest: u32, ratio: f64) -> bool {
        self.watch.score() >= needed && self.watch.best().count >= fewest && self.is_seen(ratio)
    }

    /// True when calls were seen to take about `ratio` times as long as usual, and not a few of them alone: a
    /// longer tail leaves the median where it is.
    pub(crate) fn is_seen(&self, ratio: f64) -> bool {
        self.longer >= 0.5 && self.lately.max(self.sum / self.count.max(1.0)) >= SEEN * ratio.ln()
    }

    /// What a call says for calls that take `ratio` times as long; None: nothing.
    pub(crate) fn says(&self, duration_ms: f64, ratio: f64) -> Option<f64> {
        duration_ms.is_finite().then(|| self.level.against(duration_ms, 1.0))?.map(|against| against.evidence(ratio))
    }

    /// Between which durations nine in ten calls usually lie, with the middle, in milliseconds.
    pub(crate) fn band_ms(&self) -> Option<(f64, f64, f64)> {
        self.level.band_ms()
    }

    /// The usual duration in milliseconds; None before it is known.
    pub(crate) fn usual_ms(&self) -> Option<f64> {
        self.level.usual_ms()
    }

    /// It is slow from now on by its own evidence: from a call on that is likelier to be slow by `ratio` than as usual,
    /// or from the limit that it is over already.
    pub(crate) fn turn_on(&mut self, at: i64, ratio: f64) {
        if !self.slow {
            self.over_ms = self.level.usual_ms().map_or(0.0, |usual| neat(usual * ratio.sqrt()));
        }
        (self.slow, self.ready_at) = (true, 0);
        self.watch.turn_on(at);
    }

    /// It is over the limit that somebody set. What is usual is learned all the same: a limit under it is no evidence.
    pub(crate) fn exceed(&mut self, limit_ms: f64) {
        (self.slow, self.over_ms) = (true, limit_ms);
    }

    /// True while its own evidence says that it is slow.
    pub(crate) fn is_on(&self) -> bool {
        self.slow && self.watch.on
    }

    /// What was suspected was something else.
    pub(crate) fn acquit(&mut self) {
        (self.watch, self.ready_at, self.sum, self.count) = (Watch::default(), 0, 0.0, 0.0);
    }

    /// It is as usual again, and over its limit all the same.
    pub(crate) fn calm_down(&mut self) {
        (self.sum, self.count) = (0.0, 0.0);
        self.watch.turn_off();
    }

    /// It is fast again.
    pub(crate) fn turn_off(&mut self) {
        (self.slow, self.ready_at) = (false, 0);
        self.calm_down();
    }
}

/// A number of milliseconds that people can read: whole ones from ten on.
fn neat(value: f64) -> f64 {
    if value >= 10.0 { value.round() } else { (value * 10.0).round() / 10.0 }
}

keep_fields!(Speed { level, watch, part, slow, over_ms, lately, sum, count, weights, longer, ready_at, weighed_at });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_one_weight_say_what_they_say_and_mixed_ones_no_more_than_that() {
        for weight in [1, 8, 64] {
            let mut speed = Speed::default();
            assert!((0..100).all(|_| (speed.part(weight) - 1.0).abs() < 1e-12), "{weight}");
        }
        let mut speed = Speed::default();
        let parts: Vec<(u32, f64)> =
            (0..200).map(|nth| if nth % 2 == 0 { 1 } else { 16 }).map(|w| (w, speed.part(w))).collect();
        let of = |weight: u32| {
            parts[50..].iter().filter(|(own, _)| *own == weight).map(|(_, part)| *part).sum::<f64>() / 75.0
        };
        assert!((of(1) * 16.0 / of(16) - 1.0).abs() < 0.2 && of(16) <= 1.0 && of(1) < 0.1, "{} {}", of(1), of(16));
    }
}
