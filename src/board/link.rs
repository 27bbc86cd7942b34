//! The connection as the console shows it (4-machines.md, 4.4).

use crate::event::{Cause, LinkEvent, Now};

/// Without a byte for this long the feed is late.
pub const LATE_AFTER_MS: u64 = 7_500;
/// Without a byte for this long what we show is stale.
pub const STALE_AFTER_MS: u64 = 15_000;

/// What we know of the connection.
#[derive(Debug, Default)]
pub struct Link {
    phase: Phase,
    last_byte: u64,
    /// When what we show stopped being fresh.
    fresh_until: Option<Now>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Connecting,
    /// Bytes come and hello was said.
    Live,
    Lost {
        cause: Cause,
        retry_at: u64,
    },
    Refused(Cause),
    Buffered,
    Resyncing,
}

/// The state with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Before the first hello.
    Connecting,
    /// All is well.
    Live,
    /// No byte for a while.
    Late {
        /// For how many seconds.
        seconds: u64,
    },
    /// What is shown is old.
    Stale {
        /// Since when.
        since: Now,
        /// Why, once the connection is known to be cut.
        cause: Option<Cause>,
        /// Seconds to the next try.
        retry_s: Option<u64>,
    },
    /// Loading everything anew.
    Resyncing,
    /// The server or the network said no: nothing is tried until the operator acts.
    Refused(Cause),
    /// Connected, but something holds the stream back.
    Buffered,
}

/// What the state allows (4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Verbs that can be undone, and closing ones.
    Triage,
    /// Acknowledge only: sent now or refused, never queued.
    AcknowledgeNow,
    /// Reading.
    Reading,
}

impl LinkState {
    /// Which verbs may be sent.
    pub fn allows(&self) -> Allowed {
        match self {
            Self::Live | Self::Late { .. } => Allowed::Triage,
            Self::Stale { .. } => Allowed::AcknowledgeNow,
            Self::Connecting | Self::Resyncing | Self::Refused(_) | Self::Buffered => Allowed::Reading,
        }
    }

    /// True when nothing is late: what has an outside effect may be sent.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }

    /// True when what is shown may be older than it looks.
    pub fn is_old(&self) -> bool {
        matches!(self, Self::Stale { .. } | Self::Resyncing | Self::Refused(_) | Self::Buffered)
    }
}

impl Link {
    /// The state at this moment.
    pub fn state(&self, now: Now) -> LinkState {
        match &self.phase {
            Phase::Connecting => match self.fresh_until {
                Some(since) => LinkState::Stale { since, cause: None, retry_s: None },
                None => LinkState::Connecting,
            },
            Phase::Live => match now.steady.saturating_sub(self.last_byte) {
                age if age > STALE_AFTER_MS => {
                    LinkState::Stale { since: earlier(now, age), cause: None, retry_s: None }
                }
                age if age > LATE_AFTER_MS => LinkState::Late { seconds: age / 1000 },
                _ => LinkState::Live,
            },
            Phase::Lost { cause, retry_at } => LinkState::Stale {
                since: self.fresh_until.unwrap_or(now),
                cause: Some(cause.clone()),
                retry_s: Some(retry_at.saturating_sub(now.steady).div_ceil(1000)),
            },
            Phase::Refused(cause) => LinkState::Refused(cause.clone()),
            Phase::Buffered => LinkState::Buffered,
            Phase::Resyncing => LinkState::Resyncing,
        }
    }

    /// When the state will have changed by time alone: steady ms, None when it will not.
    pub fn changes_at(&self, now: Now) -> Option<u64> {
        match &self.phase {
            Phase::Live => {
                let age = now.steady.saturating_sub(self.last_byte);
                Some(match age {
                    age if age > STALE_AFTER_MS => return None,
                    age if age > LATE_AFTER_MS => now.steady + 1000,
                    _ => self.last_byte + LATE_AFTER_MS + 1,
                })
            }
            Phase::Lost { retry_at, .. } if *retry_at > now.steady => Some((now.steady + 1000).min(*retry_at)),
            _ => None,
        }
    }

    /// True once a hello was heard.
    pub fn ever_live(&self) -> bool {
        self.fresh_until.is_some() || self.phase == Phase::Live
    }

    pub(super) fn alive(&mut self, now: Now) {
        self.last_byte = now.steady;
        if self.phase == Phase::Live {
            self.fresh_until = Some(now);
        }
    }

    pub(super) fn hello(&mut self, now: Now) {
        self.phase = Phase::Live;
        self.fresh_until = Some(now);
    }

    pub(super) fn resyncing(&mut self) {
        self.phase = Phase::Resyncing;
    }

    pub(super) fn apply(&mut self, event: LinkEvent, now: Now) {
        match event {
            LinkEvent::Connecting => self.phase = Phase::Connecting,
            LinkEvent::Opened | LinkEvent::Alive => self.alive(now),
            LinkEvent::Lost { cause, retry_ms } => self.phase = Phase::Lost { cause, retry_at: now.steady + retry_ms },
            LinkEvent::Refused(cause) => self.phase = Phase::Refused(cause),
            LinkEvent::Buffered => self.phase = Phase::Buffered,
            LinkEvent::Snapshot(_) | LinkEvent::NotShown => {}
        }
    }
}

fn earlier(now: Now, age: u64) -> Now {
    let back = i64::try_from(age).unwrap_or(i64::MAX);
    Now { wall: now.wall.plus_millis(-back), steady: now.steady.saturating_sub(age) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stella_protocol::{Text, Timestamp};

    fn at(steady: u64) -> Now {
        Now { wall: Timestamp::from_millis(1_000_000 + steady.cast_signed()), steady }
    }

    fn cause() -> Cause {
        Cause { what: Text::from("connection refused"), then: Text::from("is the server up?") }
    }

    #[test]
    fn a_feed_without_bytes_is_late_and_then_stale() {
        let mut link = Link::default();
        assert_eq!(link.state(at(0)), LinkState::Connecting);
        link.hello(at(0));
        link.alive(at(1000));
        assert_eq!(link.state(at(8_500)), LinkState::Live);
        assert_eq!(link.state(at(8_501)), LinkState::Late { seconds: 7 });
        assert_eq!(link.state(at(16_001)), LinkState::Stale { since: at(1000), cause: None, retry_s: None });
        link.alive(at(17_000));
        assert_eq!(link.state(at(17_000)), LinkState::Live);
    }

    #[test]
    fn a_cut_is_stale_at_once_since_the_last_byte_and_counts_down() {
        let mut link = Link::default();
        link.hello(at(0));
        link.alive(at(4_000));
        link.apply(LinkEvent::Lost { cause: cause(), retry_ms: 2_500 }, at(5_000));
        let stale = LinkState::Stale { since: at(4_000), cause: Some(cause()), retry_s: Some(3) };
        assert_eq!(link.state(at(5_000)), stale);
        assert_eq!(stale.allows(), Allowed::AcknowledgeNow);
        link.apply(LinkEvent::Connecting, at(7_500));
        assert!(matches!(link.state(at(7_500)), LinkState::Stale { .. }), "old data do not get fresh by trying");
    }

    #[test]
    fn time_wakes_the_screen_only_when_the_state_will_change() {
        let mut link = Link::default();
        link.hello(at(0));
        link.alive(at(0));
        assert_eq!(link.changes_at(at(10)), Some(LATE_AFTER_MS + 1));
        assert_eq!(link.changes_at(at(9_000)), Some(10_000));
        assert_eq!(link.changes_at(at(16_000)), None);
    }
}
