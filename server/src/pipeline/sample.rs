//! Which of the lines that are about to be kept stand for others: decided before the engine sees any of them, and kept
//! with them, so that reading them again shows the engine the same.
//!
//! Lines stand for each other only within one operation and component, within one second, and between two lines that
//! are looked at anyway: before an error is weighed, all successes before it are. So the counts are exact, and in order.
//! Nothing is carried from one group of requests to the next. What is plainly normal is the engine's to say.

use rustc_hash::FxHashMap;
use stella_detect::Engine;
use stella_protocol::{LogEvent, Timestamp, Weight};

use super::load::Look;

/// Lines of an operation that the last of them may stand for.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    component: u64,
    /// The last of them, and how many they are.
    place: usize,
    lines: u32,
}

/// The weights of lines in the order in which they are kept, with their engine times; none where each counts for
/// itself.
pub(super) fn weigh<'e, 'a: 'e>(
    engine: &Engine,
    look: Look,
    lines: impl Iterator<Item = (&'e LogEvent<'a>, Timestamp)>,
) -> Vec<Weight> {
    if look == Look::All {
        return Vec::new();
    }
    let (mut weights, mut second) = (Vec::new(), None);
    let mut waiting: FxHashMap<u64, Waiting> = FxHashMap::default();
    for (place, (event, at)) in lines.enumerate() {
        if second.replace(at.seconds()) != Some(at.seconds()) {
            for (_, last) in waiting.drain() {
                last.stand(&mut weights);
            }
        }
        weights.push(Weight::ONE);
        let worth = engine.worth(event);
        let before = waiting.remove(&worth.operation);
        let follows = |last: &Waiting| worth.is_plain && last.component == worth.component && last.lines < look.most();
        if let Some(last) = before.filter(follows) {
            weights[last.place] = Weight::NONE;
            waiting.insert(worth.operation, Waiting { place, lines: last.lines + 1, ..last });
            continue;
        }
        if let Some(last) = before {
            last.stand(&mut weights);
        }
        if worth.is_plain {
            waiting.insert(worth.operation, Waiting { component: worth.component, place, lines: 1 });
        }
    }
    for last in waiting.into_values() {
        last.stand(&mut weights);
    }
    weights
}

impl Waiting {
    fn stand(self, weights: &mut [Weight]) {
        weights[self.place] = Weight::of(self.lines);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stella_detect::Rules;
    use stella_protocol::{LineId, log::Login};

    use super::*;

    const NAMES: [&str; 3] = ["list", "save", "open"];

    fn line(raw: (u8, u8, u8)) -> LogEvent<'static> {
        let (name, outcome, component) = raw;
        LogEvent {
            service: "api".into(),
            message: "done".into(),
            operation: Some(NAMES[name as usize % NAMES.len()].into()),
            success: Some(outcome != 0),
            login: (outcome == 1).then_some(Login::Succeeded),
            component: (component < 4).then(|| ["pool", "cache"][component as usize % 2].into()),
            ..LogEvent::default()
        }
    }

    /// An engine that knows the operations.
    fn engine() -> Engine {
        let mut engine = Engine::new(Rules::default());
        for nth in 0..200_u8 {
            let at = Timestamp::from_millis(i64::from(nth) * 100);
            engine.observe(LineId(u64::from(nth) + 1), &LogEvent { engine_time: at, ..line((nth, 9, 9)) });
        }
        engine
    }

    fn weights(lines: &[(LogEvent<'_>, Timestamp)], look: Look) -> Vec<u32> {
        let weights = weigh(&engine(), look, lines.iter().map(|(event, at)| (event, *at)));
        weights.into_iter().map(Weight::lines).collect()
    }

    #[test]
    fn one_in_four_stands_for_those_before_it_and_an_error_ends_the_count_of_its_operation() {
        let at = Timestamp::from_millis(30_000);
        let calls = [9, 9, 9, 9, 9, 9, 0, 9].map(|outcome| (line((0, outcome, 9)), at));
        assert_eq!(weights(&calls, Look::OneIn(4)), [0, 0, 0, 4, 0, 2, 1, 1]);
        assert_eq!(weights(&calls, Look::Counted), [0, 0, 0, 0, 0, 6, 1, 1]);
        assert_eq!(weights(&calls, Look::All), [0; 0]);
        let mut late = calls.clone();
        late[2..].iter_mut().for_each(|(_, at)| *at = at.plus_millis(1000));
        assert_eq!(weights(&late, Look::OneIn(4)), [0, 2, 0, 0, 0, 4, 1, 1], "a second ends it as well");
    }

    proptest! {
        #[test]
        fn of_each_operation_every_second_is_counted_exactly_and_what_is_of_note_counts_for_itself(
            raw in proptest::collection::vec(((0..3_u8, 0..30_u8, 0..8_u8), 0..40_i64), 1..400),
            steps in 1..8_u32,
        ) {
            let look = if steps == 7 { Look::Counted } else { Look::OneIn(1 << steps) };
            let mut at = 30_000;
            let lines: Vec<_> = raw.into_iter().map(|(raw, wait)| { at += wait; (line(raw), Timestamp::from_millis(at)) }).collect();
            let weights = weights(&lines, look);
            let mut counts: std::collections::BTreeMap<(String, i64), (u32, u32)> = std::collections::BTreeMap::new();
            for ((event, at), weight) in lines.iter().zip(&weights) {
                let name = event.operation.as_ref().map(|name| name.raw().to_owned()).unwrap_or_default();
                let count = counts.entry((name, at.seconds())).or_default();
                *count = (count.0 + 1, count.1 + weight);
                if event.failed() || event.login.is_some() {
                    prop_assert_eq!(*weight, 1);
                    prop_assert_eq!(count.0, count.1, "all before it are counted before it");
                }
                prop_assert!(*weight <= look.most());
            }
            prop_assert!(counts.values().all(|(lines, counted)| lines == counted), "{counts:?}");
        }
    }
}
