//! Who looks at what at present: the consoles that said so lately. In memory alone; a restart forgets it, and
//! each console says it again within 15 s.
//!
//! Pure: the time is told to it. It knows neither feed nor HTTP nor what anybody may do, and decides nothing.

use std::time::{Duration, Instant};

use stella_protocol::Presence;

/// Who said nothing for this long is gone: three times what a console lets pass between two words.
pub const GONE_AFTER: Duration = Duration::from_secs(45);
/// Readers are told no more often than this.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Consoles of one principal: a wall of screens, and a few that were left open. The next one takes the place
/// of the one heard of longest ago.
const OF_ONE: usize = 16;
/// Consoles in all: with the longest names the event stays below 64 KiB.
const IN_ALL: usize = 200;

/// There is no room for another console; one is gone after [`GONE_AFTER`] at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowded;

/// The consoles that are there.
#[derive(Debug, Default)]
pub struct Attendance {
    /// In the order in which they came.
    here: Vec<Attendant>,
    told_at: Option<Instant>,
    /// Readers were not told of how it is now.
    is_news: bool,
}

#[derive(Debug)]
struct Attendant {
    presence: Presence,
    heard_at: Instant,
}

impl Attendance {
    /// Takes in what a console says of itself. Whose it is was checked before.
    ///
    /// # Errors
    /// When there is no room for a new one; one that is known may always speak.
    pub fn hear(&mut self, presence: Presence, now: Instant) -> Result<(), Crowded> {
        self.forget(now);
        let is_it =
            |known: &&mut Attendant| known.presence.console == presence.console && known.presence.who == presence.who;
        if let Some(known) = self.here.iter_mut().find(is_it) {
            known.heard_at = now;
            if known.presence != presence {
                known.presence = presence;
                self.is_news = true;
            }
            return Ok(());
        }
        self.make_room(&presence)?;
        self.here.push(Attendant { presence, heard_at: now });
        self.is_news = true;
        Ok(())
    }

    fn make_room(&mut self, coming: &Presence) -> Result<(), Crowded> {
        let theirs = || self.here.iter().enumerate().filter(|(_, known)| known.presence.who == coming.who);
        let oldest = theirs().min_by_key(|(_, known)| known.heard_at).map(|(at, _)| at);
        if let Some(at) = oldest.filter(|_| theirs().count() >= OF_ONE) {
            self.here.remove(at);
        }
        if self.here.len() < IN_ALL { Ok(()) } else { Err(Crowded) }
    }

    /// Everybody who is there.
    pub fn present(&self, now: Instant) -> Vec<Presence> {
        let here = self.here.iter().filter(|known| !is_gone(known, now));
        here.map(|known| known.presence.clone()).collect()
    }

    /// What readers are told now; None: nothing changed, or they were told a moment ago and it waits.
    pub fn news(&mut self, now: Instant) -> Option<Vec<Presence>> {
        self.forget(now);
        let is_early = self.told_at.is_some_and(|told| now.saturating_duration_since(told) < TOLD_EVERY);
        if !self.is_news || is_early {
            return None;
        }
        (self.is_news, self.told_at) = (false, Some(now));
        Some(self.present(now))
    }

    fn forget(&mut self, now: Instant) {
        let before = self.here.len();
        self.here.retain(|known| !is_gone(known, now));
        self.is_news |= self.here.len() != before;
    }
}

fn is_gone(known: &Attendant, now: Instant) -> bool {
    now.saturating_duration_since(known.heard_at) >= GONE_AFTER
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::{Look, Object, Role, Screen, Text};

    use super::*;

    fn at(who: &str, console: usize, object: &str) -> Presence {
        let look = Look { screen: Screen::Alerts, object: Some(Object::read(object)) };
        let (console, who) = (format!("con-{console}").parse().unwrap(), Text::new(who.to_owned()));
        Presence { console, who, role: Role::Viewer, look }
    }

    fn names(told: &[Presence]) -> Vec<&str> {
        told.iter().map(|one| one.who.raw()).collect()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_says_nothing_for_45_seconds_is_gone_and_readers_are_told() {
        let (mut hall, start) = (Attendance::default(), Instant::now());
        hall.hear(at("ana", 1, "a-1"), start).unwrap();
        hall.hear(at("bo", 2, "a-1"), start + 30 * SECOND).unwrap();
        assert_eq!(names(&hall.news(start + 30 * SECOND).unwrap()), ["ana", "bo"]);
        let edge = start + GONE_AFTER;
        assert_eq!(names(&hall.present(edge.checked_sub(Duration::from_millis(1)).unwrap())), ["ana", "bo"]);
        assert_eq!(names(&hall.present(edge)), ["bo"]);
        assert_eq!(names(&hall.news(edge).unwrap()), ["bo"]);
        assert_eq!(hall.news(edge + SECOND), None, "once");
        hall.hear(at("bo", 2, "a-1"), edge + SECOND).unwrap();
        assert_eq!(hall.news(edge + 2 * SECOND), None, "that somebody still looks at the same is no news");
    }

    #[test]
    fn readers_are_told_once_a_second_at_most_and_then_of_the_last_state() {
        let (mut hall, start) = (Attendance::default(), Instant::now());
        hall.hear(at("ana", 1, "a-0"), start).unwrap();
        assert!(hall.news(start).is_some());
        let mut told = 0;
        for step in 1..=100_u32 {
            let now = start + step * Duration::from_millis(25);
            hall.hear(at("ana", 1, &format!("a-{step}")), now).unwrap();
            told += hall.news(now).iter().count();
        }
        assert_eq!(told, 2, "in two and a half seconds");
        let last = hall.news(start + 4 * SECOND).unwrap();
        assert_eq!(last[0].look.object, Some(Object::read("a-100")));
    }

    #[test]
    fn two_consoles_of_one_person_are_two_and_nobody_speaks_for_anothers() {
        let (mut hall, now) = (Attendance::default(), Instant::now());
        for (who, console) in [("ana", 1), ("ana", 2), ("bo", 1)] {
            hall.hear(at(who, console, "mig-7"), now).unwrap();
        }
        assert_eq!(names(&hall.present(now)), ["ana", "ana", "bo"]);
    }

    #[test]
    fn one_person_takes_a_bounded_number_of_places_and_all_together_too() {
        let (mut hall, start) = (Attendance::default(), Instant::now());
        for console in 0..100 {
            let now = start + Duration::from_millis(console as u64);
            hall.hear(at("ana", console, "a-1"), now).unwrap();
        }
        let now = start + SECOND;
        let left: Vec<String> = hall.present(now).iter().map(|one| one.console.to_string()).collect();
        assert_eq!((left.len(), left[0].as_str(), left[15].as_str()), (OF_ONE, "con-84", "con-99"));
        let taken = (0..500).filter(|who| hall.hear(at(&format!("p{who}"), 1, "a-1"), now).is_ok()).count();
        assert_eq!(taken + OF_ONE, IN_ALL);
        assert_eq!(hall.hear(at("zoe", 1, "a-1"), now), Err(Crowded));
        assert_eq!(hall.hear(at("p3", 1, "a-2"), now), Ok(()), "who is there may speak");
        assert_eq!(hall.hear(at("zoe", 1, "a-1"), now + GONE_AFTER), Ok(()));
    }
}
