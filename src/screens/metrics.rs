//! The series: a list with sparklines, and the one under the cursor as a chart.
//!
//! ```text
//! -- metrics ---------------------------------------------- 12 of 40 --
//! > get_shared_agents p95   ms      734  ▁▁▂▃▅▇███  limit 200  ABOVE
//!   errors                  %       1.2  ▁▁▁▁▁▂▁▁▁
//! -- get_shared_agents p95 -- 30m -- + - zoom, left right move ---------
//!  chart
//! ```
//!
//! The list moves at minute edges; the chart alone is live. The last value is the server's own.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use stella_protocol::Series;
use stella_protocol::series::SeriesPage;
use stella_widgets::list::Window;
use stella_widgets::number;
use stella_widgets::sparkline::spark_string;
use stella_widgets::text::{Align, fit, sanitise, width};

use super::plot::{self, Plot};
use super::{Context, Go, View, table};
use crate::effect::{Query, Refusal, RequestId, SeriesAsk};
use crate::event::Now;
use crate::frame::{put, tint};
use crate::keys::{Intent, Motion};
use crate::theme::Role;

/// The live chart asks for fresh buckets this often, in ms: the server's sample rate.
const REFRESH_MS: u64 = 5_000;
/// Buckets that a chart asks for: more than columns of any terminal adds nothing.
const BUCKETS: i64 = 240;
/// Columns of a row beside name, value and sparkline: pointer, gaps, limit, the word for being above it.
const FIXED: u16 = 28;
/// Columns of the limit.
const LIMIT: u16 = 16;
/// Least and most columns of a value.
const VALUE: (u16, u16) = (12, 20);
/// Fewer columns of sparkline say nothing.
const LEAST_SPARK: u16 = 8;
/// Least columns of a name.
const LEAST_NAME: u16 = 12;

/// Where the human is.
#[derive(Debug, Default)]
pub struct State {
    cursor: Option<String>,
    filter: String,
    window: plot::Window,
    zoomed: bool,
    held: bool,
    loaded: Option<Loaded>,
    asked: Option<(RequestId, Key)>,
    asked_at: u64,
    failure: Option<String>,
    /// The values in the list, as of the last minute edge.
    minute: i64,
    values: std::collections::BTreeMap<String, Option<f64>>,
}

/// What a chart shows: of which series, how much time, how far back.
type Key = (String, plot::Window);

#[derive(Debug)]
struct Loaded {
    key: Key,
    series: Series,
}

impl State {
    /// The words that names must hold.
    pub fn filter_text(&self) -> &str {
        &self.filter
    }

    /// Shows only series whose name or id holds this.
    pub fn set_filter(&mut self, text: &str) {
        self.filter = text.trim().to_lowercase();
        self.cursor = None;
    }

    /// The screen was opened.
    pub fn opened(&mut self, cx: &mut Context<'_>) {
        self.minute = 0;
        self.settle(cx);
    }

    /// The screen is being left.
    pub fn closed(&mut self) {
        self.zoomed = false;
    }

    /// When the live chart wants fresh buckets: steady ms.
    pub fn wakes_at(&self, now: Now) -> Option<u64> {
        let live = self.window.live() && !self.held && self.cursor.is_some() && self.asked.is_none();
        live.then_some((self.asked_at + REFRESH_MS).max(now.steady + 1))
    }

    /// Keeps cursor, values and chart up to date.
    pub fn settle(&mut self, cx: &mut Context<'_>) {
        let names: Vec<String> = self.shown(cx.board).map(|series| series.id.raw().to_owned()).collect();
        if self.cursor.as_ref().is_none_or(|cursor| !names.contains(cursor)) {
            self.cursor = names.first().cloned();
        }
        let minute = cx.board.clock(cx.now).millis().div_euclid(60_000);
        if minute != self.minute || self.values.len() < cx.board.series.iter().count() {
            self.minute = minute;
            self.values = cx.board.series.iter().map(|series| (series.id.raw().to_owned(), latest(series))).collect();
        }
        self.ask(cx);
    }

    /// Takes buckets.
    pub fn series(&mut self, request: RequestId, answer: Result<SeriesPage, Refusal>) {
        let Some((_, key)) = self.asked.take_if(|(asked, _)| *asked == request) else { return };
        match answer {
            Ok(page) => {
                self.failure =
                    page.items.is_empty().then(|| "the server does not know this series any more".to_owned());
                self.loaded = page.items.into_iter().next().map(|series| Loaded { key, series });
            }
            Err(Refusal::Problem(problem)) => self.failure = Some(sanitise(problem.title.raw()).into_string()),
            Err(Refusal::Unknown(why)) => self.failure = Some(sanitise(why.raw()).into_string()),
            Err(Refusal::Query(error)) => self.failure = Some(error.to_string()),
        }
    }

