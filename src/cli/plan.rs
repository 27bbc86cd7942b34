//! From what was said to what is to be done: which source, how it looks, in which manner it runs.
//!
//! Asks the environment through [`Surroundings`] only, so that a test can be in any of them.

use std::io;
use std::path::PathBuf;

use stella_protocol::{ConsoleId, Text};

use super::{Arguments, Looks, SourceFlags};
use crate::client::target::{BadAddress, Target};
use crate::config::{Config, ConfigError, Places, Profile, TokenError};
use crate::effect::Choice;
use crate::embedded::{Plan as Inside, Source};
use crate::model::Setup;
use crate::theme::{Depth, Theme, ThemeError};

/// What stdin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// Somebody types.
    Terminal,
    /// A pipe or a file: lines to be read.
    Lines,
    /// Something else: `/dev/null`, a socket.
    Other,
}

/// A way, and the profile that names it.
type Seat = (Way, Option<(String, Profile)>);

/// Looks a variable of the environment up.
pub type Look = Box<dyn Fn(&str) -> Option<String>>;

/// What the program finds around it.
pub struct Surroundings {
    /// The environment.
    pub look: Look,
    /// The console's files.
    pub places: Places,
    /// What stdin is.
    pub stdin: Stdin,
    /// There is a terminal that can be painted.
    pub has_screen: bool,
    /// Name of this machine.
    pub host: String,
}

/// Where alerts come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// Nothing was said: offer the choices.
    Ask,
    /// A server somewhere.
    Server(Target),
    /// A server in this process.
    Inside(Inside),
}

/// In which manner it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Shortest time between two frames, in ms.
    pub frame_ms: u64,
    /// Ring at a new critical alert.
    pub bell: bool,
    /// tmux stands between.
    pub multiplexed: bool,
}

/// In which form the program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The whole terminal.
    Screen,
    /// One line an event, until the input ends or somebody interrupts.
    Lines,
    /// What there is, once: a server's open alerts, three minutes of the demo.
    Once,
}

/// Everything that is needed to run.
#[derive(Debug)]
pub struct Plan {
    /// For the model.
    pub setup: Setup,
    /// Where alerts come from.
    pub way: Way,
    /// How.
    pub manner: Manner,
    /// In which form.
    pub output: Output,
    /// Something is odd, in words.
    pub warning: Option<String>,
}

/// The program cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The theme.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The address.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// There are several servers and none was named.
    #[error("choose a server: --server NAME, one of {0}")]
    Which(String),
    /// Neither a source nor a terminal to ask for one.
    #[error("find something to watch: say --server, --demo or --tail, or write lines into the input")]
    Nothing,
    /// A file cannot be written.
    #[error("write {}", file.display())]
    Write {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output cannot be written.
    #[error("write the output")]
    Output(#[source] io::Error),
    /// The terminal does not take part.
    #[error("use the terminal")]
    Terminal(#[source] io::Error),
    /// Nobody answers.
    #[error("reach the server: {0}")]
    Unreachable(String),
    /// The server says no.
    #[error("ask the server: {0}")]
    Denied(String),
    /// What was said makes no sense; in words that finish "failed to".
    #[error("{0}")]
    Usage(String),
    /// There is nothing of that name.
    #[error("find {0}")]
    Missing(String),
    /// It is not as it was when it was looked at, or not in a state for this.
    #[error("{0}")]
    Conflict(String),
    /// It was not done; in words that finish "failed to".
    #[error("{0}")]
    NotDone(String),
}

impl Failure {
    /// The exit code that scripts rely on.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Address(_)
            | Self::Which(_)
            | Self::Nothing
            | Self::Usage(_)
            | Self::Config(ConfigError::UnknownServer { .. })
            | Self::Theme(ThemeError::Unknown { .. }) => 2,
            Self::Missing(_) => 3,
            Self::Conflict(_) => 4,
            Self::Token(_) | Self::Denied(_) => 5,
            Self::Unreachable(_) => 6,
            _ => 1,
        }
    }
}

