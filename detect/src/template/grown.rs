//! The templates that were learned, few enough to hold, and what each line falls to.
//!
//! The masked form of a line is looked up first; nearly every line ends there. A form not seen before
//! walks down the [`Tree`]. It belongs to a template that has the same words; where eight templates
//! differ in one and the same place, that place is taken for a value and the eight become one. Ids that
//! were given stay: they all name the one that the templates became.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::hash;
use super::scan::{self, VALUE};
use super::tree::{Path, Tree};
use super::words::{self, Lexicon, Places, Span, Word};
use super::{LONGEST, LONGEST_EXAMPLE, MARK, MOST_EXAMPLES, head};

/// Templates that differ in one place only before that place is taken for a value. More than there are
/// methods of HTTP (seven in use) or states of a machine, fewer than there are users.
const SIBLINGS: usize = 8;

/// Words that siblings must have in common: `failed to <*>` says what failed, `<*> ended` does not.
const COMMON: usize = 2;

/// Masked forms remembered for each template. Beyond that a form is looked for in the tree again.
const MOST_FORMS: usize = 16;

/// Ids that a template answers to, at most; the oldest ones are forgotten.
const MOST_IDS: usize = 64;

/// Fewest templates that a store has room for.
const FEWEST: usize = 16;

/// Names a template for as long as it is kept, and is never given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TemplateId(pub(super) u64);

impl TemplateId {
    /// Of nothing: no template has it.
    pub(crate) const NONE: Self = Self(0);

    /// As a number that is remembered of a line; 0: no template, or more were learned than such numbers there are.
    pub(crate) fn number(self) -> u32 {
        u32::try_from(self.0).unwrap_or(0)
    }
}

impl std::fmt::Display for TemplateId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug)]
pub(super) struct Grown {
    /// The oldest first; never empty.
    pub ids: Vec<TemplateId>,
    pub count: u64,
    /// The line that made it, and the last one that fell to it, counted from 1.
    pub first: u64,
    pub last: u64,
    pub promoted: bool,
    pub shape: Box<[u8]>,
    pub spans: Box<[Span]>,
    pub words: Box<[Word]>,
    /// The places that were found to be values.
    pub open: Places,
    pub path: Path,
    /// When it came to its leaf.
    pub seat: u64,
    pub forms: VecDeque<u64>,
    pub examples: Vec<String>,
}

impl Grown {
    fn is_open(&self, place: usize) -> bool {
        self.open & (1 << place) != 0
    }

    /// The only place where words differ from the template's; all: there is none.
    fn differs(&self, words: &[Word]) -> Difference {
        if self.words.len() != words.len() {
            return Difference::Many;
        }
        let mut found = Difference::None;
        for (place, (own, other)) in self.words.iter().zip(words).enumerate() {
            if own != other && !self.is_open(place) {
                found = match found {
                    Difference::None if *own == Word::VALUE || *other == Word::VALUE => Difference::Value(place),
                    Difference::None => Difference::At(place),
                    _ => return Difference::Many,
                };
            }
        }
        found
    }

    /// True when the words but this one say enough to be a template's.
    fn agrees(&self, place: usize) -> bool {
        let says = |at: &usize| *at != place && self.words[*at] != Word::VALUE && !self.is_open(*at);
        let common = (0..self.words.len()).filter(says).count();
        common >= COMMON && common * 2 >= self.words.len()
    }

    /// The template as people read it.
    fn text(&self) -> String {
        let mut text = String::with_capacity(self.shape.len() + 8);
        let mut at = 0;
        let open = self.spans.iter().enumerate().filter(|(place, _)| self.is_open(*place));
        for (_, span) in open {
            push(&mut text, &self.shape[at..usize::from(span.from)]);
            text.push_str(MARK);
            at = usize::from(span.to);
        }
        push(&mut text, &self.shape[at..]);
        text
    }
}

/// In the order of likeness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    None,
    /// One place, where one of them has a value.
    Value(usize),
    /// One place, where both have a word.
    At(usize),
    Many,
}

