//! The subscription: snapshot, then the feed behind its cursor, and again after every loss.
//!
//! There is one way back from everything (a cut, a restart, a lag, a hole): reconnect with the last
//! place; and where that cannot be honoured, a snapshot. Nothing here knows what an event means.

use std::sync::Arc;
use std::time::Duration;

use stella_protocol::{Cursor, Envelope, FeedEvent};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout_at};

use super::backoff::Backoff;
use super::decoder::{Decoder, Message};
use super::mailbox::Mailbox;
use super::place::{Place, Step};
use super::trouble::{Advice, Trouble};
use super::{Client, SILENCE};
use crate::event::LinkEvent;

/// Connected for so long without a hello: something holds the stream back.
const HELLO: Duration = Duration::from_secs(10);

/// Bytes that bring no event are told this often at most.
const ALIVE: Duration = Duration::from_secs(1);

/// A second reset within this time is not answered at once.
const OFTEN: Duration = Duration::from_mins(1);

/// What the operator may ask of the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Try again now.
    Reconnect,
    /// Throw everything away and take a snapshot.
    Resync,
}

/// Why a connection ended.
enum End {
    /// It was lost.
    Lost(Trouble),
    /// The server said when to come back.
    Bye(u64),
    /// Something is missing behind the last place.
    Gap,
    /// The place means nothing any more.
    Reset,
    /// The operator wants it so.
    Ordered(Order),
    /// Nobody listens any more.
    Closed,
}

/// Keeps the subscription until nobody gives orders any more.
pub async fn follow(client: Arc<Client>, mailbox: Mailbox, orders: Receiver<Order>) {
    let mut subscription = Subscription {
        client,
        mailbox,
        orders,
        place: None,
        backoff: Backoff::default(),
        gap_at: None,
        fresh_at: None,
    };
    while subscription.round().await {}
}

struct Subscription {
    client: Arc<Client>,
    mailbox: Mailbox,
    orders: Receiver<Order>,
    place: Option<Place>,
    backoff: Backoff,
    /// Where a hole was found last; a second time there means a snapshot.
    gap_at: Option<Cursor>,
    /// When the state was last thrown away: twice in a short time backs off.
    fresh_at: Option<Instant>,
}

