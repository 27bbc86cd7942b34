//! One migration before, while and after it works: how far, how fast, how long still, what stands in the
//! way, and what each key would do now.
//!
//! ```text
//! -- mig-7  user ids in demo-store ---------------------------------------------
//!  COPYING  plan 7c1e5a90d3f2  led by sre-1
//!  copy [####################------------]  61.2%
//!  5,143 of 8,402 documents   84/s now   79/s over 10m   ETA 28m-41m   no limit
//!  parked 2   failed 0   conflicts 4   batch 57/120   checkpoint <1m ago
//!  HOLD the store answers slowly: 2 batches in flight instead of 8
//!  next: P  pauses, if it must be
//!  [phases]  collections 31  orphans 3  decisions 0  errors 2  log  mapping
//! ```
//!
//! It shows what the feed says of the migration, and asks for the list that is looked at. The operation
//! lives in the server: closing this closes nothing there.

use stella_protocol::migration::{Decision, Orphan, Progress, UserCheck};
use stella_protocol::{Migration, MigrationId, MigrationStatus};

use super::parts::{Mark, Page, Parts};
use super::picture;
use super::verbs::may_still_decide;
use crate::board::Board;
use crate::effect::{MigrationList, MigrationPart, Query, Refusal, RequestId};
use crate::event::Now;
use crate::keys::{Intent, Motion};
use crate::screens::{Context, Go, refusal_words};

pub use picture::{draw, list_area};

/// What is looked at of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    /// Its parts in time, what the keys do, the plan.
    Phases,
    /// Bars.
    Collections,
    /// Ids without a user.
    Orphans,
    /// Questions.
    Decisions,
    /// Documents with which something is wrong.
    Errors,
    /// What it did.
    Log,
    /// Which id goes where.
    Mapping,
    /// What one person sees.
    User,
}

impl Pane {
    /// Those that Tab goes through.
    pub(super) const ALL: [Self; 7] =
        [Self::Phases, Self::Collections, Self::Orphans, Self::Decisions, Self::Errors, Self::Log, Self::Mapping];

    /// Its list.
    fn list(self) -> Option<MigrationList> {
        match self {
            Self::Phases | Self::User => None,
            Self::Collections => Some(MigrationList::Collections),
            Self::Orphans => Some(MigrationList::Orphans),
            Self::Decisions => Some(MigrationList::Decisions),
            Self::Errors => Some(MigrationList::Errors),
            Self::Log => Some(MigrationList::Log),
            Self::Mapping => Some(MigrationList::Mapping),
        }
    }

    /// True for a list with a cursor.
    fn has_cursor(self) -> bool {
        matches!(self, Self::Orphans | Self::Decisions | Self::Errors)
    }
}

/// How the first pane is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// The migration, explained.
    Case,
    /// The same, and which keys are off.
    Keys,
    /// As the server sent it.
    Raw,
}

/// A person whose places were asked for.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) who: String,
    request: RequestId,
    pub(super) found: Option<Result<Box<UserCheck>, String>>,
}

/// Which migration, and what is looked at.
#[derive(Debug)]
pub struct State {
    id: MigrationId,
    pub(super) pane: Pane,
    pub(super) shows: Shows,
    pub(super) parts: Parts,
    pub(super) person: Option<Person>,
    /// The thing under the cursor, by its name.
    cursor: Option<String>,
    pub(super) top: usize,
    last: usize,
    /// The end of the log stays in sight.
    follows: bool,
}

