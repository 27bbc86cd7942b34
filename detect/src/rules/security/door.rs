//! What is remembered of sign-ins from one address, or on one account: the evidence, and at what pace they come.
//!
//! Knows no budget and opens no alert.

use crate::keep::keep_fields;
use crate::key;
use crate::llr::Page;
use crate::rules::Rules;

/// Evidence fades by half in an hour, as what is counted for the budget does.
const HALF_MS: f64 = 3_600_000.0;
/// A person looks, and types, before they try again. Faster than the second number of milliseconds is a machine
/// more often than a hand that slipped (one in two against one in twenty); faster than the first it may be one
/// attempt that two lines tell of, which says nothing.
const HASTE_MS: (i64, i64) = (300, 1500);
const HASTE: [f64; 2] = [0.5, 0.05];
/// So does a pause as long as the one before it, within one part in sixteen. Pauses shorter than a minute are a
/// person's as well: as long as a form takes, and alike by chance where times are whole seconds.
const EVEN_FROM_MS: i64 = 60_000;
const EVEN_PART: i64 = 16;
/// Who tries again after so many milliseconds has come back: how often a failure follows a failure says
/// nothing about that, and a person who comes back has looked the password up.
const VISIT_MS: i64 = 300_000;
/// Fewest failures where one came as a machine sends it, and where each is a visit or none names an account: the usual
/// number leaves room for somebody at their own account, who does neither.
const HASTY_FAILURES: u32 = 3;
const VISITS: u32 = 4;
/// The same account's next success says a third: whoever has one account of their own must not be able to
/// wipe out the failures on those of others with it.
const SAME_AGAIN: f64 = 3.0;
/// Counterparties of a door that are remembered.
const REMEMBERED: usize = 4;

/// Sign-ins from an address, or on an account. There are tens of thousands of these: small numbers are small.
#[derive(Debug, Default)]
pub(crate) struct Door {
    pub(super) page: Page,
    pub(super) at: i64,
    /// Failures since the suspicion began.
    failures: u32,
    /// Milliseconds between the last two failures.
    pause: u32,
    /// Failures since the last success.
    run: u16,
    /// Of the failures since the suspicion began, those that came as a machine sends them, those that began a
    /// visit, and those of the last visit.
    hasty: u16,
    visits: u16,
    in_visit: u16,
    /// Accounts that were tried from the address, or addresses from which the account was, the newest first, each
    /// by half of its key.
    others: [u32; REMEMBERED],
    /// Whose login succeeded last, likewise.
    succeeded: u32,
}

/// Half of a key; nobody stays nobody.
fn half(key: u64) -> u32 {
    (key >> 32) as u32
}

impl Door {
    /// Evidence of an attack, since when, and of how many failures.
    pub(crate) fn score(&self) -> f64 {
        self.page.score
    }

    pub(crate) fn began(&self) -> i64 {
        self.page.began
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Share of failures since the suspicion began.
    pub(crate) fn failing(&self) -> f64 {
        f64::from(self.failures) / f64::from(self.page.count.max(self.failures).max(1))
    }

    /// Counterparties that are remembered.
    pub(crate) fn counterparties(&self) -> usize {
        self.others.iter().filter(|other| **other != half(key::NONE)).count()
    }

    /// Notes a counterparty; true when it was one of the last.
    pub(crate) fn knows(&mut self, other: u64) -> bool {
        let other = half(other);
        if let Some(place) = self.others.iter().position(|known| *known == other) {
            self.others[..=place].rotate_right(1);
            return true;
        }
        self.others.rotate_right(1);
        self.others[0] = other;
        false
    }

    /// A failure.
    pub(crate) fn fail(&mut self, llr: f64, at: i64) {
        self.page.fade(at - self.at, HALF_MS);
        if !self.page.suspects() {
            (self.failures, self.hasty, self.visits) = (0, 0, 0);
        }
        self.failures = self.failures.saturating_add(1);
        self.pause = if self.at > 0 { u32::try_from(at - self.at).unwrap_or(u32::MAX) } else { 0 };
        if self.visits == 0 || self.comes_back(at) {
            (self.visits, self.in_visit) = (self.visits.saturating_add(1), 0);
        }
        self.in_visit = self.in_visit.saturating_add(1);
        self.page.add(llr, at);
        (self.at, self.run) = (at, self.run.saturating_add(1));
    }

    /// A failure that tries the same again; says what its haste adds, or its even pace.
    pub(super) fn hurry(&mut self, at: i64) -> f64 {
        let (told_twice, by_hand) = HASTE_MS;
        let pause = at - self.at;
        let hasty = (told_twice..by_hand).contains(&pause);
        let even = pause >= EVEN_FROM_MS && (pause - i64::from(self.pause)).abs() * EVEN_PART <= pause;
        let by_machine = self.run > 0 && (hasty || even);
        self.hasty = self.hasty.saturating_add(u16::from(by_machine));
        if by_machine { (HASTE[0] / HASTE[1]).ln() } else { 0.0 }
    }

    /// True when a failure now is the first of a visit, and the visit before did not end inside.
    pub(super) fn comes_back(&self, at: i64) -> bool {
        self.run > 0 && at - self.at >= VISIT_MS
    }

    /// Enough of them to wake somebody for, whatever the evidence.
    pub(super) fn has_enough(&self, rules: &Rules) -> bool {
        let fewest = |usual: u32| usual.min(rules.failed_logins);
        let hasty = self.hasty > 0 && self.failures >= fewest(HASTY_FAILURES);
        let steady = u32::from(self.visits) >= fewest(VISITS);
        hasty
            || steady
            || match self.counterparties() {
                0 => self.failures >= fewest(VISITS),
                1 => u32::from(self.in_visit) >= rules.failed_logins,
                _ => self.failures >= rules.failed_logins,
            }
    }

    /// A success; says how many failures it ended.
    pub(crate) fn succeed(&mut self, llr: f64, user: u64, at: i64) -> u32 {
        let same = std::mem::replace(&mut self.succeeded, half(user)) == half(user);
        self.page.fade(at - self.at, HALF_MS);
        self.page.add(if same { llr / SAME_AGAIN } else { llr }, at);
        (self.at, self.visits, self.in_visit) = (at, 0, 0);
        u32::from(std::mem::take(&mut self.run))
    }
}

keep_fields!(Door { page, at, failures, pause, run, hasty, visits, in_visit, others, succeeded });
