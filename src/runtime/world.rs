//! What runs beside the loop: the feed, requests under way, the server inside.
//!
//! Everything it brings back goes through the mailbox or the loop's channel; nothing here draws or
//! decides.

use std::sync::{Arc, OnceLock};

use stella_protocol::{PresenceRequest, Text};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::plan::Way;
use crate::client::Client;
use crate::client::feed::{self, Order};
use crate::client::mailbox::Mailbox;
use crate::client::target::Target;
use crate::client::trouble;
use crate::effect::{Command, Query, Refusal, Reply, RequestId};
use crate::embedded::{self, Extent, Plan, Tell};
use crate::event::{Cause, Event, LinkEvent, SourceEvent};

/// Orders that may wait; the operator gives one at a time.
const ORDERS: usize = 8;

/// The world of one console.
pub(super) struct World {
    /// What the feed brings.
    pub(super) mailbox: Mailbox,
    news: mpsc::Sender<Event>,
    link: Option<Link>,
    shutdown: CancellationToken,
    inside: Option<JoinHandle<()>>,
}

/// The connection, as soon as there is somebody to connect to.
#[derive(Clone)]
struct Link {
    client: Arc<OnceLock<Arc<Client>>>,
    orders: mpsc::Sender<Order>,
}

impl World {
    pub(super) fn new(news: mpsc::Sender<Event>) -> Self {
        Self { mailbox: Mailbox::default(), news, link: None, shutdown: CancellationToken::new(), inside: None }
    }

    /// Begins with a source of alerts; nothing is waited for.
    pub(super) fn enter(&mut self, way: &Way) {
        let (orders, received) = mpsc::channel(ORDERS);
        let link = Link { client: Arc::default(), orders };
        match way {
            Way::Ask => return,
            Way::Server(target) => {
                tokio::spawn(connect(target.clone(), link.clone(), self.mailbox.clone(), received));
            }
            Way::Inside(plan) => {
                let inside = Inside { news: self.news.clone(), mailbox: self.mailbox.clone(), link: link.clone() };
                self.inside = Some(tokio::spawn(inside.run(plan.clone(), received, self.shutdown.clone())));
            }
        }
        self.link = Some(link);
    }

    /// Ends what runs, and waits for it.
    pub(super) async fn leave(self) {
        self.shutdown.cancel();
        if let Some(inside) = self.inside {
            // A task that panicked has ended too.
            let _ = inside.await;
        }
    }

    pub(super) fn send(&self, id: RequestId, command: Command) {
        let news = self.news.clone();
        match self.client() {
            Some(client) => {
                tokio::spawn(async move { answer(&news, id, client.send(id, &command).await).await });
            }
            None => self.reply(id, command.refused(nobody())),
        }
    }

    pub(super) fn fetch(&self, id: RequestId, query: Query) {
        let news = self.news.clone();
        match (self.client(), query) {
            (Some(client), query) => {
                tokio::spawn(async move { answer(&news, id, client.fetch(&query).await).await });
            }
            (None, query) => self.reply(id, query.refused(nobody())),
        }
    }

    /// Without a server there is nobody to tell.
    pub(super) fn attend(&self, said: PresenceRequest) {
        if let Some(client) = self.client() {
            tokio::spawn(async move { client.attend(&said).await });
        }
    }

    /// An answer that is known without asking anybody.
    pub(super) fn reply(&self, id: RequestId, reply: Reply) {
        let news = self.news.clone();
        tokio::spawn(async move { answer(&news, id, reply).await });
    }

    pub(super) fn reconnect(&self) {
        self.order(Order::Reconnect);
    }

    pub(super) fn resync(&self) {
        self.order(Order::Resync);
    }

    /// Says that what was asked for cannot be had.
    pub(super) fn complain(&self, words: String) {
        tell(&self.news)(SourceEvent::Trouble(Text::from(words)));
    }

    fn order(&self, order: Order) {
        if let Some(link) = &self.link {
            // Full: the same was asked several times already.
            let _ = link.orders.try_send(order);
        }
    }

    fn client(&self) -> Option<Arc<Client>> {
        self.link.as_ref()?.client.get().cloned()
    }
}

fn nobody() -> Refusal {
    trouble::unsent(Cause {
        what: Text::from("there is no server to ask yet"),
        then: Text::from("press the key again once the header says LIVE"),
    })
}

async fn answer(news: &mpsc::Sender<Event>, id: RequestId, reply: Reply) {
    // The loop has ended: nobody is there to read it.
    let _ = news.send(Event::Reply(id, Box::new(reply))).await;
}

/// One queue for what a source says, so that its words keep their order.
fn tell(news: &mpsc::Sender<Event>) -> Tell {
    let (said, mut heard) = mpsc::unbounded_channel();
    let news = news.clone();
    tokio::spawn(async move {
        while let Some(event) = heard.recv().await {
            if news.send(Event::Source(event)).await.is_err() {
                break;
            }
        }
    });
    // Nobody listens any more once the console ends.
    Arc::new(move |event| drop(said.send(event)))
}

/// Follows the feed of a server until the console ends.
async fn connect(target: Target, link: Link, mailbox: Mailbox, orders: mpsc::Receiver<Order>) {
    // Reading the root certificates is a matter of milliseconds that the loop need not wait for.
    let made = tokio::task::spawn_blocking(move || Client::new(target)).await;
    match made {
        Ok(Ok(client)) => {
            let client = link.client.get_or_init(|| Arc::new(client)).clone();
            drop(link);
            feed::follow(client, mailbox, orders).await;
        }
        Ok(Err(trouble)) => mailbox.link(LinkEvent::Refused(trouble.cause)),
        Err(_) => tracing::error!("no client could be made"),
    }
}

/// The server inside, while it runs.
struct Inside {
    news: mpsc::Sender<Event>,
    mailbox: Mailbox,
    link: Link,
}

impl Inside {
    async fn run(self, plan: Plan, orders: mpsc::Receiver<Order>, shutdown: CancellationToken) {
        let tell = tell(&self.news);
        tell(SourceEvent::Preparing(Text::from("starting the server")));
        match embedded::start(plan, Extent::Endless, tell.clone(), shutdown).await {
            Ok(running) => {
                tokio::spawn(connect(running.target, self.link, self.mailbox, orders));
                // A source that panicked says so in the log; the console goes on with what there is.
                let _ = running.server.await;
            }
            Err(words) => tell(SourceEvent::Trouble(words)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::panic, clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_without_a_server_is_refused_and_says_what_to_do() {
        let (sender, mut news) = mpsc::channel(1);
        World::new(sender).send(RequestId(7), Command::Undo("act-1".parse().unwrap()));
        let Some(Event::Reply(RequestId(7), reply)) = news.recv().await else { panic!("an answer") };
        let Reply::Acted(Err(Refusal::Problem(problem))) = *reply else { panic!("refused, not unknown: {reply:?}") };
        assert!(problem.title.raw().starts_with("nothing was sent, "), "{problem:?}");
        assert!(problem.detail.raw().contains("LIVE"), "{problem:?}");
    }
}
