//! The long parts of a migration as rows.

use std::cmp::Reverse;

use stella_protocol::migration::{
    CollectionRow, Counts, Decision, Evidence, LogRow, MappingRow, Orphan, OrphanChoice, OrphanDecision, Trouble,
    TroubleKind, UserCheck,
};

use crate::cli::words::{clean, count, moment, table};

/// People in the table that a run ends with.
const PEOPLE: usize = 20;

fn number(number: u64) -> String {
    number.to_string()
}

fn priority(row: &CollectionRow) -> String {
    row.priority.map_or_else(|| "none".to_owned(), |priority| priority.to_string())
}

fn documents(row: &CollectionRow) -> String {
    row.documents.map_or_else(|| "not there".to_owned(), number)
}

/// The collections of a plan.
pub(super) fn planned(rows: &[CollectionRow]) -> Vec<String> {
    let rows = rows.iter().map(|row| {
        let cells = [row.references, row.moves, row.orphans, row.counts.planned].map(number);
        let [references, moves, orphans, writes] = cells;
        [priority(row), documents(row), references, moves, orphans, writes, clean(&row.name)]
    });
    let lines = table(["PRIORITY", "DOCUMENTS", "REFERENCES", "MOVES", "OF NOBODY", "WRITES", "COLLECTION"], rows);
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

/// `migrate collections`.
pub(in crate::cli::migrate) fn collections(rows: &[CollectionRow]) -> Vec<String> {
    let rows = rows.iter().map(|row| {
        let Counts { planned, done, skipped, parked, failed, .. } = row.counts;
        let [planned, done, skipped, parked, failed] = [planned, done, skipped, parked, failed].map(number);
        [priority(row), documents(row), planned, done, skipped, parked, failed, clean(&row.name)]
    });
    table(["PRIORITY", "DOCUMENTS", "PLANNED", "WRITTEN", "AS IT IS", "PARKED", "REFUSED", "COLLECTION"], rows)
}

fn evidence(evidence: &[Evidence]) -> impl Iterator<Item = String> {
    evidence.iter().map(|one| format!("    - {} ({})", clean(&one.what), clean(&one.document)))
}

/// `migrate orphans`.
pub(in crate::cli::migrate) fn orphans(orphans: &[Orphan]) -> Vec<String> {
    orphans.iter().flat_map(orphan).collect()
}

fn orphan(orphan: &Orphan) -> Vec<String> {
    let places: Vec<String> = orphan.documents.iter().map(|(name, many)| format!("{} {many}", clean(name))).collect();
    let references = count(orphan.references as usize, "reference", "references");
    let mut lines =
        vec![format!("{} ({}): {references} in {}", clean(&orphan.id), clean(&orphan.form), places.join(", "))];
    if !orphan.known.is_empty() {
        lines.push("  known of it".to_owned());
        lines.extend(evidence(&orphan.known));
    }
    for candidate in &orphan.candidates {
        lines.push(format!("  could be {}", clean(&candidate.user)));
        lines.extend(evidence(&candidate.evidence));
    }
    let decided = orphan.decision.as_ref().map_or_else(|| "quarantine: left as they are".to_owned(), chosen);
    lines.push(format!("  {decided}"));
    lines
}

/// What is done with documents of nobody, in a word.
pub(in crate::cli::migrate) fn choice(choice: OrphanChoice) -> &'static str {
    match choice {
        OrphanChoice::Quarantine => "quarantine",
        OrphanChoice::Placeholder => "placeholder",
        OrphanChoice::Archive => "archive",
        OrphanChoice::Map => "map",
        OrphanChoice::Unknown => "?",
    }
}

fn chosen(decision: &OrphanDecision) -> String {
    let user = decision.user.as_ref().map(|user| format!(" to {}", clean(user))).unwrap_or_default();
    let what = format!("{}{user}", choice(decision.choice));
    let approved = match (decision.choice, &decision.approved_by) {
        (OrphanChoice::Map, Some(by)) => format!(", approved by {}", clean(by)),
        (OrphanChoice::Map, None) => ", NOT APPROVED: it stays in quarantine".to_owned(),
        _ => String::new(),
    };
    let (by, at, reason) = (clean(&decision.by), moment(decision.at), clean(&decision.reason));
    format!("{what} by {by} {at}{approved}: {reason}")
}

/// `migrate decisions`.
pub(in crate::cli::migrate) fn decisions(decisions: &[Decision]) -> Vec<String> {
    decisions.iter().flat_map(decision).collect()
}

