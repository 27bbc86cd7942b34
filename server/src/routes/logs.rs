//! `GET /logs`: kept lines, by words, by span, around an alert, along a trace.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use stella_protocol::query::{Query, parse, term};
use stella_protocol::snapshot::LogPage;
use stella_protocol::{Code, LineId, LogLink};

use super::actions::alert_id;
use super::alerts::{no_alert, parse_query};
use super::listing::page;
use super::problem::Refusal;
use super::{App, body};
use crate::lines::LineSearch;

/// Rows of a page when nobody says.
const PAGE: u32 = 200;
/// Most rows of a page.
const LARGEST_PAGE: u32 = 1000;
/// Most lines shown around a matching one.
const WIDEST_CONTEXT: u32 = 50;
/// How much time is shown before and after the lines of an alert, in milliseconds.
const AROUND_ALERT_MS: i64 = 60_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    up_to: Option<String>,
    alert: Option<String>,
    trace: Option<String>,
    after: Option<String>,
    before: Option<String>,
    context: Option<u32>,
    limit: Option<u32>,
    /// `newest` or `oldest` first; `oldest` when absent.
    order: Option<Order>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    Newest,
    Oldest,
}

/// `GET /logs`.
pub(super) async fn search(State(app): State<App>, uri: Uri) -> Result<Json<LogPage>, Refusal> {
    let ask: Ask = body::query(&uri)?;
    let link = match &ask.alert {
        Some(id) => Some(lines_of(&app, id).await?),
        None => None,
    };
    let search = line_search(&ask, link.as_ref())?;
    let lines = app.lines.clone();
    let found = super::apart(move || lines.search(&search)).await?;
    found.map(Json).map_err(|error| {
        tracing::warn!(%error, "kept lines were not searched");
        Refusal::new(Code::StoreUnavailable, "the kept lines do not answer")
    })
}

/// The lines that an alert counts.
async fn lines_of(app: &App, id: &str) -> Result<LogLink, Refusal> {
    let id = alert_id(id)?;
    let hub = app.hub.clone();
    let evidence = super::stored(move || hub.evidence(&id)).await?;
    evidence.map(|evidence| evidence.lines).ok_or_else(no_alert)
}

fn line_search(ask: &Ask, link: Option<&LogLink>) -> Result<LineSearch, Refusal> {
    let context = ask.context.unwrap_or(0);
    if context > WIDEST_CONTEXT {
        return Err(Refusal::new(Code::BadQuery, format!("context: 0 to {WIDEST_CONTEXT}")));
    }
    let mark = link.map(|link| parse_query(Some(link.q.raw()))).transpose()?;
    let whole = LineSearch::default();
    let span = link.map_or((whole.from, whole.to), |link| {
        (link.from.plus_millis(-AROUND_ALERT_MS), link.to.plus_millis(AROUND_ALERT_MS))
    });
    Ok(LineSearch {
        query: query(ask)?,
        from: body::time("from", ask.from.as_deref())?.unwrap_or(span.0),
        to: body::time("to", ask.to.as_deref())?.unwrap_or(span.1),
        up_to: line("up_to", ask.up_to.as_deref())?,
        after: line("after", ask.after.as_deref())?,
        before: line("before", ask.before.as_deref())?,
        context,
        limit: page(ask.limit, PAGE, LARGEST_PAGE)?,
        mark,
        newest_first: ask.order == Some(Order::Newest),
    })
}

/// `q`, narrowed to a trace when one is named.
fn query(ask: &Ask) -> Result<Query, Refusal> {
    let Some(trace) = &ask.trace else { return parse_query(ask.q.as_deref()) };
    let trace = term("trace", trace);
    match ask.q.as_deref().map(str::trim) {
        None | Some("") => parse_query(Some(&trace)),
        Some(q) => {
            // The words are read alone first, so that a place in an error means a place in `q`.
            parse_query(Some(q))?;
            parse(&format!("{trace} and ({q})")).map_err(|error| Refusal::new(Code::BadQuery, error.what))
        }
    }
}

fn line(name: &str, text: Option<&str>) -> Result<Option<LineId>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let bad = |_| Refusal::new(Code::BadQuery, format!("{name}: want the id of a line"));
    text.parse().map(|id| Some(LineId(id))).map_err(bad)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use stella_protocol::Timestamp;

    use super::*;

    #[test]
    fn an_alert_gives_its_span_with_a_margin_and_marks_its_lines() {
        let at = Timestamp::from_millis;
        let link = LogLink { q: "operation=\"x\"".into(), from: at(600_000), to: at(660_000), up_to: None };
        let search = line_search(&Ask::default(), Some(&link)).unwrap();
        assert_eq!((search.from, search.to), (at(540_000), at(720_000)));
        assert!(search.mark.is_some() && search.query.is_empty());
    }

    #[test]
    fn what_is_no_time_line_limit_or_query_is_refused_by_name() {
        let some = |text: &str| Some(text.to_owned());
        for (ask, named) in [
            (Ask { from: some("yesterday"), ..Ask::default() }, "from"),
            (Ask { after: some("-1"), ..Ask::default() }, "after"),
            (Ask { limit: Some(0), ..Ask::default() }, "limit"),
            (Ask { context: Some(1_000_000), ..Ask::default() }, "context"),
            (Ask { q: some("sev>="), ..Ask::default() }, "q,"),
            (Ask { q: some("a) or (b"), trace: some("t"), ..Ask::default() }, "q,"),
        ] {
            let detail = line_search(&ask, None).err().map(|refusal| refusal.0.detail.raw().to_owned());
            assert!(detail.as_deref().is_some_and(|detail| detail.starts_with(named)), "{named}: {detail:?}");
        }
    }
}
