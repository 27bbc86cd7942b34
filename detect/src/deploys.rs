//! New revisions of services, as lines speak of them: told in attributes (`deploy.revision`) or in words ("deployed
//! revision r8812", "Deployment api rolled out", "starting version 1.4.2", a pulled image).
//!
//! Words are read only of lines that tell of no call, one word after the other, once. Knows no rule and no threshold but
//! how long a deploy excuses failures.

use stella_protocol::{Deploy, DeploySource, LogEvent, Text, Timestamp, Untrusted};

use crate::keep::keep_fields;
use crate::key;

/// So long after a deploy failures and slow calls of the service count for less, in milliseconds.
const GRACE_MS: i64 = 60_000;
/// Instances of one revision that start within this, in milliseconds, are one deploy.
const ROLLOUT_MS: i64 = 3_600_000;
/// Revisions of a service within that time from which lines that speak of them are no deploys, but how it works.
const CONSTANT: usize = 10;
/// Deploys that are remembered.
const MOST: usize = 64;
/// Words that are read, and the longest word, in bytes.
const WORDS: usize = 24;
const LONGEST: usize = 96;
/// Before all time, without leaving the numbers.
const NEVER: i64 = i64::MIN / 2;

/// What has begun when these are said, whatever stands behind them.
const SAYS: [&str; 7] = ["deploy", "deployed", "deploying", "deployment", "rollout", "redeployed", "rollback"];
/// What has begun when a revision stands behind these.
const STARTS: [&str; 10] =
    ["starting", "started", "booting", "running", "released", "releasing", "upgraded", "updated", "rolled", "promoted"];
/// Behind these stands a revision.
const NOUNS: [&str; 9] = ["revision", "rev", "release", "version", "build", "tag", "commit", "sha", "image"];
/// With these it is no deploy, or none that took place.
const NOT: [&str; 9] = ["failed", "failure", "error", "aborted", "cannot", "flag", "pending", "scheduled", "lease"];

/// A deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Of which service; empty: nobody said.
    pub(crate) service: Box<str>,
    pub(crate) revision: Box<str>,
    pub(crate) by: Option<Box<str>>,
    pub(crate) at: i64,
    /// When an instance of it was last spoken of.
    last_at: i64,
}

/// What a line says of a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    service: Option<Box<str>>,
    revision: Box<str>,
    by: Option<Box<str>>,
}

/// The deploys of late.
#[derive(Debug)]
pub(crate) struct Deploys {
    known: Vec<Marker>,
    fresh: Vec<Marker>,
    last_at: i64,
}

impl Default for Deploys {
    fn default() -> Self {
        Self { known: Vec::new(), fresh: Vec::new(), last_at: NEVER }
    }
}

impl Deploys {
    /// Reads a line at its engine time; `is_service` knows the services that speak.
    pub(crate) fn observe(&mut self, event: &LogEvent<'_>, at: i64, is_service: impl Fn(&str) -> bool) {
        if is_start(event) {
            let (service, revision) = (event.service.raw().into(), Box::default());
            return self.note(Marker { service, revision, by: None, at, last_at: at }, false);
        }
        let Some(Said { service, revision, by }) = said(event, is_service) else { return };
        let service = service.unwrap_or_else(|| event.service.raw().into());
        if service.len().max(revision.len()) <= key::LONGEST_NAME {
            self.note(Marker { service, revision, by, at, last_at: at }, true);
        }
    }

    /// Notes a deploy; one that is told of elsewhere already is not handed out again.
    pub(crate) fn note(&mut self, marker: Marker, hand_out: bool) {
        let at = marker.at;
        let same = |known: &&mut Marker| known.service == marker.service && known.revision == marker.revision;
        if let Some(known) = self.known.iter_mut().find(|known| same(known) && at - known.last_at < ROLLOUT_MS) {
            known.last_at = known.last_at.max(at);
            return;
        }
        let lately = |known: &&Marker| known.service == marker.service && at - known.at < ROLLOUT_MS;
        if self.known.iter().filter(lately).count() >= CONSTANT {
            return;
        }
        if self.known.len() == MOST {
            self.known.remove(0);
        }
        self.last_at = self.last_at.max(at);
        if hand_out && !marker.revision.is_empty() {
            self.fresh.push(marker.clone());
        }
        self.known.push(marker);
    }

