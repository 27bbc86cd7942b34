//! One alert: facts and chart stand still at the top, everything else scrolls below.
//!
//! ```text
//! -- a-4f21abc  api ---------------------------------------------- 1 of 11 --
//!  CRIT FIRE 2m   first 14:30:19   seen x812   owner -   rule slow_operation v1
//!  chart with limit, what is usual, onset and deploys
//! -- evidence -- rule slow_operation v1 ---- 14:27 to 14:32, as of <1m ago --
//!  + 0.41 41 of 44 calls over 200 ms                            14:28:02
//!  - 0.10 error share unchanged 0.0 %                           14:30:00
//! -- what else changed -------------------------------------------------------
//!  deploy r8812 of api (op2)                          1m58s before onset
//! -- do next -------------------------------------------------------------
//!  1 look at the query plan …
//! ```
//!
//! The cursor is a line: Enter opens the log lines that a reason was counted from, copies an action,
//! opens the review of a fix, goes to another alert. A fix that waits or runs stands first, so that it is
//! seen without scrolling, and behind it the alert that explains this one.

mod body;
mod draw;
mod markdown;

use stella_protocol::{Alert, AlertId, Evidence, FixId, LogLink, Timestamp};

use super::asked::Asked as Fetched;
use super::plot::Window as TimeWindow;
use super::{Context, Go, View};
use crate::board::Board;
use crate::effect::{Effect, Query, Refusal, RequestId};
use crate::keys::{Intent, Motion};

pub use draw::{Frame, draw, list_area};

/// Evidence is asked for at most this often, in ms.
const REFRESH_MS: u64 = 1_000;

/// Which alert, how far scrolled, and what was answered about it.
#[derive(Debug, Default)]
pub struct State {
    alert: Option<AlertId>,
    evidence: Option<Box<Evidence>>,
    /// Why there is no evidence.
    failure: Option<String>,
    asked: Option<Asked>,
    /// An alert of the past, that the board does not have: nothing is done to it from here.
    past: Fetched<Box<Alert>>,
    stale: bool,
    line: usize,
    window: TimeWindow,
    raw: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    request: RequestId,
    at: u64,
    answered: bool,
}

/// What Enter does on a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// Nothing.
    Nothing,
    /// Show these lines.
    Lines(LogLink),
    /// Copy these words.
    Copy(String),
    /// Open the review of this fix.
    Fix(FixId),
    /// Show this alert.
    Alert(AlertId),
}

impl State {
    /// The alert that is shown.
    pub fn alert(&self) -> Option<&AlertId> {
        self.alert.as_ref()
    }

    /// Shows another alert.
    pub fn show(&mut self, id: &AlertId) {
        if self.alert.as_ref() != Some(id) {
            *self = Self { alert: Some(id.clone()), window: self.window, raw: self.raw, ..Self::default() };
        }
    }

    /// Shows the alert as the server sent it, or explained.
    pub fn set_raw(&mut self, raw: bool) {
        self.raw = raw;
    }

    /// The alert as it is painted: as the board has it, else as it was asked for.
    pub fn shown<'a>(&'a self, board: &'a Board) -> Option<&'a Alert> {
        let id = self.alert.as_ref()?;
        board.alerts.get(id).or_else(|| self.past.known().map(Box::as_ref).filter(|past| past.id == *id))
    }

    /// Takes an alert of the past.
    pub fn fetched(&mut self, request: RequestId, id: &AlertId, answer: Result<Box<Alert>, Refusal>) {
        if self.alert.as_ref() == Some(id) {
            self.past.take(request, answer);
        }
    }

    /// What is known about why the alert stands.
    pub fn known(&self) -> Option<&Evidence> {
        self.evidence.as_deref()
    }

    /// Asks for evidence when there is none, or newer.
    pub fn settle(&mut self, cx: &mut Context<'_>) {
        let Some(alert) = self.shown(cx.board) else { return self.look_up(cx) };
        let (id, version) = (alert.id.clone(), alert.brief.evidence_version);
        let current = self.evidence.as_ref().is_some_and(|evidence| evidence.version >= version);
        let waiting = self.asked.is_some_and(|asked| !asked.answered || cx.now.steady < asked.at + REFRESH_MS);
        self.stale = !current;
        if !current && !waiting {
            let request = cx.fetch(Query::Evidence(id));
            self.asked = Some(Asked { request, at: cx.now.steady, answered: false });
        }
    }

    /// Asks for an alert that the board does not have, once.
    fn look_up(&mut self, cx: &mut Context<'_>) {
        let is_open = !self.past.is_waiting() && self.past.failure().is_none() && cx.board.alerts.loaded();
        if let Some(id) = self.alert.clone().filter(|_| is_open) {
            self.past.ask(cx, Query::Alert(id));
        }
    }

    /// When newer evidence may be asked for: steady ms.
    pub fn wakes_at(&self) -> Option<u64> {
        let asked = self.asked.filter(|asked| asked.answered && self.stale)?;
        Some(asked.at + REFRESH_MS)
    }

    /// Takes the answer, unless it is about an alert that is no longer shown.
    pub fn evidence(&mut self, request: RequestId, id: &AlertId, answer: Result<Box<Evidence>, Refusal>) {
        if let Some(asked) = &mut self.asked
            && asked.request == request
        {
            asked.answered = true;
        }
        if self.alert.as_ref() != Some(id) {
            return;
        }
        match answer {
            Ok(evidence) => {
                self.evidence = Some(evidence);
                self.failure = None;
            }
            Err(refusal) => self.failure = Some(super::refusal_words(&refusal)),
        }
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => self.go(motion, cx),
            Intent::ZoomIn => self.window.zoom(true),
            Intent::ZoomOut => self.window.zoom(false),
            Intent::Earlier => self.window.shift(true),
            Intent::Later => self.window.shift(false),
            Intent::Raw => self.raw = !self.raw,
            Intent::Back => return Go::Back,
            Intent::Open => return self.open(cx),
            _ => {}
        }
        Go::Stay
    }

    /// A summary that can be pasted into a ticket.
    pub fn markdown(&self, alert: &Alert, view: &View<'_>) -> String {
        let evidence = self.evidence.as_deref().filter(|_| self.alert.as_ref() == Some(&alert.id));
        markdown::write(alert, evidence, view)
    }

    fn open(&mut self, cx: &mut Context<'_>) -> Go {
        let Some(alert) = self.shown(cx.board) else { return Go::Stay };
        let rows = body::targets(self, &cx.view(), alert);
        match rows.into_iter().nth(self.line) {
            Some(Target::Lines(link)) => Go::Lines(link, self.alert.clone()),
            Some(Target::Copy(words)) => {
                cx.effects.push(Effect::Copy(words));
                Go::Stay
            }
            Some(Target::Fix(id)) => Go::Review(id),
            Some(Target::Alert(id)) => Go::Detail(id),
            Some(Target::Nothing) | None => Go::Stay,
        }
    }

    fn go(&mut self, motion: Motion, cx: &Context<'_>) {
        let count = self.shown(cx.board).map_or(0, |alert| body::targets(self, &cx.view(), alert).len());
        let last = count.saturating_sub(1);
        let page = cx.rows.max(1);
        let to = motion.lead(self.line, last, page);
        self.line = to;
    }

    /// The span of the chart: it ends at the newest evidence.
    fn span(&self, view: &View<'_>) -> (Timestamp, Timestamp) {
        let newest =
            self.evidence.as_ref().map_or_else(|| view.board.clock(view.now), |evidence| evidence.refreshed_at);
        self.window.span(newest)
    }
}
