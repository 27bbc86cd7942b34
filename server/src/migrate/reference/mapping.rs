//! Which id becomes which: made once, by a plan, and never changed.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::migrate::form::{self, HashId};

/// Why some pairs are no mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Nothing is nobody's id.
    #[error("map ids: an id is empty")]
    Empty,
    /// One id cannot become two.
    #[error("map ids: one of them is to become two different ids")]
    Twice,
    /// What ids become is a hash id, always.
    #[error("map ids: one of them is to become what is no hash id")]
    NoHash,
    /// Doing it again would change what was changed.
    #[error("map ids: one that others become is itself to become another")]
    Chain,
}

/// Old ids and the hash ids that they become. Nothing but a hash id can be a target; several old ids may
/// have the same one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// By the old id, in lower case where case says nothing.
    ids: HashMap<String, HashId>,
    pseudonyms: HashMap<String, String>,
    /// Ids that are somebody's and do not change.
    stay: HashSet<String>,
    /// Ids without a user whose documents are archived, as they are compared.
    archived: HashSet<String>,
}

impl Mapping {
    /// From pairs; a pair of equal ids says that this one stays. `stay` are further ids that are known to be
    /// somebody's: they do not change, and what holds one of them is not taken for another's.
    ///
    /// # Errors
    /// When the pairs contradict each other.
    pub fn new(
        pairs: impl IntoIterator<Item = (String, HashId)>,
        stay: impl IntoIterator<Item = String>,
    ) -> Result<Self, MappingError> {
        let mut mapping = Self::default();
        mapping.stay.extend(stay);
        let mut targets = BTreeSet::new();
        for (old, new) in pairs {
            if old.is_empty() {
                return Err(MappingError::Empty);
            }
            mapping.add(&old, &new)?;
            targets.insert(new.as_str().to_owned());
        }
        for target in &targets {
            let own = form::pseudonym(target);
            mapping.pseudonyms.entry(own.clone()).or_insert(own);
        }
        if targets.iter().any(|target| mapping.target(target).is_some()) {
            return Err(MappingError::Chain);
        }
        if mapping.stay.iter().any(|id| mapping.target(id).is_some()) {
            return Err(MappingError::Twice);
        }
        mapping.stay.extend(targets);
        Ok(mapping)
    }

    /// The same, and what these ids without a user own is marked as archived.
    #[must_use]
    pub fn archiving(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.archived.extend(ids.into_iter().map(|id| form::folded(&id).into_owned()));
        self
    }

    fn add(&mut self, old: &str, new: &HashId) -> Result<(), MappingError> {
        let pseudonym = form::pseudonym(new.as_str());
        let other = self.ids.insert(form::folded(old).into_owned(), new.clone());
        let other_pseudonym = self.pseudonyms.insert(form::pseudonym(old), pseudonym.clone());
        let same = other.is_none_or(|other| other == *new) && other_pseudonym.is_none_or(|other| other == pseudonym);
        if same { Ok(()) } else { Err(MappingError::Twice) }
    }

    /// True when what this id owns is archived.
    pub fn archives(&self, id: &str) -> bool {
        !self.archived.is_empty() && self.archived.contains(form::folded(id).as_ref())
    }

    /// True when it archives what somebody owns.
    pub(super) fn archives_any(&self) -> bool {
        !self.archived.is_empty()
    }

    /// What this id becomes; None: it stays as it is. Where case says nothing, it makes no difference.
    pub fn target(&self, id: &str) -> Option<&str> {
        let target = self.ids.get(form::folded(id).as_ref())?.as_str();
        (target != id).then_some(target)
    }

    /// What this pseudonym of an id becomes; None: it stays.
    pub fn pseudonym_target(&self, pseudonym: &str) -> Option<&str> {
        let target = self.pseudonyms.get(pseudonym)?;
        (target != pseudonym).then_some(target)
    }

    /// True for an id that is known to be somebody's, whether it stays or not.
    pub fn knows(&self, id: &str) -> bool {
        self.stay.contains(id) || self.ids.contains_key(form::folded(id).as_ref())
    }

    /// The same for pseudonyms.
    pub(super) fn knows_pseudonym(&self, pseudonym: &str) -> bool {
        self.pseudonyms.contains_key(pseudonym)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn hash(letter: char) -> HashId {
        HashId::parse(&format!("usr_{}", letter.to_string().repeat(20))).unwrap()
    }

    fn mapping(pairs: &[(&str, HashId)]) -> Result<Mapping, MappingError> {
        Mapping::new(pairs.iter().map(|(old, new)| ((*old).to_owned(), new.clone())), [])
    }

    #[test]
    fn several_ids_may_become_one_but_one_never_two_and_none_goes_on() {
        let (a, b) = (hash('a'), hash('b'));
        let good = mapping(&[("ana_example_com", a.clone()), ("7", a.clone()), (a.as_str(), a.clone())]).unwrap();
        assert_eq!(good.target("ana_example_com"), Some(a.as_str()));
        assert_eq!(good.target("ANA_example_com"), Some(a.as_str()), "case says nothing in an e-mail");
        assert_eq!(good.target(a.as_str()), None, "it is there already");
        assert_eq!(good.target("bo"), None);
        let shouted = mapping(&[("ANA@Example.com", a.clone())]).unwrap();
        assert_eq!(shouted.target("ana@example.com"), Some(a.as_str()), "however it is spelt in the mapping");
        let split = [("ANA@Example.com", a.clone()), ("ana@example.com", b.clone())];
        assert_eq!(mapping(&split), Err(MappingError::Twice), "one e-mail is one person's");
        let stays = Mapping::new([("7".to_owned(), a.clone())], ["7".to_owned()]);
        assert_eq!(stays, Err(MappingError::Twice), "it cannot stay and go");
        assert_eq!(good.pseudonym_target(&form::pseudonym("7")), Some(form::pseudonym(a.as_str()).as_str()));
        assert_eq!(mapping(&[("7", a.clone()), ("7", b.clone())]), Err(MappingError::Twice));
        assert_eq!(mapping(&[("7", a.clone()), (a.as_str(), b.clone())]), Err(MappingError::Chain));
        assert_eq!(mapping(&[(a.as_str(), b), ("7", a.clone())]), Err(MappingError::Chain), "in any order");
        assert_eq!(mapping(&[("", hash('c'))]), Err(MappingError::Empty));
    }
}
