//! What an alert says of old ids that are written, and of owners who lost everything: one alert a collection.
//!
//! Times are left open: whoever takes a finding in says when it was.

use std::collections::BTreeSet;

use stella_detect::{Finding, Phase};
use stella_protocol::evidence::{LogLink, Reason};
use stella_protocol::{AlertType, Brief, Category, Evidence, MigrationId, Severity, Text, Timestamp};

/// Documents and owners that are named.
const NAMED: usize = 10;
/// People who are told apart; those beyond are not counted.
const PEOPLE: usize = 1000;
/// The edition of both rules.
const VERSION: u32 = 1;

/// Where it is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// After what.
    pub since: Since<'a>,
    /// In which store.
    pub store: &'a Text,
    /// In which collection, as the data map calls it.
    pub collection: &'a str,
    /// How long ago the last look was, in milliseconds.
    pub window_ms: i64,
}

/// After what somebody wrote.
#[derive(Debug, Clone, Copy)]
pub enum Since<'a> {
    /// There was no migration: since the walk before.
    LastLook,
    /// This migration copied everything, and was not cut over yet.
    Copy(&'a MigrationId),
    /// It was.
    CutOver(&'a MigrationId),
}

impl Since<'_> {
    fn words(self) -> String {
        match self {
            Self::LastLook => "since the last look".to_owned(),
            Self::Copy(id) => format!("since the copy of {id}"),
            Self::CutOver(id) => format!("since the cut-over of {id}"),
        }
    }

    fn migration(&self) -> Option<&MigrationId> {
        match self {
            Self::LastLook => None,
            Self::Copy(id) | Self::CutOver(id) => Some(id),
        }
    }
}

/// Documents of one collection that somebody wrote with old ids, as one walk finds them.
#[derive(Debug, Default)]
pub struct Written {
    /// Documents that were looked at.
    looked: u64,
    documents: u64,
    /// Since the finding before.
    new: u64,
    named: Vec<String>,
    people: BTreeSet<String>,
}

impl Written {
    /// So many were looked at.
    pub fn looked(&mut self, documents: usize) {
        self.looked += documents as u64;
    }

    /// One of them was written with an old id of this person, at this place of it.
    pub fn add(&mut self, path: &str, at: &str, user: Option<String>) {
        self.documents += 1;
        self.new += 1;
        if self.named.len() < NAMED {
            self.named.push(format!("{path} ({at})"));
        }
        if self.people.len() < PEOPLE {
            self.people.extend(user);
        }
    }

    /// What there is to say of those since the finding before; None: nothing.
    pub fn finding(&mut self, place: Place<'_>) -> Option<Finding> {
        let new = std::mem::take(&mut self.new);
        if new == 0 {
            return None;
        }
        let count = documents(self.documents);
        let summary = format!("{} {count} of {} got an old id", place.since.words(), place.collection);
        let proof = format!("written with an old id: {}", self.named.join(", "));
        let against =
            format!("{} of {} that were looked at hold none", self.looked - self.documents, documents(self.looked));
        Some(of(
            place,
            Story {
                rule: "migration.drift",
                title: format!("{count} of {} written with old ids", place.collection),
                summary,
                proof,
                against,
                actions: [
                    "find what writes this collection and still holds old ids: an old release, or an old session",
                    "when it has ended, plan a migration again: it takes up what was written meanwhile",
                ],
                people: self.people.iter().cloned().collect(),
                count: self.documents,
                new,
            },
        ))
    }
}

/// Owners of documents of one collection who had some at the last walk and have none now.
#[derive(Debug, Default)]
pub struct Lost {
    owners: u64,
    named: Vec<String>,
    people: Vec<String>,
    had: u64,
}

impl Lost {
    /// One, who had so many.
    pub fn add(&mut self, owner: &str, had: u64) {
        self.owners += 1;
        self.had += had;
        if self.named.len() < NAMED {
            self.named.push(format!("{owner} had {had}"));
        }
        if self.people.len() < PEOPLE {
            self.people.push(owner.to_owned());
        }
    }

