//! What can be asked of the hub about marks and deploys.
//!
//! The hub keeps what people said; how much more evidence a mark asks for is the engine's to say.

use stella_detect::Lesson;
use stella_protocol::rule::FalseMark;
use stella_protocol::{Deploy, Principal, Problem, Timestamp};
use tokio::sync::oneshot;

use super::writer::{Job, Keyed};
use super::{Answer, Hub, refusal};
use crate::marks::Marked;
use crate::store::StoreError;

impl Hub {
    /// What people called false, newest first.
    pub fn marks(&self) -> Vec<FalseMark> {
        let (board, clock) = (self.shared.board(), self.clock.now());
        let now = board.engine.last.unwrap_or(clock);
        let mut marks: Vec<FalseMark> = board.marks.values().filter_map(|marked| shown(marked, now)).collect();
        marks.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.fingerprint.raw().cmp(b.fingerprint.raw())));
        marks
    }

    /// What stands of them, as an engine learns it that begins afresh.
    pub fn lessons(&self) -> Vec<Lesson> {
        self.shared.board().marks.values().filter_map(|marked| marked.lesson.clone()).collect()
    }

    /// Takes all marks of a problem back, once for each key.
    ///
    /// # Errors
    /// When there is none, or the role or the key stands against it.
    pub async fn unmark(&self, by: &Principal, key: &str, fingerprint: &str) -> Result<Answer<FalseMark>, Problem> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Unmark { keyed: Keyed::new(by, key), fingerprint: fingerprint.to_owned(), reply })?;
        answer.await.map_err(|_| refusal::stopped())?
    }

    /// What changed of the marks behind a number, in order: what the engine has to learn.
    pub(crate) fn marks_after(&self, number: u64) -> Vec<Marked> {
        let board = self.shared.board();
        if board.last_mark <= number {
            return Vec::new();
        }
        let mut news: Vec<Marked> = board.marks.values().filter(|marked| marked.number > number).cloned().collect();
        news.sort_by_key(|marked| marked.number);
        news
    }

    /// Takes in what the engine made of marks. Does not wait.
    pub(crate) fn learned(&self, lessons: Vec<Lesson>) {
        let _stopped = self.queue.send(Job::Learned { lessons });
    }

    /// The deploy of a service that became known last.
    pub fn last_deploy(&self, service: &str) -> Option<Deploy> {
        self.shared.board().last_deploy(service).cloned()
    }

    /// At most `limit` deploys of a span of engine time, newest first. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn deploys(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<Deploy>, StoreError> {
        self.store.deploys(from, to, limit)
    }
}

/// A mark as everyone sees it; None: it was taken back.
pub(super) fn shown(marked: &Marked, now: Timestamp) -> Option<FalseMark> {
    let lesson = marked.lesson.as_ref()?;
    Some(FalseMark {
        fingerprint: marked.fingerprint.clone(),
        title: Some(marked.title.clone()),
        at: marked.at,
        by: Some(marked.by.clone()),
        times: lesson.times,
        needed: lesson.needed(now),
    })
}
