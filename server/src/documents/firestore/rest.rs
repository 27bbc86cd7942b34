//! One request and what its answer means: done, surely not done, perhaps done, or never to be done.
//!
//! Reads are asked again where that can help. Whether a write is asked again is not decided here: that depends on
//! what it expects. Nothing is followed elsewhere, nothing is sent a second time unseen, no answer is read beyond
//! its limit, and nothing of a token gets into a word.

use std::time::Duration;

use rand::Rng;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::access::Access;
pub(super) use crate::asking::Reach;
use crate::asking::once;
use crate::documents::DocumentsError;

/// Longest message of the store that is passed on, in letters.
const MESSAGE: usize = 200;
/// Longest wait that the store may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(30);

/// How long is waited, how often is asked, how much is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Tries of a request, the first one among them.
    pub tries: u32,
    /// The longest wait before the second try; each further one doubles it.
    pub first: Duration,
    /// The longest wait of all.
    pub longest: Duration,
    /// How long a connection may take.
    pub connect: Duration,
    /// How long a whole answer may take.
    pub answer: Duration,
    /// Longest answer, in bytes.
    pub bytes: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tries: 4,
            first: Duration::from_millis(200),
            longest: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            answer: Duration::from_mins(1),
            bytes: 48 * 1024 * 1024,
        }
    }
}

impl Pace {
    /// How long to wait behind this many tries: between half and all of what is due, so that many who were
    /// refused at once do not come back at once.
    pub fn pause(&self, tried: u32, wish: Option<Duration>) -> Duration {
        let due = self.first.saturating_mul(1 << tried.saturating_sub(1).min(16)).min(self.longest);
        let jittered = due.mul_f64(rand::rng().random_range(0.5..=1.0));
        jittered.max(wish.unwrap_or_default().min(LONGEST_WISH))
    }
}

/// Why there is no answer to go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// It surely did nothing, and asking again can help; when it wants to be asked.
    Nothing(String, Option<Duration>),
    /// It may have done it.
    Unsure(String),
    /// Something else stands there than was expected, or nothing; or the whole database does not.
    Standing(String),
    /// It does not take this, however often.
    Refused(String),
    /// It knows the token no more.
    Unknown(String),
    /// It wants it to be asked elsewhere.
    Elsewhere,
    /// The answer is longer than is read.
    TooLong,
}

/// Why a read brought nothing.
#[derive(Debug)]
pub(super) enum Missed {
    /// The answer is longer than is read: less is to be asked for.
    TooLong,
    /// This.
    Said(DocumentsError),
}

impl From<Missed> for DocumentsError {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::TooLong => Self::Refused("its answer is longer than any that is read".to_owned()),
            Missed::Said(error) => error,
        }
    }
}

