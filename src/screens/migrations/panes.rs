//! The long lists of a migration, as rows: one thing a row, the one under the cursor with all that is
//! known of it.

use std::cmp::Ordering;

use stella_protocol::MigrationStatus;
use stella_protocol::migration::{
    CollectionRow, Decision, DecisionKind, Evidence, LogRow, MappingRow, Orphan, OrphanChoice, OrphanDecision, Trouble,
    TroubleKind,
};
use stella_widgets::text::{Align, cut, cut_middle, fit, width};
use stella_widgets::{Progress, number};

use super::one::State;
use super::page::{Page, clean};
use super::parts::{Asking, Part};
use super::verbs::may_still_decide;
use super::words::many;
use crate::theme::Role;

/// Columns of a collection's figures and its bar, at least.
const FIGURES: u16 = 42;
/// From this width on a collection also says how many documents it has.
const ROOMY: u16 = 70;

/// Columns of a question's name, at most.
const LONGEST_NAME: u16 = 16;

/// Says what a list waits for, or that it is empty; and that there is more of it.
fn ends<T>(part: &Part<T>, none: &str, page: &mut Page<'_>) {
    let Asking { failure, is_loaded, next, .. } = &part.asking;
    match (failure, is_loaded) {
        (Some(why), _) => page.words(1, Role::Danger, &format!("not read: {why}")),
        (None, false) => page.words(1, Role::Muted, "asking the server for it …"),
        (None, true) if part.items.is_empty() => page.words(1, Role::Muted, none),
        (None, true) if next.is_some() => page.words(1, Role::Faint, "more: go on down"),
        (None, true) => {}
    }
}

/// What an empty list of findings says before there are any.
fn none_yet(status: MigrationStatus) -> Option<&'static str> {
    match status {
        MigrationStatus::Draft => Some("not known yet: the data is being looked at"),
        MigrationStatus::PlanFailed => Some("not known: the data was not looked at to its end"),
        _ => None,
    }
}

/// Per collection its documents, and how many of those to write are written.
pub(super) fn collections(part: &Part<CollectionRow>, page: &mut Page<'_>) {
    let roomy = if page.width >= ROOMY { 13 } else { 0 };
    let name = page.width.saturating_sub(FIGURES + roomy).clamp(12, 32);
    let is_troubled = part.items.iter().any(|row| row.counts.failed + row.counts.parked > 0);
    for row in &part.items {
        collection(row, name, is_troubled, page);
    }
    if is_troubled {
        page.words(1, Role::Faint, "! left alone, parked or failed: e lists them");
    }
    ends(part, "no collection: the data was not looked at yet", page);
}

/// One of them; where any has troubles all have room for them, so that the bars line up.
fn collection(row: &CollectionRow, name: u16, is_troubled: bool, page: &mut Page<'_>) {
    let role = if row.counts.failed + row.counts.parked > 0 { Role::Waiting } else { Role::Text };
    let rank = row.priority.map_or_else(|| "- ".to_owned(), |priority| format!("{priority} "));
    let mut spans = vec![(Role::Faint, format!(" {rank}")), (role, fit(&clean(&row.name), name, Align::Left))];
    let Some(all) = row.documents else {
        spans.push((Role::Waiting, "  declared, and not there".to_owned()));
        return page.spans(spans);
    };
    if page.width >= ROOMY {
        spans.push((Role::Muted, format!(" {:>7} docs", number::grouped(all))));
    }
    if row.counts.planned == 0 {
        let words =
            if row.priority.is_none() { (Role::Waiting, "  not in the map") } else { (Role::Faint, "  unchanged") };
        spans.push((words.0, words.1.to_owned()));
        return page.spans(spans);
    }
    let done = row.counts.done + row.counts.skipped;
    spans.push((
        Role::Text,
        format!(" {:>13}", format!("{}/{}", number::grouped(done), number::grouped(row.counts.planned))),
    ));
    if is_troubled {
        let alone = row.counts.failed + row.counts.parked;
        let words = if alone > 0 { format!("!{}", number::count(alone as f64)) } else { String::new() };
        spans.push((if row.counts.failed > 0 { Role::Danger } else { Role::Waiting }, format!(" {words:<5}")));
    }
    spans.push((Role::Text, " ".to_owned()));
    let at = spans.iter().map(|(_, words)| width(words)).sum();
    let progress = Progress::Exact { done: row.counts.settled(), total: row.counts.planned };
    page.bar(spans, at, progress);
}

