//! A migration while it goes on: a line a progress, and one for every step, until a person is needed or it
//! is over.
//!
//! Progress may be lost with a connection and replaces itself; a step may not, and comes again with the
//! snapshot. Whoever stops following stops nothing.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use stella_protocol::migration::{Phase, PhaseState, Progress};
use stella_protocol::{FeedEvent, Migration, MigrationId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::rest::is_at_rest;
use super::{Desk, Failure, Form, page};
use crate::cli::words::{clean, remark};
use crate::client::feed;
use crate::client::mailbox::Mailbox;
use crate::event::{Event, LinkEvent};

/// What is new is waited for so long before it is written, so that a burst is one look.
const GATHER: Duration = Duration::from_millis(20);

/// A progress that tells of nothing but figures is written this often at most.
const EVERY: Duration = Duration::from_secs(1);

/// How long a look waits for a figure of what is under way.
const GLIMPSE: Duration = Duration::from_secs(2);

/// Where progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// It is the answer.
    Answer,
    /// The answer comes afterwards.
    Beside,
}

/// Why it is not followed any more.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    /// It does not go on by itself.
    AtRest(Box<Migration>),
    /// Whoever followed has seen enough; it goes on.
    Detached,
}

/// What waits in the mailbox, as far as it is about one migration.
#[derive(Debug, Default)]
struct News {
    migration: Option<Migration>,
    progress: Option<Progress>,
    denied: Option<String>,
    lost: Option<String>,
}

/// How much of a migration was told.
struct Watch {
    voice: Voice,
    migration: Migration,
    /// The state and the phases that were told of.
    told: Option<Migration>,
    /// The last progress that was written, and when.
    written: Option<(Progress, Instant)>,
    /// One that is newer, and waits.
    late: Option<Progress>,
}

