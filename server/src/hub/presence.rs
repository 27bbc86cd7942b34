//! What a console says of itself: taken in, and told to all.

use std::time::Instant;

use stella_protocol::{Code, Look, Presence, PresenceRequest, Principal, Problem};

use super::Hub;
use crate::problem::problem;

impl Hub {
    /// A console of `by` is there and looks at this. Readers hear of it within two seconds, when it is news.
    ///
    /// # Errors
    /// When so many are there that nobody is told of another one.
    pub fn attend(&self, by: &Principal, said: PresenceRequest) -> Result<(), Problem> {
        let PresenceRequest { console, screen, object } = said;
        let look = Look { screen, object };
        let presence = Presence { console, who: by.name.clone(), role: by.role, look };
        let crowded = |_| problem(Code::RateLimited, "so many consoles are there that no further one is told of");
        self.shared.attend(presence, Instant::now()).map_err(crowded)
    }
}
