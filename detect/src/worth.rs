//! What a line is worth when there are more than can be looked at: which of them say nothing but that they came.
//!
//! Of such lines one may stand for many (see [`Engine::observe`](crate::Engine::observe)). Outcomes lose nothing by
//! that, since all that are left out succeeded; durations become a sample. Every line that a rule looks at by itself is
//! kept out: whatever fails, is loud, signs in, speaks of health, of data, of a deploy, of nothing found, of
//! somebody who is being watched. How many lines are too many, and which of them stand for others, is not decided here.

use stella_protocol::{Category, Level, LogEvent};

use crate::engine::is_named;
use crate::key;
use crate::mark::speaks_of_deploy;
use crate::recent::{ESTABLISHED_CALLS, Recent};
use crate::rules::data;
use crate::rules::friction::People;
use crate::rules::probe::Probes;

/// What a line is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// Its service and operation: lines stand for each other within one of these only.
    pub operation: u64,
    /// The component that speaks, likewise: each has a rhythm that may break off.
    pub component: u64,
    /// Nothing is lost when only its number is known.
    pub is_plain: bool,
}

impl Worth {
    pub(crate) fn of(event: &LogEvent<'_>, recent: &Recent, people: &People, probes: &Probes) -> Self {
        let operation = key::join(&[key::of(event.service.raw()), key::maybe(event.operation.as_ref())]);
        let component = event.component.as_ref().map_or(key::NONE, |component| key::of(component.raw()));
        let is_plain = is_calm(event)
            && is_known(event, operation, recent)
            && is_nobody_watched(event, people, probes)
            && tells_nothing(event, recent);
        Self { operation, component, is_plain }
    }
}

/// True when no field of a line says that it is of note.
fn is_calm(event: &LogEvent<'_>) -> bool {
    let about = matches!(event.category, None | Some(Category::Performance | Category::Ui));
    let quiet = matches!(event.level, Level::Debug | Level::Info) && event.severity.is_none();
    let well = !event.failed() && event.error_type.is_none() && event.health.is_none();
    let first = event.retry_count.is_none_or(|retries| retries == 0);
    about && quiet && well && first && event.login.is_none() && event.affected_users.is_empty()
}

/// True for a call of an operation that is no invention, within the limit that somebody set for it.
fn is_known(event: &LogEvent<'_>, operation: u64, recent: &Recent) -> bool {
    let over = |limit: f64| event.duration_ms.is_some_and(|duration| duration > limit);
    is_named(event)
        && recent
            .ops
            .get(operation)
            .is_some_and(|cell| cell.calls >= ESTABLISHED_CALLS && !cell.limit_ms.is_some_and(over))
}

/// True when it comes from nobody, and from nowhere, that failed lately.
fn is_nobody_watched(event: &LogEvent<'_>, people: &People, probes: &Probes) -> bool {
    let user = event.user_id.as_ref().is_some_and(|user| people.are_watching(key::of(user.raw())));
    !user && !event.remote_addr.as_ref().is_some_and(|addr| probes.are_watching(key::of(addr.raw())))
}

/// True when it tells of no deploy, and counts no nothing.
fn tells_nothing(event: &LogEvent<'_>, recent: &Recent) -> bool {
    let speaks = speaks_of_deploy(event.message.raw()) || recent.tells_of_deploy(event);
    !speaks && (event.operation.is_none() || !data::counts_nothing(event))
}
