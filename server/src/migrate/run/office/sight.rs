//! What people see: documents by owner and collection, as the application finds them, before, now and in the
//! end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stella_protocol::Text;
use stella_protocol::migration::{MappingRow, UserCheck, UserPlace};

use crate::documents::{Document, DocumentsError};
use crate::migrate::Mapping;
use crate::migrate::Rewritten;
use crate::migrate::check::owner;
use crate::migrate::map::Collection;
use crate::migrate::plan::Plan;
use crate::migrate::reference::rewrite;
use crate::migrate::run::ledger::{Ledger, Owned};
use crate::migrate::run::site::walk::{PAGE, is_tombstone};
use crate::migrate::run::site::{ALIASES, Ended, Site, apart, mapping};

/// Documents by owner and collection.
type Counts = BTreeMap<(String, String), u64>;

/// What everybody sees.
pub(super) struct Sight {
    /// When the data was looked at, by id as it stood there.
    before: Counts,
    /// Now, by id as it stands there.
    now: Counts,
    /// In the end, by the id that stays.
    expected: Counts,
}

impl Sight {
    /// Looks at every declared document.
    ///
    /// # Errors
    /// When store or ledger does not answer.
    pub async fn look(site: &Site, plan: &Plan, ledger: Arc<Ledger>) -> Result<Self, Ended> {
        let ids = mapping(plan)?;
        let before = apart(move || Ok(counted(&ledger)?)).await?;
        let mut sight = Self { before, now: Counts::new(), expected: Counts::new() };
        let mut rest: Vec<(String, Option<String>)> = Vec::new();
        let roots = site.documents.collections(None).await?;
        rest.extend(roots.into_iter().filter(|name| name != ALIASES).map(|name| (name, None)));
        while let Some((path, after)) = rest.pop() {
            let page = site.documents.scan(&path, after.as_deref(), PAGE).await?;
            if page.next.is_some() {
                rest.push((path.clone(), page.next));
            }
            let has_below = site.documents.has_below(&path).await?;
            for document in &page.documents {
                let below = document.key.path();
                let names = if has_below { site.documents.collections(Some(&below)).await? } else { Vec::new() };
                rest.extend(names.into_iter().map(|name| (format!("{below}/{name}"), None)));
                sight.take(site, &ids, document).await?;
            }
        }
        Ok(sight)
    }

    async fn take(&mut self, site: &Site, ids: &Mapping, document: &Document) -> Result<(), DocumentsError> {
        let Some(collection) = site.map.collection(&document.key.collection) else { return Ok(()) };
        if is_tombstone(&document.fields) {
            return Ok(());
        }
        let Some(owner) = owner(&site.map, collection, document, &|id| ids.knows(id)) else { return Ok(()) };
        let target = ids.target(&owner).unwrap_or(&owner).to_owned();
        let key = |id: String| (id, collection.name.clone());
        *self.now.entry(key(owner)).or_default() += 1;
        // Of an original and its copy, one stays in the end.
        if !self.waits(site, collection, ids, document).await? {
            *self.expected.entry(key(target)).or_default() += 1;
        }
        Ok(())
    }

    async fn waits(
        &self,
        site: &Site,
        collection: &Collection,
        ids: &Mapping,
        document: &Document,
    ) -> Result<bool, DocumentsError> {
        match rewrite(&site.map, collection, document, ids) {
            Rewritten::Changed(changed) if changed.key != document.key => {
                Ok(site.documents.get(&changed.key).await?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// What one person sees; `rows` are all of their ids.
    pub fn of(&self, user: &str, rows: &[MappingRow]) -> UserCheck {
        let olds: BTreeSet<&str> = rows.iter().map(|row| row.from.raw()).filter(|id| *id != user).collect();
        let ids = || olds.iter().copied().chain([user]);
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for id in ids() {
            for counts in [&self.before, &self.now, &self.expected] {
                let first = (id.to_owned(), String::new());
                let own = counts.range(first..).take_while(|((owner, _), _)| owner == id);
                names.extend(own.map(|((_, name), _)| name.as_str()));
            }
        }
        let count =
            |counts: &Counts, id: &str, name: &str| counts.get(&(id.to_owned(), name.to_owned())).copied().unwrap_or(0);
        let place = |name: &str| UserPlace {
            collection: Text::new(name.to_owned()),
            before: count(&self.before, user, name),
            now: count(&self.now, user, name),
            expected: count(&self.expected, user, name),
        };
        UserCheck {
            user: Text::new(user.to_owned()),
            old_ids: olds.iter().map(|id| Text::new((*id).to_owned())).collect(),
            places: names.into_iter().map(place).collect(),
            old_id_uses: Vec::new(),
        }
    }

    /// Everybody who gets another id, or loses a second one.
    pub fn all(&self, rows: &[MappingRow]) -> Vec<UserCheck> {
        let mut people: BTreeMap<&str, Vec<MappingRow>> = BTreeMap::new();
        for row in rows {
            people.entry(row.to.raw()).or_default().push(row.clone());
        }
        let touched = |rows: &Vec<MappingRow>| rows.iter().any(|row| row.from != row.to && row.references > 0);
        people.into_iter().filter(|(_, rows)| touched(rows)).map(|(user, rows)| self.of(user, &rows)).collect()
    }
}

fn counted(ledger: &Ledger) -> Result<Counts, crate::migrate::run::ledger::LedgerError> {
    let (mut counts, mut after) = (Counts::new(), None::<(String, String)>);
    loop {
        let from = after.as_ref().map(|(user, name)| (user.as_str(), name.as_str()));
        let rows = ledger.owned(from, PAGE)?;
        let Some(last) = rows.last() else { return Ok(counts) };
        after = Some((last.user.clone(), last.name.clone()));
        counts.extend(rows.into_iter().map(|Owned { user, name, documents }| ((user, name), documents)));
    }
}
