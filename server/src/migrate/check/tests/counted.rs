//! Documents that become one, that others write meanwhile, and that are archived: each is counted once.

use super::*;

/// Settings of one person under three ids; the newest has the highest number.
fn thrice(newest: [u32; 3]) -> World {
    let at = |ago: u32| format!("2025-11-0{ago}T10:00:00Z");
    let ids = [old_id(0), number(0), new_id(0)];
    let all = ids.iter().zip(newest).filter(|(_, ago)| *ago > 0);
    World::migrated(
        1,
        all.map(|(id, ago)| document(&format!("settings/{id}"), u64::from(ago), json!({"by": id, "at": at(ago)})))
            .collect(),
    )
}

fn counts(world: &World) -> (i64, i64, u64) {
    let (_, verification, tally) = world.verified();
    assert_eq!(verification.differences, 0, "{:?}", verification.first);
    let (_, expected, now) = tally.of_one(&new_id(0))[0];
    let told = verification.checks.iter().find(|check| check.raw().contains("became one")).map(Text::raw);
    let became = told.and_then(|told| told.split("before, ").nth(1)?.split(' ').next()?.parse().ok());
    (expected, now, became.unwrap_or(0))
}

#[test]
fn documents_that_became_one_are_one_whichever_of_them_stayed() {
    // Copied first and stayed; copied first and was replaced; stood there, stayed; stood there, was replaced.
    for newest in [[2, 1, 0], [1, 2, 0], [1, 2, 3], [1, 3, 2], [3, 2, 1], [2, 2, 0]] {
        let mut world = thrice(newest);
        let became = newest.iter().filter(|ago| **ago > 0).count() as u64 - 1;
        assert_eq!(world.found(), [], "{newest:?}");
        assert_eq!(counts(&world), (1, 1, became), "{newest:?}");
        for id in [old_id(0), number(0)] {
            world.bury(&format!("settings/{id}"));
            assert_eq!(counts(&world), (1, 1, became), "{newest:?}, a tombstone");
        }
    }
}

#[test]
fn what_became_one_stays_one_when_others_go_on_writing_it() {
    let mut world = thrice([2, 1, 0]);
    world.edit(&format!("settings/{}", new_id(0)), "theme", json!("light"));
    assert_eq!(world.found(), []);
    assert_eq!(counts(&world), (1, 1, 1));
    world.edit(&format!("settings/{}", number(0)), "at", json!("2025-11-09T10:00:00Z"));
    assert_eq!(world.found(), [pair("old id", &format!("settings/{}", number(0)))], "a late writer's is newer");
}

#[test]
fn a_tombstone_that_somebody_wrote_over_is_another_document() {
    let mut world = small();
    world.bury(&format!("settings/{}", old_id(1)));
    world.edit(&format!("settings/{}", old_id(1)), "by", json!(old_id(1)));
    assert_eq!(world.found(), [pair("stale copy", &format!("settings/{}", old_id(1)))]);
}

#[test]
fn an_original_that_others_changed_or_made_before_it_was_copied_counts_once() {
    let mut world = small();
    let at = |person| DocumentKey::new("settings", old_id(person));
    // Changed, and copied again as it is now.
    world.edit(&at(0).path(), "theme", json!("light"));
    world.migrate(world.now[&at(0)].clone());
    // Made since.
    let made = document("notes/n000099", 3, json!({"userId": old_id(2)}));
    world.now.insert(made.key.clone(), made.clone());
    world.migrate(made);
    let made = document(&format!("settings/{}", number(2)), 3, json!({"by": number(2), "at": "2025-11-09T10:00:00Z"}));
    world.before.remove(&at(2));
    world.now.retain(|key, _| *key != at(2) && *key != DocumentKey::new("settings", new_id(2)));
    world.left.remove(&DocumentKey::new("settings", new_id(2)));
    world.now.insert(made.key.clone(), made.clone());
    world.migrate(made);
    assert_eq!(world.found(), []);
    let (_, verification, tally) = world.verified();
    assert_eq!(verification.changed_since, 2, "{:?}", verification.first_changed);
    for person in [0, 2] {
        let seen = tally.of_one(&new_id(person));
        assert!(seen.iter().all(|(_, expected, now)| now == expected && *now > 0), "{seen:?}");
    }
    // What was copied and is gone is told once.
    world.now.remove(&DocumentKey::new("settings", new_id(0)));
    assert_eq!(world.found(), [pair("missing", &format!("settings/{}", new_id(0)))]);
}

