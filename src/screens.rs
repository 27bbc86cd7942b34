//! Where the human is: one file a screen, each in the order picture, State, update, view model, draw.
//!
//! Architecture Invariant: a screen knows the board and its own state, never another screen's state,
//! HTTP, the clock or a terminal library.

pub mod alerts;
mod asked;
pub mod company;
pub mod deploys;
pub mod detail;
pub mod first_run;
pub mod fixes;
pub mod help;
pub mod log;
pub mod marks;
pub mod metrics;
pub mod migrations;
mod page;
pub mod plot;
pub mod review;
mod rows;
pub mod rules;
mod table;

use ratatui::style::Style;
use stella_protocol::{AlertId, FixId, LogLink, MigrationId, Problem, Role as Rank, Timestamp};
use stella_widgets::text::sanitise;

use crate::board::Board;
use crate::effect::{Effect, Query, Refusal, RequestId};
use crate::event::Now;
use crate::model::requests::Requests;
use crate::model::{Setup, TimeFormat};
use crate::theme::{Role, Theme};

const MINUTE_MS: i64 = 60_000;

/// What a screen's update may read and ask for.
pub struct Context<'a> {
    /// What the server said.
    pub board: &'a Board,
    /// What was configured.
    pub setup: &'a Setup,
    /// The moment of the event.
    pub now: Now,
    /// Rows that the screen's list has on the terminal.
    pub rows: usize,
    /// Size of the terminal.
    pub size: (u16, u16),
    /// How times are written.
    pub time: TimeFormat,
    /// Changes under way.
    pub requests: &'a mut Requests,
    /// What is to be done.
    pub effects: &'a mut Vec<Effect>,
    /// Said in the footer.
    pub notice: &'a mut Option<String>,
}

impl Context<'_> {
    /// Who we are: as the server says, else as configured.
    pub fn me(&self) -> &str {
        self.board.me().unwrap_or(self.setup.me.raw())
    }

    /// What the drawing will read.
    pub fn view(&self) -> View<'_> {
        View { board: self.board, setup: self.setup, now: self.now, time: self.time, requests: self.requests }
    }

    /// Asks the server something.
    pub fn fetch(&mut self, query: Query) -> RequestId {
        let id = self.requests.next_id();
        self.effects.push(Effect::Fetch(id, query));
        id
    }

    /// Says something in the footer.
    pub fn say(&mut self, words: impl Into<String>) {
        *self.notice = Some(words.into());
    }
}

/// What a screen's drawing may read.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What the server said.
    pub board: &'a Board,
    /// What was configured.
    pub setup: &'a Setup,
    /// The moment of the frame.
    pub now: Now,
    /// How times are written.
    pub time: TimeFormat,
    /// Changes under way.
    pub requests: &'a Requests,
}

/// Why this console may send no verb at all, whatever the link allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// It was started so.
    ReadOnly,
    /// The server lets this role only look.
    Role(Rank),
}

impl Bar {
    /// The reason, for a key that was pressed nevertheless.
    pub fn words(self) -> String {
        match self {
            Self::ReadOnly => "read-only: this console sends nothing (--readonly)".to_owned(),
            Self::Role(role) => format!("your role is {}: verbs need responder", role.word()),
        }
    }

    /// The same for a column.
    pub fn short(self) -> &'static str {
        match self {
            Self::ReadOnly => "off: read-only",
            Self::Role(_) => "off: your role",
        }
    }
}

