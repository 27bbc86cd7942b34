//! One line an event, for logs, scripts and screen readers; and what there is, once.
//!
//! The same client and the same server as the screen has. Every word from outside passes the sanitiser
//! on its way out, and everything goes to one writer.

mod lines;
mod table;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use stella_protocol::{Cursor, Snapshot, Text, Timestamp};
use stella_widgets::text::sanitise;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::cli::plan::{Failure, Output, Plan, Way};
use crate::client::mailbox::Mailbox;
use crate::client::target::Target;
use crate::client::trouble::Advice;
use crate::client::{Client, feed};
use crate::embedded::{self, Extent, Running, Taken};
use crate::event::{Event, LinkEvent, SourceEvent};
use lines::Printer;

/// From one look at whether the server has caught up to the next.
const LOOK: Duration = Duration::from_millis(60);

/// So many looks in a row must see the same: then nothing is under way any more.
const SAME: u32 = 3;

/// How long the feed may take to bring what the server has already told in a snapshot.
const LATE: Duration = Duration::from_secs(5);

/// How long the server inside may take to end.
const LINGER: Duration = Duration::from_secs(6);

/// How a run of lines ended.
enum End {
    /// The input ended; so much was taken in.
    Input(Taken),
    /// Somebody interrupted.
    Interrupted,
    /// The server will not let us look.
    Denied(Text),
}

/// Speaks in lines; answers with the exit code.
///
/// # Errors
/// When the server cannot be reached or says no.
pub fn run(plan: Plan) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(Failure::Terminal)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let spoken = runtime.block_on(speak(plan, &mut out)).and_then(|code| {
        out.flush().map_err(Failure::Output)?;
        Ok(code)
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
    match spoken {
        // Whoever read it has read enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        spoken => spoken,
    }
}

async fn speak(plan: Plan, out: &mut dyn Write) -> Result<u8, Failure> {
    match (plan.way, plan.output) {
        (Way::Ask, _) => Err(Failure::Nothing),
        (Way::Server(target), Output::Once) => once(target, out).await,
        (Way::Server(target), _) => {
            let client = client(target)?;
            let mut speaker = Speaker::follow(client, Printer::with_link(), out);
            match speaker.until(std::future::pending()).await? {
                End::Denied(words) => Err(Failure::Denied(sanitise(words.raw()).into_string())),
                End::Interrupted | End::Input(_) => Ok(0),
            }
        }
        (Way::Inside(inside), output) => {
            let extent = if output == Output::Once { Extent::Finite } else { Extent::Endless };
            within(inside, extent, out).await
        }
    }
}

/// The open alerts of a server, once.
async fn once(target: Target, out: &mut dyn Write) -> Result<u8, Failure> {
    let client = client(target)?;
    let snapshot = client.snapshot().await.map_err(|trouble| {
        let words = sanitise(trouble.cause.what.raw()).into_string();
        if trouble.advice == Advice::Stop { Failure::Denied(words) } else { Failure::Unreachable(words) }
    })?;
    for line in table::open_alerts(&snapshot) {
        writeln!(out, "{line}").map_err(Failure::Output)?;
    }
    Ok(0)
}

/// With the server inside: until the input has ended and everything taken in was dealt with.
async fn within(plan: embedded::Plan, extent: Extent, out: &mut dyn Write) -> Result<u8, Failure> {
    let shutdown = CancellationToken::new();
    let ending = shutdown.clone();
    let tell = Arc::new(move |event| match event {
        // What breaks because we end is nobody's trouble.
        SourceEvent::Trouble(_) if ending.is_cancelled() => {}
        SourceEvent::Trouble(words) => {
            tracing::error!("{}", sanitise(words.raw()));
            remark(&words);
        }
        SourceEvent::Preparing(words) => remark(&words),
        SourceEvent::Ready | SourceEvent::Ended(_) => {}
    });
    let goes_on =
        extent == Extent::Endless && !matches!(plan.source, embedded::Source::Pipe | embedded::Source::Tail(_));
    let running = embedded::start(plan, extent, tell, shutdown.clone()).await;
    let Running { target, source, server } =
        running.map_err(|words| Failure::Unreachable(sanitise(words.raw()).into_string()))?;
    let client = client(target)?;
    let mut speaker = Speaker::follow(client, Printer::default(), out);
    let spoken = speaker.tell_all(source, goes_on).await;
    drop(speaker);
    shutdown.cancel();
    // Not ended in time: the process ends anyway, and what was acknowledged is kept.
    let _ = timeout(LINGER, server).await;
    spoken.map(|()| 0)
}

/// Says something that is not the data.
fn remark(words: &Text) {
    // Nobody is left to tell that stderr is closed.
    let _ = writeln!(io::stderr().lock(), "stella-tui: {}", sanitise(words.raw()));
}

fn client(target: Target) -> Result<Arc<Client>, Failure> {
    let made = Client::new(target).map(Arc::new);
    made.map_err(|trouble| Failure::Denied(sanitise(trouble.cause.what.raw()).into_string()))
}

/// Follows a feed and writes it down.
struct Speaker<'a> {
    client: Arc<Client>,
    mailbox: Mailbox,
    printer: Printer,
    /// The last place of the feed that was written down.
    place: Option<Cursor>,
    out: &'a mut dyn Write,
    /// Dropped with the speaker, which ends the subscription.
    _orders: mpsc::Sender<feed::Order>,
}

