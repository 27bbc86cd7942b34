//! The running server's end of the socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::command::{AdminAnswer, AdminRequest, perform};
use crate::auth::Tokens;
use crate::clock::Clock;
use crate::store::Store;

/// Longest command in bytes.
const LONGEST_COMMAND: u64 = 4096;
/// How long a caller may take to say it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a command works on.
#[derive(Clone)]
pub(crate) struct Office {
    pub store: Arc<dyn Store>,
    pub tokens: Arc<Tokens>,
    pub clock: Clock,
}

/// Opens the socket; one left behind by a server that was killed is replaced (the store's lock says
/// that none runs).
///
/// # Errors
/// When the folder does not allow it, or its path is too long for a socket.
pub(crate) fn open(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers commands until the server ends.
pub(crate) async fn serve(listener: UnixListener, office: Office, ending: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = ending.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if is_ours(&stream) => {
                let office = office.clone();
                tokio::spawn(async move {
                    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, answer(stream, office)).await {
                        tracing::debug!(kind = ?error.kind(), "an administrative command broke off");
                    }
                });
            }
            Ok(_) => tracing::warn!("another user tried the administrative socket"),
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "the administrative socket ends");
                return;
            }
        }
    }
}

/// Between `bind` and the change of its mode the socket may be open to others: ask who it is.
fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

async fn answer(stream: UnixStream, office: Office) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(LONGEST_COMMAND)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<AdminRequest>(&line) {
        Ok(request) => {
            let done = tokio::task::spawn_blocking(move || {
                perform(&request, office.store.as_ref(), &office.tokens, office.clock.now())
            });
            done.await.unwrap_or_else(|_| AdminAnswer::refused("the command failed; see the server's log"))
        }
        Err(_) => AdminAnswer::refused("the running server is of another version: use its own program"),
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    writer.write_all(&bytes).await?;
    writer.shutdown().await
}