    /// True for a minute after a deploy of the service with this key, or of one that nobody named.
    pub(crate) fn excuse(&self, service: u64, now: i64) -> bool {
        now - self.last_at < GRACE_MS
            && self.known.iter().any(|known| {
                now - known.at < GRACE_MS
                    && now >= known.at
                    && (known.service.is_empty() || key::of(&known.service) == service)
            })
    }

    /// True for a minute after any deploy.
    pub(crate) fn any(&self, now: i64) -> bool {
        now - self.last_at < GRACE_MS
    }

    /// Deploys about a time, the nearest first.
    pub(crate) fn near(&self, at: i64, within_ms: i64) -> Vec<&Marker> {
        let mut near: Vec<&Marker> = self.known.iter().filter(|known| (known.at - at).abs() <= within_ms).collect();
        near.sort_by_key(|known| (known.at - at).abs());
        near
    }

    /// The deploys that lines spoke of since the last time.
    pub(crate) fn drain(&mut self) -> Vec<Deploy> {
        let text = |name: &str| Text::from(name.to_owned());
        let deploy = |marker: Marker| Deploy {
            service: text(&marker.service),
            revision: text(&marker.revision),
            at: Timestamp::from_millis(marker.at),
            by: marker.by.as_deref().map(text),
            source: DeploySource::Line,
        };
        std::mem::take(&mut self.fresh).into_iter().map(deploy).collect()
    }
}

impl Marker {
    /// In words, for people.
    pub(crate) fn words(&self) -> String {
        let service: &str = if self.service.is_empty() { "something" } else { &self.service };
        if self.revision.is_empty() {
            return format!("start of {service}");
        }
        match &self.by {
            Some(by) => format!("deploy of {service}: {} (by {by})", self.revision),
            None => format!("deploy of {service}: {}", self.revision),
        }
    }

    /// A deploy as somebody told of it.
    pub(crate) fn told(deploy: &Deploy) -> Self {
        let at = deploy.at.millis();
        let text = |name: &Text| -> Box<str> { name.raw().into() };
        Self {
            service: text(&deploy.service),
            revision: text(&deploy.revision),
            by: deploy.by.as_ref().map(text),
            at,
            last_at: at,
        }
    }
}

/// True when a line tells of a deploy, or of a start; `is_service` knows the services that speak.
pub(crate) fn is_told(event: &LogEvent<'_>, is_service: impl Fn(&str) -> bool) -> bool {
    is_start(event) || said(event, is_service).is_some()
}

/// True for a line that tells of no call: words are read of no other.
fn tells_of_no_call(event: &LogEvent<'_>) -> bool {
    event.operation.is_none() && event.duration_ms.is_none() && event.login.is_none()
}

fn is_start(event: &LogEvent<'_>) -> bool {
    tells_of_no_call(event) && says_started(event.message.raw())
}

/// What a line says of a deploy, in attributes or in words.
fn said(event: &LogEvent<'_>, is_service: impl Fn(&str) -> bool) -> Option<Said> {
    let told = if event.attributes.is_empty() { None } else { in_attributes(event) };
    told.or_else(|| if tells_of_no_call(event) { in_words(event.message.raw(), is_service) } else { None })
}

