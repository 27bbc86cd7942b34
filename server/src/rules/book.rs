//! All rules as they are set now.
//!
//! A book is whole and never changes: another file, or a change, makes the next one and says which rules are news.

use std::borrow::Cow;
use std::collections::BTreeMap;

use stella_detect::{Finding, Known, Limit, Rules};
use stella_protocol::rule::{RuleLimit, RuleOrigin, RuleScope, RuleScore};
use stella_protocol::{AlertType, Code, Rule, RuleChange, Text, Timestamp};

use super::kept::{Changed, Kept, KeptRule};
use super::read::{RuleFile, SENSITIVITY, within};
use super::target::Targets;
use super::written::Written;
use crate::toml_source::{Problem, shown, suggestion};
use crate::words::wire_len;

/// Most that a reason may take on the wire.
const REASON: usize = 2 << 10;

/// All rules.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleBook {
    file: RuleFile,
    kept: Kept,
    /// In the order in which they count, the later one more.
    rules: Vec<Entry>,
    problems: Vec<Text>,
    engine: Rules,
}

/// A rule in its place.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    written: Written,
    version: u64,
    changed: Option<Changed>,
}

/// Why a rule was not changed.
#[derive(Debug, Clone, PartialEq)]
pub struct NotChanged {
    /// For programs.
    pub code: Code,
    /// What is wrong, and what to send instead.
    pub why: String,
}

impl NotChanged {
    fn new(code: Code, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}

impl Default for RuleBook {
    /// As the server ships them.
    fn default() -> Self {
        Self::open(RuleFile::default(), Kept::default()).0
    }
}

impl RuleBook {
    /// The rules of a file, with what people changed. Says besides which of them are not as they were told last;
    /// where none was ever told, none is news.
    pub fn open(file: RuleFile, kept: Kept) -> (Self, Vec<Rule>) {
        let mut rules: Vec<Written> = Known::ALL.into_iter().map(Written::shipped).collect();
        for rule in &file.rules {
            match rules.iter_mut().find(|shipped| shipped.id == rule.id) {
                Some(shipped) => shipped.clone_from(rule),
                None => rules.push(rule.clone()),
            }
        }
        let entry = |written: Written| {
            let kept = kept.rules.get(&written.id);
            let changed = kept.and_then(|kept| kept.changed.clone());
            Entry { version: kept.map_or(1, |kept| kept.told.version), changed, written }
        };
        let rules = rules.into_iter().map(entry).collect();
        let mut book = Self { file, kept, rules, problems: Vec::new(), engine: Rules::default() };
        let first = book.kept.is_empty();
        let news = book.settle();
        (book, if first { Vec::new() } else { news })
    }

    /// The shipped rules, until a file is read; what was kept counts only then.
    pub fn waiting(kept: Kept) -> Self {
        Self { kept, ..Self::default() }
    }

    /// The same rules from another file.
    pub fn with_file(&self, file: RuleFile) -> (Self, Vec<Rule>) {
        Self::open(file, self.kept.clone())
    }

    /// The same rules, while the file has these problems.
    pub fn with_problems(&self, problems: &[Problem]) -> Self {
        let problems = problems.iter().map(|problem| Text::from(problem.to_string())).collect();
        Self { problems, ..self.clone() }
    }

    /// A rule changed by somebody. None besides: it was so already.
    ///
    /// # Errors
    /// What is wrong with the change; that there is no such rule.
    pub fn changed(
        &self,
        id: &str,
        change: &RuleChange,
        by: &Text,
        at: Timestamp,
    ) -> Result<(Self, Option<Rule>), NotChanged> {
        let place = self.place(id)?;
        check(&self.rules[place].written, change)?;
        let mut next = self.clone();
        let entry = &mut next.rules[place];
        if change.reset {
            entry.changed = None;
        } else {
            let mut changed = entry.changed.take().unwrap_or_else(|| Changed::nothing(by.clone(), at));
            changed.enabled = change.enabled.or(changed.enabled);
            changed.sensitivity = change.sensitivity.or(changed.sensitivity);
            changed.limits.extend(change.limits.clone());
            entry.changed = Some(Changed { by: by.clone(), at, ..changed });
        }
        if same(&next.wire(place), &self.wire(place)) {
            return Ok((self.clone(), None));
        }
        let news = next.settle();
        let told = news.into_iter().find(|rule| rule.id.raw() == id);
        Ok((next, told))
    }

    /// All rules, without their scores.
    pub fn rules(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = (0..self.rules.len()).map(|place| self.wire(place)).collect();
        rules.sort_by(|a, b| a.id.raw().cmp(b.id.raw()));
        rules
    }

