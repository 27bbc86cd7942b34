//! A column about the fix under review.

use stella_protocol::Fix;

use super::State;
use crate::screens::page;

pub(super) use crate::screens::page::{Row, clean};

/// What is reviewed, and what was answered about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) state: &'a State,
    pub(super) fix: &'a Fix,
}

/// A column being written about it.
pub(super) type Page<'a> = page::Page<'a, Case<'a>>;
