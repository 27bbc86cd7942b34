//! Calls of allow-listed base addresses.
//!
//! An address is looked at letter for letter, its host is resolved once, every address found is checked,
//! and the connection can go to these and nowhere else: there is no second look-up, no redirect, no
//! proxy, no kept connection, and no hidden second try.
//!
//! Deliberately absent: what a call means. A status says done, not done or unknown; what follows from
//! that is the machine's business.

mod address;
mod base;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Url};
use stella_protocol::Text;
use stella_protocol::fix::{HttpAct, HttpMethod, Stream};

use super::lines::{Deaf, Lines};
use super::{Call, Output};
use crate::asking::{Reach, once};
use crate::remedy::Outcome;

pub use address::{Resolve, SystemResolver};
pub use base::{BadBase, Base};

/// Names the effect, the same on every try: a target that knows it already does nothing again.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The fence: a target that has seen a higher one refuses.
const FENCE: HeaderName = HeaderName::from_static("stella-fence");
/// Headers that are ours to give, or that decide where a message ends or goes.
const OURS: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "stella-fence",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Longest look-up of a name, and longest wait for a connection.
const LOOKUP: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(5);

/// Calls bases, and only these.
pub struct HttpCaller {
    bases: Vec<Base>,
    resolver: Arc<dyn Resolve>,
}

/// What a call brought back.
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The body; None: more than is kept.
    pub(super) body: Option<Vec<u8>>,
}

/// Why a call brought back nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// Not one byte of the request was sent.
    Before(String),
    /// Some or all of it may have been.
    After(String),
}

/// A call that may be made: where to, and over which addresses.
struct Way<'a> {
    base: &'a Base,
    url: Url,
    addresses: Vec<SocketAddr>,
}

impl HttpCaller {
    /// For these bases; names are looked up as this machine does.
    pub fn new(bases: Vec<Base>) -> Self {
        Self::with_resolver(bases, Arc::new(SystemResolver))
    }

    /// For these bases, with another way to look names up.
    pub fn with_resolver(bases: Vec<Base>, resolver: Arc<dyn Resolve>) -> Self {
        Self { bases, resolver }
    }

    /// Whether the call may be made, in words: allowed, and its host has an allowed address. Sends nothing.
    pub(super) async fn rehearse(&self, act: &HttpAct) -> Result<String, String> {
        let way = self.way(act).await?;
        request(act, &way, None)?;
        Ok(format!("{} may be called at {}", way.base.name(), way.base.place()))
    }

    /// Makes a call that does something.
    pub(super) async fn perform(&self, act: &HttpAct, call: &Call, output: &mut dyn Output) -> Outcome {
        let what = format!("{} {}", act.method.word(), act.base.raw());
        match self.send(act, Some(call), output).await {
            Ok(answer) => outcome(act, &what, answer.status),
            Err(Failed::Before(why)) => Outcome::Clean(Text::from(format!("{what}: {why}"))),
            Err(Failed::After(why)) => Outcome::Unknown(Text::from(format!("{what}: {why}"))),
        }
    }

    /// Makes a call that reads: what it brought back with a 200; None: nothing.
    pub async fn read(&self, act: &HttpAct) -> Option<Vec<u8>> {
        let (status, body) = self.look(act).await.ok()?;
        body.filter(|_| status == 200)
    }

    /// The same, whatever the status: that, and the body (None: more than is kept).
    ///
    /// # Errors
    /// Why there is no answer, in words.
    pub async fn look(&self, act: &HttpAct) -> Result<(u16, Option<Vec<u8>>), String> {
        match self.ask(act).await {
            Ok(answer) => Ok((answer.status, answer.body)),
            Err(Failed::Before(why) | Failed::After(why)) => Err(why),
        }
    }

    /// Makes a call that reads.
    pub(super) async fn ask(&self, act: &HttpAct) -> Result<Answer, Failed> {
        if act.method != HttpMethod::Get {
            return Err(Failed::Before("only a GET reads".to_owned()));
        }
        self.send(act, None, &mut Deaf).await
    }

    async fn send(&self, act: &HttpAct, call: Option<&Call>, output: &mut dyn Output) -> Result<Answer, Failed> {
        let way = self.way(act).await.map_err(Failed::Before)?;
        let request = request(act, &way, call).map_err(Failed::Before)?;
        let limit = Duration::from_millis(act.timeout_ms);
        // A connection has at most half the time: what runs out later has surely been sent.
        let client = client(&way, CONNECT.min(limit / 2)).map_err(|_| before("no connection can be prepared"))?;
        let secret = way.base.secret().map(|(_, value)| masked(value)).unwrap_or_default();
        let mut lines = Lines::new(Stream::Out, secret);
        let heard = tokio::time::timeout(limit, hear(&client, request, &mut lines, output)).await;
        lines.finish(output);
        let status = heard.unwrap_or_else(|_| Err(Failed::After(format!("no answer within {} ms", act.timeout_ms))))?;
        Ok(Answer { status, body: lines.whole().map(<[u8]>::to_vec) })
    }

