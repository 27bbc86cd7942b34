//! Who writes the engine's state to the disk, so that the engine need not wait for it.
//!
//! The alerts are made durable first: a state may never know of a line that they do not.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use super::checkpoint::{State, StateFile};
use crate::hub::Hub;

/// A state to be kept, and who waits until it is.
type Order = (Box<State>, Option<SyncSender<()>>);

/// The thread that writes states. It ends, once it has written what it was given, when this is dropped.
pub(super) struct Keeper {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(file: StateFile, hub: Hub) -> std::io::Result<Self> {
        let (orders, ordered) = mpsc::sync_channel(1);
        let work = move || keep(&file, &hub, &ordered);
        let thread = std::thread::Builder::new().name("engine state".to_owned()).spawn(work)?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Keeps a state. Does not wait; when two are being written already, the next one does as well.
    pub(super) fn keep(&self, state: State) {
        let _skipped = self.orders.as_ref().map(|orders| orders.try_send((Box::new(state), None)));
    }

    /// Keeps a state and waits until that is done, or has failed.
    pub(super) fn keep_now(&self, state: State) {
        let (done, is_done) = mpsc::sync_channel(1);
        let sent = self.orders.as_ref().map(|orders| orders.send((Box::new(state), Some(done))));
        if matches!(sent, Some(Ok(()))) {
            let _it_failed = is_done.recv();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _it_panicked = thread.join();
        }
    }
}

fn keep(file: &StateFile, hub: &Hub, ordered: &Receiver<Order>) {
    for (state, waiting) in ordered {
        if hub.settle() {
            if let Err(error) = file.save(&state) {
                tracing::error!(%error, "failed to keep the engine's state: a restart goes on from the one before");
            }
        } else {
            tracing::error!("failed to keep the engine's state: the alerts are not kept");
        }
        drop(waiting);
    }
}
