//! A small HTTP/1.1 server on loopback. One thread reads and writes for all connections; each request is answered in another, which
//! may block, as `/next` does until there is work.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::future::select;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinError, spawn_blocking};

/// Largest body that is read, in bytes: more than SQS or Lambda would ever send.
const MAX_BODY: usize = 16 << 20;
/// Wait after a connection could not be accepted: out of file handles, most likely, and connections that end free some.
const PAUSE: Duration = Duration::from_millis(100);

/// What a client asked, with its whole body.
pub type Request = hyper::Request<Bytes>;
/// What it is answered; the length of the body is added when it is sent.
pub type Response = hyper::Response<Full<Bytes>>;

/// A response with a body of that media type.
///
/// # Panics
/// The status is not from 100 to 999, or the media type has characters that no header may have.
pub fn response(status: u16, media_type: &str, body: impl Into<Bytes>) -> Response {
    let response = hyper::Response::builder().status(status).header("content-type", media_type);
    response.body(Full::new(body.into())).expect("a status and a media type")
}

/// How a request is answered.
type Answer = dyn Fn(Request) -> Response + Send + Sync;

/// A port of loopback at which nobody listens, nor can while this lives: it is taken.
#[derive(Debug)]
pub struct Nobody {
    endpoint: String,
    _socket: TcpSocket,
}

impl Nobody {
    /// Takes a free port.
    ///
    /// # Errors
    /// No port can be had.
    pub fn new() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { endpoint: format!("http://{}", socket.local_addr()?), _socket: socket })
    }

    /// Such as `http://127.0.0.1:40000`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// The server. When dropped, it accepts no more connections, and those that are open end with the answer that is under way.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// Nothing is ever sent: the server stops because this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Serves on a free port of loopback until dropped. `answer` may block.
    ///
    /// Some requests never reach `answer`: one with a body of more than 16 MiB is answered 413, one that is not HTTP 400, one with
    /// too many headers 431. A panic of `answer` ends the connection that it happened on, and no other.
    ///
    /// # Errors
    /// No port can be had, or the system has no resources for a server.
    pub fn start(answer: impl Fn(Request) -> Response + Send + Sync + 'static) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            runtime.block_on(async {
                let connections = GracefulShutdown::new();
                // Accepting ends in no other way. It is dropped here, and the port is free before open connections are waited for.
                select(Box::pin(accept(listener, Arc::new(answer), &connections)), stopped).await;
                connections.shutdown().await;
            });
        });
        Ok(Self { address, _stop: stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, answer: Arc<Answer>, connections: &GracefulShutdown) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Where this fails, the end of a long answer comes later than it could.
        let _ = stream.set_nodelay(true);
        let answer = Arc::clone(&answer);
        let service = service_fn(move |request| respond(Arc::clone(&answer), request));
        let connection = connections.watch(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        // A connection that breaks is the client's matter.
        tokio::spawn(async { drop(connection.await) });
    }
}

/// Reads the body and has the request answered in a thread of its own.
async fn respond(answer: Arc<Answer>, request: hyper::Request<Incoming>) -> Result<Response, JoinError> {
    let (head, body) = request.into_parts();
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => spawn_blocking(move || answer(Request::from_parts(head, body.to_bytes()))).await,
        Err(error) => {
            let status = if error.is::<LengthLimitError>() { 413 } else { 400 };
            Ok(response(
                status,
                "text/plain",
                format!("the body, of {MAX_BODY} bytes at most, cannot be read: {error}"),
            ))
        }
    }
}
