//! A real server in a process of its own, which can be held still: this test's program once more, told
//! to serve instead of to test.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stella_protocol::Role;
use stella_server::admin::{self, AdminAnswer, AdminRequest};
use stella_server::{Clock, Config, Redaction};
use tokio_util::sync::CancellationToken;

use crate::session::program;

/// Tells the program that it is the server, and on which folder.
const DATA: &str = "STELLA_TEST_DATA";
/// On which address.
const LISTEN: &str = "STELLA_TEST_LISTEN";
/// How long the server may take to answer, or to say something on its feed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
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
        let token = |(name, role): &(&'static str, Role)| {
            let request = AdminRequest::CreateToken { role: *role, name: (*name).to_owned(), expires_days: None };
            let AdminAnswer::Token { token } = admin::run(folder.path(), &request).unwrap() else { panic!("no token") };
            (*name, token)
        };
        let tokens = people.iter().map(token).collect();
        prepare(folder.path());
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(DATA, folder.path()).env(LISTEN, address.to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, address, tokens, _folder: folder };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "the server does not listen");
            std::thread::yield_now();
        }
        server
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
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
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

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until killed, when this process was started for that. False: it is here to test.
pub fn serves() -> bool {
    let Some(data) = std::env::var_os(DATA).map(PathBuf::from) else { return false };
    let config = Config {
        listen: std::env::var(LISTEN).unwrap().parse().unwrap(),
        data: Some(data),
        redaction: Redaction::Local,
        embedded: None,
        demo: None,
        remedy: None,
        clock: Clock::system(),
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let server = stella_server::bind(config).await.unwrap();
        server.run(CancellationToken::new()).await.unwrap();
    });
    true
}
