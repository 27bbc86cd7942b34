//! Ids without a user: what is known of them, whose they could be, and what somebody chose.
//!
//! What speaks for somebody is told and never acted upon.

use std::collections::{BTreeMap, BTreeSet};

use stella_protocol::Text;
use stella_protocol::migration::{CandidateId, Evidence, Orphan, OrphanChoice, OrphanDecision};

use crate::migrate::form::{self, HashId, MintKey, NoIdLeft};
use crate::migrate::survey::{Beside, Orphan as Unclaimed};

/// What is done with an id without a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// Its documents get this id, of a user document that is made for them.
    Placeholder(HashId),
    /// What it owns is marked as archived; the id stays.
    Archive,
    /// Its documents are this user's.
    Map(HashId),
}

impl Chosen {
    /// The id that it becomes.
    pub fn target(&self) -> Option<&HashId> {
        match self {
            Self::Placeholder(id) | Self::Map(id) => Some(id),
            Self::Archive => None,
        }
    }
}

/// An id without a user as everyone sees it. `current` says which id a user document has after all.
pub(super) fn told(
    orphan: &Unclaimed,
    decision: Option<&OrphanDecision>,
    current: &dyn Fn(&str) -> Option<String>,
) -> Orphan {
    let known = orphan.copies.iter().map(|copy| Evidence { what: said(copy), document: orphan.example.clone() });
    let mut candidates: BTreeMap<String, Vec<Evidence>> = BTreeMap::new();
    for copy in &orphan.copies {
        let users: BTreeSet<String> = copy.users.iter().filter_map(|user| current(user.raw())).collect();
        for user in users {
            let evidence = Evidence { what: said(copy), document: orphan.example.clone() };
            candidates.entry(user).or_default().push(evidence);
        }
    }
    Orphan {
        id: orphan.id.clone(),
        form: Text::new(orphan.form.to_string()),
        documents: orphan.documents.clone(),
        references: orphan.references,
        known: known.collect(),
        candidates: candidates
            .into_iter()
            .map(|(user, evidence)| CandidateId { user: Text::new(user), evidence })
            .collect(),
        decision: decision.cloned(),
    }
}

fn said(copy: &Beside) -> Text {
    Text::new(format!("beside it {} says {}", copy.path.raw(), copy.text.raw()))
}

/// What is to be done now: nothing while an id is in quarantine, while nobody else approved what one person
/// maps, or when there is no such user.
///
/// # Errors
/// When no new id is left.
pub(super) fn chosen(
    id: &str,
    decision: &OrphanDecision,
    users: &dyn Fn(&str) -> Option<HashId>,
    key: &MintKey,
    taken: &dyn Fn(&str) -> bool,
) -> Result<Option<Chosen>, NoIdLeft> {
    Ok(match decision.choice {
        OrphanChoice::Quarantine | OrphanChoice::Unknown => None,
        OrphanChoice::Archive => Some(Chosen::Archive),
        OrphanChoice::Placeholder => Some(Chosen::Placeholder(key.mint(form::folded(id).as_ref(), taken)?)),
        OrphanChoice::Map => {
            let approved = decision.approved_by.as_ref().is_some_and(|who| *who != decision.by);
            let user = decision.user.as_ref().filter(|_| approved);
            user.and_then(|user| users(user.raw())).map(Chosen::Map)
        }
    })
}
