//! An HTTP service with queues that are held or move: its own log tells which calls came and which of them
//! had an effect. It knows no idempotency keys, so that an effect that is asked for twice is there twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// When a call gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Before its effect: there will be none.
    Before,
    /// After its effect.
    After,
}

/// A call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `drain` or `hold`, and which queue.
    pub what: String,
    /// Its idempotency key.
    pub key: String,
    /// Its fence.
    pub fence: u64,
}

#[derive(Debug, Default)]
struct Books {
    /// True: it moves.
    queues: BTreeMap<String, bool>,
    /// Calls to change something that came.
    calls: Vec<Call>,
    /// Such as had an effect.
    effects: Vec<Call>,
    fences: BTreeMap<String, u64>,
    /// How the next call for a queue gets no answer.
    silent: BTreeMap<String, Silence>,
}

/// The service. Ends with the test.
#[derive(Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    books: Arc<(Mutex<Books>, Condvar)>,
}

impl Target {
    /// A service where every queue is held.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = Self { address: listener.local_addr().unwrap(), books: Arc::default() };
        let serving = target.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (serving, stream) = (serving.clone(), stream.unwrap());
                // Whoever asked may be gone by the answer: that is what some tests are about.
                std::thread::spawn(move || drop(serving.serve(&stream)));
            }
        });
        target
    }

    /// The next call that changes this queue gets no answer.
    pub fn be_silent(&self, queue: &str, silence: Silence) {
        self.books().silent.insert(queue.to_owned(), silence);
    }

    /// Waits until so many calls came.
    pub fn wait_for_calls(&self, count: usize) {
        let (_, word) = &*self.books;
        let (books, late) =
            word.wait_timeout_while(self.books(), crate::api::PATIENCE, |books| books.calls.len() < count).unwrap();
        assert!(!late.timed_out(), "waited for {count} calls: {books:?}");
    }

    /// Calls to change something that came, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.books().calls.clone()
    }

    /// Calls that had an effect, in order.
    pub fn effects(&self) -> Vec<Call> {
        self.books().effects.clone()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.0.lock().unwrap()
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        reader.take(length).read_to_end(&mut Vec::new())?;
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let parts: Vec<&str> = path.split('/').collect();
        let answer = match (method, parts.as_slice()) {
            ("GET", ["", "queues", queue]) => Some((200, self.state(queue))),
            ("POST", ["", "queues", queue, verb]) => {
                self.change(queue, verb, &headers).map(|code| (code, self.state(queue)))
            }
            _ => Some((404, "nothing")),
        };
        // Silence: held open until the other side is gone.
        let Some((code, state)) = answer else { return until_gone(stream) };
        let body = format!("{{\"state\":\"{state}\"}}");
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {code} .\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    fn state(&self, queue: &str) -> &'static str {
        if self.books().queues.get(queue).copied().unwrap_or_default() { "moves" } else { "held" }
    }

    /// None: no answer.
    fn change(&self, queue: &str, verb: &str, headers: &BTreeMap<String, String>) -> Option<u16> {
        let mut books = self.books();
        let fence = headers["stella-fence"].parse().unwrap();
        let call = Call { what: format!("{verb} {queue}"), key: headers["idempotency-key"].clone(), fence };
        books.calls.push(call.clone());
        self.books.1.notify_all();
        if books.fences.get(queue).is_some_and(|seen| *seen > fence) {
            return Some(409);
        }
        books.fences.insert(queue.to_owned(), fence);
        let silence = books.silent.remove(queue);
        if silence != Some(Silence::Before) {
            books.effects.push(call);
            books.queues.insert(queue.to_owned(), verb == "drain");
        }
        silence.is_none().then_some(200)
    }
}

fn until_gone(mut stream: &TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 64])? != 0 {}
    Ok(())
}
