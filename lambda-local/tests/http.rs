//! What the server makes of clients that misbehave, and how it ends. The client here is a bare socket, which can send anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use lambda_local::http::{Server, response};
use lambda_local::runtime_api::RuntimeApi;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest body that is read.
const LARGEST: usize = 16 << 20;

/// A connection on which `request` was sent.
fn send(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    stream.write_all(request).expect("the server reads");
    stream
}

/// All that comes before the server ends the connection.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server ends the connection");
    answer
}

fn post(length: usize) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; length]].concat()
}

/// A server that answers with the length of the body, and panics where there is none.
fn server() -> Server {
    let length = |length: usize| response(200, "text/plain", length.to_string());
    Server::start(move |request| length(Some(request.body().len()).filter(|length| *length > 0).expect("a body")))
        .expect("a port")
}

#[test]
fn a_request_that_is_malformed_is_refused_and_the_next_one_is_answered() {
    let server = server();
    let chunked = "POST / HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    for (request, status) in [
        (b"nonsense\r\n\r\n".to_vec(), "400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n".to_vec(), "400"),
        (b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n".to_vec(), "400"),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_vec(), "400"),
        (format!("{chunked}no number of bytes\r\n").into_bytes(), "400"),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000)).into_bytes(), "431"),
        (post(LARGEST + 1), "413"),
    ] {
        let answer = answer(send(server.address(), &request));
        let request = String::from_utf8_lossy(&request[..request.len().min(100)]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?} is answered {answer:?}");
    }
    for (request, length) in [(post(LARGEST), LARGEST), (format!("{chunked}3\r\nabc\r\n0\r\n\r\n").into_bytes(), 3)] {
        let answer = answer(send(server.address(), &request));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("\r\n\r\n{length}")), "{answer}");
    }
}

#[test]
fn a_panic_ends_its_own_connection_alone() {
    let server = server();
    let mut other = send(server.address(), b"POST / HTTP/1.1\r\n");
    assert_eq!(answer(send(server.address(), &post(0))), "");
    other.write_all(b"connection: close\r\ncontent-length: 1\r\n\r\nx").expect("the server reads");
    assert!(answer(other).ends_with("\r\n\r\n1"));
}

#[test]
fn a_function_that_waits_for_work_is_told_when_the_runtime_api_ends() {
    let runtime_api = RuntimeApi::start().expect("a port");
    let waiting = send(runtime_api.address(), b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n");
    runtime_api.ready(PATIENCE).expect("the function asks for work");
    drop(runtime_api);
    let told = answer(waiting);
    assert!(told.starts_with("HTTP/1.1 500 ") && told.ends_with("the Runtime API has closed"), "{told}");
}
