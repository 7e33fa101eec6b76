//! A world served on loopback to whoever speaks AWS: the codec of [`crate::wire`] behind HTTP/1.1, the wall clock behind the
//! virtual one. One thread; between two requests the world goes on by itself.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::LocalBoxFuture;
use handlers::timestamp::Timestamp;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet};

use crate::wire::{CONTROL, Request, Response, State};
use crate::{Outcome, Simulation};

/// Largest body that is read; the largest request of an AWS API served here is far smaller.
const LARGEST_BODY: usize = 1 << 20;
/// Longest wait for a client's headers, and for open connections when the server stops.
const PATIENCE: Duration = Duration::from_secs(10);
const FAREWELL: Duration = Duration::from_secs(1);
/// How often the world is brought up to the wall clock while nobody asks for anything.
const TICK: Duration = Duration::from_millis(200);

/// How a world is served.
#[derive(Debug, Clone, Copy)]
pub struct Serving {
    /// Port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// Seconds of the world in one of the wall clock; 0 lets time pass only by `POST /_simulator/advance`.
    pub speed: u32,
    /// Whether callers are shown the wall clock's time. Not where handlers run inside the world, which know only its own.
    pub wall_clock: bool,
}

/// Why a world cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Mostly that something else listens there.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; stop what listens there, or choose another port with --port")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// No runtime, no signals.
    #[error("cannot start the server: {0}")]
    Start(#[from] io::Error),
}

/// Serves the world until SIGINT or SIGTERM. `ready` is told the address once it is listened on.
///
/// # Errors
/// [`ServeError`] when the port cannot be had.
pub fn serve(simulation: Simulation, serving: Serving, ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(async {
        let stop = signal()?;
        let served = Served::start(listen(serving.port).await?, simulation, serving)?;
        ready(served.address());
        stop.await;
        served.stop().await;
        Ok(())
    }))
}

/// Listens on loopback; port 0 takes any that is free.
async fn listen(port: u16) -> Result<TcpListener, ServeError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.map_err(|source| ServeError::Listen { port, source })
}

/// What every request of the AWS API passes, before it is answered and once its answer is there: it may look at who calls, hold the call
/// while the world goes on, or give an answer of its own in the place of the world's.
pub type Gate = Rc<dyn Fn(&Call<'_>) -> LocalBoxFuture<'static, Option<Response>>>;

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Whether it has taken effect, and its answer is about to go out.
    pub answered: bool,
}

/// A world that is being served, in the hands of whoever shares its thread. Its tasks are those of the thread's [`LocalSet`].
#[derive(Clone)]
pub struct Served {
    address: SocketAddr,
    host: Rc<RefCell<Host>>,
    stop: Rc<Notify>,
    accepting: Rc<RefCell<Option<JoinHandle<()>>>>,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Served {
    /// Serves whoever connects to `listener`, from now on; the port of `serving` is not looked at.
    ///
    /// # Errors
    /// [`ServeError`] when the listener has no address.
    pub fn start(listener: TcpListener, simulation: Simulation, serving: Serving) -> Result<Self, ServeError> {
        let address = listener.local_addr()?;
        let host = Rc::new(RefCell::new(Host::new(simulation, serving)));
        let stop = Rc::new(Notify::new());
        let stopped = Rc::clone(&stop);
        let accepting = tokio::task::spawn_local(accept(listener, Rc::clone(&host), async move {
            stopped.notified().await;
        }));
        Ok(Self { address, host, stop, accepting: Rc::new(RefCell::new(Some(accepting))) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does something with the world, as it is now.
    ///
    /// # Panics
    /// When the world has ended.
    pub fn with<T>(&self, work: impl FnOnce(&mut Simulation) -> T) -> T {
        let mut host = self.host.borrow_mut();
        host.catch_up();
        work(host.simulation.as_mut().expect(ENDED))
    }

    /// From now on every request of the AWS API passes this gate.
    pub fn set_gate(&self, gate: Gate) {
        self.host.borrow_mut().gate = Some(gate);
    }

    /// Takes no more requests; those under way are waited for, not for long.
    pub async fn stop(&self) {
        self.stop.notify_one();
        let accepting = self.accepting.borrow_mut().take();
        if let Some(accepting) = accepting {
            // It ends in no other way.
            let _ = accepting.await;
        }
    }

    /// The world's end, where it stands now. Requests are refused from then on.
    ///
    /// # Panics
    /// When the world has ended before.
    pub fn finish(&self) -> Outcome {
        let mut host = self.host.borrow_mut();
        host.catch_up();
        let mut outcome = host.simulation.take().expect(ENDED).finish();
        // What was heard late is told in its place.
        outcome.trace.sort_by_key(|entry| entry.at);
        outcome
    }
}

/// Why nothing more can be done with a world.
const ENDED: &str = "the world has not been finished yet";

#[cfg(unix)]
fn signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(std::future::poll_fn(move |cx| {
        if interrupt.poll_recv(cx).is_ready() { std::task::Poll::Ready(()) } else { terminate.poll_recv(cx).map(drop) }
    }))
}

#[cfg(not(unix))]
fn signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

async fn accept(listener: TcpListener, host: Rc<RefCell<Host>>, stop: impl Future<Output = ()>) {
    let ticking = tokio::task::spawn_local({
        let host = Rc::clone(&host);
        async move {
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                host.borrow_mut().catch_up();
            }
        }
    });
    let connections = GracefulShutdown::new();
    let accepting = async {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file handles, most likely: connections that end free some.
                tokio::time::sleep(TICK).await;
                continue;
            };
            let host = Rc::clone(&host);
            let service = service_fn(move |request| answer(Rc::clone(&host), peer, request));
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
            // A client that breaks its connection off is no fault of the server's.
            tokio::task::spawn_local(async { drop(connection.await) });
        }
    };
    // Whichever ends first, which is only ever the wait for a signal.
    futures_util::future::select(Box::pin(accepting), Box::pin(stop)).await;
    ticking.abort();
    // Whoever keeps a connection open without a request on it is not waited for long.
    let _ = tokio::time::timeout(FAREWELL, connections.shutdown()).await;
}

