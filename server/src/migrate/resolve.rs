//! Who is who: every id that was seen goes to exactly one hash id, or is listed for a person to look at.
//!
//! One person has one id. What user documents and e-mails say is evidence; what stands beside an id is told
//! and never acted upon. The same users, data, key and answers give the same end, in whatever order the
//! documents came.
//!
//! Deliberately not here: what documents become (that is [`super::reference`]'s), and how answers are kept.

mod claims;
mod groups;
mod nobody;
mod questions;
pub mod scope;
#[cfg(test)]
mod tests;

pub use nobody::Chosen;
pub use questions::{NOBODY, ONE_PERSON, question_id};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use stella_protocol::Text;
use stella_protocol::migration::{Decided, Decision, Evidence, MappingRow, Orphan, OrphanDecision};

use super::form::{self, Form, HashId, MintKey, NoIdLeft};
use super::reference::{Mapping, MappingError};
use super::roll::Roll;
use super::survey::{Report, SeenId};
use claims::{Claims, Name, Why};
use groups::Groups;
use questions::Question;

/// Why nothing can be said of who is who.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No new id is left.
    #[error(transparent)]
    Mint(#[from] NoIdLeft),
    /// Two ids that are compared alike would go to different people.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}

/// All that who is who follows from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'s> {
    /// The path of the collection of users.
    pub users: &'s str,
    /// The users.
    pub roll: &'s Roll,
    /// What the data hold.
    pub report: &'s Report,
    /// Makes new ids.
    pub key: &'s MintKey,
    /// What was decided of questions, by their names. An option that a question does not have counts as none.
    pub questions: &'s BTreeMap<String, Decided>,
    /// What was chosen for ids without a user, by the id.
    pub orphans: &'s BTreeMap<String, OrphanDecision>,
}

/// Who is who.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// Every id that the data hold and that is somebody's, and the hash id that it becomes; the same where a
    /// valid one stays. What a plan binds.
    pub pairs: BTreeMap<String, String>,
    /// Further ids of the same people that the data do not hold: a sign-in, or a form that a late writer may
    /// still store. What aliases are made of, and what is rewritten when it turns up.
    pub further: BTreeMap<String, String>,
    /// Both, to rewrite with.
    pub mapping: Mapping,
    /// Both for people, by old id, with evidence.
    pub rows: Vec<MappingRow>,
    /// Every question, open ones first.
    pub decisions: Vec<Decision>,
    /// Ids of questions that are open or whose answer is that nobody can say: they stay as they are.
    pub undecided: BTreeSet<String>,
    /// Every id without a user, most references first.
    pub orphans: Vec<Orphan>,
    /// What is done with some of those.
    pub chosen: BTreeMap<String, Chosen>,
    /// Dummies (form G), and ids of user documents that are: they stay as they are, and are no orphans. In
    /// order.
    pub system: Vec<SeenId>,
    /// References to ids that were only counted: nothing is known of them, so no plan is complete.
    pub unlisted: u64,
}

impl Resolution {
    /// Questions that nobody answered.
    pub fn open(&self) -> u64 {
        self.decisions.iter().filter(|decision| decision.decided.is_none()).count() as u64
    }

    /// Ids that are somebody's, or nobody's on purpose, and become nothing else: undecided ones, dummies.
    pub fn stays(&self) -> BTreeSet<String> {
        let system = self.system.iter().map(|seen| seen.id.raw().to_owned());
        system.chain(self.undecided.iter().cloned()).collect()
    }

    /// What becomes of a reference to this id.
    pub fn place_of(&self, id: &str) -> Standing {
        let spelt = |ids: &BTreeSet<String>| ids.contains(id) || ids.contains(form::folded(id).as_ref());
        if spelt(&self.undecided) {
            Standing::Undecided
        } else if self.mapping.target(id).is_some() {
            Standing::Goes
        } else if Form::of(id) == Form::Dummy || self.system.binary_search_by(|seen| seen.id.raw().cmp(id)).is_ok() {
            Standing::System
        } else if self.mapping.knows(id) {
            Standing::Stays
        } else {
            Standing::Orphan
        }
    }
}

