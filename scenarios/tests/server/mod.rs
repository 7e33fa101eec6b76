//! A running `serve`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Ends with the test, also with one that fails.
pub(crate) struct Server {
    pub(crate) process: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, as a test asked it to.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process =
            program().args(["--port", "0"]).args(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut told = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut told).expect("it says where it listens");
        let address = told.trim().rsplit_once("http://").map(|(_, address)| address.to_owned());
        let server = Self { process, address: address.unwrap_or_default() };
        assert!(!server.address.is_empty(), "no address in {told:?}");
        server
    }
}

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_serve"))
}
