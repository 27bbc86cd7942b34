//! One series over a span of time, as the detail and the metrics screen draw it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use stella_protocol::{Deploy, Point, Timestamp};
use stella_widgets::chart::{self, Chart, ChartStyle, Mark, Reading, Span};
use stella_widgets::text::sanitise;

use super::View;
use crate::frame::put;
use crate::theme::Role;

/// Spans that `+` and `-` step through, in ms: five minutes to fourteen days.
const SPANS: [i64; 9] =
    [300_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 86_400_000, 259_200_000, 1_209_600_000];
/// The same in words.
const WORDS: [&str; 9] = ["5 min", "10 min", "30 min", "1 h", "3 h", "6 h", "1 d", "3 d", "14 d"];
/// Columns between two words on the time axis.
const LABEL_COLUMNS: i64 = 14;
/// From this width on a deploy is marked with its revision.
const ROOMY: u16 = 100;
/// Most deploys that are marked, the newest: each is a line through the plot, and more hide the series.
const MOST_DEPLOYS: usize = 6;

/// What part of time a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    step: usize,
    /// How far its end lies before the newest point, in ms.
    back: i64,
}

impl Default for Window {
    /// The last half hour.
    fn default() -> Self {
        Self { step: 2, back: 0 }
    }
}

impl Window {
    /// Half the time, or twice.
    pub fn zoom(&mut self, closer: bool) {
        self.step = if closer { self.step.saturating_sub(1) } else { (self.step + 1).min(SPANS.len() - 1) };
    }

    /// A quarter of the window to the past, or back to the present.
    pub fn shift(&mut self, earlier: bool) {
        let quarter = self.length() / 4;
        self.back = if earlier { self.back + quarter } else { (self.back - quarter).max(0) };
    }

    /// How much time it shows, in ms.
    pub fn length(self) -> i64 {
        SPANS[self.step]
    }

    /// How much time it shows, in words.
    pub fn words(self) -> &'static str {
        WORDS[self.step]
    }

    /// From and to, when the newest point is at `newest`.
    pub fn span(self, newest: Timestamp) -> (Timestamp, Timestamp) {
        let to = newest.plus_millis(-self.back);
        (to.plus_millis(-self.length()), to)
    }

    /// True while the newest point is in it.
    pub fn live(self) -> bool {
        self.back == 0
    }
}

/// What is drawn.
pub struct Plot<'a> {
    /// Buckets, oldest first.
    pub points: &'a [Point],
    /// Width of a bucket, in ms.
    pub step_ms: i64,
    /// From.
    pub from: Timestamp,
    /// Up to.
    pub to: Timestamp,
    /// Unit of the values.
    pub unit: &'a str,
    /// What is too much.
    pub limit: Option<f64>,
    /// What is usual, from and to.
    pub band: Option<(f64, f64)>,
    /// Where it began.
    pub onset: Option<Timestamp>,
    /// The service that it is measured at, as far as that is known: its deploys are named first.
    pub service: &'a str,
}

/// Draws it.
pub fn draw(plot: &Plot<'_>, view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let measured = plot.points.iter().any(|point| point.value.is_some() && point.at >= plot.from && point.at < plot.to);
    if !measured {
        let words = Line::styled("nothing was measured in this time", view.style(Role::Muted));
        return put(buffer, area.x, area.y + area.height / 2, area.width, &words);
    }
    let points: Vec<chart::Point> = plot.points.iter().map(point).collect();
    let span = Span { from: plot.from.millis(), to: plot.to.millis() };
    let words = time_words(plot, view, area.width);
    let times: Vec<(i64, &str)> = words.iter().map(|(at, word)| (*at, word.as_str())).collect();
    let deploys = deploys(plot, view, area.width);
    let onset = plot.onset.iter().map(|at| Mark { t: at.millis(), label: "onset" });
    let marks: Vec<Mark<'_>> =
        onset.chain(deploys.iter().map(|(at, label)| Mark { t: at.millis(), label: label.as_str() })).collect();
    let mut chart =
        Chart::new(&points, span).step(plot.step_ms).unit(plot.unit).times(&times).marks(&marks).style(style(view));
    if let Some(limit) = plot.limit {
        chart = chart.limit(limit);
    }
    if let Some((low, high)) = plot.band {
        chart = chart.band(low, high);
    }
    (&chart).render(area, buffer);
}

/// The deploys of this time with their words: those of the service itself, then all others.
fn deploys(plot: &Plot<'_>, view: &View<'_>, columns: u16) -> Vec<(Timestamp, String)> {
    let mut found: Vec<&Deploy> = view.board.deploys.between(plot.from, plot.to).collect();
    found.sort_by_key(|deploy| deploy.service.raw() != plot.service);
    let words = |deploy: &Deploy| {
        if columns < ROOMY { "deploy".to_owned() } else { format!("deploy {}", sanitise(deploy.revision.raw())) }
    };
    found.into_iter().take(MOST_DEPLOYS).map(|deploy| (deploy.at, words(deploy))).collect()
}

fn point(point: &Point) -> chart::Point {
    let reading = point.value.map(|spread| Reading { min: spread.min, max: spread.max, mean: spread.mean });
    chart::Point { t: point.at.millis(), reading }
}

/// Clock times at round distances, as many as fit.
fn time_words(plot: &Plot<'_>, view: &View<'_>, columns: u16) -> Vec<(i64, String)> {
    const ROUND: [i64; 10] =
        [60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 86_400_000, 259_200_000];
    let (from, to) = (plot.from.millis(), plot.to.millis());
    let least = (to - from) * LABEL_COLUMNS / i64::from(columns.max(1));
    let every = ROUND.into_iter().find(|round| *round >= least).unwrap_or(ROUND[ROUND.len() - 1]);
    let first = from.div_euclid(every) * every + every;
    let word = |at: i64| view.clock(Timestamp::from_millis(at));
    let many = (to - first).div_euclid(every) + 1;
    (0..many).map(|index| first + index * every).filter(|at| *at < to).map(|at| (at, word(at))).collect()
}

fn style(view: &View<'_>) -> ChartStyle {
    ChartStyle {
        series: view.style(Role::Chart),
        over: view.style(Role::High),
        envelope: view.style(Role::Muted),
        limit: view.style(Role::Limit),
        band: view.style(Role::Band),
        mark: view.style(Role::Accent),
        cursor: view.style(Role::Focus),
        axis: view.style(Role::Border),
        label: view.style(Role::Muted),
        last: view.style(Role::Title),
    }
}
