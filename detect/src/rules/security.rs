//! Somebody trying to get in: many failed logins from one address, or on one account from many
//! addresses, or from everywhere; what the service itself calls locked out; and a success after all that.
//!
//! An address that many people share is known by its successes: each of another account speaks against
//! an attack as loudly as a failure speaks for one. Nothing is looked up: an address is a text, an
//! account is a text.

use rustc_hash::FxHashMap;
use stella_protocol::{AlertType, Category, LogEvent, Untrusted};

use crate::baseline::{Prior, Share};
use crate::budget::{Kind, LEAST};
use crate::cells::Cells;
use crate::evidence::Card;
use crate::gate::Gate;
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::llr::{Watch, outcome};
use crate::mark::{Flags, Mark};
use crate::rules::{Known, Limit, Rules};
use crate::scope::{OpName, Scope};

mod door;
mod pace;
mod story;

pub(crate) use door::Door;
use pace::Pace;
pub(crate) use story::{tell_account, tell_address, tell_everywhere, tell_locked_out};

const ADDRESS: Card = Card { id: "login.address", kind: AlertType::SecurityAnomaly, category: Category::Security };
const ACCOUNT: Card = Card { id: "login.account", ..ADDRESS };
const EVERYWHERE: Card = Card { id: "login.everywhere", ..ADDRESS };
const LOCKED_OUT: Card = Card { id: "login.locked_out", ..ADDRESS };
/// Its rules.
pub(crate) const RULES: [&str; 4] = [ADDRESS.id, ACCOUNT.id, EVERYWHERE.id, LOCKED_OUT.id];

/// Failures, accounts or lock-outs from which an attack is high.
const HIGH_FAILURES: f64 = 10.0;
const HIGH_ACCOUNTS: f64 = 3.0;
const HIGH_LOCK_OUTS: f64 = 3.0;
/// Failures before that are needed for a comparison.
const USUAL_FAILURES: u32 = 1;
/// Share of an attacker's logins that fail.
const ATTACK: f64 = 0.95;
/// What is believed, before it is seen, of how often a login fails (people mistype one time in twenty), and
/// of how often a failure follows a failure on the same account (one in five); each worth twenty logins.
const FAILS: Prior = Prior { share: 0.05, worth: 20.0 };
const AGAIN: Prior = Prior { share: 0.2, worth: 20.0 };
/// Whatever was seen: nobody's logins fail more often than that, or they would have no use for them.
const MOST_FAILS: f64 = 0.3;
const MOST_AGAIN: f64 = 0.5;
/// What the threshold of an address may be less where each failure says between one and two nats: chance passes it by
/// so much on average, E e^-overshoot = (1 - e^-1.1) / 1.1 (Siegmund 1985, as for friction).
const OVERSHOOT: f64 = 0.5;
/// A first failure is remembered for so long at least: until its evidence has faded by half.
pub(crate) const REMEMBERED_MS: i64 = 3_600_000;
/// Addresses that failed once whose moment is remembered. Under a flood of them it is not: their second failure
/// then counts as if it came at once.
const NEWCOMERS: usize = 2000;
/// Of all logins so many more than usual must fail to be one attack from many addresses.
const MORE_OF_ALL: f64 = 0.3;
/// Every address and account with failures lately, and what is usual for all.
#[derive(Debug)]
pub(crate) struct Doors {
    addresses: Cells<Door>,
    accounts: Cells<Door>,
    /// Addresses that failed once, and when.
    newcomers: Cells<i64>,
    /// How often logins fail, and whether they do more now.
    fails: Share,
    watch: Watch,
    /// How often they do in an hour.
    pace: Pace,
    /// How often a failure follows a failure on the same account.
    again: Share,
    weighed_at: i64,
    attacked: bool,
}

fn address_key(addr: u64) -> u64 {
    key::join(&[key::own(ADDRESS.id), addr])
}

fn account_key(user: u64) -> u64 {
    key::join(&[key::own(ACCOUNT.id), user])
}

fn everywhere_key() -> u64 {
    key::own(EVERYWHERE.id)
}

