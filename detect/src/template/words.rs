//! The words of a masked message, and the numbers that stand for them.
//!
//! A word is kept once however many templates hold it, and no longer than one of them does.

use rustc_hash::FxHashMap;

use super::bytes;
use super::scan::VALUE;

/// Most words of a message that are compared: a word a bit of [`Places`], and messages that agree in
/// sixty-four words are of one kind.
pub(super) const MOST_WORDS: usize = 64;

/// A set of places among the words.
pub(super) type Places = u64;

/// Most words that a repeated group has: `iar <*> dear <*>` written over and over.
const LONGEST_GROUP: usize = 4;

/// The number of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Word(u32);

impl Word {
    /// A value.
    pub(super) const VALUE: Self = Self(0);
    /// A word that no template holds.
    pub(super) const NEW: Self = Self(u32::MAX);
}

/// Where a word stands in the masked message, without the plural that a number in front of it brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub from: u16,
    pub to: u16,
}

impl Span {
    pub(super) fn of(self, shape: &[u8]) -> &[u8] {
        shape.get(usize::from(self.from)..usize::from(self.to)).unwrap_or_default()
    }
}

/// Splits a masked message, at most [`MOST_WORDS`], repeated groups once.
pub(super) fn split(shape: &[u8], spans: &mut Vec<Span>) {
    spans.clear();
    let mut at = 0;
    while at < shape.len().min(usize::from(u16::MAX)) && spans.len() < MOST_WORDS {
        let from = at;
        if shape[at] == VALUE {
            at += 1;
        } else {
            let joins = |&byte: &u8| byte != VALUE && bytes::of(byte) & bytes::WORD != 0;
            at += shape[at..].iter().take_while(|byte| joins(byte)).count();
        }
        if at == from {
            at += 1;
            continue;
        }
        let span = trimmed(shape, from, at.min(usize::from(u16::MAX)), spans.last().copied());
        if span.from < span.to {
            spans.push(span);
            collapse(shape, spans);
        }
    }
}

fn trimmed(shape: &[u8], from: usize, mut to: usize, before: Option<Span>) -> Span {
    while to > from && matches!(shape[to - 1], b'.' | b':' | b'!' | b'?' | b'-' | b'#' | b'&') && to - from > 1 {
        to -= 1;
    }
    let counted = before.is_some_and(|before| before.of(shape) == [VALUE]);
    let word = &shape[from..to];
    if counted && word.len() > 3 && word.ends_with(b"s") && !word.ends_with(b"ss") {
        to -= 1;
    }
    Span { from: from as u16, to: to as u16 }
}

/// Takes the last group away when it says the same as the one before it, with other values.
fn collapse(shape: &[u8], spans: &mut Vec<Span>) {
    for length in 2..=LONGEST_GROUP {
        let Some(start) = spans.len().checked_sub(2 * length) else { return };
        let (first, second) = spans[start..].split_at(length);
        let varies = first.iter().any(|span| span.of(shape) == [VALUE]);
        if varies && first.iter().zip(second).all(|(first, second)| first.of(shape) == second.of(shape)) {
            return spans.truncate(start + length);
        }
    }
}

/// Words by number, counted.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    numbers: FxHashMap<Box<[u8]>, Word>,
    held: Vec<(Box<[u8]>, u32)>,
    free: Vec<Word>,
}

impl Lexicon {
    /// The number of a word, [`Word::NEW`] when no template holds it.
    pub(super) fn find(&self, word: &[u8]) -> Word {
        if word == [VALUE] { Word::VALUE } else { self.numbers.get(word).copied().unwrap_or(Word::NEW) }
    }

    /// The number of a word that one more template holds.
    pub(super) fn hold(&mut self, text: &[u8]) -> Word {
        let word = self.find(text);
        if word == Word::VALUE {
            return word;
        }
        if word != Word::NEW {
            self.held[word.0 as usize - 1].1 += 1;
            return word;
        }
        let entry = (text.into(), 1);
        let word = if let Some(word) = self.free.pop() {
            self.held[word.0 as usize - 1] = entry;
            word
        } else {
            self.held.push(entry);
            Word(self.held.len() as u32)
        };
        self.numbers.insert(text.into(), word);
        word
    }

    /// One template less holds the word.
    pub(super) fn release(&mut self, word: Word) {
        let Some((text, count)) = (word.0 as usize).checked_sub(1).and_then(|at| self.held.get_mut(at)) else { return };
        *count -= 1;
        if *count == 0 {
            self.numbers.remove(&**text);
            *text = Box::default();
            self.free.push(word);
        }
    }

    /// How many words are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}
