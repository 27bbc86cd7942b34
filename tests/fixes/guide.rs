//! The files that docs/fixes.md lets its readers write, and the definitions that it shows.

use std::collections::BTreeSet;

const GUIDE: &str = include_str!("../../docs/fixes.md");

/// What stands between `cat > NAME <<…` and `END`.
pub fn file(name: &str) -> String {
    let mut lines = GUIDE.lines().skip_while(|line| !line.starts_with(&format!("cat > {name} <<")));
    assert!(lines.next().is_some(), "the guide writes no {name}");
    lines.take_while(|line| *line != "END").flat_map(|line| [line, "\n"]).collect()
}

/// Whole definitions: blocks of TOML that begin with a title.
pub fn definitions() -> Vec<&'static str> {
    let blocks = GUIDE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.lines().any(|line| line.starts_with("title = "))).collect()
}

/// Names in its tables.
pub fn keys() -> BTreeSet<&'static str> {
    let rows = GUIDE.lines().filter(|line| line.starts_with("| `"));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    quoted.flat_map(|words| words.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')).collect()
}
