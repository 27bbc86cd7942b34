//! The application's own queries, the ones its users wait for: which there are, for whom they are asked, what
//! an answer shows, and whether they became slower.
//!
//! What the store holds is counted elsewhere. Here the application is believed: what it shows is what people see.
//! Pure: who asks and who keeps the answers is [`super::run`].

pub mod compare;
pub mod declare;
pub mod sample;
pub mod shape;

use std::collections::BTreeSet;

pub use compare::{Asked, row};
pub use declare::read;
pub use shape::{Path, Shape};

/// A query of the application, as the configuration declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Its name, for people: small letters, digits and `-`.
    pub name: String,
    /// The name of the base that is called.
    pub base: String,
    /// Below that base, with the user's id in it.
    pub path: Path,
    /// How the answer tells what it shows.
    pub shape: Shape,
    /// It shows exactly the documents of this collection that are the user's own; None: also others, or fewer.
    pub collection: Option<String>,
}

/// What an answer shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visible {
    /// So many things.
    Count(u64),
    /// These things, by their names.
    Items(BTreeSet<String>),
}

impl Visible {
    /// How many.
    pub fn count(&self) -> u64 {
        match self {
            Self::Count(count) => *count,
            Self::Items(items) => items.len() as u64,
        }
    }

    /// Both together: a thing that has a name counts once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Items(mut all), Self::Items(more)) => {
                all.extend(more);
                Self::Items(all)
            }
            (one, other) => Self::Count(one.count().saturating_add(other.count())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_name_counts_once_however_many_ids_show_it() {
        let items = |names: &[&str]| Visible::Items(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(items(&["a", "b"]).and(items(&["b", "c"])).count(), 3);
        assert_eq!(Visible::Count(2).and(Visible::Count(2)).count(), 4);
        assert_eq!(items(&["a"]).and(Visible::Count(2)), Visible::Count(3));
    }
}
