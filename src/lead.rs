//! Who answers for a migration now, and by whose word: said by the footer and by `migrate status --follow` alike.

use stella_protocol::{Migration, Text};
use stella_widgets::text::sanitise;

/// How the migration passed from `before` to whoever leads it now; `me` is called `you`. None: it did not.
pub fn passed(before: &Text, now: &Migration, me: &str) -> Option<String> {
    if *before == now.leader {
        return None;
    }
    let is_me = |name: &Text| !me.is_empty() && name.raw().to_lowercase() == me.to_lowercase();
    let named = |name: &Text| if is_me(name) { "you".to_owned() } else { sanitise(name.raw()).into_string() };
    let (id, leader) = (&now.id, named(&now.leader));
    let by = now.trail.last().map(|last| &last.by);
    Some(match by {
        Some(by) if *by == now.leader && is_me(before) => format!("{leader} took {id} over from you"),
        Some(by) if *by == now.leader => format!("{leader} took {id} over"),
        Some(by) if is_me(before) && by != before => {
            format!("{} handed {id} over from you to {leader}", named(by))
        }
        Some(by) => format!("{} handed {id} over to {leader}", named(by)),
        None => format!("{id} passed to {leader}"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn led(leader: &str, by: Option<&str>) -> Migration {
        let at = "2026-01-01T00:00:00.000Z";
        let trail: Vec<_> = by.into_iter().map(|by| json!({"at": at, "by": by, "what": "leads"})).collect();
        serde_json::from_value(json!({
            "id": "mig-7", "kind": "user_ids", "target": "demo", "mapTitle": "m", "status": "copying",
            "createdBy": "op", "createdAt": at, "leader": leader, "limits": {"canary": 3, "soakMs": 60_000},
            "next": {"words": ""}, "trail": trail, "version": 1
        }))
        .unwrap()
    }

    #[test]
    fn both_sides_of_a_passing_on_are_told_who_did_it() {
        let said = |before: &'static str, leader, by, me| passed(&Text::from(before), &led(leader, Some(by)), me);
        for (before, leader, by, me, words) in [
            ("ana", "bo", "ana", "bo", "ana handed mig-7 over to you"),
            ("ana", "bo", "ana", "", "ana handed mig-7 over to bo"),
            ("ana", "bo", "zoe", "ana", "zoe handed mig-7 over from you to bo"),
            ("ana", "bo", "bo", "Ana", "bo took mig-7 over from you"),
            ("ana", "bo", "bo", "zoe", "bo took mig-7 over"),
        ] {
            assert_eq!(said(before, leader, by, me).as_deref(), Some(words));
        }
        assert_eq!(said("ana", "ana", "bo", "ana"), None);
        let none = passed(&Text::from("ana"), &led("b\u{1b}[2Jo", None), "");
        assert_eq!(none.as_deref(), Some("mig-7 passed to b^[[2Jo"));
    }
}
