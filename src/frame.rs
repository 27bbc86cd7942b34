//! The frame: header, body, dialog, footer, in one picture.
//!
//! ```text
//!  [DEMO] bastion-2  LIVE  CRIT 4  HIGH 9  MED 18  LOW 6   unacked 11   healthy   14:32 UTC
//!   1 Alerts   2 Fixes*2   3 Migrations*1 61%   4 Metrics   5 Log                     watching the demo
//!  body
//!  dialog: a few lines, only while something is asked
//!  message
//!  keys
//! ```
//!
//! `areas` is one pure function of the size and what is asked; `update` uses it for page sizes and
//! `draw` for places, so that both speak of the same rows.

pub mod dialog;
mod footer;
mod header;
mod wide;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use stella_widgets::text::width as text_width;
use stella_widgets::{ascii, sweep};

use crate::event::Now;
use crate::keys::Place;
use crate::model::{Model, Shown, whole};
use crate::screens::{alerts, deploys, detail, first_run, fixes, help, log, marks, metrics, migrations, review, rules};
use crate::theme::Role;

/// Below this size a message stands instead of the console.
pub const LEAST: (u16, u16) = (60, 15);
/// Rows of the peek under the list.
const PEEK: u16 = 3;

/// Where everything stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Areas {
    /// Badge, link, counts; and the screens' names where there is room.
    pub header: Rect,
    /// The screen.
    pub body: Rect,
    /// What is asked; empty while nothing is.
    pub dialog: Rect,
    /// Message and keys.
    pub footer: Rect,
}

/// True when the console fits on a terminal of this size.
pub fn fits(size: (u16, u16)) -> bool {
    size.0 >= LEAST.0 && size.1 >= LEAST.1
}

/// Where everything stands on a terminal of this size, with a dialog of this many lines.
pub fn areas(size: (u16, u16), dialog_lines: u16) -> Areas {
    let (width, height) = size;
    let header = if height < 20 { 1 } else { 2 };
    let footer = 2.min(height.saturating_sub(header));
    let dialog = dialog_lines.min(height.saturating_sub(header + footer));
    let body = height.saturating_sub(header + footer + dialog);
    Areas {
        header: Rect::new(0, 0, width, header),
        body: Rect::new(0, header, width, body),
        dialog: Rect::new(0, header + body, width, dialog),
        footer: Rect::new(0, header + body + dialog, width, footer),
    }
}

/// Where the list, the peek and the detail stand in the body of the alerts screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panes {
    /// The list with its rule and heading.
    pub list: Rect,
    /// Two lines on the row under the cursor; empty when the detail stands beside.
    pub peek: Rect,
    /// The detail; empty when it opens over the list.
    pub detail: Rect,
    /// What happened lately; only on wide terminals.
    pub activity: Rect,
}

/// The panes of the alerts screen (5.4): 80–119 columns list and peek, from 120 on the detail at the
/// right (below, when the terminal is also tall), from 160 on activity below the list.
pub fn panes(size: (u16, u16), body: Rect) -> Panes {
    let none = Rect::new(body.x, body.y, 0, 0);
    let (width, height) = size;
    if width < 120 {
        let peek = if body.height > PEEK + 6 { PEEK } else { 0 };
        let (list, peek) = split_below(body, peek);
        return Panes { list, peek, detail: none, activity: none };
    }
    if width < 160 && height >= 40 {
        let (list, detail) = split_below(body, share(body.height, 55));
        return Panes { list, peek: none, detail, activity: none };
    }
    let right = share(width, if width >= 160 { 42 } else { 43 });
    let left = Rect { width: body.width - right, ..body };
    let detail = Rect { x: body.x + left.width, width: right, ..body };
    let (list, activity) =
        if width >= 160 && body.height >= 24 { split_below(left, share(body.height, 35)) } else { (left, none) };
    Panes { list, peek: none, detail, activity }
}

/// So many per cent of a length, on terminals of any size.
fn share(length: u16, percent: u32) -> u16 {
    u16::try_from(u32::from(length) * percent / 100).unwrap_or(length)
}

fn split_below(area: Rect, below: u16) -> (Rect, Rect) {
    let below = below.min(area.height);
    let above = Rect { height: area.height - below, ..area };
    (above, Rect { y: area.y + above.height, height: below, ..area })
}

