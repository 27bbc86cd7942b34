//! Who is asking, and what they may do.

use serde::{Deserialize, Serialize};

use crate::Text;

/// What a principal may do. Ordered and inclusive from `Viewer` to `Admin`; `Ingest` stands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May only send logs and look up aliases.
    Ingest,
    /// May look.
    Viewer,
    /// May triage.
    Responder,
    /// May approve fixes.
    Approver,
    /// May do everything.
    Admin,
    /// A role this reader does not know: allows nothing.
    #[serde(other)]
    Unknown,
}

impl Role {
    /// Every role that can be given to a token.
    pub const ALL: [Self; 5] = [Self::Ingest, Self::Viewer, Self::Responder, Self::Approver, Self::Admin];

    /// The word on the wire and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Approver => "approver",
            Self::Admin => "admin",
            Self::Unknown => "unknown",
        }
    }

    /// True when a holder of this role may do what asks for `wanted`.
    pub fn allows(self, wanted: Role) -> bool {
        let height = |role: Role| match role {
            Role::Viewer => Some(1),
            Role::Responder => Some(2),
            Role::Approver => Some(3),
            Role::Admin => Some(4),
            Role::Ingest | Role::Unknown => None,
        };
        match (height(self), height(wanted)) {
            (Some(mine), Some(need)) => mine >= need,
            _ => self == wanted && self != Role::Unknown,
        }
    }
}

/// Somebody known to the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// Name, as given to the token or by the session.
    pub name: Text,
    /// What they may do.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_inclusive_but_ingest_stands_apart() {
        assert!(Role::Admin.allows(Role::Viewer));
        assert!(!Role::Viewer.allows(Role::Responder));
        assert!(Role::Ingest.allows(Role::Ingest));
        assert!(!Role::Admin.allows(Role::Ingest));
        assert!(!Role::Ingest.allows(Role::Viewer));
        assert!(!Role::Unknown.allows(Role::Unknown));
    }
}
