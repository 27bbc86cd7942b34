//! What is said when a migration goes on by itself or by others: it waits for a person, is held, is over, is
//! handed over.
//!
//! The footer says it. Whoever looks elsewhere hears the bell too, and reads it in the window's name until they
//! have looked. Nobody is told of what they did themselves.

use std::collections::BTreeMap;

use stella_protocol::fix::Trail;
use stella_protocol::{Migration, MigrationId, MigrationStatus, Text};
use stella_widgets::text::sanitise;

use super::Model;
use crate::effect::Effect;
use crate::event::Now;
use crate::lead;
use crate::model::Shown;
use crate::screens::migrations as screen;

/// A hold comes and goes with the store's breath: it is told of at most so often, in ms.
const HOLD_MS: u64 = 30_000;

/// What was last known of each.
pub(in crate::model) type Known = BTreeMap<MigrationId, Seen>;

/// As it stood when it was looked at last.
#[derive(Debug)]
pub(in crate::model) struct Seen {
    status: MigrationStatus,
    is_held: bool,
    leader: Text,
    /// The end of its trail.
    last: Option<Trail>,
    /// When that it is held, or not any more, was last said (steady ms).
    said: Option<u64>,
}

/// What happened to a migration that is not on the screen, for the window's name.
#[derive(Debug)]
pub(in crate::model) struct Unseen {
    id: MigrationId,
    word: String,
}

/// What there is to say of one.
#[derive(Debug, Default)]
struct News {
    words: Vec<String>,
    /// Somebody has to look at it.
    is_bad: bool,
    rings: bool,
    /// For the window's name; None: what stands there of it is past.
    word: Option<String>,
}

impl Model {
    /// Says what is new. What was so before anybody listened is no news.
    pub(in crate::model) fn tell_of_migrations(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let migrations = &self.board.migrations;
        if !migrations.loaded() {
            return;
        }
        let shown = self.migration_in_view().map(|one| one.id.clone());
        if self.ui.unseen.as_ref().is_some_and(|unseen| Some(&unseen.id) == shown.as_ref()) {
            self.ui.unseen = None;
        }
        let is_same = |known: &Known| {
            known.len() == migrations.all().count()
                && migrations.all().all(|one| known.get(&one.id).is_some_and(|seen| !self.differs(one, seen)))
        };
        if self.ui.known_migrations.as_ref().is_some_and(is_same) {
            return;
        }
        let before = self.ui.known_migrations.take();
        let (mut known, mut all) = (Known::new(), Vec::new());
        for one in self.board.migrations.all() {
            let mut seen = self.seen(one);
            if let Some(old) = before.as_ref().and_then(|before| before.get(&one.id)) {
                seen.said = old.said;
                if self.differs(one, old) {
                    all.push((one.id.clone(), self.news(now, one, old, &mut seen)));
                }
            }
            known.insert(one.id.clone(), seen);
        }
        self.ui.known_migrations = Some(known);
        self.tell(now, all, effects);
    }

    /// The words for the window's name.
    pub(in crate::model) fn unseen_words(&self) -> Option<String> {
        self.ui.unseen.as_ref().map(|unseen| format!("{} {}", unseen.id, unseen.word))
    }

    fn tell(&mut self, now: Now, mut all: Vec<(MigrationId, News)>, effects: &mut Vec<Effect>) {
        all.sort_by_key(|(_, news)| !news.is_bad);
        if all.iter().any(|(_, news)| news.rings) {
            effects.push(Effect::Bell);
        }
        let words: Vec<String> = all.iter_mut().flat_map(|(_, news)| std::mem::take(&mut news.words)).collect();
        if !words.is_empty() {
            self.say(now, words.join("; "));
        }
        // Of several the gravest stands there.
        for (id, news) in all.into_iter().rev() {
            match news.word {
                Some(word) => self.ui.unseen = Some(Unseen { id, word }),
                None if self.ui.unseen.as_ref().is_some_and(|unseen| unseen.id == id) => self.ui.unseen = None,
                None => {}
            }
        }
    }

    fn seen(&self, one: &Migration) -> Seen {
        let (leader, last) = (one.leader.clone(), one.trail.last().cloned());
        Seen { status: one.status, is_held: self.is_held(one), leader, last, said: None }
    }

