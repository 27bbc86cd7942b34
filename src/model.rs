//! The console's state: the board (what the server said) and the ui (where the human is).
//!
//! `update` is a router: each screen and each board topic has its own room. It does no IO, reads no
//! clock and draws nothing.

pub mod fixes;
pub mod migrations;
mod palette;
mod presence;
mod replies;
pub mod requests;
mod rules;
mod settle;
mod setup;
mod typing;
mod verbs;

use std::collections::BTreeSet;

use ratatui::layout::Rect;
use stella_protocol::fix::DefinitionView;
use stella_protocol::{Alert, AlertId, Envelope, FeedEvent, FixVerb, Verb};

use crate::board::Board;
use crate::effect::Effect;
use crate::event::{Event, LinkEvent, Now, SourceEvent};
use crate::frame::{self, dialog::Dialog};
use crate::keys::{Intent, Key, Mode, Place};
use crate::screens::migrations as migration_list;
use crate::screens::rules as rule_list;
use crate::screens::{
    Go, View, alerts, deploys, detail, first_run, fixes as fix_list, help, log, marks, metrics, review,
};
use fixes::Armed;
use migrations::ArmedMigration;
use requests::Requests;

pub use setup::{Setup, TimeFormat};

/// A message in the footer stays this long, in ms.
const NOTICE_MS: u64 = 8_000;
/// Two Ctrl-c within this time quit.
const TWICE_MS: u64 = 1_000;
const MINUTE_MS: i64 = 60_000;

/// Everything.
#[derive(Debug)]
pub struct Model {
    /// What the server said.
    pub board: Board,
    /// Where the human is.
    pub ui: Ui,
}

/// Where the human is.
#[derive(Debug)]
pub struct Ui {
    /// What was configured.
    pub setup: Setup,
    /// Size of the terminal.
    pub size: (u16, u16),
    /// Which screen.
    pub place: Place,
    /// The list.
    pub alerts: alerts::State,
    /// The alert beside or over the list.
    pub detail: detail::State,
    /// The detail fills the screen.
    pub detail_open: bool,
    /// The fixes.
    pub fixes: fix_list::State,
    /// The fix under review, over the fixes.
    pub review: Option<review::State>,
    /// A decision that waits for one more look.
    pub armed: Option<Armed>,
    /// The migrations.
    pub migrations: migration_list::State,
    /// The migration on the screen, over the list of them.
    pub migration: Option<migration_list::one::State>,
    /// A decision on a migration that waits for one more look.
    pub armed_migration: Option<ArmedMigration>,
    /// What can be proposed, as last heard.
    pub definitions: Vec<DefinitionView>,
    /// The series.
    pub metrics: metrics::State,
    /// The lines.
    pub log: log::State,
    /// The rules, and the one that is looked at.
    pub rules: rule_list::State,
    /// What was called false.
    pub marks: marks::State,
    /// New revisions of services.
    pub deploys: deploys::State,
    /// What is asked.
    pub dialog: Option<Dialog>,
    /// The help page.
    pub help: Option<help::State>,
    /// The first-run page.
    pub first_run: Option<first_run::State>,
    /// The first key of a sequence.
    pub begun: Option<Key>,
    /// Changes under way.
    pub requests: Requests,
    /// Said in the footer, and until when.
    pub notice: Option<(String, u64)>,
    /// How times are written.
    pub time: TimeFormat,
    /// Steady time of the last key.
    pub last_key: Option<u64>,
    last_interrupt: Option<u64>,
    known_critical: BTreeSet<AlertId>,
    known_migrations: Option<migrations::Known>,
    /// What happened to a migration that nobody has looked at since.
    unseen: Option<migrations::Unseen>,
    attending: presence::Attending,
    title: String,
}

impl Model {
    /// A console of this size that has heard nothing yet.
    pub fn new(setup: Setup, width: u16, height: u16) -> Self {
        let first_run = setup.first_run.then(first_run::State::default);
        let ui = Ui {
            setup,
            size: (width, height),
            place: Place::default(),
            alerts: alerts::State::default(),
            detail: detail::State::default(),
            detail_open: false,
            fixes: fix_list::State::default(),
            review: None,
            armed: None,
            migrations: migration_list::State::default(),
            migration: None,
            armed_migration: None,
            definitions: Vec::new(),
            metrics: metrics::State::default(),
            log: log::State::default(),
            rules: rule_list::State::default(),
            marks: marks::State::default(),
            deploys: deploys::State::default(),
            dialog: None,
            help: None,
            first_run,
            begun: None,
            requests: Requests::default(),
            notice: None,
            time: TimeFormat::default(),
            last_key: None,
            last_interrupt: None,
            known_critical: BTreeSet::new(),
            known_migrations: None,
            unseen: None,
            attending: presence::Attending::default(),
            title: String::new(),
        };
        Self { board: Board::default(), ui }
    }