/// Tells how it goes on until it does not.
pub(super) async fn to_rest(desk: &mut Desk<'_>, migration: Migration, voice: Voice) -> Result<Ended, Failure> {
    let mailbox = Mailbox::default();
    // Held until the end: dropped, the subscription ends.
    let (_orders, received) = mpsc::channel(1);
    tokio::spawn(feed::follow(desk.client.clone(), mailbox.clone(), received));
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let mut watch = Watch { voice, migration, told: None, written: None, late: None };
    loop {
        watch.tell(desk)?;
        if is_at_rest(&watch.migration) {
            return Ok(Ended::AtRest(Box::new(watch.migration)));
        }
        let due = watch.due();
        tokio::select! {
            () = mailbox.filled() => {}
            _ = &mut interrupted => {
                remark(&format!("not followed any more; {} goes on in the server", watch.migration.id));
                return Ok(Ended::Detached);
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        sleep(GATHER).await;
        let news = News::read(mailbox.take(), &watch.migration.id);
        if let Some(words) = news.denied {
            return Err(Failure::Denied(words));
        }
        if let Some(words) = &news.lost {
            remark(words);
        }
        watch.hear(news.migration, news.progress);
    }
}

/// The last progress of what is under way, if one comes soon.
pub(super) async fn glimpse(desk: &Desk<'_>, migration: &Migration) -> Option<Progress> {
    let mailbox = Mailbox::default();
    let (_orders, received) = mpsc::channel(1);
    tokio::spawn(feed::follow(desk.client.clone(), mailbox.clone(), received));
    let heard = async {
        loop {
            mailbox.filled().await;
            let news = News::read(mailbox.take(), &migration.id);
            if news.progress.is_some() || news.denied.is_some() || news.lost.is_some() {
                return news.progress;
            }
        }
    };
    timeout(GLIMPSE, heard).await.ok().flatten().filter(|progress| is_of_now(migration, progress))
}

/// A phase that has ended is told by its end.
fn is_of_now(migration: &Migration, progress: &Progress) -> bool {
    let ended = |phase: &&Phase| phase.name == progress.phase && phase.state != PhaseState::Running;
    let last = migration.phases.iter().find(ended).and_then(|phase| phase.ended_at);
    last.is_none_or(|ended| ended < progress.at)
}

impl Watch {
    fn hear(&mut self, migration: Option<Migration>, progress: Option<Progress>) {
        if let Some(heard) = migration.filter(|heard| heard.version >= self.migration.version) {
            self.migration = heard;
        }
        self.late = progress.or(self.late.take());
    }

    /// When what waits is written.
    fn due(&self) -> Option<Instant> {
        let (_, at) = self.written.as_ref()?;
        self.late.as_ref().map(|_| *at + EVERY)
    }

    /// Writes what is news.
    fn tell(&mut self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let is_step = self.told.as_ref().is_none_or(|told| told.version < self.migration.version);
        let is_due = self.due().is_none_or(|due| due <= Instant::now());
        let is_awaited = |late: &mut Progress| {
            is_step || is_due || self.written.as_ref().is_some_and(|(written, _)| is_news(written, late))
        };
        if let Some(late) = self.late.take_if(is_awaited) {
            if self.told.is_some() || is_of_now(&self.migration, &late) {
                let is_coloured = desk.is_coloured && self.voice == Voice::Answer;
                self.say(desk, &json!({ "progress": late }), &[page::progress(&late, is_coloured)])?;
            }
            self.written = Some((late, Instant::now()));
        }
        if is_step {
            let lines = page::step(self.told.as_ref(), &self.migration);
            self.say(desk, &json!({ "migration": self.migration }), &lines)?;
            self.told = Some(self.migration.clone());
        }
        desk.flush()
    }

    fn say(&self, desk: &mut Desk<'_>, object: &serde_json::Value, lines: &[String]) -> Result<(), Failure> {
        match (self.voice, desk.form) {
            (Voice::Answer, Form::Json | Form::Jsonl) => desk.object(object),
            (Voice::Answer, Form::Table | Form::Md) => desk.lines(lines),
            (Voice::Beside, _) => {
                for line in lines {
                    remark(line);
                }
                Ok(())
            }
        }
    }
}

/// More than figures moved.
fn is_news(before: &Progress, now: &Progress) -> bool {
    before.phase != now.phase || before.hold_reason != now.hold_reason
}

impl News {
    /// Keeps the later one of two.
    fn hear(&mut self, migration: Migration) {
        if self.migration.as_ref().is_none_or(|known| known.version <= migration.version) {
            self.migration = Some(migration);
        }
    }

    fn read(events: Vec<Event>, id: &MigrationId) -> Self {
        let mut news = Self::default();
        for event in events {
            match event {
                Event::Feed(envelope) => match envelope.event {
                    FeedEvent::Migration(migration) if migration.id == *id => news.hear(*migration),
                    FeedEvent::MigrationProgress(progress) if progress.id == *id => news.progress = Some(*progress),
                    _ => {}
                },
                Event::Link(LinkEvent::Snapshot(snapshot)) => {
                    snapshot.migrations.into_iter().filter(|one| one.id == *id).for_each(|one| news.hear(one));
                }
                Event::Link(LinkEvent::Refused(cause)) => news.denied = Some(clean(&cause.what)),
                Event::Link(LinkEvent::Lost { cause, .. }) => {
                    news.lost = Some(format!("{}; {}", clean(&cause.what), clean(&cause.then)));
                }
                _ => {}
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::{migration, progress};
    use super::*;

    #[test]
    fn a_phase_that_has_ended_is_told_by_its_end_alone() {
        let phase = |state: &str, ended: Value| json!({"phases": [{"name": "copy", "state": state, "startedAt": "2026-01-01T00:00:00Z", "endedAt": ended}]});
        let of = |at: &str| progress(&json!({"at": at}));
        let running = migration(&phase("running", Value::Null));
        assert!(is_of_now(&running, &of("2026-01-01T00:01:00Z")));
        let done = migration(&phase("done", "2026-01-01T00:02:00Z".into()));
        assert!(!is_of_now(&done, &of("2026-01-01T00:01:00Z")));
        assert!(is_of_now(&done, &of("2026-01-01T00:03:00Z")), "it was begun again");
    }

    #[test]
    fn an_older_state_does_not_replace_a_newer_one_and_progress_waits_for_its_time() {
        let mut watch = Watch {
            voice: Voice::Answer,
            migration: migration(&json!({"version": 5})),
            told: None,
            written: None,
            late: None,
        };
        watch.hear(Some(migration(&json!({"version": 4, "status": "draft"}))), Some(progress(&json!({"done": 7}))));
        assert_eq!(watch.migration.version, 5);
        assert_eq!(watch.due(), None, "the first one does not wait");
        watch.written = watch.late.clone().map(|late| (late, Instant::now()));
        assert!(watch.due().is_some());
        watch.hear(None, None);
        assert_eq!(watch.late.map(|late| late.done), Some(7), "what waits is kept");
    }
}