impl<'a> Speaker<'a> {
    fn follow(client: Arc<Client>, printer: Printer, out: &'a mut dyn Write) -> Self {
        let mailbox = Mailbox::default();
        let (orders, received) = mpsc::channel(1);
        tokio::spawn(feed::follow(client.clone(), mailbox.clone(), received));
        Self { client, mailbox, printer, place: None, out, _orders: orders }
    }

    async fn tell_all(&mut self, mut source: JoinHandle<Taken>, goes_on: bool) -> Result<(), Failure> {
        let input = async {
            let taken = (&mut source).await.unwrap_or_default();
            if goes_on { std::future::pending().await } else { taken }
        };
        match self.until(input).await? {
            End::Input(taken) => {
                let last = self.caught_up(taken).await?;
                let summary = lines::summary(taken, last.as_ref(), self.printer.seen());
                writeln!(self.out, "{summary}").and_then(|()| self.out.flush()).map_err(Failure::Output)
            }
            End::Interrupted => Ok(()),
            End::Denied(words) => Err(Failure::Denied(sanitise(words.raw()).into_string())),
        }
    }

    /// Writes down what comes until the input ends or somebody interrupts.
    async fn until(&mut self, input: impl Future<Output = Taken>) -> Result<End, Failure> {
        // Listened to from here on: a signal that comes while something is written down is not lost.
        let mut terminated = signal(SignalKind::terminate()).map_err(Failure::Terminal)?;
        let mut interrupted = signal(SignalKind::interrupt()).map_err(Failure::Terminal)?;
        tokio::pin!(input);
        loop {
            tokio::select! {
                taken = &mut input => return Ok(End::Input(taken)),
                () = self.mailbox.filled() => {
                    if let Some(words) = self.write_pending()? {
                        return Ok(End::Denied(words));
                    }
                }
                _ = interrupted.recv() => return Ok(End::Interrupted),
                _ = terminated.recv() => return Ok(End::Interrupted),
            }
        }
    }

    /// Writes down what waits; with the words when the server will not let us look.
    fn write_pending(&mut self) -> Result<Option<Text>, Failure> {
        let now = Timestamp::from(Utc::now());
        let mut denied = None;
        for event in self.mailbox.take() {
            match &event {
                Event::Feed(envelope) => self.place = envelope.cursor.max(self.place),
                Event::Link(LinkEvent::Snapshot(snapshot)) => self.place = Some(snapshot.cursor),
                Event::Link(LinkEvent::Refused(cause)) => denied = Some(cause.what.clone()),
                _ => {}
            }
            for line in self.printer.lines(&event, now) {
                writeln!(self.out, "{line}").map_err(Failure::Output)?;
            }
        }
        self.out.flush().map_err(Failure::Output)?;
        Ok(denied)
    }

    /// Waits until the server has dealt with everything that was taken in and the feed has told of it.
    async fn caught_up(&mut self, taken: Taken) -> Result<Option<Snapshot>, Failure> {
        let mut same = 0;
        let mut last: Option<Snapshot> = None;
        while same < SAME {
            sleep(LOOK).await;
            let Ok(snapshot) = self.client.snapshot().await else {
                return Ok(last);
            };
            let is_same = last
                .as_ref()
                .is_some_and(|last| (last.cursor, last.engine.lines) == (snapshot.cursor, snapshot.engine.lines));
            same = if is_same && snapshot.engine.lines >= taken.accepted { same + 1 } else { 0 };
            last = Some(snapshot);
            self.write_pending()?;
        }
        let wanted = last.as_ref().map(|snapshot| snapshot.cursor);
        let until = Instant::now() + LATE;
        while self.place < wanted && Instant::now() < until {
            // Woken by whatever comes, and now and then by itself.
            let _ = timeout(LOOK, self.mailbox.filled()).await;
            self.write_pending()?;
        }
        Ok(last)
    }
}
