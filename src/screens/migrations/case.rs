//! The first pane: the phases and how long each took, what each key does now, the plan and its approval,
//! what was found, what happened.

use stella_protocol::fix::Trail;
use stella_protocol::migration::{DualRead, FirstScope, Phase, PhaseName, PhaseState, PlanSummary, Verification};
use stella_protocol::{Migration, MigrationStatus, MigrationVerb};
use stella_widgets::number;
use stella_widgets::text::{Align, cut, fit, width};

use super::one::{Shows, State};
use super::page::{Page, clean};
use super::verbs::{does, meant, off};
use super::words::{documents, hold, key, many, verb as word};
use crate::keys::Intent;
use crate::own_queries::{self, Mark};
use crate::theme::Role;

/// Columns of a digest.
const DIGEST: u16 = 16;

/// Columns of a phase's name.
const NAME: u16 = 10;

/// Writes the pane of a terminal that has so many columns.
pub(super) fn write(state: &State, migration: &Migration, columns: u16, page: &mut Page<'_>) {
    phases(state, migration, page);
    keys(state, migration, page);
    whole_reason(state, migration, columns, page);
    if let Some(found) = &migration.verification {
        verified(found, page);
    }
    asked(migration, page);
    if let Some(plan) = &migration.plan {
        planned(migration, plan, page);
    }
    agreed(migration, page);
    page.heading("what happened");
    migration.trail.iter().rev().for_each(|event| happened(event, page));
}

/// What holds it or how it ended, where the one line above has no room for all of it.
fn whole_reason(state: &State, migration: &Migration, columns: u16, page: &mut Page<'_>) {
    let reason = hold(migration, state.progress(page.view.board)).unwrap_or_else(|| clean(&migration.result));
    if width(&reason) + 7 > columns {
        page.heading(if migration.status.is_unfinished() { "what holds it" } else { "how it ended" });
        page.words(1, Role::Text, &reason);
    }
}

/// Those that were begun, one a row; the others by their names.
fn phases(state: &State, migration: &Migration, page: &mut Page<'_>) {
    page.heading("phases");
    for phase in &migration.phases {
        begun(state, phase, page);
    }
    let begun = |name: &PhaseName| migration.phases.iter().any(|phase| phase.name == *name);
    let is_going = migration.status.is_unfinished()
        && !matches!(migration.status, MigrationStatus::RollingBack | MigrationStatus::RollbackFailed);
    let to_come: Vec<&str> = PhaseName::ALL
        .into_iter()
        .filter(|name| *name != PhaseName::RollBack && is_going && !begun(name))
        .map(PhaseName::word)
        .collect();
    if !to_come.is_empty() {
        page.words(1, Role::Faint, &format!("to come: {}", to_come.join(", ")));
    }
}

fn begun(state: &State, phase: &Phase, page: &mut Page<'_>) {
    let (word, role) = match phase.state {
        PhaseState::Running => ("runs", Role::Accent),
        PhaseState::Stopped => ("stopped", Role::Waiting),
        PhaseState::Done => ("done", Role::Ok),
        PhaseState::Failed => ("FAILED", Role::Danger),
        PhaseState::Unknown => ("unknown", Role::Muted),
    };
    // What runs has taken as long as the ledger has told of.
    let told = state.progress(page.view.board).filter(|progress| progress.phase == phase.name);
    let of_this_try = told.map(|progress| progress.at).filter(|at| *at >= phase.started_at);
    let took = match phase.ended_at.or(of_this_try) {
        Some(until) => number::span(phase.worked_ms(until)),
        None if phase.tries > 1 => number::span(phase.before_ms),
        None => page.view.age(phase.started_at),
    };
    let mark = format!("{} {} {:>6}", fit(phase.name.word(), NAME, Align::Left), fit(word, 7, Align::Left), took);
    let under_way = told.and_then(|progress| progress.collection.as_ref());
    let under_way = under_way.filter(|collection| phase.ended_at.is_none() && !collection.is_empty());
    let note = match under_way {
        Some(collection) if phase.note.is_empty() => format!("in {}", clean(collection)),
        _ => clean(&phase.note),
    };
    let tries = (phase.tries > 1).then(|| format!("{} tries", phase.tries));
    let words: Vec<String> = tries.into_iter().chain(Some(note).filter(|note| !note.is_empty())).collect();
    page.marked((&mark, role), Role::Text, &words.join(": "));
}

/// What each key does now; with `i` also those that are off, and why.
fn keys(state: &State, migration: &Migration, page: &mut Page<'_>) {
    use stella_protocol::FixVerb;
    page.heading(if state.shows == Shows::Keys { "all keys of a migration" } else { "what the keys do now (i: all)" });
    let progress = state.progress(page.view.board);
    let rows = [
        Intent::Decide(FixVerb::DryRun),
        Intent::Decide(FixVerb::Approve),
        Intent::Execute,
        Intent::Pause,
        Intent::Decide(FixVerb::Stop),
        Intent::Decide(FixVerb::Rollback),
        Intent::Check,
        Intent::Act(stella_protocol::Verb::Resolve),
    ];
    let mut works = false;
    for verb in rows.into_iter().filter_map(|intent| meant(intent, migration)) {
        let letter = key(verb).unwrap_or("D");
        match off(verb, migration, page.view) {
            None => {
                works = true;
                page.marked((letter, Role::Accent), Role::Text, &does(verb, migration, progress));
            }
            Some(why) if state.shows == Shows::Keys => {
                page.marked((letter, Role::Faint), Role::Muted, &format!("{} is off: {why}", word(verb)));
            }
            Some(_) => {}
        }
    }
    match off(MigrationVerb::Rate, migration, page.view) {
        None => page.marked(("+ -", Role::Accent), Role::Text, "more or fewer documents a second"),
        Some(why) if state.shows == Shows::Keys => {
            page.marked(("+ -", Role::Faint), Role::Muted, &format!("rate is off: {why}"));
        }
        Some(_) => {}
    }
    if !works {
        page.words(1, Role::Muted, "nothing but looking: Tab shows its lists, q leaves it to the server");
    }
}

