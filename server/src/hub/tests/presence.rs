//! Who looks at what, as readers of the feed are told. How long somebody stays there without a word is
//! tested with the time told to the room itself ([`crate::presence`]) and here to the hub.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stella_protocol::{Code, PresenceRequest, Role};

use super::{CursorAsk, Filter, House, Kinds, Subscription, frames, named, who};
use crate::presence::GONE_AFTER;

fn looks(console: &str, object: &str) -> PresenceRequest {
    serde_json::from_value(json!({ "console": console, "screen": "migrations", "object": object })).unwrap()
}

/// The next that is told: who, and what they look at.
async fn told(reader: &mut Subscription) -> Vec<(String, String)> {
    let body: Value = serde_json::from_str(&named(reader, "presence").await).unwrap();
    let word = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    body["consoles"].as_array().unwrap().iter().map(|one| (word(one, "who"), word(one, "object"))).collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(who, object)| ((*who).to_owned(), (*object).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_readers_are_told_who_comes_and_goes_and_the_journal_is_not() {
    let house = House::new();
    let head = house.hub.head();
    let mut readers = [house.hub.subscribe(CursorAsk::None), house.hub.subscribe(CursorAsk::None)];
    house.hub.attend(&who("ana", Role::Viewer), looks("con-1", "mig-7")).unwrap();
    house.hub.attend(&who("bo", Role::Admin), looks("con-2", "mig-7")).unwrap();
    for reader in &mut readers {
        assert_eq!(told(reader).await, pairs(&[("ana", "mig-7")]));
        assert_eq!(told(reader).await, pairs(&[("ana", "mig-7"), ("bo", "mig-7")]), "a second later");
    }
    assert_eq!(house.hub.in_sight().presence.len(), 2);

    let later = Instant::now() + GONE_AFTER + Duration::from_secs(1);
    house.hub.shared.tell_presence(later);
    for reader in &mut readers {
        assert_eq!(told(reader).await, [], "nobody said a word since");
    }
    assert_eq!(house.hub.in_sight().presence, []);
    assert_eq!(house.hub.head().cursor, head.cursor, "nothing of it is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_is_told_first_who_is_there_and_an_empty_room_is_silent() {
    let house = House::new();
    let at = CursorAsk::At(house.hub.head().cursor);
    let only = |names: &str| Filter { kinds: Kinds::read(names), ..Filter::default() };
    let mut early = house.hub.subscribe(at).only(only("presence"));
    house.hub.attend(&who("ana", Role::Viewer), looks("con-1", "fx-1")).unwrap();
    let mut late = house.hub.subscribe(at).only(only("presence"));
    let mut deaf = house.hub.subscribe(at).only(only("alert"));
    for reader in [&mut early, &mut late] {
        let first = frames(reader).await;
        let names: Vec<(&str, bool)> = first.iter().map(|(id, name, _)| (name.as_str(), id.is_some())).collect();
        assert_eq!(names, [("presence", false)]);
        assert!(first[0].2.contains(r#""who":"ana""#), "{first:?}");
    }
    house.many(1);
    assert_eq!(frames(&mut deaf).await[0].1, "alert");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_bound_and_whoever_comes_then_is_asked_to_come_again() {
    let house = House::new();
    let comes = |number: usize| house.hub.attend(&who(&format!("p{number}"), Role::Viewer), looks("con-1", "mig-1"));
    let refused: Vec<Code> = (0..1000).filter_map(|number| comes(number).err()).map(|problem| problem.code).collect();
    assert_eq!(house.hub.in_sight().presence.len() + refused.len(), 1000);
    assert!(!refused.is_empty() && refused.iter().all(|code| *code == Code::RateLimited));
    let longest = "n".repeat(64);
    let all = house.hub.in_sight().presence.into_iter().map(|one| stella_protocol::Presence {
        who: stella_protocol::Text::new(longest.clone()),
        console: stella_protocol::ConsoleId::drawn(u64::MAX),
        ..one
    });
    let event = stella_protocol::Present { consoles: all.collect() };
    assert!(serde_json::to_string(&event).unwrap().len() < 64 << 10, "an event stays below 64 KiB");
}
