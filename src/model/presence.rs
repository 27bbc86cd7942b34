//! What this console tells others: what its person looks at, once that stays so for a moment, and again each
//! 15 s. A console that sends nothing (`--readonly`) does not send this either.

use stella_protocol::{Look, Object, PresenceRequest, Screen};

use super::Model;
use crate::effect::Effect;
use crate::event::Now;
use crate::keys::Place;

/// So often it is said again, in ms: a third of the time after which the server takes us for gone.
const BEAT_MS: u64 = 15_000;
/// What is looked at for less than this, in ms, is passed by.
const STAY_MS: u64 = 700;

/// What is looked at, and what others were told.
#[derive(Debug, Default)]
pub struct Attending {
    look: Look,
    /// Looked at since then (steady ms).
    since: u64,
    /// What was told, and when (steady ms).
    told: Option<(Look, u64)>,
}

impl Attending {
    /// When it is told next: steady ms.
    fn due_at(&self) -> u64 {
        match &self.told {
            None => 0,
            Some((told, at)) if *told == self.look => at + BEAT_MS,
            Some(_) => self.since + STAY_MS,
        }
    }
}

impl Model {
    /// Tells others what is looked at, when it is time to.
    pub(super) fn attend(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let (look, is_told) = (self.look(), self.attends(now));
        let attending = &mut self.ui.attending;
        if attending.look != look {
            (attending.look, attending.since) = (look, now.steady);
        }
        if !is_told {
            attending.told = None;
        } else if now.steady >= attending.due_at() {
            let Look { screen, object } = attending.look.clone();
            attending.told = Some((attending.look.clone(), now.steady));
            effects.push(Effect::Attend(PresenceRequest { console: self.ui.setup.console.clone(), screen, object }));
        }
    }

    /// When it is told next: steady ms; None: not before something happens.
    pub(super) fn attends_at(&self, now: Now) -> Option<u64> {
        self.attends(now).then(|| self.ui.attending.due_at())
    }

    fn attends(&self, now: Now) -> bool {
        !self.ui.setup.readonly && self.board.link.state(now).is_live()
    }

    /// What is looked at now, also below a page of help.
    fn look(&self) -> Look {
        let (screen, object) = match self.ui.place {
            Place::Alerts if self.shows_detail() => {
                (Screen::Alerts, self.ui.detail.alert().cloned().map(Object::Alert))
            }
            Place::Alerts => (Screen::Alerts, None),
            Place::Fixes => (Screen::Fixes, self.ui.review.as_ref().map(|review| Object::Fix(review.id().clone()))),
            Place::Migrations => {
                (Screen::Migrations, self.ui.migration.as_ref().map(|one| Object::Migration(one.id().clone())))
            }
            Place::Metrics => (Screen::Metrics, None),
            Place::Log => (Screen::Log, None),
            Place::Rules => (Screen::Rules, None),
            Place::Marks => (Screen::Marks, None),
            Place::Deploys => (Screen::Deploys, None),
        };
        Look { screen, object }
    }
}
