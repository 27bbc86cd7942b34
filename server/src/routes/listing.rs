//! What lists have in common: how many rows, from where on, of which statuses.

use stella_protocol::Code;

use super::problem::Refusal;
use crate::store::number_in;

/// How many rows: what was asked for, inside its bounds.
pub(super) fn page(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Refusal> {
    match asked {
        None => Ok(usual),
        Some(rows) if (1..=most).contains(&rows) => Ok(rows),
        Some(_) => Err(Refusal::new(Code::BadQuery, format!("limit: 1 to {most}"))),
    }
}

/// The number of the row that a page goes on after; None: it is the first page.
pub(super) fn after(asked: Option<&str>) -> Result<Option<u64>, Refusal> {
    let bad = || Refusal::new(Code::BadQuery, "after: want the `next` of the page before");
    asked.map(|after| number_in(after, "").ok_or_else(bad)).transpose()
}

/// Those of `all` that are asked for, by their words with commas between; `group` is a word for some of them. Empty:
/// nothing was asked for.
pub(super) fn statuses<S: Copy>(
    asked: Option<&str>,
    all: &[S],
    word: fn(S) -> &'static str,
    group: (&str, fn(S) -> bool),
) -> Result<Vec<S>, Refusal> {
    let Some(asked) = asked else { return Ok(Vec::new()) };
    let wanted = |asked: &str| {
        let fits = |status: S| if asked == group.0 { group.1(status) } else { word(status) == asked };
        let found: Vec<S> = all.iter().copied().filter(|status| fits(*status)).collect();
        if found.is_empty() { None } else { Some(found) }
    };
    let known = || {
        let words: Vec<&str> = all.iter().copied().map(word).collect();
        Refusal::new(Code::BadQuery, format!("status: {}, {}", group.0, words.join(", ")))
    };
    let found: Option<Vec<Vec<S>>> = asked.split(',').map(|asked| wanted(asked.trim())).collect();
    found.map(|found| found.concat()).ok_or_else(known)
}
