//! Reads what a request carries: bounded, typed, and refused with the code that fits.
//!
//! A body over its limit is still read to a bounded end and thrown away, because a client that is cut
//! off in mid-send never sees the answer. Does not know any route.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Uri, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use stella_protocol::{Code, Timestamp};

use super::problem::Refusal;

/// Largest body of a request that changes something.
pub(crate) const COMMAND_BYTES: usize = 1 << 20;
/// Deepest nesting of a JSON body.
const DEEPEST_JSON: usize = 64;
/// Longest silence in the middle of a body.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How many times its limit a body may be read and thrown away before the connection is cut.
const DISCARD_FACTOR: usize = 4;

/// Reads at most `limit` bytes.
///
/// # Errors
/// `too_large` beyond that, `bad_body` when the connection breaks off.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let (mut kept, mut seen) = (BytesMut::new(), 0_usize);
    loop {
        let Ok(next) = tokio::time::timeout(LONGEST_PAUSE, stream.next()).await else {
            return Err(Refusal::new(Code::BadBody, "the body stopped coming"));
        };
        let Some(piece) = next else { break };
        let piece = piece.map_err(|_| Refusal::new(Code::BadBody, "the body broke off"))?;
        seen = seen.saturating_add(piece.len());
        if seen <= limit {
            kept.extend_from_slice(&piece);
        } else if seen > limit.saturating_mul(DISCARD_FACTOR) {
            break;
        }
    }
    if seen > limit {
        return Err(Refusal::new(Code::TooLarge, format!("send at most {limit} bytes")));
    }
    Ok(kept.freeze())
}

/// The media type without its parameters, lower case; empty when the header is missing.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a JSON object; an empty body is refused.
///
/// # Errors
/// With the code that fits: content type, size, encoding, depth, shape.
pub(crate) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<(T, Bytes), Refusal> {
    let bytes = read_json(headers, body).await?;
    Ok((from_json(&bytes)?, bytes))
}

/// Like [`json`], but no body at all stands for the default.
///
/// # Errors
/// As [`json`].
pub(crate) async fn json_or_default<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Refusal> {
    if !headers.contains_key(header::CONTENT_TYPE) {
        let bytes = read(body, COMMAND_BYTES).await?;
        return if bytes.is_empty() { Ok(T::default()) } else { Err(wrong_type()) };
    }
    let bytes = read_json(headers, body).await?;
    if bytes.is_empty() { Ok(T::default()) } else { from_json(&bytes) }
}

fn wrong_type() -> Refusal {
    Refusal::new(Code::UnsupportedMediaType, "send application/json, not compressed")
}

async fn read_json(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    if media_type(headers) != "application/json" || headers.contains_key(header::CONTENT_ENCODING) {
        return Err(wrong_type());
    }
    read(body, COMMAND_BYTES).await
}

/// Reads JSON bytes into a type: UTF-8, depth, shape, in this order.
///
/// # Errors
/// `bad_body` or `too_deep`.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::new(Code::BadBody, "the body is not UTF-8"))?;
    if depth(text) > DEEPEST_JSON {
        return Err(Refusal::new(Code::TooDeep, format!("at most {DEEPEST_JSON} levels")));
    }
    serde_json::from_str(text).map_err(|error| Refusal::new(Code::BadBody, error.to_string()))
}

/// Deepest nesting of brackets outside strings; right for JSON, an upper bound for what is not.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads the query of the address.
///
/// # Errors
/// `bad_query` with what is wrong.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    axum::extract::Query::<T>::try_from_uri(uri)
        .map(|query| query.0)
        .map_err(|error| Refusal::new(Code::BadQuery, error.body_text()))
}

/// Reads a point in time out of the query; `name` is the parameter's.
///
/// # Errors
/// `bad_query` that names the parameter.
pub(crate) fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let bad = || Refusal::new(Code::BadQuery, format!("{name}: want RFC 3339, as 2026-01-31T12:00:00Z"));
    Timestamp::parse(text).map(Some).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_but_not_those_in_strings() {
        for (text, deep) in [("", 0), ("{}", 1), ("[[1],[2]]", 2), (r#"{"a":"[[\"[["}"#, 1), (r#"["\\",[]]"#, 2)] {
            assert_eq!(depth(text), deep, "{text}");
        }
    }

    #[test]
    fn each_bad_body_has_its_own_code() {
        let code = |bytes: &[u8]| from_json::<serde_json::Value>(bytes).err().map(|refusal| refusal.0.code);
        assert_eq!(code(b"{\"a\":1}"), None);
        assert_eq!(code(b""), Some(Code::BadBody));
        assert_eq!(code(b"\xff"), Some(Code::BadBody));
        assert_eq!(code(br#"{"a":"\ud800"}"#), Some(Code::BadBody));
        assert_eq!(code("[".repeat(65).as_bytes()), Some(Code::TooDeep));
        assert_eq!(code("[".repeat(5000).as_bytes()), Some(Code::TooDeep));
    }

    #[tokio::test]
    async fn a_body_at_its_limit_is_read_and_one_byte_more_is_not() {
        let of = |bytes: usize| Body::from(vec![b'x'; bytes]);
        assert_eq!(read(of(10), 10).await.map(|bytes| bytes.len()).ok(), Some(10));
        assert_eq!(read(of(11), 10).await.err().map(|refusal| refusal.0.code), Some(Code::TooLarge));
    }
}
