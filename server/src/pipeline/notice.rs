//! What a person is told of the engine itself: that it could not go on from where it was.
//!
//! It is an alert like any other, so that it is seen, taken and closed like any other; made here because no line
//! says it.

use stella_detect::{Finding, Phase};
use stella_protocol::{AlertType, Brief, Category, Evidence, LogLink, Reason, Severity, Text, Timestamp};

/// The rule of these alerts, and what identifies the only problem there is.
const RULE: &str = "engine_state";
const EDITION: u32 = 1;

/// The engine begins afresh, `why` being what is wrong with the state that was kept.
pub(super) fn begun_afresh(why: &str) -> Finding {
    let told = format!(
        "What was usual until now is forgotten, because {why}: it is learned again from the lines of the last \
         15 minutes and from what comes. Until then less is found, and what was always so may look new."
    );
    finding(Phase::Firing, format!("detection has begun afresh: {why}"), told)
}

/// The engine went on from where it was: what [`begun_afresh`] said is over.
pub(super) fn taken_up() -> Finding {
    finding(Phase::Recovered, "detection went on from where it was".to_owned(), String::new())
}

/// When it was so is said by who takes it in (see `Hub::notice`).
fn finding(phase: Phase, title: String, told: String) -> Finding {
    let at = Timestamp::from_millis(0);
    let reason = Reason { text: Text::new(title.clone()), weight: 1.0, at, figures: Vec::new() };
    Finding {
        fingerprint: RULE.to_owned(),
        rule_id: RULE,
        rule_version: EDITION,
        kind: AlertType::Health,
        category: Category::Performance,
        severity: Severity::Low,
        title: Text::new(title),
        description: Text::new(told.clone()),
        service: Text::new("stella"),
        operation: None,
        labels: std::collections::BTreeMap::new(),
        suggested_actions: vec![Text::new("resolve this once it is read: it changes nothing by itself")],
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
            rule_id: Text::new(RULE),
            rule_version: EDITION,
            observed: None,
            baseline: None,
            threshold: None,
            unit: Text::default(),
            from: at,
            to: at,
            series: None,
            reasons: vec![reason],
            samples: Vec::new(),
            template: None,
            correlated: Vec::new(),
            similar: Vec::new(),
            lines: LogLink { q: Text::default(), from: at, to: at, up_to: None },
            refreshed_at: at,
            version: 0,
        }),
        phase,
        parent: None,
        children: Vec::new(),
        held_back: 0,
    }
}
