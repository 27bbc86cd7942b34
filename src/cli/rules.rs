//! `stella-tui rules …`: the command line twin of `:rules`, for scripts and for people.
//!
//! A change is counted before it is made: at a terminal what it would have made of the kept lines is shown and a
//! yes is asked for; a script says `--yes`. It names the version that was counted with, so that nobody is written
//! over.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::Value;
use stella_protocol::rule::{PreviewAlert, RuleChange, RulePage, RulePreview};
use stella_protocol::{Rule, Text};
use stella_widgets::number;

use super::Arguments;
use super::plan::{Failure, Stdin, Surroundings};
use super::refused::Asked;
use super::sheet::{CHANGE, Manner, Sheet, confirm};
use super::short::one;
use super::words::{clean, moment, remark, section, table};
use crate::setting;

/// What the help page ends with.
const EXAMPLES: &str = "\
Examples:
  stella-tui rules --server prod                      all of them, with what their alerts were worth
  stella-tui rules show slow
  stella-tui rules preview slow sensitivity=0.5       the alerts that it would have gained and lost
  stella-tui rules set slow durationMs=300 --reason 'as agreed'
  stella-tui rules set slow reset --yes < /dev/null

An id may be cut short as long as it stands for one rule only. A setting is enabled=on|off, sensitivity=N (false alerts an hour), a limit like durationMs=N (none takes it away), or reset.
Exit codes: 0 ok, 1 error, 2 usage, 3 nothing matched, 4 conflict, 5 denied, 6 unreachable.";

/// `rules` and what it is asked.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rules {
    #[command(flatten)]
    manner: Manner,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List them, and what is wrong with their file; this is also meant where no verb stands.
    List,
    /// Show one: its settings, and what its alerts were worth.
    Show {
        /// Its id, or enough of it.
        #[arg(value_name = "RULE")]
        id: String,
    },
    /// Show which alerts a change would have gained and lost; changes nothing.
    Preview {
        /// Its id, or enough of it.
        #[arg(value_name = "RULE")]
        id: String,
        /// enabled=on|off, sensitivity=N, a limit like durationMs=N or =none, or reset.
        #[arg(value_name = "NAME=VALUE", required = true)]
        settings: Vec<String>,
    },
    /// Change one, after its preview was shown.
    Set(Set),
}

