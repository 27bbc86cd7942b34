//! What a room must never know (ARCHITECTURE.md): read from the `use` lines and the names in the files.
//!
//! Looks at what stands before a file's own tests; files that are tests altogether are left out.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "layering/map.rs"]
mod map;

use std::fs;
use std::path::{Path, PathBuf};

/// A room and what must not be named in it.
struct Wall {
    room: &'static [&'static str],
    must_not_name: &'static [&'static str],
}

const WALLS: &[Wall] = &[
    Wall {
        room: &["protocol/src"],
        must_not_name: &[
            "tokio",
            "axum",
            "reqwest",
            "ratatui",
            "crossterm",
            "stella_",
            "std::fs",
            "std::net",
            "SystemTime::now",
            "Utc::now",
        ],
    },
    Wall {
        room: &["widgets/src"],
        must_not_name: &[
            "stella_",
            "tokio",
            "crossterm",
            "std::fs",
            "std::net",
            "SystemTime::now",
            "Instant",
            "chrono",
        ],
    },
    Wall {
        // The same lines give the same bytes, so neither the time of the machine, nor chance, nor the order of threads.
        room: &["detect/src"],
        must_not_name: &[
            "tokio",
            "axum",
            "reqwest",
            "rand",
            "std::env",
            "std::fs",
            "std::net",
            "std::process",
            "std::thread",
            "std::time",
            "RandomState",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "stella_server",
            "stella_traces",
            "stella_widgets",
        ],
    },
    Wall {
        // Numbers and words for themselves, so that each can be measured alone.
        room: &["detect/src/series", "detect/src/template"],
        must_not_name: &[
            "LogEvent",
            "crate::engine",
            "crate::evidence",
            "crate::finding",
            "crate::incident",
            "crate::recent",
            "crate::rules",
        ],
    },
    Wall {
        // A rule looks and tells; who asks which of them, and when, is the engine.
        room: &["detect/src/rules"],
        must_not_name: &["crate::engine", "crate::checkpoint"],
    },
    Wall {
        // The judge of what is found must not know how it is found.
        room: &["detect/traces/src"],
        must_not_name: &["stella_server", "tokio", "rand", "std::fs", "std::net", "std::time", "std::thread"],
    },
    Wall {
        room: &["server/src/alerts"],
        must_not_name: &[
            "tokio",
            "axum",
            "rusqlite",
            "std::fs",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "crate::routes",
            "crate::store",
            "crate::hub",
            "crate::remedy",
            "crate::migrate",
        ],
    },
    Wall {
        // How rules are set, and what teaches: kept by the hub, asked for over HTTP, and neither is known here.
        room: &[
            "server/src/marks",
            "server/src/rules/book",
            "server/src/rules/kept",
            "server/src/rules/read",
            "server/src/rules/score",
            "server/src/rules/target",
            "server/src/rules/written",
        ],
        must_not_name: &[
            "tokio",
            "axum",
            "rusqlite",
            "std::fs",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "crate::hub",
            "crate::pipeline",
            "crate::routes",
        ],
    },
    Wall {
        // The seconds and the engine of the pipeline, and nothing that a running server has.
        room: &["server/src/backtest", "server/src/score", "server/src/templates"],
        must_not_name: &[
            "tokio",
            "axum",
            "rusqlite",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "crate::hub",
            "crate::routes",
            "crate::store",
        ],
    },
    Wall {
        room: &["server/src/pipeline", "server/src/lines", "server/src/series"],
        must_not_name: &["axum", "reqwest", "Utc::now", "crate::routes", "crate::remedy"],
    },
    Wall {
        // The engine of fixes; `remedy/run` performs and is the only part that touches the world.
        room: &[
            "server/src/remedy/machine",
            "server/src/remedy/policy",
            "server/src/remedy/definition",
            "server/src/remedy/plan",
            "server/src/remedy/parameter",
            "server/src/remedy/inventory",
            "server/src/remedy/event",
            "server/src/remedy/state",
        ],
        must_not_name: &[
            "tokio",
            "axum",
            "reqwest",
            "rusqlite",
            "std::fs",
            "std::net::Tcp",
            "std::process",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "crate::routes",
            "crate::store",
            "crate::hub",
            "crate::migrate",
            "stella_detect",
        ],
    },
    Wall {
        // The engine of the migration: documents come in as they were read.
        room: &[
            "server/src/migrate/check",
            "server/src/migrate/drift",
            "server/src/migrate/event",
            "server/src/migrate/form",
            "server/src/migrate/machine",
            "server/src/migrate/map",
            "server/src/migrate/plan",
            "server/src/migrate/progress",
            "server/src/migrate/queries",
            "server/src/migrate/reference",
            "server/src/migrate/resolve",
            "server/src/migrate/roll",
            "server/src/migrate/state",
            "server/src/migrate/survey",
        ],
        must_not_name: &[
            "tokio",
            "axum",
            "reqwest",
            "rusqlite",
            "futures_util",
            "std::fs",
            "std::net",
            "std::process",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "crate::admin",
            "crate::alerts",
            "crate::hub",
            "crate::remedy",
            "crate::routes",
            "crate::store",
            "crate::documents::embedded",
        ],
    },
    Wall {
        // The time is told to it, and so is what anybody may do.
        room: &["server/src/presence"],
        must_not_name: &[
            "tokio",
            "axum",
            "std::fs",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "crate::hub",
            "crate::routes",
            "crate::store",
            "crate::auth",
        ],
    },
    Wall { room: &["server/src/toml_source"], must_not_name: &["tokio", "std::fs", "crate::remedy", "crate::migrate"] },
    Wall {
        room: &["server/src/documents"],
        must_not_name: &["crate::remedy", "crate::migrate", "crate::alerts", "crate::hub", "crate::routes", "axum"],
    },
    Wall {
        room: &["server/src/ingest", "server/src/redact"],
        must_not_name: &["tokio", "axum", "std::fs", "SystemTime::now", "Utc::now"],
    },
    Wall {
        // Its lines go the way of anybody's: over HTTP.
        room: &["server/src/demo"],
        must_not_name: &[
            "stella_detect",
            "crate::hub",
            "crate::store",
            "crate::pipeline",
            "crate::lines",
            "crate::alerts",
            "crate::series",
            "crate::ingest",
            "rusqlite",
            "axum",
        ],
    },
    Wall { room: &["server/src/routes"], must_not_name: &["stella_detect", "rusqlite", "std::fs"] },
    Wall { room: &["server/src"], must_not_name: &["ratatui", "crossterm", "stella_widgets", "stella_tui"] },
    Wall {
        room: &["src/board"],
        must_not_name: &[
            "ratatui",
            "tokio",
            "crossterm",
            "crate::screens",
            "crate::frame",
            "Reply",
            "std::fs",
            "Utc::now",
            "Instant::now",
        ],
    },
    Wall {
        room: &["src/screens", "src/frame", "src/model", "src/keys", "src/filter", "src/event", "src/effect"],
        must_not_name: &[
            "crossterm",
            "tokio",
            "reqwest",
            "std::fs",
            "std::net",
            "std::env",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "crate::client",
            "crate::terminal",
            "crate::runtime",
            "crate::embedded",
            "crate::config",
            "crate::cli",
        ],
    },
    Wall {
        room: &["src/terminal"],
        must_not_name: &[
            "crate::model",
            "crate::board",
            "crate::screens",
            "crate::client",
            "crate::effect",
            "stella_protocol",
            "reqwest",
        ],
    },
    Wall {
        room: &["src/client"],
        must_not_name: &[
            "ratatui",
            "crossterm",
            "crate::model",
            "crate::board",
            "crate::screens",
            "crate::terminal",
            "crate::runtime",
        ],
    },
    Wall {
        room: &["src/plain"],
        must_not_name: &[
            "ratatui",
            "crossterm",
            "reqwest",
            "crate::model",
            "crate::board",
            "crate::screens",
            "crate::frame",
            "crate::terminal",
            "crate::runtime",
        ],
    },
    Wall {
        // Its lines go the way of anybody's: through the client.
        room: &["src/embedded"],
        must_not_name: &[
            "ratatui",
            "crossterm",
            "reqwest",
            "stella_detect",
            "crate::model",
            "crate::board",
            "crate::screens",
            "crate::frame",
            "crate::terminal",
            "crate::runtime",
            "crate::plain",
        ],
    },
    Wall {
        room: &["src/runtime"],
        must_not_name: &["FeedEvent", "crate::board", "crate::screens", "crate::keys", "reqwest"],
    },
    Wall {
        room: &["src/theme"],
        must_not_name: &["stella_widgets", "crate::screens", "crate::frame", "crate::model", "std::env"],
    },
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file of a room's name and everything in the folder of that name.
fn files(room: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(format!("{room}.rs")), root().join(room)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|kind| kind == "rs") && path.exists() {
            found.push(path);
        }
    }
    found
}