/// Ids without a user.
pub(super) fn orphans(state: &State, status: MigrationStatus, page: &mut Page<'_>) {
    let at = state.position();
    for (place, orphan) in state.parts.orphans.items.iter().enumerate() {
        page.thing(at == Some(place), |page| self::orphan(orphan, status, at == Some(place), page));
    }
    ends(&state.parts.orphans, none_yet(status).unwrap_or("every id belongs to a user"), page);
}

fn orphan(orphan: &Orphan, status: MigrationStatus, is_open: bool, page: &mut Page<'_>) {
    let held: u64 = orphan.documents.iter().map(|(_, count)| count).sum();
    let (role, choice) = decided(orphan.decision.as_ref());
    let room = page.width.saturating_sub(46).clamp(12, 44);
    page.spans([
        (Role::Text, format!("   {} ", fit(&clean(&orphan.id), room, Align::Left))),
        (Role::Muted, format!("{} ", fit(&clean(&orphan.form), 14, Align::Left))),
        (Role::Muted, format!("{:>6} docs  ", number::grouped(held))),
        (role, choice),
    ]);
    if !is_open {
        return;
    }
    let places: Vec<String> =
        orphan.documents.iter().map(|(name, count)| format!("{} {}", clean(name), number::grouped(*count))).collect();
    page.words(5, Role::Text, &format!("in {}", places.join(", ")));
    for evidence in &orphan.known {
        known("known", evidence, page);
    }
    if orphan.known.is_empty() {
        page.words(5, Role::Muted, "nothing is known of it beside the id");
    }
    for candidate in &orphan.candidates {
        page.words(5, Role::Text, &format!("could be {}", clean(&candidate.user)));
        candidate.evidence.iter().for_each(|evidence| known("because", evidence, page));
    }
    if let Some(decision) = &orphan.decision {
        let words = format!(
            "{} by {} at {}: {}",
            choice_word(decision.choice),
            clean(&decision.by),
            page.view.clock(decision.at),
            clean(&decision.reason)
        );
        page.words(5, Role::Text, &words);
        if let Some(done) = what_is_done(decision.choice) {
            page.words(5, Role::Muted, done);
        }
    }
    if may_still_decide(status) {
        page.words(5, Role::Accent, "Enter decides");
    }
}

fn known(mark: &str, evidence: &Evidence, page: &mut Page<'_>) {
    page.marked((&format!("    {mark}"), Role::Muted), Role::Text, &told(evidence));
}

fn told(evidence: &Evidence) -> String {
    format!("{} ({})", clean(&evidence.what), clean(&evidence.document))
}

/// What was decided of an id without a user.
fn decided(decision: Option<&OrphanDecision>) -> (Role, String) {
    let Some(decision) = decision else { return (Role::Waiting, "quarantine".to_owned()) };
    let user = decision.user.as_ref().map(|user| format!(" to {}", clean(user))).unwrap_or_default();
    match (decision.choice, &decision.approved_by) {
        (OrphanChoice::Map, None) => (Role::Waiting, format!("map{user}, not approved yet")),
        (OrphanChoice::Map, Some(by)) => (Role::Ok, format!("map{user}, approved by {}", clean(by))),
        (choice, _) => (Role::Ok, choice_word(choice).to_owned()),
    }
}