/// The world, and how far the wall clock has moved it.
struct Host {
    /// None once it has ended.
    simulation: Option<Simulation>,
    /// What AWS remembers about it.
    state: State,
    speed: u32,
    began: Instant,
    /// The world's time when the server began.
    from: Duration,
    gate: Option<Gate>,
}

impl Host {
    #[expect(clippy::disallowed_methods, reason = "a server runs beside the wall clock")]
    fn new(mut simulation: Simulation, serving: Serving) -> Self {
        simulation.keep_events();
        if serving.wall_clock {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let now = Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
            simulation.show_times(now, serving.speed);
        }
        let from = simulation.elapsed();
        Self {
            simulation: Some(simulation),
            state: State::default(),
            speed: serving.speed,
            began: Instant::now(),
            from,
            gate: None,
        }
    }

    /// Lets as much time pass in the world as the wall clock says.
    fn catch_up(&mut self) {
        let due = self.from + self.began.elapsed() * self.speed;
        // Whole milliseconds, so that what is left over is not lost.
        let due = Duration::from_millis(due.as_millis() as u64);
        let Some(simulation) = &mut self.simulation else { return };
        if let Some(time) = due.checked_sub(simulation.elapsed()).filter(|time| !time.is_zero()) {
            simulation.advance(time);
        }
    }

    fn answer(&mut self, method: &Method, path: &str, request: &Request) -> Response {
        self.catch_up();
        let Some(simulation) = &mut self.simulation else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, r#"{"error":"this world has ended"}"#);
        };
        if !path.starts_with(CONTROL) {
            return simulation.answer(&mut self.state, request);
        }
        if self.speed > 0 && path.starts_with("/_simulator/advance") {
            let error =
                r#"{"error":"the wall clock moves this world; start the server with --speed 0 to move it by hand"}"#;
            return plain(StatusCode::CONFLICT, error);
        }
        simulation.control(method.as_str(), path, &request.body)
    }
}

async fn answer(
    host: Rc<RefCell<Host>>,
    peer: SocketAddr,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let response = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => {
            let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            };
            let headers = parts.headers.iter().map(header).collect();
            let request = Request { headers, body: body.to_bytes().to_vec() };
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            let gate = host.borrow().gate.clone().filter(|_| !path.starts_with(CONTROL));
            let pass = async |answered| match &gate {
                Some(gate) => gate(&Call { request: &request, peer, answered }).await,
                None => None,
            };
            let response = match pass(false).await {
                Some(instead) => instead,
                None => host.borrow_mut().answer(&parts.method, path, &request),
            };
            pass(true).await.unwrap_or(response)
        }
        Err(error) if error.is::<LengthLimitError>() => {
            plain(StatusCode::PAYLOAD_TOO_LARGE, r#"{"error":"a body may have 1 MiB at most"}"#)
        }
        Err(_) => plain(StatusCode::BAD_REQUEST, r#"{"error":"the body ended before its end"}"#),
    };
    let mut http = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        http = http.header(name, value);
    }
    let body = Full::new(Bytes::from(response.body));
    Ok(http
        .body(body)
        .unwrap_or_else(|_| hyper::Response::new(Full::new(Bytes::from("the answer has no valid headers")))))
}

fn plain(status: StatusCode, body: &str) -> Response {
    let headers = vec![("content-type", "application/json".to_owned())];
    Response { status: status.as_u16(), headers, body: body.as_bytes().to_vec() }
}
