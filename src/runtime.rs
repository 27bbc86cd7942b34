//! THE LOOP: gathers what happens, stamps it, lets the model change, performs what it names, draws.
//!
//! The only room that reads the clock and spawns tasks. The first frame stands before anything is
//! waited for: no server, no name.
//!
//! Architecture Invariant: no event's meaning is known here. Events pass through; effects are
//! performed.

mod signals;
mod world;

use std::io;
use std::time::{Duration, Instant};

use chrono::Utc;
use stella_protocol::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::cli::plan::{Failure, Manner, Way};
use crate::effect::{Choice, Effect, Reply, RequestId};
use crate::event::{Event, Now};
use crate::frame;
use crate::model::{Model, Setup};
use crate::terminal::{self, Terminal, hangup, input};
use signals::{Ask, Signals};
use world::World;

/// Replies and news of sources that may wait for the loop.
const WAITING: usize = 256;

/// How long what runs in the background may take to end.
const LINGER: Duration = Duration::from_secs(6);

/// Two ticks are at least so far apart, in ms: a model that asks for the past does not spin the loop.
const TICK_MS: u64 = 50;

/// The loop looks around at least so often, in ms, however long the model would sleep.
const LONGEST_MS: u64 = 3_600_000;

/// What the first-run page's choice leads to.
pub type Choose<'a> = &'a dyn Fn(&Choice) -> Result<(Setup, Way), Failure>;

/// Runs the console until it is left; answers with the exit code.
///
/// # Errors
/// When the terminal does not take part.
pub fn run(setup: Setup, way: &Way, manner: Manner, choose: Choose<'_>) -> Result<u8, Failure> {
    let steady = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(Failure::Terminal)?;
    let signals = runtime.block_on(async { Signals::listen() }).map_err(Failure::Terminal)?;
    let terminal = Terminal::enter(manner.multiplexed).map_err(Failure::Terminal)?;
    let area = terminal.area();
    let model = Model::new(setup, area.width, area.height);
    let mut stage = Stage { model, terminal, steady, manner, painted_at: None, is_dirty: true };
    stage.paint().map_err(Failure::Terminal)?;
    let ended = runtime.block_on(perform(stage, signals, way, choose));
    runtime.shutdown_timeout(Duration::from_millis(200));
    ended.map_err(Failure::Terminal)
}

async fn perform(mut stage: Stage, signals: Signals, way: &Way, choose: Choose<'_>) -> io::Result<u8> {
    let (sender, news) = mpsc::channel(WAITING);
    let (keys, gone) = (input::start()?, hangup::watch()?);
    let mut gather = Gather { keys, gone, signals, news, mail_from: 0, tick_from: 0 };
    let mut world = World::new(sender);
    world.enter(way);
    let ended = turn(&mut stage, &mut gather, &mut world, choose).await;
    // The shell gets its terminal before the server inside has ended.
    drop(stage);
    let _ = tokio::time::timeout(LINGER, world.leave()).await;
    ended
}

/// Where events come from.
struct Gather {
    keys: mpsc::Receiver<Event>,
    gone: oneshot::Receiver<()>,
    signals: Signals,
    news: mpsc::Receiver<Event>,
    /// The feed is looked at from this steady time on.
    mail_from: u64,
    /// Time is told from this steady time on.
    tick_from: u64,
}

/// What a turn of the loop is about.
enum Turn {
    Keys(Event),
    News(Event),
    Mail,
    Time,
    Asked(Ask),
    Gone,
}

/// The model and the screen that shows it.
struct Stage {
    model: Model,
    terminal: Terminal,
    steady: Instant,
    manner: Manner,
    painted_at: Option<u64>,
    is_dirty: bool,
}

/// What the loop is to do after an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Go,
    End(u8),
}

async fn turn(stage: &mut Stage, gather: &mut Gather, world: &mut World, choose: Choose<'_>) -> io::Result<u8> {
    loop {
        let now = stage.now();
        // Kept across the wait: asked again afterwards, the model would name a later moment.
        let tick_at = stage.model.wake_at(now).max(gather.tick_from);
        let is_key = match gather.next(stage, world, now, tick_at).await {
            Turn::Gone => return Ok(signals::HUNG_UP),
            Turn::Asked(Ask::End(code)) => return Ok(code),
            Turn::Asked(ask) => {
                stage.obey(ask)?;
                false
            }
            Turn::Keys(event) => {
                let mut next = Some(event);
                while let Some(event) = next {
                    if let Flow::End(code) = stage.take(event, world, choose)? {
                        return Ok(code);
                    }
                    next = gather.keys.try_recv().ok();
                }
                true
            }
            Turn::News(event) => {
                if let Flow::End(code) = stage.take(event, world, choose)? {
                    return Ok(code);
                }
                false
            }
            Turn::Mail => {
                gather.mail_from = stage.now().steady + stage.manner.frame_ms;
                for event in world.mailbox.take() {
                    if let Flow::End(code) = stage.take(event, world, choose)? {
                        return Ok(code);
                    }
                }
                false
            }
            Turn::Time => false,
        };
        let now = stage.now();
        if now.steady >= tick_at {
            gather.tick_from = now.steady + TICK_MS;
            if let Flow::End(code) = stage.take(Event::Tick, world, choose)? {
                return Ok(code);
            }
        }
        if stage.is_dirty && (is_key || stage.now().steady >= stage.frame_from()) {
            stage.paint()?;
        }
    }
}

