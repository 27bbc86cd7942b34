//! One fix before, while and after it runs: exactly what would run, why now, what stands in the way.
//!
//! ```text
//! -- fx-118  roll back pay-api r8812 to r8811 --------------------- pending --
//!  pending  risk HIGH  yes 0/2  11m left   service:pay-api   by rule:regress
//!  for a-4f21abc 5xx ratio 12.1%
//!  gates  9 ok  1 look [!!]
//! -- what will run -----------------------------------------------------------
//!  1 freeze deploys of pay-api
//!      POST https://deploy.internal/freeze
//!      undo   unfreeze: DELETE https://deploy.internal/freeze
//! -- gates -------------------------------------------------------------------
//!  [ok] the feed is live
//! ```
//!
//! The fix shown is the newer one of what the feed told and what was asked for. A verb is bound to the
//! version and the digest that were painted; it is the model that reads once more before it sends.

mod case;
mod draw;
mod live;
mod page;
mod plan;
mod verbs;

use std::collections::BTreeMap;

use stella_protocol::fix::{FixReview, OutputPage, StepState};
use stella_protocol::{AlertId, Evidence, Fix, FixId, FixOutput};

use super::{Context, Go, View, refusal_words};
use crate::board::Board;
use crate::board::fixes::LINES;
use crate::effect::{Query, Refusal, RequestId};
use crate::event::Now;
use crate::keys::{Intent, Place};

pub use draw::{draw, list_area};
pub use verbs::off;

/// What surrounds an open fix is asked for again after so long, in ms.
const REFRESH_MS: u64 = 5_000;
/// And at most this often, however often the fix changes.
const OFTEN_MS: u64 = 1_000;

/// Which fix, how far scrolled, and what was answered about it.
#[derive(Debug)]
pub struct State {
    id: FixId,
    from: Place,
    review: Option<Box<FixReview>>,
    failure: Option<String>,
    asked: Option<Asked>,
    evidence: Option<(AlertId, Box<Evidence>)>,
    evidence_asked: bool,
    /// What it said before this console listened, by number.
    output: BTreeMap<u64, FixOutput>,
    output_asked: Option<RequestId>,
    output_begun: bool,
    top: usize,
    last: usize,
    /// Rows that scroll.
    height: usize,
    shows: Shows,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// The fix, explained.
    Case,
    /// The same, and which keys are off.
    Keys,
    /// The fix as the server sent it.
    Raw,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    request: RequestId,
    at: u64,
    answered: bool,
}

impl State {
    /// The review of a fix, opened from a screen.
    pub fn new(id: FixId, from: Place) -> Self {
        Self {
            id,
            from,
            review: None,
            failure: None,
            asked: None,
            evidence: None,
            evidence_asked: false,
            output: BTreeMap::new(),
            output_asked: None,
            output_begun: false,
            top: 0,
            last: 0,
            height: 0,
            shows: Shows::Case,
        }
    }

    /// Which fix.
    pub fn id(&self) -> &FixId {
        &self.id
    }

    /// Where it was opened.
    pub fn from(&self) -> Place {
        self.from
    }

    /// The fix as it is painted.
    pub fn fix<'a>(&'a self, board: &'a Board) -> Option<&'a Fix> {
        let answered = self.review.as_ref().map(|review| &review.fix);
        match (board.fixes.get(&self.id), answered) {
            (Some(told), Some(answered)) if answered.version > told.version => Some(answered),
            (told, answered) => told.or(answered),
        }
    }

    /// Asks for what is not known, or older than the fix.
    pub fn settle(&mut self, cx: &mut Context<'_>) {
        if self.is_due(cx) {
            let request = cx.fetch(Query::Fix(self.id.clone()));
            self.asked = Some(Asked { request, at: cx.now.steady, answered: false });
        }
        let Some(fix) = self.fix(cx.board) else { return };
        let begun = fix.steps.iter().any(|step| step.state != StepState::Waiting);
        let alert = fix.alert_id.clone();
        if begun && !self.output_begun {
            self.output_begun = true;
            self.output_asked = Some(cx.fetch(Query::FixOutput { id: self.id.clone(), after: 0 }));
        }
        if let Some(alert) = alert
            && !self.evidence_asked
        {
            self.evidence_asked = true;
            cx.fetch(Query::Evidence(alert));
        }
        self.height = cx.rows;
        self.last = self.hidden(&cx.view(), cx.size.0, cx.rows);
        self.top = self.top.min(self.last);
    }

