//! What a look at the data found: the plan, and the rows that people read and decide on.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stella_protocol::Text;
use stella_protocol::migration::{
    CollectionPage, CollectionRow, Counts, Decision, DecisionPage, MappingPage, MappingRow, Orphan, OrphanDecision,
    OrphanPage, PhaseName, PlanSummary,
};

use super::answers::{self, About};
use super::batches::counts_of;
use super::{Ledger, LedgerError, Stop, from_json, held, json, number, paged};
use crate::migrate::plan::{Plan, PlannedCollection};

/// All that a look found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The plan; its collections are the rows of the route, in its order.
    pub plan: Plan,
    /// As everyone sees it.
    pub summary: PlanSummary,
    /// Every known id.
    pub mapping: Vec<MappingRow>,
    /// Every id without a user. What was decided of it comes from the ledger; one given here is kept when
    /// nobody decided yet.
    pub orphans: Vec<Orphan>,
    /// Every question, answered or not, in the order of the route. The same question has the same id in every
    /// look: what was decided of it comes from the ledger, and one given here is kept when nobody decided yet.
    pub decisions: Vec<Decision>,
    /// What the data map misses.
    pub misses: Vec<Miss>,
}

/// A place that holds users' ids and is not declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Miss {
    /// The collection, as the plan names it.
    pub collection: Text,
    /// The place in its documents.
    pub path: Text,
    /// Documents with a known id there.
    pub documents: u64,
    /// Known ids there.
    pub values: u64,
    /// The path of one of the documents.
    pub example: Text,
}

impl Ledger {
    /// Forgets what an earlier look left; what people decided stays, and the log.
    ///
    /// # Errors
    /// When this migration has written documents already, or the ledger does not do it.
    pub fn begin_scan(&self) -> Result<(), LedgerError> {
        self.write("forget the last look", |tx| {
            let written = tx.prepare_cached("SELECT 1 FROM written LIMIT 1")?.exists([])?;
            if written {
                return Err(LedgerError::Begun.into());
            }
            for table in [
                "plan",
                "seen",
                "owned",
                "collections",
                "mapping",
                "orphans",
                "decisions",
                "misses",
                "batches",
                "intents",
                "counts",
                "checkpoints",
                "troubles",
                "asked",
            ] {
                tx.execute(&format!("DELETE FROM {table}"), [])?;
            }
            Ok(())
        })
    }

