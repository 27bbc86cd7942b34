//! When what goes wrong. A scenario is data: a cause, its begin and its end; what it does to the
//! application, and what of that can be seen in the log, is the world's business.
//!
//! Two parts: the hour before "now", told backwards from it, and what comes afterwards, for ever: a
//! pure function of the seed and a running number, so that a demo which was stopped goes on with the
//! same story.

use serde::Serialize;

use super::dice::Dice;
use super::operation::{Operation, PoolName};
use super::people::{PEOPLE, PersonId};

/// A bug that came with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Its class.
    pub kind: &'static str,
    /// What it says.
    pub message: &'static str,
}

/// What the release of the lessons throws: nothing else ever does.
const EXPIRY: Fault = Fault { kind: "ShareExpiryError", message: "share has no expiry date" };

const FAULTS: [Fault; 4] = [
    Fault { kind: "TypeError", message: "Cannot read properties of undefined (reading 'sharedWith')" },
    Fault { kind: "RangeError", message: "Invalid array length in page cursor" },
    Fault { kind: "SchemaMismatchError", message: "field 'agentConfig' is not an object" },
    Fault { kind: "NullRelevanceError", message: "passage has no relevance score" },
];

/// What goes wrong, or only looks as if it did.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// A migration drops an index: one query reads the whole collection.
    DroppedIndex {
        /// Whose query.
        operation: Operation,
        /// How many times longer it takes.
        factor: f64,
    },
    /// A worker takes connections and keeps them.
    LeakedConnections {
        /// Whose.
        pool: PoolName,
        /// One each so many milliseconds.
        every_ms: i64,
    },
    /// A release throws, for a share of the calls, until it is rolled back.
    BadDeploy {
        /// Where.
        operation: Operation,
        /// How often, 0 to 1.
        share: f64,
        /// What.
        fault: Fault,
    },
    /// Somebody tries a list of passwords.
    Stuffing {
        /// From there.
        addr: String,
        /// One try each so many milliseconds on average.
        every_ms: f64,
        /// Whose password they find in the end.
        finds: Option<PersonId>,
    },
    /// A form refuses what one person believes to be right.
    ClumsyForm {
        /// Who.
        person: PersonId,
        /// The field.
        field: &'static str,
    },
    /// A job writes documents under an owner id of a wrong form.
    OrphanWriter {
        /// Whose documents.
        owner: PersonId,
    },
    /// The embedding service is not well.
    EmbeddingTrouble {
        /// True: it does not answer at all.
        down: bool,
    },
    /// A worker hangs and says nothing more.
    DeadWorker {
        /// Which.
        component: &'static str,
    },
    /// The language model refuses a share of the calls.
    FlakyUpstream {
        /// How many, 0 to 1.
        share: f64,
    },
    /// The nightly import leaves a context source without its index: searches in it find nothing.
    EmptySource {
        /// Which.
        source: &'static str,
    },
    /// What a worker sends to is away: its queue grows, however often it is restarted.
    StuckQueue {
        /// Which worker.
        component: &'static str,
    },
    /// What is cached for one person is too old to be used.
    StaleCache {
        /// Who.
        person: PersonId,
    },
    /// Seen by nobody at first: restarting this pool takes its operations interface down.
    DeafControl {
        /// Which.
        pool: PoolName,
    },
    /// Benign: everybody wants the slow report.
    PopularReport,
    /// Benign: the batch of the night.
    NightlyBatch,
    /// Benign: more people than usual.
    TrafficWave {
        /// How many times more.
        factor: f64,
    },
    /// Benign: somebody misreads a form and then gets it right.
    BriefConfusion {
        /// Who.
        person: PersonId,
    },
    /// Benign: a release that works.
    GoodDeploy,
}

