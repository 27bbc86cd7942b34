//! Who may decide, and whether anything may be proposed or start at all.
//!
//! Pure: figures in, words out. What it says is asked again when a fix is claimed.

use std::sync::Arc;

use stella_protocol::fix::{Gate, Policy, Record, Risk};
use stella_protocol::{Fix, Principal, Remedy, Text, Timestamp};

use super::{Draft, FixState, Refusal};

/// What else is going on.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Open fixes, and those that ended lately.
    pub fixes: &'a [Arc<FixState>],
    /// What holds for all fixes.
    pub remedy: &'a Remedy,
}

/// Whether something may be proposed: caps, one open fix a target, suppressions, the switch.
///
/// # Errors
/// What stands in the way.
pub fn admit(_draft: &Draft, _standing: Standing<'_>, _now: Timestamp) -> Result<(), Refusal> {
    Ok(())
}

/// Whether an approved fix may start now: the switch, maintenance windows, suppressions, caps.
///
/// # Errors
/// What stands in the way, in words.
pub fn start(_fix: &Fix, _standing: Standing<'_>, _now: Timestamp) -> Result<(), Text> {
    Ok(())
}

/// How many have to approve.
pub fn quorum(_risk: Risk, _single_person: bool) -> u8 {
    1
}

/// The policy as it is now, and why, with the figures.
pub fn effective(policy: Policy, _record: &Record) -> (Policy, Text) {
    (policy, Text::default())
}

/// Everything that a decision by `me` depends on, open or shut.
pub fn gates(_state: &FixState, _me: &Principal, _standing: Standing<'_>, _now: Timestamp) -> Vec<Gate> {
    Vec::new()
}
