//! What can happen to a fix, what comes of it, and why not. The words of the machine.

use serde::{Deserialize, Serialize};
use stella_protocol::{FixVerb, Role, Text, Timestamp};

use super::{BeforeImage, FixState};

/// A person who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub verb: FixVerb,
    /// Who.
    pub by: Text,
    /// With which role.
    pub role: Role,
    /// The plan that they saw, for `approve` and `rollback`.
    pub plan_digest: Option<Text>,
    /// Why, or how it ended.
    pub text: Text,
    /// They are the only human of this server: every quorum is 1 and they may be all at once.
    pub single_person: bool,
    /// A simulated colleague.
    pub simulated: bool,
    /// For `rollback`: what was changed since by somebody else. Empty: nothing.
    pub changed: Vec<Text>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The dry run said this; Err: it would not work.
    Rehearsed(Result<Vec<Text>, Text>),
    /// A person decided.
    Decided(Decision),
    /// Time passed: what is not decided or begun in time expires.
    Tick,
    /// Its alert is over, its plan changed, all fixes were switched off, or nobody can carry it out.
    Superseded(Superseded, Text),
    /// An executor takes it, after it looked at everything again.
    Claimed {
        /// Which executor.
        holder: Text,
        /// Until when it has it.
        until: Timestamp,
        /// One more than the target's last.
        fence: u64,
        /// The plan as it is now.
        plan_digest: Text,
        /// Err: something stands in the way of starting (roles, caps, windows, switch).
        gates: Result<(), Text>,
    },
    /// Its executor still has it.
    Renewed {
        /// By this fence.
        fence: u64,
        /// Until then.
        until: Timestamp,
    },
    /// Its executor is about to perform (or take back) the step under way: kept before the effect.
    Intended {
        /// By this fence.
        fence: u64,
    },
    /// The step under way was performed, or taken back.
    Performed {
        /// By this fence.
        fence: u64,
        /// What came of it.
        outcome: Outcome,
    },
    /// The outcome was unknown, and was looked for.
    Probed {
        /// By this fence.
        fence: u64,
        /// What was found.
        said: Said,
    },
    /// It must not go on: its guard broke, or fixes were switched off.
    Stopped(Text),
    /// Its success was looked at.
    Watched {
        /// By this fence.
        fence: u64,
        /// What was seen.
        verdict: Verdict,
    },
}

/// Why something that waits is for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Superseded {
    /// Its alert is over.
    AlertOver,
    /// Its plan is another one by now, or there is none any more.
    PlanChanged,
    /// All fixes were switched off.
    SwitchedOff,
    /// Whoever carries fixes out fails on it.
    Broken,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It happened.
    Done(Text),
    /// It surely did not.
    Clean(Text),
    /// It may have.
    Unknown(Text),
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It happened.
    Done(Text),
    /// It did not.
    NotDone(Text),
    /// There is no probe, or it cannot tell.
    CannotTell(Text),
}

/// How the watch on success stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds now.
    Holds,
    /// It does not hold now.
    Broken(Text),
    /// Nothing speaks against it, and it is too early to tell: the time in which it must hold does not end meanwhile.
    Early(Text),
    /// Nobody can tell whether it helped, and nobody will be able to.
    Unwatched(Text),
}

/// What a step asks for, besides keeping the new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The version rose: kept, audited under this word, sent.
    Changed(&'static str),
    /// Its verification held: its alert is resolved, this fix named.
    ResolveAlert,
    /// What it did is about to be taken back after its verification held: where its alert was resolved by it,
    /// that is open again.
    ReopenAlert,
    /// It was rolled back: its definition is not proposed for this target any more.
    Suppress(Text),
    /// Only the lease moved: kept, not sent, no audit.
    Renewed,
}

/// The next state and what to do about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How it stands now.
    pub state: FixState,
    /// What to do; empty: it was so already.
    pub effects: Vec<Effect>,
}

/// A step's intent with what has to be there before its effect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Intent {
    /// Documents as they are before.
    pub images: Vec<BeforeImage>,
    /// The version of the fix that this was decided on: refused when it is another one by now. None: whatever
    /// the version, the machine alone decides.
    pub seen: Option<u64>,
}
