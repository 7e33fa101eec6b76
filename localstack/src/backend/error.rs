//! What can be wrong with a LocalStack, and what to do about it.

use super::VERSION;

/// Why there is no LocalStack. Each says what to do; a command that shows one exits with code 2.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not a way to run it.
    #[error(
        "--localstack {0:?} is not known; allowed are docker, host, auto and the http:// URL of a LocalStack {VERSION} that runs"
    )]
    Choice(String),
    /// No Python that 4.14.0 runs on.
    #[error(
        "LocalStack {VERSION} needs Python 3.13 or newer without Docker, and there is none on PATH or in pyenv{found}; install it, \
         for example with `pyenv install 3.13`, or use --localstack docker"
    )]
    NoPython {
        /// What there is instead, in words.
        found: String,
    },
    /// The packages cannot be had.
    #[error(
        "pip cannot reach the Python packages of LocalStack {VERSION} ({problem}); the first run needs PyPI: connect to the network, or \
         set PIP_INDEX_URL to a mirror, then try again"
    )]
    Index {
        /// What pip says.
        problem: String,
    },
    /// The environment cannot be made for another reason.
    #[error("the Python environment of LocalStack cannot be made in {directory}: {problem}")]
    Environment {
        /// Where.
        directory: String,
        /// What is wrong and, where known, what to do.
        problem: String,
    },
    /// Another program listens there.
    #[error("port {0} of 127.0.0.1 is taken; stop what listens there, or leave the port out to have a free one chosen")]
    PortTaken(u16),
    /// It ended instead of starting.
    #[error("LocalStack ended while it started: {problem}; its log is {log}")]
    Ended {
        /// Its last words.
        problem: String,
        /// The file.
        log: String,
    },
    /// It neither answers nor ends.
    #[error("LocalStack has not answered for {seconds} s; its log is {log}")]
    Silent {
        /// How long it was waited for.
        seconds: u64,
        /// The file.
        log: String,
    },
    /// Nothing answers at the URL.
    #[error("nothing answers at {url} ({problem}); start LocalStack {VERSION} there, or use --localstack host")]
    Unreached {
        /// Where.
        url: String,
        /// What happened.
        problem: String,
    },
    /// Something answers that is not LocalStack.
    #[error(
        "what answers at {url} is not LocalStack ({problem}); give the URL of a LocalStack {VERSION}, or use --localstack host"
    )]
    NotLocalStack {
        /// Where.
        url: String,
        /// What it said instead.
        problem: String,
    },
    /// Another release.
    #[error(
        "the LocalStack at {url} is version {version}, and this needs {VERSION}: run the image localstack/localstack:{VERSION}, or use \
         --localstack host"
    )]
    Version {
        /// Where.
        url: String,
        /// Which.
        version: String,
    },
    /// A release that wants an account.
    #[error(
        "this LocalStack does not start without LOCALSTACK_AUTH_TOKEN ({problem}); {VERSION} is the last release that does: run the image \
         localstack/localstack:{VERSION}, or use --localstack host"
    )]
    Token {
        /// What it says.
        problem: String,
    },
    /// No Docker daemon.
    #[error("no Docker daemon answers at {host} ({problem}); start Docker, set DOCKER_HOST, or use --localstack host")]
    NoDocker {
        /// Where.
        host: String,
        /// What happened.
        problem: String,
    },
    /// A daemon that is not for this user.
    #[error(
        "this user may not talk to Docker at {host}; add it to the group docker (`sudo usermod -aG docker $USER`) and log in again, or \
         use --localstack host"
    )]
    DockerPermission {
        /// Where.
        host: String,
    },
    /// The image cannot be had.
    #[error(
        "the image {image} is not here and cannot be pulled ({problem}); connect to the network, or use --localstack host"
    )]
    Image {
        /// Which.
        image: String,
        /// What Docker says.
        problem: String,
    },
    /// This build has no Docker in it.
    #[error("this was built without Docker; build it with the feature `docker`, or use --localstack host")]
    NoDockerHere,
    /// A file or a process of this host.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}