    /// Keeps what was found, in place of what was found before; how many questions are open. It survives a
    /// power loss, with every document seen and every batch told before.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn put_plan(&self, found: &Findings) -> Result<u64, LedgerError> {
        self.durably("keep the plan", |tx| {
            for table in ["plan", "collections", "mapping", "orphans", "decisions", "misses"] {
                tx.execute(&format!("DELETE FROM {table}"), [])?;
            }
            tx.execute(
                "INSERT INTO plan (one, body, summary) VALUES (1, ?1, ?2)",
                [json(&found.plan, "the plan")?, json(&found.summary, "the plan")?],
            )?;
            put_collections(tx, &found.plan.collections)?;
            put_mapping(tx, &found.mapping)?;
            put_orphans(tx, &found.orphans)?;
            put_decisions(tx, &found.decisions)?;
            let mut statement = tx.prepare_cached("INSERT INTO misses (body) VALUES (?1)")?;
            for miss in &found.misses {
                statement.execute([json(miss, "a miss")?])?;
            }
            answers::open(tx)
        })
    }

    /// The plan as it was kept, and as everyone sees it; None: nothing was found yet.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn plan(&self) -> Result<Option<(Plan, PlanSummary)>, LedgerError> {
        self.read("read the plan", |connection| {
            let found = connection
                .prepare_cached("SELECT body, summary FROM plan")?
                .query_row([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
                .optional()?;
            found
                .map(|(body, summary)| Ok((from_json(&body, "the plan")?, from_json(&summary, "the plan")?)))
                .transpose()
        })
    }

    /// In the order in which they are written, with what became of their documents.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `after` is none that a page gave.
    pub fn collections(&self, after: Option<&str>, limit: usize) -> Result<CollectionPage, LedgerError> {
        self.read("read the collections", |connection| {
            let (after, limit) = (number(after, 0)?, held(limit));
            let rows: Vec<(i64, PlannedCollection)> = bodies(
                connection,
                "SELECT number, body FROM collections WHERE number > ?1 ORDER BY number LIMIT ?2",
                params![after, limit as i64 + 1],
                "a collection",
            )?;
            let (rows, next) = paged(rows, limit, |(number, _)| number.to_string());
            let items = rows.into_iter().map(|(_, row)| collection(connection, row)).collect::<Result<_, _>>()?;
            Ok(CollectionPage { items, next })
        })
    }

    /// Most documents first.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `after` is none that a page gave.
    pub fn orphans(&self, after: Option<&str>, limit: usize) -> Result<OrphanPage, LedgerError> {
        self.read("read the ids without a user", |connection| {
            let (most, id) = match after {
                None => (i64::MAX, ""),
                Some(after) => {
                    let (most, id) = after.split_once(' ').ok_or(LedgerError::After)?;
                    (number(Some(most), 0)?, id)
                }
            };
            let limit = held(limit);
            let rows: Vec<(i64, Orphan)> = bodies(
                connection,
                "SELECT documents, body FROM orphans WHERE documents < ?1 OR (documents = ?1 AND id > ?2)
                 ORDER BY documents DESC, id LIMIT ?3",
                params![most, id, limit as i64 + 1],
                "an id without a user",
            )?;
            let (rows, next) = paged(rows, limit, |(documents, last)| format!("{documents} {}", last.id.raw()));
            let items = rows.into_iter().map(|(_, orphan)| answers::with_choice(connection, orphan));
            Ok(OrphanPage { items: items.collect::<Result<_, _>>()?, next })
        })
    }

    /// By old id.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn mapping(&self, after: Option<&str>, limit: usize) -> Result<MappingPage, LedgerError> {
        self.read("read the mapping", |connection| {
            let limit = held(limit);
            let rows: Vec<(i64, MappingRow)> = bodies(
                connection,
                "SELECT 0, body FROM mapping WHERE old > ?1 ORDER BY old LIMIT ?2",
                params![after.unwrap_or_default(), limit as i64 + 1],
                "a pair of the mapping",
            )?;
            let (rows, next) = paged(rows, limit, |(_, last)| last.from.raw().to_owned());
            Ok(MappingPage { items: rows.into_iter().map(|(_, row)| row).collect(), next })
        })
    }

    /// Every id of the person who has this one, old or new; empty: nobody has it. At most a page.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn ids_of(&self, id: &str) -> Result<Vec<MappingRow>, LedgerError> {
        self.read("read the mapping", |connection| {
            let rows: Vec<(i64, MappingRow)> = bodies(
                connection,
                "SELECT 0, body FROM mapping
                 WHERE new = coalesce((SELECT new FROM mapping WHERE old = ?1), ?1) ORDER BY old LIMIT ?2",
                params![id, held(usize::MAX) as i64],
                "a pair of the mapping",
            )?;
            Ok(rows.into_iter().map(|(_, row)| row).collect())
        })
    }

    /// Open ones first, then in the order in which they were given.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `after` is none that a page gave.
    pub fn decisions(&self, after: Option<&str>, limit: usize) -> Result<DecisionPage, LedgerError> {
        self.read("read the decisions", |connection| {
            let (open, last) = match after {
                None => (1, 0),
                Some(after) => {
                    let (open, last) = after.split_once(' ').ok_or(LedgerError::After)?;
                    (number(Some(open), 0)?, number(Some(last), 0)?)
                }
            };
            let limit = held(limit);
            let rows: Vec<(i64, Decision)> = bodies(
                connection,
                "SELECT number, body FROM decisions WHERE open < ?1 OR (open = ?1 AND number > ?2)
                 ORDER BY open DESC, number LIMIT ?3",
                params![open, last, limit as i64 + 1],
                "a decision",
            )?;
            let open = |decision: &Decision| u8::from(decision.decided.is_none());
            let (rows, next) = paged(rows, limit, |(number, last)| format!("{} {number}", open(last)));
            Ok(DecisionPage { items: rows.into_iter().map(|(_, decision)| decision).collect(), next })
        })
    }

    /// What the data map misses, in the order in which it was given.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `after` is none that a page gave.
    pub fn misses(&self, after: Option<&str>, limit: usize) -> Result<(Vec<Miss>, Option<String>), LedgerError> {
        self.read("read what the map misses", |connection| {
            let (after, limit) = (number(after, 0)?, held(limit));
            let rows: Vec<(i64, Miss)> = bodies(
                connection,
                "SELECT number, body FROM misses WHERE number > ?1 ORDER BY number LIMIT ?2",
                params![after, limit as i64 + 1],
                "a miss",
            )?;
            let (rows, next) = paged(rows, limit, |(number, _)| number.to_string());
            Ok((rows.into_iter().map(|(_, miss)| miss).collect(), next))
        })
    }
}

