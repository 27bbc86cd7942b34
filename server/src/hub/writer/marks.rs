//! Marks that are taken back from the list, and what the engine makes of those that stand; deploys that are news.

use rustc_hash::FxHashMap;
use stella_detect::Lesson;
use stella_protocol::rule::FalseMark;
use stella_protocol::{Code, Deploy, Problem, Role};

use super::Writer;
use super::answer::{Deed, Keyed, No};
use crate::hub::draft::Change;
use crate::hub::marks::shown;
use crate::hub::{Answer, object_of, problem};
use crate::marks::Marked;
use crate::store::Verdict;

impl Writer {
    pub(super) fn unmark(&mut self, keyed: &Keyed, fingerprint: &str) -> Result<Answer<FalseMark>, Problem> {
        let deed = Deed { object: object_of(fingerprint), ..Deed::new("unmark", fingerprint, Role::Admin, "") };
        self.answer(keyed, &deed, |writer, making| {
            let none = || No::Said(problem(Code::NotFound, "nobody called this false"));
            let marked = making.draft.marked(fingerprint).ok_or_else(none)?;
            let was = shown(&marked, writer.now().engine).ok_or_else(none)?;
            let object = object_of(fingerprint);
            making.change.audit.push(making.author.audit("unmark", &object, (0, 0), Verdict::Done));
            making.draft.put_mark(making.change, Marked { lesson: None, before: None, ..marked });
            Ok(was)
        })
    }

    /// What the engine made of the marks: how large the problems were, or became.
    pub(super) fn learned(&mut self, lessons: Vec<Lesson>) {
        let mut change = Change::default();
        {
            let lessons: FxHashMap<String, Lesson> =
                lessons.into_iter().map(|lesson| (lesson.fingerprint.clone(), lesson)).collect();
            let board = self.shared.board();
            for marked in board.marks.values() {
                let (Some(kept), Some(made)) = (&marked.lesson, lessons.get(&marked.known_as)) else { continue };
                if kept.times == made.times && kept != made {
                    change.marks.push(Marked { lesson: Some(made.clone()), ..marked.clone() });
                }
            }
        }
        if let Err(error) = self.keep(change, None) {
            tracing::error!(%error, "failed to keep what the engine made of marks");
        }
    }

    /// Notes a deploy, unless it is the one of its service that became known last.
    pub(super) fn deployed(&self, change: &mut Change, deploy: &Deploy) {
        let board = self.shared.board();
        let before = change.deploys.iter().rev().find(|before| before.service == deploy.service);
        let last = before.or_else(|| board.last_deploy(deploy.service.raw()));
        if last.is_none_or(|last| last.revision != deploy.revision) {
            change.deploys.push(deploy.clone());
        }
    }
}
