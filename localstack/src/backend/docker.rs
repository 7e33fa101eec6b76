//! LocalStack as a container, and its functions as containers beside it, through `testcontainers`.

use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testcontainers::bollard::models::PortBinding;
use testcontainers::core::logs::LogFrame;
use testcontainers::core::{ContainerPort, Mount, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, ContainerRequest, GenericImage, ImageExt, TestcontainersError};

use super::daemon::{Daemon, PREFIX};
use super::run::{Run, cache};
use super::{Settings, StartError, VERSION, free_port, io, probe};

const IMAGE: &str = "localstack/localstack";
const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/host");
/// The port in the container.
const GATEWAY: ContainerPort = ContainerPort::Tcp(4566);
/// Its image is large and its disk may be slow.
const READY: Duration = Duration::from_secs(180);

/// The container, its functions' containers, and its log. Dropped, all are gone.
#[derive(Debug)]
pub(super) struct Docker {
    // Before the others: what it still has to say goes to the log.
    container: Option<Container<GenericImage>>,
    name: String,
    daemon: Daemon,
    port: u16,
    run: Run,
}

impl Docker {
    pub(super) fn start(settings: &Settings) -> Result<Self, StartError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let daemon = Daemon::find()?;
        let port = free_port(settings.port)?;
        daemon.remove_orphans();
        let cache = cache();
        let run = Run::make(&cache, &settings.progress).map_err(io(format!("write to {}", cache.display())))?;
        let log = run.create_log().map_err(io(format!("create {}", run.log().display())))?;
        let name = format!("{PREFIX}{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        settings.progress.say(&format!("LocalStack: starting the container {name} of {IMAGE}:{VERSION}"));
        let mut docker = Self { container: None, name, daemon, port, run };
        match docker.request(settings, log).start() {
            Ok(container) => docker.container = Some(container),
            Err(error) => return Err(docker.why(&error)),
        }
        probe::check(&docker.endpoint())?;
        Ok(docker)
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    pub(super) fn keep_logs(&mut self) {
        self.run.keep_log();
    }

    fn request(&self, settings: &Settings, log: File) -> ContainerRequest<GenericImage> {
        let port = self.port;
        let environment = [
            ("LAMBDA_DOCKER_FLAGS", settings.docker_flags()),
            // Of the function containers, which it names after itself.
            ("MAIN_CONTAINER_NAME", self.name.clone()),
            // The host part of the queue URLs it returns.
            ("LOCALSTACK_HOST", format!("{}:{port}", Ipv4Addr::LOCALHOST)),
            // The plugin's: several batches of a queue at once.
            ("PYTHONPATH", "/opt/localstack-host".to_owned()),
        ];
        let request = GenericImage::new(IMAGE, VERSION)
            .with_exposed_port(GATEWAY)
            .with_wait_for(WaitFor::message_on_stdout("Ready."))
            .with_startup_timeout(READY)
            .with_container_name(&self.name)
            .with_copy_to("/opt/localstack-host", std::path::Path::new(PLUGIN))
            .with_host_config_modifier(move |config| {
                let binding =
                    PortBinding { host_ip: Some(Ipv4Addr::LOCALHOST.to_string()), host_port: Some(port.to_string()) };
                config.port_bindings = Some([(GATEWAY.to_string(), Some(vec![binding]))].into());
            })
            .with_log_consumer(to_file(log));
        let request = match &self.daemon {
            // For the containers of functions.
            Daemon::Socket(socket) => {
                request.with_mount(Mount::bind_mount(socket.display().to_string(), "/var/run/docker.sock"))
            }
            Daemon::Tcp(address) => request.with_env_var("DOCKER_HOST", format!("tcp://{address}")),
        };
        let everywhere = super::variables::COMMON.map(|(name, value)| (name, value.to_owned()));
        environment
            .into_iter()
            .chain(everywhere)
            .fold(request, |request, (name, value)| request.with_env_var(name, value))
    }

    /// Why it did not start.
    fn why(&mut self, error: &TestcontainersError) -> StartError {
        let log = std::fs::read_to_string(self.run.log()).unwrap_or_default();
        let text = error.to_string();
        if probe::is_about_a_token(&log) {
            return StartError::Token { problem: probe::last_line(&log) };
        }
        if text.contains("port is already allocated") || text.contains("address already in use") {
            return StartError::PortTaken(self.port);
        }
        if text.contains("pull the image") {
            return StartError::Image { image: format!("{IMAGE}:{VERSION}"), problem: probe::first_line(&text) };
        }
        self.run.keep_log();
        StartError::Ended { problem: probe::first_line(&text), log: self.run.log().display().to_string() }
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            // It ends the containers of its functions when it is asked to end, not when it is killed.
            let _ = container.stop_with_timeout(Some(10));
        }
        let ours = process::id().cast_signed();
        self.daemon.remove(&self.name, |id| id == ours);
    }
}

fn to_file(log: File) -> impl Fn(&LogFrame) + Send + Sync + 'static {
    let log = Arc::new(Mutex::new(log));
    move |frame: &LogFrame| {
        if let Ok(mut log) = log.lock() {
            // Nobody is there to hear of a log that cannot be written.
            let _ = log.write_all(frame.bytes());
        }
    }
}
