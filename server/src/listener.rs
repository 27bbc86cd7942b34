//! Connections: accepted with the socket limits that the feed needs, served until the server ends.
//!
//! A stalled reader of the feed is never polled again, so no check inside its stream can evict it: the
//! kernel does, by `TCP_USER_TIMEOUT`, and a small send buffer keeps the kernel from holding megabytes
//! for it. Does not know a route.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long sent bytes may stay unconfirmed before the kernel cuts the connection.
const UNCONFIRMED: Duration = Duration::from_secs(10);
/// Send buffer of a connection that carries the feed, in bytes.
const FEED_BUFFER: usize = 32 << 10;
/// Waiting connections that the kernel keeps: a reconnect storm comes in one second.
const BACKLOG: i32 = 1024;
/// Longest wait for the head of a request, also on an idle connection.
const HEAD_WAIT: Duration = Duration::from_secs(12);
/// Pause after a failed accept (no file descriptor left): trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Set by the handler of the feed: this connection carries it from now on.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeedMark(Arc<AtomicBool>);

impl FeedMark {
    /// Marks the connection; its send buffer becomes small with the next write.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Opens the port with the limits that every connection inherits.
///
/// # Errors
/// When the address is taken or not ours.
pub(crate) fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_user_timeout(Some(UNCONFIRMED))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until `ending`; then asks every connection to finish, and cuts those left at `cut`.
pub(crate) async fn serve(listener: TcpListener, router: Router, ending: CancellationToken, cut: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = ending.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, router.clone(), ending.clone(), cut.clone()));
            }
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, router: Router, ending: CancellationToken, cut: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(kind = ?error.kind(), "a connection was gone before it was served");
        return;
    }
    let mark = FeedMark::default();
    let io = TokioIo::new(Wire { stream, mark: mark.clone(), narrowed: false });
    let rooms = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(mark.clone());
        rooms.call(request)
    });
    let serving =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT).serve_connection(io, service);
    let mut serving = pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => return said(ended),
        () = ending.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = serving => said(ended),
        () = cut.cancelled() => {}
    }
}

/// A broken connection is the other side's everyday life, not a fault of ours.
fn said(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(timeout = error.is_timeout(), parse = error.is_parse(), "a connection ended early");
    }
}

/// A connection that can be told that it carries the feed.
struct Wire {
    stream: TcpStream,
    mark: FeedMark,
    narrowed: bool,
}

impl Wire {
    fn narrow(&mut self) {
        if !self.narrowed && self.mark.0.load(Ordering::Acquire) {
            self.narrowed = true;
            if let Err(error) = SockRef::from(&self.stream).set_send_buffer_size(FEED_BUFFER) {
                tracing::debug!(kind = ?error.kind(), "the send buffer of a feed stays as it is");
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.narrow();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.narrow();
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
