//! What a running step says, on its way to everyone: gathered for a moment, so that a chatty child costs
//! the writer little, and never awaited by the child itself.

use std::time::Duration;

use stella_protocol::fix::Stream;
use stella_protocol::{FixId, FixOutput, Text};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::Parts;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::remedy::run::{Call, Output};
use crate::words::clip;

/// How long lines are gathered.
const GATHER: Duration = Duration::from_millis(100);
/// Most lines of one gathering.
const LINES: usize = 256;
/// Longest line, in bytes on the wire.
const LINE: usize = 4096;

/// Takes the lines of one step.
pub(super) struct Voice {
    lines: UnboundedSender<FixOutput>,
    speaker: JoinHandle<()>,
    id: FixId,
    step: u32,
    clock: Clock,
}

impl Voice {
    /// Of a step that begins. What a runner says is bounded by the runner (256 KiB a stream).
    pub fn new(parts: &Parts, call: &Call) -> Self {
        let (lines, said) = unbounded_channel();
        let speaker = tokio::spawn(speak(parts.hub.clone(), call.fence, said));
        let step = u32::try_from(call.number).unwrap_or(u32::MAX);
        Self { lines, speaker, id: call.fix.clone(), step, clock: parts.clock.clone() }
    }

    /// Waits until all of it is kept: before the outcome of the step is.
    pub async fn finish(self) {
        drop(self.lines);
        let _ended = self.speaker.await;
    }
}

impl Output for Voice {
    fn line(&mut self, stream: Stream, text: Text) {
        let (at, text) = (self.clock.now(), clip(&text, LINE));
        // The hub gives the number.
        let line = FixOutput { id: self.id.clone(), number: 0, step: self.step, stream, at, text };
        let _ended = self.lines.send(line);
    }
}

async fn speak(hub: Hub, fence: u64, mut said: UnboundedReceiver<FixOutput>) {
    while let Some(first) = said.recv().await {
        tokio::time::sleep(GATHER).await;
        let mut lines = vec![first];
        while lines.len() < LINES
            && let Ok(line) = said.try_recv()
        {
            lines.push(line);
        }
        hub.put_fix_output(fence, lines).await;
    }
}
