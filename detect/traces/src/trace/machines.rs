//! What speaks by itself: components, samples, chatter, and strangers at the door.

use stella_protocol::log::{ComponentHealth, Login};

use super::{Due, Trace};
use crate::line;
use crate::people;
use crate::plan::{Cause, MINUTE, SECOND, What};
use crate::town::Shape;

impl Trace {
    pub(super) fn beat(&mut self, worker: usize) {
        let of = &self.place.town.workers[worker];
        let mut said = Some((ComponentHealth::Healthy, Cause::Ordinary));
        for effect in self.effects() {
            match effect.what {
                What::MuteWorker(on) if on == worker => said = None,
                What::Unwell { worker: on, health } if on == worker => said = Some((health, effect.cause)),
                _ => {}
            }
        }
        // A beat in two hundred is lost on its way.
        if let Some((health, cause)) = said.filter(|_| !self.dice.chance(0.005)) {
            self.emit_in(0, line::beat(of, health), cause);
        }
        let jitter = self.dice.within(0.9, 1.1);
        self.later((of.every_s as f64 * 1000.0 * jitter) as i64, Due::Beat(worker));
    }

    pub(super) fn sample(&mut self, gauge: usize) {
        let of = self.place.town.gauges[gauge];
        let (mut value, mut cause) = (of.level + of.noise * self.dice.normal(), Cause::Ordinary);
        match of.shape {
            Shape::Steady => {}
            Shape::Traffic => value *= (self.pace() / (self.place.pace * self.place.traffic)).sqrt().max(0.2),
            Shape::Saw => value *= 0.7 + 0.6 * (self.now.rem_euclid(11 * MINUTE) as f64 / (11 * MINUTE) as f64),
        }
        for effect in self.effects() {
            if let What::Gauge { gauge: on, from, to } = effect.what
                && on == gauge
            {
                value += from + (to - from) * effect.progress(self.now);
                cause = effect.cause;
            }
        }
        self.emit_in(0, line::sample(&of, value.clamp(0.0, of.limit)), cause);
        self.later(15 * SECOND, Due::Sample(gauge));
    }

    pub(super) fn stranger_at_the_door(&mut self) {
        let addr = people::bot(&mut self.dice);
        let user = format!("admin{}@example.net", self.dice.below(9999));
        let event = line::sign_in(&self.place, (user, addr), Login::Failed, "login failed: unknown user", 80.0);
        self.emit_in(0, event, Cause::Ordinary);
    }

    pub(super) fn chatter(&mut self) {
        let services = self.place.town.services();
        let service = *self.dice.of(&services);
        let event = line::chatter(service, &mut self.dice);
        let loud = self.effects().find(|effect| matches!(effect.what, What::Chatter(_)));
        let cause = loud.map_or(Cause::Ordinary, |effect| effect.cause);
        self.emit_in(0, event, cause);
    }
}
