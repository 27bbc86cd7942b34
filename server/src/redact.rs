//! What must not be kept, taken out before anything is kept: secrets always, persons in `strict`.
//!
//! One automaton looks at every text of an event; only where it finds a reason do patterns run, so an
//! ordinary line costs well under a microsecond. What is taken out leaves a mark that names its kind
//! (`[secret:jwt]`). Redacting twice changes nothing. It keeps no plain values and no counts.

mod keys;
mod personal;
mod pseudonym;
mod secrets;

pub use pseudonym::PseudonymKey;

use std::borrow::Cow;

use memchr::memmem::Finder;
use serde_json::{Map, Value};
use stella_protocol::{LogEvent, Untrusted};

use keys::Promise;

/// A text shorter than this is not looked for inside other texts: it would hit ordinary words.
const SHORTEST_NAME: usize = 3;

/// Card numbers have thirteen digits at least.
const SMALLEST_CARD: u64 = 1_000_000_000_000;

/// How much is taken out.
#[derive(Debug, Clone)]
pub enum Mode {
    /// Secrets only; users, e-mails and addresses stay readable on this machine.
    Local,
    /// Persons too.
    Strict {
        /// With what pseudonyms are made.
        key: PseudonymKey,
        /// Network addresses become pseudonyms too.
        remote_addr: bool,
    },
}

/// Takes out of events what must not be kept.
#[derive(Debug, Clone)]
pub struct Redactor {
    mode: Mode,
}

impl Redactor {
    /// A redactor of this mode.
    pub fn new(mode: Mode) -> Self {
        Self { mode }
    }

    /// Redacts every text of the event, keys of attributes included.
    pub fn apply(&self, event: &mut LogEvent<'_>) {
        let names = self.names(event);
        let finders: Vec<_> = names.iter().map(|(plain, name)| (Finder::new(plain), name.as_str())).collect();
        let clean = Cleaner { strict: matches!(self.mode, Mode::Strict { .. }), names: &finders, redactor: self };
        let LogEvent { message, service, host, operation, error_type, component, metric, unit, .. } = event;
        for text in [message, service] {
            clean.text(text);
        }
        for text in [host, operation, error_type, component, metric, unit].into_iter().flatten() {
            clean.text(text);
        }
        let LogEvent { session_id, conversation_id, trace_id, user_id, remote_addr, .. } = event;
        for text in [session_id, conversation_id, trace_id, remote_addr].into_iter().flatten() {
            clean.text(text);
        }
        for user in user_id.iter_mut().chain(&mut event.affected_users) {
            let known = names.iter().find(|(plain, _)| plain == user.raw()).map(|(_, name)| name.clone());
            match known.or_else(|| self.user(user.raw())) {
                Some(name) => *user = Untrusted::from(name),
                None => clean.text(user),
            }
        }
        for action in &mut event.suggested_actions {
            clean.text(action);
        }
        clean.map(&mut event.attributes);
    }

    /// The pseudonym of a user; None: users stay, or this is a pseudonym already.
    fn user(&self, plain: &str) -> Option<String> {
        match &self.mode {
            Mode::Strict { key, .. } if !plain.is_empty() && !pseudonym::is_one(plain) => Some(key.user(plain)),
            _ => None,
        }
    }

    /// Plain names of this event and what stands for them, the longest first.
    fn names(&self, event: &LogEvent<'_>) -> Vec<(String, String)> {
        let Mode::Strict { key, remote_addr } = &self.mode else { return Vec::new() };
        let users = event.user_id.iter().chain(&event.affected_users).map(Untrusted::raw);
        let mut names: Vec<(String, String)> =
            users.filter_map(|plain| Some((plain.to_owned(), self.user(plain)?))).collect();
        let address = event.remote_addr.as_ref().filter(|_| *remote_addr).map(Untrusted::raw);
        names.extend(
            address.filter(|plain| !pseudonym::is_one(plain)).map(|plain| (plain.to_owned(), key.address(plain))),
        );
        names.retain(|(plain, _)| plain.len() >= SHORTEST_NAME);
        names.sort_by_key(|(plain, _)| std::cmp::Reverse(plain.len()));
        names
    }
}

struct Cleaner<'r> {
    strict: bool,
    /// What finds each plain name, and what stands for it.
    names: &'r [(Finder<'r>, &'r str)],
    redactor: &'r Redactor,
}

