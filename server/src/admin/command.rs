//! The commands themselves: what is asked, what is answered, and how a caller reaches the server or
//! its store.

use std::fmt;
use std::io::{BufRead, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stella_protocol::{Alert, AlertId, Evidence, Role, Text, Timestamp};

use crate::alerts::SYSTEM;
use crate::auth::{Fingerprint, Grant, Holder, Recording, Secret, Tokens, is_name};
use crate::clock::Clock;
use crate::folder::admin_socket;
use crate::store::{AuditEntry, Commit, SqliteStore, Store, StoreError, StoredToken, Tx, Verdict, Write};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a running server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the fingerprint that name a token in lists.
const ID_BYTES: usize = 6;
/// Who stands in the audit for commands given on the server's own machine.
const LOCAL_ADMINISTRATOR: &str = "admin@socket";

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminRequest {
    /// Make a token.
    CreateToken {
        /// What its holder may do.
        role: Role,
        /// Who will hold it.
        name: String,
        /// After how many days it ends; None: it does not.
        expires_days: Option<u32>,
    },
    /// List the tokens.
    ListTokens,
    /// Take a token back.
    RevokeToken {
        /// As listed.
        id: String,
    },
    /// Show an alert with its evidence.
    ShowAlert {
        /// Which.
        id: AlertId,
    },
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum AdminAnswer {
    /// The new token: shown once.
    Token {
        /// As written.
        token: String,
    },
    /// The tokens, oldest first.
    Tokens {
        /// One each.
        tokens: Vec<TokenRow>,
    },
    /// The alert.
    Alert {
        /// As everyone sees it.
        alert: Box<Alert>,
        /// Why it stands.
        evidence: Option<Box<Evidence>>,
    },
    /// It was done.
    Done,
    /// It was not.
    Refused {
        /// Why.
        reason: String,
    },
}

impl AdminAnswer {
    pub(super) fn refused(reason: &str) -> Self {
        Self::Refused { reason: reason.to_owned() }
    }
}

/// A token in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Names it, for `revoke`.
    pub id: String,
    /// Who holds it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl fmt::Display for TokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\t{}\tcreated {}", self.id, self.name, self.role.word(), self.created_at)?;
        if let Some(at) = self.expires_at {
            write!(f, "\texpires {at}")?;
        }
        if let Some(at) = self.revoked_at {
            write!(f, "\trevoked {at}")?;
        }
        Ok(())
    }
}

