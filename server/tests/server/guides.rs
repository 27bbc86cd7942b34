//! What the guides say can be typed, set and asked for is what the server takes: commands, keys, routes, examples.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use stella_server::routes::TABLE;
use stella_server::rules;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

/// Everything that users read, each with its name.
fn guides() -> Vec<(&'static str, String)> {
    let names = [
        "README.md",
        "CHANGELOG.md",
        "ARCHITECTURE.md",
        "docs/configuration.md",
        "docs/detection.md",
        "docs/fixes.md",
        "docs/migration.md",
        "docs/templates.md",
    ];
    names.into_iter().map(|name| (name, text(name))).collect()
}

/// What stands between backticks on single lines.
fn quoted(guide: &str) -> impl Iterator<Item = &str> {
    guide.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn help(words: &[&str]) -> String {
    let said = Command::new(env!("CARGO_BIN_EXE_stella-server")).args(words).arg("--help").output().unwrap();
    assert!(said.status.success(), "{words:?}");
    String::from_utf8(said.stdout).unwrap()
}

/// The first words of a part of a help text.
fn listed(help: &str, part: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != part).skip(1).take_while(|line| !line.is_empty());
    // What goes on from the line before is set in further.
    let first =
        |line: &str| line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()).map(str::to_owned);
    lines.filter_map(first).collect()
}

/// Every command, in words, with its help.
fn commands() -> Vec<(String, String)> {
    let mut commands = Vec::new();
    for first in listed(&help(&[]), "Commands:").into_iter().filter(|word| word != "help") {
        let whole = help(&[&first]);
        let second: Vec<String> = listed(&whole, "Commands:").into_iter().filter(|word| word != "help").collect();
        if second.is_empty() {
            commands.push((first, whole));
            continue;
        }
        commands.extend(second.into_iter().map(|word| (format!("{first} {word}"), help(&[&first, &word]))));
    }
    commands
}

#[test]
fn every_command_is_in_the_guide_and_every_command_of_a_guide_is_one() {
    let (guide, commands) = (text("docs/configuration.md"), commands());
    assert!(commands.len() > 8, "{commands:?}");
    for (command, _) in commands.iter().filter(|(command, _)| command != "serve") {
        // One row may tell of two: `documents import FILE…` and `export FILE`.
        let last = command.rsplit(' ').next().unwrap();
        let told = [format!("`stella-server {command}"), format!("and `{last} ")];
        assert!(told.iter().any(|told| guide.contains(told)), "docs/configuration.md has no row for {command}");
    }
    let known: BTreeSet<&str> = commands.iter().map(|(command, _)| command.split(' ').next().unwrap()).collect();
    for (name, guide) in guides() {
        for rest in guide.split("stella-server ").skip(1) {
            let word = rest.split(|letter: char| !letter.is_ascii_lowercase()).next().unwrap();
            let typed = rest[word.len()..].starts_with([' ', '`', '\n']) && !word.is_empty();
            let prose = ["listening", "as", "is", "and", "of", "has"].contains(&word);
            assert!(!typed || prose || known.contains(word), "{name} types `stella-server {word}`");
        }
    }
}

#[test]
fn every_flag_of_a_command_about_logs_is_told() {
    let guides: String = guides().into_iter().map(|(_, guide)| guide).collect();
    for command in ["backtest", "templates", "detect"] {
        let help = help(&[command]);
        let flags: BTreeSet<&str> = help
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("--"))
            .map(|word| word.split(|letter: char| !letter.is_ascii_lowercase() && letter != '-').next().unwrap())
            .filter(|flag| !["help", "output", "verbose"].contains(flag))
            .collect();
        assert!(help.contains("--output"), "{help}");
        for flag in flags {
            assert!(guides.contains(&format!("--{flag}")), "no guide tells of `{command} --{flag}`");
        }
    }
}

