//! A report as Markdown. Pure; every text passes the sanitiser, and stands where Markdown means nothing.

use stella_protocol::migration::{CollectionRow, Counts, Orphan, Phase, PhaseName, Report, Trouble, UserCheck};
use stella_protocol::{Migration, Text};

use super::page;
use crate::cli::words::{clean, count, moment};
use crate::own_queries::{self, Mark};

/// Phases in which nothing is done but waiting.
const WAITING: PhaseName = PhaseName::Soak;

/// `migrate report`.
pub(super) fn markdown(report: &Report) -> Vec<String> {
    let mut lines = head(&report.migration);
    adds_up(&mut lines, report);
    phases(&mut lines, &report.migration.phases);
    people(&mut lines, &report.users);
    collections(&mut lines, &report.collections);
    orphans(&mut lines, &report.orphans);
    differences(&mut lines, report);
    queries(&mut lines, &report.migration);
    troubles(&mut lines, &report.troubles);
    lines
}

/// Text that Markdown could act on.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\`*<>[]|#&~".contains(character) {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

fn prose(text: &Text) -> String {
    plain(&clean(text))
}

/// An id or a path, as it is.
fn code(text: &Text) -> String {
    format!("`{}`", clean(text).replace('`', "'").replace('|', r"\|"))
}

fn heading(lines: &mut Vec<String>, title: &str) {
    lines.extend([String::new(), format!("## {title}"), String::new()]);
}

fn table<const N: usize>(lines: &mut Vec<String>, header: [&str; N], rows: impl Iterator<Item = [String; N]>) {
    lines.push(format!("| {} |", header.join(" | ")));
    lines.push(format!("|{}", "---|".repeat(N)));
    lines.extend(rows.map(|row| format!("| {} |", row.join(" | "))));
}

fn head(migration: &Migration) -> Vec<String> {
    let mut lines = vec![format!("# {}: {}", migration.id, prose(&migration.map_title)), String::new()];
    let mut add = |name: &str, value: String| lines.push(format!("- {name}: {value}"));
    add("state", plain(page::outcome(migration).trim_start_matches(migration.id.as_str()).trim_start()));
    add("store", code(&migration.target));
    add("led by", prose(&migration.leader));
    add("created", format!("{} by {}", moment(migration.created_at), prose(&migration.created_by)));
    if let Some(approval) = &migration.approval {
        add("approved", format!("{} by {}", moment(approval.at), prose(&approval.by)));
    }
    if let Some(ended) = migration.ended_at {
        add("ended", moment(ended));
    }
    add("duration", page::took(work(&migration.phases)));
    if let Some(plan) = &migration.plan {
        let (users, old) = (count(plan.users as usize, "user", "users"), count(plan.old_ids as usize, "id", "ids"));
        add("plan", format!("{users} with {old} that go, digest {}", code(&plan.digest)));
    }
    add("documents", page::counts(&migration.counts));
    lines
}

/// The time of all phases together, but for the wait at the end.
fn work(phases: &[Phase]) -> i64 {
    let worked = phases.iter().filter(|phase| phase.name != WAITING);
    worked.filter_map(|phase| Some(phase.worked_ms(phase.ended_at?))).sum()
}

fn adds_up(lines: &mut Vec<String>, report: &Report) {
    heading(lines, "What must add up");
    lines.extend(report.reconciliation.iter().map(|line| format!("- {}", prose(line))));
    if report.reconciliation.is_empty() {
        lines.push("Nothing was written.".to_owned());
    }
}

fn phases(lines: &mut Vec<String>, phases: &[Phase]) {
    heading(lines, "Phases");
    let rows = phases.iter().map(|phase| {
        let took = page::duration(phase).unwrap_or_default();
        [
            phase.name.word().to_owned(),
            page::state(phase.state).to_owned(),
            moment(phase.started_at),
            took,
            prose(&phase.note),
        ]
    });
    table(lines, ["phase", "state", "begun", "took", "note"], rows);
}

fn people(lines: &mut Vec<String>, users: &[UserCheck]) {
    heading(lines, &format!("People: {}", users.len()));
    let wrong = users.iter().filter(|user| !page::is_right(user)).count();
    lines.push(format!("{wrong} of {} do not see what they must.", users.len()));
    lines.push(String::new());
    let rows = users.iter().flat_map(|user| {
        user.places.iter().map(move |place| {
            let old: Vec<String> = user.old_ids.iter().map(code).collect();
            let [before, now, expected] = [place.before, place.now, place.expected].map(|number| number.to_string());
            let is = if place.now == place.expected { "" } else { "**not yet**" };
            [code(&user.user), old.join(" "), code(&place.collection), before, now, expected, is.to_owned()]
        })
    });
    table(lines, ["user", "was", "collection", "before", "now", "expected", ""], rows);
    sessions(lines, users);
}

