//! What is asked in the lines above the footer: filter, search, what a verb needs before it is sent, a command,
//! quitting.
//!
//! A question that a key answers is deaf for 400 ms after it appears, a paste reaches only a text field, key
//! repeat never confirms, and Enter never means yes to a closing verb.

mod palette;
mod steps;

use stella_protocol::FixId;
use stella_protocol::query::QueryError;
use tui_input::{Input, InputRequest};

use crate::filter::{Filter, Listed};
use crate::keys::{Key, KeyCode};
use palette::Palette;
use steps::{Outcome, Steps};

pub use steps::{Order, SeenMigration, Step};

/// Keys are ignored for this long after a dialog opened, in ms.
pub const DEAF_MS: u64 = 400;
/// Longest text a field takes.
const LONGEST: usize = 2_000;

/// What is asked.
#[derive(Debug)]
pub struct Dialog {
    kind: Kind,
    opened: u64,
}

#[derive(Debug)]
enum Kind {
    Filter { of: Listed, input: Input, fits: Result<usize, QueryError> },
    Search { input: Input, error: Option<QueryError> },
    Series { input: Input },
    Steps(Box<Steps>),
    Command(Palette),
    Choose { fixes: Vec<(FixId, String)> },
    Quit,
}

/// What a key brought.
#[derive(Debug)]
pub enum Answer {
    /// Still asking.
    More,
    /// The human said no.
    Cancelled,
    /// The human wants to quit.
    Quit,
    /// Show what this filter says.
    Filter(Listed, Filter),
    /// Search the lines for this.
    Search(String),
    /// Show series whose name holds this.
    Series(String),
    /// Do this, with these texts.
    Order(Order, Vec<String>),
    /// Do what this says.
    Command(String),
    /// Open the review of this fix.
    Review(FixId),
}

/// What is painted.
#[derive(Debug, PartialEq, Eq)]
pub struct Lines<'a> {
    /// What it is about; shortened where two rows have no room.
    pub question: String,
    /// What is asked for, behind it or on rows of its own; never shortened.
    pub ask: String,
    /// The text field: what stands in it and where the caret is, in columns.
    pub field: Option<(&'a str, usize)>,
    /// What a digit chooses, each whole: as many rows as they take.
    pub choices: Vec<String>,
    /// Below the field, on one row.
    pub hint: String,
    /// The hint says that something is wrong.
    pub wrong: bool,
}

impl Dialog {
    /// Asks for a filter.
    pub fn filter(of: Listed, text: &str, now: u64) -> Self {
        Self { kind: Kind::Filter { of, input: Input::new(text.to_owned()), fits: Ok(0) }, opened: now }
    }

    /// Asks what to search the lines for.
    pub fn search(text: &str, now: u64) -> Self {
        Self { kind: Kind::Search { input: Input::new(text.to_owned()), error: None }, opened: now }
    }

    /// Asks which series to show.
    pub fn series(text: &str, now: u64) -> Self {
        Self { kind: Kind::Series { input: Input::new(text.to_owned()) }, opened: now }
    }

    /// Asks for what a verb needs before it is sent.
    pub fn steps(order: Order, what: String, steps: impl IntoIterator<Item = Step>, now: u64) -> Self {
        Self { kind: Kind::Steps(Box::new(Steps::new(order, what, steps, now))), opened: now }
    }

    /// Asks for a command, one of these or something longer.
    pub fn command(known: Vec<String>, now: u64) -> Self {
        Self { kind: Kind::Command(Palette::new(known)), opened: now }
    }

    /// Asks which of these fixes is meant.
    pub fn choose(fixes: Vec<(FixId, String)>, now: u64) -> Self {
        Self { kind: Kind::Choose { fixes }, opened: now }
    }

    /// Tells the command line what else there is.
    pub fn learn(&mut self, known: Vec<String>) {
        if let Kind::Command(palette) = &mut self.kind {
            palette.learn(known);
        }
    }

