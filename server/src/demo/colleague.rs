//! `op2`: a simulated colleague who takes an alert or two soon after the start, and gives the second
//! approval to a fix that a person approved first, over the ordinary interface and under a name that
//! says what it is, so that a newcomer sees more than one state and a quorum of two.
//!
//! Knows nothing of the script: it looks at the lists as a person would. It takes nothing that is
//! critical and is never the first to approve; that is left to whoever sits at the console.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, StatusCode, header};
use stella_protocol::fix::{FixPage, FixRequest};
use stella_protocol::snapshot::AlertPage;
use stella_protocol::{Alert, Fix, FixStatus, Severity, Status, Text};
use tokio::time::Instant;
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

/// From one look at the fixes to the next.
const LOOK_AT_FIXES: Duration = Duration::from_secs(2);

/// How long the colleague reads a plan that somebody else approved, before approving it too.
const READING: Duration = Duration::from_secs(20);

/// Why the colleague approves.
const REASON: &str = "second approval by the demo's simulated colleague";

/// Takes [`TAKES`] alerts with a token of role approver for [`COLLEAGUE`], then gives second approvals
/// until `shutdown`.
///
/// What cannot be had (somebody else was faster, the server is away) is looked for again.
///
/// # Errors
/// When the HTTP client cannot be made or the server refuses the token.
pub async fn op2(base_url: String, token: String, shutdown: CancellationToken) -> Result<(), DemoError> {
    let desk = Desk { client: client()?, base_url: base_url.trim_end_matches('/').to_owned(), token };
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        done = work(&desk) => done,
    }
}

async fn work(desk: &Desk) -> Result<(), DemoError> {
    take_some(desk).await?;
    let mut read = BTreeMap::new();
    loop {
        for fix in second(&desk.pending().await?, &mut read, Instant::now()) {
            desk.approve(&fix).await?;
        }
        tokio::time::sleep(LOOK_AT_FIXES).await;
    }
}

