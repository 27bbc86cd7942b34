//! Deploys that somebody tells of, as lines like any other, so that whoever reads the kept lines again sees them too.
//!
//! What other lines say of deploys the engine knows; only who told, and when it was by their word, is read here.

use serde_json::{Map, Value};
use stella_protocol::deploy::DeployRequest;
use stella_protocol::{Deploy, DeploySource, Level, LogEvent, Text, Timestamp, Untrusted};

/// The attributes of such a line. Whoever sends all of them in lines of their own is believed.
const REVISION: &str = "deploy.revision";
const BY: &str = "deploy.by";
/// Whether it was told; there is no other value.
const SOURCE: &str = "deploy.source";
const TOLD: &str = "told";
/// Most of a name that is kept, in bytes.
pub(crate) const LONGEST: usize = 256;
/// What was told of a deploy that is longer ago, in milliseconds, has the time of its line: nothing that is open now
/// began then.
const LONG_AGO_MS: i64 = 86_400_000;

/// The line that says so.
pub(super) fn line(ask: &DeployRequest, by: &Text, received: Timestamp) -> LogEvent<'static> {
    let by = ask.by.as_ref().unwrap_or(by);
    let said = [(REVISION, ask.revision.raw()), (BY, by.raw()), (SOURCE, TOLD)];
    LogEvent {
        timestamp: Some(ask.at.unwrap_or(received)),
        received_at: received,
        level: Level::Info,
        message: Untrusted::from(format!("deployed {}", ask.revision.raw())),
        service: Untrusted::from(ask.service.raw().to_owned()),
        attributes: said.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>(),
        ..LogEvent::default()
    }
}

/// The deploy of such a line; None: it is another line.
pub(super) fn of(event: &LogEvent<'_>) -> Option<Deploy> {
    if event.attributes.is_empty() {
        return None;
    }
    let said = |name: &str| {
        let said = event.attributes.get(name)?.as_str()?;
        (!said.is_empty() && said.len() <= LONGEST).then(|| Text::new(said.to_owned()))
    };
    let revision = said(REVISION)?;
    event.attributes.get(SOURCE).and_then(Value::as_str).filter(|source| *source == TOLD)?;
    let own = event.timestamp.filter(|own| (0..=LONG_AGO_MS).contains(&event.engine_time.since(*own)));
    Some(Deploy {
        service: event.service.to_text(),
        revision,
        at: own.unwrap_or(event.engine_time),
        by: said(BY),
        source: DeploySource::Told,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_780_000_000_000 + millis)
    }

    fn told(ago: i64) -> LogEvent<'static> {
        let ask =
            DeployRequest { service: Text::new("api"), revision: Text::new("r8812"), at: Some(at(-ago)), by: None };
        LogEvent { engine_time: at(0), ..line(&ask, &Text::new("ci"), at(0)) }
    }

    #[test]
    fn what_was_told_is_read_from_its_line_again() {
        let deploy = of(&told(120_000)).unwrap();
        let words = [deploy.service.raw(), deploy.revision.raw(), deploy.by.as_ref().unwrap().raw()];
        assert_eq!((words, deploy.at, deploy.source), (["api", "r8812", "ci"], at(-120_000), DeploySource::Told));
        assert_eq!(of(&told(2 * LONG_AGO_MS)).unwrap().at, at(0));
        assert_eq!(of(&told(-5000)).unwrap().at, at(0), "not after the line that says so");
    }

    #[test]
    fn what_nobody_told_is_the_engines_to_read() {
        let mut event = told(0);
        event.attributes.remove(SOURCE);
        assert_eq!(of(&event), None);
        let mut event = told(0);
        event.attributes.insert(REVISION.to_owned(), Value::from("x".repeat(LONGEST + 1)));
        assert_eq!(of(&event), None);
        assert_eq!(of(&LogEvent::default()), None);
    }
}
