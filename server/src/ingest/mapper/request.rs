//! What a record tells of a request over HTTP, and how it is said and kept.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What was asked over HTTP.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Request<'a> {
    pub status: Option<u16>,
    pub method: Option<Cow<'a, str>>,
    pub path: Option<Cow<'a, str>>,
}

impl Request<'_> {
    pub(super) fn words(&self) -> Option<String> {
        let path = self.path.as_deref()?;
        let mut words = self.method.as_deref().map_or_else(String::new, |method| format!("{method} "));
        words.push_str(path);
        if let Some(status) = self.status {
            words.push(' ');
            words.push_str(&status.to_string());
        }
        Some(words)
    }

    pub(super) fn keep(self, attributes: &mut Map<String, Value>) {
        let status = self.status.map(|status| Value::from(u64::from(status)));
        let method = self.method.map(|method| Value::String(method.into_owned()));
        let path = self.path.map(|path| Value::String(path.into_owned()));
        for (name, value) in [("status", status), ("method", method), ("path", path)] {
            if let Some(value) = value {
                attributes.insert(name.to_owned(), value);
            }
        }
    }
}
