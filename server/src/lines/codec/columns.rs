//! What the server gives the lines of a block, in columns beside it: engine times and weights.

use stella_protocol::{Timestamp, Weight};

use super::{BadBlock, Reader, put, put_signed};

/// Writes times that never go back, as steps from the one before.
pub fn encode_times(times: &[Timestamp]) -> Vec<u8> {
    let mut out = Vec::with_capacity(10 + times.len() * 2);
    let mut before = 0;
    for time in times {
        put_signed(&mut out, time.millis() - before);
        before = time.millis();
    }
    out
}

/// Reads what [`encode_times`] wrote.
pub fn decode_times(bytes: &[u8]) -> Result<Vec<Timestamp>, BadBlock> {
    let mut from = Reader { bytes };
    let mut times = Vec::with_capacity(bytes.len());
    let mut at: i64 = 0;
    while !from.bytes.is_empty() {
        at = at.checked_add(from.signed()?).ok_or(BadBlock)?;
        times.push(Timestamp::from_millis(at));
    }
    Ok(times)
}

/// Writes weights; nothing where each line counts for itself.
pub fn encode_weights(weights: &[Weight]) -> Vec<u8> {
    let mut out = Vec::new();
    if weights.iter().any(|weight| !weight.is_one()) {
        for weight in weights {
            put(&mut out, u64::from(weight.lines()));
        }
    }
    out
}

/// Reads what [`encode_weights`] wrote of so many lines.
pub fn decode_weights(bytes: &[u8], lines: usize) -> Result<Vec<Weight>, BadBlock> {
    if bytes.is_empty() {
        return Ok(vec![Weight::ONE; lines]);
    }
    let mut from = Reader { bytes };
    let mut weights = Vec::with_capacity(lines.min(bytes.len()));
    while !from.bytes.is_empty() {
        weights.push(Weight::of(u32::try_from(from.number()?).map_err(|_| BadBlock)?));
    }
    if weights.len() == lines { Ok(weights) } else { Err(BadBlock) }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = decode_times(&bytes);
            let _ = decode_weights(&bytes, 7);
        }

        #[test]
        fn weights_survive(lines in proptest::collection::vec(0u32..200, 0..50)) {
            let weights: Vec<_> = lines.iter().map(|lines| Weight::of(*lines)).collect();
            let kept = encode_weights(&weights);
            proptest::prop_assert_eq!(decode_weights(&kept, weights.len()), Ok(weights));
        }

        #[test]
        fn times_survive(steps in proptest::collection::vec(0i64..10_000_000, 0..50)) {
            let mut at = 1_700_000_000_000;
            let times: Vec<_> = steps.iter().map(|step| { at += step; Timestamp::from_millis(at) }).collect();
            proptest::prop_assert_eq!(decode_times(&encode_times(&times)), Ok(times));
        }
    }
}
