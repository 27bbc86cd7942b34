//! What was learned, as it is written down and read again.
//!
//! What comes back goes on exactly as what was written would have: order of leaves, free places and all.
//! Only what cannot be told from the rest is written; what does not fit together is refused.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LONGEST;
use super::grown::{Grown, TemplateId, Templates};
use super::scan::VALUE;
use super::words::{self, Places, Word};

#[derive(Serialize, Deserialize)]
struct Written {
    bound: usize,
    lines: u64,
    next: u64,
    seats: u64,
    evicted: u64,
    hand: usize,
    free: Vec<u32>,
    probation: Vec<(u32, TemplateId)>,
    templates: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    slot: u32,
    ids: Vec<TemplateId>,
    count: u64,
    first: u64,
    last: u64,
    promoted: bool,
    /// What stands between the values.
    parts: Vec<String>,
    open: Places,
    /// Whether the first and the second word went to the shared branch.
    shared: [bool; 2],
    seat: u64,
    forms: Vec<u64>,
    examples: Vec<String>,
}

impl Serialize for Templates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kept = self.slots.iter().enumerate().filter_map(|(slot, grown)| Some((slot, grown.as_ref()?)));
        Written {
            bound: self.bound,
            lines: self.lines,
            next: self.next,
            seats: self.seats,
            evicted: self.evicted,
            hand: self.hand,
            free: self.free.clone(),
            probation: self.probation.iter().copied().collect(),
            templates: kept.map(|(slot, grown)| entry(slot as u32, grown)).collect(),
        }
        .serialize(serializer)
    }
}

fn entry(slot: u32, grown: &Grown) -> Entry {
    let parts = grown.shape.split(|&byte| byte == VALUE);
    Entry {
        slot,
        ids: grown.ids.clone(),
        count: grown.count,
        first: grown.first,
        last: grown.last,
        promoted: grown.promoted,
        parts: parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect(),
        open: grown.open,
        shared: grown.path.shared(),
        seat: grown.seat,
        forms: grown.forms.iter().copied().collect(),
        examples: grown.examples.clone(),
    }
}

impl<'de> Deserialize<'de> for Templates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        restored(Written::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("the templates do not fit together"))
    }
}

/// What was written, alive again; None: this is not what was written.
fn restored(written: Written) -> Option<Templates> {
    let mut templates = Templates::new(written.bound);
    let total = written.templates.len() + written.free.len();
    let sound = templates.bound == written.bound
        && total <= written.bound
        && (written.hand < total || total == 0)
        && written.probation.iter().all(|(slot, _)| (*slot as usize) < total);
    if !sound {
        return None;
    }
    templates.lines = written.lines;
    templates.next = written.next;
    templates.seats = written.seats;
    templates.evicted = written.evicted;
    templates.hand = written.hand;
    templates.slots.resize_with(total, || None);
    templates.probation = written.probation.into();
    let mut entries = written.templates;
    entries.sort_by_key(|entry| entry.seat);
    for entry in entries {
        seat(&mut templates, entry)?;
    }
    let mut free = written.free.clone();
    free.sort_unstable();
    let gaps = templates.slots.iter().enumerate().filter(|(_, grown)| grown.is_none());
    let fits = gaps.map(|(slot, _)| slot as u32).eq(free);
    templates.free = written.free;
    (fits && templates.promoted <= templates.most_promoted()).then_some(templates)
}

fn seat(templates: &mut Templates, entry: Entry) -> Option<()> {
    let shape = entry.parts.iter().map(String::as_bytes).collect::<Vec<_>>().join(&VALUE);
    let mut spans = Vec::new();
    words::split(&shape, &mut spans);
    let sound = shape.len() <= 2 * LONGEST
        && !entry.ids.is_empty()
        && entry.ids.iter().all(|id| id.0 > 0 && id.0 < templates.next)
        && (spans.len() == words::MOST_WORDS || entry.open >> spans.len() == 0)
        && (entry.first..=templates.lines).contains(&entry.last)
        && templates.slots.get(entry.slot as usize)?.is_none();
    if !sound {
        return None;
    }
    let lexicon = &mut templates.lexicon;
    let held: Box<[Word]> = spans.iter().map(|span| lexicon.hold(span.of(&shape))).collect();
    let path = super::tree::Path::of(&held, entry.shared);
    templates.tree.add(path, &held, entry.slot);
    for &id in &entry.ids {
        templates.ids.insert(id, entry.slot).is_none().then_some(())?;
    }
    for &form in &entry.forms {
        templates.forms.insert(form, entry.slot).is_none().then_some(())?;
    }
    templates.promoted += usize::from(entry.promoted);
    templates.slots[entry.slot as usize] = Some(Grown {
        ids: entry.ids,
        count: entry.count,
        first: entry.first,
        last: entry.last,
        promoted: entry.promoted,
        shape: shape.into(),
        spans: spans.into(),
        words: held,
        open: entry.open,
        path,
        seat: entry.seat,
        forms: entry.forms.into(),
        examples: entry.examples,
    });
    Some(())
}
