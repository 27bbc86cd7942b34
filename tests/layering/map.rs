//! ARCHITECTURE.md is the house as it stands, and kept pictures of the screen are pictures of something.

use std::fs;
use std::path::{Path, PathBuf};

use super::root;

/// The files and folders that the map names under a heading, as they begin its lines.
fn on_the_map(map: &str, heading: &str) -> Vec<String> {
    let (_, chapter) = map.split_once(heading).unwrap();
    let block = chapter.split("```").nth(1).unwrap();
    let is_room = |word: &&str| word.ends_with('/') || Path::new(word).extension().is_some_and(|kind| kind == "rs");
    block.lines().flat_map(|line| line.split_whitespace().take_while(is_room)).map(str::to_owned).collect()
}

#[test]
fn the_map_names_what_there_is_and_every_file_at_the_door() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(map.lines().count() < 200, "{} lines", map.lines().count());
    for (heading, folder) in
        [("### The console", "src"), ("### The server", "server/src"), ("### The detector", "detect/src")]
    {
        let named = on_the_map(&map, heading);
        for room in &named {
            assert!(root().join(folder).join(room).exists(), "the map names {room}, which is not in {folder}");
        }
        let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.extension().is_some_and(|kind| kind == "rs")) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            assert!(named.contains(&name), "{folder}/{name} is on no map");
        }
    }
}

/// Every file below a folder that ends so.
fn below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_kept_picture_is_one_that_a_test_compares() {
    let kept = below(&root().join("tests"), ".snap");
    assert!(kept.len() > 50, "where are they? {}", kept.len());
    for file in kept {
        let text = fs::read_to_string(&file).unwrap();
        let source = text.lines().find_map(|line| line.strip_prefix("source: ")).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        // `binary__module__name`: the binary is the folder's own name, and the name stands in the source.
        let (binary, rest) = name.split_once("__").unwrap();
        assert!(root().join(format!("tests/{binary}.rs")).exists(), "no test compares {}", file.display());
        let code = fs::read_to_string(root().join(source)).unwrap();
        let wanted = rest.rsplit("__").next().unwrap();
        let stem = wanted.rsplit_once('_').map_or(wanted, |(stem, _)| stem);
        assert!(code.contains(wanted) || code.contains(stem), "{source} does not name {wanted}");
    }
}
