//! What identifies the problem that a finding is about.

use sha2::{Digest, Sha256};
use stella_detect::Finding;
use stella_protocol::Text;

use crate::words::{clip, wire_len};

/// What identifies the problem of a finding. A long one keeps its beginning and ends in its digest, so
/// that outside text inside it cannot make an alert large and still never names two problems.
pub fn fingerprint(finding: &Finding) -> Text {
    fingerprint_of(&finding.fingerprint)
}

/// The same of what the engine calls it.
pub fn fingerprint_of(whole: &str) -> Text {
    const ROOM: usize = 320;
    if wire_len(whole) <= ROOM {
        return Text::new(whole.to_owned());
    }
    let digest = Sha256::digest(whole.as_bytes());
    Text::new(format!("{}{digest:x}", clip(&Text::new(whole.to_owned()), ROOM - 64).raw()))
}
