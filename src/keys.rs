//! One table of keys: it drives dispatch, the help page, the footer and the README.
//!
//! A lower-case key only looks or does something that can be taken back; every closing verb is
//! upper case. One letter is one verb in every view (a test asserts it).

mod key;

use stella_protocol::{FixVerb, Verb};

pub use key::{Key, KeyCode, name};

/// What a key press means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intent {
    /// Move the cursor or the text.
    Move(Motion),
    /// Enter the thing under the cursor.
    Open,
    /// Peel one layer.
    Back,
    /// Close the view; at the root ask to quit.
    Quit,
    /// Show another screen.
    Show(Place),
    /// The log lines around this alert.
    LogAround,
    /// Open the filter or the search.
    Filter,
    /// Next match of the search.
    NextMatch,
    /// Previous match.
    PreviousMatch,
    /// All keys.
    Help,
    /// The worst thing nobody has taken, or the next error line.
    NextProblem,
    /// Next alert inside the detail.
    NextAlert,
    /// Previous alert inside the detail.
    PreviousAlert,
    /// Mark the row.
    Mark,
    /// Mark all rows that the filter shows.
    MarkAll,
    /// Show what stands under this row.
    Unfold,
    /// Hide it again.
    Fold,
    /// Hold the screen as it is.
    Hold,
    /// Accept the rows that came meanwhile.
    Accept,
    /// Look closer at the chart.
    ZoomIn,
    /// Look at more of it.
    ZoomOut,
    /// Move the chart's window to the past.
    Earlier,
    /// Move it to the present.
    Later,
    /// Other times: ages, local, UTC.
    TimeFormat,
    /// The object as the server sent it.
    Raw,
    /// Why a row stands where it stands, and why a verb is off.
    Why,
    /// Copy the id.
    CopyId,
    /// Copy the object as JSON.
    CopyJson,
    /// Copy a summary as Markdown.
    CopyMarkdown,
    /// Reconnect or load everything anew.
    Refresh,
    /// Do something to the marked alerts, or to the one under the cursor.
    Act(Verb),
    /// Take back the last action.
    Undo,
    /// Open the review of a fix.
    Review,
    /// Do something to the fix under review, or the same to the migration on the screen.
    Decide(FixVerb),
    /// Copy what would run.
    CopyPlan,
    /// Go on with the migration: start an approved one, cut a verified one over.
    Execute,
    /// Pause the migration, or go on with it.
    Pause,
    /// Look at everything that was migrated.
    Check,
    /// More documents a second.
    Faster,
    /// Fewer documents a second.
    Slower,
    /// Hand over, or take over.
    Lead,
    /// The next pane of this view.
    NextPane,
    /// The one before.
    PreviousPane,
    /// Type a command.
    Palette,
    /// Give the terminal back to the shell.
    Suspend,
    /// Draw everything anew.
    Redraw,
}

/// Ways to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Motion {
    /// One down.
    Down,
    /// One up.
    Up,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// Half a page down.
    HalfDown,
    /// Half a page up.
    HalfUp,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
}

impl Motion {
    /// Where it leads from row `at`, when `last` is the last row and a page has `page` rows.
    pub fn lead(self, at: usize, last: usize, page: usize) -> usize {
        let to = match self {
            Self::Down => at + 1,
            Self::Up => at.saturating_sub(1),
            Self::First => 0,
            Self::Last => last,
            Self::HalfDown => at + page / 2,
            Self::HalfUp => at.saturating_sub(page / 2),
            Self::PageDown => at + page,
            Self::PageUp => at.saturating_sub(page),
        };
        to.min(last)
    }
}

/// The screens that keys lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Place {
    /// The list.
    #[default]
    Alerts,
    /// Fixes.
    Fixes,
    /// Migrations.
    Migrations,
    /// Series.
    Metrics,
    /// Lines.
    Log,
    /// Rules; no key leads there but `:rules`.
    Rules,
    /// What was called false; no key leads there but `:marks`.
    Marks,
    /// New revisions of services; no key leads there but `:deploys`.
    Deploys,
}

/// What the keyboard is for at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The alert list.
    List,
    /// One alert.
    Detail,
    /// The fixes.
    Fixes,
    /// One fix.
    Review,
    /// The migrations.
    Migrations,
    /// One migration.
    Migration,
    /// Series.
    Metrics,
    /// Lines.
    Log,
    /// The rules.
    Rules,
    /// One rule.
    Rule,
    /// What was called false.
    Marks,
    /// New revisions of services.
    Deploys,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::List,
        Self::Detail,
        Self::Fixes,
        Self::Review,
        Self::Migrations,
        Self::Migration,
        Self::Metrics,
        Self::Log,
        Self::Rules,
        Self::Rule,
        Self::Marks,
        Self::Deploys,
    ];
}