#[derive(Debug, Clone, Args)]
struct Set {
    /// Its id, or enough of it.
    #[arg(value_name = "RULE")]
    id: String,
    /// enabled=on|off, sensitivity=N, a limit like durationMs=N or =none, or reset.
    #[arg(value_name = "NAME=VALUE", required = true)]
    settings: Vec<String>,
    /// Do not ask: without a terminal it is needed.
    #[arg(long)]
    yes: bool,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Does what is asked; answers with the exit code.
pub(super) fn run(
    asked: &Rules,
    arguments: &Arguments,
    around: &Surroundings,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let verb = asked.verb.as_ref().unwrap_or(&Verb::List);
    let change = change(verb)?;
    if let Verb::Set(set) = verb
        && !set.yes
        && around.stdin != Stdin::Terminal
    {
        let words = format!("set {}: nobody is there to say yes; look with `rules preview`, then add --yes", set.id);
        return Err(Failure::Usage(words));
    }
    let changes = matches!(verb, Verb::Set(_));
    asked.manner.converse(arguments, around, changes, out, async |sheet| match verb {
        Verb::List => list(sheet).await,
        Verb::Show { id } => show(sheet, id).await,
        Verb::Preview { id, .. } => preview(sheet, id, &change).await,
        Verb::Set(wanted) => set(sheet, wanted, change.clone()).await,
    })
}

/// The change that a verb names.
fn change(verb: &Verb) -> Result<RuleChange, Failure> {
    let (settings, reason) = match verb {
        Verb::Preview { settings, .. } => (settings, None),
        Verb::Set(set) => (&set.settings, set.reason.clone()),
        Verb::List | Verb::Show { .. } => return Ok(RuleChange::default()),
    };
    let words: Vec<&str> = settings.iter().map(String::as_str).collect();
    let read = setting::read(&words).map_err(|why| Failure::Usage(format!("read the command line: {why}")))?;
    Ok(RuleChange { reason: reason.map(Text::from), ..read })
}

async fn list(sheet: &mut Sheet<'_>) -> Result<u8, Failure> {
    let page = Asked::Look.of(sheet.client.rules().await)?;
    for problem in &page.read.problems {
        remark(&format!("the file of rules cannot be taken as it is: {}", clean(problem)));
    }
    let items = &page.read.items;
    sheet.list(&page.body, "there is no rule", || rows(items))
}

/// The rule that an id stands for, with the body that it came in.
async fn find(sheet: &Sheet<'_>, id: &str) -> Result<(Rule, Value), Failure> {
    let page = Asked::Look.of(sheet.client.rules().await)?;
    let RulePage { items, .. } = page.read;
    let id = one("rule", id, items.iter().map(|rule| rule.id.raw()))?.to_owned();
    let missing = || Failure::Missing("the rule".to_owned());
    let at = items.iter().position(|rule| rule.id.raw() == id).ok_or_else(missing)?;
    let body = page.body.pointer(&format!("/items/{at}")).cloned().ok_or_else(missing)?;
    items.into_iter().nth(at).map(|rule| (rule, body)).ok_or_else(missing)
}

async fn show(sheet: &mut Sheet<'_>, id: &str) -> Result<u8, Failure> {
    let (rule, body) = find(sheet, id).await?;
    sheet.say(&body, || page(&rule))
}

async fn preview(sheet: &mut Sheet<'_>, id: &str, change: &RuleChange) -> Result<u8, Failure> {
    let (rule, _) = find(sheet, id).await?;
    let counted = sheet.client.rule_preview(rule.id.raw(), change).await;
    let counted = Asked::Look.of(counted)?;
    sheet.say(&counted.body, || looked_at(&rule, change, &counted.read))
}

async fn set(sheet: &mut Sheet<'_>, wanted: &Set, change: RuleChange) -> Result<u8, Failure> {
    let (rule, _) = find(sheet, &wanted.id).await?;
    let mut version = rule.version;
    if !wanted.yes && sheet.is_typed {
        let counted = sheet.client.rule_preview(rule.id.raw(), &change).await;
        let counted = Asked::Look.of(counted)?.read;
        version = counted.version;
        let question = format!("change {}?", clean(&rule.id));
        if !confirm(&looked_at(&rule, &change, &counted), &question)? {
            return Err(Failure::NotDone(format!("change {}: nobody said yes, nothing was changed", clean(&rule.id))));
        }
    }
    let answer = sheet.client.change_rule(CHANGE, rule.id.raw(), version, &change).await;
    let changed = Asked::Change.of(answer)?;
    sheet.say(&changed.body, || page(&changed.read))
}

fn rows(rules: &[Rule]) -> Vec<String> {
    let header = ["RULE", "ON", "BUDGET", "ALERTS", "FALSE", "ACK IN", "ORIGIN", "LIMITS", "SCOPE"];
    let row = |rule: &Rule| {
        let score = &rule.score;
        [
            clean(&rule.id),
            setting::switch(rule.enabled).to_owned(),
            setting::budget(rule.sensitivity),
            score.alerts.to_string(),
            setting::share(score).map(number::percent).unwrap_or_default(),
            score.median_acknowledge_ms.map(number::span).unwrap_or_default(),
            setting::origin(rule.origin).to_owned(),
            setting::limits(rule),
            setting::scope(rule),
        ]
    };
    table(header, rules.iter().map(row))
}

/// Everything that is known of one.
fn page(rule: &Rule) -> Vec<String> {
    let mut lines = vec![
        format!("{}  {}", clean(&rule.id), clean(&rule.title)),
        format!("looks for     {}", rule.kind.word().replace('_', " ")),
        format!("for           {}", setting::scope(rule)),
        format!("settings      {}, version {}", setting::origin(rule.origin), rule.version),
        format!("enabled       {}", setting::switch(rule.enabled)),
        format!("sensitivity   {} false alerts an hour", setting::sensitivity(rule.sensitivity)),
        format!("limits        {}", setting::limits(rule)),
    ];
    lines.extend(rule.changed_at.map(|at| {
        let by = rule.changed_by.as_ref().map_or_else(|| "somebody".to_owned(), clean);
        format!("changed       {} by {by}", moment(at))
    }));
    lines.extend(rule.owner.as_ref().map(|owner| format!("owner         {}", clean(owner))));
    lines.extend(rule.runbook.as_ref().map(|runbook| format!("runbook       {}", clean(runbook))));
    let score = &rule.score;
    let share = setting::share(score).map(|share| format!(" ({})", number::percent(share))).unwrap_or_default();
    let median = score.median_acknowledge_ms.map(|ms| format!(", after {} in the median", number::span(ms)));
    let acknowledged = format!("{} acknowledged{}", score.acknowledged, median.unwrap_or_default());
    let since = score.since.map(|at| format!(" since {}", moment(at))).unwrap_or_default();
    lines.push(format!(
        "alerts        {}{since}: {} marked false{share}, {acknowledged}",
        score.alerts, score.marked_false
    ));
    section(&mut lines, "WHAT TO DO", rule.suggested_actions.iter().map(clean));
    lines
}

/// What a change would have made of the kept lines.
fn looked_at(rule: &Rule, change: &RuleChange, counted: &RulePreview) -> Vec<String> {
    let mut lines = vec![
        format!("{}: {}", clean(&rule.id), setting::words(rule, change)),
        format!(
            "counted over {} lines of {} to {}: {} alerts as it is set, {} with the change",
            counted.lines,
            moment(counted.from),
            moment(counted.to),
            counted.before,
            counted.after
        ),
    ];
    lines.extend(setting::counted_with(counted));
    for (name, alerts, count) in
        [("GAINED", &counted.gained, counted.gained_count), ("LOST", &counted.lost, counted.lost_count)]
    {
        let title = format!("{name} {count}{}", if (alerts.len() as u64) < count { ", the first:" } else { "" });
        let rows = if alerts.is_empty() { vec!["none".to_owned()] } else { alerts.iter().map(alert).collect() };
        section(&mut lines, &title, rows);
    }
    lines
}

fn alert(one: &PreviewAlert) -> String {
    let id = one.alert.as_ref().map(|id| format!("  {id}")).unwrap_or_default();
    let outcome = one.outcome.as_ref().map(|outcome| format!("  {}", clean(outcome))).unwrap_or_default();
    format!("{}  {:<8}  {}{id}{outcome}", moment(one.at), one.severity.word(), clean(&one.title))
}

#[cfg(test)]
mod tests;
