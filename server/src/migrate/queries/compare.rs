//! Whether a query became slower, or only seems so.
//!
//! Users own different amounts, so each is compared with themselves: the ratio of their medians after and
//! before. What counts is the median of these ratios, and the interval in which the true median lies with
//! 95 % certainty. That interval is made of order statistics: its ends are the k-th smallest and the k-th
//! largest ratio, where k comes of the binomial distribution with one half. It asks nothing of how times are
//! distributed, which have a long tail (Conover, *Practical Nonparametric Statistics*, 3rd ed., 3.2). Fewer
//! than six users have no such interval; then the slowest call before stands against the fastest after, so
//! that every single call has to agree. A query is too slow when even the lower end is above [`LIMIT`], and the
//! difference is one that can be noticed ([`NOTICED_MS`]): a call of a few milliseconds takes twice as long when a
//! machine on its way has more to do than last time, and every user's does so alike.

use serde::{Deserialize, Serialize};
use stella_protocol::Text;
use stella_protocol::migration::{OwnQuery, QueryChange, QueryTiming, QueryVerdict};

/// Slower than so many times before, a person has to say that it goes on: 20 %.
pub const LIMIT: f64 = 1.2;
/// A median difference below that holds nothing, in milliseconds: a fifth of the 200 ms that the application allows
/// the quickest of the queries its users wait for.
pub const NOTICED_MS: f64 = 40.0;
/// How certain the interval is.
const CERTAIN: f64 = 0.95;
/// A call is never taken to be shorter, in milliseconds: below that a clock says nothing, and nothing can be
/// divided by zero.
const SHORTEST_MS: f64 = 0.001;

/// What was asked of a query for one user: in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The query's name.
    pub query: String,
    /// The id that stays.
    pub user: String,
    /// How long each answered call under the timed id took, in milliseconds.
    pub timed: Vec<f64>,
    /// What was shown under all ids together; None: nothing was answered.
    pub shown: Option<u64>,
    /// Calls that were not answered.
    pub silent: u64,
    /// Why the first was not.
    pub why: Option<String>,
}

/// What became of a query, of all that was asked of it.
pub fn row(name: &str, before: &[Asked], after: &[Asked]) -> OwnQuery {
    let of = |all: &'_ [Asked]| all.iter().filter(|one| one.query == name).cloned().collect::<Vec<_>>();
    let (before, after) = (of(before), of(after));
    let mut why = before.iter().chain(&after).filter_map(|one| one.why.clone());
    OwnQuery {
        name: Text::new(name.to_owned()),
        before: timing(&before),
        after: timing(&after),
        change: compare(&pairs(&before, &after)),
        silent: before.iter().chain(&after).map(|one| one.silent).sum(),
        why_silent: why.next().map(Text::new),
    }
}

fn timing(asked: &[Asked]) -> Option<QueryTiming> {
    let all: Vec<f64> = asked.iter().flat_map(|one| one.timed.iter().copied()).collect();
    let users = asked.iter().filter(|one| !one.timed.is_empty()).count() as u64;
    Some(QueryTiming { median_ms: median(&all)?, calls: all.len() as u64, users })
}

/// The calls of one user, before and after.
type Pair<'a> = (&'a [f64], &'a [f64]);

fn pairs<'a>(before: &'a [Asked], after: &'a [Asked]) -> Vec<Pair<'a>> {
    let same = |one: &'a Asked| {
        let other = after.iter().find(|other| other.user == one.user)?;
        (!one.timed.is_empty() && !other.timed.is_empty()).then_some((&one.timed[..], &other.timed[..]))
    };
    before.iter().filter_map(same).collect()
}

/// How both sides compare; None: nobody was timed on both.
fn compare(pairs: &[Pair<'_>]) -> Option<QueryChange> {
    let ratio = |(before, after): &Pair<'_>| Some(median(after)?.max(SHORTEST_MS) / median(before)?.max(SHORTEST_MS));
    let mut ratios: Vec<f64> = pairs.iter().filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let middle = median(&ratios)?;
    let (low, high) = match rank(ratios.len()) {
        Some(k) => (ratios[k - 1], ratios[ratios.len() - k]),
        None => extremes(pairs),
    };
    let longer: Vec<f64> = pairs.iter().filter_map(|(before, after)| Some(median(after)? - median(before)?)).collect();
    let is_noticed = median(&longer)? >= NOTICED_MS;
    let verdict = match (low, high) {
        (low, _) if low > LIMIT && is_noticed => QueryVerdict::TooSlow,
        (low, _) if low > 1.0 => QueryVerdict::Slower,
        (_, high) if high < 1.0 => QueryVerdict::Faster,
        _ => QueryVerdict::Same,
    };
    Some(QueryChange { ratio: middle, low, high, users: ratios.len() as u64, verdict })
}

/// The fastest after against the slowest before, and the other way round, of whoever has the widest.
fn extremes(pairs: &[Pair<'_>]) -> (f64, f64) {
    let least = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min).max(SHORTEST_MS);
    let most = |times: &[f64]| times.iter().copied().fold(SHORTEST_MS, f64::max);
    pairs.iter().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), (before, after)| {
        (low.min(least(after) / most(before)), high.max(most(after) / least(before)))
    })
}

