//! Runs the demo beside its server: over HTTP, like any other application.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use stella_protocol::Role;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Play;
use super::tokens::{lend, passing};
use crate::auth::{Grant, Holder, NoRandomness, Recording};
use crate::demo;
use crate::routes::App;

/// How often the engine's clock is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// An engine this close to the end of the history has caught up, in milliseconds.
const BEHIND_MS: i64 = 5_000;

/// The simulated application and its colleague, until the server ends.
pub(super) async fn simulate(addr: SocketAddr, app: App, play: Play) {
    if let Err(error) = run(reachable(addr), &app, play).await {
        tracing::error!("the demo ended: failed to {error}");
    }
}

/// Why the simulation ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Token(#[from] NoRandomness),
    #[error(transparent)]
    Demo(#[from] demo::DemoError),
}

async fn run(base_url: String, app: &App, play: Play) -> Result<(), Ended> {
    let Play { options, operations, seeding } = play;
    let sender = passing(&app.tokens, "demo@local", Role::Ingest, Recording::Allowed)?.expose().to_owned();
    let colleague = lend(&app.tokens, colleague())?.expose().to_owned();
    let ending: CancellationToken = app.ending.clone();
    let (ready, seeded) = oneshot::channel();
    let world = demo::run(options, operations, base_url.clone(), sender, app.clock.clone(), ready, ending.clone());
    let person = async {
        if seeded.await.is_err() || !caught_up(app).await {
            return Ok(());
        }
        drop(seeding);
        demo::op2(base_url, colleague, ending).await
    };
    let (world, person) = tokio::join!(world, person);
    Ok(world.and(person)?)
}

/// What the colleague holds: marked as of nobody real, so that every approval given with it is.
fn colleague() -> Grant {
    Grant {
        name: demo::COLLEAGUE.to_owned(),
        role: Role::Approver,
        recording: Recording::Refused,
        holder: Holder::Simulated,
        expires_at: None,
        revoked_at: None,
    }
}

/// Waits until the engine has seen the history: lines are answered when they are kept, and whoever
/// decided on an alert of an hour ago would only see it end by itself. False: the server ends.
async fn caught_up(app: &App) -> bool {
    let sent_at = app.clock.now();
    let mut look = tokio::time::interval(LOOK);
    while app.pipeline.engine_clock().last.is_none_or(|last| sent_at.since(last) > BEHIND_MS) {
        tokio::select! {
            () = app.ending.cancelled() => return false,
            _ = look.tick() => {}
        }
    }
    true
}

/// The address by which this machine reaches a server that may listen on all of its addresses.
fn reachable(addr: SocketAddr) -> String {
    let ip = match addr.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    format!("http://{}", SocketAddr::new(ip, addr.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colleague_is_marked_as_simulated_and_says_so() {
        let colleague = colleague();
        assert_eq!((colleague.holder, colleague.role), (Holder::Simulated, Role::Approver));
        assert!(colleague.name.ends_with("(simulated)"));
    }

    #[test]
    fn a_server_on_all_addresses_is_reached_on_loopback() -> Result<(), std::net::AddrParseError> {
        assert_eq!(reachable("0.0.0.0:80".parse()?), "http://127.0.0.1:80");
        assert_eq!(reachable("[::]:80".parse()?), "http://[::1]:80");
        assert_eq!(reachable("192.0.2.1:80".parse()?), "http://192.0.2.1:80");
        Ok(())
    }
}
