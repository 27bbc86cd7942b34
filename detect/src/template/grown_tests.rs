#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::grown::{TemplateId, Templates};
use super::{LONGEST, scan};

fn masked(message: &str) -> String {
    let mut templates = Templates::new(16);
    let id = templates.learn(message);
    templates.text(id).unwrap_or_default()
}

#[test]
fn values_are_told_by_their_shape() {
    for (message, template) in [
        ("", ""),
        ("shutdown complete", "shutdown complete"),
        ("Took 19.84 seconds to build", "Took <*> to build"),
        ("free 14.0 KB, used 935 B.", "free <*>, used <*>."),
        ("wrote 12 MB/s for <1 sec", "wrote <*> for <*>"),
        ("sent 1293 bytes (1.26 KB) to peer", "sent <*> to peer"),
        ("from 192.0.2.7 (gate.example.net) at Sat Jul  9 12:16:49 2005", "from <*> at <*>"),
        ("from 192.0.2.7 () at noon", "from <*> at noon"),
        ("rank 0, symbol 24, bit 1", "rank <*>, symbol <*>, bit <*>"),
        ("ask 10.0.0.1:50 to delete blk_1 blk_-2, blk_3", "ask <*> to delete <*>"),
        ("ids [1, 2, 3] of (4; 5)", "ids [<*>] of (<*>)"),
        ("uid=0 tty= user=root x = 4,y=\"a b\" z=[p, q]", "uid=<*> tty=<*> user=<*> x =<*>,y=<*> z=<*>"),
        ("a == b and c => d", "a == b and c => d"),
        ("loading ./lib and /srv/www/x?a=1&b=2 and http://e.org/p?q=r", "loading <*> and <*> and <*>"),
        ("read C:\\Windows\\x.dll by ana@example.org", "read <*> by <*>"),
        ("load/store of type double-hummer", "load/store of type double-hummer"),
        ("cannot read 'tax_id' of \"a b\"; it's odd", "cannot read <*> of <*>; it's odd"),
        ("\"GET /v2/x HTTP/1.1\" 200", "\"GET <*>\" <*>"),
        ("{\"name\": \"a b\", \"on\":true}", "{name: <*>, on:<*>}"),
        ("enable.......1", "enable.......<*>"),
        ("action:Start code:17 at FF:F2:9F", "action:Start code:<*> at <*>"),
        ("std::mutex held; Foo::bar(int) called", "std::mutex held; Foo::bar(<*>) called"),
        ("2 error(s) in chdir(home)", "<*> error(s) in chdir(<*>)"),
        ("for invalid user bob from", "for invalid user <*> from"),
        ("password for root from 192.0.2.7", "password for <*> from <*>"),
        ("waiting for data from upstream", "waiting for data from upstream"),
        ("host db.internal.example is gone", "host <*> is gone"),
        ("digest deadbeefcafe was seen", "digest <*> was seen"),
        ("[req-12ab-9 - - -] [7] said so", "said so"),
        ("[x.c:12]: swept", "swept"),
        ("7 relay.go:12] said so", "said so"),
        ("7 relays: 12] said so", "<*> relays: <*>] said so"),
        ("[instance: 7f3a-1] said so", "[instance: <*>] said so"),
        ("[12]", "[<*>]"),
        ("reload7 12", "reload<*>"),
        ("tried <*> times", "tried <*> times"),
    ] {
        assert_eq!(masked(message), template, "{message}");
    }
}

#[test]
fn a_group_that_is_said_over_and_over_counts_once() {
    let mut templates = Templates::new(16);
    let once = templates.learn("seen iar 0x1, dear 0x2 iar 0x3, dear 0x4");
    assert_eq!(once, templates.learn("seen iar 0x1, dear 0x2 iar 0x3, dear 0x4 iar 0x5, dear 0x6 iar 0x7, dear 0x8"));
}

