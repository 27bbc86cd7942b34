//! The tree that a new form of message walks down to the templates it may belong to: how many words,
//! the first, the second; then a leaf with few templates.
//!
//! After He, Zhu, Zheng and Lyu, "Drain: an online log parsing approach with fixed depth tree" (ICWS
//! 2017). Other than there, a word that differs never merges two templates by similarity alone (`disk
//! full` and `disk fine` are alike); it takes many siblings, see [`super::grown`].

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use super::words::Word;

/// Most words that a node tells apart; later ones share a branch. Sixty-four verbs begin messages of
/// one length in few systems, and users, hosts and files do not stop there.
const MOST_BRANCHES: usize = 64;

/// Most templates of a leaf that a new form is compared with, the newest first: the bound of its cost.
pub(super) const MOST_COMPARED: usize = 64;

/// How many words, and the branches taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    length: u8,
    branches: [Word; 2],
}

/// A leaf keeps its templates in the order in which they came to it.
/// Whoever goes is mostly the oldest, and found first.
type Leaf = VecDeque<u32>;
type Branch = FxHashMap<Word, Leaf>;

/// Where templates are, by place.
#[derive(Debug, Default)]
pub(super) struct Tree {
    lengths: FxHashMap<u8, FxHashMap<Word, Branch>>,
    /// Templates by all of their words but the first, or but the second: branches keep apart what differs there only.
    rows: FxHashMap<u64, Leaf>,
}

/// The branch of words that are values, or that came when all branches were taken.
const SHARED: Word = Word::VALUE;

impl Tree {
    /// The way down for words that are to be kept.
    pub(super) fn path(&self, words: &[Word]) -> Path {
        let length = words.len() as u8;
        let firsts = self.lengths.get(&length);
        let first = branch(firsts, words.first());
        let second = branch(firsts.and_then(|firsts| firsts.get(&first)), words.get(1));
        Path { length, branches: [first, second] }
    }

    /// Adds a template at the end of its leaf.
    pub(super) fn add(&mut self, path: Path, words: &[Word], template: u32) {
        for row in rows(words) {
            self.rows.entry(row).or_default().push_back(template);
        }
        let firsts = self.lengths.entry(path.length).or_default();
        let seconds = firsts.entry(path.branches[0]).or_default();
        seconds.entry(path.branches[1]).or_default().push_back(template);
    }

    /// Takes a template out; nodes that hold nothing any more go with it.
    pub(super) fn remove(&mut self, path: Path, words: &[Word], template: u32) {
        for row in rows(words) {
            if let Some(leaf) = self.rows.get_mut(&row) {
                take_out(leaf, template);
                if leaf.is_empty() {
                    self.rows.remove(&row);
                }
            }
        }
        let Some(firsts) = self.lengths.get_mut(&path.length) else { return };
        let Some(seconds) = firsts.get_mut(&path.branches[0]) else { return };
        let Some(leaf) = seconds.get_mut(&path.branches[1]) else { return };
        take_out(leaf, template);
        if leaf.is_empty() {
            seconds.remove(&path.branches[1]);
        }
        if seconds.is_empty() {
            firsts.remove(&path.branches[0]);
        }
        if firsts.is_empty() {
            self.lengths.remove(&path.length);
        }
    }

    /// The templates that words may belong to, from the leaf of their own words to the shared one.
    pub(super) fn near(&self, words: &[Word]) -> impl Iterator<Item = u32> {
        let firsts = self.lengths.get(&(words.len() as u8));
        let ways = |word: Option<&Word>| {
            let own = word.copied().unwrap_or(SHARED);
            std::iter::once(own).chain((own != SHARED).then_some(SHARED))
        };
        let seconds = ways(words.first()).filter_map(move |first| firsts?.get(&first));
        let leaves = seconds.flat_map(move |branch| ways(words.get(1)).filter_map(|second| branch.get(&second)));
        leaves.flat_map(|leaf| leaf.iter().rev().take(MOST_COMPARED).copied())
    }

    /// Templates that may differ from words in the first or in the second place only.
    pub(super) fn beside(&self, words: &[Word]) -> impl Iterator<Item = u32> {
        let leaves = rows(words).filter_map(|row| self.rows.get(&row));
        leaves.flat_map(|leaf| leaf.iter().rev().take(MOST_COMPARED).copied())
    }
}

/// The keys of the rows that words stand in.
fn rows(words: &[Word]) -> impl Iterator<Item = u64> {
    (0..words.len().min(2)).map(|left_out| {
        let mut hasher = FxHasher::default();
        (left_out, words.len()).hash(&mut hasher);
        words.iter().enumerate().filter(|(at, _)| *at != left_out).for_each(|(_, word)| word.hash(&mut hasher));
        hasher.finish()
    })
}

fn take_out(leaf: &mut Leaf, template: u32) {
    if let Some(at) = leaf.iter().position(|&kept| kept == template) {
        leaf.remove(at);
    }
}

fn branch<T>(node: Option<&FxHashMap<Word, T>>, word: Option<&Word>) -> Word {
    let word = word.copied().unwrap_or(SHARED);
    let taken = node.is_none_or(|node| node.contains_key(&word) || node.len() < MOST_BRANCHES);
    if taken { word } else { SHARED }
}

impl Path {
    /// Which of the two branches are shared ones.
    pub(super) fn shared(self) -> [bool; 2] {
        self.branches.map(|branch| branch == SHARED)
    }

    /// The way that words went of which it is known where they shared a branch.
    pub(super) fn of(words: &[Word], shared: [bool; 2]) -> Self {
        let branch = |at: usize| words.get(at).copied().filter(|_| !shared[at]).unwrap_or(SHARED);
        Self { length: words.len() as u8, branches: [branch(0), branch(1)] }
    }
}
