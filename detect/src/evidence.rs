//! From a problem to a finding with everything that speaks for and against it.
//!
//! The rules tell the story: what was measured, compared and looked for. This room adds what every
//! story has: samples, users, template, links, the words around figures. No digit stands in a reason
//! that is not the value of one of its figures.

mod words;

use std::collections::BTreeMap;

use serde::Serialize;
use stella_protocol::evidence::{EvidenceSeries, Template};
use stella_protocol::series::{Baseline, Point};
use stella_protocol::{
    AlertType, Brief, Category, Evidence, Figure, LineId, Measure, Reason, Sample, SampleRole, Severity, Text,
    Timestamp,
};

use crate::budget::{Budget, Kind};
use crate::counts::{STEP_MS, span_start};
use crate::deploys::Marker;
use crate::finding::{Finding, Phase};
use crate::incident::Incident;
use crate::keep::keep_fields;
use crate::kept::Line;
use crate::mark::{Flags, Mark};
use crate::recent::{Recent, Span, link};
use crate::rules::{self, Rules};
use crate::scope::{OpName, Scope};
use crate::template::grown as template;

pub(crate) use words::{duration, lasting, number, several, words};

/// Most samples of an alert that lasts; well under the fifty that the contract allows.
const MOST_SAMPLES: usize = 20;
/// What is compared with: the span before the onset, in milliseconds ("ten minutes" in words).
const BEFORE_MS: i64 = 600_000;
/// Lines whose values are shown as examples, and how many of those.
const EXAMPLE_LINES: usize = 4;
const MOST_EXAMPLES: usize = 8;
/// Deploys so long before the onset are named as reasons, in milliseconds.
const DEPLOYED_MS: i64 = 600_000;
/// Minutes of a sparkline.
const SPARK_MINUTES: i64 = 30;
/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// What a rule is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Card {
    pub(crate) id: &'static str,
    pub(crate) kind: AlertType,
    pub(crate) category: Category,
}

/// What was usual before the onset, and from how many lines that is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Usual {
    pub(crate) figure: Figure,
    pub(crate) sample: Figure,
}

/// What is drawn.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) unit: String,
    /// Width of a point, in milliseconds.
    pub(crate) step_ms: i64,
    pub(crate) points: Vec<Point>,
    pub(crate) spark: Vec<Option<f64>>,
    pub(crate) limit: Option<f64>,
    /// What is usual, where a band is known.
    pub(crate) baseline: Option<Baseline>,
}

impl Chart {
    /// Of buckets of ten seconds, without limit or band.
    pub(crate) fn of_tens(title: String, unit: &str, points: Vec<Point>, spark: Vec<Option<f64>>) -> Self {
        Self { title, unit: unit.to_owned(), step_ms: STEP_MS, points, spark, limit: None, baseline: None }
    }
}

/// What a rule has to tell.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) card: Card,
    pub(crate) severity: Severity,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) service: String,
    pub(crate) operation: Option<String>,
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) actions: Vec<String>,
    pub(crate) window_ms: i64,
    /// The offending lines; their first one stands in the problem.
    pub(crate) scope: Scope,
    /// All lines of the alert, where they are more than `scope`.
    pub(crate) q: Option<String>,
    pub(crate) observed: Option<Figure>,
    pub(crate) usual: Option<Usual>,
    pub(crate) threshold: Option<f64>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) chart: Option<Chart>,
}

impl Story {
    /// The story of an operation, or a service, about its lines of `scope`: what a rule adds is how bad it is, the words
    /// and the figures.
    pub(crate) fn of(card: Card, op: &OpName, scope: Scope) -> Self {
        Self {
            card,
            severity: Severity::Medium,
            title: String::new(),
            summary: String::new(),
            service: op.service.to_string(),
            operation: op.operation.as_deref().map(str::to_owned),
            labels: rules::errors::labels(op),
            actions: Vec::new(),
            window_ms: 0,
            scope,
            q: None,
            observed: None,
            usual: None,
            threshold: None,
            reasons: Vec::new(),
            chart: None,
        }
    }

