//! A rule proposes again what became void though its alert goes on, without a new line of evidence.

use std::sync::Arc;
use std::time::Duration;

use stella_protocol::fix::SwitchRequest;
use stella_protocol::{FixStatus, Principal, Role, Text};

use super::power::Power;
use super::scene::{Process, Scene, definition};
use crate::remedy::{Event, FixState, Intent, Superseded};

async fn pending(process: &Process, id: &str) -> Arc<FixState> {
    let mut changed = process.hub.changed();
    let waiting = async {
        loop {
            let waits = |state: &Arc<FixState>| state.fix.id.as_str() == id && state.fix.status == FixStatus::Pending;
            if let Some(found) = process.hub.fixes().into_iter().find(waits) {
                return found;
            }
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_switch_or_another_plan_made_void_is_proposed_again_when_it_may_be() {
    let scene = Scene::new(definition("approve", "u", true)).await;
    let process = scene.start(Power::until(None));
    process.finds("f", "alpha");
    pending(&process, "fx-1").await;
    let ana = Principal { name: Text::from("ana"), role: Role::Admin };
    let switch = |on| SwitchRequest { on, reason: Text::from("freeze") };
    process.hub.switch_fixes(&ana, "off", switch(false)).await.unwrap();
    process.hub.switch_fixes(&ana, "on", switch(true)).await.unwrap();
    let second = pending(&process, "fx-2").await;
    let plan = Event::Superseded(Superseded::PlanChanged, Text::from("its plan is another one by now"));
    process.hub.advance_fix(&second.fix.id, plan, Intent::default()).await.unwrap();
    let third = pending(&process, "fx-3").await;
    assert_eq!(third.fix.alert_id, second.fix.alert_id);
    process.end().await;
}
