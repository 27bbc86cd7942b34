//! Ids of another form than those of a field always had: a job that was forgotten writes under mail addresses
//! where keys have been in use for a year.
//!
//! A form is told from letters alone; which forms a field has is learned. Names of services (no digit, no `@`) are
//! no ids.

use stella_protocol::{LogEvent, Severity};

use crate::budget::Kind;
use crate::cells::Cells;
use crate::evidence::{Case, Story, several};
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::llr::{Page, outcome};
use crate::mark::Mark;
use crate::rules::{Known, Rules};
use crate::scope::{OpName, Scope};

use super::{FORM, key_of};

/// Shortest and longest value that is an id, in bytes.
const LENGTHS: (usize, usize) = (3, 128);
/// From here on letters without a sign are an id of a machine, in bytes (of Firebase they are 28 long).
const OPAQUE: usize = 20;
/// Attributes of a line that are looked at, and forms of a field that are told apart: a field with more has none.
const ATTRIBUTES: usize = 4;
const FORMS: usize = 6;
/// Values of a field from which its forms are known, and of a form from which it is one of them.
const KNOWN: u32 = 100;
const ESTABLISHED: u32 = 20;
/// Share of a field's values that a forgotten job writes.
const SOUGHT: f64 = 0.05;
/// Fewest lines.
const FEWEST: u32 = 2;

/// The form of a value: equal for ids of one kind. None: it is no id.
fn form(value: &str) -> Option<u64> {
    let bytes = value.as_bytes();
    let (shortest, longest) = LENGTHS;
    if bytes.len() < shortest || bytes.len() > longest || bytes.contains(&b' ') {
        return None;
    }
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let signs = bytes.iter().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    let hex = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    Some(match () {
        () if bytes.contains(&b'@') => 1,
        () if digits == 0 => return None,
        () if digits == bytes.len() => 2,
        () if bytes.len() == 36 && signs == 4 && hex => 3,
        () if signs == 0 => 4 + u64::from(bytes.len() >= OPAQUE),
        () => signed(bytes),
    })
}

/// The form of what has signs in it: the first one, and which others there are. The word before it is left out: it
/// may be a name.
fn signed(bytes: &[u8]) -> u64 {
    let mut signs = bytes.iter().filter(|byte| byte.is_ascii_punctuation());
    let first = u64::from(signs.next().copied().unwrap_or(0));
    let others = signs.fold(0_u64, |seen, byte| seen | 1 << (byte % 32));
    8 + (first << 32 | others) * 8
}