/// Turns the arguments into a plan.
///
/// # Errors
/// When they, the environment and the file do not make one.
pub fn plan(arguments: &Arguments, around: &Surroundings) -> Result<Plan, Failure> {
    let (config, warning) = Config::read(&around.places)?;
    let (way, profile) = way(arguments, &config, around)?;
    let output = output(arguments, &way, around);
    if way == Way::Ask && output != Output::Screen {
        return Err(Failure::Nothing);
    }
    let setup = setup(arguments, &config, &way, profile.as_ref(), around)?;
    Ok(Plan { setup, way, manner: manner(arguments, &config, around), output, warning })
}

fn output(arguments: &Arguments, way: &Way, around: &Surroundings) -> Output {
    if arguments.looks.plain {
        return Output::Lines;
    }
    let ends_by_itself = match way {
        Way::Server(_) => true,
        Way::Inside(inside) => matches!(inside.source, Source::Demo { .. }),
        Way::Ask => false,
    };
    match (around.has_screen, ends_by_itself) {
        (true, _) => Output::Screen,
        (false, true) => Output::Once,
        (false, false) => Output::Lines,
    }
}

/// What the first-run page's choice leads to.
///
/// # Errors
/// As [`plan`].
pub fn chosen(choice: &Choice, arguments: &Arguments, around: &Surroundings) -> Result<(Setup, Way), Failure> {
    let (config, _) = Config::read(&around.places)?;
    let inside = |source| Way::Inside(Inside { source, data: arguments.data.clone(), login: login(around) });
    let (way, profile) = match choice {
        Choice::Demo => (inside(Source::Demo { seed: None, speed: None, world: None, scale: None }), None),
        Choice::Tail(file) => (inside(Source::Tail(vec![PathBuf::from(file)])), None),
        Choice::Server(name) => server(name, &config, around)?,
    };
    let setup = setup(arguments, &config, &way, profile.as_ref(), around)?;
    Ok((setup, way))
}

fn way(arguments: &Arguments, config: &Config, around: &Surroundings) -> Result<Seat, Failure> {
    let flags = &arguments.source;
    let inside = |source| Way::Inside(Inside { source, data: arguments.data.clone(), login: login(around) });
    if let Some(name) = &flags.server {
        return server(name, config, around);
    }
    let source = if flags.demo {
        Some(demo(flags))
    } else if !flags.tail.is_empty() {
        Some(Source::Tail(flags.tail.clone()))
    } else if around.stdin == Stdin::Lines {
        Some(Source::Pipe)
    } else {
        None
    };
    if let Some(source) = source {
        return Ok((inside(source), None));
    }
    if arguments.data.is_some() {
        return Ok((inside(Source::Kept), None));
    }
    Ok(usual(config, around)?.unwrap_or((Way::Ask, None)))
}

fn demo(flags: &SourceFlags) -> Source {
    Source::Demo { seed: flags.seed, speed: flags.demo_speed, world: flags.demo_world, scale: flags.demo_scale }
}

/// The server that is meant when none is named.
fn usual(config: &Config, around: &Surroundings) -> Result<Option<Seat>, Failure> {
    let named =
        (around.look)("STELLA_SERVER").filter(|name| !name.is_empty()).or_else(|| config.default_server.clone());
    let mut known = config.servers.keys();
    match (named, known.next(), known.next()) {
        (Some(name), ..) => server(&name, config, around).map(Some),
        (None, Some(only), None) => server(only, config, around).map(Some),
        (None, Some(_), Some(_)) => {
            Err(Failure::Which(config.servers.keys().map(String::as_str).collect::<Vec<_>>().join(", ")))
        }
        (None, None, _) => Ok(None),
    }
}

/// Whom a subcommand asks.
#[derive(Debug)]
pub(crate) struct Peer {
    /// A server somewhere, or one in this process.
    pub(crate) way: Way,
    /// Nothing may be changed there.
    pub(crate) readonly: bool,
    /// Something is odd, in words.
    pub(crate) warning: Option<String>,
}

/// Finds whom a subcommand asks: a server, or the demo.
///
/// # Errors
/// When none is named, or its name or token cannot be had.
pub(crate) fn peer(flags: &SourceFlags, looks: &Looks, around: &Surroundings) -> Result<Peer, Failure> {
    let (config, warning) = Config::read(&around.places)?;
    let (way, profile) = match &flags.server {
        Some(name) => server(name, &config, around)?,
        None if flags.demo => {
            let source = demo(flags);
            (Way::Inside(Inside { source, data: None, login: login(around) }), None)
        }
        None => usual(&config, around)?
            .ok_or_else(|| Failure::Usage("choose a server: say --server URL|NAME, or --demo".to_owned()))?,
    };
    let readonly = looks.readonly || profile.is_some_and(|(_, profile)| profile.readonly);
    Ok(Peer { way, readonly, warning })
}

