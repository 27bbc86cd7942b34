//! What holds for all fixes: the switch, maintenance windows, suppressions.

use std::sync::Arc;

use stella_protocol::fix::{Maintenance, MaintenanceRequest, SwitchRequest, Switched};
use stella_protocol::{Code, FixStatus, Problem, Remedy, Role, Text};

use super::{Deed, Keyed, Making, No, Writer};
use crate::hub::{Answer, json, problem};
use crate::remedy::{Event, FixState, Superseded};
use crate::store::{Meta, StoreError, Verdict, Write};
use crate::words::{clip, wire_len};

/// Most that a name of targets may take on the wire.
const TARGET: usize = 256;
/// Most that the reason of a window or of the switch may take on the wire.
const REASON: usize = 512;
/// Most windows that stand at once.
const WINDOWS: usize = 50;
/// A window ends at most so long from now, in milliseconds.
const LONGEST_WINDOW: i64 = 7 * 24 * 60 * 60 * 1000;

impl Writer {
    pub(super) fn switch(&mut self, keyed: &Keyed, ask: &SwitchRequest) -> Result<Answer<Remedy>, Problem> {
        let deed = Deed::new("switch-fixes", if ask.on { "on" } else { "off" }, Role::Admin, &json(ask));
        self.answer(keyed, &deed, |writer, making| {
            let (fixes, mut remedy) = writer.standing();
            if remedy.switched_off.is_none() == ask.on {
                return Ok(remedy);
            }
            let (by, at, reason) = (keyed.by.name.clone(), writer.clock.now(), clip(&ask.reason, REASON));
            remedy.switched_off = (!ask.on).then_some(Switched { by, at, reason });
            if !ask.on {
                writer.brake(making, &fixes)?;
            }
            making.keep(&deed, &remedy, Write::Meta(Meta::FixSwitch, json(&remedy.switched_off)), &ask.reason);
            Ok(remedy)
        })
    }

    /// What waits is superseded, what runs is stopped.
    fn brake(&self, making: &mut Making<'_, '_>, fixes: &[Arc<FixState>]) -> Result<(), StoreError> {
        let why = Text::new(format!("{} switched all fixes off", making.author.name.raw()));
        for state in fixes {
            let event = match state.fix.status {
                status if status.waits_to_begin() => Event::Superseded(Superseded::SwitchedOff, why.clone()),
                FixStatus::Running | FixStatus::Verifying => Event::Stopped(why.clone()),
                _ => continue,
            };
            making.draft.step_if_allowed(making.change, state, &event, making.author, self.now())?;
        }
        Ok(())
    }

    pub(super) fn maintain(&mut self, keyed: &Keyed, ask: &MaintenanceRequest) -> Result<Answer<Maintenance>, Problem> {
        let deed = Deed::new("maintenance", "fixes", Role::Admin, &json(ask));
        self.answer(keyed, &deed, |writer, making| {
            let (now, mut remedy) = (writer.clock.now(), writer.standing().1);
            let from = ask.from.unwrap_or(now);
            let bad = |why: &str| Err(No::Said(problem(Code::BadBody, why)));
            if ask.until <= from || ask.until <= now {
                return bad("until: want a time after from, and after now");
            }
            if ask.until.since(now) > LONGEST_WINDOW {
                return bad("until: at most 7 days from now");
            }
            if wire_len(ask.target.raw()) > TARGET {
                return bad("target: at most 256 bytes");
            }
            if remedy.maintenance.len() >= WINDOWS {
                return bad("50 windows stand already");
            }
            let window = Maintenance {
                id: Text::new(format!("win-{}", writer.shared.board().numbers.window + 1)),
                target: ask.target.clone(),
                from,
                until: ask.until,
                by: keyed.by.name.clone(),
                reason: clip(&ask.reason, REASON),
            };
            remedy.maintenance.push(window.clone());
            making.keep(&deed, &remedy, Write::Maintenance(Box::new(window.clone())), &window.id);
            Ok(window)
        })
    }

    pub(super) fn end_maintenance(&mut self, keyed: &Keyed, id: &str) -> Result<Answer<Remedy>, Problem> {
        let deed = Deed::new("end-maintenance", id, Role::Admin, "");
        self.answer(keyed, &deed, |writer, making| {
            let mut remedy = writer.standing().1;
            let Some(at) = remedy.maintenance.iter().position(|window| window.id.raw() == id) else {
                return Err(No::Said(problem(Code::NotFound, "no maintenance window has this id, or it is over")));
            };
            let ended = remedy.maintenance.remove(at);
            let targets = if ended.target.is_empty() { "all targets" } else { ended.target.raw() };
            let detail = Text::new(format!("{targets}, was to last until {}", ended.until));
            making.keep(&deed, &remedy, Write::MaintenanceEnded { id: id.to_owned() }, &detail);
            Ok(remedy)
        })
    }

    pub(super) fn lift(&mut self, keyed: &Keyed, id: &str) -> Result<Answer<Remedy>, Problem> {
        let deed = Deed::new("lift-suppression", id, Role::Admin, "");
        self.answer(keyed, &deed, |writer, making| {
            let mut remedy = writer.standing().1;
            let Some(at) = remedy.suppressions.iter().position(|suppression| suppression.id.raw() == id) else {
                return Err(No::Said(problem(Code::NotFound, "no suppression has this id")));
            };
            let lifted = remedy.suppressions.remove(at);
            let detail = Text::new(format!("{} on {}", lifted.definition_id.raw(), lifted.target.raw()));
            making.keep(&deed, &remedy, Write::Lifted { id: id.to_owned() }, &detail);
            Ok(remedy)
        })
    }
}

impl Making<'_, '_> {
    /// Notes what holds for all fixes from now on, and who made it so.
    fn keep(&mut self, deed: &Deed, remedy: &Remedy, write: Write, detail: &Text) {
        let mut row = self.author.audit(deed.verb, &deed.object, (0, 0), Verdict::Done);
        row.detail = clip(detail, REASON);
        self.change.audit.push(row);
        self.change.writes.push(write);
        self.change.remedy = Some(remedy.clone());
    }
}
