//! `migrate decide`: a question answered, or an id without a user chosen for.

use stella_protocol::Text;
use stella_protocol::migration::{Decision, DecisionRequest};

use super::decide::said;
use super::list::rows;
use super::verbs::{Choice, Decide};
use super::{Desk, Failure, find};
use crate::cli::refused::Asked;
use crate::cli::sheet::CHANGE;
use crate::cli::short::one;

/// Questions that are looked through for the one that was named.
const QUESTIONS: u32 = 10_000;

/// `migrate decide`.
pub(super) async fn decide(desk: &mut Desk<'_>, asked: &Decide) -> Result<u8, Failure> {
    if asked.user.is_some() != (asked.choice == Some(Choice::Map)) {
        return Err(Failure::Usage("read the command line: --user goes with --choice map, and map with it".to_owned()));
    }
    let seen = find::migration(desk, asked.one.id.as_deref()).await?.read;
    let reason = Text::from(asked.reason.clone());
    let request = match (&asked.question, &asked.option, &asked.orphan, asked.choice) {
        (Some(question), Some(option), ..) => {
            let client = desk.client.clone();
            let known = rows(QUESTIONS, async |part| client.migration_decisions(&seen.id, &part).await).await?.items;
            let known: &[Decision] = &known;
            let id = one("question", question, known.iter().map(|known| known.id.raw()))?;
            let options = known.iter().filter(|known| known.id.raw() == id).flat_map(|known| &known.options);
            let option = one("way to decide", option, options.map(|option| option.name.raw()))?;
            DecisionRequest::Question { id: Text::from(id.to_owned()), option: Text::from(option.to_owned()), reason }
        }
        (None, _, Some(orphan), Some(choice)) => DecisionRequest::Orphan {
            id: Text::from(orphan.clone()),
            choice: choice.into(),
            user: asked.user.clone().map(Text::from),
            reason,
        },
        _ => {
            return Err(Failure::Usage(
                "read the command line: say --question and --option, or --orphan and --choice".to_owned(),
            ));
        }
    };
    let answer = desk.client.answer_migration(CHANGE, &seen.id, seen.version, &request).await;
    said(desk, &Asked::Change.of(answer)?)
}
