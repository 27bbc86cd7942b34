//! What a decision asks before it is sent, one step after the other: a word typed as it stands, a
//! reason, a yes.
//!
//! A typed word and a yes are deaf for a moment after they appear, take no paste and no held key.
//! Nothing is sent from here: the last step hands the order over.

use std::collections::VecDeque;

use stella_protocol::MigrationStatus;
use stella_protocol::deploy::DeployRequest;
use stella_protocol::fix::{MaintenanceRequest, Proposal};
use stella_protocol::migration::MigrationRequest;
use stella_protocol::rule::RuleChange;
use stella_protocol::{ActionRequest, FixId, FixVerb, MigrationId, MigrationVerb, Text};
use tui_input::Input;

use super::{DEAF_MS, Lines, type_into};
use crate::keys::{Key, KeyCode};

/// What is to be done once every step is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// A verb on the alerts that were painted: the words are given, for a false one what was wrong before them.
    Act(ActionRequest),
    /// A verb on the fix that was painted.
    Decide {
        /// Which.
        fix: FixId,
        /// What is done to it.
        verb: FixVerb,
        /// Its version as painted.
        version: u64,
        /// Its plan as painted.
        digest: Text,
    },
    /// A verb on the migration that was painted.
    Migrate {
        /// Which.
        id: MigrationId,
        /// What is done to it.
        verb: MigrationVerb,
        /// How it was painted.
        seen: SeenMigration,
        /// What is given with it already: a limit, a name.
        given: MigrationRequest,
    },
    /// Answer a question of the migration that was painted: the option and the reason are given.
    Answer {
        /// Which migration.
        id: MigrationId,
        /// Its version as painted.
        version: u64,
        /// The question.
        question: Text,
    },
    /// Say what becomes of an id without a user: the choice and the reason are given.
    Adopt {
        /// Which migration.
        id: MigrationId,
        /// Its version as painted.
        version: u64,
        /// The id without a user.
        orphan: Text,
    },
    /// Say who answers for the migration from now on: the choice is given.
    Lead {
        /// Which migration.
        id: MigrationId,
    },
    /// All fixes on, or off.
    Switch {
        /// On.
        on: bool,
    },
    /// Propose this; the texts given are the values of these names.
    Propose {
        /// What is known of it.
        proposal: Proposal,
        /// What is asked for.
        names: Vec<String>,
    },
    /// Let it be proposed again.
    Lift(String),
    /// Let nothing start for a time.
    Maintain(MaintenanceRequest),
    /// End such a time.
    EndMaintenance(String),
    /// Tell of a deploy.
    AddDeploy(DeployRequest),
    /// Show what a rule would have made of the kept lines with this setting: its value is given.
    LookAtRule {
        /// Which rule.
        id: String,
        /// Which setting.
        name: String,
    },
    /// Change the rule that was painted: the reason is given.
    ChangeRule {
        /// Which.
        id: String,
        /// Its version as it was counted.
        version: u64,
        /// What is changed.
        change: RuleChange,
    },
}

/// A migration as it was painted when the question was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMigration {
    /// Its version.
    pub version: u64,
    /// Where it stood.
    pub status: MigrationStatus,
    /// Its plan; None: it had none.
    pub digest: Option<Text>,
}

/// One thing that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This word, typed.
    Type(String),
    /// A text.
    Text {
        /// What it is called once it is given.
        name: String,
        /// The question for it; says whether it is required.
        about: String,
        /// It may not stay empty.
        needed: bool,
    },
    /// One of these.
    Choose {
        /// Which of what.
        question: &'static str,
        /// What is given back, and what it means.
        of: Vec<(String, String)>,
    },
    /// A yes.
    Yes,
}

impl Step {
    /// A text that is called `name`.
    pub fn text(name: &str, question: &str, needed: bool) -> Self {
        let about = format!("{question} ({})", if needed { "required" } else { "optional" });
        Self::Text { name: name.to_owned(), about, needed }
    }
}

/// The steps that are left, and what was given so far.
#[derive(Debug)]
pub(super) struct Steps {
    order: Order,
    what: String,
    left: VecDeque<Step>,
    given: Vec<String>,
    /// What was given, as the last question says it: `reason: …`.
    said: Vec<String>,
    input: Input,
    /// Why Enter did not go on; until the next key.
    wrong: Option<String>,
    since: u64,
}

