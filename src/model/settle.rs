//! What follows from every event: rows brought up to date, requests confirmed, the bell, the window's
//! name; and how the screens get what they may read.

use std::collections::BTreeSet;

use stella_protocol::{AlertId, Severity, Status};

use super::{Model, Shown};
use crate::effect::Effect;
use crate::event::Now;
use crate::filter::Listed;
use crate::frame;
use crate::keys::Place;
use crate::screens::{Context, alerts, deploys, detail, fixes, log, marks, metrics, migrations, review, rules};

impl Model {
    /// After every event: what follows from it.
    pub(super) fn settle(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.ui.notice.as_ref().is_some_and(|(_, until)| *until <= now.steady) {
            self.ui.notice = None;
        }
        self.ui.requests.confirm(&self.board);
        let since_key = self.ui.last_key.map_or(u64::MAX, |at| now.steady.saturating_sub(at));
        let rows = frame::list_rows(self);
        let beside = frame::detail_beside(self.ui.size) && self.ui.place == Place::Alerts;
        let shown = self.shown();
        self.with_rows(now, effects, rows, |ui, cx| {
            ui.alerts.settle(cx, since_key);
            if !ui.detail_open && beside {
                match ui.alerts.cursor() {
                    Some(id) => ui.detail.show(id),
                    None => *ui.detail = detail::State::default(),
                }
            }
            if ui.detail_open || beside {
                ui.detail.settle(cx);
            }
            match shown {
                Shown::Review => ui.review.iter_mut().for_each(|review| review.settle(cx)),
                Shown::Migration => ui.migration.iter_mut().for_each(|one| one.settle(cx)),
                Shown::Place(Place::Migrations) => ui.migrations.settle(cx, since_key),
                Shown::Place(Place::Fixes) => ui.fixes.settle(cx, since_key),
                Shown::Place(Place::Log) => ui.log.settle(cx),
                Shown::Place(Place::Metrics) => ui.metrics.settle(cx),
                Shown::Place(Place::Rules) => ui.rules.settle(cx),
                Shown::Place(Place::Deploys) => ui.deploys.settle(cx, since_key),
                _ => {}
            }
        });
        self.ring(effects);
        self.tell_of_migrations(now, effects);
        self.name_window(effects);
        self.attend(now, effects);
        if let Some(dialog) = &mut self.ui.dialog {
            let (board, fixes) = (&self.board, &self.ui.fixes);
            let me = board.me().unwrap_or(self.ui.setup.me.raw());
            let clock = board.clock(now);
            dialog.count(|of, filter| match of {
                Listed::Alerts => board.alerts.iter().filter(|alert| filter.shows(alert, clock, me)).count(),
                Listed::Fixes => fixes.known(&board.fixes).filter(|fix| filter.shows_fix(fix, clock, me)).count(),
            });
        }
    }

    /// Rings once for critical alerts that nobody has rung for yet.
    fn ring(&mut self, effects: &mut Vec<Effect>) {
        let heard = self.board.alerts.loaded();
        if self.remember_critical() && heard {
            effects.push(Effect::Bell);
        }
    }

    pub(super) fn remember_critical(&mut self) -> bool {
        let critical = self
            .board
            .alerts
            .iter()
            .filter(|alert| alert.severity == Severity::Critical && alert.status == Status::New);
        let now: BTreeSet<AlertId> = critical.map(|alert| alert.id.clone()).collect();
        let fresh = !now.is_subset(&self.ui.known_critical);
        self.ui.known_critical = now;
        fresh
    }

    fn name_window(&mut self, effects: &mut Vec<Effect>) {
        let critical = self.board.alerts.counts().critical;
        let badge = stella_widgets::text::sanitise(self.ui.setup.badge.raw());
        let critical = (critical > 0).then(|| format!("{critical}!"));
        let news: Vec<String> = critical.into_iter().chain(self.unseen_words()).collect();
        let title =
            if news.is_empty() { format!("{badge} stella") } else { format!("({}) {badge} stella", news.join(", ")) };
        if self.ui.title != title {
            self.ui.title.clone_from(&title);
            effects.push(Effect::Title(title));
        }
    }

    pub(super) fn with_context<T>(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
        run: impl FnOnce(&mut Rooms<'_>, &mut Context<'_>) -> T,
    ) -> T {
        let rows = frame::list_rows(self);
        self.with_rows(now, effects, rows, run)
    }

    /// Lends the screens their rooms and what they may read.
    pub(super) fn with_rows<T>(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
        rows: usize,
        run: impl FnOnce(&mut Rooms<'_>, &mut Context<'_>) -> T,
    ) -> T {
        let mut notice = None;
        let ui = &mut self.ui;
        let mut cx = Context {
            board: &self.board,
            setup: &ui.setup,
            now,
            rows,
            size: ui.size,
            time: ui.time,
            requests: &mut ui.requests,
            effects,
            notice: &mut notice,
        };
        let mut rooms = Rooms {
            alerts: &mut ui.alerts,
            detail: &mut ui.detail,
            fixes: &mut ui.fixes,
            review: ui.review.as_mut(),
            migrations: &mut ui.migrations,
            migration: ui.migration.as_mut(),
            metrics: &mut ui.metrics,
            log: &mut ui.log,
            rules: &mut ui.rules,
            marks: &mut ui.marks,
            deploys: &mut ui.deploys,
            detail_open: ui.detail_open,
        };
        let result = run(&mut rooms, &mut cx);
        if let Some(words) = notice {
            self.say(now, words);
        }
        result
    }
}

/// The screens' states, lent for the time of one update.
pub(super) struct Rooms<'a> {
    pub(super) alerts: &'a mut alerts::State,
    pub(super) detail: &'a mut detail::State,
    pub(super) fixes: &'a mut fixes::State,
    pub(super) review: Option<&'a mut review::State>,
    pub(super) migrations: &'a mut migrations::State,
    pub(super) migration: Option<&'a mut migrations::one::State>,
    pub(super) metrics: &'a mut metrics::State,
    pub(super) log: &'a mut log::State,
    pub(super) rules: &'a mut rules::State,
    pub(super) marks: &'a mut marks::State,
    pub(super) deploys: &'a mut deploys::State,
    pub(super) detail_open: bool,
}
