//! The consoles that are there, as the feed brings them: this one too.

use stella_protocol::{ConsoleId, Object, Presence};

/// Who looks at what.
#[derive(Debug, Default)]
pub struct Attendance {
    here: Vec<Presence>,
}

impl Attendance {
    /// Takes in all of them: who is not among them is gone.
    pub(super) fn replace(&mut self, here: Vec<Presence>) {
        self.here = here;
    }

    /// All consoles but this one of this person, in the order in which they came.
    pub fn others<'a>(&'a self, own: &'a ConsoleId, me: &'a str) -> impl Iterator<Item = &'a Presence> + Clone {
        self.here.iter().filter(move |one| one.console != *own || one.who.raw() != me)
    }

    /// Those of the others that look at this.
    pub fn at<'a>(
        &'a self,
        object: &'a Object,
        own: &'a ConsoleId,
        me: &'a str,
    ) -> impl Iterator<Item = &'a Presence> + Clone {
        self.others(own, me).filter(move |one| one.look.object.as_ref() == Some(object))
    }
}
