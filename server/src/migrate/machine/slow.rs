//! The application's own queries in the machine: which are too slow, and what is said of that.

use stella_protocol::migration::{OwnQuery, QueryVerdict};
use stella_protocol::{Migration, Text};

use super::super::MigrationState;
use super::words::count;

/// The queries that are too slow, by name.
pub(super) fn names(migration: &Migration) -> Vec<Text> {
    too_slow(migration).map(|query| query.name.clone()).collect()
}

/// Which are too slow, and by how much; None: none but those that a person lets be so.
pub(super) fn words(state: &MigrationState) -> Option<String> {
    let let_be = &state.work.accepted_slow;
    let slow: Vec<String> =
        too_slow(&state.migration).filter(|query| !let_be.contains(&query.name)).filter_map(one).collect();
    (!slow.is_empty()).then(|| slow.join("; "))
}

/// What was asked so far, for the trail.
pub(super) fn told(migration: &Migration) -> String {
    let items = migration.own_queries.as_ref().map_or(&[][..], |queries| &queries.items);
    let (asked, all) = (items.iter().filter(|one| one.before.is_some() || one.silent > 0).count(), items.len());
    match (all, items.iter().any(|one| one.after.is_some())) {
        (0, _) => "nobody asks the application: none of its queries is declared".to_owned(),
        (_, true) => format!("asked the application {asked} of its own queries again"),
        (_, false) if asked > 0 => format!("asked the application {asked} of its own queries before the first write"),
        (1, false) => "the application will be asked 1 query of its own".to_owned(),
        _ => format!("the application will be asked {all} queries of its own"),
    }
}

fn too_slow(migration: &Migration) -> impl Iterator<Item = &OwnQuery> {
    let items = migration.own_queries.iter().flat_map(|queries| &queries.items);
    items.filter(|query| query.change.is_some_and(|change| change.verdict == QueryVerdict::TooSlow))
}

fn one(query: &OwnQuery) -> Option<String> {
    let change = query.change?;
    let [by, low, high] = [change.ratio, change.low, change.high].map(|ratio| ((ratio - 1.0) * 100.0).round());
    let users = count(change.users, "user");
    Some(format!("{} of the application takes {by} % longer ({low} to {high} %, {users})", query.name.raw()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::{MigrationStatus, MigrationVerb};

    use super::super::sample::{Tale, found, queries};
    use super::*;
    use crate::migrate::Event;

    fn verified(ratio: f64) -> Tale {
        let mut tale = Tale::at(MigrationStatus::Verifying);
        asked(&mut tale, ratio);
        tale
    }

    fn asked(tale: &mut Tale, ratio: f64) {
        let fence = tale.state.work.fence;
        tale.tell(&Event::Asked { fence, queries: Some(queries(ratio)) });
        tale.tell(&Event::Verified { fence, found: found(0) });
    }

    #[test]
    fn a_query_that_became_too_slow_holds_a_migration_without_a_difference_until_a_person_lets_it_be() {
        let mut tale = verified(1.4);
        assert_eq!(tale.status(), MigrationStatus::Halted);
        let why = tale.state.migration.result.raw().to_owned();
        assert!(why.contains("list of the application takes 40 % longer (35 to 45 %, 20 users)"), "{why}");
        assert!(tale.state.migration.next.words.raw().contains("lets it be"), "{:?}", tale.state.migration.next);
        assert!(tale.tries(&Event::Decided(super::super::sample::decision(MigrationVerb::Cutover))).is_err());
        tale.says(MigrationVerb::Resume);
        tale.claim();
        asked(&mut tale, 1.5);
        assert_eq!(tale.status(), MigrationStatus::Verified);
    }

    #[test]
    fn what_is_as_fast_holds_nothing_and_another_query_that_is_slow_holds_again() {
        assert_eq!(verified(1.0).status(), MigrationStatus::Verified);
        let mut tale = verified(1.4);
        tale.says(MigrationVerb::Resume);
        tale.claim();
        let mut others = queries(1.4);
        others.items[0].name = "load".into();
        let fence = tale.state.work.fence;
        tale.tell(&Event::Asked { fence, queries: Some(others) });
        tale.tell(&Event::Verified { fence, found: found(0) });
        assert_eq!(tale.status(), MigrationStatus::Halted);
        assert!(words(&tale.state).unwrap().starts_with("load of the application"));
    }

    #[test]
    fn the_same_answers_twice_are_no_second_step() {
        let mut tale = Tale::at(MigrationStatus::Verifying);
        let event = Event::Asked { fence: tale.state.work.fence, queries: Some(queries(1.0)) };
        assert_eq!(tale.tell(&event).effects.len(), 1);
        assert!(tale.tell(&event).effects.is_empty());
    }
}