impl Cleaner<'_> {
    fn text(&self, text: &mut Untrusted<'_>) {
        if let Some(changed) = self.cleaned(text.raw()) {
            *text = Untrusted::from(changed);
        }
    }

    /// What the text becomes; None: it stays.
    fn cleaned(&self, text: &str) -> Option<String> {
        let mut now = Cow::Borrowed(text);
        for (plain, name) in self.names {
            if let Some(changed) = replace_whole(&now, plain, name) {
                now = Cow::Owned(changed);
            }
        }
        if let Some(changed) = secrets::mask(&now) {
            now = Cow::Owned(changed);
        }
        if self.strict
            && let Some(changed) = personal::mask(&now)
        {
            now = Cow::Owned(changed);
        }
        match now {
            Cow::Owned(changed) => Some(changed),
            Cow::Borrowed(_) => None,
        }
    }

    fn map(&self, map: &mut Map<String, Value>) {
        let renamed: Vec<(String, String)> =
            map.keys().filter_map(|key| self.cleaned(key).map(|changed| (key.clone(), changed))).collect();
        for (key, changed) in renamed {
            if let Some(value) = map.remove(&key) {
                map.insert(changed, value);
            }
        }
        for (key, value) in map {
            self.member(key, value);
        }
    }

    fn member(&self, key: &str, value: &mut Value) {
        let user = match keys::promise(key) {
            Promise::Secret(mark) => {
                if !value.is_null() && !value.is_boolean() && !secrets::is_marked(value) {
                    *value = Value::from(mark);
                }
                return;
            }
            Promise::User => value.as_str().and_then(|plain| self.redactor.user(plain)),
            Promise::Nothing => None,
        };
        match user {
            Some(name) => *value = Value::from(name),
            None => self.value(value),
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(changed) = self.cleaned(text) {
                    *text = changed;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => self.map(map),
            // A card number may come as a number.
            Value::Number(number) if number.as_u64().is_some_and(|number| number >= SMALLEST_CARD) => {
                if let Some(changed) = secrets::mask(&number.to_string()) {
                    *value = Value::from(changed);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Replaces `plain` where it stands as a word of its own; None: it does not.
fn replace_whole(text: &str, plain: &Finder<'_>, name: &str) -> Option<String> {
    if text.len() < plain.needle().len() {
        return None;
    }
    let edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric() && letter != '_');
    let mut changed = String::new();
    let mut kept = 0;
    for at in plain.find_iter(text.as_bytes()) {
        let end = at + plain.needle().len();
        if edge(text[..at].chars().next_back()) && edge(text[end..].chars().next()) {
            changed.push_str(&text[kept..at]);
            changed.push_str(name);
            kept = end;
        }
    }
    (kept > 0).then(|| changed + &text[kept..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn strict(remote_addr: bool) -> Redactor {
        Redactor::new(Mode::Strict { key: PseudonymKey::from_bytes([7; 32]), remote_addr })
    }

    fn event() -> LogEvent<'static> {
        let mut event = LogEvent {
            message: "ana@example.com (ana_1) failed from 192.0.2.7 with password=hunter2".into(),
            user_id: Some("ana_1".into()),
            remote_addr: Some("192.0.2.7".into()),
            suggested_actions: vec!["call +56 9 1234 5678".into()],
            affected_users: vec!["bob".into()],
            ..LogEvent::default()
        };
        let attributes = json!({
            "apiKey": "abc", "note": {"text": "of ana_1", "list": ["x@example.com"]}, "username": "ana_1",
            "mail ana@example.com": 1, "card": 4_111_111_111_111_111_u64
        });
        event.attributes = attributes.as_object().cloned().unwrap_or_default();
        event
    }

    #[test]
    fn local_masks_secrets_and_leaves_persons_readable() {
        let mut event = event();
        Redactor::new(Mode::Local).apply(&mut event);
        assert_eq!(
            event.message.raw(),
            "ana@example.com (ana_1) failed from 192.0.2.7 with password=[secret:password]"
        );
        assert_eq!(event.attributes["apiKey"], "[secret:api-key]");
        assert_eq!(event.attributes["card"], "[secret:card]");
        assert_eq!(event.user_id, Some("ana_1".into()));
    }

    #[test]
    fn strict_leaves_no_person_in_any_text_of_the_event() {
        let mut event = event();
        strict(true).apply(&mut event);
        let kept = serde_json::to_string(&event).unwrap_or_default();
        for plain in ["ana_1", "bob", "example.com", "192.0.2.7", "hunter2", "1234 5678", "4111"] {
            assert!(!kept.contains(plain), "{plain} in {kept}");
        }
    }

    #[test]
    fn a_pseudonym_is_the_same_everywhere_and_the_address_stays_unless_asked() {
        let mut event = event();
        strict(false).apply(&mut event);
        let user = event.user_id.as_ref().map(|user| user.raw().to_owned()).unwrap_or_default();
        assert!(user.starts_with("u~"));
        assert_eq!(event.attributes["username"], user.as_str());
        assert!(event.message.raw().contains(&user));
        assert_eq!(event.remote_addr, Some("192.0.2.7".into()));
    }

    #[test]
    fn redacting_twice_changes_nothing() {
        for redactor in [strict(true), strict(false), Redactor::new(Mode::Local)] {
            let mut once = event();
            redactor.apply(&mut once);
            let mut twice = once.clone();
            redactor.apply(&mut twice);
            assert_eq!(once, twice);
        }
    }
}
