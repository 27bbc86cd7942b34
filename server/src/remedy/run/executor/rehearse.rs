//! Whether a fix would work, and whether what must hold before it runs does: row 2, and the claim of
//! row 7 asks the latter again. Reads only.

use stella_protocol::Text;

use super::carry::call;
use super::{Parts, verify};
use crate::remedy::{Event, FixState, Said};

/// Row 2.
pub(super) async fn rehearse(parts: &Parts, state: &FixState) {
    let said = rehearsal(parts, state).await;
    parts.say(&state.fix.id, Event::Rehearsed(said)).await;
}

async fn rehearsal(parts: &Parts, state: &FixState) -> Result<Vec<Text>, Text> {
    let mut lines = preconditions(parts, state).await?;
    for number in 0..state.fix.plan.steps.len() {
        let said = parts.runner.rehearse(&call(state, number, 0)).await;
        let at = format!("step {}", number + 1);
        lines.extend(said.map_err(|why| Text::new(format!("{at}: {}", why.raw())))?);
    }
    lines.extend(state.fix.plan.verification.as_ref().map(verify::words));
    Ok(lines)
}

/// What must hold before it runs, a line each. Err: the first that does not, or that nobody can tell.
pub(super) async fn preconditions(parts: &Parts, state: &FixState) -> Result<Vec<Text>, Text> {
    let mut lines = Vec::new();
    for condition in &state.fix.plan.preconditions {
        let mut asked = call(state, 0, 0);
        asked.step.act = condition.act.clone();
        asked.step.probe = Some(condition.clone());
        let title = condition.title.raw();
        match parts.runner.probe(&asked, &[], false).await {
            Said::Done(note) => lines.push(Text::new(format!("holds: {title} ({})", note.raw()))),
            Said::NotDone(why) | Said::CannotTell(why) => {
                return Err(Text::new(format!("{title} does not hold: {}", why.raw())));
            }
        }
    }
    Ok(lines)
}
