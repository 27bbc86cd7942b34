//! The command line: what can be said, and what it means together with environment and file.
//!
//! [`Arguments`] is what clap reads; [`plan`] turns it into something that can be run. Flags win over
//! the environment, the environment over the file, the file over the defaults.

mod deploys;
mod fixes;
mod logfile;
mod marks;
mod migrate;
mod place;
pub mod plan;
mod refused;
mod rules;
mod sheet;
mod short;
mod words;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use stella_widgets::text::{sanitise, sanitise_lines};

use crate::config::{Config, Places};
use crate::embedded::World;
use plan::{Failure, Surroundings};

/// What the help page ends with.
const EXAMPLES: &str = "\
Examples:
  stella-tui --demo                        a simulated application with incidents
  npm start 2>&1 | stella-tui              watch what a command writes
  stella-tui --tail /var/log/app.log       follow files
  stella-tui --server https://stella.example
  stella-tui --server prod --plain         one line an event, for logs and screen readers
  stella-tui --server prod fixes ls        fixes that wait or run; see `stella-tui fixes --help`
  stella-tui --server prod migrate plan    what giving every user one id would change

Environment: STELLA_SERVER, STELLA_TOKEN, STELLA_CONFIG, STELLA_STATE_DIR, STELLA_LOG, NO_COLOR.
Exit codes: 0 ok, 1 error, 2 usage, 3 nothing matched, 4 conflict, 5 denied, 6 unreachable.";

/// The console of Stella: log lines become alerts, alerts are decided here.
#[derive(Debug, Parser)]
#[command(name = "stella-tui", version, about, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) source: SourceFlags,
    #[command(flatten)]
    pub(crate) looks: Looks,
    /// Keep what the built-in server learns in this folder, and go on from there.
    #[arg(long, value_name = "DIR", global = false)]
    pub(crate) data: Option<PathBuf>,
    /// Read this configuration file.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Subject>,
}

/// Where alerts come from.
#[derive(Debug, Clone, Default, Args)]
#[command(group = ArgGroup::new("source").multiple(false))]
pub(crate) struct SourceFlags {
    /// Connect to a server: an address, or a name from the configuration.
    #[arg(long, value_name = "URL|NAME", group = "source")]
    pub(crate) server: Option<String>,
    /// Watch a simulated application.
    #[arg(long, group = "source")]
    pub(crate) demo: bool,
    /// Another story for the demo; the same seed tells the same one.
    #[arg(long, value_name = "N", requires = "demo")]
    pub(crate) seed: Option<u64>,
    /// How fast the demo runs, 0.1 to 60.
    #[arg(long, value_name = "X", requires = "demo", value_parser = speed)]
    pub(crate) demo_speed: Option<f64>,
    /// The demo's documents before any migration of user ids, or four days after one by scripts.
    #[arg(long, value_name = "before|after", requires = "demo", hide_possible_values = true)]
    pub(crate) demo_world: Option<World>,
    /// How many times as many conversations and messages the demo has, 1 to 10000.
    #[arg(long, value_name = "N", requires = "demo", value_parser = scale)]
    pub(crate) demo_scale: Option<u32>,
    /// Follow a file, through rotation and truncation; may be given several times.
    #[arg(long, value_name = "FILE", group = "source", num_args = 1..)]
    pub(crate) tail: Vec<PathBuf>,
}

/// How it looks and behaves.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line and nothing else")]
pub(crate) struct Looks {
    /// One line an event instead of a screen.
    #[arg(long)]
    pub(crate) plain: bool,
    /// dark, light, mono, inherit, high-contrast, or one of your own.
    #[arg(long, value_name = "NAME")]
    pub(crate) theme: Option<String>,
    /// Draw with 7-bit characters only.
    #[arg(long)]
    pub(crate) ascii: bool,
    /// Look only: no verb can be sent.
    #[arg(long)]
    pub(crate) readonly: bool,
    /// Never ring.
    #[arg(long)]
    pub(crate) no_bell: bool,
    /// One frame a second, for very slow lines.
    #[arg(long)]
    pub(crate) low_bandwidth: bool,
    /// Clock times in UTC.
    #[arg(long, conflicts_with = "local")]
    pub(crate) utc: bool,
    /// Clock times of this machine.
    #[arg(long)]
    pub(crate) local: bool,
}

