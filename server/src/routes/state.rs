//! The state of the application at one moment: for a console that starts, a dashboard, a load balancer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use stella_protocol::health::EngineClock;
use stella_protocol::{Alert, Code, Fix, FixStatus, Health, Series, Snapshot};
use tokio::time::Instant;

use super::App;
use super::problem::Refusal;
use crate::health;
use crate::hub::InSight;

/// For how long an answer about health is given again while no alert changes: every stream asks each few
/// seconds.
const FRESH: Duration = Duration::from_secs(1);
/// For how long it is given again though one did: what changes together is looked at once.
pub(super) const SETTLED: Duration = Duration::from_millis(200);
/// How many alerts, and how many ended fixes, a dashboard shows.
const RECENT: usize = 10;

/// How the application is, and where the engine's clock stands.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub health: Health,
    pub engine: EngineClock,
}

/// The last [`Standing`], when it was taken, and after which event.
#[derive(Debug, Default)]
pub(crate) struct LastStanding(Mutex<Option<(Instant, u64, Standing)>>);

impl App {
    /// How the application is: at most a second old, and [`SETTLED`] after an alert changed.
    pub(super) fn standing(&self) -> Standing {
        let seq = self.hub.head().cursor.seq;
        let mut last = self.standing.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, after, standing)) = &*last
            && at.elapsed() < if *after == seq { FRESH } else { SETTLED }
        {
            return standing.clone();
        }
        let standing = self.standing_of(&self.hub.snapshot().1);
        *last = Some((Instant::now(), seq, standing.clone()));
        standing
    }

    fn standing_of(&self, alerts: &[Alert]) -> Standing {
        let engine = self.pipeline.engine_clock();
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        Standing { health: health::of(alerts, &series), engine }
    }
}

/// `GET /snapshot`.
pub(super) async fn snapshot(State(app): State<App>) -> Result<Json<Snapshot>, Refusal> {
    let InSight { cursor, alerts, fixes, remedy, migrations, presence, deploys, rules } = app.hub.in_sight();
    let asked = app.clone();
    let rules = super::stored(move || asked.hub.scored(&rules)).await?;
    let Standing { health, engine } = app.standing_of(&alerts);
    let series = app.series.lock().unwrap_or_else(PoisonError::into_inner).snapshot();
    let server_time = app.clock.now();
    Ok(Json(Snapshot {
        cursor,
        server_time,
        health,
        engine,
        alerts,
        fixes,
        remedy,
        migrations,
        presence,
        deploys,
        rules,
        series,
    }))
}

/// `GET /dashboard`: the shape of the original application.
pub(super) async fn dashboard(State(app): State<App>) -> Json<Value> {
    let InSight { mut alerts, fixes, .. } = app.hub.in_sight();
    let (pending, ended) = fixes.into_iter().rev().filter(is_in_dashboard).partition::<Vec<_>, _>(is_pending);
    let Standing { health, .. } = app.standing_of(&alerts);
    alerts.sort_by_key(|alert| std::cmp::Reverse(alert.created_at));
    alerts.truncate(RECENT);
    let series = app.series.lock().unwrap_or_else(PoisonError::into_inner).snapshot();
    let last = |id: &str| last_of(&series, id);
    Json(json!({
        "systemHealth": {
            "status": health.status,
            "reason": health.reason,
            "uptime": app.clock.now().since(app.started_at) / 1000,
            "activeUsers": last("users.active"),
            "errorRate": last("errors.percent"),
        },
        "recentAlerts": alerts,
        "metrics": {
            "avgQueryTime": last("avgQueryTime"),
            "avgAIResponse": last("avgAIResponse"),
            "cacheHitRate": last("cacheHitRate"),
        },
        "pendingApprovals": pending,
        "autoFixHistory": ended.iter().take(RECENT).collect::<Vec<_>>(),
    }))
}

fn is_pending(fix: &Fix) -> bool {
    fix.status == FixStatus::Pending
}

fn is_in_dashboard(fix: &Fix) -> bool {
    is_pending(fix) || !fix.status.is_open()
}

/// The newest value of a series; null while nothing was measured.
fn last_of(series: &[Series], id: &str) -> Option<f64> {
    series.iter().find(|series| series.id.raw() == id).and_then(|series| series.last)
}

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// `GET /readyz`: answers are whole; 503 with what is still to be done.
pub(super) async fn ready(State(app): State<App>) -> Result<Json<Value>, Refusal> {
    let mut missing = app.readiness.missing();
    if !app.pipeline.is_warm() {
        missing.push("reading kept lines again");
    }
    if app.ending.is_cancelled() {
        return Err(Refusal::new(Code::Unavailable, "the server ends"));
    }
    if missing.is_empty() {
        return Ok(Json(json!({ "status": "ready" })));
    }
    Err(Refusal::new(Code::Unavailable, format!("still {}", missing.join(", "))))
}
