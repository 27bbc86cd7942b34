//! Lines a core-second through the whole path: HTTP, parsing, redaction, keeping, detection, series.
//!
//! CPU time is the server process's, up to the moment in which it has nothing more to do. The limit (a
//! server that reads the same bodies and drops them) is measured in turns with it, and what counts on a
//! busy machine is the ratio.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use chrono::Utc;
use clap::Args;

use super::Bench;
use crate::api::{Api, Sent};
use crate::figures::{Bound, Figure, Report, Samples, Statistic};
use crate::lines::{LINE_BYTES, Traffic};
use crate::process::{Listening, Redaction, Server, at_rest, cpu_seconds, resident_mib};

/// What was promised, in lines a core-second.
const GOAL: f64 = 50_000.0;
/// Different bodies that are sent in turn.
const BODIES: usize = 32;
/// Connections that send at once.
const SENDERS: usize = 4;
/// When a sender that was turned away comes back.
const AGAIN: Duration = Duration::from_millis(50);
/// Sent before it counts.
const WARM_UP: Duration = Duration::from_millis(500);

/// How much.
#[derive(Debug, Args)]
pub struct Options {
    /// Turns; in each the limit and both modes of redaction are measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each part of a turn.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Lines a request.
    #[arg(long, default_value_t = 500)]
    lines: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 5, seconds: 3.0, lines: 500 }
    }
}

/// What one part of a turn gave.
struct Taken {
    lines: u64,
    busy: u64,
    cpu: f64,
    wall: f64,
}

/// What is measured, and what it gave so far.
struct Target {
    what: &'static str,
    pid: u32,
    api: Api,
    per_core: Samples,
    per_second: Samples,
    busy: u64,
}

impl Target {
    fn new(what: &'static str, pid: u32, api: Api) -> Self {
        Self { what, pid, api, per_core: Samples::default(), per_second: Samples::default(), busy: 0 }
    }
}

/// Measures.
///
/// # Errors
/// When a server does not take the lines.
pub fn run(bench: &Bench, options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("ingest");
    let limit = Listening::start(&bench.programs.bench, &["limit-server".as_ref()])?;
    let local = Server::start(&bench.programs, Redaction::Local)?;
    let strict = Server::start(&bench.programs, Redaction::Strict)?;
    let mut targets = [
        Target::new("bodies read and dropped (limit)", limit.pid(), Api::at(&format!("http://{}", limit.addr))?),
        Target::new("whole path, local redaction", local.pid(), Api::new(&local)?),
        Target::new("whole path, strict redaction", strict.pid(), Api::new(&strict)?),
    ];
    let mut shares = [Samples::default(), Samples::default()];
    for target in &targets {
        measure(bench, target, options, WARM_UP)?;
    }
    for _ in 0..options.rounds {
        let mut per_core = [0.0; 3];
        for (target, of) in targets.iter_mut().zip(&mut per_core) {
            let taken = measure(bench, target, options, Duration::from_secs_f64(options.seconds))?;
            *of = taken.lines as f64 / taken.cpu;
            target.per_core.push(*of);
            target.per_second.push(taken.lines as f64 / taken.wall);
            target.busy += taken.busy;
        }
        shares.iter_mut().zip(&per_core[1..]).for_each(|(share, of)| share.push(of / per_core[0]));
    }
    for (at, target) in targets.iter().enumerate() {
        let figure = Figure::of(target.what, "lines/core-s", &target.per_core);
        let promised = Bound::AtLeast(GOAL);
        report.add(if at == 0 { figure } else { figure.held_to(Statistic::Median, promised) });
    }
    for (target, share) in targets[1..].iter().zip(&shares) {
        report.add(Figure::of(format!("{}: share of the limit", target.what), "x", share));
    }
    for target in &targets {
        report.add(Figure::of(format!("{}: by the clock", target.what), "lines/s", &target.per_second));
    }
    for target in &targets[1..] {
        report.add(Figure::one(format!("{}: memory after it", target.what), "MiB", resident_mib(target.pid)?));
        report.note(format!("{}: turned away {} times", target.what, target.busy));
    }
    report.note(format!("{LINE_BYTES}-byte lines, {} a request, {SENDERS} connections", options.lines));
    Ok(report)
}

fn measure(bench: &Bench, target: &Target, options: &Options, span: Duration) -> anyhow::Result<Taken> {
    let mut traffic = Traffic::new(5);
    let bodies: Vec<Bytes> = (0..BODIES).map(|_| traffic.body(options.lines, Utc::now())).collect();
    at_rest(target.pid)?;
    let (cpu, begun) = (cpu_seconds(target.pid)?, Instant::now());
    let (lines, busy) = bench.runtime.block_on(async {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| tokio::spawn(send(target.api.clone(), bodies.clone(), sender, begun + span)))
            .collect();
        let (mut lines, mut busy) = (0, 0);
        for sender in senders {
            let (kept, turned_away) = sender.await??;
            lines += kept;
            busy += turned_away;
        }
        anyhow::Ok((lines, busy))
    })?;
    let wall = begun.elapsed().as_secs_f64();
    let cpu = at_rest(target.pid)? - cpu;
    ensure!(lines > 0 && cpu > 0.0, "measure {}: nothing was taken", target.what);
    Ok(Taken { lines, busy, cpu, wall })
}

async fn send(api: Api, bodies: Vec<Bytes>, first: usize, until: Instant) -> anyhow::Result<(u64, u64)> {
    let (mut lines, mut busy) = (0, 0);
    let step = bodies.len() / SENDERS;
    for body in bodies.iter().cycle().skip(first * step) {
        if Instant::now() >= until {
            break;
        }
        match api.send(body.clone()).await? {
            Sent::Kept(kept) => lines += kept,
            Sent::Busy => {
                busy += 1;
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    Ok((lines, busy))
}
