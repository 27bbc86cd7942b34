//! The table keeps its own rules.

#![expect(clippy::panic, reason = "tests")]

use super::*;
use std::collections::BTreeMap;

#[test]
fn one_letter_is_one_verb_in_every_view() {
    let mut verbs: BTreeMap<&str, Intent> = BTreeMap::new();
    for row in TABLE.iter().filter(|row| row.class > Class::View) {
        for keys in row.keys {
            let first = verbs.entry(keys).or_insert(row.intent);
            assert_eq!(*first, row.intent, "{keys} stands for two verbs");
        }
    }
    // More and less are no letters: they belong to whatever has the focus, a chart or a rate.
    let is_letter = |keys: &&&str| keys.chars().all(char::is_alphabetic);
    for row in TABLE.iter().filter(|row| row.class == Class::View) {
        let mut letters = row.keys.iter().filter(is_letter);
        assert!(letters.all(|keys| !verbs.contains_key(keys)), "{:?} is a verb elsewhere", row.keys);
    }
}

#[test]
fn a_closing_verb_is_upper_case_and_nothing_acts_on_ctrl() {
    for row in TABLE {
        for keys in row.keys {
            if row.class >= Class::Closing {
                assert!(keys.chars().all(|letter| letter.is_ascii_uppercase()), "{keys}");
            }
            assert!(row.class == Class::View || !keys.starts_with("Ctrl"), "{keys}");
        }
    }
}

#[test]
fn no_key_means_two_things_in_one_mode_or_hides_a_sequence() {
    for mode in Mode::ALL {
        let all: Vec<&str> = of(mode).flat_map(|row| row.keys.iter().copied()).collect();
        for (at, keys) in all.iter().enumerate() {
            let clash = all
                .iter()
                .enumerate()
                .any(|(other, more)| other != at && (more == keys || more.starts_with(&format!("{keys} "))));
            assert!(!clash, "{keys} in {mode:?}");
        }
    }
}

#[test]
fn a_sequence_is_begun_and_completed() {
    assert!(matches!(press(Mode::List, None, Key::char('g')), Press::Begun));
    let Press::Complete(row) = press(Mode::List, Some(Key::char('g')), Key::char('l')) else {
        panic!("gl is bound");
    };
    assert_eq!(row.intent, Intent::LogAround);
    assert!(matches!(press(Mode::Log, Some(Key::char('g')), Key::char('l')), Press::Nothing));
}