    /// One rule, without its score.
    ///
    /// # Errors
    /// When there is no such rule.
    pub fn rule(&self, id: &str) -> Result<Rule, NotChanged> {
        self.place(id).map(|place| self.wire(place))
    }

    /// What is wrong with the file, so that the last good one still holds.
    pub fn problems(&self) -> &[Text] {
        &self.problems
    }

    /// What the store keeps.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// As the engine takes them.
    pub fn engine(&self) -> &Rules {
        &self.engine
    }

    /// The id of the rule that counts for such a problem.
    pub fn rule_of(&self, rule_id: &str, kind: AlertType, service: &str, operation: Option<&str>) -> Option<&str> {
        let of = |entry: &&Entry| entry.written.fits(rule_id, kind, service, operation);
        self.rules.iter().rev().find(of).map(|entry| entry.written.id.as_str())
    }

    /// A finding with what people wrote down to do about such, where somebody did.
    pub fn worded<'f>(&self, finding: &'f Finding) -> Cow<'f, Finding> {
        let own = self.fitting(finding).find(|written| !written.actions.is_empty());
        own.map_or(Cow::Borrowed(finding), |own| {
            Cow::Owned(Finding { suggested_actions: own.actions.clone(), ..finding.clone() })
        })
    }

    /// The page that says what to do about such.
    pub fn runbook(&self, finding: &Finding) -> Option<Text> {
        self.fitting(finding).find_map(|written| written.runbook.clone())
    }

    /// Rules that a finding is of, the one that counts most first.
    fn fitting(&self, finding: &Finding) -> impl Iterator<Item = &Written> {
        let (service, operation) = (finding.service.raw(), finding.operation.as_ref().map(Text::raw));
        let fits = move |written: &&Written| written.fits(finding.rule_id, finding.kind, service, operation);
        self.rules.iter().rev().map(|entry| &entry.written).filter(fits)
    }

    fn place(&self, id: &str) -> Result<usize, NotChanged> {
        let place = self.rules.iter().position(|entry| entry.written.id == id);
        place.ok_or_else(|| NotChanged::new(Code::NotFound, "no rule has this id"))
    }

    /// Makes everything that follows from the rules; returns those that are not as they were told last.
    fn settle(&mut self) -> Vec<Rule> {
        self.engine = self.for_engine();
        let mut news = Vec::new();
        for place in 0..self.rules.len() {
            let (mut rule, kept) = (self.wire(place), self.kept.rules.get(&self.rules[place].written.id));
            if kept.is_none_or(|kept| kept.gone || !same(&kept.told, &rule)) {
                rule.version = kept.map_or(1, |kept| kept.told.version + 1);
                self.rules[place].version = rule.version;
                news.push(rule.clone());
            }
            let changed = self.rules[place].changed.clone();
            self.kept.rules.insert(rule.id.raw().to_owned(), KeptRule { told: rule, changed, gone: false });
        }
        news.extend(self.let_go());
        self.kept.tidy();
        news
    }

    /// Rules that are in no file any more, as nobody is told of what they find.
    fn let_go(&mut self) -> Vec<Rule> {
        let here: Vec<&str> = self.rules.iter().map(|entry| entry.written.id.as_str()).collect();
        let gone = self.kept.rules.iter_mut().filter(|(id, kept)| !kept.gone && !here.contains(&id.as_str()));
        gone.map(|(_, kept)| {
            (kept.gone, kept.told.enabled) = (true, false);
            kept.told.version += 1;
            kept.told.clone()
        })
        .collect()
    }

    fn for_engine(&self) -> Rules {
        let usual = Rules::default();
        let settings = self.rules.iter().filter_map(|entry| entry.now().setting()).collect();
        let sensitivity = self.file.sensitivity.unwrap_or(usual.sensitivity);
        let Targets { objectives, gauge_limits } = self.file.targets.clone();
        Rules { sensitivity, fixed: self.file.fixed_rules, settings, objectives, gauge_limits, ..usual }
    }

    /// What holds for a rule that does not say it: as the last one before it that is about everything of the same.
    fn usual<T>(&self, place: usize, says: impl Fn(&Written) -> Option<T>) -> Option<T> {
        let first = self.rules[place].written.what.covers().first().copied();
        let before = self.rules[..=place].iter().enumerate().rev();
        before
            .filter(|(at, entry)| *at == place || entry.written.is_everywhere())
            .filter(|(_, entry)| first.is_some_and(|known| entry.written.what.covers().contains(&known)))
            .find_map(|(_, entry)| says(&entry.now()))
    }

    fn wire(&self, place: usize) -> Rule {
        let Entry { written, version, changed } = &self.rules[place];
        let now = self.rules[place].now();
        let text = |text: &Option<String>| text.as_ref().map(|text| Text::from(text.clone()));
        let origin = match (changed.is_some(), written.in_file) {
            (true, _) => RuleOrigin::Changed,
            (false, true) => RuleOrigin::File,
            (false, false) => RuleOrigin::BuiltIn,
        };
        Rule {
            id: Text::from(written.id.clone()),
            kind: written.what.kind(),
            title: Text::from(title(written)),
            scope: RuleScope { service: text(&written.service), operation: text(&written.operation) },
            origin,
            enabled: self.usual(place, |rule| rule.enabled).unwrap_or(true),
            sensitivity: self.usual(place, |rule| rule.sensitivity).unwrap_or(self.engine.sensitivity),
            limits: self.limits(&now),
            suggested_actions: written.actions.clone(),
            runbook: written.runbook.clone(),
            owner: written.owner.clone(),
            score: RuleScore::default(),
            changed_at: changed.as_ref().map(|changed| changed.at),
            changed_by: changed.as_ref().map(|changed| changed.by.clone()),
            version: *version,
        }
    }

    /// The limits that a rule sets; of a shipped one also those of the fixed rules, while they are on.
    fn limits(&self, now: &Written) -> Vec<RuleLimit> {
        let fixed = Rules { fixed: self.file.fixed_rules, ..Rules::default() };
        let is_shipped = Known::named(&now.id).is_some();
        let limit = |limit: Limit| {
            let usual = fixed.fixed_limit(limit).filter(|_| is_shipped);
            let value = now.limits.get(&limit).copied().unwrap_or(usual)?;
            Some(RuleLimit { name: limit.name().into(), value, unit: limit.unit().into() })
        };
        now.what.limits().into_iter().filter_map(limit).collect()
    }
}

