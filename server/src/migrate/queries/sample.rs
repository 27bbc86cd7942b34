//! For whom the application is asked: a few of many, spread over small and large owners, and the same ones
//! whenever it is drawn for the same plan.

use sha2::{Digest, Sha256};

/// Draws at most `most` of `owners`, who are in the order of how much they own: one of each of so many equal
/// parts of the row. `seed` decides which.
pub fn sample<'o>(owners: &'o [String], most: usize, seed: &str) -> Vec<&'o str> {
    let parts = most.min(owners.len());
    let one = |part: usize| {
        let (from, to) = (part * owners.len() / parts, (part + 1) * owners.len() / parts);
        let chance = Sha256::digest(format!("{seed}/{part}").as_bytes());
        let chance = chance.iter().take(8).fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
        // Of at least one: both ends are different.
        let at = usize::try_from(chance % (to - from) as u64).unwrap_or(0);
        owners[from + at].as_str()
    };
    (0..parts).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_from_the_smallest_owner_to_the_largest_and_always_the_same() {
        let owners: Vec<String> = (0..1_000).map(|number| format!("u{number:04}")).collect();
        let drawn = sample(&owners, 20, "digest");
        assert_eq!(drawn, sample(&owners, 20, "digest"));
        assert_ne!(drawn, sample(&owners, 20, "another"));
        for (part, one) in drawn.iter().enumerate() {
            let at: usize = one[1..].parse().unwrap_or(usize::MAX);
            assert!((part * 50..(part + 1) * 50).contains(&at), "{part}: {one}");
        }
        assert_eq!(sample(&owners[..3], 20, "digest"), ["u0000", "u0001", "u0002"]);
        assert!(sample(&[], 20, "digest").is_empty());
    }
}
