//! What surrounds all fixes: the switch, suppressions, windows in which nothing starts.

use serde_json::{Value, json};
use stella_protocol::Text;
use stella_protocol::fix::{MaintenanceRequest, SwitchRequest};

use super::decide::CHANGE;
use super::refused::{Asked, failure};
use super::{Desk, Failure, Form, Lift, Why, Window, find, page, remark};
use crate::client::fixes::{Surrounding, Wire};

/// Nothing matched.
const NOTHING: u8 = 3;

/// `fixes off`, `fixes on`.
pub(super) async fn switch(desk: &mut Desk<'_>, on: bool, why: &Why) -> Result<u8, Failure> {
    let request = SwitchRequest { on, reason: Text::from(why.reason.clone()) };
    let answer = desk.client.switch_fixes(CHANGE, &request).await;
    let remedy = answer.map_err(|refusal| failure(&refusal, Asked::Change))?;
    match desk.form {
        Form::Json => desk.object(&remedy.body)?,
        Form::Table => desk.lines(&page::switch(&remedy.read))?,
    }
    Ok(0)
}

/// `fixes suppressions`.
pub(super) async fn suppressions(desk: &mut Desk<'_>) -> Result<u8, Failure> {
    let around = surrounding(desk).await?;
    let suppressions = &around.read.remedy.suppressions;
    match desk.form {
        Form::Json => desk.object(&listed(&around.body, "/remedy/suppressions"))?,
        Form::Table if suppressions.is_empty() => remark("nothing is suppressed"),
        Form::Table => desk.lines(&page::suppressions(suppressions))?,
    }
    Ok(if suppressions.is_empty() { NOTHING } else { 0 })
}

/// `fixes lift`.
pub(super) async fn lift(desk: &mut Desk<'_>, lift: &Lift) -> Result<u8, Failure> {
    let around = surrounding(desk).await?.read;
    let known = around.remedy.suppressions.iter().map(|suppression| suppression.id.raw());
    let id = find::one("suppression", &lift.id, known)?;
    let is_id = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_id {
        return Err(Failure::Missing("a suppression whose id can stand in an address".to_owned()));
    }
    let answer = desk.client.lift_suppression(CHANGE, id).await;
    let remedy = answer.map_err(|refusal| failure(&refusal, Asked::Change))?;
    match desk.form {
        Form::Json => desk.object(&remedy.body)?,
        Form::Table => desk.lines(&[format!("{id} lifted")])?,
    }
    Ok(0)
}

/// `fixes maintenance`.
pub(super) async fn maintenance(desk: &mut Desk<'_>, window: &Window) -> Result<u8, Failure> {
    let around = surrounding(desk).await?;
    if !window.is_new() {
        let windows = &around.read.remedy.maintenance;
        match desk.form {
            Form::Json => desk.object(&listed(&around.body, "/remedy/maintenance"))?,
            Form::Table if windows.is_empty() => remark("there is no window"),
            Form::Table => desk.lines(&page::windows(windows))?,
        }
        return Ok(if windows.is_empty() { NOTHING } else { 0 });
    }
    let request = request(window, &around.read);
    let answer = desk.client.put_maintenance(CHANGE, &request).await;
    let kept = answer.map_err(|refusal| failure(&refusal, Asked::Change))?;
    match desk.form {
        Form::Json => desk.object(&kept.body)?,
        Form::Table => desk.lines(&page::windows(std::slice::from_ref(&kept.read)))?,
    }
    Ok(0)
}

/// A length counts from the beginning of the window, by the server's clock.
fn request(window: &Window, around: &Surrounding) -> MaintenanceRequest {
    let begins = window.from.unwrap_or(around.server_time);
    let text = |text: &Option<String>| Text::from(text.clone().unwrap_or_default());
    MaintenanceRequest {
        target: text(&window.target),
        from: window.from,
        until: window.until.unwrap_or_else(|| begins.plus_millis(window.lasts.unwrap_or_default())),
        reason: text(&window.reason),
    }
}

async fn surrounding(desk: &Desk<'_>) -> Result<Wire<Surrounding>, Failure> {
    desk.client.surrounding().await.map_err(|refusal| failure(&refusal, Asked::Look))
}

/// A part of a snapshot as a list of its own.
fn listed(body: &Value, pointer: &str) -> Value {
    let items = body.pointer(pointer).cloned().unwrap_or_else(|| json!([]));
    json!({ "items": items, "next": null })
}

#[cfg(test)]
mod tests {
    use stella_protocol::Timestamp;

    use super::*;

    #[test]
    fn a_length_counts_from_the_beginning_of_the_window_by_the_servers_clock() {
        let at = Timestamp::from_millis;
        let around = Surrounding { server_time: at(1_000_000), alerts: Vec::new(), remedy: Default::default() };
        let window = Window { target: None, from: None, until: None, lasts: Some(60_000), reason: None };
        let now = request(&window, &around);
        assert_eq!((now.from, now.until), (None, at(1_060_000)));
        let later = request(&Window { from: Some(at(5_000_000)), ..window }, &around);
        assert_eq!((later.from, later.until), (Some(at(5_000_000)), at(5_060_000)));
    }
}
