//! Who may approve fixes now: asked of whoever keeps the tokens, which the hub does not know.

use std::fmt;
use std::sync::OnceLock;

use stella_protocol::{Text, Timestamp};

/// Says of a name whether a token of it holds at a moment and may approve.
type May = dyn Fn(&Text, Timestamp) -> bool + Send + Sync;

/// The one that is asked. Where nobody was named, no token can be lost, and everybody still may.
#[derive(Default)]
pub(in crate::hub) struct Approvers(OnceLock<Box<May>>);

impl Approvers {
    /// Names it; whoever was named first stays.
    pub fn ask(&self, may: Box<May>) {
        let _first = self.0.set(may);
    }

    pub fn may(&self, name: &Text, now: Timestamp) -> bool {
        self.0.get().is_none_or(|may| may(name, now))
    }
}

impl fmt::Debug for Approvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvers").finish_non_exhaustive()
    }
}