    /// The same with one more label, which sets it apart from others at the same operation.
    pub(crate) fn with(mut self, label: &'static str, value: &str) -> Self {
        self.labels.push((label, value.to_owned()));
        self
    }
}

/// A problem with its surroundings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) recent: &'a Recent,
    pub(crate) rules: &'a Rules,
    pub(crate) budget: &'a Budget,
    pub(crate) incident: &'a Incident,
    /// What is told is told as of this time: of the last match while it is on, else of now.
    pub(crate) at: i64,
}

impl Case<'_> {
    pub(crate) fn now(&self) -> i64 {
        self.at
    }

    /// The `window_ms` up to then, in whole buckets.
    pub(crate) fn span(&self, window_ms: i64) -> Span {
        self.span_from(span_start(self.at, window_ms))
    }

    /// From `from` up to then.
    pub(crate) fn span_from(&self, from: i64) -> Span {
        Span { from, to: self.at + 1, up_to: self.recent.last_line }
    }

    pub(crate) fn figure(&self, name: &str, measure: Measure, scope: &Scope, span: Span) -> Option<Figure> {
        self.recent.figure(name, measure, scope, span)
    }

    pub(crate) fn count(&self, name: &str, scope: &Scope, span: Span) -> Option<Figure> {
        self.figure(name, Measure::Count, scope, span)
    }

    /// A reason as of then.
    pub(crate) fn reason(&self, weight: f64, text: String, figures: Vec<Figure>) -> Reason {
        reason_at(self.now(), weight, text, figures)
    }

    /// The span before the onset.
    pub(crate) fn before(&self) -> Span {
        let onset = self.incident.first_at;
        Span { from: onset - BEFORE_MS, to: onset, up_to: self.recent.last_line }
    }

    /// What `measure` was before the onset, computed once; None while less than `fewest` lines are known.
    pub(crate) fn usual(&self, measure: Measure, scope: &Scope, all: &Scope, fewest: u32) -> Option<Usual> {
        if let Some(usual) = &self.incident.usual {
            return Some(usual.clone());
        }
        if self.incident.version > 1 {
            return None;
        }
        let sample = self.count("lines in the ten minutes before", all, self.before())?;
        let figure = self.figure("the same in the ten minutes before", measure, scope, self.before())?;
        (sample.value >= f64::from(fewest)).then_some(Usual { figure, sample })
    }

    /// What the comparison with the time before says.
    pub(crate) fn against_usual(&self, observed: f64, usual: Option<&Usual>) -> Reason {
        let at = self.incident.first_at;
        let Some(Usual { figure, sample }) = usual else {
            return reason_at(at, -0.2, "no baseline yet: too little was seen before the onset".into(), Vec::new());
        };
        let (value, lines) = (words(figure), several(sample.value, "line", "lines"));
        let text = format!("usual: {value} over {lines} in the ten minutes before");
        let risen = observed > figure.value * self.rules.slow_ratio;
        let figures = vec![figure.clone(), sample.clone()];
        if risen {
            reason_at(at, 0.5, text, figures)
        } else {
            reason_at(at, -0.5, format!("{text}, about the same as now"), figures)
        }
    }

    /// How far what was seen is from chance; None: no sum of evidence stands behind it.
    pub(crate) fn chance(&self, kind: Kind, score: f64) -> Option<Reason> {
        let text = format!("chance alone brings as much as this {}", self.budget.rarity(kind, score));
        (score >= self.budget.needed(kind)).then(|| self.reason(0.5, text, Vec::new()))
    }

    /// Whether somebody deployed before the onset.
    pub(crate) fn deploys(&self) -> Option<Reason> {
        let figure = self.count("deploy lines", &Scope::default().needing(Flags::DEPLOY), self.before())?;
        let lines = several(figure.value, "deploy line", "deploy lines");
        let text = format!("{lines} in the ten minutes before the onset");
        let weight = if figure.value > 0.0 { 0.4 } else { -0.1 };
        Some(reason_at(self.incident.first_at, weight, text, vec![figure]))
    }

    /// Whether the service, or what it may depend on, was deployed just before the onset.
    fn deployed(&self, service: &str) -> Option<Reason> {
        let onset = self.incident.first_at;
        let before = |marker: &&Marker| marker.at <= self.at && marker.at - onset < DEPLOYED_MS;
        let near = self.recent.deploys.near(onset, DEPLOYED_MS);
        let mut near: Vec<&Marker> = near.into_iter().filter(before).collect();
        near.sort_by_key(|marker| *marker.service != *service);
        let marker = near.first()?;
        let own = *marker.service == *service;
        let what = if marker.revision.is_empty() { "a start" } else { "a new revision" };
        let after = if marker.at <= onset { "before the onset" } else { "after the onset" };
        let (weight, text) = match (own, marker.at <= onset) {
            (true, true) => (0.4, format!("{what} of this service came {after}")),
            (false, true) => (0.15, format!("{what} of {} came {after}", masked(&marker.service))),
            (_, false) => (-0.1, format!("{what} of {} came {after}", masked(&marker.service))),
        };
        Some(reason_at(marker.at, weight, text, Vec::new()))
    }

    /// Lines of a scope over time, for what has no half hour of its own.
    pub(crate) fn count_chart(&self, title: &str, scope: &Scope) -> Chart {
        let now = self.now();
        let newest = now.div_euclid(STEP_MS);
        let (marks, floor) = self.recent.walk(scope, self.span_from(now - SPARK_MINUTES * MINUTE_MS));
        let known = floor.max(self.recent.first_line_at);
        let oldest = newest - SPARK_MINUTES * MINUTE_MS / STEP_MS + 1;
        let mut counts = vec![0_u32; (newest - oldest + 1) as usize];
        for mark in marks {
            let place = usize::try_from(mark.at.div_euclid(STEP_MS) - oldest).ok();
            if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                *count += mark.weight;
            }
        }
        let value = |first: usize, steps: usize| {
            let end = (oldest + (first + steps) as i64) * STEP_MS;
            (end > known).then(|| f64::from(counts[first..first + steps].iter().sum::<u32>()))
        };
        let drawn = counts.len() - (BEFORE_MS / STEP_MS) as usize;
        let points = (drawn..counts.len()).map(|nth| {
            let at = Timestamp::from_millis((oldest + nth as i64) * STEP_MS);
            value(nth, 1).map_or(Point::gap(at), |count| Point::single(at, count))
        });
        let minute = (MINUTE_MS / STEP_MS) as usize;
        let spark = (0..counts.len()).step_by(minute).map(|first| value(first, minute));
        let points = points.skip_while(|point| point.value.is_none()).collect();
        Chart::of_tens(title.to_owned(), "count", points, spark.collect())
    }

    /// Whole lines among `marks`, and before them the first ones of the problem.
    fn lines(&self, marks: &[&Mark]) -> Vec<Line> {
        let mut lines = self.incident.first.clone();
        let newest = lines.last().map(|(line, _)| *line);
        let later = marks.iter().filter(|mark| newest.is_none_or(|newest| LineId(mark.line) > newest));
        lines.extend(later.filter_map(|mark| self.recent.kept().get(mark.line).cloned()));
        lines
    }
}

