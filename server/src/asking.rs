//! How this server asks others over HTTP: where it was told to, once, and nowhere else.
//!
//! Deliberately no times, proxies and addresses: whoever asks knows them.

use reqwest::{Certificate, Client, ClientBuilder, redirect};

/// Where it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Over TLS.
    Encrypted,
    /// Without: what is on this machine or beside it, or was named so.
    Plain,
}

/// The beginnings of a client that follows nothing elsewhere, tries nothing a second time unseen, says nowhere where it
/// was before, and brings its own certificates.
pub(crate) fn once(reach: Reach) -> ClientBuilder {
    // A second provider in one process is refused: whoever came first has set the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("stella-server/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false);
    match reach {
        Reach::Encrypted => {
            let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
            builder.tls_certs_merge(roots.filter_map(|root| Certificate::from_der(root).ok()))
        }
        // Without any certificate the library looks for the system's, and fails where there is none.
        Reach::Plain => builder.tls_certs_only([]),
    }
}