/// What a choice that changes something does.
fn what_is_done(choice: OrphanChoice) -> Option<&'static str> {
    match choice {
        OrphanChoice::Placeholder => Some("a user document is made for it, to which nobody can sign in"),
        OrphanChoice::Archive => Some("what it owns is marked as archived, the id stays, nothing is deleted"),
        OrphanChoice::Quarantine | OrphanChoice::Map | OrphanChoice::Unknown => None,
    }
}

/// A choice in a word.
pub(crate) fn choice_word(choice: OrphanChoice) -> &'static str {
    match choice {
        OrphanChoice::Quarantine => "quarantine",
        OrphanChoice::Placeholder => "placeholder",
        OrphanChoice::Archive => "archive",
        OrphanChoice::Map => "map",
        OrphanChoice::Unknown => "unknown",
    }
}

/// Questions, the open ones first.
pub(super) fn decisions(state: &State, status: MigrationStatus, page: &mut Page<'_>) {
    let at = state.position();
    let all = &state.parts.decisions.items;
    let name = all.iter().map(|decision| width(&clean(&decision.id))).max().unwrap_or(0).clamp(7, LONGEST_NAME);
    for (place, decision) in all.iter().enumerate() {
        page.thing(at == Some(place), |page| question(decision, status, at == Some(place), name, page));
    }
    let none = none_yet(status).unwrap_or("no question: the documents say who is who");
    ends(&state.parts.decisions, none, page);
}

fn question(decision: &Decision, status: MigrationStatus, is_open: bool, name: u16, page: &mut Page<'_>) {
    let about = match decision.kind {
        DecisionKind::SharedId => "two users, one id",
        DecisionKind::SeveralAccounts => "several accounts",
        DecisionKind::SeveralUsers => "fits several users",
        DecisionKind::Unknown => "unknown",
    };
    let (role, stands) = match &decision.decided {
        None => (Role::Waiting, "OPEN".to_owned()),
        Some(decided) => (Role::Ok, format!("{} by {}", clean(&decided.option), clean(&decided.by))),
    };
    page.spans([
        (Role::Text, format!("   {} ", fit(&clean(&decision.id), name, Align::Left))),
        (Role::Muted, format!("{} ", fit(about, 18, Align::Left))),
        (role, stands),
    ]);
    page.words(5, if is_open { Role::Text } else { Role::Muted }, &clean(&decision.question));
    if !is_open {
        return;
    }
    let ids: Vec<String> = decision.ids.iter().map(clean).collect();
    page.words(5, Role::Muted, &format!("ids {}", ids.join(", ")));
    decision.evidence.iter().for_each(|evidence| known("known", evidence, page));
    for (at, option) in decision.options.iter().enumerate() {
        let words = format!("{}: {}", clean(&option.name), clean(&option.words));
        page.marked((&format!("    {}", at + 1), Role::Accent), Role::Text, &words);
    }
    if let Some(decided) = &decision.decided {
        let at = page.view.clock(decided.at);
        page.words(5, Role::Text, &format!("decided at {at}: {}", clean(&decided.reason)));
    }
    if may_still_decide(status) {
        let words = if decision.decided.is_none() { "Enter decides" } else { "Enter decides anew" };
        page.words(5, Role::Accent, words);
    }
}

/// Documents with which something is wrong, newest first.
pub(super) fn errors(state: &State, page: &mut Page<'_>) {
    let at = state.position();
    for (place, trouble) in state.parts.errors.items.iter().enumerate() {
        page.thing(at == Some(place), |page| error(trouble, at == Some(place), page));
    }
    ends(&state.parts.errors, "nothing is wrong with any document", page);
}

fn error(trouble: &Trouble, is_open: bool, page: &mut Page<'_>) {
    let (word, role) = match trouble.kind {
        TroubleKind::Parked => ("parked", Role::Waiting),
        TroubleKind::Failed => ("failed", Role::Danger),
        TroubleKind::Differs => ("differs", Role::Danger),
        TroubleKind::Kept => ("kept", Role::Waiting),
        TroubleKind::Unknown => ("unknown", Role::Muted),
    };
    let room = page.width.saturating_sub(21);
    page.spans([
        (Role::Faint, format!("   {} ", page.view.seconds(trouble.at))),
        (role, format!("{} ", fit(word, 7, Align::Left))),
        (Role::Text, cut_middle(&clean(&trouble.document), room).into_owned()),
    ]);
    if is_open {
        page.words(5, Role::Text, &clean(&trouble.document));
        page.words(5, Role::Text, &clean(&trouble.what));
    }
}

