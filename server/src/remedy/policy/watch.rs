//! Whether its alert could tell that a fix helped, before anything is done for it.
//!
//! Whoever decides is told, and it is asked again before the first step. How what was done is watched is not
//! decided here.

use stella_protocol::fix::{Check, Gate};
use stella_protocol::{Activity, Alert, Fix};

use super::gates::{shut, warning};

/// Why nothing is to be done for its alert any more: it is over, or quiet and no person asked for it. None: there is
/// something, or something else is watched. What people approve is done for a quiet alert too: what was damaged stays
/// damaged when nobody runs into it at the moment.
pub fn nothing_to_do(fix: &Fix, alert: &Alert) -> Option<&'static str> {
    if !watches_its_alert(fix) {
        return None;
    }
    if !alert.status.is_open() {
        return Some("its alert is over already: there is nothing that it could help");
    }
    (fix.by_policy && is_quiet(alert))
        .then_some("its alert is quiet already: nothing could tell whether it helped; propose it when it fires")
}

/// The same as a gate of what waits to begin, and whether it would run without anybody who could tell. None: its alert
/// can, or something else is watched. `alert` is its own, as far as it is kept.
pub fn watch_gate(fix: &Fix, alert: Option<&Alert>) -> Option<Gate> {
    if !fix.status.waits_to_begin() || !watches_its_alert(fix) {
        return None;
    }
    let Some(alert) = alert else {
        return Some(warning("it will be \"not watched\": there is no alert that could tell whether it helped"));
    };
    match nothing_to_do(fix, alert) {
        Some(why) => Some(shut(why.to_owned())),
        None if is_quiet(alert) => {
            Some(warning("it will be \"not watched\": its alert is quiet, unless that fires again"))
        }
        None => None,
    }
}

fn watches_its_alert(fix: &Fix) -> bool {
    fix.plan.verification.as_ref().is_some_and(|wanted| wanted.check == Check::AlertQuiet)
}

fn is_quiet(alert: &Alert) -> bool {
    matches!(alert.activity, Activity::Quiet { .. })
}
