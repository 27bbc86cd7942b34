//! What is remembered of every line: a few keys and flags, no text.

use stella_protocol::log::{Category, ComponentHealth, Login};
use stella_protocol::{Level, LogEvent};

use crate::keep::{Keep, Reader, keep_fields};
use crate::key::{self, Names};
use crate::measure::Facts;

/// Yes-or-no facts of a line, each of which a query can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags(u16);

/// A flag, the word it is looked for in a message (if any), and the term that asks for it.
type Row = (Flags, &'static str);

/// Words that say that stored data contradict themselves, in lower case.
pub(crate) const CONTRADICTIONS: [(Flags, &str); 5] = [
    (Flags::ORPHAN, "orphan"),
    (Flags::MISMATCH, "mismatch"),
    (Flags::INCONSISTENT, "inconsisten"),
    (Flags::DANGLING, "dangling"),
    (Flags::CORRUPT, "corrupt"),
];

impl Flags {
    pub(crate) const FAILED: Self = Self(1);
    pub(crate) const LOGIN_FAILED: Self = Self(1 << 1);
    pub(crate) const LOGIN_OK: Self = Self(1 << 2);
    pub(crate) const LOCKED_OUT: Self = Self(1 << 3);
    /// WARN or ERROR.
    pub(crate) const LOUD: Self = Self(1 << 4);
    pub(crate) const DATA: Self = Self(1 << 5);
    pub(crate) const DEPLOY: Self = Self(1 << 6);
    /// Degraded or down.
    pub(crate) const UNWELL: Self = Self(1 << 7);
    pub(crate) const HEALTHY: Self = Self(1 << 8);
    pub(crate) const ORPHAN: Self = Self(1 << 9);
    pub(crate) const MISMATCH: Self = Self(1 << 10);
    pub(crate) const INCONSISTENT: Self = Self(1 << 11);
    pub(crate) const DANGLING: Self = Self(1 << 12);
    pub(crate) const CORRUPT: Self = Self(1 << 13);
    /// A second mark of a line, for a user it names besides its own.
    pub(crate) const NAMED_USER: Self = Self(1 << 14);
    /// A sample of a series: no message.
    pub(crate) const METRIC: Self = Self(1 << 15);

    const TERMS: [Row; 14] = [
        (Self::FAILED, "failed=true"),
        (Self::LOGIN_FAILED, "login=failed"),
        (Self::LOGIN_OK, "login=succeeded"),
        (Self::LOCKED_OUT, "login=locked_out"),
        (Self::LOUD, "(level=WARN or level=ERROR)"),
        (Self::DATA, "category=data"),
        (Self::DEPLOY, "deploy"),
        (Self::UNWELL, "(health=degraded or health=down)"),
        (Self::HEALTHY, "health=healthy"),
        (Self::ORPHAN, "orphan"),
        (Self::MISMATCH, "mismatch"),
        (Self::INCONSISTENT, "inconsisten"),
        (Self::DANGLING, "dangling"),
        (Self::CORRUPT, "corrupt"),
    ];

    /// Everything that puts a line into the chain of rare lines.
    const RARE: Self = Self(
        Self::FAILED.0
            | Self::LOGIN_FAILED.0
            | Self::LOGIN_OK.0
            | Self::LOCKED_OUT.0
            | Self::DEPLOY.0
            | Self::UNWELL.0
            | Self::HEALTHY.0
            | Self::CONTRADICTION.0,
    );

    /// Any sign of contradiction.
    pub(crate) const CONTRADICTION: Self = Self(
        Self::DATA.0 | Self::ORPHAN.0 | Self::MISMATCH.0 | Self::INCONSISTENT.0 | Self::DANGLING.0 | Self::CORRUPT.0,
    );

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn is_rare(self) -> bool {
        self.any(Self::RARE)
    }

    /// The terms that ask for these flags.
    pub(crate) fn terms(self) -> impl Iterator<Item = &'static str> {
        Self::TERMS.into_iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, term)| term)
    }

    fn when(self, holds: bool) -> Self {
        if holds { self } else { Self(0) }
    }

    /// What a line is.
    pub(crate) fn of(event: &LogEvent<'_>) -> Self {
        let loud = matches!(event.level, Level::Warn | Level::Error);
        let message = event.message.raw().as_bytes();
        let mut flags = Self::FAILED
            .when(event.failed())
            .and(Self::LOUD.when(loud))
            .and(Self::METRIC.when(event.level == Level::Metric))
            .and(Self::DATA.when(loud && event.category == Some(Category::Data)))
            .and(Self::DEPLOY.when(says_deploy(message)));
        flags = flags.and(match event.login {
            Some(Login::Failed) => Self::LOGIN_FAILED,
            Some(Login::Succeeded) => Self::LOGIN_OK,
            Some(Login::LockedOut) => Self::LOCKED_OUT,
            _ => Self(0),
        });
        flags = flags.and(match event.health {
            Some(ComponentHealth::Degraded | ComponentHealth::Down) => Self::UNWELL,
            Some(ComponentHealth::Healthy) => Self::HEALTHY,
            _ => Self(0),
        });
        if loud {
            for (flag, word) in CONTRADICTIONS {
                flags = flags.and(flag.when(says(message, word.as_bytes())));
            }
        }
        flags
    }
}