/// What it did, the newest last.
pub(super) fn log(part: &Part<LogRow>, page: &mut Page<'_>) {
    if part.items.first().is_some_and(|row| row.number > 1) {
        page.words(1, Role::Faint, "what came before: stella-tui migrate log");
    }
    for row in &part.items {
        let at = page.view.seconds(row.at);
        page.marked((&at, Role::Faint), Role::Text, &clean(&row.text));
    }
    if part.items.is_empty() || part.asking.failure.is_some() {
        ends(part, "nothing was done yet", page);
    }
}

/// Which id goes where, and why.
pub(super) fn mapping(part: &Part<MappingRow>, page: &mut Page<'_>) {
    for row in &part.items {
        mapped(row, page);
    }
    ends(part, "nobody's id changes", page);
}

fn mapped(row: &MappingRow, page: &mut Page<'_>) {
    let id = (page.width.saturating_sub(8) / 2).min(44);
    let why = match (&row.decided_by, row.evidence.first()) {
        (Some(by), _) => format!("decided by {}", clean(by)),
        (None, Some(first)) => {
            let more = row.evidence.len() - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{more}", told(first))
        }
        (None, None) => "no evidence is kept".to_owned(),
    };
    let made = if row.minted { " (made for it)" } else { "" };
    page.spans([
        (Role::Text, format!(" {}", fit(&clean(&row.from), id, Align::Left))),
        (Role::Faint, " -> ".to_owned()),
        (Role::Text, format!("{}{made}", clean(&row.to))),
    ]);
    let references = many(row.references, "reference", "references");
    let form = clean(&row.form);
    let why = cut(&why, page.width.saturating_mul(2));
    page.words(5, Role::Muted, &format!("{form}, {references}; {why}"));
}

/// What one person sees of each collection: before, now, and in the end.
pub(super) fn person(state: &State, page: &mut Page<'_>) {
    let Some(person) = &state.person else { return };
    let who = stella_widgets::text::sanitise(&person.who);
    let found = match &person.found {
        None => return page.words(1, Role::Muted, &format!("asking what {who} sees …")),
        Some(Err(why)) => return page.words(1, Role::Danger, &format!("{who}: {why}")),
        Some(Ok(found)) => found,
    };
    let others: Vec<String> = found.old_ids.iter().map(clean).collect();
    let others = if others.is_empty() { "none other".to_owned() } else { others.join(", ") };
    page.words(1, Role::Text, &format!("{who} is {}; old ids: {others}", clean(&found.user)));
    let name = page.width.saturating_sub(52).clamp(12, 50);
    page.spans([(
        Role::Faint,
        format!(" {} {:>9}  {:>9}  {:>9}", fit("COLLECTION", name, Align::Left), "BEFORE", "NOW", "EXPECTED"),
    )]);
    for place in &found.places {
        let figure = |count: u64| format!("{:>9}", number::grouped(count));
        let (role, verdict) = match place.now.cmp(&place.expected) {
            Ordering::Equal => (Role::Ok, String::new()),
            Ordering::Less => (Role::Waiting, format!("  {} missing", number::grouped(place.expected - place.now))),
            Ordering::Greater => (Role::Danger, format!("  {} too many", number::grouped(place.now - place.expected))),
        };
        page.spans([
            (Role::Text, format!(" {} ", fit(&clean(&place.collection), name, Align::Left))),
            (Role::Muted, format!("{}  ", figure(place.before))),
            (role, format!("{}  ", figure(place.now))),
            (Role::Text, figure(place.expected)),
            (role, verdict),
        ]);
    }
}