/// What a verb may do to the world (5.2): 0 looks, 1 is safe or can be undone, 2 closes, 3 acts outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Only looks.
    View,
    /// Makes nothing worse: happens at once.
    Safe,
    /// Can be undone.
    Reversible,
    /// Closes something: asks first.
    Closing,
    /// Acts on the world: the id is typed.
    Outside,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where it works.
    pub modes: &'static [Mode],
    /// The keys in order, `gl`, `Ctrl-d`, `Enter`.
    pub keys: &'static [&'static str],
    /// What they mean.
    pub intent: Intent,
    /// In words, for help and README.
    pub words: &'static str,
    /// One word for the footer; empty: not shown there.
    pub short: &'static str,
    /// What it may do.
    pub class: Class,
}

const ALL: &[Mode] = &Mode::ALL;
const ALERTS: &[Mode] = &[Mode::List, Mode::Detail];
const LIST: &[Mode] = &[Mode::List];
const DETAIL: &[Mode] = &[Mode::Detail];
const FIXES: &[Mode] = &[Mode::Fixes];
const REVIEW: &[Mode] = &[Mode::Review];
const MIGRATIONS: &[Mode] = &[Mode::Migrations];
const MIGRATION: &[Mode] = &[Mode::Migration];
const CHARTS: &[Mode] = &[Mode::Detail, Mode::Metrics];
const COPIED: &[Mode] = &[Mode::List, Mode::Detail, Mode::Fixes, Mode::Migrations, Mode::Migration];
const SEARCHED: &[Mode] = &[Mode::Log];
const RULE: &[Mode] = &[Mode::Rule];
const MARKS: &[Mode] = &[Mode::Marks];

const fn row(
    modes: &'static [Mode],
    keys: &'static [&'static str],
    intent: Intent,
    short: &'static str,
    words: &'static str,
) -> Binding {
    let class = match intent {
        Intent::Act(Verb::Resolve | Verb::Reopen | Verb::FalsePositive)
        | Intent::Lead
        | Intent::Decide(FixVerb::Reject | FixVerb::Withdraw | FixVerb::Stop | FixVerb::Close) => Class::Closing,
        Intent::Decide(FixVerb::Approve | FixVerb::Rollback) | Intent::Execute => Class::Outside,
        Intent::Decide(FixVerb::DryRun) | Intent::Pause | Intent::Check | Intent::Faster | Intent::Slower => {
            Class::Safe
        }
        Intent::Act(_) | Intent::Undo => Class::Reversible,
        _ => Class::View,
    };
    Binding { modes, keys, intent, words, short, class }
}