    /// Takes an intent.
    pub fn update(&mut self, cx: &mut Context<'_>, intent: Intent) -> Go {
        match intent {
            Intent::Move(motion) => self.go(motion, cx),
            Intent::Open => self.zoomed = !self.zoomed,
            Intent::ZoomIn => self.window.zoom(true),
            Intent::ZoomOut => self.window.zoom(false),
            Intent::Earlier => self.window.shift(true),
            Intent::Later => self.window.shift(false),
            Intent::Hold => self.held = !self.held,
            Intent::Back if self.zoomed => self.zoomed = false,
            Intent::Back if !self.filter.is_empty() => self.set_filter(""),
            Intent::Back => return Go::Back,
            _ => {}
        }
        Go::Stay
    }

    fn shown<'a>(&self, board: &'a crate::board::Board) -> impl Iterator<Item = &'a Series> {
        let filter = self.filter.clone();
        board.series.iter().filter(move |series| {
            let holds = |text: &str| text.to_lowercase().contains(&filter);
            holds(series.id.raw()) || holds(series.name.raw())
        })
    }

    fn ask(&mut self, cx: &mut Context<'_>) {
        let (Some(id), Some(newest)) = (self.cursor.clone(), cx.board.series.newest()) else { return };
        let key = (id.clone(), self.window);
        let same = self.loaded.as_ref().is_some_and(|loaded| loaded.key == key);
        let due = cx.now.steady >= self.asked_at + REFRESH_MS && self.window.live() && !self.held;
        if self.asked.as_ref().is_some_and(|(_, asked)| *asked == key) || (same && !due) {
            return;
        }
        let (from, to) = self.window.span(newest.plus_millis(5_000));
        let ask = SeriesAsk { ids: vec![id], from, to, step_ms: self.window.length() / BUCKETS };
        let request = cx.fetch(Query::Series(ask));
        self.asked = Some((request, key));
        self.asked_at = cx.now.steady;
    }

    fn go(&mut self, motion: Motion, cx: &Context<'_>) {
        let names: Vec<String> = self.shown(cx.board).map(|series| series.id.raw().to_owned()).collect();
        let last = names.len().saturating_sub(1);
        let at = self.cursor.as_ref().and_then(|cursor| names.iter().position(|name| name == cursor)).unwrap_or(0);
        let page = cx.rows.max(1);
        let to = motion.lead(at, last, page);
        self.cursor = names.get(to).cloned();
    }
}

/// The server's last value; of a series that is seldom measured, the mean of its last minute or of
/// the one before.
fn latest(series: &Series) -> Option<f64> {
    let recent = series.points.iter().rev().take(2).find_map(|point| point.value);
    series.last.or(recent.map(|spread| spread.mean))
}

/// Rows of the chart in a body of this height.
fn chart_rows(height: u16) -> u16 {
    (height * 45 / 100).clamp(6, 20)
}

/// The rows of the list.
pub fn list_area(body: Rect) -> Rect {
    let height = body.height.saturating_sub(1 + chart_rows(body.height));
    Rect { y: body.y + 1.min(body.height), height, ..body }
}

/// Paints the screen.
pub fn draw(state: &State, view: &View<'_>, body: Rect, buffer: &mut Buffer) {
    let list = list_area(body);
    if state.zoomed {
        return draw_chart(state, view, body, buffer);
    }
    let rows: Vec<&Series> = state.shown(view.board).collect();
    let held = if state.held { " -- HELD" } else { "" };
    let note = format!("{} of {}{held}", rows.len(), view.board.series.iter().count());
    let title =
        if state.filter.is_empty() { "metrics".to_owned() } else { format!("metrics -- {}", sanitise(&state.filter)) };
    table::rule(view, &title, &note, body, buffer);
    if rows.is_empty() {
        let words = if state.filter.is_empty() {
            " No series yet: they begin with the first log lines."
        } else {
            " No series has this in its name; Esc shows all."
        };
        let words = Line::styled(words, view.style(Role::Muted));
        put(buffer, list.x, list.y + 1, list.width, &words);
    }
    let selected = rows.iter().position(|series| state.cursor.as_deref() == Some(series.id.raw()));
    let window = Window::new(rows.len(), usize::from(list.height)).following(selected, 0);
    let columns = Columns::of(&rows, list.width);
    for (index, y) in window.range().zip(list.y..list.bottom()) {
        draw_row(state, view, rows[index], columns, Rect { y, height: 1, ..list }, buffer);
    }
    let chart = Rect { y: list.bottom(), height: body.bottom().saturating_sub(list.bottom()), ..body };
    draw_chart(state, view, chart, buffer);
}

