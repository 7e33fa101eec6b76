//! A function's binary as a process with the environment that Lambda gives it.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

/// The environment of a function in the region `ap-south-1` (Lambda developer guide, "Defined runtime environment variables"),
/// and nothing of ours.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("AWS_REGION", "ap-south-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDCENTRAL"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("AWS_SESSION_TOKEN", "token"),
    ("AWS_LAMBDA_FUNCTION_NAME", "the-function"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
];

/// `program` with the environment of a function. Where the Runtime API and AWS are is for the caller to add.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(ENVIRONMENT);
    command
}

/// A function that runs; it is ended when dropped.
#[derive(Debug)]
pub struct Function {
    process: Child,
    log: Option<JoinHandle<String>>,
}

impl Function {
    /// Starts it. Its log is read all the time, so that it never waits for a reader.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let log = process.stdout.take().map(|mut stdout| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // What was written before the pipe broke is the log.
                let _ = stdout.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        Ok(Self { process, log })
    }

    /// Whether it has not ended.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn is_running(&mut self) -> io::Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    /// Resident memory in bytes; none where the system does not tell as Linux does.
    pub fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    }

    /// Ends it; returns what it logged.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn killed(mut self) -> io::Result<String> {
        self.process.kill()?;
        Ok(self.wait()?.1)
    }

    /// Waits for it to end by itself; returns what it logged.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn ended(mut self) -> io::Result<(ExitStatus, String)> {
        self.wait()
    }

    fn wait(&mut self) -> io::Result<(ExitStatus, String)> {
        let status = self.process.wait()?;
        Ok((status, self.log.take().and_then(|log| log.join().ok()).unwrap_or_default()))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
