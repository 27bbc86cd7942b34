//! The map that comes with the server: of the application that Stella was made for, and an example of how
//! to write another.

use super::DataMap;
use crate::toml_source::Problem;

/// Its name.
pub const NAME: &str = "application.toml";
/// Its text.
pub const TEXT: &str = include_str!("../../../maps/application.toml");

/// The shipped map.
///
/// # Errors
/// What is wrong with it: nothing, as its test says.
pub fn application() -> Result<DataMap, Vec<Problem>> {
    DataMap::parse(NAME, TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::map::Kind;

    fn map() -> DataMap {
        application().unwrap_or_else(|problems| {
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            unreachable!("{}", told.join("\n"))
        })
    }

    #[test]
    fn the_shipped_map_declares_what_the_first_migration_left_behind() {
        let map = map();
        assert_eq!(map.collections.len(), 98, "as many as are on record");
        for (collection, path) in [
            ("context_sources", "indexingHistory[].userId"),
            ("feedback_tickets", "reportedBy"),
            ("groups", "members[]"),
            ("groups", "memberIds[]"),
            ("agent_shares", "sharedWith[].userId"),
            ("organizations", "evaluationConfig.domainConfigs.*.supervisors[].userId"),
        ] {
            let declared = map.collection(collection).map(|found| &found.places);
            let has = declared.is_some_and(|places| places.iter().any(|one| one.place.path() == path));
            assert!(has, "{collection} {path}");
        }
        let whole = [
            "users",
            "user_settings",
            "user_context",
            "workflow_configs",
            "feedback_read_status",
            "user_badges",
            "gmail_connections",
            "social_metrics",
            "feedback_agent_memory",
        ];
        for collection in whole {
            assert!(map.collection(collection).is_some_and(|found| found.id.is_some()), "{collection}");
        }
        let audit = map.collection("stella_audit_log").map(|found| found.places[0].kind);
        assert_eq!(audit, Some(Kind::Pseudonym));
    }
}
