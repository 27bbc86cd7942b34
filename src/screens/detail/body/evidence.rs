//! Why the alert stands: reasons for and against with their weights, in time order; the figures behind them;
//! what else changed about then; the message with its values; what happened before.
//!
//! What the server does not know is said in words, or left out where there is nothing to say.

use stella_protocol::evidence::{Correlated, Similar, Template};
use stella_protocol::{Evidence, Reason};
use stella_widgets::number;
use stella_widgets::text::sanitise;

use super::super::Target;
use super::{Row, Tail, clean, group, heading, row};
use crate::screens::View;
use crate::theme::Role;

/// The lines of an evidence; `failure`: why no newer one could be had.
pub(super) fn rows(view: &View<'_>, evidence: &Evidence, failure: Option<&str>, rows: &mut Vec<Row>) {
    let title = format!("evidence -- rule {} v{}", clean(&evidence.rule_id), evidence.rule_version);
    let span = format!("{} to {}", view.clock(evidence.from), view.clock(evidence.to));
    rows.push(heading(title, format!("{span}, {}", age(view, evidence))));
    rows.extend(failure.map(|why| row(Role::Waiting, format!("could not be refreshed: {why}"))));
    rows.push(Row { target: Target::Lines(evidence.lines.clone()), ..row(Role::Text, clean(&evidence.summary)) });
    let mut reasons: Vec<&Reason> = evidence.reasons.iter().collect();
    reasons.sort_by_key(|reason| reason.at);
    rows.extend(reasons.into_iter().map(reason));
    figures(evidence, rows);
    changed(view, &evidence.correlated, rows);
    evidence.template.iter().for_each(|message| template(message, rows));
    similar(view, &evidence.similar, rows);
}

/// How old it is, as ages are told: it moves at minute edges.
fn age(view: &View<'_>, evidence: &Evidence) -> String {
    let ago = if view.tells_ages() { " ago" } else { "" };
    format!("as of {}{ago}", view.age(evidence.refreshed_at))
}

/// `+ 0.41` speaks for it, `- 0.10` against.
fn reason(reason: &Reason) -> Row {
    let (sign, role) = if reason.weight < 0.0 { ('-', Role::Ok) } else { ('+', Role::Text) };
    let mark_role = if reason.weight < 0.0 { Role::Ok } else { Role::High };
    let target = reason.figures.first().map_or(Target::Nothing, |figure| Target::Lines(figure.lines.clone()));
    Row {
        mark: Some((format!("{sign} {:.2}", reason.weight.abs()), mark_role)),
        tail: Tail::At(reason.at),
        target,
        ..row(role, clean(&reason.text))
    }
}

fn figures(evidence: &Evidence, rows: &mut Vec<Row>) {
    for (name, figure) in [("observed", &evidence.observed), ("usual", &evidence.baseline)] {
        if let Some(figure) = figure {
            let value = number::text(figure.value, &sanitise(figure.unit.raw()));
            let words = format!("{name} {value}   {}", clean(&figure.name));
            rows.push(Row { target: Target::Lines(figure.lines.clone()), ..row(Role::Muted, words) });
        }
    }
    if evidence.baseline.is_none() {
        rows.push(row(Role::Muted, "usual: not known yet"));
    }
}

/// Deploys and other alerts, in time order, each with its distance to the onset.
fn changed(view: &View<'_>, correlated: &[Correlated], rows: &mut Vec<Row>) {
    if correlated.is_empty() {
        return rows.push(row(Role::Muted, "what else changed: nothing that is known of"));
    }
    rows.push(heading("what else changed", ""));
    let mut others: Vec<&Correlated> = correlated.iter().collect();
    others.sort_by_key(|other| other.offset_ms);
    let has_severities =
        others.iter().any(|other| other.alert.as_ref().is_some_and(|id| view.board.alerts.get(id).is_some()));
    let blank = has_severities.then(|| (" ".repeat(group::SEVERITY), Role::Faint));
    for other in others {
        let span = number::span(other.offset_ms.saturating_abs());
        let offset = match other.offset_ms {
            0 => "at the onset".to_owned(),
            ..0 => format!("{span} before onset"),
            _ => format!("{span} after onset"),
        };
        let alert = other.alert.as_ref();
        rows.push(Row {
            mark: alert.and_then(|id| group::severity(view, id)).or_else(|| blank.clone()),
            tail: Tail::Words(offset),
            target: alert.map_or(Target::Nothing, |id| Target::Alert(id.clone())),
            ..row(Role::Text, clean(&other.text))
        });
    }
}

/// The message with its variables marked, and values that stood there.
fn template(template: &Template, rows: &mut Vec<Row>) {
    rows.push(heading("message", format!("x{}", number::grouped(template.count))));
    rows.push(row(Role::Text, clean(&template.text)));
    if !template.examples.is_empty() {
        let examples: Vec<String> = template.examples.iter().map(clean).collect();
        rows.push(row(Role::Muted, format!("values: {}", examples.join(", "))));
    }
}

/// Alerts of the past that look alike: how they ended, and what put them right.
fn similar(view: &View<'_>, similar: &[Similar], rows: &mut Vec<Row>) {
    if similar.is_empty() {
        return rows.push(row(Role::Muted, "similar before: none that is known of"));
    }
    rows.push(heading("similar before", similar.len().to_string()));
    for before in similar {
        let outcome = clean(&before.outcome);
        // What somebody wrote when they resolved it may stand in both.
        let fixed = before.fixed_by.as_ref().map(clean).filter(|fixed| !outcome.contains(fixed.as_str()));
        let fixed = fixed.map(|fixed| format!("; fixed by {fixed}")).unwrap_or_default();
        rows.push(Row {
            tail: Tail::Words(format!("{} {}", view.day(before.at), view.clock(before.at))),
            target: Target::Alert(before.alert.clone()),
            ..row(Role::Text, format!("{}  {outcome}{fixed}", before.alert))
        });
    }
}
