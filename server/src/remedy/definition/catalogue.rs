//! All definitions and inventories that a server has, and which of them can be used.
//!
//! Shipped ones first; a folder's replaces the shipped one of the same name. Files with problems give
//! nothing, and the problems are told: a server starts without them, `fixes check` fails.

use std::collections::BTreeMap;

use super::{Definition, parse};
use crate::remedy::inventory::Inventory;
use crate::remedy::settings::Settings;
use crate::toml_source::Problem;

/// A file: its name with its end, and its text.
pub type File = (String, String);

/// Definitions and inventories.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    definitions: BTreeMap<String, Definition>,
    inventories: BTreeMap<String, Inventory>,
}

impl Catalogue {
    /// Adds files; later ones replace earlier ones of the same name. What is wrong with them.
    pub fn add(&mut self, definitions: &[File], inventories: &[File]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (file, text) in inventories {
            match Inventory::parse(stem(file), file, text) {
                Ok(inventory) => {
                    self.inventories.insert(inventory.name.clone(), inventory);
                }
                Err(found) => problems.extend(found),
            }
        }
        let mut files = BTreeMap::new();
        for (file, text) in definitions {
            match parse(stem(file), file, text) {
                Ok(definition) => {
                    if let Some(other) = files.insert(definition.id.clone(), file) {
                        let what = format!("the id `{}` is that of {other} too", definition.id);
                        problems.push(Problem { file: file.clone(), line: 0, what });
                        continue;
                    }
                    self.definitions.insert(definition.id.clone(), definition);
                }
                Err(found) => problems.extend(found),
            }
        }
        problems.extend(self.missing_inventories(&files));
        problems
    }

    fn missing_inventories(&self, files: &BTreeMap<String, &String>) -> Vec<Problem> {
        let missing = |definition: &Definition| -> Vec<Problem> {
            let Some(file) = files.get(&definition.id) else { return Vec::new() };
            let names = definition.inventories().filter(|name| !self.inventories.contains_key(*name));
            let problem = |name: &str| {
                let hint = crate::toml_source::suggestion(name, self.inventories.keys().map(String::as_str));
                let what = format!("there is no inventory `{}`{hint}", crate::toml_source::shown(name));
                Problem { file: (*file).clone(), line: 0, what }
            };
            names.map(problem).collect()
        };
        self.definitions.values().flat_map(missing).collect()
    }

    /// All definitions, by id.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values()
    }

    /// A definition by its id.
    pub fn definition(&self, id: &str) -> Option<&Definition> {
        self.definitions.get(id)
    }

    /// All inventories, by name.
    pub fn inventories(&self) -> impl Iterator<Item = &Inventory> {
        self.inventories.values()
    }

    /// An inventory by its name.
    pub fn inventory(&self, name: &str) -> Option<&Inventory> {
        self.inventories.get(name)
    }
}

/// What a definition needs and the settings do not give, in words. None: nothing.
pub fn lacking(definition: &Definition, settings: &Settings, documents: bool) -> Option<String> {
    if let Some(base) = definition.bases().find(|base| settings.base(base).is_none()) {
        return Some(format!("the server's configuration has no `[[fixes.base]]` named `{base}`"));
    }
    if let Some(program) = definition.programs().find(|program| settings.program(program).is_none()) {
        return Some(format!("the server's configuration has no `[[fixes.program]]` named `{program}`"));
    }
    (definition.needs_documents() && !documents).then(|| "this server has no document store".to_owned())
}

fn stem(file: &str) -> &str {
    file.strip_suffix(".toml").unwrap_or(file)
}
