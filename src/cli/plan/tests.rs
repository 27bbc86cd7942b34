//! Which source is taken, and with which manners.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use clap::Parser;

use super::*;
use crate::config::SaidBy;

fn around(stdin: Stdin, environment: &'static [(&'static str, &'static str)]) -> Surroundings {
    let look = move |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let file = PathBuf::from("/nowhere/stella-tui.toml");
    let places = Places { file, said_by: SaidBy::Default, state: PathBuf::new() };
    Surroundings { look: Box::new(look), places, stdin, has_screen: true, host: "bastion-2".to_owned() }
}

impl Surroundings {
    /// Where no server is, no environment and no screen.
    pub(in crate::cli) fn bare(state: &Path, stdin: Stdin) -> Self {
        let state = state.to_owned();
        let places = Places { file: PathBuf::from("/nowhere/stella-tui.toml"), said_by: SaidBy::Default, state };
        Self { look: Box::new(|_| None), places, stdin, has_screen: false, host: String::new() }
    }
}

fn planned(line: &str, around: &Surroundings) -> Result<Plan, Failure> {
    plan(&Arguments::try_parse_from(line.split(' ')).unwrap(), around)
}

fn source(plan: &Plan) -> Option<&Source> {
    if let Way::Inside(inside) = &plan.way { Some(&inside.source) } else { None }
}

#[test]
fn without_a_word_the_first_run_page_opens() {
    let plan = planned("stella-tui", &around(Stdin::Terminal, &[])).unwrap();
    assert_eq!((plan.way, plan.setup.first_run), (Way::Ask, true));
}

#[test]
fn lines_at_the_input_are_read_even_where_a_server_is_the_habit() {
    let plan = planned("stella-tui", &around(Stdin::Lines, &[("STELLA_SERVER", "http://h")])).unwrap();
    assert_eq!(source(&plan), Some(&Source::Pipe));
    let flagged = planned("stella-tui --server http://h", &around(Stdin::Lines, &[])).unwrap();
    assert!(matches!(flagged.way, Way::Server(_)));
}

#[test]
fn the_environment_names_a_server_where_no_flag_does() {
    let plan = planned("stella-tui", &around(Stdin::Terminal, &[("STELLA_SERVER", "http://h:1")])).unwrap();
    assert!(matches!(plan.way, Way::Server(target) if target.name() == "h:1"));
}

#[test]
fn an_unknown_name_is_a_usage_error() {
    let failure = planned("stella-tui --server prod", &around(Stdin::Terminal, &[])).unwrap_err();
    assert_eq!(failure.exit_code(), 2, "{failure}");
}

#[test]
fn without_a_screen_and_a_source_there_is_nothing_to_do() {
    let mut around = around(Stdin::Other, &[]);
    around.has_screen = false;
    assert!(matches!(planned("stella-tui", &around), Err(Failure::Nothing)));
    assert_eq!(planned("stella-tui --demo", &around).unwrap().output, Output::Once);
    assert_eq!(planned("stella-tui --demo --plain", &around).unwrap().output, Output::Lines);
    assert_eq!(planned("stella-tui --tail x", &around).unwrap().output, Output::Lines);
}

#[test]
fn frames_are_fewer_over_a_slow_line() {
    let here = around(Stdin::Terminal, &[]);
    let ssh = around(Stdin::Terminal, &[("SSH_CONNECTION", "1 2 3 4")]);
    assert_eq!(planned("stella-tui --demo", &here).unwrap().manner.frame_ms, 33);
    assert_eq!(planned("stella-tui --demo", &ssh).unwrap().manner.frame_ms, 100);
    assert_eq!(planned("stella-tui --demo --low-bandwidth", &ssh).unwrap().manner.frame_ms, 1_000);
}

#[test]
fn whoever_runs_it_is_named_without_what_a_name_cannot_hold() {
    let plan = planned("stella-tui --demo", &around(Stdin::Terminal, &[("USER", "o'neil\u{1b}[2J")])).unwrap();
    assert_eq!(plan.setup.me, Text::from("oneil2J@local"));
}
