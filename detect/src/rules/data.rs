//! Stored data that contradict themselves: somebody says so, or an owner who had things has none.
//!
//! A single impossible fact is worth an alert, unless it is said so often that it is usual. A search that
//! finds nothing is not one, nor is the deletion of the last few things.

use stella_protocol::{AlertType, Category, LineId, LogEvent, Measure, Severity};

use crate::baseline::{Prior, Share, faded};
use crate::budget::{Budget, Kind, LEAST};
use crate::cells::Cells;
use crate::evidence::{Card, Case, Story, number, several};
use crate::incident::{Desk, Near, Subject};
use crate::keep::{Keep, Reader, keep_fields};
use crate::key;
use crate::llr::{Page, outcome};
use crate::mark::{CONTRADICTIONS, Flags, Mark, says};
use crate::recent::Recent;
use crate::rules::{Known, Limit, Rules};
use crate::scope::{OpName, Scope};

mod counted;
mod forms;
mod nothing;

pub(crate) use forms::tell as tell_wrong_form;
pub(crate) use nothing::tell as tell_nothing;

const SAID: Card = Card { id: "data", kind: AlertType::DataInconsistency, category: Category::Data };
const VANISHED: Card = Card { id: "data.vanished", ..SAID };
const NOTHING: Card = Card { id: "data.nothing", ..SAID };
const FORM: Card = Card { id: "data.form", ..SAID };
/// Its rules.
pub(crate) const RULES: [&str; 4] = [SAID.id, VANISHED.id, NOTHING.id, FORM.id];

/// In the name of an operation whose count depends on the question, not on the owner; and of what it counts then.
const ASKING: [&str; 5] = ["search", "lookup", "find", "query", "suggest"];
const FOUND: [&str; 2] = ["hit", "match"];

/// True for a line that says that there is nothing of something.
pub(crate) fn counts_nothing(event: &LogEvent<'_>) -> bool {
    counted::of(event).is_some_and(|(_, count)| count == 0.0)
}

/// The key of what a field of an operation holds, for a rule.
fn key_of(card: Card, op: u64, field: &str) -> u64 {
    key::join(&[key::own(card.id), op, key::of(field)])
}

/// How a line says that data contradict themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sign {
    flag: Flags,
    word: &'static str,
}

impl Sign {
    /// The sign of a line: a word, or else that its source files it under data.
    fn of(flags: Flags) -> Self {
        let said = CONTRADICTIONS.into_iter().find(|(flag, _)| flags.has(*flag));
        said.map_or(Self { flag: Flags::DATA, word: "contradiction" }, |(flag, word)| Self { flag, word })
    }

    /// As a word for people.
    fn spoken(self) -> &'static str {
        if self.flag == Flags::INCONSISTENT { "inconsistent" } else { self.word }
    }
}

/// A burst that is worth waking somebody for, in lines a second: six in five minutes.
const BURST: f64 = 0.02;
/// Before anything is seen, data are believed to be said to contradict themselves once a week: a single
/// such line is then evidence enough.
const WEEK_S: f64 = 604_800.0;
/// Half-life of what is known of how often that is said, in milliseconds: a day; and the longest time, in
/// seconds, that this leaves.
const SAID_HALF_MS: f64 = 86_400_000.0;
const LONGEST_S: f64 = 124_650.0;
/// An alert that lasts so long is how things are now.
const NEW_NORMAL_MS: i64 = 2 * 3_600_000;

/// How often an operation says one of the signs.
#[derive(Debug, Default)]
struct Rate {
    page: Page,
    /// Lines (of an alert only the first), faded.
    said: f64,
    faded_at: i64,
    at: i64,
    since: i64,
}

/// Every operation that says such things.
#[derive(Debug)]
pub(crate) struct Signs {
    cells: Cells<Rate>,
}

