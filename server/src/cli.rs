//! Commands of `stella-server` that are more than a call of the library: their flags, and what they print.

pub mod backtest;
pub mod detect;
pub mod templates;
