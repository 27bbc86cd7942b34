//! How much the engine thread takes on at once: many small requests cost one transaction, and what waits
//! behind the end of a recording stays behind it. Knows nothing of what is done with them.

use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::{Order, Request};

/// Requests kept in one transaction.
const GROUP: usize = 64;
/// Bytes of packed lines in one transaction.
const GROUP_BYTES: usize = 32 << 20;

/// What is dealt with at once.
pub(super) struct Group {
    /// Goes into one transaction.
    pub(super) requests: Vec<Request>,
    /// What comes behind them, and who waits for that.
    pub(super) end: Option<(Behind, oneshot::Sender<()>)>,
}

/// What comes behind the lines of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// A recording ended.
    End,
    /// Nothing: somebody waits until they are looked at.
    Rest,
}

/// `first` and what waits behind it, as much as goes into one transaction.
pub(super) fn gather(first: Order, orders: &Receiver<Order>) -> Group {
    let (mut bytes, mut requests, mut next) = (0, Vec::new(), Some(first));
    while let Some(order) = next {
        match order {
            Order::Take(request) => {
                bytes += request.packed.bytes();
                requests.push(request);
            }
            Order::End(told) => return Group { requests, end: Some((Behind::End, told)) },
            Order::Rest(told) => return Group { requests, end: Some((Behind::Rest, told)) },
        }
        let is_full = requests.len() >= GROUP || bytes >= GROUP_BYTES;
        next = if is_full { None } else { orders.try_recv().ok() };
    }
    Group { requests, end: None }
}
