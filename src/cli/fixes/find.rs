//! What an id that was typed stands for: itself, or the only one that begins so.

use stella_protocol::fix::FixReview;
use stella_protocol::{AlertId, Code, FixId};
use stella_widgets::text::sanitise;

use super::refused::{Asked, failure};
use super::{Desk, Failure};
use crate::client::fixes::{FixAsk, Wire};
use crate::effect::Refusal;

/// Length of an alert's id.
const ALERT_ID: usize = 9;

/// Fixes on a page, while all of them are looked through.
const PAGE: u32 = 200;

/// So many pages are looked through for one that begins so: 2,000 fixes.
const PAGES: usize = 10;

/// Named when several fit.
const NAMED: usize = 5;

/// The one of `known` that `asked` stands for. `kind` is what they are.
pub(super) fn one<'k>(kind: &str, asked: &str, known: impl IntoIterator<Item = &'k str>) -> Result<&'k str, Failure> {
    let asked = asked.to_ascii_lowercase();
    let mut fitting = Vec::new();
    for name in known {
        if name.eq_ignore_ascii_case(&asked) {
            return Ok(name);
        }
        if name.to_ascii_lowercase().starts_with(&asked) {
            fitting.push(name);
        }
    }
    match fitting[..] {
        [only] => Ok(only),
        [] => Err(Failure::Missing(format!("a {kind} {}", sanitise(&asked)))),
        _ => {
            let named: Vec<String> = fitting.iter().take(NAMED).map(|name| sanitise(name).into_string()).collect();
            let more = if fitting.len() > NAMED { " and more" } else { "" };
            let named = named.join(", ");
            Err(Failure::Usage(format!("tell which {kind}: {} fits {named}{more}", sanitise(&asked))))
        }
    }
}

/// A fix as it is now, with what a decision needs.
pub(super) async fn fix(desk: &Desk<'_>, asked: &str) -> Result<Wire<FixReview>, Failure> {
    let number = (!asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| format!("{}{asked}", FixId::PREFIX));
    let exact: Option<FixId> = number.as_deref().unwrap_or(asked).parse().ok();
    if let Some(id) = &exact {
        match desk.client.fix_review(id).await {
            // A number alone is whole: it does not stand for longer ones.
            Err(Refusal::Problem(problem)) if problem.code == Code::NotFound && number.is_none() => {}
            answered => return answered.map_err(|refusal| failure(&refusal, Asked::Look)),
        }
    }
    if exact.is_none() && !FixId::PREFIX.starts_with(&asked.to_ascii_lowercase()) {
        return Err(Failure::Missing(format!("a fix {}: want fx- and a number", sanitise(asked))));
    }
    let known = all(desk).await?;
    let id = one("fix", asked, known.iter().map(FixId::as_str))?;
    let id: FixId = id.parse().map_err(|_| Failure::Missing(format!("a fix {id}")))?;
    desk.client.fix_review(&id).await.map_err(|refusal| failure(&refusal, Asked::Look))
}

async fn all(desk: &Desk<'_>) -> Result<Vec<FixId>, Failure> {
    let mut known = Vec::new();
    let mut ask = FixAsk { limit: PAGE, ..FixAsk::default() };
    for _ in 0..PAGES {
        let page = desk.client.fix_page(&ask).await.map_err(|refusal| failure(&refusal, Asked::Look))?.read;
        known.extend(page.items.into_iter().map(|fix| fix.id));
        ask.after = page.next;
        if ask.after.is_none() {
            break;
        }
    }
    Ok(known)
}

/// An alert's id. A whole one need not be in sight.
pub(super) async fn alert(desk: &Desk<'_>, asked: &str) -> Result<AlertId, Failure> {
    match asked.parse::<AlertId>() {
        Ok(id) if id.as_str().len() >= ALERT_ID => return Ok(id),
        Err(_) if !AlertId::PREFIX.starts_with(&asked.to_ascii_lowercase()) => {
            return Err(Failure::Missing(format!("an alert {}: want a- and seven more", sanitise(asked))));
        }
        _ => {}
    }
    let around = desk.client.surrounding().await.map_err(|refusal| failure(&refusal, Asked::Look))?;
    let id = one("alert", asked, around.alerts.iter().map(|alert| alert.id.as_str()))?;
    id.parse().map_err(|_| Failure::Missing(format!("an alert {id}")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_for_itself_before_it_stands_for_a_longer_one() {
        let known = ["fx-12", "fx-1", "fx-130"];
        assert_eq!(one("fix", "FX-1", known).unwrap(), "fx-1");
        assert_eq!(one("fix", "fx-13", known).unwrap(), "fx-130");
    }

    #[test]
    fn what_fits_several_or_none_says_so() {
        let several = one("fix", "fx-1", ["fx-12", "fx-130"]).unwrap_err();
        assert_eq!((several.exit_code(), several.to_string()), (2, "tell which fix: fx-1 fits fx-12, fx-130".into()));
        let none = one("fix", "fx-9\u{1b}[2J", ["fx-12"]).unwrap_err();
        assert_eq!(none.exit_code(), 3);
        assert!(!none.to_string().contains('\u{1b}'), "{none}");
    }
}
