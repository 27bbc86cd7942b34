//! What went wrong between here and the server, in words that say what to do next, and whether trying
//! again can help.
//!
//! Never carries an error's own text: those hold addresses, paths and what servers like to send.

use std::error::Error;
use std::io;

use reqwest::StatusCode;
use stella_protocol::{Code, Problem, Retry, Text};

use super::target::Target;
use crate::effect::Refusal;
use crate::event::Cause;

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// After the usual back-off.
    Retry,
    /// Not before this many ms have passed.
    Wait(u64),
    /// Only when the operator says so.
    Stop,
}

/// A failure of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// For the operator.
    pub cause: Cause,
    /// For the reconnect.
    pub advice: Advice,
}

/// A request that nobody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silence {
    /// Why.
    pub(super) cause: Cause,
    /// No connection came about, in none of its tries: it cannot have happened.
    pub(super) nothing_was_sent: bool,
}

impl Silence {
    /// A change that was not sent is refused: it is not kept for later.
    pub(super) fn refusal(self) -> Refusal {
        unsent(self.cause)
    }
}

/// The answer to a request that was never sent: refused, and not kept for later.
pub fn unsent(cause: Cause) -> Refusal {
    Refusal::Problem(Box::new(Problem {
        kind: Text::from("urn:stella:problem:unavailable"),
        code: Code::Unavailable,
        title: Text::from(format!("nothing was sent, {}", cause.what.raw())),
        detail: cause.then,
        request_id: Text::default(),
        retry: Retry::After,
        current: None,
    }))
}

impl Trouble {
    fn new(advice: Advice, what: impl Into<String>, then: &'static str) -> Self {
        Self { cause: Cause { what: Text::from(what.into()), then: Text::from(then) }, advice }
    }

    /// The connection failed, or broke.
    pub(super) fn network(target: &Target, error: &reqwest::Error) -> Self {
        let name = target.name();
        if is_tls(error) {
            let what = format!("the certificate of {name} is not trusted");
            return Self::new(
                Advice::Stop,
                what,
                "check address and clock, or have the certificate put right; r tries again",
            );
        }
        let (what, then) = if error.is_dns() {
            (format!("there is no host named {name}"), "check the address and the network")
        } else if error.is_timeout() {
            (format!("{name} does not answer in time"), "check the network; the server may be busy")
        } else if error.is_connect() {
            (format!("nobody listens at {name}"), "start stella-server there, or check the address")
        } else {
            (format!("the connection to {name} broke"), "the server may be restarting")
        };
        Self::new(Advice::Retry, what, then)
    }

    /// No client can be made.
    pub(super) fn setup(target: &Target, error: &reqwest::Error) -> Self {
        tracing::error!(kind = ?error.is_builder(), "no client for {}", target.name());
        Self::new(Advice::Stop, format!("no connection to {} can be prepared", target.name()), "check proxy settings")
    }

    /// The token cannot stand in a header.
    pub(super) fn bad_token() -> Self {
        Self::new(Advice::Stop, "the token holds characters that no token has", "set STELLA_TOKEN anew")
    }

    /// Something answers, and it is not Stella.
    pub(super) fn not_stella(target: &Target) -> Self {
        let what = format!("something else than Stella answers at {}", target.name());
        Self::new(Advice::Retry, what, "check the address; a proxy may stand between")
    }

    /// The answer broke off, or cannot be read.
    pub(super) fn answer(target: &Target, error: &reqwest::Error) -> Self {
        if error.is_decode() { Self::not_stella(target) } else { Self::network(target, error) }
    }

    /// The stream ended, as streams do.
    pub(super) fn ended(target: &Target) -> Self {
        Self::new(Advice::Retry, format!("{} ended the stream", target.name()), "it will be opened again")
    }

    /// The server said no. `wait` is its `Retry-After` in seconds.
    pub(super) fn status(target: &Target, status: StatusCode, wait: Option<u64>, problem: Option<&Problem>) -> Self {
        let name = target.name();
        let patience = Advice::Wait(wait.unwrap_or(1).saturating_mul(1000));
        match status {
            StatusCode::UNAUTHORIZED if target.token().is_none() => Self::new(
                Advice::Stop,
                format!("{name} wants a token: set STELLA_TOKEN, or name one in a profile"),
                "whoever runs it makes one with stella-server token create",
            ),
            StatusCode::UNAUTHORIZED => Self::new(
                Advice::Stop,
                format!("{name} does not know this token, or it has expired"),
                "set STELLA_TOKEN or the profile's token, start again",
            ),
            StatusCode::FORBIDDEN => Self::new(
                Advice::Stop,
                format!("this token may not look at {name}"),
                "ask for one with the role viewer or higher",
            ),
            StatusCode::TOO_MANY_REQUESTS => Self::new(
                patience,
                format!("{name} asks for patience"),
                "too many requests or streams of this principal",
            ),
            StatusCode::SERVICE_UNAVAILABLE => {
                Self::new(patience, format!("{name} is not ready"), "it is starting, ending or out of space")
            }
            _ if problem.is_none() => Self::not_stella(target),
            _ => {
                Self::new(Advice::Retry, format!("{name} answered {}", status.as_u16()), "its own log names the reason")
            }
        }
    }
}

/// Looks for the TLS library's error among the causes; inputs and outputs wrap it twice.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        let inside = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if cause.is::<rustls::Error>() || inside.and_then(|inside| inside.downcast_ref::<rustls::Error>()).is_some() {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn status(code: u16, wait: Option<u64>) -> Trouble {
        status_with(Some("x"), code, wait)
    }

    fn status_with(token: Option<&str>, code: u16, wait: Option<u64>) -> Trouble {
        let target = Target::new("http://h:1", token.map(str::to_owned)).unwrap();
        Trouble::status(&target, StatusCode::from_u16(code).unwrap(), wait, None)
    }

    #[test]
    fn what_a_new_try_cannot_cure_stops() {
        assert_eq!(status(401, None).advice, Advice::Stop);
        assert_eq!(status(403, None).advice, Advice::Stop);
        assert_eq!(status(502, None).advice, Advice::Retry);
    }

    #[test]
    fn a_token_that_was_never_sent_is_not_called_unknown() {
        let without = status_with(None, 401, None);
        assert!(without.cause.what.raw().contains("wants a token: set STELLA_TOKEN"), "{without:?}");
        assert_eq!(without.advice, Advice::Stop);
        assert!(status_with(Some("x"), 401, None).cause.what.raw().contains("does not know this token"));
    }

    #[test]
    fn patience_asked_for_is_given() {
        assert_eq!(status(429, Some(7)).advice, Advice::Wait(7_000));
        assert_eq!(status(503, None).advice, Advice::Wait(1_000));
    }

    #[test]
    fn an_answer_without_a_word_of_stella_is_called_so() {
        assert!(status(404, None).cause.what.raw().contains("something else than Stella"));
    }
}
