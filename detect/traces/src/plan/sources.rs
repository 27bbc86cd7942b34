//! Sources and series: what stops speaking, says it is not well, or runs to its end.

use stella_protocol::log::ComponentHealth;

use super::{About, Draft, MINUTE, What};
use crate::incident::Kind;
use crate::town::Shape;

impl Draft<'_> {
    pub(super) fn source_trouble(&mut self, kind: Kind, at: i64, most_ms: i64) {
        match kind {
            Kind::SourceStops => self.source_stops(at, most_ms),
            Kind::GaugeRamp | Kind::SeriesJump => self.series_trouble(kind, at),
            _ => self.worker_trouble(kind, at),
        }
    }

    /// A service that says something every few seconds at least, and all that its log carries.
    fn source_stops(&mut self, at: i64, most_ms: i64) {
        let town = self.place.town;
        let pace = |service: &str| -> f64 {
            let ops = (0..town.ops.len()).filter(|op| town.ops[*op].service == service);
            ops.map(|op| self.place.pace_of(op)).sum::<f64>() * self.span.daylight(at)
        };
        let services: Vec<&'static str> = town.services().into_iter().filter(|service| pace(service) > 0.25).collect();
        let service = *self.dice.of(&services);
        let to = at + self.dice.between(4 * MINUTE, most_ms.max(5 * MINUTE));
        let mut names = vec![service.to_owned()];
        names.extend(
            town.workers.iter().filter(|worker| worker.service == service).map(|worker| worker.component.into()),
        );
        let about = About { service: Some(service), names, strength: "silent".to_owned(), ..About::default() };
        let cause = self.label(Kind::SourceStops, at, to, about);
        self.effect(at, to, What::Mute(service), cause);
    }

    fn worker_trouble(&mut self, kind: Kind, at: i64) {
        let worker = self.dice.below(self.place.town.workers.len());
        let of = self.place.town.workers[worker];
        let to = at + self.dice.between(6 * MINUTE, 15 * MINUTE);
        let (what, strength) = if kind == Kind::HeartbeatStops {
            (What::MuteWorker(worker), format!("each {} s", of.every_s))
        } else {
            let down = self.dice.chance(0.5);
            let health = if down { ComponentHealth::Down } else { ComponentHealth::Degraded };
            (What::Unwell { worker, health }, health.word().to_owned())
        };
        let about =
            About { service: Some(of.service), names: vec![of.component.to_owned()], strength, ..About::default() };
        let cause = self.label(kind, at, to, about);
        self.effect(at, to, what, cause);
    }

    fn series_trouble(&mut self, kind: Kind, at: i64) {
        let gauges = self.place.town.gauges;
        let steady: Vec<usize> = (0..gauges.len()).filter(|gauge| gauges[*gauge].shape != Shape::Saw).collect();
        let gauge = *self.dice.of(&steady);
        let of = gauges[gauge];
        let (room, minutes) = (of.limit - of.level, self.dice.between(28, 40));
        let (to, add, strength) = if kind == Kind::GaugeRamp {
            (at + minutes * MINUTE, (0.0, room * 1.05), format!("full in {minutes} min"))
        } else {
            // Ten spreads, or as much again: nobody who looks at the chart would call it noise.
            let jump = (of.noise * 10.0).max(of.level).min(room * 0.9);
            (at + self.dice.between(8 * MINUTE, 20 * MINUTE), (jump, jump), format!("+{jump:.1}"))
        };
        let names = vec![of.series.to_owned()];
        let about = About { service: Some(of.service), names, strength, ..About::default() };
        let cause = self.label(kind, at, to, about);
        self.effect(at, to, What::Gauge { gauge, from: add.0, to: add.1 }, cause);
    }
}
