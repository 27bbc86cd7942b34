//! What the server said: written by feed and link events, and by nothing else.
//!
//! Architecture Invariant: knows no screen, no key, no reply to a request. An action of ours shows
//! here only once the feed has brought it back.

pub mod alerts;
pub mod deploys;
pub mod fixes;
pub mod link;
pub mod migrations;
pub mod presence;
pub mod rules;
pub mod series;

use stella_protocol::health::EngineClock;
use stella_protocol::{Envelope, FeedEvent, Health, Role, Snapshot, Text, Timestamp};

use crate::event::{LinkEvent, Now, SourceEvent};
use alerts::Alerts;
use deploys::Deploys;
use fixes::Fixes;
use link::Link;
use migrations::Migrations;
use presence::Attendance;
use rules::Rules;
use series::SeriesBoard;

/// Everything the server has told us.
#[derive(Debug, Default)]
pub struct Board {
    /// The alerts.
    pub alerts: Alerts,
    /// The fixes.
    pub fixes: Fixes,
    /// The migrations.
    pub migrations: Migrations,
    /// Who looks at what.
    pub presence: Attendance,
    /// What is looked for.
    pub rules: Rules,
    /// New revisions of services.
    pub deploys: Deploys,
    /// The series.
    pub series: SeriesBoard,
    /// The connection.
    pub link: Link,
    /// How the application is; None before the first word of it.
    pub health: Option<Health>,
    /// Where the engine's clock stands.
    pub engine: Option<EngineClock>,
    /// Who the server says we are, and what we may do.
    pub principal: Option<(Text, Role)>,
    /// The server's clock minus ours, in ms, as of the last hello or heartbeat.
    pub skew_ms: i64,
    /// What the source of lines last said of itself.
    pub source: Option<SourceEvent>,
    /// Events of a kind this console does not know, and such as could not be read.
    pub not_shown: u64,
}

impl Board {
    /// Takes in an event of the feed.
    pub fn apply(&mut self, envelope: Envelope, now: Now) {
        self.link.alive(now);
        match envelope.event {
            FeedEvent::Hello(hello) => {
                self.link.hello(now);
                self.skew_ms = hello.server_time.since(now.wall);
                self.principal = Some((hello.principal, hello.role));
                // Whoever is there is told next; an empty room is not told of.
                self.presence.replace(Vec::new());
            }
            FeedEvent::Heartbeat(beat) => {
                self.skew_ms = beat.server_time.since(now.wall);
                self.health = beat.health.or(self.health.take());
                self.engine = beat.engine.or(self.engine.take());
            }
            FeedEvent::Alert(alert) => self.alerts.put(*alert),
            FeedEvent::AlertCounts(counts) => counts.into_iter().for_each(|count| self.alerts.count(count)),
            FeedEvent::Metrics(sample) => self.series.sample(&sample),
            FeedEvent::Reset(_) => self.link.resyncing(),
            FeedEvent::Unknown => self.not_shown += 1,
            FeedEvent::Fix(fix) => self.fixes.put(*fix),
            FeedEvent::FixOutput(line) => self.fixes.said(*line),
            FeedEvent::Remedy(remedy) => self.fixes.surround(*remedy),
            FeedEvent::Migration(migration) => self.migrations.put(*migration),
            FeedEvent::MigrationProgress(progress) => self.migrations.went_on(*progress),
            FeedEvent::Presence(present) => self.presence.replace(present.consoles),
            FeedEvent::Rule(rule) => self.rules.put(*rule),
            FeedEvent::Deploy(deploy) => self.deploys.put(*deploy),
            FeedEvent::Bye(_) | FeedEvent::Bookmark(_) | FeedEvent::Log(_) | FeedEvent::LogLine(_) => {}
        }
    }

    /// Takes in a change of the connection.
    pub fn connect(&mut self, event: LinkEvent, now: Now) {
        match event {
            LinkEvent::Snapshot(snapshot) => self.load(*snapshot, now),
            LinkEvent::NotShown => self.not_shown += 1,
            other => self.link.apply(other, now),
        }
    }

    /// Takes in what the source of lines says.
    pub fn source(&mut self, event: SourceEvent) {
        self.source = Some(event);
    }

    /// The moment ages count from: the wall clock as the server has it, or the last line of a recording.
    pub fn clock(&self, now: Now) -> Timestamp {
        match &self.engine {
            Some(EngineClock { recording: true, last: Some(last), .. }) => *last,
            _ => now.wall.plus_millis(self.skew_ms),
        }
    }

    /// Who the server says we are.
    pub fn me(&self) -> Option<&str> {
        self.principal.as_ref().map(|(name, _)| name.raw())
    }

    /// True while a recording is being read: ages then count from its last line.
    pub fn recording(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.recording)
    }

    fn load(&mut self, snapshot: Snapshot, now: Now) {
        self.link.alive(now);
        self.skew_ms = snapshot.server_time.since(now.wall);
        self.health = Some(snapshot.health);
        self.engine = Some(snapshot.engine);
        self.alerts.replace(snapshot.alerts);
        self.fixes.replace(snapshot.fixes, snapshot.remedy);
        self.migrations.replace(snapshot.migrations);
        self.presence.replace(snapshot.presence);
        self.rules.replace(snapshot.rules);
        self.deploys.replace(snapshot.deploys);
        self.series.replace(snapshot.series);
    }
}
