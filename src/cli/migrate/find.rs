//! Which migration is meant: by its id, by enough of it, or because there is only one.

use stella_protocol::{Code, Migration, MigrationId, MigrationStatus};
use stella_widgets::text::sanitise;

use super::{Desk, Failure};
use crate::cli::refused::Asked;
use crate::cli::short::{one, whole};
use crate::client::fixes::Wire;
use crate::client::migrations::MigrationAsk;
use crate::effect::Refusal;

/// Migrations on a page, while all of them are looked through.
const PAGE: u32 = 100;

/// So many pages are looked through for one that begins so: 2,000 migrations.
const PAGES: usize = 20;

/// A migration as it is now. Without an id the one that is not finished, or the newest.
pub(super) async fn migration(desk: &Desk<'_>, asked: Option<&str>) -> Result<Wire<Migration>, Failure> {
    let Some(asked) = asked else { return only(desk).await };
    let number = whole(MigrationId::PREFIX, asked);
    let exact: Option<MigrationId> = number.as_deref().unwrap_or(asked).parse().ok();
    if let Some(id) = &exact {
        match desk.client.migration(id).await {
            Err(Refusal::Problem(problem)) if problem.code == Code::NotFound && number.is_none() => {}
            answered => return Asked::Look.of(answered),
        }
    }
    if exact.is_none() && !MigrationId::PREFIX.starts_with(&asked.to_ascii_lowercase()) {
        return Err(Failure::Missing(format!("a migration {}: want mig- and a number", sanitise(asked))));
    }
    let known = all(desk, &MigrationAsk::default()).await?;
    let id = one("migration", asked, known.iter().map(|known| known.id.as_str()))?;
    let id: MigrationId = id.parse().map_err(|_| Failure::Missing(format!("a migration {id}")))?;
    by_id(desk, &id).await
}

/// The migration of this very id.
pub(super) async fn by_id(desk: &Desk<'_>, id: &MigrationId) -> Result<Wire<Migration>, Failure> {
    Asked::Look.of(desk.client.migration(id).await)
}

async fn only(desk: &Desk<'_>) -> Result<Wire<Migration>, Failure> {
    let open = unfinished(desk).await?;
    match &open[..] {
        [only] => by_id(desk, &only.id).await,
        [] => {
            let ask = MigrationAsk { limit: 1, ..MigrationAsk::default() };
            let page = desk.client.migration_page(&ask).await;
            let newest = Asked::Look.of(page)?.read.items.into_iter().next();
            let none =
                || Failure::Missing("a migration: there is none; `stella-tui migrate plan` makes one".to_owned());
            by_id(desk, &newest.ok_or_else(none)?.id).await
        }
        several => Err(tell_which(several)),
    }
}

/// That several could be meant.
pub(super) fn tell_which(several: &[Migration]) -> Failure {
    let named = several.iter().map(|one| format!("{} ({})", one.id, one.status.word())).collect::<Vec<_>>();
    Failure::Usage(format!("tell which migration: {} are not finished", named.join(", ")))
}

/// Those whose machine has a step left, newest first.
pub(super) async fn unfinished(desk: &Desk<'_>) -> Result<Vec<Migration>, Failure> {
    let status = MigrationStatus::ALL.into_iter().filter(|status| status.is_unfinished()).collect();
    all(desk, &MigrationAsk { status, ..MigrationAsk::default() }).await
}

async fn all(desk: &Desk<'_>, ask: &MigrationAsk) -> Result<Vec<Migration>, Failure> {
    let mut known = Vec::new();
    let mut ask = MigrationAsk { limit: PAGE, ..ask.clone() };
    for _ in 0..PAGES {
        let page = Asked::Look.of(desk.client.migration_page(&ask).await)?.read;
        known.extend(page.items);
        ask.after = page.next;
        if ask.after.is_none() {
            break;
        }
    }
    Ok(known)
}
