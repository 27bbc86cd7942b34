//! The key file of a service account, and what is signed with it: a claim that is worth a token for an hour.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use stella_protocol::Timestamp;

use crate::base_url::read_base_url;

/// What is asked for: documents, and nothing else of the project.
const SCOPE: &str = "https://www.googleapis.com/auth/datastore";
/// How long a claim may be used: as long as the endpoint takes at most.
const CLAIM_SECONDS: i64 = 3_600;
const MILLIS: i64 = 1_000;
/// `urn:ietf:params:oauth:grant-type:jwt-bearer`, as a form has it.
const GRANT: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";

/// Why the file cannot be used. Never says what is in it.
#[derive(Debug, thiserror::Error)]
pub enum BadAccount {
    /// It cannot be read.
    #[error("read the credentials {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is none of a service account.
    #[error("use the credentials {}: {why}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what to give instead.
        why: &'static str,
    },
}

/// A service account with its key. Has no `Debug`.
pub(crate) struct Account {
    email: String,
    key_name: Option<String>,
    key: RsaKeyPair,
    token_address: String,
}

#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    client_email: String,
    private_key_id: Option<String>,
    #[serde(default)]
    private_key: String,
    #[serde(default)]
    token_uri: String,
}

impl Account {
    /// From its file. Blocks.
    ///
    /// # Errors
    /// When it is not there, or no key of a service account.
    pub fn open(path: &Path) -> Result<Self, BadAccount> {
        let text = std::fs::read(path).map_err(|source| BadAccount::File { path: path.to_owned(), source })?;
        Self::read(&text).map_err(|why| BadAccount::Unfit { path: path.to_owned(), why })
    }

    fn read(text: &[u8]) -> Result<Self, &'static str> {
        let file: KeyFile = serde_json::from_slice(text).map_err(|_| "it is no JSON with a `type`; want a key file")?;
        if file.kind != "service_account" {
            return Err("its `type` is not `service_account`; make a key of a service account, and give its file");
        }
        let encrypted = read_base_url(&file.token_uri).is_ok_and(|url| url.starts_with("https://"));
        if !encrypted {
            return Err("its `token_uri` is no address that begins with https://");
        }
        Self::with(file).ok_or("its `private_key` is no RSA key as PEM, or its `client_email` is missing")
    }

    fn with(file: KeyFile) -> Option<Self> {
        let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(file.private_key.as_bytes()).ok()? else {
            return None;
        };
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok()?;
        let email = Some(file.client_email).filter(|email| !email.is_empty())?;
        Some(Self { email, key_name: file.private_key_id, key, token_address: file.token_uri })
    }

    /// Where a claim becomes a token.
    pub fn token_address(&self) -> &str {
        &self.token_address
    }

    /// The body of the request for a token; None: the key does not sign.
    pub fn assertion(&self, now: Timestamp) -> Option<String> {
        let issued = now.millis() / MILLIS;
        let head = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_name });
        let claim = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_address,
            "iat": issued, "exp": issued + CLAIM_SECONDS,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claim));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{GRANT}{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The same account, with its tokens from elsewhere.
    #[cfg(test)]
    pub fn asking_at(self, token_address: String) -> Self {
        Self { token_address, ..self }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    /// A key that opens nothing: it was made for these tests.
    const KEY: &str = include_str!("test-key.pem");

    fn file() -> Value {
        json!({
            "type": "service_account", "project_id": "p", "private_key_id": "k1", "private_key": KEY,
            "client_email": "stella@p.example", "token_uri": "https://tokens.example/token",
        })
    }

    /// A service account of tests.
    pub(crate) fn account() -> Account {
        Account::read(file().to_string().as_bytes()).unwrap_or_else(|why| unreachable!("{why}"))
    }

    #[test]
    fn a_claim_is_signed_names_its_endpoint_and_lasts_an_hour() {
        let body = account().assertion(Timestamp::from_millis(1_700_000_000_999)).unwrap();
        let claim = body.strip_prefix(GRANT).unwrap();
        let parts: Vec<&str> = claim.split('.').collect();
        let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        assert_eq!(read(parts[0]), json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" }));
        let said = json!({
            "iss": "stella@p.example", "scope": SCOPE, "aud": "https://tokens.example/token",
            "iat": 1_700_000_000, "exp": 1_700_003_600,
        });
        assert_eq!(read(parts[1]), said);
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account().key.public().as_ref().to_vec());
        let signed = format!("{}.{}", parts[0], parts[1]);
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
    }

    #[test]
    fn another_file_is_refused_and_nothing_of_it_is_told() {
        let with = |key: &str, value: Value| {
            let mut file = file();
            file[key] = value;
            Account::read(file.to_string().as_bytes()).err().unwrap_or_default()
        };
        assert!(with("type", json!("authorized_user")).contains("`service_account`"));
        assert!(with("token_uri", json!("http://tokens.example/token")).contains("https://"));
        assert!(with("private_key", json!("-----BEGIN secret")).contains("`private_key`"));
        assert!(with("client_email", json!("")).contains("`client_email`"));
        assert!(Account::read(b"[]").is_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        std::fs::write(&path, "{\"private_key\": \"s3cret\"}").unwrap();
        let told = Account::open(&path).err().unwrap().to_string();
        assert!(told.contains("key.json") && !told.contains("s3cret"), "{told}");
        assert!(Account::open(&folder.path().join("none")).is_err());
    }
}