/// What a key brought.
#[derive(Debug)]
pub(super) enum Outcome {
    More,
    Cancelled,
    Complete(Order, Vec<String>),
}

impl Steps {
    pub(super) fn new(order: Order, what: String, steps: impl IntoIterator<Item = Step>, now: u64) -> Self {
        let left = steps.into_iter().collect();
        let (given, said, input) = (Vec::new(), Vec::new(), Input::default());
        Self { order, what, left, given, said, input, wrong: None, since: now }
    }

    pub(super) fn key(&mut self, key: Key, now: u64) -> Outcome {
        let Some(step) = self.left.front() else { return Outcome::Cancelled };
        let is_guarded = matches!(step, Step::Type(_) | Step::Choose { .. } | Step::Yes);
        let is_held = key.repeat && key.code != KeyCode::Backspace;
        if is_guarded && (now < self.since + DEAF_MS || is_held) {
            return Outcome::More;
        }
        self.wrong = None;
        match (step, key.code) {
            (Step::Yes, KeyCode::Char('y')) => self.next(now),
            (Step::Choose { of, .. }, KeyCode::Char(letter)) => {
                let at = letter.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1));
                let Some((value, words)) = at.and_then(|at| of.get(at)).cloned() else { return Outcome::More };
                self.said.push(words);
                self.given.push(value);
                self.next(now)
            }
            (Step::Choose { .. } | Step::Yes, KeyCode::Enter) | (Step::Yes, KeyCode::Char('n')) => Outcome::Cancelled,
            (Step::Choose { .. } | Step::Yes, _) => Outcome::More,
            (Step::Type(word), KeyCode::Enter) => {
                if self.input.value().trim().eq_ignore_ascii_case(word) {
                    return self.next(now);
                }
                self.wrong = Some(format!("That is not {word}: nothing was sent. Ctrl-u clears it, Esc leaves."));
                Outcome::More
            }
            (Step::Text { name, needed: true, .. }, KeyCode::Enter) if self.input.value().trim().is_empty() => {
                self.wrong = Some(format!("The {name} may not be empty: nothing was sent. Esc leaves."));
                Outcome::More
            }
            (Step::Text { name, .. }, KeyCode::Enter) => {
                let text = self.input.value().trim().to_owned();
                if !text.is_empty() {
                    self.said.push(format!("{name}: {text}"));
                }
                self.given.push(text);
                self.next(now)
            }
            _ => {
                type_into(&mut self.input, key);
                Outcome::More
            }
        }
    }

    /// True when pasted text reaches what is asked for: a text, and nothing else.
    pub(super) fn takes_paste(&self) -> bool {
        matches!(self.left.front(), Some(Step::Text { .. }))
    }

    /// A letter of it.
    pub(super) fn paste(&mut self, key: Key) {
        if self.takes_paste() {
            type_into(&mut self.input, key);
        }
    }

    fn next(&mut self, now: u64) -> Outcome {
        self.left.pop_front();
        self.input = Input::default();
        self.since = now;
        if self.left.is_empty() {
            Outcome::Complete(self.order.clone(), std::mem::take(&mut self.given))
        } else {
            Outcome::More
        }
    }

    pub(super) fn lines(&self) -> Lines<'_> {
        let blank = Lines {
            question: self.what.clone(),
            ask: String::new(),
            field: None,
            choices: Vec::new(),
            hint: String::new(),
            wrong: self.wrong.is_some(),
        };
        let field = Some((self.input.value(), self.input.visual_cursor()));
        let hint = |usual: &str| self.wrong.clone().unwrap_or_else(|| usual.to_owned());
        match self.left.front() {
            Some(Step::Type(word)) => Lines {
                ask: format!(": type {word}, then Enter"),
                field,
                hint: hint("Nothing was sent yet. Enter does nothing until it matches, Esc leaves."),
                ..blank
            },
            Some(Step::Text { about, .. }) => Lines {
                question: std::iter::once(&self.what).chain(&self.said).cloned().collect::<Vec<_>>().join(": "),
                ask: format!(": {about}"),
                field,
                hint: hint(match (&self.order, self.left.len()) {
                    (Order::LookAtRule { .. }, _) => "Nothing is changed by it. Enter shows its effect, Esc leaves.",
                    (_, 1) => "Nothing was sent yet. Enter sends it, Esc leaves. Kept in the audit trail.",
                    _ => "Nothing was sent yet. Enter goes on, Esc leaves. Kept in the audit trail.",
                }),
                ..blank
            },
            Some(Step::Choose { question, of }) => {
                let one = |(at, (_, words)): (usize, &(String, String))| format!("{} {words}", at + 1);
                Lines {
                    ask: format!(": {question} a digit chooses, Esc leaves"),
                    choices: of.iter().take(9).enumerate().map(one).collect(),
                    ..blank
                }
            }
            Some(Step::Yes) | None => Lines {
                question: format!("{}? {}", self.what, self.said.join("; ")).trim_end().to_owned(),
                hint: "y yes   Enter no   nothing was sent yet".to_owned(),
                ..blank
            },
        }
    }
}

