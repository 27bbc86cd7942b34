//! `[[detection.objective]]` and `[[detection.gauge]]`: how much shall succeed, and where gauges end.

use std::collections::BTreeMap;

use stella_detect::series::ramp::Side;
use stella_detect::{GaugeLimit, Objective};

use crate::toml_source::{Section, shown};

/// Most of each: an objective is looked at for every call, and both by people.
const MOST: usize = 100;
/// Percent of calls that can be asked for: below a half it is no service, and all of them leave no budget.
const PERCENT: (f64, f64) = (50.0, 99.999);

/// What a configuration file asks of services and gauges.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Targets {
    /// In their order.
    pub objectives: Vec<Objective>,
    /// By the name of the metric.
    pub gauge_limits: BTreeMap<String, GaugeLimit>,
}

/// Reads both out of `[detection]`.
pub(super) fn read(detection: &Section<'_>) -> Targets {
    let mut targets = Targets::default();
    for section in few(detection, "objective") {
        if let Some(objective) = objective(&section) {
            let same =
                |other: &Objective| (&other.service, &other.operation) == (&objective.service, &objective.operation);
            if targets.objectives.iter().any(same) {
                section.problem(section.at(), "two objectives are about the same calls; leave one of them out");
            }
            targets.objectives.push(objective);
        }
        section.finish();
    }
    for section in few(detection, "gauge") {
        if let Some((metric, limit)) = gauge(&section)
            && targets.gauge_limits.insert(metric.to_owned(), limit).is_some()
        {
            let twice = format!("`{}` has two limits; leave one of them out", shown(metric));
            section.problem(section.key_at("metric"), twice);
        }
        section.finish();
    }
    targets
}

fn few<'s>(detection: &Section<'s>, key: &'static str) -> Vec<Section<'s>> {
    let all = detection.sections(key);
    if let Some(more) = all.get(MOST) {
        more.problem(more.at(), format!("there are more than {MOST}; leave out those that nobody would get up for"));
    }
    all
}

fn objective(section: &Section<'_>) -> Option<Objective> {
    let service = section.need_text("service", "the name of a service, as its lines say it");
    let operation = section.text("operation");
    let percent = section.number("percent");
    let (least, most) = PERCENT;
    let want = format!("want percent of calls that shall succeed, from {least} to {most}, like 99.9");
    match percent {
        None if !section.has("percent") => section.problem(section.at(), format!("`percent` is missing; {want}")),
        Some(percent) if !(least..=most).contains(&percent) => {
            section.problem(section.key_at("percent"), format!("`percent` is {percent}; {want}"));
        }
        _ => {}
    }
    let operation = operation.map(|name| name.value.to_owned());
    Some(Objective { service: service?.value.to_owned(), operation, percent: percent? })
}

fn gauge<'s>(section: &Section<'s>) -> Option<(&'s str, GaugeLimit)> {
    let metric = section.need_text("metric", "the name of a metric, as its lines say it");
    let limit = section.number("limit");
    if !section.has("limit") {
        section.problem(section.at(), "`limit` is missing; want the value that it should not reach");
    }
    let side = section.need_word("reached", &[("rising", Side::Above), ("falling", Side::Below)]);
    Some((metric?.value, GaugeLimit { limit: limit?, side: side?.value }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rules::read as read_file;

    #[test]
    fn objectives_and_gauges_are_read() {
        let text = "[detection]\nsensitivity = 0.1\n[[detection.objective]]\nservice = \"api\"\npercent = 99.9\n\
                    [[detection.objective]]\nservice = \"api\"\noperation = \"pay\"\npercent = 99\n\
                    [[detection.gauge]]\nmetric = \"queue_depth\"\nlimit = 10000\nreached = \"rising\"\n";
        let targets = read_file("stella-server.toml", text).unwrap().targets;
        let objective = |operation: Option<&str>, percent: f64| {
            let operation = operation.map(str::to_owned);
            Objective { service: "api".to_owned(), operation, percent }
        };
        assert_eq!(targets.objectives, [objective(None, 99.9), objective(Some("pay"), 99.0)]);
        assert_eq!(targets.gauge_limits["queue_depth"], GaugeLimit { limit: 10_000.0, side: Side::Above });
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "[[detection.objective]]\nservice = \"api\"\npercent = 100\n\
                    [[detection.objective]]\noperation = \"pay\"\n\
                    [[detection.gauge]]\nmetric = \"disk\"\nreached = \"up\"\nlimt = 3\n";
        let problems = read_file("stella-server.toml", text).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for (line, what) in [
            (3, "`percent` is 100"),
            (4, "`detection.objective.service` is missing"),
            (4, "`percent` is missing"),
            (6, "`limit` is missing"),
            (8, "up"),
            (9, "limt"),
        ] {
            let place = format!(":{line}");
            assert!(told.iter().any(|told| told.contains(what) && told.contains(&place)), "{line} {what}: {told:#?}");
        }
    }
}
