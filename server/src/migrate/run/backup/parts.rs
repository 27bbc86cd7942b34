//! The files of a backup: parts, and the manifest that names them.
//!
//! A part is lines of JSON, one a document, packed and enciphered. The manifest is readable and signed; it
//! is written last, so a folder without one holds nothing that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::BackupError;
use super::seal::{BackupKey, Label};
use crate::documents::{Document, DocumentKey, shape};
use crate::migrate::plan::hex;

/// Most bytes of a part, before it is packed: what is held of it at once, several times over while it is packed or
/// restored. Smaller ones would be files that wait for the disk more than they hold.
pub(super) const PART_BYTES: usize = 1024 * 1024;
/// The longest line: a document, its path, and room for another way of writing it.
const LINE_BYTES: usize = 4 * shape::DOCUMENT_BYTES;
/// The form of the manifest.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const OWNER_ONLY_FOLDER: u32 = 0o700;
const OWNER_ONLY_FILE: u32 = 0o600;

/// A document as a line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    collection: String,
    id: String,
    version: u64,
    fields: BTreeMap<String, Value>,
}

/// What a backup is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Manifest {
    format: u32,
    run: String,
    key_id: String,
    pub parts: Vec<Part>,
}

/// A part as the manifest names it; its number is its place, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Part {
    pub documents: u64,
    /// Of its file.
    pub bytes: u64,
    /// SHA-256 of its file, hex.
    pub sha256: String,
    /// The fold of its documents' digests as they were taken in, hex.
    pub content: String,
}

/// Where the files are, and what seals them.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    run: String,
    key: BackupKey,
}

impl Files {
    pub fn new(data: &Path, run: &str, key: &BackupKey) -> Self {
        Self { folder: data.join("backups").join(run), run: run.to_owned(), key: key.clone() }
    }

    pub fn empty_manifest(&self) -> Manifest {
        Manifest { format: FORMAT, run: self.run.clone(), key_id: self.key.name(), parts: Vec::new() }
    }

    /// Makes the folder, with nothing in it but the manifest and the parts that it names; None: with nothing.
    pub fn keep_only(&self, manifest: Option<&Manifest>) -> Result<(), BackupError> {
        let doing = file("make the folder of the backup");
        let make = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(OWNER_ONLY_FOLDER).create(&self.folder)?;
            let parts = manifest.map_or(0, |manifest| manifest.parts.len() as u64);
            let manifest = manifest.map(|_| MANIFEST.to_owned());
            let known: BTreeSet<OsString> = (1..=parts).map(part_name).chain(manifest).map(OsString::from).collect();
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                if !known.contains(&entry.file_name()) {
                    fs::remove_file(entry.path())?;
                }
            }
            // The names of the folders must survive a power loss too.
            for folder in self.folder.ancestors().take(3) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        };
        make().map_err(doing)
    }

    /// The manifest and SHA-256 of its file; None: there is none.
    pub fn manifest(&self) -> Result<Option<(Manifest, String)>, BackupError> {
        let refused = || BackupError::Refused("its manifest".to_owned());
        let bytes = match fs::read(self.folder.join(MANIFEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(file("read the manifest"))?,
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| refused())?;
        let text = self.key.signed(&self.run, text).map_err(|_| refused())?;
        let manifest: Manifest = serde_json::from_str(text).map_err(|_| refused())?;
        let ours = manifest.format == FORMAT && manifest.run == self.run && manifest.key_id == self.key.name();
        if ours { Ok(Some((manifest, sha256(&bytes)))) } else { Err(refused()) }
    }

    /// Writes the manifest, whole or not at all, and waits for the disk; SHA-256 of its file.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<String, BackupError> {
        let text = serde_json::to_string(manifest).map_err(|error| file("write the manifest")(error.into()))?;
        let signed = self.key.sign(&self.run, &text);
        let signed = signed.map_err(|_| file("write the manifest")(io::Error::other("the key does not take it")))?;
        let write = || -> io::Result<()> {
            let new = self.folder.join("manifest.new");
            write_synced(&new, signed.as_bytes())?;
            fs::rename(&new, self.folder.join(MANIFEST))?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(file("write the manifest"))?;
        Ok(sha256(signed.as_bytes()))
    }

    /// Writes a part and waits for the disk.
    pub fn write_part(&self, number: u64, documents: u64, content: [u8; 32], text: &[u8]) -> Result<Part, BackupError> {
        let write = || -> io::Result<Part> {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(text)?;
            let sealed = self.key.seal(self.label(number, documents), &packed.finish()?)?;
            write_synced(&self.folder.join(part_name(number)), &sealed)?;
            Ok(Part { documents, bytes: sealed.len() as u64, sha256: sha256(&sealed), content: hex(&content) })
        };
        write().map_err(file("write a part of the backup"))
    }

    /// The text of a part: its file is exactly the one that the manifest names.
    pub fn read_part(&self, number: u64, part: &Part) -> Result<Vec<u8>, BackupError> {
        let refused = || BackupError::Refused(format!("part {number}"));
        let path = self.folder.join(part_name(number));
        let mut sealed = Vec::with_capacity(part.bytes as usize + 1);
        // One byte more than it has: a longer file is not read to its end.
        match File::open(path).and_then(|file| file.take(part.bytes + 1).read_to_end(&mut sealed)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(refused()),
            read => read.map_err(file("read a part of the backup"))?,
        };
        if sealed.len() as u64 != part.bytes || sha256(&sealed) != part.sha256 {
            return Err(refused());
        }
        let packed = self.key.unseal(self.label(number, part.documents), sealed).map_err(|_| refused())?;
        let mut text = Vec::new();
        let most = (PART_BYTES + LINE_BYTES) as u64;
        GzDecoder::new(packed.as_slice()).take(most + 1).read_to_end(&mut text).map_err(|_| refused())?;
        if text.len() as u64 > most { Err(refused()) } else { Ok(text) }
    }

    fn label(&self, number: u64, documents: u64) -> Label<'_> {
        Label { run: &self.run, number, documents }
    }
}

/// A document as a line, without its end.
pub(super) fn line(document: &Document) -> Result<Vec<u8>, BackupError> {
    let line = Line {
        collection: document.key.collection.clone(),
        id: document.key.id.clone(),
        version: document.version,
        fields: document.fields.clone(),
    };
    serde_json::to_vec(&line).map_err(|error| file("write a document into the backup")(error.into()))
}

/// The document of a line; None: it is none.
pub(super) fn document(line: &[u8]) -> Option<Document> {
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(Document { key: DocumentKey::new(line.collection, line.id), version: line.version, fields: line.fields })
}

pub(super) fn file(doing: &'static str) -> impl Fn(io::Error) -> BackupError {
    move |source| BackupError::File { doing, source }
}

fn part_name(number: u64) -> String {
    format!("part-{number:06}.sealed")
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY_FILE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
