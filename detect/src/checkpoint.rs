//! The engine's state, to be kept by whoever has a disk: with its edition and a checksum, so that what
//! is broken or foreign is refused, and the engine begins afresh.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::keep::{Keep, Reader};
use crate::key;
use crate::rules::Rules;

/// What stands before the bytes when they lie in a file.
const MAGIC: &[u8; 8] = b"stella-d";

/// A state of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    version: u32,
    /// How this build makes keys of names: another build's state would know nobody.
    keys: u64,
    sum: u64,
    body: Vec<u8>,
}

/// Why a state is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Bytes are missing, or not those that were written.
    Corrupt,
    /// Another edition of the engine wrote it.
    Foreign,
    /// The rules have other bounds now: how many lines, operations, people are remembered.
    Bounds,
}

impl fmt::Display for Refused {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Corrupt => "the state is damaged",
            Self::Foreign => "another edition wrote the state",
            Self::Bounds => "the state was kept with other bounds",
        })
    }
}

impl std::error::Error for Refused {}

fn sum(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

fn keys() -> u64 {
    key::join(&[key::of("checkpoint")])
}

impl Checkpoint {
    /// Edition of the bytes; rises with every change of what the engine remembers.
    pub const VERSION: u32 = 4;

    pub(crate) fn of(engine: &Engine) -> Self {
        let mut body = Vec::new();
        engine.rules().bounds().keep(&mut body);
        engine.keep_state(&mut body);
        Self { version: Self::VERSION, keys: keys(), sum: sum(&body), body }
    }

    pub(crate) fn engine(&self, rules: Rules) -> Result<Engine, Refused> {
        if self.version != Self::VERSION || self.keys != keys() {
            return Err(Refused::Foreign);
        }
        if self.sum != sum(&self.body) {
            return Err(Refused::Corrupt);
        }
        let mut reader = Reader(&self.body);
        if <[u64; 6]>::wake(&mut reader).ok_or(Refused::Corrupt)? != rules.bounds() {
            return Err(Refused::Bounds);
        }
        let engine = Engine::wake_state(rules, &mut reader).ok_or(Refused::Corrupt)?;
        if reader.0.is_empty() { Ok(engine) } else { Err(Refused::Corrupt) }
    }

    /// As the bytes of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        self.version.keep(&mut bytes);
        self.keys.keep(&mut bytes);
        self.sum.keep(&mut bytes);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// From the bytes of a file; [`Engine::restore`] looks whether they are whole.
    ///
    /// # Errors
    /// When they are not those of a state at all.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        let mut reader = Reader(bytes.strip_prefix(MAGIC).ok_or(Refused::Corrupt)?);
        let head = |reader: &mut Reader<'_>| Some((u32::wake(reader)?, (u64::wake(reader)?, u64::wake(reader)?)));
        let (version, (keys, sum)) = head(&mut reader).ok_or(Refused::Corrupt)?;
        Ok(Self { version, keys, sum, body: reader.0.to_vec() })
    }
}