/// A reason at a time.
pub(crate) fn reason_at(at: i64, weight: f64, text: String, figures: Vec<Figure>) -> Reason {
    Reason { text: text.into(), weight, at: Timestamp::from_millis(at), figures }
}

/// The finding of a problem, what was usual before it, and its lines.
pub(crate) fn finding(case: &Case<'_>, phase: Phase) -> (Finding, Option<Usual>, Vec<Line>) {
    let story = rules::tell(case, phase);
    let (marks, _) = story_marks(case, &story);
    let lines = case.lines(&marks);
    let (users, user_count) = users(&marks, &lines);
    let evidence = evidence(case, &story, &marks, &lines);
    let incident = case.incident;
    let labels: BTreeMap<String, Text> =
        story.labels.iter().map(|(name, value)| ((*name).to_owned(), Text::from(value.clone()))).collect();
    let finding = Finding {
        fingerprint: fingerprint(&story),
        rule_id: story.card.id,
        rule_version: Rules::VERSION,
        kind: story.card.kind,
        category: story.card.category,
        severity: story.severity,
        title: story.title.into(),
        description: story.summary.into(),
        service: story.service.into(),
        operation: story.operation.map(Text::from),
        labels,
        suggested_actions: story.actions.into_iter().map(Text::from).collect(),
        affected_users: users,
        affected_user_count: user_count,
        matches: incident.pending,
        first_at: Timestamp::from_millis(incident.first_at),
        last_at: Timestamp::from_millis(incident.last_at),
        detected_at: Timestamp::from_millis(incident.detected_at),
        window_ms: story.window_ms,
        brief: brief(&evidence, story.chart.map(|chart| chart.spark).unwrap_or_default()),
        evidence: Box::new(evidence),
        phase,
        parent: None,
        children: Vec::new(),
        held_back: 0,
    };
    (finding, story.usual, lines)
}

