//! Which columns of a table fit, and how wide they are.
//!
//! A pure calculation on widths: it knows no rows and draws nothing, so the same answer serves the
//! heading, the rows and the place of the cursor.

use std::cmp::Reverse;

use crate::text::Align;

/// What a column asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Below this width, in columns of screen, it says nothing and is not shown.
    pub min: u16,
    /// At this width it says everything; `u16::MAX` takes whatever is left.
    pub ideal: u16,
    /// The higher, the longer it stays on a narrowing screen and the earlier it grows.
    pub priority: u8,
    /// How its cells stand.
    pub align: Align,
}

/// Where a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// First column of screen, counted from the table's left edge.
    pub x: u16,
    /// Columns of screen.
    pub width: u16,
    /// How its cells stand.
    pub align: Align,
}

/// Lays the columns out in `width` columns of screen with `gap` between them; one entry for each
/// column asked for, none for one that does not fit.
///
/// The lowest priority goes first, of equals the rightmost. The last one left is narrowed rather
/// than dropped, as long as there is any room.
///
/// ```
/// use stella_widgets::columns::{Column, lay_out};
/// use stella_widgets::Align;
///
/// let name = Column { min: 6, ideal: u16::MAX, priority: 9, align: Align::Left };
/// let age = Column { min: 3, ideal: 3, priority: 5, align: Align::Right };
/// let places = lay_out(&[name, age], 20, 1);
/// assert_eq!(places[1].map(|place| (place.x, place.width)), Some((17, 3)));
/// assert_eq!(lay_out(&[name, age], 8, 1)[1], None);
/// ```
pub fn lay_out(columns: &[Column], width: u16, gap: u16) -> Vec<Option<Place>> {
    let mut widths = least_widths(columns, width, gap);
    grow(columns, &mut widths, width, gap);
    let mut x = 0u16;
    columns
        .iter()
        .zip(widths)
        .map(|(column, given)| {
            given.map(|width| {
                let place = Place { x, width, align: column.align };
                x = x.saturating_add(width).saturating_add(gap);
                place
            })
        })
        .collect()
}

/// Every column at its least width, without those that do not fit.
fn least_widths(columns: &[Column], width: u16, gap: u16) -> Vec<Option<u16>> {
    let mut widths: Vec<Option<u16>> = columns.iter().map(|column| Some(column.min)).collect();
    let mut leaving: Vec<usize> = (0..columns.len()).collect();
    leaving.sort_by_key(|&index| (columns[index].priority, Reverse(index)));
    let mut leaving = leaving.into_iter();
    while used(&widths, gap) > u32::from(width) {
        let Some(index) = leaving.next() else { break };
        let is_last = widths.iter().flatten().count() == 1;
        widths[index] = (is_last && width > 0).then_some(width);
    }
    widths
}

/// Gives what is left to the columns that want more, highest priority first.
fn grow(columns: &[Column], widths: &mut [Option<u16>], width: u16, gap: u16) {
    let mut left = u32::from(width).saturating_sub(used(widths, gap));
    let mut order: Vec<usize> = (0..columns.len()).collect();
    // What takes everything comes last, or the others would never reach their ideal.
    order.sort_by_key(|&index| {
        let column = columns[index];
        (column.ideal == u16::MAX, Reverse(column.priority), index)
    });
    for index in order {
        if let Some(given) = &mut widths[index] {
            let wanted = u32::from(columns[index].ideal.saturating_sub(*given));
            let more = wanted.min(left);
            *given += more as u16;
            left -= more;
        }
    }
}

fn used(widths: &[Option<u16>], gap: u16) -> u32 {
    let shown = widths.iter().flatten().count() as u32;
    let cells: u32 = widths.iter().flatten().map(|&width| u32::from(width)).sum();
    cells + shown.saturating_sub(1) * u32::from(gap)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(min: u16, ideal: u16, priority: u8) -> Column {
        Column { min, ideal, priority, align: Align::Left }
    }

    fn widths(columns: &[Column], width: u16) -> Vec<u16> {
        lay_out(columns, width, 1).into_iter().map(|place| place.map_or(0, |place| place.width)).collect()
    }

    #[test]
    fn the_least_important_leaves_first() {
        let table = [column(4, 4, 9), column(10, u16::MAX, 8), column(8, 8, 1), column(5, 5, 2)];
        assert_eq!(widths(&table, 60), [4, 40, 8, 5]);
        assert_eq!(widths(&table, 29), [4, 18, 0, 5]);
        assert_eq!(widths(&table, 18), [4, 13, 0, 0]);
        assert_eq!(widths(&table, 3), [3, 0, 0, 0]);
        assert_eq!(widths(&table, 0), [0, 0, 0, 0]);
    }

    #[test]
    fn growth_goes_by_priority_and_the_greedy_one_waits() {
        let table = [column(4, 10, 1), column(4, 10, 5), column(4, u16::MAX, 9)];
        assert_eq!(widths(&table, 20), [4, 10, 4]);
        assert_eq!(widths(&table, 40), [10, 10, 18]);
    }

    proptest! {
        #[test]
        fn columns_never_overlap_nor_leave_the_screen(
            asked in prop::collection::vec((0u16..20, 0u16..40, 0u8..9), 0..9), width in 0u16..120,
        ) {
            let columns: Vec<Column> = asked
                .into_iter()
                .map(|(min, ideal, priority)| column(min, ideal, priority))
                .collect();
            let mut free_from = 0u32;
            for place in lay_out(&columns, width, 1).into_iter().flatten() {
                prop_assert!(u32::from(place.x) >= free_from);
                free_from = u32::from(place.x) + u32::from(place.width);
                prop_assert!(free_from <= u32::from(width));
            }
        }
    }
}
