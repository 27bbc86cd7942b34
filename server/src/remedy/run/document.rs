//! Steps that change documents: every write is conditional on the before-image that was kept for it.
//!
//! So a step that is performed again does nothing twice, an executor that lost its lease finds other
//! versions than it knows, and what somebody else wrote meanwhile is neither overwritten nor put back:
//! it is told. Where some documents stand changed and others were written by somebody else, no answer
//! pretends that nothing happened.
//!
//! Deliberately without compensation of its own: what was half done is the machine's to decide.

mod change;
mod standing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stella_protocol::Text;
use stella_protocol::fix::{Act, DocumentAct, RepairAct, Stream, Undo};

use super::{Call, Output, Runner, repair};
use crate::documents::Documents;
use crate::remedy::{BeforeImage, Outcome, Said};
use standing::{Put, Stand, Standing};

/// Documents named in a line, at most.
const NAMED: usize = 20;

/// Performs steps on documents of one store: changes of one document, and repairs of references.
pub struct DocumentRunner {
    documents: Arc<dyn Documents>,
}

/// What a step does, if it is one of ours.
enum Work<'a> {
    One(&'a DocumentAct),
    Repair(&'a RepairAct),
}

impl<'a> Work<'a> {
    fn of(call: &'a Call) -> Result<Self, Text> {
        match &call.step.act {
            Act::Document(act) => Ok(Self::One(act)),
            Act::Repair(act) => Ok(Self::Repair(act)),
            _ => Err(Text::from("this step changes no documents")),
        }
    }

    /// Whether these are the images that were kept for this step.
    fn check(&self, images: &[BeforeImage]) -> Result<(), Text> {
        let fits = match self {
            Self::One(act) => {
                images.len() == 1 && images[0].collection == act.collection.raw() && images[0].id == act.id.raw()
            }
            Self::Repair(act) => {
                let ours = |image: &BeforeImage| act.collections.iter().any(|name| name.raw() == image.collection);
                !images.is_empty() && images.iter().all(ours)
            }
        };
        if fits {
            Ok(())
        } else {
            Err(Text::from("the images kept for this step are not its own: nothing was written"))
        }
    }
}

impl DocumentRunner {
    /// On this store.
    pub fn new(documents: Arc<dyn Documents>) -> Self {
        Self { documents }
    }

    async fn rehearsed(&self, call: &Call) -> Result<Vec<Text>, Text> {
        match Work::of(call)? {
            Work::One(act) => change::rehearse(&*self.documents, act).await,
            Work::Repair(act) => {
                let survey = repair::survey(&*self.documents, act).await?;
                let mut lines = survey.counts();
                lines.extend(few(survey.left_alone()));
                if survey.images.is_empty() {
                    return Err(joined("nothing can be put right", &lines));
                }
                Ok(lines)
            }
        }
    }

    async fn images(&self, call: &Call) -> Result<Vec<BeforeImage>, Text> {
        match Work::of(call)? {
            Work::One(act) => Ok(vec![change::image(&*self.documents, act).await?]),
            Work::Repair(act) => {
                let survey = repair::survey(&*self.documents, act).await?;
                if survey.images.is_empty() {
                    return Err(joined("nothing can be put right any more", &few(survey.left_alone())));
                }
                Ok(survey.images)
            }
        }
    }

    async fn standing<'i>(&self, call: &Call, images: &'i [BeforeImage]) -> Result<Standing<'i>, Text> {
        Work::of(call)?.check(images)?;
        Standing::look(&*self.documents, images).await
    }

    async fn performed(&self, call: &Call, images: &[BeforeImage], output: &mut dyn Output) -> Outcome {
        if let Err(why) = Work::of(call).and_then(|work| work.check(images)) {
            return Outcome::Clean(why);
        }
        let standing = match Standing::look(&*self.documents, images).await {
            Ok(standing) => standing,
            // An earlier try cannot have done a part of what is one batch.
            Err(why) if standing::is_one_batch(&*self.documents, images) => return Outcome::Clean(why),
            Err(why) => return Outcome::Unknown(why),
        };
        let done_before = standing.count(Stand::After);
        let partly = |done: usize, why: Text| {
            if done + done_before == 0 {
                return Outcome::Clean(why);
            }
            let so_far = format!("{} of {} documents are changed; ", done + done_before, images.len());
            Outcome::Unknown(Text::new(so_far + why.raw()))
        };
        let strays = standing.words(&[Stand::Stray, Stand::Again]);
        if !strays.is_empty() {
            return partly(0, joined("changed since the fix looked at them", &few(strays)));
        }
        match standing.put(&*self.documents, Stand::Before).await {
            Put::All(written) => {
                let note = format!("{written} documents written, {} stood so already", images.len() - written);
                output.line(Stream::Stella, Text::new(note.clone()));
                self.tell_what_is_left(call, output).await;
                Outcome::Done(Text::new(note))
            }
            Put::Stopped { done, why } => partly(done, why),
            Put::Unknown(why) => Outcome::Unknown(why),
        }
    }

    /// What a repair left as it is, looked up afresh: said, never a reason to fail.
    async fn tell_what_is_left(&self, call: &Call, output: &mut dyn Output) {
        let Act::Repair(act) = &call.step.act else { return };
        let lines = match repair::survey(&*self.documents, act).await {
            Ok(survey) => few(survey.left_alone()),
            Err(why) => vec![why],
        };
        for line in lines {
            output.line(Stream::Stella, line);
        }
    }

    async fn undone(&self, call: &Call, images: &[BeforeImage], output: &mut dyn Output) -> Outcome {
        if call.step.undo != Some(Undo::Restore) {
            return Outcome::Clean(Text::from("this step is not taken back from before-images"));
        }
        let standing = match self.standing(call, images).await {
            Ok(standing) => standing,
            Err(why) => return Outcome::Clean(why),
        };
        let strays = standing.words(&[Stand::Stray]);
        if !strays.is_empty() {
            return Outcome::Clean(joined("changed since, and so not put back", &few(strays)));
        }
        match standing.put(&*self.documents, Stand::After).await {
            Put::All(written) => {
                let note = format!("{written} documents put back, {} stood so already", images.len() - written);
                output.line(Stream::Stella, Text::new(note.clone()));
                Outcome::Done(Text::new(note))
            }
            // Taking back again is safe: it goes on where this one stopped.
            Put::Stopped { done, why } => {
                Outcome::Clean(Text::new(format!("{done} documents put back, the others not: {}", why.raw())))
            }
            Put::Unknown(why) => Outcome::Unknown(why),
        }
    }

    async fn probed(&self, call: &Call, images: &[BeforeImage], undoing: bool) -> Said {
        let standing = match self.standing(call, images).await {
            Ok(standing) => standing,
            Err(why) => return Said::CannotTell(why),
        };
        let strays = standing.words(&[Stand::Stray]);
        if !strays.is_empty() {
            return Said::CannotTell(joined("neither as before nor as the step leaves them", &few(strays)));
        }
        let (after, again) = (standing.count(Stand::After), standing.count(Stand::Again));
        let open = standing.count(Stand::Before) + again;
        let words = Text::new(format!("{after} of {} documents stand as the step leaves them", images.len()));
        match (undoing, after, open) {
            (false, _, 0) | (true, 0, _) => Said::Done(words),
            // Somebody wrote the old fields again: the step cannot finish there, and it is not undone.
            (false, 1.., _) if again > 0 => Said::CannotTell(words),
            _ => Said::NotDone(words),
        }
    }

    async fn differences(&self, call: &Call, images: &[BeforeImage]) -> Result<Vec<Text>, Text> {
        let standing = self.standing(call, images).await?;
        Ok(few(standing.words(&[Stand::Stray, Stand::Before, Stand::Again])))
    }
}