    /// Takes in what happened; names what is to be done.
    pub fn update(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Key(key) => self.key(now, key, &mut effects),
            Event::Paste(text) => self.paste(now, &text),
            Event::Resize { width, height } => self.ui.size = (width, height),
            Event::Feed(envelope) => self.feed(now, *envelope, &mut effects),
            Event::Link(link) => self.link(now, link),
            Event::Reply(id, reply) => self.reply(now, id, *reply, &mut effects),
            Event::Source(source) => self.source(source, &mut effects),
            Event::Tick => {}
        }
        self.settle(now, &mut effects);
        effects
    }

    /// When time alone will change the picture: steady ms of the next `Tick` that is wanted.
    pub fn wake_at(&self, now: Now) -> u64 {
        let into_minute = self.board.clock(now).millis().rem_euclid(MINUTE_MS);
        let mut next = now.steady + (MINUTE_MS - into_minute).cast_unsigned();
        let mut sooner = |at: u64| next = next.min(at.max(now.steady + 1));
        self.board.link.changes_at(now).into_iter().for_each(&mut sooner);
        self.attends_at(now).into_iter().for_each(&mut sooner);
        self.ui.notice.iter().for_each(|(_, until)| sooner(*until));
        if self.ui.alerts.will_settle() {
            self.ui.last_key.iter().for_each(|at| sooner(at + alerts::STILL_MS));
        }
        if self.shows_detail() {
            self.ui.detail.wakes_at().into_iter().for_each(&mut sooner);
        }
        let rows_wait = match self.shown() {
            Shown::Place(Place::Fixes) => self.ui.fixes.will_settle(),
            Shown::Place(Place::Migrations) => self.ui.migrations.will_settle(),
            Shown::Place(Place::Deploys) => self.ui.deploys.will_settle(),
            _ => false,
        };
        if rows_wait {
            self.ui.last_key.iter().for_each(|at| sooner(at + alerts::STILL_MS));
        }
        if let (Shown::Review, Some(review)) = (self.shown(), &self.ui.review) {
            review.wakes_at(&self.board, now).into_iter().for_each(&mut sooner);
        }
        if let (Shown::Migration, Some(one)) = (self.shown(), &self.ui.migration) {
            one.wakes_at(&self.board, self.ui.size, now).into_iter().for_each(&mut sooner);
        }
        if self.shown() == Shown::Place(Place::Log) {
            self.ui.log.wakes_at(now).into_iter().for_each(&mut sooner);
        }
        if self.shown() == Shown::Place(Place::Metrics) {
            self.ui.metrics.wakes_at(now).into_iter().for_each(&mut sooner);
        }
        next
    }

    /// True while an alert is explained on the screen.
    fn shows_detail(&self) -> bool {
        self.ui.place == Place::Alerts && (self.ui.detail_open || frame::detail_beside(self.ui.size))
    }

    /// What the drawing may read.
    pub fn view(&self, now: Now) -> View<'_> {
        View { board: &self.board, setup: &self.ui.setup, now, time: self.ui.time, requests: &self.ui.requests }
    }

    /// What the body shows.
    pub fn shown(&self) -> Shown {
        if self.ui.first_run.is_some() {
            Shown::FirstRun
        } else if self.ui.help.is_some() {
            Shown::Help
        } else if self.ui.place == Place::Alerts && self.ui.detail_open {
            Shown::Detail
        } else if self.ui.place == Place::Fixes && self.ui.review.is_some() {
            Shown::Review
        } else if self.ui.place == Place::Migrations && self.ui.migration.is_some() {
            Shown::Migration
        } else {
            Shown::Place(self.ui.place)
        }
    }

    /// What the keyboard is for.
    pub fn mode(&self) -> Mode {
        match (self.ui.place, self.ui.detail_open) {
            (Place::Alerts, true) => Mode::Detail,
            (Place::Alerts, false) => Mode::List,
            (Place::Fixes, _) if self.ui.review.is_some() => Mode::Review,
            (Place::Fixes, _) => Mode::Fixes,
            (Place::Migrations, _) if self.ui.migration.is_some() => Mode::Migration,
            (Place::Migrations, _) => Mode::Migrations,
            (Place::Metrics, _) => Mode::Metrics,
            (Place::Log, _) => Mode::Log,
            (Place::Rules, _) if self.ui.rules.one().is_some() => Mode::Rule,
            (Place::Rules, _) => Mode::Rules,
            (Place::Marks, _) => Mode::Marks,
            (Place::Deploys, _) => Mode::Deploys,
        }
    }

    /// The server spoke. Its hello says that it can be asked again what became of unknown requests.
    fn feed(&mut self, now: Now, envelope: Envelope, effects: &mut Vec<Effect>) {
        let hello = matches!(envelope.event, FeedEvent::Hello(_));
        self.board.apply(envelope, now);
        if hello {
            effects.extend(self.ui.requests.ask_again());
        }
    }

    fn link(&mut self, now: Now, event: LinkEvent) {
        let loaded = matches!(event, LinkEvent::Snapshot(_));
        self.board.connect(event, now);
        if loaded {
            self.remember_critical();
        }
    }

    /// The source speaks. Once its past is taken in, everything is asked for anew: names and history of
    /// the series stand in the snapshot only.
    fn source(&mut self, event: SourceEvent, effects: &mut Vec<Effect>) {
        if event == SourceEvent::Ready {
            effects.push(Effect::Resync);
        }
        self.board.source(event);
    }

    fn intent(&mut self, now: Now, intent: Intent, effects: &mut Vec<Effect>) {
        match intent {
            Intent::Show(place) => {
                self.close_review();
                let was_here = self.ui.place == Place::Migrations;
                let near = self.focus().map(|alert| alert.rule_id.raw().to_owned());
                self.ui.place = place;
                if place == Place::Migrations {
                    self.show_migrations(was_here);
                }
                self.with_context(now, effects, |ui, cx| match place {
                    Place::Log => ui.log.opened(cx),
                    Place::Metrics => ui.metrics.opened(cx),
                    Place::Fixes => ui.fixes.opened(cx),
                    Place::Migrations => ui.migrations.opened(cx),
                    Place::Rules => ui.rules.opened(cx, near.as_deref()),
                    Place::Marks => ui.marks.opened(cx, None),
                    Place::Deploys => ui.deploys.opened(),
                    Place::Alerts => {}
                });
            }
            Intent::Help => self.ui.help = Some(help::State::new(self.mode())),
            Intent::Quit => self.leave(now, effects),
            intent if self.migration_verb(intent).is_some() => self.decide_migration(now, intent, effects),
            Intent::Lead => self.ask_leader(now),
            Intent::Act(Verb::Resolve) if self.mode() == Mode::Review => self.decide(now, FixVerb::Close, effects),
            Intent::Act(verb) => self.act(now, verb, effects),
            Intent::Decide(FixVerb::DryRun) if self.mode() == Mode::Migrations => self.make_migration(now, effects),
            Intent::Decide(_) => match self.fix_verb(intent) {
                Some(verb) => self.decide(now, verb, effects),
                None => self.say(now, "that is done inside a review: f opens it".to_owned()),
            },
            Intent::Review if matches!(self.mode(), Mode::List | Mode::Detail) => self.review_of_focus(now),
            Intent::Palette => self.ask_command(now, effects),
            Intent::Undo if self.mode() == Mode::Marks => self.undo_mark(now, effects),
            Intent::Undo => self.undo(now, effects),
            Intent::Filter => self.ask_filter(now),
            Intent::TimeFormat => self.next_time_format(now),
            Intent::Suspend => effects.push(Effect::Suspend),
            Intent::Redraw => effects.push(Effect::Redraw),
            Intent::Refresh => {
                if self.ui.place == Place::Marks {
                    self.with_context(now, effects, |ui, cx| ui.marks.ask_again(cx));
                }
                effects.push(if self.board.link.state(now).is_old() { Effect::Reconnect } else { Effect::Resync });
            }
            Intent::CopyId | Intent::CopyJson | Intent::CopyMarkdown | Intent::CopyPlan => {
                self.copy(now, intent, effects);
            }
            Intent::Why if matches!(self.mode(), Mode::Rules | Mode::Rule | Mode::Marks) => self.why_no_change(now),
            Intent::Why if !matches!(self.mode(), Mode::Review | Mode::Migration) => self.why(now),
            Intent::LogAround => {
                if let Some(id) = self.focus().map(|alert| alert.id.clone()) {
                    self.lines_around(now, &id, effects);
                }
            }
            other => self.screen(now, other, effects),
        }
    }

    /// The screens' own intents.
    fn screen(&mut self, now: Now, intent: Intent, effects: &mut Vec<Effect>) {
        let (mode, rows) = (self.mode(), frame::list_rows(self));
        let go = self.with_rows(now, effects, rows, |ui, cx| match mode {
            Mode::List if intent == Intent::Raw => ui.alerts.update(cx, Intent::Open),
            Mode::List => ui.alerts.update(cx, intent),
            Mode::Detail => ui.detail.update(cx, intent),
            Mode::Fixes => ui.fixes.update(cx, intent),
            Mode::Migrations => ui.migrations.update(cx, intent),
            Mode::Migration => ui.migration.as_mut().map_or(Go::Back, |one| one.update(cx, intent)),
            Mode::Review => ui.review.as_mut().map_or(Go::Back, |review| review.update(cx, intent)),
            Mode::Metrics => ui.metrics.update(cx, intent),
            Mode::Log => ui.log.update(cx, intent),
            Mode::Rules | Mode::Rule => ui.rules.update(cx, intent),
            Mode::Marks => ui.marks.update(cx, intent),
            Mode::Deploys => ui.deploys.update(cx, intent),
        });
        match go {
            Go::Stay => {}
            Go::Back => self.back(now),
            Go::Detail(id) => {
                self.ui.place = Place::Alerts;
                self.ui.detail_open = true;
                self.ui.alerts.reveal(&id);
                self.ui.detail.show(&id);
                self.ui.detail.set_raw(intent == Intent::Raw);
            }
            Go::Review(id) => self.open_review(id),
            Go::Migration(id) => self.open_migration(id),
            Go::Decide if mode == Mode::Rule => self.ask_rule(now, effects),
            Go::Decide => self.ask_what_is_meant(now),
            Go::Mark(fingerprint) => {
                self.ui.place = Place::Marks;
                self.with_context(now, effects, |ui, cx| ui.marks.opened(cx, Some(fingerprint)));
            }
            Go::Lines(link, alert) => {
                self.ui.place = Place::Log;
                self.with_context(now, effects, |ui, cx| ui.log.open_link(cx, &link, alert));
            }
        }
        if matches!(intent, Intent::NextAlert | Intent::PreviousAlert) {
            self.step(if intent == Intent::NextAlert { 1 } else { -1 });
        }
    }

    fn step(&mut self, by: isize) {
        if let Some(id) = self.ui.alerts.neighbour(by) {
            self.ui.alerts.point_at(&id);
            self.ui.detail.show(&id);
        }
    }

    fn back(&mut self, now: Now) {
        self.say_detached(now);
        if self.mode() == Mode::Review {
            self.close_review();
        } else if self.mode() == Mode::Migration {
            self.close_migration();
        } else if self.mode() == Mode::Rule {
            self.ui.rules.open(None);
        } else if self.ui.place == Place::Alerts {
            self.ui.detail_open = false;
        } else {
            self.ui.place = Place::Alerts;
        }
    }

    fn leave(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.ui.place == Place::Alerts && !self.ui.detail_open {
            self.ui.dialog = Some(Dialog::quit(now.steady));
            return;
        }
        let rows = frame::list_rows(self);
        let place = self.ui.place;
        self.with_rows(now, effects, rows, |ui, cx| match place {
            Place::Log => ui.log.closed(cx),
            Place::Metrics => ui.metrics.closed(),
            Place::Alerts | Place::Fixes | Place::Migrations | Place::Rules | Place::Marks | Place::Deploys => {}
        });
        self.back(now);
    }

    fn next_time_format(&mut self, now: Now) {
        self.ui.time = match self.ui.time {
            TimeFormat::Ages => TimeFormat::Utc,
            TimeFormat::Utc => TimeFormat::Local,
            TimeFormat::Local => TimeFormat::Ages,
        };
        let words = match self.ui.time {
            TimeFormat::Ages => "times as ages",
            TimeFormat::Utc => "times in UTC",
            TimeFormat::Local => "times in local time",
        };
        self.say(now, words.to_owned());
    }

    fn lines_around(&mut self, now: Now, id: &AlertId, effects: &mut Vec<Effect>) {
        self.ui.place = Place::Log;
        self.with_context(now, effects, |ui, cx| ui.log.open_around(cx, id));
    }

    /// The alert that the keys mean: the open one, else the one under the cursor.
    pub fn focus(&self) -> Option<&Alert> {
        if self.ui.detail_open {
            return self.ui.detail.shown(&self.board);
        }
        self.board.alerts.get(self.ui.alerts.cursor()?)
    }

    /// Who we are: as the server says, else as configured.
    fn me(&self) -> &str {
        self.board.me().unwrap_or(self.ui.setup.me.raw())
    }

    /// Says something in the footer.
    fn say(&mut self, now: Now, words: String) {
        self.ui.notice = Some((words, now.steady + NOTICE_MS));
    }
}

/// What the body shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The first-run page.
    FirstRun,
    /// The help page.
    Help,
    /// One alert, over all of the body.
    Detail,
    /// One fix.
    Review,
    /// One migration.
    Migration,
    /// A screen.
    Place(Place),
}

/// The whole terminal.
pub fn whole(model: &Model) -> Rect {
    Rect::new(0, 0, model.ui.size.0, model.ui.size.1)
}
