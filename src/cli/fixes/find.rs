//! What an id that was typed stands for: itself, or the only one that begins so.

use stella_protocol::fix::FixReview;
use stella_protocol::{AlertId, Code, FixId};
use stella_widgets::text::sanitise;

use super::{Failure, Sheet};
use crate::cli::refused::Asked;
use crate::cli::short::{one, whole};
use crate::client::fixes::{FixAsk, Wire};
use crate::effect::Refusal;

/// Length of an alert's id.
const ALERT_ID: usize = 9;

/// Fixes on a page, while all of them are looked through.
const PAGE: u32 = 200;

/// So many pages are looked through for one that begins so: 2,000 fixes.
const PAGES: usize = 10;

/// A fix as it is now, with what a decision needs.
pub(super) async fn fix(sheet: &Sheet<'_>, asked: &str) -> Result<Wire<FixReview>, Failure> {
    let number = whole(FixId::PREFIX, asked);
    let exact: Option<FixId> = number.as_deref().unwrap_or(asked).parse().ok();
    if let Some(id) = &exact {
        match sheet.client.fix_review(id).await {
            // A number alone is whole: it does not stand for longer ones.
            Err(Refusal::Problem(problem)) if problem.code == Code::NotFound && number.is_none() => {}
            answered => return Asked::Look.of(answered),
        }
    }
    if exact.is_none() && !FixId::PREFIX.starts_with(&asked.to_ascii_lowercase()) {
        return Err(Failure::Missing(format!("a fix {}: want fx- and a number", sanitise(asked))));
    }
    let known = all(sheet).await?;
    let id = one("fix", asked, known.iter().map(FixId::as_str))?;
    let id: FixId = id.parse().map_err(|_| Failure::Missing(format!("a fix {id}")))?;
    Asked::Look.of(sheet.client.fix_review(&id).await)
}

async fn all(sheet: &Sheet<'_>) -> Result<Vec<FixId>, Failure> {
    let mut known = Vec::new();
    let mut ask = FixAsk { limit: PAGE, ..FixAsk::default() };
    for _ in 0..PAGES {
        let page = Asked::Look.of(sheet.client.fix_page(&ask).await)?.read;
        known.extend(page.items.into_iter().map(|fix| fix.id));
        ask.after = page.next;
        if ask.after.is_none() {
            break;
        }
    }
    Ok(known)
}

/// An alert's id. A whole one need not be in sight.
pub(super) async fn alert(sheet: &Sheet<'_>, asked: &str) -> Result<AlertId, Failure> {
    match asked.parse::<AlertId>() {
        Ok(id) if id.as_str().len() >= ALERT_ID => return Ok(id),
        Err(_) if !AlertId::PREFIX.starts_with(&asked.to_ascii_lowercase()) => {
            return Err(Failure::Missing(format!("an alert {}: want a- and seven more", sanitise(asked))));
        }
        _ => {}
    }
    let around = Asked::Look.of(sheet.client.surrounding().await)?;
    let id = one("alert", asked, around.alerts.iter().map(|alert| alert.id.as_str()))?;
    id.parse().map_err(|_| Failure::Missing(format!("an alert {id}")))
}
