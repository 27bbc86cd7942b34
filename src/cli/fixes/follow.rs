//! What the steps of a fix said: what is kept, and with `--follow` what the feed brings until it ends.
//!
//! Lines of the feed may be lost with a connection; they are numbered without a gap, so a hole is
//! noticed, and what is missing is asked for.

use std::time::Duration;

use serde_json::json;
use stella_protocol::fix::FixOutput;
use stella_protocol::{FeedEvent, Fix, FixId, FixStatus};
use tokio::sync::mpsc;

use super::{Failure, Output, Sheet, clean, find, page, remark};
use crate::cli::refused::Asked;
use crate::client::feed;
use crate::client::mailbox::Mailbox;
use crate::event::{Event, LinkEvent};

/// Pages of kept output; 256 KiB a fix is kept, so this is an end for a server that knows none.
const PAGES: usize = 1_000;

/// What is new is waited for so long before it is written, so that a burst is one look.
const GATHER: Duration = Duration::from_millis(20);

/// `fixes output`.
pub(super) async fn output(sheet: &mut Sheet<'_>, asked: &Output) -> Result<u8, Failure> {
    let fix = find::fix(sheet, &asked.id).await?.read.fix;
    let step = asked.step.map(|step| step - 1);
    if step.is_some_and(|step| step as usize >= fix.plan.steps.len()) {
        return Err(Failure::Missing(format!("such a step: {} has {}", fix.id, fix.plan.steps.len())));
    }
    let mut tail = Tail { id: fix.id.clone(), step, last: 0, told: None };
    if asked.follow {
        return tail.follow(sheet, fix).await;
    }
    let lines = tail.kept(sheet).await?;
    let none = format!("{} has said nothing", fix.id);
    sheet.list(&json!({ "items": lines, "next": null }), &none, || lines.iter().map(page::line).collect())?;
    // A fix that said nothing is found all the same.
    Ok(0)
}

/// How far a fix was heard.
struct Tail {
    id: FixId,
    step: Option<u32>,
    /// Number of the last line that was heard, of whichever step.
    last: u64,
    /// The last state that was told of.
    told: Option<FixStatus>,
}

/// What waits in the mailbox, as far as it is about one fix.
#[derive(Debug, Default)]
struct News {
    lines: Vec<FixOutput>,
    fix: Option<Fix>,
    /// Lines may have gone by unheard.
    may_miss: bool,
    denied: Option<String>,
    lost: Option<String>,
}

impl Tail {
    /// Writes what it says until it has ended.
    async fn follow(&mut self, sheet: &mut Sheet<'_>, mut fix: Fix) -> Result<u8, Failure> {
        let mailbox = Mailbox::default();
        // Held until the end: dropped, the subscription ends.
        let (_orders, received) = mpsc::channel(1);
        tokio::spawn(feed::follow(sheet.client.clone(), mailbox.clone(), received));
        loop {
            self.tell(&fix);
            if has_ended(fix.status) {
                let rest = self.kept(sheet).await?;
                Self::write(sheet, &rest)?;
                remark(&page::outcome(&fix).join("; "));
                return Ok(u8::from(fix.status != FixStatus::Executed));
            }
            mailbox.filled().await;
            tokio::time::sleep(GATHER).await;
            let news = News::read(mailbox.take(), &self.id);
            if let Some(words) = news.denied {
                return Err(Failure::Denied(words));
            }
            if let Some(words) = &news.lost {
                remark(words);
            }
            let lines = if news.may_miss || self.is_behind(&news.lines) {
                self.kept_or_nothing(sheet).await
            } else {
                self.heard(news.lines)
            };
            Self::write(sheet, &lines)?;
            fix = newer(fix, news.fix);
        }
    }

    fn is_behind(&self, lines: &[FixOutput]) -> bool {
        let mut last = self.last;
        lines.iter().filter(|line| line.number > self.last).any(|line| {
            let is_next = line.number == last + 1;
            last = line.number;
            !is_next
        })
    }

    /// Those that were not heard before; of the wanted step.
    fn heard(&mut self, lines: Vec<FixOutput>) -> Vec<FixOutput> {
        let mut new = Vec::new();
        for line in lines {
            if line.number <= self.last {
                continue;
            }
            self.last = line.number;
            if self.step.is_none_or(|step| step == line.step) {
                new.push(line);
            }
        }
        new
    }

