//! The tables of a ledger. A step that was released is never changed: a new one is added behind it.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::LedgerError;

/// Bodies are JSON and the truth; the columns beside them are there to be found by. `answers` outlives a
/// look at the data: what people decided is asked for once.
const FIRST: &str = "
CREATE TABLE plan (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL,
    summary TEXT NOT NULL
) STRICT;

CREATE TABLE seen (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    digest BLOB NOT NULL,
    changes INTEGER NOT NULL CHECK (changes IN (0, 1)),
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE owned (
    user TEXT NOT NULL,
    name TEXT NOT NULL,
    documents INTEGER NOT NULL,
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE collections (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE mapping (
    old TEXT PRIMARY KEY,
    new TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mapping_new ON mapping (new);

CREATE TABLE orphans (
    id TEXT PRIMARY KEY,
    documents INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX orphans_most ON orphans (documents DESC, id);

CREATE TABLE decisions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    body TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_open ON decisions (open DESC, number);

CREATE TABLE misses (
    number INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE answers (
    about TEXT NOT NULL CHECK (about IN ('question', 'orphan')),
    what TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (about, what)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    phase TEXT NOT NULL,
    round INTEGER NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    collection TEXT NOT NULL,
    after TEXT,
    upto TEXT NOT NULL,
    documents INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    digest_before BLOB,
    digest_after BLOB,
    ms INTEGER,
    at INTEGER,
    PRIMARY KEY (phase, round, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX batches_undone ON batches (phase, round, number) WHERE done = 0;

CREATE TABLE counts (
    phase TEXT NOT NULL,
    name TEXT NOT NULL,
    done INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    parked INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    PRIMARY KEY (phase, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    phase TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    done INTEGER NOT NULL,
    total INTEGER NOT NULL,
    collection TEXT NOT NULL,
    PRIMARY KEY (phase, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE written (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    number INTEGER NOT NULL UNIQUE,
    phase TEXT NOT NULL,
    round INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    version INTEGER NOT NULL,
    how TEXT NOT NULL,
    made INTEGER NOT NULL CHECK (made IN (0, 1)),
    source TEXT,
    source_version INTEGER,
    at INTEGER NOT NULL,
    back TEXT,
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX written_standing ON written (number) WHERE back IS NULL;
CREATE INDEX written_back ON written (back) WHERE back IS NOT NULL;

CREATE TABLE troubles (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
CREATE INDEX troubles_kind ON troubles (kind);
CREATE INDEX troubles_document ON troubles (document);

CREATE TABLE log (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE TABLE images (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    digest BLOB NOT NULL,
    part INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE image_parts (
    number INTEGER PRIMARY KEY,
    file TEXT NOT NULL
) STRICT;

CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What was about to be made is known before it is: a document that stands there without is another's.
const SECOND: &str = "
CREATE TABLE intents (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;
";

/// What the walks after the cut-over found.
const THIRD: &str = "
CREATE TABLE drifted (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sight (
    user TEXT NOT NULL,
    name TEXT NOT NULL,
    was INTEGER NOT NULL,
    now INTEGER NOT NULL,
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX sight_vanished ON sight (name, user) WHERE now = 0;
";

/// How far a batch is done that is not done to its end.
const FOURTH: &str = "
ALTER TABLE batches ADD COLUMN reached TEXT;
ALTER TABLE batches ADD COLUMN passed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
";

/// What the application was asked, on which side of the migration; that a document of which a copy was made is found
/// by its path; and which old ids were used since the cut-over.
const FIFTH: &str = "
CREATE TABLE asked (
    side TEXT NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (side, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX written_source ON written (source) WHERE source IS NOT NULL;

CREATE TABLE used (
    old TEXT PRIMARY KEY,
    times INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<(), LedgerError> {
    Migrations::new(vec![M::up(FIRST), M::up(SECOND), M::up(THIRD), M::up(FOURTH), M::up(FIFTH)])
        .to_latest(connection)
        .map_err(LedgerError::Tables)
}
