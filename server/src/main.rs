//! `stella-server`: arguments in, exit code out. Everything else is the library's.

mod cli;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use rustix::fs::Mode;
use stella_protocol::{Alert, AlertId, Evidence, Role};
use stella_server::admin::documents::{CommandError, code, harmless};
use stella_server::admin::fixes::Explain;
use stella_server::admin::{AdminAnswer, AdminRequest};
use stella_server::config::{Config, File, Redaction};
use stella_server::documents::place::Place;
use stella_server::{admin, auth, demo};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The C library's allocator keeps an arena for each thread that ever took a turn: three times what a migration needs.
/// `.cargo/config.toml` has its settings. Not tried where the C library is musl.
#[cfg(not(target_env = "musl"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Exit code of an error, and of the end by a second signal.
const ERROR: u8 = 1;

/// Takes in logs, detects patterns, keeps alerts, streams them to consoles.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT.
    Serve(Serve),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(Token),
    /// Look at definitions of fixes.
    #[command(subcommand)]
    Fixes(Fixes),
    /// Bring documents in and out, and look at the ids of users in them.
    #[command(subcommand)]
    Documents(Documents),
    /// Say which alerts there would have been in recordings, or in the lines that a server kept.
    Backtest(cli::backtest::Backtest),
    /// Print the template id of each line: one id a line, for every line.
    Templates(cli::templates::Templates),
    /// Say how odd each row of a series is, from the rows before it: a score in 0 to 1 a row.
    Detect(cli::detect::Detect),
}

#[derive(Args)]
struct Serve {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where to keep state.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let a simulated application send logs.
    #[arg(long)]
    demo: bool,
    /// Which simulated world.
    #[arg(long, value_name = "N", requires = "demo")]
    seed: Option<u64>,
    /// How fast its time goes.
    #[arg(long, value_name = "X", requires = "demo")]
    demo_speed: Option<f64>,
    /// Its documents before any migration of user ids, or four days after one by scripts.
    #[arg(long, value_name = "before|after", requires = "demo", value_parser = scene)]
    demo_world: Option<demo::Scene>,
    /// How many times as many conversations and messages it has, 1 to 10000.
    #[arg(long, value_name = "N", requires = "demo", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    demo_scale: Option<u32>,
}