/// True when a path that people read, with its placeholders, is that of a route.
fn is_route(method: &str, told: &str) -> bool {
    let told = told.split('?').next().unwrap().replace("{old id}", "{oldId}");
    let whole = if told.starts_with("/api/") || told.ends_with('z') { told } else { format!("/api/stella{told}") };
    let parts: Vec<&str> = whole.split('/').collect();
    TABLE.iter().filter(|route| route.method == method).any(|route| {
        let own: Vec<&str> = route.path.split('/').collect();
        own.len() == parts.len() && own.iter().zip(&parts).all(|(own, told)| own == told || own.starts_with('{'))
    })
}

#[test]
fn every_route_that_a_guide_names_is_one() {
    let mut seen = 0;
    for (name, guide) in guides() {
        for words in quoted(&guide) {
            let Some((method, path)) = words.split_once(" /") else { continue };
            if !["GET", "POST", "PUT", "DELETE"].contains(&method) {
                continue;
            }
            seen += 1;
            assert!(is_route(method, &format!("/{path}")), "{name} names `{words}`");
        }
        let addresses = guide.split("/api/stella").skip(1);
        for path in addresses.map(|rest| rest.split(|c: char| "`\" \n?".contains(c)).next().unwrap()) {
            let told = format!("/api/stella{path}").replace("{old", "{oldId}");
            let some = ["GET", "POST", "PUT", "DELETE"].iter().any(|method| is_route(method, &told));
            assert!(some || path.is_empty(), "{name} names {told}");
        }
    }
    assert!(seen > 10, "{seen}");
}

/// A heading as the address of its chapter.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn no_chapter_of_a_guide_stands_there_twice() {
    for (name, guide) in guides() {
        let chapters: Vec<&str> = guide.lines().filter(|line| line.starts_with("## ")).collect();
        let different: BTreeSet<&str> = chapters.iter().copied().collect();
        assert_eq!(chapters.len(), different.len(), "{name}: {chapters:?}");
    }
}

#[test]
fn every_link_of_a_guide_leads_somewhere() {
    let mut seen = 0;
    for (name, guide) in guides() {
        let folder = Path::new(name).parent().unwrap();
        for target in guide.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.contains(' ') {
                continue;
            }
            seen += 1;
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { Path::new(name).to_owned() } else { folder.join(file) };
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&path);
            assert!(there.exists(), "{name} links to {target}");
            if !place.is_empty() {
                let text = fs::read_to_string(there).unwrap();
                let found = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == place);
                assert!(found, "{name} links to {target}, and there is no such chapter");
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

/// The keys that a table of a file knows: what it answers to one that it does not.
fn known(before: &str) -> BTreeSet<String> {
    let text = format!("{before}\nqqqqqqqqqq = 1\n");
    let problems = rules::read("s.toml", &text).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let known = told.iter().find_map(|told| told.split_once("; known are ")).unwrap_or_else(|| panic!("{told:?}")).1;
    known.split(", ").map(|key| key.trim_end_matches('.').to_owned()).collect()
}

#[test]
fn the_guide_to_detection_tells_every_key_and_its_examples_are_taken() {
    let guide = text("docs/detection.md");
    let rule = known("[[rule]]\ntype = \"slow\"");
    assert!(rule.contains("sensitivity") && rule.contains("limits"), "{rule:?}");
    for key in rule.iter().filter(|key| *key != "scope") {
        assert!(guide.contains(&format!("| `{key}` |")), "[[rule]] {key}");
    }
    for key in known("[[rule]]\ntype = \"slow\"\n[rule.scope]") {
        assert!(guide.contains(&format!("`scope.{key}`")), "scope.{key}");
    }
    for table in ["[detection]", "[[detection.objective]]", "[[detection.gauge]]"] {
        for key in known(table) {
            let told = [format!("\n{key} = "), format!("[[detection.{key}]]")];
            assert!(told.iter().any(|told| guide.contains(told)), "{table} {key}");
        }
    }
    let examples: Vec<&str> =
        guide.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert!(examples.len() >= 2);
    for example in examples {
        let told: Vec<String> =
            rules::read("docs/detection.md", example).err().iter().flatten().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{told:?}\n{example}");
    }
}