impl View<'_> {
    /// What bars every verb; None: nothing does.
    pub fn bar(&self) -> Option<Bar> {
        if self.setup.readonly {
            return Some(Bar::ReadOnly);
        }
        let (_, role) = self.board.principal.as_ref()?;
        (!role.allows(Rank::Responder)).then_some(Bar::Role(*role))
    }

    /// Who we are: as the server says, else as configured.
    pub fn me(&self) -> &str {
        self.board.me().unwrap_or(self.setup.me.raw())
    }

    /// Why whoever looks may not do what asks for this role; None: they may, or nobody said who they are.
    pub fn lacks(&self, wanted: Rank) -> Option<String> {
        if self.setup.readonly {
            return Some(Bar::ReadOnly.words());
        }
        let (_, role) = self.board.principal.as_ref()?;
        let words = || format!("your role is {}: this needs {}", role.word(), wanted.word());
        (!role.allows(wanted)).then(words)
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.theme().style(role)
    }

    /// The theme.
    pub fn theme(&self) -> &Theme {
        &self.setup.theme
    }

    /// A moment as the operator wants it: an age in the list, a clock time otherwise. Ages count up
    /// to the last minute edge, so that nothing on an idle screen moves in between.
    pub fn age(&self, at: Timestamp) -> String {
        if self.tells_ages() {
            stella_widgets::number::age((self.minute() - at.millis()).max(0))
        } else {
            self.clock(at)
        }
    }

    /// True when ages are told: what is shown is fresh, and nobody asked for clock times.
    pub fn tells_ages(&self) -> bool {
        self.time == TimeFormat::Ages && !self.board.link.state(self.now).is_old()
    }

    /// The last minute edge, in ms.
    fn minute(&self) -> i64 {
        self.board.clock(self.now).millis().div_euclid(MINUTE_MS) * MINUTE_MS
    }

    /// How long it is until a moment, as [`Self::age`] tells how long it was since.
    pub fn until(&self, at: Timestamp) -> String {
        if self.tells_ages() {
            stella_widgets::number::age((at.millis() - self.minute()).max(0))
        } else {
            self.clock(at)
        }
    }

    /// How far a newcomer has come: 0 nothing yet, 1 has acknowledged, 2 has closed something.
    pub fn coach_step(&self) -> usize {
        let mine = |by: &Option<stella_protocol::Text>| {
            by.as_ref().is_some_and(|by| self.board.principal.as_ref().is_some_and(|(me, _)| me == by))
        };
        let mut alerts = self.board.alerts.iter();
        if alerts.clone().any(|alert| mine(&alert.resolved_by)) {
            2
        } else {
            usize::from(alerts.any(|alert| mine(&alert.acknowledged_by)))
        }
    }

    /// Hours and minutes, local or UTC as configured.
    pub fn clock(&self, at: Timestamp) -> String {
        self.written(at, "%H:%M")
    }

    /// Month and day: a recording may be of any day.
    pub fn day(&self, at: Timestamp) -> String {
        self.written(at, "%m-%d")
    }

    /// Hours, minutes and seconds.
    pub fn seconds(&self, at: Timestamp) -> String {
        self.written(at, "%H:%M:%S")
    }

    fn written(&self, at: Timestamp, pattern: &str) -> String {
        if self.local() {
            at.to_utc().with_timezone(&chrono::Local).format(pattern).to_string()
        } else {
            at.to_utc().format(pattern).to_string()
        }
    }

    /// True when clock times are local ones.
    pub fn local(&self) -> bool {
        match self.time {
            TimeFormat::Ages => self.setup.local_time,
            TimeFormat::Local => true,
            TimeFormat::Utc => false,
        }
    }
}

/// Where a screen wants to go.
#[derive(Debug, Clone, PartialEq)]
pub enum Go {
    /// Stay.
    Stay,
    /// One layer back.
    Back,
    /// Into this alert.
    Detail(AlertId),
    /// To the lines of this link, marking those of the alert.
    Lines(LogLink, Option<AlertId>),
    /// To the review of this fix.
    Review(FixId),
    /// To this migration.
    Migration(MigrationId),
    /// To what was called false, by its fingerprint.
    Mark(String),
    /// Stay, and ask what is to become of the thing under the cursor.
    Decide,
}

/// What is wrong, and what to do about it where that is said; safe to show.
pub fn problem_words(problem: &Problem) -> String {
    let said = [&problem.title, &problem.detail].map(|text| sanitise(text.raw()).into_string());
    said.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ")
}

/// A refusal in words.
pub fn refusal_words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Problem(problem) => problem_words(problem),
        Refusal::Unknown(why) => sanitise(why.raw()).into_string(),
        Refusal::Query(error) => error.to_string(),
    }
}