/// A client that goes nowhere but where it is sent.
///
/// # Errors
/// When none can be made.
pub(super) fn client(reach: Reach, pace: &Pace) -> reqwest::Result<Client> {
    let builder = once(reach).connect_timeout(pace.connect).timeout(pace.answer);
    match reach {
        Reach::Encrypted => builder.https_only(true),
        Reach::Plain => builder.no_proxy(),
    }
    .build()
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Ask {
    method: Method,
    /// Behind `/v1/`.
    place: String,
    body: Option<Vec<u8>>,
}

impl Ask {
    /// A verb, of a place.
    pub fn verb(place: &str, verb: &str, body: &Value) -> Self {
        let body = Some(body.to_string().into_bytes());
        Self { method: Method::POST, place: format!("{place}:{verb}"), body }
    }

    /// What stands there.
    pub fn what_is(place: String) -> Self {
        Self { method: Method::GET, place, body: None }
    }

    /// How long its body is, in bytes.
    pub fn bytes(&self) -> usize {
        self.body.as_ref().map_or(0, Vec::len)
    }
}

/// The service at its address. Has no `Debug`: tokens pass through here.
pub(super) struct Rest {
    pub client: Client,
    /// `https://…`, without a slash at its end.
    pub base: String,
    pub access: Access,
    pub pace: Pace,
}

impl Rest {
    /// Asks for what is only read, as often as it helps.
    pub async fn read(&self, ask: &Ask) -> Result<Value, Missed> {
        let mut tried = 0;
        loop {
            tried += 1;
            let (why, wish) = match self.once(ask).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::TooLong) => return Err(Missed::TooLong),
                Err(Failed::Nothing(why, wish)) => (why, wish),
                Err(Failed::Unsure(why)) => (why, None),
                Err(Failed::Standing(why) | Failed::Refused(why) | Failed::Unknown(why)) => {
                    return Err(Missed::Said(DocumentsError::Refused(why)));
                }
                Err(Failed::Elsewhere) => return Err(Missed::Said(DocumentsError::Refused(ELSEWHERE.to_owned()))),
            };
            if tried >= self.pace.tries {
                return Err(Missed::Said(DocumentsError::Unavailable(why)));
            }
            sleep(self.pace.pause(tried, wish)).await;
        }
    }

    /// Asks once; once more only with another token, when it does not know this one (and so did nothing).
    pub async fn once(&self, ask: &Ask) -> Result<Value, Failed> {
        let token = self.access.token().await?;
        match self.send(ask, &token.bearer).await {
            Err(Failed::Unknown(_)) if self.access.forget(&token).await => {
                let token = self.access.token().await?;
                self.send(ask, &token.bearer).await
            }
            answer => answer,
        }
    }

    async fn send(&self, ask: &Ask, bearer: &reqwest::header::HeaderValue) -> Result<Value, Failed> {
        let mut request = self.client.request(ask.method.clone(), format!("{}/v1/{}", self.base, ask.place));
        request = request.header(AUTHORIZATION, bearer.clone());
        if let Some(body) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let (status, wish, body) = hear(request, self.pace.bytes).await?;
        meaning(status, wish, &body)
    }
}

/// Said of a redirect.
pub(super) const ELSEWHERE: &str = "it answers with a redirect, which is not followed: is its address right?";

/// Sends, and reads the answer up to a limit.
pub(super) async fn hear(
    request: reqwest::RequestBuilder,
    most: usize,
) -> Result<(StatusCode, Option<Duration>, Vec<u8>), Failed> {
    let mut response = request.send().await.map_err(|error| {
        if error.is_connect() || error.is_builder() {
            Failed::Nothing("nobody answers there".to_owned(), None)
        } else if error.is_timeout() {
            Failed::Unsure("it does not answer in time".to_owned())
        } else {
            Failed::Unsure("the connection broke before an answer came".to_owned())
        }
    })?;
    let wish = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = Vec::new();
    let broken = |_| Failed::Unsure("its answer broke off".to_owned());
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > most {
            return Err(Failed::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), wish.map(Duration::from_secs), body))
}

/// `{"error": {…}}`.
#[derive(Deserialize)]
struct Problem {
    error: Told,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    message: String,
    status: String,
}

/// What an answer means. Pure.
fn meaning(status: StatusCode, wish: Option<Duration>, body: &[u8]) -> Result<Value, Failed> {
    if status.is_success() {
        let answer: Value = serde_json::from_slice(body)
            .map_err(|_| Failed::Unsure("it answers something else than JSON, or a part of it".to_owned()))?;
        // A stream that broke on its way ends with an error.
        let streamed = answer.as_array().and_then(|items| items.iter().find(|item| item.get("error").is_some()));
        return match streamed.cloned().and_then(|item| serde_json::from_value(item).ok()) {
            Some(Problem { error }) => Err(told(&error, wish)),
            None if streamed.is_some() => Err(Failed::Unsure("it answers with an error of another form".to_owned())),
            None => Ok(answer),
        };
    }
    let problem = serde_json::from_slice(body).ok();
    let problem = problem.or_else(|| serde_json::from_slice::<Vec<Problem>>(body).ok()?.into_iter().next());
    if let Some(Problem { error }) = problem {
        return Err(told(&error, wish));
    }
    // Whoever stands before it says so: what it did nobody knows, but where it surely was not asked.
    let words = format!("it answers {} without its reason", status.as_u16());
    Err(match status.as_u16() {
        300..400 => Failed::Elsewhere,
        401 => Failed::Unknown(words),
        400 | 403..=407 | 411..=415 | 431 => Failed::Refused(words),
        _ => Failed::Unsure(words),
    })
}