impl Gather {
    /// Waits for what happens next; keys come first.
    async fn next(&mut self, stage: &Stage, world: &World, now: Now, tick_at: u64) -> Turn {
        let mut until = tick_at;
        if stage.is_dirty {
            until = until.min(stage.frame_from());
        }
        let is_mail_held = now.steady < self.mail_from;
        if is_mail_held {
            until = until.min(self.mail_from);
        }
        let deadline = stage.steady + Duration::from_millis(until.min(now.steady + LONGEST_MS));
        tokio::select! {
            biased;
            ask = self.signals.next() => Turn::Asked(ask),
            _ = &mut self.gone => Turn::Gone,
            key = self.keys.recv() => key.map_or(Turn::Gone, Turn::Keys),
            () = world.mailbox.urgent(), if is_mail_held => Turn::Mail,
            () = world.mailbox.filled(), if !is_mail_held => Turn::Mail,
            Some(event) = self.news.recv() => Turn::News(event),
            () = sleep_until(deadline.into()) => Turn::Time,
        }
    }
}

impl Stage {
    fn now(&self) -> Now {
        let steady = u64::try_from(self.steady.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { wall: Timestamp::from(Utc::now()), steady }
    }

    /// The next frame is due then, unless a key was pressed.
    fn frame_from(&self) -> u64 {
        self.painted_at.map_or(0, |at| at + self.manner.frame_ms)
    }

    fn paint(&mut self) -> io::Result<()> {
        let now = self.now();
        let model = &self.model;
        self.terminal.paint(|buffer| frame::draw(model, now, buffer))?;
        self.painted_at = Some(now.steady);
        self.is_dirty = false;
        Ok(())
    }

    /// Lets the model change, and performs what it names.
    fn take(&mut self, event: Event, world: &mut World, choose: Choose<'_>) -> io::Result<Flow> {
        if let Event::Resize { width, height } = &event {
            self.terminal.resize(*width, *height);
        }
        self.is_dirty = true;
        for effect in self.model.update(self.now(), event) {
            if let Flow::End(code) = self.perform(effect, world, choose)? {
                return Ok(Flow::End(code));
            }
        }
        Ok(Flow::Go)
    }

    fn perform(&mut self, effect: Effect, world: &mut World, choose: Choose<'_>) -> io::Result<Flow> {
        match effect {
            Effect::Send(id, command) => world.send(id, command),
            Effect::Fetch(id, query) => world.fetch(id, query),
            Effect::Attend(said) => world.attend(said),
            Effect::Copy(text) => {
                let copied = self.terminal.copy(&text).map_err(stella_protocol::Text::from);
                world.reply(RequestId::default(), Reply::Copied(copied));
            }
            Effect::Title(text) => self.terminal.title(&text)?,
            Effect::Bell if self.manner.bell => self.terminal.bell()?,
            Effect::Bell => {}
            Effect::Reconnect => world.reconnect(),
            Effect::Resync => world.resync(),
            Effect::Suspend => self.obey(Ask::Stop)?,
            Effect::Redraw => self.terminal.forget(),
            Effect::Start(choice) => self.start(&choice, world, choose),
            Effect::Quit => return Ok(Flow::End(0)),
        }
        Ok(Flow::Go)
    }

    /// What was chosen on the first-run page replaces it.
    fn start(&mut self, choice: &Choice, world: &mut World, choose: Choose<'_>) {
        match choose(choice) {
            Ok((setup, way)) => {
                let area = self.terminal.area();
                self.model = Model::new(setup, area.width, area.height);
                world.enter(&way);
            }
            Err(failure) => world.complain(format!("failed to {failure}")),
        }
    }

    fn obey(&mut self, ask: Ask) -> io::Result<()> {
        match ask {
            Ask::Stop => self.terminal.suspend()?,
            Ask::Continued => self.terminal.resume()?,
            Ask::Resized | Ask::End(_) => {}
        }
        let (width, height) = self.terminal.measure();
        // The size may have changed while somebody else had the terminal; nothing is named by this.
        drop(self.model.update(self.now(), Event::Resize { width, height }));
        self.is_dirty = true;
        Ok(())
    }
}

/// Ends the process when the loop has not done so after a signal.
async fn force(code: u8) {
    tokio::time::sleep(LINGER + hangup::GRACE).await;
    terminal::leave();
    std::process::exit(i32::from(code));
}
