//! The application's own queries in words: said alike by the screen, by lines and by the report.

use stella_protocol::Migration;
use stella_protocol::migration::{OwnQuery, QueryChange, QueryTiming, QueryVerdict};
use stella_widgets::text::sanitise;

/// None is declared.
pub const NOBODY: &str = "nobody asks the application: none of its own queries is declared";
/// What the lines stand under.
pub const TITLE: &str = "the application's own queries";

/// How a migration's queries went, one a line; that nobody asks where none is declared. Nothing before there is a
/// plan.
pub fn lines(migration: &Migration) -> Vec<(Mark, String)> {
    match &migration.own_queries {
        None if migration.plan.is_none() => Vec::new(),
        None => vec![(Mark::Missing, NOBODY.to_owned())],
        Some(queries) => queries.items.iter().flat_map(line).collect(),
    }
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// As it should be, or not known yet.
    Usual,
    /// Somebody was not asked, or did not answer.
    Missing,
    /// Too slow.
    Bad,
}

fn line(query: &OwnQuery) -> Vec<(Mark, String)> {
    let name = sanitise(query.name.raw()).into_string();
    let mark = match query.change.map(|change| change.verdict) {
        Some(QueryVerdict::TooSlow) => Mark::Bad,
        _ => Mark::Usual,
    };
    let words = match (query.before, query.after) {
        (None, None) if query.silent == 0 => "timed before the first write, and after the copy".to_owned(),
        (before, after) => {
            let [before, after] = [(before, "before"), (after, "after")].map(|(timing, when)| timed(timing, when));
            let change = query.change.map(|change| format!("; {}", changed(&change))).unwrap_or_default();
            format!("{before}, {after}{change}")
        }
    };
    let mut lines = vec![(mark, format!("{name}: {words}"))];
    if query.silent > 0 {
        let why =
            query.why_silent.as_ref().map(|why| format!(": {}", sanitise(why.raw()).into_string())).unwrap_or_default();
        let calls = if query.silent == 1 { "call was" } else { "calls were" };
        lines.push((Mark::Missing, format!("{name}: {} {calls} not answered{why}", query.silent)));
    }
    lines
}

fn timed(timing: Option<QueryTiming>, when: &str) -> String {
    timing.map_or_else(
        || format!("not timed {when}"),
        |timing| format!("{} {when} ({} calls, {} users)", millis(timing.median_ms), timing.calls, timing.users),
    )
}

/// `84 ms`, `3.2 ms`.
fn millis(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// `27 % faster (18 to 35 %)`.
fn changed(change: &QueryChange) -> String {
    let percent = |ratio: f64| ((ratio - 1.0) * 100.0).round();
    let [by, low, high] = [change.ratio, change.low, change.high].map(percent);
    let spread = format!("({low:+} to {high:+} %)");
    match change.verdict {
        QueryVerdict::Faster => format!("{} % faster {spread}", by.abs()),
        QueryVerdict::Slower => format!("{by} % slower {spread}"),
        QueryVerdict::TooSlow => format!("{by} % SLOWER {spread}"),
        QueryVerdict::Same | QueryVerdict::Unknown => format!("no difference beyond noise {spread}"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(ratio: f64, verdict: &str) -> String {
        let timing = |ms: f64| json!({"medianMs": ms, "calls": 60, "users": 20});
        let query: OwnQuery = serde_json::from_value(json!({
            "name": "list\u{1b}[2J", "before": timing(84.4), "after": timing(8.0),
            "change": {"ratio": ratio, "low": ratio - 0.1, "high": ratio + 0.1, "users": 20, "verdict": verdict},
        }))
        .unwrap();
        line(&query).remove(0).1
    }

    #[test]
    fn a_query_says_how_long_it_took_and_what_that_means() {
        assert_eq!(
            said(0.73, "faster"),
            "list^[[2J: 84 ms before (60 calls, 20 users), 8.0 ms after (60 calls, 20 users); 27 % faster (-37 to -17 %)"
        );
        assert!(said(1.34, "too_slow").ends_with("34 % SLOWER (+24 to +44 %)"));
        assert!(said(1.02, "same").ends_with("no difference beyond noise (-8 to +12 %)"));
        assert!(said(1.02, "from the future").contains("no difference"));
    }

    #[test]
    fn silence_is_told_with_its_reason_and_what_nobody_asked_is_no_figure() {
        let of = |query: serde_json::Value| line(&serde_json::from_value(query).unwrap());
        let silent = of(json!({"name": "list", "silent": 3, "whySilent": "it answered 503"}));
        assert_eq!(silent[0].1, "list: not timed before, not timed after");
        assert_eq!(silent[1], (Mark::Missing, "list: 3 calls were not answered: it answered 503".to_owned()));
        assert_eq!(of(json!({"name": "list"}))[0].1, "list: timed before the first write, and after the copy");
    }
}