/// What becomes of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It becomes another.
    Goes,
    /// It is somebody's one id.
    Stays,
    /// Somebody has to say, or said that nobody can.
    Undecided,
    /// Nobody, on purpose.
    System,
    /// It has no user.
    Orphan,
}

/// Finds out who is who.
///
/// # Errors
/// When no new id is left, or two that are compared alike would go to different people.
pub fn resolve(sources: &Sources<'_>) -> Result<Resolution, ResolveError> {
    let seen: BTreeMap<&str, &SeenId> = sources.report.ids.iter().map(|seen| (seen.id.raw(), seen)).collect();
    let mut claims = Claims::of(sources.roll);
    for id in seen.keys() {
        claims.spell(id);
    }
    let is_seen = |id: &str| seen.contains_key(id);
    let questions = questions::questions(&claims, sources.users, sources.questions, is_seen);
    let mut groups = Groups::new(&claims.names);
    questions::unite(&questions, &mut groups);
    let mut work = Work { sources, seen, claims, groups, questions, targets: BTreeMap::new(), minted: BTreeSet::new() };
    let holders = work.holders();
    work.aim(&holders)?;
    work.done(&holders)
}

/// Who holds each id, as it is compared; None: nobody who could be named.
type Holders = BTreeMap<String, Option<Name>>;

/// Which of several valid ids stays, the lowest first: whether no user document has it, how often it is
/// referred to, the id itself.
type Rank<'c> = (bool, Reverse<u64>, &'c str);

struct Work<'w> {
    sources: &'w Sources<'w>,
    seen: BTreeMap<&'w str, &'w SeenId>,
    claims: Claims,
    groups: Groups,
    questions: Vec<Question>,
    /// The one id of each person, by who stands for them.
    targets: BTreeMap<Name, HashId>,
    minted: BTreeSet<HashId>,
}

