//! The definitions and inventories that come with the server: ready to use once the configuration names
//! the addresses and programs that they ask for, and examples of how to write others.

use super::catalogue::File;

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../", $folder, "/", $name)))),+]
    };
}

const DEFINITIONS: [(&str, &str); 9] = files!("fixes.d":
    "block-address.toml",
    "clear-user-cache.toml",
    "reindex-context-source.toml",
    "repair-user-references.toml",
    "reset-agent-context.toml",
    "restart-pool.toml",
    "restart-service.toml",
    "roll-back-deploy.toml",
    "scale-service.toml",
);

const INVENTORIES: [(&str, &str); 5] = files!("inventories.d":
    "agents.toml", "deployables.toml", "pools.toml", "services.toml", "sources.toml",
);

/// Shipped definitions.
pub fn definitions() -> Vec<File> {
    owned(&DEFINITIONS)
}

/// Shipped inventories.
pub fn inventories() -> Vec<File> {
    owned(&INVENTORIES)
}

fn owned(files: &[(&str, &str)]) -> Vec<File> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}
