//! What components say of themselves: degraded or down opens a problem, healthy ends it.
//!
//! Nothing is measured here; a component is believed.

use stella_protocol::log::ComponentHealth;
use stella_protocol::{AlertType, Category, LogEvent, Measure, Severity, Untrusted};

use crate::evidence::{Card, Case, Story, several};
use crate::finding::Phase;
use crate::incident::{Desk, Near, Subject};
use crate::key;
use crate::mark::{Flags, Mark};
use crate::scope::Scope;

const CARD: Card = Card { id: "health", kind: AlertType::Health, category: Category::Performance };
/// Its rule.
pub(crate) const RULE: &str = CARD.id;

/// A line in which a component speaks of its health.
pub(crate) fn observe(desk: &mut Desk, near: Near<'_>, mark: &Mark, event: &LogEvent<'_>) {
    let component = event.component.as_ref().map_or("", Untrusted::raw);
    let service = event.service.raw();
    if component.len() > key::LONGEST_NAME || service.len() > key::LONGEST_NAME {
        return;
    }
    let key = key::join(&[key::own(CARD.id), mark.service, mark.component]);
    let down = event.health == Some(ComponentHealth::Down);
    if event.health == Some(ComponentHealth::Healthy) {
        desk.recover(near, key);
    } else if mark.flags.has(Flags::UNWELL) && !desk.touch(key, mark.at) {
        let subject = Subject::Unwell { service: service.into(), component: component.into(), down };
        desk.open(near, key, subject, mark.at, 1);
    } else if mark.flags.has(Flags::UNWELL) {
        desk.reword(key, |subject| match subject {
            Subject::Unwell { down: was, .. } => std::mem::replace(was, down) != down,
            _ => false,
        });
    }
}

/// A component that is not well, or is well again.
pub(crate) fn tell(case: &Case<'_>, service: &str, component: &str, down: bool, phase: Phase) -> Story {
    let named = (!component.is_empty()).then(|| component.into());
    let own = Scope { service: Some(service.into()), component: named, ..Scope::default() };
    let unwell = own.clone().needing(Flags::UNWELL);
    let span = case.span(case.rules.security_window_ms);
    let count = case.count("lines that say so", &unwell, span);
    let many = count.as_ref().map_or(0.0, |count| count.value);
    let healthy = own.needing(Flags::HEALTHY);
    let usual = case.usual(Measure::Count, &unwell, &healthy, 1);
    let mut reasons = Vec::new();
    if let Some(count) = &count {
        let text = several(count.value, "line says degraded or down", "lines say degraded or down");
        reasons.push(case.reason(0.7, text, vec![count.clone()]));
    }
    if let Some(well) = case.count("lines that say healthy", &healthy, case.span_from(case.incident.first_at)) {
        let text = several(well.value, "line since the onset says healthy", "lines since the onset say healthy");
        reasons.push(case.reason(if well.value > 0.0 { -0.5 } else { -0.05 }, text, vec![well]));
    }
    reasons.push(case.against_usual(many, usual.as_ref()));
    reasons.extend(case.deploys());
    let name = if component.is_empty() { service } else { component };
    let state = if down { "down" } else { "degraded" };
    let title = match phase {
        Phase::Firing => format!("{name} is {state}"),
        Phase::Recovered => format!("{name} is healthy again"),
    };
    let mut labels = vec![("service", service.to_owned())];
    if !component.is_empty() {
        labels.push(("component", component.to_owned()));
    }
    Story {
        card: CARD,
        severity: if down { Severity::High } else { Severity::Medium },
        title,
        summary: format!("{name} said {state} in {} of the last ten minutes.", several(many, "line", "lines")),
        service: service.to_owned(),
        operation: None,
        labels,
        actions: vec![
            format!("Read what {name} says around its first bad line"),
            format!("Check what {name} depends on, and restart it if that is well"),
        ],
        window_ms: case.rules.security_window_ms,
        chart: Some(case.count_chart("lines that say degraded or down", &unwell)),
        scope: unwell,
        q: None,
        observed: count,
        usual,
        threshold: Some(1.0),
        reasons,
    }
}