/// True when the detail stands beside (or below) the list.
pub fn detail_beside(size: (u16, u16)) -> bool {
    size.0 >= 120
}

/// Rows that the list of the shown screen has on the terminal: a page.
pub fn list_rows(model: &Model) -> usize {
    let areas = areas(model.ui.size, dialog_lines(model));
    let rows = match model.shown() {
        Shown::Place(Place::Alerts) => alerts::list_area(panes(model.ui.size, areas.body).list).height,
        Shown::Place(Place::Log) => log::list_area(areas.body).height,
        Shown::Place(Place::Metrics) => metrics::list_area(areas.body).height,
        Shown::Place(Place::Fixes) => fixes::list_area(areas.body).height,
        Shown::Place(Place::Migrations) => migrations::list_area(areas.body).height,
        Shown::Place(Place::Rules) => rules::list_area(&model.ui.rules, areas.body).height,
        Shown::Place(Place::Marks) => marks::list_area(areas.body).height,
        Shown::Place(Place::Deploys) => deploys::list_area(areas.body).height,
        Shown::Migration => migrations::one::list_area(areas.body).height,
        Shown::Review => review::list_area(areas.body).height,
        Shown::Detail => detail::list_area(&model.ui.detail, areas.body).height,
        Shown::Help | Shown::FirstRun => areas.body.height,
    };
    usize::from(rows)
}

/// Paints everything. Returns where the text caret stands, when there is one.
pub fn draw(model: &Model, now: Now, buffer: &mut Buffer) -> Option<Position> {
    let view = model.view(now);
    buffer.set_style(buffer.area, view.style(Role::Text));
    let size = model.ui.size;
    let caret = if fits(size) {
        let areas = areas(size, dialog_lines(model));
        header::draw(model, &view, areas.header, buffer);
        body(model, now, areas.body, buffer);
        footer::draw(model, &view, areas.footer, buffer);
        footer::dialog(model, &view, areas.dialog, buffer)
    } else {
        too_small(model, buffer);
        None
    };
    sweep::sweep(buffer);
    if view.setup.ascii {
        ascii::to_ascii(buffer);
    }
    caret
}

fn body(model: &Model, now: Now, area: Rect, buffer: &mut Buffer) {
    let (view, ui) = (model.view(now), &model.ui);
    match model.shown() {
        Shown::FirstRun => ui.first_run.iter().for_each(|page| first_run::draw(page, &view, area, buffer)),
        Shown::Help => ui.help.iter().for_each(|page| help::draw(page, &view, area, buffer)),
        Shown::Detail => detail::draw(&ui.detail, &view, area, buffer, detail::Frame::Whole),
        Shown::Review => ui.review.iter().for_each(|page| review::draw(page, &view, area, buffer)),
        Shown::Place(Place::Fixes) => fixes::draw(&ui.fixes, &view, area, buffer),
        Shown::Migration => ui.migration.iter().for_each(|page| migrations::one::draw(page, &view, area, buffer)),
        Shown::Place(Place::Migrations) => migrations::draw(&ui.migrations, &view, area, buffer),
        Shown::Place(Place::Log) => log::draw(&ui.log, &view, area, buffer),
        Shown::Place(Place::Rules) => rules::draw(&ui.rules, &view, area, buffer),
        Shown::Place(Place::Marks) => marks::draw(&ui.marks, &view, area, buffer),
        Shown::Place(Place::Deploys) => deploys::draw(&ui.deploys, &view, area, buffer),
        Shown::Place(Place::Metrics) => metrics::draw(&ui.metrics, &view, area, buffer),
        Shown::Place(Place::Alerts) => {
            let panes = panes(ui.size, area);
            alerts::draw(&ui.alerts, &view, panes.list, buffer);
            if !panes.peek.is_empty() {
                alerts::peek(&ui.alerts, &view, panes.peek, buffer);
            }
            if !panes.detail.is_empty() {
                detail::draw(&ui.detail, &view, panes.detail, buffer, detail::Frame::Pane);
            }
            if !panes.activity.is_empty() {
                wide::draw(&view, panes.activity, buffer);
            }
        }
    }
    if view.board.link.state(now).is_old() {
        buffer.set_style(area, view.style(Role::Stale));
    }
}