impl Subscription {
    /// One connection from its first try to its end, and the wait after it. False: it is over.
    async fn round(&mut self) -> bool {
        self.mailbox.link(LinkEvent::Connecting);
        let begun = Instant::now();
        let end = self.connect().await;
        self.backoff.held(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        match end {
            End::Closed => false,
            End::Ordered(order) => {
                self.obey(order);
                true
            }
            End::Gap if self.gap_at != self.place.map(|place| place.0) => {
                self.gap_at = self.place.map(|place| place.0);
                true
            }
            End::Gap | End::Reset => {
                self.place = None;
                self.pause_between_resets().await
            }
            End::Bye(retry_ms) => self.lose(&Trouble::ended(self.client.target()), Some(retry_ms)).await,
            End::Lost(trouble) => self.fail(&trouble).await,
        }
    }

    async fn connect(&mut self) -> End {
        let place = match self.place {
            Some(place) => place,
            None => match self.client.snapshot().await {
                Ok(snapshot) => {
                    let place = Place(snapshot.cursor);
                    self.mailbox.link(LinkEvent::Snapshot(Box::new(snapshot)));
                    *self.place.insert(place)
                }
                Err(trouble) => return End::Lost(trouble),
            },
        };
        match self.client.open(place.0).await {
            Ok(response) => {
                self.mailbox.link(LinkEvent::Opened);
                self.listen(response).await
            }
            Err(trouble) => End::Lost(trouble),
        }
    }

    /// Reads the stream to its end.
    async fn listen(&mut self, mut response: reqwest::Response) -> End {
        let mut decoder = Decoder::new();
        let mut hello_by = Some(Instant::now() + HELLO);
        let mut told_alive = Instant::now();
        loop {
            let wake = hello_by.unwrap_or_else(|| Instant::now() + SILENCE);
            let piece = tokio::select! {
                order = self.orders.recv() => return order.map_or(End::Closed, End::Ordered),
                piece = timeout_at(wake, response.chunk()) => piece,
            };
            let bytes = match piece {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => return End::Lost(Trouble::ended(self.client.target())),
                Ok(Err(error)) => return End::Lost(Trouble::network(self.client.target(), &error)),
                Err(_) => {
                    if hello_by.take().is_some() {
                        self.mailbox.link(LinkEvent::Buffered);
                    }
                    continue;
                }
            };
            let mut messages = Vec::new();
            decoder.push(&bytes, &mut |message| messages.push(message));
            if messages.is_empty() && told_alive.elapsed() >= ALIVE {
                told_alive = Instant::now();
                self.mailbox.link(LinkEvent::Alive);
            }
            let mut came = Vec::new();
            let end = messages.into_iter().find_map(|message| self.take(message, &mut came).err());
            if came.iter().any(|envelope| matches!(envelope.event, FeedEvent::Hello(_))) {
                hello_by = None;
            }
            if !came.is_empty() {
                self.mailbox.feed(came);
            }
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Puts one message to what came with it, if it is the next one.
    fn take(&mut self, message: Message, came: &mut Vec<Envelope>) -> Result<(), End> {
        let (parsed, id) = match message {
            Message::Event { name, data, id } => (FeedEvent::parse(&name, &data).ok(), id),
            Message::Mark(id) => (Some(FeedEvent::Unknown), Some(id)),
            Message::TooLarge(id) => (None, id),
        };
        let cursor: Option<Cursor> = id.and_then(|id| id.parse().ok());
        let judged = parsed.as_ref().unwrap_or(&FeedEvent::Unknown);
        if let (Some(cursor), Some(place)) = (cursor, self.place.as_mut()) {
            match place.step(cursor, judged) {
                Step::Apply => {}
                Step::Drop => return Ok(()),
                Step::Gap => return Err(End::Gap),
                Step::Elsewhere => return Err(End::Reset),
            }
        }
        let Some(event) = parsed else {
            self.mailbox.link(LinkEvent::NotShown);
            return Ok(());
        };
        let end = match &event {
            FeedEvent::Reset(_) => Err(End::Reset),
            FeedEvent::Bye(bye) => Err(End::Bye(bye.retry_ms)),
            _ => Ok(()),
        };
        came.push(Envelope { cursor, event });
        end
    }

    async fn fail(&mut self, trouble: &Trouble) -> bool {
        match trouble.advice {
            Advice::Retry => self.lose(trouble, None).await,
            Advice::Wait(asked) => {
                let wait = self.backoff.next_after(asked, rand::random());
                self.announce(trouble, wait).await
            }
            Advice::Stop => {
                self.mailbox.link(LinkEvent::Refused(trouble.cause.clone()));
                let order = self.orders.recv().await;
                order.inspect(|order| self.obey(*order)).is_some()
            }
        }
    }

    async fn lose(&mut self, trouble: &Trouble, asked: Option<u64>) -> bool {
        let wait = match asked {
            Some(asked) => self.backoff.next_after(asked, rand::random()),
            None => self.backoff.next(rand::random()),
        };
        self.announce(trouble, wait).await
    }

    async fn announce(&mut self, trouble: &Trouble, wait: u64) -> bool {
        tracing::info!(wait, "the feed was lost");
        self.mailbox.link(LinkEvent::Lost { cause: trouble.cause.clone(), retry_ms: wait });
        self.wait(wait).await
    }

    /// Waits, or until the operator does not want to wait any longer. False: nobody is there.
    async fn wait(&mut self, wait: u64) -> bool {
        tokio::select! {
            () = sleep(Duration::from_millis(wait)) => true,
            order = self.orders.recv() => order.inspect(|order| self.obey(*order)).is_some(),
        }
    }

    /// The first snapshot after a reset is taken at once; a server that resets every time is not asked
    /// for one after the other.
    async fn pause_between_resets(&mut self) -> bool {
        let is_again = self.fresh_at.is_some_and(|at| at.elapsed() < OFTEN);
        self.fresh_at = Some(Instant::now());
        if !is_again {
            return true;
        }
        let wait = self.backoff.next(rand::random());
        self.wait(wait).await
    }

    fn obey(&mut self, order: Order) {
        if order == Order::Resync {
            self.place = None;
        }
    }
}
