//! Fixes, people and chance for the tests of the machine and the policy.

use std::collections::BTreeMap;

use stella_protocol::fix::{
    Act, Check, FixPlan, FixVerb, HttpAct, HttpMethod, PlanStep, Policy, Risk, StepState, Undo, Verification,
};
use stella_protocol::{FixStatus, Role, Text, Timestamp};

use super::super::definition::Limits;
use super::super::{Decision, Draft, Event, FixState, Outcome, Refusal, Said, Step, Superseded, Verdict};
use super::{open, step};
use crate::chance::Chance;

pub(in crate::remedy) const DIGEST: &str = "d1";
pub(in crate::remedy) const MINUTE: i64 = 60_000;

pub(in crate::remedy) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(in crate::remedy) fn call() -> Act {
    Act::Http(HttpAct {
        method: HttpMethod::Post,
        base: "ops".into(),
        url: "https://ops.example/x".into(),
        headers: BTreeMap::new(),
        body: None,
        success: Vec::new(),
        timeout_ms: 1000,
    })
}

/// A call that is fenced, idempotent, and can be taken back.
pub(in crate::remedy) fn careful() -> PlanStep {
    let undo = Undo::Act { title: "undo".into(), act: call(), probe: None, idempotent: true };
    PlanStep {
        title: "restart".into(),
        act: call(),
        probe: None,
        undo: Some(undo),
        idempotent: true,
        fenced: true,
        retries: 0,
    }
}

/// A call that nothing takes back, nothing looks at, and that must not run twice.
pub(in crate::remedy) fn reckless() -> PlanStep {
    PlanStep { title: "mail".into(), undo: None, idempotent: false, ..careful() }
}

pub(in crate::remedy) fn draft(risk: Risk, policy: Policy, steps: Vec<PlanStep>) -> Draft {
    let verification = Verification { check: Check::AlertQuiet, hold_ms: MINUTE, within_ms: 5 * MINUTE };
    let plan = FixPlan {
        definition_id: "restart".into(),
        definition_digest: "f0".into(),
        risk,
        policy,
        target: "service:search".into(),
        parameters: Vec::new(),
        preconditions: Vec::new(),
        steps,
        touches: Vec::new(),
        will_not_undo: Vec::new(),
        verification: Some(verification),
        guard: None,
    };
    Draft {
        title: "restart search".into(),
        alert_id: None,
        plan,
        plan_digest: DIGEST.into(),
        policy,
        proposed_by: "p0".into(),
        owner: "p1".into(),
        quorum: crate::remedy::policy::quorum(risk, false),
        guards: Vec::new(),
        observed: None,
        limits: Limits::default(),
    }
}

pub(in crate::remedy) fn opened(draft: Draft) -> FixState {
    open(draft, "fx-1".parse().unwrap(), at(0)).unwrap()
}

pub(in crate::remedy) fn decision(verb: FixVerb, by: &str) -> Decision {
    Decision {
        verb,
        by: Text::from(by.to_owned()),
        role: Role::Admin,
        plan_digest: Some(DIGEST.into()),
        text: "because".into(),
        single_person: false,
        simulated: false,
        changed: Vec::new(),
    }
}

pub(in crate::remedy) fn claim(state: &FixState, now: i64) -> Event {
    Event::Claimed {
        holder: "e1".into(),
        until: at(now.saturating_add(30_000)),
        fence: state.work.fence + 1,
        plan_digest: DIGEST.into(),
        gates: Ok(()),
    }
}

/// A fix on its way, told event by event, a second apart unless said otherwise.
#[derive(Clone)]
pub(in crate::remedy) struct Tale {
    pub state: FixState,
    pub now: i64,
}

impl Tale {
    pub fn of(draft: Draft) -> Self {
        Self { state: opened(draft), now: 0 }
    }

