//! What came back: each answer goes to the room that asked for it.

use super::Model;
use crate::effect::{Effect, Reply, RequestId};
use crate::event::Now;

impl Model {
    pub(super) fn reply(&mut self, now: Now, id: RequestId, reply: Reply, effects: &mut Vec<Effect>) {
        match reply {
            Reply::Acted(answer) => self.acted(now, id, answer),
            Reply::Copied(Ok(bytes)) => self.say(now, format!("copied {bytes} bytes (OSC 52)")),
            Reply::Copied(Err(why)) => {
                self.say(now, format!("not copied: {}", stella_widgets::text::sanitise(why.raw())));
            }
            Reply::Alert(alert, answer) => self.ui.detail.fetched(id, &alert, answer),
            Reply::Evidence(alert, answer) => {
                if let Some(review) = &mut self.ui.review {
                    review.evidence(&alert, &answer);
                }
                self.ui.detail.evidence(id, &alert, answer);
            }
            Reply::Logs(answer) => {
                self.with_context(now, effects, |ui, cx| ui.log.lines(cx, id, answer));
            }
            Reply::Series(answer) => self.ui.metrics.series(id, answer),
            Reply::Decided(answer) => self.decided(now, id, answer),
            Reply::Surrounded(answer) => self.surrounded(now, id, answer),
            Reply::Maintained(Ok(_)) => {
                self.ui.requests.done(id);
                self.say(now, "no fix starts there until the window is over".to_owned());
            }
            Reply::Maintained(Err(refusal)) => self.refused(now, id, refusal),
            Reply::Review(fix, answer) => self.reviewed(now, id, &fix, &answer, effects),
            Reply::Output(_, answer) => self.with_context(now, effects, |ui, cx| {
                if let Some(review) = &mut ui.review {
                    review.said(cx, id, answer);
                }
            }),
            Reply::Migrated(answer) => self.migrated(now, id, answer),
            Reply::Migration(which, answer) => self.migration_read(now, id, &which, &answer, effects),
            Reply::MigrationPart(which, list, answer) => self.with_context(now, effects, |ui, cx| {
                if let Some(one) = ui.migration.as_mut().filter(|one| *one.id() == which) {
                    one.part(cx, id, list, answer);
                }
            }),
            Reply::MigrationUser(which, answer) => {
                if let Some(one) = self.ui.migration.as_mut().filter(|one| *one.id() == which) {
                    one.checked(id, answer);
                }
            }
            Reply::Rules(answer) => self.ui.rules.page(id, answer),
            Reply::RulePreview(answer) => self.ui.rules.preview(id, answer),
            Reply::RuleChanged(answer) => self.rule_changed(now, id, answer),
            Reply::Marks(answer) => {
                self.ui.rules.marks(id, answer.clone());
                self.ui.marks.page(id, answer);
            }
            Reply::DeployAdded(answer) => self.deploy_added(now, id, answer),
            Reply::MarkUndone(answer) => self.mark_undone(now, id, answer, effects),
            Reply::Definitions(answer) => self.define(answer),
            Reply::FixHistory(answer) => self.with_context(now, effects, |ui, cx| ui.fixes.history(cx, id, answer)),
        }
    }
}