/// The rows of a statement that gives a number and a body.
fn bodies<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    with: impl rusqlite::Params,
    what: &'static str,
) -> Result<Vec<(i64, T)>, Stop> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(with)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body: String = row.get(1)?;
        found.push((row.get(0)?, from_json(&body, what)?));
    }
    Ok(found)
}

fn collection(connection: &Connection, row: PlannedCollection) -> Result<CollectionRow, Stop> {
    let counts = counts_of(connection, PhaseName::Copy, Some(&row.name))?;
    Ok(CollectionRow {
        counts: Counts { planned: row.changes + row.moves, ..counts },
        name: Text::new(row.name),
        priority: row.priority,
        documents: row.documents,
        references: row.references,
        moves: row.moves,
        orphans: row.orphans,
    })
}

fn put_collections(tx: &Transaction<'_>, collections: &[PlannedCollection]) -> Result<(), Stop> {
    let mut statement = tx.prepare_cached("INSERT INTO collections (name, body) VALUES (?1, ?2)")?;
    for collection in collections {
        statement.execute([&collection.name, &json(collection, "a collection")?])?;
    }
    Ok(())
}

fn put_mapping(tx: &Transaction<'_>, mapping: &[MappingRow]) -> Result<(), Stop> {
    let mut statement = tx.prepare_cached("INSERT INTO mapping (old, new, body) VALUES (?1, ?2, ?3)")?;
    for row in mapping {
        statement.execute([row.from.raw(), row.to.raw(), &json(row, "a pair of the mapping")?])?;
    }
    Ok(())
}

fn put_orphans(tx: &Transaction<'_>, orphans: &[Orphan]) -> Result<(), Stop> {
    let mut statement = tx.prepare_cached("INSERT INTO orphans (id, documents, body) VALUES (?1, ?2, ?3)")?;
    for orphan in orphans {
        let documents: u64 = orphan.documents.iter().map(|(_, count)| count).sum();
        if let Some(decision) = &orphan.decision {
            answers::keep_first(tx, About::Orphan, orphan.id.raw(), decision)?;
        }
        let undecided = Orphan { decision: None::<OrphanDecision>, ..orphan.clone() };
        let body = json(&undecided, "an id without a user")?;
        statement.execute(params![orphan.id.raw(), documents as i64, body])?;
    }
    Ok(())
}

/// A question that is given twice is one.
fn put_decisions(tx: &Transaction<'_>, decisions: &[Decision]) -> Result<(), Stop> {
    let mut statement = tx.prepare_cached("INSERT OR IGNORE INTO decisions (id, open, body) VALUES (?1, ?2, ?3)")?;
    for decision in decisions {
        let id = decision.id.raw();
        if let Some(decided) = &decision.decided {
            answers::keep_first(tx, About::Question, id, decided)?;
        }
        let kept = Decision { decided: answers::answer(tx, About::Question, id)?, ..decision.clone() };
        statement.execute(params![id, kept.decided.is_none(), json(&kept, "a decision")?])?;
    }
    Ok(())
}
