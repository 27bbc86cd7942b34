//! Where a demo stands, remembered in its folder, so that the next run goes on with the same story.
//!
//! Holds the place in the story and what operators did to it; alerts and lines are the server's.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stella_protocol::Timestamp;

use super::control::Ledger;
use super::world::Upkeep;
use super::{DemoError, LONGEST_GAP_MS, Options, World, after_ms};

/// The file, inside the folder.
const FILE: &str = "demo.json";

/// Written beside it first, so that a half-written file is never read.
const FRESH_FILE: &str = "demo.json.new";

/// A place in a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// Which story.
    pub seed: u64,
    /// When its world began.
    pub start: Timestamp,
    /// How much of it had happened before the first moment, in milliseconds.
    pub history_ms: i64,
    /// Everything up to here has been taken by the server.
    pub through: Timestamp,
    /// What operators did to the application, as far as it lasts.
    #[serde(default)]
    pub upkeep: Upkeep,
    /// What its operations interface did and answered.
    #[serde(default)]
    pub ledger: Ledger,
}

impl Place {
    /// The remembered place, or the first one of a new story whose "now" is `now`.
    pub fn find(options: &Options, now: Timestamp) -> Result<Self, DemoError> {
        let kept = options.keep.as_ref().map(|folder| fs::read(folder.join(FILE)));
        match kept {
            Some(Ok(bytes)) => serde_json::from_slice(&bytes).map_err(|_| DemoError::Foreign { file: FILE }),
            Some(Err(source)) if source.kind() != ErrorKind::NotFound => {
                Err(DemoError::Remember { file: FILE, source })
            }
            _ => {
                let place = Self::first(options, now);
                place.keep(options)?;
                Ok(place)
            }
        }
    }

    fn first(options: &Options, now: Timestamp) -> Self {
        let history_ms = i64::try_from(options.history.as_millis()).unwrap_or(i64::MAX);
        let start = now.plus_millis(history_ms.saturating_add(after_ms(options.then)).saturating_neg());
        let (upkeep, ledger) = (Upkeep::default(), Ledger::default());
        Self { seed: options.seed, start, history_ms, through: start, upkeep, ledger }
    }

    /// From where the story is told on at `now`: all of it the first time, else the rest of an
    /// interruption, but not longer than [`LONGEST_GAP_MS`].
    pub fn from(&self, now: Timestamp) -> Timestamp {
        if self.through == self.start { self.start } else { self.through.max(now.plus_millis(-LONGEST_GAP_MS)) }
    }

    /// The world from there on.
    pub fn world(&self, now: Timestamp, options: &Options) -> World {
        let history = Duration::from_millis(self.history_ms.unsigned_abs());
        let from = self.from(now);
        let time = match self.upkeep.lived() {
            // What was skipped went by in the world too, as fast as it does there.
            Some(lived) => lived + (from.since(self.through) as f64 * options.speed) as i64,
            None => from.since(self.start).max(0),
        };
        World::taken_up(self.seed, history, from, time, self.upkeep.clone()).with_speed(options.speed)
    }

    /// Writes down how the world is, all of whose lines have been taken.
    pub fn reach(&mut self, world: &World, options: &Options) -> Result<(), DemoError> {
        self.through = self.through.max(world.clock());
        self.upkeep = world.upkeep().clone();
        self.keep(options)
    }

    fn keep(&self, options: &Options) -> Result<(), DemoError> {
        let Some(folder) = &options.keep else { return Ok(()) };
        let text = serde_json::to_vec(self).map_err(|_| DemoError::Foreign { file: FILE })?;
        fs::write(folder.join(FRESH_FILE), text)
            .and_then(|()| fs::rename(folder.join(FRESH_FILE), folder.join(FILE)))
            .map_err(|source| DemoError::Remember { file: FILE, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::order::{Deed, Subject};

    #[test]
    fn a_kept_demo_goes_on_where_it_was_and_skips_what_is_too_long() -> Result<(), DemoError> {
        let folder = tempfile::tempdir().map_err(|source| DemoError::Remember { file: FILE, source })?;
        let options = Options { keep: Some(folder.path().to_owned()), ..Options::default() };
        let hour = 3_600_000;
        let now = Timestamp::from_millis(10 * hour);
        let mut place = Place::find(&options, now)?;
        assert_eq!((place.start, place.from(now)), (now.plus_millis(-hour), now.plus_millis(-hour)));
        let mut world = place.world(now, &options);
        world.step(now.plus_millis(5_000));
        place.reach(&world, &options)?;

        let other = Options { seed: 99, ..options };
        let again = Place::find(&other, now.plus_millis(8_000))?;
        assert_eq!(again, place);
        assert_eq!(again.from(now.plus_millis(8_000)), now.plus_millis(5_000));
        assert_eq!(again.from(now.plus_millis(hour)), now.plus_millis(hour - LONGEST_GAP_MS));
        Ok(())
    }

    #[test]
    fn what_was_rolled_back_can_be_brought_forward_after_a_restart_however_fast_time_goes() -> Result<(), DemoError> {
        let state = |world: &mut World, service| {
            world.look(&Subject::Deploy(service)).map_or_else(String::new, |state| state["state"].to_string())
        };
        for speed in [1.0, 8.0, 0.5] {
            let folder = tempfile::tempdir().map_err(|source| DemoError::Remember { file: FILE, source })?;
            let options = Options { keep: Some(folder.path().to_owned()), speed, ..Options::default() };
            let now = Timestamp::from_millis(36_000_000);
            let mut place = Place::find(&options, now)?;
            let mut world = place.world(now, &options);
            // The story's release of `ai` is over by then.
            let seen = now.plus_millis((200_000.0 / speed) as i64);
            world.step(seen);
            for service in ["ai", "api"] {
                world.operate(&Subject::Deploy(service), Deed::RollBack);
            }
            place.reach(&world, &options)?;
            assert_eq!(place.through, seen);
            drop((place, world));

            let later = seen.plus_millis(4_000);
            let place = Place::find(&options, later)?;
            let mut again = place.world(later, &options);
            again.step(later);
            assert_eq!(
                [state(&mut again, "ai"), state(&mut again, "api")],
                [const { "\"rolled_back\"" }; 2],
                "{speed}"
            );
            assert_eq!(again.clock(), later, "{speed}");
            again.operate(&Subject::Deploy("ai"), Deed::Forward);
            assert_eq!(state(&mut again, "ai"), "\"current\"", "{speed}");
        }
        Ok(())
    }

    #[test]
    fn what_a_newer_release_replaced_does_not_come_back_with_a_restart() -> Result<(), DemoError> {
        let folder = tempfile::tempdir().map_err(|source| DemoError::Remember { file: FILE, source })?;
        let options = Options { keep: Some(folder.path().to_owned()), ..Options::default() };
        let now = Timestamp::from_millis(36_000_000);
        let mut place = Place::find(&options, now)?;
        let mut world = place.world(now, &options);
        world.step(now);
        world.operate(&Subject::Deploy("ai"), Deed::RollBack);
        place.reach(&world, &options)?;
        // Another release of it comes, and is over.
        let seen = now.plus_millis(60_000);
        world.step(seen);
        place.reach(&world, &options)?;
        let before = world.look(&Subject::Deploy("ai"));
        let mut again = Place::find(&options, seen)?.world(seen, &options);
        let state = |look: Option<serde_json::Value>| look.map(|look| (look["state"].clone(), look["release"].clone()));
        assert_eq!(state(again.look(&Subject::Deploy("ai"))), state(before.clone()));
        assert_eq!(before.map(|look| look["state"].clone()), Some("current".into()));
        Ok(())
    }
}
