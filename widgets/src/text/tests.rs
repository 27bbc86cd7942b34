//! The sanitiser against the corpus of hostile payloads, and its laws for any text at all.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::oracle::foreign_bytes;

/// Payloads stored as files; the two floods of the list are made in the tests below.
const STORED: usize = 40;

/// Stands behind each payload: it must come out whole.
const AFTER: &str = " after-4711";

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/terminal");
    let mut payloads: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "bin"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    payloads.sort();
    payloads
}

fn with_after(payload: &[u8]) -> Vec<u8> {
    [payload, AFTER.as_bytes()].concat()
}

/// Widths agree when the text measured whole is the sum of its characters.
fn sum_of_widths(text: &str) -> usize {
    use unicode_width::UnicodeWidthChar;
    text.chars().map(|c| c.width().unwrap_or(99)).sum()
}

fn assert_lawful(name: &str, shown: &Clean) {
    assert_eq!(foreign_bytes(shown.as_bytes()), vec![], "{name}: {shown}");
    assert_eq!(usize::from(width(shown)), sum_of_widths(shown), "{name}: {shown}");
    assert_eq!(&sanitise(shown), shown, "{name} is no fixed point");
}

#[test]
fn every_stored_payload_comes_out_harmless_with_the_text_behind_it_whole() {
    let payloads = corpus();
    assert_eq!(payloads.len(), STORED);
    for (name, payload) in payloads {
        let whole = with_after(&payload);
        let shown = sanitise_bytes(&whole);
        assert_lawful(&name, &shown);
        assert!(shown.ends_with(AFTER), "{name}: {shown}");
        let lossy = sanitise(&String::from_utf8_lossy(&whole));
        assert_lawful(&name, &lossy);
        assert!(lossy.ends_with(AFTER), "{name}: {lossy}");
    }
}

#[test]
fn what_each_payload_looks_like() {
    let expected = [
        ("01", "^[[31mRED"),
        ("02", "^[[2J^[[H"),
        ("03", "^[[1A^[[2KOK resolved"),
        ("07", "^[]0;title^G"),
        ("10", "^[]8;;http://evil^[\\login^[]8;;^[\\"),
        ("18", "<9B>31m<9D>0;x<9C>"),
        ("19", "<9B>31m<9D>52;c;QQ==<9C>"),
        ("20", "ok^MPASSab^H^Hxy^?"),
        ("21", "^N^O^[c^[(0^E^@^G"),
        ("22", "<U+202E>TOOR<U+202C>"),
        ("23", "<U+2067>a<U+2069>"),
        ("24", "<U+200F+1>"),
        ("25", "a<U+200B>b<U+FEFF>"),
        ("26", "<U+2028+1>"),
        ("27", "<U+E0041+2>"),
        ("28", "a<U+00AD>b"),
        ("29", "a\u{301}\u{301}·"),
        ("31", "1·"),
        ("32", "👨·👩·👧·👦"),
        ("33", "[DEF]"),
        ("34", "🥲·"),
        ("35", "ل·ا"),
        ("36", "각<U+3164>"),
        ("37", "<FF><FE><C0><AF><ED><A0><80><F4><90><80><80>"),
        ("38", "<E2><80>^["),
        ("41", "[red]x[-] {{7*7}} %s%n <b>"),
    ];
    let payloads = corpus();
    for (number, shown) in expected {
        let (name, payload) = payloads.iter().find(|(name, _)| name.starts_with(number)).unwrap();
        assert_eq!(sanitise_bytes(payload).as_str(), shown, "{name}");
    }
}

#[test]
fn nothing_is_taken_away_without_a_mark() {
    for (name, payload) in corpus() {
        let Ok(raw) = std::str::from_utf8(&payload) else { continue };
        let shown = sanitise(raw);
        let is_changed = shown.as_str() != raw;
        let is_composed = name.starts_with("36");
        let has_mark = ["^", "<", FOLD_MARK.encode_utf8(&mut [0; 4]), "["]
            .iter()
            .any(|mark| shown.matches(mark).count() > raw.matches(mark).count());
        assert!(!is_changed || has_mark || is_composed, "{name}: {shown}");
    }
}