/// `deploy.revision` and its like, or an object `deploy` with such members.
fn in_attributes(event: &LogEvent<'_>) -> Option<Said> {
    let text = |value: &serde_json::Value| -> Option<Box<str>> {
        value.as_str().map(Into::into).or_else(|| value.as_u64().map(|number| number.to_string().into()))
    };
    let (mut service, mut revision, mut by) = (None, None, None);
    let mut take = |name: &str, value: &serde_json::Value| match name {
        "revision" | "version" | "release" => revision = revision.take().or_else(|| text(value)),
        "service" => service = text(value),
        "by" | "author" | "actor" => by = text(value),
        _ => {}
    };
    for (name, value) in &event.attributes {
        let Some(rest) = name.strip_prefix("deployment").or_else(|| name.strip_prefix("deploy")) else { continue };
        match value {
            serde_json::Value::Object(members) => members.iter().for_each(|(name, value)| take(name, value)),
            value => take(&rest.trim_start_matches(['.', '_', '-']).to_ascii_lowercase(), value),
        }
    }
    let by = by.or_else(|| event.user_id.as_ref().map(Untrusted::raw).map(Into::into));
    revision.map(|revision| Said { service, revision, by })
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric())
}

/// What servers say when they are there again, restarted by whom ever: two words in a row.
const STARTED: [(&str, &str); 5] =
    [("listening", "on"), ("started", "in"), ("startup", "complete"), ("startup", "completed"), ("boot", "complete")];

/// True when a server says that it has just started.
fn says_started(message: &str) -> bool {
    let words = message.split_ascii_whitespace().take(WORDS).map(trimmed);
    let same = |(one, other): (&str, &str)| {
        STARTED.iter().any(|(first, second)| one.eq_ignore_ascii_case(first) && other.eq_ignore_ascii_case(second))
    };
    words.clone().zip(words.skip(1)).any(same)
}

/// The usual sentences.
fn in_words(message: &str, is_service: impl Fn(&str) -> bool) -> Option<Said> {
    let (mut begun, mut strong, mut noun) = (false, false, false);
    let (mut service, mut revision, mut before): (Option<&str>, Option<&str>, &str) = (None, None, "");
    for raw in message.split(|letter: char| letter.is_ascii_whitespace() || letter == '=').take(WORDS) {
        let word = trimmed(raw);
        if word.is_empty() || word.len() > LONGEST {
            continue;
        }
        let is = |words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
        if is(&NOT) {
            return None;
        }
        let (says, starts) = (is(&SAYS), is(&STARTS) || word.eq_ignore_ascii_case("pulled"));
        if says || starts {
            (begun, strong) = (true, strong || says);
        } else if is(&NOUNS) {
            noun = true;
        } else if begun
            && revision.is_none()
            && (noun && is_versioned(word) || is_revision(word) || strong && is_number(word))
        {
            revision = Some(word);
        } else if is_service(word) || before.eq_ignore_ascii_case("deployment") && is_name(word) {
            service = service.or(Some(word));
        }
        before = word;
    }
    let (image, revision) = match revision.map(|revision| revision.rsplit_once(':').unwrap_or(("", revision))) {
        Some((path, tag)) => (path.rsplit('/').next().filter(|name| !name.is_empty()), tag),
        None if strong && service.is_some() => (None, ""),
        None => return None,
    };
    (begun && (strong || noun)).then(|| Said {
        service: service.or(image.filter(|name| is_service(name))).map(Into::into),
        revision: revision.into(),
        by: None,
    })
}

fn is_name(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.'))
        && !["is", "of", "has", "was", "to", "successfully", "completed", "finished", "complete"]
            .iter()
            .any(|other| word.eq_ignore_ascii_case(other))
}