impl Entry {
    /// As it is written, with what somebody changed.
    fn now(&self) -> Written {
        let mut now = self.written.clone();
        if let Some(changed) = &self.changed {
            now.enabled = changed.enabled.or(now.enabled);
            now.sensitivity = changed.sensitivity.or(now.sensitivity);
            now.limits.extend(changed.limits.iter().filter_map(|(name, value)| Some((Limit::named(name)?, *value))));
        }
        now
    }
}

impl Changed {
    fn nothing(by: Text, at: Timestamp) -> Self {
        Self { enabled: None, sensitivity: None, limits: BTreeMap::new(), at, by }
    }
}

/// True when two rules are set alike; who set them, when and how often does not count.
fn same(one: &Rule, other: &Rule) -> bool {
    let bare = |rule: &Rule| Rule {
        score: RuleScore::default(),
        changed_at: None,
        changed_by: None,
        version: 0,
        ..rule.clone()
    };
    bare(one) == bare(other)
}

fn title(written: &Written) -> String {
    let what = match written.what {
        super::What::Known(known) => known.title().to_owned(),
        super::What::Kind(kind) => format!("every {}", kind.word().replace('_', " ")),
    };
    let operation = written.operation.as_ref().map(|operation| format!("in {operation}"));
    let service = written.service.as_ref().map(|service| format!("of {service}"));
    std::iter::once(what).chain(operation).chain(service).collect::<Vec<_>>().join(" ")
}

/// Whether a change says something that can be done.
fn check(written: &Written, change: &RuleChange) -> Result<(), NotChanged> {
    let RuleChange { enabled, sensitivity, limits, reset, reason } = change;
    let says = enabled.is_some() || sensitivity.is_some() || !limits.is_empty();
    let bad = |why: &str| Err(NotChanged::new(Code::BadBody, why));
    match (reset, says) {
        (true, true) => return bad("reset: goes alone, it takes back what was changed"),
        (false, false) => return bad("say what to change: enabled, sensitivity, limits, or reset"),
        _ => {}
    }
    if reason.as_ref().is_some_and(|reason| wire_len(reason.raw()) > REASON) {
        return Err(NotChanged::new(Code::TooLarge, "reason: at most 2 KiB"));
    }
    let (least, most) = SENSITIVITY;
    if sensitivity.is_some_and(|own| !(least..=most).contains(&own)) {
        let why = format!("sensitivity: false alerts an hour, from {least} to {most}");
        return Err(NotChanged::new(Code::BadParameter, why));
    }
    let known = written.what.limits();
    for (name, value) in limits {
        let Some(limit) = Limit::named(name).filter(|limit| known.contains(limit)) else {
            let hint = suggestion(name, known.iter().map(|limit| limit.name()));
            let why = format!("limits: `{}` has no limit `{}`{hint}", written.id, shown(name));
            return Err(NotChanged::new(Code::BadParameter, why));
        };
        if let Some(Err(want)) = value.map(|value| within(limit, value)) {
            return Err(NotChanged::new(Code::BadParameter, format!("limits: `{name}`: {want}")));
        }
    }
    Ok(())
}
