//! Carries lines to the server: the same batch again and again until it is answered.
//!
//! Knows neither the world nor what the lines say.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Certificate, Client, StatusCode, header};
use tokio_util::sync::CancellationToken;

use super::DemoError;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Wait before the second try, and the longest between two: a server that restarts is back in seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One client with its token. Has no `Debug`: the token stays in here.
pub struct Courier {
    client: Client,
    address: String,
    token: String,
    shutdown: CancellationToken,
}

/// What became of one try.
enum Try {
    Taken,
    Again,
    Refused(StatusCode),
}

impl Courier {
    /// For the server at `base_url`.
    pub fn new(base_url: &str, token: String, shutdown: CancellationToken) -> Result<Self, DemoError> {
        let address = format!("{}/api/stella/logs?recording=demo", base_url.trim_end_matches('/'));
        Ok(Self { client: client()?, address, token, shutdown })
    }

    /// Delivers a packed batch, however often that has to be tried. False: shut down before it was taken.
    pub async fn deliver(&self, batch: &Bytes) -> Result<bool, DemoError> {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(false),
                tried = self.attempt(batch) => match tried {
                    Try::Taken => return Ok(true),
                    Try::Refused(status) => return Err(DemoError::Refused(status.as_u16())),
                    Try::Again => {}
                },
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(false),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, batch: &Bytes) -> Try {
        let request = self
            .client
            .post(&self.address)
            .bearer_auth(&self.token)
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .header(header::CONTENT_ENCODING, "gzip")
            .body(batch.clone());
        let Ok(answer) = request.send().await else { return Try::Again };
        let status = answer.status();
        if status.is_success() {
            return Try::Taken;
        }
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if busy || status.is_server_error() { Try::Again } else { Try::Refused(status) }
    }
}

/// A client for a server on this machine or elsewhere.
pub(super) fn client() -> Result<Client, DemoError> {
    // A second provider in one process is refused: whoever came first has set the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Built-in roots, because a machine without any would not even speak plain HTTP.
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| Certificate::from_der(root).ok());
    Client::builder().no_proxy().tls_certs_merge(roots).timeout(PATIENCE).build().map_err(DemoError::Client)
}

/// Lines as a compressed NDJSON body.
pub fn pack(lines: impl Iterator<Item = String>) -> Result<Bytes, DemoError> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    for line in lines {
        packer.write_all(line.as_bytes()).and_then(|()| packer.write_all(b"\n")).map_err(DemoError::Pack)?;
    }
    packer.finish().map(Bytes::from).map_err(DemoError::Pack)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_packed_batch_unpacks_to_one_line_each() -> Result<(), DemoError> {
        let batch = pack(["{}".to_owned(), "[1]".to_owned()].into_iter())?;
        let mut text = String::new();
        flate2::read::GzDecoder::new(batch.as_ref()).read_to_string(&mut text).map_err(DemoError::Pack)?;
        assert_eq!(text, "{}\n[1]\n");
        Ok(())
    }
}
