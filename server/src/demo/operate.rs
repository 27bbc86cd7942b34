//! The command line of the operations interface: `operate restart SERVICE`, `operate scale SERVICE N`,
//! `operate status SERVICE`. For whoever runs commands and cannot speak HTTP.
//!
//! Where to speak to stands in the environment, or in the file that a leading `--control FILE` names.
//! What it prints is the application's answer, one line of JSON on standard output; why it failed, one
//! line on standard error.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::control::Control;
use super::courier::client;

/// The subcommand of either program that is this command line.
pub const OPERATE: &str = "operate";
/// Names the address of the operations interface.
pub const APP_URL: &str = "STELLA_APP_URL";
/// Names its token.
pub const APP_TOKEN: &str = "STELLA_APP_TOKEN";
/// Names the key of the request; without it, each run is a request of its own.
pub const APP_KEY: &str = "STELLA_IDEMPOTENCY_KEY";
/// Names the fence.
pub const APP_FENCE: &str = "STELLA_FENCE";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It was done; of a status: it could be read, and all is well.
    Done,
    /// Whether it was done is not known.
    Unknown,
    /// Surely nothing was done.
    Nothing,
    /// Of a status: it could be read, and not all is well.
    Unwell,
}

impl Ending {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unknown => 1,
            Self::Nothing => 3,
            Self::Unwell => 4,
        }
    }
}

/// What is to be asked.
#[derive(Debug, PartialEq, Eq)]
struct Ask {
    method: reqwest::Method,
    path: String,
}

/// Runs one command and says how it ended: 0 done, 3 surely nothing was done, 4 (`status` only) not
/// all is well, anything else: not known.
#[must_use]
pub fn operate(arguments: &[String]) -> ExitCode {
    let (file, arguments) = match arguments {
        [flag, file, rest @ ..] if flag == "--control" => (Some(Path::new(file)), rest),
        _ => (None, arguments),
    };
    let (ending, said) = match read(arguments) {
        Some(ask) => std::thread::scope(|scope| {
            // A thread of its own: the caller may be inside an async runtime.
            scope.spawn(|| run(&ask, file)).join().unwrap_or((Ending::Unknown, "it broke off".to_owned()))
        }),
        None => (
            Ending::Nothing,
            "usage: operate [--control FILE] restart SERVICE | scale SERVICE N | status SERVICE".to_owned(),
        ),
    };
    let read = matches!(ending, Ending::Done | Ending::Unwell);
    // Nobody may be listening: that changes nothing of what was done.
    let _ = if read { writeln!(std::io::stdout(), "{said}") } else { writeln!(std::io::stderr(), "{said}") };
    ExitCode::from(ending.code())
}

/// Reads the command. None: it is none.
fn read(arguments: &[String]) -> Option<Ask> {
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (method, path) = match words.as_slice() {
        ["status", name] if is_name(name) => (reqwest::Method::GET, format!("/services/{name}")),
        ["restart", name] if is_name(name) => (reqwest::Method::POST, format!("/services/{name}/restart")),
        ["scale", name, to] if is_name(name) => {
            let to: u32 = to.parse().ok()?;
            (reqwest::Method::POST, format!("/services/{name}/scale?to={to}"))
        }
        _ => return None,
    };
    Some(Ask { method, path })
}

fn run(ask: &Ask, file: Option<&Path>) -> (Ending, String) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let set = |name| std::env::var(name).unwrap_or_default();
            let place = match file {
                Some(file) => Control::read(file).map(|control| (control.url, control.token)).unwrap_or_default(),
                None => (set(APP_URL), set(APP_TOKEN)),
            };
            let key = std::env::var(APP_KEY).unwrap_or_else(|_| Uuid::now_v7().to_string());
            runtime.block_on(send(ask, &place, &key, std::env::var(APP_FENCE).ok()))
        }
        Err(_) => (Ending::Nothing, "there is no way to speak to the application".to_owned()),
    }
}

