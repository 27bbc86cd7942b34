//! Notices that the terminal went away, from outside of the reader, which does not.
//!
//! The watcher asks the kernel for `POLLHUP` on the terminal, tells the loop, and ends the process
//! itself when the loop has not done so in time: also when SIGHUP is ignored.

use std::io;
use std::os::fd::OwnedFd;
use std::process;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// How long an orderly end may take after the terminal went away.
pub const GRACE: Duration = Duration::from_millis(1500);

/// Exit code after a hang-up, as a shell would report SIGHUP.
const HUNG_UP: i32 = 129;

/// How often the kernel is asked when it does not speak up by itself (it does, for terminals).
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Begins to watch; the receiver hears once. The thread lives as long as the process.
///
/// # Errors
/// When the terminal cannot be opened or no thread can be made.
pub fn watch() -> io::Result<oneshot::Receiver<()>> {
    let terminal = super::input::open()?;
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new().name("hang-up".to_owned()).spawn(move || {
        while !is_gone(&terminal) {}
        let _ = sender.send(());
        thread::sleep(GRACE);
        process::exit(HUNG_UP);
    })?;
    Ok(receiver)
}

/// Waits a while, then says whether the terminal is gone.
fn is_gone(terminal: &OwnedFd) -> bool {
    // No flag is asked for: errors and hang-ups are always told.
    let mut watched = [PollFd::new(terminal, PollFlags::empty())];
    match poll(&mut watched, Some(&PATIENCE)) {
        Ok(_) => watched[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        Err(Errno::INTR | Errno::AGAIN) => false,
        Err(_) => true,
    }
}
