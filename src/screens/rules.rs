//! The rules: what is looked for, how it is set, what its alerts were worth; and the one that is looked at.
//!
//! ```text
//! -- rules ---------------------------------------------------- 9, 1 changed --
//!  ! rules.toml, line 12: unknown key `sensitvity`
//!    RULE              ON  BUDGET ALERTS FALSE ACK IN ORIGIN    LIMITS
//! >  error_spike       on  0.20/h     31    3%  2m10s built in  -
//!    slow_operation    on  0.20/h     12   25%  4m02s changed   durationMs 500 ms
//! ```
//!
//! Settings come by the feed; scores and what is wrong with the file are asked for when the screen is opened,
//! and again when the feed tells of a rule.

mod draw;
pub mod one;
mod paper;
mod words;

use stella_protocol::Rule;
use stella_protocol::rule::{MarkPage, RulePage, RulePreview};

use super::asked::Asked;
use super::rows::Rows;
use super::{Context, Go};
use crate::board::Board;
use crate::effect::{Query, Refusal, RequestId};
use crate::keys::Intent;

pub use draw::{draw, list_area};
pub use one::Thing;

/// Where the human is.
#[derive(Debug, Default)]
pub struct State {
    rows: Rows<String>,
    page: Asked<RulePage>,
    /// The rule that is looked at, over the list.
    one: Option<one::State>,
    /// How new the board was when the page was asked for.
    asked_at: Option<u64>,
    /// What the rows were arranged from: how new the board was, and how many pages had come.
    arranged: Option<(u64, u64)>,
    pages: u64,
}

impl State {
    /// The rule under the cursor.
    pub fn cursor(&self) -> Option<&str> {
        self.rows.cursor().map(String::as_str)
    }

    /// The rule that is looked at.
    pub fn one(&self) -> Option<&one::State> {
        self.one.as_ref()
    }

    /// The same, to be changed.
    pub fn one_mut(&mut self) -> Option<&mut one::State> {
        self.one.as_mut()
    }

    /// Looks at one rule; at the list again with None.
    pub fn open(&mut self, id: Option<&str>) {
        self.one = id.map(|id| one::State::new(id.to_owned()));
        if let Some(id) = id {
            self.rows.point_at(&id.to_owned());
        }
    }

    /// The screen was opened: everything is asked for anew.
    pub fn opened(&mut self, cx: &mut Context<'_>, near: Option<&str>) {
        if let Some(near) = near {
            self.rows.point_at(&near.to_owned());
        }
        self.one = None;
        self.asked_at = None;
        self.settle(cx);
    }

    /// Asks for what is not known yet, or is known to be old; brings the rows up to date.
    pub fn settle(&mut self, cx: &mut Context<'_>) {
        let revision = cx.board.rules.revision();
        if self.asked_at != Some(revision) && !self.page.is_waiting() && cx.board.link.state(cx.now).is_live() {
            self.asked_at = Some(revision);
            self.page.ask(cx, Query::Rules);
        }
        // Rules come and go with their file alone: nothing moves under a finger.
        if self.arranged != Some((revision, self.pages)) {
            self.arranged = Some((revision, self.pages));
            self.rows.arrange(self.all(cx.board).into_iter().map(|rule| rule.id.raw().to_owned()).collect());
        }
        self.rows.keep_in_sight(cx.rows);
        if let Some(one) = &mut self.one {
            one.settle(cx);
        }
    }

    /// Takes the page.
    pub fn page(&mut self, id: RequestId, answer: Result<RulePage, Refusal>) {
        self.page.take(id, answer);
        self.pages += 1;
    }

    /// Asks for the page again: somebody was faster.
    pub fn ask_again(&mut self) {
        self.asked_at = None;
    }

    /// Takes what was called false.
    pub fn marks(&mut self, id: RequestId, answer: Result<MarkPage, Refusal>) {
        if let Some(one) = &mut self.one {
            one.marks(id, answer);
        }
    }

    /// Takes what a change would make of the kept lines.
    pub fn preview(&mut self, id: RequestId, answer: Result<Box<RulePreview>, Refusal>) {
        if let Some(one) = &mut self.one {
            one.previewed(id, answer);
        }
    }

    /// A rule as it is known newest. Of one version the page has the fresher score.
    pub fn rule<'a>(&'a self, board: &'a Board, id: &str) -> Option<&'a Rule> {
        let told = board.rules.get(id);
        let read = self.page.known().and_then(|page| page.items.iter().find(|rule| rule.id.raw() == id));
        match (told, read) {
            (Some(told), Some(read)) if told.version > read.version => Some(told),
            (told, read) => read.or(told),
        }
    }

    /// What is wrong with the file of rules.
    fn problems(&self) -> Vec<String> {
        let page = self.page.known();
        page.map(|page| page.problems.iter().map(words::clean).collect()).unwrap_or_default()
    }

    fn all<'a>(&'a self, board: &'a Board) -> Vec<&'a Rule> {
        let read = self.page.known().map(|page| page.items.as_slice()).unwrap_or_default();
        let mut ids: Vec<&str> = read.iter().chain(board.rules.iter()).map(|rule| rule.id.raw()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.rule(board, id)).collect()
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        if let Some(one) = &self.one {
            let rule = self.rule(cx.board, one.id()).cloned();
            return match &mut self.one {
                Some(one) => one.update(cx, rule.as_ref(), intent),
                None => Go::Stay,
            };
        }
        match intent {
            Intent::Move(motion) => drop(self.rows.go(motion, cx.rows)),
            Intent::Open => {
                let id = self.cursor().map(str::to_owned);
                self.open(id.as_deref());
            }
            Intent::Back => return Go::Back,
            _ => {}
        }
        Go::Stay
    }
}