    fn is_due(&self, cx: &Context<'_>) -> bool {
        self.asked.is_none() || self.wakes_at(cx.board, cx.now).is_some_and(|at| cx.now.steady >= at)
    }

    /// True when what surrounds the fix was asked for before its last change.
    fn is_older(&self, board: &Board) -> bool {
        let version = self.review.as_ref().map_or(0, |review| review.fix.version);
        board.fixes.get(&self.id).is_some_and(|told| told.version > version)
    }

    fn is_open(&self, board: &Board) -> bool {
        self.fix(board).is_none_or(|fix| fix.status.is_open())
    }

    /// When it asks again: steady ms. A dead feed is not asked about; who says no is not asked often.
    pub fn wakes_at(&self, board: &Board, now: Now) -> Option<u64> {
        let asked = self.asked.filter(|asked| asked.answered && board.link.state(now).is_live())?;
        if self.failure.is_none() && self.is_older(board) {
            return Some(asked.at + OFTEN_MS);
        }
        (self.failure.is_some() || self.is_open(board)).then_some(asked.at + REFRESH_MS)
    }

    /// Takes the fix and what surrounds it, as it is now.
    pub fn reviewed(&mut self, request: RequestId, answer: &Result<Box<FixReview>, Refusal>) {
        if let Some(asked) = &mut self.asked
            && asked.request == request
        {
            asked.answered = true;
        }
        match answer {
            Ok(review) if review.fix.id == self.id => {
                self.review = Some(review.clone());
                self.failure = None;
            }
            Ok(_) => {}
            Err(refusal) => self.failure = Some(refusal_words(refusal)),
        }
    }

    /// Takes why the alert stands.
    pub fn evidence(&mut self, alert: &AlertId, answer: &Result<Box<Evidence>, Refusal>) {
        if let Ok(evidence) = answer {
            self.evidence = Some((alert.clone(), evidence.clone()));
        }
    }

    /// Takes lines, and asks for the next ones: the last are the ones that count.
    pub fn said(&mut self, cx: &mut Context<'_>, request: RequestId, answer: Result<OutputPage, Refusal>) {
        if self.output_asked.take_if(|asked| *asked == request).is_none() {
            return;
        }
        let Ok(page) = answer else { return };
        let newest = page.items.last().map(|line| line.number);
        self.output.extend(page.items.into_iter().filter(|line| line.id == self.id).map(|line| (line.number, line)));
        while self.output.len() > LINES {
            self.output.pop_first();
        }
        if let (Some(after), true) = (newest, page.next.is_some()) {
            self.output_asked = Some(cx.fetch(Query::FixOutput { id: self.id.clone(), after }));
        }
    }

    /// The lines that are known, oldest first.
    fn lines<'a>(&'a self, board: &'a Board) -> Vec<&'a FixOutput> {
        let newest = self.output.last_key_value().map_or(0, |(number, _)| *number);
        let told = board.fixes.output(&self.id).filter(|line| line.number > newest);
        self.output.values().chain(told).collect()
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => self.top = motion.lead(self.top, self.last, cx.rows.max(1)),
            Intent::Raw => self.show(Shows::Raw),
            Intent::Why => self.show(Shows::Keys),
            Intent::Back if self.shows != Shows::Case => self.show(Shows::Case),
            Intent::Back => return Go::Back,
            _ => {}
        }
        Go::Stay
    }

    /// Shows this from its top; what is shown already is left.
    fn show(&mut self, what: Shows) {
        self.shows = if self.shows == what { Shows::Case } else { what };
        self.top = 0;
    }

    /// How many rows do not fit.
    fn hidden(&self, view: &View<'_>, width: u16, height: usize) -> usize {
        let Some(fix) = self.fix(view.board) else { return 0 };
        let (left, right) = draw::columns(self, view, fix, width);
        left.len().max(right.len()).saturating_sub(height)
    }
}
