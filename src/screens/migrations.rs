//! The migrations: those that are not over first, the newest above; and the one that is looked at.
//!
//! ```text
//! -- migrations ------------------------------------------------------------- 2 --
//! >  mig-8   copying HOLD  61%  user ids  demo-store            sre-1      2m
//!    mig-7   completed       -  user ids  demo-store            op2        4d
//! ```
//!
//! A server that has one unfinished migration, or one at all, shows that one at once. As in the other lists
//! the cursor is an id, and rows keep their places while a key was pressed in the last two seconds.

mod case;
mod head;
mod list;
pub mod one;
mod panes;
mod parts;
mod picture;
mod verbs;
mod words;

use std::cmp::Reverse;

use stella_protocol::{Migration, MigrationId};

use super::rows::Rows;
use super::{Context, Go, page};
use crate::board::migrations::Migrations;
use crate::keys::Intent;

pub use list::{draw, list_area};
pub(crate) use panes::choice_word;
pub use verbs::{does, is_cut_over, is_outside, limit, may_still_decide, meant, next_rate, off};
pub(crate) use words::{eta, figures, hold, short, stands, status, status_role, verb};

/// Where the human is in the list.
#[derive(Debug, Default)]
pub struct State {
    rows: Rows<MigrationId>,
}

/// The one that is meant where none was chosen: the only unfinished one, else the only one.
pub fn evident(migrations: &Migrations) -> Option<MigrationId> {
    let mut unfinished = migrations.unfinished();
    match (unfinished.next(), unfinished.next()) {
        (Some(one), None) => Some(one.id.clone()),
        (Some(_), Some(_)) => None,
        (None, _) => {
            let mut all = migrations.all();
            all.next().filter(|_| all.next().is_none()).map(|one| one.id.clone())
        }
    }
}

/// Unfinished ones first, the newest above.
pub fn sorted(migrations: &Migrations) -> Vec<&Migration> {
    let mut rows: Vec<&Migration> = migrations.all().collect();
    rows.sort_by_key(|one| (!one.status.is_unfinished(), Reverse(one.created_at), one.id.clone()));
    rows
}

impl State {
    /// The migration under the cursor.
    pub fn cursor(&self) -> Option<&MigrationId> {
        self.rows.cursor()
    }

    /// The screen was opened by its number: nothing stands under a finger yet.
    pub fn opened(&mut self, cx: &Context<'_>) {
        self.arrange(&cx.board.migrations);
    }

    /// The cursor goes to this one.
    pub fn point_at(&mut self, id: &MigrationId) {
        self.rows.point_at(id);
    }

    /// Brings the rows up to date, unless a hand is on the keys.
    pub fn settle(&mut self, cx: &Context<'_>, since_key: u64) {
        if self.rows.is_due(cx.board.migrations.revision(), since_key) {
            self.arrange(&cx.board.migrations);
        }
        self.rows.keep_in_sight(cx.rows);
    }

    /// True when rows wait for the hand to rest.
    pub fn will_settle(&self) -> bool {
        self.rows.will_settle()
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => drop(self.rows.go(motion, cx.rows)),
            Intent::Open => return self.rows.cursor().cloned().map_or(Go::Stay, Go::Migration),
            Intent::Back => return Go::Back,
            _ => {}
        }
        Go::Stay
    }

    fn arrange(&mut self, migrations: &Migrations) {
        self.rows.arrange(sorted(migrations).into_iter().map(|one| one.id.clone()).collect());
    }
}
