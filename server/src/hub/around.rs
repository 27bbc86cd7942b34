//! What stands around the evidence of an alert: what else happened then, and how alerts like it ended.
//!
//! It is looked up when somebody asks, and not kept with the evidence: what began later, and how a similar alert
//! ended, is only known then.

use stella_protocol::command::WrongPart;
use stella_protocol::evidence::{Correlated, Similar};
use stella_protocol::{Alert, AlertId, Deploy, Evidence, Status, Text, Timestamp};

use super::Hub;
use crate::alerts::{AlertState, SYSTEM};
use crate::store::StoreError;
use crate::words::clip;

/// What began within so long of the onset is named, in milliseconds.
const NEAR_MS: i64 = 5 * 60_000;
/// Most that is named of it: the nearest.
const MOST_NEAR: usize = 20;
/// Most alerts, and most deploys, that are looked at for it.
const LOOKED_AT: u32 = 200;
/// Most similar alerts.
const MOST_SIMILAR: usize = 5;
/// Most that is said of one, on the wire.
const WORDS: usize = 1024;

impl Hub {
    /// The evidence of an alert with what stands around it. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn evidence_around(&self, id: &AlertId) -> Result<Option<Evidence>, StoreError> {
        let (Some(mut evidence), Some(alert)) = (self.evidence(id)?, self.alert(id)?) else { return Ok(None) };
        let onset = alert.brief.onset.unwrap_or(alert.first_seen);
        let (from, to) = (onset.plus_millis(-NEAR_MS), onset.plus_millis(NEAR_MS));
        let deploys = self.store.deploys(from, to, LOOKED_AT)?;
        let begun = self.store.begun(from, to, LOOKED_AT)?;
        let said = std::mem::take(&mut evidence.correlated);
        evidence.correlated = correlated(&alert, onset, (&begun, &deploys), said);
        let alike = self.store.similar(&alert, MOST_SIMILAR)?;
        evidence.similar = alike.iter().map(similar).collect();
        Ok(Some(evidence))
    }
}

/// What else happened, the nearest first in time order. Of what the engine `said` only that of which there is
/// neither an alert nor a deploy.
fn correlated(
    alert: &Alert,
    onset: Timestamp,
    (begun, deploys): (&[AlertState], &[Deploy]),
    said: Vec<Correlated>,
) -> Vec<Correlated> {
    let others = || begun.iter().map(|state| &state.alert).filter(|other| other.id != alert.id);
    let begun_at = others().map(|other| other.first_seen);
    let named: Vec<i64> =
        begun_at.chain(deploys.iter().map(|deploy| deploy.at)).map(|at| at.since(alert.first_seen)).collect();
    let moved = alert.first_seen.since(onset);
    let unnamed = said.into_iter().filter(|said| !named.contains(&said.offset_ms));
    let mut all: Vec<Correlated> = deploys.iter().map(|deploy| of_deploy(deploy, onset)).collect();
    all.extend(others().map(|other| Correlated {
        text: other.title.clone(),
        alert: Some(other.id.clone()),
        offset_ms: other.first_seen.since(onset),
    }));
    all.extend(unnamed.map(|said| Correlated { offset_ms: said.offset_ms + moved, ..said }));
    all.sort_by_key(|one| one.offset_ms.abs());
    all.truncate(MOST_NEAR);
    all.sort_by_key(|one| one.offset_ms);
    all
}

fn of_deploy(deploy: &Deploy, onset: Timestamp) -> Correlated {
    let by = deploy.by.as_ref().map(|by| format!(" (by {})", by.raw())).unwrap_or_default();
    let service = if deploy.service.is_empty() { "something" } else { deploy.service.raw() };
    let text = Text::new(format!("deploy of {service}: {}{by}", deploy.revision.raw()));
    Correlated { text: clip(&text, WORDS), alert: None, offset_ms: deploy.at.since(onset) }
}