fn server(name: &str, config: &Config, around: &Surroundings) -> Result<Seat, Failure> {
    if name.contains("://") {
        let target = Target::new(name, (around.look)("STELLA_TOKEN"))?;
        return Ok((Way::Server(target), None));
    }
    let profile = config.server(name)?;
    let target = Target::new(&profile.url, profile.token.fetch(&*around.look)?)?;
    Ok((Way::Server(target), Some((name.to_owned(), profile.clone()))))
}

/// The theme that a flag, a profile or the file names, at the terminal's depth.
pub(super) fn theme(
    flag: Option<&str>,
    config: &Config,
    profile: Option<&Profile>,
    around: &Surroundings,
) -> Result<Theme, ThemeError> {
    let of_profile = profile.and_then(|profile| profile.theme.as_deref());
    let name = flag.or(of_profile).or(config.theme.as_deref()).unwrap_or("inherit");
    let theme = Theme::load(name, &|name| around.places.theme(name))?;
    Ok(theme.at(Depth::from_env(&*around.look)))
}

fn setup(
    arguments: &Arguments,
    config: &Config,
    way: &Way,
    profile: Option<&(String, Profile)>,
    around: &Surroundings,
) -> Result<Setup, Failure> {
    let looks = &arguments.looks;
    let (name, profile) = profile.map_or((None, None), |(name, profile)| (Some(name), Some(profile)));
    let badge = match way {
        Way::Ask => "STELLA".to_owned(),
        Way::Inside(inside) => inside.source.badge().to_owned(),
        Way::Server(_) => {
            let word = profile.and_then(|profile| profile.badge.clone()).or(name.map(|name| name.to_uppercase()));
            word.unwrap_or_else(|| "SERVER".to_owned())
        }
    };
    let watching = match way {
        Way::Ask => String::new(),
        Way::Inside(inside) => inside.source.words(),
        Way::Server(target) => target.name(),
    };
    let inside = if let Way::Inside(inside) = way { Some(inside) } else { None };
    Ok(Setup {
        badge: Text::from(badge),
        console: ConsoleId::drawn(rand::random()),
        host: Text::from(around.host.clone()),
        watching: Text::from(watching),
        me: Text::from(inside.map_or_else(String::new, |inside| format!("{}@local", inside.login))),
        coach: inside.map(|inside| inside.source.coach()).unwrap_or_default(),
        readonly: looks.readonly || profile.is_some_and(|profile| profile.readonly),
        embedded: inside.is_some(),
        theme: theme(looks.theme.as_deref(), config, profile, around)?,
        ascii: looks.ascii || config.ascii.unwrap_or(false),
        first_run: *way == Way::Ask,
        local_time: !looks.utc && (looks.local || config.local_time.unwrap_or(false)),
    })
}

/// 30 frames a second here, 10 over SSH, one when asked.
fn manner(arguments: &Arguments, config: &Config, around: &Surroundings) -> Manner {
    let is_set = |name: &str| (around.look)(name).is_some_and(|value| !value.is_empty());
    let frame_ms = match (arguments.looks.low_bandwidth, is_set("SSH_CONNECTION")) {
        (true, _) => 1_000,
        (false, true) => 100,
        (false, false) => 33,
    };
    let bell = !arguments.looks.no_bell && config.bell.unwrap_or(true);
    Manner { frame_ms, bell, multiplexed: is_set("TMUX") }
}

/// Who runs this, as far as the environment says; only what can stand in a principal's name is kept.
fn login(around: &Surroundings) -> String {
    let named = ["USER", "LOGNAME"].into_iter().find_map(|name| (around.look)(name));
    let safe = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    let login: String = named.unwrap_or_default().chars().filter(safe).take(32).collect();
    if login.is_empty() { "me".to_owned() } else { login }
}

#[cfg(test)]
mod tests;