    /// Approved and claimed, with these steps.
    pub fn running(steps: Vec<PlanStep>) -> Self {
        let mut tale = Self::of(draft(Risk::Medium, Policy::Approve, steps));
        tale.tell(&Event::Rehearsed(Ok(Vec::new())));
        tale.tell(&Event::Decided(decision(FixVerb::Approve, "p2")));
        tale.claim();
        tale
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

    pub fn claim(&mut self) -> Step {
        let event = claim(&self.state, self.now + 1000);
        self.tell(&event)
    }

    pub fn intend(&mut self) -> Step {
        self.tell(&Event::Intended { fence: self.state.work.fence })
    }

    pub fn perform(&mut self, outcome: Outcome) -> Step {
        self.tell(&Event::Performed { fence: self.state.work.fence, outcome })
    }

    /// Intends and performs.
    pub fn does(&mut self, outcome: Outcome) -> Step {
        self.intend();
        self.perform(outcome)
    }

    pub fn probe(&mut self, said: Said) -> Step {
        self.tell(&Event::Probed { fence: self.state.work.fence, said })
    }

    pub fn watch(&mut self, verdict: Verdict) -> Step {
        self.tell(&Event::Watched { fence: self.state.work.fence, verdict })
    }

    pub fn status(&self) -> FixStatus {
        self.state.fix.status
    }
}

pub(in crate::remedy) fn done() -> Outcome {
    Outcome::Done("ok".into())
}

pub(in crate::remedy) fn clean() -> Outcome {
    Outcome::Clean("refused".into())
}

pub(in crate::remedy) fn unknown() -> Outcome {
    Outcome::Unknown("timed out".into())
}

impl Chance {
    pub fn decision(&mut self, single_person: bool) -> Decision {
        let verb = match self.below(20) {
            0..10 => FixVerb::Approve,
            10..13 => FixVerb::Withdraw,
            13..16 => FixVerb::DryRun,
            _ => self.one_of(&FixVerb::ALL),
        };
        let digest = if self.percent(85) { Some(DIGEST) } else { self.one_of(&[Some("d2"), None]) };
        Decision {
            role: if self.percent(80) { Role::Approver } else { self.one_of(&Role::ALL) },
            plan_digest: digest.map(Text::from),
            text: self.one_of(&["", "because"]).into(),
            single_person,
            simulated: self.percent(5),
            changed: if self.percent(20) { vec!["doc".into()] } else { Vec::new() },
            ..decision(verb, self.one_of(&["p0", "p1", "p2", "p3", "P2"]))
        }
    }

    /// Anything that may happen to this fix; more often than not what takes it further.
    pub fn event(&mut self, state: &FixState, single_person: bool, now: i64) -> Event {
        if self.percent(55) {
            return self.fitting(state, single_person, now);
        }
        let fence = if self.percent(90) { state.work.fence } else { self.below(4) };
        let words = || Text::from("words");
        match self.below(20) {
            0 | 1 => Event::Rehearsed(if self.percent(85) { Ok(vec![words()]) } else { Err(words()) }),
            2..=8 => Event::Decided(self.decision(single_person)),
            9 => Event::Tick,
            10 if self.percent(20) => Event::Superseded(Superseded::AlertOver, words()),
            10 if self.percent(20) => Event::Stopped(words()),
            10..=12 => Event::Claimed {
                holder: self.one_of(&["e1", "e2"]).into(),
                until: at(now.saturating_add(self.one_of(&[0, 10_000, 30_000, 600_000]))),
                fence: if self.percent(85) { state.work.fence + 1 } else { self.below(4) },
                plan_digest: self.one_of(&[DIGEST, DIGEST, DIGEST, "d2"]).into(),
                gates: if self.percent(80) { Ok(()) } else { Err(words()) },
            },
            13 => Event::Renewed { fence, until: at(now.saturating_add(30_000)) },
            14 | 15 => Event::Intended { fence },
            16 | 17 => Event::Performed { fence, outcome: self.outcome() },
            18 => Event::Probed { fence, said: self.said() },
            _ => Event::Watched {
                fence,
                verdict: self.one_of(&[
                    Verdict::Holds,
                    Verdict::Broken(words()),
                    Verdict::Early(words()),
                    Verdict::Unwatched(words()),
                ]),
            },
        }
    }

    fn fitting(&mut self, state: &FixState, single_person: bool, now: i64) -> Event {
        let fence = state.work.fence;
        let open = state.fix.steps[state.work.at].state;
        let lost = state.work.lease_until.is_none_or(|until| until.millis() <= now);
        match state.fix.status {
            FixStatus::Proposed => Event::Rehearsed(Ok(Vec::new())),
            FixStatus::Pending => {
                let by = self.one_of(&["p0", "p2", "p3"]);
                Event::Decided(Decision { single_person, ..decision(FixVerb::Approve, by) })
            }
            status if status == FixStatus::Approved || (status.is_under_way() && lost) => claim(state, now),
            FixStatus::Running | FixStatus::Undoing => match open {
                StepState::Waiting | StepState::Done => Event::Intended { fence },
                StepState::Unknown => Event::Probed { fence, said: self.said() },
                _ => Event::Performed { fence, outcome: self.outcome() },
            },
            FixStatus::Verifying => {
                let holds = self.percent(70);
                Event::Watched { fence, verdict: if holds { Verdict::Holds } else { Verdict::Broken("no".into()) } }
            }
            FixStatus::Executed | FixStatus::Failed => Event::Decided(decision(FixVerb::Rollback, "p2")),
            _ => Event::Tick,
        }
    }

    fn outcome(&mut self) -> Outcome {
        self.one_of(&[done(), done(), done(), clean(), unknown()])
    }

    fn said(&mut self) -> Said {
        let words = || Text::from("words");
        self.one_of(&[Said::Done(words()), Said::NotDone(words()), Said::CannotTell(words())])
    }
}
