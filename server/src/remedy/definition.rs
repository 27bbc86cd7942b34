//! Definitions: what may be done about what, as people wrote it in `fixes.d/*.toml`.
//!
//! A definition is text with places for values; an alert and the inventories give the values
//! ([`super::parameter`]), and both together give a plan ([`super::plan`]). Whatever is wrong with a
//! file is told with its line, and a file with a problem gives no definition at all.
//!
//! Architecture Invariant: pure. Nothing here reads a folder, an address or a clock; [`catalogue`] gets
//! names and texts.

pub mod catalogue;
pub mod limits;
pub mod matching;
mod parse;
pub mod shipped;
pub mod template;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use stella_protocol::fix::{Check, Condition, HttpMethod, Policy, Risk};

use super::parameter::Kind;
pub use crate::toml_source::Problem;
pub use catalogue::Catalogue;
pub use limits::Limits;
pub use matching::{Match, Seen};
pub use parse::parse;
use template::Template;

/// What may be done about what.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its name: the file's, or `id`.
    pub id: String,
    /// SHA-256 of its text, hex.
    pub digest: String,
    /// What it does, in a line.
    pub title: Template,
    /// What can go wrong.
    pub risk: Risk,
    /// Who decides, as written.
    pub policy: Policy,
    /// Who answers for it, and may not approve it.
    pub owner: String,
    /// Where to read more.
    pub runbook: Option<String>,
    /// Which alerts it is for: any of these. Empty: people propose it by hand.
    pub matches: Vec<Match>,
    /// The values it needs, in the order of the file.
    pub parameters: Vec<Parameter>,
    /// What it changes, as one name.
    pub target: Template,
    /// What must hold before it runs.
    pub preconditions: Vec<Precondition>,
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// How success is told.
    pub verification: Option<Verify>,
    /// What must stay so while it runs.
    pub guard: Option<CheckTemplate>,
    /// Series worth watching.
    pub guards: Vec<Template>,
    /// How often it may be proposed.
    pub limits: Limits,
    /// What it touches, in words.
    pub touches: Vec<Template>,
    /// What a rollback will not bring back, in words.
    pub will_not_undo: Vec<Template>,
}

/// A value that a definition needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name in placeholders.
    pub name: String,
    /// What it may be.
    pub kind: Kind,
    /// Where an alert gives it: the first of these that says anything.
    pub from: Vec<Given>,
    /// What it is when nobody says.
    pub default: Option<String>,
}

/// Where an alert gives a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A label.
    Label(String),
    /// An attribute of the last sample line that has it.
    Attribute(String),
    /// The operation.
    Operation,
    /// The service.
    Service,
    /// The only affected user.
    AffectedUser,
}

impl Given {
    /// As definitions and plans write it.
    pub fn words(&self) -> String {
        match self {
            Self::Label(name) => format!("label.{name}"),
            Self::Attribute(name) => format!("attribute.{name}"),
            Self::Operation => "operation".to_owned(),
            Self::Service => "service".to_owned(),
            Self::AffectedUser => "affected_user".to_owned(),
        }
    }
}

/// What must hold before a fix runs.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "definitions are few, and their parts are matched as they stand")]
pub enum Precondition {
    /// An answer must be like this; it stands in the plan and is asked in every dry run.
    Asked(ProbeTemplate),
    /// A document must be like this; looked at whenever the plan is made.
    Document {
        /// In words.
        title: Template,
        /// Path of its collection, by segments.
        collection: Vec<Template>,
        /// Its id.
        id: Template,
        /// Whether it must be there.
        exists: bool,
        /// A field's value: JSON pointer, and what stands there.
        field: Option<(String, JsonTemplate)>,
    },
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// In words.
    pub title: Template,
    /// What runs.
    pub act: ActTemplate,
    /// How to tell whether it happened.
    pub probe: Option<ProbeTemplate>,
    /// What takes it back.
    pub undo: Option<UndoTemplate>,
    /// Doing it twice is the same as once.
    pub idempotent: bool,
    /// The target refuses a lower fence.
    pub fenced: bool,
    /// Tries after the first.
    pub retries: u32,
}

/// What takes a step back.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "definitions are few, and their parts are matched as they stand")]
pub enum UndoTemplate {
    /// This.
    Act {
        /// In words.
        title: Template,
        /// What runs.
        act: ActTemplate,
        /// How to tell whether it happened.
        probe: Option<ProbeTemplate>,
        /// Doing it twice is the same as once.
        idempotent: bool,
    },
    /// The before-images.
    Restore,
}