/// True for names of attributes that hold ids.
fn holds_ids(name: &str) -> bool {
    let ends = |word: &str| {
        name.len() >= word.len()
            && name.get(name.len() - word.len()..).is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    ["id", "ref", "owner", "user", "account", "author", "by"].iter().any(|word| ends(word))
}

/// A form of a field.
#[derive(Debug, Clone, Copy, Default)]
struct Form {
    shape: u64,
    count: u32,
    /// Evidence that somebody writes it who should not, and what it was when it was last seen.
    page: Page,
    lines: u32,
    at: u32,
    value: u64,
    several: bool,
}

/// The forms of a field.
#[derive(Debug, Default)]
struct Field {
    forms: Vec<Form>,
    all: u32,
}

impl Field {
    /// Takes in a value; Some: its form is a rare one, at this place, and suspected.
    fn take(&mut self, form: u64, value: u64, at: i64) -> Option<usize> {
        self.all = self.all.saturating_add(1);
        let Some(place) = self.forms.iter().position(|known| known.shape == form) else {
            return self.take_first(form, value, at);
        };
        let (all, known) = (self.all, &mut self.forms[place]);
        if known.count >= ESTABLISHED {
            known.count = known.count.saturating_add(1);
            return None;
        }
        known.weigh(all, value, at);
        if known.page.suspects() {
            return Some(place);
        }
        // It was seldom before and is so now: another of those that there are.
        known.count += std::mem::take(&mut known.lines);
        None
    }

    fn take_first(&mut self, form: u64, value: u64, at: i64) -> Option<usize> {
        if self.forms.len() == FORMS {
            return None;
        }
        let mut fresh = Form { shape: form, value, ..Form::default() };
        if self.all <= KNOWN {
            fresh.count = ESTABLISHED;
        } else {
            fresh.weigh(self.all, value, at);
        }
        self.forms.push(fresh);
        (self.all > KNOWN).then_some(self.forms.len() - 1)
    }

    /// A field with many forms has none.
    fn is_formed(&self) -> bool {
        self.forms.len() < FORMS
    }
}

impl Form {
    fn weigh(&mut self, all: u32, value: u64, at: i64) {
        let p0 = (f64::from(self.count) + 1.0) / (f64::from(all) + 2.0);
        let p1 = SOUGHT.max(p0);
        let between = if self.lines == 0 { 0 } else { all.saturating_sub(self.at).saturating_sub(1) };
        self.page.add(f64::from(between) * outcome(false, p0, p1), at);
        self.page.add(outcome(true, p0, p1), at);
        self.lines += 1;
        self.several |= self.value != value;
        (self.at, self.value) = (all, value);
    }
}

/// Every field that holds ids.
#[derive(Debug)]
pub(super) struct Forms {
    cells: Cells<Field>,
}

impl Forms {
    pub(super) fn new(rules: &Rules) -> Self {
        Self { cells: Cells::new(rules.operations) }
    }

    /// A line that may hold ids. True: one of them has a form that is suspected.
    pub(super) fn observe(&mut self, desk: &mut Desk, near: Near<'_>, mark: &Mark, event: &LogEvent<'_>) -> bool {
        let mut suspected = false;
        for (name, value) in event.attributes.iter().take(ATTRIBUTES) {
            let Some(text) = value.as_str().filter(|_| holds_ids(name)) else { continue };
            let Some(form) = form(text) else { continue };
            let key = key_of(FORM, mark.op, name);
            let field = self.cells.touch_or(key, Field::default);
            let Some(place) = field.take(form, key::of(text), mark.at) else { continue };
            suspected = true;
            let of = field.forms[place];
            let enough = field.is_formed()
                && of.lines >= FEWEST
                && of.several
                && of.page.score >= near.needed(Kind::Data, Known::WrongForm, mark.op);
            if desk.touch(key, mark.at) || !enough {
                continue;
            }
            if let Some(cell) = near.recent.ops.get(mark.op) {
                let (op, field) = (cell.name.clone(), name.as_str().into());
                let subject = Subject::WrongForm { op, field, value: text.into() };
                self.cells.promote(key);
                desk.open(near, key, subject, of.page.began, u64::from(of.lines));
            }
        }
        suspected
    }
}

/// Ids of a form that a field never had.
pub(crate) fn tell(case: &Case<'_>, op: &OpName, field: &str, value: &str) -> Story {
    let all = Scope::of_op(op);
    let span = case.span_from(case.incident.first_at);
    let count = case.count("calls since then", &all, span);
    let mut reasons = vec![
        case.reason(
            0.6,
            format!("{field} holds ids of a form that it did not have before: {}", masked(value)),
            Vec::new(),
        ),
        case.reason(0.2, "more than one such id, so it is not one person's".into(), Vec::new()),
    ];
    if let Some(count) = &count {
        let text = format!("{} since then, most of them as they were", several(count.value, "call", "calls"));
        reasons.push(case.reason(-0.05, text, vec![count.clone()]));
    }
    if let Some(failed) = case.count("failures", &all.clone().errors(), span) {
        let text = format!("{}: the writes are accepted", several(failed.value, "failure", "failures"));
        reasons.push(case.reason(-0.05, text, vec![failed]));
    }
    let usual = case.usual(stella_protocol::Measure::Count, &all, &all, 1);
    reasons.extend(case.deploys());
    let word = op.word();
    Story {
        severity: Severity::High,
        title: format!("{word}: {field} holds ids of another form ({value})"),
        summary: format!(
            "Somebody writes {field} in a form that {word} did not see until then; what is written so is not found again."
        ),
        actions: vec![
            "Find the writer: an old version, a job, a script that was not migrated".into(),
            "Stop it before more is written, and migrate what it wrote".into(),
        ],
        window_ms: case.rules.security_window_ms,
        chart: Some(case.count_chart("calls", &all)),
        observed: count,
        usual,
        reasons,
        ..Story::of(FORM, op, all).with("field", field)
    }
}

/// The id without its digits, for a reason: what varies in it is no number of anything.
fn masked(value: &str) -> String {
    value.chars().map(|letter| if letter.is_ascii_digit() { '#' } else { letter }).collect()
}

keep_fields!(Form { shape, count, page, lines, at, value, several });
keep_fields!(Field { forms, all });
keep_fields!(Forms { cells });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_kind_have_one_form_and_others_have_another() {
        assert_eq!(form("ada.17@example.org"), form("finn_x@mail.example.com"));
        assert_eq!(form("cus_09af3b12cd"), form("cus_aa3b12cd00"));
        assert_eq!(form("ada_17_example_org"), form("ben_18_example_org"));
        assert_ne!(form("ada.17@example.org"), form("ada_17_example_org"));
        assert_ne!(form("staff-00017"), form("staff00017"));
        assert_ne!(form("123456789"), form("acc:123456789"));
        assert_eq!(form("svc-batch"), None);
        assert!(holds_ids("ownerId") && holds_ids("customerRef") && !holds_ids("status"));
    }

    #[test]
    fn a_second_foreign_id_is_enough_and_a_field_of_many_forms_has_none() {
        let mut field = Field::default();
        (0..1000).for_each(|nth| assert_eq!(field.take(2, nth, nth as i64), None));
        assert!(field.take(1, 1000, 1000).is_some());
        let place = field.take(1, 1001, 1010);
        assert!(place.is_some_and(|place| field.forms[place].page.score > 6.9 && field.forms[place].several));
        (10..20).for_each(|other| _ = field.take(other, other, 1100));
        assert!(!field.is_formed());
    }
}
