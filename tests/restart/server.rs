//! A server in a process of its own, so that it can be killed: this test's program once more, told to
//! serve instead of to test.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use stella_protocol::Role;
use stella_server::admin::{self, AdminAnswer, AdminRequest};
use stella_server::{Clock, Config, Redaction};
use tokio_util::sync::CancellationToken;

/// Tells the program that it is the server, and on which folder.
const DATA: &str = "STELLA_TEST_DATA";
/// On which address.
const LISTEN: &str = "STELLA_TEST_LISTEN";

/// Where a server lives, whichever process it is at the moment.
pub struct Home {
    /// Its address, the same after every restart.
    pub address: SocketAddr,
    /// The test that serves when it is told to.
    pub test: &'static str,
    folder: tempfile::TempDir,
}

/// A running one. Killed when dropped.
pub struct Process(Child);

impl Home {
    /// A new folder, and a port that is free.
    pub fn new(test: &'static str) -> Self {
        let reserved = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self { address: reserved.local_addr().unwrap(), test, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts it; whether it answers yet is for the caller to find out.
    pub fn start(&self) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([self.test, "--exact", "--nocapture"]);
        command.env(DATA, self.folder.path()).env(LISTEN, self.address.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Process(command.spawn().unwrap())
    }

    /// A token that is kept over restarts.
    pub fn token(&self, role: Role, name: &str) -> String {
        let request = AdminRequest::CreateToken { role, name: name.to_owned(), expires_days: None };
        match admin::run(self.folder.path(), &request).unwrap() {
            AdminAnswer::Token { token } => token,
            other => panic!("{other:?}"),
        }
    }
}

impl Process {
    /// Ends it as a power cut does, as far as a process can see.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().code(), None, "it was to end by the signal");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves until killed, when this process was started for that. False: it is here to test.
pub fn serves() -> bool {
    let Some(data) = std::env::var_os(DATA).map(PathBuf::from) else { return false };
    let listen = std::env::var(LISTEN).unwrap().parse().unwrap();
    serve(&data, listen);
    true
}

fn serve(data: &Path, listen: SocketAddr) {
    let config = Config {
        listen,
        data: Some(data.to_owned()),
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
}
