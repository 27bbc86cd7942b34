//! What somebody set: for which rules, where, and how; and what that makes of one place.
//!
//! Settings are looked through once for a place, not for each line: an operation's cell holds what came of it.
//! Of several that fit, the later one holds for what it says.

use std::collections::BTreeMap;

use super::known::{Known, Limit};
use crate::keep::{Keep, Reader};

/// A text with `*` for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// As it is written.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The same again.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// True when the whole of `name` is so. In time linear in both for a few stars.
    pub fn fits(&self, name: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return *self.0 == *name };
        let Some(mut name) = name.strip_prefix(head) else { return false };
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The first place that fits leaves most to those behind it.
        for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
            let Some(at) = name.find(piece) else { return false };
            name = &name[at + piece.len()..];
        }
        name.ends_with(tail)
    }
}

/// How some rules are set, everywhere or in some places. What is None is as it was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Setting {
    /// Which.
    pub rules: Vec<Known>,
    /// In which services; of a silence also: which component.
    pub service: Option<Pattern>,
    /// In which operations.
    pub operation: Option<Pattern>,
    /// Whether anybody is told.
    pub enabled: Option<bool>,
    /// False alerts an hour that somebody is ready to bear.
    pub sensitivity: Option<f64>,
    /// Limits; None takes one away.
    pub limits: BTreeMap<Limit, Option<f64>>,
}

impl Setting {
    /// True when it holds at this place. What has no operation is in none.
    pub fn fits(&self, service: &str, operation: Option<&str>) -> bool {
        self.service.as_ref().is_none_or(|pattern| pattern.fits(service))
            && self.operation.as_ref().is_none_or(|pattern| operation.is_some_and(|name| pattern.fits(name)))
    }
}

/// What holds at one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tuned {
    /// A bit for each rule that nobody is told of.
    off: u32,
    /// Evidence that each rule needs besides, in nats.
    more: [f32; Known::COUNT],
    /// Each limit that somebody set; infinite: it was taken away.
    limits: [Option<f64>; Limit::COUNT],
}

impl Default for Tuned {
    fn default() -> Self {
        Self::USUAL
    }
}

impl Tuned {
    /// Nobody set anything.
    pub(crate) const USUAL: Self = Self { off: 0, more: [0.0; Known::COUNT], limits: [None; Limit::COUNT] };

    /// What `settings` make of a place, where `usual` false alerts an hour are borne.
    pub(crate) fn of(settings: &[Setting], usual: f64, service: &str, operation: Option<&str>) -> Self {
        let mut tuned = Self::USUAL;
        for setting in settings.iter().filter(|setting| setting.fits(service, operation)) {
            for known in &setting.rules {
                tuned.take(setting, *known, usual);
            }
        }
        tuned
    }

    fn take(&mut self, setting: &Setting, known: Known, usual: f64) {
        let bit = 1 << known as u32;
        match setting.enabled {
            Some(true) => self.off &= !bit,
            Some(false) => self.off |= bit,
            None => {}
        }
        if let Some(own) = setting.sensitivity {
            self.more[known as usize] = (floored(usual) / floored(own)).ln() as f32;
        }
        for (limit, value) in setting.limits.iter().filter(|(limit, _)| known.limits().contains(limit)) {
            self.limits[*limit as usize] = Some(value.unwrap_or(f64::INFINITY));
        }
    }

    /// True when somebody is told of what the rule finds.
    pub(crate) fn is_on(&self, known: Known) -> bool {
        self.off & (1 << known as u32) == 0
    }

    /// Evidence that the rule needs besides, in nats.
    pub(crate) fn more(&self, known: Known) -> f64 {
        f64::from(self.more[known as usize])
    }

    /// The limit that somebody set, or else `usual`.
    pub(crate) fn limit_or(&self, limit: Limit, usual: Option<f64>) -> Option<f64> {
        self.limits[limit as usize].or(usual).filter(|limit| limit.is_finite())
    }

    /// True when so many reach the limit that somebody set, or else `usual`.
    pub(crate) fn reaches(&self, limit: Limit, usual: Option<u32>, count: u32) -> bool {
        self.limit_or(limit, usual.map(f64::from)).is_some_and(|limit| f64::from(count) >= limit)
    }

    /// True when somebody took the limit away.
    pub(crate) fn is_lifted(&self, limit: Limit) -> bool {
        self.limits[limit as usize].is_some_and(f64::is_infinite)
    }
}

/// A budget of nothing would need infinite evidence; once in a century is near enough.
pub(crate) fn floored(false_an_hour: f64) -> f64 {
    false_an_hour.max(1e-6)
}

/// Not part of a state: it follows from the settings that the engine is given.
impl Keep for Tuned {
    fn keep(&self, _to: &mut Vec<u8>) {}

    fn wake(_from: &mut Reader<'_>) -> Option<Self> {
        Some(Self::USUAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, fit, others) in [
            ("api", &["api"][..], &["apis", "ap", ""][..]),
            ("*", &["", "a", "ä*"], &[]),
            ("api*", &["api", "api-2"], &["ap", "an api"]),
            ("*_search", &["get_search", "_search"], &["search", "_searches"]),
            ("a*b*c", &["abc", "a-b-b-c"], &["acb", "ab", "abcd"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("a**b", &["ab", "acb"], &["a"]),
        ] {
            let pattern = Pattern::new(pattern);
            assert!(fit.iter().all(|name| pattern.fits(name)), "{pattern:?}");
            assert!(!others.iter().any(|name| pattern.fits(name)), "{pattern:?}");
        }
    }

    #[test]
    fn a_later_setting_holds_for_what_it_says_where_it_fits() {
        let all = Setting {
            rules: vec![Known::Slow, Known::Errors],
            sensitivity: Some(0.02),
            limits: [(Limit::DurationMs, Some(500.0))].into(),
            ..Setting::default()
        };
        let some = Setting {
            rules: vec![Known::Slow],
            service: Some(Pattern::new("search*")),
            enabled: Some(false),
            limits: [(Limit::DurationMs, None), (Limit::FailurePercent, Some(1.0))].into(),
            ..Setting::default()
        };
        let settings = [all, some];
        let here = Tuned::of(&settings, 0.2, "search-2", Some("query"));
        let there = Tuned::of(&settings, 0.2, "api", None);
        assert!(!here.is_on(Known::Slow) && here.is_on(Known::Errors) && there.is_on(Known::Slow));
        assert!((here.more(Known::Slow) - 10f64.ln()).abs() < 1e-6 && here.more(Known::Friction).abs() < 1e-9);
        assert_eq!(here.limit_or(Limit::DurationMs, Some(900.0)), None, "it was taken away");
        assert_eq!(there.limit_or(Limit::DurationMs, None), Some(500.0));
        assert_eq!(here.limit_or(Limit::FailurePercent, None), None, "slowness has no such limit");
        assert_eq!(there.limit_or(Limit::SilentMs, Some(7.0)), Some(7.0));
    }

    #[test]
    fn what_is_set_for_operations_does_not_hold_where_there_is_none() {
        let some = Setting { operation: Some(Pattern::new("*")), ..Setting::default() };
        assert!(some.fits("api", Some("get")) && !some.fits("api", None));
    }
}
