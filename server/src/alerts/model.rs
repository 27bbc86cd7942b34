//! The machine against a small model of the table in 4.1, and single rows of it.

use proptest::prelude::*;
use stella_detect::Phase;
use stella_protocol::{Activity, AlertType, Severity, Status, Text, Timestamp, Verb};

use super::sample::{alert, finding};
use super::{Act, AlertState, Effect, Event, Moment, Refusal, Step, Triage, step};

const MINUTE: i64 = 60_000;
const T: i64 = 10 * MINUTE;
const HOLDS: i64 = 240 * MINUTE;

fn moment(at: i64) -> Moment {
    Moment { server: Timestamp::from_millis(at), engine: Timestamp::from_millis(at) }
}

fn person(number: u8) -> Text {
    Text::new(format!("p{number}"))
}

fn act(state: &AlertState, verb: Verb, by: u8, version: u64, at: i64) -> Result<Step, Refusal> {
    let act = Act { verb, by: &person(by), version, text: Some(&Text::new("why")), part: None, rival: None };
    step(state, &Event::Act(act), moment(at))
}

fn found(state: &AlertState, at: i64) -> Step {
    step(state, &Event::Found(&finding("f", at)), moment(at)).unwrap_or_else(|why| unreachable!("{why:?}"))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Is {
    New,
    Held { by: u8, until: i64 },
    Ended { at: i64 },
    Resolved { at: i64, still: Option<i64> },
    Wrong { at: i64 },
}

impl Is {
    fn open(self) -> bool {
        matches!(self, Self::New | Self::Held { .. })
    }
}

#[derive(Debug, Clone)]
struct Model {
    is: Is,
    version: u64,
    reopened: u32,
    count: u64,
    last: i64,
    opened: i64,
}

#[derive(Debug, PartialEq)]
enum Says {
    Fine,
    Next,
    Stale,
    Taken,
    Illegal,
}

impl Model {
    fn new(at: i64) -> Self {
        Self { is: Is::New, version: 1, reopened: 0, count: 1, last: at, opened: at }
    }

    fn becomes(&mut self, is: Is) -> Says {
        self.is = is;
        self.version += 1;
        Says::Fine
    }

    fn back(&mut self, at: i64) -> Says {
        (self.reopened, self.opened) = (self.reopened + 1, at);
        self.becomes(Is::New)
    }

    fn settle(&mut self, at: i64) {
        let due = self.last.max(self.opened) + T;
        if self.is.open() && at >= due {
            self.becomes(Is::Ended { at: due });
        }
    }

    fn matched(&mut self, at: i64) -> Says {
        self.settle(at);
        let gap = |closed: i64, last: i64| at - closed.max(last);
        match self.is {
            Is::Ended { at: closed } if at - closed > T => return Says::Next,
            Is::Resolved { at: closed, .. } if at > closed && gap(closed, self.last) > T => return Says::Next,
            Is::Wrong { at: closed } if at - closed >= 24 * 60 * MINUTE => return Says::Next,
            _ => {}
        }
        (self.count, self.last) = (self.count + 1, at);
        match self.is {
            Is::Ended { at: closed } if at > closed => self.back(at),
            Is::Resolved { at: closed, still: None } if at > closed => {
                self.is = Is::Resolved { at: closed, still: Some(at) };
                Says::Fine
            }
            Is::Resolved { still: Some(since), .. } if at - since >= T => self.back(at),
            _ => Says::Fine,
        }
    }

    fn tick(&mut self, at: i64) {
        self.settle(at);
        let quiet = (self.last + MINUTE + MINUTE - 1) / MINUTE * MINUTE;
        if let Is::Held { until, .. } = self.is
            && until <= at
            && at < quiet
        {
            self.becomes(Is::New);
        }
    }

    fn act(&mut self, verb: Verb, by: u8, stale: bool, at: i64) -> Says {
        match (verb, self.is) {
            (Verb::Acknowledge, Is::Held { by: owner, .. }) if owner != by => return Says::Taken,
            (Verb::Acknowledge | Verb::TakeOver, Is::Held { by: owner, .. }) if owner == by => return Says::Fine,
            _ if stale => return Says::Stale,
            _ => {}
        }
        let open = self.is.open();
        match (verb, self.is) {
            (Verb::Acknowledge, Is::New) | (Verb::TakeOver, Is::Held { .. }) => {
                self.becomes(Is::Held { by, until: at + HOLDS })
            }
            (Verb::Release, Is::Held { by: owner, .. }) if owner != by => Says::Taken,
            (Verb::Release, Is::Held { .. }) => self.becomes(Is::New),
            (Verb::Note, is) if open => self.becomes(is),
            (Verb::Resolve, _) if open => self.becomes(Is::Resolved { at, still: None }),
            (Verb::FalsePositive, _) if open => self.becomes(Is::Wrong { at }),
            (Verb::Reopen, _) if !open => self.back(at),
            _ => Says::Illegal,
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Match,
    Tick,
    Act(Verb, u8, bool),
    Undo,
}

fn op() -> impl Strategy<Value = (i64, Op)> {
    let verb = (0..Verb::ALL.len()).prop_map(|at| Verb::ALL[at]);
    let what = prop_oneof![
        4 => Just(Op::Match),
        3 => Just(Op::Tick),
        4 => (verb, 0..3_u8, prop::bool::weighted(0.15)).prop_map(|(verb, by, stale)| Op::Act(verb, by, stale)),
        1 => Just(Op::Undo),
    ];
    let pause = prop_oneof![6 => 0..90_000_i64, 3 => 0..12 * MINUTE, 1 => 0..30 * 60 * MINUTE];
    (pause, what)
}

fn says(result: &Result<Step, Refusal>) -> Says {
    match result {
        Ok(step) if step.effects.contains(&Effect::OpensNext) => Says::Next,
        Ok(_) => Says::Fine,
        Err(Refusal::Stale) => Says::Stale,
        Err(Refusal::AlreadyAcknowledged { .. }) => Says::Taken,
        Err(_) => Says::Illegal,
    }
}

fn agree(model: &Model, state: &AlertState) {
    let alert = &state.alert;
    let (status, owner) = match model.is {
        Is::New => (Status::New, None),
        Is::Held { by, .. } => (Status::Acknowledged, Some(person(by))),
        Is::Ended { .. } | Is::Resolved { .. } => (Status::Resolved, None),
        Is::Wrong { .. } => (Status::FalsePositive, None),
    };
    assert_eq!(alert.status, status);
    assert_eq!((alert.version, alert.reopened, alert.occurrences), (model.version, model.reopened, model.count));
    assert_eq!(alert.last_seen.millis(), model.last);
    if status.is_open() {
        assert_eq!(alert.acknowledged_by, owner);
        assert_eq!((alert.resolved_at, &alert.resolved_by, state.watch.closed_at), (None, &None, None));
    } else {
        assert!(alert.resolved_at.is_some() && alert.resolved_by.is_some() && state.watch.closed_at.is_some());
    }
    assert_eq!(alert.ack_expires_at.is_some(), alert.acknowledged_by.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_machine_does_what_the_table_says(ops in prop::collection::vec(op(), 1..60)) {
        let mut at = 1_000_000_000_i64;
        let (mut state, mut model) = (alert("f", 1, at), Model::new(at));
        let mut last_action: Option<(Triage, u64, Model)> = None;
        for (pause, op) in ops {
            at += pause;
            let before = (state.clone(), model.clone());
            let (result, wanted) = match op {
                Op::Match => (Ok(found(&state, at)), model.matched(at)),
                Op::Tick => {
                    model.tick(at);
                    (step(&state, &Event::Tick, moment(at)), Says::Fine)
                }
                Op::Act(verb, by, stale) => {
                    let version = state.alert.version - u64::from(stale);
                    (act(&state, verb, by, version, at), model.act(verb, by, stale, at))
                }
                Op::Undo => {
                    let Some((triage, left, was)) = &last_action else { continue };
                    let event = Event::Undo { before: triage, left: *left, rival: None };
                    let said = if model.version == *left {
                        if was.is.open() && !model.is.open() { model.opened = at; }
                        (model.is, model.reopened, model.version) = (was.is, was.reopened, model.version + 1);
                        Says::Fine
                    } else {
                        Says::Stale
                    };
                    (step(&state, &event, moment(at)), said)
                }
            };
            prop_assert_eq!(says(&result), wanted);
            let Ok(step) = result else { continue };
            let rose = step.effects.iter().filter(|effect| matches!(effect, Effect::Changed(_))).count() as u64;
            prop_assert_eq!(step.state.alert.version, state.alert.version + rose);
            if matches!(op, Op::Act(..)) && rose == 1 {
                last_action = Some((Triage::of(&before.0), step.state.alert.version, before.1));
            }
            if step.effects.contains(&Effect::OpensNext) {
                (state, model, last_action) = (alert("f", 1, at), Model::new(at), None);
            } else {
                state = step.state;
            }
            agree(&model, &state);
        }
    }

    #[test]
    fn merged_findings_end_and_open_the_same_episodes_as_single_matches(gap in 0..30 * MINUTE) {
        let at = 1_000_000_000;
        let state = alert("f", 1, at);
        let single = found(&state, at + gap);
        let mut merged = finding("f", at + gap);
        merged.last_at = Timestamp::from_millis(at + gap + 5);
        merged.matches = 2;
        let merged = step(&state, &Event::Found(&merged), moment(at + gap + 5)).map(|step| step.effects);
        prop_assert_eq!(merged, Ok(single.effects));
    }
}

#[test]
fn the_second_person_learns_who_was_first_even_with_an_old_version() {
    let state = alert("f", 1, 0);
    let held = act(&state, Verb::Acknowledge, 1, 1, 10).map(|step| step.state);
    let Ok(held) = held else { unreachable!("{held:?}") };
    assert_eq!(act(&held, Verb::Acknowledge, 2, 1, 20), Err(Refusal::AlreadyAcknowledged { by: person(1) }));
    assert_eq!(act(&held, Verb::Acknowledge, 1, 1, 20).map(|step| step.effects), Ok(Vec::new()));
    let taken = act(&held, Verb::TakeOver, 2, 2, 30).map(|step| step.state.alert);
    let notes = taken.map(|alert| (alert.acknowledged_by, alert.notes.last().map(|note| note.text.clone())));
    assert_eq!(notes, Ok((Some(person(2)), Some(Text::new("took over from p1")))));
}

#[test]
fn matches_count_without_a_new_version_until_the_severity_rises() {
    let state = alert("f", 1, 0);
    let again = found(&state, 5_000);
    assert_eq!((again.state.alert.version, again.state.alert.occurrences), (1, 2));
    assert_eq!(again.effects, [Effect::Counted]);
    let mut worse = finding("f", 6_000);
    worse.severity = Severity::High;
    worse.title = Text::new("worse");
    let rose = step(&again.state, &Event::Found(&worse), moment(6_000)).map(|step| step.state.alert);
    let rose = rose.map(|alert| (alert.version, alert.severity, alert.title));
    assert_eq!(rose, Ok((2, Severity::High, Text::new("worse"))));
}

#[test]
fn silence_ends_when_somebody_speaks_and_never_by_time() {
    let mut silent = alert("f", 1, 0);
    silent.alert.kind = AlertType::Silence;
    let later = step(&silent, &Event::Tick, moment(100 * 60 * MINUTE));
    assert_eq!(later.map(|step| step.effects), Ok(Vec::new()));
    let mut speaks = finding("f", 200 * 60 * MINUTE);
    speaks.phase = Phase::Recovered;
    let over = step(&silent, &Event::Found(&speaks), moment(200 * 60 * MINUTE)).map(|step| step.state.alert);
    let over = over.map(|alert| (alert.status, alert.resolved_by, alert.occurrences));
    assert_eq!(over, Ok((Status::Resolved, Some(Text::new("system")), 1)));
}

#[test]
fn an_alert_is_quiet_from_the_minute_after_its_window() {
    let state = alert("f", 1, 30_000);
    let activity = |at| step(&state, &Event::Tick, moment(at)).map(|step| step.state.alert.activity);
    assert_eq!(activity(119_999), Ok(Activity::Firing));
    assert_eq!(activity(120_000), Ok(Activity::Quiet { since: Timestamp::from_millis(30_000) }));
}

#[test]
fn notes_stop_before_an_event_could_outgrow_its_limit() {
    let mut state = alert("f", 1, 0);
    let text = Text::new("\u{1}".repeat(340));
    let mut written = 0;
    let full = loop {
        let note = Act {
            verb: Verb::Note,
            by: &person(1),
            version: state.alert.version,
            text: Some(&text),
            part: None,
            rival: None,
        };
        match step(&state, &Event::Act(note), moment(1)) {
            Ok(step) => (state, written) = (step.state, written + 1),
            Err(why) => break why,
        }
    };
    assert_eq!((full, written), (Refusal::NotesFull, 11));
    assert!(serde_json::to_string(&state.alert).is_ok_and(|wire| wire.len() < 64 << 10));
}