/// The table. Order is the order of the help page; the first rows with a short word fill the footer.
pub const TABLE: &[Binding] = &[
    row(ALERTS, &["a"], Intent::Act(Verb::Acknowledge), "ack", "acknowledge (on another's: take over)"),
    row(ALERTS, &["R"], Intent::Act(Verb::Resolve), "resolve", "resolve (on a resolved one: reopen)"),
    row(ALERTS, &["F"], Intent::Act(Verb::FalsePositive), "false+", "false positive; asks what was wrong"),
    row(REVIEW, &["Y"], Intent::Decide(FixVerb::Approve), "approve", "approve this plan; its id is typed"),
    row(REVIEW, &["X"], Intent::Decide(FixVerb::Reject), "reject", "reject (on your own approval: withdraw)"),
    row(REVIEW, &["D"], Intent::Decide(FixVerb::DryRun), "dry run", "dry run again: looks, writes nothing"),
    row(
        REVIEW,
        &["S"],
        Intent::Decide(FixVerb::Stop),
        "stop",
        "stop after the step under way; says first what is taken back",
    ),
    row(REVIEW, &["B"], Intent::Decide(FixVerb::Rollback), "roll back", "roll back; its id is typed"),
    row(REVIEW, &["R"], Intent::Act(Verb::Resolve), "close", "in doubt, or not taken back: close with a statement"),
    row(MIGRATION, &["Y"], Intent::Decide(FixVerb::Approve), "approve", "approve this plan; the store's name is typed"),
    row(
        MIGRATION,
        &["E"],
        Intent::Execute,
        "start",
        "start an approved one, cut a verified one over; its id is typed, for the cut-over also the profile",
    ),
    row(
        &[Mode::Migrations, Mode::Migration],
        &["D"],
        Intent::Decide(FixVerb::DryRun),
        "plan",
        "the next of plan and rehearse: looks, writes nothing to the store",
    ),
    row(MIGRATION, &["P"], Intent::Pause, "pause", "pause after the writes in flight; go on (after a halt it asks)"),
    row(MIGRATION, &["S"], Intent::Decide(FixVerb::Stop), "stop", "halt after the writes in flight; asks first"),
    row(
        MIGRATION,
        &["B"],
        Intent::Decide(FixVerb::Rollback),
        "roll back",
        "put every document back, last first; its id is typed",
    ),
    row(MIGRATION, &["C"], Intent::Check, "verify", "look at every document: reads only"),
    row(MIGRATION, &["R"], Intent::Act(Verb::Resolve), "close", "not taken back: close with a statement"),
    row(MIGRATION, &["O"], Intent::Lead, "", "who answers for it: hand over, take over"),
    row(MIGRATION, &["+"], Intent::Faster, "", "let it write more documents a second"),
    row(MIGRATION, &["-"], Intent::Slower, "", "let it write fewer documents a second"),
    row(
        MIGRATION,
        &["Tab"],
        Intent::NextPane,
        "next",
        "next: phases, collections, orphans, decisions, errors, log, mapping",
    ),
    row(MIGRATION, &["Shift-Tab"], Intent::PreviousPane, "", "the one before"),
    row(
        MIGRATION,
        &["Enter"],
        Intent::Open,
        "decide",
        "decide what is under the cursor: a question, an id without a user",
    ),
    row(MIGRATION, &["e"], Intent::NextProblem, "error", "next document with which something is wrong"),
    row(MIGRATIONS, &["Enter", "f"], Intent::Open, "open", "open the migration"),
    row(LIST, &["Enter"], Intent::Open, "open", "open"),
    row(
        DETAIL,
        &["Enter"],
        Intent::Open,
        "",
        "on a reason or figure: the lines it was counted from; on an alert: go there; on an action: copy it",
    ),
    row(FIXES, &["Enter", "f"], Intent::Open, "review", "open the review"),
    row(ALERTS, &["f"], Intent::Review, "fix", "open the review of its fix"),
    row(&[Mode::Metrics, Mode::Log, Mode::Rules], &["Enter"], Intent::Open, "open", "open"),
    row(RULE, &["Enter"], Intent::Open, "change", "change a setting: shows first what it would have made of the past"),
    row(MARKS, &["u"], Intent::Undo, "take back", "take the mark back: its next alert needs no more than others"),
    row(ALERTS, &["c"], Intent::Act(Verb::Note), "note", "write a note"),
    row(ALERTS, &["A"], Intent::Act(Verb::Release), "", "release"),
    row(ALERTS, &["u"], Intent::Undo, "undo", "undo your last action of this session (the server keeps it for 24 h)"),
    row(ALERTS, &["g l"], Intent::LogAround, "log", "log lines around this alert"),
    row(DETAIL, &["J"], Intent::NextAlert, "next", "next alert"),
    row(DETAIL, &["K"], Intent::PreviousAlert, "", "previous alert"),
    row(CHARTS, &["+"], Intent::ZoomIn, "zoom", "zoom the chart in"),
    row(CHARTS, &["-"], Intent::ZoomOut, "", "zoom the chart out"),
    row(CHARTS, &["Left"], Intent::Earlier, "", "move the chart's window to the past"),
    row(CHARTS, &["Right"], Intent::Later, "", "move the chart's window to the present"),
    row(LIST, &["Space"], Intent::Mark, "mark", "mark"),
    row(LIST, &["*"], Intent::MarkAll, "", "mark all that the filter shows"),
    row(&[Mode::List, Mode::Fixes, Mode::Metrics], &["/"], Intent::Filter, "filter", "filter, with live count"),
    row(SEARCHED, &["/"], Intent::Filter, "search", "search the lines"),
    row(SEARCHED, &["n"], Intent::NextMatch, "next", "next match"),
    row(SEARCHED, &["N"], Intent::PreviousMatch, "", "previous match"),
    row(LIST, &["e"], Intent::NextProblem, "", "the worst alert that nobody has taken"),
    row(LIST, &["l"], Intent::Unfold, "", "unfold the group: the alerts that this one explains"),
    row(LIST, &["h"], Intent::Fold, "", "fold it"),
    row(SEARCHED, &["e"], Intent::NextProblem, "error", "next error line"),
    row(LIST, &["."], Intent::Accept, "", "let rows in that came while you moved"),
    row(&[Mode::List, Mode::Metrics, Mode::Log], &["p"], Intent::Hold, "hold", "hold the screen as it is"),
    row(ALL, &["j", "Down"], Intent::Move(Motion::Down), "", "down"),
    row(ALL, &["k", "Up"], Intent::Move(Motion::Up), "", "up"),
    row(ALL, &["g g", "Home"], Intent::Move(Motion::First), "", "to the top"),
    row(ALL, &["G", "End"], Intent::Move(Motion::Last), "", "to the end"),
    row(ALL, &["Ctrl-d"], Intent::Move(Motion::HalfDown), "", "half a page down"),
    row(ALL, &["Ctrl-u"], Intent::Move(Motion::HalfUp), "", "half a page up"),
    row(ALL, &["Ctrl-f", "PgDn"], Intent::Move(Motion::PageDown), "", "a page down"),
    row(ALL, &["PgUp"], Intent::Move(Motion::PageUp), "", "a page up"),
    row(ALL, &["1"], Intent::Show(Place::Alerts), "", "alerts"),
    row(ALL, &["2"], Intent::Show(Place::Fixes), "", "fixes"),
    row(ALL, &["3"], Intent::Show(Place::Migrations), "", "migrations"),
    row(ALL, &["4"], Intent::Show(Place::Metrics), "", "metrics"),
    row(ALL, &["5"], Intent::Show(Place::Log), "", "log"),
    row(ALERTS, &["i"], Intent::Why, "", "why this row stands here, why a verb is off"),
    row(REVIEW, &["i"], Intent::Why, "why", "which keys are off, and why"),
    row(MIGRATION, &["i"], Intent::Why, "why", "which keys are off, and why"),
    row(&[Mode::Rules, Mode::Rule, Mode::Marks], &["i"], Intent::Why, "why", "why nothing can be changed"),
    row(MIGRATION, &["d"], Intent::Raw, "", "the migration as the server sent it"),
    row(ALERTS, &["d"], Intent::Raw, "", "the alert as the server sent it"),
    row(REVIEW, &["d"], Intent::Raw, "", "the fix as the server sent it"),
    row(COPIED, &["y y"], Intent::CopyId, "", "copy the id"),
    row(COPIED, &["y j"], Intent::CopyJson, "", "copy as JSON"),
    row(REVIEW, &["y"], Intent::CopyPlan, "copy plan", "copy the plan, as it would run"),
    row(ALERTS, &["y m"], Intent::CopyMarkdown, "", "copy as Markdown"),
    row(ALL, &["t"], Intent::TimeFormat, "", "times as ages, UTC or local"),
    row(ALL, &["r"], Intent::Refresh, "", "reconnect, or load everything anew"),
    row(
        ALL,
        &[":"],
        Intent::Palette,
        "command",
        "type a command: every verb, rules, marks, deploys, fixes off, propose, maintenance, migrate; Tab completes",
    ),
    row(ALL, &["?"], Intent::Help, "help", "all keys of this view"),
    row(ALL, &["Esc"], Intent::Back, "back", "peel back one layer"),
    row(ALL, &["q"], Intent::Quit, "", "close the view; at the root quit (asks)"),
    row(ALL, &["Ctrl-l"], Intent::Redraw, "", "draw anew"),
    row(ALL, &["Ctrl-z"], Intent::Suspend, "", "suspend"),
];