impl Signs {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.operations) }
    }

    /// A loud line that speaks of contradicting data.
    pub(crate) fn observe(&mut self, desk: &mut Desk, near: Near<'_>, mark: &Mark, event: &LogEvent<'_>) {
        if is_only_a_name(mark.flags, event.message.raw()) {
            return;
        }
        let filed_elsewhere = event.category.is_some_and(|category| category != Category::Data);
        if event.login.is_some() || filed_elsewhere {
            return;
        }
        let sign = Sign::of(mark.flags);
        let key = key::join(&[key::own(SAID.id), mark.op, key::of(sign.word)]);
        let (recent, at) = (near.recent, mark.at);
        let rate = self.cells.touch_or(key, Rate::default);
        let left = faded(&mut rate.faded_at, at, SAID_HALF_MS);
        rate.said *= left;
        let watched_s = ((at - recent.first_line_at) as f64 / 1000.0).min(LONGEST_S);
        let usual = (1.0 + rate.said) / (WEEK_S + watched_s);
        // A Poisson process of the greater rate against one of the usual: what a line says, less what the time
        // before it says.
        let greater = BURST.max(usual * 5.0);
        let waited_s = if rate.page.suspects() { (at - rate.at) as f64 / 1000.0 } else { 0.0 };
        rate.page.add((greater / usual).ln() - (greater - usual) * waited_s, at);
        rate.at = at;
        if desk.touch(key, at) {
            rate.said += f64::from(u8::from(at - rate.since > NEW_NORMAL_MS));
            return;
        }
        rate.said += 1.0;
        let enough = rate.page.score >= near.needed(Kind::Data, Known::Data, mark.op);
        if !enough && !is_over_limit(near, mark.op, sign) {
            return;
        }
        (rate.since, rate.page) = (at, Page::default());
        if let Some(cell) = recent.ops.get(mark.op) {
            self.cells.promote(key);
            desk.open(near, key, Subject::Contradiction { op: cell.name.clone(), sign }, at, 1);
        }
    }
}

/// True when so many lines say so as somebody set a limit for.
fn is_over_limit(near: Near<'_>, op: u64, sign: Sign) -> bool {
    let Some(cell) = near.recent.ops.get(op) else { return false };
    let usual = near.rules.fixed.then_some(1);
    if cell.tuned.limit_or(Limit::Contradictions, usual.map(f64::from)).is_none() {
        return false;
    }
    let said = Scope::of_op(&cell.name).needing(Flags::LOUD.and(sign.flag));
    let (marks, _) = near.recent.walk(&said, near.recent.span(near.rules.security_window_ms));
    cell.tuned.reaches(Limit::Contradictions, usual, marks.len() as u32)
}

/// True when the word stands only in the name of an error's class (`SchemaMismatch: ...`), and no source says that it
/// is about data: a class is called so for many reasons.
fn is_only_a_name(flags: Flags, message: &str) -> bool {
    let Some((name, rest)) = message.split_once(':') else { return false };
    let is_class = !name.contains(' ') && name.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    let said = |(flag, word): &(Flags, &str)| flags.has(*flag) && says(rest.as_bytes(), word.as_bytes());
    is_class && !flags.has(Flags::DATA) && !CONTRADICTIONS.iter().any(said)
}

/// Of reads that counted something before, one in two thousand is believed to find nothing any more, and
/// two hundred outweigh the belief; where filters make that common, one is no sign.
const FALLS: Prior = Prior { share: 0.0005, worth: 200.0 };
/// Where data vanish, they do so for most of those who look.
const VANISH: f64 = 0.8;

/// What owners had when they were last seen.
#[derive(Debug)]
pub(crate) struct Owners {
    cells: Cells<f64>,
    /// How often counts fall to nothing, by operation and field.
    falls: Cells<Share>,
    searches: nothing::Searches,
    forms: forms::Forms,
}

