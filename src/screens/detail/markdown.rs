//! An alert as Markdown, for a ticket or a chat.

use std::fmt::Write as _;

use stella_protocol::{Alert, Evidence};
use stella_widgets::number;
use stella_widgets::text::sanitise;

use crate::screens::View;

pub(super) fn write(alert: &Alert, evidence: Option<&Evidence>, view: &View<'_>) -> String {
    let unit = sanitise(alert.brief.unit.raw());
    let value = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| number::text(value, &unit));
    let mut text = format!(
        "## {} {} ({})\n\n- service {}, {}, first {}, last {}, x{}\n- observed {}, usual {}, limit {}\n",
        alert.id,
        sanitise(alert.title.raw()),
        alert.severity.word(),
        sanitise(alert.service.raw()),
        alert.status.word(),
        view.seconds(alert.first_seen),
        view.seconds(alert.last_seen),
        alert.occurrences,
        value(alert.brief.observed),
        value(alert.brief.baseline),
        value(alert.brief.threshold),
    );
    if let Some(parent) = &alert.parent_id {
        let _ = writeln!(text, "- explained by {parent}");
    }
    if let Some(evidence) = evidence {
        let _ = write!(text, "\n{}\n\n", sanitise(evidence.summary.raw()));
        for reason in &evidence.reasons {
            let _ = writeln!(text, "- {:+.2} {}", reason.weight, sanitise(reason.text.raw()));
        }
        for other in &evidence.correlated {
            let side = if other.offset_ms < 0 { "before" } else { "after" };
            let span = number::span(other.offset_ms.saturating_abs());
            let _ = writeln!(text, "- {span} {side} the onset: {}", sanitise(other.text.raw()));
        }
        for before in &evidence.similar {
            let fixed = before.fixed_by.as_ref().map(|by| format!(", fixed by {}", sanitise(by.raw())));
            let (outcome, fixed) = (sanitise(before.outcome.raw()), fixed.unwrap_or_default());
            let _ = writeln!(text, "- similar: {} {outcome}{fixed}", before.alert);
        }
    }
    text
}