#[cfg(test)]
#[expect(clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn typed(steps: &mut Steps, text: &str, now: u64) {
        text.chars().for_each(|letter| {
            assert!(matches!(steps.key(Key::char(letter), now), Outcome::More));
        });
    }

    fn approval() -> Steps {
        let steps = [Step::Type("fx-12".to_owned()), Step::text("reason", "why", false)];
        Steps::new(Order::Switch { on: true }, "approve".to_owned(), steps, 0)
    }

    #[test]
    fn an_approval_needs_its_id_typed_after_a_pause() {
        let mut steps = approval();
        typed(&mut steps, "fx-1", 100);
        assert_eq!(steps.lines().field, Some(("", 0)), "deaf at first");
        typed(&mut steps, "fx-1", 500);
        assert!(matches!(steps.key(Key::plain(KeyCode::Enter), 600), Outcome::More));
        let lines = steps.lines();
        assert_eq!(lines.field, Some(("fx-1", 4)), "Enter did nothing");
        assert!(lines.wrong && lines.hint.starts_with("That is not fx-12: nothing was sent."), "{lines:?}");
        steps.paste(Key::char('2'));
        steps.key(Key { repeat: true, ..Key::char('2') }, 700);
        assert_eq!(steps.lines().field, Some(("fx-1", 4)), "neither a paste nor a held key types it");
        typed(&mut steps, "2", 800);
        assert!(matches!(steps.key(Key::plain(KeyCode::Enter), 900), Outcome::More));
        steps.paste(Key::char('x'));
        let Outcome::Complete(_, given) = steps.key(Key::plain(KeyCode::Enter), 1_000) else { panic!("complete") };
        assert_eq!(given, ["x"]);
    }

    #[test]
    fn what_was_chosen_stands_in_the_questions_that_follow() {
        let choices = ["leave it", "map it"].map(|words| (words.to_owned(), words.to_owned()));
        let steps =
            [Step::Choose { question: "which?", of: choices.to_vec() }, Step::text("reason", "why?", true), Step::Yes];
        let mut steps = Steps::new(Order::Switch { on: false }, "decide 1000".to_owned(), steps, 0);
        assert_eq!(steps.lines().choices, ["1 leave it", "2 map it"]);
        assert_eq!(steps.lines().ask, ": which? a digit chooses, Esc leaves");
        typed(&mut steps, "2", 500);
        let lines = steps.lines();
        assert_eq!((lines.question.as_str(), lines.ask.as_str()), ("decide 1000: map it", ": why? (required)"));
    }

    #[test]
    fn a_needed_text_may_not_stay_empty_and_enter_is_no_yes() {
        let steps = [Step::text("reason", "why?", true), Step::Yes];
        let mut steps = Steps::new(Order::Switch { on: false }, "reject".to_owned(), steps, 0);
        assert_eq!(steps.lines().ask, ": why? (required)");
        assert!(matches!(steps.key(Key::plain(KeyCode::Enter), 500), Outcome::More));
        assert!(steps.lines().wrong && steps.lines().hint.starts_with("The reason may not be empty"));
        typed(&mut steps, "no", 600);
        assert!(!steps.lines().wrong, "the next key is another try");
        assert!(matches!(steps.key(Key::plain(KeyCode::Enter), 700), Outcome::More));
        assert_eq!(steps.lines().question, "reject? reason: no");
        assert!(matches!(steps.key(Key::char('y'), 800), Outcome::More), "deaf again");
        assert!(matches!(steps.key(Key::plain(KeyCode::Enter), 2_000), Outcome::Cancelled));
    }
}