/// A file's lines that say something: without comments, and up to its tests.
fn code(path: &Path) -> Vec<String> {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let is_in_tests = path.components().any(|part| part.as_os_str() == "tests");
    if name == "tests" || is_in_tests || is_declared_for_tests(path, &name) {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let before_tests = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    before_tests.filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
}

/// True when the module above declares this one behind `#[cfg(test)]`.
fn is_declared_for_tests(path: &Path, name: &str) -> bool {
    let above = path.parent().unwrap().with_extension("rs");
    let text = fs::read_to_string(above).unwrap_or_default();
    let mut behind = text.split("#[cfg(test)]").skip(1);
    behind.any(|rest| {
        rest.lines().find(|line| line.contains("mod ")).is_some_and(|line| line.trim() == format!("mod {name};"))
    })
}

fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_part);
        // `stella_` names every crate that begins so.
        let after = !word.ends_with('_') && line[at + word.len()..].chars().next().is_some_and(is_part);
        !before && !after
    })
}

#[test]
fn no_room_names_what_it_must_never_know() {
    let mut breaches = Vec::new();
    for wall in WALLS {
        for room in wall.room {
            let files = files(room);
            assert!(!files.is_empty(), "the room {room} is gone: this table is out of date");
            for file in files {
                for line in code(&file) {
                    let named = wall.must_not_name.iter().find(|word| names(&line, word));
                    let own = file.strip_prefix(root()).unwrap().display().to_string();
                    breaches.extend(named.map(|word| format!("{own} names {word}: {}", line.trim())));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn one_file_of_the_console_names_the_server() {
    for file in files("src") {
        let names_it = code(&file).iter().any(|line| names(line, "stella_server"));
        assert!(!names_it || file == root().join("src/embedded.rs"), "{}", file.display());
    }
}

/// The names that a line takes out of a crate, as far as it says them there.
fn taken_from<'l>(line: &'l str, krate: &str) -> Vec<&'l str> {
    let behind = line.split(krate).skip(1).filter_map(|rest| rest.strip_prefix("::"));
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let of = |rest: &'l str| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
        None => vec![rest.split(|c| !is_part(c)).next().unwrap_or_default()],
    };
    behind.flat_map(of).collect()
}

#[test]
fn of_the_detector_the_alerts_know_what_was_found_and_in_which_phase_it_is() {
    for file in files("server/src/alerts") {
        for line in code(&file) {
            let strange =
                taken_from(&line, "stella_detect").into_iter().find(|name| !["Finding", "Phase"].contains(name));
            assert_eq!(strange, None, "{}: {line}", file.display());
        }
    }
}

#[test]
fn what_is_taken_from_a_crate_is_read_one_by_one() {
    assert_eq!(taken_from("use stella_detect::{Finding, Rules};", "stella_detect"), ["Finding", "Rules"]);
    assert_eq!(taken_from("fn x(rules: &stella_detect::Rules) {", "stella_detect"), ["Rules"]);
    assert!(taken_from("use stella_protocol::Alert;", "stella_detect").is_empty());
}

#[test]
fn a_breach_would_be_seen() {
    assert!(names("use tokio::sync::mpsc;", "tokio"));
    assert!(names("    use stella_protocol::Text;", "stella_"));
    assert!(!names("use tokio_util::sync;", "tokio"));
    assert!(!names("fn restella_x() {}", "stella_"));
}
