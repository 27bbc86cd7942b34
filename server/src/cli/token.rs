//! `stella-server token`: made, listed and taken back, by the running server or in its folder.

use std::path::PathBuf;

use clap::Subcommand;
use stella_protocol::Role;
use stella_server::admin::{self, AdminAnswer, AdminRequest};
use stella_server::auth;

use crate::say;

/// What to do with tokens.
#[derive(Subcommand)]
pub enum Token {
    /// Make a token and print it alone: it is not shown again.
    Create {
        /// The server's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// ingest, viewer, responder, approver or admin.
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// Who will use it.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// After how many days it ends; it does not when this is left away.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires: Option<u32>,
    },
    /// List the tokens: id, name, role, state.
    Ls {
        /// The server's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Take a token back at once.
    Revoke {
        /// The server's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Which one, as `token ls` names it.
        #[arg(value_name = "ID")]
        id: String,
    },
}

impl Token {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        let (data, request) = match self {
            Self::Create { data, role, name, expires } => {
                (data, AdminRequest::CreateToken { role, name, expires_days: expires })
            }
            Self::Ls { data } => (data, AdminRequest::ListTokens),
            Self::Revoke { data, id } => (data, AdminRequest::RevokeToken { id }),
        };
        match admin::run(&data, &request)? {
            AdminAnswer::Token { token } => say(&token),
            AdminAnswer::Tokens { tokens } => tokens.iter().try_for_each(|row| say(&row.to_string())),
            AdminAnswer::Alert { .. } | AdminAnswer::Done => Ok(()),
            AdminAnswer::Refused { reason } => anyhow::bail!("do that: {reason}"),
        }
    }
}

/// Reads `--role`; a word that is no role is a mistake of usage.
fn role(word: &str) -> Result<Role, String> {
    auth::role_from_word(word).ok_or_else(|| format!("want one of {}", auth::role_words()))
}
