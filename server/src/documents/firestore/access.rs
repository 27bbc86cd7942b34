//! Who we are to the store: tokens, asked for with the key of a service account or of the machine itself, kept as
//! long as they last, asked for by one at a time.
//!
//! No key and no token is ever shown: neither type has a `Debug` that tells, no error quotes what it read.

pub(super) mod account;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::rest::{Failed, Pace, hear};
use crate::clock::Clock;
use crate::secret_place::SecretPlace;

pub(super) use account::Account;
pub use account::BadAccount;

/// Where a machine of the cloud asks for a token of its own. Only reached from within it, so without TLS.
const MACHINE: &str = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
/// Longest answer that holds a token, in bytes.
const ANSWER: usize = 64 * 1024;
/// A token is not used any more so long before its end: it must last for a request.
const MARGIN: Duration = Duration::from_mins(2);

/// Where tokens come from.
pub(super) enum Way {
    /// An emulator: whoever says `owner` may do anything.
    Owner,
    /// Somebody else renews it there.
    Given(SecretPlace),
    /// A service account.
    Account(Box<Account>),
    /// The machine, at this address.
    Machine(String),
}

impl Way {
    /// The machine that this server runs on.
    pub fn machine() -> Self {
        Self::Machine(MACHINE.to_owned())
    }
}

/// A token, and until when it is used.
pub(super) struct Token {
    pub bearer: HeaderValue,
    until: Option<Instant>,
}

/// Gives tokens.
pub(super) struct Access {
    way: Way,
    client: Client,
    clock: Clock,
    held: Mutex<Option<Arc<Token>>>,
}

/// What a token's giver answers.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: u64,
}

impl Access {
    /// Asks with this client.
    pub fn new(way: Way, client: Client, clock: Clock) -> Self {
        Self { way, client, clock, held: Mutex::default() }
    }

    /// A token that lasts.
    pub async fn token(&self) -> Result<Arc<Token>, Failed> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.until.is_none_or(|until| Instant::now() < until)) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(match &self.way {
            Way::Owner => Token { bearer: HeaderValue::from_static("Bearer owner"), until: None },
            Way::Given(place) => read(place.clone()).await?,
            Way::Account(account) => self.of_account(account).await?,
            Way::Machine(address) => self.of_machine(address).await?,
        });
        *held = Some(Arc::clone(&token));
        Ok(token)
    }

    /// The store does not know this token. True: the next one is another.
    pub async fn forget(&self, token: &Arc<Token>) -> bool {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, token)) {
            *held = None;
        }
        !matches!(self.way, Way::Owner)
    }

    async fn of_account(&self, account: &Account) -> Result<Token, Failed> {
        let body = account.assertion(self.clock.now());
        let body = body.ok_or_else(|| Failed::Refused("the key of the service account does not sign".to_owned()))?;
        let request = self.client.post(account.token_address()).body(body);
        self.given(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded"), "the token endpoint").await
    }

    async fn of_machine(&self, address: &str) -> Result<Token, Failed> {
        // Without this header it answers nobody: no page of a browser can ask.
        self.given(self.client.get(address).header("metadata-flavor", "Google"), "the metadata server").await
    }

    async fn given(&self, request: reqwest::RequestBuilder, who: &str) -> Result<Token, Failed> {
        let nothing = |why: &str| Failed::Nothing(format!("{who} gives no token: {why}"), None);
        let (status, wish, body) = hear(request, ANSWER).await.map_err(|failed| match failed {
            Failed::Nothing(why, _) | Failed::Unsure(why) => nothing(&why),
            _ => nothing("its answer is too long"),
        })?;
        if matches!(status.as_u16(), 400..=404) {
            let clock = "is the account still there, its key not revoked, and this machine's clock right?";
            return Err(Failed::Refused(format!("{who} gives no token ({}): {clock}", status.as_u16())));
        }
        if !status.is_success() {
            return Err(Failed::Nothing(format!("{who} gives no token: it answers {}", status.as_u16()), wish));
        }
        let given: Given = serde_json::from_slice(&body).map_err(|_| nothing("it answers something else"))?;
        let lasts = Duration::from_secs(given.expires_in);
        let used = lasts.saturating_sub(MARGIN).max(lasts / 2);
        Ok(Token { bearer: bearer(&given.access_token)?, until: Instant::now().checked_add(used) })
    }
}

/// What others renew is read again for every minute.
const READ_AGAIN: Duration = Duration::from_mins(1);

async fn read(place: SecretPlace) -> Result<Token, Failed> {
    let read = tokio::task::spawn_blocking(move || place.read()).await;
    let read = read.map_err(|_| Failed::Nothing("its token was not read".to_owned(), None))?;
    let secret = read.map_err(|error| Failed::Refused(format!("its token is not there: failed to {error}")))?;
    Ok(Token { bearer: bearer(secret.expose())?, until: Instant::now().checked_add(READ_AGAIN) })
}

fn bearer(token: &str) -> Result<HeaderValue, Failed> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| Failed::Refused("its token cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A client for tokens of this pace answers in time.
pub(super) fn patience(pace: &Pace) -> Pace {
    const LONGEST: Duration = Duration::from_secs(15);
    Pace { answer: pace.answer.min(LONGEST), ..*pace }
}