/// How a closed alert ended, and what put it right.
fn similar(state: &AlertState) -> Similar {
    let alert = &state.alert;
    let by = alert.resolved_by.as_ref().map_or(SYSTEM, Text::raw);
    let (note, itself) = (alert.resolution_notes.as_ref().filter(|note| !note.is_empty()), by == SYSTEM);
    let ended = match (alert.status, note) {
        (Status::FalsePositive, note) => {
            let part = match state.watch.wrong {
                Some(WrongPart::Normal) => ", normal here",
                Some(WrongPart::Threshold) => ", its threshold too low",
                Some(WrongPart::Misread) => ", its lines misread",
                None => "",
            };
            format!("called false by {by}{part}{}", note.map(|note| format!(": {}", note.raw())).unwrap_or_default())
        }
        (_, Some(note)) if itself => note.raw().to_owned(),
        (_, None) if itself => format!("ended by itself after {}", lasted(alert)),
        (_, Some(note)) => format!("resolved by {by}: {}", note.raw()),
        (_, None) => format!("resolved by {by} after {}", lasted(alert)),
    };
    let fixed_by = note.filter(|_| alert.status == Status::Resolved);
    Similar {
        alert: alert.id.clone(),
        at: alert.first_seen,
        outcome: clip(&Text::new(ended), WORDS),
        fixed_by: fixed_by.map(|note| clip(note, WORDS)),
    }
}

/// From the first match to the last: `4m`, `2h 05m`.
fn lasted(alert: &Alert) -> String {
    let minutes = alert.last_seen.since(alert.first_seen).max(0) / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "less than a minute".to_owned(),
        (0, minutes) => format!("{minutes}m"),
        (hours, minutes) => format!("{hours}h {minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use stella_protocol::DeploySource;

    use super::*;
    use crate::alerts::sample;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn what_else_happened_is_named_once_in_time_order_with_its_distance_from_the_onset() {
        let (state, other) = (sample::alert("f", 1, 100_000), sample::alert("g", 2, 130_000));
        let deploy = Deploy {
            service: Text::new("api"),
            revision: Text::new("r2"),
            at: at(80_000),
            by: Some(Text::new("ci")),
            source: DeploySource::Told,
        };
        let said = |text: &'static str, offset_ms| Correlated { text: Text::new(text), alert: None, offset_ms };
        let said =
            vec![said("g, as it was", 30_000), said("told to nobody", -5_000), said("deploy of api: r2", -20_000)];
        let begun = [state.clone(), other.clone()];
        let found = correlated(&state.alert, at(90_000), (&begun, &[deploy]), said);
        let found: Vec<_> = found.iter().map(|one| (one.text.raw(), one.offset_ms, one.alert.clone())).collect();
        let title = other.alert.title.raw();
        assert_eq!(
            found,
            [
                ("deploy of api: r2 (by ci)", -10_000, None),
                ("told to nobody", 5_000, None),
                (title, 40_000, Some(other.alert.id.clone()))
            ]
        );
    }

    #[test]
    fn how_an_alert_ended_is_said_in_words_with_what_put_it_right() {
        let ended = |status, by: &'static str, note: Option<&'static str>, wrong| {
            let mut state = sample::alert("f", 1, 0);
            (state.alert.status, state.watch.wrong) = (status, wrong);
            state.alert.last_seen = at(125 * 60_000);
            state.alert.resolved_by = Some(Text::new(by));
            state.alert.resolution_notes = note.map(Text::new);
            let similar = similar(&state);
            (similar.outcome.raw().to_owned(), similar.fixed_by.map(|by| by.raw().to_owned()))
        };
        let no = |words: &str| (words.to_owned(), None);
        assert_eq!(ended(Status::Resolved, SYSTEM, None, None), no("ended by itself after 2h 05m"));
        assert_eq!(ended(Status::Resolved, "ana", None, None), no("resolved by ana after 2h 05m"));
        let by_fix = "fixed by fx-7: restart the pool";
        assert_eq!(ended(Status::Resolved, SYSTEM, Some(by_fix), None), (by_fix.to_owned(), Some(by_fix.to_owned())));
        let by_ana = ("resolved by ana: more memory".to_owned(), Some("more memory".to_owned()));
        assert_eq!(ended(Status::Resolved, "ana", Some("more memory"), None), by_ana);
        let wrong = Some(WrongPart::Normal);
        assert_eq!(ended(Status::FalsePositive, "ana", Some("a"), wrong), no("called false by ana, normal here: a"));
    }
}
