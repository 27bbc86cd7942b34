//! A base address that fixes may call, and the one question about an address of a plan: does it stand
//! below this base, letter for letter?
//!
//! What does not look exactly as it would be sent is refused, so that no two readers of an address (this
//! one, the HTTP library, a proxy, the target) can disagree about where it leads.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use url_text::{path_is_plain, query_is_plain};

use super::address::is_public;

mod url_text;

/// Longest address.
const LONGEST: usize = 8 * 1024;

/// A base address that the configuration allows. `Debug` hides its secret.
#[derive(Clone)]
pub struct Base {
    name: String,
    text: String,
    url: Url,
    addresses: Vec<IpAddr>,
    secret: Option<(HeaderName, HeaderValue)>,
}

/// Why something is no base address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBase {
    /// It does not parse.
    #[error("read the base address: want http://HOST:PORT or https://HOST, with or without a path")]
    Form,
    /// It holds more than scheme, host, port and path.
    #[error("read the base address: no user, password, query or fragment may stand in it")]
    Parts,
    /// Its path is not written as it would be sent.
    #[error("read the base address: its path holds `..`, an empty part, or letters that must be encoded")]
    Path,
    /// The header of its secret is none.
    #[error("read the secret of the base address: its header or its value has letters that no header has")]
    Secret,
}

impl Base {
    /// The base `name` at `url`. With `addresses` its host may stand for these only; without any a name
    /// may stand for public addresses only. `secret`: a header and its value, sent with every call.
    ///
    /// # Errors
    /// When the address or the secret cannot be used.
    pub fn new(
        name: impl Into<String>,
        url: &str,
        addresses: Vec<IpAddr>,
        secret: Option<(String, String)>,
    ) -> Result<Self, BadBase> {
        let parsed = Url::parse(url).map_err(|_| BadBase::Form)?;
        let host = parsed.host_str().unwrap_or_default();
        if !matches!(parsed.scheme(), "http" | "https") || host.is_empty() || host.ends_with('.') {
            return Err(BadBase::Form);
        }
        let bare = parsed.username().is_empty() && parsed.password().is_none();
        if !bare || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(BadBase::Parts);
        }
        // The path as it was written: the parser resolves `..`, and an operator should see that it did.
        let written = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        if format!("/{written}") != parsed.path() || path_is_plain(parsed.path()).is_err() {
            return Err(BadBase::Path);
        }
        let text = url.trim_end_matches('/').to_owned();
        Ok(Self { name: name.into(), text, url: parsed, addresses, secret: secret.map(header).transpose()? })
    }

    /// Its name in plans.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Host and port, for people.
    pub(super) fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(super) fn secret(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.secret.as_ref()
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The name to look up; None: the base gives its address itself.
    pub(super) fn host_name(&self) -> Option<&str> {
        self.url.host_str().filter(|_| self.literal().is_none())
    }

    /// The address that the base itself gives.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        let host = self.url.host_str()?;
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The port that is called.
    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// Whether the host may stand for this address.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if !self.addresses.is_empty() {
            return self.addresses.iter().any(|pinned| pinned.to_canonical() == address);
        }
        match self.host_name() {
            None => self.literal().is_some_and(|literal| literal.to_canonical() == address),
            // By its definition this name means this machine and nothing else.
            Some("localhost") => address.is_loopback(),
            Some(_) => is_public(address),
        }
    }

    /// The address of a plan, when it stands below this base.
    ///
    /// # Errors
    /// Why it does not. Never quotes it.
    pub(super) fn admit(&self, raw: &str) -> Result<Url, &'static str> {
        const ELSEWHERE: &str = "the address does not stand below its base";
        if raw.len() > LONGEST {
            return Err("the address is too long");
        }
        let base = self.url.as_str().trim_end_matches('/');
        let rest = raw.strip_prefix(&self.text).or_else(|| raw.strip_prefix(base)).ok_or(ELSEWHERE)?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        if !path.is_empty() && !path.starts_with('/') {
            return Err(ELSEWHERE);
        }
        path_is_plain(path)?;
        query.map_or(Ok(()), query_is_plain)?;
        let whole = format!("{base}{rest}");
        let url = Url::parse(&whole).map_err(|_| "the address cannot be read")?;
        if url.as_str() != whole || url.origin() != self.url.origin() || !url.username().is_empty() {
            return Err("the address is not written as it would be sent");
        }
        Ok(url)
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").field("name", &self.name).field("url", &self.text).finish_non_exhaustive()
    }
}

