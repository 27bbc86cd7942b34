//! Whole migrations: a real ledger, a real store of documents, a real hub, and processes that die.

mod asked;
mod between;
mod desk;
mod drift;
mod firestore;
mod gate;
mod lives;
mod loss;
mod nobodys;
mod power;
mod scene;
mod stops;
mod sweep;
mod trouble;
mod ways_back;
mod world;
mod writers;
