//! What a command's failure is called: refused, or unknown.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::Ipv4Addr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;

async fn listener() -> (TcpListener, Client) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target = Target::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
    (listener, Client::new(target).unwrap())
}

async fn undo(client: &Client, id: u64) -> Refusal {
    match client.send(RequestId(id), &Command::Undo("act-1".parse().unwrap())).await {
        Reply::Acted(Err(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Takes connections and lets each of them go as soon as the request is there.
async fn hang_up(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    }
}

#[tokio::test]
async fn a_command_that_nobody_listens_to_is_refused_in_words() {
    let (listener, client) = listener().await;
    drop(listener);
    let Refusal::Problem(problem) = undo(&client, 1).await else { panic!("nothing was sent") };
    assert!(problem.title.raw().starts_with("nothing was sent, nobody listens at 127.0.0.1:"), "{problem:?}");
    assert!(!problem.detail.raw().is_empty());
}

#[tokio::test]
async fn a_command_that_may_have_arrived_is_unknown_and_stays_so_until_somebody_answers() {
    let (listener, client) = listener().await;
    let server = tokio::spawn(hang_up(listener));
    assert!(matches!(undo(&client, 1).await, Refusal::Unknown(_)));
    server.abort();
    assert!(server.await.is_err_and(|ended| ended.is_cancelled()));
    assert!(matches!(undo(&client, 1).await, Refusal::Unknown(_)), "it may have happened the first time");
    assert!(matches!(undo(&client, 2).await, Refusal::Problem(_)), "this one cannot have");
}
