//! The Stella server: takes in logs, detects patterns in them, keeps alerts, streams them.
//!
//! [`bind`] makes a server that listens, [`Server::run`] runs it to its end. The console embeds it by
//! these two; the program `stella-server` is a thin wrapper around them.
//!
//! How a line becomes an alert: [`routes`] take a body → [`ingest`] reads it → [`redact`] takes secrets
//! out → [`pipeline`] gives it its time, keeps it in [`lines`], asks the engine → [`hub`] commits the
//! finding through [`store`] and tells every reader of the feed.

pub mod admin;
pub mod alerts;
mod asking;
pub mod auth;
pub mod backtest;
pub mod base_url;
#[cfg(test)]
mod chance;
pub mod clock;
pub mod config;
pub mod demo;
pub mod documents;
mod folder;
pub mod health;
pub mod hub;
pub mod ingest;
pub mod lines;
mod listener;
pub mod marks;
pub mod migrate;
mod notice;
pub mod notify;
pub mod packed;
pub mod pipeline;
pub mod presence;
mod problem;
mod readiness;
pub mod redact;
pub mod remedy;
pub mod routes;
pub mod rules;
pub mod score;
pub mod secret_place;
pub mod series;
mod server;
mod sqlite;
pub mod store;
pub mod templates;
pub mod toml_source;
mod words;

pub use auth::Secret;
pub use clock::Clock;
pub use config::{Config, Embedded, Redaction};
pub use server::{RunError, Server, StartError, bind};