/// A login, with whatever it names.
#[derive(Debug, Clone, Copy)]
struct Login<'a> {
    mark: &'a Mark,
    op: &'a OpName,
    addr: Option<&'a str>,
    user: Option<&'a str>,
}

impl Doors {
    pub(crate) fn new(rules: &Rules) -> Self {
        let (addresses, accounts) = (Cells::new(rules.people), Cells::new(rules.people));
        let newcomers = Cells::new(NEWCOMERS);
        let (fails, again) = (Share::default(), Share::default());
        let (watch, pace) = (Watch::default(), Pace::default());
        Self { addresses, accounts, newcomers, fails, watch, pace, again, weighed_at: 0, attacked: false }
    }

    /// A line that speaks of somebody signing in.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        near: Near<'_>,
        gate: &mut Gate,
        mark: &Mark,
        event: &LogEvent<'_>,
    ) {
        let name = near.recent.ops.get(mark.op).map(|cell| &cell.name).filter(|name| name.is_name());
        let op = name.cloned().unwrap_or_else(OpName::nobody);
        let addr = event.remote_addr.as_ref().map(Untrusted::raw).filter(|addr| addr.len() <= key::LONGEST_NAME);
        let user = event.user_id.as_ref().map(Untrusted::raw).filter(|user| user.len() <= key::LONGEST_NAME);
        let login = Login { mark, op: &op, addr, user };
        let usual = self.fails.usual(FAILS).min(MOST_FAILS);
        if let Some(addr) = addr {
            self.address(desk, near, gate, login, (addr, usual));
        }
        if let Some(user) = user {
            self.account(desk, near, gate, login, (user, usual));
        }
        if !mark.flags.has(Flags::LOCKED_OUT) {
            self.everybody(desk, near, login);
        } else if name.is_some() && addr.is_none() && user.is_none() {
            let key = key::join(&[key::own(LOCKED_OUT.id), mark.op]);
            if !desk.touch(key, mark.at) {
                desk.open(near, key, Subject::LockedOut(op), mark.at, 1);
            }
        }
    }

    fn address(
        &mut self,
        desk: &mut Desk,
        near: Near<'_>,
        gate: &mut Gate,
        login: Login<'_>,
        (addr, usual): (&str, f64),
    ) {
        let (mark, rules) = (login.mark, near.rules);
        let key = address_key(mark.addr);
        let subject = || Subject::Address { op: login.op.clone(), addr: addr.into() };
        if mark.flags.has(Flags::LOGIN_OK) {
            let Some(door) = self.addresses.touch(mark.addr) else { return };
            let run = door.succeed(outcome(false, usual, ATTACK), mark.user, mark.at);
            if run > 0 && desk.get(key).is_none() {
                self.again.teach(run - 1, run - 1, mark.at);
            }
            if desk.get(key).is_some() && run > 0 {
                breach(desk, key, mark);
            }
            return;
        }
        let locked = mark.flags.has(Flags::LOCKED_OUT);
        let pair = gate.knows(key::join(&[key, mark.user]), mark.at);
        let again = self.again.usual(AGAIN).min(MOST_AGAIN).max(usual);
        let known = gate.knows(key, mark.at) || locked;
        if self.addresses.get(mark.addr).is_none() && !known {
            self.again.teach(0, 1, mark.at);
            *self.newcomers.touch_or(mark.addr, || mark.at) = mark.at;
            return;
        }
        let door = self.addresses.touch_or(mark.addr, Door::default);
        if door.at == 0 && !locked {
            // The failure that the gate saw.
            let first_at = self.newcomers.get(mark.addr).copied().unwrap_or(mark.at);
            door.fail(outcome(true, usual, ATTACK), first_at);
        }
        let same = mark.user == key::NONE || door.knows(mark.user) || pair;
        let haste = if same { door.hurry(mark.at) } else { 0.0 };
        let expected = if same && !door.comes_back(mark.at) { again } else { usual };
        door.fail(outcome(true, expected, ATTACK) + haste, mark.at);
        let (failures, began) = (door.failures(), door.page.began);
        let enough = door.page.score >= near.needed(Kind::Security, Known::LoginAddress, mark.op) - OVERSHOOT;
        let many = enough && door.has_enough(rules) || is_over_limit(near, mark.op, failures);
        self.addresses.promote(mark.addr);
        if !desk.touch(key, mark.at) && (locked || many) {
            let scope = Scope::default().needing(Flags::LOGIN_FAILED).at_addr(addr);
            let (first, lines) = since(near, &scope, began);
            desk.open(near, key, subject(), first, lines);
        }
    }

    fn account(
        &mut self,
        desk: &mut Desk,
        near: Near<'_>,
        gate: &mut Gate,
        login: Login<'_>,
        (user, usual): (&str, f64),
    ) {
        let (mark, rules) = (login.mark, near.rules);
        let key = account_key(mark.user);
        let subject = || Subject::Account { op: login.op.clone(), user: user.into() };
        let has_addr = login.addr.is_some();
        let explained = has_addr && desk.get(address_key(mark.addr)).is_some();
        if mark.flags.has(Flags::LOGIN_OK) {
            let Some(door) = self.accounts.touch(mark.user) else { return };
            let run = door.succeed(outcome(false, usual, ATTACK), mark.addr, mark.at);
            if desk.get(key).is_some() && !explained && run > 0 {
                breach(desk, key, mark);
            }
            return;
        }
        let locked = mark.flags.has(Flags::LOCKED_OUT);
        if self.accounts.get(mark.user).is_none() && !gate.knows(key, mark.at) && !locked {
            return;
        }
        let again = self.again.usual(AGAIN).min(MOST_AGAIN).max(usual);
        let door = self.accounts.touch_or(mark.user, Door::default);
        if door.at == 0 && !locked {
            door.fail(outcome(true, usual, ATTACK), mark.at);
        }
        // From the same address again is the address's affair; without one, it is the account's.
        let llr = match (has_addr, door.knows(mark.addr)) {
            (true, true) => 0.0,
            (true, false) => outcome(true, usual, ATTACK),
            (false, _) => outcome(true, again, ATTACK),
        };
        door.fail(llr, mark.at);
        let (failures, began) = (door.failures(), door.page.began);
        let enough = door.page.score >= near.needed(Kind::Security, Known::LoginAccount, mark.op);
        let limit = is_over_limit(near, mark.op, failures);
        self.accounts.promote(mark.user);
        if desk.touch(key, mark.at) || explained {
            return;
        }
        let scope = Scope::default().needing(Flags::LOGIN_FAILED).by_user(user);
        let many = enough && failures >= rules.failed_logins || limit;
        if locked && !has_addr || many && (!has_addr || addresses(near, &scope) >= rules.account_addresses) {
            let (first, lines) = since(near, &scope, began);
            desk.open(near, key, subject(), first, lines);
        }
    }

    /// Whether more logins fail than usual, wherever they come from: an attack that uses each address and
    /// each account once is seen only so. More of the logins must fail, and more in an hour: the share rises by
    /// itself when people go home, the number when they come.
    fn everybody(&mut self, desk: &mut Desk, near: Near<'_>, login: Login<'_>) {
        let more = near.recent.everywhere.more(Known::LoginEverywhere);
        let (mark, needed) = (login.mark, near.budget.needed_besides(Kind::Security, more));
        let failed = !mark.flags.has(Flags::LOGIN_OK);
        let addr_on = login.addr.is_some() && desk.get(address_key(mark.addr)).is_some();
        if addr_on || login.user.is_some() && desk.get(account_key(mark.user)).is_some() {
            return;
        }
        let usual = self.fails.usual(FAILS);
        let says = |more: f64| outcome(failed, usual, usual + more * (1.0 - usual)) / self.fails.factor();
        self.watch.add([says(MORE_OF_ALL), says(MORE_OF_ALL * 2.0)], mark.at);
        self.fails.take((failed, 1), mark.at, self.watch.suspects() || self.watch.on, FAILS);
        if failed {
            self.pace.fail(mark.at, self.watch.on || self.watch.score() >= needed / 2.0);
        } else {
            self.pace.watch_from(mark.at);
        }
        if !failed || desk.touch(everywhere_key(), mark.at) {
            return;
        }
        let second = mark.at.div_euclid(1000);
        if self.watch.score() < needed
            || self.pace.score() < LEAST
            || std::mem::replace(&mut self.weighed_at, second) == second
        {
            return;
        }
        let window = near.recent.now - near.rules.security_window_ms;
        let (first, lines, rest) = unexplained(desk, near, self.watch.best().began.max(window));
        if f64::from(rest) * says_of_one(usual) >= needed && rest >= near.rules.failed_logins {
            self.watch.turn_on(mark.at);
            self.attacked = true;
            desk.open(near, everywhere_key(), Subject::LoginsEverywhere, first, lines);
        }
    }

    /// Notes that logins are as usual again.
    pub(crate) fn advance(&mut self, desk: &Desk) {
        if self.attacked && (self.watch.is_calm() || desk.get(everywhere_key()).is_none()) {
            self.attacked = false;
            self.watch.turn_off();
            self.fails.condemn();
        }
    }

    /// True while more logins fail than usual.
    pub(crate) fn are_attacked(&self) -> bool {
        self.attacked
    }
}

