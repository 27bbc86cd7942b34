//! New revisions of services in the last day: the marks in every chart, as a list.
//!
//! ```text
//! -- deploys ------------------------------------------------------------ 2 --
//!    WHEN           AGE SERVICE    REVISION         BY           KNOWN BY
//! >  06-03 14:28     2m api        r8812            op2          told
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use stella_protocol::{Deploy, DeploySource, Text, Timestamp};
use stella_widgets::Align;
use stella_widgets::columns::Column;
use stella_widgets::text::sanitise;

use super::rows::Rows;
use super::table::{self, Columns};
use super::{Context, Go, View};
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
    Column { min: 10, ideal: 10, priority: 5, align: Align::Left },
];

/// A deploy is told apart by its service, its revision and its time: going back to an older one is another.
type Id = (Text, Text, Timestamp);

/// Where the human is.
#[derive(Debug, Default)]
pub struct State {
    rows: Rows<Id>,
}

fn id(deploy: &Deploy) -> Id {
    (deploy.service.clone(), deploy.revision.clone(), deploy.at)
}

fn find<'a>(view: &View<'a>, (service, revision, at): &Id) -> Option<&'a Deploy> {
    let is_it = |one: &&Deploy| one.at == *at && one.service == *service && one.revision == *revision;
    view.board.deploys.iter().find(is_it)
}

impl State {
    /// The screen was opened: nothing stands under a finger.
    pub fn opened(&mut self) {
        self.rows.let_go();
    }

    /// Brings the rows up to date, once the hand rests; `since_key`: ms since the last key.
    pub fn settle(&mut self, cx: &Context<'_>, since_key: u64) {
        if self.rows.is_due(cx.board.deploys.revision(), since_key) {
            self.rows.arrange(cx.board.deploys.iter().map(id).collect());
        }
        self.rows.keep_in_sight(cx.rows);
    }

    /// True when rows wait for the hand to rest.
    pub fn will_settle(&self) -> bool {
        self.rows.will_settle()
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
        DeploySource::Line => "a log line",
        DeploySource::Unknown => "?",
    }
}

/// Paints the screen.
pub fn draw(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    let ids = state.rows.ids();
    let area = list_area(body);
    table::rule(view, "deploys", &state.rows.count(usize::from(area.height)), body, buffer);
    if ids.is_empty() {
        let none = ["No deploy is known.", ":deploys add SERVICE REVISION tells of one."];
        let lines = if view.board.alerts.loaded() { &none[..] } else { table::unheard(view) };
        return table::says(view, lines, area, buffer);
    }
    let window = state.rows.window(usize::from(area.height));
    let rows = ids[window.range()].iter().filter_map(|id| Some((find(view, id)?, state.rows.is_here(id))));
    let columns = Columns { names: &HEADINGS, columns: &COLUMNS };
    columns.draw(view, area, rows, |deploy| cells(view, deploy), buffer);
}

fn cells(view: &View<'_>, deploy: &Deploy) -> [(String, Style); 6] {
    let (muted, plain) = (view.style(Role::Muted), view.style(Role::Text));
    let clean = |text: &Text| sanitise(text.raw()).into_string();
    [
        (format!("{} {}", view.day(deploy.at), view.clock(deploy.at)), muted),
        (view.age(deploy.at), muted),
        (clean(&deploy.service), plain),
        (clean(&deploy.revision), plain),
        (deploy.by.as_ref().map_or_else(|| "-".to_owned(), clean), muted),
        (source(deploy.source).to_owned(), muted),
    ]
}
