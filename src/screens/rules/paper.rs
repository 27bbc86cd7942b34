//! The page of one rule, as rows: settings, score and marks; or what a change would have made of the kept lines.
//!
//! Things are written in the order of `State::things`.

use stella_protocol::rule::{PreviewAlert, RuleOrigin, RulePreview};
use stella_protocol::{FalseMark, Role as Rank, Rule};
use stella_widgets::number;

use super::one::{Preview, State};
use super::words::{changed, clean, score};
use crate::screens::alerts;
use crate::screens::page::Page;
use crate::setting;
use crate::theme::Role;

/// Columns of a setting's name.
const NAME: usize = 16;

/// True when the settings are not those of the file, or of the server as it is shipped.
pub(super) fn may_be_reset(rule: &Rule) -> bool {
    rule.origin == RuleOrigin::Changed
}

/// The page, and the things on it: how many were written, and which of them is chosen.
struct Paper<'p, 'v> {
    page: &'p mut Page<'v>,
    written: usize,
    chosen: usize,
}

impl<'v> Paper<'_, 'v> {
    fn thing(&mut self, write: impl FnOnce(&mut Page<'v>)) {
        self.page.thing(self.written == self.chosen, write);
        self.written += 1;
    }
}

/// Writes the page of a rule.
pub(super) fn write(state: &State, rule: &Rule, page: &mut Page<'_>) {
    let chosen = state.line(rule);
    let mut paper = Paper { page, written: 0, chosen };
    if let Some(preview) = &state.preview {
        return paper.look(preview, rule);
    }
    facts(rule, paper.page);
    paper.settings(rule);
    paper.page.heading("score");
    let worth = score(paper.page.view, &rule.score);
    paper.page.words(1, Role::Text, &worth);
    paper.marks(state);
}

fn facts(rule: &Rule, page: &mut Page<'_>) {
    page.words(1, Role::Text, &format!("{} ({})", clean(&rule.title), rule.kind.word().replace('_', " ")));
    let owner = rule.owner.as_ref().map(|owner| format!("   owner {}", clean(owner))).unwrap_or_default();
    page.words(
        1,
        Role::Muted,
        &format!("for {}   settings: {}{owner}", setting::scope(rule), setting::origin(rule.origin)),
    );
    if let Some(changed) = changed(page.view, rule) {
        page.words(1, Role::Muted, &changed);
    }
    if let Some(runbook) = &rule.runbook {
        page.words(1, Role::Muted, &format!("runbook {}", clean(runbook)));
    }
    for (at, action) in rule.suggested_actions.iter().enumerate() {
        page.words(1, Role::Muted, &format!("do {} {}", at + 1, clean(action)));
    }
}

impl Paper<'_, '_> {
    fn settings(&mut self, rule: &Rule) {
        let why = self.page.view.lacks(Rank::Admin);
        self.page.heading(if why.is_some() { "settings" } else { "settings -- Enter changes one" });
        let bear = setting::sensitivity(rule.sensitivity);
        let bear = format!("{bear} false alerts an hour, shared by all rules set so");
        let mut all =
            vec![("enabled".to_owned(), setting::switch(rule.enabled).to_owned()), ("sensitivity".to_owned(), bear)];
        for one in &rule.limits {
            all.push((clean(&one.name), format!("{} at most, whatever is usual", setting::limit(one))));
        }
        if may_be_reset(rule) {
            all.push(("reset".to_owned(), "to what the file says, or the server as it is shipped".to_owned()));
        }
        for (name, value) in all {
            self.thing(|page| page.marked((&format!("{name:<NAME$}"), Role::Muted), Role::Text, &value));
        }
        let (ink, words) = match why {
            Some(why) => (Role::Waiting, format!("nothing of it can be changed here: {why}")),
            None => (Role::Faint, format!("another limit: :rules set {} NAME=VALUE", clean(&rule.id))),
        };
        self.page.words(1, ink, &words);
    }

    fn marks(&mut self, state: &State) {
        match state.own_marks() {
            Err(why) => {
                self.page.heading("called false");
                self.page.words(1, Role::Muted, why);
            }
            Ok(own) => {
                self.page.heading(format!("called false: {}", own.len()));
                if own.is_empty() {
                    self.page.words(1, Role::Muted, "nothing of it was called false");
                }
                for mark in own {
                    self.thing(|page| page.words(1, Role::Text, &mark_words(mark)));
                }
            }
        }
    }

    /// What a change would have made of the kept lines, and the line that makes it.
    fn look(&mut self, preview: &Preview, rule: &Rule) {
        self.page.words(1, Role::Title, &setting::words(rule, &preview.change));
        let answer = &preview.answer;
        let known = match (answer.is_waiting(), answer.known(), answer.failure()) {
            (true, _, _) => {
                return self.page.words(1, Role::Muted, "looking at the kept lines with it … nothing is changed");
            }
            (false, _, Some(why)) => return self.page.words(1, Role::Danger, &format!("not counted: {why}")),
            (false, Some(known), None) => known,
            (false, None, None) => return,
        };
        counted(known, self.page);
        let is_old = rule.version > known.version;
        if is_old {
            let who = changed(self.page.view, rule).unwrap_or_else(|| "it was changed".to_owned());
            self.page.words(1, Role::Danger, &format!("{who}, while you looked: this was counted before that"));
        }
        let (line, words) = if is_old {
            ("count again ", "Enter counts it with what the rule says now")
        } else {
            ("apply this ", "Enter asks once more; Esc leaves everything as it is")
        };
        self.thing(|page| page.marked((line, Role::Accent), Role::Muted, words));
        self.listed("gained", &known.gained, known.gained_count);
        self.listed("lost", &known.lost, known.lost_count);
    }

    /// Alerts that come, or go.
    fn listed(&mut self, name: &str, alerts: &[PreviewAlert], count: u64) {
        let named = alerts.len() as u64;
        let first = if named < count { format!(", the first {named}") } else { String::new() };
        self.page.heading(format!("{name}: {}{first}", number::grouped(count)));
        if alerts.is_empty() {
            self.page.words(1, Role::Muted, "none");
        }
        for one in alerts {
            let outcome = one.outcome.as_ref().map(|outcome| format!("   {}", clean(outcome))).unwrap_or_default();
            let id = one.alert.as_ref().map(|id| format!("   {id}")).unwrap_or_default();
            let severity = format!("{:<4}", alerts::word(one.severity));
            self.thing(|page| {
                let at = format!("{} {}", page.view.day(one.at), page.view.seconds(one.at));
                let words = format!("{at}  {}{id}{outcome}", clean(&one.title));
                page.marked((&severity, alerts::role(one.severity)), Role::Text, &words);
            });
        }
    }
}

/// What was called false, how often, and what it needs since.
pub(super) fn mark_words(mark: &FalseMark) -> String {
    let title = mark.title.as_ref().map_or_else(|| clean(&mark.fingerprint), clean);
    let times = if mark.times == 1 { "once".to_owned() } else { format!("{} times", mark.times) };
    format!("{title}   {times}, needs {} lines now", number::grouped(mark.needed))
}

fn counted(known: &RulePreview, page: &mut Page<'_>) {
    let view = page.view;
    let at = |at| format!("{} {}", view.day(at), view.clock(at));
    let words = format!(
        "counted over {} lines of {} to {}: {} alerts as it is set, {} with the change",
        number::grouped(known.lines),
        at(known.from),
        at(known.to),
        number::grouped(known.before),
        number::grouped(known.after)
    );
    page.words(1, Role::Muted, &words);
    if let Some(words) = setting::counted_with(known) {
        page.words(1, Role::Muted, &words);
    }
}
