//! Groups: alerts that began together and have one cause are told as one, under the greatest of them.
//!
//! The engine names the greater problem where it knows one. What it cannot know is said here: what a source that is
//! silent, a component that is down or a deploy explains, and what was open before the greater problem was told. A
//! group is one level deep: the parent of a parent is the parent of all. Which alerts are looked at is the hub's.

use stella_protocol::{Alert, AlertId, AlertType, Deploy, Severity};

use super::AlertState;
use super::machine::{Cause, Effect, Step};

/// Onsets this near belong together, in milliseconds: the rules need up to two minutes of lines to be sure.
pub(crate) const TOGETHER_MS: i64 = 120_000;
/// Most children that a parent names: with their ids an event stays far below 64 KiB.
pub(crate) const MOST_CHILDREN: usize = 200;

/// The alert is under another one from now on.
pub(super) fn grouped(state: &AlertState, parent: &AlertId) -> Step {
    let mut step = Step::of(state);
    if state.alert.parent_id.as_ref() != Some(parent) {
        step.state.alert.parent_id = Some(parent.clone());
        step.changed(Cause::Grouped);
    }
    step
}

/// Its parent is over: it stands by itself.
pub(super) fn freed(state: &AlertState) -> Step {
    let mut step = Step::of(state);
    if step.state.alert.parent_id.take().is_some() {
        step.changed(Cause::Freed);
    }
    step
}

/// It has these children from now on. That raises no version: whoever acts on a parent acts on the same alert,
/// however many join it meanwhile.
pub(super) fn with_children(state: &AlertState, children: &[AlertId]) -> Step {
    let mut step = Step::of(state);
    let children = &children[..children.len().min(MOST_CHILDREN)];
    if state.alert.children != children {
        step.state.alert.children = children.to_vec();
        step.effects.push(Effect::Shown);
    }
    step
}

/// What can come of something greater: slowness, failures, and who cannot get on for them. Never an attack, and never
/// data that contradict themselves, but for a deploy.
fn follows(alert: &Alert) -> bool {
    matches!(
        alert.kind,
        AlertType::PerformanceDegradation | AlertType::ErrorSpike | AlertType::NewError | AlertType::UserFriction
    )
}

/// Everything at once is slow, or fails.
fn is_everywhere(alert: &Alert) -> bool {
    let wide = matches!(alert.kind, AlertType::PerformanceDegradation | AlertType::ErrorSpike);
    wide && alert.service.is_empty() && alert.operation.is_none()
}

/// A source is silent, or a component says that it does not work.
fn is_outage(alert: &Alert) -> bool {
    match alert.kind {
        AlertType::Silence => true,
        AlertType::Health => alert.severity.rank() >= Severity::High.rank(),
        _ => false,
    }
}

/// How much it can explain; 0: nothing.
fn reach(alert: &Alert) -> u8 {
    match (is_outage(alert), is_everywhere(alert)) {
        (true, _) => 2,
        (_, true) => 1,
        _ => 0,
    }
}

fn together(a: &Alert, b: &Alert) -> bool {
    a.first_seen.since(b.first_seen).abs() <= TOGETHER_MS
}

/// True when `greater` is why there is `lesser`, as far as the two say.
fn explains(greater: &Alert, lesser: &Alert) -> bool {
    let same_service = !greater.service.is_empty() && greater.service == lesser.service;
    let covers = if is_outage(greater) { same_service } else { is_everywhere(greater) };
    covers && greater.id != lesser.id && reach(lesser) == 0 && follows(lesser) && together(greater, lesser)
}

/// True when both began within two minutes of the same deploy of their service.
fn share_deploy(a: &Alert, b: &Alert, deploys: &[Deploy]) -> bool {
    let could = |alert: &Alert| reach(alert) == 0 && (follows(alert) || alert.kind == AlertType::DataInconsistency);
    let behind = |alert: &Alert, deploy: &Deploy| (0..=TOGETHER_MS).contains(&alert.first_seen.since(deploy.at));
    let of_both = |deploy: &&Deploy| deploy.service == a.service && behind(a, deploy) && behind(b, deploy);
    a.id != b.id && could(a) && could(b) && a.service == b.service && deploys.iter().any(|deploy| of_both(&deploy))
}

/// True when `greater` is to be the parent of `lesser`: it explains that, or was the first behind the deploy of both.
pub(crate) fn leads(greater: &Alert, lesser: &Alert, deploys: &[Deploy]) -> bool {
    let is_earlier = (greater.first_seen, &greater.id) < (lesser.first_seen, &lesser.id);
    explains(greater, lesser) || is_earlier && share_deploy(greater, lesser, deploys)
}

