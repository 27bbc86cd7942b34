//! From an offending line to the eye: posted → alert on the feed → alert on the glass, while ordinary
//! traffic goes in.
//!
//! Each sample is a problem that was not there before: by turns somebody guessing passwords from a fresh
//! address, and a fresh operation that fails. The lines that are not yet enough go ahead; what is timed
//! begins with the one that makes the rule sure. Each alert is resolved before the next, as people do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::Utc;
use clap::Args;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, timeout};

use super::{Bench, PATIENCE, ms};
use crate::api::{Api, Frame, Sent};
use crate::figures::{Bound, Figure, Report, Samples, Statistic};
use crate::lines::{self, Traffic};
use crate::process::{Redaction, Server, cpu_seconds};
use crate::screen::{Session, Size};

/// What was promised for the slowest in a hundred, in milliseconds.
const GOAL_MS: f64 = 250.0;
/// Requests of traffic a second.
const REQUESTS: u32 = 20;
/// Ordinary traffic before the first sample, so that rules have something to compare with.
const WARM_UP: Duration = Duration::from_secs(5);
/// Between two samples: prime against every second and every frame.
const BETWEEN: Duration = Duration::from_millis(137);
const SIZE: Size = Size(100, 30);

/// How often, under what load.
#[derive(Debug, Args)]
pub struct Options {
    /// Alerts.
    #[arg(long, default_value_t = 100)]
    samples: usize,
    /// Ordinary lines a second.
    #[arg(long, default_value_t = 1000)]
    rate: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { samples: 100, rate: 1000 }
    }
}

/// Measures.
///
/// # Errors
/// When an alert does not come, or does not come to the glass.
pub fn run(bench: &Bench, options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("glass");
    let server = Server::start(&bench.programs, Redaction::Strict)?;
    let api = Api::new(&server)?;
    let (url, token) = (server.url(), server.viewers[0].as_str());
    let console = Session::start(&bench.programs.console, &["--server", &url], &[("STELLA_TOKEN", token)], SIZE)?;
    console.when("the link", PATIENCE, |screen| screen.contains("LIVE"))?;
    let (mut feed, _reader) = bench.runtime.block_on(api.feed(&server.viewers[1], "?events=alert"))?;
    let sent = Arc::new(AtomicU64::new(0));
    let traffic = bench.runtime.spawn(traffic(Api::new(&server)?, options.rate, Arc::clone(&sent)));
    std::thread::sleep(WARM_UP);
    let pids = (console.pid()?, server.pid());
    let before =
        (Instant::now(), sent.load(Ordering::Relaxed), console.bytes(), cpu_seconds(pids.0)?, cpu_seconds(pids.1)?);
    let (mut on_feed, mut on_glass) = (Samples::default(), Samples::default());
    let mut of_kind = [Samples::default(), Samples::default()];
    for number in 0..options.samples {
        let sample = sample(bench, &api, &console, &mut feed, number);
        let (told, seen) = sample.with_context(|| format!("take sample {number}"))?;
        on_feed.push(told);
        on_glass.push(seen);
        of_kind[number % of_kind.len()].push(seen);
        std::thread::sleep(BETWEEN);
    }
    ensure!(!traffic.is_finished(), "keep the traffic going");
    traffic.abort();
    let seconds = before.0.elapsed().as_secs_f64();
    let rate = (sent.load(Ordering::Relaxed) - before.1) as f64 / seconds;
    report.add(Figure::of("offending line to its alert on the feed", "ms", &on_feed));
    let seen = Figure::of("offending line to its alert on the glass", "ms", &on_glass);
    report.add(seen.held_to(Statistic::P99, Bound::AtMost(GOAL_MS)));
    for (kind, samples) in ["failed logins from an address", "errors of an operation"].iter().zip(&of_kind) {
        report.add(Figure::of(format!("- {kind}"), "ms", samples));
    }
    report.add(Figure::one("ordinary lines taken meanwhile", "lines/s", rate));
    report.add(Figure::one("bytes to the terminal", "B/s", (console.bytes() - before.2) as f64 / seconds));
    let percent = |cpu: f64| cpu * 100.0 / seconds;
    report.add(Figure::one("CPU of the console", "% of a core", percent(cpu_seconds(pids.0)? - before.3)));
    report.add(Figure::one("CPU of the server", "% of a core", percent(cpu_seconds(pids.1)? - before.4)));
    Ok(report)
}

/// Milliseconds to the feed and to the glass.
fn sample(
    bench: &Bench,
    api: &Api,
    console: &Session,
    feed: &mut UnboundedReceiver<Frame>,
    number: usize,
) -> anyhow::Result<(f64, f64)> {
    let at = Utc::now();
    let offence = if number.is_multiple_of(2) { lines::guesses(number, at) } else { lines::errors(number, at) };
    bench.runtime.block_on(send(api, offence.before))?;
    let name = offence.name.clone();
    console.watch(move |screen| screen.contains(&name));
    let posted = Instant::now();
    let frame = bench.runtime.block_on(async {
        send(api, offence.last).await?;
        let alert = async {
            while let Some(frame) = feed.recv().await {
                if frame.text.contains(&offence.name) {
                    return Some(frame);
                }
            }
            None
        };
        timeout(PATIENCE, alert).await.context("wait for the alert on the feed")?.context("read the feed to its end")
    })?;
    let seen =
        console.hit(PATIENCE).with_context(|| format!("see {}; the screen:\n{}", offence.name, console.contents()))?;
    let alert = frame.alert().context("understand the alert on the feed")?;
    bench.runtime.block_on(api.resolve(&alert))?;
    Ok((ms(posted, frame.at), ms(posted, seen)))
}

async fn send(api: &Api, body: bytes::Bytes) -> anyhow::Result<()> {
    ensure!(api.send(body).await? != Sent::Busy, "send lines: the server is busy");
    Ok(())
}

/// Ordinary lines at a steady rate, until it is aborted or something goes wrong.
async fn traffic(api: Api, rate: u32, sent: Arc<AtomicU64>) -> anyhow::Result<()> {
    let mut traffic = Traffic::new(11);
    let mut tick = tokio::time::interval(Duration::from_secs(1) / REQUESTS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tick.tick().await;
        let body = traffic.body((rate / REQUESTS) as usize, Utc::now());
        if let Sent::Kept(lines) = api.send(body).await? {
            sent.fetch_add(lines, Ordering::Relaxed);
        }
    }
}
