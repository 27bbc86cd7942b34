//! `op2`: a simulated colleague who takes an alert or two soon after the start, over the ordinary
//! interface and under a name that says what it is, so that a newcomer sees more than one state.
//!
//! Knows nothing of the script: it looks at the list as a person would. It takes nothing that is
//! critical; that is left to whoever sits at the console.

use std::time::Duration;

use reqwest::{Client, StatusCode, header};
use stella_protocol::snapshot::AlertPage;
use stella_protocol::{Alert, Severity, Status};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::DemoError;
use super::courier::client;

/// The principal that the colleague's token is for: it says that nobody real is behind it.
pub const COLLEAGUE: &str = "op2 (simulated)";

/// How many alerts the colleague takes.
const TAKES: usize = 2;

/// So many must be open before one is acknowledged: the first of an hour are not yet the whole picture.
const ENOUGH_TO_CHOOSE: usize = 4;

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(500);

/// Looks before the colleague is content with what there is: a minute.
const LOOKS: usize = 120;

/// Takes [`TAKES`] alerts with a token of role responder for [`COLLEAGUE`], then ends. Returns how many it took.
///
/// What cannot be had (somebody else was faster, the server is away) is looked for again.
///
/// # Errors
/// When the HTTP client cannot be made or the server refuses the token.
pub async fn op2(base_url: String, token: String, shutdown: CancellationToken) -> Result<usize, DemoError> {
    let desk = Desk { client: client()?, base_url: base_url.trim_end_matches('/').to_owned(), token };
    let mut acknowledged = 0;
    for _ in 0..LOOKS {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(acknowledged),
            () = tokio::time::sleep(LOOK) => {}
        }
        let open = desk.look().await?;
        if open.iter().any(is_mine) {
            // A demo that goes on: it was done the last time.
            return Ok(acknowledged);
        }
        if open.len() < ENOUGH_TO_CHOOSE {
            continue;
        }
        for alert in choose(&open) {
            acknowledged += usize::from(desk.take(alert).await?);
        }
        if acknowledged > 0 {
            return Ok(acknowledged);
        }
    }
    Ok(acknowledged)
}

fn is_mine(alert: &Alert) -> bool {
    alert.acknowledged_by.as_ref().is_some_and(|by| by.raw() == COLLEAGUE)
}

/// The oldest high one and the oldest of lesser severity: what a colleague would have begun with.
fn choose(open: &[Alert]) -> Vec<&Alert> {
    let mut new: Vec<&Alert> = open.iter().filter(|alert| alert.status == Status::New).collect();
    new.sort_by_key(|alert| (alert.first_seen, alert.id.clone()));
    let high = new.iter().find(|alert| alert.severity == Severity::High);
    let lesser = new.iter().find(|alert| alert.severity < Severity::High);
    high.into_iter().chain(lesser).take(TAKES).copied().collect()
}

/// A client with its token. Has no `Debug`: the token stays in here.
struct Desk {
    client: Client,
    base_url: String,
    token: String,
}

impl Desk {
    /// What is open; empty when the server is away.
    async fn look(&self) -> Result<Vec<Alert>, DemoError> {
        let address = format!("{}/api/stella/alerts?limit=100", self.base_url);
        let Ok(answer) = self.client.get(address).bearer_auth(&self.token).send().await else { return Ok(Vec::new()) };
        refuse_denied(answer.status())?;
        let page: Option<AlertPage> = answer.json().await.ok();
        let items = page.map(|page| page.items).unwrap_or_default();
        Ok(items.into_iter().filter(|alert| alert.status.is_open()).collect())
    }

    /// Acknowledges one as it was seen. True: done.
    async fn take(&self, alert: &Alert) -> Result<bool, DemoError> {
        let address = format!("{}/api/stella/alerts/{}/acknowledge", self.base_url, alert.id);
        let request = self
            .client
            .post(address)
            .bearer_auth(&self.token)
            .header("Idempotency-Key", Uuid::now_v7().to_string())
            .header(header::IF_MATCH, format!("\"{}\"", alert.version))
            .header(header::CONTENT_TYPE, "application/json")
            .body("{}");
        let Ok(answer) = request.send().await else { return Ok(false) };
        refuse_denied(answer.status())?;
        Ok(answer.status().is_success())
    }
}

fn refuse_denied(status: StatusCode) -> Result<(), DemoError> {
    let denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if denied { Err(DemoError::Refused(status.as_u16())) } else { Ok(()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn alert(id: &str, severity: &str, status: &str, seen: &str) -> Alert {
        serde_json::from_value(serde_json::json!({
            "id": id, "fingerprint": id, "episode": 1, "type": "error_spike", "category": "data",
            "severity": severity, "title": id, "ruleId": "r", "status": status,
            "activity": {"state": "firing"}, "occurrences": 1, "version": 1,
            "firstSeen": seen, "lastSeen": seen, "detectedAt": seen, "createdAt": seen,
        }))
        .unwrap()
    }

    #[test]
    fn the_colleague_leaves_critical_and_taken_alerts_alone() {
        let open = [
            alert("a-1", "critical", "new", "2026-01-01T00:00:00.000Z"),
            alert("a-2", "high", "acknowledged", "2026-01-01T00:00:00.000Z"),
            alert("a-3", "high", "new", "2026-01-01T00:02:00.000Z"),
            alert("a-4", "high", "new", "2026-01-01T00:01:00.000Z"),
            alert("a-5", "medium", "new", "2026-01-01T00:03:00.000Z"),
        ];
        let chosen: Vec<&str> = choose(&open).iter().map(|alert| alert.id.as_str()).collect();
        assert_eq!(chosen, ["a-4", "a-5"]);
    }
}