#[test]
fn a_count_tells_of_one_that_is_gone_where_two_were_to_become_one() {
    let world = thrice([2, 1, 0]);
    let ids = Ids { mapping: &world.mapping, listed: &world.listed, olds: &world.olds };
    let mut judge = Judge::new(&world.map, ids, &world);
    judge.owned(&old_id(0), "settings", 1);
    judge.owned(&number(0), "settings", 1);
    let verification = judge.done(Timestamp::from_millis(1));
    assert_eq!(verification.first[0].detail.raw(), "0 are there, 2 must be");
}

#[test]
fn an_old_id_is_found_wherever_a_late_writer_left_it_but_not_where_it_was_parked() {
    let mut world = small();
    let late = note(50, &old_id(1));
    world.now.insert(late.key.clone(), late);
    world.edit("notes/n000000", "userId", json!(old_id(0)));
    world.edit(&format!("settings/{}", old_id(2)), "theme", json!("light"));
    let want = [
        pair("old id", "notes/n000000"),
        pair("old id", "notes/n000050"),
        pair("stale copy", &format!("settings/{}", old_id(2))),
    ];
    assert_eq!(world.found(), want);
    let mut world = World::migrated(1, vec![note(1, &old_id(0))]);
    let key = DocumentKey::new("notes", "n000001");
    world.left.clear();
    world.now = world.before.clone();
    assert_eq!(world.found(), [pair("old id", "notes/n000001")]);
    world.parked.insert(key);
    assert_eq!(world.found(), []);
}

#[test]
fn ids_without_a_user_may_stand_where_they_were_listed_and_no_new_one_may_come() {
    let mut world = World::migrated(1, vec![note(1, STRANGER)]);
    world.listed.insert(STRANGER.to_owned());
    assert_eq!(world.found(), []);
    let made = note(2, STRANGER);
    world.now.insert(made.key.clone(), made);
    assert_eq!(world.found(), [], "another of theirs");
    let made = note(3, "undefined");
    world.now.insert(made.key.clone(), made);
    assert_eq!(world.found(), [pair("orphan", "notes/n000003")]);
}

#[test]
fn a_count_that_is_wrong_is_told_when_no_document_is() {
    let world = small();
    let ids = Ids { mapping: &world.mapping, listed: &world.listed, olds: &world.olds };
    let mut judge = Judge::new(&world.map, ids, &world);
    judge.owned(&old_id(0), "notes", 2);
    let verification = judge.done(Timestamp::from_millis(1));
    assert_eq!((verification.differences, verification.first[0].check.raw()), (1, "owned documents"));
    assert_eq!(verification.first[0].what.raw(), format!("{} in notes", new_id(0)));
}

#[test]
fn what_an_archived_id_owns_is_marked_and_what_others_write_for_it_later_is_listed() {
    let mut shared = note(3, &old_id(0));
    shared.fields.insert("with".to_owned(), json!([STRANGER]));
    let mut marked = note(4, STRANGER);
    marked.fields.insert(ARCHIVED.to_owned(), json!("by hand"));
    let before = vec![note(1, STRANGER), note(2, STRANGER), shared, marked];
    let mut world = World::archiving(1, [STRANGER.to_owned()], before);
    world.listed.insert(STRANGER.to_owned());
    assert_eq!(world.found(), []);
    let is_marked = |world: &World, number: usize| {
        world.now[&DocumentKey::new("notes", format!("n{number:06}"))].fields.contains_key(ARCHIVED)
    };
    assert_eq!([1, 2, 3, 4].map(|number| is_marked(&world, number)), [true, true, false, true]);
    // Somebody takes one back out, and one more is written for it.
    let taken_out = world.now.get_mut(&DocumentKey::new("notes", "n000001")).unwrap();
    taken_out.version += 1;
    taken_out.fields.remove(ARCHIVED);
    let late = note(9, STRANGER);
    world.now.insert(late.key.clone(), late);
    assert_eq!(world.found(), []);
    assert_eq!(world.verified().1.changed_since, 2);
    // One that nobody touched and that the copy forgot.
    let key = DocumentKey::new("notes", "n000002");
    world.now.insert(key.clone(), world.before[&key].clone());
    world.left.remove(&key);
    assert_eq!(world.found(), [pair("not archived", "notes/n000002")]);
}