fn story_marks<'a>(case: &Case<'a>, story: &Story) -> (Vec<&'a Mark>, i64) {
    if story.scope.op.is_none() && !story.scope.is_rare() {
        return (Vec::new(), case.now());
    }
    let from = case.incident.first_at.max(case.now() - SPARK_MINUTES * MINUTE_MS);
    case.recent.walk(&story.scope, case.span_from(from))
}

/// Rule and labels, each in its own bounds, so that no value can pass for another label.
fn fingerprint(story: &Story) -> String {
    let mut text = story.card.id.to_owned();
    for (name, value) in &story.labels {
        text.extend(["|", name, "=", &value.escape_debug().to_string().replace('|', "\\|")]);
    }
    text
}

/// Some users by name, and how many different ones there are.
fn users(marks: &[&Mark], lines: &[Line]) -> (Vec<Text>, u64) {
    let mut named: Vec<Text> = Vec::new();
    for (_, event) in lines {
        for user in event.user_id.iter().chain(&event.affected_users) {
            if named.len() < Finding::MOST_USERS && !named.contains(user) {
                named.push(user.clone());
            }
        }
    }
    let mut keys: Vec<u64> = marks.iter().map(|mark| mark.user).filter(|user| *user != crate::key::NONE).collect();
    keys.sort_unstable();
    keys.dedup();
    let count = (keys.len() as u64).max(named.len() as u64);
    (named, count)
}

fn evidence(case: &Case<'_>, story: &Story, marks: &[&Mark], lines: &[Line]) -> Evidence {
    let incident = case.incident;
    let onset = Timestamp::from_millis(incident.first_at);
    let mut reasons = story.reasons.clone();
    reasons.extend(case.deployed(&story.service));
    if marks.iter().any(|mark| mark.weight > 1) {
        let text = "under load lines like these were counted and not looked at: how long they took is that of a sample";
        reasons.push(case.reason(-0.05, text.to_owned(), Vec::new()));
    }
    if reasons.iter().all(|reason| reason.weight >= 0.0) {
        let text = "baseline, deploys and neighbours were searched; nothing found that speaks against it";
        reasons.push(case.reason(-0.05, text.to_owned(), Vec::new()));
    }
    reasons.sort_by_key(|reason| reason.at);
    let mut all = link(&story.scope, case.span_from(incident.first_at));
    if let Some(q) = &story.q {
        all.q = Text::from(q.clone());
    }
    let series = story.chart.as_ref().map(|chart| EvidenceSeries {
        title: Text::from(chart.title.clone()),
        unit: chart.unit.clone().into(),
        step_ms: chart.step_ms,
        points: chart.points.clone(),
        limit: chart.limit,
        baseline: chart.baseline.or_else(|| counted(chart, story.usual.as_ref())),
        onset: Some(onset),
    });
    Evidence {
        summary: Text::from(story.summary.clone()),
        rule_id: story.card.id.into(),
        rule_version: Rules::VERSION,
        observed: story.observed.clone(),
        baseline: story.usual.as_ref().map(|usual| usual.figure.clone()),
        threshold: story.threshold,
        unit: story.observed.as_ref().map_or(Text::from("count"), |figure| figure.unit.clone()),
        from: story.observed.as_ref().map_or(onset, |figure| figure.lines.from),
        to: Timestamp::from_millis(case.now() + 1),
        series,
        reasons,
        samples: samples(lines),
        template: template_of(case.recent, marks, lines),
        correlated: Vec::new(),
        similar: Vec::new(),
        lines: all,
        refreshed_at: Timestamp::from_millis(case.recent.now),
        version: incident.version,
    }
}

