//! The fixes: what waits for a decision, what runs, what is in doubt; below that what ended.
//!
//! ```text
//! -- waiting for a decision -- 2 -----------------------------------------------
//! >  fx-118 pending     HIGH roll back pay-api r8812     service:pay-api 0/2 11m left
//! -- under way -- 1 ------------------------------------------------------------
//!    fx-117 running     LOW  clear the cache of search   service:search  -   for 2m
//! -- ended ---------------------------------------------------------------------
//!    fx-116 executed    MED  restart ingest              service:ingest  1/1 1h ago
//! ```
//!
//! As in the list of alerts the cursor is an id, and rows keep their places while a key was pressed in
//! the last two seconds, under the headings that they had. `/` filters. At the end of what the snapshot told,
//! moving on asks for what ended before.

mod draw;
mod order;
mod words;

use stella_protocol::fix::FixPage;
use stella_protocol::{Fix, FixId};
use stella_widgets::list::Window;

use super::rows::Rows;
use super::{Context, Go};
use crate::board::fixes::Fixes;
use crate::effect::{Query, Refusal, RequestId};
use crate::filter::Filter;
use crate::keys::{Intent, Motion};

pub use draw::{draw, list_area};
pub use order::{Group, sorted};
pub(crate) use words::{approvals, left, risk, risk_role, status, status_role, when};

/// Where the human is in the list.
#[derive(Debug, Default)]
pub struct State {
    rows: Rows<FixId>,
    /// How many rows each group had when they were arranged: headings keep their places with the rows.
    groups: Vec<(Group, usize)>,
    filter: Filter,
    past: Past,
}

/// What ended before the board begins.
#[derive(Debug, Default)]
struct Past {
    fixes: Vec<Fix>,
    asked: Option<RequestId>,
    next: Option<String>,
    /// There is nothing older.
    is_all: bool,
}

impl State {
    /// The fix under the cursor.
    pub fn cursor(&self) -> Option<&FixId> {
        self.rows.cursor()
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Shows what another filter says.
    pub fn set_filter(&mut self, filter: Filter, cx: &Context<'_>) {
        self.filter = filter;
        self.arrange(cx);
    }

    /// The fix of a row: as the feed told it, else as the history has it.
    pub fn find<'a>(&'a self, fixes: &'a Fixes, id: &FixId) -> Option<&'a Fix> {
        fixes.get(id).or_else(|| self.past.fixes.iter().find(|fix| fix.id == *id))
    }

    /// All that is known, in no order.
    pub fn known<'a>(&'a self, fixes: &'a Fixes) -> impl Iterator<Item = &'a Fix> {
        fixes.iter().chain(self.past.fixes.iter().filter(|fix| fixes.get(&fix.id).is_none()))
    }

    /// The screen is looked at anew: nothing stands under a finger yet.
    pub fn opened(&mut self, cx: &Context<'_>) {
        self.arrange(cx);
    }

    /// Something else was on the screen.
    pub fn let_go(&mut self) {
        self.rows.let_go();
    }

    /// Brings the rows up to date, unless a hand is on the keys.
    pub fn settle(&mut self, cx: &Context<'_>, since_key: u64) {
        if self.rows.is_due(cx.board.fixes.revision(), since_key) {
            self.arrange(cx);
        }
        self.rows.keep_in_sight(self.room(cx.rows));
    }

    /// True when rows wait for the hand to rest.
    pub fn will_settle(&self) -> bool {
        self.rows.will_settle()
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => self.go(motion, cx),
            Intent::Open => return self.cursor().cloned().map_or(Go::Stay, Go::Review),
            Intent::Back if !self.filter.text().is_empty() => self.set_filter(Filter::default(), cx),
            Intent::Back => return Go::Back,
            _ => {}
        }
        Go::Stay
    }

    /// Takes a page of what ended before.
    pub fn history(&mut self, cx: &mut Context<'_>, request: RequestId, answer: Result<FixPage, Refusal>) {
        if self.past.asked.take_if(|asked| *asked == request).is_none() {
            return;
        }
        match answer {
            Ok(page) => {
                self.past.is_all = page.next.is_none();
                self.past.next = page.next;
                let known = |fix: &Fix| self.past.fixes.iter().any(|other| other.id == fix.id);
                let fresh: Vec<Fix> = page.items.into_iter().filter(|fix| !known(fix)).collect();
                self.past.fixes.extend(fresh);
                self.arrange(cx);
            }
            Err(refusal) => cx.say(format!("no history: {}", super::refusal_words(&refusal))),
        }
    }

    fn arrange(&mut self, cx: &Context<'_>) {
        let (now, me) = (cx.board.clock(cx.now), cx.me());
        let shown = self.known(&cx.board.fixes).filter(|fix| self.filter.shows_fix(fix, now, me));
        let sorted = order::sorted(shown);
        let runs = sorted.chunk_by(|left, right| Group::of(left) == Group::of(right));
        let groups = runs.map(|run| (Group::of(run[0]), run.len())).collect();
        let ids = sorted.into_iter().map(|fix| fix.id.clone()).collect();
        self.rows.arrange(ids);
        self.groups = groups;
    }

    /// The group that a row was arranged in, and how many rows that has.
    fn group(&self, row: usize) -> Option<(Group, usize)> {
        let mut end = 0;
        self.groups.iter().copied().find(|(_, count)| {
            end += count;
            row < end
        })
    }

    /// Which rows stand in `height` lines, when every row has one and headings are among them.
    fn window(&self, height: usize) -> Window {
        self.rows.window(self.room(height))
    }

    /// Rows that `lines` have beside the headings, and beside the line that says how many are below.
    fn room(&self, lines: usize) -> usize {
        let room = lines.saturating_sub(self.groups.len());
        if room < self.rows.ids().len() { room.saturating_sub(1) } else { room }
    }

    fn go(&mut self, motion: Motion, cx: &mut Context<'_>) {
        let was_last = self.rows.go(motion, cx.rows);
        let onwards = matches!(motion, Motion::Down | Motion::HalfDown | Motion::PageDown | Motion::Last);
        if onwards && was_last && cx.board.fixes.loaded() && !self.past.is_all && self.past.asked.is_none() {
            self.past.asked = Some(cx.fetch(Query::FixHistory(self.past.next.clone())));
        }
    }
}