/// Something that can be run, with places for values.
#[derive(Debug, Clone, PartialEq)]
pub enum ActTemplate {
    /// A call.
    Http(HttpTemplate),
    /// A command.
    Argv(ArgvTemplate),
    /// A change of one document.
    Document {
        /// Path of its collection, by segments.
        collection: Vec<Template>,
        /// Its id.
        id: Template,
        /// New fields; None: it is deleted.
        set: Option<BTreeMap<String, JsonTemplate>>,
    },
    /// References to a user, put right.
    Repair {
        /// The right id.
        user: Template,
        /// The forms that stand where it should; a list gives several.
        wrong: Vec<Template>,
        /// Where to look.
        collections: Vec<String>,
    },
}

/// A call, with places for values.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpTemplate {
    /// How.
    pub method: HttpMethod,
    /// Name of the base address in the settings.
    pub base: String,
    /// Segments of the path below it.
    pub path: Vec<Template>,
    /// Query, in order.
    pub query: Vec<(String, Template)>,
    /// Headers.
    pub headers: BTreeMap<String, Template>,
    /// Body.
    pub body: Option<JsonTemplate>,
    /// Statuses that mean done.
    pub success: Vec<u16>,
    /// Longest wait, in ms.
    pub timeout_ms: u64,
}

/// A command, with places for values.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgvTemplate {
    /// Name of the program in the settings.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<Template>,
    /// Exit codes that mean done.
    pub success: Vec<i32>,
    /// Exit codes that mean that surely nothing was done.
    pub clean: Vec<i32>,
    /// Longest run, in ms.
    pub timeout_ms: u64,
}

/// JSON whose strings have places for values. Keys never do.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonTemplate {
    /// As it stands.
    Fixed(Json),
    /// A string.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object.
    Object(BTreeMap<String, JsonTemplate>),
}

/// How to tell whether a step happened.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeTemplate {
    /// In words.
    pub title: Template,
    /// What is asked.
    pub act: ActTemplate,
    /// It happened when this holds.
    pub done: ConditionTemplate,
    /// It did not when this holds.
    pub not_done: ConditionTemplate,
}

/// What an answer must be like.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConditionTemplate {
    /// Everything but the value.
    pub fixed: Condition,
    /// The value at the pointer.
    pub equals: Option<JsonTemplate>,
}

/// How success is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Verify {
    /// What must hold.
    pub check: CheckTemplate,
    /// For so long, in ms.
    pub hold_ms: i64,
    /// Within so long, in ms.
    pub within_ms: i64,
}

/// Something that holds or not.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckTemplate {
    /// The check, its series' id left empty.
    pub check: Check,
    /// The series, for a check of one.
    pub series: Option<Template>,
}

impl Definition {
    /// Names of the base addresses that it calls.
    pub fn bases(&self) -> impl Iterator<Item = &str> {
        self.acts().filter_map(|act| match act {
            ActTemplate::Http(http) => Some(http.base.as_str()),
            _ => None,
        })
    }

    /// Names of the programs that it runs.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.acts().filter_map(|act| match act {
            ActTemplate::Argv(argv) => Some(argv.program.as_str()),
            _ => None,
        })
    }

    /// Names of the inventories that it takes values from.
    pub fn inventories(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter_map(|parameter| match &parameter.kind {
            Kind::Inventory(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// True when it needs the application's documents.
    pub fn needs_documents(&self) -> bool {
        let acts = self.acts().any(|act| matches!(act, ActTemplate::Document { .. } | ActTemplate::Repair { .. }));
        let users = self.parameters.iter().any(|parameter| matches!(parameter.kind, Kind::User { .. }));
        let asked = self.preconditions.iter().any(|one| matches!(one, Precondition::Document { .. }));
        acts || users || asked
    }

    /// Everything that it may run: steps, undos, probes, preconditions.
    pub fn acts(&self) -> impl Iterator<Item = &ActTemplate> {
        let steps = self.steps.iter().flat_map(Step::acts);
        let asked = self.preconditions.iter().filter_map(|one| match one {
            Precondition::Asked(probe) => Some(&probe.act),
            Precondition::Document { .. } => None,
        });
        steps.chain(asked)
    }

    /// Which alerts it is for, in words.
    pub fn match_words(&self) -> String {
        if self.matches.is_empty() {
            return "by hand only".to_owned();
        }
        let words: Vec<String> = self.matches.iter().map(Match::words).collect();
        words.join("; or ")
    }
}

impl Step {
    fn acts(&self) -> impl Iterator<Item = &ActTemplate> {
        let probe = self.probe.as_ref().map(|probe| &probe.act);
        let (undo, undo_probe) = match &self.undo {
            Some(UndoTemplate::Act { act, probe, .. }) => (Some(act), probe.as_ref().map(|probe| &probe.act)),
            Some(UndoTemplate::Restore) | None => (None, None),
        };
        std::iter::once(&self.act).chain(probe).chain(undo).chain(undo_probe)
    }
}
