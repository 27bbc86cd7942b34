//! `POST /logs`: reads and unpacks the body, hands it to the pipeline, says what came of each line.
//!
//! Parsing and redaction are the pipeline's. A 2xx means that every accepted line survives SIGKILL.

use std::io::Read;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use stella_protocol::ingest::IngestResponse;
use stella_protocol::{Code, Text};

use super::problem::Refusal;
use super::{App, body};
use crate::auth::{Recording, Session, is_name};
use crate::ingest::BodyKind;
use crate::pipeline::{EngineTimeMode, IngestError};

/// Largest body as sent.
const SENT_BYTES: usize = 8 << 20;
/// Largest body once unpacked.
const UNPACKED_BYTES: usize = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    recording: Option<String>,
}

/// `POST /logs`.
pub(super) async fn take(
    State(app): State<App>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Result<Json<IngestResponse>, Refusal> {
    let (mode, source) = mode(&session, &uri)?;
    let kind = kind(&headers)?;
    let packing = packing(&headers)?;
    let bytes = body::read(body, SENT_BYTES).await?;
    let bytes = match packing {
        Packing::Plain => bytes,
        Packing::Gzip => unpack_apart(bytes).await?,
    };
    if kind == BodyKind::Json && std::str::from_utf8(&bytes).is_err() {
        return Err(Refusal::new(Code::BadBody, "the body is not UTF-8"));
    }
    let answer = app.pipeline.take(bytes, kind, mode, app.redactor.clone(), source).await;
    answer.map(Json).map_err(|error| refused(&error))
}

pub(super) fn refused(error: &IngestError) -> Refusal {
    match error {
        IngestError::NotUtf8 | IngestError::Body(_) => Refusal::new(Code::BadBody, error.to_string()),
        IngestError::Busy { .. } => Refusal::new(Code::Unavailable, "too much is waiting: send the same lines again"),
        IngestError::Ending => Refusal::new(Code::Unavailable, "the server is ending: send the same lines again"),
        IngestError::DiskFull => Refusal::new(Code::StoreUnavailable, "the disk is full"),
        IngestError::NotKept => Refusal::new(Code::StoreUnavailable, "the lines were not kept: send them again"),
    }
}

/// Whose time the lines have, and what their source is called.
fn mode(session: &Session, uri: &Uri) -> Result<(EngineTimeMode, Text), Refusal> {
    let ask: Ask = body::query(uri)?;
    let Some(recording) = ask.recording else {
        return Ok((EngineTimeMode::Live, session.principal.name.clone()));
    };
    if session.recording == Recording::Refused {
        return Err(Refusal::new(Code::RecordingNotAllowed, "leave ?recording away: lines get their time on receipt"));
    }
    if !is_name(&recording) {
        return Err(Refusal::new(Code::BadQuery, "recording: 1 to 64 letters, digits and . _ - @"));
    }
    let source = Text::new(recording.clone());
    Ok((EngineTimeMode::Recording(recording), source))
}

fn kind(headers: &HeaderMap) -> Result<BodyKind, Refusal> {
    match body::media_type(headers).as_str() {
        "application/json" | "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(BodyKind::Json),
        "text/plain" => Ok(BodyKind::PlainText),
        _ => Err(Refusal::new(Code::UnsupportedMediaType, "send application/json, application/x-ndjson or text/plain")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
}

fn packing(headers: &HeaderMap) -> Result<Packing, Refusal> {
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(Packing::Plain),
        Some(b"gzip" | b"x-gzip") => Ok(Packing::Gzip),
        Some(_) => Err(Refusal::new(Code::UnsupportedMediaType, "compress with gzip or not at all")),
    }
}

/// Unpacking takes time in proportion to what comes out: not on a thread that serves others.
async fn unpack_apart(bytes: Bytes) -> Result<Bytes, Refusal> {
    let unpacked = tokio::task::spawn_blocking(move || unpack(&bytes, UNPACKED_BYTES)).await;
    unpacked.unwrap_or_else(|_| Err(Refusal::new(Code::Internal, "")))
}

fn unpack(bytes: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    let mut unpacked = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(bytes).take(bound).read_to_end(&mut unpacked);
    if unpacked.len() > limit {
        return Err(Refusal::new(Code::TooLarge, format!("at most {limit} bytes once unpacked")));
    }
    read.map_err(|_| Refusal::new(Code::BadCompression, "what came is not a whole gzip stream"))?;
    Ok(unpacked.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn code(result: Result<Bytes, Refusal>) -> Option<Code> {
        result.err().map(|refusal| refusal.0.code)
    }

    #[test]
    fn gzip_is_unpacked_up_to_the_limit_and_not_a_byte_further() {
        let bytes = packed(&[b'x'; 1000]);
        assert_eq!(unpack(&bytes, 1000).unwrap().len(), 1000);
        assert_eq!(code(unpack(&bytes, 999)), Some(Code::TooLarge));
    }

    #[test]
    fn a_cut_or_foreign_stream_is_bad_compression() {
        let bytes = packed(b"hello");
        assert_eq!(code(unpack(&bytes[..bytes.len() - 3], 100)), Some(Code::BadCompression));
        assert_eq!(code(unpack(b"{\"a\":1}", 100)), Some(Code::BadCompression));
    }
}