    /// What there is to say.
    pub fn finding(self, place: Place<'_>) -> Finding {
        let owners = if self.owners == 1 { "1 owner".to_owned() } else { format!("{} owners", self.owners) };
        of(
            place,
            Story {
                rule: "migration.vanished",
                title: format!("{owners} lost all of {}", place.collection),
                summary: format!(
                    "{owners} had {} in {} at the last look and none now",
                    documents(self.had),
                    place.collection
                ),
                proof: format!("none is left: {}", self.named.join(", ")),
                against: "they may have been deleted on purpose: that was not looked for".to_owned(),
                actions: [
                    "compare what they see with what they must: `stella-tui migrate check-user WHO`",
                    "look for what wrote or deleted in this collection since the last look",
                ],
                people: self.people,
                count: self.owners,
                new: self.owners,
            },
        )
    }
}

fn documents(count: u64) -> String {
    if count == 1 { "1 document".to_owned() } else { format!("{count} documents") }
}

/// What differs between the two.
struct Story {
    rule: &'static str,
    title: String,
    summary: String,
    proof: String,
    against: String,
    actions: [&'static str; 2],
    people: Vec<String>,
    count: u64,
    new: u64,
}

fn of(place: Place<'_>, story: Story) -> Finding {
    let open = Timestamp::from_millis(0);
    let reason = |text: String, weight| Reason { text: Text::new(text), weight, at: open, figures: Vec::new() };
    let label = |name: &str, text: &str| (name.to_owned(), Text::new(text.to_owned()));
    let evidence = Evidence {
        summary: Text::new(story.summary.clone()),
        rule_id: Text::new(story.rule.to_owned()),
        rule_version: VERSION,
        observed: None,
        baseline: None,
        threshold: None,
        unit: Text::new("count".to_owned()),
        from: open,
        to: open,
        series: None,
        reasons: vec![reason(story.proof, 0.9), reason(story.against, -0.1)],
        samples: Vec::new(),
        template: None,
        correlated: Vec::new(),
        similar: Vec::new(),
        lines: LogLink { q: Text::default(), from: open, to: open, up_to: None },
        refreshed_at: open,
        version: 0,
    };
    let brief = Brief {
        observed: Some(story.count as f64),
        unit: Text::new("count".to_owned()),
        reasons_for: 1,
        reasons_against: 1,
        ..Brief::default()
    };
    Finding {
        fingerprint: format!("{}|{}|{}", story.rule, place.store.raw(), place.collection),
        rule_id: story.rule,
        rule_version: VERSION,
        kind: AlertType::DataInconsistency,
        category: Category::Data,
        severity: Severity::High,
        title: Text::new(story.title),
        description: Text::new(story.summary),
        service: place.store.clone(),
        operation: None,
        labels: [
            ("collection", Some(place.collection)),
            ("migration", place.since.migration().map(MigrationId::as_str)),
        ]
        .into_iter()
        .filter_map(|(name, text)| text.map(|text| label(name, text)))
        .collect(),
        suggested_actions: story.actions.iter().map(|action| Text::new((*action).to_owned())).collect(),
        affected_user_count: story.people.len() as u64,
        affected_users: story.people.into_iter().take(Finding::MOST_USERS).map(Text::new).collect(),
        matches: story.new,
        first_at: open,
        last_at: open,
        detected_at: open,
        window_ms: place.window_ms,
        brief,
        evidence: Box::new(evidence),
        phase: Phase::Firing,
        parent: None,
        children: Vec::new(),
        held_back: 0,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_finding_counts_what_is_new_and_tells_of_all() {
        let (id, store) = ("mig-1".parse().unwrap(), Text::from("main"));
        let place = Place { since: Since::CutOver(&id), store: &store, collection: "notes", window_ms: 1 };
        let mut written = Written::default();
        written.looked(5);
        assert!(written.finding(place).is_none());
        written.add("notes/n1", "userId", Some("usr_a".to_owned()));
        assert_eq!(written.finding(place).unwrap().matches, 1);
        written.add("notes/n2", "userId", None);
        let found = written.finding(place).unwrap();
        assert_eq!((found.matches, found.title.raw()), (1, "2 documents of notes written with old ids"));
        let reasons: Vec<&str> = found.evidence.reasons.iter().map(|reason| reason.text.raw()).collect();
        assert_eq!(
            reasons,
            [
                "written with an old id: notes/n1 (userId), notes/n2 (userId)",
                "3 of 5 documents that were looked at hold none"
            ]
        );
        assert_eq!(found.affected_users, [Text::from("usr_a")]);
        let mut lost = Lost::default();
        lost.add("usr_a", 4);
        let lost = lost.finding(place);
        assert_ne!(lost.fingerprint, found.fingerprint);
        assert_eq!(lost.title.raw(), "1 owner lost all of notes");
    }
}
