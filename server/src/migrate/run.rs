//! What performs a migration: the only room of migrations that touches documents and files.

pub mod desk;