impl Cause {
    /// A word for the truth.
    pub fn word(&self) -> &'static str {
        match self {
            Self::DroppedIndex { .. } => "dropped_index",
            Self::LeakedConnections { .. } => "leaked_connections",
            Self::BadDeploy { .. } => "bad_deploy",
            Self::Stuffing { .. } => "stuffing",
            Self::ClumsyForm { .. } => "clumsy_form",
            Self::OrphanWriter { .. } => "orphan_writer",
            Self::EmbeddingTrouble { .. } => "embedding_trouble",
            Self::DeadWorker { .. } => "dead_worker",
            Self::FlakyUpstream { .. } => "flaky_upstream",
            Self::EmptySource { .. } => "empty_source",
            Self::StuckQueue { .. } => "stuck_queue",
            Self::StaleCache { .. } => "stale_cache",
            Self::DeafControl { .. } => "deaf_control",
            Self::PopularReport => "popular_report",
            Self::NightlyBatch => "nightly_batch",
            Self::TrafficWave { .. } => "traffic_wave",
            Self::BriefConfusion { .. } => "brief_confusion",
            Self::GoodDeploy => "good_deploy",
        }
    }

    /// True when nobody should be woken for it.
    pub fn is_benign(&self) -> bool {
        matches!(
            self,
            Self::PopularReport
                | Self::DeafControl { .. }
                | Self::NightlyBatch
                | Self::TrafficWave { .. }
                | Self::BriefConfusion { .. }
                | Self::GoodDeploy
        )
    }
}

/// A cause with its span in world time: milliseconds since the world began.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What.
    pub cause: Cause,
    /// From.
    pub begin: i64,
    /// Up to.
    pub end: i64,
}

/// A scenario as tests want it: what a detector should find, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Truth {
    /// The cause in a word.
    pub kind: &'static str,
    /// Nobody should be woken for it.
    pub benign: bool,
    /// From.
    pub begin: stella_protocol::Timestamp,
    /// Up to.
    pub end: stella_protocol::Timestamp,
    /// The operation it hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    /// The address it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addr: Option<String>,
    /// The user it hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The component it hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<&'static str>,
}

const SECOND: i64 = 1_000;
const MINUTE: f64 = 60_000.0;

/// From one scenario of the endless part to the next, at least.
const SLOT_MS: i64 = 200 * SECOND;

/// The first of them after "now".
const FIRST_SLOT_MS: i64 = 100 * SECOND;

/// The story of one world.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    seed: u64,
    now: i64,
}

impl Script {
    /// The story of `seed`, whose "now" comes `now` milliseconds after the world began.
    pub fn new(seed: u64, now: i64) -> Self {
        Self { seed, now }
    }

    /// The hour before "now" and the incidents that open what comes after it, by their begin.
    /// What lies before the world's begin is cut.
    pub fn opening(&self) -> Vec<Scenario> {
        let mut dice = Dice::new(self.seed, "opening");
        let mut told = past(&mut dice);
        told.extend(first_minute(&mut dice));
        told.extend(lessons(&mut Dice::new(self.seed, "lessons")));
        let mut scenarios: Vec<Scenario> = told
            .into_iter()
            .map(|(begin, end, cause)| Scenario {
                cause,
                begin: (self.now + (begin * MINUTE) as i64).max(0),
                end: self.now + (end * MINUTE) as i64,
            })
            .filter(|scenario| scenario.begin < scenario.end)
            .collect();
        scenarios.sort_by_key(|scenario| scenario.begin);
        scenarios
    }

    /// The `number`th scenario of the endless part. Their begins rise with the number.
    pub fn slot(&self, number: u64) -> Scenario {
        let kinds = 10;
        let mut order: Vec<u64> = (0..kinds).collect();
        Dice::new(self.seed, &format!("bag {}", number / kinds)).shuffle(&mut order);
        let mut dice = Dice::new(self.seed, &format!("slot {number}"));
        let kind = order[(number % kinds) as usize];
        let begin = self.now + FIRST_SLOT_MS + SLOT_MS * number as i64 + dice.between(0, 60 * SECOND);
        let (cause, lasts) = cast(kind, &mut dice);
        Scenario { cause, begin, end: begin + lasts * SECOND }
    }
}

