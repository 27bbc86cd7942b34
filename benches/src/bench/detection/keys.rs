//! Row 6: a million different keys, and whether attackers are still seen among them.
//!
//! In a process of its own, so that nothing else is in its memory: half an hour in which a million users from a
//! million addresses fail once, which is what somebody sends who wants the engine to forget; among them attackers
//! who guess once in 40 s each.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use stella_detect::{Engine, Rules};
use stella_protocol::log::Login;
use stella_protocol::{AlertType, Level, LineId, LogEvent, Text, Timestamp};

use super::table::{Cell, Table};
use crate::figures::{Bound, Samples};
use crate::process;

const KEYS: u64 = 1_000_000;
/// Half an hour, in milliseconds.
const SPAN_MS: u64 = 1_800_000;
const ATTACKERS: u64 = 200;
/// Milliseconds between two guesses of an attacker.
const EVERY_MS: u64 = 40_000;
/// Where time begins.
const START: i64 = 1_767_571_200_000;

/// What the process of its own says.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    memory_mib: f64,
    p99_us: f64,
    attackers_found: usize,
}

/// Measures, in this process.
///
/// # Errors
/// When the system does not say how much memory is in use.
pub fn run() -> anyhow::Result<String> {
    let before = process::resident_mib(std::process::id())?;
    let mut engine = Engine::new(Rules::default());
    let (mut times, mut found) = (Samples::with_room(KEYS as usize), BTreeSet::new());
    let (mut line, mut guessed, mut second) = (0, 0, 0);
    for key in 0..KEYS {
        let ms = key * SPAN_MS / KEYS;
        // Their guesses are spread evenly over each 40 s.
        while guessed * EVERY_MS / ATTACKERS <= ms {
            let attacker = guessed % ATTACKERS;
            let who = (format!("victim{attacker}@example.org"), format!("203.0.113.{attacker}"));
            line += 1;
            engine.observe(LineId(line), &failed(who, ms));
            guessed += 1;
        }
        let event =
            failed((format!("u{key}@example.org"), format!("2001:db8::{:x}:{:x}", key >> 16, key & 0xffff)), ms);
        line += 1;
        let begun = Instant::now();
        engine.observe(LineId(line), &event);
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        if ms / 1000 > second {
            second = ms / 1000;
            engine.advance(Timestamp::from_millis(START + second as i64 * 1000));
        }
        for finding in engine.drain() {
            let addr = finding.labels.get("addr").map(|addr| addr.raw().to_owned());
            found.extend(
                addr.filter(|addr| finding.kind == AlertType::SecurityAnomaly && addr.starts_with("203.0.113.")),
            );
        }
    }
    let memory_mib = process::resident_mib(std::process::id())? - before - (KEYS * 8) as f64 / f64::from(1 << 20);
    drop(engine);
    let p99_us = times.percentile(0.99).unwrap_or(f64::NAN);
    serde_json::to_string(&Said { memory_mib, p99_us, attackers_found: found.len() }).context("write what was measured")
}

fn failed((user, addr): (String, String), ms: u64) -> LogEvent<'static> {
    let at = Timestamp::from_millis(START + ms as i64);
    LogEvent {
        timestamp: Some(at),
        received_at: at,
        engine_time: at,
        level: Level::Warn,
        message: "login failed: wrong password".into(),
        service: "auth".into(),
        operation: Some("login".into()),
        success: Some(false),
        login: Some(Login::Failed),
        user_id: Some(Text::from(user)),
        remote_addr: Some(Text::from(addr)),
        ..LogEvent::default()
    }
}

/// Measures, in a process of its own.
///
/// # Errors
/// When that cannot be started or says nothing.
pub fn measure(table: &mut Table) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("find this program")?;
    let output = Command::new(program).arg("detection-keys").output().context("start this program again")?;
    ensure!(output.status.success(), "measure keys: {}", String::from_utf8_lossy(&output.stderr));
    let said: Said = serde_json::from_slice(&output.stdout).context("read what was measured")?;
    let mut row = |what: &str, unit, goal, cell| table.row(what, unit, Some(goal), vec![cell, Cell::none()]);
    row("6 memory with a million keys, capped", "MiB", Bound::AtMost(16.0), Cell::one(said.memory_mib));
    let kept = Cell::percent(said.attackers_found, ATTACKERS as usize);
    row("6 attackers found among them", "%", Bound::AtLeast(99.0), kept);
    row("6 an event, p99", "us", Bound::AtMost(5.0), Cell::of(KEYS as usize, Some(said.p99_us)));
    Ok(())
}
