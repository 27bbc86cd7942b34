//! The picture in the README comes from the real screen buffer, so it cannot go stale.
//!
//! `UPDATE_PICTURE=1 cargo test --test picture` writes it anew.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, missing_docs, reason = "tests")]

#[path = "journeys/scene.rs"]
mod scene;

use std::path::Path;

use scene::{Scene, evidence, morning};
use stella_tui::effect::{Query, Reply};
use stella_widgets::picture::{Palette, svg};

#[test]
fn the_picture_in_the_readme_is_what_the_console_draws() {
    let mut scene = Scene::live(140, 34, morning());
    scene.answer(|query| match query {
        Query::Evidence(id) => Some(Reply::Evidence(id.clone(), Ok(Box::new(evidence())))),
        _ => None,
    });
    let drawn = svg(&scene.buffer(), &Palette::default());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/console.svg");
    if std::env::var_os("UPDATE_PICTURE").is_some() {
        std::fs::write(&file, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == drawn, "docs/console.svg is stale: UPDATE_PICTURE=1 cargo test --test picture writes it anew");
}