/// What a person is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Chosen<'a> {
    /// An id without a user.
    Orphan(&'a Orphan),
    /// A question.
    Question(&'a Decision),
}

impl State {
    /// A migration, from its first pane.
    pub fn new(id: MigrationId) -> Self {
        Self {
            id,
            pane: Pane::Phases,
            shows: Shows::Case,
            parts: Parts::default(),
            person: None,
            cursor: None,
            top: 0,
            last: 0,
            follows: true,
        }
    }

    /// Which one.
    pub fn id(&self) -> &MigrationId {
        &self.id
    }

    /// As it is painted.
    pub fn migration<'a>(&self, board: &'a Board) -> Option<&'a Migration> {
        board.migrations.get(&self.id)
    }

    /// How far it is.
    pub fn progress<'a>(&self, board: &'a Board) -> Option<&'a Progress> {
        board.migrations.progress(&self.id)
    }

    /// Lists that are on the screen.
    fn wanted(&self, width: u16) -> Option<MigrationList> {
        if self.pane == Pane::Phases && self.shows != Shows::Raw && picture::split(width).is_some() {
            return Some(MigrationList::Collections);
        }
        self.pane.list()
    }

    /// What a list is as new as.
    fn mark(&self, list: MigrationList, board: &Board) -> Mark {
        let version = self.migration(board).map_or(0, |migration| migration.version);
        let follows = matches!(list, MigrationList::Collections | MigrationList::Errors | MigrationList::Log);
        let checkpoint = self.progress(board).and_then(|progress| progress.checkpoint_at);
        (version, checkpoint.filter(|_| follows))
    }

    fn due_at(&self, board: &Board, width: u16) -> Option<(MigrationList, u64)> {
        let list = self.wanted(width)?;
        let mark = self.mark(list, board);
        let at = self.parts.asking(list).due_at(mark, list == MigrationList::Log)?;
        Some((list, at))
    }

    /// When it asks again: steady ms. A dead feed is not asked about.
    pub fn wakes_at(&self, board: &Board, size: (u16, u16), now: Now) -> Option<u64> {
        let (_, at) = self.due_at(board, size.0).filter(|_| board.link.state(now).is_live())?;
        Some(at)
    }

    /// Asks for the list that is looked at, and keeps the place in it.
    pub fn settle(&mut self, cx: &mut Context<'_>) {
        let is_live = cx.board.link.state(cx.now).is_live();
        if let Some((list, at)) = self.due_at(cx.board, cx.size.0)
            && is_live
            && cx.now.steady >= at
        {
            let page = if list == MigrationList::Log { Page::More } else { Page::First };
            self.ask(cx, list, page);
        }
        if self.pane.has_cursor() {
            self.cursor = self.position().or(Some(0)).and_then(|at| self.names().into_iter().nth(at));
        }
        self.arrange(cx);
    }

    fn ask(&mut self, cx: &mut Context<'_>, list: MigrationList, page: Page) {
        let after = if page == Page::More { self.parts.behind(list) } else { None };
        let mark = self.mark(list, cx.board);
        let request = cx.fetch(Query::MigrationPart { id: self.id.clone(), list, after });
        self.parts.asking_mut(list).asked(request, page, cx.now.steady, mark);
    }

    /// Brings the first row in line with what there is.
    fn arrange(&mut self, cx: &Context<'_>) {
        let (rows, chosen) = picture::measure(self, &cx.view(), cx.size.0);
        self.last = rows.saturating_sub(cx.rows);
        if self.pane == Pane::Log && self.follows {
            self.top = self.last;
        }
        if !chosen.is_empty() {
            // The whole thing, or as much of it as fits, from its first row.
            let end = chosen.end.min(chosen.start + cx.rows.max(1));
            self.top = self.top.max(end.saturating_sub(cx.rows)).min(chosen.start);
        }
        self.top = self.top.min(self.last);
    }

    /// Takes a page of a list.
    pub fn part(
        &mut self,
        cx: &mut Context<'_>,
        request: RequestId,
        list: MigrationList,
        answer: Result<MigrationPart, Refusal>,
    ) {
        match answer {
            Ok(part) => self.parts.take(request, part),
            Err(refusal) => self.parts.refuse(request, list, refusal_words(&refusal)),
        }
        self.arrange(cx);
    }

    /// Asks what one person sees.
    pub fn check(&mut self, cx: &mut Context<'_>, who: &str) {
        let request = cx.fetch(Query::MigrationUser { id: self.id.clone(), who: who.to_owned() });
        self.person = Some(Person { who: who.to_owned(), request, found: None });
        self.go_to(Pane::User);
    }

    /// Takes what one person sees.
    pub fn checked(&mut self, request: RequestId, answer: Result<Box<UserCheck>, Refusal>) {
        if let Some(person) = self.person.as_mut().filter(|person| person.request == request) {
            person.found = Some(answer.map_err(|refusal| refusal_words(&refusal)));
        }
    }

    /// What stands under the cursor, when it can be decided.
    pub fn chosen(&self) -> Option<Chosen<'_>> {
        let at = self.position()?;
        match self.pane {
            Pane::Orphans => self.parts.orphans.items.get(at).map(Chosen::Orphan),
            Pane::Decisions => self.parts.decisions.items.get(at).map(Chosen::Question),
            _ => None,
        }
    }

    /// True where Enter asks what is to become of the thing under the cursor.
    fn has_choice(&self) -> bool {
        matches!(self.pane, Pane::Orphans | Pane::Decisions)
    }

    /// True where Enter decides, or leads to the questions that have to be answered.
    pub fn leads_on(&self, board: &Board) -> bool {
        let may = self.migration(board).is_some_and(|one| may_still_decide(one.status));
        self.has_choice() && may || self.asks(board)
    }

    fn asks(&self, board: &Board) -> bool {
        self.migration(board).is_some_and(|migration| migration.status == MigrationStatus::NeedsDecision)
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => self.go(motion, cx),
            Intent::NextPane => self.turn(1),
            Intent::PreviousPane => self.turn(Pane::ALL.len() - 1),
            Intent::NextProblem => self.next_problem(cx),
            Intent::Open if self.has_choice() => return Go::Decide,
            Intent::Open if self.asks(cx.board) => self.go_to(Pane::Decisions),
            Intent::Open => cx.say("Enter decides in orphans and in decisions: Tab leads there"),
            Intent::Raw => self.show(Shows::Raw),
            Intent::Why => self.show(Shows::Keys),
            Intent::Back if self.shows != Shows::Case => self.show(Shows::Case),
            Intent::Back if self.pane != Pane::Phases => self.go_to(Pane::Phases),
            Intent::Back => return Go::Back,
            _ => {}
        }
        Go::Stay
    }

    fn turn(&mut self, by: usize) {
        let at = Pane::ALL.iter().position(|pane| *pane == self.pane);
        // A person's places stand beside the row: Tab begins at its first pane.
        self.go_to(Pane::ALL[at.map_or(0, |at| (at + by) % Pane::ALL.len())]);
    }

    fn go_to(&mut self, pane: Pane) {
        if let Some(list) = pane.list() {
            self.parts.asking_mut(list).renew();
        }
        self.pane = pane;
        self.shows = Shows::Case;
        self.cursor = None;
        self.top = 0;
        self.follows = true;
    }

    /// Shows the first pane so; what is shown already is left.
    fn show(&mut self, what: Shows) {
        let shows = if self.shows == what { Shows::Case } else { what };
        self.go_to(Pane::Phases);
        self.shows = shows;
    }

    fn next_problem(&mut self, cx: &Context<'_>) {
        if self.pane != Pane::Errors {
            return self.go_to(Pane::Errors);
        }
        let names = self.names();
        let next = self.position().map_or(0, |at| at + 1);
        self.cursor = names.get(next).or(names.first()).cloned();
        self.arrange(cx);
    }

    fn go(&mut self, motion: Motion, cx: &mut Context<'_>) {
        let page = cx.rows.max(1);
        let onwards = matches!(motion, Motion::Down | Motion::HalfDown | Motion::PageDown | Motion::Last);
        let is_at_end = if self.pane.has_cursor() {
            let names = self.names();
            let (at, last) = (self.position().unwrap_or(0), names.len().saturating_sub(1));
            self.cursor = names.get(motion.lead(at, last, page)).cloned();
            at == last
        } else {
            let at_end = self.top >= self.last;
            self.top = motion.lead(self.top, self.last, page);
            self.follows = self.top >= self.last;
            at_end
        };
        if let Some(list) = self.pane.list().filter(|list| *list != MigrationList::Log)
            && onwards
            && is_at_end
            && self.parts.asking(list).may_go_on()
        {
            self.ask(cx, list, Page::More);
        }
        self.arrange(cx);
    }

    /// The names of the things that the cursor goes over.
    fn names(&self) -> Vec<String> {
        match self.pane {
            Pane::Orphans => self.parts.orphans.items.iter().map(|orphan| orphan.id.raw().to_owned()).collect(),
            Pane::Decisions => self.parts.decisions.items.iter().map(|one| one.id.raw().to_owned()).collect(),
            Pane::Errors => self.parts.errors.items.iter().map(|trouble| trouble.number.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    /// Which of them is under the cursor.
    pub(super) fn position(&self) -> Option<usize> {
        let cursor = self.cursor.as_ref()?;
        self.names().iter().position(|name| name == cursor)
    }
}
