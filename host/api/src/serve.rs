//! One connection from its handshake to its end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::answer::answer;
use crate::backend::Backend;
use crate::connection::{Connection, Driven, Graceful, Registration};
use crate::reply::Reply;
use crate::server::Shared;
use crate::tls::Tls;
use crate::transport::Backpressure;

/// The sweep closed the connection in the moment a request came in on it.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed")]
struct Closed;

/// Streams a client may have open at once on one HTTP/2 connection.
const STREAMS: u32 = 128;

pub(crate) async fn connection<B: Backend>(
    shared: Arc<Shared<B>>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
    registration: Registration,
) {
    // Answers are small and complete; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return http1(shared, TokioIo::new(stream), peer, &registration).await;
    };
    let handshake = Handshake { accept: TlsAcceptor::from(tls.server()).accept(stream), given_up: false };
    let handshake = Driven::new(handshake, Arc::clone(&registration.0));
    let Ok(Some(Some(stream))) = tokio::time::timeout(shared.limits.handshake, handshake).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2(shared, TokioIo::new(stream), peer, &registration).await;
    } else {
        http1(shared, TokioIo::new(stream), peer, &registration).await;
    }
}

/// A TLS handshake; a server that ends does not wait for it.
struct Handshake {
    accept: Accept<TcpStream>,
    given_up: bool,
}

impl Future for Handshake {
    type Output = Option<TlsStream<TcpStream>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.given_up {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.accept).poll(cx).map(Result::ok)
    }
}

impl Graceful for Handshake {
    fn end_gracefully(mut self: Pin<&mut Self>) {
        self.given_up = true;
    }
}

/// One request of a connection.
async fn respond<B: Backend>(
    shared: Arc<Shared<B>>,
    peer: SocketAddr,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Reply, Closed> {
    let in_flight = connection.begin().ok_or(Closed)?;
    let (reply, bytes) = answer(&shared, peer, request).await;
    in_flight.answered(bytes);
    Ok(reply)
}

async fn http1<B, I>(shared: Arc<Shared<B>>, io: I, peer: SocketAddr, registration: &Registration)
where
    B: Backend,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let connection = &registration.0;
    let mut builder = http1::Builder::new();
    // No `pipeline_flush`: it holds an answer back while half of the next request is there, and keeps any number of
    // answers in memory for a client that sends many requests at once.
    builder
        // A client that closes its side after the request still gets its answer, and its report is not lost.
        .half_close(true)
        .max_buf_size(shared.limits.header_bytes);
    let service = service_fn(|request| respond(Arc::clone(&shared), peer, Arc::clone(connection), request));
    let serving = builder.serve_connection(Backpressure::new(io), service);
    Driven::new(serving, Arc::clone(connection)).await;
}

async fn http2<B, I>(shared: Arc<Shared<B>>, io: I, peer: SocketAddr, registration: &Registration)
where
    B: Backend,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let connection = Arc::clone(&registration.0);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(STREAMS).max_header_list_size(64 << 10);
    let service =
        service_fn(move |request| respond(Arc::clone(&shared), peer, Arc::clone(&connection), request));
    let serving = builder.serve_connection(io, service);
    Driven::new(serving, Arc::clone(&registration.0)).await;
}

impl<I, S, B> Graceful for http1::Connection<I, S>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Self: Future,
{
    fn end_gracefully(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Graceful for http2::Connection<I, S, E>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
    Self: Future,
{
    fn end_gracefully(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
