//! Which lines a number is about: said once, used twice. As a query for whoever checks the number,
//! and as a filter over remembered lines for the engine. Both mean the same lines.

use stella_protocol::query::term;

use crate::keep::keep_fields;
use crate::key;
use crate::mark::{Flags, Mark};

/// An operation of a service, as named in the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpName {
    pub(crate) service: Box<str>,
    /// None: lines without an operation.
    pub(crate) operation: Option<Box<str>>,
}

impl OpName {
    /// Service and operation, for settings.
    pub(crate) fn place(&self) -> (&str, Option<&str>) {
        (&self.service, self.operation.as_deref())
    }

    /// The key that marks carry.
    pub(crate) fn key(&self) -> u64 {
        let operation = self.operation.as_deref().map_or(key::NONE, key::of);
        key::join(&[key::of(&self.service), operation])
    }

    /// What stands for an operation whose name is no name.
    pub(crate) fn nobody() -> Self {
        Self { service: "".into(), operation: None }
    }

    /// True when it is short enough to stand in a query.
    pub(crate) fn is_name(&self) -> bool {
        let operation = self.operation.as_ref().map_or(0, |name| name.len());
        self.service.len().max(operation) <= key::LONGEST_NAME
    }

    /// An order among operations that does not depend on who was seen first.
    pub(crate) fn order(&self) -> (&str, &str) {
        (&self.service, self.operation.as_deref().unwrap_or_default())
    }

    /// The operation, or the service where there is none.
    pub(crate) fn word(&self) -> &str {
        match self.operation.as_deref() {
            Some(operation) => operation,
            None if self.service.is_empty() => "all lines",
            None => &self.service,
        }
    }
}

/// A set of lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) op: Option<OpName>,
    pub(crate) service: Option<Box<str>>,
    pub(crate) user: Option<Box<str>>,
    pub(crate) addr: Option<Box<str>>,
    /// Of this error type; the empty one: without a type.
    pub(crate) error: Option<Box<str>>,
    pub(crate) component: Option<Box<str>>,
    pub(crate) need: Flags,
    pub(crate) lack: Flags,
    /// Longer than this many milliseconds.
    pub(crate) over_ms: Option<f64>,
    /// At least so many retries; 0: any.
    pub(crate) retries: u32,
    /// Whose message holds these plain words.
    pub(crate) words: Option<Box<str>>,
    /// Samples of this metric.
    pub(crate) metric: Option<Box<str>>,
}

impl Scope {
    pub(crate) fn of_op(op: &OpName) -> Self {
        Self { op: Some(op.clone()), ..Self::default() }
    }

    pub(crate) fn needing(mut self, flags: Flags) -> Self {
        self.need = self.need.and(flags);
        self
    }

    pub(crate) fn lacking(mut self, flags: Flags) -> Self {
        self.lack = self.lack.and(flags);
        self
    }

    pub(crate) fn over(mut self, limit_ms: f64) -> Self {
        self.over_ms = Some(limit_ms);
        self
    }

    pub(crate) fn by_user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }

    pub(crate) fn at_addr(mut self, addr: &str) -> Self {
        self.addr = Some(addr.into());
        self
    }

    pub(crate) fn retried(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Failures that are not failed logins.
    pub(crate) fn errors(self) -> Self {
        self.needing(Flags::FAILED).lacking(Flags::LOGIN_FAILED)
    }

    /// The same lines in the filter language.
    pub(crate) fn q(&self) -> String {
        let mut terms = Vec::new();
        let service = self.op.as_ref().map(|op| &op.service).or(self.service.as_ref());
        terms.extend(service.map(|service| term("service", service)));
        if let Some(op) = &self.op {
            terms.push(op.operation.as_ref().map_or("operation=-".to_owned(), |name| term("operation", name)));
        }
        if let Some(error) = &self.error {
            terms.push(if error.is_empty() { "error=-".to_owned() } else { term("error", error) });
        }
        terms.extend(self.user.iter().map(|user| term("user", user)));
        terms.extend(self.addr.iter().map(|addr| term("addr", addr)));
        terms.extend(self.component.iter().map(|component| term("component", component)));
        terms.extend(self.need.terms().map(str::to_owned));
        terms.extend(self.lack.terms().map(|term| format!("!{term}")));
        terms.extend(self.over_ms.map(|limit| format!("duration>{limit}")));
        terms.extend((self.retries > 0).then(|| format!("retries>={}", self.retries)));
        terms.extend(self.metric.iter().map(|metric| term("metric", metric)));
        terms.extend(self.words.iter().map(|words| format!("\"{words}\"")));
        terms.join(" ")
    }

    /// The same lines as a filter over marks.
    pub(crate) fn filter(&self) -> Filter {
        let of = |name: &Option<Box<str>>| name.as_deref().map(key::of);
        Filter {
            op: self.op.as_ref().map(OpName::key),
            service: of(&self.service),
            user: of(&self.user),
            addr: of(&self.addr),
            error: self.error.as_deref().map(|error| if error.is_empty() { key::NONE } else { key::of(error) }),
            component: of(&self.component),
            need: self.need,
            lack: self.lack,
            over_ms: self.over_ms,
            retries: self.retries,
        }
    }

    /// True when every line of it is a rare one, so that the rare chain holds them all.
    pub(crate) fn is_rare(&self) -> bool {
        self.need.is_rare()
    }
}

/// A scope, ready to be asked of marks. Words and metrics are not in it: marks have no text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) op: Option<u64>,
    service: Option<u64>,
    user: Option<u64>,
    addr: Option<u64>,
    error: Option<u64>,
    component: Option<u64>,
    need: Flags,
    lack: Flags,
    over_ms: Option<f64>,
    retries: u32,
}

impl Filter {
    pub(crate) fn fits(&self, mark: &Mark) -> bool {
        let same = |wanted: Option<u64>, key: u64| wanted.is_none_or(|wanted| wanted == key);
        same(self.op, mark.op)
            && same(self.service, mark.service)
            && (same(self.user, mark.user) && (self.user.is_some() || !mark.flags.has(Flags::NAMED_USER)))
            && same(self.addr, mark.addr)
            && same(self.error, mark.error)
            && same(self.component, mark.component)
            && mark.flags.has(self.need)
            && !mark.flags.any(self.lack)
            && self.over_ms.is_none_or(|limit| mark.duration > limit)
            && (self.retries == 0 || mark.retries >= self.retries)
    }
}

keep_fields!(OpName { service, operation });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_as_a_query_and_hostile_names_stay_inside_their_quotes() {
        let op = OpName { service: "api".into(), operation: Some("a\" or user=\"b".into()) };
        let scope = Scope::of_op(&op).errors().by_user("ana").over(200.0);
        let q = scope.q();
        assert_eq!(
            q,
            "service=\"api\" operation=\"a\\\" or user=\\\"b\" user=\"ana\" failed=true !login=failed duration>200"
        );
        assert!(stella_protocol::query::parse(&q).is_ok());
    }
}
