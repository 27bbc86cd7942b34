//! Every type that crosses the wire between a Stella server and its clients, and nothing else.
//!
//! JSON is camelCase, times are RFC 3339 UTC with milliseconds, enums are `lower_snake_case` strings.
//! Readers ignore unknown fields and keep unknown enum values as `Unknown`; requests that change
//! something refuse unknown fields.
//!
//! Architecture Invariant: nothing here knows who sends, who draws, async, or a default of either side.

pub mod alert;
pub mod command;
pub mod deploy;
pub mod evidence;
pub mod feed;
pub mod fix;
pub mod health;
pub mod id;
pub mod ingest;
pub mod log;
pub mod migration;
pub mod presence;
pub mod principal;
pub mod problem;
pub mod query;
pub mod rule;
pub mod searchable;
pub mod series;
pub mod snapshot;
pub mod time;
pub mod untrusted;

pub use alert::{Activity, Alert, AlertCount, AlertType, Brief, Note, Status};
pub use command::{ActionRequest, ActionResponse, Outcome, Target, TargetResult, Verb};
pub use deploy::{Deploy, DeploySource};
pub use evidence::{Evidence, Figure, LogLink, Measure, Reason, Sample, SampleRole};
pub use feed::{Envelope, FeedEvent};
pub use fix::{Fix, FixOutput, FixStatus, FixVerb, Remedy};
pub use health::{Health, HealthStatus};
pub use id::{ActionId, AlertId, ConsoleId, Cursor, FixId, LineId, MigrationId};
pub use log::{Category, Level, LogEvent, Severity, Weight};
pub use migration::{Migration, MigrationStatus, MigrationVerb};
pub use presence::{Look, Object, Presence, PresenceRequest, Present, Screen};
pub use principal::{Principal, Role};
pub use problem::{Code, Current, Problem, Retry};
pub use rule::{FalseMark, Rule, RuleChange, RulePreview};
pub use searchable::AlertView;
pub use series::{Point, Series};
pub use snapshot::Snapshot;
pub use time::Timestamp;
pub use untrusted::{Text, Untrusted};