#[derive(Subcommand)]
enum Token {
    /// Make a token and print it alone: it is not shown again.
    Create {
        /// The server's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// ingest, viewer, responder, approver or admin.
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// Who will use it.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// After how many days it ends; it does not when this is left away.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires: Option<u32>,
    },
    /// List the tokens: id, name, role, state.
    Ls {
        /// The server's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Take a token back at once.
    Revoke {
        /// The server's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Which one, as `token ls` names it.
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Subcommand)]
enum Fixes {
    /// Name every problem with file and line, or list what is there.
    Check {
        /// A folder of definitions instead of the configuration's.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show the plan that a definition would make, and where each value comes from.
    Explain {
        /// Which definition.
        #[arg(value_name = "ID")]
        id: String,
        /// For which alert.
        #[arg(long, value_name = "ALERT", requires = "data")]
        alert: Option<AlertId>,
        /// The server's data folder, where the alert is.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// A value, as a person would give it.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
        values: Vec<(String, String)>,
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum Documents {
    /// Take in lines as new documents; each file whole or not at all.
    Import {
        /// The files; `-` is stdin.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        place: DocumentsPlace,
    },
    /// Write every document as a line.
    Export {
        /// A new file; `-` is stdout.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        place: DocumentsPlace,
    },
    /// Say which forms the ids of users have, where they stand, and what the data map misses (exit code 1).
    Scan {
        /// A data map instead of the shipped one.
        #[arg(long, value_name = "FILE")]
        map: Option<PathBuf>,
        /// In which form.
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Output,
        #[command(flatten)]
        place: ScanPlace,
    },
    /// Look in files of source, scripts and configuration for ids of the users, and for old ones of nobody (exit code 1).
    SearchCode {
        /// Files and folders.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// What is left out, as a line of a .gitignore; may be given several times.
        #[arg(long, value_name = "PATTERN")]
        exclude: Vec<String>,
        /// A data map instead of the shipped one: it says where the users are.
        #[arg(long, value_name = "FILE")]
        map: Option<PathBuf>,
        /// In which form.
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Output,
        #[command(flatten)]
        place: ScanPlace,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct DocumentsPlace {
    /// A server's data folder, where a demo keeps its documents.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A folder of documents, as `fixes.documents` names it.
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct ScanPlace {
    /// A server's data folder, where a demo keeps its documents.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A folder of documents, as `fixes.documents` names it.
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
    /// A configuration file: the documents that its `[documents]` names.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ScanPlace {
    fn place(self) -> anyhow::Result<Place> {
        let Some(config) = self.config else {
            return Ok(Place::Embedded(self.documents.or(self.data).unwrap_or_default()));
        };
        let named = File::read(&config)?.fixes_or_default().documents;
        named.with_context(|| format!("find documents: {} has no `[documents]`", config.display()))
    }
}

impl DocumentsPlace {
    fn folder(self) -> PathBuf {
        self.documents.or(self.data).unwrap_or_default()
    }
}

fn main() -> ExitCode {
    // The demo's services are restarted by a command of this program.
    let mut arguments = std::env::args().skip(1);
    if arguments.next().is_some_and(|first| first == stella_server::demo::OPERATE) {
        return stella_server::demo::operate(&arguments.collect::<Vec<_>>());
    }
    let cli = Cli::parse();
    say_to_stderr();
    // What is kept names people: also in a folder that others may enter, only the owner reads it.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let done = match cli.command {
        Command::Serve(options) => serve(options),
        Command::Token(command) => token(command),
        Command::Fixes(command) => fixes(command),
        Command::Documents(command) => documents(command),
        Command::Backtest(command) => command.run(),
        Command::Templates(command) => command.run(),
        Command::Detect(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last words of a program that cannot go on; where even stderr is gone nobody reads them.
            let _ = writeln!(std::io::stderr(), "stella-server: failed to {error:#}");
            ExitCode::from(ERROR)
        }
    }
}

/// The log goes to stderr, so that stdout stays a contract: `RUST_LOG` says how much of it.
fn say_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,stella_server=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}

fn serve(options: Serve) -> anyhow::Result<()> {
    let config = merged(options)?;
    let runtime = tokio::runtime::Runtime::new().context("start the async runtime")?;
    runtime.block_on(async {
        let server = stella_server::bind(config).await?;
        say(&format!("stella-server listening on http://{}", server.addr()))?;
        let shutdown = CancellationToken::new();
        end_on_signals(&shutdown)?;
        server.run(shutdown).await?;
        Ok(())
    })
}

/// Flags over file over defaults.
fn merged(options: Serve) -> anyhow::Result<Config> {
    let file = config_file(options.config)?;
    let mut config = Config::serve(&file);
    config.listen = options.listen.unwrap_or(config.listen);
    config.data = options.data.or(config.data);
    if options.demo {
        let usual = demo::Options::default();
        let speed = options.demo_speed.unwrap_or(usual.speed);
        anyhow::ensure!(speed.is_finite() && speed > 0.0, "read --demo-speed: want a number above 0");
        config.demo = Some(demo::Options {
            seed: options.seed.unwrap_or(usual.seed),
            speed,
            scene: options.demo_world.unwrap_or(usual.scene),
            scale: options.demo_scale.unwrap_or(usual.scale),
            ..usual
        });
        if file.redact.mode.is_none() {
            // Nobody real stands in a simulated line.
            config.redaction = Redaction::Local;
        }
    }
    Ok(config)
}

/// A file named by a flag must be there; one named by the environment should.
fn config_file(named: Option<PathBuf>) -> anyhow::Result<File> {
    if let Some(path) = named {
        return Ok(File::read(&path)?);
    }
    match std::env::var_os("STELLA_SERVER_CONFIG").map(PathBuf::from) {
        Some(path) if path.exists() => Ok(File::read(&path)?),
        Some(_) => {
            tracing::warn!("the file that STELLA_SERVER_CONFIG names is missing; going on without it");
            Ok(File::default())
        }
        None => Ok(File::default()),
    }
}

/// The first signal ends gracefully, the second at once.
fn end_on_signals(shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen to SIGINT")?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        for last in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if last {
                std::process::exit(i32::from(ERROR));
            }
            tracing::info!("ending; a second signal ends at once");
            shutdown.cancel();
        }
    });
    Ok(())
}

/// Reads `--demo-world`.
fn scene(word: &str) -> Result<demo::Scene, String> {
    demo::Scene::from_word(word).ok_or_else(|| "want before or after".to_owned())
}

/// Reads `--role`; a word that is no role is a mistake of usage.
fn role(word: &str) -> Result<Role, String> {
    auth::role_from_word(word).ok_or_else(|| format!("want one of {}", auth::role_words()))
}

fn token(command: Token) -> anyhow::Result<()> {
    let (data, request) = match command {
        Token::Create { data, role, name, expires } => {
            (data, AdminRequest::CreateToken { role, name, expires_days: expires })
        }
        Token::Ls { data } => (data, AdminRequest::ListTokens),
        Token::Revoke { data, id } => (data, AdminRequest::RevokeToken { id }),
    };
    match admin::run(&data, &request)? {
        AdminAnswer::Token { token } => say(&token),
        AdminAnswer::Tokens { tokens } => tokens.iter().try_for_each(|row| say(&row.to_string())),
        AdminAnswer::Alert { .. } | AdminAnswer::Done => Ok(()),
        AdminAnswer::Refused { reason } => anyhow::bail!("do that: {reason}"),
    }
}

/// Reads `--set`.
fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("want NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

fn fixes(command: Fixes) -> anyhow::Result<()> {
    match command {
        Fixes::Check { folder, config } => {
            let settings = config_file(config)?.fixes_or_default();
            let checked = admin::fixes::check(&settings, folder.as_deref())?;
            checked.lines.iter().try_for_each(|line| say(&harmless(line)))?;
            anyhow::ensure!(checked.sound, "use these definitions: {} problems", checked.lines.len());
            Ok(())
        }
        Fixes::Explain { id, alert, data, values, config } => {
            let proposer = admin::fixes::proposer(config_file(config)?.fixes_or_default())?;
            let (alert, evidence) = match alert.zip(data) {
                Some((alert, data)) => shown_alert(&data, alert)?,
                None => (None, None),
            };
            let parameters = values.into_iter().map(|(name, value)| (name, value.into())).collect();
            let ask = Explain { id, alert, evidence, parameters };
            let runtime = tokio::runtime::Builder::new_current_thread().build().context("start the async runtime")?;
            match runtime.block_on(admin::fixes::explain(&proposer, ask)) {
                Ok(lines) => lines.iter().try_for_each(|line| say(&harmless(line.raw()))),
                Err(why) => anyhow::bail!("make a plan: {}", harmless(why.raw())),
            }
        }
    }
}

fn documents(command: Documents) -> anyhow::Result<()> {
    match command {
        Documents::Import { files, place } => {
            let folder = place.folder();
            files.iter().try_for_each(|file| {
                let taken = admin::documents::import(&folder, file)?;
                say(&format!("{}: {taken} documents", harmless(&file.display().to_string())))
            })
        }
        Documents::Export { file, place } => {
            let written = admin::documents::export(&place.folder(), &file)?;
            // Stdout may be the documents themselves.
            tracing::info!("{written} documents written");
            Ok(())
        }
        Documents::Scan { map, output, place } => scan(&place.place()?, map.as_deref(), output),
        Documents::SearchCode { paths, exclude, map, output, place } => {
            let roll = read_with_map(async { code::roll(&place.place()?, map.as_deref()).await.map_err(Into::into) })?;
            let form = match output {
                Output::Json => code::Form::Json,
                Output::Text => code::Form::Text,
            };
            let searched = code::search(&roll, &paths, &exclude, (form, &mut std::io::stdout().lock()))?;
            // What was passed over is not the answer.
            let lines = searched.words();
            lines.iter().try_for_each(|line| writeln!(std::io::stderr(), "{}", harmless(line)))?;
            anyhow::ensure!(searched.is_clean(), "find no id of a user in these files");
            Ok(())
        }
    }
}

/// Looks at documents by a data map, whose problems are the answer where it has some.
fn read_with_map<T>(look: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the async runtime")?;
    runtime.block_on(look).or_else(|error| match error.downcast::<CommandError>()? {
        CommandError::Map(problems) => {
            problems.iter().try_for_each(|problem| say(&harmless(&problem.to_string())))?;
            anyhow::bail!("use this data map: {} problems", problems.len());
        }
        other => Err(other.into()),
    })
}

fn scan(place: &Place, map: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let report = read_with_map(async { Ok(admin::documents::scan_place(place, map).await?) })?;
    match output {
        Output::Json => say(&admin::documents::json(&report).context("write the report as JSON")?)?,
        Output::Text => admin::documents::words(&report).iter().try_for_each(|line| say(&harmless(line.raw())))?,
    }
    anyhow::ensure!(report.is_complete(), "find everything in the data map: it misses places with known ids");
    Ok(())
}

type Shown = (Option<Box<Alert>>, Option<Box<Evidence>>);

fn shown_alert(data: &Path, id: AlertId) -> anyhow::Result<Shown> {
    match admin::run(data, &AdminRequest::ShowAlert { id })? {
        AdminAnswer::Alert { alert, evidence } => Ok((Some(alert), evidence)),
        AdminAnswer::Refused { reason } => anyhow::bail!("find the alert: {reason}"),
        _ => anyhow::bail!("find the alert: the running server is of another version"),
    }
}

/// One line on stdout; a reader that has gone is no error of ours.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("write to stdout"),
        _ => Ok(()),
    }
}
