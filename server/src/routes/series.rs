//! `GET /series`: buckets of the series asked for.

use std::sync::PoisonError;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use stella_protocol::Code;
use stella_protocol::series::SeriesPage;

use super::problem::Refusal;
use super::{App, body};

/// Span when nobody says, in milliseconds.
const SPAN_MS: i64 = 30 * 60_000;
/// Width of a bucket when nobody says, in milliseconds.
const STEP_MS: i64 = 60_000;
/// Most series of one request.
const MOST_SERIES: usize = 100;
/// Most buckets of one series.
const MOST_BUCKETS: i64 = 3000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// Separated by commas.
    ids: String,
    from: Option<String>,
    to: Option<String>,
    /// Seconds, or with a unit: `5s`, `1m`, `10m`.
    step: Option<String>,
}

/// `GET /series`.
pub(super) async fn buckets(State(app): State<App>, uri: Uri) -> Result<Json<SeriesPage>, Refusal> {
    let ask: Ask = body::query(&uri)?;
    let ids: Vec<&str> = ask.ids.split(',').filter(|id| !id.is_empty()).collect();
    if ids.is_empty() || ids.len() > MOST_SERIES {
        return Err(Refusal::new(Code::BadQuery, format!("ids: 1 to {MOST_SERIES}, separated by commas")));
    }
    let newest = app.pipeline.engine_clock().last.unwrap_or_else(|| app.clock.now());
    let to = body::time("to", ask.to.as_deref())?.unwrap_or(newest);
    let from = body::time("from", ask.from.as_deref())?.unwrap_or_else(|| to.plus_millis(-SPAN_MS));
    let step = step(ask.step.as_deref())?;
    if from >= to || to.since(from) / step > MOST_BUCKETS {
        return Err(Refusal::new(Code::BadQuery, format!("want from before to, and at most {MOST_BUCKETS} steps")));
    }
    let book = app.series.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Json(book.buckets(&ids, from, to, step)))
}

/// Reads a width in milliseconds.
fn step(text: Option<&str>) -> Result<i64, Refusal> {
    let Some(text) = text else { return Ok(STEP_MS) };
    let (number, unit) = text.split_at(text.trim_end_matches(|letter: char| letter.is_ascii_lowercase()).len());
    let unit = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let millis = number.parse::<i64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    millis.filter(|&millis| millis > 0).ok_or_else(|| Refusal::new(Code::BadQuery, "step: as 5s, 1m, 10m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_seconds_or_has_a_unit() {
        for (text, millis) in [(None, 60_000), (Some("5"), 5000), (Some("5s"), 5000), (Some("10m"), 600_000)] {
            assert_eq!(step(text).ok(), Some(millis), "{text:?}");
        }
        for bad in ["", "0", "-5s", "5d", "s", "9223372036854775807h"] {
            assert!(step(Some(bad)).is_err(), "{bad}");
        }
    }
}
