//! Bytes of a pipe or a file on their way into the server: cut into whole records, sent in batches,
//! never faster than the server takes them.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use stella_protocol::Text;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Taken, Tell};
use crate::client::Client;
use crate::effect::Refusal;
use crate::event::SourceEvent;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Chunks that wait; together with a batch this is all that a slow server lets pile up here.
const WAITING: usize = 8;

/// A batch is sent at this size at the latest, in bytes: some 2,000 lines.
const BATCH: usize = 512 * 1024;

/// A record that may go on is sent after this silence.
const SILENCE: Duration = Duration::from_millis(200);

/// Longest recording name that the server takes.
const NAME_LIMIT: usize = 64;

/// Cuts bytes into records; the server's own way of doing so.
pub(super) trait Joiner: Send {
    /// Takes bytes; answers with the records that are complete now.
    fn push(&mut self, bytes: &[u8]) -> Vec<String>;
    /// Answers with the record that only waits for what might belong to it.
    fn flush(&mut self) -> Option<String>;
    /// Answers with all that is left: the input has ended.
    fn finish(&mut self) -> Vec<String>;
}

/// The name under which lines of a source are kept: only what the contract allows in it.
fn recording_name(source: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    let name: String = source.chars().map(|c| if fits(c) { c } else { '_' }).take(NAME_LIMIT).collect();
    if name.is_empty() { "tail".to_owned() } else { name }
}

/// An input that is read apart.
#[derive(Debug)]
pub(super) struct Input {
    /// Its bytes; closed at its end.
    chunks: Receiver<Vec<u8>>,
    /// Why it ended, when that was no end.
    broken: oneshot::Receiver<io::Error>,
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It came to its end.
    Ended,
    /// It could not be read any further, which was told; or nobody wanted more.
    Broken,
}

/// Reads on a thread of its own, which waits when too much is on its way.
pub(super) fn read_apart(mut input: impl Read + Send + 'static) -> io::Result<Input> {
    let (sender, chunks) = channel(WAITING);
    let (why, broken) = oneshot::channel();
    thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) if sender.blocking_send(buffer[..read].to_vec()).is_err() => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    // Nobody listens any more: then nobody wonders why.
                    let _ = why.send(error);
                    break;
                }
                Ok(_) | Err(_) => {}
            }
        }
    })?;
    Ok(Input { chunks, broken })
}

/// Sends what comes until nothing comes any more, or until `shutdown`. That `name` cannot be read is
/// told as trouble.
pub(super) async fn carry(
    client: Arc<Client>,
    name: &str,
    mut input: Input,
    mut joiner: impl Joiner,
    tell: &Tell,
    shutdown: &CancellationToken,
) -> (Taken, Fate) {
    let recording = recording_name(name);
    let mut taken = Taken::default();
    let mut batch = String::new();
    let mut is_flushed = true;
    loop {
        let chunk = tokio::select! {
            () = shutdown.cancelled() => return (taken, Fate::Broken),
            chunk = next(&mut input.chunks, is_flushed) => chunk,
        };
        let is_over = matches!(chunk, Next::Over);
        match chunk {
            Next::Bytes(bytes) => {
                is_flushed = false;
                add(&mut batch, joiner.push(&bytes));
                while batch.len() < BATCH
                    && let Ok(more) = input.chunks.try_recv()
                {
                    add(&mut batch, joiner.push(&more));
                }
            }
            Next::Silence => {
                is_flushed = true;
                add(&mut batch, joiner.flush());
            }
            Next::Over => add(&mut batch, joiner.finish()),
        }
        if !batch.is_empty() {
            send(&client, &recording, std::mem::take(&mut batch), &mut taken, tell).await;
        }
        if is_over {
            return (taken, fate(name, input.broken, tell).await);
        }
    }
}

/// Says that no more lines come, so that the server tells what it held back. The server takes an empty
/// body of a recording as its end.
pub(super) async fn end(client: &Client, name: &str, tell: &Tell) {
    send(client, &recording_name(name), String::new(), &mut Taken::default(), tell).await;
}

async fn fate(name: &str, broken: oneshot::Receiver<io::Error>, tell: &Tell) -> Fate {
    let Ok(error) = broken.await else {
        return Fate::Ended;
    };
    tell(SourceEvent::Trouble(Text::from(format!("{name} cannot be read: {}", error.kind()))));
    Fate::Broken
}

enum Next {
    Bytes(Vec<u8>),
    Silence,
    Over,
}

async fn next(chunks: &mut Receiver<Vec<u8>>, is_flushed: bool) -> Next {
    let received = if is_flushed { Ok(chunks.recv().await) } else { timeout(SILENCE, chunks.recv()).await };
    match received {
        Ok(Some(bytes)) => Next::Bytes(bytes),
        Ok(None) => Next::Over,
        Err(_) => Next::Silence,
    }
}

fn add(batch: &mut String, records: impl IntoIterator<Item = String>) {
    for record in records {
        batch.push_str(&record);
        batch.push('\n');
    }
}

async fn send(client: &Client, recording: &str, batch: String, taken: &mut Taken, tell: &Tell) {
    match client.ingest(recording, Bytes::from(batch)).await {
        Ok(answer) => {
            taken.accepted += answer.accepted;
            taken.rejected += answer.rejected;
        }
        Err(refusal) => {
            let words = match refusal {
                Refusal::Problem(problem) => problem.title,
                Refusal::Unknown(words) => words,
                Refusal::Query(_) => Text::from("the server did not take the lines"),
            };
            tracing::error!("lines were not taken in: {words:?}");
            tell(SourceEvent::Trouble(words));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_named_with_what_the_contract_allows() {
        assert_eq!(recording_name("app 1.log"), "app_1.log");
        assert_eq!(recording_name("\u{1b}[2J"), "__2J");
        assert_eq!(recording_name(""), "tail");
        assert_eq!(recording_name(&"é".repeat(100)).len(), NAME_LIMIT);
    }

    #[tokio::test]
    async fn the_end_of_the_input_closes_the_channel_behind_its_bytes() {
        let mut input = read_apart(&b"one\ntwo"[..]).unwrap();
        assert_eq!(input.chunks.recv().await.as_deref(), Some(&b"one\ntwo"[..]));
        assert_eq!(input.chunks.recv().await, None);
        let deaf: Tell = Arc::new(|_| ());
        assert_eq!(fate("x", input.broken, &deaf).await, Fate::Ended);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told_by_its_name() {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (kept, folder) = (told.clone(), tempfile::tempdir().unwrap());
        let tell: Tell = Arc::new(move |event| kept.lock().unwrap().push(event));
        let input = read_apart(std::fs::File::open(folder.path()).unwrap()).unwrap();
        assert_eq!(fate("app.log", input.broken, &tell).await, Fate::Broken);
        let words = Text::from("app.log cannot be read: is a directory");
        assert_eq!(*told.lock().unwrap(), [SourceEvent::Trouble(words)]);
    }

    #[tokio::test]
    async fn a_silence_is_noticed_only_where_something_waits() {
        let (sender, mut chunks) = channel(1);
        assert!(matches!(next(&mut chunks, false).await, Next::Silence));
        drop(sender);
        assert!(matches!(next(&mut chunks, true).await, Next::Over));
    }
}
