//! What a person is told of the server itself, such as that the rules of the file cannot be used.
//!
//! Each is an alert like any other, so that it is seen, taken and closed like any other; made here because no line
//! says it. Texts are of the server's own making, or escaped by whoever read them.

use std::collections::BTreeMap;

use stella_detect::{Finding, Phase};
use stella_protocol::{AlertType, Brief, Category, Evidence, Reason, Severity, Text, Timestamp};

use crate::toml_source::Problem;

/// The rule of that alert, and what identifies the only problem that there is of it.
const RULES: &str = "rules_file";
const EDITION: u32 = 1;
/// Most mistakes of a file that are told: who mends those looks again.
const MOST_PROBLEMS: usize = 10;

/// The configuration file changed and cannot be used; `problems` are all that is wrong with it.
pub(crate) fn rules_are_wrong(problems: &[Problem]) -> Finding {
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    let all = problems.iter().take(MOST_PROBLEMS).map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let more = problems.len().saturating_sub(MOST_PROBLEMS);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    let told = format!("The rules stay as they were read last, until the file can be used.\n{all}{more}");
    let next = Text::new("mend the file and save it: it is read again within a second");
    let title = format!("{first}; the last good rules hold");
    Finding { suggested_actions: vec![next], ..finding(RULES, Phase::Firing, title, told) }
}

/// The file can be used: what [`rules_are_wrong`] said is over.
pub(crate) fn rules_are_right() -> Finding {
    over(RULES, "the configuration can be used")
}

/// The problem of a rule is over.
pub(crate) fn over(rule: &'static str, title: &str) -> Finding {
    finding(rule, Phase::Recovered, title.to_owned(), String::new())
}

/// A low problem of the server: its rule identifies the only one that there is. When it was so is said by who takes it
/// in (see `Hub::notice`).
pub(crate) fn finding(rule: &'static str, phase: Phase, title: String, told: String) -> Finding {
    let at = Timestamp::default();
    let reason = Reason { text: Text::new(title.clone()), weight: 1.0, at, figures: Vec::new() };
    Finding {
        fingerprint: rule.to_owned(),
        rule_id: rule,
        rule_version: EDITION,
        kind: AlertType::Health,
        category: Category::Performance,
        severity: Severity::Low,
        title: Text::new(title),
        description: Text::new(told.clone()),
        service: Text::new("stella"),
        operation: None,
        labels: BTreeMap::new(),
        suggested_actions: Vec::new(),
        affected_users: Vec::new(),
        affected_user_count: 0,
        matches: 1,
        first_at: at,
        last_at: at,
        detected_at: at,
        window_ms: 0,
        brief: Brief { reasons_for: 1, ..Brief::default() },
        evidence: Box::new(Evidence {
            summary: Text::new(told),
            rule_id: Text::new(rule),
            rule_version: EDITION,
            reasons: vec![reason],
            ..Evidence::default()
        }),
        phase,
        parent: None,
        children: Vec::new(),
        held_back: 0,
    }
}
