//! The program's allocator: which it is, and that it runs with the settings that the build gave it.

use std::process::Command;

/// What the allocator says of itself when the program ends, with `conf` in its environment.
fn settings(conf: &str) -> String {
    let conf = format!("stats_print:true,{conf}");
    let ended =
        Command::new(env!("CARGO_BIN_EXE_stella-server")).arg("--version").env("MALLOC_CONF", conf).output().unwrap();
    assert!(ended.status.success());
    String::from_utf8(ended.stderr).unwrap()
}

/// Cargo gives the settings to whatever it builds in this checkout. Built from elsewhere there are none.
const BUILT_IN: Option<&str> = option_env!("JEMALLOC_SYS_WITH_MALLOC_CONF");

#[test]
fn every_setting_of_the_build_is_known_to_the_allocator_and_in_force() {
    let said = settings("");
    let built_in = BUILT_IN.unwrap_or_default();
    assert!(said.contains(&format!("config.malloc_conf: \"{built_in}\"")), "{said}");
    for setting in built_in.split(',').filter(|setting| !setting.is_empty()) {
        let (name, value) = setting.split_once(':').unwrap();
        assert!(said.contains(&format!("opt.{name}: {value}")), "{setting} is not in force: {said}");
    }
}

#[test]
fn the_environment_counts_before_the_settings_of_the_build() {
    assert!(settings("narenas:3").contains("opt.narenas: 3"));
}