fn planned(migration: &Migration, plan: &PlanSummary, page: &mut Page<'_>) {
    page.heading("plan");
    page.marked(("digest", Role::Muted), Role::Text, &clean(&plan.digest));
    let seen = format!(
        "{}, with key {}, by the map {}",
        page.view.seconds(plan.scanned_at),
        clean(&plan.key_id),
        clean(&migration.map_title)
    );
    page.marked(("looked at", Role::Muted), Role::Text, &seen);
    let whole = format!(
        "{} of {}, {} not in the map; {}; {}; {} and {} go to one id each",
        documents(plan.documents),
        many(plan.collections, "collection", "collections"),
        plan.undeclared,
        many(plan.references, "reference to rewrite", "references to rewrite"),
        many(plan.moves, "document moves", "documents move"),
        many(plan.users, "person", "people"),
        many(plan.old_ids, "old id", "old ids"),
    );
    page.words(1, Role::Muted, "whole map");
    page.words(3, Role::Text, &whole);
    if let Some(first) = &plan.first_scope {
        page.words(1, Role::Muted, "first-migration scope");
        page.words(3, Role::Text, &scope(first));
    }
}

fn scope(first: &FirstScope) -> String {
    format!(
        "{}, {}, {}, {}, {}, {}; {} of {}",
        many(first.users, "user", "users"),
        many(first.conversations, "conversation", "conversations"),
        many(first.messages, "message", "messages"),
        many(first.shares, "share", "shares"),
        many(first.folders, "folder", "folders"),
        many(first.groups, "group", "groups"),
        many(first.orphaned_conversations, "orphaned conversation", "orphaned conversations"),
        many(first.orphan_ids, "id", "ids"),
    )
}

fn agreed(migration: &Migration, page: &mut Page<'_>) {
    let view = page.view;
    if migration.approval.is_none() && migration.dual_read.is_none() && migration.backup.is_none() {
        return;
    }
    page.heading("approved, and made safe");
    if let Some(approval) = &migration.approval {
        let reason = if approval.reason.is_empty() { String::new() } else { format!(": {}", clean(&approval.reason)) };
        let words = format!("by {}{reason}", clean(&approval.by));
        page.marked((&view.seconds(approval.at), Role::Faint), Role::Text, &words);
    }
    match &migration.dual_read {
        None => {}
        Some(DualRead::Probe { at }) => {
            page.marked((&view.seconds(*at), Role::Faint), Role::Text, "the application said that it reads both ids");
        }
        Some(DualRead::Statement { who, text }) => {
            let words = format!("{} states that readers understand both ids: {}", clean(who), clean(text));
            page.words(1, Role::Text, &words);
        }
    }
    if let Some(backup) = &migration.backup {
        let words = format!(
            "backup of {}, {} in {}, read back and compared; manifest {}",
            documents(backup.documents),
            number::bytes(backup.bytes as f64),
            many(backup.parts, "part", "parts"),
            cut(&clean(&backup.digest), DIGEST)
        );
        page.marked((&view.seconds(backup.verified_at), Role::Faint), Role::Text, &words);
    }
}

fn verified(found: &Verification, page: &mut Page<'_>) {
    let (role, verdict) = match found.differences {
        0 => (Role::Ok, "no difference".to_owned()),
        many => (Role::Danger, format!("{} DIFFERENCES", number::grouped(many))),
    };
    page.heading(format!("the last check, {}", page.view.seconds(found.at)));
    page.marked((&verdict, role), Role::Text, &format!("{} looked at", documents(found.documents)));
    found.checks.iter().for_each(|check| page.words(1, Role::Muted, &clean(check)));
    for difference in &found.first {
        let words = format!("{}: {}", clean(&difference.what), clean(&difference.detail));
        page.marked((&clean(&difference.check), Role::Danger), Role::Text, &words);
    }
    if found.changed_since > 0 {
        let words = format!("{} changed by others meanwhile: no difference by itself", documents(found.changed_since));
        page.words(1, Role::Text, &words);
    }
    if !found.not_checked.is_empty() {
        let names: Vec<String> = found.not_checked.iter().map(clean).collect();
        page.marked(("not checked", Role::Waiting), Role::Text, &format!("not there: {}", names.join(", ")));
    }
}

/// What the application itself was asked, or that nobody asks it.
fn asked(migration: &Migration, page: &mut Page<'_>) {
    let lines = own_queries::lines(migration);
    if lines.is_empty() {
        return;
    }
    page.heading(own_queries::TITLE);
    for (mark, line) in lines {
        let role = match mark {
            Mark::Bad => Role::Danger,
            Mark::Missing => Role::Waiting,
            Mark::Usual => Role::Text,
        };
        page.words(1, role, &line);
    }
}

fn happened(event: &Trail, page: &mut Page<'_>) {
    let at = page.view.seconds(event.at);
    page.marked((&at, Role::Faint), Role::Text, &format!("{}: {}", clean(&event.by), clean(&event.what)));
}