    /// Asks whether to quit.
    pub fn quit(now: u64) -> Self {
        Self { kind: Kind::Quit, opened: now }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, now: u64) -> Answer {
        if key.code == KeyCode::Esc {
            return Answer::Cancelled;
        }
        match &mut self.kind {
            Kind::Steps(steps) => {
                return match steps.key(key, now) {
                    Outcome::More => Answer::More,
                    Outcome::Cancelled => Answer::Cancelled,
                    Outcome::Complete(order, given) => Answer::Order(order, given),
                };
            }
            Kind::Command(palette) => return palette.key(key).map_or(Answer::More, Answer::Command),
            Kind::Choose { fixes } => return chosen(fixes, key),
            Kind::Quit if now < self.opened + DEAF_MS || key.repeat => return Answer::More,
            Kind::Quit if matches!(key.code, KeyCode::Char('q' | 'y')) => return Answer::Quit,
            Kind::Quit => return Answer::Cancelled,
            Kind::Filter { .. } | Kind::Search { .. } | Kind::Series { .. } => {}
        }
        if key.code == KeyCode::Enter {
            return self.enter();
        }
        self.edit(key);
        Answer::More
    }

    /// Takes pasted text, where there is a field for it. False: what is asked for has to be typed.
    pub fn paste(&mut self, text: &str) -> bool {
        let has_to_be_typed = match &self.kind {
            Kind::Steps(steps) => !steps.takes_paste(),
            Kind::Choose { .. } | Kind::Quit => true,
            _ => false,
        };
        if has_to_be_typed {
            return false;
        }
        let line: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
        for letter in line.chars() {
            match &mut self.kind {
                Kind::Steps(steps) => steps.paste(Key::char(letter)),
                Kind::Command(palette) => palette.edit(Key::char(letter)),
                _ => self.edit(Key::char(letter)),
            }
        }
        true
    }

    /// Counts what a filter shows, as it is typed.
    pub fn count(&mut self, fits: impl Fn(Listed, &Filter) -> usize) {
        if let Kind::Filter { of, input, fits: found } = &mut self.kind {
            *found = Filter::read(*of, input.value()).map(|filter| fits(*of, &filter));
        }
    }

    /// What is painted.
    pub fn lines(&self) -> Lines<'_> {
        let field = |input: &'_ Input| input.visual_cursor();
        match &self.kind {
            Kind::Filter { of, input, fits } => Lines {
                question: "filter".to_owned(),
                ask: String::new(),
                field: Some((input.value(), field(input))),
                choices: Vec::new(),
                hint: match fits {
                    Ok(count) => format!("{count} shown   {}   Enter keeps", of.example()),
                    Err(error) => pointed(error),
                },
                wrong: fits.is_err(),
            },
            Kind::Search { input, error } => Lines {
                question: "search".to_owned(),
                ask: String::new(),
                field: Some((input.value(), field(input))),
                choices: Vec::new(),
                hint: error.as_ref().map_or_else(
                    || "words, ~regex, level=ERROR operation=x; n next, N previous; Enter searches".to_owned(),
                    pointed,
                ),
                wrong: error.is_some(),
            },
            Kind::Series { input } => Lines {
                question: "series".to_owned(),
                ask: String::new(),
                field: Some((input.value(), field(input))),
                choices: Vec::new(),
                hint: "part of a name; Enter keeps, empty shows all".to_owned(),
                wrong: false,
            },
            Kind::Steps(steps) => steps.lines(),
            Kind::Command(palette) => palette.lines(),
            Kind::Choose { fixes } => Lines {
                question: "which fix?".to_owned(),
                ask: String::new(),
                field: None,
                choices: choices(fixes),
                hint: String::new(),
                wrong: false,
            },
            Kind::Quit => Lines {
                question: "quit?  q or y yes   any other key no".to_owned(),
                ask: String::new(),
                field: None,
                choices: Vec::new(),
                hint: String::new(),
                wrong: false,
            },
        }
    }

    /// True when quitting is asked.
    pub fn is_quit(&self) -> bool {
        matches!(self.kind, Kind::Quit)
    }

    fn enter(&mut self) -> Answer {
        match &mut self.kind {
            Kind::Filter { of, input, .. } => match Filter::read(*of, input.value()) {
                Ok(filter) => Answer::Filter(*of, filter),
                Err(_) => Answer::More,
            },
            Kind::Search { input, error } => match stella_protocol::query::parse(input.value()) {
                Ok(_) => Answer::Search(input.value().to_owned()),
                Err(wrong) => {
                    *error = Some(wrong);
                    Answer::More
                }
            },
            Kind::Series { input } => Answer::Series(input.value().to_owned()),
            _ => Answer::Cancelled,
        }
    }

    fn edit(&mut self, key: Key) {
        if let Kind::Filter { input, .. } | Kind::Search { input, .. } | Kind::Series { input } = &mut self.kind {
            type_into(input, key);
        }
    }
}

