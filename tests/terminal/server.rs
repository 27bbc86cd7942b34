//! A real server, and the consoles that connect to it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use stella_protocol::Role;

use crate::process::{Process, bare, free_address, of_bare, token};
use crate::session::program;

/// How long the server may take to say something on its feed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. Killed when dropped.
pub struct Server {
    process: Process,
    address: SocketAddr,
    /// Who may connect, and with what.
    tokens: Vec<(&'static str, String)>,
    _folder: tempfile::TempDir,
}

/// Its feed, as anybody's client reads it.
pub struct Feed(BufReader<TcpStream>);

impl Server {
    /// Starts one on a new folder; `test` is the test that serves when it is told to.
    pub fn start(test: &str) -> Self {
        Self::start_for(test, &[("ana", Role::Responder)], |_| ())
    }

    /// The same for these people, on a folder that was prepared.
    pub fn start_for(test: &str, people: &[(&'static str, Role)], prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = people.iter().map(|(name, role)| (*name, token(folder.path(), *role, name))).collect();
        prepare(folder.path());
        let address = free_address();
        let process = Process::start(test, &bare(address, folder.path()));
        Self { process, address, tokens, _folder: folder }
    }

    fn token(&self, name: &str) -> &str {
        let known = self.tokens.iter().find(|(known, _)| *known == name);
        known.map(|(_, token)| token.as_str()).unwrap()
    }

    /// The console that connects to it.
    pub fn console(&self) -> Vec<String> {
        self.console_of("ana")
    }

    /// The console of one of its people.
    pub fn console_of(&self, name: &str) -> Vec<String> {
        let words = ["env".to_owned(), format!("STELLA_TOKEN={}", self.token(name))];
        let address = format!("http://{}", self.address);
        words.into_iter().chain(program(&["--server", &address])).collect()
    }

    /// Sends a signal to it.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Opens its feed.
    pub fn feed(&self) -> Feed {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (address, token) = (self.address, self.token("ana"));
        write!(
            stream,
            "GET /api/stella/server-logs-stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        .unwrap();
        Feed(BufReader::new(stream))
    }
}

impl Feed {
    /// Waits for the next heartbeat.
    pub fn heartbeat(&mut self) {
        let mut line = Vec::new();
        while line.trim_ascii_end() != b"event: heartbeat" {
            line.clear();
            assert_ne!(self.0.read_until(b'\n', &mut line).unwrap(), 0, "the feed ended");
        }
    }
}

/// Serves until killed, when this process was started for that. False: it is here to test.
pub fn serves() -> bool {
    crate::process::serves(of_bare)
}