impl Owners {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            cells: Cells::new(rules.people),
            falls: Cells::new(rules.operations),
            searches: nothing::Searches::new(rules),
            forms: forms::Forms::new(rules),
        }
    }

    /// Time passes, to a whole second.
    pub(crate) fn advance(&mut self, desk: &mut Desk, near: Near<'_>) {
        self.searches.advance(desk, near);
    }

    /// A line that may count what there is, or what its user has, or hold ids.
    pub(crate) fn observe(
        &mut self,
        desk: &mut Desk,
        recent: &mut Recent,
        (rules, budget): (&Rules, &mut Budget),
        mark: &Mark,
        event: &LogEvent<'_>,
    ) {
        let Some(operation) = event.operation.as_ref().filter(|_| !event.failed()) else { return };
        let counted = counted::of(event).filter(|(field, _)| field.len() <= key::LONGEST_NAME);
        let has_ids = !event.attributes.is_empty();
        let of_note = has_ids && self.forms.observe(desk, Near { recent, rules, budget }, mark, event);
        if of_note {
            budget.count(Kind::Data);
        }
        let Some((field, count)) = counted else {
            if of_note {
                recent.keep(LineId(mark.line), event);
            }
            return;
        };
        let asks = asks_for(operation.raw(), &field);
        let user = event.user_id.as_ref().filter(|user| !asks && user.len() <= key::LONGEST_NAME);
        let own = user.map(|user| {
            let key = key::join(&[key::own(VANISHED.id), mark.op, mark.user, key::of(&field)]);
            (user, key, std::mem::replace(self.cells.touch_or(key, || count), count))
        });
        // Who never had anything finds nothing, every day.
        let never_had = own.as_ref().is_some_and(|(_, _, had)| *had == 0.0);
        let near = Near { recent, rules, budget };
        if !never_had && self.searches.observe(desk, near, mark, (&field, count)) || of_note {
            recent.keep(LineId(mark.line), event);
        }
        let Some((user, key, had)) = own.filter(|(_, _, had)| *had >= rules.vanished_from) else { return };
        if !self.is_odd(mark, (&field, count), recent.tuned(mark.op).more(Known::Vanished)) {
            return;
        }
        recent.keep(LineId(mark.line), event);
        if desk.touch(key, mark.at) {
            return;
        }
        if let Some(cell) = recent.ops.get(mark.op) {
            let (op, field) = (cell.name.clone(), field.as_ref().into());
            let subject = Subject::Vanished { op, user: user.raw().into(), had, field };
            desk.open(Near { recent, rules, budget }, key, subject, mark.at, 1);
        }
    }
}

impl Owners {
    /// What somebody has now who had something; true when it is nothing, where that is no habit of the place. `more` is
    /// the evidence that somebody asks for besides.
    fn is_odd(&mut self, mark: &Mark, (field, count): (&str, f64), more: f64) -> bool {
        let falls = self.falls.touch_or(key::join(&[mark.op, key::of(field)]), Share::default);
        let usual = falls.usual(FALLS);
        falls.teach(if count == 0.0 { mark.weight } else { 0 }, mark.weight, mark.at);
        // One impossible fact is enough, unless somebody bears fewer false alerts than others.
        count == 0.0 && outcome(true, usual, VANISH) >= LEAST + more.max(0.0)
    }
}

/// True when what is counted depends on what was asked for, not on whose it is.
fn asks_for(operation: &str, field: &str) -> bool {
    let holds = |text: &str, words: &[&str]| words.iter().any(|word| says(text.as_bytes(), word.as_bytes()));
    holds(operation, &ASKING) || holds(field, &FOUND)
}

