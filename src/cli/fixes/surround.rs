//! What surrounds all fixes: the switch, suppressions, windows in which nothing starts.

use stella_protocol::fix::{MaintenanceRequest, SwitchRequest};
use stella_protocol::{Text, Timestamp};

use super::decide::CHANGE;
use super::refused::{Asked, failure};
use super::{Desk, Failure, Form, Lift, Why, Window, WindowVerb, find, page, remark};

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
    let listed = desk.client.suppressions().await.map_err(|refusal| failure(&refusal, Asked::Look))?;
    let items = &listed.read.items;
    match desk.form {
        Form::Json => desk.object(&listed.body)?,
        Form::Table if items.is_empty() => remark("nothing is suppressed"),
        Form::Table => desk.lines(&page::suppressions(items))?,
    }
    Ok(if items.is_empty() { NOTHING } else { 0 })
}

/// `fixes lift`.
pub(super) async fn lift(desk: &mut Desk<'_>, lift: &Lift) -> Result<u8, Failure> {
    let known = desk.client.suppressions().await.map_err(|refusal| failure(&refusal, Asked::Look))?.read.items;
    let id = find::one("suppression", &lift.id, known.iter().map(|suppression| suppression.id.raw()))?;
    if !can_stand_in_an_address(id) {
        return Err(Failure::Missing("a suppression with an id like sup-1".to_owned()));
    }
    let answer = desk.client.lift_suppression(CHANGE, id).await;
    let remedy = answer.map_err(|refusal| failure(&refusal, Asked::Change))?;
    match desk.form {
        Form::Json => desk.object(&remedy.body)?,
        Form::Table => desk.lines(&[format!("{id} lifted")])?,
    }
    Ok(0)
}

fn can_stand_in_an_address(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `fixes maintenance end`.
async fn end(desk: &mut Desk<'_>, asked: &str) -> Result<u8, Failure> {
    let known = desk.client.maintenance().await.map_err(|refusal| failure(&refusal, Asked::Look))?.read.items;
    let id = find::one("window", asked, known.iter().map(|window| window.id.raw()))?;
    if !can_stand_in_an_address(id) {
        return Err(Failure::Missing("a window with an id like win-1".to_owned()));
    }
    let answer = desk.client.end_maintenance(CHANGE, id).await;
    let remedy = answer.map_err(|refusal| failure(&refusal, Asked::Change))?;
    match desk.form {
        Form::Json => desk.object(&remedy.body)?,
        Form::Table => desk.lines(&[format!("{id} ended")])?,
    }
    Ok(0)
}

/// `fixes maintenance`.
pub(super) async fn maintenance(desk: &mut Desk<'_>, window: &Window) -> Result<u8, Failure> {
    if let Some(WindowVerb::End { id }) = &window.verb {
        return end(desk, id).await;
    }
    if window.is_new() {
        return begin(desk, window).await;
    }
    let listed = desk.client.maintenance().await.map_err(|refusal| failure(&refusal, Asked::Look))?;
    let items = &listed.read.items;
    match desk.form {
        Form::Json => desk.object(&listed.body)?,
        Form::Table if items.is_empty() => remark("there is no window"),
        Form::Table => desk.lines(&page::windows(items))?,
    }
    Ok(if items.is_empty() { NOTHING } else { 0 })
}

async fn begin(desk: &mut Desk<'_>, window: &Window) -> Result<u8, Failure> {
    let around = desk.client.surrounding().await.map_err(|refusal| failure(&refusal, Asked::Look))?;
    let request = request(window, around.server_time);
    let answer = desk.client.put_maintenance(CHANGE, &request).await;
    let kept = answer.map_err(|refusal| failure(&refusal, Asked::Change))?;
    match desk.form {
        Form::Json => desk.object(&kept.body)?,
        Form::Table => desk.lines(&page::windows(std::slice::from_ref(&kept.read)))?,
    }
    Ok(0)
}

/// A length counts from the beginning of the window, by the server's clock.
fn request(window: &Window, now: Timestamp) -> MaintenanceRequest {
    let begins = window.from.unwrap_or(now);
    let text = |text: &Option<String>| Text::from(text.clone().unwrap_or_default());
    MaintenanceRequest {
        target: text(&window.target),
        from: window.from,
        until: window.until.unwrap_or_else(|| begins.plus_millis(window.lasts.unwrap_or_default())),
        reason: text(&window.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_counts_from_the_beginning_of_the_window_by_the_servers_clock() {
        let at = Timestamp::from_millis;
        let window = Window { target: None, from: None, until: None, lasts: Some(60_000), reason: None, verb: None };
        let now = request(&window, at(1_000_000));
        assert_eq!((now.from, now.until), (None, at(1_060_000)));
        let later = request(&Window { from: Some(at(5_000_000)), ..window }, at(1_000_000));
        assert_eq!((later.from, later.until), (Some(at(5_000_000)), at(5_060_000)));
    }
}
