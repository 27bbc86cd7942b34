//! Tokens that live in memory only and end with the server: of the console around it, and of a demo's people.

use std::net::SocketAddr;

use stella_protocol::Role;

use super::StartError;
use crate::auth::{Grant, Holder, NoRandomness, Recording, Secret, Tokens};
use crate::config::Embedded;
use crate::folder::Folder;

/// Where an embedded server with a data folder writes its address and token, for its owner only.
pub(super) const CONSOLE_FILE: &str = "console.json";

/// Tokens of the console around this server; they live in memory only and end with it.
pub(super) fn embedded(tokens: &Tokens, embedded: &Embedded) -> Result<(Secret, Secret), NoRandomness> {
    let console = passing(tokens, &format!("{}@local", embedded.login), Role::Admin, Recording::Refused)?;
    let ingest = passing(tokens, "pipe@local", Role::Ingest, Recording::Allowed)?;
    Ok((console, ingest))
}

/// A token of somebody real that is not kept.
pub(super) fn passing(tokens: &Tokens, name: &str, role: Role, recording: Recording) -> Result<Secret, NoRandomness> {
    let (name, holder) = (name.to_owned(), Holder::Real);
    lend(tokens, Grant { name, role, recording, holder, expires_at: None, revoked_at: None })
}

/// A token that is not kept.
pub(super) fn lend(tokens: &Tokens, grant: Grant) -> Result<Secret, NoRandomness> {
    let secret = Secret::generate()?;
    tokens.put(secret.fingerprint(), grant);
    Ok(secret)
}

/// Says where the server is and with what to speak to it, for its owner only.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn tell_console(folder: &Folder, addr: SocketAddr, token: &Secret) -> Result<(), StartError> {
    let told = serde_json::json!({ "url": format!("http://{addr}"), "token": token.expose() });
    folder.write_secret(CONSOLE_FILE, told.to_string().as_bytes()).map_err(StartError::Folder)
}