/// Who still comes with an old id.
fn sessions(lines: &mut Vec<String>, users: &[UserCheck]) {
    let still = users.iter().flat_map(|user| user.old_id_uses.iter().map(move |used| (user, used)));
    let rows: Vec<[String; 4]> = still
        .map(|(user, used)| [code(&user.user), code(&used.old_id), used.times.to_string(), moment(used.last_at)])
        .collect();
    if !rows.is_empty() {
        heading(lines, &format!("Old ids in use since the cut-over: {}", rows.len()));
        table(lines, ["user", "old id", "times", "last"], rows.into_iter());
    }
}

fn collections(lines: &mut Vec<String>, collections: &[CollectionRow]) {
    heading(lines, &format!("Collections: {}", collections.len()));
    let rows = collections.iter().map(|row| {
        let Counts { planned, done, skipped, parked, failed, .. } = row.counts;
        let documents = row.documents.map_or_else(|| "not there".to_owned(), |number| number.to_string());
        let [planned, done, skipped, parked, failed, orphans] =
            [planned, done, skipped, parked, failed, row.orphans].map(|number| number.to_string());
        [code(&row.name), documents, planned, done, skipped, parked, failed, orphans]
    });
    let header = ["collection", "documents", "planned", "written", "as it must be", "parked", "refused", "of nobody"];
    table(lines, header, rows);
}

fn orphans(lines: &mut Vec<String>, orphans: &[Orphan]) {
    heading(lines, &format!("Ids without a user: {}", orphans.len()));
    let rows = orphans.iter().map(|orphan| {
        let places = orphan.documents.iter().map(|(name, number)| format!("{} {number}", code(name)));
        let what = orphan.decision.as_ref().map_or("quarantine", |decision| page::choice(decision.choice));
        let places = places.collect::<Vec<_>>().join(", ");
        [code(&orphan.id), prose(&orphan.form), orphan.references.to_string(), places, what.to_owned()]
    });
    table(lines, ["id", "form", "references", "where", "what"], rows);
}

fn differences(lines: &mut Vec<String>, report: &Report) {
    heading(lines, "Differences");
    let Some(found) = &report.migration.verification else {
        lines.push("Nobody looked: there was no verification.".to_owned());
        return;
    };
    let documents = count(found.documents as usize, "document", "documents");
    let differences = count(found.differences as usize, "difference", "differences");
    lines.push(format!("{documents} looked at {}: {differences}.", moment(found.at)));
    lines.push(String::new());
    lines.extend(found.checks.iter().map(|check| format!("- {}", prose(check))));
    lines.extend(found.not_checked.iter().map(|name| format!("- not checked, there is no {}", code(name))));
    lines.extend(
        found
            .first
            .iter()
            .map(|one| format!("- **{}** {}: {}", prose(&one.check), code(&one.what), prose(&one.detail))),
    );
}

fn queries(lines: &mut Vec<String>, migration: &Migration) {
    let said = own_queries::lines(migration);
    if said.is_empty() {
        return;
    }
    heading(lines, "The application's own queries");
    lines.extend(said.into_iter().map(|(mark, line)| match mark {
        Mark::Bad => format!("- **{}**", plain(&line)),
        Mark::Missing | Mark::Usual => format!("- {}", plain(&line)),
    }));
}

fn troubles(lines: &mut Vec<String>, troubles: &[Trouble]) {
    if troubles.is_empty() {
        return;
    }
    heading(lines, &format!("Documents to look at: {}", troubles.len()));
    let rows = troubles
        .iter()
        .map(|one| [code(&one.document), page::kind(one.kind).to_owned(), moment(one.at), prose(&one.what)]);
    table(lines, ["document", "kind", "at", "what"], rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_report_quotes_is_no_markdown() {
        assert_eq!(plain("a|b <b>*x*</b> [y](z) `c`"), r"a\|b \<b\>\*x\*\</b\> \[y\](z) \`c\`");
        assert_eq!(code(&Text::from("a`|b\u{1b}[2J")), r"`a'\|b^[[2J`");
    }
}