#[test]
fn words_that_differ_are_two_templates_until_there_are_eight() {
    let mut templates = Templates::new(100);
    let names = ["ana", "bob", "cleo", "dan", "eva", "fay", "gus", "hal"];
    let ids: Vec<TemplateId> = names.iter().map(|name| templates.learn(&format!("{name} closed the door"))).collect();
    assert_eq!(ids[..7].iter().collect::<std::collections::BTreeSet<_>>().len(), 7);
    assert_eq!(ids[7], ids[0]);
    assert_eq!((templates.len(), templates.count(ids[0])), (1, 8));
    for id in ids {
        assert_eq!(templates.text(id).as_deref(), Some("<*> closed the door"));
    }
    assert_eq!(templates.learn("ian closed the door"), templates.learn("bob closed the door"));
    assert_ne!(templates.learn("ian closed the window"), templates.learn("ian closed the door"));
}

#[test]
fn words_with_little_in_common_stay_apart() {
    let mut templates = Templates::new(100);
    for verb in ["open", "read", "write", "close", "seek", "stat", "sync", "lock", "map", "link"] {
        templates.learn(&format!("failed {verb}"));
    }
    assert_eq!(templates.len(), 10);
}

#[test]
fn a_place_that_takes_values_takes_a_word() {
    let mut templates = Templates::new(100);
    let first = templates.learn("no link on device eth0 found");
    assert_eq!(templates.learn("no link on device lo found"), first);
    assert_eq!(templates.text(first).as_deref(), Some("no link on device <*> found"));
    let word = templates.learn("no room on disk main left");
    assert_eq!(templates.learn("no room on disk 7 left"), word);
    assert_eq!(templates.text(word).as_deref(), Some("no room on disk <*> left"));
}

#[test]
fn what_a_line_said_first_stays_as_example() {
    let mut templates = Templates::new(16);
    let id = templates.learn("job 7 of 'main queue' took 12 ms");
    templates.learn("job 8 of 'other' took 1 ms");
    assert_eq!(templates.examples(id), ["7", "main queue", "12"]);
    assert_eq!(templates.rows().iter().map(|row| row.count).collect::<Vec<_>>(), [2]);
    assert_eq!(templates.find("job 9 of 'x' took 3 s"), Some(id));
    assert_eq!(templates.find("never said"), None);
}

/// Words that nobody said before, without a digit.
fn invented(nth: u64) -> String {
    let mut state = nth;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (0..5).map(|at| char::from(b'g' + ((state >> (20 + 8 * at)) % 20) as u8)).collect::<String>()
    };
    format!("{} {} {} {}", word(), word(), word(), word())
}

fn real(nth: usize) -> String {
    format!("the {} failed in a way of its own", ["pump", "valve", "boiler", "fan", "belt"][nth % 5])
}

fn within_its_bound(templates: &Templates) {
    let bound = templates.bound;
    assert!(templates.len() <= bound && templates.slots.len() <= bound);
    assert!(templates.forms.len() <= 16 * bound && templates.ids.len() <= 64 * bound);
    assert!(templates.probation.len() <= 3 * bound && templates.lexicon.len() <= 64 * bound);
}

#[test]
fn invented_messages_stay_within_the_bound_and_push_out_nothing_that_is_known() {
    let mut templates = Templates::new(128);
    let known: Vec<TemplateId> = (0..5).map(|nth| templates.learn(&real(nth))).collect();
    (0..5).for_each(|nth| assert_eq!(templates.learn(&real(nth)), known[nth]));
    for nth in 0..100_000 {
        templates.learn(&invented(nth));
    }
    within_its_bound(&templates);
    assert!(templates.evicted() > 90_000);
    (0..5).for_each(|nth| assert_eq!(templates.learn(&real(nth)), known[nth]));
}

#[test]
fn what_was_known_for_long_outlasts_a_flood_that_repeats_itself() {
    let mut templates = Templates::new(128);
    let mut known = Vec::new();
    for nth in 0..30_000 {
        let id = templates.learn(&real(nth));
        known.truncate(5);
        known.resize(5, id);
        known[nth % 5] = id;
    }
    for nth in 0..14_000 {
        templates.learn(&invented(nth));
        templates.learn(&invented(nth));
    }
    within_its_bound(&templates);
    (0..5).for_each(|nth| assert_eq!(templates.learn(&real(nth)), known[nth]));
}

