//! New revisions of services in the last day: the marks in every chart, as a list.
//!
//! ```text
//! -- deploys ------------------------------------------------------------ 2 --
//!    WHEN           AGE SERVICE    REVISION         BY           KNOWN BY
//! >  06-03 14:28     2m api        r8812            op2          told
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use stella_protocol::{Deploy, DeploySource, Timestamp};
use stella_widgets::Align;
use stella_widgets::columns::{Column, Place, lay_out};
use stella_widgets::text::sanitise;

use super::rows::Rows;
use super::{Context, Go, View, table};
use crate::keys::Intent;
use crate::theme::Role;

const HEADINGS: [&str; 6] = ["WHEN", "AGE", "SERVICE", "REVISION", "BY", "KNOWN BY"];

/// Columns: when, how long ago, whose, which, by whom, how it became known.
const COLUMNS: [Column; 6] = [
    Column { min: 11, ideal: 11, priority: 9, align: Align::Left },
    Column { min: 5, ideal: 5, priority: 6, align: Align::Right },
    Column { min: 10, ideal: 24, priority: 10, align: Align::Left },
    Column { min: 12, ideal: u16::MAX, priority: 10, align: Align::Left },
    Column { min: 8, ideal: 16, priority: 7, align: Align::Left },
    Column { min: 8, ideal: 8, priority: 5, align: Align::Left },
];

/// A deploy is told apart by its service, its revision and its time: going back to an older one is another.
type Id = (String, String, Timestamp);

/// Where the human is.
#[derive(Debug, Default)]
pub struct State {
    rows: Rows<Id>,
}

fn id(deploy: &Deploy) -> Id {
    (deploy.service.raw().to_owned(), deploy.revision.raw().to_owned(), deploy.at)
}

impl State {
    /// Brings the rows up to date; the cursor stays on its deploy.
    pub fn settle(&mut self, cx: &Context<'_>) {
        self.rows.arrange(cx.board.deploys.iter().map(id).collect());
        self.rows.keep_in_sight(cx.rows);
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => drop(self.rows.go(motion, cx.rows)),
            Intent::Back => return Go::Back,
            _ => {}
        }
        Go::Stay
    }
}

/// The rows of the list.
pub fn list_area(body: Rect) -> Rect {
    Rect { y: body.y + 2.min(body.height), height: body.height.saturating_sub(2), ..body }
}

/// How it became known.
pub fn source(source: DeploySource) -> &'static str {
    match source {
        DeploySource::Told => "told",
        DeploySource::Line => "a line",
        DeploySource::Unknown => "?",
    }
}

/// Paints the screen.
pub fn draw(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    let all: Vec<&Deploy> = view.board.deploys.iter().collect();
    let note = if all.is_empty() { String::new() } else { all.len().to_string() };
    table::rule(view, "deploys", &note, body, buffer);
    let area = list_area(body);
    if all.is_empty() {
        let lines = ["No deploy is known.", ":deploys add SERVICE REVISION tells of one."];
        return table::says(view, &lines, area, buffer);
    }
    let places = lay_out(&COLUMNS, body.width.saturating_sub(table::MARGIN), 1);
    table::headings(view, &HEADINGS, &places, Rect { y: body.y + 1, height: 1, ..body }, buffer);
    let window = state.rows.window(usize::from(area.height));
    for (deploy, y) in all.into_iter().skip(window.range().start).zip(area.y..area.bottom()) {
        row(state, view, deploy, Rect { y, height: 1, ..area }, &places, buffer);
    }
}

fn row(state: &State, view: &View<'_>, deploy: &Deploy, area: Rect, places: &[Option<Place>], buffer: &mut Buffer) {
    let (muted, plain) = (view.style(Role::Muted), view.style(Role::Text));
    let clean = |text: &stella_protocol::Text| sanitise(text.raw()).into_string();
    let cells = [
        (format!("{} {}", view.day(deploy.at), view.clock(deploy.at)), muted),
        (view.age(deploy.at), muted),
        (clean(&deploy.service), plain),
        (clean(&deploy.revision), plain),
        (deploy.by.as_ref().map_or_else(|| "-".to_owned(), clean), muted),
        (source(deploy.source).to_owned(), muted),
    ];
    table::cells(cells, places, area, buffer);
    if state.rows.is_here(&id(deploy)) {
        table::point(view, area, buffer);
    }
}