impl Runner for DocumentRunner {
    fn rehearse<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        Box::pin(self.rehearsed(call))
    }

    fn prepare<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<BeforeImage>, Text>> {
        Box::pin(self.images(call))
    }

    fn perform<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(self.performed(call, images, output))
    }

    fn undo<'a>(
        &'a self,
        call: &'a Call,
        images: &'a [BeforeImage],
        output: &'a mut dyn Output,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(self.undone(call, images, output))
    }

    fn probe<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage], undoing: bool) -> BoxFuture<'a, Said> {
        Box::pin(self.probed(call, images, undoing))
    }

    fn changed<'a>(&'a self, call: &'a Call, images: &'a [BeforeImage]) -> BoxFuture<'a, Result<Vec<Text>, Text>> {
        Box::pin(self.differences(call, images))
    }
}

/// The first lines, and how many more there are.
fn few(mut lines: Vec<Text>) -> Vec<Text> {
    let more = lines.len().saturating_sub(NAMED);
    if more > 0 {
        lines.truncate(NAMED);
        lines.push(Text::new(format!("and {more} more")));
    }
    lines
}

fn joined(head: &str, lines: &[Text]) -> Text {
    if lines.is_empty() {
        return Text::new(head.to_owned());
    }
    let lines: Vec<&str> = lines.iter().map(Text::raw).collect();
    Text::new(format!("{head}: {}", lines.join("; ")))
}