/// What else the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Subject {
    /// Say which version this is.
    Version,
    /// Look after the configuration file.
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Look at fixes and decide them.
    Fixes(fixes::Fixes),
    /// Move every reference to a user to that user's one id.
    Migrate(migrate::Migrate),
    /// Look at what is looked for, and set it otherwise.
    Rules(rules::Rules),
    /// Look at what was called false, and take it back.
    Marks(marks::Marks),
    /// Look at new revisions of services, and tell of one.
    Deploys(deploys::Deploys),
}

/// What can be done to the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Say where it stands.
    Path,
    /// Write an annotated one, if there is none.
    Init,
    /// Show what is in effect.
    Show,
    /// Say whether it is in order.
    Check,
}

/// What `config init` writes.
const ANNOTATED: &str = include_str!("cli/stella-tui.toml");

/// How big the demo may be.
fn scale(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|scale| (1..=10_000).contains(scale)).ok_or_else(|| "want 1 to 10000".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "want a number".to_owned())?;
    if (0.1..=60.0).contains(&speed) { Ok(speed) } else { Err("want 0.1 to 60".to_owned()) }
}

/// Begins the own log, and writes the first thing into it. A console without a log still runs.
pub(crate) fn begin_log(places: &Places, warning: Option<&str>) {
    if logfile::start(&places.state).is_ok() {
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "the console begins");
        if let Some(warning) = warning {
            tracing::warn!("{}", sanitise(warning));
        }
    }
}

/// Says on stderr what could not be done, with its causes.
pub fn complain(failure: &Failure) {
    let mut words = format!("stella-tui: failed to {failure}");
    let mut next = failure.source();
    while let Some(cause) = next {
        let _ = write!(words, ": {cause}");
        next = cause.source();
    }
    // There is nobody left to tell that stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{}", sanitise(&words));
}

/// Performs a subcommand; what it says goes to `out`. Answers with the exit code.
pub(crate) fn perform(
    subject: &Subject,
    arguments: &Arguments,
    around: &Surroundings,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    arguments.refuse_stray(subject)?;
    match subject {
        Subject::Version => say(out, concat!("stella-tui ", env!("CARGO_PKG_VERSION"))),
        Subject::Config { verb } => configure(*verb, around, out),
        Subject::Fixes(asked) => return fixes::run(asked, arguments, around, out),
        Subject::Migrate(asked) => return migrate::run(asked, arguments, around, out),
        Subject::Rules(asked) => return rules::run(asked, arguments, around, out),
        Subject::Marks(asked) => return marks::run(asked, arguments, around, out),
        Subject::Deploys(asked) => return deploys::run(asked, arguments, around, out),
    }?;
    Ok(0)
}

impl Arguments {
    /// A flag that means nothing to a subcommand is refused: whoever wrote it expects it to do something.
    fn refuse_stray(&self, subject: &Subject) -> Result<(), Failure> {
        let (source, looks) = (&self.source, &self.looks);
        let asks = !matches!(subject, Subject::Version | Subject::Config { .. });
        let given = [
            ("--tail", !source.tail.is_empty()),
            ("--data", self.data.is_some()),
            ("--plain", looks.plain),
            ("--theme", looks.theme.is_some()),
            ("--ascii", looks.ascii),
            ("--no-bell", looks.no_bell),
            ("--low-bandwidth", looks.low_bandwidth),
            ("--utc", looks.utc),
            ("--local", looks.local),
            ("--server", source.server.is_some() && !asks),
            ("--demo", source.demo && !asks),
            ("--readonly", looks.readonly && !asks),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Failure::Usage(format!("read the command line: {flag} means nothing here"))),
            None => Ok(()),
        }
    }
}

fn configure(verb: ConfigVerb, around: &Surroundings, out: &mut dyn Write) -> Result<(), Failure> {
    match verb {
        ConfigVerb::Path => say(out, &around.places.file.display().to_string()),
        ConfigVerb::Init => init(&around.places, out),
        ConfigVerb::Check => {
            let (config, _) = Config::read(&around.places)?;
            plan::theme(None, &config, None, around)?;
            let file = &around.places.file;
            let found = if file.exists() { "is in order" } else { "does not exist: the defaults hold" };
            say(out, &format!("{} {found}", file.display()))
        }
        ConfigVerb::Show => {
            let (config, _) = Config::read(&around.places)?;
            say(out, &show(&config))
        }
    }
}

fn say(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    sanitise_lines(text).iter().try_for_each(|line| writeln!(out, "{line}")).map_err(Failure::Output)
}