/// True when so many failures reach the limit that somebody set, or that of the fixed rules.
fn is_over_limit(near: Near<'_>, op: u64, failures: u32) -> bool {
    let usual = near.rules.fixed.then_some(near.rules.failed_logins);
    near.tuned(op).reaches(Limit::FailedLogins, usual, failures)
}

/// What one failure says for more failures of all.
fn says_of_one(usual: f64) -> f64 {
    outcome(true, usual, usual + MORE_OF_ALL * (1.0 - usual))
}

/// The first failed login since `began`, how many there were, and how many of them no address and no account
/// explains: those of an alert do not count, nor do those of the address that has most, nor those of whoever got
/// in afterwards from where they had failed.
fn unexplained(desk: &Desk, near: Near<'_>, began: i64) -> (i64, u64, u32) {
    let of = |flag| near.recent.walk(&Scope::default().needing(flag), near.recent.span_from(began)).0;
    let marks = of(Flags::LOGIN_FAILED);
    let got_in: FxHashMap<(u64, u64), u64> =
        of(Flags::LOGIN_OK).into_iter().map(|mark| ((mark.addr, mark.user), mark.line)).collect();
    let mut counts: FxHashMap<u64, u32> = FxHashMap::default();
    let mut rest = 0;
    for mark in &marks {
        let door = if mark.addr == key::NONE { mark.user } else { mark.addr };
        let known = desk.get(address_key(mark.addr)).is_some() || desk.get(account_key(mark.user)).is_some();
        let in_later = got_in.get(&(mark.addr, mark.user)).is_some_and(|line| *line > mark.line);
        if known || mark.user != key::NONE && in_later {
            continue;
        }
        rest += 1;
        *counts.entry(door).or_default() += 1;
    }
    let most = counts.into_values().max().unwrap_or(0);
    (marks.first().map_or(near.recent.now, |mark| mark.at), marks.len() as u64, rest - most)
}

/// Somebody got in after a run of failures.
fn breach(desk: &mut Desk, key: u64, mark: &Mark) {
    desk.touch(key, mark.at);
    desk.worsen(key, |incident| incident.breached = true);
}

/// The first line of `scope` since `began` (or in the window: the gate saw one before), and how many there are.
fn since(near: Near<'_>, scope: &Scope, began: i64) -> (i64, u64) {
    let window = near.recent.now - near.rules.security_window_ms;
    let (marks, _) = near.recent.walk(scope, near.recent.span_from(began.min(window)));
    (marks.first().map_or(near.recent.now, |mark| mark.at), marks.len().max(1) as u64)
}

fn addresses(near: Near<'_>, scope: &Scope) -> u32 {
    let (marks, _) = near.recent.walk(scope, near.recent.span(near.rules.security_window_ms));
    let mut addresses: Vec<u64> = marks.iter().map(|mark| mark.addr).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.len() as u32
}

keep_fields!(Doors { addresses, accounts, newcomers, fails, watch, pace, again, weighed_at, attacked });
