//! A plan as lines: what the first run by scripts would have covered, and the whole.

use stella_protocol::migration::{CollectionRow, Decision, FirstScope, PlanSummary};
use stella_protocol::{Migration, Text};

use super::lists;
use crate::cli::words::{clean, count, moment, section};
use crate::own_queries;

/// `migrate plan`.
pub(in crate::cli::migrate) fn plan(
    migration: &Migration,
    collections: &[CollectionRow],
    open: &[Decision],
) -> Vec<String> {
    let mut lines = vec![super::outcome(migration)];
    let Some(summary) = &migration.plan else {
        decisions(&mut lines, migration, open);
        return lines;
    };
    lines.extend(blocks(summary));
    let is_touched = |row: &&CollectionRow| row.references + row.moves + row.orphans > 0;
    let touched: Vec<CollectionRow> = collections.iter().filter(is_touched).cloned().collect();
    if !touched.is_empty() {
        lines.push(String::new());
        lines.extend(lists::planned(&touched));
    }
    misses(&mut lines, summary, collections);
    section(&mut lines, own_queries::TITLE, super::own(migration));
    decisions(&mut lines, migration, open);
    lines.push(String::new());
    lines.push(format!("looked at   {} with key {}", moment(summary.scanned_at), clean(&summary.key_id)));
    lines.push(format!("plan digest {}", clean(&summary.digest)));
    lines
}

/// What a yes is a yes to, for whoever is asked to type it.
pub(in crate::cli::migrate) fn consent(migration: &Migration) -> Vec<String> {
    let mut lines = super::status(migration, None, false);
    if let Some(summary) = &migration.plan {
        lines.extend(blocks(summary));
        lines.extend([String::new(), format!("plan digest {}", clean(&summary.digest))]);
    }
    lines
}

/// The figures of the first migration by scripts, and those of everything.
pub(super) fn blocks(summary: &PlanSummary) -> Vec<String> {
    let mut lines = Vec::new();
    section(&mut lines, "first-migration scope", summary.first_scope.as_ref().map(first).unwrap_or_default());
    section(&mut lines, "whole map", whole(summary));
    let beside = |texts: &[Text]| texts.iter().map(|text| format!("  - {}", clean(text))).collect::<Vec<_>>();
    section(&mut lines, "not in the documents: not done here, but by", beside(&summary.elsewhere));
    let gone = "workarounds that must be gone before the cut-over; --reason states there that they are";
    section(&mut lines, gone, beside(&summary.workarounds));
    lines
}

fn row(name: &str, number: u64, more: &str) -> String {
    format!("  {name:<24}{number:>9}{more}")
}

fn first(scope: &FirstScope) -> Vec<String> {
    let ids = count(scope.orphan_ids as usize, "id", "ids");
    vec![
        row("users", scope.users, ""),
        row("conversations", scope.conversations, ""),
        row("messages", scope.messages, ""),
        row("shares", scope.shares, ""),
        row("folders", scope.folders, ""),
        row("groups", scope.groups, ""),
        row("orphaned conversations", scope.orphaned_conversations, &format!("  of {ids} without a user")),
    ]
}

fn whole(summary: &PlanSummary) -> Vec<String> {
    let old = count(summary.old_ids as usize, "old id", "old ids");
    let ids = count(summary.orphan_ids as usize, "id", "ids");
    let undeclared = format!("  {} of them not in the map", summary.undeclared);
    let mut lines = vec![
        row("documents looked at", summary.documents, ""),
        row("collections", summary.collections, &undeclared),
        row("users", summary.users, &format!("  with {old}")),
        row("references to rewrite", summary.references, ""),
        row("documents to change", summary.changes, ""),
        row("documents to move", summary.moves, "  their id holds a user's"),
        row("documents of nobody", summary.orphan_documents, &format!("  of {ids} without a user; left as they are")),
    ];
    if summary.archived > 0 {
        lines.push(row("documents to archive", summary.archived, "  of ids without a user; marked, never deleted"));
    }
    if summary.placeholders > 0 {
        lines.push(row("placeholders to make", summary.placeholders, "  users that nobody can sign in to"));
    }
    lines.push(row("clashes", summary.clashes, "  left for a person"));
    lines.push(row("batches", summary.batches, &format!("  about {}", super::bytes(summary.bytes))));
    lines
}

fn misses(lines: &mut Vec<String>, summary: &PlanSummary, collections: &[CollectionRow]) {
    if summary.misses == 0 {
        lines.extend([String::new(), "what the map misses: nothing".to_owned()]);
        return;
    }
    let undeclared = collections.iter().filter(|row| row.priority.is_none());
    let undeclared = undeclared.map(|row| {
        let documents = count(row.documents.unwrap_or_default() as usize, "document", "documents");
        format!("  {}: not declared, {documents}", clean(&row.name))
    });
    let more = "  each with its document: `stella-server documents scan`".to_owned();
    let title = format!("what the map misses: {}", count(summary.misses as usize, "place", "places"));
    section(lines, &title, undeclared.chain([more]));
}

fn decisions(lines: &mut Vec<String>, migration: &Migration, open: &[Decision]) {
    if migration.open_decisions > 0 {
        let title = format!("questions that only a person can answer: {}", migration.open_decisions);
        section(lines, &title, open.iter().flat_map(lists::decision).map(|line| format!("  {line}")));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_done_with_ids_without_a_user_is_told_where_something_is() {
        let mut plan = json!({
            "digest": "5f", "scannedAt": "2026-01-01T00:00:00.000Z", "keyId": "k", "documents": 9, "collections": 2,
            "undeclared": 0, "changes": 3, "moves": 1, "references": 4, "users": 1, "oldIds": 1, "orphanIds": 3,
            "orphanDocuments": 2, "clashes": 0, "batches": 1, "bytes": 10,
        });
        let told = |plan: &serde_json::Value| blocks(&serde_json::from_value(plan.clone()).unwrap()).join("\n");
        assert!(!told(&plan).contains("archive") && !told(&plan).contains("placeholder"), "{}", told(&plan));
        plan["archived"] = 36.into();
        plan["placeholders"] = 2.into();
        let told = told(&plan);
        assert!(
            told.contains("documents to archive           36  of ids without a user; marked, never deleted"),
            "{told}"
        );
        assert!(told.contains("placeholders to make            2  users that nobody can sign in to"), "{told}");
    }
}
