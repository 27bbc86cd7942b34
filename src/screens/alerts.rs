//! The triage list.
//!
//! ```text
//!    SEV   AGE STATE SERVICE    SUMMARY                          30m      OWNER
//! >  CRIT   2m FIRE  api        get_shared_agents p50 3.1 s      ▁▁▂▃▆██▇ -
//! *  HIGH   9m ACK   auth       login: 14 failures from 203.0…   ▂▃▅▇▇▇▆▆ op2
//! -- new while you look: 1 CRIT, press . to let it in ------------------------
//!  two lines of peek at the row under the cursor
//! ```
//!
//! An alert that another one explains is folded under it: `l` unfolds the group, `h` folds it.
//!
//! The list never moves under a finger: cursor and marks are ids, and while a key was pressed in
//! the last two seconds, or the screen is held, rows keep their places and arrivals are counted.

mod draw;
mod groups;
mod order;

use std::collections::BTreeSet;

use stella_protocol::{ActionRequest, Alert, AlertId, Severity, Status, Target, Verb};
use stella_widgets::list::Window;

use super::{Context, Go, View};
use crate::filter::Filter;
use crate::keys::{Intent, Motion};
use groups::Groups;

pub use draw::{draw, list_area, peek, role, severity, state, word};
pub use order::{sorted, why};

/// Rows keep their places for this long after a key, in ms.
pub const STILL_MS: u64 = 2_000;

/// While the first rows come in, for this long, the cursor waits on top; then it is an id like ever.
pub const ARRIVING_MS: u64 = 3_000;

/// Where the human is in the list.
#[derive(Debug, Default)]
pub struct State {
    /// The rows as shown, top first.
    rows: Vec<AlertId>,
    /// What stands under what.
    groups: Groups,
    /// Alerts that would be shown, but wait for the hand to rest.
    waiting: Vec<(AlertId, Severity)>,
    cursor: Option<AlertId>,
    marks: BTreeSet<AlertId>,
    filter: Filter,
    offset: usize,
    held: bool,
    /// The human has moved: before that, and while the first rows come in, the cursor stays on top.
    moved: bool,
    /// When the first rows came: steady ms.
    first_rows: Option<u64>,
    seen_revision: u64,
    /// How many alerts are open in all, shown or not.
    open: usize,
}

impl State {
    /// The alert under the cursor.
    pub fn cursor(&self) -> Option<&AlertId> {
        self.cursor.as_ref()
    }

