//! Whole charts, as they stand on the screen.

use ratatui::buffer::Cell;

use super::*;

const MINUTE: i64 = 60_000;
const HALF_HOUR: Span = Span { from: 0, to: 30 * MINUTE };

fn rows(chart: &Chart<'_>, width: u16, height: u16) -> Vec<String> {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    chart.render(buffer.area, &mut buffer);
    buffer
        .content
        .chunks(usize::from(width))
        .map(|row| row.iter().map(Cell::symbol).collect::<String>())
        .map(|row| row.trim_end().to_owned())
        .collect()
}

fn minutes(value: impl Fn(i64) -> f64) -> Vec<Point> {
    (0..30).map(|minute| Point::single(minute * MINUTE, value(minute))).collect()
}

#[test]
fn a_rising_ratio_reads_as_one() {
    let mut points = minutes(|minute| if minute < 20 { 0.4 } else { (minute - 19) as f64 * 1.21 });
    points[24].reading = Some(Reading { min: 5.0, max: 14.0, mean: 6.05 });
    points[10] = Point::gap(10 * MINUTE);
    let marks = [Mark { t: 19 * MINUTE, label: "deploy" }];
    let times = [(5 * MINUTE, "14:05"), (15 * MINUTE, "14:15"), (28 * MINUTE, "14:28")];
    let chart = Chart::new(&points, HALF_HOUR).unit("%").limit(2.0).marks(&marks).times(&times);
    assert_eq!(
        rows(&chart, 60, 8),
        [
            "15%┤                           ╎       ▒▒",
            "   │                           ╎       ▒▒    ▁▁▅ last 12.1%",
            "10%┤                           ╎       ▒▒   ▄███",
            "   │                           ╎       ▒▒▃██████",
            "   │                           ╎      ▂▇▇███████",
            " 5%┤                           ╎   ▁▆▆██████████",
            "   │▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁╌▁▁▁▁▁▁▁▁▁▁▁▁▁▅▅╌╌╌╌╌╌╌╌╌╌╌╌╌ limit 2%",
            " 0%└─────14:05──────────14:15──^deploy─────14:28",
        ]
    );
}

#[test]
fn a_gap_is_empty_and_a_zero_is_not() {
    let mut points = minutes(|_| 0.0);
    points[15] = Point::gap(15 * MINUTE);
    let shown = rows(&Chart::new(&points, HALF_HOUR), 32, 4);
    assert_eq!(shown[2], format!(" │{}", "▁".repeat(15) + " " + &"▁".repeat(14)));
}

#[test]
fn the_limit_is_a_glyph_even_across_solid_columns() {
    let points = minutes(|_| 9.0);
    let chart = Chart::new(&points, HALF_HOUR).limit(4.0);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 32, 8));
    chart.render(buffer.area, &mut buffer);
    let row = Scale::row(chart.scale(7), 4.0, 7);
    let cell = &buffer[(20, row)];
    assert_eq!(cell.symbol(), "╌");
    assert!(cell.modifier.contains(ratatui::style::Modifier::REVERSED));
}

#[test]
fn columns_above_the_limit_have_their_own_style() {
    let points = minutes(|minute| if minute < 15 { 1.0 } else { 9.0 });
    let style = ChartStyle { series: Style::new().blue(), over: Style::new().red(), ..ChartStyle::default() };
    let chart = Chart::new(&points, HALF_HOUR).limit(4.0).style(style);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 32, 8));
    chart.render(buffer.area, &mut buffer);
    assert_eq!(buffer[(3, 6)].fg, ratatui::style::Color::Blue);
    assert_eq!(buffer[(30, 6)].fg, ratatui::style::Color::Red);
}

#[test]
fn the_cursor_shows_the_value_under_it_and_turns_round_at_the_edge() {
    let points = minutes(|minute| minute as f64);
    let left = rows(&Chart::new(&points, HALF_HOUR).unit("ms").cursor(7 * MINUTE), 60, 8);
    assert!(left[0].contains("│ 7.0 ms "), "{left:#?}");
    let right = rows(&Chart::new(&points, HALF_HOUR).unit("ms").cursor(29 * MINUTE), 60, 8);
    assert!(right[0].contains(" 29 ms │"), "{right:#?}");
}

#[test]
fn a_band_shades_the_usual_values_without_colour() {
    let points = minutes(|_| 1.0);
    let shown = rows(&Chart::new(&points, HALF_HOUR).band(4.0, 8.0), 40, 9);
    assert!(shown.iter().any(|row| row.contains("·  ·  ·")), "{shown:#?}");
}

#[test]
fn too_little_room_or_no_time_draws_nothing_and_harms_nothing() {
    let points = minutes(|minute| minute as f64);
    assert!(rows(&Chart::new(&points, HALF_HOUR), 10, 8).concat().is_empty());
    assert!(rows(&Chart::new(&points, HALF_HOUR), 60, 2).concat().is_empty());
    let nothing = Span { from: 9, to: 9 };
    let shown = rows(&Chart::new(&points, nothing).cursor(9), 60, 8);
    assert!(!shown.concat().contains('█'));
}

#[test]
fn nonsense_values_do_no_harm() {
    let points = [
        Point::single(0, f64::NAN),
        Point::single(MINUTE, f64::INFINITY),
        Point::single(2 * MINUTE, f64::MAX),
        Point::single(i64::MAX, -f64::MAX),
    ];
    let chart = Chart::new(&points, Span { from: i64::MIN, to: i64::MAX })
        .limit(f64::NAN)
        .band(f64::NEG_INFINITY, f64::INFINITY);
    assert_eq!(rows(&chart, 80, 12).len(), 12);
}

#[test]
fn the_plot_keeps_its_place_when_the_last_value_gains_a_digit() {
    let place = |value: f64| {
        let points = minutes(|_| value);
        let chart = Chart::new(&points, HALF_HOUR).unit("%").range(Range::Fixed(0.0, 100.0));
        paint::Frame::lay_out(&chart, Rect::new(0, 0, 70, 9)).map(|frame| frame.plot)
    };
    assert!(place(3.0).is_some());
    assert_eq!(place(9.9), place(10.1));
}