#[test]
fn what_is_silent_for_longer_than_it_was_known_makes_room() {
    let mut templates = Templates::new(16);
    for nth in 0..12 {
        templates.learn(&invented(nth));
        templates.learn(&invented(nth));
    }
    let old = templates.learn(&invented(0));
    for nth in 100..4_000 {
        templates.learn(&invented(nth));
        templates.learn(&invented(nth));
    }
    assert_ne!(templates.learn(&invented(0)), old);
    assert_eq!(templates.text(old), None);
    within_its_bound(&templates);
}

#[test]
fn a_line_of_a_megabyte_costs_its_first_words_only() {
    let mut templates = Templates::new(16);
    for line in ["x".repeat(1 << 20), "1 ".repeat(1 << 19), "=".repeat(1 << 20), "((".repeat(1 << 19)] {
        let id = templates.learn(&line);
        assert!(templates.text(id).is_some_and(|text| text.len() <= 4 * LONGEST));
    }
    let long = |end: &str| format!("{} {end}", "word ".repeat(200));
    assert_eq!(templates.learn(&long("one")), templates.learn(&long("other")));
}

fn replay(messages: &[String], templates: &mut Templates) -> Vec<TemplateId> {
    messages.iter().map(|message| templates.learn(message)).collect()
}

#[test]
fn what_was_written_down_goes_on_as_if_nothing_had_happened() {
    let message = |nth: u64| match nth % 4 {
        0 => invented(nth % 700),
        1 => format!("{} closed the door", &invented(nth)[..5]),
        2 => format!("job {nth} took {nth} ms"),
        _ => real(nth as usize),
    };
    let messages: Vec<String> = (0..6_000).map(message).collect();
    let mut whole = Templates::new(64);
    replay(&messages[..3_000], &mut whole);
    let bytes = serde_json::to_vec(&whole).unwrap_or_default();
    let mut restored: Templates = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(serde_json::to_vec(&restored).unwrap_or_default(), bytes);
    assert_eq!(replay(&messages[3_000..], &mut restored), replay(&messages[3_000..], &mut whole));
    assert_eq!(serde_json::to_vec(&restored).unwrap_or_default(), serde_json::to_vec(&whole).unwrap_or_default());
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let mut templates = Templates::new(16);
    (0..40).for_each(|nth| _ = templates.learn(&invented(nth)));
    let written = serde_json::to_value(&templates).unwrap_or_default();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = written.clone();
        change(&mut changed);
        serde_json::from_value::<Templates>(changed).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|value| value["bound"] = 3.into()));
    assert!(refused(&|value| value["hand"] = 99.into()));
    assert!(refused(&|value| value["free"] = serde_json::json!([0])));
    assert!(refused(&|value| value["next"] = 1.into()));
    assert!(refused(&|value| value["templates"][0]["slot"] = 1.into()));
    assert!(refused(&|value| value["templates"][0]["open"] = (1_u64 << 60).into()));
    assert!(refused(&|value| value["templates"][0]["ids"] = serde_json::json!([])));
    assert!(refused(&|value| value["templates"][0]["forms"] = value["templates"][1]["forms"].clone()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_has_a_template_that_is_its_own(message in "\\PC{0,60}|[a-zA-Z0-9=:/.,()\\[\\]<>\"'* -]{0,60}|([a-z]{1,6}[ =:(]{1,2}[0-9a-z.\"]{0,4}[ ,)]){0,8}") {
        let mut templates = Templates::new(64);
        let id = templates.learn(&message);
        prop_assert_eq!(templates.learn(&message), id);
        let text = templates.text(id).unwrap_or_default();
        prop_assert_eq!(templates.learn(&text), id, "{:?} became {:?}", message, text);
        prop_assert_eq!(templates.len(), 1);
    }

    #[test]
    fn the_same_lines_give_the_same_ids(messages in proptest::collection::vec("[ab] [a-d] (x|7) [a-z]{1,2}", 1..200)) {
        let (mut one, mut two) = (Templates::new(20), Templates::new(20));
        prop_assert_eq!(replay(&messages, &mut one), replay(&messages, &mut two));
        within_its_bound(&one);
    }

    #[test]
    fn values_told_stand_in_the_message(message in "\\PC{0,80}") {
        let mut inside = true;
        scan::values(message.as_bytes(), |from, to| inside &= message.get(from..to).is_some());
        prop_assert!(inside);
    }
}
