//! The benches, one file each, and what they share.

pub mod demo;
pub mod detection;
pub mod fanout;
pub mod first_frame;
pub mod glass;
pub mod idle;
pub mod ingest;
pub mod limit;
pub mod memory;
pub mod migration;
pub mod security;

use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::Utc;
use tokio::runtime::Runtime;

use crate::api::{Api, Sent};
use crate::lines;
use crate::process::Programs;

/// Longest wait for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// Alerts that are caused at once: the engine speaks of at most fifty new ones a second.
const AT_ONCE: usize = 25;

/// What every bench needs.
pub struct Bench {
    /// What is measured.
    pub programs: Programs,
    /// Where senders and readers run; the bench itself waits on its own thread.
    pub runtime: Runtime,
}

/// Milliseconds between two moments.
fn ms(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}

/// Causes so many alerts, by lines.
async fn cause_alerts(api: &Api, wanted: usize) -> anyhow::Result<()> {
    for begun in (0..wanted).step_by(AT_ONCE) {
        let until = (begun + AT_ONCE).min(wanted);
        for number in begun..until {
            let offence = lines::guesses(number, Utc::now());
            let body: Vec<u8> = [&offence.before[..], b"\n", &offence.last[..]].concat();
            ensure!(api.send(body.into()).await? != Sent::Busy, "cause alerts: the server is busy");
        }
        wait_for_alerts(api, until).await?;
    }
    Ok(())
}

async fn wait_for_alerts(api: &Api, wanted: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let open = api.open_alerts().await?;
        if open >= wanted {
            ensure!(open == wanted, "cause alerts: {wanted} were wanted and {open} are open");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "cause alerts: {wanted} were wanted and {open} came");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