    /// What the server keeps behind the last line.
    async fn kept(&mut self, sheet: &Sheet<'_>) -> Result<Vec<FixOutput>, Failure> {
        let mut lines = Vec::new();
        for _ in 0..PAGES {
            // Of all steps, whichever one is wanted: only so the numbers have no holes.
            let page = sheet.client.fix_output(&self.id, None, self.last).await;
            let page = Asked::Look.of(page)?.read;
            let before = self.last;
            lines.extend(self.heard(page.items));
            if page.next.is_none() || self.last == before {
                break;
            }
        }
        Ok(lines)
    }

    /// While the connection is bad nothing is written; the next look brings it.
    async fn kept_or_nothing(&mut self, sheet: &Sheet<'_>) -> Vec<FixOutput> {
        self.kept(sheet).await.unwrap_or_default()
    }

    fn write(sheet: &mut Sheet<'_>, lines: &[FixOutput]) -> Result<(), Failure> {
        for line in lines {
            sheet.say(line, || vec![page::line(line)])?;
        }
        sheet.flush()
    }

    /// Says beside the output how it stands, when that is news.
    fn tell(&mut self, fix: &Fix) {
        if self.told != Some(fix.status) && !has_ended(fix.status) {
            remark(&page::outcome(fix).join("; "));
        }
        self.told = Some(fix.status);
    }
}

impl News {
    fn read(events: Vec<Event>, id: &FixId) -> Self {
        let mut news = Self::default();
        for event in events {
            match event {
                Event::Feed(envelope) => match envelope.event {
                    FeedEvent::FixOutput(line) if line.id == *id => news.lines.push(*line),
                    FeedEvent::Fix(fix) if fix.id == *id => news.fix = Some(*fix),
                    // From here on lines come; those before went by.
                    FeedEvent::Hello(_) => news.may_miss = true,
                    _ => {}
                },
                Event::Link(LinkEvent::Snapshot(snapshot)) => {
                    news.fix = snapshot.fixes.into_iter().find(|fix| fix.id == *id).or(news.fix);
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

/// The later one of two.
fn newer(known: Fix, heard: Option<Fix>) -> Fix {
    match heard {
        Some(heard) if heard.version >= known.version => heard,
        _ => known,
    }
}

/// True when it does not go on by itself.
fn has_ended(status: FixStatus) -> bool {
    match status {
        FixStatus::InDoubt | FixStatus::RollbackFailed => true,
        FixStatus::Unknown => false,
        status => !status.is_open(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn line(number: u64, step: u32) -> FixOutput {
        let at = "2026-01-01T00:00:00.000Z";
        let line = json!({"id": "fx-1", "number": number, "step": step, "stream": "out", "at": at, "text": "x"});
        serde_json::from_value(line).unwrap()
    }

    fn tail(step: Option<u32>, last: u64) -> Tail {
        Tail { id: "fx-1".parse().unwrap(), step, last, told: None }
    }

    #[test]
    fn a_hole_is_noticed_and_what_came_before_is_not() {
        let tail = tail(None, 4);
        assert!(!tail.is_behind(&[line(3, 0), line(4, 0), line(5, 0), line(6, 1)]));
        assert!(tail.is_behind(&[line(6, 0)]));
        assert!(tail.is_behind(&[line(5, 0), line(7, 0)]));
    }

    #[test]
    fn a_line_is_written_once_and_only_of_the_step_that_was_asked_for() {
        let mut tail = tail(Some(1), 0);
        let numbers = |lines: Vec<FixOutput>| lines.iter().map(|line| line.number).collect::<Vec<_>>();
        assert_eq!(numbers(tail.heard(vec![line(1, 0), line(2, 1)])), [2]);
        assert_eq!(numbers(tail.heard(vec![line(1, 0), line(2, 1), line(3, 1)])), [3]);
        assert_eq!(tail.last, 3);
    }

    #[test]
    fn what_only_a_person_can_end_is_not_waited_for() {
        let ended = FixStatus::ALL.into_iter().filter(|status| has_ended(*status)).map(FixStatus::word);
        let expected = [
            "invalid",
            "rejected",
            "expired",
            "superseded",
            "executed",
            "failed",
            "rolled_back",
            "rollback_failed",
            "in_doubt",
            "closed_manually",
        ];
        assert_eq!(ended.collect::<Vec<_>>(), expected);
    }
}
