//! How the application is, in one word with its reason: computed from the open alerts and the share of
//! failures, and from nothing else.

use stella_protocol::{Alert, AlertType, Health, HealthStatus, Severity, Text};

use crate::series::SeriesBook;

/// The share of failures against what is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorShare {
    /// Failures in a hundred messages of the last minute; None: there was no message.
    pub percent: Option<f64>,
    /// Up to here it is usual.
    pub at_most: f64,
}

/// The health that these alerts and the newest numbers amount to.
pub fn of(alerts: &[Alert], series: &SeriesBook) -> Health {
    judge(alerts, series.error_share())
}

/// `down` when a source or component that should speak is silent or says down; `degraded` when a critical
/// alert is open or failures are above what is usual; else `healthy`. Alerts that are over do not count.
pub fn judge(alerts: &[Alert], errors: ErrorShare) -> Health {
    let open: Vec<&Alert> = alerts.iter().filter(|alert| alert.status.is_open()).collect();
    if let Some(reason) = titles(&open, is_down) {
        return Health { status: HealthStatus::Down, reason: Text::from(reason) };
    }
    if let Some(reason) = titles(&open, |alert| alert.severity == Severity::Critical) {
        return Health { status: HealthStatus::Degraded, reason: Text::from(format!("critical: {reason}")) };
    }
    let (status, reason) = match errors.percent {
        Some(percent) if percent > errors.at_most => {
            (HealthStatus::Degraded, format!("errors {percent:.1} %, usual at most {:.1} %", errors.at_most))
        }
        Some(percent) => (HealthStatus::Healthy, format!("nothing critical open, errors {percent:.1} %")),
        None => (HealthStatus::Healthy, "nothing critical open, no messages in the last minute".to_owned()),
    };
    Health { status, reason: Text::from(reason) }
}

/// A silence, or a component whose own word is that it does not work: the rule calls that high, and
/// `degraded` medium.
fn is_down(alert: &Alert) -> bool {
    match alert.kind {
        AlertType::Silence => true,
        AlertType::Health => alert.severity.rank() >= Severity::High.rank(),
        _ => false,
    }
}

/// The worst of those that fit, by its title, and how many more there are.
fn titles(alerts: &[&Alert], fits: impl Fn(&Alert) -> bool) -> Option<String> {
    let fitting: Vec<&&Alert> = alerts.iter().filter(|alert| fits(alert)).collect();
    let worst = fitting.iter().max_by_key(|alert| (alert.severity.rank(), std::cmp::Reverse(alert.first_seen)))?;
    let title = worst.title.raw();
    Some(match fitting.len() - 1 {
        0 => title.to_owned(),
        more => format!("{title} (and {more} more)"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const CALM: ErrorShare = ErrorShare { percent: Some(0.4), at_most: 5.0 };

    fn alert(kind: &str, severity: &str, status: &str, title: &str) -> Alert {
        let at = "2026-03-01T10:00:00.000Z";
        serde_json::from_value(serde_json::json!({
            "id": "a-0000001", "fingerprint": "f", "episode": 1, "type": kind, "category": "data",
            "severity": severity, "title": title, "ruleId": "r", "status": status, "activity": {"state": "firing"},
            "occurrences": 1, "firstSeen": at, "lastSeen": at, "detectedAt": at, "createdAt": at, "version": 1
        }))
        .unwrap()
    }

    fn word(alerts: &[Alert], errors: ErrorShare) -> (HealthStatus, String) {
        let health = judge(alerts, errors);
        (health.status, health.reason.raw().to_owned())
    }

    #[test]
    fn healthy_says_what_was_looked_at() {
        let over = alert("silence", "critical", "resolved", "web is silent");
        let slow = alert("performance_degradation", "high", "new", "slow");
        assert_eq!(
            word(&[over, slow], CALM),
            (HealthStatus::Healthy, "nothing critical open, errors 0.4 %".to_owned())
        );
    }

    #[test]
    fn a_critical_alert_or_too_many_errors_degrade() {
        let alerts = [alert("error_spike", "critical", "new", "login fails"), alert("error_spike", "low", "new", "x")];
        assert_eq!(word(&alerts, CALM), (HealthStatus::Degraded, "critical: login fails".to_owned()));
        let many = ErrorShare { percent: Some(12.44), at_most: 5.0 };
        assert_eq!(word(&[], many), (HealthStatus::Degraded, "errors 12.4 %, usual at most 5.0 %".to_owned()));
    }

    #[test]
    fn silence_and_a_component_that_says_down_are_down_and_come_first() {
        let alerts = [
            alert("error_spike", "critical", "new", "login fails"),
            alert("silence", "medium", "new", "jobs silent"),
            alert("health", "high", "acknowledged", "embedding is down"),
        ];
        let (status, reason) = word(&alerts, CALM);
        assert_eq!((status, reason.as_str()), (HealthStatus::Down, "embedding is down (and 1 more)"));
        let not_well = [alert("health", "medium", "new", "embedding is degraded")];
        assert_eq!(word(&not_well, CALM).0, HealthStatus::Healthy);
    }
}
