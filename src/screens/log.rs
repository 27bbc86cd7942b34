//! The kept lines: around an alert with its own lines marked, by a query, or the stream as it comes.
//!
//! ```text
//! -- log around a-4f21abc -- 14:26:00 to 14:33:00 ------------ 214 lines --
//!   14:28:02 WARN  api    Slow get_shared_agents: 734ms (threshold: 200ms)
//! * 14:28:02 ERROR api    pool exhausted
//! ```
//!
//! The lines stand still while the cursor is not on the last one; on the last one they follow.

mod draw;

use stella_protocol::query::{self, Query as Filter};
use stella_protocol::snapshot::{LogLine, LogPage};
use stella_protocol::{AlertId, Level, LineId, LogLink};

use super::{Context, Go};
use crate::effect::{LogAsk, Query, Refusal, RequestId};
use crate::event::Now;
use crate::keys::{Intent, Motion};

pub use draw::{draw, list_area};

/// Lines asked for at once.
const PAGE: u32 = 500;
/// Most lines that are held.
const MOST: usize = 5_000;
/// While following, new lines are asked for this often, in ms.
const FOLLOW_MS: u64 = 1_000;
/// How much is shown before an alert's first line, in ms; going up loads more.
const BEFORE_MS: i64 = 5_000;

/// Where the human is.
#[derive(Debug, Default)]
pub struct State {
    subject: Subject,
    lines: Vec<LogLine>,
    cursor: Option<LineId>,
    open: Option<LineId>,
    search: Search,
    asked: Option<(RequestId, Want)>,
    asked_at: u64,
    held: bool,
    failure: Option<String>,
    /// There is nothing older, or newer, on the server.
    ends: (bool, bool),
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Subject {
    /// The newest lines.
    #[default]
    Stream,
    /// What happened around an alert.
    Around(AlertId),
    /// The lines that a number was counted from.
    Link(LogLink, Option<AlertId>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Anew,
    Older,
    Newer,
}

#[derive(Debug, Default)]
struct Search {
    text: String,
    query: Filter,
}

impl State {
    /// What was searched for.
    pub fn search_text(&self) -> &str {
        &self.search.text
    }

    /// The screen was opened by its number: the stream.
    pub fn opened(&mut self, cx: &mut Context<'_>) {
        if self.lines.is_empty() || self.subject == Subject::Stream {
            self.look_at(cx, Subject::Stream);
        }
    }

    /// The screen is being left: the next visit begins with the stream.
    pub fn closed(&mut self, _: &mut Context<'_>) {
        *self = Self::default();
    }

    /// Shows what happened around an alert.
    pub fn open_around(&mut self, cx: &mut Context<'_>, id: &AlertId) {
        self.look_at(cx, Subject::Around(id.clone()));
    }

    /// Shows the lines that a number was counted from.
    pub fn open_link(&mut self, cx: &mut Context<'_>, link: &LogLink, alert: Option<AlertId>) {
        self.look_at(cx, Subject::Link(link.clone(), alert));
    }

    /// Looks for a query in the lines that are there, and goes to the first match.
    pub fn search(&mut self, cx: &mut Context<'_>, text: &str) {
        let query = query::parse(text).unwrap_or_default();
        self.search = Search { text: text.to_owned(), query };
        if !text.trim().is_empty() {
            let found = self.lines.iter().filter(|line| self.search.query.matches(&line.event)).count();
            cx.say(format!("{found} of {} lines match; n next, N previous", self.lines.len()));
            self.jump(cx, true, Self::is_match);
        }
    }

    /// When the stream wants new lines: steady ms.
    pub fn wakes_at(&self, now: Now) -> Option<u64> {
        (self.asked.is_none() && self.follows()).then_some((self.asked_at + FOLLOW_MS).max(now.steady + 1))
    }

    /// Keeps following.
    pub fn settle(&mut self, cx: &mut Context<'_>) {
        let due = cx.now.steady >= self.asked_at + FOLLOW_MS;
        if self.asked.is_none() && self.follows() && due {
            self.ask(cx, Want::Newer);
        }
    }

    /// Takes lines.
    pub fn lines(&mut self, cx: &mut Context<'_>, request: RequestId, answer: Result<LogPage, Refusal>) {
        let Some((_, want)) = self.asked.take_if(|(asked, _)| *asked == request) else { return };
        match answer {
            Ok(page) => self.take(want, page),
            Err(refusal) => {
                let words = match refusal {
                    Refusal::Problem(problem) => stella_widgets::text::sanitise(problem.title.raw()).into_string(),
                    Refusal::Unknown(why) => stella_widgets::text::sanitise(why.raw()).into_string(),
                    Refusal::Query(error) => error.to_string(),
                };
                cx.say(format!("no lines: {words}"));
                self.failure = Some(words);
            }
        }
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => self.go(motion, cx),
            Intent::Open => self.open = if self.open == self.cursor { None } else { self.cursor },
            Intent::NextProblem => self.jump(cx, true, |_, line| line.event.level == Level::Error),
            Intent::NextMatch => self.jump(cx, true, Self::is_match),
            Intent::PreviousMatch => self.jump(cx, false, Self::is_match),
            Intent::Hold => self.held = !self.held,
            Intent::Back if self.open.is_some() => self.open = None,
            Intent::Back if !self.search.text.is_empty() => self.search = Search::default(),
            Intent::Back if self.held => self.held = false,
            Intent::Back => return Go::Back,
            _ => {}
        }
        Go::Stay
    }

    /// True when exactly these lines were counted: there is nothing around them.
    fn is_counted(&self) -> bool {
        matches!(self.subject, Subject::Link(..))
    }

    /// What `n` and `N` go to: lines that the search finds; without a search the alert's own lines.
    fn is_match(&self, line: &LogLine) -> bool {
        if self.search.text.is_empty() { self.marks(line) } else { self.search.query.matches(&line.event) }
    }

    /// True when the line belongs to the alert that is looked at.
    fn marks(&self, line: &LogLine) -> bool {
        line.matched && self.subject != Subject::Stream
    }

    fn follows(&self) -> bool {
        let at_end = self.cursor.is_none() || self.cursor == self.lines.last().map(|line| line.id);
        self.subject == Subject::Stream && at_end && !self.held
    }

    fn look_at(&mut self, cx: &mut Context<'_>, subject: Subject) {
        let search = std::mem::take(&mut self.search);
        *self = Self { subject, search, ..Self::default() };
        self.ask(cx, Want::Anew);
    }

    fn ask(&mut self, cx: &mut Context<'_>, want: Want) {
        let (from, to, alert, q) = match &self.subject {
            Subject::Stream => (None, None, None, String::new()),
            Subject::Around(id) => {
                let first = cx.board.alerts.get(id).map(|alert| alert.first_seen);
                (first.map(|first| first.plus_millis(-BEFORE_MS)), None, Some(id.clone()), String::new())
            }
            Subject::Link(link, alert) => (Some(link.from), Some(link.to), alert.clone(), link.q.raw().to_owned()),
        };
        let mut ask = LogAsk { q, alert, from, to, limit: PAGE, ..LogAsk::default() };
        match want {
            Want::Anew => {}
            Want::Older => {
                ask.before = self.lines.first().map(|line| line.id);
                ask.from = ask.from.filter(|_| self.is_counted());
            }
            Want::Newer => ask.after = self.lines.last().map(|line| line.id),
        }
        let request = cx.fetch(Query::Logs(ask));
        self.asked = Some((request, want));
        self.asked_at = cx.now.steady;
    }

    fn take(&mut self, want: Want, page: LogPage) {
        self.failure = None;
        let following = self.follows();
        match want {
            Want::Anew => {
                let marked = page.items.iter().find(|line| line.matched).map(|line| line.id);
                self.cursor = if self.subject == Subject::Stream { None } else { marked };
                self.lines = page.items;
            }
            Want::Older => {
                self.ends.0 = page.items.is_empty();
                self.lines.splice(0..0, page.items);
                self.lines.truncate(MOST);
            }
            Want::Newer => {
                self.ends.1 = page.items.is_empty();
                self.lines.extend(page.items);
                let over = self.lines.len().saturating_sub(MOST);
                self.lines.drain(..over);
            }
        }
        if following || self.cursor.is_none() {
            self.cursor = self.lines.last().map(|line| line.id);
        }
    }

    fn position(&self) -> usize {
        let cursor = self.cursor.unwrap_or_default();
        self.lines.partition_point(|line| line.id < cursor).min(self.lines.len().saturating_sub(1))
    }

    fn go(&mut self, motion: Motion, cx: &mut Context<'_>) {
        let (at, page, last) = (self.position(), cx.rows.max(1), self.lines.len().saturating_sub(1));
        let to = motion.lead(at, last, page);
        self.cursor = self.lines.get(to).map(|line| line.id);
        let onwards = matches!(motion, Motion::Down | Motion::HalfDown | Motion::PageDown | Motion::Last);
        if self.asked.is_none() && to == 0 && at == 0 && !onwards && !self.ends.0 {
            self.ask(cx, Want::Older);
        } else if self.asked.is_none() && at == last && onwards && !self.ends.1 {
            self.ask(cx, Want::Newer);
        }
    }

    fn jump(&mut self, cx: &mut Context<'_>, forward: bool, fits: impl Fn(&Self, &LogLine) -> bool) {
        let (at, count) = (self.position(), self.lines.len());
        let order: Vec<usize> = if forward {
            (at + 1..count).chain(0..=at.min(count.saturating_sub(1))).collect()
        } else {
            (0..at).rev().chain((at..count).rev()).collect()
        };
        match order.into_iter().find(|index| self.lines.get(*index).is_some_and(|line| fits(self, line))) {
            Some(found) => {
                let wrapped = if forward { found <= at } else { found >= at };
                if wrapped && count > 1 {
                    cx.say("search went round the end");
                }
                self.cursor = Some(self.lines[found].id);
            }
            None => cx.say("no line here matches"),
        }
    }
}