#[test]
fn the_look_alikes_stay_and_are_seen() {
    let (_, payload) = corpus().into_iter().find(|(name, _)| name.starts_with("42")).unwrap();
    let shown = sanitise_bytes(&payload);
    assert!(looks_mixed(&shown));
    assert_eq!(shown.as_bytes(), payload);
}

#[test]
fn a_line_of_64_mebibytes_costs_next_to_nothing_and_says_its_length() {
    let line = "A".repeat(64 * 1024 * 1024);
    let started = Instant::now();
    let shown = sanitise(&line);
    let bytes = sanitise_bytes(line.as_bytes());
    assert!(started.elapsed() < Duration::from_millis(400));
    assert!(shown.ends_with("… 64.0 MiB in all") && shown.len() <= SHOWN_LIMIT);
    assert_eq!(shown, bytes);
    assert_lawful("39", &shown);
}

#[test]
fn a_flood_of_marks_or_of_hidden_characters_is_read_only_so_far() {
    for hostile in ["\u{301}", "\u{200b}", "\u{1f1e6}", "\u{1b}", "\u{fe0f}"] {
        let line = format!("a{}", hostile.repeat(4_000_000));
        let started = Instant::now();
        let shown = sanitise(&line);
        assert!(started.elapsed() < Duration::from_millis(400));
        assert!(shown.starts_with('a') && shown.ends_with(" in all"), "{}", hostile.escape_unicode());
        assert_lawful("flood", &shown);
    }
}

#[test]
fn a_million_newlines_are_a_bounded_number_of_lines() {
    let lines = sanitise_lines(&"\n".repeat(1_000_000));
    assert_eq!(lines.len(), LINES_LIMIT + 1);
    assert_eq!(lines[LINES_LIMIT].as_str(), "… 976 KiB more");
    let deep = sanitise(&"[".repeat(5_000));
    assert!(deep.len() <= SHOWN_LIMIT && deep.ends_with("… 4.9 KiB in all"));
}

#[test]
fn lines_end_at_line_feeds_and_a_single_line_shows_them() {
    let lines = sanitise_lines("one\r\n\ttwo\n\nthree\n");
    let lines: Vec<&str> = lines.iter().map(Clean::as_str).collect();
    assert_eq!(lines, ["one", "    two", "", "three"]);
    assert_eq!(sanitise("one\ntwo").as_str(), "one↵two");
}

#[test]
fn honest_text_in_any_script_stays_as_it_is() {
    for honest in ["", "naïve café", "日本語 ログ", "привет", "สวัสดี", "שלום", "▁▃█ ok ✓", "e\u{301}"]
    {
        assert_eq!(sanitise(honest).as_str(), honest);
    }
}

#[test]
fn a_long_line_is_cut_between_characters() {
    for line in ["日".repeat(5_000), "e\u{301}".repeat(5_000), "\u{1b}".repeat(5_000)] {
        let shown = sanitise(&line);
        assert!(shown.len() <= SHOWN_LIMIT);
        assert!(shown.ends_with(" in all"));
        assert_lawful("long", &shown);
    }
}

#[test]
fn every_living_character_between_letters_obeys_the_laws() {
    let mut text = String::new();
    // Beyond the second plane whole ranges are alike: ideographs, private, unassigned.
    let alike = ('\u{20000}'..='\u{dffff}').chain('\u{e1000}'..=char::MAX).step_by(97);
    for c in ('\0'..='\u{1ffff}').chain('\u{e0000}'..='\u{e0fff}').chain(alike) {
        text.clear();
        text.extend(['x', c, c, 'y']);
        let shown = sanitise(&text);
        let name = format!("U+{:04X}", u32::from(c));
        assert_eq!(usize::from(width(&shown)), sum_of_widths(&shown), "{name}");
        assert_eq!(sanitise(&shown), shown, "{name}");
        assert!(foreign_bytes(shown.as_bytes()).is_empty(), "{name}");
    }
}