async fn take_some(desk: &Desk) -> Result<(), DemoError> {
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        let open = desk.look().await?;
        if open.iter().any(is_mine) {
            // A demo that goes on: it was done the last time.
            return Ok(());
        }
        if open.len() < ENOUGH_TO_CHOOSE {
            continue;
        }
        let mut taken = 0;
        for alert in choose(&open) {
            taken += usize::from(desk.take(alert).await?);
        }
        if taken > 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// When a plan was first seen with a person's approval, by the fix's id and the plan's digest.
type Read = BTreeMap<(String, String), Instant>;

/// Fixes that need one more approval and whose plan the colleague has read for long enough.
fn second(pending: &[Fix], read: &mut Read, now: Instant) -> Vec<Fix> {
    let key = |fix: &Fix| (fix.id.as_str().to_owned(), fix.plan_digest.raw().to_owned());
    let mine: Vec<&Fix> = pending.iter().filter(|fix| wants_a_second(fix)).collect();
    // A plan that changed, or whose approval was withdrawn, is read anew.
    read.retain(|seen, _| mine.iter().any(|fix| key(fix) == *seen));
    let ready = |fix: &&&Fix| now.duration_since(*read.entry(key(fix)).or_insert(now)) >= READING;
    mine.iter().filter(ready).map(|fix| (*fix).clone()).collect()
}

/// True when a person has approved it, not the colleague yet, and that is not enough.
fn wants_a_second(fix: &Fix) -> bool {
    let of_this_plan = |by_person: bool| {
        let mut approvals = fix.approvals.iter().filter(|approval| approval.plan_digest == fix.plan_digest);
        approvals.any(|approval| approval.simulated != by_person)
    };
    let waits = fix.status == FixStatus::Pending && fix.approvals.len() < usize::from(fix.quorum);
    waits && fix.proposed_by.raw() != COLLEAGUE && of_this_plan(true) && !of_this_plan(false)
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

    /// Which fixes wait for people; empty when the server is away.
    async fn pending(&self) -> Result<Vec<Fix>, DemoError> {
        let address = format!("{}/api/stella/fixes?status=pending&limit=100", self.base_url);
        let Ok(answer) = self.client.get(address).bearer_auth(&self.token).send().await else { return Ok(Vec::new()) };
        refuse_denied(answer.status())?;
        let page: Option<FixPage> = answer.json().await.ok();
        Ok(page.map(|page| page.items).unwrap_or_default())
    }

    /// Acknowledges one as it was seen. True: done.
    async fn take(&self, alert: &Alert) -> Result<bool, DemoError> {
        let what = format!("alerts/{}/acknowledge", alert.id);
        self.change(&what, alert.version, "{}".to_owned()).await
    }

    /// Approves a fix with the plan that was seen. True: done.
    async fn approve(&self, fix: &Fix) -> Result<bool, DemoError> {
        let request = FixRequest { plan_digest: Some(fix.plan_digest.clone()), text: Some(Text::from(REASON)) };
        let body = serde_json::to_string(&request).unwrap_or_default();
        match self.change(&format!("fixes/{}/approve", fix.id), fix.version, body).await {
            // Not this one, for a reason of its own; the token is good, or the list had not come.
            Err(DemoError::Refused(403)) => Ok(false),
            done => done,
        }
    }

    /// Changes something as it was seen. True: done; false: not now.
    async fn change(&self, what: &str, version: u64, body: String) -> Result<bool, DemoError> {
        let request = self
            .client
            .post(format!("{}/api/stella/{what}", self.base_url))
            .bearer_auth(&self.token)
            .header("Idempotency-Key", Uuid::now_v7().to_string())
            .header(header::IF_MATCH, format!("\"{version}\""))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
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

    fn fix(approvals: &serde_json::Value) -> Fix {
        serde_json::from_value(serde_json::json!({
            "id": "fx-1", "definitionId": "roll-back-deploy", "title": "t", "risk": "high", "policy": "approve",
            "planDigest": "d1", "proposedBy": "rule:new_error", "proposedAt": "2026-01-01T00:00:00.000Z",
            "status": "pending", "quorum": 2, "approveBy": "2026-01-01T00:15:00.000Z", "steps": [], "version": 3,
            "approvals": approvals,
            "plan": {"definitionId": "d", "definitionDigest": "x", "risk": "high", "policy": "approve",
                     "target": "deploy:api", "parameters": [], "steps": []},
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn the_colleague_approves_second_and_never_first_and_reads_a_changed_plan_anew() {
        let at = "2026-01-01T00:00:00.000Z";
        let by = |name: &str, simulated: bool, digest: &str| serde_json::json!([{"by": name, "at": at, "planDigest": digest, "simulated": simulated}]);
        let (mut read, now) = (Read::new(), Instant::now());
        let mut asked = |approvals: &serde_json::Value, after: u64| {
            second(&[fix(approvals)], &mut read, now + Duration::from_secs(after)).len()
        };
        assert_eq!([asked(&serde_json::json!([]), 0), asked(&serde_json::json!([]), 60)], [0, 0]);
        let person = by("sre-1", false, "d1");
        assert_eq!([asked(&person, 61), asked(&person, 80), asked(&person, 81)], [0, 0, 1]);
        // Withdrawn, then given again: the twenty seconds begin anew.
        assert_eq!([asked(&serde_json::json!([]), 82), asked(&person, 83), asked(&person, 90)], [0, 0, 0]);
        assert_eq!(asked(&by("sre-1", false, "d0"), 200), 0);
        assert_eq!([asked(&by(COLLEAGUE, true, "d1"), 300), asked(&by(COLLEAGUE, true, "d1"), 400)], [0, 0]);
        // The mark counts, not the name.
        assert_eq!([asked(&by("sre-1", true, "d1"), 500), asked(&by("sre-1", true, "d1"), 600)], [0, 0]);
        assert_eq!([asked(&by(COLLEAGUE, false, "d1"), 700), asked(&by(COLLEAGUE, false, "d1"), 800)], [0, 1]);
    }

    #[tokio::test]
    async fn the_approval_names_the_plan_and_the_version_that_were_seen() {
        use axum::extract::Path;
        use axum::http::HeaderMap;
        use axum::routing::{get, post};

        async fn approve(Path(id): Path<String>, headers: HeaderMap, body: String) -> StatusCode {
            let asked: FixRequest = serde_json::from_str(&body).unwrap();
            let whole = id == "fx-1" && headers["if-match"] == "\"3\"" && headers["authorization"] == "Bearer key";
            let seen = asked.plan_digest.is_some_and(|digest| digest.raw() == "d1");
            if whole && seen && headers.contains_key("idempotency-key") { StatusCode::OK } else { StatusCode::CONFLICT }
        }
        async fn pending() -> String {
            serde_json::to_string(&FixPage { items: vec![fix(&serde_json::json!([]))], next: None }).unwrap()
        }
        let router = axum::Router::new()
            .route("/api/stella/fixes", get(pending))
            .route("/api/stella/fixes/{id}/approve", post(approve));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let desk = Desk { client: client().unwrap(), base_url, token: "key".to_owned() };
        let fixes = desk.pending().await.unwrap();
        assert!(desk.approve(&fixes[0]).await.unwrap());
        assert!(!desk.approve(&Fix { version: 4, ..fixes[0].clone() }).await.unwrap());
    }

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
