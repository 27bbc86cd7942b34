//! The long parts of a migration: its collections, mapping, ids without a user, questions, errors, log.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stella_protocol::Migration;

use super::verbs::List;
use super::{Desk, Failure, Form, find, page};
use crate::cli::refused::Asked;
use crate::cli::sheet::NOTHING;
use crate::cli::words::remark;
use crate::client::fixes::Wire;
use crate::client::migrations::Part;
use crate::effect::Refusal;

/// Rows that are asked for at once.
const PAGE: u32 = 100;

/// Rows of several pages: as they were sent, and as they were read.
pub(super) struct Rows<T> {
    pub(super) bodies: Vec<Value>,
    pub(super) items: Vec<T>,
    /// Where more stands.
    pub(super) next: Option<String>,
}

/// Asks for pages until there are `limit` rows or no more.
pub(super) async fn rows<T: DeserializeOwned, P>(
    limit: u32,
    ask: impl AsyncFn(Part) -> Result<Wire<P>, Refusal>,
) -> Result<Rows<T>, Failure> {
    let mut rows = Rows { bodies: Vec::new(), items: Vec::new(), next: None };
    let wanted = limit as usize;
    while rows.bodies.len() < wanted {
        let part = Part { after: rows.next.take(), limit: PAGE.min((wanted - rows.bodies.len()) as u32) };
        let page = Asked::Look.of(ask(part).await)?.body;
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let came = items.len();
        for item in &items {
            let read = T::deserialize(item);
            rows.items.push(read.map_err(|error| Failure::NotDone(format!("read the server's answer: {error}")))?);
        }
        rows.bodies.extend(items);
        rows.next = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if rows.next.is_none() || came == 0 {
            break;
        }
    }
    Ok(rows)
}

/// Writes rows, and what comes next.
fn say<T>(
    desk: &mut Desk<'_>,
    of: &Migration,
    rows: &Rows<T>,
    none: &str,
    page: impl Fn(&[T]) -> Vec<String>,
) -> Result<u8, Failure> {
    match desk.form {
        Form::Json => desk.object(&json!({ "items": rows.bodies, "next": rows.next }))?,
        Form::Jsonl => rows.bodies.iter().try_for_each(|body| desk.object(body))?,
        Form::Table | Form::Md => {
            if rows.items.is_empty() {
                remark(&format!("{} {none}", of.id));
            }
            let lines = if rows.items.is_empty() { Vec::new() } else { page(&rows.items) };
            desk.lines(&lines)?;
            desk.next(of)?;
        }
    }
    if rows.next.is_some() {
        remark("there are more: raise --limit");
    }
    Ok(if rows.items.is_empty() { NOTHING } else { 0 })
}

/// One `pub` function a list: which route, which words when there is none, which rows.
macro_rules! list {
    ($(#[$doc:meta])* $name:ident, $route:ident, $none:literal) => {
        $(#[$doc])*
        pub(super) async fn $name(desk: &mut Desk<'_>, asked: &List) -> Result<u8, Failure> {
            let of = find::migration(desk, asked.one.id.as_deref()).await?.read;
            let client = desk.client.clone();
            let rows = rows(asked.limit, async |part| client.$route(&of.id, &part).await).await?;
            say(desk, &of, &rows, $none, page::$name)
        }
    };
}

list!(
    /// `migrate collections`.
    collections,
    migration_collections,
    "has looked at no collection"
);
list!(
    /// `migrate orphans`.
    orphans,
    migration_orphans,
    "knows no id without a user"
);
list!(
    /// `migrate decisions`.
    decisions,
    migration_decisions,
    "has no question"
);
list!(
    /// `migrate errors`.
    errors,
    migration_errors,
    "knows of no document with which something is wrong"
);
list!(
    /// `migrate log`.
    log,
    migration_log,
    "has done nothing"
);
list!(
    /// `migrate mapping`.
    mapping,
    migration_mapping,
    "maps no id"
);
