//! The key of backups, and what is done with it: parts are enciphered, manifests signed.
//!
//! Every part has a key of its own, made of the server's and of random bytes in the part's header: a part
//! that is written again, under the same number with other contents, never meets the same key and nonce
//! twice. ChaCha20-Poly1305 (RFC 8439), HKDF and HMAC with SHA-256.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use rand::TryRngCore;
use rand::rngs::OsRng;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};

use crate::folder::Folder;
use crate::migrate::plan::hex;

/// The file of the key in the data folder.
const FILE: &str = "backup.key";
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 32;
/// How every part begins: what it is, and in which form.
const MAGIC: &[u8; 8] = b"STLBAK01";
/// Bytes that name a key.
const NAME_BYTES: usize = 4;

/// The secret that backups are sealed with; never shown.
#[derive(Clone)]
pub struct BackupKey([u8; KEY_BYTES]);

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupKey({})", self.name())
    }
}

/// Which part of which run, with how many documents: what its seal says besides its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label<'a> {
    pub run: &'a str,
    pub number: u64,
    pub documents: u64,
}

/// Something is not as it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

impl From<ring::error::Unspecified> for Broken {
    fn from(_: ring::error::Unspecified) -> Self {
        Self
    }
}

impl BackupKey {
    /// The key of this data folder, made when there is none.
    ///
    /// # Errors
    /// When it cannot be read or made, or what is there is no key.
    pub fn kept(data: &Path) -> io::Result<Self> {
        let folder = Folder::open(Some(data))?;
        if let Some(bytes) = folder.read(FILE)? {
            let bytes = bytes.try_into().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no key"))?;
            return Ok(Self(bytes));
        }
        let key = random::<KEY_BYTES>()?;
        folder.write_secret(FILE, &key)?;
        File::open(data)?.sync_all()?;
        Ok(Self(key))
    }

    /// From 32 secret random bytes.
    pub fn from_bytes(secret: [u8; KEY_BYTES]) -> Self {
        Self(secret)
    }

    /// Tells keys apart; not secret.
    pub fn name(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        hex(&hmac::sign(&key, b"name").as_ref()[..NAME_BYTES])
    }

    /// Enciphers the contents of a part: the whole file.
    pub(super) fn seal(&self, label: Label<'_>, contents: &[u8]) -> io::Result<Vec<u8>> {
        let header = header(label, &random::<SALT_BYTES>()?);
        let broken = |_| io::Error::other("the cipher does not take it");
        let key = self.part_key(&header, label).map_err(broken)?;
        let mut sealed = contents.to_vec();
        key.seal_in_place_append_tag(nonce(label), Aad::from(&header), &mut sealed)
            .map_err(|error| broken(error.into()))?;
        Ok([header, sealed].concat())
    }

    /// The contents of a part, when the file is what was sealed under this label.
    pub(super) fn unseal(&self, label: Label<'_>, mut file: Vec<u8>) -> Result<Vec<u8>, Broken> {
        let salt = file.get(MAGIC.len()..MAGIC.len() + SALT_BYTES).ok_or(Broken)?;
        let header = header(label, salt.try_into().map_err(|_| Broken)?);
        if !file.starts_with(&header) {
            return Err(Broken);
        }
        let key = self.part_key(&header, label)?;
        let mut sealed = file.split_off(header.len());
        let length = key.open_in_place(nonce(label), Aad::from(&header), &mut sealed)?.len();
        sealed.truncate(length);
        Ok(sealed)
    }

    /// The text with its signature behind it.
    pub(super) fn sign(&self, run: &str, text: &str) -> Result<String, Broken> {
        let tag = hmac::sign(&self.manifest_key(run)?, text.as_bytes());
        Ok(format!("{text}\n{}\n", hex(tag.as_ref())))
    }

    /// The text of a signed one, when it is what was signed, to the letter.
    pub(super) fn signed<'t>(&self, run: &str, signed: &'t str) -> Result<&'t str, Broken> {
        let (text, tag) = signed.strip_suffix('\n').and_then(|both| both.rsplit_once('\n')).ok_or(Broken)?;
        let tag = unhex(tag).ok_or(Broken)?;
        hmac::verify(&self.manifest_key(run)?, text.as_bytes(), &tag)?;
        Ok(text)
    }

    fn part_key(&self, header: &[u8], label: Label<'_>) -> Result<LessSafeKey, Broken> {
        let key = self.derived(header, &[b"stella backup part", label.run.as_bytes()])?;
        Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key)?))
    }

    fn manifest_key(&self, run: &str) -> Result<hmac::Key, Broken> {
        let key = self.derived(b"", &[b"stella backup manifest", run.as_bytes()])?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    fn derived(&self, salt: &[u8], what: &[&[u8]]) -> Result<[u8; KEY_BYTES], Broken> {
        let mut key = [0; KEY_BYTES];
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&self.0).expand(what, hkdf::HKDF_SHA256)?.fill(&mut key)?;
        Ok(key)
    }
}

fn header(label: Label<'_>, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(salt);
    header.extend_from_slice(&label.number.to_be_bytes());
    header.extend_from_slice(&label.documents.to_be_bytes());
    header.extend_from_slice(&(label.run.len() as u64).to_be_bytes());
    header.extend_from_slice(label.run.as_bytes());
    header
}

fn nonce(label: Label<'_>) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&label.number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Bytes of lower-case hexadecimal digits; None: they are none.
fn unhex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = digits.as_bytes().chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    let bytes: Option<Vec<u8>> = pairs.map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect();
    bytes.filter(|_| whole)
}