/// The hour before "now": begin and end in minutes from it.
fn past(dice: &mut Dice) -> Vec<(f64, f64, Cause)> {
    let addr = |dice: &mut Dice| format!("203.0.113.{}", dice.between(130, 250));
    let mut people: Vec<PersonId> = (0..PEOPLE).collect();
    dice.shuffle(&mut people);
    let fault = FAULTS[dice.below(2)];
    let mut told = vec![
        (-57.5, -57.3, Cause::LeakedConnections { pool: PoolName::Agents, every_ms: 300 }),
        (-57.2, -55.6, Cause::FlakyUpstream { share: 0.8 }),
        (-56.4, -55.4, Cause::BriefConfusion { person: people[4] }),
        (-53.0, -49.0, Cause::DroppedIndex { operation: Operation::LoadMessages, factor: dice.within(12.0, 18.0) }),
        (-49.0, -44.0, Cause::DeadWorker { component: "thumbnail-worker" }),
        (-42.0, -37.0, Cause::NightlyBatch),
        (-40.0, -38.0, Cause::Stuffing { addr: addr(dice), every_ms: 2_500.0, finds: None }),
        (-37.0, -36.0, Cause::BriefConfusion { person: people[0] }),
        (-34.0, -29.0, Cause::TrafficWave { factor: 1.5 }),
        (-31.0, -28.0, Cause::LeakedConnections { pool: PoolName::Agents, every_ms: 400 }),
        (-25.0, -20.0, Cause::PopularReport),
        (-23.0, -22.0, Cause::GoodDeploy),
        (
            -18.0,
            -6.0,
            Cause::BadDeploy { operation: Operation::GetConversations, share: dice.within(0.3, 0.45), fault },
        ),
        (-12.0, 9.0, Cause::DroppedIndex { operation: Operation::GetSharedAgents, factor: dice.within(23.0, 28.0) }),
        (-9.0, -6.5, Cause::Stuffing { addr: addr(dice), every_ms: 1_600.0, finds: None }),
        (-7.0, 6.0, Cause::ClumsyForm { person: people[2], field: "timezone" }),
        (-4.0, 5.0, Cause::EmbeddingTrouble { down: false }),
        (-17.0, 3.0, Cause::OrphanWriter { owner: people[3] }),
        (-3.0, -0.6, Cause::BriefConfusion { person: people[1] }),
    ];
    // A third of a minute either way, so that no two worlds tell it alike.
    for (begin, end, _) in &mut told {
        let shift = dice.within(-0.3, 0.3);
        (*begin, *end) = (*begin + shift, *end + shift);
    }
    told
}

/// What opens the part after "now": somebody gets in and exports until no connection is left, which
/// wakes everybody; and a release that is taken back at once, which is soon over.
///
/// The pool stays exhausted for long enough that whoever looks, decides and restarts it sees that this
/// ended it, and not the time.
fn first_minute(dice: &mut Dice) -> [(f64, f64, Cause); 4] {
    let addr = format!("198.51.100.{}", dice.between(130, 250));
    let finds = Some(dice.below(PEOPLE));
    let fault = FAULTS[2 + dice.below(2)];
    [
        (0.005, 0.13, Cause::Stuffing { addr, every_ms: 600.0, finds }),
        (0.135, 8.0, Cause::LeakedConnections { pool: PoolName::Conversations, every_ms: 150 }),
        (0.35, 0.75, Cause::BadDeploy { operation: Operation::SearchRag, share: 0.85, fault }),
        (0.5, 9.0, Cause::EmptySource { source: "handbook" }),
    ]
}

