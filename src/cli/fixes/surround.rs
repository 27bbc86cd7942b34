//! What surrounds all fixes: the switch, suppressions, windows in which nothing starts.

use stella_protocol::fix::{MaintenanceRequest, SwitchRequest};
use stella_protocol::{Text, Timestamp};

use super::{Failure, Lift, Sheet, Why, Window, WindowVerb, page};
use crate::cli::refused::Asked;
use crate::cli::sheet::CHANGE;
use crate::cli::short::one;

/// `fixes off`, `fixes on`.
pub(super) async fn switch(sheet: &mut Sheet<'_>, on: bool, why: &Why) -> Result<u8, Failure> {
    let request = SwitchRequest { on, reason: Text::from(why.reason.clone()) };
    let answer = sheet.client.switch_fixes(CHANGE, &request).await;
    let remedy = Asked::Change.of(answer)?;
    sheet.say(&remedy.body, || page::switch(&remedy.read))
}

/// `fixes suppressions`.
pub(super) async fn suppressions(sheet: &mut Sheet<'_>) -> Result<u8, Failure> {
    let listed = Asked::Look.of(sheet.client.suppressions().await)?;
    let items = &listed.read.items;
    sheet.list(&listed.body, "nothing is suppressed", || page::suppressions(items))
}

/// `fixes lift`.
pub(super) async fn lift(sheet: &mut Sheet<'_>, lift: &Lift) -> Result<u8, Failure> {
    let known = Asked::Look.of(sheet.client.suppressions().await)?.read.items;
    let id = one("suppression", &lift.id, known.iter().map(|suppression| suppression.id.raw()))?;
    if !can_stand_in_an_address(id) {
        return Err(Failure::Missing("a suppression with an id like sup-1".to_owned()));
    }
    let answer = sheet.client.lift_suppression(CHANGE, id).await;
    let remedy = Asked::Change.of(answer)?;
    sheet.say(&remedy.body, || vec![format!("{id} lifted")])
}

fn can_stand_in_an_address(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `fixes maintenance end`.
async fn end(sheet: &mut Sheet<'_>, asked: &str) -> Result<u8, Failure> {
    let known = Asked::Look.of(sheet.client.maintenance().await)?.read.items;
    let id = one("window", asked, known.iter().map(|window| window.id.raw()))?;
    if !can_stand_in_an_address(id) {
        return Err(Failure::Missing("a window with an id like win-1".to_owned()));
    }
    let answer = sheet.client.end_maintenance(CHANGE, id).await;
    let remedy = Asked::Change.of(answer)?;
    sheet.say(&remedy.body, || vec![format!("{id} ended")])
}

/// `fixes maintenance`.
pub(super) async fn maintenance(sheet: &mut Sheet<'_>, window: &Window) -> Result<u8, Failure> {
    if let Some(WindowVerb::End { id }) = &window.verb {
        return end(sheet, id).await;
    }
    if window.is_new() {
        return begin(sheet, window).await;
    }
    let listed = Asked::Look.of(sheet.client.maintenance().await)?;
    let items = &listed.read.items;
    sheet.list(&listed.body, "there is no window", || page::windows(items))
}

async fn begin(sheet: &mut Sheet<'_>, window: &Window) -> Result<u8, Failure> {
    let around = Asked::Look.of(sheet.client.surrounding().await)?;
    let request = request(window, around.server_time);
    let answer = sheet.client.put_maintenance(CHANGE, &request).await;
    let kept = Asked::Change.of(answer)?;
    sheet.say(&kept.body, || page::windows(std::slice::from_ref(&kept.read)))
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
