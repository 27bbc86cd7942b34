//! The long lists of a migration, page by page, as far as somebody looked.
//!
//! A list is asked for when it is looked at, and again once the ledger has gone on; never more often than
//! every two seconds. Of the log the last rows are kept.

use stella_protocol::Timestamp;
use stella_protocol::migration::{CollectionRow, Decision, LogRow, MappingRow, Orphan, Trouble};

use crate::effect::{MigrationList, MigrationPart, RequestId};

/// A list is asked for at most this often, in ms.
const OFTEN_MS: u64 = 2_000;
/// After a refusal it is asked for again so late, in ms.
const REFUSED_MS: u64 = 5_000;
/// Rows of a log that are kept.
const LOG_ROWS: usize = 1_000;
/// Rows of any other list that are kept: the command line lists the rest.
const ROWS: usize = 5_000;

/// What a list was asked for at: the version, and the ledger's last write where the list follows it.
pub(super) type Mark = (u64, Option<Timestamp>);

/// All lists of one migration.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) collections: Part<CollectionRow>,
    pub(super) orphans: Part<Orphan>,
    pub(super) decisions: Part<Decision>,
    pub(super) errors: Part<Trouble>,
    pub(super) log: Part<LogRow>,
    pub(super) mapping: Part<MappingRow>,
}

/// A list, as far as it is known.
#[derive(Debug)]
pub(super) struct Part<T> {
    pub(super) items: Vec<T>,
    pub(super) asking: Asking,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { items: Vec::new(), asking: Asking::default() }
    }
}

/// What was asked of a list, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Asking {
    under_way: Option<(RequestId, Page)>,
    at: u64,
    mark: Option<Mark>,
    /// More than the first page is known: it is not thrown away for news.
    is_long: bool,
    pub(super) next: Option<String>,
    pub(super) failure: Option<String>,
    pub(super) is_loaded: bool,
}

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The first: it takes the place of what is known.
    First,
    /// Behind what is known.
    More,
}

impl Asking {
    /// When it is to be asked for again; None: it is as new as it can be, or an answer is awaited.
    pub(super) fn due_at(&self, mark: Mark, is_log: bool) -> Option<u64> {
        if self.under_way.is_some() {
            return None;
        }
        if self.failure.is_some() {
            return Some(self.at + REFUSED_MS);
        }
        // A log has more to tell as long as it says so.
        if is_log && self.next.is_some() {
            return Some(self.at);
        }
        let is_news = self.mark != Some(mark) && !self.is_long;
        is_news.then_some(if self.is_loaded { self.at + OFTEN_MS } else { self.at })
    }

    pub(super) fn asked(&mut self, request: RequestId, page: Page, now: u64, mark: Mark) {
        self.under_way = Some((request, page));
        self.at = now;
        self.mark = Some(mark);
    }

    /// It is looked at anew: what is known may be old, however much of it there is.
    pub(super) fn renew(&mut self) {
        self.mark = None;
        self.is_long = false;
    }

    /// True when there is another page, and nobody asked for it yet.
    pub(super) fn may_go_on(&self) -> bool {
        self.next.is_some() && self.under_way.is_none()
    }

    /// Takes the name of an answer; None: it is not the one that is awaited.
    fn answered(&mut self, request: RequestId) -> Option<Page> {
        self.under_way.take_if(|(asked, _)| *asked == request).map(|(_, page)| page)
    }
}

impl<T> Part<T> {
    fn take(&mut self, request: RequestId, items: Vec<T>, next: Option<String>) {
        let Some(page) = self.asking.answered(request) else { return };
        self.asking.failure = None;
        self.asking.is_loaded = true;
        self.asking.is_long = page == Page::More;
        match page {
            Page::First => self.items = items,
            Page::More => self.items.extend(items),
        }
        self.asking.next = next.filter(|_| self.items.len() < ROWS);
    }
}

impl Parts {
    /// What was asked of a list.
    pub(super) fn asking(&self, list: MigrationList) -> &Asking {
        match list {
            MigrationList::Collections => &self.collections.asking,
            MigrationList::Orphans => &self.orphans.asking,
            MigrationList::Decisions => &self.decisions.asking,
            MigrationList::Errors => &self.errors.asking,
            MigrationList::Log => &self.log.asking,
            MigrationList::Mapping => &self.mapping.asking,
        }
    }