/// A question with its ways to answer.
pub(in crate::cli::migrate) fn decision(one: &Decision) -> Vec<String> {
    let ids: Vec<String> = one.ids.iter().map(clean).collect();
    let mut lines =
        vec![format!("{}: {}", clean(&one.id), clean(&one.question)), format!("  about {}", ids.join(", "))];
    lines.extend(evidence(&one.evidence));
    if let Some(decided) = &one.decided {
        let (by, at) = (clean(&decided.by), moment(decided.at));
        lines.push(format!("  {} by {by} {at}: {}", clean(&decided.option), clean(&decided.reason)));
        return lines;
    }
    let options = one.options.iter();
    lines.extend(options.map(|option| format!("  --option {}: {}", clean(&option.name), clean(&option.words))));
    lines
}

/// `migrate errors`.
pub(in crate::cli::migrate) fn errors(troubles: &[Trouble]) -> Vec<String> {
    let rows = troubles.iter().map(|trouble| {
        let (number, at) = (number(trouble.number), moment(trouble.at));
        [number, at, kind(trouble.kind).to_owned(), clean(&trouble.document), clean(&trouble.what)]
    });
    table(["NUMBER", "AT", "KIND", "DOCUMENT", "WHAT"], rows)
}

/// What is wrong with a document, in a word.
pub(in crate::cli::migrate) fn kind(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::Parked => "parked",
        TroubleKind::Failed => "refused",
        TroubleKind::Differs => "differs",
        TroubleKind::Kept => "kept",
        TroubleKind::Unknown => "?",
    }
}

/// `migrate log`.
pub(in crate::cli::migrate) fn log(rows: &[LogRow]) -> Vec<String> {
    rows.iter().map(|row| format!("{:>6} {} {}", row.number, row.at, clean(&row.text))).collect()
}

/// `migrate mapping`.
pub(in crate::cli::migrate) fn mapping(rows: &[MappingRow]) -> Vec<String> {
    let rows = rows.iter().map(|row| {
        let how = match (&row.decided_by, row.minted, row.from == row.to) {
            (Some(by), ..) => format!("decided by {}", clean(by)),
            (None, _, true) => "stays".to_owned(),
            (None, true, false) => "made for it".to_owned(),
            (None, false, false) => "was there".to_owned(),
        };
        let why = row.evidence.first();
        let why = why.map(|why| format!("{} ({})", clean(&why.what), clean(&why.document))).unwrap_or_default();
        [clean(&row.from), clean(&row.form), clean(&row.to), how, number(row.references), why]
    });
    table(["FROM", "FORM", "TO", "HOW", "REFERENCES", "WHY"], rows)
}

/// `migrate check-user`.
pub(in crate::cli::migrate) fn check(check: &UserCheck) -> Vec<String> {
    let old: Vec<String> = check.old_ids.iter().map(clean).collect();
    let was = if old.is_empty() { String::new() } else { format!(" (also {})", old.join(", ")) };
    let mut lines = vec![format!("{}{was}", clean(&check.user)), String::new()];
    let sum = sums(check);
    let all = ("(all)".to_owned(), sum.0, sum.1, sum.2);
    let places = check.places.iter().map(|one| (clean(&one.collection), one.before, one.now, one.expected));
    let rows = places.chain([all]).map(|(name, before, now, expected)| {
        [number(before), number(now), number(expected), word(now == expected).to_owned(), name]
    });
    lines.extend(table(["BEFORE", "-> NOW", "-> EXPECTED", "IS", "COLLECTION"], rows));
    lines.extend(check.old_id_uses.iter().map(|used| {
        let times = count(used.times as usize, "time", "times");
        format!("still seen with {}: {times}, last {}", clean(&used.old_id), moment(used.last_at))
    }));
    lines
}

fn word(is_right: bool) -> &'static str {
    if is_right { "as it must be" } else { "NOT YET" }
}

/// True when a person sees of every collection as much as they must.
pub(in crate::cli::migrate) fn is_right(check: &UserCheck) -> bool {
    check.places.iter().all(|place| place.now == place.expected)
}

fn sums(check: &UserCheck) -> (u64, u64, u64) {
    check
        .places
        .iter()
        .fold((0, 0, 0), |(before, now, expected), one| (before + one.before, now + one.now, expected + one.expected))
}

/// What everybody sees, before, now and in the end: those first who do not see what they must.
pub(in crate::cli::migrate) fn people(checks: &[UserCheck]) -> Vec<String> {
    let mut all: Vec<(&UserCheck, (u64, u64, u64))> = checks.iter().map(|check| (check, sums(check))).collect();
    all.sort_by_key(|(check, (.., expected))| (is_right(check), Reverse(*expected)));
    let rows = all.iter().take(PEOPLE).map(|(check, (before, now, expected))| {
        let old = check.old_ids.len() as u64;
        let is = word(is_right(check)).to_owned();
        [number(*before), number(*now), number(*expected), is, number(old), clean(&check.user)]
    });
    let mut lines = table(["BEFORE", "-> NOW", "-> EXPECTED", "IS", "OLD IDS", "USER"], rows);
    if all.len() > PEOPLE {
        lines.push(format!("and {} more: `stella-tui migrate report`", all.len() - PEOPLE));
    }
    lines
}
