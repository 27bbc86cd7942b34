//! The engine from outside: each rule and its confounder, exact figures, determinism, bounds.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "engine/bounds.rs"]
mod bounds;
#[path = "engine/evidence.rs"]
mod evidence;
#[path = "engine/facts.rs"]
mod facts;
#[path = "engine/figures.rs"]
mod figures;
#[path = "engine/guide.rs"]
mod guide;
#[path = "engine/life.rs"]
mod life;
#[path = "engine/rage.rs"]
mod rage;
#[path = "engine/rules.rs"]
mod rules;
#[path = "engine/sampled.rs"]
mod sampled;
#[path = "engine/security.rs"]
mod security;
#[path = "engine/series.rs"]
mod series;
#[path = "engine/settings.rs"]
mod settings;
#[path = "engine/stream.rs"]
mod stream;