/// True for what can be a revision behind a noun that says so.
fn is_versioned(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

/// True for `2.0`: behind a deploy it is a version.
fn is_number(word: &str) -> bool {
    word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// True for what is one by its shape: `r8812`, `v2`, `1.4.2`, a hash, an image with a tag.
fn is_revision(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let lettered = matches!(bytes.first(), Some(b'r' | b'R' | b'v' | b'V'));
    let body = if lettered { &bytes[1..] } else { bytes };
    let dotted = body.first().is_some_and(u8::is_ascii_digit) && body.split(|byte| *byte == b'.').count() >= 3;
    let hash = bytes.len() >= 7
        && bytes.iter().all(u8::is_ascii_hexdigit)
        && bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().any(u8::is_ascii_alphabetic);
    let image = word.rsplit_once(':').is_some_and(|(path, tag)| path.contains('/') && is_versioned(tag));
    lettered && digits(body) || dotted || hash || image
}

keep_fields!(Marker { service, revision, by, at, last_at });
keep_fields!(Deploys { known, fresh, last_at });

#[cfg(test)]
mod tests {
    use stella_protocol::Level;

    use super::*;

    fn said(message: &str) -> Option<(String, String)> {
        let said = in_words(message, |name| name == "api")?;
        Some((said.service.unwrap_or_default().into(), said.revision.into()))
    }

    #[test]
    fn the_usual_sentences_are_understood() {
        let of = |service: &str, revision: &str| Some((service.to_owned(), revision.to_owned()));
        assert_eq!(said("deployed release r8812"), of("", "r8812"));
        assert_eq!(said("deployed revision 4f2a91c by ana"), of("", "4f2a91c"));
        assert_eq!(said("Deployment api rolled out"), of("api", ""));
        assert_eq!(said("deployment \"billing\" successfully rolled out, revision 14"), of("billing", "14"));
        assert_eq!(said("starting version 1.4.2"), of("", "1.4.2"));
        assert_eq!(said("Starting api version=2.0.1-rc1"), of("api", "2.0.1-rc1"));
        assert_eq!(said("Successfully pulled image \"example/team/api:v91\""), of("api", "v91"));
        assert_eq!(said("rolled back api to r8811"), None, "without a noun or a deploy it may be anything");
        assert_eq!(said("rollback of api to r8811"), of("api", "r8811"));
    }

    #[test]
    fn what_only_sounds_like_one_is_none() {
        for message in [
            "config reloaded, revision 4711",
            "deployment of api failed: timeout",
            "released lock 4711",
            "started job 17",
            "running query 12 of 40",
            "slow start finished after 17 ms",
            "lease 123 renewed",
        ] {
            assert_eq!(said(message), None, "{message}");
        }
    }

    fn marker(service: &str, revision: &str, at: i64) -> Marker {
        Marker { service: service.into(), revision: revision.into(), by: None, at, last_at: at }
    }

    #[test]
    fn ten_instances_are_one_deploy_and_it_excuses_its_service_for_a_minute() {
        let mut deploys = Deploys::default();
        (0..10).for_each(|nth| deploys.note(marker("api", "r1", nth * 20_000), true));
        assert_eq!(deploys.drain().len(), 1);
        let (api, web) = (key::of("api"), key::of("web"));
        assert!(deploys.excuse(api, 59_000) && !deploys.excuse(web, 59_000) && !deploys.excuse(api, 61_000));
        (0..30).for_each(|nth| deploys.note(marker("chatty", &format!("r{nth}"), nth * 1000), true));
        assert_eq!(deploys.drain().len(), CONSTANT, "who is deployed all the time is not deployed");
    }

    #[test]
    fn attributes_say_it_also_as_an_object_and_name_who_did_it() {
        let mut event = LogEvent { service: "ci".into(), level: Level::Info, ..LogEvent::default() };
        event.attributes.insert("deploy".into(), serde_json::json!({"revision": "r7", "service": "api", "by": "ana"}));
        let said = in_attributes(&event);
        assert_eq!(said.as_ref().and_then(|said| said.service.as_deref()), Some("api"));
        assert_eq!(said.as_ref().and_then(|said| said.by.as_deref()), Some("ana"));
        event.attributes.clear();
        event.attributes.insert("deploy.revision".into(), 17.into());
        assert_eq!(in_attributes(&event).map(|said| said.revision), Some("17".into()));
    }
}
