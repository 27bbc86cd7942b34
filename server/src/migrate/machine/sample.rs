//! Migrations, people and runners for the tests of the machine.

use stella_protocol::migration::{
    Backup, Counts, Difference, DualRead, OwnQueries, OwnQuery, PhaseName, PlanSummary, QueryChange, QueryTiming,
    QueryVerdict, Verification,
};
use stella_protocol::{MigrationStatus, MigrationVerb, Role, Text, Timestamp};

use super::super::{Decision, Draft, Event, MigrationState, Refusal, Step};
use super::{open, step};

pub(super) const DIGEST: &str = "d1";
pub(super) const HOUR: i64 = 3_600_000;
pub(super) const SOAK: i64 = 60_000;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn opened() -> MigrationState {
    let draft = Draft { by: "op1".into(), target: "demo".into(), map_title: "map".into(), canary: 2, soak_ms: SOAK };
    open("mig-1".parse().unwrap(), draft, at(0))
}

pub(super) fn plan(digest: &str, now: i64) -> PlanSummary {
    PlanSummary {
        digest: Text::from(digest.to_owned()),
        scanned_at: at(now),
        key_id: "k1".into(),
        documents: 5000,
        collections: 12,
        undeclared: 0,
        changes: 300,
        moves: 100,
        references: 900,
        users: 38,
        old_ids: 41,
        aliases: Some(43),
        orphan_ids: 3,
        orphan_documents: 38,
        clashes: 0,
        batches: 31,
        bytes: 1_000_000,
        first_scope: None,
        elsewhere: Vec::new(),
        workarounds: Vec::new(),
        misses: 0,
        placeholders: 0,
        archived: 0,
    }
}

pub(super) fn counts(done: u64) -> Counts {
    Counts { planned: 400, done, ..Counts::default() }
}

pub(super) fn backup() -> Backup {
    Backup { documents: 400, bytes: 9000, parts: 2, digest: "b1".into(), verified_at: at(0) }
}

pub(super) fn found(differences: u64) -> Verification {
    let first = Difference { check: "content".into(), what: "conversations/c1".into(), detail: "a byte".into() };
    Verification {
        at: at(0),
        documents: 5000,
        checks: Vec::new(),
        differences,
        changed_since: 0,
        first_changed: Vec::new(),
        first: (0..differences.min(100)).map(|_| first.clone()).collect(),
        not_checked: Vec::new(),
    }
}

/// One query that takes so many times as long as before, with little noise.
pub(super) fn queries(ratio: f64) -> OwnQueries {
    let timing = |median_ms: f64| Some(QueryTiming { median_ms, calls: 60, users: 20 });
    let verdict = if ratio > 1.25 { QueryVerdict::TooSlow } else { QueryVerdict::Same };
    let change = QueryChange { ratio, low: ratio - 0.05, high: ratio + 0.05, users: 20, verdict };
    let (before, after) = (timing(100.0), timing(100.0 * ratio));
    let one = OwnQuery { name: "list".into(), before, after, change: Some(change), silent: 0, why_silent: None };
    OwnQueries { items: vec![one] }
}

pub(super) fn decision(verb: MigrationVerb) -> Decision {
    Decision {
        verb,
        by: "op2".into(),
        role: Role::Admin,
        plan_digest: Some(DIGEST.into()),
        rate: Some(50),
        to: Some("op3".into()),
        text: "because".into(),
        dual_read: Some(DualRead::Probe { at: at(0) }),
    }
}

/// A migration on its way, told event by event, a second apart.
#[derive(Clone)]
pub(super) struct Tale {
    pub state: MigrationState,
    pub now: i64,
}

impl Tale {
    pub fn new() -> Self {
        Self { state: opened(), now: 0 }
    }

    pub fn tries(&self, event: &Event) -> Result<Step, Refusal> {
        step(&self.state, event, at(self.now))
    }

    pub fn tell(&mut self, event: &Event) -> Step {
        self.now += 1000;
        let step = self.tries(event).unwrap_or_else(|why| unreachable!("{event:?}: {why:?}"));
        self.state = step.state.clone();
        step
    }

    pub fn wait(&mut self, millis: i64) -> &mut Self {
        self.now += millis;
        self
    }

    pub fn says(&mut self, verb: MigrationVerb) -> Step {
        self.tell(&Event::Decided(decision(verb)))
    }

    pub fn claim(&mut self) -> &mut Self {
        let (until, fence) = (at(self.now + 31_000), self.state.work.fence + 1);
        self.tell(&Event::Claimed { holder: "r1".into(), until, fence });
        self
    }

    /// What the runner says when this phase went well, told by whoever has it.
    pub fn does(&mut self, phase: PhaseName) -> Step {
        let event = good(&self.state, phase, self.now);
        self.tell(&event)
    }

    pub fn stopped(&mut self, done: u64) -> Step {
        self.tell(&Event::Stopped { fence: self.state.work.fence, counts: counts(done) })
    }

    pub fn broke(&mut self, why: &'static str) -> Step {
        let counts = self.state.migration.counts;
        self.tell(&Event::Broke { fence: self.state.work.fence, why: why.into(), counts })
    }

    pub fn counted(&mut self, counts: Counts) -> Step {
        self.tell(&Event::Checkpoint { fence: self.state.work.fence, counts, hold: None })
    }

    pub fn status(&self) -> MigrationStatus {
        self.state.migration.status
    }