/// The first line, the last one, and evenly spread ones between.
fn samples(lines: &[Line]) -> Vec<Sample> {
    let most = MOST_SAMPLES.min(lines.len());
    let place = |nth: usize| if most < 2 { 0 } else { nth * (lines.len() - 1) / (most - 1) };
    let role = |nth: usize| match nth {
        0 => SampleRole::First,
        nth if nth + 1 == most => SampleRole::Last,
        _ => SampleRole::Representative,
    };
    let sample = |nth: usize| {
        let (line, event) = &lines[place(nth)];
        Sample { line: *line, role: role(nth), event: event.as_ref().clone() }
    };
    (0..most).map(sample).collect()
}

/// The template of the last line, with how many of the lines have it.
fn template_of(recent: &Recent, marks: &[&Mark], lines: &[Line]) -> Option<Template> {
    let (_, last) = lines.last()?;
    let message = last.message.raw();
    let templates = recent.templates();
    let id = templates.find(message)?;
    let same = |mark: &&&Mark| templates.current(mark.template) == id && !mark.flags.has(Flags::NAMED_USER);
    let mut examples: Vec<Text> = Vec::new();
    for value in lines.iter().rev().take(EXAMPLE_LINES).flat_map(|(_, event)| {
        let same = templates.find(event.message.raw()) == Some(id);
        if same { template::examples(event.message.raw()) } else { Vec::new() }
    }) {
        let value = Text::from(value);
        if examples.len() < MOST_EXAMPLES && !examples.contains(&value) {
            examples.push(value);
        }
    }
    Some(Template {
        text: Text::from(templates.text(id)?),
        count: marks.iter().filter(same).map(|mark| u64::from(mark.weight)).sum(),
        examples,
    })
}

/// A name as it stands in a reason, where digits are those of figures.
fn masked(name: &str) -> String {
    if name.is_empty() { "something".to_owned() } else { name.replace(|letter: char| letter.is_ascii_digit(), "#") }
}

/// What is usual for the points of a chart of counts, where nobody said so: it follows from what was counted before the onset: nine in ten
/// of them lie within 1.645 standard deviations of a Poisson variable.
fn counted(chart: &Chart, usual: Option<&Usual>) -> Option<Baseline> {
    let usual = usual.filter(|usual| chart.unit == "count" && usual.figure.measure == Measure::Count)?;
    let lines = &usual.figure.lines;
    let steps = lines.to.since(lines.from) as f64 / STEP_MS as f64;
    let mid = (steps >= 1.0).then(|| usual.figure.value / steps)?;
    Some(Baseline { low: (mid - 1.645 * mid.sqrt()).max(0.0), mid, high: mid + 1.645 * mid.sqrt() })
}

fn brief(evidence: &Evidence, spark: Vec<Option<f64>>) -> Brief {
    let speaking = |sign: f64| evidence.reasons.iter().filter(|reason| reason.weight * sign > 0.0).count() as u32;
    Brief {
        observed: evidence.observed.as_ref().map(|figure| figure.value),
        baseline: evidence.baseline.as_ref().map(|figure| figure.value),
        threshold: evidence.threshold,
        unit: evidence.unit.clone(),
        onset: Some(evidence.lines.from),
        spark,
        reasons_for: speaking(1.0),
        reasons_against: speaking(-1.0),
        evidence_version: evidence.version,
    }
}

keep_fields!(Usual { figure, sample });