/// What a key did to the sequence that was begun.
#[derive(Debug, Clone, Copy)]
pub enum Press {
    /// It completes this binding.
    Complete(&'static Binding),
    /// It begins one: more keys can follow.
    Begun,
    /// It means nothing here.
    Nothing,
}

/// What `key` means in `mode`, after `begun` (the first key of a sequence, if one was pressed).
pub fn press(mode: Mode, begun: Option<Key>, key: Key) -> Press {
    let typed = match begun {
        Some(first) => format!("{} {}", name(first), name(key)),
        None => name(key),
    };
    let mut rows = TABLE.iter().filter(|row| row.modes.contains(&mode));
    if let Some(row) = rows.clone().find(|row| row.keys.contains(&typed.as_str())) {
        return Press::Complete(row);
    }
    let longer = format!("{typed} ");
    let begins = rows.any(|row| row.keys.iter().any(|keys| keys.starts_with(&longer)));
    if begins { Press::Begun } else { Press::Nothing }
}

/// The bindings that can follow `begun` in `mode`: what the popup shows.
pub fn following(mode: Mode, begun: Key) -> Vec<(&'static str, &'static Binding)> {
    let start = format!("{} ", name(begun));
    TABLE
        .iter()
        .filter(|row| row.modes.contains(&mode))
        .filter_map(|row| row.keys.iter().find_map(|keys| keys.strip_prefix(start.as_str())).map(|rest| (rest, row)))
        .collect()
}

/// The bindings of a mode in the order of the table.
pub fn of(mode: Mode) -> impl Iterator<Item = &'static Binding> {
    TABLE.iter().filter(move |row| row.modes.contains(&mode))
}

/// How a person writes the binding's keys: `gl`, `Ctrl-d`, `j Down`.
pub fn written(binding: &Binding) -> String {
    binding.keys.iter().map(|keys| keys.replace(' ', "")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
