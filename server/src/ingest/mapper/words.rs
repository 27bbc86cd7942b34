//! What single values say: yes or no, how it ended, how a part feels, how loud.

use stella_protocol::Level;
use stella_protocol::log::{ComponentHealth, Login};

use super::super::json::Json;
use super::super::level;

/// Words that stand where nothing is known.
pub(in crate::ingest) fn is_nothing(text: &str) -> bool {
    let text = text.trim();
    let words = ["-", "--", "null", "nil", "none", "(null)", "n/a", "undefined", "<nil>", "unknown", "?"];
    text.is_empty() || words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

pub(in crate::ingest) fn is_placeholder(value: &Json<'_>) -> bool {
    match value {
        Json::Text(text) => text.len() < 10 && is_nothing(text),
        Json::List(items) => items.is_empty(),
        Json::Object(pairs) => pairs.is_empty(),
        _ => false,
    }
}

pub(in crate::ingest) fn truth(value: &Json<'_>) -> Option<bool> {
    match value {
        Json::Flag(flag) => Some(*flag),
        Json::Text(text) => outcome_word(text),
        Json::Number(number) => number.as_i64().and_then(|number| (0..=1).contains(&number).then_some(number == 1)),
        _ => None,
    }
}

pub(in crate::ingest) fn count(value: &Json<'_>) -> Option<u32> {
    value.number().filter(|number| (0.0..1e6).contains(number)).map(|number| number as u32)
}

/// What a word says about how something ended.
pub(in crate::ingest) fn outcome_word(word: &str) -> Option<bool> {
    let word = word.trim();
    let is = |words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
    if is(&[
        "success",
        "successful",
        "succeeded",
        "ok",
        "true",
        "yes",
        "pass",
        "passed",
        "granted",
        "accepted",
        "allow",
        "allowed",
    ]) {
        Some(true)
    } else if is(&[
        "failure",
        "fail",
        "failed",
        "error",
        "false",
        "no",
        "denied",
        "deny",
        "rejected",
        "refused",
        "unauthorized",
        "invalid",
    ]) {
        Some(false)
    } else {
        None
    }
}

pub(in crate::ingest) fn health_word(word: &str) -> Option<ComponentHealth> {
    let is = |words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
    if is(&["healthy", "ok", "up", "green", "pass", "serving"]) {
        Some(ComponentHealth::Healthy)
    } else if is(&["degraded", "warn", "warning", "yellow", "impaired"]) {
        Some(ComponentHealth::Degraded)
    } else if is(&["down", "unhealthy", "unavailable", "red", "fail", "failed", "critical", "not_serving"]) {
        Some(ComponentHealth::Down)
    } else {
        None
    }
}

pub(in crate::ingest) fn login_word(word: &str) -> Option<Login> {
    [("failed", Login::Failed), ("succeeded", Login::Succeeded), ("locked_out", Login::LockedOut)]
        .into_iter()
        .find_map(|(name, login)| (name == word).then_some(login))
}

pub(in crate::ingest) fn read_level(value: &Json<'_>) -> Option<Level> {
    match value {
        Json::Text(text) => {
            let text = text.trim();
            level::word(text).or_else(|| level::letter(text)).or_else(|| level::number(text.parse().ok()?))
        }
        value => value.number().and_then(level::number),
    }
}

pub(in crate::ingest) fn is_host_name(text: &str) -> bool {
    let letters = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    letters && text.len() <= 253 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}
