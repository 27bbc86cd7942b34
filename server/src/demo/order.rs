//! What operators can ask of the simulated application: something of it, and what is to be done with
//! that. Knows the names, not how anything is done.

use std::net::IpAddr;

use super::application::{SOURCES, WORKERS};
use super::operation::PoolName;

/// Services that can be restarted, scaled and rolled back, besides the workers.
const SERVICES: [&str; 6] = ["web", "api", "ai", "auth", "jobs", "store"];

/// Most copies of a service.
const MOST_REPLICAS: u32 = 16;

/// How long an address stays blocked when nothing else is said, and at most, in seconds.
const BLOCK_SECONDS: u64 = 3_600;
const LONGEST_BLOCK_SECONDS: u64 = 7 * 24 * 3_600;

/// Something of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The connections of a repository.
    Pool(PoolName),
    /// What is cached for a person, by their user id.
    Cache(String),
    /// A context source.
    Source(&'static str),
    /// An address that may be kept out.
    Address(IpAddr),
    /// The release of a service.
    Deploy(&'static str),
    /// A service or a worker.
    Service(&'static str),
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A pool or a service is restarted.
    Restart,
    /// A cache is emptied.
    Clear,
    /// A source gets its index anew.
    Reindex,
    /// An address is kept out.
    Block {
        /// For so long.
        seconds: u64,
    },
    /// It is let in again.
    Unblock,
    /// The release before this one runs again.
    RollBack,
    /// The release that was rolled back runs again.
    Forward,
    /// So many copies of a service run.
    Scale(u32),
}

impl Subject {
    /// Reads `KIND/NAME`. A component's name stands for its pool or source: that is what alerts carry.
    pub fn read(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "pools" => {
                PoolName::ALL.into_iter().find(|pool| pool.name() == name || pool.component() == name).map(Self::Pool)
            }
            "cache" => (!name.is_empty()).then(|| Self::Cache(name.to_owned())),
            "sources" => {
                let bare = name.strip_prefix("source-").unwrap_or(name);
                SOURCES.into_iter().find(|(source, _)| *source == bare).map(|(source, _)| Self::Source(source))
            }
            "blocks" => name.parse().ok().map(Self::Address),
            "deploys" => SERVICES.into_iter().find(|service| *service == name).map(Self::Deploy),
            "services" => {
                let workers = WORKERS.into_iter().map(|(_, worker)| worker);
                SERVICES.into_iter().chain(workers).find(|service| *service == name).map(Self::Service)
            }
            _ => None,
        }
    }

    /// Its one name, `KIND/NAME`.
    pub fn path(&self) -> String {
        match self {
            Self::Pool(pool) => format!("pools/{}", pool.name()),
            Self::Cache(user) => format!("cache/{user}"),
            Self::Source(source) => format!("sources/{source}"),
            Self::Address(ip) => format!("blocks/{ip}"),
            Self::Deploy(service) => format!("deploys/{service}"),
            Self::Service(service) => format!("services/{service}"),
        }
    }

    /// Reads what a `POST` with this word asks for; `to` is the number that goes with it.
    pub fn deed(&self, word: &str, to: Option<u32>) -> Option<Deed> {
        match (self, word) {
            (Self::Pool(_) | Self::Service(_), "restart") => Some(Deed::Restart),
            (Self::Cache(_), "clear") => Some(Deed::Clear),
            (Self::Source(_), "reindex") => Some(Deed::Reindex),
            (Self::Deploy(_), "rollback") => Some(Deed::RollBack),
            (Self::Deploy(_), "forward") => Some(Deed::Forward),
            (Self::Service(_), "scale") => to.filter(|to| (1..=MOST_REPLICAS).contains(to)).map(Deed::Scale),
            _ => None,
        }
    }

    /// What a `PUT` of this asks for.
    pub fn put(&self, seconds: Option<u64>) -> Option<Deed> {
        let seconds = seconds.unwrap_or(BLOCK_SECONDS).clamp(1, LONGEST_BLOCK_SECONDS);
        matches!(self, Self::Address(_)).then_some(Deed::Block { seconds })
    }

    /// What a `DELETE` of this asks for.
    pub fn delete(&self) -> Option<Deed> {
        matches!(self, Self::Address(_)).then_some(Deed::Unblock)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_component_names_the_same_thing_as_the_thing_itself() {
        for (kind, component, name) in [
            ("pools", "db-pool-conversations", "conversations"),
            ("sources", "source-handbook", "handbook"),
            ("services", "mail-sender", "mail-sender"),
            ("blocks", "198.51.100.7", "198.51.100.7"),
        ] {
            let subject = Subject::read(kind, component).unwrap();
            assert_eq!(Some(subject.clone()), Subject::read(kind, name));
            assert_eq!(subject.path(), format!("{kind}/{name}"));
        }
        for (kind, name) in
            [("pools", "x"), ("cache", ""), ("blocks", "198.51.100"), ("deploys", "replica"), ("x", "api")]
        {
            assert_eq!(Subject::read(kind, name), None, "{kind}/{name}");
        }
    }

    #[test]
    fn nothing_is_done_to_what_it_is_not_for() {
        let pool = Subject::Pool(PoolName::Agents);
        assert_eq!(pool.deed("restart", None), Some(Deed::Restart));
        assert_eq!((pool.deed("clear", None), pool.put(None), pool.delete()), (None, None, None));
        let service = Subject::Service("mail-sender");
        assert_eq!(service.deed("scale", Some(4)), Some(Deed::Scale(4)));
        assert_eq!(
            [service.deed("scale", None), service.deed("scale", Some(0)), service.deed("scale", Some(17))],
            [None; 3]
        );
        let address = Subject::read("blocks", "198.51.100.7").unwrap();
        assert_eq!(address.put(None), Some(Deed::Block { seconds: 3_600 }));
    }
}