    fn differs(&self, one: &Migration, seen: &Seen) -> bool {
        seen.status != one.status || seen.leader != one.leader || seen.is_held != self.is_held(one)
    }

    fn is_held(&self, one: &Migration) -> bool {
        one.status.holds_the_store() && screen::hold(one, self.board.migrations.progress(&one.id)).is_some()
    }

    /// The migration that is seen now.
    fn migration_in_view(&self) -> Option<&Migration> {
        self.shown_migration().filter(|_| self.shown() == Shown::Migration)
    }

    fn news(&self, now: Now, one: &Migration, old: &Seen, seen: &mut Seen) -> News {
        let mut news = News::default();
        let is_shown = self.migration_in_view().is_some_and(|shown| shown.id == one.id);
        let is_own = old.last != seen.last && is_own(one, self.me());
        if let Some(words) = lead::passed(&old.leader, one, self.me()).filter(|_| !is_own) {
            let is_mine = one.leader.raw().to_lowercase() == self.me().to_lowercase();
            news.words.push(words);
            news.rings |= is_mine;
            news.word = (is_mine && !is_shown).then(|| "is yours".to_owned());
        }
        if old.status != one.status {
            news.is_bad = is_trouble(one.status) && !is_own;
            let words = became(one).filter(|_| !is_own);
            news.rings |= news.is_bad || (words.is_some() && !is_shown);
            news.word = words.as_ref().filter(|_| !is_shown).map(|_| screen::status(one.status)).or(news.word);
            news.words.extend(words);
        } else if old.is_held != seen.is_held {
            let is_quiet = old.said.is_none_or(|at| now.steady.saturating_sub(at) >= HOLD_MS);
            if let Some(words) = self.held(one, old.is_held).filter(|_| is_quiet && !is_shown) {
                news.words.push(words);
                seen.said = Some(now.steady);
            }
            news.word = (seen.is_held && !is_shown).then(|| "held".to_owned()).or(news.word);
        }
        news
    }

    /// That it is held now, or not any more.
    fn held(&self, one: &Migration, was_held: bool) -> Option<String> {
        let works = !matches!(one.status, MigrationStatus::Paused | MigrationStatus::Halted);
        let reason = screen::hold(one, self.board.migrations.progress(&one.id));
        match (reason, was_held) {
            _ if !works => None,
            (Some(reason), false) => Some(format!("{} is held: {reason}", one.id)),
            (None, true) => Some(format!("{} is not held any more", one.id)),
            _ => None,
        }
    }
}

/// True when the last thing that happened to it is what this person wanted.
fn is_own(one: &Migration, me: &str) -> bool {
    let is_me = |name: &Text| name.raw().to_lowercase() == me.to_lowercase();
    one.trail.last().is_some_and(|last| is_me(&last.by) || last.asked_by.as_ref().is_some_and(is_me))
}

/// What is said of a status that was reached; None: it only works on.
fn became(one: &Migration) -> Option<String> {
    use MigrationStatus as Is;
    let status = screen::stands(one.status);
    let because = [one.hold_reason.as_ref(), Some(&one.result)].into_iter().flatten().find(|text| !text.is_empty());
    let because = because.map(|text| format!(": {}", sanitise(text.raw()))).unwrap_or_default();
    match one.status {
        Is::NeedsDecision | Is::Planned | Is::Rehearsed | Is::Verified | Is::Soaking => {
            Some(format!("{} is {status}; next: {}", one.id, sanitise(one.next.words.raw())))
        }
        Is::PlanFailed | Is::BackupFailed | Is::Halted | Is::Paused | Is::RollbackFailed => {
            Some(format!("{} is {status}{because}", one.id))
        }
        Is::Completed | Is::RolledBack | Is::Cancelled | Is::ClosedManually => {
            Some(format!("{} is over, {status}{because}", one.id))
        }
        _ => None,
    }
}

/// True for what somebody has to look at.
fn is_trouble(status: MigrationStatus) -> bool {
    use MigrationStatus as Is;
    matches!(status, Is::Halted | Is::PlanFailed | Is::BackupFailed | Is::RollbackFailed)
}
