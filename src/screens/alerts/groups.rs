//! Which rows stand under which: an alert that another one explains is folded under it.
//!
//! Knows ids and who explains whom; neither the cursor nor what a row looks like. A child whose parent is
//! not shown stands by itself, so that a filter finds it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use stella_protocol::{Alert, AlertId};

/// The groups of what is shown.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By the alert at the top, in the order of the list.
    children: BTreeMap<AlertId, Vec<AlertId>>,
    /// The alert at the top of each child.
    tops: BTreeMap<AlertId, AlertId>,
    unfolded: BTreeSet<AlertId>,
    /// Everything that is shown, folded or not.
    known: HashSet<AlertId>,
}

impl Groups {
    /// Takes what is shown, in its order; answers with the rows. The group of `here` is unfolded when it is a
    /// child: what somebody looks at does not go away.
    pub(super) fn arrange(&mut self, sorted: &[&Alert], here: Option<&AlertId>) -> Vec<AlertId> {
        self.known = sorted.iter().map(|alert| alert.id.clone()).collect();
        self.children.clear();
        self.tops.clear();
        if sorted.iter().all(|alert| alert.parent_id.is_none()) {
            self.unfolded.clear();
            return sorted.iter().map(|alert| alert.id.clone()).collect();
        }
        let shown: HashMap<&AlertId, &Alert> = sorted.iter().map(|alert| (&alert.id, *alert)).collect();
        for alert in sorted {
            let top = top(alert, &shown);
            if *top != alert.id {
                self.children.entry(top.clone()).or_default().push(alert.id.clone());
                self.tops.insert(alert.id.clone(), top.clone());
            }
        }
        self.unfolded.extend(here.and_then(|id| self.tops.get(id)).cloned());
        self.unfolded.retain(|top| self.children.contains_key(top));
        let tops = sorted.iter().map(|alert| &alert.id).filter(|id| !self.tops.contains_key(*id));
        let rows = tops.flat_map(|id| std::iter::once(id).chain(self.under(id).filter(|_| self.unfolded.contains(id))));
        rows.cloned().collect()
    }

    /// What an alert explains, in the order of the list; folded or not.
    pub(super) fn under<'a>(&'a self, top: &AlertId) -> impl Iterator<Item = &'a AlertId> + 'a {
        self.children.get(top).into_iter().flatten()
    }

    /// The alert that this one stands under.
    pub(super) fn top(&self, id: &AlertId) -> Option<&AlertId> {
        self.tops.get(id)
    }

    /// True for an alert that others stand under, when they are shown.
    pub(super) fn is_unfolded(&self, top: &AlertId) -> bool {
        self.unfolded.contains(top)
    }

    /// True for an alert that others stand under.
    pub(super) fn is_top(&self, id: &AlertId) -> bool {
        self.children.contains_key(id)
    }

    /// True for what was shown, folded or not, when the rows were arranged.
    pub(super) fn knows(&self, id: &AlertId) -> bool {
        self.known.contains(id)
    }

    /// How many alerts are shown, folded or not.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Puts what stands under `top` into the rows, right behind it.
    pub(super) fn unfold(&mut self, top: &AlertId, rows: &mut Vec<AlertId>) {
        let Some(at) = rows.iter().position(|id| id == top) else { return };
        if self.is_top(top) && self.unfolded.insert(top.clone()) {
            let behind = rows.split_off(at + 1);
            rows.extend(self.under(top).cloned());
            rows.extend(behind);
        }
    }

    /// Takes it out of the rows.
    pub(super) fn fold(&mut self, top: &AlertId, rows: &mut Vec<AlertId>) {
        if self.unfolded.remove(top) {
            rows.retain(|id| self.tops.get(id) != Some(top));
        }
    }
}

/// The outermost alert that explains this one and is shown; itself where there is none, or where they explain
/// each other in a ring.
fn top<'a>(alert: &'a Alert, shown: &HashMap<&'a AlertId, &'a Alert>) -> &'a AlertId {
    let mut seen = BTreeSet::from([&alert.id]);
    let mut at = alert;
    while let Some(parent) = at.parent_id.as_ref().and_then(|id| shown.get(id)) {
        if !seen.insert(&parent.id) {
            return &alert.id;
        }
        at = parent;
    }
    &at.id
}
