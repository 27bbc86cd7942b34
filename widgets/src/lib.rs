//! Drawing pieces for terminals: safe text, charts, sparklines, rows, rules, numbers.
//!
//! This crate exists so that what is drawn can be tested without what it is drawn for. It knows
//! `ratatui`, and numbers and strings in styles that it is given.
//!
//! Architecture Invariant: nothing here knows Stella, a key, a theme, a clock or a file; every
//! widget is a pure function of its arguments and the area it gets, and costs what the screen
//! costs, not what the history behind it costs.
//!
//! - [`text`]: the one sanitiser of hostile text, and widths; [`mod@sweep`] looks over a finished
//!   frame, [`oracle`] over its bytes, [`ascii`] makes it 7-bit
//! - [`chart`], [`sparkline`], [`bar`]: numbers as shapes; [`number`]: numbers as words
//! - [`list`], [`columns`], [`wrap`], [`panel`]: where things stand
//! - [`picture`]: a frame as a picture

pub mod ascii;
pub mod bar;
pub mod chart;
pub mod columns;
pub mod list;
pub mod number;
pub mod oracle;
pub mod panel;
pub mod picture;
pub mod sparkline;
pub mod sweep;
pub mod text;
pub mod wrap;

pub use ascii::to_ascii;
pub use bar::{Bar, Progress};
pub use chart::{Chart, ChartStyle};
pub use list::Window;
pub use panel::{Panel, Rule};
pub use sparkline::{Sparkline, spark_string};
pub use sweep::sweep;
pub use text::{Align, Clean};