/// Types a key into a field.
fn type_into(input: &mut Input, key: Key) {
    let request = match (key.code, key.ctrl) {
        (KeyCode::Char(letter), false) if input.value().len() < LONGEST => InputRequest::InsertChar(letter),
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('a'), true) | (KeyCode::Home, _) => InputRequest::GoToStart,
        (KeyCode::Char('e'), true) | (KeyCode::End, _) => InputRequest::GoToEnd,
        (KeyCode::Backspace, _) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Left, _) => InputRequest::GoToPrevChar,
        (KeyCode::Right, _) => InputRequest::GoToNextChar,
        _ => return,
    };
    input.handle(request);
}

/// The digit's fix.
fn chosen(fixes: &[(FixId, String)], key: Key) -> Answer {
    let KeyCode::Char(letter) = key.code else { return Answer::Cancelled };
    let at = letter.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1));
    at.and_then(|at| fixes.get(at)).map_or(Answer::Cancelled, |(id, _)| Answer::Review(id.clone()))
}

/// `1 fx-3 title`, `2 fx-4 title`, as many as there are digits.
fn choices(fixes: &[(FixId, String)]) -> Vec<String> {
    let one = |(at, (id, title)): (usize, &(FixId, String))| format!("{} {id} {title}", at + 1);
    fixes.iter().take(9).enumerate().map(one).collect()
}

fn pointed(error: &QueryError) -> String {
    format!("{:>at$} {}", "^", error.what, at = error.at + 1)
}

#[cfg(test)]
#[expect(clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use stella_protocol::{ActionRequest, Verb};

    fn closing() -> Dialog {
        let request = ActionRequest { verb: Verb::Resolve, targets: Vec::new(), text: None, part: None };
        let steps = [Step::text("reason", "why?", false), Step::Yes];
        Dialog::steps(Order::Act(request), "resolve a-1".to_owned(), steps, 0)
    }

    #[test]
    fn a_closing_verb_needs_a_reason_line_a_pause_and_a_y() {
        let mut dialog = closing();
        dialog.paste("over\ny\ny");
        assert!(matches!(dialog.key(Key::plain(KeyCode::Enter), 1000), Answer::More));
        assert!(matches!(dialog.key(Key::char('y'), 1100), Answer::More), "deaf at first");
        let held = Key { repeat: true, ..Key::char('y') };
        assert!(matches!(dialog.key(held, 2000), Answer::More), "key repeat confirms nothing");
        dialog.paste("y");
        let Answer::Order(Order::Act(_), given) = dialog.key(Key::char('y'), 2000) else { panic!("y is yes") };
        assert_eq!(given, ["overyy"]);
    }

    #[test]
    fn enter_and_escape_are_no() {
        let mut dialog = closing();
        dialog.key(Key::plain(KeyCode::Enter), 0);
        assert!(matches!(dialog.key(Key::plain(KeyCode::Enter), 5000), Answer::Cancelled));
        assert!(matches!(closing().key(Key::plain(KeyCode::Esc), 0), Answer::Cancelled));
    }

    #[test]
    fn a_wrong_filter_shows_a_caret_and_cannot_be_kept() {
        let mut dialog = Dialog::filter(Listed::Alerts, "sev>=", 0);
        dialog.count(|_, _| 0);
        assert!(dialog.lines().hint.starts_with("     ^ "), "{:?}", dialog.lines().hint);
        assert!(matches!(dialog.key(Key::plain(KeyCode::Enter), 0), Answer::More));
    }
}
