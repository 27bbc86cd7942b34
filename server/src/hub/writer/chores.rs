//! What is done each second and each minute: counts told and kept, the past tidied up.

use std::mem;
use std::time::Instant;

use stella_protocol::{AlertCount, FeedEvent};

use super::{COUNTS, MINUTE, SECOND, Writer};
use crate::alerts::AlertState;
use crate::hub::draft::Change;
use crate::hub::frame::{Kind, frame};
use crate::store::Retention;

impl Writer {
    /// What is done each second and each minute.
    pub(super) fn chores(&mut self, now: Instant) {
        if now >= self.next_second {
            self.next_second = now + SECOND;
            self.tell_counts();
            self.tell_progress();
            self.shared.tell_presence(now);
            self.note_old_ids();
            self.flush();
        }
        if now >= self.next_minute {
            self.next_minute = now + MINUTE;
            self.tell_outdated();
            self.tidy();
        }
    }

    pub(super) fn tell_counts(&self) {
        let counts: Vec<AlertCount> = {
            let mut board = self.shared.board_mut();
            let counted = mem::take(&mut board.counted);
            counted.iter().filter_map(|id| board.get(id)).map(|state| count(state)).collect()
        };
        for some in counts.chunks(COUNTS) {
            let event = FeedEvent::AlertCounts(some.to_vec());
            self.shared.ring().push(Kind::AlertCounts, frame(&event));
        }
        if !counts.is_empty() {
            self.shared.wake();
        }
    }

    /// Sends whole alerts again where something moved that counts do not carry.
    fn tell_outdated(&mut self) {
        let mut change = Change::default();
        {
            let board = self.shared.board();
            for state in board.outdated.iter().filter_map(|id| board.get(id)) {
                change.touch(state, AlertState::clone(state)).loud = true;
            }
        }
        if let Err(error) = self.keep(change, None) {
            tracing::error!(error = %error, "failed to send changed alerts again");
        }
    }

    fn tidy(&mut self) {
        let now = self.clock.now();
        {
            let mut board = self.shared.board_mut();
            let horizon = board.horizon(now);
            board.purge(horizon);
            board.purge_fixes(now);
        }
        match self.store.sweep(&Retention::default(), now) {
            Ok(true) => self.next_minute = self.next_second,
            Ok(false) => {}
            Err(error) => tracing::error!(error = %error, "failed to sweep the store"),
        }
        if let Ok(head) = self.store.head() {
            self.shared.ring().set_oldest(head.oldest);
        }
    }
}

fn count(state: &AlertState) -> AlertCount {
    let alert = &state.alert;
    AlertCount {
        id: alert.id.clone(),
        occurrences: alert.occurrences,
        last_seen: alert.last_seen,
        activity: alert.activity,
        title: Some(alert.title.clone()),
        brief: alert.brief.clone(),
    }
}