/// What the store's own word for it means.
fn told(error: &Told, wish: Option<Duration>) -> Failed {
    let shown = |text: &str, most| text.chars().take(most).flat_map(char::escape_default).collect::<String>();
    let words = format!("it says {}: {}", shown(&error.status, 40), shown(&error.message, MESSAGE));
    match error.status.as_str() {
        "ABORTED" | "RESOURCE_EXHAUSTED" => Failed::Nothing(words, wish),
        "UNAUTHENTICATED" => Failed::Unknown(words),
        "NOT_FOUND" | "ALREADY_EXISTS" | "FAILED_PRECONDITION" => Failed::Standing(words),
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" | "PERMISSION_DENIED" | "UNIMPLEMENTED" => Failed::Refused(words),
        _ => Failed::Unsure(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(status: u16, body: &str) -> Result<Value, Failed> {
        meaning(StatusCode::from_u16(status).unwrap_or_default(), None, body.as_bytes())
    }

    fn said(status: u16, word: &str) -> Failed {
        let body = format!(r#"{{"error": {{"code": {status}, "message": "m\u001b", "status": "{word}"}}}}"#);
        let alone = heard(status, &body).err();
        assert_eq!(heard(status, &format!("[{body}]")).err(), alone, "as a stream says it");
        alone.unwrap_or(Failed::TooLong)
    }

    #[test]
    fn every_status_means_one_thing() {
        for (status, word) in [(429, "RESOURCE_EXHAUSTED"), (409, "ABORTED")] {
            assert!(matches!(said(status, word), Failed::Nothing(..)), "{word}");
        }
        for (status, word) in [(409, "ALREADY_EXISTS"), (404, "NOT_FOUND"), (400, "FAILED_PRECONDITION")] {
            assert!(matches!(said(status, word), Failed::Standing(_)), "{word}");
        }
        for (status, word) in [(400, "INVALID_ARGUMENT"), (403, "PERMISSION_DENIED"), (501, "UNIMPLEMENTED")] {
            assert!(matches!(said(status, word), Failed::Refused(_)), "{word}");
        }
        for (status, word) in [
            (503, "UNAVAILABLE"),
            (504, "DEADLINE_EXCEEDED"),
            (500, "INTERNAL"),
            (499, "CANCELLED"),
            (500, "UNKNOWN"),
            (500, "A_NEW_WORD"),
        ] {
            assert!(matches!(said(status, word), Failed::Unsure(_)), "{word}");
        }
        assert!(matches!(said(401, "UNAUTHENTICATED"), Failed::Unknown(_)));
    }

    #[test]
    fn what_stands_before_the_store_is_not_believed() {
        let page = "<html>please sign in</html>";
        assert!(matches!(heard(200, page), Err(Failed::Unsure(_))));
        assert!(matches!(heard(200, r#"{"writeResults": ["#), Err(Failed::Unsure(_))));
        assert_eq!(heard(302, page), Err(Failed::Elsewhere));
        for status in [429, 500, 502, 503, 408, 409] {
            assert!(matches!(heard(status, page), Err(Failed::Unsure(_))), "{status}");
        }
        assert!(matches!(heard(404, page), Err(Failed::Refused(_))));
        let half = r#"[{"document": {}}, {"error": {"code": 503, "message": "", "status": "UNAVAILABLE"}}]"#;
        assert!(matches!(heard(200, half), Err(Failed::Unsure(_))));
        assert!(matches!(heard(200, r#"[{"error": 7}]"#), Err(Failed::Unsure(_))));
    }

    #[test]
    fn what_it_says_reaches_nobody_raw() {
        let Failed::Unsure(words) = said(503, "UNAVAILABLE") else { unreachable!("it is unsure") };
        assert_eq!(words, "it says UNAVAILABLE: m\\u{1b}");
    }

    #[test]
    fn pauses_grow_and_a_wish_is_heard_up_to_a_limit() {
        let pace = Pace::default();
        for tried in 1..40 {
            let due = pace.first.saturating_mul(1 << (tried - 1).min(16)).min(pace.longest);
            let pause = pace.pause(tried, None);
            assert!(pause >= due / 2 && pause <= due, "{tried}: {pause:?}");
        }
        assert_eq!(pace.pause(1, Some(Duration::from_secs(9))), Duration::from_secs(9));
        assert_eq!(pace.pause(1, Some(Duration::from_secs(9_999))), LONGEST_WISH);
    }
}