/// Widths that all rows share; they depend on units and not on values, so that nothing moves.
#[derive(Debug, Clone, Copy)]
struct Columns {
    name: u16,
    value: u16,
    spark: u16,
}

impl Columns {
    fn of(rows: &[&Series], width: u16) -> Self {
        let widths = rows.iter().map(|series| number::widest(&sanitise(series.unit.raw())));
        let value = widths.filter(|width| *width <= VALUE.1).max().unwrap_or(0).max(VALUE.0);
        let left = width.saturating_sub(value + FIXED);
        let name = (width / 3).clamp(18, 44).min(left.saturating_sub(LEAST_SPARK).max(18)).min(left.max(LEAST_NAME));
        let spark = left.saturating_sub(name);
        Self { name, value, spark: if spark < LEAST_SPARK { 0 } else { spark.min(60) } }
    }
}

/// A value with its unit; where that has no room, the figure without it rather than a cut word. The
/// unit stands at the chart's edge.
fn figure(value: f64, unit: &str, columns: u16) -> String {
    let full = number::text(value, unit);
    if width(&full) <= columns { full } else { number::count(value) }
}

fn draw_row(state: &State, view: &View<'_>, series: &Series, columns: Columns, area: Rect, buffer: &mut Buffer) {
    let here = state.cursor.as_deref() == Some(series.id.raw());
    let unit = sanitise(series.unit.raw());
    let last = state.values.get(series.id.raw()).copied().flatten();
    let above = matches!((last, series.limit), (Some(last), Some(limit)) if last > limit);
    let value = last.map_or_else(|| "no data".to_owned(), |last| figure(last, &unit, columns.value));
    let minutes: Vec<Option<f64>> = series.points.iter().map(|point| point.value.map(|spread| spread.max)).collect();
    let limit = series.limit.map(|limit| format!("limit {}", figure(limit, &unit, LIMIT - 6))).unwrap_or_default();
    let plain: Style = view.style(Role::Text);
    let line = Line::from(vec![
        Span::styled(if here { "> " } else { "  " }, view.style(Role::Accent)),
        Span::styled(fit(&sanitise(series.name.raw()), columns.name, Align::Left), plain),
        Span::styled(fit(&value, columns.value, Align::Right), if above { view.style(Role::High) } else { plain }),
        Span::raw("  "),
        Span::styled(spark_string(&minutes, columns.spark, None), view.style(Role::Chart)),
        Span::styled(format!("  {}", fit(&limit, LIMIT, Align::Left)), view.style(Role::Muted)),
        Span::styled(if above { "ABOVE" } else { "" }, view.style(Role::High)),
    ]);
    put(buffer, area.x, area.y, area.width, &line);
    if here {
        tint(buffer, area, view.style(Role::Selection));
    }
}

/// What is said behind the span of the chart, in ever fewer words.
const LEGENDS: [&str; 3] =
    ["   █ mean ▒ highest   + - zoom, left right move", "   █ mean ▒ highest   + - zoom", "   █ mean ▒ highest"];

/// Columns of the line above the chart beside its title and its note.
const AROUND: u16 = 8;

fn draw_chart(state: &State, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(cursor) = state.cursor.as_ref() else { return };
    let words = state.window.words();
    let loaded = state.loaded.as_ref().filter(|loaded| loaded.key.0 == *cursor);
    let name = loaded.map_or_else(|| sanitise(cursor), |loaded| sanitise(loaded.series.name.raw()));
    let live = if state.window.live() && !state.held { "live" } else { "past" };
    let told = format!("{words} {live}");
    let left = area.width.saturating_sub(width(&name) + width(&told) + AROUND);
    let more = LEGENDS.iter().find(|legend| width(legend) <= left).copied().unwrap_or_default();
    table::rule(view, &name, &format!("{told}{more}"), area, buffer);
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1),
    };
    let Some(loaded) = loaded else {
        let words = state.failure.clone().unwrap_or_else(|| "asking the server …".to_owned());
        return put(
            buffer,
            inner.x,
            inner.y + inner.height / 2,
            inner.width,
            &Line::styled(words, view.style(Role::Muted)),
        );
    };
    let series = &loaded.series;
    let newest =
        series.points.last().map_or_else(|| view.board.clock(view.now), |point| point.at.plus_millis(series.step_ms));
    let to = if state.window.live() { newest } else { newest.min(view.board.clock(view.now)) };
    let unit = sanitise(series.unit.raw());
    let plot = Plot {
        points: &series.points,
        step_ms: series.step_ms,
        from: to.plus_millis(-state.window.length()),
        to,
        unit: &unit,
        limit: series.limit,
        band: series.baseline.map(|band| (band.low, band.high)),
        onset: None,
        service: series.labels.get("service").map_or("", |service| service.raw()),
    };
    plot::draw(&plot, view, inner, buffer);
}
