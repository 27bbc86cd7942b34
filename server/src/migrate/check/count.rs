//! Which documents everybody has, one by one: what is compared in the end with what they must have.
//!
//! One document that was there is one that must be there, but where two became one. A copy counts for its
//! original; a tombstone is nobody's.

use super::{Becomes, Case, Content, Judge, Unread, Verdict, is_exactly, owner};
use crate::documents::Document;
use crate::migrate::map::Collection;
use crate::migrate::reference::{Rewritten, rewrite};

impl Judge<'_> {
    pub(super) fn count(
        &mut self,
        case: &Case<'_>,
        collection: &Collection,
        becomes: &Becomes,
        verdict: &Verdict,
    ) -> Result<(), Unread> {
        self.count_before(case, becomes)?;
        if matches!(becomes, Becomes::Copied(_) | Becomes::One) {
            return Ok(());
        }
        let (before, now) = (self.owner_before(case), self.owner_now(case, collection));
        if let Some(now) = &now {
            self.tally.now(now, &collection.name);
        }
        if *verdict == Verdict::Fine {
            return Ok(());
        }
        if case.before.is_none() && case.seen.is_some() {
            self.tally.loose(&collection.name);
        } else {
            self.tally.told(&collection.name, before.as_deref(), now.as_deref());
        }
        Ok(())
    }

    /// What was counted when the data was looked at, and is no document of its own any more; what was not, and
    /// was migrated with the rest.
    fn count_before(&mut self, case: &Case<'_>, becomes: &Becomes) -> Result<(), Unread> {
        let became_one = match case.left.map(|left| left.content) {
            Some(Content::Exactly(_)) => match case.before {
                Some(before) if !self.has_copy(before)? => Some(before),
                _ => None,
            },
            _ if matches!(becomes, Becomes::One) => case.before.or(case.now.map(|(now, _)| now)),
            _ => case.replaced,
        };
        if let Some((owner, name)) = became_one.filter(|_| case.seen.is_some()).and_then(|one| self.owned_by(one)) {
            self.tally.became_one(&owner, &name);
        }
        let rewritten = case.left.is_some_and(|left| left.content == Content::Rewritten);
        let late = match case.before.filter(|_| rewritten) {
            Some(before) if !self.was_seen(case, before)? => Some(before),
            _ => None,
        };
        if let Some((owner, name)) = late.and_then(|one| self.owned_by(one)) {
            self.tally.before(&owner, &name, 1);
        }
        Ok(())
    }

    /// Whether the document of this image, its own or that of its original, was there from the beginning.
    fn was_seen(&self, case: &Case<'_>, image: &Document) -> Result<bool, Unread> {
        if image.key == *case.key { Ok(case.seen.is_some()) } else { self.others.was_seen(&image.key) }
    }

    /// True when the copy that was made of it is its own.
    fn has_copy(&self, before: &Document) -> Result<bool, Unread> {
        let Some(collection) = self.map.collection(&before.key.collection) else { return Ok(false) };
        let rewritten = rewrite(self.map, collection, before, self.ids.mapping);
        let Rewritten::Changed(changed) = rewritten else { return Ok(false) };
        Ok(self.others.copied(&changed.key)?.is_some_and(|copied| copied.source == before.key))
    }

    fn owned_by(&self, document: &Document) -> Option<(String, String)> {
        let collection = self.map.collection(&document.key.collection)?;
        Some((self.owner(collection, document)?, collection.name.clone()))
    }

    /// Whose it was, as they are called now. That of a tombstone counts where it went.
    fn owner_before(&self, case: &Case<'_>) -> Option<String> {
        let before = case.before.filter(|_| case.left.is_none_or(|left| left.content == Content::Rewritten))?;
        self.owned_by(before).map(|(owner, _)| owner)
    }

    fn owner_now(&self, case: &Case<'_>, collection: &Collection) -> Option<String> {
        let (now, _) = case.now.filter(|(now, _)| !is_exactly(case, now))?;
        self.owner(collection, now)
    }

    /// Whose a document is, as they are called now.
    pub(super) fn owner(&self, collection: &Collection, document: &Document) -> Option<String> {
        let mapping = self.ids.mapping;
        let owner = owner(self.map, collection, document, &|id| mapping.knows(id))?;
        Some(mapping.target(&owner).map_or(owner.clone(), str::to_owned))
    }
}
