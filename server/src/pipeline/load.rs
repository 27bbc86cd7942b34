//! How much of what is plainly normal the engine looks at, decided once a second from how busy its thread was and how
//! far behind it is. More is given up at once, and given back slowly: a decision that swings is worse than either.
//!
//! Pure: knows no clock, no line and no engine.

/// Share of a core that the engine's thread may use. It is one thread, and what waits for it grows as
/// `r / 2(1 - r)` of the time that a group takes (M/D/1): at 0.7 about one group waits, at 0.9 four and a half.
const BUDGET: f64 = 0.7;
/// Share of a core under which twice as much would still be well within the budget.
const LITTLE: f64 = 0.3;
/// So long under it before a step is taken back, in seconds: longer than a burst of senders that come back after a
/// refusal, so that their second try does not find the step gone.
const CALM_S: u32 = 10;
/// Lines may wait so long for the engine, in milliseconds, before that alone is too much: an alert is told within the
/// second else.
const BEHIND_MS: i64 = 1000;
/// When they wait so long, in milliseconds, detection is no longer of now: as long as the feed takes to say that it
/// lives.
const FAR_BEHIND_MS: i64 = 5000;
/// What has caught up, in milliseconds: less than one group of requests takes.
const CAUGHT_UP_MS: i64 = 200;
/// How often the part that is looked at is halved at most: of one line in 64 another half saves hardly more than
/// telling apart costs.
const MOST_STEPS: u32 = 6;

/// What the engine looks at of what is plainly normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Look {
    /// Each line.
    #[default]
    All,
    /// One in so many, which stands for the others.
    OneIn(u32),
    /// None, but for one of each operation in a group of requests (or a second of it), which stands for all others:
    /// errors are still weighed against how many calls there are.
    Counted,
}

impl Look {
    /// The most lines that one stands for.
    pub(super) fn most(self) -> u32 {
        match self {
            Self::All => 1,
            Self::OneIn(lines) => lines,
            Self::Counted => u32::MAX,
        }
    }
}

/// How the engine did in the last second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// Share of a core that its thread used.
    pub(super) busy: f64,
    /// How long lines waited for it, at most, in milliseconds.
    pub(super) behind_ms: i64,
}

/// The load, and what follows from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    /// How often the part that is looked at was halved.
    steps: u32,
    /// Seconds in a row with little to do.
    calm: u32,
    /// Even the smallest part was too much.
    broken: bool,
}

impl Load {
    /// Takes in a second.
    pub(super) fn second(&mut self, Reading { busy, behind_ms }: Reading) -> Look {
        // Who does hardly anything and is behind waits for somebody else: leaving lines out would not help.
        let works = busy > LITTLE;
        let far = works && behind_ms >= FAR_BEHIND_MS;
        if self.broken {
            (self.broken, self.calm) = (behind_ms > CAUGHT_UP_MS, 0);
        } else if far {
            (self.broken, self.steps, self.calm) = (self.steps == MOST_STEPS, MOST_STEPS, 0);
        } else if busy > BUDGET || works && behind_ms >= BEHIND_MS {
            (self.steps, self.calm) = ((self.steps + 1).min(MOST_STEPS), 0);
        } else if works || behind_ms > CAUGHT_UP_MS {
            self.calm = 0;
        } else {
            self.calm += 1;
            if self.calm >= CALM_S {
                (self.steps, self.calm) = (self.steps.saturating_sub(1), 0);
            }
        }
        self.look()
    }

    fn look(&self) -> Look {
        match (self.broken, self.steps) {
            (true, _) => Look::Counted,
            (false, 0) => Look::All,
            (false, steps) => Look::OneIn(1 << steps),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(load: &mut Load, seconds: u32, busy: f64, behind_ms: i64) -> Look {
        (0..seconds).map(|_| load.second(Reading { busy, behind_ms })).last().unwrap_or_default()
    }

    #[test]
    fn over_the_budget_each_second_halves_what_is_looked_at_and_calm_gives_it_back_slowly() {
        let mut load = Load::default();
        assert_eq!(after(&mut load, 60, BUDGET, 0), Look::All, "the budget may be used up");
        assert_eq!(after(&mut load, 1, 0.71, 0), Look::OneIn(2));
        assert_eq!(after(&mut load, 2, 0.95, 0), Look::OneIn(8));
        assert_eq!(after(&mut load, 60, 0.5, 0), Look::OneIn(8), "between the two marks nothing changes");
        assert_eq!(after(&mut load, CALM_S - 1, 0.1, 0), Look::OneIn(8));
        assert_eq!(after(&mut load, 1, 0.1, 0), Look::OneIn(4));
        assert_eq!(after(&mut load, 2 * CALM_S, 0.1, 0), Look::All);
    }

    #[test]
    fn what_a_step_gives_back_does_not_bring_the_next_step() {
        // So much of a core that looking at everything takes; a part takes its part, and telling apart a tenth.
        for whole in [0.5, 0.9, 1.6, 3.0, 20.0] {
            let (mut load, mut look, mut changes) = (Load::default(), Look::All, 0);
            for second in 0..600 {
                let now = load
                    .second(Reading { busy: (whole * (0.9 / f64::from(look.most()) + 0.1)).min(1.0), behind_ms: 0 });
                changes += u32::from(second >= 60 && now != look);
                look = now;
            }
            assert_eq!(changes, 0, "{whole}");
        }
    }

    #[test]
    fn the_breaker_opens_only_when_the_smallest_part_was_too_much_and_closes_when_caught_up() {
        let mut load = Load::default();
        assert_eq!(after(&mut load, 1, 0.9, FAR_BEHIND_MS), Look::OneIn(64), "the smallest part first");
        assert_eq!(after(&mut load, 1, 0.9, FAR_BEHIND_MS), Look::Counted);
        assert_eq!(after(&mut load, 30, 0.1, CAUGHT_UP_MS + 1), Look::Counted, "not caught up");
        assert_eq!(after(&mut load, 1, 0.1, CAUGHT_UP_MS), Look::OneIn(64));
        assert_eq!(after(&mut load, 6 * CALM_S, 0.1, 0), Look::All);
    }

    #[test]
    fn who_waits_for_somebody_else_leaves_nothing_out() {
        let mut load = Load::default();
        assert_eq!(after(&mut load, 60, 0.05, 60_000), Look::All);
        assert_eq!(after(&mut load, 1, 0.5, BEHIND_MS), Look::OneIn(2), "who works and is behind does");
    }
}