    /// The rows as shown.
    pub fn rows(&self) -> &[AlertId] {
        &self.rows
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// True while the human holds the screen.
    pub fn held(&self) -> bool {
        self.held
    }

    /// How many rows wait to be let in.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Marked alerts.
    pub fn marks(&self) -> &BTreeSet<AlertId> {
        &self.marks
    }

    /// Shows what another filter says.
    pub fn set_filter(&mut self, filter: Filter, cx: &mut Context<'_>) {
        self.filter = filter;
        self.arrange(cx);
    }

    /// True when a list of so many rows has room below its alerts for a newcomer's lines.
    pub fn coaches(&self, view: &View<'_>, rows: usize) -> bool {
        let lines = view.setup.coach.len();
        lines > 0 && !self.rows.is_empty() && rows.saturating_sub(self.rows.len()) >= lines + 2
    }

    /// Puts the cursor on an alert.
    pub fn point_at(&mut self, id: &AlertId) {
        if self.rows.contains(id) {
            self.cursor = Some(id.clone());
        }
    }

    /// Puts the cursor on an alert; where it is folded, its group is unfolded.
    pub fn reveal(&mut self, id: &AlertId) {
        if let Some(top) = self.groups.top(id).cloned() {
            self.groups.unfold(&top, &mut self.rows);
        }
        self.point_at(id);
    }

    /// The alert that is `step` rows from the cursor.
    pub fn neighbour(&self, step: isize) -> Option<AlertId> {
        let at = self.position()?.checked_add_signed(step)?;
        self.rows.get(at).cloned()
    }

    /// Brings the rows up to date, unless a hand is on the list. `since_key`: ms since the last key.
    pub fn settle(&mut self, cx: &mut Context<'_>, since_key: u64) {
        let still = self.held || (since_key < STILL_MS && !self.rows.is_empty());
        if still {
            if self.seen_revision != cx.board.alerts.revision() {
                self.note_arrivals(cx);
            }
        } else {
            self.arrange(cx);
        }
        self.offset = self.window(cx.rows).offset;
    }

    /// True when rows wait only for the hand to rest.
    pub fn will_settle(&self) -> bool {
        !self.held && !self.waiting.is_empty()
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        self.moved = true;
        match intent {
            Intent::Move(motion) => self.go(motion, cx.rows),
            Intent::Open => return self.cursor.clone().map_or(Go::Stay, Go::Detail),
            Intent::Mark => self.mark(),
            Intent::MarkAll => self.mark_all(cx),
            Intent::Hold => {
                self.held = !self.held;
                cx.say(if self.held { "held: rows keep their places, p lets go" } else { "following again" });
            }
            Intent::Accept => self.arrange(cx),
            Intent::Unfold => self.unfold(cx),
            Intent::Fold => self.fold(cx),
            Intent::NextProblem => self.next_problem(cx),
            Intent::Back => return self.peel(cx),
            _ => {}
        }
        Go::Stay
    }

    /// The alerts a verb is meant for: the marked ones, else the one under the cursor.
    pub fn meant(&mut self) -> Vec<AlertId> {
        self.moved = true;
        if self.marks.is_empty() { self.cursor.iter().cloned().collect() } else { self.marks.iter().cloned().collect() }
    }

    /// Forgets the marks, once a verb took them.
    pub fn unmark(&mut self) {
        self.marks.clear();
    }

    fn window(&self, height: usize) -> Window {
        Window::new(self.rows.len(), height).following(self.position(), self.offset)
    }

    fn position(&self) -> Option<usize> {
        let cursor = self.cursor.as_ref()?;
        self.rows.iter().position(|id| id == cursor)
    }

    fn arrange(&mut self, cx: &mut Context<'_>) {
        let before = self.position().unwrap_or(0);
        let now = cx.board.clock(cx.now);
        let shown = cx.board.alerts.iter().filter(|alert| self.filter.shows(alert, now, cx.me()));
        self.rows = self.groups.arrange(&sorted(shown), self.cursor.as_ref().filter(|_| self.moved));
        self.open = cx.board.alerts.iter().filter(|alert| alert.status.is_open()).count();
        self.waiting.clear();
        self.seen_revision = cx.board.alerts.revision();
        self.marks.retain(|id| self.groups.knows(id));
        if !self.rows.is_empty() {
            self.first_rows.get_or_insert(cx.now.steady);
        }
        let arriving = self.first_rows.is_none_or(|at| cx.now.steady < at + ARRIVING_MS);
        self.moved |= !arriving;
        if self.position().is_none() || !self.moved {
            let at = if self.moved { before.min(self.rows.len().saturating_sub(1)) } else { 0 };
            self.cursor = self.rows.get(at).cloned();
        }
    }

    fn note_arrivals(&mut self, cx: &Context<'_>) {
        let now = cx.board.clock(cx.now);
        let shown = cx.board.alerts.iter().filter(|alert| self.filter.shows(alert, now, cx.me()));
        let fresh = shown.filter(|alert| !self.groups.knows(&alert.id));
        self.waiting = fresh.map(|alert| (alert.id.clone(), alert.severity)).collect();
        self.seen_revision = cx.board.alerts.revision();
    }

    fn go(&mut self, motion: Motion, page: usize) {
        let last = self.rows.len().saturating_sub(1);
        let at = self.position().unwrap_or(0);
        let to = motion.lead(at, last, page);
        self.cursor = self.rows.get(to).cloned();
    }

    fn mark(&mut self) {
        let Some(id) = self.cursor.clone() else { return };
        if !self.marks.remove(&id) {
            self.marks.insert(id);
        }
        self.go(Motion::Down, 1);
    }

    fn mark_all(&mut self, cx: &mut Context<'_>) {
        if self.marks.len() == self.rows.len() {
            self.marks.clear();
        } else {
            self.marks = self.rows.iter().cloned().collect();
        }
        cx.say(format!("{} marked", self.marks.len()));
    }

    fn next_problem(&mut self, cx: &mut Context<'_>) {
        let new = |id: &&AlertId| cx.board.alerts.get(id).is_some_and(|alert| alert.status == Status::New);
        let after = self.position().map_or(0, |at| at + 1).min(self.rows.len());
        // What is folded under the row that the cursor is on comes next.
        let folded = |id: &&AlertId| !self.groups.is_unfolded(id);
        let below = self.cursor.iter().filter(folded).flat_map(|id| self.groups.under(id));
        let with_folded = |id| std::iter::once(id).chain(self.groups.under(id).filter(move |_| folded(&id)));
        let others = self.rows[after..].iter().chain(&self.rows).flat_map(with_folded);
        let found = below.chain(others).find(new).cloned();
        match found {
            Some(id) => self.reveal(&id),
            None => cx.say("nothing here that nobody has taken"),
        }
    }

    /// Shows what stands under the cursor; where it is shown already, goes there.
    fn unfold(&mut self, cx: &mut Context<'_>) {
        let Some(id) = self.cursor.clone() else { return };
        let first = self.groups.under(&id).next().cloned();
        match first {
            Some(first) if self.groups.is_unfolded(&id) => self.point_at(&first),
            Some(_) => self.groups.unfold(&id, &mut self.rows),
            None => cx.say("nothing is folded under this alert"),
        }
    }

    /// Folds the group that the cursor is in; the cursor goes to the alert that it stands under.
    fn fold(&mut self, cx: &mut Context<'_>) {
        let Some(id) = self.cursor.clone() else { return };
        let top = self.groups.top(&id).cloned().unwrap_or(id);
        if self.groups.is_unfolded(&top) {
            self.point_at(&top);
            self.groups.fold(&top, &mut self.rows);
        } else {
            cx.say("no group is unfolded here");
        }
    }

    fn peel(&mut self, cx: &mut Context<'_>) -> Go {
        if !self.marks.is_empty() {
            self.marks.clear();
        } else if !self.filter.text().is_empty() {
            self.set_filter(Filter::default(), cx);
        } else if self.held {
            self.held = false;
        }
        Go::Stay
    }
}

/// The request for a verb on these alerts at the versions the board shows. `acknowledge` on what
/// somebody else has becomes `take-over`, `resolve` on what is closed becomes `reopen`; a mixed bulk
/// keeps the verb.
pub fn request(verb: Verb, alerts: &[&Alert], me: &str) -> ActionRequest {
    let others = |alert: &&Alert| {
        alert.status == Status::Acknowledged && alert.acknowledged_by.as_ref().is_some_and(|by| by.raw() != me)
    };
    let verb = match verb {
        Verb::Acknowledge if !alerts.is_empty() && alerts.iter().all(others) => Verb::TakeOver,
        Verb::Resolve if !alerts.is_empty() && alerts.iter().all(|alert| !alert.status.is_open()) => Verb::Reopen,
        verb => verb,
    };
    // Many at once: what somebody else has is left to them.
    let mine = |alert: &&&Alert| verb != Verb::Acknowledge || alerts.len() == 1 || !others(alert);
    let targets =
        alerts.iter().filter(mine).map(|alert| Target { id: alert.id.clone(), version: alert.version }).collect();
    ActionRequest { verb, targets, text: None, part: None }
}