    /// The same, to write down what is asked.
    pub(super) fn asking_mut(&mut self, list: MigrationList) -> &mut Asking {
        match list {
            MigrationList::Collections => &mut self.collections.asking,
            MigrationList::Orphans => &mut self.orphans.asking,
            MigrationList::Decisions => &mut self.decisions.asking,
            MigrationList::Errors => &mut self.errors.asking,
            MigrationList::Log => &mut self.log.asking,
            MigrationList::Mapping => &mut self.mapping.asking,
        }
    }

    /// Where the next page of a list begins, when it is not the first one.
    pub(super) fn behind(&self, list: MigrationList) -> Option<String> {
        if list == MigrationList::Log {
            return self.log.items.last().map(|row| row.number.to_string());
        }
        self.asking(list).next.clone()
    }

    /// Takes a page.
    pub(super) fn take(&mut self, request: RequestId, part: MigrationPart) {
        match part {
            MigrationPart::Collections(page) => self.collections.take(request, page.items, page.next),
            MigrationPart::Orphans(page) => self.orphans.take(request, page.items, page.next),
            MigrationPart::Decisions(page) => self.decisions.take(request, page.items, page.next),
            MigrationPart::Errors(page) => self.errors.take(request, page.items, page.next),
            MigrationPart::Mapping(page) => self.mapping.take(request, page.items, page.next),
            MigrationPart::Log(page) => {
                let known = self.log.items.last().map_or(0, |row| row.number);
                let fresh = page.items.into_iter().filter(|row| row.number > known).collect();
                self.log.take(request, fresh, page.next);
                // What follows is news, however much is known.
                self.log.asking.is_long = false;
                let more = self.log.items.len().saturating_sub(LOG_ROWS);
                self.log.items.drain(..more);
            }
        }
    }

    /// Takes that there is no answer.
    pub(super) fn refuse(&mut self, request: RequestId, list: MigrationList, why: String) {
        let asking = self.asking_mut(list);
        if asking.answered(request).is_some() {
            asking.failure = Some(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use stella_protocol::migration::{LogPage, MappingPage};

    use super::*;

    fn row(number: u64) -> LogRow {
        LogRow { number, at: Timestamp::default(), text: "x".into() }
    }

    #[test]
    fn of_a_log_the_last_rows_are_kept_each_once_and_it_is_asked_on() {
        let mut parts = Parts::default();
        parts.log.asking.asked(RequestId(1), Page::More, 0, (1, None));
        let first = LogPage { items: (1..=1_200).map(row).collect(), next: Some("1200".to_owned()) };
        parts.take(RequestId(1), MigrationPart::Log(first));
        assert_eq!((parts.log.items.len(), parts.log.items[0].number), (LOG_ROWS, 201));
        assert_eq!(parts.log.asking.due_at((1, None), true), Some(0), "the rest at once");
        assert_eq!(parts.behind(MigrationList::Log), Some("1200".to_owned()));
        parts.log.asking.asked(RequestId(2), Page::More, 5, (1, None));
        parts.take(RequestId(2), MigrationPart::Log(LogPage { items: vec![row(1_200), row(1_201)], next: None }));
        assert_eq!(parts.log.items.last().map(|row| row.number), Some(1_201));
        assert_eq!(parts.log.items.len(), LOG_ROWS);
        assert_eq!(parts.log.asking.due_at((1, None), true), None);
    }

    #[test]
    fn news_asks_again_but_not_at_once_and_an_old_answer_is_dropped() {
        let mut parts = Parts::default();
        assert_eq!(parts.mapping.asking.due_at((1, None), false), Some(0));
        parts.mapping.asking.asked(RequestId(1), Page::First, 100, (1, None));
        parts.take(RequestId(9), MigrationPart::Mapping(MappingPage { items: Vec::new(), next: None }));
        assert!(!parts.mapping.asking.is_loaded);
        parts.take(RequestId(1), MigrationPart::Mapping(MappingPage { items: Vec::new(), next: None }));
        assert_eq!(parts.mapping.asking.due_at((1, None), false), None);
        assert_eq!(parts.mapping.asking.due_at((2, None), false), Some(100 + OFTEN_MS));
        parts.mapping.asking.asked(RequestId(2), Page::First, 200, (2, None));
        parts.refuse(RequestId(2), MigrationList::Mapping, "no".to_owned());
        assert_eq!(parts.mapping.asking.due_at((2, None), false), Some(200 + REFUSED_MS));
    }
}
