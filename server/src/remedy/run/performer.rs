//! Performs a step by its kind, looks whether it happened, and takes it back.
//!
//! Documents have a runner of their own, which is given to this one.
//!
//! Deliberately absent: tries, leases, and what to do next. It never repeats anything by itself.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stella_protocol::Text;
use stella_protocol::fix::{Act, Probe, Undo};

use super::argv::{ArgvCaller, End};
use super::http::{Failed, HttpCaller};
use super::{Call, Output, Runner, probe};
use crate::remedy::{BeforeImage, Outcome, Said};

const NO_DOCUMENTS: &str = "this server has no document store";
const UNKNOWN: &str = "this server does not know how to do that";

/// Performs every kind of step.
pub struct Performer {
    /// Calls.
    pub http: HttpCaller,
    /// Commands.
    pub argv: ArgvCaller,
    /// Documents and repairs; None: there is no document store.
    pub documents: Option<Arc<dyn Runner>>,
}

impl Performer {
    /// Whether an act could be done; reads nothing but what it is done with.
    async fn ready(&self, act: &Act) -> Result<String, String> {
        match act {
            Act::Http(act) => self.http.rehearse(act).await,
            Act::Argv(act) => self.argv.rehearse(act).await,
            Act::Document(_) | Act::Repair(_) => Err("a document is not changed by this way".to_owned()),
            Act::Unknown => Err(UNKNOWN.to_owned()),
        }
    }

    async fn act(&self, act: &Act, call: &Call, output: &mut dyn Output) -> Outcome {
        match act {
            Act::Http(act) => self.http.perform(act, call, output).await,
            Act::Argv(act) => self.argv.perform(act, call, output).await,
            Act::Document(_) | Act::Repair(_) => {
                Outcome::Clean(Text::from("documents are put back from their before-images only"))
            }
            Act::Unknown => Outcome::Clean(Text::from(UNKNOWN)),
        }
    }

    /// Asks a probe. Whatever goes wrong with asking leaves the question open.
    async fn look(&self, asked: &Probe) -> Said {
        self.ask(asked).await.unwrap_or_else(Said::CannotTell)
    }

    /// What a probe's answer says. Err: there was none, and why.
    async fn ask(&self, asked: &Probe) -> Result<Said, Text> {
        let silent = |why: &str| Text::from(format!("{}: {why}", asked.title.raw()));
        match &asked.act {
            Act::Http(act) => match self.http.ask(act).await {
                Ok(answer) => {
                    let (status, body) = (Some(answer.status), answer.body.as_deref());
                    Ok(probe::judge(asked, &probe::Answer { status, exit: None, body }))
                }
                Err(Failed::Before(why) | Failed::After(why)) => Err(silent(&why)),
            },
            Act::Argv(act) => match self.argv.ask(act).await {
                Ok(ran) => match ran.end {
                    End::Exit(code) => {
                        let body = ran.out.as_deref();
                        Ok(probe::judge(asked, &probe::Answer { status: None, exit: Some(code), body }))
                    }
                    other => Err(silent(&other.words())),
                },
                Err(why) => Err(silent(&why)),
            },
            Act::Document(_) | Act::Repair(_) | Act::Unknown => Err(silent("this is nothing that reads")),
        }
    }

    fn documents(&self) -> Result<&dyn Runner, Text> {
        self.documents.as_deref().ok_or_else(|| Text::from(NO_DOCUMENTS))
    }

    async fn rehearse_outside(&self, call: &Call) -> Result<Vec<Text>, Text> {
        let step = &call.step;
        let mut words = vec![Text::from(self.ready(&step.act).await?)];
        if let Some(Undo::Act { act, .. }) = &step.undo {
            let back = self.ready(act).await.map_err(|why| Text::from(format!("to take it back: {why}")))?;
            words.push(Text::from(format!("to take it back: {back}")));
        }
        match &step.probe {
            None => {}
            Some(asked) => match self.ask(asked).await? {
                Said::NotDone(seen) => words.push(seen),
                // The target answers, and is in a state between both: twice would do no harm.
                Said::CannotTell(seen) if step.idempotent && step.fenced => {
                    words.push(Text::from(format!("{}; it may be done all the same", seen.raw())));
                }
                Said::Done(seen) | Said::CannotTell(seen) => return Err(seen),
            },
        }
        Ok(words)
    }

    async fn changed_outside(&self, asked: Option<&Probe>) -> Vec<Text> {
        let Some(asked) = asked else {
            return vec![Text::from("no probe can tell whether it still stands as the step left it")];
        };
        match self.look(asked).await {
            Said::Done(_) => Vec::new(),
            Said::NotDone(seen) | Said::CannotTell(seen) => vec![seen],
        }
    }
}

/// True for what the document store's own runner does.
fn is_document(act: &Act) -> bool {
    matches!(act, Act::Document(_) | Act::Repair(_))
}

impl Runner for Performer {
    fn rehearse<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        Box::pin(async move {
            if is_document(&call.step.act) {
                return self.documents()?.rehearse(call).await;
            }
            self.rehearse_outside(call).await
        })
    }

    fn prepare<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<BeforeImage>, Text>> {
        Box::pin(async move {
            if is_document(&call.step.act) { self.documents()?.prepare(call).await } else { Ok(Vec::new()) }
        })
    }

    fn perform<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if !is_document(&call.step.act) {
                return self.act(&call.step.act, call, output).await;
            }
            match self.documents() {
                Ok(documents) => documents.perform(call, images, output).await,
                Err(why) => Outcome::Clean(why),
            }
        })
    }

    fn undo<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match (&call.step.undo, self.documents()) {
                (Some(Undo::Act { act, .. }), _) => self.act(act, call, output).await,
                (Some(Undo::Restore), Ok(documents)) => documents.undo(call, images, output).await,
                (Some(Undo::Restore), Err(why)) => Outcome::Clean(why),
                (Some(Undo::Unknown), _) => Outcome::Clean(Text::from(UNKNOWN)),
                (None, _) => Outcome::Clean(Text::from("nothing takes this step back")),
            }
        })
    }

    fn probe<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage], undoing: bool) -> BoxFuture<'a, Said> {
        Box::pin(async move {
            let own = if undoing { call.step.undo == Some(Undo::Restore) } else { is_document(&call.step.act) };
            if own {
                return match self.documents() {
                    Ok(documents) => documents.probe(call, images, undoing).await,
                    Err(why) => Said::CannotTell(why),
                };
            }
            let asked = match &call.step.undo {
                Some(Undo::Act { probe, .. }) if undoing => probe.as_ref(),
                _ if undoing => None,
                _ => call.step.probe.as_ref(),
            };
            match asked {
                Some(asked) => self.look(asked).await,
                None => Said::CannotTell(Text::from("there is no probe")),
            }
        })
    }

    fn changed<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage]) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        Box::pin(async move {
            if is_document(&call.step.act) {
                return self.documents()?.changed(call, images).await;
            }
            Ok(self.changed_outside(call.step.probe.as_ref()).await)
        })
    }
}