/// A template that is like some words.
type Near = (Difference, TemplateId, u32);

fn push(text: &mut String, shape: &[u8]) {
    for (turn, part) in shape.split(|&byte| byte == VALUE).enumerate() {
        if turn > 0 {
            text.push_str(MARK);
        }
        text.push_str(&String::from_utf8_lossy(part));
    }
}

/// A template as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRow<'a> {
    /// Its id.
    pub id: TemplateId,
    /// Lines that fell to it.
    pub count: u64,
    /// Its words, `<*>` for each value.
    pub text: String,
    /// Values of the line that made it, the first few.
    pub examples: &'a [String],
}

/// What a look-up needs and no line keeps.
#[derive(Debug, Default)]
struct Desk {
    shape: Vec<u8>,
    spans: Vec<Span>,
    words: Vec<Word>,
}

/// Learns templates from messages, one pass, in bounded memory, the same from the same messages.
///
/// ```
/// use stella_detect::Templates;
///
/// let mut templates = Templates::new(1000);
/// let first = templates.learn("Took 12 ms to load /etc/hosts");
/// assert_eq!(first, templates.learn("Took 3.5 s to load /etc/fstab"));
/// assert_eq!(templates.text(first).as_deref(), Some("Took <*> to load <*>"));
/// ```
#[derive(Debug)]
pub struct Templates {
    pub(super) bound: usize,
    pub(super) lines: u64,
    pub(super) next: u64,
    pub(super) seats: u64,
    pub(super) evicted: u64,
    pub(super) hand: usize,
    pub(super) promoted: usize,
    pub(super) slots: Vec<Option<Grown>>,
    pub(super) free: Vec<u32>,
    pub(super) probation: VecDeque<(u32, TemplateId)>,
    pub(super) forms: FxHashMap<u64, u32>,
    pub(super) ids: FxHashMap<TemplateId, u32>,
    pub(super) lexicon: Lexicon,
    pub(super) tree: Tree,
    desk: Desk,
}

impl Templates {
    /// Room for `bound` templates, at least sixteen. A template takes about 2 kB.
    pub fn new(bound: usize) -> Self {
        Self {
            bound: bound.clamp(FEWEST, u32::MAX as usize / 2),
            lines: 0,
            next: 1,
            seats: 0,
            evicted: 0,
            hand: 0,
            promoted: 0,
            slots: Vec::new(),
            free: Vec::new(),
            probation: VecDeque::new(),
            forms: FxHashMap::default(),
            ids: FxHashMap::default(),
            lexicon: Lexicon::default(),
            tree: Tree::default(),
            desk: Desk::default(),
        }
    }

    /// The template that the message falls to, made when there is none yet. The first 512 bytes count.
    pub fn learn(&mut self, message: &str) -> TemplateId {
        self.lines += 1;
        let mut desk = std::mem::take(&mut self.desk);
        scan::mask(head(message).as_bytes(), &mut desk.shape);
        let form = hash::of(&desk.shape);
        let slot = match self.forms.get(&form) {
            Some(&slot) => slot,
            None => self.place(message, form, &mut desk),
        };
        self.desk = desk;
        self.touch(slot)
    }

    /// The template that the message would fall to now, when there is one; nothing is learned.
    pub fn find(&self, message: &str) -> Option<TemplateId> {
        let mut desk = Desk::default();
        scan::mask(head(message).as_bytes(), &mut desk.shape);
        let slot = self.forms.get(&hash::of(&desk.shape)).copied().or_else(|| {
            self.read(&mut desk);
            let near = self.near(&desk.words).into_iter().next()?;
            (near.0 == Difference::None).then_some(near.2)
        })?;
        Some(self.slots[slot as usize].as_ref()?.ids[0])
    }

    /// The template in words; None: it was never given or is kept no longer.
    pub fn text(&self, id: TemplateId) -> Option<String> {
        self.grown(id).map(Grown::text)
    }

    /// Values of the line that made the template, the first few.
    pub fn examples(&self, id: TemplateId) -> &[String] {
        self.grown(id).map_or(&[], |grown| &grown.examples)
    }