/// The parent of a new alert among the open ones: what explains most, then what began first. None: it stands by itself.
pub(crate) fn parent_of<'a>(
    alert: &Alert,
    open: impl Iterator<Item = &'a Alert>,
    deploys: &[Deploy],
) -> Option<&'a AlertId> {
    let place = |other: &&Alert| (std::cmp::Reverse(reach(other)), other.first_seen, other.id.clone());
    let fits = |other: &&Alert| other.status.is_open() && leads(other, alert, deploys);
    open.filter(fits).min_by_key(place).map(|other| &other.id)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::{DeploySource, Text, Timestamp};

    use super::super::sample::alert;
    use super::*;

    fn of(number: usize, kind: AlertType, service: &str, operation: &str, at: i64) -> Alert {
        let mut state = alert(&format!("f{number}"), number, at);
        (state.alert.kind, state.alert.service) = (kind, Text::new(service.to_owned()));
        state.alert.operation = (!operation.is_empty()).then(|| Text::new(operation.to_owned()));
        state.alert
    }

    const SLOW: AlertType = AlertType::PerformanceDegradation;

    #[test]
    fn everything_at_once_explains_what_began_with_it_and_no_attack() {
        let wide = of(1, SLOW, "", "", 100_000);
        for (other, explained) in [
            (of(2, SLOW, "api", "load", 100_000 + TOGETHER_MS), true),
            (of(3, AlertType::UserFriction, "api", "load", 100_000 - TOGETHER_MS), true),
            (of(4, SLOW, "api", "load", 100_001 + TOGETHER_MS), false),
            (of(5, AlertType::SecurityAnomaly, "api", "login", 100_000), false),
            (of(6, AlertType::ErrorSpike, "", "", 100_000), false),
        ] {
            assert_eq!(explains(&wide, &other), explained, "{:?}", other.id);
            assert!(!explains(&other, &wide));
        }
    }

    #[test]
    fn an_outage_explains_its_own_service_and_goes_before_slowness_everywhere() {
        let silent = of(1, AlertType::Silence, "db", "", 1000);
        let wide = of(2, SLOW, "", "", 0);
        let lesser = of(3, AlertType::ErrorSpike, "db", "query", 2000);
        let other = of(4, AlertType::ErrorSpike, "api", "load", 2000);
        let open = [wide.clone(), silent.clone(), lesser.clone(), other.clone()];
        assert_eq!(parent_of(&lesser, open.iter(), &[]), Some(&silent.id));
        assert_eq!(parent_of(&other, open.iter(), &[]), Some(&wide.id));
        assert_eq!(parent_of(&wide, open.iter(), &[]), None);
        let unwell = Alert { kind: AlertType::Health, severity: Severity::Medium, ..silent };
        assert!(!explains(&unwell, &lesser), "degraded is not down");
    }

    #[test]
    fn what_began_behind_one_deploy_of_its_service_is_one_group_under_the_first() {
        let at = Timestamp::from_millis(1000);
        let deploy =
            Deploy { service: Text::new("api"), revision: Text::new("r2"), at, by: None, source: DeploySource::Told };
        let (first, second) = (of(1, SLOW, "api", "load", 2000), of(2, AlertType::NewError, "api", "save", 9000));
        let (early, other) = (of(3, SLOW, "api", "find", 500), of(4, SLOW, "web", "load", 2000));
        let open = [second.clone(), other, early, first.clone()];
        assert_eq!(parent_of(&second, open.iter(), std::slice::from_ref(&deploy)), Some(&first.id));
        assert_eq!(parent_of(&first, open.iter(), std::slice::from_ref(&deploy)), None);
        assert_eq!(parent_of(&second, open.iter(), &[]), None);
        let closed = [Alert { status: stella_protocol::Status::Resolved, ..first }];
        assert_eq!(parent_of(&second, closed.iter(), &[deploy]), None);
    }

    #[test]
    fn a_parent_raises_the_version_of_its_child_and_children_none() {
        let (child, id) = (alert("f", 1, 0), "a-0000009".parse::<AlertId>().unwrap());
        let under = grouped(&child, &id);
        assert_eq!((under.state.alert.version, under.effects.clone()), (2, vec![Effect::Changed(Cause::Grouped)]));
        assert_eq!(grouped(&under.state, &id).effects, []);
        let free = freed(&under.state);
        assert_eq!((free.state.alert.parent_id.clone(), free.state.alert.version), (None, 3));
        assert_eq!(freed(&free.state).effects, []);
        let parent = with_children(&child, std::slice::from_ref(&id));
        assert_eq!((parent.state.alert.version, parent.effects.clone()), (1, vec![Effect::Shown]));
        assert_eq!(with_children(&parent.state, &[id]).effects, []);
    }
}
