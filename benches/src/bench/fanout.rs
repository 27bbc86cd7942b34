//! What a reader of the feed costs the server: events told one by one to many readers, in turns with the
//! same events told to nobody.

use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, timeout};

use super::{Bench, PATIENCE};
use crate::api::{Api, Frame, Sent};
use crate::figures::{Figure, Report, Samples};
use crate::lines::{self, TOLD};
use crate::process::{Redaction, Server, at_rest, cpu_seconds};

/// Readers that one token may have at once.
const SEATS: usize = 100;

/// How much.
#[derive(Debug, Args)]
pub struct Options {
    /// Readers.
    #[arg(long, default_value_t = 100, value_parser = readers)]
    readers: usize,
    /// Events a second.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Events of each part of a turn.
    #[arg(long, default_value_t = 200)]
    events: u64,
    /// Turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 100, rate: 50, events: 200, rounds: 3 }
    }
}

fn readers(text: &str) -> Result<usize, String> {
    let readers: usize = text.parse().map_err(|_| "want a number".to_owned())?;
    if (1..=2 * SEATS).contains(&readers) { Ok(readers) } else { Err(format!("want 1 to {}", 2 * SEATS)) }
}

/// Measures.
///
/// # Errors
/// When a reader does not get every event.
pub fn run(bench: &Bench, options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("fanout");
    let server = Server::start(&bench.programs, Redaction::Strict)?;
    let api = Api::new(&server)?;
    let (mut cost, mut rate) = (Samples::default(), Samples::default());
    for _ in 0..options.rounds {
        let (alone, _) = part(bench, &server, &api, 0, options)?;
        let (told, seconds) = part(bench, &server, &api, options.readers, options)?;
        let deliveries = options.readers as f64 * options.events as f64;
        cost.push((told - alone) * 1e6 / deliveries);
        rate.push(deliveries / seconds);
    }
    report.add(Figure::of("CPU of the server for a delivery", "us", &cost));
    report.add(Figure::of("deliveries", "1/s", &rate));
    report.note(format!("{} readers, {} events a second, one by one", options.readers, options.rate));
    Ok(report)
}

/// CPU seconds of the server, and seconds until the last reader had the last event.
fn part(bench: &Bench, server: &Server, api: &Api, readers: usize, options: &Options) -> anyhow::Result<(f64, f64)> {
    let (mut feeds, mut leaving) = (Vec::with_capacity(readers), Vec::with_capacity(readers));
    for number in 0..readers {
        let token = &server.viewers[number / SEATS];
        let (feed, reader) = bench.runtime.block_on(api.feed(token, "?events=log"))?;
        feeds.push(feed);
        leaving.push(reader);
    }
    at_rest(server.pid())?;
    let (cpu, begun) = (cpu_seconds(server.pid())?, Instant::now());
    let (events, every) = (options.events, Duration::from_secs(1) / options.rate);
    bench.runtime.block_on(async {
        let counts: Vec<_> = feeds.into_iter().map(|feed| tokio::spawn(count(feed, events))).collect();
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for number in 0..events {
            tick.tick().await;
            ensure!(api.send(lines::telling(number)).await? != Sent::Busy, "send lines: the server is busy");
        }
        for count in counts {
            let got = count.await?;
            ensure!(got == events, "tell every reader: one got {got} of {events} events");
        }
        Ok(())
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = at_rest(server.pid())? - cpu;
    leaving.iter().for_each(JoinHandle::abort);
    Ok((cpu, seconds))
}

/// How many events came, once all came or none comes any more.
async fn count(mut feed: UnboundedReceiver<Frame>, wanted: u64) -> u64 {
    let mut got = 0;
    while got < wanted {
        match timeout(PATIENCE, feed.recv()).await {
            Ok(Some(frame)) => got += u64::from(frame.text.contains(TOLD)),
            _ => break,
        }
    }
    got
}
