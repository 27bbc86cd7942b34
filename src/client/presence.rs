//! What this console looks at, told to the server. Tried once: it is said again within 15 s.

use reqwest::Method;
use stella_protocol::PresenceRequest;

use super::Client;

impl Client {
    /// Says what this console looks at. That it was not heard is no news for whoever looks: it stands in
    /// the log.
    pub async fn attend(&self, said: &PresenceRequest) {
        match self.request(&self.api, Method::PUT, "presence").json(said).send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::debug!(status = answer.status().as_u16(), "others do not hear what we look at"),
            Err(error) => tracing::debug!(timeout = error.is_timeout(), "others do not hear what we look at"),
        }
    }
}