    async fn way(&self, act: &HttpAct) -> Result<Way<'_>, String> {
        let base = self.bases.iter().find(|base| base.name() == act.base.raw());
        let base = base.ok_or("the configuration has no such base address")?;
        let url = base.admit(act.url.raw())?;
        let found = match (base.literal(), base.host_name()) {
            (Some(address), _) => vec![address],
            (None, Some(host)) => {
                let found = tokio::time::timeout(LOOKUP, self.resolver.resolve(host)).await;
                found.map_err(|_| "its name is not found in time")?.map_err(|_| "its name is not found")?
            }
            (None, None) => Vec::new(),
        };
        if found.is_empty() {
            return Err("its name stands for no address".to_owned());
        }
        // One address that is not allowed makes the whole answer suspect.
        if !found.iter().all(|address| base.allows(*address)) {
            return Err("its name stands for an address that its base does not allow".to_owned());
        }
        let addresses = found.into_iter().map(|address| SocketAddr::new(address, base.port())).collect();
        Ok(Way { base, url, addresses })
    }
}

/// Refusals that do not say that nothing was done: the target took too long (408), somebody else, or an earlier try
/// of ours, was at it (409, 425), or whoever stands before it has enough of us (429).
const UNSURE: [u16; 4] = [408, 409, 425, 429];

/// What a status means for a step.
fn outcome(act: &HttpAct, what: &str, status: u16) -> Outcome {
    let done = if act.success.is_empty() { (200..300).contains(&status) } else { act.success.contains(&status) };
    let words = Text::from(format!("{what} answered {status}"));
    match status {
        _ if done => Outcome::Done(words),
        400..500 if !UNSURE.contains(&status) => Outcome::Clean(words),
        300..400 => Outcome::Unknown(Text::from(format!("{what} answered {status}: redirects are not followed"))),
        _ => Outcome::Unknown(words),
    }
}

fn before(why: &str) -> Failed {
    Failed::Before(why.to_owned())
}

/// The secret, and the part of it that remains without its scheme (`Bearer …`).
fn masked(value: &HeaderValue) -> Vec<Vec<u8>> {
    let whole = value.as_bytes();
    let bare = whole.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    vec![whole.to_vec(), bare.to_vec()]
}

/// Puts a request together. `call`: it does something, and carries the name and the fence of that.
fn request(act: &HttpAct, way: &Way<'_>, call: Option<&Call>) -> Result<Request, String> {
    let method = match act.method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
    };
    let mut request = Request::new(method, way.url.clone());
    *request.timeout_mut() = None;
    let headers = request.headers_mut();
    if act.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    own_headers(act, way.base, headers)?;
    if let Some(call) = call {
        let key = HeaderValue::from_str(&call.key).map_err(|_| "the key of the step cannot be sent")?;
        headers.insert(KEY, key);
        headers.insert(FENCE, HeaderValue::from(call.fence));
    }
    if let Some((name, value)) = way.base.secret() {
        headers.insert(name.clone(), value.clone());
    }
    if let Some(body) = &act.body {
        *request.body_mut() = Some(serde_json::to_vec(body).map_err(|_| "the body cannot be written")?.into());
    }
    Ok(request)
}

/// The headers of the plan: none that is ours, none that would be two.
fn own_headers(act: &HttpAct, base: &Base, headers: &mut HeaderMap) -> Result<(), String> {
    for (name, value) in &act.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a header has letters that no header has")?;
        if OURS.contains(&name.as_str()) || base.secret().is_some_and(|(secret, _)| *secret == name) {
            return Err(format!("the header {name} is not the plan's to give"));
        }
        let value = HeaderValue::from_str(value.raw()).map_err(|_| format!("the value of {name} cannot be sent"))?;
        headers.insert(name, value);
    }
    Ok(())
}

/// Sends, and hands on what is answered. Returns the status.
async fn hear(client: &Client, request: Request, lines: &mut Lines, output: &mut dyn Output) -> Result<u16, Failed> {
    let mut response = client.execute(request).await.map_err(|error| {
        if error.is_connect() || error.is_builder() {
            before("nobody answers there, or not as the address says")
        } else {
            Failed::After("the connection broke before an answer came".to_owned())
        }
    })?;
    let broken = |_| Failed::After("the answer broke off".to_owned());
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        lines.push(&chunk, output);
        if lines.whole().is_none() {
            break;
        }
    }
    Ok(response.status().as_u16())
}

/// A client for one call: it knows the addresses that were checked, and no other.
fn client(way: &Way<'_>, connect: Duration) -> reqwest::Result<Client> {
    let reach = if way.base.is_encrypted() { Reach::Encrypted } else { Reach::Plain };
    once(reach)
        .no_proxy()
        .no_gzip()
        .http1_only()
        .pool_max_idle_per_host(0)
        .connect_timeout(connect)
        .dns_resolver(Arc::new(Checked { host: way.base.host_name().map(str::to_owned), to: way.addresses.clone() }))
        .build()
}

/// Answers the connection's question with what was checked.
struct Checked {
    host: Option<String>,
    to: Vec<SocketAddr>,
}

impl reqwest::dns::Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let to = if self.host.as_deref() == Some(name.as_str()) { self.to.clone() } else { Vec::new() };
        Box::pin(async move {
            if to.is_empty() {
                return Err(io::Error::from(io::ErrorKind::AddrNotAvailable).into());
            }
            Ok(Box::new(to.into_iter()) as Addrs)
        })
    }
}