/// What a newcomer who stays meets, one after the other: a restart that does not help, a release that
/// two people have to take back, a restart of which nobody can say whether it happened, and a cache
/// that is emptied without asking.
fn lessons(dice: &mut Dice) -> [(f64, f64, Cause); 5] {
    [
        (3.2, 9.0, Cause::StuckQueue { component: "mail-sender" }),
        (5.2, 11.0, Cause::BadDeploy { operation: Operation::GetSharedAgents, share: 0.6, fault: EXPIRY }),
        (8.5, 13.5, Cause::LeakedConnections { pool: PoolName::Chunks, every_ms: 400 }),
        (8.5, 14.5, Cause::DeafControl { pool: PoolName::Chunks }),
        (16.0, 21.0, Cause::StaleCache { person: dice.below(PEOPLE) }),
    ]
}

/// A cause of the endless part, and how many seconds it lasts: short enough that calm follows.
fn cast(kind: u64, dice: &mut Dice) -> (Cause, i64) {
    let person = dice.below(PEOPLE);
    match kind {
        0 => {
            let operation = [Operation::GetSharedAgents, Operation::LoadMessages][dice.below(2)];
            (Cause::DroppedIndex { operation, factor: dice.within(14.0, 24.0) }, dice.between(90, 150))
        }
        1 => {
            let pool = PoolName::ALL[dice.below(PoolName::ALL.len())];
            (Cause::LeakedConnections { pool, every_ms: dice.between(300, 1_500) }, dice.between(80, 130))
        }
        2 => {
            let operation =
                [Operation::SearchRag, Operation::GetConversations, Operation::GetSharedAgents][dice.below(3)];
            let fault = FAULTS[dice.below(FAULTS.len())];
            (Cause::BadDeploy { operation, share: dice.within(0.3, 0.7), fault }, dice.between(80, 140))
        }
        3 => {
            let addr = format!("198.51.100.{}", dice.between(130, 250));
            let finds = dice.chance(0.5).then_some(person);
            (Cause::Stuffing { addr, every_ms: dice.within(900.0, 4_000.0), finds }, dice.between(60, 140))
        }
        4 => {
            let field = ["timezone", "phone", "displayName"][dice.below(3)];
            (Cause::ClumsyForm { person, field }, dice.between(90, 150))
        }
        5 => (Cause::OrphanWriter { owner: person }, dice.between(70, 120)),
        6 => (Cause::EmbeddingTrouble { down: dice.chance(0.5) }, dice.between(80, 140)),
        7 => {
            let component = ["thumbnail-worker", "mail-sender"][dice.below(2)];
            (Cause::DeadWorker { component }, dice.between(160, 190))
        }
        8 => (Cause::FlakyUpstream { share: dice.within(0.6, 0.9) }, dice.between(60, 120)),
        _ => match dice.below(4) {
            0 => (Cause::PopularReport, 150),
            1 => (Cause::NightlyBatch, 150),
            2 => (Cause::TrafficWave { factor: dice.within(1.3, 1.6) }, 150),
            _ => (Cause::GoodDeploy, 30),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endless_part_begins_in_order_and_leaves_calm_between_scenarios_of_a_kind() {
        let script = Script::new(5, 3_600_000);
        let slots: Vec<Scenario> = (0..200).map(|number| script.slot(number)).collect();
        assert!(slots.windows(2).all(|two| two[0].begin < two[1].begin));
        assert!(slots.windows(3).all(|three| three[0].end < three[2].begin));
        let kinds: std::collections::BTreeSet<_> = slots.iter().map(|slot| slot.cause.word()).collect();
        assert!(kinds.len() >= 10, "{kinds:?}");
    }

    #[test]
    fn the_opening_ends_by_itself_and_nothing_of_it_begins_before_the_world() {
        let opening = Script::new(5, 600_000).opening();
        assert!(opening.iter().all(|scenario| scenario.begin >= 0 && scenario.end < 600_000 + 1_320_000));
        assert!(opening.windows(2).all(|two| two[0].begin <= two[1].begin));
    }

    #[test]
    fn another_seed_tells_another_story() {
        assert_ne!(Script::new(1, 3_600_000).opening(), Script::new(2, 3_600_000).opening());
        assert_eq!(Script::new(1, 3_600_000).slot(9), Script::new(1, 3_600_000).slot(9));
    }
}
