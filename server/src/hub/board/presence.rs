//! Readers are told who looks at what: at once, or with the next chores when they were told a moment ago.

use std::sync::MutexGuard;
use std::time::Instant;

use stella_protocol::{FeedEvent, Presence, Present};

use super::Shared;
use crate::hub::frame::{Kind, frame};
use crate::hub::unpoisoned;
use crate::presence::{Attendance, Crowded};

impl Shared {
    /// Who looks at what. To be locked before the ring, never after it.
    pub fn attendance(&self) -> MutexGuard<'_, Attendance> {
        unpoisoned(self.attendance.lock())
    }

    /// A console says what it looks at.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn attend(&self, presence: Presence, now: Instant) -> Result<(), Crowded> {
        self.attendance().hear(presence, now)?;
        self.tell_presence(now);
        Ok(())
    }

    /// Tells what changed, also that somebody is gone, unless readers were told a moment ago.
    pub fn tell_presence(&self, now: Instant) {
        let mut attendance = self.attendance();
        let Some(consoles) = attendance.news(now) else { return };
        let bytes = frame(&FeedEvent::Presence(Box::new(Present { consoles })));
        self.ring().push(Kind::Presence, bytes);
        drop(attendance);
        self.wake();
    }
}
