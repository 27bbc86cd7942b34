//! Which server, and with which token. The token never shows: not in `Debug`, not in an address.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use stella_protocol::Text;

/// The routes of the contract stand below this path.
const API: &str = "api/stella/";

/// An address is not one of a Stella server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It does not parse.
    #[error("read the address: want http://HOST:PORT or https://HOST")]
    Form,
    /// It carries user and password, or a query.
    #[error("read the address: a token does not stand in it (use STELLA_TOKEN or a profile)")]
    Secret,
}

/// A server and how to speak to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    base: Url,
    token: Option<String>,
}

impl Target {
    /// The server at `address` (with or without a path below which it lives).
    ///
    /// # Errors
    /// When that is no address, or one with a secret in it.
    pub fn new(address: &str, token: Option<String>) -> Result<Self, BadAddress> {
        let mut base = Url::parse(address).map_err(|_| BadAddress::Form)?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none_or(str::is_empty) {
            return Err(BadAddress::Form);
        }
        if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
            return Err(BadAddress::Secret);
        }
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { base, token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()) })
    }

    /// The address of a route of the contract.
    pub(super) fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{API}{path}", self.base.path()));
        url
    }

    /// The address of a route beside those of the contract.
    pub(super) fn root(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Host and port, for people.
    pub fn name(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Host and port, as text that came from a person.
    pub fn text(&self) -> Text {
        Text::from(self.name())
    }

    /// True when no other machine is asked, however it is called.
    pub fn is_loopback(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        bare == "localhost"
            || bare.ends_with(".localhost")
            || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// True for https.
    pub fn is_encrypted(&self) -> bool {
        self.base.scheme() == "https"
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn target(address: &str) -> Target {
        Target::new(address, Some("s3cret".to_owned())).unwrap()
    }

    #[test]
    fn routes_stand_below_the_address() {
        assert_eq!(target("http://h:80").at("logs").as_str(), "http://h/api/stella/logs");
        assert_eq!(target("https://h/ops").at("snapshot").as_str(), "https://h/ops/api/stella/snapshot");
    }

    #[test]
    fn loopback_is_known_by_every_name() {
        for address in
            ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:2", "http://localhost", "http://LOCALHOST."]
        {
            assert!(target(address).is_loopback(), "{address}");
        }
        assert!(!target("http://10.0.0.1").is_loopback());
        assert!(!target("http://localhost.example").is_loopback());
    }

    #[test]
    fn a_token_neither_shows_nor_stands_in_an_address() {
        assert!(!format!("{:?}", target("http://h")).contains("s3cret"));
        assert_eq!(Target::new("http://u:p@h", None), Err(BadAddress::Secret));
        assert_eq!(Target::new("http://h/?token=x", None), Err(BadAddress::Secret));
        assert_eq!(Target::new("file:///etc", None), Err(BadAddress::Form));
    }
}
