//! Carries one message to the webhook: signed, tried again while that can help, never for ever.
//!
//! Nothing that the receiver says is read but its status and when it wants to be asked again; neither
//! the address nor the secret gets into an error or a log.

use std::time::Duration;

use chrono::DateTime;
use hmac::{Hmac, Mac};
use rand::Rng;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use serde::Serialize;
use sha2::Sha256;
use stella_protocol::Timestamp;
use tokio::time::{Instant, sleep};

use super::message::Message;
use super::{Pace, Webhook};
use crate::clock::Clock;

/// When and by whom the body was written: `t=UNIX,v1=HEX`, HMAC-SHA-256 over `UNIX.BODY`.
const SIGNATURE: &str = "Stella-Signature";
/// The same for every try of a message.
const DELIVERY: &str = "Stella-Delivery";
/// Who asks.
const AGENT: &str = concat!("stella-server/", env!("CARGO_PKG_VERSION"));

/// No message can be sent. Holds neither the address nor the secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum CourierError {
    /// Not an address that can be posted to.
    #[error("read the address of the webhook: want http:// or https://")]
    Address,
    /// The client could not be made.
    #[error("make the client of the webhook")]
    Client(#[source] reqwest::Error),
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// The receiver has it.
    Yes,
    /// It will not be tried again.
    GivenUp {
        /// In words.
        why: &'static str,
        /// So many were, since the last one that arrived.
        undelivered: u64,
    },
}

/// What became of one try.
enum Try {
    Taken,
    Again { why: &'static str, after: Option<Duration> },
    Never(&'static str),
}

/// The body: the message, and how many before it were lost on the way.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    message: &'a Message,
    #[serde(skip_serializing_if = "is_none")]
    undelivered: u64,
    // Text from outside may hold an address: nobody's server is asked for it.
    unfurl_links: bool,
    unfurl_media: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// One client with its secret. Has no `Debug`: the secret stays in here.
pub(super) struct Courier {
    client: Client,
    url: Url,
    secret: Option<String>,
    clock: Clock,
    pace: Pace,
    undelivered: u64,
}

impl Courier {
    /// For `webhook`.
    pub fn new(webhook: Webhook, pace: &Pace, clock: Clock) -> Result<Self, CourierError> {
        let url = Url::parse(&webhook.url).map_err(|_| CourierError::Address)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(CourierError::Address);
        }
        let client = client(pace.timeout)?;
        Ok(Self { client, url, secret: webhook.secret, clock, pace: pace.clone(), undelivered: 0 })
    }

    /// Delivers a message or gives it up; how long that takes at most stands in the pace. May be dropped
    /// while it waits.
    pub async fn deliver(&mut self, message: &Message) -> Delivered {
        let outcome = self.try_often(message).await;
        self.undelivered = if outcome.is_ok() { 0 } else { self.undelivered + 1 };
        match outcome {
            Ok(()) => Delivered::Yes,
            Err(why) => Delivered::GivenUp { why, undelivered: self.undelivered },
        }
    }

    async fn try_often(&self, message: &Message) -> Result<(), &'static str> {
        let body = Body { message, undelivered: self.undelivered, unfurl_links: false, unfurl_media: false };
        let body = serde_json::to_string(&body).map_err(|_| "it is no JSON")?;
        let (began, mut longest) = (Instant::now(), self.pace.first_pause);
        for tried in 1.. {
            let (why, after) = match self.attempt(message, &body).await {
                Try::Taken => return Ok(()),
                Try::Never(why) => return Err(why),
                Try::Again { why, after } => (why, after),
            };
            let pause = jitter(longest).max(after.unwrap_or_default());
            if tried >= self.pace.tries || began.elapsed().saturating_add(pause) > self.pace.patience {
                return Err(why);
            }
            tracing::debug!(delivery = %message.delivery, why, tried, "a notification is tried again");
            sleep(pause).await;
            longest = (longest * 2).min(self.pace.longest_pause);
        }
        Ok(())
    }