    /// How many lines fell to the template.
    pub fn count(&self, id: TemplateId) -> u64 {
        self.grown(id).map_or(0, |grown| grown.count)
    }

    /// How many templates there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// True before the first line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many templates had to go.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// All templates, by id.
    pub fn rows(&self) -> Vec<TemplateRow<'_>> {
        let mut rows: Vec<TemplateRow<'_>> = self.slots.iter().flatten().map(row).collect();
        rows.sort_unstable_by_key(|row| row.id);
        rows
    }

    /// The oldest id of the template that answers to this number: what lines are given now.
    pub(crate) fn current(&self, number: u32) -> TemplateId {
        self.grown(TemplateId(number.into())).map_or(TemplateId::NONE, |grown| grown.ids[0])
    }

    fn grown(&self, id: TemplateId) -> Option<&Grown> {
        self.slots[*self.ids.get(&id)? as usize].as_ref()
    }

    fn touch(&mut self, slot: u32) -> TemplateId {
        let (lines, room) = (self.lines, self.promoted < self.most_promoted());
        let Some(grown) = self.slots[slot as usize].as_mut() else { return TemplateId(0) };
        grown.count += 1;
        grown.last = lines;
        if !grown.promoted && grown.count > 1 && room {
            grown.promoted = true;
            self.promoted += 1;
        }
        grown.ids[0]
    }

    /// A form that was not seen before, or is remembered no longer.
    #[cold]
    fn place(&mut self, message: &str, form: u64, desk: &mut Desk) -> u32 {
        self.read(desk);
        let near = self.near(&desk.words);
        if let Some(&(Difference::None, _, slot)) = near.first() {
            self.seat_first(slot);
            self.remember(slot, form);
            return slot;
        }
        let widened = self.value_for_a_word(&near).or_else(|| self.merge(&near));
        let slot = widened.unwrap_or_else(|| self.make(message, desk));
        if widened.is_some() {
            self.seat_first(slot);
        }
        self.remember(slot, form);
        self.know_its_text(slot);
        slot
    }

    /// Whoever sends the words of a template means that template, also where its marks hide what they stood for.
    fn know_its_text(&mut self, slot: u32) {
        let Some(grown) = self.slots[slot as usize].as_ref() else { return };
        let mut shape = Vec::with_capacity(LONGEST);
        scan::mask(head(&grown.text()).as_bytes(), &mut shape);
        let form = hash::of(&shape);
        if !self.forms.contains_key(&form) {
            self.remember(slot, form);
        }
    }

    fn read(&self, desk: &mut Desk) {
        words::split(&desk.shape, &mut desk.spans);
        desk.words.clear();
        desk.words.extend(desk.spans.iter().map(|span| self.lexicon.find(span.of(&desk.shape))));
    }

    /// The templates that differ from these words in one place at most: the most alike first, then the oldest.
    fn near(&self, words: &[Word]) -> Vec<Near> {
        let near = |slot: u32| {
            let grown = self.slots[slot as usize].as_ref()?;
            let difference = grown.differs(words);
            let place = match difference {
                Difference::Many => return None,
                Difference::None => return Some((difference, grown.ids[0], slot)),
                Difference::Value(place) | Difference::At(place) => place,
            };
            grown.agrees(place).then_some((difference, grown.ids[0], slot))
        };
        let mut found: Vec<Near> = self.tree.near(words).chain(self.tree.beside(words)).filter_map(near).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The oldest template that has a value where these have a word, or the other way round: a place that
    /// takes values (`device eth0`) takes a word as well (`device lo`). The first word says what happens.
    fn value_for_a_word(&mut self, near: &[Near]) -> Option<u32> {
        let fits = |near: &Near| match near {
            (Difference::Value(place), id, slot) if *place > 0 => Some((*id, *slot, *place)),
            _ => None,
        };
        let (_, slot, place) = near.iter().filter_map(fits).min()?;
        self.unite(slot, &[], place);
        Some(slot)
    }

    /// Makes one of templates that differ from these words in one and the same place, when they are many.
    fn merge(&mut self, near: &[Near]) -> Option<u32> {
        let rows = near.chunk_by(|left, right| left.0 == right.0);
        let row = rows.filter(|row| matches!(row[0].0, Difference::At(_))).rev().max_by_key(|row| row.len())?;
        let (Difference::At(place), _, oldest) = row[0] else { return None };
        if row.len() + 1 < SIBLINGS {
            return None;
        }
        let others: Vec<u32> = row[1..].iter().map(|&(_, _, slot)| slot).collect();
        self.unite(oldest, &others, place);
        Some(oldest)
    }

    fn unite(&mut self, oldest: u32, others: &[u32], place: usize) {
        for &slot in others {
            let Some(other) = self.take(slot) else { continue };
            for &id in &other.ids {
                self.ids.insert(id, oldest);
            }
            for &form in &other.forms {
                self.remember(oldest, form);
            }
            let Some(grown) = self.slots[oldest as usize].as_mut() else { continue };
            grown.ids.extend(other.ids);
            grown.count += other.count;
            let surplus = grown.ids.len().saturating_sub(MOST_IDS);
            // The oldest id stays in front: it is the one that lines are given.
            for id in grown.ids.drain(1..=surplus) {
                self.ids.remove(&id);
            }
        }
        if let Some(grown) = self.slots[oldest as usize].as_mut() {
            grown.open |= 1 << place;
        }
    }

    /// Seats a template at the end of its leaf, where it is looked for first.
    fn seat_first(&mut self, slot: u32) {
        let Some(grown) = self.slots[slot as usize].as_mut() else { return };
        self.tree.remove(grown.path, &grown.words, slot);
        let shown: Vec<Word> =
            (0..grown.words.len()).map(|at| if grown.is_open(at) { Word::VALUE } else { grown.words[at] }).collect();
        grown.path = self.tree.path(&shown);
        self.seats += 1;
        grown.seat = self.seats;
        self.tree.add(grown.path, &grown.words, slot);
    }

    fn remember(&mut self, slot: u32, form: u64) {
        let Some(grown) = self.slots[slot as usize].as_mut() else { return };
        if self.forms.insert(form, slot) == Some(slot) {
            return;
        }
        if grown.forms.len() == MOST_FORMS
            && let Some(oldest) = grown.forms.pop_front()
        {
            self.forms.remove(&oldest);
        }
        grown.forms.push_back(form);
    }

    fn make(&mut self, message: &str, desk: &Desk) -> u32 {
        let slot = self.room();
        let words: Box<[Word]> = desk.spans.iter().map(|span| self.lexicon.hold(span.of(&desk.shape))).collect();
        let path = self.tree.path(&words);
        self.tree.add(path, &words, slot);
        let id = TemplateId(self.next);
        self.next += 1;
        self.seats += 1;
        self.ids.insert(id, slot);
        self.probation.push_back((slot, id));
        self.slots[slot as usize] = Some(Grown {
            ids: vec![id],
            count: 0,
            first: self.lines,
            last: self.lines,
            promoted: false,
            shape: desk.shape.as_slice().into(),
            spans: desk.spans.as_slice().into(),
            words,
            open: 0,
            path,
            seat: self.seats,
            forms: VecDeque::new(),
            examples: examples(head(message)),
        });
        slot
    }
}

fn row(grown: &Grown) -> TemplateRow<'_> {
    TemplateRow { id: grown.ids[0], count: grown.count, text: grown.text(), examples: &grown.examples }
}

/// Values of a message, the first few.
pub(crate) fn examples(message: &str) -> Vec<String> {
    let mut found = Vec::new();
    scan::values(message.as_bytes(), |from, to| {
        if found.len() < MOST_EXAMPLES && from < to {
            let value = message.get(from..to).unwrap_or_default();
            found.push(value[..value.floor_char_boundary(LONGEST_EXAMPLE)].to_owned());
        }
    });
    found
}