fn init(places: &Places, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |source| Failure::Write { file: places.file.clone(), source };
    if let Some(folder) = places.file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::File::create_new(&places.file).map_err(failed)?;
    file.write_all(ANNOTATED.as_bytes()).map_err(failed)?;
    say(out, &places.file.display().to_string())
}

fn show(config: &Config) -> String {
    let word = |flag: Option<bool>, usual: bool| flag.unwrap_or(usual).to_string();
    let mut lines = vec![
        format!("theme = {:?}", config.theme.as_deref().unwrap_or("inherit")),
        format!("ascii = {}", word(config.ascii, false)),
        format!("bell = {}", word(config.bell, true)),
        format!("time = {:?}", if config.local_time == Some(true) { "local" } else { "utc" }),
    ];
    lines.extend(config.default_server.iter().map(|name| format!("default_server = {name:?}")));
    for (name, profile) in &config.servers {
        lines.push(format!("[server.{name}]\nurl = {:?}\nreadonly = {}", profile.url, profile.readonly));
    }
    lines.join("\n")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_guide_names_every_flag_and_every_subcommand() {
        let guide = include_str!("../docs/configuration.md");
        let command = Arguments::command();
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(guide.contains(&format!("`--{flag}")), "--{flag}");
        }
        for subject in command.get_subcommands() {
            let verbs: Vec<&str> = subject.get_subcommands().map(clap::Command::get_name).collect();
            for verb in if verbs.is_empty() { vec![""] } else { verbs } {
                let words = format!("{} {verb}", subject.get_name());
                let said = format!("`stella-tui {}", words.trim());
                let is_there = ["`", " "].iter().any(|end| guide.contains(&format!("{said}{end}")));
                assert!(is_there, "{words}");
            }
        }
    }

    #[test]
    fn there_is_one_source_at_a_time() {
        let read = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(read("stella-tui --demo --server x").is_err());
        assert!(read("stella-tui --tail a --demo").is_err());
        assert!(read("stella-tui --seed 3").is_err());
        assert!(read("stella-tui --demo --demo-speed 61").is_err());
        assert!(read("stella-tui --demo-world after").is_err());
        assert!(read("stella-tui --demo --demo-world later").is_err());
        assert!(read("stella-tui --demo --demo-scale 0").is_err());
        let bigger = read("stella-tui --demo --demo-world after --demo-scale 200").unwrap().source;
        assert_eq!((bigger.demo_world, bigger.demo_scale), (Some(World::After), Some(200)));
        assert_eq!(read("stella-tui --tail a b --tail c").unwrap().source.tail.len(), 3);
        assert_eq!(read("stella-tui --demo --seed 3").unwrap().source.seed, Some(3));
    }

    #[test]
    fn a_flag_that_a_subcommand_has_no_use_for_is_refused() {
        for (line, is_fine) in [
            ("stella-tui --demo config path", false),
            ("stella-tui --tail=x version", false),
            ("stella-tui --readonly config show", false),
            ("stella-tui --plain fixes ls", false),
            ("stella-tui --data d fixes ls", false),
            ("stella-tui --plain migrate ls", false),
            ("stella-tui --utc rules list", false),
            ("stella-tui --readonly --server x marks", true),
            ("stella-tui --demo deploys list", true),
            ("stella-tui --readonly --server x migrate ls", true),
            ("stella-tui --config f config show", true),
            ("stella-tui --demo --seed 3 fixes ls", true),
            ("stella-tui --readonly --server x fixes ls", true),
        ] {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            let judged = arguments.refuse_stray(arguments.command.as_ref().unwrap());
            assert_eq!(judged.is_ok(), is_fine, "{line}");
        }
    }

    #[test]
    fn only_a_file_that_is_there_is_called_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stella-tui.toml");
        let places = Places { file: file.clone(), said_by: crate::config::SaidBy::Default, state: PathBuf::new() };
        let around = Surroundings {
            look: Box::new(|_| None),
            places,
            stdin: plan::Stdin::Other,
            has_screen: false,
            host: String::new(),
        };
        let said = |verb| {
            let mut out = Vec::new();
            configure(verb, &around, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(said(ConfigVerb::Check), format!("{} does not exist: the defaults hold\n", file.display()));
        said(ConfigVerb::Init);
        assert_eq!(said(ConfigVerb::Check), format!("{} is in order\n", file.display()));
    }

    #[test]
    fn the_annotated_file_is_a_valid_one() {
        assert_eq!(Config::parse("x", ANNOTATED).unwrap(), Config::default());
    }
}