    async fn attempt(&self, message: &Message, body: &str) -> Try {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(DELIVERY, &message.delivery)
            .body(body.to_owned());
        if let Some(secret) = &self.secret {
            let Some(signature) = signature(secret, self.clock.now(), body) else {
                return Try::Never("it cannot be signed");
            };
            request = request.header(SIGNATURE, signature);
        }
        match request.send().await {
            Ok(answer) => judge(answer.status(), answer.headers(), self.clock.now()),
            Err(error) if error.is_builder() => Try::Never("it is no request"),
            Err(error) if error.is_timeout() => Try::Again { why: "the receiver did not answer in time", after: None },
            Err(error) if error.is_connect() => Try::Again { why: "the receiver cannot be reached", after: None },
            Err(_) => Try::Again { why: "the connection broke", after: None },
        }
    }
}

fn client(timeout: Duration) -> Result<Client, CourierError> {
    // A second provider in one process is refused: whoever came first has set the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Built-in roots, because a machine without any would not even speak plain HTTP.
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| Certificate::from_der(root).ok());
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(AGENT)
        .tls_certs_merge(roots)
        .timeout(timeout)
        .build()
        .map_err(|error| CourierError::Client(error.without_url()))
}

/// What a status means: more tries help against what passes, and against nothing else.
fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Try {
    let passes = matches!(status.as_u16(), 408 | 425 | 429);
    match status {
        taken if taken.is_success() => Try::Taken,
        busy if passes || busy.is_server_error() => {
            Try::Again { why: "the receiver refused for now", after: retry_after(headers, now) }
        }
        moved if moved.is_redirection() => Try::Never("the receiver redirects, which is not followed"),
        _ => Try::Never("the receiver refused"),
    }
}

/// When a receiver wants to be asked again: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = DateTime::parse_from_rfc2822(said).ok()?.timestamp_millis();
    u64::try_from(then.saturating_sub(now.millis())).ok().map(Duration::from_millis)
}

/// Any wait up to `longest`: receivers that many wait for are not asked by all at once.
fn jitter(longest: Duration) -> Duration {
    longest.mul_f64(rand::rng().random_range(0.0..=1.0))
}

/// `t=UNIX,v1=HEX`.
fn signature(secret: &str, now: Timestamp, body: &str) -> Option<String> {
    let unix = now.millis().div_euclid(1000);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{unix}.{body}").as_bytes());
    Some(format!("t={unix},v1={:x}", mac.finalize().into_bytes()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn after(said: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, said.parse().unwrap());
        // 2015-10-21 07:27:30 GMT
        retry_after(&headers, Timestamp::from_millis(1_445_412_450_000))
    }

    #[test]
    fn a_receiver_is_asked_again_when_it_said_so() {
        assert_eq!(after("120"), Some(Duration::from_mins(2)));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Wed, 21 Oct 2015 07:27:00 GMT"), None, "it is over");
        assert_eq!((after("soon"), after("-1")), (None, None));
        assert_eq!(after("18446744073709551615"), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        let again: Vec<u16> = (200..600)
            .filter(|code| {
                let status = StatusCode::from_u16(*code).unwrap();
                matches!(judge(status, &HeaderMap::new(), Timestamp::default()), Try::Again { .. })
            })
            .collect();
        let expected: Vec<u16> = [408, 425, 429].into_iter().chain(500..600).collect();
        assert_eq!(again, expected);
    }

    #[test]
    fn the_signature_is_the_one_that_others_compute() {
        // printf '1700000000.{"text":"x"}' | openssl dgst -sha256 -hmac k
        let made = signature("k", Timestamp::from_millis(1_700_000_000_999), "{\"text\":\"x\"}").unwrap();
        assert_eq!(made, "t=1700000000,v1=8aadf9462c7818bcf8558a1d410e42dbed3c310904ffcdeaeccc129261da8290");
    }

    #[test]
    fn an_address_that_is_none_is_refused_and_not_repeated() {
        for url in ["", "hooks", "file:///etc/passwd", "ftp://h/x", "http://"] {
            let webhook = Webhook { url: url.to_owned(), secret: Some("hush".to_owned()) };
            assert!(!format!("{webhook:?}").contains("hush"));
            let error = Courier::new(webhook, &Pace::default(), Clock::system()).err().unwrap();
            assert!(matches!(error, CourierError::Address), "{url}");
        }
    }
}
