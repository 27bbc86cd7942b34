//! Questions: which fixes there are, one of them, what can be proposed.

use serde_json::{Value, json};
use stella_protocol::FixStatus;
use stella_protocol::fix::FixPlan;

use super::{Definition, Failure, Ls, One, Sheet, find, page, remark};
use crate::cli::refused::Asked;
use crate::cli::short::one;
use crate::client::fixes::FixAsk;

/// Most fixes that are asked for at once.
const PAGE: u32 = 200;

/// `fixes ls`.
pub(super) async fn ls(sheet: &mut Sheet<'_>, ls: &Ls) -> Result<u8, Failure> {
    let status: Vec<FixStatus> = match (&ls.status[..], ls.all) {
        ([], true) => Vec::new(),
        ([], false) => FixStatus::ALL.into_iter().filter(|status| status.is_open()).collect(),
        (named, _) => named.to_vec(),
    };
    let alert = match &ls.alert {
        Some(alert) => Some(find::alert(sheet, alert).await?),
        None => None,
    };
    let mut ask = FixAsk { status: status.iter().map(|status| status.word()).collect(), alert, ..FixAsk::default() };
    let (mut bodies, mut fixes) = (Vec::new(), Vec::new());
    let wanted = ls.limit as usize;
    while fixes.len() < wanted {
        ask.limit = PAGE.min((wanted - fixes.len()) as u32);
        let page = Asked::Look.of(sheet.client.fix_page(&ask).await)?;
        bodies.extend(page.body.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
        fixes.extend(page.read.items);
        ask.after = page.read.next;
        if ask.after.is_none() {
            break;
        }
    }
    let code = sheet.list(&json!({ "items": bodies, "next": ask.after }), &ls.none(), || page::fixes(&fixes))?;
    if ask.after.is_some() {
        remark("there are more: raise --limit");
    }
    Ok(code)
}

impl Ls {
    /// That there is none of those that were asked for.
    fn none(&self) -> String {
        let of = self.alert.as_ref().map(|alert| format!(" of {alert}")).unwrap_or_default();
        let states: Vec<String> = self.status.iter().map(|status| status.word().replace('_', " ")).collect();
        match (self.all, states.is_empty()) {
            (true, _) => format!("there is no fix{of}"),
            (false, true) => format!("no fix{of} is open"),
            (false, false) => format!("no fix{of} is {}", states.join(" or ")),
        }
    }
}

/// `fixes show`.
pub(super) async fn show(sheet: &mut Sheet<'_>, one: &One) -> Result<u8, Failure> {
    let review = find::fix(sheet, &one.id).await?;
    sheet.say(&review.body, || page::review(&review.read, is_whole(&review.read.fix.plan, &review.body)))
}

/// True when everything that stands in the plan was read: nothing of it is left out where it is shown.
pub(super) fn is_whole(plan: &FixPlan, review: &Value) -> bool {
    let Ok(read) = serde_json::to_value(plan) else { return false };
    review.pointer("/fix/plan").is_some_and(|sent| *sent == read)
}

/// `fixes definitions`.
pub(super) async fn definitions(sheet: &mut Sheet<'_>, asked: &Definition) -> Result<u8, Failure> {
    let page = Asked::Look.of(sheet.client.fix_definitions().await)?;
    let Some(id) = &asked.id else {
        let none = "nothing can be proposed: there is no definition";
        return sheet.list(&page.body, none, || page::definitions(&page.read.items));
    };
    let items = &page.read.items;
    let id = one("definition", id, items.iter().map(|definition| definition.id.raw()))?;
    let place = items.iter().position(|definition| definition.id.raw() == id);
    let missing = || Failure::Missing("the definition".to_owned());
    let place = place.ok_or_else(missing)?;
    let body = page.body.pointer(&format!("/items/{place}")).ok_or_else(missing)?;
    sheet.say(body, || page::definition(&items[place]))
}
