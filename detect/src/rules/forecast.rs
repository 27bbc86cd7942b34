//! Gauges that will reach their limit: told while there is still time.
//!
//! When, and how sure that is, is for [`ramp`](crate::series::ramp). A limit is set by a user, or plain
//! from name and unit: what is used in percent is full at a hundred, what is left is gone at nothing. A
//! gauge without a limit is never foreseen.

use stella_protocol::{AlertType, Category, Figure, LineId, LogEvent, Measure, Severity, Timestamp};

use crate::budget::Budget;
use crate::evidence::{Card, Case, Story, Usual, several};
use crate::incident::{Desk, Near, Subject};
use crate::keep::keep_fields;
use crate::key;
use crate::recent::Recent;
use crate::rules::Rules;
use crate::rules::metrics::{self, SeriesName, Watched, amount};
use crate::scope::OpName;
use crate::series::ramp::{Foreseen, Ramp, Side};

const CARD: Card = Card { id: "forecast", kind: AlertType::Forecast, category: Category::Performance };
/// Its rule.
pub(crate) const RULE: &str = CARD.id;

/// Words of a name that say that something fills up, and that something is left.
const FILLS: [&str; 8] = ["used", "usage", "utilization", "utilisation", "disk", "memory", "heap", "full"];
const IS_LEFT: [&str; 4] = ["free", "available", "remaining", "left"];
/// Minutes to the limit from which it is high: less than it takes to get up, look and act.
const HIGH_MS: i64 = 15 * 60_000;
/// Milliseconds of the span over which a slope is told, and of the shorter ones at its ends.
const SLOPE_MS: i64 = 600_000;
const END_MS: i64 = 120_000;
/// Milliseconds of a minute.
const MINUTE_MS: f64 = 60_000.0;

/// Where the gauge of that name ends, as set or as its name and unit say.
pub(crate) fn ramp_of(name: &SeriesName, rules: &Rules) -> Option<Ramp> {
    if let Some(set) = rules.gauge_limits.get(name.metric.as_ref()) {
        return Some(Ramp::new(set.limit, set.side));
    }
    let lower = name.metric.to_lowercase();
    let words: Vec<&str> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
    let says = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let percent = matches!(name.unit.as_ref(), "%" | "percent");
    if says(&IS_LEFT) {
        return Some(Ramp::new(0.0, Side::Below));
    }
    (percent && says(&FILLS)).then(|| Ramp::new(100.0, Side::Above))
}

/// A gauge on its way to its limit, as last foreseen.
#[derive(Debug, Clone)]
pub(crate) struct Outlook {
    name: SeriesName,
    limit: (f64, Side),
    /// None: it is there.
    foreseen: Option<Foreseen>,
    last: Figure,
    now: Option<Figure>,
    usual: Option<Usual>,
    points: Vec<(i64, f64)>,
}

impl Outlook {
    /// Whose gauge.
    pub(crate) fn op(&self) -> &OpName {
        &self.name.op
    }
}

fn key_of(series: u64) -> u64 {
    key::join(&[key::own(RULE), series])
}

