//! The list of fixes: its filter, and rows that keep their places under their headings.

use serde_json::json;
use stella_protocol::{FeedEvent, FixStatus, Remedy, Role};
use stella_tui::board::link::LinkState;

use crate::remedies::{approver, fix, live, pending, queue};
use crate::scene::Scene;

/// The ids and headings of the list, top first.
fn listed(scene: &Scene) -> Vec<String> {
    let screen = scene.screen();
    let body = screen.lines().skip(4).take_while(|line| !line.starts_with("─ fx-"));
    let words = body.filter_map(|line| line.trim_start_matches(['>', '─', ' ']).split_whitespace().next());
    words.map(str::to_owned).collect()
}

#[test]
fn a_filter_counts_as_it_is_typed_is_said_and_is_peeled_first() {
    let mut scene = approver((80, 24), queue());
    scene.keys("2/risk>=hi");
    assert!(scene.screen().contains("want low, medium, high or critical"), "{}", scene.screen());
    scene.keys("<Enter>gh status=pending");
    assert!(scene.screen().contains("1 shown   status=pending risk>=high"), "{}", scene.screen());
    scene.keys("<Enter>");
    let screen = scene.screen();
    assert!(screen.contains("fixes -- risk>=high status=pending") && screen.contains("1 shown, 6 known"), "{screen}");
    assert_eq!(listed(&scene), ["waiting", "fx-12"]);
    scene.keys("/<C-u>sev>=high<Enter>");
    assert!(scene.screen().contains("no such field here: risk status type target"), "{}", scene.screen());
    scene.keys("<Esc>/<C-u>nothing-like-it<Enter>");
    assert!(scene.screen().contains("No fix that is known fits this filter."), "{}", scene.screen());
    scene.keys("<Esc>");
    assert!(listed(&scene).contains(&"fx-3".to_owned()), "Esc takes the filter off:\n{}", scene.screen());
    scene.keys("<Esc>");
    assert!(scene.screen().contains("─ alerts"), "and then leaves:\n{}", scene.screen());
}

#[test]
fn a_filter_is_said_where_all_fixes_are_off_too() {
    let off = json!({"at": "2026-01-01T00:00:00Z", "by": "op2", "reason": ""});
    let remedy: Remedy = serde_json::from_value(json!({"switchedOff": off})).unwrap();
    let mut scene = live((120, 36), queue(), remedy, Role::Approver);
    scene.keys("2/open<Enter>");
    assert!(scene.screen().contains("ALL FIXES ARE OFF -- open since"), "{}", scene.screen());
}

#[test]
fn headings_keep_their_places_with_their_rows() {
    let mut scene = approver((80, 24), vec![pending(), fix("fx-13", "pending", 2, json!({"risk": "low"}))]);
    scene.keys("2");
    scene.rest(3);
    scene.keys("j");
    let mut gone = pending();
    (gone.status, gone.version) = (FixStatus::Rejected, 4);
    scene.feed(FeedEvent::Fix(Box::new(gone)));
    assert_eq!(listed(&scene), ["waiting", "fx-12", "fx-13"], "a hand is on the keys:\n{}", scene.screen());
    assert!(scene.screen().contains("rejected"), "what it is now is said:\n{}", scene.screen());
    scene.rest(3);
    assert_eq!(listed(&scene), ["waiting", "fx-13", "ended", "fx-12"]);
}

#[test]
fn whoever_comes_back_from_a_review_finds_the_list_as_it_is() {
    let mut scene = approver((80, 24), vec![pending(), fix("fx-13", "pending", 2, json!({"risk": "low"}))]);
    scene.keys("2");
    scene.rest(3);
    scene.keys("<Enter>");
    let mut gone = pending();
    (gone.status, gone.version) = (FixStatus::Rejected, 4);
    scene.feed(FeedEvent::Fix(Box::new(gone)));
    assert_eq!(scene.model.board.link.state(scene.now), LinkState::Live);
    scene.keys("<Esc>");
    assert_eq!(listed(&scene), ["waiting", "fx-13", "ended", "fx-12"], "{}", scene.screen());
}
