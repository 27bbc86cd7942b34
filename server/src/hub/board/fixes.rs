//! The fixes that matter now: open ones, those that ended lately, and what holds for all of them.

use std::cmp::Reverse;
use std::sync::Arc;

use stella_protocol::fix::Switched;
use stella_protocol::{AlertId, FixId, Remedy, Timestamp};

use super::Board;
use crate::hub::draft::TouchedFix;
use crate::remedy::FixState;
use crate::remedy::definition::limits::HOUR_MS;
use crate::store::{Meta, Store, StoreError, number_in};

/// Ended fixes that stay in memory, the newest; besides those that were proposed so lately that caps look
/// back at them.
const ENDED: usize = 200;
/// Ended fixes that are read at the start, to find those that caps look back at.
const READ: u32 = 2_000;
/// Ended fixes that are shown.
const SHOWN: usize = 50;

impl Board {
    /// Reads them from the store.
    pub(super) fn load_fixes(&mut self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        self.numbers = store.fix_numbers()?;
        for state in store.recent_fixes(READ)? {
            self.put_fix(Arc::new(state));
        }
        self.purge_fixes(now);
        let switched = store.meta(Meta::FixSwitch)?;
        let switched_off = switched.and_then(|json| serde_json::from_str::<Option<Switched>>(&json).ok()).flatten();
        let (suppressions, maintenance) = (store.suppressions()?, store.maintenance(now)?);
        self.remedy = Remedy { switched_off, suppressions, maintenance, single_person: false };
        Ok(())
    }

    pub fn fix(&self, id: &FixId) -> Option<&Arc<FixState>> {
        self.fixes.get(id)
    }

    pub fn put_fix(&mut self, state: Arc<FixState>) {
        self.fixes.insert(state.fix.id.clone(), state);
    }

    /// All that are in memory, in no order.
    pub fn fixes(&self) -> impl Iterator<Item = &Arc<FixState>> {
        self.fixes.values()
    }

    /// Open ones, and the last that ended; oldest first.
    pub fn fixes_in_sight(&self) -> Vec<Arc<FixState>> {
        let (mut shown, mut ended): (Vec<_>, Vec<_>) =
            self.fixes.values().cloned().partition(|state| state.fix.status.is_open());
        ended.sort_by_key(|state| Reverse((state.fix.ended_at, number(&state.fix.id))));
        ended.truncate(SHOWN);
        shown.append(&mut ended);
        shown.sort_by_key(|state| number(&state.fix.id));
        shown
    }

    /// True while a fix, but for this one, is under way on an alert.
    pub fn has_fix_under_way(&self, alert: &AlertId, but: Option<&FixId>) -> bool {
        let on = |state: &&Arc<FixState>| state.fix.alert_id.as_ref() == Some(alert) && Some(&state.fix.id) != but;
        self.fixes.values().filter(on).any(|state| state.fix.status.is_under_way())
    }

    /// What holds for all fixes now: no window that is over.
    pub fn remedy(&self, now: Timestamp) -> Remedy {
        let mut remedy = self.remedy.clone();
        remedy.maintenance.retain(|window| window.until > now);
        remedy
    }

    /// Takes in what was committed.
    pub fn merge_fixes(&mut self, touched: Vec<TouchedFix>, remedy: Option<Remedy>) {
        for touched in touched {
            self.numbers.fix = self.numbers.fix.max(number(&touched.state.fix.id));
            self.put_fix(touched.state);
        }
        let Some(remedy) = remedy else { return };
        let given = |id: &str, prefix| number_in(id, prefix).unwrap_or(0);
        for suppression in &remedy.suppressions {
            self.numbers.suppression = self.numbers.suppression.max(given(suppression.id.raw(), "sup-"));
        }
        for window in &remedy.maintenance {
            self.numbers.window = self.numbers.window.max(given(window.id.raw(), "win-"));
        }
        self.remedy = remedy;
    }

    /// Forgets windows that are over and ended fixes beyond the newest.
    pub fn purge_fixes(&mut self, now: Timestamp) {
        self.remedy.maintenance.retain(|window| window.until > now);
        let mut ended: Vec<FixId> = Vec::new();
        ended.extend(self.fixes.values().filter(|state| !state.fix.status.is_open()).map(|state| state.fix.id.clone()));
        ended.sort_by_key(|id| Reverse(number(id)));
        for id in ended.iter().skip(ENDED) {
            let lately = |state: &Arc<FixState>| now.since(state.fix.proposed_at) < HOUR_MS;
            if !self.fixes.get(id).is_some_and(lately) {
                self.fixes.remove(id);
            }
        }
    }
}

/// The N of `fx-N`.
fn number(id: &FixId) -> u64 {
    number_in(id.as_str(), FixId::PREFIX).unwrap_or(0)
}
