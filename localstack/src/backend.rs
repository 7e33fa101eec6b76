//! LocalStack itself, in one of three ways: as Docker's container, as a plain process of this host, or one that runs already.
//!
//! | question | file |
//! | --- | --- |
//! | which way, and what can be wrong with it? | here, and in [`StartError`] |
//! | how does it run without Docker? | `host.rs`, `host/python.rs`, `host/environment.rs`, and the plugin in `localstack/host/` |
//! | how does it run in Docker? | `docker.rs`, with the feature `docker`, and `daemon.rs` |
//! | what is it told? | `variables.rs` |
//! | is what answers at a URL the LocalStack that we want? | `probe.rs` |
//! | where are its logs, and when are they kept? | `run.rs` |

mod daemon;
#[cfg(feature = "docker")]
mod docker;
mod error;
pub mod host;
mod probe;
mod run;
mod variables;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::str::FromStr;

pub use error::StartError;
pub use host::Environment;
pub use run::Progress;

/// The last release that starts without an account (February 2026). Pinned everywhere.
pub const VERSION: &str = "4.14.0";

/// Which LocalStack a command asks for: `--localstack docker|host|URL`, and without it [`Choice::Auto`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// Docker where a daemon answers, else the host.
    #[default]
    Auto,
    /// A container.
    Docker,
    /// A process of this host.
    Host,
    /// The one that answers there.
    Url(String),
}

impl FromStr for Choice {
    type Err = StartError;

    fn from_str(text: &str) -> Result<Self, StartError> {
        match text {
            "auto" => Ok(Self::Auto),
            "docker" => Ok(Self::Docker),
            "host" => Ok(Self::Host),
            url if url.starts_with("http://") => Ok(Self::Url(url.trim_end_matches('/').to_owned())),
            other => Err(StartError::Choice(other.to_owned())),
        }
    }
}

/// How LocalStack is to run.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The gateway's port; a free one if none is given. Not for [`Choice::Url`].
    pub port: Option<u16>,
    /// Variables that every function gets beside its own and in their place. Not for [`Choice::Url`], whose functions get only what they
    /// are deployed with.
    pub function_env: BTreeMap<String, String>,
    /// Who hears what takes long.
    pub progress: Progress,
}

/// A LocalStack that answers. It ends when this is dropped, and also when the process that holds it ends in any other way; one that
/// was found at a URL goes on.
#[derive(Debug)]
pub struct LocalStack {
    /// Where it answers, such as `http://127.0.0.1:4566`.
    pub endpoint: String,
    running: Running,
}

#[derive(Debug)]
enum Running {
    #[cfg(feature = "docker")]
    Docker(Box<docker::Docker>),
    Host(Box<host::Process>),
    Elsewhere,
}

/// How a function reaches a server of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The address that the server must listen on.
    pub listen: IpAddr,
    /// The host that a function calls.
    pub host: String,
}

impl Choice {
    /// Settles [`Choice::Auto`]; the others stay what they are.
    #[must_use]
    pub fn settle(self) -> Self {
        match self {
            Self::Auto if cfg!(feature = "docker") && daemon::Daemon::find().is_ok() => Self::Docker,
            Self::Auto => Self::Host,
            settled => settled,
        }
    }

    /// How functions will reach a server of this process. Those of a LocalStack at a URL are taken to run on this host.
    pub fn reach(&self) -> Reach {
        let docker = match self {
            Self::Docker => daemon::Daemon::find().ok(),
            _ => None,
        };
        let here = || Reach { listen: Ipv4Addr::LOCALHOST.into(), host: Ipv4Addr::LOCALHOST.to_string() };
        docker.map_or_else(here, |daemon| daemon.reach())
    }
}

impl Reach {
    /// The URL by which functions call the server that listens on `address`.
    pub fn url(&self, address: SocketAddr) -> String {
        format!("http://{}:{}", self.host, address.port())
    }
}

/// Starts LocalStack, or finds the one that runs, and returns when it answers. Blocks meanwhile: a second where its environment was
/// made before, else a minute.
///
/// # Errors
/// [`StartError`]; nothing is left running then.
pub fn start(choice: Choice, settings: Settings) -> Result<LocalStack, StartError> {
    match choice.settle() {
        Choice::Auto | Choice::Host => {
            let process = host::Process::start(&settings)?;
            Ok(LocalStack { endpoint: process.endpoint(), running: Running::Host(Box::new(process)) })
        }
        #[cfg(feature = "docker")]
        Choice::Docker => {
            let container = docker::Docker::start(&settings)?;
            Ok(LocalStack { endpoint: container.endpoint(), running: Running::Docker(Box::new(container)) })
        }
        #[cfg(not(feature = "docker"))]
        Choice::Docker => daemon::Daemon::find().and(Err(StartError::NoDockerHere)),
        Choice::Url(url) => {
            probe::check(&url)?;
            Ok(LocalStack { endpoint: url, running: Running::Elsewhere })
        }
    }
}

impl LocalStack {
    /// The function processes that run now; only the host's LocalStack knows them.
    ///
    /// # Errors
    /// When it does not say.
    pub fn environments(&self) -> Result<Vec<Environment>, StartError> {
        host::environments(&self.endpoint)
    }

    /// Keeps the logs when it ends, and says where they are: for a run that failed. A panic keeps them too.
    pub fn keep_logs(&mut self) {
        match &mut self.running {
            #[cfg(feature = "docker")]
            Running::Docker(container) => container.keep_logs(),
            Running::Host(process) => process.keep_logs(),
            Running::Elsewhere => {}
        }
    }
}

impl fmt::Display for LocalStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match &self.running {
            #[cfg(feature = "docker")]
            Running::Docker(_) => "in Docker",
            Running::Host(_) => "on this host",
            Running::Elsewhere => "that runs already",
        };
        write!(f, "LocalStack {VERSION} {how} at {}", self.endpoint)
    }
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> StartError {
    let what = what.into();
    |source| StartError::Io { what, source }
}

/// `port`, which must be free, or a free one.
fn free_port(port: Option<u16>) -> Result<u16, StartError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    match (listener.and_then(|listener| listener.local_addr()), port) {
        (Ok(address), _) => Ok(address.port()),
        (Err(_), Some(port)) => Err(StartError::PortTaken(port)),
        (Err(error), None) => Err(io("find a free port")(error)),
    }
}
