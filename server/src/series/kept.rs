//! The series on disk: `series.db`, one row a bucket of all series together.
//!
//! Only closed buckets are written, at most once a second. After a restart the book forgets the last,
//! unfinished ten minutes and counts them again from the kept lines, so that every width is whole.
//! Stella's own figures of that span are not in the lines and stay a gap.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};
use rusqlite_migration::{M, Migrations};
use stella_detect::Rules;
use stella_protocol::series::Spread;
use stella_protocol::{Series, Timestamp};

use super::SeriesBook;
use super::track::{Track, WIDTHS};

const FORM: &str = "
CREATE TABLE series (no INTEGER PRIMARY KEY, about TEXT NOT NULL) STRICT;
CREATE TABLE buckets (
    width INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (width, at)
) STRICT, WITHOUT ROWID;
";

/// Bytes of one series in a bucket: its number, mean, least, greatest.
const ENTRY: usize = 4 + 3 * 8;

/// The series could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The database refused.
    #[error("use the file of series")]
    Sql(#[from] rusqlite::Error),
    /// Its form is newer than this program, or could not be brought up to date.
    #[error("bring the file of series up to date")]
    Form(#[from] rusqlite_migration::Error),
}

/// Closed buckets on their way to the disk.
#[derive(Debug, Default)]
pub struct Unsaved {
    series: Vec<(u32, String)>,
    buckets: BTreeMap<(usize, i64), Vec<u8>>,
}

impl Unsaved {
    /// True when there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty() && self.buckets.is_empty()
    }

    pub(super) fn name(&mut self, track: &Track) {
        // A description is plain data: writing it as JSON does not fail.
        self.series.extend(serde_json::to_string(&track.about).ok().map(|about| (track.no, about)));
    }

    pub(super) fn bucket(&mut self, width: usize, index: i64, no: u32, value: Option<Spread>) {
        let body = self.buckets.entry((width, index)).or_default();
        if let Some(Spread { mean, min, max }) = value {
            body.extend_from_slice(&no.to_le_bytes());
            for number in [mean, min, max] {
                body.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
}

/// The file. Used by one thread.
#[derive(Debug)]
pub struct SeriesFile {
    connection: Connection,
}

impl SeriesFile {
    /// Opens `series.db` in `dir`, which exists, and makes it where there is none.
    pub fn open(dir: &Path) -> Result<Self, SeriesError> {
        let mut connection = Connection::open(dir.join("series.db"))?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |mode| mode.get::<_, String>(0))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Migrations::new(vec![M::up(FORM)]).to_latest(&mut connection)?;
        Ok(Self { connection })
    }

    /// The book as it was kept, ready to count on from [`SeriesBook::resume_from`].
    pub fn load(&self, rules: &Rules) -> Result<SeriesBook, SeriesError> {
        let mut book = SeriesBook::new(rules);
        let newest: Option<i64> =
            self.connection.query_row("SELECT max(at) FROM buckets WHERE width = 0", [], |row| row.get(0))?;
        let Some(newest) = newest else { return Ok(book) };
        let longest = WIDTHS[WIDTHS.len() - 1].step;
        let resume_from = ((newest + 1) * WIDTHS[0].step).div_euclid(longest) * longest;
        let resume_at = Timestamp::from_millis(resume_from);
        let places = book.adopt(self.described()?, resume_at);
        let mut statement = self.connection.prepare("SELECT width, at, body FROM buckets ORDER BY width, at")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (width, index, body): (i64, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(of) = usize::try_from(width).ok().and_then(|width| WIDTHS.get(width)) else { continue };
            if (index + 1).saturating_mul(of.step) > resume_from {
                continue;
            }
            for (no, value) in entries(&body) {
                if let Some(&at) = places.get(&no) {
                    book.tracks[at].restore(width as usize, index, value);
                }
            }
        }
        Ok(book)
    }

    /// Writes what closed, and forgets what is older than each width keeps.
    pub fn save(&mut self, unsaved: &Unsaved) -> Result<(), SeriesError> {
        let transaction = self.connection.transaction()?;
        for (no, about) in &unsaved.series {
            transaction.execute("INSERT OR REPLACE INTO series (no, about) VALUES (?1, ?2)", params![no, about])?;
        }
        for ((width, index), body) in &unsaved.buckets {
            let row = params![*width as i64, index, body];
            transaction.execute("INSERT OR REPLACE INTO buckets (width, at, body) VALUES (?1, ?2, ?3)", row)?;
        }
        for (width, of) in WIDTHS.into_iter().enumerate() {
            let newest = unsaved.buckets.keys().filter(|(of, _)| *of == width).map(|(_, index)| *index).max();
            if let Some(newest) = newest {
                let gone = params![width as i64, newest - of.kept as i64];
                transaction.execute("DELETE FROM buckets WHERE width = ?1 AND at <= ?2", gone)?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// The series described in the file, newest first. A description of another edition is left out.
    fn described(&self) -> Result<Vec<(u32, Series)>, SeriesError> {
        let mut statement = self.connection.prepare("SELECT no, about FROM series ORDER BY no DESC")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?;
        let mut described = Vec::new();
        for row in rows {
            let (no, about) = row?;
            described.extend(serde_json::from_str(&about).ok().map(|about| (no, about)));
        }
        Ok(described)
    }
}

impl SeriesBook {
    /// Makes the series of the file its own; returns where each number lies.
    fn adopt(&mut self, described: Vec<(u32, Series)>, resume_from: Timestamp) -> HashMap<u32, usize> {
        let mut places = HashMap::new();
        let first_free = described.first().map_or(0, |(no, _)| no + 1);
        for (_, about) in &described {
            if let Some(name) = about.labels.get("operation") {
                self.operation(name.raw(), resume_from);
            } else if let Some(name) = about.labels.get("metric") {
                self.metric(name.raw(), about.unit.raw(), resume_from);
            }
        }
        for track in &mut self.tracks {
            track.no += first_free;
        }
        self.next_no += first_free;
        for (no, about) in described {
            // Newest first: an older series of the same name belongs to one that had given way.
            if let Some(&at) = self.by_id.get(about.id.raw())
                && self.tracks[at].no >= first_free
            {
                self.tracks[at].no = no;
                places.insert(no, at);
            }
        }
        self.unsaved = super::Unsaved::default();
        for track in self.tracks.iter().filter(|track| track.no >= first_free) {
            self.unsaved.name(track);
        }
        self.resume_from = resume_from;
        self.open = Some((WIDTHS[0].index(resume_from), resume_from));
        places
    }
}

fn entries(body: &[u8]) -> impl Iterator<Item = (u32, Spread)> {
    body.chunks_exact(ENTRY).filter_map(|entry| {
        let number = |at: usize| entry.get(at..at + 8)?.try_into().ok().map(f64::from_le_bytes);
        let no = u32::from_le_bytes(entry.get(..4)?.try_into().ok()?);
        Some((no, Spread { mean: number(4)?, min: number(12)?, max: number(20)? }))
    })
}