/// A command that could not be brought to a server or a store.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is neither.
    #[error("find a server's data there: the folder does not exist")]
    NoFolder,
    /// The socket broke off.
    #[error("talk to the running server")]
    Socket(#[source] std::io::Error),
    /// The server answered something else.
    #[error("understand the running server: it is of another version")]
    Answer(#[source] serde_json::Error),
    /// No server answers and the store cannot be opened either.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings `request` to the server that runs on `data`, or performs it on the store when none does.
/// Blocks.
///
/// # Errors
/// When neither is possible; a refusal is an answer.
pub fn run(data: &Path, request: &AdminRequest) -> Result<AdminAnswer, AdminError> {
    if !data.is_dir() {
        return Err(AdminError::NoFolder);
    }
    if let Ok(stream) = UnixStream::connect(admin_socket(data)) {
        return ask(stream, request);
    }
    let now = Clock::system().now();
    let store = SqliteStore::open(data, now)?;
    Ok(perform(request, &store, &Tokens::default(), now))
}

fn ask(mut stream: UnixStream, request: &AdminRequest) -> Result<AdminAnswer, AdminError> {
    stream.set_read_timeout(Some(PATIENCE)).map_err(AdminError::Socket)?;
    let mut line = serde_json::to_vec(request).map_err(AdminError::Answer)?;
    line.push(b'\n');
    stream.write_all(&line).and_then(|()| stream.shutdown(Shutdown::Write)).map_err(AdminError::Socket)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(AdminError::Socket)?;
    serde_json::from_str(&answer).map_err(AdminError::Answer)
}

/// Every kept token, ready for the book.
pub(crate) fn known_tokens(store: &dyn Store) -> Result<Vec<(Fingerprint, Grant)>, StoreError> {
    Ok(store.tokens()?.iter().map(|token| (token.fingerprint, grant(token))).collect())
}

/// Performs a command: the store first, then the book of the running server.
pub(crate) fn perform(request: &AdminRequest, store: &dyn Store, tokens: &Tokens, now: Timestamp) -> AdminAnswer {
    let done = match request {
        AdminRequest::CreateToken { role, name, expires_days } => {
            create(store, tokens, now, *role, name, *expires_days)
        }
        AdminRequest::ListTokens => store.tokens().map_err(|_| NO_STORE).map(listed),
        AdminRequest::RevokeToken { id } => revoke(store, tokens, now, id),
        AdminRequest::ShowAlert { id } => show(store, id),
    };
    done.unwrap_or_else(AdminAnswer::refused)
}

/// What a caller is told when the store fails; the cause stands in the log.
const NO_STORE: &str = "the store does not answer";

fn create(
    store: &dyn Store,
    tokens: &Tokens,
    now: Timestamp,
    role: Role,
    name: &str,
    expires_days: Option<u32>,
) -> Result<AdminAnswer, &'static str> {
    if !is_name(name) {
        return Err("a name is 1 to 64 letters, digits and . _ - @");
    }
    if [SYSTEM, LOCAL_ADMINISTRATOR].iter().any(|taken| name.eq_ignore_ascii_case(taken)) {
        return Err("this name is the server's own");
    }
    if tokens.is_of_simulated(name) {
        return Err("this name is that of the demo's simulated colleague");
    }
    if !tokens.has_room(name, role, now) {
        return Err("the configuration says `fixes.people = \"one\"`, and that one has a token of another name");
    }
    if role == Role::Unknown {
        return Err("there is no such role");
    }
    let secret = Secret::generate().map_err(|_| "the machine gave no random bytes")?;
    let token = StoredToken {
        fingerprint: secret.fingerprint(),
        name: Text::new(name.to_owned()),
        role,
        recording: false,
        created_at: now,
        expires_at: expires_days.map(|days| now.plus_millis(i64::from(days) * DAY_MS)),
        revoked_at: None,
    };
    put(store, tokens, now, "create_token", token)?;
    Ok(AdminAnswer::Token { token: secret.expose().to_owned() })
}

fn show(store: &dyn Store, id: &AlertId) -> Result<AdminAnswer, &'static str> {
    let alert = store.alert(id).map_err(|_| NO_STORE)?.ok_or("no alert has this id")?;
    let evidence = store.evidence(id).map_err(|_| NO_STORE)?.map(Box::new);
    Ok(AdminAnswer::Alert { alert: Box::new(alert.alert), evidence })
}

fn revoke(store: &dyn Store, tokens: &Tokens, now: Timestamp, named: &str) -> Result<AdminAnswer, &'static str> {
    let known = store.tokens().map_err(|_| NO_STORE)?;
    let mut token = known.into_iter().find(|token| id(&token.fingerprint) == named).ok_or("no token has this id")?;
    if token.revoked_at.is_none() {
        token.revoked_at = Some(now);
        put(store, tokens, now, "revoke_token", token)?;
    }
    Ok(AdminAnswer::Done)
}

fn put(
    store: &dyn Store,
    tokens: &Tokens,
    now: Timestamp,
    verb: &'static str,
    token: StoredToken,
) -> Result<(), &'static str> {
    let audit = AuditEntry {
        principal: Text::new(LOCAL_ADMINISTRATOR),
        role: Role::Admin,
        verb,
        object: id(&token.fingerprint),
        versions: (0, 0),
        key: String::new(),
        verdict: Verdict::Done,
        detail: Text::new(format!("{} {}", token.role.word(), token.name.raw())),
    };
    let (fingerprint, grant) = (token.fingerprint, grant(&token));
    let tx = Tx { at: now, writes: vec![Write::Token(Box::new(token))], audit: vec![audit], ..Tx::default() };
    match store.commit_all(vec![tx]).pop() {
        Some(Commit::Committed { .. }) => {
            tokens.put(fingerprint, grant);
            Ok(())
        }
        _ => Err(NO_STORE),
    }
}