/// A sample of a series; true while a forecast of it is on.
pub(super) fn observe(
    desk: &mut Desk,
    recent: &mut Recent,
    (rules, budget): (&Rules, &Budget),
    (series, watched): (u64, &mut Watched),
    (line, event, value): (LineId, &LogEvent<'_>, f64),
) -> bool {
    let (now, key) = (recent.now, key_of(series));
    let open = desk.get(key).is_some();
    let Some(ramp) = &mut watched.ramp else { return open };
    let foreseen = ramp.observe(Timestamp::from_millis(now), value);
    let there = open && ramp.has_run_out();
    let limit = ramp.limit();
    if foreseen.is_none() && !there {
        return open;
    }
    recent.keep(line, event);
    let onset = desk.get(key).map_or(now, |incident| incident.first_at);
    let Some(outlook) = Outlook::of(watched, limit, foreseen.filter(|_| !there), onset, now, line.0) else {
        return open;
    };
    if open {
        desk.touch(key, now);
        desk.reword(key, |subject| match subject {
            Subject::Forecast(was) => std::mem::replace(was.as_mut(), outlook).foreseen.is_some() && there,
            _ => false,
        });
    } else {
        desk.explain(|subject| metrics::is_about(subject, &watched.name));
        let near = Near { recent, rules, budget };
        desk.open(near, key, Subject::Forecast(Box::new(outlook)), now, 1);
    }
    true
}

impl Outlook {
    fn of(
        watched: &Watched,
        limit: (f64, Side),
        foreseen: Option<Foreseen>,
        onset: i64,
        now: i64,
        line: u64,
    ) -> Option<Self> {
        let last = (watched.time_of(0), now + 1);
        let (late, early) = ((now + 1 - END_MS, now + 1), (onset - SLOPE_MS, onset - SLOPE_MS + END_MS));
        let sample = watched.figure("samples then", Measure::Count, early, line);
        let before = watched.figure("mean of two minutes, ten minutes before", Measure::MeanValue, early, line);
        Some(Self {
            name: watched.name.clone(),
            limit,
            foreseen,
            last: watched.figure("the last sample", Measure::LastValue, last, line)?,
            now: watched.figure("mean of the last two minutes", Measure::MeanValue, late, line),
            usual: before.zip(sample).map(|(figure, sample)| Usual { figure, sample }),
            points: watched.samples().collect(),
        })
    }

    /// When it will be there, in words.
    fn when(&self) -> String {
        let minutes = |millis: i64| amount((millis as f64 / MINUTE_MS).max(1.0).round());
        let Some(foreseen) = &self.foreseen else { return "is there".to_owned() };
        let earliest = foreseen.earliest_ms.unwrap_or(foreseen.in_ms);
        let latest = foreseen.latest_ms.map_or("no end".to_owned(), minutes);
        format!("in about {} min ({} to {latest})", minutes(foreseen.in_ms), minutes(earliest))
    }
}

/// A gauge that will be full, or is.
pub(crate) fn tell(case: &Case<'_>, outlook: &Outlook) -> Story {
    let Outlook { name, limit: (limit, side), foreseen, last, now, usual, points } = outlook;
    let measured = metrics::measured;
    let (metric, moves) = (&name.metric, if *side == Side::Above { "rises" } else { "falls" });
    let mut reasons = vec![case.reason(0.4, format!("now at {}", measured(last)), vec![last.clone()])];
    if let Some((now, Usual { figure, sample })) = now.as_ref().zip(usual.as_ref()) {
        let text = format!("{moves}: {} on the mean of two minutes, {} before", measured(now), measured(figure));
        reasons.push(case.reason(0.6, text, vec![now.clone(), figure.clone(), sample.clone()]));
    }
    let (weight, text) = match foreseen {
        Some(foreseen) if foreseen.latest_ms.is_none() => (-0.3, "the flattest of its slopes never get there"),
        Some(_) => (0.3, "its flattest slopes get there as well"),
        None => (0.5, "it has reached the limit"),
    };
    reasons.push(case.reason(weight, text.to_owned(), Vec::new()));
    if let Some(Usual { sample, .. }) = usual {
        let text = format!("{} say where it came from: a slope may end", several(sample.value, "sample", "samples"));
        reasons.push(case.reason(-0.2, text, vec![sample.clone()]));
    }
    reasons.extend(case.deploys());
    let near = foreseen.as_ref().is_none_or(|foreseen| foreseen.in_ms < HIGH_MS);
    let mut chart = metrics::chart(name, points, crate::counts::STEP_MS);
    chart.limit = Some(*limit);
    let (ends, when) = (format!("{} {}", amount(*limit), name.unit), outlook.when());
    let title = match foreseen {
        Some(_) => format!("{metric} reaches {} {when}", ends.trim_end()),
        None => format!("{metric} has reached {}", ends.trim_end()),
    };
    Story {
        card: CARD,
        severity: if near { Severity::High } else { Severity::Medium },
        summary: format!("{metric} {moves} towards its limit: {title}."),
        title,
        service: name.op.service.to_string(),
        operation: name.op.operation.as_ref().map(ToString::to_string),
        labels: name.labels(),
        actions: vec![
            format!("Find what makes {metric} move, and stop it or make room before the limit"),
            "Compare the slope with the same hour of the days before".into(),
        ],
        window_ms: SLOPE_MS,
        scope: name.scope(),
        q: Some(name.q()),
        observed: Some(last.clone()),
        usual: usual.clone(),
        threshold: Some(*limit),
        reasons,
        chart: Some(chart),
    }
}

keep_fields!(Outlook { name, limit, foreseen, last, now, usual, points });
keep_fields!(Foreseen { probability, in_ms, slope, earliest_ms, latest_ms });
