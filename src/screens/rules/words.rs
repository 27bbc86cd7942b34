//! What is said of a rule with its times, as the operator wants them; safe to show.

use stella_protocol::Rule;
use stella_protocol::rule::RuleScore;
use stella_widgets::number;

use crate::screens::View;
pub(super) use crate::screens::page::clean;
use crate::setting::share;

/// What its alerts were worth, in a line.
pub(super) fn score(view: &View<'_>, score: &RuleScore) -> String {
    if score.alerts == 0 {
        return "no alert of it is kept".to_owned();
    }
    let since = score.since.map(|at| format!(" since {}", view.day(at))).unwrap_or_default();
    let share = share(score).map(number::percent).unwrap_or_default();
    let alerts = if score.alerts == 1 { "1 alert".to_owned() } else { format!("{} alerts", score.alerts) };
    let taken = match score.median_acknowledge_ms {
        Some(median) => format!("{} acknowledged after {} (median)", score.acknowledged, number::span(median)),
        None => "none acknowledged".to_owned(),
    };
    format!("{alerts}{since}: {} false ({share}), {taken}", score.marked_false)
}

/// Who changed it last while the server ran.
pub(super) fn changed(view: &View<'_>, rule: &Rule) -> Option<String> {
    let at = rule.changed_at?;
    let by = rule.changed_by.as_ref().map_or_else(|| "somebody".to_owned(), clean);
    Some(format!("changed by {by} on {} at {}", view.day(at), view.seconds(at)))
}