/// Lines that say that data contradict themselves.
pub(crate) fn tell(case: &Case<'_>, op: &OpName, sign: Sign) -> Story {
    let span = case.span(case.rules.security_window_ms);
    let all = Scope::of_op(op);
    let said = all.clone().needing(Flags::LOUD.and(sign.flag));
    let count = case.count("lines that say so", &said, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let usual = case.usual(Measure::Count, &said, &all, 1);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        let text = format!("{} {}", several(count.value, "line says", "lines say"), sign.spoken());
        reasons.push(case.reason(0.7, text, vec![count.clone()]));
    }
    if let Some(users) = case.figure("users named", Measure::DistinctUsers, &said, span) {
        let weight = if users.value > 0.0 { 0.2 } else { -0.1 };
        reasons.push(case.reason(
            weight,
            several(users.value, "user is named by them", "users are named by them"),
            vec![users],
        ));
    }
    let others = all.clone().errors().needing(Flags::LOUD).lacking(sign.flag);
    if let Some(failed) = case.count("other loud errors", &others, span) {
        let (weight, side) = if failed.value > 0.0 { (0.1, "") } else { (-0.1, ", so writing goes on") };
        let text = format!("{}{side}", several(failed.value, "other error here", "other errors here"));
        reasons.push(case.reason(weight, text, vec![failed]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let (word, spoken, lines) = (op.word(), sign.spoken(), several(many, "line", "lines"));
    let burst = many >= f64::from(case.rules.data_burst);
    Story {
        severity: if burst { Severity::High } else { Severity::Medium },
        title: format!("{word}: {spoken} reported ({lines})"),
        summary: format!("{word} says {spoken} of stored data: {lines} in ten minutes."),
        actions: vec![
            "Look at the first document that was named and at who wrote it last".into(),
            "Stop the job that writes it before more are touched".into(),
            "Compare with the last backup before repairing anything".into(),
        ],
        window_ms: case.rules.security_window_ms,
        chart: Some(case.count_chart("lines that say so", &said)),
        observed: count,
        usual,
        threshold: Some(1.0),
        reasons,
        ..Story::of(SAID, op, said).with("sign", spoken)
    }
}

/// An owner who had things and has none.
pub(crate) fn tell_vanished(case: &Case<'_>, op: &OpName, user: &str, had: f64, field: &str) -> Story {
    let span = case.span(case.rules.security_window_ms);
    let own = Scope::of_op(op).by_user(user);
    let count = case.count("lines of this user", &own, span);
    let usual = case.usual(Measure::Count, &own, &own, 1);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        let lines = several(count.value, "line of this user counts", "lines of this user count");
        let text = format!("{lines} what is there; the last one says nothing is");
        reasons.push(case.reason(0.6, text, vec![count.clone()]));
    }
    if let Some(failed) = case.count("failures of this user", &own.clone().errors(), span) {
        let (weight, side) =
            if failed.value > 0.0 { (-0.3, "this may be a failed read") } else { (0.1, "the read worked") };
        let text = format!("{} of this user: {side}", several(failed.value, "failure", "failures"));
        reasons.push(case.reason(weight, text, vec![failed]));
    }
    let everybody = Scope::of_op(op).errors();
    if let Some(failed) = case.count("failures of all users", &everybody, span) {
        let text = format!("{} of all users here", several(failed.value, "failure", "failures"));
        reasons.push(case.reason(-0.05, text, vec![failed]));
    }
    reasons.extend(case.deploys());
    let (word, before) = (op.word(), number(had));
    Story {
        severity: Severity::High,
        title: format!("{word}: {user} had {before}, now 0 ({field})"),
        summary: format!(
            "{user} had {before} at {word} when last seen and has none now, without having deleted them one by one."
        ),
        actions: vec![
            format!("Look for what belonged to {user} under another or an older id"),
            "Check migrations and clean-up jobs that ran since the last good line".into(),
            "Restore before the owner writes anew".into(),
        ],
        window_ms: case.rules.security_window_ms,
        observed: count,
        usual,
        reasons,
        ..Story::of(VANISHED, op, own).with("user", user)
    }
}

keep_fields!(Rate { page, said, faded_at, at, since });
keep_fields!(Signs { cells });
keep_fields!(Owners { cells, falls, searches, forms });

impl Keep for Sign {
    fn keep(&self, to: &mut Vec<u8>) {
        self.flag.keep(to);
    }

    fn wake(from: &mut Reader<'_>) -> Option<Self> {
        Flags::wake(from).map(Self::of)
    }
}
