//! LocalStack as a process of this host, with the plugin of `localstack/host/` in the place of Docker.

mod environment;
mod python;

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use super::run::{Progress, Run, cache};
use super::{Settings, StartError, free_port, io, probe, variables};

/// The plugin, which Python finds there as an installed package.
const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/host");
/// It is ready in two seconds where nothing else runs.
const READY: Duration = Duration::from_secs(90);
/// How often it is asked whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// A function process, as the plugin's `GET /_host/environments` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// The function's name.
    pub function: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The process id.
    pub pid: u32,
    /// The invocation it works on; none between two.
    pub request_id: Option<String>,
}

/// The function processes of the LocalStack at `endpoint`.
///
/// # Errors
/// When that one has no such endpoint: in Docker a function is a container.
pub fn environments(endpoint: &str) -> Result<Vec<Environment>, StartError> {
    let wrong = |problem: String| StartError::NotLocalStack { url: endpoint.to_owned(), problem };
    let (status, body) = probe::get(endpoint, "/_host/environments").map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&body).map_err(|error| wrong(format!("GET /_host/environments: HTTP {status}: {error}")))
}

/// The Python of LocalStack's environment, which also has boto3; made first if need be.
///
/// # Errors
/// There is none, or it cannot be made.
pub fn python(progress: &Progress) -> Result<PathBuf, StartError> {
    let cache = cache();
    fs::create_dir_all(&cache).map_err(io(format!("create {}", cache.display())))?;
    let environment = environment::environment(&python::Python::find()?, &cache, progress)?;
    Ok(environment.join("bin/python"))
}

/// The process, its functions and its files. Dropped, all are gone.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    port: u16,
    run: Run,
}

impl Process {
    /// Starts it, with an environment that is made first if need be, and waits until it answers.
    pub(super) fn start(settings: &Settings) -> Result<Self, StartError> {
        let port = free_port(settings.port)?;
        let python = python(&settings.progress)?;
        let cache = cache();
        let run = Run::make(&cache, &settings.progress).map_err(io(format!("write to {}", cache.display())))?;
        let log = run.create_log().map_err(io(format!("create {}", run.log().display())))?;
        let errors = log.try_clone().map_err(io("copy the log's handle"))?;
        let mut command = Command::new(&python);
        command
            .args(["-m", "localstack.runtime.main"])
            .envs(variables::of_host(port, &run.files(), PLUGIN, settings))
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            // A group of its own: it ends as a whole, and Ctrl-C ends it through us, not beside us.
            .process_group(0);
        let child = command.spawn().map_err(io(format!("start {}", python.display())))?;
        let mut process = Self { child, port, run };
        process.wait()?;
        Ok(process)
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    pub(super) fn keep_logs(&mut self) {
        self.run.keep_log();
    }

    #[expect(clippy::disallowed_methods, reason = "how long a real process takes is a matter of the wall clock")]
    fn wait(&mut self) -> Result<(), StartError> {
        let began = Instant::now();
        let mut ended = false;
        while began.elapsed() < READY {
            if probe::get(&self.endpoint(), "/_localstack/health").is_ok_and(|(status, _)| status == 200) {
                return probe::check(&self.endpoint());
            }
            if ended {
                return Err(self.why());
            }
            // Looked at before the next try, so that the last words are read of one that ended.
            ended = self.child.try_wait().map_err(io("wait for LocalStack"))?.is_some();
            thread::sleep(LOOK);
        }
        self.run.keep_log();
        Err(StartError::Silent { seconds: READY.as_secs(), log: self.run.log().display().to_string() })
    }

    /// Why it ended while it started.
    fn why(&mut self) -> StartError {
        let log = fs::read_to_string(self.run.log()).unwrap_or_default();
        if log.contains("Address already in use") {
            return StartError::PortTaken(self.port);
        }
        if probe::is_about_a_token(&log) {
            return StartError::Token { problem: probe::last_line(&log) };
        }
        self.run.keep_log();
        StartError::Ended { problem: probe::last_line(&log), log: self.run.log().display().to_string() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing of it outlives it in this edition, so there is nothing to wait for.
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
