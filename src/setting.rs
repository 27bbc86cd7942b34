//! A rule's settings as words: as they are, as a person types them, as a change is told before it is sent.
//!
//! One reading for the console's commands and the command line. Judges the form alone: what a rule accepts is
//! the server's word. All words are safe to show.

use stella_protocol::Text;
use stella_protocol::rule::{Rule, RuleChange, RuleLimit, RuleOrigin, RulePreview, RuleScore};
use stella_widgets::number;
use stella_widgets::text::sanitise;

/// Reads `enabled=off`, `sensitivity=0.5`, `durationMs=500`, `durationMs=none`, or `reset` alone.
///
/// # Errors
/// With what was wanted instead.
pub fn read(words: &[&str]) -> Result<RuleChange, String> {
    let mut change = RuleChange::default();
    if words.is_empty() {
        return Err(
            "want NAME=VALUE: enabled=on|off, sensitivity=0.5, a limit like durationMs=500, or reset".to_owned()
        );
    }
    for word in words {
        match word.split_once('=') {
            None if *word == "reset" => change.reset = true,
            Some((name, value)) if !name.is_empty() => one(&mut change, name, value)?,
            _ => return Err(format!("want NAME=VALUE or reset, not {}", sanitise(word))),
        }
    }
    let says_more = change.enabled.is_some() || change.sensitivity.is_some() || !change.limits.is_empty();
    if change.reset && says_more { Err("reset stands alone".to_owned()) } else { Ok(change) }
}

/// Reads one setting into a change.
///
/// # Errors
/// With what was wanted instead.
pub fn one(change: &mut RuleChange, name: &str, value: &str) -> Result<(), String> {
    let wanted = |what: &str| format!("{} wants {what}, not {}", sanitise(name), sanitise(value));
    let number = || value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    match (name, value.trim()) {
        ("enabled", "on" | "true") => change.enabled = Some(true),
        ("enabled", "off" | "false") => change.enabled = Some(false),
        ("enabled", _) => return Err(wanted("on or off")),
        ("sensitivity", _) => {
            let above = number().filter(|number| *number > 0.0);
            change.sensitivity = Some(above.ok_or_else(|| wanted("a number above 0, like 0.5"))?);
        }
        (limit, "none") => drop(change.limits.insert(limit.to_owned(), None)),
        (limit, _) => {
            let above = number().filter(|number| *number >= 0.0).ok_or_else(|| wanted("a number, or none"))?;
            change.limits.insert(limit.to_owned(), Some(above));
        }
    }
    Ok(())
}

/// `enabled on -> off`, `sensitivity 0.20/h -> 0.50/h`, safe to show.
pub fn words(rule: &Rule, change: &RuleChange) -> String {
    if change.reset {
        return "back to what the file says, or the server as it is shipped".to_owned();
    }
    let mut all = Vec::new();
    all.extend(change.enabled.map(|on| format!("enabled {} -> {}", switch(rule.enabled), switch(on))));
    all.extend(change.sensitivity.map(|to| format!("sensitivity {} -> {}", budget(rule.sensitivity), budget(to))));
    for (name, to) in &change.limits {
        let known = rule.limits.iter().find(|limit| limit.name.raw() == name);
        let unit = known.map(|limit| sanitise(limit.unit.raw()).into_string()).unwrap_or_default();
        let told = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| number::text(value, &unit));
        all.push(format!("{} {} -> {}", sanitise(name), told(known.map(|limit| limit.value)), told(*to)));
    }
    all.join(", ")
}

/// `0.20`, `0.001`: what is small must not look like nothing.
pub fn sensitivity(value: f64) -> String {
    if (0.0..0.01).contains(&value) { format!("{value}") } else { number::text(value, "") }
}

/// `0.20/h`: false alerts an hour that somebody is ready to bear.
pub fn budget(sensitivity: f64) -> String {
    format!("{}/h", self::sensitivity(sensitivity))
}

/// `on`, `off`.
pub fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn clean(text: &Text) -> String {
    sanitise(text.raw()).into_string()
}

/// Where the settings come from.
pub fn origin(origin: RuleOrigin) -> &'static str {
    match origin {
        RuleOrigin::BuiltIn => "built in",
        RuleOrigin::File => "file",
        RuleOrigin::Changed => "changed",
        RuleOrigin::Unknown => "?",
    }
}

/// Whom it concerns.
pub fn scope(rule: &Rule) -> String {
    let part = |name: &str, text: &Option<Text>| text.as_ref().map(|text| format!("{name} {}", clean(text)));
    let parts = [part("service", &rule.scope.service), part("operation", &rule.scope.operation)];
    let told: Vec<String> = parts.into_iter().flatten().collect();
    if told.is_empty() { "everything".to_owned() } else { told.join(", ") }
}

/// `500 ms`.
pub fn limit(limit: &RuleLimit) -> String {
    number::text(limit.value, &sanitise(limit.unit.raw()))
}

/// All limits behind one another, `durationMs 500 ms`, or a dash.
pub fn limits(rule: &Rule) -> String {
    let all: Vec<String> = rule.limits.iter().map(|one| format!("{} {}", clean(&one.name), limit(one))).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

/// How many of its alerts were marked false, of a hundred; None: it had none.
pub fn share(score: &RuleScore) -> Option<f64> {
    (score.alerts > 0).then(|| score.marked_false as f64 * 100.0 / score.alerts as f64)
}

/// What a preview was counted with besides the lines: marks, and how much was known before the first line. None: there
/// is nothing to say.
pub fn counted_with(known: &RulePreview) -> Option<String> {
    let marks = match known.marks {
        0 => None,
        1 => Some("both know the 1 mark".to_owned()),
        marks => Some(format!("both know the {} marks", number::grouped(marks))),
    };
    let anew =
        known.learned_anew.then(|| "what was usual before is learned again: the first hour says less".to_owned());
    let all: Vec<String> = marks.into_iter().chain(anew).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_small_sensitivity_does_not_look_like_none() {
        assert_eq!([0.2, 0.01, 0.001, 1e-6].map(sensitivity), ["0.20", "0.01", "0.001", "0.000001"]);
    }

    #[test]
    fn settings_are_read_and_what_is_wrong_is_named() {
        let change = read(&["enabled=off", "sensitivity=0.5", "durationMs=300", "failedLogins=none"]).unwrap();
        assert_eq!((change.enabled, change.sensitivity, change.reset), (Some(false), Some(0.5), false));
        assert_eq!(change.limits["durationMs"], Some(300.0));
        assert_eq!(change.limits["failedLogins"], None);
        assert!(read(&["reset"]).unwrap().reset);
        for (wrong, words) in [
            (&[][..], "want NAME=VALUE"),
            (&["enabled=maybe"], "on or off"),
            (&["sensitivity=0"], "above 0"),
            (&["sensitivity=NaN"], "above 0"),
            (&["durationMs=fast"], "a number, or none"),
            (&["reset", "enabled=on"], "stands alone"),
            (&["\u{1b}[2J"], "not ^[[2J"),
        ] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