fn header((name, value): (String, String)) -> Result<(HeaderName, HeaderValue), BadBase> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| BadBase::Secret)?;
    let mut value = HeaderValue::from_str(&value).map_err(|_| BadBase::Secret)?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_scheme_host_port_and_path_and_nothing_else() {
        let bad = |url: &str| Base::new("b", url, Vec::new(), None).err();
        for url in ["http://h", "http://h/", "https://h:8443/hooks", "http://[::1]:1/a/b/", "http://H:80"] {
            assert_eq!(bad(url), None, "{url}");
        }
        for url in ["", "h", "ftp://h", "file:///etc", "http://", "http://h./", "unix:/s"] {
            assert_eq!(bad(url), Some(BadBase::Form), "{url}");
        }
        for url in ["http://u@h", "http://u:p@h/", "http://h?q", "http://h/#f"] {
            assert_eq!(bad(url), Some(BadBase::Parts), "{url}");
        }
        for url in ["http://h/a/../b", "http://h/a//b", "http://h/a b", "http://h/%2e%2e/b", "http://h/a%2fb"] {
            assert_eq!(bad(url), Some(BadBase::Path), "{url}");
        }
        let secret = Some(("X-Token".to_owned(), "a\r\nb".to_owned()));
        assert_eq!(Base::new("b", "http://h", Vec::new(), secret).err(), Some(BadBase::Secret));
    }

    #[test]
    fn an_address_below_the_base_is_admitted_as_written_by_base_or_by_its_normal_form() {
        let base = Base::new("b", "http://Hooks.test:80/api/", Vec::new(), None).unwrap();
        for url in
            ["http://Hooks.test:80/api/pools/x/restart?n=1&m=%0A", "http://hooks.test/api/pools/x/restart?n=1&m=%0A"]
        {
            assert_eq!(base.admit(url).unwrap().as_str(), "http://hooks.test/api/pools/x/restart?n=1&m=%0A");
        }
        assert!(base.admit("http://hooks.test/apix").is_err() && base.admit("http://hooks.test/").is_err());
    }

    #[test]
    fn a_name_may_stand_for_public_addresses_only_unless_they_are_pinned() {
        let allows = |url: &str, pinned: &[&str], address: &str| {
            let pinned = pinned.iter().map(|address| address.parse().unwrap()).collect();
            Base::new("b", url, pinned, None).unwrap().allows(address.parse().unwrap())
        };
        assert!(allows("http://h", &[], "1.1.1.1") && !allows("http://h", &[], "10.0.0.1"));
        assert!(allows("http://h", &["10.0.0.1"], "10.0.0.1") && !allows("http://h", &["10.0.0.1"], "1.1.1.1"));
        assert!(allows("http://h", &["10.0.0.1"], "::ffff:10.0.0.1"));
        assert!(allows("http://169.254.169.254", &[], "169.254.169.254"));
        assert!(allows("http://[::1]", &[], "::1") && !allows("http://[::1]", &[], "127.0.0.1"));
        assert!(allows("http://localhost", &[], "127.0.0.1") && !allows("http://localhost", &[], "1.1.1.1"));
    }

    #[test]
    fn a_debug_print_does_not_show_the_secret() {
        let secret = Some(("authorization".to_owned(), "Bearer hush".to_owned()));
        let shown = format!("{:?}", Base::new("b", "http://h", Vec::new(), secret).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