/// True when a message speaks of a deploy.
pub(crate) fn speaks_of_deploy(message: &str) -> bool {
    says_deploy(message.as_bytes())
}

/// True when `text` holds `word` (lower case), without regard to ASCII case.
pub(crate) fn says(text: &[u8], word: &[u8]) -> bool {
    let Some((&first, rest)) = word.split_first() else { return true };
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), text)
        .any(|at| text.get(at + 1..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(rest)))
}

/// The same for `deploy`, led by its rarest letter because every line is asked.
fn says_deploy(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'y', b'Y', text).any(|at| at >= 5 && text[at - 5..at].eq_ignore_ascii_case(b"deplo"))
}

/// The template of a line that has none, or whose number does not fit.
pub(crate) const NO_TEMPLATE: u32 = 0;

/// A line, remembered. Tens of thousands are, so its size counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) line: u64,
    pub(crate) at: i64,
    /// Not a number: none.
    pub(crate) duration: f64,
    pub(crate) service: u64,
    /// Service and operation together.
    pub(crate) op: u64,
    pub(crate) user: u64,
    pub(crate) addr: u64,
    pub(crate) error: u64,
    pub(crate) component: u64,
    /// Of the message; only for lines that offend.
    pub(crate) template: u32,
    pub(crate) retries: u32,
    /// For how many lines it counts, itself among them.
    pub(crate) weight: u32,
    pub(crate) flags: Flags,
    /// Distance to the mark before of the same operation; 0: none.
    pub(crate) back_op: u16,
}

impl Mark {
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            at: self.at,
            duration: self.duration,
            failed: self.flags.has(Flags::FAILED),
            user: self.user,
            addr: self.addr,
            retries: self.retries,
            value: f64::NAN,
            weight: self.weight,
        }
    }

    /// Who calls: the user, or where none is named the address; nobody where neither is.
    pub(crate) fn caller(&self) -> u64 {
        if self.user == key::NONE { self.addr } else { self.user }
    }

    /// A failure that is not a failed login: those have rules of their own.
    pub(crate) fn is_error(&self) -> bool {
        self.flags.has(Flags::FAILED) && !self.flags.has(Flags::LOGIN_FAILED)
    }

    /// What is remembered of `event`; the chains are the tape's.
    pub(crate) fn of(line: u64, at: i64, event: &LogEvent<'_>, names: &mut Names) -> Self {
        let service = names.of(event.service.raw());
        Self {
            line,
            at,
            duration: event.duration_ms.filter(|duration| duration.is_finite()).unwrap_or(f64::NAN),
            service,
            op: key::join(&[service, names.maybe(event.operation.as_ref())]),
            user: event.user_id.as_ref().map_or(key::NONE, |user| key::of(user.raw())),
            addr: event.remote_addr.as_ref().map_or(key::NONE, |addr| key::of(addr.raw())),
            error: names.maybe(event.error_type.as_ref()),
            template: NO_TEMPLATE,
            component: event.component.as_ref().map_or(key::NONE, |component| names.of(component.raw())),
            retries: event.retry_count.unwrap_or(0),
            weight: event.weight.lines(),
            flags: Flags::of(event),
            back_op: 0,
        }
    }
}

impl Keep for Flags {
    fn keep(&self, to: &mut Vec<u8>) {
        self.0.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        u16::wake(from).map(Self)
    }
}

keep_fields!(Mark {
    line,
    at,
    duration,
    service,
    op,
    user,
    addr,
    error,
    template,
    component,
    retries,
    weight,
    flags,
    back_op
});

/// How many lines these are, with those that they count for.
pub(crate) fn lines(marks: &[&Mark]) -> u64 {
    marks.iter().map(|mark| u64::from(mark.weight)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_without_regard_to_case() {
        assert!(says(b"an ORPHANED document", b"orphan") && !says(b"orpha", b"orphan"));
        assert!(says_deploy(b"Deployed r8812") && says_deploy(b"re-DEPLOY") && !says_deploy(b"employ ploy"));
    }

    #[test]
    fn a_mark_is_small() {
        assert_eq!(size_of::<Mark>(), 88);
    }

    #[test]
    fn contradictions_count_only_when_they_are_loud() {
        let quiet = LogEvent { message: "0 orphans found".into(), ..LogEvent::default() };
        let loud = LogEvent { level: Level::Warn, ..quiet.clone() };
        assert!(!Flags::of(&quiet).any(Flags::CONTRADICTION));
        assert!(Flags::of(&loud).has(Flags::ORPHAN));
    }
}