fn dialog_lines(model: &Model) -> u16 {
    model.ui.dialog.as_ref().map_or(0, |dialog| footer::dialog_height(dialog, model.ui.size.0, model.ui.setup.embedded))
}

fn too_small(model: &Model, buffer: &mut Buffer) {
    let area = whole(model);
    let counts = model.board.alerts.counts();
    let lines = [
        format!("stella needs {} x {}, this is {} x {}", LEAST.0, LEAST.1, area.width, area.height),
        format!("CRIT {} HIGH {} unacked {}", counts.critical, counts.high, counts.unacknowledged),
        match &model.ui.dialog {
            Some(dialog) if dialog.is_quit() => "quit? q or y yes, any other key no".to_owned(),
            _ => "make the window larger; q quits".to_owned(),
        },
    ];
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        put(buffer, area.x, y, area.width, &Line::raw(line.as_str()));
    }
}

/// Writes a line, cut to `width`. What is cut ends in `…`.
pub fn put(buffer: &mut Buffer, x: u16, y: u16, width: u16, line: &Line<'_>) {
    if y >= buffer.area.bottom() {
        return;
    }
    let room = width.min(buffer.area.right().saturating_sub(x));
    buffer.set_line(x, y, line, room);
    if written(line) > room {
        mark_cut(buffer, x, y, room);
    }
}

/// Columns of a line up to its last letter.
fn written(line: &Line<'_>) -> u16 {
    let mut all = 0;
    let mut last = 0;
    for span in &line.spans {
        let letters = span.content.trim_end_matches(' ');
        if !letters.is_empty() {
            last = all + text_width(letters);
        }
        all += text_width(&span.content);
    }
    last
}

/// Puts `…` into the last of `room` columns; a wide letter that stands half there goes.
fn mark_cut(buffer: &mut Buffer, x: u16, y: u16, room: u16) {
    let Some(last) = (x + room).checked_sub(1).filter(|_| room > 0) else { return };
    if room > 1 && text_width(buffer[(last - 1, y)].symbol()) > 1 {
        buffer[(last - 1, y)].set_symbol(" ");
    }
    buffer[(last, y)].set_symbol("…");
}

/// Styles a row without changing its text. A style with a ground of its own leaves the letters their
/// colours: severity stays readable under the cursor.
pub fn tint(buffer: &mut Buffer, area: Rect, style: Style) {
    let style = if style.bg.is_some() { Style { fg: None, ..style } } else { style };
    buffer.set_style(area.intersection(buffer.area), style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_says_so_and_one_that_fits_does_not() {
        let shown = |text: &'static str, room: u16| {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
            put(&mut buffer, 0, 0, room, &Line::from(text));
            (0..6).map(|x| buffer[(x, 0)].symbol().to_owned()).collect::<String>()
        };
        assert_eq!(shown("abcdef", 9), "abcdef");
        assert_eq!(shown("abcdef   ", 6), "abcdef", "blanks are nothing");
        assert_eq!(shown("abcdefg", 9), "abcde…");
        assert_eq!(shown("abcdefg", 4), "abc…  ");
        assert_eq!(shown("abc日日", 5), "abc …\u{20}", "no half of a wide letter stays");
        assert_eq!(shown("abc", 0), "      ");
    }

    #[test]
    fn the_areas_fill_the_terminal_and_do_not_overlap() {
        for width in [60, 80, 120, 160, 200, u16::MAX] {
            for height in 15..60 {
                for dialog in 0..4 {
                    let areas = areas((width, height), dialog);
                    let rows = [areas.header, areas.body, areas.dialog, areas.footer];
                    assert_eq!(rows.iter().map(|area| area.height).sum::<u16>(), height);
                    assert!(rows.windows(2).all(|pair| pair[0].bottom() == pair[1].y));
                    let panes = panes((width, height), areas.body);
                    let cells = [panes.list, panes.peek, panes.detail, panes.activity].map(Rect::area);
                    assert_eq!(cells.iter().sum::<u32>(), areas.body.area(), "{width}x{height}");
                }
            }
        }
    }
}
