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
//! the last two seconds. At the end of what the snapshot told, moving on asks for what ended before.

mod draw;
mod order;
mod words;

use stella_protocol::fix::FixPage;
use stella_protocol::{Fix, FixId};
use stella_widgets::list::Window;

use super::alerts::STILL_MS;
use super::{Context, Go};
use crate::board::fixes::Fixes;
use crate::effect::{Query, Refusal, RequestId};
use crate::keys::{Intent, Motion};

pub use draw::{draw, list_area};
pub use order::{Group, sorted};
pub(crate) use words::{approvals, left, risk, risk_role, status, status_role, when};

/// Where the human is in the list.
#[derive(Debug, Default)]
pub struct State {
    /// The rows as shown, top first.
    rows: Vec<FixId>,
    cursor: Option<FixId>,
    offset: usize,
    seen_revision: u64,
    is_behind: bool,
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
        self.cursor.as_ref()
    }

    /// The fix of a row: as the feed told it, else as the history has it.
    pub fn find<'a>(&'a self, fixes: &'a Fixes, id: &FixId) -> Option<&'a Fix> {
        fixes.get(id).or_else(|| self.past.fixes.iter().find(|fix| fix.id == *id))
    }

    /// The screen was opened by its number: nothing stands under a finger yet.
    pub fn opened(&mut self, cx: &Context<'_>) {
        self.arrange(&cx.board.fixes);
    }

    /// Brings the rows up to date, unless a hand is on the keys.
    pub fn settle(&mut self, cx: &Context<'_>, since_key: u64) {
        let is_new = self.seen_revision != cx.board.fixes.revision();
        self.is_behind |= is_new;
        self.seen_revision = cx.board.fixes.revision();
        if self.is_behind && (since_key >= STILL_MS || self.rows.is_empty()) {
            self.arrange(&cx.board.fixes);
        }
        self.offset = self.window(cx.rows).offset;
    }

    /// True when rows wait for the hand to rest.
    pub fn will_settle(&self) -> bool {
        self.is_behind
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => self.go(motion, cx),
            Intent::Open => return self.cursor.clone().map_or(Go::Stay, Go::Review),
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
                self.arrange(&cx.board.fixes);
            }
            Err(refusal) => cx.say(format!("no history: {}", super::refusal_words(&refusal))),
        }
    }

    fn arrange(&mut self, fixes: &Fixes) {
        let before = self.position().unwrap_or(0);
        let past = self.past.fixes.iter().filter(|fix| fixes.get(&fix.id).is_none());
        self.rows = order::sorted(fixes.iter().chain(past)).into_iter().map(|fix| fix.id.clone()).collect();
        self.is_behind = false;
        if self.position().is_none() {
            self.cursor = self.rows.get(before.min(self.rows.len().saturating_sub(1))).cloned();
        }
    }

    fn position(&self) -> Option<usize> {
        let cursor = self.cursor.as_ref()?;
        self.rows.iter().position(|id| id == cursor)
    }

    /// Which rows stand in `height` lines, when every row has one and headings are among them.
    fn window(&self, height: usize) -> Window {
        Window::new(self.rows.len(), height.saturating_sub(Group::ALL.len()).max(1))
            .following(self.position(), self.offset)
    }

    fn go(&mut self, motion: Motion, cx: &mut Context<'_>) {
        let (at, last) = (self.position().unwrap_or(0), self.rows.len().saturating_sub(1));
        let to = motion.lead(at, last, cx.rows.max(1));
        let onwards = matches!(motion, Motion::Down | Motion::HalfDown | Motion::PageDown | Motion::Last);
        if onwards && at == last && cx.board.fixes.loaded() && !self.past.is_all && self.past.asked.is_none() {
            self.past.asked = Some(cx.fetch(Query::FixHistory(self.past.next.clone())));
        }
        self.cursor = self.rows.get(to).cloned();
    }
}
