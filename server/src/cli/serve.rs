//! `stella-server serve`: flags over file over defaults, and the end by a signal.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use stella_server::config::{Config, Redaction};
use stella_server::demo;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::config_file;
use crate::{ERROR, say};

/// Where, with what, and which demo.
#[derive(Args)]
pub struct Serve {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where to keep state.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let a simulated application send logs.
    #[arg(long)]
    demo: bool,
    /// Which simulated world.
    #[arg(long, value_name = "N", requires = "demo")]
    seed: Option<u64>,
    /// How fast its time goes.
    #[arg(long, value_name = "X", requires = "demo")]
    demo_speed: Option<f64>,
    /// Its documents before any migration of user ids, or four days after one by scripts.
    #[arg(long, value_name = "before|after", requires = "demo", value_parser = scene)]
    demo_world: Option<demo::Scene>,
    /// How many times as many conversations and messages it has, 1 to 10000.
    #[arg(long, value_name = "N", requires = "demo", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    demo_scale: Option<u32>,
}

impl Serve {
    /// Does it, until SIGTERM or SIGINT.
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.merged()?;
        let runtime = tokio::runtime::Runtime::new().context("start the async runtime")?;
        runtime.block_on(async {
            let server = stella_server::bind(config).await?;
            say(&format!("stella-server listening on http://{}", server.addr()))?;
            let shutdown = CancellationToken::new();
            end_on_signals(&shutdown)?;
            server.run(shutdown).await?;
            Ok(())
        })
    }

    /// Flags over file over defaults.
    fn merged(self) -> anyhow::Result<Config> {
        let file = config_file(self.config)?;
        let mut config = Config::serve(&file);
        config.listen = self.listen.unwrap_or(config.listen);
        config.data = self.data.or(config.data);
        if self.demo {
            let usual = demo::Options::default();
            let speed = self.demo_speed.unwrap_or(usual.speed);
            anyhow::ensure!(speed.is_finite() && speed > 0.0, "read --demo-speed: want a number above 0");
            config.demo = Some(demo::Options {
                seed: self.seed.unwrap_or(usual.seed),
                speed,
                scene: self.demo_world.unwrap_or(usual.scene),
                scale: self.demo_scale.unwrap_or(usual.scale),
                ..usual
            });
            if file.redact.mode.is_none() {
                // Nobody real stands in a simulated line.
                config.redaction = Redaction::Local;
            }
        }
        Ok(config)
    }
}

/// The first signal ends gracefully, the second at once.
fn end_on_signals(shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen to SIGINT")?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        for last in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if last {
                std::process::exit(i32::from(ERROR));
            }
            tracing::info!("ending; a second signal ends at once");
            shutdown.cancel();
        }
    });
    Ok(())
}

/// Reads `--demo-world`.
fn scene(word: &str) -> Result<demo::Scene, String> {
    demo::Scene::from_word(word).ok_or_else(|| "want before or after".to_owned())
}
