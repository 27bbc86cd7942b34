//! An HTTP service with switches that can be put on and off. Its own log tells which effects there were;
//! it does not deduplicate them, and refuses a fence that is lower than one it has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::clock::Clock;
use crate::remedy::run::rig::{answer, read};

/// What it says to a fence that is too low.
pub(super) const REFUSAL: &str = "a lower fence than before";

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mood {
    #[default]
    Plain,
    /// It refuses so many calls that do something, cleanly.
    Refusing(usize),
    /// It does what it is asked to, closes the connection without a word, and then cannot be asked.
    Mute,
    /// The same, but it cannot be asked so many times only.
    Dazed(usize),
    /// So many calls are lost, without a word and an effect.
    Losing(usize),
    /// It does the first thing late, without a word, and refuses to do it again.
    Late(u32),
}

/// An effect that there was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Effect {
    pub key: String,
    pub fence: u64,
    pub on: bool,
}

#[derive(Default)]
pub(super) struct Desk {
    pub mood: Mood,
    pub effects: Vec<Effect>,
    /// How often it was asked how things stand.
    pub asked: usize,
    /// While it hears the first call, so many milliseconds pass.
    pub passes: Option<(Clock, i64)>,
    /// Fences that it refused.
    pub refused: Vec<u64>,
    /// Paths of the switches that are on.
    pub on: BTreeSet<String>,
    fences: BTreeMap<String, u64>,
}

pub(super) struct Target {
    pub at: SocketAddr,
    desk: Arc<Mutex<Desk>>,
}

impl Target {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = Self { at: listener.local_addr().unwrap(), desk: Arc::default() };
        let desk = Arc::clone(&target.desk);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&desk)));
            }
        });
        target
    }

    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }

    /// How often each effect happened, by its key.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for effect in &self.desk().effects {
            *counts.entry(effect.key.clone()).or_default() += 1;
        }
        counts
    }
}

async fn serve(mut stream: TcpStream, desk: Arc<Mutex<Desk>>) {
    let Some(request) = read(&mut stream).await else { return };
    let said = desk.lock().unwrap().hear(&request);
    if let Some(said) = said {
        let _ = stream.write_all(said.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

impl Desk {
    /// The answer; None: the connection is closed without one.
    fn hear(&mut self, request: &str) -> Option<String> {
        let header = |name: &str| request.lines().find_map(|line| line.strip_prefix(name));
        let mut words = request.split(' ');
        let (method, path) = (words.next()?, words.next()?.to_owned());
        if method == "GET" {
            self.asked += 1;
            let status = match &mut self.mood {
                Mood::Mute if !self.effects.is_empty() => 503,
                Mood::Dazed(left @ 1..) if !self.effects.is_empty() => {
                    *left -= 1;
                    503
                }
                _ => 200,
            };
            return Some(answer(status, "", &format!("{{\"on\":{}}}", self.on.contains(&path))));
        }
        let fence: u64 = header("stella-fence: ")?.parse().ok()?;
        let known = self.fences.entry(path.clone()).or_default();
        if fence < *known {
            self.refused.push(fence);
            return Some(answer(409, "", REFUSAL));
        }
        *known = fence;
        if let Some((clock, millis)) = self.passes.take() {
            clock.advance_to(clock.now().plus_millis(millis));
        }
        if let Mood::Losing(left @ 1..) = self.mood {
            self.mood = Mood::Losing(left - 1);
            return None;
        }
        if let Mood::Refusing(left @ 1..) = self.mood {
            self.mood = Mood::Refusing(left - 1);
            return Some(answer(422, "", "not now"));
        }
        if let Mood::Late(calls) = &mut self.mood {
            *calls += 1;
            match *calls {
                1 => return None,
                2 => {}
                _ => return Some(answer(422, "", "it is so already")),
            }
        }
        let on = method == "PUT";
        if on {
            self.on.insert(path)
        } else {
            self.on.remove(&path)
        };
        self.effects.push(Effect { key: header("idempotency-key: ")?.to_owned(), fence, on });
        match self.mood {
            Mood::Mute | Mood::Dazed(_) => None,
            Mood::Late(_) => Some(answer(422, "", "it is so already")),
            Mood::Plain | Mood::Refusing(_) | Mood::Losing(_) => Some(answer(200, "", "{}")),
        }
    }
}