/// Characters that have bitten somebody, mixed with ordinary ones.
fn hostile_char() -> impl Strategy<Value = char> {
    prop_oneof![
        3 => proptest::char::range(' ', '~'),
        2 => proptest::char::range('\0', '\u{ff}'),
        2 => proptest::char::range('\u{300}', '\u{36f}'),
        2 => proptest::char::range('\u{600}', '\u{6ff}'),
        1 => proptest::char::range('\u{900}', '\u{dff}'),
        2 => proptest::char::range('\u{1100}', '\u{11ff}'),
        2 => proptest::char::range('\u{1780}', '\u{17ff}'),
        2 => proptest::char::range('\u{2000}', '\u{206f}'),
        1 => proptest::char::range('\u{a4f8}', '\u{a4fd}'),
        2 => proptest::char::range('\u{ac00}', '\u{ac40}'),
        2 => proptest::char::range('\u{fe00}', '\u{fe0f}'),
        2 => proptest::char::range('\u{1f1e6}', '\u{1f1ff}'),
        2 => proptest::char::range('\u{1f3f0}', '\u{1f480}'),
        1 => proptest::char::range('\u{e0000}', '\u{e007f}'),
        2 => any::<char>(),
    ]
}

fn hostile_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(hostile_char(), 0..60).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_comes_out_lawful(raw in hostile_text()) {
        let shown = sanitise(&raw);
        prop_assert!(shown.len() <= 8 * raw.len());
        prop_assert_eq!(foreign_bytes(shown.as_bytes()), vec![]);
        prop_assert_eq!(usize::from(width(&shown)), sum_of_widths(&shown));
        prop_assert_eq!(&sanitise(&shown), &shown);
    }

    #[test]
    fn any_bytes_come_out_lawful(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
        let shown = sanitise_bytes(&raw);
        prop_assert!(shown.len() <= 8 * raw.len());
        prop_assert_eq!(foreign_bytes(shown.as_bytes()), vec![]);
        prop_assert_eq!(&sanitise(&shown), &shown);
    }

    #[test]
    fn long_text_comes_out_lawful(raw in hostile_text(), times in 40usize..160) {
        let raw = raw.repeat(times);
        let shown = sanitise(&raw);
        prop_assert!(shown.len() <= SHOWN_LIMIT && shown.len() <= 8 * raw.len());
        prop_assert_eq!(&sanitise(&shown), &shown);
    }

    #[test]
    fn the_sweep_finds_nothing_in_sanitised_text(raw in hostile_text()) {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 1));
        buffer.set_string(0, 0, sanitise(&raw).as_str(), ratatui::style::Style::new());
        let before = buffer.clone();
        prop_assert_eq!(crate::sweep(&mut buffer), 0, "{:?}", before);
    }

    #[test]
    fn a_field_has_exactly_its_width(raw in hostile_text(), columns in 1u16..60) {
        let shown = sanitise(&raw);
        for field in [fit(&shown, columns, Align::Left), fit(&cut_middle(&shown, columns), columns, Align::Right)] {
            prop_assert_eq!(width(&field), columns, "{}", field);
        }
    }
}

#[test]
fn last_words_give_way_whole_and_one_word_alone_is_cut() {
    let line = "says yes to 1471 documents, leaves 5 alone";
    assert_eq!(cut_words(line, 42), line);
    for (columns, shown) in
        [(41, "says yes to 1471 documents, leaves 5…"), (27, "says yes to 1471 documents…"), (6, "says…")]
    {
        assert_eq!(cut_words(line, columns), shown);
    }
    assert_eq!((cut_words("usr_a1b2c3", 5), cut_words(" usr_a1b2c3", 5)), ("usr_…".into(), " usr…".into()));
    assert!((0..50).all(|columns| width(&cut_words(line, columns)) <= columns));
}