impl Work<'_> {
    fn references(&self, id: &str) -> u64 {
        self.seen.get(id).map_or(0, |seen| seen.references)
    }

    fn holders(&self) -> Holders {
        let asked: BTreeMap<&str, &Question> =
            self.questions.iter().map(|question| (question.id.as_str(), question)).collect();
        let holder = |(id, claim): (&String, &claims::Claim)| {
            if let Some(question) = asked.get(id.as_str()) {
                return (id.clone(), questions::holder(question, &self.groups));
            }
            let people: BTreeSet<&Name> = claim.people.keys().map(|name| self.groups.head(name)).collect();
            (id.clone(), people.first().filter(|_| people.len() == 1).map(|name| (*name).clone()))
        };
        self.claims.by_id.iter().map(holder).collect()
    }

    /// Finds everybody's one id.
    fn aim(&mut self, holders: &Holders) -> Result<(), NoIdLeft> {
        let mut valid: BTreeMap<&Name, BTreeMap<Rank<'_>, HashId>> = BTreeMap::new();
        for (id, claim) in &self.claims.by_id {
            let hash = HashId::parse(id).filter(|_| self.sources.roll.form(id) == Form::Hash);
            if let (Some(Some(holder)), Some(hash)) = (holders.get(id), hash) {
                let is_document =
                    |reasons: &BTreeSet<(Why, String)>| reasons.iter().any(|(why, _)| *why == Why::Document);
                let no_document = !claim.people.values().any(is_document);
                let rank = (no_document, Reverse(self.references(id)), id.as_str());
                valid.entry(holder).or_default().insert(rank, hash);
            }
        }
        let valid: BTreeMap<Name, HashId> =
            valid.into_iter().filter_map(|(name, ids)| Some((name.clone(), ids.into_values().next()?))).collect();
        let people: Vec<(Name, String)> =
            self.groups.all().into_iter().map(|(head, names)| (head.clone(), self.minted_of(head, &names))).collect();
        for (head, of) in people {
            let target = match valid.get(&head) {
                Some(hash) => hash.clone(),
                None => self.mint(&of)?,
            };
            self.targets.insert(head, target);
        }
        Ok(())
    }

    /// What a new id is made of: the e-mail, the smallest of several; else the id as it is compared.
    fn minted_of(&self, head: &Name, names: &BTreeSet<&Name>) -> String {
        let email = names.iter().filter_map(|name| self.claims.emails.get(*name)).min();
        email.cloned().unwrap_or_else(|| form::folded(head).into_owned())
    }

    fn taken(&self, id: &str) -> bool {
        let minted = self.minted.iter().any(|minted| minted.as_str() == id);
        minted || self.sources.roll.knows(id) || self.seen.contains_key(id)
    }

    fn mint(&mut self, of: &str) -> Result<HashId, NoIdLeft> {
        let minted = self.sources.key.mint(of, |id| self.taken(id))?;
        self.minted.insert(minted.clone());
        Ok(minted)
    }

    fn done(mut self, holders: &Holders) -> Result<Resolution, ResolveError> {
        let mut rows = self.rows(holders);
        let (orphans, chosen) = self.orphans(holders, &mut rows)?;
        rows.sort_by(|a, b| a.from.raw().cmp(b.from.raw()));
        let (mut pairs, mut further) = (BTreeMap::new(), BTreeMap::new());
        for row in &rows {
            let of = if self.seen.contains_key(row.from.raw()) { &mut pairs } else { &mut further };
            of.insert(row.from.raw().to_owned(), row.to.raw().to_owned());
        }
        let undecided = self.undecided(holders);
        let system: Vec<SeenId> =
            self.seen.values().filter(|seen| self.is_system(seen)).map(|seen| (*seen).clone()).collect();
        let stay = undecided.iter().cloned().chain(system.iter().map(|seen| seen.id.raw().to_owned()));
        let archived = chosen.iter().filter(|(_, chosen)| **chosen == Chosen::Archive).map(|(id, _)| id.clone());
        let mapping = mapping_of([&pairs, &further], stay)?.archiving(archived);
        let mut decisions: Vec<Decision> = self
            .questions
            .into_iter()
            .filter(|question| questions::matters(question, &self.groups))
            .map(|question| question.decision)
            .collect();
        decisions.sort_by(|a, b| (a.decided.is_some(), a.id.raw()).cmp(&(b.decided.is_some(), b.id.raw())));
        let unlisted = self.sources.report.not_listed.references;
        Ok(Resolution { pairs, further, mapping, rows, decisions, undecided, orphans, chosen, system, unlisted })
    }

    fn is_system(&self, seen: &SeenId) -> bool {
        let id = form::folded(seen.id.raw());
        let claimed = self.claims.by_id.contains_key(id.as_ref());
        !claimed && (seen.form == Form::Dummy || self.claims.system.contains(id.as_ref()))
    }

    /// Ids that somebody claims and nobody gets.
    fn undecided(&self, holders: &Holders) -> BTreeSet<String> {
        let ids = holders.iter().filter(|(_, holder)| holder.is_none()).filter_map(|(id, _)| self.claims.by_id.get(id));
        ids.flat_map(|claim| claim.spelt.iter().cloned()).collect()
    }

    fn rows(&self, holders: &Holders) -> Vec<MappingRow> {
        let decided: BTreeMap<&str, &Decided> = self
            .questions
            .iter()
            .filter_map(|question| Some((question.id.as_str(), question.decision.decided.as_ref()?)))
            .collect();
        let mut rows = Vec::new();
        for (id, claim) in &self.claims.by_id {
            let Some(Some(holder)) = holders.get(id) else { continue };
            let Some(target) = self.targets.get(holder) else { continue };
            let evidence = claim.evidence(self.sources.users, |name| self.groups.head(name) == holder);
            for spelt in &claim.spelt {
                rows.push(MappingRow {
                    from: Text::new(spelt.clone()),
                    form: Text::new(self.sources.roll.form(spelt).to_string()),
                    to: Text::new(target.as_str().to_owned()),
                    minted: self.minted.contains(target),
                    references: self.references(spelt),
                    evidence: evidence.clone(),
                    decided_by: decided.get(id.as_str()).map(|decided| decided.by.clone()),
                });
            }
        }
        rows
    }

    /// Ids without a user, and what is done with them; rows for those that become another.
    fn orphans(
        &mut self,
        holders: &Holders,
        rows: &mut Vec<MappingRow>,
    ) -> Result<(Vec<Orphan>, BTreeMap<String, Chosen>), NoIdLeft> {
        let report = self.sources.report;
        let is_nobodys = |id: &str| !holders.contains_key(id) && !self.claims.system.contains(id);
        let nobodys = report.orphans.iter().filter(|one| is_nobodys(form::folded(one.id.raw()).as_ref()));
        let mut nobodys: Vec<_> = nobodys.collect();
        nobodys.sort_by(|a, b| b.references.cmp(&a.references).then_with(|| a.id.raw().cmp(b.id.raw())));
        // Where case says nothing, two ways to write an id are one id: the more used one decides.
        let mut decisions: BTreeMap<String, &OrphanDecision> = BTreeMap::new();
        for orphan in &nobodys {
            if let Some(decision) = self.sources.orphans.get(orphan.id.raw()) {
                decisions.entry(form::folded(orphan.id.raw()).into_owned()).or_insert(decision);
            }
        }
        let (mut orphans, mut chosen) = (Vec::new(), BTreeMap::new());
        for orphan in nobodys {
            let decision = decisions.get(form::folded(orphan.id.raw()).as_ref()).copied();
            let current = |user: &str| self.current(holders, user).map(|id| id.as_str().to_owned());
            orphans.push(nobody::told(orphan, decision, &current));
            let Some(decision) = decision else { continue };
            let now =
                nobody::chosen(orphan.id.raw(), decision, &|user| self.user(holders, user), self.sources.key, &|id| {
                    self.taken(id)
                })?;
            let Some(now) = now else { continue };
            if let Some(target) = now.target() {
                rows.push(self.orphan_row(orphan.id.raw(), target, &now, decision));
            }
            chosen.insert(orphan.id.raw().to_owned(), now);
        }
        self.minted.extend(chosen.values().filter_map(Chosen::target).cloned());
        Ok((orphans, chosen))
    }

    fn orphan_row(&self, id: &str, target: &HashId, chosen: &Chosen, decision: &OrphanDecision) -> MappingRow {
        let mapped = matches!(chosen, Chosen::Map(_));
        let approver = decision.approved_by.as_ref().filter(|_| mapped);
        let evidence = Evidence { what: decision.reason.clone(), document: Text::new(String::new()) };
        MappingRow {
            from: Text::new(id.to_owned()),
            form: Text::new(self.sources.roll.form(id).to_string()),
            to: Text::new(target.as_str().to_owned()),
            minted: !mapped || self.minted.contains(target),
            references: self.references(id),
            evidence: vec![evidence],
            decided_by: Some(approver.unwrap_or(&decision.by).clone()),
        }
    }

    /// The one id of whoever has this one.
    fn current(&self, holders: &Holders, id: &str) -> Option<&HashId> {
        self.targets.get(holders.get(form::folded(id).as_ref())?.as_ref()?)
    }

    /// The same, for what somebody named: one of somebody's ids, or what it becomes.
    fn user(&self, holders: &Holders, id: &str) -> Option<HashId> {
        let target = self.targets.values().find(|target| target.as_str() == id);
        target.or_else(|| self.current(holders, id)).cloned()
    }
}

/// A mapping of pairs as a plan keeps them. Ids that `stay` are somebody's and become nothing else.
///
/// # Errors
/// When one of the targets is no hash id, or the pairs contradict each other.
pub fn mapping_of<'p>(
    pairs: impl IntoIterator<Item = &'p BTreeMap<String, String>>,
    stay: impl IntoIterator<Item = String>,
) -> Result<Mapping, MappingError> {
    let pairs = pairs.into_iter().flatten();
    let good = pairs.map(|(old, new)| Ok((old.clone(), HashId::parse(new).ok_or(MappingError::NoHash)?)));
    Mapping::new(good.collect::<Result<Vec<_>, _>>()?, stay)
}
