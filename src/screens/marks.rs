//! What was called false: more is needed for it from now on. The whole list, and `u` takes one back.
//!
//! ```text
//! -- called false ------------------------------------------------------- 2 --
//!    WHEN        BY       TIMES      NEEDS WHAT
//! >  06-03 14:20 op2          2   41 lines get_shared_agents p50 734 ms
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use stella_protocol::FalseMark;
use stella_protocol::rule::MarkPage;
use stella_widgets::Align;
use stella_widgets::columns::Column;
use stella_widgets::number;
use stella_widgets::text::sanitise;

use super::asked::Asked;
use super::rows::Rows;
use super::table::{self, Columns};
use super::{Context, Go, View};
use crate::effect::{Query, Refusal, RequestId};
use crate::keys::Intent;
use crate::theme::Role;

const HEADINGS: [&str; 5] = ["WHEN", "BY", "TIMES", "NEEDS", "WHAT"];

/// Columns: when it was marked last, by whom, how often, the lines that it needs now, its title.
const COLUMNS: [Column; 5] = [
    Column { min: 11, ideal: 11, priority: 9, align: Align::Left },
    Column { min: 8, ideal: 14, priority: 7, align: Align::Left },
    Column { min: 5, ideal: 5, priority: 6, align: Align::Right },
    Column { min: 10, ideal: 10, priority: 8, align: Align::Right },
    Column { min: 20, ideal: u16::MAX, priority: 10, align: Align::Left },
];

/// Where the human is.
#[derive(Debug, Default)]
pub struct State {
    rows: Rows<String>,
    page: Asked<MarkPage>,
    /// What is wanted under the cursor once it is known.
    wanted: Option<String>,
}

impl State {
    /// The screen was opened, on this mark if one is named: the list is asked for anew.
    pub fn opened(&mut self, cx: &mut Context<'_>, fingerprint: Option<String>) {
        self.wanted = fingerprint.or_else(|| self.rows.cursor().cloned());
        self.page.ask(cx, Query::Marks);
    }

    /// Asks for the list again.
    pub fn ask_again(&mut self, cx: &mut Context<'_>) {
        self.page.ask(cx, Query::Marks);
    }

    /// Takes the list.
    pub fn page(&mut self, id: RequestId, answer: Result<MarkPage, Refusal>) {
        self.page.take(id, answer);
        self.rows.arrange(self.items().iter().map(|mark| mark.fingerprint.raw().to_owned()).collect());
        if let Some(wanted) = self.wanted.take_if(|wanted| self.rows.ids().contains(wanted)) {
            self.rows.point_at(&wanted);
        }
    }

    /// What is under the cursor.
    pub fn chosen(&self) -> Option<&FalseMark> {
        let cursor = self.rows.cursor()?;
        self.items().iter().find(|mark| mark.fingerprint.raw() == cursor)
    }

    /// Fingerprints of all that is known.
    pub fn fingerprints(&self) -> impl Iterator<Item = &str> {
        self.items().iter().map(|mark| mark.fingerprint.raw())
    }

    fn items(&self) -> &[FalseMark] {
        self.page.known().map(|page| page.items.as_slice()).unwrap_or_default()
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => drop(self.rows.go(motion, cx.rows)),
            Intent::Back => return Go::Back,
            _ => {}
        }
        self.rows.keep_in_sight(cx.rows);
        Go::Stay
    }
}

/// The rows of the list.
pub fn list_area(body: Rect) -> Rect {
    table::list_area(body)
}

/// Paints the screen.
pub fn draw(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    let items = state.items();
    let area = list_area(body);
    table::rule(view, "called false", &state.rows.count(usize::from(area.height)), body, buffer);
    if items.is_empty() {
        return empty(state, view, area, buffer);
    }
    let window = state.rows.window(usize::from(area.height)).range();
    let here = state.rows.position();
    let rows = window.clone().zip(&items[window]).map(|(at, mark)| (mark, here == Some(at)));
    let columns = Columns { names: &HEADINGS, columns: &COLUMNS };
    columns.draw(view, area, rows, |mark| cells(view, mark), buffer);
    if let Some(mark) = state.chosen() {
        table::peek(view, "what it means", meaning(mark), (area, body), buffer);
    }
}

/// What its last alert was called; where that is not known, what identifies it.
fn title(mark: &FalseMark) -> String {
    sanitise(mark.title.as_ref().unwrap_or(&mark.fingerprint).raw()).into_string()
}

fn cells(view: &View<'_>, mark: &FalseMark) -> [(String, Style); 5] {
    let (muted, plain) = (view.style(Role::Muted), view.style(Role::Text));
    let by = mark.by.as_ref().map_or_else(|| "-".to_owned(), |by| sanitise(by.raw()).into_string());
    [
        (format!("{} {}", view.day(mark.at), view.clock(mark.at)), muted),
        (by, muted),
        (mark.times.to_string(), muted),
        (format!("{} lines", number::count(mark.needed as f64)), plain),
        (title(mark), plain),
    ]
}

/// What follows from a mark, and how it is taken back.
fn meaning(mark: &FalseMark) -> [(String, Role); 3] {
    let needs = number::grouped(mark.needed);
    [
        (format!("it needs {needs} offending lines since its onset before it is an alert again"), Role::Text),
        (sanitise(mark.fingerprint.raw()).into_string(), Role::Muted),
        ("u takes it back; F on its next alert marks it again".to_owned(), Role::Muted),
    ]
}

fn empty(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let failed = state.page.failure().map(|why| format!("The server did not say: {why}"));
    let lines: &[&str] = match &failed {
        Some(why) => &[why.as_str(), "r asks again."],
        None if state.page.known().is_some() => {
            &["Nothing was called false.", "F on an alert does it; the rule then needs more for that problem alone."]
        }
        None => &["asking the server …"],
    };
    table::says(view, lines, area, buffer);
}
