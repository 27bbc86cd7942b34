//! A connection pool: whoever finds no free connection waits in line. Slowness under load and
//! time-outs are not scripted anywhere: they come from here.

use std::collections::VecDeque;

/// Names a call that waits or holds.
pub type CallId = u64;

/// Longest wait for a connection before a call gives up, in milliseconds.
pub const PATIENCE_MS: i64 = 1_500;

/// Connections that a pool owns: enough for several times the usual load.
pub const SIZE: usize = 8;

/// Connections of one repository.
#[derive(Debug, Default)]
pub struct Pool {
    busy: usize,
    leaked: usize,
    waiting: VecDeque<CallId>,
}

impl Pool {
    /// Takes a connection for `call`, or puts it in line. True: it has one.
    pub fn acquire(&mut self, call: CallId) -> bool {
        if self.is_free() {
            self.busy += 1;
            return true;
        }
        self.waiting.push_back(call);
        false
    }

    /// Gives a connection back; the call that gets it, if one waits.
    pub fn release(&mut self) -> Option<CallId> {
        self.busy = self.busy.saturating_sub(1);
        self.grant()
    }

    /// Leaves the line. True: the call was still waiting.
    pub fn give_up(&mut self, call: CallId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| *waiting != call);
        self.waiting.len() < before
    }

    /// One connection is taken and never given back.
    pub fn leak(&mut self) {
        self.leaked = (self.leaked + 1).min(SIZE);
    }

    /// The leaked connections come back; the calls that get one.
    pub fn mend(&mut self) -> Vec<CallId> {
        self.leaked = 0;
        std::iter::from_fn(|| self.grant()).collect()
    }

    /// Connections that were lost.
    pub fn leaked(&self) -> usize {
        self.leaked
    }

    /// True while nobody gets one at once.
    pub fn is_exhausted(&self) -> bool {
        !self.is_free()
    }

    /// Connections in use or lost.
    pub fn in_use(&self) -> usize {
        (self.busy + self.leaked).min(SIZE)
    }

    /// Calls in line.
    pub fn queue(&self) -> usize {
        self.waiting.len()
    }

    fn is_free(&self) -> bool {
        self.busy + self.leaked < SIZE
    }

    fn grant(&mut self) -> Option<CallId> {
        if !self.is_free() {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.busy += 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exhausted_pool_serves_its_line_in_order_once_it_is_mended() {
        let mut pool = Pool::default();
        (0..SIZE).for_each(|_| pool.leak());
        assert!(!pool.acquire(1));
        assert!(!pool.acquire(2));
        assert!(!pool.acquire(3));
        assert!(pool.give_up(2));
        assert!(!pool.give_up(2));
        assert_eq!(pool.mend(), vec![1, 3]);
        assert_eq!((pool.in_use(), pool.queue()), (2, 0));
    }

    #[test]
    fn a_connection_given_back_while_too_many_are_leaked_goes_to_nobody() {
        let mut pool = Pool::default();
        assert!(pool.acquire(1));
        (0..SIZE).for_each(|_| pool.leak());
        assert!(!pool.acquire(2));
        assert_eq!(pool.release(), None);
    }
}