/// The largest k whose order statistics enclose the median of so many with that certainty, from 1; None: none do.
fn rank(count: usize) -> Option<usize> {
    let n = count as f64;
    // The probability of fewer than k on one side, added up from none at all.
    let (mut one, mut below, mut found) = (0.5_f64.powf(n), 0.0, None);
    for k in 1..=count / 2 {
        below += one;
        if 1.0 - 2.0 * below < CERTAIN {
            break;
        }
        found = Some(k);
        one *= (n - k as f64 + 1.0) / k as f64;
    }
    found
}

fn median(times: &[f64]) -> Option<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        even if even.is_multiple_of(2) => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
        _ => Some(sorted[middle]),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn asked(user: usize, timed: &[f64]) -> Asked {
        let (query, user) = ("list".to_owned(), format!("u{user}"));
        Asked { query, user, timed: timed.to_vec(), shown: Some(1), silent: 0, why: None }
    }

    /// Numbers between 0 and 1 that look like chance.
    fn noise(seed: usize) -> f64 {
        let mixed = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `users` with times of their own, three calls each, `factor` times as long after, and so much noise.
    fn world(users: usize, factor: f64, spread: f64) -> OwnQuery {
        let side = |seed: usize, factor: f64| -> Vec<Asked> {
            let call = |user: usize, round: usize| {
                let own = 20.0 + 300.0 * noise(user);
                own * factor * (1.0 + spread * (noise(seed + user * 7 + round * 1_009) - 0.5))
            };
            (0..users).map(|user| asked(user, &[call(user, 0), call(user, 1), call(user, 2)])).collect()
        };
        row("list", &side(10_000, 1.0), &side(20_000, factor))
    }

    #[test]
    fn a_query_that_takes_longer_by_more_than_a_fifth_is_too_slow_and_a_faster_one_is_told() {
        let verdict = |factor| world(20, factor, 0.2).change.unwrap().verdict;
        assert_eq!(verdict(1.5), QueryVerdict::TooSlow);
        assert_eq!(verdict(1.12), QueryVerdict::Slower);
        assert_eq!(verdict(1.0), QueryVerdict::Same);
        assert_eq!(verdict(0.6), QueryVerdict::Faster);
        let change = world(20, 1.5, 0.2).change.unwrap();
        assert!(change.low <= change.ratio && change.ratio <= change.high && change.users == 20, "{change:?}");
        assert!((change.ratio - 1.5).abs() < 0.1, "{change:?}");
    }

    #[test]
    fn noise_alone_is_never_too_slow_however_few_are_asked() {
        for users in 1..=24 {
            let found = world(users, 1.0, 1.0).change.unwrap();
            assert_ne!(found.verdict, QueryVerdict::TooSlow, "{users}: {found:?}");
        }
    }

    #[test]
    fn of_few_users_every_call_has_to_agree() {
        let of = |before: &[f64], after: &[f64]| {
            row("list", &[asked(1, before)], &[asked(1, after)]).change.unwrap().verdict
        };
        assert_eq!(of(&[100.0, 110.0, 120.0], &[200.0, 210.0, 220.0]), QueryVerdict::TooSlow);
        assert_eq!(of(&[100.0, 110.0, 180.0], &[200.0, 210.0, 220.0]), QueryVerdict::Slower);
        assert_eq!(of(&[100.0, 110.0, 250.0], &[200.0, 210.0, 220.0]), QueryVerdict::Same);
        assert_eq!(of(&[10.0, 11.0, 12.0], &[20.0, 21.0, 22.0]), QueryVerdict::Slower, "nobody notices 10 ms");
    }

    #[test]
    fn the_ends_of_the_interval_are_those_of_the_tables() {
        // For 95 %: none below 6, then 1, 1, 1, 2 … 6 of 20, 10 of 30.
        assert_eq!([1, 2, 5].map(rank), [None; 3]);
        assert_eq!([6, 8, 9, 12, 15, 20, 25, 30].map(rank), [1, 1, 2, 3, 4, 6, 8, 10].map(Some));
    }

    #[test]
    fn whoever_was_not_timed_twice_is_not_compared_and_what_was_not_answered_is_told() {
        let silent = Asked { timed: Vec::new(), shown: None, silent: 2, why: Some("503".into()), ..asked(2, &[]) };
        let found = row("list", &[asked(1, &[10.0]), silent.clone()], &[silent, asked(3, &[9.0])]);
        assert_eq!((found.change, found.silent), (None, 4));
        assert_eq!((found.before.unwrap().users, found.why_silent), (1, Some(Text::from("503"))));
        let other = row("other", &[asked(1, &[10.0])], &[]);
        assert_eq!((other.before, other.after, other.silent), (None, None, 0));
    }
}
