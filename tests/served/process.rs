//! A server in a process of its own, so that it can be killed or held still: a test's program once more, told to
//! serve instead of to test.

use std::io::{BufRead, BufReader, Write, stdout};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use stella_protocol::Role;
use stella_server::admin::{self, AdminAnswer, AdminRequest};
use stella_server::{Config, Redaction};
use tokio_util::sync::CancellationToken;

/// Tells the program that it is the server, and which.
const ORDER: &str = "STELLA_TEST_SERVES";
/// What it says once it listens.
const LISTENS: &str = "the server of this test listens";
/// How long it may take until then.
const PATIENCE: Duration = Duration::from_secs(40);

/// A running server. Killed when dropped.
pub struct Process(Child);

impl Process {
    /// Starts this program once more, and waits until it listens. `test` is the test that serves when it is told to,
    /// and `order` what it is told.
    pub fn start(test: &str, order: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(ORDER, order);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let process = Self(child);
        let (listens, heard) = mpsc::channel();
        // Read to its end: whoever writes where nobody reads may fail for it.
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok).filter(|line| line == LISTENS) {
                let _ = listens.send(line);
            }
        });
        assert!(heard.recv_timeout(PATIENCE).is_ok(), "the server does not listen");
        process
    }

    /// Sends a signal to it.
    pub fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Ends it as a power cut does, as far as a process can see.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().code(), None, "it was to end by the signal");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves until killed, when this process was started for that, as the order says. False: it is here to test.
pub fn serves(config: impl FnOnce(&str) -> Config) -> bool {
    let Ok(order) = std::env::var(ORDER) else { return false };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let server = stella_server::bind(config(&order)).await.unwrap();
        // On a line of its own: the test runner has begun one.
        stdout().write_all(format!("\n{LISTENS}\n").as_bytes()).unwrap();
        server.run(CancellationToken::new()).await.unwrap();
    });
    true
}

/// The order for a server without documents, fixes and demo.
pub fn bare(address: SocketAddr, data: &Path) -> String {
    format!("{address} {}", data.display())
}

/// What that order says.
pub fn of_bare(order: &str) -> Config {
    let (address, data) = order.split_once(' ').unwrap();
    Config {
        listen: address.parse().unwrap(),
        data: Some(data.into()),
        redaction: Redaction::Local,
        embedded: None,
        remedy: None,
        ..Config::embedded(String::new())
    }
}

/// An address of this machine at which nobody listens.
pub fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A token for the server with this data; kept over restarts.
pub fn token(data: &Path, role: Role, name: &str) -> String {
    let request = AdminRequest::CreateToken { role, name: name.to_owned(), expires_days: None };
    match admin::run(data, &request).unwrap() {
        AdminAnswer::Token { token } => token,
        other => panic!("{other:?}"),
    }
}