    /// The straight way, to this status; claimed where a runner has something to do.
    pub fn at(wanted: MigrationStatus) -> Self {
        let mut tale = Self::new();
        tale.claim();
        for phase in PhaseName::ALL {
            if tale.status() == wanted {
                return tale;
            }
            match phase {
                PhaseName::Rehearse => drop(tale.says(MigrationVerb::Rehearse)),
                PhaseName::Backup => {
                    tale.says(MigrationVerb::Approve);
                    if tale.status() == wanted {
                        return tale;
                    }
                    tale.says(MigrationVerb::Start);
                }
                PhaseName::CutOver => drop(tale.says(MigrationVerb::Cutover)),
                PhaseName::Soak => {
                    tale.wait(SOAK).tell(&Event::Tick);
                    break;
                }
                _ => {}
            }
            if tale.state.work.holder.is_none() {
                tale.claim();
            }
            if tale.status() == wanted {
                return tale;
            }
            tale.does(phase);
        }
        assert_eq!(tale.status(), wanted);
        tale
    }
}

/// The good end of a phase.
pub(super) fn good(state: &MigrationState, phase: PhaseName, now: i64) -> Event {
    let (fence, words) = (state.work.fence, Text::from("words"));
    match phase {
        PhaseName::Scan => Event::Scanned { fence, found: Ok((plan(DIGEST, now), 0)) },
        PhaseName::Rehearse => Event::Rehearsed { fence, found: Ok(counts(400)) },
        PhaseName::Backup => Event::BackedUp { fence, found: Ok(backup()) },
        PhaseName::Canary => Event::Canary { fence, found: Ok(words) },
        PhaseName::Copy => Event::Copied { fence, counts: counts(400) },
        PhaseName::Verify => Event::Verified { fence, found: found(0) },
        PhaseName::CutOver => Event::CutOver { fence, done: Ok(words) },
        PhaseName::RollBack => Event::RolledBack { fence, done: Ok((400, 0)) },
        PhaseName::Soak | PhaseName::Unknown => Event::Tick,
    }
}

/// The bad end of a phase.
pub(super) fn bad(state: &MigrationState, phase: PhaseName) -> Event {
    let (fence, words) = (state.work.fence, Text::from("words"));
    match phase {
        PhaseName::Scan => Event::Scanned { fence, found: Err(words) },
        PhaseName::Rehearse => Event::Rehearsed { fence, found: Err(words) },
        PhaseName::Backup => Event::BackedUp { fence, found: Err(words) },
        PhaseName::Canary => Event::Canary { fence, found: Err(words) },
        PhaseName::Verify => Event::Verified { fence, found: found(3) },
        PhaseName::CutOver => Event::CutOver { fence, done: Err(words) },
        PhaseName::RollBack => Event::RolledBack { fence, done: Err(words) },
        _ => Event::Broke { fence, why: words, counts: state.migration.counts },
    }
}

/// One migration in every status; `cutting_over_failed` is one whose cut-over the store refused.
pub(super) fn everywhere() -> Vec<(&'static str, Tale)> {
    let with = |status: MigrationStatus, tell: fn(&mut Tale)| {
        let mut tale = Tale::at(status);
        tell(&mut tale);
        tale
    };
    let fails = |status: MigrationStatus, phase: PhaseName| {
        let mut tale = Tale::at(status);
        let event = bad(&tale.state, phase);
        tale.tell(&event);
        tale
    };
    let back = with(MigrationStatus::Copying, |tale| {
        tale.says(MigrationVerb::Rollback);
        tale.stopped(40);
    });
    let back_failed = {
        let mut tale = back.clone();
        let event = bad(&tale.state, PhaseName::RollBack);
        tale.tell(&event);
        tale
    };
    let asks = with(MigrationStatus::Draft, |tale| {
        let found = Ok((plan(DIGEST, tale.now), 2));
        tale.tell(&Event::Scanned { fence: tale.state.work.fence, found });
    });
    let mut all: Vec<(&'static str, Tale)> = MigrationStatus::ALL
        .into_iter()
        .map(|status| {
            let tale = match status {
                MigrationStatus::NeedsDecision => asks.clone(),
                MigrationStatus::PlanFailed => fails(MigrationStatus::Draft, PhaseName::Scan),
                MigrationStatus::BackupFailed => fails(MigrationStatus::BackingUp, PhaseName::Backup),
                MigrationStatus::Paused => with(MigrationStatus::Copying, |tale| {
                    tale.says(MigrationVerb::Pause);
                    tale.stopped(40);
                }),
                MigrationStatus::Halted => with(MigrationStatus::Copying, |tale| drop(tale.broke("guard"))),
                MigrationStatus::RollingBack => back.clone(),
                MigrationStatus::RolledBack => {
                    let mut tale = back.clone();
                    tale.does(PhaseName::RollBack);
                    tale
                }
                MigrationStatus::RollbackFailed => back_failed.clone(),
                MigrationStatus::Cancelled => {
                    with(MigrationStatus::Planned, |tale| drop(tale.says(MigrationVerb::Cancel)))
                }
                MigrationStatus::ClosedManually => {
                    let mut tale = back_failed.clone();
                    tale.says(MigrationVerb::Close);
                    tale
                }
                status => Tale::at(status),
            };
            assert_eq!(tale.status(), status);
            (status.word(), tale)
        })
        .collect();
    all.push(("cutting_over_failed", fails(MigrationStatus::CuttingOver, PhaseName::CutOver)));
    all
}