fn listed(mut tokens: Vec<StoredToken>) -> AdminAnswer {
    tokens.sort_by_key(|token| token.created_at);
    let row = |token: StoredToken| TokenRow {
        id: id(&token.fingerprint),
        name: token.name.raw().to_owned(),
        role: token.role,
        created_at: token.created_at,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
    };
    AdminAnswer::Tokens { tokens: tokens.into_iter().map(row).collect() }
}

fn grant(token: &StoredToken) -> Grant {
    Grant {
        name: token.name.raw().to_owned(),
        role: token.role,
        recording: if token.recording { Recording::Allowed } else { Recording::Refused },
        holder: Holder::Real,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
    }
}

/// Names a token without giving it away.
fn id(fingerprint: &Fingerprint) -> String {
    fingerprint[..ID_BYTES].iter().fold(String::new(), |mut id, byte| {
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(&mut id, format_args!("{byte:02x}"));
        id
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use stella_protocol::Code;

    use super::*;

    fn created(answer: AdminAnswer) -> String {
        let AdminAnswer::Token { token } = answer else { panic!("{answer:?}") };
        token
    }

    #[test]
    fn a_token_made_without_a_server_is_known_to_the_next_one_until_it_is_revoked() {
        let data = tempfile::tempdir().unwrap();
        let request = AdminRequest::CreateToken { role: Role::Viewer, name: "ana".into(), expires_days: Some(1) };
        let token = created(run(data.path(), &request).unwrap());

        let now = Clock::system().now();
        let store = SqliteStore::open(data.path(), now).unwrap();
        let book = Tokens::default();
        known_tokens(&store).unwrap().into_iter().for_each(|(fingerprint, grant)| book.put(fingerprint, grant));
        assert_eq!(book.admit(&token, now).unwrap().principal.role, Role::Viewer);
        assert_eq!(book.admit(&token, now.plus_millis(2 * DAY_MS)).unwrap_err(), Code::TokenExpired);

        let AdminAnswer::Tokens { tokens } = perform(&AdminRequest::ListTokens, &store, &book, now) else { panic!() };
        assert_eq!(tokens.len(), 1);
        let revoke = AdminRequest::RevokeToken { id: tokens[0].id.clone() };
        assert!(matches!(perform(&revoke, &store, &book, now), AdminAnswer::Done));
        assert_eq!(book.admit(&token, now).unwrap_err(), Code::TokenRevoked);
    }

    #[test]
    fn nobody_real_takes_the_name_of_the_demos_colleague() {
        let data = tempfile::tempdir().unwrap();
        let now = Clock::system().now();
        let (store, book) = (SqliteStore::open(data.path(), now).unwrap(), Tokens::default());
        let (name, recording, holder) = ("op2 (simulated)".into(), Recording::Refused, Holder::Simulated);
        let grant = Grant { name, role: Role::Approver, recording, holder, expires_at: None, revoked_at: None };
        book.put(Secret::generate().unwrap().fingerprint(), grant);
        let create = |name: &str| {
            let request = AdminRequest::CreateToken { role: Role::Viewer, name: name.into(), expires_days: None };
            perform(&request, &store, &book, now)
        };
        assert!(matches!(create("OP2"), AdminAnswer::Refused { .. }));
        assert!(matches!(create("op3"), AdminAnswer::Token { .. }));
    }

    #[test]
    fn a_name_that_cannot_be_shown_or_is_the_servers_own_is_refused() {
        let data = tempfile::tempdir().unwrap();
        for name in ["", "a b", "\u{1b}[2J", "stella\n", "system", "System", LOCAL_ADMINISTRATOR] {
            let request = AdminRequest::CreateToken { role: Role::Viewer, name: name.into(), expires_days: None };
            assert!(matches!(run(data.path(), &request).unwrap(), AdminAnswer::Refused { .. }), "{name:?}");
        }
    }
}
