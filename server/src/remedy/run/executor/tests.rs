//! The executor with the real hub, store, performer and documents, against a target of its own that is
//! no part of what is killed.

mod again;
mod broken;
mod crash;
mod images;
mod lives;
mod paused;
mod power;
mod proof;
mod scene;
mod series;
mod storm;
mod target;