async fn send(ask: &Ask, (url, token): &(String, String), key: &str, fence: Option<String>) -> (Ending, String) {
    let nothing = |why: &str| (Ending::Nothing, why.to_owned());
    if url.is_empty() || token.is_empty() {
        return nothing(
            "nothing says where the application is: set STELLA_APP_URL and STELLA_APP_TOKEN, or name a file by --control",
        );
    }
    let Ok(client) = client() else { return nothing("there is no way to speak to the application") };
    let address = format!("{}{}", url.trim_end_matches('/'), ask.path);
    let mut request = client.request(ask.method.clone(), address).bearer_auth(token).header("Idempotency-Key", key);
    if let Some(fence) = fence {
        request = request.header("Stella-Fence", fence);
    }
    match request.send().await {
        Ok(answer) => {
            let status = answer.status();
            judge(ask, status, answer.json().await.ok().as_ref())
        }
        Err(error) if error.is_connect() || error.is_builder() => nothing("the application cannot be reached"),
        Err(_) => (Ending::Unknown, "the application did not answer".to_owned()),
    }
}

/// What an answer means.
fn judge(ask: &Ask, status: StatusCode, body: Option<&Value>) -> (Ending, String) {
    let said = body.map(Value::to_string);
    let ending = match status {
        status if status.is_success() => match body.and_then(|body| body["state"].as_str()) {
            Some("running") => Ending::Done,
            Some(_) if ask.method == reqwest::Method::GET => Ending::Unwell,
            Some(_) => Ending::Done,
            None => Ending::Unknown,
        },
        status if status.is_client_error() => Ending::Nothing,
        _ => Ending::Unknown,
    };
    (ending, said.unwrap_or_else(|| format!("the application answered {}", status.as_u16())))
}

/// The exit code of a command, for tests that have an address and cannot set the environment.
#[cfg(test)]
pub(super) async fn code_of(arguments: &[&str], place: &(String, String), key: &str) -> Option<u8> {
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    Some(send(&read(&arguments)?, place, key, None).await.0.code())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(words: &[&str]) -> Option<Ask> {
        read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_three_verbs_and_names_of_services_are_read() {
        assert_eq!(ask(&["scale", "mail-sender", "4"]).unwrap().path, "/services/mail-sender/scale?to=4");
        for wrong in [&["restart"][..], &["restart", "a/b"], &["scale", "x", "4;5"], &["status", ""], &["stop", "x"]] {
            assert_eq!(ask(wrong), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_done_where_nobody_listens_or_nothing_says_where() {
        let restart = ask(&["restart", "jobs"]).unwrap();
        let nowhere = (String::new(), "t".to_owned());
        assert_eq!(send(&restart, &nowhere, "k", None).await.0, Ending::Nothing);
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let gone = (format!("http://{free}"), "t".to_owned());
        assert_eq!(send(&restart, &gone, "k", None).await.0, Ending::Nothing);
    }

    #[test]
    fn an_answer_that_cannot_be_read_leaves_it_unknown_and_a_refusal_does_not() {
        let restart = ask(&["restart", "jobs"]).unwrap();
        let status = ask(&["status", "jobs"]).unwrap();
        let said =
            |ask, code: u16, body: Option<Value>| judge(ask, StatusCode::from_u16(code).unwrap(), body.as_ref()).0;
        let degraded = Some(json!({ "state": "degraded" }));
        assert_eq!(said(&restart, 200, degraded.clone()), Ending::Done);
        assert_eq!(said(&status, 200, degraded), Ending::Unwell);
        assert_eq!(said(&status, 200, Some(json!({ "state": "running" }))), Ending::Done);
        assert_eq!(said(&restart, 409, Some(json!({ "error": "fence" }))), Ending::Nothing);
        assert_eq!([said(&restart, 200, None), said(&restart, 503, None)], [Ending::Unknown; 2]);
    }
}
