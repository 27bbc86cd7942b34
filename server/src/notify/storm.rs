//! When there is too much to tell at once, one line says how much.

use std::collections::{BTreeMap, VecDeque};

use tokio::time::Instant;

use super::Pace;
use super::message::{Kind, Message};

/// Most names of a kind in a summary.
const NAMED: usize = 5;

/// Lets single messages through, or gathers them.
#[derive(Debug)]
pub(super) struct Storm {
    pace: Pace,
    /// When the last messages came, one more than may go through in a window at most.
    came: VecDeque<Instant>,
    gathered: Option<Gathered>,
    last_summary: Option<Instant>,
}

#[derive(Debug)]
struct Gathered {
    since: Instant,
    first: Message,
    last: String,
    count: u64,
    kinds: BTreeMap<Kind, (u64, Vec<String>)>,
}

impl Storm {
    pub fn new(pace: &Pace) -> Self {
        Self { pace: pace.clone(), came: VecDeque::new(), gathered: None, last_summary: None }
    }

    /// The message, if it may go alone; else it is part of the next summary.
    pub fn admit(&mut self, message: Message, now: Instant) -> Option<Message> {
        self.came.push_back(now);
        if self.came.len() > self.pace.burst + 1 {
            self.came.pop_front();
        }
        let full = self.came.len() > self.pace.burst;
        let many = full && self.came.front().is_some_and(|first| now.duration_since(*first) < self.pace.window);
        if !many && self.gathered.is_none() {
            return Some(message);
        }
        self.gather(message, now);
        None
    }

    fn gather(&mut self, message: Message, now: Instant) {
        let gathered = self.gathered.get_or_insert_with(|| Gathered {
            since: now,
            first: message.clone(),
            last: String::new(),
            count: 0,
            kinds: BTreeMap::new(),
        });
        gathered.count += 1;
        gathered.last.clone_from(&message.delivery);
        let (count, ids) = gathered.kinds.entry(message.kind).or_default();
        *count += 1;
        if ids.len() < NAMED {
            ids.push(message.id);
        }
    }

    /// True while nothing gathers.
    pub fn is_still(&self) -> bool {
        self.gathered.is_none()
    }

    /// When the summary of what gathered is to be told.
    pub fn due(&self) -> Option<Instant> {
        let settled = self.gathered.as_ref()?.since + self.pace.settle;
        Some(self.last_summary.map_or(settled, |last| settled.max(last + self.pace.window)))
    }

    /// The summary, if it is due.
    pub fn take_due(&mut self, now: Instant) -> Option<Message> {
        if self.due()? > now {
            return None;
        }
        self.last_summary = Some(now);
        self.gathered.take().map(Gathered::summary)
    }
}

impl Gathered {
    fn summary(self) -> Message {
        if self.count == 1 {
            return self.first;
        }
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, (count, ids))| line(*kind, *count, ids)).collect();
        let title = format!("{} more messages at once: {}", self.count, kinds.join("; "));
        Message::summary(format!("{}-{}", self.first.delivery, self.last), self.count, title)
    }
}

fn line(kind: Kind, count: u64, ids: &[String]) -> String {
    let more = count - ids.len() as u64;
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{} ({}{rest})", kind.counted(count), ids.join(", "))
}

#[cfg(test)]
mod tests {
    use stella_protocol::{Cursor, FixStatus};

    use super::super::message::Subject;
    use super::super::tests::{critical, fix};
    use super::*;

    fn alert(number: usize) -> Message {
        let subject = Subject::Alert(Box::new(critical(number)));
        Message::about(&subject, Kind::CriticalAlert, Cursor { epoch: 1, seq: number as u64 })
    }

    #[test]
    fn more_than_twenty_a_minute_are_one_line_a_minute_until_it_is_calm() {
        let pace = Pace::default();
        let (mut storm, start) = (Storm::new(&pace), Instant::now());
        let alone = (0..100).filter(|number| storm.admit(alert(*number), start).is_some()).count();
        let waiting = Subject::Fix(Box::new(fix(1, FixStatus::Pending)));
        let waiting = Message::about(&waiting, Kind::FixPending, Cursor { epoch: 1, seq: 200 });
        assert!(storm.admit(waiting, start).is_none());
        assert_eq!(alone, pace.burst);
        assert!(storm.take_due(start).is_none() && !storm.is_still());
        let settled = start + pace.settle;
        let told = storm.take_due(settled);
        let said = "81 more messages at once: 80 critical alerts (a-0000020, a-0000021, a-0000022, a-0000023, \
                    a-0000024 and 75 more); 1 fix waiting for approval (fx-1)";
        assert_eq!(told.as_ref().map(|told| (told.text.as_str(), told.count)), Some((said, 81)));
        assert_eq!(told.map(|told| told.delivery), Some("1.20.a-0000020-1.200.fx-1".to_owned()));
        assert!(storm.is_still() && storm.admit(alert(300), settled).is_none(), "it goes on");
        assert!(storm.take_due(settled + pace.settle).is_none(), "a minute has not passed");
        let later = settled + pace.window;
        assert_eq!(storm.take_due(later), Some(alert(300)), "one is itself");
        assert_eq!(storm.admit(alert(301), later), Some(alert(301)), "it is calm");
    }
}
